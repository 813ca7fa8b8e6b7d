"""The public surface: routes, keys, CORS, models, health, configuration, the shape of an answer."""

import json
import re
import time
from collections.abc import Iterator

import pytest

from tests.worker.client import CLIENT_KEYS, REQUEST_ID, question
from tests.worker.conftest import Gateway, Start
from tests.worker.logs import records
from tests.worker.scripts import stream, whole
from tests.worker.speech import ANTHROPIC, DIALECTS, INPUT_TOKENS, OPENAI, OUTPUT_TOKENS, Dialect
from tests.worker.upstream import Upstream
from xtrix import __version__

_VERSION = "".join(f"{int(number):02x}" for number in __version__.split("."))
FINGERPRINT = rf"fp_{_VERSION}[0-9a-f]{{4}}"

BEARER = {"authorization": f"Bearer {CLIENT_KEYS[0]}"}


# Answers


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/chat/completions"])
def test_a_whole_answer_is_what_the_contract_says(
    worker: Gateway, upstream: Upstream, dialect: Dialect, path: str
) -> None:
    upstream.answer(whole(200, dialect.whole("é 北京 🙂 </script>")))
    answer = worker.ask(question(dialect.model), line=f"POST {path}")
    completion = answer.json()
    assert abs(completion.pop("created") - time.time()) < 60
    assert re.fullmatch(FINGERPRINT, completion.pop("system_fingerprint"))
    assert completion.pop("id") == answer.headers["x-request-id"].replace("req_", "chatcmpl-")
    usage = completion.pop("usage")
    assert usage["prompt_tokens"] == INPUT_TOKENS
    assert usage["completion_tokens"] == OUTPUT_TOKENS
    assert usage["total_tokens"] == INPUT_TOKENS + OUTPUT_TOKENS
    (choice,) = completion.pop("choices")
    message = choice.pop("message")
    assert (message["role"], message["content"]) == ("assistant", "é 北京 🙂 </script>")
    assert message.get("refusal") is None
    assert choice == {"index": 0, "logprobs": None, "finish_reason": "stop"}
    assert completion == {"object": "chat.completion", "model": dialect.model}


def test_ids_differ_and_the_fingerprint_does_not(worker: Gateway, upstream: Upstream) -> None:
    upstream.answer(whole(200, OPENAI.whole("Yes.")))
    completions = [worker.ask(question(OPENAI.model)).json() for _ in range(20)]
    assert len({it["id"] for it in completions}) == 20
    assert len({it["system_fingerprint"] for it in completions}) == 1


def test_a_model_that_is_not_named_is_the_default(worker: Gateway, upstream: Upstream) -> None:
    upstream.answer(whole(200, ANTHROPIC.whole("Yes.")))
    body = question(ANTHROPIC.model)
    del body["model"]
    assert worker.ask(body).json()["model"] == "claude-sim"
    assert json.loads(upstream.wait_for_call().body)["model"] == "claude-sim"


def test_an_alias_is_asked_for_by_its_other_name(
    worker: Gateway, upstream: Upstream, dialect: Dialect
) -> None:
    upstream.answer(whole(200, dialect.whole("Yes.")))
    alias = f"{dialect.name}-latest"
    assert worker.ask(question(alias)).json()["model"] == alias
    assert json.loads(upstream.wait_for_call().body)["model"] == f"{dialect.model}-2"


def test_what_is_ignored_is_named(worker: Gateway, upstream: Upstream) -> None:
    upstream.answer(whole(200, ANTHROPIC.whole("Yes.")))
    answer = worker.ask(question(ANTHROPIC.model, logit_bias={"1": 2}, seed=7))
    ignored = re.split(r",\s*", answer.headers["x-ignored-parameters"])
    assert {"logit_bias", "seed"} <= set(ignored)


