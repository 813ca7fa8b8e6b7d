"""Encodes a Prompt as a request of Responses.

Nothing is stored upstream (`store` is false). Reasoning comes back encrypted, so that it can be
sent with the next request. The body contains only fields that are known here. What the upstream
cannot do is refused by name if the answer would be wrong without it. Otherwise it is reported as
ignored.

Source: developers.openai.com/api/docs/api-reference/responses and openai-python 3.57.0 (read
2026-11).
"""

import hashlib

from xtrix import json
from xtrix.answer import Expected
from xtrix.errors import unsupported
from xtrix.openai.calls import post
from xtrix.openai.families import OTHER_RESPONSES, encode_effort, family_of
from xtrix.openai.names import ToolNames
from xtrix.openai.schemas import is_strict
from xtrix.prompt import Audio, Json, Prompt
from xtrix.protocol import Encoded, says_something
from xtrix.protocols.responses.encode_tools import encode_choice, encode_tool, encode_web_search
from xtrix.protocols.responses.encode_turns import encode_turns
from xtrix.providers import Needs, Target

SMALLEST_LIMIT = 16
"""The smallest `max_output_tokens` that OpenAI accepts."""

_LONGEST_KEY = 64
"""The most characters of `prompt_cache_key` and `safety_identifier`."""
_ENCRYPTED = "reasoning.encrypted_content"
_LOGPROBS = "message.output_text.logprobs"
_SOURCES = "web_search_call.action.sources"
_TAKEN = (
    *("metadata", "prompt_cache_retention", "prompt_cache_options", "truncation"),
    *("max_tool_calls", "top_logprobs"),
)
"""Further fields of the client that have the same name and meaning here."""
_NO_LOSS = {"n", "logprobs", "modalities", "audio", "moderation", "container", "mcp_servers"}
"""Fields that are refused elsewhere, encoded in another way, or ask for what happens anyway."""
_CHAT_ONLY = (
    *("n", "frequency_penalty", "presence_penalty", "logit_bias", "seed", "audio", "prediction"),
    *("moderation",),
)
"""Parameters that Chat Completions has and Responses does not."""
_SETTINGS = {
    "max_output_tokens": "max_tokens",
    "temperature": "temperature",
    "top_p": "top_p",
    "tools": "tools",
    "tool_choice": "choice",
    "parallel_tool_calls": "parallel_calls",
    "reasoning": "effort",
    "reasoning.effort": "effort",
    "text": "format",
    "text.format": "format",
    "text.verbosity": "verbosity",
    "prompt_cache_key": "session",
    "safety_identifier": "user",
    "user": "user",
    "service_tier": "service_tier",
}
"""Our names of settings, by the names of fields that quirks use."""
_OURS = {"store", "include", "reasoning.summary"}
"""Fields that no client has asked for, so their loss is not reported."""


def encode_prompt(prompt: Prompt, target: Target) -> Encoded:
    """`prompt`, encoded for `target`. Raises ClientError."""
    _refuse(prompt)
    encoding = _Encoding(prompt, target)
    body = encoding.body()
    encoding.apply_quirks(body)
    request = post(target.provider, "/responses", json.encode_body(body))
    return Encoded(request, tuple(sorted(encoding.ignored)), encoding.expected())


def needs_of(prompt: Prompt, client: str) -> Needs:
    """What `prompt`, from a client of the protocol `client`, needs of a row with two protocols."""
    settings = prompt.settings
    is_off = (settings.thinking or {}).get("type") == "disabled"
    return Needs(
        client=client,
        tools=any(tool.kind in {"function", "custom"} for tool in prompt.tools),
        effort=settings.effort or ("none" if is_off else None),
        chat_only=bool(settings.stop)
        or "audio" in prompt.extras.get("modalities", ())
        or any(isinstance(block, Audio) for block in prompt.blocks())
        or any(
            says_something(name, value)
            for name, value in prompt.extras.items()
            if name in _CHAT_ONLY and (name, value) != ("n", 1)
        ),
    )


def _refuse(prompt: Prompt) -> None:
    """Raises ClientError for fields without which the answer would be wrong."""
    extras = prompt.extras
    if extras.get("n", 1) != 1:
        raise unsupported("n", "the upstream gives one choice.", value=True)
    if "audio" in extras.get("modalities", ()):
        raise unsupported("modalities", "the upstream model gives no audio.", value=True)
    for name in ("audio", "moderation", "container", "mcp_servers"):
        if extras.get(name):
            raise unsupported(name, "the upstream has nothing like it.")
    if prompt.settings.stop:
        raise unsupported(prompt.param("stop"), "the upstream stops at no given text.")


