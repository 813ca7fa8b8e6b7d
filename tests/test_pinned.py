"""Every download is pinned by its hash: packages of Python and npm, and GitHub's actions."""

import json
import re
from pathlib import Path

import pytest

from tools import release
from xtrix import __version__

ROOT = Path(__file__).parents[1]
WORKFLOWS = sorted(ROOT.glob(".github/workflows/*.yml"))
NO_HASH = {
    f"node_modules/@cloudflare/workerd-{system}"
    for system in ("darwin-64", "darwin-arm64", "windows-64")
}
"""Of other systems than the lock file was made on; docs/security.md owns up to them."""
OTHERS = tuple(f"requirements-{name}.txt" for name in ("older", "release", "uv"))
FETCHED = sorted(
    str(file.relative_to(ROOT)) for file in ROOT.glob("tests/fetched/packages/*/*.txt")
)
LOCKS = ("requirements-run.lock", "requirements-dev.lock")
REQUIREMENTS = ("requirements.txt", *LOCKS, *OTHERS, *FETCHED)


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda file: file.name)
def test_an_action_is_named_by_its_commit(workflow: Path) -> None:
    used = re.findall(r"uses: (.*)", workflow.read_text())
    assert used
    assert [
        each for each in used if not re.fullmatch(r"[\w./-]+@[0-9a-f]{40}  # v[\d.]+", each)
    ] == []


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda file: file.name)
def test_a_workflow_may_read_and_its_jobs_ask_for_more(workflow: Path) -> None:
    assert re.search(r"^permissions:\n  contents: read$", workflow.read_text(), re.MULTILINE)


@pytest.mark.parametrize("name", REQUIREMENTS)
def test_a_package_of_python_has_an_exact_version_and_hashes(name: str) -> None:
    text = (ROOT / name).read_text().replace("\\\n", " ")
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    assert lines
    exact = re.compile(r"[\w.-]+(\[[\w,-]+\])?==\S+( ;[^#]*?)?( +--hash=sha256:[0-9a-f]{64})+ *")
    assert [line[:60] for line in lines if not exact.fullmatch(line)] == []


def test_a_package_of_npm_has_a_version_and_a_hash() -> None:
    lock = json.loads((ROOT / "package-lock.json").read_text())["packages"]
    packages = {name: each for name, each in lock.items() if name}
    assert packages
    without = {name for name, each in packages.items() if "integrity" not in each}
    assert without == NO_HASH
    hashes = [each["integrity"] for name, each in packages.items() if name not in NO_HASH]
    assert [each for each in hashes if not each.startswith("sha512-")] == []
    package = json.loads((ROOT / "package.json").read_text())
    named = [*package["dependencies"].values(), *package["devDependencies"].values()]
    assert [each for each in named if not re.fullmatch(r"(npm:[\w@/-]+@)?[\d.]+", each)] == []


def test_a_release_says_what_the_changelog_says_of_its_version() -> None:
    changelog = "# Changelog\n\n## 0.3.0\n\nThree.\n\n## 0.2.0\n\n- Two.\n- More.\n"
    assert release.notes(changelog, "0.2.0") == "- Two.\n- More."
    assert release.notes(changelog, "0.4.0") == ""
    assert release.version() == __version__


@pytest.mark.parametrize(("tag", "status"), [(f"v{__version__}", 0), (__version__, 1), ("v9", 1)])
def test_a_tag_of_another_version_is_no_release(
    tag: str, status: int, capsys: pytest.CaptureFixture[str]
) -> None:
    assert release.main([tag]) == status
    assert bool(capsys.readouterr().out) == (status == 0)
