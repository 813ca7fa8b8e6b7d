"""OpenAI's Chat Completions, as OpenAI and the many who follow it speak it."""

from xtrix.dialect import Dialect
from xtrix.dialects.openai.errors import decode_error
from xtrix.dialects.openai.models import encode_model, encode_models
from xtrix.dialects.openai.request import encode_request
from xtrix.dialects.openai.response import decode_response
from xtrix.dialects.openai.stream import StreamDecoder

DIALECT = Dialect(
    encode_request, decode_response, decode_error, StreamDecoder, encode_models, encode_model
)
