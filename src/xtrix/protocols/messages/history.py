"""What Anthropic has run for an earlier answer, as lines of text for a model of another provider.

The blocks of server tools, MCP servers and the like stand in a conversation for good. Another
model is told in a line each what was asked and what came back, as far as that can be read: never
what is encrypted. Nothing here is checked beforehand, so every type is looked at.

Source: platform.claude.com/docs/en/agents-and-tools/tool-use/web-search-tool and its neighbours,
read 2026-11.
"""

from xtrix import json
from xtrix.prompt import Json

_LONGEST = 2000
"""Characters of one line. A fetched page or a program's output would drown the conversation."""
_CALLS = {"server_tool_use", "mcp_tool_use"}
_RESULT = "_tool_result"
_SHOWN = ("title", "url", "text", "stdout", "stderr", "error_code", "content", "tool_name")
_DEEPEST = 6


def line_of(block: Json) -> str:
    """What another model may read of `block`; "" for nothing."""
    kind = str(block["type"])
    if kind in _CALLS:
        return _cut(f"[{_word(block.get('name')) or 'tool'}: {_given(block.get('input'))}]")
    if kind.endswith(_RESULT):
        found = "; ".join(_texts(block.get("content"), _DEEPEST))
        return _cut(f"[{kind.removesuffix(_RESULT)} result: {found or 'nothing readable'}]")
    return ""


def _given(value: object) -> str:
    """A call's input; of the one member that most have, its text alone."""
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
