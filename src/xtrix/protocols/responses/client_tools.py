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
        return self._take(given, path, replaces=False)

    def find(self, given: list[Json], path: str) -> list[Tool]:
        """Adds the tools of an item, which the model may call from now on.

        A known one is replaced, because a search may find it twice.
        """
        found = self._take(given, path, replaces=True)
        for tool in found:
            tool.deferred = False
        return found

    def _take(self, given: list[Json], path: str, *, replaces: bool) -> list[Tool]:
        taken = []
        for index, fields in enumerate(given):
            for tool in self._decode(fields, f"{path}[{index}]"):
                if tool.kind == "hosted":
                    self._hosted.append(tool)
                    continue
                key = (tool.namespace, tool.name)
                if key in self._tools and not replaces:
                    raise invalid(tool.path, f"another tool is named '{_echo(tool.name)}' too.")
                self._tools[key] = tool
                taken.append(tool)
        return taken

    def _decode(self, fields: Json, path: str) -> list[Tool]:
        kind = fields["type"]
        if kind in _NAMED:
            self.ignored |= {f"tools.{name}" for name in fields.keys() - _READ if fields[name]}
            return [_tool(fields, path)]
        if kind == "namespace":
            return self._decode_members(fields, f"{path}.tools")
        if kind == SEARCH and fields.get("execution") == "client":
            schema = fields.get("parameters")
            place = f"{path}.parameters"
            return [
                Tool(
                    "search",
                    SEARCH,
                    fields.get("description"),
                    schema,
                    path=path,
                    schema_path=place,
                )
            ]
        if kind.startswith(_WEB_SEARCH) and self.web_search is None:
            self.web_search = _web_search(fields, path)
            return []
        if kind == SEARCH or kind.startswith(_HINTS):
            self.ignored.add(f"tools.{kind}")
            return []
        if kind in _REFUSED:
            raise unsupported(f"{path}.type", f"no upstream tool is like '{kind}'.", value=True)
        # A type that is not known here may be the upstream's own.
        return [Tool("hosted", _name(fields), hosted=fields, hosted_by="responses", path=path)]

    def _decode_members(self, group: Json, path: str) -> list[Tool]:
        """The tools of a namespace, which are at `path`."""
        members = group["tools"]
        unread = {name for it in members for name in it.keys() - _READ if it[name]}
        self.ignored |= {f"tools.{name}" for name in unread}
        return [_tool(it, f"{path}[{index}]", group) for index, it in enumerate(members)]


def _tool(fields: Json, path: str, group: Json | None = None) -> Tool:
    """A function or a custom tool; `group` is its namespace."""
    kind: Literal["function", "custom"] = fields["type"]
    description = fields.get("description")
    if group and group.get("description"):
        description = "\n\n".join(filter(None, (group["description"], description)))
    form = fields.get("format") or {}
    return Tool(
        kind,
        fields["name"],
        description,
        fields.get("parameters") if kind == "function" else None,
        fields.get("strict") if kind == "function" else None,
        form if form.get("type") == "grammar" and kind == "custom" else None,
        namespace=group["name"] if group else None,
        deferred=bool(fields.get("defer_loading")),
        path=path,
        schema_path=f"{path}.parameters",
    )


def _web_search(fields: Json, path: str) -> WebSearch:
    """A web search, as far as other providers have it. Invalid values are left out."""
    filters, location = fields.get("filters"), fields.get("user_location")
    domains = filters.get("allowed_domains") if isinstance(filters, dict) else None
    place = location if isinstance(location, dict) else {}
    known = {name: place[name] for name in _PLACES if isinstance(place.get(name), str)}
    size = fields.get("search_context_size")
    return WebSearch(
        context_size=size if size in _SIZES else None,
        location=known or None,
        domains=tuple(filter(_is_text, domains if isinstance(domains, list) else ())),
        path=f"{path}.type",
        hints=(f"tools.{fields['type']}",),
    )


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _name(fields: Json) -> str:
    name = fields.get("name")
    return name if isinstance(name, str) else ""


def decode_choice(choice: Json | str | None, tools: list[Tool]) -> ToolChoice | None:
    """Which of `tools` may be called; None if all may. Raises ClientError."""
    if choice is None or (not tools and choice in ("auto", "none")):
        return None
    if not tools:
        raise invalid("tool_choice", "it needs 'tools' to choose from.")
    if isinstance(choice, str):
        return ToolChoice(choice)  # type: ignore[arg-type]  # the schema has checked it
    if choice["type"] != "allowed_tools":
        tool = _chosen(choice, "tool_choice", tools)[0]
        return ToolChoice("named", tool.name, tool.namespace)
    chosen = [
        (tool.namespace, tool.name)
        for index, entry in enumerate(choice["tools"])
        if not str(entry.get("type")).startswith(_HINTS)
        for tool in _chosen(entry, f"tool_choice.tools[{index}]", tools)
    ]
    if not chosen and choice["mode"] == "auto":
        return ToolChoice("none")
    if not chosen:
        raise invalid("tool_choice.tools", "none of these tools can be called.")
    return ToolChoice(choice["mode"], allowed=tuple(dict.fromkeys(chosen)))


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
