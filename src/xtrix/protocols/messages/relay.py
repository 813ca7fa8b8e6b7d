"""Passes requests and answers on between a client and an upstream that both speak Messages.

Only the model's name and the headers are replaced, and the few things added that upstreams other
than Anthropic leave out of a stream. If this gateway has put something into the conversation for
providers of other protocols, no upstream of Messages could read it. It is left out, and only then
is a body written anew.

An event is passed on whole or not at all. A part of one would be joined to the text after it.

Source: platform.claude.com/docs/en/api/messages, …/versioning and …/beta-headers (read 2026-11).
"""

from collections.abc import Callable

from xtrix import json
from xtrix.answer import Served, Usage
from xtrix.errors import ApiError, Headers, bad_response, truncated
from xtrix.http import UpstreamRequest
from xtrix.prompt import Json
from xtrix.protocol import Answering, Encoded, Request, Whole
from xtrix.protocols.messages.answer import (
    advances,
    decode_served,
    decode_usage,
    encode_usage,
    unknown_reason,
)
from xtrix.protocols.messages.errors import error_frame, error_of
from xtrix.protocols.messages.extensions import BETA_HEADER
from xtrix.protocols.messages.frames import PING, frame, frame_of
from xtrix.protocols.messages.headers import headers_of
from xtrix.protocols.messages.identity import with_model
from xtrix.protocols.messages.ours import has_foreign_thinking, without_ours
from xtrix.providers import Provider, Target
from xtrix.reasoning import Carrier
from xtrix.redact import word
from xtrix.sse import Event
from xtrix.upstream import decode_answer, decode_event, member

VERSION_HEADER = "anthropic-version"


def relay_request(request: Request, target: Target, carrier: Carrier) -> Encoded:
    """`request` for `target`, which speaks the same protocol."""
    return _relayed(request, target, "messages")


def relay_count(request: Request, target: Target) -> Encoded:
    """The request to count tokens at `target`, which speaks the same protocol."""
    return _relayed(request, target, "messages/count_tokens")


def relay_whole(body: bytes, of: Answering) -> Whole:
    """A whole answer as it came, except for the model's name. Raises UpstreamError."""
    answer = decode_answer(body)
    kind = answer.get("type")
    if kind != "message" and (kind == "error" or answer.get("error")):
        raise error_of(answer.get("error"))
    if kind != "message" or not isinstance(answer.get("content"), list):
        raise bad_response("not a message")
    counts = answer.get("usage")
    usage = counts if isinstance(counts, dict) else {}
    return Whole(
        with_model(body, answer, of.stamp.model),
        decode_usage(usage),
        unknown_reason(answer.get("stop_reason")),
        _finish_reasons(answer.get("stop_reason")),
        decode_served(usage),
    )


