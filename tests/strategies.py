"""Strategies for hypothesis: requests, upstream streams, and arbitrary JSON."""

from collections.abc import Callable
from functools import cache
from typing import Any, NamedTuple

from hypothesis import strategies as st

from tests.mutations import FIELDS_READ, JUNK, at, places, put
from tests.scenarios import Scenario, refused, scenarios
from tests.streams import split_events
from xtrix import json
from xtrix.protocols.messages.families import family_of

Draw = Callable[[st.SearchStrategy[Any]], Any]

MODELS = (
    *("claude-3-haiku-20240307", "claude-3-7-sonnet-20250219", "claude-haiku-4-5"),
    *("claude-sonnet-4-6", "claude-opus-4-7", "claude-opus-4-8", "claude-opus-5"),
    *("claude-sonnet-5-5", "claude-fable-5-1", "model-of-tomorrow"),
)

WORDS = st.text(max_size=12) | st.sampled_from(
    ["", " ", "\n", "Hello", '"', "\\", "北京🙂", "\u2028"]
)
NAMES = st.sampled_from(
    [
        "look_up",
        "web_search",
        "json_tool_call",
        "server.tool",
        "server_tool",
        "größe",
        "x" * 130,
        "a/b",
    ]
)
IDS = st.sampled_from(["1", "2", "call.1", "call:1", "call_1", "", "北京", "x" * 70])
ARGUMENTS = st.sampled_from(["", " ", "{}", '{"a":1}', '{"a": {"b": [null, "é"]}}'])
MARK = st.sampled_from(
    [
        {},
        {"cache_control": {"type": "ephemeral"}},
        {"prompt_cache_breakpoint": {"mode": "explicit"}},
    ]
)
LEAVES = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=8)
)
ANY_JSON = st.recursive(
    LEAVES,
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4)
    ),
    max_leaves=8,
)


# Requests


@st.composite
def parts(draw: Draw) -> list[dict[str, Any]]:
    """Parts of a user's message."""
    drawn = []
    for _ in range(draw(st.integers(1, 4))):
        part: dict[str, Any] = {"type": "text", "text": draw(WORDS)}
        if draw(st.integers(0, 4)) == 0:
            part = {"type": "image_url", "image_url": {"url": "https://i.test/a.png"}}
        drawn.append({**part, **draw(MARK)})
    return drawn


@st.composite
def rounds(draw: Draw) -> list[dict[str, Any]]:
    """A user's message, an assistant's, and the results of the calls in it."""
    users = [
        {"role": "user", "content": draw(WORDS | parts()), **draw(MARK)}
        for _ in range(draw(st.integers(1, 2)))
    ]
    assistant: dict[str, Any] = {"role": "assistant", "content": draw(st.none() | WORDS)}
    if draw(st.booleans()):
        assistant["refusal"] = draw(st.none() | WORDS)
    if draw(st.integers(0, 3)) == 0:
        block = {
            "type": "thinking",
            "thinking": "Hm.",
            "signature": draw(st.sampled_from(["", "x"])),
        }
        assistant["thinking_blocks"] = [block]
    ids = draw(st.lists(IDS, max_size=3, unique=True))
    if not ids:
        return [*users, assistant]
    assistant["tool_calls"] = [
        {
            "id": call_id,
            "type": "function",
            "function": {"name": draw(NAMES), "arguments": draw(ARGUMENTS)},
        }
        for call_id in ids
    ]
    results: list[dict[str, Any]] = []
    for call_id in draw(st.permutations(ids)):
        if draw(st.integers(0, 5)) == 0:
            role = draw(st.sampled_from(["system", "user"]))
            results.append({"role": role, "content": draw(WORDS)})
        content = draw(WORDS | parts())
        results.append({"role": "tool", "tool_call_id": call_id, "content": content, **draw(MARK)})
    return [*users, assistant, *results]


@st.composite
def messages(draw: Draw) -> list[dict[str, Any]]:
    """A conversation that any model accepts: its last message is the user's."""
    said: list[dict[str, Any]] = [
        {"role": draw(st.sampled_from(["system", "developer"])), "content": draw(WORDS)}
        for _ in range(draw(st.integers(0, 2)))
    ]
    for _ in range(draw(st.integers(0, 4))):
        said += draw(rounds())
        if draw(st.integers(0, 4)) == 0:
            said.append({"role": "system", "content": draw(WORDS)})
    return [*said, {"role": "user", "content": draw(WORDS | parts())}]


