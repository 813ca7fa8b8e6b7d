"""What must not be read in a message that came from outside: keys, and text without end."""

import re
from collections.abc import Callable

Redactor = Callable[[str], str]

_LONGEST = 2000
_SHORTEST = 8
"""Characters. A shorter key would take common words with it; nobody's real key is so short."""
_GONE = "[redacted]"
# What providers' keys look like, masked or whole, and bearer tokens.
_KEY = re.compile(r"\b(?:(?:sk|pk|key|gsk|xai)[-_]|AIza)[\w*.-]{6,}|\b[Bb]earer\s+[\w.*~+/=-]{6,}")
_WORD = re.compile(r"[A-Za-z][A-Za-z_]{0,31}")
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")


def redactor(*secrets: str | None) -> Redactor:
    """Takes `secrets` out of a text, and what looks like one."""
    known = [secret for secret in secrets if secret and len(secret) >= _SHORTEST]

    def redact(text: str) -> str:
        for secret in known:
            text = text.replace(secret, _GONE)
        # What is cut off anyway: a pattern over megabytes costs many times their memory.
        text = text[: 2 * _LONGEST]
        text = _CONTROL.sub(" ", _KEY.sub(_GONE, text))
        return text if len(text) <= _LONGEST else text[:_LONGEST] + " …"

    return redact


def word(said: object) -> str:
    """What the log may say of `said`, which should be a word out of a list: itself, if it is one.

    Keys have digits in them and prompts have spaces.
    """
    if not said:
        return "missing"
    return said if isinstance(said, str) and _WORD.fullmatch(said) else "unknown"
