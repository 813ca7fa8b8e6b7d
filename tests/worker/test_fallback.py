"""Fallback on the real Worker: two servers that fail in turn, and clients that see none of it.

Both serve the same models, the first in OpenAI's dialect and the second in Anthropic's. Each test
has models of its own, because the Worker remembers which targets fail.
"""

import asyncio
import itertools
import json
import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from typing import NamedTuple

import pytest

from tests.worker.client import CLIENT_KEYS, DONE, UPSTREAM_KEYS, Answer, question, secret_name
from tests.worker.conftest import Gateway, Start
from tests.worker.faults import HTML, HTML_HEADERS, events_to_text
from tests.worker.logs import Record, record_of, records
from tests.worker.scripts import (
    GATE,
    JSON,
    RESET,
    STALL,
    Script,
    chunk,
    head,
    stream,
    stream_head,
    whole,
)
from tests.worker.sees import SAID, Broken, Refusal
from tests.worker.speech import ANTHROPIC, OPENAI, Dialect
from tests.worker.swarm import Connection, request_bytes
from tests.worker.upstream import PATIENCE, Call, Upstream
from xtrix.health import FAILURES

SPOKEN = "".join(SAID)
BACKOFF = 0.1
LONGEST_WAIT = 3.0
DEADLINE = 1.5
REST = 2.0

RATE_LIMITED = OPENAI.error("rate_limit_error", "Slow down.")
OVERLOADED = OPENAI.error("overloaded_error", "Overloaded.")


class Fault(NamedTuple):
    """The first target's behaviour in place of an answer."""

    script: Script
    code: str
    """What the log calls it."""
    streamed: bool | None = None
    """Whether it is one of streams only, or of whole answers only."""
    via: str = "first"
    """The provider that meets with it."""


FAULTS = {
    "hangs up": Fault([RESET], "upstream_connection_error"),
    "says nothing": Fault([STALL], "upstream_timeout", via="hasty"),
    "rate limit": Fault(whole(429, RATE_LIMITED), "rate_limit_exceeded"),
    "500": Fault(whole(500, b"{}"), "upstream_error"),
    "503": Fault(whole(503, b"upstream connect error"), "upstream_error"),
    "529": Fault(whole(529, OVERLOADED), "server_is_overloaded"),
    "refused key": Fault(whole(401, b"{}"), "upstream_authentication_error"),
    "no money": Fault(whole(402, b"{}"), "insufficient_quota"),
    "unknown model": Fault(whole(404, b"{}"), "model_not_found"),
    "a page of HTML": Fault(whole(200, HTML, HTML_HEADERS), "bad_upstream_response"),
    "half a body": Fault(
        [stream_head(JSON), chunk(b'{"id":'), RESET], "upstream_connection_error", False
    ),
    "no event": Fault([stream_head(), RESET], "upstream_truncated", True),
    "an error for a first event": Fault(
        stream([OPENAI.error_event("server_error", "Oops.")]), "upstream_error", True
    ),
    "an event cut in two": Fault(
        [stream_head(), chunk(b'data: {"id"'), RESET], "upstream_truncated", True
    ),
}
CASES = [
    (name, streamed)
    for name, fault in FAULTS.items()
    for streamed in (False, True)
    if fault.streamed in {None, streamed}
]


def model_of(name: str, streamed: bool) -> str:
    """The model for one case of `FAULTS`."""
    return f"{name.replace(' ', '-')}-{streamed}"


def model(name: str, *targets: str, **more: object) -> dict[str, object]:
    """A row of MODELS whose targets call the model by its own name."""
    return {"id": name, "targets": [f"{target}/{name}" for target in targets], **more}


def weighted(name: str, **weights: float | None) -> dict[str, object]:
    """A row of MODELS with these providers' weights; None is a spare."""
    targets = [
        f"{provider}/{name}"
        if weight is None
        else {"target": f"{provider}/{name}", "weight": weight}
        for provider, weight in weights.items()
    ]
    return {"id": name, "targets": targets}


