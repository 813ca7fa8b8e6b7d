"""The official SDKs' `responses`, with upstreams of all three dialects."""

import json
from itertools import pairwise
from typing import Any

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
from tests.worker.scripts import Script, whole
from tests.worker.upstream import Call, Upstream

MODELS = {
    "anthropic": "claude-sonnet-4-6",
    "openai": "gpt-4.1",
    "openai-responses": "native-1",
}
"""What to ask for to be answered by an upstream of each dialect."""

HOW = ["respond", "respond_events", "respond_stream", "respond_parse"]
"""The ways to be answered: whole, by events, by the helper that adds them up, and parsed."""
STREAMING = ["respond_events", "respond_stream"]

TEXT = "The capital of France is Paris."
BEGINNING = "The capital of F"
"""What a stream says of it first."""
THOUGHT = Thought("The user asks for the weather.", "c2lnbmVk/+==")
CALL = Asking("toolu_01A", "get_weather", '{"city": "Paris"}')
TOOLS = [
    {
        "type": "function",
        "name": "get_weather",
        "description": "Tells the weather.",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string"}},
            "required": ["city"],
            "additionalProperties": False,
        },
        "strict": True,
    }
]


@pytest.fixture(params=MODELS)
def model(request: pytest.FixtureRequest) -> str:
    """A model of each of the dialects."""
    return MODELS[request.param]


def question(model: str, **more: Json) -> Json:
    return {"model": model, "input": "How is Paris?", **more}


def text_of(response: Json) -> str:
    """The text of a response as it came, without the SDK's own reading."""
    parts = [
        part for item in response["output"] if item["type"] == "message" for part in item["content"]
    ]
    return "".join(part["text"] for part in parts)


# Text


def test_a_conversation_summed_up_and_gone_on_with(
    sdk: Sdk, upstream: Upstream, model: str
) -> None:
    """None of these upstreams can make a summary: the one that speaks Responses has nothing at that
    path.
    """
    told = answers(["They met in Paris."], ["Paris it is."])

    def plan(call: Call) -> Script:
        if call.path.endswith("/compact"):
            return whole(404, b'{"error": {"message": "File Not Found", "code": 404}}')
        return told(call)

    upstream.answer_each(plan)
    said = [
        {"role": "user", "content": "Where?"},
        {"role": "assistant", "content": "In Paris."},
    ]

    answer = sdk.do("respond_compact", {"model": model, "input": said, "instructions": "Be brief."})

    compaction = answer["compaction"]
    assert compaction["object"] == "response.compaction"
    (item,) = compaction["output"]
    assert item["type"] == "compaction"
    assert compaction["usage"]["total_tokens"] == 19
    assert answer["text"] == "Paris it is."
    *_, asked_to_sum_up, went_on = upstream.calls
    *before, wanted = heard(asked_to_sum_up)
    assert before == ["Where?", "In Paris."]
    assert str(wanted).startswith("Sum up this conversation")
    begun = "A summary of the conversation so far:\n\nThey met in Paris."
    assert "\n\n".join(map(str, heard(went_on))) == f"{begun}\n\nGo on."


@pytest.mark.parametrize("dialect", ["anthropic", "openai"])
@pytest.mark.parametrize("how", ["respond", "respond_stream"])
def test_a_summary_that_an_item_asks_for(
    sdk: Sdk, upstream: Upstream, dialect: str, how: str
) -> None:
    upstream.answer_each(answers(["They met in Paris."]))
    items = [{"role": "user", "content": "Where?"}, {"type": "compaction_trigger"}]

    response = sdk.do(how, {"model": MODELS[dialect], "input": items})["response"]

    (item,) = response["output"]
    assert item["type"] == "compaction"
    assert item["encrypted_content"]
    assert (response["status"], response["usage"]["total_tokens"]) == ("completed", 19)


