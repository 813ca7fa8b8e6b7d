"""Text, whole and streamed, with the usage where it was asked for."""

import re

import pytest

from tests.clients.replay import named, replay
from tests.clients.sdk import Json, Sdk
from tests.clients.versions import PRESENT
from tests.worker.upstream import Upstream

SAID = "The capital of France is Paris."


@pytest.fixture
def request_of_text(upstream: Upstream, dialect: str) -> Json:
    """The request of the folder, which the upstream will answer as the folder says."""
    scenario = named(f"{dialect}/text")
    upstream.answer_each(replay(scenario))
    return scenario.json("request.json")


def text_of(chunks: list[Json]) -> str:
    return "".join(
        choice["delta"].get("content") or "" for chunk in chunks for choice in chunk["choices"]
    )


def test_whole(sdk: Sdk, request_of_text: Json) -> None:
    completion = sdk.create(request_of_text)

    assert completion["choices"][0]["message"]["content"] == SAID
    assert completion["usage"]["total_tokens"] == sum(
        completion["usage"][name] for name in ("prompt_tokens", "completion_tokens")
    )


def test_the_documented_loop(sdk: Sdk, request_of_text: Json) -> None:
    chunks = sdk.chunks(request_of_text)

    # Every chunk has a choice: programs read `chunk.choices[0]` without looking.
    assert "".join(chunk["choices"][0]["delta"].get("content", "") for chunk in chunks) == SAID
    assert [bool(chunk.get("usage")) for chunk in chunks] == [False] * (len(chunks) - 1) + [True]
    assert chunks[-1]["choices"][0]["finish_reason"] == "stop"
    assert len({(chunk["id"], chunk["created"], chunk["model"]) for chunk in chunks}) == 1


def test_include_usage(sdk: Sdk, request_of_text: Json) -> None:
    chunks = sdk.chunks({**request_of_text, "stream_options": {"include_usage": True}})

    *before, last = chunks
    assert text_of(before) == SAID
    assert last["choices"] == []
    assert last["usage"]["total_tokens"] > 0
    assert all(chunk["usage"] is None and chunk["choices"] for chunk in before)


def test_without_usage(sdk: Sdk, request_of_text: Json) -> None:
    chunks = sdk.chunks({**request_of_text, "stream_options": {"include_usage": False}})

    assert text_of(chunks) == SAID
    assert not any(chunk.get("usage") for chunk in chunks)


@pytest.mark.parametrize("include_usage", [None, True, False])
def test_the_helper_counts_the_usage_once(
    sdk: Sdk, request_of_text: Json, include_usage: bool | None
) -> None:
    options = {} if include_usage is None else {"stream_options": {"include_usage": include_usage}}
    whole = sdk.create(request_of_text)

    added_up = sdk.stream({**request_of_text, **options})

    assert added_up["choices"][0]["message"]["content"] == SAID
    expected = None if include_usage is False else whole["usage"]
    assert added_up.get("usage") == expected


@PRESENT
def test_a_real_model(sdk: Sdk, dialect: str) -> None:
    request: Json = {
        "model": f"local-{dialect}",
        "messages": [{"role": "user", "content": "What is the capital of France?"}],
        "max_tokens": 8,
    }

    whole = sdk.create(request)
    chunks = sdk.chunks(request)

    assert whole["choices"][0]["message"]["content"]
    assert text_of(chunks)
    for told in (whole, chunks[-1]):
        assert told["choices"][0]["finish_reason"] in {"stop", "length"}
        assert 0 < told["usage"]["completion_tokens"] <= request["max_tokens"]


def test_the_request_id(sdk: Sdk, request_of_text: Json) -> None:
    whole = sdk.do("raw", request_of_text)
    streamed = sdk.do("raw_stream", request_of_text)

    for request_id, answer in (
        (whole["request_id"], whole["completion"]),
        (streamed["request_id"], streamed["chunks"][0]),
    ):
        assert re.fullmatch(r"req_[0-9a-f]{32}", request_id)
        assert answer["id"] == request_id.replace("req_", "chatcmpl-")
    assert whole["request_id"] != streamed["request_id"]


def test_models(sdk: Sdk) -> None:
    models = {model["id"]: model for model in sdk.do("models")}

    assert {"claude-3-5-sonnet-20241022", "gpt-4.1-mini", "Qwen/Qwen3-8B"} <= models.keys()
    for name in ("claude-3-5-sonnet-20241022", "Qwen/Qwen3-8B"):
        assert sdk.do("model", name) == models[name]
        assert models[name]["object"] == "model"
        assert models[name]["pricing"] == {"prompt": "0.000003", "completion": "0.000015"}
    assert sdk.do("model", "claude-of-a-pattern")["id"] == "claude-of-a-pattern"
