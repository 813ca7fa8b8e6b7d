"""The pydantic-core schema that a request of Messages must match before it is translated.

It has the types of everything that `request` and its neighbours read, and the allowed values.
Block, tool and source types that it does not name are allowed; the code that reads them judges
them. A request that is passed on is not checked with it, because the upstream does that.

Source: platform.claude.com/docs/en/api/messages, anthropic-python 2.14.0 (read 2026-11).
"""

from pydantic_core import SchemaValidator, ValidationError
from pydantic_core import core_schema as cs

from xtrix.prompt import Json
from xtrix.protocols.messages.errors import invalid
from xtrix.shape import (
    BOOL,
    COUNT,
    LONGEST_ECHO,
    NAME,
    OBJECT,
    STRING,
    either,
    items,
    known_or_any,
    maybe,
    members,
    must,
    number,
    one_of,
    sorted_by,
    steps_of,
    tagged,
)

EFFORTS = ("low", "medium", "high", "xhigh", "max")
WEB_SEARCH = "web_search_"
CUSTOM = "custom"
MOST_MESSAGES = 100_000
"""The most messages of a request, as in Anthropic's API."""


def _text_or(blocks: cs.CoreSchema) -> cs.CoreSchema:
    """A string, or a list of `blocks`."""
    return either(STRING, str, items(blocks))


_CACHE = maybe(OBJECT)
_TEXT = members(text=must(STRING), cache_control=_CACHE)
_URL = members(url=must(STRING))
_UPLOAD = members(file_id=must(STRING))
_IMAGE = members(
    source=must(
        known_or_any(
            "type",
            {
                "base64": members(media_type=must(STRING), data=must(STRING)),
                "url": _URL,
                "file": _UPLOAD,
            },
        )
    ),
    cache_control=_CACHE,
)
_DOCUMENT = members(
    source=must(
        known_or_any(
            "type",
            {
                "base64": members(media_type=must(STRING), data=must(STRING)),
                "text": members(data=must(STRING)),
                "content": members(
                    content=must(_text_or(known_or_any("type", {"text": _TEXT, "image": _IMAGE})))
                ),
                "url": _URL,
                "file": _UPLOAD,
            },
        )
    ),
    title=maybe(STRING),
    context=maybe(STRING),
    citations=maybe(OBJECT),
    cache_control=_CACHE,
)
_SEARCH_RESULT = members(
    source=must(STRING),
    title=must(STRING),
    content=must(items(_TEXT)),
    cache_control=_CACHE,
)
_SHOWN = {
    "text": _TEXT,
    "image": _IMAGE,
    "document": _DOCUMENT,
    "search_result": _SEARCH_RESULT,
}
_TOOL_REFERENCE = members(tool_name=must(NAME))
_TOOL_RESULT = members(
    tool_use_id=must(NAME),
    content=maybe(_text_or(known_or_any("type", {**_SHOWN, "tool_reference": _TOOL_REFERENCE}))),
    is_error=maybe(BOOL),
    cache_control=_CACHE,
)
_CUSTOM_TOOL = members(
    name=must(cs.str_schema(strict=True, min_length=1, max_length=128)),
    input_schema=must(OBJECT),
    description=maybe(STRING),
    strict=maybe(BOOL),
    defer_loading=maybe(BOOL),
    cache_control=_CACHE,
)
_WEB_SEARCH_TOOL = members(
    allowed_domains=maybe(items(STRING)),
    blocked_domains=maybe(items(STRING)),
    max_uses=maybe(COUNT),
    user_location=maybe(
        members(
            city=maybe(STRING),
            region=maybe(STRING),
            country=maybe(STRING),
            timezone=maybe(STRING),
        )
    ),
)


def tool_kind(tool: Json) -> str:
    """The kind of a tool: `custom`, `web_search_` for each of that family, or its own type."""
    kind = tool.get("type")
    if kind is None:
        return CUSTOM
    if isinstance(kind, str) and kind.startswith(WEB_SEARCH):
        return WEB_SEARCH
    return str(kind)


