"""Writes `public/openapi.json`, the description of the API.

The schemas of requests are those with which the Worker checks them, converted to JSON Schema by
pydantic. The schemas of answers are in `openapi_schemas`, the operator's calls in
`openapi_operator`.
"""

from __future__ import annotations

import json
import sys

from tools import openapi_operator, paths
from tools.openapi_schemas import EVENT, SCHEMAS
from tools.openapi_words import (
    ASKED_OF_A_MODEL,
    HEADERS,
    TEXT,
    Schema,
    answer,
    body,
    errors,
    obj,
    parameter,
    ref,
    requested,
)
from xtrix import __version__
from xtrix.endpoints import ENDPOINTS, Endpoint
from xtrix.protocols.chat.schema import REQUEST_SCHEMA as CHAT_REQUEST
from xtrix.protocols.completions.request import REQUEST_SCHEMA as TEXT_REQUEST
from xtrix.protocols.messages.schema import REQUEST_SCHEMA as MESSAGES_REQUEST
from xtrix.protocols.responses.schema import REQUEST_SCHEMA as RESPONSES_REQUEST

FILE = paths.ROOT / "public" / "openapi.json"

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
_QUESTION = "What is the capital of France?"
_NOT_KEPT = "No such response is kept for this key, or none ever is (STORE_DAYS)."
_RESPONSE_ID = parameter("id", "path", {"type": "string", "pattern": "^resp_[0-9a-z]{1,40}$"})


def document() -> Schema:
    """Returns the OpenAPI document."""
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "xtrix",
            "version": __version__,
            "description": "Chat Completions, Responses and Messages on Cloudflare's edge.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "security": [{"bearer": []}],
        "paths": {
            "/v1/chat/completions": {"post": _completions()},
            **_responses(),
            **_messages(),
            "/v1/completions": {"post": _legacy()},
            **{f"/v1{endpoint.path}": {"post": _endpoint(endpoint)} for endpoint in ENDPOINTS},
            "/v1/models": {"get": _get("listModels", "The models there are.", "ModelList")},
            "/v1/models/{id}": {"get": _model()},
            "/health": {"get": _health()},
            **openapi_operator.paths(),
        },
        "components": {
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer"},
                "operator": {"type": "http", "scheme": "bearer", "description": "ADMIN_KEY."},
            },
            "schemas": {**SCHEMAS, **openapi_operator.schemas(), **_requests()},
        },
    }


def text() -> str:
    """Returns the file's text."""
    return json.dumps(document(), indent=1) + "\n"


def _requests() -> Schema:
    chat = requested(CHAT_REQUEST)
    for name, description in _DESCRIPTIONS.items():
        chat["properties"][name]["description"] = description
    messages = requested(MESSAGES_REQUEST)
    messages["properties"] |= {"model": TEXT, "stream": {"type": ["boolean", "null"]}}
    return {
        "Request": chat,
        "TextRequest": requested(TEXT_REQUEST),
        "ResponseRequest": requested(RESPONSES_REQUEST),
        "MessageRequest": messages,
    }


def _completions() -> Schema:
    example: Schema = {"model": "claude-3-5-sonnet-20241022"}
    example["messages"] = [{"role": "user", "content": _QUESTION}]
    told = (
        "A `chat.completion`. With `stream`, `data:` frames of one `chat.completion.chunk` each, "
        "then `data: [DONE]`; a failure in mid-stream is one frame with an `error` before it."
    )
    return _call(
        "createChatCompletion",
        "Answers a conversation, whole or as a stream.",
        body(ref("Request"), example),
        answer(told, json=ref("Completion"), events=EVENT),
    )


