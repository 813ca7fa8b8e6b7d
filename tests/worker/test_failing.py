"""Sixteen ways of failing on the real Worker, by upstreams of every dialect, before clients of
every protocol, with the calls that each server saw.

One Worker and two servers serve all of it. Each conversation has a model of its own, because the
Worker remembers which targets fail; so those of one row can be had side by side.
"""

import json
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from threading import Lock
from typing import Any, NamedTuple

import pytest

from tests.worker.client import CLIENT_KEYS, UPSTREAM_KEYS, Answer, secret_name
from tests.worker.conftest import Gateway, Start
from tests.worker.failing import FAILING, HASTE, OVERFLOW, Failing, Request, Speech, Told
from tests.worker.faults import Asked
from tests.worker.logs import Record, record_of, records
from tests.worker.scripts import Script
from tests.worker.speech import ANTHROPIC, DIALECTS, INPUT_TOKENS, OUTPUT_TOKENS, Dialect
from tests.worker.upstream import Call, Upstream

CLIENTS = ("chat", "messages", "responses")
PATHS = {"chat": "chat/completions", "messages": "messages", "responses": "responses"}
PROMPT = "Say something about plugh."
NEXT = dict(zip(DIALECTS, [*DIALECTS[1:], DIALECTS[0]], strict=True))
"""The dialect of the second target, by that of the first."""
LIMITS = {
    "steady": {},
    "hasty": {"connect": HASTE, "first_byte": HASTE},
    "stalling": {"idle": HASTE},
}


class Case(NamedTuple):
    """One conversation: a row of `FAILING`, a dialect, a client's protocol, and whether it
    streams.
    """

    row: Failing
    dialect: Dialect
    client: str
    asked: Asked

    @property
    def model(self) -> str:
        return f"{FAILING.index(self.row)}-{self.dialect.name}-{self.client}-{self.asked}"

    @property
    def second_is_told(self) -> bool:
        """Whether the second target's dialect can express the request: Responses cannot continue an
        assistant's turn.
        """
        to_responses = NEXT[self.dialect].name == "openai-responses"
        return not (self.row.prefill and to_responses and self.client != "responses")

    def served_by(self, which: str) -> str:
        """The model's name at the `first` or `second` target. The client asks for another."""
        return f"{self.model}-{which}"

    def targets(self) -> list[str]:
        rows = {
            "first": f"{self.row.via}-{self.dialect.name}",
            "second": f"second-{NEXT[self.dialect].name}",
        }
        targets = [f"{name}/{self.served_by(which)}" for which, name in rows.items()]
        return targets[: self.row.targets]


def cases_of(row: Failing, dialect: Dialect) -> list[Case]:
    """Every conversation of `row` whose first target speaks `dialect`."""
    clients: tuple[str, ...] = CLIENTS
    if row.prefill and dialect.name == "openai-responses":
        clients = ("responses",)  # no other client's turn can be gone on with there
    return [Case(row, dialect, client, asked) for client in clients for asked in row.asked]


CASES = {
    case.model: case for row in FAILING for dialect in DIALECTS for case in cases_of(row, dialect)
}


class Server(Upstream):
    """A target of every model. It answers as the model's row says."""

    def __init__(self, which: str) -> None:
        super().__init__()
        self.numbers: dict[str, int] = dict.fromkeys(CASES, 0)
        """How many calls there were for each model."""
        self.latest: dict[str, Call] = {}
        """The last of them."""
        self._which = which
        self._lock = Lock()
        self.answer_each(self._script)

    def _script(self, call: Call) -> Script:
        body = json.loads(call.body)
        asked_for, _, which = body["model"].rpartition("-")
        assert which == self._which
        case = CASES[asked_for]
        with self._lock:
            self.numbers[case.model] += 1
            self.latest[case.model] = call
        speech: Speech = getattr(case.row, self._which)
        dialect = case.dialect if self._which == "first" else NEXT[case.dialect]
        return speech(dialect, self.numbers[case.model], bool(body.get("stream")))


class Pair(NamedTuple):
    """The two servers, and the Worker before them."""

    worker: Gateway
    first: Server
    second: Server

    def calls(self, case: Case) -> tuple[int, int]:
        """The number of calls that each server has had for the model of `case`."""
        return self.first.numbers[case.model], self.second.numbers[case.model]


