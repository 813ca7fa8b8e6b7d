"""Another origin: serves a blank page, and npm and Python packages, to the browser."""

import importlib.metadata
import io
import os
import threading
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from typing_extensions import override

from tools.paths import NODE_MODULES

PYTHON_PACKAGES = ("pyodide-http", "requests", "certifi", "charset-normalizer", "idna", "urllib3")
"""What a notebook gets when it installs pyodide-http and requests."""

TYPES = {
    "": "text/html",
    ".js": "text/javascript",
    ".json": "application/json",
    ".mjs": "text/javascript",
    ".wasm": "application/wasm",
}

BLANK = b"<!doctype html><html lang=en><meta charset=utf-8><title>Elsewhere</title><p>Elsewhere"

# A notebook's kernel runs in a web worker; it answers every piece of Python with its value.
KERNEL = b"""
import { loadPyodide } from "/pyodide/pyodide.mjs";
const ready = loadPyodide({ indexURL: "/pyodide/" });
onmessage = async ({ data: { archive, code } }) => {
  try {
    const pyodide = await ready;
    if (archive) pyodide.unpackArchive(archive, "zip");
    postMessage({ value: await pyodide.runPythonAsync(code) });
  } catch (error) {
    postMessage({ error: String(error) });
  }
};
"""


class _Files(SimpleHTTPRequestHandler):
    """Serves what is made here by its path, and everything else from node_modules."""

    def __init__(self, *connection: Any, made: dict[str, bytes]) -> None:
        self._made = made
        super().__init__(*connection, directory=str(NODE_MODULES))

    @override
    def do_GET(self) -> None:
        body = self._made.get(self.path)
        if body is None:
            super().do_GET()
            return
        self.send_response(200)
        self.send_header("content-type", self.guess_type(self.path))
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    @override
    def guess_type(self, path: str | os.PathLike[str]) -> str:
        return TYPES.get(Path(path).suffix, "application/octet-stream")

    @override
    def log_message(self, *_: object) -> None:
        """Says nothing: the tests' output is for failures."""


@contextmanager
def serve() -> Iterator[str]:
    """Serves on a free port; gives the origin."""
    made = {"/": BLANK, "/kernel.mjs": KERNEL, "/packages.zip": _archive()}
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Files, made=made))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _archive() -> bytes:
    """Returns the installed Python packages as one zip, without what is compiled."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as packed:
        for name in PYTHON_PACKAGES:
            for file in importlib.metadata.files(name) or ():
                if file.suffix in (".py", ".pem") and ".." not in file.parts:
                    packed.write(Path(str(file.locate())), str(file))
    return archive.getvalue()
