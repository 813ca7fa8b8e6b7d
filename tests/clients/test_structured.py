"""Structured output, and the cases in which the SDKs refuse to parse, as with OpenAI itself."""

import json

import pytest

from tests.clients.replay import asked, ended, named, replay
from tests.clients.sdk import Sdk, raised
from tests.clients.versions import PRESENT
from tests.worker.upstream import Upstream

pytestmark = PRESENT
# openai-node 6 parses a stream only where zod has made the schema.

PARSING = ["parse", "parse_stream"]
TOO_LONG = {"anthropic": "max_tokens", "openai": "length"}
FOLDERS = [
    "anthropic/structured-output",
    "anthropic/structured-output-forced-tool",
    "openai/structured-output",
]


@pytest.mark.parametrize("how", PARSING)
@pytest.mark.parametrize("name", FOLDERS)
def test_parsed(sdk: Sdk, upstream: Upstream, name: str, how: str) -> None:
    scenario = named(name)
    upstream.answer_each(replay(scenario))

    choice = sdk.do(how, scenario.json("request.json"))["choices"][0]

    expected = json.loads(scenario.json("reply.json")["choices"][0]["message"]["content"])
    assert choice["message"]["parsed"] == expected
    assert json.loads(choice["message"]["content"]) == expected
    assert choice["finish_reason"] == "stop"
    assert not choice["message"].get("tool_calls")


def test_the_schema_reaches_claude(sdk: Sdk, upstream: Upstream) -> None:
    scenario = named("anthropic/structured-output")
    upstream.answer_each(replay(scenario))

    sdk.parse(scenario.json("request.json"))

    sent = asked(upstream.wait_for_call())
    assert "response_format" not in sent
    schema = sent["output_config"]["format"]["schema"]
    assert schema["properties"].keys() == {"name", "born", "home"}
    assert schema["properties"]["name"]["description"] == "Full name."
    # Python's SDK gives the inner object a name of its own, Node's leaves it in place.
    home = schema.get("$defs", {}).get("City", schema["properties"]["home"])
    assert home["properties"]["city"]["type"] == "string"
    assert schema["additionalProperties"] is home["additionalProperties"] is False


@pytest.mark.parametrize("how", PARSING)
def test_length_raises(sdk: Sdk, upstream: Upstream, dialect: str, how: str) -> None:
    scenario = named(f"{dialect}/structured-output")
    upstream.answer_each(ended(scenario, TOO_LONG[dialect]))

    error = raised(sdk, how, scenario.json("request.json"))

    assert error.kind == "LengthFinishReasonError"


@pytest.mark.parametrize("how", PARSING)
def test_a_refusal_of_claude_raises(sdk: Sdk, upstream: Upstream, how: str) -> None:
    scenario = named("anthropic/structured-output")
    upstream.answer_each(ended(scenario, "refusal"))

    error = raised(sdk, how, scenario.json("request.json"))

    assert error.kind == "ContentFilterFinishReasonError"


@pytest.mark.parametrize("how", ["create", *PARSING])
def test_a_refusal_of_gpt_is_a_message(sdk: Sdk, upstream: Upstream, how: str) -> None:
    scenario = named("openai/refusal")
    upstream.answer_each(replay(scenario))

    message = sdk.do(how, scenario.json("request.json"))["choices"][0]["message"]

    assert message["refusal"] == "I'm sorry, I can't help with that."
    assert not message["content"]
    assert not message.get("parsed")


@pytest.mark.parametrize(
    ("name", "refusal"),
    [
        ("anthropic/refusal", "This request could enable cyber harm."),
        ("openai/refusal", "I'm sorry, I can't help with that."),
    ],
)
def test_a_refusal_is_streamed(sdk: Sdk, upstream: Upstream, name: str, refusal: str) -> None:
    scenario = named(name)
    upstream.answer_each(replay(scenario))

    chunks = sdk.chunks(scenario.json("request.json"))

    assert "".join(it["choices"][0]["delta"].get("refusal") or "" for it in chunks) == refusal
    expected = scenario.json("reply.json")["choices"][0]["finish_reason"]
    assert chunks[-1]["choices"][0]["finish_reason"] == expected


def test_length_is_told_where_nothing_is_parsed(sdk: Sdk, upstream: Upstream, dialect: str) -> None:
    scenario = named(f"{dialect}/length")
    upstream.answer_each(replay(scenario))

    chunks = sdk.chunks(scenario.json("request.json"))

    (expected,) = scenario.json("reply.json")["choices"]
    assert chunks[-1]["choices"][0]["finish_reason"] == expected["finish_reason"] == "length"
    text = "".join(it["choices"][0]["delta"].get("content") or "" for it in chunks)
    assert text == expected["message"]["content"]
