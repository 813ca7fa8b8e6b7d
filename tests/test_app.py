"""Routes, the order of checks, and the headers of every answer."""

from typing import Any

import pytest

from tests.play import KEY, NOW, TOKEN, UPSTREAM_KEY, Played, Upstream, gateway, head, play
from xtrix import __version__, json
from xtrix.app import Gateway, configure
from xtrix.body import BODY_SECONDS, WHOLE_BODY_SECONDS
from xtrix.http import Reply, RequestHead
from xtrix.steps import Failure, ReadBody

ROW = {
    "name": "local",
    "dialect": "openai",
    "base_url": "http://upstream.test/v1",
    "api_key": "UPSTREAM_KEY",
    "models": ["plain", "gpt-*"],
    "aliases": {"alias": "real"},
}
REQUEST = {"model": "plain", "messages": [{"role": "user", "content": "Hello"}]}
ANSWER = Upstream(
    200,
    {"content-type": "application/json"},
    (b'{"choices":[{"message":{"role":"assistant","content":"Hi"},"finish_reason":"stop"}]}',),
)


def get(path: str, method: str = "GET", **headers: str) -> Played:
    return play(gateway(ROW), b"", request_head=head(path, method, **headers))


def refused(played: Played) -> dict[str, Any]:
    """The error of an answer that needed no upstream."""
    assert played.calls == []
    error: dict[str, Any] = played.json()["error"]
    assert set(error) == {"message", "type", "param", "code"}
    assert played.headers["content-type"] == "application/json"
    return error


# Routes


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/chat/completions"])
@pytest.mark.parametrize("slash", ["", "/"])
def test_completions(path: str, slash: str) -> None:
    played = play(gateway(ROW), REQUEST, [ANSWER], head(path + slash))
    assert played.status == 200
    assert played.json()["choices"][0]["message"]["content"] == "Hi"


def health(gate: Gateway, **headers: str) -> Played:
    return play(gate, b"", request_head=RequestHead("GET", "/health", headers))


def test_health_needs_no_token() -> None:
    for gate in (gateway(ROW), gateway(), gateway(ROW, API_KEYS="")):
        played = health(gate)
        assert played.status == 200
        assert played.json() == {
            "status": "ok",
            "service": "xtrix",
            "version": __version__,
        }
        assert played.calls == []


def test_health_says_when_the_configuration_is_broken() -> None:
    gate = gateway({**ROW, "api_key": "lower"}, MAX_BODY_BYTES="many")
    for headers in ({}, {"authorization": "Bearer wrong-key"}, {"authorization": f"Basic {KEY}"}):
        played = health(gate, **headers)
        assert played.status == 503
        assert refused(played)["code"] == "configuration_error"
        assert "PROVIDERS" not in played.body
        assert "MAX_BODY_BYTES" not in played.body
    played = health(gate, authorization=f"Bearer {KEY}")
    assert played.status == 503
    assert "PROVIDERS[0].api_key" in refused(played)["message"]
    assert "MAX_BODY_BYTES" in refused(played)["message"]


@pytest.mark.parametrize("path", ["/health", "/v1/models", "/models", "/v1/models/plain"])
def test_head_is_get_without_the_body(path: str) -> None:
    got, headed = get(path), get(path, "HEAD")
    assert headed.body == ""
    assert (headed.status, headed.headers) == (got.status, got.headers)
    assert get("/v1/models/other", "HEAD").status == 404
    assert get("/v1/models", "HEAD", authorization="Bearer no").body == ""


@pytest.mark.parametrize("path", ["/v1/models", "/models", "/models/"])
def test_the_models_that_have_a_name(path: str) -> None:
    models = get(path).json()
    assert models["object"] == "list"
    assert {model["id"] for model in models["data"]} == {"plain", "alias"}
    for model in models["data"]:
        assert model == {"id": model["id"], "object": "model", "created": 0, "owned_by": "local"}


