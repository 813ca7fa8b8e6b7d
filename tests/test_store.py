"""The calls for one kept response, and what happens if the archive does not answer."""

from typing import Any

import pytest

from tests.least import TEXT, WHOLE, answer, row
from tests.play import KEY, NOW, TOKEN, Played, gateway, head, play
from tests.test_named_keys import Bench
from xtrix import archive, json
from xtrix.errors import ApiError
from xtrix.http import Reply, RequestHead
from xtrix.steps import AskArchive, Failure
from xtrix.store import Store, is_kept, store_of

Json = dict[str, Any]

STORE = Store("name", 30, 1000)
ITEMS = [{"id": f"msg_{number}"} for number in range(25)]


def served(answer: bytes | Failure, query: str = "", rest: str = "/input_items") -> Json:
    """The client's answer, if the archive answers so."""
    steps = STORE.serve(RequestHead("GET", f"/v1/responses/resp_1{rest}", {}, query))
    assert isinstance(next(steps), AskArchive)
    with pytest.raises(StopIteration) as done:
        steps.send(answer)
    reply = done.value.value
    assert isinstance(reply, Reply)
    return json.decode_object(reply.body)


def found(*values: object) -> bytes:
    return "\n".join(['{"found":true}', *map(json.encode_line, values)]).encode()


@pytest.mark.parametrize(
    ("query", "ids", "more"),
    [
        ("", range(24, 4, -1), True),
        ("order=asc", range(20), True),
        ("order=asc&limit=100", range(25), False),
        ("limit=5&after=msg_10", range(9, 4, -1), True),
        ("limit=5&after=msg_5", range(4, -1, -1), False),
        ("after=msg_0", [], False),
    ],
)
def test_input_is_listed_in_pages(query: str, ids: range | list[int], more: bool) -> None:
    said = served(found(ITEMS), query)
    names = [f"msg_{number}" for number in ids]
    assert [item["id"] for item in said["data"]] == names
    ends = (names[0], names[-1]) if names else (None, None)
    assert (said["first_id"], said["last_id"]) == ends
    assert (said["object"], said["has_more"]) == ("list", more)


@pytest.mark.parametrize(
    ("query", "param"),
    [
        *(("limit=0", "limit"), ("limit=101", "limit"), ("limit=x", "limit"), ("limit=²", "limit")),
        *(("order=up", "order"), ("after=msg_99", "after")),
    ],
)
def test_a_page_that_there_cannot_be_is_refused(query: str, param: str) -> None:
    with pytest.raises(ApiError) as refused:
        served(found(ITEMS), query)
    assert (refused.value.status, refused.value.param) == (400, param)


@pytest.mark.parametrize(
    ("answered", "status"),
    [
        (Failure.CONNECTION, 503),
        (Failure.TIME, 503),
        (Failure.MEMORY, 503),
        (b'{"found":false}', 404),
        (b'{"found":false,"large":true}', 400),
    ],
)
def test_what_the_archive_does_not_give_has_a_status(
    answered: bytes | Failure, status: int
) -> None:
    with pytest.raises(ApiError) as refused:
        served(answered, rest="")
    assert refused.value.status == status


def test_a_kept_response_is_told_whole() -> None:
    assert served(found({"id": "resp_1"}), rest="") == {"id": "resp_1"}
    with pytest.raises(ApiError):
        next(STORE.serve(RequestHead("GET", "/v1/responses/resp_1", {}, "stream=true")))


def test_each_client_has_an_object_of_its_own() -> None:
    names = {store_of(client, 30, 9).name for client in (b"a" * 32, b"b" * 32, b"a" * 32)}
    assert len(names) == 2


@pytest.mark.parametrize(
    ("path", "wanted"),
    [
        ("/v1/responses/resp_1", True),
        ("/responses/resp_1/", True),
        ("/v1/responses/resp_1/input_items", True),
        ("/v1/responses/resp_1/cancel", False),
        ("/v1/responses/resp_1/input_items/x", False),
        ("/v1/responses", False),
        ("/v1/responses/compact", False),
        ("/v1/responses/input_tokens", False),
        ("/v1/messages/resp_1", False),
    ],
)
def test_which_paths_are_about_a_kept_response(path: str, wanted: bool) -> None:
    assert is_kept(path) is wanted


