"""However the network treats a stream, the client gets the same bytes.

The undisturbed stream is checked against the contract, event by event. Every variant on the wire is
then compared with it, byte for byte, except for the id and the time.
"""

import gzip
import itertools
import json
import re
import time
from collections.abc import Callable, Sequence

import pytest

from tests.worker.client import Answer, Json, payloads_in, question, settled, text_in
from tests.worker.conftest import Gateway, Start
from tests.worker.scripts import EVENT_STREAM, GATE, JSON, Script, Step, stream, whole
from tests.worker.speech import INPUT_TOKENS, OUTPUT_TOKENS, Dialect, Event, ToolCall
from tests.worker.upstream import Upstream

DELTAS = (
    "Bonjour, ",
    "北京 and 🙂 and é",
    " one\u2028line\u0085of\u2029text\x0b\x0c\x1c",
    'data: [DONE]\n\ndata: {"error": "no"}\r\n\r\n',
    ' \\u0041 \\n "quoted" </script>',
    "\x00\x7f\ufeff",
    ".",
)
BREAKS = ("a\u2028b", "c\u2029d", "e\x85f")
CALLS = (
    ToolCall("call_paris", "weather", ["", '{"ci', 'ty":"Par', "is", '"}']),
    ToolCall("call_none", "now", [""]),
    ToolCall("call_é", "translate", ['{"text":"北', '京 🙂"}']),
)

DATA = rb"(?m)^data: "
"""Where an event's data begins; the text of an event may look like it."""


def spoken(dialect: Dialect) -> dict[str, list[Event]]:
    """Returns the streams that the wire is tried on."""
    return {
        "text": dialect.text(DELTAS),
        "tools": dialect.tools(CALLS, "Let me see."),
        "thinking": dialect.thinking(["Hm, ", "北京?"], ["Yes."]),
        # A lost first event is of no consequence where it says nothing that is needed.
        "without a beginning": dialect.text(DELTAS)[1:],
    }


def ask(worker: Gateway, upstream: Upstream, dialect: Dialect, script: Script) -> Answer:
    """Requests a stream from an upstream with this script."""
    upstream.answer(script)
    return worker.ask(question(dialect.model, stream=True))


def cut(data: bytes, *offsets: int) -> list[bytes]:
    """Returns the data in pieces."""
    edges = itertools.pairwise([0, *offsets, len(data)])
    return [piece for start, end in edges if (piece := data[start:end])]


def one_by_one(data: bytes) -> list[bytes]:
    """Returns the data in pieces of one byte."""
    return cut(data, *range(1, len(data)))


# What a stream is


@pytest.mark.parametrize("include_usage", [None, True, False])
def test_a_stream_is_what_the_contract_says(
    worker: Gateway, upstream: Upstream, dialect: Dialect, include_usage: bool | None
) -> None:
    upstream.answer(stream(dialect.text(DELTAS)))
    options = {} if include_usage is None else {"stream_options": {"include_usage": include_usage}}
    answer = worker.ask(question(dialect.model, stream=True, **options))
    assert answer.headers["content-type"] == "text/event-stream; charset=utf-8"
    assert answer.headers["cache-control"] == "no-cache, no-transform"
    assert answer.headers["x-accel-buffering"] == "no"
    assert "content-encoding" not in answer.headers
    assert "content-length" not in answer.headers
    payloads = answer.payloads()
    frame = {name: payloads[0][name] for name in ("created", "model", "system_fingerprint")}
    assert abs(frame["created"] - time.time()) < 60
    assert frame["model"] == dialect.model
    usage = {
        "prompt_tokens": INPUT_TOKENS,
        "completion_tokens": OUTPUT_TOKENS,
        "total_tokens": INPUT_TOKENS + OUTPUT_TOKENS,
    }
    head = {
        "id": answer.headers["x-request-id"].replace("req_", "chatcmpl-"),
        "object": "chat.completion.chunk",
        **frame,
    }
    assert [_without_details(it) for it in payloads] == _expected(head, usage, include_usage)


