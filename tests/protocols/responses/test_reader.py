"""Responses' answers as calls on a Writer: whole, streamed, cut, and as other servers send them."""

from collections.abc import Iterable
from typing import Any

import pytest

from tests.protocols.responses.recording import ORIGIN, Recorder, Said, answering
from xtrix import json
from xtrix.answer import Citation, Expected, Finish, FinishReason, ToolName, Usage
from xtrix.errors import UpstreamError
from xtrix.prompt import Sealed
from xtrix.protocols.responses.reader import Reader
from xtrix.sse import Decoder, Event

Json = dict[str, Any]

USAGE: Json = {
    "input_tokens": 12,
    "input_tokens_details": {"cached_tokens": 4, "cache_write_tokens": 2},
    "output_tokens": 7,
    "output_tokens_details": {"reasoning_tokens": 3},
    "total_tokens": 19,
}
COUNTED = Usage(prompt=12, completion=7, cached=4, cache_written=2, reasoning=3)
BEGIN = ("begin",)
STOP = ("end", Finish(FinishReason.STOP, COUNTED))
REASONING: Json = {
    "id": "rs_1",
    "type": "reasoning",
    "summary": [
        {"type": "summary_text", "text": "**Greeting**\n\nThey greet."},
        {"type": "summary_text", "text": "So do I."},
    ],
    "encrypted_content": "gAAAAABqX1a7",
    "status": None,
}
MESSAGE: Json = {
    "id": "msg_1",
    "type": "message",
    "status": "completed",
    "role": "assistant",
    "content": [{"type": "output_text", "text": "Hello there", "annotations": [], "logprobs": []}],
}
FUNCTION: Json = {
    "id": "fc_1",
    "type": "function_call",
    "status": "completed",
    "call_id": "call_A",
    "name": "get_weather",
    "arguments": '{"city":"Paris"}',
}
CUSTOM: Json = {
    "id": "ctc_1",
    "type": "custom_tool_call",
    "status": "completed",
    "call_id": "call_B",
    "name": "run_python",
    "input": "print(1)\nprint(2)",
}
THOUGHT: list[Said] = [
    ("thinking", "**Greeting**\n\nThey greet.\n\nSo do I."),
    ("thinking_end", Sealed(REASONING, ORIGIN)),
]
SPOKEN: list[Said] = [("text", "Hello there"), ("text_end", [])]
CALLED: list[Said] = [
    ("call", "call_A", ToolName("get_weather")),
    ("arguments", '{"city":"Paris"}'),
    ("call_end",),
]
RAN: list[Said] = [
    ("call", "call_B", ToolName("run_python", "custom")),
    ("arguments", "print(1)\nprint(2)"),
    ("call_end",),
]


def response(*output: Json, **fields: Any) -> Json:
    whole = {"id": "resp_1", "object": "response", "status": "completed", "error": None}
    return {**whole, "output": list(output), "usage": USAGE, **fields}


