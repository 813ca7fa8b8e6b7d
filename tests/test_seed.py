"""The API's own documentation as a test: its requests, responses, chunks and table of parameters.

The documents are in fixtures/seed. The upstreams answer the same as in them, so our answers can be
compared with the documented ones. Only what is new in every answer is made equal, and what we send
in addition to the documented fields is listed here, once.
"""

import re
from typing import Any

import pytest

from tests import accumulate
from tests.play import TOKEN, Played, Upstream, gateway, head, play
from tests.scenarios import FOLDER
from xtrix import json
from xtrix.http import RequestHead

DIALECTS = ("anthropic", "openai")
STAMPS = {
    "id": r"chatcmpl-[0-9a-f]{32}",
    "created": r"\d{10}",
    "system_fingerprint": r"fp_[0-9a-f]{10}",
}
"""What differs from one answer, or one deployment, to the next, and its form."""

USAGE_EXTRAS = {"usage.prompt_tokens_details", "usage.completion_tokens_details"}
EXTRAS = USAGE_EXTRAS | {"choices[0].message.refusal"}
"""What OpenAI's clients read beside the documented fields of a whole answer."""

WRONG: dict[str, list[object]] = {
    "string": [5, ["text"]],
    "array": ["text", {}],
    "boolean": ["true", 1],
    "number": ["1", True],
    "integer": ["5", 1.5],
}
"""Values that are not of a documented type."""

ABSENT = object()


def documented(name: str) -> Any:
    return json.decode((FOLDER / "seed" / f"{name}.json").read_bytes())


def asked(request: object, dialect: str, *, method: str = "POST", path: str = "") -> Played:
    """The outcome of `request`, with an upstream that answers as documented."""
    row = {
        "name": "only",
        "dialect": dialect,
        "base_url": "http://upstream.test/v1",
        "api_key": "UPSTREAM_KEY",
        "models": ["*"],
    }
    streamed = isinstance(request, dict) and request.get("stream")
    form, media = ("sse", "text/event-stream") if streamed else ("json", "application/json")
    body = (FOLDER / "seed" / f"upstream.{dialect}.{form}").read_bytes()
    upstream = Upstream(headers={"content-type": media}, pieces=(body,))
    request_head = head(path or "/v1/chat/completions", method)
    return play(gateway(row), request, [upstream], request_head)


def example(**changes: object) -> dict[str, Any]:
    """The documented example request, changed."""
    request = {**documented("request-example"), **changes}
    return {name: value for name, value in request.items() if value is not ABSENT}


def error_of(played: Played, status: int) -> dict[str, Any]:
    assert played.status == status, played.body
    error: dict[str, Any] = played.json()["error"]
    assert set(error) == {"message", "type", "param", "code"}
    return error


def stamped(documented: dict[str, Any], ours: dict[str, Any]) -> dict[str, Any]:
    """`documented` with the id and time of our answer. Checks the form of both."""
    for name, form in STAMPS.items():
        assert re.fullmatch(form, str(ours[name])), ours[name]
    return {**documented, **{name: ours[name] for name in STAMPS}}


def shared(ours: Any, theirs: Any, path: str = "") -> tuple[Any, set[str]]:
    """The part of `ours` that `theirs` documents, and the paths of everything else."""
    extras: set[str] = set()
    if isinstance(ours, dict) and isinstance(theirs, dict):
        part: dict[str, Any] = {}
        for name, value in ours.items():
            at = f"{path}.{name}".removeprefix(".")
            if name in theirs:
                part[name], more = shared(value, theirs[name], at)
                extras |= more
            else:
                extras.add(at)
        return part, extras
    if isinstance(ours, list) and isinstance(theirs, list) and len(ours) == len(theirs):
        pairs = [
            shared(*pair, f"{path}[{index}]")
            for index, pair in enumerate(zip(ours, theirs, strict=True))
        ]
        return [part for part, _ in pairs], extras.union(*(more for _, more in pairs))
    return ours, extras


