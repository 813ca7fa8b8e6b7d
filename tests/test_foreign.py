"""A body of one protocol at another's path is served, and answered as the path says."""

from typing import Any

import pytest

from tests.mutations import JUNK, places, put
from tests.play import Played, Upstream, gateway, head, play
from xtrix import json

Json = dict[str, Any]

JSON_TYPE = {"content-type": "application/json"}
SSE_TYPE = {"content-type": "text/event-stream"}
SCHEMA = {"type": "object", "properties": {"x": {"type": "integer"}}}
CALLED = {
    "choices": [
        {
            "index": 0,
            "message": {
                "role": "assistant",
                "content": None,
                "tool_calls": [
                    {
                        "id": "call_1",
                        "type": "function",
                        "function": {"name": "f", "arguments": '{"x":1}'},
                    }
                ],
            },
            "finish_reason": "tool_calls",
        }
    ],
    "usage": {"prompt_tokens": 5, "completion_tokens": 2, "total_tokens": 7},
}
USED = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "content": [{"type": "tool_use", "id": "toolu_1", "name": "f", "input": {"x": 1}}],
    "stop_reason": "tool_use",
    "usage": {"input_tokens": 5, "output_tokens": 2},
}
ANSWERS = {"openai": CALLED, "anthropic": USED}