def halves(text: str) -> tuple[str, str]:
    return text[: len(text) // 2], text[len(text) // 2 :]


def events_of(item: Json, index: int) -> list[Json]:
    """All events that OpenAI sends of an item."""
    place = {"output_index": index, "item_id": item["id"]}
    empty = {"content": [], "summary": [], "arguments": "", "input": "", "status": "in_progress"}
    begun = {name: empty.get(name, value) for name, value in item.items()}
    begun.pop("encrypted_content", None)
    events: list[Json] = [
        {"type": "response.output_item.added", "output_index": index, "item": begun}
    ]
    for number, part in enumerate(item.get("content", ())):
        events += message_part(part, {**place, "content_index": number})
    for number, part in enumerate(item.get("summary", ())):
        here = {**place, "summary_index": number}
        events += [
            {"type": "response.reasoning_summary_part.added", **here, "part": {**part, "text": ""}},
            *deltas("response.reasoning_summary_text", here, "text", part["text"]),
            {"type": "response.reasoning_summary_part.done", **here, "part": part},
        ]
    if item["type"] == "function_call":
        kind = "response.function_call_arguments"
        events += deltas(kind, place, "arguments", item["arguments"])
    if item["type"] == "custom_tool_call":
        events += deltas("response.custom_tool_call_input", place, "input", item["input"])
    done = {"type": "response.output_item.done", "output_index": index, "item": item}
    return [*events, done]


def message_part(part: Json, here: Json) -> list[Json]:
    field = "refusal" if part["type"] == "refusal" else "text"
    kind = "response.refusal" if field == "refusal" else "response.output_text"
    empty = {**part, field: "", **({"annotations": []} if field == "text" else {})}
    added = [
        {
            "type": "response.output_text.annotation.added",
            **here,
            "annotation_index": number,
            "annotation": annotation,
        }
        for number, annotation in enumerate(part.get("annotations", ()))
    ]
    *pieces, done = deltas(kind, here, field, part[field])
    return [
        {"type": "response.content_part.added", **here, "part": empty},
        *pieces,
        *added,
        done,
        {"type": "response.content_part.done", **here, "part": part},
    ]


def deltas(kind: str, here: Json, field: str, text: str) -> list[Json]:
    pieces = [piece for piece in halves(text) if piece]
    return [
        *({"type": f"{kind}.delta", **here, "delta": piece} for piece in pieces),
        {"type": f"{kind}.done", **here, field: text},
    ]


def stream_of(*output: Json, **fields: Any) -> list[Json]:
    """The whole stream of a response as OpenAI sends it."""
    whole = response(*output, **fields)
    begun = {**whole, "status": "in_progress", "output": [], "usage": None}
    return [
        {"type": "response.created", "response": begun},
        {"type": "response.in_progress", "response": begun},
        *(event for index, item in enumerate(output) for event in events_of(item, index)),
        {"type": f"response.{whole['status']}", "response": whole},
    ]


def framed(events: Iterable[Json]) -> str:
    frames = []
    for number, event in enumerate(events):
        numbered = {"type": event["type"], "sequence_number": number, **event}
        frames.append(f"event: {event['type']}\ndata: {json.encode(numbered)}\n\n")
    return "".join(frames)


def event_of(said: Json) -> Event:
    return Event(said["type"], json.encode(said))


def read(events: Iterable[Json], expected: Expected | None = None) -> list[Said]:
    """The recorded calls of a stream, which must end well."""
    return read_events(map(event_of, events), expected)


def read_events(events: Iterable[Event], expected: Expected | None = None) -> list[Said]:
    recorder = Recorder()
    reader = Reader(recorder, answering(expected))
    for event in events:
        reader.feed(event)
    reader.close()
    assert reader.finished
    return recorder.said


def read_whole(answer: Json, expected: Expected | None = None) -> list[Said]:
    recorder = Recorder()
    reader = Reader(recorder, answering(expected))
    reader.whole(json.encode_body(answer))
    assert reader.finished
    return recorder.said


def failure(*events: Json) -> tuple[UpstreamError, Recorder]:
    recorder = Recorder()
    reader = Reader(recorder, answering())

    def play() -> None:
        for event in events:
            reader.feed(event_of(event))
        reader.close()

    with pytest.raises(UpstreamError) as caught:
        play()
    assert not reader.finished
    return caught.value, recorder


REFUSED: Json = {
    **MESSAGE,
    "content": [
        {"type": "output_text", "text": "Well. ", "annotations": [], "logprobs": []},
        {"type": "refusal", "refusal": "I cannot help with that."},
    ],
}
CITED: Json = {
    **MESSAGE,
    "content": [
        {
            "type": "output_text",
            "text": "It rains.",
            "annotations": [
                {
                    "type": "url_citation",
                    "url": "https://example.com/a",
                    "title": "A",
                    "start_index": 0,
                    "end_index": 9,
                },
                {"type": "file_citation", "file_id": "file_1", "index": 3},
                {"type": "url_citation", "url": "https://example.com/b", "title": "B"},
            ],
            "logprobs": [],
        },
        {"type": "output_text", "text": "Much.", "annotations": [], "logprobs": []},
    ],
}
SEARCHED: Json = {
    "id": "ws_1",
    "type": "web_search_call",
    "status": "completed",
    "action": {
        "type": "search",
        "query": "rain",
        "sources": [{"type": "url", "url": "https://example.com/a"}, {"type": "api", "name": "x"}],
    },
}
ANSWERS: dict[str, tuple[list[Json], list[Said]]] = {
    "nothing": ([], []),
    "text": ([MESSAGE], SPOKEN),
    "reasoning": ([REASONING, MESSAGE], [*THOUGHT, *SPOKEN]),
    "calls": ([FUNCTION, CUSTOM], [*CALLED, *RAN]),
    "all": ([REASONING, MESSAGE, FUNCTION, CUSTOM], [*THOUGHT, *SPOKEN, *CALLED, *RAN]),
    "text after a call": ([FUNCTION, MESSAGE], [*CALLED, *SPOKEN]),
    "refusal": (
        [REFUSED],
        [("text", "Well. "), ("text_end", []), ("refusal", "I cannot help with that.")],
    ),
    "citations": (
        [CITED],
        [
            ("text", "It rains."),
            (
                "text_end",
                [
                    Citation("https://example.com/a", "A", 0, 9),
                    Citation("https://example.com/b", "B"),
                ],
            ),
            ("text", "Much."),
            ("text_end", []),
        ],
    ),
    "search": (
        [SEARCHED, MESSAGE],
        [("search", ["rain"], [{"url": "https://example.com/a", "title": ""}]), *SPOKEN],
    ),
    "blank reasoning": (
        [{**REASONING, "summary": []}, MESSAGE],
        [("thinking_end", Sealed({**REASONING, "summary": []}, ORIGIN)), *SPOKEN],
    ),
    "a call without arguments": (
        [{**FUNCTION, "arguments": ""}],
        [("call", "call_A", ToolName("get_weather")), ("arguments", "{}"), ("call_end",)],
    ),
    "a custom tool without text": (
        [{**CUSTOM, "input": ""}],
        [("call", "call_B", ToolName("run_python", "custom")), ("call_end",)],
    ),
    "what is not known here": (
        [{"id": "mcp_1", "type": "mcp_list_tools", "tools": []}, MESSAGE, {"type": "new_thing"}],
        SPOKEN,
    ),
}
EACH = pytest.mark.parametrize(
    ("output", "told"), ANSWERS.values(), ids=[name.replace(" ", "-") for name in ANSWERS]
)


def with_ids(output: list[Json]) -> list[Json]:
    return [{"id": f"x_{index}", **item} for index, item in enumerate(output)]


# As OpenAI sends it


@EACH
def test_whole(output: list[Json], told: list[Said]) -> None:
    assert read_whole(response(*output)) == [BEGIN, *told, STOP]


@EACH
def test_streamed(output: list[Json], told: list[Said]) -> None:
    assert read(stream_of(*with_ids(output))) == [BEGIN, *told, STOP]


@EACH
def test_cut_at_every_offset(output: list[Json], told: list[Said]) -> None:
    text = framed(stream_of(*with_ids(output)))
    for offset in range(0, len(text), 7):
        decoder = Decoder()
        events = [*decoder.feed(text[:offset]), *decoder.feed(text[offset:]), *decoder.close()]
        assert read_events(events) == [BEGIN, *told, STOP]


@EACH
def test_a_stream_that_breaks_off_is_truncated(output: list[Json], told: list[Said]) -> None:
    events = stream_of(*with_ids(output))
    for count in range(len(events)):
        error, recorder = failure(*events[:count])
        assert error.code == "upstream_truncated"
        assert all(said[0] != "end" for said in recorder.said)


def test_nothing_is_told_before_the_first_item() -> None:
    recorder = Recorder()
    reader = Reader(recorder, answering())
    created, in_progress, added, *_ = stream_of(MESSAGE)
    for event in (created, in_progress, {"type": "response.queued", "response": {}}):
        reader.feed(event_of(event))
    assert recorder.said == []
    reader.feed(event_of(added))
    assert recorder.said == [BEGIN]


def test_what_is_known_when_it_begins() -> None:
    recorder = Recorder()
    reader = Reader(recorder, answering())
    created = {"type": "response.created", "response": response(service_tier="flex")}
    for event in (created, *events_of(MESSAGE, 0)):
        reader.feed(event_of(event))
    assert recorder.begun_with == (COUNTED, None)


def test_an_unknown_event_begins_nothing_and_says_nothing() -> None:
    recorder = Recorder()
    Reader(recorder, answering()).feed(Event("keepalive", '{"type":"keepalive"}'))
    assert recorder.said == []


def test_after_the_end_nothing_is_told() -> None:
    events = [event_of(each) for each in stream_of(MESSAGE)]
    told = read_events([*events, *events, Event("message", "[DONE]"), Event("error", "")])
    assert told == [BEGIN, *SPOKEN, STOP]


def test_pieces_are_told_as_they_come() -> None:
    recorder = Recorder()
    reader = Reader(recorder, answering())
    for event in stream_of(REASONING, MESSAGE, FUNCTION)[:-1]:
        reader.feed(event_of(event))
    assert recorder.pieces == 2 + 1 + 2 + 2 + 2
    assert recorder.said == [BEGIN, *THOUGHT, *SPOKEN, *CALLED]


def test_the_upstreams_names_become_the_clients() -> None:
    expected = Expected(
        {
            "get_weather": ToolName("get.weather"),
            "run_python": ToolName("run python", "custom"),
        }
    )
    told = [
        BEGIN,
        ("call", "call_A", ToolName("get.weather")),
        *CALLED[1:],
        ("call", "call_B", ToolName("run python", "custom")),
        *RAN[1:],
        STOP,
    ]
    assert read(stream_of(FUNCTION, CUSTOM), expected) == told
    assert read_whole(response(FUNCTION, CUSTOM), expected) == told


@pytest.mark.parametrize(
    ("known", "told"),
    [
        (
            ToolName("get_weather", "function", "tools"),
            ToolName("get_weather", "function", "tools"),
        ),
        (ToolName("tool_search", "search"), ToolName("tool_search", "search")),
        (ToolName("get_weather", "custom"), ToolName("get_weather", "function")),
    ],
)
def test_a_function_call_of_a_tool_of_another_kind(known: ToolName, told: ToolName) -> None:
    expected = Expected({"get_weather": known})
    assert read_whole(response(FUNCTION), expected)[1] == ("call", "call_A", told)


def test_log_probabilities_are_told_as_chat_completions_has_them() -> None:
    top = [{"token": "Hi", "logprob": -2.0, "bytes": [72, 105]}]
    given = [{"token": "Hello", "logprob": -0.5, "top_logprobs": top}]
    told = [{"token": "Hello", "logprob": -0.5, "bytes": None, "top_logprobs": top}]
    here = {"output_index": 0, "item_id": "msg_1", "content_index": 0}
    part = {"type": "output_text", "text": "Hello", "annotations": [], "logprobs": given}
    message = {**MESSAGE, "content": [part]}
    begun, _, *_ = events_of(message, 0)
    delta = {"type": "response.output_text.delta", **here, "delta": "Hello", "logprobs": given}
    end = {"type": "response.completed", "response": response(message)}
    expected = [BEGIN, ("logprobs", told), ("text_end", []), STOP]
    assert read([begun, delta, end]) == expected
    assert read_whole(response(message)) == expected


@pytest.mark.parametrize(
    ("tier", "told"), [("auto", None), ("default", "default"), ("flex", "flex"), (None, None)]
)
def test_service_tier(tier: str | None, told: str | None) -> None:
    finish = Finish(FinishReason.STOP, COUNTED, told)
    assert read_whole(response(MESSAGE, service_tier=tier))[-1] == ("end", finish)
    assert read(stream_of(MESSAGE, service_tier=tier))[-1] == ("end", finish)


@pytest.mark.parametrize("usage", [None, {}, {"input_tokens": "many"}, 7])
def test_usage_that_says_nothing(usage: object) -> None:
    assert read_whole(response(MESSAGE, usage=usage))[-1] == (
        "end",
        Finish(FinishReason.STOP, Usage()),
    )


# Answers that are not complete


@pytest.mark.parametrize(
    ("why", "reason", "unknown"),
    [
        ("max_output_tokens", FinishReason.LENGTH, None),
        ("content_filter", FinishReason.FILTERED, None),
        ("steered", FinishReason.LENGTH, "steered"),
        (None, FinishReason.LENGTH, "missing"),
        (["odd"], FinishReason.LENGTH, "unknown"),
    ],
)
def test_incomplete(why: object, reason: FinishReason, unknown: str | None) -> None:
    cut = {"status": "incomplete", "incomplete_details": {"reason": why} if why else None}
    message = {**MESSAGE, "status": "incomplete"}
    told = [BEGIN, *SPOKEN, ("end", Finish(reason, COUNTED))]
    assert read(stream_of(message, **cut)) == told
    assert read_whole(response(message, **cut)) == told
    reader = Reader(Recorder(), answering())
    reader.whole(json.encode_body(response(message, **cut)))
    assert reader.unknown_stop_reason == unknown


def test_an_answer_that_is_called_completed_but_names_why_it_is_cut() -> None:
    cut = {"incomplete_details": {"reason": "max_output_tokens"}}
    finish = Finish(FinishReason.LENGTH, COUNTED)
    assert read_whole(response(MESSAGE, **cut))[-1] == ("end", finish)


@pytest.mark.parametrize(
    ("limit", "reason"),
    [(7, FinishReason.LENGTH), (8, FinishReason.STOP), (None, FinishReason.STOP)],
)
def test_an_answer_that_is_as_long_as_it_may_be(limit: int | None, reason: FinishReason) -> None:
    """llama.cpp's server reports `completed` for an answer that reached the token limit."""
    told = [BEGIN, *SPOKEN, ("end", Finish(reason, COUNTED))]
    expected = Expected(limit=limit)
    assert read(stream_of(MESSAGE), expected) == told
    assert read_whole(response(MESSAGE), expected) == told


def test_calls_that_the_limit_cut_off() -> None:
    cut = {"status": "incomplete", "incomplete_details": {"reason": "max_output_tokens"}}
    function = {**FUNCTION, "arguments": '{"ci', "status": "incomplete"}
    empty = {**FUNCTION, "id": "fc_2", "call_id": "call_2", "arguments": ""}
    custom = {**CUSTOM, "input": "print(1", "status": "incomplete"}
    told = [
        BEGIN,
        ("call", "call_A", ToolName("get_weather")),
        ("arguments", '{"ci'),
        ("call_end",),
        ("call", "call_2", ToolName("get_weather")),
        ("call_end",),
        ("call", "call_B", ToolName("run_python", "custom")),
        ("call_end",),
        ("end", Finish(FinishReason.LENGTH, COUNTED)),
    ]
    output = [function, {**empty, "status": "incomplete"}, custom]
    assert read_whole(response(*output, **cut)) == told
    assert read(stream_of(*output, **cut)) == told
    unfinished = [each for each in stream_of(*output, **cut) if not each["type"].endswith(".done")]
    unfinished[-1] = {"type": "response.incomplete", "response": response(**cut)}
    assert read(unfinished) == told


# Failures


ERRORS = [
    ({"code": "server_error", "message": "Why."}, 500, "upstream_error"),
    ({"code": "rate_limit_exceeded", "message": "Why."}, 429, "rate_limit_exceeded"),
    ({"code": "invalid_prompt", "message": "Why."}, 400, "invalid_prompt"),
    ({"code": "image_too_large", "message": "Why."}, 400, "image_too_large"),
    ({"code": "context_length_exceeded", "message": "Why."}, 400, "context_length_exceeded"),
    ({"code": "insufficient_quota", "message": "Why."}, 429, "insufficient_quota"),
    ({"code": "server_is_overloaded", "message": "Why."}, 503, "server_is_overloaded"),
    ({"message": "Why."}, 502, "upstream_error"),
]


@pytest.mark.parametrize(("said", "status", "code"), ERRORS)
def test_errors_in_a_stream(said: Json, status: int, code: str) -> None:
    created, *_ = stream_of(MESSAGE)
    failed = response(status="failed", error=said)
    for event in (
        {"type": "error", "sequence_number": 1, "error": said},
        {"type": "error", "sequence_number": 1, "param": None, **said},
        {"type": "response.failed", "response": failed},
        {"type": "response.completed", "response": failed},
        {"type": "response.in_progress", "response": failed},
    ):
        error, recorder = failure(created, event)
        assert (error.status, error.code, error.message) == (status, code, "Why.")
        assert recorder.said == []


@pytest.mark.parametrize(("said", "status", "code"), ERRORS)
def test_errors_in_a_whole_answer(said: Json, status: int, code: str) -> None:
    for answer in (response(status="failed", error=said), {"error": said}):
        recorder = Recorder()
        with pytest.raises(UpstreamError) as caught:
            Reader(recorder, answering()).whole(json.encode_body(answer))
        assert (caught.value.status, caught.value.code) == (status, code)
        assert recorder.said == []


def test_an_error_after_the_first_words_ends_the_answer_unfinished() -> None:
    events = stream_of(MESSAGE)
    error, recorder = failure(*events[:5], {"type": "error", "error": {"message": "Why."}})
    assert (error.status, error.message) == (502, "Why.")
    assert recorder.said == [BEGIN, ("text", "Hello")]


def test_a_failure_without_a_word() -> None:
    error, _ = failure({"type": "response.failed", "response": {"status": "failed"}})
    assert (error.status, error.code) == (502, "upstream_error")


def test_a_response_that_was_cancelled_is_cut_off() -> None:
    error, _ = failure({"type": "response.cancelled", "response": {}})
    assert (error.status, error.code) == (502, "upstream_truncated")


def test_an_error_by_the_name_of_its_event() -> None:
    with pytest.raises(UpstreamError, match="Why"):
        Reader(Recorder(), answering()).feed(Event("error", '{"message":"Why."}'))


@pytest.mark.parametrize(
    "answer", [{"status": "cancelled"}, {"status": "queued"}, {"status": "in_progress"}]
)
def test_a_response_that_never_ended(answer: Json) -> None:
    for status in (read_whole, lambda it: read([{"type": "response.completed", "response": it}])):
        with pytest.raises(UpstreamError) as caught:
            status(response(MESSAGE, **answer))
        assert caught.value.status == 502


def test_done_without_an_end_is_truncated() -> None:
    reader = Reader(Recorder(), answering())
    with pytest.raises(UpstreamError) as caught:
        reader.feed(Event("message", "[DONE]"))
    assert caught.value.code == "upstream_truncated"


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"{", b"{}", b'{"output":{}}', b'{"object":"response","output":null}']
)
def test_a_body_that_is_no_response(body: bytes) -> None:
    with pytest.raises(UpstreamError) as caught:
        Reader(Recorder(), answering()).whole(body)
    assert caught.value.code == "bad_upstream_response"


