"""Encodes a Prompt's turns as input items of Responses, in order.

Each call, result and piece of reasoning is an item of its own. Everything else in a turn becomes
messages between them. Only its issuer accepts a reasoning item, and only with its encrypted
content. OpenAI refuses one that is not followed by something of the assistant.

Source: developers.openai.com/api/docs/guides/reasoning and openai-python 3.57.0 (read 2026-11).
"""

from collections.abc import Callable, Iterable
from typing import Any

from xtrix.errors import unsupported
from xtrix.openai.names import CallIds, ToolNames
from xtrix.prompt import Block, Call, CallKind, Json, Opaque, Origin, Result, Thinking, Turn
from xtrix.protocols.responses.encode_blocks import (
    PROTOCOL,
    encode_answer_part,
    encode_parts,
    input_text,
)
from xtrix.providers import Target

_ERROR = "Error: "
_RESULTS = {"function_call_output", "custom_tool_call_output"}


class Items:
    """The turns so far, as input items."""

    def __init__(self, target: Target, names: ToolNames) -> None:
        self.ignored: set[str] = set()
        """What was left out of messages, by the client's names."""
        self._items: list[Json] = []
        self._names = names
        self._ids = CallIds()
        self._roles = target.provider.quirks.roles
        self._here = Origin(target.provider.name, target.model, PROTOCOL)
        self._calls: dict[str, tuple[str, CallKind]] = {}
        """For each of the client's call ids: the upstream's id, and the kind of the tool."""

    def add(self, turn: Turn) -> None:
        """Adds `turn`. Raises ClientError."""
        if turn.extra.get("name"):
            self.ignored.add("messages.name")
        message: list[Block] = []
        for block in turn.blocks:
            encode = _ITEMS.get(type(block))
            if encode is None or (isinstance(block, Opaque) and block.protocol != PROTOCOL):
                message.append(block)
                continue
            self._message(turn, message)
            message = []
            item = encode(self, block)
            if item is not None:
                self._items.append(item)
        if message or not turn.blocks:
            self._message(turn, message)

    def items(self) -> list[Json]:
        """All items, without reasoning that nothing follows."""
        kept = []
        is_followed = False
        for item in reversed(self._items):
            kind = item.get("type")
            if kind == "reasoning":
                if not is_followed:
                    continue
            else:
                is_followed = item.get("role", "assistant") == "assistant" and kind not in _RESULTS
            kept.append(item)
        return kept[::-1]

    def _message(self, turn: Turn, blocks: list[Block]) -> None:
        """Adds a message for what a turn says between its calls, results and reasoning."""
        if turn.role == "assistant":
            parts = [part for block in blocks if (part := encode_answer_part(block))]
            if not parts:
                return
        else:
            if not blocks and turn.blocks:
                return
            parts = [part for block in blocks for part in encode_parts(block)]
            full = [part for part in parts if part.get("text") != ""]
            parts = full or parts[:1] or [input_text("")]
        role = self._roles.get(turn.role, turn.role)
        self._items.append({"type": "message", "role": role, "content": _plain(parts)})

    def _thinking(self, block: Thinking) -> Json | None:
        sealed = block.sealed
        return sealed.value if sealed and sealed.origin == self._here else None

    def _opaque(self, block: Opaque) -> Json:
        return block.value

    def _call(self, block: Call) -> Json:
        theirs = self._ids.new(block.id)
        self._calls[block.id] = (theirs, block.kind)
        kind, field = (
            ("custom_tool_call", "input")
            if block.kind == "custom"
            else ("function_call", "arguments")
        )
        name = self._names(block.namespace, block.name)
        return {"type": kind, "call_id": theirs, "name": name, field: block.arguments}

    def _result(self, block: Result) -> Json:
        theirs, kind = self._calls[block.call_id]
        output = _plain([part for each in block.content for part in encode_parts(each)])
        if block.is_error:
            output = _failed(output)
        called = "custom_tool_call" if kind == "custom" else "function_call"
        return {"type": f"{called}_output", "call_id": theirs, "output": output}


_ITEMS: dict[type, Callable[[Items, Any], Json | None]] = {
    Thinking: Items._thinking,
    Opaque: Items._opaque,
    Call: Items._call,
    Result: Items._result,
}


def encode_turns(turns: Iterable[Turn], target: Target, names: ToolNames) -> Items:
    """The items of `turns`. Raises ClientError."""
    items = Items(target, names)
    last: Turn | None = None
    for turn in turns:
        items.add(turn)
        last = turn
    if last and last.role == "assistant":
        why = "the upstream would not go on with the assistant's last turn but begin another."
        raise unsupported(last.path, why, value=True)
    return items


def _plain(parts: list[Json]) -> str | list[Json]:
    """`parts`, or a string if they are one text."""
    if not parts:
        return ""
    if len(parts) == 1 and parts[0]["type"] in {"input_text", "output_text"}:
        text: str = parts[0]["text"]
        return text
    return parts


def _failed(output: str | list[Json]) -> str | list[Json]:
    """`output`, with a word that says that the tool failed, because there is no field for it."""
    if not isinstance(output, str):
        return [input_text(_ERROR.strip()), *output]
    return output if output.lower().startswith("error") else _ERROR + output
