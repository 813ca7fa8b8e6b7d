"""`response_format` and `reasoning_effort`, for what each model has."""

from typing import Any

import pytest

from tests.protocols.messages.encoding import (
    ADAPTIVE,
    BUDGET,
    CALL,
    CALLED,
    FUNCTION,
    NEWEST,
    OLD,
    RESULT,
    USER,
    encoded,
    refused,
    sent,
)
from xtrix.errors import ClientError
from xtrix.prompt import OutputFormat
from xtrix.protocols.messages.output import encode_format
from xtrix.providers import Family

SCHEMA = {"type": "object", "properties": {"a": {"type": "integer"}}}
CLOSED = {**SCHEMA, "additionalProperties": False}
WANTED = {"type": "json_schema", "json_schema": {"name": "thing", "schema": SCHEMA}}


# Structured output


@pytest.mark.parametrize("said", [None, {"type": "text"}])
def test_text_asks_for_nothing(said: object) -> None:
    assert sent(response_format=said) == sent()


@pytest.mark.parametrize("model", [BUDGET, ADAPTIVE, NEWEST, "claude-unknown"])
def test_a_schema_where_the_model_has_structured_output(model: str) -> None:
    body = sent(model, response_format=WANTED)
    assert body["output_config"] == {"format": {"type": "json_schema", "schema": CLOSED}}
    assert "tools" not in body
    assert encoded(model, response_format=WANTED).expected.answer_tool is None


def test_a_schema_where_it_has_not_is_a_tool_that_must_be_called() -> None:
    body = sent(OLD, response_format=WANTED)
    (tool,) = body["tools"]
    assert tool["name"] == "json_tool_call"
    assert tool["input_schema"] == SCHEMA
    assert body["tool_choice"] == {"type": "tool", "name": "json_tool_call"}
    assert encoded(OLD, response_format=WANTED).expected.answer_tool == "json_tool_call"


def wanted(properties: dict[str, Any], *required: str) -> dict[str, Any]:
    """A `response_format` with these properties."""
    schema = {"type": "object", "properties": properties, "required": list(required)}
    return {"type": "json_schema", "json_schema": {"name": "thing", "schema": schema}}


def many(count: int, schema: object) -> dict[str, Any]:
    return {f"p{number}": schema for number in range(count)}


@pytest.mark.parametrize("either", [{"type": ["string", "null"]}, {"oneOf": [{}, {}]}])
@pytest.mark.parametrize("model", [BUDGET, ADAPTIVE])
def test_a_schema_too_large_for_a_grammar_is_a_tool_too(model: str, either: object) -> None:
    fitting = [wanted(many(24, {})), wanted(many(16, either), *many(16, either))]
    for said in fitting:
        assert "output_config" in sent(model, response_format=said)
    for said in (wanted(many(25, {})), wanted(many(17, either), *many(17, either))):
        body = sent(model, response_format=said)
        assert "output_config" not in body
        assert body["tool_choice"] == {"type": "tool", "name": "json_tool_call"}
        assert body["tools"][0]["input_schema"] == said["json_schema"]["schema"]
        assert encoded(model, response_format=said).expected.answer_tool == "json_tool_call"


MAP = {"type": "object", "additionalProperties": {"type": "number"}}
OPEN: dict[str, Any] = {
    "a map": {"type": "object", "properties": {"scores": MAP}},
    "a map at the root": MAP,
    "any object": {
        "type": "object",
        "properties": {"a": {"type": "array", "items": {"type": "object"}}},
    },
    "any object or null": {"type": "object", "properties": {"a": {"type": ["object", "null"]}}},
    "open beside its properties": {**SCHEMA, "additionalProperties": True},
    "patterns": {**SCHEMA, "patternProperties": {"^x": {}}},
    "in a definition": {**SCHEMA, "$defs": {"m": MAP}},
    "two unions": {**SCHEMA, "oneOf": [{}], "anyOf": [{}]},
}


