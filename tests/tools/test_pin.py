"""Everything that is installed is pinned by its hash: in the Worker, and in the tools."""

import re
from pathlib import Path

import pytest

from tools import pin, setup, vendor

PINNED = re.compile(r"^([A-Za-z0-9_.-]+)==(\S+)", re.MULTILINE)
ENTRY = re.compile(
    r"^([A-Za-z0-9_.-]+)==(\S+)((?: \\\n    --hash=sha256:[0-9a-f]{64})+)$", re.MULTILINE
)


def versions(requirements: str) -> list[tuple[str, str]]:
    return [(pin.canonical(name), version) for name, version in PINNED.findall(requirements)]


@pytest.mark.parametrize("requirements", [vendor.REQUIREMENTS, setup.OLDER_REQUIREMENTS])
def test_each_package_is_one_wheel(requirements: Path) -> None:
    text = requirements.read_text()
    entries = ENTRY.findall(text)
    assert [(pin.canonical(name), version) for name, version, _ in entries] == versions(text)
    assert {hashes.count("--hash") for _, _, hashes in entries} == {1}


def test_the_lock_is_the_list_of_tools_with_hashes() -> None:
    """Whoever changes a version runs `python -m tools.pin`."""
    lock = setup.LOCK.read_text()
    entries = ENTRY.findall(lock)
    assert [(pin.canonical(name), version) for name, version, _ in entries] == versions(lock)
    assert sorted(versions(lock)) == sorted(versions(setup.REQUIREMENTS.read_text()))


def test_no_file_names_an_index() -> None:
    for file in (
        *(vendor.REQUIREMENTS, setup.OLDER_REQUIREMENTS),
        *(setup.REQUIREMENTS, setup.LOCK),
    ):
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
