"""The real Claude Code works through the real Worker, with upstreams of all three dialects.

The upstream's answers are scripted. Every test counts the calls that reached the upstream, because
Claude Code repeats what it does not understand.
"""

import base64
import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.agents.claude import Claude
from tests.agents.media import DOCUMENT, PICTURE
from tests.clients.pasted import blocks, other_blocks
from tests.clients.sdk import KEY
from tests.clients.upstreams import (
    Answer,
    Asking,
    Media,
    Part,
    Reference,
    Result,
    Thought,
    answers,
    breaks_off,
    heard,
    offered,
    turn,
)
from tests.worker.logs import Record, records_from_now_on
from tests.worker.scripts import Script, whole
from tests.worker.upstream import Call, Upstream
from tools import runtime

CLAUDE = "claude-sonnet-4-6"
"""The model that the page names."""
MODELS = {
    CLAUDE: "anthropic",
    "gpt-relayed": "anthropic",
    "gpt-5.5": "openai",
    "gpt-native": "openai-responses",
}
"""The models to ask for, and the dialect of the upstream that answers."""
QUESTION = "What is the capital of France?"
THOUGHT = Thought("I run it.", "c2lnbmVk/+==")
BASH = Asking("toolu_1", "Bash", '{"command": "echo made", "description": "Say made"}')


@pytest.fixture(scope="module")
def worker(server: Upstream, snapshot: Path) -> Iterator[runtime.Served]:
    """The Worker, with an upstream of each dialect."""
    rows = [
        {
            "name": f"scripted-{dialect}",
            "dialect": dialect,
            "base_url": server.base_url,
            "api_key": "UPSTREAM_KEY",
            "models": [model for model in MODELS if MODELS[model] == dialect],
        }
        for dialect in dict.fromkeys(MODELS.values())
    ]
    listing = {
        "name": "listing",
        "dialect": "anthropic",
        "base_url": server.base_url,
        "api_key": "UPSTREAM_KEY",
        "models": ["claude-listed-*"],
    }
    bindings = {
        "API_KEYS": KEY,
        "UPSTREAM_KEY": "sk-upstream-0b6d",
        "PROVIDERS": [*rows, listing],
    }
    with runtime.serve(bindings, snapshot=snapshot) as served:
        yield served


@pytest.fixture(params=MODELS)
def model(request: pytest.FixtureRequest) -> str:
    chosen: str = request.param
    return chosen


@pytest.fixture
def start(tmp_path: Path, claude_program: Path, worker: runtime.Served) -> Callable[[str], Claude]:
    """Sets Claude Code up as the page says, for a model."""
    shell, _ = blocks("Claude Code", worker.url)
    assert CLAUDE in shell

    def started(model: str, key: str = KEY) -> Claude:
        return Claude(tmp_path, claude_program, key, shell.replace(CLAUDE, model))

    return started


@pytest.fixture
def claude(start: Callable[[str], Claude], model: str) -> Claude:
    return start(model)


@pytest.fixture
def requests(worker: runtime.Served) -> Callable[[int], list[Record]]:
    """Waits for the records of as many requests since the test began, and returns all of them."""
    return records_from_now_on(worker.log)


def conversation(call: Call) -> Answer:
    """The conversation in an upstream's request, without Claude Code's own reminders. Text beside a
    tool's result comes after the result, because chat upstreams require that order.
    """
    return [
        part._replace(text=part.text.partition("<system-reminder>")[0].strip())
        if isinstance(part, Result)
        else part
        for part in heard(call)
        if not isinstance(part, str)
    ]


def test_text(claude: Claude, upstream: Upstream) -> None:
    upstream.answer_each(answers(["Paris."]))

    run = claude.run(QUESTION)

    assert (run.status, run.result["is_error"], run.result["result"]) == (0, False, "Paris.")
    assert run.result["usage"]["input_tokens"] == 12
    assert run.result["usage"]["output_tokens"] == 7
    assert len(upstream.calls) == 1


def test_settings_in_a_file(
    tmp_path: Path, claude_program: Path, upstream: Upstream, worker: runtime.Served
) -> None:
    _, settings = blocks("Claude Code", worker.url)
    claude = Claude(tmp_path, claude_program, "unset", "claude")
    (claude.home / ".claude").mkdir()
    (claude.home / ".claude" / "settings.json").write_text(settings.replace("YOUR-KEY", KEY))
    upstream.answer_each(answers(["Paris."]))

    run = claude.run(QUESTION)

    assert (run.status, run.result["result"]) == (0, "Paris.")
    assert json.loads(upstream.wait_for_call().body)["model"] == CLAUDE
    assert len(upstream.calls) == 1


# Tools


