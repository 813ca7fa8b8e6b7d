"""Many requests at once, and many in all: every byte is right, and no memory is kept."""

import asyncio
import itertools
import json
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.worker.client import question, settled
from tests.worker.conftest import HASTE, Gateway, Start
from tests.worker.cost import V8_FLAGS, most_resident
from tests.worker.faults import events_to_text
from tests.worker.memory import memory_of, reachable
from tests.worker.scripts import GATE, RESET, Script, stream, whole
from tests.worker.sees import SAID
from tests.worker.speech import ANTHROPIC, DIALECTS, Dialect
from tests.worker.swarm import ask_all_at_once, ask_in_turns, request_bytes
from tests.worker.upstream import PATIENCE, Call, Upstream

STREAMS = 300
MEGABYTE = 1_000_000
WAITING = 32 * MEGABYTE
"""What sockets and buffers may hold for one slow reader, and more than they do."""


def asked_for(call: Call) -> str:
    """Returns the text of the request's last message."""
    body = json.loads(call.body)
    content = (body.get("messages") or body["input"])[-1]["content"]
    text: str = content if isinstance(content, str) else content[-1]["text"]
    return text


def dialect_of(call: Call) -> Dialect:
    """Returns the dialect that the call was made in."""
    return next(dialect for dialect in DIALECTS if call.path == dialect.path)


def say(name: str, dialect: Dialect, *, streamed: bool = True) -> dict[str, object]:
    """Returns a request whose text says which answer it wants."""
    messages = [{"role": "user", "content": name}]
    return question(dialect.model, stream=streamed) | {"messages": messages}


def words(name: str) -> list[str]:
    """Returns the texts of the upstream's answer to this request."""
    return [f"{name} says {number}: é 北京 🙂. " for number in range(40)]


def in_step(call: Call) -> Script:
    """Streams the first words, waits for the test, and streams the others."""
    first, second, *others = dialect_of(call).text(words(asked_for(call)))
    return stream([first, second, GATE, *others])


def undisturbed(worker: Gateway, upstream: Upstream, dialect: Dialect) -> Callable[[str], bytes]:
    """Returns the client's bytes for `words`, with a name as long as `s0000`."""
    upstream.answer(stream(dialect.text(words("s0000"))))
    plain = settled(worker.ask(say("s0000", dialect)).body)
    return lambda name: plain.replace(b"s0000", name.encode())


def test_three_hundred_streams_at_once(worker: Gateway, upstream: Upstream) -> None:
    expected = {it.name: undisturbed(worker, upstream, it) for it in DIALECTS}
    upstream.forget()
    upstream.answer_each(in_step)
    names = [f"s{number:04}" for number in range(1, STREAMS + 1)]
    asked = list(zip(names, itertools.cycle(DIALECTS), strict=False))
    opener = threading.Thread(target=_release_when_all_are_open, args=(upstream, STREAMS))
    opener.start()
    answers = asyncio.run(ask_all_at_once(worker.port, [say(*it) for it in asked]))
    opener.join()
    for (name, dialect), (status, body) in zip(asked, answers, strict=True):
        assert status == 200
        assert settled(body) == expected[dialect.name](name)
    assert len({body.split(b'"id":"', 1)[1][:41] for _, body in answers}) == STREAMS


def _release_when_all_are_open(upstream: Upstream, number: int) -> None:
    upstream.wait_for_call(number)
    for call in upstream.calls:
        call.release()


