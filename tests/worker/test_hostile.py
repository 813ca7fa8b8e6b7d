"""Hostile requests, and hostile upstreams: the Worker refuses, and goes on.

After every test the Worker must still answer.
"""

import gzip
import json
import select
import socket
import time
from collections.abc import Iterator
from functools import partial
from typing import Any, NamedTuple

import pytest
from hypothesis import strategies as st

from tests.drawn import drawn
from tests.play import Played, head, play
from tests.play import Upstream as PlayedUpstream
from tests.strategies import ODD_REQUESTS, mutated_requests
from tests.worker.client import CLIENT_KEYS, DONE, Answer, error_in, payloads_in, question
from tests.worker.conftest import MAX_BODY_BYTES, Gateway
from tests.worker.faults import events_to_text
from tests.worker.memory import memory_of
from tests.worker.scripts import (
    JSON,
    LAST_CHUNK,
    STALL,
    Script,
    chunk,
    endless,
    stream,
    stream_head,
    whole,
)
from tests.worker.speech import ANTHROPIC, DIALECTS, OPENAI, RESPONSES, Dialect, ToolCall
from tests.worker.upstream import PATIENCE, Call, Upstream
from xtrix.app import Gateway as Core
from xtrix.app import configure
from xtrix.steps import UNREAD_SECONDS

AUTHORIZED = f"Authorization: Bearer {CLIENT_KEYS[0]}\r\n"


@pytest.fixture(autouse=True)
def _still_answers(worker: Gateway, upstream: Upstream) -> Iterator[None]:
    upstream.answer(whole(200, OPENAI.whole("Yes.")))
    yield
    upstream.forget()
    upstream.answer(whole(200, OPENAI.whole("Still here.")))
    assert b"Still here." in worker.ask(question(OPENAI.model)).body


def with_messages(messages: str, **more: object) -> bytes:
    """Returns a request whose messages are this JSON text."""
    return json.dumps({"model": OPENAI.model, **more}).encode()[:-1] + (
        f', "messages": {messages}}}'.encode("utf-8", "surrogatepass")
    )


def refused(answer: Answer, *codes: str) -> None:
    """Fails unless the request was refused as the client's fault."""
    error = answer.error()
    assert answer.status == 400, error
    assert not codes or error["code"] in codes, error


# Size


def raw(worker: Gateway, data: bytes) -> bytes:
    """Sends these bytes. Returns everything that is answered before the connection ends."""
    with socket.create_connection(("127.0.0.1", worker.port), PATIENCE) as connection:
        connection.sendall(data)
        return connection.recv(65_536)


def test_a_body_that_says_it_is_too_large_is_not_read(worker: Gateway, upstream: Upstream) -> None:
    length = f"Content-Length: {MAX_BODY_BYTES + 1}\r\n"
    head = f"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\n{AUTHORIZED}{length}\r\n"
    answer = raw(worker, head.encode())
    assert answer.startswith(b"HTTP/1.1 413 ")
    assert b'"request_too_large"' in answer
    assert upstream.calls == []


def test_a_body_without_a_length_is_read_no_further_than_the_limit(worker: Gateway) -> None:
    before = memory_of(worker.pid)
    head = "POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n"
    with socket.create_connection(("127.0.0.1", worker.port), PATIENCE) as connection:
        connection.sendall(f"{head}{AUTHORIZED}\r\n".encode())
        sent = _send_until_answered(connection, chunk(b" " * 100_000), 100 * MAX_BODY_BYTES)
        assert connection.recv(65_536).startswith(b"HTTP/1.1 413 ")
    assert sent < 10 * MAX_BODY_BYTES
    assert memory_of(worker.pid).python - before.python < 4 * MAX_BODY_BYTES


def _send_until_answered(connection: socket.socket, piece: bytes, most: int) -> int:
    """Sends the piece again and again until there is an answer. Returns the number of bytes
    sent.
    """
    sent = 0
    while sent < most:
        answered, free, _ = select.select([connection], [connection], [], PATIENCE)
        if answered or not free:
            break
        try:
            sent += connection.send(piece[sent % len(piece) :])
        except ConnectionError:
            break
    return sent


def test_without_a_key_no_byte_of_the_body_is_awaited(worker: Gateway) -> None:
    head = "POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n"
    assert raw(worker, f"{head}\r\n".encode()).startswith(b"HTTP/1.1 401 ")
    assert raw(worker, f"{head}Authorization: Bearer no\r\n\r\n".encode()).startswith(
        b"HTTP/1.1 401 "
    )


