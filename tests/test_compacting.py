"""Summaries at `/v1/responses/compact`: by an upstream that can make them, or by any model."""

from typing import Any

import pytest
from openai.types.responses import CompactedResponse

from tests.clients.upstreams import Asking, streamed
from tests.least import PATHS, SSE_TYPE, WHOLE, answer, least_answer, row
from tests.play import KEY, TOKEN, Played, Upstream, gateway, head, play
from tests.protocols.responses.grammar import read
from xtrix import json

Json = dict[str, Any]

ROW, CHAT, CLAUDE = row("openai-responses", "up"), row("openai", "chat"), row("anthropic", "claude")
USER: Json = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Hi"}]}
THEIRS: Json = {
    "id": "resp_theirs",
    "object": "response.compaction",
    "created_at": 1_764_967_971,
    "output": [
        {"id": "msg_1", **USER},
        {"id": "cmp_1", "type": "compaction", "encrypted_content": "gAAAAA="},
    ],
    "usage": {"input_tokens": 139, "output_tokens": 438, "total_tokens": 577},
}
CODEX: Json = {
    "model": "m",
    "instructions": "You are Codex.",
    "input": [
        USER,
        {"type": "function_call", "call_id": "c1", "name": "shell", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "c1", "output": "done"},
        {
            "type": "message",
            "role": "assistant",
            "content": [{"type": "output_text", "text": "I am."}],
        },
    ],
    "tools": [
        {"type": "function", "name": "shell", "parameters": {"type": "object"}, "strict": False},
        {"type": "web_search", "external_web_access": True},
    ],
    "parallel_tool_calls": True,
    "reasoning": {"effort": "high", "summary": "auto"},
    "prompt_cache_key": "session",
    "text": {"verbosity": "low"},
}
"""What Codex sends where it lets the server sum up."""


ROWS = {"anthropic": CLAUDE, "openai": CHAT, "openai-responses": ROW}


def compacted(
    request: Json, *upstreams: Upstream, rows: tuple[Json, ...] = (ROW,), path: str = "/v1"
) -> Played:
    return play(gateway(*rows), request, upstreams, head(f"{path}/responses/compact"))


def sent(played: Played, index: int = 0) -> tuple[str, Json]:
    call = played.calls[index]
    return call.url.removeprefix("http://upstream.test"), json.decode_object(call.body)


def goes_on(played: Played, other: Json) -> Json:
    """The upstream's request when the client continues from its answer."""
    (item,) = [it for it in played.json()["output"] if it["type"] == "compaction"]
    request = {"model": "m", "input": [item, USER]}
    nobody = answer({}, 500)
    (call,) = play(gateway(other), request, [nobody], head("/v1/responses")).calls
    return json.decode_object(call.body)


@pytest.mark.parametrize("path", ["/v1", ""])
def test_an_upstream_that_sums_up_is_asked(path: str) -> None:
    played = compacted(CODEX, answer(THEIRS), path=path)

    assert played.status == 200
    assert sent(played) == ("/v1/responses/compact", CODEX)
    told = played.json()
    assert told["id"] == f"resp_{TOKEN}"
    assert (told["object"], told["created_at"]) == ("response.compaction", 1_764_967_971)
    assert told["output"][0] == THEIRS["output"][0]
    assert told["usage"] == THEIRS["usage"]
    assert (played.log["prompt_tokens"], played.log["completion_tokens"]) == (139, 438)
    first, second = goes_on(played, ROW)["input"]
    assert first == {"id": "cmp_1", "type": "compaction", "encrypted_content": "gAAAAA="}
    assert second == USER


def test_what_belongs_to_answers_is_not_asked_of_it() -> None:
    more = {"stream": True, "store": True, "include": [], "stream_options": {}, "service_tier": "x"}
    _, body = sent(compacted({**CODEX, **more}, answer(THEIRS)))
    assert body == {**CODEX, "service_tier": "x"}


def test_a_summary_of_theirs_is_of_no_use_elsewhere() -> None:
    played = compacted(CODEX, answer(THEIRS))
    request = {"model": "m", "input": played.json()["output"]}
    elsewhere = play(gateway(CHAT), request, (), head("/v1/responses"))
    error = elsewhere.json()["error"]
    assert (elsewhere.status, error["param"]) == (400, "input[1].encrypted_content")


