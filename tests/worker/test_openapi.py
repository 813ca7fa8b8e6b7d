"""The API's description and the real Worker: schemathesis calls it, and checks every answer.

Schemathesis thinks of thousands of calls, which takes many seconds. Its own decorator does so while
the tests are collected, in every process. So here each test asks for the calls of its operation, by
the function that the decorator calls too.
"""

import json
import zlib
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import jsonschema_rs
import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis.checks import not_a_server_error
from schemathesis.generation.feedback import FeedbackSources
from schemathesis.pytest._test_builder import build_operation_test
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.worker.client import CLIENT_KEYS, question
from tests.worker.conftest import Gateway, Start
from tests.worker.fleet import ADMIN_KEY, NAMED_KEY
from tests.worker.scripts import Script, stream, whole
from tests.worker.speech import DIALECTS, Dialect
from tests.worker.upstream import Call, Upstream
from tools import openapi, runtime
from xtrix.endpoints import BY_PATH

DOCUMENT = openapi.document()
SCHEMA = schemathesis.openapi.from_dict(DOCUMENT)
OPERATIONS = [
    f"{method.upper()} {path}"
    for path, operations in DOCUMENT["paths"].items()
    for method in operations
    if method != "parameters"
]
OF_A_MODEL = [line for line in OPERATIONS if line.startswith("POST /v1/")]
THE_GATEWAYS_OWN = [line for line in OPERATIONS if line not in OF_A_MODEL]
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
BOUNDED = settings(
    max_examples=12, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck)
)


@pytest.fixture(scope="module")
def described(start: Start, bindings: dict[str, object]) -> Iterator[Gateway]:
    """A Worker with every feature: it keeps responses, and has an operator and named keys."""
    everything = {
        **bindings,
        "API_KEYS": f"{', '.join(CLIENT_KEYS)}, configured:{NAMED_KEY}",
        "ADMIN_KEY": ADMIN_KEY,
        "LEDGER": runtime.Objects("Ledger"),
        "STORE_DAYS": 30,
        "ARCHIVE": runtime.Objects("Archive"),
    }
    with start(everything) as gateway:
        yield gateway


def validated(case: "schemathesis.Case[Any]", worker: Gateway) -> Any:
    """The answer, validated. Uses the key that the path needs."""
    path = case.operation.path
    key = ADMIN_KEY if path.startswith("/admin") else CLIENT_KEYS[0]
    key = NAMED_KEY if path == "/v1/usage" else key
    return case.call_and_validate(
        base_url=f"http://127.0.0.1:{worker.port}",
        headers={"authorization": f"Bearer {key}"},
        checks=CHECKS,
        timeout=30,
    )


def asked(worker: Gateway, line: str, **given: Any) -> Any:
    """The parsed answer to a call. `given` are its body, its query and the id in its path."""
    method, path = line.split(" ")
    if "id" in given:
        given["path_parameters"] = {"id": given.pop("id")}
    answer = validated(SCHEMA[path][method].Case(**given), worker)
    assert answer.status_code in {200, 201}, answer.text
    return json.loads(answer.text) if "json" in answer.headers["content-type"][0] else answer.text


def test_the_file_is_what_the_schemas_say() -> None:
    assert json.loads(openapi.FILE.read_text()) == openapi.document()


def for_each_call(line: str, check: Callable[["schemathesis.Case[Any]"], object]) -> None:
    """Calls `check` with each call of that operation that schemathesis thinks of."""
    method, path = line.split(" ")

    def called(case: "schemathesis.Case[Any]") -> None:
        check(case)

    build_operation_test(
        config=SCHEMA.config,
        operation=SCHEMA[path][method],
        test_func=called,
        given_kwargs={},
        feedback=FeedbackSources(),
        explicit_settings=BOUNDED,
    )()


@pytest.mark.parametrize("line", THE_GATEWAYS_OWN)
def test_every_answer_of_the_gateways_own_is_as_described(line: str, described: Gateway) -> None:
    for_each_call(line, lambda case: validated(case, described))


