"""How the page looks, that nothing on it jumps, and its picture in the README."""

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.page.picture import keep
from tests.page.playground import Playground, saying, saying_when_told
from tests.page.site import Site
from tests.page.test_protocols import give
from tests.worker.scripts import stream
from tests.worker.speech import OPENAI, ToolCall
from tools.paths import NODE_MODULES, ROOT

PAGE = ROOT / "public" / "index.html"
PICTURE = ROOT / "docs" / "playground.png"

PHONE = {"width": 390, "height": 844}
DESK = {"width": 1280, "height": 860}
LONG = "a_word_without_an_end_" * 12
WIDE = f"Look:\n\n```python\n{LONG} = {LONG}\n```\n\n{LONG}\n\n- {LONG}\n\n| {LONG} |"

PICTURED = (
    "What makes the tide rise? Two sentences, please.",
    "Write a Python function that adds two numbers. Use a code block.",
)

STEADY_CLOCK = """
let now = 0;
performance.now = () => now;
const ask = window.fetch;
window.fetch = async (url, options) => {
  const answer = await ask(url, options);
  if (!String(url).endsWith("/chat/completions")) return answer;
  const said = (await answer.text()).split(/(?<=\\n\\n)/).filter((it) => it.startsWith("data:"));
  const events = said.map((it) => new TextEncoder().encode(it));
  now += 140;
  const pull = (stream) => {
    now += 20;
    events.length ? stream.enqueue(events.shift()) : stream.close();
  };
  return new Response(new ReadableStream({ pull }, { highWaterMark: 0 }), answer);
};
"""
"""The page gets real answers, but by its clock each event comes 20 ms after the one before. So the
picture shows the same times on every machine, however busy it is."""

WATCH_SHIFTS = """
window.shifts = [];
new PerformanceObserver((list) => {
  for (const entry of list.getEntries()) shifts.push(entry);
}).observe({ type: "layout-shift", buffered: true });
"""


def tab_of(browser: Browser, size: dict[str, int], **settings: object) -> Page:
    """Opens a tab of its own size and taste; closing its context is left to the test."""
    phone = size is PHONE
    context = browser.new_context(
        viewport={"width": size["width"], "height": size["height"]},
        has_touch=phone, is_mobile=phone, **settings,  # type: ignore[arg-type]
    )  # fmt: skip
    return context.new_page()


@pytest.fixture
def opened(site: Site) -> None:
    """Clears the upstream, as the `context` fixture does for tests with its tab."""
    site.upstream.forget()


def violations(page: Page) -> list[str]:
    """Returns what axe-core finds wrong with the page as it stands."""
    page.evaluate((NODE_MODULES / "axe-core" / "axe.min.js").read_text())
    found = page.evaluate("axe.run(document, { resultTypes: ['violations'] })")["violations"]
    return [f"{each['id']}: {[node['target'] for node in each['nodes']]}" for each in found]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [DESK, PHONE], ids=["desk", "phone"])
@pytest.mark.usefixtures("opened")
def test_every_state_can_be_read_by_everyone(
    browser: Browser, site: Site, size: dict[str, int], scheme: str
) -> None:
    page = tab_of(browser, size, color_scheme=scheme)
    playground = Playground(page, site).open(site.simulated)
    assert violations(page) == []
    site.upstream.answer(
        saying_when_told(["# One\n\n- two `three`\n\n", "> four\n\n```py\n5\n```"])
    )
    turn = playground.ask("A question")
    expect(turn.locator(".prose")).to_contain_text("three")
    assert violations(page) == []
    site.upstream.wait_for_call().release()
    playground.expect_idle()
    assert violations(page) == []
    site.upstream.answer(stream(OPENAI.tools([ToolCall("call_1", "look", ["{}"])], "I look.")))
    give(page, "paste")
    expect(page.locator("#pictures img")).to_be_visible()
    assert violations(page) == []
    playground.ask("Another question")
    playground.expect_idle()
    page.get_by_text("Tool call: look").click()
    assert violations(page) == []
    if size is PHONE:
        page.get_by_role("button", name="Settings").click()
    page.get_by_label("API key").fill("sk-wrong")
    expect(playground.note).to_have_class("note bad")
    assert violations(page) == []
    page.get_by_role("button", name="Request as code").click()
    assert violations(page) == []
    page.context.close()


