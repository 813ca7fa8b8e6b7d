"""The client's messages as Anthropic's system blocks and turns.

The rules they have to keep, each a 400 upstream: every `tool_use` is answered in the next user
turn, its results come first there and answer nothing else; ids are unique; no text is empty; a
turn is not. Turns of one role in a row are made one: results in turns of their own would teach the
model to stop calling in parallel.

Source: platform.claude.com/docs/en/api/messages and …/tool-use/implement-tool-use, read 2026-11.
"""

import hashlib
import re
from collections.abc import Callable
from typing import Any, NamedTuple

from xtrix import json
from xtrix.dialects.anthropic.calls import CUSTOM_INPUT
from xtrix.dialects.anthropic.parts import cache_mark, encode_content, text_blocks
from xtrix.dialects.anthropic.tools import ToolNames
from xtrix.errors import invalid, unsupported
from xtrix.providers import Family

Message = dict[str, Any]
Block = dict[str, Any]
Turn = dict[str, Any]

_ODD_ID = re.compile(r"[^a-zA-Z0-9_-]")
_LONGEST_ID = 128
_LONGEST_ECHO = 128
"""Characters of the client's own that an error repeats."""
_EMPTY = "(empty)"
_SYSTEM_MARK = "[system] "


class _Call(NamedTuple):
    """A call that waits for its result."""

    upstream_id: str
    path: str


