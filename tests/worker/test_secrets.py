"""No key and no word of a conversation appears where it should not.

Every answer of every test here is searched for keys (`client.py`), every upstream call for the
client's key (`conftest.py`), and the shared Worker's log, at its end, for both and for
conversations. In these tests the upstream tries to give its key away.
"""

import json

import pytest

from tests.worker.client import (
    CLIENT_KEYS,
    NEVER_LOGGED,
    UPSTREAM_KEYS,
    error_in,
    question,
)
from tests.worker.conftest import Gateway, Start
from tests.worker.faults import HTML_HEADERS, events_to_text
from tests.worker.logs import record_of
from tests.worker.scripts import JSON, STALL, Script, stream, whole
from tests.worker.sees import SAID
from tests.worker.speech import ANTHROPIC, INPUT_TOKENS, OUTPUT_TOKENS, Dialect, ToolCall
from tests.worker.upstream import Upstream

REQUEST_HEADERS = {
    *("host", "content-type", "content-length", "transfer-encoding", "connection"),
    *("accept", "accept-encoding", "user-agent", "authorization", "x-api-key"),
    *("anthropic-version", "anthropic-beta"),
}
"""What the Worker may tell the upstream. `anthropic-beta` is what a parameter needs."""


def test_the_upstream_gets_its_own_key_and_nothing_of_the_clients(
    worker: Gateway, upstream: Upstream, dialect: Dialect
) -> None:
    upstream.answer(whole(200, dialect.whole("Yes.")))
    headers = {
        "authorization": f"bearer {CLIENT_KEYS[1]}",
        "cookie": "session=1",
        "openai-organization": "org",
        "user-agent": "OpenAI/Python 3.54.0",
        "x-stainless-lang": "python",
        "x-forwarded-for": "10.0.0.1",
        "cf-connecting-ip": "10.0.0.1",
        "accept-encoding": "deflate",
        "x-request-id": "req_mine",
        "traceparent": "00-1-2-3",
    }
    assert worker.ask(question(dialect.model), headers).status == 200
    sent = dict(upstream.wait_for_call().headers)
    assert set(sent) <= REQUEST_HEADERS
    key = UPSTREAM_KEYS[dialect.name]
    bearer = ("authorization", f"Bearer {key}")
    name, value = ("x-api-key", key) if dialect.name == "anthropic" else bearer
    assert sent.pop(name) == value
    assert not {"x-api-key", "authorization"} & set(sent)
    assert "deflate" not in sent.get("accept-encoding", "")


def leaks(dialect: Dialect) -> dict[str, tuple[bool, Script]]:
    """Returns every way for an upstream to reveal its key: whether it streams, and its script."""
    key = UPSTREAM_KEYS[dialect.name]
    message = f"Incorrect API key provided: {key}. (Bearer {key})"
    telling = [
        *(("set-cookie", f"k={key}"), ("x-debug", key), ("server", "secret/1.0")),
        *(("request-id", f"req_{key}"), ("openai-organization", "our-org"), ("x-api-key", key)),
        *(("location", f"https://x/?key={key}"), ("retry-after", "1"), ("www-authenticate", key)),
    ]
    statuses = (301, 400, 401, 402, 403, 404, 408, 409, 413, 422, 429, 500, 502, 503, 529)
    errors: dict[str, tuple[bool, Script]] = {
        f"{status}": (False, whole(status, dialect.error("api_error", message), [*JSON, *telling]))
        for status in statuses
    }
    page = f"<html><body>{message}</body></html>".encode()
    first = stream([dialect.error_event("api_error", message)], telling_stream(telling))
    later = [*events_to_text(dialect), dialect.error_event("api_error", message)]
    bad = f"data: {{{message}\n\n".encode()
    waits = [*JSON, *((name, key) for name in ("retry-after", "retry-after-ms", "x-should-retry"))]
    said = [it.replace(b"KEY", _escapes(key)) for it in dialect.text(["One", "two", "KEY"])]
    call = ToolCall(key, "f", [f'{{"key":"{key}"}}'])
    return errors | {
        "an answer's headers": (False, whole(200, dialect.whole("x"), [*JSON, *telling])),
        "a stream's headers": (True, stream(dialect.text(SAID), telling_stream(telling))),
        "an error in a 200": (False, whole(200, dialect.error("api_error", message))),
        "a page": (False, whole(500, page, HTML_HEADERS)),
        "a page in a 200": (False, whole(200, page, HTML_HEADERS)),
        "text": (False, whole(400, message.encode(), [("content-type", "text/plain")])),
        "odd JSON": (False, whole(400, json.dumps({"detail": message}).encode())),
        "a string for an error": (False, whole(400, json.dumps({"error": message}).encode())),
        "the kind of an error": (False, whole(400, dialect.error(key, "x"))),
        "the code and the parameter of an error": (False, whole(400, _named(f"bad-{key}"))),
        "the code, and no more": (False, whole(400, _named(key))),
        "a wish to wait": (False, whole(429, dialect.error("rate_limit_error", "x"), waits)),
        "an answer": (False, whole(200, dialect.whole(f"It is {key}."))),
        "an answer of escapes": (True, stream(said)),
        "a stream's text": (True, stream(dialect.text([f"It is {key}.", key, "."]))),
        "a stream's thoughts": (True, stream(dialect.thinking([f"It is {key}."], ["x"]))),
        "the arguments of a call": (True, stream(dialect.tools([call]))),
        "a first event": (True, first),
        "a later event": (True, stream(later)),
        "a malformed event": (True, stream([*events_to_text(dialect), bad, STALL])),
        "a key cut by escapes": (False, whole(400, _escaped(dialect, key))),
    }


