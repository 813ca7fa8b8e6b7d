"""Hundreds of requests at once through targets that fail at random, on the real Worker.

What each call meets with is derived from the request's number, so a simple model of the rules says
beforehand what must happen. Each request has a model of its own, so that none depends on targets
that rest because of another.
"""

import json
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from random import Random
from threading import Lock
from typing import Any

import pytest

from tests.policy import (
    FAULTS,
    PATHS,
    TARGETS,
    Asked,
    Expected,
    Model,
    answer_to,
    body_of,
    check_line,
    status_of,
)
from tests.worker.client import CLIENT_KEYS, UPSTREAM_KEYS, secret_name
from tests.worker.conftest import Gateway, Start
from tests.worker.faults import events_to_text
from tests.worker.logs import records
from tests.worker.scripts import CLOSE, RESET, STALL, Script, stream, whole
from tests.worker.speech import DIALECTS, Dialect
from tests.worker.upstream import PATIENCE, Call, Upstream
from xtrix.steps import Failure

REQUESTS = 300
CLIENTS = 12
SLOW = {"silence", "stall", "503 late"}
MEETS = sorted(FAULTS.keys() - SLOW)


def asked(number: int) -> Asked:
    """The request with this number. Every eleventh client disconnects."""
    draw = Random(number)  # no secret
    meets = tuple(draw.choice(MEETS) for _ in range(6))
    client, streamed = draw.choice(sorted(PATHS)), draw.random() < 0.5
    return Asked(client, streamed, meets, 0, 0, leaves=number % 11 == 0)


ASKED = [asked(number) for number in range(REQUESTS)]


def targets(number: int) -> list[str]:
    """The targets of the model that this request names."""
    return [f"{target}-{number}" for target in TARGETS]


EXPECTED = [Model(0, targets(number)).expect(one, 0) for number, one in enumerate(ASKED)]


class Server(Upstream):
    """One server for all targets, with answers drawn beforehand."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[list[str]] = [[] for _ in ASKED]
        """The targets that were called, by the number of the request."""
        self._lock = Lock()
        self.answer_each(self._script)

    def _script(self, call: Call) -> Script:
        model = json.loads(call.body)["model"]
        number = int(model.partition("-")[2])
        dialect = next(it for it in DIALECTS if call.path.startswith(f"/{it.name}/"))
        with self._lock:
            seen = self.seen[number]
            seen.append(f"{dialect.name}/{model}")
        one = ASKED[number]
        name = one.meets[(len(seen) - 1) % len(one.meets)]
        if leaves(one, EXPECTED[number]) and len(seen) == len(EXPECTED[number].calls):
            return [*stream(events_to_text(dialect))[:-1], STALL]
        return script_of(name, dialect, streamed=one.streamed)


def script_of(name: str, dialect: Dialect, *, streamed: bool) -> Script:
    """The script for a call's fate."""
    answer = answer_to(name, dialect, streamed=streamed)
    if isinstance(answer, Failure):
        return [RESET]
    headers = {name: value for name, value in answer.head.headers.items() if value != "3.0"}
    headers |= {"retry-after-ms": "20"} if len(headers) != len(answer.head.headers) else {}
    if isinstance(answer.body, Failure):  # within a whole answer
        return [whole(200, dialect.whole("x"), headers.items())[0][:-9], CLOSE]
    if answer.head.headers["content-type"] != "text/event-stream":
        return whole(answer.head.status, answer.body, headers.items())
    events = [event + b"\n\n" for event in answer.body.split(b"\n\n") if event]
    steps = stream(events)
    return [*steps[:-1], CLOSE] if name == "cut" else steps


@pytest.fixture
def server() -> Iterator[Server]:
    """The server for all targets."""
    one = Server()
    yield one
    one.stop()


def test_at_random(start: Start, server: Server) -> None:
    rows = [
        {
            "name": dialect.name,
            "dialect": dialect.name,
            "base_url": server.base_url.replace("/v1", f"/{dialect.name}/v1"),
            "api_key": secret_name(dialect.name),
            "retries": {"backoff": 0.01},
        }
        for dialect in DIALECTS
    ]
    bindings: dict[str, object] = {
        "API_KEYS": CLIENT_KEYS[0],
        "KEEP_ALIVE_SECONDS": "0",
        "PROVIDERS": rows,
        "MODELS": [
            {"id": f"best-{number}", "targets": targets(number)} for number in range(REQUESTS)
        ],
        **{secret_name(name): key for name, key in UPSTREAM_KEYS.items()},
    }
    with ExitStack() as stack:
        worker = stack.enter_context(start(bindings))
        with ThreadPoolExecutor(CLIENTS) as clients:
            ids = [*clients.map(lambda number: ask(worker, number), range(REQUESTS))]
        lines = lines_of(worker)
    for number, request_id in enumerate(ids):
        one, expected = ASKED[number], EXPECTED[number]
        assert server.seen[number] == expected.calls, (number, one)
        error = expected.told or (FAULTS[expected.meets].code if one.streamed else None)
        left = leaves(one, expected)
        check_line(lines[request_id], one, expected, "client_left" if left else error)


def ask(worker: Gateway, number: int) -> str:
    """Makes the request with this number and checks its answer. Returns its id."""
    one, expected = ASKED[number], EXPECTED[number]
    body = body_of(one, f"best-{number}")
    request = worker.open(body, line=f"POST {PATHS[one.client]}")
    head = request.response()
    request_id = head.headers["x-request-id"]
    assert head.status == status_of(one, expected), (number, one)
    assert head.headers["x-attempts"] == str(len(expected.calls))
    assert head.headers["x-served-by"] == expected.by
    if leaves(one, expected):
        request.reset()
    else:
        request.answer()
    return request_id


def leaves(one: Asked, expected: Expected) -> bool:
    """Whether the client disconnects while the answer is under way."""
    return one.leaves and one.streamed and expected.told is None


def lines_of(worker: Gateway) -> dict[str, dict[str, Any]]:
    """Waits for the log line of each request, and returns them by id. There may be no other
    line.
    """
    deadline = time.monotonic() + PATIENCE
    while len(log := records(worker.log())) < REQUESTS and time.monotonic() < deadline:
        time.sleep(0.05)  # a file cannot be waited for
    lines = {line["id"]: line for line in log}
    assert len(lines) == len(log) == REQUESTS
    assert [line for line in log if "attempts" not in line] == []
    return lines