@pytest.mark.parametrize("schema", OPEN.values(), ids=OPEN)
@pytest.mark.parametrize("model", [OLD, BUDGET, ADAPTIVE])
def test_what_a_grammar_would_close_is_a_tool_with_the_schema_untouched(
    model: str, schema: dict[str, Any]
) -> None:
    said = {"type": "json_schema", "json_schema": {"name": "x", "schema": schema}}
    body = sent(model, response_format=said)
    assert "output_config" not in body
    assert body["tools"][0]["input_schema"] == schema
    assert body["tool_choice"] == {"type": "tool", "name": "json_tool_call"}


@pytest.mark.parametrize("schema", [None, {}, *OPEN.values()])
def test_what_a_grammar_would_close_is_refused_where_no_tool_can_be_forced(schema: object) -> None:
    said = {"type": "json_schema", "json_schema": {"name": "x", "schema": schema}}
    assert refused(NEWEST, response_format=said).param == "response_format"


@pytest.mark.parametrize("model", [OLD, BUDGET, ADAPTIVE])
def test_no_schema_is_any_object(model: str) -> None:
    body = sent(model, response_format={"type": "json_schema", "json_schema": {"name": "x"}})
    assert body["tools"][0]["input_schema"] == {"type": "object"}


def test_where_no_tool_can_be_forced_the_upstream_judges_the_schema() -> None:
    body = sent(NEWEST, response_format=wanted(many(25, {})))
    assert "tools" not in body
    assert len(body["output_config"]["format"]["schema"]["properties"]) == 25


def test_a_schema_that_became_a_tool_takes_no_room_from_strict_ones() -> None:
    tool = {"type": "function", "function": {"name": "f", "strict": True}}
    body = sent(response_format=wanted(many(25, {})), tools=[tool])
    assert [tool.get("strict") for tool in body["tools"]] == [True, None]


def test_where_no_other_tool_may_be_called_the_answers_is_the_one() -> None:
    body = sent(OLD, response_format=WANTED, tools=[FUNCTION], tool_choice="none")
    assert body["tool_choice"] == {"type": "tool", "name": "json_tool_call"}


def test_beside_other_tools_one_of_them_must_be_called() -> None:
    body = sent(OLD, response_format=WANTED, tools=[FUNCTION], parallel_tool_calls=False)
    assert [tool["name"] for tool in body["tools"]] == ["look_up", "json_tool_call"]
    assert body["tool_choice"] == {"type": "any", "disable_parallel_tool_use": True}


def test_a_schemas_own_description() -> None:
    wanted = {"type": "json_schema", "json_schema": {"name": "x", "description": "A thing."}}
    (tool,) = sent(OLD, response_format=wanted)["tools"]
    assert tool["description"] == "A thing."
    assert tool["input_schema"]["type"] == "object"


def test_a_model_with_neither_refuses() -> None:
    with pytest.raises(ClientError) as caught:
        encode_format(
            OutputFormat("json_schema", "x"), Family("*", structured=False, forced_tools=False)
        )
    assert (caught.value.code, caught.value.param) == ("unsupported_value", "response_format")


@pytest.mark.parametrize("model", [OLD, BUDGET, NEWEST])
def test_any_json_object_is_asked_for_in_words(model: str) -> None:
    system = {"role": "system", "content": "Be brief."}
    body = sent(model, response_format={"type": "json_object"}, messages=[system, USER])
    assert [block["text"] for block in body["system"]] == [
        "Be brief.",
        "Reply with one JSON object and nothing else.",
    ]


# Thinking


@pytest.mark.parametrize(
    ("effort", "budget"),
    [
        *(("minimal", 1024), ("low", 1024), ("medium", 2048), ("high", 4096)),
        *(("xhigh", 8192), ("max", 16384)),
    ],
)
def test_budgets(effort: str, budget: int) -> None:
    body = sent(BUDGET, reasoning_effort=effort)
    assert body["thinking"] == {"type": "enabled", "budget_tokens": budget}
    assert body["max_tokens"] > budget
    assert encoded(BUDGET, reasoning_effort=effort).ignored == ()


@pytest.mark.parametrize(
    ("effort", "word", "named"),
    [
        *(("minimal", "low", ()), ("low", "low", ()), ("medium", "medium", ())),
        *(("high", "high", ()), ("xhigh", "high", ("reasoning_effort",))),
        ("max", "high", ("reasoning_effort",)),
    ],
)
def test_efforts(effort: str, word: str, named: tuple[str, ...]) -> None:
    body = sent(ADAPTIVE, reasoning_effort=effort)
    assert body["thinking"] == {"type": "adaptive", "display": "summarized"}
    assert body["output_config"] == {"effort": word}
    assert encoded(ADAPTIVE, reasoning_effort=effort).ignored == named


