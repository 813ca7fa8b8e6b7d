"""The client's tools, and what it says of their use.

Tools stand in the request, and in items of its input: a search of the client's adds what it found.
A tool that OpenAI would run itself is left out where the answer is sound without it, because Codex
offers such with every request, and refused where it is not.

Source: openai-python 3.57.0, `Tool` and `ToolChoice` (read 2026-11).
"""

from typing import Any, Literal

from xtrix.errors import invalid, unsupported
from xtrix.prompt import Tool, ToolChoice, WebSearch
from xtrix.shape import LONGEST_ECHO

Json = dict[str, Any]

SEARCH = "tool_search"
"""The name of the tool that stands for the client's own search for tools."""

_WEB_SEARCH = "web_search"
_HINTS = (_WEB_SEARCH, "image_generation")
"""Beginnings of the types that are left out."""
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
"""The members of a function or a custom tool that are read; the others are hints."""


class Tools:
    """The tools taken in so far, each once."""

    def __init__(self) -> None:
        self.ignored: set[str] = set()
        """What was left out, by the client's names."""
        self._tools: dict[tuple[str | None, str], Tool] = {}
        self._hosted: list[Tool] = []
        self.web_search: WebSearch | None = None
        """The provider's search of the web that the model may make."""

    def all(self) -> list[Tool]:
        """Every tool. Without a search of the client's nothing is held back for one to find."""
        tools = [*self._tools.values(), *self._hosted]
        if not any(tool.kind == "search" for tool in tools):
            for tool in tools:
                tool.deferred = False
        return tools

    def add(self, given: list[Json], path: str) -> list[Tool]:
        """Take in the request's tools, which stand at `path`. Raises ClientError."""
        return self._take(given, path, again=False)

    def find(self, given: list[Json], path: str) -> list[Tool]:
        """Take in tools of an item, which the model may call from now on.

        One that is known already is replaced: a search may find it twice.
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
        # What this protocol does not know may be the upstream's own.
        return [Tool("hosted", _name(said), hosted=said, hosted_by="responses", path=path)]

    def _decode_members(self, group: Json, path: str) -> list[Tool]:
        """The tools of a namespace, which stand at `path`."""
        members = group["tools"]
        unread = {name for it in members for name in it.keys() - _READ if it[name]}
        self.ignored |= {f"tools.{name}" for name in unread}
        return [_tool(it, f"{path}[{index}]", group) for index, it in enumerate(members)]


def _tool(said: Json, path: str, group: Json | None = None) -> Tool:
    """A function or a custom tool; `group` is the namespace that it is in."""
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
    """A search of the web as far as others can make it; what makes no sense is not said."""
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
    """Which of `tools` may be called; None where all may be. Raises ClientError."""
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
    """The tools that one entry of a choice names, one or more. Raises ClientError."""
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
    """The one tool of that name. Without its namespace it has to be the only one so called."""
    exact = [tool for tool in tools if (tool.namespace, tool.name) == (namespace, name)]
    if exact or namespace is not None:
        return exact
    inside = [tool for tool in tools if tool.kind != "hosted" and tool.name == name]
    return inside if len(inside) == 1 else []


def _echo(word: str) -> str:
    return word[:LONGEST_ECHO]
