"""Decodes a client's request of Responses: checks its shape, and makes a Prompt of it.

What a Prompt cannot express is reported as ignored if it is a hint, and refused by name if the
answer would be wrong without it.

Source: openai-python 3.57.0, `ResponseCreateParams` (read 2026-11).
"""

from collections.abc import Callable, Mapping
from typing import Any

from xtrix.errors import unsupported
from xtrix.prompt import OutputFormat, Prompt, Result, Settings, WebSearch
from xtrix.protocol import Request
from xtrix.protocols.responses.client_tools import Tools, decode_choice
from xtrix.protocols.responses.content import cache_mark
from xtrix.protocols.responses.items import TRIGGER, Conversation
from xtrix.protocols.responses.schema import REQUEST, item_kind
from xtrix.protocols.responses.state import refuse_state
from xtrix.reasoning import Carrier
from xtrix.shape import missing

Json = dict[str, Any]

_KNOWN = {
    *("model", "input", "instructions", "max_output_tokens", "temperature", "top_p", "text"),
    *("reasoning", "tools", "tool_choice", "parallel_tool_calls", "stream", "stream_options"),
    *("include", "store", "previous_response_id", "conversation", "background", "prompt"),
    *("background_options", "prompt_cache_key", "safety_identifier", "user", "service_tier"),
    *("moderation", "top_logprobs", "thinking", "top_k", "cache_control", "truncation"),
    # Fields for OpenAI only, from OpenAI's own programs. They contain ids of an installation.
    *("client_metadata", "access_programs", "image"),
}
"""Fields that are read, refused, or left out without a report."""
_EXTRAS = {
    *("presence_penalty", "frequency_penalty", "metadata"),
    *("prompt_cache_options", "prompt_cache_retention"),
    # Anthropic's own parameters.
    *("container", "mcp_servers", "betas"),
}
"""Fields that another protocol may have under the same name."""
_NAMES = {
    "messages": "input",
    "messages.thinking": "input.reasoning",
    "max_tokens": "max_output_tokens",
    "effort": "reasoning.effort",
    "format": "text.format",
    "verbosity": "text.verbosity",
    "session": "prompt_cache_key",
    "parallel_calls": "parallel_tool_calls",
    "choice": "tool_choice",
    "cache": "cache_control",
}
_REASONING_HINTS = ("context", "mode")
_LOGPROBS = "message.output_text.logprobs"


def decode_request(body: bytes, headers: Mapping[str, str], default_model: str) -> Request:
    """The request in `body`, with a model. Raises ClientError."""
    return decode_any(body, headers, default_model, refuse_state)


def decode_any(
    body: bytes,
    headers: Mapping[str, str],
    default_model: str,
    refuse: Callable[[Json], None],
) -> Request:
    """Like `decode_request`. `refuse` raises ClientError for references that are not possible."""
    fields = REQUEST.decode(body)
    fields["model"] = fields.get("model") or default_model
    refuse(fields)
    if fields.get("input") is None and not fields.get("previous_response_id"):
        raise missing("input")
    return Request(
        fields,
        body,
        fields["model"],
        bool(fields.get("stream")),
        headers,
        compacts=ends_in_trigger(fields["input"]),
        session=fields.get("prompt_cache_key") or fields.get("user"),
    )


def ends_in_trigger(given: str | list[Json]) -> bool:
    """Whether an input ends in the item that asks for a summary of everything before it."""
    return isinstance(given, list) and bool(given) and item_kind(given[-1]) == TRIGGER


