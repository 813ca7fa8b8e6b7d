"""What a client of Messages meets with before, beside and instead of an answer, through the core:
its keys, its paths, errors in its own form, who is asked in its stead, and who comes first.
"""

from collections import Counter
from typing import Any

import pytest

from tests.play import KEY, NOW, TOKEN, Played, Upstream, gateway, head, play
from xtrix import json
from xtrix.http import RequestHead
from xtrix.steps import Call, Failure, ReadBody

JSON_TYPE = {"content-type": "application/json"}
ROWS = [
    {
        "name": name,
        "dialect": dialect,
        "base_url": f"http://{name}.test/v1",
        "api_key": "UPSTREAM_KEY",
        "models": [f"{name}-*"],
        "retries": {"attempts": 1},
    }
    for name, dialect in (("claude", "anthropic"), ("other", "anthropic"), ("gpt", "openai"))
]
ASKED: dict[str, Any] = {
    "model": "claude-1",
    "max_tokens": 9,
    "messages": [{"role": "user", "content": "Hi"}],
}
MESSAGE = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "model": "claude-1",
    "content": [{"type": "text", "text": "Hello"}],
    "stop_reason": "end_turn",
    "stop_sequence": None,
    "usage": {"input_tokens": 1, "output_tokens": 1},
}
COMPLETION = {"choices": [{"message": {"content": "Hello"}, "finish_reason": "stop"}]}
OK = Upstream(200, JSON_TYPE, (json.encode_body(MESSAGE),))
OK_OF_CHAT = Upstream(200, JSON_TYPE, (json.encode_body(COMPLETION),))


def failing(status: int, kind: str = "api_error", message: str = "Why.") -> Upstream:
    error = {"type": "error", "error": {"type": kind, "message": message}}
    return Upstream(status, JSON_TYPE, (json.encode_body(error),))


def asked(
    *upstreams: Upstream, path: str = "/v1/messages", more: Any = None, **headers: str
) -> Played:
    return play(gateway(*ROWS), {**ASKED, **(more or {})}, upstreams, head(path, **headers))


def text_of(played: Played) -> str:
    assert played.status == 200, played.body
    text: str = played.json()["content"][0]["text"]
    return text


# Keys


@pytest.mark.parametrize(
    "headers",
    [
        {"x-api-key": KEY},
        {"authorization": f"Bearer {KEY}"},
        {"authorization": f"bearer {KEY}"},
        {"x-api-key": KEY, "authorization": "Bearer wrong"},
        {"x-api-key": "wrong", "authorization": f"Bearer {KEY}"},
    ],
    ids=str,
)
@pytest.mark.parametrize("path", ["/v1/messages", "/v1/chat/completions"])
def test_a_key_in_either_header(path: str, headers: dict[str, str]) -> None:
    played = play(gateway(*ROWS), ASKED, [OK], RequestHead("POST", path, headers))
    assert played.status == 200
    (call,) = played.calls
    assert KEY not in repr(call)


@pytest.mark.parametrize(
    "headers",
    [{}, {"x-api-key": "wrong"}, {"x-api-key": ""}, {"authorization": "Bearer wrong"}],
    ids=str,
)
@pytest.mark.parametrize("path", ["/v1/messages", "/messages", "/v1/messages/count_tokens"])
def test_no_key_is_told_at_once(path: str, headers: dict[str, str]) -> None:
    played = play(gateway(*ROWS), ASKED, [], RequestHead("POST", path, headers))
    assert_error(played, 401, "authentication_error")
    # Without it Claude Code asks for three minutes before it says so.
    assert played.headers["x-should-retry"] == "false"


# Paths


@pytest.mark.parametrize("path", ["/v1/messages", "/v1/messages/", "/messages", "/messages/"])
@pytest.mark.parametrize("query", ["", "beta=true"])
def test_paths(path: str, query: str) -> None:
    request_head = RequestHead("POST", path, {"x-api-key": KEY}, query)
    assert text_of(play(gateway(*ROWS), ASKED, [OK], request_head)) == "Hello"


def test_a_base_url_with_v1_is_told_so() -> None:
    # Nothing but its headers tells whose client asks for what there is not.
    played = asked(path="/v1/v1/messages", anthropic_version="2023-06-01")
    assert_error(played, 404, "not_found_error")
    assert "leave /v1 out" in played.json()["error"]["message"]


