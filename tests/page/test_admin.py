"""The page `/admin` in a browser, on a server that answers as the admin API is documented."""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from tests.page.contract import ADMIN_KEY, PAGE, Contract, serve
from tests.page.picture import keep
from tests.page.test_looks import DESK, PHONE, tab_of, violations
from tools.paths import ROOT

PICTURE = ROOT / "docs" / "admin.png"


@pytest.fixture(name="contract")
def contract_fixture() -> Iterator[Contract]:
    with serve() as contract:
        yield contract


@pytest.fixture(name="admin")
def admin_fixture(browser: Browser, contract: Contract) -> Iterator[Page]:
    """The page, opened with a month of usage. No error may appear in its console."""
    contract.fill()
    context = browser.new_context(viewport={"width": DESK["width"], "height": DESK["height"]})
    context.grant_permissions(["clipboard-read", "clipboard-write"])
    page = context.new_page()
    said: list[str] = []
    page.on("console", lambda message: said.append(f"{message.type}: {message.text}"))
    page.on("pageerror", lambda error: said.append(f"uncaught: {error}"))
    enter(page, contract)
    yield page
    context.close()
    assert [line for line in said if "Failed to load resource" not in line] == []


def enter(page: Page, contract: Contract, key: str = ADMIN_KEY) -> None:
    page.goto(f"{contract.url}/admin#key={key}")
    expect(page.locator("#board")).to_be_visible()


def row(page: Page, name: str) -> Locator:
    """The page's row for one key."""
    return page.locator("#keys li", has=page.locator(".name", has_text=re.compile(f"^{name}")))


def figure(page: Page, name: str) -> Locator:
    return page.locator("#figures div", has_text=re.compile(f"^{name}")).locator("dd")


def money(micros: int) -> str:
    return f"${micros / 1e6:,.2f}"


def test_the_door_opens_with_the_admin_key_only(browser: Browser, contract: Contract) -> None:
    page = browser.new_page()
    page.goto(f"{contract.url}/admin")
    expect(page.get_by_label("Admin key")).to_be_focused()
    page.keyboard.type("sk-wrong")
    page.keyboard.press("Enter")
    expect(page.locator("#door-note")).to_have_text("This is not the admin key.")
    expect(page.locator("#board")).to_be_hidden()
    page.keyboard.type(ADMIN_KEY)
    page.keyboard.press("Enter")
    expect(page.locator("#board")).to_be_visible()
    expect(page.locator("#door")).to_be_hidden()
    page.context.close()


def test_the_admin_key_stays_in_the_tab_until_it_is_locked(admin: Page, contract: Contract) -> None:
    assert "key" not in admin.url
    admin.reload()
    expect(admin.locator("#board")).to_be_visible()
    assert admin.evaluate("[localStorage.length, document.cookie]") == [0, ""]
    assert ADMIN_KEY not in admin.content()
    other = admin.context.browser.new_page()  # type: ignore[union-attr]
    other.goto(f"{contract.url}/admin")
    expect(other.locator("#door")).to_be_visible()
    other.context.close()
    admin.get_by_role("button", name="Lock").click()
    expect(admin.locator("#door")).to_be_visible()
    assert admin.evaluate("Object.values(sessionStorage).join('')") == ""
    assert "agents-night" not in admin.content()
    admin.reload()
    expect(admin.locator("#door")).to_be_visible()


def test_without_an_admin_key_the_page_says_what_to_set(
    browser: Browser, contract: Contract
) -> None:
    contract.has_key = False
    page = browser.new_page()
    page.goto(f"{contract.url}/admin#key={ADMIN_KEY}")
    expect(page.locator("#door-note")).to_contain_text("npx wrangler secret put ADMIN_KEY")
    page.context.close()


def test_what_was_spent_is_what_the_usage_says(admin: Page, contract: Contract) -> None:
    today = [row for row in contract.rows if row["day"] == contract.today]
    for name, rows in (("today", today), ("this month", contract.rows)):
        spent = sum(row["cost_micros"] for row in rows)
        expect(figure(admin, name)).to_have_text(money(spent))
    expect(figure(admin, "requests today")).to_have_text(str(sum(r["requests"] for r in today)))
    expect(figure(admin, "errors today")).to_have_text(str(sum(r["errors"] for r in today)))
    expect(figure(admin, "running now")).to_have_text("4")
    for which, field in (("#by-key", "name"), ("#by-model", "model")):
        sums: dict[str, int] = {}
        for row in contract.rows:
            sums[row[field]] = sums.get(row[field], 0) + row["cost_micros"]
        shown = admin.locator(f"{which} li").all()
        assert len(shown) == len(sums)
        for line, (name, spent) in zip(
            shown, sorted(sums.items(), key=lambda it: -it[1]), strict=True
        ):
            expect(line.locator("b")).to_have_text(name)
            expect(line.locator(".row > span")).to_have_text(money(spent) if spent else "$0")