@pytest.mark.parametrize("effort", ["xhigh", "max"])
def test_efforts_that_newer_models_have(effort: str) -> None:
    assert sent(NEWEST, reasoning_effort=effort)["output_config"] == {"effort": effort}


@pytest.mark.parametrize("model", [OLD, BUDGET, ADAPTIVE, NEWEST])
@pytest.mark.parametrize("effort", [None, "none"])
def test_no_effort_is_no_thinking(model: str, effort: str | None) -> None:
    assert sent(model, reasoning_effort=effort) == sent(model)


def test_a_model_that_thinks_unasked_can_be_stopped() -> None:
    assert sent("claude-opus-5", reasoning_effort="none")["thinking"] == {"type": "disabled"}
    assert "thinking" not in sent("claude-opus-5")


def test_a_model_that_does_not_think_names_it() -> None:
    assert sent(OLD, reasoning_effort="high") == sent(OLD)
    assert encoded(OLD, reasoning_effort="high").ignored == ("reasoning_effort",)


@pytest.mark.parametrize(("most", "budget"), [(2000, 1999), (1025, 1024), (1024, None), (5, None)])
def test_a_budget_stays_below_the_limit(most: int, budget: int | None) -> None:
    call = encoded(BUDGET, reasoning_effort="high", max_tokens=most)
    body = sent(BUDGET, reasoning_effort="high", max_tokens=most)
    assert body["max_tokens"] == most
    assert body.get("thinking", {}).get("budget_tokens") == budget
    assert call.ignored == (() if budget else ("reasoning_effort",))


@pytest.mark.parametrize("model", [BUDGET, ADAPTIVE])
def test_a_forced_call_comes_before_thinking(model: str) -> None:
    said: dict[str, Any] = {
        "reasoning_effort": "high",
        "tools": [FUNCTION],
        "tool_choice": "required",
    }
    assert "thinking" not in sent(model, **said)
    assert encoded(model, **said).ignored == ("reasoning_effort",)


SIGNED = [{"type": "thinking", "thinking": "Hm.", "signature": "c2ln"}]


@pytest.mark.parametrize("model", [BUDGET, ADAPTIVE])
@pytest.mark.parametrize("signed", [False, True])
def test_thinking_goes_on_only_from_signed_thinking(model: str, signed: bool) -> None:
    called = {**CALLED, "thinking_blocks": SIGNED} if signed else CALLED
    said: dict[str, Any] = {
        "messages": [USER, called, RESULT],
        "tools": [FUNCTION],
        "reasoning_effort": "low",
    }
    thinks = signed or model == ADAPTIVE
    assert ("thinking" in sent(model, **said)) == thinks
    assert encoded(model, **said).ignored == (() if thinks else ("reasoning_effort",))


def test_signed_thinking_is_needed_for_the_last_calls_only() -> None:
    earlier = [USER, CALLED, RESULT, {"role": "assistant", "content": "Done."}, USER]
    later = {**CALLED, "tool_calls": [{**CALL, "id": "2"}], "thinking_blocks": SIGNED}
    result = {**RESULT, "tool_call_id": "2"}
    for messages in (earlier, [*earlier, later, result]):
        body = sent(BUDGET, messages=messages, tools=[FUNCTION], reasoning_effort="low")
        assert "thinking" in body


def test_the_clients_own_words_for_thinking_pass() -> None:
    own = {"type": "enabled", "budget_tokens": 2000}
    assert sent(BUDGET, thinking=own, reasoning_effort="low")["thinking"] == own
    assert refused(BUDGET, thinking="on").param == "thinking"


def test_a_schema_and_an_effort_are_configured_together() -> None:
    body = sent(ADAPTIVE, reasoning_effort="low", response_format=WANTED)
    assert body["output_config"] == {
        "effort": "low",
        "format": {"type": "json_schema", "schema": CLOSED},
    }
