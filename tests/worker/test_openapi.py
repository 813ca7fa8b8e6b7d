"""The API's description against the real Worker: schemathesis asks, and checks every answer."""

import json
from typing import Any

import jsonschema_rs
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.worker.client import CLIENT_KEYS, question
from tests.worker.conftest import Gateway
from tests.worker.scripts import Script, stream, whole
from tests.worker.speech import Dialect
from tests.worker.upstream import Call, Upstream
from tools import openapi
from xtrix.endpoints import BY_PATH

SCHEMA = schemathesis.openapi.from_dict(openapi.document())
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
KEY = {"authorization": f"Bearer {CLIENT_KEYS[0]}"}
BOUNDED = settings(
    max_examples=12, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck)
)


def test_the_file_is_what_the_schemas_say() -> None:
    assert json.loads(openapi.FILE.read_text()) == openapi.document()


@SCHEMA.parametrize()
@BOUNDED
def test_every_answer_is_as_described(
    case: "schemathesis.Case[Any]", worker: Gateway, upstream: Upstream, dialect: Dialect
) -> None:
    def plan(call: Call) -> Script:
        path = call.path.removeprefix("/v1")
        if path in BY_PATH:
            kind = BY_PATH[path].answers[0].replace("*", "mpeg")
            return whole(200, b'{"data": []}', (("content-type", kind),))
        if path == "/completions":
            return whole(200, b'{"object": "text_completion", "choices": [{"text": "Hello."}]}')
        if json.loads(call.body).get("stream"):
            return stream(dialect.text(["Hel", "lo."]))
        return whole(200, dialect.whole("Hello."))

    upstream.answer_each(plan)
    if isinstance(case.body, dict):
        case.body["model"] = dialect.model
    case.call_and_validate(
        base_url=f"http://127.0.0.1:{worker.port}", headers=KEY, checks=CHECKS, timeout=30
    )


def test_it_asks_for_what_the_worker_answers_well(
    worker: Gateway, upstream: Upstream, dialect: Dialect
) -> None:
    upstream.answer(whole(200, dialect.whole("Hello.")))
    example = SCHEMA["/v1/chat/completions"]["POST"].Case(
        body={"model": dialect.model, "messages": [{"role": "user", "content": "Hello"}]}
    )
    answer = example.call_and_validate(
        base_url=f"http://127.0.0.1:{worker.port}", headers=KEY, checks=CHECKS, timeout=30
    )
    assert answer.status_code == 200


def test_chunks_are_as_described(worker: Gateway, upstream: Upstream, dialect: Dialect) -> None:
    upstream.answer(stream(dialect.text(["Hel", "lo."])))
    asked = worker.ask(question(dialect.model, stream=True))
    schemas = openapi.document()["components"]["schemas"]
    described = {"$ref": "#/components/schemas/Chunk", "components": {"schemas": schemas}}
    validator = jsonschema_rs.validator_for(described)
    chunks = asked.payloads()
    assert len(chunks) >= 4
    for chunk in chunks:
        validator.validate(chunk)
