"""Bodies that come one byte at a time cost no more than their bytes, whoever sends them."""

import itertools
import json
import socket
from collections.abc import Iterator

import pytest

from tests.worker.client import CLIENT_KEYS, question
from tests.worker.conftest import Gateway, Start
from tests.worker.memory import memory_of
from tests.worker.scripts import JSON, LAST_CHUNK, chunk, stream_head, whole
from tests.worker.speech import OPENAI
from tests.worker.upstream import PATIENCE, Upstream

CRUMBS = 200_000
GROWTH = 24 * CRUMBS + 10_000_000
"""Bytes that a body of so many may take of the whole process."""


@pytest.fixture
def fresh(start: Start, bindings: dict[str, object], upstream: Upstream) -> Iterator[Gateway]:
    """A Worker that has answered once, so that any growth comes from the test."""
    with start(bindings) as worker:
        for text in ("Yes.", "y" * CRUMBS):
            upstream.answer(whole(200, OPENAI.whole(text)))
            assert worker.ask(question(OPENAI.model, user="x" * CRUMBS)).status == 200
        upstream.forget()
        yield worker


def resident(worker: Gateway) -> int:
    """Returns the resident memory of the process, in bytes."""
    memory = memory_of(worker.pid)
    return memory.python + memory.rest


def crumbs(body: bytes) -> bytes:
    """Returns a chunked body in which every byte has a chunk of its own."""
    return b"".join(chunk(body[at : at + 1]) for at in range(len(body))) + LAST_CHUNK


def test_a_request_in_crumbs(fresh: Gateway, upstream: Upstream) -> None:
    upstream.answer(whole(200, OPENAI.whole("Yes.")))
    body = json.dumps(question(OPENAI.model, user="x" * CRUMBS)).encode()
    head = (
        "POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n"
        f"Authorization: Bearer {CLIENT_KEYS[0]}\r\n\r\n"
    )
    before = resident(fresh)
    with socket.create_connection(("127.0.0.1", fresh.port), PATIENCE) as connection:
        connection.sendall(head.encode() + crumbs(body))
        assert connection.recv(65_536).startswith(b"HTTP/1.1 200 ")
    assert json.loads(upstream.wait_for_call().body)["user"] == "x" * CRUMBS
    assert resident(fresh) - before < GROWTH


def test_an_answer_in_crumbs(fresh: Gateway, upstream: Upstream) -> None:
    text = "".join(itertools.islice(itertools.cycle("abcdefghijklmnopqrstuvwxyz"), CRUMBS))
    upstream.answer([stream_head(JSON), crumbs(OPENAI.whole(text))])
    before = resident(fresh)
    answer = fresh.ask(question(OPENAI.model)).json()
    assert answer["choices"][0]["message"]["content"] == text
    assert resident(fresh) - before < GROWTH


def test_what_comes_slowly_after_crumbs_is_not_silence(worker: Gateway, upstream: Upstream) -> None:
    """Several pieces are awaited at once. The pace may still fall to one piece in the time
    limit.
    """
    slowly = [part for _ in range(5) for part in (0.3, chunk(b" " * 70))]
    body = chunk(OPENAI.whole("At last."))
    upstream.answer([stream_head(JSON), chunk(b" ") * 5_000, *slowly, body, LAST_CHUNK])
    answer = worker.ask(question(f"hasty-{OPENAI.model}")).json()
    assert answer["choices"][0]["message"]["content"] == "At last."
