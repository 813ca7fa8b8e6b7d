"""Reasoning: what the program sees of it, and that it goes back to the model that wrote it."""

import pytest

from tests.clients.replay import asked, named, replay
from tests.clients.sdk import Sdk
from tests.worker.upstream import Upstream

FOLDERS = ["anthropic/thinking", "vllm/reasoning"]


@pytest.mark.parametrize("name", FOLDERS)
def test_whole(sdk: Sdk, upstream: Upstream, name: str) -> None:
    scenario = named(name)
    upstream.answer_each(replay(scenario))

    message = sdk.create(scenario.json("request.json"))["choices"][0]["message"]

    assert message["reasoning_content"]
    assert message == scenario.json("reply.json")["choices"][0]["message"]


@pytest.mark.parametrize("name", FOLDERS)
def test_streamed_before_the_answer(sdk: Sdk, upstream: Upstream, name: str) -> None:
    scenario = named(name)
    upstream.answer_each(replay(scenario))

    chunks = sdk.chunks(scenario.json("request.json"))

    deltas = [chunk["choices"][0]["delta"] for chunk in chunks]
    expected = scenario.json("reply.json")["choices"][0]["message"]
    for field in ("reasoning_content", "content"):
        assert "".join(delta.get(field) or "" for delta in deltas) == expected[field]
    spoke = [bool(delta.get("content")) for delta in deltas]
    thought = [bool(delta.get("reasoning_content")) for delta in deltas]
    assert not any(thought[spoke.index(True) :])


@pytest.mark.parametrize("how", ["create", "stream"])
@pytest.mark.parametrize("first", ["thinking-with-tools", "redacted-thinking"])
def test_signed_thoughts_go_back_as_they_came(
    sdk: Sdk, upstream: Upstream, how: str, first: str
) -> None:
    scenario = named(f"anthropic/{first}")
    upstream.answer_each(replay(scenario, named("anthropic/text")))

    sdk.converse(how, scenario.json("request.json"), {"get_weather": "18 degrees"})

    second = asked(upstream.wait_for_call(2))
    assert second["messages"][-2] == {
        "role": "assistant",
        "content": scenario.json("upstream.json")["content"],
    }
    assert second["thinking"]["type"] == "enabled"
