"""Passes requests and answers on between a client and an upstream that both speak Responses.

The model's name and the response's id are replaced, and nothing is stored upstream. All clients
share the upstream's account, so with the upstream's ids one client could read what another has
stored. Encrypted reasoning is put into an envelope that says whose it is. If it comes back to
another provider, it is left out, because OpenAI refuses a request with something that it cannot
decrypt.

Source: developers.openai.com/api/docs/guides/reasoning and openai-python 3.57.0 (read 2026-11).
"""

import re
from typing import Any

from xtrix import json
from xtrix.answer import Served, Usage, served_by
from xtrix.errors import ApiError, bad_response, truncated, unsupported
from xtrix.openai.calls import post
from xtrix.openai.errors import error_of
from xtrix.prompt import Sealed
from xtrix.protocol import Answering, Encoded, Request, Whole, says_something
from xtrix.protocols.responses.encode import take_out
from xtrix.protocols.responses.encode_blocks import PROTOCOL
from xtrix.protocols.responses.frames import DONE, KEEP_ALIVE, Frames
from xtrix.protocols.responses.reader import LIFECYCLE, TERMINAL, advances, failure_of
from xtrix.protocols.responses.resource import Resource, State, tell_failure
from xtrix.protocols.responses.schema import item_kind
from xtrix.protocols.responses.summary import summary_in
from xtrix.protocols.responses.usage import decode_usage
from xtrix.providers import Target
from xtrix.reasoning import Carrier, is_packed
from xtrix.redact import word
from xtrix.sse import Event
from xtrix.upstream import decode_answer, decode_event

Json = dict[str, Any]

_ENCRYPTED = "reasoning.encrypted_content"
_OF_ANSWERS = {"store", "include", "stream", "stream_options"}
COMPACT = "/compact"
"""The path for summaries of a conversation, below that of the protocol's calls."""
_OUR_ID = re.compile(r"[a-z]+_[0-9a-f]{32}_[0-9]+")
_ITEMS = {"response.output_item.added", "response.output_item.done"}
_DELTAS = {
    *("response.output_text.delta", "response.reasoning_summary_text.delta"),
    *("response.function_call_arguments.delta", "response.custom_tool_call_input.delta"),
    *("response.reasoning_text.delta", "response.refusal.delta"),
}
_REASONS = {"max_output_tokens", "content_filter", "max_messages", "steered"}


def relay_request(request: Request, target: Target, carrier: Carrier) -> Encoded:
    """`request` for `target`. Raises ClientError."""
    fields = request.fields
    body: Json = {**fields, "store": False}
    if body.get("previous_response_id"):
        del body["previous_response_id"]  # the conversation before it is in the input
    body["include"] = list(dict.fromkeys([*(fields.get("include") or ()), _ENCRYPTED]))
    if request.stream and target.provider.quirks.obfuscation:
        body["stream_options"] = {"include_obfuscation": False} | (body.get("stream_options") or {})
    return _encoded(body, target, carrier)


def relay_compaction_request(request: Request, target: Target, carrier: Carrier) -> Encoded:
    """`request` for a summary by a target that can make one. Raises ClientError.

    Such a request cannot store or stream anything, so these fields are left out.
    """
    fields = request.fields
    body = {name: value for name, value in fields.items() if name not in _OF_ANSWERS}
    return _encoded(body, target, carrier, COMPACT)


def _encoded(fields: Json, target: Target, carrier: Carrier, path: str = "") -> Encoded:
    """The request with `fields`, at `path` below that of the protocol's calls."""
    quirks = target.provider.quirks
    body: Json = {**fields, "model": target.model}
    ignored: set[str] = set()
    if isinstance(fields.get("input"), list):
        items = _Items(target, carrier)
        body["input"] = items.encode(fields["input"])
        ignored = items.ignored
    if not quirks.client_metadata:
        body.pop("client_metadata", None)
    for name, theirs in quirks.rename.items():
        if name in body:
            body[theirs] = body.pop(name)
    ignored |= {name for name in quirks.drop if says_something(name, take_out(body, name))}
    call = post(target.provider, f"/responses{path}", json.encode_body(body))
    return Encoded(call, tuple(sorted(ignored)))


