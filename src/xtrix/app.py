"""The gateway's routes: which call is which, who may make it, and where it goes.

The order of checks is decided here: the key is checked before the body is read, and the body's
shape before a target is chosen. How a step is carried out is not known here.
"""

from collections.abc import Generator, Iterator
from typing import Any, NamedTuple
from urllib.parse import unquote

from xtrix import __version__, admin, auth, catalogue, errors, foreign, forwarding, store
from xtrix import config as configuration
from xtrix.body import BODY_SECONDS, WHOLE_BODY_SECONDS, check_head, coding_of, most_read, unread
from xtrix.config import Config, Lookup
from xtrix.counting import count
from xtrix.endpoints import BY_PATH, Endpoint
from xtrix.errors import ApiError, ClientError, ConfigurationError
from xtrix.exchange import AcceptedRequest, Exchange, Record, Steps
from xtrix.health import Health
from xtrix.http import RequestHead, preflight, reply
from xtrix.keys import bounds, proof
from xtrix.keys.leases import Client, Leases
from xtrix.listing import encode_list, encode_model, is_anthropics
from xtrix.metering import CostBasis, Meter
from xtrix.models import Models
from xtrix.prices import TIER_FIELDS, PriceList
from xtrix.protocol import Codec, Memory, Request, Stamp
from xtrix.protocols import PROTOCOLS
from xtrix.reasoning import Carrier
from xtrix.recorder import Recorder
from xtrix.redact import Redactor
from xtrix.steps import Failure, ReadBody, Step
from xtrix.store import Store
from xtrix.translation import Conversion

CALLS = {
    "/chat/completions": "chat",
    "/completions": "completions",
    "/responses": "responses",
    "/messages": "messages",
}
"""The protocol of each path. Each path exists with and without `/v1` before it."""


class Route(NamedTuple):
    """What is called at a path: a call of one protocol, or another endpoint of OpenAI's."""

    codec: Codec | None = None
    endpoint: Endpoint | None = None
    is_counted: bool = False
    """Whether the tokens of a request are counted, instead of answering it."""


def _routes() -> Iterator[tuple[str, Route]]:
    for path, name in CALLS.items():
        codec = PROTOCOLS[name]
        yield path, Route(codec)
        if codec.counter:
            yield path + codec.counter.path, Route(codec, is_counted=True)
        if codec.compactor:
            yield path + codec.compactor.path, Route(codec.compactor.codec)
    for path, endpoint in BY_PATH.items():
        yield path, Route(endpoint=endpoint)


ROUTES = dict(_routes())
"""What is at each path, without the `/v1` before it."""
NO_ROUTE = Route()
MODELS = ("/v1/models", "/models")
HEALTH = "/health"

_POST = ("POST",)
_GET = ("GET", "HEAD")
_PATHS = (
    ", ".join((*(f"POST /v1{path}" for path in CALLS), f"GET {MODELS[0]}", f"GET {HEALTH}"))
    + " and OpenAI's other endpoints"
)
_LONGEST_PATH = 100