@pytest.mark.parametrize("dialect", ["anthropic", "openai"])
def test_any_other_model_is_asked_for_a_summary(dialect: str) -> None:
    played = compacted(CODEX, answer(WHOLE[dialect]), rows=(ROWS[dialect],))

    path, body = sent(played)
    assert path == PATHS[dialect]
    assert "Sum up this conversation" in json.encode(body["messages"][-1])
    assert not body.get("stream")
    assert played.status == 200
    told = played.json()
    CompactedResponse.model_validate(told)
    assert (told["id"], told["object"]) == (f"resp_{TOKEN}", "response.compaction")
    assert [item["type"] for item in told["output"]] == ["compaction"]
    assert told["usage"]["total_tokens"] == 19
    assert "They met." not in played.body
    assert played.headers["x-ignored-parameters"] == "prompt_cache_key"
    for other in ROWS.values():
        assert "so far:\\n\\nThey met." in json.encode(goes_on(played, other))


@pytest.mark.parametrize("status", [404, 405, 501])
def test_one_of_the_protocol_that_cannot_is_asked_like_any_other(status: int) -> None:
    refuses = answer({"detail": "Not Found"}, status)
    played = compacted(CODEX, refuses, answer(WHOLE["openai-responses"]))

    assert played.status == 200
    assert [sent(played, index)[0] for index in range(2)] == [
        "/v1/responses/compact",
        "/v1/responses",
    ]
    _, body = sent(played, 1)
    assert body["store"] is False
    assert "Sum up this conversation" in json.encode(body["input"][-1])
    CompactedResponse.model_validate(played.json())
    assert "so far:\\n\\nThey met." in json.encode(goes_on(played, ROW))
    assert played.log["failures"][0].endswith("(asked again in other words)")
    assert played.headers["x-attempts"] == "2"


def test_one_that_answers_instead_is_asked_like_any_other() -> None:
    played = compacted(CODEX, *[answer(WHOLE["openai-responses"])] * 2)
    assert (played.status, played.json()["object"]) == (200, "response.compaction")
    assert "so far:\\n\\nThey met." in json.encode(goes_on(played, ROW))


def test_a_model_that_is_not_there_is_none_in_other_words_either() -> None:
    missing = answer({"error": {"message": "no such model", "code": "model_not_found"}}, 404)
    played = compacted(CODEX, missing, missing)
    assert (played.status, played.json()["error"]["code"]) == (404, "model_not_found")
    assert len(played.calls) == 2


def test_the_next_target_is_asked_when_one_fails() -> None:
    gate = gateway(ROW, CLAUDE, MODELS=[{"id": "best", "targets": ["up/m", "claude/m"]}])
    upstreams = [answer({}, 403), answer(WHOLE["anthropic"])]
    played = play(gate, {**CODEX, "model": "best"}, upstreams, head("/v1/responses/compact"))
    assert (played.status, played.headers["x-served-by"]) == (200, "claude/m")


@pytest.mark.parametrize("reason", ["max_tokens", "refusal", "tool_use"])
def test_what_is_no_whole_summary_is_no_answer(reason: str) -> None:
    content: Json = {} if reason == "max_tokens" else {"content": []}
    cut = answer({**WHOLE["anthropic"], "stop_reason": reason, **content})
    played = compacted(CODEX, *[cut] * 3, rows=(CLAUDE,))
    assert (played.status, played.json()["error"]["code"]) == (502, "bad_upstream_response")


def test_what_is_no_summary_of_theirs_is_no_answer() -> None:
    for body in ({}, {"output": "x"}, {"error": {"message": "no"}}):
        assert compacted(CODEX, *[answer(body)] * 3).status == 502


@pytest.mark.parametrize("absent", [{}, {"model": None}, {"model": ""}])
def test_the_model_has_to_be_named(absent: Json) -> None:
    unnamed = {name: value for name, value in CODEX.items() if name != "model"}
    played = compacted({**unnamed, **absent})
    assert (played.status, played.json()["error"]["param"]) == (400, "model")
    assert played.calls == []