def test_a_stream_that_fails_leaves_the_others_whole(worker: Gateway, upstream: Upstream) -> None:
    expected = {it.name: undisturbed(worker, upstream, it) for it in DIALECTS}
    upstream.forget()
    endings: list[Script] = [[RESET], [b"6\r\n\xff\xfe\xfd\n\n\n\r\n"], [b"zz\r\n"]]
    broken = {f"bad{n:02}": endings[n % 3] for n in range(30)}

    def plan(call: Call) -> Script:
        name = asked_for(call)
        if name not in broken:
            return in_step(call)
        steps: list[Script] = [stream(events_to_text(dialect_of(call)))[:-1], [GATE], broken[name]]
        return itertools.chain(*steps, [b"data: {oops\n\n", RESET])

    upstream.answer_each(plan)
    names = [f"s{number:04}" for number in range(1, 91)]
    mixed = itertools.chain.from_iterable(
        zip(names[:30], names[30:60], names[60:], broken, strict=True)
    )
    asked = list(zip(mixed, itertools.cycle(DIALECTS), strict=False))
    opener = threading.Thread(target=_release_when_all_are_open, args=(upstream, len(asked)))
    opener.start()
    answers = asyncio.run(ask_all_at_once(worker.port, [say(*it) for it in asked]))
    opener.join()
    for (name, dialect), (status, body) in zip(asked, answers, strict=True):
        if name in broken:
            assert b'{"error":' in body
            assert b'"finish_reason":"stop"' not in body
        else:
            assert status == 200
            assert settled(body) == expected[dialect.name](name)


