"""One client's request on its way to targets of any protocol, and their answers on the way back.

Decides one thing: whether a target is called in the client's own protocol, which makes it a relay,
or in another, which takes a Prompt, a Reader and a Writer. The Prompt is made when it is first
needed.
"""

from dataclasses import dataclass, replace

from xtrix import json
from xtrix.answer import Expected
from xtrix.http import UpstreamRequest
from xtrix.prompt import Json, Origin, Prompt
from xtrix.protocol import Answering, Codec, Request, Stamp, Stream, Translation, Whole
from xtrix.protocols import PROTOCOLS
from xtrix.providers import Needs, Target, protocol_of
from xtrix.reasoning import Carrier

_TURNS = {"messages", "input", "system"}
"""The fields that make a request large. No answer is read or written by them."""
_CHAT_ONLY = {
    *("stop", "seed", "logit_bias", "frequency_penalty", "presence_penalty", "prediction"),
    *("audio", "functions"),
}


@dataclass(slots=True)
class TargetCall:
    """What one target is asked, as often as its row allows."""

    target: Target
    codec: Codec
    request: UpstreamRequest | None
    """None once no further attempt can need it: it may be megabytes."""
    expected: Expected
    ignored: tuple[str, ...]
    default_max_tokens: int | None
    attempts: int = 0

    @property
    def is_last(self) -> bool:
        """Whether the row allows no further attempt."""
        return self.attempts >= self.target.provider.retries.attempts

    def take_request(self) -> UpstreamRequest:
        """The request of the next attempt, which is forgotten with the last one."""
        request = self.request
        assert request is not None
        self.attempts += 1
        if self.is_last:
            self.request = None
        return request


class Conversion:
    """A request in its client's protocol, and what becomes of it in others."""

    def __init__(self, codec: Codec, request: Request, carrier: Carrier) -> None:
        self.codec = codec
        small = {name: value for name, value in request.fields.items() if name not in _TURNS}
        self.settings = replace(request, fields=small, body=b"")
        """The request without its turns, which is all that an answer needs."""
        self._request: Request | None = request
        self._prompt: Prompt | None = None
        self._carrier = carrier

    def encode(self, target: Target, *, is_last: bool) -> TargetCall:
        """What `target` is asked. Raises ClientError for what it cannot be asked.

        With the last target the request is forgotten: it may be megabytes.
        """
        request = self._request
        assert request is not None
        if is_last:
            self._request = None
        name = protocol_of(target.provider, target.model, _needs(self.codec.name, request.fields))
        theirs = PROTOCOLS[name]
        if theirs is self.codec:
            encoded = theirs.relay_request(request, target, self._carrier)
        else:
            prompt = self._prompt or self.codec.decode_prompt(request, self._carrier)
            self._prompt = None if is_last else prompt
            encoded = theirs.encode_prompt(prompt, target)
            encoded = encoded._replace(ignored=tuple(sorted({*encoded.ignored, *prompt.ignored})))
        return TargetCall(
            target,
            theirs,
            encoded.request,
            encoded.expected,
            encoded.ignored,
            encoded.default_max_tokens,
        )

    def stream(self, call: TargetCall, stamp: Stamp) -> Stream:
        """What turns the events of a stream of the target into the client's frames."""
        of = self._answering(call, stamp)
        if call.codec is self.codec:
            return self.codec.relay_stream(of)
        writer = self.codec.stream_writer(of)
        return Translation(call.codec.reader(writer, of), writer)

    def whole(self, body: bytes, call: TargetCall, stamp: Stamp) -> Whole:
        """The client's form of a whole answer of the target. Raises UpstreamError."""
        of = self._answering(call, stamp)
        if call.codec is self.codec:
            return self.codec.relay_whole(body, of)
        writer = self.codec.whole_writer(of)
        reader = call.codec.reader(writer, of)
        reader.whole(body)
        return Whole(json.encode_body(writer.body()), reader.usage, reader.unknown_stop_reason)

    def _answering(self, call: TargetCall, stamp: Stamp) -> Answering:
        origin = Origin(call.target.provider.name, call.target.model, call.codec.name)
        return Answering(self.settings, stamp, origin, self._carrier, call.expected)


def _needs(client: str, fields: Json) -> Needs:
    """What decides between the protocols of a row that speaks two."""
    reasoning = fields.get("reasoning") or fields.get("output_config")
    effort = reasoning.get("effort") if isinstance(reasoning, dict) else None
    effort = fields.get("reasoning_effort") or effort
    return Needs(
        client=client,
        tools=bool(fields.get("tools")) and fields.get("tool_choice") != "none",
        effort=effort if isinstance(effort, str) else None,
        chat_only=client == "chat" and _is_chat_only(fields),
    )


def _is_chat_only(fields: Json) -> bool:
    modalities = fields.get("modalities") or ()
    return (
        any(fields.get(name) for name in _CHAT_ONLY)
        or (fields.get("n") or 1) != 1
        or "audio" in modalities
    )
