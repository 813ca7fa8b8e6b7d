"""The life of one client request: retries, fallback, deadlines, and what the log says."""

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from tests.accumulate import completion, frames
from tests.play import KEY, NOW, TOKEN, UPSTREAM_KEY, Played, Upstream, gateway, head, play
from xtrix import __version__, json
from xtrix.app import Gateway
from xtrix.exchange import MAX_ANSWER_BYTES, Exchange
from xtrix.health import FAILURES
from xtrix.http import Reply, UpstreamHead
from xtrix.passage import Passage
from xtrix.relay import Relay, SilenceLimits
from xtrix.steps import Answer, Begin, Call, Collect, Failure, Outcome, Step, UpstreamAnswer, Wait

JSON = {"content-type": "application/json"}
REST = 12
SSE = {"content-type": "text/event-stream; charset=utf-8"}
JITTER = 1 - int(TOKEN[-8:], 16) / 0xFFFFFFFF / 4
"""What is left of a wait after the part that the request's id draws."""

FIRST: dict[str, Any] = {
    "name": "first",
    "dialect": "anthropic",
    "base_url": "http://first.test/v1",
    "api_key": "UPSTREAM_KEY",
    "models": ["claude-*"],
    "retries": {"attempts": 1, "backoff": 1, "longest": 10, "rest": REST},
}
SECOND: dict[str, Any] = {
    **FIRST,
    "name": "second",
    "dialect": "openai",
    "base_url": "http://second.test/v1",
    "models": ["gpt-*"],
}
TARGETS = ["first/claude-haiku-4-5", "second/gpt-4.1"]
REQUEST = {"model": "any", "messages": [{"role": "user", "content": "A secret wish."}]}
STREAMED = {**REQUEST, "stream": True}

ANTHROPIC = Upstream(
    200,
    JSON,
    (
        b'{"type":"message","role":"assistant","content":[{"type":"text","text":"From first"}],'
        b'"stop_reason":"end_turn","usage":{"input_tokens":3,"output_tokens":2}}',
    ),
)
OPENAI = Upstream(
    200,
    JSON,
    (
        b'{"choices":[{"index":0,"message":{"role":"assistant","content":"From second"},'
        b'"finish_reason":"stop"}],"usage":{"prompt_tokens":4,"completion_tokens":3}}',
    ),
)
ANTHROPIC_STREAM = Upstream(
    200,
    SSE,
    (
        b'data: {"type":"message_start","message":{"usage":{"input_tokens":3}}}\n\n',
        b'data: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta",'
        b'"text":"From first"}}\n\n',
        b'data: {"type":"message_delta","delta":{"stop_reason":"end_turn"},'
        b'"usage":{"output_tokens":2}}\n\n',
        b'data: {"type":"message_stop"}\n\n',
    ),
)
OPENAI_STREAM = Upstream(
    200,
    SSE,
    (
        b'data: {"choices":[{"index":0,"delta":{"content":"From second"}}]}\n\n',
        b'data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\n',
        b"data: [DONE]\n\n",
    ),
)
OVERLOADED = {"type": "error", "error": {"type": "overloaded_error", "message": "Busy"}}


def failing(status: int, **headers: str) -> Upstream:
    said = {"type": "error", "error": {"type": "api_error", "message": f"It is {status}."}}
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Upstream(status, {**JSON, **named}, (json.encode(said).encode(),))


