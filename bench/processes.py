"""The CPU time and the memory of a process, from the operating system. Linux only."""

from __future__ import annotations

import itertools
import os
import re
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")
_WASM_RANGE = 1 << 32
"""Bytes of address space that V8 sets aside for each WebAssembly memory, whatever its size."""


def cpu_seconds(pid: int) -> float:
    """CPU time of `pid` and of all that it has started, in seconds.

    The scheduler's count of each thread has nanoseconds; a kernel without it counts in ticks of
    10 ms, and then it takes longer until a figure settles.
    """
    return sum(_own_seconds(member) for member in _family(pid))


def resident_bytes(pid: int) -> int:
    """Memory of `pid` and of all that it has started that is held in RAM, in bytes."""
    return sum(int(_read(f"/proc/{member}/statm").split()[1]) for member in _family(pid)) * _PAGE


def wasm_bytes(pid: int) -> int:
    """The size of the largest WebAssembly memory in `pid`; 0 when it has none.

    It is the part in use of a range of 4 GiB, whose rest may not be touched.
    """
    ranges = [_range(line) for line in _read(f"/proc/{pid}/maps").splitlines()]
    sizes = [
        end - start
        for (start, end, is_used), (rest, rest_end, rest_is_used) in itertools.pairwise(ranges)
        if is_used and not rest_is_used and end == rest and rest_end - start == _WASM_RANGE
    ]
    return max(sizes, default=0)


def _range(line: str) -> tuple[int, int, bool]:
    match = re.match(r"([0-9a-f]+)-([0-9a-f]+) (\S+)", line)
    assert match is not None
    return int(match[1], 16), int(match[2], 16), match[3].startswith("rw")


def _own_seconds(pid: int) -> float:
    tasks = list(Path(f"/proc/{pid}/task").iterdir())
    counts = [_read(task / "schedstat").split() for task in tasks]
    if all(counts):
        return sum(int(count[0]) for count in counts) / 1e9
    # The name, field 2, may hold spaces: what follows it begins after the last parenthesis.
    fields = _read(f"/proc/{pid}/stat").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def _family(pid: int) -> list[int]:
    children = [
        int(child)
        for task in Path(f"/proc/{pid}/task").iterdir()
        for child in _read(task / "children").split()
    ]
    return [pid, *(member for child in children for member in _family(child))]


def _read(path: str | Path) -> str:
    try:
        return Path(path).read_text()
    except OSError:
        return ""
