"""Facts about an OpenAI-compatible answer that hold whole and streamed alike."""

from typing import Any

from xtrix.completions import Usage

_REASONS = {"stop", "length", "tool_calls", "content_filter", "function_call"}


def finish_reason(said: object, *, called: bool) -> str:
    """OpenAI's word for why an answer ended. Tool calls decide where the upstream says "stop"."""
    reason = said.lower() if isinstance(said, str) else ""
    if called and reason not in {"length", "content_filter", "function_call"}:
        return "tool_calls"
    if reason == "tool_calls" or reason not in _REASONS:
        return "length" if reason == "max_tokens" else "stop"
    return reason


def usage_of(said: object) -> Usage | None:
    """The usage that an upstream reports, or None where it reports none."""
    if not isinstance(said, dict):
        return None
    prompt = _details(said, "prompt_tokens_details")
    completion = _details(said, "completion_tokens_details")
    return Usage(
        prompt=_count(said, "prompt_tokens"),
        completion=_count(said, "completion_tokens"),
        cached=_count(prompt, "cached_tokens") or _count(said, "prompt_cache_hit_tokens"),
        cache_written=_count(prompt, "cache_write_tokens"),
        reasoning=_count(completion, "reasoning_tokens"),
        prompt_audio=_count(prompt, "audio_tokens"),
        completion_audio=_count(completion, "audio_tokens"),
        accepted=_count(completion, "accepted_prediction_tokens"),
        rejected=_count(completion, "rejected_prediction_tokens"),
    )


def _details(usage: dict[str, Any], name: str) -> dict[str, Any]:
    details = usage.get(name)
    return details if isinstance(details, dict) else {}


def _count(counts: dict[str, Any], name: str) -> int:
    count = counts.get(name)
    return int(count) if isinstance(count, int | float) and count > 0 else 0