class _Items:
    """Encodes a client's items for one target."""

    def __init__(self, target: Target, carrier: Carrier) -> None:
        self.ignored: set[str] = set()
        self._provider = target.provider.name
        self._carrier = carrier

    def encode(self, items: list[Json]) -> list[Json]:
        """The items that the upstream can read. Raises ClientError."""
        encoded = (self._item(item, index) for index, item in enumerate(items))
        return [item for item in encoded if item is not None]

    def _item(self, item: Json, index: int) -> Json | None:
        item_id = item.get("id")
        if isinstance(item_id, str) and _OUR_ID.fullmatch(item_id):
            item = {name: value for name, value in item.items() if name != "id"}
        packed = item.get("encrypted_content")
        kind = item_kind(item)
        if is_packed(packed):
            return self._opened(item, kind, index)
        if kind == "reasoning" and not packed and not item.get("content"):
            return None  # it refers to something that no upstream has stored
        return item

    def _opened(self, item: Json, kind: str, index: int) -> Json | None:
        """`item` with its issuer's own encrypted content; None for another issuer's."""
        sealed = self._carrier.open(item["encrypted_content"])
        origin = sealed.origin if sealed else None
        summary = summary_in(sealed) if kind == "compaction" else None
        if summary is not None:
            return {"type": "message", "role": "user", "content": summary}
        if sealed and origin and (origin.provider, origin.protocol) == (self._provider, PROTOCOL):
            theirs = sealed.value.get("encrypted_content")
            if isinstance(theirs, str):
                return {**item, "encrypted_content": theirs}
        if kind == "compaction":
            why = "only the provider that has summed the conversation up can read it."
            raise unsupported(f"input[{index}].encrypted_content", why, value=True)
        self.ignored.add(f"input.{kind}")
        return None


class _Answer:
    """What is changed in whole and streamed answers."""

    def __init__(self, of: Answering) -> None:
        self.usage = Usage()
        self.served: Served = {}
        self.unknown_stop_reason: str | None = None
        self.finish_reasons: tuple[str, ...] = ()
        self._of = of

    def response(self, response: object) -> Json:
        """The upstream's object in the client's form. Raises UpstreamError."""
        if not isinstance(response, dict):
            raise bad_response("an event without its response")
        stamp, clock = self._of.stamp, self._of.clock
        fields = self._of.request.fields
        ours: Json = {"id": f"resp_{stamp.token}", "model": stamp.model}
        ours["store"] = self._of.request.is_kept
        if previous := fields.get("previous_response_id"):
            ours["previous_response_id"] = previous
        if clock and response.get("status") == "completed" and response.get("completed_at") is None:
            ours["completed_at"] = int(clock.now)
        output = response.get("output")
        if isinstance(output, list):
            ours["output"] = [self.item(item) for item in output]
        self.usage = decode_usage(response.get("usage")) or self.usage
        self.served = served_by(response.get("service_tier")) or self.served
        return {**response, **ours}

    def item(self, item: object) -> object:
        """An item, with its encrypted content in our envelope."""
        packed = item.get("encrypted_content") if isinstance(item, dict) else None
        if not isinstance(item, dict) or not isinstance(packed, str):
            return item
        value = {"type": item.get("type"), "encrypted_content": packed}
        sealed = Sealed(value, self._of.origin)
        return {**item, "encrypted_content": self._of.carrier.pack(sealed)}

    def end(self, response: Json) -> None:
        """Notes why the response ended."""
        details = response.get("incomplete_details")
        reason = details.get("reason") if isinstance(details, dict) else None
        is_cut = response.get("status") == "incomplete"
        self.finish_reasons = (word(reason) if is_cut else "stop",)
        if is_cut and reason not in _REASONS:
            self.unknown_stop_reason = word(reason)


