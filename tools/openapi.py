"""Writes `public/openapi.json`, the description of the API.

The schema of requests is the one with which the Worker checks them (`xtrix.protocols.chat.schema`),
converted to JSON Schema by pydantic. The schemas of answers are written here. They are right,
because schemathesis compares them with the real Worker's answers (`tests/worker/test_openapi.py`).
"""

from __future__ import annotations

import json
import sys
from typing import Any

from pydantic.json_schema import GenerateJsonSchema

from tools import paths
from xtrix import __version__
from xtrix.endpoints import ENDPOINTS, Endpoint
from xtrix.protocols.chat.schema import REQUEST_SCHEMA
from xtrix.protocols.completions import request as completions

FILE = paths.ROOT / "public" / "openapi.json"

Schema = dict[str, Any]

_DESCRIPTIONS = {
    "model": "Model to use. The configuration says which are served and what the default is.",
    "messages": "The conversation so far, with roles and content.",
    "stream": "Stream the answer as server-sent events.",
    "stream_options": "Where a stream tells its usage; only with `stream`.",
    "temperature": "Sampling temperature, 0 to 2. Anthropic's models take at most 1.",
    "top_p": "Nucleus sampling.",
    "max_tokens": "Maximum tokens to generate.",
    "max_completion_tokens": "Maximum tokens to generate, reasoning included; goes first.",
    "stop": "Up to four sequences that end the answer.",
    "tools": "What the model may call.",
    "tool_choice": "Whether it may, must or must not call, or what.",
    "parallel_tool_calls": "Whether it may call several tools at once.",
    "response_format": "Text, any JSON object, or JSON of a schema.",
    "reasoning_effort": "How much the model may think first.",
    "user": "Your user's id. It reaches Anthropic as a hash.",
}


def document() -> Schema:
    """Returns the OpenAPI document."""
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "xtrix",
            "version": __version__,
            "description": "OpenAI's Chat Completions on Cloudflare's edge, over any upstream.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "security": [{"bearer": []}],
        "paths": {
            "/v1/chat/completions": {"post": _completions()},
            "/v1/responses/compact": {"post": _compaction()},
            "/v1/completions": {"post": _legacy()},
            **{f"/v1{endpoint.path}": {"post": _endpoint(endpoint)} for endpoint in ENDPOINTS},
            "/v1/models": {"get": _get("listModels", "The models there are.", "ModelList")},
            "/v1/models/{id}": {"get": _model()},
            "/health": {"get": _health()},
        },
        "components": {
            "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer"}},
            "schemas": _SCHEMAS | {"Request": _request(), "TextRequest": _text_request()},
        },
    }


def text() -> str:
    """Returns the file's text."""
    return json.dumps(document(), indent=1) + "\n"


def _request() -> Schema:
    schema: Schema = _plain(GenerateJsonSchema().generate(REQUEST_SCHEMA))
    for name, description in _DESCRIPTIONS.items():
        schema["properties"][name]["description"] = description
    return schema


def _text_request() -> Schema:
    schema: Schema = _plain(GenerateJsonSchema().generate(completions.REQUEST_SCHEMA))
    return schema


def _legacy() -> Schema:
    answer = {
        "description": "A `text_completion`, or with `stream` the chunks of one.",
        "headers": _HEADERS,
        "content": {
            "application/json": {"schema": _ref("TextCompletion")},
            "text/event-stream": {"schema": _object("data", data=_TEXT)},
        },
    }
    statuses = ("400", "401", "404", "413", "415", "429", "500", "502", "503", "504")
    return {
        "operationId": "createCompletion",
        "summary": "Goes on with a text; a model that has no such endpoint answers it as one turn.",
        "requestBody": {
            "required": True,
            "content": {"application/json": {"schema": _ref("TextRequest")}},
        },
        "responses": {"200": answer, **_errors(*statuses)},
    }


