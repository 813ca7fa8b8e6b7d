"""The page without a mouse, and with a screen reader."""

from playwright.sync_api import expect

from tests.page.playground import Playground, saying
from tests.worker.scripts import STALL, stream
from tests.worker.speech import OPENAI
from tests.worker.upstream import PATIENCE


def test_message_has_the_focus_and_enter_sends_it(playground: Playground) -> None:
    playground.site.upstream.answer(saying("Hello."))
    expect(playground.message).to_be_focused()
    keyboard = playground.page.keyboard
    keyboard.type("Two")
    keyboard.press("Shift+Enter")
    keyboard.type("lines")
    keyboard.press("Enter")
    playground.expect_answer(playground.turns.last, "Hello.")
    expect(playground.turns.last.locator(".prompt")).to_have_text("Two\nlines")
    expect(playground.message).to_be_focused()


def test_escape_stops(playground: Playground) -> None:
    playground.site.upstream.answer(stream([*OPENAI.text(["So far"])[:2], STALL]))
    turn = playground.ask("Go on.")
    expect(turn.locator(".prose")).to_have_text("So far")
    playground.page.keyboard.press("Escape")
    assert playground.site.upstream.wait_for_call().left.wait(PATIENCE)
    playground.expect_idle()
    expect(playground.message).to_be_focused()


def test_arrow_up_edits_the_last_message_and_escape_leaves_it(playground: Playground) -> None:
    playground.site.upstream.answer(saying("Hello."))
    turn = playground.ask("Hi")
    playground.expect_answer(turn, "Hello.")
    keyboard = playground.page.keyboard
    keyboard.press("ArrowUp")
    expect(playground.page.get_by_role("textbox", name="Edit your message")).to_be_focused()
    keyboard.press("Escape")
    expect(turn.get_by_role("button", name="Edit")).to_be_focused()
    keyboard.press("Enter")
    keyboard.type(" there")
    keyboard.press("Enter")
    playground.expect_answer(turn, "Hello.")
    expect(turn.locator(".prompt")).to_have_text("Hi there")
    expect(playground.message).to_be_focused()


def test_code_dialog_is_walked_with_arrows_and_gives_the_focus_back(playground: Playground) -> None:
    page = playground.page
    opener = page.get_by_role("button", name="Request as code")
    opener.press("Enter")
    dialog = page.get_by_role("dialog", name="The same request")
    expect(dialog).to_be_visible()
    dialog.get_by_role("tab", name="curl").focus()
    for client, mark in (("openai-python", "import os"), ("openai-node", "import OpenAI from")):
        page.keyboard.press("ArrowRight")
        expect(dialog.get_by_role("tab", name=client)).to_be_focused()
        expect(dialog.get_by_role("tabpanel")).to_contain_text(mark)
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    expect(opener).to_be_focused()


def test_skip_link_leads_to_the_message(playground: Playground) -> None:
    page = playground.page
    page.locator("h1").click()
    page.keyboard.press("Shift+Tab")
    expect(page.get_by_role("link", name="Skip to the message")).to_be_focused()
    page.keyboard.press("Enter")
    expect(playground.message).to_be_focused()


def test_whole_page_is_walked_with_tab(playground: Playground) -> None:
    playground.site.upstream.answer(saying("Hello."))
    playground.expect_answer(playground.ask("Hi"), "Hello.")
    page = playground.page
    page.locator("h1").click()
    page.keyboard.press("Shift+Tab")
    seen = []
    for _ in range(21):
        name = "document.activeElement.ariaLabel ?? (document.activeElement.labels?.[0] ??"
        seen.append(page.evaluate(f"({name} document.activeElement).textContent).trim()"))
        page.keyboard.press("Tab")
    assert seen[:11] == [
        *("Skip to the message", "API key", "show", "Model", "Protocol", "System prompt"),
        *("Temperature", "Max tokens", "Effort", "Offer a tool, a clock", "Request as code"),
    ]
    assert seen[11:] == [
        *("Start over", "openapi.json", "Edit", "Copy", "Copy", "Retry", "Code"),
        *("Message", "Attach a picture", "Send"),
    ]


def test_screen_reader_hears_the_answer_once_and_errors_at_once(playground: Playground) -> None:
    deltas = ["One sent", "ence. Two ", "sentences. ", "And an end"]
    playground.site.upstream.answer(saying(*deltas))
    playground.expect_answer(playground.ask("Speak."), "".join(deltas))
    spoken = playground.page.locator("[aria-live=polite]#spoken")
    assert "".join(spoken.locator("p").all_text_contents()) == "".join(deltas)
    playground.page.get_by_label("API key").fill("sk-wrong")
    turn = playground.ask("And now?")
    playground.expect_idle()
    alarm = playground.page.locator("[role=alert]")
    expect(alarm).to_have_text(turn.locator(".error p").inner_text())
