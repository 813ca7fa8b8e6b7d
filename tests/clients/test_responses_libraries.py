"""Libraries that speak Responses, as far as docs/clients.md has no example: mostly streams."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from langchain_core.messages import AIMessage, AIMessageChunk, HumanMessage, ToolMessage
from langchain_openai import ChatOpenAI
from pydantic import SecretStr

from tests.clients.programs import run_node, run_python
from tests.clients.sdk import KEY
from tests.clients.test_responses import MODELS
from tests.clients.upstreams import Asking, Result, Thought, answers, breaks_off, heard, turn
from tests.worker.upstream import Upstream
from tools import runtime

TEXT = "18 degrees."
THOUGHT = Thought("I ask the tool.", "c2lnbmVk/+==")
CALL = Asking("call_1", "get_weather", '{"city": "Paris"}')
OTHER = Asking("call_2", "get_weather", '{"city": "Rome"}')


@pytest.fixture(params=MODELS)
def dialect(request: pytest.FixtureRequest) -> str:
    """Each of the three, where other tests know two."""
    chosen: str = request.param
    return chosen


# LangChain


def langchain(worker: runtime.Served, dialect: str) -> ChatOpenAI:
    return ChatOpenAI(
        model=MODELS[dialect],
        base_url=f"{worker.url}/v1",
        api_key=SecretStr(KEY),
        use_responses_api=True,
        max_retries=0,
    )


WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "Tells the weather.",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
    },
}


@pytest.mark.parametrize("streaming", [True, False])
def test_langchain_parses_calls_and_gives_the_thinking_back(
    worker: runtime.Served, upstream: Upstream, dialect: str, streaming: bool
) -> None:
    upstream.answer_each(answers([THOUGHT, CALL, OTHER], [TEXT]))
    model = langchain(worker, dialect).bind_tools([WEATHER])
    asked = HumanMessage("How are they?")

    message: AIMessage
    if streaming:
        first, *rest = model.stream([asked])
        assert isinstance(first, AIMessageChunk)
        message = sum(rest, start=first)
    else:
        message = model.invoke([asked])

    assert [(call["id"], call["name"], call["args"]) for call in message.tool_calls] == [
        (call.id, call.tool, json.loads(call.arguments)) for call in (CALL, OTHER)
    ]
    results = [ToolMessage(TEXT, tool_call_id=call.id) for call in (CALL, OTHER)]
    assert model.invoke([asked, message, *results]).text == TEXT
    assert heard(upstream.wait_for_call(2)) == turn(
        dialect,
        *("How are they?", THOUGHT, CALL, OTHER),
        *(Result(call.id, TEXT) for call in (CALL, OTHER)),
    )
    assert len(upstream.calls) == 2


# AI SDK

AI_SDK = """
import { createOpenAI } from "@ai-sdk/openai";
import { generateText, isStepCount, streamText, tool } from "ai";
import { z } from "zod";

const openai = createOpenAI({ baseURL: "%s/v1", apiKey: process.env.XTRIX_KEY });
const request = {
  model: openai("%s"),
  prompt: "How is Paris?",
  maxRetries: 0,
  stopWhen: isStepCount(5),
  tools: {
    get_weather: tool({
      inputSchema: z.object({ city: z.string() }),
      execute: async () => "18 degrees",
    }),
  },
};
"""


def ai_sdk(worker: runtime.Served, dialect: str, program: str) -> str:
    return run_node(AI_SDK % (worker.url, MODELS[dialect]) + program)


def test_the_ai_sdk_streams_a_loop(
    worker: runtime.Served, upstream: Upstream, dialect: str
) -> None:
    upstream.answer_each(answers([THOUGHT, "I look.", CALL], [TEXT]))
    program = """
        const stream = streamText({ ...request, providerOptions: { openai: { store: false } } });
        const parts = [];
        for await (const part of stream.fullStream) parts.push(part);
        const of = (type) => parts.filter((part) => part.type === type);
        console.log(JSON.stringify({
          text: of("text-delta").map((part) => part.text).join(""),
          reasoning: of("reasoning-delta").map((part) => part.text).join(""),
          calls: of("tool-call").map((part) => part.input),
          errors: of("error").map((part) => String(part.error)),
          finish: await stream.finishReason,
        }));
    """

    said = json.loads(ai_sdk(worker, dialect, program))

    assert said == {
        "text": f"I look.{TEXT}",
        "reasoning": THOUGHT.text,
        "calls": [{"city": "Paris"}],
        "errors": [],
        "finish": "stop",
    }
    assert heard(upstream.wait_for_call(2)) == turn(
        dialect, "How is Paris?", THOUGHT, "I look.", CALL, Result(CALL.id, "18 degrees")
    )
    assert len(upstream.calls) == 2


def test_the_ai_sdk_is_told_how_to_do_without_a_store(
    worker: runtime.Served, upstream: Upstream, dialect: str
) -> None:
    upstream.answer_each(answers([THOUGHT, CALL], [TEXT]))
    program = """
        const error = await generateText(request).then(() => null, (error) => error);
        console.log(JSON.stringify({ status: error.statusCode, message: error.message }));
    """

    said = json.loads(ai_sdk(worker, dialect, program))

    assert said["status"] == 404
    assert "providerOptions: { openai: { store: false } }" in said["message"]
    assert len(upstream.calls) == 1


def test_the_ai_sdk_sees_that_a_stream_failed(
    worker: runtime.Served, upstream: Upstream, dialect: str
) -> None:
    upstream.answer_each(breaks_off(["Eighteen degrees."], after="Eighteen"))
    program = """
        const options = { openai: { store: false } };
        const stream = streamText({ ...request, providerOptions: options, onError() {} });
        const parts = [];
        for await (const part of stream.fullStream) parts.push(part);
        const of = (type) => parts.filter((part) => part.type === type);
        console.log(JSON.stringify({
          text: of("text-delta").length,
          errors: of("error").length,
          finish: of("finish").map((part) => part.finishReason),
        }));
    """

    said = json.loads(ai_sdk(worker, dialect, program))

    assert said["text"] > 0
    assert said["errors"] > 0
    assert "stop" not in said["finish"]
    assert len(upstream.calls) == 1


# Agents SDKs

AGENTS_SDK = """
import asyncio, json, os
from agents import Agent, Runner, function_tool, set_default_openai_client, set_tracing_disabled
from openai import AsyncOpenAI

