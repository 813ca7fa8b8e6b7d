"""The prices of models, as data, and the cost of an answer.

It has the list prices of the providers that docs/providers.md has rows for, each for the endpoint
that charges them. A row's own `prices` come first. A model in neither has no price, which is None
and never zero. Charges besides tokens (searches, containers, storage) are not known here.

Each table names the vendor's page, and what its rows were compared with, and when: `genai-prices`
0.2.3 (2026-11), `litellm` 1.110.2 (2026-11) and `model-prices` 0.0.5 (2026-10), which are packages
of others, and the vendors' pages as they are quoted or stored elsewhere. docs/keys.md says which
rows have only one source, and where these differ.
"""

import fnmatch
import functools
import re
from collections.abc import Iterable
from typing import Any

from xtrix.answer import Served, Usage
from xtrix.providers import Long, Price, Provider

_PER_DOLLAR = 1_000_000
_NOT_LONG = Long(0)
_MOST_KNOWN = 1_000
_USUAL_TIERS = frozenset(
    {
        *("", "auto", "default", "standard", "standard_only", "on_demand", "scale"),
        *("global", "not_available"),
    }
)
"""`scale` is capacity that is paid for in another way. Its tokens count at the usual price. The
last two are places, of `inference_geo`."""
_PLACES = frozenset({"us"})
"""The values of Anthropic's `inference_geo` that cost more. Their factor is multiplied by that of
the tier."""
TIER_FIELDS = ("service_tier", "speed", "inference_geo")
"""The fields of a request that change what its tokens cost."""
_DATE = re.compile(r"-(20\d\d-\d\d-\d\d|20\d{6}|latest)$")


def _claude(model: str, base: float, output: float, cached: float, **more: object) -> Price:
    """A model of Anthropic. A cache write for five minutes costs a quarter more, for an hour twice.

    `priority` is capacity that is paid for in another way; `fast` is the `speed` of that name. What
    is worked out in the US only (`inference_geo`) costs a tenth more, unless the model is older.
    """
    tiers = {"priority": 1.0, **({"fast": 2.0} if more.get("fast") else {})}
    tiers |= {} if more.get("older") else {"us": 1.1}
    long = Long(100_000, 5, 5) if more.get("short") else None
    return Price(model, base, output, cached, base * 5 / 4, base * 2, long=long, tiers=tiers)


# https://platform.claude.com/docs/en/about-claude/pricing; the last three are retired there.
# 2026-11, all three packages, except for Fable 5.2 and Mythos 5.2, which only genai-prices has.
# 2026-11, …/docs/en/models: Fable 5.1, Opus 5 and 5.5, Sonnet 5 and 5.5, Haiku 4.5 and 5.5 with its
# long prompts; …/build-with-claude/fast-mode: which of the Opus have `fast`.
_ANTHROPIC = (
    _claude("claude-fable-5-2", 8, 40, 0.2, fast=True),
    _claude("claude-mythos-5-2", 8, 40, 0.2, fast=True),
    _claude("claude-fable-5-1", 10, 50, 0.25),
    _claude("claude-mythos-5-1", 10, 50, 0.25),
    _claude("claude-fable-5", 10, 50, 1),
    _claude("claude-mythos-5", 10, 50, 1),
    _claude("claude-opus-5-5", 4, 20, 0.2, fast=True),
    _claude("claude-opus-5", 5, 25, 0.5, fast=True),
    _claude("claude-opus-4-8", 5, 25, 0.5, fast=True),
    _claude("claude-opus-4-7", 5, 25, 0.5),
    _claude("claude-opus-4-6", 5, 25, 0.5),
    _claude("claude-opus-4-5", 5, 25, 0.5, older=True),
    _claude("claude-opus-4-1", 15, 75, 1.5, older=True),
    _claude("claude-opus-4-0", 15, 75, 1.5, older=True),
    _claude("claude-opus-4", 15, 75, 1.5, older=True),
    _claude("claude-sonnet-5-5", 2, 10, 0.1),
    _claude("claude-sonnet-5", 2, 10, 0.2),
    _claude("claude-sonnet-4-6", 3, 15, 0.3),
    _claude("claude-sonnet-4-5", 3, 15, 0.3, older=True)._replace(long=Long(200_000, 2, 1.5)),
    _claude("claude-sonnet-4-0", 3, 15, 0.3, older=True),
    _claude("claude-sonnet-4", 3, 15, 0.3, older=True),
    _claude("claude-haiku-5-5", 0.1, 0.5, 0.01, short=True),
    _claude("claude-haiku-4-5", 1, 5, 0.1, older=True),
    _claude("claude-3-7-sonnet", 3, 15, 0.3, older=True),
    _claude("claude-3-5-haiku", 0.8, 4, 0.08, older=True),
    Price("claude-3-haiku", 0.25, 1.25, 0.03, 0.3, 0.5),
)

