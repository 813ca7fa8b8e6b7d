"""The real Worker on the real workerd, between a client that looks at bytes and an upstream that
does as it is told.

One Worker serves almost every test. Its providers differ in where they point and how long they
wait. A model's prefix chooses one: nobody listens at the Anthropic upstream of
`refused-claude-sim`. All Workers start from one snapshot, as a deployed one does.
"""

import contextlib
import socket
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.worker.client import CLIENT_KEYS, NEVER_LOGGED, UPSTREAM_KEYS, Client, secret_name
from tests.worker.scripts import whole
from tests.worker.speech import DIALECTS, Dialect
from tests.worker.upstream import Upstream
from tools import runtime

MAX_BODY_BYTES = 2_000_000
TOO_EARLY = b'{"error": {"message": "I have not read it.", "code": "too_early"}}'
HASTE = 0.5
"""Seconds that the hasty providers wait."""

Start = Callable[..., AbstractContextManager["Gateway"]]


class Gateway(Client):
    """A client of one running Worker. It can also read the Worker's log and memory."""

    def __init__(self, served: runtime.Served) -> None:
        super().__init__(served.port)
        self.pid = served.pid
        self.inspector = served.inspector
        self.log = served.log
        self.ports = served.ports


@pytest.fixture(params=DIALECTS, ids=lambda dialect: dialect.name)
def dialect(request: pytest.FixtureRequest) -> Dialect:
    """Each of the three in turn."""
    chosen: Dialect = request.param
    return chosen


@pytest.fixture
def upstream(server: Upstream) -> Iterator[Upstream]:
    """The upstream, without a script. After each test: no call may contain the client's key."""
    server.forget()  # whoever listed models has called it
    yield server
    seen = b"".join(call.body + repr((call.path, call.headers)).encode() for call in server.calls)
    server.forget()
    assert not any(key.encode() in seen for key in CLIENT_KEYS)


@pytest.fixture
def elsewhere() -> Iterator[Upstream]:
    """A second server, which no provider names."""
    server = Upstream()
    yield server
    server.stop()


@pytest.fixture(scope="session")
def places(server: Upstream) -> Iterator[dict[str, str]]:
    """The base URL for each prefix that does not lead to the upstream."""
    with ExitStack() as stack:
        nobody = stack.enter_context(_port_of_nobody())
        deaf = stack.enter_context(_port_that_never_accepts())
        slamming, garbling = (
            Upstream(greeting=b""),
            Upstream(greeting=b"\x16\x03\x01 hello\r\n\r\n"),
        )
        refusing = Upstream(greeting=whole(400, TOO_EARLY)[0])
        stack.callback(refusing.stop)
        stack.callback(slamming.stop)
        stack.callback(garbling.stop)
        yield {
            "refused-": f"http://127.0.0.1:{nobody}/v1",
            "unknown-host-": "http://nobody.invalid/v1",
            "tls-": f"https://127.0.0.1:{garbling.port}/v1",
            "garbled-": garbling.base_url,
            "slammed-": slamming.base_url,
            "early-": refusing.base_url,
            "deaf-": f"http://127.0.0.1:{deaf}/v1",
        }


@pytest.fixture(scope="session")
def bindings(server: Upstream, places: dict[str, str]) -> dict[str, object]:
    """The Worker's bindings."""
    slow = {"connect": 30, "first_byte": 30, "idle": 30}
    haste: dict[str, dict[str, float]] = {
        "deaf-": {**slow, "connect": HASTE, "first_byte": HASTE},
        "hasty-": dict.fromkeys(slow, HASTE),
        "hasty-connect-": {**slow, "connect": HASTE},
        "hasty-first-byte-": {**slow, "first_byte": HASTE},
        "hasty-idle-": {**slow, "idle": HASTE},
        "hasty-progress-": {**slow, "progress": HASTE},
    }
    rows = [
        {
            "name": f"{prefix}{dialect.name}" if prefix else f"sim-{dialect.name}",
            "dialect": dialect.name,
            "base_url": places.get(prefix, server.base_url),
            "api_key": secret_name(dialect.name),
            "models": [f"{prefix}{dialect.model.split('-')[0]}-*"],
            "aliases": {f"{prefix}{dialect.name}-latest": f"{dialect.model}-2"},
            **({"timeouts": haste[prefix]} if prefix in haste else {}),
        }
        for dialect in DIALECTS
        for prefix in ["", *places, *(prefix for prefix in haste if prefix not in places)]
    ]
    secrets = {secret_name(name): key for name, key in UPSTREAM_KEYS.items()}
    return {
        "API_KEYS": ", ".join(CLIENT_KEYS),
        "MAX_BODY_BYTES": str(MAX_BODY_BYTES),
        "KEEP_ALIVE_SECONDS": "0",
        "PROVIDERS": rows,
        **secrets,
    }


@pytest.fixture(scope="session")
def start(snapshot: Path) -> Start:
    """Starts another Worker, for tests that need other bindings."""

    @contextlib.contextmanager
    def started(bindings: dict[str, object], **options: Any) -> Iterator[Gateway]:
        """With the options of `runtime.serve`."""
        with runtime.serve(bindings, snapshot=snapshot, **options) as served:
            yield Gateway(served)

    return started


@pytest.fixture(scope="session")
def worker(start: Start, bindings: dict[str, object]) -> Iterator[Gateway]:
    """The Worker that the tests share."""
    with start({**bindings, "DEFAULT_MODEL": "claude-sim"}) as gateway:
        yield gateway
        assert not NEVER_LOGGED.search(gateway.log())


@contextlib.contextmanager
def _port_of_nobody() -> Iterator[int]:
    """Yields a port that refuses connections, and keeps others from taking it."""
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        yield holder.getsockname()[1]


@contextlib.contextmanager
def _port_that_never_accepts() -> Iterator[int]:
    """Yields a port whose queue of connections is full, so the kernel lets the next one wait."""
    with ExitStack() as stack:
        listener = stack.enter_context(socket.socket())
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for _ in range(4):
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(listener.getsockname())
        yield listener.getsockname()[1]
