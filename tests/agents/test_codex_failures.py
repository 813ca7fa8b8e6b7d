"""What the real Codex makes of an upstream's failures, and how often it asks for what failed.

Codex repeats a request and, around that, a stream; each as often as its configuration says, here
once and twice. So the number of calls tells which of the two it took a failure for: 1 is neither, 2
the request alone, 3 the stream alone, 6 both. What it repeats in vain costs its user money.
"""

import json
from typing import Any, NamedTuple

import pytest

from tests.agents.codex import Codex, Turn
from tests.clients.pasted import blocks, other_blocks
from tests.clients.upstreams import answers, breaks_off, dialect_of, fails, streamed
from tests.worker.scripts import Script, stream, whole
from tests.worker.upstream import Call, Plan, Upstream
from tools import runtime

NEITHER, REQUEST, STREAM, BOTH = 1, 2, 3, 6
QUESTION = "What is the capital of France?"


@pytest.fixture(autouse=True)
def few_retries(codex: Codex, codex_worker: runtime.Served) -> None:
    """The lines of docs/clients.md that limit the retries."""
    (retries,) = [block for block in other_blocks("Codex") if "retries" in block]
    assert retries == "request_max_retries = 1\nstream_max_retries = 2\n"
    codex.configure(blocks("Codex", codex_worker.url)[0] + retries)


class Error(NamedTuple):
    """An upstream's error, as the whole answer or in a stream."""

    status: int
    type: str
    message: str
    code: str | None = None


LONG = "ran out of room in the model's context window"
QUOTA = "Quota exceeded. Check your plan and billing details."
BUSY = "Selected model is at capacity."
OUR_KEY = "refused this gateway's own credentials"
WAIT = "Rate limit reached. Please try again in 1s."

OPENAIS = {
    "too long": Error(
        400,
        "invalid_request_error",
        "Your input exceeds the context window of this model.",
        "context_length_exceeded",
    ),
    "no quota": Error(429, "insufficient_quota", "You are out of quota.", "insufficient_quota"),
    "not included": Error(429, "usage_not_included", "Not in your plan.", "usage_not_included"),
    "rate limit": Error(429, "tokens", WAIT, "rate_limit_exceeded"),
    "wrong prompt": Error(400, "invalid_request_error", "Not this.", "invalid_prompt"),
    "overloaded": Error(503, "server_error", "Overloaded.", "server_is_overloaded"),
    "slow down": Error(503, "server_error", "Slow down.", "slow_down"),
    "no such model": Error(404, "invalid_request_error", "No such model.", "model_not_found"),
    "wrong key": Error(401, "invalid_request_error", "Wrong key.", "invalid_api_key"),
    "broken": Error(500, "server_error", "It broke.", "server_error"),
}
ERRORS = {
    "openai": OPENAIS,
    "openai-responses": OPENAIS,
    "anthropic": {
        "too long": Error(
            400, "invalid_request_error", "prompt is too long: 9000 tokens > 8192 maximum"
        ),
        "no quota": Error(400, "invalid_request_error", "Your credit balance is too low."),
        "not included": Error(402, "billing_error", "Not in your plan."),
        "rate limit": Error(429, "rate_limit_error", WAIT),
        "wrong prompt": Error(400, "invalid_request_error", "Not this."),
        "overloaded": Error(529, "overloaded_error", "Overloaded."),
        "no such model": Error(404, "not_found_error", "No such model."),
        "wrong key": Error(401, "authentication_error", "Wrong key."),
        "broken": Error(500, "api_error", "It broke."),
    },
}
"""How an upstream of each dialect says the same."""


def refuses(name: str) -> Plan:
    """Answers every call with that error."""

    def plan(call: Call) -> Script:
        dialect = dialect_of(call)
        error = ERRORS[dialect][name]
        said: dict[str, Any] = {"type": error.type, "message": error.message}
        if dialect != "anthropic":
            said |= {"code": error.code, "param": None}
        return whole(error.status, json.dumps({"type": "error", "error": said}).encode())

    return plan


def breaks_with(name: str, *, after: str) -> Plan:
    """Begins every answer, and ends it with that error."""

    def plan(call: Call) -> Script:
        dialect = dialect_of(call)
        error = ERRORS[dialect][name]
        events = streamed(dialect, ["Rome, I think."])
        begun = 2 if dialect == "openai-responses" else 0  # it is announced there, and no more
        if after:
            begun = 1 + next(n for n, event in enumerate(events) if after.encode() in event)
        return stream([*events[:begun], fails(dialect, error.type, error.message, error.code)])

    return plan


def in_turn(*plans: Plan) -> Plan:
    """Plays the scripts one after the other, one for each call."""
    left = iter(plans)

    def plan(call: Call) -> Script:
        return next(left)(call)

    return plan


def message_of(turn: Turn) -> str:
    """Why a turn failed."""
    assert turn.status == 1
    last = turn.events[-1]
    assert last["type"] == "turn.failed"
    return str(last["error"]["message"])