EARLY = {
    "401": ("POST /v1/chat/completions", "Authorization: Bearer no\r\n"),
    "413": ("POST /v1/chat/completions", AUTHORIZED),
    "404": ("POST /v1/nothing", AUTHORIZED),
    "415": ("POST /v1/chat/completions", f"{AUTHORIZED}Content-Encoding: br\r\n"),
}
"""Answers that need no body, or not all of it: a line and headers that get them."""


@pytest.mark.parametrize("chunked", [False, True])
@pytest.mark.parametrize("status", EARLY)
def test_an_early_answer_reaches_who_is_still_sending(
    worker: Gateway, status: str, chunked: bool
) -> None:
    """The rest of the body is read and dropped, because an unread rest would reset the
    connection.
    """
    line, headers = EARLY[status]
    body = b" " * 12_000_000
    framing, sent = f"Content-Length: {len(body)}", body
    if chunked:
        pieces = (chunk(body[at : at + 50_000]) for at in range(0, len(body), 50_000))
        framing, sent = "Transfer-Encoding: chunked", b"".join(pieces) + LAST_CHUNK
    head = f"{line} HTTP/1.1\r\nHost: x\r\n{headers}{framing}\r\n\r\n"
    before = memory_of(worker.pid)
    answer = raw(worker, head.encode() + sent)
    assert answer.startswith(f"HTTP/1.1 {status} ".encode())
    assert memory_of(worker.pid).python == before.python


def test_who_sends_nothing_is_not_waited_for_long(worker: Gateway) -> None:
    head = "POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n"
    began = time.monotonic()
    with socket.create_connection(("127.0.0.1", worker.port), PATIENCE) as connection:
        connection.sendall(head.encode())
        assert connection.recv(65_536).startswith(b"HTTP/1.1 401 ")
        assert time.monotonic() - began < UNREAD_SECONDS
        assert connection.recv(65_536) == b""
        assert time.monotonic() - began < UNREAD_SECONDS + 3


def test_the_largest_body_is_served(worker: Gateway, upstream: Upstream) -> None:
    frame = len(with_messages(json.dumps([{"role": "user", "content": ""}])))
    content = "x" * (MAX_BODY_BYTES - frame)
    body = with_messages(json.dumps([{"role": "user", "content": content}]))
    assert len(body) == MAX_BODY_BYTES
    assert worker.ask(body).status == 200
    assert json.loads(upstream.wait_for_call().body)["messages"][0]["content"] == content
    refused_answer = worker.ask(body + b" ")
    assert refused_answer.status == 413
    assert refused_answer.error()["code"] == "request_too_large"


def messages_in(body: bytes) -> Any:
    """The messages of an upstream's request, in any dialect."""
    sent = json.loads(body.decode())
    return sent.get("messages") or sent["input"]


def test_ten_thousand_messages(worker: Gateway, upstream: Upstream, dialect: Dialect) -> None:
    upstream.answer(whole(200, dialect.whole("Yes.")))
    roles = ("user", "assistant")
    messages = [{"role": roles[n % 2], "content": f"{n}"} for n in range(9_999)]
    assert worker.ask(question(dialect.model) | {"messages": messages}).status == 200
    sent = messages_in(upstream.wait_for_call().body)
    assert [
        it["content"] if isinstance(it["content"], str) else it["content"][0]["text"] for it in sent
    ] == [f"{n}" for n in range(9_999)]


