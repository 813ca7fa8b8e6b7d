"""All JavaScript: what an exchange wants done is said to `edge.js`, and what it heard is told back.

No decisions are made here. An exchange says what to do next, and this module says it in words that
`edge.js` understands. JavaScript does the waiting: it holds three functions of Python's, one set
for the isolate, and knows a request by its number. So a request makes no proxy, no task and no
promise in Python, which cost 40 to 150 µs each (measured), and one whose client left without a
word leaves no more behind than its entry here.

Nothing of JavaScript is made while this module is imported, for the deployed snapshot could not
hold it.
"""

import itertools
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import js
from pyodide.ffi import JsProxy, create_proxy, to_js
from workers import import_from_javascript

from xtrix import json
from xtrix.app import configure
from xtrix.config import Lookup
from xtrix.exchange import Exchange
from xtrix.http import CLIENT_HEADERS, UPSTREAM_HEADERS, Reply, RequestHead, UpstreamHead
from xtrix.relay import Relay
from xtrix.steps import (
    Answer,
    Begin,
    Call,
    CallAll,
    Collect,
    Failure,
    Outcome,
    ReadBody,
    Step,
    UpstreamAnswer,
    Wait,
)

edge_js = import_from_javascript("edge.js")

_SLACK = 3.0
"""Seconds past its limit after which a step will never end: its request has been destroyed."""

_SWEPT_AT_ONCE = 25
"""Exchanges ended on the way of one request, which waits for it."""


class _Promised:
    """What the SDK takes for a response of its own: it hands `js_object` to the runtime as it is.

    A promise is therefore waited for by the runtime and by nothing in Python.
    """

    def __init__(self, js_object: Any) -> None:
        self.js_object = js_object


@dataclass(slots=True)
class _Running:
    """An exchange that is not over."""

    exchange: Exchange
    step: Step | Answer | None = None
    """The last that was said of it."""
    relay: Any = None
    """The stream that was begun last, a `Relay`."""
    due: float = math.inf
    """When its request must have been destroyed, unless something was heard."""


class Shell:
    """Serves every exchange of the isolate."""

    def __init__(self, env: Any) -> None:
        self._gateway = configure(_lookup(env))
        self._numbers = itertools.count()
        self._running: dict[int, _Running] = {}
        names = to_js(CLIENT_HEADERS), to_js(UPSTREAM_HEADERS)
        called = map(create_proxy, (self._advance, self._feed, self._tell))
        edge_js.attach(env, *names, *called)

    def fetch(self, request: Any) -> Any:
        """The response to `request`, which the SDK has wrapped, as the SDK takes one."""
        request = request.js_object
        token, method, path, headers = json.decode(edge_js.head(request))
        now = time.time()
        self._sweep(now)
        number = next(self._numbers)
        head = RequestHead(method, path, headers)
        self._running[number] = _Running(self._gateway.open(head, token, now))
        said = self._go_on(number, None, now)
        return _Promised(edge_js.serve(request, number, said).response)

    def _advance(self, number: int, *heard: Any) -> Any:
        """What to do next, as `_go_on` says it. `heard` is what came of the last step."""
        outcome = _outcome(self._running[number].step, *heard)
        return self._go_on(number, outcome, time.time())

    def _go_on(self, number: int, outcome: Outcome, now: float) -> Any:
        """The next step, or the answer, in JSON; or that in an array with the body it goes with."""
        running = self._running[number]
        try:
            step = running.exchange.advance(outcome, now)
        except Exception as error:
            _report(error)
            step = running.exchange.crash()
        running.step = step
        if isinstance(step, Reply | Relay):
            return self._answer(number, step)
        running.due = now + _longest(step) + _SLACK
        if isinstance(step, Begin):
            running.relay = step.relay
        text, body = _SAID[type(step)](step)
        return to_js((json.encode(text), body)) if body else json.encode(text)

    def _answer(self, number: int, answer: Answer) -> Any:
        """`answer` in JSON. A reply is logged now, a stream at its end, which may have been."""
        running = self._running[number]
        running.due = math.inf  # from here on JavaScript is told when the client leaves
        headers = dict((*running.exchange.headers, *answer.headers))
        streams = isinstance(answer, Relay) and not answer.over
        line = None if streams else self._end(number)
        text = json.encode(("answer", answer.status, headers, line))
        return to_js((text, answer.body)) if isinstance(answer, Reply) and answer.body else text

    def _feed(self, number: int, text: str) -> Any:
        """The frames that `text` of the upstream makes; the last ones as `_last` gives them."""
        running = self._running[number]
        try:
            frames = running.relay.feed(text)
        except Exception as error:
            _report(error)
            frames = running.relay.crash()
        return self._last(number, frames) if running.relay.over else frames

    def _tell(self, number: int, event: str) -> Any:
        """The frames that are due when `event` has come about; the last ones as `_last` does."""
        running = self._running[number]
        if event == "left":
            return to_js(("", self._end(number, left=True)))
        try:
            frames = _EVENTS[event](running)
        except Exception as error:
            _report(error)
            frames = running.relay.crash()
        return self._last(number, frames) if running.relay and running.relay.over else frames

    def _last(self, number: int, frames: str) -> Any:
        """An array of `frames` and the log line, which is empty before there is an answer."""
        answered = isinstance(self._running[number].step, Relay)
        return to_js((frames, self._end(number) if answered else ""))

    def _end(self, number: int, *, left: bool = False) -> str:
        """The log line of an exchange that is over."""
        return self._running.pop(number).exchange.log_line(time.time(), left=left)

    def _sweep(self, now: float) -> None:
        """End exchanges whose client left before the answer began, a few at a time.

        The runtime drops such a request, and whatever waits for it waits for ever. Its signal was
        seen to fire on workerd 1.20261117.1, but a request that is ended otherwise may have none.
        """
        overdue = [number for number, running in self._running.items() if running.due < now]
        for number in overdue[:_SWEPT_AT_ONCE]:
            js.console.log(self._end(number, left=True))


