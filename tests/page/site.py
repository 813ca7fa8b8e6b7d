"""A running Worker with the page at `/`, the local model and a simulated upstream behind it.

It runs under `wrangler dev`, as `make dev` has it: workerd alone serves no static assets, and
wrangler reads `public/_headers` as Cloudflare does.
"""

import contextlib
import json
import os
import re
import signal
import subprocess
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import httpx

from tests.worker.upstream import Upstream
from tools import model, paths, wrangler

KEY = "sk-page-4be07d"
ADMIN_KEY = "admin-page-77c0a1"
SIMULATED = "gpt-sim"
INPUT_PRICE, OUTPUT_PRICE = 10_000, 20_000
"""Of the simulated model, in dollars for a million tokens."""
START_SECONDS = 90.0
STOP_SECONDS = 10.0
READY = re.compile(r"Ready on (http://[\d.]+:\d+)")


@dataclass(frozen=True, slots=True)
class Site:
    """Where the page is, and what answers it."""

    url: str
    """The origin, without a slash at its end."""
    key: str
    model: str
    """A model id that the local language model serves."""
    simulated: str
    """A model id that `upstream` serves, in OpenAI's dialect."""
    upstream: Upstream


@contextlib.contextmanager
def serve(local: model.Model, folder: Path) -> Iterator[Site]:
    """Starts the Worker and its upstream, and ends them. `folder` takes the Worker's variables."""
    with contextlib.ExitStack() as stack:
        upstream = Upstream()
        stack.callback(upstream.stop)
        price = {"pattern": "*", "input": INPUT_PRICE, "output": OUTPUT_PRICE}
        rows = [
            _row("local", f"{local.url}/v1", model.NAME),
            {**_row("simulated", upstream.base_url, SIMULATED), "prices": [price]},
        ]
        variables = folder / "variables"
        # The local workerd sees that a browser left when it writes to it, so it writes often.
        lines = (
            *(f"API_KEYS={KEY}", f"DEFAULT_MODEL={model.NAME}", "KEEP_ALIVE_SECONDS=1"),
            f"ADMIN_KEY={ADMIN_KEY}",
            f"PROVIDERS='{json.dumps(rows)}'",
        )
        variables.write_text("\n".join(lines))
        url = stack.enter_context(_wrangler(variables, folder / "state"))
        yield Site(url, KEY, model.NAME, SIMULATED, upstream)


def _row(name: str, base_url: str, model_id: str) -> Mapping[str, object]:
    return {"name": name, "dialect": "openai", "base_url": base_url, "models": [model_id]}


@contextlib.contextmanager
def _wrangler(variables: Path, state: Path) -> Iterator[str]:
    """Runs `wrangler dev` on a free port; gives its origin. `state` takes what it keeps."""
    arguments, settings = wrangler.local_runtime()
    place = (
        "--ip",
        "127.0.0.1",
        "--port",
        "0",
        "--inspector-port",
        "0",
        "--persist-to",
        str(state),
    )
    # With --env-file a .dev.vars of the developer's own is left alone.
    process = subprocess.Popen(
        wrangler.command("dev", *place, "--env-file", str(variables), *arguments),
        cwd=paths.ROOT,
        env=wrangler.environment(**settings, CI="1", CLOUDFLARE_CF_FETCH_ENABLED="false"),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,  # its group is what it starts
    )
    said = _Said(process)
    try:
        origin = said.origin()
        # The Worker's first answer waits for its Python; the tests' patience is not for that.
        httpx.get(f"{origin}/health", timeout=START_SECONDS, trust_env=False).raise_for_status()
        yield origin
    finally:
        for number in (signal.SIGTERM, signal.SIGKILL):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, number)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(STOP_SECONDS)
        said.close()


class _Said:
    """Reads what wrangler prints, in a thread, so that it never waits for a reader."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        assert process.stdout is not None
        self._output = process.stdout
        self._lines: list[str] = []
        self._known = threading.Event()
        self._origin = ""
        self._thread = threading.Thread(target=self._read)
        self._thread.start()

    def origin(self) -> str:
        """Waits until wrangler is ready; returns where it listens."""
        self._known.wait(START_SECONDS)
        assert self._origin, "wrangler did not start:\n" + "".join(self._lines)
        return self._origin

    def close(self) -> None:
        """Returns when the last line is read."""
        self._thread.join()
        self._output.close()

    def _read(self) -> None:
        for line in self._output:
            self._lines.append(line)
            ready = READY.search(line)
            if ready:
                self._origin = ready[1]
                self._known.set()
        self._known.set()
