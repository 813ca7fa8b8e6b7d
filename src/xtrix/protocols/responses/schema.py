"""The pydantic-core schema that a request of Responses must match.

It has types, ranges and allowed values, the same for every upstream. What only one upstream would
refuse is not checked, and fields, items, parts and tools that it does not name are allowed. Every
optional member may be null: Codex sends `"content": null` in its reasoning items.

Sources: openai-python 3.57.0, `ResponseCreateParams`; openresponses.org, edition of 2026-04-24
(both read 2026-11).
"""

from typing import Any

from pydantic_core import core_schema as cs

from xtrix.shape import (
    ANY,
    BOOL,
    COUNT,
    MODEL,
    NAME,
    OBJECT,
    STRING,
    Shape,
    either,
    items,
    known_or_any,
    mapping,
    maybe,
    members,
    must,
    number,
    one_of,
    sorted_by,
    tagged,
)

Item = dict[str, Any]

SMALLEST_OUTPUT = 16
"""The smallest limit that OpenAI accepts, in tokens."""


def item_kind(item: Item) -> str:
    """The type of an input item, which it need not contain; empty if it cannot be found out.

    An item with a role is a message. One with only an id refers to an item of an earlier answer.
    """
    kind = item.get("type")
    if kind is not None:
        return kind if isinstance(kind, str) else ""
    if "role" in item:
        return "message"
    return "item_reference" if item.keys() <= {"id", "type"} and "id" in item else ""


def _typed(kind: str, **fields: cs.TypedDictField) -> cs.CoreSchema:
    return members(type=must(one_of(kind)), **fields)


# Content parts

_BREAKPOINT = maybe(either(members(mode=maybe(STRING), ttl=maybe(STRING)), dict, ANY))
_TEXT_PART = members(text=must(STRING), prompt_cache_breakpoint=_BREAKPOINT)
_IMAGE_URL = either(STRING, str, members(url=must(STRING), detail=maybe(STRING)))
_PARTS = {
    "input_text": _TEXT_PART,
    "output_text": _TEXT_PART,
    "text": _TEXT_PART,
    "refusal": members(refusal=must(STRING)),
    "input_image": members(
        image_url=maybe(_IMAGE_URL),
        file_id=maybe(STRING),
        detail=maybe(STRING),
        prompt_cache_breakpoint=_BREAKPOINT,
    ),
    "input_file": members(
        file_data=maybe(STRING),
        file_url=maybe(STRING),
        file_id=maybe(STRING),
        filename=maybe(STRING),
        prompt_cache_breakpoint=_BREAKPOINT,
    ),
    "input_audio": members(input_audio=must(members(data=must(STRING), format=must(STRING)))),
}
_CONTENT = either(items(known_or_any("type", _PARTS)), list, STRING)

# Tools

_FUNCTION = _typed(
    "function",
    name=must(NAME),
    description=maybe(STRING),
    parameters=maybe(OBJECT),
    strict=maybe(BOOL),
    defer_loading=maybe(BOOL),
)
_CUSTOM = _typed(
    "custom",
    name=must(NAME),
    description=maybe(STRING),
    format=maybe(
        tagged(
            "type",
            {
                "text": _typed("text"),
                "grammar": _typed(
                    "grammar", syntax=must(one_of("lark", "regex")), definition=must(STRING)
                ),
            },
        )
    ),
    defer_loading=maybe(BOOL),
)
_NAMESPACE = _typed(
    "namespace",
    name=must(NAME),
    description=maybe(STRING),
    tools=must(items(tagged("type", {"function": _FUNCTION, "custom": _CUSTOM}))),
)
_TOOL_SEARCH = _typed(
    "tool_search",
    execution=maybe(one_of("server", "client")),
    description=maybe(STRING),
    parameters=maybe(OBJECT),
)
_TOOLS = items(
    known_or_any(
        "type",
        {
            "function": _FUNCTION,
            "custom": _CUSTOM,
            "namespace": _NAMESPACE,
            "tool_search": _TOOL_SEARCH,
        },
    )
)
_NAMED = {"name": must(NAME), "namespace": maybe(STRING)}
_TOOL_CHOICE = either(
    known_or_any(
        "type",
        {
            "function": _typed("function", **_NAMED),
            "custom": _typed("custom", **_NAMED),
            "allowed_tools": _typed(
                "allowed_tools",
                mode=must(one_of("auto", "required")),
                tools=must(
                    items(members(type=maybe(STRING), name=maybe(STRING), namespace=maybe(STRING)))
                ),
            ),
        },
    ),
    dict,
    one_of("none", "auto", "required"),
)

