"""A Responses client with a Responses upstream: what is passed on, and what the gateway changes."""

from typing import Any

import pytest

from tests.protocols.responses.grammar import read
from tests.protocols.responses.tellings import (
    CARRIER,
    SEALED,
    STOP,
    TOKEN,
    USAGE,
    call,
    step,
    streamed,
    whole,
)
from xtrix import json
from xtrix.errors import ApiError, ClientError, UpstreamError, truncated
from xtrix.prompt import Origin, Sealed
from xtrix.protocol import Answering, Encoded, Request, Stamp
from xtrix.protocols.responses import RESPONSES
from xtrix.protocols.responses.frames import PIECE
from xtrix.providers import Provider, Quirks, Target
from xtrix.reasoning import Carrier
from xtrix.sse import Decoder

Json = dict[str, Any]

ORIGIN = Origin("openai", "gpt-5.5", "responses")
THEIRS = {"type": "reasoning", "encrypted_content": "gAAAAABq"}
PACKED = CARRIER.pack(Sealed(THEIRS, ORIGIN))
SUMMARY = [{"type": "summary_text", "text": "Hm."}]
REASONING: Json = {"id": "rs_1", "type": "reasoning", "summary": SUMMARY, "content": None}
MESSAGE: Json = {
    "id": "msg_1",
    "type": "message",
    "status": "completed",
    "role": "assistant",
    "phase": "final_answer",
    "content": [{"type": "output_text", "text": "Hi", "annotations": [], "logprobs": []}],
}
RESPONSE: Json = {
    "id": "resp_upstream",
    "object": "response",
    "status": "completed",
    "model": "gpt-5.5-2026-10-01",
    "store": True,
    "error": None,
    "incomplete_details": None,
    "output": [{**REASONING, "encrypted_content": "gAAAAABq"}, MESSAGE],
    "usage": {"input_tokens": 12, "output_tokens": 7},
    "made_up_later": {"b": 1, "a": 2},
}


def relayed(quirks: Quirks | None = None, **fields: Any) -> tuple[Json, Encoded]:
    """The upstream's request, and what is reported about it."""
    provider = Provider("openai", "openai-responses", "https://o.test/v1", key="k")
    if quirks:
        provider = Provider("openai", "openai-responses", "https://o.test/v1", quirks=quirks)
    body = json.encode_body({"model": "best", "input": "Hi", **fields})
    request = RESPONSES.decode_request(body, {}, "best")
    encoded = RESPONSES.relay_request(request, Target(provider, "gpt-5.5"), CARRIER)
    return json.decode_object(encoded.request.body), encoded


def answering(**fields: Any) -> Answering:
    request = Request({"model": "best", "input": "Hi", **fields}, b"", "best", stream=True)
    return Answering(request, Stamp(TOKEN, 1, "best", "fp"), ORIGIN, CARRIER)


def events(*said: Json) -> str:
    return "".join(
        f"event: {each['type']}\ndata: {json.encode({**each, 'sequence_number': number})}\n\n"
        for number, each in enumerate(said)
    )


def fed(text: str, of: Answering | None = None) -> str:
    """The frames of a whole stream."""
    stream = RESPONSES.relay_stream(of or answering())
    frames = [stream.feed(event) for event in Decoder().feed(text)]
    return "".join(frames) + stream.close()


# The request


def test_a_request_goes_on_as_it_is() -> None:
    tools = [{"type": "mcp", "server_label": "a", "server_url": "https://m.test"}]
    asked: Json = {
        "tools": tools,
        "made_up_later": [1.0, None, {"b": 1, "a": 2}],
        "instructions": None,
    }
    body, encoded = relayed(**asked)
    assert body == {
        "model": "gpt-5.5",
        "input": "Hi",
        **asked,
        "store": False,
        "include": ["reasoning.encrypted_content"],
    }
    assert encoded.request.url == "https://o.test/v1/responses"
    assert ("authorization", "Bearer k") in encoded.request.headers
    assert encoded.ignored == ()


@pytest.mark.parametrize("store", [True, False, None])
def test_nothing_is_stored_whatever_the_client_says(store: bool | None) -> None:
    assert relayed(store=store)[0]["store"] is False


