"""The gateway: which call is which, who may make it, and where it goes.

Knows the public routes and the order of checks: the key before a byte of the body is read, the
body's shape before a target is chosen. Refuses to know JavaScript and how a step is carried out.
"""

from urllib.parse import unquote

from xtrix import auth, catalogue
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
        if path == HEALTH:
            _allow(head, "GET")
            return reply({"status": "ok", "service": "xtrix"})
        config = self._config
        if isinstance(config, ApiError):
            raise config
        is_completion = path in COMPLETIONS
        is_model = path == MODELS or path.startswith(MODELS + "/")
        if not (is_completion or is_model):
            raise ClientError(404, "unknown_url", f"There is no {head.method} {path} here.")
        _allow(head, "POST" if is_completion else "GET")
        auth.authenticate(head.headers.get("authorization"), config.accepted_keys)
        if is_model:
            return _list(config, path)
        _check_head(head, config.max_body_bytes)
        # The body is given no name here, which would keep it until the answer.
        accepted = _accept(
            config, head, exchange, (yield ReadBody(config.max_body_bytes, BODY_SECONDS))
        )
        return (yield from exchange.complete(accepted))


def configure(lookup: Lookup) -> Gateway:
    """The gateway of the configuration that `lookup` finds, faulty or not."""
    try:
        return Gateway(configuration.load(lookup))
    except ConfigurationError as error:
        return Gateway(error)


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
    said = (head.headers.get("authorization") or "").split()
    return said[-1] if said else None


def _list(config: Config, path: str) -> Reply:
    """All models that have a name, or the one that `path` names. Raises ClientError."""
    wanted = unquote(path.removeprefix(MODELS).removeprefix("/"))
    if not wanted:
        models = [_model(name, owner) for name, owner in catalogue.names(config).items()]
        return reply({"object": "list", "data": models})
    return reply(_model(wanted, catalogue.owner_of(config, wanted)))


def _model(name: str, owner: str) -> dict[str, object]:
    return {"id": name, "object": "model", "created": 0, "owned_by": owner}


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
