"""The life of one client request: what to do next, from its first byte to its last.

An exchange does nothing itself. It returns a step that says what to do, is told the outcome, and
returns the next one. At the end it returns the answer: a `Reply`, or a `Relay` that turns the
upstream's data into the client's events. (The library h11 works in the same way: its Connection
does no I/O.)

It does not know routes, keys and the configuration (`app` does), nor how a step is carried out.
"""

import re
from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from operator import attrgetter
from typing import Any, TypeAlias

from xtrix import __version__, errors, json
from xtrix.answer import Usage
from xtrix.errors import (
    DOES_NOT_FIT,
    ApiError,
    ClientError,
    Headers,
    UpstreamError,
)
from xtrix.health import Health
from xtrix.http import (
    EVENT_STREAM,
    JSON_TYPE,
    STREAM_HEADERS,
    Reply,
    UpstreamHead,
    UpstreamRequest,
    answer_headers,
)
from xtrix.metering import Attempt, Ending, Heard, Meter
from xtrix.passage import Forwarded, Passage
from xtrix.protocol import Clock, Codec, Stamp
from xtrix.providers import Plan, Target
from xtrix.recorder import Recorder
from xtrix.redact import Redactor
from xtrix.relay import Relay, SilenceLimits
from xtrix.shape import has_too_many_values
from xtrix.steps import Answer, AskArchive, Begin, Call, Collect, Failure, Outcome, Step, Wait
from xtrix.telemetry import Collector, in_words_of_the_field, span
from xtrix.translation import Conversion, TargetCall

MAX_ANSWER_BYTES = 6_000_000
"""The largest whole answer that is accepted from an upstream. To rewrite one takes several times
its size in memory."""

_KEEP_SECONDS = 5.0
"""Seconds for the archive to confirm that an answer is kept."""
_LAST_CONNECT = 120.0
_CONNECT = 60.0
"""Seconds until a stream's head: of the last target, and of the targets before it."""

_AT_WORK_SECONDS = 5.0
"""After so many seconds without a head, an upstream counts as reached."""
_SHORTEST = 0.001
"""Seconds for a call when no time is left."""

_NOTHING = Heard()
_HEADER_SAFE = re.compile(r"[A-Za-z0-9_.-]{1,64}")
_MOST_NAMES = 32

Steps: TypeAlias = Generator[Step, Any, Answer]
"""The steps of a request. Each one is sent its outcome."""


@dataclass(slots=True)
class Record:
    """The log line of one request. It has no field for a prompt or a key."""

    id: str
    method: str
    path: str
    status: int = 0
    model: str | None = None
    stream: bool = False
    provider: str | None = None
    upstream_model: str | None = None
    default_max_tokens: int | None = None
    """The token limit that was sent because the client named none."""
    attempts: int = 0
    failures: list[str] = field(default_factory=list)
    operation: str | None = None
    """OpenTelemetry's name of the operation; None if it has none."""
    finish_reasons: list[str] | None = None
    """Why the answer ended, in the client's protocol."""
    error: str | None = None
    unknown_stop_reason: str | None = None
    """The upstream's word for why it stopped, if it is not known here."""
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    key: str | None = None
    """The name of the client's key, if it has one."""
    first_byte_ms: int | None = None
    """Milliseconds until the answer began."""
    total_ms: int | None = None
    not_kept: bool | None = None
    """True if an answer should be kept, and the archive has not confirmed it."""
    version: str = __version__


_VALUES = attrgetter(*Record.__slots__)
"""Reads all fields of a record, in the order of its names."""


@dataclass(slots=True)
class AcceptedRequest:
    """A valid request, and everything that is the same for all of its targets."""

    conversion: Conversion
    stamp: Stamp
    plan: Plan
    keep_alive: float
    recorder: Recorder | None = None
    """Listens to the answer, to keep it; None if it is not kept."""

    @property
    def streamed(self) -> bool:
        """Whether the client asked for a stream."""
        return self.conversion.settings.stream

    def stamp_of(self, call: TargetCall) -> Stamp:
        """The id, the time and the model that the answer of `call` shows.

        The model is the name that the client asked for. If that name stands for several targets, it
        is the model that answered, because clients look up prices and tokenizers by it.
        """
        if not self.plan.is_choice:
            return self.stamp
        return self.stamp._replace(model=call.target.model)


