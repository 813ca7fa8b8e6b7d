"""The smallest row of each dialect, and the smallest answer of an upstream that speaks it."""

from typing import Any

from tests.clients.upstreams import streamed
from tests.play import Upstream
from xtrix import json

Json = dict[str, Any]

TEXT = "They met."
WHOLE: dict[str, Json] = {
    "anthropic": {
        "type": "message",
        "role": "assistant",
        "content": [{"type": "text", "text": TEXT}],
        "stop_reason": "end_turn",
        "usage": {"input_tokens": 12, "output_tokens": 7},
    },
    "openai": {
        "choices": [{"index": 0, "message": {"content": TEXT}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 12, "completion_tokens": 7, "total_tokens": 19},
    },
    "openai-responses": {
        "id": "resp_theirs",
        "object": "response",
        "status": "completed",
        "output": [
            {
                "type": "message",
                "role": "assistant",
                "content": [{"type": "output_text", "text": TEXT}],
            }
        ],
        "usage": {"input_tokens": 12, "output_tokens": 7, "total_tokens": 19},
    },
}
PATHS = {
    "anthropic": "/v1/messages",
    "openai": "/v1/chat/completions",
    "openai-responses": "/v1/responses",
}
"""Where each is called."""
JSON_TYPE = {"content-type": "application/json"}
SSE_TYPE = {"content-type": "text/event-stream"}


def row(dialect: str, name: str = "", **more: Any) -> Json:
    """A row of `dialect` that serves every model."""
    return {
        "name": name or dialect,
        "dialect": dialect,
        "base_url": "http://upstream.test/v1",
        "api_key": "UPSTREAM_KEY",
        "models": ["*"],
        **more,
    }


def answer(body: Json, status: int = 200) -> Upstream:
    """An upstream that answers with `body`, whole."""
    return Upstream(status, JSON_TYPE, (json.encode(body).encode(),))


def least_answer(dialect: str, *, stream: bool) -> Upstream:
    """An upstream of `dialect` that says `TEXT`."""
    if stream:
        return Upstream(200, SSE_TYPE, tuple(streamed(dialect, [TEXT])))
    return answer(WHOLE[dialect])
