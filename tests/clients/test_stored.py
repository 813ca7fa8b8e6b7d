"""Kept responses (`STORE_DAYS`): the official SDKs continue from them, on the real Worker."""

import json
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import pytest
from openai import APIError, APIStatusError, OpenAI

from tests.clients.programs import run_node
from tests.clients.sdk import KEY
from tests.clients.test_responses import MODELS
from tests.clients.test_responses_libraries import AI_SDK, CALL, TEXT, THOUGHT
from tests.clients.upstreams import Part, Result, answers, breaks_off, heard, turn
from tests.worker.upstream import PATIENCE, Upstream
from tools import runtime

OTHER_KEY = "sk-other-5b1e90"
Started = Callable[..., AbstractContextManager[runtime.Served]]


@pytest.fixture(scope="module")
def started(server: Upstream, snapshot: Path) -> Started:
    """Starts a Worker that keeps responses in a folder."""

    @contextmanager
    def start(folder: Path, **variables: object) -> Iterator[runtime.Served]:
        rows = [
            {
                "name": f"up-{dialect}",
                "dialect": dialect,
                "base_url": server.base_url,
                "api_key": "UPSTREAM_KEY",
                "models": [model],
            }
            for dialect, model in MODELS.items()
        ]
        bindings = {
            "API_KEYS": f"{KEY}, {OTHER_KEY}",
            "UPSTREAM_KEY": "sk-upstream-0b6d",
            "PROVIDERS": rows,
            "STORE_DAYS": 30,
            "ARCHIVE": runtime.Objects("Archive"),
            **variables,
        }
        with runtime.serve(bindings, snapshot=snapshot, storage=folder) as served:
            yield served

    return start


@pytest.fixture(scope="module")
def keeping(started: Started, tmp_path_factory: pytest.TempPathFactory) -> Iterator[runtime.Served]:
    """The Worker that most tests here share."""
    with started(tmp_path_factory.mktemp("kept")) as served:
        yield served


@pytest.fixture(params=MODELS)
def dialect(request: pytest.FixtureRequest) -> str:
    chosen: str = request.param
    return chosen


_OPENED: list[OpenAI] = []
"""The clients of the test that runs."""


@pytest.fixture(autouse=True)
def closing() -> Iterator[None]:
    """Closes what a test has opened."""
    yield
    while _OPENED:
        _OPENED.pop().close()


def client(served: runtime.Served, key: str = KEY) -> OpenAI:
    _OPENED.append(OpenAI(base_url=f"{served.url}/v1", api_key=key, max_retries=0))
    return _OPENED[-1]


def respond(openai: OpenAI, *, streamed: bool, **request: Any) -> Any:
    """The response, as the SDK gives it."""
    if not streamed:
        return openai.responses.create(**request)
    with openai.responses.create(**request, stream=True) as stream:
        (response,) = [it.response for it in stream if it.type == "response.completed"]
    return response


def extra(response: Any, name: str) -> Any:
    """A member of the response that the SDK has no type for."""
    return response.model_extra[name]


def refusal(call: Callable[[], object]) -> tuple[int, str]:
    """Status and code of the error that `call` raises."""
    with pytest.raises(APIStatusError) as raised:
        call()
    body: Any = raised.value.body
    return raised.value.status_code, body["code"]


@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
def test_openai_python_goes_on_from_what_is_kept(
    keeping: runtime.Served, upstream: Upstream, dialect: str, streamed: bool
) -> None:
    openai, model = client(keeping), MODELS[dialect]
    upstream.answer_each(answers([THOUGHT, CALL], [TEXT], ["Yes."]))

    first = respond(openai, streamed=streamed, model=model, input="How is Paris?")
    output = {"type": "function_call_output", "call_id": CALL.id, "output": "18"}
    second = respond(
        openai, streamed=streamed, model=model, input=[output], previous_response_id=first.id
    )
    third = respond(
        openai, streamed=streamed, model=model, input="Sure?", previous_response_id=second.id
    )

    assert (extra(first, "store"), second.previous_response_id) == (True, first.id)
    assert [each.output_text for each in (second, third)] == [TEXT, "Yes."]
    told: list[Part] = ["How is Paris?", THOUGHT, CALL, Result(CALL.id, "18")]
    assert heard(upstream.wait_for_call(2)) == turn(dialect, *told)
    assert heard(upstream.wait_for_call(3)) == turn(dialect, *told, TEXT, "Sure?")
    for call in upstream.calls:
        assert "previous_response_id" not in json.loads(call.body)