_OVER_272K = Long(272_000, 2, 1.5)
_FLEX = {"flex": 0.5}


def _gpt(  # noqa: PLR0913 - a row of a table
    model: str,
    base: float,
    output: float,
    cached: float | None = None,
    *,
    fast: float = 0,
    flex: bool = True,
    long: Long | None = None,
    write: float | None = None,
) -> Price:
    """A model of OpenAI. `fast` is the factor for the tiers `priority` and `fast`."""
    tiers = {**(_FLEX if flex else {}), **({"priority": fast, "fast": fast} if fast else {})}
    return Price(model, base, output, cached, write, long=long, tiers=tiers)


def _gpt_6(model: str, base: float, output: float, cached: float, **more: float) -> Price:
    """A model since GPT-5.6: cache writes cost a quarter more."""
    price = _gpt(model, base, output, cached, fast=2, long=_OVER_272K, write=base * 5 / 4)
    return price._replace(tiers={**price.tiers, **more})


# https://developers.openai.com/api/docs/pricing. 2026-11, all three packages, with the tiers, but
# only genai-prices has `priority` for the Codex models of GPT-5, 5.1 and 5.2. 2026-10,
# …/guides/ultrafast-mode and what quotes it: `ultrafast` makes GPT-6 Astra and GPT-6.1 Sol six
# times as dear, which litellm has too.
_OPENAI = (
    _gpt_6("gpt-6.1-sol", 2, 10, 0.1, ultrafast=6),
    _gpt_6("gpt-6.1-terra", 1, 5, 0.05),
    _gpt_6("gpt-6-astra", 10, 50, 1, ultrafast=6),
    _gpt_6("gpt-6-sol", 2, 10, 0.2),
    _gpt_6("gpt-6-luna", 0.1, 0.5, 0.01),
    _gpt_6("gpt-5.6-sol", 4, 20, 0.4),
    _gpt_6("gpt-5.6-terra", 2, 12, 0.2),
    _gpt_6("gpt-5.6-luna", 0.2, 1.2, 0.02),
    _gpt("gpt-5.5", 5, 30, 0.5, fast=2.5, long=_OVER_272K),
    _gpt("gpt-5.5-pro", 30, 180, long=_OVER_272K),
    _gpt("gpt-5.4", 2.5, 15, 0.25, fast=2, long=_OVER_272K),
    _gpt("gpt-5.4-mini", 0.75, 4.5, 0.075, fast=2),
    _gpt("gpt-5.4-nano", 0.2, 1.25, 0.02),
    _gpt("gpt-5.4-pro", 30, 180, long=_OVER_272K),
    _gpt("gpt-5.3-codex", 1.75, 14, 0.175, fast=2, flex=False),
    _gpt("gpt-5.2", 1.75, 14, 0.175, fast=2),
    _gpt("gpt-5.2-codex", 1.75, 14, 0.175, fast=2, flex=False),
    _gpt("gpt-5.2-pro", 21, 168, flex=False),
    _gpt("gpt-5.1", 1.25, 10, 0.125, fast=2),
    _gpt("gpt-5.1-codex", 1.25, 10, 0.125, fast=2, flex=False),
    _gpt("gpt-5.1-codex-mini", 0.25, 2, 0.025, flex=False),
    _gpt("gpt-5", 1.25, 10, 0.125, fast=2),
    _gpt("gpt-5-codex", 1.25, 10, 0.125, fast=2, flex=False),
    _gpt("gpt-5-mini", 0.25, 2, 0.025, fast=0.45 / 0.25),
    _gpt("gpt-5-nano", 0.05, 0.4, 0.005),
    _gpt("gpt-5-pro", 15, 120, flex=False),
    _gpt("gpt-4.1", 2, 8, 0.5, fast=1.75, flex=False),
    _gpt("gpt-4.1-mini", 0.4, 1.6, 0.1, fast=1.75, flex=False),
    _gpt("gpt-4.1-nano", 0.1, 0.4, 0.025, fast=2, flex=False),
    _gpt("gpt-4o-2024-05-13", 5, 15, fast=1.75, flex=False),
    _gpt("gpt-4o", 2.5, 10, 1.25, fast=1.7, flex=False),
    _gpt("gpt-4o-mini", 0.15, 0.6, 0.075, fast=0.25 / 0.15, flex=False),
    Price("gpt-audio", 2.5, 10, audio_input=32, audio_output=64),
    Price("gpt-audio-mini", 0.6, 2.4, audio_input=10, audio_output=20),
    Price("gpt-4-turbo", 10, 30),
    Price("gpt-4", 30, 60),
    Price("gpt-4-0613", 30, 60),
    Price("gpt-3.5-turbo", 0.5, 1.5),
    Price("gpt-3.5-turbo-0125", 0.5, 1.5),
    _gpt("o4-mini", 1.1, 4.4, 0.275, fast=2 / 1.1),
    _gpt("o4-mini-deep-research", 2, 8, 0.5, flex=False),
    _gpt("o3", 2, 8, 0.5, fast=1.75),
    _gpt("o3-deep-research", 10, 40, 2.5, flex=False),
    _gpt("o3-mini", 1.1, 4.4, 0.55, flex=False),
    _gpt("o3-pro", 20, 80, flex=False),
    _gpt("o1", 15, 60, 7.5, flex=False),
    _gpt("o1-pro", 150, 600, flex=False),
)

