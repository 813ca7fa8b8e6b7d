"""Anthropic's Messages API (platform.claude.com/docs/en/api/messages, read 2026-11)."""

from xtrix.dialect import Dialect
from xtrix.dialects.anthropic.errors import decode_error
from xtrix.dialects.anthropic.models import encode_model, encode_models
from xtrix.dialects.anthropic.request import encode_request
from xtrix.dialects.anthropic.response import decode_response
from xtrix.dialects.anthropic.stream import StreamDecoder

DIALECT = Dialect(
    encode_request, decode_response, decode_error, StreamDecoder, encode_models, encode_model
)
