"""Tools: one and several at once, whole and streamed, and their results on the way back."""

import json
from typing import Any

import pytest

from tests.clients.replay import asked, named, replay
from tests.clients.sdk import Json, Sdk
from tests.scenarios import Scenario
from tests.worker.upstream import Upstream

HOW = ["create", "stream", "parse", "parse_stream"]
RETURNED = {"get_weather": "18 degrees", "get_time": "14:00"}


def calls_in(scenario: Scenario) -> list[dict[str, Any]]:
    """The calls that the folder's answer makes."""
    calls: list[dict[str, Any]] = scenario.json("reply.json")["choices"][0]["message"]["tool_calls"]
    return calls


def stripped(calls: list[Json]) -> list[Json]:
    """`calls` with their arguments read, and without what the SDK adds."""
    return [
        {
            "id": call["id"],
            "type": call["type"],
            "name": call["function"]["name"],
            "arguments": json.loads(call["function"]["arguments"]),
        }
        for call in calls
    ]


@pytest.mark.parametrize("how", HOW)
@pytest.mark.parametrize("which", ["tools-single", "tools-parallel"])
def test_calls(sdk: Sdk, upstream: Upstream, dialect: str, which: str, how: str) -> None:
    scenario = named(f"{dialect}/{which}")
    upstream.answer_each(replay(scenario))

    choice = sdk.do(how, scenario.json("request.json"))["choices"][0]

    calls = choice["message"]["tool_calls"]
    assert choice["finish_reason"] == "tool_calls"
    assert stripped(calls) == stripped(calls_in(scenario))
    if how.startswith("parse"):
        read = [call["function"]["parsed_arguments"] for call in calls]
        assert read == [call["arguments"] for call in stripped(calls)]


@pytest.mark.parametrize("which", ["tools-single", "tools-parallel"])
def test_streamed_calls_count_from_zero(
    sdk: Sdk, upstream: Upstream, dialect: str, which: str
) -> None:
    scenario = named(f"{dialect}/{which}")
    upstream.answer_each(replay(scenario))

    chunks = sdk.chunks(scenario.json("request.json"))

    deltas = [
        call for chunk in chunks for call in chunk["choices"][0]["delta"].get("tool_calls", ())
    ]
    expected = calls_in(scenario)
    assert [delta["index"] for delta in deltas if "id" in delta] == list(range(len(expected)))
    for index, call in enumerate(expected):
        first, *rest = [delta for delta in deltas if delta["index"] == index]
        assert (first["id"], first["type"]) == (call["id"], "function")
        assert first["function"]["name"] == call["function"]["name"]
        assert not any("id" in delta or "name" in delta["function"] for delta in rest)


@pytest.mark.parametrize("how", HOW)
def test_the_results_go_back_to_the_model(
    sdk: Sdk, upstream: Upstream, dialect: str, how: str
) -> None:
    first, second = named(f"{dialect}/tools-parallel"), named(f"{dialect}/text")
    upstream.answer_each(replay(first, second))

    completion = sdk.converse(how, first.json("request.json"), RETURNED)

    assert completion["choices"][0]["message"]["content"] == "The capital of France is Paris."
    user, *turn = asked(upstream.wait_for_call(2))["messages"]
    assert user == first.json("upstream_request.json")["messages"][0]
    BACK[dialect](turn, stripped(calls_in(first)))


def _back_at_anthropic(turn: list[Json], calls: list[Json]) -> None:
    assistant, results = turn
    assert assistant == {
        "role": "assistant",
        "content": [
            {
                "type": "tool_use",
                "id": call["id"],
                "name": call["name"],
                "input": call["arguments"],
            }
            for call in calls
        ],
    }
    assert results == {
        "role": "user",
        "content": [
            {
                "type": "tool_result",
                "tool_use_id": call["id"],
                "content": RETURNED[call["name"]],
            }
            for call in calls
        ],
    }


def _back_at_openai(turn: list[Json], calls: list[Json]) -> None:
    assistant, *results = turn
    assert assistant["role"] == "assistant"
    assert not assistant.get("content")
    assert stripped(assistant["tool_calls"]) == calls
    assert results == [
        {"role": "tool", "tool_call_id": call["id"], "content": RETURNED[call["name"]]}
        for call in calls
    ]


BACK = {"anthropic": _back_at_anthropic, "openai": _back_at_openai}