def asked(
    request: Json, *archived: bytes | Failure, below: str = "", days: int = 0
) -> tuple[Played, Any]:
    """The outcome of a request, and the archive's request. `below` follows the path."""
    gate = gateway(row("openai"), STORE_DAYS=days)
    messages: list[AskArchive] = []
    left = iter(archived)

    def answered(step: AskArchive) -> bytes | Failure:
        messages.append(step)
        return next(left)

    path = head(f"/v1/responses{below}")
    played = play(gate, request, [answer(WHOLE["openai"])], path, archive=answered)
    return played, messages


def test_an_answer_is_kept_with_what_was_asked() -> None:
    played, (kept,) = asked({"model": "m", "input": "Hi"}, b'{"found":true}', days=2)
    first, body, given = kept.text.split("\n")
    assert json.decode(first) == {"do": "keep", "previous": None, "expires": NOW + 2 * 86_400}
    assert json.decode(body) == played.json()
    assert (played.json()["store"], played.json()["id"]) == (True, f"resp_{TOKEN}")
    (item,) = json.decode(given)
    assert item["content"] == [{"type": "input_text", "text": "Hi"}]
    assert KEY not in kept.name
    assert "not_kept" not in played.log


def test_an_answer_that_cannot_be_kept_is_given_all_the_same() -> None:
    played, _ = asked({"model": "m", "input": "Hi"}, Failure.TIME, days=2)
    assert (played.status, played.log["not_kept"]) == (200, True)
    assert TEXT in played.body


def test_what_asks_not_to_be_kept_never_meets_the_archive() -> None:
    for store, days in ((False, 2), (True, 0)):
        played, messages = asked({"model": "m", "input": "Hi", "store": store}, days=days)
        assert (played.status, messages, played.json()["store"]) == (200, [], False)


def test_without_the_archive_no_conversation_goes_on() -> None:
    request = {"model": "m", "input": "Hi", "previous_response_id": "resp_1"}
    played, (message,) = asked(request, Failure.CONNECTION, days=2)
    assert (played.status, played.headers["retry-after"], played.calls) == (503, "5", [])
    assert message.text == archive.recall("resp_1", iter(()), 5_000_000)


@pytest.mark.parametrize("below", ["/compact", "/input_tokens"])
def test_summaries_and_counts_go_on_from_what_is_kept_and_are_not(below: str) -> None:
    request = {"model": "m", "input": "Hi", "previous_response_id": "resp_1"}
    earlier = [{"role": "user", "content": "Something from before. " * 40}]
    played, messages = asked(request, found(earlier, {}), below=below, days=2)
    assert (played.status, len(messages)) == (200, 1)
    if below == "/compact":
        assert "Something from before" in str(json.decode(played.calls[0].body)["messages"])
    else:
        assert played.json()["input_tokens"] > 100


def test_a_rotated_key_finds_what_it_has_left_and_one_that_is_off_does_not() -> None:
    bench = Bench(STORE_DAYS=2)
    key, secret = bench.make("team")
    rotated = bench.admin("POST", f"/keys/{key}/rotate", {"grace_seconds": 60})["secret"]
    names: list[str] = []

    def kept(step: AskArchive) -> bytes:
        names.append(step.name)
        return found({"id": "resp_1"})

    def call(method: str, path: str, secret: str) -> Played:
        given = RequestHead(method, path, {"authorization": f"Bearer {secret}"})
        request = {"model": "plain", "input": "Hi"}
        upstreams = [answer(WHOLE["openai"])]
        gate, wire = bench.gates[0], bench.wire
        return play(gate, request, upstreams, given, bench.now, wire=wire, archive=kept)

    assert call("POST", "/v1/responses", secret).status == 200
    assert call("GET", "/v1/responses/resp_1", rotated).status == 200
    assert len(names) == 2
    assert len(set(names)) == 1
    bench.admin("PATCH", f"/keys/{key}", {"active": False})
    bench.now += 15
    for method, path in (("GET", "/v1/responses/resp_1"), ("DELETE", "/v1/responses/resp_1")):
        assert call(method, path, rotated).status == 401
    assert len(names) == 2
