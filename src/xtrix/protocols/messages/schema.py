"""The request of Messages as a pydantic-core schema: what is checked before it is translated.

Knows the types of all that `request` and its neighbours read, and which words a field may hold.
Block, tool and source types that it does not name pass: what can be made of them is judged where
they are read. A request that is relayed is never checked with it: that is the upstream's to do.

Source: platform.claude.com/docs/en/api/messages, anthropic-python 2.14.0 (read 2026-11).
"""

from typing import Any

from pydantic_core import SchemaValidator, ValidationError
from pydantic_core import core_schema as cs

from xtrix.prompt import Json
from xtrix.protocols.messages.errors import invalid

EFFORTS = ("low", "medium", "high", "xhigh", "max")
WEB_SEARCH = "web_search_"
CUSTOM = "custom"

_OTHER = "other"
_FIRST = "first"
_SECOND = "second"
_STRING = cs.str_schema(strict=True)
_NAME = cs.str_schema(strict=True, min_length=1)
_BOOL = cs.bool_schema(strict=True)
_COUNT = cs.int_schema(strict=True, ge=0)
_ANY_OBJECT = cs.dict_schema(_STRING, fail_fast=True)


def _maybe(schema: cs.CoreSchema) -> cs.TypedDictField:
    return cs.typed_dict_field(cs.nullable_schema(schema), required=False)


def _must(schema: cs.CoreSchema) -> cs.TypedDictField:
    return cs.typed_dict_field(schema, required=True)


def _object(**fields: cs.TypedDictField) -> cs.CoreSchema:
    return cs.typed_dict_schema(fields, extra_behavior="ignore")


def _list(items: cs.CoreSchema) -> cs.CoreSchema:
    return cs.list_schema(items, fail_fast=True)


def _one_of(*words: str) -> cs.CoreSchema:
    return cs.literal_schema(list(words))


def _ratio() -> cs.CoreSchema:
    return cs.float_schema(strict=True, ge=0, le=1, allow_inf_nan=False)


def _known_or_any(choices: dict[str, cs.CoreSchema], otherwise: cs.CoreSchema) -> cs.CoreSchema:
    """An object whose `type` says which of `choices` it is; `otherwise` for every other type."""
    tags: dict[Any, cs.CoreSchema] = {**choices, _OTHER: otherwise}

    def tag(value: Any) -> str:
        kind = value.get("type") if isinstance(value, dict) else None
        return kind if isinstance(kind, str) and kind in choices else _OTHER

    return cs.tagged_union_schema(tags, tag)


def _text_or(items: cs.CoreSchema) -> cs.CoreSchema:
    """A string, or a list of `items`."""
    return cs.tagged_union_schema(
        {_FIRST: _STRING, _SECOND: _list(items)},
        lambda value: _FIRST if isinstance(value, str) else _SECOND,
    )


_UNKNOWN_BLOCK = _object(type=_must(_STRING))
_CACHE = _maybe(_ANY_OBJECT)
_TEXT = _object(text=_must(_STRING), cache_control=_CACHE)
_URL = _object(url=_must(_STRING))
_UPLOAD = _object(file_id=_must(_STRING))
_IMAGE = _object(
    source=_must(
        _known_or_any(
            {
                "base64": _object(media_type=_must(_STRING), data=_must(_STRING)),
                "url": _URL,
                "file": _UPLOAD,
            },
            _UNKNOWN_BLOCK,
        )
    ),
    cache_control=_CACHE,
)
_DOCUMENT = _object(
    source=_must(
        _known_or_any(
            {
                "base64": _object(media_type=_must(_STRING), data=_must(_STRING)),
                "text": _object(data=_must(_STRING)),
                "content": _object(
                    content=_must(
                        _text_or(_known_or_any({"text": _TEXT, "image": _IMAGE}, _UNKNOWN_BLOCK))
                    )
                ),
                "url": _URL,
                "file": _UPLOAD,
            },
            _UNKNOWN_BLOCK,
        )
    ),
    title=_maybe(_STRING),
    context=_maybe(_STRING),
    citations=_maybe(_ANY_OBJECT),
    cache_control=_CACHE,
)
_SEARCH_RESULT = _object(
    source=_must(_STRING),
    title=_must(_STRING),
    content=_must(_list(_TEXT)),
    cache_control=_CACHE,
)
_SHOWN = {
    "text": _TEXT,
    "image": _IMAGE,
    "document": _DOCUMENT,
    "search_result": _SEARCH_RESULT,
}
_TOOL_REFERENCE = _object(tool_name=_must(_NAME))
_TOOL_RESULT = _object(
    tool_use_id=_must(_NAME),
    content=_maybe(
        _text_or(_known_or_any({**_SHOWN, "tool_reference": _TOOL_REFERENCE}, _UNKNOWN_BLOCK))
    ),
    is_error=_maybe(_BOOL),
    cache_control=_CACHE,
)
_CUSTOM_TOOL = _object(
    name=_must(cs.str_schema(strict=True, min_length=1, max_length=128)),
    input_schema=_must(_ANY_OBJECT),
    description=_maybe(_STRING),
    strict=_maybe(_BOOL),
    defer_loading=_maybe(_BOOL),
    cache_control=_CACHE,
)
_WEB_SEARCH_TOOL = _object(
    allowed_domains=_maybe(_list(_STRING)),
    blocked_domains=_maybe(_list(_STRING)),
    max_uses=_maybe(_COUNT),
    user_location=_maybe(
        _object(
            city=_maybe(_STRING),
            region=_maybe(_STRING),
            country=_maybe(_STRING),
            timezone=_maybe(_STRING),
        )
    ),
)


