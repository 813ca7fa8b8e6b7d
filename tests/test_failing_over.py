"""What is repeated, what goes to another target, and what a target's health notes."""

from dataclasses import replace
from typing import Any

import pytest

from tests.play import NOW, TOKEN, Played, Upstream, gateway, head, play
from xtrix import json
from xtrix.app import Gateway
from xtrix.http import UpstreamHead
from xtrix.relay import Relay
from xtrix.steps import Begin, Failure

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
    """The hosts that were called, in order."""
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


def test_that_is_the_time_of_head_and_first_token_together() -> None:
    quick = gate("one/one-m", "two/two-m", first_byte=5)
    assert play(quick, STREAMED, [Upstream(failure=Failure.TIME), WHOLE_STREAM]).seconds == [5, 120]
    limits = begun(quick, STREAMED, takes=3).limits
    assert limits.first_byte == pytest.approx(2)
    assert begun(gate("one/one-m", "two/two-m"), STREAMED, takes=3).limits.first_byte == 300


def begun(gate: Gateway, asked: object, takes: float) -> Relay:
    """The stream of the first target, whose head `takes` so many seconds."""
    exchange = gate.open(head(), TOKEN, NOW)
    exchange.advance(None, NOW)
    exchange.advance(json.encode_body(asked), NOW)
    step = exchange.advance(UpstreamHead(200, SSE_TYPE), NOW + takes)
    assert isinstance(step, Begin)
    assert isinstance(step.relay, Relay)
    return step.relay


ROLE = b'data: {"choices":[{"index":0,"delta":{"role":"assistant","content":""}}]}\n\n'


def test_an_announcement_is_no_token() -> None:
    announced = Upstream(200, SSE_TYPE, (ROLE,))
    quick = gate("one/one-m", "two/two-m", first_byte=5)
    played = play(quick, STREAMED, [announced, announced, WHOLE_STREAM])
    assert (played.status, hosts(played)) == (200, ["one", "one", "two"])
    assert "error" not in played.body
    assert hosts(play(TWO, STREAMED, [announced])) == ["one"]


# A prompt that is too long


def test_a_prompt_that_is_too_long_moves_on_and_is_nobodys_failure() -> None:
    one = gate("one/one-m", "two/two-m")
    for _ in range(4):
        assert hosts(play(one, ASKED, [TOO_LONG, OK])) == ["one", "two"]


def test_where_no_target_has_room_the_client_is_told() -> None:
    played = play(TWO, ASKED, [TOO_LONG, failing(400, "x", "context_length_exceeded")])
    assert (played.status, hosts(played)) == (400, ["one", "two"])
    assert played.json()["error"]["code"] == "context_length_exceeded"


@pytest.mark.parametrize(("status", "calls"), [(401, 1), (404, 1), (429, 2), (503, 2)])
def test_so_it_is_whatever_became_of_the_other_targets(status: int, calls: int) -> None:
    failed = [failing(status)] * calls
    for script in ([TOO_LONG, *failed], [*failed, TOO_LONG]):
        played = play(gate("one/one-m", "two/two-m"), ASKED, script)
        assert (played.status, set(hosts(played))) == (400, {"one", "two"})
        assert played.json()["error"]["code"] == "context_length_exceeded"
        assert played.headers["x-attempts"] == str(len(played.calls))


def test_a_messages_client_is_told_in_the_words_that_agents_compact_on() -> None:
    said = {"max_tokens": 9, **ASKED}
    asked_for = "However, you requested 9000 tokens."
    long = failing(400, f"This model's maximum context length is 8192 tokens. {asked_for}")
    played = play(gate("one/one-m"), said, [long], head("/v1/messages"))
    assert played.status == 400
    assert played.json()["error"]["message"] == "prompt is too long: 9000 tokens > 8192 maximum"


# A fallback that finds the request at fault


def test_a_fallback_that_refuses_says_nothing_of_who_failed_for_now() -> None:
    refused = failing(400, "This model does not support assistant message prefill.")
    played = play(gate("one/one-m", "two/two-m"), ASKED, [failing(503), failing(503), refused])
    assert (played.status, hosts(played)) == (503, ["one", "one", "two"])
    assert (played.headers["x-served-by"], played.headers["x-attempts"]) == ("one/one-m", "3")
    assert len(played.log["failures"]) == 3
    for status in (401, 402, 403, 404):
        wrong = play(gate("one/one-m", "two/two-m"), ASKED, [failing(status), refused])
        assert (wrong.status, wrong.headers["x-served-by"]) == (400, "two/two-m")


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