@pytest.mark.parametrize("name", ["plain", "alias", "gpt-4", "local/any", "local%2Fany"])
def test_one_model(name: str) -> None:
    played = get(f"/v1/models/{name}")
    assert played.status == 200
    assert played.json()["id"] == name.replace("%2F", "/")
    assert get(f"/models/{name}").json() == played.json()


def test_a_model_that_is_not_there() -> None:
    played = get("/v1/models/other")
    assert played.status == 404
    assert refused(played)["code"] == "model_not_found"


@pytest.mark.parametrize(
    "path", ["/", "", "/v1", "/v1/chat", "/v1/embedding", "/v1/modelsx", "/v1/chat/completions/x"]
)
def test_there_is_nothing_else(path: str) -> None:
    for method in ("GET", "POST", "DELETE"):
        played = get(path, method)
        assert played.status == 404
        error = refused(played)
        assert (error["code"], error["type"]) == ("unknown_url", "invalid_request_error")
        assert "POST /v1/messages, GET /v1/models" in error["message"]


def test_an_unknown_path_is_not_told_at_length() -> None:
    assert len(refused(get("/" + "x" * 7_000))["message"]) < 300
    assert len(refused(get("/v1/models/" + "x" * 7_000, "POST"))["message"]) < 300


@pytest.mark.parametrize("path", ["/v1/v1/chat/completions", "/v1/v1/models", "/v1/v1/responses"])
def test_a_path_with_v1_twice_says_what_to_leave_out(path: str) -> None:
    assert "leave /v1 out" in refused(get(path, "POST"))["message"]
    assert "leave /v1 out" not in refused(get("/v1/responses/x", "POST"))["message"]


@pytest.mark.parametrize(
    ("path", "what"),
    [
        ("/v1/chat/completions/chat/completions", "/chat/completions"),
        ("/v1/chat/completions/v1/chat/completions", "/chat/completions"),
        ("/chat/completions/models", "/chat/completions"),
        ("/v1/embeddings/embeddings", "/embeddings"),
        ("/v1/messages/v1/messages", "/messages"),
        ("/v1/responses/chat/completions", "/responses"),
    ],
)
def test_a_doubled_path_says_what_to_leave_out(path: str, what: str) -> None:
    message = refused(get(path, "POST"))["message"]
    assert message.endswith(f"The base URL has to end in /v1: leave {what} out of it.")


def test_a_path_that_is_no_doubled_one_is_not_told_what_to_leave_out() -> None:
    for path in ("/v1/chat/completions/x", "/v1/messages/batches", "/v1/embeddings/v1/x"):
        assert "leave" not in refused(get(path, "POST"))["message"]


@pytest.mark.parametrize(
    ("path", "method", "allowed"),
    [
        ("/v1/chat/completions", "GET", "POST"),
        ("/v1/chat/completions", "PUT", "POST"),
        ("/v1/chat/completions", "HEAD", "POST"),
        ("/v1/models", "POST", "GET, HEAD"),
        ("/v1/models/plain", "DELETE", "GET, HEAD"),
        ("/health", "POST", "GET, HEAD"),
    ],
)
def test_wrong_method(path: str, method: str, allowed: str) -> None:
    played = get(path, method)
    assert played.status == 405
    assert method == "HEAD" or refused(played)["code"] == "method_not_allowed"
    assert played.headers["allow"] == f"{allowed}, OPTIONS"


# Browsers


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/models", "/anything"])
def test_preflight_needs_no_token_and_echoes_the_headers_wanted(path: str) -> None:
    wanted = "authorization,content-type,x-stainless-lang,x-stainless-retry-count"
    request = RequestHead("OPTIONS", path, {"access-control-request-headers": wanted})
    played = play(gateway(ROW), b"", request_head=request)
    assert played.status == 204
    assert played.body == ""
    assert played.headers["access-control-allow-headers"] == wanted
    assert "POST" in played.headers["access-control-allow-methods"]
    assert played.headers["access-control-allow-origin"] == "*"
    assert played.headers["vary"] == "access-control-request-headers"


