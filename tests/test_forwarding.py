"""OpenAI's other endpoints through the core: who is called, with what, and what comes back."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import pytest

from tests.play import KEY, NOW, TOKEN, UPSTREAM_KEY, Played, Upstream, gateway, head, play
from xtrix import json
from xtrix.endpoints import ENDPOINTS, Endpoint
from xtrix.http import UpstreamHead
from xtrix.passage import Passage
from xtrix.steps import Begin, Call, Failure, ReadBody

JSON_TYPE = {"content-type": "application/json"}
SSE_TYPE = {"content-type": "text/event-stream"}
SOUND = {"content-type": "audio/mpeg"}
BOUNDARY = "form-boundary"
FORM = f"multipart/form-data; boundary={BOUNDARY}"
ERROR = b'{"error":{"message":"no such thing upstream-key","type":"x","code":"c","param":"input"}}'
VECTORS = (
    b'{"object":"list","data":[{"object":"embedding","index":0,"embedding":[1.0,2.0]}],"model":"e",'
    b'"usage":{"prompt_tokens":7,"total_tokens":7}}'
)

ROW: dict[str, Any] = {
    "name": "one",
    "dialect": "openai",
    "base_url": "https://one.test/v1",
    "api_key": "UPSTREAM_KEY",
    "models": ["*"],
    "aliases": {"mine": "theirs"},
}
SECOND = {**ROW, "name": "two", "base_url": "https://two.test/v1", "aliases": {"mine": "other"}}
ANTHROPIC = {**ROW, "name": "claude", "dialect": "anthropic", "models": ["*"], "aliases": {}}


def upstream(
    body: bytes = b"{}", headers: dict[str, str] = JSON_TYPE, status: int = 200
) -> Upstream:
    return Upstream(status, headers, (body,))


def ask(
    path: str, request: object, *upstreams: Upstream, rows: Any = (ROW,), **variables: object
) -> Played:
    gate = gateway(*rows, **variables)
    return play(gate, request, upstreams or [upstream()], head(path))


def form(*fields: tuple[str, bytes]) -> bytes:
    parts = [
        f'--{BOUNDARY}\r\ncontent-disposition: form-data; name="{name}"\r\n\r\n'.encode()
        + value
        + b"\r\n"
        for name, value in fields
    ]
    return b"".join(parts) + f"--{BOUNDARY}--\r\n".encode()


def send(body: bytes, *upstreams: Upstream, rows: Any = (ROW,), **variables: object) -> Played:
    at = head("/v1/audio/transcriptions", content_type=FORM, content_length=str(len(body)), **{})
    return play(gateway(*rows, **variables), body, upstreams or [upstream()], at)


FILE = ("file", b"\x00\xff\r\n--\r\n" * 10)


@pytest.mark.parametrize("endpoint", ENDPOINTS, ids=lambda it: it.path)
@pytest.mark.parametrize("prefix", ["", "/v1"])
def test_a_call_goes_to_who_serves_the_model(endpoint: Endpoint, prefix: str) -> None:
    request = {"input": "x", "unknown": [1, None, "é"], "model": "mine"}
    answer = {"content-type": endpoint.answers[0].replace("*", "mpeg")}
    played = ask(prefix + endpoint.path, request, upstream(b'{"a" : 1}', answer))
    (call,) = played.calls
    assert call.url == f"https://one.test/v1{endpoint.path}"
    assert json.decode(call.body) == {**request, "model": "theirs"}
    headers = dict(call.headers)
    assert headers == {
        "content-type": "application/json",
        "authorization": f"Bearer {UPSTREAM_KEY}",
    }
    assert (played.status, played.body) == (200, '{"a" : 1}')
    assert played.headers["content-type"] == answer["content-type"]
    assert played.headers["x-served-by"] == "one/theirs"
    assert played.log["model"] == "mine"


def test_a_row_says_which_endpoints_it_has() -> None:
    silent = {**ROW, "endpoints": ["audio"]}
    played = ask("/v1/embeddings", {"model": "m", "input": "x"}, rows=(ANTHROPIC, silent, SECOND))
    (call,) = played.calls
    assert call.url == "https://two.test/v1/embeddings"


@pytest.mark.parametrize("rows", [(ANTHROPIC,), ({**ROW, "endpoints": []},)])
def test_what_nobody_can_do_is_a_404_that_names_the_model(rows: Any) -> None:
    for path in ("/v1/embeddings", "/v1/rerank", "/v1/images/edits"):
        played = ask(path, {"model": "some-model"}, rows=rows)
        error = played.json()["error"]
        assert (played.status, error["code"], error["param"]) == (404, "model_not_found", "model")
        there = path.removeprefix("/v1")
        assert error["message"] == f"No provider of the model 'some-model' has {there} here."
        assert played.calls == []


def test_a_model_that_nobody_knows() -> None:
    played = ask("/v1/embeddings", {"model": "gpt-x"}, rows=({**ROW, "models": ["gpt-4"]},))
    assert played.status == 404
    assert "does not exist here" in played.json()["error"]["message"]


def test_a_rule_of_a_row_may_be_for_some_models() -> None:
    row = {**ROW, "endpoints": [{"name": "embeddings", "models": ["text-*"]}]}
    assert ask("/v1/embeddings", {"model": "text-1"}, rows=(row,)).status == 200
    assert ask("/v1/embeddings", {"model": "gpt-5"}, rows=(row,)).status == 404


def test_a_missing_secret_is_named() -> None:
    played = ask("/v1/embeddings", {"model": "m"}, rows=({**ROW, "api_key": "NOT_SET"},))
    assert (played.status, played.json()["error"]["code"]) == (500, "configuration_error")


def test_what_is_no_request() -> None:
    for body, code in (
        (b"{", "invalid_json"),
        (b"[]", "invalid_json"),
        (b"", "invalid_json"),
        ({"input": "x"}, "missing_required_parameter"),
        ({"model": 7}, "invalid_type"),
    ):
        played = ask("/v1/embeddings", body)
        assert (played.status, played.json()["error"]["code"]) == (400, code)
        assert played.calls == []


def test_moderations_has_a_model_of_its_own() -> None:
    (call,) = ask("/v1/moderations", {"input": "x"}).calls
    assert json.decode(call.body)["model"] == "omni-moderation-latest"


def test_a_request_for_many_embeddings_may_be_many_tokens() -> None:
    request = {"model": "m", "input": [[1] * 1000] * 290}
    assert ask("/v1/embeddings", request).status == 200
    assert ask("/v1/embeddings", {"model": "m", "input": [[1] * 1000] * 410}).status == 413


def test_what_a_row_drops_is_named() -> None:
    row = {**ROW, "quirks": {"drop": ["user", "encoding_format"], "rename": {"input": "text"}}}
    request = {"model": "m", "input": "x", "user": "u", "encoding_format": "base64"}
    played = ask("/v1/embeddings", request, upstream(VECTORS), rows=(row,))
    assert json.decode(played.calls[0].body) == {"model": "m", "input": "x"}
    assert played.headers["x-ignored-parameters"] == "user"
    assert played.json()["data"][0]["embedding"] == "AACAPwAAAEA="


@pytest.mark.parametrize(
    ("asked", "came"), [(None, [1.0, 2.0]), ("float", [1.0, 2.0]), ("base64", "AACAPwAAAEA=")]
)
@pytest.mark.parametrize("body", [VECTORS, VECTORS.replace(b"[1.0,2.0]", b'"AACAPwAAAEA="')])
def test_vectors_come_in_the_form_that_was_asked_for(
    asked: str | None, came: object, body: bytes
) -> None:
    request = {"model": "m", "input": "x", **({"encoding_format": asked} if asked else {})}
    played = ask("/v1/embeddings", request, upstream(body))
    assert played.json()["data"] == [{"object": "embedding", "index": 0, "embedding": came}]
    assert played.log["prompt_tokens"] == 7


def test_a_form_of_vectors_that_is_not_known_here_is_the_upstreams_affair() -> None:
    played = ask("/v1/embeddings", {"model": "m", "encoding_format": "int8"}, upstream(VECTORS))
    assert played.body.encode() == VECTORS


@pytest.mark.parametrize(
    ("usage", "filled"),
    [
        (None, {"prompt_tokens": 0, "total_tokens": 0}),
        ({"prompt_tokens": 3}, {"prompt_tokens": 3, "total_tokens": 3}),
        ({"total_tokens": 4, "cost": 1}, {"prompt_tokens": 4, "total_tokens": 4, "cost": 1}),
        ({"prompt_tokens": 3, "total_tokens": 4}, {"prompt_tokens": 3, "total_tokens": 4}),
        (7, {"prompt_tokens": 0, "total_tokens": 0}),
    ],
)
def test_what_an_answer_lacks_is_filled_in(usage: object, filled: object) -> None:
    """OpenAI's clients need it: some read the usage, some sort by the index."""
    data = [{"embedding": [0.5, -1e-07]}, {"index": None, "embedding": [1.0], "own": 1}]
    body = json.encode_body({"data": data, **({} if usage is None else {"usage": usage})})
    assert ask("/v1/embeddings", {"model": "m", "input": ["a", "b"]}, upstream(body)).json() == {
        "object": "list",
        "data": [
            {"object": "embedding", "index": 0, "embedding": [0.5, -1e-07]},
            {"object": "embedding", "index": 1, "embedding": [1.0], "own": 1},
        ],
        "model": "m",
        "usage": filled,
    }


