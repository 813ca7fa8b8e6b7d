"""What a call costs, to the micro-dollar, against a table that was written by hand."""

import pytest

from xtrix.answer import Usage
from xtrix.prices import PRICES, cost, most, price_of
from xtrix.protocols.messages.answer import decode_usage
from xtrix.providers import Long, Price, Provider

ANTHROPIC = "https://api.anthropic.com/v1"
OPENAI = "https://api.openai.com/v1"
GEMINI = "https://generativelanguage.googleapis.com/v1beta/openai"
XAI = "https://api.x.ai/v1"
GROQ = "https://api.groq.com/openai/v1"


def reckoned(
    base_url: str, model: str, usage: Usage, tier: str | None = None, *rows: Price
) -> int | None:
    """The cost of `usage` at a provider; None if it is not known."""
    price = price_of(Provider("any", "openai", base_url, prices=rows), model)
    return None if price is None else cost(price, usage, tier)


HAND = [
    # 1,000 in at $3, 500 out at $15
    (ANTHROPIC, "claude-sonnet-4-6", Usage(1000, 500), None, 3_000 + 7_500),
    (ANTHROPIC, "claude-sonnet-4-6-20260217", Usage(1000, 500), "default", 10_500),
    # 100 plain at $3, 700 read at $0.30, 150 kept 5 minutes at $3.75, 50 an hour at $6, 10 at $15
    (
        ANTHROPIC,
        "claude-sonnet-4-6",
        Usage(1000, 10, cached=700, cache_written=200, cache_written_hour=50),
        None,
        300 + 210 + 563 + 300 + 150,  # 562.5, upwards
    ),
    # beyond 200,000 all of it costs more: $6 and $22.50
    (ANTHROPIC, "claude-sonnet-4-5", Usage(200_000, 1000), None, 600_000 + 15_000),
    (ANTHROPIC, "claude-sonnet-4-5", Usage(200_001, 1000), None, 1_200_006 + 22_500),
    (ANTHROPIC, "claude-haiku-5-5", Usage(100_000, 1000), None, 10_000 + 500),
    (ANTHROPIC, "claude-haiku-5-5", Usage(100_001, 1000), None, 50_001 + 2_500),  # 50,000.5
    (ANTHROPIC, "claude-opus-5-5", Usage(1000, 1000), "fast", 8_000 + 40_000),
    (ANTHROPIC, "claude-opus-5-5", Usage(1000, 1000), "priority", 4_000 + 20_000),
    (ANTHROPIC, "claude-opus-4-6", Usage(1000, 1000), "us", 5_500 + 27_500),
    (ANTHROPIC, "claude-sonnet-5-5", Usage(1000, 0, cached=500), "us", 1_100 + 55),
    (OPENAI, "gpt-5.4-2026-03-05", Usage(10_000, 100, cached=8_000), None, 5_000 + 2_000 + 1_500),
    (OPENAI, "gpt-5.4", Usage(300_000, 100), None, 1_500_000 + 2_250),
    (OPENAI, "gpt-5.4", Usage(1000, 100), "flex", 1_250 + 750),
    (OPENAI, "gpt-5.4", Usage(1000, 100), "priority", 5_000 + 3_000),
    (OPENAI, "gpt-5.5", Usage(1000, 100), "priority", 12_500 + 7_500),
    (OPENAI, "gpt-4o-mini", Usage(1000, 100), "priority", 250 + 100),
    (OPENAI, "gpt-4o-mini", Usage(1, 0), None, 1),  # 0.15, upwards: nothing is for nothing
    (OPENAI, "gpt-6.1-sol", Usage(1000, 0, cache_written=400), None, 1_200 + 1_000),
    # reasoning is part of what came out and is not charged twice
    (OPENAI, "o3", Usage(1000, 1000, reasoning=900), None, 2_000 + 8_000),
    (
        OPENAI,
        "gpt-audio",
        Usage(1000, 1000, prompt_audio=400, completion_audio=300),
        None,
        1_500 + 12_800 + 7_000 + 19_200,
    ),
    (GEMINI, "gemini-2.5-pro", Usage(200_001, 10), None, 500_003 + 150),  # 500,002.5
    (XAI, "grok-4.6", Usage(200_000, 10), None, 800_000 + 120),
    (GROQ, "openai/gpt-oss-120b", Usage(1000, 1000), None, 150 + 600),
    (GROQ, "openai/gpt-oss-120b", Usage(), None, 0),
]