@pytest.mark.parametrize(
    "data",
    [
        "nonsense",
        "[]",
        '{"type":"response.output_item.added"}',
        '{"type":"response.output_item.done","item":[]}',
    ],
)
def test_an_event_that_is_none(data: str) -> None:
    with pytest.raises(UpstreamError) as caught:
        Reader(Recorder(), answering()).feed(Event("message", data))
    assert caught.value.code == "bad_upstream_response"


def test_a_call_without_a_name() -> None:
    call = {**FUNCTION, "name": None}
    for answer in (read_whole, lambda it: read(stream_of(*it["output"]))):
        with pytest.raises(UpstreamError, match="a call without a name"):
            answer(response(call))


ODD: list[Any] = [None, 1, True, "x", [], {}, [1], {"a": 1}]


@pytest.mark.parametrize("odd", ODD, ids=str)
def test_members_of_any_type(odd: Any) -> None:
    """A member of the wrong type is an upstream's error, and nothing else."""
    for event in stream_of(REASONING, CITED, FUNCTION, CUSTOM, SEARCHED):
        for name in event:
            reader = Reader(Recorder(), answering())
            try:
                reader.feed(Event("message", json.encode({**event, name: odd})))
            except UpstreamError:
                continue
    for item in (REASONING, CITED, FUNCTION, CUSTOM, SEARCHED):
        for name in item:
            try:
                read_whole(response({**item, name: odd}))
                read_whole(response(item, **{name: odd}))
            except UpstreamError:
                continue


