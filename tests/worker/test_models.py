"""The list of models on the real Worker, with real servers that answer, are slow, send wrong lists,
or do not exist.
"""

import contextlib
import json
import time
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from tests.worker.client import CLIENT_KEYS
from tests.worker.conftest import Gateway, Start
from tests.worker.logs import record_of
from tests.worker.memory import memory_of
from tests.worker.scripts import (
    CLOSE,
    JSON,
    RESET,
    STALL,
    TEXT,
    Script,
    chunk,
    head,
    stream_head,
    whole,
)
from tests.worker.upstream import Call, Upstream
from xtrix.models import MAX_LIST_BYTES

KEY = "upstream.models.5e21"
LISTED = "good-1"
MOST_SECONDS = 4.0
"""In which a list has to come, however slow the providers are; xtrix.models gives them 2.5."""


def listing(*names: str, **more: object) -> list[bytes]:
    page = {"object": "list", "data": [{"id": name} for name in names], **more}
    return list(whole(200, json.dumps(page).encode()))


def dripping() -> Iterator[bytes | float]:
    """A list that never ends, one byte at a time."""
    yield stream_head(JSON)
    yield chunk(b'{"data":[')
    while True:
        yield chunk(b" ")
        yield 0.05


def huge() -> Iterator[bytes]:
    """A list that never ends, one byte at a time."""
    yield stream_head(JSON)
    yield chunk(b'{"data":[')
    while True:
        yield chunk(b'{"id":"bad-1"},' * 4000)


LIES: dict[str, Script] = {
    "a page of HTML": whole(200, b"<html>No.</html>", TEXT),
    "HTML that calls itself JSON": whole(200, b"<html>No.</html>"),
    "half of a list": whole(200, b'{"data":[{"id":"bad-1"'),
    "nothing": whole(200, b""),
    "no list": whole(200, b'{"data":"none"}'),
    "null": whole(200, b"null"),
    "no text": whole(200, b"\xff\xfe\x00\x01"),
    "nesting without end": whole(200, b'{"data":' + b"[" * 100_000),
    "names that are none": listing("bad-\r\nx-evil: 1", "bad-é", "bad- x", "", "..", f"bad-{KEY}"),
    "an error": whole(200, b'{"error":{"message":"no"}}'),
    "a redirect": whole(302, b"", [("location", "/v1/models/elsewhere")]),
    **{str(status): whole(status, b'{"error":{}}') for status in (204, 401, 404, 429, 500, 529)},
    "a connection that closes": [CLOSE],
    "a connection that breaks": [head(200, [*JSON, ("content-length", "99")]), b"{", RESET],
    "no answer": [STALL],
    "a head alone": [head(200, [*JSON, ("content-length", "99")]), STALL],
    "what says it is huge": [head(200, [*JSON, ("content-length", "99999999")]), STALL],
}


@pytest.fixture
def good() -> Iterator[Upstream]:
    """A second server, with a correct list."""
    server = Upstream()
    server.answer(listing(LISTED, "other-1"))
    yield server
    server.stop()


def row(name: str, base_url: str, **more: object) -> dict[str, Any]:
    return {
        "name": name,
        "dialect": "openai",
        "base_url": base_url,
        "api_key": "A_KEY",
        "models": [f"{name}-*"],
        **more,
    }


@contextlib.contextmanager
def gateway(start: Start, *rows: Mapping[str, Any], **variables: object) -> Iterator[Gateway]:
    given = {"API_KEYS": CLIENT_KEYS[0], "A_KEY": KEY, "PROVIDERS": list(rows), **variables}
    with start(given) as worker:
        yield worker
        assert KEY not in worker.log()


def ids(worker: Gateway) -> list[str]:
    started = time.monotonic()
    answer = worker.ask(line="GET /v1/models")
    assert time.monotonic() - started < MOST_SECONDS
    assert answer.status == 200, answer
    assert KEY.encode() not in answer.body
    return [model["id"] for model in answer.json()["data"]]


def test_the_list_has_what_each_provider_lists(
    start: Start, upstream: Upstream, good: Upstream
) -> None:
    pages = {
        "/v1/models?limit=1000": listing("claude-1", has_more=True, last_id="claude-1"),
        "/v1/models?limit=1000&after_id=claude-1": listing("claude-2", has_more=False),
    }
    upstream.answer_each(lambda call: pages[call.path])
    claude = row("claude", upstream.base_url, dialect="anthropic", aliases={"old": "claude-1"})
    targets = [{"id": "any", "targets": ["good/x"]}]
    with gateway(start, claude, row("good", good.base_url), MODELS=targets) as worker:
        assert ids(worker) == ["any", "old", "claude-1", "claude-2", LISTED]
        for name in ("any", "old", "claude-2", LISTED):
            assert worker.ask(line=f"GET /v1/models/{name}").json()["id"] == name
        assert ids(worker) == ["any", "old", "claude-1", "claude-2", LISTED]
    assert [call.path for call in (*upstream.calls, *good.calls)] == [*pages, "/v1/models"]
    for call, expected in ((upstream.calls[0], ("x-api-key", KEY)), (good.calls[0], BEARER)):
        assert (call.method, call.body) == ("GET", b"")
        assert expected in call.headers
        assert not any(name in {"content-length", "content-type"} for name, _ in call.headers)
    assert ("anthropic-version", "2023-06-01") in upstream.calls[0].headers


