"""The request of Chat Completions as a pydantic-core schema: what is checked at the door.

Knows types, ranges and which words a field may hold, for every dialect alike. Refuses to judge
what only one upstream minds, and passes over fields and part types it does not name.

Source: platform.openai.com/docs/api-reference/chat (OpenAPI document 2.3.0, read 2026-11).
"""

from typing import Any

from pydantic_core import core_schema as cs

# The schema. `_maybe` is a field that may be absent or null, `_must` one that may be neither.


def _maybe(schema: cs.CoreSchema) -> cs.TypedDictField:
    return cs.typed_dict_field(cs.nullable_schema(schema), required=False)


def _must(schema: cs.CoreSchema) -> cs.TypedDictField:
    return cs.typed_dict_field(schema, required=True)


def _object(**fields: cs.TypedDictField) -> cs.CoreSchema:
    return cs.typed_dict_schema(fields, extra_behavior="allow")


def _list(items: cs.CoreSchema, low: int | None = None, high: int | None = None) -> cs.CoreSchema:
    """A list of `low` to `high` items, given up at the first wrong one.

    A fault costs some 400 bytes, and a small body has room for a million.
    """
    return cs.list_schema(items, min_length=low, max_length=high, fail_fast=True)


def _map(values: cs.CoreSchema | None = None) -> cs.CoreSchema:
    """An object whose keys are the client's, given up at its first wrong value as `_list` is."""
    return cs.dict_schema(_STRING, values, fail_fast=True)


def _one_of(*words: str) -> cs.CoreSchema:
    return cs.literal_schema(list(words))


def _tagged(field: str, choices: dict[str, cs.CoreSchema]) -> cs.CoreSchema:
    """An object whose `field` says which of `choices` it is; unknown tags are refused."""
    return cs.tagged_union_schema(choices, field)


def _known_or_any(field: str, choices: dict[str, cs.CoreSchema]) -> cs.CoreSchema:
    """As `_tagged`, but an unknown tag is a dialect's to judge."""
    tags: dict[Any, cs.CoreSchema] = {**choices, _OTHER: _object(**{field: _must(_STRING)})}

    def tag(value: Any) -> str:
        said = value.get(field) if isinstance(value, dict) else None
        return said if isinstance(said, str) and said in choices else _OTHER

    return cs.tagged_union_schema(tags, tag)


def _either(schema: cs.CoreSchema, kind: type, otherwise: cs.CoreSchema) -> cs.CoreSchema:
    """`schema` for a value of `kind`, else `otherwise`: one clear error instead of one for each."""
    return cs.tagged_union_schema(
        {"first": schema, "second": otherwise},
        lambda value: "first" if isinstance(value, kind) else "second",
    )


_OTHER = "other"
_STRING = cs.str_schema(strict=True)
_BOOL = cs.bool_schema(strict=True)
_COUNT = cs.int_schema(strict=True, ge=0)
_ANY_OBJECT = _map()
_TEXT_PART = _object(type=_must(_one_of("text")), text=_must(_STRING))
_PARTS = {
    "text": _TEXT_PART,
    "refusal": _object(type=_must(_one_of("refusal")), refusal=_must(_STRING)),
    "image_url": _object(
        type=_must(_one_of("image_url")),
        image_url=_must(_either(_STRING, str, _object(url=_must(_STRING), detail=_maybe(_STRING)))),
    ),
    "input_audio": _object(
        type=_must(_one_of("input_audio")),
        input_audio=_must(_object(data=_must(_STRING), format=_must(_STRING))),
    ),
    "file": _object(
        type=_must(_one_of("file")),
        file=_must(
            _object(file_data=_maybe(_STRING), file_id=_maybe(_STRING), filename=_maybe(_STRING))
        ),
    ),
}
_CONTENT = _either(_list(_known_or_any("type", _PARTS), low=1), list, _STRING)
_NAME = cs.str_schema(strict=True, min_length=1)
_FUNCTION_CALL = _object(name=_must(_NAME), arguments=_must(_STRING))
_TOOL_CALL = _known_or_any(
    "type",
    {
        "function": _object(
            id=_must(_STRING), type=_must(_one_of("function")), function=_must(_FUNCTION_CALL)
        ),
        "custom": _object(
            id=_must(_STRING),
            type=_must(_one_of("custom")),
            custom=_must(_object(name=_must(_NAME), input=_must(_STRING))),
        ),
    },
)


def _message(role: str, **fields: cs.TypedDictField) -> cs.CoreSchema:
    return _object(role=_must(_one_of(role)), name=_maybe(_STRING), **fields)


