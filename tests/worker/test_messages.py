"""Clients of Messages on the real Worker: keep-alives, and many counts of tokens at once."""

import json
import re
from pathlib import Path

import pytest

from tests.worker.client import question
from tests.worker.conftest import Gateway, Start
from tests.worker.scripts import GATE, Step, stream, whole
from tests.worker.speech import ANTHROPIC, OPENAI, RESPONSES, Dialect
from tests.worker.upstream import Upstream

MESSAGES = "POST /v1/messages"
PING = b'event: ping\ndata: {"type":"ping"}\n\n'
CLAUDE_CODE = Path(__file__).parents[1] / "protocols" / "messages" / "claude_code.json"
AT_ONCE = 35
"""As many counts as Claude Code's `/context` asks for."""


def settled(body: bytes) -> bytes:
    """The stream without the ids that are ours."""
    return re.sub(rb'"msg_[0-9a-f]{32}"', b'"msg_"', body)


def test_a_silent_upstream_is_filled_with_pings_between_frames(
    start: Start, bindings: dict[str, object], upstream: Upstream, dialect: Dialect
) -> None:
    """The upstream is silent before the first event, between two events and within one."""
    events = dialect.text(["One, ", "two, ", "three."])
    at = next(number for number, event in enumerate(events) if b"two, " in event)
    half, other_half = events[at][:-30], events[at][-30:]
    pieces: list[bytes | float | Step] = [1.5, *events[:at], GATE, half, GATE, other_half]
    pieces += events[at + 1 :]
    asked = question(dialect.model, stream=True, max_tokens=9)
    with start(bindings | {"KEEP_ALIVE_SECONDS": "1"}) as worker:
        upstream.answer(stream(events))
        plain = worker.ask(asked, line=MESSAGES).body
        assert PING not in plain
        upstream.forget()
        upstream.answer(stream(pieces))
        request = worker.open(asked, line=MESSAGES)
        call = upstream.wait_for_call()
        assert request.frame().startswith(b"event: message_start\n")
        for _ in range(2):
            while request.frame() != PING:
                pass
            call.release()
        body = request.answer().body
    assert body.count(PING) >= 2
    assert settled(body.replace(PING, b"")) == settled(plain)


def counted(dialect: Dialect) -> dict[str, object]:
    return {**json.loads(CLAUDE_CODE.read_text()), "model": dialect.model}


def test_counts_are_relayed_all_at_once(worker: Gateway, upstream: Upstream) -> None:
    upstream.answer([GATE, *whole(200, b'{"input_tokens":4711}')])

    line = f"{MESSAGES}/count_tokens?beta=true"
    requests = [worker.open(counted(ANTHROPIC), line=line) for _ in range(AT_ONCE)]
    upstream.wait_for_call(AT_ONCE)  # while none has been answered
    for call in upstream.calls:
        call.release()

    assert [each.answer().json() for each in requests] == [{"input_tokens": 4711}] * AT_ONCE
    assert {call.path for call in upstream.calls} == {"/v1/messages/count_tokens"}


@pytest.mark.parametrize("elsewhere", [OPENAI, RESPONSES], ids=lambda it: it.name)
def test_counts_are_estimated_all_at_once(
    worker: Gateway, upstream: Upstream, elsewhere: Dialect
) -> None:
    line = f"{MESSAGES}/count_tokens?beta=true"
    requests = [worker.open(counted(elsewhere), line=line) for _ in range(AT_ONCE)]

    answers = [each.answer() for each in requests]

    assert {answer.headers["x-token-count"] for answer in answers} == {"estimate"}
    (count,) = {answer.json()["input_tokens"] for answer in answers}
    assert count > 1000
    assert upstream.calls == []
