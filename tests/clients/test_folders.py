"""Every golden folder that is answered, through both SDKs: text, tools, images, files, thinking,
structured output. What the program gets, and what the upstream got, is what the folder says.
"""

import json
from typing import Any

import pytest

from tests.clients.replay import RESPONSES, asked, by_row, replay
from tests.clients.sdk import Json, Sdk
from tests.clients.versions import PRESENT
from tests.envelopes import unsigned
from tests.scenarios import Scenario, scenarios
from tests.worker.upstream import Upstream

pytestmark = PRESENT

STAMPS = {"id": "chatcmpl-0", "created": 0, "system_fingerprint": "fp_0000000000"}
LATE = {"openai-responses": frozenset({"service_tier"})}
"""What an upstream says only at its end, by dialect. openai-python reads it in the first chunk."""

FILLED_IN = {"index", "parsed", "parsed_arguments"}
"""What the helpers add to a message."""

HELPER_RAISES = {"length", "content_filter"}
"""The finish reasons that test_structured.py is about."""


def _folders() -> list[Scenario]:
    return [
        scenario
        for scenario in scenarios("upstream.json", "upstream.sse", "reply.json")
        # These need rows of their own: a quirk, or one model's name in two dialects.
        if not scenario.has("row.json") and scenario.provider != "llamacpp-messages"
        # What such a request returns is good for one gateway; the core's own test packs it for its.
        if b'"origin"' not in scenario.bytes("request.json")
    ]


def _added_up() -> list[Scenario]:
    return [
        scenario
        for scenario in _folders()
        for reasons in [{it["finish_reason"] for it in scenario.json("reply.json")["choices"]}]
        # openai-python 3.54.0 has an AttributeError in its helper when a custom tool is called,
        # and a TypeError where `tools` is null.
        if not reasons & HELPER_RAISES and scenario.name not in {"tools-custom", "tools-mixed"}
        if scenario.json("request.json").get("tools", ()) is not None
        if not _breaks_its_schema(scenario)
    ]


def _breaks_its_schema(scenario: Scenario) -> bool:
    """Whether JSON was asked for and prose came: openai-node 7.5.0's helper then raises."""
    asked_for = scenario.json("request.json").get("response_format") or {}
    (choice, *_) = scenario.json("reply.json")["choices"]
    content = choice["message"]["content"] or ""
    return asked_for.get("type") == "json_schema" and not content.lstrip().startswith("{")


@pytest.mark.parametrize("scenario", _folders(), ids=str)
def test_a_whole_answer(sdk: Sdk, upstream: Upstream, scenario: Scenario) -> None:
    upstream.answer_each(replay(scenario))

    completion = sdk.create(by_row(scenario))

    assert settled(completion) == settled(scenario.json("reply.json"))
    assert asked(upstream.wait_for_call()) == scenario.json("upstream_request.json")


@pytest.mark.parametrize("scenario", _added_up(), ids=str)
def test_a_stream_adds_up(sdk: Sdk, upstream: Upstream, scenario: Scenario) -> None:
    upstream.answer_each(replay(scenario))

    completion = sdk.stream(by_row(scenario))

    forgotten = sdk.forgets | LATE.get(scenario.dialect, frozenset())
    expected = said(settled(scenario.json("reply.json")), forgotten)
    assert said(settled(completion), forgotten) == expected
    assert asked(upstream.wait_for_call()) == scenario.json("upstream_request.json")


def settled(completion: Json) -> Json:
    """`completion` with the folders' ids and times, and with decoded arguments."""
    settled: dict[str, Any] = unsigned(json.loads(json.dumps(completion)))
    for choice in settled["choices"]:
        for call in choice["message"].get("tool_calls") or ():
            if "function" in call and choice["finish_reason"] != "length":  # that cuts them off
                call["function"]["arguments"] = json.loads(call["function"]["arguments"])
    settled["model"] = settled["model"].removeprefix(RESPONSES)
    return settled | STAMPS


def said(value: Json, forgotten: frozenset[str]) -> Json:
    """`value` without empty members, and without those that a helper fills in or loses."""
    if isinstance(value, list):
        return [said(item, forgotten) for item in value]
    if isinstance(value, dict):
        return {
            name: said(inner, forgotten)
            for name, inner in value.items()
            if inner not in (None, "") and name not in FILLED_IN | forgotten
        }
    return value
