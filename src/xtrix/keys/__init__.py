"""Named keys of clients: who has one, what it may use and spend, and what it has spent.

`record` is a key as data, and `proof` tells real keys from guessed ones. Two state machines share
the counting: `ledger` is the one place that knows everything, and `leases` is what one isolate may
give out without asking it. `message` is what they send to each other. None of them knows a clock, a
network or a database: the time, and a function that runs a statement of SQL, are passed in.
"""