KEYWORDS: dict[str, st.SearchStrategy[Any]] = {
    **dict.fromkeys(("minimum", "maximum", "minLength", "maxLength", "multipleOf"), st.just(3)),
    **dict.fromkeys(("minItems", "maxItems", "minProperties"), st.integers(0, 2)),
    "pattern": st.just("^a+$"),
    "format": st.just("date"),
    "enum": st.just(["a", "b"]),
    "const": st.just("a"),
    "default": LEAVES,
    "description": WORDS,
    "title": WORDS,
    "not": st.just({"type": "null"}),
    "additionalProperties": st.booleans() | st.just({"type": "number"}),
    "patternProperties": st.just({"^a": {"type": "string"}}),
    "required": st.just(["a"]),
}


def _schemas(inner: st.SearchStrategy[dict[str, Any]]) -> st.SearchStrategy[dict[str, Any]]:
    """JSON schemas that are made of others."""
    several = st.lists(inner, min_size=1, max_size=2)
    named = st.dictionaries(st.sampled_from(["a", "b"]), inner)
    shapes = (
        several.map(lambda schemas: {"anyOf": schemas})
        | several.map(lambda schemas: {"oneOf": schemas})
        | inner.map(lambda schema: {"type": "array", "items": schema})
        | named.map(lambda schemas: {"type": "object", "properties": schemas})
    )
    return st.builds(lambda shape, more: {**more, **shape}, shapes, _keywords())


def _keywords() -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries({}, optional=KEYWORDS)


SCHEMAS = st.builds(
    lambda named, more: {**more, "type": "object", "properties": named},
    st.dictionaries(
        st.sampled_from(["a", "b", "c"]),
        st.recursive(
            st.builds(
                lambda kind, more: {"type": kind, **more},
                st.sampled_from(["string", "integer", "boolean", "object", ["string", "null"]]),
                _keywords(),
            ),
            _schemas,
            max_leaves=4,
        ),
    ),
    _keywords(),
)
"""What tools and structured output may be held to."""
FUNCTIONS: st.SearchStrategy[dict[str, Any]] = st.fixed_dictionaries(
    {}, optional={"parameters": SCHEMAS, "strict": st.none() | st.booleans()}
)
"""What a function may say beside its name."""
OPTIONS: dict[str, st.SearchStrategy[Any]] = {
    "temperature": st.sampled_from([0, 0.5, 1, 1.5, 2]),
    "top_p": st.sampled_from([0, 0.5, 1]),
    "top_k": st.integers(1, 50),
    "max_tokens": st.sampled_from([0, 1, 1024, 1025, 5000, 10**9]),
    "max_completion_tokens": st.sampled_from([1, 3000]),
    "stop": WORDS | st.lists(WORDS, max_size=4),
    "stream": st.booleans(),
    "user": WORDS,
    "service_tier": st.sampled_from(["auto", "default", "flex"]),
    "reasoning_effort": st.sampled_from(
        ["none", "minimal", "low", "medium", "high", "xhigh", "max"]
    ),
    "parallel_tool_calls": st.booleans(),
    "response_format": st.sampled_from([{"type": "text"}, {"type": "json_object"}])
    | SCHEMAS.map(
        lambda schema: {"type": "json_schema", "json_schema": {"name": "x", "schema": schema}}
    ),
    "cache_control": st.just({"type": "ephemeral"}),
    "web_search_options": st.sampled_from(
        [
            {},
            {"search_context_size": "low"},
            {"search_context_size": "high", "user_location": None},
            {"user_location": {"type": "approximate", "approximate": {"city": "Berlin"}}},
        ]
    ),
    "container": st.sampled_from(["container_1", {"id": "container_1", "skills": []}]),
    "mcp_servers": st.just([{"type": "url", "url": "https://m.test", "name": "m"}]),
    "betas": st.just(["a-2026-01-01"]),
    "seed": st.integers(),
    "logit_bias": st.just({"1": 1}),
    "anything": ANY_JSON,
}


THINKING = {
    "budget": st.sampled_from(
        [{"type": "enabled", "budget_tokens": n} for n in (1024, 2000, 9999)]
    ),
    "adaptive": st.just({"type": "adaptive"}),
    "none": st.just({"type": "disabled"}),
}
"""The clients' own words for it, by what a family has of it."""


