"""Passing a client's own request on to an OpenAI-compatible upstream, with the row's changes."""

from typing import Any

import pytest

from tests.answers import CARRIER
from xtrix import json
from xtrix.protocol import Encoded
from xtrix.protocols.chat import CHAT
from xtrix.providers import Provider, Quirks, Target

USER = {"role": "user", "content": "Hello"}


def encoded(row: dict[str, Any] | None = None, **said: Any) -> Encoded:
    body = {"model": "asked-for", "messages": [USER], **said}
    request = CHAT.decode_request(json.encode(body).encode(), {}, "default")
    provider = Provider("o", "openai", "https://o.test/v1", **(row or {}))
    return CHAT.relay_request(request, Target(provider, "theirs"), CARRIER)


def sent(quirks: Quirks | None = None, **said: Any) -> dict[str, Any]:
    row = {"quirks": quirks} if quirks else {}
    return json.decode_object(encoded(row, **said).request.body)


def test_everything_passes_but_the_models_name() -> None:
    said: dict[str, Any] = {
        "temperature": 1.7,
        "max_tokens": 10**9,
        "n": 5,
        "stop": " ",
        "seed": 0,
        "user": "me@example.com",
        "logprobs": True,
        "response_format": {"type": "json_object"},
        "metadata": {"a": "b"},
        "top_k": 5,
        "unknown": {"a": None},
        "tools": [{"type": "unheard_of", "x": 1}],
        "messages": [{**USER, "name": "n", "extra": [1]}, {"role": "assistant", "content": None}],
    }
    assert sent(**said) == {**said, "model": "theirs"}
    assert encoded(**said).ignored == ()


def test_where_it_goes() -> None:
    call = encoded({"query": "api-version=1", "binding": "SERVICE"}).request
    assert call.url == "https://o.test/v1/chat/completions?api-version=1"
    assert call.binding == "SERVICE"
    assert encoded().request.url == "https://o.test/v1/chat/completions"


@pytest.mark.parametrize(
    ("row", "headers"),
    [
        ({}, {}),
        ({"key": "k"}, {"authorization": "Bearer k"}),
        ({"key": "k", "key_header": "api-key"}, {"api-key": "k"}),
        ({"headers": {"x-title": "xtrix"}}, {"x-title": "xtrix"}),
        ({"key": "k", "headers": {"authorization": "Basic x"}}, {"authorization": "Basic x"}),
    ],
)
def test_headers(row: dict[str, Any], headers: dict[str, str]) -> None:
    assert dict(encoded(row).request.headers) == {"content-type": "application/json", **headers}


@pytest.mark.parametrize("said", [{}, {"include_usage": False}, {"include_usage": True}])
def test_a_streams_usage_is_always_asked_for(said: dict[str, bool]) -> None:
    body = sent(stream=True, stream_options=said)
    assert body["stream_options"] == {"include_usage": True}
    assert body["stream"] is True


def test_no_stream_no_options() -> None:
    assert "stream_options" not in sent(stream=False, stream_options=None)


def test_an_upstream_that_refuses_stream_options() -> None:
    body = sent(Quirks(stream_usage=False), stream=True, stream_options={"include_usage": True})
    assert "stream_options" not in body


def test_an_upstream_that_pads_its_streams_is_asked_not_to() -> None:
    body = sent(Quirks(obfuscation=True), stream=True)
    assert body["stream_options"] == {"include_usage": True, "include_obfuscation": False}


# Quirks


RENAME = Quirks(rename={"max_tokens": "max_completion_tokens"})


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ({"max_tokens": 5}, 5),
        ({"max_tokens": 0}, 0),
        ({"max_completion_tokens": 6}, 6),
        ({"max_tokens": 5, "max_completion_tokens": 6}, 6),
        ({"max_tokens": 5, "max_completion_tokens": None}, 5),
        ({"max_tokens": None}, None),
        ({}, None),
    ],
)
def test_a_parameter_under_another_name(said: dict[str, Any], expected: int | None) -> None:
    body = sent(RENAME, **said)
    assert "max_tokens" not in body
    assert body.get("max_completion_tokens") == expected
    assert encoded({"quirks": RENAME}, **said).ignored == ()


@pytest.mark.parametrize(
    ("said", "named"),
    [
        ({"seed": 7, "temperature": 0}, ("seed", "temperature")),
        ({"seed": None}, ()),
        ({}, ()),
    ],
)
def test_parameters_that_are_dropped_are_named(said: dict[str, Any], named: tuple[str]) -> None:
    quirks = Quirks(drop=("temperature", "seed"))
    assert sent(quirks, **said) == sent()
    assert encoded({"quirks": quirks}, **said).ignored == named


def test_fields_of_messages_that_are_dropped() -> None:
    message = {**USER, "name": "n", "refusal": "x"}
    quirks = Quirks(drop=("messages.name", "messages.refusal"))
    assert sent(quirks, messages=[message])["messages"] == [USER]


def test_a_role_under_another_name() -> None:
    messages = [{"role": "developer", "content": "x"}, USER]
    body = sent(Quirks(roles={"developer": "system"}), messages=messages)
    assert [message["role"] for message in body["messages"]] == ["system", "user"]


@pytest.mark.parametrize("said", [{"content": None}, {"content": "x"}, {}])
def test_an_upstream_that_refuses_no_content(said: dict[str, Any]) -> None:
    message = {"role": "assistant", **said}
    (seen,) = sent(Quirks(null_content=False), messages=[message])["messages"]
    assert seen == ({**message, "content": ""} if said.get("content", "") is None else message)


def test_what_this_gateway_added_to_answers_goes_to_nobody() -> None:
    message = {"role": "assistant", "content": "x", "thinking_blocks": [{"type": "thinking"}]}
    assert "thinking_blocks" not in str(sent(messages=[message]))


def test_the_clients_request_is_not_changed() -> None:
    body = json.encode({"model": "m", "messages": [{**USER, "name": "n"}], "seed": 7}).encode()
    request = CHAT.decode_request(body, {}, "m")
    quirks = Quirks(drop=("seed", "messages.name"), rename={"seed": "random_seed"})
    provider = Provider("o", "openai", "https://o.test/v1", quirks=quirks)
    CHAT.relay_request(request, Target(provider, "theirs"), CARRIER)
    assert request == CHAT.decode_request(body, {}, "m")
