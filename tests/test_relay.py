"""Time limits of a stream: what silence means before, in and after an answer."""

import pytest

from tests.accumulate import frames
from tests.answers import answering, stream_of
from tests.stories import OPENAI_BEGINS, OPENAI_ENDS, openai_text
from xtrix import json
from xtrix.protocol import Clock, Translation
from xtrix.protocols.chat import CHAT
from xtrix.protocols.chat.chunks import KEEP_ALIVE
from xtrix.protocols.chat.usage import encode_usage
from xtrix.protocols.responses import RESPONSES
from xtrix.redact import Redactor
from xtrix.relay import Relay, SilenceLimits

BEGAN = 1000.0


def relay(
    first_byte: float = 30, idle: float = 20, keep_alive: float = 5, progress: float = 3600
) -> Relay:
    limits = SilenceLimits(first_byte, idle, keep_alive, progress)
    one = Relay(stream_of("openai"), Redactor(), (("a", "b"),), limits, Clock(0))
    assert one.tick(BEGAN) == ""
    return one


def begun(**limits: float) -> Relay:
    """A relay whose first event has come, and the time at which it began."""
    one = relay(**limits)
    one.feed(OPENAI_BEGINS)
    assert one.begun
    assert one.tick(BEGAN) == ""
    return one


def code_of(text: str) -> object:
    error, done = frames(text)
    assert done == "[DONE]"
    return error["error"]["code"]


def test_a_relay_is_an_answer() -> None:
    assert relay().status == 200
    assert relay().headers == (("a", "b"),)


def test_the_first_look_at_the_clock_starts_it() -> None:
    one = Relay(stream_of("openai"), Redactor(), (), SilenceLimits(30, 20, 5), Clock(0))
    assert [one.tick(9e9), one.tick(9e9 + 29), one.error] == ["", "", None]
    one.tick(9e9 + 30)
    assert one.error


# Before the first event


def test_no_first_event_in_time() -> None:
    one = relay(first_byte=30)
    assert (one.tick(BEGAN + 29.9), one.over) == ("", False)
    assert (one.tick(BEGAN + 30), one.over) == ("", True)
    assert not one.begun
    assert one.error
    assert (one.error.status, one.error.code) == (504, "upstream_timeout")


def test_comments_are_no_first_event() -> None:
    one = relay(first_byte=30)
    for second in range(0, 30, 5):
        assert one.feed(": still waiting\n\n") == ""
        assert one.tick(BEGAN + second) == ""
    one.tick(BEGAN + 30)
    assert one.error
    assert one.error.code == "upstream_timeout"


def test_nothing_is_sent_before_the_first_event() -> None:
    one = relay(first_byte=30, keep_alive=1)
    assert [one.tick(BEGAN + second) for second in range(30)] == [""] * 30


def test_a_first_event_at_the_last_moment_is_in_time() -> None:
    one = relay(first_byte=30, idle=20)
    one.tick(BEGAN + 29)
    one.feed(OPENAI_BEGINS)
    assert one.tick(BEGAN + 31) == ""
    assert one.tick(BEGAN + 40) == KEEP_ALIVE
    assert not one.over


def test_an_announcement_may_be_kept_back() -> None:
    limits = SilenceLimits(30, 20, 5, holds_opening=True)
    one = Relay(stream_of("openai"), Redactor(), (), limits, Clock(0))
    assert (one.tick(BEGAN), one.feed(OPENAI_BEGINS), one.begun) == ("", "", False)
    told = one.feed(openai_text("Hello"))
    assert told == begun_with(OPENAI_BEGINS + openai_text("Hello"))
    assert one.begun
    late = Relay(stream_of("openai"), Redactor(), (), limits, Clock(0))
    late.tick(BEGAN)
    late.feed(OPENAI_BEGINS)
    assert late.tick(BEGAN + 30) == ""
    assert late.error
    assert late.error.code == "upstream_timeout"


def test_what_was_kept_back_is_told_with_the_end() -> None:
    limits = SilenceLimits(30, 20, 5, holds_opening=True)
    one = Relay(stream_of("openai"), Redactor(), (), limits, Clock(0))
    told = one.feed(OPENAI_BEGINS) + one.feed(OPENAI_ENDS) + one.close()
    assert told == begun_with(OPENAI_BEGINS + OPENAI_ENDS)