def test_preflight_that_names_no_headers() -> None:
    played = play(gateway(ROW), b"", request_head=RequestHead("OPTIONS", "/", {}))
    assert (
        played.headers["access-control-allow-headers"]
        == "authorization, x-api-key, content-type, anthropic-version, anthropic-beta"
    )


def answers() -> dict[str, Played]:
    """An answer of each kind."""
    gate = gateway(ROW)
    return {
        "whole": play(gate, REQUEST, [ANSWER]),
        "refused": play(gate, b"{"),
        "failed": play(gate, REQUEST, [Upstream(failure=Failure.CONNECTION)]),
        "no token": play(gate, b"", request_head=RequestHead("GET", "/v1/models", {})),
        "no page": play(gate, b"", request_head=head("/")),
        "configured wrongly": play(gateway(PROVIDERS="x"), REQUEST),
        "health": play(gate, b"", request_head=head("/health", "GET")),
    }


def test_every_answer_has_an_id_and_may_be_read_by_a_page() -> None:
    for kind, played in answers().items():
        assert played.headers["x-request-id"] == f"req_{TOKEN}", kind
        assert played.headers["access-control-allow-origin"] == "*", kind
        exposed = played.headers["access-control-expose-headers"].split(", ")
        assert {"x-request-id", "retry-after", "x-should-retry"} <= {*exposed}, kind


@pytest.mark.parametrize("path", ["/v1/messages", "/v1/messages/count_tokens"])
def test_clients_of_messages_find_the_id_where_they_look(path: str) -> None:
    request = {**REQUEST, "max_tokens": 9}
    asked = head(path)
    for kind, played in {
        "whole": play(gateway(ROW), request, [ANSWER], request_head=asked),
        "refused": play(gateway(ROW), b"{", request_head=asked),
        "no token": play(gateway(ROW), b"", request_head=RequestHead("POST", path, {})),
        "no page": get("/v1/nothing", **{"anthropic-version": "2023-06-01"}),
    }.items():
        assert played.headers["request-id"] == f"req_{TOKEN}", kind
    assert "request-id" not in play(gateway(ROW), REQUEST, [ANSWER]).headers


def test_no_other_header_of_the_upstream_comes_through() -> None:
    upstream = Upstream(200, {**ANSWER.headers, "set-cookie": "a=b", "server": "x"}, ANSWER.pieces)
    played = play(gateway(ROW), REQUEST, [upstream])
    assert set(played.headers) == {
        *("x-request-id", "access-control-allow-origin", "access-control-expose-headers"),
        *("content-type", "x-served-by", "x-attempts"),
    }


# The order of checks


def first(gate_head: RequestHead) -> object:
    """The first step for a request with this head."""
    exchange = gateway(ROW, MAX_BODY_BYTES=1000).open(gate_head, TOKEN, NOW)
    return exchange.advance(None, NOW)


def test_the_key_is_checked_before_a_byte_of_the_body_is_read() -> None:
    answer = first(RequestHead("POST", "/v1/chat/completions", {"authorization": "Bearer no"}))
    assert isinstance(answer, Reply)
    assert answer.status == 401
    assert dict(answer.headers)["www-authenticate"].startswith("Bearer")


def test_a_body_that_says_it_is_too_large_is_not_read() -> None:
    answer = first(head(content_length="1001"))
    assert isinstance(answer, Reply)
    assert answer.status == 413
    assert first(head(content_length="1000")) == ReadBody(
        1000, BODY_SECONDS, WHOLE_BODY_SECONDS, most=1000
    )
    assert first(head(content_length="no number")) == ReadBody(
        1000, BODY_SECONDS, WHOLE_BODY_SECONDS, most=1000
    )


@pytest.mark.parametrize(
    ("said", "coding"),
    [("gzip", "gzip"), ("x-gzip", "gzip"), (" GZIP ", "gzip"), ("deflate", "deflate")],
)
def test_a_compressed_body_is_read_as_such(said: str, coding: str) -> None:
    read = first(head(content_encoding=said))
    assert isinstance(read, ReadBody)
    assert read.coding == coding


