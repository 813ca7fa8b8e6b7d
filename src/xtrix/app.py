"""The gateway: which call is which, who may make it, and where it goes.

Knows the public routes and the order of checks: the key before a byte of the body is read, the
body's shape before a target is chosen. Refuses to know JavaScript and how a step is carried out.
"""

from urllib.parse import unquote

from xtrix import auth, catalogue, errors
from xtrix import config as configuration
from xtrix.chunks import UsageForm
from xtrix.completions import Stamp, decode_request
from xtrix.config import Config, Lookup
from xtrix.errors import ApiError, ClientError, ConfigurationError
from xtrix.exchange import AcceptedRequest, Exchange, Record, Steps
from xtrix.health import Health
from xtrix.http import Reply, RequestHead, preflight, reply
from xtrix.redact import Redactor
from xtrix.steps import Failure, ReadBody

COMPLETIONS = ("/v1/chat/completions", "/chat/completions")
MODELS = ("/v1/models", "/models")
HEALTH = "/health"

_POST = ("POST",)
_GET = ("GET", "HEAD")
_PATHS = f"POST {COMPLETIONS[0]}, GET {MODELS[0]}, GET {MODELS[0]}/{{id}} and GET {HEALTH}"
_LONGEST_PATH = 100

BODY_SECONDS = 30.0
"""Between two pieces of a request's body."""


class Gateway:
    """The gateway as one configuration makes it."""

    def __init__(
        self, config: Config | ConfigurationError | None, keys: tuple[bytes, ...] = ()
    ) -> None:
        """What is wrong with a configuration is every call's answer; None stands for our own fault.

        `keys` are the digests of those who may be told what is wrong.
        """
        self._config = config
        self._keys = keys
        self._health = Health()

    @property
    def faults(self) -> list[str]:
        """What is wrong with the configuration."""
        return self._config.faults if isinstance(self._config, ConfigurationError) else []

    def open(self, head: RequestHead, token: str, now: float) -> Exchange:
        """The exchange that answers `head`.

        `token` is 32 random hex digits, `now` the shell's clock in Unix seconds.
        """
        exchange = Exchange(Record(f"req_{token}", head.method, head.path[:200]), self._health, now)
        exchange.redactor = Redactor(token=_token(head))
        exchange.follow(self._steps(head, exchange))
        return exchange

    def _steps(self, head: RequestHead, exchange: Exchange) -> Steps:
        if head.method == "OPTIONS":
            return preflight(head)
        path = head.path.rstrip("/") or "/"
        config = self._config
        if path == HEALTH:
            _allow(head, _GET)
        if not isinstance(config, Config):
            raise self._broken(head, 503 if path == HEALTH else 500)
        if path == HEALTH:
            return reply({"status": "ok", "service": "xtrix"})
        model = _model_in(path)
        if path not in COMPLETIONS and model is None:
            raise _unknown_url(head.method, path)
        _allow(head, _POST if model is None else _GET)
        auth.authenticate(head.headers.get("authorization"), config.accepted_keys)
        if model is not None:
            return _list(config, model)
        _check_head(head, config.max_body_bytes)
        # The body is given no name here, which would keep it until the answer.
        accepted = _accept(
            config, head, exchange, (yield ReadBody(config.max_body_bytes, BODY_SECONDS))
        )
        return (yield from exchange.complete(accepted))

    def _broken(self, head: RequestHead, status: int) -> ApiError:
        """Why no call can be served. What is wrong is told to who has a key, for it names secrets.

        A new error each time: one that is raised again keeps the traces of all times before.
        """
        if self._config is None:
            return errors.internal_error()
        may_know = auth.accepts(head.headers.get("authorization"), self._keys)
        return ConfigurationError(self.faults if may_know else [], status)


def configure(lookup: Lookup) -> Gateway:
    """The gateway of the configuration that `lookup` finds, faulty or not."""
    try:
        return Gateway(configuration.load(lookup))
    except ConfigurationError as error:
        keys = lookup("API_KEYS")
        return Gateway(error, auth.digests(keys) if isinstance(keys, str) else ())


def _accept(
    config: Config, head: RequestHead, exchange: Exchange, body: bytes | Failure
) -> AcceptedRequest:
    """The request that `body` spells, with its targets. Raises ClientError."""
    if isinstance(body, Failure):
        raise _unread(body, config.max_body_bytes)
    request = decode_request(body, config.default_model)
    exchange.record.model = request["model"]
    plan = catalogue.plan_of(config, request, int(exchange.record.id[4:12], 16) / 2**32)
    secrets = [secret for target in plan.targets for secret in target.provider.secrets]
    exchange.redactor = Redactor(*secrets, token=_token(head))
    options = request.get("stream_options") or {}
    return AcceptedRequest(
        request=request,
        streamed=bool(request.get("stream")),
        usage_form=UsageForm(options.get("include_usage")),
        stamp=Stamp(
            f"chatcmpl-{exchange.record.id[4:]}",
            int(exchange.now),
            request["model"],
            config.fingerprint,
        ),
        plan=plan,
        keep_alive=config.keep_alive,
    )


def _token(head: RequestHead) -> str | None:
    """What the client sent as its key, accepted or not."""
    words = (head.headers.get("authorization") or "").split()
    return words[-1] if words else None


def _model_in(path: str) -> str | None:
    """The model that `path` names, empty for all of them; None where it is about something else."""
    for models in MODELS:
        if path == models or path.startswith(f"{models}/"):
            return unquote(path.removeprefix(models).removeprefix("/"))
    return None


def _unknown_url(method: str, path: str) -> ClientError:
    """Many clients show no more of this than that a model was not found, so it says what is."""
    message = f"There is no {method} {path[:_LONGEST_PATH]} here, but {_PATHS}."
    if path.startswith("/v1/v1/"):
        message += " The base URL has its /v1 already: leave /v1 out of the path."
    return ClientError(404, "unknown_url", message)


def _list(config: Config, wanted: str) -> Reply:
    """All models that have a name, or the one that is `wanted`. Raises ClientError."""
    if not wanted:
        models = [_model(name, owner) for name, owner in catalogue.names(config).items()]
        return reply({"object": "list", "data": models})
    return reply(_model(wanted, catalogue.owner_of(config, wanted)))


def _model(name: str, owner: str) -> dict[str, object]:
    return {"id": name, "object": "model", "created": 0, "owned_by": owner}


def _allow(head: RequestHead, methods: tuple[str, ...]) -> None:
    if head.method not in methods:
        message = f"{head.path[:_LONGEST_PATH]} takes {methods[0]}, not {head.method}."
        allow = (("allow", ", ".join((*methods, "OPTIONS"))),)
        raise ClientError(405, "method_not_allowed", message, headers=allow)


def _check_head(head: RequestHead, limit: int) -> None:
    """Raise ClientError for a body that is known to be of no use before it is read."""
    coding = head.headers.get("content-encoding", "").strip().lower()
    if coding not in {"", "identity"}:
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