HTML = Upstream(200, {"content-type": "text/html"}, (b"<html>Bad</html>",))
FAILURES_BEFORE_AN_ANSWER = {
    "connection": Upstream(failure=Failure.CONNECTION),
    "time": Upstream(failure=Failure.TIME),
    **{str(status): failing(status) for status in (408, 429, 500, 502, 503, 504, 520, 529)},
    "no json": Upstream(200, JSON, (b"Bad",)),
    "no completion": Upstream(200, JSON, (b"{}",)),
    "redirect": Upstream(302, {}, ()),
    "cut off": Upstream(200, JSON, (b'{"type":',), cut=True),
}
NO_STREAM_AT_ALL = {"no json", "no completion"}
"""Where a stream was asked for these are answers of another type."""
FAILURES_BEFORE_AN_EVENT = {
    **{kind: it for kind, it in FAILURES_BEFORE_AN_ANSWER.items() if kind not in NO_STREAM_AT_ALL},
    "error event": Upstream(200, SSE, (b"data: " + json.encode(OVERLOADED).encode() + b"\n\n",)),
    "no event": Upstream(200, SSE, (b": ping\n\n",)),
    "nothing": Upstream(200, SSE, ()),
    "odd event": Upstream(200, SSE, (b"data: <html>\n\n",)),
}
TOO_LARGE = Upstream(200, JSON, too_large=True)
USELESS_ANSWERS = {
    "html": (REQUEST, HTML),
    "json of another type": (REQUEST, Upstream(200, {"content-type": "text/json"}, (b"{}",))),
    "a stream": (REQUEST, ANTHROPIC_STREAM),
    "too large": (REQUEST, TOO_LARGE),
    "html for a stream": (STREAMED, HTML),
    "whole for a stream": (STREAMED, ANTHROPIC),
    **{
        f"{kind} for a stream": (STREAMED, FAILURES_BEFORE_AN_ANSWER[kind])
        for kind in sorted(NO_STREAM_AT_ALL)
    },
    "too large for a stream": (STREAMED, TOO_LARGE),
}
"""What was generated and paid for, and would be no other the next time."""


def gate(
    first: Mapping[str, Any] = FIRST, second: Mapping[str, Any] = SECOND, **model: object
) -> Gateway:
    """A gateway whose model `any` goes to the first provider, then to the second."""
    return gateway(first, second, MODELS=[{"id": "any", "targets": TARGETS, **model}])


def retrying(attempts: int, **retries: float) -> Gateway:
    """A gateway whose first provider is called up to `attempts` times, and has no second."""
    row = {**FIRST, "retries": {**FIRST["retries"], "attempts": attempts, **retries}}
    return gate(row, targets=TARGETS[:1])


def error_of(played: Played) -> dict[str, Any]:
    error: dict[str, Any] = played.json()["error"]
    return error


# An answer


def test_a_whole_answer_says_who_gave_it() -> None:
    played = play(gate(), REQUEST, [ANTHROPIC])
    assert played.status == 200
    assert played.headers["x-served-by"] == "first/claude-haiku-4-5"
    assert played.headers["x-attempts"] == "1"
    assert len(played.calls) == 1


def test_a_whole_answer_carries_our_stamps_and_says_who_answers_to_a_name_of_several() -> None:
    body = play(gate(), REQUEST, [ANTHROPIC]).json()
    assert body["id"] == f"chatcmpl-{TOKEN}"
    assert body["object"] == "chat.completion"
    assert body["created"] == int(NOW)
    assert body["model"] == "claude-haiku-4-5"
    assert body["system_fingerprint"].startswith("fp_")
    assert body["usage"]["total_tokens"] == 5


def test_a_stream_says_who_gave_it_and_is_not_held_back_on_its_way() -> None:
    played = play(gate(), STREAMED, [ANTHROPIC_STREAM])
    assert played.headers["content-type"] == "text/event-stream; charset=utf-8"
    assert played.headers["cache-control"] == "no-cache, no-transform"
    assert played.headers["x-accel-buffering"] == "no"
    assert played.headers["x-served-by"] == "first/claude-haiku-4-5"
    assert completion(played.body)["choices"][0]["message"]["content"] == "From first"


def test_a_stream_without_a_content_type_is_taken_for_what_was_asked() -> None:
    upstream = Upstream(200, {}, ANTHROPIC_STREAM.pieces)
    assert play(gate(), STREAMED, [upstream]).status == 200


