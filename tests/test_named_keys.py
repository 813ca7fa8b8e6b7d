"""Keys with a name, from the request that makes one to the one that is refused."""

from typing import Any

import pytest

from tests.ledgers import Wire
from tests.play import NOW, Played, Upstream, gateway, play
from xtrix import json
from xtrix.app import Gateway
from xtrix.exchange import Exchange
from xtrix.http import RequestHead
from xtrix.steps import Call, ReadBody, Renew

ADMIN_KEY = "operator-0123456789"
PRICE = {"pattern": "*", "input": 1, "output": 10}
ROW = {
    "name": "local",
    "dialect": "openai",
    "base_url": "http://upstream.test/v1",
    "api_key": "UPSTREAM_KEY",
    "models": ["plain", "gpt-*", "other"],
    "prices": [PRICE],
}
REQUEST = {"model": "plain", "messages": [{"role": "user", "content": "Hello"}]}


def answer(prompt: int = 100, completion: int = 20, **more: object) -> Upstream:
    choice = {"message": {"role": "assistant", "content": "Hi"}, "finish_reason": "stop"}
    usage = {"prompt_tokens": prompt, "completion_tokens": completion}
    body = {"choices": [choice], "usage": {**usage, "total_tokens": prompt + completion}, **more}
    return Upstream(200, {"content-type": "application/json"}, (json.encode_body(body),))


class Bench:
    """A gateway with a ledger, an operator and a clock."""

    def __init__(self, *rows: dict[str, Any], **variables: object) -> None:
        self.wire = Wire()
        self.now = NOW
        self.gates = [self.gate(*rows, **variables)]
        self._requests = 0

    @staticmethod
    def gate(*rows: dict[str, Any], **variables: object) -> Gateway:
        given = {"ADMIN_KEY": ADMIN_KEY, "LEDGER": object(), **variables}
        return gateway(*(rows or (ROW,)), **given)

    def call(
        self, method: str, path: str, key: str, body: object = None, *upstreams: Upstream
    ) -> Played:
        path, _, query = path.partition("?")
        head = RequestHead(method, path, {"authorization": f"Bearer {key}"}, query)
        return self.send(head, body, *upstreams)

    def send(self, head: RequestHead, body: object = None, *upstreams: Upstream) -> Played:
        token = self._token()
        request = b"" if body is None else body
        return play(self.gates[0], request, upstreams, head, self.now, wire=self.wire, token=token)

    def begin(self, key: str, **fields: object) -> Exchange:
        """A call whose upstream has not answered yet."""
        headers = {"authorization": f"Bearer {key}"}
        head = RequestHead("POST", "/v1/chat/completions", headers)
        exchange = self.gates[0].open(head, self._token(), self.now)
        step = exchange.advance(None, self.now)
        while not isinstance(step, Call):
            body = json.encode_body({**REQUEST, **fields})
            if isinstance(step, Renew):
                self.settle(0)
            step = exchange.advance(body if isinstance(step, ReadBody) else None, self.now)
        return exchange

    def _token(self) -> str:
        self._requests += 1
        return f"{self._requests:032x}"

    def admin(self, method: str, path: str, body: object = None, *, status: int = 200) -> Any:
        played = self.call(method, f"/admin{path}", ADMIN_KEY, body)
        assert played.status == status, played.body
        return played.json()

    def make(self, name: str = "team", /, **limits: object) -> tuple[str, str]:
        """Makes a key. Returns its id and secret."""
        made = self.admin("POST", "/keys", {"name": name, "limits": limits}, status=201)
        return made["id"], made["secret"]

    def ask(self, key: str, *upstreams: Upstream, **fields: object) -> Played:
        given = upstreams or (answer(),)
        return self.call("POST", "/v1/chat/completions", key, {**REQUEST, **fields}, *given)

    def settle(self, seconds: float = 1) -> None:
        self.now += seconds
        for gate in self.gates:
            if gate.leases:
                self.wire.tell(gate.leases, self.now)


@pytest.fixture
def bench() -> Bench:
    return Bench()