@pytest.mark.parametrize(
    "body", [b'{"data": 7}', b'{"data": [7]}', b"[1]", b'"x"', b'{"error":null}', VECTORS, b"{}"]
)
def test_what_lacks_nothing_or_is_no_list_of_vectors_stays_as_it_came(body: bytes) -> None:
    request = {"model": "m", "input": "x"}
    assert ask("/v1/embeddings", request, upstream(body)).body.encode() == body


def test_an_answer_that_is_not_held_is_not_filled_in() -> None:
    long = b'{"data":[{"embedding":[%b1]}]}' % (b"0.25," * 20_000)
    assert ask("/v1/embeddings", {"model": "m", "input": "x"}, upstream(long)).body.encode() == long
    alike = b'{"data":[{"embedding":[1.0]}]}'
    assert ask("/v1/rerank", {"model": "m"}, upstream(alike)).body.encode() == alike


# Faults


@pytest.mark.parametrize(
    ("met", "status", "code"),
    [
        (upstream(ERROR, status=400), 400, "c"),
        (upstream(ERROR, status=401), 502, "upstream_authentication_error"),
        (upstream(ERROR, status=404), 404, "model_not_found"),
        (upstream(ERROR, status=429), 429, "rate_limit_exceeded"),
        (upstream(b"<html>", {"content-type": "text/html"}, 503), 503, "upstream_error"),
        (upstream(b"<html>", {"content-type": "text/html"}), 502, "bad_upstream_response"),
        (upstream(b"<html>"), 502, "bad_upstream_response"),
        (upstream(b'{"data": ['), 502, "bad_upstream_response"),
        (upstream(b""), 502, "bad_upstream_response"),
        (upstream(ERROR), 502, "upstream_error"),
        (upstream(b"{}", status=204), 502, "bad_upstream_response"),
        (upstream(b"{}", SOUND), 502, "bad_upstream_response"),
        (Upstream(failure=Failure.CONNECTION), 502, "upstream_connection_error"),
        (Upstream(failure=Failure.TIME), 504, "upstream_timeout"),
        (Upstream(200, JSON_TYPE, (b'{"data":',), cut=True), 502, "upstream_connection_error"),
    ],
)
def test_a_fault_has_the_envelope(met: Upstream, status: int, code: str) -> None:
    played = ask("/v1/embeddings", {"model": "m", "input": "x"}, met)
    error = played.json()["error"]
    assert (played.status, error["code"]) == (status, code)
    assert set(error) == {"message", "type", "param", "code"}
    assert UPSTREAM_KEY not in played.body
    assert played.log["error"] == code