def test_what_was_kept_is_kept_nowhere() -> None:
    played = compacted({"model": "m", "previous_response_id": "resp_1"})
    assert played.json()["error"]["code"] == "previous_response_not_found"


def test_without_a_key_nothing_is_summed_up() -> None:
    asked = head("/v1/responses/compact", authorization=f"Bearer {KEY}x")
    played = play(gateway(ROW), CODEX, (), asked)
    assert (played.status, played.json()["error"]["code"]) == (401, "invalid_api_key")


def test_only_post() -> None:
    played = play(gateway(ROW), b"", (), head("/v1/responses/compact", "GET"))
    assert (played.status, played.headers["allow"]) == (405, "POST, OPTIONS")


# As Codex asks of its built-in provider

TRIGGERED: Json = {**CODEX, "input": [*CODEX["input"], {"type": "compaction_trigger"}]}


def triggered(dialect: str, upstream: Upstream, *, stream: bool) -> Played:
    request = {**TRIGGERED, "stream": stream, "include": ["reasoning.encrypted_content"]}
    return play(gateway(ROWS[dialect]), request, [upstream], head("/v1/responses"))


@pytest.mark.parametrize("dialect", ["anthropic", "openai"])
@pytest.mark.parametrize("stream", [False, True])
def test_a_trigger_is_answered_with_exactly_one_compaction(dialect: str, stream: bool) -> None:
    played = triggered(dialect, least_answer(dialect, stream=stream), stream=stream)

    assert played.status == 200
    _, body = sent(played)
    assert "Sum up this conversation" in json.encode(body["messages"][-1])
    assert "compaction_trigger" not in json.encode(body)
    assert bool(body.get("stream")) == stream
    response = read(played.body).response if stream else played.json()
    assert (response["object"], response["status"]) == ("response", "completed")
    (item,) = response["output"]
    assert item.keys() == {"id", "type", "encrypted_content"}
    request = {"model": "m", "input": [item, USER]}
    for other in ROWS.values():
        nobody = answer({}, 500)
        (call,) = play(gateway(other), request, [nobody], head("/v1/responses")).calls
        assert "so far:\\n\\nThey met." in call.body.decode()


def test_a_stream_tells_the_compaction_and_nothing_of_its_text() -> None:
    played = triggered("anthropic", least_answer("anthropic", stream=True), stream=True)
    kinds = [event["type"] for event in read(played.body).events]
    assert kinds == [
        *("response.created", "response.in_progress"),
        *("response.output_item.added", "response.output_item.done", "response.completed"),
    ]
    assert "They met." not in played.body


@pytest.mark.parametrize("stream", [False, True])
def test_a_native_upstream_gets_the_trigger_itself(stream: bool) -> None:
    upstream = least_answer("openai-responses", stream=stream)
    _, body = sent(triggered("openai-responses", upstream, stream=stream))
    assert body["input"][-1] == {"type": "compaction_trigger"}


@pytest.mark.parametrize("dialect", ["anthropic", "openai"])
def test_a_stream_without_a_summary_fails(dialect: str) -> None:
    call = Asking("call_1", "shell", "{}")
    upstream = Upstream(200, SSE_TYPE, tuple(streamed(dialect, [call])))
    played = triggered(dialect, upstream, stream=True)
    telling = read(played.body)
    assert telling.error
    assert telling.error["code"] == "bad_upstream_response"
    assert telling.response["output"] == []


def test_a_trigger_elsewhere_than_at_the_end_is_refused() -> None:
    request = {"model": "m", "input": [{"type": "compaction_trigger"}, USER]}
    played = play(gateway(CLAUDE), request, [], head("/v1/responses"))
    assert (played.status, played.json()["error"]["param"]) == (400, "input[0].type")


def test_the_call_for_a_summary_takes_a_trigger_too() -> None:
    played = compacted(TRIGGERED, answer(WHOLE["anthropic"]), rows=(CLAUDE,))
    assert (played.status, played.json()["object"]) == (200, "response.compaction")
