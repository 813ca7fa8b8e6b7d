"""Answers of OpenAI-compatible upstreams, written for clients of Responses."""

from typing import Any

import pytest

from tests.protocols.chat.reading import ORIGIN, called, delta, events_of, fragment
from tests.protocols.responses.grammar import read
from tests.scenarios import Scenario, scenarios
from xtrix import json
from xtrix.answer import Expected, ToolName
from xtrix.errors import UpstreamError
from xtrix.protocol import Answering, Request, Stamp, Translation
from xtrix.protocols.chat.encode import encode_prompt
from xtrix.protocols.chat.reader import Reader
from xtrix.protocols.responses.request import decode_prompt
from xtrix.protocols.responses.writer import StreamWriter, WholeWriter
from xtrix.providers import Provider, Quirks, Target
from xtrix.reasoning import Carrier
from xtrix.sse import Event

Json = dict[str, Any]

CARRIER = Carrier(b"secret", b"client")
CHAT = [each for each in scenarios("upstream.sse") if each.dialect == "openai"]
BOTH = [each for each in CHAT if each.has("upstream.json") and each.has("reply.json")]


def answering(expected: Expected | None = None) -> Answering:
    request = Request({"model": "model", "input": "Hi"}, b"", "model", stream=True)
    stamp = Stamp("0" * 32, 0, "model", "fp_0")
    return Answering(request, stamp, ORIGIN, CARRIER, expected or Expected())


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
    of = answering(expected)
    writer = WholeWriter(of)
    Reader(writer, of).whole(body)
    return writer.body()


def plain(response: Json) -> Json:
    """Removes the white space of arguments, which can differ between whole answers and streams."""
    for item in response["output"]:
        if "arguments" in item and isinstance(item["arguments"], str):
            item["arguments"] = json.encode(json.decode(item["arguments"]))
    return response


@pytest.mark.parametrize("scenario", CHAT, ids=str)
def test_every_recorded_stream_keeps_to_the_grammar(scenario: Scenario) -> None:
    events = events_of(scenario.bytes("upstream.sse"))
    frames = streamed(events)
    if frames:
        telling = read(frames)
        assert (telling.error is None) == scenario.has("reply.json")
    for count in range(len(events)):
        cut = streamed(events[:count])
        if cut:
            read(cut)


@pytest.mark.parametrize("scenario", BOTH, ids=str)
def test_a_stream_ends_with_the_whole_answer(scenario: Scenario) -> None:
    telling = read(streamed(events_of(scenario.bytes("upstream.sse"))))
    once = whole(scenario.bytes("upstream.json"))
    assert plain(telling.response) == plain(once)


def chunks(*said: Any) -> list[Event]:
    return [Event("message", json.encode(each)) for each in said]


def test_interleaved_calls_and_a_custom_tool() -> None:
    expected = Expected(
        tools={"patch": ToolName("patch", "custom"), "a__f": ToolName("f", "function", "a")}
    )
    events = chunks(
        called(
            fragment('{"x":', "a__f", index=0, id="1"), fragment('{"inp', "patch", index=1, id="2")
        ),
        called(fragment('ut":"ls"}', index=1), fragment("1}", index=0)),
        delta({"content": "Done."}, "tool_calls"),
    )
    response = read(streamed(events, expected)).response
    first, second, third = response["output"]
    assert (first["name"], first["namespace"], first["arguments"]) == ("f", "a", '{"x":1}')
    assert (second["type"], second["input"]) == ("custom_tool_call", "ls")
    assert third["content"][0]["text"] == "Done."


# What an upstream wants back makes the round through a client of Responses


def turned_round(upstream: Json, to: Target) -> Json:
    """The assistant's message of the next request, of a client that sends every item back."""
    response = whole(
        json.encode_body(upstream), Expected(reasoning_back=to.provider.quirks.reasoning_back)
    )
    outputs = [
        {"type": "function_call_output", "call_id": item["call_id"], "output": "1"}
        for item in response["output"]
        if item["type"] == "function_call"
    ]
    fields = {
        "model": "model",
        "input": [
            {"role": "user", "content": "Hi"},
            *response["output"],
            *outputs,
            {"role": "user", "content": "And?"},
        ],
    }
    prompt = decode_prompt(Request(fields, b"", "model", stream=False), CARRIER)
    body = json.decode_object(encode_prompt(prompt, to).request.body)
    found: Json = next(each for each in body["messages"] if each["role"] == "assistant")
    return found


def target(quirks: Quirks | None = None, name: str = ORIGIN.provider) -> Target:
    row = Provider(name, "openai", "https://up.test/v1", quirks=quirks or Quirks())
    return Target(row, ORIGIN.model)


def answer(**message: Any) -> Json:
    return {"choices": [{"index": 0, "message": message, "finish_reason": "stop"}]}


@pytest.mark.parametrize(
    ("message", "quirks"),
    [
        ({"content": "a", "reasoning_content": "Hm"}, Quirks(reasoning_back=True)),
        (
            {
                "content": None,
                "reasoning_content": "Hm",
                "tool_calls": [fragment("{}", "f", id="c", type="function")],
            },
            Quirks(reasoning_back=True),
        ),
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
                        **fragment("{}", "f", id="c", type="function"),
                        "extra_content": {"g": {"s": "x"}},
                    },
                    fragment("{}", "f", id="d", type="function"),
                ],
            },
            Quirks(),
        ),
    ],
)
def test_it_comes_back_as_it_was(message: Json, quirks: Quirks) -> None:
    found = turned_round(answer(**message), target(quirks))
    expected = {key: it for key, it in message.items() if key != "reasoning"}
    assert found == {"role": "assistant", **expected}
    elsewhere = turned_round(answer(**message), target(name="other"))
    assert not {"reasoning_content", "reasoning_details", "reasoning"} & elsewhere.keys()
    assert "extra_content" not in json.encode(elsewhere)