def telling_stream(telling: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """Returns the headers of a stream that contain the key."""
    return [("content-type", "text/event-stream"), *telling]


def _escaped(dialect: Dialect, key: str) -> bytes:
    """Returns an error whose text has the key, but whose bytes do not."""
    return dialect.error("invalid_request_error", "KEY").replace(b"KEY", _escapes(key))


def _escapes(text: str) -> bytes:
    """Returns the ways to write the text inside a JSON string."""
    return "".join(f"\\u{ord(character):04x}" for character in text).encode()


def _named(secret: str) -> bytes:
    """Returns an OpenAI error with this in its code and its parameter."""
    error = {"message": "x", "type": "invalid_request_error", "code": secret, "param": secret}
    return json.dumps({"error": error}).encode()


@pytest.mark.parametrize("leak", leaks(ANTHROPIC))
def test_an_upstream_that_tells_its_key_tells_nobody(
    worker: Gateway, upstream: Upstream, dialect: Dialect, leak: str
) -> None:
    streamed, script = leaks(dialect)[leak]
    upstream.answer(script)
    answer = worker.ask(question(dialect.model, stream=streamed))
    assert not {"set-cookie", "x-debug", "server", "location", "request-id"} & set(answer.headers)
    record_of(worker.log, answer.headers["x-request-id"])
    assert not NEVER_LOGGED.search(worker.log())


@pytest.mark.parametrize("status", [400, 404, 422])
def test_what_is_left_of_such_a_message_is_still_told(
    worker: Gateway, upstream: Upstream, dialect: Dialect, status: int
) -> None:
    message = f"Your key {UPSTREAM_KEYS[dialect.name]} has no model of that name."
    upstream.answer(whole(status, dialect.error("invalid_request_error", message)))
    told = worker.ask(question(dialect.model)).error()["message"]
    assert told.startswith("Your key ")
    assert told.endswith(" has no model of that name.")


@pytest.mark.parametrize(
    "secret",
    [
        "sk-proj-****************9f3c",
        "sk-ant-api03-ofAnotherAccount",
        "Bearer eyJhbGciOiJIUzI1NiJ9",
    ],
)
def test_what_looks_like_a_key_is_not_told_either(
    worker: Gateway, upstream: Upstream, dialect: Dialect, secret: str
) -> None:
    """Providers repeat keys masked, and gateways repeat keys that this gateway does not know."""
    message = f"Incorrect API key provided: {secret}. Find yours on the dashboard."
    upstream.answer(whole(400, dialect.error("invalid_request_error", message)))
    told = worker.ask(question(dialect.model)).error()["message"]
    assert secret.rsplit(maxsplit=1)[-1] not in told
    assert told.startswith("Incorrect API key provided: ")


def test_a_wrong_key_is_not_repeated(worker: Gateway) -> None:
    """A mistyped key, or the key of another service, is in no log of ours."""
    wrong = "sk-of-another-service-4c1d"
    for line in ("POST /v1/chat/completions", "GET /v1/models"):
        answer = worker.ask(headers={"authorization": f"Bearer {wrong}"}, line=line)
        assert answer.status == 401
        assert wrong.encode() not in answer.body
        record_of(worker.log, answer.headers["x-request-id"])
    answer = worker.ask(headers={}, line=f"GET /v1/models?key={wrong}")
    record_of(worker.log, answer.headers["x-request-id"])
    assert wrong not in worker.log()


@pytest.mark.parametrize("streamed", [False, True])
def test_the_log_says_what_was_done_and_not_what_was_said(
    worker: Gateway, upstream: Upstream, dialect: Dialect, streamed: bool
) -> None:
    upstream.answer(stream(dialect.text(SAID)) if streamed else whole(200, dialect.whole(SAID[0])))
    answer = worker.ask(question(dialect.model, stream=streamed, user="somebody@example.org"))
    record = record_of(worker.log, answer.headers["x-request-id"])
    assert record["status"] == 200
    assert record["model"] == dialect.model
    assert record["provider"] == f"sim-{dialect.name}"
    assert (record["prompt_tokens"], record["completion_tokens"]) == (INPUT_TOKENS, OUTPUT_TOKENS)
    assert 0 <= record["first_byte_ms"] <= record["total_ms"] < 15_000
    assert not NEVER_LOGGED.search(json.dumps(record))
    assert "somebody" not in json.dumps(record)


def test_a_failure_is_logged_once_with_its_reason(
    worker: Gateway, upstream: Upstream, dialect: Dialect
) -> None:
    upstream.answer(whole(529, dialect.error("overloaded_error", "Overloaded: XYZZY")))
    answer = worker.ask(question(dialect.model))
    record = record_of(worker.log, answer.headers["x-request-id"])
    assert (record["status"], record["error"]) == (503, "server_is_overloaded")
    upstream.answer(stream([*events_to_text(dialect), b"data: {XYZZY\n\n", STALL]))
    answer = worker.ask(question(dialect.model, stream=True))
    record = record_of(worker.log, answer.headers["x-request-id"])
    assert (record["status"], record["error"]) == (200, "bad_upstream_response")
    assert "XYZZY" not in worker.log()


def test_a_stream_that_fails_in_its_first_piece_is_logged_once(
    worker: Gateway, upstream: Upstream, dialect: Dialect
) -> None:
    """The stream is over before the Worker has answered."""
    upstream.answer(stream([b"".join(events_to_text(dialect)) + b"data: {oops\n\n", STALL]))
    answer = worker.ask(question(dialect.model, stream=True))
    assert error_in(answer.payloads()[-1])["code"] == "bad_upstream_response"
    worker.ask(line="GET /health")  # what is logged twice is logged by now
    record = record_of(worker.log, answer.headers["x-request-id"])
    assert (record["status"], record["error"]) == (200, "bad_upstream_response")


def test_a_key_put_where_its_name_belongs_is_not_shown(
    start: Start, bindings: dict[str, object]
) -> None:
    """`api_key` is the name of a secret. An operator who pastes the key itself must not publish
    it.
    """
    row = {
        "name": "pasted",
        "dialect": "openai",
        "base_url": "https://api.openai.com/v1",
        "api_key": "sk-proj-pasted-by-mistake-77",
        "models": ["gpt-*"],
    }
    with start(bindings | {"PROVIDERS": [row]}) as worker:
        answer = worker.ask(question("gpt-sim"))
        assert answer.status == 500
        assert "PROVIDERS[0].api_key" in answer.error()["message"]
        assert b"by-mistake" not in answer.body
        assert "by-mistake" not in worker.log()
