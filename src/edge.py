"""Connects the core to JavaScript: passes steps to `edge.js`, and their outcomes back.

It decides nothing. An exchange says what to do next, and this module writes it in a form that
`edge.js` understands. JavaScript does the waiting: it holds one set of Python functions for the
isolate, and knows an exchange by its number. So a request makes no proxy, no task and no promise in
Python, which cost 40 to 150 µs each (measured).

Every failure after a request has come in, whether in the core, here or in `edge.js`, goes to
`_failed`, or to `_broken` if a stream has begun. Only there an error of our own is logged and
becomes an answer.

No JavaScript object is made while this module is imported, because the deployed snapshot could not
contain it.
"""

import itertools
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import Any, TypeVar

import js
from pyodide.ffi import JsProxy, create_proxy, to_js
from workers import import_from_javascript

from xtrix import json
from xtrix.app import Gateway, configure
from xtrix.config import Lookup
from xtrix.errors import internal_error, no_connection
from xtrix.exchange import Exchange
from xtrix.http import (
    CLIENT_HEADERS,
    UPSTREAM_HEADERS,
    Reply,
    RequestHead,
    UpstreamHead,
    UpstreamRequest,
    answer_headers,
    error_reply,
)
from xtrix.keys import ledger
from xtrix.keys.leases import SETTLE_SECONDS
from xtrix.passage import Passage, Upload
from xtrix.relay import Relay
from xtrix.steps import (
    UNREAD_BYTES,
    UNREAD_SECONDS,
    Answer,
    AskArchive,
    AskLedger,
    Begin,
    Call,
    CallAll,
    Collect,
    Failure,
    Outcome,
    ReadBody,
    ReadPiece,
    Renew,
    Step,
    UpstreamAnswer,
    Wait,
)
from xtrix.template import Template

_T = TypeVar("_T")

edge_js = import_from_javascript("edge.js")


class _Promised:
    """Something that the SDK takes for a response of its own.

    It gives `js_object` to the runtime unchanged.

    So the runtime waits for a promise, and Python does not.
    """

    def __init__(self, js_object: Any) -> None:
        self.js_object = js_object


@dataclass(slots=True)
class _Running:
    """An exchange that has not ended."""

    exchange: Exchange
    relay: Relay | Passage | None = None
    """The stream that was begun last; None if a reply is the answer."""
    upload: Upload | None = None
    """The body that is being sent to the upstream."""
    taught: Template | None = None
    """The stream's template, as JavaScript knows it."""
    answered: bool = False
    """Whether the client has got its answer. A stream may have further frames."""
    keeps: bool = False
    """Whether the archive has not confirmed yet that it keeps the stream's response."""
    left: bool = False
    """Whether the client has left."""

    @property
    def is_over(self) -> bool:
        """Whether nothing is left to do or to wait for."""
        is_drained = self.relay is None or self.relay.is_drained
        return self.answered and is_drained and not self.keeps


