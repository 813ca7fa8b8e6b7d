"""What is the same in whole and streamed answers of an OpenAI-compatible upstream."""

from collections.abc import Iterable
from typing import Any

from xtrix.answer import Usage
from xtrix.errors import bad_response
from xtrix.redact import word
from xtrix.upstream import token_count

_TYPES: dict[str, type | tuple[type, ...]] = {
    "content": (str, list),
    "refusal": str,
    "reasoning": str,
    "reasoning_content": str,
    "annotations": list,
    "tool_calls": list,
    "thinking_blocks": list,
    "function_call": dict,
    "audio": dict,
}
"""The types of the members that clients read. A value of another type counts as absent."""
_LEFT_OUT = {"role", "reasoning_details"}
_NUMBERS = (int, float)


_PROMPT_DETAILS = {
    "cached": "cached_tokens",
    "cache_written": "cache_write_tokens",
    "prompt_audio": "audio_tokens",
}
_COMPLETION_DETAILS = {
    "reasoning": "reasoning_tokens",
    "completion_audio": "audio_tokens",
    "accepted": "accepted_prediction_tokens",
    "rejected": "rejected_prediction_tokens",
}
"""Our names of the details of a usage, and OpenAI's."""
_REASONS = {
    "stop": "stop",
    "length": "length",
    "content_filter": "content_filter",
    "function_call": "function_call",
    "tool_calls": "stop",
    # Other servers' reasons: some of Anthropic's, Mistral's, DeepSeek's (their API references, read
    # 2026-11).
    "max_tokens": "length",
    "model_length": "length",
    "insufficient_system_resource": "length",
}


def finish_reason(given: object, *, called: bool) -> str:
    """OpenAI's finish reason.

    If the upstream says "stop" and there are tool calls, it is theirs.
    """
    reason = _REASONS.get(_lowered(given), "stop")
    return "tool_calls" if called and reason == "stop" else reason


def unknown_reason(reasons: Iterable[object]) -> str | None:
    """A word for the log, for the first of the choices' `reasons` that is unknown or missing."""
    for reason in reasons:
        if _lowered(reason) not in _REASONS:
            return word(reason)
    return None


def _lowered(value: object) -> str:
    return value.lower() if isinstance(value, str) else ""


def choice_index(choice: dict[str, Any], default: int) -> int:
    """The index of a choice, or `default` if it has none. Raises UpstreamError."""
    index = choice.get("index")
    if index is None:
        return default
    if type(index) is not int or index < 0:
        raise bad_response("a choice whose index is no number")
    return index


def trim(fields: dict[str, Any]) -> dict[str, Any]:
    """A message or delta without empty members, and with one name for its reasoning.

    Members that OpenAI does not have stay, except numbers and booleans. Mistral's reasoning models
    give content as a list of thinking and text parts (docs.mistral.ai/capabilities/reasoning, read
    2026-11). OpenRouter sends reasoning twice. Its list is left out, because OpenAI's clients
    cannot add it up.
    """
    kept: dict[str, Any] = {}
    for key, value in fields.items():
        kind = _TYPES.get(key, object)
        is_read = isinstance(value, kind) and key not in _LEFT_OUT
        # Clients add up the members of deltas, so a number would become a sum.
        if is_read and value not in (None, "", []) and not isinstance(value, _NUMBERS):
            kept[key] = _objects(key, value) if kind is list else value
    if "function_call" in kept:
        called = _called(kept.pop("function_call"))
        kept |= {"function_call": called} if any(called.values()) else {}
    if "reasoning" in kept:
        kept.setdefault("reasoning_content", kept.pop("reasoning"))
    if isinstance(kept.get("content"), list):
        parts = [part for part in kept.pop("content") if isinstance(part, dict)]
        texts = {"content": _joined(parts, "text")}
        texts["reasoning_content"] = "".join(
            _joined(part["thinking"], "text")
            for part in parts
            if isinstance(part.get("thinking"), list)
        )
        kept |= {key: text for key, text in texts.items() if text}
    return kept


def _objects(key: str, items: list[Any]) -> list[dict[str, Any]]:
    """The objects in the list `key` of a message. Only calls keep an index that is invalid."""
    objects = [item for item in items if isinstance(item, dict)]
    return objects if key == "tool_calls" else [_placed(item) for item in objects]


def _placed(item: dict[str, Any]) -> dict[str, Any]:
    """`item` without an invalid index, on which openai-python's helper fails."""
    if type(item.get("index", 0)) is int:
        return item
    return {name: value for name, value in item.items() if name != "index"}


def _called(function: dict[str, Any]) -> dict[str, str]:
    """The texts of `function`, a call of the older form or a part of one."""
    members = {name: function.get(name) for name in ("name", "arguments")}
    texts = {name: text for name, text in members.items() if text and isinstance(text, str)}
    return {"arguments": "", **texts}


def _joined(parts: list[Any], name: str) -> str:
    texts = (part.get(name) for part in parts if isinstance(part, dict))
    return "".join(text for text in texts if isinstance(text, str))


def usage_of(usage: object) -> Usage | None:
    """The usage that an upstream reports; None if it reports none.

    xAI and Gemini count the tokens of reasoning only in the total, not in `completion_tokens`
    (vercel/ai#12425, read 2026-11). So if the total is more than its parts, the difference is
    reasoning.
    """
    if not isinstance(usage, dict):
        return None
    prompt = _counts(usage.get("prompt_tokens_details"), _PROMPT_DETAILS)
    completion = _counts(usage.get("completion_tokens_details"), _COMPLETION_DETAILS)
    prompt["cached"] = prompt.get("cached") or token_count(usage, "prompt_cache_hit_tokens")
    read, written = token_count(usage, "prompt_tokens"), token_count(usage, "completion_tokens")
    uncounted = max(0, token_count(usage, "total_tokens") - read - written)
    return Usage(prompt=read, completion=written + uncounted, **prompt, **completion)


def _counts(details: object, names: dict[str, str]) -> dict[str, int]:
    """What the `details` of a usage tell, by our names."""
    if not isinstance(details, dict):
        return {}
    return {ours: token_count(details, theirs) for ours, theirs in names.items()}


def logprobs_of(choice: dict[str, Any]) -> dict[str, Any] | None:
    """The log probabilities of a choice; None if they do not have OpenAI's form."""
    found = choice.get("logprobs")
    if not isinstance(found, dict) or not any(found.values()):
        return None
    if not all(isinstance(it, list | None) for it in found.values()):
        return None
    return {name: it or None for name, it in found.items()}  # a stream has no empty lists