@pytest.mark.parametrize("host", ["[", "%", "x:99999", "a b", "<>"])
def test_a_host_that_is_part_of_no_url(worker: Gateway, host: str) -> None:
    answer = raw(worker, f"GET /health HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
    assert answer.startswith(b"HTTP/1.1 404 ")
    assert b'"unknown_url"' in answer


# Depth: fatal to the isolate when parsed

DEEP = 100_000
NESTED = {
    "arrays": "[" * DEEP,
    "closed arrays": "[" * DEEP + "]" * DEEP,
    "objects": '{"a":' * DEEP,
    "closed objects": '{"a":' * DEEP + "1" + "}" * DEEP,
    "arrays after a string with brackets": '["[[[\\"[[", ' + "[" * DEEP,
    "a few thousand": "[" * 5_000 + "]" * 5_000,
}


@pytest.mark.parametrize("shape", NESTED)
def test_a_deep_body(worker: Gateway, shape: str) -> None:
    nested = NESTED[shape]
    refused(worker.ask(nested.encode()), "invalid_json", "invalid_type", "invalid_value")
    refused(worker.ask(with_messages(f'[{{"role":"user","content":{nested}}}]')))
    refused(worker.ask(with_messages("[]", metadata=1)[:-1] + f',"x":{nested}}}'.encode()))


@pytest.mark.parametrize("shape", NESTED)
def test_deep_tool_arguments(worker: Gateway, upstream: Upstream, shape: str) -> None:
    """A client's history has arguments as a string, which the gateway must parse for Anthropic."""
    upstream.answer(whole(200, ANTHROPIC.whole("Yes.")))
    function = {"name": "f", "arguments": '{"a":' + NESTED[shape] + "}"}
    call = {"id": "call_1", "type": "function", "function": function}
    messages = [
        {"role": "user", "content": "x"},
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "call_1", "content": "y"},
    ]
    refused(worker.ask(question(ANTHROPIC.model) | {"messages": messages}))


@pytest.mark.parametrize("shape", NESTED)
def test_a_deep_answer(worker: Gateway, upstream: Upstream, dialect: Dialect, shape: str) -> None:
    nested = NESTED[shape].encode()
    for body in (nested, dialect.whole("x")[:-1] + b',"x":' + nested + b"}"):
        upstream.answer(whole(200, body))
        assert worker.ask(question(dialect.model)).error()["code"] == "bad_upstream_response"
    upstream.answer(whole(400, nested))
    assert worker.ask(question(dialect.model)).status == 400
    upstream.answer(stream([*events_to_text(dialect), b"data: " + nested + b"\n\n", STALL]))
    last = worker.ask(question(dialect.model, stream=True)).payloads()[-1]
    assert error_in(last)["code"] == "bad_upstream_response"


@pytest.mark.parametrize("shape", ["closed arrays", "closed objects"])
def test_deep_arguments_from_the_upstream_are_only_text(
    worker: Gateway, upstream: Upstream, dialect: Dialect, shape: str
) -> None:
    arguments = '{"a":' + NESTED[shape] + "}"
    fragments = [arguments[at : at + 9_999] for at in range(0, len(arguments), 9_999)]
    upstream.answer(stream(dialect.tools([ToolCall("call_1", "f", fragments)])))
    payloads = worker.ask(question(dialect.model, stream=True)).payloads()
    deltas = [choice["delta"] for it in payloads for choice in it["choices"]]
    calls = [call for delta in deltas for call in delta.get("tool_calls", ())]
    assert "".join(call["function"]["arguments"] for call in calls) == arguments


# JSON that is no JSON, or too clever


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b" ",
        b"null",
        b"[]",
        b'"messages"',
        b"{",
        b"{'messages': []}",
        b'{"messages": [],}',
        b'{"messages": [{}]} trailing',
        b"\xff\xfe{\x00}\x00",
        '{"messages": []}'.encode("utf-16"),
        b'{"messages": [{"role": "user", "content": "\xff"}]}',
        b'{"messages": [{"role": "user", "content": "\xed\xa0\xbd"}]}',
        b'{"messages": [{"role": "user", "content": "\xc0\xaf"}]}',
        b'{"messages": [{"role": "user", "content": "a\nb"}]}',
        b'\x00{"messages": []}',
    ],
)
def test_what_is_not_json_is_refused(worker: Gateway, upstream: Upstream, body: bytes) -> None:
    refused(worker.ask(body))
    assert upstream.calls == []


@pytest.mark.parametrize("name", ["temperature", "max_tokens", "seed", "n", "unknown"])
@pytest.mark.parametrize(
    "number", ["NaN", "Infinity", "-Infinity", "1e999", "-1e999", "1" + "0" * 5_000, "0x10", "1_0"]
)
def test_a_number_that_is_none(worker: Gateway, upstream: Upstream, name: str, number: str) -> None:
    body = with_messages('[{"role":"user","content":"x"}]')[:-1] + f',"{name}":{number}}}'.encode()
    refused(worker.ask(body))
    assert upstream.calls == []


