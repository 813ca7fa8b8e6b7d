"""Libraries that speak Messages: LangChain's ChatAnthropic and the AI SDK's Anthropic provider."""

import json
from typing import Any

import pytest
from langchain_anthropic import ChatAnthropic
from langchain_core.messages import AIMessageChunk, HumanMessage, ToolMessage

from tests.clients.programs import run_node, run_python
from tests.clients.sdk import KEY
from tests.clients.test_messages import MODELS, THINKING, TOOLS
from tests.clients.upstreams import Asking, Result, Thought, answers, breaks_off, heard, turn
from tests.worker.upstream import Upstream
from tools import runtime

TEXT = "18 degrees."
THOUGHT = Thought("I ask the tool.", "c2lnbmVk/+==")
CALL = Asking("call_1", "get_weather", '{"city": "Paris"}')


@pytest.fixture(params=MODELS)
def dialect(request: pytest.FixtureRequest) -> str:
    """Each of the three, where other tests know two."""
    chosen: str = request.param
    return chosen


def test_langchain_streams_a_loop(worker: runtime.Served, upstream: Upstream, dialect: str) -> None:
    upstream.answer_each(answers([THOUGHT, CALL], [TEXT]))
    options: dict[str, Any] = {
        "model": MODELS[dialect],
        "base_url": worker.url,
        "api_key": KEY,
        "max_tokens": 2048,
    }
    model = ChatAnthropic(**options, max_retries=0, thinking=THINKING)
    bound = model.bind_tools(TOOLS)
    asked = HumanMessage("How is Paris?")

    first: AIMessageChunk | None = None
    for chunk in bound.stream([asked]):
        assert isinstance(chunk, AIMessageChunk)
        first = first + chunk if first else chunk
    assert first

    assert first.usage_metadata
    assert first.usage_metadata["input_tokens"] == 12
    assert first.usage_metadata["output_tokens"] == 7
    (call,) = first.tool_calls
    assert (call["id"], call["name"], call["args"]) == (CALL.id, CALL.tool, {"city": "Paris"})
    result = ToolMessage("18 degrees", tool_call_id=CALL.id)
    assert bound.invoke([asked, first, result]).text == TEXT
    assert heard(upstream.wait_for_call(2)) == turn(
        dialect, "How is Paris?", THOUGHT, CALL, Result(CALL.id, "18 degrees")
    )
    assert len(upstream.calls) == 2


AI_SDK = """
import { createAnthropic } from "@ai-sdk/anthropic";
import { isStepCount, streamText, tool } from "ai";
import { z } from "zod";

const anthropic = createAnthropic({ baseURL: "%s/v1", apiKey: process.env.XTRIX_KEY });
const stream = streamText({
  model: anthropic("%s"),
  prompt: "How is Paris?",
  maxRetries: 0,
  onError() {},
  stopWhen: isStepCount(5),
  providerOptions: { anthropic: { thinking: { type: "enabled", budgetTokens: 1024 } } },
  tools: {
    get_weather: tool({
      inputSchema: z.object({ city: z.string() }),
      execute: async () => "18 degrees",
    }),
  },
});
const parts = [];
for await (const part of stream.fullStream) parts.push(part);
const of = (type) => parts.filter((part) => part.type === type);
console.log(JSON.stringify({
  text: of("text-delta").map((part) => part.text).join(""),
  reasoning: of("reasoning-delta").map((part) => part.text).join(""),
  calls: of("tool-call").map((part) => part.input),
  errors: of("error").length,
  finish: of("finish").map((part) => part.finishReason),
}));
"""


def test_the_ai_sdk_streams_a_loop(
    worker: runtime.Served, upstream: Upstream, dialect: str
) -> None:
    upstream.answer_each(answers([THOUGHT, "I look.", CALL], [TEXT]))

    told = json.loads(run_node(AI_SDK % (worker.url, MODELS[dialect])))

    assert told == {
        "text": f"I look.{TEXT}",
        "reasoning": THOUGHT.text,
        "calls": [{"city": "Paris"}],
        "errors": 0,
        "finish": ["stop"],
    }
    assert heard(upstream.wait_for_call(2)) == turn(
        dialect, "How is Paris?", THOUGHT, "I look.", CALL, Result(CALL.id, "18 degrees")
    )
    assert len(upstream.calls) == 2


def test_the_ai_sdk_sees_that_a_stream_failed(
    worker: runtime.Served, upstream: Upstream, dialect: str
) -> None:
    upstream.answer_each(breaks_off(["Eighteen degrees."], after="Eighteen"))

    told = json.loads(run_node(AI_SDK % (worker.url, MODELS[dialect])))

    assert told["text"]
    assert told["errors"] > 0
    assert "stop" not in told["finish"]
    assert len(upstream.calls) == 1


PYDANTIC_AI = """
import os

from pydantic_ai import Agent
from pydantic_ai.models.anthropic import AnthropicModel, AnthropicModelSettings
from pydantic_ai.providers.anthropic import AnthropicProvider

provider = AnthropicProvider(base_url="%s", api_key=os.environ["XTRIX_KEY"])
settings = AnthropicModelSettings(
    max_tokens=2048, anthropic_thinking={"type": "enabled", "budget_tokens": 1024}
)
agent = Agent(AnthropicModel("%s", provider=provider, settings=settings))


@agent.tool_plain
def get_weather(city: str) -> str:
    return "18 degrees"


print(agent.run_sync("How is Paris?").output)
"""


def test_pydantic_ai_loops(worker: runtime.Served, upstream: Upstream, dialect: str) -> None:
    upstream.answer_each(answers([THOUGHT, CALL], [TEXT]))

    assert run_python(PYDANTIC_AI % (worker.url, MODELS[dialect])) == TEXT

    asked = "How is Paris?"
    if dialect == "openai":
        # It gives thinking that nobody has signed back in the user's words.
        asked += f"\n\n<assistant_thinking>\n{THOUGHT.text}\n</assistant_thinking>"
    assert heard(upstream.wait_for_call(2)) == turn(
        dialect, asked, THOUGHT, CALL, Result(CALL.id, "18 degrees")
    )
    assert len(upstream.calls) == 2