# As other servers send it


OUTPUT = [REASONING, MESSAGE, FUNCTION, CUSTOM]
TOLD: list[Said] = [BEGIN, *THOUGHT, *SPOKEN, *CALLED, *RAN, STOP]


def without(events: list[Json], *ends: str) -> list[Json]:
    return [event for event in events if not event["type"].endswith(ends)]


def test_without_the_lifecycle() -> None:
    assert read(without(stream_of(*OUTPUT), ".created", ".in_progress")) == TOLD


def test_without_the_beginning_of_items() -> None:
    assert read(without(stream_of(*OUTPUT), "output_item.added", "part.added")) == TOLD


def test_without_the_end_of_items() -> None:
    assert read(without(stream_of(*OUTPUT), ".done")) == TOLD


def test_without_beginning_and_end_of_items() -> None:
    assert read(without(stream_of(*OUTPUT), ".done", ".added")) == TOLD


def test_without_any_delta() -> None:
    assert read(without(stream_of(*OUTPUT), ".delta")) == TOLD


def test_with_the_end_of_items_alone() -> None:
    events = without(stream_of(*OUTPUT), ".delta", ".added", "text.done", "part.done")
    assert read(events) == TOLD


def test_with_the_end_alone() -> None:
    assert read(stream_of(*OUTPUT)[-1:]) == TOLD