@pytest.mark.parametrize(("base_url", "model", "usage", "tier", "wanted"), HAND)
def test_a_call_costs_what_was_reckoned_by_hand(
    base_url: str, model: str, usage: Usage, tier: str | None, wanted: int
) -> None:
    assert reckoned(base_url, model, usage, tier) == wanted


@pytest.mark.parametrize(
    ("base_url", "model", "usage", "tier"),
    [
        (OPENAI, "gpt-5.4-turbo", Usage(1, 1), None),  # is not gpt-5.4
        (OPENAI, "ft:gpt-4o:me", Usage(1, 1), None),
        (ANTHROPIC, "gpt-5.4", Usage(1, 1), None),  # is not what this endpoint charges
        ("http://127.0.0.1:8080/v1", "gpt-5.4", Usage(1, 1), None),
        ("https://api.openai.com.evil.test/v1", "gpt-5.4", Usage(1, 1), None),
        (OPENAI, "gpt-5.4", Usage(1, 1), "a-new-tier"),
        (ANTHROPIC, "claude-opus-4-5", Usage(1, 1), "us"),  # which it does not have
        (OPENAI, "gpt-4o", Usage(1, 1), "flex"),  # which it does not have
        (OPENAI, "gpt-4o", Usage(10, 1, prompt_audio=5), None),
        (OPENAI, "gpt-4o", Usage(10, 1, completion_audio=1), None),
    ],
)
def test_what_nobody_has_said_is_not_known_and_never_nothing(
    base_url: str, model: str, usage: Usage, tier: str | None
) -> None:
    assert reckoned(base_url, model, usage, tier) is None


def test_the_prices_of_a_row_go_before_the_table() -> None:
    rows = (Price("gpt-5.4", 1, 2), Price("*", 0, 0))
    assert reckoned(OPENAI, "gpt-5.4", Usage(1000, 1000), None, *rows) == 3_000
    assert reckoned(OPENAI, "anything", Usage(1000, 1000), None, *rows) == 0
    assert reckoned(OPENAI, "anything", Usage(1000, 1000), None, rows[0]) is None


def test_without_a_price_of_its_own_a_class_costs_what_input_does() -> None:
    usage = Usage(1000, 0, cached=500, cache_written=300, cache_written_hour=100)
    assert cost(Price("*", 2, 9), usage) == 2_000
    assert cost(Price("*", 2, 9, cache_write=3), usage) == 1_400 + 900


def test_what_an_upstream_counts_wrongly_never_costs_less_than_nothing() -> None:
    usage = Usage(10, 5, cached=900, cache_written=20, cache_written_hour=50, completion_audio=9)
    price = Price("*", 1, 1, cached=0, cache_write=1, cache_write_hour=2, audio_output=1)
    assert cost(price, usage) == 40 + 9


@pytest.mark.parametrize(("base_url", "model", "usage", "tier", "wanted"), HAND)
def test_nothing_costs_more_than_the_most_it_can(
    base_url: str, model: str, usage: Usage, tier: str | None, wanted: int
) -> None:
    price = price_of(Provider("any", "openai", base_url), model)
    assert price is not None
    assert most(price, usage.prompt, usage.completion) >= wanted


def test_the_most_that_a_call_can_cost_is_of_the_dearest_class_and_tier() -> None:
    price = Price("*", 3, 15, 0.3, 3.75, 6, long=Long(1000, 2, 1.5))
    assert most(price, 1000, 100) == 6_000 + 1_500
    assert most(price, 1001, 100) == 12_012 + 2_250
    tiers = {"flex": 0.5, "priority": 2}
    assert most(price._replace(tiers=tiers), 1000, 100) == 12_000 + 3_000
    assert most(price._replace(tiers={"flex": 0.5}), 1000, 100) == 6_000 + 1_500


