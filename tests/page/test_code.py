"""The same request as code: what is copied runs as it is, and asks exactly what the page asked."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.page.playground import Playground, saying
from tools.paths import NODE, ROOT

PROMPT = 'It\'s "quoted", costs $HOME and `date`,\nwith a \\ and 早 and 🌊; done!'

RUN = {
    "curl": ["bash"],
    "openai-python": [sys.executable, "-"],
    "openai-node": [str(NODE), "--input-type=module", "-"],
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


@pytest.mark.parametrize("with_key", [False, True], ids=["key-from-environment", "key-written-in"])
@pytest.mark.parametrize("client", list(RUN))
def test_copied_code_asks_the_same(
    playground: Playground, client: str, with_key: bool, tmp_path: Path
) -> None:
    site, page = playground.site, playground.page
    site.upstream.answer(saying("An answer, ", "in two deltas."))
    page.get_by_label("System prompt").fill("Don't be 'clever'.")
    page.get_by_label("Temperature", exact=True).fill("0.5")
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
        frames = [line.removeprefix("data: ") for line in output.split("\n\n") if line]
        assert frames[-1] == "[DONE]"
        choices = [json.loads(frame)["choices"] for frame in frames[:-1]]
        output = "".join(each[0]["delta"].get("content", "") for each in choices if each) + "\n"
    assert output == "An answer, in two deltas.\n"
    asked, again = (json.loads(site.upstream.wait_for_call(number).body) for number in (1, 2))
    assert again == asked
    assert asked["messages"][-1]["content"] == PROMPT


def test_request_that_was_not_sent_yet_is_shown_too(playground: Playground) -> None:
    playground.message.fill("Not sent yet")
    playground.page.get_by_role("button", name="Request as code").click()
    expect(playground.page.get_by_role("tabpanel")).to_contain_text("Not sent yet")
    assert playground.site.upstream.calls == []