def test_the_envelope_is_openais_whoever_asks() -> None:
    at = head("/v1/embeddings", anthropic_version="2023-06-01")
    played = play(gateway(ROW), {"model": 7}, [], at)
    assert set(played.json()["error"]) == {"message", "type", "param", "code"}


def test_a_secret_is_taken_out_of_an_answer_of_any_type() -> None:
    body = b'{"data":"upstream-key"}'
    assert ask("/v1/rerank", {"model": "m"}, upstream(body)).json() == {"data": "[redacted]"}
    pieces = tuple(b"\xffupstream-key\x00"[at : at + 3] for at in range(0, 14, 3))
    played = ask("/v1/audio/speech", {"model": "m"}, Upstream(200, SOUND, pieces))
    assert played.body.encode(errors="surrogateescape") == b"\xff[redacted]\x00"


def test_a_long_answer_that_is_cut_is_not_finished() -> None:
    long = b'{"data":"' + b"x" * 100_000
    played = ask("/v1/rerank", {"model": "m"}, Upstream(200, JSON_TYPE, (long,), cut=True))
    assert (played.status, played.log["error"]) == (200, "upstream_connection_error")
    whole = ask("/v1/rerank", {"model": "m"}, upstream(long + b'"}'))
    assert whole.body.encode() == long + b'"}'
    assert "error" not in whole.log


