"""A whole message of Anthropic's as a completion."""

from typing import Any

from xtrix import json
from xtrix.completions import Completion, choice
from xtrix.dialect import Asked
from xtrix.dialects.anthropic import answer
from xtrix.dialects.anthropic.calls import input_of, tool_name, whole_call
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
    by_type: dict[str, list[Block]] = {}
    for block in blocks:
        by_type.setdefault(answer.block_type(block), []).append(block)
    uses = by_type.get("tool_use", [])
    # What the model says beside the answer is none of it, and a second one is none of the client's.
    answers = [input_of(use) for use in uses if tool_name(use) == asked.answer_tool]
    called = [use for use in uses if tool_name(use) != asked.answer_tool]
    calls = [whole_call(use, index, asked) for index, use in enumerate(called)]
    text, annotations = _text(by_type.get("text", []), asked)
    if answers:
        text, annotations = json.encode(answers[0]), []
    thinking = [block for block in blocks if block["type"] in {"thinking", "redacted_thinking"}]
    reasoning = "".join(answer.string_in(block, "thinking") for block in thinking)
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
    """All text of the text blocks, and the annotations of its cited passages."""
    text = ""
    annotations = []
    for block in blocks:
        start = len(text)
        text += answer.string_in(block, "text")
        for citation in answer.citations_of(block):
            annotations.append(answer.annotation(citation, start, len(text)))
    return text, [each for each in annotations if each and asked.cited]
