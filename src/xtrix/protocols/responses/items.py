"""Decodes a client's input items to turns.

Several items of the assistant in a row (reasoning, messages, calls) become one turn. In OpenAI's
API an output may be anywhere after its call. Here the outputs follow the turn that made the calls,
in the order of the calls, and whatever was between comes after them.

Sources: openai-python 3.57.0, `ResponseInputItem` (read 2026-11); OpenAI's words for what does not
pair up.
"""

from collections import deque
from collections.abc import Callable
from typing import Any

from xtrix import json
from xtrix.errors import ClientError, invalid, unsupported
from xtrix.prompt import Block, Call, Result, Text, Thinking, Turn
from xtrix.protocols.responses.client_tools import SEARCH, Tools
from xtrix.protocols.responses.content import decode_content, decode_text_content
from xtrix.protocols.responses.schema import item_kind
from xtrix.protocols.responses.summary import summary_in
from xtrix.reasoning import Carrier
from xtrix.shape import LONGEST_ECHO

Json = dict[str, Any]

_CALLS = {"function_call", "custom_tool_call", "tool_search_call"}
_OUTPUTS = {"function_call_output", "custom_tool_call_output", "tool_search_output"}
_DROPPED = {"web_search_call", "mcp_list_tools", "image_generation_call"}
"""Items that can be left out, because the answer's text makes sense without them."""
TRIGGER = "compaction_trigger"
_REFUSED = {TRIGGER: "it has to be the last item, behind all that is to be summed up."}
"""Items that are not possible here, with what to do instead."""
_OWN_MEMBERS = {
    *("id", "type", "status", "call_id", "name", "namespace", "arguments", "input", "caller"),
    *("async", "created_by", "execution"),
}
_NOTHING_FOUND = "No tools were found."


class Conversation:
    """The items so far."""

    def __init__(self, tools: Tools, carrier: Carrier) -> None:
        self.turns: list[Turn] = []
        self.ignored: set[str] = set()
        """What was left out, by the client's names."""
        self.updates: Json = {}
        """The settings that items have changed."""
        self._tools = tools
        self._carrier = carrier
        self._items: list[Json] = []
        self._outputs: dict[int, int] = {}
        self._turn: Turn | None = None
        """The assistant's turn that has not ended."""
        self._results: list[int] = []
        """The outputs that come after it."""
        self._open: set[str] = set()
        """The ids of its calls."""

    def instruct(self, text: str | None) -> None:
        """Adds the request's `instructions`."""
        if text:
            path = "instructions"
            self.turns.append(Turn("developer", [Text(text, path)], path))

    def take(self, given: str | list[Json]) -> None:
        """Adds the request's `input`. Raises ClientError."""
        if isinstance(given, str):
            self.turns.append(Turn("user", [Text(given, "input")], "input"))
            return
        self._items = given
        self._outputs = _pair(given)
        for index, item in enumerate(given):
            kind = item_kind(item)
            decode = _ITEMS.get(kind)
            if decode:
                decode(self, item, index)
            elif kind in _DROPPED:
                self.ignored.add(f"input.{kind}")
            else:
                why = _REFUSED.get(kind, f"no upstream knows the item '{kind[:LONGEST_ECHO]}'.")
                raise unsupported(f"input[{index}].type", why, value=True)
        self._close()
        if not self.turns:
            raise invalid("input", "none of its items can be told to an upstream.")

    def _close(self) -> None:
        """Ends the assistant's turn, and adds the outputs of its calls."""
        if self._turn and self._turn.blocks:
            self.turns.append(self._turn)
        if self._results:
            results: list[Block] = [self._result(index) for index in self._results]
            self.turns.append(Turn("user", results, f"input[{self._results[0]}]"))
        self._turn = None
        self._results = []
        self._open = set()

    def _append(self, blocks: list[Block], index: int) -> None:
        """Adds `blocks` to the assistant's turn, or begins one."""
        if self._turn is None:
            self._turn = Turn("assistant", [], f"input[{index}]")
        self._turn.blocks += blocks

    def _message(self, item: Json, index: int) -> None:
        path = f"input[{index}].content"
        role = item["role"]
        if role == "assistant":
            self._append(decode_content(item["content"], path), index)
            return
        self._close()
        decode = decode_content if role == "user" else decode_text_content
        self.turns.append(Turn(role, decode(item["content"], path), f"input[{index}]"))

    def _function_call(self, item: Json, index: int) -> None:
        text = item["arguments"]
        given = _given(text, f"input[{index}].arguments")
        self._call(Call(item["call_id"], item["name"], text, given=given), item, index)

    def _custom_call(self, item: Json, index: int) -> None:
        call = Call(item["call_id"], item["name"], item["input"], "custom")
        self._call(call, item, index)

    def _search_call(self, item: Json, index: int) -> None:
        """Adds a search by the client. The provider's own has no id, and no place elsewhere."""
        if item.get("call_id"):
            given = item.get("arguments") or {}
            call = Call(item["call_id"], SEARCH, json.encode(given), "search", given=given)
            self._call(call, item, index)

    def _call(self, call: Call, item: Json, index: int) -> None:
        call.path = f"input[{index}]"
        call.namespace = item.get("namespace")
        call.extra = {
            name: value
            for name, value in item.items()
            if name not in _OWN_MEMBERS and value is not None
        }
        if call.id in self._open:
            raise invalid(f"{call.path}.call_id", "another call of this turn has the same id.")
        self._append([call], index)
        self._open.add(call.id)
        self._results.append(self._outputs[index])

    def _output(self, item: Json, index: int) -> None:
        """Adds an output to the turn that made the call, which ends now at the latest."""
        del item, index
        self._close()

    def _search_output(self, item: Json, index: int) -> None:
        self._close()
        if not item.get("call_id"):
            self._tools.find(item.get("tools") or [], f"input[{index}].tools")

    def _result(self, index: int) -> Result:
        item = self._items[index]
        path = f"input[{index}]"
        if item_kind(item) == "tool_search_output":
            found = self._tools.find(item.get("tools") or [], f"{path}.tools")
            names = [f"{it.namespace}__{it.name}" if it.namespace else it.name for it in found]
            text = f"Loaded tools: {', '.join(names)}" if names else _NOTHING_FOUND
            return Result(item["call_id"], [Text(text, path)], path=path)
        return Result(item["call_id"], decode_content(item["output"], f"{path}.output"), path=path)

    def _reasoning(self, item: Json, index: int) -> None:
        """Adds reasoning, if it is its provider's own block. A summary alone is not prompt text."""
        packed = item.get("encrypted_content")
        sealed = self._carrier.open(packed)
        if sealed:
            text = "\n\n".join(part["text"] for part in item.get("summary") or ())
            self._append([Thinking(text, sealed, f"input[{index}]")], index)
        elif packed:
            self.ignored.add("input.reasoning")

    def _more_tools(self, item: Json, index: int) -> None:
        self._tools.find(item["tools"], f"input[{index}].tools")

    def _update(self, item: Json, index: int) -> None:
        """Notes settings that hold from here on. Only the last ones matter now."""
        del index
        for name in ("reasoning", "text"):
            kept = {key: it for key, it in (item.get(name) or {}).items() if it is not None}
            self.updates[name] = self.updates.get(name, {}) | kept

    def _compaction(self, item: Json, index: int) -> None:
        """Adds a summary that this gateway made. Another's cannot be read."""
        summary = summary_in(self._carrier.open(item["encrypted_content"]))
        path = f"input[{index}].encrypted_content"
        if summary is None:
            why = "no upstream of this model can read what another provider has summed up."
            raise unsupported(path, why, value=True)
        self._close()
        self.turns.append(Turn("user", [Text(summary, path)], f"input[{index}]"))


