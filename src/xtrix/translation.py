"""One client's request on its way to targets of any protocol, and their answers on the way back.

Decides one thing: whether a target speaks the client's own protocol, which makes it a relay, or
another, which takes a Prompt, a Reader and a Writer. The Prompt is made when it is first needed.
"""

from xtrix import json
from xtrix.prompt import Origin, Prompt
from xtrix.protocol import Answering, Codec, Encoded, Request, Stamp, Stream, Translation, Whole
from xtrix.protocols import DIALECTS
from xtrix.providers import Target
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
        theirs = codec_of(target)
        if theirs is self.codec:
            return theirs.relay_request(self.request, target, self._carrier)
        if self._prompt is None:
            self._prompt = self.codec.decode_prompt(self.request, self._carrier)
        return theirs.encode_prompt(self._prompt, target)

    def stream(self, target: Target, encoded: Encoded, stamp: Stamp) -> Stream:
        """What turns the events of a stream of `target` into the client's frames."""
        of = self._answering(target, encoded, stamp)
        theirs = codec_of(target)
        if theirs is self.codec:
            return theirs.relay_stream(of)
        writer = self.codec.stream_writer(of)
        return Translation(theirs.reader(writer, of), writer)

    def whole(self, body: bytes, target: Target, encoded: Encoded, stamp: Stamp) -> Whole:
        """The client's form of a whole answer of `target`. Raises UpstreamError."""
        of = self._answering(target, encoded, stamp)
        theirs = codec_of(target)
        if theirs is self.codec:
            return theirs.relay_whole(body, of)
        writer = self.codec.whole_writer(of)
        reader = theirs.reader(writer, of)
        reader.whole(body)
        return Whole(json.encode_body(writer.body()), reader.usage, reader.unknown_stop_reason)

    def _answering(self, target: Target, encoded: Encoded, stamp: Stamp) -> Answering:
        name = codec_of(target).name
        origin = Origin(target.provider.name, target.model, name)
        return Answering(self.request, stamp, origin, self._carrier, encoded.expected)


def codec_of(target: Target) -> Codec:
    """The protocol that `target` speaks."""
    return DIALECTS[target.provider.dialect]
