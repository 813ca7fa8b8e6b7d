"""Encodes a Prompt as a request of Messages.

The body contains only fields that are known here, so no unknown field reaches the upstream. What
the upstream cannot do is refused by name if the answer would be wrong without it. Otherwise it is
reported as ignored.

Source: platform.claude.com/docs/en/api/messages, read 2026-11.
"""

import hashlib
from collections.abc import Iterator
from typing import Any

from xtrix import json
from xtrix.answer import Expected, ToolName
from xtrix.errors import unsupported
from xtrix.http import UpstreamRequest
from xtrix.prompt import Json, Prompt, WebSearch
from xtrix.protocol import Encoded, says_something
from xtrix.protocols.messages import encode_tools as tool
from xtrix.protocols.messages.encode_turns import encode_turns
from xtrix.protocols.messages.extensions import (
    EXTENSIONS,
    check_thinking,
    encode_extensions,
)
from xtrix.protocols.messages.families import family_of
from xtrix.protocols.messages.headers import headers_of
from xtrix.protocols.messages.names import ToolNames
from xtrix.protocols.messages.output import encode_format
from xtrix.protocols.messages.schemas import MOST_STRICT_TOOLS
from xtrix.protocols.messages.thinking import budget_of, encode_effort, is_exact
from xtrix.providers import Family, Target

DEFAULT_MAX_TOKENS = 8192
"""The value for an absent `max_tokens`, which Anthropic requires."""
MOST_CACHE_MARKS = 4
SEARCH_TOOL = "web_search"

EPHEMERAL: Json = {"type": "ephemeral"}

_TAKEN = {"betas", *EXTENSIONS}
"""Further fields of the client that have a meaning here."""
_NO_LOSS = {"n", "logprobs", "top_logprobs", "modalities", "audio", "moderation"}
"""Fields that are refused elsewhere, or ask for what happens anyway."""
_UNHARMED = _TAKEN | _NO_LOSS
_SAMPLING = ("temperature", "top_p", "top_k")
_FORCED = {"any", "tool"}
_TIERS = {"auto": "auto", "default": "standard_only"}
_SEARCHES = {"low": 1, "medium": 5, "high": 10}


def encode_prompt(prompt: Prompt, target: Target) -> Encoded:
    """`prompt`, encoded for `target`. Raises ClientError."""
    _refuse(prompt)
    check_thinking(prompt.settings.thinking)
    family = family_of(target.model, target.provider.families)
    prompt = prompt.at(searches=target.provider.web_search)
    encoding = _Encoding(prompt, target, family)
    body = {"model": target.model, **encoding.body()}
    text = json.encode_body(body)
    # Most requests have none, and a search in the text is faster than a search in its blocks.
    if b'"cache_control"' in text:
        _limit_cache_marks(body)
        text = json.encode_body(body)
    cites = b'"citations"' in text and any("citations" in it for it in _blocks(body["messages"]))
    call = UpstreamRequest(
        url=f"{target.provider.base_url}/messages",
        headers=headers_of(target.provider, prompt.extras.get("betas")),
        body=text,
        binding=target.provider.binding,
    )
    limit = None if prompt.settings.max_tokens is not None else body["max_tokens"]
    ignored = tuple(sorted({*prompt.ignored, *encoding.ignored}))
    return Encoded(call, ignored, encoding.expected(cites=cites), limit)


def _refuse(prompt: Prompt) -> None:
    """Raises ClientError for fields without which the answer would be wrong."""
    extras = prompt.extras
    if not extras:
        return
    if extras.get("n", 1) != 1:
        raise unsupported("n", "the upstream gives one choice.", value=True)
    for name in ("logprobs", "top_logprobs"):
        if extras.get(name):
            raise unsupported(prompt.param(name), "the upstream gives no log probabilities.")
    if "audio" in extras.get("modalities", ()):
        raise unsupported("modalities", "the upstream model gives no audio.", value=True)
    for name in ("audio", "moderation"):
        if extras.get(name):
            raise unsupported(name, "the upstream has nothing like it.")