@pytest.fixture(scope="module")
def pair(start: Start) -> Iterator[Pair]:
    """The servers that all tests here share."""
    with ExitStack() as stack:
        first, second = Server("first"), Server("second")
        stack.callback(first.stop)
        stack.callback(second.stop)
        rows = [
            provider(name, dialect, first, limits)
            for name, limits in LIMITS.items()
            for dialect in DIALECTS
        ]
        rows += [provider("second", dialect, second, {}) for dialect in DIALECTS]
        bindings: dict[str, object] = {
            "API_KEYS": CLIENT_KEYS[0],
            "KEEP_ALIVE_SECONDS": "0",
            "PROVIDERS": rows,
            "MODELS": [
                {"id": case.model, "targets": case.targets(), **case.row.more}
                for case in CASES.values()
            ],
            **{secret_name(name): key for name, key in UPSTREAM_KEYS.items()},
        }
        yield Pair(stack.enter_context(start(bindings)), first, second)


def provider(
    name: str, dialect: Dialect, server: Upstream, limits: dict[str, float]
) -> dict[str, object]:
    """A row of PROVIDERS."""
    return {
        "name": f"{name}-{dialect.name}",
        "dialect": dialect.name,
        "base_url": server.base_url,
        "api_key": secret_name(dialect.name),
        "retries": {"backoff": 0.05, "longest": 5, "rest": 600},
        "timeouts": limits,
        "families": [{"pattern": "*", "prefill": True, "thinking": "none", "sampling": "any"}],
    }


# What a client sees, in each protocol


class Seen(NamedTuple):
    """An answer as a client parses it."""

    text: str
    end: str | None
    """As in `Told`; None for an answer that says nothing of how it ended."""
    error: Any = None
    """The error's object."""
    model: str | None = None


def see(case: Case, answer: Answer) -> Seen:
    """The answer as the client of `case` parses it."""
    if answer.status != 200:
        return Seen("", "error", answer.json()["error"])
    if case.asked == "whole":
        return _WHOLE[case.client](answer.json())
    frames = [it for it in answer.body.decode().split("\n\n") if it]
    data = [frame.partition("data: ")[2] for frame in frames]
    return _STREAMS[case.client]([json.loads(it) for it in data if it and it != "[DONE]"])


MESSAGES_TYPES = {
    "upstream_error": "api_error",
    "upstream_truncated": "api_error",
    "bad_upstream_response": "api_error",
    "upstream_timeout": "timeout_error",
    "context_length_exceeded": "invalid_request_error",
}
"""What a client of Messages is told in the place of a code. An event of Responses has one of that
protocol's own few codes."""
_ENDS = {
    **{"stop": "stop", "end_turn": "stop", "completed": "stop"},
    **{"content_filter": "filtered", "refusal": "filtered"},
}


def _chat(answer: Any) -> Seen:
    (choice,) = answer["choices"]
    end = _ENDS[choice["finish_reason"]]
    return Seen(choice["message"]["content"], end, model=answer["model"])


def _chat_stream(chunks: list[Any]) -> Seen:
    model = chunks[0]["model"]
    error = chunks.pop()["error"] if "error" in chunks[-1] else None
    choices = [choice for chunk in chunks for choice in chunk["choices"]]
    text = "".join(choice["delta"].get("content") or "" for choice in choices)
    ends = [_ENDS[it["finish_reason"]] for it in choices if it["finish_reason"]]
    return Seen(text, "error" if error else ends[0], error, model)


def _message(answer: Any) -> Seen:
    text = "".join(block["text"] for block in answer["content"])
    return Seen(text, _ENDS[answer["stop_reason"]], model=answer["model"])


def _message_stream(events: list[Any]) -> Seen:
    by_type: dict[str, list[Any]] = {}
    for event in events:
        by_type.setdefault(event["type"], []).append(event)
    text = "".join(it["delta"].get("text", "") for it in by_type["content_block_delta"])
    model = by_type["message_start"][0]["message"]["model"]
    if "error" in by_type:
        assert events[-1]["type"] == "error"
        assert "message_stop" not in by_type
        return Seen(text, "error", events[-1]["error"], model)
    assert events[-1]["type"] == "message_stop"
    return Seen(text, _ENDS[by_type["message_delta"][-1]["delta"]["stop_reason"]], None, model)


def _response(answer: Any) -> Seen:
    parts = [part for item in answer["output"] for part in item.get("content", ())]
    why = (answer.get("incomplete_details") or {}).get("reason")
    text = "".join(part["text"] for part in parts if part["type"] == "output_text")
    refused = any(part["type"] == "refusal" for part in parts)
    end = "filtered" if refused else _ENDS[why or answer["status"]]
    return Seen(text, end, model=answer["model"])


def _response_stream(events: list[Any]) -> Seen:
    deltas = [it["delta"] for it in events if it["type"] == "response.output_text.delta"]
    last = events[-1]
    response = last["response"]
    if last["type"] == "response.failed":
        return Seen("".join(deltas), "error", response["error"], response["model"])
    seen = _response(response)
    assert seen.text == "".join(deltas)
    return seen