class StreamRelay:
    """One stream.

    Its first events wait for the first item, because until then an error sets the status.
    """

    keep_alive = KEEP_ALIVE

    def __init__(self, of: Answering) -> None:
        self.finished = False
        self.lone_text: str | None = None
        self.advances = False
        self.sequence: int | None = None
        self._of = of
        self._answer = _Answer(of)
        self._held: dict[str, str] = {}
        """The first event of each kind that only announces the response."""
        self._begun = False
        self._last = Frames()
        """The events of a failure. They repeat the request's tools, which may be long."""

    @property
    def usage(self) -> Usage:
        """See `Stream`."""
        return self._answer.usage

    @property
    def served(self) -> Served:
        """As `Stream` has it."""
        return self._answer.served

    @property
    def unknown_stop_reason(self) -> str | None:
        """See `Stream`."""
        return self._answer.unknown_stop_reason

    @property
    def finish_reasons(self) -> tuple[str, ...]:
        """As `Stream` has it."""
        return self._answer.finish_reasons

    @property
    def waits(self) -> bool:
        """As `Stream` has it."""
        return self._last.waits

    def more(self) -> str:
        """As `Stream` has it."""
        return self._last.take()

    def feed(self, event: Event) -> str:
        """The client's events for `event`. Raises UpstreamError."""
        self.lone_text = None
        self.advances = False
        if self.finished or not event.data.strip():
            return ""
        if event.data == "[DONE]":
            raise truncated()
        payload = decode_event(event.data)
        kind = payload.get("type") or event.name
        if not isinstance(kind, str) or len(kind.split()) != 1:
            raise bad_response("an event without a type")
        frame = self._frame(payload, kind, event.data)
        self.advances = advances(kind, payload)
        if self._begun:
            return frame
        if not self.advances:
            if kind in LIFECYCLE:
                self._held.setdefault(kind, frame)
            return ""  # a ping; nothing is sent before the beginning
        held = "".join(self._held.values())
        self._held.clear()
        self._begun = True
        return held + frame

    def close(self) -> str:
        """Nothing. Raises UpstreamError if the response has not ended."""
        if not self.finished:
            raise truncated()
        return ""

    def fail(self, error: ApiError) -> str:
        """The last events of a stream that cannot go on."""
        self._last.number = -1 if self.sequence is None else self.sequence
        asked = self._of.request
        resource = Resource(self._of.stamp, asked.fields, is_kept=asked.is_kept)
        tell_failure(self._last, resource, State(), error)
        self.lone_text = None
        return self._last.take()

    def moved(self, count: int, text: str) -> None:
        """See `Stream`."""
        if self.sequence is not None:
            self.sequence += count

    def _frame(self, payload: Json, kind: str, data: str) -> str:
        """The client's form of an event, with [DONE] after the last. Raises UpstreamError."""
        if kind == "error" or (payload.get("error") and not kind.startswith("response.")):
            raise error_of(payload.get("error") or payload)
        changed = self._changed(payload, kind)
        number = payload.get("sequence_number")
        if type(number) is int:
            self.sequence = number
        if kind in _DELTAS and isinstance(payload.get("delta"), str):
            self.lone_text = json.encode(payload["delta"])
        is_plain = changed is payload and "\n" not in data
        text = json.one_line(data) if is_plain else json.encode_line(changed)
        return f"event: {kind}\ndata: {text}\n\n" + (DONE if self.finished else "")

    def _changed(self, payload: Json, kind: str) -> Json:
        """The event with the gateway's changes; the same object if there are none."""
        if kind in LIFECYCLE or kind in TERMINAL:
            if failure := failure_of(payload.get("response"), TERMINAL.get(kind)):
                raise failure
            response = self._answer.response(payload.get("response"))
            if kind in TERMINAL:
                self._answer.end(response)
                self.finished = True
            return {**payload, "response": response}
        if kind in _ITEMS:
            item = self._answer.item(payload.get("item"))
            return payload if item is payload.get("item") else {**payload, "item": item}
        return payload


def relay_whole(body: bytes, of: Answering) -> Whole:
    """The client's form of a whole answer. Raises UpstreamError."""
    theirs = decode_answer(body)
    if failure := failure_of(theirs):
        raise failure
    if not isinstance(theirs.get("output"), list):
        raise bad_response("no output")
    answer = _Answer(of)
    response = answer.response(theirs)
    answer.end(response)
    return Whole(
        json.encode_body(response),
        answer.usage,
        answer.unknown_stop_reason,
        answer.finish_reasons,
        answer.served,
    )


def relay_compaction(body: bytes, of: Answering) -> Whole:
    """The client's form of a summary that the upstream has made. Raises UpstreamError."""
    theirs = decode_answer(body)
    if failure := failure_of(theirs):
        raise failure
    output = theirs.get("output")
    items = output if isinstance(output, list) else []
    if not any(isinstance(item, dict) and item.get("type") == "compaction" for item in items):
        error = bad_response("nothing is summed up in it")
        error.knows_no_such_call = True
        raise error
    answer = _Answer(of)
    ours = {"id": f"resp_{of.stamp.token}", "output": [answer.item(item) for item in items]}
    usage = decode_usage(theirs.get("usage")) or Usage()
    encoded = json.encode_body({**theirs, **ours})
    return Whole(encoded, usage, served=served_by(theirs.get("service_tier")))


def without_reasoning(request: Request) -> Request:
    """`request` without the reasoning of earlier answers, whoever issued it."""
    given = request.fields.get("input")
    if not isinstance(given, list):
        return request
    items = [it for it in given if not (isinstance(it, dict) and it.get("type") == "reasoning")]
    fields = {**request.fields, "input": items}
    return request._replace(fields=fields, body=json.encode_body(fields))