def _responses() -> Schema:
    """Responses, and what may be done with those that are kept."""
    kept = errors("401", "405", "500", _404=_NOT_KEPT, _503="The store does not answer.")
    page = [
        parameter("limit", "query", {"type": "integer", "minimum": 1, "maximum": 100}),
        parameter("order", "query", {"enum": ["asc", "desc"]}),
        parameter("after", "query", TEXT, "The id of the item that the page comes after."),
    ]
    told = "A `response`. With `stream`, its events, then `data: [DONE]`."
    count = answer("How many there are.", json=ref("ResponseTokens"))
    example = {"model": "claude-sonnet-4-6", "input": _QUESTION}
    return {
        "/v1/responses": {
            "post": _call(
                "createResponse",
                "Answers a conversation, and keeps it where the gateway is set up to.",
                body(ref("ResponseRequest"), example),
                answer(told, json=ref("Response"), events=_EVENTS),
            )
        },
        "/v1/responses/compact": {"post": _compaction()},
        "/v1/responses/input_tokens": {
            "post": _call(
                "countResponseTokens",
                "How many tokens a request has, estimated upwards.",
                body(ref("ResponseRequest"), example),
                count,
            )
        },
        "/v1/responses/{id}": {
            "parameters": [_RESPONSE_ID],
            "get": {
                "operationId": "getResponse",
                "summary": "A response that was kept.",
                "responses": {
                    "200": answer("As it was told.", json=ref("Response")),
                    **kept,
                    **errors("400", "413"),
                },
            },
            "delete": {
                "operationId": "deleteResponse",
                "summary": "Forgets a response that was kept.",
                "responses": {"200": answer("It is gone.", json=ref("ResponseDeleted")), **kept},
            },
        },
        "/v1/responses/{id}/input_items": {
            "parameters": [_RESPONSE_ID],
            "get": {
                "operationId": "listInputItems",
                "summary": "What a response that was kept is the answer to.",
                "parameters": page,
                "responses": {
                    "200": answer("A page of items.", json=ref("ItemList")),
                    **kept,
                    **errors("400", "413"),
                },
            },
        },
    }


def _messages() -> Schema:
    example: Schema = {"model": "claude-sonnet-4-6", "max_tokens": 100}
    example["messages"] = [{"role": "user", "content": _QUESTION}]
    message = answer("A `message`, or its events.", json=ref("Message"), events=_EVENTS)
    refused = errors(*ASKED_OF_A_MODEL, "402", "501", "529", schema="MessageError")
    count = answer("How many there are.", json=ref("MessageTokens"))
    asked = body(ref("MessageRequest"), example)
    return {
        "/v1/messages": {
            "post": _call(
                "createMessage", "Answers a conversation in Messages.", asked, message, refused
            )
        },
        "/v1/messages/count_tokens": {
            "post": _call(
                "countMessageTokens",
                "How many tokens a request has: asked of the upstream that counts, else estimated.",
                asked,
                count,
                refused,
            )
        },
    }


def _legacy() -> Schema:
    told = "A `text_completion`, or with `stream` the chunks of one."
    return _call(
        "createCompletion",
        "Goes on with a text; a model that has no such endpoint answers it as one turn.",
        body(ref("TextRequest")),
        answer(told, json=ref("TextCompletion"), events=_EVENTS),
    )


def _endpoint(endpoint: Endpoint) -> Schema:
    """A call that is passed on. Its provider decides about requests and answers."""
    words = endpoint.path.strip("/").split("/")
    fields = {"model": TEXT, **({"encoding_format": TEXT} if "embeddings" in words else {})}
    needs = "" if endpoint.default_model else "model"
    asked = body(obj(needs, **fields))
    if endpoint.takes_forms:
        form = {**obj("model", model=TEXT), "additionalProperties": TEXT}
        asked["content"]["multipart/form-data"] = {"schema": form}
    told = {
        "description": "The provider's answer as it is.",
        "headers": HEADERS,
        "content": {kind: {"schema": {}} for kind in endpoint.answers},
    }
    name = "create" + "".join(word.title() for word in words)
    why = f"Passed on to the provider of the model that has {endpoint.path}."
    return _call(name, why, asked, told)


def _compaction() -> Schema:
    example = {"model": "claude-sonnet-4-6", "input": _QUESTION}
    return _call(
        "compactResponse",
        "Sums a conversation up, for its client to go on with the summary.",
        body(ref("CompactionRequest"), example),
        answer(
            "A `response.compaction`: what stands for the conversation.", json=ref("Compaction")
        ),
    )


def _call(
    operation: str, summary: str, asked: Schema, told: Schema, refused: Schema | None = None
) -> Schema:
    """A call that reaches a model."""
    refused = errors(*ASKED_OF_A_MODEL) if refused is None else refused
    said = {"operationId": operation, "summary": summary, "requestBody": asked}
    return {**said, "responses": {"200": told, **refused}}


def _get(operation: str, summary: str, schema: str) -> Schema:
    told = answer(summary, json=ref(schema))
    refused = errors("401", "500")
    return {"operationId": operation, "summary": summary, "responses": {"200": told, **refused}}


def _model() -> Schema:
    operation = _get("getModel", "One model.", "Model")
    operation["responses"] |= errors("404")
    return operation | {"parameters": [parameter("id", "path", TEXT)]}


def _health() -> Schema:
    operation = _get("getHealth", "Whether the gateway is up; calls no upstream.", "Health")
    faulty = errors(_503="The gateway is configured wrongly.")
    operation["responses"] = {"200": operation["responses"]["200"], **faulty}
    return operation | {"security": []}


_EVENTS = obj("data", data=TEXT)


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
    sys.exit(main(sys.argv[1:]))
