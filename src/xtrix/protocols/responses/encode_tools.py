"""Encodes a client's tools, and the choice of a tool, for Responses.

Tools of a namespace, and a client's own search for tools, become plain functions. Only OpenAI
itself has these, and a client that uses them is passed on to OpenAI anyway.

Source: openai-python 3.57.0, `FunctionTool`, `CustomTool`, `WebSearchTool` and `ToolChoiceAllowed`
(read 2026-11).
"""

from xtrix.errors import unsupported
from xtrix.openai.names import ToolNames
from xtrix.prompt import Json, Tool, ToolChoice, WebSearch
from xtrix.protocols.responses.encode_blocks import PROTOCOL


def encode_tool(tool: Tool, names: ToolNames) -> Json:
    """The tool, without nesting.

    Raises ClientError if only another protocol's upstream can run it.
    """
    if tool.hosted is not None:
        if tool.hosted_by == PROTOCOL:
            return tool.hosted
        kind = str(tool.hosted.get("type"))
        why = f"no upstream tool is like '{kind[:64]}'."
        raise unsupported(f"{tool.path}.type", why, value=True)
    encoded: Json = {"type": _kind(tool), "name": names(tool.namespace, tool.name)}
    if tool.description:
        encoded["description"] = tool.description
    if tool.kind == "custom":
        if tool.format:
            encoded["format"] = {"type": "grammar", **tool.format}
        return encoded
    encoded["parameters"] = tool.schema or {"type": "object", "properties": {}}
    # Without `strict` OpenAI makes a tool strict if its schema allows that, which changes the
    # schema.
    encoded["strict"] = bool(tool.strict)
    return encoded


def encode_web_search(wanted: WebSearch) -> Json:
    """OpenAI's own web search."""
    tool: Json = {"type": "web_search"}
    if wanted.context_size:
        tool["search_context_size"] = wanted.context_size
    if wanted.location is not None:
        tool["user_location"] = {"type": "approximate", **wanted.location}
    if wanted.domains:
        tool["filters"] = {"allowed_domains": list(wanted.domains)}
    return tool


def encode_choice(choice: ToolChoice, tools: list[Tool], names: ToolNames) -> str | Json:
    """The choice among `tools`."""
    kinds = {(tool.namespace, tool.name): _kind(tool) for tool in tools}

    def named(namespace: str | None, name: str) -> Json:
        kind = kinds.get((namespace, name), "function")
        return {"type": kind, "name": names(namespace, name)}

    if choice.mode == "named":
        return named(choice.namespace, choice.name)
    if choice.allowed is not None and choice.mode != "none":
        allowed = [named(*each) for each in choice.allowed]
        return {"type": "allowed_tools", "mode": choice.mode, "tools": allowed}
    return choice.mode


def _kind(tool: Tool) -> str:
    return "custom" if tool.kind == "custom" else "function"
