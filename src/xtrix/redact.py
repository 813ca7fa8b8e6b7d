"""What must not be seen of what came from outside: keys, and text without end.

Two measures. What an upstream answers is the model's words and what was made of them; there its
own secrets are looked for, to the letter, in every field, and nothing else: a text about keys
stays what it is, and the client's own key is no news to the client. An error, and the log, show
no key at all: not the client's either, nor what merely looks like one.

A secret is found where it stands whole in one text. One that an upstream would spread over two
events of a stream is not: to look for that would hold every text back by a key's length.
"""

import re
from collections.abc import Iterable, Sequence
from functools import cached_property

from xtrix import json
from xtrix.errors import ApiError

_LONGEST = 2000
_LONGEST_PARAM = 200
_SHORTEST = 8
"""Characters. A shorter key would take common words with it; nobody's real key is so short."""
_GONE = "[redacted]"
# What providers' keys look like, masked or whole, and bearer tokens.
_KEY = re.compile(r"\b(?:(?:sk|pk|key|gsk|xai)[-_]|AIza)[\w*.-]{6,}|\b[Bb]earer\s+[\w.*~+/=-]{6,}")
_WORD = re.compile(r"[A-Za-z][A-Za-z_]{0,31}")
_CODE = re.compile(r"[A-Za-z0-9_.-]{1,64}")
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")


class Redactor:
    """Takes secrets out of what is shown of one exchange.

    What it looks for is put in order when it is first looked for: most requests meet with no error.
    """

    def __init__(self, *secrets: str | None, tokens: Sequence[str] = ()) -> None:
        """`secrets` are the upstreams', `tokens` the client's."""
        self._secrets = secrets
        self._tokens = tokens

    def knowing(self, secrets: Iterable[str]) -> "Redactor":
        """What knows `secrets` of upstreams too."""
        return Redactor(*self._secrets, *secrets, tokens=self._tokens)

    @cached_property
    def _known(self) -> list[str]:
        return _longest_first({*self._secrets, *self._tokens})

    @cached_property
    def in_answers(self) -> list[str]:
        """The upstreams' secrets, as they stand within a JSON string."""
        return [_spelled(secret) for secret in _longest_first({*self._secrets})]

    @cached_property
    def longest(self) -> int:
        """Characters of the longest of them."""
        return max(map(len, self.in_answers), default=0)

    def __call__(self, text: str) -> str:
        """`text` of an error, cut to what a person would read of it."""
        for secret in self._known:
            text = text.replace(secret, _GONE)
        # What is cut off anyway: a pattern over megabytes costs many times their memory.
        text = text[: 2 * _LONGEST]
        text = _CONTROL.sub(" ", _KEY.sub(_GONE, text))
        return text if len(text) <= _LONGEST else text[:_LONGEST] + " …"

    def clean(self, error: ApiError) -> None:
        """Take secrets out of every field of `error` that an upstream may have filled."""
        error.message = self(error.message)
        if error.code and not (_CODE.fullmatch(error.code) and self(error.code) == error.code):
            error.code = None
        if error.param:
            error.param = self(error.param)[:_LONGEST_PARAM]
        error.headers = tuple(each for each in error.headers if self(each[1]) == each[1])

    def answer(self, text: str) -> str:
        """`text`, which is JSON or frames of it, without an upstream's secret in any field."""
        for secret in self.in_answers:
            if secret in text:
                text = text.replace(secret, _GONE)
        return text

    def body(self, data: bytes) -> bytes:
        """As `answer`, for the bytes of a body."""
        for secret in self.in_answers:
            data = data.replace(secret.encode(), _GONE.encode())
        return data

    def pieces(self) -> "PieceRedactor":
        """Takes the upstreams' secrets out of a body that comes in pieces."""
        return PieceRedactor([secret.encode() for secret in self.in_answers])

    def line(self, text: str) -> str:
        """`text`, which is a JSON line of the log, without any secret that is known."""
        for secret in self._known:
            text = text.replace(_spelled(secret), _GONE)
        return text


class PieceRedactor:
    """Takes secrets out of one body, also where a piece of it ends within one."""

    def __init__(self, secrets: list[bytes]) -> None:
        self._secrets = secrets
        self._held = b""

    def feed(self, data: bytes) -> bytes:
        """What can be shown of `data`. What may be the beginning of a secret waits for the rest."""
        data = self._held + data
        for secret in self._secrets:
            data = data.replace(secret, _GONE.encode())
        held = max((_begun(secret, data) for secret in self._secrets), default=0)
        shown = len(data) - held
        self._held = data[shown:]
        return data[:shown]

    def close(self) -> bytes:
        """What was held."""
        held, self._held = self._held, b""
        return held


def _begun(secret: bytes, data: bytes) -> int:
    """How many of the first bytes of `secret` are the last of `data`."""
    most = min(len(secret) - 1, len(data))
    return next((size for size in range(most, 0, -1) if data.endswith(secret[:size])), 0)


def word(said: object) -> str:
    """What the log may say of `said`, which should be a word out of a list: itself, if it is one.

    Keys have digits in them and prompts have spaces.
    """
    if not said:
        return "missing"
    return said if isinstance(said, str) and _WORD.fullmatch(said) else "unknown"


def _longest_first(secrets: set[str | None]) -> list[str]:
    """Those that are long enough to be one. Of two that overlap the longer must go first."""
    known = [secret for secret in secrets if secret and len(secret) >= _SHORTEST]
    return sorted(known, key=lambda secret: (-len(secret), secret))


def _spelled(secret: str) -> str:
    """`secret` as it stands within a JSON string."""
    return json.encode(secret)[1:-1]
