"""Every scenario folder, played through the whole core: what goes upstream, and what comes back."""

from typing import Any

import pytest

from tests import accumulate
from tests.envelopes import opened, packed
from tests.play import Upstream, gateway, play
from tests.scenarios import Scenario, refused, scenarios
from xtrix import json
from xtrix.protocols import DIALECTS

JSON_TYPE = {"content-type": "application/json"}
SSE_TYPE = {"content-type": "text/event-stream; charset=utf-8"}
STAMPS = {"id": "chatcmpl-0", "created": 0, "system_fingerprint": "fp_0000000000"}


def stamped(completion: dict[str, Any]) -> dict[str, Any]:
    """`completion` with the ids and times that the folders use."""
    assert completion["id"].startswith("chatcmpl-")
    return opened(completion) | STAMPS  # type: ignore[no-any-return]


def whole(scenario: Scenario) -> Upstream:
    return Upstream(headers=JSON_TYPE, pieces=(scenario.bytes("upstream.json"),))


def streamed(scenario: Scenario, *pieces: bytes) -> Upstream:
    return Upstream(headers=SSE_TYPE, pieces=pieces or (scenario.bytes("upstream.sse"),))


def parsed(completion: dict[str, Any]) -> dict[str, Any]:
    """`completion` with the JSON of its calls' arguments read: its white space is the model's."""
    for choice in completion["choices"]:
        calls = choice["message"].get("tool_calls", [])
        for function in [call["function"] for call in calls if "function" in call]:
            if choice["finish_reason"] != "length":  # the limit may have cut them off
                function["arguments"] = json.decode(function["arguments"])
    return completion


def assert_error(error: dict[str, Any], expected: dict[str, Any]) -> None:
    """Asserts that `error` is `expected`, whose message is a part of the message of `error`."""
    assert expected["message"] in error["message"]
    assert error["message"]
    assert {**error, "message": ""} == {**expected, "message": ""}


def request_of(scenario: Scenario, *, stream: bool) -> dict[str, Any]:
    request: dict[str, Any] = packed(scenario.json("request.json"))
    return {**request, "stream": True} if stream else request


@pytest.mark.parametrize("scenario", scenarios("upstream_request.json"), ids=str)
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
def test_what_goes_upstream(scenario: Scenario, stream: bool) -> None:
    expected = scenario.json("upstream_request.json")
    if stream:
        expected["stream"] = True
        if scenario.dialect == "openai":
            expected["stream_options"] = {"include_usage": True}
    failing = Upstream(500, JSON_TYPE, (b"{}",))
    played = play(gateway(scenario.row()), request_of(scenario, stream=stream), [failing])
    assert len(played.calls) == 1, played.body
    assert json.decode(played.calls[0].body) == expected
    headers = scenario.json("upstream_headers.json", {})
    assert dict(played.calls[0].headers).items() >= headers.items()


@pytest.mark.parametrize("scenario", scenarios("upstream.json", "reply.json"), ids=str)
def test_whole_answer(scenario: Scenario) -> None:
    played = play(gateway(scenario.row()), request_of(scenario, stream=False), [whole(scenario)])
    assert played.status == 200
    assert stamped(played.json()) == scenario.json("reply.json")
    ignored = ", ".join(scenario.json("ignored.json", []))
    assert played.headers.get("x-ignored-parameters", "") == ignored


@pytest.mark.parametrize("scenario", scenarios("upstream.sse", "reply.json"), ids=str)
def test_streamed_answer_adds_up_to_the_whole_one(scenario: Scenario) -> None:
    request = request_of(scenario, stream=True)
    played = play(gateway(scenario.row()), request, [streamed(scenario)])
    assert played.status == 200
    added_up = stamped(accumulate.completion(played.body))
    assert parsed(added_up) == parsed(scenario.json("reply.json"))


@pytest.mark.parametrize("scenario", scenarios("upstream.sse", "reply.error.json"), ids=str)
def test_stream_that_fails_says_so_and_never_finishes(scenario: Scenario) -> None:
    request = request_of(scenario, stream=True)
    played = play(gateway(scenario.row()), request, [streamed(scenario)])
    *chunks, error, done = accumulate.frames(played.body)
    assert done == "[DONE]"
    assert_error(error["error"], scenario.json("reply.error.json"))
    assert all(choice["finish_reason"] is None for chunk in chunks for choice in chunk["choices"])


FAILING = [each for each in scenarios() if each.status_of("reply")]


@pytest.mark.parametrize("scenario", FAILING, ids=str)
def test_upstream_error(scenario: Scenario) -> None:
    status = scenario.status_of("reply")
    headers = scenario.json("headers.json", {})
    if scenario.has("upstream.sse"):
        upstream = streamed(scenario)
    else:
        theirs = scenario.status_of("upstream")
        assert theirs
        body = scenario.bytes(f"upstream.{theirs}.json")
        upstream = Upstream(theirs, JSON_TYPE | headers.get("upstream", {}), (body,))
    for stream in (True,) if scenario.has("upstream.sse") else (False, True):
        request = request_of(scenario, stream=stream)
        played = play(gateway(scenario.row()), request, [upstream])
        assert played.status == status
        assert_error(played.json()["error"], scenario.json(f"reply.{status}.json")["error"])
        assert played.headers.items() >= headers.get("reply", {}).items()


def _refusals() -> list[Any]:
    return [
        pytest.param(scenario, dialect, id=f"{scenario.name}-{dialect}")
        for scenario in refused()
        for said in [scenario.bytes("dialect").decode().strip()]
        for dialect in (DIALECTS if said == "any" else said.split())
    ]


@pytest.mark.parametrize(("scenario", "dialect"), _refusals())
def test_refused_request(scenario: Scenario, dialect: str) -> None:
    row = scenario.row() | {"dialect": dialect}
    played = play(gateway(row), request_of(scenario, stream=False))
    assert played.status == 400
    assert_error(played.json()["error"], scenario.json("reply.400.json")["error"])
    assert played.calls == []
