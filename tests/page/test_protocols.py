"""The page uses each of the three protocols, and shows the same answer.

The upstream speaks Chat Completions, so the gateway translates two of the three.
"""

import base64
import json
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.page.playground import Playground, saying
from tests.page.site import INPUT_PRICE, OUTPUT_PRICE
from tests.worker.scripts import RESET, stream
from tests.worker.speech import INPUT_TOKENS, OPENAI, OUTPUT_TOKENS, ToolCall

PATHS = {
    "Chat Completions": "/v1/chat/completions",
    "Responses": "/v1/responses",
    "Messages": "/v1/messages",
}
EFFORT: dict[str, dict[str, object]] = {
    "Chat Completions": {"reasoning_effort": "high"},
    "Responses": {"reasoning": {"effort": "high", "summary": "auto"}},
    "Messages": {"thinking": {"type": "adaptive"}, "output_config": {"effort": "high"}},
}
CALL = ToolCall("call_1", "current_time", ['{"place": ', '"Paris"}'])
PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
COST = f"{(INPUT_TOKENS * INPUT_PRICE + OUTPUT_TOKENS * OUTPUT_PRICE) / 1e6:.3f}"
IN_THREE = pytest.mark.parametrize("protocol", PATHS)

GIVE = """
([data, type, name, kind]) => {
  const bytes = Uint8Array.from(atob(data), (each) => each.charCodeAt(0));
  const transfer = new DataTransfer();
  transfer.items.add(new File([bytes], name, { type }));
  const area = document.querySelector("#say");
  const event = kind === "paste"
    ? new ClipboardEvent("paste", { clipboardData: transfer, bubbles: true, cancelable: true })
    : new DragEvent("drop", { dataTransfer: transfer, bubbles: true, cancelable: true });
  area.dispatchEvent(event);
  return event.defaultPrevented;
}
"""


def give(page: Page, kind: str, data: bytes = PNG, type_: str = "image/png") -> None:
    """Pastes or drops a file with the browser's own event."""
    assert page.evaluate(GIVE, [base64.b64encode(data).decode(), type_, "dot.png", kind])


def choose(playground: Playground, protocol: str, effort: str = "") -> Playground:
    playground.page.get_by_label("Protocol", exact=True).select_option(protocol)
    playground.page.get_by_label("Effort").select_option(effort)
    return playground


def asked(playground: Playground, number: int = 1) -> dict[str, Any]:
    """The request that the upstream got."""
    body: dict[str, Any] = json.loads(playground.site.upstream.wait_for_call(number).body)
    return body


@IN_THREE
def test_each_asks_at_its_own_path_and_shows_the_text_and_the_usage(
    playground: Playground, protocol: str
) -> None:
    choose(playground, protocol, "high")
    playground.page.get_by_label("System prompt").fill("Be brief.")
    playground.site.upstream.answer(saying("Hel", "lo."))
    with playground.page.expect_request(lambda it: it.url.endswith(PATHS[protocol])) as request:
        turn = playground.ask("Hi")
    playground.expect_answer(turn, "Hello.")

    assert playground.measure(turn, "tokens") == f"{INPUT_TOKENS} in, {OUTPUT_TOKENS} out, ${COST}"
    body = asked(playground)
    assert [message["content"] for message in body["messages"]] == ["Be brief.", "Hi"]
    assert "tools" not in body
    sent: dict[str, object] = json.loads(request.value.post_data or "")
    assert {name: sent[name] for name in EFFORT[protocol]} == EFFORT[protocol]
    # A chat server whose model is not known to reason is told of an effort only by its own client.
    told = "" if protocol == "Chat Completions" else "ignored by the API: "
    assert turn.locator(".remark").inner_text().startswith(told)
    assert body.get("reasoning_effort") == (None if told else "high")

    playground.site.upstream.answer(saying("Again."))
    playground.expect_answer(playground.ask("And?"), "Again.")
    said = [message["content"] for message in asked(playground, 2)["messages"]]
    assert said == ["Be brief.", "Hi", "Hello.", "And?"]


@IN_THREE
def test_a_tool_call_is_folded_and_opens(playground: Playground, protocol: str) -> None:
    choose(playground, protocol).page.get_by_label("Offer a tool, a clock").check()
    playground.site.upstream.answer(stream(OPENAI.tools([CALL], "I look.")))
    turn = playground.ask("How late is it in Paris?")
    playground.expect_answer(turn, "I look.")

    assert [tool["function"]["name"] for tool in asked(playground)["tools"]] == [CALL.name]
    given = turn.get_by_text('{"place": "Paris"}')
    expect(given).to_be_hidden()
    turn.get_by_text(f"Tool call: {CALL.name}").click()
    expect(given).to_be_visible()
    expect(turn.locator(".remark")).to_have_text("asks for a tool, which this page does not run")


@IN_THREE
def test_thinking_is_folded_and_opens(playground: Playground, protocol: str) -> None:
    choose(playground, protocol, "low")
    playground.site.upstream.answer(stream(OPENAI.thinking(["Let me ", "see."], ["Forty-two."])))
    turn = playground.ask("Why?")
    playground.expect_answer(turn, "Forty-two.")
    expect(turn.get_by_text("Let me see.")).to_be_hidden()
    turn.get_by_text("Reasoning", exact=True).click()
    expect(turn.get_by_text("Let me see.")).to_be_visible()