@pytest.mark.parametrize(
    ("options", "usages"),
    [
        ({}, [{"prompt_tokens": 3}]),
        ({"stream_options": None}, [{"prompt_tokens": 3}]),
        ({"stream_options": {}}, [{"prompt_tokens": 3}]),
        ({"stream_options": {"include_usage": False}}, []),
        ({"stream_options": {"include_usage": True}}, [{"prompt_tokens": 3}]),
    ],
)
def test_usage_is_told_at_most_once(options: dict[str, Any], usages: list[dict[str, int]]) -> None:
    *chunks, _ = frames(play(gate(), {**STREAMED, **options}, [ANTHROPIC_STREAM]).body)
    told = [chunk["usage"] for chunk in chunks if chunk.get("usage")]
    assert [{"prompt_tokens": usage["prompt_tokens"]} for usage in told] == usages
    alone = [chunk for chunk in chunks if not chunk["choices"]]
    assert len(alone) == ("True" in str(options))


def test_what_was_left_out_is_named() -> None:
    for request, upstream in ((REQUEST, ANTHROPIC), (STREAMED, ANTHROPIC_STREAM)):
        asked = {**request, "seed": 7, "temperature": 2, "logit_bias": {"1": 2}}
        played = play(gate(), asked, [upstream])
        assert played.headers["x-ignored-parameters"] == "logit_bias, seed, temperature"


def test_no_name_of_the_clients_breaks_a_header() -> None:
    odd = {"a\nb": 1, "ключ": 1, "x" * 10_000: 1, "with space": 1, "": 1, "fine": 1}
    played = play(gate(), {**REQUEST, **odd}, [ANTHROPIC])
    assert played.headers["x-ignored-parameters"] == "fine"
    many = {f"name{number}": 1 for number in range(10_000)}
    assert (
        len(play(gate(), {**REQUEST, **many}, [ANTHROPIC]).headers["x-ignored-parameters"]) < 4000
    )


# Failures


@pytest.mark.parametrize("kind", sorted(FAILURES_BEFORE_AN_ANSWER.keys() - {"time"}))
def test_a_failed_answer_is_tried_again(kind: str) -> None:
    failed = FAILURES_BEFORE_AN_ANSWER[kind]
    played = play(retrying(3), REQUEST, [failed, failed, ANTHROPIC])
    assert played.status == 200
    assert played.headers["x-attempts"] == "3"


@pytest.mark.parametrize("kind", sorted(FAILURES_BEFORE_AN_EVENT.keys() - {"time"}))
def test_a_failed_stream_is_tried_again_before_its_first_event(kind: str) -> None:
    failed = FAILURES_BEFORE_AN_EVENT[kind]
    played = play(retrying(2), STREAMED, [failed, ANTHROPIC_STREAM])
    assert played.status == 200
    assert completion(played.body)["choices"][0]["message"]["content"] == "From first"


@pytest.mark.parametrize("kind", FAILURES_BEFORE_AN_EVENT)
def test_a_failed_stream_is_taken_elsewhere_before_its_first_event(kind: str) -> None:
    played = play(gate(), STREAMED, [FAILURES_BEFORE_AN_EVENT[kind], OPENAI_STREAM])
    assert played.status == 200
    assert completion(played.body)["choices"][0]["message"]["content"] == "From second"
    assert played.headers["x-served-by"] == "second/gpt-4.1"
    assert played.headers["x-attempts"] == "2"


@pytest.mark.parametrize("kind", USELESS_ANSWERS)
def test_a_useless_answer_is_not_paid_for_again(kind: str) -> None:
    request, useless = USELESS_ANSWERS[kind]
    played = play(retrying(3), request, [useless])
    assert len(played.calls) == 1
    assert played.status == 502
    assert error_of(played)["code"] == "bad_upstream_response"
    assert played.headers["x-should-retry"] == "false"


@pytest.mark.parametrize("kind", USELESS_ANSWERS)
def test_a_useless_answer_is_asked_for_elsewhere_and_tires_no_target(kind: str) -> None:
    request, useless = USELESS_ANSWERS[kind]
    one = gate()
    for _ in range(FAILURES + 1):
        answer = OPENAI_STREAM if request is STREAMED else OPENAI
        played = play(one, request, [useless, answer])
        assert played.headers["x-served-by"] == "second/gpt-4.1"
        assert len(played.calls) == 2
    assert "first.test" in asked(one)