def tool_kind(tool: Any) -> str:
    """What a tool is: `custom`, `web_search_` for each of that family, or its own type."""
    kind = tool.get("type") if isinstance(tool, dict) else None
    if kind is None:
        return CUSTOM
    if isinstance(kind, str) and kind.startswith(WEB_SEARCH):
        return WEB_SEARCH
    return str(kind)


_TOOL = cs.tagged_union_schema(
    {CUSTOM: _CUSTOM_TOOL, WEB_SEARCH: _WEB_SEARCH_TOOL, _OTHER: _UNKNOWN_BLOCK},
    lambda tool: kind if (kind := tool_kind(tool)) in {CUSTOM, WEB_SEARCH} else _OTHER,
)
_CHANGED_TOOL = _object(
    tool=_must(
        _known_or_any(
            {
                "tool_reference": _object(name=_must(_NAME)),
                "tool_definition": _object(definition=_must(_TOOL)),
            },
            _UNKNOWN_BLOCK,
        )
    )
)
_CHANGES = {"tool_addition": _CHANGED_TOOL, "tool_removal": _CHANGED_TOOL}
_BLOCKS = {
    **_SHOWN,
    **_CHANGES,
    "tool_result": _TOOL_RESULT,
    "tool_use": _object(
        id=_must(_NAME), name=_must(_NAME), input=_must(_ANY_OBJECT), cache_control=_CACHE
    ),
    "thinking": _object(thinking=_must(_STRING), signature=_maybe(_STRING)),
    "redacted_thinking": _object(data=_must(_STRING)),
    "compaction": _object(
        content=_maybe(_STRING),
        tool_changes=_maybe(_list(_known_or_any(_CHANGES, _UNKNOWN_BLOCK))),
    ),
}
_CONTENT = _text_or(_known_or_any(_BLOCKS, _UNKNOWN_BLOCK))
_EFFORT = _maybe(_one_of(*EFFORTS))
_MESSAGE = cs.tagged_union_schema(
    {
        "user": _object(content=_must(_CONTENT)),
        "assistant": _object(content=_must(_CONTENT)),
        "system": _object(
            content=_maybe(_CONTENT),
            clear_at=_maybe(_one_of("next_user_message", "never")),
            output_config=_maybe(_object(effort=_EFFORT)),
        ),
    },
    "role",
)
_PARALLEL = _maybe(_BOOL)
REQUEST_SCHEMA = _object(
    messages=_must(cs.list_schema(_MESSAGE, min_length=1, max_length=100_000, fail_fast=True)),
    system=_maybe(_text_or(_known_or_any({"text": _TEXT}, _UNKNOWN_BLOCK))),
    max_tokens=_maybe(_COUNT),
    stop_sequences=_maybe(_list(_STRING)),
    temperature=_maybe(_ratio()),
    top_p=_maybe(_ratio()),
    top_k=_maybe(_COUNT),
    tools=_maybe(_list(_TOOL)),
    tool_choice=_maybe(
        cs.tagged_union_schema(
            {
                "auto": _object(disable_parallel_tool_use=_PARALLEL),
                "any": _object(disable_parallel_tool_use=_PARALLEL),
                "tool": _object(name=_must(_NAME), disable_parallel_tool_use=_PARALLEL),
                "none": _object(),
            },
            "type",
        )
    ),
    thinking=_maybe(
        _known_or_any(
            {"enabled": _object(budget_tokens=_must(cs.int_schema(strict=True, ge=1024)))},
            _UNKNOWN_BLOCK,
        )
    ),
    output_config=_maybe(
        _object(
            effort=_EFFORT,
            format=_maybe(
                cs.tagged_union_schema(
                    {"json_schema": _object(schema=_must(_ANY_OBJECT))},
                    "type",
                )
            ),
        )
    ),
    metadata=_maybe(_object(user_id=_maybe(_STRING))),
    service_tier=_maybe(_one_of("auto", "standard_only")),
    cache_control=_CACHE,
    thread=_maybe(_UNKNOWN_BLOCK),
)
"""The request as pydantic-core checks it."""

_REQUEST = SchemaValidator(REQUEST_SCHEMA)


def check(fields: Json) -> None:
    """Raise ClientError for the first fault in a request's shape."""
    try:
        _REQUEST.validate_python(fields)
    except ValidationError as failure:
        fault = failure.errors(include_url=False)[0]
    else:
        return
    path = _path(fault["loc"])
    why = fault["msg"].replace(" after validation", "")
    why = why.removesuffix(" or object to extract fields from")
    if fault["type"].startswith("union_tag"):
        context = fault["ctx"]
        path += "." + context["discriminator"].strip("'")
        why = f"Input should be one of {context.get('expected_tags', '')}"
    if fault["type"] in {"missing", "union_tag_not_found"}:
        why = "Field required"
    raise invalid(path, why)


def _path(location: tuple[int | str, ...]) -> str:
    """`location` in the vendor's spelling, as `messages.1.content.0.text`.

    The schema is walked along: where it has a union, the step names the union's choice, which is
    no part of the request.
    """
    steps = []
    schema: Any = REQUEST_SCHEMA
    for step in location:
        while schema.get("type") == "nullable":
            schema = schema["schema"]
        if schema.get("type") == "tagged-union":
            schema = schema["choices"][step]
            continue
        steps.append(str(step))
        field = schema.get("fields", {}).get(step, schema)
        schema = field.get("items_schema") or field.get("schema") or {}
    return ".".join(steps)