_ITEMS: dict[str, Callable[[Conversation, Json, int], None]] = {
    "message": Conversation._message,
    "function_call": Conversation._function_call,
    "custom_tool_call": Conversation._custom_call,
    "tool_search_call": Conversation._search_call,
    "function_call_output": Conversation._output,
    "custom_tool_call_output": Conversation._output,
    "tool_search_output": Conversation._search_output,
    "reasoning": Conversation._reasoning,
    "additional_tools": Conversation._more_tools,
    "configuration_update": Conversation._update,
    "compaction": Conversation._compaction,
}


def _pair(items: list[Json]) -> dict[int, int]:
    """The index of each call's output, by the index of the call. Raises ClientError.

    An output belongs to the first call with its id that has none yet, because some clients number
    the calls of each turn anew.
    """
    waiting: dict[str, deque[int]] = {}
    outputs: dict[int, int] = {}
    for index, item in enumerate(items):
        kind = item_kind(item)
        call_id = item.get("call_id")
        if kind in _CALLS and call_id:
            waiting.setdefault(call_id, deque()).append(index)
        elif kind in _OUTPUTS and call_id:
            calls = waiting.get(call_id)
            if not calls:
                why = f"No tool call found for function call output with call_id {_echo(call_id)}."
                raise _unpaired(why, index)
            outputs[calls.popleft()] = index
    left = [calls[0] for calls in waiting.values() if calls]
    if left:
        index = min(left)
        call_id = _echo(items[index]["call_id"])
        raise _unpaired(f"No tool output found for function call {call_id}.", index)
    return outputs


def _unpaired(message: str, index: int) -> ClientError:
    return ClientError(400, "invalid_value", message, param=f"input[{index}].call_id")


def _given(text: str, path: str) -> Json:
    """The object in a call's arguments; an empty text means none. Raises ClientError."""
    try:
        return json.decode_object(text) if text.strip() else {}
    except ValueError:
        raise invalid(path, "it must be the JSON of an object.") from None


def _echo(call_id: str) -> str:
    return call_id[:LONGEST_ECHO]
