"""`make fuzz`: runs the tests with random inputs for some minutes, with new ones every time.

    make fuzz              new draws; the seed is printed
    make fuzz SEED=123     the draws of that seed
    make fuzz ARGS="-k stream"    what else pytest is to be told

The smallest input of every failure is kept in tests/cases. From then on `make test` tries it too.
"""

from __future__ import annotations

import argparse
import secrets
import subprocess
import sys

from tools import paths

_CASES = paths.ROOT / "tests" / "cases"
_TESTS = (
    *("tests/test_properties.py", "tests/worker/test_hostile.py"),
    "tests/test_hostile_upstreams.py",
)


def main() -> int:
    """Returns the exit status of the tests."""
    parser = argparse.ArgumentParser(prog="make fuzz", description=__doc__)
    parser.add_argument("--seed", type=int, default=secrets.randbelow(2**32))
    said, more = parser.parse_known_args()
    print(f"seed {said.seed}: `make fuzz SEED={said.seed}` draws the same", flush=True)
    before = _kept()
    status = subprocess.run(command(said.seed, more), cwd=paths.ROOT, check=False).returncode
    for name in sorted(_kept() - before):
        print(f"kept: tests/cases/{name}")
    return status


def command(seed: int, more: list[str]) -> list[str]:
    """The command that runs the tests with the random inputs of `seed`."""
    drawing = ("--hypothesis-profile=new every time", f"--hypothesis-seed={seed}")
    chosen = ("-m", "drawn", "--timeout=0", "--quiet")
    return [str(paths.PYTHON), "-m", "pytest", *drawing, *chosen, *more, *_TESTS]


def _kept() -> set[str]:
    return {path.name for path in _CASES.glob("*.json")}


if __name__ == "__main__":
    sys.exit(main())
