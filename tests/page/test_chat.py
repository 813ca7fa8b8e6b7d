"""The conversation: what the page sends, and how it shows every kind of answer."""

import json
import re

from playwright.sync_api import Page, expect

from tests.page.playground import Playground, saying, saying_when_told
from tests.page.site import Site
from tests.worker.scripts import RESET, STALL, stream, whole
from tests.worker.speech import INPUT_TOKENS, OPENAI, OUTPUT_TOKENS
from tests.worker.upstream import PATIENCE


def body_of(playground: Playground, call: int) -> dict[str, object]:
    """Returns what the upstream was asked, JSON decoded."""
    body: dict[str, object] = json.loads(playground.site.upstream.wait_for_call(call).body)
    return body


def test_real_model_answers_with_its_times_and_its_usage(tab: Page, site: Site) -> None:
    playground = Playground(tab, site).open(site.model)
    tab.get_by_label("Max tokens").fill("48")
    turn = playground.ask("Say something about rivers.")
    expect(playground.send_button).to_contain_text("Stop")
    playground.expect_idle()
    assert len(turn.locator(".prose").inner_text()) > 20
    assert re.fullmatch(r"[\d.]+ m?s", playground.measure(turn, "first token"))
    speed = re.fullmatch(r"([\d.]+) tok/s", playground.measure(turn, "speed"))
    assert speed is not None
    assert 1 < float(speed[1]) < 2000
    tokens = re.fullmatch(r"(\d+) in, (\d+) out", playground.measure(turn, "tokens"))
    assert tokens is not None
    assert int(tokens[1]) > 5
    assert 5 < int(tokens[2]) <= 48
    strokes = turn.locator(".tape path").nth(2).get_attribute("d") or ""
    assert strokes.count("M") > 5


def test_text_is_shown_as_it_comes(playground: Playground) -> None:
    playground.site.upstream.answer(saying_when_told(["One", ", two", ", three."]))
    turn = playground.ask("Count.")
    call = playground.site.upstream.wait_for_call()
    for shown in ("One", "One, two"):
        expect(turn.locator(".prose")).to_have_text(shown)
        expect(playground.send_button).to_contain_text("Stop")
        call.release()
    playground.expect_answer(turn, "One, two, three.")
    assert playground.measure(turn, "tokens") == f"{INPUT_TOKENS} in, {OUTPUT_TOKENS} out, $0.260"


def test_stop_ends_the_call_upstream_and_keeps_the_text(playground: Playground) -> None:
    playground.site.upstream.answer(stream([*OPENAI.text(["So far"])[:2], STALL]))
    turn = playground.ask("Go on for ever.")
    expect(turn.locator(".prose")).to_have_text("So far")
    call = playground.site.upstream.wait_for_call()
    assert not call.left.is_set()
    playground.send_button.click()
    assert call.left.wait(PATIENCE)
    playground.expect_answer(turn, "So far")
    expect(turn.locator(".remark")).to_have_text("stopped")
    expect(turn.locator(".error")).to_have_count(0)


def test_stopped_answer_is_part_of_what_was_said(playground: Playground) -> None:
    playground.site.upstream.answer(stream([*OPENAI.text(["So far"])[:2], STALL]))
    turn = playground.ask("Go on.")
    expect(turn.locator(".prose")).to_have_text("So far")
    playground.send_button.click()
    playground.expect_idle()
    playground.site.upstream.answer(saying("And more."))
    playground.expect_answer(playground.ask("And?"), "And more.")
    assert body_of(playground, 2)["messages"] == [
        {"role": "user", "content": "Go on."},
        {"role": "assistant", "content": "So far"},
        {"role": "user", "content": "And?"},
    ]


def test_settings_are_sent_only_when_they_are_set(playground: Playground) -> None:
    playground.site.upstream.answer(saying("Yes."))
    playground.expect_answer(playground.ask("Plain?"), "Yes.")
    assert not {"temperature", "max_tokens"} & set(body_of(playground, 1))
    page = playground.page
    page.get_by_label("System prompt").fill("Be brief.")
    page.get_by_label("Temperature", exact=True).fill("0.3")
    page.get_by_label("Max tokens").fill("9")
    playground.expect_answer(playground.ask("And now?"), "Yes.")
    body = body_of(playground, 2)
    assert (body["temperature"], body["max_tokens"]) == (0.3, 9)
    assert isinstance(body["messages"], list)
    assert body["messages"][0] == {"role": "system", "content": "Be brief."}
    page.get_by_role("button", name="Do not send a temperature").click()
    playground.expect_answer(playground.ask("And again?"), "Yes.")
    assert "temperature" not in body_of(playground, 3)


def test_retry_asks_the_same_again(playground: Playground) -> None:
    playground.site.upstream.answer(saying("First."))
    turn = playground.ask("Again and again")
    playground.expect_answer(turn, "First.")
    playground.site.upstream.answer(saying("Second."))
    turn.get_by_role("button", name="Retry").click()
    playground.expect_answer(turn, "Second.")
    assert body_of(playground, 2) == body_of(playground, 1)
    expect(playground.turns).to_have_count(1)


