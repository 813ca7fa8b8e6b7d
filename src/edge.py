"""All JavaScript: reads the request, calls the upstream, pumps the stream, builds the response.

No decisions are made here. An exchange says what to do next, and this module does it: one function
for each kind of step. JavaScript's objects go no further than this file. What has to happen once
for each promise or piece of data is in `edge.js`, for the reason given there.

Nothing of JavaScript is made while this module is imported, for the deployed snapshot could not
hold it, and nothing that can be awaited is shared between requests.
"""

import asyncio
import secrets
import time
from collections.abc import Awaitable, Callable
from typing import Any

import js
from pyodide.ffi import JsProxy, create_proxy
from workers import import_from_javascript

from xtrix import json
from xtrix.app import Gateway
from xtrix.config import Lookup
from xtrix.exchange import Exchange
from xtrix.http import CLIENT_HEADERS, UPSTREAM_HEADERS, Reply, RequestHead, UpstreamHead
from xtrix.relay import Relay
from xtrix.steps import (
    Answer,
    Begin,
    Call,
    Collect,
    Failure,
    Outcome,
    ReadBody,
    UpstreamAnswer,
    Wait,
)

edge_js = import_from_javascript("edge.js")

# Names cross as one text, and values come back as one: a crossing for each costs 8 µs.
_CLIENT_HEADERS = " ".join(CLIENT_HEADERS)
_UPSTREAM_HEADERS = " ".join(UPSTREAM_HEADERS)

_SLACK = 3.0
"""Seconds past its limit after which a step will never end: its request has been destroyed."""

_SWEPT_AT_ONCE = 25
"""Tasks ended on the way of one request, which waits for it."""

_overdue: dict["asyncio.Task[Any]", float] = {}
"""The tasks that serve a request, and when each of them is abandoned."""


def lookup(env: Any) -> Lookup:
    """Reads variables and secrets of `env`, JavaScript's objects turned into Python's."""

    def read(name: str) -> object:
        value = getattr(env, name, None)
        return value.to_py() if isinstance(value, JsProxy) else value

    return read


async def answer(request: Any, env: Any, gateway: Gateway) -> Any:
    """The JavaScript `Response` to a JavaScript `Request`."""
    sweep(time.time())
    method, path, headers = json.decode(edge_js.head(request, _CLIENT_HEADERS))
    head = RequestHead(method, path, headers)
    exchange = gateway.open(head, secrets.token_hex(16), time.time())
    shell = _Shell(request, env, exchange)
    try:
        return shell.respond(await shell.serve())
    except GeneratorExit:
        js.console.log(exchange.log_line(time.time(), left=True))
        raise
    finally:
        _overdue.pop(asyncio.current_task(), None)  # type: ignore[arg-type]  # there is one


def sweep(now: float) -> None:
    """End the tasks of requests whose client left before the answer began, a few at a time.

    The runtime drops such a request without a word: the task would wait for ever, with all it
    holds, and no `finally` would run. Measured on workerd 1.20261117.1: 12 KB each. The coroutine
    is closed rather than the task cancelled: that would settle a promise of the dropped request,
    which workerd answers with a page of warnings.
    """
    overdue = [task for task, due in _overdue.items() if due < now]
    for task in overdue[:_SWEPT_AT_ONCE]:
        del _overdue[task]
        task._log_destroy_pending = False  # type: ignore[attr-defined]  # left on purpose
        task.get_coro().close()