class Conversation:
    """The messages taken in so far, in Anthropic's form."""

    def __init__(self, family: Family, names: ToolNames) -> None:
        self.system: list[Block] = []
        self.turns: list[Turn] = []
        self._family = family
        self._names = names
        self._ids: set[str] = set()
        self._repeats: dict[str, int] = {}
        self._open: dict[str, _Call] = {}
        """The calls without a result yet, by the client's id."""
        self._results = 0
        """Results that the last turn begins with."""
        self._held: list[Block] = []
        """System text that came later than the first turn, until it is known what follows it."""

    @property
    def calls(self) -> bool:
        """Whether any tool has been called in it."""
        return bool(self._ids)

    def add(self, message: Message, index: int) -> None:
        """Take in `messages[index]`. Raises ClientError."""
        role = message["role"]
        path = f"messages[{index}]"
        if role == "assistant":
            self._refuse_open()
        if role in {"user", "assistant"} and not self._open:
            self._tell_system(role)
        _ROLES[role](self, message, path)

    def close(self, last_index: int) -> None:
        """Finish the conversation after `messages[last_index]`. Raises ClientError."""
        self._refuse_open()
        self._tell_system("assistant")
        if not self.turns and self.system:
            self._turn("user", [self.system.pop()])
        if not self.turns:
            raise invalid("messages", "none of them has any content.")
        last = self.turns[-1]
        if last["role"] == "assistant":
            self._end_in_prefill(last, f"messages[{last_index}]")

    def _system(self, message: Message, path: str) -> None:
        blocks = _marked(text_blocks(message["content"], f"{path}.content"), message)
        (self._held if self.turns else self.system).extend(blocks)

    def _tell_system(self, next_role: str) -> None:
        """Put the system text held where it came, before a turn of `next_role`.

        Not hoisted, which would change the prefix that prompt caching rests on. Models that take
        system turns inside the chat take them between a user's turn and an assistant's.
        """
        blocks, self._held = self._held, []
        if not blocks:
            return
        after = self.turns[-1]["role"]
        if self._family.system_inside and (after, next_role) == ("user", "assistant"):
            self._turn("system", blocks)
            return
        self._turn("user", [{**block, "text": _SYSTEM_MARK + block["text"]} for block in blocks])

    def _user(self, message: Message, path: str) -> None:
        blocks = encode_content(message["content"], f"{path}.content")
        self._turn("user", _marked(blocks or [{"type": "text", "text": _EMPTY}], message))

    def _assistant(self, message: Message, path: str) -> None:
        if message.get("audio"):
            raise unsupported(f"{path}.audio", "the upstream model does not speak.")
        blocks = [*_thinking(message), *encode_content(message.get("content"), f"{path}.content")]
        blocks += encode_content(message.get("refusal"), f"{path}.refusal")
        for index, call in enumerate(message.get("tool_calls") or ()):
            blocks.append(self._tool_use(call, f"{path}.tool_calls[{index}]"))
        if message.get("function_call"):
            blocks.append(self._function_use(message["function_call"], path))
        if blocks:
            self._turn("assistant", _marked(blocks, message))

    def _function_use(self, function: Message, path: str) -> Block:
        """The older form of a call, which has no id: its result is found by the function's name."""
        number = path.removeprefix("messages[").removesuffix("]")
        path += ".function_call"
        theirs = self._wait(function["name"], f"call_{number}", path)
        return self._called(theirs, function["name"], _arguments(function, path))

    def _tool_use(self, call: Message, path: str) -> Block:
        kind = call["type"]
        if kind not in {"function", "custom"}:
            why = f"no upstream call is like '{kind[:_LONGEST_ECHO]}'."
            raise unsupported(f"{path}.type", why, value=True)
        said = call[kind]
        given = {CUSTOM_INPUT: said["input"]} if kind == "custom" else _arguments(said, path)
        return self._called(self._wait(call["id"], call["id"], path), said["name"], given)

    def _called(self, theirs: str, name: str, given: Block) -> Block:
        return {"type": "tool_use", "id": theirs, "name": self._names(name), "input": given}

    def _wait(self, call_id: str, wanted: str, path: str) -> str:
        """The upstream's id, `wanted` if it can be, of a call that waits for a result of `call_id`.

        Raises ClientError.
        """
        if call_id in self._open:
            raise invalid(f"{path}.id", "another call of this message has the same id.")
        theirs = self._unique(wanted)
        self._open[call_id] = _Call(theirs, path)
        return theirs

    def _tool(self, message: Message, path: str) -> None:
        said = message["tool_call_id"]
        call = self._open.pop(said, None)
        if call is None:
            why = (
                f"no call of the assistant's message before it has the id '{said[:_LONGEST_ECHO]}'."
            )
            raise invalid(f"{path}.tool_call_id", why)
        self._result(call.upstream_id, message, path)

    def _function(self, message: Message, path: str) -> None:
        """The result of the older `function_call`, which has no id but the function's name."""
        self._tool({**message, "tool_call_id": message["name"]}, path)

    def _result(self, theirs: str, message: Message, path: str) -> None:
        block: Block = {"type": "tool_result", "tool_use_id": theirs}
        content = message["content"]
        if not isinstance(content, str):
            content = encode_content(content, f"{path}.content")
        if content:
            block["content"] = content
        self._turn("user", [], results=_marked([block], message))

    def _turn(self, role: str, blocks: list[Block], results: list[Block] | None = None) -> None:
        """Add to the last turn where it has the same role, else begin one."""
        if not self.turns or self.turns[-1]["role"] != role:
            self.turns.append({"role": role, "content": []})
            self._results = 0
        content = self.turns[-1]["content"]
        for result in results or ():
            content.insert(self._results, result)
            self._results += 1
        content += blocks

    def _unique(self, said: str) -> str:
        """`said` as an id that Anthropic takes and that no other call has."""
        if len(said) > _LONGEST_ID:
            said = hashlib.sha256(said.encode()).hexdigest()
        plain = _ODD_ID.sub("_", said) or "call"
        theirs = plain
        while theirs in self._ids:
            number = self._repeats[plain] = self._repeats.get(plain, 1) + 1
            theirs = f"{plain}_{number}"
        self._ids.add(theirs)
        return theirs

    def _refuse_open(self) -> None:
        """Raise ClientError for the first call that has no result by now."""
        for name, call in self._open.items():
            said = f"the call '{name[:_LONGEST_ECHO]}' has no result"
            raise invalid(call.path, f"{said}; send a 'tool' message with its id.")

    def _end_in_prefill(self, last: Turn, path: str) -> None:
        if not self._family.prefill:
            why = "this model cannot go on with an assistant message; end with a 'user' message."
            raise unsupported(path, why, value=True)
        text = last["content"][-1]
        if text["type"] == "text":
            text["text"] = text["text"].rstrip()


_ROLES: dict[str, Callable[[Conversation, Message, str], None]] = {
    "system": Conversation._system,
    "developer": Conversation._system,
    "user": Conversation._user,
    "assistant": Conversation._assistant,
    "tool": Conversation._tool,
    "function": Conversation._function,
}


def _arguments(function: Message, path: str) -> Block:
    """The object that a call's arguments spell; "" is none. Raises ClientError."""
    text = function["arguments"]
    try:
        return json.decode_object(text) if text.strip() else {}
    except ValueError:
        why = "its arguments must be the JSON of an object."
        raise invalid(path, why) from None


def _thinking(message: Message) -> list[Block]:
    """The signed blocks that the client sends back, as they were; unsigned ones are of no use."""
    said = message.get("thinking_blocks")
    blocks = [block for block in said if isinstance(block, dict)] if isinstance(said, list) else []
    return [
        {key: value for key, value in block.items() if key != "index"}
        for block in blocks
        if (block.get("type") == "thinking" and block.get("signature"))
        or (block.get("type") == "redacted_thinking" and block.get("data"))
    ]


def _marked(blocks: list[Block], message: Message) -> list[Block]:
    """`blocks` with the message's own cache mark on the last."""
    mark = cache_mark(message)
    return [*blocks[:-1], blocks[-1] | mark] if mark and blocks else blocks