@pytest.mark.parametrize("coding", ["br", "zstd", "gzip, gzip", "deflate, gzip", "plain"])
def test_a_body_compressed_otherwise_is_not_read(coding: str) -> None:
    answer = first(head(content_encoding=coding))
    assert isinstance(answer, Reply)
    assert answer.status == 415
    assert json.decode(answer.body)["error"]["code"] == "unsupported_content_encoding"


@pytest.mark.parametrize("coding", ["identity", "Identity", " IDENTITY ", ""])
def test_a_body_that_is_not_compressed_may_say_so(coding: str) -> None:
    assert isinstance(first(head(content_encoding=coding)), ReadBody)


def test_a_body_that_turns_out_too_large() -> None:
    played = play(gateway(ROW, MAX_BODY_BYTES=1000), {**REQUEST, "user": "x" * 1000})
    assert played.status == 413
    assert refused(played)["code"] == "request_too_large"
    assert "1000 bytes" in played.json()["error"]["message"]


@pytest.mark.parametrize("failure", [Failure.TIME, Failure.CONNECTION])
def test_a_body_that_does_not_come_whole(failure: Failure) -> None:
    exchange = gateway(ROW).open(head(), TOKEN, NOW)
    assert isinstance(exchange.advance(None, NOW), ReadBody)
    answer = exchange.advance(failure, NOW)
    assert isinstance(answer, Reply)
    assert answer.status == 408


def test_a_body_for_which_there_is_no_memory() -> None:
    exchange = gateway(ROW).open(head(), TOKEN, NOW)
    assert isinstance(exchange.advance(None, NOW), ReadBody)
    answer = exchange.advance(Failure.MEMORY, NOW)
    assert isinstance(answer, Reply)
    assert (answer.status, dict(answer.headers)["retry-after"]) == (503, "1")
    assert json.decode(answer.body)["error"]["code"] == "overloaded"


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"null", b"\xff", b'{"messages":'])
def test_a_body_that_is_no_object(body: bytes) -> None:
    played = play(gateway(ROW), body)
    assert played.status == 400
    assert refused(played)["code"] == "invalid_json"


def test_an_unknown_model_and_the_nearest_names() -> None:
    played = play(gateway(ROW), {**REQUEST, "model": "plane"})
    assert played.status == 404
    error = refused(played)
    assert (error["code"], error["param"]) == ("model_not_found", "model")
    assert "'plain'" in error["message"]


@pytest.mark.parametrize("absent", [{}, {"model": None}])
def test_an_absent_model_is_the_default_one(absent: dict[str, None]) -> None:
    row = {**ROW, "aliases": {"fallback": "theirs"}}
    request = {"messages": REQUEST["messages"], **absent}
    played = play(gateway(row, DEFAULT_MODEL="fallback"), request, [ANSWER])
    assert played.json()["model"] == "fallback"
    assert json.decode(played.calls[0].body)["model"] == "theirs"


def test_the_default_model_of_the_documentation() -> None:
    row = {**ROW, "aliases": {"claude-3-5-sonnet-20241022": "claude-sonnet-4-6"}}
    played = play(gateway(row), {"messages": REQUEST["messages"]}, [ANSWER])
    assert played.json()["model"] == "claude-3-5-sonnet-20241022"
    assert json.decode(played.calls[0].body)["model"] == "claude-sonnet-4-6"
    assert played.headers["x-served-by"] == "local/claude-sonnet-4-6"


# Configuration


def test_a_faulty_configuration_is_every_calls_answer_and_names_every_fault() -> None:
    gate = gateway({**ROW, "dialect": "klingon"}, MAX_BODY_BYTES="many")
    for request in (head(), head("/v1/models", "GET"), head("/nothing")):
        played = play(gate, REQUEST, request_head=request)
        assert played.status == 500
        error = refused(played)
        assert (error["code"], error["type"]) == ("configuration_error", "api_error")
        assert "PROVIDERS[0].dialect" in error["message"]
        assert "MAX_BODY_BYTES" in error["message"]
        assert played.headers["x-should-retry"] == "false"