def test_a_tool_loop(claude: Claude, upstream: Upstream, model: str) -> None:
    other = BASH._replace(id="toolu_2")
    upstream.answer_each(answers([THOUGHT, BASH], [other], ["It says made."]))

    run = claude.run("Make it.", "--allowedTools", "Bash(echo:*)")

    assert (run.status, run.result["result"]) == (0, "It says made.")
    assert run.result["permission_denials"] == []
    last = upstream.wait_for_call(3)
    results = [Result(call.id, "made") for call in (BASH, other)]
    assert conversation(last) == turn(MODELS[model], THOUGHT, BASH, results[0], other, results[1])
    assert b"__unparsedToolInput" not in last.body
    assert len(upstream.calls) == 3


@pytest.mark.parametrize(
    ("name", "media"), [("dot.png", PICTURE), ("page.pdf", DOCUMENT)], ids=["picture", "pdf"]
)
def test_a_file_is_read(claude: Claude, upstream: Upstream, name: str, media: Media) -> None:
    file = claude.work / name
    file.write_bytes(base64.b64decode(media.data))
    reading = Asking("toolu_1", "Read", json.dumps({"file_path": str(file)}))
    upstream.answer_each(answers([reading], ["It is red."]))

    run = claude.run("What is in it?", "--allowedTools", "Read")

    assert (run.status, run.result["result"]) == (0, "It is red.")
    call, result, what = conversation(upstream.wait_for_call(2))
    assert (call, what) == (reading, media)
    assert isinstance(result, Result)
    assert result.id == reading.id
    assert len(upstream.calls) == 2


def test_a_tool_is_searched_for(claude: Claude, upstream: Upstream, model: str) -> None:
    searching = Asking("toolu_1", "ToolSearch", '{"query": "select:CronList"}')
    using = Asking("toolu_2", "CronList", "{}")
    upstream.answer_each(answers([searching], [using], ["None."]))

    run = claude.run("What is planned?", "--allowedTools", "CronList")

    assert (run.status, run.result["result"]) == (0, "None.")
    first, second, third = upstream.calls
    assert "ToolSearch" in offered(first)
    assert "CronList" not in offered(first)
    assert "CronList" in offered(second)
    found = {"anthropic": [Result("toolu_1", ""), Reference("CronList")]}
    told = found.get(MODELS[model], [Result("toolu_1", "Loaded: CronList")])
    assert conversation(third) == [
        searching,
        *told,
        using,
        Result("toolu_2", "No scheduled jobs."),
    ]


@pytest.mark.parametrize("model", [CLAUDE])
def test_what_only_anthropic_knows_of_a_tool_reaches_it(claude: Claude, upstream: Upstream) -> None:
    searching = Asking("toolu_1", "ToolSearch", '{"query": "select:CronList"}')
    upstream.answer_each(answers([searching], ["None."]))

    claude.run("What is planned?")

    tools = {tool["name"]: tool for tool in json.loads(upstream.wait_for_call(2).body)["tools"]}
    assert tools["CronList"]["defer_loading"] is True
    assert tools["DeferredToolPlaceholder"]["defer_loading"] is True
    betas = [value for name, value in upstream.calls[1].headers if name == "anthropic-beta"]
    assert "advanced-tool-use-2025-11-20" in ",".join(betas).split(",")


@pytest.mark.parametrize(
    ("here", "there"),
    [(CLAUDE, "gpt-native"), (CLAUDE, "gpt-5.5"), ("gpt-native", CLAUDE), ("gpt-5.5", CLAUDE)],
)
def test_another_model_goes_on(
    start: Callable[[str], Claude], upstream: Upstream, here: str, there: str
) -> None:
    upstream.answer_each(answers([THOUGHT, BASH], ["It says made."], ["Yes."], ["As I said."]))
    claude = start(here)
    allowed = ("--allowedTools", "Bash(echo:*)")
    claude.run("Make it.", *allowed)

    claude.lines = claude.lines.replace(here, there)
    assert claude.run("Is it made?", "--continue").result["result"] == "Yes."
    claude.lines = claude.lines.replace(there, here)
    assert claude.run("What did it say?", "--continue").result["result"] == "As I said."

    loop: list[Part] = [BASH, Result(BASH.id, "made")]
    assert conversation(upstream.wait_for_call(3)) == loop
    assert conversation(upstream.wait_for_call(4)) == turn(MODELS[here], THOUGHT, *loop)
    assert len(upstream.calls) == 4


# Counting and models