@pytest.mark.parametrize("empty", [{"output": []}, {"output": None}], ids=str)
def test_without_the_list_at_the_end(empty: Json) -> None:
    *events, end = stream_of(*OUTPUT)
    assert read([*events, {**end, "response": {**end["response"], **empty}}]) == TOLD


def test_an_end_without_a_response() -> None:
    *events, _ = stream_of(MESSAGE)
    told = read([*events, {"type": "response.completed"}])
    assert told == [BEGIN, *SPOKEN, ("end", Finish(FinishReason.STOP, Usage()))]


def changed(events: list[Json], change: Any) -> list[Json]:
    return [change(number, event) for number, event in enumerate(events)]


def test_ids_that_change_from_event_to_event() -> None:
    def change(number: int, event: Json) -> Json:
        item = {"item": {**event["item"], "id": f"x{number}"}} if "item" in event else {}
        named = {"item_id": f"x{number}"} if "item_id" in event else {}
        return {**event, **named, **item}

    told = read(changed(stream_of(MESSAGE, FUNCTION, CUSTOM), change))
    assert told == [BEGIN, *SPOKEN, *CALLED, *RAN, STOP]


def test_ids_that_never_change() -> None:
    def change(number: int, event: Json) -> Json:
        del number
        item = {"item": {**event["item"], "id": "x"}} if "item" in event else {}
        named = {"item_id": "x"} if "item_id" in event else {}
        return {**event, **named, **item}

    told = read(changed(stream_of(MESSAGE, FUNCTION, CUSTOM), change))
    assert told == [BEGIN, *SPOKEN, *CALLED, *RAN, STOP]


