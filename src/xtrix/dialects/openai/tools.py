"""The tool calls of one streamed choice: whose fragment is whose.

OpenAI gives each call an index, and its id and name once. Others repeat both, leave the index out,
or give every call the index 0 and tell them apart by id alone.
"""

from typing import Any

Call = dict[str, Any]


class ToolCalls:
    """Numbers the calls of one choice from 0 and gives each its id and name once."""

    def __init__(self, prefix: str) -> None:
        """`prefix` begins the ids of calls to which the upstream gives none."""
        self._prefix = prefix
        self._ids: list[str] = []
        self._kinds: list[str] = []
        self._begun: list[bool] = []
        self._by_index: dict[str, int] = {}

    def __len__(self) -> int:
        return len(self._ids)

    def feed(self, calls: list[object]) -> list[Call]:
        """The same fragments in OpenAI's form, empty ones left out."""
        return [
            fragment
            for call in calls
            if isinstance(call, dict) and (fragment := self._fragment(call))
        ]

    def whole(self, calls: list[object]) -> list[Call]:
        """The calls of a whole answer in OpenAI's form, where no index belongs."""
        alone = [{**call, "index": at} for at, call in enumerate(calls) if isinstance(call, dict)]
        said = self.feed([*alone])
        for call in said:
            function = call.get("function")
            if function and not function["arguments"]:
                function["arguments"] = "{}"
            del call["index"]
        return said

    def close(self) -> list[Call]:
        """`{}` for each function that was called without arguments: "" is not JSON."""
        return [
            {"index": index, "function": {"arguments": "{}"}}
            for index, begun in enumerate(self._begun)
            if not begun and self._kinds[index] == "function"
        ]

    def _fragment(self, call: Call) -> Call | None:
        kind = "custom" if isinstance(call.get("custom"), dict) else "function"
        said = call.get(kind)
        body = said if isinstance(said, dict) else {}
        field = "input" if kind == "custom" else "arguments"
        text = _string(body, field)
        index = self._known(call, body)
        if index is not None:
            self._begun[index] |= bool(text)
            return {"index": index, kind: {field: text}} if text else None
        index = len(self._ids)
        self._ids.append(_string(call, "id") or f"{self._prefix}_{index}")
        self._kinds.append(kind)
        self._begun.append(bool(text))
        self._by_index[str(call.get("index", index))] = index
        name = _string(body, "name")
        identity = {"index": index, "id": self._ids[index], "type": kind}
        # What else a call carries, such as Gemini's thought signature, has to come back with it.
        extra = {key: value for key, value in call.items() if key not in {*identity, kind}}
        return {**identity, kind: {"name": name, field: text}, **extra}

    def _known(self, call: Call, body: Call) -> int | None:
        """The call that this fragment goes on with; None where it begins a new one."""
        named = _string(call, "id")
        if named and named in self._ids:
            return self._ids.index(named)
        begins = bool(_string(body, "name"))
        if "index" in call:
            index = self._by_index.get(str(call["index"]))
            is_new = index is None or (begins and bool(named))
            return None if is_new else index
        return None if begins or not self._ids else len(self._ids) - 1


def _string(said: Call, name: str) -> str:
    value = said.get(name)
    return value if isinstance(value, str) else ""
