"""One client request's life: what to do next, from its first byte to its last.

An exchange never does anything. It says what is to be done (a step), is told how that went, and
says what is next, until it says what to answer: a `Reply`, or a `Relay` that goes on turning
upstream data into frames. What h11's Connection is to HTTP, this is to a gateway.

Refuses to know routes, keys and configuration (`app` does), and how any step is carried out.
"""

import re
from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from xtrix import errors, json
from xtrix.chunks import ChunkWriter, UsageForm
from xtrix.completions import Request, Stamp, Usage
from xtrix.dialect import Asked, Dialect
from xtrix.dialects import DIALECTS
from xtrix.errors import ApiError, ClientError, Headers, UpstreamError
from xtrix.health import Health
from xtrix.http import (
    EVENT_STREAM,
    STREAM_HEADERS,
    Reply,
    UpstreamHead,
    UpstreamRequest,
    answer_headers,
    error_reply,
    reply,
)
from xtrix.providers import Plan, Target
from xtrix.redact import Redactor
from xtrix.relay import Patience, Relay
from xtrix.steps import Answer, Begin, Call, Collect, Failure, Outcome, Step, Wait

MAX_ANSWER_BYTES = 16_000_000
"""The largest whole answer taken from an upstream: rewriting it takes several times its size."""

_HEADER_SAFE = re.compile(r"[A-Za-z0-9_.-]{1,64}")
_MOST_NAMES = 32

Steps: TypeAlias = Generator[Step, Any, Answer]
"""What is to be done, step by step; each is sent its outcome."""


@dataclass(slots=True)
class Record:
    """What the log line of one request says. It has no place for a prompt or a key."""

    id: str
    method: str
    path: str
    status: int = 0
    model: str | None = None
    stream: bool = False
    provider: str | None = None
    upstream_model: str | None = None
    default_max_tokens: int | None = None
    """The limit that the upstream was given because the client named none."""
    attempts: int = 0
    failures: list[str] = field(default_factory=list)
    error: str | None = None
    unknown_stop_reason: str | None = None
    """The upstream's word for why it stopped, where that is not known here."""
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    first_byte_ms: int | None = None
    """Milliseconds until the answer began."""
    total_ms: int | None = None


@dataclass(slots=True)
class AcceptedRequest:
    """A valid request and what goes with it, the same for every target."""

    request: Request | None
    """None once no further target can need it: it may be megabytes."""
    streamed: bool
    usage_form: UsageForm
    stamp: Stamp
    plan: Plan
    keep_alive: float

    def take_request(self, *, for_last_target: bool) -> Request:
        """The request, which is forgotten with the last target that it is taken for."""
        request = self.request
        assert request is not None
        if for_last_target:
            self.request = None
        return request


@dataclass(slots=True)
class _TargetCall:
    """What one target is asked, as often as its row allows."""

    target: Target
    dialect: Dialect
    request: UpstreamRequest | None
    """None once no further attempt can need it."""
    asked: Asked
    ignored: tuple[str, ...]
    default_max_tokens: int | None
    attempts: int = 0

    @property
    def is_last(self) -> bool:
        """Whether the row allows no further attempt."""
        return self.attempts >= self.target.provider.retries.attempts

    def take_request(self) -> UpstreamRequest:
        """The request of the next attempt, which is forgotten with the last one."""
        request = self.request
        assert request is not None
        self.attempts += 1
        if self.is_last:
            self.request = None
        return request