@pytest.mark.parametrize("left_out", [("output_index",), ("item_id",), ("output_index", "item_id")])
def test_without_indexes_or_ids(left_out: tuple[str, ...]) -> None:
    def change(number: int, event: Json) -> Json:
        del number
        return {name: value for name, value in event.items() if name not in left_out}

    assert read(changed(stream_of(*OUTPUT), change)) == TOLD


def test_every_index_zero() -> None:
    second = {**FUNCTION, "id": "fc_2", "call_id": "call_2", "arguments": '{"city":"Rome"}'}

    def change(number: int, event: Json) -> Json:
        del number
        return {**event, "output_index": 0} if "output_index" in event else event

    told = read(changed(stream_of(*OUTPUT, second), change))
    rome = [("call", "call_2", ToolName("get_weather")), ("arguments", '{"city":"Rome"}')]
    assert told == [*TOLD[:-1], *rome, ("call_end",), STOP]


def test_ids_that_are_made_anew_at_the_end() -> None:
    *events, end = stream_of(*OUTPUT)
    renamed = [{**item, "id": f"new_{index}"} for index, item in enumerate(OUTPUT)]
    assert read([*events, {**end, "response": response(*renamed)}]) == TOLD
    for item in renamed:
        item.pop("call_id", None)
    assert read([*events, {**end, "response": response(*renamed)}]) == TOLD


