"""Whatever the upstream does wrong, the client gets a correct answer or a clear error.

Each row of `FAULTS` is run on the real Worker in every dialect, and after each the Worker must
still answer. Further tests are for what a row cannot express.
"""

import json
import time

import pytest

from tests.worker.client import Answer, question
from tests.worker.conftest import HASTE, Gateway
from tests.worker.faults import (
    FAULTS,
    HTML,
    HTML_HEADERS,
    Asked,
    Fault,
    events_to_finish,
    events_to_text,
    from_first_text,
)
from tests.worker.scripts import GATE, JSON, STALL, Script, chunk, head, stream, stream_head, whole
from tests.worker.sees import SAID
from tests.worker.speech import ANTHROPIC, OPENAI, RESPONSES, Dialect
from tests.worker.upstream import Upstream

CASES = [
    pytest.param(fault, asked, id=f"{fault.name}, {asked}")
    for fault in FAULTS
    for asked in fault.asked
]


@pytest.mark.parametrize(("fault", "asked"), CASES)
def test_fault(
    worker: Gateway, upstream: Upstream, dialect: Dialect, fault: Fault, asked: Asked
) -> None:
    fault.sees.check(play(worker, upstream, dialect, fault, asked))
    upstream.forget()
    upstream.answer(whole(200, dialect.whole("Still here.")))
    after = worker.ask(question(dialect.model)).json()
    assert after["choices"][0]["message"]["content"] == "Still here."


def play(
    worker: Gateway, upstream: Upstream, dialect: Dialect, fault: Fault, asked: Asked
) -> Answer:
    """Sends a request to an upstream with this script. Returns the client's answer."""
    script = list(fault.script(dialect))
    upstream.answer(script)
    request = worker.open(question(fault.via + dialect.model, stream=asked == "streamed"))
    if GATE in script:
        request.frame_of_text()
        upstream.wait_for_call().release()
    return request.answer()


@pytest.mark.parametrize("status", [400, 404, 413, 422])
def test_relays_the_words_of_a_fault_that_is_the_clients(
    worker: Gateway, upstream: Upstream, dialect: Dialect, status: int
) -> None:
    upstream.answer(whole(status, dialect.error("invalid_request_error", "messages.0: too odd")))
    assert "messages.0: too odd" in worker.ask(question(dialect.model)).error()["message"]


def test_tells_a_prompt_that_is_too_long(
    worker: Gateway, upstream: Upstream, dialect: Dialect
) -> None:
    message = "prompt is too long: 210000 tokens > 200000 maximum"
    upstream.answer(whole(400, dialect.error("invalid_request_error", message)))
    error = worker.ask(question(dialect.model)).error()
    assert error["code"] == "context_length_exceeded"
    assert message in error["message"]


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_never_follows_a_redirect(
    worker: Gateway, upstream: Upstream, elsewhere: Upstream, dialect: Dialect, status: int
) -> None:
    """This holds even if the redirect leads to something that looks like an answer."""
    location = [*JSON, ("location", f"{elsewhere.base_url}/take?what=you-have")]
    upstream.answer(whole(status, dialect.whole("Taken."), location))
    for asked in (False, True):
        answer = worker.ask(question(dialect.model, stream=asked))
        assert answer.status == 502
        assert answer.error()["code"] == "bad_upstream_response"
    assert elsewhere.calls == []


@pytest.mark.parametrize("status", [200, 400, 403, 404, 413, 500, 502, 503])
def test_never_shows_a_page_of_html(
    worker: Gateway, upstream: Upstream, dialect: Dialect, status: int
) -> None:
    upstream.answer(whole(status, HTML, HTML_HEADERS))
    answer = worker.ask(question(dialect.model))
    assert answer.status >= 400
    assert "cloudflared" not in answer.error()["message"]


LIMITS: dict[str, tuple[bool, Script]] = {
    "connect": (True, [STALL]),
    "first-byte": (True, [stream_head(), STALL]),
    "idle": (False, [stream_head(JSON), chunk(b"{"), STALL]),
}
"""For each limit: whether a stream is asked for, and what only that limit can end."""


@pytest.mark.parametrize("limit", LIMITS)
def test_each_limit_is_the_providers_own(
    worker: Gateway, upstream: Upstream, dialect: Dialect, limit: str
) -> None:
    asked, script = LIMITS[limit]
    upstream.answer(script)
    began = time.monotonic()
    answer = worker.ask(question(f"hasty-{limit}-{dialect.model}", stream=asked))
    assert answer.error()["code"] == "upstream_timeout"
    assert time.monotonic() - began > HASTE * 0.9  # the other limits are longer than our patience
    assert upstream.wait_for_call().left.wait(1), "the call was not given up"


