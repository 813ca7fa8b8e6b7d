"""Hides what must not be seen in data from outside: keys, and endless text.

There are two measures. In an upstream's answers only its own secrets are hidden, exactly as they
are, in every field. A text about keys stays as it is, and the client's own key is not news to the
client. In an error, and in the log, no key is shown at all: not the client's either, nor anything
that looks like a key.

A secret is found if all of it is in one text. If an upstream splits it over two events of a stream,
it is not found: to look for that would delay every text by the length of a key.
"""

import re
from collections.abc import Iterable, Sequence
from functools import cached_property, lru_cache

from xtrix import json
from xtrix.errors import ApiError

_LONGEST = 2000
_LONGEST_PARAM = 200
_SHORTEST = 8
"""The shortest text that counts as a secret, in characters. A shorter one could be a common word,
and no real key is so short."""
_GONE = "[redacted]"
# The form of providers' keys, masked or whole, and of bearer tokens.
_KEY = re.compile(r"\b(?:(?:sk|pk|key|gsk|xai)[-_]|AIza)[\w*.-]{6,}|\b[Bb]earer\s+[\w.*~+/=-]{6,}")
_WORD = re.compile(r"[A-Za-z][A-Za-z_]{0,31}")
_CODE = re.compile(r"[A-Za-z0-9_.-]{1,64}")
_PLAIN = re.compile(r"[!#-[\]-~]*")
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")


class Redactor:
    """Hides secrets in everything that is shown of one exchange.

    The lists of secrets are made only when they are needed: most requests have no error.
    """

    def __init__(self, *secrets: str | None, tokens: Sequence[str] = ()) -> None:
        """`secrets` are the upstreams', `tokens` the client's."""
        self._secrets = secrets
        self._tokens = tokens

    def knowing(self, secrets: Iterable[str]) -> "Redactor":
        """The same, which also hides these `secrets` of upstreams."""
        return Redactor(*self._secrets, *secrets, tokens=self._tokens)

    @property
    def _known(self) -> list[str]:
        return _longest_first({*self._secrets, *self._tokens})

    @property
    def in_answers(self) -> tuple[str, ...]:
        """The upstreams' secrets, as they look inside of a JSON string."""
        return _spelled_first(self._secrets)

    @cached_property
    def longest(self) -> int:
        """The length of the longest of these secrets, in characters."""
        return max(map(len, self.in_answers), default=0)

    def __call__(self, text: str) -> str:
        """`text` of an error, shortened to what a person would read."""
        for secret in self._known:
            text = text.replace(secret, _GONE)
        # The rest is cut off anyway, and a regular expression over megabytes needs many times their
        # memory.
        text = text[: 2 * _LONGEST]
        text = _CONTROL.sub(" ", _KEY.sub(_GONE, text))
        return text if len(text) <= _LONGEST else text[:_LONGEST] + " …"

    def clean(self, error: ApiError) -> None:
        """Hides secrets in every field of `error` that an upstream may have filled."""
        error.message = self(error.message)
        if error.code and not (_CODE.fullmatch(error.code) and self(error.code) == error.code):
            error.code = None
        if error.param:
            error.param = self(error.param)[:_LONGEST_PARAM]
        error.headers = tuple(each for each in error.headers if self(each[1]) == each[1])

    def answer(self, text: str) -> str:
        """`text`, which contains JSON, with an upstream's secrets hidden in every field."""
        for secret in self.in_answers:
            if secret in text:
                text = text.replace(secret, _GONE)
        return text

    def body(self, data: bytes) -> bytes:
        """Like `answer`, for the bytes of a body."""
        for secret in self.in_answers:
            data = data.replace(secret.encode(), _GONE.encode())
        return data

    def pieces(self) -> "PieceRedactor":
        """Hides the upstreams' secrets in a body that comes in pieces."""
        return PieceRedactor([secret.encode() for secret in self.in_answers])

    def line(self, text: str) -> str:
        """`text`, a JSON line of the log, with every known secret hidden."""
        for secret in self._known:
            text = text.replace(_spelled(secret), _GONE)
        return text


class PieceRedactor:
    """Hides secrets in one body, also if a piece ends inside of one."""

    def __init__(self, secrets: list[bytes]) -> None:
        self._secrets = secrets
        self._held = b""

    def feed(self, data: bytes) -> bytes:
        """As much of `data` as can be shown.

        The possible beginning of a secret waits for the next piece.
        """
        data = self._held + data
        for secret in self._secrets:
            data = data.replace(secret, _GONE.encode())
        held = max((_begun(secret, data) for secret in self._secrets), default=0)
        shown = len(data) - held
        self._held = data[shown:]
        return data[:shown]

    def close(self) -> bytes:
        """The rest."""
        held, self._held = self._held, b""
        return held


def _begun(secret: bytes, data: bytes) -> int:
    """How many of the first bytes of `secret` are the last bytes of `data`."""
    most = min(len(secret) - 1, len(data))
    return next((size for size in range(most, 0, -1) if data.endswith(secret[:size])), 0)


def word(value: object) -> str:
    """`value`, if it looks like a word from a list; otherwise a replacement, for the log.

    Keys contain digits, and prompts contain spaces.
    """
    if not value:
        return "missing"
    return value if isinstance(value, str) and _WORD.fullmatch(value) else "unknown"


@lru_cache(maxsize=64)
def _spelled_first(secrets: tuple[str | None, ...]) -> tuple[str, ...]:
    """These secrets of the configuration, the longest first, as they look inside of a JSON string.

    They are the same for every request that goes to the same targets.
    """
    return tuple(map(_spelled, _longest_first({*secrets})))


def _longest_first(secrets: set[str | None]) -> list[str]:
    """The secrets that are long enough, the longest first.

    If two overlap, the longer one is then hidden.
    """
    known = [secret for secret in secrets if secret and len(secret) >= _SHORTEST]
    return sorted(known, key=lambda secret: (-len(secret), secret))


def _spelled(secret: str) -> str:
    """`secret` as it looks inside of a JSON string. Nearly every key looks there as it is."""
    return secret if _PLAIN.fullmatch(secret) else json.encode(secret)[1:-1]