TEXTLESS = [{"type": "text"}]
REFUSED = [
    ({"messages": []}, "messages"),
    ({"messages": "x"}, "messages"),
    ({"messages": [{"role": "wizard", "content": "x"}]}, "messages[0].role"),
    ({"messages": [{"role": "user", "content": 7}]}, "messages[0].content"),
    (
        {"messages": [{"role": "user", "content": [{"type": "text"}]}]},
        "messages[0].content[0].text",
    ),
    ({"temperature": 2.1}, "temperature"),
    ({"temperature": "warm"}, "temperature"),
    ({"max_tokens": -1}, "max_tokens"),
    ({"top_p": 1.5}, "top_p"),
    ({"stream": "yes"}, "stream"),
    ({"n": 2}, "n"),
    ({"stop": ["a", "b", "c", "d", "e"]}, "stop"),
    ({"model": 7}, "model"),
]


@pytest.mark.parametrize(("wrong", "param"), REFUSED, ids=lambda it: str(it)[:40])
def test_a_wrong_parameter_is_named(
    worker: Gateway, upstream: Upstream, wrong: dict[str, object], param: str
) -> None:
    answer = worker.ask(question(ANTHROPIC.model) | wrong)
    error = answer.error()
    assert answer.status == 400
    assert (error["type"], error["param"]) == ("invalid_request_error", param)
    assert upstream.calls == []


def test_messages_that_are_missing_are_named(worker: Gateway) -> None:
    error = worker.ask({"model": OPENAI.model}).error()
    assert (error["param"], error["code"]) == ("messages", "missing_required_parameter")


def test_a_model_nobody_serves(worker: Gateway, upstream: Upstream) -> None:
    answer = worker.ask(question("gemini-9"))
    assert answer.status == 404
    assert answer.error() | {"message": ""} == {
        "message": "",
        "type": "invalid_request_error",
        "param": "model",
        "code": "model_not_found",
    }
    assert upstream.calls == []


# Routes


@pytest.mark.parametrize("path", ["/", "/v1", "/v1/chat", "/v1/chat/completions/x", "/v2/models"])
def test_an_unknown_path(worker: Gateway, path: str) -> None:
    for method in ("GET", "POST"):
        answer = worker.ask(headers=BEARER, line=f"{method} {path}")
        assert answer.status == 404
        assert answer.error()["code"] == "unknown_url"


@pytest.mark.parametrize(
    ("line", "allowed"),
    [
        ("GET /v1/chat/completions", "POST"),
        ("PUT /v1/chat/completions", "POST"),
        ("DELETE /chat/completions", "POST"),
        ("POST /v1/models", "GET"),
        ("PATCH /v1/models/claude-sim", "GET"),
        ("POST /health", "GET"),
    ],
)
def test_a_known_path_with_another_method(worker: Gateway, line: str, allowed: str) -> None:
    answer = worker.ask(headers=BEARER, line=line)
    assert answer.status == 405
    assert answer.error()["code"] == "method_not_allowed"
    assert allowed in re.split(r",\s*", answer.headers["allow"])


@pytest.mark.parametrize("path", ["/health", "/v1/models", "/models", "/v1/models/claude-sim"])
def test_head_is_get_without_the_body(worker: Gateway, path: str) -> None:
    answer = worker.ask(headers=BEARER, line=f"HEAD {path}")
    assert (answer.status, answer.body) == (200, b"")
    assert answer.headers["content-type"] == "application/json"


def test_an_unknown_path_is_not_told_at_length(worker: Gateway) -> None:
    answer = worker.ask(headers=BEARER, line=f"POST /{'x' * 7_000}")
    assert len(answer.body) < 500
    assert "POST /v1/chat/completions" in answer.error()["message"]
    answer = worker.ask(headers=BEARER, line="POST /v1/v1/chat/completions")
    assert "leave /v1 out" in answer.error()["message"]


def test_health_needs_no_key_and_calls_nobody(worker: Gateway, upstream: Upstream) -> None:
    assert worker.ask(headers={}, line="GET /health").json()["status"] == "ok"
    assert upstream.calls == []


