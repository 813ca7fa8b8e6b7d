"""Facts about an Anthropic answer that hold whole and streamed alike.

Source: platform.claude.com/docs/en/api/messages and …/handling-stop-reasons (read 2026-11).
"""

from typing import Any

from xtrix.completions import Usage
from xtrix.dialect import Asked
from xtrix.errors import bad_response
from xtrix.redact import word

Block = dict[str, Any]

_REASONS = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "tool_use": "stop",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    # The loop of a server's own tools was cut short: the answer is not whole.
    "pause_turn": "length",
    "refusal": "content_filter",
}
_TIERS = {"standard": "default", "priority": "priority", "batch": "flex"}


def finish_reason(stop_reason: object, asked: Asked, *, called: bool) -> str:
    """OpenAI's word. What was called decides about tool calls, not what the upstream says of it."""
    reason = _REASONS.get(str(stop_reason), "stop")
    if called and reason == "stop":
        return "function_call" if asked.functions else "tool_calls"
    return reason


def unknown_reason(stop_reason: object) -> str | None:
    """A word for the log where `stop_reason` is not known here, or missing."""
    return None if str(stop_reason) in _REASONS else word(stop_reason)


def usage_of(said: dict[str, Any]) -> Usage:
    """The usage in `said`. Anthropic's input tokens leave the cache out, OpenAI's include it."""
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


def service_tier(usage: dict[str, Any]) -> str | None:
    """OpenAI's name for the tier that served the request, None where nothing is said."""
    return _TIERS.get(str(usage.get("service_tier")))


def refusal_of(said: dict[str, Any]) -> str | None:
    """Why the model refused, in its own words, where it gives them."""
    details = said.get("stop_details")
    why = details.get("explanation") if isinstance(details, dict) else None
    return why if isinstance(why, str) else None


def block_type(block: Block) -> str:
    """What kind of content `block` is. Raises UpstreamError."""
    kind = block.get("type")
    if not isinstance(kind, str):
        raise bad_response("a content block without a type")
    return kind


def string_in(said: Block, name: str) -> str:
    """The text `name` of a block; null is none. Raises UpstreamError."""
    value = said.get(name)
    if value is not None and not isinstance(value, str):
        raise bad_response(f"a content block whose '{name}' is no text")
    return value or ""


def citations_of(block: Block) -> list[Block]:
    """The citations of a text block. Raises UpstreamError."""
    citations = block.get("citations") or []
    if not isinstance(citations, list) or not all(isinstance(each, dict) for each in citations):
        raise bad_response("citations that are no list of objects")
    return citations


def annotation(citation: dict[str, Any], start: int, end: int) -> dict[str, Any] | None:
    """OpenAI's annotation of the text from `start` to `end`; None for a source without a URL."""
    url = citation.get("url")
    if not isinstance(url, str):
        return None
    title = string_in(citation, "title")
    span = {"start_index": start, "end_index": end}
    return {"type": "url_citation", "url_citation": {"url": url, "title": title, **span}}


def _count(counts: dict[str, Any], name: str) -> int:
    count = counts.get(name)
    return count if isinstance(count, int) else 0