def shape(value: Any) -> Any:
    """`value` with the type of each leaf in its place."""
    if isinstance(value, dict):
        return {name: shape(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [shape(inner) for inner in value]
    return type(value)


PARAMETERS = documented("parameters")
REQUIRED = [row for row in PARAMETERS if row.get("required")]
WITH_DEFAULT = [row for row in PARAMETERS if "default" in row]


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/chat/completions"])
@pytest.mark.parametrize("dialect", DIALECTS)
def test_the_example_request_gets_the_documented_response(dialect: str, path: str) -> None:
    played = asked(documented("request-example"), dialect, path=path)

    assert played.status == 200
    assert played.headers["content-type"].startswith("application/json")
    reply = played.json()
    expected = stamped(documented("response"), reply)
    assert shared(reply, expected) == (expected, EXTRAS)
    assert list(reply) == list(expected), "the fields are in the documented order"
    assert reply["id"] == f"chatcmpl-{TOKEN}"


@pytest.mark.parametrize("dialect", DIALECTS)
def test_the_request_beside_the_schema_gets_a_response_of_that_shape(dialect: str) -> None:
    request = documented("request-schema")
    played = asked(request, dialect)

    assert played.status == 200
    expected = shape(documented("response-schema"))
    part, extras = shared(played.json(), documented("response-schema"))
    assert shape(part) == expected
    assert extras == EXTRAS | {"system_fingerprint", "choices[0].logprobs"}
    assert played.json()["model"] == request["model"]
    assert played.json()["object"] == documented("response-schema")["object"]


@pytest.mark.parametrize("dialect", DIALECTS)
def test_the_stream_has_the_documented_chunks(dialect: str) -> None:
    played = asked(documented("request-stream"), dialect)

    assert played.status == 200
    assert played.headers["content-type"] == "text/event-stream; charset=utf-8"
    role, first, second, final, done = accumulate.frames(played.body)
    assert first == stamped(documented("chunk"), first)
    expected = stamped(documented("final-chunk"), first)
    assert shared(final, expected) == (expected, USAGE_EXTRAS)
    assert done == "[DONE]"
    assert played.body.endswith(f"\n\n{documented('stream-end')}\n\n")
    # What the page leaves unsaid: a first chunk with the role, and the second half of the story.
    unsaid = [
        (role, {"role": "assistant", "content": ""}),
        (second, {"content": " end."}),
    ]
    for chunk, delta in unsaid:
        choice = {**documented("chunk")["choices"][0], "delta": delta}
        assert chunk == {**first, "choices": [choice]}


@pytest.mark.parametrize("dialect", DIALECTS)
def test_usage_adds_up(dialect: str) -> None:
    whole = asked(documented("request-example"), dialect).json()["usage"]
    *_, final, _ = accumulate.frames(asked(documented("request-stream"), dialect).body)

    for usage in (whole, final["usage"]):
        assert usage["total_tokens"] == usage["prompt_tokens"] + usage["completion_tokens"]


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("row", PARAMETERS, ids=lambda row: row["name"])
def test_a_parameter_of_another_type_is_refused_by_its_name(
    row: dict[str, Any], dialect: str
) -> None:
    for wrong in WRONG[row["type"]]:
        played = asked(example(**{row["name"]: wrong}), dialect)
        error = error_of(played, 400)
        assert error["type"] == "invalid_request_error"
        assert error["param"] == row["name"], wrong
        assert played.calls == []


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("row", REQUIRED, ids=lambda row: row["name"])
def test_a_required_parameter_is_asked_for(row: dict[str, Any], dialect: str) -> None:
    played = asked(example(**{row["name"]: ABSENT}), dialect)

    error = error_of(played, 400)
    assert error["type"] == "invalid_request_error"
    assert (error["code"], error["param"]) == ("missing_required_parameter", row["name"])
    assert played.calls == []


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("row", WITH_DEFAULT, ids=lambda row: row["name"])
def test_a_parameter_left_out_is_its_default(row: dict[str, Any], dialect: str) -> None:
    spelt_out = asked(example(**{row["name"]: row["default"]}), dialect)

    for left_out in (ABSENT, None):
        played = asked(example(**{row["name"]: left_out}), dialect)
        assert played.status == 200
        assert played.body == spelt_out.body


@pytest.mark.parametrize("dialect", DIALECTS)
def test_no_temperature_is_sent_unless_it_is_asked_for(dialect: str) -> None:
    played = asked(example(), dialect)
    assert "temperature" not in json.decode(played.calls[0].body)

    played = asked(example(temperature=1), dialect)
    assert json.decode(played.calls[0].body)["temperature"] == 1


@pytest.mark.parametrize("dialect", DIALECTS)
def test_temperature_goes_from_0_to_2(dialect: str) -> None:
    (row,) = [row for row in PARAMETERS if "range" in row]
    low, high = row["range"]
    for inside in (low, row["default"], high):
        assert asked(example(temperature=inside), dialect).status == 200
    for outside in (low - 0.001, high + 0.001):
        error = error_of(asked(example(temperature=outside), dialect), 400)
        assert (error["code"], error["param"]) == ("invalid_value", "temperature")


@pytest.mark.parametrize("dialect", DIALECTS)
def test_max_tokens_goes_upstream(dialect: str) -> None:
    played = asked(example(max_tokens=5), dialect)

    assert json.decode(played.calls[0].body)["max_tokens"] == 5


@pytest.mark.parametrize("dialect", DIALECTS)
def test_the_authorization_header_is_required(dialect: str) -> None:
    row = {"name": "only", "dialect": dialect, "base_url": "http://upstream.test/v1"}
    gate = gateway({**row, "api_key": "UPSTREAM_KEY", "models": ["*"]})
    for given in ({}, {"authorization": "YOUR_API_KEY"}, {"authorization": "Bearer YOUR_API_KEY"}):
        request_head = RequestHead("POST", "/v1/chat/completions", given)
        played = play(gate, documented("request-example"), request_head=request_head)
        error = error_of(played, 401)
        assert (error["type"], error["code"]) == ("invalid_request_error", "invalid_api_key")
        assert played.calls == []


def test_the_method_is_post() -> None:
    played = asked(documented("request-example"), "anthropic", method="GET")

    assert error_of(played, 405)["code"] == "method_not_allowed"
    assert "POST" in played.headers["allow"]
