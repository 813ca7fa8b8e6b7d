"""One span for each request, sent by the real Worker after the answer to a real HTTP server.

OpenTelemetry's own messages check its content (`tests/test_telemetry.py` has the rest).
"""

import gzip
import json
import time
from collections.abc import Iterator

import pytest

from tests.test_telemetry import attributes, parsed
from tests.worker.client import CLIENT_KEYS, PROMPT, UPSTREAM_KEYS, question
from tests.worker.conftest import Gateway, Start
from tests.worker.scripts import GATE, STALL, stream, whole
from tests.worker.speech import OPENAI
from tests.worker.upstream import PATIENCE, Call, Upstream

PARENT = f"00-{'ab' * 16}-{'cd' * 8}-01"
HEADERS = {"authorization": f"Bearer {CLIENT_KEYS[0]}", "content-type": "application/json"}


@pytest.fixture(scope="module")
def collector() -> Iterator[Upstream]:
    """The server that spans are sent to."""
    server = Upstream()
    yield server
    server.stop()


@pytest.fixture(scope="module")
def telling(start: Start, bindings: dict[str, object], collector: Upstream) -> Iterator[Gateway]:
    """A Worker that sends spans to the collector."""
    variables = {
        "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{collector.port}",
        "OTEL_EXPORTER_OTLP_HEADERS": "x-team=a%20b",
        "OTEL_SERVICE_NAME": "my-gateway",
    }
    with start(bindings | variables) as gateway:
        yield gateway


def span_of(call: Call) -> dict[str, object]:
    assert (call.method, call.path) == ("POST", "/v1/traces")
    headers = dict(call.headers)
    assert (headers["content-type"], headers["x-team"]) == ("application/json", "a b")
    for hidden in (PROMPT, *CLIENT_KEYS, *UPSTREAM_KEYS.values()):
        assert hidden not in call.body.decode()
    span = parsed(call.body)
    return {"trace": span.trace_id.hex(), "name": span.name, **attributes(span)}


@pytest.mark.parametrize("streamed", [False, True])
def test_a_span_is_sent_after_the_answer(
    telling: Gateway, collector: Upstream, upstream: Upstream, streamed: bool
) -> None:
    collector.forget()
    collector.answer([GATE, *whole(200, b"{}")])  # nobody waits for what it says
    script = stream(OPENAI.text(["Yes."])) if streamed else whole(200, OPENAI.whole("Yes."))
    upstream.answer(script)
    asked = question(OPENAI.model, stream=streamed)
    answer = telling.ask(asked, HEADERS | {"traceparent": PARENT})
    assert answer.status == 200
    span = span_of(collector.wait_for_call())
    assert span["trace"] == "ab" * 16
    assert span["name"] == f"chat {OPENAI.model}"
    assert span["gen_ai.provider.name"] == "sim-openai"
    assert span["gen_ai.response.finish_reasons"] == {"values": [{"stringValue": "stop"}]}
    assert span["xtrix.request_id"] == answer.headers["x-request-id"]
    collector.wait_for_call().release()


def test_one_span_a_request_whatever_comes_of_it(
    telling: Gateway, collector: Upstream, upstream: Upstream
) -> None:
    collector.forget()
    collector.answer(whole(200, b"{}"))
    upstream.answer(whole(503, b"{}"))
    lines = ["GET /health", "GET /nowhere", "POST /v1/chat/completions", "POST /v1/embeddings"]
    bodies = [b"", b"", json.dumps(question(OPENAI.model)).encode(), b"{"]
    answers = [telling.ask(body, HEADERS, line) for line, body in zip(lines, bodies, strict=True)]
    spans = [span_of(collector.wait_for_call(number)) for number in range(1, 5)]
    told = {str(span["xtrix.request_id"]): span for span in spans}
    assert set(told) == {answer.headers["x-request-id"] for answer in answers}
    statuses = [told[it.headers["x-request-id"]]["http.response.status_code"] for it in answers]
    assert statuses == ["200", "404", "503", "400"]
    assert told[answers[2].headers["x-request-id"]]["error.type"] == "upstream_error"


def test_a_client_that_leaves_is_told_of(
    telling: Gateway, collector: Upstream, upstream: Upstream
) -> None:
    collector.forget()
    collector.answer(whole(200, b"{}"))
    upstream.answer(stream([*OPENAI.text(["Yes."])[:2], STALL]))
    request = telling.open(question(OPENAI.model, stream=True), HEADERS)
    request.frame_of_text()
    request.reset()
    assert span_of(collector.wait_for_call())["error.type"] == "client_left"


def test_a_collector_that_fails_is_nobodys_affair(
    telling: Gateway, collector: Upstream, upstream: Upstream
) -> None:
    collector.forget()
    collector.answer(whole(500, gzip.compress(b"no")))
    upstream.answer(whole(200, OPENAI.whole("Yes.")))
    began = time.monotonic()
    assert [telling.ask(question(OPENAI.model)).status for _ in range(3)] == [200] * 3
    assert time.monotonic() - began < PATIENCE
    assert "crash" not in telling.log()
