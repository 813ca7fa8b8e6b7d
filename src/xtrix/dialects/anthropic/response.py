"""A whole message of Anthropic's as a completion."""

from typing import Any

from xtrix import json
from xtrix.completions import Completion, choice
from xtrix.dialect import Asked
from xtrix.dialects.anthropic import answer
from xtrix.dialects.anthropic.calls import whole_call
from xtrix.dialects.anthropic.errors import error_of
from xtrix.errors import bad_response

Block = dict[str, Any]


def decode_response(body: bytes, asked: Asked) -> Completion:
    """The completion that `body` spells. Raises UpstreamError."""
    try:
        said = json.decode_object(body)
    except ValueError:
        raise bad_response("not a JSON object") from None
    if said.get("type") == "error":
        error = said.get("error")
        raise error_of(error if isinstance(error, dict) else {})
    blocks = said.get("content")
    if not isinstance(blocks, list) or not all(isinstance(block, dict) for block in blocks):
        raise bad_response("no content")
    usage = said.get("usage") if isinstance(said.get("usage"), dict) else {}
    assert isinstance(usage, dict)
    message, called = _message(blocks, asked, answer.refusal_of(said))
    why = said.get("stop_reason")
    return Completion(
        [choice(message, answer.finish_reason(why, asked, called=called))],
        answer.usage_of(usage),
        answer.service_tier(usage),
        answer.unknown_reason(why),
    )


def _message(blocks: list[Block], asked: Asked, refusal: str | None) -> tuple[Block, bool]:
    """OpenAI's message, and whether one of the client's tools is called in it."""
    uses = [block for block in blocks if block.get("type") == "tool_use"]
    answers = [use for use in uses if use.get("name") == asked.answer_tool]
    calls = [whole_call(use, asked) for use in uses if use not in answers]
    text, annotations = _text(blocks, asked)
    text += "".join(json.encode(use.get("input") or {}) for use in answers)
    thinking = [block for block in blocks if block.get("type") in {"thinking", "redacted_thinking"}]
    reasoning = "".join(str(block.get("thinking", "")) for block in thinking)
    message: Block = {
        "role": "assistant",
        "content": text or (None if calls or refusal else ""),
        "refusal": refusal,
    }
    if calls and asked.functions:
        message["function_call"] = calls[0]["function"]
    elif calls:
        message["tool_calls"] = calls
    if annotations:
        message["annotations"] = annotations
    if reasoning:
        message["reasoning_content"] = reasoning
    if thinking:
        message["thinking_blocks"] = thinking
    return message, bool(calls)


def _text(blocks: list[Block], asked: Asked) -> tuple[str, list[Block]]:
    """All text of `blocks`, and the annotations of its cited passages."""
    text = ""
    annotations = []
    for block in blocks:
        if block.get("type") != "text":
            continue
        start = len(text)
        text += str(block.get("text", ""))
        for citation in (block.get("citations") or []) if asked.cited else []:
            annotations.append(answer.annotation(citation, start, len(text)))
    return text, [annotation for annotation in annotations if annotation]
