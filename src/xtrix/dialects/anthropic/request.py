"""A Chat Completions request as a Messages request.

The body is built from what is known here and from nothing else: an unknown field never reaches the
upstream. What the upstream cannot do is refused by name where the answer would be wrong without
it, and listed as ignored where it is a hint.

Source: platform.claude.com/docs/en/api/messages, read 2026-11.
"""

import hashlib
from collections.abc import Iterator
from typing import Any

from xtrix import json
from xtrix.completions import Request, says_something
from xtrix.dialect import Asked, Encoded
from xtrix.dialects.anthropic import tools as tool
from xtrix.dialects.anthropic.extensions import (
    BETA_HEADER,
    EXTENSIONS,
    check_thinking,
    encode_betas,
    encode_extensions,
)
from xtrix.dialects.anthropic.families import family_of
from xtrix.dialects.anthropic.messages import Conversation
from xtrix.dialects.anthropic.output import encode_format
from xtrix.dialects.anthropic.schemas import MOST_STRICT_TOOLS
from xtrix.dialects.anthropic.thinking import budget_of, encode_effort, is_exact
from xtrix.errors import unsupported
from xtrix.http import UpstreamRequest
from xtrix.providers import Family, Provider, Target

Body = dict[str, Any]

VERSION = "2023-06-01"
DEFAULT_MAX_TOKENS = 8192
"""What an absent `max_tokens` means: Anthropic wants one."""
MOST_CACHE_MARKS = 4
SEARCH_TOOL = "web_search"

_MAPPED = {
    *("model", "messages", "stream", "stream_options", "max_tokens", "max_completion_tokens"),
    *("temperature", "top_p", "stop", "tools", "tool_choice", "parallel_tool_calls"),
    *("functions", "function_call", "response_format", "user", "safety_identifier"),
    *("reasoning_effort", "service_tier", "n", "logprobs", "top_logprobs", "modalities", "audio"),
    *("top_k", "thinking", "cache_control", "web_search_options", "betas", *EXTENSIONS),
}
_SAMPLING = ("temperature", "top_p", "top_k")
_FORCED = {"any", "tool"}
_TIERS = {"auto": "auto", "default": "standard_only"}
_SEARCHES = {"low": 1, "medium": 5, "high": 10}


def encode_request(request: Request, target: Target) -> Encoded:
    """`request` for `target`. Raises ClientError."""
    said = {key: value for key, value in request.items() if value is not None}
    _refuse(said)
    check_thinking(said)
    family = family_of(target.model, target.provider.families)
    encoding = _Encoding(said, family)
    body = {"model": target.model, **encoding.body()}
    text = json.encode_body(body)
    # Most requests have neither, and the text tells so faster than its blocks.
    if b'"cache_control"' in text:
        _limit_cache_marks(body)
        text = json.encode_body(body)
    cites = b'"citations"' in text and any("citations" in it for it in _blocks(body["messages"]))
    call = UpstreamRequest(
        url=f"{target.provider.base_url}/messages",
        headers=_headers(target.provider, said),
        body=text,
        binding=target.provider.binding,
    )
    limit = None if encoding.is_limited else body["max_tokens"]
    return Encoded(call, tuple(sorted(encoding.ignored)), encoding.asked(cites=cites), limit)


def _refuse(said: Body) -> None:
    """Raise ClientError for what would make the answer wrong if it were left out."""
    if said.get("n", 1) != 1:
        raise unsupported("n", "the upstream gives one choice.", value=True)
    for name in ("logprobs", "top_logprobs"):
        if said.get(name):
            raise unsupported(name, "the upstream gives no log probabilities.")
    if "audio" in said.get("modalities", ()):
        raise unsupported("modalities", "the upstream model gives no audio.", value=True)
    for name in ("audio", "moderation"):
        if said.get(name):
            raise unsupported(name, "the upstream has nothing like it.")