# Settings

_REASONING = members(
    effort=maybe(one_of("none", "minimal", "low", "medium", "high", "xhigh", "max")),
    summary=maybe(STRING),
    generate_summary=maybe(STRING),
)
_TEXT = members(
    format=maybe(
        tagged(
            "type",
            {
                "text": _typed("text"),
                "json_object": _typed("json_object"),
                "json_schema": _typed(
                    "json_schema",
                    name=must(cs.str_schema(strict=True, pattern=r"^[a-zA-Z0-9_-]{1,64}$")),
                    schema=must(OBJECT),
                    description=maybe(STRING),
                    strict=maybe(BOOL),
                ),
            },
        )
    ),
    verbosity=maybe(one_of("low", "medium", "high")),
)

# Items

_OUTPUT = members(call_id=must(STRING), output=must(_CONTENT))
_ITEMS = {
    "message": members(
        role=must(one_of("user", "assistant", "system", "developer")), content=must(_CONTENT)
    ),
    "function_call": members(
        call_id=must(STRING), name=must(NAME), arguments=must(STRING), namespace=maybe(STRING)
    ),
    "custom_tool_call": members(
        call_id=must(STRING), name=must(NAME), input=must(STRING), namespace=maybe(STRING)
    ),
    "function_call_output": _OUTPUT,
    "custom_tool_call_output": _OUTPUT,
    "reasoning": members(
        summary=maybe(items(members(text=must(STRING)))),
        content=maybe(items(OBJECT)),
        encrypted_content=maybe(STRING),
    ),
    "item_reference": members(id=must(STRING)),
    "tool_search_call": members(
        call_id=maybe(STRING), execution=maybe(STRING), arguments=maybe(OBJECT)
    ),
    "tool_search_output": members(
        call_id=maybe(STRING), execution=maybe(STRING), tools=maybe(_TOOLS)
    ),
    "additional_tools": members(tools=must(_TOOLS)),
    "configuration_update": members(reasoning=maybe(_REASONING), text=maybe(_TEXT)),
    "compaction": members(encrypted_content=must(STRING)),
}
_INPUT = either(
    items(sorted_by(item_kind, _ITEMS), low=1), list, cs.str_schema(strict=True, min_length=1)
)
_TEXTS = cs.str_schema(strict=True, max_length=512)

REQUEST_SCHEMA = members(
    model=maybe(MODEL),
    input=maybe(_INPUT),
    instructions=maybe(STRING),
    max_output_tokens=maybe(cs.int_schema(strict=True, ge=SMALLEST_OUTPUT)),
    max_tool_calls=maybe(cs.int_schema(strict=True, ge=1)),
    temperature=maybe(number(0, 2)),
    top_p=maybe(number(0, 1)),
    presence_penalty=maybe(number(-2, 2)),
    frequency_penalty=maybe(number(-2, 2)),
    top_logprobs=maybe(cs.int_schema(strict=True, ge=0, le=20)),
    text=maybe(_TEXT),
    reasoning=maybe(_REASONING),
    tools=maybe(_TOOLS),
    tool_choice=maybe(_TOOL_CHOICE),
    parallel_tool_calls=maybe(BOOL),
    stream=maybe(BOOL),
    stream_options=maybe(members(include_obfuscation=maybe(BOOL))),
    include=maybe(items(STRING)),
    store=maybe(BOOL),
    previous_response_id=maybe(STRING),
    conversation=maybe(either(STRING, str, OBJECT)),
    background=maybe(BOOL),
    prompt=maybe(OBJECT),
    truncation=maybe(one_of("auto", "disabled")),
    metadata=maybe(mapping(_TEXTS, high=16)),
    prompt_cache_key=maybe(STRING),
    prompt_cache_options=maybe(members(mode=maybe(STRING), ttl=maybe(STRING))),
    safety_identifier=maybe(STRING),
    user=maybe(STRING),
    service_tier=maybe(STRING),
    thinking=maybe(OBJECT),
    top_k=maybe(COUNT),
    cache_control=maybe(OBJECT),
)
"""The schema of the request."""

REQUEST = Shape(REQUEST_SCHEMA)