_WHOLE = {"chat": _chat, "messages": _message, "responses": _response}
_STREAMS = {"chat": _chat_stream, "messages": _message_stream, "responses": _response_stream}


def body(case: Case) -> dict[str, object]:
    """The body of the client's request."""
    turns = [{"role": "user", "content": PROMPT}]
    if case.row.prefill:
        turns.append({"role": "assistant", "content": "Once"})
    said: dict[str, object] = {"model": case.model, "stream": case.asked == "streamed"}
    if case.client == "responses":
        return {**said, "input": turns}
    return {**said, "messages": turns, "max_tokens": 100}


# The tests


@pytest.mark.parametrize("dialect", DIALECTS, ids=lambda it: it.name)
@pytest.mark.parametrize("row", FAILING, ids=lambda it: it.id)
def test_failing(pair: Pair, row: Failing, dialect: Dialect) -> None:
    cases = cases_of(row, dialect)
    with ThreadPoolExecutor(len(cases)) as clients:
        for done in [clients.submit(converse, pair, case) for case in cases]:
            done.result()


def converse(pair: Pair, case: Case) -> None:
    """Makes the requests of `case`. Checks each answer, its calls and its log line."""
    for request in case.row.requests:
        before = pair.calls(case)
        began = time.monotonic()
        answer = ask(pair, case, request.told)
        assert time.monotonic() - began >= case.row.least_seconds
        after = pair.calls(case)
        calls = (after[0] - before[0], after[1] - before[1])
        second = request.second if case.second_is_told else 0
        assert calls == (request.first, second), answer
        assert answer.headers["x-attempts"] == str(sum(calls))
        check_told(case, request.told, answer)
        check_record(pair, case, request, answer)


def ask(pair: Pair, case: Case, told: Told) -> Answer:
    """Make a request of `case`. A stream that is to break does so once its text has come."""
    opened = pair.worker.open(body(case), line=f"POST /v1/{PATHS[case.client]}")
    if told.text and told.end == "error":
        words = json.dumps(told.text)[1:-1].encode()
        while words not in (frame := opened.frame()):
            assert frame, opened.answer()
        pair.first.latest[case.model].release()
    return opened.answer()


def check_told(case: Case, told: Told, answer: Answer) -> None:
    """Fails if the client got anything else."""
    seen = see(case, answer)
    assert (answer.status, seen.text, seen.end) == (told.status, told.text, told.end), answer
    assert answer.headers["x-served-by"] == case.targets()[told.by == "second"]
    if answer.status == 200:
        assert seen.model == case.served_by(told.by)
    if told.code and case.client == "messages":
        assert seen.error["type"] == MESSAGES_TYPES[told.code], seen
        is_long = told.code == "context_length_exceeded"
        assert (seen.error["message"] == OVERFLOW) == is_long, seen
    elif told.code:
        is_event = answer.status == 200 and case.client == "responses"
        assert seen.error["code"] == ("server_error" if is_event else told.code), seen


def check_record(pair: Pair, case: Case, request: Request, answer: Answer) -> Record:
    """Fails if the log line is another."""
    record = record_of(pair.worker.log, answer.headers["x-request-id"])
    told = request.told
    assert (record["status"], record.get("error")) == (told.status, told.code)
    assert record["attempts"] == int(answer.headers["x-attempts"])
    names = {"first": case.targets()[0], "second": case.targets()[-1]}
    expected = [
        f"{names[it.partition(': ')[0]]}: {it.partition(': ')[2]}" for it in request.failures
    ]
    assert record["failures"] == (expected if case.second_is_told else expected[: request.first])
    used = (record.get("prompt_tokens"), record.get("completion_tokens"))
    if told.end == "error":
        # Chat Completions tells its usage at the end, and so does Responses.
        tells_early = told.status == 200 and case.dialect is ANTHROPIC
        assert used == (INPUT_TOKENS if tells_early else None, None)
    else:
        assert used == (INPUT_TOKENS, OUTPUT_TOKENS)
    return record


def test_accounting(pair: Pair) -> None:
    """Every request of this file has one log line, and the lines account for every call."""
    log = [it for it in records(pair.worker.log()) if it.get("model") in CASES]
    ids = [it["id"] for it in log]
    assert len(ids) == len(set(ids))
    for which, server in (("first", pair.first), ("second", pair.second)):
        assert sum(server.numbers.values()) == len(server.calls), which
    attempts: dict[str, int] = dict.fromkeys(CASES, 0)
    for line in log:
        attempts[line["model"]] += line["attempts"]
        failed = len(line["failures"]) + (line["status"] == 200)
        assert failed == line["attempts"], line
    made = {name: pair.first.numbers[name] + pair.second.numbers[name] for name in CASES}
    assert attempts == made
    assert sum(made.values()) > 0