ANTHROPICS = """
claude-fable-5-1   10   12.50  20   0.25  50
claude-fable-5     10   12.50  20   1     50
claude-opus-5-5    4    5      8    0.20  20
claude-opus-5      5    6.25   10   0.50  25
claude-opus-4-8    5    6.25   10   0.50  25
claude-opus-4-6    5    6.25   10   0.50  25
claude-opus-4-5    5    6.25   10   0.50  25
claude-opus-4-1    15   18.75  30   1.50  75
claude-sonnet-5-5  2    2.50   4    0.10  10
claude-sonnet-5    2    2.50   4    0.20  10
claude-sonnet-4-6  3    3.75   6    0.30  15
claude-haiku-5-5   0.10 0.125  0.20 0.01  0.50
claude-haiku-4-5   1    1.25   2    0.10  5
claude-3-5-haiku   0.80 1      1.60 0.08  4
claude-3-haiku     0.25 0.30   0.50 0.03  1.25
"""
"""Input, cache writes for five minutes and an hour, cache reads, output. From
platform.claude.com/docs/en/about-claude/pricing and …/about-claude/models, read 2026-11."""
XAIS = """
grok-4.7          2     6    0.50
grok-4.6          2     6    0.50
grok-4.5          2     6    0.30
grok-4.3          1.25  2.50 0.20
grok-build-0.1    1     2    0.20
grok-code-fast-1  1     2    0.20
"""
"""Input, output, cached input; twice as much from 200,000 tokens. From docs.x.ai/developers/pricing
and api.x.ai/v1/language-models, as litellm 1.110.2 and model-prices 0.0.5 quote them."""
GEMINIS = """
gemini-3.5-flash       1.50  9    0.15  0.75   4.50  2.70  16.20
gemini-3.5-flash-lite  0.30  2.50 0.03  0.15   1.25  0.54  4.50
gemini-3.1-flash-lite  0.25  1.50 0.025 0.125  0.75  0.45  2.70
gemini-2.5-pro         1.25  10   0.125 0.625  5     2.25  18
gemini-2.5-flash       0.30  2.50 0.03  0.15   1.25  0.54  4.50
"""
"""Input, output, cached input; input and output of `flex` and of `priority`. From
ai.google.dev/gemini-api/docs/pricing, as litellm 1.110.2 quotes it."""


def _written(table: str) -> list[tuple[str, list[float]]]:
    rows = (line.split() for line in table.strip().splitlines())
    return [(model, [*map(float, prices)]) for model, *prices in rows]


@pytest.mark.parametrize(("model", "prices"), _written(ANTHROPICS))
def test_anthropics_prices(model: str, prices: list[float]) -> None:
    row = price_of(Provider("any", "anthropic", ANTHROPIC), model)
    assert row is not None
    found = [row.input, row.cache_write, row.cache_write_hour, row.cached, row.output]
    assert found == pytest.approx(prices)


@pytest.mark.parametrize(("model", "prices"), _written(XAIS))
def test_xais_prices(model: str, prices: list[float]) -> None:
    row = price_of(Provider("any", "openai", XAI), model)
    assert row is not None
    assert [row.input, row.output, row.cached] == prices
    assert row.long == Long(199_999, 2, 2)


@pytest.mark.parametrize(("model", "prices"), _written(GEMINIS))
def test_geminis_prices(model: str, prices: list[float]) -> None:
    row = price_of(Provider("any", "openai", GEMINI), model)
    assert row is not None
    usual, tiers = [row.input, row.output], [row.tiers["flex"], row.tiers["priority"]]
    of_tiers = [rate * factor for factor in tiers for rate in usual]
    assert [*usual, row.cached, *of_tiers] == pytest.approx(prices)


def test_a_place_costs_more_in_every_tier() -> None:
    price = price_of(Provider("any", "anthropic", ANTHROPIC), "claude-opus-5-5")
    assert price is not None
    usage = Usage(1000, 1000)
    assert cost(price, usage, "fast", "us") == 8_800 + 44_000
    assert cost(price, usage, "fast", "global") == 8_000 + 40_000
    assert cost(price, usage, "fast", "mars") is None
    # the dearest kind of input is written for an hour, at $8
    assert most(price, 1000, 1000) == 17_600 + 44_000
    assert most(price, 1000, 1000, ["us"]) == 8_800 + 22_000
    assert most(price, 1000, 1000, ["us", "fast"]) == 17_600 + 44_000
    assert most(price, 1000, 1000, ["standard"]) == 8_000 + 20_000


def test_the_hour_of_the_cache_is_read_from_the_usage_of_messages() -> None:
    said = {
        "input_tokens": 5,
        "cache_creation_input_tokens": 300,
        "cache_creation": {"ephemeral_5m_input_tokens": 200, "ephemeral_1h_input_tokens": 100},
    }
    usage = decode_usage(said)
    assert (usage.prompt, usage.cache_written, usage.cache_written_hour) == (305, 300, 100)


@pytest.mark.parametrize("base_url", PRICES)
def test_each_table_names_a_model_once_and_has_no_price_that_makes_no_sense(base_url: str) -> None:
    table = PRICES[base_url]
    assert len({row.pattern for row in table}) == len(table)
    for row in table:
        assert 0 < row.input <= row.output, row
        assert row.cached is None or 0 < row.cached < row.input, row
        assert not set("*?[") & set(row.pattern), "an id, for a pattern would price what is new"