def decode_prompt(request: Request, carrier: Carrier) -> Prompt:
    """`request` as a Prompt. Raises ClientError."""
    fields = {name: value for name, value in request.fields.items() if value is not None}
    if fields.get("moderation"):
        raise unsupported("moderation", "the upstream has nothing like it.")
    tools = Tools()
    tools.add(fields.get("tools", []), "tools")
    conversation = Conversation(tools, carrier)
    conversation.instruct(fields.get("instructions"))
    conversation.take(fields["input"])
    for name, update in conversation.updates.items():
        fields[name] = fields.get(name, {}) | update
    offered = tools.all()
    search = _limited(tools.web_search, fields.get("max_tool_calls"))
    if search:
        fields.pop("max_tool_calls", None)
    ignored = {*tools.ignored, *conversation.ignored, *_hints(fields)}
    return Prompt(
        turns=conversation.turns,
        tools=offered,
        choice=decode_choice(fields.get("tool_choice"), offered),
        settings=_settings(fields, search),
        stream=request.stream,
        extras=_extras(fields),
        names=_names(fields),
        cache=_cache(fields),
        implicit_cache=_caches_unasked(fields, conversation),
        ignored=tuple(sorted(ignored)),
    )


def _limited(search: WebSearch | None, most: int | None) -> WebSearch | None:
    """`search`, as often as the client allows calls of the provider's tools."""
    if search is None or most is None:
        return search
    return search._replace(max_uses=most, hints=(*search.hints, "max_tool_calls"))


def _settings(fields: Json, search: WebSearch | None) -> Settings:
    text = fields.get("text", {})
    return Settings(
        max_tokens=fields.get("max_output_tokens"),
        temperature=fields.get("temperature"),
        top_p=fields.get("top_p"),
        top_k=fields.get("top_k"),
        effort=fields.get("reasoning", {}).get("effort"),
        thinking=fields.get("thinking"),
        format=_format(text.get("format")),
        verbosity=text.get("verbosity"),
        user=fields.get("safety_identifier") or fields.get("user") or None,
        session=fields.get("prompt_cache_key"),
        service_tier=fields.get("service_tier"),
        parallel_calls=fields.get("parallel_tool_calls"),
        web_search=search,
    )


def _format(fields: Json | None) -> OutputFormat | None:
    if fields is None or fields["type"] == "text":
        return None
    if fields["type"] == "json_object":
        return OutputFormat("json_object", path="text.format")
    return OutputFormat(
        "json_schema",
        fields["name"],
        fields["schema"],
        fields.get("strict"),
        fields.get("description"),
        path="text.format",
    )


def _names(fields: Json) -> dict[str, str]:
    user = "safety_identifier" if fields.get("safety_identifier") else "user"
    logprobs = "top_logprobs" if fields.get("top_logprobs") else "include"
    return {**_NAMES, "user": user, "logprobs": logprobs}


def _extras(fields: Json) -> Json:
    extras = {name: fields[name] for name in _EXTRAS if name in fields}
    most = fields.get("top_logprobs", 0)
    if most or _LOGPROBS in fields.get("include", ()):
        extras["logprobs"] = True
    if most:
        extras["top_logprobs"] = most
    return extras


def _hints(fields: Json) -> set[str]:
    """The client's names of parameters that no other protocol has.

    Parameters at their default are not among them.
    """
    reasoning = fields.get("reasoning", {})
    hints = {f"reasoning.{name}" for name in _REASONING_HINTS if reasoning.get(name)}
    if fields.get("truncation") == "auto":
        hints.add("truncation")
    unknown = fields.keys() - _KNOWN - _EXTRAS
    return hints | {name for name in unknown if fields[name]}


def _cache(fields: Json) -> Json | None:
    """The cache mark on the whole request: the client's own, or one for a retention time."""
    mark = fields.get("cache_control")
    options = fields.get("prompt_cache_options", {})
    if mark or not options.get("ttl") or options.get("mode") == "explicit":
        return mark or None
    return cache_mark(options)


def _caches_unasked(fields: Json, conversation: Conversation) -> bool:
    """Whether OpenAI would cache unasked: it does, unless the client marks what to cache."""
    if fields.get("prompt_cache_options", {}).get("mode") == "explicit":
        return False
    blocks = [block for turn in conversation.turns for block in turn.blocks]
    inner = (part for block in blocks if isinstance(block, Result) for part in block.content)
    return not any(block.cache for block in (*blocks, *inner))