BEARER = ("authorization", f"Bearer {KEY}")


def test_whoever_lies_is_slow_or_is_not_there_leaves_the_rest(
    start: Start, upstream: Upstream, good: Upstream, places: dict[str, str]
) -> None:
    """All of them at once. The correct list is returned in time, and the log names each fault."""
    scripts: dict[str, Script] = {f"bad-{n}": script for n, script in enumerate(LIES.values())}

    def script_for(call: Call) -> Script:
        name = call.path.split("/")[1]
        return {"drip": dripping(), "huge": huge()}.get(name) or scripts[name]

    upstream.answer_each(script_for)
    base = upstream.base_url.removesuffix("/v1")
    names = [*scripts, "drip", "huge"]
    bad = [row(name, f"{base}/{name}", models=["bad-*"]) for name in names]
    bad += [row(name.strip("-"), url, models=["bad-*"]) for name, url in places.items()]
    with gateway(start, *bad, row("good", good.base_url)) as worker:
        answer = worker.ask(line="GET /v1/models")
        assert [model["id"] for model in answer.json()["data"]] == [LISTED]
        (record,) = [json.loads(line) for line in worker.log().splitlines() if "/models:" in line]
        assert record["total_ms"] < MOST_SECONDS * 1000
        failed = dict(failure.split("/models: ") for failure in record["failures"])
        lists = {f"bad-{list(LIES).index('names that are none')}"}
        assert set(failed) == {each["name"] for each in bad} - lists
        assert failed["huge"] == "size"
        assert failed["drip"] == failed["deaf"] == "time"
        assert failed["refused"] == "connection"
        # Nobody is asked again so soon.
        calls = len(upstream.calls)
        assert ids(worker) == [LISTED]
        assert len(upstream.calls) == calls
    assert not any("elsewhere" in call.path for call in upstream.calls), "a redirect was followed"


@pytest.mark.parametrize("endless", [dripping, huge])
def test_a_list_without_end_is_given_up(start: Start, upstream: Upstream, endless: Any) -> None:
    upstream.answer_each(lambda _: endless())
    with gateway(start, row("bad", upstream.base_url, aliases={"alias": "x"})) as worker:
        assert ids(worker) == ["alias"]
        assert upstream.wait_for_call().left.wait(2), "the call was not ended"


def test_a_client_that_leaves_ends_what_is_asked_for_it(start: Start, upstream: Upstream) -> None:
    """All upstream calls end, and the next client's list is fetched again."""
    upstream.answer([head(200, [*JSON, ("content-length", "99")]), b"{", STALL])
    rows = [row(name, upstream.base_url) for name in ("one", "two", "three")]
    with gateway(start, *rows) as worker:
        leaving = worker.open(line="GET /v1/models")
        calls = [upstream.wait_for_call(number) for number in (1, 2, 3)]
        leaving.reset()
        assert all(call.left.wait(1) for call in calls)
        upstream.answer(listing("one-1", "two-1"))
        assert ids(worker) == ["one-1", "two-1"]
        assert len(upstream.calls) == 6


def test_many_lists_at_once_take_no_more_memory_than_an_isolate_has(
    start: Start, upstream: Upstream
) -> None:
    """Each list has the greatest allowed size and many small values, which cost the most to
    parse.
    """
    body = b'{"data":[' + b"{}," * (MAX_LIST_BYTES // 3 - 5) + b"{}]}"
    assert MAX_LIST_BYTES - 20 < len(body) <= MAX_LIST_BYTES
    upstream.answer(whole(200, body))
    rows = [row(f"many-{number}", upstream.base_url) for number in range(8)]
    with gateway(start, *rows) as worker:
        answer = worker.ask(line="GET /v1/models")
        assert answer.json()["data"] == []
        assert record_of(worker.log, answer.headers["x-request-id"])["failures"] == []
        assert memory_of(worker.pid).python < 100 * 2**20


def test_one_model_is_asked_for_where_the_list_lacks_it(start: Start, upstream: Upstream) -> None:
    answers = {
        "/v1/models": listing("good-1"),
        "/v1/models/good-2": whole(200, b'{"id":"good-2"}'),
    }
    upstream.answer_each(lambda call: answers.get(call.path, whole(404, b"{}")))
    with gateway(start, row("good", upstream.base_url)) as worker:
        for name, status in {
            "good-1": 200,
            "good-2": 200,
            "good-3": 404,
            "good/good-1": 200,
            "good%2F..": 404,
            "good-%0d%0a": 404,
            "gpt-1": 404,
        }.items():
            answer = worker.ask(line=f"GET /v1/models/{name}")
            assert answer.status == status, name
            if status == 404:
                assert answer.error()["code"] == "model_not_found"
    assert [call.path for call in upstream.calls] == [*answers, "/v1/models/good-3"]
