"""Passes a call of one of OpenAI's other endpoints on to a provider that serves its model.

Only the model's name and the key are replaced, and parameters are left out that the row drops. A
JSON body is read whole. A form is read until its model is found, and the rest is streamed. So a
form can be sent to one target only, and only once, unless all of it has come by then.

If a form names its model after its files, the files are held until then, up to the limit of a JSON
body. If the provider has another name for the model, it is replaced where it is.
"""

from collections.abc import Callable, Generator
from dataclasses import dataclass
from functools import partial
from typing import Any

from xtrix import catalogue, vectors
from xtrix.body import (
    BODY_SECONDS,
    WHOLE_BODY_SECONDS,
    check_head,
    coding_of,
    most_read,
    too_large,
    unread,
)
from xtrix.cards import MODEL_NAME
from xtrix.config import Config
from xtrix.endpoints import Endpoint
from xtrix.errors import ApiError, ClientError, UpstreamError, invalid
from xtrix.exchange import AcceptedRequest, Exchange, Steps
from xtrix.http import RequestHead
from xtrix.json import Json, encode_body
from xtrix.keys import bounds
from xtrix.metering import CostBasis
from xtrix.multipart import ModelFinder, boundary_of
from xtrix.openai.calls import post
from xtrix.passage import Forwarded, Screen, Upload
from xtrix.protocol import Request, Stamp, says_something
from xtrix.protocols import DIALECTS, PROTOCOLS
from xtrix.providers import Plan, Target
from xtrix.reasoning import Carrier
from xtrix.shape import MODEL, STRING, Shape, maybe, members, missing
from xtrix.steps import Failure, ReadBody, ReadPiece, Step
from xtrix.translation import Conversion, TargetCall

_SHAPE = Shape(members(model=maybe(MODEL), encoding_format=maybe(STRING)))
_MOST_VALUES = 400_000
"""The most values in a request for embeddings, which may have 300,000 tokens, each a number."""
_WITH_OUTPUT = {"images", "audio"}
"""The endpoints whose answers consist of tokens."""
_VECTOR_FORM = "encoding_format"
_REPEATABLE = 262_144
"""A form of up to so many bytes is read whole, so that it can be sent more than once."""


def forward(config: Config, endpoint: Endpoint, head: RequestHead, exchange: Exchange) -> Steps:
    """The steps of a call of `endpoint`. Raises ApiError."""
    boundary = boundary_of(head.headers.get("content-type", "")) if endpoint.takes_forms else None
    check_head(head, config.max_upload_bytes if boundary else config.max_body_bytes)
    if boundary:
        form = yield from _read_form(config, head, ModelFinder(boundary))
        model = form.model
        forwarding = Forwarding(endpoint, head, form=form)
    else:
        most = most_read(config.max_body_bytes)
        step = ReadBody(
            config.max_body_bytes, BODY_SECONDS, WHOLE_BODY_SECONDS, coding_of(head), most
        )
        fields = _decode((yield step), config, endpoint)
        model = fields["model"]
        forwarding = Forwarding(endpoint, head, fields=fields)
    exchange.record.model = model
    chance = int(exchange.record.id[4:12], 16) / 2**32
    plan = catalogue.endpoint_plan(config, model, endpoint, chance)
    if not forwarding.is_repeatable:
        plan = plan._replace(targets=plan.targets[:1])
    secrets = [secret for target in plan.targets for secret in target.provider.secrets]
    exchange.redactor = exchange.redactor.knowing(secrets)
    token = exchange.record.id[4:]
    stamp = Stamp(token, int(exchange.now), model, config.fingerprint, exchange.record.id)
    accepted = AcceptedRequest(forwarding, stamp, plan, config.keep_alive)
    if exchange.meter:
        yield from exchange.meter.admit(_cost_basis(config, head, accepted, endpoint))
        exchange.headers += exchange.meter.headers("chat")
    return (yield from exchange.complete(accepted))


def _cost_basis(
    config: Config, head: RequestHead, accepted: AcceptedRequest, endpoint: Endpoint
) -> CostBasis:
    """What decides how much the call may come to."""
    declared = head.headers.get("content-length", "")
    size = int(declared) if declared.isdigit() else config.max_body_bytes
    forwarding = accepted.conversion
    assert isinstance(forwarding, Forwarding)
    return CostBasis(
        accepted.stamp.model,
        accepted.plan,
        forwarding.fields,
        bounds.of_text(size) if forwarding.fields else bounds.of_recording(size),
        has_output=endpoint.name in _WITH_OUTPUT,
    )


def _decode(body: bytes | Failure, config: Config, endpoint: Endpoint) -> Json:
    """The object in `body`, with a model. Raises ClientError."""
    if isinstance(body, Failure):
        raise unread(body, config.max_body_bytes, most_read(config.max_body_bytes))
    fields = _SHAPE.decode(body, _MOST_VALUES)
    fields["model"] = fields.get("model") or endpoint.default_model
    if fields["model"] is None:
        raise missing("model")
    return fields