@pytest.mark.parametrize("status", [400, 401, 402, 403, 404, 409, 413, 422])
def test_what_cannot_get_better_is_not_tried_again(status: int) -> None:
    played = play(retrying(3), REQUEST, [failing(status)])
    assert played.status >= 400
    assert played.waits == []


@pytest.mark.parametrize("status", [400, 409, 413, 422])
def test_what_the_client_did_wrong_is_not_taken_elsewhere(status: int) -> None:
    played = play(gate(), REQUEST, [failing(status)])
    assert played.status == status
    assert error_of(played)["message"] == f"It is {status}."
    assert len(played.calls) == 1


@pytest.mark.parametrize("status", [401, 402, 403, 404])
def test_what_is_between_us_and_one_upstream_is_taken_elsewhere(status: int) -> None:
    played = play(gate(), REQUEST, [failing(status), OPENAI])
    assert played.json()["choices"][0]["message"]["content"] == "From second"


def test_by_default_one_request_makes_one_call() -> None:
    row = {key: value for key, value in FIRST.items() if key != "retries"}
    played = play(gateway(row), {**REQUEST, "model": "claude-x"}, [failing(503)])
    assert played.status == 503
    assert len(played.calls) == 1


def test_a_request_reaches_no_further_than_its_targets() -> None:
    played = play(gate(targets=TARGETS[:1]), REQUEST, [failing(503)])
    assert played.status == 503
    assert len(played.calls) == 1


def test_the_last_failure_is_the_answer_and_says_whose_it_was() -> None:
    played = play(gate(), REQUEST, [failing(503), failing(429, retry_after="7")])
    assert played.status == 429
    assert error_of(played)["code"] == "rate_limit_exceeded"
    assert played.headers["retry-after"] == "7"
    assert played.headers["x-served-by"] == "second/gpt-4.1"
    assert played.headers["x-attempts"] == "2"


@pytest.mark.parametrize("stream", [False, True])
def test_what_one_dialect_cannot_say_another_may(stream: bool) -> None:
    answer = OPENAI_STREAM if stream else OPENAI
    played = play(gate(), {**REQUEST, "stream": stream, "n": 2}, [answer])
    assert played.status == 200
    assert played.headers["x-served-by"] == "second/gpt-4.1"
    assert len(played.calls) == 1


def test_a_failure_counts_more_than_a_refusal() -> None:
    """The client did nothing wrong: another target might have answered the request."""
    for rows in ((FIRST, SECOND), (SECOND, FIRST)):
        targets = [f"{row['name']}/{row['models'][0].replace('*', 'x')}" for row in rows]
        played = play(gate(targets=targets), {**REQUEST, "n": 2}, [failing(503)])
        assert played.status == 503


def test_what_no_dialect_can_say_is_refused() -> None:
    played = play(gate(targets=TARGETS[:1]), {**REQUEST, "n": 2})
    assert played.status == 400
    assert error_of(played)["param"] == "n"
    assert played.calls == []


@pytest.mark.parametrize(
    ("upstream", "status", "code"),
    [
        (Upstream(302, {"location": "http://x"}, ()), 502, "bad_upstream_response"),
        (Upstream(204, {}, ()), 502, "bad_upstream_response"),
        (Upstream(200, {"content-type": "text/html"}, (b"<b>",)), 502, "bad_upstream_response"),
        (Upstream(200, JSON, (b"<b>",)), 502, "bad_upstream_response"),
        (Upstream(200, JSON, (json.encode(OVERLOADED).encode(),)), 503, "server_is_overloaded"),
        (Upstream(529, {}, (b"<html>Cloudflare</html>",)), 503, "server_is_overloaded"),
        (Upstream(failure=Failure.CONNECTION), 502, "upstream_connection_error"),
        (Upstream(failure=Failure.TIME), 504, "upstream_timeout"),
        (Upstream(failure=Failure.MEMORY), 503, "overloaded"),
    ],
)
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
def test_each_failure_as_the_client_sees_it(
    upstream: Upstream, status: int, code: str, stream: bool
) -> None:
    played = play(retrying(1), {**REQUEST, "stream": stream}, [upstream])
    assert played.status == status
    assert error_of(played)["code"] == code
    assert "<" not in error_of(played)["message"]


