"""A request with OpenTelemetry's names: in the log, and as a span that its own library reads.

OpenTelemetry's own packages check it: its names of attributes, and its protobuf messages.
"""

import base64
from typing import Any

import pytest
from google.protobuf import json_format
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.semconv._incubating.attributes import gen_ai_attributes
from opentelemetry.semconv.attributes import error_attributes

from tests.play import KEY, NOW, TOKEN, UPSTREAM_KEY, Upstream, gateway, head, play
from xtrix import json, telemetry
from xtrix.http import Reply, UpstreamHead
from xtrix.steps import Call, ReadBody, UpstreamAnswer

Json = dict[str, Any]

ROW: Json = {
    "name": "one",
    "dialect": "openai",
    "base_url": "https://one.test/v1",
    "api_key": "UPSTREAM_KEY",
    "models": ["*"],
}
JSON_TYPE = {"content-type": "application/json"}
SSE_TYPE = {"content-type": "text/event-stream"}
PROMPT = "Say something about plugh."
CHAT = {"model": "m", "messages": [{"role": "user", "content": PROMPT}]}
USAGE = {"prompt_tokens": 5, "completion_tokens": 2, "total_tokens": 7}
COMPLETION = {
    "choices": [
        {
            "index": 0,
            "message": {"role": "assistant", "content": 'Plugh "finish_reason":"x".'},
            "finish_reason": "length",
        }
    ],
    "usage": USAGE,
}
CHUNKS = b"".join(
    b"data: %b\n\n" % json.encode_body(each)
    for each in (
        {"choices": [{"index": 0, "delta": {"role": "assistant", "content": "Plugh."}}]},
        {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]},
        {"choices": [], "usage": USAGE},
    )
)
FINISHED = "gen_ai.response.finish_reasons"
LIMIT = "max_output_tokens"
TELLING = {
    "OTEL_EXPORTER_OTLP_ENDPOINT": "https://collector.test:4318/",
    "OTEL_EXPORTER_OTLP_HEADERS": "Authorization=Bearer%20collectors-key, x-team=a",
    "OTEL_SERVICE_NAME": "my-gateway",
}


def of_anthropic(reason: str | None, stream: bool) -> Upstream:
    usage = {"input_tokens": 5, "output_tokens": 2}
    message: Json = {"id": "msg_1", "type": "message", "role": "assistant", "model": "m"}
    block = {"type": "text", "text": "Plugh."}
    if not stream:
        message |= {"content": [block], "stop_reason": reason, "usage": usage}
        return Upstream(200, JSON_TYPE, (json.encode_body(message),))
    begun = {**message, "content": [], "stop_reason": None, "usage": usage}
    return Upstream(
        200,
        SSE_TYPE,
        framed(
            {"type": "message_start", "message": begun},
            {"type": "content_block_start", "index": 0, "content_block": block},
            {"type": "content_block_stop", "index": 0},
            {"type": "message_delta", "delta": {"stop_reason": reason}, "usage": usage},
            {"type": "message_stop"},
        ),
    )


def of_responses(reason: str | None, stream: bool) -> Upstream:
    status = "incomplete" if reason else "completed"
    content = [{"type": "output_text", "text": "Plugh.", "annotations": []}]
    item = {"type": "message", "id": "msg_1", "role": "assistant", "content": content}
    response: Json = {
        "id": "resp_1",
        "object": "response",
        "status": status,
        "incomplete_details": {"reason": reason} if reason else None,
        "output": [{**item, "status": status}],
        "usage": {"input_tokens": 5, "output_tokens": 2, "total_tokens": 7},
    }
    if not stream:
        return Upstream(200, JSON_TYPE, (json.encode_body(response),))
    added = {"type": "response.output_item.added", "output_index": 0, "item": item}
    done = {**added, "type": "response.output_item.done", "item": response["output"][0]}
    return Upstream(
        200, SSE_TYPE, framed(added, done, {"type": f"response.{status}", "response": response})
    )


