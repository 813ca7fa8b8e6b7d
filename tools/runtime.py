"""Runs a Worker with the local workerd, and saves and loads start-up snapshots.

It knows workerd's command line and configuration, and reads from a wrangler.toml which files a
Worker has, so that the tests run what wrangler would deploy. It knows nothing of this project's
Worker: the benchmarks also run other Workers with it.

    from tools import runtime

    with runtime.serve({"API_KEYS": "sk-test", "PROVIDERS": [{"name": "a"}]}) as worker:
        httpx.get(worker.url + "/health")
        print(worker.log())

A Python Worker needs 3 s to start, or 0.4 s from a snapshot. Saving a snapshot also makes a check
that a deployment makes and `wrangler dev` does not: code is refused that makes a JavaScript object,
asks for randomness or calls `fetch` while it is imported.

    snapshot = runtime.save_snapshot(folder)
    with runtime.serve(bindings, snapshot=snapshot) as worker: ...
"""

from __future__ import annotations

import contextlib
import fnmatch
import json
import os
import select
import shlex
import subprocess
import tempfile
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO, NamedTuple

from tools import bundle, paths

START_SECONDS = 60.0
"""How many seconds a Worker may take to start. It needs 3 s on an idle machine, but test machines
are busy."""

STOP_SECONDS = 1.0
"""How many seconds workerd has to finish open streams before it is killed."""

DEVELOPMENT_FLAGS = ("python_workers_development", "experimental")
"""With these flags workerd uses the bundle of tools.bundle, and does not ask Cloudflare for one."""


class StartError(Exception):
    """The Worker did not start, or its snapshot was refused. The message is workerd's output."""


class Worker(NamedTuple):
    """A Worker as wrangler.toml describes it. `main` decides the language and where modules are."""

    main: Path
    compatibility_date: str
    compatibility_flags: tuple[str, ...] = ()
    es_modules: tuple[str, ...] = ("**/*.js", "**/*.mjs")
    python_modules: Path | None = None
    unneeded: tuple[str, ...] = ()


class Service(NamedTuple):
    """A service binding: to another Worker (its JavaScript), or to a local server (its port).

    With `ai` it is the runtime's own AI binding, with this in place of Cloudflare's servers.
    """

    to: int | str
    ai: bool = False


class Objects(NamedTuple):
    """A binding to the Durable Objects of a class, each with SQLite.

    The class is the Worker's own, or that of a JavaScript module, `script`, which gets the Worker's
    own class as its binding `REAL`.
    """

    class_name: str
    script: str = ""


class Served:
    """One running workerd."""

    def __init__(self, pid: int, ports: Mapping[str, int], output: Path) -> None:
        self.pid = pid
        self.port = ports["http"]
        self.inspector = ports.get("inspector", 0)
        """The port of V8's inspector; 0 without `inspected`."""
        self.url = f"http://127.0.0.1:{self.port}"
        self.ports = [port for name, port in ports.items() if name != "inspector"]
        """A port for each isolate."""
        self._output = output

    def log(self) -> str:
        """Returns everything that the Worker and workerd have printed so far."""
        return self._output.read_text(errors="replace")


def read_worker(config: Path = paths.ROOT / "wrangler.toml") -> Worker:
    """Reads which files wrangler would upload: those beside `main`, and python_modules."""
    settings = tomllib.loads(config.read_text())
    rules = [rule for rule in settings.get("rules", ()) if rule["type"] == "ESModule"]
    return Worker(
        main=config.parent / settings["main"],
        compatibility_date=settings["compatibility_date"],
        compatibility_flags=tuple(settings.get("compatibility_flags", ())),
        es_modules=tuple(glob for rule in rules for glob in rule["globs"]),
        python_modules=config.parent / "python_modules",
        unneeded=tuple(settings.get("python_modules", {}).get("exclude", ["**/*.pyc"])),
    )


@contextlib.contextmanager
def serve(  # noqa: PLR0913 - each by its name
    bindings: Mapping[str, object],
    *,
    worker: Worker | None = None,
    snapshot: Path | None = None,
    inspected: bool = False,
    v8_flags: tuple[str, ...] = (),
    isolates: int = 1,
    storage: Path | None = None,
) -> Iterator[Served]:
    """Runs a Worker on a free port of 127.0.0.1 until the block ends.

    `bindings` are all bindings of the Worker: a string is a text binding, as from `--var` and
    secrets; a `Service` is a service binding; anything else is a JSON binding, as from a table in
    [vars]. `worker` is this project's if None. `snapshot` comes from `save_snapshot` of the same
    Worker. With `inspected`, V8's inspector listens too, as for a browser's development tools.
    `v8_flags` are V8's own options, such as the sizes of its heap. With `isolates`, so many of the
    Worker run, each on its own port, and all use the Durable Objects of the first. `storage` is a
    folder that keeps these after the block.

    Raises:
        StartError: The Worker cannot be imported, or does not fit the snapshot.
    """
    options: tuple[str, ...] = ("--inspector-addr=127.0.0.1:0",) if inspected else ()
    if snapshot is not None:
        options = (
            *options,
            f"--python-snapshot-dir={snapshot.parent}",
            f"--python-load-snapshot={snapshot.name}",
        )
    layout = _Layout(worker or read_worker(), bindings, v8_flags, isolates, storage)
    with _workerd(layout, options) as served:
        yield served


