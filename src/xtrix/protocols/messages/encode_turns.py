"""Encodes a Prompt's turns as system blocks and turns of Messages.

Anthropic answers with 400 if a rule is broken: the next user turn has a result for every
`tool_use`; results come first in it and belong to no other call; ids are unique; no text is empty,
but a turn may be. Several turns of one role become one turn, because results in turns of their own
would teach the model not to call tools in parallel.

Source: platform.claude.com/docs/en/api/messages and …/tool-use/implement-tool-use, read 2026-11.
"""

import hashlib
import re
from collections.abc import Callable
from typing import Any

from xtrix import json
from xtrix.errors import invalid, unsupported
from xtrix.prompt import (
    Block,
    Call,
    Json,
    Opaque,
    Origin,
    Prompt,
    Refusal,
    Result,
    Text,
    Thinking,
    Turn,
)
from xtrix.protocols.messages.encode_blocks import encode_media, marked
from xtrix.protocols.messages.names import CUSTOM_INPUT, ToolNames
from xtrix.providers import Family, Target
from xtrix.shape import ValueBudget

_ODD_ID = re.compile(r"[^a-zA-Z0-9_-]")
_LONGEST_ID = 128
_EMPTY = "(empty)"
_SYSTEM_MARK = "[system] "


class Turns:
    """The turns so far, in the form of Messages."""

    def __init__(self, target: Target, family: Family, names: ToolNames) -> None:
        self.system: list[Json] = []
        self.turns: list[Json] = []
        self.ignored: set[str] = set()
        """What was left out of messages, by the client's names."""
        self._target = target
        self._family = family
        self._names = names
        self._ids: set[str] = set()
        self._repeats: dict[str, int] = {}
        self._open: dict[str, str] = {}
        """The calls without a result: the client's id, and the upstream's."""
        self._results = 0
        """The number of results at the beginning of the last turn."""
        self._budget = ValueBudget()
        self._held: list[Json] = []
        """System text after the first turn. It waits until the next turn is known."""

    @property
    def has_calls(self) -> bool:
        """Whether the conversation has calls of tools."""
        return bool(self._ids)

    def add(self, turn: Turn) -> None:
        """Adds `turn`. Raises ClientError."""
        if turn.extra.get("name"):
            self.ignored.add("messages.name")
        role = "system" if turn.role == "developer" else turn.role
        if self._held and role != "system" and not self._open:
            self._tell_system(role)
        _ROLES[role](self, turn)

    def close(self, prompt: Prompt) -> None:
        """Ends the turns, after the last one of `prompt`. Raises ClientError."""
        if self._held:
            self._tell_system("assistant")
        if not self.turns and self.system:
            self._turn("user", [self.system.pop()])
        if not self.turns:
            raise invalid(prompt.param("messages"), "none of them has any content.")
        last = self.turns[-1]
        if last["role"] == "assistant":
            self._end_in_prefill(last, prompt.turns[-1].path)

    def _system(self, turn: Turn) -> None:
        blocks = [block for each in turn.blocks if (block := self.block(each))]
        (self._held if self.turns else self.system).extend(blocks)

    def _tell_system(self, next_role: str) -> None:
        """Adds the waiting system text where it came, before a turn of `next_role`.

        It is not moved to the front, because that would change the prefix that prompt caching
        needs. Some models accept system turns inside the conversation, between a turn of the user
        and one of the assistant.
        """
        blocks, self._held = self._held, []
        after = self.turns[-1]["role"]
        if self._family.system_inside and (after, next_role) == ("user", "assistant"):
            self._turn("system", blocks)
            return
        self._turn("user", [{**block, "text": _SYSTEM_MARK + block["text"]} for block in blocks])

    def _user(self, turn: Turn) -> None:
        results, blocks = [], []
        for each in turn.blocks:
            if isinstance(each, Result):
                results.append(self._result(each))
            elif block := self.block(each):
                blocks.append(block)
        if not blocks and not results:
            mark = turn.blocks[-1].cache if turn.blocks else None
            blocks = [marked({"type": "text", "text": _EMPTY}, mark)]
        self._turn("user", blocks, results)

    def _assistant(self, turn: Turn) -> None:
        blocks = [block for each in turn.blocks if (block := self.block(each))]
        if blocks:
            self._turn("assistant", blocks)

    def block(self, block: Block) -> Json | None:
        """The block in the form of Messages; None if it is left out. Raises ClientError."""
        encode = _BLOCKS.get(type(block))
        encoded = encode(self, block) if encode else encode_media(block, self.ignored)
        return marked(encoded, block.cache) if encoded and block.cache else encoded

    def _text(self, block: Text | Refusal) -> Json | None:
        return {"type": "text", "text": block.text} if block.text.strip() else None

    def _thinking(self, block: Thinking) -> Json | None:
        """A signed block, unchanged, if it was issued here.

        A foreign signature would be refused.
        """
        sealed = block.sealed
        if sealed is None:
            return None
        provider = self._target.provider.name
        here = Origin(provider, self._target.model, "messages")
        return sealed.value if sealed.origin in {None, here} else None

    def _opaque(self, block: Opaque) -> Json | None:
        if block.protocol == "messages":
            return block.value
        return {"type": "text", "text": block.text} if block.text.strip() else None

    def _call(self, block: Call) -> Json:
        is_custom = block.kind == "custom"
        given = {CUSTOM_INPUT: block.arguments} if is_custom else self._arguments(block)
        theirs = self._unique(block.id)
        self._open[block.id] = theirs
        name = self._names(block.namespace, block.name)
        return {"type": "tool_use", "id": theirs, "name": name, "input": given}

    def _arguments(self, call: Call) -> Json:
        """The object in a call's arguments; an empty text means none. Raises ClientError."""
        if call.given is not None:
            return call.given
        self._budget.spend(call.arguments)
        try:
            return json.decode_object(call.arguments) if call.arguments.strip() else {}
        except ValueError:
            why = "its arguments must be the JSON of an object."
            raise invalid(call.path, why) from None

    def _result(self, block: Result) -> Json:
        theirs = self._open.pop(block.call_id)
        encoded: Json = {"type": "tool_result", "tool_use_id": theirs}
        content: Any = [each for inner in block.content if (each := self.block(inner))]
        match block.content:
            case [Text(cache=None)] if content:
                content = content[0]["text"]
        if content:
            encoded["content"] = content
        if block.is_error:
            encoded["is_error"] = True
        return marked(encoded, block.cache)

    def _turn(self, role: str, blocks: list[Json], results: list[Json] | None = None) -> None:
        """Adds to the last turn if it has the same role; else begins a new one."""
        if not self.turns or self.turns[-1]["role"] != role:
            self.turns.append({"role": role, "content": []})
            self._results = 0
        content = self.turns[-1]["content"]
        if results:
            content[self._results : self._results] = results
            self._results += len(results)
        content += blocks

    def _unique(self, call_id: str) -> str:
        """`call_id` as an id that Anthropic accepts and that no other call has."""
        if len(call_id) > _LONGEST_ID:
            call_id = hashlib.sha256(call_id.encode(errors="replace")).hexdigest()
        plain = _ODD_ID.sub("_", call_id) or "call"
        theirs = plain
        while theirs in self._ids:
            number = self._repeats[plain] = self._repeats.get(plain, 1) + 1
            theirs = f"{plain}_{number}"
        self._ids.add(theirs)
        return theirs

    def _end_in_prefill(self, last: Json, path: str) -> None:
        if not self._family.prefill:
            why = "this model cannot go on with an assistant message; end with a 'user' message."
            raise unsupported(path, why, value=True)
        text = last["content"][-1]
        if text["type"] == "text":
            text["text"] = text["text"].rstrip()


_ROLES: dict[str, Callable[[Turns, Turn], None]] = {
    "system": Turns._system,
    "user": Turns._user,
    "assistant": Turns._assistant,
}
_BLOCKS: dict[type, Callable[[Turns, Any], Json | None]] = {
    Text: Turns._text,
    Refusal: Turns._text,
    Thinking: Turns._thinking,
    Opaque: Turns._opaque,
    Call: Turns._call,
}


def encode_turns(prompt: Prompt, target: Target, family: Family, names: ToolNames) -> Turns:
    """The turns of `prompt`, in the form of Messages. Raises ClientError."""
    turns = Turns(target, family, names)
    for turn in prompt.turns:
        turns.add(turn)
    turns.close(prompt)
    return turns
