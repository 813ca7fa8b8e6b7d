"""Encodes a Prompt's tools, and the choice of a tool, for Chat Completions.

Source: platform.openai.com/docs/api-reference/chat (OpenAPI document 2.3.0, read 2026-11).
"""

from collections.abc import Iterator

from xtrix import json
from xtrix.errors import invalid, unsupported
from xtrix.openai.names import ToolNames
from xtrix.prompt import Call, Json, Prompt, Tool, ToolChoice, WebSearch
from xtrix.providers import Quirks

CUSTOM_INPUT = "input"
"""The one property of the object that replaces a custom tool's text."""

_CUSTOM_SCHEMA = {
    "type": "object",
    "properties": {CUSTOM_INPUT: {"type": "string"}},
    "required": [CUSTOM_INPUT],
    "additionalProperties": False,
}
_NO_ARGUMENTS: Json = {"type": "object", "properties": {}}
_WEB_SEARCH = "web_search_options"
_SEARCH_NAME = "web_search"


class Toolset:
    """The tools of one request, encoded."""

    def __init__(self, prompt: Prompt, quirks: Quirks, names: ToolNames) -> None:
        """Raises ClientError for a tool that is not possible here."""
        self.ignored: set[str] = set()
        self._quirks = quirks
        self._names = names
        self._choice = prompt.choice
        self._parallel = prompt.settings.parallel_calls
        self._search = prompt.settings.web_search
        self._shown = self._select(prompt)
        if self._search and _WEB_SEARCH not in quirks.takes:
            self._leave_search(self._search)

    @property
    def cites(self) -> bool:
        """Whether the answer may cite results of a web search."""
        return self._search is not None

    def fields(self) -> Json:
        """`tools`, `tool_choice` and related fields. Raises ClientError."""
        fields: Json = {}
        if self._search:
            fields[_WEB_SEARCH] = _web_search(self._search)
        choice = self._tool_choice()
        if self._shown:
            fields["tools"] = [self._tool(tool) for tool in self._shown]
            if choice is not None:
                fields["tool_choice"] = choice
            if self._parallel is False:
                fields["parallel_tool_calls"] = False
        return fields

    # Which tools the model sees

    def _leave_search(self, search: WebSearch) -> None:
        """Leaves out the web search if there are other tools. Raises ClientError otherwise."""
        if not self._shown:
            raise unsupported(search.path, "the upstream does not search the web.", value=True)
        self.ignored.add(search.path)
        self._search = None

    def _select(self, prompt: Prompt) -> list[Tool]:
        """The tools that the model sees. Raises ClientError for one that a provider runs."""
        for tool in prompt.tools:
            if tool.hosted is not None:
                why = f"no upstream tool is like '{str(tool.hosted.get('type'))[:64]}'."
                raise unsupported(f"{tool.path}.type", why, value=True)
        tools = prompt.tools
        if any(tool.deferred for tool in tools):
            found = set(_found(prompt))
            tools = [
                tool for tool in tools if not tool.deferred or (tool.namespace, tool.name) in found
            ]
        allowed = self._choice.allowed if self._choice else None
        if allowed is None or "tool_choice.allowed_tools" in self._quirks.takes:
            return tools
        return [tool for tool in tools if (tool.namespace, tool.name) in allowed]

    # How tools are encoded

    def _tool(self, tool: Tool) -> Json:
        named: Json = {"name": self._names(tool.namespace, tool.name)}
        if tool.description:
            named["description"] = tool.description
        if tool.kind == "custom":
            return self._custom(tool, named)
        named["parameters"] = {"type": "object", **tool.schema} if tool.schema else _NO_ARGUMENTS
        if tool.strict:
            named["strict"] = True
        return {"type": "function", "function": named}

    def _custom(self, tool: Tool, named: Json) -> Json:
        """A custom tool, or a function in its place if the server has no custom tools."""
        grammar = tool.format and {key: tool.format.get(key) for key in ("syntax", "definition")}
        if "tools.custom" in self._quirks.takes:
            if grammar:
                named["format"] = {"type": "grammar", "grammar": grammar}
            return {"type": "custom", "custom": named}
        if grammar:
            rule = f"'{CUSTOM_INPUT}' has to keep to this {grammar['syntax']} grammar:"
            paragraphs = [named.get("description"), f"{rule}\n{grammar['definition']}"]
            named["description"] = "\n\n".join(part for part in paragraphs if part)
        return {"type": "function", "function": {**named, "parameters": _CUSTOM_SCHEMA}}

    def _tool_choice(self) -> Json | str | None:
        """The `tool_choice`; None if the model may choose freely. Raises ClientError."""
        choice = self._choice
        if choice is None or (choice.mode == "auto" and choice.allowed is None):
            return None
        if choice.mode == "named":
            return self._named(choice)
        if choice.mode != "none" and not self._shown:
            raise invalid(choice.path, "it needs 'tools' to choose from.")
        if choice.allowed is None or choice.mode == "none":
            return choice.mode
        chosen = [tool for tool in self._shown if (tool.namespace, tool.name) in choice.allowed]
        if not chosen:
            raise invalid(choice.path, "there is none of its tools in 'tools'.")
        if "tool_choice.allowed_tools" not in self._quirks.takes:
            return None if choice.mode == "auto" else choice.mode
        listed = [self._reference(tool) for tool in chosen]
        return {"type": "allowed_tools", "allowed_tools": {"mode": choice.mode, "tools": listed}}

    def _named(self, choice: ToolChoice) -> Json | None:
        for tool in self._shown:
            if (tool.namespace, tool.name) == (choice.namespace, choice.name):
                return self._reference(tool)
        if self._search and choice.name == _SEARCH_NAME:
            return None  # the provider then searches for every answer
        raise invalid(choice.path, f"there is no tool '{choice.name[:128]}' in 'tools'.")

    def _reference(self, tool: Tool) -> Json:
        is_custom = tool.kind == "custom" and "tools.custom" in self._quirks.takes
        kind = "custom" if is_custom else "function"
        return {"type": kind, kind: {"name": self._names(tool.namespace, tool.name)}}


def wrap_custom(text: str) -> str:
    """The arguments of the function that replaces a custom tool."""
    return json.encode({CUSTOM_INPUT: text})


def unwrap_custom(arguments: str) -> str:
    """The text in such a function's arguments; all of it if the model did not keep to the form."""
    try:
        given = json.decode_object(arguments).get(CUSTOM_INPUT)
    except ValueError:
        return arguments
    return given if isinstance(given, str) else arguments


def _found(prompt: Prompt) -> Iterator[tuple[str | None, str]]:
    """Namespaces and names of tools that are chosen, or were called before."""
    if prompt.choice:
        yield prompt.choice.namespace, prompt.choice.name
    for turn in prompt.turns:
        for block in turn.blocks:
            if isinstance(block, Call):
                yield block.namespace, block.name


def _web_search(search: WebSearch) -> Json:
    """`web_search_options`. Raises ClientError."""
    if search.domains:
        raise unsupported(search.path, "the upstream searches all of the web.", value=True)
    options: Json = {}
    if search.context_size:
        options["search_context_size"] = search.context_size
    if search.location:
        place = {key: value for key, value in search.location.items() if key != "type"}
        options["user_location"] = {"type": "approximate", "approximate": place}
    return options