@st.composite
def requests(draw: Draw) -> dict[str, Any]:
    """A correct request for any of `MODELS`."""
    request: dict[str, Any] = {"model": draw(st.sampled_from(MODELS)), "messages": draw(messages())}
    for name in draw(st.lists(st.sampled_from(sorted(OPTIONS)), unique=True, max_size=6)):
        request[name] = draw(OPTIONS[name])
    thinks = draw(st.integers(0, 4)) == 0
    if thinks:  # whoever says it in Anthropic's words has to leave room for it
        request["thinking"] = draw(THINKING[family_of(request["model"]).thinking])
        request.pop("max_tokens", None)
        request.pop("max_completion_tokens", None)
    if not thinks and family_of(request["model"]).prefill and draw(st.integers(0, 3)) == 0:
        request["messages"].append({"role": "assistant", "content": "So"})
    names = draw(st.lists(NAMES, max_size=3, unique=True))
    if names:
        request["tools"] = [
            {"type": "function", "function": {"name": name, **draw(FUNCTIONS)}, **draw(MARK)}
            for name in names
        ]
        named = {"type": "function", "function": {"name": names[0]}}
        allowed = {"mode": "required", "tools": [named]}
        forced = ["required", named, {"type": "allowed_tools", "allowed_tools": allowed}]
        choices = [None, "auto", "none", *([] if thinks else forced)]
        request["tool_choice"] = draw(st.sampled_from(choices))
    return request


ODD_REQUESTS = st.dictionaries(
    st.sampled_from(["model", "messages", "tools", "tool_choice", *OPTIONS]) | st.text(max_size=8),
    ANY_JSON | messages() | st.sampled_from([{"type": "function"}, [{"type": "custom"}], "auto"]),
    max_size=8,
)
"""Requests of which much or all is wrong."""


@st.composite
def spoiled(draw: Draw) -> Any:
    """A correct request in which one value is replaced by another."""
    request = json.decode(json.encode(draw(requests())))  # what was drawn may be shared
    at: Any = request
    while True:
        keys = list(at) if isinstance(at, dict) else list(range(len(at)))
        key = draw(st.sampled_from(keys))
        below = at[key]
        if not isinstance(below, dict | list) or not below or draw(st.integers(0, 3)) == 0:
            at[key] = draw(ANY_JSON)
            return request
        at = below


# Golden requests and answers, in which several things are wrong

GOLDEN = [each.json("request.json") for each in [*scenarios(), *refused()]]


def _values_by_field(values: list[Any]) -> dict[str, list[Any]]:
    """What stands under each name anywhere in `values`."""
    found: dict[str, list[Any]] = {}
    for value in values:
        for path in places(value):
            if path and isinstance(path[-1], str):
                found.setdefault(path[-1], []).append(at(value, path))
    return found


@st.composite
def _mutated(draw: Draw, originals: list[Any], fields: dict[str, list[Any]]) -> Any:
    """One of `originals` after a few changes, each somewhere."""
    value = draw(st.sampled_from(originals))
    names = st.sampled_from(sorted({*fields, *FIELDS_READ}))
    junk = st.sampled_from(list(JUNK.values())) | ANY_JSON
    for _ in range(draw(st.integers(1, 4))):
        path = draw(st.sampled_from([path for path in places(value) if path] or [()]))
        name = draw(names)
        there = at(value, path)
        match draw(st.sampled_from(["junk", "known", "field", "twice", "gone"])):
            case "known" if path and isinstance(path[-1], str):
                known = draw(st.sampled_from(fields.get(path[-1], [None])))
                value = put(value, path, known)
            case "field" if isinstance(there, dict):
                known = st.sampled_from(fields.get(name, [None]))
                value = put(value, (*path, name), draw(junk | known))
            case "twice" if isinstance(there, list):
                value = put(value, path, there + there)
            case "gone" if path and isinstance(at(value, path[:-1]), dict):
                rest = {**at(value, path[:-1])}
                del rest[path[-1]]
                value = put(value, path[:-1], rest)
            case _:
                value = put(value, path, draw(junk))
    return value


def mutated_requests() -> st.SearchStrategy[Any]:
    """Golden requests with a few changes."""
    return _mutated(GOLDEN, _values_by_field(GOLDEN))


class Exchange(NamedTuple):
    """A client's request, its upstream, and the upstream's answer."""

    row: dict[str, Any]
    request: dict[str, Any]
    answer: Any
    """A whole one, or the events of a stream; text stands for what is no JSON."""


@st.composite
def mutated_answers(draw: Draw) -> Exchange:
    """A golden exchange whose whole answer has a few changes."""
    scenario = draw(st.sampled_from(scenarios("upstream.json")))
    answers = _answers(scenario.dialect)
    answer = draw(_mutated([scenario.json("upstream.json")], _values_by_field(answers)))
    return Exchange(scenario.row(), scenario.json("request.json"), answer)