@pytest.mark.swept
@pytest.mark.parametrize("line", OF_A_MODEL)
def test_every_answer_of_a_model_is_as_described(
    line: str, described: Gateway, upstream: Upstream, thorough: bool
) -> None:
    """In `make test` each call is for one dialect, as its body has it; in `make sweep` for all."""

    def check(case: "schemathesis.Case[Any]") -> None:
        chosen = DIALECTS[zlib.crc32(repr(case.body).encode()) % len(DIALECTS)]
        for dialect in DIALECTS if thorough else [chosen]:
            upstream.answer_each(partial(in_the_form_asked_for, dialect))
            if isinstance(case.body, dict):
                case.body["model"] = dialect.model
            validated(case, described)

    for_each_call(line, check)


def in_the_form_asked_for(dialect: Dialect, call: Call) -> Script:
    """What an upstream of the dialect answers."""
    path = call.path.removeprefix("/v1")
    if path in BY_PATH:
        kind = BY_PATH[path].answers[0].replace("*", "mpeg")
        return whole(200, b'{"data": []}', (("content-type", kind),))
    if path == "/completions":
        return whole(200, b'{"object": "text_completion", "choices": [{"text": "Hello."}]}')
    if path == "/messages/count_tokens":
        return whole(200, b'{"input_tokens": 7}')
    if json.loads(call.body).get("stream"):
        return stream(dialect.text(["Hel", "lo."]))
    return whole(200, dialect.whole("Hello."))


TURNS = [{"role": "user", "content": "Hello"}]


@pytest.mark.parametrize(
    ("path", "fields"),
    [
        ("/v1/chat/completions", {"messages": TURNS}),
        ("/v1/messages", {"messages": TURNS, "max_tokens": 9}),
        ("/v1/responses", {"input": "Hello"}),
        ("/v1/responses/input_tokens", {"input": "Hello"}),
        ("/v1/completions", {"prompt": "Hello"}),
    ],
)
def test_it_asks_for_what_the_worker_answers_well(
    described: Gateway, upstream: Upstream, dialect: Dialect, path: str, fields: dict[str, Any]
) -> None:
    completion = b'{"object": "text_completion", "choices": [{"text": "Hello."}]}'
    upstream.answer_each(
        lambda call: whole(
            200, completion if call.path == "/v1/completions" else dialect.whole("Hello.")
        )
    )
    asked(described, f"POST {path}", body={"model": dialect.model, **fields})


def test_what_is_kept_is_as_described(
    described: Gateway, upstream: Upstream, dialect: Dialect
) -> None:
    upstream.answer(whole(200, dialect.whole("Hello.")))
    made = asked(described, "POST /v1/responses", body={"model": dialect.model, "input": "Hello"})
    kept = asked(described, "GET /v1/responses/{id}", id=made["id"])
    assert (kept["id"], kept["store"]) == (made["id"], True)
    page = {"limit": 1, "order": "asc"}
    items = asked(described, "GET /v1/responses/{id}/input_items", id=made["id"], query=page)
    assert [each["role"] for each in items["data"]] == ["user"]
    assert asked(described, "DELETE /v1/responses/{id}", id=made["id"])["deleted"] is True


def test_keys_and_usage_are_as_described(described: Gateway) -> None:
    limits = {"models": ["*"], "usd_per_day": 2.5, "strict": True}
    made = asked(described, "POST /admin/keys", body={"name": "described", "limits": limits})
    key = made["id"]
    assert made["secret"].startswith(asked(described, "GET /admin/keys")["prefix"])
    assert asked(described, "GET /admin/keys/{id}", id=key)["limits"]["usd_per_day"] == 2.5
    changed = asked(described, "PATCH /admin/keys/{id}", id=key, body={"active": False})
    assert changed["state"] == "off"
    rotated = asked(described, "POST /admin/keys/{id}/rotate", id=key, body={"grace_seconds": 0})
    assert rotated["secret"] != made["secret"]
    assert asked(described, "DELETE /admin/keys/{id}", id=key) == {"id": key, "deleted": True}
    assert asked(described, "GET /admin/usage")["object"] == "usage"
    assert asked(described, "GET /admin/usage", query={"format": "csv"}).startswith("day,key,name")
    assert asked(described, "GET /v1/usage")["key"]["name"] == "configured"


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
