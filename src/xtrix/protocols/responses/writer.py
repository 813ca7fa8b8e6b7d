"""Writes a model's answer in Responses: the events of a stream, or one `response`.

One state machine writes both; a whole answer is the object with which its stream would have ended.
An item begins with its first content, and ends when something belongs to another item. So a call
ends only when it is known whether the limit cut it off.

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
    """Writes an answer, item after item."""

    def __init__(self, of: Answering, frames: Frames) -> None:
        self.continues = False
        self.finish_reasons: tuple[str, ...] = ()
        self._of = of
        self._frames = frames
        self._resource = Resource(of.stamp, of.request.fields, is_kept=of.request.is_kept)
        self._tier: str | None = None
        self._item: Item | None = None
        """The open item."""
        self._output: list[Fragments] = []
        """The finished items."""
        self._call_ids: set[str] = set()
        self._has_refused = False
        self._final: Fragments = []
        """The response at its end."""

    @property
    def sequence(self) -> int | None:
        """See `Writer`."""
        return self._frames.number if self._frames.number >= 0 else None

    def begin(self, usage: Usage, service_tier: str | None) -> None:
        """Writes the response, which is still empty."""
        del usage
        self._tier = service_tier
        response = self._resource.fragments(State(service_tier=service_tier))
        self._frames.tell("response.created", ',"response":', *response)
        self._frames.tell("response.in_progress", ',"response":', *response)

    def text(self, text: str, logprobs: list[Json] | None = None) -> None:
        """Writes a piece of the message."""
        before = self._frames.number
        self._message().text(text, logprobs)
        self.continues = self._frames.number == before + 1 and not logprobs

    def text_end(self, citations: list[Citation]) -> None:
        """Adds the sources of the text. The message continues until something else begins."""
        self.continues = False
        if isinstance(self._item, Message):
            self._item.cite(citations)

    def thinking(self, text: str) -> None:
        """Writes a piece of a summary."""
        before = self._frames.number
        self._reasoning().text(text)
        self.continues = self._frames.number == before + 1

    def thinking_end(self, sealed: Sealed | None) -> None:
        """Ends the item of a block of reasoning. An empty one is left out."""
        self.continues = False
        if sealed:
            origin = sealed.origin or self._of.origin
            self._reasoning().encrypted = self._of.carrier.pack(Sealed(sealed.value, origin))
        if isinstance(self._item, Reasoning):
            self._close()

    def call(self, call: CallStart) -> None:
        """Begins a call.

        Every call gets an id of its own: openai-python fails if one comes twice.
        """
        self._close()
        self.continues = False
        index = len(self._output)
        token = self._of.stamp.token
        if not call.id or call.id in self._call_ids:
            call = call._replace(id=f"call_{token}_{index}")
        self._call_ids.add(call.id)
        self._item = CALLS[call.tool.kind](self._frames, token, index, call)

    def arguments(self, text: str) -> None:
        """Writes a piece of the open call's arguments."""
        assert isinstance(self._item, Call | SearchCall)
        before = self._frames.number
        self._item.arguments(text)
        self.continues = self._frames.number == before + 1

    def call_end(self) -> None:
        """Nothing yet: what comes next shows whether the call is whole."""
        self.continues = False

    def refusal(self, text: str) -> None:
        """Writes a piece of the message that says why the model refuses."""
        self._message().refuse(text)
        self._has_refused = True
        self.continues = False

    def search(self, queries: list[str], sources: list[Json]) -> None:
        """Writes a search, from its beginning to its end."""
        self._close()
        self.continues = False
        query = queries[0] if queries else ""
        action: Json = {"type": "search", "query": query, "queries": queries}
        if _SOURCES in (self._of.request.fields.get("include") or ()):
            action["sources"] = [{"type": "url", "url": source["url"]} for source in sources]
        self._item = WebSearch(self._frames, self._of.stamp.token, len(self._output), action)
        self._close()

    def end(self, finish: Finish) -> None:
        """Writes the end of the response."""
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
        """See `Writer`."""
        assert self._item is not None
        assert self._item.growing is not None
        self._item.growing.body.add(text)
        self._frames.number += count

    def _message(self) -> Message:
        """The open message; begins one if there is none."""
        if not isinstance(self._item, Message):
            self._close()
            self._item = Message(self._frames, self._of.stamp.token, len(self._output))
        return self._item

    def _reasoning(self) -> Reasoning:
        """The open item of reasoning; begins one if there is none."""
        if not isinstance(self._item, Reasoning):
            self._close()
            self._item = Reasoning(self._frames, self._of.stamp.token, len(self._output))
        return self._item

    def _close(self, status: str = COMPLETED) -> None:
        if self._item:
            self._output.append(self._item.close(status))
            self._item = None


_REFUSAL = "The model refused to answer."
"""The text if a model refuses without saying why. Without it the answer would look cut off, and
Codex would ask five times more (observed with 0.169)."""
_REASONS = {FinishReason.LENGTH: "max_output_tokens", FinishReason.FILTERED: "content_filter"}
"""Why an answer is incomplete."""


class StreamWriter(_Machine):
    """Writes the events of one response."""

    keep_alive = frame.KEEP_ALIVE

    def __init__(self, of: Answering) -> None:
        super().__init__(of, Frames())

    def take(self) -> str:
        """See `StreamWriter`."""
        return self._frames.take()

    @property
    def waits(self) -> bool:
        """See `StreamWriter`."""
        return self._frames.waits

    def fail(self, error: ApiError) -> None:
        """See `StreamWriter`."""
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
    """Writes an answer whose text is a summary: its only item."""

    _of: Answering
    _frames: Frames
    _item: Item | None

    def __init__(self, of: Answering) -> None:
        super().__init__(of)  # type: ignore[call-arg]  # a machine's
        self._pieces: list[str] = []

    def text(self, text: str, logprobs: list[Json] | None = None) -> None:
        """Adds to the summary."""
        del logprobs
        self._pieces.append(text)

    def end(self, finish: Finish) -> None:
        """Ends the summary. Raises UpstreamError if it is not whole."""
        if finish.reason is not FinishReason.STOP or not self._pieces:
            raise bad_response("it is no whole summary")
        of = self._of
        packed = of.carrier.pack(seal_summary("".join(self._pieces), of.origin))
        self._item = Compaction(self._frames, of.stamp.token, packed)
        super().end(finish)  # type: ignore[misc]  # a machine's

    def text_end(self, citations: list[Citation]) -> None:
        """Nothing to write: a summary has no sources."""

    def thinking(self, text: str) -> None:
        """Left out of a summary."""

    def thinking_end(self, sealed: Sealed | None) -> None:
        """Left out of a summary."""

    def call(self, call: CallStart) -> None:
        """Never called: there are no tools."""

    def arguments(self, text: str) -> None:
        """Never called: there are no tools."""

    def call_end(self) -> None:
        """Never called: there are no tools."""

    def refusal(self, text: str) -> None:
        """Left out: a refusal is not a summary."""

    def search(self, queries: list[str], sources: list[Json]) -> None:
        """Left out of a summary."""


class SummaryStreamWriter(_Summary, StreamWriter):
    """Writes the events of a response that sums a conversation up."""


class SummaryWholeWriter(_Summary, WholeWriter):
    """Writes such a response."""
