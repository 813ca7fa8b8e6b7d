"""Clients of Messages and of Responses with upstreams of other protocols, by scenario folders."""

from typing import Any

import pytest

from tests.crossings import Crossing, crossings, spelled, streamed
from tests.losses.table import CLIENTS
from tests.play import Played, Upstream
from tests.streams import has_finished, split_events
from xtrix import json

Json = dict[str, Any]

ALL = crossings()
WHOLE = [each for each in ALL if each.has("reply.json")]
STREAMS = [each for each in ALL if each.answer.has("upstream.sse")]
FAILING = [each for each in ALL if each.has("reply.error.json")]
REFUSED = [each for each in ALL if each.answer.status_of("upstream")]
CUT_EVERYWHERE = [each for each in STREAMS if each.path.parent.name in {"tool-call", "truncated"}]
STRIDE = 23
PAIRS = {
    ("messages", "openai"),
    ("messages", "openai-responses"),
    ("responses", "anthropic"),
    ("responses", "openai"),
}


def sse(crossing: Crossing) -> bytes:
    return crossing.answer.bytes("upstream.sse")


def told(crossing: Crossing, *pieces: bytes) -> Played:
    return crossing.play(streamed(*pieces), stream=True)


def plain(answer: Json) -> Json:
    """`answer` without the white space of arguments, which is a model's own in a stream."""
    for item in answer.get("output", ()):
        if item["type"] == "function_call":
            item["arguments"] = json.encode(json.decode(item["arguments"]))
    return answer


def test_every_pair_has_its_folders() -> None:
    assert {(each.client, each.path.name) for each in ALL} == PAIRS
    assert {client.path.removeprefix("/v1/") for client in CLIENTS} > {"messages", "responses"}
    names = {each.path.parent.name for each in ALL if each.client == "messages"}
    for client, dialect in PAIRS:
        its = {it.path.parent.name for it in ALL if (it.client, it.path.name) == (client, dialect)}
        assert its >= names


@pytest.mark.parametrize("crossing", ALL, ids=str)
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
def test_what_goes_upstream(crossing: Crossing, stream: bool) -> None:
    expected = crossing.json("upstream_request.json")
    if stream:
        expected["stream"] = True
        if crossing.answer.dialect == "openai":
            expected["stream_options"] = {"include_usage": True}
    failing = Upstream(500, {"content-type": "application/json"}, (b"{}",))
    (call,) = crossing.play(failing, stream=stream).calls
    assert json.decode(call.body) == expected


@pytest.mark.parametrize("crossing", WHOLE, ids=str)
def test_whole_answer(crossing: Crossing) -> None:
    played = crossing.play(crossing.whole(), stream=False)
    assert played.status == 200
    assert spelled(crossing.client, played.json()) == crossing.json("reply.json")
    ignored = ", ".join(crossing.json("ignored.json", []))
    assert played.headers.get("x-ignored-parameters", "") == ignored


@pytest.mark.parametrize("crossing", WHOLE, ids=str)
def test_streamed_answer_adds_up_to_the_whole_one(crossing: Crossing) -> None:
    added_up = crossing.added_up(told(crossing, sse(crossing)).body)
    assert plain(added_up) == plain(crossing.json("reply.json"))


@pytest.mark.parametrize("crossing", REFUSED, ids=str)
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
def test_an_error_of_the_upstream(crossing: Crossing, stream: bool) -> None:
    played = crossing.play(crossing.whole(), stream=stream)
    assert played.json() == crossing.json(f"reply.{played.status}.json")
    expected = crossing.answer.json("headers.json")["reply"]
    assert played.headers.items() >= expected.items()


@pytest.mark.parametrize("crossing", FAILING, ids=str)
def test_a_stream_that_fails_says_so_and_never_finishes(crossing: Crossing) -> None:
    frames = told(crossing, sse(crossing)).body
    data = [line[6:] for line in frames.splitlines() if line.startswith("data: {")]
    events = [json.decode(each) for each in data]
    kinds = [event["type"] for event in events]
    (error,) = [event for event in events if event["type"] == "error"]
    error.pop("sequence_number", None)
    assert error == crossing.json("reply.error.json")
    if crossing.client == "messages":
        assert kinds[-1] == "error"
        assert "message_stop" not in kinds
    else:
        assert kinds[-2:] == ["error", "response.failed"]
        assert frames.endswith("data: [DONE]\n\n")
        assert not {"response.completed", "response.incomplete"} & {*kinds}


@pytest.mark.parametrize("crossing", STREAMS, ids=str)
def test_byte_by_byte(crossing: Crossing) -> None:
    data = sse(crossing)
    uncut = told(crossing, data)
    for ending in (b"\n", b"\r\n"):
        sent = data.replace(b"\r\n", b"\n").replace(b"\n", ending)
        pieces = [sent[at : at + 1] for at in range(len(sent))]
        assert told(crossing, *pieces).body == uncut.body


@pytest.mark.parametrize("crossing", STREAMS, ids=str)
def test_cut_in_two(crossing: Crossing) -> None:
    data = sse(crossing)
    uncut = told(crossing, data)
    step = 1 if crossing in CUT_EVERYWHERE else STRIDE
    for offset in range(len(data) % step, len(data), step):
        assert told(crossing, data[:offset], data[offset:]).body == uncut.body, offset


@pytest.mark.parametrize("crossing", WHOLE, ids=str)
def test_truncated_after_every_event(crossing: Crossing) -> None:
    events = split_events(sse(crossing).decode())
    for count in range(len(events)):
        sent = "".join(events[:count])
        played = told(crossing, sent.encode())
        if has_finished(crossing.answer.dialect, sent):
            assert crossing.added_up(played.body)
        else:
            assert played.status == 502 or _failed(crossing, played.body), count


def _failed(crossing: Crossing, frames: str) -> bool:
    """Whether a stream ends as one that failed, and not as one that is whole."""
    if crossing.client == "messages":
        return "event: error" in frames and "message_stop" not in frames
    ended = {"response.completed", "response.incomplete"}
    return "event: response.failed" in frames and not any(f"event: {it}" in frames for it in ended)
