"""Deeply nested JSON is passed on, or refused by its name; it never fails in the gateway.

These tests need the real Worker, because WebAssembly has a smaller stack.
"""

import json

import pytest

from tests.worker.client import error_in, question
from tests.worker.conftest import Gateway
from tests.worker.faults import events_to_text
from tests.worker.scripts import STALL, stream, whole
from tests.worker.speech import OPENAI, Dialect
from tests.worker.upstream import Upstream

Json = dict[str, object]


def schema(levels: int) -> Json:
    """Returns a JSON schema of this many nested objects, each of which has two levels of JSON."""
    inner: Json = {"type": "string"}
    for _ in range(levels):
        inner = {"type": "object", "properties": {"a": inner}, "required": ["a"]}
    return inner


def nested(levels: int) -> Json:
    """Returns a schema whose JSON has this many levels."""
    return json.loads('{"a":' * levels + "1" + "}" * levels)  # type: ignore[no-any-return]


def with_tool(dialect: Dialect, parameters: Json) -> Json:
    """Returns a request with a tool that takes these."""
    tool = {"type": "function", "function": {"name": "f", "parameters": parameters}}
    return question(dialect.model) | {"tools": [tool]}


def sent(dialect: Dialect, upstream: Upstream) -> Json:
    """Returns the tool's parameters that the upstream got."""
    (tool,) = json.loads(upstream.wait_for_call().body)["tools"]
    parameters: Json = tool.get("input_schema") or tool.get("function", tool)["parameters"]
    return parameters


@pytest.mark.parametrize("levels", [30, 59, 61, 90])
def test_a_deep_schema_goes_through(
    worker: Gateway, upstream: Upstream, dialect: Dialect, levels: int
) -> None:
    upstream.answer(whole(200, dialect.whole("Yes.")))
    assert worker.ask(with_tool(dialect, schema(levels))).status == 200
    assert sent(dialect, upstream) == schema(levels)


@pytest.mark.parametrize("levels", [30, 59, 61, 100, 190])
def test_deep_json_goes_through(
    worker: Gateway, upstream: Upstream, dialect: Dialect, levels: int
) -> None:
    upstream.answer(whole(200, dialect.whole("Yes.")))
    assert worker.ask(with_tool(dialect, nested(levels))).status == 200
    deepest = json.dumps(sent(dialect, upstream))
    assert deepest.count('{"a":') == levels


@pytest.mark.parametrize("levels", [100, 190, 5_000])
def test_a_schema_that_is_too_deep_is_refused_by_name(
    worker: Gateway, upstream: Upstream, dialect: Dialect, levels: int
) -> None:
    body = json.dumps(with_tool(dialect, {"a": "DEEP"})).encode()
    answer = worker.ask(body.replace(b'"DEEP"', b'{"a":' * 2 * levels + b"1" + b"}" * 2 * levels))
    assert answer.status == 400
    assert answer.error()["param"] == "tools[0].function.parameters"
    assert upstream.calls == []


@pytest.mark.parametrize("levels", [30, 59, 61, 90])
def test_the_schema_of_an_answer_may_be_deep(
    worker: Gateway, upstream: Upstream, dialect: Dialect, levels: int
) -> None:
    upstream.answer(whole(200, dialect.whole("{}")))
    wanted = {"type": "json_schema", "json_schema": {"name": "x", "schema": schema(levels)}}
    assert worker.ask(question(dialect.model, response_format=wanted)).status == 200
    assert upstream.wait_for_call().body.count(b'"properties"') == levels


@pytest.mark.parametrize("levels", [59, 61, 100, 190])
def test_what_an_upstream_nests_deep_comes_through(
    worker: Gateway, upstream: Upstream, levels: int
) -> None:
    """An OpenAI-compatible answer may have unknown fields, which are kept."""
    body = json.loads(OPENAI.whole("Yes."))
    body["choices"][0]["message"]["more"] = nested(levels)
    upstream.answer(whole(200, json.dumps(body).encode()))
    message = worker.ask(question(OPENAI.model)).json()["choices"][0]["message"]
    assert message["more"] == nested(levels)
    event = {"choices": [{"index": 0, "delta": {"more": nested(levels)}}]}
    events = [*events_to_text(OPENAI), b"data: " + json.dumps(event).encode() + b"\n\n"]
    upstream.answer(stream([*events, *OPENAI.text(["."])[1:]]))
    payloads = worker.ask(question(OPENAI.model, stream=True)).payloads()
    deltas = [choice["delta"] for it in payloads for choice in it["choices"]]
    assert {"more": nested(levels)} in deltas


@pytest.mark.parametrize("levels", [201, 5_000])
def test_an_answer_that_is_too_deep_is_the_upstreams_fault(
    worker: Gateway, upstream: Upstream, dialect: Dialect, levels: int
) -> None:
    deep = b'{"a":' * levels + b"1" + b"}" * levels
    upstream.answer(whole(200, dialect.whole("x")[:-1] + b',"x":' + deep + b"}"))
    answer = worker.ask(question(dialect.model))
    assert (answer.status, answer.error()["code"]) == (502, "bad_upstream_response")
    upstream.answer(stream([*events_to_text(dialect), b"data: " + deep + b"\n\n", STALL]))
    last = worker.ask(question(dialect.model, stream=True)).payloads()[-1]
    assert error_in(last)["code"] == "bad_upstream_response"
