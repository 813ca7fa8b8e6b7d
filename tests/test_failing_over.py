"""What is repeated, what goes elsewhere, and what a target's health hears of it."""

from dataclasses import replace
from typing import Any

import pytest

from tests.play import Played, Upstream, gateway, head, play
from xtrix import json
from xtrix.app import Gateway
from xtrix.steps import Failure

JSON_TYPE = {"content-type": "application/json"}
SSE_TYPE = {"content-type": "text/event-stream"}
ROWS = [
    {
        "name": name,
        "dialect": dialect,
        "base_url": f"http://{name}.test/v1",
        "api_key": "UPSTREAM_KEY",
        "models": [f"{name}-*"],
        "retries": {"backoff": 0},
    }
    for name, dialect in (("one", "openai"), ("two", "openai"), ("three", "anthropic"))
]
ASKED: dict[str, Any] = {"model": "best", "messages": [{"role": "user", "content": "Hi"}]}
STREAMED = {**ASKED, "stream": True}
ANSWER = json.encode_body({"choices": [{"message": {"content": "Hi"}, "finish_reason": "stop"}]})
OK = Upstream(200, JSON_TYPE, (ANSWER,))
BEGIN = b'data: {"choices":[{"index":0,"delta":{"content":"Hi"}}]}\n\n'
BROKEN = Upstream(200, SSE_TYPE, (BEGIN,))
WHOLE_STREAM = Upstream(200, SSE_TYPE, (BEGIN, b"data: [DONE]\n\n"))
MESSAGE = json.encode_body(
    {"type": "message", "content": [{"type": "text", "text": "Hi"}], "stop_reason": "end_turn"}
)


def gate(*targets: str, **model: object) -> Gateway:
    return gateway(*ROWS, MODELS=[{"id": "best", "targets": [*targets], **model}])


def failing(status: int, message: str = "Why.", code: str | None = None) -> Upstream:
    error = {"message": message, "type": "invalid_request_error", "code": code}
    return Upstream(status, JSON_TYPE, (json.encode_body({"error": error}),))


def hosts(played: Played) -> list[str]:
    """Who was called, in order."""
    return [call.url.split("/")[2].removesuffix(".test") for call in played.calls]


TWO = gate("one/one-m", "two/two-m")
TOO_LONG = failing(400, "This model's maximum context length is 8192 tokens.")


# Who answered


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/messages", "/v1/responses"])
def test_the_model_of_an_answer_is_the_one_that_served(path: str) -> None:
    asked = {"model": "best", "input": "Hi"} if "responses" in path else {**ASKED, "max_tokens": 9}
    played = play(gate("one/one-m"), asked, [OK], head(path))
    assert played.json()["model"] == "one-m"
    assert played.log["model"] == "best"
    assert played.headers["x-served-by"] == "one/one-m"
    plain = {**asked, "model": "one-plain"}
    assert play(gate("one/one-m"), plain, [OK], head(path)).json()["model"] == "one-plain"


def test_so_it_is_in_a_stream() -> None:
    assert '"model":"two-m"' in play(TWO, STREAMED, [failing(503)] * 2 + [WHOLE_STREAM]).body


# What is repeated


def test_a_model_with_targets_repeats_a_failed_call_once() -> None:
    played = play(TWO, ASKED, [failing(500), OK])
    assert hosts(played) == ["one", "one"]
    assert hosts(play(TWO, ASKED, [failing(500), failing(500), OK])) == ["one", "one", "two"]


def test_a_single_provider_makes_one_call() -> None:
    assert hosts(play(TWO, {**ASKED, "model": "one-m"}, [failing(500)])) == ["one"]


def test_our_own_time_is_spent_once_on_each_target() -> None:
    late = Upstream(failure=Failure.TIME)
    assert hosts(play(TWO, ASKED, [late, OK])) == ["one", "two"]
    played = play(gate("one/one-m"), ASKED, [late])
    assert (played.status, hosts(played)) == (504, ["one"])


def test_an_upstreams_own_quick_504_is_repeated() -> None:
    assert hosts(play(TWO, ASKED, [failing(504), OK])) == ["one", "one"]