def framed(*events: Json) -> tuple[bytes, ...]:
    return tuple(
        b"event: %b\ndata: %b\n\n" % (it["type"].encode(), json.encode_body(it)) for it in events
    )


SPEAKING = {"anthropic": of_anthropic, "openai-responses": of_responses}


def test_every_name_is_one_of_opentelemetrys() -> None:
    theirs = [*vars(gen_ai_attributes).values(), *vars(error_attributes).values()]
    assert all(name in theirs for name in telemetry.NAMES.values())


@pytest.mark.parametrize(
    ("path", "asked", "met", "named"),
    [
        (
            "/v1/chat/completions",
            CHAT,
            Upstream(200, JSON_TYPE, (json.encode_body(COMPLETION),)),
            {"operation": "chat", "finish_reasons": ["length"]},
        ),
        (
            "/v1/chat/completions",
            {**CHAT, "stream": True},
            Upstream(200, SSE_TYPE, (CHUNKS,)),
            {"operation": "chat", "stream": True, "finish_reasons": ["stop"]},
        ),
        (
            "/v1/messages",
            {**CHAT, "max_tokens": 9},
            Upstream(200, JSON_TYPE, (json.encode_body(COMPLETION),)),
            {"operation": "chat", "finish_reasons": ["max_tokens"]},
        ),
        (
            "/v1/messages",
            {**CHAT, "max_tokens": 9, "stream": True},
            Upstream(200, SSE_TYPE, (CHUNKS,)),
            {"operation": "chat", "stream": True, "finish_reasons": ["end_turn"]},
        ),
        (
            "/v1/responses",
            {"model": "m", "input": PROMPT},
            Upstream(200, JSON_TYPE, (json.encode_body(COMPLETION),)),
            {"operation": "chat", "finish_reasons": ["max_output_tokens"]},
        ),
        (
            "/v1/responses",
            {"model": "m", "input": PROMPT, "stream": True},
            Upstream(200, SSE_TYPE, (CHUNKS,)),
            {"operation": "chat", "stream": True, "finish_reasons": ["stop"]},
        ),
        (
            "/v1/embeddings",
            {"model": "m", "input": PROMPT},
            Upstream(200, JSON_TYPE, (b'{"data":[],"usage":{"prompt_tokens":5}}',)),
            {"operation": "embeddings", "completion_tokens": 0},
        ),
    ],
)
def test_the_log_has_the_fields_words_beside_ours(
    path: str, asked: object, met: Upstream, named: dict[str, Any]
) -> None:
    log = play(gateway(ROW), asked, [met], head(path)).log
    expected = {
        "provider": "one",
        "model": "m",
        "stream": False,
        "upstream_model": "m",
        "prompt_tokens": 5,
        "completion_tokens": 2,
        **named,
    }
    said = {name: log[theirs] for name, theirs in telemetry.NAMES.items() if theirs in log}
    assert said == expected
    assert all(log[name] == said[name] for name in said.keys() & log.keys())
    assert "lugh" not in json.encode(log)


LONG = "Plugh " * 4000


def ended(reason: str, text: str = LONG) -> Json:
    message = {"role": "assistant", "content": text}
    return {"choices": [{"index": 0, "message": message, "finish_reason": reason}], "usage": USAGE}


def streamed(reason: str, text: str = LONG) -> bytes:
    chunks = (
        {"choices": [{"index": 0, "delta": {"role": "assistant", "content": text}}]},
        {"choices": [{"index": 0, "delta": {}, "finish_reason": reason}]},
    )
    return b"".join(b"data: %b\n\n" % json.encode_body(each) for each in chunks)


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("path", "asked", "said"),
    [
        ("/v1/chat/completions", CHAT, "length"),
        ("/v1/messages", {**CHAT, "max_tokens": 9}, "max_tokens"),
        ("/v1/responses", {"model": "m", "input": PROMPT, "instructions": LONG}, LIMIT),
    ],
)
def test_a_long_answer_is_logged_with_why_it_ended(
    path: str, asked: Json, said: str, stream: bool
) -> None:
    """The log needs a value that can be anywhere in the answer: a response has it before all of its
    output.
    """
    body = streamed("length") if stream else json.encode_body(ended("length"))
    met = Upstream(200, SSE_TYPE if stream else JSON_TYPE, (body,))
    log = play(gateway(ROW), {**asked, "stream": stream}, [met], head(path)).log
    assert log[FINISHED] == [said]


