"""Writes the list of models in OpenAI's form and in Anthropic's.

OpenAI's form has no pages, and is the default. Anthropic's form has pages, and is for clients that
send `anthropic-version`. Their clients cannot be told apart otherwise, because both send bearer
tokens now. Each form has everything else that is known of a model, and leaves out what is not.
OpenAI's form also has the price, with OpenRouter's names.

Sources, read 2026-11: platform.openai.com/docs/api-reference/models,
platform.claude.com/docs/en/api/models-list, openrouter.ai/docs/guides/overview/models.
"""

from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qs

from xtrix.calendar import timestamp
from xtrix.cards import ModelCard
from xtrix.errors import ClientError
from xtrix.providers import Price

Json = dict[str, Any]

_PAGE = 20
_LONGEST_PAGE = 1000


def is_anthropics(headers: Mapping[str, str]) -> bool:
    """Whether a client with these headers expects Anthropic's form."""
    return "anthropic-version" in headers


def encode_model(card: ModelCard, headers: Mapping[str, str]) -> Json:
    """One model, in the form for a client with these headers."""
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
    """The models of a page, and whether there are further ones."""
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
    """A model in OpenAI's form, in which every model has a date."""
    known = {
        "display_name": card.display_name,
        "context_length": card.context_window,
        "max_output_tokens": card.max_output,
        "pricing": _pricing(card.price) if card.price else None,
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
        "created_at": timestamp(card.created or 0),
        **_present(known),
    }


def _pricing(price: Price) -> Json:
    """The prices for one token in US dollars, as decimal strings.

    `max_prompt_tokens` is our own name: a longer prompt changes all prices.
    """
    rates = {
        "prompt": price.input,
        "completion": price.output,
        "input_cache_read": price.cached,
        "input_cache_write": price.cache_write,
        "input_cache_write_1h": price.cache_write_hour,
    }
    known = {name: _dollars_a_token(rate) for name, rate in _present(rates).items()}
    return {**known, **({"max_prompt_tokens": price.long.over} if price.long else {})}


def _dollars_a_token(rate: float) -> str:
    """Converts a price for a million tokens. `prices` calculates with the same twelve places."""
    return f"{rate / 1_000_000:.12f}".rstrip("0").rstrip(".")


def _present(known: Json) -> Json:
    return {name: value for name, value in known.items() if value is not None}
