"""Bearer tokens: which are accepted, and how one is checked without telling anything of the others.

Compares SHA-256 digests in constant time against every key, so that neither the length of a key
nor its place in the list shows in the time. The raw token goes nowhere else.
"""

import hashlib
import hmac

from xtrix.errors import ClientError

_CHALLENGE = (("www-authenticate", 'Bearer realm="xtrix"'),)
# Each begins with OpenAI's own words: some clients, LiteLLM among them (1.106, read 2026-11), know
# an authentication error by nothing else.
_INCORRECT = "Incorrect API key provided"
_NO_TOKEN = f"{_INCORRECT}: No API key was given. Send it as 'Authorization: Bearer YOUR_KEY'."
_MALFORMED = f"{_INCORRECT}: The Authorization header is malformed. It must be 'Bearer YOUR_KEY'."
_WRONG = f"{_INCORRECT}. This gateway's operator gives out the right one."


def digests(keys: str) -> tuple[bytes, ...]:
    """The digest of each key in `keys`, which commas or white space separate."""
    return tuple(_digest(key) for key in keys.replace(",", " ").split())


def authenticate(authorization: str | None, accepted: tuple[bytes, ...]) -> None:
    """Raise ClientError unless the header `authorization` carries an accepted key."""
    if not authorization:
        raise _refusal(_NO_TOKEN)
    scheme, _, token = authorization.strip().partition(" ")
    token = token.strip()
    if scheme.lower() != "bearer" or not token or " " in token:
        raise _refusal(_MALFORMED)
    given = _digest(token)
    matches = 0
    for digest in accepted:
        matches += hmac.compare_digest(given, digest)
    if not matches:
        raise _refusal(_WRONG)


def accepts(authorization: str | None, accepted: tuple[bytes, ...]) -> bool:
    """Whether the header `authorization` carries an accepted key."""
    try:
        authenticate(authorization, accepted)
    except ClientError:
        return False
    return True


def _digest(key: str) -> bytes:
    return hashlib.sha256(key.encode(errors="replace")).digest()


def _refusal(message: str) -> ClientError:
    return ClientError(401, "invalid_api_key", message, headers=_CHALLENGE)
