"""A call of one of OpenAI's other endpoints: passed on as it is to who serves its model.

What has to be ours is the model's name, the key, and what the row drops. A JSON body is read whole,
as every other; a form is not. Its beginning is read until the model is found, and the rest goes on
while it comes. So a form can go to one target once only, unless all of it had come by then.

A form whose model comes after its files is held up to that, as far as a JSON body may be. A model
that has another name at the provider is replaced where it stands.
"""

from collections.abc import Generator
from dataclasses import dataclass
from typing import Any

from xtrix import catalogue
from xtrix.body import BODY_SECONDS, check_head, coding_of, most_read, too_large, unread
from xtrix.cards import MODEL_NAME
from xtrix.config import Config
from xtrix.endpoints import Endpoint
from xtrix.errors import ApiError, ClientError, UpstreamError, invalid
from xtrix.exchange import AcceptedRequest, Exchange, Steps
from xtrix.http import RequestHead
from xtrix.json import Json, encode_body
from xtrix.keys import bounds
from xtrix.metering import Asked
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
"""A request for embeddings may be 300,000 tokens, each a number, and nothing is made of them."""
_WITH_OUTPUT = {"images", "audio"}
"""The endpoints whose answers are made of tokens."""
_VECTOR_FORM = "encoding_format"
_REPEATABLE = 262_144
"""Bytes of a form that is waited for as a whole, so that it can be sent again."""


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
        step = ReadBody(config.max_body_bytes, BODY_SECONDS, coding_of(head), most)
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
        yield from exchange.meter.admit(_asked(config, head, accepted, endpoint))
        exchange.headers += exchange.meter.headers("chat")
    return (yield from exchange.complete(accepted))


def _asked(
    config: Config, head: RequestHead, accepted: AcceptedRequest, endpoint: Endpoint
) -> Asked:
    """What decides how much the call may come to."""
    declared = head.headers.get("content-length", "")
    size = int(declared) if declared.isdigit() else config.max_body_bytes
    forwarding = accepted.conversion
    assert isinstance(forwarding, Forwarding)
    return Asked(
        accepted.stamp.model,
        accepted.plan,
        forwarding.fields,
        size,
        bounds.of_text(size) if forwarding.fields else bounds.of_recording(size),
        has_output=endpoint.name in _WITH_OUTPUT,
    )


def _decode(body: bytes | Failure, config: Config, endpoint: Endpoint) -> Json:
    """The object that `body` spells, its model filled in. Raises ClientError."""
    if isinstance(body, Failure):
        raise unread(body, config.max_body_bytes, most_read(config.max_body_bytes))
    fields = _SHAPE.decode(body, _MOST_VALUES)
    fields["model"] = fields.get("model") or endpoint.default_model
    if fields["model"] is None:
        raise missing("model")
    return fields


@dataclass(slots=True)
class Form(Screen):
    """A form, of which `start` has come, and what goes on of it."""

    finder: ModelFinder
    limit: int
    """Bytes of all of it."""
    declared: int | None
    start: bytes = b""
    size: int = 0
    is_whole: bool = False
    fault: ApiError | None = None

    @property
    def model(self) -> str:
        """The model that it names."""
        return self.finder.model or ""

    def add(self, data: bytes) -> None:
        """Take `data` into the start; nothing is the form's end. Raises ClientError."""
        self.read(data)
        self.start += data
        self.is_whole = not data or self.size == self.declared

    def read(self, data: bytes) -> None:
        """Look at `data`, which comes next. Raises ClientError."""
        self.size += len(data)
        if self.size > self.limit:
            raise too_large(self.limit)
        self.finder.feed(data)

    def passes(self, data: bytes) -> bool:  # type: ignore[explicit-override]
        """As `Screen` has it."""
        try:
            self.read(data)
        except ClientError as error:
            self.fault = error
        return self.fault is None

    def start_for(self, model: str) -> bytes:
        """The start, for an upstream that calls the model `model`."""
        span = self.finder.span
        assert span is not None
        return b"".join((self.start[: span.start], model.encode(), self.start[span.end :]))


def _read_form(
    config: Config, head: RequestHead, finder: ModelFinder
) -> Generator[Step, Any, Form]:
    """Read a form up to its model, or all of it where it is small. Raises ClientError."""
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
    """A request on its way to whoever has its endpoint. Nothing of it is translated."""

    def __init__(
        self,
        endpoint: Endpoint,
        head: RequestHead,
        *,
        fields: Json | None = None,
        form: Form | None = None,
    ) -> None:
        """One of `fields`, of a JSON body, and `form` is given."""
        streams = bool(fields and fields.get("stream") is True)
        request = Request({}, b"", "", streams, head.headers)
        super().__init__(PROTOCOLS["chat"], request, Carrier(b"", b""))
        self._endpoint = endpoint
        self._fields = fields
        self._form = form

    @property
    def fields(self) -> Json:
        """The members of a JSON body; none of a form's."""
        return self._fields or {}

    @property
    def is_repeatable(self) -> bool:
        """Whether the body can be sent more than once."""
        return self._form is None or self._form.is_whole

    def encode(  # type: ignore[explicit-override]
        self, target: Target, plan: Plan, *, is_last: bool
    ) -> TargetCall:
        """What `target` is asked."""
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
            forwarded=Forwarded(self._endpoint.answers, self._vectors(), self._upload(body)),
        )

    def own(  # type: ignore[explicit-override]
        self, error: UpstreamError, call: TargetCall
    ) -> None:
        """Nothing: an upstream names places in the client's own request."""

    def _body_for(self, target: Target) -> tuple[bytes, tuple[str, ...]]:
        """The body for `target`, as far as it has come, and what was left out of it."""
        if self._form is not None:
            return self._form.start_for(target.model), ()
        assert self._fields is not None
        fields = {**self._fields, "model": target.model}
        dropped = {name: fields.pop(name, None) for name in target.provider.quirks.drop}
        ignored = {name for name, value in dropped.items() if says_something(name, value)}
        # Who gets vectors in another form than they asked for has them brought into it here.
        return encode_body(fields), tuple(sorted(ignored - {_VECTOR_FORM}))

    def _vectors(self) -> str | None:
        """The form in which embeddings are wanted, where it is one that is known here."""
        if self._endpoint.name != "embeddings" or self._fields is None:
            return None
        wanted = self._fields.get(_VECTOR_FORM) or "float"
        return wanted if wanted in {"float", "base64"} else None

    def _upload(self, start: bytes) -> Upload | None:
        """What comes after `start`; None where that is all."""
        form = self._form
        if form is None or form.is_whole:
            return None
        length = form.declared
        if length is not None:
            length += len(start) - len(form.start)
        return Upload(form, length, BODY_SECONDS)
