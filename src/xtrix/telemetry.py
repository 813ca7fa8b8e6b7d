"""OpenTelemetry's names for the fields of a log line, and the span that a collector gets.

The names come from OpenTelemetry's semantic conventions for generative AI, where it has one. There
is no field for a prompt, an answer or a key. When a span is sent, and by whom, is not known here.

Sources, read 2026-11: opentelemetry-semantic-conventions 0.66b2 (`gen_ai_attributes`), and
opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding: ids are hex, 64-bit numbers are text.
"""

import re
from collections.abc import Mapping
from typing import Any, NamedTuple
from urllib.parse import unquote

from xtrix import __version__, json
from xtrix.errors import Headers
from xtrix.http import UpstreamRequest

NAMES = {
    "operation": "gen_ai.operation.name",
    "provider": "gen_ai.provider.name",
    "model": "gen_ai.request.model",
    "stream": "gen_ai.request.stream",
    "upstream_model": "gen_ai.response.model",
    "finish_reasons": "gen_ai.response.finish_reasons",
    "prompt_tokens": "gen_ai.usage.input_tokens",
    "completion_tokens": "gen_ai.usage.output_tokens",
    "error": "error.type",
}
"""OpenTelemetry's names, by our names in the log."""
_OF_THE_SPAN = {
    "method": "http.request.method",
    "path": "url.path",
    "status": "http.response.status_code",
    "id": "xtrix.request_id",
}
_NEWER = ("operation", "finish_reasons")
"""Fields that the log has under OpenTelemetry's name only."""
_SERVER = 2
_FAILED = 2
_SECOND = 1_000_000_000

_TRACEPARENT = re.compile(r"[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}(-.*)?")


class Collector(NamedTuple):
    """Where spans are sent."""

    url: str
    headers: Headers
    service: str


def collector(endpoint: str, headers: str, service: str) -> Collector:
    """The collector at `endpoint`, given without the path for traces. Raises ValueError.

    `headers` are as in `OTEL_EXPORTER_OTLP_HEADERS`: `name=value`, separated by commas, values
    percent-encoded.
    """
    given = []
    for pair in filter(None, (each.strip() for each in headers.split(","))):
        name, equals, value = pair.partition("=")
        name, value = name.strip().lower(), unquote(value.strip())
        if not equals or not re.fullmatch(r"[a-z0-9_-]{1,64}", name) or not _is_sendable(value):
            raise ValueError("no header")
        given.append((name, value))
    return Collector(f"{endpoint.rstrip('/')}/v1/traces", tuple(given), service)


def _is_sendable(value: str) -> bool:
    return value.isascii() and value.isprintable()


def in_words_of_the_field(record: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of a log line, with a second field for each that OpenTelemetry has a name for."""
    line = dict(record)
    for name, theirs in NAMES.items():
        if name in record:
            line[theirs] = record[name]
    for name in _NEWER:
        line.pop(name, None)
    return line


def span(
    to: Collector, record: Mapping[str, Any], parent: str, began: float, ended: float
) -> UpstreamRequest:
    """The call that sends a request's span to the collector `to`, as OTLP/HTTP in JSON.

    `parent` is the client's `traceparent`, or empty; the times are Unix seconds.
    """
    token = record["id"].removeprefix("req_")
    found = _TRACEPARENT.fullmatch(parent)
    trace, above = (found[1], found[2]) if found else (token, "")
    named = NAMES | _OF_THE_SPAN
    attributes = {
        named.get(name, f"xtrix.{name}"): value
        for name, value in record.items()
        if value not in ([], None)
    }
    span_json: dict[str, Any] = {
        "traceId": trace,
        "spanId": token[:16],
        "name": f"{record.get('operation') or record['path']} {record.get('model', '')}".strip(),
        "kind": _SERVER,
        "startTimeUnixNano": str(round(began * _SECOND)),
        "endTimeUnixNano": str(round(ended * _SECOND)),
        "attributes": [_attribute(*each) for each in attributes.items()],
        "status": {"code": _FAILED, "message": record["error"]} if "error" in record else {},
    }
    if above:
        span_json["parentSpanId"] = above
    resource = {"service.name": to.service, "service.version": __version__}
    body = {
        "resourceSpans": [
            {
                "resource": {"attributes": [_attribute(*each) for each in resource.items()]},
                "scopeSpans": [
                    {"scope": {"name": "xtrix", "version": __version__}, "spans": [span_json]}
                ],
            }
        ]
    }
    headers = (("content-type", "application/json"), *to.headers)
    return UpstreamRequest(to.url, headers, json.encode_body(body))


def _attribute(name: str, value: object) -> dict[str, Any]:
    return {"key": name, "value": _value(value)}


def _value(value: object) -> dict[str, Any]:
    if isinstance(value, bool):
        return {"boolValue": value}
    if isinstance(value, int):
        return {"intValue": str(value)}
    if isinstance(value, float):
        return {"doubleValue": value}
    if isinstance(value, list | tuple):
        return {"arrayValue": {"values": [_value(each) for each in value]}}
    return {"stringValue": value if isinstance(value, str) else json.encode(value)}