@pytest.mark.parametrize("name", ["seed", "unknown"])
@pytest.mark.parametrize("number", ["1e308", "-0", "1" + "0" * 300])
def test_a_number_that_is_large_goes_on_as_it_is(
    worker: Gateway, upstream: Upstream, name: str, number: str
) -> None:
    body = with_messages('[{"role":"user","content":"x"}]')[:-1] + f',"{name}":{number}}}'.encode()
    assert worker.ask(body).status == (400 if name == "seed" and "e" in number else 200)
    for call in upstream.calls:
        assert json.loads(call.body)[name] == json.loads(number)


def test_of_a_key_given_twice_the_last_counts_for_everybody(
    worker: Gateway, upstream: Upstream
) -> None:
    body = with_messages('[{"role":"user","content":"first"}]')[:-1]
    body += b', "messages": [{"role":"user","content":"last"}], "model": "gpt-last"}'
    assert worker.ask(body).json()["model"] == "gpt-last"
    sent = json.loads(upstream.wait_for_call().body, object_pairs_hook=list)
    assert [name for name, _ in sent].count("messages") == 1
    assert b"first" not in upstream.wait_for_call().body


@pytest.mark.parametrize(
    "text", ["\\ud83d", "\\ude00\\ud83d", "\\u0000", "\\uffff", "\\u2028", "\x7f", "\\ud83d\\ude00"]
)
def test_any_character_is_text(
    worker: Gateway, upstream: Upstream, dialect: Dialect, text: str
) -> None:
    """Half of a surrogate pair may be replaced, and is no error."""
    upstream.answer(whole(200, dialect.whole("Yes.")))
    body = with_messages(f'[{{"role":"user","content":"a{text}b"}}]', model=dialect.model)
    assert worker.ask(body).status == 200
    sent = messages_in(upstream.wait_for_call().body)[0]["content"]
    said = sent if isinstance(sent, str) else sent[0]["text"]
    if text.startswith(("\\ud83d\\ude00", "\\u0", "\\uf", "\\u2", "\x7f")):
        assert said == json.loads(f'"a{text}b"')
    else:
        assert (said[0], said[-1]) == ("a", "b")


@pytest.mark.parametrize("name", ["__proto__", "constructor", "prototype", "toString", "__class__"])
def test_names_that_mean_something_to_a_language(
    worker: Gateway, upstream: Upstream, dialect: Dialect, name: str
) -> None:
    upstream.answer(whole(200, dialect.whole("Yes.")))
    evil = {name: {"isAdmin": True, "stream": True, "role": "system"}}
    message = {"role": "user", "content": "x", **evil}
    answer = worker.ask({"model": dialect.model, "messages": [message], **evil})
    assert answer.status == 200
    assert answer.json()["object"] == "chat.completion"
    refused(worker.ask({"model": dialect.model, "messages": evil}))
    assert worker.ask(line=f"GET /v1/models/{name}").status == 404
    assert worker.ask(question(name)).status == 404


# What reaches a header, a frame or another server


NO_MODELS = {
    "gpt-x\r\nx-evil: 1": 400,
    "gpt-x\nx-evil: 1": 400,
    "gpt-\x00": 400,
    "gpt-" + "x" * 10_000: 400,
    "gpt-é\u2028": 400,
    "gpt-\ud83d": 400,
    "../../v1/messages": 404,
}


@pytest.mark.parametrize("model", NO_MODELS)
def test_a_model_is_never_more_than_a_name(worker: Gateway, upstream: Upstream, model: str) -> None:
    for asked in (False, True):
        answer = worker.ask(question(model, stream=asked))
        assert answer.status == NO_MODELS[model]
        assert answer.error()["param"] == "model"
        assert not any("evil" in name for name in answer.headers)
        assert all(len(value) < 2_000 for value in answer.headers.values())
    assert upstream.calls == []


@pytest.mark.parametrize(
    "name", ["x\r\nset-cookie: a=b", "x\nset-cookie: a=b", "é北", "x" * 20_000, "a, b", "\x00", ""]
)
def test_the_name_of_a_field_is_never_a_header(
    worker: Gateway, upstream: Upstream, dialect: Dialect, name: str
) -> None:
    """Ignored fields are named in a header."""
    upstream.answer(whole(200, dialect.whole("Yes.")))
    answer = worker.ask(question(dialect.model) | {name: 1})
    assert answer.status == 200
    assert "set-cookie" not in answer.headers
    assert "x-ignored-parameters" not in answer.headers


