"""The rivals: this Worker, the smallest possible Workers, and other people's gateways.

Knows how each is installed, started and asked. Other people's are installed into .cache/rivals,
by the exact versions in bench/pinned, when they are first wanted.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from bench import portkey
from tools import paths, runtime

KEY = "sk-bench"
NAMED_KEY = "sk-bench-named"
"""A key with a name and limits, which the ledger counts."""
PROVIDER_KEY = "sk-upstream"

_HERE = Path(__file__).parent
_CACHE = paths.CACHE / "rivals"
_START_SECONDS = 120.0


class Rival(NamedTuple):
    """One who is measured, running."""

    name: str
    pid: int
    url: str
    headers: Mapping[str, Mapping[str, str]] = {}
    """More request headers, by dialect."""


class Kind(NamedTuple):
    """One who can be measured. `serve` runs it before the upstream whose URL it is given."""

    title: str
    serve: Callable[[str, str], contextlib.AbstractContextManager[Rival]]
    is_slow: bool = False
    """Whether it is measured with fewer requests, and fewer at once, so that it keeps up."""


def ours() -> runtime.Worker:
    """This project's Worker."""
    return runtime.read_worker()


def our_bindings(upstream: str) -> dict[str, object]:
    """What this project's Worker needs to call `upstream` in both dialects."""
    price = {"pattern": "*", "input": 1, "output": 5}
    row = {"base_url": upstream, "api_key": "PROVIDER_KEY", "prices": [price]}
    limits = {"requests_per_minute": 1_000_000, "tokens_per_minute": 1_000_000_000}
    return {
        "API_KEYS": f"{KEY}, named:{NAMED_KEY}",
        "LIMITS": [{"key": "named", "parallel": 1_000, "usd_per_day": 100_000, **limits}],
        "LEDGER": runtime.Objects("Ledger"),
        "PROVIDER_KEY": PROVIDER_KEY,
        "PROVIDERS": [
            {"name": "anthropic", "dialect": "anthropic", "models": ["claude-*"], **row},
            {"name": "openai", "dialect": "openai", "models": ["gpt-*"], **row},
        ],
    }


def hello() -> runtime.Worker:
    """The smallest Python Worker, on the same runtime; it brings the SDK and nothing else."""
    worker = ours()
    return worker._replace(
        main=_HERE / "workers" / "hello" / "main.py",
        unneeded=(*worker.unneeded, "pydantic_core/**"),
    )


def _script(name: str) -> runtime.Worker:
    main = _HERE / "workers" / name / "main.js"
    return runtime.Worker(main, ours().compatibility_date)


def _floor() -> runtime.Worker:
    return hello()._replace(main=_HERE / "workers" / "floor" / "main.py")


@contextlib.contextmanager
def _serve_ours(name: str, upstream: str) -> Iterator[Rival]:
    with runtime.serve(our_bindings(upstream)) as served:
        yield Rival(name, served.pid, served.url)


@contextlib.contextmanager
def _serve_script(name: str, upstream: str) -> Iterator[Rival]:
    bindings = {"UPSTREAM": upstream, "API_KEYS": KEY}
    worker = _floor() if name == "floor" else _script(name)
    with runtime.serve(bindings, worker=worker) as served:
        yield Rival(name, served.pid, served.url)


@contextlib.contextmanager
def _serve_portkey(name: str, upstream: str) -> Iterator[Rival]:
    folder = _CACHE / "portkey"
    manifest = (_HERE / "pinned" / "portkey.json").read_text()
    if not _is_installed(folder, manifest):
        folder.mkdir(parents=True)
        (folder / "package.json").write_text(manifest)
        _install(name, paths.NODE, paths.NPM, "install", "--ignore-scripts", cwd=folder)
        portkey.bundle(folder)
        _mark(folder, manifest)
    worker = runtime.Worker(folder / "worker" / "main.js", ours().compatibility_date)
    headers = {
        dialect: {
            "x-portkey-provider": dialect,
            "x-portkey-custom-host": upstream,
            "authorization": f"Bearer {PROVIDER_KEY}",
        }
        for dialect in ("anthropic", "openai")
    }
    with runtime.serve({}, worker=worker) as served:
        yield Rival(name, served.pid, served.url, headers)


@contextlib.contextmanager
def _serve_litellm(name: str, upstream: str) -> Iterator[Rival]:
    folder, wanted = _CACHE / "litellm", _HERE / "pinned" / "litellm.txt"
    if not _is_installed(folder, wanted.read_text()):
        _install(name, sys.executable, "-m", "venv", folder)
        pip = (folder / "bin" / "python", "-m", "pip")
        _install(name, *pip, "install", "--no-deps", "-r", wanted)
        _mark(folder, wanted.read_text())
    config = folder / "config.json"  # which is YAML too
    config.write_text(json.dumps(_litellm_config(upstream)))
    port = _free_port()
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(
            [
                *(str(folder / "bin" / "litellm"), "--config", str(config), "--num_workers", "1"),
                *("--host", "127.0.0.1", "--port", str(port)),
            ],
            env={**os.environ, "LITELLM_LOCAL_MODEL_COST_MAP": "True", "LITELLM_LOG": "ERROR"},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    url = f"http://127.0.0.1:{port}"
    try:
        _wait(f"{url}/health/liveliness", process, folder / "log")
        yield Rival(name, process.pid, url)
    finally:
        process.terminate()
        process.wait()


def _litellm_config(upstream: str) -> dict[str, object]:
    rows = {"claude-*": "anthropic/claude-*", "gpt-*": "openai/gpt-*"}
    common = {"api_base": upstream, "api_key": PROVIDER_KEY}
    return {
        "model_list": [
            {"model_name": name, "litellm_params": {"model": model, **common}}
            for name, model in rows.items()
        ],
        "general_settings": {"master_key": KEY},
    }


KINDS = {
    "xtrix": Kind("xtrix", _serve_ours),
    "reframe": Kind("JavaScript re-framer", _serve_script),
    "pass_through": Kind("JavaScript pass-through", _serve_script),
    "floor": Kind("Python pass-through", _serve_script),
    "portkey": Kind("Portkey 1.15.2", _serve_portkey),
    "litellm": Kind("LiteLLM 1.106.0", _serve_litellm, is_slow=True),
}
"""By name, in the order in which they are shown."""


def _is_installed(folder: Path, wanted: str) -> bool:
    mark = folder / ".installed"
    if mark.exists() and mark.read_text() == wanted:
        return True
    shutil.rmtree(folder, ignore_errors=True)
    return False


def _mark(folder: Path, wanted: str) -> None:
    (folder / ".installed").write_text(wanted)


def _install(name: str, *command: str | Path, cwd: Path | None = None) -> None:
    print(f"installing {KINDS[name].title} ...", flush=True)
    words = [str(word) for word in command]
    done = subprocess.run(words, cwd=cwd, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{KINDS[name].title} cannot be installed: {done.stderr[-1000:]}")


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port


def _wait(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    """Return once `url` answers. Raises RuntimeError when the process ends, or takes too long."""
    until = time.monotonic() + _START_SECONDS
    while process.poll() is None and time.monotonic() < until:
        try:
            urllib.request.urlopen(url, timeout=5).close()
        except (urllib.error.URLError, OSError):
            time.sleep(0.2)
        else:
            return
    raise RuntimeError(f"it did not start: {log.read_text(errors='replace')[-1000:]}")
