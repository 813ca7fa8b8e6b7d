"""Legacy Completions: passed on if the provider has it, else translated to one turn."""

from typing import Any

import pytest

from tests.play import TOKEN, Played, Upstream, gateway, head, play
from xtrix import json

Json = dict[str, Any]

JSON_TYPE = {"content-type": "application/json"}
SSE_TYPE = {"content-type": "text/event-stream"}
TEXT = 'data: {"choices":[{"text":" Paris","index":0}],"usage":{"prompt_tokens":5}}\n\n'
NATIVE = b'{"id":"cmpl-theirs","object":"text_completion","choices":[{"text":" Paris"}],"odd":1}'

ROW: Json = {
    "name": "one",
    "dialect": "openai",
    "base_url": "https://one.test/v1",
    "models": ["*"],
    "endpoints": [{"name": "completions", "models": ["davinci-*"]}],
    "aliases": {"mine": "davinci-002"},
}
ROWS = {
    "openai": ROW,
    "anthropic": {**ROW, "dialect": "anthropic", "endpoints": None},
    "openai-responses": {**ROW, "dialect": "openai-responses"},
}
ROWS["anthropic"].pop("endpoints")

CHAT = {
    "choices": [
        {
            "index": 0,
            "message": {"role": "assistant", "content": " Paris."},
            "finish_reason": "length",
        }
    ],
    "usage": {"prompt_tokens": 5, "completion_tokens": 2, "total_tokens": 7},
}
MESSAGE = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "content": [{"type": "text", "text": " Paris."}],
    "stop_reason": "max_tokens",
    "usage": {"input_tokens": 5, "output_tokens": 2},
}
RESPONSE = {
    "object": "response",
    "status": "incomplete",
    "incomplete_details": {"reason": "max_output_tokens"},
    "output": [
        {
            "type": "message",
            "role": "assistant",
            "content": [{"type": "output_text", "text": " Paris.", "annotations": []}],
        }
    ],
    "usage": {"input_tokens": 5, "output_tokens": 2, "total_tokens": 7},
}
WHOLE = {"openai": CHAT, "anthropic": MESSAGE, "openai-responses": RESPONSE}
CHUNKS = b"".join(
    b"data: %b\n\n" % json.encode_body(each)
    for each in (
        {"choices": [{"index": 0, "delta": {"role": "assistant", "content": " Par"}}]},
        {"choices": [{"index": 0, "delta": {"content": "is"}}]},
        {"choices": [{"index": 0, "delta": {"content": ".\u2028"}}]},
        {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]},
        {"choices": [], "usage": CHAT["usage"]},
    )
)


def ask(request: Json, answer: Upstream, row: Json = ROW) -> Played:
    asked = {"model": "gpt-5", "prompt": "The capital of France is", **request}
    return play(gateway(row), asked, [answer], head("/v1/completions"))


def whole(dialect: str = "openai") -> Upstream:
    return Upstream(200, JSON_TYPE, (json.encode_body(WHOLE[dialect]),))


def test_who_has_the_endpoint_is_called_as_the_client_called_us() -> None:
    request = {"model": "mine", "prompt": [[1, 2], [3]], "echo": True, "logprobs": 0, "odd": [None]}
    played = ask(request, Upstream(200, JSON_TYPE, (NATIVE,)))
    (call,) = played.calls
    assert call.url == "https://one.test/v1/completions"
    assert json.decode(call.body) == {**request, "model": "davinci-002"}
    assert played.body.encode() == NATIVE


def test_its_stream_passes_as_it_comes() -> None:
    stream = TEXT.encode() + b"data: [DONE]\n\n"
    played = ask({"model": "mine", "stream": True}, Upstream(200, SSE_TYPE, (stream,)))
    assert played.body.encode() == stream
    assert played.log["prompt_tokens"] == 5