def test_each_choice_has_its_own_reason_and_a_text_that_speaks_of_one_none() -> None:
    said = ended("stop", '"finish_reason": "length", "stop_reason": "x"')
    said["choices"].append({**said["choices"][0], "index": 1, "finish_reason": "length"})
    met = Upstream(200, JSON_TYPE, (json.encode_body(said),))
    assert play(gateway(ROW), {**CHAT, "n": 2}, [met]).log[FINISHED] == ["stop", "length"]


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("dialect", "path", "said", "logged"),
    [
        ("anthropic", "/v1/messages", "pause_turn", ["pause_turn"]),
        ("anthropic", "/v1/messages", "sk-key 1", ["unknown"]),
        ("anthropic", "/v1/chat/completions", "refusal", ["content_filter"]),
        ("anthropic", "/v1/completions", "refusal", ["content_filter"]),
        ("openai-responses", "/v1/responses", None, ["stop"]),
        ("openai-responses", "/v1/responses", LIMIT, [LIMIT]),
        ("openai-responses", "/v1/messages", LIMIT, ["max_tokens"]),
    ],
)
def test_why_an_upstream_of_another_protocol_ended(
    dialect: str, path: str, said: str | None, logged: list[str], stream: bool
) -> None:
    upstream = SPEAKING[dialect](said, stream)
    asked: Json = {"model": "m", "stream": stream, "max_tokens": 9}
    asked |= {"input": PROMPT, "max_output_tokens": 99} if path == "/v1/responses" else {}
    asked |= {"prompt": PROMPT} if path == "/v1/completions" else {}
    asked |= {"messages": CHAT["messages"]} if len(asked) == 3 else {}
    played = play(gateway({**ROW, "dialect": dialect}), asked, [upstream], head(path))
    assert (played.status, played.log.get("error")) == (200, None), played.body
    assert played.log[FINISHED] == logged


@pytest.mark.parametrize("stream", [False, True])
def test_a_completion_that_is_passed_on_tells_it_too(stream: bool) -> None:
    choices = b'{"choices":[{"text":"x","index":0,"finish_reason": "length"}]}'
    body = b"data: %b\n\ndata: [DONE]\n\n" % choices if stream else choices
    met = Upstream(200, SSE_TYPE if stream else JSON_TYPE, (body,))
    asked = {"model": "m", "prompt": PROMPT, "stream": stream}
    assert play(gateway(ROW), asked, [met], head("/v1/completions")).log[FINISHED] == ["length"]


def test_what_did_not_end_has_no_reason() -> None:
    first, _ = streamed("stop").split(b"\n\n", 1)
    for cut in (first + b"\n\n", b""):
        met = Upstream(200, SSE_TYPE, (cut,))
        assert FINISHED not in play(gateway(ROW), {**CHAT, "stream": True}, [met]).log


def test_an_error_is_named() -> None:
    log = play(gateway(ROW), CHAT, [Upstream(503, JSON_TYPE, (b"{}",))]).log
    assert log["error.type"] == log["error"] == "upstream_error"


def told(parent: str = "", met: UpstreamAnswer | None = None) -> Any:
    """The span of a request, parsed with OpenTelemetry's own messages, and the call that carries
    it.
    """
    exchange = gateway(ROW, **TELLING).open(head(traceparent=parent), TOKEN, NOW)
    assert isinstance(exchange.advance(None, NOW), ReadBody)
    assert isinstance(exchange.advance(json.encode_body(CHAT), NOW), Call)
    whole = UpstreamAnswer(UpstreamHead(200, JSON_TYPE), json.encode_body(COMPLETION))
    assert isinstance(exchange.advance(met or whole, NOW + 1), Reply)
    exchange.log_line(NOW + 1.5)
    call = exchange.span(NOW + 1.5)
    assert call
    return parsed(call.body), call


