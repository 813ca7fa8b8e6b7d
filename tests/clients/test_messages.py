"""Anthropic's own SDKs, with upstreams of all three dialects."""

import json
from collections.abc import Iterator

import pytest

from tests.clients.sdk import Json, Options, Sdk, raised
from tests.clients.upstreams import (
    Answer,
    Asking,
    Result,
    Thought,
    answers,
    breaks_off,
    dialect_of,
    heard,
    streamed,
)
from tests.clients.versions import ANTHROPIC
from tests.worker.logs import record_of
from tests.worker.scripts import chunk, stream_head, whole
from tests.worker.upstream import PATIENCE, Upstream
from tools import runtime

MODELS = {
    "anthropic": "claude-sonnet-4-6",
    "openai": "gpt-4.1",
    "openai-responses": "native-1",
}
"""What to ask for to be answered by an upstream of each dialect."""

HOW = ["create", "stream"]
"""The ways to get a message: whole, and by the helper that adds the events up."""
STREAMING = ["events", "stream"]

TEXT = "The capital of France is Paris."
THOUGHT = Thought("The user asks for the weather.", "c2lnbmVk/+==")
CALL = Asking("toolu_01A", "get_weather", '{"city": "Paris"}')
TOOLS = [
    {
        "name": "get_weather",
        "description": "Tells the weather.",
        "input_schema": {
            "type": "object",
            "properties": {"city": {"type": "string"}},
            "required": ["city"],
        },
    }
]
THINKING = {"type": "enabled", "budget_tokens": 1024}


@pytest.fixture(scope="session", params=ANTHROPIC)
def sdk(request: pytest.FixtureRequest, worker: runtime.Served) -> Iterator[Sdk]:
    """Each of Anthropic's SDKs in turn."""
    with ANTHROPIC[request.param](worker.url) as sdk:
        yield sdk


@pytest.fixture(params=MODELS)
def model(request: pytest.FixtureRequest) -> str:
    """A model of each of the dialects."""
    return MODELS[request.param]


def dialect_for(model: str) -> str:
    (dialect,) = [dialect for dialect in MODELS if MODELS[dialect] == model]
    return dialect


def question(model: str, **more: Json) -> Json:
    messages = [{"role": "user", "content": "How is Paris?"}]
    return {"model": model, "max_tokens": 2048, "messages": messages, **more}


def text_of(message: Json) -> str:
    return "".join(block["text"] for block in message["content"] if block["type"] == "text")


# Text


@pytest.mark.parametrize("how", HOW)
def test_text(sdk: Sdk, upstream: Upstream, model: str, how: str) -> None:
    upstream.answer_each(answers([TEXT]))

    message = sdk.do(how, question(model, system="Be brief."))

    assert text_of(message) == TEXT
    assert (message["type"], message["role"]) == ("message", "assistant")
    assert message["stop_reason"] == "end_turn"
    assert message["usage"]["input_tokens"] == 12
    assert message["usage"]["output_tokens"] == 7
    assert heard(upstream.wait_for_call()) == ["How is Paris?"]
    assert len(upstream.calls) == 1


def test_events_in_order(sdk: Sdk, upstream: Upstream, model: str) -> None:
    upstream.answer_each(answers([THOUGHT, TEXT, CALL]))

    events = sdk.do("events", question(model, tools=TOOLS, thinking=THINKING))

    kinds = [event["type"] for event in events if event["type"] != "ping"]
    assert kinds[0] == "message_start"
    assert kinds[-2:] == ["message_delta", "message_stop"]
    assert events[-2]["delta"]["stop_reason"] == "tool_use"
    starts = [event for event in events if event["type"] == "content_block_start"]
    stops = [event for event in events if event["type"] == "content_block_stop"]
    assert [event["index"] for event in starts] == [event["index"] for event in stops] == [0, 1, 2]
    blocks = [event["content_block"]["type"] for event in starts]
    assert blocks == ["thinking", "text", "tool_use"]
    deltas = [event["delta"] for event in events if event["type"] == "content_block_delta"]
    for name, expected in [
        ("text", TEXT),
        ("thinking", THOUGHT.text),
        ("partial_json", CALL.arguments),
    ]:
        assert "".join(delta.get(name) or "" for delta in deltas) == expected


def test_the_stream_adds_up_to_the_whole_answer(sdk: Sdk, upstream: Upstream, model: str) -> None:
    turn: Answer = [THOUGHT, TEXT, CALL]
    upstream.answer_each(answers(turn, turn))
    request = question(model, tools=TOOLS, thinking=THINKING)

    at_once = sdk.do("create", request)
    added_up = sdk.do("stream", request)

    assert plain(added_up) == plain(at_once)