@pytest.mark.parametrize("dialect", ROWS)
@pytest.mark.parametrize("prompt", ["The capital of France is", ["The capital of France is"]])
def test_another_provider_is_asked_with_one_turn(dialect: str, prompt: object) -> None:
    played = ask({"prompt": prompt, "max_tokens": 30}, whole(dialect), ROWS[dialect])
    (call,) = played.calls
    body = json.decode(call.body)
    turns = body["input" if dialect == "openai-responses" else "messages"]
    text = json.encode(turns)
    assert "The capital of France is" in text
    assert [turn["role"] for turn in turns] == ["user"]
    limit = {"openai": "max_completion_tokens", "anthropic": "max_tokens"}
    assert body[limit.get(dialect, "max_output_tokens")] == 30
    completion = played.json()
    assert completion.pop("system_fingerprint").startswith("fp_")
    assert completion == {
        "id": f"cmpl-{TOKEN}",
        "object": "text_completion",
        "created": 1_700_000_000,
        "model": "gpt-5",
        "choices": [{"text": " Paris.", "index": 0, "logprobs": None, "finish_reason": "length"}],
        "usage": {"prompt_tokens": 5, "completion_tokens": 2, "total_tokens": 7},
    }


def test_settings_go_along() -> None:
    request = {"temperature": 0.5, "top_p": 0.9, "stop": "\n", "seed": 7, "presence_penalty": 1}
    nothing = {"best_of": 1, "n": 1, "suffix": "", "echo": False}
    (call,) = ask({**request, **nothing, "model": "gpt-4o"}, whole()).calls
    body = json.decode(call.body)
    assert {name: body[name] for name in request} == {**request, "stop": ["\n"]}
    # What OpenAI's own endpoint takes where nothing is said.
    assert body["max_completion_tokens"] == 16


def payloads(played: Played) -> list[Any]:
    *frames, done, rest = played.body.split("\n\n")
    assert (done, rest) == ("data: [DONE]", "")
    assert all(len(frame.splitlines()) == 1 for frame in frames)
    return [json.decode(frame.removeprefix("data: ")) for frame in frames]


@pytest.mark.parametrize("usage", [None, True, False])
def test_a_stream_is_told_in_chunks_of_text(usage: bool | None) -> None:
    options = {} if usage is None else {"stream_options": {"include_usage": usage}}
    played = ask({"stream": True, **options}, Upstream(200, SSE_TYPE, (CHUNKS,)))
    chunks = payloads(played)
    assert {chunk["object"] for chunk in chunks} == {"text_completion"}
    assert {chunk["id"] for chunk in chunks} == {f"cmpl-{TOKEN}"}
    counted = [chunk for chunk in chunks if chunk.get("usage")]
    assert len(counted) == (1 if usage else 0)
    texts = [chunk["choices"][0] for chunk in chunks if chunk["choices"]]
    assert "".join(each["text"] for each in texts) == " Paris.\u2028"
    assert [each["finish_reason"] for each in texts][-1] == "stop"
    assert not any(each["finish_reason"] for each in texts[:-1])


def test_a_stream_that_breaks_off_says_so() -> None:
    cut = CHUNKS[: CHUNKS.index(b'data: {"choices":[{"index":0,"delta":{},')]
    played = ask({"stream": True}, Upstream(200, SSE_TYPE, (cut,)))
    last = payloads(played)[-1]
    assert last["error"]["code"] == "upstream_truncated"


@pytest.mark.parametrize(
    ("request_fields", "param"),
    [
        ({"prompt": ["a", "b"]}, "prompt"),
        ({"prompt": [1, 2]}, "prompt"),
        ({"prompt": [[1, 2]]}, "prompt"),
        ({"prompt": None}, "prompt"),
        ({"prompt": ""}, "prompt"),
        ({"suffix": "x"}, "suffix"),
        ({"echo": True}, "echo"),
        ({"best_of": 2}, "best_of"),
        ({"n": 2}, "n"),
        ({"logprobs": 0}, "logprobs"),
    ],
)
def test_what_a_turn_does_not_say_is_refused(request_fields: Json, param: str) -> None:
    played = ask(request_fields, whole())
    assert (played.status, played.json()["error"]["param"]) == (400, param)
    assert played.calls == []


@pytest.mark.parametrize(
    ("request_fields", "param"),
    [
        ({"prompt": 7}, "prompt"),
        ({"max_tokens": -1}, "max_tokens"),
        ({"stream": 1}, "stream"),
        ({"temperature": 3}, "temperature"),
        ({"stream_options": {"include_usage": True}}, "stream_options"),
    ],
)
def test_what_is_wrong_in_itself_is_named(request_fields: Json, param: str) -> None:
    played = ask(request_fields, whole())
    assert played.status == 400
    assert played.json()["error"]["param"].partition(".")[0] == param


def test_what_no_turn_has_a_word_for_is_named() -> None:
    played = ask({"use_beam_search": True}, whole())
    assert played.headers["x-ignored-parameters"] == "use_beam_search"
