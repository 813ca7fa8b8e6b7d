"""Reads and writes the usage object of Responses.

Source: openai-python 3.57.0, `ResponseUsage` (read 2026-11). Both of its details are required.
"""

from typing import Any

from xtrix.answer import Usage
from xtrix.upstream import token_count

Json = dict[str, Any]


def decode_usage(usage: object) -> Usage | None:
    """The usage that an upstream reports; None if it reports none."""
    if not isinstance(usage, dict):
        return None
    prompt = _details(usage, "input_tokens_details")
    completion = _details(usage, "output_tokens_details")
    return Usage(
        prompt=token_count(usage, "input_tokens"),
        completion=token_count(usage, "output_tokens"),
        cached=token_count(prompt, "cached_tokens"),
        cache_written=token_count(prompt, "cache_write_tokens"),
        reasoning=token_count(completion, "reasoning_tokens"),
    )


def encode_usage(usage: Usage) -> Json:
    """The usage object. Its total is the sum."""
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
