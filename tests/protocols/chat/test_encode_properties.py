"""Any Prompt becomes a request that follows OpenAI's rules, or is refused with its place.

The rules come from platform.openai.com/docs/api-reference/chat, and from errors that its API and
its followers were seen to answer. They are written from there and not from the code.
"""

import re
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from xtrix import json
from xtrix.answer import ToolName
from xtrix.errors import ClientError
from xtrix.prompt import (
    Block,
    Call,
    CallKind,
    Image,
    Opaque,
    Origin,
    OutputFormat,
    Prompt,
    Refusal,
    Result,
    Sealed,
    Settings,
    Source,
    Text,
    Thinking,
    Tool,
    ToolChoice,
    Turn,
)
from xtrix.protocols.chat.encode import encode_prompt
from xtrix.providers import TAKEN, Family, Provider, Quirks, Target

Json = dict[str, Any]

NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")
WORDS = st.text(max_size=8) | st.sampled_from(["", " ", "größe", "\u2028", "Error: x"])
NAMES = st.sampled_from(["f", "g", "a__f", "server.tool", "x" * 64, "x" * 65, "y" * 130, "é", ""])
SPACES = st.sampled_from([None, "a", "a__f", "docs.server", "n" * 70])
IDS = st.sampled_from(["1", "functions.f:0", "call_" + "x" * 60, "toolu_01A", "é"])
MODELS = st.sampled_from(["local", "gpt-4o", "gpt-5.2", "o3", "deepseek-v4-pro", "gemini-3-flash"])
ROW = Origin("row", "local", "chat")
FAMILIES = st.sampled_from([(), (Family("*", "both", prefill=True, system_inside=True),)])


VALUES: list[Json] = [
    {"reasoning_content": "a"},
    {"reasoning_details": [{"type": "reasoning.encrypted", "data": "x"}]},
    {"tool_calls": [{"id": "1", "extra_content": {"a": 1}}]},
    {"type": "thinking", "thinking": "b", "signature": "s"},
]


@st.composite
def thoughts(draw: st.DrawFn) -> Thinking:
    value = draw(st.sampled_from(VALUES))
    origin = draw(st.sampled_from([None, ROW, ROW._replace(provider="other")]))
    return Thinking(draw(WORDS), Sealed(value, origin) if draw(st.booleans()) else None)


PICTURE = Image(Source("base64", "iVBORw==", "image/png"), "picture")
SAID = st.builds(Text, WORDS) | st.builds(Opaque, st.just("messages"), st.just({}), WORDS)
SHOWN = SAID | st.just(PICTURE)
SPOKEN = SAID | st.builds(Refusal, WORDS) | thoughts()
SYSTEM = st.builds(Turn, st.sampled_from(["system", "developer"]), st.lists(SAID, max_size=2))
TOOLS = st.builds(
    Tool,
    kind=st.sampled_from(["function", "custom", "search"]),
    name=NAMES,
    description=WORDS,
    schema=st.sampled_from([None, {"type": "object"}, {"properties": {}}]),
    strict=st.sampled_from([None, True, False]),
    format=st.sampled_from([None, {"syntax": "lark", "definition": "start: WORD"}]),
    namespace=SPACES,
    deferred=st.booleans(),
)
CHOICES = [None, ToolChoice("auto"), ToolChoice("none"), ToolChoice("required")]
THINKING = [None, {"type": "adaptive"}, {"type": "disabled"}]
FORMATS = [None, OutputFormat("json_schema", schema={"type": "object"})]


@st.composite
def conversations(draw: st.DrawFn) -> list[Turn]:
    """Turns in which every call has its results before the assistant speaks again."""
    turns = draw(st.lists(SYSTEM, max_size=2))
    turns.append(Turn("user", draw(st.lists(SHOWN, min_size=1, max_size=3)), "first"))
    for _ in range(draw(st.integers(0, 3))):
        blocks: list[Block] = [*draw(st.lists(SPOKEN, max_size=3))]
        ids = draw(st.lists(IDS, unique=True, max_size=3))
        kinds: list[CallKind] = ["function", "custom", "search"]
        for call_id in ids:
            kind = draw(st.sampled_from(kinds))
            given_ = draw(WORDS) if kind == "custom" else draw(st.sampled_from(["", '{"a":1}']))
            blocks.append(Call(call_id, draw(NAMES), given_, kind, draw(SPACES)))
        turns.append(Turn("assistant", draw(st.permutations(blocks)), "assistant"))
        results = [
            Result(call_id, draw(st.lists(SHOWN, max_size=2)), draw(st.booleans()))
            for call_id in draw(st.permutations(ids))
        ]
        for result in results:
            turns += draw(st.lists(SYSTEM, max_size=1))
            beside = draw(st.lists(SHOWN, max_size=1))
            turns.append(Turn("user", draw(st.permutations([result, *beside]))))
        turns.append(Turn("user", draw(st.lists(SHOWN, max_size=2)), "user"))
    return turns