@dataclass(slots=True)
class _Calls:
    """The calls of upstreams that may be charged for."""

    charged: list[Attempt] = field(default_factory=list)
    last: Target | None = None
    is_under_way: bool = False
    """Whether nothing is known to have failed of the last."""
    has_spent: bool = False
    """Whether what was set aside for the next may be spent already."""
    heard: Heard = _NOTHING
    """What its answer has told so far."""

    def begin(self, target: Target) -> None:
        """Take note of a call."""
        self.last, self.is_under_way, self.heard = target, True, _NOTHING
        self.has_spent = False

    def fail(self, *, may_have_cost: bool) -> None:
        """Take note that the call has failed."""
        if may_have_cost:
            self.end(self.heard)
            self.has_spent = True
        self.is_under_way = False

    def end(self, heard: Heard) -> None:
        """Notes everything that is known about the last call.

        This also happens if the client has left, or a fault of our own has ended it, before an
        answer came.
        """
        if self.last and self.is_under_way:
            self.charged.append(Attempt(self.last, heard))


class Exchange:
    """One client request with its upstream calls."""

    def __init__(self, record: Record, health: Health, now: float, codec: Codec) -> None:
        """`now` is the time in Unix seconds, `codec` the protocol for errors."""
        self.record = record
        self._codec = codec
        self.headers: Headers = answer_headers(record.id, codec.request_id_header)
        """The headers of every answer to this request, besides its own."""
        self.redactor = Redactor()
        self.meter: Meter | None = None
        """What counts the usage, if the client's key has a name."""
        self._health = health
        self.clock = Clock(now)
        self._began = now
        self._calls = _Calls()
        self._relay: Relay | Passage | None = None
        self._steps: Steps | None = None
        self._is_last = True
        """Whether there are no further targets."""
        self.collector: Collector | None = None
        """Where to send a span at the end."""
        self.parent = ""
        """The client's header `traceparent`."""
        self._watched: Target | None = None
        """The target of a stream that has not ended, if there were other targets."""

    @property
    def now(self) -> float:
        """The time of the last step, in Unix seconds."""
        return self.clock.now

    def follow(self, steps: Steps) -> None:
        """Sets the steps of this exchange, before the first one."""
        self._steps = steps

    def advance(self, outcome: Outcome, now: float) -> Step | Answer:
        """The next step, or the answer. `outcome` is that of the last step; None at first.

        `now` is the time in Unix seconds.
        """
        assert self._steps is not None
        self.clock.now = now
        try:
            return self._steps.send(outcome)
        except StopIteration as done:
            answer: Answer = done.value
        except ApiError as error:
            self.record.error = error.code
            answer = self._codec.encode_error(error, self.record.id)
        return self._answered(answer)

    def crash(self) -> Answer:
        """The answer after a fault of our own. No further step follows."""
        self.close()
        self.record.error = "internal_error"
        return self._answered(self._codec.encode_error(errors.internal_error(), self.record.id))

    def close(self) -> None:
        """Ends the exchange, and frees everything that it holds.

        Steps that have not ended refer to their exchange, and it refers to them. Otherwise only
        Python's garbage collector for cycles would free the two, with everything that they hold.
        """
        if self._steps:
            self._steps.close()
            self._steps = None

    def log_line(self, now: float, *, left: bool = False) -> str:
        """The log line, once everything is done. `left` means that the client has left before."""
        record = self.record
        record.total_ms = max(record.first_byte_ms or 0, round((now - self._began) * 1000))
        self._note_end(now, left=left)
        if self._relay:
            self._count(self._relay.usage, is_whole=self._relay.finished)
            record.unknown_stop_reason = self._relay.unknown_stop_reason
            record.finish_reasons = [*self._relay.finish_reasons] or None
            record.error = record.error or (self._relay.error.code if self._relay.error else None)
        if self.meter:
            self._finish_meter(self.meter, now, left=left)
        if left:
            record.error = "client_left"
        return self.redactor.line(json.encode(in_words_of_the_field(self._known())))

    def _finish_meter(self, meter: Meter, now: float, *, left: bool) -> None:
        """Counts what was used, also by an answer that was cut off."""
        relay, record, calls = self._relay, self.record, self._calls
        heard = calls.heard
        if relay:
            is_whole = relay.error is None and not left
            is_whole = is_whole or (relay.finished and relay.usage.completion > 0)
            heard = _heard(relay, is_whole=is_whole)
        calls.end(heard)
        meter.finish(Ending(calls.last, calls.charged, record.error is not None), now)
        record.key = meter.name

    def span(self, now: float) -> UpstreamRequest | None:
        """The call that sends a span to the collector, after the log line; None for none."""
        if self.collector is None:
            return None
        call = span(self.collector, self._known(), self.parent, self._began, now)
        return call._replace(body=self.redactor.line(call.body.decode()).encode())

    def _known(self) -> dict[str, Any]:
        """The known fields of the record, by name."""
        values = zip(Record.__slots__, _VALUES(self.record), strict=True)
        known = {name: value for name, value in values if value is not None}
        if self.meter:
            known["cost"] = self.meter.cost  # null if it is not known
        return known

    def complete(self, accepted: AcceptedRequest) -> Steps:
        """The steps of a completion: they try the plan's targets until one answers."""
        self.record.model = accepted.stamp.model
        self.record.stream = accepted.streamed
        plan = accepted.plan
        failures: list[UpstreamError] = []
        refusal: ClientError | None = None
        targets = self._health.order(plan.targets, self.now)
        for left, target in zip(reversed(range(len(targets))), targets, strict=True):
            try:
                answer = yield from self._target(accepted, target, is_last=not left)
            except ClientError as error:
                # Another target's dialect may be able to express the request. A traceback would
                # keep the request in memory.
                refusal = error.with_traceback(None)
                self._calls.is_under_way = False
                continue
            except UpstreamError as error:
                failures.append(error.with_traceback(None))
                error.headers += (self._served_by(),)
                if error.policy.counts and len(plan.targets) > 1:
                    self._health.failed(target, self.now)
                if not error.policy.elsewhere or self._is_late(plan):
                    break
            else:
                self._note_answer(answer, target, plan)
                return answer
        if failures:
            final = _final_error(failures)
            final.headers += (self._attempts(),)
            raise final
        raise refusal or errors.internal_error()

    def _target(self, accepted: AcceptedRequest, target: Target, *, is_last: bool) -> Steps:
        """The steps for one target. Raises ApiError.

        If the target refuses reasoning of another provider, it is called once more without it. If
        it lacks the called path, it is called once more with a translated request.
        """
        conversion = accepted.conversion
        self._is_last = is_last
        while True:
            call = conversion.encode(target, accepted.plan, is_last=is_last)
            try:
                return (yield from self._try(accepted, call))
            except UpstreamError as error:
                how = conversion.reword(error, call)
                if how is None or self._is_late(accepted.plan):
                    raise
            self.record.failures[-1] += f" (asked again {how})"

    def _note_answer(self, answer: Answer, target: Target, plan: Plan) -> None:
        """Notes in the target's health that it answered. A stream is noted when it ends."""
        if isinstance(answer, (Relay, Passage)):
            self._watched = target if len(plan.targets) > 1 else None
        else:
            self._health.answered(target)

    def _note_end(self, now: float, *, left: bool) -> None:
        """Notes in the target's health how a stream ended, unless the client left."""
        target, self._watched = self._watched, None
        if target is None or left or self._relay is None:
            return
        error = self._relay.error
        if error is None:
            self._health.answered(target)
        elif isinstance(error, UpstreamError) and error.policy.counts:
            self._health.failed(target, now)

    def _try(self, accepted: AcceptedRequest, call: TargetCall) -> Steps:
        """The steps of up to `attempts` calls to one target. Raises UpstreamError."""
        target = call.target
        while True:
            began = self.now
            try:
                return (yield from self._attempt(accepted, call))
            except UpstreamError as error:
                self.redactor.clean(error)
                self._calls.fail(may_have_cost=error.may_have_cost)
                accepted.conversion.own(error, call)
                name = f"{target.provider.name}/{target.model}"
                self.record.failures.append(f"{name}: {error.code or error.status}")
                pause = self._pause(call, error, self.now - began)
                if pause is None or self._is_late(accepted.plan, pause):
                    raise
            yield Wait(pause)

    def _begin(self, call: TargetCall) -> Generator[Step, Any, None]:
        """Notes a call that is about to be made. Raises ApiError if it may not be made."""
        if self.meter and self._calls.has_spent:
            yield from self.meter.reserve_again()
        self._calls.begin(call.target)
        self.record.attempts += 1
        self.record.provider = call.target.provider.name
        self.record.upstream_model = call.target.model
        self.record.default_max_tokens = call.default_max_tokens

    def _attempt(self, accepted: AcceptedRequest, call: TargetCall) -> Steps:
        """The steps of one call. Raises ApiError."""
        yield from self._begin(call)
        limits = call.target.provider.timeouts
        collect = Collect(MAX_ANSWER_BYTES, limits.idle, limits.progress)
        if call.forwarded:
            return (yield from self._forward(accepted, call, call.forwarded))
        began = self.now
        if not accepted.streamed:
            seconds = self._left(accepted.plan, self._begin_limit(accepted.plan, limits.first_byte))
            answer = self._reached((yield _call(accepted, call, seconds, collect)), began)
            body = _body(answer.head, answer.body)
            if has_too_many_values(body):
                raise errors.too_large()
            _check(call.codec, answer.head, body)
            return (yield from self._reply(accepted, call, body))
        connect = limits.connect or (_LAST_CONNECT if self._is_last else _CONNECT)
        seconds = self._left(accepted.plan, self._begin_limit(accepted.plan, connect))
        head = self._reached((yield _call(accepted, call, seconds)), began)
        if head.status != 200 or not head.may_be(EVENT_STREAM):
            body = _body(head, (yield collect))
            raise _error_in(call.codec, head, body) or errors.wrong_type("it is not a stream")
        relay = self._open_relay(accepted, call, self.now - began)
        yield Begin(relay)
        if relay.error and not relay.begun:
            self._calls.heard = _heard(relay)
            raise relay.error
        self._relay = relay
        return relay

    def _reached(self, outcome: Any, began: float) -> Any:
        """The `outcome` of a call that `began` then. Raises UpstreamError if there was no head."""
        try:
            return _sound(outcome)
        except UpstreamError as error:
            # The runtime does not say whether a connection was refused or was lost. One that was
            # lost late had reached an upstream that was at work.
            error.may_have_cost |= self.now - began >= _AT_WORK_SECONDS
            raise

    def _keep(self, recorder: Recorder, body: bytes) -> Generator[AskArchive, Outcome, None]:
        """The step that keeps a whole answer. The client gets its answer even if this fails."""
        message = recorder.message_of(body.decode())
        outcome = yield AskArchive(recorder.name, message, _KEEP_SECONDS)
        self.record.not_kept = True if isinstance(outcome, Failure) else None

    def _forward(self, accepted: AcceptedRequest, call: TargetCall, forwarded: Forwarded) -> Steps:
        """The steps of one call whose answer is passed on as it is. Raises ApiError."""
        limits = call.target.provider.timeouts
        first_byte = self._left(accepted.plan, self._begin_limit(accepted.plan, limits.first_byte))
        began = self.now
        outcome = yield Call(call.take_request(), first_byte, upload=forwarded.upload)
        if forwarded.upload and forwarded.upload.screen.fault:
            raise forwarded.upload.screen.fault
        head = self._reached(outcome, began)
        if head.status != 200 or not head.may_be(*forwarded.answers):
            collect = Collect(MAX_ANSWER_BYTES, limits.idle, limits.progress)
            body = _body(head, (yield collect))
            raise _error_in(call.codec, head, body) or errors.wrong_type("it is something else")
        headers = (*self._served(), *_ignored(call.ignored))
        silence = SilenceLimits(first_byte, limits.idle, 0, limits.progress)
        passage = Passage(forwarded, head, self.redactor.pieces(), headers, silence)
        passage.tick(self.now)
        yield Begin(passage)
        if passage.error and not passage.begun:
            self._calls.heard = _heard(passage)
            raise passage.error
        self._relay = passage
        return passage

    def _reply(self, accepted: AcceptedRequest, call: TargetCall, body: bytes) -> Steps:
        """The steps that turn a whole response into the answer. Raises UpstreamError."""
        whole = accepted.conversion.whole(body, call, accepted.stamp_of(call))
        self._count(whole.usage)
        self._calls.heard = Heard(whole.usage, len(whole.body), whole.served, is_whole=True)
        self.record.unknown_stop_reason = whole.unknown_stop_reason
        self.record.finish_reasons = [*whole.finish_reasons] or None
        headers = (JSON_TYPE, *self._served(), *_ignored(call.ignored))
        body = self.redactor.body(whole.body)
        if accepted.recorder:
            yield from self._keep(accepted.recorder, body)
        return Reply(200, headers, body)

    def _open_relay(self, accepted: AcceptedRequest, call: TargetCall, took: float) -> Relay:
        """The relay of a stream. `took` is how many seconds its head took."""
        stream = accepted.conversion.stream(call, accepted.stamp_of(call))
        headers = (*STREAM_HEADERS, *self._served(), *_ignored(call.ignored))
        limits = call.target.provider.timeouts
        limit = self._begin_limit(accepted.plan, limits.first_byte, took)
        first_byte = self._left(accepted.plan, limit)
        # What only announces an answer does not count as its beginning, so it is held back.
        holds = not self._is_last and accepted.plan.first_byte is not None
        silence = SilenceLimits(
            first_byte, limits.idle, accepted.keep_alive, limits.progress, holds_opening=holds
        )
        relay = Relay(stream, self.redactor, headers, silence, self.clock)
        relay.recorder = accepted.recorder
        relay.tick(self.now)
        return relay

    def _pause(self, call: TargetCall, error: UpstreamError, took: float) -> float | None:
        """Seconds until the same target is tried again; None if it is not.

        A call that took as long to fail as the longest wait is not repeated.
        """
        retries = call.target.provider.retries
        if call.is_last or not error.policy.repeat or took >= retries.longest:
            return None
        # A quarter of the wait is random, so that not all clients come back at once. The request's
        # id serves as the random number.
        chance = int(self.record.id[-8:], 16) / 0xFFFFFFFF
        pause = retries.backoff * 2 ** (call.attempts - 1) * (1 - chance / 4)
        pause = max(pause, error.retry_after or 0)
        return pause if pause <= retries.longest else None

    def _begin_limit(self, plan: Plan, limit: float, took: float = 0) -> float:
        """Seconds that a target may take to begin: its own `limit`, or less if the model sets less.

        `took` seconds of the model's limit are over.
        """
        if self._is_last or plan.first_byte is None:
            return limit
        return max(_SHORTEST, min(limit, plan.first_byte - took))

    def _left(self, plan: Plan, limit: float) -> float:
        """Seconds that the next call may take."""
        if plan.deadline is None:
            return limit
        return max(_SHORTEST, min(limit, self._began + plan.deadline - self.now))

    def _is_late(self, plan: Plan, pause: float = 0) -> bool:
        return plan.deadline is not None and self.now + pause - self._began >= plan.deadline

    def _served(self) -> Headers:
        return self._served_by(), self._attempts()

    def _served_by(self) -> tuple[str, str]:
        return "x-served-by", f"{self.record.provider}/{self.record.upstream_model}"

    def _attempts(self) -> tuple[str, str]:
        return "x-attempts", str(self.record.attempts)

    def _answered(self, answer: Answer) -> Answer:
        if self.record.method == "HEAD" and isinstance(answer, Reply):
            answer = answer._replace(body=b"")
        self.record.status = answer.status
        self.record.first_byte_ms = round((self.now - self._began) * 1000)
        return answer

    def _count(self, usage: Usage, *, is_whole: bool = True) -> None:
        """Notes the usage in the record. A stream that broke has not reported all of it.

        Every prompt has tokens, so an upstream that reports 0 has not counted.
        """
        self.record.prompt_tokens = usage.prompt or None
        is_counted = usage.prompt or usage.completion
        self.record.completion_tokens = usage.completion if is_whole and is_counted else None