def test_models(worker: Gateway) -> None:
    listed = worker.ask(line="GET /v1/models").json()
    assert worker.ask(line="GET /models").json() == listed
    assert listed["object"] == "list"
    ids = [it["id"] for it in listed["data"]]
    assert {f"{it.name}-latest" for it in DIALECTS} <= set(ids)
    assert len(ids) == len(set(ids))
    assert not any("*" in name for name in ids)
    for model in listed["data"]:
        assert model["object"] == "model"
        assert isinstance(model["created"], int)
        assert isinstance(model["owned_by"], str)
        assert worker.ask(line=f"GET /v1/models/{model['id']}").json() == model
    answer = worker.ask(line="GET /v1/models/gemini-9")
    assert (answer.status, answer.error()["code"]) == (404, "model_not_found")
    assert worker.ask(headers={}, line="GET /v1/models").status == 401


def test_every_answer_has_an_id_of_its_own(worker: Gateway) -> None:
    lines = ["GET /health", "GET /v1/models", "GET /nowhere", "POST /v1/chat/completions"] * 5
    ids = [worker.ask(line=line).headers["x-request-id"] for line in lines]
    assert all(REQUEST_ID.fullmatch(it) for it in ids)
    assert len(set(ids)) == len(ids)


# CORS


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/models", "/chat/completions"])
def test_a_browser_may_ask(worker: Gateway, path: str) -> None:
    asked = "authorization, content-type, x-stainless-lang, x-stainless-retry-count"
    headers = {
        "origin": "https://app.example",
        "access-control-request-method": "POST",
        "access-control-request-headers": asked,
    }
    answer = worker.ask(headers=headers, line=f"OPTIONS {path}")
    assert answer.status == 204
    assert answer.body == b""
    allowed = re.split(r",\s*", answer.headers["access-control-allow-headers"].lower())
    assert set(re.split(r",\s*", asked)) <= set(allowed)
    assert "POST" in answer.headers["access-control-allow-methods"]
    assert "access-control-allow-credentials" not in answer.headers


def test_a_browser_may_not_ask_for_headers_that_break_ours(worker: Gateway) -> None:
    headers = {
        "origin": "https://app.example",
        "access-control-request-method": "POST",
        "access-control-request-headers": "x-" + "a" * 10_000 + ", x\x7f, é",
    }
    answer = worker.ask(headers=headers, line="OPTIONS /v1/chat/completions")
    assert answer.status == 204


@pytest.mark.parametrize("line", ["POST /v1/chat/completions", "GET /nowhere", "PUT /v1/models"])
def test_a_browser_may_read_an_error(worker: Gateway, line: str) -> None:
    headers = BEARER | {"origin": "https://app.example"}
    answer = worker.ask(b"{", headers, line)
    assert answer.status >= 400
    assert answer.headers["access-control-allow-origin"] == "*"
    exposed = re.split(r",\s*", answer.headers["access-control-expose-headers"])
    assert {
        *("x-request-id", "retry-after", "retry-after-ms", "x-should-retry"),
        "x-ignored-parameters",
    } <= set(exposed)


# Keys

FIRST, SECOND = CLIENT_KEYS
WRONG = {
    "nothing": None,
    "an empty header": "",
    "a scheme alone": "Bearer",
    "a scheme and a space": "Bearer ",
    "no scheme": FIRST,
    "another scheme": f"Basic {FIRST}",
    "another key": "Bearer sk-client-third-000000",
    "the start of a key": f"Bearer {FIRST[:-1]}",
    "a key and more": f"Bearer {FIRST}0",
    "a key twice": f"Bearer {FIRST}{FIRST}",
    "a key in another case": f"Bearer {FIRST.upper()}",
    "both keys with a comma": f"Bearer {FIRST},{SECOND}",
    "both keys as configured": f"Bearer {FIRST}, {SECOND}",
    "both keys with a space": f"Bearer {FIRST} {SECOND}",
    "a comma": "Bearer ,",
    "a key in quotes": f'Bearer "{FIRST}"',
    "a key glued to the scheme": f"Bearer{FIRST}",
    "bytes that are no ASCII": "Bearer \xe9\xff",
    "a very long key": "Bearer " + "x" * 50_000,
    "a NUL's neighbour": f"Bearer {FIRST}\x01",
}


