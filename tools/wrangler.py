"""Runs wrangler: with the Node of .venv, quietly, and with the local runtime if wanted.

python -m tools.wrangler deploy --dry-run
"""

from __future__ import annotations

import os
import sys

from tools import paths, runtime


def command(*arguments: str) -> list[str]:
    """Returns the command line of wrangler with `arguments`."""
    return [str(paths.NODE), str(paths.WRANGLER), *arguments]


def environment(**extra: str) -> dict[str, str]:
    """Returns this process's environment, with what wrangler needs and with `extra`.

    The Node and the python3 of .venv come first on the PATH, because the `[build]` command needs a
    python3 with pip.
    """
    path = os.pathsep.join([str(paths.NODE.parent), str(paths.PYTHON.parent), os.environ["PATH"]])
    return {
        **os.environ,
        "PATH": path,
        "WRANGLER_LOG_PATH": str(paths.CACHE / "wrangler"),
        "WRANGLER_SEND_METRICS": "false",
        **extra,
    }


def local_runtime() -> tuple[list[str], dict[str, str]]:
    """Returns the arguments and the environment that make `wrangler dev` use tools.runtime.

    Flags on the command line replace those of wrangler.toml, so these are repeated.
    """
    flags = (*runtime.read_worker().compatibility_flags, *runtime.DEVELOPMENT_FLAGS)
    arguments = [word for flag in flags for word in ("--compatibility-flag", flag)]
    return arguments, {"MINIFLARE_WORKERD_PATH": str(runtime.wrapper())}


if __name__ == "__main__":
    sys.stdout.flush()
    program = command(*sys.argv[1:])
    os.chdir(paths.ROOT)
    os.execve(program[0], program, environment())