def _final_error(failures: list[UpstreamError]) -> UpstreamError:
    """The error that the client gets if all targets failed: the last one, with two exceptions.

    If a prompt was too long, that error comes first, because the client can shorten it. If the last
    target refused the request itself, an earlier error comes first if it was temporary, because
    that target would have accepted the request.
    """
    too_long = [failure for failure in failures if failure.policy is DOES_NOT_FIT]
    if too_long:
        return too_long[-1]
    passing = [failure for failure in failures if failure.policy.passes]
    last = failures[-1]
    return passing[-1] if passing and not last.policy.elsewhere else last


_FAILED: dict[Failure, Callable[[], UpstreamError]] = {
    Failure.CONNECTION: errors.no_connection,
    Failure.TIME: lambda: errors.out_of_time("no answer came"),
    Failure.SIZE: errors.too_large,
    Failure.MEMORY: errors.no_memory_for_answer,
}


def _call(
    accepted: AcceptedRequest, call: TargetCall, seconds: float, collect: Collect | None = None
) -> Call:
    request = call.take_request()
    is_last = call.request is None and accepted.conversion.is_spent
    return Call(request, seconds, collect, is_last)


def _heard(relay: Relay | Passage, *, is_whole: bool = False) -> Heard:
    """What a stream has told so far."""
    return Heard(relay.usage, relay.characters, relay.served, is_whole=is_whole)