def _endpoint(endpoint: Endpoint) -> Schema:
    """A call that is passed on. Its provider decides about requests and answers."""
    words = endpoint.path.strip("/").split("/")
    fields = {"model": _TEXT, **({"encoding_format": _TEXT} if "embeddings" in words else {})}
    needs = "" if endpoint.default_model else "model"
    content = {"application/json": {"schema": _object(needs, **fields)}}
    if endpoint.takes_forms:
        form = _object("model", model=_TEXT)
        content["multipart/form-data"] = {"schema": {**form, "additionalProperties": _TEXT}}
    statuses = ("400", "401", "404", "413", "415", "429", "500", "502", "503", "504")
    answer = {
        "description": "The provider's answer as it is.",
        "headers": _HEADERS,
        "content": {kind: {"schema": {}} for kind in endpoint.answers},
    }
    return {
        "operationId": "create" + "".join(word.title() for word in words),
        "summary": f"Passed on to the provider of the model that has {endpoint.path}.",
        "requestBody": {"required": True, "content": content},
        "responses": {"200": answer, **_errors(*statuses)},
    }


def _plain(value: Any) -> Any:
    """Removes titles and discriminators.

    Titles only repeat names, and discriminators need schemas with names.
    """
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if not isinstance(value, dict):
        return value
    fields = value.get("properties")
    kept = {
        key: _plain(item)
        for key, item in value.items()
        if key not in {"title", "discriminator", "properties"}
    }
    return kept if fields is None else kept | {"properties": {k: _plain(fields[k]) for k in fields}}


def _completions() -> Schema:
    return {
        "operationId": "createChatCompletion",
        "summary": "Answers a conversation, whole or as a stream.",
        "requestBody": {
            "required": True,
            "content": {
                "application/json": {
                    "schema": _ref("Request"),
                    "example": {
                        "model": "claude-3-5-sonnet-20241022",
                        "messages": [{"role": "user", "content": "What is the capital of France?"}],
                    },
                }
            },
        },
        "responses": {
            "200": {
                "description": (
                    "A `chat.completion`. With `stream`, `data:` frames of one "
                    "`chat.completion.chunk` each, then `data: [DONE]`; a failure in mid-stream "
                    "is one frame with an `error` before it."
                ),
                "headers": _HEADERS,
                "content": {
                    "application/json": {"schema": _ref("Completion")},
                    "text/event-stream": {"schema": _EVENT},
                },
            },
            **_errors("400", "401", "404", "413", "415", "429", "500", "502", "503", "504"),
        },
    }


def _compaction() -> Schema:
    example = {"model": "claude-sonnet-4-6", "input": "What is the capital of France?"}
    body = {"schema": _ref("CompactionRequest"), "example": example}
    answer = {"application/json": {"schema": _ref("Compaction")}}
    return {
        "operationId": "compactResponse",
        "summary": "Sums a conversation up, for its client to go on with the summary.",
        "requestBody": {"required": True, "content": {"application/json": body}},
        "responses": {
            "200": {
                "description": "A `response.compaction`: what stands for the conversation.",
                "headers": _HEADERS,
                "content": answer,
            },
            **_errors("400", "401", "404", "413", "415", "429", "500", "502", "503", "504"),
        },
    }


def _get(operation: str, summary: str, schema: str) -> Schema:
    content = {"application/json": {"schema": _ref(schema)}}
    answer = {"description": summary, "headers": _HEADERS, "content": content}
    errors = _errors("401", "500")
    return {"operationId": operation, "summary": summary, "responses": {"200": answer, **errors}}


def _model() -> Schema:
    operation = _get("getModel", "One model.", "Model")
    operation["responses"] |= _errors("404")
    where = {"name": "id", "in": "path", "required": True, "schema": {"type": "string"}}
    return operation | {"parameters": [where]}


