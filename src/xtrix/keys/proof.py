"""Keys that prove themselves: that one is ours is seen from the key alone, and stored nowhere.

A key is `sk-xt-<id>-<generation><s or o>-<proof>`. The proof is an HMAC of all before it, so a
guessed key is refused with no look at any store, and what is stored opens nothing. A key that is
rotated keeps its id and gets the next generation. The letter says whether it is refused (s,
strict) or let in (o, open) where the ledger cannot be asked what the key may do.
"""

import hashlib
import hmac
import re
from typing import NamedTuple

PREFIX = "sk-xt-"

_FORM = re.compile(r"(sk-xt-([0-9a-f]{16})-([1-9][0-9]{0,5})([so]))-([0-9a-f]{32})")
_PROOF_LENGTH = 32


class Proven(NamedTuple):
    """What a key says of itself, once that is proved."""

    id: str
    generation: int
    strict: bool


def secret_of(admin_key: str, own: str = "") -> bytes:
    """What keys are proved with: the operator's `own` secret for that, or one of the admin key."""
    return hmac.digest((own or admin_key).encode(), b"xtrix client keys", "sha256")


def make(secret: bytes, proven: Proven) -> str:
    """The key that proves `proven`."""
    text = f"{PREFIX}{proven.id}-{proven.generation}{'s' if proven.strict else 'o'}"
    return f"{text}-{_proof(secret, text)}"


def check(secret: bytes, token: str) -> Proven | None:
    """What `token` proves; None where it is no key of ours."""
    found = _FORM.fullmatch(token)
    if found is None:
        return None
    text, name, generation, letter, proof = found.groups()
    if not hmac.compare_digest(proof, _proof(secret, text)):
        return None
    return Proven(name, int(generation), letter == "s")


def _proof(secret: bytes, text: str) -> str:
    return hmac.new(secret, text.encode(), hashlib.sha256).hexdigest()[:_PROOF_LENGTH]
