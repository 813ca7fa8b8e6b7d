"""What is the same in whole and streamed answers of Messages, for reading and for writing.

Source: platform.claude.com/docs/en/api/messages and …/handling-stop-reasons (read 2026-11).
"""

import hashlib
import re
from operator import add

from xtrix.answer import Finish, FinishReason, Served, Usage
from xtrix.prompt import Json
from xtrix.redact import word
from xtrix.upstream import MOST_TOKENS

STOP_REASONS = {
    "end_turn": FinishReason.STOP,
    "stop_sequence": FinishReason.STOP,
    "tool_use": FinishReason.STOP,
    "compaction": FinishReason.STOP,
    "max_tokens": FinishReason.LENGTH,
    "model_context_window_exceeded": FinishReason.LENGTH,
    # The server's own tool loop was cut short, so the answer is not whole.
    "pause_turn": FinishReason.LENGTH,
    "refusal": FinishReason.REFUSED,
}
SERVICE_TIERS = {"standard": "default", "priority": "priority", "batch": "flex"}
"""OpenAI's names of the service tiers, by those of Messages."""

_HOUR = "ephemeral_1h_input_tokens"

OWN_SEARCH_ID = "srvtoolu_xt1_"
"""The beginning of the ids of web searches that a provider of another protocol has made. No
upstream of Messages knows them."""

_ADVANCING = {
    *("content_block_start", "content_block_delta", "content_block_stop"),
    *("message_delta", "message_stop"),
}
_TIERS_HERE = {ours: theirs for theirs, ours in SERVICE_TIERS.items()}
_CALL_ID = re.compile(r"[a-zA-Z0-9_-]+")
_ODD = re.compile(r"[^a-zA-Z0-9_-]")


def advances(kind: str, payload: Json) -> bool:
    """Whether an event of this kind contains a part of the answer; see `Reader.advances`."""
    if kind != "content_block_delta":
        return kind in _ADVANCING
    delta = payload.get("delta")
    members = delta.items() if isinstance(delta, dict) else ()
    return any(value for name, value in members if name != "type")


def unknown_reason(stop_reason: object) -> str | None:
    """A word for the log, if `stop_reason` is unknown or missing."""
    return None if str(stop_reason) in STOP_REASONS else word(stop_reason)


def encode_stop_reason(finish: Finish, *, called: bool, refused: bool) -> str:
    """The stop reason of an answer. `called` and `refused` say what it contains.

    Claude Code asks up to three times again after `refusal` and `max_tokens`. So they are used only
    if the upstream gave that reason.
    """
    if refused or finish.reason in {FinishReason.FILTERED, FinishReason.REFUSED}:
        return "refusal"
    if finish.reason is FinishReason.LENGTH:
        return "max_tokens"
    if called:
        return "tool_use"
    return "end_turn" if finish.stop_sequence is None else "stop_sequence"


def decode_usage(counts: Json) -> Usage:
    """The usage in `counts`. Its input tokens do not include those of the cache.

    Work that the provider did beside the answer, such as a summary of the conversation, is charged
    too, and is told in `iterations` only
    (platform.claude.com/docs/en/build-with-claude/compaction, read 2026-11).
    """
    usage = _decode_counts(counts)
    iterations = counts.get("iterations")
    for it in iterations if isinstance(iterations, list) else ():
        if isinstance(it, dict) and it.get("type") not in {None, "message"}:
            usage = Usage(*map(add, usage, _decode_counts(it)))
    return usage


def _decode_counts(counts: Json) -> Usage:
    cached = _count(counts, "cache_read_input_tokens")
    written = _count(counts, "cache_creation_input_tokens")
    details, by_age = counts.get("output_tokens_details"), counts.get("cache_creation")
    return Usage(
        prompt=_count(counts, "input_tokens") + cached + written,
        completion=_count(counts, "output_tokens"),
        cached=cached,
        cache_written=written,
        reasoning=_count(details, "thinking_tokens") if isinstance(details, dict) else 0,
        cache_written_hour=_count(by_age, _HOUR) if isinstance(by_age, dict) else 0,
    )


def encode_usage(usage: Usage) -> Json:
    """The usage object. Its three counts of input tokens add up to the prompt."""
    return {
        "input_tokens": max(0, usage.prompt - usage.cached - usage.cache_written),
        "cache_creation_input_tokens": usage.cache_written,
        "cache_read_input_tokens": usage.cached,
        "output_tokens": usage.completion,
        "output_tokens_details": {"thinking_tokens": usage.reasoning},
    }


def decode_tier(usage: Json) -> str | None:
    """OpenAI's name of the service tier in `usage`; None if there is none."""
    return SERVICE_TIERS.get(str(usage.get("service_tier")))


def decode_served(usage: Json) -> Served:
    """The tier, the speed and the place that `usage` says have served.

    Source: platform.claude.com/docs/en/api/service-tiers, …/build-with-claude/fast-mode and
    …/build-with-claude/data-residency (read 2026-11).
    """
    served = {}
    for name in ("service_tier", "speed", "inference_geo"):
        word = usage.get(name)
        if word and isinstance(word, str):
            served[name] = SERVICE_TIERS.get(word, word)
    return served


def encode_tier(service_tier: str | None) -> Json:
    """`service_tier`, given by OpenAI's name, as a member of the usage; empty if unknown."""
    tier = _TIERS_HERE.get(service_tier or "")
    return {"service_tier": tier} if tier else {}


def encode_call_id(call_id: str) -> str:
    """`call_id` in a form that Anthropic accepts, always the same for the same id.

    Anthropic accepts letters, digits, `_` and `-`. A conversation with another id (such as
    `functions.Bash:0`) could not be continued with Claude.
    """
    if _CALL_ID.fullmatch(call_id):
        return call_id
    digest = hashlib.sha256(call_id.encode(errors="replace")).hexdigest()[:6]
    return f"{_ODD.sub('_', call_id) or 'call'}_{digest}"


def _count(counts: Json, name: str) -> int:
    count = counts.get(name)
    return count if type(count) is int and 0 < count < MOST_TOKENS else 0
