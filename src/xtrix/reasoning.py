"""Reasoning that its provider wants back, carried through clients of another protocol.

A provider's signed or encrypted block becomes one opaque string that a client keeps and returns.
The string says who issued the block and is authenticated: it is good only for the client it was
given to and only as it was given. Nothing in it is secret from that client, who has seen the text
or holds ciphertext of the provider's.

Whatever cannot be opened is no error: a conversation that holds a broken string would be dead for
good, because clients send every turn again. It is left out.
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
"""Characters of a string that is looked at. A thinking block has some thousands."""

_MAC_LENGTH = 22


class Carrier:
    """Packs and opens the strings of one client."""

    def __init__(self, secret: bytes, client: bytes) -> None:
        """`secret` is the gateway's alone; `client` stands for who is asking."""
        self._secret = secret
        self._client = client
        self.redactor: Redactor | None = None
        """Knows the upstreams' secrets, which no string may hide."""

    @cached_property
    def _key(self) -> bytes:
        """Made for the first string: most requests carry none."""
        return hmac.digest(self._secret, b"xtrix reasoning" + self._client, "sha256")

    def pack(self, sealed: Sealed) -> str:
        """The string that stands for `sealed`, which has an origin.

        What a secret of an upstream's stands in is not packed, because nobody could find it there,
        and is not told without it either, because its issuer would refuse it. The string for that
        is one that does not open.
        """
        assert sealed.origin is not None
        content = json.encode_body([*sealed.origin, sealed.value])
        if self.redactor and self.redactor.body(content) != content:
            return f"{PREFIX}."
        text = base64.urlsafe_b64encode(content).decode().rstrip("=")
        return f"{PREFIX}{self._mac(text)}.{text}"

    def open(self, text: object) -> Sealed | None:
        """What `text` stands for; None when it is not ours, not this client's, or broken."""
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


def is_carried(text: object) -> bool:
    """Whether `text` is one of our strings, whoever's: no provider can read it."""
    return isinstance(text, str) and text.startswith(PREFIX)