class RelayStream:
    """One stream that is passed on."""

    keep_alive = PING
    waits = False

    def __init__(self, of: Answering) -> None:
        self.finished = False
        self.usage = Usage()
        self.unknown_stop_reason: str | None = None
        self.lone_text: str | None = None
        self.advances = False
        self.sequence: int | None = None
        self._of = of
        self._begun = False
        self._stop_reason: object = None
        self._counts: Json = {}

    @property
    def served(self) -> Served:
        """As `Stream` has it."""
        return decode_served(self._counts)

    @property
    def finish_reasons(self) -> tuple[str, ...]:
        """As `Stream` has it."""
        return _finish_reasons(self._stop_reason)

    def more(self) -> str:
        """Nothing: `feed` returns all events at once."""
        return ""

    def feed(self, event: Event) -> str:
        """See `Stream`. Raises UpstreamError."""
        self.lone_text = None
        self.advances = False
        if event.data == "[DONE]":
            return ""  # not of this protocol, but some servers send it at the end
        value = decode_event(event.data)
        kind = value.get("type")
        kind = kind if isinstance(kind, str) else event.name
        if "error" in {kind, event.name} or ("type" not in value and value.get("error")):
            raise error_of(value.get("error", value))
        self.advances = advances(kind, value)
        # Clients ignore an event without a name.
        name = kind if event.name == "message" else event.name
        if "\n" in name or "\r" in name:
            raise bad_response("an event whose type is no word")
        return self._forward(kind, value, frame_of(name, event.data))

    def close(self) -> str:
        """See `Stream`. Raises UpstreamError if the stop reason has not come."""
        if not self._begun or not self._stop_reason:
            raise truncated()
        self.finished = True
        return frame({"type": "message_stop"})

    def fail(self, error: ApiError) -> str:
        """See `Stream`."""
        return error_frame(error, self._of.stamp.request_id)

    def moved(self, count: int, text: str) -> None:
        """See `Stream`. What the fast path has written changes nothing here."""

    def _forward(self, kind: str, value: Json, came: str) -> str:
        """The text to send for an event that `came` in this form."""
        take = _EVENTS.get(kind)
        if kind == "message_start":
            return self._start(value, came)
        if self._begun:
            return take(self, value, came) if take else came
        if take is None:
            return ""  # a ping; nothing is sent before the beginning
        # llama.cpp leaves `message_start` out when the first character takes several tokens
        # (its server of 2026-10, observed).
        return self._start(self._beginning(), "") + take(self, value, came)

    def _beginning(self) -> Json:
        message: Json = {"id": f"msg_{self._of.stamp.token}", "type": "message"}
        message |= {"role": "assistant", "content": [], "stop_reason": None, "stop_sequence": None}
        return {"type": "message_start", "message": message}

    def _start(self, value: Json, came: str) -> str:
        if self._begun:
            return ""  # Kimi's have been seen to come dozens of times
        message = member(value, "message")
        self._begun = True
        mended = {**message, "model": self._of.stamp.model}
        if not isinstance(message.get("usage"), dict):
            mended["usage"] = {"input_tokens": 0, "output_tokens": 0}
        self._merge(mended["usage"])
        return came if mended == message else frame({**value, "message": mended})

    def _delta(self, value: Json, came: str) -> str:
        delta = member(value, "delta")
        text = delta.get(_TEXT_MEMBERS.get(str(delta.get("type")), ""))
        if isinstance(text, str):
            self.lone_text = json.encode(text)
        return came

    def _message_delta(self, value: Json, came: str) -> str:
        delta = member(value, "delta")
        self._stop_reason = delta.get("stop_reason") or self._stop_reason
        self.unknown_stop_reason = unknown_reason(self._stop_reason)
        if isinstance(value.get("usage"), dict):
            self._merge(value["usage"])
            return came
        # Both SDKs fail without usage.
        return frame({**value, "usage": encode_usage(self.usage)})

    def _stop(self, value: Json, came: str) -> str:
        self.finished = True
        self.unknown_stop_reason = unknown_reason(self._stop_reason)
        return came

    def _pass(self, value: Json, came: str) -> str:
        return came

    def _merge(self, usage: Json) -> None:
        self._counts |= {name: count for name, count in usage.items() if count is not None}
        self.usage = decode_usage(self._counts)


_EVENTS: dict[str, Callable[[RelayStream, Json, str], str]] = {
    "content_block_start": RelayStream._pass,
    "content_block_delta": RelayStream._delta,
    "content_block_stop": RelayStream._pass,
    "message_delta": RelayStream._message_delta,
    "message_stop": RelayStream._stop,
}
_TEXT_MEMBERS = {
    "text_delta": "text",
    "thinking_delta": "thinking",
    "input_json_delta": "partial_json",
}


def _finish_reasons(stop_reason: object) -> tuple[str, ...]:
    return (word(stop_reason),) if stop_reason else ()


def _relayed(request: Request, target: Target, path: str) -> Encoded:
    provider = target.provider
    fields = without_ours(request.fields)
    ignored: tuple[str, ...] = ()
    if fields is None:
        body = with_model(request.body, request.fields, target.model)
    else:
        body = json.encode_body({**fields, "model": target.model})
        ignored = ("messages.thinking",) if has_foreign_thinking(request.fields) else ()
    return Encoded(
        UpstreamRequest(
            url=f"{provider.base_url}/{path}",
            headers=_headers(provider, request),
            body=body,
            binding=provider.binding,
        ),
        ignored,
    )


def _headers(provider: Provider, request: Request) -> Headers:
    """The headers of the call: those of the row, and what the client says about its form."""
    headers = dict(headers_of(provider))
    version = request.headers.get(VERSION_HEADER, "").strip()
    if version:
        headers[VERSION_HEADER] = version
    betas = [*_words(headers.get(BETA_HEADER)), *_words(request.headers.get(BETA_HEADER))]
    if betas:
        headers[BETA_HEADER] = ",".join(dict.fromkeys(betas))
    return tuple(headers.items())


def _words(header: str | None) -> list[str]:
    return [word.strip() for word in (header or "").split(",") if word.strip()]
