"""FAILING: sixteen ways in which a model's first target fails, and what happens to the request.

Each row is one way. `test_failing.py` runs it on the real Worker, and the table of
docs/reliability.md is made from it. A row's scripts are made for the dialect of the target.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from tests.worker.faults import Asked, events_to_finish, events_to_text
from tests.worker.scripts import (
    CLOSE,
    GATE,
    JSON,
    RESET,
    STALL,
    Script,
    chunk,
    stream,
    stream_head,
    whole,
)
from tests.worker.sees import SAID
from tests.worker.speech import ANTHROPIC, OPENAI, RESPONSES, Dialect, Event

HASTE = 0.5
"""Seconds after which the hasty rows and models give a target up."""
WAIT = 0.3
"""Seconds that a rate limit asks to be waited."""
FULL = "".join(SAID)
OVERFLOW = "prompt is too long: 9000 tokens > 8192 maximum"
"""As Anthropic's upstreams say it, and as every client of Messages is told."""
NO_PREFILL = "This model does not support assistant message prefill."


class Told(NamedTuple):
    """What the client gets."""

    words: str
    """For the table."""
    status: int = 200
    text: str = FULL
    end: str = "stop"
    """`stop`, `filtered`, or `error` for a stream that has begun and breaks."""
    code: str | None = None
    """The error's, as the log and OpenAI's clients have it."""
    by: str = "first"
    """The target that the answer names."""


def error(status: int, code: str, *, by: str = "first", words: str = "") -> Told:
    """An error with a status of its own."""
    return Told(words or f"{status} `{code}`", status, "", "error", code, by)


def cut(code: str) -> Told:
    """A stream that ends with an error after its first text."""
    return Told(f"the text so far, and the error `{code}`", 200, SAID[0], "error", code)


FIRST = Told("the first target's answer")
SECOND = Told("the second target's answer", by="second")
FILTERED = Told("that the answer was filtered", end="filtered")


class Request(NamedTuple):
    """One of a row's requests: what the client gets, and what it costs."""

    told: Told
    first: int
    """Calls that the first target gets."""
    second: int = 0
    failures: Sequence[str] = ()
    """Why calls failed, as the log says it, after the name of the target."""


Speech = Callable[[Dialect, int, bool], Script]
"""What a target answers, by its dialect, the number of the call from 1, and whether a stream is
asked for."""


@dataclass(frozen=True, slots=True)
class Failing:
    """One way."""

    name: str
    """The fault of the sixteen that it is."""
    does: str
    """What the first target does, for the table."""
    first: Speech
    requests: Sequence[Request]
    """One after the other."""
    second: Speech = field(default=lambda dialect, _, streamed: spoken(dialect, streamed=streamed))
    asked: Sequence[Asked] = ("whole", "streamed")
    via: str = "steady"
    """The row of the first target: `hasty` and `stalling` ones wait for less."""
    targets: int = 2
    more: dict[str, Any] = field(default_factory=dict)
    """Of the model's row."""
    prefill: bool = False
    """Whether the request ends in a turn of the assistant's."""
    least_seconds: float = 0

    @property
    def id(self) -> str:
        """A unique name."""
        return "-".join(f"{self.name} {self.does}".replace("`", "").replace(",", "").split())


def spoken(dialect: Dialect, *, streamed: bool) -> Script:
    """The answer of a target without a fault."""
    return stream(dialect.text(SAID)) if streamed else whole(200, dialect.whole(FULL))


def _always(script: Callable[[Dialect, bool], Script]) -> Speech:
    return lambda dialect, _, streamed: script(dialect, streamed)


def _once(script: Callable[[Dialect, bool], Script]) -> Speech:
    """Returns scripts: the first call fails as `script` does, the next ones are answered."""
    return lambda dialect, number, streamed: (
        script(dialect, streamed) if number == 1 else spoken(dialect, streamed=streamed)
    )


def _every_other(script: Callable[[Dialect, bool], Script]) -> Speech:
    return lambda dialect, number, streamed: (
        script(dialect, streamed) if number % 2 else spoken(dialect, streamed=streamed)
    )


def _status(
    status: int, kind: str, message: str = "It failed.", **headers: str
) -> Callable[[Dialect, bool], Script]:
    sent = [*JSON, *((name.replace("_", "-"), value) for name, value in headers.items())]
    return lambda dialect, _: whole(status, dialect.error(kind, message), sent)


