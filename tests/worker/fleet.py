"""A Worker with named keys: several isolates with one ledger, and an operator.

A JavaScript object between the isolates and the ledger does to each message what the test says, and
shows it. So a test sees what reaches the ledger, and can lose or repeat messages.
"""

import json
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from tests.worker.client import Answer, Client, Request, question
from tests.worker.conftest import Gateway
from tests.worker.scripts import TEXT, Script, whole
from tests.worker.speech import DIALECTS
from tests.worker.upstream import PATIENCE, Call, Upstream
from tools import runtime

ADMIN_KEY = "operator-9c1e55d07ab3"
PLAIN_KEY = "sk-plain-77ab01"
NAMED_KEY = "sk-configured-2f9a"
INPUT_PRICE, OUTPUT_PRICE = 1, 10
"""Dollars for a million tokens: micro-dollars for one."""

_MIDDLE = """
import { DurableObject } from "cloudflare:workers";
export class Ledger extends DurableObject {
  async call(text) {
    const path = this.known ? "" : "forgotten";
    this.known = true;
    const told = await fetch(`http://127.0.0.1:PORT/${path}`, { method: "POST", body: text });
    const fate = await told.text();
    const real = this.env.REAL.getByName("keys");
    if (fate === "raises") throw new Error("overloaded");
    if (fate === "silent") await scheduler.wait(60000);
    const answer = await real.call(text);
    if (fate === "late") await scheduler.wait(LATE);
    if (fate === "twice") await real.call(text);
    if (fate === "unheard") throw new Error("overloaded");
    return answer;
  }
}
export default {};
"""


_LATE_MILLISECONDS = 800
"""Of an answer that comes late, but comes: more than a way around the world takes."""


class Way:
    """The way to the ledger."""

    def __init__(self) -> None:
        self._last = time.monotonic()
        self.fate = "arrives"
        """Or `raises` and `silent`, on which nothing arrives; `unheard`, whose answer is lost;
        `late`; and `twice`."""
        self._server = Upstream()
        self._server.answer_each(self._script)

    def binding(self) -> runtime.Objects:
        script = _MIDDLE.replace("PORT", str(self._server.port))
        script = script.replace("LATE", str(_LATE_MILLISECONDS))
        return runtime.Objects("Ledger", script)

    @property
    def messages(self) -> list[dict[str, Any]]:
        """The messages that isolates have sent so far."""
        return [json.loads(call.body) for call in self._server.calls]

    @property
    def restarts(self) -> int:
        """The number of times that the object between was restarted with empty memory. If the
        runtime has removed that object, it has removed the ledger behind it too, because both were
        idle for as long.
        """
        return sum(call.path == "/forgotten" for call in self._server.calls)

    @property
    def silence(self) -> float:
        """Seconds since the last message."""
        return time.monotonic() - self._last

    def stop(self) -> None:
        self._server.stop()

    def _script(self, _: Call) -> Script:
        self._last = time.monotonic()
        return whole(200, self.fate.encode(), TEXT)


def bindings(upstream: Upstream, way: Way, **more: object) -> dict[str, object]:
    """The bindings of such a Worker."""
    price = {"pattern": "*", "input": INPUT_PRICE, "output": OUTPUT_PRICE}
    rows = [
        {
            "name": f"sim-{dialect.name}",
            "dialect": dialect.name,
            "base_url": upstream.base_url,
            "models": [f"{dialect.model.split('-')[0]}-*"],
            "prices": [price],
        }
        for dialect in DIALECTS
    ]
    unpriced = {**rows[1], "name": "unpriced", "models": ["unpriced-*"], "prices": []}
    return {
        "API_KEYS": f"{PLAIN_KEY}, configured:{NAMED_KEY}",
        "ADMIN_KEY": ADMIN_KEY,
        "KEEP_ALIVE_SECONDS": "0",
        "PROVIDERS": [*rows, unpriced],
        "LEDGER": way.binding(),
        **more,
    }


class Fleet:
    """Clients of a Worker with several isolates."""

    def __init__(self, gateway: Gateway, way: Way) -> None:
        self.way = way
        self.gateway = gateway
        self.isolates = [Client(port) for port in gateway.ports]

    def admin(self, line: str, body: object = None, *, status: int = 200, key: str = "") -> Any:
        """The answer to the operator."""
        method, path = line.split(" ")
        answer = self.isolates[0].ask(
            b"" if body is None else json.dumps(body).encode(),
            {"authorization": f"Bearer {key or ADMIN_KEY}"},
            f"{method} /admin{path}",
        )
        assert answer.status == status, answer
        return answer.json()

    def make(self, name: str, **limits: object) -> tuple[str, str]:
        """Makes a key. Returns its id and secret."""
        made = self.admin("POST /keys", {"name": name, "limits": limits}, status=201)
        return made["id"], made["secret"]

    def open(
        self, key: str, isolate: int = 0, asked: dict[str, object] | None = None, path: str = ""
    ) -> Request:
        """Sends a question."""
        asked = asked or question("gpt-sim")
        line = f"POST {path or '/v1/chat/completions'}"
        return self.isolates[isolate].open(asked, {"authorization": f"Bearer {key}"}, line)

    def ask(
        self, key: str, isolate: int = 0, asked: dict[str, object] | None = None, path: str = ""
    ) -> Answer:
        """Sends a question, and reads the answer."""
        return self.open(key, isolate, asked, path).answer()

    def usage(self, key: str) -> dict[str, int]:
        """The sums of what is booked for a key."""
        rows = self.admin(f"GET /usage?key={key}&from={days_ago(1)}")["data"]
        names = [name for name in (rows[0] if rows else {}) if isinstance(rows[0][name], int)]
        return {name: sum(row[name] for row in rows) for name in names}

    def booked(self, key: str, requests: int) -> Any:
        """The same, once that many requests are booked."""
        return self.wait(lambda: self.usage(key), lambda sums: sums.get("requests") == requests)

    def wait(self, look: Callable[[], Any], is_there: Callable[[Any], bool]) -> Any:
        """Calls `look` until it returns something, and returns that."""
        until = time.monotonic() + 2 * PATIENCE
        while not is_there(seen := look()):
            assert time.monotonic() < until, seen
            time.sleep(0.05)
        return seen


def days_ago(days: int) -> str:
    return time.strftime("%Y-%m-%d", time.gmtime(time.time() - days * 86_400))


def side_by_side(count: int, act: Callable[[int], Any], *, at_once: int = 32) -> list[Any]:
    """The results of `act` for each number; the calls run at the same time."""
    with ThreadPoolExecutor(at_once) as pool:
        return list(pool.map(act, range(count)))


def wait_for_a_minute_with(seconds: float) -> None:
    """Waits until so much of the minute is left."""
    left = 60 - time.time() % 60
    if left < seconds:
        time.sleep(left + 0.05)