def test_the_list_at_the_end_in_another_order() -> None:
    *events, end = stream_of(*OUTPUT)
    assert read([*events, {**end, "response": response(*OUTPUT[::-1])}]) == TOLD


def test_items_that_are_interleaved_are_told_one_after_the_other() -> None:
    second = {**FUNCTION, "id": "fc_2", "call_id": "call_2", "arguments": '{"city":"Rome"}'}
    created, one, two = stream_of()[0], events_of(FUNCTION, 0), events_of(second, 1)
    mixed = [event for pair in zip(one, two, strict=True) for event in pair]
    told = read([created, *mixed, {"type": "response.completed", "response": response()}])
    rome = [("call", "call_2", ToolName("get_weather")), ("arguments", '{"city":"Rome"}')]
    assert told == [
        BEGIN, *CALLED, *rome, ("call_end",), ("end", Finish(FinishReason.STOP, COUNTED)),
    ]  # fmt: skip


def test_a_call_that_begins_before_the_reasoning_is_over() -> None:
    """Ollama sends both with index 0, in this order (ollama/ollama#18411)."""
    thought, call = events_of(REASONING, 0), events_of(FUNCTION, 0)
    events = [*thought[:-1], *call, thought[-1]]
    end = {"type": "response.completed", "response": response(FUNCTION, REASONING)}
    assert read([*events, end]) == [BEGIN, *THOUGHT, *CALLED, STOP]


