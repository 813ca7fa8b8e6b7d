"""A Writer that only records its calls, block by block, and checks their order.

The allowed order is that of `xtrix.answer`, written here once more as an automaton. Every Reader
must keep to it, in whatever order its upstream sends things.
"""

from typing import Any, NamedTuple

from xtrix import json
from xtrix.answer import CallStart, Citation, Finish, Usage
from xtrix.prompt import Sealed

Json = dict[str, Any]


class Block(NamedTuple):
    """One block of an answer. Members that its kind does not have are empty."""

    kind: str
    text: str = ""
    sealed: Sealed | None = None
    call: CallStart | None = None
    citations: tuple[Citation, ...] = ()
    logprobs: tuple[str, ...] = ()
    """As JSON, for what is JSON cannot be hashed."""


class Recorder:
    """Records the calls. Raises AssertionError if their order is wrong."""

    continues = True
    sequence: int | None = None
    finish_reasons: tuple[str, ...] = ()

    def __init__(self) -> None:
        self.calls: list[str] = []
        """The names of the Writer's methods as they were called."""
        self.begun: tuple[Usage, str | None] | None = None
        self.finish: Finish | None = None
        self.blocks: list[Block] = []
        self._open = ""
        self._pieces: list[str] = []
        self._logprobs: list[str] = []
        self._call: CallStart | None = None

    # What tests ask

    @property
    def kinds(self) -> list[str]:
        """The kinds of the blocks."""
        return [block.kind for block in self.blocks]

    def texts(self, kind: str) -> list[str]:
        """The texts of the blocks of `kind`."""
        return [block.text for block in self.blocks if block.kind == kind]

    # The Writer

    def begin(self, usage: Usage, service_tier: str | None) -> None:
        self._note("begin")
        assert self.begun is None
        assert self.finish is None
        self.begun = (usage, service_tier)

    def text(self, text: str, logprobs: list[Json] | None = None) -> None:
        self._piece("text", text)
        self._logprobs += [json.encode(each) for each in logprobs or ()]

    def text_end(self, citations: list[Citation]) -> None:
        self._note("text_end")
        self._expect_open("text")
        logprobs = tuple(self._logprobs)
        self._add(Block("text", self._taken(), citations=tuple(citations), logprobs=logprobs))
        self._logprobs = []

    def thinking(self, text: str) -> None:
        self._piece("thinking", text)

    def thinking_end(self, sealed: Sealed | None) -> None:
        self._note("thinking_end")
        self._expect_open("thinking")
        assert self._pieces or sealed, "a block of nothing"
        self._add(Block("thinking", self._taken(), sealed))

    def call(self, call: CallStart) -> None:
        self._note("call")
        assert not self._open, f"a call begins while {self._open} is open"
        assert call.id
        assert call.tool.name
        assert call.id not in [block.call.id for block in self.blocks if block.call]
        self._open = "call"
        self._call = call

    def arguments(self, text: str) -> None:
        assert self._call, "arguments without a call"
        assert self._call.tool.kind != "custom" or not self._pieces, "a custom tool's in pieces"
        self._piece("call", text)

    def call_end(self) -> None:
        self._note("call_end")
        assert self._open == "call"
        self._add(Block("call", self._taken(), call=self._call))
        self._call = None

    def refusal(self, text: str) -> None:
        self._note("refusal")
        assert not self._open
        assert text
        before = self.blocks[-1] if self.blocks else None
        if before and before.kind == "refusal":
            self.blocks[-1] = before._replace(text=before.text + text)
        else:
            self.blocks.append(Block("refusal", text))

    def search(self, queries: list[str], sources: list[Json]) -> None:
        self._note("search")
        assert not self._open

    def end(self, finish: Finish) -> None:
        self._note("end")
        assert not self._open, f"the end while {self._open} is open"
        self.finish = finish

    def moved(self, count: int, text: str) -> None:
        assert self._open
        assert count
        self._pieces.append(json.decode(f'"{text}"'))

    # The grammar

    def _note(self, name: str) -> None:
        self.calls.append(name)
        assert self.begun or name == "begin", f"{name} before the beginning"
        assert self.finish is None, f"{name} after the end"

    def _piece(self, kind: str, text: str) -> None:
        self._note("arguments" if kind == "call" else kind)
        assert text, "an empty piece"
        if not self._open:
            assert kind != "call"
            self._open = kind
        assert self._open == kind, f"{kind} while {self._open} is open"
        self._pieces.append(text)

    def _expect_open(self, kind: str) -> None:
        """The end of a block of text or reasoning; the block may be empty."""
        assert self._open in {"", kind}, f"{kind} ends while {self._open} is open"

    def _taken(self) -> str:
        text = "".join(self._pieces)
        self._pieces = []
        return text

    def _add(self, block: Block) -> None:
        self._open = ""
        self.blocks.append(block)
