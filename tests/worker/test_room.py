"""Many large bodies at the same time: an isolate has 128 MB for all of them together.

Each waits until there is room for it, or is told that there is none (`room.js`).
"""

import json
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed

import pytest

from tests.worker.client import Answer, question
from tests.worker.conftest import Gateway, Start
from tests.worker.cost import ISOLATE, V8_FLAGS, most_of, take_once
from tests.worker.scripts import GATE, Script, whole
from tests.worker.shapes import CONVERSATION, PICTURES
from tests.worker.speech import ANTHROPIC, DIALECTS, OPENAI, Dialect
from tests.worker.upstream import Call, Upstream
from xtrix.body import MAX_READ_BYTES
from xtrix.config import MAX_BODY_BYTES
from xtrix.exchange import MAX_ANSWER_BYTES

LARGE = MAX_READ_BYTES - 10_000
AT_ONCE = 8
ANSWERS_AT_ONCE = 6
SECONDS = 0.2
"""How long the upstream takes for an answer, so that the calls overlap."""
FIT = 2
"""So many bodies of 5 MB can be repeated at once."""


@pytest.fixture
def fresh(start: Start, bindings: dict[str, object], upstream: Upstream) -> Iterator[Gateway]:
    """A Worker that takes bodies as large as it does by default."""
    with start(_defaults(bindings), v8_flags=V8_FLAGS) as worker:
        take_once(worker, upstream, in_crumbs=False)
        yield worker


@pytest.fixture
def patient(start: Start, bindings: dict[str, object], upstream: Upstream) -> Iterator[Gateway]:
    """One that may repeat a call, for which Python keeps each request."""
    rows = bindings["PROVIDERS"]
    assert isinstance(rows, list)
    repeated = [{**row, "retries": {"attempts": 2}} for row in rows]
    with start({**_defaults(bindings), "PROVIDERS": repeated}, v8_flags=V8_FLAGS) as worker:
        take_once(worker, upstream, in_crumbs=False)
        yield worker


@pytest.fixture
def keeping(start: Start, bindings: dict[str, object], upstream: Upstream) -> Iterator[Gateway]:
    """One that may keep responses, for which Python reads a request whole."""
    with start({**_defaults(bindings), "STORE_DAYS": "1"}, v8_flags=V8_FLAGS) as worker:
        take_once(worker, upstream, in_crumbs=False)
        yield worker


def _defaults(bindings: dict[str, object]) -> dict[str, object]:
    return {name: value for name, value in bindings.items() if name != "MAX_BODY_BYTES"}


def told(call: Call) -> bytes:
    """The whole answer to `call`."""
    return next(it for it in DIALECTS if it.path == call.path).whole("Yes.")


def slowly(call: Call) -> Script:
    return [SECONDS, *whole(200, told(call))]


def when_released(call: Call) -> Script:
    return [GATE, *whole(200, told(call))] if len(call.body) > 1_000_000 else whole(200, told(call))


def asked_at_once(
    worker: Gateway, body: bytes, times: int, line: str = "POST /v1/chat/completions"
) -> list[Answer]:
    """The answers to so many requests with `body`, which come together."""
    together = threading.Barrier(times)

    def ask(_: int) -> Answer:
        together.wait()
        return worker.ask(body, line=line)

    with ThreadPoolExecutor(times) as clients:
        return list(clients.map(ask, range(times)))


def statuses(answers: list[Answer]) -> list[int]:
    return sorted(answer.status for answer in answers)


@pytest.mark.parametrize("dialect", CONVERSATION)
def test_many_large_requests_at_once(fresh: Gateway, upstream: Upstream, dialect: str) -> None:
    upstream.answer_each(slowly)
    body = CONVERSATION[dialect].body(LARGE)
    with most_of(fresh) as most:
        answers = asked_at_once(fresh, body, AT_ONCE)
    assert statuses(answers) == [200] * AT_ONCE
    assert len(upstream.calls) == AT_ONCE
    assert most.isolate < ISOLATE, most


@pytest.mark.parametrize("dialect", CONVERSATION)
def test_many_large_requests_that_may_be_repeated(
    patient: Gateway, upstream: Upstream, dialect: str
) -> None:
    upstream.answer_each(slowly)
    body = CONVERSATION[dialect].body(LARGE)
    with most_of(patient) as most:
        answers = asked_at_once(patient, body, AT_ONCE)
    assert statuses(answers) == [200] * AT_ONCE
    assert most.isolate < ISOLATE, most


def test_many_large_requests_that_may_be_kept(keeping: Gateway, upstream: Upstream) -> None:
    upstream.answer_each(slowly)
    text = CONVERSATION["openai"].body(LARGE)
    body = text.replace(b'"messages"', b'"input"', 1)
    with most_of(keeping) as most:
        answers = asked_at_once(keeping, body, AT_ONCE, "POST /v1/responses")
    assert statuses(answers) == [200] * AT_ONCE
    assert most.isolate < ISOLATE, most


@pytest.mark.parametrize("dialect", PICTURES)
def test_several_pictures_at_once(fresh: Gateway, upstream: Upstream, dialect: str) -> None:
    upstream.answer_each(slowly)
    body = PICTURES[dialect].body(MAX_BODY_BYTES - 10_000)
    with most_of(fresh) as most:
        answers = asked_at_once(fresh, body, 4)
    assert statuses(answers) == [200] * 4
    assert most.isolate < ISOLATE, most


@pytest.mark.parametrize("dialect", [ANTHROPIC, OPENAI], ids=["anthropic", "openai"])
def test_many_large_answers_at_once(fresh: Gateway, upstream: Upstream, dialect: Dialect) -> None:
    upstream.answer([SECONDS, *whole(200, dialect.whole("x" * (MAX_ANSWER_BYTES - 10_000)))])
    body = json.dumps(question(dialect.model)).encode()
    with most_of(fresh) as most:
        answers = asked_at_once(fresh, body, ANSWERS_AT_ONCE)
    assert statuses(answers) == [200] * ANSWERS_AT_ONCE
    assert most.isolate < ISOLATE, most


def test_who_finds_no_room_is_told_so_and_others_are_served(
    patient: Gateway, upstream: Upstream
) -> None:
    upstream.answer_each(when_released)
    body = CONVERSATION["openai"].body(LARGE)
    with ThreadPoolExecutor(FIT + 2) as clients:
        ended = as_completed([clients.submit(patient.ask, body) for _ in range(FIT + 2)])
        upstream.wait_for_call(FIT)
        assert patient.ask(question(OPENAI.model)).status == 200
        assert patient.ask(CONVERSATION["openai"].body(900_000)).status == 200
        refused = [next(ended).result() for _ in range(2)]
        large = [call for call in upstream.calls if len(call.body) > 1_000_000]
        for call in large:
            call.release()
        answered = [each.result() for each in ended]
    assert statuses(answered) == [200] * FIT
    assert statuses(refused) == [503, 503]
    assert {answer.error()["code"] for answer in refused} == {"overloaded"}
    assert {answer.headers["retry-after"] for answer in refused} == {"1"}
    assert len(large) == FIT
    upstream.answer_each(slowly)
    assert patient.ask(body).status == 200
