"""Makes the Pyodide bundle for the local workerd from npm's `pyodide` package.

workerd downloads Pyodide from Cloudflare at every start. This module makes the same thing from the
package registry instead, so that development and tests need nothing else and the version is pinned.
It knows two foreign formats: the loader in `pyodide.asm.mjs`, and the message in which workerd
expects a bundle. It knows nothing of Workers, flags or how workerd is started.

workerd forbids code that is made at run time, except in a few places in its module
`pyodide-internal:builtin_wrappers`, which the loader must use. Each rewrite says how often its text
must occur, so a different Pyodide ends in a clear error and is never half patched. Read in workerd
1.20261117.1 (src/pyodide/internal/builtin_wrappers.ts, and the schema src/workerd/io/...
pyodide.capnp), November 2026.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent
PYODIDE = ROOT / "node_modules" / "pyodide"
BUNDLES = ROOT / ".cache" / "pyodide"
FILE_NAME = "pyodide_dev.capnp.bin"
"""The only name that workerd reads without comparing it with a checksum of Cloudflare's file."""


class BundleError(Exception):
    """The Pyodide in node_modules is not the one for which the rewrites were written."""


class Rewrite(NamedTuple):
    """`pattern` must occur exactly `times`; each occurrence becomes `replacement`."""

    pattern: str
    replacement: str
    times: int


HEAD = """\
import {
  addEventListener, getRandomValues, location, monotonicDateNow, newWasmModule,
  patchedLoadLibData, wasmInstantiate,
} from "pyodide-internal:builtin_wrappers";
function refuseEval() { throw new Error("workerd allows no eval"); }
"""

REWRITES = (
    Rewrite(r"new WebAssembly\.Module\(", "newWasmModule(", 4),
    Rewrite(r"WebAssembly\.instantiate\(", "wasmInstantiate(", 2),
    Rewrite(r"\bDate\.now\b", "monotonicDateNow", 22),
    Rewrite(r"\bcrypto\.getRandomValues\(", "getRandomValues(Module,", 1),
    Rewrite(
        r"function loadLibData\(\)\{",
        "function loadLibData(){"
        "const code=patchedLoadLibData(Module,libName,flags.rpath);"
        "return flags.loadAsync?Promise.resolve(code):code;",
        1,
    ),
    Rewrite(r"(?<![\w$.])getMemory\(", "Module.getMemoryPatched(Module,libName,", 1),
    Rewrite(r"(?<![\w$.])eval\(", "refuseEval(", 6),
    Rewrite(
        r"export default _createPyodideModule\b",
        "export{_createPyodideModule};export default _createPyodideModule",
        1,
    ),
)

# One unpacked Cap'n Proto message. Field numbers are workerd's; the id is arbitrary.
SCHEMA = """\
@0xb1c5e9a04d7f3e21;
struct Bundle { modules @0 :List(Module); }
struct Module {
  name @0 :Text;
  union { src @1 :Data; wasm @4 :Data; data @5 :Data; json @6 :Text; }
  type @2 :ModuleType;
  tsDeclaration @3 :Text;
  compileCache @7 :Data;
}
enum ModuleType { bundle @0; builtin @1; internal @2; }
"""


def path() -> Path:
    """Returns the path of the bundle that this module makes from the installed Pyodide.

    Its folder is what `--pyodide-bundle-disk-cache-dir` takes. It may not exist yet.
    """
    version = str(json.loads((PYODIDE / "package.json").read_bytes())["version"])
    recipe = hashlib.sha256(Path(__file__).read_bytes()).hexdigest()[:12]
    return BUNDLES / f"{version}-{recipe}" / FILE_NAME


def patch(source: str) -> str:
    """Returns the loader after all rewrites.

    Raises:
        BundleError: A text occurs more or less often than it did in the known Pyodide.
    """
    for pattern, replacement, expected in REWRITES:
        source, found = re.subn(pattern, replacement, source)
        if found != expected:
            raise BundleError(f"{pattern} occurs {found} times in the loader, not {expected}")
    return HEAD + source


def build() -> Path:
    """Writes the bundle if it is missing, in one step, and returns its path."""
    finished = path()
    if not finished.exists():
        message = _message()
        finished.parent.mkdir(parents=True, exist_ok=True)
        unfinished = finished.with_suffix(f".{os.getpid()}")
        unfinished.write_bytes(message)
        unfinished.replace(finished)
    return finished


def _message() -> bytes:
    import capnp  # noqa: PLC0415  (only the making needs it; `directory` runs without the venv)

    with tempfile.NamedTemporaryFile("w", suffix=".capnp") as schema_file:
        schema_file.write(SCHEMA)
        schema_file.flush()
        schema = capnp.load(schema_file.name)
    contents = (
        ("pyodide.asm", "src", patch((PYODIDE / "pyodide.asm.mjs").read_text()).encode()),
        ("pyodide.asm.wasm", "wasm", (PYODIDE / "pyodide.asm.wasm").read_bytes()),
        ("python_stdlib.zip", "data", (PYODIDE / "python_stdlib.zip").read_bytes()),
    )
    modules = [
        {"name": f"pyodideRuntime-internal:{name}", kind: data, "type": "internal"}
        for name, kind, data in contents
    ]
    message: bytes = schema.Bundle.new_message(modules=modules).to_bytes()
    return message


def main() -> int:
    """Returns the exit status."""
    try:
        print(build())
    except (BundleError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