def begun_with(text: str) -> str:
    """The output of a relay without held-back events, for a stream of `text`."""
    one = relay()
    return one.feed(text) + (one.close() if one.finished or OPENAI_ENDS in text else "")


# Silence in mid-stream


def test_silence_for_too_long_is_an_error() -> None:
    one = begun(idle=20, keep_alive=0)
    assert one.tick(BEGAN + 19.9) == ""
    assert code_of(one.tick(BEGAN + 20)) == "upstream_timeout"
    assert one.over
    assert one.tick(BEGAN + 21) == ""


def test_any_piece_ends_a_silence() -> None:
    one = begun(idle=20, keep_alive=0)
    for minute in range(1, 10):
        one.feed(": ping\n\n")
        assert one.tick(BEGAN + minute * 15) == ""
    assert not one.over


def test_pieces_that_say_nothing_are_borne_for_so_long() -> None:
    one = begun(idle=20, keep_alive=0, progress=60)
    one.feed(openai_text("Hello"))
    assert one.tick(BEGAN + 10) == ""
    for second in range(11, 70):
        one.feed(": ping\n\n")
        assert one.tick(BEGAN + second) == ""
    one.feed(": ping\n\n")
    assert code_of(one.tick(BEGAN + 70)) == "upstream_timeout"


def test_a_slow_answer_goes_on_for_as_long_as_it_takes() -> None:
    one = begun(idle=20, keep_alive=0, progress=60)
    for minute in range(100):
        one.feed(": ping\n\n")
        one.feed(openai_text("Hello"))
        assert one.tick(BEGAN + minute * 50 + 15) == ""
        one.feed(": ping\n\n")
        assert one.tick(BEGAN + minute * 50 + 32) == ""
        one.feed(": ping\n\n")
        assert one.tick(BEGAN + minute * 50 + 49) == ""
    assert not one.over


def test_the_client_hears_that_we_are_here_whatever_the_upstream_sends() -> None:
    one = begun(idle=20, keep_alive=5)
    heard = []
    for second in range(1, 20):
        one.feed(": ping\n\n")
        heard += [second] if one.tick(BEGAN + second) == KEEP_ALIVE else []
    assert heard == [5, 10, 15]


def test_who_waits_for_the_client_does_not_wait_for_the_upstream() -> None:
    """A client may stop reading for any time. The upstream's time limits start again after that."""
    one = begun(idle=20, keep_alive=5)
    paused = [one.tick(BEGAN + second, reading=False) for second in range(1, 1_000)]
    assert set(paused) == {""}
    assert one.tick(BEGAN + 1_018) == KEEP_ALIVE
    assert not one.over
    assert code_of(one.tick(BEGAN + 1_019)) == "upstream_timeout"


def test_the_client_hears_that_we_are_still_here() -> None:
    one = begun(idle=20, keep_alive=5)
    heard = [second for second in range(1, 20) if one.tick(BEGAN + second) == KEEP_ALIVE]
    assert heard == [5, 10, 15]


def test_a_keep_alive_does_not_count_as_something_heard() -> None:
    one = begun(idle=12, keep_alive=5)
    assert [one.tick(BEGAN + second) for second in (5, 10)] == [KEEP_ALIVE] * 2
    assert code_of(one.tick(BEGAN + 12)) == "upstream_timeout"


def test_what_is_relayed_puts_a_keep_alive_off() -> None:
    one = begun(keep_alive=5)
    one.feed(openai_text("Hello"))
    assert one.tick(BEGAN + 4) == ""
    assert one.tick(BEGAN + 8) == ""
    assert one.tick(BEGAN + 9) == KEEP_ALIVE


def test_no_keep_alive_where_none_is_wanted() -> None:
    one = begun(idle=3600, keep_alive=0)
    assert {one.tick(BEGAN + second) for second in range(0, 3600, 60)} == {""}


def test_a_keep_alive_stands_between_frames() -> None:
    one = begun(keep_alive=5)
    half, rest = openai_text("Hello")[:40], openai_text("Hello")[40:]
    sent = one.feed(half) + one.tick(BEGAN + 1) + one.tick(BEGAN + 7) + one.feed(rest)
    assert sent.startswith(KEEP_ALIVE)
    assert frames(sent.removeprefix(KEEP_ALIVE))[0]["choices"][0]["delta"] == {"content": "Hello"}


# After the finish