def test_what_is_to_be_included_is_kept_and_named_once() -> None:
    wanted = ["message.output_text.logprobs", "reasoning.encrypted_content"]
    assert relayed(include=wanted)[0]["include"] == wanted


def test_encrypted_reasoning_comes_back_as_it_was_issued() -> None:
    body, encoded = relayed(input=[{**REASONING, "encrypted_content": PACKED}])
    assert body["input"] == [{**REASONING, "encrypted_content": "gAAAAABq"}]
    assert encoded.ignored == ()


@pytest.mark.parametrize(
    "packed",
    [
        CARRIER.pack(SEALED),
        CARRIER.pack(Sealed(THEIRS, ORIGIN._replace(provider="azure"))),
        Carrier(b"secret", b"another").pack(Sealed(THEIRS, ORIGIN)),
        PACKED[:-1],
        "xt1.",
    ],
    ids=["anthropic", "another row", "another client", "broken", "empty"],
)
def test_reasoning_that_this_upstream_cannot_read_is_left_out(packed: str) -> None:
    user = {"role": "user", "content": "Hi"}
    body, encoded = relayed(input=[{**REASONING, "encrypted_content": packed}, user])
    assert body["input"] == [user]
    assert encoded.ignored == ("input.reasoning",)


def test_a_blob_in_nobodys_envelope_is_the_upstreams_to_judge() -> None:
    item = {**REASONING, "encrypted_content": "gAAAAABz"}
    assert relayed(input=[item])[0]["input"] == [item]


def test_reasoning_that_stands_for_what_nobody_kept_is_left_out() -> None:
    text = {**REASONING, "content": [{"type": "reasoning_text", "text": "Hm."}]}
    assert relayed(input=[REASONING, text])[0]["input"] == [text]


def test_ids_of_ours_are_left_out_and_others_stay() -> None:
    ours = {**MESSAGE, "id": f"msg_{TOKEN}_0"}
    plain = {name: value for name, value in MESSAGE.items() if name != "id"}
    assert relayed(input=[ours, MESSAGE])[0]["input"] == [plain, MESSAGE]


def test_a_summary_of_ours_is_told_as_text_and_of_another_refused() -> None:
    summed = CARRIER.pack(Sealed({"summary": "They met."}, Origin("", "", "responses")))
    body, _ = relayed(input=[{"type": "compaction", "encrypted_content": summed}])
    said = "A summary of the conversation so far:\n\nThey met."
    assert body["input"] == [{"type": "message", "role": "user", "content": said}]
    theirs = CARRIER.pack(Sealed({"type": "compaction", "encrypted_content": "gC"}, ORIGIN))
    body, _ = relayed(input=[{"type": "compaction", "encrypted_content": theirs}])
    assert body["input"] == [{"type": "compaction", "encrypted_content": "gC"}]
    with pytest.raises(ClientError) as raised:
        relayed(input=[{"type": "compaction", "encrypted_content": CARRIER.pack(SEALED)}])
    assert raised.value.param == "input[0].encrypted_content"


def test_what_a_client_tells_of_its_installation_is_for_openai_alone() -> None:
    said: Json = {"client_metadata": {"x-codex-installation-id": "1"}}
    assert "client_metadata" not in relayed(**said)[0]
    assert relayed(Quirks(client_metadata=True), **said)[0]["client_metadata"] == {
        "x-codex-installation-id": "1"
    }


def test_quirks_rename_and_drop() -> None:
    quirks = Quirks(rename={"user": "uid"}, drop=("text.verbosity", "metadata", "seed"))
    text = {"verbosity": "low", "format": {"type": "text"}}
    body, encoded = relayed(quirks, user="u", text=text, metadata={"a": "b"})
    assert body["uid"] == "u"
    assert body["text"] == {"format": {"type": "text"}}
    assert not {"user", "metadata"} & body.keys()
    assert encoded.ignored == ("metadata", "text.verbosity")


def test_streams_are_not_padded_unless_the_client_wants_it() -> None:
    quirks = Quirks(obfuscation=True)
    assert relayed(quirks, stream=True)[0]["stream_options"] == {"include_obfuscation": False}
    wanted = {"include_obfuscation": True}
    assert relayed(quirks, stream=True, stream_options=wanted)[0]["stream_options"] == wanted
    assert "stream_options" not in relayed(quirks)[0]


