"""What an operator mistypes, on the real Worker, where variables are JavaScript's: every call says
so, and no call crashes. `tests/test_rows.py` has the rest of the mistakes.
"""

from typing import Any

import pytest

from tests.worker.client import CLIENT_KEYS, question
from tests.worker.conftest import Start
from tests.worker.scripts import whole
from tests.worker.speech import OPENAI
from tests.worker.upstream import Upstream

ROW: dict[str, Any] = {
    "name": "one",
    "dialect": "openai",
    "base_url": "https://one.invalid/v1",
    "api_key": "ONE_KEY",
    "models": ["gpt-*"],
}
MISTAKES: dict[str, tuple[dict[str, Any], str]] = {
    "seconds as text": (
        {"PROVIDERS": [{**ROW, "timeouts": {"connect": "5"}}]},
        "PROVIDERS[0].timeouts.connect",
    ),
    "false as text": (
        {"PROVIDERS": [{**ROW, "quirks": {"stream_usage": "false"}}]},
        "PROVIDERS[0].quirks.stream_usage",
    ),
    "attempts as text": (
        {"PROVIDERS": [{**ROW, "retries": {"attempts": "3"}}]},
        "PROVIDERS[0].retries.attempts",
    ),
    "a null": ({"PROVIDERS": [{**ROW, "timeouts": None}]}, "PROVIDERS[0].timeouts"),
    "a null in a list": ({"PROVIDERS": [None]}, "PROVIDERS[0]"),
    "an alias with a line break": (
        {"PROVIDERS": [{**ROW, "aliases": {"gpt-a": "x\ny"}}]},
        "PROVIDERS[0].aliases.gpt-a",
    ),
    "a target with a line break": (
        {"PROVIDERS": [ROW], "MODELS": [{"id": "any", "targets": ["one/x\ny"]}]},
        "MODELS[0].targets[0]",
    ),
    "a query that the dialect ignores": (
        {"PROVIDERS": [{**ROW, "dialect": "anthropic", "query": "a=b"}]},
        "PROVIDERS[0].query",
    ),
    "no list": ({"PROVIDERS": {}}, "PROVIDERS must be a list"),
    "zero": ({"PROVIDERS": 0}, "PROVIDERS must be a list"),
    "false": ({"PROVIDERS": False}, "PROVIDERS must be a list"),
    "half a byte": ({"PROVIDERS": [ROW], "MAX_BODY_BYTES": 0.5}, "MAX_BODY_BYTES must be"),
    "true as a number": ({"PROVIDERS": [ROW], "MAX_BODY_BYTES": True}, "MAX_BODY_BYTES must be"),
    "a default that nobody serves": (
        {"PROVIDERS": [ROW], "DEFAULT_MODEL": "claude-5"},
        "DEFAULT_MODEL is no model",
    ),
    "a secret with a line break": (
        {"PROVIDERS": [ROW], "ONE_KEY": "sk-first-line\nsk-second-line"},
        "PROVIDERS[0].api_key: the secret ONE_KEY has a line break",
    ),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_every_calls_answer(start: Start, mistake: str) -> None:
    variables, named = MISTAKES[mistake]
    sound = {"API_KEYS": CLIENT_KEYS[0], "ONE_KEY": "the-key-of-one"}
    with start({**sound, **variables}) as worker:
        for streamed in (False, True):
            answer = worker.ask(question("gpt-a", stream=streamed))
            error = answer.error()
            assert (answer.status, error["code"]) == (500, "configuration_error")
            assert error["message"].startswith(f"This gateway is configured wrongly: {named}")
            assert ";" not in error["message"], "one mistake is one fault"
            assert "second-line" not in error["message"]
        assert "second-line" not in worker.log()


def test_what_is_text_in_the_environment_may_spell_a_number(
    start: Start, upstream: Upstream
) -> None:
    """Secrets and the variables of `.dev.vars` are always text."""
    row = {**ROW, "base_url": upstream.base_url, "timeouts": {"connect": 5, "idle": 2.5}}
    variables: dict[str, object] = {"MAX_BODY_BYTES": "1000", "KEEP_ALIVE_SECONDS": "0.5"}
    upstream.answer(whole(200, OPENAI.whole("Yes.")))
    with start({"API_KEYS": CLIENT_KEYS[0], "PROVIDERS": [row], **variables}) as worker:
        assert worker.ask({**question("gpt-a"), "user": "x" * 1000}).status == 413


def test_a_key_in_authorization_is_a_bearer_token(start: Start, upstream: Upstream) -> None:
    rows = [
        {
            **ROW,
            "name": dialect,
            "dialect": dialect,
            "base_url": upstream.base_url,
            "models": [f"{dialect}-*"],
            "key_header": "Authorization",
        }
        for dialect in ("anthropic", "openai")
    ]
    upstream.answer(whole(200, b"{}"))
    keys = {"API_KEYS": CLIENT_KEYS[0], "ONE_KEY": "the-key-of-one"}
    with start({**keys, "PROVIDERS": rows}) as worker:
        for number, row in enumerate(rows, 1):
            worker.ask(question(f"{row['name']}-x"))
            headers = upstream.wait_for_call(number).headers
            sent = [value for name, value in headers if name == "authorization"]
            assert sent == ["Bearer the-key-of-one"]
