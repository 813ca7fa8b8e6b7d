"""Runs one of the real agent programs in a home of its own, without a terminal."""

from pathlib import Path
from subprocess import CompletedProcess

from tests.clients import programs


class Installation:
    """A home with nothing in it, and a folder to work in."""

    def __init__(self, folder: Path, program: Path, key: str) -> None:
        """`folder` is empty. The page names the key by its variable, `XTRIX_KEY`."""
        self.home, self.work = folder / "home", folder / "work"
        self.home.mkdir()
        self.work.mkdir()
        self._program = program
        self._environment = {
            **programs.ENVIRONMENT,
            "HOME": str(self.home),
            "PATH": f"{program.parent}:{programs.ENVIRONMENT['PATH']}",
            "XTRIX_KEY": key,
        }

    def start(self, *words: str | Path) -> CompletedProcess[str]:
        """Runs the program with these arguments to its end."""
        return programs.run((self._program, *words), self._environment, self.work)

    def paste(self, lines: str, *words: str | Path, **variables: str) -> CompletedProcess[str]:
        """Runs lines for a shell, the last of which starts the program, with these arguments."""
        command = ("sh", "-c", f'{lines.rstrip()} "$@"', "sh", *words)
        return programs.run(command, {**self._environment, **variables}, self.work)
