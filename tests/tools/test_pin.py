"""Everything that is installed is pinned by its hash: in the Worker, and in the tools."""

import re
from pathlib import Path

import pytest

from tools import pin, setup, vendor
from tools.paths import ROOT

PINNED = re.compile(r"^([A-Za-z0-9_.-]+)==(\S+)", re.MULTILINE)
ENTRY = re.compile(
    r"^([A-Za-z0-9_.-]+)==(\S+)((?: \\\n    --hash=sha256:[0-9a-f]{64})+)$", re.MULTILINE
)

LISTS = (setup.RUN_REQUIREMENTS, setup.DEV_REQUIREMENTS)


def versions(requirements: str) -> list[tuple[str, str]]:
    return [(pin.canonical(name), version) for name, version in PINNED.findall(requirements)]


def versions_of(file: Path) -> list[tuple[str, str]]:
    return versions(file.read_text())


@pytest.mark.parametrize("requirements", [vendor.REQUIREMENTS, setup.OLDER_REQUIREMENTS])
def test_each_package_is_one_wheel(requirements: Path) -> None:
    text = requirements.read_text()
    entries = ENTRY.findall(text)
    assert [(pin.canonical(name), version) for name, version, _ in entries] == versions(text)
    assert {hashes.count("--hash") for _, _, hashes in entries} == {1}


@pytest.mark.parametrize("requirements", LISTS, ids=lambda file: file.stem)
def test_a_lock_is_the_list_of_packages_with_hashes(requirements: Path) -> None:
    """Whoever changes a version runs `python -m tools.pin`."""
    lock = requirements.with_suffix(".lock").read_text()
    entries = ENTRY.findall(lock)
    assert [(pin.canonical(name), version) for name, version, _ in entries] == versions(lock)
    assert sorted(versions(lock)) == sorted(versions(requirements.read_text()))


def test_no_package_is_in_two_lists() -> None:
    """They are installed into one folder, so two versions would replace each other."""
    names = [name for file in (*LISTS, setup.UV_REQUIREMENTS) for name, _ in versions_of(file)]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("file", sorted(ROOT.glob("requirements*")), ids=lambda file: file.name)
def test_no_file_names_an_index(file: Path) -> None:
    assert "://" not in file.read_text()


TEXT = """\
# What this is for.
Some_Package==1.0 \\
    --hash=sha256:old

other==2.0
"""


def test_new_hashes_take_the_place_of_the_old() -> None:
    expected = """\
# What this is for.
Some_Package==1.0 \\
    --hash=sha256:new

other==2.0 \\
    --hash=sha256:more
"""
    hashes = {"some-package": "new", "other": "more"}
    assert pin.with_hashes(TEXT, hashes) == expected
    assert pin.with_hashes(expected, hashes) == expected
    assert pin.without_hashes(TEXT) == "# What this is for.\nSome_Package==1.0\n\nother==2.0\n"


def test_a_package_without_a_hash_is_no_text() -> None:
    with pytest.raises(KeyError):
        pin.with_hashes(TEXT, {"other": "more"})
