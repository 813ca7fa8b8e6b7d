"""A Chat Completions request as a Messages request.

The body is built from what is known here and from nothing else: an unknown field never reaches the
upstream. What the upstream cannot do is refused by name where the answer would be wrong without
it, and listed as ignored where it is a hint.

Source: platform.claude.com/docs/en/api/messages, read 2026-11.
"""

import hashlib
from typing import Any, cast

from xtrix import json
from xtrix.completions import Request
from xtrix.dialect import Asked, Encoded
from xtrix.dialects.anthropic import tools as tool
from xtrix.dialects.anthropic.families import Family, family_of
from xtrix.dialects.anthropic.messages import Conversation
from xtrix.dialects.anthropic.output import Output, encode_format
from xtrix.dialects.anthropic.thinking import budget_of, encode_effort
from xtrix.errors import unsupported
from xtrix.http import UpstreamRequest
from xtrix.providers import Provider, Target

Body = dict[str, Any]

VERSION = "2023-06-01"
DEFAULT_MAX_TOKENS = 8192
"""What an absent `max_tokens` means: Anthropic wants one."""
MOST_CACHE_MARKS = 4

_MAPPED = {
    *("model", "messages", "stream", "stream_options", "max_tokens", "max_completion_tokens"),
    *("temperature", "top_p", "stop", "tools", "tool_choice", "parallel_tool_calls"),
    *("functions", "function_call", "response_format", "user", "safety_identifier"),
    *("reasoning_effort", "service_tier", "n", "logprobs", "top_logprobs", "modalities", "audio"),
    *("top_k", "thinking", "cache_control", "web_search_options"),
}
_TIERS = {"auto": "auto", "default": "standard_only"}
_SEARCHES = {"low": 1, "medium": 5, "high": 10}


def encode_request(request: Request, target: Target) -> Encoded:
    """`request` for `target`. Raises ClientError."""
    said = {key: value for key, value in request.items() if value is not None}
    _refuse(said)
    family = family_of(target.model, target.provider.families)
    ignored = {key for key, value in said.items() if key not in _MAPPED and value}
    body, asked = _body(said, family, ignored)
    body = {"model": target.model, **body}
    _limit_cache_marks(body)
    request_out = UpstreamRequest(
        url=f"{target.provider.base_url}/messages",
        headers=_headers(target.provider),
        body=json.encode(body),
        binding=target.provider.binding,
    )
    return Encoded(request_out, tuple(sorted(ignored)), asked)


def _refuse(said: Body) -> None:
    """Raise ClientError for what would make the answer wrong if it were left out."""
    if said.get("n", 1) != 1:
        raise unsupported("n", "the upstream gives one choice.", value=True)
    for name in ("logprobs", "top_logprobs"):
        if said.get(name):
            raise unsupported(name, "the upstream gives no log probabilities.")
    if "audio" in said or "audio" in said.get("modalities", ()):
        name = "audio" if "audio" in said else "modalities"
        raise unsupported(name, "the upstream model does not speak.", value=name == "modalities")


def _body(said: Body, family: Family, ignored: set[str]) -> tuple[Body, Asked]:
    client_tools = tool.allowed(tool.client_tools(said), said)
    names = tool.ToolNames(
        tool.tool_name(each) for each in client_tools if each["type"] in {"function", "custom"}
    )
    conversation = _conversation(said["messages"], family, names)
    max_tokens = _max_tokens(said, family, ignored)
    body: Body = {"max_tokens": max_tokens, "messages": conversation.turns}
    output = encode_format(said.get("response_format"), family)
    system = [*conversation.system, *output.system]
    if system:
        body["system"] = system
    if said.get("stream"):
        body["stream"] = True
    body |= _tools(said, client_tools, names, family, output)
    if output.config:
        body["output_config"] = output.config
    _think(body, said, family, ignored)
    body |= _sampling(said, family, "thinking" in body, ignored)
    body |= _extras(said, ignored)
    return body, Asked(
        tool_names=names.rewritten(),
        custom_tools=frozenset(
            tool.tool_name(each) for each in client_tools if each["type"] == "custom"
        ),
        answer_tool=output.tool["name"] if output.tool else None,
        cited="web_search_options" in said or _cites(conversation),
        functions="functions" in said,
    )


def _conversation(
    messages: list[Body], family: Family, names: tool.ToolNames
) -> Conversation:
    conversation = Conversation(family, names)
    for index, message in enumerate(messages):
        conversation.add(message, f"messages[{index}]")
    conversation.close(f"messages[{len(messages) - 1}]")
    return conversation


def _max_tokens(said: Body, family: Family, ignored: set[str]) -> int:
    name = "max_completion_tokens" if "max_completion_tokens" in said else "max_tokens"
    budget = budget_of(said.get("reasoning_effort"), family)
    wanted = cast("int", said.get(name, DEFAULT_MAX_TOKENS + budget))
    if wanted > family.max_output and name in said:
        ignored.add(name)
    return min(wanted, family.max_output)