# A whole answer


def test_a_whole_answer_is_passed_on_with_what_is_ours() -> None:
    answer = RESPONSES.relay_whole(json.encode_body(RESPONSE), answering())
    written = json.decode_object(answer.body)
    sealed = {**REASONING, "encrypted_content": PACKED}
    ours = {"id": f"resp_{TOKEN}", "model": "best", "store": False, "output": [sealed, MESSAGE]}
    assert written == {**RESPONSE, **ours}
    assert list(written["made_up_later"]) == ["b", "a"]
    assert (answer.usage.prompt, answer.usage.completion) == (12, 7)
    assert answer.unknown_stop_reason is None


def test_an_unknown_reason_for_an_incomplete_answer_is_logged() -> None:
    cut = {**RESPONSE, "status": "incomplete", "incomplete_details": {"reason": "tired"}}
    answer = RESPONSES.relay_whole(json.encode_body(cut), answering())
    assert answer.unknown_stop_reason == "tired"
    cut["incomplete_details"] = {"reason": "max_output_tokens"}
    answer = RESPONSES.relay_whole(json.encode_body(cut), answering())
    assert answer.unknown_stop_reason is None


@pytest.mark.parametrize(
    ("said", "code"),
    [
        ({"error": {"code": "server_is_overloaded", "message": "no"}}, "server_is_overloaded"),
        ({**RESPONSE, "status": "failed"}, "upstream_error"),
        ({"object": "response"}, "bad_upstream_response"),
        ([], "bad_upstream_response"),
    ],
    ids=["error", "failed", "no output", "no object"],
)
def test_what_is_no_answer(said: object, code: str) -> None:
    with pytest.raises(UpstreamError) as raised:
        RESPONSES.relay_whole(json.encode_body(said), answering())
    assert raised.value.code == code


# A stream

BEGUN = {**RESPONSE, "status": "in_progress", "output": [], "usage": None}
CREATED = {"type": "response.created", "response": BEGUN}
IN_PROGRESS = {"type": "response.in_progress", "response": BEGUN}
ADDED = {
    "type": "response.output_item.added",
    "output_index": 0,
    "item": {**REASONING, "summary": [], "encrypted_content": "gAAA"},
}
DONE = {
    "type": "response.output_item.done",
    "output_index": 0,
    "item": {**REASONING, "encrypted_content": "gAAAAABq"},
}
DELTA = {
    "type": "response.output_text.delta",
    "item_id": "msg_1",
    "output_index": 1,
    "content_index": 0,
    "delta": "Hi\u2028\n",
    "logprobs": [],
    "obfuscation": "x7",
}
COMPLETED = {"type": "response.completed", "response": RESPONSE}


def test_a_stream_is_passed_on_with_what_is_ours() -> None:
    frames = fed(events(CREATED, IN_PROGRESS, ADDED, DONE, DELTA, COMPLETED))
    assert "resp_upstream" not in frames
    assert "gAAA" not in frames
    assert "\u2028" not in frames
    decoded = Decoder().feed(frames)
    assert decoded.pop().data == "[DONE]"
    said = [json.decode_object(event.data) for event in decoded]
    assert [event["sequence_number"] for event in said] == list(range(6))
    assert [event.name for event in decoded] == [event["type"] for event in said]
    ids = {event["response"]["id"] for event in said if "response" in event}
    assert ids == {f"resp_{TOKEN}"}
    assert said[3]["item"]["encrypted_content"] == PACKED
    assert {k: v for k, v in said[4].items() if k != "sequence_number"} == DELTA
    written = json.decode_object(
        RESPONSES.relay_whole(json.encode_body(RESPONSE), answering()).body
    )
    assert said[5]["response"] == written


def test_usage_is_counted_for_the_log() -> None:
    stream = RESPONSES.relay_stream(answering())
    for event in Decoder().feed(events(CREATED, DELTA, COMPLETED)):
        stream.feed(event)
    assert stream.finished
    assert (stream.usage.prompt, stream.usage.completion) == (12, 7)


