"""What a call carries for its provider, on its way through a client of Messages and back.

A `tool_use` block has room for an id, a name and an input. What else an upstream wants back with a
call (Gemini signs some) rides in a `redacted_thinking` block before it, sealed as reasoning is:
unknown members of a block itself are dropped by some clients (the AI SDK, observed 2026-11).
"""

from collections.abc import Mapping
from typing import Any

from xtrix.prompt import Json, Origin, Sealed

_CALL = "tool_use_id"
_EXTRA = "extra"


def seal_extra(call_id: str, extra: Mapping[str, Any], origin: Origin) -> Sealed:
    """What is to come back with the call of `call_id`."""
    return Sealed({_CALL: call_id, _EXTRA: dict(extra)}, origin)


def extra_of(sealed: Sealed | None) -> dict[str, Json]:
    """The extra of a call by its id, if that is what was sealed; else empty."""
    value = sealed.value if sealed and sealed.origin else {}
    if value.keys() != {_CALL, _EXTRA}:
        return {}
    return {value[_CALL]: value[_EXTRA]}