def save_snapshot(folder: Path, *, worker: Worker | None = None) -> Path:
    """Imports the Worker, writes its memory into `folder` and returns the file, about 40 MB.

    Raises:
        StartError: The Worker does something while it is imported that a deployment refuses.
    """
    options = ("--python-save-snapshot", f"--python-snapshot-dir={folder}")
    with _workerd(_Layout(worker or read_worker(), {}), options):
        return folder / "snapshot.bin"


def wrapper() -> Path:
    """Returns a program for MINIFLARE_WORKERD_PATH: workerd, with the path of the bundle."""
    folder = bundle.build().parent
    program = folder / "workerd"
    text = (
        "#!/bin/sh\n"
        f"command=$1; shift; exec {shlex.quote(str(paths.workerd()))} $command"
        f' --pyodide-bundle-disk-cache-dir={shlex.quote(str(folder))} "$@"\n'
    )
    if not program.exists() or program.read_text() != text:
        unfinished = folder / f"workerd.{os.getpid()}"
        unfinished.write_text(text)
        unfinished.chmod(0o755)
        unfinished.replace(program)
    return program


class _Layout(NamedTuple):
    """What one workerd runs."""

    worker: Worker
    bindings: Mapping[str, object]
    v8_flags: tuple[str, ...] = ()
    isolates: int = 1
    storage: Path | None = None


@contextlib.contextmanager
def _workerd(layout: _Layout, options: tuple[str, ...]) -> Iterator[Served]:
    with tempfile.TemporaryDirectory(prefix="workerd-") as name:
        folder = Path(name).resolve()
        config, output = folder / "config.capnp", folder / "log"
        config.write_text(_configuration(layout, folder))
        receive, report = os.pipe()
        with open(receive, "rb", buffering=0) as reports, output.open("wb") as log:
            process = subprocess.Popen(
                [
                    *(str(paths.workerd()), "serve", "--experimental", f"--control-fd={report}"),
                    f"--pyodide-bundle-disk-cache-dir={bundle.build().parent}",
                    *(*options, str(config)),
                ],
                pass_fds=[report],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # a Ctrl-C is for the test run, which ends its Workers
            )
            os.close(report)
            try:
                yield Served(process.pid, _ports(reports, output, layout.isolates), output)
            finally:
                _stop(process)


def _ports(reports: IO[bytes], output: Path, isolates: int) -> dict[str, int]:
    """Waits until workerd serves HTTP, and returns its ports.

    It does so once the Worker has been imported.

    workerd reports each socket by its name in the configuration, and before these the inspector.
    The output is read without a buffer, because a buffered line would be waited for in vain.
    """
    ports: dict[str, int] = {}
    while len(ports.keys() - {"inspector"}) < isolates:
        ready, _, _ = select.select([reports], [], [], START_SECONDS)
        line = reports.readline() if ready else b""
        if not line:
            why = "" if ready else f"workerd was not ready after {START_SECONDS:.0f} s\n"
            raise StartError(why + output.read_text(errors="replace"))
        report = json.loads(line)
        ports[report.get("socket", "inspector")] = int(report["port"])
    return ports


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _configuration(layout: _Layout, folder: Path) -> str:
    worker = layout.worker
    flags = worker.compatibility_flags
    if worker.main.suffix == ".py":
        flags = (*flags, *DEVELOPMENT_FLAGS)
    attached = (
        f"(name = {_text(name)}, {kind} = embed {_text(os.path.relpath(path.resolve(), folder))})"
        for name, kind, path in modules(worker)
    )
    services = [
        _service(name, value, worker.compatibility_date)
        for name, value in layout.bindings.items()
        if isinstance(value, Service) or (isinstance(value, Objects) and value.script)
    ]
    storage = layout.storage or folder / "objects"
    storage.mkdir(exist_ok=True)
    names = ["main", *(f"isolate-{number}" for number in range(2, layout.isolates + 1))]
    sockets = (
        f'(name = {_text("http" if name == "main" else name)}, address = "127.0.0.1:0", http = (),'
        f" service = {_text(name)})"
        for name in names
    )
    workers = (
        f"(name = {_text(name)}, worker = .{'main' if name == 'main' else 'other'})"
        for name in names
    )
    whole = f"""\
  compatibilityDate = {_text(worker.compatibility_date)},
  compatibilityFlags = [{", ".join(map(_text, flags))}],
  modules = [
    {", ".join(attached)}
  ],"""
    own = [it.class_name for it in layout.bindings.values() if isinstance(it, Objects)]
    of_main = [_binding(name, it) for name, it in layout.bindings.items()]
    of_others = [_binding(name, it, elsewhere=True) for name, it in layout.bindings.items()]
    # "private" lets `fetch` reach this machine too: that is where the tests' upstreams are.
    return f"""\
using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [
    {", ".join(workers)},
    (name = "internet", network = (
      allow = ["public", "private"], tlsOptions = (trustBrowserCas = true)
    )),
    (name = "disk", disk = (path = {_text(str(storage.resolve()))}, writable = true)),
    {", ".join(services)}
  ],
  v8Flags = [{", ".join(map(_text, layout.v8_flags))}],
  sockets = [{", ".join(sockets)}],
);
const main :Workerd.Worker = (
{whole}
  bindings = [{", ".join(of_main)}],
  {_objects(own)}
);
const other :Workerd.Worker = (
{whole}
  bindings = [{", ".join(of_others)}],
);
"""