def test_an_upstream_that_sums_up_itself(sdk: Sdk, upstream: Upstream) -> None:
    theirs: Json = {
        "id": "resp_upstream",
        "object": "response.compaction",
        "created_at": 1_764_967_971,
        "output": [{"id": "cmp_1", "type": "compaction", "encrypted_content": "gAAAAA="}],
        "usage": {"input_tokens": 139, "output_tokens": 438, "total_tokens": 577},
    }
    told = answers(["Paris it is."])

    def plan(call: Call) -> Script:
        if call.path.endswith("/compact"):
            return whole(200, json.dumps(theirs).encode())
        return told(call)

    upstream.answer_each(plan)

    answer = sdk.do("respond_compact", question("native-1"))

    assert answer["compaction"]["id"].startswith("resp_")
    assert answer["compaction"]["id"] != "resp_upstream"
    assert answer["text"] == "Paris it is."
    summed_up, went_on = upstream.calls
    assert json.loads(summed_up.body) == {"model": "native-1", "input": "How is Paris?"}
    assert json.loads(went_on.body)["input"][0] == theirs["output"][0]


@pytest.mark.parametrize("how", ["respond", "respond_stream"])
def test_text(sdk: Sdk, upstream: Upstream, model: str, how: str) -> None:
    upstream.answer_each(answers([TEXT]))

    answer = sdk.do(how, question(model, instructions="Be brief.", metadata={"run": "1"}))

    response = answer["response"]
    assert answer["text"] == text_of(response) == TEXT
    assert (response["object"], response["status"]) == ("response", "completed")
    assert (response["model"], response["store"]) == (model, False)
    assert (response["instructions"], response["metadata"]) == ("Be brief.", {"run": "1"})
    assert response["usage"]["input_tokens"] == 12
    assert response["usage"]["output_tokens"] == 7
    assert response["usage"]["total_tokens"] == 19
    assert heard(upstream.wait_for_call()) == ["How is Paris?"]
    assert len(upstream.calls) == 1


def test_events_in_order(sdk: Sdk, upstream: Upstream, model: str) -> None:
    upstream.answer_each(answers([THOUGHT, TEXT, CALL]))

    events = sdk.do("respond_events", question(model, tools=TOOLS))

    assert [event["sequence_number"] for event in events] == list(range(len(events)))
    kinds = [event["type"] for event in events]
    assert kinds[:2] == ["response.created", "response.in_progress"]
    assert kinds[-1] == "response.completed"
    lifecycle = [event["response"] for event in events if "response" in event]
    assert len({response["id"] for response in lifecycle}) == 1
    assert lifecycle[0]["status"] == "in_progress"
    done = [event["item"] for event in events if event["type"] == "response.output_item.done"]
    assert done == lifecycle[-1]["output"]
    assert [item["type"] for item in done] == ["reasoning", "message", "function_call"]
    ends = [index for index, kind in enumerate(kinds) if kind == "response.output_item.done"]
    starts = [index for index, kind in enumerate(kinds) if kind == "response.output_item.added"]
    assert [start - end for end, start in zip(ends, starts[1:], strict=False)] == [1, 1]
    assert all(earlier < later for earlier, later in pairwise(starts))
    for kind, expected in [
        ("response.output_text.delta", TEXT),
        ("response.reasoning_summary_text.delta", THOUGHT.text),
        ("response.function_call_arguments.delta", CALL.arguments),
    ]:
        assert "".join(event["delta"] for event in events if event["type"] == kind) == expected


def test_the_stream_adds_up_to_the_whole_answer(sdk: Sdk, upstream: Upstream, model: str) -> None:
    turn: Answer = [THOUGHT, TEXT, CALL]
    upstream.answer_each(answers(turn, turn, turn))
    request = question(model, tools=TOOLS)

    at_once = sdk.do("respond", request)["response"]
    added_up = sdk.do("respond_stream", request)["response"]
    told = sdk.do("respond_events", request)[-1]["response"]

    for response in (added_up, told):
        assert plain(response) == plain(at_once)