class _Shell:
    """Does what one exchange says."""

    def __init__(self, request: Any, env: Any, exchange: Exchange) -> None:
        self._request = request
        self._env = env
        self._exchange = exchange
        self._response: Any = None
        self._stream: Any = None

    async def serve(self) -> Answer:
        """The exchange's answer."""
        task = asyncio.current_task()
        assert task is not None
        outcome: Outcome = None
        try:
            while True:
                step = self._exchange.advance(outcome, time.time())
                if isinstance(step, Reply | Relay):
                    return step
                _overdue[task] = time.time() + step.seconds + _SLACK
                outcome = await _STEPS[type(step)](self, step)
        except Exception as error:
            _report(error)
            return self._exchange.crash()

    def respond(self, answer: Answer) -> Any:
        """`answer` as a JavaScript response. A reply is logged now, a stream at its end."""
        headers = json.encode(dict((*self._exchange.headers, *answer.headers)))
        body = self._stream if isinstance(answer, Relay) else answer.body or None
        line = None if isinstance(answer, Relay) else self._exchange.log_line(time.time())
        return edge_js.respond(body, answer.status, headers, line)

    async def read_body(self, step: ReadBody) -> Outcome:
        return _bytes(await edge_js.read(self._request, step.limit, step.seconds * 1000))

    async def call(self, step: Call) -> Outcome:
        request = step.request
        service = getattr(self._env, request.binding) if request.binding else None
        init = {
            "method": "POST",
            "headers": dict(request.headers),
            "body": request.body,
            # A redirect followed would take the upstream's key to another server.
            "redirect": "manual",
        }
        collect = step.collect
        limits = (collect.limit, collect.seconds * 1000) if collect else ()
        got = await edge_js.call(
            service,
            request.url,
            json.encode(init),
            step.seconds * 1000,
            _UPSTREAM_HEADERS,
            *limits,
        )
        if isinstance(got, str):
            return Failure(got)
        status, headers = json.decode(got[0])
        head = UpstreamHead(status, headers)
        if collect:
            return UpstreamAnswer(head, _bytes(got[1]))
        self._response = got[1]
        return head

    async def collect(self, step: Collect) -> Outcome:
        return _bytes(await edge_js.read(self._response, step.limit, step.seconds * 1000))

    async def begin(self, step: Begin) -> Outcome:
        pump = _Pump(step.relay, self._exchange)
        self._stream = pump.start(self._response.body, self._request.signal)
        await pump.begun
        return None

    async def wait(self, step: Wait) -> Outcome:
        await asyncio.sleep(step.seconds)
        return None


_STEPS: dict[type, Callable[[_Shell, Any], Awaitable[Outcome]]] = {
    ReadBody: _Shell.read_body,
    Call: _Shell.call,
    Collect: _Shell.collect,
    Begin: _Shell.begin,
    Wait: _Shell.wait,
}


class _Pump:
    """Keeps one relay going: JavaScript calls it for each piece of data and for each tick."""

    def __init__(self, relay: Relay, exchange: Exchange) -> None:
        self._relay = relay
        self._exchange = exchange
        self._events: dict[str, Callable[[], str]] = {
            "close": relay.close,
            "tick": lambda: relay.tick(time.time()),
        }

    def start(self, body: Any, client: Any) -> Any:
        """The JavaScript stream of the client's frames. `client` is its signal."""
        self._feed = create_proxy(self._on_data)
        self._on = create_proxy(self._on_event)
        pump = edge_js.relay(body, client, self._feed, self._on, self._relay.tick_seconds * 1000)
        self.begun = pump.begun
        self._end = pump.end
        return pump.readable

    def _on_data(self, text: str) -> str:
        try:
            frames = self._relay.feed(text)
        except Exception as error:
            frames = self._crash(error)
        if self._relay.over:
            self._finish()
        return frames

    def _on_event(self, event: str) -> str:
        if event == "left":
            self._finish(left=True)
            return ""
        try:
            frames = self._events[event]()
        except Exception as error:
            frames = self._crash(error)
        if self._relay.over:
            self._finish()
        return frames

    def _crash(self, error: Exception) -> str:
        _report(error)
        return self._relay.crash()

    def _finish(self, *, left: bool = False) -> None:
        if self._end is None:
            return
        self._end()
        self._end = None
        self._feed.destroy()
        self._on.destroy()
        if self._relay.begun:  # else the exchange goes on, and is logged at its end
            js.console.log(self._exchange.log_line(time.time(), left=left))


def _bytes(outcome: Any) -> bytes | Failure:
    """What `edge_js.read` resolved to."""
    if isinstance(outcome, str):
        return Failure(outcome)
    data: bytes = outcome.to_bytes()
    return data


def _report(error: Exception) -> None:
    """Log where our own code failed, without the values it failed on."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    place = f"{trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}" if trace else "unknown"
    js.console.error(json.encode({"crash": type(error).__name__, "at": place}))