class Gateway:
    """The gateway, made from one configuration."""

    def __init__(
        self, config: Config | ConfigurationError | None, keys: tuple[bytes, ...] = ()
    ) -> None:
        """With a faulty configuration, every call is answered with its faults.

        None stands for a fault of our own.

        `keys` are the digests of the keys whose holders may see the faults.
        """
        self._config = config
        self._keys = keys
        self._health = Health()
        self._models = Models()
        self._prices = PriceList()
        self.leases: Leases | None = None
        """What keys with a name may still spend in this isolate; None before the first one was
        used."""

    @property
    def faults(self) -> list[str]:
        """The faults of the configuration."""
        return self._config.faults if isinstance(self._config, ConfigurationError) else []

    def open(self, head: RequestHead, token: str, now: float) -> Exchange:
        """The exchange for the request `head`.

        `token` is 32 random hex digits, `now` the time in Unix seconds.
        """
        record = Record(f"req_{token}", head.method, head.path[:200])
        route = ROUTES.get(_path_of(head).removeprefix("/v1"), NO_ROUTE)
        exchange = Exchange(record, self._health, now, _codec_for(route, head))
        exchange.redactor = Redactor(tokens=auth.tokens(head.headers))
        exchange.parent = head.headers.get("traceparent", "")
        if isinstance(self._config, Config):
            exchange.collector = self._config.collector
        exchange.follow(self._steps(route, head, exchange))
        return exchange

    def _steps(self, route: Route, head: RequestHead, exchange: Exchange) -> Steps:
        if head.method == "OPTIONS":
            return preflight(head)
        path, config = _path_of(head), self._config
        if path == HEALTH:
            _allow(head, _GET)
        if not isinstance(config, Config):
            raise self._broken(head, 503 if path == HEALTH else 500)
        if path == HEALTH:
            return reply({"status": "ok", "service": "xtrix", "version": __version__})
        if admin.is_admins(path) and (steps := admin.answer(config, head, exchange)):
            return (yield from steps)
        if path.removeprefix("/v1") == admin.USAGE_PATH:
            return (yield from self._usage(config, head, exchange))
        return (yield from self._call(config, route, head, exchange))

    def _call(self, config: Config, route: Route, head: RequestHead, exchange: Exchange) -> Steps:
        """The steps of a call that needs a key."""
        codec, endpoint, is_counted = route
        path = _path_of(head)
        is_kept = config.store_days > 0 and store.is_kept(path)
        model = None if codec or endpoint else _model_in(path)
        if codec is None and endpoint is None and model is None and not is_kept:
            raise _unknown_url(head.method, path)
        wants_socket = _wants_socket(head, codec)
        if not wants_socket:
            _allow(head, store.METHODS if is_kept else _POST if model is None else _GET)
        client = self._identify(config, head, exchange)
        if is_kept:
            return (yield from self._kept(_store(config, client), head, exchange))
        if wants_socket:
            raise _no_socket()
        if model is not None:
            return (yield from self._list(config, model, exchange, head))
        carrier = Carrier(config.secret, client)
        if endpoint:
            exchange.record.operation = endpoint.operation
            return (yield from forwarding.forward(config, endpoint, head, exchange))
        assert codec is not None
        exchange.record.operation = "text_completion" if codec.name == "completions" else "chat"
        check_head(head, config.max_body_bytes)
        # The body has no name here, because a name would keep it in memory until the answer.
        door = _Door(config, codec, carrier, client)
        accepted = _accept(door, head, exchange, (yield from _taken(door, head, exchange)))
        if exchange.meter:
            yield from _admit(exchange, exchange.meter, accepted, is_counted=is_counted)
        if is_counted:
            return (yield from count(exchange, accepted))
        return (yield from exchange.complete(accepted))

    def _identify(self, config: Config, head: RequestHead, exchange: Exchange) -> bytes:
        """The digest that identifies the client. If its key has a name, its usage is counted.

        Raises ClientError for a key that is not accepted.
        """
        holder, client = _holder(config, head)
        exchange.meter = self._meter(config, client, exchange)
        if exchange.meter:
            exchange.meter.check()
        return holder

    def _kept(self, kept: Store, head: RequestHead, exchange: Exchange) -> Steps:
        """The steps of a call for a kept response."""
        if exchange.meter:
            yield from exchange.meter.know()
        return (yield from kept.serve(head))

    def _meter(self, config: Config, client: Client | None, exchange: Exchange) -> Meter | None:
        """What counts the usage of `client`; None if nothing does."""
        if client is None:
            return None
        exchange.record.key = client.name or client.id
        if not config.has_ledger:
            return None
        if self.leases is None:
            self.leases = Leases(exchange.record.id[4:])
        return Meter(client, self.leases, self._prices, exchange.clock)

    def _usage(self, config: Config, head: RequestHead, exchange: Exchange) -> Steps:
        """The steps of a client's call for its own usage."""
        _allow(head, _GET)
        self._identify(config, head, exchange)
        meter = exchange.meter
        if meter is None:
            message = "What is done with this key is not counted: it has no name."
            raise ClientError(404, "usage_not_kept", message)
        yield from meter.know()
        return (yield from admin.own_usage(meter.client, head, exchange))

    def _list(self, config: Config, wanted: str, exchange: Exchange, head: RequestHead) -> Steps:
        """The steps of a call for the model `wanted`; empty means the list of models."""
        meter = exchange.meter
        if meter:
            yield from meter.know(wanted or None)
        if wanted:
            card = yield from self._models.one(config, wanted, exchange)
            return reply(encode_model(card, head.headers))
        named = yield from self._models.all(config, exchange)
        cards = [card for card in named.values() if meter is None or meter.allows(card.id)]
        return reply(encode_list(cards, head.headers, head.query))

    def _broken(self, head: RequestHead, status: int) -> ApiError:
        """The error of a faulty configuration.

        The faults are shown only with a valid key, because they name secrets.

        It is a new error each time, because an error that is raised again keeps its old tracebacks.
        """
        if self._config is None:
            return errors.internal_error()
        may_know = auth.accepts(head.headers, self._keys)
        return ConfigurationError(self.faults if may_know else [], status)


