"""A body of one protocol at another's path: recognised by its shape, and answered as the path says.

Cursor sends what Responses takes to the path of Chat Completions, others send a chat to whatever
path they are given. It is looked for only where the path's own protocol makes no sense of a body,
or disowns it, so that nobody else pays for it. What a protocol's requests look like it says itself.
"""

from collections.abc import Mapping

from xtrix import json
from xtrix.errors import ClientError
from xtrix.json import Json
from xtrix.protocol import Codec, Request
from xtrix.protocols import PROTOCOLS
from xtrix.shape import decode_body


def decode(
    codec: Codec, body: bytes, headers: Mapping[str, str], default_model: str
) -> tuple[Codec, Request]:
    """The request that `body` spells, and how it is read and answered. Raises ClientError."""
    request = refusal = None
    try:
        request = codec.decode_request(body, headers, default_model)
    except ClientError as error:
        refusal = error.with_traceback(None)
    if request and not (codec.disowns and codec.disowns(request.fields)):
        return codec, request
    found = _as_another(codec, body, headers, default_model)
    if found:
        return found
    if request is None:
        assert refusal
        raise refusal
    return codec, request


def _as_another(
    path: Codec, body: bytes, headers: Mapping[str, str], default_model: str
) -> tuple[Codec, Request] | None:
    """The same where it is a request in another form than the path's; None where it is not.

    What is read in one protocol and answered in another is a protocol of its own that no row
    speaks: so it is translated for every target.
    """
    try:
        fields = decode_body(body)
    except ClientError:
        return None
    unmixed = _unmixed(path, fields)
    if unmixed:
        return path, path.decode_request(unmixed, headers, default_model)
    spoken = _claimant(fields, path)
    if spoken is None:
        return None
    mixed = path._replace(
        decode_prompt=spoken.decode_prompt, without_reasoning=spoken.without_reasoning
    )
    body = _unmixed(spoken, fields) or body
    return mixed, spoken.decode_request(body, headers, default_model)


def _unmixed(codec: Codec, fields: Json) -> bytes | None:
    """The body in the protocol's own forms alone; None where it has no others."""
    unmixed = codec.unmix(fields) if codec.unmix else None
    return json.encode_body(unmixed) if unmixed else None


def _claimant(fields: Json, path: Codec) -> Codec | None:
    """The protocol other than the path's whose request `fields` are by their shape."""
    if path.claims is None:
        return None
    # A chat is whatever has messages, so it is asked last.
    for codec in reversed(PROTOCOLS.values()):
        if codec.claims and codec.claims(fields):
            return codec if codec.name != path.name else None
    return None
