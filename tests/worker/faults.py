"""FAULTS: everything that an upstream can do wrong, and what the client must get. Each row is one
fault. The tests run it, and the table of docs/reliability.md is made from it. A row's script is
made for a dialect; when the script is at `GATE`, the client has read the first text.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

from tests.worker.scripts import (
    CLOSE,
    EVENT_STREAM,
    GATE,
    JSON,
    LAST_CHUNK,
    RESET,
    STALL,
    TEXT,
    Headers,
    Script,
    Step,
    chunk,
    head,
    stream,
    stream_head,
    whole,
)
from tests.worker.sees import SAID, Broken, Intact, Refusal, Sees
from tests.worker.speech import Dialect, Event
from tests.worker.upstream import PATIENCE

Speech = Callable[[Dialect], Script]
Asked = Literal["whole", "streamed"]

HTML = b"<!DOCTYPE html><html><body><h1>Error 1033</h1>cloudflared</body></html>"
HTML_HEADERS: Headers = (("content-type", "text/html; charset=UTF-8"),)


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault of an upstream."""

    name: str
    sees: Sees
    script: Speech = lambda _: ()
    asked: Sequence[Asked] = ("whole", "streamed")
    via: str = ""
    """The prefix of the model, which decides the provider; see `conftest.py`."""


CONNECTION = Refusal(502, "upstream_connection_error")
TIMEOUT = Refusal(504, "upstream_timeout", "timeout")
NONSENSE = Refusal(502, "bad_upstream_response")
TRUNCATED = Refusal(502, "upstream_truncated")
OVERLOADED = Refusal(503, "server_is_overloaded", "service_unavailable_error")
LIMITED = Refusal(429, "rate_limit_exceeded", "rate_limit_error")
WHOLE: Sequence[Asked] = ("whole",)
STREAMED: Sequence[Asked] = ("streamed",)


def events_to_text(dialect: Dialect) -> list[Event]:
    """Returns a stream's events as far as the first text."""
    events = dialect.text(SAID)
    return events[: 1 + next(i for i, it in enumerate(events) if SAID[0].encode() in it)]


def events_to_finish(dialect: Dialect) -> list[Event]:
    """Returns a stream's events as far as the finish reason."""
    return dialect.text(SAID)[: -dialect.ends_after_finish]


def _begun(*steps: bytes | Step, ended: bool = False) -> Speech:
    """Returns a stream that breaks after its first text."""
    end = [LAST_CHUNK] if ended else []
    return lambda dialect: [
        *stream([*events_to_text(dialect), GATE])[:-1],
        *(chunk(step) if isinstance(step, bytes) else step for step in steps),
        *end,
    ]


def _error(
    status: int, kind: str = "api_error", message: str = "It failed.", **headers: str
) -> Speech:
    """Returns an error answer in the dialect's form."""
    sent = [*JSON, *((name.replace("_", "-"), value) for name, value in headers.items())]
    return lambda dialect: whole(status, dialect.error(kind, message), sent)


def _body(body: bytes, headers: Headers = JSON, status: int = 200) -> Speech:
    return lambda _: whole(status, body, headers)


def _spoken(dialect: Dialect) -> list[bytes]:
    return whole(200, dialect.whole("".join(SAID)))


def _half_a_body(*ending: Step) -> Speech:
    """Returns an answer with a content length that ends in its middle."""
    return lambda dialect: [_spoken(dialect)[0][:-40], *ending]


def _error_first(kind: str) -> Speech:
    """Returns a stream that begins with an error, and then stays open."""
    return lambda dialect: stream([dialect.error_event(kind, "It failed."), STALL])


def _error_later(kind: str) -> Speech:
    """Returns a stream that sends an error after its first text, and then stays open."""
    return lambda dialect: _begun(dialect.error_event(kind, "It failed."), STALL)(dialect)


def _cut(ending: Step | bytes) -> Speech:
    """Returns a stream that breaks within its second text."""
    return lambda dialect: [*_begun(dialect.delta("lost")[:-12])(dialect), ending]


def _finished(ending: bytes | Step) -> Speech:
    """Returns a stream that breaks after its finish reason."""
    return lambda dialect: [*stream(events_to_finish(dialect))[:-1], ending]


def from_first_text(dialect: Dialect) -> list[Event]:
    """Returns a stream's events; the first element is everything up to the first text."""
    begun = events_to_text(dialect)
    return [b"".join(begun), *dialect.text(SAID)[len(begun) :]]


def _for_ever(piece: bytes) -> list[bytes | float]:
    """Returns a script that never ends."""
    pause = 0.1
    return [piece, pause] * round(2 * PATIENCE / pause)