def test_what_is_kept_is_read_and_deleted(keeping: runtime.Served, upstream: Upstream) -> None:
    openai, model = client(keeping), MODELS["anthropic"]
    upstream.answer_each(answers(["One."], ["Two."]))
    asked = [{"role": "user", "content": text} for text in ("a", "b", "c")]
    made = openai.responses.create(model=model, input=asked, metadata={"x": "y"})  # type: ignore[arg-type]

    assert openai.responses.retrieve(made.id) == made
    items = openai.responses.input_items.list(made.id, order="asc", limit=2)
    assert [it.content for it in items.data] == ["a", "b"]  # type: ignore[union-attr]
    assert items.has_more
    assert len([*openai.responses.input_items.list(made.id, limit=1)]) == 3
    newest = openai.responses.input_items.list(made.id).data[0]
    assert newest.content == "c"  # type: ignore[union-attr]

    after = openai.responses.create(model=model, input="?", previous_response_id=made.id)
    openai.responses.delete(made.id)
    assert refusal(lambda: openai.responses.retrieve(made.id)) == (404, "response_not_found")
    assert refusal(lambda: openai.responses.delete(made.id)) == (404, "response_not_found")
    for gone in (made.id, after.id):
        code = "previous_response_not_found"
        assert refusal(
            lambda gone=gone: openai.responses.create(  # type: ignore[misc]
                model=model, input="?", previous_response_id=gone
            )
        ) == (400, code)


def test_nobody_else_finds_it(keeping: runtime.Served, upstream: Upstream) -> None:
    model = MODELS["openai"]
    upstream.answer_each(answers(["Mine."], ["Not kept."]))
    mine = client(keeping).responses.create(model=model, input="?")
    other = client(keeping, OTHER_KEY)

    for call in (
        lambda: other.responses.retrieve(mine.id),
        lambda: other.responses.delete(mine.id),
        lambda: other.responses.input_items.list(mine.id),
    ):
        assert refusal(call) == (404, "response_not_found")
    assert refusal(
        lambda: other.responses.create(model=model, input="?", previous_response_id=mine.id)
    ) == (400, "previous_response_not_found")
    item: Any = {"type": "item_reference", "id": mine.output[0].id}
    assert refusal(lambda: other.responses.create(model=model, input=[item])) == (
        404,
        "item_not_found",
    )
    assert refusal(lambda: client(keeping, "sk-wrong").responses.retrieve(mine.id))[0] == 401
    assert client(keeping).responses.retrieve(mine.id).output_text == "Mine."

    hidden = client(keeping).responses.create(model=model, input="?", store=False)
    assert extra(hidden, "store") is False
    assert refusal(lambda: client(keeping).responses.retrieve(hidden.id)) == (
        404,
        "response_not_found",
    )


def test_the_ai_sdk_works_as_it_comes(
    keeping: runtime.Served, upstream: Upstream, dialect: str
) -> None:
    """By default the AI SDK sends references to stored items."""
    upstream.answer_each(answers([THOUGHT, "I look.", CALL], [TEXT], ["Bye."]))
    program = """
        const stream = streamText(request);
        const text = await stream.text;
        const steps = await stream.steps;
        const messages = steps.flatMap((step) => step.response.messages);
        const { messages: _, prompt, ...rest } = request;
        const next = await generateText({
          ...rest,
          messages: [
            { role: "user", content: prompt },
            ...messages,
            { role: "user", content: "Bye" },
          ],
        });
        console.log(JSON.stringify([text, next.text]));
    """

    said = json.loads(run_node(AI_SDK % (keeping.url, MODELS[dialect]) + program))

    assert said == [TEXT, "Bye."]
    told: list[Part] = ["How is Paris?", THOUGHT, "I look.", CALL, Result(CALL.id, "18 degrees")]
    assert heard(upstream.wait_for_call(2)) == turn(dialect, *told)
    assert heard(upstream.wait_for_call(3)) == turn(dialect, *told, TEXT, "Bye")


def test_large_answers_are_kept_whole(keeping: runtime.Served, upstream: Upstream) -> None:
    openai, model = client(keeping), MODELS["openai"]
    long = "Straße 早 🌊 " * 90_000  # 1.7 MB, in pieces
    for streamed in (False, True):
        upstream.answer_each(answers([long], ["Short."]))
        made = respond(openai, streamed=streamed, model=model, input="Tell.")
        assert openai.responses.retrieve(made.id).output_text == long
        respond(openai, streamed=False, model=model, input="So?", previous_response_id=made.id)
        assert heard(upstream.wait_for_call(2)) == ["Tell.", long, "So?"]
        upstream.forget()


