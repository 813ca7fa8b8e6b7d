"""Runs the examples of docs/clients.md and of the README, with upstreams of all dialects.

The pages name `claude-sonnet-4-6`. The test puts another model in its place, which decides the
dialect.
"""

import json
import re
from collections.abc import Callable

import httpx
import pytest

from tests.clients.pasted import ADDRESS, README, blocks, headings, of_the_readme, other_blocks
from tests.clients.programs import run_node, run_python
from tests.clients.sdk import KEY
from tests.clients.test_responses import MODELS
from tests.clients.upstreams import Asking, Result, Thought, answers, dialect_of, heard
from tests.worker.upstream import Upstream
from tools import runtime

TEXT = "18 degrees."
THOUGHT = Thought("I ask the tool.", "c2lnbmVk/+==")
CALL = Asking("call_1", "get_weather", '{"city": "Paris"}')

WITH_A_TOOL: dict[str, Callable[[str], str]] = {
    "OpenAI Agents SDK for Python": run_python,
    "OpenAI Agents SDK for JavaScript": run_node,
    "pydantic-ai": run_python,
    "AI SDK": run_node,
}

WITHOUT_TOOLS: dict[str, Callable[[str], str]] = {
    "OpenAI's SDK for Python": run_python,
    "OpenAI's SDK for Node": run_node,
    "LangChain": run_python,
    "Anthropic's SDK for Python": run_python,
    "Anthropic's SDK for TypeScript": run_node,
    "AI SDK, with Anthropic's provider": run_node,
    "LangChain, with Anthropic's client": run_python,
}

AGENTS = ("Codex", "Claude Code")
"""Run by tests/agents."""
OUTSIDE = ("Open WebUI", "Cursor")
"""Set up by hand, the one in a container and the other on its own servers."""
IN_THE_README: dict[str, Callable[[str], str]] = {
    "openai-python": run_python,
    "openai-node": run_node,
    "AI SDK": run_node,
    "LangChain": run_python,
}


def pasted(heading: str, worker: runtime.Served, dialect: str) -> str:
    (block,) = blocks(heading, worker.url)
    assert MODELS["anthropic"] in block
    return block.replace(MODELS["anthropic"], MODELS[dialect])


@pytest.mark.parametrize("dialect", MODELS)
@pytest.mark.parametrize("heading", WITH_A_TOOL)
def test_a_tool_loop(
    worker: runtime.Served, upstream: Upstream, heading: str, dialect: str
) -> None:
    upstream.answer_each(answers([THOUGHT, CALL], [TEXT]))

    assert WITH_A_TOOL[heading](pasted(heading, worker, dialect)) == TEXT

    second = upstream.wait_for_call(2)
    assert dialect_of(second) == dialect
    # A chat upstream wants no reasoning back unless its row says so.
    thought = [] if dialect == "openai" else [THOUGHT]
    assert heard(second) == [
        "How is Paris?",
        *thought,
        CALL,
        Result(CALL.id, "18 degrees in Paris"),
    ]
    assert len(upstream.calls) == 2


@pytest.mark.parametrize("dialect", MODELS)
@pytest.mark.parametrize("heading", WITHOUT_TOOLS)
def test_a_question(worker: runtime.Served, upstream: Upstream, heading: str, dialect: str) -> None:
    upstream.answer_each(answers([THOUGHT, TEXT]))

    assert WITHOUT_TOOLS[heading](pasted(heading, worker, dialect)) == TEXT
    assert heard(upstream.wait_for_call()) == ["How is Paris?"]
    assert len(upstream.calls) == 1


def address_and_key(heading: str, worker: runtime.Served) -> tuple[str, str]:
    """The address and the key that a user types into a program."""
    (block,) = blocks(heading, worker.url)
    (address,) = re.findall(rf"{worker.url}\S*", block)
    (key,) = re.findall(r'"\$XTRIX_KEY"|YOUR-KEY', block)
    assert key
    return address, KEY


@pytest.mark.parametrize("heading", OUTSIDE)
def test_a_program_that_no_test_can_start_finds_what_it_calls(
    worker: runtime.Served, upstream: Upstream, heading: str
) -> None:
    """Both list the models, which also checks the key, and then stream a chat with usage."""
    address, key = address_and_key(heading, worker)
    upstream.answer_each(answers([TEXT]))
    with httpx.Client(
        base_url=address, headers={"authorization": f"Bearer {key}"}, trust_env=False
    ) as client:
        models = client.get("models")
        request = {
            "model": MODELS["anthropic"],
            "messages": [{"role": "user", "content": "How is Paris?"}],
            "stream": True,
            "stream_options": {"include_usage": True},
        }
        answer = client.post("chat/completions", json=request)
    assert {"id", "object"} <= models.json()["data"][0].keys()
    assert answer.text.endswith("data: [DONE]\n\n")
    chunks = [json.loads(line[6:]) for line in answer.text.splitlines() if line[:7] == "data: {"]
    texts = [each["delta"].get("content") or "" for it in chunks for each in it["choices"]]
    assert "".join(texts) == TEXT
    assert chunks[-1]["usage"]["total_tokens"] > 0


@pytest.mark.parametrize("heading", [*WITH_A_TOOL, *WITHOUT_TOOLS, *OUTSIDE])
def test_no_line_of_a_section_is_left_out(heading: str) -> None:
    assert other_blocks(heading) == []


def test_every_section_of_the_page_is_run() -> None:
    assert set(headings()) == {*WITH_A_TOOL, *WITHOUT_TOOLS, *AGENTS, *OUTSIDE}


@pytest.mark.parametrize("heading", IN_THE_README)
def test_the_lines_of_the_readme_answer(
    worker: runtime.Served, upstream: Upstream, heading: str
) -> None:
    upstream.answer_each(answers([TEXT]))
    (block,) = blocks(heading, worker.url, README)

    assert IN_THE_README[heading](block) == TEXT
    assert heard(upstream.wait_for_call()) == ["How is Paris?"]


@pytest.mark.parametrize("heading", [*AGENTS, *OUTSIDE])
def test_the_other_lines_of_the_readme_are_those_of_the_page(heading: str) -> None:
    (block,) = blocks(heading, ADDRESS, README)
    assert block == blocks(heading, ADDRESS)[0]


def test_every_client_of_the_readme_is_run() -> None:
    assert set(of_the_readme()) == {*IN_THE_README, *AGENTS, *OUTSIDE}
