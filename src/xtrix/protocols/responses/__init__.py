"""OpenAI's Responses."""

from xtrix.errors import ApiError
from xtrix.http import Reply, error_reply
from xtrix.openai.errors import decode_error
from xtrix.openai.models import encode_model, encode_models
from xtrix.prompt import Json, Prompt
from xtrix.protocol import Answering, Codec, Compactor, Counter, Memory, Request
from xtrix.protocols.responses import compaction, stored
from xtrix.protocols.responses.encode import encode_prompt
from xtrix.protocols.responses.reader import Reader
from xtrix.protocols.responses.relay import (
    COMPACT,
    StreamRelay,
    relay_compaction,
    relay_compaction_request,
    relay_request,
    relay_whole,
    without_reasoning,
)
from xtrix.protocols.responses.request import decode_prompt, decode_request
from xtrix.protocols.responses.writer import (
    StreamWriter,
    SummaryStreamWriter,
    SummaryWholeWriter,
    WholeWriter,
)
from xtrix.reasoning import Carrier


def encode_error(error: ApiError, request_id: str) -> Reply:
    """`error` as an answer in OpenAI's form, which has no place for the request's id."""
    del request_id
    return error_reply(error)


def encode_count(tokens: int, request: Request) -> Json:
    """The answer to a client that asks for a count."""
    del request
    return {"object": "response.input_tokens", "input_tokens": tokens}


_MEMORY = Memory(
    stored.decode_request, stored.references, stored.resolve, stored.missing, stored.kept_input
)


def _decode_prompt(request: Request, carrier: Carrier) -> Prompt:
    decode = compaction.decode_triggered if request.compacts else decode_prompt
    return decode(request, carrier)


def _stream_writer(of: Answering) -> StreamWriter:
    return (SummaryStreamWriter if of.request.compacts else StreamWriter)(of)


def _whole_writer(of: Answering) -> WholeWriter:
    return (SummaryWholeWriter if of.request.compacts else WholeWriter)(of)


_RESPONSES = Codec(
    name="responses",
    decode_request=decode_request,
    decode_prompt=_decode_prompt,
    without_reasoning=without_reasoning,
    stream_writer=_stream_writer,
    whole_writer=_whole_writer,
    encode_error=encode_error,
    encode_prompt=encode_prompt,
    reader=Reader,
    decode_error=decode_error,
    encode_models=encode_models,
    encode_model=encode_model,
    relay_request=relay_request,
    relay_stream=StreamRelay,
    relay_whole=relay_whole,
    counter=Counter("/input_tokens", encode_count),
    memory=_MEMORY,
    claims=lambda fields: "input" in fields and "messages" not in fields,
)
_COMPACTIONS = _RESPONSES._replace(
    decode_request=compaction.decode_request,
    decode_prompt=compaction.decode_prompt,
    whole_writer=compaction.CompactionWriter,
    relay_request=relay_compaction_request,
    relay_whole=relay_compaction,
    memory=_MEMORY._replace(decode_request=compaction.decode_stored_request),
    is_optional=True,
    claims=None,
)

RESPONSES = _RESPONSES._replace(compactor=Compactor(COMPACT, _COMPACTIONS))
