"""One client's request on its way to targets of any protocol, and their answers on the way back.

One thing is decided here: whether a target is called in the client's own protocol, or in another.
In the same protocol the request is passed on (a relay). For another protocol, a Prompt, a Reader
and a Writer translate. The Prompt is made when it is first needed.
"""

from dataclasses import dataclass, field

from xtrix import json
from xtrix.answer import Expected
from xtrix.errors import ClientError, UpstreamError, unsupported
from xtrix.http import UpstreamRequest
from xtrix.passage import Forwarded
from xtrix.prompt import Origin, Prompt
from xtrix.protocol import Answering, Clock, Codec, Request, Stamp, Stream, Translation, Whole
from xtrix.protocols import PROTOCOLS, needs_of
from xtrix.providers import Needs, Plan, Target, protocol_of
from xtrix.reasoning import Carrier

_TURNS = {"messages", "input", "system"}
"""The fields that make a request large. They are not needed to read or write its answer."""

_REASONING = (b'thinking"', b"encrypted_content", b"reasoning_content")
"""Texts of which each request that contains reasoning has at least one."""


@dataclass(slots=True)
class TargetCall:
    """The call of one target, and how often it may be made."""

    target: Target
    codec: Codec
    request: UpstreamRequest | None
    """The request; None once no further attempt can need it, because it may have megabytes."""
    most_calls: int
    """How often the target may be called for one request."""
    expected: Expected = field(default_factory=Expected)
    ignored: tuple[str, ...] = ()
    default_max_tokens: int | None = None
    forwarded: Forwarded | None = None
    """What is known about its answer, if that is passed on as it is; otherwise None."""
    attempts: int = 0

    @property
    def is_last(self) -> bool:
        """Whether no further attempt is allowed."""
        return self.attempts >= self.most_calls

    def take_request(self) -> UpstreamRequest:
        """Returns the request for the next attempt. The last attempt makes the call forget it."""
        request = self.request
        assert request is not None
        self.attempts += 1
        if self.is_last:
            self.request = None
        return request


