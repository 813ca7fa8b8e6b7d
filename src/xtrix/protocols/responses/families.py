"""What each family of OpenAI's models takes, as data.

The first row whose pattern matches counts, a provider's own rows before these. A model that no row
knows is some other server's: it gets what the client says, and answers for itself.

Sources, read 2026-11: developers.openai.com/api/docs/models and …/guides/reasoning. Models that
reason refuse `temperature` and `top_p` unless their effort is `none`; those that do not refuse
`reasoning`.
"""

import fnmatch
import functools

from xtrix.providers import Family

_PLAIN = Family("", "any", "none", ())
_REASONING = Family("", "none")

FAMILIES = (
    *(
        _PLAIN._replace(pattern=pattern)
        for pattern in ("*gpt-3*", "*gpt-4*", "*chatgpt-*", "*gpt-5*-chat*")
    ),
    *(
        _REASONING._replace(pattern=pattern)
        for pattern in ("gpt-[5-9]*", "openai/gpt-[5-9]*", "o[134]*", "openai/o[134]*")
    ),
    Family("*", "any"),
)


@functools.lru_cache(maxsize=256)
def family_of(model: str, rows: tuple[Family, ...] = ()) -> Family:
    """The family of the upstream's `model`. `rows`, a provider's own, go first."""
    return next(row for row in (*rows, *FAMILIES) if fnmatch.fnmatchcase(model, row.pattern))