class _Encoding:
    """Encodes one prompt."""

    def __init__(self, prompt: Prompt, target: Target, family: Family) -> None:
        self.ignored = {
            name
            for name, value in prompt.extras.items()
            if name not in _UNHARMED and says_something(name, value)
        }
        """The client's parameters that are left out or changed."""
        self._prompt = prompt
        self._settings = prompt.settings
        self._family = family
        self._tools = tool.allowed(prompt.tools, prompt.choice)
        self._output = encode_format(prompt.settings.format, family)
        named = [(each.namespace, each.name) for each in self._tools if each.kind != "hosted"]
        self._names = ToolNames(named, self._reserved())
        self._turns = encode_turns(prompt, target, family, self._names)
        self.ignored |= self._turns.ignored
        if self._settings.verbosity:
            self._ignore("verbosity")
        if self._settings.session:
            self._ignore("session")

    def body(self) -> Json:
        """The request, without its model."""
        body: Json = {"max_tokens": self._max_tokens(), "messages": self._turns.turns}
        system = [*self._turns.system, *self._output.system]
        if system:
            body["system"] = system
        if self._prompt.stream:
            body["stream"] = True
        body |= self._tool_fields()
        body |= self._thinking(body)
        if self._output.config:
            body["output_config"] = body.get("output_config", {}) | self._output.config
        thinking = body.get("thinking") or {}
        body |= self._sampling(thinks=thinking.get("type") not in {None, "disabled"})
        body |= encode_extensions(self._prompt.extras)
        return body | self._extras()

    def expected(self, *, cites: bool) -> Expected:
        """How to read the answer; `cites` if a document asks for citations."""
        kinds = {
            (each.namespace, each.name): ToolName(each.name, each.kind, each.namespace)
            for each in self._tools
            if each.kind != "hosted"
        }
        return Expected(
            tools=self._names.table(kinds),
            answer_tool=self._output.tool["name"] if self._output.tool else None,
            cited=self._settings.web_search is not None or cites,
        )

    def _reserved(self) -> Iterator[str]:
        """The names of the tools that are not the client's own."""
        yield from tool.own_names(self._tools)
        if self._settings.web_search is not None:
            yield SEARCH_TOOL
        if self._output.tool:
            yield self._output.tool["name"]

    def _ignore(self, setting: str) -> None:
        self.ignored.add(self._prompt.param(setting))

    def _max_tokens(self) -> int:
        limit = self._settings.max_tokens
        # The default limit is for the answer, so the tokens for thinking are added to it.
        budget = (self._settings.thinking or {}).get("budget_tokens")
        if budget is None:
            budget = budget_of(self._settings.effort, self._family)
        if limit is not None and limit > self._family.max_output:
            self._ignore("max_tokens")
        wanted = DEFAULT_MAX_TOKENS + budget if limit is None else limit
        return min(wanted, self._family.max_output)

    def _tool_fields(self) -> Json:
        """`tools` and `tool_choice`, as far as there are any."""
        tools = tool.encode_tools(self._tools, self._names)
        most = MOST_STRICT_TOOLS if self._family.structured else 0
        if tools and tool.limit_strict(tools, most, self._output.size):
            self.ignored.add("tools.strict")
        parallel = self._settings.parallel_calls
        choice = tool.encode_choice(self._prompt.choice, self._names, parallel=parallel)
        if self._settings.web_search is not None:
            tools.append(_web_search(self._settings.web_search))
        if self._output.tool:
            # If there are other tools, the model may call any of them, but must call one.
            others = tools and (choice or {}).get("type") != "none"
            name = self._output.tool["name"]
            choice = _retyped(
                choice, **({"type": "any"} if others else {"type": "tool", "name": name})
            )
            tools.append(self._output.tool)
        if not tools and self._turns.has_calls:
            # Anthropic requires the tools of a history that has calls. None of them may be called
            # now.
            past = _past_tools(self._turns.turns)
            return {"tools": past, "tool_choice": {"type": "none"}}
        if choice and choice["type"] in _FORCED and not self._family.forced_tools:
            self._ignore("choice")
            choice = _retyped(choice, type="auto")
        return _present(tools=tools, tool_choice=choice if tools else None)

    def _thinking(self, body: Json) -> Json:
        """The fields that ask for thinking.

        They are empty if the client does not ask, or the rest of the request does not allow it.
        """
        thinking = self._settings.thinking
        if thinking is not None and self._output.tool and thinking["type"] != "disabled":
            # The model must call the tool whose input is the answer, and a model that thinks cannot
            # be forced to.
            self.ignored.add("thinking")
            return {}
        if thinking is not None:
            is_budget = thinking["type"] == "enabled" and self._family.thinking == "budget"
            if is_budget and _has_unsigned_calls(body["messages"]):
                self.ignored.add("thinking")
                return {}
            return {"thinking": thinking}
        effort = self._settings.effort
        asked = encode_effort(effort, self._family, body["max_tokens"])
        forced = body.get("tool_choice", {}).get("type") in _FORCED
        refused = forced or _refuses_thinking(body["messages"], self._family)
        if asked and refused and self._family.sampling != "any":
            asked.pop("thinking", None)
            self._ignore("effort")
        elif effort not in {None, "none"} and not is_exact(effort, asked):
            self._ignore("effort")
        return asked

    def _sampling(self, *, thinks: bool) -> Json:
        """`temperature`, `top_p` and `top_k`, as far as the model accepts them."""
        settings = self._settings
        given = zip(_SAMPLING, (settings.temperature, settings.top_p, settings.top_k), strict=True)
        wanted: Json = {name: value for name, value in given if value is not None}
        if not wanted or self._family.sampling == "any":
            return wanted
        if self._family.sampling == "none" or thinks:
            self.ignored |= {self._prompt.param(name) for name, it in wanted.items() if it != 1}
            return {}
        if self._family.sampling == "one" and {"temperature", "top_p"} <= wanted.keys():
            dropped = "temperature" if wanted["temperature"] == 1 != wanted["top_p"] else "top_p"
            if wanted.pop(dropped) != 1:
                self._ignore(dropped)
        if wanted.get("temperature", 0) > 1:
            wanted["temperature"] = 1
            self._ignore("temperature")
        return wanted

    def _implicit_cache(self) -> Json | None:
        """A cache mark for a client that expects caching without asking.

        Messages needs to be asked.
        """
        return EPHEMERAL if self._prompt.implicit_cache else None

    def _extras(self) -> Json:
        settings = self._settings
        kept = [sequence for sequence in settings.stop if sequence.strip()]
        if len(kept) < len(settings.stop):
            self._ignore("stop")
        tier = settings.service_tier
        if tier and tier not in _TIERS:
            self._ignore("service_tier")
        user = settings.user
        return _present(
            stop_sequences=kept,
            # Anthropic refuses ids that look like an email address. The hash still distinguishes
            # users.
            metadata={"user_id": hashlib.sha256(user.encode()).hexdigest()} if user else None,
            service_tier=_TIERS.get(str(tier)),
            cache_control=self._prompt.cache or self._implicit_cache(),
        )


