"""OpenAI's own SDK reads what the Writer writes: its types, its stream, its accumulator."""

from collections.abc import Callable
from typing import Any

import httpx2
import openai
import pytest
from hypothesis import given
from openai.resources.responses import Responses
from openai.types.responses import Response, ResponseStreamEvent
from pydantic import BaseModel, TypeAdapter

from tests.protocols.responses.grammar import events_of
from tests.protocols.responses.tellings import (
    FINISHES,
    LENGTH,
    SEALED,
    STEADY,
    STEPS,
    STOP,
    Step,
    answering,
    call,
    step,
    streamed,
    tell,
    whole,
)
from xtrix import json
from xtrix.answer import Finish
from xtrix.errors import truncated
from xtrix.protocols.responses.writer import StreamWriter

Json = dict[str, Any]

EVENT: TypeAdapter[Any] = TypeAdapter(ResponseStreamEvent)
THOUGHT = [step("thinking", "Hm."), step("thinking_end", SEALED)]
TEXT = [step("text", "Hel"), step("text", "lo"), step("text_end", [])]
ANSWER = [*THOUGHT, *TEXT, *call("f", '{"a":', "1}"), *call("patch", "x", kind="custom")]


def client(body: str | bytes) -> openai.OpenAI:
    """The SDK, on a server that answers with `body`, a stream if it is text."""
    kind = "text/event-stream" if isinstance(body, str) else "application/json"
    content = body.encode() if isinstance(body, str) else body

    def answer(request: httpx2.Request) -> httpx2.Response:
        return httpx2.Response(200, headers={"content-type": kind}, content=content)

    http = httpx2.Client(transport=httpx2.MockTransport(answer))
    return openai.OpenAI(api_key="k", base_url="https://x.test/v1", http_client=http, max_retries=0)


@STEADY
@given(STEPS, FINISHES)
def test_every_event_and_object_is_of_the_sdks_types(steps: list[Step], finish: Finish) -> None:
    ended = [*steps, step("end", finish)]
    for event in events_of(streamed(ended)):
        EVENT.validate_python(event)
    Response.model_validate(whole(ended))


@STEADY
@given(STEPS, FINISHES)
def test_the_sdks_accumulator_ends_with_our_object(steps: list[Step], finish: Finish) -> None:
    ended = [*steps, step("end", finish)]
    with client(streamed(ended)).responses.stream(model="m", input="Hi") as stream:
        events = list(stream)
    last: Any = events[-1]
    final = last.response.to_dict()
    written = whole(ended)
    for item in final["output"]:
        item.pop("parsed_arguments", None)
        for part in item.get("content") or ():
            part.pop("parsed", None)
    assert final["output"] == written["output"]
    assert final["status"] == written["status"]


def test_a_stream_by_events() -> None:
    stream = client(streamed([*ANSWER, step("end", STOP)])).responses.create(
        model="m", input="Hi", stream=True
    )
    deltas = [event.delta for event in stream if event.type == "response.output_text.delta"]
    assert deltas == ["Hel", "lo"]


def test_the_final_response_of_the_helper() -> None:
    with client(streamed([*ANSWER, step("end", STOP)])).responses.stream(
        model="m", input="Hi"
    ) as stream:
        final = stream.get_final_response()
    assert final.output_text == "Hello"
    assert [item.type for item in final.output] == [
        *("reasoning", "message", "function_call", "custom_tool_call")
    ]
    assert final.usage is not None
    assert final.usage.input_tokens_details.cached_tokens == 3


def test_an_answer_cut_off_by_the_limit() -> None:
    with client(streamed([*TEXT, step("end", LENGTH)])).responses.stream(
        model="m", input="Hi"
    ) as stream:
        last = list(stream)[-1]
    assert last.type == "response.incomplete"
    assert last.response.incomplete_details is not None
    assert last.response.incomplete_details.reason == "max_output_tokens"


def events_by_create(responses: Responses) -> None:
    list(responses.create(model="m", input="Hi", stream=True))


def events_by_helper(responses: Responses) -> None:
    with responses.stream(model="m", input="Hi") as stream:
        stream.until_done()


@pytest.mark.parametrize("read", [events_by_create, events_by_helper])
def test_a_failure_in_a_stream_is_raised(read: Callable[[Responses], None]) -> None:
    writer = StreamWriter(answering())
    tell(writer, TEXT[:1])
    writer.fail(truncated())
    responses = client(writer.take()).responses
    with pytest.raises(openai.APIError, match="cut its answer off") as raised:
        read(responses)
    assert raised.value.code == "upstream_truncated"


def test_a_whole_answer() -> None:
    body = json.encode_body(whole([*ANSWER, step("end", STOP)]))
    response = client(body).responses.create(model="m", input="Hi")
    assert response.output_text == "Hello"


class City(BaseModel):
    name: str


def test_an_answer_in_a_schema() -> None:
    steps = [step("text", '{"name":"Paris"}'), step("text_end", []), step("end", STOP)]
    parsed = client(json.encode_body(whole(steps))).responses.parse(
        model="m", input="Hi", text_format=City
    )
    assert parsed.output_parsed == City(name="Paris")
    with client(streamed(steps)).responses.stream(
        model="m", input="Hi", text_format=City
    ) as stream:
        assert stream.get_final_response().output_parsed == City(name="Paris")