_OVER_200K = Long(200_000, 2, 1.5)
_GEMINI_TIERS = {"flex": 0.5, "priority": 1.8}


def _gemini(model: str, base: float, output: float, cached: float, **more: Any) -> Price:
    """A model of Google's Gemini API."""
    return Price(model, base, output, cached, tiers=_GEMINI_TIERS, **more)


# https://ai.google.dev/gemini-api/docs/pricing. Discounts that end within 2026 are left out: until
# then 4 Argon and 3.6, 3.7 and 3.8 Flash cost half. 2026-11, genai-prices and litellm, the latter
# with the tiers, which …/docs/optimization describes; model-prices without tiers and audio.
_GEMINI = (
    _gemini("gemini-4-argon", 4, 20, 0.2),
    *(_gemini(f"gemini-3.{minor}-flash", 1.5, 7.5, 0.15) for minor in (6, 7, 8)),
    _gemini("gemini-3.5-flash", 1.5, 9, 0.15, audio_input=1.5),
    _gemini("gemini-3.5-flash-lite", 0.3, 2.5, 0.03),
    _gemini("gemini-3.1-pro-preview", 2, 12, 0.2, long=_OVER_200K),
    _gemini("gemini-3.1-flash-lite", 0.25, 1.5, 0.025, audio_input=0.5),
    _gemini("gemini-3-pro-preview", 2, 12, 0.2, long=_OVER_200K),
    _gemini("gemini-3-flash-preview", 0.5, 3, 0.05, audio_input=1),
    _gemini("gemini-2.5-pro", 1.25, 10, 0.125, long=_OVER_200K),
    _gemini("gemini-2.5-flash", 0.3, 2.5, 0.03, audio_input=1),
    _gemini("gemini-2.5-flash-lite", 0.1, 0.4, 0.01, audio_input=0.3),
)

# https://console.groq.com/docs/models. 2026-11, genai-prices; litellm: both gpt-oss and
# qwen3.8-27b; 2026-10, the page as it is quoted: gpt-oss-120b. The others have only one source.
_GROQ = (
    Price("llama-3.1-8b-instant", 0.05, 0.08),
    Price("llama-3.3-70b-versatile", 0.59, 0.79),
    Price("meta-llama/llama-4-scout-17b-16e-instruct", 0.11, 0.34),
    Price("meta-llama/llama-4-maverick-17b-128e-instruct", 0.2, 0.6),
    Price("openai/gpt-oss-120b", 0.15, 0.6, 0.075),
    Price("openai/gpt-oss-20b", 0.075, 0.3, 0.0375),
    Price("qwen/qwen3-32b", 0.29, 0.59),
    Price("qwen/qwen3.8-27b", 0.8, 4),
)

# https://mistral.ai/pricing/api. A name that ends in -latest is the newest of its kind that month.
# 2026-11, genai-prices and litellm, which lacks Devstral; model-prices, which lacks the other names
# of Medium 3.5.
_MISTRAL = (
    Price("mistral-large-2512", 0.5, 1.5, 0.05),
    Price("mistral-medium-3-5", 1.5, 7.5, 0.15),
    Price("mistral-medium-3.5", 1.5, 7.5, 0.15),
    Price("mistral-medium-latest", 1.5, 7.5, 0.15),
    Price("mistral-small-2603", 0.15, 0.6, 0.015),
    Price("mistral-small-latest", 0.15, 0.6, 0.015),
    Price("ministral-14b-2512", 0.2, 0.2, 0.02),
    Price("ministral-8b-2512", 0.15, 0.15, 0.015),
    Price("ministral-8b-latest", 0.15, 0.15, 0.015),
    Price("ministral-3b-2512", 0.1, 0.1, 0.01),
    Price("codestral-2508", 0.3, 0.9, 0.03),
    Price("devstral-2512", 0.4, 2, 0.04),
)