def provider(name: str, dialect: Dialect, server: Upstream, **more: object) -> dict[str, object]:
    """A row of PROVIDERS, which is tried once unless `more` says otherwise."""
    row: dict[str, object] = {"name": name, "dialect": dialect.name, "base_url": server.base_url}
    row["retries"] = {"attempts": 1}
    return row | {"api_key": secret_name(dialect.name)} | more


MODELS = [
    *(model(model_of(*case), FAULTS[case[0]].via, "second") for case in CASES),
    model("all-fail", "first", "second"),
    model("client-fault", "first", "second"),
    model("begun", "first", "second"),
    model("attempts", "patient", "second"),
    model("attempts-in-vain", "patient", "second"),
    model("useless", "patient"),
    model("retry-after", "patient", "second"),
    model("retry-after-too-long", "patient", "second"),
    model("never-again", "patient", "second"),
    model("deadline", "first", "second", deadline=DEADLINE),
    model("deadline-in-a-wait", "patient", "second", deadline=DEADLINE),
    model("begun-in-time", "first", "second", deadline=DEADLINE),
    model("rests", "resting", "second"),
    model("fails-again", "resting", "second"),
    model("left", "resting", "second"),
    weighted("weighted", first=1, second=1, spare=None),
    weighted("weighted-and-down", first=1, second=1),
]


class Pair(NamedTuple):
    """The two servers, and the Worker before them."""

    worker: Gateway
    first: Upstream
    second: Upstream

    def both_answer(self) -> None:
        """Gives both servers a script for every call."""
        self.first.answer_each(lambda call: spoken(OPENAI, call))
        self.second.answer_each(lambda call: spoken(ANTHROPIC, call))

    def ask(self, name: str, *, stream: bool = False, **more: object) -> Answer:
        """The answer to a small request."""
        return self.worker.ask(question(name, stream=stream, **more))

    def record(self, answer: Answer) -> Record:
        """The log record of an answer."""
        return record_of(self.worker.log, answer.headers["x-request-id"])


@pytest.fixture(scope="module")
def servers(start: Start) -> Iterator[Pair]:
    """The Worker and its two upstreams, for all tests here."""
    with ExitStack() as stack:
        first, second = Upstream(), Upstream()
        stack.callback(first.stop)
        stack.callback(second.stop)
        again = {"attempts": 3, "backoff": BACKOFF, "longest": LONGEST_WAIT}
        bindings: dict[str, object] = {
            "API_KEYS": CLIENT_KEYS[0],
            "KEEP_ALIVE_SECONDS": "0",
            "PROVIDERS": [
                provider("first", OPENAI, first),
                provider("second", ANTHROPIC, second),
                provider("hasty", OPENAI, first, timeouts={"connect": 0.3, "first_byte": 0.3}),
                provider("patient", OPENAI, first, retries=again),
                provider("resting", OPENAI, first, retries={"attempts": 1, "rest": REST}),
                provider("spare", OPENAI, first),
            ],
            "MODELS": MODELS,
            **{secret_name(name): key for name, key in UPSTREAM_KEYS.items()},
        }
        yield Pair(stack.enter_context(start(bindings)), first, second)


@pytest.fixture
def pair(servers: Pair) -> Iterator[Pair]:
    """The servers, without a script."""
    yield servers
    servers.first.forget()
    servers.second.forget()


def spoken(dialect: Dialect, call: Call) -> Script:
    """The answer of an upstream without a fault to `call`: a stream or a whole answer."""
    if json.loads(call.body).get("stream"):
        return stream(dialect.text(SAID))
    return whole(200, dialect.whole(SPOKEN))


def text_of(answer: Answer, *, streamed: bool) -> str:
    """What the model said, all of it."""
    if streamed:
        return answer.text()
    assert answer.status == 200, answer
    text: str = answer.json()["choices"][0]["message"]["content"]
    return text


def served_by(answer: Answer) -> str:
    """The provider that answered."""
    return answer.headers["x-served-by"].partition("/")[0]


