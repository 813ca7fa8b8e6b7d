"""The upstream's names of a client's tools and calls, and back."""

import hashlib
import re
from collections.abc import Iterable

from xtrix.answer import ToolName
from xtrix.prompt import CallKind, Tool

LONGEST_ID = 64
"""Characters of a `call_id`."""

_NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")
_ODD = re.compile(r"[^a-zA-Z0-9_-]")
_LONGEST = 64


class ToolNames:
    """The upstream's name for each of the client's tools.

    OpenAI takes 1 to 64 letters, digits, `_` and `-`. Any other name is rewritten, and gets a hash
    where it loses its end or becomes another tool's. A tool in a namespace was named by a client of
    this protocol, and keeps its name.
    """

    def __init__(self, tools: Iterable[Tool]) -> None:
        """`tools` are those that the client sent; a history may name others."""
        self._theirs: dict[str, str] = {}
        self._taken: set[str] = set()
        self._kinds: dict[str, CallKind] = {}
        own = [tool for tool in tools if tool.kind != "hosted" and tool.namespace is None]
        for tool in sorted(own, key=lambda tool: _NAME.fullmatch(tool.name) is None):
            assert tool.kind != "hosted"
            self._kinds[tool.name] = tool.kind
            self(tool.name)

    def __call__(self, name: str, namespace: str | None = None) -> str:
        """The upstream's name for the tool `name` of `namespace`."""
        if namespace is not None:
            return name
        known = self._theirs.get(name)
        if known is not None:
            return known
        theirs = _ODD.sub("_", name[:_LONGEST])
        if len(name) > _LONGEST or not theirs or theirs in self._taken:
            theirs = f"{theirs[: _LONGEST - 9]}_{_digest(name)[:8]}"
        self._theirs[name] = theirs
        self._taken.add(theirs)
        return theirs

    def kind(self, name: str) -> CallKind:
        """What the client's tool `name` takes; a function where there is no such tool."""
        return self._kinds.get(name, "function")

    def table(self) -> dict[str, ToolName]:
        """The upstream's name to the client's tool, where its name alone does not tell that."""
        named = {theirs: ToolName(ours, self.kind(ours)) for ours, theirs in self._theirs.items()}
        return {theirs: tool for theirs, tool in named.items() if tool != ToolName(theirs)}


class CallIds:
    """The upstream's id for each call of a history: short enough, and no other call's."""

    def __init__(self) -> None:
        self._taken: set[str] = set()
        self._repeats: dict[str, int] = {}

    def new(self, said: str) -> str:
        """An id for a call that the client calls `said`; the same history gives the same id."""
        plain = said if 0 < len(said) <= LONGEST_ID else f"call_{_digest(said)[:32]}"
        theirs = plain
        while theirs in self._taken:
            number = self._repeats[plain] = self._repeats.get(plain, 1) + 1
            theirs = f"{plain[: LONGEST_ID - 12]}_{number}"
        self._taken.add(theirs)
        return theirs


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode(errors="replace")).hexdigest()
