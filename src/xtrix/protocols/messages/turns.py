"""Decodes the messages of a request to turns, and what they say about tools and effort.

It is checked that messages fit together, with Anthropic's error messages: each call has a result
before the assistant speaks again, each result belongs to such a call, and every block is in a turn
of its role. System messages inside the conversation stay where they are.

Source: platform.claude.com/docs/en/api/messages, …/tool-use/implement-tool-use and the types of
anthropic-python 2.14.0, read 2026-11.
"""

from collections.abc import Callable

from xtrix.errors import ClientError
from xtrix.prompt import Block, Call, Json, Thinking, Turn
from xtrix.protocols.messages import blocks
from xtrix.protocols.messages.calls import extra_of
from xtrix.protocols.messages.errors import invalid, unsupported
from xtrix.protocols.messages.tools import ToolChanges
from xtrix.reasoning import Carrier

BILLING = "x-anthropic-billing-header:"
"""The beginning of a line in which Claude Code says who pays. It changes with every request, and
only Anthropic removes it before it looks for a cached prefix."""


class Turns:
    """The messages so far."""

    def __init__(self, carrier: Carrier) -> None:
        self.turns: list[Turn] = []
        self.changes = ToolChanges()
        self.effort: str | None = None
        """The last effort that a system message asks for."""
        self._carrier = carrier
        self._open: dict[str, str] = {}
        """The calls without a result: id, and place of their message."""
        self._role = ""
        """The role of the last message that is not a system message."""

    def system(self, content: str | list[Json] | None) -> None:
        """Adds the request's `system`. Raises ClientError."""
        found: list[Block] = []
        for block, path in blocks.each(content, "system"):
            _only(block, path, {"text"}, "system")
            found += blocks.text(_without_billing(block), path)
        self._add("system", found, "system")

    def messages(self, messages: list[Json]) -> None:
        """Adds all messages. Raises ClientError."""
        last_user = max(
            (index for index, each in enumerate(messages) if each["role"] == "user"), default=-1
        )
        for index, message in enumerate(messages):
            path = f"messages.{index}"
            if message["role"] == "system":
                self._inside(message, path, is_cleared=_is_cleared(message, index < last_user))
            else:
                _ROLES[message["role"]](self, message, path)
                self._role = message["role"]
        self._refuse_open()
        if not any(turn.role != "system" for turn in self.turns):
            raise invalid("messages", "none of them has any content.")

    def _user(self, message: Json, path: str) -> None:
        found: list[Block] = []
        for block, place in blocks.each(message["content"], f"{path}.content"):
            if block["type"] == "tool_result":
                found.append(self._result(block, place))
                continue
            _only(block, place, _USER, "user")
            found += blocks.shown(block, place)
        self._add("user", found, path)

    def _assistant(self, message: Json, path: str) -> None:
        if self._role == "user":
            self._refuse_open()
        found: list[Block] = []
        extras: dict[str, Json] = {}
        for block, place in blocks.each(message["content"], f"{path}.content"):
            for decoded in self._decoded(block, place, path):
                extra = extra_of(decoded.sealed) if isinstance(decoded, Thinking) else {}
                extras |= extra
                found += [] if extra else [decoded]
        for decoded in found:
            if isinstance(decoded, Call):
                decoded.extra = extras.get(decoded.id, {})
        self._add("assistant", found, path)

    def _decoded(self, block: Json, place: str, path: str) -> list[Block]:
        """A block of the assistant."""
        match block["type"]:
            case "text":
                return blocks.text(block, place)
            case "tool_use":
                return [self._call(block, place, path)]
            case "thinking":
                return blocks.thinking(block, place, self._carrier)
            case "redacted_thinking":
                return blocks.redacted(block, place, self._carrier)
            case "compaction":
                for index, change in enumerate(block.get("tool_changes") or ()):
                    self.changes.take(change, f"{place}.tool_changes.{index}")
        _never(block, place, {*_USER, "tool_result"} - {"text"}, "assistant")
        return [blocks.opaque(block, place)]

    def _call(self, block: Json, place: str, path: str) -> Call:
        if block["id"] in self._open:
            raise invalid(f"{place}.id", "`tool_use` ids must be unique")
        self._open[block["id"]] = path
        return blocks.call(block, place)

    def _result(self, block: Json, place: str) -> Block:
        if self._open.pop(block["tool_use_id"], None) is None:
            why = (
                "unexpected `tool_use_id` found in `tool_result` blocks: "
                f"{block['tool_use_id'][:128]}. Each `tool_result` block must have a corresponding "
                "`tool_use` block in the previous message."
            )
            raise invalid(place, why)
        for inner, _ in blocks.each(block.get("content"), ""):
            if inner["type"] == "tool_reference":
                self.changes.found.add(inner["tool_name"])
        return blocks.result(block, place)

    def _inside(self, message: Json, path: str, *, is_cleared: bool) -> None:
        """A system message inside the conversation. Of a cleared one only its tools are left."""
        if self._open:
            why = "a system message may not stand between `tool_use` blocks and their results."
            raise invalid(f"{path}.role", why)
        found: list[Block] = []
        for block, place in blocks.each(message.get("content"), f"{path}.content"):
            _only(block, place, {"text", "tool_addition", "tool_removal"}, "system")
            if block["type"] != "text":
                self.changes.take(block, place)
            elif not is_cleared:
                found += blocks.text(block, place)
        effort = (message.get("output_config") or {}).get("effort")
        if effort and not is_cleared:
            self.effort = effort
        self._add("system", found, path)

    def _add(self, role: str, found: list[Block], path: str) -> None:
        if found:
            self.turns.append(Turn(role, found, path))  # type: ignore[arg-type]  # by the schema

    def _refuse_open(self) -> None:
        """Raises ClientError for calls that have no result by now."""
        if self._open:
            path = next(iter(self._open.values()))
            ids = ", ".join(name[:128] for name in list(self._open)[:8])
            why = (
                "`tool_use` ids were found without `tool_result` blocks immediately after: "
                f"{ids}. Each `tool_use` block must have a corresponding `tool_result` block in "
                "the next message."
            )
            raise invalid(path, why)


