"""Requests with megabytes of images and files: they arrive byte for byte, and cost their size once.

Each client protocol on each upstream dialect, on the real Worker. That what is left out comes back
in its place is for tests/test_content.py; here it goes over the wire.
"""

import base64
import json
import random
import re
from collections.abc import Callable, Iterator

import pytest

from tests.worker.client import question
from tests.worker.conftest import Gateway, Start
from tests.worker.cost import ISOLATE, MEGABYTE, V8_FLAGS, cost_of
from tests.worker.scripts import CLOSE, JSON, STALL, Script, head, whole
from tests.worker.shapes import CONVERSATION, Shape
from tests.worker.speech import ANTHROPIC, DIALECTS, OPENAI, Dialect
from tests.worker.upstream import Call, Upstream
from xtrix.body import MAX_READ_BYTES
from xtrix.config import MAX_BODY_BYTES

PNG, PDF, WAV = b"\x89PNG\r\n\x1a\n", b"%PDF-1.7\n", b"RIFF\x24\x08\x00\x00WAVE"
PROTOCOLS = {
    "chat": "POST /v1/chat/completions",
    "responses": "POST /v1/responses",
    "messages": "POST /v1/messages",
}
Json = dict[str, object]


def content(size: int, beginning: bytes = PNG) -> str:
    """Base64 of a file of `size` bytes without a pattern."""
    rest = random.Random(size).randbytes(size - len(beginning))
    return base64.b64encode(beginning + rest).decode()


def chat_parts(image: str, file: str) -> list[Json]:
    return [
        {"type": "text", "text": "What are these?"},
        {"type": "image_url", "image_url": {"url": f"data:image/jpeg;base64,{image}"}},
        {
            "type": "file",
            "file": {"filename": "x.pdf", "file_data": f"data:application/pdf;base64,{file}"},
        },
    ]


def responses_parts(image: str, file: str) -> list[Json]:
    return [
        {"type": "input_text", "text": "What are these?"},
        {"type": "input_image", "image_url": f"data:image/png;base64,{image}"},
        {
            "type": "input_file",
            "filename": "x.pdf",
            "file_data": f"data:application/pdf;base64,{file}",
        },
    ]


def messages_parts(image: str, file: str) -> list[Json]:
    def source(media_type: str, data: str) -> Json:
        return {"type": "base64", "media_type": media_type, "data": data}

    return [
        {"type": "text", "text": "What are these?"},
        {"type": "image", "source": source("image/png", image)},
        {"type": "document", "source": source("application/pdf", file)},
    ]


PARTS: dict[str, Callable[[str, str], list[Json]]] = {
    "chat": chat_parts,
    "responses": responses_parts,
    "messages": messages_parts,
}


def request(protocol: str, model: str, image: str, file: str, *, stream: bool = False) -> Json:
    """A request with an image and a file."""
    turns = [{"role": "user", "content": PARTS[protocol](image, file)}]
    field = "input" if protocol == "responses" else "messages"
    limit = {"max_tokens": 100} if protocol == "messages" else {}
    return {"model": model, field: turns, **limit, **({"stream": True} if stream else {})}


@pytest.fixture(scope="module")
def roomy(start: Start, bindings: dict[str, object]) -> Iterator[Gateway]:
    """A Worker with the default limits, and with a model on two upstreams."""
    more = {name: value for name, value in bindings.items() if name != "MAX_BODY_BYTES"}
    both = ["sim-openai/gpt-sim", "sim-anthropic/claude-sim"]
    more["MODELS"] = [{"id": "either", "targets": both}]
    with start(more) as gateway:
        yield gateway


def yes(call: Call) -> Script:
    dialect = next(it for it in DIALECTS if it.path == call.path)
    return whole(200, dialect.whole("Yes."))


def arrived(call: Call, *contents: str) -> None:
    """Fails unless the call's body is well-formed and has all of this content once."""
    assert dict(call.headers)["content-length"] == str(len(call.body))
    body = call.body.decode()
    json.loads(body)
    assert not re.search("xcut[0-9a-f]{32}", body)
    assert [body.count(it) for it in contents] == [1] * len(contents)


@pytest.mark.parametrize("dialect", DIALECTS, ids=lambda it: it.name)
@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_content_arrives_as_it_was_sent(
    roomy: Gateway, upstream: Upstream, protocol: str, dialect: Dialect
) -> None:
    image, file = content(3 * MEGABYTE), content(MEGABYTE + 1, PDF)
    upstream.answer_each(yes)
    body = request(protocol, dialect.model, image, file)
    answer = roomy.ask(body, line=PROTOCOLS[protocol])
    assert answer.status == 200, answer.body
    arrived(upstream.calls[0], image, file)


def test_a_wrong_label_is_put_right_by_the_first_bytes(roomy: Gateway, upstream: Upstream) -> None:
    upstream.answer_each(yes)
    image, file = content(100_000), content(100_000, PDF)
    assert roomy.ask(request("chat", ANTHROPIC.model, image, file)).status == 200
    assert b'"media_type":"image/png"' in upstream.calls[0].body
    broken = f"{image[:50_000]}-{image[50_001:]}"
    answer = roomy.ask(request("chat", ANTHROPIC.model, broken, file))
    assert answer.error()["message"].endswith("its base64 is broken.")
    assert answer.status == 400


