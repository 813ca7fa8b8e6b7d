"""Reads the scenario folders of Messages and Responses clients with other protocols' upstreams.

Below `tests/fixtures/across`:

    CLIENT/NAME/request.json                    what the client asks, but for the model
    CLIENT/NAME/DIALECT/upstream_request.json   what the upstream is asked
    CLIENT/NAME/DIALECT/answer.txt              the folder that has its answer
    CLIENT/NAME/DIALECT/reply.json              what the client is answered

Clients of Chat Completions have the other folders of `tests/fixtures`. Errors are named as there:
`reply.429.json` before the first event, `reply.error.json` after it.
"""

from pathlib import Path
from typing import Any, NamedTuple

from typing_extensions import override

from tests.envelopes import opened, packed
from tests.least import JSON_TYPE, SSE_TYPE
from tests.play import Played, Upstream, gateway, head, play
from tests.protocols.messages import sdk
from tests.protocols.responses import grammar
from tests.scenarios import FOLDER, Scenario
from xtrix import json

Json = dict[str, Any]

ACROSS = FOLDER / "across"


class Crossing(NamedTuple):
    """One client's request at one upstream of another protocol."""

    client: str
    path: Path
    answer: Scenario
    """The folder whose upstream answers."""

    @override
    def __str__(self) -> str:
        return f"{self.client}-{self.path.parent.name}-{self.path.name}"

    def has(self, name: str) -> bool:
        """Whether the folder has the file `name`."""
        return (self.path / name).exists()

    def json(self, name: str, default: Any = None) -> Any:
        """The value in the file `name`; `default` where there is no such file."""
        return json.decode((self.path / name).read_bytes()) if self.has(name) else default

    def request(self, *, stream: bool) -> Json:
        """What the client asks."""
        said = json.decode((self.path.parent / "request.json").read_bytes())
        model = self.answer.json("request.json")["model"]
        return {"model": model, **packed(said), **({"stream": True} if stream else {})}

    def play(self, upstream: Upstream, *, stream: bool) -> Played:
        """The outcome of the request, with this `upstream`."""
        row = {**self.answer.row(), **self.json("row.json", {})}
        asked = head(f"/v1/{self.client}")
        return play(gateway(row), self.request(stream=stream), [upstream], asked)

    def whole(self) -> Upstream:
        """The upstream that answers whole, well or with an error."""
        status = self.answer.status_of("upstream")
        name = f"upstream.{status}.json" if status else "upstream.json"
        headers = {**JSON_TYPE, **self.answer.json("headers.json", {}).get("upstream", {})}
        return Upstream(status or 200, headers, (self.answer.bytes(name),))

    def added_up(self, frames: str) -> Json:
        """The whole answer that a good stream's frames add up to; checks their grammar."""
        if self.client == "messages":
            told: Json = opened(sdk.message(frames))
            return told
        read: Json = opened(grammar.read(frames).response)
        return read


def streamed(*pieces: bytes) -> Upstream:
    """An upstream that streams `pieces`."""
    return Upstream(200, SSE_TYPE, pieces)


def spelled(client: str, answer: Json) -> Json:
    """A whole `answer` with its signed reasoning decoded, and without empty members."""
    told: Json = opened(sdk.valid(answer) if client == "messages" else answer)
    return told


def crossings() -> list[Crossing]:
    """All of them."""
    found = []
    for path in sorted(ACROSS.glob("*/*/*/answer.txt")):
        provider, name = path.read_text().strip().split("/")
        answer = Scenario(provider, name, FOLDER / provider / name)
        found.append(Crossing(path.parents[2].name, path.parent, answer))
    return found
