"""A model's answer as Responses tells it: the events of a stream, or one `response`.

Both are told by the same machine; a whole answer is the object that its stream would have ended
with. Items are opened by what comes first in them and closed by what belongs to another, so a call
ends when it is known whether the limit cut it off.

    created in_progress item* (completed | incomplete | error failed) [DONE]

Source: openai-python 3.57.0, `ResponseStreamEvent`; openresponses.org, which wants `[DONE]` and the
nested form of `error` (both read 2026-11).
"""

from typing import Any

from xtrix import json
from xtrix.answer import CallStart, Citation, Finish, FinishReason, Usage
from xtrix.errors import ApiError, bad_response
from xtrix.prompt import Sealed
from xtrix.protocol import Answering
from xtrix.protocols.responses import frames as frame
from xtrix.protocols.responses.frames import Fragments, Frames
from xtrix.protocols.responses.output import (
    CALLS,
    COMPLETED,
    INCOMPLETE,
    Call,
    Compaction,
    Item,
    Message,
    Reasoning,
    SearchCall,
    WebSearch,
    joined,
)
from xtrix.protocols.responses.resource import Resource, State, tell_failure
from xtrix.protocols.responses.summary import seal_summary

Json = dict[str, Any]

_SOURCES = "web_search_call.action.sources"


class _Machine:
    """An answer on its way, item after item."""

    def __init__(self, of: Answering, frames: Frames) -> None:
        self.continues = False
        self.finish_reasons: tuple[str, ...] = ()
        self._of = of
        self._frames = frames
        self._resource = Resource(of.stamp, of.request.fields, is_kept=of.request.is_kept)
        self._tier: str | None = None
        self._item: Item | None = None
        """The open one."""
        self._output: list[Fragments] = []
        """Those that are whole."""
        self._call_ids: set[str] = set()
        self._has_refused = False
        self._final: Fragments = []
        """The response as it ended."""

    @property
    def sequence(self) -> int | None:
        """As `Writer` has it."""
        return self._frames.number if self._frames.number >= 0 else None

    def begin(self, usage: Usage, service_tier: str | None) -> None:
        """The response is there, and has nothing in it."""
        del usage
        self._tier = service_tier
        response = self._resource.fragments(State(service_tier=service_tier))
        self._frames.tell("response.created", ',"response":', *response)
        self._frames.tell("response.in_progress", ',"response":', *response)

    def text(self, text: str, logprobs: list[Json] | None = None) -> None:
        """A piece of the message."""
        before = self._frames.number
        self._message().text(text, logprobs)
        self.continues = self._frames.number == before + 1 and not logprobs

    def text_end(self, citations: list[Citation]) -> None:
        """The sources of what was said. The message goes on until something else begins."""
        self.continues = False
        if isinstance(self._item, Message):
            self._item.cite(citations)

    def thinking(self, text: str) -> None:
        """A piece of a summary."""
        before = self._frames.number
        self._reasoning().text(text)
        self.continues = self._frames.number == before + 1

    def thinking_end(self, sealed: Sealed | None) -> None:
        """The item of a block of reasoning is whole; one that says nothing is none."""
        self.continues = False
        if sealed:
            origin = sealed.origin or self._of.origin
            self._reasoning().encrypted = self._of.carrier.pack(Sealed(sealed.value, origin))
        if isinstance(self._item, Reasoning):
            self._close()

    def call(self, call: CallStart) -> None:
        """A call begins. One without an id of its own gets one: openai-python bears no id twice."""
        self._close()
        self.continues = False
        index = len(self._output)
        token = self._of.stamp.token
        if not call.id or call.id in self._call_ids:
            call = call._replace(id=f"call_{token}_{index}")
        self._call_ids.add(call.id)
        self._item = CALLS[call.tool.kind](self._frames, token, index, call)

    def arguments(self, text: str) -> None:
        """A piece of what the open call is given."""
        assert isinstance(self._item, Call | SearchCall)
        before = self._frames.number
        self._item.arguments(text)
        self.continues = self._frames.number == before + 1

    def call_end(self) -> None:
        """What comes next says whether the call is whole."""
        self.continues = False

    def refusal(self, text: str) -> None:
        """A piece of the message that says why there is no other."""
        self._message().refuse(text)
        self._has_refused = True
        self.continues = False

    def search(self, queries: list[str], sources: list[Json]) -> None:
        """A search, from its beginning to its end."""
        self._close()
        self.continues = False
        query = queries[0] if queries else ""
        action: Json = {"type": "search", "query": query, "queries": queries}
        if _SOURCES in (self._of.request.fields.get("include") or ()):
            action["sources"] = [{"type": "url", "url": source["url"]} for source in sources]
        self._item = WebSearch(self._frames, self._of.stamp.token, len(self._output), action)
        self._close()

    def end(self, finish: Finish) -> None:
        """The response is whole, or as whole as it will be."""
        self.continues = False
        if finish.reason is FinishReason.REFUSED and not self._has_refused:
            self.refusal(_REFUSAL)
        reason = _REASONS.get(finish.reason)
        if finish.reason is FinishReason.FILTERED and self._has_refused:
            reason = None
        status = INCOMPLETE if reason else COMPLETED
        self.finish_reasons = (reason or "stop",)
        self._close(status)
        clock = self._of.clock
        state = State(
            status,
            joined(self._output),
            finish.usage,
            finish.service_tier or self._tier,
            completed_at=int(clock.now) if clock and not reason else None,
            incomplete=reason,
        )
        self._final = self._resource.fragments(state)
        self._frames.tell(f"response.{status}", ',"response":', *self._final)
        self._frames.done()

    def moved(self, count: int, text: str) -> None:
        """As `Writer` has it."""
        assert self._item is not None
        assert self._item.growing is not None
        self._item.growing.body.add(text)
        self._frames.number += count

    def _message(self) -> Message:
        """The open message, which there is from now on."""
        if not isinstance(self._item, Message):
            self._close()
            self._item = Message(self._frames, self._of.stamp.token, len(self._output))
        return self._item

    def _reasoning(self) -> Reasoning:
        """The open item of reasoning, which there is from now on."""
        if not isinstance(self._item, Reasoning):
            self._close()
            self._item = Reasoning(self._frames, self._of.stamp.token, len(self._output))
        return self._item

    def _close(self, status: str = COMPLETED) -> None:
        if self._item:
            self._output.append(self._item.close(status))
            self._item = None


