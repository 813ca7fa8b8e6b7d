"""What a client may see of an upstream's fault: in words, and as a check of the answer's bytes."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from tests.worker.client import Answer, error_in, text_in

SAID = ("The first words, ", "and the last ones: é, 北京, 🙂.")
"""What the simulated model says when it gets to say it; a broken stream breaks after the first."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """An answer with an error's status. A code or type of None is not fixed by the contract."""

    status: int
    code: str | None = None
    type: str | None = "api_error"
    headers: Mapping[str, str] = field(default_factory=dict)

    def words(self) -> str:
        """A description for the table of docs/reliability.md."""
        named = [f"`{self.code}`"] if self.code else []
        kept = [f"`{name}: {value}`" for name, value in self.headers.items()]
        return f"{self.status} " + ", ".join([*named, *kept])

    def check(self, answer: Answer) -> None:
        """Fails if the client got anything else."""
        error = answer.error()
        assert answer.status == self.status, error
        assert self.code in {None, error["code"]}, error
        assert self.type in {None, error["type"]}, error
        assert {name: answer.headers.get(name) for name in self.headers} == self.headers


@dataclass(frozen=True, slots=True)
class Broken:
    """A stream with the text so far, followed by an error."""

    code: str

    def words(self) -> str:
        """A description for the table of docs/reliability.md."""
        return f"the text so far, an error frame `{self.code}`, `[DONE]`"

    def check(self, answer: Answer) -> None:
        """Fails if the client got anything else."""
        *chunks, last = answer.payloads()
        assert error_in(last)["code"] == self.code
        assert text_in(chunks) == SAID[0]
        assert {choice["finish_reason"] for it in chunks for choice in it["choices"]} == {None}


@dataclass(frozen=True, slots=True)
class Intact:
    """The whole answer, as it should be."""

    def words(self) -> str:
        """A description for the table of docs/reliability.md."""
        return "the whole answer"

    def check(self, answer: Answer) -> None:
        """Fails if the client got anything else."""
        assert answer.status == 200, answer
        if answer.headers["content-type"].startswith("text/event-stream"):
            payloads = answer.payloads()
            assert text_in(payloads) == "".join(SAID)
            ends = [choice["finish_reason"] for it in payloads for choice in it["choices"]]
            assert ends == [*[None] * (len(ends) - 1), "stop"]
        else:
            (choice,) = answer.json()["choices"]
            assert choice["message"]["content"] == "".join(SAID)
            assert choice["finish_reason"] == "stop"


Sees = Refusal | Broken | Intact
