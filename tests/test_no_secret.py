"""No secret is passed on, whichever string or header of an upstream's answer it is in.

Every scenario folder's answer is played many times, whole and streamed, each time with the
upstream's key in another of its strings (alone or inside other text) or in a header. The key must
not be in anything that the client or the log gets.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest

from tests import accumulate
from tests.play import KEY, Upstream, gateway, play
from tests.scenarios import Scenario, scenarios
from xtrix import json
from xtrix.app import Gateway
from xtrix.http import UPSTREAM_HEADERS

LIKE_A_KEY, WORD, AWKWARD = "sk-upstream-7f3a9c", "correct_horse_battery", 'quoted"and\\slashed'
SECRETS = (LIKE_A_KEY, WORD, AWKWARD, "1234567890.5")
"""What the key may look like; the last is a number."""

ANSWERED = [each for each in scenarios() if any(each.path.glob("upstream.*"))]
"""The folders that have an upstream's answer."""

JSON_TYPE = {"content-type": "application/json"}
SSE_TYPE = {"content-type": "text/event-stream"}


class Answer(NamedTuple):
    """An upstream's answer, and whether the client asked for a stream."""

    upstream: Upstream
    streamed: bool


def planted(value: Any, secret: str) -> Iterator[Any]:
    """`value` with `secret` put into each of its strings in turn, the names of fields too."""
    match value:
        case str():
            yield secret
            yield f"{value} {secret}, {value}"
        case list():
            for index, item in enumerate(value):
                for changed in planted(item, secret):
                    yield [*value[:index], changed, *value[index + 1 :]]
        case dict():
            for name, item in value.items():
                for changed in planted(item, secret):
                    yield value | {name: changed}
            yield value | {secret: secret}
        case _:
            yield secret


def events(stream: bytes) -> list[str]:
    """The events of a stream, framed as they are."""
    text = stream.decode().removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")
    return [event for event in text.split("\n\n") if event.strip()]


def planted_in(stream: bytes, secret: str) -> Iterator[tuple[bytes, ...]]:
    """The events of `stream` with `secret` put into each string of each of them in turn."""
    said = events(stream)
    for index, event in enumerate(said):
        before, _, data = event.partition("data:")
        try:
            value = json.decode(data)
        except ValueError:
            continue
        for changed in planted(value, secret):
            put = f"{before}data: {json.encode(changed)}"
            whole = [*said[:index], put, *said[index + 1 :]]
            yield tuple(f"{each}\n\n".encode() for each in whole)


def answers(scenario: Scenario, secret: str) -> Iterator[Answer]:
    """Every answer of the folder, with `secret` in each of its strings in turn."""
    status = scenario.status_of("upstream")
    if status:
        body = scenario.json(f"upstream.{status}.json")
        for changed in planted(body, secret):
            failed = Upstream(status, JSON_TYPE, (json.encode(changed).encode(),))
            yield Answer(failed, streamed=False)
    if scenario.has("upstream.json"):
        for changed in planted(scenario.json("upstream.json"), secret):
            yield Answer(Upstream(200, JSON_TYPE, (json.encode(changed).encode(),)), streamed=False)
    if scenario.has("upstream.sse"):
        for pieces in planted_in(scenario.bytes("upstream.sse"), secret):
            yield Answer(Upstream(200, SSE_TYPE, pieces), streamed=True)


def assert_unseen(gate: Gateway, scenario: Scenario, answer: Answer, secret: str) -> None:
    """Fails if `secret`, the key of `gate`, is in anything that the client or the log gets."""
    request = scenario.json("request.json") | ({"stream": True} if answer.streamed else {})
    played = play(gate, request, [answer.upstream])
    assert played.calls
    spelled = json.encode(secret)[1:-1]
    for shown in (played.body, json.encode(played.headers), json.encode(played.log)):
        assert secret not in shown, answer.upstream.pieces
        assert spelled not in shown, answer.upstream.pieces


@pytest.mark.parametrize("scenario", ANSWERED, ids=str)
@pytest.mark.parametrize("secret", [WORD, AWKWARD])
def test_no_secret_comes_through(scenario: Scenario, secret: str) -> None:
    gate = gateway(scenario.row(), UPSTREAM_KEY=secret)
    played = 0
    for answer in answers(scenario, secret):
        assert_unseen(gate, scenario, answer, secret)
        played += 1
    assert played


@pytest.mark.parametrize("secret", SECRETS)
@pytest.mark.parametrize("status", [200, 301, 400, 401, 402, 404, 409, 422, 429, 500, 503, 529])
@pytest.mark.parametrize("header", [*UPSTREAM_HEADERS, "x-request-id", "location"])
@pytest.mark.parametrize("dialect", ["anthropic", "openai"])
def test_no_secret_comes_through_a_header(
    dialect: str, header: str, status: int, secret: str
) -> None:
    scenario = next(each for each in scenarios("upstream.json") if each.provider == dialect)
    gate = gateway(scenario.row(), UPSTREAM_KEY=secret)
    for value in (secret, f"17, {secret}", f"{secret} 17"):
        for streamed in (False, True):
            upstream = Upstream(status, JSON_TYPE | {header: value}, (b"{}",))
            assert_unseen(gate, scenario, Answer(upstream, streamed), secret)


@pytest.mark.parametrize("pieces", [1, 2, 3])
def test_no_secret_comes_through_spelled_in_escapes(pieces: int) -> None:
    """The same on the fast path, which moves texts without decoding them."""
    secret = LIKE_A_KEY
    scenario = next(each for each in scenarios("upstream.sse") if each.name == "text")
    gate = gateway(scenario.row() | {"dialect": "openai"}, UPSTREAM_KEY=secret)
    escaped = "".join(f"\\u{ord(character):04x}" for character in secret)
    texts = ["One", "two", escaped, secret, "three"]
    said = [f'data: {{"choices":[{{"index":0,"delta":{{"content":"{it}"}}}}]}}\n\n' for it in texts]
    joined = ["".join(said[at : at + pieces]).encode() for at in range(0, len(said), pieces)]
    request = scenario.json("request.json") | {"stream": True}
    played = play(gate, request, [Upstream(200, SSE_TYPE, tuple(joined))])
    told = [chunk["choices"][0]["delta"] for chunk in accumulate.frames(played.body)[1:-2]]
    assert [delta["content"] for delta in told] == [
        *("One", "two", "[redacted]", "[redacted]", "three")
    ]


def test_the_clients_key_is_not_in_its_errors_nor_in_the_log() -> None:
    scenario = next(each for each in scenarios("upstream.json") if each.provider == "openai")
    for name in ("message", "code", "param", "type"):
        error = {"message": "No.", "type": "invalid_request_error", name: KEY}
        failed = Upstream(400, JSON_TYPE, (json.encode({"error": error}).encode(),))
        played = play(gateway(scenario.row()), scenario.json("request.json"), [failed])
        assert KEY not in f"{played.body} {played.headers} {played.log}"


def test_a_text_about_keys_is_the_models_own() -> None:
    """Text that looks like a key is hidden in an error. In an answer it is the model's own text."""
    scenario = next(each for each in scenarios("upstream.json") if each.name == "text")
    text = f"A key looks like sk-ant-api03-abcdef; yours is {KEY}."
    said = {"choices": [{"message": {"role": "assistant", "content": text}}]}
    answered = Upstream(200, JSON_TYPE, (json.encode(said).encode(),))
    gate = gateway(scenario.row() | {"dialect": "openai"})
    played = play(gate, scenario.json("request.json"), [answered])
    assert played.json()["choices"][0]["message"]["content"] == text