def test_a_slow_reader_makes_the_upstream_wait_and_still_gets_it_all(
    worker: Gateway, upstream: Upstream, dialect: Dialect
) -> None:
    """The client pauses for longer than the upstream may be silent."""
    before, after = events_to_text(dialect), dialect.text(SAID)[len(events_to_text(dialect)) :]
    words = [dialect.delta("x" * 50_000)] * (WAITING * 5 // 4 // 50_000)
    upstream.answer(stream(itertools.chain(before, words, after)))
    memory = memory_of(worker.pid)
    request = worker.open(question(f"hasty-idle-{dialect.model}", stream=True))
    request.frame_of_text()
    call = upstream.wait_for_call()
    assert call.blocked.wait(PATIENCE), "the upstream was never made to wait"
    _wait_until_it_stands(call)
    time.sleep(4 * HASTE)  # it is time that must pass
    assert call.sent < WAITING
    assert memory_of(worker.pid).python - memory.python < 4 * MEGABYTE
    assert memory_of(worker.pid).rest - memory.rest < WAITING
    assert worker.ask(line="GET /health").status == 200
    assert len(request.answer().text()) == len("".join(SAID)) + 50_000 * len(words)


def test_a_slow_reader_that_leaves_lets_the_upstream_go(
    worker: Gateway, upstream: Upstream, dialect: Dialect
) -> None:
    words = [dialect.delta("x" * 50_000)] * (WAITING * 5 // 4 // 50_000)
    upstream.answer(stream(itertools.chain(events_to_text(dialect), words)))
    request = worker.open(question(dialect.model, stream=True))
    request.frame_of_text()
    call = upstream.wait_for_call()
    assert call.blocked.wait(PATIENCE), "the upstream was never made to wait"
    request.reset()
    assert call.left.wait(1)


def _wait_until_it_stands(call: Call) -> None:
    """Waits until the upstream has sent nothing for a second. A busy Worker can also slow it
    down.
    """
    before = -1
    while call.sent > before:
        before = call.sent
        time.sleep(1)  # it is time that is awaited


# Memory


@pytest.mark.parametrize("word", ["word ", "wort \u00fc ", "🙂 "], ids=["ascii", "latin", "emoji"])
def test_five_megabytes_told_four_times_fit_into_an_isolate(
    start: Start, bindings: dict[str, object], upstream: Upstream, word: str
) -> None:
    """A client of Responses gets a text in deltas, and four times whole at the end."""
    text = word * (1_000 // len(word.encode()))
    pack = b"".join([ANTHROPIC.delta(text)] * 8)
    packs = 5 * MEGABYTE // (8 * len(text.encode()))
    before, after = (
        events_to_text(ANTHROPIC),
        ANTHROPIC.text(SAID)[len(events_to_text(ANTHROPIC)) :],
    )
    asked = {"model": ANTHROPIC.model, "input": "Go on.", "stream": True}
    with start(bindings, v8_flags=V8_FLAGS) as worker:
        upstream.answer(stream(ANTHROPIC.text(SAID)))
        worker.ask(asked, line="POST /v1/responses")
        memory = memory_of(worker.pid)
        Path(f"/proc/{worker.pid}/clear_refs").write_text("5")  # the kernel forgets the most
        upstream.answer(stream([*before, *[pack] * packs, *after]))
        answer = worker.ask(asked, line="POST /v1/responses")
        python = memory_of(worker.pid).python
        grown = most_resident(worker.pid) - memory.python - memory.rest
    assert answer.status == 200
    last = answer.body.split(b"\n\n")[-3]
    told = json.loads(last.partition(b"data: ")[2])["response"]["output"][0]["content"][0]["text"]
    long = text * (8 * packs)
    assert told.replace(long, "") == "".join(SAID)
    assert answer.body.count(long.encode()) == 4
    assert python - memory.python < 2 * 5 * MEGABYTE
    assert memory.python + grown < 110 * MEGABYTE


WARM_UP = 1_000
REQUESTS = 4_000
MANY_REQUESTS = 20_000
KEPT = 200
"""Bytes for each request that V8 may hold. Its own statistics and compiled code, which level off,
were 40; a proxy that is not destroyed in every other request is 750."""


@pytest.mark.swept
@pytest.mark.timeout(400)  # all take one minute, on a machine that has nothing else to do
def test_thousands_of_requests_leave_nothing_behind(
    start: Start, bindings: dict[str, object], upstream: Upstream, thorough: bool
) -> None:
    """Half of the requests are short streams and half are whole; one in twenty-five fails. Python's
    memory does not grow at all. V8's memory after a garbage collection is compared between the
    middle and the end. `make test` makes four thousand requests and `make sweep` twenty thousand;
    the limit for each request is the same.
    """
    upstream.answer_each(_mixed)
    half = ((MANY_REQUESTS if thorough else REQUESTS) - WARM_UP) // 2
    python, held = [], []
    with start(bindings, inspected=True) as worker:
        for count in (WARM_UP, half, half):
            asyncio.run(ask_in_turns(worker.port, _requests(count), _check, clients=12))
            upstream.calls.clear()
            python.append(memory_of(worker.pid).python)
            held.append(reachable(worker.inspector, lambda: worker.ask(line="GET /health")))
    assert python == [python[0]] * 3
    assert held[2] - held[1] < half * KEPT, held


def _requests(count: int) -> Iterator[bytes]:
    kinds = [
        request_bytes(say(f"{kind}", dialect, streamed=streamed))
        for streamed in (True, False)
        for dialect in DIALECTS
        for kind in [*["good"] * 24, "bad"]
    ]
    return itertools.islice(itertools.cycle(kinds), count)


def _mixed(call: Call) -> Script:
    dialect = dialect_of(call)
    if asked_for(call) == "bad":
        return whole(529, dialect.error("overloaded_error", "Overloaded"))
    if b'"stream":true' in call.body.replace(b" ", b""):
        return stream(dialect.text(["Some ", "words", "."]))
    return whole(200, dialect.whole("Some words."))


def _check(status: int, body: bytes) -> None:
    if status == 503:
        assert b"server_is_overloaded" in body
    else:
        assert status == 200
        assert b"words" in body


WAITING_AT_ONCE = 12


def test_requests_that_wait_for_their_upstream_hold_nothing_of_their_bodies(
    start: Start, bindings: dict[str, object], upstream: Upstream, dialect: Dialect
) -> None:
    """A request is kept until the last target has it, and no longer. Python's memory grows with
    what is held at once, and never shrinks.
    """
    large = {"messages": [{"role": "user", "content": "x" * 3_000}] * 1_000}
    upstream.answer([GATE, *whole(200, dialect.whole("Yes."))])
    with start(bindings | {"MAX_BODY_BYTES": "5000000"}) as worker:
        waiting, python = [], []
        for number in range(1, WAITING_AT_ONCE + 1):
            waiting.append(worker.open(question(dialect.model) | large))
            upstream.wait_for_call(number)
            python.append(memory_of(worker.pid).python)
        for call in upstream.calls:
            call.release()
        assert [it.answer().status for it in waiting] == [200] * WAITING_AT_ONCE
    assert python == [python[0]] * WAITING_AT_ONCE
