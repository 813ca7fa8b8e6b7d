"""Counts the tokens of a request: the upstream is asked if it can count; else they are estimated.

Such a call costs nothing, and clients make thirty at once. So it is not repeated, no other target
is tried, and an upstream that cannot count is not at fault.
"""

from xtrix import errors, json
from xtrix.errors import NEVER_RETRY, ClientError
from xtrix.estimate import estimate
from xtrix.exchange import AcceptedRequest, Exchange, Steps
from xtrix.http import JSON_TYPE, Reply, reply
from xtrix.protocol import Codec
from xtrix.steps import Call, Collect, UpstreamAnswer

MAX_BYTES = 100_000
"""The most bytes of the answer, which is only a number."""

_DOES_NOT_COUNT = {404, 405, 501}


def count(exchange: Exchange, accepted: AcceptedRequest) -> Steps:
    """The steps of a request for its number of tokens. Raises ApiError."""
    conversion, target = accepted.conversion, accepted.plan.targets[0]
    counter = conversion.codec.counter
    assert counter is not None
    if target.provider.count_tokens == "off":
        message = "Tokens are not counted for this model; estimate them yourself."
        raise ClientError(501, "not_supported", message, headers=NEVER_RETRY)
    request = conversion.encode_count(target)
    if request is not None:
        exchange.record.provider, exchange.record.upstream_model = (
            target.provider.name,
            target.model,
        )
        limits = target.provider.timeouts
        collect = Collect(MAX_BYTES, limits.idle, limits.progress)
        call = Call(request, limits.first_byte, collect)
        counted = _counted((yield call), exchange, conversion.codec)
        if counted is not None:
            return Reply(200, (JSON_TYPE,), counted)
    tokens = estimate(conversion.prompt())
    return reply(
        counter.encode(tokens, conversion.settings), headers=(("x-token-count", "estimate"),)
    )


def _counted(outcome: object, exchange: Exchange, codec: Codec) -> bytes | None:
    """The body of the upstream's count; None if it cannot count. Raises UpstreamError."""
    if not isinstance(outcome, UpstreamAnswer) or not isinstance(outcome.body, bytes):
        raise errors.no_connection()
    if outcome.head.status in _DOES_NOT_COUNT:
        return None
    if outcome.head.status != 200:
        error = codec.decode_error(outcome.head, outcome.body)
        exchange.redactor.clean(error)
        raise error
    try:
        tokens = json.decode_object(outcome.body).get("input_tokens")
    except ValueError:
        tokens = None
    if type(tokens) is not int:
        raise errors.bad_response("no count of tokens")
    return outcome.body
