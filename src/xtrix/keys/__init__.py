"""Clients' keys that have a name: who holds one, what it may use and spend, what it has spent.

`record` is a key as data, `proof` how one is told from a guess. Two state machines share the
counting: `ledger` is the one place that knows all of it, `leases` what one isolate may give out of
that without asking. What they tell each other is in `message`. None of them knows a clock, a
network or a database: time is handed in, and so is what runs a statement of SQL.
"""