@pytest.mark.parametrize("size", [DESK, PHONE, {"width": 320, "height": 568}], ids=str)
@pytest.mark.usefixtures("opened")
def test_nothing_is_wider_than_the_window(
    browser: Browser, site: Site, size: dict[str, int]
) -> None:
    page = tab_of(browser, size)
    playground = Playground(page, site).open(site.simulated)
    site.upstream.answer(saying(WIDE))
    playground.ask(LONG)
    playground.expect_idle()
    width = "document.documentElement.scrollWidth <= document.documentElement.clientWidth"
    assert page.evaluate(width)
    code = page.locator("figure pre").first
    assert code.evaluate("(pre) => pre.scrollWidth > pre.clientWidth")
    page.context.close()


@pytest.mark.usefixtures("opened")
def test_settings_of_a_phone_open_over_the_page_and_close(browser: Browser, site: Site) -> None:
    page = tab_of(browser, PHONE)
    playground = Playground(page, site).open(site.simulated)
    key, toggle = page.get_by_label("API key"), page.locator("#settings-toggle")
    expect(key).to_be_hidden()
    expect(toggle).to_contain_text(site.simulated)
    toggle.tap()
    expect(key).to_be_focused()
    expect(toggle).to_have_attribute("aria-expanded", "true")
    assert page.locator("main").evaluate("(main) => main.inert")
    toggle.tap()
    expect(key).to_be_hidden()
    expect(toggle).to_be_focused()
    site.upstream.answer(saying("Hello."))
    playground.message.fill("Hi")
    playground.send_button.tap()
    playground.expect_answer(playground.turns.last, "Hello.")
    page.context.close()


def test_what_was_said_holds_still(tab: Page, site: Site) -> None:
    tab.add_init_script(WATCH_SHIFTS)
    playground = Playground(tab, site).open(site.simulated)
    lines = ["A line of words that is long enough to be one. " * 2 + "\n\n"] * 12
    site.upstream.answer(saying_when_told(lines))
    turn = playground.ask("Many lines, please.")
    call = site.upstream.wait_for_call()
    for number in range(1, len(lines)):
        expect(turn.locator(".prose p")).to_have_count(number)
        call.release()
    playground.expect_idle()
    moved = tab.evaluate(
        "shifts.flatMap((shift) => shift.sources.map(({ node }) => node?.className))"
    )
    # Only what stands below the growing text moves, and that as little as a shift may count for
    # (https://web.dev/articles/cls: up to 0.1 is good).
    assert set(moved) <= {"measures", "answer-actions"}
    assert tab.evaluate("shifts.reduce((sum, shift) => sum + shift.value, 0)") < 0.1


@pytest.mark.usefixtures("opened")
def test_nothing_moves_for_those_who_ask_for_that(browser: Browser, site: Site) -> None:
    for motion, name in (("no-preference", "beat"), ("reduce", "none")):
        page = tab_of(browser, DESK, reduced_motion=motion)
        playground = Playground(page, site).open(site.simulated)
        site.upstream.forget()
        site.upstream.answer(saying_when_told(["One", " two"]))
        turn = playground.ask("Count.")
        expect(turn.locator(".prose p")).to_have_text("One")
        caret = "(p) => getComputedStyle(p, '::after').animationName"
        assert turn.locator(".prose p").evaluate(caret) == name
        site.upstream.wait_for_call().release()
        playground.expect_idle()
        page.context.close()


@pytest.mark.usefixtures("opened")
def test_picture_shows_this_page(browser: Browser, site: Site) -> None:
    page = tab_of(browser, DESK, device_scale_factor=2, color_scheme="light")
    page.add_init_script(STEADY_CLOCK)
    playground = Playground(page, site).open(site.model)
    page.get_by_label("System prompt").fill("You are a concise, kind teacher.")
    page.get_by_label("Temperature", exact=True).fill("0")
    for prompt in PICTURED:
        playground.ask(prompt)
        playground.expect_idle()
        assert playground.measure(page.locator("article.turn").last, "first token") == "180 ms"
    assert [len(text) > 20 for text in page.locator(".prose").all_inner_texts()] == [True, True]
    expect(page.locator(".error")).to_have_count(0)
    page.mouse.move(0, 0)
    page.evaluate("scrollTo(0, 0)")
    playground.message.blur()
    picture = page.screenshot()
    page.context.close()
    keep(picture, PICTURE, PAGE)
