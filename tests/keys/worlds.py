"""A random world: several isolates use one ledger, and things go wrong.

This module counts the truth: which calls ran when, and what they have cost. The ledger and the
leases do not see these counts, and must keep them within a key's limits.
"""

from collections import Counter
from dataclasses import dataclass, field
from random import Random
from typing import Any

from tests.ledgers import Wire
from xtrix.keys import record as records
from xtrix.keys.leases import Admission, Client, Leases
from xtrix.keys.message import Row
from xtrix.keys.record import KeyRecord, Limits

KEY = "00000000000000aa"
NOW = 1_700_000_000.0


@dataclass
class Isolate:
    """One isolate, whose clock is wrong by `skew` seconds."""

    leases: Leases
    skew: float
    running: list[tuple[Admission, int]] = field(default_factory=list)
    """Each call with what it costs in the end."""


class World:
    """Isolates, a ledger and a clock."""

    def __init__(self, dice: Random, limits: Limits, isolates: int) -> None:
        self.dice = dice
        self.limits = limits
        self.wire = Wire()
        self.now = NOW + dice.uniform(0, 86_400)
        self.isolates: list[Isolate] = []
        self.spent: Counter[str] = Counter()
        """Micro-dollars that upstreams have charged, by day."""
        self.begun: Counter[int] = Counter()
        """Calls that were let in, by the minute of the ledger's clock."""
        self.may_crash = True
        self.refusals = 0
        self.most_running = 0
        """Of all isolates together."""
        self.delayed: list[str] = []
        self._made = 0
        record = KeyRecord(KEY, "team", limits)
        self.wire.ask(self.now, do="make", record=records.encode(record))
        for _ in range(isolates):
            self.add_isolate()

    def add_isolate(self) -> None:
        self._made += 1
        leases = Leases(f"isolate-{self._made}")
        self.isolates.append(Isolate(leases, self.dice.uniform(-5, 5)))

    def client(self) -> Client:
        return Client(KEY, "", self.limits.strict, 1)

    def tell(self, isolate: Isolate) -> bool:
        """Sends one message, which may get lost. Returns whether the isolate got an answer."""
        text = isolate.leases.compose(self.now + isolate.skew)
        if text is None:
            return True
        fate = self.wire.fate
        answer = None
        if fate == "lost":
            self.delayed.append(text)
        else:
            answer = self.wire.call(text, self.now)
        self.now += self.dice.choice([0, 0.001, 0.2])
        if answer is None:
            isolate.leases.lost(self.now + isolate.skew)
            return False
        isolate.leases.learn(answer, self.now + isolate.skew)
        return True

    def pass_time(self, seconds: float) -> None:
        """Lets time pass, in which each isolate sends its messages when they are due."""
        until = self.now + seconds
        while self.now < until:
            self.now = min(until, self.now + 5)
            for isolate in self.isolates:
                if isolate.leases.pause(self.now + isolate.skew) is not None:
                    self.tell(isolate)

    def start(self, isolate: Isolate, aside: int, cost: int) -> bool:
        """Starts a call. Returns whether the key allowed it."""
        call = Admission(self.client(), lambda record, average: (10, aside))
        if not self._admit(isolate, call):
            return False
        self.begun[int(self.now // 60)] += 1
        isolate.running.append((call, cost))
        running = sum(len(each.running) for each in self.isolates)
        self.most_running = max(self.most_running, running)
        return True

    def try_again(self, isolate: Isolate) -> None:
        """Makes another attempt of a call whose first attempt may have been charged."""
        if not isolate.running:
            return
        at = self.dice.randrange(len(isolate.running))
        call, cost = isolate.running[at]
        _, aside = call.measure(None, 0)
        call.asked = 0
        if self._admit(isolate, call):
            isolate.running[at] = call, cost + self.dice.randint(0, aside)

    def _admit(self, isolate: Isolate, call: Admission) -> bool:
        """Whether a call was let in."""
        for _ in range(6):
            verdict = isolate.leases.admit(call, self.now + isolate.skew)
            if verdict is True:
                return True
            if verdict is not False:
                self.refusals += 1
                return False
            if not self.tell(isolate):
                return False
        raise AssertionError("a call neither goes nor is refused")

    def end(self, isolate: Isolate) -> None:
        """The end of one of an isolate's calls."""
        if not isolate.running:
            return
        at = self.dice.randrange(len(isolate.running))
        call, cost = isolate.running.pop(at)
        self.spent["ever"] += cost
        row = Row(KEY, "sim", "model", requests=1, input=8, output=2, micros=cost)
        isolate.leases.finish(call, [row], self.now + isolate.skew)

    def crash(self, isolate: Isolate) -> None:
        """Ends an isolate. Its calls are charged all the same."""
        self.spent["ever"] += sum(cost for _, cost in isolate.running)
        self.isolates.remove(isolate)
        self.add_isolate()

    def deliver_late(self) -> None:
        """Delivers a message whose sender no longer waits for it."""
        if self.delayed:
            fate, self.wire.fate = self.wire.fate, "answered"
            self.wire.call(self.delayed.pop(self.dice.randrange(len(self.delayed))), self.now)
            self.wire.fate = fate

    def finish(self) -> None:
        """Ends all calls, and sends all reports."""
        self.wire.fate = "answered"
        for isolate in self.isolates:
            while isolate.running:
                self.end(isolate)
            for _ in range(3):
                self.now += 1
                self.tell(isolate)

    def booked(self) -> int:
        """Micro-dollars that the ledger has booked."""
        told = self.usage()
        return sum(row[-2] for row in told["rows"])

    def usage(self) -> Any:
        return self.wire.ask(self.now, **{"do": "usage", "from": "2000-01-01", "to": "2100-01-01"})
