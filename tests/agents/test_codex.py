"""The real Codex program at work through the real Worker, on upstreams of all three dialects.

What its upstream says is scripted; what Codex makes of it, runs and sends back is its own. Every
test counts the calls that reached the upstream: Codex repeats what it does not understand, up to
thirty times a turn.
"""

import json
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.agents.codex import Codex
from tests.clients.pasted import blocks
from tests.clients.sdk import KEY
from tests.clients.upstreams import (
    PATHS,
    Answer,
    Asking,
    Result,
    Thought,
    Writing,
    answers,
    breaks_off,
    dialect_of,
    heard,
    in_terms_of,
)
from tests.worker.scripts import Script, whole
from tests.worker.upstream import Call, Upstream
from tools import paths, runtime

UNKNOWN = "claude-sonnet-4-6"
"""A model that Codex has not heard of; the one that the page names."""
KNOWN = "gpt-5.5"
"""One that it knows, and gives its own tools: `apply_patch` and `tool_search`."""
THOUGHT = Thought("I run it.", "c2lnbmVk/+==")
SHELL = Asking("call_1", "exec_command", '{"cmd": "echo made > file; cat file"}')
PATCH = "*** Begin Patch\n*** Add File: hello.txt\n+Hello\n*** End Patch\n"


@pytest.fixture(scope="module", params=list(PATHS.values()))
def dialect(request: pytest.FixtureRequest) -> str:
    chosen: str = request.param
    return chosen


@pytest.fixture(scope="module")
def worker(server: Upstream, dialect: str, snapshot: Path) -> Iterator[runtime.Served]:
    """A Worker whose only upstream is of this dialect."""
    served_as = "claude-sonnet-4-6" if dialect == "anthropic" else "served"
    row = {
        "name": "scripted",
        "dialect": dialect,
        "base_url": server.base_url,
        "api_key": "UPSTREAM_KEY",
        "aliases": {UNKNOWN: served_as, KNOWN: served_as},
    }
    bindings = {"API_KEYS": KEY, "UPSTREAM_KEY": "sk-upstream-0b6d", "PROVIDERS": [row]}
    with runtime.serve(bindings, snapshot=snapshot) as served:
        yield served


@pytest.fixture
def folder() -> Iterator[Path]:
    """An empty folder outside of /tmp."""
    with tempfile.TemporaryDirectory(dir=paths.CACHE) as folder:
        yield Path(folder)


@pytest.fixture
def codex(folder: Path, codex_program: Path, worker: runtime.Served) -> Codex:
    """Codex, set up as the page says."""
    return Codex(folder, codex_program, KEY, blocks("Codex", worker.url)[0])


def since(call: Call, word: str) -> Answer:
    """What an upstream heard after the user said `word`: before it is Codex' own text.

    A chat upstream gets what users say in a row as one message.
    """
    parts = heard(call)
    spoken = [isinstance(part, str) and part.endswith(word) for part in parts]
    return parts[spoken.index(True) + 1 :]


def test_text(codex: Codex, upstream: Upstream) -> None:
    upstream.answer_each(answers(["Paris."]))

    turn = codex.run("What is the capital of France?")

    assert (turn.status, turn.text) == (0, "Paris.")
    assert turn.events[-1]["usage"]["input_tokens"] == 12
    assert turn.events[-1]["usage"]["output_tokens"] == 7
    assert len(upstream.calls) == 1


def test_what_codex_says_of_its_installation_stays_here(codex: Codex, upstream: Upstream) -> None:
    upstream.answer_each(answers(["Paris."]))

    codex.run("What is the capital of France?")

    (call,) = upstream.calls
    assert b"client_metadata" not in call.body
    assert not any(name.startswith(("x-codex", "session", "thread")) for name, _ in call.headers)


def test_a_shell_loop(codex: Codex, upstream: Upstream, dialect: str) -> None:
    upstream.answer_each(answers([THOUGHT, SHELL], ["It says made."]))

    turn = codex.run("Make it.")

    assert (turn.status, turn.text) == (0, "It says made.")
    assert (codex.work / "file").read_text() == "made\n"
    (command,) = turn.items("command_execution")
    assert (command["exit_code"], command["aggregated_output"]) == (0, "made\n")
    assert [item["text"] for item in turn.items("reasoning")] == [THOUGHT.text]
    *before, result = since(upstream.wait_for_call(2), "Make it.")
    # A chat upstream wants no reasoning back unless its row says so.
    assert before == [SHELL] if dialect == "openai" else [THOUGHT, SHELL]
    assert isinstance(result, Result)
    assert result.text.endswith("Output:\nmade\n")
    assert len(upstream.calls) == 2


