"""A server that answers as the admin API is documented, and serves the page `/admin` itself.

So the page can be tested with data that would take weeks to arise: a month of usage, a budget that
is almost spent, a model without a price. The real Worker has tests of its own.
"""

import json
import random
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from typing_extensions import override

from tests.page.policy import headers_of
from tools.paths import ROOT

ADMIN_KEY = "adm-contract-4be07d"
PAGE = ROOT / "public" / "admin.html"
NO_LIMITS = {
    "models": None,
    "requests_per_minute": None,
    "tokens_per_minute": None,
    "parallel": None,
    "usd_per_day": None,
    "usd_per_month": None,
    "usd_total": None,
    "strict": False,
    "unpriced": False,
}
COLUMNS = (
    *("day", "key", "name", "provider", "model", "requests", "errors", "estimated"),
    *("input_tokens", "cached_tokens", "cache_write_tokens", "output_tokens", "reasoning_tokens"),
    *("cost_micros", "unpriced"),
)
Json = dict[str, Any]


class Refusal(Exception):
    """An answer that is an error."""

    def __init__(self, status: int, code: str, message: str, param: str | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.body = {"error": {"message": message, "type": "x", "param": param, "code": code}}


class Contract:
    """The server's data, which a test may change."""

    def __init__(self) -> None:
        self.url = ""
        self.now = datetime(2026, 11, 26, 14, 30, tzinfo=UTC).timestamp()
        self.keys: dict[str, Json] = {}
        self.rows: list[Json] = []
        self.running: list[Json] = []
        self.has_key = True
        """Whether the secret ADMIN_KEY is set."""
        self.fails = False
        self.calls: list[tuple[str, str, Any]] = []
        """Method, path and body of each call."""
        self.made = 0

    def add(self, name: str, **given: Any) -> Json:
        """A key of this name."""
        self.made += 1
        key = {
            "id": f"{self.made:016x}",
            "name": name,
            "source": "admin",
            "created": self.now,
            "rotated": None,
            "active": True,
            "state": "active",
            "expires": None,
            "limits": {**NO_LIMITS, **given.pop("limits", {})},
            "left": {"day_micros": None, "month_micros": None, "total_micros": None},
            "spent": {"day_micros": 0, "month_micros": 0, "total_micros": 0},
            "today": {"requests": 0, "errors": 0},
            "running": 0,
            "last_used": None,
            **given,
        }
        self.keys[key["id"]] = key
        return key

    def use(self, key: Json, day: str, provider: str, model: str, **counts: int) -> None:
        """Books a row of usage."""
        row = {**dict.fromkeys(COLUMNS, 0), "day": day, "key": key["id"], "name": key["name"]}
        self.rows.append({**row, "provider": provider, "model": model, **counts})
        key["spent"]["month_micros"] += counts.get("cost_micros", 0)
        if day == self.today:
            key["spent"]["day_micros"] += counts.get("cost_micros", 0)
        key["last_used"] = self.now - 70

    @property
    def today(self) -> str:
        """The day, in UTC."""
        return datetime.fromtimestamp(self.now, tz=UTC).date().isoformat()

    def fill(self) -> None:
        """Adds a month of a small team's usage."""
        chance = random.Random(7)
        people = [
            self.add("agents-night", limits={"usd_per_month": 60, "strict": True, "parallel": 8}),
            self.add("web-app", limits={"models": ["gpt-5*"], "requests_per_minute": 600}),
            self.add("ana", limits={"usd_per_day": 10}),
            self.add("ben", limits={"usd_per_month": 40}, active=False, state="off"),
            self.add("team-a", source="config"),
        ]
        models = [
            ("anthropic", "claude-sonnet-4-6", 9),
            ("openai", "gpt-5.4", 5),
            ("anthropic", "claude-opus-5-5", 14),
            ("local", "qwen3-30b", 0),
        ]
        for back in range(26):
            day = (date.fromisoformat(self.today) - timedelta(days=back)).isoformat()
            for rank, key in enumerate(people):
                for place, (provider, model, price) in enumerate(models):
                    busy = chance.random() * (1.6 if back % 7 not in {4, 5} else 0.3)
                    if (rank + place) % 3 == 2 or busy < 0.2:
                        continue
                    requests = int(90 * busy / (rank + 1)) + 1
                    self.use(
                        key, day, provider, model, requests=requests,
                        errors=round(requests * chance.random() * (0.12 if place == 1 else 0.05)),
                        input_tokens=requests * 2600, cached_tokens=requests * 1700,
                        output_tokens=requests * 340, cost_micros=requests * price * 900,
                        unpriced=0 if price else requests,
                    )  # fmt: skip
        self.running = [
            {"key": people[0]["id"], "name": "agents-night", "calls": 3},
            {"key": people[1]["id"], "name": "web-app", "calls": 1},
        ]
        people[0]["running"], people[1]["running"] = 3, 1

    def answer(self, method: str, target: str, token: str, body: Any) -> tuple[int, Any]:
        """Status and body of the answer to one call. Raises Refusal."""
        url = urlsplit(target)
        query = {name: values[0] for name, values in parse_qs(url.query).items()}
        self.calls.append((method, target, body))
        if not self.has_key:
            raise Refusal(404, "unknown_url", f"There is no {method} {url.path} here.")
        if token != f"Bearer {ADMIN_KEY}":
            raise Refusal(401, "invalid_api_key", "This is not the admin key.")
        if self.fails:
            raise Refusal(503, "ledger_unavailable", "The ledger does not answer.")
        parts = url.path.removeprefix("/admin/").split("/")
        if parts == ["usage"]:
            return self._usage(query)
        act: Callable[[Json], tuple[int, Json]] = {
            ("GET", 1): lambda _: self._list(),
            ("POST", 1): lambda _: self._make(body),
            ("PATCH", 2): lambda key: self._change(key, body),
            ("DELETE", 2): self._delete,
            ("POST", 3): lambda key: (200, {**key, "secret": f"sk-xt-{key['id']}-rotated"}),
        }[method, len(parts)]
        return act(self.keys[parts[1]] if len(parts) > 1 else {})

    def _list(self) -> tuple[int, Json]:
        data = sorted(self.keys.values(), key=lambda key: str(key["name"]))
        return 200, {"object": "list", "data": data, "now": self.now, "prefix": "sk-xt-"}

    def _make(self, body: Json) -> tuple[int, Json]:
        self._check(body)
        key = self.add(body["name"], limits=body.get("limits", {}), expires=body.get("expires"))
        return 201, {**key, "secret": f"sk-xt-{key['id']}-made"}

    def _change(self, key: Json, body: Json) -> tuple[int, Json]:
        self._check(body, key)
        limits = {**key["limits"], **body.pop("limits", {})}
        key |= {**body, "limits": limits}
        key["state"] = "active" if key["active"] else "off"
        return 200, key

    def _delete(self, key: Json) -> tuple[int, Json]:
        del self.keys[key["id"]]
        return 200, {"id": key["id"], "deleted": True}

    def _check(self, body: Json, own: Json | None = None) -> None:
        name = body.get("name", "ok")
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._ -]{0,63}", name):
            raise Refusal(400, "invalid_value", "A name has 1 to 64 letters.", "name")
        if any(key["name"] == name and key is not own for key in self.keys.values()):
            raise Refusal(409, "name_taken", f"There is a key '{name}' already.", "name")
        for limit, value in body.get("limits", {}).items():
            if limit.startswith("usd") and not isinstance(value, int | float | None):
                raise Refusal(400, "invalid_type", "This must be a number.", f"limits.{limit}")

    def _usage(self, query: dict[str, str]) -> tuple[int, Any]:
        first, last = query.get("from", self.today), query.get("to", self.today)
        rows = [row for row in self.rows if first <= row["day"] <= last]
        rows.sort(key=lambda row: [row[name] for name in ("day", "name", "provider", "model")])
        if query.get("format") == "csv":
            lines = [COLUMNS, *([row[name] for name in COLUMNS] for row in rows)]
            return 200, "\n".join(",".join(map(str, line)) for line in lines)
        said = {"object": "usage", "from": first, "to": last, "now": self.now, "data": rows}
        return 200, {**said, "running": self.running}


class _Answers(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    contract: Contract

    def _answer(self) -> None:
        length = int(self.headers.get("content-length") or 0)
        body = json.loads(self.rfile.read(length)) if length else None
        if self.path == "/admin":
            self._send(200, PAGE.read_bytes(), {**headers_of("/admin"), "content-type": HTML})
            return
        token = self.headers.get("authorization", "")
        try:
            status, said = self.contract.answer(self.command, self.path, token, body)
        except Refusal as refusal:
            status, said = refusal.status, refusal.body
        kind = "text/csv" if isinstance(said, str) else "application/json"
        sent = said if isinstance(said, str) else json.dumps(said)
        self._send(status, sent.encode(), {"content-type": kind})

    do_GET = do_POST = do_PATCH = do_DELETE = _answer

    def _send(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in {**headers, "content-length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    @override
    def log_message(self, *_: object) -> None:
        """Says nothing: the tests' output is for failures."""


HTML = "text/html; charset=utf-8"


@contextmanager
def serve() -> Iterator[Contract]:
    """Serves on a free port of this machine."""
    contract = Contract()
    handler: Callable[..., BaseHTTPRequestHandler] = type(
        "Answers", (_Answers,), {"contract": contract}
    )
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    contract.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield contract
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
