"""Rows whose calls go through a binding, on the real workerd, without a socket of the Worker.

No host in these rows exists, so an answer can only have come through the binding. Behind each
binding is a server of the test, or another Worker. The AI binding is the runtime's own class, with
a server of ours in place of Cloudflare's, which was never called.
"""

import json
from collections.abc import Iterator
from contextlib import ExitStack
from typing import NamedTuple

import pytest

from tests.worker.client import CLIENT_KEYS, UPSTREAM_KEYS, question, secret_name
from tests.worker.conftest import Gateway, Start
from tests.worker.faults import events_to_text
from tests.worker.logs import record_of
from tests.worker.scripts import RESET, STALL, Script, stream, whole
from tests.worker.sees import SAID, Broken, Intact, Refusal
from tests.worker.speech import ANTHROPIC, OPENAI, Dialect
from tests.worker.upstream import Call, Upstream
from tools.runtime import Service

AI = "https://workers-binding.ai/ai-gateway/gateways/default"

WORKER = f"""
const events = {json.dumps([event.decode() for event in OPENAI.text(SAID)])};
const whole = {OPENAI.whole("{url}").decode()};
export default {{
  async fetch(request) {{
    const {{ model, stream }} = await request.json();
    if (model === "worker-throws") throw new Error("plugh");
    whole.choices[0].message.content = request.url;
    if (!stream) return Response.json(whole);
    const left = events.values();
    const body = new ReadableStream({{
      pull(controller) {{
        const {{ done, value }} = left.next();
        if (done) return controller.close();
        if (model === "worker-breaks" && value.includes(`"stop"`)) throw new Error("plugh");
        controller.enqueue(new TextEncoder().encode(value));
      }},
    }});
    return new Response(body, {{ headers: {{ "content-type": "text/event-stream" }} }});
  }},
}};
"""
"""Another Worker: says the URL it was called with, or streams `SAID` from a stream of its own."""


class Way(NamedTuple):
    """One row, and the server that its calls must reach."""

    name: str
    dialect: Dialect
    binding: str
    base_url: str
    host: str
    path: str
    api_key: str | None = None

    def row(self) -> dict[str, object]:
        """Its row in PROVIDERS."""
        return {
            "name": self.name,
            "dialect": self.dialect.name,
            "base_url": self.base_url,
            "binding": self.binding,
            "models": [f"{self.name}-*"],
            **({"api_key": self.api_key} if self.api_key else {}),
        }

    def expected_key(self) -> dict[str, str]:
        """The headers that may carry a key."""
        if not self.api_key:
            return {}
        if self.dialect is ANTHROPIC:
            return {"x-api-key": UPSTREAM_KEYS["anthropic"]}
        return {"authorization": f"Bearer {UPSTREAM_KEYS['openai']}"}


INNER = "https://inner.test/v1"
WAYS = [
    Way("inner", OPENAI, "INNER", INNER, "inner.test", "/v1/chat/completions"),
    Way("messages", ANTHROPIC, "INNER", INNER, "inner.test", "/v1/messages"),
    Way("port", OPENAI, "INNER", "http://in.test:99/a", "in.test:99", "/a/chat/completions"),
    Way("keyed", OPENAI, "INNER", INNER, "inner.test", "/v1/chat/completions", "OPENAI_SECRET"),
    Way("both", ANTHROPIC, "INNER", INNER, "inner.test", "/v1/messages", "ANTHROPIC_SECRET"),
    Way(
        "ai",
        OPENAI,
        "AI",
        f"{AI}/workers-ai/v1",
        "workers-binding.ai",
        "/ai-gateway/gateways/default/workers-ai/v1/chat/completions",
    ),
    Way(
        "claude",
        ANTHROPIC,
        "AI",
        f"{AI}/anthropic/v1",
        "workers-binding.ai",
        "/ai-gateway/gateways/default/anthropic/v1/messages",
    ),
]
INNER_WAYS = [way for way in WAYS if way.name in {"inner", "messages", "ai"}]
OTHER_WORKER = Way("worker", OPENAI, "WORKER", "https://other.test/v1", "", "")


class Bound(NamedTuple):
    """The Worker and the two servers it may call."""

    worker: Gateway
    behind: Upstream
    """Behind the bindings."""
    network: Upstream
    """In the network."""


@pytest.fixture(scope="module")
def servers(start: Start) -> Iterator[Bound]:
    """The servers that all tests here share."""
    with ExitStack() as stack:
        behind, network = Upstream(), Upstream()
        stack.callback(behind.stop)
        stack.callback(network.stop)
        bindings: dict[str, object] = {
            "API_KEYS": CLIENT_KEYS[0],
            "KEEP_ALIVE_SECONDS": "0",
            "INNER": Service(behind.port),
            "AI": Service(behind.port, ai=True),
            "WORKER": Service(WORKER),
            "PROVIDERS": [
                *(way.row() for way in (*WAYS, OTHER_WORKER)),
                {"name": "network", "dialect": "anthropic", "base_url": network.base_url},
            ],
            "MODELS": [
                {"id": f"{way.name}-or-network", "targets": [f"{way.name}/x", "network/x"]}
                for way in INNER_WAYS
            ],
            **{secret_name(name): key for name, key in UPSTREAM_KEYS.items()},
        }
        yield Bound(stack.enter_context(start(bindings)), behind, network)


