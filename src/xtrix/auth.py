"""Checks the keys of clients without revealing anything about the others.

SHA-256 digests are compared in constant time with every key. So the time does not show the length
of a key or its place in the list. The key itself is passed on to nothing else.
"""

import hashlib
import hmac
import re
from collections.abc import Mapping
from typing import NamedTuple

from xtrix.errors import ClientError

_CHALLENGE = (("www-authenticate", 'Bearer realm="xtrix"'),)
# Each message begins with OpenAI's own words, because some clients recognise an authentication
# error by nothing else (LiteLLM 1.106, read 2026-11).
_INCORRECT = "Incorrect API key provided"
_NO_TOKEN = f"{_INCORRECT}: No API key was given. Send it as 'Authorization: Bearer YOUR_KEY'."
_MALFORMED = f"{_INCORRECT}: The Authorization header is malformed. It must be 'Bearer YOUR_KEY'."
_WRONG = f"{_INCORRECT}. This gateway's operator gives out the right one."


_NAMED = re.compile(r"([A-Za-z0-9][A-Za-z0-9._-]{0,63}):(.+)")


class Given(NamedTuple):
    """A key of `API_KEYS`."""

    digest: bytes
    name: str = ""


def given(keys: str) -> list[Given]:
    """The keys in `keys`, each with its name if it is written `name:key`.

    Such an entry is also accepted as a whole, because a key may contain a colon.
    """
    found = []
    for entry in keys.replace(",", " ").split():
        named = _NAMED.fullmatch(entry)
        name = named[1] if named else ""
        found += [Given(_digest(entry), name), *([Given(_digest(named[2]), name)] if named else [])]
    return found


def digests(keys: str) -> tuple[bytes, ...]:
    """The digests of the keys in `keys`, which commas or white space separate."""
    return tuple(key.digest for key in given(keys))


def authenticate(headers: Mapping[str, str], accepted: tuple[bytes, ...]) -> bytes:
    """The digest of the accepted key in `headers`. Raises ClientError if there is none.

    A key may come as a bearer token or in `x-api-key`. If both come, one of them must be right.
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
    """The keys in `headers`, whether right or wrong, without malformed ones."""
    scheme, _, token = headers.get("authorization", "").strip().partition(" ")
    bearer = token.strip() if scheme.lower() == "bearer" else ""
    own = headers.get("x-api-key", "").strip()
    return [each for each in (bearer, own) if each and " " not in each]


def accepts(headers: Mapping[str, str], accepted: tuple[bytes, ...]) -> bool:
    """Whether `headers` have an accepted key."""
    try:
        authenticate(headers, accepted)
    except ClientError:
        return False
    return True


def _digest(key: str) -> bytes:
    return hashlib.sha256(key.encode(errors="replace")).digest()


def _refusal(message: str) -> ClientError:
    return ClientError(401, "invalid_api_key", message, headers=_CHALLENGE)
