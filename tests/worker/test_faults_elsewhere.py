"""The table of faults, for clients of Responses and of Messages, with upstreams of every dialect.

`sees` says what a client of Chat Completions gets. Here it is the same in the other two protocols.
"""

import itertools
import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Protocol

import pytest

from tests.protocols.messages import sdk
from tests.protocols.responses import grammar
from tests.worker.client import PROMPT, Answer
from tests.worker.conftest import Gateway
from tests.worker.faults import FAULTS, Asked, Fault
from tests.worker.scripts import GATE, whole
from tests.worker.sees import SAID, Broken, Intact, Refusal
from tests.worker.speech import Dialect
from tests.worker.upstream import Upstream

Json = dict[str, Any]


class Client(Protocol):
    """A client of one protocol: how it sends a request and checks the answer."""

    path: str

    def question(self, model: str, *, stream: bool) -> Json:
        """The request."""

    def refusal(self, answer: Answer, sees: Refusal, kind: str | None) -> None:
        """Fails if the client got anything but this refusal. `kind` is Anthropic's error type,
        which a client of Messages gets.
        """

    def broken(self, answer: Answer, sees: Broken) -> None:
        """Fails if the client got anything but a stream that broke in this way."""

    def text(self, answer: Answer) -> str:
        """The text of an answer, which must be whole, streamed or not."""


class _Responses:
    path = "/v1/responses"

    def question(self, model: str, *, stream: bool) -> Json:
        return {"model": model, "input": PROMPT, "stream": stream}

    def refusal(self, answer: Answer, sees: Refusal, kind: str | None) -> None:
        del kind
        sees.check(answer)

    def broken(self, answer: Answer, sees: Broken) -> None:
        *events, error, failed = _events(answer)
        assert (error["type"], failed["type"]) == ("error", "response.failed")
        assert error["error"]["code"] == sees.code
        deltas = [it for it in events if it["type"] == "response.output_text.delta"]
        assert "".join(it["delta"] for it in deltas) == SAID[0]
        assert not ENDS & {it["type"] for it in events}
        assert failed["response"]["status"] == "failed"
        code = sees.code if sees.code in KNOWN_CODES else "server_error"
        assert failed["response"]["error"]["code"] == code

    def text(self, answer: Answer) -> str:
        if answer.headers["content-type"].startswith("text/event-stream"):
            response = _events(answer)[-1]["response"]
        else:
            response = answer.json()
        assert response["status"] == "completed"
        parts = [part for item in response["output"] for part in item["content"]]
        return "".join(part["text"] for part in parts)


def _events(answer: Answer) -> list[Json]:
    """The events of a Responses stream, numbered without a gap; an upstream's pings have no
    number.
    """
    pings = re.compile(rb"event: keepalive\ndata: [^\n]*\n\n")
    return grammar.events_of(pings.sub(b"", answer.body).decode())


class _Messages:
    path = "/v1/messages"

    def question(self, model: str, *, stream: bool) -> Json:
        messages = [{"role": "user", "content": PROMPT}]
        return {"model": model, "max_tokens": 100, "messages": messages, "stream": stream}

    def refusal(self, answer: Answer, sees: Refusal, kind: str | None) -> None:
        said = answer.json()
        assert said["type"] == "error"
        assert said["request_id"] == answer.headers["request-id"]
        assert said["error"]["message"]
        status, ours = _as_anthropics(sees)
        assert (answer.status, said["error"]["type"]) == (status, kind or ours)
        assert {name: answer.headers.get(name) for name in sees.headers} == sees.headers

    def broken(self, answer: Answer, sees: Broken) -> None:
        del sees  # Anthropic's errors have no code
        *events, last = sdk.events(answer.body.decode())
        assert last["type"] == "error"
        assert last["error"]["message"]
        deltas = [it["delta"] for it in events if it["type"] == "content_block_delta"]
        assert "".join(it["text"] for it in deltas) == SAID[0]
        assert not any(it["type"] in {"message_delta", "message_stop"} for it in events)

    def text(self, answer: Answer) -> str:
        is_stream = answer.headers["content-type"].startswith("text/event-stream")
        message = sdk.accumulated(answer.body.decode()) if is_stream else answer.json()
        assert message["stop_reason"] == "end_turn"
        return "".join(block["text"] for block in message["content"])