def _objects(classes: list[str]) -> str:
    """The namespaces of a Worker's Durable Objects. Storage in memory would have no SQL."""
    if not classes:
        return ""
    namespaces = (
        f"(className = {_text(name)}, uniqueKey = {_text(name)}, enableSql = true)"
        for name in classes
    )
    return (
        f"durableObjectNamespaces = [{', '.join(namespaces)}],"
        ' durableObjectStorage = (localDisk = "disk"),'
    )


def _service(name: str, value: Service | Objects, compatibility_date: str) -> str:
    if isinstance(value, Service) and isinstance(value.to, int):
        what = f'external = (address = "127.0.0.1:{value.to}", http = ())'
    else:
        script = value.to if isinstance(value, Service) else value.script
        module = f'(name = "index.js", esModule = {_text(str(script))})'
        objects = ""
        if isinstance(value, Objects):
            real = _binding("REAL", Objects(value.class_name), elsewhere=True)
            objects = f"bindings = [{real}], {_objects([value.class_name])}"
        what = (
            f"worker = (compatibilityDate = {_text(compatibility_date)}, modules = [{module}],"
            f" {objects})"
        )
    return f"(name = {_text(name)}, {what})"


def _binding(name: str, value: object, *, elsewhere: bool = False) -> str:
    """A binding of the first isolate, or of the others."""
    match value:
        case str():
            what = f"text = {_text(value)}"
        case Objects():
            service = name if value.script else "main" if elsewhere else ""
            where = f", serviceName = {_text(service)}" if service else ""
            what = f"durableObjectNamespace = (className = {_text(value.class_name)}{where})"
        case Service(ai=True):
            inner = f'(name = "fetcher", service = {_text(name)})'
            module = "cloudflare-internal:ai-api"
            what = f'wrapped = (moduleName = "{module}", innerBindings = [{inner}])'
        case Service():
            what = f"service = {_text(name)}"
        case _:
            what = f"json = {_text(json.dumps(value))}"
    return f"(name = {_text(name)}, {what})"


def modules(worker: Worker) -> Iterator[tuple[str, str, Path]]:
    """Yields name, kind and file of each module as wrangler would upload them, `main` first."""
    source, is_python = worker.main.parent, worker.main.suffix == ".py"
    yield worker.main.name, "pythonModule" if is_python else "esModule", worker.main
    for name, path in _files(source):
        if path == worker.main:
            continue
        if is_python and path.suffix == ".py":
            yield name, "pythonModule", path
        elif _matches(name, worker.es_modules):
            yield name, "esModule", path
    if is_python and worker.python_modules is not None:
        for name, path in _files(worker.python_modules):
            if not _matches(name, worker.unneeded):
                # The SDK imports its own JavaScript. Everything else is read as a file.
                from_sdk = name.startswith("workers/") and path.suffix in {".js", ".mjs"}
                yield f"python_modules/{name}", "esModule" if from_sdk else "data", path


def _files(folder: Path) -> Iterator[tuple[str, Path]]:
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            yield path.relative_to(folder).as_posix(), path


def _matches(name: str, globs: tuple[str, ...]) -> bool:
    """Whether one of wrangler's globs matches; `**/` is any folder or none."""
    return any(
        fnmatch.fnmatchcase(f"/{name}", glob if glob.startswith("**/") else f"/{glob}")
        for glob in globs
    )


def _text(value: str) -> str:
    """Quotes for Cap'n Proto's text format, whose escapes are bytes."""
    return '"' + "".join(map(_character, value.encode())) + '"'


def _character(byte: int) -> str:
    character = chr(byte)
    plain = character.isascii() and character.isprintable() and character not in '"\\'
    return character if plain else f"\\x{byte:02x}"