class Conversion:
    """A request in its client's protocol, which is encoded for each target."""

    def __init__(
        self, codec: Codec, request: Request, carrier: Carrier, clock: Clock | None = None
    ) -> None:
        """`clock` tells the time at which answers end."""
        self.codec = codec
        small = {name: value for name, value in request.fields.items() if name not in _TURNS}
        self.settings = request._replace(fields=small, body=b"")
        """The request without its turns, which is enough to write an answer."""
        self._request: Request | None = request
        self._has_reasoning = any(map(request.body.__contains__, _REASONING))
        self._prompt: Prompt | None = None
        self._carrier = carrier
        self._clock = clock
        self._translated_for: set[str] = set()
        """Providers that speak the client's protocol but lack the called path, so that the request
        is translated for them."""
        self._relayed_to = ""
        """The first provider that got the request as it is."""

    @property
    def body(self) -> bytes:
        """The request's body as it came, until the last target has been encoded."""
        assert self._request is not None
        return self._request.body

    @property
    def given(self) -> json.Json:
        """The request's fields, with its turns, until the last target has been encoded."""
        assert self._request is not None
        return self._request.fields

    @property
    def is_spent(self) -> bool:
        """Whether the request has been forgotten, so that no further target can be called."""
        return self._request is None

    def reword(self, error: UpstreamError, call: TargetCall) -> str | None:
        """Changes how the request is encoded, so that its target can be called once more.

        `error` is the last call's. Returns what was changed, for the log; None if there is nothing
        to change. The next call is encoded in this way.
        """
        if error.refuses_reasoning and self._drop_reasoning():
            return "without reasoning"
        if error.knows_no_such_call and self._give_up_relay(call):
            return "in other words"
        return None

    def _hold(self, request: Request, target: Target) -> None:
        """Refuses a second provider for a request that names something only one stores.

        Raises ClientError.
        """
        provider = target.provider.name
        self._relayed_to = self._relayed_to or provider
        if request.held and self._relayed_to != provider:
            raise unsupported(request.held, "what it names is kept at another provider.")

    def _drop_reasoning(self) -> bool:
        """Leaves out the reasoning of earlier answers. Returns whether there was any."""
        if self._request is None or not self._has_reasoning:
            return False
        self._request = self.codec.without_reasoning(self._request)
        self._prompt, self._has_reasoning = None, False
        return True

    def _give_up_relay(self, call: TargetCall) -> bool:
        """Has the request translated for the provider of `call`.

        Returns false if it already was.
        """
        if call.codec is not self.codec or not self.codec.is_optional:
            return False
        self._translated_for.add(call.target.provider.name)
        return True

    def encode(self, target: Target, plan: Plan, *, is_last: bool) -> TargetCall:
        """The call of `target`. Raises ClientError for a request that its protocol cannot express.

        After the last target the request is forgotten, because it may have megabytes. It is kept if
        it may have to be encoded again: if it contains reasoning, which may be refused, or if its
        path is optional.
        """
        request = self._request
        assert request is not None
        theirs = self._codec_of(target, request)
        if theirs is self.codec:
            self._hold(request, target)
            encoded = theirs.relay_request(request, target, self._carrier)
            ignored, expected = encoded.ignored, encoded.expected
        else:
            prompt = self._asked(request)
            encoded = theirs.encode_prompt(prompt, target)
            lost = {*encoded.ignored, *prompt.ignored}
            if self._has_reasoning:
                here = Origin(target.provider.name, target.model, theirs.name)
                lost |= prompt.foreign_thinking(here)
            ignored = tuple(sorted(lost))
            expected = encoded.expected.by_bare_names(prompt.tools)
        if is_last and not (self._has_reasoning or self.codec.is_optional):
            self._request = self._prompt = None
        return TargetCall(
            target=target,
            codec=theirs,
            request=encoded.request,
            most_calls=target.provider.retries.attempts or plan.most_calls,
            expected=expected,
            ignored=ignored,
            default_max_tokens=encoded.default_max_tokens,
            forwarded=Forwarded(encoded.passes) if encoded.passes else None,
        )

    def encode_count(self, target: Target) -> UpstreamRequest | None:
        """The request to count tokens at `target`; None if the target cannot do that."""
        request, counter = self._request, self.codec.counter
        assert request is not None
        if counter is None or counter.relay_request is None:
            return None
        if self._codec_of(target, request) is not self.codec:
            return None
        return counter.relay_request(request, target).request

    def prompt(self) -> Prompt:
        """The request as a Prompt. Raises ClientError."""
        assert self._request is not None
        return self._asked(self._request)

    def stream(self, call: TargetCall, stamp: Stamp) -> Stream:
        """The `Stream` that turns the target's events into the client's."""
        of = self._answering(call, stamp)
        if call.codec is self.codec:
            return self.codec.relay_stream(of)
        writer = self.codec.stream_writer(of)
        return Translation(call.codec.reader(writer, of), writer)

    def whole(self, body: bytes, call: TargetCall, stamp: Stamp) -> Whole:
        """A target's whole answer, in the client's form. Raises UpstreamError."""
        of = self._answering(call, stamp)
        if call.codec is self.codec:
            return self.codec.relay_whole(body, of)
        writer = self.codec.whole_writer(of)
        reader = call.codec.reader(writer, of)
        reader.whole(body)
        answer, reasons = json.encode_body(writer.body()), writer.finish_reasons
        return Whole(answer, reader.usage, reader.unknown_stop_reason, reasons, reader.served)

    def own(self, error: UpstreamError, call: TargetCall) -> None:
        """Removes the places that an error names, unless the request was passed on as it is.

        An upstream names places in the request that it got. Only if that was the client's own
        request does the client know these places.
        """
        if call.codec is not self.codec and error.param != "model":
            error.param = None

    def _codec_of(self, target: Target, request: Request) -> Codec:
        """The protocol in which `target` is called for `request`."""
        provider, model = target
        needs = Needs(self.codec.name)
        if provider.responses_rule(model):
            needs = self._needs(request, needs)
        name = protocol_of(provider, model, needs)
        if self.codec.is_optional and name == self.codec.name:
            return PROTOCOLS[name] if provider.name in self._translated_for else self.codec
        return PROTOCOLS[name]

    def _needs(self, request: Request, otherwise: Needs) -> Needs:
        """What the request needs, to choose between two protocols of a row.

        A request that cannot be decoded needs nothing. The provider that gets it will say what is
        wrong.
        """
        try:
            return needs_of(self._asked(request), self.codec.name)
        except ClientError:
            return otherwise

    def _asked(self, request: Request) -> Prompt:
        """The request as a Prompt. Raises ClientError."""
        if self._prompt is None:
            self._prompt = self.codec.decode_prompt(request, self._carrier)
        return self._prompt

    def _answering(self, call: TargetCall, stamp: Stamp) -> Answering:
        origin = Origin(call.target.provider.name, call.target.model, call.codec.name)
        return Answering(self.settings, stamp, origin, self._carrier, call.expected, self._clock)