def test_a_stream_that_comes_unasked_is_no_answer() -> None:
    played = play(retrying(1), REQUEST, [ANTHROPIC_STREAM])
    assert error_of(played)["code"] == "bad_upstream_response"


# After the first event


@pytest.mark.parametrize("cut_after", [1, 2])
def test_nothing_is_tried_again_after_the_first_event(cut_after: int) -> None:
    cut = Upstream(200, SSE, ANTHROPIC_STREAM.pieces[:cut_after])
    row = {**FIRST, "retries": {"attempts": 3}}
    played = play(gate(row), STREAMED, [cut])
    assert played.status == 200
    assert len(played.calls) == 1
    *_, error, done = frames(played.body)
    assert error["error"]["code"] == "upstream_truncated"
    assert done == "[DONE]"


# Waits


def test_each_wait_is_twice_the_last_with_a_part_left_to_chance() -> None:
    played = play(retrying(5, longest=60), REQUEST, [*[failing(500)] * 4, ANTHROPIC])
    assert played.waits == pytest.approx([JITTER, 2 * JITTER, 4 * JITTER, 8 * JITTER])
    assert 0.75 <= JITTER <= 1


@pytest.mark.parametrize("token", ["0" * 32, "f" * 32])
def test_chance_takes_at_most_a_quarter(token: str) -> None:
    driven = DrivenExchange(retrying(2), token=token)
    assert isinstance(driven.call(failing(500)), Wait)
    assert 0.75 <= driven.waited <= 1


@pytest.mark.parametrize(
    ("said", "wait"),
    [
        ({"retry_after": "5"}, 5),
        ({"retry_after_ms": "2500"}, 2.5),
        ({"retry_after": "0.1"}, JITTER),
        ({"retry_after": "10"}, 10),
        ({"retry_after": "Sun, 22 Nov 2026 15:00:00 GMT"}, JITTER),
        ({"retry_after": "-5"}, JITTER),
        ({"retry_after": "nan"}, JITTER),
    ],
)
def test_the_upstreams_wish_to_wait_is_granted(said: dict[str, str], wait: float) -> None:
    played = play(retrying(2), REQUEST, [failing(429, **said), ANTHROPIC])
    assert played.status == 200
    assert played.waits == pytest.approx([wait])


@pytest.mark.parametrize("wish", ["10.1", "3600", "inf"])
def test_a_wish_to_wait_too_long_means_the_next_target(wish: str) -> None:
    row = {**FIRST, "retries": {**FIRST["retries"], "attempts": 3}}
    played = play(gate(row), REQUEST, [failing(429, retry_after=wish), OPENAI])
    assert played.waits == []
    assert played.headers["x-served-by"] == "second/gpt-4.1"


def test_without_a_next_target_the_wish_is_the_clients_to_grant() -> None:
    played = play(retrying(3), REQUEST, [failing(429, retry_after="60")])
    assert played.status == 429
    assert played.headers["retry-after"] == "60"


# Time, with a clock in the hand


class DrivenExchange:
    """An exchange driven step by step. `now` is the clock, in seconds since its beginning."""

    def __init__(self, gate: Gateway, request: object = REQUEST, token: str = TOKEN) -> None:
        self.now = 0.0
        self.waited = 0.0
        self.exchange: Exchange = gate.open(head(), token, NOW)
        self.advance(None)
        self.step = self.advance(json.encode(request).encode())

    def advance(self, outcome: Outcome) -> Step | Answer:
        self.step = self.exchange.advance(outcome, NOW + self.now)
        if isinstance(self.step, Wait):
            self.waited = self.step.seconds
        return self.step

    def call(self, upstream: Upstream, seconds: float = 0) -> Step | Answer:
        """The step after a call that took `seconds` and had the outcome `upstream`."""
        assert isinstance(self.step, Call)
        self.now += seconds
        head = UpstreamHead(upstream.status, upstream.headers)
        whole = UpstreamAnswer(head, b"".join(upstream.pieces))
        return self.advance(upstream.failure or (whole if self.step.collect else head))

    @property
    def limit(self) -> float:
        """Seconds that the step may take."""
        assert not isinstance(self.step, Reply | Relay | Passage | Begin)
        return self.step.seconds


