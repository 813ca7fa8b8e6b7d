"""Decodes the client's tools, and the choice of a tool.

Tools are in the request, and in items of its input: a search by the client adds the tools that it
found. A tool that OpenAI would run itself is left out if the answer can do without it, because
Codex offers such tools with every request. Otherwise it is refused.

Source: openai-python 3.57.0, `Tool` and `ToolChoice` (read 2026-11).
"""

from typing import Any, Literal

from xtrix.errors import invalid, unsupported
from xtrix.prompt import Tool, ToolChoice, WebSearch
from xtrix.shape import LONGEST_ECHO

Json = dict[str, Any]

SEARCH = "tool_search"
"""The name of the tool for the client's own search for tools."""

_WEB_SEARCH = "web_search"
_HINTS = (_WEB_SEARCH, "image_generation")
"""The beginnings of the types that are left out."""
_REFUSED = {
    *("mcp", "file_search", "code_interpreter", "shell", "local_shell", "apply_patch"),
    *("programmatic_tool_calling", "computer", "computer_use", "computer_use_preview"),
}
_PLACES = ("city", "country", "region", "timezone")
_SIZES = ("low", "medium", "high")
_NAMED = {"function", "custom"}
_READ = {
    *("type", "name", "description", "parameters", "strict", "format", "defer_loading"),
}
"""The members of a function or a custom tool that are read. Others are hints."""


class Tools:
    """The tools so far, each once."""

    def __init__(self) -> None:
        self.ignored: set[str] = set()
        """What was left out, by the client's names."""
        self._tools: dict[tuple[str | None, str], Tool] = {}
        self._hosted: list[Tool] = []
        self.web_search: WebSearch | None = None
        """The provider's web search, if the model may use it."""

    def all(self) -> list[Tool]:
        """All tools. If the client has no search for tools, no tool is hidden until it is found."""
        tools = [*self._tools.values(), *self._hosted]
        if not any(tool.kind == "search" for tool in tools):
            for tool in tools:
                tool.deferred = False
        return tools

    def add(self, given: list[Json], path: str) -> list[Tool]:
        """Adds the request's tools, which are at `path`. Raises ClientError."""
        return self._take(given, path, again=False)

    def find(self, given: list[Json], path: str) -> list[Tool]:
        """Adds the tools of an item, which the model may call from now on.

        A known one is replaced, because a search may find it twice.
        """
        found = self._take(given, path, again=True)
        for tool in found:
            tool.deferred = False
        return found

    def _take(self, given: list[Json], path: str, *, again: bool) -> list[Tool]:
        taken = []
        for index, said in enumerate(given):
            for tool in self._decode(said, f"{path}[{index}]"):
                if tool.kind == "hosted":
                    self._hosted.append(tool)
                    continue
                key = (tool.namespace, tool.name)
                if key in self._tools and not again:
                    raise invalid(tool.path, f"another tool is named '{_echo(tool.name)}' too.")
                self._tools[key] = tool
                taken.append(tool)
        return taken

    def _decode(self, said: Json, path: str) -> list[Tool]:
        kind = said["type"]
        if kind in _NAMED:
            self.ignored |= {f"tools.{name}" for name in said.keys() - _READ if said[name]}
            return [_tool(said, path)]
        if kind == "namespace":
            return self._decode_members(said, f"{path}.tools")
        if kind == SEARCH and said.get("execution") == "client":
            schema = said.get("parameters")
            place = f"{path}.parameters"
            return [
                Tool(
                    "search", SEARCH, said.get("description"), schema, path=path, schema_path=place
                )
            ]
        if kind.startswith(_WEB_SEARCH) and self.web_search is None:
            self.web_search = _web_search(said, path)
            return []
        if kind == SEARCH or kind.startswith(_HINTS):
            self.ignored.add(f"tools.{kind}")
            return []
        if kind in _REFUSED:
            raise unsupported(f"{path}.type", f"no upstream tool is like '{kind}'.", value=True)
        # A type that is not known here may be the upstream's own.
        return [Tool("hosted", _name(said), hosted=said, hosted_by="responses", path=path)]

    def _decode_members(self, group: Json, path: str) -> list[Tool]:
        """The tools of a namespace, which are at `path`."""
        members = group["tools"]
        unread = {name for it in members for name in it.keys() - _READ if it[name]}
        self.ignored |= {f"tools.{name}" for name in unread}
        return [_tool(it, f"{path}[{index}]", group) for index, it in enumerate(members)]


