"""Decoding events by the HTML standard, section 9.2.6, and its examples (read 2026-11)."""

import tracemalloc

import pytest

from xtrix import sse
from xtrix.sse import Decoder, Event, EventTooLong


def events(*pieces: str) -> list[Event]:
    """The events in the pieces, without one that the end cuts off."""
    decoder = Decoder()
    return [event for piece in pieces for event in decoder.feed(piece)]


def messages(*data: str) -> list[Event]:
    return [Event("message", each) for each in data]


# The standard's own examples


def test_one_event_of_three_lines() -> None:
    stream = "data: YHOO\ndata: +2\ndata: 10\n\n"
    assert events(stream) == messages("YHOO\n+2\n10")


def test_four_blocks_comment_ids_and_a_leading_space_kept() -> None:
    stream = (
        ": test stream\n\ndata: first event\nid: 1\n\ndata:second event\nid\n\ndata:  third event\n"
    )
    assert events(stream) == messages("first event", "second event")
    assert events(stream, "\n") == messages("first event", "second event", " third event")


def test_empty_data_is_dispatched_and_an_unended_block_is_not() -> None:
    assert events("data\n\ndata\ndata\n\ndata:") == messages("", "\n")


def test_one_space_after_the_colon_is_ignored() -> None:
    assert events("data:test\n\ndata: test\n\n") == messages("test", "test")


def test_named_events() -> None:
    stream = "event: add\ndata: 73857293\n\nevent: remove\ndata: 2153\n\n"
    assert events(stream) == [Event("add", "73857293"), Event("remove", "2153")]


# The standard's rules


@pytest.mark.parametrize("ending", ["\n", "\r", "\r\n"], ids=["LF", "CR", "CRLF"])
def test_each_line_end(ending: str) -> None:
    stream = ending.join(["event: a", "data: 1", "", "data: 2", "", ""])
    # A CR alone ends its line only when it is known that no LF follows.
    assert events(stream, ":") == [Event("a", "1"), Event("message", "2")]


@pytest.mark.parametrize("ending", ["\n", "\r", "\r\n"], ids=["LF", "CR", "CRLF"])
def test_line_ends_character_by_character(ending: str) -> None:
    stream = ending.join(["data: 1", "data: 2", "", "data: 3", "", ""])
    assert events(*stream, ":") == messages("1\n2", "3")


def test_a_line_feed_after_a_cut_carriage_return_is_no_second_line_end() -> None:
    assert events("data: 1\r", "\ndata: 2\r", "\n\r", "\n") == messages("1\n2")


def test_an_empty_piece_changes_nothing() -> None:
    assert events("", "data: 1\r", "", "\ndata: 2\n", "", "\n") == messages("1\n2")


@pytest.mark.parametrize("character", "\v\f\x1c\x85\u2028\u2029")
def test_no_other_character_ends_a_line(character: str) -> None:
    assert events(f"data: a{character}b\n\n") == messages(f"a{character}b")


def test_one_leading_byte_order_mark_is_ignored() -> None:
    assert events("\ufeffdata: 1\n\n") == messages("1")
    assert events("\ufeff", "data: 1\n\n") == messages("1")
    assert events("\ufeff\ufeffdata: 1\n\n") == []
    assert events("data: 1\n\n", "\ufeffdata: 2\n\n") == messages("1")


def test_comments_ids_retries_and_unknown_fields_are_passed_over() -> None:
    stream = ": nothing\nid: 7\nretry: 1000\nfoo: bar\nDATA: no\n data: no\ndata: yes\n\n"
    assert events(stream) == messages("yes")


def test_a_block_without_data_dispatches_nothing_and_its_name_is_forgotten() -> None:
    assert events("event: ping\n\ndata: 1\n\n") == messages("1")
    assert events("id: 1\n\n: ping\n\n\n\n") == []


def test_only_the_first_colon_divides() -> None:
    assert events("data:a:b: c\n\n") == messages("a:b: c")


def test_the_last_name_counts() -> None:
    assert events("event: a\nevent: b\ndata: 1\n\n") == [Event("b", "1")]
    assert events("event: a\nevent\ndata: 1\n\n") == messages("1")


def test_no_cut_makes_a_difference() -> None:
    stream = "\ufeff: hi\r\nevent: a\rdata: 1\ndata:\r\n\r\ndata: 🙂\u2028\n\n\rdata: 3\r\r"
    expected = [Event("a", "1\n"), Event("message", "🙂\u2028"), Event("message", "3")]
    for at in range(len(stream)):
        assert events(stream[:at], stream[at:], ":") == expected, at


# The end of a stream


@pytest.mark.parametrize("unended", ["data: 1", "data: 1\n", "data: 1\r", "data: 1\n: bye"])
def test_close_hands_out_the_event_that_the_end_cut_short(unended: str) -> None:
    decoder = Decoder()
    assert decoder.feed(unended) == []
    assert decoder.close() == messages("1")
    assert decoder.close() == []


@pytest.mark.parametrize("nothing", ["", "data: 1\n\n", "event: a", ": comment", "\ufeff"])
def test_close_hands_out_nothing(nothing: str) -> None:
    decoder = Decoder()
    decoder.feed(nothing)
    assert decoder.close() == []


# Between events


@pytest.mark.parametrize("text", ["data: 1\n\n", ": ping\n", "\n", "id: 1\n", "retry: 1\n\n"])
def test_nothing_is_held_after(text: str) -> None:
    decoder = Decoder()
    decoder.feed(text)
    assert decoder.between_events


@pytest.mark.parametrize("text", ["", "d", ":", "data: 1\n", "data\n", "event: a\n", "id: 1\r"])
def test_something_is_held_after(text: str) -> None:
    decoder = Decoder()
    decoder.feed(text)
    assert not decoder.between_events


# Hostile input


def test_a_line_without_end_is_refused() -> None:
    piece = "x" * (sse.MAX_EVENT_LENGTH // 4)
    with pytest.raises(EventTooLong):
        events(*[piece] * 5)


def test_lines_without_end_are_refused() -> None:
    piece = f"data: {'x' * (sse.MAX_EVENT_LENGTH // 4)}\n"
    with pytest.raises(EventTooLong):
        events(*[piece] * 5)


def test_a_long_stream_of_short_events_is_never_refused() -> None:
    piece = f"data: {'x' * (sse.MAX_EVENT_LENGTH // 4)}\n\n"
    assert len(events(*[piece] * 5)) == 5


@pytest.mark.parametrize("piece", ["xy", "data:\n", "data: xy\n", "data\n", "é€"])
def test_small_pieces_take_no_more_than_their_text(piece: str) -> None:
    decoder = Decoder()
    tracemalloc.start()
    length = 400_000
    decoder.feed("data: ")
    for _ in range(length // len(piece)):
        decoder.feed("".join(piece))
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert held < 4 * length


def test_a_line_in_many_small_pieces_is_whole() -> None:
    pieces = ["data: ", *(f"{at}," for at in range(5000)), "\ndata:", "\n", "\n"]
    assert events(*pieces) == messages("".join(f"{at}," for at in range(5000)) + "\n")
