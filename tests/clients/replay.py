"""Replays the upstream's answers of the scenario folders: whole, streamed, or as an error."""

import json
import re
from collections.abc import Mapping
from typing import Any

from tests.scenarios import Scenario, scenarios
from tests.worker.scripts import JSON, Script, stream, whole
from tests.worker.upstream import Call, Plan

RESPONSES = "replayed-openai-responses/"
"""Goes before a model's name: the row that speaks Responses, because another row has the same
models."""

_BY_NAME = {str(scenario): scenario for scenario in scenarios()}


def named(name: str) -> Scenario:
    """Returns the folder `provider/scenario`."""
    return _BY_NAME[name]


def by_row(scenario: Scenario) -> dict[str, Any]:
    """The request of `scenario`. A model of two rows is asked for with its row's name."""
    request: dict[str, Any] = scenario.json("request.json")
    prefix = RESPONSES if scenario.dialect == "openai-responses" else ""
    return {**request, "model": prefix + request["model"]}


def replay(*turns: Scenario, headers: Mapping[str, str] | None = None) -> Plan:
    """Plays one of these upstreams for each call, and the last one for every further call.

    Errors have these headers, instead of their own of the same name.
    """
    left = list(turns)

    def plan(call: Call) -> Script:
        scenario = left.pop(0) if len(left) > 1 else left[0]
        status = scenario.status_of("upstream")
        if status is None:
            return _spoken(call, scenario)
        own = scenario.json("headers.json", {}).get("upstream", {})
        body = scenario.bytes(f"upstream.{status}.json")
        return whole(status, body, [*JSON, *{**own, **(headers or {})}.items()])

    return plan


def ended(scenario: Scenario, reason: str) -> Plan:
    """Plays this upstream, with another finish reason in its dialect."""
    return lambda call: _spoken(call, scenario, reason)


def asked(call: Call) -> dict[str, Any]:
    """Returns the request that reached the upstream, without the fields that ask for a stream."""
    request: dict[str, Any] = json.loads(call.body)
    streaming = {"stream", "stream_options"}
    return {name: value for name, value in request.items() if name not in streaming}


def _spoken(call: Call, scenario: Scenario, reason: str | None = None) -> Script:
    streamed = json.loads(call.body).get("stream")
    body = scenario.bytes("upstream.sse" if streamed else "upstream.json")
    if reason:
        body = re.sub(rb'"(end_turn|stop)"', f'"{reason}"'.encode(), body)
    return stream([body]) if streamed else whole(200, body)