# Several targets

BEST = {"id": "best", "targets": ["one/mine", "two/mine", "two/stranger"]}
FAILED = upstream(ERROR, status=503)


def models_called(path: str, targets: list[Any], *met: Upstream) -> list[str]:
    model = {**BEST, "targets": targets}
    played = ask(path, {"model": "best"}, *met, rows=(ROW, SECOND, ANTHROPIC), MODELS=[model])
    return [json.decode(call.body)["model"] for call in played.calls]


def test_another_target_answers_what_the_first_could_not() -> None:
    targets = ["one/a", "two/b"]
    retried = [FAILED, FAILED, upstream()]
    assert models_called("/v1/images/generations", targets, *retried) == ["a", "a", "b"]


def test_another_model_never_embeds() -> None:
    """Providers that the operator lists under one name have one model, whatever they call it."""
    failing = [FAILED] * 8
    assert models_called("/v1/embeddings", ["one/a", "two/b"], *failing) == ["a", "a"]
    named = ["one/mine", "two/stranger", "two/mine"]
    assert models_called("/v1/embeddings", named, *failing) == [
        "theirs",
        "theirs",
        "other",
        "other",
    ]


def test_another_model_never_embeds_because_of_its_weight() -> None:
    weighted = [{"target": "one/a", "weight": 1}, {"target": "two/b", "weight": 1000}]
    assert models_called("/v1/embeddings", weighted, upstream()) == ["a"]


def test_targets_without_the_endpoint_are_passed_over() -> None:
    assert models_called("/v1/embeddings", ["claude/x", "two/b"], upstream()) == ["b"]
    model = {**BEST, "targets": ["claude/x"]}
    played = ask("/v1/embeddings", {"model": "best"}, rows=(ROW, ANTHROPIC), MODELS=[model])
    assert (played.status, played.calls) == (404, [])


# Forms