# In order


@pytest.mark.parametrize(("name", "streamed"), CASES)
def test_the_next_target_answers_in_its_own_dialect(pair: Pair, name: str, streamed: bool) -> None:
    fault, asked = FAULTS[name], model_of(name, streamed)
    pair.both_answer()
    pair.first.answer(fault.script)
    answer = pair.ask(asked, stream=streamed)
    assert text_of(answer, streamed=streamed) == SPOKEN
    assert answer.headers["x-served-by"] == f"second/{asked}"
    assert answer.headers["x-attempts"] == "2"
    assert [call.path for call in pair.first.calls] == [OPENAI.path]
    assert [call.path for call in pair.second.calls] == [ANTHROPIC.path]
    expected = {"status": 200, "model": asked, "attempts": 2}
    expected |= {"provider": "second", "upstream_model": asked}
    expected |= {"failures": [f"{fault.via}/{asked}: {fault.code}"]}
    record = pair.record(answer)
    assert {field: record[field] for field in expected} == expected


def test_nobody_is_called_while_the_first_answers(pair: Pair) -> None:
    pair.both_answer()
    for streamed in (False, True):
        answer = pair.ask("begun", stream=streamed)
        assert text_of(answer, streamed=streamed) == SPOKEN
        assert (answer.headers["x-served-by"], answer.headers["x-attempts"]) == ("first/begun", "1")
    assert pair.second.calls == []


def test_when_all_fail_the_last_one_is_told(pair: Pair) -> None:
    pair.first.answer(whole(500, b"{}"))
    headers = [*JSON, ("retry-after", "7")]
    pair.second.answer(whole(429, ANTHROPIC.error("rate_limit_error", "Slow down."), headers))
    answer = pair.ask("all-fail")
    Refusal(429, "rate_limit_exceeded", "rate_limit_error", {"retry-after": "7"}).check(answer)
    assert answer.headers["x-served-by"] == "second/all-fail"
    assert answer.headers["x-attempts"] == "2"
    record = pair.record(answer)
    assert record["failures"] == [
        "first/all-fail: upstream_error",
        "second/all-fail: rate_limit_exceeded",
    ]
    assert (record["status"], record["error"]) == (429, "rate_limit_exceeded")


@pytest.mark.parametrize("status", [400, 413, 422])
def test_a_fault_of_the_clients_is_nobody_elses(pair: Pair, status: int) -> None:
    pair.first.answer(whole(status, OPENAI.error("invalid_request_error", "Too odd.")))
    answer = pair.ask("client-fault")
    assert (answer.status, "Too odd." in answer.error()["message"]) == (status, True)
    assert (served_by(answer), answer.headers["x-attempts"]) == ("first", "1")
    assert pair.second.calls == []


def test_nothing_is_repeated_after_the_first_event(pair: Pair) -> None:
    pair.both_answer()
    pair.first.answer([*stream(events_to_text(OPENAI))[:-1], GATE, RESET])
    request = pair.worker.open(question("begun", stream=True))
    request.frame_of_text()
    pair.first.wait_for_call().release()
    answer = request.answer()
    Broken("upstream_truncated").check(answer)
    assert (answer.headers["x-served-by"], answer.headers["x-attempts"]) == ("first/begun", "1")
    assert (len(pair.first.calls), pair.second.calls) == (1, [])


# Again


class Turns:
    """Plays one script after the other, then repeats the last one, and notes the times."""

    def __init__(self, *scripts: Script) -> None:
        self.times: list[float] = []
        self._scripts: Iterator[Script] = itertools.chain(scripts, itertools.repeat(scripts[-1]))

    def __call__(self, call: Call) -> Script:
        """The script of the next call."""
        self.times.append(time.monotonic())
        return next(self._scripts)

    @property
    def pauses(self) -> list[float]:
        """Seconds between one call and the next."""
        return [later - earlier for earlier, later in itertools.pairwise(self.times)]