def test_a_hundred_pictures_in_results_of_tools(roomy: Gateway, upstream: Upstream) -> None:
    upstream.answer_each(yes)
    pictures = [content(100_000 + number) for number in range(100)]
    turns: list[Json] = [{"role": "user", "content": "Look."}]
    for number, data in enumerate(pictures):
        source = {"type": "base64", "media_type": "image/png", "data": data}
        call = {"type": "tool_use", "id": f"t{number}", "name": "f", "input": {}}
        shown = [{"type": "image", "source": source}]
        result = {"type": "tool_result", "tool_use_id": f"t{number}", "content": shown}
        turns += [
            {"role": "assistant", "content": [call]},
            {"role": "user", "content": [result]},
        ]
    tools = [{"name": "f", "input_schema": {"type": "object"}}]
    for dialect in DIALECTS:
        body = {"model": dialect.model, "max_tokens": 9, "messages": turns, "tools": tools}
        assert roomy.ask(body, line=PROTOCOLS["messages"]).status == 200
        arrived(upstream.calls[-1], *pictures)


def test_content_is_sent_again_and_elsewhere(roomy: Gateway, upstream: Upstream) -> None:
    image, file = content(4 * MEGABYTE), content(100_000, PDF)
    scripts: list[Script] = [whole(500, OPENAI.error("server_error", "No.")), [CLOSE]]

    def plan(call: Call) -> Script:
        return scripts.pop(0) if scripts else yes(call)

    upstream.answer_each(plan)
    answer = roomy.ask(request("chat", "either", image, file))
    assert answer.status == 200, answer.body
    assert answer.headers["x-attempts"] == str(len(upstream.calls))
    for call in upstream.calls:
        arrived(call, image, file)
    assert {call.path for call in upstream.calls} == {OPENAI.path, ANTHROPIC.path}


def test_a_word_that_a_client_writes_stays_one(roomy: Gateway, upstream: Upstream) -> None:
    upstream.answer_each(yes)
    forged = "xcut" + "0" * 44
    body = request("chat", OPENAI.model, content(100_000), content(100_000, PDF))
    assert roomy.ask({**body, "user": forged}).status == 200
    assert upstream.calls[0].body.decode().count(forged) == 1


@pytest.mark.parametrize(
    ("body", "limits"),
    [
        (question(OPENAI.model, user="x" * MAX_READ_BYTES), (MAX_BODY_BYTES, MAX_READ_BYTES)),
        (request("chat", OPENAI.model, content(23 * MEGABYTE), content(100_000, PDF)), ()),
        (
            request("chat", OPENAI.model, content(24 * MEGABYTE), content(100_000, PDF)),
            (MAX_BODY_BYTES,),
        ),
    ],
    ids=["too much to read", "just enough", "too much"],
)
def test_how_much_is_taken(
    roomy: Gateway, upstream: Upstream, body: Json, limits: tuple[int, ...]
) -> None:
    upstream.answer_each(yes)
    answer = roomy.ask(body)
    assert answer.status == (413 if limits else 200)
    if limits:
        message = answer.error()["message"]
        assert [int(number) for number in re.findall("[0-9]+", message)] == [*limits]


def test_an_upstream_that_answers_before_it_has_read(roomy: Gateway, upstream: Upstream) -> None:
    upstream.answer(whole(413, OPENAI.error("invalid_request_error", "It is too much.")))
    image, file = content(20 * MEGABYTE), content(100_000, PDF)
    answer = roomy.ask(request("chat", OPENAI.model, image, file))
    assert (answer.status, answer.error()["message"]) == (413, "It is too much.")
    upstream.answer_each(yes)
    assert roomy.ask(request("chat", OPENAI.model, image, file)).status == 200


def test_a_client_that_leaves_while_content_waits(roomy: Gateway, upstream: Upstream) -> None:
    upstream.answer([head(200, JSON), STALL])
    image, file = content(10 * MEGABYTE), content(100_000, PDF)
    asked = roomy.open(request("chat", OPENAI.model, image, file))
    call = upstream.wait_for_call()
    asked.reset()
    assert call.left.wait(5)


@pytest.mark.parametrize("dialect", DIALECTS, ids=lambda it: it.name)
def test_thirty_megabytes_fit_into_an_isolate(
    start: Start, bindings: dict[str, object], upstream: Upstream, dialect: Dialect
) -> None:
    frame = json.dumps(
        request("chat", dialect.model, "…", content(100_000, PDF)), ensure_ascii=False
    )
    shape = Shape(f"an image, {dialect.name}", frame, lambda size: content(size * 3 // 4 - 8))
    more = {name: value for name, value in bindings.items() if name != "MAX_BODY_BYTES"}
    with start(more, v8_flags=V8_FLAGS) as worker:
        for ordinary in CONVERSATION.values():
            cost_of(worker, upstream, ordinary, 10_000)
        costs = [cost_of(worker, upstream, shape, 30 * MEGABYTE) for _ in range(3)]
    assert [cost.status for cost in costs] == [200] * 3
    assert all(cost.isolate < ISOLATE for cost in costs), [*map(str, costs)]
