"""What each family of models accepts in OpenAI's protocols, as data.

The first row with a matching pattern counts, and a provider's own rows come first. A model without
a row is treated carefully in Chat Completions: it gets no effort, and system text only at the
beginning, which every chat template accepts. Everything else is sent as the client sent it. A
server of Responses accepts more.

Sources, read 2026-11: developers.openai.com/api/docs/guides/reasoning and …/models (efforts,
output limits, and that models that reason refuse `temperature` and `top_p` unless their effort is
`none`), ai.google.dev/gemini-api/docs/openai, api-docs.deepseek.com/guides/thinking_mode,
console.groq.com/docs/reasoning.
"""

import fnmatch
import functools

from xtrix.prompt import Settings
from xtrix.providers import Family

EFFORTS = ("none", "minimal", "low", "medium", "high", "xhigh", "max")
"""The names of efforts, from the least to the most."""

_UNLIMITED = 2**53
OTHER_CHAT = Family("*", "both", "none", (), max_output=_UNLIMITED)
"""A model without a row, in Chat Completions."""
OTHER_RESPONSES = Family("*", "any", "adaptive", EFFORTS, max_output=_UNLIMITED)
"""A model without a row, in Responses."""

_OPENAI = OTHER_CHAT._replace(system_inside=True)
_REASONING = _OPENAI._replace(sampling="none", thinking="adaptive", max_output=128_000)
_GRADED = ("low", "medium", "high")


def _rows(family: Family, *patterns: str) -> tuple[Family, ...]:
    """`family` for each of `patterns`, with the names of OpenAI and of OpenRouter."""
    return tuple(
        family._replace(pattern=prefix + pattern)
        for pattern in patterns
        for prefix in ("", "openai/")
    )


FAMILIES = (
    *_rows(_OPENAI._replace(max_output=16_384), "gpt-5*-chat*", "chatgpt-*", "gpt-4o*", "gpt-4.5*"),
    *_rows(_OPENAI._replace(max_output=32_768), "gpt-4.1*"),
    *_rows(_OPENAI._replace(max_output=4096), "gpt-3.5*", "gpt-4-turbo*", "gpt-4-*preview"),
    *_rows(_OPENAI._replace(max_output=8192), "gpt-4", "gpt-4-*"),
    *_rows(_REASONING._replace(efforts=("none", *_GRADED)), "gpt-5.1*"),
    *_rows(_REASONING._replace(efforts=("none", *_GRADED, "xhigh")), "gpt-5.*", "gpt-[6-9]*"),
    *_rows(_REASONING._replace(efforts=("minimal", *_GRADED)), "gpt-5", "gpt-5-*"),
    *_rows(_REASONING._replace(efforts=_GRADED, max_output=100_000), "o[134]", "o[134]-*"),
    OTHER_CHAT._replace(pattern="*gpt-oss*", thinking="adaptive", efforts=_GRADED),
    *(
        OTHER_CHAT._replace(
            pattern=pattern, thinking="adaptive", efforts=_GRADED, max_output=65_536
        )
        for pattern in ("gemini-2.5*", "gemini-[3-9]*")
    ),
    OTHER_CHAT._replace(pattern="deepseek-v4*", thinking="adaptive", efforts=("high", "max")),
)


@functools.lru_cache(maxsize=256)
def family_of(model: str, rows: tuple[Family, ...] = (), other: Family = OTHER_CHAT) -> Family:
    """The family of the upstream's `model`. A provider's own `rows` come first, `other` last."""
    known = (*rows, *FAMILIES, other)
    return next(row for row in known if fnmatch.fnmatchcase(model, row.pattern))


def encode_effort(settings: Settings, family: Family) -> tuple[str | None, bool]:
    """The family's name for the effort that the client asks for, and whether it is less than that.

    A client of Messages may ask for it with `thinking`.
    """
    thinking = (settings.thinking or {}).get("type")
    wanted = settings.effort or ("none" if thinking == "disabled" else None)
    word = nearest_effort(wanted, family) if wanted else None
    if family.thinking == "none":
        return word, wanted not in {None, "none"} or thinking not in {None, "disabled"}
    return word, word != wanted


def nearest_effort(effort: str, family: Family) -> str | None:
    """The family's name for `effort`, or for the nearest that it has; None if it has none.

    The next higher effort is nearest; above the highest, the highest. Only the lowest of all can
    replace `none`.
    """
    if effort not in EFFORTS:
        return None
    words = () if family.thinking == "none" else family.efforts
    known = [word for word in EFFORTS if word in words]
    if effort == "none":
        return next((word for word in known if word in {"none", "minimal"}), None)
    known = [word for word in known if word != "none"]
    enough = [word for word in known if EFFORTS.index(word) >= EFFORTS.index(effort)]
    return next(iter([*enough, *reversed(known)]), None)