def plain(message: Json) -> Json:
    """`message` without what differs from answer to answer, and without what is null or empty."""
    fields = ("role", "type", "model", "stop_reason", "content", "usage")
    kept = {name: message[name] for name in fields}
    kept["content"] = [
        {name: value for name, value in block.items() if value and name != "signature"}
        for block in message["content"]
    ]
    kept["usage"] = {name: value for name, value in message["usage"].items() if value}
    return kept


# Tools and thinking


@pytest.mark.parametrize("how", HOW)
def test_a_tool_loop_gives_the_thinking_back(
    sdk: Sdk, upstream: Upstream, model: str, how: str
) -> None:
    upstream.answer_each(answers([THOUGHT, "I look.", CALL], [TEXT]))
    request = question(model, tools=TOOLS, thinking=THINKING)

    job = {"how": how, "request": request, "returned": {"get_weather": "18 degrees"}}
    message = sdk.do("loop", job)

    assert text_of(message) == TEXT
    second = upstream.wait_for_call(2)
    # A chat upstream wants no reasoning back unless its row says so.
    thought = [] if dialect_of(second) == "openai" else [THOUGHT]
    assert spaced(heard(second)) == [
        "How is Paris?",
        *thought,
        "I look.",
        CALL,
        Result(CALL.id, "18 degrees"),
    ]
    assert len(upstream.calls) == 2


@pytest.mark.parametrize("how", HOW)
def test_two_calls_at_once(sdk: Sdk, upstream: Upstream, model: str, how: str) -> None:
    other = Asking("toolu_01B", "get_weather", '{"city": "Rome"}')
    upstream.answer_each(answers([CALL, other], [TEXT]))

    job = {"how": how, "request": question(model, tools=TOOLS)}
    message = sdk.do("loop", {**job, "returned": {"get_weather": "18 degrees"}})

    assert text_of(message) == TEXT
    results = [Result(call.id, "18 degrees") for call in (CALL, other)]
    parts = spaced(heard(upstream.wait_for_call(2)))
    assert parts == ["How is Paris?", CALL, other, *results]


def spaced(parts: Answer) -> Answer:
    """`parts` with arguments spaced as `json.dumps` does it, because the gateway parses and writes
    them.
    """
    return [
        part._replace(arguments=json.dumps(json.loads(part.arguments)))
        if isinstance(part, Asking)
        else part
        for part in parts
    ]


# Counting and models


def test_an_upstream_that_counts_is_asked(sdk: Sdk, upstream: Upstream) -> None:
    upstream.answer(whole(200, b'{"input_tokens": 4711}'))

    assert sdk.do("count", counted(MODELS["anthropic"])) == {"input_tokens": 4711}

    assert upstream.wait_for_call().path == "/v1/messages/count_tokens"
    assert len(upstream.calls) == 1


@pytest.mark.parametrize("dialect", ["openai", "openai-responses"])
def test_for_others_it_is_estimated(sdk: Sdk, upstream: Upstream, dialect: str) -> None:
    short = sdk.do("count", counted(MODELS[dialect]))["input_tokens"]
    more = sdk.do("count", counted(MODELS[dialect], system="Be brief. " * 100))["input_tokens"]

    assert 0 < short < 100
    assert 200 < more - short < 500
    assert upstream.calls == []


def counted(model: str, **more: Json) -> Json:
    request = question(model, **more)
    del request["max_tokens"]
    return request


def test_models_come_in_pages(sdk: Sdk, upstream: Upstream) -> None:
    at_once = sdk.do("models", {"limit": 1000})
    by_twos = sdk.do("models", {"limit": 2})

    assert at_once["pages"] == 1
    assert by_twos["models"] == at_once["models"]
    assert by_twos["pages"] == (len(at_once["models"]) + 1) // 2 > 1
    ids = [model["id"] for model in at_once["models"]]
    assert len(set(ids)) == len(ids)
    assert {model["type"] for model in at_once["models"]} == {"model"}


def test_one_model(sdk: Sdk, upstream: Upstream) -> None:
    first = sdk.do("models", {"limit": 1})["models"][0]

    assert sdk.do("model", first["id"]) == first


# Errors


@pytest.mark.parametrize("how", [*HOW, "events"])
def test_a_wrong_key(sdk: Sdk, upstream: Upstream, how: str) -> None:
    error = raised(sdk, how, question(MODELS["openai"]), Options(key="sk-of-somebody-else"))

    assert (error.kind, error.status) == ("AuthenticationError", 401)
    assert error.type == "authentication_error"
    assert error.request_id
    assert upstream.calls == []