@IN_THREE
def test_what_is_cut_off_never_looks_like_an_end(playground: Playground, protocol: str) -> None:
    choose(playground, protocol)
    playground.site.upstream.answer(stream([*OPENAI.text(["Half"])[:2], RESET]))
    turn = playground.ask("Tell me.")
    playground.expect_answer(turn, "Half")
    expect(turn.locator(".error p")).to_have_count(1)


@IN_THREE
def test_a_refusal_is_told_in_the_words_of_the_api(playground: Playground, protocol: str) -> None:
    choose(playground, protocol).page.get_by_label("API key").fill("sk-wrong")
    turn = playground.ask("Hi")
    playground.expect_idle()
    expect(turn.locator(".error dl")).to_contain_text("401")


# Pictures


@IN_THREE
@pytest.mark.parametrize("kind", ["paste", "drop"])
def test_a_picture_is_shown_and_sent(playground: Playground, kind: str, protocol: str) -> None:
    page = choose(playground, protocol).page
    give(page, kind)
    expect(page.locator("#pictures img")).to_have_count(1)
    playground.site.upstream.answer(saying("A dot."))
    turn = playground.ask("What is it?")
    playground.expect_answer(turn, "A dot.")

    url = "data:image/png;base64," + base64.b64encode(PNG).decode()
    text, *others = sorted(asked(playground)["messages"][-1]["content"], key=lambda it: "url" in it)
    parts = [text, *others]
    assert {"type": "text", "text": "What is it?"} in parts
    assert [part["image_url"]["url"] for part in parts if "image_url" in part] == [url]
    expect(page.locator("#pictures img")).to_have_count(0)
    expect(turn.locator(".picture img")).to_be_visible()
    assert turn.locator(".picture img").evaluate("(image) => image.naturalWidth") == 1


def test_a_picture_can_be_chosen_and_taken_away(playground: Playground, tmp_path: Path) -> None:
    page = playground.page
    (tmp_path / "dot.png").write_bytes(PNG)
    with page.expect_file_chooser() as chooser:
        page.get_by_role("button", name="Attach a picture").click()
    chooser.value.set_files(tmp_path / "dot.png")
    expect(page.locator("#pictures img")).to_have_count(1)
    page.get_by_role("button", name="Remove dot.png").click()
    expect(page.locator("#pictures")).to_be_hidden()
    expect(playground.message).to_be_focused()

    playground.site.upstream.answer(saying("Hello."))
    playground.expect_answer(playground.ask("Hi"), "Hello.")
    assert asked(playground)["messages"] == [{"role": "user", "content": "Hi"}]


def test_large_pictures_are_sent_as_far_as_they_fit_into_a_conversation(
    playground: Playground,
) -> None:
    page, padded = playground.page, PNG + b"\0" * 11_000_000
    playground.site.upstream.answer(saying("Large."))
    give(page, "drop", padded)
    expect(page.locator("#pictures img")).to_have_count(1)
    turn = playground.ask("What is it?")
    playground.expect_answer(turn, "Large.")
    parts = asked(playground)["messages"][-1]["content"]
    (url,) = [part["image_url"]["url"] for part in parts if "image_url" in part]
    assert url == "data:image/png;base64," + base64.b64encode(padded).decode()

    give(page, "drop", padded)
    expect(page.locator("#picture-note")).to_contain_text("too much")
    expect(page.locator("#pictures img")).to_have_count(0)


@pytest.mark.parametrize(
    ("data", "type_", "why"),
    [(b"%PDF-1.7", "application/pdf", "no PNG"), (b"\0" * 20_000_001, "image/png", "too much")],
    ids=["another-type", "too-large"],
)
def test_what_cannot_be_sent_is_refused_with_a_reason(
    playground: Playground, data: bytes, type_: str, why: str
) -> None:
    give(playground.page, "drop", data, type_)
    expect(playground.page.locator("#picture-note")).to_contain_text(why)
    expect(playground.page.locator("#pictures")).to_be_hidden()


def test_what_it_cost_is_shown_where_the_answer_tells(playground: Playground) -> None:
    usage = {"prompt_tokens": 12, "completion_tokens": 7, "cost": 0.0123}
    chunk = {"choices": [{"delta": {"content": "Cheap."}}], "usage": usage}
    body = f"data: {json.dumps(chunk)}\n\ndata: [DONE]\n\n"
    headers = {"content-type": "text/event-stream"}
    playground.page.route(
        "**/v1/chat/completions", lambda it: it.fulfill(body=body, headers=headers)
    )
    turn = playground.ask("What do you cost?")
    playground.expect_answer(turn, "Cheap.")
    assert playground.measure(turn, "tokens") == "12 in, 7 out, $0.012"


def test_the_choice_stays_in_the_tab(playground: Playground) -> None:
    choose(playground, "Messages", "low").page.get_by_label("Offer a tool, a clock").check()
    playground.page.reload()
    expect(playground.page.get_by_label("Protocol", exact=True)).to_have_value("messages")
    expect(playground.page.get_by_label("Effort")).to_have_value("low")
    expect(playground.page.get_by_label("Offer a tool, a clock")).to_be_checked()