# Errors


def assert_error(played: Played, status: int, kind: str) -> None:
    """Asserts an error in the form of Messages, with the request's id in body and header."""
    assert (played.status, played.calls) == (status, [])
    body = played.json()
    assert set(body) == {"type", "error", "request_id"}
    assert (body["type"], body["error"]["type"]) == ("error", kind)
    assert set(body["error"]) == {"type", "message"}
    assert played.headers["request-id"] == body["request_id"] == f"req_{TOKEN}"
    assert played.headers["content-type"] == "application/json"


HERE = head("/v1/messages")
LARGE, BROKEN = {"MAX_BODY_BYTES": 100}, {"PROVIDERS": "x"}


@pytest.mark.parametrize(
    ("body", "request_head", "variables", "status", "kind"),
    [
        (b"{", HERE, {}, 400, "invalid_request_error"),
        ({"model": "claude-1"}, HERE, {}, 400, "invalid_request_error"),
        ({**ASKED, "model": "nobodys"}, HERE, {}, 404, "not_found_error"),
        (b"", head("/v1/messages", "GET"), {}, 405, "invalid_request_error"),
        (b" " * 101, HERE, LARGE, 413, "request_too_large"),
        (ASKED, head("/v1/messages", content_encoding="br"), {}, 415, "invalid_request_error"),
        (ASKED, HERE, BROKEN, 500, "api_error"),
    ],
    ids=["json", "messages", "model", "method", "size", "coding", "configuration"],
)
def test_an_error_of_ours_has_the_form_of_its_path(
    body: object, request_head: RequestHead, variables: Any, status: int, kind: str
) -> None:
    gate = gateway(*ROWS, **variables)
    assert_error(play(gate, body, request_head=request_head), status, kind)


@pytest.mark.parametrize(
    ("status", "told", "kind"),
    [
        (400, 400, "invalid_request_error"),
        (413, 413, "request_too_large"),
        (429, 429, "rate_limit_error"),
        (500, 500, "api_error"),
        (503, 503, "api_error"),
        (529, 529, "overloaded_error"),
    ],
)
def test_an_upstreams_error_keeps_its_status_and_words(status: int, told: int, kind: str) -> None:
    played = asked(failing(status, kind, "The word."))
    body = played.json()
    assert (played.status, body["error"]["type"]) == (told, kind)
    assert body["error"]["message"] == "The word."
    assert body["request_id"] == played.headers["request-id"]


@pytest.mark.parametrize("status", [401, 403])
def test_an_upstream_that_refuses_our_key_does_not_ask_the_client_to_log_in(status: int) -> None:
    played = asked(failing(status, "authentication_error", "Bad upstream-key."))
    assert (played.status, played.json()["error"]["type"]) == (502, "api_error")
    assert played.headers["x-should-retry"] == "false"


def test_nobody_to_be_reached() -> None:
    played = asked(Upstream(failure=Failure.CONNECTION))
    assert (played.status, played.json()["error"]["type"]) == (502, "api_error")


# Who is asked instead


def fallback(*targets: str, **model: object) -> Any:
    return gateway(*ROWS, MODELS=[{"id": "best", "targets": [*targets], **model}])


def hosts(played: Played) -> list[str]:
    return [call.url.split("/")[2].removesuffix(".test") for call in played.calls]


BEST = {**ASKED, "model": "best"}


def test_an_overloaded_claude_is_stood_in_for_by_another_protocol_and_back() -> None:
    there = fallback("claude/claude-1", "gpt/gpt-1")
    played = play(there, BEST, [failing(529), OK_OF_CHAT], head("/v1/messages"))
    assert (text_of(played), hosts(played)) == ("Hello", ["claude", "gpt"])

    back = fallback("gpt/gpt-1", "claude/claude-1")
    played = play(back, BEST, [failing(503), OK], head("/v1/messages"))
    assert (text_of(played), hosts(played)) == ("Hello", ["gpt", "claude"])


def test_each_target_is_asked_from_what_the_client_said() -> None:
    gate = fallback("gpt/gpt-1", "claude/claude-1")
    more = {"thinking": {"type": "adaptive"}, "made_up": [1], "system": "Be brief."}
    played = play(gate, {**BEST, **more}, [failing(503), OK], head("/v1/messages"))
    assert json.decode(played.calls[1].body) == {**BEST, **more, "model": "claude-1"}