def test_text_that_looks_like_the_protocol(
    worker: Gateway, upstream: Upstream, dialect: Dialect
) -> None:
    text = 'x\r\n\r\ndata: [DONE]\n\ndata: {"error":{}}\n\nevent: error\n\n'
    upstream.answer(stream(dialect.text([text])))
    assert worker.ask(question(dialect.model, stream=True)).text() == text
    upstream.answer(whole(400, dialect.error("invalid_request_error", text)))
    assert worker.ask(question(dialect.model)).status == 400
    events = [*events_to_text(dialect), dialect.error_event("overloaded_error", text)]
    upstream.answer(stream(events))
    answer = worker.ask(question(dialect.model, stream=True))
    assert answer.body.count(DONE) == 1
    assert "error" in answer.payloads()[-1]


ODD_HEADERS = {
    # What is no header at all is no answer.
    b"a\rb": (502, "upstream_connection_error"),
    b"a\x00b": (502, "upstream_connection_error"),
    b"\xe9\xff": (429, "rate_limit_exceeded"),
    b"x" * 20_000: (429, "rate_limit_exceeded"),
    b"": (429, "rate_limit_exceeded"),
}


@pytest.mark.parametrize("hostile", ODD_HEADERS)
def test_an_upstreams_header_that_is_odd(
    worker: Gateway, upstream: Upstream, hostile: bytes
) -> None:
    script = whole(429, OPENAI.error("rate_limit_error", "Slower."))[0]
    upstream.answer([script.replace(b"\r\n", b"\r\nretry-after: " + hostile + b"\r\n", 1)])
    answer = worker.ask(question(OPENAI.model))
    assert (answer.status, answer.error()["code"]) == ODD_HEADERS[hostile]
    assert "retry-after" not in answer.headers


STEERING = {
    "base_url": "{}",
    "api_base": "{}",
    "api_key": "sk-mine",
    "provider": {"base_url": "{}", "api_key": "sk-mine"},
    "extra_headers": {"x-api-key": "sk-mine", "authorization": "Bearer sk-mine"},
    "url": "{}",
    "organization": "org-mine",
    "custom_llm_provider": "openai",
    "betas": ["fine", "a\r\nx-api-key: sk-mine"],
    "mcp_servers": [{"type": "url", "url": "{}", "name": "mine"}],
}


@pytest.mark.parametrize("name", STEERING)
def test_a_client_never_steers_the_call(
    worker: Gateway, upstream: Upstream, elsewhere: Upstream, dialect: Dialect, name: str
) -> None:
    upstream.answer(whole(200, dialect.whole("Yes.")))
    value = json.loads(json.dumps(STEERING[name]).replace("{}", elsewhere.base_url))
    headers = {
        "authorization": f"Bearer {CLIENT_KEYS[0]}",
        "x-api-key": "sk-mine",
        "api-key": "sk-mine",
        "x-base-url": elsewhere.base_url,
        "x-portkey-custom-host": elsewhere.base_url,
        "x-forwarded-host": f"127.0.0.1:{elsewhere.port}",
        "openai-organization": "org-mine",
        "anthropic-beta": "mine",
        "anthropic-version": "mine",
        "cookie": "mine=1",
    }
    answer = worker.ask(question(dialect.model, **{name: value}), headers)
    # The one would be a header of the call, the other is for Anthropic alone.
    refused_here = (name, dialect) in (("betas", ANTHROPIC), ("mcp_servers", RESPONSES))
    assert answer.status == (400 if refused_here else 200)
    assert len(upstream.calls) == (0 if refused_here else 1)
    assert elsewhere.calls == []
    for call in upstream.calls:
        assert not any("mine" in value or "elsewhere" in value for _, value in call.headers)
        assert call.path == dialect.path


@pytest.mark.parametrize(
    "url",
    ["file:///etc/passwd", "ftp://x/y.png", "javascript:alert(1)", "data:text/html,<b>", "//x/y"],
)
def test_an_image_is_never_fetched_from_anywhere(
    worker: Gateway, upstream: Upstream, elsewhere: Upstream, url: str
) -> None:
    def with_image(address: str) -> dict[str, object]:
        part = {"type": "image_url", "image_url": {"url": address}}
        return question(ANTHROPIC.model) | {"messages": [{"role": "user", "content": [part]}]}

    refused(worker.ask(with_image(url)))
    assert upstream.calls == []
    upstream.answer(whole(200, ANTHROPIC.whole("Yes.")))
    address = f"http://127.0.0.1:{elsewhere.port}/cat.png"
    worker.ask(with_image(address))
    assert elsewhere.calls == []