def _too_long(dialect: Dialect, _: bool) -> Script:
    openais = "This model's maximum context length is 8192 tokens. However, you requested 9000"
    message = OVERFLOW if dialect is ANTHROPIC else f"{openais} tokens."
    return whole(400, dialect.error("invalid_request_error", message))


def _steps(*steps: Any) -> Callable[[Dialect, bool], Script]:
    return lambda _dialect, _streamed: steps


def _announced(dialect: Dialect) -> list[Event]:
    """Returns the events before the model's first text."""
    events = events_to_text(dialect)
    marks = (b"content_block_start", b"response.output_item.added", SAID[0].encode())
    return events[: next(at for at, it in enumerate(events) if any(mark in it for mark in marks))]


def _slow(dialect: Dialect, streamed: bool) -> Script:
    return [*stream([*_announced(dialect), STALL])[:-1]] if streamed else [STALL]


def _broken(*ending: Any) -> Callable[[Dialect, bool], Script]:
    """Returns a stream that breaks in this way after its first text, or a whole answer that breaks
    in its middle.
    """

    def script(dialect: Dialect, streamed: bool) -> Script:
        if streamed:
            return [*stream([*events_to_text(dialect), GATE])[:-1], *ending]
        body = dialect.whole(FULL)
        return [whole(200, body)[0][:-40], *ending]

    return script


def _malformed(dialect: Dialect, streamed: bool) -> Script:
    if streamed:
        return _broken(chunk(b'data: {"choices":[{"del\n\n'), STALL)(dialect, True)
    return whole(200, dialect.whole(FULL)[:-40])


def _unended(dialect: Dialect, _: bool) -> Script:
    """Returns a stream without the event that ends it."""
    return stream(events_to_finish(dialect) if dialect is not OPENAI else dialect.text(SAID)[:-1])


def _filtered(dialect: Dialect, streamed: bool) -> Script:
    return (
        stream([as_filtered(dialect, it) for it in dialect.text(SAID)])
        if streamed
        else whole(200, as_filtered(dialect, dialect.whole(FULL)))
    )


_FILTERS = (
    (b'"finish_reason":"stop"', b'"finish_reason":"content_filter"'),
    (b'"stop_reason":"end_turn"', b'"stop_reason":"refusal"'),
)


def as_filtered(dialect: Dialect, said: bytes) -> bytes:
    """Returns an event, or a whole answer, that says that the answer was filtered."""
    if dialect is RESPONSES:
        said = said.replace(b"response.completed", b"response.incomplete")
        why = b'"incomplete_details":{"reason":"content_filter"},"status":"incomplete"'
        return said.replace(b'"incomplete_details":null,"status":"completed"', why)
    for usual, filtered in _FILTERS:
        said = said.replace(usual, filtered)
    return said


def _failing(code: str, times: int) -> list[str]:
    return [f"first: {code}"] * times


_OVERLOADED = _status(503, "api_error")
_LIMITED = "rate_limit_exceeded"
STREAMED: Sequence[Asked] = ("streamed",)
WHOLE: Sequence[Asked] = ("whole",)

