"""The events of chat.completion.chunk, byte for byte."""

from typing import Any

import pytest

from tests.accumulate import frames
from xtrix import errors
from xtrix.answer import Usage
from xtrix.protocol import Stamp
from xtrix.protocols.chat.chunks import DONE, KEEP_ALIVE, ChunkWriter, UsageForm, error_frames
from xtrix.protocols.chat.usage import encode_usage

STAMP = Stamp("1", 1700000000, "some-model", "fp_0123456789")
USAGE = Usage(prompt=10, completion=5, cached=3)


def written(text: str) -> list[Any]:
    """The chunks in `text`; checks the head that all of them share."""
    chunks = [frame for frame in frames(text) if frame != "[DONE]"]
    for chunk in chunks:
        assert chunk.pop("id") == f"chatcmpl-{STAMP.token}"
        assert chunk.pop("object") == "chat.completion.chunk"
        assert chunk.pop("created") == STAMP.created
        assert chunk.pop("model") == STAMP.model
        assert chunk.pop("system_fingerprint") == STAMP.system_fingerprint
    return chunks


def test_a_frame_to_the_byte() -> None:
    assert ChunkWriter(STAMP, UsageForm.ON_FINISH).delta({"content": "Hi"}) == (
        'data: {"id":"chatcmpl-1","object":"chat.completion.chunk","created":1700000000,'
        '"model":"some-model","system_fingerprint":"fp_0123456789","choices":[{"index":0,'
        '"delta":{"content":"Hi"},"logprobs":null,"finish_reason":null}]}\n\n'
    )


def test_the_first_frame_gives_the_role_and_empty_content() -> None:
    (chunk,) = written(ChunkWriter(STAMP, UsageForm.ON_FINISH).role(2))
    assert chunk["choices"] == [
        {
            "index": 2,
            "delta": {"role": "assistant", "content": ""},
            "logprobs": None,
            "finish_reason": None,
        }
    ]


def test_logprobs_go_with_their_delta() -> None:
    said = {"content": [{"token": "a"}]}
    (chunk,) = written(ChunkWriter(STAMP, UsageForm.ON_FINISH).delta({}, logprobs=said))
    assert chunk["choices"][0]["logprobs"] == said


FINISH = {"index": 0, "delta": {}, "logprobs": None, "finish_reason": "stop"}


def test_usage_with_the_finish_reason_by_default() -> None:
    writer = ChunkWriter(STAMP, UsageForm.ON_FINISH)
    assert "usage" not in written(writer.delta({"content": "Hi"}))[0]
    end = writer.end({0: "stop"}, USAGE)
    assert written(end) == [{"choices": [FINISH], "usage": encode_usage(USAGE)}]
    assert end.endswith("\n\n" + DONE)


def test_usage_alone_in_one_more_chunk_where_it_was_asked_for() -> None:
    writer = ChunkWriter(STAMP, UsageForm.SEPARATE)
    assert written(writer.delta({"content": "Hi"}))[0]["usage"] is None
    assert written(writer.end({0: "stop"}, USAGE)) == [
        {"choices": [FINISH], "usage": None},
        {"choices": [], "usage": encode_usage(USAGE)},
    ]


def test_no_usage_where_none_is_wanted() -> None:
    writer = ChunkWriter(STAMP, UsageForm.NEVER)
    assert "usage" not in written(writer.delta({"content": "Hi"}))[0]
    assert written(writer.end({0: "stop"}, USAGE)) == [{"choices": [FINISH]}]


@pytest.mark.parametrize("form", UsageForm)
def test_a_finish_for_each_choice_and_usage_once(form: UsageForm) -> None:
    chunks = written(ChunkWriter(STAMP, form).end({1: "length", 0: "stop"}, USAGE))
    choices = [choice for chunk in chunks for choice in chunk["choices"]]
    assert [(choice["index"], choice["finish_reason"]) for choice in choices] == [
        (0, "stop"),
        (1, "length"),
    ]
    assert sum(bool(chunk.get("usage")) for chunk in chunks) == (form is not UsageForm.NEVER)


@pytest.mark.parametrize("form", UsageForm)
def test_the_tier_that_served_is_named_on_every_chunk(form: UsageForm) -> None:
    writer = ChunkWriter(STAMP, form)
    writer.served_by("priority")
    writer.served_by("default")
    chunks = written(writer.role() + writer.end({0: "stop"}, USAGE))
    assert {chunk["service_tier"] for chunk in chunks} == {"priority"}


@pytest.mark.parametrize("said", [None, True, False])
def test_the_form_is_what_include_usage_says(said: bool | None) -> None:
    assert UsageForm(said).value is said


def served_by(tier: str) -> ChunkWriter:
    writer = ChunkWriter(STAMP, UsageForm.ON_FINISH)
    writer.served_by(tier)
    return writer


def with_tier(tier: str) -> ChunkWriter:
    writer = ChunkWriter(STAMP, UsageForm.ON_FINISH)
    writer.served_by(tier)
    return writer


BREAKS = "a\x85b\u2028c\u2029d\ne\rf"


@pytest.mark.parametrize(
    "text",
    [
        ChunkWriter(STAMP, UsageForm.ON_FINISH).delta({"content": BREAKS}),
        ChunkWriter(STAMP._replace(model=BREAKS), UsageForm.ON_FINISH).delta({"content": "x"}),
        served_by(BREAKS).role(),
        error_frames(errors.worded(500, BREAKS)),
    ],
    ids=["delta", "head", "tier", "error"],
)
def test_no_frame_has_a_line_break_by_anybodys_rules(text: str) -> None:
    for frame in text.removesuffix("\n\n").split("\n\n"):
        assert len(frame.splitlines()) == 1
    assert BREAKS in str(frames(text)) or repr(BREAKS)[1:-1] in str(frames(text))


def test_an_error_is_one_frame_and_the_end() -> None:
    error, done = frames(error_frames(errors.truncated()))
    assert error == errors.truncated().envelope()
    assert done == "[DONE]"


def test_a_keep_alive_is_a_comment() -> None:
    assert KEEP_ALIVE == ": keep-alive\n\n"
