"""Answers of OpenAI-compatible upstreams, written for Anthropic's clients."""

from typing import Any

import pytest

from tests.protocols.chat.reading import called, delta, events_of, fragment
from tests.protocols.messages import sdk
from tests.protocols.messages.answering import ORIGIN, answering, of_turns, prompt, recorded
from tests.scenarios import Scenario, scenarios
from xtrix import json
from xtrix.answer import Expected
from xtrix.errors import UpstreamError
from xtrix.protocol import Translation
from xtrix.protocols.chat.encode import encode_prompt
from xtrix.protocols.chat.reader import Reader
from xtrix.protocols.messages.writer import StreamWriter, WholeWriter
from xtrix.providers import Provider, Quirks, Target
from xtrix.sse import Event

Json = dict[str, Any]

CHAT = [
    each
    for each in scenarios("upstream.sse")
    # A client of Messages has no tools that take text.
    if each.dialect == "openai" and each.name != "tools-custom"
]
BOTH = [each for each in CHAT if each.has("upstream.json") and each.has("reply.json")]


def streamed(events: list[Event], expected: Expected | None = None) -> str:
    """The frames of a stream, with its end or its failure."""
    of = answering(expected)
    writer = StreamWriter(of)
    stream = Translation(Reader(writer, of), writer)
    frames = ""
    try:
        for event in events:
            frames += stream.feed(event)
        return frames + stream.close()
    except UpstreamError as error:
        return frames + stream.fail(error) if frames else ""


def whole(body: bytes, expected: Expected | None = None) -> Json:
    """The object of a whole answer."""
    of = answering(expected)
    writer = WholeWriter(of)
    Reader(writer, of).whole(body)
    return writer.body()


@pytest.mark.parametrize("scenario", CHAT, ids=str)
def test_every_recorded_stream_keeps_to_the_grammar(scenario: Scenario) -> None:
    events = events_of(scenario.bytes("upstream.sse"))
    frames = streamed(events)
    if scenario.has("reply.json"):
        sdk.message(frames)
    for count in range(len(events)):
        told = sdk.events(streamed(events[:count])) if streamed(events[:count]) else []
        assert not told or told[-1]["type"] in {"message_stop", "error"}


@pytest.mark.parametrize("scenario", BOTH, ids=str)
def test_a_stream_adds_up_to_the_whole_answer(scenario: Scenario) -> None:
    frames = streamed(events_of(scenario.bytes("upstream.sse")))
    assert sdk.message(frames) == sdk.valid(whole(scenario.bytes("upstream.json")))


def chunks(*said: Any) -> list[Event]:
    return [Event("message", json.encode(each)) for each in said]


def test_reasoning_between_calls_and_text() -> None:
    events = chunks(
        delta({"reasoning": "a"}),
        delta({"content": "b"}),
        called(fragment('{"x":', "f", index=0, id="1"), fragment("{}", "g", index=1, id="2")),
        delta({"reasoning": "c"}),
        called(fragment("1}", index=0)),
        delta({"content": "d"}, "tool_calls"),
    )
    told = sdk.message(streamed(events))
    kinds = [block["type"] for block in told["content"]]
    assert kinds == ["thinking", "text", "tool_use", "tool_use", "thinking", "text"]
    assert told["content"][2]["input"] == {"x": 1}
    assert told["stop_reason"] == "tool_use"


def target(quirks: Quirks | None = None, name: str = ORIGIN.provider) -> Target:
    row = Provider(name, "openai", "https://up.test/v1", quirks=quirks or Quirks())
    return Target(row, ORIGIN.model)


def body_of(wanted: Any, to: Target) -> Json:
    return json.decode_object(encode_prompt(wanted, to).request.body)


@pytest.mark.parametrize(
    ("message", "quirks"),
    [
        ({"content": "a", "reasoning_content": "Hm"}, Quirks(reasoning_back=True)),
        (
            {
                "content": "a",
                "reasoning": "Hm",
                "reasoning_details": [
                    {"type": "reasoning.text", "text": "Hm", "signature": "s", "index": 0},
                    {"type": "reasoning.encrypted", "data": "x", "index": 1},
                ],
            },
            Quirks(),
        ),
        (
            {
                "content": None,
                "tool_calls": [
                    {
                        **fragment("{}", "f", id="functions.f:0", type="function"),
                        "extra_content": {"g": {"s": "x"}},
                    },
                    fragment("{}", "f", id="functions.f:1", type="function"),
                ],
            },
            Quirks(),
        ),
    ],
)
def test_what_an_upstream_wants_back_comes_back(message: Json, quirks: Quirks) -> None:
    answer = {"choices": [{"index": 0, "message": message, "finish_reason": "stop"}]}
    expected = Expected(reasoning_back=quirks.reasoning_back)
    content = whole(json.encode_body(answer), expected)["content"]
    results = [
        {"type": "tool_result", "tool_use_id": block["id"], "content": "1"}
        for block in content
        if block["type"] == "tool_use"
    ]
    turns = of_turns(
        {"role": "user", "content": "Hi"},
        {"role": "assistant", "content": content},
        {"role": "user", "content": [*results, {"type": "text", "text": "And?"}]},
    )
    found = body_of(turns, target(quirks))["messages"][1]
    for call in [*found.get("tool_calls", ()), *message.get("tool_calls", ())]:
        del call["id"]
    kept = {key: it for key, it in message.items() if key != "reasoning"}
    assert found == {"role": "assistant", **kept}
    elsewhere = json.encode(body_of(turns, target(name="other"))["messages"][1])
    assert not any(name in elsewhere for name in ("reasoning", "extra_content"))


# Requests


def test_claude_code_on_a_model_of_openais() -> None:
    """A conversation with several tool calls, pictures in results, system text in the middle, and a
    search for tools.
    """
    wanted = prompt(recorded("claude_code"))
    row = target(Quirks(takes=("safety_identifier", "prompt_cache_key")))._replace(model="gpt-5.2")
    encoded = encode_prompt(wanted, row)
    body = json.decode_object(encoded.request.body)
    assert [message["role"] for message in body["messages"]] == [
        *("system", "user", "system", "assistant", "tool", "tool", "tool", "tool", "user"),
        *("assistant", "tool", "system"),
    ]
    assert body["messages"][4]["content"] == "[image: see the next message]"
    assert [part["type"] for part in body["messages"][8]["content"]] == [
        *("text", "image_url", "text", "file", "text"),
    ]
    assert body["max_completion_tokens"] == 64000
    assert body["reasoning_effort"] == "high"
    assert "cache_control" not in json.encode(body)
    assert "billing" not in json.encode(body)
    names = [each["function"]["name"] for each in body["tools"]]
    assert "mcp__tracker__create_issue" in names, "it was found"
    assert "DeferredToolPlaceholder" not in names
    assert encoded.ignored == ("cache_control", "context_management", "thinking.display")


def test_claude_code_on_a_model_that_nobody_knows() -> None:
    encoded = encode_prompt(prompt(recorded("claude_code")), target()._replace(model="local"))
    body = json.decode_object(encoded.request.body)
    roles = [message["role"] for message in body["messages"]]
    assert roles.count("system") == 1
    assert roles[0] == "system"
    assert roles[-1] == "user", "system text at the end is the user's"
    assert all(isinstance(message["content"], str | None) for message in body["messages"][:4])
    assert "reasoning_effort" not in body
    assert encoded.ignored == (
        *("cache_control", "context_management", "metadata.user_id", "output_config.effort"),
        *("thinking", "thinking.display"),
    )
