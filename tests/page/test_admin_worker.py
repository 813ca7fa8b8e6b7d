"""The page `/admin` on the real Worker: a key made, spent with, seen, switched off and refused."""

import re
import time
from collections.abc import Iterator

import openai
import pytest
from openai import OpenAI
from playwright.sync_api import BrowserContext, Page, expect

from tests.page.site import ADMIN_KEY, INPUT_PRICE, OUTPUT_PRICE, Site
from tests.worker.scripts import whole
from tests.worker.speech import INPUT_TOKENS, OPENAI, OUTPUT_TOKENS

REVOKED_SECONDS = 15.0
"""A key that is switched off is refused everywhere within that time."""
CALLS = 3
COST_MICROS = CALLS * (INPUT_TOKENS * INPUT_PRICE + OUTPUT_TOKENS * OUTPUT_PRICE)


@pytest.fixture
def admin(context: BrowserContext, site: Site) -> Iterator[Page]:
    page = context.new_page()
    said: list[str] = []
    page.on("console", lambda message: said.append(f"{message.type}: {message.text}"))
    page.on("pageerror", lambda error: said.append(f"uncaught: {error}"))
    page.goto(f"{site.url}/admin#key={ADMIN_KEY}")
    expect(page.locator("#board")).to_be_visible()
    yield page
    assert [line for line in said if "Failed to load resource" not in line] == []


def make(page: Page, name: str, **limits: str) -> str:
    """Makes a key on the page; its secret."""
    page.get_by_role("button", name="New key").click()
    page.get_by_label("Name", exact=True).fill(name)
    for label, value in limits.items():
        page.get_by_label(label.replace("_", " "), exact=True).fill(value)
    page.get_by_role("button", name="Make the key").click()
    dialog = page.get_by_role("dialog", name=f"{name} is made")
    secret = dialog.locator("pre").inner_text()
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    return secret


def call(site: Site, secret: str) -> str | None:
    with OpenAI(base_url=f"{site.url}/v1", api_key=secret, max_retries=0) as client:
        messages = [{"role": "user", "content": "Hi"}]
        answer = client.chat.completions.create(model=site.simulated, messages=messages)  # type: ignore[arg-type]
    return answer.choices[0].message.content


def call_until_refused(site: Site, secret: str) -> None:
    deadline = time.monotonic() + REVOKED_SECONDS
    while time.monotonic() < deadline:
        call(site, secret)
        time.sleep(0.5)


def test_a_key_is_made_spent_with_seen_and_switched_off(admin: Page, site: Site) -> None:
    site.upstream.answer(whole(200, OPENAI.whole("Hello")))
    secret = make(admin, "ana", a_month="25")
    assert secret.startswith("sk-xt-")
    assert [call(site, secret) for _ in range(CALLS)] == ["Hello"] * CALLS

    mine = admin.locator("#keys li", has=admin.locator(".name", has_text=re.compile("^ana")))
    spent = f"${COST_MICROS / 1e6:.2f}"
    expect(mine.locator(".spend")).to_have_text(f"{spent} today, {spent} this month")
    expect(mine.locator(".budget")).to_contain_text("of $25.00 this month")
    by_key = admin.locator("#by-key li", has_text="ana")
    expect(by_key.locator(".row > span")).to_have_text(spent)
    expect(admin.locator("#by-model li", has_text=site.simulated)).to_contain_text(spent)
    expect(admin.locator("#figures")).to_contain_text(f"requests today{CALLS}")

    mine.get_by_role("button", name="Switch off ana").click()
    expect(mine.locator(".name")).to_contain_text("switched off")
    with pytest.raises(openai.APIStatusError) as refused:
        call_until_refused(site, secret)
    assert refused.value.status_code == 401
    mine.get_by_role("button", name="Switch on ana").click()
    expect(mine).to_have_class("")


def test_a_key_is_rotated_and_deleted(admin: Page, site: Site) -> None:
    site.upstream.answer(whole(200, OPENAI.whole("Hello")))
    secret = make(admin, "ben")
    admin.get_by_role("button", name="Rotate ben").click()
    admin.get_by_label("The old key still works").select_option("for an hour")
    admin.get_by_role("button", name="Rotate", exact=True).click()
    dialog = admin.get_by_role("dialog", name="ben is rotated")
    rotated = dialog.locator("pre").inner_text()
    assert rotated != secret
    assert [call(site, each) for each in (secret, rotated)] == ["Hello"] * 2
    admin.keyboard.press("Escape")
    admin.get_by_role("button", name="Delete ben").click()
    admin.keyboard.press("Enter")
    expect(admin.locator("#keys .name", has_text=re.compile("^ben"))).to_have_count(0)


def test_what_the_ledger_refuses_is_said_where_it_is_wrong(admin: Page) -> None:
    make(admin, "carl")
    admin.get_by_role("button", name="Change carl").click()
    for label, value in (("a day", "a lot"), ("calls at once", "0")):
        field = admin.get_by_label(label, exact=True)
        field.fill(value)
        admin.get_by_role("button", name="Save").click()
        expect(admin.locator("#edit-note")).not_to_be_empty()
        expect(field).to_have_attribute("aria-invalid", "true")
        field.fill("")
    admin.get_by_role("button", name="Save").click()
    expect(admin.locator("#edit")).to_be_hidden()
    with admin.expect_download() as download:
        admin.get_by_role("button", name="Download CSV").click()
    assert download.value.path().read_text().startswith("day,key,name,provider,model,requests")


def test_another_key_does_not_open_the_page(context: BrowserContext, site: Site) -> None:
    page = context.new_page()
    page.goto(f"{site.url}/admin#key={site.key}")
    expect(page.locator("#door-note")).to_have_class("note bad")
    expect(page.locator("#board")).to_be_hidden()