def _expected(head: Json, usage: Json, include_usage: bool | None) -> list[Json]:
    """Returns the chunks for `DELTAS`."""
    deltas = [{"role": "assistant", "content": ""}, *({"content": text} for text in DELTAS), {}]
    reasons = [*[None] * (len(deltas) - 1), "stop"]
    chunks = [
        {
            **head,
            "choices": [{"index": 0, "delta": delta, "logprobs": None, "finish_reason": reason}],
        }
        for delta, reason in zip(deltas, reasons, strict=True)
    ]
    if include_usage:
        return [*({**it, "usage": None} for it in chunks), {**head, "choices": [], "usage": usage}]
    if include_usage is None:
        chunks[-1]["usage"] = usage
    return chunks


def _without_details(payload: Json) -> Json:
    """Removes the fields that the contract allows but does not require."""
    payload = json.loads(json.dumps(payload))
    for choice in payload["choices"]:
        assert choice["delta"].pop("refusal", None) is None
    if payload.get("usage"):
        names = ("prompt_tokens", "completion_tokens", "total_tokens")
        payload["usage"] = {name: payload["usage"][name] for name in names}
    return payload


def test_tool_calls_count_from_zero_and_their_arguments_parse(
    worker: Gateway, upstream: Upstream, dialect: Dialect
) -> None:
    payloads = ask(
        worker, upstream, dialect, stream(dialect.tools(CALLS, "Let me see."))
    ).payloads()
    fragments = [
        call
        for it in payloads
        for choice in it["choices"]
        for call in choice["delta"].get("tool_calls", ())
    ]
    for index, expected in enumerate(CALLS):
        first, *rest = [it for it in fragments if it["index"] == index]
        assert (first["id"], first["type"]) == (expected.id, "function")
        assert first["function"]["name"] == expected.name
        assert not any("id" in it or "name" in it["function"] for it in rest)
        arguments = "".join(it["function"]["arguments"] for it in [first, *rest])
        assert json.loads(arguments) == json.loads("".join(expected.fragments) or "{}")
    assert payloads[-1]["choices"][0]["finish_reason"] == "tool_calls"


def test_a_frame_comes_before_the_upstream_says_its_next_word(
    worker: Gateway, upstream: Upstream, dialect: Dialect
) -> None:
    words = [f"word{number} " for number in range(12)]
    script: list[bytes | Step] = []
    said = 0
    for event in dialect.text(words):
        script.append(event)
        if said < len(words) and words[said].encode() in event:  # later ones say it again
            script.append(GATE)
            said += 1
    upstream.answer(stream(script))
    request = worker.open(question(dialect.model, stream=True))
    call = upstream.wait_for_call()
    for word in words:
        assert word.encode() in request.frame_of_text()
        call.release()
    assert request.answer().text() == "".join(words)


# What the wire may do to it


def _lines(ending: bytes) -> Callable[[bytes], list[bytes]]:
    return lambda data: [data.replace(b"\n", ending)]


def _mixed_endings(data: bytes) -> list[bytes]:
    endings = itertools.cycle([b"\n", b"\r\n", b"\r", b"\r", b"\r\n"])
    return [line + next(endings) for line in data.split(b"\n")[:-1]]


def _lines_in_front(lines: bytes) -> Callable[[bytes], list[bytes]]:
    return lambda data: [re.sub(DATA, lines + b"data: ", data)]


def _in_two_lines(data: bytes) -> bytes:
    return re.sub(DATA + rb"{", b"data: {\ndata: ", data)


def _cut_in_line_ends(data: bytes) -> list[bytes]:
    first, *later = data.split(b"\n")
    return [first + b"\r", *(b"\n" + line + b"\r" for line in later[:-1]), b"\n" + later[-1]]


