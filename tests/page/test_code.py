"""The request as code: the copied code runs, and sends exactly what the page sent."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect

from tests.page.playground import Playground, saying
from tests.page.test_protocols import give
from tools.paths import NODE, ROOT

PROMPT = 'It\'s "quoted", costs $HOME and `date`,\nwith a \\ and 早 and 🌊; done!'

PYTHON = [sys.executable, "-"]
JAVASCRIPT = [str(NODE), "--input-type=module", "-"]
RUN = {
    "curl": ["bash"],
    **dict.fromkeys(["openai-python", "anthropic-python"], PYTHON),
    **dict.fromkeys(["openai-node", "anthropic-node"], JAVASCRIPT),
}
CLIENTS = {
    "Chat Completions": ["curl", "openai-python", "openai-node"],
    "Responses": ["curl", "openai-python", "openai-node"],
    "Messages": ["curl", "anthropic-python", "anthropic-node"],
}


def run(client: str, code: str, key: str, folder: Path) -> str:
    """Runs the code as a person would, with the key in the environment; returns what it prints."""
    environment = {"PATH": os.environ["PATH"], "HOME": str(folder), "XTRIX_API_KEY": key}
    done = subprocess.run(
        RUN[client], input=code, capture_output=True, text=True, cwd=ROOT, env=environment,
        timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


def text_of(events: str) -> str:
    """What a stream of any of the three protocols says."""
    said = ""
    for frame in events.split("\n\n"):
        data = frame.rpartition("data: ")[2]
        event: dict[str, Any] = json.loads(data) if data.startswith("{") else {}
        choices: list[dict[str, Any]] = event.get("choices") or [{}]
        delta = event.get("delta") or choices[0].get("delta") or {}
        said += delta if isinstance(delta, str) else delta.get("content") or delta.get("text") or ""
    return said


@pytest.mark.parametrize("with_key", [False, True], ids=["key-from-environment", "key-written-in"])
@pytest.mark.parametrize(
    ("protocol", "client"), [(name, each) for name, all_ in CLIENTS.items() for each in all_]
)
def test_copied_code_asks_the_same(
    playground: Playground, protocol: str, client: str, with_key: bool, tmp_path: Path
) -> None:
    site, page = playground.site, playground.page
    site.upstream.answer(saying("An answer, ", "in two deltas."))
    page.get_by_label("Protocol", exact=True).select_option(protocol)
    page.get_by_label("System prompt").fill("Don't be 'clever'.")
    page.get_by_label("Temperature", exact=True).fill("0.5")
    page.get_by_label("Offer a tool, a clock").check()
    give(page, "paste")
    expect(page.locator("#pictures img")).to_have_count(1)
    turn = playground.ask(PROMPT)
    playground.expect_answer(turn, "An answer, in two deltas.")
    turn.locator(".answer-actions").get_by_role("button", name="Code").click()
    page.get_by_role("tab", name=client).click()
    page.get_by_label("write my key into it").set_checked(with_key)
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("button", name="Copy").click()
    expect(dialog.get_by_role("button", name="Copied")).to_be_visible()
    code = page.evaluate("navigator.clipboard.readText()")
    assert (site.key in code) == with_key
    output = run(client, code, "" if with_key else site.key, tmp_path)
    if client == "curl":
        output = text_of(output) + "\n"
    assert output == "An answer, in two deltas.\n"
    asked, again = (json.loads(site.upstream.wait_for_call(number).body) for number in (1, 2))
    assert again == asked
    assert {"type": "text", "text": PROMPT} in asked["messages"][-1]["content"]


def test_a_request_is_shown_in_each_protocol(playground: Playground) -> None:
    page = playground.page
    page.get_by_label("Effort").select_option("low")
    page.get_by_role("button", name="Request as code").click()
    dialog = page.get_by_role("dialog")
    for protocol, mark in (
        ("Chat Completions", '"reasoning_effort": "low"'),
        ("Responses", '"reasoning": {"effort":"low"'),
        ("Messages", '"output_config": {"effort":"low"}'),
    ):
        dialog.get_by_label("Protocol of the code").select_option(protocol)
        expect(dialog.get_by_role("tabpanel")).to_contain_text(mark)
        expect(dialog.get_by_role("tab")).to_have_text(CLIENTS[protocol])


def test_request_that_was_not_sent_yet_is_shown_too(playground: Playground) -> None:
    playground.message.fill("Not sent yet")
    playground.page.get_by_role("button", name="Request as code").click()
    expect(playground.page.get_by_role("tabpanel")).to_contain_text("Not sent yet")
    assert playground.site.upstream.calls == []