_REFUSAL = "The model refused to answer."
"""What stands for its words where a model refuses without any. Without them it would be an answer
that is cut off, which Codex asks for five times more (observed with 0.169)."""
_REASONS = {FinishReason.LENGTH: "max_output_tokens", FinishReason.FILTERED: "content_filter"}
"""Why an answer is not whole."""


class StreamWriter(_Machine):
    """Writes the events of one response."""

    keep_alive = frame.KEEP_ALIVE

    def __init__(self, of: Answering) -> None:
        super().__init__(of, Frames())

    def take(self) -> str:
        """As `StreamWriter` has it."""
        return self._frames.take()

    @property
    def waits(self) -> bool:
        """As `StreamWriter` has it."""
        return self._frames.waits

    def fail(self, error: ApiError) -> None:
        """As `StreamWriter` has it."""
        self.continues = False
        state = State(output=joined(self._output), service_tier=self._tier)
        tell_failure(self._frames, self._resource, state, error)


class WholeWriter(_Machine):
    """Writes one response."""

    def __init__(self, of: Answering) -> None:
        super().__init__(of, Frames(wanted=False))

    def body(self) -> Json:
        """The object, once the answer has ended."""
        return json.decode_object(frame.as_bytes(self._final))


class _Summary:
    """Takes the place of what a `_Machine` is told: its text is a summary, and the only item."""

    _of: Answering
    _frames: Frames
    _item: Item | None

    def __init__(self, of: Answering) -> None:
        super().__init__(of)  # type: ignore[call-arg]  # a machine's
        self._pieces: list[str] = []

    def text(self, text: str, logprobs: list[Json] | None = None) -> None:
        """More of the summary."""
        del logprobs
        self._pieces.append(text)

    def end(self, finish: Finish) -> None:
        """The summary is whole. Raises UpstreamError where it is not."""
        if finish.reason is not FinishReason.STOP or not self._pieces:
            raise bad_response("it is no whole summary")
        of = self._of
        packed = of.carrier.pack(seal_summary("".join(self._pieces), of.origin))
        self._item = Compaction(self._frames, of.stamp.token, packed)
        super().end(finish)  # type: ignore[misc]  # a machine's

    def text_end(self, citations: list[Citation]) -> None:
        """The end of a text. A summary has no sources to tell of."""

    def thinking(self, text: str) -> None:
        """Reasoning is left out of a summary."""

    def thinking_end(self, sealed: Sealed | None) -> None:
        """Reasoning is left out of a summary."""

    def call(self, call: CallStart) -> None:
        """There are no tools to call."""

    def arguments(self, text: str) -> None:
        """There are no tools to call."""

    def call_end(self) -> None:
        """There are no tools to call."""

    def refusal(self, text: str) -> None:
        """What is refused is no summary."""

    def search(self, queries: list[str], sources: list[Json]) -> None:
        """A search is left out of a summary."""


class SummaryStreamWriter(_Summary, StreamWriter):
    """Writes the events of a response that sums a conversation up."""


class SummaryWholeWriter(_Summary, WholeWriter):
    """Writes such a response."""
