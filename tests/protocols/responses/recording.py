"""A Writer that records its calls, and checks that their order is that of `xtrix.answer`."""

from typing import Any

from xtrix.answer import CallStart, Citation, Expected, Finish, Usage
from xtrix.prompt import Origin, Sealed
from xtrix.protocol import Answering, Request, Stamp
from xtrix.reasoning import Carrier

Json = dict[str, Any]
Said = tuple[Any, ...]

ORIGIN = Origin("openai", "gpt-5.5", "responses")


class Recorder:
    """Records the calls; consecutive pieces of one block are one record."""

    def __init__(self) -> None:
        self.continues = False
        self.sequence: int | None = None
        self.finish_reasons: tuple[str, ...] = ()
        self.said: list[Said] = []
        self.pieces = 0
        self.begun_with: tuple[Usage, str | None] | None = None
        self._open = ""
        self._ended = False

    def begin(self, usage: Usage, service_tier: str | None) -> None:
        assert not self.said
        self.begun_with = (usage, service_tier)
        self.said.append(("begin",))

    def text(self, text: str, logprobs: list[Json] | None = None) -> None:
        self._enter("text", text)
        if logprobs:
            self._note("logprobs", logprobs)
        else:
            self._piece("text", text)

    def text_end(self, citations: list[Citation]) -> None:
        self._leave("text")
        self._note("text_end", citations)

    def thinking(self, text: str) -> None:
        self._enter("thinking", text)
        self._piece("thinking", text)

    def thinking_end(self, sealed: Sealed | None) -> None:
        assert self._open in {"", "thinking"}
        self._open = ""
        self._note("thinking_end", sealed)

    def call(self, call: CallStart) -> None:
        assert self._open in {"", "refusal"}
        self._open = "call"
        self._note("call", call.id, call.tool)

    def arguments(self, text: str) -> None:
        assert self._open == "call"
        assert text
        self._piece("arguments", text)

    def call_end(self) -> None:
        self._leave("call")
        self._note("call_end")

    def refusal(self, text: str) -> None:
        self._enter("refusal", text)
        self._piece("refusal", text)

    def search(self, queries: list[str], sources: list[Json]) -> None:
        assert not self._open
        self._note("search", queries, sources)

    def end(self, finish: Finish) -> None:
        assert self._open in {"", "refusal"}
        self._note("end", finish)
        self._ended = True

    def moved(self, count: int, text: str) -> None:
        raise AssertionError(text)

    def _enter(self, kind: str, text: str) -> None:
        assert text
        assert self._open in {"", "refusal", kind}
        self._open = kind

    def _leave(self, kind: str) -> None:
        assert self._open == kind
        self._open = ""

    def _piece(self, kind: str, text: str) -> None:
        self.pieces += 1
        if self.said[-1][0] == kind:
            self.said[-1] = (kind, self.said[-1][1] + text)
        else:
            self._note(kind, text)

    def _note(self, *said: Any) -> None:
        assert self.said
        assert not self._ended
        self.said.append(said)


def answering(expected: Expected | None = None) -> Answering:
    """The settings for an answer by `ORIGIN`."""
    return Answering(
        Request({}, b"", "gpt-5.5", stream=True),
        Stamp("0" * 32, 0, "gpt-5.5", "fp_0000000000"),
        ORIGIN,
        Carrier(b"secret", b"client"),
        expected or Expected(),
    )