def test_errors_are_told_by_provider_and_an_unknown_price_aloud(
    admin: Page, contract: Contract
) -> None:
    local = [row for row in contract.rows if row["provider"] == "local"]
    unpriced = sum(row["unpriced"] for row in local)
    expect(admin.locator("#unpriced")).to_contain_text(f"{unpriced:,} requests")
    expect(admin.locator("#unpriced code").first).to_have_text("local/qwen3-30b")
    of_openai = admin.locator("#errors li", has_text="openai")
    errors = sum(row["errors"] for row in contract.rows if row["provider"] == "openai")
    expect(of_openai.locator(".row > span")).to_have_text(f"{errors:,}")


def test_the_plot_is_read_with_arrow_keys_and_by_what_is_chosen(
    admin: Page, contract: Contract
) -> None:
    read = admin.locator("#read")
    expect(read).to_contain_text("26 November: $")
    admin.locator("#chart").focus()
    admin.keyboard.press("ArrowLeft")
    day = [row for row in contract.rows if row["day"] == "2026-11-25"]
    expect(read).to_contain_text(f"25 November: {money(sum(row['cost_micros'] for row in day))}")
    admin.keyboard.press("Home")
    expect(read).to_contain_text("1 November")
    admin.get_by_label("Requests", exact=True).check()
    admin.get_by_role("radio", name="by model").check()
    first = [row for row in contract.rows if row["day"] == "2026-11-01"]
    requests = sum(row["requests"] for row in first)
    expect(read).to_contain_text(f"1 November: {requests}")
    expect(read).to_contain_text("claude-sonnet-4-6")
    heights = admin.locator("#chart rect:not(.chosen)").evaluate_all(
        "(bars) => bars.map((bar) => +bar.getAttribute('height'))"
    )
    by_day = {
        (row["day"], row["model"]) for row in contract.rows if row["requests"]
    }  # one bar for each
    assert len(heights) == len(by_day)
    assert max(heights) <= 100


def test_a_key_is_made_by_keyboard_and_shown_once(admin: Page, contract: Contract) -> None:
    admin.get_by_role("button", name="New key").press("Enter")
    expect(admin.get_by_label("Name", exact=True)).to_be_focused()
    admin.keyboard.type("ana")
    admin.keyboard.press("Enter")
    expect(admin.locator("#edit-note")).to_have_text("There is a key 'ana' already.")
    expect(admin.get_by_label("Name", exact=True)).to_be_focused()
    admin.keyboard.type("-laptop")
    admin.keyboard.press("Tab")
    admin.keyboard.type("claude-*")
    admin.get_by_label("a month").fill("12.5")
    admin.get_by_label("calls at once").fill("4")
    admin.get_by_label("Last day (UTC)").fill("2026-12-31")
    admin.get_by_label("strict").check()
    admin.keyboard.press("Enter")
    secret = admin.get_by_role("dialog", name="ana-laptop is made")
    expect(secret).to_be_visible()
    method, path, body = next(call for call in reversed(contract.calls) if call[0] == "POST")
    assert (method, path) == ("POST", "/admin/keys")
    limits = {"models": ["claude-*"], "usd_per_month": 12.5, "parallel": 4, "strict": True}
    assert body == {"name": "ana-laptop", "limits": limits, "expires": 1798761600}
    made = next(key for key in contract.keys.values() if key["name"] == "ana-laptop")
    expect(secret.locator("pre")).to_have_text(f"sk-xt-{made['id']}-made")
    admin.keyboard.press("Enter")  # the focus is on "Copy the key"
    expect(admin.get_by_role("button", name="Copied")).to_be_visible()
    assert admin.evaluate("navigator.clipboard.readText()") == f"sk-xt-{made['id']}-made"
    admin.keyboard.press("Escape")
    expect(secret).to_be_hidden()
    # The page forgets the key in the dialog's own event, which comes after it is hidden.
    admin.wait_for_function("!document.documentElement.outerHTML.includes('-made')")
    limits_shown = "claude-* · 4 at once · strict · until 2027-01-01"
    expect(row(admin, "ana-laptop").locator(".limits")).to_have_text(limits_shown)


def test_a_key_is_changed_and_a_limit_taken_away(admin: Page, contract: Contract) -> None:
    admin.get_by_role("button", name="Change agents-night").click()
    month = admin.get_by_label("a month")
    expect(month).to_have_value("60")
    expect(admin.get_by_label("strict")).to_be_checked()
    month.fill("a lot")
    admin.get_by_role("button", name="Save").click()
    expect(admin.locator("#edit-note")).to_have_text("This must be a number.")
    expect(month).to_be_focused()
    expect(month).to_have_attribute("aria-invalid", "true")
    month.fill("")
    admin.get_by_label("a day").fill("$7")
    admin.get_by_role("button", name="Save").click()
    expect(admin.locator("#edit")).to_be_hidden()
    limits = next(key for key in contract.keys.values() if key["name"] == "agents-night")["limits"]
    assert (limits["usd_per_month"], limits["usd_per_day"]) == (None, 7)
    assert (limits["strict"], limits["parallel"]) == (True, 8)


