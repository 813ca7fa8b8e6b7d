"""OpenAI's legacy Completions: the model continues a prompt; there is no conversation.

Only clients speak this protocol. A provider that has the endpoint gets the request as it is, and
its answer is passed on. For any other provider the prompt is translated into a conversation.
"""

from typing import Any, NoReturn

from xtrix.http import error_reply
from xtrix.openai.errors import decode_error
from xtrix.openai.models import encode_model, encode_models
from xtrix.protocol import Codec
from xtrix.protocols.completions.request import (
    PROTOCOL,
    decode_prompt,
    decode_request,
    relay_request,
)
from xtrix.protocols.completions.writer import StreamWriter, WholeWriter


def _never(*given: Any) -> NoReturn:
    """Replaces the functions for upstreams, which are never called.

    No provider's row has this protocol.
    """
    del given
    raise AssertionError("no upstream is read or written in this protocol")


COMPLETIONS = Codec(
    name=PROTOCOL,
    decode_request=decode_request,
    decode_prompt=decode_prompt,
    without_reasoning=lambda request: request,
    stream_writer=StreamWriter,
    whole_writer=WholeWriter,
    encode_error=lambda error, request_id: error_reply(error),
    encode_prompt=_never,
    reader=_never,
    decode_error=decode_error,
    encode_models=encode_models,
    encode_model=encode_model,
    relay_request=relay_request,
    relay_stream=_never,
    relay_whole=_never,
)
