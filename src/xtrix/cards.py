"""What a list of models says of each of them, as providers word it.

Takes from it what is a model that clients can ask for, and passes over everything else: no entry
can spoil the rest. Refuses to know how the list was got.
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
"""What can be a model's name at all: a client can send it, a header carry it, and a URL end in it,
which `.` and `..` would shorten."""

_DATE = re.compile(r"(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)")
_MOST_ENTRIES = 10_000
_LONGEST_NAME = 200
_LONGEST_TEXT = 2_000
"""Looked at for secrets before it is cut to a name: half a key would not be found."""
_MOST_TOKENS = 10**9
_LATEST = 2**33
"""Unix seconds of the year 2242: what is later is no date, but milliseconds."""

# Words that providers have for the same thing: Anthropic, Groq, Mistral, OpenRouter, Together,
# vLLM (their API references, read 2026-11).
_DISPLAY_NAMES = ("display_name", "name")
_CONTEXT_WINDOWS = (
    *("max_input_tokens", "context_length", "context_window", "max_context_length"),
    "max_model_len",
)
_MAX_OUTPUTS = ("max_completion_tokens", "max_output_tokens", "max_tokens")


class ModelCard(NamedTuple):
    """What is known of a model. None is what is not."""

    id: str
    """What a client calls it."""
    owner: str
    """The provider's name, or `xtrix` for a model with targets of its own."""
    created: int | None = None
    """Unix seconds."""
    display_name: str | None = None
    context_window: int | None = None
    """Tokens."""
    max_output: int | None = None
    """Tokens."""
    price: Price | None = None


def decode_page(body: bytes) -> tuple[list[Any], str | None]:
    """The entries of a page, and after which model the next one begins; None for the last.

    Raises ValueError for what is no list. Together's is bare, and Ollama's may be null when empty.
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
    """Those of `entries` that clients can ask for."""
    redact = Redactor(*provider.secrets)
    wanted = {*provider.aliases.values()}
    for entry in entries[:_MOST_ENTRIES]:
        name = entry.get("id") if isinstance(entry, dict) else None
        # Gemini's ids are the names of resources.
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
    """The first sound number of tokens that `entry` gives by one of `names`."""
    found = (entry.get(name) for name in names)
    return next((it for it in found if type(it) is int and 0 < it < _MOST_TOKENS), None)


def _seconds(created: Any) -> int | None:
    """Unix seconds of `created`, which is that or a date as RFC 3339 has it."""
    found = _DATE.match(created) if isinstance(created, str) else None
    if found:
        with suppress(ValueError):  # of a thirteenth month
            created = calendar.timegm(tuple(map(int, found.groups())))
    is_date = type(created) in {int, float} and 0 < created < _LATEST
    return int(created) if is_date else None
