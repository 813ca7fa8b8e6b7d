"""Gives tools and calls names that OpenAI accepts, and finds them again in the answer."""

import hashlib
import re
from collections import Counter
from collections.abc import Iterable

from xtrix.answer import ToolName
from xtrix.prompt import Tool

LONGEST_NAME = 64
LONGEST_ID = 40
"""The most characters of a call's id at OpenAI (github.com/vercel/ai/issues/5171, read 2026-11)."""

_ODD = re.compile(r"[^a-zA-Z0-9_-]")

_Key = tuple[str | None, str]
"""A namespace, and the name of a tool in it."""


class ToolNames:
    """The upstream's name for each of the client's tools.

    OpenAI accepts 1 to 64 letters, digits, `_` and `-`. A tool of a namespace gets the namespace in
    front of its name. A name that must be rewritten, or that another tool has too, ends in a hash,
    so that it is the same in every request of a conversation.
    """

    def __init__(self, tools: Iterable[Tool]) -> None:
        """`tools` are those that the client sent. The history may name others."""
        own = [tool for tool in tools if tool.kind != "hosted"]
        self._tools = {
            (tool.namespace, tool.name): ToolName(tool.name, tool.kind, tool.namespace)
            for tool in own
            if tool.kind != "hosted"
        }
        self._theirs: dict[_Key, str] = {}
        self._taken: set[str] = set()
        # Names that need no change come first, so that no other tool can take one of them.
        for key in sorted(self._tools, key=lambda key: (_written(key) != key[1], str(key))):
            self(*key)

    def __call__(self, namespace: str | None, name: str) -> str:
        """The upstream's name for the tool `name` of `namespace`."""
        key = (namespace, name)
        theirs = self._theirs.get(key)
        if theirs is None:
            theirs = _written(key)
            if theirs in self._taken:
                theirs = _hashed(theirs, key)
            self._theirs[key] = theirs
            self._taken.add(theirs)
        return theirs

    def table(self) -> dict[str, ToolName]:
        """The client's tools by the upstream's names, where the name alone does not tell the tool.

        A model may leave out a tool's namespace. It is understood if only one tool has the name.
        """
        table = {
            theirs: self._tools.get(key) or ToolName(key[1], namespace=key[0])
            for key, theirs in self._theirs.items()
        }
        bare = Counter(name for namespace, name in self._tools if namespace)
        for (namespace, name), tool in self._tools.items():
            if namespace and bare[name] == 1:
                table.setdefault(name, tool)
        return {theirs: tool for theirs, tool in table.items() if tool != ToolName(theirs)}


class CallIds:
    """The upstream's id for each call of a history. Equal ids would be taken for one call."""

    def __init__(self) -> None:
        self._taken: set[str] = set()
        self._repeats: dict[str, int] = {}

    def new(self, client_id: str) -> str:
        """An id for the next call, which the client calls `client_id`."""
        plain = call_id(client_id)
        theirs = plain
        while theirs in self._taken:
            number = self._repeats[plain] = self._repeats.get(plain, 1) + 1
            theirs = call_id(f"{plain}_{number}")
        self._taken.add(theirs)
        return theirs


def call_id(client_id: str) -> str:
    """The upstream's id for a call that the client calls `client_id`."""
    return client_id if 0 < len(client_id) <= LONGEST_ID else f"call_{_digest(client_id)[:32]}"


def _written(key: _Key) -> str:
    """The name of `key` in a form that OpenAI accepts."""
    namespace, name = key
    joined = f"{namespace}__{name}" if namespace else name
    written = _ODD.sub("_", joined[: LONGEST_NAME + 1])
    return (
        written if written == joined and 0 < len(joined) <= LONGEST_NAME else _hashed(written, key)
    )


def _hashed(name: str, key: _Key) -> str:
    digest = _digest("\0".join((key[0] or "", key[1])))[:8]
    return f"{name[: LONGEST_NAME - 9]}_{digest}"


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode(errors="replace")).hexdigest()