def _retyped(choice: Json | None, **fields: str) -> Json:
    """A tool choice of another type, which allows as many calls at once as `choice`."""
    kept = {key: value for key, value in (choice or {}).items() if key not in {"type", "name"}}
    return {**fields, **kept}


def _present(**fields: object) -> Json:
    return {name: value for name, value in fields.items() if value}


def _blocks(turns: list[Json]) -> Iterator[Json]:
    return (block for turn in turns for block in turn["content"])


def _refuses_thinking(turns: list[Json], family: Family) -> bool:
    """Whether a model with a thinking budget refuses to think about `turns`.

    It does if it must continue a text, and if the answered calls lack the signed thinking that led
    to them.
    """
    if family.thinking != "budget":
        return False
    return turns[-1]["role"] == "assistant" or _has_unsigned_calls(turns)


def _has_unsigned_calls(turns: list[Json]) -> bool:
    """Whether `turns` end in results of calls that came without signed thinking."""
    if len(turns) < 2:
        return False
    before, last = turns[-2]["content"], turns[-1]["content"]
    answers = any(block["type"] == "tool_result" for block in last)
    return answers and before[0]["type"] not in {"thinking", "redacted_thinking"}


def _past_tools(turns: list[Json]) -> list[Json]:
    """A tool for each name that was called in the turns."""
    uses = (block for block in _blocks(turns) if block["type"] == "tool_use")
    called = dict.fromkeys(use["name"] for use in uses)
    schema = {"type": "object", "properties": {}}
    return [{"name": name, "input_schema": schema} for name in called]


def _web_search(wanted: WebSearch) -> Json:
    """Anthropic's search tool.

    OpenAI's context size becomes a number of searches, as in LiteLLM.
    """
    search: Json = {"type": "web_search_20250305", "name": SEARCH_TOOL}
    search["max_uses"] = wanted.max_uses or _SEARCHES.get(wanted.context_size or "medium", 5)
    if wanted.domains:
        search["allowed_domains"] = list(wanted.domains)
    if wanted.location is not None:
        search["user_location"] = {"type": "approximate", **wanted.location}
    return search


def _limit_cache_marks(body: Json) -> None:
    """Keeps the last four cache marks.

    Anthropic refuses more, and a later one includes earlier ones.
    """
    blocks: list[Any] = [*body.get("tools", ()), *body.get("system", ())]
    for block in _blocks(body["messages"]):
        inner = block.get("content")
        blocks += [*(inner if isinstance(inner, list) else ()), block]
    marked = [block for block in blocks if "cache_control" in block]
    most = MOST_CACHE_MARKS - ("cache_control" in body)
    for block in marked[: max(0, len(marked) - most)]:
        del block["cache_control"]
