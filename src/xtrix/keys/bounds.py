"""How many tokens a call can have, before it is made: the most, and the likely number.

The most is for keys that must not exceed their budget. It is rather too high than too low, and a
call without any limit is refused. The likely number is cheap to find, and is reserved for every
call of other keys.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from xtrix.content import left_out, placeholder
from xtrix.errors import ClientError
from xtrix.json import Json
from xtrix.prompt import Block, File, Image, Opaque, Prompt, Result
from xtrix.providers import Quirks

MOST_OUTPUT = 1_000_000
"""The most tokens of an answer: the whole context window, for models whose maker names no limit,
such as xAI's.

DeepSeek's is 384,000 (docs.x.ai/docs/models, api-docs.deepseek.com/quick_start/pricing, 2026-11).
"""
MOST_INPUT = 1_000_000
"""The most tokens of a prompt: the largest context window of any model (2026-11)."""

_UNSEEN = 1_000
"""Tokens that an upstream adds for tools and roles."""
_PER_IMAGE = 50_000
"""The most tokens of an image. GPT-4o mini counts 2,833, and 5,667 for each of up to eight tiles;
other models count up to a third of that (OpenAI's guide to images and vision)."""
_LONGEST_NAME = 64
_LIMITS = {
    "chat": ("max_completion_tokens", "max_tokens"),
    "completions": ("max_tokens",),
    "responses": ("max_output_tokens",),
    "messages": ("max_tokens",),
}
"""By the client's protocol. A field of another protocol might be ignored by the upstream."""
_LIMITS_ELSEWHERE = ("max_completion_tokens", "max_output_tokens")
"""The names that a limit gets in other protocols."""
_ONCE = (b'"model"', b'"max_tokens"')
_ESCAPED_ASCII = re.compile(rb"\\u00[2-7]")
_BOUNDED = {
    *("model", "models", "stream", "stream_options", "n", "best_of", "store", "include"),
    *("messages", "input", "prompt", "instructions", "system", "suffix", "echo", "prediction"),
    *("max_tokens", "max_completion_tokens", "max_output_tokens", "max_tool_calls"),
    *("temperature", "top_p", "top_k", "top_a", "min_p", "seed", "random_seed", "logit_bias"),
    *("presence_penalty", "frequency_penalty", "repetition_penalty", "stop", "stop_sequences"),
    *("tools", "tool_choice", "parallel_tool_calls", "functions", "function_call"),
    *("response_format", "output_format", "output_config", "text", "verbosity", "logprobs"),
    *("top_logprobs", "modalities", "audio", "moderation", "safe_prompt", "prompt_mode"),
    *("reasoning", "reasoning_effort", "reasoning_format", "include_reasoning", "effort"),
    *("thinking", "enable_thinking", "chat_template_kwargs", "web_search_options"),
    *("service_tier", "speed", "inference_geo", "betas", "anthropic_version"),
    *("cache_control", "prompt_cache_key", "prompt_cache_retention", "prompt_cache_options"),
    *("context_management", "compaction", "truncation", "thread", "conversation"),
    *("previous_response_id", "background"),
    *("metadata", "user", "user_id", "safety_identifier", "session_id"),
}
"""The fields whose cost has a limit that is known here: they cost nothing, are part of the prompt
or the answer, or are checked in another way. Any other field could stand for something that is
stored at the provider, or turn on a tool or another model of it, as `plugins`, `search_parameters`
and `extra_body` do."""
_MULTIPLIERS = ("n", "best_of", "prompt")
_CLIENTS_TOOLS = re.compile(r"function|custom|(bash|text_editor|computer|memory)_.*")
"""The types of tools that a client runs itself. Anthropic's own have a date in their name."""
_MOST_ANSWERS = 1_000_000
_PER_TOKEN = 4
"""Characters for one token."""
_BINARY = b"base64,"
_MOST_TEXT = 65_536
_LIKELY_BINARY = 1_600
"""The tokens of a picture. Also the bytes of a recording for one token, which is ten tokens a
second at 128 kbit/s."""
_FIRST_OUTPUT = 500
"""The tokens that are reserved for an answer of a key without earlier answers."""


def check_once(body: bytes) -> None:
    """Raises ClientError for a body that contains its model or its limit twice.

    The upstream might read another of the two than the gateway does.
    """
    if not _ESCAPED_ASCII.search(body) and all(body.count(name) < 2 for name in _ONCE):
        return
    names: list[str] = []

    def note(members: list[tuple[str, object]]) -> None:
        names[:] = [name for name, _ in members]  # the outermost object comes last

    json.loads(body, object_pairs_hook=note)
    for name in _ONCE:
        field = name.decode().strip('"')
        if names.count(field) > 1:
            raise ClientError(400, "invalid_value", f"'{field}' is there twice.", param=field)


def check_bounded(fields: Mapping[str, Any]) -> None:
    """Raises ClientError for a request that may make the provider work on more than it contains.

    Sources: platform.claude.com/docs/en/build-with-claude/compaction, and OpenAI's
    developers.openai.com/api/docs/guides/compaction (read 2026-11).
    """
    managed = fields.get("context_management")
    edits = managed.get("edits") if isinstance(managed, dict) else managed
    found = edits if isinstance(edits, list) else []
    kinds = [it.get("type") for it in found if isinstance(it, dict)]
    if fields.get("compaction") or any(str(kind).startswith("compact") for kind in kinds):
        raise _unbounded("a summary of the conversation", "context_management")
    for name, value in fields.items():
        if value and name not in _BOUNDED:
            raise _unbounded(f"'{name[:_LONGEST_NAME]}'", name[:_LONGEST_NAME])


def most_input(prompt: Prompt, body: bytes) -> int:
    """The most tokens that a request can have. Raises ClientError if there is no limit.

    `body` is its body, without its long content. A token has at least one byte of text, also if
    text looks like an image and was left out. What stands for more than its own bytes, or for less,
    is counted separately.
    """
    if prompt.settings.web_search or any(tool.kind == "hosted" for tool in prompt.tools):
        raise _unbounded("a tool that the provider runs", "tools")
    missing = left_out(body)
    tokens = len(body) + _UNSEEN
    for block in _blocks(prompt):
        if isinstance(block, Image):
            tokens += _PER_IMAGE
            missing.pop(placeholder(block.source.data), None)
        elif isinstance(block, Opaque) or (isinstance(block, File) and block.source.kind != "text"):
            return MOST_INPUT
    return min(tokens + sum(missing.values()), MOST_INPUT)


def most_unread(fields: Mapping[str, Any]) -> int:
    """The same, for a request that cannot be a Prompt. Raises ClientError if there is no limit."""
    tools = fields.get("tools")
    kinds = (
        [it.get("type") for it in tools if isinstance(it, dict)] if isinstance(tools, list) else []
    )
    is_hosted = any(it is not None and not _CLIENTS_TOOLS.fullmatch(str(it)) for it in kinds)
    options = fields.get("web_search_options")  # an empty object asks for a search too
    if is_hosted or fields.get("mcp_servers") or options is not None:
        raise _unbounded("a tool that the provider runs", "tools")
    return MOST_INPUT


def most_output(fields: Json, protocol: str, quirks: Sequence[Quirks] = ()) -> int:
    """The most tokens that the answer can have, by a request's own fields in its protocol.

    `quirks` are those of all targets. A limit that one of them does not get is no limit.
    """
    return _limit(fields, protocol, quirks) * _answers(fields)


def _limit(fields: Json, protocol: str, quirks: Sequence[Quirks] = ()) -> int:
    """The most tokens of one answer."""
    limit = 0
    for name in _LIMITS.get(protocol, ()):
        given = fields.get(name)
        if type(given) is not int or not limit < given < MOST_OUTPUT:
            continue
        if not quirks or all(_tells(name, each) for each in quirks):
            limit = given
    return limit or MOST_OUTPUT


def _tells(limit: str, quirks: Quirks) -> bool:
    """Whether an upstream with these quirks gets a client's limit of output tokens."""
    names = {limit, *_LIMITS_ELSEWHERE}
    return not {*names, *(quirks.rename.get(name) for name in names)} & {*quirks.drop}


def likely_input(body: bytes) -> int:
    """The tokens that a request with this body is likely to have."""
    if len(body) <= _MOST_TEXT or _BINARY not in body:
        return len(body) // _PER_TOKEN
    binaries: int = body.count(_BINARY)
    return _MOST_TEXT // _PER_TOKEN + binaries * _LIKELY_BINARY


def likely_output(fields: Json, protocol: str, average: float) -> int:
    """The tokens that the answer is likely to have, if the key's answers have this `average`."""
    likely = int(average * 1.5) + 1 if average else _FIRST_OUTPUT
    return min(_limit(fields, protocol), likely) * _answers(fields)


def of_recording(size: int) -> int:
    """The tokens that a form with a recording of `size` bytes is likely to have."""
    return -(-size // _LIKELY_BINARY)


def of_text(characters: int) -> int:
    """The tokens that so much text is likely to have."""
    return -(-characters // _PER_TOKEN)


def _answers(fields: Json) -> int:
    """How many answers are made for each prompt: `n`, or `best_of`, of which `n` are shown."""
    if fields.keys().isdisjoint(_MULTIPLIERS):
        return 1
    asked = [fields.get(name) for name in ("n", "best_of")]
    counts = [int(min(it, _MOST_ANSWERS)) for it in asked if isinstance(it, int | float)]
    prompts = fields.get("prompt")
    is_many = isinstance(prompts, list) and any(isinstance(it, str | list) for it in prompts)
    return max([1, *counts]) * (len(prompts) if prompts and is_many else 1)


def _unbounded(what: str, param: str) -> ClientError:
    message = (
        f"This key has a strict budget, and what {what} will cost is not known before. Leave out"
        f" '{param}', or that part of it."
    )
    return ClientError(403, "unbounded_cost", message, param=param)


def _blocks(prompt: Prompt) -> Iterator[Block]:
    for turn in prompt.turns:
        for block in turn.blocks:
            yield block
            if isinstance(block, Result):
                yield from block.content
