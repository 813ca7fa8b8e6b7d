import hashlib
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

WHEEL = "parcel-1.0-py3-none-any.whl"
NO_HASH = "0" * 64


def line(wheel: Path, digest: str) -> str:
    """A line of requirements.txt for a wheel that lies on the disk."""
    return f"{wheel} --hash=sha256:{digest}\n"


@pytest.fixture
def requirements(bare_tree: Path) -> Path:
    """Names one package, which lies beside it: nothing has to be downloaded."""
    with zipfile.ZipFile(bare_tree / WHEEL, "w") as wheel:
        wheel.writestr("parcel.py", "CONTENT = 1\n")
        wheel.writestr("parcel-1.0.dist-info/METADATA", "Name: parcel\nVersion: 1.0\n")
        wheel.writestr("parcel-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\n")
        wheel.writestr("parcel-1.0.dist-info/RECORD", "")
    requirements = bare_tree / "requirements.txt"
    digest = hashlib.sha256((bare_tree / WHEEL).read_bytes()).hexdigest()
    requirements.write_text(line(bare_tree / WHEEL, digest))
    return requirements


def vendor(tree: Path, **settings: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "tools/vendor.py"],
        cwd=tree,
        env={**os.environ, **settings},
        capture_output=True,
        text=True,
        check=False,
    )


def test_fetches_what_is_named_and_then_only_compares(requirements: Path) -> None:
    tree = requirements.parent

    assert vendor(tree).returncode == 0
    made = (tree / "python_modules").stat().st_ino
    assert (tree / "python_modules" / "parcel.py").exists()
    # Without its wheel it could not be made again.
    (tree / WHEEL).unlink()
    again = vendor(tree)

    assert (again.returncode, again.stdout, again.stderr) == (0, "", "")
    assert (tree / "python_modules").stat().st_ino == made


def test_a_failure_says_what_to_do_and_leaves_what_was_there(requirements: Path) -> None:
    tree = requirements.parent
    assert vendor(tree).returncode == 0
    requirements.write_text(line(tree / "absent-1.0-py3-none-any.whl", NO_HASH))

    failed = vendor(tree)

    assert failed.returncode == 1
    assert "check the network and run it again" in failed.stderr
    assert failed.stderr.count("\n") == 1
    assert (tree / "python_modules" / "parcel.py").exists()


@pytest.mark.parametrize("written", ["{wheel} --hash=sha256:" + NO_HASH, "{wheel}"])
def test_a_wheel_that_is_not_the_one_named_is_refused(requirements: Path, written: str) -> None:
    tree = requirements.parent
    assert vendor(tree).returncode == 0
    made = (tree / "python_modules").stat().st_ino
    requirements.write_text(written.format(wheel=tree / WHEEL) + "\n")

    failed = vendor(tree)

    assert failed.returncode == 1
    assert failed.stderr == (
        "python_modules: what pip would install is not what requirements.txt names by its hash,"
        " and is left out; after a change of versions: python -m tools.pin"
        " (details: .cache/vendor.log)\n"
    )
    assert (tree / "python_modules").stat().st_ino == made


def test_two_at_once_make_one_whole_folder(requirements: Path) -> None:
    tree = requirements.parent
    both = [subprocess.Popen([sys.executable, "tools/vendor.py"], cwd=tree) for _ in range(2)]

    assert [process.wait() for process in both] == [0, 0]
    assert (tree / "python_modules" / "parcel.py").read_text() == "CONTENT = 1\n"


def test_a_setting_of_the_users_pip_does_not_matter(requirements: Path) -> None:
    tree = requirements.parent

    assert vendor(tree, PIP_USER="1", PIP_REQUIRE_VIRTUALENV="1").returncode == 0