def plain(response: Json) -> Json:
    """`response` without what differs from answer to answer, and without what the SDK adds."""
    differing = {"id", "created_at", "completed_at", "output_text", "output_parsed", "tools"}
    own = {"id", "parsed_arguments", "parsed", "encrypted_content"}
    output = [{key: it[key] for key in it if key not in own} for it in response["output"]]
    for item in output:
        if "arguments" in item:
            item["arguments"] = json.loads(item["arguments"])
        for part in item.get("content") or ():
            part.pop("parsed", None)
    return {
        **{key: value for key, value in response.items() if key not in differing},
        "output": output,
    }


# Structured output


@pytest.mark.parametrize("how", ["respond_parse", "respond_stream"])
def test_parsed(sdk: Sdk, upstream: Upstream, model: str, how: str) -> None:
    expected = {"city": "Paris", "inhabitants": 2_100_000}
    upstream.answer_each(answers([json.dumps(expected)]))

    answer = sdk.do(how, question(model, parsed=True))

    assert answer["parsed"] == expected
    call = upstream.wait_for_call()
    schema = FORMATS[dialect_of(call)](json.loads(call.body))
    assert schema["properties"].keys() == expected.keys()
    assert schema["additionalProperties"] is False


FORMATS: dict[str, Any] = {
    "anthropic": lambda body: body["output_config"]["format"]["schema"],
    "openai": lambda body: body["response_format"]["json_schema"]["schema"],
    "openai-responses": lambda body: body["text"]["format"]["schema"],
}


# Tools and reasoning


@pytest.mark.parametrize("how", HOW)
def test_a_tool_loop_gives_the_thinking_back(
    sdk: Sdk, upstream: Upstream, model: str, how: str
) -> None:
    upstream.answer_each(answers([THOUGHT, "I look.", CALL], [TEXT]))
    request = question(model, tools=TOOLS, reasoning={"effort": "low"}, store=False)

    job = {"how": how, "request": request, "returned": {"get_weather": "18 degrees"}}
    answer = sdk.do("respond_loop", job)

    assert answer["text"] == TEXT
    second = upstream.wait_for_call(2)
    # A chat upstream wants no reasoning back unless its row says so.
    thought = [] if dialect_of(second) == "openai" else [THOUGHT]
    assert heard(second) == [
        "How is Paris?",
        *thought,
        "I look.",
        CALL,
        Result(CALL.id, "18 degrees"),
    ]
    assert len(upstream.calls) == 2


@pytest.mark.parametrize("how", ["respond", "respond_stream"])
def test_two_calls_at_once(sdk: Sdk, upstream: Upstream, model: str, how: str) -> None:
    other = Asking("toolu_01B", "get_weather", '{"city": "Rome"}')
    upstream.answer_each(answers([CALL, other], [TEXT]))

    job = {"how": how, "request": question(model, tools=TOOLS)}
    answer = sdk.do("respond_loop", {**job, "returned": {"get_weather": "18 degrees"}})

    assert answer["text"] == TEXT
    results = [Result(call.id, "18 degrees") for call in (CALL, other)]
    assert heard(upstream.wait_for_call(2)) == ["How is Paris?", CALL, other, *results]


@pytest.mark.parametrize("how", ["respond", "respond_stream"])
def test_arguments_are_parsed(sdk: Sdk, upstream: Upstream, model: str, how: str) -> None:
    upstream.answer_each(answers([CALL]))

    response = sdk.do(how, question(model, tools=TOOLS))["response"]

    (call,) = response["output"]
    assert (call["call_id"], call["name"]) == (CALL.id, CALL.tool)
    assert call["id"] != call["call_id"]
    assert json.loads(call["arguments"]) == json.loads(CALL.arguments)


