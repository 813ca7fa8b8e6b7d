"""Rows as they are: which protocol a call takes."""

import pytest

from xtrix.providers import Needs, Provider, ResponsesRule, protocol_of

TOOLS = Needs(tools=True)
EFFORT = Needs(tools=True, effort="low")
NO_EFFORT = Needs(tools=True, effort="none")
RULES = (
    ResponsesRule("*-pro"),
    ResponsesRule("gpt-5.4*", "effort"),
    ResponsesRule("gpt-5.5*", "tools"),
    ResponsesRule("gpt-*.5*"),
)


def row(dialect: str = "openai", rules: tuple[ResponsesRule, ...] = RULES) -> Provider:
    return Provider("p", dialect, "https://p.test", responses=rules)


@pytest.mark.parametrize(
    ("dialect", "protocol"),
    [("anthropic", "messages"), ("openai", "chat"), ("openai-responses", "responses")],
)
def test_a_row_that_speaks_one(dialect: str, protocol: str) -> None:
    for client in ("chat", "messages", "responses"):
        needs = Needs(client, tools=True, effort="high")
        assert protocol_of(row(dialect, ()), "gpt-5.5", needs) == protocol
        assert protocol_of(row(dialect, ()), "gpt-5.5", Needs(client, chat_only=True)) == protocol


@pytest.mark.parametrize(
    ("model", "needs", "protocol"),
    [
        ("gpt-4.1", EFFORT, "chat"),
        ("gpt-4.1", Needs("messages", tools=True), "chat"),
        ("gpt-4.1", Needs("responses"), "responses"),
        ("o1-pro", Needs(), "responses"),
        ("gpt-5.5-pro", Needs(), "responses"),
        ("gpt-5.4", Needs(), "chat"),
        ("gpt-5.4", Needs(effort="high"), "chat"),
        ("gpt-5.4", TOOLS, "chat"),
        ("gpt-5.4", NO_EFFORT, "chat"),
        ("gpt-5.4-mini", EFFORT, "responses"),
        ("gpt-5.5", Needs(effort="high"), "chat"),
        ("gpt-5.5", TOOLS, "responses"),
        ("gpt-5.5", EFFORT, "responses"),
        ("gpt-5.5", NO_EFFORT, "chat"),
        ("gpt-5.5", Needs("messages", tools=True), "responses"),
        ("gpt-5.5", Needs(tools=True, chat_only=True), "chat"),
        ("gpt-7.5", Needs(), "responses"),
        ("gpt-7.5", Needs(chat_only=True), "chat"),
    ],
    ids=str,
)
def test_a_row_that_speaks_two(model: str, needs: Needs, protocol: str) -> None:
    assert protocol_of(row(), model, needs) == protocol
