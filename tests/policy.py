"""A second, simple version of the rules for failing targets, to check the real one.

From what each call to a model's targets meets with, it computes which calls a request makes, what
the client gets and what the log line says. There are three targets, one of each dialect.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import cycle
from typing import Any, NamedTuple

from tests.worker.failing import OVERFLOW, as_filtered
from tests.worker.faults import events_to_finish, events_to_text
from tests.worker.sees import SAID
from tests.worker.speech import ANTHROPIC, DIALECTS, INPUT_TOKENS, OUTPUT_TOKENS, Dialect
from xtrix.http import UpstreamHead
from xtrix.steps import Failure, UpstreamAnswer

LONGEST = 10.0
JSON_TYPE = {"content-type": "application/json"}
SSE_TYPE = {"content-type": "text/event-stream"}
TARGETS = [f"{dialect.name}/m" for dialect in DIALECTS]
PATHS = {"chat": "/v1/chat/completions", "messages": "/v1/messages", "responses": "/v1/responses"}
_STATUSES = {"insufficient_quota": 402, "server_is_overloaded": 529}
"""Those of a client of Messages that others are told otherwise."""


class Fault(NamedTuple):
    """What happens to a call, and what the policy does about it. Without a code it is no fault."""

    code: str | None = None
    """As the log names it."""
    again: bool = False
    elsewhere: bool = True
    counts: bool = True
    passing: bool = False
    """Whether the same target may answer some other time."""
    status: int = 502
    """The client's."""
    begins: bool = False
    """Whether a stream that meets with it has begun before."""


def _transient(code: str, status: int, *, again: bool = True) -> Fault:
    return Fault(code, again=again, passing=True, status=status)


FAULTS: dict[str, Fault] = {
    "answers": Fault(),
    "filtered": Fault(),
    "unended": Fault(),
    "429": _transient("rate_limit_exceeded", 429),
    "429 for long": _transient("rate_limit_exceeded", 429, again=False),
    "500": _transient("upstream_error", 500),
    "503 late": _transient("upstream_error", 503, again=False),
    "529": _transient("server_is_overloaded", 503),
    "reset": _transient("upstream_connection_error", 502),
    "silence": _transient("upstream_timeout", 504, again=False),
    "nonsense": _transient("bad_upstream_response", 502),
    "error first": _transient("server_is_overloaded", 503),
    "401": Fault("upstream_authentication_error"),
    "402": Fault("insufficient_quota", status=429),
    "404": Fault("model_not_found", status=404),
    "400": Fault("400", elsewhere=False, counts=False, status=400),
    "too long": Fault("context_length_exceeded", counts=False, status=400),
    "HTML": Fault("bad_upstream_response", counts=False),
    "cut": Fault("upstream_truncated", passing=True, begins=True),
    "stall": Fault("upstream_timeout", passing=True, begins=True),
}
WHOLE_FAULTS = {
    "cut": _transient("upstream_connection_error", 502),
    "stall": _transient("upstream_timeout", 504, again=False),
    "unended": Fault(),
}
"""Those that whole answers meet with in another way."""


def fault_of(name: str, *, streamed: bool) -> Fault:
    """What happens to the call."""
    return FAULTS[name] if streamed else WHOLE_FAULTS.get(name, FAULTS[name])


class Asked(NamedTuple):
    """One request, and what happens to its calls."""

    client: str
    streamed: bool
    meets: tuple[str, ...]
    """One after the other, and then from the first again."""
    gap: float
    """Seconds since the request before."""
    open: int
    """How many requests later its stream ends."""
    leaves: bool
    """Whether its client leaves in mid-stream."""


# The model


@dataclass
class Expected:
    """The expected outcome of one request."""

    calls: list[str] = field(default_factory=list)
    """The targets, in order."""
    failures: list[str] = field(default_factory=list)
    told: str | None = None
    """The code of the error that the client is told before anything else."""
    status: int = 200
    by: str = ""
    """Who answers or is told to have failed."""
    meets: str = ""
    """What the call that answers meets with."""
    ends: float = 0
    """When the answer has begun."""


class Model:
    """The policy, written as simply as possible."""

    def __init__(self, rest: float, targets: Sequence[str] = TARGETS) -> None:
        """`rest` is in seconds."""
        self._rest = rest
        self._targets = targets
        self.failed: dict[str, int] = {}
        self.rests: dict[str, float] = {}

    def answered(self, target: str) -> None:
        """A target has answered."""
        self.failed.pop(target, None)
        self.rests.pop(target, None)

    def failed_once(self, target: str, now: float) -> None:
        """A target has failed."""
        self.failed[target] = self.failed.get(target, 0) + 1
        if self.failed[target] >= 3:
            self.rests[target] = now + self._rest

    def expect(self, asked: Asked, now: float) -> Expected:
        """The expected outcome of a request at the time `now`."""
        expected = Expected()
        meets = cycle(asked.meets)
        awake = [it for it in self._targets if self.rests.get(it, 0) <= now] or self._targets
        faults: list[tuple[Fault, str]] = []
        for target in awake:
            name, fault, now = self._try(asked, target, meets, expected, now)
            expected.by, expected.meets, expected.ends = target, name, now
            if fault.code is None or (fault.begins and asked.streamed):
                if not asked.streamed:
                    self.answered(target)
                return expected
            faults.append((fault, target))
            if fault.counts:
                self.failed_once(target, now)
            if not fault.elsewhere:
                break
        told, expected.by = self._told(faults)
        expected.told, expected.status = told.code, told.status
        return expected

    def _try(
        self, asked: Asked, target: str, meets: Iterator[str], expected: Expected, now: float
    ) -> tuple[str, Fault, float]:
        for attempt in (1, 2):
            name = next(meets)
            fault = fault_of(name, streamed=asked.streamed)
            expected.calls.append(target)
            now += LATE.get(name, 0)
            if fault.code is None or (fault.begins and asked.streamed):
                break
            expected.failures.append(f"{target}: {fault.code}")
            if not fault.again or attempt == 2:
                break
            now += WAITS.get(name, 0)
        return name, fault, now

    def _told(self, faults: list[tuple[Fault, str]]) -> tuple[Fault, str]:
        long = [it for it in faults if it[0].code == "context_length_exceeded"]
        passing = [it for it in faults if it[0].passing]
        if long:
            return long[-1]
        return passing[-1] if passing and not faults[-1][0].elsewhere else faults[-1]


