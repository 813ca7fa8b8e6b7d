"""OpenAI's other endpoints on the real Worker: forms and answers that stream, clients that leave,
upstreams that break off, and bodies that come compressed.
"""

import base64
import gzip
import hashlib
import http.client
import itertools
import json
import socket
import struct
import zlib
from collections.abc import Callable

import pytest

from tests.worker.client import CLIENT_KEYS, UPSTREAM_KEYS, question
from tests.worker.conftest import MAX_BODY_BYTES, Gateway
from tests.worker.logs import record_of
from tests.worker.memory import memory_of
from tests.worker.scripts import (
    CLOSE,
    GATE,
    JSON,
    LAST_CHUNK,
    RESET,
    STALL,
    Script,
    chunk,
    head,
    stream,
    stream_head,
    whole,
)
from tests.worker.speech import OPENAI
from tests.worker.upstream import PATIENCE, Upstream

MODEL = "gpt-sim-2"
ALIAS = "openai-latest"
BOUNDARY = "xyzzy-boundary"
FORM = f"multipart/form-data; boundary={BOUNDARY}"
TRANSCRIBE = "POST /v1/audio/transcriptions"
SPEAK = "POST /v1/audio/speech"
EMBED = "POST /v1/embeddings"
SOUND = (("content-type", "audio/mpeg"),)
TEXT = b'{"text":"Yes."}'


def headers(kind: str = FORM, **more: str) -> dict[str, str]:
    named = {name.replace("_", "-"): value for name, value in more.items()}
    return {"authorization": f"Bearer {CLIENT_KEYS[0]}", "content-type": kind, **named}


def start_of(model: str) -> bytes:
    return (
        f'--{BOUNDARY}\r\ncontent-disposition: form-data; name="model"\r\n\r\n{model}\r\n'
        f'--{BOUNDARY}\r\ncontent-disposition: form-data; name="file"; filename="a.mp3"\r\n\r\n'
    ).encode()


END = f"\r\n--{BOUNDARY}--\r\n".encode()


_HIGH = bytes(byte | 0x80 for byte in range(256))