def test_everything_twice() -> None:
    events = events_of(MESSAGE, 0)
    ends = [event for event in events if event["type"].endswith(".done")]
    end = {"type": "response.completed", "response": response(MESSAGE)}
    assert read([*events, *ends, events[-1], end]) == [BEGIN, *SPOKEN, STOP]


@pytest.mark.parametrize("kind", ["response.reasoning_text", "response.reasoning"])
def test_reasoning_in_the_open(kind: str) -> None:
    """vLLM and llama.cpp send reasoning as content, and nothing to send back."""
    text = {"type": "reasoning_text", "text": "They greet."}
    item = {**REASONING, "summary": [], "content": [text], "encrypted_content": ""}
    here = {"output_index": 0, "item_id": "rs_1", "content_index": 0}
    begun = {
        "type": "response.output_item.added",
        "output_index": 0,
        "item": {**item, "content": []},
    }
    part = {"type": "response.content_part.done", **here, "part": text}
    events = [begun, *deltas(kind, here, "text", "They greet."), part]
    done = {"type": "response.output_item.done", "output_index": 0, "item": item}
    end = {"type": "response.completed", "response": response(item)}
    told = [BEGIN, ("thinking", "They greet."), ("thinking_end", None), STOP]
    assert read([*events, done, end]) == told
    assert read([*events, end]) == told
    assert read_whole(response(item)) == told


def test_reasoning_that_says_nothing_is_not_told() -> None:
    item: Json = {"id": "rs_1", "type": "reasoning", "summary": [], "content": None}
    assert read_whole(response(item, MESSAGE)) == [BEGIN, *SPOKEN, STOP]
    assert read(stream_of({**item, "content": []}, MESSAGE)) == [BEGIN, *SPOKEN, STOP]


def test_a_summary_and_the_text_of_the_same_thoughts() -> None:
    text = {"type": "reasoning_text", "text": "They greet, so I do."}
    assert read_whole(response({**REASONING, "content": [text]}))[1] == THOUGHT[0]


def test_arguments_as_an_object() -> None:
    call = {**FUNCTION, "arguments": {"city": "Paris"}}
    assert read_whole(response(call)) == [BEGIN, *CALLED, STOP]


@pytest.mark.parametrize("left_out", [("call_id",), ("call_id", "id")])
def test_a_call_without_an_id(left_out: tuple[str, ...]) -> None:
    call = {name: value for name, value in FUNCTION.items() if name not in left_out}
    call_id = "fc_1" if "id" in call else f"call_{'0' * 32}_0"
    told = [BEGIN, ("call", call_id, ToolName("get_weather")), *CALLED[1:], STOP]
    assert read_whole(response(call)) == told


# The fast path


def test_what_an_event_carried() -> None:
    """For each event that the fast path may handle, a second one like it adds one more piece."""
    carrying = set()
    reader = Reader(Recorder(), answering())
    for event in stream_of(*OUTPUT):
        reader.feed(event_of(event))
        if reader.lone_text is not None:
            assert reader.lone_text == json.encode(event["delta"])
            carrying.add(event["type"])
    assert carrying == {
        "response.output_text.delta",
        "response.reasoning_summary_text.delta",
        "response.function_call_arguments.delta",
    }


def test_an_event_that_begins_a_part_carries_nothing() -> None:
    reader = Reader(Recorder(), answering())
    for event in stream_of(CITED):
        reader.feed(event_of(event))
        if event["type"].endswith(".delta"):
            begins = event["content_index"] == 1 and event["delta"] == "Mu"
            assert (reader.lone_text is None) == begins


def test_a_held_event_carries_nothing() -> None:
    reader = Reader(Recorder(), answering())
    for event in [*events_of(MESSAGE, 0)[:2], *events_of(FUNCTION, 1)]:
        reader.feed(event_of(event))
        assert reader.lone_text is None