FILE = {"type": "document", "source": {"type": "file", "file_id": "file_1"}}
RESULT = {"type": "tool_result", "tool_use_id": "t", "content": [FILE]}


@pytest.mark.parametrize(
    "held",
    [
        {"container": "container_1"},
        {"container": {"id": "container_1"}},
        {"fallback_credit_token": "t"},
        {"thread": {"type": "continue", "previous_message_id": "msg_1"}},
        {"diagnostics": {"previous_message_id": "msg_1"}},
        *(
            {"messages": [*ASKED["messages"], {"role": "user", "content": ["junk", block]}]}
            for block in (FILE, RESULT, {"type": "container_upload", "file_id": "file_1"})
        ),
    ],
    ids=str,
)
def test_what_one_provider_keeps_is_asked_of_no_other(held: dict[str, Any]) -> None:
    gate = fallback("claude/claude-1", "other/other-1", "claude/claude-2")

    played = play(gate, {**BEST, **held}, [failing(529), OK], head("/v1/messages"))

    assert hosts(played) == ["claude", "claude"]
    assert text_of(played) == "Hello"


def test_so_the_failure_of_that_one_is_told() -> None:
    gate = fallback("gpt/gpt-1", "claude/claude-1", "other/other-1")

    overloaded = failing(529, "overloaded_error")
    played = play(gate, {**BEST, "container": "c"}, [overloaded], head("/v1/messages"))

    assert hosts(played) == ["claude"]
    assert (played.status, played.json()["error"]["type"]) == (529, "overloaded_error")


@pytest.mark.parametrize(
    "more",
    [
        {},
        {"container": None},
        {"thread": {"type": "create"}},
        {"thread": "junk"},
        {"diagnostics": {"previous_message_id": None}},
        {"messages": [{"role": "user", "content": [{"type": "text", "text": '"file_id"'}]}]},
    ],
    ids=str,
)
def test_what_nobody_keeps_may_go_anywhere(more: dict[str, Any]) -> None:
    gate = fallback("claude/claude-1", "other/other-1")
    played = play(gate, {**BEST, **more}, [failing(529), OK], head("/v1/messages"))
    assert (text_of(played), hosts(played)) == ("Hello", ["claude", "other"])


# Who comes first

SHARED = [{"target": f"{name}/{name}-1", "weight": 1} for name in ("claude", "other")]
SESSIONS = [f"{number:08x}-0000-4000-8000-000000000000" for number in range(40)]


def first(token: str, **asking: Any) -> str:
    """The provider that is called first. `token` belongs to the request and decides at random."""
    gate = gateway(*ROWS, MODELS=[{"id": "best", "targets": SHARED}])
    headers = asking.pop("headers", {})
    exchange = gate.open(head("/v1/messages", **headers), token, NOW)
    assert isinstance(exchange.advance(None, NOW), ReadBody)
    call = exchange.advance(json.encode_body({**BEST, **asking}), NOW)
    assert isinstance(call, Call)
    return call.request.url.split("/")[2].removesuffix(".test")


TOKENS = [f"{number:02x}" * 16 for number in (0, 80, 160, 240)]


@pytest.mark.parametrize(
    "of",
    [
        lambda session: {"headers": {"x_claude_code_session_id": session}},
        lambda session: {"metadata": {"user_id": f'{{"session_id":"{session}"}}'}},
        lambda session: {"metadata": {"user_id": f"user_a_account_b_session_{session}"}},
        lambda session: {"metadata": {"user_id": session}},
    ],
    ids=["header", "metadata", "older metadata", "user"],
)
def test_a_session_stays_where_it_began(of: Any) -> None:
    chosen = [{first(token, **of(session)) for token in TOKENS} for session in SESSIONS]
    assert all(len(each) == 1 for each in chosen)
    assert Counter(host for each in chosen for host in each).keys() == {"claude", "other"}


def test_the_header_counts_before_the_body() -> None:
    for session in SESSIONS[:8]:
        alone = first(TOKENS[0], headers={"x_claude_code_session_id": session})
        for user in ("a", "b", "c", "d"):
            both = {"headers": {"x_claude_code_session_id": session}}
            assert first(TOKENS[0], metadata={"user_id": user}, **both) == alone


def test_without_a_session_chance_decides() -> None:
    assert {first(token) for token in TOKENS} == {"claude", "other"}