def test_our_own_stream_is_relayed_as_it_is() -> None:
    steps = [step("text", "Hi"), step("text_end", []), *call("f", "{}"), step("end", STOP)]
    frames = streamed(steps)
    answer = {**whole(steps), "model": "best"}
    telling = read(fed(frames.replace("data: [DONE]\n\n", "")))
    assert telling.response == answer
    assert USAGE.prompt == 12


def test_the_lifecycle_waits_for_the_first_item() -> None:
    stream = RESPONSES.relay_stream(answering())
    first, second, third = Decoder().feed(events(CREATED, IN_PROGRESS, DELTA))
    assert stream.feed(first) == stream.feed(second) == ""
    assert stream.feed(third).count("event: ") == 3


@pytest.mark.parametrize(
    ("said", "code"),
    [
        ({"type": "error", "error": {"code": "rate_limit_exceeded"}}, "rate_limit_exceeded"),
        ({"type": "error", "code": "server_error", "message": "no"}, "upstream_error"),
        (
            {"type": "response.failed", "response": {"error": {"code": "insufficient_quota"}}},
            "insufficient_quota",
        ),
        ({"type": "response.failed"}, "upstream_error"),
        ({"type": "response.cancelled", "response": {}}, "upstream_truncated"),
        ({"type": "response.completed"}, "bad_upstream_response"),
        ({"type": "two words"}, "bad_upstream_response"),
        ({"type": ["a"]}, "bad_upstream_response"),
    ],
    ids=["nested", "flat", "failed", "bare", "cancelled", "no response", "two words", "list"],
)
def test_a_failure_of_the_upstream_is_raised(said: Json, code: str) -> None:
    with pytest.raises(ApiError) as raised:
        fed(f"data: {json.encode(said)}\n\n")
    assert raised.value.code == code


@pytest.mark.parametrize("data", ["[DONE]", "{", "[]"])
def test_what_is_no_event_is_raised(data: str) -> None:
    with pytest.raises(UpstreamError):
        fed(f"data: {data}\n\n")


def test_a_stream_without_its_end_is_cut_off() -> None:
    with pytest.raises(UpstreamError, match="cut its answer off"):
        fed(events(CREATED, DELTA))


def test_a_failure_is_told_twice_with_the_next_numbers() -> None:
    stream = RESPONSES.relay_stream(answering())
    frames = [stream.feed(event) for event in Decoder().feed(events(CREATED, IN_PROGRESS, DELTA))]
    frames.append(stream.fail(truncated()))
    told = Decoder().feed("".join(frames))
    said = [json.decode_object(event.data) for event in told[:-1]]
    assert [event["sequence_number"] for event in said] == [0, 1, 2, 3, 4]
    assert said[3]["error"]["code"] == "upstream_truncated"
    assert said[4]["response"]["id"] == said[0]["response"]["id"]
    assert said[4]["response"]["status"] == "failed"
    assert told[-1].data == "[DONE]"


def test_a_failure_is_told_whole_however_much_of_the_request_it_repeats() -> None:
    tool = {"type": "function", "name": "f", "description": "x" * 2 * PIECE}
    stream = RESPONSES.relay_stream(answering(tools=[tool], instructions="y" * 2 * PIECE))
    frames = [stream.feed(event) for event in Decoder().feed(events(CREATED, DELTA))]
    frames.append(stream.fail(truncated()))
    while stream.waits:
        frames.append(stream.more())
    *_, failed, done = Decoder().feed("".join(frames))
    response = json.decode_object(failed.data)["response"]
    assert (response["status"], response["error"]["code"]) == ("failed", "server_error")
    assert (response["tools"][0]["description"], done.data) == ("x" * 2 * PIECE, "[DONE]")


def test_text_is_carried_with_its_number() -> None:
    stream = RESPONSES.relay_stream(answering())
    first, second, third = Decoder().feed(events(CREATED, DELTA, ADDED))
    stream.feed(first)
    frames = stream.feed(second)
    assert stream.lone_text == '"Hi\u2028\\n"'
    assert stream.sequence == 1
    assert frames.count("\n\n") == 2
    stream.moved(2, "ab")
    assert stream.sequence == 3
    stream.feed(third)
    assert stream.lone_text is None


def test_after_the_end_nothing_is_read() -> None:
    assert fed(events(COMPLETED) + "data: [DONE]\n\ndata: {\n\n").count("[DONE]") == 1
