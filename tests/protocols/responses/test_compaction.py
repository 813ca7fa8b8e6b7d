"""Summaries of conversations, from the client's request to its next one."""

from typing import Any

import pytest
from openai.types.responses import CompactedResponse

from tests.protocols.responses.tellings import (
    CARRIER,
    LENGTH,
    STOP,
    TOKEN,
    Step,
    answering,
    call,
    step,
    whole,
)
from xtrix import json
from xtrix.errors import ClientError, UpstreamError
from xtrix.prompt import Text
from xtrix.protocol import Request
from xtrix.protocols.responses import compaction
from xtrix.protocols.responses.compaction import compacting, encode_compaction
from xtrix.protocols.responses.request import decode_prompt, decode_request

Json = dict[str, Any]

USER: Json = {"role": "user", "content": "Hi"}
SAID: list[Step] = [step("text", "They "), step("text", "met."), step("text_end", [])]


def compacted(**fields: Any) -> Request:
    body = json.encode_body({"model": "m", "input": [USER], **fields})
    return compacting(decode_request(body, {}, ""))


def test_a_summary_is_asked_for_behind_all_that_was_said() -> None:
    request = compacted(instructions="Be brief.", tools=[{"type": "web_search"}], stream=True)
    prompt = decode_prompt(request, CARRIER)
    *before, last = [block for turn in prompt.turns for block in turn.blocks]
    assert [block.text for block in before if isinstance(block, Text)] == ["Be brief.", "Hi"]
    assert isinstance(last, Text)
    assert last.text.startswith("Sum up this conversation")
    assert (prompt.tools, request.stream, prompt.ignored) == ([], False, ())
    assert json.decode(request.body) == request.fields


def test_a_string_is_a_conversation_too() -> None:
    assert compacted(input="Hi").fields["input"][0] == USER


def test_the_model_has_to_be_named() -> None:
    body = json.encode_body({"model": None, "input": [USER]})
    with pytest.raises(ClientError) as raised:
        compaction.decode_request(body, {}, "default")
    assert (raised.value.status, raised.value.param) == (400, "model")


def test_the_summary_is_one_item_that_says_its_text_again() -> None:
    thought = [step("thinking", "Hm."), step("thinking_end", None)]
    answer = encode_compaction(whole([*thought, *SAID, step("end", STOP)]), answering())
    CompactedResponse.model_validate(answer)
    assert (answer["id"], answer["object"]) == (f"resp_{TOKEN}", "response.compaction")
    assert answer["usage"]["total_tokens"] == 19
    [item] = answer["output"]
    assert item["type"] == "compaction"
    body = json.encode_body({"model": "m", "input": [item, USER]})
    prompt = decode_prompt(decode_request(body, {}, "m"), CARRIER)
    [summary, _] = [block for turn in prompt.turns for block in turn.blocks]
    assert isinstance(summary, Text)
    assert summary.text == "A summary of the conversation so far:\n\nThey met."


@pytest.mark.parametrize(
    "steps",
    [
        [*SAID, step("end", LENGTH)],
        [step("end", STOP)],
        [*call("f", "{}"), step("end", STOP)],
        [step("refusal", "No."), step("end", STOP)],
    ],
    ids=["cut", "nothing", "call", "refusal"],
)
def test_what_is_no_whole_summary(steps: list[Step]) -> None:
    with pytest.raises(UpstreamError, match="no whole summary"):
        encode_compaction(whole(steps), answering())
