"""Upstreams that fail at random, for many calls, and what the core makes of that.

A simple model of the rules says beforehand which target each call goes to, what the client gets,
what the log says, and which targets rest. Streams stay open while later requests are made.
"""

from itertools import cycle
from typing import Any

from hypothesis import strategies as st

from tests.drawn import drawn
from tests.play import NOW, gateway, head
from tests.policy import (
    FAULTS,
    LATE,
    LONGEST,
    PATHS,
    TARGETS,
    Asked,
    Expected,
    Model,
    answer_to,
    body_of,
    check_line,
    status_of,
)
from tests.worker.speech import DIALECTS
from xtrix import json
from xtrix.exchange import Exchange
from xtrix.http import Reply
from xtrix.passage import Passage
from xtrix.relay import Relay
from xtrix.steps import (
    Begin,
    Call,
    Collect,
    Failure,
    Outcome,
    ReadBody,
    Step,
    UpstreamAnswer,
    Wait,
)

REST = 30.0
IDLE = 120.0
ROWS = [
    {
        "name": dialect.name,
        "dialect": dialect.name,
        "base_url": f"http://{dialect.name}.test/v1",
        "api_key": "UPSTREAM_KEY",
        "retries": {"backoff": 0, "longest": LONGEST, "rest": REST},
    }
    for dialect in DIALECTS
]


REQUESTS = st.builds(
    Asked,
    client=st.sampled_from(sorted(PATHS)),
    streamed=st.booleans(),
    meets=st.lists(st.sampled_from(sorted(FAULTS)), min_size=1, max_size=8).map(tuple),
    gap=st.sampled_from([0.0, 1.0, 29.0, 31.0]),
    open=st.integers(0, 3),
    leaves=st.booleans(),
)


class Running:
    """One exchange, driven as the shell drives it."""

    def __init__(self, exchange: Exchange, asked: Asked, now: float) -> None:
        self.asked = asked
        self.now = now
        self.calls: list[str] = []
        self.rest = ""
        """What the stream that was begun last has still to say."""
        self._meets = cycle(asked.meets)
        self._answer: UpstreamAnswer | Failure = Failure.CONNECTION
        self.exchange = exchange
        step = exchange.advance(None, now)
        while not isinstance(step, Reply | Relay | Passage):
            step = exchange.advance(self._outcome(step), self.now)
        assert not isinstance(step, Passage)
        self.answer: Reply | Relay = step

    def _outcome(self, step: Step) -> Outcome:
        match step:
            case ReadBody():
                return json.encode_body(body_of(self.asked, "best"))
            case Call():
                return self._call(step)
            case Collect():
                assert isinstance(self._answer, UpstreamAnswer)
                return self._answer.body
            case Begin():
                assert isinstance(self._answer, UpstreamAnswer)
                assert isinstance(self._answer.body, bytes)
                assert isinstance(step.relay, Relay)
                self._begin(step.relay, self._answer.body.decode())
            case Wait():
                self.now += step.seconds
        return None

    def _call(self, step: Call) -> Outcome:
        name = next(self._meets)
        host = step.request.url.split("/")[2].removesuffix(".test")
        self.calls.append(f"{host}/m")
        dialect = next(it for it in DIALECTS if it.name == host)
        self.now += LATE.get(name, 0)
        self._answer = answer_to(name, dialect, streamed=self.asked.streamed)
        if step.collect or isinstance(self._answer, Failure):
            return self._answer
        return self._answer.head

    def _begin(self, relay: Relay, text: str) -> None:
        """Feeds the stream event by event, until it has begun or is over."""
        *events, _ = text.split("\n\n")
        while events and not (relay.begun or relay.over):
            relay.feed(events.pop(0) + "\n\n")
        self.rest = "".join(f"{it}\n\n" for it in events)
        if not events and not relay.begun:
            relay.close()

    def end(self, now: float, meets: str) -> tuple[float, dict[str, Any]]:
        """Ends the stream at `now`. Returns the time of the end, and the log line."""
        relay = self.answer
        assert isinstance(relay, Relay)
        relay.tick(now)
        left = self.asked.leaves
        if not left:
            relay.feed(self.rest)
            if meets == "stall":
                relay.tick(now)
                now += IDLE
                relay.tick(now)
            else:
                relay.close()
            assert relay.over
        return now, json.decode_object(self.exchange.log_line(now, left=left))


# What has to hold


@drawn(60, script=st.lists(REQUESTS, min_size=1, max_size=40))
def test_whatever_fails_the_calls_the_answers_and_the_log_are_those_of_the_policy(
    script: list[Asked],
) -> None:
    gate = gateway(*ROWS, MODELS=[{"id": "best", "targets": TARGETS}], KEEP_ALIVE_SECONDS="0")
    model = Model(REST)
    open_: list[tuple[int, Running, Expected]] = []
    now = NOW
    for number, asked in enumerate(script):
        now += asked.gap
        for at, running, expected in [it for it in open_ if it[0] <= number]:
            open_.remove((at, running, expected))
            now = finish(model, running, expected, now)
        expected = model.expect(asked, now)
        exchange = gate.open(head(PATHS[asked.client]), f"{number:032x}", now)
        running = Running(exchange, asked, now)
        assert running.calls == expected.calls
        assert running.now == expected.ends
        now = running.now
        check_head(running, expected)
        if isinstance(running.answer, Relay):
            open_.append((number + asked.open, running, expected))
        else:
            line = json.decode_object(exchange.log_line(now))
            check_line(line, asked, expected, expected.told)
    for _, running, expected in open_:
        now = finish(model, running, expected, now)


def finish(model: Model, running: Running, expected: Expected, now: float) -> float:
    """Ends a stream, and tells the model how it ended. Returns the time of the end."""
    fault = FAULTS[expected.meets]
    now, line = running.end(now, expected.meets)
    error = fault.code
    if running.asked.leaves:
        error = "client_left"
    elif fault.code:
        model.failed_once(expected.by, now)
    else:
        model.answered(expected.by)
    check_line(line, running.asked, expected, error)
    return now


def check_head(running: Running, expected: Expected) -> None:
    """Fails if the client got anything else."""
    answer = running.answer
    headers = dict(answer.headers)
    assert answer.status == status_of(running.asked, expected)
    assert headers["x-attempts"] == str(len(expected.calls))
    assert headers["x-served-by"] == expected.by
