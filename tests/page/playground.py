"""The page as a person uses it: everything that can be done on it and read from it."""

import re
from collections.abc import Sequence
from urllib.parse import urlencode

from playwright.sync_api import Locator, Page, expect

from tests.page.site import Site
from tests.worker.scripts import GATE, Script, stream
from tests.worker.speech import OPENAI


class Playground:
    """One tab with the page in it."""

    def __init__(self, page: Page, site: Site) -> None:
        self.page = page
        self.site = site
        self.message = page.get_by_role("textbox", name="Message", exact=True)
        self.send_button = page.locator("#send")
        self.note = page.locator("#key-note")
        self.turns = page.locator("article.turn")

    def open(self, model: str, key: str | None = None) -> "Playground":
        """Opens the page with key and model in the fragment, and waits for the list of models."""
        fragment = urlencode({"key": self.site.key if key is None else key, "model": model})
        self.page.goto(f"{self.site.url}/#{fragment}")
        expect(self.note).to_have_class(re.compile("good|bad"))
        return self

    def ask(self, prompt: str) -> Locator:
        """Sends a message; returns its turn."""
        turns = self.turns.count()
        self.message.fill(prompt)
        self.send_button.click()
        return self.turns.nth(turns)

    def expect_idle(self) -> None:
        """Waits until no answer is under way."""
        expect(self.send_button).to_have_text("Send", timeout=60_000)

    def expect_answer(self, turn: Locator, text: str) -> None:
        """Waits for the end of an answer and looks at its text."""
        self.expect_idle()
        expect(turn.locator(".prose")).to_have_text(text)

    def measure(self, turn: Locator, name: str) -> str:
        """Returns one figure under an answer, as it is written there."""
        row = turn.locator(".measures dl > div", has=self.page.get_by_text(name, exact=True))
        return row.locator("dd").inner_text()


def saying(*deltas: str) -> Script:
    """Returns the script of an upstream that says these deltas and stops."""
    return stream(OPENAI.text(deltas))


def saying_when_told(deltas: Sequence[str]) -> Script:
    """Returns the same with a gate before each delta but the first."""
    opening, *rest = OPENAI.text(deltas)
    first, others = rest[0], rest[1:]
    gated = [step for event in others[: len(deltas) - 1] for step in (GATE, event)]
    return stream([opening, first, *gated, *others[len(deltas) - 1 :]])
