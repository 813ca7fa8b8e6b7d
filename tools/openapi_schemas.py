"""Describes the answers of the calls.

It is written by hand. It is right, because schemathesis compares it with the real Worker's answers
(`tests/worker/test_openapi.py`).
"""

from __future__ import annotations

from tools.openapi_words import COUNT, MAYBE_TEXT, TEXT, Schema, items, obj, ref

_CALL = obj(
    "id type",
    id=TEXT,
    type={"enum": ["function", "custom"]},
    function=obj("name arguments", name=TEXT, arguments=TEXT),
    custom=obj("name input", name=TEXT, input=TEXT),
)
_MESSAGE = obj(
    "role content refusal",
    role={"const": "assistant"},
    content=MAYBE_TEXT,
    refusal=MAYBE_TEXT,
    tool_calls=items(_CALL),
    reasoning_content={**TEXT, "description": "What the model thought, where it says."},
    thinking_blocks={
        "type": "array",
        "items": {"type": "object"},
        "description": "Signed thinking; send it back with the message to go on with it.",
    },
    annotations=items({"type": "object"}),
)
_CHOICE = obj(
    "index message logprobs finish_reason",
    index=COUNT,
    message=_MESSAGE,
    logprobs={"type": ["object", "null"]},
    finish_reason={"enum": ["stop", "length", "tool_calls", "content_filter", "function_call"]},
)
_USAGE = obj(
    "prompt_tokens completion_tokens total_tokens",
    prompt_tokens=COUNT,
    completion_tokens=COUNT,
    total_tokens={**COUNT, "description": "The sum of the two."},
    prompt_tokens_details=obj(
        "cached_tokens", cached_tokens=COUNT, cache_write_tokens=COUNT, audio_tokens=COUNT
    ),
    completion_tokens_details=obj("reasoning_tokens", reasoning_tokens=COUNT),
)
_DELTA = {
    "type": "object",
    "description": "What is new: some of the message's fields, text and arguments in pieces.",
    "properties": {"role": {"const": "assistant"}, "content": TEXT},
}
_CHUNK_CHOICE = obj(
    "index delta logprobs finish_reason",
    index=COUNT,
    delta=_DELTA,
    logprobs={"type": ["object", "null"]},
    finish_reason={"anyOf": [_CHOICE["properties"]["finish_reason"], {"type": "null"}]},
)
_TYPED = obj("type", type=TEXT)
_FRAME = {
    **TEXT,
    "contentMediaType": "application/json",
    "contentSchema": {"anyOf": [ref("Chunk"), ref("Error")]},
}
EVENT = obj("data", data={"anyOf": [_FRAME, {"const": "[DONE]"}]})
_RESPONSE_USAGE = obj(
    "input_tokens output_tokens total_tokens",
    input_tokens=COUNT,
    output_tokens=COUNT,
    total_tokens=COUNT,
)


def _chat(kind: str, *, choices: Schema, usage: Schema) -> dict[str, Schema]:
    """The members of a chat's answer, whole or in chunks; `kind` is its `object`."""
    return {
        "id": {"type": "string", "pattern": "^chatcmpl-[0-9a-f]{32}$"},
        "object": {"const": kind},
        "created": {"type": "integer", "description": "Unix seconds."},
        "model": TEXT,
        "system_fingerprint": {"type": "string", "pattern": "^fp_[0-9a-f]{10}$"},
        "choices": choices,
        "usage": usage,
        "service_tier": TEXT,
    }


SCHEMAS: Schema = {
    "Chunk": obj(
        "id object created model system_fingerprint choices",
        **_chat(
            "chat.completion.chunk",
            choices=items(_CHUNK_CHOICE),
            usage={"anyOf": [_USAGE, {"type": "null"}]},
        ),
    ),
    "Completion": obj(
        "id object created model system_fingerprint choices usage",
        **_chat("chat.completion", choices=items(_CHOICE, minItems=1), usage=_USAGE),
    ),
    "Compaction": obj(
        "id object created_at output usage",
        id={"type": "string", "pattern": "^resp_[0-9a-f]{32}$"},
        object={"const": "response.compaction"},
        created_at={"type": "integer", "description": "Unix seconds."},
        output={
            "type": "array",
            "minItems": 1,
            "items": {"type": "object", "required": ["type"], "properties": {"type": TEXT}},
            "description": "The next request's `input` begins with it.",
        },
        usage=_RESPONSE_USAGE,
    ),
    "CompactionRequest": obj(
        "model input",
        model=TEXT,
        input={"anyOf": [TEXT, {"type": "array", "items": {"type": "object"}}]},
        instructions=MAYBE_TEXT,
    ),
    "TextCompletion": obj(
        "object choices",
        object={"const": "text_completion"},
        choices={"type": "array", "items": obj("text", text=TEXT)},
    ),
    "Error": obj(
        "error",
        error=obj(
            "message type param code",
            message=TEXT,
            type=TEXT,
            param={**MAYBE_TEXT, "description": "The field at fault."},
            code=MAYBE_TEXT,
        ),
    ),
    "Health": obj(
        "status service version",
        status={"const": "ok"},
        service={"const": "xtrix"},
        version={**TEXT, "description": "Of the gateway."},
    ),
    "Model": obj(
        "id object created owned_by",
        id=TEXT,
        object={"const": "model"},
        created={"type": "integer"},
        owned_by={**TEXT, "description": "The provider that serves it."},
        pricing={
            **obj(
                "prompt completion",
                prompt=TEXT,
                completion=TEXT,
                input_cache_read=TEXT,
                input_cache_write=TEXT,
                input_cache_write_1h=TEXT,
                max_prompt_tokens={
                    "type": "integer",
                    "description": "With a longer prompt everything costs something else.",
                },
            ),
            "description": "US dollars for one token, as decimal strings, where it is known.",
        },
    ),
    "ModelList": obj("object data", object={"const": "list"}, data=items(ref("Model"))),
    "Response": obj(
        "id object created_at model status output",
        id={"type": "string", "pattern": "^resp_[0-9a-f]{32}$"},
        object={"const": "response"},
        created_at={"type": "number", "description": "Unix seconds."},
        model=TEXT,
        status={"enum": ["completed", "incomplete"]},
        output=items(_TYPED),
        usage={"anyOf": [_RESPONSE_USAGE, {"type": "null"}]},
        store={"type": "boolean", "description": "Whether it is kept, to be gone on from."},
    ),
    "ResponseDeleted": obj(
        "id object deleted",
        id=TEXT,
        object={"const": "response.deleted"},
        deleted={"const": True},
    ),
    "ItemList": obj(
        "object data first_id last_id has_more",
        object={"const": "list"},
        data=items(_TYPED),
        first_id=MAYBE_TEXT,
        last_id=MAYBE_TEXT,
        has_more={"type": "boolean"},
    ),
    "ResponseTokens": obj(
        "object input_tokens", object={"const": "response.input_tokens"}, input_tokens=COUNT
    ),
    "Message": obj(
        "id type role model content stop_reason usage",
        id=TEXT,
        type={"const": "message"},
        role={"const": "assistant"},
        model=TEXT,
        content=items(_TYPED),
        stop_reason=TEXT,
        usage=obj("input_tokens output_tokens", input_tokens=COUNT, output_tokens=COUNT),
    ),
    "MessageTokens": obj("input_tokens", input_tokens=COUNT),
    "MessageError": obj(
        "type error",
        type={"const": "error"},
        error=obj("type message", type=TEXT, message=TEXT),
        request_id=TEXT,
    ),
}
"""What the calls answer with."""