@pytest.mark.parametrize("kind", WRONG)
def test_a_wrong_key(worker: Gateway, upstream: Upstream, kind: str) -> None:
    value = WRONG[kind]
    headers = {} if value is None else {"authorization": value}
    for line in ("POST /v1/chat/completions", "GET /v1/models"):
        answer = worker.ask(question(OPENAI.model), headers, line)
        assert answer.status == 401
        assert answer.headers["www-authenticate"].startswith("Bearer")
        error = answer.error()
        assert (error["type"], error["code"]) == ("invalid_request_error", "invalid_api_key")
        assert error["message"].startswith("Incorrect API key provided")
    assert upstream.calls == []


@pytest.mark.parametrize("headers", [{"api-key": FIRST}, {"cookie": FIRST}])
def test_a_key_in_another_place(worker: Gateway, headers: dict[str, str]) -> None:
    assert worker.ask(question(OPENAI.model), headers).status == 401


def test_all_wrong_keys_are_told_the_same(worker: Gateway) -> None:
    kinds = ("another key", "the start of a key", "a key and more", "a key in another case")
    sent = [{"authorization": f"{WRONG[kind]}"} for kind in kinds]
    assert len({worker.ask(question("gpt-x"), headers).body for headers in sent}) == 1


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER", "bEaReR"])
@pytest.mark.parametrize("key", CLIENT_KEYS)
def test_every_key_is_good_and_the_case_of_the_scheme_no_matter(
    worker: Gateway, upstream: Upstream, scheme: str, key: str
) -> None:
    upstream.answer(whole(200, OPENAI.whole("Yes.")))
    assert worker.ask(question(OPENAI.model), {"authorization": f"{scheme} {key}"}).status == 200


@pytest.mark.parametrize("keys", [None, "", " , \n"])
def test_without_keys_everyone_is_refused(
    start: Start, bindings: dict[str, object], upstream: Upstream, keys: str | None
) -> None:
    others = {name: value for name, value in bindings.items() if name != "API_KEYS"}
    with start(others if keys is None else others | {"API_KEYS": keys}) as worker:
        assert worker.ask(headers={}, line="GET /health").status == 200
        for value in ("", "Bearer", "Bearer ", "Bearer ,", "Bearer undefined", "Bearer None"):
            answer = worker.ask(question(OPENAI.model), {"authorization": value})
            assert (answer.status, answer.error()["code"]) == (401, "invalid_api_key")
        answer = worker.ask(question(OPENAI.model), {})
        assert (answer.status, answer.error()["code"]) == (401, "invalid_api_key")
    assert upstream.calls == []


# Configuration

ROW = {"dialect": "openai", "base_url": "https://x.example/v1", "models": ["gpt-*"]}
FAULTY: list[tuple[str, dict[str, object]]] = [
    ("dialect", {"base_url": "https://x.example/v1", "models": ["a"]}),
    ("dialect", {**ROW, "dialect": "grok"}),
    ("base_url", {"dialect": "openai", "models": ["a"]}),
    ("base_url", {**ROW, "base_url": "ftp://x.example"}),
    ("models", {**ROW, "models": "gpt-*"}),
    ("timeouts.idle", {**ROW, "timeouts": {"idle": -1}}),
    ("timeouts.patience", {**ROW, "timeouts": {"patience": 3}}),
    ("api_key", {**ROW, "api_key": "sk-a-key-instead-of-its-name"}),
    ("headers", {**ROW, "headers": {"x y": "z\r\n"}}),
    ("aliases", {**ROW, "aliases": ["a"]}),
]
"""Rows of PROVIDERS, and in which field each is wrong."""
WRONG_ENTRIES = [
    *(f"PROVIDERS[{number}].{field}" for number, (field, _) in enumerate(FAULTY)),
    *("MAX_BODY_BYTES", "KEEP_ALIVE_SECONDS"),
]