@pytest.fixture
def bound(servers: Bound) -> Iterator[Bound]:
    """The servers, without a script."""
    yield servers
    servers.behind.forget()
    servers.network.forget()


def spoken(dialect: Dialect, streamed: bool) -> Script:
    """The answer of an upstream without a fault."""
    return stream(dialect.text(SAID)) if streamed else whole(200, dialect.whole("".join(SAID)))


def keys_of(call: Call) -> dict[str, str]:
    """The headers of `call` that may carry a key or a token."""
    carriers = {"authorization", "x-api-key", "api-key", "cf-aig-authorization", "cookie"}
    return {name: value for name, value in call.headers if name in carriers}


@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.name)
def test_the_call_goes_through_the_binding(bound: Bound, way: Way, streamed: bool) -> None:
    bound.behind.answer(spoken(way.dialect, streamed))
    answer = bound.worker.ask(question(f"{way.name}-sim", stream=streamed))
    Intact().check(answer)
    assert answer.headers["x-served-by"] == f"{way.name}/{way.name}-sim"
    (call,) = bound.behind.calls
    assert (call.method, call.path) == ("POST", way.path)
    assert dict(call.headers)["host"] == way.host
    assert keys_of(call) == way.expected_key()
    body = json.loads(call.body)
    assert (body["model"], body.get("stream", False)) == (f"{way.name}-sim", streamed)


@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize("way", INNER_WAYS, ids=lambda way: way.name)
def test_when_the_bound_service_fails_the_network_answers(
    bound: Bound, way: Way, streamed: bool
) -> None:
    bound.behind.answer([RESET])
    bound.network.answer(spoken(ANTHROPIC, streamed))
    answer = bound.worker.ask(question(f"{way.name}-or-network", stream=streamed))
    Intact().check(answer)
    assert (answer.headers["x-served-by"], answer.headers["x-attempts"]) == ("network/x", "3")
    record = record_of(bound.worker.log, answer.headers["x-request-id"])
    assert record["failures"] == [f"{way.name}/x: upstream_connection_error"] * 2


@pytest.mark.parametrize("way", INNER_WAYS, ids=lambda way: way.name)
def test_an_error_through_a_binding_reads_as_any_other(bound: Bound, way: Way) -> None:
    bound.behind.answer(whole(401, way.dialect.error("authentication_error", "Who are you?")))
    answer = bound.worker.ask(question(f"{way.name}-sim"))
    Refusal(502, "upstream_authentication_error", headers={"x-should-retry": "false"}).check(answer)


@pytest.mark.parametrize("way", INNER_WAYS, ids=lambda way: way.name)
def test_a_bound_stream_that_breaks_says_so(bound: Bound, way: Way) -> None:
    bound.behind.answer([*stream(events_to_text(way.dialect))[:-1], RESET])
    Broken("upstream_truncated").check(bound.worker.ask(question(f"{way.name}-sim", stream=True)))


@pytest.mark.parametrize("way", INNER_WAYS, ids=lambda way: way.name)
def test_a_client_that_leaves_takes_the_bound_call_with_it(bound: Bound, way: Way) -> None:
    bound.behind.answer(stream([*events_to_text(way.dialect), STALL]))
    request = bound.worker.open(question(f"{way.name}-sim", stream=True))
    request.frame_of_text()
    request.reset()
    assert bound.behind.wait_for_call().left.wait(1)


def test_another_worker_answers_whole(bound: Bound) -> None:
    answer = bound.worker.ask(question("worker-sim"))
    (choice,) = answer.json()["choices"]
    assert choice["message"]["content"] == "https://other.test/v1/chat/completions"


def test_another_worker_answers_with_a_stream_of_its_own(bound: Bound) -> None:
    Intact().check(bound.worker.ask(question("worker-sim", stream=True)))


@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
def test_another_worker_that_throws_is_an_upstream_out_of_reach(
    bound: Bound, streamed: bool
) -> None:
    answer = bound.worker.ask(question("worker-throws", stream=streamed))
    Refusal(502, "upstream_connection_error").check(answer)


def test_another_worker_that_throws_in_its_stream_has_cut_it_off(bound: Bound) -> None:
    *chunks, error = bound.worker.ask(question("worker-breaks", stream=True)).payloads()
    assert error["error"]["code"] == "upstream_truncated"
    said = [choice["delta"].get("content", "") for it in chunks for choice in it["choices"]]
    assert "".join(said) == "".join(SAID)


def test_a_binding_that_is_not_there_or_is_a_variable_is_named(start: Start) -> None:
    rows = [
        WAYS[0].row(),
        OTHER_WORKER._replace(binding="API_KEYS").row(),
        OTHER_WORKER._replace(binding="PROVIDERS").row(),
    ]
    bindings: dict[str, object] = {"API_KEYS": CLIENT_KEYS[0], "PROVIDERS": rows}
    with start(bindings) as worker:
        answer = worker.ask(question("inner-sim"))
    Refusal(500, "configuration_error").check(answer)
    for index in range(len(rows)):
        assert f"PROVIDERS[{index}].binding" in answer.error()["message"]
