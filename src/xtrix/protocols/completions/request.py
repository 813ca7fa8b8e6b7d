"""Decodes a Completions request: passed on to a provider with the endpoint, else one user turn.

A prompt in words means the same as a turn of the user. What only a model that continues a text can
do is refused by name: several prompts, tokens, a suffix, an echo, probabilities.

Source: platform.openai.com/docs/api-reference/completions (OpenAPI document 2.3.0, read 2026-11).
"""

from collections.abc import Mapping
from typing import Any

from pydantic_core import core_schema as cs

from xtrix import json
from xtrix.errors import ClientError, unsupported
from xtrix.openai.calls import post
from xtrix.prompt import Prompt, Settings, Text, Turn
from xtrix.protocol import Encoded, Request, says_something
from xtrix.providers import Target
from xtrix.reasoning import Carrier
from xtrix.shape import (
    BOOL,
    COUNT,
    MODEL,
    STRING,
    Shape,
    either,
    items,
    mapping,
    maybe,
    members,
    missing,
    number,
)

PROTOCOL = "completions"

_ANSWERS = ("application/json", "text/event-stream")
_DEFAULT_MAX_TOKENS = 16
"""OpenAI's own default."""
_EXTRAS = ("presence_penalty", "frequency_penalty", "logit_bias", "seed")
_REFUSED = {
    "suffix": "a model that answers turns does not fill gaps.",
    "echo": "a model that answers turns does not repeat them.",
    "best_of": "the upstream answers once.",
    "n": "the upstream answers once.",
}
_ONCE = {"best_of", "n"}
_TOKENS = items(either(items(COUNT, low=1), list, COUNT), low=1)

REQUEST_SCHEMA = members(
    model=maybe(MODEL),
    prompt=maybe(cs.union_schema([STRING, items(STRING, low=1), _TOKENS], mode="left_to_right")),
    suffix=maybe(STRING),
    max_tokens=maybe(COUNT),
    temperature=maybe(number(0, 2)),
    top_p=maybe(number(0, 1)),
    n=maybe(cs.int_schema(strict=True, ge=1, le=128)),
    best_of=maybe(cs.int_schema(strict=True, ge=0, le=128)),
    stream=maybe(BOOL),
    stream_options=maybe(members(include_usage=maybe(BOOL))),
    logprobs=maybe(COUNT),
    echo=maybe(BOOL),
    stop=maybe(either(items(STRING), list, STRING)),
    presence_penalty=maybe(number(-2, 2)),
    frequency_penalty=maybe(number(-2, 2)),
    logit_bias=maybe(mapping(number(-100, 100))),
    seed=maybe(cs.int_schema(strict=True)),
    user=maybe(STRING),
)
"""The schema of the request. The API's description is made from it too."""
_REQUEST = Shape(REQUEST_SCHEMA)
_KNOWN = {
    *("model", "prompt", "max_tokens", "temperature", "top_p", "stream", "stream_options"),
    *("stop", "user", "logprobs", *_EXTRAS, *_REFUSED),
}


def decode_request(body: bytes, headers: Mapping[str, str], default_model: str) -> Request:
    """The request in `body`, with a model. Raises ClientError."""
    fields = _REQUEST.decode(body)
    fields["model"] = fields.get("model") or default_model
    if fields.get("stream_options") and not fields.get("stream"):
        message = "'stream_options' is only allowed when 'stream' is true."
        raise ClientError(400, "invalid_value", message, param="stream_options")
    stream = bool(fields.get("stream"))
    return Request(fields, body, fields["model"], stream, headers, fields.get("user") or None)


def relay_request(request: Request, target: Target, carrier: Carrier) -> Encoded:
    """`request` for `target`, which has the endpoint."""
    del carrier
    provider = target.provider
    fields = {**request.fields, "model": target.model}
    dropped = {name: fields.pop(name, None) for name in provider.quirks.drop}
    ignored = tuple(sorted(name for name, it in dropped.items() if says_something(name, it)))
    call = post(provider, "/completions", json.encode_body(fields))
    return Encoded(call, ignored, passes=_ANSWERS)


def decode_prompt(request: Request, carrier: Carrier) -> Prompt:
    """`request` as a Prompt of one turn. Raises ClientError."""
    del carrier
    fields = {name: value for name, value in request.fields.items() if value is not None}
    for name, why in _REFUSED.items():
        if fields.get(name) and not (name in _ONCE and fields[name] == 1):
            raise unsupported(name, why)
    if "logprobs" in fields:
        raise unsupported("logprobs", "no upstream of turns gives them in this form.")
    stop = fields.get("stop", ())
    unknown = {name for name in fields.keys() - _KNOWN if fields[name]}
    return Prompt(
        turns=[Turn("user", [Text(_text(fields.get("prompt")), "prompt")], "prompt")],
        settings=Settings(
            max_tokens=fields.get("max_tokens", _DEFAULT_MAX_TOKENS),
            temperature=fields.get("temperature"),
            top_p=fields.get("top_p"),
            stop=(stop,) if isinstance(stop, str) else tuple(stop),
            user=fields.get("user") or None,
        ),
        stream=request.stream,
        extras={name: fields[name] for name in _EXTRAS if name in fields},
        ignored=tuple(sorted(unknown)),
    )


def _text(prompt: Any) -> str:
    """The text of `prompt`, if it is one text. Raises ClientError."""
    if isinstance(prompt, list) and len(prompt) == 1:
        (prompt,) = prompt
    if prompt is None or prompt == "":
        raise missing("prompt")
    if not isinstance(prompt, str):
        why = "a model that answers turns takes one text, and no list of them or of tokens."
        raise unsupported("prompt", why, value=True)
    return prompt
