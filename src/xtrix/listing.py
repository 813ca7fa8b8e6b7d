"""The list of models in both vendors' forms.

OpenAI's has no pages and is what a client gets that says nothing else. Anthropic's has pages and is
for who sends `anthropic-version`: the two vendors' clients cannot be told apart otherwise, for both
send bearer tokens now. Each form carries what else is known of a model, and leaves out what is not.

Sources, read 2026-11: platform.openai.com/docs/api-reference/models,
platform.claude.com/docs/en/api/models-list.
"""

from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qs

from xtrix.cards import ModelCard
from xtrix.errors import ClientError

Json = dict[str, Any]

_PAGE = 20
_LONGEST_PAGE = 1000


def is_anthropics(headers: Mapping[str, str]) -> bool:
    """Whether a client with these headers reads Anthropic's form."""
    return "anthropic-version" in headers


def encode_model(card: ModelCard, headers: Mapping[str, str]) -> Json:
    """One model in the form for a client with these headers."""
    return _anthropics(card) if is_anthropics(headers) else _openais(card)


def encode_list(cards: list[ModelCard], headers: Mapping[str, str], query: str) -> Json:
    """The list, or the page of it that `query` asks for. Raises ClientError."""
    if not is_anthropics(headers):
        return {"object": "list", "data": [_openais(card) for card in cards]}
    page, has_more = _page(cards, query)
    return {
        "data": [_anthropics(card) for card in page],
        "has_more": has_more,
        "first_id": page[0].id if page else None,
        "last_id": page[-1].id if page else None,
    }


def _page(cards: list[ModelCard], query: str) -> tuple[list[ModelCard], bool]:
    """The models of a page, and whether there are more on its far side."""
    asked = parse_qs(query[:1000])
    limit = _limit(asked.get("limit", [str(_PAGE)])[-1])
    places = {card.id: place for place, card in enumerate(cards)}
    after, before = asked.get("after_id"), asked.get("before_id")
    if before:
        end = _place(places, before[-1], "before_id")
        return cards[max(0, end - limit) : end], end > limit
    start = _place(places, after[-1], "after_id") + 1 if after else 0
    return cards[start : start + limit], start + limit < len(cards)


def _limit(text: str) -> int:
    if not (text.isascii() and text.isdigit() and 1 <= int(text[:9]) <= _LONGEST_PAGE):
        why = f"limit: it must be a number from 1 to {_LONGEST_PAGE}."
        raise ClientError(400, "invalid_value", why, param="limit")
    return int(text)


def _place(places: dict[str, int], name: str, param: str) -> int:
    if name not in places:
        raise ClientError(400, "invalid_value", f"{param}: there is no such model.", param=param)
    return places[name]


def _openais(card: ModelCard) -> Json:
    """OpenAI's form, in which every model has a date."""
    known = {
        "display_name": card.display_name,
        "context_length": card.context_window,
        "max_output_tokens": card.max_output,
    }
    return {
        "id": card.id,
        "object": "model",
        "created": card.created or 0,
        "owned_by": card.owner,
        **_present(known),
    }


def _anthropics(card: ModelCard) -> Json:
    known = {"max_input_tokens": card.context_window, "max_tokens": card.max_output}
    return {
        "type": "model",
        "id": card.id,
        "display_name": card.display_name or card.id,
        "created_at": _date(card.created or 0),
        **_present(known),
    }


def _date(seconds: int) -> str:
    """Unix seconds as RFC 3339 has them, by the civil calendar.

    From howardhinnant.github.io/date_algorithms.html, "civil_from_days" (read 2026-11): years begin
    in March, so that the leap day is the last of its year.
    """
    days, rest = divmod(seconds, 86_400)
    era, day = divmod(days + 719_468, 146_097)
    year = (day - day // 1_460 + day // 36_524 - day // 146_096) // 365
    day -= 365 * year + year // 4 - year // 100
    month = (5 * day + 2) // 153
    day -= (153 * month + 2) // 5 - 1
    month += 3 if month < 10 else -9
    year += era * 400 + (month <= 2)
    hours, minutes = divmod(rest // 60, 60)
    return f"{year:04}-{month:02}-{day:02}T{hours:02}:{minutes:02}:{rest % 60:02}Z"


def _present(known: Json) -> Json:
    return {name: value for name, value in known.items() if value is not None}
