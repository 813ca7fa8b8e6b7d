"""Bearer tokens: which are accepted, and how one is checked without telling anything of the others.

Compares SHA-256 digests in constant time against every key, so that neither the length of a key
nor its place in the list shows in the time. The raw token goes nowhere else.
"""

import hashlib
import hmac
import re
from collections.abc import Mapping
from typing import NamedTuple

from xtrix.errors import ClientError

_CHALLENGE = (("www-authenticate", 'Bearer realm="xtrix"'),)
# Each begins with OpenAI's own words: some clients, LiteLLM among them (1.106, read 2026-11), know
# an authentication error by nothing else.
_INCORRECT = "Incorrect API key provided"
_NO_TOKEN = f"{_INCORRECT}: No API key was given. Send it as 'Authorization: Bearer YOUR_KEY'."
_MALFORMED = f"{_INCORRECT}: The Authorization header is malformed. It must be 'Bearer YOUR_KEY'."
_WRONG = f"{_INCORRECT}. This gateway's operator gives out the right one."


_NAMED = re.compile(r"([A-Za-z0-9][A-Za-z0-9._-]{0,63}):(.+)")


class Given(NamedTuple):
    """A key that the operator has given out."""

    digest: bytes
    name: str = ""


def given(keys: str) -> list[Given]:
    """Each key in `keys`, and its name where it is written `name:key`.

    Such an entry is let in as a whole too: a key may have a colon in it.
    """
    found = []
    for entry in keys.replace(",", " ").split():
        named = _NAMED.fullmatch(entry)
        name = named[1] if named else ""
        found += [Given(_digest(entry), name), *([Given(_digest(named[2]), name)] if named else [])]
    return found


def digests(keys: str) -> tuple[bytes, ...]:
    """The digest of each key in `keys`, which commas or white space separate."""
    return tuple(key.digest for key in given(keys))


def authenticate(headers: Mapping[str, str], accepted: tuple[bytes, ...]) -> bytes:
    """The digest of the accepted key that `headers` carry. Raises ClientError where they do not.

    A key may come as a bearer token or in `x-api-key`; of two it is enough that one is right.
    """
    given = tokens(headers)
    if not given:
        raise _refusal(_MALFORMED if headers.get("authorization") else _NO_TOKEN)
    found = b""
    for token in given:
        digest = _digest(token)
        for key in accepted:
            if hmac.compare_digest(digest, key):
                found = key
    if not found:
        raise _refusal(_WRONG)
    return found


def tokens(headers: Mapping[str, str]) -> list[str]:
    """The keys that `headers` carry, right or wrong; what is malformed is none."""
    scheme, _, token = headers.get("authorization", "").strip().partition(" ")
    bearer = token.strip() if scheme.lower() == "bearer" else ""
    own = headers.get("x-api-key", "").strip()
    return [each for each in (bearer, own) if each and " " not in each]


def accepts(headers: Mapping[str, str], accepted: tuple[bytes, ...]) -> bool:
    """Whether `headers` carry an accepted key."""
    try:
        authenticate(headers, accepted)
    except ClientError:
        return False
    return True


def _digest(key: str) -> bytes:
    return hashlib.sha256(key.encode(errors="replace")).digest()


def _refusal(message: str) -> ClientError:
    return ClientError(401, "invalid_api_key", message, headers=_CHALLENGE)
