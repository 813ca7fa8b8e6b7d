import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

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


def node_modules_are_current(tree: Path) -> str:
    code = "print({it.name: it.is_current() for it in setup.STEPS}['node_modules'])"
    command = [sys.executable, "-c", f"from tools import setup; {code}"]
    return subprocess.run(command, cwd=tree, capture_output=True, text=True, check=True).stdout


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


def test_a_tool_that_is_not_the_one_named_is_refused(bare_tree: Path) -> None:
    wheel = bare_tree / "parcel-1.0-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("parcel.py", "raise SystemExit('run')\n")
        archive.writestr("parcel-1.0.dist-info/METADATA", "Name: parcel\nVersion: 1.0\n")
        archive.writestr("parcel-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\n")
        archive.writestr("parcel-1.0.dist-info/RECORD", "")
    (bare_tree / "requirements-dev.lock").write_text(f"{wheel} --hash=sha256:{'0' * 64}\n")

    refused = set_up(bare_tree)

    assert refused.returncode == 1
    assert refused.stderr == (
        "setup: .venv: a downloaded package does not have its pinned hash; nothing was kept\n"
    )
    assert not list((bare_tree / ".venv").rglob("parcel.py"))
