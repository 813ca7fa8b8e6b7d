"""Counting tokens: by the upstream that can, by an estimate else, or not at all."""

from typing import Any

import pytest

from tests.play import Played, Upstream, gateway, head, play
from xtrix.steps import Failure

JSON_TYPE = {"content-type": "application/json"}
ROW: dict[str, Any] = {
    "name": "up",
    "dialect": "anthropic",
    "base_url": "http://upstream.test/v1",
    "api_key": "UPSTREAM_KEY",
    "models": ["*"],
}
ASKED = {"model": "m", "messages": [{"role": "user", "content": "word " * 100}]}


def counted(
    *upstreams: Upstream, path: str = "/v1/messages/count_tokens", asked: Any = None, **row: Any
) -> Played:
    return play(gateway({**ROW, **row}), asked or ASKED, upstreams, head(path))


def answer(body: bytes, status: int = 200) -> Upstream:
    return Upstream(status, JSON_TYPE, (body,))


@pytest.mark.parametrize("path", ["/v1/messages/count_tokens", "/messages/count_tokens"])
def test_an_upstream_that_counts_is_asked(path: str) -> None:
    played = counted(answer(b'{"input_tokens":7,"more":[1]}'), path=path)
    assert (played.status, played.body) == (200, '{"input_tokens":7,"more":[1]}')
    (call,) = played.calls
    assert call.url == "http://upstream.test/v1/messages/count_tokens"
    assert "x-token-count" not in played.headers


@pytest.mark.parametrize("status", [404, 405, 501])
def test_one_that_does_not_is_no_fault(status: int) -> None:
    played = counted(answer(b"<html>", status))
    assert played.status == 200
    assert 100 <= played.json()["input_tokens"] <= 200
    assert played.headers["x-token-count"] == "estimate"


def test_one_of_another_protocol_is_not_asked() -> None:
    played = counted(dialect="openai")
    assert played.calls == []
    assert 100 <= played.json()["input_tokens"] <= 200
    managed = counted(dialect="openai", asked={**ASKED, "context_management": {"edits": []}}).json()
    assert managed["context_management"] == {"original_input_tokens": managed["input_tokens"]}


@pytest.mark.parametrize("dialect", ["anthropic", "openai", "openai-responses"])
def test_responses_have_a_count_too(dialect: str) -> None:
    asked = {"model": "m", "input": "word " * 100}
    played = counted(path="/v1/responses/input_tokens", asked=asked, dialect=dialect)
    assert played.calls == []
    assert played.json()["object"] == "response.input_tokens"
    assert 100 <= played.json()["input_tokens"] <= 200


def test_an_upstreams_error_is_told_in_the_clients_protocol() -> None:
    body = b'{"type":"error","error":{"type":"invalid_request_error","message":"too odd"}}'
    played = counted(answer(body, 400))
    assert played.status == 400
    assert played.json()["error"] == {"type": "invalid_request_error", "message": "too odd"}


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"input_tokens":"7"}'])
def test_a_count_that_is_none(body: bytes) -> None:
    assert counted(answer(body)).status == 502


def test_an_upstream_out_of_reach() -> None:
    assert counted(Upstream(failure=Failure.CONNECTION)).status == 502


def test_a_row_may_refuse_to_estimate() -> None:
    played = counted(dialect="openai", count_tokens="off")
    assert played.status == 501
    assert played.json()["error"]["type"] == "not_supported"
    assert played.headers["x-should-retry"] == "false"
    assert counted(answer(b'{"input_tokens":7}'), count_tokens="off").status == 501


def test_without_a_key_nothing_is_counted() -> None:
    asked = head("/v1/messages/count_tokens", authorization="Bearer wrong")
    played = play(gateway(ROW), ASKED, (), asked)
    assert played.status == 401
    assert played.json()["error"]["type"] == "authentication_error"
