"""Reads a provider's list of models.

Entries that are not models, or that clients could not ask for, are skipped, so that no entry can
spoil the rest. How the list was fetched is not known here.
"""

import calendar
import re
from collections.abc import Iterator
from contextlib import suppress
from typing import Any, NamedTuple

from xtrix import json
from xtrix.json import Json
from xtrix.providers import Price, Provider
from xtrix.redact import Redactor

MODEL_NAME = re.compile(r"(?=.*[A-Za-z0-9])[!-~]{1,256}")
"""What a model's name may be: a client must be able to send it, a header to contain it, and a URL
to end in it (which would shorten `.` and `..`)."""

_DATE = re.compile(r"(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)")
_MOST_ENTRIES = 10_000
_LONGEST_NAME = 200
_LONGEST_TEXT = 2_000
"""So many characters are searched for secrets before a name is cut short: half a key would not be
found."""
_MOST_TOKENS = 10**9
_LATEST = 2**33
"""Unix seconds of the year 2242. A later date is rather in milliseconds, and is ignored."""

# Names that providers have for the same thing: Anthropic, Groq, Mistral, OpenRouter, Together, vLLM
# (their API references, read 2026-11).
_DISPLAY_NAMES = ("display_name", "name")
_CONTEXT_WINDOWS = (
    *("max_input_tokens", "context_length", "context_window", "max_context_length"),
    "max_model_len",
)
_MAX_OUTPUTS = ("max_completion_tokens", "max_output_tokens", "max_tokens")


class ModelCard(NamedTuple):
    """What is known of a model. None means not known."""

    id: str
    """The name by which clients ask for it."""
    owner: str
    """The provider's name, or `xtrix` for a model with several targets."""
    created: int | None = None
    """Unix seconds."""
    display_name: str | None = None
    context_window: int | None = None
    """Tokens."""
    max_output: int | None = None
    """Tokens."""
    price: Price | None = None


def decode_page(body: bytes) -> tuple[list[Any], str | None]:
    """The entries of a page, and the model after which the next page begins; None on the last page.

    Raises ValueError if it is not a list. Together's list has no object around it, and Ollama's may
    be null if empty.
    """
    page = json.decode(body)
    if isinstance(page, list):
        return page, None
    if not isinstance(page, dict) or not isinstance(page.get("data", 0), list | None):
        raise ValueError("no list of models")
    last = page.get("last_id")
    goes_on = page.get("has_more") is True and isinstance(last, str) and MODEL_NAME.fullmatch(last)
    return page["data"] or [], last if goes_on else None


def cards_in(entries: list[Any], provider: Provider) -> Iterator[ModelCard]:
    """The models in `entries` that clients can ask for."""
    redact = Redactor(*provider.secrets)
    wanted = {*provider.aliases.values()}
    for entry in entries[:_MOST_ENTRIES]:
        name = entry.get("id") if isinstance(entry, dict) else None
        # Gemini's ids begin with `models/`.
        name = name.removeprefix("models/") if isinstance(name, str) else ""
        if not MODEL_NAME.fullmatch(name) or not (name in wanted or provider.serves(name)):
            continue
        if redact(name) == name:
            shown = next((it for key in _DISPLAY_NAMES if (it := _text(entry.get(key)))), None)
            yield ModelCard(
                name,
                provider.name,
                _seconds(entry.get("created", entry.get("created_at"))),
                redact(shown)[:_LONGEST_NAME] if shown else None,
                _count(entry, _CONTEXT_WINDOWS),
                _count(entry, _MAX_OUTPUTS),
            )


def _text(value: object) -> str | None:
    return value[:_LONGEST_TEXT] if isinstance(value, str) and value.strip() else None


def _count(entry: Json, names: tuple[str, ...]) -> int | None:
    """The first valid number of tokens in `entry` that has one of `names`."""
    found = (entry.get(name) for name in names)
    return next((it for it in found if type(it) is int and 0 < it < _MOST_TOKENS), None)


def _seconds(created: Any) -> int | None:
    """`created` in Unix seconds; it is a number of them, or a date of RFC 3339."""
    found = _DATE.match(created) if isinstance(created, str) else None
    if found:
        with suppress(ValueError):  # such as a thirteenth month
            created = calendar.timegm(tuple(map(int, found.groups())))
    is_date = type(created) in {int, float} and 0 < created < _LATEST
    return int(created) if is_date else None
