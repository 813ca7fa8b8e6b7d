"""One client's request on its way to targets of any protocol, and their answers on the way back.

Decides one thing: whether a target is called in the client's own protocol, which makes it a relay,
or in another, which takes a Prompt, a Reader and a Writer. The Prompt is made when it is first
needed.
"""

from xtrix import json
from xtrix.errors import ClientError, UpstreamError
from xtrix.prompt import Origin, Prompt
from xtrix.protocol import Answering, Codec, Encoded, Request, Stamp, Stream, Translation, Whole
from xtrix.protocols import PROTOCOLS, needs_of
from xtrix.providers import Needs, Target, protocol_of
from xtrix.reasoning import Carrier


class Conversion:
    """A request with its client's protocol."""

    def __init__(self, codec: Codec, request: Request, carrier: Carrier) -> None:
        self.codec = codec
        self.request = request
        self._carrier = carrier
        self._prompt: Prompt | None = None

    def encode(self, target: Target) -> Encoded:
        """The request in the terms of `target`. Raises ClientError for what it cannot be asked."""
        theirs = self.codec_of(target)
        if theirs is self.codec:
            return theirs.relay_request(self.request, target, self._carrier)
        return theirs.encode_prompt(self._asked(), target)

    def stream(self, target: Target, encoded: Encoded, stamp: Stamp) -> Stream:
        """What turns the events of a stream of `target` into the client's frames."""
        of = self._answering(target, encoded, stamp)
        theirs = self.codec_of(target)
        if theirs is self.codec:
            return theirs.relay_stream(of)
        writer = self.codec.stream_writer(of)
        return Translation(theirs.reader(writer, of), writer)

    def whole(self, body: bytes, target: Target, encoded: Encoded, stamp: Stamp) -> Whole:
        """The client's form of a whole answer of `target`. Raises UpstreamError."""
        of = self._answering(target, encoded, stamp)
        theirs = self.codec_of(target)
        if theirs is self.codec:
            return theirs.relay_whole(body, of)
        writer = self.codec.whole_writer(of)
        reader = theirs.reader(writer, of)
        reader.whole(body)
        return Whole(json.encode_body(writer.body()), reader.usage, reader.unknown_stop_reason)

    def own(self, error: UpstreamError, target: Target) -> None:
        """Take from the error of `target` what it says of another request than the client's.

        An upstream names places in the request that it was sent, and only a relayed one has those
        of the client's.
        """
        if self.codec_of(target) is not self.codec and error.param != "model":
            error.param = None

    def codec_of(self, target: Target) -> Codec:
        """The protocol in which `target` is called for this request."""
        provider, model = target
        needs = Needs(self.codec.name)
        if provider.responses_rule(model):
            needs = self._needs(needs)
        return PROTOCOLS[protocol_of(provider, model, needs)]

    def _needs(self, otherwise: Needs) -> Needs:
        """What the request needs of a row that speaks two protocols.

        A request that makes no sense as a Prompt needs nothing: whoever it is relayed to says what
        is wrong with it.
        """
        try:
            return needs_of(self._asked(), self.codec.name)
        except ClientError:
            return otherwise

    def _asked(self) -> Prompt:
        """The request as a Prompt. Raises ClientError."""
        if self._prompt is None:
            self._prompt = self.codec.decode_prompt(self.request, self._carrier)
        return self._prompt

    def _answering(self, target: Target, encoded: Encoded, stamp: Stamp) -> Answering:
        name = self.codec_of(target).name
        origin = Origin(target.provider.name, target.model, name)
        return Answering(self.request, stamp, origin, self._carrier, encoded.expected)
