"""What each family of models can do, as data.

The first row whose pattern matches the upstream's model id counts, and a provider's own rows come
first. A Claude model without a row is taken for a new one, and gets the strictest row. Other models
without a row (llama.cpp, vLLM, DeepSeek, Kimi, GLM and others speak this protocol too) get
everything that the client sent, because nothing is known that they refuse.

Sources, read 2026-11: platform.claude.com/docs (models overview, extended thinking, adaptive
thinking, effort, structured outputs, model deprecations) and BerriAI/litellm's
model_prices_and_context_window_backup.json for the two newest rows.
"""

import fnmatch
import functools

from xtrix.providers import Family

_EFFORTS = ("low", "medium", "high")
_OLD = Family(
    "", "both", "none", (), prefill=True, structured=False, forced_tools=True, max_output=8_192
)
_BUDGET = Family("", "one", "budget", (), prefill=True, forced_tools=True, max_output=64_000)
_INSIDE = Family("", system_inside=True, forced_tools=True)
_UNFORCED = Family("", system_inside=True)

FAMILIES = (
    _OLD._replace(pattern="*claude-3-7*", thinking="budget", max_output=64_000),
    _OLD._replace(pattern="*claude-3-5*"),
    _OLD._replace(pattern="*claude-3*", max_output=4_096),
    _BUDGET._replace(pattern="*claude-*-4-5*"),
    _BUDGET._replace(pattern="*claude-opus-4-1*", max_output=32_000),
    Family("*claude-*-4-6*", "one", efforts=_EFFORTS, forced_tools=True),
    Family("*claude-opus-4-7*", forced_tools=True),
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
    Family("*claude*"),
    Family(
        "*",
        "any",
        "budget",
        (),
        prefill=True,
        structured=False,
        forced_tools=True,
        max_output=10**9,
    ),
)


@functools.lru_cache(maxsize=256)
def family_of(model: str, rows: tuple[Family, ...] = ()) -> Family:
    """The family of the upstream's `model`. A provider's own `rows` come first."""
    return next(row for row in (*rows, *FAMILIES) if fnmatch.fnmatchcase(model, row.pattern))
