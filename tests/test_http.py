"""HTTP as values."""

import pytest

from xtrix.errors import ClientError
from xtrix.http import UpstreamHead, answer_headers, error_reply, reply


@pytest.mark.parametrize(
    ("claimed", "expected"),
    [
        ("text/event-stream", True),
        ("text/event-stream; charset=utf-8", True),
        ("Text/Event-Stream ;charset=utf-8", True),
        ("application/json", False),
        ("text/html; charset=utf-8", False),
        ("", False),
    ],
)
def test_what_a_body_claims_to_be(claimed: str, expected: bool) -> None:
    assert UpstreamHead(200, {"content-type": claimed}).may_be("text/event-stream") is expected


def test_a_body_that_claims_nothing_may_be_anything() -> None:
    assert UpstreamHead(200, {}).may_be("application/json")


def test_what_an_upstream_says_of_retrying() -> None:
    said = {"retry-after": "3", "x-should-retry": "false", "content-type": "text/html"}
    assert UpstreamHead(429, said).retry_headers() == (
        ("retry-after", "3"),
        ("x-should-retry", "false"),
    )


DATE = "Sun, 22 Nov 2026 15:00:00 GMT"


@pytest.mark.parametrize(
    ("name", "sense"),
    [
        ("retry-after", ["0", "17", "0.5", "1e3", DATE]),
        ("retry-after-ms", ["1500", "0"]),
        ("x-should-retry", ["true", "false"]),
    ],
)
def test_what_makes_sense_of_retrying_comes_through(name: str, sense: list[str]) -> None:
    for value in sense:
        assert UpstreamHead(429, {name: value}).retry_headers() == ((name, value),)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(
            ("retry-after", it)
            for it in ("", "soon", "5 s", "17, 18", "x" * 9, "1" * 21, "٣", DATE * 2)
        ),
        *(("retry-after", it) for it in (DATE.lower(), "Sun, 22 Nov 2026", "2026-11-22T15:00:00Z")),
        *(("retry-after-ms", it) for it in ("", "soon", DATE)),
        *(("x-should-retry", it) for it in ("", "True", "yes", "1", "false,true")),
    ],
)
def test_what_an_upstream_says_of_retrying_has_to_make_sense(name: str, value: str) -> None:
    assert UpstreamHead(429, {name: value}).retry_headers() == ()


def test_a_reply_is_json() -> None:
    assert reply({"a": 1}, 201, (("b", "c"),)) == (
        201,
        (("content-type", "application/json"), ("b", "c")),
        b'{"a":1}',
    )


def test_an_error_is_a_reply_with_its_status_and_headers() -> None:
    error = ClientError(405, "code", "Why.", headers=(("allow", "GET"),))
    answer = error_reply(error)
    assert answer.status == 405
    assert ("allow", "GET") in answer.headers
    assert b'"message":"Why."' in answer.body


def test_every_answer_names_its_request() -> None:
    assert ("x-request-id", "req_1") in answer_headers("req_1")