# https://api-docs.deepseek.com/quick_start/pricing (2026-10-27: all). These are the prices of its
# busy hours, as in litellm (2026-11). At other hours it charges half, as in model-prices.
_DEEPSEEK = (
    Price("deepseek-v4-flash", 0.3, 1.2, 0.006),
    Price("deepseek-flash", 0.3, 1.2, 0.006),
    Price("deepseek-v4-pro", 1.32, 3.96, 0.044),
)

_FROM_200K = Long(199_999, 2, 2)
# https://docs.x.ai/developers/pricing. 2026-11, litellm, which reads the vendor's own list
# (api.x.ai/v1/language-models), and model-prices. grok-code-fast-1 is retired: since 2026-05-15 it
# is another name of Grok Build (docs.x.ai/developers/migration/may-15-retirement).
_XAI = (
    Price("grok-4.7", 2, 6, 0.5, long=_FROM_200K),
    Price("grok-4.6", 2, 6, 0.5, long=_FROM_200K),
    Price("grok-4.5", 2, 6, 0.3, long=_FROM_200K),
    Price("grok-4.3", 1.25, 2.5, 0.2, long=_FROM_200K),
    Price("grok-4.20", 1.25, 2.5, 0.2, long=_FROM_200K),
    Price("grok-build-0.1", 1, 2, 0.2, long=_FROM_200K),
    Price("grok-code-fast-1", 1, 2, 0.2, long=_FROM_200K),
)

PRICES: dict[str, tuple[Price, ...]] = {
    "https://api.anthropic.com/*": _ANTHROPIC,
    "https://gateway.ai.cloudflare.com/*/anthropic*": _ANTHROPIC,
    "https://api.openai.com/*": _OPENAI,
    "https://gateway.ai.cloudflare.com/*/openai*": _OPENAI,
    "https://generativelanguage.googleapis.com/*": _GEMINI,
    "https://api.groq.com/*": _GROQ,
    "https://api.mistral.ai/*": _MISTRAL,
    "https://api.deepseek.com*": _DEEPSEEK,
    "https://api.x.ai/*": _XAI,
}
"""By a pattern of base URLs, because the price depends on who is called and not on the model's
name."""


def price_of(provider: Provider, model: str) -> Price | None:
    """The price of the upstream's `model` at `provider`; None if it is not known.

    The row's own prices come first. The table has ids. An id with a date costs the same as the one
    without, unless the table has it too.
    """
    own = (row for row in provider.prices if fnmatch.fnmatchcase(model, row.pattern))
    return next(own, None) or _listed(provider.base_url, model)


@functools.lru_cache(maxsize=256)
def _listed(base_url: str, model: str) -> Price | None:
    where = (table for url, table in PRICES.items() if fnmatch.fnmatchcase(base_url, url))
    known = {row.pattern: row for row in next(where, ())}
    return known.get(model) or known.get(_DATE.sub("", model))


class Tariff:
    """The price of one model, with values that almost every call needs, computed once."""

    __slots__ = ("_dearest", "_plain", "price")

    def __init__(self, price: Price) -> None:
        self.price = price
        self._plain = _micros(price.input, 1), _micros(price.output, 1)
        inside, outside = _dearest(price)
        self._dearest = _micros(inside, 1), _micros(outside, 1)

    def cost(
        self, usage: Usage, service_tier: str | None = None, place: str | None = None
    ) -> int | None:
        """See `cost`."""
        is_plain = not (usage.cached or usage.cache_written or usage.prompt_audio)
        if service_tier or place or usage.completion_audio or not is_plain or self.price.long:
            return cost(self.price, usage, service_tier, place)
        inside, outside = self._plain
        return _per_million(usage.prompt * inside + usage.completion * outside)

    def most(
        self, input_tokens: int, output_tokens: int, tiers: Iterable[str] | None = None
    ) -> int:
        """See `most`."""
        if self.price.long or tiers or (tiers is None and self.price.tiers):
            return most(self.price, input_tokens, output_tokens, tiers)
        inside, outside = self._dearest
        return _per_million(input_tokens * inside + output_tokens * outside)