def test_the_context_is_counted(
    claude: Claude, upstream: Upstream, requests: Callable[[int], list[Record]], model: str
) -> None:
    upstream.answer(whole(200, b'{"input_tokens": 4711}'))

    run = claude.run("/context")

    assert (run.status, run.result["is_error"]) == (0, False)
    asked = requests(20)  # all at once, for every skill and every group of tools
    assert {(record["path"], record["status"]) for record in asked} == {
        ("/v1/messages/count_tokens", 200)
    }
    if MODELS[model] == "anthropic":
        assert len(upstream.calls) == len(asked)
        assert "| Messages | 4.7k |" in run.result["result"]
    else:
        assert upstream.calls == []


def test_models_are_discovered(
    start: Callable[[str], Claude], upstream: Upstream, requests: Callable[[int], list[Record]]
) -> None:
    entry = {"type": "model", "id": "claude-listed-1", "display_name": "Listed"}
    created = {"created_at": "2026-01-01T00:00:00Z"}
    listed = json.dumps({"data": [{**entry, **created}], "has_more": False}).encode()

    def plan(call: Call) -> Script:
        return whole(200, listed) if "/models" in call.path else answers(["Paris."])(call)

    upstream.answer_each(plan)
    claude = start(CLAUDE)
    (discovery,) = other_blocks("Claude Code")
    claude.lines = discovery + claude.lines

    run = claude.run(QUESTION)

    assert (run.status, run.result["result"]) == (0, "Paris.")
    kept = json.loads((claude.home / ".claude" / "cache" / "gateway-models.json").read_text())
    assert [(model["id"], model["display_name"]) for model in kept["models"]] == [
        (CLAUDE, CLAUDE),
        ("claude-listed-1", "Listed"),
    ]
    assert [record["path"] for record in requests(2)] == ["/v1/models", "/v1/messages"]


# Failures


def error(kind: str, message: str) -> bytes:
    """An error that all dialects understand."""
    return json.dumps({"type": "error", "error": {"type": kind, "message": message}}).encode()


@pytest.mark.parametrize(("status", "kind"), [(429, "rate_limit_error"), (529, "overloaded_error")])
def test_a_refusal_for_now(
    claude: Claude,
    upstream: Upstream,
    requests: Callable[[int], list[Record]],
    status: int,
    kind: str,
) -> None:
    upstream.answer(whole(status, error(kind, "Not now.")))

    run = claude.run(QUESTION)

    assert (run.status, run.result["is_error"]) == (1, True)
    assert run.result["api_error_status"] == status
    assert "Not now." in run.result["result"]
    # Claude Code itself asks once more; each time the gateway calls once, as rows have it unless
    # they say otherwise.
    assert [record["attempts"] for record in requests(2)] == [1, 1]
    assert len(upstream.calls) == 2


def test_a_prompt_that_is_too_long(claude: Claude, upstream: Upstream) -> None:
    message = "prompt is too long: 250000 tokens > 200000 maximum"
    upstream.answer(whole(400, error("invalid_request_error", message)))

    run = claude.run(QUESTION)

    assert (run.status, run.result["is_error"]) == (1, True)
    assert run.result["terminal_reason"] == "prompt_too_long"
    assert "~250000 tokens (limit 200000)" in run.result["result"]
    assert len(upstream.calls) == 1


@pytest.mark.parametrize("told", [True, False])
def test_what_broke_off_is_asked_for_whole(
    claude: Claude, upstream: Upstream, requests: Callable[[int], list[Record]], told: bool
) -> None:
    plans = iter([breaks_off(["Rome, I think."], after="Rome,", error=told), answers(["Paris."])])

    def plan(call: Call) -> Script:
        return next(plans)(call)

    upstream.answer_each(plan)

    run = claude.run(QUESTION)

    assert (run.status, run.result["result"]) == (0, "Paris.")
    assert [record["stream"] for record in requests(2)] == [True, False]
    assert len(upstream.calls) == 2


def test_a_wrong_key_is_told_at_once(
    start: Callable[..., Claude],
    upstream: Upstream,
    requests: Callable[[int], list[Record]],
) -> None:
    run = start(CLAUDE, "sk-of-somebody-else").run(QUESTION)

    assert (run.status, run.result["is_error"]) == (1, True)
    assert run.result["api_error_status"] == 401
    assert len(requests(1)) == 1
    assert upstream.calls == []


def test_a_model_that_nobody_serves(
    start: Callable[..., Claude],
    upstream: Upstream,
    requests: Callable[[int], list[Record]],
) -> None:
    run = start("nobodys").run(QUESTION)

    assert (run.status, run.result["is_error"]) == (1, True)
    assert run.result["api_error_status"] == 404
    assert "issue with the selected model (nobodys)" in run.result["result"]
    assert [record["status"] for record in requests(2)] == [404, 404]  # and once more as a whole
    assert upstream.calls == []
