"""The page's content security policy allows exactly what is in the page, and is enforced."""

import base64
import hashlib
import re
from html.parser import HTMLParser

import pytest
from playwright.sync_api import BrowserContext, expect
from typing_extensions import override

from tests.page.playground import Playground, saying
from tests.page.policy import PUBLIC, policy_of
from tests.page.site import Site

PAGES = {
    path: (PUBLIC / file).read_text()
    for path, file in {"/": "index.html", "/admin": "admin.html"}.items()
}
each_page = pytest.mark.parametrize("path", PAGES)


def hashes(path: str, tag: str) -> list[str]:
    """Returns what the policy must say of a page's inline elements of one kind."""
    texts = re.findall(f"<{tag}>(.*?)</{tag}>", PAGES[path], re.DOTALL)
    digests = [hashlib.sha256(text.encode()).digest() for text in texts]
    return [f"'sha256-{base64.b64encode(digest).decode()}'" for digest in digests]


class Attributes(HTMLParser):
    """Collects every attribute of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[tuple[str, str]] = []

    @override
    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen += [(name, value or "") for name, value in attrs]


@each_page
def test_policy_names_the_script_and_the_style_of_the_page(path: str) -> None:
    policy, script, style = policy_of(path), hashes(path, "script"), hashes(path, "style")
    assert (policy["script-src"], policy["style-src"]) == (script, style), (
        f"public/_headers needs at {path}: script-src {script}; style-src {style}"
    )


@each_page
def test_policy_allows_nothing_else(path: str) -> None:
    others = {name: it for name, it in policy_of(path).items() if not name.endswith("e-src")}
    del others["script-src"]
    assert others == {
        "default-src": ["'none'"],
        "img-src": ["data:"],
        "connect-src": ["'self'"],
        "base-uri": ["'none'"],
        "form-action": ["'none'"],
        "frame-ancestors": ["'none'"],
        "require-trusted-types-for": ["'script'"],
        "trusted-types": ["'none'"],
    }


@pytest.mark.parametrize(
    ("path", "linked"), [("/", {"#say", "/openapi.json"}), ("/admin", {"#main", "/"})]
)
def test_page_names_no_resource_and_carries_no_inline_handler(path: str, linked: set[str]) -> None:
    attributes = Attributes()
    attributes.feed(PAGES[path])
    links = [value for name, value in attributes.seen if name in ("href", "src", "action")]
    assert {link.split("data:image/svg+xml")[0] for link in links} == {"", *linked}
    assert [name for name, _ in attributes.seen if name == "style" or name.startswith("on")] == []
    assert re.findall(r"url\(|@import|@font-face", PAGES[path]) == []


TRESPASS = """
async (elsewhere) => {
  const seen = new Set();
  const told = new Promise((resolve) => {
    document.addEventListener("securitypolicyviolation", (event) => {
      if (seen.add(event.effectiveDirective).size === 4) resolve();
    });
  });
  const tries = [
    () => (document.body.innerHTML = "<b>markup</b>"),
    () => (document.createElement("script").text = "window.trespassed = true"),
    () => document.body.setAttribute("style", "color: red"),
    () => document.body.append(Object.assign(new Image(), { src: `${elsewhere}/pixel.png` })),
    () => fetch(elsewhere),
  ];
  let refused = 0;
  for (const attempt of tries) {
    try {
      await attempt();
    } catch {
      refused += 1;
    }
  }
  await Promise.race([told, new Promise((resolve) => setTimeout(resolve, 10_000))]);
  return [refused, [...seen].sort(), "trespassed" in window];
}
"""


@each_page
def test_browser_refuses_what_the_policy_does_not_allow(
    context: BrowserContext, site: Site, path: str
) -> None:
    page = context.new_page()
    answer = page.goto(site.url + path)
    assert answer is not None
    sent = {name: values for name, *values in map(str.split, answer.headers[
        "content-security-policy"].split(";"))}  # fmt: skip
    assert sent == policy_of(path)
    refused, seen, trespassed = page.evaluate(TRESPASS, site.upstream.base_url)
    assert not trespassed
    assert refused == 3
    assert seen == ["connect-src", "img-src", "require-trusted-types-for", "style-src-attr"]
    assert site.upstream.calls == []


def test_page_talks_to_its_own_origin_only(playground: Playground) -> None:
    asked: list[str] = []
    playground.page.on("request", lambda request: asked.append(request.url))
    playground.page.reload()
    expect(playground.note).to_have_class("note good")
    playground.site.upstream.answer(saying("Hello."))
    playground.expect_answer(playground.ask("Hi"), "Hello.")
    paths = [url.removeprefix(playground.site.url) for url in asked if not url.startswith("data:")]
    assert paths == ["/", "/v1/models", "/v1/chat/completions"]
