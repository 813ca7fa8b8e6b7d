"""A client's tools, and what it says of their use, in Responses' terms.

Source: openai-python 3.57.0, `FunctionTool`, `CustomTool`, `NamespaceTool`, `WebSearchTool` and
`ToolChoiceAllowed` (read 2026-11).
"""

from typing import Any

from xtrix.errors import unsupported
from xtrix.prompt import Json, Tool, ToolChoice, WebSearch
from xtrix.protocols.responses.blocks import PROTOCOL
from xtrix.protocols.responses.names import ToolNames

_SEARCH = "tool_search"


def encode_tools(tools: list[Tool], names: ToolNames) -> list[Json]:
    """The tools, flat; those of one namespace together, where its first one stood.

    Raises ClientError for one that only another protocol's upstream can run.
    """
    searched = any(_is_search(tool) for tool in tools)
    encoded: list[Json] = []
    groups: dict[str, Json] = {}
    for tool in tools:
        said = _tool(tool, names, searched=searched)
        if tool.namespace is None:
            encoded.append(said)
            continue
        group = groups.get(tool.namespace)
        if group is None:
            group = {"type": "namespace", "name": tool.namespace, "description": "", "tools": []}
            groups[tool.namespace] = group
            encoded.append(group)
        group["tools"].append(said)
    return encoded


def encode_web_search(wanted: WebSearch) -> Json:
    """OpenAI's own search of the web."""
    tool: Json = {"type": "web_search"}
    if wanted.context_size:
        tool["search_context_size"] = wanted.context_size
    if wanted.location is not None:
        tool["user_location"] = {"type": "approximate", **wanted.location}
    if wanted.domains:
        tool["filters"] = {"allowed_domains": list(wanted.domains)}
    return tool


def encode_choice(choice: ToolChoice, tools: list[Tool], names: ToolNames) -> str | Json:
    """What a client says of which tools may be called."""
    kinds = {(tool.namespace, tool.name): tool.kind for tool in tools}

    def named(namespace: str | None, name: str) -> Json:
        kind = kinds.get((namespace, name), "function")
        group = {} if namespace is None else {"namespace": namespace}
        return {"type": kind, "name": names(name, namespace), **group}

    if choice.mode == "named":
        return named(choice.namespace, choice.name)
    if choice.allowed is not None and choice.mode != "none":
        allowed = [named(*each) for each in choice.allowed]
        return {"type": "allowed_tools", "mode": choice.mode, "tools": allowed}
    return choice.mode


def _is_search(tool: Tool) -> bool:
    return tool.kind == "search" or (tool.hosted or {}).get("type") == _SEARCH


def _tool(tool: Tool, names: ToolNames, *, searched: bool) -> Json:
    if tool.hosted is not None:
        if tool.hosted_by == PROTOCOL:
            return tool.hosted
        kind = tool.hosted.get("type")
        raise unsupported(f"{tool.path}.type", f"no upstream tool is like '{kind}'.", value=True)
    if tool.kind == "search":
        said: Json = {"type": _SEARCH, "execution": "client"}
        return {**said, **_described(tool), "parameters": tool.schema or {}}
    encoded: dict[str, Any] = {"type": tool.kind, "name": names(tool.name, tool.namespace)}
    encoded |= _described(tool)
    if tool.kind == "custom":
        if tool.format:
            encoded["format"] = {"type": "grammar", **tool.format}
    else:
        encoded["parameters"] = tool.schema or {"type": "object", "properties": {}}
        # Left out it would mean «strict where the schema allows», which changes the schema.
        encoded["strict"] = bool(tool.strict)
    if tool.deferred and searched:
        encoded["defer_loading"] = True
    return encoded


def _described(tool: Tool) -> Json:
    return {"description": tool.description} if tool.description else {}
