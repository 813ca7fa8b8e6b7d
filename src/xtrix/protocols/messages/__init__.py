"""Anthropic's Messages API (platform.claude.com/docs/en/api/messages, read 2026-11)."""

from xtrix.prompt import Json
from xtrix.protocol import Codec, Counter, Request
from xtrix.protocols.messages.encode import encode_prompt
from xtrix.protocols.messages.errors import decode_error, encode_error
from xtrix.protocols.messages.models import encode_model, encode_models
from xtrix.protocols.messages.ours import without_reasoning
from xtrix.protocols.messages.reader import Reader
from xtrix.protocols.messages.relay import RelayStream, relay_count, relay_request, relay_whole
from xtrix.protocols.messages.request import decode_prompt, decode_request
from xtrix.protocols.messages.shape import claims, disowns
from xtrix.protocols.messages.writer import StreamWriter, WholeWriter


def encode_count(tokens: int, request: Request) -> Json:
    """The answer to a client that asks for a count."""
    body: Json = {"input_tokens": tokens}
    if request.fields.get("context_management"):
        body["context_management"] = {"original_input_tokens": tokens}
    return body


MESSAGES = Codec(
    name="messages",
    decode_request=decode_request,
    decode_prompt=decode_prompt,
    without_reasoning=without_reasoning,
    stream_writer=StreamWriter,
    whole_writer=WholeWriter,
    encode_error=encode_error,
    encode_prompt=encode_prompt,
    reader=Reader,
    decode_error=decode_error,
    encode_models=encode_models,
    encode_model=encode_model,
    relay_request=relay_request,
    relay_stream=RelayStream,
    relay_whole=relay_whole,
    counter=Counter("/count_tokens", encode_count, relay_count),
    request_id_header="request-id",
    claims=claims,
    disowns=disowns,
    relays_bodies=True,
)
