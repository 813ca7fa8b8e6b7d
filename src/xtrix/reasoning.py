"""Carries reasoning that its provider needs back through clients of another protocol.

A provider's signed or encrypted block becomes one opaque string that a client keeps and returns.
The string says who issued the block, and is authenticated: it is valid only unchanged, and only for
the client that it was given to. It is not secret from that client, which has seen the text, or
holds the provider's ciphertext.

A string that cannot be opened is left out, and is not an error. Clients send every turn again, so
an error would make a conversation with a broken string unusable for ever.
"""

import base64
import hashlib
import hmac
from functools import cached_property

from xtrix import json
from xtrix.prompt import Origin, Sealed
from xtrix.redact import Redactor

PREFIX = "xt1."
LONGEST = 1_000_000
"""The longest string that is opened, in characters. A thinking block has some thousands."""

_MAC_LENGTH = 22


class Carrier:
    """Packs and opens the strings of one client."""

    def __init__(self, secret: bytes, client: bytes) -> None:
        """`secret` is known only to the gateway; `client` identifies the client."""
        self._secret = secret
        self._client = client
        self.redactor: Redactor | None = None
        """Knows the upstreams' secrets, which must not be hidden in a string."""

    @cached_property
    def _key(self) -> bytes:
        """The key for the strings.

        It is made for the first one, because most requests have none.
        """
        return hmac.digest(self._secret, b"xtrix reasoning" + self._client, "sha256")

    def pack(self, sealed: Sealed) -> str:
        """The string for `sealed`, which must have an origin.

        If `sealed` contains an upstream's secret, it is not packed, because it could not be found
        in the string. Without the secret the issuer would refuse it. So the result is then a string
        that cannot be opened.
        """
        assert sealed.origin is not None
        content = json.encode_body([*sealed.origin, sealed.value])
        if self.redactor and self.redactor.body(content) != content:
            return f"{PREFIX}."
        text = base64.urlsafe_b64encode(content).decode().rstrip("=")
        return f"{PREFIX}{self._mac(text)}.{text}"

    def open(self, text: object) -> Sealed | None:
        """What is in `text`; None if it is not ours, not this client's, or broken."""
        if not isinstance(text, str) or not text.startswith(PREFIX) or len(text) > LONGEST:
            return None
        mac, _, packed = text.removeprefix(PREFIX).partition(".")
        if not hmac.compare_digest(mac.encode(errors="replace"), self._mac(packed).encode()):
            return None
        provider, model, protocol, value = json.decode(
            base64.urlsafe_b64decode(packed + "=" * (-len(packed) % 4))
        )
        return Sealed(value, Origin(provider, model, protocol))

    def _mac(self, text: str) -> str:
        digest = hmac.new(self._key, text.encode(errors="replace"), hashlib.sha256).digest()
        return base64.urlsafe_b64encode(digest).decode()[:_MAC_LENGTH]


def is_packed(text: object) -> bool:
    """Whether `text` is one of our strings, for any client. No provider can read it."""
    return isinstance(text, str) and text.startswith(PREFIX)