WIRES: dict[str, Callable[[bytes], Script]] = {
    "one piece": lambda data: [data],
    "one byte at a time": one_by_one,
    "pieces of seven bytes": lambda data: cut(data, *range(7, len(data), 7)),
    "CRLF": _lines(b"\r\n"),
    "CRLF, cut between the two": _cut_in_line_ends,
    "CRLF, one byte at a time": lambda data: one_by_one(data.replace(b"\n", b"\r\n")),
    "CR": _lines(b"\r"),
    "CR, one byte at a time": lambda data: one_by_one(data.replace(b"\n", b"\r")),
    "mixed line ends": _mixed_endings,
    "a BOM": lambda data: [b"\xef\xbb\xbf" + data],
    "a BOM in pieces": lambda data: [b"\xef", b"\xbb", b"\xbf" + data],
    "comments between events": _lines_in_front(b": a comment\n:\n"),
    "comments as events": lambda data: [data.replace(b"\n\n", b"\n\n: still here\n\n")],
    "id, retry and unknown fields": _lines_in_front(b"id: 7\nretry: 10\nmystery: x\nmystery\n"),
    "no space after the colon": lambda data: [re.sub(DATA, b"data:", data)],
    "data in two lines": lambda data: [_in_two_lines(data)],
    "data in two lines, CRLF": lambda data: [_in_two_lines(data).replace(b"\n", b"\r\n")],
    "data in two lines, CRLF cut": lambda data: _cut_in_line_ends(_in_two_lines(data)),
    "blank lines": lambda data: [b"\n\n" + data.replace(b"\n\n", b"\n\n\n\n")],
    "no blank line at the end": lambda data: [data.removesuffix(b"\n\n")],
    "something after the end": lambda data: [data + b"data: {oops\n\nnonsense"],
}


@pytest.mark.parametrize("wire", WIRES)
@pytest.mark.parametrize("kind", ["text", "tools", "thinking", "without a beginning"])
def test_the_wire_makes_no_difference(
    worker: Gateway, upstream: Upstream, dialect: Dialect, kind: str, wire: str
) -> None:
    events = spoken(dialect)[kind]
    plain = ask(worker, upstream, dialect, stream(events)).body
    varied = ask(worker, upstream, dialect, stream(WIRES[wire](b"".join(events)))).body
    assert settled(varied) == settled(plain)
    assert payloads_in(varied)[-1]["choices"][0]["finish_reason"] in {"stop", "tool_calls"}


def test_no_frame_has_a_line_break_by_anybodys_rules(
    worker: Gateway, upstream: Upstream, dialect: Dialect
) -> None:
    """Some clients split lines as Python's splitlines does, at more characters than the standard
    names.
    """
    answer = ask(worker, upstream, dialect, stream(dialect.text([*DELTAS, *BREAKS])))
    frames = answer.body.decode().removesuffix("\n\n").split("\n\n")
    assert [frame for frame in frames if len(frame.splitlines()) != 1] == []


EVENTS: dict[str, Callable[[Dialect, Sequence[Event]], Sequence[Event]]] = {
    "pings between": lambda it, events: [x for event in events for x in (event, it.idle())],
    "pings before the first": lambda it, events: [it.idle(), it.idle(), *events],
    "no end marker": lambda _, events: events[:-1],
    "text after the end": lambda it, events: [*events, it.delta("too late"), events[-1]],
    "the whole again after the end": lambda _, events: [*events, *events],
    "an error after the end": lambda it, events: [*events, it.error_event("api_error", "late")],
    "empty deltas": lambda it, events: [*events[:2], it.delta(""), *events[2:]],
}


@pytest.mark.parametrize("variant", EVENTS)
def test_events_that_say_nothing_make_no_difference(
    worker: Gateway, upstream: Upstream, dialect: Dialect, variant: str
) -> None:
    events = dialect.text(DELTAS)
    plain = ask(worker, upstream, dialect, stream(events)).body
    varied = ask(worker, upstream, dialect, stream(EVENTS[variant](dialect, events))).body
    assert settled(varied) == settled(plain)


