"""`make dev`: runs the Worker with `wrangler dev`, and a local model if there is no .dev.vars.

With `MODEL=file.gguf` it serves that file instead of the small model. In a terminal the Worker's
log has one readable line for each request (tools/log_lines.py); anywhere else it is JSON.

It starts programs, shows the important parts of their output, and ends them on Ctrl-C, on SIGTERM
and when the terminal is closed: all of them, and nothing else. It waits for the Worker's first
health check, and knows nothing else about the Worker.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import secrets
import select
import signal
import socket
import sys
import time
import tomllib
from asyncio.subprocess import DEVNULL, PIPE, STDOUT, Process
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import NamedTuple

import httpx

from tools import log_lines, model, paths, wrangler

HOST = "127.0.0.1"
DEV_VARS = paths.ROOT / ".dev.vars"
KEY_FILE = paths.CACHE / "local-key"
ADMIN_KEY_FILE = paths.CACHE / "local-admin-key"
ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
READY = "Ready on"
HEALTH_SECONDS = 60.0
STOP_SECONDS = 5.0
LINE_BYTES = 1 << 22

# Output of wrangler that says nothing about the Worker: its tables and progress, a line for each
# request (the Worker has its own), Pyodide's lines in a traceback, and our health check.
NOISE = re.compile(
    r"^\s*$|^\[wrangler:info\]|^\[custom build\]|^Running custom build|^[┌│├└⎔🪵─]"
    r"|^Your Worker has access|^Binding  |^env\.|^Attaching additional|^Using secrets defined in"
    r"|^If you think this is a bug|^\s+Runtime stderr:|^\s+{\"timestamp\":"
    r"|^\s+at .*(wasm://|pyodideRuntime-internal:)"
    r'|"path":"/health","status":200'
)
COLOUR = re.compile(r"\x1b\[[0-9;]*m")

ANNOUNCEMENT = """
xtrix answers at http://{host}:{port}/v1 {with_what}

  open      http://{host}:{port}/{fragment}
  base URL  http://{host}:{port}/v1     Chat Completions and Responses (OPENAI_BASE_URL)
            http://{host}:{port}        Messages (ANTHROPIC_BASE_URL)
  API key   {key}
  admin     {admin}
{models}
  curl -N http://{host}:{port}/v1/chat/completions \\
    -H "Authorization: Bearer {bearer}" -H "Content-Type: application/json" \\
    -d '{{"stream": true, "messages": [{{"role": "user", "content": "Say hello."}}]}}'

