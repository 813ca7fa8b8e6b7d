"""Encodes a Prompt's tools, and the choice of a tool, for Messages.

Source: platform.claude.com/docs/en/agents-and-tools/tool-use, read 2026-11.
"""

import re
from typing import Any

from xtrix.errors import invalid, unsupported
from xtrix.prompt import Json, Tool, ToolChoice
from xtrix.protocols.messages.encode_blocks import marked
from xtrix.protocols.messages.extensions import is_own_tool
from xtrix.protocols.messages.names import CUSTOM_INPUT, ToolNames
from xtrix.protocols.messages.schemas import Size, encode_schema, has_grammar, size_of

_PROPERTY = re.compile(r"[a-zA-Z0-9_.-]{1,64}")
_LONGEST_ECHO = 128
_CHOICES = {"auto": "auto", "none": "none", "required": "any"}
_UNIONS = ("oneOf", "anyOf", "allOf")
_MARKS = {"cache_control", "prompt_cache_breakpoint"}
_CUSTOM_SCHEMA = {
    "type": "object",
    "properties": {CUSTOM_INPUT: {"type": "string"}},
    "required": [CUSTOM_INPUT],
}


def allowed(tools: list[Tool], choice: ToolChoice | None) -> list[Tool]:
    """The tools that `choice` allows."""
    if choice is None or choice.allowed is None:
        return tools
    wanted = set(choice.allowed)
    return [tool for tool in tools if (tool.namespace, tool.name) in wanted]


def own_names(tools: list[Tool]) -> list[str]:
    """The names of those of `tools` that Anthropic runs."""
    return [
        str(hosted.get("name"))
        for tool in tools
        if (hosted := tool.hosted) is not None and is_own_tool(hosted["type"])
    ]


def encode_tools(tools: list[Tool], names: ToolNames) -> list[Json]:
    """Messages' tools. Raises ClientError."""
    return [_tool(tool, names) for tool in tools]


def limit_strict(tools: list[Json], most: int, taken: Size) -> bool:
    """Removes `strict` from tools beyond the first `most`, and beyond what a grammar can hold.

    The schema of a tool that stays strict is rewritten in the grammar's keywords, because others
    are refused there (earendil-works/pi#9953, read 2026-11). `taken` is the size of everything else
    that needs a grammar. Returns whether any tool has lost `strict`.
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


def encode_choice(
    choice: ToolChoice | None, names: ToolNames, *, parallel: bool | None
) -> Json | None:
    """The `tool_choice`; None if the client leaves it open."""
    encoded: Json | None = None
    if choice is not None and choice.mode == "named":
        encoded = {"type": "tool", "name": names(choice.namespace, choice.name)}
    elif choice is not None:
        encoded = {"type": _CHOICES[choice.mode]}
    if parallel is False and (encoded is None or encoded["type"] != "none"):
        encoded = {**(encoded or {"type": "auto"}), "disable_parallel_tool_use": True}
    return encoded


def _tool(tool: Tool, names: ToolNames) -> Json:
    if tool.hosted is not None:
        return _hosted(tool, tool.hosted)
    if tool.format is not None and tool.format_binds:
        path = f"{tool.path}.custom.format"
        raise unsupported(path, "the upstream keeps to no grammar.", value=True)
    encoded: Json = {"name": names(tool.namespace, tool.name)}
    description = _description(tool)
    if description:
        encoded["description"] = description
    if tool.kind == "custom":
        encoded["input_schema"] = _CUSTOM_SCHEMA
        return marked(encoded, tool.cache)
    encoded["input_schema"] = _input_schema(tool.schema, tool.schema_path or tool.path)
    if tool.strict:
        encoded["strict"] = True
    return marked(encoded, tool.cache)


def _hosted(tool: Tool, definition: Json) -> Json:
    if not is_own_tool(definition["type"]):
        why = f"no upstream tool is like '{definition['type'][:64]}'."
        raise unsupported(f"{tool.path}.type", why, value=True)
    kept = {key: value for key, value in definition.items() if key not in _MARKS}
    return marked(kept, tool.cache)


def _description(tool: Tool) -> str | None:
    """The tool's description. A grammar, which Anthropic cannot enforce, is added to it."""
    if tool.format is None:
        return tool.description
    syntax, definition = (str(tool.format.get(name, "")) for name in ("syntax", "definition"))
    grammar = f"'{CUSTOM_INPUT}' has to keep to this {syntax} grammar:\n{definition}"
    return f"{tool.description}\n\n{grammar}" if tool.description else grammar


def _input_schema(parameters: Json | None, path: str) -> Json:
    """`parameters` with all keywords. The root must be an object. Raises ClientError."""
    schema: dict[str, Any] = {**(parameters or {}), "type": "object"}
    schema.setdefault("properties", {})
    for union in _UNIONS:
        if union in schema:
            raise unsupported(
                path, f"the upstream refuses '{union}' at a schema's root.", value=True
            )
    for name in schema["properties"] if isinstance(schema["properties"], dict) else ():
        if not _PROPERTY.fullmatch(name):
            what = f"the property '{name[:_LONGEST_ECHO]}'"
            raise invalid(path, f"{what} is not 1 to 64 letters, digits, '_', '.' or '-'.")
    return schema