def configure(lookup: Lookup) -> Gateway:
    """The gateway of the configuration that `lookup` finds, even if it is faulty."""
    try:
        return Gateway(configuration.load(lookup))
    except ConfigurationError as error:
        keys = lookup("API_KEYS")
        return Gateway(error, auth.digests(keys) if isinstance(keys, str) else ())


def _holder(config: Config, head: RequestHead) -> tuple[bytes, Client | None]:
    """Whose key the request has: the client's digest, and the client itself if its key has a name.

    Raises ClientError for a key that is not accepted.
    """
    if config.key_secret:
        for token in auth.tokens(head.headers):
            proven = proof.check(config.key_secret, token)
            if proven:
                client = Client(proven.id, "", proven.strict, proven.generation)
                return proven.id.encode(), client
    digest = auth.authenticate(head.headers, config.accepted_keys)
    return digest, config.clients.get(digest)


def _admit(
    exchange: Exchange, meter: Meter, accepted: AcceptedRequest, *, is_counted: bool
) -> Generator[Step, Any, None]:
    """Lets a call in if its key's limits allow it. Counting tokens costs nothing."""
    if is_counted:
        yield from meter.know(accepted.stamp.model)
        return
    conversion, body = accepted.conversion, accepted.conversion.body
    if conversion.codec.relays_bodies:
        bounds.check_once(body)
    basis = CostBasis(
        accepted.stamp.model,
        accepted.plan,
        conversion.settings.fields,
        bounds.likely_input(body),
        conversion.given,
        body,
        conversion.codec.name,
        conversion.prompt,
    )
    yield from meter.admit(basis)
    exchange.headers += meter.headers(accepted.conversion.codec.name)


class _Door(NamedTuple):
    """What is needed to read a request's body."""

    config: Config
    codec: Codec
    carrier: Carrier
    client: bytes
    """The digest that identifies the client."""

    @property
    def store(self) -> Store:
        """The client's kept responses."""
        return _store(self.config, self.client)

    @property
    def memory(self) -> Memory | None:
        """How the client's requests refer to kept responses; None if nothing is kept."""
        return self.codec.memory if self.config.store_days else None


class _Taken(NamedTuple):
    """A request that has been read."""

    request: Request
    recorder: Recorder | None = None
    codec: Codec | None = None
    """The codec for reading and answering it, if it is not the one of the path."""


def _store(config: Config, client: bytes) -> Store:
    return store.store_of(client, config.store_days, most_read(config.max_body_bytes))


def _taken(door: _Door, head: RequestHead, exchange: Exchange) -> Generator[Step, Any, _Taken]:
    """The steps that read the request, and the responses that it refers to. Raises ApiError."""
    config, memory = door.config, door.memory
    limit = config.max_body_bytes
    most: int | None = most_read(limit)
    if memory is not None:  # a kept request is read with its long content
        limit, most = most_read(limit), None
    body: bytes | Failure = yield ReadBody(
        limit, BODY_SECONDS, WHOLE_BODY_SECONDS, coding_of(head), most
    )
    if isinstance(body, Failure):
        raise unread(body, limit, most)
    own = (
        door.codec if memory is None else door.codec._replace(decode_request=memory.decode_request)
    )
    codec, request = foreign.decode(own, body, head.headers, config.default_model)
    if codec is not own:
        return _Taken(request, codec=codec)
    if memory is None:
        return _Taken(request)
    kept = door.store
    recorder = kept.recorder(memory, request, exchange.record.id[4:], exchange.now)
    return _Taken((yield from kept.recall(memory, request)), recorder)


