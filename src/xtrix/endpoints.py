"""OpenAI's endpoints that are passed on as they are: one table.

A call of one of these is not translated. It goes to a provider that has the endpoint, with that
provider's key, and the answer comes back as it is, whatever type it has. Refuses to know how a call
is passed on (`forwarding` does), and which provider has what (the rows say so).

Sources, read 2026-11: openai-python 3.54.0 (`resources/`), and docs.cohere.com/reference/rerank,
whose form Jina, vLLM, llama.cpp and others follow.
"""

from typing import NamedTuple

_JSON = ("application/json",)
_JSON_OR_EVENTS = (*_JSON, "text/event-stream")
# Also as srt and vtt; subtitles are mostly called plain text.
_TRANSCRIPT = (*_JSON_OR_EVENTS, "text/plain", "text/vtt", "application/x-subrip")
_SOUND = ("audio/*", "application/octet-stream", *_JSON_OR_EVENTS)


class Endpoint(NamedTuple):
    """One path."""

    path: str
    """With or without `/v1` before it."""
    name: str
    """The word of `providers.ENDPOINTS` by which a row has it."""
    answers: tuple[str, ...]
    """Patterns of the content types that an answer may have; of one without, the first."""
    takes_forms: bool = False
    """Whether it takes `multipart/form-data` beside JSON; the model is the field `model` of that,
    as it is the member `model` of an object."""
    default_model: str | None = None
    """What the absence of a model means; None where it has to be named."""
    one_model: bool = False
    """Whether the answers of two models do not mix, so that no other model may stand in."""
    operation: str | None = None
    """OpenTelemetry's `gen_ai.operation.name`, where it has one for this."""


ENDPOINTS = (
    Endpoint("/embeddings", "embeddings", _JSON, one_model=True, operation="embeddings"),
    Endpoint("/moderations", "moderations", _JSON, default_model="omni-moderation-latest"),
    Endpoint("/images/generations", "images", _JSON_OR_EVENTS),
    Endpoint("/images/edits", "images", _JSON_OR_EVENTS, takes_forms=True),
    Endpoint("/images/variations", "images", _JSON, takes_forms=True),
    Endpoint("/audio/speech", "audio", _SOUND),
    Endpoint("/audio/transcriptions", "audio", _TRANSCRIPT, takes_forms=True),
    Endpoint("/audio/translations", "audio", _TRANSCRIPT, takes_forms=True),
    Endpoint("/rerank", "rerank", _JSON),
)

BY_PATH = {endpoint.path: endpoint for endpoint in ENDPOINTS}