def assert_fails(codex: Codex, upstream: Upstream, calls: int, words: str) -> None:
    """Fails unless Codex ends its turn with these words, after so many calls of the upstream."""
    assert words in message_of(codex.run(QUESTION))
    assert len(upstream.calls) == calls


BY_STATUS = {
    "too long": (NEITHER, LONG),
    "no quota": (NEITHER, QUOTA),
    "not included": (NEITHER, QUOTA),
    "rate limit": (NEITHER, "429 Too Many Requests"),
    "wrong prompt": (NEITHER, "Not this."),
    "overloaded": (REQUEST, BUSY),
    "no such model": (NEITHER, "No such model."),
    "wrong key": (BOTH, OUR_KEY),
    "broken": (BOTH, "high demand"),
}


@pytest.mark.parametrize("name", BY_STATUS)
def test_an_upstream_that_refuses(codex: Codex, upstream: Upstream, name: str) -> None:
    upstream.answer_each(refuses(name))

    assert_fails(codex, upstream, *BY_STATUS[name])


@pytest.mark.parametrize("name", BY_STATUS)
def test_an_upstream_that_fails_before_it_says_anything(
    codex: Codex, upstream: Upstream, name: str
) -> None:
    upstream.answer_each(breaks_with(name, after=""))

    assert_fails(codex, upstream, *BY_STATUS[name])


IN_A_STREAM = {
    "too long": (NEITHER, LONG),
    "no quota": (NEITHER, QUOTA),
    "not included": (NEITHER, QUOTA),
    "wrong prompt": (NEITHER, "Not this."),
    "overloaded": (NEITHER, BUSY),
    "no such model": (NEITHER, "No such model."),
    "wrong key": (STREAM, OUR_KEY),
    "broken": (STREAM, "It broke."),
}


@pytest.mark.parametrize("name", IN_A_STREAM)
def test_a_stream_that_fails(codex: Codex, upstream: Upstream, name: str) -> None:
    upstream.answer_each(breaks_with(name, after="Rome,"))

    assert_fails(codex, upstream, *IN_A_STREAM[name])


def test_a_stream_that_meets_a_rate_limit_is_asked_for_when_the_limit_is_over(
    codex: Codex, upstream: Upstream
) -> None:
    upstream.answer_each(in_turn(breaks_with("rate limit", after="Rome,"), answers(["Paris."])))

    turn = codex.run(QUESTION)

    assert (turn.status, turn.text) == (0, "Paris.")
    told = [event["message"] for event in turn.events if event["type"] == "error"]
    assert told == [f"Reconnecting... 1/2 (rate limit exceeded: {WAIT})"]
    assert turn.seconds > 1
    assert len(upstream.calls) == 2


@pytest.mark.parametrize("dialect", ["openai", "openai-responses"], indirect=True)
@pytest.mark.parametrize(
    ("plan", "calls"),
    [
        (refuses("slow down"), BOTH),
        (breaks_with("slow down", after=""), BOTH),
        (breaks_with("slow down", after="Rome,"), STREAM),
    ],
    ids=["503", "before", "later"],
)
def test_an_upstream_that_is_to_be_asked_more_slowly(
    codex: Codex, upstream: Upstream, plan: Plan, calls: int
) -> None:
    upstream.answer_each(plan)

    assert message_of(codex.run(QUESTION)) == "rate limit exceeded: Slow down."
    assert len(upstream.calls) == calls


def test_a_stream_that_is_cut(codex: Codex, upstream: Upstream) -> None:
    upstream.answer_each(breaks_off(["Rome, I think."], after="Rome,"))

    assert_fails(codex, upstream, STREAM, "cut its answer off before the end")


def test_a_stream_that_is_cut_before_it_says_anything(codex: Codex, upstream: Upstream) -> None:
    upstream.answer_each(breaks_off([], after=0))

    assert_fails(codex, upstream, BOTH, "cut its answer off before the end")


@pytest.mark.parametrize("dialect", ["anthropic"], indirect=True)
def test_as_codex_comes_it_asks_thirty_times(
    codex: Codex, upstream: Upstream, codex_worker: runtime.Served
) -> None:
    codex.configure(blocks("Codex", codex_worker.url)[0])
    upstream.answer(whole(502, b"{}"))

    assert_fails(codex, upstream, 30, "502 Bad Gateway")


def test_a_conversation_that_no_longer_fits_is_summed_up(codex: Codex, upstream: Upstream) -> None:
    """Codex summarises in the next turn by itself, if the error says the context is too long."""
    summary, said = answers(["They spoke of Paris."]), answers(["As I said."])
    upstream.answer_each(in_turn(answers(["Paris."]), refuses("too long"), summary, said))
    codex.run(QUESTION)

    assert LONG in message_of(codex.run("resume", "--last", "Where is it?"))
    turn = codex.run("resume", "--last", "Where?")

    assert (turn.status, turn.text) == (0, "As I said.")
    assert b"CONTEXT CHECKPOINT COMPACTION" in upstream.wait_for_call(3).body
    assert b"They spoke of Paris." in upstream.wait_for_call(4).body
    assert len(upstream.calls) == 4