def test_an_upstream_that_has_said_all_and_holds_the_line_is_not_waited_for() -> None:
    one = begun(idle=20)
    one.feed(OPENAI_ENDS + "data: [DONE]\n\n")
    assert (one.tick(BEGAN + 1), one.over) == ("", False)
    assert (one.tick(BEGAN + 2), one.over) == ("", True)
    assert one.error is None


def test_nor_is_one_that_goes_on_sending() -> None:
    one = begun(idle=20)
    one.feed(OPENAI_ENDS + "data: [DONE]\n\n")
    for second in (1, 2):
        one.feed(": ping\n\n")
        one.tick(BEGAN + second)
    assert one.over


def test_a_finish_reason_without_an_end_is_an_end_at_the_limit() -> None:
    one = begun(idle=20, keep_alive=0)
    one.feed(OPENAI_ENDS)
    assert one.tick(BEGAN + 1) == ""
    assert one.tick(BEGAN + 20) == ""
    finish, done = frames(one.tick(BEGAN + 21))
    assert finish["choices"][0]["finish_reason"] == "stop"
    assert done == "[DONE]"
    assert one.error is None


def test_our_own_fault() -> None:
    one = begun()
    assert code_of(one.crash()) == "internal_error"
    assert one.over
    early = relay()
    assert early.crash() == ""
    assert early.error
    assert early.error.code == "internal_error"


def test_usage_is_the_streams() -> None:
    assert encode_usage(begun().usage)["total_tokens"] == 0


@pytest.mark.parametrize(
    ("limits", "seconds"),
    [
        (SilenceLimits(300, 120, 15), 1.0),
        (SilenceLimits(300, 120, 0), 1.0),
        (SilenceLimits(300, 2, 15), 0.5),
        (SilenceLimits(1, 120, 15), 0.25),
        (SilenceLimits(0.01, 120, 15), 0.05),
        (SilenceLimits(300, 120, 0.4), 0.1),
        (SilenceLimits(300, 120, 15, 1), 0.25),
    ],
)
def test_how_often_it_wants_to_look_at_the_clock(limits: SilenceLimits, seconds: float) -> None:
    one = Relay(stream_of("openai"), Redactor(), (), limits, Clock(0))
    assert one.tick_seconds == pytest.approx(seconds)


# Frames that are given in pieces


def responses_relay(redactor: Redactor) -> Relay:
    """The stream of an upstream of Chat Completions on its way to a client of Responses."""
    of = answering("openai")
    writer = RESPONSES.stream_writer(of)
    stream = Translation(CHAT.reader(writer, of), writer)
    return Relay(stream, redactor, (), SilenceLimits(30, 20, 5), Clock(0))


def said(text: str) -> str:
    return f'data: {{"choices":[{{"index":0,"delta":{{"content":{json.encode(text)}}}}}]}}\n\n'


ENDS = 'data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n'


def test_a_long_end_is_given_in_pieces() -> None:
    one = responses_relay(Redactor())
    begun = "".join([one.feed(said("x" * 10_000)) for _ in range(100)])
    pieces = [one.feed(ENDS), one.close()]
    assert (one.over, one.is_drained) == (True, False)
    pieces += iter(one.more, "")
    assert (one.over, one.is_drained) == (True, True)
    assert 4_000_000 < sum(map(len, pieces)) < 4_010_000
    assert max(map(len, pieces)) < 300_000
    assert "".join(pieces).endswith("data: [DONE]\n\n")
    assert begun.count("\n\n") == 104


@pytest.mark.parametrize("room", range(0, 70_000, 7_001))
def test_no_piece_ends_within_a_secret(room: int) -> None:
    """The character comes in two deltas, and is one character in the whole text."""
    key = "sk-upstream-0123456789"
    one = responses_relay(Redactor(key))
    one.feed(said("x" * room))
    for text in ("x" * 30_000, "y" * 36_000, key[:9], key[9:], "z" * 200_000, "z" * 200_000):
        one.feed(said(text))
    frames = "".join([one.feed(ENDS), *iter(one.more, "")])
    assert frames.count("[redacted]") == 4
    assert key not in frames


def test_while_frames_wait_time_says_nothing() -> None:
    one = responses_relay(Redactor())
    one.tick(0)
    for _ in range(100):
        one.feed(said("x" * 10_000))
    one.tick(1)
    frames = one.feed(ENDS) + one.close()
    assert one.waits
    assert one.tick(100) == ""
    frames += "".join(iter(one.more, ""))
    assert one.is_drained
    assert frames.endswith("data: [DONE]\n\n")
