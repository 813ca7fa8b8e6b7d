"""Carries members of a tool call that its provider needs back through a client of Messages.

A `tool_use` block has room for an id, a name and an input. If the upstream needs more back with a
call (Gemini signs some), it is put into a `redacted_thinking` block before the call, sealed as
reasoning is. It cannot be a further member of the block, because some clients drop these (the AI
SDK, observed 2026-11).
"""

from collections.abc import Mapping
from typing import Any

from xtrix.prompt import Json, Origin, Sealed

_CALL = "tool_use_id"
_EXTRA = "extra"


def seal_extra(call_id: str, extra: Mapping[str, Any], origin: Origin) -> Sealed:
    """The members that must come back with the call `call_id`, sealed."""
    return Sealed({_CALL: call_id, _EXTRA: dict(extra)}, origin)


def extra_of(sealed: Sealed | None) -> dict[str, Json]:
    """The members for a call, by its id, if `sealed` contains such; else empty."""
    value = sealed.value if sealed and sealed.origin else {}
    if value.keys() != {_CALL, _EXTRA}:
        return {}
    return {value[_CALL]: value[_EXTRA]}