@pytest.mark.parametrize("how", [*HOW, "events"])
def test_a_model_that_is_not_there(sdk: Sdk, upstream: Upstream, how: str) -> None:
    error = raised(sdk, how, question("no-such-model"))

    assert (error.kind, error.status, error.type) == ("NotFoundError", 404, "not_found_error")
    assert "no-such-model" in error.message
    assert error.request_id
    assert upstream.calls == []


def test_a_model_to_look_up_that_is_not_there(sdk: Sdk, upstream: Upstream) -> None:
    error = raised(sdk, "model", "no-such-model")

    assert (error.kind, error.status, error.type) == ("NotFoundError", 404, "not_found_error")


@pytest.mark.parametrize("how", [*HOW, "events"])
def test_a_rate_limit(sdk: Sdk, upstream: Upstream, model: str, how: str) -> None:
    refusal = {"error": {"type": "rate_limit_error", "message": "Too many.", "code": None}}
    headers = [("content-type", "application/json"), ("retry-after", "3")]
    upstream.answer(whole(429, json.dumps({"type": "error", **refusal}).encode(), headers))

    error = raised(sdk, how, question(model), Options(retries=0))

    assert (error.kind, error.status, error.type) == ("RateLimitError", 429, "rate_limit_error")
    assert len(upstream.calls) == 1


@pytest.mark.parametrize("how", [*HOW, "events"])
def test_an_overload(sdk: Sdk, upstream: Upstream, how: str) -> None:
    refusal = {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}
    upstream.answer(whole(529, json.dumps(refusal).encode()))

    error = raised(sdk, how, question(MODELS["anthropic"]), Options(retries=0))

    assert (error.status, error.type) == (529, "overloaded_error")
    assert "Overloaded" in error.message


def test_the_request_id_is_that_of_the_log(
    sdk: Sdk, worker: runtime.Served, upstream: Upstream, model: str
) -> None:
    upstream.answer_each(answers([TEXT]))

    request_id = sdk.do("request_id", question(model))

    assert record_of(worker.log, request_id)["model"] == model


@pytest.mark.parametrize("how", STREAMING)
def test_an_error_before_the_first_event_has_a_status(
    sdk: Sdk, upstream: Upstream, model: str, how: str
) -> None:
    upstream.answer_each(breaks_off([], after=0, error=True))

    error = raised(sdk, how, question(model), Options(retries=0))

    assert error.status
    assert error.status >= 500
    assert error.chunks == []


@pytest.mark.parametrize("how", STREAMING)
@pytest.mark.parametrize("told", [False, True])
def test_a_failure_in_mid_stream_is_raised(
    sdk: Sdk, upstream: Upstream, model: str, how: str, told: bool
) -> None:
    upstream.answer_each(breaks_off([TEXT], after=words(model), error=told))

    error = raised(sdk, how, question(model))

    assert error.type == "api_error"
    kinds = [event["type"] if isinstance(event, dict) else event for event in error.chunks]
    assert "content_block_delta" in kinds
    assert "message_stop" not in kinds
    assert len(upstream.calls) == 1, "a stream that has begun is not asked for again"


def words(model: str) -> int:
    """The number of events in a stream up to the first half of its text."""
    half = TEXT[: (len(TEXT) + 1) // 2].encode()
    events = streamed(dialect_for(model), [TEXT])
    return 1 + next(index for index, event in enumerate(events) if half in event)


@pytest.mark.parametrize("turn", [[TEXT], [CALL], [THOUGHT, TEXT]])
def test_a_cut_is_never_a_complete_answer(
    sdk: Sdk, upstream: Upstream, model: str, turn: Answer
) -> None:
    dialect = dialect_for(model)

    for after in range(len(streamed(dialect, turn)) - ENDS[dialect]):
        upstream.answer_each(breaks_off(turn, after=after))
        error = raised(sdk, "events", question(model, tools=TOOLS), Options(retries=0))
        assert all(event["type"] != "message_stop" for event in error.chunks), after


ENDS = {"anthropic": 1, "openai": 2, "openai-responses": 0}
"""How many events of a stream come after it is known to be whole."""


# Leaving


@pytest.mark.parametrize("how", ["leave", "leave_helper"])
def test_a_stream_that_the_program_leaves_is_closed_upstream(
    sdk: Sdk, upstream: Upstream, model: str, how: str
) -> None:
    dialect = dialect_for(model)
    begun = streamed(dialect, [TEXT])[: words(model)]

    def talking() -> Iterator[bytes | float]:
        """Streams the first half of the text and never ends. The SDKs close their connection
        normally.
        """
        yield stream_head()
        yield from map(chunk, begun)
        while True:
            yield 0.02
            yield chunk(begun[-1])

    upstream.answer_each(lambda _: talking())

    assert sdk.do(how, question(model)) == TEXT[: (len(TEXT) + 1) // 2]

    assert upstream.wait_for_call().left.wait(PATIENCE)
