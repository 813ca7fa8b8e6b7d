"""Encodes a Prompt, from a client of another protocol, as a Chat Completions request.

The body contains only fields that are known here. A parameter that the target does not have is
refused, by the client's name of it, if the answer would be wrong without it. Otherwise it is
reported as ignored. What only some servers accept is sent only if the provider's row says so.

Sources, read 2026-11: platform.openai.com/docs/api-reference/chat (OpenAPI document 2.3.0) and the
pages that docs/providers.md links.
"""

import hashlib
from typing import Any

from xtrix.answer import Expected
from xtrix.errors import invalid, unsupported
from xtrix.openai.families import family_of, nearest_effort
from xtrix.openai.names import ToolNames
from xtrix.openai.schemas import is_strict
from xtrix.prompt import Json, Origin, OutputFormat, Prompt
from xtrix.protocol import Encoded, says_something
from xtrix.protocols.chat.encode_tools import Toolset
from xtrix.protocols.chat.encode_turns import Messages
from xtrix.protocols.chat.upstream import upstream_request
from xtrix.providers import Family, Quirks, Target

PROTOCOL = "chat"

_REFUSED = ("container", "mcp_servers", "thread", "compaction", "moderation")
"""Fields without which the answer would be wrong."""
_KEPT = (
    *("frequency_penalty", "presence_penalty", "logit_bias", "seed", "logprobs", "top_logprobs"),
)
"""Fields that mean the same here."""
_OWN = ("metadata", "prompt_cache_retention", "prompt_cache_options")
"""Fields that mean the same here, for servers that accept them."""
_SETTINGS = {
    "max_completion_tokens": "max_tokens",
    "reasoning_effort": "effort",
    "safety_identifier": "user",
    "prompt_cache_key": "session",
    "parallel_tool_calls": "parallel_calls",
    "response_format": "format",
    "web_search_options": "web_search",
    "tool_choice": "choice",
}
"""The names of settings in Chat Completions that differ from ours."""
_DEFAULT_TIERS = {"auto", "default"}
_DEFAULT_VERBOSITY = "medium"
_LONGEST_CACHE_KEY = 64
_LONGEST_FORMAT_NAME = 64


def encode_prompt(prompt: Prompt, target: Target) -> Encoded:
    """`prompt`, encoded for `target`. Raises ClientError."""
    for name in _REFUSED:
        if prompt.extras.get(name):
            raise unsupported(name, "the upstream has nothing like it.")
    prompt = prompt.at(searches=target.provider.web_search)
    encoding = _Encoding(prompt, target)
    call, dropped = upstream_request(encoding.body(), target)
    ignored = {*prompt.ignored, *encoding.ignored}
    ignored |= {prompt.param(_SETTINGS.get(name, name)) for name in dropped}
    return Encoded(call, tuple(sorted(ignored)), encoding.expected())


