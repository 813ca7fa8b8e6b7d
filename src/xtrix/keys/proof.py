"""Signed keys: the key alone shows that it is ours, and no key is stored.

A key is `sk-xt-<id>-<generation><s or o>-<proof>`. The proof is an HMAC of everything before it. So
a guessed key is refused without looking anything up, and what is stored opens nothing. A rotated
key keeps its id and gets the next generation. The letter says whether the key is refused (s,
strict) or accepted (o, open) while the ledger cannot be asked.
"""

import hmac
import re
from typing import NamedTuple

PREFIX = "sk-xt-"

_FORM = re.compile(r"(sk-xt-([0-9a-f]{16})-([1-9][0-9]{0,5})([so]))-([0-9a-f]{32})")
_PROOF_LENGTH = 32


class Proven(NamedTuple):
    """What a key says about itself, once it has been checked."""

    id: str
    generation: int
    strict: bool


def secret_of(admin_key: str, own: str = "") -> bytes:
    """The secret that signs keys: the operator's `own`, or one made from the admin key."""
    return hmac.digest((own or admin_key).encode(), b"xtrix client keys", "sha256")


def make(secret: bytes, proven: Proven) -> str:
    """The key for `proven`."""
    text = f"{PREFIX}{proven.id}-{proven.generation}{'s' if proven.strict else 'o'}"
    return f"{text}-{_proof(secret, text)}"


def check(secret: bytes, token: str) -> Proven | None:
    """What the key `token` says about itself; None if it is not one of ours."""
    found = _FORM.fullmatch(token)
    if found is None:
        return None
    text, name, generation, letter, proof = found.groups()
    if not hmac.compare_digest(proof, _proof(secret, text)):
        return None
    return Proven(name, int(generation), letter == "s")


def _proof(secret: bytes, text: str) -> str:
    return hmac.digest(secret, text.encode(), "sha256").hex()[:_PROOF_LENGTH]
