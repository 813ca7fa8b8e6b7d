"""How much memory a running workerd uses: by the kernel's figures (Linux), and by V8's."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from websockets.sync.client import ClientConnection, connect

_WASM_ADDRESSES = 2**32
"""V8 reserves at least this for one WebAssembly memory: what is in use, then a guard region."""


COLLECTIONS = 3
"""V8 frees the buffers of one collection beside the program, and is sure to have by the next."""


@dataclass(frozen=True, slots=True)
class Memory:
    """Sizes in bytes."""

    python: int
    """The linear memory of the interpreter, which only ever grows."""
    rest: int
    """What else is resident: the isolate's heap, buffers and workerd itself."""


def memory_of(pid: int) -> Memory:
    """Measures a workerd that serves one Python Worker."""
    python = max(_linear_memories(pid))
    status = dict(
        line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines()
    )
    resident = int(status["VmRSS"].removesuffix(" kB")) * 1024
    return Memory(python, resident - python)


def reachable(inspector: int, wake: Callable[[], object]) -> int:
    """Returns the bytes that V8 holds after a garbage collection, without the interpreter's linear
    memory. V8 obeys the inspector only when the isolate runs, so `wake` sends it requests.
    """
    with connect(f"ws://127.0.0.1:{inspector}/main") as protocol:
        for _ in range(COLLECTIONS):
            protocol.send(json.dumps({"id": 1, "method": "HeapProfiler.collectGarbage"}))
            while not _answered(protocol):
                wake()
        protocol.send(json.dumps({"id": 2, "method": "Runtime.getHeapUsage"}))
        usage = json.loads(protocol.recv())["result"]
    return sum(usage[kind] for kind in ("usedSize", "embedderHeapUsedSize", "backingStorageSize"))


def _answered(protocol: ClientConnection) -> bool:
    try:
        protocol.recv(timeout=0.1)
    except TimeoutError:
        return False
    return True


def _linear_memories(pid: int) -> list[int]:
    """Returns the sizes of the writable mappings that have a guard region up to 4 GiB."""
    sizes = []
    written = written_end = 0
    for line in Path(f"/proc/{pid}/maps").read_text().splitlines():
        addresses, access = line.split(" ", 2)[:2]
        start, end = (int(address, 16) for address in addresses.split("-"))
        guards = access == "---p" and start == written_end
        if guards and written + end - start >= _WASM_ADDRESSES:
            sizes.append(written)
        written, written_end = (end - start, end) if access == "rw-p" else (0, 0)
    return sizes