_USER = {"text", "image", "document", "search_result"}
_ROLES: dict[str, Callable[[Turns, Json, str], None]] = {
    "user": Turns._user,
    "assistant": Turns._assistant,
}
_BY_OTHERS = {
    "tool_use": "assistant",
    "thinking": "assistant",
    "redacted_thinking": "assistant",
    "tool_result": "user",
    "tool_addition": "system",
    "tool_removal": "system",
}


def _only(block: Json, path: str, allowed: set[str], role: str) -> None:
    """Raises ClientError for a block that `role` may not have."""
    kind = block["type"]
    if kind not in allowed:
        raise _misplaced(kind, path, role)


def _never(block: Json, path: str, refused: set[str], role: str) -> None:
    kind = block["type"]
    if kind in refused or kind in _BY_OTHERS:
        raise _misplaced(kind, path, role)


def _misplaced(kind: str, path: str, role: str) -> ClientError:
    whose = _BY_OTHERS.get(kind)
    if whose and whose != role:
        return invalid(path, f"`{kind}` blocks can only be in `{whose}` messages")
    return unsupported(f"{path}.type", f"'{kind[:64]}' cannot be told to this model here.")


def _is_cleared(message: Json, before_user: bool) -> bool:
    return before_user and message.get("clear_at") == "next_user_message"


def _without_billing(block: Json) -> Json:
    """`block` without the line about who pays.

    A block that begins with it contains nothing else.
    """
    text = block["text"]
    if not text.startswith(BILLING):
        return block
    return {**block, "text": text.partition("\n")[2]}