@st.composite
def mutated_streams(draw: Draw) -> Exchange:
    """A golden exchange with some events of its stream changed, doubled, left out or replaced."""
    scenario = draw(st.sampled_from(scenarios("upstream.sse")))
    known = _events(scenario.dialect)
    fields = _values_by_field(known)
    events = _events_of(scenario)
    for _ in range(draw(st.integers(1, 3))):
        where = draw(st.integers(0, len(events) - 1)) if events else 0
        match draw(st.sampled_from(["changed", "twice", "gone", "other"])):
            case "gone":
                del events[where : where + 1]
            case "twice":
                events[where:where] = events[where : where + 1]
            case "other":
                events.insert(where, draw(st.sampled_from(known)))
            case _ if events:
                events[where] = draw(_mutated([events[where]], fields))
    return Exchange(scenario.row(), scenario.json("request.json"), events)


@cache
def _answers(dialect: str) -> list[Any]:
    spoken = [each for each in scenarios("upstream.json") if each.dialect == dialect]
    return [each.json("upstream.json") for each in spoken]


@cache
def _events(dialect: str) -> list[Any]:
    spoken = [each for each in scenarios("upstream.sse") if each.dialect == dialect]
    return [event for each in spoken for event in _events_of(each)]


def _events_of(scenario: Scenario) -> list[Any]:
    """What the events of a stream hold; text where it is no JSON."""
    found: list[Any] = []
    for event in split_events(scenario.bytes("upstream.sse").decode()):
        data = event.partition("data:")[2].strip()
        try:
            found.append(json.decode(data))
        except ValueError:
            found.append(data)
    return found


# Streams


class Told(NamedTuple):
    """A stream's events, and what they add up to."""

    events: list[dict[str, Any] | str]
    text: str
    calls: list[tuple[str, str]]
    """Name and arguments."""
    reasoning: str
    reason: str


def cut_up(text: str, sizes: list[int]) -> list[str]:
    """`text` in pieces; their sizes repeat in a cycle."""
    pieces: list[str] = []
    while text:
        size = sizes[len(pieces) % len(sizes)]
        pieces.append(text[:size])
        text = text[size:]
    return pieces


SIZES = st.lists(st.integers(1, 200), min_size=1, max_size=5)
ENDINGS = st.sampled_from(["\n", "\r\n", "\r"])
FRAGMENTS = st.lists(WORDS, max_size=4)
NOISE: list[dict[str, Any]] = [{"type": "ping"}, {"type": "unheard_of", "index": 0, "delta": 7}]


@st.composite
def fragments_of_json(draw: Draw) -> list[str]:
    """Arguments in pieces."""
    return cut_up(draw(ARGUMENTS.filter(str.strip)), draw(SIZES.map(lambda sizes: [1, *sizes])))


class _Part(NamedTuple):
    """The part of the whole answer that one content block adds."""

    text: str = ""
    reasoning: str = ""
    calls: tuple[tuple[str, str], ...] = ()


@st.composite
def _anthropic_block(draw: Draw, index: int) -> tuple[dict[str, Any], list[dict[str, Any]], _Part]:
    """A block's start, its deltas, and what it adds to the answer."""
    kind = draw(st.sampled_from(["text", "thinking", "tool_use", "server_tool_use"]))
    block: dict[str, Any] = {"type": kind}
    if kind == "text":
        said = draw(FRAGMENTS)
        block["text"] = draw(WORDS)
        deltas = [{"type": "text_delta", "text": each} for each in said]
        return block, deltas, _Part(text=block["text"] + "".join(said))
    if kind == "thinking":
        said = draw(FRAGMENTS)
        block["thinking"] = ""
        deltas = [{"type": "thinking_delta", "thinking": each} for each in said]
        deltas.append({"type": "signature_delta", "signature": "x"})
        return block, deltas, _Part(reasoning="".join(said))
    name = draw(NAMES)
    said = draw(st.just([]) | fragments_of_json())
    block |= {"id": f"toolu_{index}", "name": name, "input": {}}
    deltas = [{"type": "input_json_delta", "partial_json": each} for each in said]
    called = (name, "".join(said) or "{}")
    return block, deltas, _Part(calls=(called,) if kind == "tool_use" else ())


