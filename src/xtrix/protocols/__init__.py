"""The protocols: by name, and by the dialect that a provider's row gives."""

from xtrix.protocol import Codec
from xtrix.protocols.chat import CHAT
from xtrix.protocols.messages import MESSAGES
from xtrix.protocols.responses import RESPONSES

PROTOCOLS: dict[str, Codec] = {codec.name: codec for codec in (CHAT, MESSAGES, RESPONSES)}

DIALECTS: dict[str, Codec] = {
    "anthropic": MESSAGES,
    "openai": CHAT,
    "openai-responses": RESPONSES,
}
