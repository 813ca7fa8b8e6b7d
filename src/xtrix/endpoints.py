"""OpenAI's other endpoints, whose calls are passed on untranslated: one table.

A call goes to a provider that has the endpoint, with that provider's key. The answer comes back as
it is, whatever its type. How a call is passed on is known to `forwarding`, and which provider has
which endpoint to the rows of the configuration.

Sources, read 2026-11: openai-python 3.54.0 (`resources/`), and docs.cohere.com/reference/rerank,
whose form Jina, vLLM, llama.cpp and others follow.
"""

from typing import NamedTuple

_JSON = ("application/json",)
_JSON_OR_EVENTS = (*_JSON, "text/event-stream")
# A transcript can come as srt or vtt. Servers mostly label subtitles as plain text.
_TRANSCRIPT = (*_JSON_OR_EVENTS, "text/plain", "text/vtt", "application/x-subrip")
_SOUND = ("audio/*", "application/octet-stream", *_JSON_OR_EVENTS)


class Endpoint(NamedTuple):
    """One endpoint."""

    path: str
    """Its path, which exists with and without `/v1` before it."""
    name: str
    """Its word in `providers.ENDPOINTS`, which rows use."""
    answers: tuple[str, ...]
    """Patterns of the content types that an answer may have. An answer without a content type
    counts as the first."""
    takes_forms: bool = False
    """Whether it accepts `multipart/form-data` besides JSON. The model is then the form's field
    `model` instead of the object's member."""
    default_model: str | None = None
    """The model for a request that names none; None if it must name one."""
    one_model: bool = False
    """Whether the answers of two models cannot be mixed, so that no other model may answer
    instead."""
    operation: str | None = None
    """OpenTelemetry's `gen_ai.operation.name`; None if it has none for this."""


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
