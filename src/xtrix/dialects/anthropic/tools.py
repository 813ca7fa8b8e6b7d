"""The client's tools, and what it says of their use, in Anthropic's terms.

Source: platform.claude.com/docs/en/agents-and-tools/tool-use, read 2026-11.
"""

import hashlib
import re
from collections.abc import Iterable
from typing import Any

from xtrix.dialects.anthropic.calls import CUSTOM_INPUT
from xtrix.dialects.anthropic.extensions import is_own_tool
from xtrix.dialects.anthropic.parts import cache_mark
from xtrix.dialects.anthropic.schemas import Size, encode_schema, has_grammar, size_of
from xtrix.errors import invalid, unsupported

Tool = dict[str, Any]

_ODD = re.compile(r"[^a-zA-Z0-9_-]")
_PROPERTY = re.compile(r"[a-zA-Z0-9_.-]{1,64}")
_LONGEST_NAME = 128
_CHOICES = {"auto": "auto", "none": "none", "required": "any"}
_UNIONS = ("oneOf", "anyOf", "allOf")
_MARKS = {"cache_control", "prompt_cache_breakpoint"}
_CUSTOM_SCHEMA = {
    "type": "object",
    "properties": {CUSTOM_INPUT: {"type": "string"}},
    "required": [CUSTOM_INPUT],
}


class ToolNames:
    """The upstream's name for each of the client's tools, and back.

    Anthropic takes letters, digits, `_` and `-`. A name with others is rewritten, and gets a
    hash where that makes it another tool's.
    """

    def __init__(self, names: Iterable[str], reserved: Iterable[str] = ()) -> None:
        """`reserved` are the names of tools that are not the client's."""
        self._theirs: dict[str, str] = {}
        self._taken: set[str] = set(reserved)
        for name in sorted(names, key=lambda name: _ODD.search(name) is not None):
            self(name)

    def __call__(self, name: str) -> str:
        """The upstream's name for `name`."""
        known = self._theirs.get(name)
        if known is not None:
            return known
        theirs = _ODD.sub("_", name[:_LONGEST_NAME])
        if theirs in self._taken:
            digest = hashlib.sha256(name.encode()).hexdigest()[:8]
            theirs = f"{theirs[: _LONGEST_NAME - 9]}_{digest}"
        self._theirs[name] = theirs
        self._taken.add(theirs)
        return theirs

    def rewritten(self) -> dict[str, str]:
        """The upstream's name to the client's, where they differ."""
        return {theirs: ours for ours, theirs in self._theirs.items() if theirs != ours}


def client_tools(request: dict[str, Any]) -> list[Tool]:
    """The request's tools, `functions` among them as tools."""
    functions = request.get("functions") or []
    return [
        *(request.get("tools") or []),
        *({"type": "function", "function": f} for f in functions),
    ]


def tool_name(tool: Tool) -> str:
    """The client's name of `tool`; empty for one that is neither a function nor custom."""
    said = tool.get(tool["type"])
    return str(said.get("name", "")) if isinstance(said, dict) else ""


def own_names(tools: list[Tool]) -> list[str]:
    """The names of those of `tools` that Anthropic runs."""
    return [str(tool.get("name")) for tool in tools if is_own_tool(tool["type"])]


def encode_tools(tools: list[Tool], names: ToolNames) -> list[Tool]:
    """Anthropic's tools. Raises ClientError."""
    return [_tool(tool, index, names) for index, tool in enumerate(tools)]


def limit_strict(tools: list[Tool], most: int, taken: Size) -> bool:
    """Take `strict` from Anthropic's `tools` past `most` of them, and past what a grammar can say.

    The schema of one that stays strict is brought into the grammar's keywords, for others are
    refused there (earendil-works/pi#9953, read 2026-11). `taken` is the size of what else needs a
    grammar. Returns whether any tool has lost it.
    """
    lost = False
    for tool in tools:
        if not tool.get("strict"):
            continue
        schema = tool.get("input_schema", {})
        size = taken.plus(size_of(schema))
        if most and size.fits and has_grammar(schema):
            taken, most = size, most - 1
            if schema:
                tool["input_schema"] = encode_schema(schema)
        else:
            del tool["strict"]
            lost = True
    return lost