LATE = {"503 late": LONGEST}
"""Seconds until the head."""
WAITS = {"429": 3.0}
"""Seconds that it asks to be waited."""


# The upstream


def answer_to(name: str, dialect: Dialect, *, streamed: bool) -> Failure | UpstreamAnswer:
    """The upstream's answer to a call; for a stream, its head and all its events."""
    simple = _FAILURES.get(name)
    if simple:
        return simple
    if name in _ERRORS:
        status, kind, message, headers = _ERRORS[name]
        body = dialect.error(kind, message)
        return UpstreamAnswer(UpstreamHead(status, {**JSON_TYPE, **headers}), body)
    if name == "HTML":
        return UpstreamAnswer(UpstreamHead(200, {"content-type": "text/html"}), b"<html>")
    if not streamed:
        return UpstreamAnswer(UpstreamHead(200, JSON_TYPE), _WHOLES[name](dialect))
    return UpstreamAnswer(UpstreamHead(200, SSE_TYPE), _stream(name, dialect))


_FAILURES = {"reset": Failure.CONNECTION, "silence": Failure.TIME}
_ERRORS: dict[str, tuple[int, str, str, dict[str, str]]] = {
    "429": (429, "rate_limit_error", "Slow down.", {"retry-after": f"{WAITS['429']}"}),
    "429 for long": (429, "rate_limit_error", "Slow down.", {"retry-after": "60"}),
    "500": (500, "api_error", "It failed.", {}),
    "503 late": (503, "api_error", "It failed.", {}),
    "529": (529, "overloaded_error", "Overloaded.", {}),
    "401": (401, "authentication_error", "Who are you?", {}),
    "402": (402, "billing_error", "Pay.", {}),
    "404": (404, "not_found_error", "No such model.", {}),
    "400": (400, "invalid_request_error", "Too odd.", {}),
    "too long": (400, "invalid_request_error", OVERFLOW, {}),
}


def _stream(name: str, dialect: Dialect) -> bytes:
    events = dialect.text(SAID)
    if name == "filtered":
        events = [as_filtered(dialect, it) for it in events]
    elif name == "nonsense":
        events = [b"data: {oops\n\n", *events]
    elif name == "error first":
        events = [dialect.error_event("overloaded_error", "Overloaded."), *events]
    elif name == "unended":
        events = events[:-1] if dialect.name == "openai" else events_to_finish(dialect)
    elif name in {"cut", "stall"}:
        events = events_to_text(dialect)
    return b"".join(events)


_WHOLES: dict[str, Callable[[Dialect], bytes | Failure]] = {
    "answers": lambda dialect: dialect.whole("".join(SAID)),
    "unended": lambda dialect: dialect.whole("".join(SAID)),
    "filtered": lambda dialect: as_filtered(dialect, dialect.whole("".join(SAID))),
    "nonsense": lambda dialect: dialect.whole("".join(SAID))[:-40],
    "error first": lambda dialect: dialect.error("overloaded_error", "Overloaded."),
    "cut": lambda _: Failure.CONNECTION,
    "stall": lambda _: Failure.TIME,
}


def body_of(asked: Asked, model: str) -> dict[str, object]:
    """What the client asks."""
    said: dict[str, object] = {"model": model, "stream": asked.streamed}
    turns = [{"role": "user", "content": "Hi"}]
    if asked.client == "responses":
        return {**said, "input": turns}
    return {**said, "messages": turns, "max_tokens": 100}


def status_of(asked: Asked, expected: Expected) -> int:
    """The status of the answer."""
    told = expected.told or ""
    return _STATUSES.get(told, expected.status) if asked.client == "messages" else expected.status


def check_line(line: dict[str, Any], asked: Asked, expected: Expected, error: str | None) -> None:
    """Fail if the log says anything else of a request that ended in `error`."""
    assert (line["attempts"], line["failures"]) == (len(expected.calls), expected.failures)
    assert line["status"] == status_of(asked, expected)
    assert line.get("error") == (None if error == "400" else error)
    assert f"{line['provider']}/{line['upstream_model']}" == expected.calls[-1]
    used = (line.get("prompt_tokens"), line.get("completion_tokens"))
    if error is None:
        assert used == (INPUT_TOKENS, OUTPUT_TOKENS)
    else:
        # Only Messages tells the prompt's before the end.
        tells_early = expected.told is None and expected.by.startswith(ANTHROPIC.name)
        assert used == (INPUT_TOKENS if tells_early else None, None)