def test_edited_message_drops_what_came_after_it(playground: Playground) -> None:
    playground.site.upstream.answer(saying("Yes."))
    first = playground.ask("One?")
    playground.expect_answer(first, "Yes.")
    playground.expect_answer(playground.ask("Two?"), "Yes.")
    first.get_by_role("button", name="Edit").click()
    page = playground.page
    page.get_by_role("textbox", name="Edit your message").fill("Uno?")
    page.get_by_role("button", name="Resend").click()
    playground.expect_answer(first, "Yes.")
    expect(playground.turns).to_have_count(1)
    assert body_of(playground, 3)["messages"] == [{"role": "user", "content": "Uno?"}]


def test_wrong_key_is_told_in_the_words_of_the_api(tab: Page, site: Site) -> None:
    playground = Playground(tab, site).open(site.simulated, key="sk-wrong")
    expect(playground.note).to_have_class("note bad")
    turn = playground.ask("Hello?")
    playground.expect_idle()
    answer = tab.request.get(f"{site.url}/v1/models", headers={"authorization": "Bearer sk-wrong"})
    expect(turn.locator(".error p")).to_have_text(answer.json()["error"]["message"])
    facts = turn.locator(".error dl").inner_text()
    assert re.search(r"status\s+401\s+type\s+invalid_request_error\s", facts)
    assert re.search(r"code\s+invalid_api_key\s+request id\s+req_[0-9a-f]{32}$", facts)
    assert site.upstream.calls == []


def test_key_pasted_later_is_accepted(tab: Page, site: Site) -> None:
    tab.goto(site.url)
    expect(tab.get_by_role("button", name="First paste an API key")).to_be_visible()
    tab.get_by_role("button", name="First paste an API key").click()
    expect(tab.get_by_label("API key")).to_be_focused()
    tab.keyboard.insert_text(site.key)
    expect(tab.locator("#key-note")).to_have_class("note good")
    models = tab.request.get(
        f"{site.url}/v1/models", headers={"authorization": f"Bearer {site.key}"}
    ).json()
    ids = [model["id"] for model in models["data"]]
    assert tab.get_by_label("Model", exact=True).locator("option").all_inner_texts()[:-1] == ids


def test_key_and_model_leave_the_address_bar_and_stay_in_the_tab(playground: Playground) -> None:
    page = playground.page
    assert page.url == f"{playground.site.url}/"
    page.reload()
    expect(playground.note).to_have_class("note good")
    assert page.get_by_label("API key").input_value() == playground.site.key
    assert page.get_by_label("Model", exact=True).input_value() == playground.site.simulated
    assert page.evaluate("[localStorage.length, document.cookie]") == [0, ""]
    other = page.context.new_page()
    other.goto(playground.site.url)
    assert other.get_by_label("API key").input_value() == ""


def test_error_of_the_upstream_is_shown_with_its_status(playground: Playground) -> None:
    retry = [("content-type", "application/json"), ("retry-after", "7"), ("x-should-retry", "true")]
    error = OPENAI.error("rate_limit_error", "Slow down, please.")
    playground.site.upstream.answer(whole(429, error, retry))
    turn = playground.ask("Quick!")
    playground.expect_idle()
    expect(turn.locator(".error p")).to_contain_text("Slow down, please.")
    facts = turn.locator(".error dl").inner_text()
    assert re.search(r"status\s+429\s", facts)
    assert re.search(r"retry after\s+7", facts)
    playground.site.upstream.answer(saying("Here I am."))
    turn.get_by_role("button", name="Retry").click()
    playground.expect_answer(turn, "Here I am.")
    expect(turn.locator(".error")).to_have_count(0)


def test_error_in_mid_stream_comes_after_the_text(playground: Playground) -> None:
    events = [*OPENAI.text(["Half an answ"])[:2], OPENAI.error_event("server_error", "It broke.")]
    playground.site.upstream.answer(stream(events))
    turn = playground.ask("Tell me.")
    playground.expect_answer(turn, "Half an answ")
    expect(turn.locator(".error p")).to_contain_text("It broke.")
    expect(turn.locator(".error dl")).to_contain_text("req_")


def test_upstream_that_is_cut_off_never_looks_like_an_end(playground: Playground) -> None:
    playground.site.upstream.answer(stream([*OPENAI.text(["Half"])[:2], RESET]))
    turn = playground.ask("Tell me.")
    playground.expect_idle()
    expect(turn.locator(".error dl")).to_contain_text("upstream_truncated")


def test_reasoning_is_folded_and_opens(playground: Playground) -> None:
    events = OPENAI.thinking(["Let me ", "see."], ["Forty-two."])
    playground.site.upstream.answer(stream(events))
    turn = playground.ask("Why?")
    playground.expect_answer(turn, "Forty-two.")
    expect(turn.get_by_text("Let me see.")).to_be_hidden()
    turn.get_by_text("Reasoning", exact=True).click()
    expect(turn.get_by_text("Let me see.")).to_be_visible()


def test_start_over_ends_what_is_under_way(playground: Playground) -> None:
    playground.site.upstream.answer(stream([*OPENAI.text(["So far"])[:2], STALL]))
    turn = playground.ask("Go on.")
    expect(turn.locator(".prose")).to_have_text("So far")
    playground.page.get_by_role("button", name="Start over").click()
    assert playground.site.upstream.wait_for_call().left.wait(PATIENCE)
    expect(playground.turns).to_have_count(0)
    expect(playground.page.get_by_role("heading", name="Ask, and watch")).to_be_visible()
    playground.expect_idle()
