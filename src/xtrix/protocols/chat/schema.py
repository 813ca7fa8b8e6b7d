"""The pydantic-core schema that a request of Chat Completions must match.

It has types, ranges and allowed values, the same for every dialect. What only one upstream would
refuse is not checked, and fields and part types that it does not name are allowed.

Source: platform.openai.com/docs/api-reference/chat (OpenAPI document 2.3.0, read 2026-11).
"""

from pydantic_core import core_schema as cs

from xtrix.shape import (
    BOOL,
    COUNT,
    MODEL,
    NAME,
    OBJECT,
    STRING,
    either,
    items,
    known_or_any,
    mapping,
    maybe,
    members,
    must,
    number,
    one_of,
    tagged,
)

_TEXT_PART = members(type=must(one_of("text")), text=must(STRING))
_PARTS = {
    "text": _TEXT_PART,
    "refusal": members(type=must(one_of("refusal")), refusal=must(STRING)),
    "image_url": members(
        type=must(one_of("image_url")),
        image_url=must(either(STRING, str, members(url=must(STRING), detail=maybe(STRING)))),
    ),
    "input_audio": members(
        type=must(one_of("input_audio")),
        input_audio=must(members(data=must(STRING), format=must(STRING))),
    ),
    "file": members(
        type=must(one_of("file")),
        file=must(members(file_data=maybe(STRING), file_id=maybe(STRING), filename=maybe(STRING))),
    ),
}
_CONTENT = either(items(known_or_any("type", _PARTS), low=1), list, STRING)
_FUNCTION_CALL = members(name=must(NAME), arguments=must(STRING))
_TOOL_CALL = known_or_any(
    "type",
    {
        "function": members(
            id=must(STRING), type=must(one_of("function")), function=must(_FUNCTION_CALL)
        ),
        "custom": members(
            id=must(STRING),
            type=must(one_of("custom")),
            custom=must(members(name=must(NAME), input=must(STRING))),
        ),
    },
)


def _message(role: str, **fields: cs.TypedDictField) -> cs.CoreSchema:
    return members(role=must(one_of(role)), name=maybe(STRING), **fields)


_MESSAGE = tagged(
    "role",
    {
        "system": _message("system", content=must(_CONTENT)),
        "developer": _message("developer", content=must(_CONTENT)),
        "user": _message("user", content=must(_CONTENT)),
        "assistant": _message(
            "assistant",
            content=maybe(_CONTENT),
            refusal=maybe(STRING),
            tool_calls=maybe(items(_TOOL_CALL)),
            function_call=maybe(_FUNCTION_CALL),
        ),
        "tool": _message("tool", content=must(_CONTENT), tool_call_id=must(STRING)),
        "function": cs.typed_dict_schema(
            {
                "role": must(one_of("function")),
                "name": must(STRING),
                "content": must(cs.nullable_schema(_CONTENT)),
            },
            extra_behavior="allow",
        ),
    },
)
_FUNCTION = members(
    name=must(NAME),
    description=maybe(STRING),
    parameters=maybe(OBJECT),
    strict=maybe(BOOL),
)
_TOOL = known_or_any(
    "type",
    {
        "function": members(type=must(one_of("function")), function=must(_FUNCTION)),
        "custom": members(
            type=must(one_of("custom")),
            custom=must(
                members(
                    name=must(NAME),
                    description=maybe(STRING),
                    format=maybe(members(type=maybe(STRING))),
                )
            ),
        ),
    },
)
_NAMED = members(name=must(NAME))
_ALLOWED_TOOL = members(
    type=maybe(STRING), name=maybe(STRING), function=maybe(_NAMED), custom=maybe(_NAMED)
)
_NAMED_TOOL = tagged(
    "type",
    {
        "function": members(type=must(one_of("function")), function=must(_NAMED)),
        "custom": members(type=must(one_of("custom")), custom=must(_NAMED)),
        "allowed_tools": members(
            type=must(one_of("allowed_tools")),
            allowed_tools=must(
                members(
                    mode=must(one_of("auto", "required")),
                    tools=must(items(_ALLOWED_TOOL)),
                )
            ),
        ),
    },
)
_TOOL_CHOICE = either(_NAMED_TOOL, dict, one_of("none", "auto", "required"))
_RESPONSE_FORMAT = tagged(
    "type",
    {
        "text": members(type=must(one_of("text"))),
        "json_object": members(type=must(one_of("json_object"))),
        "json_schema": members(
            type=must(one_of("json_schema")),
            json_schema=must(
                members(
                    name=must(STRING),
                    description=maybe(STRING),
                    schema=maybe(OBJECT),
                    strict=maybe(BOOL),
                )
            ),
        ),
    },
)


REQUEST_SCHEMA = members(
    model=maybe(MODEL),
    messages=must(items(_MESSAGE, low=1)),
    stream=maybe(BOOL),
    stream_options=maybe(members(include_usage=maybe(BOOL), include_obfuscation=maybe(BOOL))),
    temperature=maybe(number(0, 2)),
    top_p=maybe(number(0, 1)),
    max_tokens=maybe(COUNT),
    max_completion_tokens=maybe(COUNT),
    n=maybe(cs.int_schema(strict=True, ge=1, le=128)),
    stop=maybe(either(items(STRING, high=4), list, STRING)),
    presence_penalty=maybe(number(-2, 2)),
    frequency_penalty=maybe(number(-2, 2)),
    logit_bias=maybe(mapping(number(-100, 100))),
    logprobs=maybe(BOOL),
    top_logprobs=maybe(cs.int_schema(strict=True, ge=0, le=20)),
    seed=maybe(cs.int_schema(strict=True)),
    user=maybe(STRING),
    safety_identifier=maybe(STRING),
    metadata=maybe(OBJECT),
    tools=maybe(items(_TOOL, high=128)),
    tool_choice=maybe(_TOOL_CHOICE),
    parallel_tool_calls=maybe(BOOL),
    functions=maybe(items(_FUNCTION, low=1, high=128)),
    function_call=maybe(either(_NAMED, dict, one_of("none", "auto"))),
    response_format=maybe(_RESPONSE_FORMAT),
    reasoning_effort=maybe(one_of("none", "minimal", "low", "medium", "high", "xhigh", "max")),
    service_tier=maybe(STRING),
    web_search_options=maybe(
        members(
            search_context_size=maybe(STRING),
            user_location=maybe(members(approximate=maybe(OBJECT))),
        )
    ),
    modalities=maybe(items(one_of("text", "audio"))),
)
"""The schema of the request. The API's description is made from it too."""
