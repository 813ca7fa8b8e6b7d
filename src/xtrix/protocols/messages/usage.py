"""The usage of Messages, as it is read and as it is written."""

from typing import Any

from xtrix.answer import Usage

Json = dict[str, Any]

_TIERS = {"standard": "default", "priority": "priority", "batch": "flex"}


def decode_usage(said: Json) -> Usage:
    """The usage in `said`. Anthropic's input tokens leave the cache out, ours include it."""
    cached = _count(said, "cache_read_input_tokens")
    written = _count(said, "cache_creation_input_tokens")
    details = said.get("output_tokens_details")
    return Usage(
        prompt=_count(said, "input_tokens") + cached + written,
        completion=_count(said, "output_tokens"),
        cached=cached,
        cache_written=written,
        reasoning=_count(details, "thinking_tokens") if isinstance(details, dict) else 0,
    )


def decode_tier(usage: Json) -> str | None:
    """OpenAI's name for the tier that served the request, None where nothing is said."""
    return _TIERS.get(str(usage.get("service_tier")))


def _count(counts: Json, name: str) -> int:
    count = counts.get(name)
    return count if isinstance(count, int) else 0