TIMEOUTS = {"timeouts": {"connect": 10, "first_byte": 30, "idle": 20, "progress": 90}}


def test_each_step_has_the_limit_of_its_row() -> None:
    whole = DrivenExchange(gate({**FIRST, **TIMEOUTS}))
    assert isinstance(whole.step, Call)
    assert whole.limit == 30
    assert whole.step.collect == Collect(MAX_ANSWER_BYTES, 20, 90)
    streamed = DrivenExchange(gate({**FIRST, **TIMEOUTS}), STREAMED)
    assert isinstance(streamed.step, Call)
    assert (streamed.limit, streamed.step.collect) == (10, None)
    begin = streamed.advance(UpstreamHead(200, SSE))
    assert isinstance(begin, Begin)
    assert isinstance(begin.relay, Relay)
    assert begin.relay.limits == SilenceLimits(30, 20, 15, 90)


def test_one_deadline_for_all_attempts() -> None:
    driven = DrivenExchange(gate({**FIRST, **TIMEOUTS}, deadline=25))
    assert driven.limit == 25
    driven.call(Upstream(failure=Failure.TIME), seconds=20)
    assert driven.limit == pytest.approx(5)
    answer = driven.call(Upstream(failure=Failure.TIME), seconds=5)
    assert isinstance(answer, Reply)
    assert answer.status == 504


def test_a_stream_has_to_begin_within_the_deadline() -> None:
    driven = DrivenExchange(gate({**FIRST, **TIMEOUTS}, deadline=25), STREAMED)
    assert driven.limit == 10
    driven.now += 9
    begin = driven.advance(UpstreamHead(200, SSE))
    assert isinstance(begin, Begin)
    assert isinstance(begin.relay, Relay)
    assert begin.relay.limits.first_byte == pytest.approx(16)
    assert [begin.relay.tick(NOW + second) for second in (9, 24)] == ["", ""]
    assert not begin.relay.over
    driven.now = 26
    begin.relay.tick(NOW + 26)
    assert isinstance(driven.advance(None), Reply)


def test_past_the_deadline_no_target_is_tried() -> None:
    driven = DrivenExchange(gate(deadline=5))
    answer = driven.call(failing(503), seconds=5)
    assert isinstance(answer, Reply)
    assert answer.status == 503


def test_a_wait_past_the_deadline_is_not_waited() -> None:
    row = {**FIRST, "retries": {**FIRST["retries"], "attempts": 5}}
    driven = DrivenExchange(gate(row, deadline=4))
    assert isinstance(driven.call(failing(503), seconds=3), Wait)
    driven.now += driven.waited
    driven.advance(None)
    # Two seconds more would be past it; the next target still has the rest.
    step = driven.call(failing(503))
    assert isinstance(step, Call)
    assert step.request.url.startswith("http://second.test")


def test_a_limit_is_never_nothing() -> None:
    driven = DrivenExchange(gate(deadline=5, targets=[TARGETS[0], TARGETS[1]]))
    driven.call(failing(503), seconds=4.9999)
    assert driven.limit >= 0.001


# Chance and rests


def asked(gate: Gateway, now: float = 0.0, token: str = TOKEN) -> str:
    """The provider that is called first for a request at the time `now` with this `token`."""
    exchange = gate.open(head(), token, NOW + now)
    exchange.advance(None, NOW + now)
    step = exchange.advance(json.encode(REQUEST).encode(), NOW + now)
    assert isinstance(step, Call)
    return step.request.url


@pytest.mark.parametrize(
    ("token", "first"), [("0", "first"), ("7", "first"), ("8", "second"), ("f", "second")]
)
def test_where_no_conversation_is_named_the_requests_id_decides(token: str, first: str) -> None:
    targets = [{"target": target, "weight": 1} for target in TARGETS]
    assert f"{first}.test" in asked(gate(targets=targets), token=token * 32)