def test_thinking_does_not_reach_another_provider(sdk: Sdk, upstream: Upstream) -> None:
    upstream.answer_each(answers([THOUGHT, CALL], [TEXT]))
    first = sdk.do("respond", question(MODELS["anthropic"], tools=TOOLS))["response"]["output"]
    result = {"type": "function_call_output", "call_id": CALL.id, "output": "18 degrees"}
    items = [{"role": "user", "content": "How is Paris?"}, *first, result]

    answer = sdk.do("respond", question(MODELS["openai-responses"], tools=TOOLS) | {"input": items})

    assert answer["text"] == TEXT
    second = upstream.wait_for_call(2)
    assert heard(second) == ["How is Paris?", CALL, Result(CALL.id, "18 degrees")]
    assert THOUGHT.signature.encode() not in second.body
    assert b"xt1." not in second.body


# Errors


@pytest.mark.parametrize("how", HOW)
def test_a_wrong_key(sdk: Sdk, upstream: Upstream, how: str) -> None:
    error = raised(sdk, how, question(MODELS["openai"]), Options(key="sk-of-somebody-else"))

    assert (error.kind, error.status) == ("AuthenticationError", 401)
    assert error.code == "invalid_api_key"
    assert upstream.calls == []


@pytest.mark.parametrize("how", HOW)
@pytest.mark.parametrize("dialect", ["anthropic", "openai"])
def test_a_refused_request_names_the_parameter(
    sdk: Sdk, upstream: Upstream, dialect: str, how: str
) -> None:
    orphan = {"type": "function_call_output", "call_id": "call_x", "output": "18"}

    error = raised(sdk, how, question(MODELS[dialect]) | {"input": [orphan]})

    assert (error.kind, error.status) == ("BadRequestError", 400)
    assert error.param == "input[0].call_id"
    assert upstream.calls == []


@pytest.mark.parametrize("how", HOW)
def test_what_a_native_upstream_refuses_names_its_parameter(
    sdk: Sdk, upstream: Upstream, how: str
) -> None:
    refusal = {"message": "No such tool.", "type": "invalid_request_error", "param": "tools[0]"}
    upstream.answer(whole(400, json.dumps({"error": {**refusal, "code": None}}).encode()))

    error = raised(sdk, how, question(MODELS["openai-responses"], tools=TOOLS))

    assert (error.kind, error.status, error.param) == ("BadRequestError", 400, "tools[0]")
    assert "No such tool." in error.message
    assert len(upstream.calls) == 1


def test_what_needs_a_store_says_how_to_do_without(
    sdk: Sdk, upstream: Upstream, model: str
) -> None:
    error = raised(sdk, "respond", question(model, previous_response_id="resp_1"))

    assert (error.kind, error.status) == ("BadRequestError", 400)
    assert (error.code, error.param) == ("previous_response_not_found", "previous_response_id")
    assert "send all items" in error.message
    assert upstream.calls == []


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
    upstream.answer_each(breaks_off([TEXT], after=BEGINNING, error=told))

    error = raised(sdk, how, question(model))

    assert error.kind == "APIError"
    assert error.code == ("upstream_error" if told else "upstream_truncated")
    kinds = [event["type"] for event in error.chunks]
    assert "response.output_text.delta" in kinds
    assert "response.completed" not in kinds
    assert "response.output_item.done" not in kinds
    assert len(upstream.calls) == 1, "a stream that has begun is not asked for again"


@pytest.mark.parametrize("turn", [[TEXT], [CALL], [THOUGHT, TEXT]])
def test_a_cut_is_never_a_complete_answer(
    sdk: Sdk, upstream: Upstream, model: str, turn: Answer
) -> None:
    (dialect,) = [dialect for dialect in MODELS if MODELS[dialect] == model]
    ends = ENDS[dialect]

    for after in range(len(streamed(dialect, turn)) - ends):
        upstream.answer_each(breaks_off(turn, after=after))
        error = raised(sdk, "respond_events", question(model, tools=TOOLS), Options(retries=0))
        assert all(event["type"] != "response.completed" for event in error.chunks), after


ENDS = {"anthropic": 1, "openai": 2, "openai-responses": 0}
"""How many events of a stream come after it is known to be whole."""