set_default_openai_client(
    AsyncOpenAI(base_url="%s/v1", api_key=os.environ["XTRIX_KEY"], max_retries=0),
    use_for_tracing=False,
)
set_tracing_disabled(True)


@function_tool
def get_weather(city: str) -> str:
    return "18 degrees"


agent = Agent(name="Guide", model="%s", tools=[get_weather])


async def main() -> None:
    deltas = []
    result = Runner.run_streamed(agent, "How is Paris?")
    try:
        async for event in result.stream_events():
            if event.type == "raw_response_event" and event.data.type.endswith("text.delta"):
                deltas.append(event.data.delta)
    except Exception as error:
        print(json.dumps({"raised": type(error).__name__, "deltas": len(deltas)}))
    else:
        print(json.dumps({"text": result.final_output, "deltas": len(deltas)}))


asyncio.run(main())
"""


AGENTS_SDK_OF_NODE = """
import { Agent, OpenAIProvider, Runner, tool } from "@openai/agents";
import OpenAI from "openai";
import { z } from "zod";

const openAIClient = new OpenAI({
  baseURL: "%s/v1",
  apiKey: process.env.XTRIX_KEY,
  maxRetries: 0,
});
const modelProvider = new OpenAIProvider({ openAIClient });
const runner = new Runner({ modelProvider, tracingDisabled: true });
const get_weather = tool({
  name: "get_weather",
  description: "",
  parameters: z.object({ city: z.string() }),
  execute: async () => "18 degrees",
});
const agent = new Agent({ name: "Guide", model: "%s", tools: [get_weather] });

let deltas = 0;
try {
  const result = await runner.run(agent, "How is Paris?", { stream: true });
  for await (const event of result) {
    if (event.data?.event?.type.endsWith("text.delta")) deltas++;
  }
  await result.completed;
  console.log(JSON.stringify({ text: result.finalOutput, deltas }));
} catch (error) {
  console.log(JSON.stringify({ raised: error.constructor.name, deltas }));
}
"""


@pytest.fixture(params=["python", "node"])
def agents_sdk(
    request: pytest.FixtureRequest, worker: runtime.Served, dialect: str
) -> Callable[[], Any]:
    """Runs the program in one of its languages."""
    run, program = {
        "python": (run_python, AGENTS_SDK),
        "node": (run_node, AGENTS_SDK_OF_NODE),
    }[request.param]
    return lambda: json.loads(run(program % (worker.url, MODELS[dialect])))


def test_the_agents_sdk_streams_a_loop(
    agents_sdk: Callable[[], Any], upstream: Upstream, dialect: str
) -> None:
    upstream.answer_each(answers([THOUGHT, CALL], [TEXT]))

    said = agents_sdk()

    assert said == {"text": TEXT, "deltas": 4}
    assert heard(upstream.wait_for_call(2)) == turn(
        dialect, "How is Paris?", THOUGHT, CALL, Result(CALL.id, "18 degrees")
    )
    assert len(upstream.calls) == 2


def test_the_agents_sdk_raises_when_a_stream_fails(
    agents_sdk: Callable[[], Any], upstream: Upstream, dialect: str
) -> None:
    upstream.answer_each(breaks_off(["Eighteen degrees."], after="Eighteen"))

    said = agents_sdk()

    assert said == {"raised": "APIError", "deltas": 1}
    assert len(upstream.calls) == 1
