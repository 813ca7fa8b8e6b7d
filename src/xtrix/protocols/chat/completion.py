"""Writes the `chat.completion` object: the only place that knows its JSON."""

from typing import Any

from xtrix.answer import Usage
from xtrix.protocol import Stamp
from xtrix.protocols.chat.usage import encode_usage

Json = dict[str, Any]


def encode_completion(
    stamp: Stamp, choices: list[Json], usage: Usage, service_tier: str | None
) -> Json:
    """A whole answer with these `choices`."""
    body: Json = {
        "id": f"chatcmpl-{stamp.token}",
        "object": "chat.completion",
        "created": stamp.created,
        "model": stamp.model,
        "system_fingerprint": stamp.system_fingerprint,
        "choices": choices,
        "usage": encode_usage(usage),
    }
    if service_tier:
        body["service_tier"] = service_tier
    return body


def encode_choice(
    message: Json, finish_reason: str, index: int = 0, logprobs: object = None
) -> Json:
    """One finished choice."""
    return {
        "index": index,
        "message": message,
        "logprobs": logprobs,
        "finish_reason": finish_reason,
    }