def test_an_event_cut_at_every_offset(
    worker: Gateway, upstream: Upstream, dialect: Dialect
) -> None:
    events = dialect.text(["é北🙂\u2028"])
    plain = settled(ask(worker, upstream, dialect, stream(events)).body)
    data = b"".join(events)
    event = next(event for event in events if "é北🙂\u2028".encode() in event)
    start = data.index(event)
    for offset in range(start, start + len(event) + 2):
        pieces = cut(data, offset)
        assert settled(ask(worker, upstream, dialect, stream(pieces)).body) == plain, pieces


def test_gzip(worker: Gateway, upstream: Upstream, dialect: Dialect) -> None:
    events = dialect.text(DELTAS)
    plain = ask(worker, upstream, dialect, stream(events)).body
    packed = gzip.compress(b"".join(events))
    headers = [*EVENT_STREAM, ("content-encoding", "gzip")]
    script = stream(cut(packed, *range(100, len(packed), 100)), headers)
    assert settled(ask(worker, upstream, dialect, script).body) == settled(plain)
    whole_headers = [*JSON, ("content-encoding", "gzip")]
    upstream.answer(whole(200, gzip.compress(dialect.whole("Yes.")), whole_headers))
    choices = worker.ask(question(dialect.model)).json()["choices"]
    assert choices[0]["message"]["content"] == "Yes."


def test_an_event_of_a_megabyte(worker: Gateway, upstream: Upstream, dialect: Dialect) -> None:
    text = "é北🙂 plain " * 65_000
    data = b"".join(dialect.text([text, "."]))
    assert len(text.encode()) > 1_000_000
    answer = ask(worker, upstream, dialect, stream(cut(data, *range(9_999, len(data), 9_999))))
    assert [choice["delta"].get("content") for it in answer.payloads() for choice in it["choices"]][
        1:-1
    ] == [text, "."]


def test_a_hundred_thousand_events(worker: Gateway, upstream: Upstream, dialect: Dialect) -> None:
    """They arrive in bursts, as they would from a network with a buffer."""
    words = [f"{number} " for number in range(100_000)]
    data = b"".join(dialect.text(words))
    answer = ask(worker, upstream, dialect, stream(cut(data, *range(65_536, len(data), 65_536))))
    payloads = answer.payloads()
    assert text_in(payloads) == "".join(words)
    assert len(payloads) == 1 + len(words) + 1


@pytest.mark.parametrize("surrogate", ["\\ud83d", "\\ude00\\ud83d", "\\udfff!"])
def test_half_a_character_is_no_end_of_the_stream(
    worker: Gateway, upstream: Upstream, dialect: Dialect, surrogate: str
) -> None:
    """JSON may contain half of a surrogate pair; UTF-8 may not."""
    events = [it.replace(b"HALF", surrogate.encode()) for it in dialect.text(["a", "HALF", "b"])]
    answer = ask(worker, upstream, dialect, stream(events))
    text = answer.text()
    assert text[0] + text[-1] == "ab"
    assert answer.payloads()[-1]["choices"][0]["finish_reason"] == "stop"


# Silence


def test_a_silent_upstream_is_filled_with_comments_between_frames(
    start: Start, bindings: dict[str, object], upstream: Upstream, dialect: Dialect
) -> None:
    """The upstream falls silent between two events and within one."""
    events = dialect.text(["One, ", "two, ", "three."])
    at = next(number for number, event in enumerate(events) if b"two, " in event)
    half, other_half = events[at][:-30], events[at][-30:]
    pieces: list[bytes | float | Step] = [*events[:at], GATE, half, GATE, other_half]
    pieces += events[at + 1 :]
    with start(bindings | {"KEEP_ALIVE_SECONDS": "1"}) as worker:
        plain = ask(worker, upstream, dialect, stream(events)).body
        assert b": " not in plain.replace(b"data: ", b"")
        upstream.forget()
        upstream.answer(stream(pieces))
        request = worker.open(question(dialect.model, stream=True))
        call = upstream.wait_for_call()
        for _ in range(2):
            while not request.frame().startswith(b": keep-alive\n\n"):
                pass
            call.release()
        body = request.answer().body
    assert body.count(b": keep-alive\n\n") >= 2
    assert settled(body.replace(b": keep-alive\n\n", b"")) == settled(plain)
