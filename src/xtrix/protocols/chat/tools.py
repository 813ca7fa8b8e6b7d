"""Finds out which fragment belongs to which tool call of a choice.

OpenAI gives each call an index, and its id and name once. Other servers were seen to send the
following, which is read like this:

- An id that is known, the name again (vLLM, Mistral): more of that call.
- An index that is known, a name and an id that is not (index 0 for every call): a new call.
- An index that is known, no id, a name and a whole object of arguments (Gemini): a new call, where
  the known one has another name, or arguments already.
- An index that is known, no id, the name again or only now: more of that call.
- No index, a name or an id that is not known (Ollama): a new call.
- No index, no id, no name: more of the last call.
- Arguments that are an object (Ollama, llama.cpp; ggml-org/llama.cpp#20198, read 2026-11): their
  JSON.
- A call without an id: one is made up.
"""

from typing import Any

from xtrix import json
from xtrix.errors import bad_response

Call = dict[str, Any]


NAMELESS = "a call without a tool's name"


class _Known:
    """One call, as far as it has come."""

    def __init__(self, index: int, kind: str, name: str) -> None:
        self.index = index
        self.kind = kind
        self.name = name
        self.begun = False
        """Whether any of its arguments have come."""


class ToolCalls:
    """Numbers the calls of one choice from 0, and gives each its id and name once."""

    def __init__(self, prefix: str) -> None:
        """`prefix` is the beginning of ids for calls without one."""
        self._prefix = prefix
        self._calls: list[_Known] = []
        self._by_id: dict[str, _Known] = {}
        self._by_index: dict[str, _Known] = {}

    def __len__(self) -> int:
        return len(self._calls)

    def feed(self, calls: list[object]) -> list[Call]:
        """The same fragments in OpenAI's form, without empty ones."""
        return [
            fragment
            for call in calls
            if isinstance(call, dict) and (fragment := self._fragment(call))
        ]

    def whole(self, calls: list[object]) -> list[Call]:
        """The calls of a whole answer in OpenAI's form, which has no index there.

        Raises UpstreamError for one without a name, before any other is used.
        """
        if not all(map(_is_named, calls)):
            raise bad_response(NAMELESS)
        alone = [{**call, "index": at} for at, call in enumerate(calls) if isinstance(call, dict)]
        fragments = self.feed([*alone])
        for call in fragments:
            function = call.get("function")
            if function and not function["arguments"]:
                function["arguments"] = "{}"
            del call["index"]
        return fragments

    def close(self) -> list[Call]:
        """`{}` for each function that was called without arguments: "" is not JSON.

        Raises UpstreamError for a call whose name has not come.
        """
        if not all(call.name for call in self._calls):
            raise bad_response(NAMELESS)
        return [
            {"index": call.index, "function": {"arguments": "{}"}}
            for call in self._calls
            if not call.begun and call.kind == "function"
        ]

    def _fragment(self, fragment: Call) -> Call | None:
        kind = "custom" if isinstance(fragment.get("custom"), dict) else "function"
        member = fragment.get(kind)
        body = member if isinstance(member, dict) else {}
        text = _text(body, "input" if kind == "custom" else "arguments")
        known = self._find(fragment, _string(body, "name"), text)
        if known is None:
            return self._begin(fragment, kind, _string(body, "name"), text)
        named = {} if known.name else {"name": _string(body, "name")}
        known.name = known.name or _string(body, "name")
        known.begun = known.begun or bool(text)
        if not text and not named.get("name"):
            return None
        field = "input" if known.kind == "custom" else "arguments"
        member = {**named, field: text} if named.get("name") else {field: text}
        return {"index": known.index, known.kind: member}

    def _begin(self, fragment: Call, kind: str, name: str, text: str) -> Call:
        """The first fragment of a new call."""
        call = _Known(len(self._calls), kind, name)
        call.begun = bool(text)
        call_id = _string(fragment, "id") or f"{self._prefix}_{call.index}"
        self._calls.append(call)
        self._by_id.setdefault(call_id, call)
        self._by_index[str(_index(fragment, call.index))] = call
        identity = {"index": call.index, "id": call_id, "type": kind}
        # Other members of a call, such as Gemini's thought signature, must come back with it.
        known = {*identity, "function", "custom"}
        extra = {key: value for key, value in fragment.items() if key not in known}
        field = "input" if kind == "custom" else "arguments"
        return {**identity, kind: {"name": name, field: text}, **extra}

    def _find(self, fragment: Call, name: str, text: str) -> _Known | None:
        """The call that this fragment continues; None if it begins a new one."""
        call_id = _string(fragment, "id")
        if call_id in self._by_id:
            return self._by_id[call_id]
        index = _index(fragment, None)
        if index is None:
            return None if name or call_id or not self._calls else self._calls[-1]
        known = self._by_index.get(str(index))
        if known is None or (name and call_id):
            return None
        other = known.begun or known.name != name
        return None if name and known.name and other and _is_object(text) else known


def _is_named(call: object) -> bool:
    """Whether `call`, of a whole answer, has a name. Anything but an object counts as named."""
    if not isinstance(call, dict):
        return True
    named = call.get("custom") if isinstance(call.get("custom"), dict) else call.get("function")
    return isinstance(named, dict) and bool(_string(named, "name"))


def may_begin(fragment: object) -> bool:
    """Whether only the arguments tell if this fragment continues the call before it."""
    if not isinstance(fragment, dict) or _string(fragment, "id"):
        return False
    function = fragment.get("function")
    return isinstance(function, dict) and bool(_string(function, "name"))


def _index(fragment: Call, default: int | None) -> object:
    index = fragment.get("index")
    return default if index is None else index


def _text(body: Call, name: str) -> str:
    """The arguments of a fragment, as text."""
    value = body.get(name)
    if value is None or isinstance(value, str):
        return value or ""
    return json.encode(value)


def _is_object(text: str) -> bool:
    """Whether `text` is the JSON of an object."""
    if not text.startswith("{"):
        return False
    try:
        json.decode_object(text)
    except ValueError:
        return False
    return True


def _string(fields: Call, name: str) -> str:
    value = fields.get(name)
    return value if isinstance(value, str) else ""