@pytest.mark.parametrize("size", [0, 500, 5_000, 300_000, 700_000])
@pytest.mark.parametrize("name", ["mine", "same"])
def test_a_form_goes_on_with_the_providers_name_of_the_model(name: str, size: int) -> None:
    body = form(("model", name.encode()), ("language", b"en"), ("file", b"\x00\xff" * (size // 2)))
    played = send(body)
    (call,) = played.calls
    theirs = b"theirs" if name == "mine" else b"same"
    assert call.body == body.replace(name.encode() + b"\r\n", theirs + b"\r\n", 1)
    assert dict(call.headers)["content-type"] == FORM
    assert played.status == 200
    assert played.log["upstream_model"] == theirs.decode()


def test_a_model_after_the_files_is_waited_for() -> None:
    body = form(("file", bytes(400_000)), ("model", b"mine"))
    (call,) = send(body).calls
    assert call.body == body.replace(b"mine", b"theirs")
    played = send(body, MAX_BODY_BYTES=200_000)
    error = played.json()["error"]
    assert (played.status, error["param"]) == (400, "model")
    assert "send it before the files" in error["message"]
    assert played.calls == []


def test_a_form_is_tried_again_only_while_all_of_it_is_here() -> None:
    rows = ({**ROW, "retries": {"attempts": 3, "backoff": 0}},)
    small = send(form(("model", b"m"), FILE), FAILED, FAILED, upstream(), rows=rows)
    assert (small.status, len(small.calls)) == (200, 3)
    assert len({call.body for call in small.calls}) == 1
    large = form(("model", b"m"), ("file", bytes(300_000)))
    played = send(large, FAILED, upstream(), rows=rows)
    assert (played.status, len(played.calls)) == (503, 1)
    model = {"id": "best", "targets": ["one/a", "two/a"]}
    best = large.replace(b"\r\nm\r\n", b"\r\nbest\r\n")
    played = send(best, FAILED, upstream(), rows=(ROW, SECOND), MODELS=[model])
    assert (played.status, len(played.calls)) == (503, 1)


@pytest.mark.parametrize("size", [0, 300_000])
def test_a_second_model_in_a_form_is_refused(size: int) -> None:
    body = form(("model", b"m"), ("file", bytes(size)), ("model", b"dear"))
    played = send(body)
    assert (played.status, played.json()["error"]["code"]) == (400, "invalid_form")
    # What has gone on by then is a form that never ended.
    assert all(b"dear" not in call.body for call in played.calls)


def test_a_form_over_the_limit() -> None:
    body = form(("model", b"m"), ("file", bytes(400_000)))
    played = send(body, MAX_UPLOAD_BYTES=300_000)
    assert (played.status, played.calls) == (413, [])
    at = head("/v1/audio/transcriptions", content_type=FORM)
    played = play(gateway(ROW, MAX_UPLOAD_BYTES=300_000), body, [upstream()], at)
    assert (played.status, played.json()["error"]["code"]) == (413, "request_too_large")


@pytest.mark.parametrize(
    "body",
    [
        *(b"", form(FILE), form(("model", b"")), b"no form"),
        *(form(("model", it)) for it in (b"a b", b"a\r\nx: y", b"\xff", "é".encode())),
    ],
)
def test_a_form_without_a_sound_model(body: bytes) -> None:
    played = send(body)
    assert (played.status, played.json()["error"]["param"]) == (400, "model")


def test_a_form_where_none_is_taken_is_no_json() -> None:
    at = head("/v1/embeddings", content_type=FORM)
    played = play(gateway(ROW), form(("model", b"m")), [], at)
    assert (played.status, played.json()["error"]["code"]) == (400, "invalid_json")


def test_no_key_no_call() -> None:
    at = head("/v1/embeddings", authorization="Bearer other")
    assert play(gateway(ROW), {"model": "m"}, [], at).status == 401
    assert KEY not in str(ask("/v1/embeddings", {"model": "m"}).calls)


# Streams


def test_events_of_an_endpoint_pass_as_they_come() -> None:
    events = (b'event: a\ndata: {"usage":{"input_tokens":3,', b'"output_tokens":4}}\n\n')
    request = {"model": "m", "stream": True}
    played = ask("/v1/images/generations", request, Upstream(200, SSE_TYPE, events))
    assert played.body.encode() == b"".join(events)
    assert played.log["stream"] is True
    assert (played.log["prompt_tokens"], played.log["completion_tokens"]) == (3, 4)


# Time


@dataclass
class Dripping:
    """An answer that comes in pieces, a second apart."""

    kind: str
    pieces: Iterable[bytes]

    def seconds(self, *, reads: bool = True) -> int | None:
        """The number of seconds after which it is given up, with a limit of 5; None if its last
        piece came. `reads` is whether the client reads.
        """
        limits = {"first_byte": 9, "idle": 2, "progress": 5}
        exchange = gateway({**ROW, "timeouts": limits}).open(
            head("/v1/audio/speech", content_type="application/json"), TOKEN, NOW
        )
        assert isinstance(exchange.advance(None, NOW), ReadBody)
        assert isinstance(exchange.advance(b'{"model":"m"}', NOW), Call)
        step = exchange.advance(UpstreamHead(200, {"content-type": self.kind}), NOW)
        assert isinstance(step, Begin)
        assert isinstance(step.relay, Passage)
        for second, piece in enumerate(self.pieces, 1):
            step.relay.feed(piece)
            step.relay.tick(NOW + second, reading=reads)
            if step.relay.error:
                assert step.relay.error.code == "upstream_timeout"
                return second
        return None


COMMENT = b": still here\n\n"
DATA = b'event: speech.audio.delta\ndata: {"audio":"AAAA"}\n\n'


@pytest.mark.parametrize(
    ("kind", "piece", "given_up"),
    [
        ("application/json", b" ", True),
        ("application/json", b" " * 20_000, True),
        ("text/event-stream", COMMENT, True),
        ("text/event-stream", b"event: ping\ndata:\n\n", True),
        ("text/event-stream; charset=utf-8", DATA, False),
        ("audio/mpeg", b"\x00", False),
        ("application/octet-stream", b"\x00", False),
    ],
)
def test_what_takes_no_answer_further_keeps_nobody(kind: str, piece: bytes, given_up: bool) -> None:
    assert Dripping(kind, [piece] * 20).seconds() == (5 if given_up else None)


def test_every_byte_of_data_takes_a_stream_further() -> None:
    long = b"data: " + b"x" * 40
    pieces = [long[at : at + 2] for at in range(0, len(long), 2)]
    assert Dripping("text/event-stream", pieces).seconds() is None
    quiet = COMMENT * 3
    pieces = [quiet[at : at + 1] for at in range(20)]
    assert Dripping("text/event-stream", pieces).seconds() == 5


def test_a_client_that_does_not_read_is_no_delay_of_the_upstreams() -> None:
    assert Dripping("application/json", [b" "] * 20).seconds(reads=False) is None