class Exchange:
    """One client request with its upstream calls."""

    def __init__(self, record: Record, health: Health, now: float) -> None:
        """`now` is the shell's clock in Unix seconds."""
        self.record = record
        self.headers: Headers = answer_headers(record.id)
        """What every answer to this request carries beside its own."""
        self.redactor = Redactor()
        self._health = health
        self._began = self.now = now
        self._relay: Relay | None = None
        self._steps: Steps | None = None

    def follow(self, steps: Steps) -> None:
        """Take `steps` as what is to be done, before the first of them."""
        self._steps = steps

    def advance(self, outcome: Outcome, now: float) -> Step | Answer:
        """What to do next, or the answer. `outcome` is the last step's; None before the first.

        `now` is the shell's clock in seconds.
        """
        assert self._steps is not None
        self.now = now
        try:
            return self._steps.send(outcome)
        except StopIteration as done:
            answer: Answer = done.value
        except ApiError as error:
            self.record.error = error.code
            answer = error_reply(error)
        return self._answered(answer)

    def crash(self) -> Answer:
        """The answer after our own fault. Nothing of what was to be done is done any more."""
        self.close()
        self.record.error = "internal_error"
        return self._answered(error_reply(errors.internal_error()))

    def close(self) -> None:
        """Let go of what is still to be done, and of all that was kept for it.

        Steps that are not at their end hold their exchange and are held by it: only Python's
        collector of cycles would find the two, and what they hold with them.
        """
        if self._steps:
            self._steps.close()
            self._steps = None

    def log_line(self, now: float, *, left: bool = False) -> str:
        """The record as JSON once all is done; `left` when the client did not wait for that."""
        record = self.record
        record.total_ms = max(record.first_byte_ms or 0, round((now - self._began) * 1000))
        if self._relay:
            self._count(self._relay.usage)
            record.unknown_stop_reason = self._relay.unknown_stop_reason
            record.error = record.error or (self._relay.error.code if self._relay.error else None)
        if left:
            record.error = "client_left"
        said = ((name, getattr(record, name)) for name in Record.__slots__)
        line = json.encode({name: value for name, value in said if value is not None})
        return self.redactor.line(line)

    def complete(self, accepted: AcceptedRequest) -> Steps:
        """The steps of a completion: each target of the plan until one answers."""
        self.record.model = accepted.stamp.model
        self.record.stream = accepted.streamed
        plan = accepted.plan
        failure: UpstreamError | None = None
        refusal: ClientError | None = None
        targets = self._health.order(plan.targets, self.now)
        for left, target in zip(reversed(range(len(targets))), targets, strict=True):
            try:
                call = _encode(accepted, target, is_last=not left)
                answer = yield from self._try(accepted, call)
            except ClientError as error:
                # This dialect cannot say it; another may. A traceback would hold the request.
                refusal = error.with_traceback(None)
                continue
            except UpstreamError as error:
                failure = error.with_traceback(None)
                if error.policy.counts and len(plan.targets) > 1:
                    self._health.failed(target, self.now)
                if not error.policy.elsewhere or self._is_late(plan):
                    break
            else:
                self._health.answered(target)
                return answer
        if failure:
            failure.headers += self._served()
        raise failure or refusal or errors.internal_error()

    def _try(self, accepted: AcceptedRequest, call: _TargetCall) -> Steps:
        """The steps of up to `attempts` calls to one target. Raises UpstreamError."""
        target = call.target
        while True:
            try:
                return (yield from self._attempt(accepted, call))
            except UpstreamError as error:
                self.redactor.clean(error)
                name = f"{target.provider.name}/{target.model}"
                self.record.failures.append(f"{name}: {error.code or error.status}")
                pause = self._pause(call, error)
                if pause is None or self._is_late(accepted.plan, pause):
                    raise
            yield Wait(pause)

    def _attempt(self, accepted: AcceptedRequest, call: _TargetCall) -> Steps:
        """The steps of one call. Raises UpstreamError."""
        limits = call.target.provider.timeouts
        self.record.attempts += 1
        self.record.provider = call.target.provider.name
        self.record.upstream_model = call.target.model
        self.record.default_max_tokens = call.default_max_tokens
        collect = Collect(MAX_ANSWER_BYTES, limits.idle)
        if not accepted.streamed:
            seconds = self._left(accepted.plan, limits.first_byte)
            answer = _sound((yield Call(call.take_request(), seconds, collect)))
            body = _sound(answer.body)
            _check(call.dialect, answer.head, body)
            return self._reply(accepted, call, body)
        head = _sound((yield Call(call.take_request(), self._left(accepted.plan, limits.connect))))
        if head.status != 200 or not head.may_be(EVENT_STREAM):
            body = _sound((yield collect))
            raise _error_in(call.dialect, head, body) or errors.wrong_type("it is not a stream")
        relay = self._open_relay(accepted, call)
        yield Begin(relay)
        if relay.error and not relay.begun:
            raise relay.error
        self._relay = relay
        return relay

    def _reply(self, accepted: AcceptedRequest, call: _TargetCall, body: bytes) -> Answer:
        """The answer that a whole response is. Raises UpstreamError."""
        completion = call.dialect.decode_response(body, call.asked)
        self._count(completion.usage)
        self.record.unknown_stop_reason = completion.unknown_stop_reason
        headers = (*self._served(), *_ignored(call.ignored))
        whole = reply(completion.wire(accepted.stamp), headers=headers)
        return whole._replace(body=self.redactor.body(whole.body))

    def _open_relay(self, accepted: AcceptedRequest, call: _TargetCall) -> Relay:
        writer = ChunkWriter(accepted.stamp, accepted.usage_form)
        decoder = call.dialect.stream_decoder(writer, call.asked)
        headers = (*STREAM_HEADERS, *self._served(), *_ignored(call.ignored))
        limits = call.target.provider.timeouts
        first_byte = self._left(accepted.plan, limits.first_byte)
        patience = Patience(first_byte, limits.idle, accepted.keep_alive)
        relay = Relay(decoder, self.redactor, headers, patience)
        relay.tick(self.now)
        return relay

    def _pause(self, call: _TargetCall, error: UpstreamError) -> float | None:
        """Seconds until the same target is tried again; None when it is not."""
        if call.is_last or not error.policy.repeat:
            return None
        retries = call.target.provider.retries
        # A quarter of the wait is drawn from the request's id, so that clients spread out.
        chance = int(self.record.id[-8:], 16) / 0xFFFFFFFF
        pause = retries.backoff * 2 ** (call.attempts - 1) * (1 - chance / 4)
        pause = max(pause, error.retry_after or 0)
        return pause if pause <= retries.longest else None

    def _left(self, plan: Plan, limit: float) -> float:
        """Seconds that the next call may take."""
        if plan.deadline is None:
            return limit
        return max(0.001, min(limit, self._began + plan.deadline - self.now))

    def _is_late(self, plan: Plan, pause: float = 0) -> bool:
        return plan.deadline is not None and self.now + pause - self._began >= plan.deadline

    def _served(self) -> Headers:
        served_by = f"{self.record.provider}/{self.record.upstream_model}"
        return (("x-served-by", served_by), ("x-attempts", str(self.record.attempts)))

    def _answered(self, answer: Answer) -> Answer:
        if self.record.method == "HEAD" and isinstance(answer, Reply):
            answer = answer._replace(body=b"")
        self.record.status = answer.status
        self.record.first_byte_ms = round((self.now - self._began) * 1000)
        return answer

    def _count(self, usage: Usage) -> None:
        self.record.prompt_tokens = usage.prompt
        self.record.completion_tokens = usage.completion


