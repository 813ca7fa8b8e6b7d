"""How many tokens a call may come to, before it is made: the most, and what is likely.

The most is for keys that must not overspend, and errs upwards in everything; what has no bound at
all is refused. What is likely is cheap to find: it is set aside for every call of other keys.
"""

from collections.abc import Iterator

from xtrix.errors import ClientError
from xtrix.json import Json
from xtrix.prompt import Block, File, Image, Opaque, Prompt, Result

MOST_OUTPUT = 128_000
"""Tokens: the largest limit of an answer that any model has (2026-11)."""
MOST_INPUT = 1_000_000
"""Tokens: the largest window that any model has (2026-11)."""

_UNSEEN = 1_000
"""Tokens that an upstream adds for tools and roles."""
_PER_IMAGE = 10_000
_LIMITS = ("max_completion_tokens", "max_tokens", "max_output_tokens")
_PER_TOKEN = 4
"""Characters."""
_BINARY = b"base64,"
_MOST_TEXT = 65_536
_LIKELY_BINARY = 1_600
_FIRST_OUTPUT = 500
"""Tokens that are set aside for an answer of a key of which no answer is known."""


def most_input(prompt: Prompt, size: int) -> int:
    """The most tokens that a request of `size` bytes can have. Raises ClientError where none is.

    No token is less than a byte of text. What stands for more than its own bytes is counted apart.
    """
    if prompt.settings.web_search or any(tool.kind == "hosted" for tool in prompt.tools):
        message = (
            "This key has a strict budget, and what a tool that the provider runs will cost is not"
            " known before; leave such tools out."
        )
        raise ClientError(403, "unbounded_cost", message, param="tools")
    tokens = size + _UNSEEN
    for block in _blocks(prompt):
        if isinstance(block, Image):
            tokens += _PER_IMAGE
        elif isinstance(block, Opaque) or (isinstance(block, File) and block.source.kind != "text"):
            return MOST_INPUT
    return min(tokens, MOST_INPUT)


def most_output(fields: Json) -> int:
    """The most tokens that the answer can have, of a request's own fields."""
    given = [fields.get(name) for name in _LIMITS]
    limits = [it for it in given if isinstance(it, int) and 0 < it < MOST_OUTPUT]
    return (max(limits) if limits else MOST_OUTPUT) * _answers(fields)


def likely_input(body: bytes) -> int:
    """The tokens that a request with this body is likely to have."""
    if len(body) <= _MOST_TEXT or _BINARY not in body:
        return len(body) // _PER_TOKEN
    binaries: int = body.count(_BINARY)
    return _MOST_TEXT // _PER_TOKEN + binaries * _LIKELY_BINARY


def likely_output(fields: Json, average: float) -> int:
    """The tokens that the answer is likely to have, of a key whose answers have that `average`."""
    likely = int(average * 1.5) + 1 if average else _FIRST_OUTPUT
    return min(most_output(fields), likely * _answers(fields))


def of_text(characters: int) -> int:
    """The tokens that so much text is likely to have."""
    return -(-characters // _PER_TOKEN)


def _answers(fields: Json) -> int:
    count = fields.get("n")
    return count if isinstance(count, int) and 1 < count <= 1_000 else 1


def _blocks(prompt: Prompt) -> Iterator[Block]:
    for turn in prompt.turns:
        for block in turn.blocks:
            yield block
            if isinstance(block, Result):
                yield from block.content
