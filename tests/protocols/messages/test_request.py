"""What is checked of every request, and what identifies a conversation."""

import json as plain
from typing import Any

import pytest

from tests.protocols.messages.answering import USER, recorded, request
from xtrix import json
from xtrix.errors import ClientError
from xtrix.protocols.messages.request import decode_request
from xtrix.shape import MOST_VALUES

SESSION = "0b54ea4e-2f21-4c7f-9c1d-3f0de8a1b2c3"


def test_a_request_of_claude_codes_is_taken_as_it_is() -> None:
    body = recorded("claude_code")
    decoded = request(body)
    assert decoded.body is body
    assert decoded.fields == plain.loads(body)
    assert (decoded.model, decoded.stream, decoded.session) == ("claude-opus-5-5", True, SESSION)


def test_whatever_else_it_says_is_not_judged() -> None:
    odd = {"max_tokens": "many", "system": 5, "tools": {}, "messages": [None, 5, {"role": "x"}]}
    assert request(odd).fields["max_tokens"] == "many"


@pytest.mark.parametrize("model", [{}, {"model": None}, {"model": ""}], ids=str)
def test_the_default_model_is_filled_in_in_the_body_too(model: dict[str, Any]) -> None:
    decoded = decode_request(json.encode_body({"messages": USER, **model}), {}, "default")
    assert decoded.model == "default"
    assert plain.loads(decoded.body) == {"messages": USER, "model": "default"}


@pytest.mark.parametrize("stream", [None, False, True])
def test_a_stream_is_asked_for_outright(stream: bool | None) -> None:
    assert request({"stream": stream}).stream is bool(stream)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", "The request body is not a JSON object: "),
        (b"[]", "The request body is not a JSON object: "),
        (b'{"model":NaN}', "The request body is not a JSON object: "),
        (b'{"model":5,"messages":[1]}', "model: Input should be a valid string"),
        (b'{"model":"a b","messages":[1]}', "model: "),
        (b'{"model":"m"}', "messages: Field required"),
        (b'{"model":"m","messages":{}}', "messages: Input should be a valid list"),
        (b'{"model":"m","messages":[]}', "messages: List should have at least 1 item, not 0"),
        (b'{"messages":[1],"stream":"yes"}', "stream: Input should be a valid boolean"),
    ],
    ids=str,
)
def test_the_little_that_is_refused(body: bytes, message: str) -> None:
    with pytest.raises(ClientError) as refused:
        decode_request(body, {}, "default")
    assert refused.value.status == 400
    assert refused.value.message.startswith(message)


def test_a_body_of_too_many_values_is_refused_before_it_is_parsed() -> None:
    body = b'{"model":"m","messages":[' + b"0," * MOST_VALUES + b"0]}"
    with pytest.raises(ClientError) as refused:
        decode_request(body, {}, "default")
    assert (refused.value.status, refused.value.code) == (413, "request_too_large")


@pytest.mark.parametrize(
    ("metadata", "headers", "session"),
    [
        (None, {}, None),
        ({"user_id": "someone"}, {}, "someone"),
        ({"user_id": f'{{"device_id":"a","session_id":"{SESSION}"}}'}, {}, SESSION),
        ({"user_id": f"user_ab_account_cd_session_{SESSION}"}, {}, SESSION),
        ({"user_id": "someone"}, {"x-claude-code-session-id": "header"}, "header"),
        ({"user_id": "{broken"}, {}, "{broken"),
        ({"user_id": '{"session_id":5}'}, {}, '{"session_id":5}'),
        ({"user_id": 5}, {}, None),
        ([], {}, None),
    ],
    ids=str,
)
def test_a_conversation_is_known_by_its_session(
    metadata: Any, headers: dict[str, str], session: str | None
) -> None:
    assert request({"metadata": metadata}, headers).session == session
