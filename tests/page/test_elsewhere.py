"""The API called by pages of other origins: openai-node, and Python in the browser."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from tests.page import elsewhere
from tests.page.playground import saying, saying_when_told
from tests.page.site import Site
from tests.worker.scripts import STALL, stream, whole
from tests.worker.speech import OPENAI, OUTPUT_TOKENS
from tests.worker.upstream import PATIENCE

Json = Any

OPENAI_NODE = """
async ([url, key]) => {
  const { default: OpenAI } = await import("/openai/index.mjs");
  const settings = { baseURL: `${url}/v1`, apiKey: key, dangerouslyAllowBrowser: true };
  window.client = new OpenAI({ ...settings, maxRetries: 0 });
}
"""

IN_PAGE = """
async (code) => {
  if (!window.python) {
    const { loadPyodide } = await import("/pyodide/pyodide.mjs");
    window.python = await loadPyodide({ indexURL: "/pyodide/" });
    python.unpackArchive(await (await fetch("/packages.zip")).arrayBuffer(), "zip");
  }
  return python.runPythonAsync(code);
}
"""

IN_WORKER = """
async (code) => {
  const archive = window.kernel ? null : await (await fetch("/packages.zip")).arrayBuffer();
  window.kernel ??= new Worker("/kernel.mjs", { type: "module" });
  const { value, error } = await new Promise((resolve, reject) => {
    kernel.onmessage = (event) => resolve(event.data);
    kernel.onerror = (event) => reject(event.message);
    kernel.postMessage({ archive, code });
  });
  if (error) throw new Error(error);
  return value;
}
"""

PATCHED = """
import json, urllib.request
import pyodide_http, requests
pyodide_http.patch_all()

def by_urllib(path, body=None):
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url + path, data, headers)
    with urllib.request.urlopen(request) as answer:
        return answer.status, dict(answer.headers), answer.read().decode()

def by_requests(path, body=None):
    method = "GET" if body is None else "POST"
    answer = requests.request(method, url + path, json=body, headers=headers)
    return answer.status_code, dict(answer.headers), answer.text
