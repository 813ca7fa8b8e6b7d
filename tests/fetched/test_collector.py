"""Spans in a real OpenTelemetry collector: rotel takes OTLP/HTTP JSON, and sends it on.

It sends on what it has understood, as protobuf, in whichever form it came. It refuses what is not
OTLP, such as an id that is not hex.
"""

import gzip
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from google.protobuf import json_format
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tests.worker.client import CLIENT_KEYS, PROMPT, UPSTREAM_KEYS, Client, question, secret_name
from tests.worker.scripts import stream, whole
from tests.worker.speech import DIALECTS, Dialect
from tests.worker.upstream import PATIENCE, Call, Upstream
from tools import runtime
from xtrix import __version__

PARENT = f"00-{'ab' * 16}-{'cd' * 8}-01"
HEADERS = {"authorization": f"Bearer {CLIENT_KEYS[0]}", "content-type": "application/json"}


class Collector:
    """A running collector, and the spans that it has passed on."""

    def __init__(self, url: str, beyond: Upstream) -> None:
        self.url = url
        self._beyond = beyond

    def span(self, number: int = 1) -> Any:
        """The span with this number, counted since the last `forget`."""
        while True:
            calls = [*self._beyond.calls]
            spans = [span for call in calls for span in spans_of(call)]
            if len(spans) >= number:
                return spans[number - 1]
            self._beyond.wait_for_call(len(calls) + 1)

    def forget(self) -> None:
        """Restarts the count at zero."""
        self._beyond.forget()
        self._beyond.answer(whole(200, b"", (("content-type", "application/x-protobuf"),)))


def spans_of(call: Call) -> list[Any]:
    """The spans in what a collector passes on, each with its resource."""
    assert (call.method, call.path) == ("POST", "/v1/traces")
    headers = dict(call.headers)
    assert headers["content-type"] == "application/x-protobuf"
    body = gzip.decompress(call.body) if "content-encoding" in headers else call.body
    return [
        (resources.resource, span)
        for resources in ExportTraceServiceRequest.FromString(body).resource_spans
        for scope in resources.scope_spans
        for span in scope.spans
    ]


@contextmanager
def running(program: Path, beyond: Upstream) -> Iterator[Collector]:
    """The collector, which passes spans on to the server `beyond`."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    options = {
        "otlp-http-endpoint": f"127.0.0.1:{port}",
        "otlp-grpc-endpoint": "127.0.0.1:0",
        "exporter": "otlp",
        "otlp-exporter-endpoint": f"http://127.0.0.1:{beyond.port}",
        "otlp-exporter-protocol": "http",
        "batch-timeout": "50ms",
    }
    words = [word for name, value in options.items() for word in (f"--{name}", value)]
    with subprocess.Popen(
        [program, "start", *words],
        env={},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        try:
            _wait_for(port, process)
            yield Collector(f"http://127.0.0.1:{port}", beyond)
        finally:
            process.terminate()
            said, _ = process.communicate()
    assert "Failed" not in said, said


def _wait_for(port: int, process: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except ConnectionRefusedError:
            # Where it cannot start it says why, such as that it finds no libpython.
            assert process.poll() is None, process.stdout and process.stdout.read()
            assert time.monotonic() < deadline
            time.sleep(0.02)
        else:
            return


@pytest.fixture(scope="module")
def beyond() -> Iterator[Upstream]:
    """The server that the collector passes spans on to."""
    server = Upstream()
    yield server
    server.stop()


@pytest.fixture(scope="module")
def running_collector(rotel_program: Path, beyond: Upstream) -> Iterator[Collector]:
    with running(rotel_program, beyond) as collector:
        yield collector


@pytest.fixture
def collector(running_collector: Collector) -> Collector:
    """The collector, before any span of this test."""
    running_collector.forget()
    return running_collector


@pytest.fixture(scope="module")
def telling(server: Upstream, snapshot: Path, running_collector: Collector) -> Iterator[Client]:
    """A Worker that sends every request's span to the collector."""
    rows = [
        {
            "name": f"sim-{dialect.name}",
            "dialect": dialect.name,
            "base_url": server.base_url,
            "api_key": secret_name(dialect.name),
            "models": [dialect.model],
        }
        for dialect in DIALECTS
    ]
    bindings = {
        "API_KEYS": CLIENT_KEYS[0],
        "PROVIDERS": rows,
        "OTEL_EXPORTER_OTLP_ENDPOINT": running_collector.url,
        "OTEL_SERVICE_NAME": "my-gateway",
        **{secret_name(name): key for name, key in UPSTREAM_KEYS.items()},
    }
    with runtime.serve(bindings, snapshot=snapshot) as served:
        yield Client(served.port)