def _tools(
    said: Body, client_tools: list[Body], names: tool.ToolNames, family: Family, output: Output
) -> Body:
    tools = tool.encode_tools(client_tools, names, strict=family.structured)
    choice = tool.encode_choice(said, names)
    if "web_search_options" in said:
        tools.append(_web_search(said["web_search_options"]))
    if output.tool:
        # Beside the client's own tools the model may call either, but has to call one.
        choice = {"type": "any"} if tools else {"type": "tool", "name": output.tool["name"]}
        tools.append(output.tool)
    if not tools and _has_calls(said["messages"]):
        # Anthropic wants the tools of a history that has calls; none are to be called now.
        tools, choice = [_PAST_TOOL], None
    if not tools:
        return {}
    if choice and choice["type"] in {"any", "tool"} and not family.forced_tools:
        raise unsupported("tool_choice", "this model cannot be made to call a tool.", value=True)
    return {"tools": tools, "tool_choice": choice} if choice else {"tools": tools}


def _think(body: Body, said: Body, family: Family, ignored: set[str]) -> None:
    """Ask for thinking, where the client does and the rest of the request lets it."""
    if isinstance(said.get("thinking"), dict):
        body["thinking"] = said["thinking"]
        return
    effort = said.get("reasoning_effort")
    asked = encode_effort(effort, family, body["max_tokens"])
    forced = body.get("tool_choice", {}).get("type") in {"any", "tool"}
    if asked and (forced or _lacks_thinking(body["messages"], family)):
        asked.pop("thinking", None)
        ignored.add("reasoning_effort")
    elif effort not in {None, "none"} and not asked:
        ignored.add("reasoning_effort")
    if "output_config" in asked:
        asked["output_config"] |= body.get("output_config", {})
    body |= asked


def _lacks_thinking(turns: list[Body], family: Family) -> bool:
    """Whether the calls now answered came without the signed thinking that led to them.

    A model with a budget refuses to go on thinking then; OpenAI's form has no place for the blocks.
    """
    if family.thinking != "budget" or len(turns) < 2:
        return False
    before, last = turns[-2]["content"], turns[-1]["content"]
    answers = any(block["type"] == "tool_result" for block in last)
    return answers and before[0]["type"] not in {"thinking", "redacted_thinking"}


def _sampling(said: Body, family: Family, thinking: bool, ignored: set[str]) -> Body:  # noqa: FBT001
    """`temperature` and `top_p` as far as the model takes them; what is changed is named."""
    wanted = {name: said[name] for name in ("temperature", "top_p", "top_k") if name in said}
    if family.sampling == "none" or thinking:
        ignored |= {name for name, value in wanted.items() if value != 1}
        return {}
    if family.sampling == "one" and "temperature" in wanted and "top_p" in wanted:
        dropped = "temperature" if wanted["temperature"] == 1 != wanted["top_p"] else "top_p"
        if wanted.pop(dropped) != 1:
            ignored.add(dropped)
    if wanted.get("temperature", 0) > 1:
        wanted["temperature"] = 1
        ignored.add("temperature")
    return wanted


def _extras(said: Body, ignored: set[str]) -> Body:
    extras: Body = {}
    stops = [said["stop"]] if isinstance(said.get("stop"), str) else said.get("stop", [])
    kept = [stop for stop in stops if stop.strip()]
    if kept:
        extras["stop_sequences"] = kept
    if len(kept) < len(stops):
        ignored.add("stop")
    user = said.get("safety_identifier") or said.get("user")
    if user:
        # Anthropic refuses what looks like a person's address; the hash still tells users apart.
        extras["metadata"] = {"user_id": hashlib.sha256(user.encode()).hexdigest()}
    tier = said.get("service_tier")
    if tier in _TIERS:
        extras["service_tier"] = _TIERS[tier]
    elif tier:
        ignored.add("service_tier")
    if isinstance(said.get("cache_control"), dict):
        extras["cache_control"] = said["cache_control"]
    return extras


_PAST_TOOL = {
    "name": "past_tool",
    "description": "Stands for tools of earlier turns. Do not call it.",
    "input_schema": {"type": "object", "properties": {}},
}


def _has_calls(messages: list[Body]) -> bool:
    return any(message.get("tool_calls") or message.get("function_call") for message in messages)


def _web_search(options: object) -> Body:
    """Anthropic's search tool; OpenAI's context size becomes a number of searches, as LiteLLM's."""
    said = options if isinstance(options, dict) else {}
    search: Body = {"type": "web_search_20250305", "name": "web_search"}
    search["max_uses"] = _SEARCHES.get(said.get("search_context_size", "medium"), 5)
    location = (said.get("user_location") or {}).get("approximate")
    if isinstance(location, dict):
        search["user_location"] = {"type": "approximate", **location}
    return search


def _cites(conversation: Conversation) -> bool:
    blocks = (block for turn in conversation.turns for block in turn["content"])
    return any("citations" in block for block in blocks)


def _limit_cache_marks(body: Body) -> None:
    """Keep the last four marks; Anthropic refuses more, and a later one covers more."""
    blocks = [*body.get("tools", ()), *body.get("system", ())]
    for turn in body["messages"]:
        blocks += turn["content"]
    marked = [block for block in blocks if "cache_control" in block]
    for block in marked[: max(0, len(marked) - MOST_CACHE_MARKS)]:
        del block["cache_control"]


def _headers(provider: Provider) -> tuple[tuple[str, str], ...]:
    headers = {"content-type": "application/json", "anthropic-version": VERSION}
    if provider.key and provider.key_header == "authorization":
        headers["authorization"] = f"Bearer {provider.key}"
    elif provider.key:
        headers[provider.key_header or "x-api-key"] = provider.key
    return tuple((headers | dict(provider.headers)).items())