def _path_of(head: RequestHead) -> str:
    """The path of a request, without a slash at its end."""
    return head.path.rstrip("/") or "/"


def _codec_for(route: Route, head: RequestHead) -> Codec:
    """The protocol for an error that answers `head`."""
    if route is NO_ROUTE and is_anthropics(head.headers):
        return PROTOCOLS["messages"]
    return route.codec or PROTOCOLS["chat"]


def _wants_socket(head: RequestHead, codec: Codec | None) -> bool:
    """Whether a client asks for a WebSocket for Responses, as Codex does first."""
    if codec is None or head.method != "GET":
        return False
    return head.headers.get("upgrade", "").lower() == "websocket"


def _no_socket() -> ClientError:
    """The error 426, after which Codex at once goes on without a WebSocket."""
    message = "There are no WebSockets here; send the same request with POST."
    return ClientError(426, "websocket_not_supported", message)


def _accept(door: _Door, head: RequestHead, exchange: Exchange, taken: _Taken) -> AcceptedRequest:
    """The accepted request, with its targets. Raises ClientError."""
    config, codec, carrier, _ = door
    request, codec = taken.request, taken.codec or codec
    exchange.record.model = request.model
    plan = catalogue.plan_of(config, request, int(exchange.record.id[4:12], 16) / 2**32)
    secrets = [secret for target in plan.targets for secret in target.provider.secrets]
    exchange.redactor = carrier.redactor = exchange.redactor.knowing(secrets)
    conversion = Conversion(codec, request, carrier, exchange.clock)
    if codec is not door.codec:
        # The request as the client wrote it decides how the answer is sent, and what it repeats of
        # the request.
        priced = {name: it for name in TIER_FIELDS if (it := request.fields.get(name)) is not None}
        fields = {"model": request.model, "stream": request.stream, **priced}
        conversion.settings = conversion.settings._replace(fields=fields)
    return AcceptedRequest(
        conversion=conversion,
        stamp=Stamp(
            exchange.record.id[4:],
            int(exchange.now),
            request.model,
            config.fingerprint,
            exchange.record.id,
        ),
        plan=plan,
        keep_alive=config.keep_alive,
        recorder=taken.recorder,
    )


def _model_in(path: str) -> str | None:
    """The model in `path`, empty for the list of all models; None for any other path."""
    for models in MODELS:
        if path == models or path.startswith(f"{models}/"):
            return unquote(path.removeprefix(models).removeprefix("/"))
    return None


def _unknown_url(method: str, path: str) -> ClientError:
    """The error for an unknown path.

    Many clients show only that a model was not found, so the message names the paths that exist.
    """
    message = f"There is no {method} {path[:_LONGEST_PATH]} here, but {_PATHS}."
    if path.startswith("/v1/v1/"):
        message += " The base URL has its /v1 already: leave /v1 out of the path."
    elif doubled := _doubled(path):
        message += f" The base URL has to end in /v1: leave {doubled} out of it."
    return ClientError(404, "unknown_url", message)


def _doubled(path: str) -> str | None:
    """The part of `path` that is too much, if the rest of it is a path that exists; else None.

    If a base URL names a call, the client adds its own path: `…/chat/completions/models`.
    """
    bare = path.removeprefix("/v1")
    for served in (*CALLS, *BY_PATH):
        if bare.startswith(f"{served}/"):
            rest = bare.removeprefix(served).removeprefix("/v1")
            if rest in {*CALLS, *BY_PATH} or rest in MODELS:
                return served
    return None


def _allow(head: RequestHead, methods: tuple[str, ...]) -> None:
    if head.method not in methods:
        message = f"{head.path[:_LONGEST_PATH]} takes {methods[0]}, not {head.method}."
        allow = (("allow", ", ".join((*methods, "OPTIONS"))),)
        raise ClientError(405, "method_not_allowed", message, headers=allow)
