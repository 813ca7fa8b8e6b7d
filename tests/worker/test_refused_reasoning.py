"""Reasoning that its own issuer refuses, on the real Worker, before clients of every protocol.

It is left out and the upstream is called once more. The upstream here issues reasoning and takes
it for another's as soon as it comes back.
"""

import json
from collections.abc import Callable
from typing import Any, NamedTuple

import pytest

from tests.worker.client import Answer
from tests.worker.conftest import Gateway
from tests.worker.logs import record_of
from tests.worker.scripts import Script, whole
from tests.worker.speech import ANTHROPIC, RESPONSES, Dialect
from tests.worker.upstream import Call, Upstream

SEAL = "c2VhbGVkIGJ5IHRoZSBpc3N1ZXI="


class Issuer(NamedTuple):
    """An upstream that issues reasoning."""

    dialect: Dialect
    thought: dict[str, Any]
    """What stands before the text in its answer."""
    at: str
    """The member of the answer that it stands in."""
    refusal: str
    """What it says of reasoning that it does not take for its own."""

    def answer(self) -> bytes:
        """Thought and text."""
        said = json.loads(self.dialect.whole("Hello."))
        said[self.at].insert(0, self.thought)
        return json.dumps(said).encode()


ISSUERS = [
    Issuer(
        ANTHROPIC,
        {"type": "thinking", "thinking": "Hm.", "signature": SEAL},
        "content",
        "messages.1.content.0: Invalid `signature` in `thinking` block",
    ),
    Issuer(
        RESPONSES,
        {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": SEAL},
        "output",
        "The encrypted content for item rs_1 could not be verified.",
    ),
]
USER = {"role": "user", "content": "Hi"}
PATHS = {"chat": "chat/completions", "messages": "messages", "responses": "responses"}
Replayed = Callable[[Any], list[Any]]
REPLAYED: dict[str, Replayed] = {
    "chat": lambda answer: [answer["choices"][0]["message"]],
    "messages": lambda answer: [{"role": "assistant", "content": answer["content"]}],
    "responses": lambda answer: answer["output"],
}
"""What each client sends back of an answer."""
TEXT: dict[str, Callable[[Any], str]] = {
    "chat": lambda answer: answer["choices"][0]["message"]["content"],
    "messages": lambda answer: answer["content"][-1]["text"],
    "responses": lambda answer: answer["output"][-1]["content"][0]["text"],
}


def ask(worker: Gateway, client: str, model: str, turns: list[Any]) -> Answer:
    """Ask as a client of this protocol does."""
    said = {"input": turns} if client == "responses" else {"messages": turns, "max_tokens": 100}
    return worker.ask({"model": model, **said}, line=f"POST /v1/{PATHS[client]}")


@pytest.mark.parametrize("issuer", ISSUERS, ids=lambda it: it.dialect.name)
@pytest.mark.parametrize("client", PATHS)
def test_it_is_asked_once_more_without(
    worker: Gateway, upstream: Upstream, client: str, issuer: Issuer
) -> None:
    dialect = issuer.dialect
    refusal = whole(400, dialect.error("invalid_request_error", issuer.refusal))

    def plan(call: Call) -> Script:
        return refusal if SEAL.encode() in call.body else whole(200, dialect.whole("Fine."))

    upstream.answer(whole(200, issuer.answer()))
    first = ask(worker, client, dialect.model, [USER]).json()
    upstream.answer_each(plan)
    answer = ask(worker, client, dialect.model, [USER, *REPLAYED[client](first), USER])
    assert (answer.status, TEXT[client](answer.json())) == (200, "Fine.")
    bodies = [SEAL.encode() in call.body for call in upstream.calls]
    assert bodies == [False, True, False]
    assert answer.headers["x-attempts"] == "2"
    record = record_of(worker.log, answer.headers["x-request-id"])
    (failure,) = record["failures"]
    assert failure == f"sim-{dialect.name}/{dialect.model}: 400 (asked again without reasoning)"


@pytest.mark.parametrize("issuer", ISSUERS, ids=lambda it: it.dialect.name)
def test_what_is_refused_without_it_too_is_not_asked_a_third_time(
    worker: Gateway, upstream: Upstream, issuer: Issuer
) -> None:
    dialect = issuer.dialect
    upstream.answer(whole(200, issuer.answer()))
    first = ask(worker, "chat", dialect.model, [USER]).json()
    upstream.answer(whole(400, dialect.error("invalid_request_error", issuer.refusal)))
    answer = ask(worker, "chat", dialect.model, [USER, *REPLAYED["chat"](first), USER])
    assert answer.status == 400
    assert len(upstream.calls) == 3