def test_a_target_is_tried_again_after_a_growing_pause(pair: Pair) -> None:
    turns = Turns(whole(503, b"{}"), [RESET], whole(200, OPENAI.whole(SPOKEN)))
    pair.first.answer_each(turns)
    answer = pair.ask("attempts")
    assert text_of(answer, streamed=False) == SPOKEN
    assert (served_by(answer), answer.headers["x-attempts"]) == ("patient", "3")
    # A quarter of each pause is left to chance.
    assert turns.pauses[0] >= BACKOFF * 0.75
    assert turns.pauses[1] >= BACKOFF * 1.5
    assert pair.record(answer)["failures"] == [
        "patient/attempts: upstream_error",
        "patient/attempts: upstream_connection_error",
    ]


def test_attempts_come_to_an_end(pair: Pair) -> None:
    pair.both_answer()
    turns = Turns(whole(503, b"{}"))
    pair.first.answer_each(turns)
    answer = pair.ask("attempts-in-vain", stream=True)
    assert answer.text() == SPOKEN
    assert (served_by(answer), answer.headers["x-attempts"]) == ("second", "4")
    assert len(turns.times) == 3


def test_retry_after_is_kept(pair: Pair) -> None:
    limited = whole(429, RATE_LIMITED, [*JSON, ("retry-after-ms", "400")])
    turns = Turns(limited, whole(200, OPENAI.whole(SPOKEN)))
    pair.first.answer_each(turns)
    answer = pair.ask("retry-after")
    assert (served_by(answer), answer.headers["x-attempts"]) == ("patient", "2")
    assert turns.pauses[0] >= 0.4


def test_a_long_retry_after_means_the_next_target(pair: Pair) -> None:
    pair.both_answer()
    wait = str(2 * int(PATIENCE))  # which the client does not have
    pair.first.answer(whole(429, RATE_LIMITED, [*JSON, ("retry-after", wait)]))
    answer = pair.ask("retry-after-too-long")
    assert (served_by(answer), answer.headers["x-attempts"]) == ("second", "2")


def test_what_cannot_go_well_is_not_tried_again(pair: Pair) -> None:
    pair.both_answer()
    pair.first.answer(whole(401, b"{}"))
    answer = pair.ask("never-again")
    assert (served_by(answer), answer.headers["x-attempts"]) == ("second", "2")


USELESS: dict[str, Script] = {
    "too large": [head(200, [*JSON, ("content-length", "20000000")]), b"{", STALL],
    "of another type": whole(200, OPENAI.whole("Yes."), [("content-type", "text/json")]),
}


@pytest.mark.parametrize("kind", USELESS)
@pytest.mark.parametrize("streamed", [False, True])
def test_an_answer_of_no_use_is_not_paid_for_again(pair: Pair, kind: str, streamed: bool) -> None:
    pair.first.answer(USELESS[kind])
    answer = pair.ask("useless", stream=streamed)
    assert (answer.status, answer.error()["code"]) == (502, "bad_upstream_response")
    assert answer.headers["x-should-retry"] == "false"
    assert answer.headers["x-attempts"] == "1"
    assert len(pair.first.calls) == 1


# In time


@pytest.mark.parametrize("streamed", [False, True])
def test_one_deadline_is_for_all_attempts(pair: Pair, streamed: bool) -> None:
    pair.first.answer([0.4, *whole(503, b"{}")])
    pair.second.answer([STALL])
    began = time.monotonic()
    answer = pair.ask("deadline", stream=streamed)
    Refusal(504, "upstream_timeout", "timeout").check(answer)
    assert DEADLINE * 0.9 < time.monotonic() - began < DEADLINE + 2
    assert answer.headers["x-attempts"] == "2"
    assert pair.second.wait_for_call().left.wait(1), "the call was not given up"