def test_a_target_that_keeps_failing_rests_and_is_tried_again() -> None:
    one = gate()
    for _ in range(FAILURES):
        assert "first.test" in asked(one)
        play(one, REQUEST, [failing(503), OPENAI])
    assert "second.test" in asked(one)
    assert "second.test" in asked(one, REST - 1)
    assert "first.test" in asked(one, REST)
    play(one, REQUEST, [OPENAI])


def test_a_target_that_answers_now_and_then_does_not_rest() -> None:
    one = gate()
    for _ in range(FAILURES):
        play(one, REQUEST, [failing(503), OPENAI])
        play(one, REQUEST, [ANTHROPIC] if "first.test" in asked(one) else [OPENAI])
    fresh = gate()
    for _ in range(2 * FAILURES):
        for upstreams in ([failing(503), OPENAI], [ANTHROPIC]):
            play(fresh, REQUEST, upstreams)
    assert "first.test" in asked(fresh)


def test_what_clients_do_wrong_tires_no_target() -> None:
    one = gate()
    for _ in range(FAILURES + 1):
        play(one, REQUEST, [failing(400)])
        play(one, {**REQUEST, "n": 2}, [OPENAI])
    assert "first.test" in asked(one)


def test_retries_of_one_request_count_once() -> None:
    row = {**FIRST, "retries": {"attempts": 3, "backoff": 0}}
    one = gate(row)
    play(one, REQUEST, [*[failing(503)] * 3, OPENAI])
    assert "first.test" in asked(one)


def test_a_single_target_is_tried_though_it_rests() -> None:
    one = gate(targets=TARGETS[:1])
    for _ in range(FAILURES):
        play(one, REQUEST, [failing(503)])
    assert play(one, REQUEST, [ANTHROPIC]).status == 200


# The record


def test_the_record_says_why_each_attempt_failed_and_nothing_of_what_was_said() -> None:
    row = {**FIRST, "retries": {"attempts": 2, "backoff": 0}}
    played = play(gate(row), REQUEST, [failing(529), Upstream(failure=Failure.TIME), OPENAI])
    assert played.log["failures"] == [
        "first/claude-haiku-4-5: server_is_overloaded",
        "first/claude-haiku-4-5: upstream_timeout",
    ]
    assert played.log["provider"] == "second"
    assert played.log["upstream_model"] == "gpt-4.1"
    assert played.log["attempts"] == 3
    assert (played.log["prompt_tokens"], played.log["completion_tokens"]) == (4, 3)
    for secret in ("secret wish", "From second", KEY, UPSTREAM_KEY, "It is"):
        assert secret not in json.encode(played.log)


def test_the_record_of_a_stream_counts_its_tokens() -> None:
    log = play(gate(), STREAMED, [ANTHROPIC_STREAM]).log
    assert (log["stream"], log["status"]) == (True, 200)
    assert (log["prompt_tokens"], log["completion_tokens"]) == (3, 2)
    assert "error" not in log


def test_the_record_of_a_stream_says_how_it_failed() -> None:
    cut = Upstream(200, SSE, ANTHROPIC_STREAM.pieces[:2])
    log = play(gate(), STREAMED, [cut]).log
    assert (log["status"], log["error"]) == (200, "upstream_truncated")


@pytest.mark.parametrize(
    ("request_body", "upstream"), [(REQUEST, ANTHROPIC), (STREAMED, ANTHROPIC_STREAM)]
)
def test_the_record_names_a_limit_that_the_client_did_not_set(
    request_body: dict[str, Any], upstream: Upstream
) -> None:
    assert play(gate(), request_body, [upstream]).log["default_max_tokens"] == 8192
    more = {**request_body, "reasoning_effort": "high"}
    assert play(gate(), more, [upstream]).log["default_max_tokens"] == 8192 + 4096
    for name in ("max_tokens", "max_completion_tokens"):
        log = play(gate(), {**request_body, name: 5}, [upstream]).log
        assert "default_max_tokens" not in log


def test_a_target_that_needs_no_limit_is_given_none() -> None:
    log = play(gate(), REQUEST, [failing(503), OPENAI]).log
    assert (log["provider"], "default_max_tokens" in log) == ("second", False)


