"""What each family of models can do, as data.

The first row whose pattern matches the upstream's model id counts. A provider's own rows come
first. A model that no row knows is held to be new: the strictest row, the last one, is its own.

Sources, read 2026-11: platform.claude.com/docs (models overview, extended thinking, adaptive
thinking, effort, structured outputs, model deprecations) and BerriAI/litellm's
model_prices_and_context_window_backup.json for the two newest rows.
"""

import fnmatch
from collections.abc import Mapping
from typing import Any, Literal, NamedTuple


class Family(NamedTuple):
    """One row."""

    pattern: str
    sampling: Literal["both", "one", "none"] = "none"
    """How many of `temperature` and `top_p` it takes in one request."""
    thinking: Literal["none", "budget", "adaptive"] = "adaptive"
    efforts: tuple[str, ...] = ("low", "medium", "high", "xhigh", "max")
    """The words of `output_config.effort` that it knows."""
    thinks_unasked: bool = False
    """Whether it thinks by default and takes `disabled` to stop it."""
    prefill: bool = False
    """Whether the last turn may be the assistant's, to be gone on with."""
    structured: bool = True
    """Whether it has `output_config.format` and strict tools."""
    forced_tools: bool = True
    """Whether `tool_choice` may force a call."""
    system_inside: bool = False
    """Whether a system turn may stand inside the chat."""
    max_output: int = 128_000
    """Tokens."""


_EFFORTS = ("low", "medium", "high")
_OLD = Family("*claude-3*", "both", "none", (), prefill=True, structured=False, max_output=8_192)
_BUDGET = Family("", "one", "budget", (), prefill=True, max_output=64_000)
_INSIDE = Family("", system_inside=True)
_UNFORCED = _INSIDE._replace(forced_tools=False)

FAMILIES = (
    _OLD._replace(pattern="*claude-3-7*", thinking="budget", max_output=64_000),
    _OLD._replace(pattern="*claude-3-5*"),
    _OLD._replace(pattern="*claude-3*", max_output=4_096),
    _BUDGET._replace(pattern="*claude-*-4-5*"),
    _BUDGET._replace(pattern="*claude-opus-4-1*", max_output=32_000),
    Family("*claude-*-4-6*", "one", efforts=_EFFORTS),
    Family("*claude-opus-4-7*"),
    _INSIDE._replace(pattern="*claude-opus-4-8*"),
    _BUDGET._replace(
        pattern="*claude-opus-4*", sampling="both", structured=False, max_output=32_000
    ),
    _BUDGET._replace(pattern="*claude-sonnet-4*", sampling="both", structured=False),
    _UNFORCED._replace(pattern="*claude-*-5-5*"),
    *(
        _UNFORCED._replace(pattern=f"*claude-{name}-5-[12]{end}")
        for name in ("fable", "mythos")
        for end in ("", "-*")
    ),
    _INSIDE._replace(pattern="*claude-opus-5*", thinks_unasked=True),
    _INSIDE._replace(pattern="*claude-*-5*"),
    Family("*", forced_tools=False),
)


def family_of(model: str, rows: tuple[Mapping[str, Any], ...] = ()) -> Family:
    """The family of the upstream's `model`. `rows` go first; what one leaves out is the strictest's.

    Raises TypeError for a row with a field that no family has.
    """
    own = [Family(**{"forced_tools": False, **row}) for row in rows]
    return next(row for row in [*own, *FAMILIES] if fnmatch.fnmatchcase(model, row.pattern))
