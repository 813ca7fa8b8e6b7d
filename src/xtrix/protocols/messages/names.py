"""Gives tools names that Anthropic accepts, and finds them again in the answer."""

import hashlib
import re
from collections.abc import Iterable

from xtrix.answer import ToolName

CUSTOM_INPUT = "input"
"""The one property of the object that replaces a custom tool's text."""

_ODD = re.compile(r"[^a-zA-Z0-9_-]")
_LONGEST = 128

_Key = tuple[str | None, str]
"""A namespace and a name in it."""


class ToolNames:
    """The upstream's name for each of the client's tools.

    Anthropic accepts letters, digits, `_` and `-`. A name with others is rewritten, with a hash if
    another tool has the same name then. A tool in a namespace gets the namespace in front of its
    name.
    """

    def __init__(self, names: Iterable[_Key], reserved: Iterable[str] = ()) -> None:
        """`reserved` are names that no tool of the client may have upstream."""
        self._theirs: dict[_Key, str] = {}
        self._taken: set[str] = set(reserved)
        for key in sorted(names, key=lambda key: _ODD.search(_joined(key)) is not None):
            self(*key)

    def __call__(self, namespace: str | None, name: str) -> str:
        """The upstream's name for the tool `name` of `namespace`."""
        key = (namespace, name)
        known = self._theirs.get(key)
        if known is not None:
            return known
        joined = _joined(key)
        theirs = _ODD.sub("_", joined[:_LONGEST])
        if theirs in self._taken:
            digest = hashlib.sha256(joined.encode(errors="replace")).hexdigest()[:8]
            theirs = f"{theirs[: _LONGEST - 9]}_{digest}"
        self._theirs[key] = theirs
        self._taken.add(theirs)
        return theirs

    def table(self, kinds: dict[_Key, ToolName]) -> dict[str, ToolName]:
        """The client's tools by the upstream's names, where the name alone does not tell the tool.

        `kinds` are the tools that the client sent. The history may name others.
        """
        named = {
            theirs: kinds.get(key) or ToolName(key[1], namespace=key[0])
            for key, theirs in self._theirs.items()
        }
        return {theirs: tool for theirs, tool in named.items() if tool != ToolName(theirs)}


def _joined(key: _Key) -> str:
    namespace, name = key
    return f"{namespace}__{name}" if namespace else name