def stopping(upstream: Upstream, reason: object) -> Upstream:
    """`upstream` with another reason for its end."""
    known = re.compile(rb'("(?:stop|finish)_reason":)"[a-z_]+"')
    said = json.encode(reason).encode()
    pieces = tuple(known.sub(lambda found: found[1] + said, piece) for piece in upstream.pieces)
    assert pieces != upstream.pieces
    return replace(upstream, pieces=pieces)


@pytest.mark.parametrize(
    ("reason", "named"),
    [
        *(
            ("moonrise", "moonrise"),
            ("refused: A secret wish.", "unknown"),
            (UPSTREAM_KEY, "unknown"),
        ),
        *((None, "missing"), ("", "missing"), (7, "unknown"), (["x"], "unknown"), ("length", None)),
    ],
)
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize("provider", ["first", "second"])
def test_the_record_names_a_stop_reason_that_is_not_known(
    provider: str, stream: bool, reason: object, named: str | None
) -> None:
    anthropic, openai = (ANTHROPIC_STREAM, OPENAI_STREAM) if stream else (ANTHROPIC, OPENAI)
    if provider == "first":
        targets, upstream = TARGETS[:1], stopping(anthropic, reason)
        named = named or "length"  # a word of the other dialect
    else:
        targets, upstream = TARGETS[1:], stopping(openai, reason)
    played = play(gate(targets=targets), {**REQUEST, "stream": stream}, [upstream])
    assert played.log.get("unknown_stop_reason") == named
    assert played.log["status"] == 200
    assert "error" not in played.log


@pytest.mark.parametrize("reason", ["end_turn", "stop_sequence", "tool_use", "max_tokens"])
def test_a_stop_reason_that_is_known_is_not_in_the_record(reason: str) -> None:
    for request_body, upstream in ((REQUEST, ANTHROPIC), (STREAMED, ANTHROPIC_STREAM)):
        ended = upstream if reason == "end_turn" else stopping(upstream, reason)
        assert "unknown_stop_reason" not in play(gate(), request_body, [ended]).log


def test_the_record_tells_its_times_in_milliseconds() -> None:
    driven = DrivenExchange(gate())
    driven.call(ANTHROPIC, seconds=1.25)
    log = json.decode(driven.exchange.log_line(NOW + 2))
    assert (log["first_byte_ms"], log["total_ms"]) == (1250, 2000)


def test_the_record_tells_the_version_that_served() -> None:
    assert play(gate(), REQUEST, [ANTHROPIC]).log["version"] == __version__


def test_a_client_that_left_is_recorded() -> None:
    driven = DrivenExchange(gate())
    log = json.decode(driven.exchange.log_line(NOW + 1, left=True))
    assert log["error"] == "client_left"
    assert log["status"] == 0


def test_our_own_fault_is_an_answer_that_tells_nothing_of_it() -> None:
    driven = DrivenExchange(gate())
    answer = driven.exchange.crash()
    assert isinstance(answer, Reply)
    assert answer.status == 500
    assert json.decode(answer.body)["error"]["code"] == "internal_error"
    assert json.decode(driven.exchange.log_line(NOW))["error"] == "internal_error"


def test_a_stream_that_crashes_before_it_begins_is_an_answer() -> None:
    driven = DrivenExchange(gate(), STREAMED)
    begin = driven.advance(UpstreamHead(200, SSE))
    assert isinstance(begin, Begin)
    begin.relay.crash()
    answer = driven.advance(None)
    assert isinstance(answer, Reply)
    assert answer.status == 500


@pytest.mark.parametrize("failure", [Failure.TIME, Failure.SIZE, Failure.CONNECTION])
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
def test_a_body_that_does_not_come_whole(failure: Failure, stream: bool) -> None:
    driven = DrivenExchange(gate(targets=TARGETS[:1]), {**REQUEST, "stream": stream})
    if stream:
        assert isinstance(driven.advance(UpstreamHead(500, JSON)), Collect)
        answer = driven.advance(failure)
    else:
        answer = driven.advance(UpstreamAnswer(UpstreamHead(200, JSON), failure))
    assert isinstance(answer, Reply)
    assert answer.status == {"time": 504}.get(failure.value, 502)
