"""OpenAI's Responses, as OpenAI and the servers that follow it speak it."""

from xtrix.openai.errors import decode_error
from xtrix.openai.models import encode_model, encode_models
from xtrix.protocol import Codec
from xtrix.protocols.responses.encode import encode_prompt
from xtrix.protocols.responses.reader import Reader


def _unbuilt(*_: object) -> None:
    raise NotImplementedError


RESPONSES = Codec(
    name="responses",
    decode_request=_unbuilt,  # type: ignore[arg-type]
    decode_prompt=_unbuilt,  # type: ignore[arg-type]
    stream_writer=_unbuilt,  # type: ignore[arg-type]
    whole_writer=_unbuilt,  # type: ignore[arg-type]
    encode_error=_unbuilt,  # type: ignore[arg-type]
    encode_models=encode_models,
    encode_model=encode_model,
    encode_prompt=encode_prompt,
    reader=Reader,
    decode_error=decode_error,
    relay_request=_unbuilt,  # type: ignore[arg-type]
    relay_stream=_unbuilt,  # type: ignore[arg-type]
    relay_whole=_unbuilt,  # type: ignore[arg-type]
)