def sound(size: int) -> bytes:
    """Bytes without repetition, and without a word that a pattern could match."""
    blocks = (hashlib.sha256(b"%d" % number).digest() for number in itertools.count())
    return b"".join(itertools.islice(blocks, size // 32)).translate(_HIGH)


def test_a_large_form_streams_through(worker: Gateway, upstream: Upstream) -> None:
    """The form is larger than any body that is read whole. The isolate's memory stays the same."""
    upstream.answer(whole(200, TEXT))
    file = sound(20_000_000)
    worker.ask(start_of(ALIAS) + END, headers(), TRANSCRIBE)
    before = memory_of(worker.pid)
    answer = worker.ask(start_of(ALIAS) + file + END, headers(), TRANSCRIBE)
    assert (answer.status, answer.body) == (200, TEXT)
    call = upstream.wait_for_call(2)
    assert call.body == start_of(MODEL) + file + END
    sent = dict(call.headers)
    assert sent["content-length"] == str(len(call.body))
    assert sent["content-type"] == FORM
    assert sent["authorization"] == f"Bearer {UPSTREAM_KEYS['openai']}"
    after = memory_of(worker.pid)
    assert after.python - before.python < len(file) / 2
    worker.ask(start_of(ALIAS) + file + END, headers(), TRANSCRIBE)
    assert memory_of(worker.pid).python == after.python
    record = record_of(worker.log, answer.headers["x-request-id"])
    assert (record["model"], record["upstream_model"], record["status"]) == (ALIAS, MODEL, 200)


@pytest.mark.parametrize("chunked", [True, False])
def test_a_form_goes_on_before_it_has_come_whole(
    worker: Gateway, upstream: Upstream, chunked: bool
) -> None:
    upstream.answer(whole(200, TEXT))
    begun, rest = start_of(MODEL) + sound(400_000), sound(400_000) + END
    framed = chunk if chunked else bytes
    with open_form(worker, None if chunked else len(begun) + len(rest)) as connection:
        connection.sendall(framed(begun))
        assert upstream.heads.acquire(timeout=PATIENCE)
        connection.sendall(framed(rest) + (LAST_CHUNK if chunked else b""))
        assert connection.recv(65_536).startswith(b"HTTP/1.1 200")
    call = upstream.wait_for_call()
    assert call.body == begun + rest
    assert ("transfer-encoding" in dict(call.headers)) == chunked


def open_form(worker: Gateway, length: int | None) -> socket.socket:
    """A connection on which the head of a form has been sent; without a `length` it is chunked."""
    connection = socket.create_connection(("127.0.0.1", worker.port), PATIENCE)
    framing = "transfer-encoding: chunked" if length is None else f"content-length: {length}"
    lines = [f"{TRANSCRIBE} HTTP/1.1", "host: x", framing]
    lines += [f"{name}: {value}" for name, value in headers().items()]
    connection.sendall("\r\n".join([*lines, "", ""]).encode())
    return connection


def test_a_form_one_byte_at_a_time(worker: Gateway, upstream: Upstream) -> None:
    upstream.answer(whole(200, TEXT))
    body = start_of(ALIAS) + b"\x00\xff" + END
    with open_form(worker, None) as connection:
        for byte in body:
            connection.sendall(chunk(bytes([byte])))
        connection.sendall(LAST_CHUNK)
        assert connection.recv(65_536).startswith(b"HTTP/1.1 200")
    assert upstream.wait_for_call().body == start_of(MODEL) + b"\x00\xff" + END


def test_a_client_that_leaves_within_its_form(worker: Gateway, upstream: Upstream) -> None:
    """The upstream has got only a part, and its connection is closed."""
    upstream.answer(whole(200, TEXT))
    connection = open_form(worker, 1_000_000)
    connection.sendall(start_of(MODEL) + sound(400_000))
    assert upstream.heads.acquire(timeout=PATIENCE)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()
    assert worker.ask(line="GET /health").status == 200
    upstream.answer(whole(200, TEXT))
    assert worker.ask(start_of(MODEL) + END, headers(), TRANSCRIBE).status == 200
    assert [len(call.body) for call in upstream.calls] == [len(start_of(MODEL) + END)]


def test_a_second_model_late_in_a_form(worker: Gateway, upstream: Upstream) -> None:
    body = start_of(MODEL) + sound(600_000) + b"\r\n" + start_of("gpt-dear") + END
    answer = worker.ask(body, headers(), TRANSCRIBE)
    assert (answer.status, answer.error()["code"]) == (400, "invalid_form")
    assert upstream.calls == []


EARLY = {
    "no such model": (start_of("stranger"), headers(), 404),
    "no model": (start_of("x").replace(b'name="model"', b'name="other"'), headers(), 400),
    "no key": (start_of(MODEL), {**headers(), "authorization": "Bearer x"}, 401),
    "packed otherwise": (start_of(MODEL), headers(content_encoding="br"), 415),
}


@pytest.mark.parametrize("name", EARLY)
def test_an_early_answer_reaches_who_is_still_sending_a_form(
    worker: Gateway, upstream: Upstream, name: str
) -> None:
    start, given, status = EARLY[name]
    answer = worker.ask(start + sound(3_000_000) + END, given, TRANSCRIBE)
    assert answer.status == status
    assert upstream.calls == []


def test_an_upstream_that_answers_before_it_has_read_the_form(worker: Gateway) -> None:
    """The upstream refuses and closes. A client that is still sending gets the answer."""
    answer = worker.ask(start_of(f"early-{MODEL}") + sound(3_000_000) + END, headers(), TRANSCRIBE)
    assert answer.error()["code"] in {"upstream_connection_error", "too_early"}


# Answers


def test_sound_comes_as_it_is_made(worker: Gateway, upstream: Upstream) -> None:
    first, second = sound(70_000), sound(1_000)
    upstream.answer(stream([first, GATE, second], SOUND))
    request = worker.open({"model": MODEL, "input": "plugh", "voice": "x"}, None, SPEAK)
    response = request.response()
    assert response.headers["content-type"] == "audio/mpeg"
    assert response.read(len(first)) == first
    upstream.wait_for_call().release()
    assert response.read() == second
    request.close()
    record = record_of(worker.log, response.headers["x-request-id"])
    assert (record["status"], record.get("error")) == (200, None)


@pytest.mark.parametrize("size", [1, 7, 65_535, 65_536, 65_537])
def test_an_answer_in_pieces_of_any_size(worker: Gateway, upstream: Upstream, size: int) -> None:
    body = sound(3_200 if size < 10 else 1_000_000)
    pieces = [body[at : at + size] for at in range(0, len(body), size)]
    upstream.answer(stream(pieces, SOUND))
    answer = worker.ask({"model": MODEL, "input": "x"}, None, SPEAK)
    assert answer.body == body


def test_a_large_answer_streams_through(worker: Gateway, upstream: Upstream) -> None:
    """34 MB of base64: more than is taken of any answer that is read."""
    vector = base64.b64encode(sound(3072 * 4)).decode()
    item = b'{"object":"embedding","index":0,"embedding":"%b"}' % vector.encode()
    body = (
        b'{"object":"list","data":[' + b",".join([item] * 2048) + b'],"usage":{"prompt_tokens":9}}'
    )
    upstream.answer(whole(200, body))
    request = {"model": MODEL, "input": ["x"], "encoding_format": "base64"}
    worker.ask(request, None, EMBED)
    before = memory_of(worker.pid)
    answer = worker.ask(request, None, EMBED)
    assert answer.body == body
    assert memory_of(worker.pid).python - before.python < 2_000_000
    assert record_of(worker.log, answer.headers["x-request-id"])["prompt_tokens"] == 9


def test_vectors_are_brought_into_the_form_that_was_asked_for(
    worker: Gateway, upstream: Upstream
) -> None:
    numbers = struct.unpack("<8f", struct.pack("<8f", *(0.1 * n for n in range(8))))
    packed = base64.b64encode(struct.pack("<8f", *numbers)).decode()
    forms = {"float": list(numbers), "base64": packed}
    for came, vector in forms.items():
        item = {"object": "embedding", "index": 0, "embedding": vector}
        upstream.answer(whole(200, json.dumps({"data": [item] * 300}).encode()))
        for wanted, expected in forms.items():
            request = {"model": MODEL, "input": "x", "encoding_format": wanted}
            data = worker.ask(request, None, EMBED).json()["data"]
            assert [each["embedding"] for each in data] == [expected] * 300, (came, wanted)


LONG_HEAD = head(200, [*JSON, ("content-length", "1000000")])
CUTS: dict[str, Script] = {
    "hangs up": [LONG_HEAD, b"{" + b" " * 200_000, CLOSE],
    "resets": [LONG_HEAD, b"{" + b" " * 200_000, RESET],
    "hangs up within a chunked body": [stream_head(JSON), chunk(b"{" + b" " * 200_000), CLOSE],
    "sound that breaks off": [stream_head(SOUND), chunk(sound(10_000)), CLOSE],
}


@pytest.mark.parametrize("name", CUTS)
def test_what_is_cut_never_looks_finished(worker: Gateway, upstream: Upstream, name: str) -> None:
    upstream.answer(CUTS[name])
    line = SPEAK if "sound" in name else EMBED
    request = worker.open({"model": MODEL, "input": "x"}, None, line)
    response = request.response()
    assert response.status == 200
    with pytest.raises(http.client.IncompleteRead):
        response.read()
    request.close()
    record = record_of(worker.log, response.headers["x-request-id"])
    assert record["error"] == "upstream_connection_error"


@pytest.mark.parametrize(
    ("script", "status", "code"),
    [
        (
            [head(200, [*JSON, ("content-length", "99")]), b'{"a":', CLOSE],
            502,
            "upstream_connection_error",
        ),
        ([CLOSE], 502, "upstream_connection_error"),
        (whole(200, b"<html>", (("content-type", "text/html"),)), 502, "bad_upstream_response"),
        (whole(200, b'{"data": ['), 502, "bad_upstream_response"),
        (
            whole(429, b'{"error":{"message":"slow"}}', [*JSON, ("retry-after", "7")]),
            429,
            "rate_limit_exceeded",
        ),
        (whole(302, b"", (("location", "http://127.0.0.1:1/"),)), 502, "bad_upstream_response"),
    ],
)
def test_a_fault_before_the_answer_has_the_envelope(
    worker: Gateway, upstream: Upstream, script: list[bytes], status: int, code: str
) -> None:
    upstream.answer(script)
    answer = worker.ask({"model": MODEL, "input": "x"}, None, EMBED)
    assert (answer.status, answer.error()["code"]) == (status, code)
    assert answer.headers.get("retry-after") == ("7" if status == 429 else None)


def test_silence_has_a_limit(worker: Gateway, upstream: Upstream) -> None:
    hasty = {"model": f"hasty-{MODEL}", "input": "x"}
    upstream.answer([STALL])
    assert worker.ask(hasty, None, EMBED).error()["code"] == "upstream_timeout"
    upstream.answer([stream_head(JSON), STALL])
    assert worker.ask(hasty, None, EMBED).error()["code"] == "upstream_timeout"
    upstream.answer([stream_head(SOUND), chunk(b"sound"), STALL])
    request = worker.open(hasty, None, SPEAK)
    with pytest.raises(http.client.IncompleteRead):
        request.response().read()
    request.close()


@pytest.mark.parametrize("script", [[STALL], [stream_head(SOUND), chunk(b"sound"), STALL]])
def test_a_client_that_leaves_takes_the_call_with_it(
    worker: Gateway, upstream: Upstream, script: list[bytes]
) -> None:
    upstream.answer(script)
    request = worker.open({"model": MODEL, "input": "x"}, None, SPEAK)
    call = upstream.wait_for_call()
    if len(script) > 1:
        assert request.response().read(5) == b"sound"
    else:
        assert worker.ask(line="GET /health").status == 200
    request.reset()
    assert call.left.wait(1)


def test_a_slow_reader_makes_the_upstream_wait(worker: Gateway, upstream: Upstream) -> None:
    body = sound(32_000_000)
    upstream.answer(whole(200, body, SOUND))
    request = worker.open({"model": MODEL, "input": "x"}, None, SPEAK)
    call = upstream.wait_for_call()
    assert call.blocked.wait(PATIENCE)
    assert request.answer().body == body


def test_an_upstream_that_tells_its_key_in_an_answer_of_any_type(
    worker: Gateway, upstream: Upstream
) -> None:
    key = UPSTREAM_KEYS["openai"].encode()
    told = b"a" + key + b"b"
    upstream.answer(stream([told[:9], told[9:]], SOUND))
    assert worker.ask({"model": MODEL, "input": "x"}, None, SPEAK).body == b"a[redacted]b"


# Compressed bodies


PACKED: dict[str, Callable[[bytes], bytes]] = {"gzip": gzip.compress, "deflate": zlib.compress}


@pytest.mark.parametrize("coding", PACKED)
def test_a_packed_body_is_unpacked(worker: Gateway, upstream: Upstream, coding: str) -> None:
    upstream.answer(whole(200, OPENAI.whole("Yes.")))
    body = json.dumps(question(OPENAI.model, user="x" * 500_000)).encode()
    given = headers("application/json", content_encoding=coding)
    assert worker.ask(PACKED[coding](body), given).status == 200
    assert json.loads(upstream.wait_for_call().body)["user"] == "x" * 500_000


@pytest.mark.parametrize("coding", PACKED)
def test_a_packed_form_is_unpacked(worker: Gateway, upstream: Upstream, coding: str) -> None:
    upstream.answer(whole(200, TEXT))
    body = start_of(ALIAS) + bytes(900_000) + END
    answer = worker.ask(PACKED[coding](body), headers(content_encoding=coding), TRANSCRIBE)
    assert answer.body == TEXT
    call = upstream.wait_for_call()
    assert call.body == start_of(MODEL) + bytes(900_000) + END
    assert "content-encoding" not in dict(call.headers)


def test_a_bomb_ends_at_the_limit(worker: Gateway, upstream: Upstream) -> None:
    """A megabyte that unpacks to a gigabyte."""
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    bomb = b"".join(packer.compress(bytes(2**20)) for _ in range(1000)) + packer.flush()
    given = headers("application/json", content_encoding="gzip")
    worker.ask(gzip.compress(bytes(MAX_BODY_BYTES + 1)), given)
    before = memory_of(worker.pid)
    for _ in range(3):
        answer = worker.ask(bomb, given)
        assert (answer.status, answer.error()["code"]) == (413, "request_too_large")
    after = memory_of(worker.pid)
    assert after.rest - before.rest < 40_000_000
    assert after.python == before.python
    assert upstream.calls == []


@pytest.mark.parametrize(
    "body", [b"no gzip", gzip.compress(b"{}" * 99)[:20], gzip.compress(b"{}") + b"x"], ids=len
)
def test_what_is_not_packed_as_it_says(worker: Gateway, body: bytes) -> None:
    answer = worker.ask(body, headers("application/json", content_encoding="gzip"))
    assert (answer.status, answer.error()["code"]) == (400, "invalid_content_encoding")