@st.composite
def anthropic_streams(draw: Draw) -> Told:
    """A legal stream of Anthropic's."""
    events: list[Any] = [{"type": "message_start", "message": {"usage": {"input_tokens": 3}}}]
    text, reasoning = "", ""
    calls: list[tuple[str, str]] = []
    for index in range(draw(st.integers(0, 4))):
        block, deltas, told = draw(_anthropic_block(index))
        text += told.text
        reasoning += told.reasoning
        calls += told.calls
        events.append({"type": "content_block_start", "index": index, "content_block": block})
        for delta in deltas:
            events += draw(st.lists(st.sampled_from(NOISE), max_size=1))
            events.append({"type": "content_block_delta", "index": index, "delta": delta})
        events.append({"type": "content_block_stop", "index": index})
    reason = draw(st.sampled_from(["end_turn", "max_tokens", "tool_use", "stop_sequence"]))
    events += [
        {"type": "message_delta", "delta": {}, "usage": {"output_tokens": 1}},
        {"type": "message_delta", "delta": {"stop_reason": reason}, "usage": {"output_tokens": 9}},
        {"type": "message_stop"},
    ]
    ours = "length" if reason == "max_tokens" else "tool_calls" if calls else "stop"
    return Told(events, text, calls, reasoning, ours)


@st.composite
def _openai_call(draw: Draw, index: int, style: str) -> tuple[list[dict[str, Any]], str, str]:
    """A call's fragments as upstreams of a `style` spell them, its name and its arguments."""
    name = draw(NAMES)
    said = draw(st.just([]) | fragments_of_json())
    number = {"plain": {"index": index}, "zero": {"index": 0}, "none": {}}[style]
    identity = {"id": f"call_{index}", "type": "function"}
    first = {**number, **identity, "function": {"name": name, "arguments": ""}}
    again = draw(st.sampled_from([{}, identity]))
    rest = [{**number, **again, "function": {"arguments": each}} for each in said]
    return [first, *rest], name, "".join(said) or "{}"


@st.composite
def openai_streams(draw: Draw) -> Told:
    """A stream as an OpenAI-compatible server might send it."""
    deltas: list[dict[str, Any]] = [{"role": "assistant", "content": ""}]
    text, reasoning, calls = "", "", []
    name = draw(st.sampled_from(["reasoning", "reasoning_content"]))
    for said in draw(FRAGMENTS):
        deltas.append({name: said})
        reasoning += said
    for said in draw(FRAGMENTS):
        deltas.append({"content": said, **draw(st.sampled_from([{}, {"role": "assistant"}]))})
        text += said
    style = draw(st.sampled_from(["plain", "zero", "none"]))
    for index in range(draw(st.integers(0, 3))):
        fragments, called, arguments = draw(_openai_call(index, style))
        deltas += [{"tool_calls": [fragment]} for fragment in fragments]
        calls.append((called, arguments))
    reason = draw(st.sampled_from(["stop", "length", "tool_calls", None]))
    events: list[Any] = [{"choices": [{"index": 0, "delta": delta}]} for delta in deltas]
    events.append({"choices": [{"index": 0, "delta": {}, "finish_reason": reason}]})
    usage = {"prompt_tokens": 3, "completion_tokens": 9}
    events.append({"choices": [], "usage": usage})
    if reason is None or draw(st.booleans()):
        events.append("[DONE]")
    ours = "length" if reason == "length" else "tool_calls" if calls else "stop"
    return Told(events, text, calls, reasoning, ours)


def on_the_wire(told: Told, ending: str) -> str:
    """The stream's text, its lines ended by `ending`."""
    frames = [
        f"data: {event if isinstance(event, str) else json.encode(event)}" for event in told.events
    ]
    return (ending * 2).join([*frames, ""])


ODD_EVENTS = st.lists(
    st.dictionaries(
        st.sampled_from(
            [
                *("type", "index", "delta", "content_block", "message", "usage", "error"),
                *("choices", "object", "x_groq", "service_tier"),
            ]
        ),
        ANY_JSON
        | st.sampled_from(["content_block_start", "content_block_delta", "content_block_stop"])
        | st.sampled_from(["message_start", "message_delta", "message_stop", "error", "ping"])
        | st.fixed_dictionaries(
            {"type": st.sampled_from(["tool_use", "text", "thinking"]) | ANY_JSON}
        )
        | st.fixed_dictionaries({"stop_reason": ANY_JSON, "usage": ANY_JSON})
        | st.lists(
            st.fixed_dictionaries(
                {
                    "index": ANY_JSON | st.integers(0, 2),
                    "delta": ANY_JSON
                    | st.fixed_dictionaries(
                        {"content": ANY_JSON, "tool_calls": ANY_JSON | st.lists(ANY_JSON)}
                    ),
                    "finish_reason": ANY_JSON,
                }
            ),
            max_size=2,
        ),
        max_size=5,
    ),
    max_size=6,
)
"""Events that make no sense, with words in them that do."""