ENDS = {"response.completed", "response.incomplete"}
KNOWN_CODES = {"server_is_overloaded", "rate_limit_exceeded"}
"""Of the codes here those that clients know in a failed response."""
STATUSES = {"server_is_overloaded": 529, "insufficient_quota": 402}
"""The statuses of Anthropic's own for what OpenAI tells with another."""
OUR_KEY = Refusal(502, "upstream_authentication_error", headers={"x-should-retry": "false"})
TYPES = {
    400: "invalid_request_error",
    402: "billing_error",
    404: "not_found_error",
    409: "conflict_error",
    413: "request_too_large",
    429: "rate_limit_error",
    504: "timeout_error",
    529: "overloaded_error",
}
"""Anthropic's word for each status; what is missing is `invalid_request_error` or `api_error`."""


def _as_anthropics(sees: Refusal) -> tuple[int, str]:
    """The status and the error type that Anthropic uses for a refusal."""
    status = STATUSES.get(sees.code or "", sees.status)
    return status, TYPES.get(status) or ("api_error" if status >= 500 else TYPES[400])


def _own_kind(dialect: Dialect, fault: Fault) -> str | None:
    """Anthropic's own error type if the upstream speaks Messages; None if it sends none, or if the
    error is about our key.
    """
    if dialect.name != "anthropic" or fault.sees == OUR_KEY:
        return None
    steps = itertools.islice(fault.script(dialect), 9)  # some have no end
    spoken = b"".join(it for it in steps if isinstance(it, bytes))
    found = re.search(rb'"error":\{"type":"(\w+)"', spoken)
    return found[1].decode() if found else None


class _Case(NamedTuple):
    client: Client
    fault: Fault
    asked: Asked


CLIENTS: Mapping[str, Client] = {"responses": _Responses(), "messages": _Messages()}
CASES: Sequence[Any] = [
    pytest.param(_Case(client, fault, asked), id=f"{name}-{fault.name}, {asked}")
    for name, client in CLIENTS.items()
    for fault in FAULTS
    for asked in fault.asked
]


@pytest.mark.parametrize("case", CASES)
def test_fault(worker: Gateway, upstream: Upstream, dialect: Dialect, case: _Case) -> None:
    client, fault, _ = case
    answer = play(worker, upstream, dialect, case)
    match fault.sees:
        case Refusal():
            assert answer.status >= 400, answer
            client.refusal(answer, fault.sees, _own_kind(dialect, fault))
        case Broken():
            assert answer.status == 200, answer
            client.broken(answer, fault.sees)
        case Intact():
            assert answer.status == 200, answer
            assert client.text(answer) == "".join(SAID)
    upstream.forget()
    upstream.answer(whole(200, dialect.whole("Still here.")))
    request = client.question(dialect.model, stream=False)
    after = worker.ask(request, line=f"POST {client.path}")
    assert client.text(after) == "Still here."


def play(worker: Gateway, upstream: Upstream, dialect: Dialect, case: _Case) -> Answer:
    """Sends a request to an upstream with this script. Returns the client's answer."""
    client, fault, asked = case
    script = list(fault.script(dialect))
    upstream.answer(script)
    question = client.question(fault.via + dialect.model, stream=asked == "streamed")
    request = worker.open(question, line=f"POST {client.path}")
    if GATE in script:
        words = json.dumps(SAID[0])[1:-1].encode()
        while words not in (frame := request.frame()):
            assert frame, request.answer()
        upstream.wait_for_call().release()
    return request.answer()