"""


@pytest.fixture(scope="session")
def origin() -> Iterator[str]:
    with elsewhere.serve() as origin:
        yield origin


@pytest.fixture
def node(tab: Page, origin: str, site: Site) -> Page:
    """A page of another origin with an openai-node client of the Worker in it."""
    tab.goto(origin)
    tab.evaluate(OPENAI_NODE, [site.url, site.key])
    return tab


def test_openai_node_streams_across_origins(node: Page, site: Site) -> None:
    site.upstream.answer(saying_when_told(["One", " two", " three"]))
    node.evaluate(
        """async (model) => {
          window.text = "";
          const messages = [{ role: "user", content: "Count." }];
          const stream = await client.chat.completions.create({ model, messages, stream: true });
          window.read = (async () => {
            for await (const chunk of stream) {
              text += chunk.choices[0]?.delta?.content ?? "";
              window.usage = chunk.usage ?? window.usage;
            }
          })();
        }""",
        site.simulated,
    )
    call = site.upstream.wait_for_call()
    for shown in ("One", "One two"):
        node.wait_for_function("(shown) => window.text === shown", arg=shown)
        call.release()
    node.evaluate("read")
    assert node.evaluate("text") == "One two three"
    assert node.evaluate("usage.completion_tokens") == OUTPUT_TOKENS


def test_openai_node_reads_errors_and_their_headers_across_origins(node: Page, site: Site) -> None:
    refused = """async (model) => {
      const messages = [{ role: "user", content: "Hi" }];
      const asked = client.chat.completions.create({ model, messages });
      const error = await asked.then(() => null, (error) => error);
      const { status, type, code, requestID } = error;
      const header = error.headers.get("retry-after");
      return { kind: error.constructor.name, status, type, code, requestID, header };
    }"""
    unknown = node.evaluate(refused, "no-such-model")
    assert unknown.pop("requestID").startswith("req_")
    assert unknown == {
        **{"kind": "NotFoundError", "status": 404, "type": "invalid_request_error"},
        **{"code": "model_not_found", "header": None},
    }
    headers = [("content-type", "application/json"), ("retry-after", "7")]
    site.upstream.answer(whole(429, OPENAI.error("rate_limit_error", "Slow down."), headers))
    limited = node.evaluate(refused, site.simulated)
    assert (limited["kind"], limited["status"], limited["header"]) == ("RateLimitError", 429, "7")


def test_openai_node_lists_models_and_gives_the_request_id(node: Page, site: Site) -> None:
    listed = node.evaluate(
        """async () => {
          const { data, request_id } = await client.models.list().withResponse();
          return [data.data.map((model) => model.id), request_id];
        }"""
    )
    assert site.model in listed[0]
    assert listed[1].startswith("req_")


def test_openai_node_abort_ends_the_call_upstream(node: Page, site: Site) -> None:
    site.upstream.answer(stream([*OPENAI.text(["So far"])[:2], STALL]))
    node.evaluate(
        """async (model) => {
          const messages = [{ role: "user", content: "Go on." }];
          window.stream = await client.chat.completions.create({ model, messages, stream: true });
          window.chunks = stream[Symbol.asyncIterator]();
          while (!(await chunks.next()).value.choices[0].delta.content);
        }""",
        site.simulated,
    )
    call = site.upstream.wait_for_call()
    assert not call.left.is_set()
    node.evaluate("stream.controller.abort()")
    assert call.left.wait(PATIENCE)


class Python:
    """Python in the browser: in the page itself, or where a notebook has it, in a web worker."""

    def __init__(self, tab: Page, place: str, site: Site) -> None:
        self._tab = tab
        self._place = place
        self._site = site
        self.run(PATCHED)

    def run(self, code: str, key: str | None = None) -> Json:
        """Runs Python that ends in an expression, and returns its value as JSON."""
        bearer = f"Bearer {key or self._site.key}"
        headers = {"Authorization": bearer, "Content-Type": "application/json"}
        given = (
            f"url, model = {self._site.url!r}, {self._site.simulated!r}\nheaders = {headers!r}\n"
        )
        value = self._tab.evaluate(self._place, given + code)
        return None if value is None else json.loads(value)


@pytest.fixture(params=[IN_PAGE, IN_WORKER], ids=["in-page", "in-web-worker"], scope="module")
def python(
    request: pytest.FixtureRequest, browser: Browser, origin: str, site: Site
) -> Iterator[Python]:
    # Not `tab`: a browser writes a line for each header that requests sets and a page may not.
    page = browser.new_page()
    page.goto(origin)
    yield Python(page, request.param, site)
    page.close()


@pytest.fixture(autouse=True)
def cleared(site: Site) -> None:
    """Clears the upstream's record of calls."""
    site.upstream.forget()


BOTH = ("by_urllib", "by_requests")


def test_python_in_the_browser_asks_and_lists(python: Python, site: Site) -> None:
    site.upstream.answer(whole(200, OPENAI.whole("Grüße, 早 🌊")))
    ask = '{"model": model, "messages": [{"role": "user", "content": "Grüße?"}]}'
    for way in BOTH:
        status, headers, text = python.run(f'json.dumps({way}("/v1/chat/completions", {ask}))')
        assert status == 200
        assert json.loads(text)["choices"][0]["message"]["content"] == "Grüße, 早 🌊"
        assert {name.lower(): value for name, value in headers.items()}["x-request-id"]
        status, _, text = python.run(f'json.dumps({way}("/v1/models"))')
        assert status == 200
        assert site.model in [model["id"] for model in json.loads(text)["data"]]
    asked = [json.loads(call.body)["messages"][0]["content"] for call in site.upstream.calls]
    assert asked == ["Grüße?"] * 2


def test_python_in_the_browser_reads_errors(python: Python) -> None:
    for way in BOTH:
        status, _, text = python.run(f'json.dumps({way}("/v1/models"))', key="sk-wrong")
        assert status == 401
        assert json.loads(text)["error"]["code"] == "invalid_api_key"


def test_python_in_the_browser_reads_a_stream(python: Python, site: Site) -> None:
    site.upstream.answer(saying("One", " two"))
    lines = python.run(
        'body = {"model": model, "stream": True,'
        ' "messages": [{"role": "user", "content": "Count."}]}\n'
        'answer = requests.post(url + "/v1/chat/completions", json=body, headers=headers,'
        " stream=True)\n"
        "json.dumps([line.decode() for line in answer.iter_lines() if line])"
    )
    assert lines[-1] == "data: [DONE]"
    choices = [json.loads(line.removeprefix("data: "))["choices"] for line in lines[:-1]]
    assert "".join(each[0]["delta"].get("content", "") for each in choices if each) == "One two"
