"""Anthropic's Messages API (platform.claude.com/docs/en/api/messages, read 2026-11)."""

from xtrix.protocol import Codec
from xtrix.protocols.messages.encode import encode_prompt
from xtrix.protocols.messages.errors import decode_error
from xtrix.protocols.messages.models import encode_model, encode_models
from xtrix.protocols.messages.reader import Reader


def _unbuilt(*_: object) -> None:
    raise NotImplementedError


MESSAGES = Codec(
    name="messages",
    decode_request=_unbuilt,  # type: ignore[arg-type]
    decode_prompt=_unbuilt,  # type: ignore[arg-type]
    stream_writer=_unbuilt,  # type: ignore[arg-type]
    whole_writer=_unbuilt,  # type: ignore[arg-type]
    encode_error=_unbuilt,  # type: ignore[arg-type]
    encode_prompt=encode_prompt,
    reader=Reader,
    decode_error=decode_error,
    encode_models=encode_models,
    encode_model=encode_model,
    relay_request=_unbuilt,  # type: ignore[arg-type]
    relay_stream=_unbuilt,  # type: ignore[arg-type]
    relay_whole=_unbuilt,  # type: ignore[arg-type]
)