def test_resume(codex: Codex, upstream: Upstream) -> None:
    upstream.answer_each(answers([THOUGHT, SHELL], ["It says made."], ["As I said."]))
    codex.run("Make it.")
    made = since(upstream.wait_for_call(2), "Make it.")

    turn = codex.run("resume", "--last", "What did it say?")

    assert (turn.status, turn.text) == (0, "As I said.")
    again = since(upstream.wait_for_call(3), "Make it.")
    assert again[: len(made) + 1] == [*made, "It says made."]
    assert since(upstream.calls[2], "What did it say?") == []
    assert len(upstream.calls) == 3


def test_apply_patch(codex: Codex, upstream: Upstream, dialect: str) -> None:
    writing = Writing("call_1", "apply_patch", PATCH)
    upstream.answer_each(answers([writing], ["Written."]))

    turn = codex.run("--model", KNOWN, "Write it.")

    assert (turn.status, turn.text) == (0, "Written.")
    assert (codex.work / "hello.txt").read_text() == "Hello\n"
    (change,) = turn.items("file_change")
    assert change["status"] == "completed"
    *before, result = since(upstream.wait_for_call(2), "Write it.")
    assert before == in_terms_of(dialect, [writing])
    assert isinstance(result, Result)
    assert "Success." in result.text
    assert len(upstream.calls) == 2


def test_an_mcp_server(codex: Codex, upstream: Upstream, worker: runtime.Served) -> None:
    program = Path(__file__).with_name("mcp_weather.py")
    server = f"command = {json.dumps(sys.executable)}\nargs = {json.dumps([str(program)])}"
    config = blocks("Codex", worker.url)[0]
    codex.configure(f"{config}\n[mcp_servers.weather]\n{server}\nrequired = true\n")
    calling = Asking("call_1", "get_weather", '{"city": "Paris"}', "mcp__weather")
    upstream.answer_each(answers([calling], ["18 degrees."]))

    turn = codex.run("How is Paris?")

    assert (turn.status, turn.text) == (0, "18 degrees.")
    (call,) = turn.items("mcp_tool_call")
    assert (call["server"], call["tool"], call["status"]) == ("weather", "get_weather", "completed")
    *before, result = since(upstream.wait_for_call(2), "How is Paris?")
    assert before == in_terms_of(dialect_of(upstream.calls[1]), [calling])
    assert isinstance(result, Result)
    assert "18 degrees in Paris" in result.text
    assert len(upstream.calls) == 2


def test_the_built_in_provider_goes_on_without_a_socket_at_once(
    codex: Codex, upstream: Upstream, worker: runtime.Served
) -> None:
    _, config = blocks("Codex", worker.url)
    codex.configure(config)
    codex.log_in(KEY)
    upstream.answer_each(answers(["Paris."], ["Paris."]))
    upgrades = worker.log().count('"status":426')
    codex.run("--model", KNOWN, "Begin.")  # after which it has made what it makes once

    turn = codex.run("--model", KNOWN, "What is the capital of France?")

    assert (turn.status, turn.text) == (0, "Paris.")
    assert turn.seconds < 2
    assert worker.log().count('"status":426') == upgrades + 2
    assert len(upstream.calls) == 2


# Failures


def test_a_wrong_key(
    folder: Path, codex_program: Path, upstream: Upstream, worker: runtime.Served
) -> None:
    config = blocks("Codex", worker.url)[0]
    codex = Codex(folder, codex_program, "sk-of-somebody-else", config)

    turn = codex.run("What is the capital of France?")

    assert turn.status == 1
    assert "401" in turn.events[-1]["error"]["message"]
    assert upstream.calls == []


def test_what_the_upstream_refuses_is_asked_once(codex: Codex, upstream: Upstream) -> None:
    message = "This is not for me."
    error = {"type": "invalid_request_error", "message": message}
    body = json.dumps({"type": "error", "error": error}).encode()
    upstream.answer(whole(400, body))

    turn = codex.run("What is the capital of France?")

    assert turn.status == 1
    assert message in turn.events[-1]["error"]["message"]
    assert len(upstream.calls) == 1


@pytest.mark.parametrize("told", [True, False])
def test_a_stream_that_fails_is_asked_for_again(
    codex: Codex, upstream: Upstream, told: bool
) -> None:
    plans = iter([breaks_off(["Rome, I think."], after="Rome,", error=told), answers(["Paris."])])

    def plan(call: Call) -> Script:
        return next(plans)(call)

    upstream.answer_each(plan)

    turn = codex.run("What is the capital of France?")

    assert (turn.status, turn.text) == (0, "Paris.")
    assert len(upstream.calls) == 2