class _Encoding:
    """Encodes one prompt."""

    def __init__(self, prompt: Prompt, target: Target) -> None:
        self.ignored = {
            name
            for name, value in prompt.extras.items()
            if name not in _NO_LOSS and name not in _TAKEN and says_something(name, value)
        }
        """The client's parameters that are left out or changed."""
        self._prompt = prompt
        self._settings = prompt.settings
        self._target = target
        self._family = family_of(target.model, target.provider.families, OTHER_RESPONSES)
        self._names = ToolNames(prompt.tools)
        self._items = encode_turns(prompt.turns, target, self._names)
        self.ignored |= self._items.ignored
        self._ignore_marks()

    def body(self) -> Json:
        """The Responses request."""
        prompt, settings = self._prompt, self._settings
        body: Json = {"model": self._target.model, "input": self._items.items()}
        body |= {"store": False, "include": self._include()}
        body |= _present(
            stream=prompt.stream or None,
            max_output_tokens=self._limit(),
            text=self._text() or None,
            parallel_tool_calls=settings.parallel_calls,
            service_tier=settings.service_tier,
            prompt_cache_key=_short(settings.session),
        )
        body |= self._tools()
        body |= self._reasoning()
        body |= self._sampling()
        if settings.user:
            is_plain = prompt.param("user") == "user"
            body["user" if is_plain else "safety_identifier"] = _short(settings.user)
        return body | {name: prompt.extras[name] for name in _TAKEN if name in prompt.extras}

    def expected(self) -> Expected:
        """How to read the answer."""
        cited = self._settings.web_search is not None
        return Expected(self._names.table(), cited=cited, limit=self._limit())

    def apply_quirks(self, body: Json) -> None:
        """Renames and drops what the row says. `reasoning.summary` names a member of a field."""
        quirks = self._target.provider.quirks
        for name, theirs in quirks.rename.items():
            if name in body:
                body[theirs] = body.pop(name)
        for name in quirks.drop:
            value = take_out(body, name)
            if name not in _OURS and says_something(name, value):
                self._ignore(_SETTINGS.get(name, name))
        if self._prompt.stream and quirks.obfuscation:
            body["stream_options"] = {"include_obfuscation": False}

    def _ignore(self, setting: str) -> None:
        self.ignored.add(self._prompt.param(setting))

    def _ignore_marks(self) -> None:
        """Reports what has no place here, anywhere in the prompt."""
        prompt = self._prompt
        if self._settings.top_k is not None:
            self._ignore("top_k")
        if prompt.is_cache_marked:
            self._ignore("cache")
        if prompt.wants_citations:
            self.ignored.add("messages.content.citations")

    def _include(self) -> list[str]:
        wanted = [_ENCRYPTED]
        if self._prompt.extras.get("logprobs"):
            wanted.append(_LOGPROBS)
        if self._settings.web_search is not None:
            wanted.append(_SOURCES)
        return wanted

    def _limit(self) -> int | None:
        wanted = self._settings.max_tokens
        if wanted is None:
            return None
        if wanted == 0:
            why = "the upstream does not warm its cache without an answer."
            raise unsupported(self._prompt.param("max_tokens"), why, value=True)
        limit = max(SMALLEST_LIMIT, min(wanted, self._family.max_output))
        if limit != wanted:
            self._ignore("max_tokens")
        return limit

    def _text(self) -> Json:
        """The fields for the answer's text."""
        wanted = self._settings.format
        form: Json | None = None
        if wanted is not None:
            form = {"type": wanted.kind}
            if wanted.kind == "json_schema":
                form |= {"name": wanted.name or "answer", "schema": wanted.schema or {}}
                strict = is_strict(wanted.schema) if wanted.strict is None else wanted.strict
                form |= _present(strict=strict or None, description=wanted.description)
        return _present(format=form, verbosity=self._settings.verbosity)

    def _tools(self) -> Json:
        """`tools` and `tool_choice`, as far as there are any."""
        prompt, search = self._prompt, self._settings.web_search
        tools = [encode_tool(tool, self._names) for tool in prompt.tools]
        if search is not None:
            tools.append(encode_web_search(search))
        if not tools:
            return {}
        fields: Json = {"tools": tools}
        if prompt.choice is not None:
            fields["tool_choice"] = encode_choice(prompt.choice, prompt.tools, self._names)
        if search is not None and search.max_uses is not None:
            fields["max_tool_calls"] = search.max_uses
        return fields

    def _reasoning(self) -> Json:
        """The fields that ask for reasoning, and for a summary if the client wants reasoning."""
        settings = self._settings
        effort, is_lost = encode_effort(settings, self._family)
        if is_lost:
            self._ignore("thinking" if settings.thinking else "effort")
        thinking = (settings.thinking or {}).get("type")
        if self._family.thinking == "none" or (effort is None and not thinking):
            return {}
        is_off = settings.effort == "none" or thinking == "disabled"
        reasoning = _present(effort=effort, summary=None if is_off else "auto")
        return {"reasoning": reasoning} if reasoning else {}

    def _sampling(self) -> Json:
        """`temperature` and `top_p`, as far as the model accepts them."""
        settings = self._settings
        wanted = _present(temperature=settings.temperature, top_p=settings.top_p)
        effort, _ = encode_effort(settings, self._family)
        if self._family.sampling != "none" or effort == "none":
            return wanted
        for name, value in wanted.items():
            if value != 1:
                self._ignore(name)
        return {}


def take_out(body: Json, name: str) -> object:
    """Removes `name`, such as `text.verbosity`, from `body`, and returns its value."""
    outer, _, inner = name.partition(".")
    if not inner:
        return body.pop(outer, None)
    holder = body.get(outer)
    value = holder.pop(inner, None) if isinstance(holder, dict) else None
    if holder == {}:
        del body[outer]
    return value


def _present(**fields: object) -> Json:
    return {name: value for name, value in fields.items() if value is not None}


def _short(text: str | None) -> str | None:
    """`text`, or a hash of it if it is too long for OpenAI."""
    if text is None or len(text) <= _LONGEST_KEY:
        return text
    return hashlib.sha256(text.encode(errors="replace")).hexdigest()
