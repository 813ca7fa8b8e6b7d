"""The jobs that the tests give to both of OpenAI's SDKs.

A job is one thing that a program does with an SDK. Its result is what the SDK returns, as JSON. So
one test works for both SDKs. How each SDK does a job is in `python_sdk.py` and `node_sdk.mjs`.
"""

import json
from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any, NamedTuple, TypeAlias

import pytest

Json = Any

KEY = "sk-client-of-the-sdk-4f1a"
"""The only key that the Worker accepts."""

FILE = bytes(range(256)) * 40
"""The content of every uploaded file."""


class Options(NamedTuple):
    """How the SDK's client is made. `retries` is how often it tries again: 2 by default."""

    key: str = KEY
    retries: int = 2


USUAL = Options()


Serve: TypeAlias = "Callable[[str], AbstractContextManager[Sdk]]"
"""Makes an SDK of a base URL."""


class Raised(Exception):
    """An exception of the SDK. Both SDKs have the same fields; None if one is missing."""

    def __init__(self, said: dict[str, Json]) -> None:
        super().__init__(json.dumps(said))
        self.fields = said
        self.kind: str = said["kind"]
        """The name of its class, which both SDKs share."""
        self.message: str = said["message"]
        self.status: int | None = said.get("status")
        self.code: str | None = said.get("code")
        self.type: str | None = said.get("type")
        self.param: str | None = said.get("param")
        self.request_id: str | None = said.get("request_id")
        self.chunks: list[Json] = said["chunks"]
        """The chunks of a stream that the program had got before."""


class Sdk(ABC):
    """One SDK that calls the Worker. The jobs raise `Raised` if the SDK raises."""

    forgets: frozenset[str]
    """Fields of a message that its helper does not add up: it keeps only the last delta."""

    @abstractmethod
    def do(self, job: str, request: Json = None, options: Options = USUAL) -> Json:
        """Does the job of that name."""

    def create(self, request: Json) -> Json:
        """Returns the completion of `create`."""
        return self.do("create", request)

    def chunks(self, request: Json) -> list[Json]:
        """Returns the chunks of `create` with `stream`."""
        chunks: list[Json] = self.do("chunks", request)
        return chunks

    def stream(self, request: Json) -> Json:
        """Returns the completion that the helper `stream` adds up."""
        return self.do("stream", request)

    def parse(self, request: Json) -> Json:
        """Returns the completion of `parse`; the job `parse_stream` does the same with `stream`.

        Response format and tools are given as the SDK wants them for that: as classes in Python,
        as strict JSON schemas in Node.
        """
        return self.do("parse", request)

    def converse(self, how: str, request: Json, returned: dict[str, str]) -> Json:
        """Takes a second turn: sends back what the called tools returned, or just continues.

        `how` is the job that takes the first turn. The message it gives goes back as the SDK gave
        it, and after it the results, found by the names of the tools, or a word of the user.
        """
        return self.do("converse", {"how": how, "request": request, "returned": returned})


def raised(sdk: Sdk, job: str, request: Json = None, options: Options = USUAL) -> Raised:
    """Returns what the SDK raises in a job that must fail."""
    with pytest.raises(Raised) as caught:
        sdk.do(job, request, options)
    return caught.value