def attributes(said: Any) -> dict[str, Any]:
    """Attributes by name. JSON has 64-bit numbers as text."""
    return {it.key: json_format.MessageToDict(it.value).popitem() for it in said.attributes}


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("dialect", DIALECTS, ids=lambda it: it.name)
def test_it_understands_what_it_is_told_of_a_request(
    telling: Client, collector: Collector, upstream: Upstream, dialect: Dialect, streamed: bool
) -> None:
    script = stream(dialect.text(["Yes."])) if streamed else whole(200, dialect.whole("Yes."))
    upstream.answer(script)
    before = time.time_ns()
    asked = question(dialect.model, stream=streamed)
    answer = telling.ask(asked, HEADERS | {"traceparent": PARENT})
    assert answer.status == 200
    resource, span = collector.span()
    assert attributes(resource) == {
        "service.name": ("stringValue", "my-gateway"),
        "service.version": ("stringValue", __version__),
    }
    assert (span.trace_id.hex(), span.parent_span_id.hex()) == ("ab" * 16, "cd" * 8)
    assert (span.name, span.kind) == (f"chat {dialect.model}", span.SPAN_KIND_SERVER)
    assert before <= span.start_time_unix_nano <= span.end_time_unix_nano <= time.time_ns()
    assert span.status.code == span.status.STATUS_CODE_UNSET
    said = attributes(span)
    assert (
        said
        | {
            "gen_ai.operation.name": ("stringValue", "chat"),
            "gen_ai.provider.name": ("stringValue", f"sim-{dialect.name}"),
            "gen_ai.request.model": ("stringValue", dialect.model),
            "gen_ai.request.stream": ("boolValue", streamed),
            "gen_ai.response.model": ("stringValue", dialect.model),
            "gen_ai.response.finish_reasons": ("arrayValue", {"values": [{"stringValue": "stop"}]}),
            "http.response.status_code": ("intValue", "200"),
            "url.path": ("stringValue", "/v1/chat/completions"),
            "xtrix.request_id": ("stringValue", answer.headers["x-request-id"]),
        }
        == said
    )
    assert int(said["gen_ai.usage.input_tokens"][1]) > 0
    assert int(said["gen_ai.usage.output_tokens"][1]) > 0
    text = f"{span}"
    for hidden in (PROMPT, *CLIENT_KEYS, *UPSTREAM_KEYS.values()):
        assert hidden not in text


def test_what_failed_is_a_failure_there(
    telling: Client, collector: Collector, upstream: Upstream
) -> None:
    upstream.answer(whole(503, b"{}"))
    assert telling.ask(question(DIALECTS[0].model), HEADERS).status == 503
    _, span = collector.span()
    assert span.status.code == span.status.STATUS_CODE_ERROR
    assert attributes(span)["error.type"] == ("stringValue", "upstream_error")
    assert span.parent_span_id == b""


def test_it_is_told_of_every_request_and_by_each_once(
    telling: Client, collector: Collector, upstream: Upstream
) -> None:
    upstream.answer(whole(200, DIALECTS[0].whole("Yes.")))
    answers = [telling.ask(question(DIALECTS[0].model), HEADERS) for _ in range(20)]
    told = [attributes(collector.span(number)[1])["xtrix.request_id"][1] for number in range(1, 21)]
    assert sorted(told) == sorted(answer.headers["x-request-id"] for answer in answers)


@pytest.mark.parametrize(
    "wrong",
    [
        b"{",
        b'{"resourceSpans": 3}',
        b'{"resourceSpans":[{"scopeSpans":[{"spans":[{"traceId":"no hex"}]}]}]}',
    ],
)
def test_it_is_no_collector_that_takes_anything(rotel_program: Path, wrong: bytes) -> None:
    server = Upstream()
    refused = pytest.raises(AssertionError, match="Failed to decode")  # so says its log
    try:
        with refused, running(rotel_program, server) as collector:
            url = f"{collector.url}/v1/traces"
            headers = {"content-type": "application/json"}
            answer = httpx.post(url, content=wrong, headers=headers, trust_env=False)
            assert answer.status_code == 400
    finally:
        server.stop()