_TOOL = sorted_by(tool_kind, {CUSTOM: _CUSTOM_TOOL, WEB_SEARCH: _WEB_SEARCH_TOOL})
_CHANGED_TOOL = members(
    tool=must(
        known_or_any(
            "type",
            {
                "tool_reference": members(name=must(NAME)),
                "tool_definition": members(definition=must(_TOOL)),
            },
        )
    )
)
_CHANGES = {"tool_addition": _CHANGED_TOOL, "tool_removal": _CHANGED_TOOL}
_BLOCKS = {
    **_SHOWN,
    **_CHANGES,
    "tool_result": _TOOL_RESULT,
    "tool_use": members(id=must(NAME), name=must(NAME), input=must(OBJECT), cache_control=_CACHE),
    "thinking": members(thinking=must(STRING), signature=maybe(STRING)),
    "redacted_thinking": members(data=must(STRING)),
    "compaction": members(
        content=maybe(STRING),
        tool_changes=maybe(items(known_or_any("type", _CHANGES))),
    ),
}
_CONTENT = _text_or(known_or_any("type", _BLOCKS))
_EFFORT = maybe(one_of(*EFFORTS))
_MESSAGE = tagged(
    "role",
    {
        "user": members(content=must(_CONTENT)),
        "assistant": members(content=must(_CONTENT)),
        "system": members(
            content=maybe(_CONTENT),
            clear_at=maybe(one_of("next_user_message", "never")),
            output_config=maybe(members(effort=_EFFORT)),
        ),
    },
)
_PARALLEL = maybe(BOOL)
REQUEST_SCHEMA = members(
    messages=must(items(_MESSAGE, 1, MOST_MESSAGES)),
    system=maybe(_text_or(known_or_any("type", {"text": _TEXT}))),
    max_tokens=maybe(COUNT),
    stop_sequences=maybe(items(STRING)),
    temperature=maybe(number(0, 1)),
    top_p=maybe(number(0, 1)),
    top_k=maybe(COUNT),
    tools=maybe(items(_TOOL)),
    tool_choice=maybe(
        tagged(
            "type",
            {
                "auto": members(disable_parallel_tool_use=_PARALLEL),
                "any": members(disable_parallel_tool_use=_PARALLEL),
                "tool": members(name=must(NAME), disable_parallel_tool_use=_PARALLEL),
                "none": members(),
            },
        )
    ),
    thinking=maybe(
        known_or_any(
            "type", {"enabled": members(budget_tokens=must(cs.int_schema(strict=True, ge=1024)))}
        )
    ),
    output_config=maybe(
        members(
            effort=_EFFORT,
            format=maybe(tagged("type", {"json_schema": members(schema=must(OBJECT))})),
        )
    ),
    metadata=maybe(members(user_id=maybe(STRING))),
    service_tier=maybe(one_of("auto", "standard_only")),
    cache_control=_CACHE,
    thread=maybe(members(type=must(STRING))),
)
"""The schema of the request."""

_REQUEST = SchemaValidator(REQUEST_SCHEMA)


def check(fields: Json) -> None:
    """Raises ClientError for the first fault in a request's shape."""
    try:
        _REQUEST.validate_python(fields)
    except ValidationError as failure:
        fault = failure.errors(include_url=False)[0]
    else:
        return
    path = ".".join(str(step)[:LONGEST_ECHO] for step in steps_of(fault["loc"], REQUEST_SCHEMA))
    why = fault["msg"].replace(" after validation", "")
    why = why.removesuffix(" or object to extract fields from")
    if fault["type"].startswith("union_tag"):
        context = fault["ctx"]
        path += "." + context["discriminator"].strip("'")
        why = f"Input should be one of {context.get('expected_tags', '')}"
    if fault["type"] in {"missing", "union_tag_not_found"}:
        why = "Field required"
    raise invalid(path, why)