class _Encoding:
    """Encodes one prompt."""

    def __init__(self, prompt: Prompt, target: Target) -> None:
        self._prompt = prompt
        self._settings = prompt.settings
        self._target = target
        self._quirks: Quirks = target.provider.quirks
        self._family: Family = family_of(target.model, target.provider.families)
        self._names = ToolNames(prompt.tools)
        self._tools = Toolset(prompt, self._quirks, self._names)
        self.ignored = {
            name
            for name, value in prompt.extras.items()
            if name not in {*_KEPT, *_REFUSED}
            and not (name in _OWN and self._takes(name))
            and says_something(name, value)
        } | self._tools.ignored
        """The client's parameters that are left out or changed."""
        if prompt.is_cache_marked and not self._takes("cache_control"):
            self._ignore("cache")
        if prompt.wants_citations:
            self.ignored.add("messages.content.citations")

    def body(self) -> Json:
        """The request, as OpenAI itself would accept it."""
        effort = self._effort()
        fields: Json = {
            "model": self._target.model,
            "messages": self._messages(),
            "stream": True if self._prompt.stream else None,
            **self._tools.fields(),
            "max_completion_tokens": self._max_tokens(),
            **self._sampling(effort),
            "stop": self._stop(),
            "reasoning_effort": effort,
            "response_format": _response_format(self._settings.format),
            **self._hints(),
            **{name: self._prompt.extras.get(name) for name in _KEPT},
        }
        if self._prompt.cache is not None and self._takes("cache_control"):
            fields["cache_control"] = self._prompt.cache
        return {name: value for name, value in fields.items() if value is not None}

    def expected(self) -> Expected:
        """How to read the answer."""
        return Expected(
            tools=self._names.table(),
            cited=self._tools.cites,
            stop=self._settings.stop,
            reasoning_back=self._quirks.reasoning_back,
        )

    def _takes(self, name: str) -> bool:
        return name in self._quirks.takes

    def _ignore(self, setting: str) -> None:
        self.ignored.add(self._prompt.param(setting))

    def _messages(self) -> list[Json]:
        origin = Origin(self._target.provider.name, self._target.model, PROTOCOL)
        messages = Messages(self._names, self._quirks, self._family, origin)
        return messages.encode(self._prompt.turns)

    def _max_tokens(self) -> int | None:
        wanted = self._settings.max_tokens
        if wanted == 0:
            why = "the upstream does not warm its cache without an answer."
            raise unsupported(self._prompt.param("max_tokens"), why, value=True)
        if wanted is not None and wanted > self._family.max_output:
            self._ignore("max_tokens")
            return self._family.max_output
        return wanted

    def _sampling(self, effort: str | None) -> Json:
        """`temperature`, `top_p` and `top_k`, as far as the model accepts them."""
        settings = {
            name: getattr(self._settings, name) for name in ("temperature", "top_p", "top_k")
        }
        wanted = {name: value for name, value in settings.items() if value is not None}
        dropped: set[str] = set()
        if not self._takes("top_k"):
            dropped.add("top_k")
        if self._family.sampling == "none" and effort != "none":
            dropped |= {"temperature", "top_p"}
        elif self._family.sampling == "one" and {"temperature", "top_p"} <= wanted.keys():
            dropped.add("top_p")
        for name in dropped & wanted.keys():
            if wanted.pop(name) != 1 or name == "top_k":
                self._ignore(name)
        return wanted

    def _stop(self) -> list[str] | None:
        stop = self._settings.stop
        most = self._quirks.most_stops
        if len(stop) > most:
            raise invalid(self._prompt.param("stop"), f"the upstream takes {most} at most.")
        return [*stop] or None

    def _effort(self) -> str | None:
        """The family's name for the effort that the client asks for."""
        thinking = (self._settings.thinking or {}).get("type")
        wanted = self._settings.effort or ("none" if thinking == "disabled" else None)
        word = nearest_effort(wanted, self._family) if wanted else None
        reasons = self._family.thinking != "none"
        if word != wanted and (reasons or wanted != "none"):
            # With these, `thinking` asks for the same as the effort.
            self._ignore("thinking" if thinking in {"enabled", "disabled"} else "effort")
        if thinking in {"adaptive", "enabled"} and not reasons:
            self._ignore("thinking")
        return word

    def _hints(self) -> Json:
        """The parameters that only some servers accept, as far as this one does."""
        settings = self._settings
        hints: dict[str, Any] = {
            name: self._prompt.extras.get(name) for name in _OWN if self._takes(name)
        }
        if settings.verbosity and self._takes("verbosity"):
            hints["verbosity"] = settings.verbosity
        elif settings.verbosity not in {None, _DEFAULT_VERBOSITY}:
            self._ignore("verbosity")
        if settings.service_tier and self._takes("service_tier"):
            hints["service_tier"] = settings.service_tier
        elif settings.service_tier and settings.service_tier not in _DEFAULT_TIERS:
            self._ignore("service_tier")
        return hints | self._user() | self._session()

    def _user(self) -> Json:
        """A hash of the end user's id, because that may be too long, or private."""
        user = self._settings.user
        if not user:
            return {}
        for name in ("safety_identifier", "user"):
            if self._takes(name):
                return {name: _digest(user)}
        self._ignore("user")
        return {}

    def _session(self) -> Json:
        session = self._settings.session
        if not session:
            return {}
        if self._takes("prompt_cache_key"):
            fits = len(session) <= _LONGEST_CACHE_KEY
            return {"prompt_cache_key": session if fits else _digest(session)}
        if "session" in self._prompt.names:
            self._ignore("session")
        return {}


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode(errors="replace")).hexdigest()[:32]


def _response_format(wanted: OutputFormat | None) -> Json | None:
    if wanted is None:
        return None
    if wanted.kind == "json_object":
        return {"type": "json_object"}
    schema: Json = {"name": wanted.name[:_LONGEST_FORMAT_NAME] or "answer"}
    if wanted.description:
        schema["description"] = wanted.description
    if wanted.schema is not None:
        schema["schema"] = wanted.schema
    strict = is_strict(wanted.schema) if wanted.strict is None else wanted.strict
    if strict:
        schema["strict"] = True
    return {"type": "json_schema", "json_schema": schema}
