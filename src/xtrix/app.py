"""The gateway: which call is which, who may make it, and where it goes.

Knows the public routes and the order of checks: the key before a byte of the body is read, the
body's shape before a target is chosen. Refuses to know JavaScript and how a step is carried out.
"""

from typing import NamedTuple
from urllib.parse import unquote

from xtrix import auth, catalogue
from xtrix import config as configuration
from xtrix.config import Config, Lookup
from xtrix.counting import count
from xtrix.errors import ApiError, ClientError, ConfigurationError
from xtrix.exchange import AcceptedRequest, Exchange, Record, Steps
from xtrix.health import Health
from xtrix.http import RequestHead, preflight, reply
from xtrix.listing import encode_list, encode_model, is_anthropics
from xtrix.models import Models
from xtrix.protocol import Codec, Stamp
from xtrix.protocols import PROTOCOLS
from xtrix.reasoning import Carrier
from xtrix.redact import Redactor
from xtrix.steps import Failure, ReadBody
from xtrix.translation import Conversion

CALLS = {
    "/chat/completions": "chat",
    "/responses": "responses",
    "/messages": "messages",
}
"""The protocol that is spoken at each path, with or without `/v1` before it."""
COUNTS = {
    path + counter.path: name
    for path, name in CALLS.items()
    if (counter := PROTOCOLS[name].counter)
}
"""The same for the paths at which tokens are counted."""
MODELS = "/v1/models"
HEALTH = "/health"

BODY_SECONDS = 30.0
"""Between two pieces of a request's body."""


class Gateway:
    """The gateway as one configuration makes it."""

    def __init__(self, config: Config | ApiError) -> None:
        """An error in place of a configuration is every call's answer."""
        self._config = config
        self._health = Health()
        self._models = Models()

    def open(self, head: RequestHead, token: str, now: float) -> Exchange:
        """The exchange that answers `head`.

        `token` is 32 random hex digits, `now` the shell's clock in Unix seconds.
        """
        record = Record(f"req_{token}", head.method, head.path[:200])
        exchange = Exchange(record, self._health, now, _codec_for(head))
        exchange.redactor = Redactor(tokens=auth.tokens(head.headers))
        exchange.follow(self._steps(head, exchange))
        return exchange

    def _steps(self, head: RequestHead, exchange: Exchange) -> Steps:
        if head.method == "OPTIONS":
            return preflight(head)
        path = head.path.rstrip("/") or "/"
        if path == HEALTH:
            _allow(head, "GET")
            return reply({"status": "ok", "service": "xtrix"})
        config = self._config
        if isinstance(config, ApiError):
            raise config
        codec, counts = _codec_at(path), _counts_at(path)
        is_model = path == MODELS or path.startswith(MODELS + "/")
        if not (codec or is_model):
            raise ClientError(404, "unknown_url", f"There is no {head.method} {path} here.")
        if not _wants_socket(head, codec):
            _allow(head, "POST" if codec else "GET")
        client = auth.authenticate(head.headers, config.accepted_keys)
        if codec is None:
            return (yield from self._list(config, path, exchange, head))
        if _wants_socket(head, codec):
            raise _no_socket()
        _check_head(head, config.max_body_bytes)
        # The body is given no name here, which would keep it until the answer.
        door = _Door(config, codec, Carrier(config.secret, client))
        accepted = _accept(
            door, head, exchange, (yield ReadBody(config.max_body_bytes, BODY_SECONDS))
        )
        if counts:
            return (yield from count(exchange, accepted))
        return (yield from exchange.complete(accepted))

    def _list(self, config: Config, path: str, exchange: Exchange, head: RequestHead) -> Steps:
        """The steps of a call for all models, or for the one that `path` names."""
        wanted = unquote(path.removeprefix(MODELS).removeprefix("/"))
        if wanted:
            card = yield from self._models.one(config, wanted, exchange)
            return reply(encode_model(card, head.headers))
        cards = yield from self._models.all(config, exchange)
        return reply(encode_list([*cards.values()], head.headers, head.query))


def configure(lookup: Lookup) -> Gateway:
    """The gateway of the configuration that `lookup` finds, faulty or not."""
    try:
        return Gateway(configuration.load(lookup))
    except ConfigurationError as error:
        return Gateway(error)


class _Door(NamedTuple):
    """What a body is taken in with."""

    config: Config
    codec: Codec
    carrier: Carrier


def _codec_at(path: str) -> Codec | None:
    """The protocol that is spoken at `path`; None where none is."""
    path = path.rstrip("/").removeprefix("/v1")
    name = CALLS.get(path) or COUNTS.get(path)
    return PROTOCOLS[name] if name else None


def _codec_for(head: RequestHead) -> Codec:
    """The protocol in which a client is told what went wrong."""
    otherwise = PROTOCOLS["messages" if is_anthropics(head.headers) else "chat"]
    return _codec_at(head.path) or otherwise


def _counts_at(path: str) -> bool:
    """Whether tokens are counted at `path`."""
    return path.removeprefix("/v1") in COUNTS


def _wants_socket(head: RequestHead, codec: Codec | None) -> bool:
    """Whether a client asks for Responses over a WebSocket, as Codex does before anything else."""
    upgrade = head.headers.get("upgrade", "").lower()
    return codec is not None and head.method == "GET" and upgrade == "websocket"


def _no_socket() -> ClientError:
    """426 is the one answer at which Codex goes on without a WebSocket at once."""
    message = "There are no WebSockets here; send the same request with POST."
    return ClientError(426, "websocket_not_supported", message)


def _accept(
    door: _Door, head: RequestHead, exchange: Exchange, body: bytes | Failure
) -> AcceptedRequest:
    """The request that `body` spells, with its targets. Raises ClientError."""
    config, codec, carrier = door
    if isinstance(body, Failure):
        raise _unread(body, config.max_body_bytes)
    request = codec.decode_request(body, head.headers, config.default_model)
    exchange.record.model = request.model
    plan = catalogue.plan_of(config, request, int(exchange.record.id[4:12], 16) / 2**32)
    secrets = [secret for target in plan.targets for secret in target.provider.secrets]
    exchange.redactor = Redactor(*secrets, tokens=auth.tokens(head.headers))
    return AcceptedRequest(
        conversion=Conversion(codec, request, carrier),
        stamp=Stamp(
            exchange.record.id[4:],
            int(exchange.now),
            request.model,
            config.fingerprint,
            exchange.record.id,
        ),
        plan=plan,
        keep_alive=config.keep_alive,
    )


def _allow(head: RequestHead, method: str) -> None:
    if head.method != method:
        message = f"{head.path} takes {method}, not {head.method}."
        allow = (("allow", f"{method}, OPTIONS"),)
        raise ClientError(405, "method_not_allowed", message, headers=allow)


def _check_head(head: RequestHead, limit: int) -> None:
    """Raise ClientError for a body that is known to be of no use before it is read."""
    if head.headers.get("content-encoding", "identity") != "identity":
        message = "Compressed request bodies are not supported; send plain JSON."
        raise ClientError(415, "unsupported_content_encoding", message)
    declared = head.headers.get("content-length", "0")
    if declared.isdigit() and int(declared) > limit:
        raise _too_large(limit)


def _unread(failure: Failure, limit: int) -> ClientError:
    if failure is Failure.SIZE:
        return _too_large(limit)
    return ClientError(408, "request_timeout", "The request's body did not come whole.")


def _too_large(limit: int) -> ClientError:
    message = f"The request body is larger than the {limit} bytes this gateway takes."
    return ClientError(413, "request_too_large", message)
