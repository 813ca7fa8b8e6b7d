"""Facts about an answer of Messages that hold whole and streamed, read and written alike.

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
    # The loop of a server's own tools was cut short: the answer is not whole.
    "pause_turn": FinishReason.LENGTH,
    "refusal": FinishReason.REFUSED,
}
SERVICE_TIERS = {"standard": "default", "priority": "priority", "batch": "flex"}
"""Messages' words to OpenAI's."""

_HOUR = "ephemeral_1h_input_tokens"

OWN_SEARCH_ID = "srvtoolu_xt1_"
"""What the ids of searches begin with that another protocol's provider has made. No upstream of
this protocol knows them."""

_ADVANCING = {
    *("content_block_start", "content_block_delta", "content_block_stop"),
    *("message_delta", "message_stop"),
}
_TIERS_HERE = {ours: theirs for theirs, ours in SERVICE_TIERS.items()}
_CALL_ID = re.compile(r"[a-zA-Z0-9_-]+")
_ODD = re.compile(r"[^a-zA-Z0-9_-]")


def advances(kind: str, said: Json) -> bool:
    """Whether the event `said` of this kind takes the answer further; see `Reader.advances`."""
    if kind != "content_block_delta":
        return kind in _ADVANCING
    delta = said.get("delta")
    members = delta.items() if isinstance(delta, dict) else ()
    return any(value for name, value in members if name != "type")


def unknown_reason(stop_reason: object) -> str | None:
    """A word for the log where `stop_reason` is not known here, or missing."""
    return None if str(stop_reason) in STOP_REASONS else word(stop_reason)


def encode_stop_reason(finish: Finish, *, called: bool, refused: bool) -> str:
    """The word for the end of an answer that has `called` a tool or told why it has `refused`.

    `refusal` and `max_tokens` are costly: Claude Code asks again up to three times. They are not
    said unless the upstream said so.
    """
    if refused or finish.reason in {FinishReason.FILTERED, FinishReason.REFUSED}:
        return "refusal"
    if finish.reason is FinishReason.LENGTH:
        return "max_tokens"
    if called:
        return "tool_use"
    return "end_turn" if finish.stop_sequence is None else "stop_sequence"


def decode_usage(counts: Json) -> Usage:
    """The usage in `counts`, whose input tokens leave the cache out.

    What the provider has done before or beside the answer, such as a summary of the conversation,
    is charged too, and stands in `iterations` alone
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
    """The usage object: its three counts of input tokens add up to the prompt."""
    return {
        "input_tokens": max(0, usage.prompt - usage.cached - usage.cache_written),
        "cache_creation_input_tokens": usage.cache_written,
        "cache_read_input_tokens": usage.cached,
        "output_tokens": usage.completion,
        "output_tokens_details": {"thinking_tokens": usage.reasoning},
    }


def decode_tier(usage: Json) -> str | None:
    """OpenAI's name for the tier that `usage` says has served, None where it says nothing."""
    return SERVICE_TIERS.get(str(usage.get("service_tier")))


def decode_served(usage: Json) -> Served:
    """The tier and the speed that `usage` says have served.

    Source: platform.claude.com/docs/en/api/service-tiers and …/build-with-claude/fast-mode
    (read 2026-11).
    """
    said = {name: usage.get(name) for name in ("service_tier", "speed")}
    words = {name: word for name, word in said.items() if word and isinstance(word, str)}
    return {name: SERVICE_TIERS.get(word, word) for name, word in words.items()}


def encode_tier(service_tier: str | None) -> Json:
    """`service_tier`, in OpenAI's word for it, as a member of the usage; none where unknown."""
    tier = _TIERS_HERE.get(service_tier or "")
    return {"service_tier": tier} if tier else {}


def encode_call_id(call_id: str) -> str:
    """`call_id` as Anthropic would take it, always the same for the same.

    A session that holds an odd id (`functions.Bash:0`) could not be carried on with Claude, which
    takes letters, digits, `_` and `-`.
    """
    if _CALL_ID.fullmatch(call_id):
        return call_id
    digest = hashlib.sha256(call_id.encode(errors="replace")).hexdigest()[:6]
    return f"{_ODD.sub('_', call_id) or 'call'}_{digest}"


def _count(counts: Json, name: str) -> int:
    count = counts.get(name)
    return count if type(count) is int and 0 < count < MOST_TOKENS else 0