class _Encoding:
    """One request on its way into Anthropic's form."""

    def __init__(self, said: Body, family: Family) -> None:
        self.ignored = {
            name
            for name, value in said.items()
            if name not in _MAPPED and says_something(name, value)
        }
        """The client's parameters that are left out or changed."""
        self.ignored |= _ignored_in(said["messages"])
        self._said = said
        self._family = family
        tools = tool.client_tools(said)
        tool.check_names(tools)
        tool.check_choice(said, tools)
        self._client_tools = tool.allowed(tools, said)
        self._output = encode_format(said.get("response_format"), family)
        names = filter(None, map(tool.tool_name, self._client_tools))
        self._names = tool.ToolNames(names, self._reserved())
        self._conversation = _conversation(said["messages"], family, self._names)

    def body(self) -> Body:
        """The Messages request, all but its model."""
        turns = self._conversation.turns
        body: Body = {"max_tokens": self._max_tokens(), "messages": turns}
        system = [*self._conversation.system, *self._output.system]
        if system:
            body["system"] = system
        if self._said.get("stream"):
            body["stream"] = True
        body |= self._tools()
        body |= self._thinking(body)
        if self._output.config:
            body["output_config"] = body.get("output_config", {}) | self._output.config
        thinking = body.get("thinking") or {}
        body |= self._sampling(thinks=thinking.get("type") not in {None, "disabled"})
        body |= encode_extensions(self._said)
        return body | self._extras()

    def asked(self, *, cites: bool) -> Asked:
        """How the answer is to be read. `cites` when a document asks for citations."""
        return Asked(
            tool_names=self._names.rewritten(),
            custom_tools=frozenset(
                tool.tool_name(each) for each in self._client_tools if each["type"] == "custom"
            ),
            answer_tool=self._output.tool["name"] if self._output.tool else None,
            cited="web_search_options" in self._said or cites,
            functions="functions" in self._said and not self._said.get("tools"),
        )

    def _reserved(self) -> Iterator[str]:
        """The names of the tools that are not the client's own."""
        yield from tool.own_names(self._client_tools)
        if "web_search_options" in self._said:
            yield SEARCH_TOOL
        if self._output.tool:
            yield self._output.tool["name"]

    @property
    def is_limited(self) -> bool:
        """Whether the client says how long the answer may be."""
        return "max_tokens" in self._said or "max_completion_tokens" in self._said

    def _max_tokens(self) -> int:
        said = self._said
        name = "max_completion_tokens" if "max_completion_tokens" in said else "max_tokens"
        # What a model may think comes on top of what it may answer by default.
        budget = said.get("thinking", {}).get("budget_tokens")
        if budget is None:
            budget = budget_of(said.get("reasoning_effort"), self._family)
        wanted: int = said.get(name, DEFAULT_MAX_TOKENS + budget)
        if name in said and wanted > self._family.max_output:
            self.ignored.add(name)
        return min(wanted, self._family.max_output)

    def _tools(self) -> Body:
        """`tools` and `tool_choice`, as far as there are any."""
        tools = tool.encode_tools(self._client_tools, self._names)
        most = MOST_STRICT_TOOLS if self._family.structured else 0
        if tools and tool.limit_strict(tools, most, self._output.size):
            self.ignored.add("tools.strict")
        choice = tool.encode_choice(self._said, self._names)
        if "web_search_options" in self._said:
            tools.append(_web_search(self._said["web_search_options"]))
        if self._output.tool:
            # Beside other tools the model may call any, but has to call one.
            others = tools and (choice or {}).get("type") != "none"
            name = self._output.tool["name"]
            choice = _retyped(
                choice, **({"type": "any"} if others else {"type": "tool", "name": name})
            )
            tools.append(self._output.tool)
        if not tools and self._conversation.calls:
            # Anthropic wants the tools of a history that has calls; none is to be called now.
            past = _past_tools(self._conversation.turns)
            return {"tools": past, "tool_choice": {"type": "none"}}
        if choice and choice["type"] in _FORCED and not self._family.forced_tools:
            self.ignored.add("tool_choice")
            choice = _retyped(choice, type="auto")
        return _present(tools=tools, tool_choice=choice if tools else None)

    def _thinking(self, body: Body) -> Body:
        """What asks for thinking, where the client does and the rest of the request lets it."""
        if "thinking" in self._said:
            return {"thinking": self._said["thinking"]}
        effort = self._said.get("reasoning_effort")
        asked = encode_effort(effort, self._family, body["max_tokens"])
        forced = body.get("tool_choice", {}).get("type") in _FORCED
        refused = forced or _refuses_thinking(body["messages"], self._family)
        if asked and refused and self._family.sampling != "any":
            asked.pop("thinking", None)
            self.ignored.add("reasoning_effort")
        elif effort not in {None, "none"} and not is_exact(effort, asked):
            self.ignored.add("reasoning_effort")
        return asked

    def _sampling(self, *, thinks: bool) -> Body:
        """`temperature`, `top_p` and `top_k` as far as the model takes them."""
        wanted: Body = {key: self._said[key] for key in _SAMPLING if key in self._said}
        if self._family.sampling == "any":
            return wanted
        if self._family.sampling == "none" or thinks:
            self.ignored |= {name for name, value in wanted.items() if value != 1}
            return {}
        if self._family.sampling == "one" and {"temperature", "top_p"} <= wanted.keys():
            dropped = "temperature" if wanted["temperature"] == 1 != wanted["top_p"] else "top_p"
            if wanted.pop(dropped) != 1:
                self.ignored.add(dropped)
        if wanted.get("temperature", 0) > 1:
            wanted["temperature"] = 1
            self.ignored.add("temperature")
        return wanted

    def _extras(self) -> Body:
        said = self._said
        stop = said.get("stop", [])
        stops = [stop] if isinstance(stop, str) else stop
        kept = [sequence for sequence in stops if sequence.strip()]
        if len(kept) < len(stops):
            self.ignored.add("stop")
        tier = said.get("service_tier")
        if tier and tier not in _TIERS:
            self.ignored.add("service_tier")
        user = said.get("safety_identifier") or said.get("user")
        mark = said.get("cache_control")
        return _present(
            stop_sequences=kept,
            # Anthropic refuses what looks like an address; the hash still tells users apart.
            metadata={"user_id": hashlib.sha256(user.encode()).hexdigest()} if user else None,
            service_tier=_TIERS.get(str(tier)),
            cache_control=mark if isinstance(mark, dict) else None,
        )


