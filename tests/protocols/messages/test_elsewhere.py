"""Clients of Messages with upstreams of the other protocols, in both directions.

The request for such an upstream must mean what Claude Code meant. Each of its answers must become a
message that Anthropic's SDK accepts, streamed and whole.
"""

from typing import Any

import pytest

from tests.protocols.messages import sdk
from tests.protocols.messages.answering import CARRIER, STAMP, answering, prompt, recorded, request
from tests.protocols.messages.test_junk import GONE, JUNK, places, put
from tests.scenarios import Scenario, scenarios
from xtrix import json
from xtrix.errors import ClientError, UpstreamError
from xtrix.prompt import Origin
from xtrix.protocol import Answering, Translation
from xtrix.protocols import PROTOCOLS
from xtrix.protocols.messages import MESSAGES
from xtrix.providers import Provider, Target
from xtrix.sse import Decoder, Event

CHAT = PROTOCOLS["chat"]
RESPONSES = PROTOCOLS["responses"]
TARGETS = {
    codec.name: (codec, Target(Provider("row", dialect, "https://upstream.test/v1"), "gpt-5.5"))
    for codec, dialect in ((CHAT, "openai"), (RESPONSES, "openai-responses"))
}
STREAMS = [each for each in scenarios("upstream.sse") if each.dialect == "openai"]
BOTH = [each for each in STREAMS if each.has("upstream.json") and each.has("reply.json")]


def asked(name: str, fields: dict[str, Any] | bytes) -> dict[str, Any]:
    """The request that an upstream of the protocol `name` gets."""
    codec, target = TARGETS[name]
    return json.decode_object(codec.encode_prompt(prompt(fields), target).request.body)


# There


def test_claude_codes_request_for_chat_completions() -> None:
    messages = asked("chat", recorded("claude_code"))["messages"]
    kinds = [(each["role"], each.get("tool_call_id")) for each in messages]
    results = ["toolu_01A", "toolu_01B", "toolu_01C", "toolu_01D"]
    at = kinds.index(("tool", results[0]))
    assert kinds[at : at + 4] == [("tool", call_id) for call_id in results]
    assert messages[at + 2]["content"] == "Error: cat: missing: No such file or directory"
    assert messages[at + 3]["content"] == "Loaded: mcp__tracker__create_issue"
    assert messages[at + 4]["role"] == "user", "pictures and documents follow the results"
    shown = [part["type"] for part in messages[at + 4]["content"]]
    assert {"image_url", "file"} <= set(shown)
    told = json.encode(messages)
    assert "billing" not in told
    assert "DeferredToolPlaceholder" not in json.encode(asked("chat", recorded("claude_code")))
    empty = next(each for each in messages if each.get("tool_call_id") == "toolu_01E")
    assert empty["content"].strip()


def test_claude_codes_request_for_responses() -> None:
    body = asked("responses", recorded("claude_code"))
    calls = [item["call_id"] for item in body["input"] if item.get("type") == "function_call"]
    outputs = [
        item["call_id"] for item in body["input"] if item.get("type") == "function_call_output"
    ]
    assert sorted(calls) == sorted(outputs) == [f"toolu_01{letter}" for letter in "ABCDE"]
    assert [tool["name"] for tool in body["tools"]] == [
        *("Bash", "mcp__tracker__create_issue", "Read", "ToolSearch"),
    ]
    told = json.encode(body)
    assert "billing" not in told
    assert "Loaded: mcp__tracker__create_issue" in told
    assert body["reasoning"]["effort"] == "high"


@pytest.mark.parametrize("protocol", TARGETS)
@pytest.mark.parametrize("name", ["claude_code", "everything"])
def test_junk_is_the_clients_fault_whatever_the_upstream_speaks(protocol: str, name: str) -> None:
    codec, target = TARGETS[protocol]
    whole = json.decode(recorded(name))
    statuses = set()
    for path in places(whole):
        for junk in (*JUNK, GONE):
            try:
                made = request(json.encode_body(put(whole, path, junk)))
                codec.encode_prompt(MESSAGES.decode_prompt(made, CARRIER), target)
            except ClientError as refused:
                statuses.add(refused.status)
    assert statuses == {400}


# And back


def events_of(scenario: Scenario) -> list[Event]:
    """The events of a recorded stream."""
    decoder = Decoder()
    return [*decoder.feed(scenario.bytes("upstream.sse").decode()), *decoder.close()]


def streamed(events: list[Event]) -> str:
    """The frames of a stream, with its end or its failure."""
    of = answered()
    writer = MESSAGES.stream_writer(of)
    stream = Translation(CHAT.reader(writer, of), writer)
    frames = ""
    try:
        for event in events:
            frames += "" if stream.finished else stream.feed(event)
        return frames + ("" if stream.finished else stream.close())
    except UpstreamError as error:
        return frames + stream.fail(error) if frames else ""


def answered() -> Answering:
    """An answer of a chat upstream to a client of Messages."""
    of = answering()
    return of._replace(stamp=STAMP, origin=Origin("row", "gpt-5.5", "chat"))


def whole(body: bytes) -> dict[str, Any]:
    """A whole answer."""
    of = answered()
    writer = MESSAGES.whole_writer(of)
    CHAT.reader(writer, of).whole(body)
    return writer.body()


@pytest.mark.parametrize("scenario", STREAMS, ids=str)
def test_every_recorded_stream_is_a_message_or_a_failure(scenario: Scenario) -> None:
    events = events_of(scenario)
    for count in range(len(events) + 1):
        frames = streamed(events[:count])
        if not frames:
            continue
        told = sdk.events(frames)
        if told[-1]["type"] == "error":
            assert "message_stop" not in [event["type"] for event in told]
            assert told[-1]["request_id"] == "req_1"
        else:
            sdk.message(frames)
    if scenario.has("reply.json"):
        assert sdk.events(frames)[-1]["type"] == "message_stop"


@pytest.mark.parametrize("scenario", BOTH, ids=str)
def test_a_recorded_stream_adds_up_to_the_whole_answer(scenario: Scenario) -> None:
    frames = streamed(events_of(scenario))
    assert sdk.message(frames) == sdk.valid(whole(scenario.bytes("upstream.json")))
