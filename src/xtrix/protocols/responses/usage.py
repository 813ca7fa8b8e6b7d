"""The usage of Responses, as it is read and as it is written.

Source: openai-python 3.57.0, `ResponseUsage` (read 2026-11). Both of its details are required.
"""

from typing import Any

from xtrix.answer import Usage

Json = dict[str, Any]

_MOST_TOKENS = 2**53
"""What is more is no count: clients read numbers as floats."""


def decode_usage(said: object) -> Usage | None:
    """The usage that an upstream reports, or None where it reports none."""
    if not isinstance(said, dict):
        return None
    prompt = _details(said, "input_tokens_details")
    completion = _details(said, "output_tokens_details")
    return Usage(
        prompt=_count(said, "input_tokens"),
        completion=_count(said, "output_tokens"),
        cached=_count(prompt, "cached_tokens"),
        cache_written=_count(prompt, "cache_write_tokens"),
        reasoning=_count(completion, "reasoning_tokens"),
    )


def encode_usage(usage: Usage) -> Json:
    """The usage object; its total is the sum."""
    return {
        "input_tokens": usage.prompt,
        "input_tokens_details": {
            "cached_tokens": usage.cached,
            "cache_write_tokens": usage.cache_written,
        },
        "output_tokens": usage.completion,
        "output_tokens_details": {"reasoning_tokens": usage.reasoning},
        "total_tokens": usage.prompt + usage.completion,
    }


def _details(usage: Json, name: str) -> Json:
    details = usage.get(name)
    return details if isinstance(details, dict) else {}


def _count(counts: Json, name: str) -> int:
    count: Any = counts.get(name)
    is_number = isinstance(count, int | float) and not isinstance(count, bool)
    return int(count) if is_number and 0 < count < _MOST_TOKENS else 0