def _body(head: UpstreamHead, outcome: Any) -> bytes:
    """The body that goes with `head`. Raises UpstreamError."""
    try:
        body: bytes = _sound(outcome)
    except UpstreamError as error:
        # With status 200 an answer had begun. An error costs nothing, in whatever form it comes.
        error.may_have_cost = head.status == 200
        raise
    return body


def _sound(outcome: Any) -> Any:
    """`outcome`, if it is not a failure. Raises UpstreamError."""
    if isinstance(outcome, Failure):
        raise _FAILED[outcome]()
    return outcome


def _check(codec: Codec, head: UpstreamHead, body: bytes) -> None:
    """Raises UpstreamError unless `body` can be a whole completion."""
    if head.status != 200:
        raise _error_in(codec, head, body) or errors.bad_response("it is no completion")
    if not head.may_be("application/json"):
        raise errors.wrong_type("its content type is not JSON")


def _error_in(codec: Codec, head: UpstreamHead, body: bytes) -> UpstreamError | None:
    """The error in a response: by its status, or, with status 200, in its body."""
    if head.status >= 400:
        return codec.decode_error(head, body)
    if head.status != 200:
        error = errors.bad_response(f"status {head.status} instead of a completion")
        error.may_have_cost = head.status < 300
        return error
    try:
        found = json.decode_object(body).get("error")
    except ValueError:
        found = None
    return codec.decode_error(head, body) if found else None


def _ignored(parameters: tuple[str, ...]) -> Headers:
    """The header that names ignored parameters. A name with odd characters is left out of it."""
    if not parameters:
        return ()
    names = [name for name in parameters if _HEADER_SAFE.fullmatch(name)]
    return (("x-ignored-parameters", ", ".join(names[:_MOST_NAMES])),) if names else ()