@dataclass(slots=True)
class Form(Screen):
    """A form: `start` is what has come so far, and the rest is streamed."""

    finder: ModelFinder
    limit: int
    """The most bytes of the whole form."""
    declared: int | None
    start: bytes = b""
    size: int = 0
    is_whole: bool = False
    fault: ApiError | None = None

    @property
    def model(self) -> str:
        """The model that the form names."""
        return self.finder.model or ""

    def add(self, data: bytes) -> None:
        """Adds `data` to the start; no data means the form's end. Raises ClientError."""
        self.read(data)
        self.start += data
        self.is_whole = not data or self.size == self.declared

    def read(self, data: bytes) -> None:
        """Checks the next data of the form. Raises ClientError."""
        self.size += len(data)
        if self.size > self.limit:
            raise too_large(self.limit)
        self.finder.feed(data)

    def passes(self, data: bytes) -> bool:  # type: ignore[explicit-override]
        """See `Screen`."""
        try:
            self.read(data)
        except ClientError as error:
            self.fault = error
        return self.fault is None

    def start_for(self, model: str) -> bytes:
        """The start of the form, for an upstream that knows the model as `model`."""
        span = self.finder.span
        assert span is not None
        return b"".join((self.start[: span.start], model.encode(), self.start[span.end :]))


def _read_form(
    config: Config, head: RequestHead, finder: ModelFinder
) -> Generator[Step, Any, Form]:
    """Reads a form up to its model, or all of it if it is small. Raises ClientError."""
    declared = head.headers.get("content-length", "")
    coding = coding_of(head)
    length = int(declared) if declared.isdigit() and not coding else None
    form = Form(finder, config.max_upload_bytes, length)
    while not form.is_whole:
        piece = yield ReadPiece(BODY_SECONDS, coding)
        if isinstance(piece, Failure):
            raise unread(piece, form.limit)
        form.add(piece)
        if finder.model and len(form.start) > _REPEATABLE:
            break
        if not finder.model and len(form.start) > most_read(config.max_body_bytes):
            message = (
                f"'model' has not come within the first {most_read(config.max_body_bytes)} bytes:"
                " send it before the files."
            )
            raise ClientError(400, "missing_required_parameter", message, param="model")
    if not finder.model:
        raise missing("model")
    if not MODEL_NAME.fullmatch(finder.model):
        raise invalid("model", "it is not 1 to 256 printable ASCII characters without a space.")
    return form


class Forwarding(Conversion):
    """A request that is passed on untranslated to a provider that has the endpoint."""

    def __init__(
        self,
        endpoint: Endpoint,
        head: RequestHead,
        *,
        fields: Json | None = None,
        form: Form | None = None,
    ) -> None:
        """Either `fields`, the members of a JSON body, or `form` is given."""
        streams = bool(fields and fields.get("stream") is True)
        request = Request({}, b"", "", streams, head.headers)
        super().__init__(PROTOCOLS["chat"], request, Carrier(b"", b""))
        self._endpoint = endpoint
        self._fields = fields
        self._form = form

    @property
    def fields(self) -> Json:
        """The members of a JSON body; empty for a form."""
        return self._fields or {}

    @property
    def is_repeatable(self) -> bool:
        """Whether the body can be sent more than once."""
        return self._form is None or self._form.is_whole

    def encode(  # type: ignore[explicit-override]
        self, target: Target, plan: Plan, *, is_last: bool
    ) -> TargetCall:
        """The call of `target`."""
        del is_last
        kind, (body, ignored) = "application/json", self._body_for(target)
        if self._form is not None:
            kind = self.settings.headers.get("content-type", "")
        return TargetCall(
            target=target,
            codec=DIALECTS[target.provider.dialect],
            request=post(target.provider, self._endpoint.path, body, kind),
            ignored=ignored,
            most_calls=(target.provider.retries.attempts or plan.most_calls)
            if self.is_repeatable
            else 1,
            forwarded=Forwarded(
                self._endpoint.answers, self._vectors(), self._upload(body), self._filling()
            ),
        )

    def own(  # type: ignore[explicit-override]
        self, error: UpstreamError, call: TargetCall
    ) -> None:
        """Changes nothing: the upstream's error names places in the client's own request."""

    def _body_for(self, target: Target) -> tuple[bytes, tuple[str, ...]]:
        """The body for `target`, as far as it has come, and which parameters were left out."""
        if self._form is not None:
            return self._form.start_for(target.model), ()
        assert self._fields is not None
        fields = {**self._fields, "model": target.model}
        dropped = {name: fields.pop(name, None) for name in target.provider.quirks.drop}
        ignored = {name for name, value in dropped.items() if says_something(name, value)}
        # If vectors come in another form than the client asked for, they are converted here.
        return encode_body(fields), tuple(sorted(ignored - {_VECTOR_FORM}))

    def _vectors(self) -> str | None:
        """The form in which the client wants embeddings, if it is known here."""
        if self._endpoint.name != "embeddings" or self._fields is None:
            return None
        wanted = self._fields.get(_VECTOR_FORM) or "float"
        return wanted if wanted in {"float", "base64"} else None

    def _filling(self) -> Callable[[Any], bytes | None] | None:
        """The function that fills in missing members of a short answer; None if there is none."""
        if self._endpoint.name != "embeddings" or self._fields is None:
            return None
        return partial(vectors.filled, model=self._fields["model"])

    def _upload(self, start: bytes) -> Upload | None:
        """The rest of the form, after `start`; None if there is none."""
        form = self._form
        if form is None or form.is_whole:
            return None
        length = form.declared
        if length is not None:
            length += len(start) - len(form.start)
        return Upload(form, length, BODY_SECONDS)