def test_a_key_is_switched_off_and_on(admin: Page, contract: Contract) -> None:
    ana = row(admin, "ana")
    switch = ana.get_by_role("button", name="Switch off ana")
    switch.focus()
    admin.keyboard.press("Enter")
    expect(ana).to_have_class("off")
    expect(ana.locator(".name")).to_contain_text("switched off")
    expect(ana.get_by_role("button", name="Switch on ana")).to_be_focused()
    admin.keyboard.press("Enter")
    expect(ana).to_have_class("")
    changes = [call[2] for call in contract.calls if call[0] == "PATCH"]
    assert changes == [{"active": False}, {"active": True}]


def test_a_key_is_rotated_with_grace_and_deleted_after_a_question(
    admin: Page, contract: Contract
) -> None:
    admin.get_by_role("button", name="Rotate ana").click()
    admin.get_by_label("The old key still works").select_option("for an hour")
    admin.get_by_role("button", name="Rotate", exact=True).click()
    expect(admin.get_by_role("dialog", name="ana is rotated").locator("pre")).to_contain_text(
        "-rotated"
    )
    assert [call[2] for call in contract.calls if call[0] == "POST"] == [{"grace_seconds": 3600}]
    admin.keyboard.press("Escape")
    admin.get_by_role("button", name="Delete ana").click()
    admin.keyboard.press("Escape")
    expect(row(admin, "ana")).to_have_count(1)
    admin.get_by_role("button", name="Delete ana").click()
    admin.keyboard.press("Enter")
    expect(row(admin, "ana")).to_have_count(0)


def test_a_key_of_the_configuration_is_only_shown(admin: Page) -> None:
    mine = row(admin, "team-a")
    expect(mine.locator(".limits")).to_have_text("from the configuration")
    expect(mine.get_by_role("button")).to_have_count(0)


def test_what_was_shown_stays_when_the_ledger_is_silent(admin: Page, contract: Contract) -> None:
    contract.fails = True
    admin.get_by_role("button", name="Switch off ana").click()
    expect(admin.locator("#stale")).to_have_text("The ledger does not answer.")
    expect(row(admin, "ana")).to_have_class("")
    contract.fails = False
    expect(admin.locator("#stale")).to_be_hidden()


def test_what_happens_meanwhile_comes_up_by_itself(admin: Page, contract: Contract) -> None:
    contract.use(contract.add("newcomer"), contract.today, "local", "m", requests=1, unpriced=1)
    expect(row(admin, "newcomer")).to_be_visible()


def test_usage_is_downloaded(admin: Page, contract: Contract) -> None:
    with admin.expect_download() as download:
        admin.get_by_role("button", name="Download CSV").click()
    assert download.value.suggested_filename == "usage-2026-11-01-2026-11-26.csv"
    lines = download.value.path().read_text().splitlines()
    assert len(lines) == len(contract.rows) + 1
    assert lines[0].startswith("day,key,name,provider,model,requests")


def test_names_are_text_and_never_markup(admin: Page, contract: Contract) -> None:
    evil = "<img src=x onerror=alert(1)>"
    contract.use(contract.add(evil), contract.today, evil, evil, requests=1, unpriced=1)
    expect(admin.locator("#by-model b", has_text=evil)).to_have_text(evil)
    assert admin.locator("main img").count() == 0


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [DESK, PHONE], ids=["desk", "phone"])
def test_every_state_can_be_read_by_everyone_and_is_not_wider_than_the_window(
    browser: Browser, contract: Contract, size: dict[str, int], scheme: str
) -> None:
    contract.fill()
    contract.add("a" * 64, limits={"models": ["a-very-long-pattern-of-models-*"] * 9})
    page = tab_of(browser, size, color_scheme=scheme)
    page.goto(f"{contract.url}/admin")
    assert violations(page) == []
    enter(page, contract)
    assert violations(page) == []
    width = "document.documentElement.scrollWidth <= document.documentElement.clientWidth"
    assert page.evaluate(width)
    for button in ("New key", "Rotate ana", "Delete ana"):
        page.get_by_role("button", name=button).click()
        assert violations(page) == []
        page.locator("dialog[open] .close").click()
    page.context.close()


def test_without_keys_and_calls_the_page_says_so(browser: Browser, contract: Contract) -> None:
    page = browser.new_page()
    enter(page, contract)
    expect(figure(page, "today")).to_have_text("$0")
    expect(page.locator("#keys .empty")).to_be_visible()
    expect(page.locator("#by-key .empty")).to_have_text("No calls this month.")
    expect(page.locator("#chart .scale span")).to_have_text(["$1.00", "$0.50", "$0"])
    expect(page.locator("#unpriced")).to_be_hidden()
    assert violations(page) == []
    page.context.close()


def test_picture_shows_this_page(browser: Browser, contract: Contract) -> None:
    contract.fill()
    page = tab_of(browser, DESK, device_scale_factor=2, color_scheme="light")
    enter(page, contract)
    expect(page.locator("#keys li")).to_have_count(5)
    picture = page.screenshot()
    page.context.close()
    keep(picture, PICTURE, PAGE)