# HTTP


@pytest.mark.parametrize("content_type", ["", "text/plain", "application/x-www-form-urlencoded"])
def test_any_content_type_will_do(worker: Gateway, content_type: str) -> None:
    headers = {"authorization": f"Bearer {CLIENT_KEYS[0]}"}
    if content_type:
        headers["content-type"] = content_type
    assert worker.ask(question(OPENAI.model), headers).status == 200


@pytest.mark.parametrize("coding", ["br", "zstd", "gzip, gzip"])
def test_a_packed_body_is_refused(worker: Gateway, upstream: Upstream, coding: str) -> None:
    body = gzip.compress(json.dumps(question(OPENAI.model)).encode())
    headers = {"authorization": f"Bearer {CLIENT_KEYS[0]}", "content-encoding": coding}
    answer = worker.ask(body, headers)
    assert answer.status == 415
    assert answer.error()["code"] == "unsupported_content_encoding"
    assert upstream.calls == []


@pytest.mark.parametrize("coding", ["identity", "Identity"])
def test_a_body_may_say_that_it_is_not_packed(worker: Gateway, coding: str) -> None:
    headers = {"authorization": f"Bearer {CLIENT_KEYS[0]}", "content-encoding": coding}
    assert worker.ask(question(OPENAI.model), headers).status == 200


AMBIGUOUS = {
    "Content-Length: 2\r\nContent-Length: 3\r\n": b"400",
    # The runtime reads it as chunked, as it should, and waits for a chunk in vain.
    "Content-Length: 2\r\nTransfer-Encoding: chunked\r\n": b"408",
    "Content-Length: -1\r\n": b"400",
    "Content-Length: x\r\n": b"400",
    "Transfer-Encoding: chunked, identity\r\n": b"400",
}


@pytest.mark.parametrize("lines", AMBIGUOUS)
def test_ambiguous_framing_is_refused(worker: Gateway, upstream: Upstream, lines: str) -> None:
    head = f"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\n{AUTHORIZED}{lines}\r\n"
    assert raw(worker, head.encode() + b"{}").split(b" ", 2)[1] == AMBIGUOUS[lines]
    assert upstream.calls == []


HOSTS = {
    "x/health?x=": b"200",  # it is the URL of what is open to everybody
    "x#/health": b"404",
    "[::1]": b"401",
    "": b"400",
    "x\\health": b"404",
}


@pytest.mark.parametrize("host", HOSTS)
def test_the_host_opens_no_door(worker: Gateway, host: str) -> None:
    """The runtime makes the URL from the Host header. A strange host may lead to another route, but
    only to a public one.
    """
    head = f"GET /v1/models HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"
    answer = raw(worker, head.encode())
    assert answer.split(b" ", 2)[1] == HOSTS[host]
    assert (b'"status":"ok"' in answer) == (HOSTS[host] == b"200")
    assert b'"object"' not in answer


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/health/../v1/models", 401),
        ("/v1/models?x=/health", 401),
        ("/v1/models/", 401),
        ("//v1/models", 404),
    ],
)
def test_a_path_that_only_looks_like_health_needs_a_key(
    worker: Gateway, path: str, status: int
) -> None:
    assert worker.ask(headers={}, line=f"GET {path}").status == status


# An upstream made to hurt


def test_a_line_that_never_ends(worker: Gateway, upstream: Upstream, dialect: Dialect) -> None:
    before = memory_of(worker.pid)
    for opening in ([], events_to_text(dialect)):
        start = [stream_head(), *map(chunk, opening), chunk(b"data: ")]
        upstream.answer_each(partial(_endlessly, start))
        answer = worker.ask(question(dialect.model, stream=True))
        assert b'"bad_upstream_response"' in answer.body
    assert memory_of(worker.pid).python - before.python < 80_000_000


def test_a_body_that_never_ends(worker: Gateway, upstream: Upstream, dialect: Dialect) -> None:
    before = memory_of(worker.pid)
    start = [stream_head(JSON), chunk(b'{"x":"')]
    upstream.answer_each(partial(_endlessly, start))
    answer = worker.ask(question(dialect.model))
    assert answer.error()["code"] == "bad_upstream_response"
    call = upstream.wait_for_call()
    assert call.left.wait(1)
    assert call.sent < 50_000_000
    assert memory_of(worker.pid).python - before.python < 80_000_000


