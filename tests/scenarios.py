"""Reads the scenario folders of `tests/fixtures`."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from typing_extensions import override

from xtrix import json

FOLDER = Path(__file__).parent / "fixtures"

DIALECTS = {
    "anthropic": "anthropic",
    "llamacpp-messages": "anthropic",
    "openai-responses": "openai-responses",
}
"""The dialect of each provider that does not speak OpenAI's."""


class Scenario(NamedTuple):
    """One folder."""

    provider: str
    name: str
    path: Path

    @property
    def dialect(self) -> str:
        """The dialect that its upstream speaks."""
        return DIALECTS.get(self.provider, "openai")

    def has(self, name: str) -> bool:
        """Whether the folder has the file `name`."""
        return (self.path / name).exists()

    def json(self, name: str, default: Any = None) -> Any:
        """The value in the file `name`; `default` where there is no such file."""
        return json.decode((self.path / name).read_bytes()) if self.has(name) else default

    def bytes(self, name: str) -> bytes:
        """The bytes of the file `name`."""
        return (self.path / name).read_bytes()

    def status_of(self, stem: str) -> int | None:
        """The status in a name such as `upstream.429.json`; None where there is none such."""
        found = next(self.path.glob(f"{stem}.[0-9][0-9][0-9].json"), None)
        return int(found.suffixes[-2][1:]) if found else None

    def row(self) -> dict[str, Any]:
        """A provider's row for it, with the quirks that the folder names."""
        return {
            "name": self.provider,
            "dialect": self.dialect,
            "base_url": "http://upstream.test/v1",
            "api_key": "UPSTREAM_KEY",
            "models": ["*"],
            **self.json("row.json", {}),
        }

    @override
    def __str__(self) -> str:
        """Its name in a test report."""
        return f"{self.provider}/{self.name}"


def scenarios(*files: str) -> list[Scenario]:
    """Every scenario whose folder has all of `files`, without refused requests."""
    return [each for each in _all() if each.provider != "refused" and all(map(each.has, files))]


def refused() -> list[Scenario]:
    """The requests that are refused before any upstream is called."""
    return [each for each in _all() if each.provider == "refused"]


def _all() -> Iterator[Scenario]:
    for path in sorted(FOLDER.glob("*/*/request.json")):
        yield Scenario(path.parent.parent.name, path.parent.name, path.parent)
