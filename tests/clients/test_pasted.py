"""The lines of docs/clients.md, run as they stand, on upstreams of all three dialects.

The page names `claude-sonnet-4-6`. Which dialect answers is decided by what stands there instead.
"""

from collections.abc import Callable

import pytest

from tests.clients.pasted import blocks, headings
from tests.clients.programs import run_node, run_python
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
    "LangChain": run_python,
    "Anthropic's SDK for Python": run_python,
    "Anthropic's SDK for TypeScript": run_node,
    "AI SDK, with Anthropic's provider": run_node,
    "LangChain, with Anthropic's client": run_python,
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


def test_every_section_of_the_page_is_run() -> None:
    agents = {"Codex", "Claude Code"}  # by tests/agents

    assert set(headings()) == {*WITH_A_TOOL, *WITHOUT_TOOLS, *agents}
