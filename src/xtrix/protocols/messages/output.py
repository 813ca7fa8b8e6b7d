"""Encodes `response_format` in one of the ways that Anthropic has.

Models with structured output get the schema itself, if Anthropic can make a grammar of it. For
other models, and other schemas, the model must call a tool whose input is the answer. `json_object`
can only be asked for in words.
"""

from typing import Any, NamedTuple

from xtrix.errors import unsupported
from xtrix.prompt import OutputFormat
from xtrix.protocols.messages.schemas import Size, encode_schema, has_grammar, size_of
from xtrix.providers import Family

Body = dict[str, Any]

ANSWER_TOOL = "json_tool_call"
_ASK_FOR_JSON = "Reply with one JSON object and nothing else."


class Output(NamedTuple):
    """The parts of the request that ask for the answer's form."""

    config: Body
    """`output_config`; empty for none."""
    tool: Body | None = None
    """The tool whose input is the answer."""
    system: tuple[Body, ...] = ()
    """System text to add."""
    size: Size = Size()
    """Its share of the request's grammars."""


def encode_format(wanted: OutputFormat | None, family: Family) -> Output:
    """The parts that ask for `wanted`. Raises ClientError."""
    if wanted is None:
        return Output({})
    if wanted.kind == "json_object":
        return Output({}, system=({"type": "text", "text": _ASK_FOR_JSON},))
    schema = {"type": "object", **(wanted.schema or {})}
    size = size_of(schema)
    # If no tool can be forced, the upstream itself must say that the schema is too much.
    if family.structured and has_grammar(schema) and (size.fits or not family.forced_tools):
        encoded = {"type": "json_schema", "schema": encode_schema(schema)}
        return Output({"format": encoded}, size=size)
    if not family.forced_tools:
        why = "this model has no structured output"
        if family.structured:
            why += " for objects whose properties are not all named"
        raise unsupported(wanted.path, f"{why}.", value=True)
    tool = {
        "name": ANSWER_TOOL,
        "description": wanted.description or "Gives the answer.",
        "input_schema": schema,
    }
    return Output({}, tool)
