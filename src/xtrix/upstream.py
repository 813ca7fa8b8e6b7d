"""Reads JSON that upstreams send: a whole answer, the data of an event, a count of tokens.

No protocol is known here: each protocol knows what the members mean.
"""

from typing import Any

from xtrix import json
from xtrix.errors import bad_response
from xtrix.json import Json

MOST_TOKENS = 2**53
"""A larger number is not a valid count, because clients read numbers as floats."""
_NUMBERS = {int, float}


def decode_answer(body: bytes) -> Json:
    """The object in a whole answer. Raises UpstreamError."""
    try:
        return json.decode_object(body)
    except ValueError:
        raise bad_response("not a JSON object") from None


def decode_event(data: str) -> Json:
    """The object in the data of an event. Raises UpstreamError."""
    try:
        return json.decode_object(data)
    except ValueError:
        raise bad_response("an event that is not JSON") from None


def member(event: Json, name: str) -> Json:
    """The object `name` in `event`. Raises UpstreamError."""
    value = event.get(name)
    if not isinstance(value, dict):
        raise bad_response(f"an event without '{name}'")
    return value


def token_count(counts: Json, name: str) -> int:
    """The number of tokens that `counts` has under `name`; 0 if it is not a valid number."""
    count: Any = counts.get(name)
    if not count or type(count) not in _NUMBERS:
        return 0
    return int(count) if 0 < count < MOST_TOKENS else 0
