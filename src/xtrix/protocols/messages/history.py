"""Describes what Anthropic's own tools did, as lines of text for a model of another provider.

Blocks of server tools, MCP servers and the like stay in a conversation for ever. Another model gets
a line for each, which says what was asked and what came back, as far as that can be read. Encrypted
text is left out. These blocks have not been checked before, so every type is checked here.

Source: platform.claude.com/docs/en/agents-and-tools/tool-use/web-search-tool and its neighbours,
read 2026-11.
"""

from xtrix import json
from xtrix.prompt import Json

_LONGEST = 2000
"""The most characters of one line. A fetched page, or a program's output, would otherwise fill the
conversation."""
_CALLS = {"server_tool_use", "mcp_tool_use"}
_RESULT = "_tool_result"
_SHOWN = ("title", "url", "text", "stdout", "stderr", "error_code", "content", "tool_name")
_DEEPEST = 6


def line_of(block: Json) -> str:
    """The line for `block`; empty for none."""
    kind = str(block["type"])
    if kind in _CALLS:
        return _cut(f"[{_word(block.get('name')) or 'tool'}: {_given(block.get('input'))}]")
    if kind.endswith(_RESULT):
        found = "; ".join(_texts(block.get("content"), _DEEPEST))
        return _cut(f"[{kind.removesuffix(_RESULT)} result: {found or 'nothing readable'}]")
    return ""


def _given(value: object) -> str:
    """A call's input. Most have one member; then only its text."""
    if isinstance(value, dict) and len(value) == 1:
        value = next(iter(value.values()))
    return value if isinstance(value, str) else json.encode(value)


def _texts(value: object, depth: int) -> list[str]:
    """The readable strings of a result, in order."""
    if isinstance(value, str):
        return [value] if value else []
    if not depth:
        return []
    if isinstance(value, list):
        return [text for item in value for text in _texts(item, depth - 1)]
    if isinstance(value, dict):
        named = [_texts(value.get(name), depth - 1) for name in _SHOWN]
        return [" ".join(text for texts in named for text in texts)] if any(named) else []
    return []


def _word(value: object) -> str:
    return value if isinstance(value, str) else ""


def _cut(line: str) -> str:
    one = " ".join(line.split())
    return one if len(one) <= _LONGEST else f"{one[: _LONGEST - 2]}…]"