Ctrl-C ends it."""


class DevError(Exception):
    """Says in one line what is wrong and what to do."""


class Options(NamedTuple):
    """The settings in the environment."""

    port: int
    is_local: bool
    """Whether to use the runtime that needs no download from Cloudflare."""
    model: Path | None
    """A GGUF file instead of the small model."""


class Upstream(NamedTuple):
    """What the Worker calls, and what the user is told about it."""

    variables: dict[str, str]
    told: dict[str, str]


def main() -> int:
    """Returns the exit status, which is 0 if the user ended it."""
    try:
        asyncio.run(_until_ended(_options()))
    except tomllib.TOMLDecodeError as error:
        print(f"dev: wrangler.toml is not TOML: {error}", file=sys.stderr)
        return 1
    except (DevError, model.StartError) as error:
        print(f"dev: {error}", file=sys.stderr)
        return 1
    return 0


async def _until_ended(options: Options) -> None:
    loop, task = asyncio.get_running_loop(), asyncio.ensure_future(_dev(options))

    def end() -> None:
        for number in ENDING:  # a second Ctrl-C must not interrupt the cleaning up
            loop.add_signal_handler(number, lambda: None)
        task.cancel()

    for number in ENDING:
        loop.add_signal_handler(number, end)
    _watch_terminal(loop, end)
    with contextlib.suppress(asyncio.CancelledError):
        await task


def _watch_terminal(loop: asyncio.AbstractEventLoop, end: Callable[[], None]) -> None:
    """Calls `end` when the terminal is closed.

    The kernel tells only the first process of a session. A shell passes SIGHUP on. If make is the
    first process (as in `xterm -e make dev`), it waits for us instead.
    """
    if sys.platform == "linux" and sys.stdin.isatty():
        hang_up = select.epoll()
        hang_up.register(sys.stdin, 0)  # no input, only EPOLLHUP, which is always reported
        loop.add_reader(hang_up, end)


async def _dev(options: Options) -> None:
    port = options.port
    _check_port(port)
    async with contextlib.AsyncExitStack() as running:
        if DEV_VARS.exists():
            upstream = _own_upstream(port)
        else:
            _say("Starting the local model ...")
            upstream = _local_upstream(running.enter_context(model.serve(options.model)), port)
        _say("Starting the Worker ...")
        process = await running.enter_async_context(_wrangler(port, options.is_local, upstream))
        ready = asyncio.Event()
        await asyncio.gather(
            _show(process, ready, port),
            _announce(ready, port, upstream),
        )


async def _announce(ready: asyncio.Event, port: int, upstream: Upstream) -> None:
    await ready.wait()
    await _check_health(port)
    _say(ANNOUNCEMENT.format(host=HOST, port=port, **upstream.told))


def _options() -> Options:
    return Options(_port(), _is_local(), _model_file())


def _model_file() -> Path | None:
    text = os.environ.get("MODEL") or ""
    if not text:
        return None
    if DEV_VARS.exists():
        raise DevError(
            "MODEL replaces the local model, but with a .dev.vars there is none;"
            " move .dev.vars away, or leave out MODEL"
        )
    file = Path(text).expanduser()
    if file.suffix != ".gguf" or not file.is_file():
        raise DevError(f"MODEL is {text!r}, and must be a GGUF file: make dev MODEL=model.gguf")
    return file.absolute()


def _port() -> int:
    text = os.environ.get("PORT") or "8787"
    if not text.isdecimal() or not 0 < int(text) < 1 << 16:
        raise DevError(f"PORT is {text!r}, and must be a number from 1 to 65535")
    return int(text)


def _is_local() -> bool:
    runtime = os.environ.get("RUNTIME") or "local"
    if runtime not in {"local", "cloudflare"}:
        raise DevError(f"RUNTIME is {runtime!r}, and must be local (the default) or cloudflare")
    return runtime == "local"


def _check_port(port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except PermissionError:
            raise DevError(
                f"only root may use port {port}; choose another: make dev PORT=8787"
            ) from None
        except OSError:
            raise DevError(
                f"port {port} is in use; stop the program that uses it, or choose another:"
                f" make dev PORT={port + 1}"
            ) from None


def _own_upstream(port: int) -> Upstream:
    return Upstream(
        variables={},
        told={
            "with_what": "with the providers and keys of .dev.vars",
            "key": "one of API_KEYS in .dev.vars",
            "bearer": "$API_KEY",
            "fragment": "",
            "admin": f"http://{HOST}:{port}/admin, with ADMIN_KEY of .dev.vars, if that has one",
            "models": "",
        },
    )


def _local_upstream(served: model.Model, port: int) -> Upstream:
    default = tomllib.loads((paths.ROOT / "wrangler.toml").read_text())["vars"]["DEFAULT_MODEL"]
    # llama.cpp's /v1/messages loses `message_start` if the answer's first character has several
    # tokens, as an emoji has (seen in October 2026's). So the default does not use it.
    rows: dict[str, dict[str, object]] = {
        "anthropic": {"models": ["claude-*"]},
        "openai": {"models": [served.name, "*"], "aliases": {default: served.name}},
    }
    providers = [served.row(dialect, **row) for dialect, row in rows.items()]
    key, admin_key = _local_key(KEY_FILE, "sk-local"), _local_key(ADMIN_KEY_FILE, "admin-local")
    return Upstream(
        variables={"API_KEYS": key, "ADMIN_KEY": admin_key, "PROVIDERS": json.dumps(providers)},
        told={
            "with_what": "with a local model, small and often wrong"
            if served.name == model.NAME
            else f"with {served.name}",
            "key": f"{key}  (made for local use, because there is no .dev.vars)",
            "bearer": key,
            "fragment": f"#key={key}&model={served.name}",  # the page takes it, and hides it
            "admin": f"http://{HOST}:{port}/admin#key={admin_key}",
            "models": f"  models    every name leads to {served.name}: claude-* in Anthropic's\n"
            "            protocol, all others in OpenAI's\n",
        },
    )


def _local_key(file: Path, prefix: str) -> str:
    """Returns a key that stays the same, so that a pasted command works tomorrow."""
    if not file.exists():
        file.write_text(f"{prefix}-{secrets.token_hex(8)}")
    return file.read_text()


@contextlib.asynccontextmanager
async def _wrangler(port: int, local: bool, upstream: Upstream) -> AsyncIterator[Process]:
    arguments, settings = wrangler.local_runtime() if local else ([], {})
    variables = [f"{name}:{value}" for name, value in upstream.variables.items()]
    process = await asyncio.create_subprocess_exec(
        *wrangler.command("dev", "--ip", HOST, "--port", str(port), *arguments),
        *(word for variable in variables for word in ("--var", variable)),
        cwd=paths.ROOT,
        env=wrangler.environment(
            **settings,
            CI="1",  # no keys to press
            CLOUDFLARE_CF_FETCH_ENABLED="false",  # no call to Cloudflare for `Request.cf`
            WRANGLER_HIDE_BANNER="true",
        ),
        stdin=DEVNULL,
        stdout=PIPE,
        stderr=STDOUT,
        limit=LINE_BYTES,
        start_new_session=True,  # its group is what it starts: its workerd, the build
    )
    try:
        yield process
    finally:
        await _end_group(process)


async def _end_group(process: Process) -> None:
    for number in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(process.wait(), STOP_SECONDS)


async def _show(process: Process, ready: asyncio.Event, port: int) -> None:
    """Prints wrangler's output until it ends, without the noise. All of it goes to a log file."""
    assert process.stdout is not None
    log = paths.CACHE / f"dev-{port}.log"
    with log.open("w") as copy:
        async for data in process.stdout:
            line = data.decode(errors="replace")
            copy.write(line)
            copy.flush()
            plain = COLOUR.sub("", line)
            if READY in plain:
                ready.set()
            if not NOISE.search(plain):
                _say(_shown(line, plain).rstrip("\n"))
    raise DevError(
        "wrangler has stopped; fix the error above and run make dev again"
        f" (its whole output: {log.relative_to(paths.ROOT)})"
    )


def _shown(line: str, plain: str) -> str:
    """A readable line for a terminal, or the line without colours anywhere else."""
    if not sys.stdout.isatty():
        return plain
    return log_lines.readable(plain, time.localtime()) or line


async def _check_health(port: int) -> None:
    url = f"http://{HOST}:{port}/health"
    async with httpx.AsyncClient(trust_env=False, timeout=HEALTH_SECONDS) as client:
        try:
            answer = await client.get(url)
        except httpx.HTTPError as error:
            raise DevError(f"the Worker does not answer {url} ({error!r})") from None
    if answer.status_code != httpx.codes.OK:
        _say(f"The Worker answers {url} with {answer.status_code}: {answer.text[:1000]}")


def _say(text: str) -> None:
    print(text, flush=True)


if __name__ == "__main__":
    sys.exit(main())
