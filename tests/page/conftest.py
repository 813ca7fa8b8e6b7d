"""Fixtures: a browser for each file, and a tab for each test, with its console's output."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, ViewportSize, expect, sync_playwright

from tests.page import chromium, site
from tests.page.playground import Playground
from tests.page.site import Site
from tests.worker.upstream import PATIENCE
from tools import model

expect.set_options(timeout=PATIENCE * 1000)

DESK: ViewportSize = {"width": 1280, "height": 860}


@pytest.fixture(scope="session", name="site")
def site_fixture(
    local_model: model.Model, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Site]:
    """The Worker that the tests of the page share, with the page at `/`."""
    with site.serve(local_model, tmp_path_factory.mktemp("site")) as served:
        yield served


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """It ends with its file: while Playwright's event loop runs, no test may start another."""
    program, environment = chromium.find()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=program, args=chromium.ARGUMENTS, env=dict(environment)
        )
        yield browser
        browser.close()


@pytest.fixture
def context(browser: Browser, site: Site) -> Iterator[BrowserContext]:
    site.upstream.forget()
    context = browser.new_context(viewport=DESK)
    context.grant_permissions(["clipboard-read", "clipboard-write"])
    yield context
    context.close()


@pytest.fixture
def tab(context: BrowserContext) -> Iterator[Page]:
    """A blank tab. A test fails if an error appears in its console."""
    page = context.new_page()
    said: list[str] = []
    page.on("console", lambda message: said.append(f"{message.type}: {message.text}"))
    page.on("pageerror", lambda error: said.append(f"uncaught: {error}"))
    yield page
    # Chromium itself writes a line for every answer of 400 or more.
    assert [line for line in said if "Failed to load resource" not in line] == []


@pytest.fixture
def playground(tab: Page, site: Site) -> Playground:
    """The page as `make dev` opens it, with the simulated upstream's model chosen."""
    return Playground(tab, site).open(site.simulated)
