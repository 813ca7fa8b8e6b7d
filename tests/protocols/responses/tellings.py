"""Answers as calls on a Writer: scripted, random, or read from an upstream's events."""

from collections.abc import Callable, Iterable
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st

from xtrix.answer import (
    CallStart,
    Citation,
    Finish,
    FinishReason,
    Reader,
    ToolName,
    Usage,
    Writer,
)
from xtrix.errors import UpstreamError
from xtrix.prompt import Origin, Sealed
from xtrix.protocol import Answering, Clock, Request, Stamp, Translation
from xtrix.protocols.responses.writer import StreamWriter, WholeWriter
from xtrix.reasoning import Carrier
from xtrix.sse import Event

Json = dict[str, Any]
Step = tuple[str, tuple[Any, ...]]
"""A call on a Writer: its name and its arguments."""

TOKEN = "0c5a" * 8
STAMP = Stamp(TOKEN, 1_795_680_000, "claude-sonnet-4-5", "fp_0")
ORIGIN = Origin("anthropic", "claude-sonnet-4-5-20250929", "messages")
CARRIER = Carrier(b"secret", b"client")
USAGE = Usage(prompt=12, completion=7, cached=3, reasoning=2)
SEALED = Sealed({"type": "thinking", "thinking": "Well…", "signature": "EqQB/+=="}, ORIGIN)
STOP = Finish(FinishReason.STOP, USAGE)
LENGTH = Finish(FinishReason.LENGTH, USAGE)
FILTERED = Finish(FinishReason.FILTERED, USAGE)
REFUSED = Finish(FinishReason.REFUSED, USAGE)


def answering(clock: Clock | None = None, **fields: Any) -> Answering:
    """The answer to a request with `fields`."""
    body = {"model": STAMP.model, "input": "Hi", **fields}
    request = Request(body, b"", STAMP.model, stream=True)
    return Answering(request, STAMP, ORIGIN, CARRIER, clock=clock)


def step(name: str, *arguments: Any) -> Step:
    """One call."""
    return name, arguments


def tell(writer: Writer, steps: Iterable[Step]) -> None:
    """Makes the calls, `begin` first."""
    writer.begin(Usage(), None)
    for name, arguments in steps:
        getattr(writer, name)(*arguments)


def streamed(steps: Iterable[Step], of: Answering | None = None) -> str:
    """The frames of an answer."""
    writer = StreamWriter(of or answering())
    tell(writer, steps)
    return "".join(iter(writer.take, ""))


def whole(steps: Iterable[Step], of: Answering | None = None) -> Json:
    """The object of the same answer."""
    writer = WholeWriter(of or answering())
    tell(writer, steps)
    return writer.body()


def replay(
    reader: Callable[[Writer, Answering], Reader], events: Iterable[Event], of: Answering
) -> str:
    """The frames for an upstream's stream, with a Reader of any protocol. A stream that fails
    before it has begun has none.
    """
    writer = StreamWriter(of)
    stream = Translation(reader(writer, of), writer)
    frames = ""
    try:
        for event in events:
            if not stream.finished:
                frames += stream.feed(event)
        return frames if stream.finished else frames + stream.close()
    except UpstreamError as error:
        return frames + stream.fail(error) if frames else ""


def replay_whole(reader: Callable[[Writer, Answering], Reader], body: bytes, of: Answering) -> Json:
    """The object for an upstream's whole answer. Raises UpstreamError."""
    writer = WholeWriter(of)
    reader(writer, of).whole(body)
    return writer.body()


def call(
    name: str, *pieces: str, kind: str = "function", namespace: str | None = None
) -> list[Step]:
    """A call of a tool that is given `pieces`."""
    tool = ToolName(name, kind, namespace)  # type: ignore[arg-type]  # of the three kinds
    start = step("call", CallStart(f"toolu_{name}", tool))
    return [start, *(step("arguments", piece) for piece in pieces), step("call_end")]


# What hypothesis draws

STEADY = settings(derandomize=True, database=None, deadline=None)
"""The same examples every time, however slow the machine."""

TEXTS = st.text(min_size=1, max_size=12) | st.sampled_from(
    ["Hello", '"', "\\", "北京🙂", "\u2028", "\x85", "\n", "[DONE]", "data: x\n\n", "\ufffd"]
)
SEALEDS = st.sampled_from(
    [None, SEALED, Sealed({"type": "redacted_thinking", "data": "x/+="}, ORIGIN)]
)
LOGPROBS = st.sampled_from(
    [None, None, [{"token": "é", "bytes": [195, 169], "logprob": -0.5, "top_logprobs": []}]]
)
CITATIONS = st.lists(
    st.builds(
        Citation,
        st.just("https://a.test/?q=\u2028"),
        TEXTS,
        st.none() | st.integers(0, 3),
        st.none() | st.integers(3, 9),
    ),
    max_size=2,
)


@st.composite
def text_blocks(draw: Callable[[st.SearchStrategy[Any]], Any]) -> list[Step]:
    """Text of an upstream's block, or of an empty one."""
    steps = [step("text", draw(TEXTS), draw(LOGPROBS)) for _ in range(draw(st.integers(0, 4)))]
    return [*steps, step("text_end", draw(CITATIONS))]


@st.composite
def thoughts(draw: Callable[[st.SearchStrategy[Any]], Any]) -> list[Step]:
    """A block of reasoning."""
    texts = draw(st.lists(TEXTS, max_size=3))
    return [*(step("thinking", text) for text in texts), step("thinking_end", draw(SEALEDS))]


@st.composite
def calls(draw: Callable[[st.SearchStrategy[Any]], Any]) -> list[Step]:
    """A call of any kind of tool."""
    kind = draw(st.sampled_from(["function", "custom", "search"]))
    pieces = {
        "function": st.sampled_from([[], ['{"city":', '"Paris"}'], ['{"a":"\u2028"}'], ['{"a']]),
        "custom": st.lists(TEXTS, max_size=1),
        "search": st.sampled_from([[], ['{"query":', '"mail"}'], ["{"]]),
    }[kind]
    space = draw(st.sampled_from([None, "mcp__mail"])) if kind != "search" else None
    return call(
        draw(st.sampled_from(["look_up", "größe"])), *draw(pieces), kind=kind, namespace=space
    )


REFUSALS = st.lists(TEXTS, min_size=1, max_size=2).map(
    lambda texts: [step("refusal", text) for text in texts]
)
SEARCHES = st.just([step("search", ["mail", "post"], [{"url": "https://a.test", "title": "A"}])])
STEPS = st.lists(st.one_of(text_blocks(), thoughts(), calls(), REFUSALS, SEARCHES), max_size=6).map(
    lambda blocks: [each for block in blocks for each in block]
)
"""All calls of an answer but its last."""
FINISHES = st.sampled_from([STOP, LENGTH, FILTERED, REFUSED])
