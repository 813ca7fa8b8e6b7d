"""The archive with a real SQLite, and the recorder that listens to a stream's end."""

import sqlite3
from collections.abc import Iterator
from typing import Any

import pytest

from xtrix import archive, json
from xtrix.archive import PIECE, Archive
from xtrix.recorder import Recorder

Json = dict[str, Any]

NOW = 1_764_000_000.0
LATER = NOW + 86_400
LIMIT = 1_000_000
LARGE = {"found": False, "large": True}


@pytest.fixture
def execute() -> Iterator[archive.Execute]:
    database = sqlite3.connect(":memory:")

    def run(statement: str, *given: object) -> list[list[Any]]:
        return [[*row] for row in database.execute(statement, given)]

    yield run
    database.close()


@pytest.fixture
def kept(execute: archive.Execute) -> Archive:
    return Archive(execute)


def message(name: str, text: str = "x", **more: object) -> Json:
    return {"type": "message", "id": name, "role": "user", "content": text, **more}


def put(  # noqa: PLR0913 - as many as there are columns
    kept: Archive,
    name: str,
    given: list[Json],
    output: list[Json],
    previous: str | None = None,
    *,
    expires: float = LATER,
) -> None:
    body = json.encode_line({"id": name, "status": "completed", "output": output})
    kept.call(archive.keep(body, json.encode_line(given), previous, expires), NOW)


def ask(kept: Archive, text: str, now: float = NOW) -> tuple[Json, list[Any]]:
    head, texts = archive.decode(kept.call(text, now).encode())
    return head, [json.decode(it) for it in texts]


def recall(kept: Archive, previous: str | None, *items: str, limit: int = LIMIT) -> Any:
    head, values = ask(kept, archive.recall(previous, iter(items), limit))
    return values or head


def test_nothing_is_made_for_a_client_that_has_kept_nothing(
    kept: Archive, execute: archive.Execute
) -> None:
    assert ask(kept, archive.read("r", "response", LIMIT)) == ({"found": False}, [])
    assert ask(kept, archive.delete("r")) == ({"found": False}, [])
    assert recall(kept, "r") == {"found": False}
    assert execute("SELECT name FROM sqlite_master") == []


def test_a_conversation_comes_back_in_order_and_items_by_their_ids(kept: Archive) -> None:
    put(kept, "r1", [message("i1")], [message("o1"), message("o2")])
    put(kept, "r2", [message("i2")], [message("o3")], "r1")
    put(kept, "branch", [message("i3")], [message("o4")], "r1")
    items, named = recall(kept, "r2", "o2", "i1")
    assert [it["id"] for it in items] == ["i1", "o1", "o2", "i2", "o3"]
    assert named == {"o2": message("o2"), "i1": message("i1")}
    assert [it["id"] for it in recall(kept, "branch")[0]] == ["i1", "o1", "o2", "i3", "o4"]
    assert recall(kept, None, "o4")[0] == []


def test_a_response_comes_back_as_it_was(kept: Archive) -> None:
    output = [message("o1", "é\u2028 🌊" * 9, n=[1.5, None])]
    put(kept, "r1", [], output)
    head, (response,) = ask(kept, archive.read("r1", "response", LIMIT))
    assert head == {"found": True}
    assert response == {"id": "r1", "status": "completed", "output": output}


def test_what_refers_to_an_item_is_given_the_item(kept: Archive) -> None:
    put(kept, "r1", [message("i1")], [message("o1")])
    reference = {"type": "item_reference", "id": "o1"}
    put(kept, "r2", [reference, {"id": "i1"}, message("i2")], [message("o2")])
    items, _ = recall(kept, "r2")
    assert [it["id"] for it in items] == ["o1", "i1", "i2", "o2"]
    _, (given,) = ask(kept, archive.read("r2", "input", LIMIT))
    assert given == [message("o1"), message("i1"), message("i2")]


def test_what_it_referred_to_may_be_deleted_by_then(kept: Archive) -> None:
    put(kept, "r1", [], [message("o1")])
    put(kept, "r2", [{"type": "item_reference", "id": "o1"}, message("i2")], [])
    ask(kept, archive.delete("r1"))
    _, (given,) = ask(kept, archive.read("r2", "input", LIMIT))
    assert given == [{"type": "item_reference", "id": "o1"}, message("i2")]
    assert recall(kept, "r2") == {"missing": "o1"}


def test_input_that_is_too_large_to_hand_out_is_said_to_be(kept: Archive) -> None:
    put(kept, "r1", [message("i1", "x" * 500)], [])
    assert ask(kept, archive.read("r1", "input", 100)) == (LARGE, [])


