"""Encodes `reasoning_effort` as Anthropic's thinking.

Sources: platform.claude.com/docs/en/build-with-claude/extended-thinking, …/adaptive-thinking and
…/effort (read 2026-11). The budgets are LiteLLM's defaults (constants.py, read 2026-11).
"""

from typing import Any

from xtrix.providers import Family

Body = dict[str, Any]

_BUDGETS = {"minimal": 1024, "low": 1024, "medium": 2048, "high": 4096, "xhigh": 8192, "max": 16384}
SMALLEST_BUDGET = 1024
"""The smallest thinking budget that Anthropic accepts, in tokens."""


def budget_of(effort: str | None, family: Family) -> int:
    """The thinking budget for `effort`, in tokens; 0 if the model takes none."""
    return _BUDGETS.get(effort or "", 0) if family.thinking == "budget" else 0


def is_exact(effort: str | None, asked: Body) -> bool:
    """Whether `asked` asks for exactly `effort`, not for the nearest of the model's."""
    word = asked.get("output_config", {}).get("effort", effort)
    return bool(asked) and effort in {word, "minimal"}


def encode_effort(effort: str | None, family: Family, max_tokens: int) -> Body:
    """The fields of the request that ask for `effort`; empty if that is not possible."""
    if effort in {None, "none"}:
        off = effort == "none" and family.thinks_unasked
        return {"thinking": {"type": "disabled"}} if off else {}
    if family.thinking == "adaptive":
        word = "low" if effort == "minimal" else effort
        word = word if word in family.efforts else "high"
        # Newer models return empty thinking unless they are asked for a summary.
        return {
            "thinking": {"type": "adaptive", "display": "summarized"},
            "output_config": {"effort": word},
        }
    budget = min(budget_of(effort, family), max_tokens - 1)
    if budget < SMALLEST_BUDGET:
        return {}
    return {"thinking": {"type": "enabled", "budget_tokens": budget}}