@st.composite
def prompts(draw: st.DrawFn) -> Prompt:
    tools = draw(st.lists(TOOLS, max_size=4, unique_by=lambda tool: (tool.namespace, tool.name)))
    choice = draw(st.sampled_from(CHOICES))
    is_narrow: bool = draw(st.booleans())
    if tools and is_narrow:
        tool = draw(st.sampled_from(tools))
        choice = draw(
            st.sampled_from(
                [
                    ToolChoice("named", tool.name, tool.namespace),
                    ToolChoice("required", allowed=((tool.namespace, tool.name),)),
                    ToolChoice("auto", allowed=((tool.namespace, tool.name), (None, "none such"))),
                ]
            )
        )
    return Prompt(
        draw(conversations()),
        tools,
        choice,
        Settings(
            max_tokens=draw(st.none() | st.integers(1, 300_000)),
            temperature=draw(st.none() | st.floats(0, 2)),
            top_k=draw(st.none() | st.integers(1, 9)),
            stop=tuple(draw(st.lists(WORDS.filter(bool), max_size=5))),
            effort=draw(st.none() | st.sampled_from(["none", "minimal", "high", "max", "odd"])),
            thinking=draw(st.sampled_from(THINKING)),
            format=draw(st.sampled_from(FORMATS)),
            user=draw(st.none() | WORDS),
            session=draw(st.none() | WORDS),
            parallel_calls=draw(st.none() | st.booleans()),
        ),
        stream=draw(st.booleans()),
    )


@st.composite
def targets(draw: st.DrawFn) -> Target:
    quirks = Quirks(
        takes=tuple(draw(st.sets(st.sampled_from(TAKEN)))),
        reasoning_back=draw(st.booleans()),
        null_content=draw(st.booleans()),
    )
    row = Provider("row", "openai", "https://up.test/v1", quirks=quirks, families=draw(FAMILIES))
    return Target(row, draw(MODELS))


@settings(deadline=None, derandomize=True, max_examples=150)
@given(prompts(), targets())
def test_what_is_sent_keeps_to_the_rules(prompt: Prompt, target: Target) -> None:
    before = repr(prompt)
    refused: tuple[int, bool] | None = None
    try:
        encoded = encode_prompt(prompt, target)
    except ClientError as error:
        refused = (error.status, bool(error.param))
    assert repr(prompt) == before, "another target may be asked the same"
    if refused:
        assert refused == (400, True)
        return
    body = json.decode_object(encoded.request.body)
    _assert_messages(body["messages"], target)
    _assert_tools(body, encoded.expected.tools, prompt)
    assert body.get("stop") != []
    assert None not in body.values()
    assert [*encoded.ignored] == sorted(set(encoded.ignored))


def _assert_messages(messages: list[Json], target: Target) -> None:
    calls: list[str] = []
    for index, message in enumerate(messages):
        if message["role"] == "tool":
            assert message["tool_call_id"] in calls, "a result that answers no open call"
            calls.remove(message["tool_call_id"])
            assert message["content"]
            continue
        assert not calls, "something between calls and results"
        calls = _assert_message(message, target)
        is_inside = index > 0 and message["role"] in {"system", "developer"}
        bears = target.provider.families or target.model in {"gpt-4o", "gpt-5.2", "o3"}
        assert bears or not is_inside, "system text where the model does not bear it"
    assert not calls, "a call without a result"


def _assert_message(message: Json, target: Target) -> list[str]:
    """The ids of its calls."""
    content = message["content"]
    if message["role"] != "assistant":
        assert message["role"] in {"system", "developer", "user"}
        assert content
        assert {"type": "text", "text": ""} not in content if isinstance(content, list) else True
        return []
    assert content or message.get("tool_calls") or message.get("refusal")
    assert content is not None or target.provider.quirks.null_content
    assert not target.provider.quirks.reasoning_back or message["reasoning_content"]
    found = message.get("tool_calls", [])
    for call in found:
        kind = call["type"]
        assert NAME.fullmatch(call[kind]["name"])
        assert kind == "custom" or isinstance(json.decode_object(call[kind]["arguments"]), dict)
        assert kind == "function" or "tools.custom" in target.provider.quirks.takes
        assert 0 < len(call["id"]) <= 40
    return [call["id"] for call in found]


def _calls(prompt: Prompt) -> list[Call]:
    blocks = [block for turn in prompt.turns for block in turn.blocks]
    return [block for block in blocks if isinstance(block, Call)]


def _assert_tools(body: Json, known: dict[str, ToolName], wanted: Prompt) -> None:
    tools = body.get("tools", [])
    names = [tool[tool["type"]]["name"] for tool in tools]
    assert len(set(names)) == len(names)
    assert all(NAME.fullmatch(name) for name in names)
    functions = [tool["function"] for tool in tools if tool["type"] == "function"]
    assert all(function["parameters"]["type"] == "object" for function in functions)
    assert tools or not {"tool_choice", "parallel_tool_calls"} & body.keys()
    assert "tools" not in body or tools
    choice = body.get("tool_choice")
    if isinstance(choice, dict) and choice["type"] != "allowed_tools":
        assert choice[choice["type"]]["name"] in names
    assert {*known.values()} <= {
        ToolName(tool.name, tool.kind, tool.namespace)  # type: ignore[arg-type]  # none is hosted
        for tool in wanted.tools
    } | {ToolName(call.name, namespace=call.namespace) for call in _calls(wanted)}