# What was used


@pytest.mark.parametrize("usage", [None, {}, {"prompt_tokens": 0, "completion_tokens": 0}])
def test_what_was_not_counted_is_unknown(usage: object) -> None:
    body = {**json.decode_object(ANSWER), "usage": usage}
    log = play(TWO, ASKED, [Upstream(200, JSON_TYPE, (json.encode_body(body),))]).log
    assert "prompt_tokens" not in log
    assert "completion_tokens" not in log
    log = play(TWO, STREAMED, [WHOLE_STREAM]).log
    assert "prompt_tokens" not in log
    assert "completion_tokens" not in log


def test_so_it_is_of_a_stream_whose_client_left() -> None:
    log = play(TWO, STREAMED, [replace(BROKEN, leaves=True)]).log
    assert log["error"] == "client_left"
    assert "completion_tokens" not in log


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


CLEARS = {"type": "clear_thinking_20251015", "keep": {"type": "thinking_turns", "value": 1}}
CLEARS_TOOLS = {"type": "clear_tool_uses_20250919"}
LOOP: dict[str, Any] = {
    "model": "three-m",
    "max_tokens": 4000,
    "thinking": {"type": "enabled", "budget_tokens": 2000},
    "context_management": {"edits": [CLEARS, CLEARS_TOOLS]},
    "messages": [
        {"role": "user", "content": "Hi"},
        {
            "role": "assistant",
            "content": [
                {"type": "thinking", "thinking": "Hm.", "signature": "c2ln"},
                {"type": "tool_use", "id": "toolu_1", "name": "f", "input": {}},
            ],
        },
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "toolu_1"}]},
    ],
}


@pytest.mark.parametrize(
    "message",
    [
        "messages.1.content.0: Invalid `signature` in `thinking` block",
        "messages.1.content.0.type: Expected `thinking`, but found `tool_use`.",
    ],
)
def test_a_loop_of_tools_goes_on_without_thinking(message: str) -> None:
    """Thinking is not requested again, because the thinking before these calls is missing."""
    error = {"type": "invalid_request_error", "message": message}
    refused = Upstream(400, JSON_TYPE, (json.encode_body({"type": "error", "error": error}),))
    well = Upstream(200, JSON_TYPE, (MESSAGE,))
    played = play(TWO, LOOP, [refused, well], head("/v1/messages"))
    assert played.status == 200
    first, second = (json.decode_object(call.body) for call in played.calls)
    assert first == {**LOOP, "model": "three-m"}
    assert "thinking" not in second
    assert second["context_management"] == {"edits": [CLEARS_TOOLS]}
    assert [block["type"] for block in second["messages"][1]["content"]] == ["tool_use"]


def test_in_another_turn_it_goes_on_thinking() -> None:
    error = {"type": "invalid_request_error", "message": "Invalid `signature` in `thinking` block"}
    refused = Upstream(400, JSON_TYPE, (json.encode_body({"type": "error", "error": error}),))
    said = {**LOOP, "messages": [*LOOP["messages"], {"role": "user", "content": "And?"}]}
    played = play(TWO, said, [refused, Upstream(200, JSON_TYPE, (MESSAGE,))], head("/v1/messages"))
    second = json.decode_object(played.calls[1].body)
    assert second["thinking"] == LOOP["thinking"]
    assert second["context_management"] == LOOP["context_management"]


def test_a_chat_that_asks_for_thinking_goes_on_too() -> None:
    call = {"id": "call_1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    block = {"type": "thinking", "thinking": "Hm.", "signature": "c2ln"}
    said = {
        "model": "three/claude-sonnet-4-5",
        "max_tokens": 4000,
        "thinking": LOOP["thinking"],
        "tools": [{"type": "function", "function": {"name": "f"}}],
        "messages": [
            {"role": "user", "content": "Hi"},
            {"role": "assistant", "tool_calls": [call], "thinking_blocks": [block]},
            {"role": "tool", "tool_call_id": "call_1", "content": "x"},
        ],
    }
    error = {"type": "invalid_request_error", "message": "Invalid `signature` in `thinking` block"}
    refused = Upstream(400, JSON_TYPE, (json.encode_body({"type": "error", "error": error}),))
    played = play(TWO, said, [refused, Upstream(200, JSON_TYPE, (MESSAGE,))])
    first, second = (json.decode_object(each.body) for each in played.calls)
    assert first["thinking"] == LOOP["thinking"]
    assert "thinking" not in second
    assert played.headers["x-ignored-parameters"] == "thinking"