@pytest.fixture(scope="module")
def faulty(start: Start, bindings: dict[str, object]) -> Iterator[Gateway]:
    """A Worker with every fault that a configuration can have, at once."""
    rows = [{"name": f"row-{number}", **row} for number, (_, row) in enumerate(FAULTY)]
    good = {"name": "good", **ROW}
    wrong = {"PROVIDERS": [*rows, good], "MAX_BODY_BYTES": "plenty", "KEEP_ALIVE_SECONDS": "-1"}
    with start(bindings | wrong) as worker:
        yield worker


@pytest.mark.parametrize("entry", WRONG_ENTRIES)
def test_one_error_names_every_wrong_entry(faulty: Gateway, entry: str) -> None:
    answer = faulty.ask(question(OPENAI.model))
    error = answer.error()
    assert answer.status == 500
    assert (error["type"], error["code"]) == ("api_error", "configuration_error")
    assert entry in error["message"]
    assert f"PROVIDERS[{len(FAULTY)}]" not in error["message"], "the last row is good"
    assert "sk-a-key-instead-of-its-name" not in error["message"]


def test_a_provider_without_its_secret_is_left_alone(
    start: Start, bindings: dict[str, object], upstream: Upstream
) -> None:
    locked = {**ROW, "name": "locked", "models": ["locked-*"], "api_key": "SECRET_NOT_SET"}
    rows = bindings["PROVIDERS"]
    assert isinstance(rows, list)
    with start(bindings | {"PROVIDERS": [locked, *rows]}) as worker:
        upstream.answer(whole(200, OPENAI.whole("Yes.")))
        assert worker.ask(question(OPENAI.model)).status == 200
        refused = worker.ask(question("locked-model"))
    assert refused.status == 500
    assert refused.error()["code"] == "configuration_error"
    assert "SECRET_NOT_SET" in refused.error()["message"]


def test_health_says_that_the_configuration_is_faulty(faulty: Gateway) -> None:
    answer = faulty.ask(line="GET /health")
    assert (answer.status, answer.error()["code"]) == (503, "configuration_error")
    assert "PROVIDERS[0]" in answer.error()["message"]


@pytest.mark.parametrize("line", ["GET /health", "POST /v1/chat/completions", "GET /nowhere"])
def test_a_faulty_configuration_names_nothing_to_who_has_no_key(faulty: Gateway, line: str) -> None:
    for headers in ({}, {"authorization": "Bearer of-another"}):
        error = faulty.ask(question(OPENAI.model), headers, line).error()
        assert error["code"] == "configuration_error"
        assert not any(name in error["message"] for name in ("PROVIDERS", "MAX_BODY", "SECRET"))


def test_a_faulty_configuration_is_in_the_log(faulty: Gateway) -> None:
    """The log names the faults for an operator who cannot get in because of them."""
    (line,) = (it for it in records(faulty.log()) if "configuration_error" in it)
    assert all(
        any(entry in fault for fault in line["configuration_error"]) for entry in WRONG_ENTRIES
    )


@pytest.mark.parametrize("providers", ["[", "{}", 7, "[7]"])
def test_providers_that_are_no_list(
    start: Start, bindings: dict[str, object], providers: object
) -> None:
    with start(bindings | {"PROVIDERS": providers}) as worker:
        error = worker.ask(question(OPENAI.model)).error()
        assert error["code"] == "configuration_error"
        assert "PROVIDERS" in error["message"]


def test_providers_may_be_json_text(
    start: Start, bindings: dict[str, object], upstream: Upstream
) -> None:
    upstream.answer(stream(OPENAI.text(["Yes."])))
    text = json.dumps(bindings["PROVIDERS"])
    with start(bindings | {"PROVIDERS": text}) as worker:
        assert worker.ask(question(OPENAI.model, stream=True)).text() == "Yes."