_MESSAGE = _tagged(
    "role",
    {
        "system": _message("system", content=_must(_CONTENT)),
        "developer": _message("developer", content=_must(_CONTENT)),
        "user": _message("user", content=_must(_CONTENT)),
        "assistant": _message(
            "assistant",
            content=_maybe(_CONTENT),
            refusal=_maybe(_STRING),
            tool_calls=_maybe(_list(_TOOL_CALL)),
            function_call=_maybe(_FUNCTION_CALL),
        ),
        "tool": _message("tool", content=_must(_CONTENT), tool_call_id=_must(_STRING)),
        "function": cs.typed_dict_schema(
            {
                "role": _must(_one_of("function")),
                "name": _must(_STRING),
                "content": _must(cs.nullable_schema(_CONTENT)),
            },
            extra_behavior="allow",
        ),
    },
)
_FUNCTION = _object(
    name=_must(_NAME),
    description=_maybe(_STRING),
    parameters=_maybe(_ANY_OBJECT),
    strict=_maybe(_BOOL),
)
_TOOL = _known_or_any(
    "type",
    {
        "function": _object(type=_must(_one_of("function")), function=_must(_FUNCTION)),
        "custom": _object(
            type=_must(_one_of("custom")),
            custom=_must(
                _object(
                    name=_must(_NAME),
                    description=_maybe(_STRING),
                    format=_maybe(_object(type=_maybe(_STRING))),
                )
            ),
        ),
    },
)
_NAMED = _object(name=_must(_NAME))
_ALLOWED_TOOL = _object(
    type=_maybe(_STRING), name=_maybe(_STRING), function=_maybe(_NAMED), custom=_maybe(_NAMED)
)
_NAMED_TOOL = _tagged(
    "type",
    {
        "function": _object(type=_must(_one_of("function")), function=_must(_NAMED)),
        "custom": _object(type=_must(_one_of("custom")), custom=_must(_NAMED)),
        "allowed_tools": _object(
            type=_must(_one_of("allowed_tools")),
            allowed_tools=_must(
                _object(
                    mode=_must(_one_of("auto", "required")),
                    tools=_must(_list(_ALLOWED_TOOL)),
                )
            ),
        ),
    },
)
_TOOL_CHOICE = _either(_NAMED_TOOL, dict, _one_of("none", "auto", "required"))
_RESPONSE_FORMAT = _tagged(
    "type",
    {
        "text": _object(type=_must(_one_of("text"))),
        "json_object": _object(type=_must(_one_of("json_object"))),
        "json_schema": _object(
            type=_must(_one_of("json_schema")),
            json_schema=_must(
                _object(
                    name=_must(_STRING),
                    description=_maybe(_STRING),
                    schema=_maybe(_ANY_OBJECT),
                    strict=_maybe(_BOOL),
                )
            ),
        ),
    },
)


def _number(low: float, high: float) -> cs.CoreSchema:
    return cs.float_schema(strict=True, ge=low, le=high, allow_inf_nan=False)


REQUEST_SCHEMA = _object(
    model=_maybe(cs.str_schema(strict=True, min_length=1, max_length=256, pattern=r"^[!-~]+$")),
    messages=_must(_list(_MESSAGE, low=1)),
    stream=_maybe(_BOOL),
    stream_options=_maybe(_object(include_usage=_maybe(_BOOL), include_obfuscation=_maybe(_BOOL))),
    temperature=_maybe(_number(0, 2)),
    top_p=_maybe(_number(0, 1)),
    max_tokens=_maybe(_COUNT),
    max_completion_tokens=_maybe(_COUNT),
    n=_maybe(cs.int_schema(strict=True, ge=1, le=128)),
    stop=_maybe(_either(_list(_STRING, high=4), list, _STRING)),
    presence_penalty=_maybe(_number(-2, 2)),
    frequency_penalty=_maybe(_number(-2, 2)),
    logit_bias=_maybe(_map(_number(-100, 100))),
    logprobs=_maybe(_BOOL),
    top_logprobs=_maybe(cs.int_schema(strict=True, ge=0, le=20)),
    seed=_maybe(cs.int_schema(strict=True)),
    user=_maybe(_STRING),
    safety_identifier=_maybe(_STRING),
    metadata=_maybe(_ANY_OBJECT),
    tools=_maybe(_list(_TOOL, high=128)),
    tool_choice=_maybe(_TOOL_CHOICE),
    parallel_tool_calls=_maybe(_BOOL),
    functions=_maybe(_list(_FUNCTION, low=1, high=128)),
    function_call=_maybe(_either(_NAMED, dict, _one_of("none", "auto"))),
    response_format=_maybe(_RESPONSE_FORMAT),
    reasoning_effort=_maybe(_one_of("none", "minimal", "low", "medium", "high", "xhigh", "max")),
    service_tier=_maybe(_STRING),
    web_search_options=_maybe(
        _object(
            search_context_size=_maybe(_STRING),
            user_location=_maybe(_object(approximate=_maybe(_ANY_OBJECT))),
        )
    ),
    modalities=_maybe(_list(_one_of("text", "audio"))),
)
"""The request as pydantic-core checks it; the API's description is made from it too."""
