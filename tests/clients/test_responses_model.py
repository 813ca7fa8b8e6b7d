"""Responses from a real language model, in each of its dialects, whatever it says."""

import pytest

from tests.clients.sdk import Sdk
from tests.clients.test_responses import MODELS, text_of
from tests.clients.versions import PRESENT

pytestmark = PRESENT

TOKENS = 16
"""The fewest that one may ask for."""

CUT = ("incomplete", {"reason": "max_output_tokens"})
ENDINGS = {
    "anthropic": CUT,
    "openai": CUT,
    # llama.cpp calls every response completed (observed, November 2026), and it is relayed.
    "openai-responses": ("completed", None),
}


@pytest.mark.parametrize("dialect", MODELS)
@pytest.mark.parametrize("how", ["respond", "respond_events"])
def test_writes_until_it_is_cut(sdk: Sdk, dialect: str, how: str) -> None:
    request = {
        "model": f"local-{dialect}",
        "input": "Write a long story of a fox.",
        "max_output_tokens": TOKENS,
    }

    if how == "respond":
        response = sdk.do(how, request)["response"]
    else:
        events = sdk.do("respond_events", request)
        response = events[-1]["response"]
        deltas = [it["delta"] for it in events if it["type"] == "response.output_text.delta"]
        assert len(deltas) > 1
        assert "".join(deltas) == text_of(response)

    ending = (response["status"], response.get("incomplete_details"))
    assert ending == ENDINGS[dialect]
    assert text_of(response).strip()
    assert response["usage"]["output_tokens"] == TOKENS
    assert response["usage"]["input_tokens"] > 8