def _endlessly(start: list[bytes], _: Call) -> Iterator[bytes | float]:
    yield from start
    words = endless(b"x" * 250_000, 0.0)
    next(words)
    yield from words


# Anything at all

BODY = st.tuples(mutated_requests() | ODD_REQUESTS, st.sampled_from([ANTHROPIC, OPENAI])).map(
    lambda drawn: {**drawn[0], "model": drawn[1].model} if isinstance(drawn[0], dict) else drawn[0]
)


@pytest.fixture(scope="session")
def core(bindings: dict[str, object]) -> Core:
    """The Worker's core, without a runtime around it."""
    return configure(bindings.get)


@drawn(150, body=BODY)
def test_whatever_is_asked_the_answer_is_that_of_the_core(
    worker: Gateway, upstream: Upstream, core: Core, body: object
) -> None:
    """The core's own answer in plain Python says what is right."""
    upstream.answer_each(_any_answer)
    answer = worker.ask(json.dumps(body).encode())
    expected = _expected(core, json.dumps(body).encode())
    assert answer.status == expected.status, answer
    if answer.status != 200:
        assert answer.status == 400
        assert answer.error() == expected.json()["error"]
        assert answer.error()["type"] == "invalid_request_error"


def _expected(core: Core, body: bytes) -> Played:
    """The core's answer, with an upstream like `_any_answer`."""
    request = json.loads(body)
    streams = isinstance(request, dict) and request.get("stream") is True
    dialect = next((it for it in DIALECTS if it.model in body.decode()), OPENAI)
    said = b"".join(dialect.text(["Yes."])) if streams else dialect.whole(".")
    headers = {"content-type": "text/event-stream" if streams else "application/json"}
    asked = head(authorization=f"Bearer {CLIENT_KEYS[0]}")
    return play(core, body, [PlayedUpstream(200, headers, (said,))], asked)


def _any_answer(call: Call) -> Script:
    dialect = next(it for it in DIALECTS if it.path == call.path)
    sent = json.loads(call.body, parse_constant=pytest.fail)
    return stream(dialect.text(["Yes."])) if sent.get("stream") else whole(200, dialect.whole("."))


@drawn(150, body=st.binary(max_size=200))
def test_whatever_bytes_are_sent_they_are_refused(
    worker: Gateway, upstream: Upstream, body: bytes
) -> None:
    refused(worker.ask(body))
    assert upstream.calls == []


class Harm(NamedTuple):
    """Damage to a stream: the place, what is removed, what replaces it, and where the network
    cuts.
    """

    at: float
    lost: int
    gained: bytes
    cut: float

    def done_to(self, data: bytes) -> list[bytes]:
        """Returns the damaged data in its two pieces."""
        at = int(self.at * len(data))
        harmed = data[:at] + self.gained + data[at + self.lost :]
        middle = int(self.cut * len(harmed)) or 1
        return [piece for piece in (harmed[:middle], harmed[middle:]) if piece]


SHARDS = [
    *(b"", b"\n", b"\r", b"\n\n", b"\x00", b"\xff", b'"', b"{", b"}", b"\\"),
    *(b"data: ", b"null", b"9e999", b"\n\ndata: [DONE]\n\n", b"\xef\xbb\xbf", b": \n"),
]
HARM = st.tuples(
    st.floats(0, 1),
    st.integers(0, 60),
    st.sampled_from(SHARDS) | st.binary(max_size=5),
    st.floats(0, 1),
)


@drawn(150, tools=st.booleans(), harm=HARM)
def test_whatever_the_upstream_streams_the_client_gets_whole_frames_and_an_end(
    worker: Gateway, upstream: Upstream, dialect: Dialect, tools: bool, harm: tuple[Any, ...]
) -> None:
    call = ToolCall("call_1", "weather", ['{"city":', '"Paris"}'])
    events = dialect.tools([call], "One.") if tools else dialect.text(["One, ", "two."])
    upstream.answer(stream(Harm(*harm).done_to(b"".join(events))))
    answer = worker.ask(question(dialect.model, stream=True))
    if answer.status != 200:
        assert answer.error()["type"] != "invalid_request_error"
        return
    *chunks, last = payloads_in(answer.body)
    reasons = {choice["finish_reason"] for it in chunks for choice in it["choices"]}
    assert reasons <= {None}
    if "error" in last:
        error_in(last)
    else:
        assert last["choices"][0]["finish_reason"] in {"stop", "tool_calls"}
