"""The request and the reply of Chat Completions, their shape checked once.

Past `decode_request` no code looks again whether a field has the right type. Fields the schema
does not name are kept, so that an OpenAI-compatible upstream gets what its own clients send;
a dialect that cannot use them drops them. Null means "not sent" for every optional field.

Source: platform.openai.com/docs/api-reference/chat (OpenAPI document 2.3.0, read 2026-11).
"""

from typing import Any, NamedTuple, TypedDict, cast

from pydantic_core import SchemaValidator, ValidationError

from xtrix import json
from xtrix.errors import ClientError
from xtrix.schema import REQUEST_SCHEMA

Message = dict[str, Any]
Part = dict[str, Any]


class Request(TypedDict, total=False):
    """The fields of a request that the gateway itself reads. `model` and `messages` are there."""

    model: str
    messages: list[Message]
    stream: bool | None
    stream_options: dict[str, Any] | None


class Usage(NamedTuple):
    """Tokens of one completion. `prompt` includes `cached` and `cache_written`."""

    prompt: int = 0
    completion: int = 0
    cached: int = 0
    cache_written: int = 0
    reasoning: int = 0
    prompt_audio: int = 0
    completion_audio: int = 0
    accepted: int = 0
    """Tokens of a `prediction` that the answer used."""
    rejected: int = 0

    def wire(self) -> dict[str, Any]:
        """OpenAI's usage object; its total is the sum."""
        return {
            "prompt_tokens": self.prompt,
            "completion_tokens": self.completion,
            "total_tokens": self.prompt + self.completion,
            "prompt_tokens_details": {
                "cached_tokens": self.cached,
                "cache_write_tokens": self.cache_written,
                "audio_tokens": self.prompt_audio,
            },
            "completion_tokens_details": {
                "reasoning_tokens": self.reasoning,
                "audio_tokens": self.completion_audio,
                "accepted_prediction_tokens": self.accepted,
                "rejected_prediction_tokens": self.rejected,
            },
        }


class Stamp(NamedTuple):
    """What every chunk of a stream, or a whole completion, says of itself."""

    id: str
    created: int
    """Unix seconds."""
    model: str
    """The id the client asked for."""
    system_fingerprint: str


class Completion(NamedTuple):
    """A whole answer, before it is stamped. `choices` are in OpenAI's form."""

    choices: list[dict[str, Any]]
    usage: Usage
    service_tier: str | None = None
    unknown_stop_reason: str | None = None
    """Why the upstream stopped, in a word of its own that is not known here; for the log."""

    def wire(self, stamp: Stamp) -> dict[str, Any]:
        """OpenAI's `chat.completion` object."""
        body: dict[str, Any] = {
            "id": stamp.id,
            "object": "chat.completion",
            "created": stamp.created,
            "model": stamp.model,
            "system_fingerprint": stamp.system_fingerprint,
            "choices": self.choices,
            "usage": self.usage.wire(),
        }
        if self.service_tier:
            body["service_tier"] = self.service_tier
        return body


def choice(message: dict[str, Any], finish_reason: str, index: int = 0) -> dict[str, Any]:
    """One finished choice."""
    return {"index": index, "message": message, "logprobs": None, "finish_reason": finish_reason}


_REQUEST = SchemaValidator(REQUEST_SCHEMA)


def decode_request(body: bytes, default_model: str) -> Request:
    """The request that `body` spells, its model filled in. Raises ClientError."""
    try:
        said = json.decode_object(body)
    except ValueError as failure:
        path = failure.path if isinstance(failure, json.TooDeep) else None
        what = f"'{path}'" if path else "The request body is not a JSON object"
        message = f"{what}: {failure}."
        raise ClientError(400, "invalid_json", message, param=path) from None
    try:
        _REQUEST.validate_python(said)
    except ValidationError as failure:
        raise _refusal(failure) from None
    request = cast("Request", said)
    if not request.get("model"):
        request["model"] = default_model
    if request.get("stream_options") and not request.get("stream"):
        message = "'stream_options' is only allowed when 'stream' is true."
        raise ClientError(400, "invalid_value", message, param="stream_options")
    return request


_ZERO_BY_DEFAULT = {"frequency_penalty", "presence_penalty", "top_logprobs"}


def says_something(name: str, value: object) -> bool:
    """Whether the parameter `name` asks for anything but what its absence means."""
    if type(value) in {int, float}:
        return value != 0 or name not in _ZERO_BY_DEFAULT
    return bool(value)


_JSON_TYPES = {str: "a string", bool: "a boolean", int: "an integer", float: "a number"}
_JSON_TYPES |= {list: "an array", dict: "an object", type(None): "null"}


def _refusal(failure: ValidationError) -> ClientError:
    """The first fault of a request as an answer a person can act on."""
    fault = failure.errors(include_url=False)[0]
    kind = fault["type"]
    context = fault.get("ctx", {})
    param = _path(fault["loc"])
    if kind.startswith("union_tag"):
        param += "." + context["discriminator"].strip("'")
    if kind in {"missing", "union_tag_not_found"}:
        message = f"Missing required parameter: '{param}'."
        return ClientError(400, "missing_required_parameter", message, param=param)
    if kind.endswith("_type"):
        got = _JSON_TYPES.get(type(fault["input"]), "something else")
        message = f"Invalid type for '{param}': {_worded(fault['msg'])}, not {got}."
        return ClientError(400, "invalid_type", message, param=param)
    why = _worded(fault["msg"])
    if kind == "union_tag_invalid":
        why = f"'{context['tag'][:64]}' is none of {context['expected_tags']}"
    return ClientError(400, "invalid_value", f"Invalid value for '{param}': {why}.", param=param)


def _path(location: tuple[int | str, ...]) -> str:
    """`location` as one would write it in JavaScript.

    The schema is walked along: where it has a union, the step names the union's choice, which is
    no part of the request.
    """
    path = ""
    schema: Any = REQUEST_SCHEMA
    for step in location:
        while schema.get("type") == "nullable":
            schema = schema["schema"]
        if schema.get("type") == "tagged-union":
            schema = schema["choices"][step]
            continue
        path += f"[{step}]" if isinstance(step, int) else f".{step}"
        field = schema.get("fields", {}).get(step, schema)
        schema = field.get("items_schema") or field.get("schema") or {}
    return path.removeprefix(".")


def _worded(message: str) -> str:
    plain = message.replace(" after validation", "").replace("dictionary", "object")
    plain = plain.removesuffix(" or object to extract fields from")
    return plain[:1].lower() + plain[1:]
