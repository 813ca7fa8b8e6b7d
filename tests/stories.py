"""Long streams of one event that is repeated with other words, one stream for each protocol pair.

A story has the dialect, the stream's beginning, the event that carries a word, and the end.
"""

from collections.abc import Callable

from xtrix import json


def anthropic_text(word: str) -> str:
    return (
        'event: content_block_delta\ndata: {"type":"content_block_delta","index":0,'
        f'"delta":{{"type":"text_delta","text":"{word}"}}}}\n\n'
    )


def anthropic_arguments(word: str) -> str:
    return (
        'event: content_block_delta\ndata: {"type":"content_block_delta","index":1,'
        f'"delta":{{"type":"input_json_delta","partial_json":"{word}"}}}}\n\n'
    )


def openai_text(word: str) -> str:
    return (
        'data: {"id":"c","object":"chat.completion.chunk","created":1,"model":"m","choices":'
        f'[{{"index":0,"delta":{{"content":"{word}"}},"finish_reason":null}}]}}\n\n'
    )


def openai_arguments(word: str) -> str:
    return (
        'data: {"id":"c","object":"chat.completion.chunk","created":1,"model":"m","choices":'
        '[{"index":0,"delta":{"tool_calls":[{"index":0,"function":'
        f'{{"arguments":"{word}"}}}}]}},"finish_reason":null}}]}}\n\n'
    )


def data(value: object) -> str:
    return f"data: {json.encode(value)}\n\n"


ANTHROPIC_BEGINS = data({"type": "message_start", "message": {"usage": {"input_tokens": 3}}})
ANTHROPIC_CALLS = data(
    {
        "type": "content_block_start",
        "index": 1,
        "content_block": {"type": "tool_use", "id": "t", "name": "f", "input": {}},
    }
)
ANTHROPIC_ENDS = data(
    {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 9}}
) + data({"type": "message_stop"})


def openai_call(call_id: str, **index: int) -> str:
    """The event that begins a call."""
    call = {**index, "id": call_id, "type": "function"}
    call["function"] = {"name": f"name_of_{call_id}", "arguments": ""}
    return data({"choices": [{"index": 0, "delta": {"tool_calls": [call]}}]})


def openai_annotated(word: str) -> str:
    """Text beside a list that is the same in every event."""
    return (
        'data: {"choices":[{"index":0,"delta":{"annotations":[{"url":"u"}],'
        f'"content":"{word}"}},"finish_reason":null}}]}}\n\n'
    )


def openai_extra(word: str) -> str:
    """Text beside a field that is the same in every event."""
    return (
        'data: {"choices":[{"index":0,"delta":{"provider":"p",'
        f'"content":"{word}"}},"finish_reason":null}}]}}\n\n'
    )


def openai_named_arguments(word: str) -> str:
    """Arguments beside a name that every event repeats, without an id."""
    return (
        'data: {"choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"function":'
        f'{{"name":"f","arguments":"{word}"}}}}]}},"finish_reason":null}}]}}\n\n'
    )


def response_event(kind: str, word: str, **fields: object) -> str:
    """The event of one delta; `fields` stand before it."""
    head = json.encode({"type": kind, **fields})[:-1]
    return f'event: {kind}\ndata: {head},"delta":"{word}"}}\n\n'


def responses_text(word: str) -> str:
    return response_event("response.output_text.delta", word, item_id="m", output_index=0)


def responses_thinking(word: str) -> str:
    kind = "response.reasoning_summary_text.delta"
    return response_event(kind, word, item_id="r", output_index=0, summary_index=0)


def responses_arguments(word: str) -> str:
    kind = "response.function_call_arguments.delta"
    return response_event(kind, word, item_id="f", output_index=0)


def response_item(**item: object) -> str:
    """The event that begins an item."""
    return data({"type": "response.output_item.added", "output_index": 0, "item": item})


RESPONSE_ENDS = data(
    {"type": "response.completed", "response": {"status": "completed", "output": []}}
)
OPENAI_BEGINS = data({"choices": [{"index": 0, "delta": {"role": "assistant", "content": ""}}]})
OPENAI_ENDS = data({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})

STORIES: dict[str, tuple[str, list[str], Callable[[str], str], list[str]]] = {
    "anthropic-text": ("anthropic", [ANTHROPIC_BEGINS], anthropic_text, [ANTHROPIC_ENDS]),
    "anthropic-arguments": (
        "anthropic",
        [ANTHROPIC_BEGINS, ANTHROPIC_CALLS, anthropic_arguments("{")],
        anthropic_arguments,
        [ANTHROPIC_ENDS],
    ),
    "openai-text": ("openai", [OPENAI_BEGINS], openai_text, [OPENAI_ENDS]),
    "openai-arguments": (
        "openai",
        [OPENAI_BEGINS, openai_call("one", index=0)],
        openai_arguments,
        [OPENAI_ENDS],
    ),
    "responses-text": (
        "openai-responses",
        [response_item(type="message", id="m")],
        responses_text,
        [RESPONSE_ENDS],
    ),
    "responses-thinking": (
        "openai-responses",
        [response_item(type="reasoning", id="r")],
        responses_thinking,
        [RESPONSE_ENDS],
    ),
    "responses-arguments": (
        "openai-responses",
        [response_item(type="function_call", id="f", call_id="c", name="f")],
        responses_arguments,
        [RESPONSE_ENDS],
    ),
}


UNSPLICED: dict[str, tuple[str, list[str], Callable[[str], str], list[str]]] = {
    "openai-annotated": ("openai", [OPENAI_BEGINS], openai_annotated, [OPENAI_ENDS]),
    "openai-extra": ("openai", [OPENAI_BEGINS], openai_extra, [OPENAI_ENDS]),
    "openai-named-arguments": (
        "openai",
        [OPENAI_BEGINS, openai_call("one", index=0)],
        openai_named_arguments,
        [OPENAI_ENDS],
    ),
}
"""Stories whose event changes more than the text that it carries: no fast path may take them."""


def story(name: str, words: list[str]) -> list[str]:
    """The events of one story, whose words are spelled as in JSON."""
    _, begins, event, ends = (STORIES | UNSPLICED)[name]
    return [*begins, *map(event, words), *ends]
