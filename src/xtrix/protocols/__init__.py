"""The protocols, by name and by dialect."""

from xtrix import providers
from xtrix.protocol import Codec
from xtrix.protocols.chat import CHAT
from xtrix.protocols.completions import COMPLETIONS
from xtrix.protocols.messages import MESSAGES
from xtrix.protocols.responses import RESPONSES
from xtrix.protocols.responses.encode import needs_of

__all__ = ["DIALECTS", "PROTOCOLS", "needs_of"]

PROTOCOLS: dict[str, Codec] = {
    codec.name: codec for codec in (CHAT, MESSAGES, RESPONSES, COMPLETIONS)
}

DIALECTS: dict[str, Codec] = {
    dialect: PROTOCOLS[name] for dialect, name in providers.PROTOCOLS.items()
}
"""The protocol of each dialect; of a row that speaks two, the first."""
