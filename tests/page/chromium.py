"""The tests' Chromium: the one that npm's `@sparticuz/chromium` carries, or an installed one.

It knows how to get a browser that needs neither root nor a download of its own, and the fonts
that make a picture the same on every machine. It knows nothing of the page.
"""

import fcntl
import importlib.resources
import json
import os
import shutil
import subprocess
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from xml.sax.saxutils import escape

from tools.paths import CACHE, NODE, NODE_MODULES

PACKAGE = NODE_MODULES / "@sparticuz" / "chromium"
INSTALLED = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome")
FONT_PACKAGES = ("fontpkg_source_serif_4", "fontpkg_ibm_plex_mono")
"""The first serif and the first mono of the page's style that are not one vendor's own."""

ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--font-render-hinting=none",
)
"""No sandbox, because tests may run as root; nothing that looks for a host of the maker's."""

_EXPAND = """
const { createReadStream, createWriteStream } = require("node:fs");
const { pipeline } = require("node:stream/promises");
const { createBrotliDecompress } = require("node:zlib");
const [from, to] = process.argv.slice(1);
pipeline(createReadStream(from), createBrotliDecompress(), createWriteStream(to, { mode: 0o755 }));
"""


class NoBrowserError(Exception):
    """There is no Chromium on this machine that starts; says what to do."""


@cache
def find() -> tuple[Path, dict[str, str]]:
    """Returns a Chromium that starts, and the environment it needs for that.

    Raises:
        NoBrowserError: Neither the package's nor an installed one starts.
    """
    fonts = {"FONTCONFIG_FILE": str(_fonts())}
    program, libraries = _unpacked()
    for environment in (fonts, {**fonts, "LD_LIBRARY_PATH": str(libraries)}):
        if _starts(program, environment):
            return program, environment
    for name in INSTALLED:
        found = shutil.which(name)
        if found and _starts(Path(found), fonts):
            return Path(found), fonts
    raise NoBrowserError(
        f"{program} does not start here; install Chromium (Debian, Ubuntu: apt install chromium)"
    )


def _unpacked() -> tuple[Path, Path]:
    """Unpacks the package once. Returns the program and the libraries that some systems lack.

    Several processes may ask at once: one of them unpacks, and the others wait.
    """
    version = json.loads((PACKAGE / "package.json").read_text())["version"]
    folder = CACHE / f"chromium-{version}"
    CACHE.mkdir(exist_ok=True)
    with (CACHE / "chromium.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.exists():
            _unpack(folder)
    return folder / "chromium", folder / "lib"


def _unpack(folder: Path) -> None:
    unfinished = folder.with_name(f"{folder.name}.{os.getpid()}")
    unfinished.mkdir()
    _expand("chromium.br", unfinished / "chromium")
    _expand("al2023.tar.br", unfinished / "libraries.tar")
    shutil.unpack_archive(unfinished / "libraries.tar", unfinished, filter="data")
    unfinished.rename(folder)


def _expand(name: str, target: Path) -> None:
    command = [str(NODE), "-e", _EXPAND, str(PACKAGE / "bin" / name), str(target)]
    subprocess.run(command, check=True)


def _starts(program: Path, environment: Mapping[str, str]) -> bool:
    try:
        command = [str(program), "--version"]
        done = subprocess.run(
            command, env={**os.environ, **environment}, capture_output=True, timeout=60, check=False
        )
    except OSError:
        return False
    return done.returncode == 0


def _fonts() -> Path:
    """Writes a fontconfig file that knows the test fonts and no others."""
    folders = [str(importlib.resources.files(package)) for package in FONT_PACKAGES]
    entries = "".join(f"<dir>{escape(folder)}</dir>" for folder in folders)
    config = CACHE / "fonts.conf"
    cache = escape(str(CACHE / "fontconfig"))
    text = f"<fontconfig>{entries}<cachedir>{cache}</cachedir></fontconfig>"
    if not config.exists() or config.read_text() != text:
        CACHE.mkdir(exist_ok=True)
        config.write_text(text)
    return config
