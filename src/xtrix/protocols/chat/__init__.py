"""OpenAI's Chat Completions, as spoken by OpenAI and many others."""

from xtrix.http import error_reply
from xtrix.openai.errors import decode_error
from xtrix.openai.models import encode_model, encode_models
from xtrix.protocol import Codec
from xtrix.protocols.chat.door import decode_request
from xtrix.protocols.chat.encode import encode_prompt
from xtrix.protocols.chat.reader import Reader
from xtrix.protocols.chat.request import decode_prompt
from xtrix.protocols.chat.shape import claims, unmix
from xtrix.protocols.chat.stream import StreamRelay
from xtrix.protocols.chat.upstream import relay_request, without_reasoning
from xtrix.protocols.chat.whole import relay_whole
from xtrix.protocols.chat.writer import StreamWriter, WholeWriter

CHAT = Codec(
    name="chat",
    decode_request=decode_request,
    decode_prompt=decode_prompt,
    without_reasoning=without_reasoning,
    stream_writer=StreamWriter,
    whole_writer=WholeWriter,
    encode_error=lambda error, request_id: error_reply(error),
    encode_prompt=encode_prompt,
    reader=Reader,
    decode_error=decode_error,
    encode_models=encode_models,
    encode_model=encode_model,
    relay_request=relay_request,
    relay_stream=StreamRelay,
    relay_whole=relay_whole,
    claims=claims,
    unmix=unmix,
)