@pytest.mark.parametrize("key", ["", "wrong", f"{KEY} "])
def test_a_faulty_configuration_names_nothing_to_who_has_no_key(key: str) -> None:
    gate = gateway({**ROW, "api_key": "lower"}, API_KEYS="" if key.strip() == KEY else KEY)
    for path in ("/v1/chat/completions", "/v1/models", "/nothing"):
        played = play(gate, REQUEST, request_head=head(path, authorization=f"Bearer {key}"))
        assert played.status == 500
        assert refused(played)["code"] == "configuration_error"
        assert "PROVIDERS" not in played.body


def test_a_faulty_configuration_fails_every_time_alike() -> None:
    """An exception that is raised again and again would keep all its tracebacks."""
    gate = gateway(PROVIDERS="x")
    assert gate.faults
    assert len({play(gate, REQUEST).body for _ in range(3)}) == 1


def test_our_own_fault_instead_of_a_configuration() -> None:
    for path in ("/v1/chat/completions", "/health"):
        played = play(Gateway(None), REQUEST, request_head=head(path, "GET"))
        assert (played.status, refused(played)["code"]) == (500, "internal_error")


def test_without_keys_every_call_is_refused() -> None:
    gate = gateway(ROW, API_KEYS="")
    assert play(gate, REQUEST).status == 401
    assert play(gate, b"", request_head=head("/v1/models", "GET")).status == 401


def test_configure_takes_any_lookup() -> None:
    environment = {"API_KEYS": KEY, "UPSTREAM_KEY": UPSTREAM_KEY, "PROVIDERS": json.encode([ROW])}
    assert play(configure(environment.get), REQUEST, [ANSWER]).status == 200


# Keys


def test_keys_go_where_they_belong_and_nowhere_else() -> None:
    played = play(gateway(ROW), {**REQUEST, "user": "someone"}, [ANSWER])
    headers = dict(played.calls[0].headers)
    assert headers["authorization"] == f"Bearer {UPSTREAM_KEY}"
    assert KEY not in str(played.calls[0])
    assert UPSTREAM_KEY not in str((played.body, played.headers, played.log))
    assert KEY not in str((played.body, played.headers, played.log))


def test_an_upstream_that_repeats_keys_is_not_repeated() -> None:
    said = {"error": {"message": f"You sent {UPSTREAM_KEY} for {KEY}", "type": "server_error"}}
    upstream = Upstream(500, ANSWER.headers, (json.encode(said).encode(),))
    played = play(gateway(ROW), REQUEST, [upstream])
    assert played.json()["error"]["message"] == "You sent [redacted] for [redacted]"


# The record


def test_the_record_says_who_answered_and_nothing_of_what_was_said() -> None:
    played = play(gateway(ROW), {**REQUEST, "user": "someone"}, [ANSWER])
    assert played.log == {
        "id": f"req_{TOKEN}",
        "method": "POST",
        "path": "/v1/chat/completions",
        "status": 200,
        "model": "plain",
        "stream": False,
        "provider": "local",
        "upstream_model": "plain",
        "attempts": 1,
        "failures": [],
        "first_byte_ms": 0,
        "total_ms": 0,
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "local",
        "gen_ai.request.model": "plain",
        "gen_ai.request.stream": False,
        "gen_ai.response.model": "plain",
        "gen_ai.response.finish_reasons": ["stop"],
        "version": __version__,
    }


def test_the_record_of_a_refusal_says_why() -> None:
    played = play(gateway(ROW), b"{")
    assert (played.log["status"], played.log["error"]) == (400, "invalid_json")


def test_a_long_path_is_cut_in_the_record() -> None:
    assert len(get("/" + "x" * 10_000).log["path"]) == 200