class PriceList:
    """The prices of the models of one configuration."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, str], Tariff | None] = {}

    def of(self, provider: Provider, model: str) -> Tariff | None:
        """The price of the upstream's `model` at `provider`; None if it is not known."""
        name = provider.name, model
        try:
            return self._known[name]
        except KeyError:
            if len(self._known) >= _MOST_KNOWN:  # there are endless names
                self._known.clear()
            price = price_of(provider, model)
            tariff = self._known[name] = Tariff(price) if price else None
            return tariff


def is_usual(service_tier: str) -> bool:
    """Whether a tier has the usual price."""
    return service_tier in _USUAL_TIERS


def are_usual(served: Served) -> bool:
    """Whether an answer that was `served` so has the usual price."""
    return not served or _USUAL_TIERS.issuperset(served.values())


def has_tier(price: Price, service_tier: str) -> bool:
    """Whether the price of a tier, or of Anthropic's `speed`, is known."""
    return _factor(price, service_tier) is not None


def cost(
    price: Price, usage: Usage, service_tier: str | None = None, place: str | None = None
) -> int | None:
    """The cost of `usage` in micro-dollars, rounded up; None if a tier or audio has no price.

    `service_tier` is the one that was used, by OpenAI's name; None means the usual one. `fast` is
    also Anthropic's `speed`. `place` is its `inference_geo`.
    """
    of_tier, of_place = _factor(price, service_tier or ""), _factor(price, place or "")
    if of_tier is None or of_place is None:
        return None
    factor = of_tier * of_place
    long = price.long if price.long and usage.prompt > price.long.over else _NOT_LONG
    total = 0
    for rates, more in ((_inside(price, usage), long.input), (_outside(price, usage), long.output)):
        for rate, tokens in rates:
            if tokens:
                if rate is None:
                    return None
                total += tokens * _micros(rate, more * factor)
    return _per_million(total)


def most(
    price: Price, input_tokens: int, output_tokens: int, tiers: Iterable[str] | None = None
) -> int:
    """The most micro-dollars that so many tokens can cost, rounded up.

    Every token counts as the most expensive kind, in the most expensive of `tiers` and the usual
    one, and in the most expensive place among them. None means all tiers.
    """
    asked = price.tiers.keys() if tiers is None else {*tiers}
    factor = _most_of(price, asked - _PLACES) * _most_of(price, asked & _PLACES)
    long = price.long if price.long and input_tokens > price.long.over else _NOT_LONG
    dearest_in, dearest_out = _dearest(price)
    return _per_million(
        input_tokens * _micros(dearest_in, max(1, long.input) * factor)
        + output_tokens * _micros(dearest_out, max(1, long.output) * factor)
    )


def _factor(price: Price, tier: str) -> float | None:
    """The factor of a tier or a place; None if it is not known."""
    return 1.0 if is_usual(tier) else price.tiers.get(tier)


def _most_of(price: Price, tiers: Iterable[str]) -> float:
    """The factor of the most expensive of `tiers` and the usual one."""
    return max([1.0, *(price.tiers.get(tier, 1.0) for tier in tiers)])


def _dearest(price: Price) -> tuple[float, float]:
    """The prices of the most expensive kinds of input and output tokens."""
    written = max(price.cache_write or 0, price.cache_write_hour or 0)
    inside = max(price.input, price.cached or 0, written, price.audio_input or 0)
    return inside, max(price.output, price.audio_output or 0)


def _micros(rate: float, factor: float) -> int:
    """Micro-dollars for a million tokens, as whole numbers.

    Sums of fractions would not be exact.
    """
    return round(rate * factor * _PER_DOLLAR)


def _per_million(total: int) -> int:
    """Micro-dollars, from the cost of a million times as many tokens."""
    return -(-total // 1_000_000)


_Rates = tuple[tuple[float | None, int], ...]
"""Kinds of tokens: the price of a million, and how many there were."""


def _outside(price: Price, usage: Usage) -> _Rates:
    audio = usage.completion_audio
    if not audio:
        return ((price.output, usage.completion),)
    return (price.output, max(0, usage.completion - audio)), (price.audio_output, audio)


def _inside(price: Price, usage: Usage) -> _Rates:
    cached, written, audio = usage.cached, usage.cache_written, usage.prompt_audio
    if not (cached or written or audio):
        return ((price.input, usage.prompt),)
    plain = usage.prompt - cached - written - audio
    hour = min(usage.cache_written_hour, written)
    write = price.input if price.cache_write is None else price.cache_write
    return (
        (price.input, max(0, plain)),
        (price.input if price.cached is None else price.cached, cached),
        (write, written - hour),
        (write if price.cache_write_hour is None else price.cache_write_hour, hour),
        (price.audio_input, audio),
    )