def _encode(accepted: AcceptedRequest, target: Target, *, is_last: bool) -> _TargetCall:
    """What `target` is asked, the last of those left or not. Raises ClientError.

    A function of its own, so that what it encodes is nobody's when it returns.
    """
    dialect = DIALECTS[target.provider.dialect]
    request = accepted.take_request(for_last_target=is_last)
    encoded = dialect.encode_request(request, target)
    return _TargetCall(
        target, dialect, encoded.request, encoded.asked, encoded.ignored, encoded.default_max_tokens
    )


_FAILED: dict[Failure, Callable[[], UpstreamError]] = {
    Failure.CONNECTION: errors.no_connection,
    Failure.TIME: lambda: errors.out_of_time("no answer came"),
    Failure.SIZE: errors.too_large,
}


def _sound(outcome: Any) -> Any:
    """`outcome`, unless it is a failure. Raises UpstreamError."""
    if isinstance(outcome, Failure):
        raise _FAILED[outcome]()
    return outcome


def _check(dialect: Dialect, head: UpstreamHead, body: bytes) -> None:
    """Raise UpstreamError unless `body` may be a whole completion."""
    if head.status != 200:
        raise _error_in(dialect, head, body) or errors.bad_response("it is no completion")
    if not head.may_be("application/json"):
        raise errors.wrong_type("its content type is not JSON")


def _error_in(dialect: Dialect, head: UpstreamHead, body: bytes) -> UpstreamError | None:
    """The error that a response stands for, or, with status 200, that its body holds."""
    if head.status >= 400:
        return dialect.decode_error(head, body)
    if head.status != 200:
        return errors.bad_response(f"status {head.status} instead of a completion")
    try:
        said = json.decode_object(body).get("error")
    except ValueError:
        said = None
    return dialect.decode_error(head, body) if said else None


def _ignored(parameters: tuple[str, ...]) -> Headers:
    """The header that names what was left out. A name that could break a header is not named."""
    names = [name for name in parameters if _HEADER_SAFE.fullmatch(name)]
    return (("x-ignored-parameters", ", ".join(names[:_MOST_NAMES])),) if names else ()