def _retyped(choice: Body | None, **fields: str) -> Body:
    """A tool choice of another type, that allows as many calls at once as `choice` does."""
    kept = {key: value for key, value in (choice or {}).items() if key not in {"type", "name"}}
    return {**fields, **kept}


def _present(**fields: object) -> Body:
    return {name: value for name, value in fields.items() if value}


def _conversation(messages: list[Body], family: Family, names: tool.ToolNames) -> Conversation:
    conversation = Conversation(family, names)
    for index, message in enumerate(messages):
        conversation.add(message, index)
    conversation.close(len(messages) - 1)
    return conversation


def _ignored_in(messages: list[Body]) -> set[str]:
    """What the messages say that Anthropic has no place for."""
    ignored = set()
    for message in messages:
        if message.get("name") and message["role"] != "function":
            ignored.add("messages.name")
        content = message.get("content")
        if isinstance(content, list) and any(map(_wants_detail, content)):
            ignored.add("image_url.detail")
    return ignored


def _wants_detail(part: Body) -> bool:
    image = part.get("image_url") if part["type"] == "image_url" else None
    return isinstance(image, dict) and image.get("detail") not in {None, "", "auto"}


def _blocks(turns: list[Body]) -> Iterator[Body]:
    return (block for turn in turns for block in turn["content"])


def _refuses_thinking(turns: list[Body], family: Family) -> bool:
    """Whether a model with a budget refuses to think about `turns`.

    It does where it has to go on with a text, and where the calls now answered came without the
    signed thinking that led to them: OpenAI's form has no place for the blocks.
    """
    if family.thinking != "budget":
        return False
    if turns[-1]["role"] == "assistant":
        return True
    if len(turns) < 2:
        return False
    before, last = turns[-2]["content"], turns[-1]["content"]
    answers = any(block["type"] == "tool_result" for block in last)
    return answers and before[0]["type"] not in {"thinking", "redacted_thinking"}


def _past_tools(turns: list[Body]) -> list[Body]:
    """A tool for each name that the turns call."""
    uses = (block for block in _blocks(turns) if block["type"] == "tool_use")
    called = dict.fromkeys(use["name"] for use in uses)
    schema = {"type": "object", "properties": {}}
    return [{"name": name, "input_schema": schema} for name in called]


def _web_search(said: Body) -> Body:
    """Anthropic's search tool; OpenAI's context size becomes a number of searches, as LiteLLM's."""
    search: Body = {"type": "web_search_20250305", "name": SEARCH_TOOL}
    search["max_uses"] = _SEARCHES.get(said.get("search_context_size") or "medium", 5)
    location = (said.get("user_location") or {}).get("approximate")
    if isinstance(location, dict):
        search["user_location"] = {"type": "approximate", **location}
    return search


def _limit_cache_marks(body: Body) -> None:
    """Keep the last four marks; Anthropic refuses more, and a later one covers more."""
    blocks = [*body.get("tools", ()), *body.get("system", ())]
    for block in _blocks(body["messages"]):
        inner = block.get("content")
        blocks += [*(inner if isinstance(inner, list) else ()), block]
    marked = [block for block in blocks if "cache_control" in block]
    most = MOST_CACHE_MARKS - ("cache_control" in body)
    for block in marked[: max(0, len(marked) - most)]:
        del block["cache_control"]


def _headers(provider: Provider, said: Body) -> tuple[tuple[str, str], ...]:
    """What goes with the call. Raises ClientError."""
    headers = {"content-type": "application/json", "anthropic-version": VERSION}
    if provider.key and provider.key_header == "authorization":
        headers["authorization"] = f"Bearer {provider.key}"
    elif provider.key:
        headers[provider.key_header or "x-api-key"] = provider.key
    headers |= provider.headers
    if "betas" in said:
        betas = encode_betas(said["betas"], headers.get(BETA_HEADER, ""))
        headers |= {BETA_HEADER: betas} if betas else {}
    return tuple(headers.items())
