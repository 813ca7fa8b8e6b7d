"""A real language model behind the real Worker, in every dialect, whatever it says."""

import time
from collections.abc import Iterator

import pytest

from tests.worker.client import CLIENT_KEYS, Answer, Json, question
from tests.worker.conftest import Gateway, Start
from tools import model

MODELS = {"anthropic": "claude-haiku-4-5", "openai": model.NAME, "openai-responses": "gpt-local"}
"""What the model is called in each dialect: the Worker goes by the name, the model takes any."""

TOKENS = 48
"""Enough for the model to be seen writing, and for a stop sequence to come up."""

LIMIT = 16
"""The fewest tokens that every dialect can be asked for."""

LONG = [{"role": "user", "content": "Tell me a long story about a fox and a river."}]
"""What no answer of so few tokens is enough for."""

STOP = "e"
"""No English of so many tokens does without."""


@pytest.fixture(scope="module")
def worker(start: Start, local_model: model.Model) -> Iterator[Gateway]:
    """A Worker whose only upstream is the local model."""
    rows = [local_model.row(dialect, models=[name]) for dialect, name in MODELS.items()]
    with start({"API_KEYS": CLIENT_KEYS[0], "PROVIDERS": rows}) as gateway:
        yield gateway


@pytest.fixture(params=sorted(MODELS))
def name(request: pytest.FixtureRequest) -> str:
    """The model's name in each of the dialects."""
    return MODELS[request.param]


def finish_of(answer: Answer) -> Json:
    """The finish reason of a whole answer or of a stream, and its usage."""
    if answer.headers["content-type"].startswith("text/event-stream"):
        *_, last = answer.payloads()
    else:
        last = answer.json()
    (choice,) = last["choices"]
    return choice["finish_reason"], last["usage"]


def text_of(answer: Answer) -> str:
    if answer.headers["content-type"].startswith("text/event-stream"):
        return answer.text()
    text: str = answer.json()["choices"][0]["message"]["content"]
    return text


@pytest.mark.parametrize("stream", [False, True])
def test_writes_until_max_tokens(worker: Gateway, name: str, stream: bool) -> None:
    answer = worker.ask(question(name, stream=stream, max_tokens=LIMIT, messages=LONG))

    reason, usage = finish_of(answer)
    assert reason == "length"
    assert text_of(answer).strip()
    assert usage["completion_tokens"] == LIMIT
    assert usage["prompt_tokens"] > 8
    assert usage["total_tokens"] == usage["prompt_tokens"] + LIMIT


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("dialect", ["anthropic", "openai"])
def test_stops_where_it_is_told_to(worker: Gateway, dialect: str, stream: bool) -> None:
    request = question(MODELS[dialect], stream=stream, max_tokens=TOKENS, stop=[STOP])
    answer = worker.ask(request)

    reason, usage = finish_of(answer)
    assert reason == "stop"
    assert STOP not in text_of(answer)
    assert usage["completion_tokens"] < TOKENS
    assert usage["total_tokens"] == usage["prompt_tokens"] + usage["completion_tokens"]


def test_the_whole_answer_and_the_stream_count_alike(worker: Gateway, name: str) -> None:
    asked = question(name, max_tokens=LIMIT, messages=LONG)
    _, whole = finish_of(worker.ask(asked))
    _, streamed = finish_of(worker.ask(asked | {"stream": True}))

    for counted in ("prompt_tokens", "completion_tokens", "total_tokens"):
        assert streamed[counted] == whole[counted]


def test_the_first_words_come_while_it_writes(worker: Gateway, name: str) -> None:
    worker.ask(question(name, max_tokens=1))  # after which the prompt is in the model's cache
    asked_at = time.monotonic()
    request = worker.open(question(name, stream=True, max_tokens=TOKENS))

    request.frame_of_text()
    first_at = time.monotonic()
    answer = request.answer()
    last_at = time.monotonic()

    assert len(answer.payloads()) > TOKENS / 4
    assert first_at - asked_at < last_at - first_at
