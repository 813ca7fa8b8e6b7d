"""One upstream stream from its first event to its last: begun, over, finished or failed."""

import pytest

from tests.accumulate import frames
from tests.answers import stream_of
from tests.stories import (
    ANTHROPIC_BEGINS,
    ANTHROPIC_ENDS,
    OPENAI_BEGINS,
    OPENAI_ENDS,
    anthropic_text,
    data,
    openai_text,
)
from xtrix import errors, sse
from xtrix.reframe import Reframer

DONE = "data: [DONE]\n\n"
ERROR = {"type": "overloaded_error", "message": "Busy, says sk-ant-0123456789"}
WIRE = {
    "anthropic": (
        ANTHROPIC_BEGINS,
        anthropic_text,
        ANTHROPIC_ENDS,
        data({"type": "error", "error": ERROR}),
    ),
    "openai": (OPENAI_BEGINS, openai_text, OPENAI_ENDS + DONE, data({"error": ERROR})),
}
"""For each dialect: how a stream begins, an event with a word, how it ends, and an error."""


@pytest.fixture(params=WIRE)
def dialect(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def new(dialect: str) -> Reframer:
    return Reframer(stream_of(dialect), lambda text: text.replace("sk-ant-0123456789", "***"))


def code_of(text: str) -> object:
    """The code of the error in the frames `text`."""
    *_, error, done = frames(text)
    assert done == "[DONE]"
    return error["error"]["code"]


def test_a_stream_from_its_first_event_to_its_last(dialect: str) -> None:
    begins, word, ends, _ = WIRE[dialect]
    reframer = new(dialect)
    assert (reframer.begun, reframer.finished, reframer.over) == (False, False, False)
    assert reframer.feed(begins)
    assert (reframer.begun, reframer.finished, reframer.over) == (True, False, False)
    assert '"Hello"' in reframer.feed(word("Hello"))
    assert reframer.feed(ends).endswith(DONE)
    assert (reframer.begun, reframer.finished, reframer.over) == (True, True, False)
    assert reframer.close() == ""
    assert (reframer.begun, reframer.finished, reframer.over) == (True, True, True)
    assert reframer.error is None


def test_comments_and_pings_begin_nothing(dialect: str) -> None:
    reframer = new(dialect)
    assert reframer.feed(": keep waiting\n\n") == ""
    if dialect == "anthropic":
        assert reframer.feed('event: ping\ndata: {"type":"ping"}\n\n') == ""
    assert not reframer.begun


def test_what_comes_after_the_end_is_passed_over(dialect: str) -> None:
    begins, word, ends, error = WIRE[dialect]
    reframer = new(dialect)
    whole = reframer.feed(begins + word("Hello") + ends + word("more") + error)
    assert whole.count(DONE) == 1
    assert "more" not in whole
    assert [reframer.feed(word("more")), reframer.feed(error), reframer.close()] == [""] * 3
    assert reframer.error is None


def test_pieces_are_counted_whatever_is_in_them(dialect: str) -> None:
    reframer = new(dialect)
    for piece in (": ping\n\n", "", WIRE[dialect][0], "da"):
        reframer.feed(piece)
    assert reframer.fed == 4


def test_an_error_before_the_first_frame_is_kept_for_a_status(dialect: str) -> None:
    reframer = new(dialect)
    assert reframer.feed(WIRE[dialect][3]) == ""
    assert reframer.error
    assert (reframer.error.status, reframer.error.code) == (503, "server_is_overloaded")
    assert reframer.error.message == "Busy, says ***"
    assert reframer.over
    assert not reframer.begun
    assert reframer.close() == ""


def test_an_error_in_mid_stream_is_told_once_and_ends_it(dialect: str) -> None:
    begins, word, ends, error = WIRE[dialect]
    reframer = new(dialect)
    text = reframer.feed(begins + word("Hello") + error + word("more") + ends)
    assert code_of(text) == "server_is_overloaded"
    assert "Busy, says ***" in text
    assert "more" not in text
    assert reframer.over
    assert [reframer.feed(word("more")), reframer.close()] == ["", ""]


def test_an_error_without_its_blank_line_is_still_the_upstreams_own(dialect: str) -> None:
    begins, _, _, error = WIRE[dialect]
    first = new(dialect)
    first.feed(error.rstrip("\n"))
    assert first.close() == ""
    assert first.error
    assert first.error.code == "server_is_overloaded"
    later = new(dialect)
    later.feed(begins + error.rstrip("\n"))
    assert code_of(later.close()) == "server_is_overloaded"


@pytest.mark.parametrize("malformed", ["data: {\n\n", "data: []\n\n", "data: Bad Gateway\n\n"])
def test_what_is_no_event_of_the_dialect(dialect: str, malformed: str) -> None:
    first = new(dialect)
    assert first.feed(malformed) == ""
    assert first.error
    assert (first.error.status, first.error.code) == (502, "bad_upstream_response")
    later = new(dialect)
    assert code_of(later.feed(WIRE[dialect][0] + malformed)) == "bad_upstream_response"


def test_an_event_that_is_too_long(dialect: str) -> None:
    reframer = new(dialect)
    reframer.feed(WIRE[dialect][0])
    text = reframer.feed("data: " + "x" * sse.MAX_EVENT_LENGTH)
    assert code_of(text) == "bad_upstream_response"
    assert reframer.over
    assert len(text) < 1000


def test_an_end_that_comes_too_early_is_an_error(dialect: str) -> None:
    begins, word, _, _ = WIRE[dialect]
    silent = new(dialect)
    assert silent.close() == ""
    assert silent.error
    assert (silent.error.status, silent.error.code) == (502, "upstream_truncated")
    cut = new(dialect)
    cut.feed(begins + word("Hello") + word("more")[:30])
    assert code_of(cut.close()) == "upstream_truncated"
    assert cut.close() == ""


def test_an_end_without_the_last_blank_line_is_an_end(dialect: str) -> None:
    begins, word, ends, _ = WIRE[dialect]
    whole = new(dialect)
    expected = whole.feed(begins + word("Hello") + ends) + whole.close()
    cut = new(dialect)
    assert cut.feed(begins + word("Hello") + ends.removesuffix("\n\n")) + cut.close() == expected


def test_why_it_ended_is_told_unless_the_answer_is_whole(dialect: str) -> None:
    begins, word, ends, _ = WIRE[dialect]
    late = new(dialect)
    late.feed(begins + word("Hello"))
    assert code_of(late.close(errors.out_of_time("silence"))) == "upstream_timeout"
    whole = new(dialect)
    *all_but_last, _ = ends.removesuffix("\n\n").split("\n\n")
    whole.feed(begins + word("Hello") + "\n\n".join([*all_but_last, ""]))
    text = whole.close(errors.out_of_time("silence"))
    assert frames(text)[-1] == "[DONE]"
    assert whole.error is None


def test_our_own_fault_is_told_once(dialect: str) -> None:
    reframer = new(dialect)
    reframer.feed(WIRE[dialect][0])
    assert code_of(reframer.fail(errors.internal_error())) == "internal_error"
    assert reframer.fail(errors.internal_error()) == ""


def test_usage_is_what_the_upstream_has_said_so_far() -> None:
    reframer = new("anthropic")
    assert reframer.usage.prompt == 0
    reframer.feed(ANTHROPIC_BEGINS)
    assert reframer.usage.prompt == 3
    reframer.feed(ANTHROPIC_ENDS)
    assert reframer.usage.completion == 9