FLAT = {"type": "function", "name": "f", "description": "d", "parameters": SCHEMA, "strict": False}
CURSORS: Json = {
    "model": "m",
    "user": "cursor-user",
    "input": [
        {"role": "system", "content": "You are in an editor."},
        {"role": "user", "content": [{"type": "input_text", "text": "Call f."}]},
        {"type": "function_call", "call_id": "call_0", "name": "f", "arguments": '{"x":0}'},
        {"type": "function_call_output", "call_id": "call_0", "output": "nothing"},
    ],
    "tools": [FLAT],
    "tool_choice": "auto",
    "store": False,
    "include": ["reasoning.encrypted_content"],
    "reasoning": {"effort": "medium", "summary": "auto"},
}
CHATS: Json = {
    "model": "m",
    "messages": [{"role": "system", "content": "s"}, {"role": "user", "content": "Call f."}],
    "tools": [{"type": "function", "function": {"name": "f", "parameters": SCHEMA}}],
}
MESSAGES: Json = {
    "model": "m",
    "max_tokens": 99,
    "system": "s",
    "messages": [{"role": "user", "content": [{"type": "text", "text": "Call f."}]}],
    "tools": [{"name": "f", "input_schema": SCHEMA}],
}
AGENTS: Json = {
    "model": "m",
    "max_tokens": 99,
    "messages": [
        {"role": "developer", "content": "s"},
        {"role": "user", "content": [{"type": "text", "text": "Call f."}]},
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [
                {"id": "c0", "type": "function", "function": {"name": "f", "arguments": "{}"}}
            ],
        },
        {"role": "tool", "tool_call_id": "c0", "content": "nothing"},
    ],
    "tools": CHATS["tools"],
}
"""A chat in the middle of an agent's work."""
PICTURE = {"url": "https://pictures.test/cat.png"}
ASKED: Json = {"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "Hi."}]}
"""What says the same in a chat and in Messages."""


def ask(
    path: str,
    request: Json,
    dialect: str = "openai",
    upstream: Upstream | None = None,
    **settings: object,
) -> Played:
    row = {"name": "one", "dialect": dialect, "base_url": "https://one.test/v1", "models": ["*"]}
    answer = upstream or Upstream(200, JSON_TYPE, (json.encode_body(ANSWERS[dialect]),))
    return play(gateway(row, **settings), request, [answer], head(path))


def is_called(played: Played, path: str) -> bool:
    """Whether the answer calls the tool, in the words of the path's protocol."""
    assert played.status == 200, played.body
    said = played.json()
    if path.endswith("responses"):
        (call,) = [item for item in said["output"] if item["type"] == "function_call"]
        return bool(said["object"] == "response" and json.decode(call["arguments"]) == {"x": 1})
    if path.endswith("messages"):
        (block,) = said["content"]
        return bool(block["type"] == "tool_use" and block["input"] == {"x": 1})
    assert said["object"] == "chat.completion"
    (call,) = said["choices"][0]["message"]["tool_calls"]
    return bool(json.decode(call["function"]["arguments"]) == {"x": 1})


@pytest.mark.parametrize("dialect", ANSWERS)
@pytest.mark.parametrize(
    ("path", "request_fields"),
    [
        ("/v1/chat/completions", CURSORS),
        ("/v1/chat/completions", MESSAGES),
        ("/v1/chat/completions", {**CHATS, "tools": [FLAT]}),
        ("/v1/responses", CHATS),
        ("/v1/responses", MESSAGES),
        ("/v1/responses", {**CHATS, "tools": [FLAT]}),
        ("/v1/messages", {**CURSORS, "max_output_tokens": 99}),
        ("/v1/messages", CHATS),
        ("/v1/messages", AGENTS),
        ("/v1/messages", {**CHATS, "max_tokens": 99, "tools": [FLAT]}),
    ],
)
def test_it_is_served_and_answered_as_the_path_says(
    path: str, request_fields: Json, dialect: str
) -> None:
    played = ask(path, request_fields, dialect)
    assert is_called(played, path)
    (call,) = played.calls
    assert "Call f." in json.encode(json.decode(call.body)["messages"])
    assert SCHEMA in json.decode(call.body)["tools"][0].values() or (
        json.decode(call.body)["tools"][0]["function"]["parameters"] == SCHEMA
    )


@pytest.mark.parametrize("request_fields", [CHATS, AGENTS, MESSAGES])
def test_it_is_served_where_responses_are_kept_and_says_that_it_is_not(
    request_fields: Json,
) -> None:
    played = ask("/v1/responses", request_fields, STORE_DAYS=30)
    assert is_called(played, "/v1/responses")
    assert played.json()["store"] is False


@pytest.mark.parametrize(
    "of_a_chat",
    [
        {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": PICTURE}]}]},
        {"tools": CHATS["tools"], "tool_choice": "required"},
        {"tools": CHATS["tools"], "tool_choice": {"type": "function", "function": {"name": "f"}}},
        {"response_format": {"type": "json_object"}},
        {"stop": ["x"]},
    ],
)
def test_one_mark_of_a_chat_is_enough(of_a_chat: Json) -> None:
    """Passed on as Messages, it would be refused, or half of it would be ignored."""
    (call,) = ask("/v1/messages", ASKED | of_a_chat, "anthropic").calls
    sent = json.decode(call.body)
    assert sent.keys().isdisjoint({"response_format", "stop"})
    assert "image_url" not in json.encode(sent)
    assert "function" not in json.encode(sent)


@pytest.mark.parametrize(
    "own",
    [
        {},
        {"system": "s", "stop": ["x"]},
        {"system": "s", "tools": [{"type": "function", "name": "f"}]},
        {"tools": [*MESSAGES["tools"], {"type": "function"}], "tool_choice": "auto"},
        {"messages": [{"role": ["tool"], "content": 7}, 7, {"role": {}, "content": [7]}]},
        {"tools": 7, "tool_choice": 7},
    ],
)
def test_what_may_be_messages_goes_on_as_it_came(own: Json) -> None:
    """The upstream says what is wrong with it."""
    request = ASKED | own
    (call,) = ask("/v1/messages", request, "anthropic").calls
    assert json.decode(call.body) == request


@pytest.mark.parametrize(
    ("path", "request_fields"), [("/v1/messages", AGENTS), ("/v1/responses", MESSAGES)]
)
def test_junk_anywhere_in_it_is_nobodys_fault_but_the_clients(
    path: str, request_fields: Json
) -> None:
    for place in places(request_fields):
        for junk in JUNK.values():
            played = ask(path, put(request_fields, place, junk), STORE_DAYS=30)
            assert played.status in {200, 400}, (place, junk, played.body)


def test_the_tokens_of_a_chat_are_counted() -> None:
    played = ask("/v1/messages/count_tokens", AGENTS)
    assert played.json()["input_tokens"] > 10


@pytest.mark.parametrize("settings", [{}, {"STORE_DAYS": 30}])
def test_a_chat_is_not_summed_up(settings: Json) -> None:
    """The model's next answer would be mistaken for the summary."""
    played = ask("/v1/responses/compact", ASKED, **settings)
    assert (played.status, played.json()["error"]["param"]) == (400, "input")
    assert played.calls == []


def test_cursors_whole_conversation_goes_on() -> None:
    (call,) = ask("/v1/chat/completions", {**CURSORS, "model": "gpt-5"}).calls
    sent = json.decode(call.body)
    assert [message["role"] for message in sent["messages"]] == [
        "system",
        "user",
        "assistant",
        "tool",
    ]
    assert sent["reasoning_effort"] == "medium"


def test_its_stream_is_told_as_the_path_says() -> None:
    chunks = [
        {"choices": [{"index": 0, "delta": {"role": "assistant", "content": "Yes."}}]},
        {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]},
    ]
    pieces = tuple(b"data: %b\n\n" % json.encode_body(each) for each in chunks)
    upstream = Upstream(200, SSE_TYPE, pieces)
    played = ask("/v1/chat/completions", {**CURSORS, "stream": True}, upstream=upstream)
    assert played.body.endswith("data: [DONE]\n\n")
    assert '"object":"chat.completion.chunk"' in played.body
    assert "event:" not in played.body
    upstream = Upstream(200, SSE_TYPE, pieces)
    played = ask("/v1/responses", {**CHATS, "stream": True}, upstream=upstream)
    assert "event: response.completed" in played.body


def test_flat_tools_of_a_chat_are_relayed_as_a_chat_has_them() -> None:
    choice = {"type": "function", "name": "f"}
    asked = {**CHATS, "tools": [FLAT, *CHATS["tools"]], "tool_choice": choice, "odd": 1}
    asked["tools"][1] = {"type": "function", "function": {"name": "g", "parameters": SCHEMA}}
    (call,) = ask("/v1/chat/completions", asked).calls
    sent = json.decode(call.body)
    function = {name: value for name, value in FLAT.items() if name != "type"}
    assert sent["tools"] == [{"type": "function", "function": function}, asked["tools"][1]]
    assert sent["tool_choice"] == {"type": "function", "function": {"name": "f"}}
    assert sent["odd"] == 1


@pytest.mark.parametrize(
    ("path", "request_fields", "param"),
    [
        ("/v1/chat/completions", {"model": "m"}, "messages"),
        ("/v1/chat/completions", {"model": "m", "messages": 7, "input": 7}, "messages"),
        ("/v1/chat/completions", {"model": "m", "messages": []}, "messages"),
        ("/v1/chat/completions", {**CURSORS, "input": [{"type": "message"}]}, "input[0].role"),
        ("/v1/responses", {"model": "m"}, "input"),
        ("/v1/responses", {**CHATS, "messages": [{"role": "x"}]}, "messages[0].role"),
        ("/v1/completions", CHATS, "prompt"),
    ],
)
def test_what_is_wrong_is_named_in_the_clients_words(
    path: str, request_fields: Json, param: str
) -> None:
    played = ask(path, request_fields, "anthropic")
    assert played.status == 400
    assert played.json()["error"]["param"] == param
    assert played.calls == []


def test_an_error_has_the_form_of_the_path() -> None:
    played = ask("/v1/messages", {**CURSORS, "input": 7})
    assert played.status == 400
    assert played.json()["type"] == "error"