def test_no_pause_goes_beyond_the_deadline(pair: Pair) -> None:
    pair.both_answer()
    wait = str(round(LONGEST_WAIT * 900))
    pair.first.answer(whole(429, RATE_LIMITED, [*JSON, ("retry-after-ms", wait)]))
    began = time.monotonic()
    answer = pair.ask("deadline-in-a-wait")
    assert text_of(answer, streamed=False) == SPOKEN
    assert (served_by(answer), answer.headers["x-attempts"]) == ("second", "2")
    assert time.monotonic() - began < LONGEST_WAIT * 0.9, "it waited all the same"


def test_what_has_begun_in_time_may_last(pair: Pair) -> None:
    role, text, *later = OPENAI.text(SAID)
    pair.first.answer(stream([role, text, DEADLINE * 1.3, *later]))
    answer = pair.ask("begun-in-time", stream=True)
    assert answer.text() == SPOKEN
    assert answer.headers["x-attempts"] == "1"


# Weights


def firsts(answers: Iterable[Answer]) -> list[str]:
    """The provider of each answer. Asserts that all are whole."""
    return [served_by(answer) for answer in answers if text_of(answer, streamed=False) == SPOKEN]


@pytest.mark.parametrize("field", ["prompt_cache_key", "user"])
def test_a_conversation_stays_where_it_began(pair: Pair, field: str) -> None:
    pair.both_answer()
    requests = [question("weighted") | {field: f"conversation {number}"} for number in range(16)]
    chosen = [firsts(map(pair.worker.ask, requests)) for _ in range(3)]
    assert chosen[0] == chosen[1] == chosen[2]
    assert set(chosen[0]) == {"first", "second"}


def test_the_cache_key_counts_before_the_user(pair: Pair) -> None:
    pair.both_answer()
    users = [f"user {number}" for number in range(16)]
    answers = [pair.ask("weighted", prompt_cache_key="conversation", user=it) for it in users]
    assert len(set(firsts(answers))) == 1


def test_without_a_name_chance_decides(pair: Pair) -> None:
    pair.both_answer()
    assert set(firsts(pair.ask("weighted") for _ in range(32))) == {"first", "second"}


def test_weights_are_each_others_fallback(pair: Pair) -> None:
    pair.both_answer()
    pair.first.answer([RESET])
    names = [f"conversation {number}" for number in range(8)]
    answers = [pair.ask("weighted-and-down", prompt_cache_key=name) for name in names]
    assert firsts(answers) == ["second"] * len(names)
    assert {answer.headers["x-attempts"] for answer in answers} == {"1", "2"}


# Rest


def attempts_of(pair: Pair, name: str, *, times: int = 1) -> list[str]:
    """The number of calls that each request took. Asserts that all were answered."""
    answers = [pair.ask(name) for _ in range(times)]
    assert {text_of(answer, streamed=False) for answer in answers} == {SPOKEN}
    return [answer.headers["x-attempts"] for answer in answers]


def test_a_target_that_keeps_failing_rests_and_is_tried_again(pair: Pair) -> None:
    pair.both_answer()
    pair.first.answer(whole(503, b"{}"))
    assert attempts_of(pair, "rests", times=FAILURES) == ["2"] * FAILURES
    failed_at = time.monotonic()
    assert attempts_of(pair, "rests", times=3) == ["1"] * 3
    assert len(pair.first.calls) == FAILURES
    pair.both_answer()
    time.sleep(failed_at + REST - time.monotonic())  # it is time that is awaited
    answer = pair.ask("rests")
    assert (answer.headers["x-served-by"], answer.headers["x-attempts"]) == ("resting/rests", "1")


def test_one_more_failure_sends_it_back_to_rest(pair: Pair) -> None:
    pair.both_answer()
    pair.first.answer(whole(503, b"{}"))
    attempts_of(pair, "fails-again", times=FAILURES)
    time.sleep(REST)  # it is time that is awaited
    assert attempts_of(pair, "fails-again", times=3) == ["2", "1", "1"]