def _health() -> Schema:
    operation = _get("getHealth", "Whether the gateway is up; calls no upstream.", "Health")
    del operation["responses"]["401"], operation["responses"]["500"]
    faulty = _errors("503")["503"] | {"description": "The gateway is configured wrongly."}
    operation["responses"]["503"] = faulty
    return operation | {"security": []}


def _errors(*statuses: str) -> Schema:
    content = {"application/json": {"schema": _ref("Error")}}
    return {
        status: {"description": _STATUSES[status], "headers": _HEADERS, "content": content}
        for status in statuses
    }


def _ref(name: str) -> Schema:
    return {"$ref": f"#/components/schemas/{name}"}


def _object(required: str, /, **properties: Schema) -> Schema:
    """Returns an object's schema; `required` lists names, separated by spaces."""
    return {"type": "object", "required": required.split(), "properties": properties}


_STATUSES = {
    "400": "The request is wrong; `param` says where.",
    "401": "The key is missing, malformed or wrong.",
    "404": "There is no such model, or no provider that can do this with it.",
    "413": "The request is too large.",
    "415": "The request's body is compressed otherwise than with gzip or deflate.",
    "429": "The upstream's rate limit, or its money, is used up.",
    "500": "The upstream or the gateway failed; `code` says which.",
    "502": "The upstream could not be reached, refused the gateway, or answered nonsense.",
    "503": "The upstream is overloaded.",
    "504": "The upstream took too long.",
}
_TEXT: Schema = {"type": "string"}
_MAYBE_TEXT: Schema = {"type": ["string", "null"]}
_COUNT: Schema = {"type": "integer", "minimum": 0}
_REQUEST_ID: Schema = {"type": "string", "pattern": "^req_[0-9a-f]{32}$"}
_HEADERS = {"x-request-id": {"description": "Names this call in the log.", "schema": _REQUEST_ID}}
_CALL = _object(
    "id type",
    id=_TEXT,
    type={"enum": ["function", "custom"]},
    function=_object("name arguments", name=_TEXT, arguments=_TEXT),
    custom=_object("name input", name=_TEXT, input=_TEXT),
)
_MESSAGE = _object(
    "role content refusal",
    role={"const": "assistant"},
    content=_MAYBE_TEXT,
    refusal=_MAYBE_TEXT,
    tool_calls={"type": "array", "items": _CALL},
    reasoning_content={**_TEXT, "description": "What the model thought, where it says."},
    thinking_blocks={
        "type": "array",
        "items": {"type": "object"},
        "description": "Signed thinking; send it back with the message to go on with it.",
    },
    annotations={"type": "array", "items": {"type": "object"}},
)
_CHOICE = _object(
    "index message logprobs finish_reason",
    index=_COUNT,
    message=_MESSAGE,
    logprobs={"type": ["object", "null"]},
    finish_reason={"enum": ["stop", "length", "tool_calls", "content_filter", "function_call"]},
)
_USAGE = _object(
    "prompt_tokens completion_tokens total_tokens",
    prompt_tokens=_COUNT,
    completion_tokens=_COUNT,
    total_tokens={**_COUNT, "description": "The sum of the two."},
    prompt_tokens_details=_object(
        "cached_tokens", cached_tokens=_COUNT, cache_write_tokens=_COUNT, audio_tokens=_COUNT
    ),
    completion_tokens_details=_object("reasoning_tokens", reasoning_tokens=_COUNT),
)
_DELTA = {
    "type": "object",
    "description": "What is new: some of the message's fields, text and arguments in pieces.",
    "properties": {"role": {"const": "assistant"}, "content": _TEXT},
}
_CHUNK_CHOICE = _object(
    "index delta logprobs finish_reason",
    index=_COUNT,
    delta=_DELTA,
    logprobs={"type": ["object", "null"]},
    finish_reason={"anyOf": [_CHOICE["properties"]["finish_reason"], {"type": "null"}]},
)
_FRAME = {
    **_TEXT,
    "contentMediaType": "application/json",
    "contentSchema": {"anyOf": [_ref("Chunk"), _ref("Error")]},
}
_EVENT = _object("data", data={"anyOf": [_FRAME, {"const": "[DONE]"}]})
_RESPONSE_USAGE = _object(
    "input_tokens output_tokens total_tokens",
    input_tokens=_COUNT,
    output_tokens=_COUNT,
    total_tokens=_COUNT,
)
_SCHEMAS: Schema = {
    "Chunk": _object(
        "id object created model system_fingerprint choices",
        id={"type": "string", "pattern": "^chatcmpl-[0-9a-f]{32}$"},
        object={"const": "chat.completion.chunk"},
        created={"type": "integer", "description": "Unix seconds."},
        model=_TEXT,
        system_fingerprint={"type": "string", "pattern": "^fp_[0-9a-f]{10}$"},
        choices={"type": "array", "items": _CHUNK_CHOICE},
        usage={"anyOf": [_USAGE, {"type": "null"}]},
        service_tier=_TEXT,
    ),
    "Completion": _object(
        "id object created model system_fingerprint choices usage",
        id={"type": "string", "pattern": "^chatcmpl-[0-9a-f]{32}$"},
        object={"const": "chat.completion"},
        created={"type": "integer", "description": "Unix seconds."},
        model=_TEXT,
        system_fingerprint={"type": "string", "pattern": "^fp_[0-9a-f]{10}$"},
        choices={"type": "array", "minItems": 1, "items": _CHOICE},
        usage=_USAGE,
        service_tier=_TEXT,
    ),
    "Compaction": _object(
        "id object created_at output usage",
        id={"type": "string", "pattern": "^resp_[0-9a-f]{32}$"},
        object={"const": "response.compaction"},
        created_at={"type": "integer", "description": "Unix seconds."},
        output={
            "type": "array",
            "minItems": 1,
            "items": {"type": "object", "required": ["type"], "properties": {"type": _TEXT}},
            "description": "The next request's `input` begins with it.",
        },
        usage=_RESPONSE_USAGE,
    ),
    "CompactionRequest": _object(
        "model input",
        model=_TEXT,
        input={"anyOf": [_TEXT, {"type": "array", "items": {"type": "object"}}]},
        instructions=_MAYBE_TEXT,
    ),
    "TextCompletion": _object(
        "object choices",
        object={"const": "text_completion"},
        choices={"type": "array", "items": _object("text", text=_TEXT)},
    ),
    "Error": _object(
        "error",
        error=_object(
            "message type param code",
            message=_TEXT,
            type=_TEXT,
            param={**_MAYBE_TEXT, "description": "The field at fault."},
            code=_MAYBE_TEXT,
        ),
    ),
    "Health": _object(
        "status service version",
        status={"const": "ok"},
        service={"const": "xtrix"},
        version={**_TEXT, "description": "Of the gateway."},
    ),
    "Model": _object(
        "id object created owned_by",
        id=_TEXT,
        object={"const": "model"},
        created={"type": "integer"},
        owned_by={**_TEXT, "description": "The provider that serves it."},
        pricing={
            **_object(
                "prompt completion",
                prompt=_TEXT,
                completion=_TEXT,
                input_cache_read=_TEXT,
                input_cache_write=_TEXT,
                input_cache_write_1h=_TEXT,
                max_prompt_tokens={
                    "type": "integer",
                    "description": "With a longer prompt everything costs something else.",
                },
            ),
            "description": "US dollars for one token, as decimal strings, where it is known.",
        },
    ),
    "ModelList": _object(
        "object data", object={"const": "list"}, data={"type": "array", "items": _ref("Model")}
    ),
}


def main(arguments: list[str]) -> int:
    """Writes or checks the file."""
    if arguments == ["--check"]:
        fresh = FILE.exists() and FILE.read_text() == text()
        if not fresh:
            print("public/openapi.json is stale: run `python -m tools.openapi`", file=sys.stderr)
        return 0 if fresh else 1
    FILE.write_text(text())
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