FAILING = [
    Failing(
        "429 with `retry-after`",
        f"a short one, then answers ({round(WAIT * 1000)} ms)",
        _once(_status(429, "rate_limit_error", **{"retry-after-ms": str(round(WAIT * 1000))})),
        [Request(FIRST, 2, failures=_failing(_LIMITED, 1))],
        least_seconds=WAIT,
    ),
    Failing(
        "429 with `retry-after`",
        "one of 30 seconds",
        _always(_status(429, "rate_limit_error", **{"retry-after": "30"})),
        [Request(SECOND, 1, 1, _failing(_LIMITED, 1))],
    ),
    Failing(
        "429 without `retry-after`",
        "always",
        _always(_status(429, "rate_limit_error")),
        [Request(SECOND, 2, 1, _failing(_LIMITED, 2))],
    ),
    Failing(
        "500 once",
        "then answers",
        _once(_status(500, "api_error")),
        [Request(FIRST, 2, failures=_failing("upstream_error", 1))],
    ),
    Failing(
        "503 for ever",
        "the fourth request leaves it out",
        _always(_OVERLOADED),
        [*[Request(SECOND, 2, 1, _failing("upstream_error", 2))] * 3, Request(SECOND, 0, 1)],
    ),
    Failing(
        "503 for ever",
        "and so does the second",
        _always(_OVERLOADED),
        [
            Request(
                error(503, "upstream_error", by="second"),
                *(2, 2),
                [*_failing("upstream_error", 2), *["second: upstream_error"] * 2],
            )
        ],
        second=_always(_OVERLOADED),
    ),
    Failing(
        "reset",
        "instead of an answer, always",
        _always(_steps(RESET)),
        [Request(SECOND, 2, 1, _failing("upstream_connection_error", 2))],
    ),
    Failing(
        "silence",
        "no head within its limit",
        _always(_steps(STALL)),
        [Request(SECOND, 1, 1, _failing("upstream_timeout", 1))],
        via="hasty",
    ),
    Failing(
        "silence",
        "and there is no second",
        _always(_steps(STALL)),
        [Request(error(504, "upstream_timeout"), 1, failures=_failing("upstream_timeout", 1))],
        via="hasty",
        targets=1,
    ),
    Failing(
        "slow first token",
        "announces an answer, and no token within the model's `first_byte`",
        _always(_slow),
        [Request(SECOND, 1, 1, _failing("upstream_timeout", 1))],
        more={"first_byte": HASTE},
    ),
    Failing(
        "cut",
        "hangs up after the first text",
        _always(_broken(CLOSE)),
        [
            *[Request(cut("upstream_truncated"), 1)] * 3,
            Request(SECOND, 0, 1),
        ],
        asked=STREAMED,
    ),
    Failing(
        "cut",
        "hangs up within a whole answer",
        _always(_broken(CLOSE)),
        [Request(SECOND, 2, 1, _failing("upstream_connection_error", 2))],
        asked=WHOLE,
    ),
    Failing(
        "stall",
        "falls silent after the first text",
        _always(_broken(STALL)),
        [Request(cut("upstream_timeout"), 1)],
        asked=STREAMED,
        via="stalling",
    ),
    Failing(
        "stall",
        "falls silent within a whole answer",
        _always(_broken(STALL)),
        [Request(SECOND, 1, 1, _failing("upstream_timeout", 1))],
        asked=WHOLE,
        via="stalling",
    ),
    Failing(
        "a malformed event",
        "one after the first text",
        _always(_malformed),
        [Request(cut("bad_upstream_response"), 1)],
        asked=STREAMED,
    ),
    Failing(
        "a malformed event",
        "always, as the first event",
        _always(_steps(stream_head(), chunk(b"data: {oops\n\n"), STALL)),
        [Request(SECOND, 2, 1, _failing("bad_upstream_response", 2))],
        asked=STREAMED,
    ),
    Failing(
        "a malformed event",
        "always, in place of a whole answer",
        _always(_malformed),
        [Request(SECOND, 2, 1, _failing("bad_upstream_response", 2))],
        asked=WHOLE,
    ),
    Failing(
        "no [DONE]",
        "closes normally after the finish reason",
        _always(_unended),
        [Request(FIRST, 1)],
        asked=STREAMED,
    ),
    Failing(
        "context too long",
        "400, and the second accepts it; four times",
        _always(_too_long),
        [Request(SECOND, 1, 1, _failing("context_length_exceeded", 1))] * 4,
    ),
    Failing(
        "context too long",
        "400, and the second fails for now",
        _always(_too_long),
        [
            Request(
                error(
                    400,
                    "context_length_exceeded",
                    words=f"400 `context_length_exceeded`; of Messages, `{OVERFLOW}`",
                ),
                *(1, 2),
                [
                    *_failing("context_length_exceeded", 1),
                    *["second: upstream_error"] * 2,
                ],
            )
        ],
        second=_always(_OVERLOADED),
    ),
    Failing(
        "content filter",
        "an answer that was filtered",
        _always(_filtered),
        [Request(FILTERED, 1)],
    ),
    Failing(
        "a fallback that refuses prefill",
        "503, and the second refuses the request",
        _always(_OVERLOADED),
        [
            Request(
                error(503, "upstream_error"),
                *(2, 1),
                [*_failing("upstream_error", 2), "second: 400"],
            )
        ],
        second=_always(_status(400, "invalid_request_error", NO_PREFILL)),
        prefill=True,
    ),
    Failing(
        "flapping",
        "503 at every second call, for six requests",
        _every_other(_OVERLOADED),
        [Request(FIRST, 2, failures=_failing("upstream_error", 1))] * 6,
    ),
]