def _tool(said: Json, path: str, group: Json | None = None) -> Tool:
    """A function or a custom tool; `group` is its namespace."""
    kind: Literal["function", "custom"] = said["type"]
    description = said.get("description")
    if group and group.get("description"):
        description = "\n\n".join(filter(None, (group["description"], description)))
    form = said.get("format") or {}
    return Tool(
        kind,
        said["name"],
        description,
        said.get("parameters") if kind == "function" else None,
        said.get("strict") if kind == "function" else None,
        form if form.get("type") == "grammar" and kind == "custom" else None,
        namespace=group["name"] if group else None,
        deferred=bool(said.get("defer_loading")),
        path=path,
        schema_path=f"{path}.parameters",
    )


def _web_search(said: Json, path: str) -> WebSearch:
    """A web search, as far as other providers have it. Invalid values are left out."""
    filters, location = said.get("filters"), said.get("user_location")
    domains = filters.get("allowed_domains") if isinstance(filters, dict) else None
    place = location if isinstance(location, dict) else {}
    known = {name: place[name] for name in _PLACES if isinstance(place.get(name), str)}
    size = said.get("search_context_size")
    return WebSearch(
        context_size=size if size in _SIZES else None,
        location=known or None,
        domains=tuple(filter(_is_text, domains if isinstance(domains, list) else ())),
        path=f"{path}.type",
        hints=(f"tools.{said['type']}",),
    )


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _name(said: Json) -> str:
    name = said.get("name")
    return name if isinstance(name, str) else ""


def decode_choice(said: Json | str | None, tools: list[Tool]) -> ToolChoice | None:
    """Which of `tools` may be called; None if all may. Raises ClientError."""
    if said is None or (not tools and said in ("auto", "none")):
        return None
    if not tools:
        raise invalid("tool_choice", "it needs 'tools' to choose from.")
    if isinstance(said, str):
        return ToolChoice(said)  # type: ignore[arg-type]  # the schema has checked it
    if said["type"] != "allowed_tools":
        tool = _chosen(said, "tool_choice", tools)[0]
        return ToolChoice("named", tool.name, tool.namespace)
    chosen = [
        (tool.namespace, tool.name)
        for index, entry in enumerate(said["tools"])
        if not str(entry.get("type")).startswith(_HINTS)
        for tool in _chosen(entry, f"tool_choice.tools[{index}]", tools)
    ]
    if not chosen and said["mode"] == "auto":
        return ToolChoice("none")
    if not chosen:
        raise invalid("tool_choice.tools", "none of these tools can be called.")
    return ToolChoice(said["mode"], allowed=tuple(dict.fromkeys(chosen)))


def _chosen(entry: Json, path: str, tools: list[Tool]) -> list[Tool]:
    """The tools that one entry of a choice names. Raises ClientError."""
    kind = entry.get("type") or "function"
    name = _name(entry)
    if kind in _NAMED:
        found = _named(name, entry.get("namespace"), tools)
    elif kind == "namespace":
        found = [tool for tool in tools if tool.namespace == name]
    elif kind == SEARCH:
        found = [tool for tool in tools if tool.kind == "search"]
        name = SEARCH
    else:
        why = f"no upstream tool is like '{_echo(kind)}'."
        raise unsupported(f"{path}.type", why, value=True)
    if not found:
        raise invalid(path, f"there is no tool '{_echo(name)}' in 'tools'.")
    return found


def _named(name: str, namespace: str | None, tools: list[Tool]) -> list[Tool]:
    """The tool with this name. Without a namespace, only one tool may have the name."""
    exact = [tool for tool in tools if (tool.namespace, tool.name) == (namespace, name)]
    if exact or namespace is not None:
        return exact
    inside = [tool for tool in tools if tool.kind != "hosted" and tool.name == name]
    return inside if len(inside) == 1 else []


def _echo(word: str) -> str:
    return word[:LONGEST_ECHO]