def test_a_key_is_made_used_seen_and_switched_off(bench: Bench) -> None:
    key, secret = bench.make("team-a")
    played = bench.ask(secret)
    assert played.status == 200
    assert (played.log["key"], played.log["cost"]) == ("team-a", 0.0003)
    bench.settle()
    (row,) = bench.admin("GET", "/usage")["data"]
    assert row == {
        **{"day": "2023-11-14", "key": key, "name": "team-a", "provider": "local"},
        **{"model": "plain", "requests": 1, "errors": 0, "estimated": 0},
        **{"input_tokens": 100, "cached_tokens": 0, "cache_write_tokens": 0},
        **{"output_tokens": 20, "reasoning_tokens": 0, "cost_micros": 300, "unpriced": 0},
    }
    bench.admin("PATCH", f"/keys/{key}", {"active": False})
    bench.now += 15
    assert bench.ask(secret).status == 401


def test_requests_a_minute(bench: Bench) -> None:
    _, secret = bench.make(requests_per_minute=3)
    assert [bench.ask(secret).status for _ in range(5)] == [200, 200, 200, 429, 429]
    refused = bench.ask(secret)
    assert refused.json()["error"]["code"] == "rate_limit_exceeded"
    assert int(refused.headers["retry-after"]) == 60 - NOW % 60
    bench.now += 60 - NOW % 60
    assert bench.ask(secret).status == 200


def test_a_budget(bench: Bench) -> None:
    _, secret = bench.make(usd_total=0.001)
    statuses = []
    for _ in range(6):
        statuses.append(bench.ask(secret, max_tokens=20).status)
        bench.settle()
    assert statuses[:3] == [200, 200, 200]
    assert 429 in statuses[3:5]
    refused = bench.ask(secret, max_tokens=20)
    assert refused.json()["error"]["code"] == "insufficient_quota"
    assert refused.headers["x-should-retry"] == "false"


@pytest.mark.parametrize("limit", [1, 2, 3])
def test_calls_one_after_the_other_are_never_at_once(limit: int) -> None:
    """Whatever isolates they reach: one that has none running holds none for later."""
    bench = Bench()
    bench.gates += [bench.gate() for _ in range(3)]
    _, secret = bench.make(parallel=limit)
    for _ in range(8):
        bench.gates.append(bench.gates.pop(0))
        running = [bench.begin(secret) for _ in range(limit)]
        assert bench.ask(secret).status == 429
        for exchange in running:
            exchange.log_line(bench.now)
        bench.settle()


def test_calls_hardly_ever_ask() -> None:
    """Fifty calls a second on a key with every limit need one message a second, and a few at
    first.
    """
    limits = {"requests_per_minute": 1_000_000, "tokens_per_minute": 10**9, "parallel": 1_000}
    bench = Bench(
        API_KEYS="named:sk-named", LIMITS=[{"key": "named", "usd_per_day": 1_000, **limits}]
    )
    for second in range(10):
        for _ in range(50):
            assert bench.ask("sk-named").status == 200
        bench.settle()
        assert second or len(bench.wire.heard) < 12
    assert len(bench.wire.heard) < 10 + 20


@pytest.mark.parametrize(("span", "later"), [("day", 1), ("month", 31)])
def test_a_budget_is_whole_again_when_its_time_is_over(bench: Bench, span: str, later: int) -> None:
    bench.now = NOW - NOW % 86_400 + 86_399  # 2023-11-14, a second before midnight
    _, secret = bench.make("team", **{f"usd_per_{span}": 0.0004})
    assert bench.ask(secret, max_tokens=20).status == 200
    bench.settle(0.5)
    assert bench.ask(secret, max_tokens=20).status == 429
    bench.now += 86_400 * later
    assert bench.ask(secret, max_tokens=20).status == 200


@pytest.mark.parametrize("key", ["", ADMIN_KEY, "sk-test"])
@pytest.mark.parametrize("line", ["GET /admin", "GET /admin/keys", "POST /admin/keys"])
def test_without_an_admin_key_there_is_no_admin(line: str, key: str) -> None:
    """This holds for an empty key too, although a missing ADMIN_KEY equals it."""
    bench = Bench(ADMIN_KEY="", API_KEYS="sk-test")
    method, path = line.split(" ")
    played = bench.call(method, path, key)
    assert (played.status, played.json()["error"]["code"]) == (404, "unknown_url")