def _guarded(otherwise: Callable[..., Any]) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """For a method that JavaScript calls: if it fails, the result is that of `otherwise`."""

    def guard(method: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(method)
        def guarded(shell: Any, number: int, *given: Any) -> Any:
            try:
                return method(shell, number, *given)
            except Exception as error:
                return otherwise(shell, number, type(error).__name__, _place(error))

        return guarded

    return guard


class Shell:
    """Serves all exchanges of the isolate."""

    def __init__(self, env: Any) -> None:
        self._gateway = _gateway(env)
        self._numbers = itertools.count()
        self._running: dict[int, _Running] = {}
        self._due = 0.0
        """When the next message to the ledger is due, as far as is known here."""
        called = {
            "open": self._open,
            "advance": self._advance,
            "answered": self._answered,
            "feed": self._feed,
            "moved": self._moved,
            "more": self._more,
            "tick": self._tick,
            "close": self._close,
            "pass": self._pass,
            "passTick": self._pass_tick,
            "passed": self._passed,
            "passBroken": self._pass_broken,
            "screen": self._screen,
            "left": self._left,
            "failed": self._failed,
            "broken": self._broken,
            "kept": self._kept,
            "compose": self._compose,
            "learn": self._learn,
        }
        proxies = {name: create_proxy(method) for name, method in called.items()}
        functions = to_js(proxies, dict_converter=js.Object.fromEntries)
        names = to_js(CLIENT_HEADERS), to_js(UPSTREAM_HEADERS)
        edge_js.attach(env, *names, functions, _last_resort(), ledger.NAME)
        # Looking up a JavaScript function costs ten times as much as calling it.
        self._serve, self._let_go, self._log = edge_js.serve, edge_js.end, js.console.log

    def fetch(self, request: Any) -> Any:
        """The response to `request`, both in the SDK's form."""
        return _Promised(self._serve(next(self._numbers), request.js_object).response)

    def _failed(self, number: int, kind: str, place: str, token: str = "") -> Any:
        """The answer of an exchange that failed with an error of this `kind`.

        `token` is for a request about which nothing else is known.
        """
        running = self._running.pop(number, None)
        if running is None:
            nothing_known = RequestHead("", "", {})
            running = _Running(self._gateway.open(nothing_known, token, time.time()))
        _report(kind, place, running.exchange.record.id)
        step = self._encode(running, running.exchange.crash())
        self._running[number] = running  # not before: if this fails too, nothing is kept
        return step

    def _broken(self, number: int, kind: str, place: str) -> str:
        """The last frames of a stream that failed with an error of this `kind`."""
        _report(kind, place, self._running[number].exchange.record.id)
        return self._frames(number, Relay.crash)

    def _pass_broken(self, number: int, kind: str, place: str) -> None:
        """Breaks off an answer that failed with an error of this `kind`."""
        _report(kind, place, self._running[number].exchange.record.id)
        self._frames(number, Passage.crash)

    def _unheard(self, _: int, kind: str, place: str) -> None:
        """Only logs an error of this `kind`: it can no longer change an answer."""
        _report(kind, place, None)

    @_guarded(_failed)
    def _open(self, number: int, text: str) -> Any:
        """The first step for the request with the head `text`."""
        head, now = json.decode_own(text), time.time()
        request = RequestHead(head["method"], head["path"], head["headers"], head["query"])
        exchange = self._gateway.open(request, head["token"], now)
        running = self._running[number] = _Running(exchange)
        return self._encode(running, exchange.advance(None, now))

    @_guarded(_failed)
    def _advance(self, number: int, heard: str, body: Any = None) -> Any:
        """The next step, or the answer. `heard` and `body` are the outcome of the last step."""
        running = self._running[number]
        return self._encode(running, running.exchange.advance(_outcome(heard, body), time.time()))

    def _encode(self, running: _Running, step: Step | Answer) -> Any:
        """`step` for `edge.js`: a name and arguments as JSON, and a body or None."""
        message, body = _MESSAGES[type(step)](step)
        if isinstance(step, Begin):
            running.relay, running.taught = step.relay, None
        elif isinstance(step, Call):
            running.upload = step.upload
        elif isinstance(step, (Reply, Relay, Passage)):
            running.relay = None if isinstance(step, Reply) else step
            message["headers"] = dict((*running.exchange.headers, *step.headers))
        return to_js((json.encode(message), body))

    @_guarded(_unheard)
    def _answered(self, number: int) -> None:
        """Notes that the client has its answer. A reply has then ended; a stream may go on."""
        running = self._running[number]
        running.answered = True
        if running.is_over:
            self._end(number)

    @_guarded(_broken)
    def _feed(self, number: int, text: str) -> str:
        """The frames for `text` of the upstream."""
        return self._frames(number, Relay.feed, text)

    @_guarded(_broken)
    def _more(self, number: int) -> str:
        """The next frames, if there were too many to be returned at once."""
        return self._frames(number, Relay.more)

    @_guarded(_broken)
    def _moved(self, number: int, count: int, text: str) -> str:
        """Notes that `count` events became frames by the template. Returns no frames."""
        running = self._running[number]
        assert running.taught is not None
        running.taught = running.taught.past(count)
        return self._frames(number, _moved, count, text)

    @_guarded(_broken)
    def _tick(self, number: int, reading: bool) -> str:
        """The frames that are due by the clock. `reading` says that the upstream is waited for."""
        return self._frames(number, Relay.tick, time.time(), reading=reading)

    @_guarded(_broken)
    def _close(self, number: int) -> str:
        """The last frames, after the upstream has ended its answer."""
        return self._frames(number, Relay.close)

    def _frames(self, number: int, act: Callable[..., _T], *given: Any, **named: Any) -> _T:
        """The frames or bytes that `act` of the stream returns. The stream may end with that."""
        running = self._running[number]
        relay = running.relay
        frames = act(relay, *given, **named)
        if relay is None:
            return frames
        if isinstance(relay, Relay):
            self._tell(number, running, relay)
        if relay.is_drained:
            is_cut = isinstance(relay, Passage) and relay.is_cut
            (edge_js.cut if is_cut else edge_js.stop)(number)
            if running.is_over:
                self._end(number)
        return frames

    def _tell(self, number: int, running: _Running, relay: Relay) -> None:
        """Tells JavaScript what it must know about a stream besides its frames."""
        recorder = relay.recorder
        if recorder and (message := recorder.message()):
            running.keeps = True
            edge_js.keep(number, recorder.name, message)
        if relay.waits:
            edge_js.wait(number)
        if relay.template != running.taught:
            running.taught = relay.template
            edge_js.teach(number, *(running.taught or ()))

    @_guarded(_pass_broken)
    def _pass(self, number: int, data: Any) -> Any:
        """The client's bytes for `data` of the upstream."""
        given = data.to_bytes()
        shown = self._frames(number, Passage.feed, given)
        return True if shown is given else _bytes_or_none(shown)

    @_guarded(_pass_broken)
    def _pass_tick(self, number: int, reading: bool) -> Any:
        """Like `_tick`, for an answer that is passed on as it is."""
        return _bytes_or_none(self._frames(number, Passage.tick, time.time(), reading=reading))

    @_guarded(_pass_broken)
    def _passed(self, number: int, is_whole: bool) -> Any:
        """The last bytes of an answer: the upstream has ended it, or broken it off."""
        broken = None if is_whole else no_connection()
        return _bytes_or_none(self._frames(number, Passage.close, broken))

    @_guarded(_unheard)
    def _screen(self, number: int, data: Any) -> bool:
        """Whether `data` of the client may be passed on to the upstream."""
        upload = self._running[number].upload
        return upload is not None and upload.screen.passes(data.to_bytes())

    @_guarded(_unheard)
    def _left(self, number: int) -> None:
        """Ends an exchange whose client has left."""
        running = self._running[number]
        running.left = True
        if not running.keeps:
            self._end(number, left=True)

    @_guarded(_unheard)
    def _kept(self, number: int, is_kept: bool) -> None:
        """Notes whether the archive keeps the stream's response."""
        running = self._running[number]
        running.keeps = False
        if not is_kept:
            running.exchange.record.not_kept = True
        if running.left or running.is_over:
            self._end(number, left=running.left)

    def _end(self, number: int, *, left: bool = False) -> None:
        """Frees an exchange, and logs it."""
        exchange = self._running.pop(number).exchange
        self._let_go(number)
        exchange.close()
        try:
            now = time.time()
            self._log(exchange.log_line(now, left=left))
            if exchange.meter:
                self._settle(now)
            if span := exchange.span(now):
                headers = json.encode(dict(span.headers))
                edge_js.report(span.url, headers, to_js(span.body))
        except Exception as error:
            _report(type(error).__name__, _place(error), exchange.record.id)

    # The ledger of keys

    def _settle(self, now: float) -> None:
        """Has the next message sent to the ledger in some time, if there is one."""
        leases = self._gateway.leases
        # A call of JavaScript costs as much as all of this, and usually the timer is already set.
        if leases is None or now - _LATE_SECONDS < self._due <= now + SETTLE_SECONDS:
            return
        seconds = leases.pause(now)
        if seconds is not None:
            self._due = now + seconds
            edge_js.settle(seconds * 1000)

    @_guarded(_unheard)
    def _compose(self, _: int) -> str | None:
        """The next message to the ledger; None if there is nothing to tell."""
        leases = self._gateway.leases
        return leases.compose(time.time()) if leases else None

    @_guarded(_unheard)
    def _learn(self, _: int, answer: str | None) -> None:
        """Reads the ledger's answer; None means that it did not come."""
        leases, now = self._gateway.leases, time.time()
        self._due = 0
        if leases is None:
            return
        if answer:
            leases.learn(answer, now)
        else:
            leases.lost(now)
            if lines := leases.unsettled(now):
                js.console.error(lines)
        self._settle(now)


def _moved(relay: Relay, count: int, text: str) -> str:
    relay.moved(count, text)
    return ""


_Message = tuple[dict[str, Any], bytes | None]
"""The name of a method of `edge.js` with its arguments, and a body."""


def _addressed(request: UpstreamRequest) -> dict[str, Any]:
    """`request` without its body."""
    return {
        "binding": request.binding,
        "url": request.url,
        "method": request.method,
        "headers": request.headers,
    }


def _call_message(step: Call) -> _Message:
    request = step.request
    message = {
        "name": "call",
        **_addressed(request),
        "milliseconds": step.seconds * 1000,
        "collect": _limits(step.collect) if step.collect else None,
        "is_last": step.is_last,
        "upload": _upload(step.upload) if step.upload else None,
    }
    return message, request.body


def _calls_message(step: CallAll) -> _Message:
    calls = [_addressed(request) for request in step.requests]
    limits = {"limit": step.limit, "milliseconds": step.seconds * 1000}
    return {"name": "callAll", "calls": calls, **limits}, None


def _upload(upload: Upload) -> dict[str, float | None]:
    return {"length": upload.length, "milliseconds": upload.seconds * 1000}


def _read_message(step: ReadBody) -> dict[str, Any]:
    return {"name": "readBody", **_limits(step), "coding": step.coding, "most": step.most}


def _begin_message(step: Begin) -> _Message:
    relay = step.relay
    message: dict[str, Any] = {"name": "begin", "milliseconds": relay.tick_seconds * 1000}
    own = {"passes": True} if isinstance(relay, Passage) else {"secrets": relay.secrets}
    return message | own, None


def _limits(step: ReadBody | Collect) -> dict[str, float]:
    return {
        "limit": step.limit,
        "milliseconds": step.seconds * 1000,
        "within": step.within * 1000,
    }


_LATE_SECONDS = 3.0
"""After so many seconds, a message that should have been sent by then is not waited for any
more."""

_UNREAD = {"limit": UNREAD_BYTES, "milliseconds": UNREAD_SECONDS * 1000}

_MESSAGES: dict[type, Callable[[Any], _Message]] = {
    ReadBody: lambda step: (_read_message(step), None),
    ReadPiece: lambda step: (
        {"name": "readPiece", "milliseconds": step.seconds * 1000, "coding": step.coding},
        None,
    ),
    Call: _call_message,
    CallAll: _calls_message,
    Collect: lambda step: ({"name": "collect", **_limits(step)}, None),
    Begin: _begin_message,
    AskArchive: lambda step: (
        {"name": "askArchive", "object": step.name, "milliseconds": step.seconds * 1000},
        step.text.encode(),
    ),
    Wait: lambda step: ({"name": "wait", "milliseconds": step.seconds * 1000}, None),
    Renew: lambda step: ({"name": "renew", "milliseconds": step.seconds * 1000}, None),
    AskLedger: lambda step: (
        {"name": "askLedger", "text": step.text, "milliseconds": step.seconds * 1000},
        None,
    ),
    Reply: lambda reply: (
        {"name": "answer", "status": reply.status, "unread": _UNREAD},
        reply.body or None,
    ),
    Relay: lambda relay: ({"name": "answer", "status": relay.status, "streams": True}, None),
    Passage: lambda passage: ({"name": "answer", "status": passage.status, "streams": True}, None),
}


def _outcome(text: str, data: Any) -> Outcome:
    """The outcome of a step, from what `edge.js` reports and the body, or an array of both."""
    heard = json.decode_own(text)
    if "answers" in heard:
        return [_outcome_of(*each) for each in zip(heard["answers"], data, strict=True)]
    outcome: Outcome = _outcome_of(heard, data)
    return outcome


def _outcome_of(heard: json.Json, data: Any) -> Any:
    """The outcome of one call, or of reading one body."""
    body = data.to_bytes() if data is not None else None
    content = Failure(heard["failure"]) if "failure" in heard else body
    if "status" not in heard:
        return content
    head = UpstreamHead(heard["status"], heard["headers"])
    return head if content is None else UpstreamAnswer(head, content)


def _bytes_or_none(data: bytes) -> Any:
    """`data` for JavaScript, where no bytes are undefined."""
    return to_js(data) if data else None


def _gateway(env: Any) -> Gateway:
    """The gateway of the configuration, or one that answers every call with our own error."""
    try:
        gateway = configure(_lookup(env))
    except Exception as error:
        _report(type(error).__name__, _place(error), None)
        return Gateway(None)
    if gateway.faults:
        js.console.error(json.encode({"configuration_error": gateway.faults}))
    return gateway


def _lookup(env: Any) -> Lookup:
    """Reads variables and secrets of `env`, converted from JavaScript's objects."""

    def read(name: str) -> object:
        value = getattr(env, name, None)
        return value.to_py() if isinstance(value, JsProxy) else value

    return read


def _last_resort() -> str:
    """The answer if even `_failed` fails, as JSON; TOKEN is replaced by the request's."""
    reply = error_reply(internal_error())
    request_id = "req_TOKEN"
    answer = {
        "id": request_id,
        "status": reply.status,
        "headers": dict((*answer_headers(request_id), *reply.headers)),
        "body": reply.body.decode(),
    }
    return json.encode(answer)


def _report(kind: str, place: str, request_id: str | None) -> None:
    """Logs an error without the values that caused it."""
    js.console.error(json.encode({"crash": kind, "at": place, "id": request_id}))


def _place(error: Exception) -> str:
    """Where `error` was raised."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return f"{trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}" if trace else "unknown"