def test_clients_that_leave_say_nothing_of_a_target(pair: Pair) -> None:
    pair.both_answer()
    pair.first.answer([*stream(events_to_text(OPENAI))[:-1], STALL])
    for number in range(1, FAILURES + 2):
        request = pair.worker.open(question("left", stream=True))
        request.frame_of_text()
        request_id = request.response().headers["x-request-id"]
        request.reset()
        assert pair.first.wait_for_call(number).left.wait(PATIENCE)
        assert record_of(pair.worker.log, request_id)["error"] == "client_left"
    pair.both_answer()
    answer = pair.ask("left")
    assert (answer.headers["x-served-by"], answer.headers["x-attempts"]) == ("resting/left", "1")


# A server is killed in mid-run


class Mortal(Upstream):
    """A server that can be killed: a running answer ends normally, and no new one begins."""

    def __init__(self, dialect: Dialect) -> None:
        super().__init__()
        self.dead = False
        self._dialect = dialect
        self.answer_each(self._live)

    def kill(self) -> None:
        """Closes the listening socket, and resets connections whose answer has not begun."""
        self.dead = True
        self._loop.call_soon_threadsafe(self._server.close)

    def _live(self, call: Call) -> Script:
        yield 0.01  # it thinks; meanwhile it may die
        for step in [RESET] if self.dead else spoken(self._dialect, call):
            yield step
            yield 0.002


CLIENTS = 8
BEFORE, AFTER = 120, 240
"""Answers before the kill and after it, all clients' together."""


def test_a_server_is_killed_and_no_client_sees_an_error(start: Start) -> None:
    first, second = Mortal(OPENAI), Mortal(ANTHROPIC)
    bindings: dict[str, object] = {
        "API_KEYS": CLIENT_KEYS[0],
        "KEEP_ALIVE_SECONDS": "0",
        "PROVIDERS": [provider("first", OPENAI, first), provider("second", ANTHROPIC, second)],
        "MODELS": [weighted("killed", first=1, second=1)],
        **{secret_name(name): key for name, key in UPSTREAM_KEYS.items()},
    }
    with ExitStack() as stack:
        stack.callback(first.stop)
        stack.callback(second.stop)
        worker = stack.enter_context(start(bindings))
        answers = asyncio.run(ask_while_one_dies(worker.port, first))
        log = records(worker.log())
        called = len(first.calls), len(second.calls)
    assert len(answers) >= BEFORE + AFTER
    assert [it for it in log if "crash" in it] == []
    assert [(status, body[:300]) for status, body in answers if not is_sound(status, body)] == []
    assert min(called) >= BEFORE / 4, "one of the two did not take its share"
    fell_back = [it for it in log if it.get("failures")]
    assert fell_back, "nobody had to fall back"
    failures = {failure for it in fell_back for failure in it["failures"]}
    assert failures == {"first/killed: upstream_connection_error"}
    # Three in a row and it rests: after that nobody pays for it being down.
    assert len(fell_back) <= FAILURES + CLIENTS


def is_sound(status: int, body: bytes) -> bool:
    """Whether a client got the whole answer, streamed or not, and no error."""
    said = [json.dumps(part, ensure_ascii=False)[1:-1].encode() for part in SAID]
    is_whole = body.endswith((DONE, b"}")) and all(part in body for part in said)
    return status == 200 and is_whole and b'"error"' not in body


async def ask_while_one_dies(port: int, victim: Mortal) -> list[tuple[int, bytes]]:
    """Every answer of clients that ask in a loop while `victim` is killed."""
    answers: list[tuple[int, bytes]] = []
    requests = [request_bytes(question("killed", stream=streamed)) for streamed in (False, True)]

    async def client(number: int) -> None:
        connection = await Connection.open(port)
        for request in itertools.cycle(requests[:: 1 if number % 2 else -1]):
            if len(answers) >= BEFORE + AFTER:
                break
            answers.append(await connection.ask(request))
            if len(answers) >= BEFORE and not victim.dead:
                victim.kill()
        connection.close()

    await asyncio.gather(*(client(number) for number in range(CLIENTS)))
    return answers
