"""The real Claude Code at work through the real Worker, on upstreams of all three dialects.

What its upstream says is scripted. Every test counts the calls that reached the upstream: Claude
Code repeats what it does not understand.
"""

import json
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.agents.claude import Claude
from tests.clients.upstreams import Answer, Asking, Result, Thought, answers, breaks_off, heard
from tests.worker.scripts import Script, whole
from tests.worker.upstream import Call, Upstream
from tools import paths, runtime

KEY = "sk-client-of-claude-code-7d20"
MODELS = {"anthropic": "claude-sonnet-4-6", "openai": "gpt-5.5", "openai-responses": "gpt-native"}
"""What to ask for to be answered by an upstream of each dialect."""
THOUGHT = Thought("I run it.", "c2lnbmVk/+==")
BASH = Asking("toolu_1", "Bash", '{"command": "echo made", "description": "Say made"}')


@pytest.fixture(scope="module")
def server() -> Iterator[Upstream]:
    server = Upstream()
    yield server
    server.stop()


@pytest.fixture(scope="module")
def worker(server: Upstream, snapshot: Path) -> Iterator[runtime.Served]:
    rows = [
        {
            "name": f"scripted-{dialect}",
            "dialect": dialect,
            "base_url": server.base_url,
            "api_key": "UPSTREAM_KEY",
            "models": [model],
        }
        for dialect, model in MODELS.items()
    ]
    bindings = {"API_KEYS": KEY, "UPSTREAM_KEY": "sk-upstream-0b6d", "PROVIDERS": rows}
    with runtime.serve(bindings, snapshot=snapshot) as served:
        yield served


@pytest.fixture
def upstream(server: Upstream) -> Iterator[Upstream]:
    yield server
    calls = list(server.calls)
    server.forget()
    assert not any(KEY in f"{call.path} {call.headers} {call.body!r}" for call in calls)


@pytest.fixture(params=MODELS)
def dialect(request: pytest.FixtureRequest) -> str:
    chosen: str = request.param
    return chosen


@pytest.fixture
def claude(worker: runtime.Served) -> Iterator[Claude]:
    with tempfile.TemporaryDirectory(dir=paths.CACHE) as folder:
        yield Claude(Path(folder), worker.url, KEY)


def test_text(claude: Claude, upstream: Upstream, dialect: str) -> None:
    upstream.answer_each(answers(["Paris."]))

    run = claude.run(MODELS[dialect], "What is the capital of France?")

    assert (run.status, run.result["is_error"], run.result["result"]) == (0, False, "Paris.")
    assert run.result["usage"]["input_tokens"] == 12
    assert run.result["usage"]["output_tokens"] == 7
    assert len(upstream.calls) == 1


def test_a_tool_loop(claude: Claude, upstream: Upstream, dialect: str) -> None:
    other = BASH._replace(id="toolu_2")
    upstream.answer_each(answers([THOUGHT, BASH], [other], ["It says made."]))

    run = claude.run(MODELS[dialect], "Make it.")

    assert (run.status, run.result["result"]) == (0, "It says made.")
    assert run.result["permission_denials"] == []
    parts: Answer = heard(upstream.wait_for_call(3))
    # A chat upstream wants no reasoning back unless its row says so.
    thought = [] if dialect == "openai" else [THOUGHT]
    results = [Result(call.id, "made") for call in (BASH, other)]
    # To the last result it adds a reminder of its own.
    told = [
        part._replace(text=part.text.split("\n")[0]) if isinstance(part, Result) else part
        for part in parts
        if not isinstance(part, str)
    ]
    assert told == [*thought, BASH, results[0], other, results[1]]
    assert len(upstream.calls) == 3


# Failures


@pytest.mark.parametrize("status", [429, 529])
def test_a_refusal_for_now(claude: Claude, upstream: Upstream, status: int) -> None:
    kind = {429: "rate_limit_error", 529: "overloaded_error"}[status]
    error = {"type": "error", "error": {"type": kind, "message": "Not now."}}
    upstream.answer(whole(status, json.dumps(error).encode()))

    run = claude.run(MODELS["anthropic"], "What is the capital of France?")

    assert (run.status, run.result["is_error"]) == (1, True)
    assert run.result["api_error_status"] == status
    # Claude Code asks twice; the gateway repeats what was overloaded, as its row has it.
    assert len(upstream.calls) == CALLS[status]


CALLS = {429: 2, 529: 2}


def test_a_prompt_that_is_too_long(claude: Claude, upstream: Upstream) -> None:
    message = "prompt is too long: 250000 tokens > 200000 maximum"
    error = {"type": "error", "error": {"type": "invalid_request_error", "message": message}}
    upstream.answer(whole(400, json.dumps(error).encode()))

    run = claude.run(MODELS["anthropic"], "What is the capital of France?")

    assert (run.status, run.result["is_error"]) == (1, True)
    assert run.result["result"].startswith("Prompt is too long")
    assert len(upstream.calls) == 1


def test_a_cut_is_asked_for_again(claude: Claude, upstream: Upstream, dialect: str) -> None:
    plans = iter([breaks_off(["Rome, I think."], after="Rome,"), answers(["Paris."])])

    def plan(call: Call) -> Script:
        return next(plans)(call)

    upstream.answer_each(plan)

    run = claude.run(MODELS[dialect], "What is the capital of France?")

    assert (run.status, run.result["result"]) == (0, "Paris.")
    assert len(upstream.calls) == 2