@pytest.mark.parametrize("limit", LIMITS)
def test_no_limit_cuts_off_what_another_allows(
    worker: Gateway, upstream: Upstream, dialect: Dialect, limit: str
) -> None:
    """The stream takes longer than the limit, but is never silent in the way that the limit is
    for.
    """
    first, *later = from_first_text(dialect)
    wait = HASTE * 1.5
    pauses: dict[str, Script] = {
        "connect": [stream_head(), wait, chunk(first), wait, *map(chunk, later), b"0\r\n\r\n"],
        "first-byte": [stream_head(), chunk(first), wait, *map(chunk, later), b"0\r\n\r\n"],
        "idle": [wait, *stream([first, *later])],
    }
    upstream.answer(pauses[limit])
    answer = worker.ask(question(f"hasty-{limit}-{dialect.model}", stream=True))
    assert answer.text() == "".join(SAID)


def test_gives_up_a_stream_that_broke(
    worker: Gateway, upstream: Upstream, dialect: Dialect
) -> None:
    bad = b"data: {oops\n\n"
    upstream.answer(stream([*events_to_text(dialect), bad, STALL]))
    assert b"bad_upstream_response" in worker.ask(question(dialect.model, stream=True)).body
    assert upstream.wait_for_call().left.wait(1)


def test_ends_as_soon_as_the_upstream_has_said_its_last(
    worker: Gateway, upstream: Upstream, dialect: Dialect
) -> None:
    """No client waits for an upstream that does not close its connection."""
    upstream.answer(stream([*dialect.text(SAID), STALL]))
    assert worker.ask(question(dialect.model, stream=True)).text() == "".join(SAID)


def test_a_finish_that_comes_twice_is_told_once(
    worker: Gateway, upstream: Upstream, dialect: Dialect
) -> None:
    *events, finish = events_to_finish(dialect)
    tail = dialect.text(SAID)[-dialect.ends_after_finish :]
    upstream.answer(stream([*events, finish, finish, *tail]))
    payloads = worker.ask(question(dialect.model, stream=True)).payloads()
    reasons = [choice["finish_reason"] for it in payloads for choice in it["choices"]]
    assert [reason for reason in reasons if reason] == ["stop"]
    assert sum(1 for it in payloads if it.get("usage")) == 1


USAGE_MISSING = {
    "anthropic": lambda body: {**body, "usage": None},
    "openai": lambda body: {name: value for name, value in body.items() if name != "usage"},
    "openai-responses": lambda body: {**body, "usage": None},
}


def test_usage_that_is_missing_is_no_fault(
    worker: Gateway, upstream: Upstream, dialect: Dialect
) -> None:
    body = USAGE_MISSING[dialect.name](json.loads(dialect.whole("Yes.")))
    upstream.answer(whole(200, json.dumps(body).encode()))
    completion = worker.ask(question(dialect.model)).json()
    assert completion["choices"][0]["message"]["content"] == "Yes."
    assert completion["usage"]["total_tokens"] == 0


def test_an_answer_without_text_is_an_empty_one(worker: Gateway, upstream: Upstream) -> None:
    empty = json.loads(ANTHROPIC.whole("")) | {"content": []}
    for dialect, body in [
        (ANTHROPIC, json.dumps(empty).encode()),
        (OPENAI, OPENAI.whole("")),
        (RESPONSES, RESPONSES.whole("")),
    ]:
        upstream.answer(whole(200, body))
        (choice,) = worker.ask(question(dialect.model)).json()["choices"]
        assert (choice["message"]["content"], choice["finish_reason"]) == ("", "stop")
        upstream.answer(stream(dialect.text([])))
        assert worker.ask(question(dialect.model, stream=True)).text() == ""


def test_a_connection_kept_alive_and_then_lost_is_no_fault(
    worker: Gateway, upstream: Upstream, dialect: Dialect
) -> None:
    """The runtime keeps connections open, and the upstream may close an idle one at any time."""
    for _ in range(5):
        upstream.answer(whole(200, dialect.whole("Yes.")))
        assert worker.ask(question(dialect.model)).status == 200
        upstream.forget()  # ends every connection


def test_the_head_alone_is_no_answer(worker: Gateway, upstream: Upstream) -> None:
    upstream.answer([head(100) + head(103) + whole(200, OPENAI.whole("Yes."))[0]])
    assert worker.ask(question(OPENAI.model)).status == 200