def test_what_broke_off_is_not_kept(keeping: runtime.Served, upstream: Upstream) -> None:
    openai = client(keeping)
    upstream.answer_each(breaks_off(["Eighteen degrees."], after="Eighteen"))
    ids: list[str] = []

    def read() -> None:
        with openai.responses.create(model=MODELS["openai"], input="?", stream=True) as stream:
            ids.extend(it.response.id for it in stream if it.type == "response.created")

    with pytest.raises(APIError):
        read()
    assert refusal(lambda: openai.responses.retrieve(ids[0])) == (404, "response_not_found")


def test_it_outlives_the_worker_and_goes_when_its_days_are_over(
    started: Started, upstream: Upstream, tmp_path: Path
) -> None:
    model = MODELS["anthropic"]
    upstream.answer_each(answers(["One."], ["Two."]))
    with started(tmp_path) as served:
        made = client(served).responses.create(model=model, input="?")
    with started(tmp_path, STORE_DAYS=2 / 86_400) as served:
        openai = client(served)
        after = openai.responses.create(model=model, input="Go on.", previous_response_id=made.id)
        assert heard(upstream.wait_for_call(2)) == ["?", "One.", "Go on."]
        deadline = time.monotonic() + PATIENCE
        while kept(tmp_path) != {made.id}:  # until the alarm has rung
            assert time.monotonic() < deadline, kept(tmp_path)
            time.sleep(0.2)
        found = refusal(lambda: openai.responses.retrieve(after.id))
        assert found == (404, "response_not_found")
        assert openai.responses.retrieve(made.id).output_text == "One."


def kept(folder: Path) -> set[str]:
    """The ids in the files of all archives."""
    found: set[str] = set()
    for file in folder.rglob("*.sqlite"):
        if "metadata" in file.name:
            continue
        with sqlite3.connect(f"file:{file}?mode=ro", uri=True) as database:
            found |= {name for (name,) in database.execute("SELECT id FROM responses")}
        database.close()
    return found


def test_without_days_nothing_is_kept(started: Started, upstream: Upstream, tmp_path: Path) -> None:
    upstream.answer_each(answers(["One."]))
    with started(tmp_path, STORE_DAYS="") as served:
        openai = client(served)
        made = openai.responses.create(model=MODELS["anthropic"], input="?", store=True)
        assert extra(made, "store") is False
        assert refusal(lambda: openai.responses.retrieve(made.id)) == (404, "unknown_url")
    assert [it for it in tmp_path.rglob("*.sqlite") if it.stem != "metadata"] == []


# An archive that does as it is told, before the real one

WAITS = """
import { DurableObject } from "cloudflare:workers";
export class Archive extends DurableObject {
  async call(text) {
    if (text.includes('"do":"keep"')) await new Promise((done) => setTimeout(done, 700));
    return this.env.REAL.getByName("one").call(text);
  }
}
"""
FAILS = """
import { DurableObject } from "cloudflare:workers";
export class Archive extends DurableObject {
  call(text) {
    throw new Error("sk-secret-of-the-archive");
  }
}
"""


def test_an_answer_ends_when_it_is_kept(
    started: Started, upstream: Upstream, tmp_path: Path
) -> None:
    with started(tmp_path, ARCHIVE=runtime.Objects("Archive", WAITS)) as served:
        openai, model = client(served), MODELS["openai"]
        for streamed in (False, True):
            upstream.answer_each(answers(["One."]))
            made = respond(openai, streamed=streamed, model=model, input="?")
            assert openai.responses.retrieve(made.id).output_text == "One."
            upstream.forget()


def test_an_answer_comes_whole_where_nothing_can_be_kept(
    started: Started, upstream: Upstream, tmp_path: Path
) -> None:
    with started(tmp_path, ARCHIVE=runtime.Objects("Archive", FAILS)) as served:
        openai, model = client(served), MODELS["openai"]
        for streamed in (False, True):
            upstream.answer_each(answers(["One."]))
            made = respond(openai, streamed=streamed, model=model, input="?")
            assert made.output_text == "One."
            refused = refusal(lambda made=made: openai.responses.retrieve(made.id))  # type: ignore[misc]
            assert refused == (503, "store_unavailable")
            upstream.forget()
        log = served.log()
        lines = [json.loads(line) for line in log.splitlines() if '"method":"POST"' in line]
        assert [(line["stream"], line["not_kept"]) for line in lines] == [
            (False, True),
            (True, True),
        ]
        assert "sk-secret-of-the-archive" not in log