def test_what_took_long_to_fail_is_not_repeated() -> None:
    slow = Upstream(503, JSON_TYPE, (b"{}",), takes=11)
    assert hosts(play(TWO, ASKED, [slow, OK])) == ["one", "two"]
    quick = Upstream(503, JSON_TYPE, (b"{}",), takes=9)
    assert hosts(play(TWO, ASKED, [quick, OK])) == ["one", "one"]


# How long a target is waited for


def test_the_last_target_is_waited_for_longest() -> None:
    played = play(TWO, STREAMED, [Upstream(failure=Failure.TIME), WHOLE_STREAM])
    assert played.seconds == [60, 120]
    assert play(TWO, {**STREAMED, "model": "one-m"}, [WHOLE_STREAM]).seconds == [120]


def test_a_slow_first_token_moves_on_where_the_model_says_so() -> None:
    quick = gate("one/one-m", "two/two-m", first_byte=5)
    late = Upstream(failure=Failure.TIME)
    assert play(quick, ASKED, [late, OK]).seconds == [5, 300]


# A prompt that is too long


def test_a_prompt_that_is_too_long_moves_on_and_is_nobodys_failure() -> None:
    one = gate("one/one-m", "two/two-m")
    for _ in range(4):
        assert hosts(play(one, ASKED, [TOO_LONG, OK])) == ["one", "two"]


def test_where_no_target_has_room_the_client_is_told() -> None:
    played = play(TWO, ASKED, [TOO_LONG, failing(400, "x", "context_length_exceeded")])
    assert (played.status, hosts(played)) == (400, ["one", "two"])
    assert played.json()["error"]["code"] == "context_length_exceeded"


def test_another_400_goes_nowhere() -> None:
    assert hosts(play(TWO, ASKED, [failing(400)])) == ["one"]


# How a stream ended


def test_a_target_whose_streams_break_rests() -> None:
    one = gate("one/one-m", "two/two-m")
    for _ in range(3):
        played = play(one, STREAMED, [BROKEN])
        assert hosts(played) == ["one"]
        assert "completion_tokens" not in played.log
    assert hosts(play(one, STREAMED, [WHOLE_STREAM])) == ["two"]


def test_streams_that_end_well_make_up_for_one_that_broke() -> None:
    one = gate("one/one-m", "two/two-m")
    for _ in range(4):
        assert hosts(play(one, STREAMED, [BROKEN])) == ["one"]
        assert hosts(play(one, STREAMED, [WHOLE_STREAM])) == ["one"]


def test_a_client_that_left_says_nothing_of_a_target() -> None:
    one = gate("one/one-m", "two/two-m")
    for _ in range(4):
        assert hosts(play(one, STREAMED, [replace(BROKEN, leaves=True)])) == ["one"]


# Reasoning


def test_reasoning_that_is_refused_is_left_out_and_asked_once_more() -> None:
    thought = {"type": "thinking", "thinking": "Hm.", "signature": "c2ln"}
    said: dict[str, Any] = {
        "model": "three-m",
        "max_tokens": 9,
        "messages": [
            {"role": "user", "content": "Hi"},
            {"role": "assistant", "content": [thought, {"type": "text", "text": "Hello."}]},
            {"role": "user", "content": "And?"},
        ],
    }
    error = {"type": "invalid_request_error", "message": "Invalid `signature` in `thinking` block"}
    refused = Upstream(400, JSON_TYPE, (json.encode_body({"type": "error", "error": error}),))
    well = Upstream(200, JSON_TYPE, (MESSAGE,))
    played = play(TWO, said, [refused, well], head("/v1/messages"))
    assert played.status == 200
    assert [b"c2ln" in call.body for call in played.calls] == [True, False]
    assert "without reasoning" in played.log["failures"][0]
    again = play(TWO, said, [refused, refused], head("/v1/messages"))
    assert (again.status, len(again.calls)) == (400, 2)
    said["messages"][1]["content"] = "Hello."
    assert len(play(TWO, said, [refused], head("/v1/messages")).calls) == 1
