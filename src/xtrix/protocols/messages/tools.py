"""Decodes the tools that a model may see, and which of them it may call.

Anthropic's clients send tools that a model should see only after a search has found them. The
result of such a search contains `tool_reference` blocks. System messages add and remove tools in
mid-conversation. Other providers have nothing like it, so they get the tools that are in effect at
the end of the conversation.

Source: platform.claude.com/docs/en/agents-and-tools/tool-use/tool-search-tool, …/web-search-tool
and the types of anthropic-python 2.14.0 (read 2026-11).
"""

from typing import NamedTuple

from xtrix.prompt import Json, Tool, ToolChoice, WebSearch
from xtrix.protocols.messages.errors import invalid, unsupported
from xtrix.protocols.messages.schema import CUSTOM, WEB_SEARCH, tool_kind

_SEARCH_NAME = "web_search"
_TOOL_SEARCH = "tool_search_tool_"
_MODES = {"auto": "auto", "any": "required", "none": "none", "tool": "named"}
_READ = {
    *("type", "name", "description", "input_schema", "strict", "defer_loading", "cache_control"),
    "eager_input_streaming",
}
"""The members of a tool that are read, or that only affect how an answer is cut up. Others are
hints."""
_PLACES = ("city", "country", "region", "timezone")


class ToolChanges:
    """What a conversation says about its tools."""

    def __init__(self) -> None:
        self.found: set[str] = set()
        """Names that the client's search has found."""
        self.offered: dict[str, bool] = {}
        """Names, and whether each was last offered or withdrawn."""
        self.defined: list[tuple[Json, str]] = []
        """Tools that were defined inside the conversation, with their places."""

    def take(self, block: Json, path: str) -> None:
        """Reads a `tool_addition` or `tool_removal`."""
        added = block["type"] == "tool_addition"
        if not added and block["type"] != "tool_removal":
            return  # a change of another kind
        tool = block["tool"]
        if tool["type"] == "tool_reference":
            self.offered[tool["name"]] = added
        elif tool["type"] == "tool_definition" and added:
            definition = tool["definition"]
            self.defined.append((definition, f"{path}.tool.definition"))
            self.offered[str(definition.get("name"))] = True

    def shows(self, tool: Tool) -> bool:
        """Whether the model may see `tool` at the end of the conversation."""
        return self.offered.get(tool.name, not tool.deferred or tool.name in self.found)


class Tools(NamedTuple):
    """The tools of a request."""

    tools: list[Tool]
    choice: ToolChoice | None
    web_search: WebSearch | None
    ignored: set[str]


def decode_tools(fields: Json, changes: ToolChanges) -> Tools:
    """The tools of a request. `changes` are those in its conversation. Raises ClientError."""
    declared = [(tool, f"tools.{index}") for index, tool in enumerate(fields.get("tools") or ())]
    search: WebSearch | None = None
    searches: set[str] = set()
    ignored: set[str] = set()
    tools: list[Tool] = []
    for tool, path in [*declared, *changes.defined]:
        kind = tool_kind(tool)
        if kind == CUSTOM:
            tools.append(_custom(tool, path))
            ignored |= {f"tools.{name}" for name in tool.keys() - _READ if tool[name]}
        elif kind == WEB_SEARCH and search is None:
            search = _web_search(tool, path)
        elif kind.startswith(_TOOL_SEARCH):
            # No search is possible, so all tools are shown.
            searches.add(f"{path}.type")
        else:
            why = f"tools of the type '{kind[:64]}' are known to Anthropic's models only."
            raise unsupported(f"{path}.type", why)
    _refuse_namesakes(tools)
    choice = fields.get("tool_choice")
    chosen = choice.get("name") if choice else None
    shown = [tool for tool in tools if searches or changes.shows(tool) or tool.name == chosen]
    for each in shown:
        each.deferred = False
    return Tools(shown, _choice(choice, shown, search), search, searches | ignored)


def _custom(tool: Json, path: str) -> Tool:
    return Tool(
        "function",
        tool["name"],
        description=tool.get("description"),
        schema=tool["input_schema"],
        strict=tool.get("strict"),
        deferred=bool(tool.get("defer_loading")),
        path=path,
        cache=tool.get("cache_control"),
        schema_path=f"{path}.input_schema",
    )


def _web_search(tool: Json, path: str) -> WebSearch:
    if tool.get("blocked_domains"):
        why = "other providers' searches can be kept to some domains, not off them."
        raise unsupported(f"{path}.blocked_domains", why)
    place = tool.get("user_location") or {}
    location = {name: place[name] for name in _PLACES if place.get(name)}
    return WebSearch(
        location=location or None,
        domains=tuple(tool.get("allowed_domains") or ()),
        max_uses=tool.get("max_uses"),
        path=f"{path}.type",
    )


def _refuse_namesakes(tools: list[Tool]) -> None:
    """Raises ClientError for the second of two tools with one name."""
    seen: set[str] = set()
    for tool in tools:
        if tool.name in seen:
            raise invalid(f"{tool.path}.name", "Tool names must be unique.")
        seen.add(tool.name)


def _choice(choice: Json | None, tools: list[Tool], search: WebSearch | None) -> ToolChoice | None:
    """Which tools to call; None if that is open. Raises ClientError."""
    if choice is None:
        return None
    mode = _MODES[choice["type"]]
    name = choice.get("name", "")
    if mode == "named" and not any(tool.name == name for tool in tools):
        if search and name == _SEARCH_NAME:
            return None  # this means the web search, which has its own setting
        why = f"Tool '{name[:128]}' not found in provided tools"
        raise invalid("tool_choice.name", why)
    if not tools:
        if mode == "required" and not search:
            raise invalid("tool_choice", "may only be specified while providing tools.")
        return None
    return ToolChoice(mode, name if mode == "named" else "")  # type: ignore[arg-type]  # the table's