def _heard_something(running: _Running) -> str:
    """Nothing for the client: a piece of a body came, and the next may take as long again."""
    assert isinstance(running.step, ReadBody | Call | CallAll | Collect)
    running.due = time.time() + _longest(running.step) + _SLACK
    return ""


_EVENTS: dict[str, Callable[[_Running], str]] = {
    "piece": _heard_something,
    "tick": lambda running: running.relay.tick(time.time()),
    "close": lambda running: running.relay.close(),
}

_Said = tuple[tuple[object, ...], bytes | None]
"""The name of a function of `edge.js` with its arguments, and a body."""


def _say_call(step: Call) -> _Said:
    request, collect = step.request, step.collect
    init = {
        "method": request.method,
        "headers": dict(request.headers),
        # A redirect followed would take the upstream's key to another server.
        "redirect": "manual",
    }
    limits = (collect.limit, collect.seconds * 1000) if collect else ()
    said = ("call", request.binding, request.url, init, step.seconds * 1000, *limits)
    return said, request.body


def _say_calls(step: CallAll) -> _Said:
    calls = [
        {
            "binding": request.binding,
            "url": request.url,
            "method": request.method,
            "headers": dict(request.headers),
        }
        for request in step.requests
    ]
    return ("callAll", calls, step.limit, step.seconds * 1000), None


_SAID: dict[type, Callable[[Any], _Said]] = {
    ReadBody: lambda step: (("readBody", step.limit, step.seconds * 1000), None),
    Call: _say_call,
    CallAll: _say_calls,
    Collect: lambda step: (("collect", step.limit, step.seconds * 1000), None),
    Begin: lambda step: (("begin", step.relay.tick_seconds * 1000), None),
    Wait: lambda step: (("wait", step.seconds * 1000), None),
}

_FAILURES = {failure.value for failure in Failure}


def _outcome(step: Step | Answer | None, said: str = "", *body: Any) -> Outcome:
    """What came of `step`, as its kind has it, of what `edge.js` heard."""
    if said in _FAILURES:
        return Failure(said)
    if isinstance(step, CallAll):
        return [_answer(*heard) for heard in zip(json.decode(said), body, strict=True)]
    if isinstance(step, Call):
        status, headers = json.decode(said)
        head = UpstreamHead(status, headers)
        return UpstreamAnswer(head, _body(*body)) if body else head
    return body[0].to_bytes() if body else None


def _answer(heard: json.Json, body: Any) -> UpstreamAnswer | Failure:
    if "failure" in heard:
        return Failure(heard["failure"])
    return UpstreamAnswer(UpstreamHead(heard["status"], heard["headers"]), body.to_bytes())


def _body(failure: str, data: Any = None) -> bytes | Failure:
    if failure:
        return Failure(failure)
    whole: bytes = data.to_bytes()
    return whole


def _longest(step: Step) -> float:
    """Seconds that may pass with nothing heard of `step`: of a call, nor of its answer's head."""
    collect = step.collect if isinstance(step, Call) else None
    return step.seconds + collect.seconds if collect else step.seconds


def _lookup(env: Any) -> Lookup:
    """Reads variables and secrets of `env`, JavaScript's objects turned into Python's."""

    def read(name: str) -> object:
        value = getattr(env, name, None)
        return value.to_py() if isinstance(value, JsProxy) else value

    return read


def _report(error: Exception) -> None:
    """Log where our own code failed, without the values it failed on."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    place = f"{trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}" if trace else "unknown"
    js.console.error(json.encode({"crash": type(error).__name__, "at": place}))