def _parts(data: bytes, count: int) -> list[bytes]:
    cuts = [at * len(data) // count for at in range(count + 1)]
    return [data[begin:end] for begin, end in pairwise(cuts)]


ENDINGS: Mapping[str, bytes | Step] = {
    "hangs up": CLOSE,
    "resets": RESET,
    "ends": LAST_CHUNK,
    "falls silent": STALL,
}

FAULTS = [
    # The connection
    Fault("nobody listens", CONNECTION, via="refused-"),
    Fault("its name is unknown", CONNECTION, via="unknown-host-"),
    Fault("the TLS handshake fails", CONNECTION, via="tls-"),
    Fault("what answers does not speak HTTP", CONNECTION, via="garbled-"),
    Fault("hangs up on connecting", CONNECTION, via="slammed-"),
    Fault("never accepts the connection", TIMEOUT, via="deaf-"),
    Fault("hangs up instead of answering", CONNECTION, lambda _: [CLOSE]),
    Fault("resets instead of answering", CONNECTION, lambda _: [RESET]),
    Fault("hangs up within the head", CONNECTION, lambda _: [head(200, JSON)[:30], CLOSE]),
    Fault("sends no head", TIMEOUT, lambda _: [STALL], via="hasty-"),
    Fault("sends half a head", TIMEOUT, lambda _: [head(200, JSON)[:30], STALL], via="hasty-"),
    # Statuses
    Fault("400", Refusal(400, None, "invalid_request_error"), _error(400, "invalid_request_error")),
    Fault(
        "401, our key is wrong",
        Refusal(502, "upstream_authentication_error", headers={"x-should-retry": "false"}),
        _error(401, "authentication_error"),
    ),
    Fault(
        "402",
        Refusal(429, "insufficient_quota", "insufficient_quota", {"x-should-retry": "false"}),
        _error(402, "billing_error"),
    ),
    Fault(
        "400, the credit is used up",
        Refusal(429, "insufficient_quota", "insufficient_quota", {"x-should-retry": "false"}),
        _error(400, "invalid_request_error", "Your credit balance is too low to access the API."),
    ),
    Fault(
        "403, our key may not",
        Refusal(502, "upstream_authentication_error", headers={"x-should-retry": "false"}),
        _error(403, "permission_error"),
    ),
    Fault("404", Refusal(404, "model_not_found", None), _error(404, "not_found_error")),
    Fault("408", TIMEOUT, _error(408)),
    Fault("409", Refusal(409, None, None), _error(409)),
    Fault("413", Refusal(413, "request_too_large", None), _error(413, "request_too_large")),
    Fault("413 with a page of HTML", Refusal(413, None, None), _body(HTML, HTML_HEADERS, 413)),
    Fault("422", Refusal(422, None, None), _error(422, "invalid_request_error")),
    Fault("429", LIMITED, _error(429, "rate_limit_error")),
    *(
        Fault(
            f"429 with {name}: {value}",
            Refusal(429, "rate_limit_exceeded", "rate_limit_error", {name: value}),
            _error(429, "rate_limit_error", **{name: value}),
        )
        for name, value in [
            ("retry-after", "17"),
            ("retry-after", "0.5"),
            ("retry-after", "Wed, 21 Oct 2026 07:28:00 GMT"),
            ("retry-after-ms", "1500"),
            ("x-should-retry", "true"),
            ("x-should-retry", "false"),
        ]
    ),
    Fault("500", Refusal(500, "upstream_error"), _error(500)),
    Fault("502", Refusal(502, "upstream_error"), _error(502)),
    Fault(
        "503 with retry-after: 3",
        Refusal(503, "upstream_error", headers={"retry-after": "3"}),
        _error(503, **{"retry-after": "3"}),
    ),
    Fault("504", TIMEOUT, _error(504, "timeout_error")),
    Fault("529, overloaded", OVERLOADED, _error(529, "overloaded_error")),
    Fault("520", Refusal(502, "upstream_error"), _error(520)),
    Fault(
        "500 with a page of HTML",
        Refusal(500, "upstream_error"),
        _body(HTML, HTML_HEADERS, 500),
    ),
    Fault("502 without a body", Refusal(502, "upstream_error"), _body(b"", (), 502)),
    Fault("204", NONSENSE, lambda _: [head(204)]),
    # 200, but not an answer
    Fault("200 with a page of HTML", NONSENSE, _body(HTML, HTML_HEADERS)),
    Fault("200 with HTML that calls itself JSON", NONSENSE, _body(HTML), WHOLE),
    Fault(
        "200 with HTML that calls itself a stream", TRUNCATED, _body(HTML, EVENT_STREAM), STREAMED
    ),
    Fault("200 without a body", NONSENSE, _body(b""), WHOLE),
    Fault("200 with half of a JSON text", NONSENSE, _body(b'{"choices": [{"mess')),
    Fault("200 with JSON that is no object", NONSENSE, _body(json.dumps([1, None]).encode())),
    Fault("200 with an object of something else", NONSENSE, _body(b'{"status":"ok"}')),
    Fault("200 with bytes that are not UTF-8", NONSENSE, _body(b'{"content":"\xff\xfe"}')),
    Fault("200 that calls itself text", NONSENSE, lambda it: whole(200, it.whole("x"), TEXT)),
    Fault("JSON although a stream was asked", NONSENSE, _spoken, STREAMED),
    Fault("a stream although JSON was asked", NONSENSE, lambda it: stream(it.text(SAID)), WHOLE),
    Fault("200 with an error in it", Refusal(502, "upstream_error"), _error(200, "something_else")),
    Fault("200 with an overload in it", OVERLOADED, _error(200, "overloaded_error")),
    Fault("200 with a rate limit in it", LIMITED, _error(200, "rate_limit_error")),
    # A whole answer that stops
    Fault("stops within the body", TIMEOUT, _half_a_body(STALL), WHOLE, "hasty-"),
    Fault("hangs up within the body", CONNECTION, _half_a_body(CLOSE), WHOLE),
    Fault("resets within the body", CONNECTION, _half_a_body(RESET), WHOLE),
    Fault(
        "hangs up within a chunked body",
        CONNECTION,
        lambda it: [stream_head(JSON), chunk(it.whole("x")[:-9]), CLOSE],
        WHOLE,
    ),
    Fault(
        "a body of blanks that never ends",
        TIMEOUT,
        lambda _: [stream_head(JSON), *_for_ever(chunk(b" "))],
        WHOLE,
        "hasty-progress-",
    ),
    # A stream, before its first event
    Fault(
        "sends nothing after the head",
        TIMEOUT,
        lambda _: [stream_head(), STALL],
        STREAMED,
        "hasty-",
    ),
    Fault("hangs up after the head", TRUNCATED, lambda _: [stream_head(), CLOSE], STREAMED),
    Fault("resets after the head", TRUNCATED, lambda _: [stream_head(), RESET], STREAMED),
    Fault("a stream of nothing", TRUNCATED, lambda _: stream([]), STREAMED),
    Fault(
        "hangs up within the first event",
        TRUNCATED,
        lambda it: [*stream([it.text(SAID)[0][:-20]])[:-1], CLOSE],
        STREAMED,
    ),
    Fault(
        "the first event is not JSON",
        NONSENSE,
        lambda _: stream([b"data: {oops\n\n", STALL]),
        STREAMED,
    ),
    *(
        Fault(
            f"the first event is an error: {kind}",
            sees,
            _error_first(kind),
            STREAMED,
        )
        for kind, sees in [
            ("overloaded_error", OVERLOADED),
            ("rate_limit_error", LIMITED),
            ("something_else", Refusal(502, "upstream_error")),
        ]
    ),
    # A stream, after its first text
    Fault("falls silent", Broken("upstream_timeout"), _begun(STALL), STREAMED, "hasty-"),
    Fault("hangs up between two events", Broken("upstream_truncated"), _begun(CLOSE), STREAMED),
    Fault("resets between two events", Broken("upstream_truncated"), _begun(RESET), STREAMED),
    Fault(
        "ends in order, but too early", Broken("upstream_truncated"), _begun(ended=True), STREAMED
    ),
    Fault(
        "sends pings for ever and nothing else",
        TIMEOUT,
        lambda it: [stream_head(), *_for_ever(chunk(it.idle()))],
        STREAMED,
        "hasty-first-byte-",
    ),
    Fault(
        "sends pings for ever after its first text",
        Broken("upstream_timeout"),
        lambda it: [*_begun()(it), *_for_ever(chunk(it.idle()))],
        STREAMED,
        "hasty-progress-",
    ),
    *(
        Fault(
            f"{name} within an event",
            Broken("upstream_truncated"),
            _cut(ENDINGS[name]),
            STREAMED,
        )
        for name in ("hangs up", "resets", "ends")
    ),
    Fault(
        "an event is not JSON",
        Broken("bad_upstream_response"),
        _begun(b'data: {"choices":[{"del\n\n', STALL),
        STREAMED,
    ),
    Fault(
        "an event is no object",
        Broken("bad_upstream_response"),
        _begun(b"data: 42\n\n", STALL),
        STREAMED,
    ),
    *(
        Fault(
            f"an error event: {kind}",
            Broken(code),
            _error_later(kind),
            STREAMED,
        )
        for kind, code in [
            ("overloaded_error", "server_is_overloaded"),
            ("rate_limit_error", "rate_limit_exceeded"),
            ("api_error", "upstream_error"),
        ]
    ),
    # A stream, after its finish reason
    *(
        Fault(
            f"{name} after the finish reason",
            Intact(),
            _finished(ENDINGS[name]),
            STREAMED,
            "hasty-",
        )
        for name in ("hangs up", "ends", "falls silent")
    ),
    # Slow, but not wrong
    Fault("the head comes late", Intact(), lambda it: [0.3, *_spoken(it)], WHOLE),
    Fault(
        "the head of a stream comes late",
        Intact(),
        lambda it: [0.3, *stream(it.text(SAID))],
        STREAMED,
    ),
    Fault(
        "the body comes slowly",
        Intact(),
        lambda it: [part for byte in _parts(_spoken(it)[0], 3) for part in (byte, 0.3)],
        WHOLE,
        "hasty-",
    ),
    Fault(
        "the stream comes slowly",
        Intact(),
        lambda it: stream(
            [part for piece in _parts(b"".join(from_first_text(it)), 6) for part in (piece, 0.3)]
        ),
        STREAMED,
        "hasty-",
    ),
]