def parsed(body: bytes) -> Any:
    """One span. In JSON its ids are hex, where protobuf's own mapping has base64."""
    value = json.decode(body)
    (span,) = value["resourceSpans"][0]["scopeSpans"][0]["spans"]
    for name, size in (("traceId", 16), ("spanId", 8), ("parentSpanId", 8)):
        if name in span:
            raw = bytes.fromhex(span[name])
            assert len(raw) == size
            span[name] = base64.b64encode(raw).decode()
    request = json_format.ParseDict(value, ExportTraceServiceRequest())
    (resource,) = request.resource_spans
    named = {it.key: it.value.string_value for it in resource.resource.attributes}
    assert named["service.name"] == "my-gateway"
    (only,) = resource.scope_spans[0].spans
    return only


def attributes(span: Any) -> dict[str, Any]:
    return {it.key: json_format.MessageToDict(it.value).popitem()[1] for it in span.attributes}


def test_a_span_is_what_opentelemetry_reads() -> None:
    span, call = told()
    assert call.url == "https://collector.test:4318/v1/traces"
    assert dict(call.headers) == {
        "content-type": "application/json",
        "authorization": "Bearer collectors-key",
        "x-team": "a",
    }
    assert (span.name, span.kind) == ("chat m", span.SPAN_KIND_SERVER)
    assert span.trace_id.hex() == TOKEN
    assert span.span_id.hex() == TOKEN[:16]
    assert span.parent_span_id == b""
    assert span.end_time_unix_nano - span.start_time_unix_nano == 1_500_000_000
    assert span.status.code == span.status.STATUS_CODE_UNSET
    said = attributes(span)
    assert said["gen_ai.operation.name"] == "chat"
    assert said["gen_ai.usage.input_tokens"] == "5"
    assert said["gen_ai.response.finish_reasons"] == {"values": [{"stringValue": "length"}]}
    assert said["http.response.status_code"] == "200"
    assert (said["http.request.method"], said["url.path"]) == ("POST", "/v1/chat/completions")
    assert said["xtrix.request_id"] == f"req_{TOKEN}"
    assert said["xtrix.attempts"] == "1"
    for hidden in ("lugh", KEY, UPSTREAM_KEY):
        assert hidden not in call.body.decode()


def test_a_failure_is_one_there_too() -> None:
    failed = UpstreamAnswer(UpstreamHead(503, JSON_TYPE), b'{"error":{"message":"upstream-key"}}')
    span, call = told(met=failed)
    assert span.status.code == span.status.STATUS_CODE_ERROR
    assert attributes(span)["error.type"] == "upstream_error"
    assert UPSTREAM_KEY not in call.body.decode()


def test_a_span_stands_under_the_clients() -> None:
    trace, above = "ab" * 16, "cd" * 8
    span, _ = told(f"00-{trace}-{above}-01")
    assert (span.trace_id.hex(), span.parent_span_id.hex()) == (trace, above)
    for wrong in ("", "00-x-y-01", f"00-{trace}-{above}", f"00-{trace.upper()}-{above}-01"):
        assert told(wrong)[0].trace_id.hex() == TOKEN


def test_nobody_is_told_where_nobody_is_named() -> None:
    exchange = gateway(ROW).open(head("/v1/models"), TOKEN, NOW)
    exchange.advance(None, NOW)
    exchange.log_line(NOW)
    assert exchange.span(NOW) is None


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ENDPOINT", "collector:4318"),
        ("ENDPOINT", "https://u:p@x"),
        ("ENDPOINT", 7),
        ("HEADERS", "no-equals"),
        ("HEADERS", "a b=c"),
        ("HEADERS", "a=b%0Ac"),
    ],
)
def test_a_mistyped_variable_is_a_fault(name: str, value: object) -> None:
    gate = gateway(ROW, **{**TELLING, f"OTEL_EXPORTER_OTLP_{name}": value})
    (fault,) = gate.faults
    assert fault.startswith(f"OTEL_EXPORTER_OTLP_{name} must be")
