"""Accepts a body of one protocol at the path of another, and answers as the path says.

Cursor sends requests of Responses to the path of Chat Completions, and other programs send a chat
to whatever path they are given. This is looked for only if the path's own protocol cannot read a
body or does not recognise it, so other requests do not pay for it. Each protocol says itself what
its requests look like.
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
    """The request in `body`, and the codec that reads and answers it. Raises ClientError."""
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
    """The same if it is a request in another form than the path's; None if it is not.

    A request that is read in one protocol and answered in another has a codec that no provider's
    row speaks. So it is translated for every target.
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
    """The body in the protocol's own forms only; None if it has no others."""
    unmixed = codec.unmix(fields) if codec.unmix else None
    return json.encode_body(unmixed) if unmixed else None


def _claimant(fields: Json, path: Codec) -> Codec | None:
    """The other protocol whose requests have the shape of `fields`; None if there is none."""
    if path.claims is None:
        return None
    # Everything with messages can be a chat, so it is tried last.
    for codec in reversed(PROTOCOLS.values()):
        if codec.claims and codec.claims(fields):
            return codec if codec.name != path.name else None
    return None
