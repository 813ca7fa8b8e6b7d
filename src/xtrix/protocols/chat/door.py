"""Checks the shape of a Chat Completions request, once.

After `decode_request`, no code checks again whether a field has the right type. Fields that the
schema does not name are kept, so that an OpenAI-compatible upstream gets what its own clients send;
other protocols drop what they cannot use. For every optional field null means "not sent".

Source: platform.openai.com/docs/api-reference/chat (OpenAPI document 2.3.0, read 2026-11).
"""

from collections.abc import Mapping

from xtrix.errors import ClientError
from xtrix.protocol import Request
from xtrix.protocols.chat.schema import REQUEST_SCHEMA
from xtrix.shape import Shape

_REQUEST = Shape(REQUEST_SCHEMA)


def decode_request(body: bytes, headers: Mapping[str, str], default_model: str) -> Request:
    """The request in `body`, with a model. Raises ClientError."""
    fields = _REQUEST.decode(body)
    fields["model"] = fields.get("model") or default_model
    if fields.get("stream_options") and not fields.get("stream"):
        message = "'stream_options' is only allowed when 'stream' is true."
        raise ClientError(400, "invalid_value", message, param="stream_options")
    session = fields.get("prompt_cache_key") or fields.get("user")
    return Request(
        fields,
        body,
        fields["model"],
        bool(fields.get("stream")),
        headers,
        str(session) if session else None,
    )