@pytest.mark.parametrize(
    ("previous", "items", "missing"),
    [("r9", (), "r9"), ("r1", ("o9",), "o9"), (None, ("r1",), "r1"), ("r3", (), "r2")],
)
def test_what_is_missing_is_named(
    kept: Archive, previous: str | None, items: tuple[str, ...], missing: str
) -> None:
    put(kept, "r1", [], [message("o1")])
    put(kept, "r2", [], [message("o2")])
    put(kept, "r3", [], [message("o3")], "r2")
    ask(kept, archive.delete("r2"))
    assert recall(kept, previous, *items) == {"missing": missing}


@pytest.mark.parametrize("size", [PIECE - 40, PIECE, 3 * PIECE + 1], ids=["one", "full", "four"])
def test_large_texts_are_kept_in_pieces(kept: Archive, execute: archive.Execute, size: int) -> None:
    text = ("🌊é" * size)[:size]
    put(kept, "r1", [message("i1", text)], [message("o1", text)])
    ((largest,),) = execute("SELECT max(length(CAST(text AS BLOB))) FROM texts")
    assert largest < 2_000_000
    items, _ = recall(kept, "r1", limit=10 * size)
    assert [it["content"] for it in items] == [text, text]


def test_no_more_is_handed_out_than_asked_for(kept: Archive) -> None:
    put(kept, "r1", [message("i1", "x" * 500)], [])
    put(kept, "r2", [message("i2", "x" * 500)], [], "r1")
    assert len(recall(kept, "r2", limit=1300)[0]) == 2
    assert recall(kept, "r2", limit=900) == LARGE
    assert recall(kept, None, "i1", "i2", limit=900) == LARGE


def test_what_is_over_is_out_of_reach_at_once_and_gone_with_the_alarm(
    kept: Archive, execute: archive.Execute
) -> None:
    put(kept, "r1", [message("i1")], [message("o1")], expires=NOW + 10)
    assert kept.alarm == NOW + 10
    put(kept, "r2", [], [message("o2")], "r1", expires=NOW + 500)
    assert kept.alarm == NOW + 10
    put(kept, "r0", [], [], expires=NOW + 5)
    assert kept.alarm == NOW + 5
    over = NOW + 10
    assert ask(kept, archive.read("r1", "response", LIMIT), over)[0] == {"found": False}
    assert ask(kept, archive.recall("r2", iter(()), LIMIT), over)[0] == {"missing": "r1"}
    assert ask(kept, archive.recall(None, iter(["o1"]), LIMIT), over)[0] == {"missing": "o1"}
    kept.ring(over)
    assert execute("SELECT id FROM responses") == [["r2"]]
    assert execute("SELECT DISTINCT id FROM texts") == [["r2"]]
    assert execute("SELECT id FROM items") == [["o2"]]
    assert kept.alarm == NOW + 500
    kept.ring(NOW + 500)
    assert execute("SELECT id FROM texts") == []
    put(kept, "r3", [], [], expires=NOW + 900)
    assert kept.alarm == NOW + 900


def test_a_response_that_is_kept_twice_is_there_once(
    kept: Archive, execute: archive.Execute
) -> None:
    for text in ("long " * PIECE, "short"):
        put(kept, "r1", [message("i1", text)], [message("o1", text)])
    assert recall(kept, "r1")[0] == [message("i1", "short"), message("o1", "short")]
    assert execute("SELECT count(*) FROM responses") == [[1]]


# The end of a stream

RESPONSE: Json = {"id": "r1", "output": [message("o1", "event: response.completed\ndata: {}\n\n")]}


@pytest.mark.parametrize("kind", ["completed", "incomplete"])
def test_a_stream_is_heard_however_it_is_cut(kind: str) -> None:
    said = json.encode_line({"type": f"response.{kind}", "response": RESPONSE})
    stream = (
        'event: response.created\ndata: {"response":{"id":"other"}}\n\n'
        f"event: response.{kind}\ndata: {said}\n\ndata: [DONE]\n\n"
    )
    wanted = archive.keep(json.encode_line(RESPONSE), "[]", "r0", LATER)
    for size in (1, 2, 3, 7, 30, 61, len(stream)):
        recorder = Recorder("name", "[]", "r0", LATER)
        heard = []
        for start in range(0, len(stream), size):
            recorder.feed(stream[start : start + size])
            heard.append(recorder.message())
        assert [it for it in heard if it] == [wanted], size
    for cut in range(len(stream)):
        recorder = Recorder("name", "[]", "r0", LATER)
        recorder.feed(stream[:cut])
        recorder.feed(stream[cut:])
        assert recorder.message() == wanted, cut


def test_a_stream_that_fails_leaves_nothing() -> None:
    recorder = Recorder("name", "[]", None, LATER)
    recorder.feed('event: response.failed\ndata: {"response":{"id":"r1"}}\n\n')
    recorder.feed("")
    assert recorder.message() is None
