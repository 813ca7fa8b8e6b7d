"""openai-node and Anthropic's SDK for TypeScript, each in one Node process."""

import itertools
import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from typing_extensions import override

from tests.clients.sdk import USUAL, Json, Options, Raised, Sdk
from tools import paths

FOLDER = Path(__file__).parent


class NodeSdk(Sdk):
    """An SDK of a Node program."""

    forgets = frozenset({"reasoning_content"})  # it adds up no text that it does not know

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self._ids = itertools.count()

    @override
    def do(self, job: str, request: Json = None, options: Options = USUAL) -> Json:
        assert self._process.stdin
        assert self._process.stdout
        number = next(self._ids)
        line = {"id": number, "job": job, "request": request, **options._asdict()}
        self._process.stdin.write(json.dumps(line) + "\n")
        self._process.stdin.flush()
        answers = map(json.loads, self._process.stdout)
        # A test that ran out of time has left an answer that nobody took.
        answer = next(answer for answer in answers if answer["id"] == number)
        if "raised" in answer:
            raise Raised(answer["raised"])
        return answer.get("result")


@contextmanager
def serve(base_url: str, program: str = "node_sdk.mjs") -> Iterator[NodeSdk]:
    """The SDK of that program, talking to this Worker."""
    with subprocess.Popen(
        [paths.NODE, FOLDER / program, base_url],
        env={},  # no key, organisation or log level of the environment's
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        encoding="utf-8",
    ) as process:
        yield NodeSdk(process)