def encode_choice(request: dict[str, Any], names: ToolNames) -> Tool | None:
    """Anthropic's `tool_choice`, None where the client leaves it open. Raises ClientError."""
    said = request.get("tool_choice") or request.get("function_call")
    choice: Tool | None
    if said is None:
        choice = None
    elif isinstance(said, str):
        choice = {"type": _CHOICES[said]}
    elif _allows(request):
        choice = {"type": _CHOICES[said["allowed_tools"]["mode"]]}
    else:
        choice = {"type": "tool", "name": names(_chosen(request)[0])}
    # The older form has room for one call.
    single = request.get("parallel_tool_calls") is False or "functions" in request
    if single and (choice is None or choice["type"] != "none"):
        choice = {**(choice or {"type": "auto"}), "disable_parallel_tool_use": True}
    return choice


def check_choice(request: dict[str, Any], tools: list[Tool]) -> None:
    """Raise ClientError for a `tool_choice` that names a tool which is not among `tools`."""
    param = "tool_choice" if request.get("tool_choice") else "function_call"
    said = request.get(param)
    if not said or said == "none":
        return
    if not tools:
        raise invalid(param, "it needs 'tools' to choose from.")
    known = {tool_name(tool) for tool in tools}
    for name in _chosen(request):
        if name not in known:
            raise invalid(param, f"there is no tool '{name[:_LONGEST_NAME]}' in 'tools'.")


def check_names(tools: list[Tool]) -> None:
    """Raise ClientError for the second of two tools with one name."""
    seen: set[str] = set()
    for index, tool in enumerate(tools):
        name = tool_name(tool)
        if name and name in seen:
            raise invalid(f"tools[{index}]", f"another tool is named '{name[:_LONGEST_NAME]}' too.")
        seen.add(name)


def _allows(request: dict[str, Any]) -> bool:
    """Whether `tool_choice` names the tools that are allowed."""
    said = request.get("tool_choice")
    return isinstance(said, dict) and said["type"] == "allowed_tools"


def _chosen(request: dict[str, Any]) -> list[str]:
    """The names of the tools that `tool_choice`, or the older `function_call`, names."""
    choice, function = request.get("tool_choice"), request.get("function_call")
    if isinstance(choice, dict):
        entries = choice["allowed_tools"]["tools"] if _allows(request) else [choice]
        return [_entry_name(entry) for entry in entries]
    return [function["name"]] if isinstance(function, dict) and not choice else []


def _entry_name(entry: Tool) -> str:
    """The name in a tool's mention, where it stands inside or, as in Responses, beside the type."""
    inner = entry.get(entry.get("type") or "")
    return str((inner if isinstance(inner, dict) else entry).get("name"))


def allowed(tools: list[Tool], request: dict[str, Any]) -> list[Tool]:
    """The tools that `tool_choice` leaves, where it names the allowed ones."""
    if not _allows(request):
        return tools
    wanted = set(_chosen(request))
    return [tool for tool in tools if tool_name(tool) in wanted]


def _tool(tool: Tool, index: int, names: ToolNames) -> Tool:
    path = f"tools[{index}]"
    kind = tool["type"]
    if is_own_tool(kind):
        return {key: value for key, value in tool.items() if key not in _MARKS} | cache_mark(tool)
    if kind not in {"function", "custom"}:
        raise unsupported(f"{path}.type", f"no upstream tool is like '{kind[:64]}'.", value=True)
    said = tool[kind]
    if kind == "custom" and ((said.get("format") or {}).get("type") or "text") != "text":
        raise unsupported(f"{path}.custom.format", "the upstream keeps to no grammar.", value=True)
    encoded: Tool = {"name": names(said["name"])}
    if said.get("description"):
        encoded["description"] = said["description"]
    if kind == "custom":
        encoded["input_schema"] = _CUSTOM_SCHEMA
        return encoded | cache_mark(tool)
    encoded["input_schema"] = _input_schema(said.get("parameters"), f"{path}.function.parameters")
    if said.get("strict"):
        encoded["strict"] = True
    return encoded | cache_mark(tool)


def _input_schema(parameters: Tool | None, path: str) -> Tool:
    """`parameters` with every keyword kept; the root is an object. Raises ClientError."""
    schema = {**(parameters or {}), "type": "object"}
    schema.setdefault("properties", {})
    for union in _UNIONS:
        if union in schema:
            raise unsupported(
                path, f"the upstream refuses '{union}' at a schema's root.", value=True
            )
    for name in schema["properties"] if isinstance(schema["properties"], dict) else ():
        if not _PROPERTY.fullmatch(name):
            said = f"the property '{name[:_LONGEST_NAME]}'"
            raise invalid(path, f"{said} is not 1 to 64 letters, digits, '_', '.' or '-'.")
    return schema
