"""What an Anthropic upstream gets for a request, or why the request is refused."""

from collections.abc import Mapping
from typing import Any

import pytest

from xtrix import json
from xtrix.errors import ClientError
from xtrix.protocol import Encoded
from xtrix.protocols.chat import CHAT
from xtrix.protocols.messages import MESSAGES
from xtrix.providers import Provider, Target
from xtrix.reasoning import Carrier

CARRIER = Carrier(b"secret", b"client")

BUDGET = "claude-haiku-4-5"
"""A model that takes sampling, budgets, forced tools and prefill."""
ADAPTIVE = "claude-sonnet-4-6"
OLD = "claude-3-5-haiku-20241022"
NEWEST = "claude-sonnet-5-5"
INSIDE = "claude-opus-4-8"
"""A model that takes system turns inside the chat."""

USER: Mapping[str, Any] = {"role": "user", "content": "Hello"}
FUNCTION: Mapping[str, Any] = {"type": "function", "function": {"name": "look_up"}}
CALL: Mapping[str, Any] = {
    "id": "call_1",
    "type": "function",
    "function": {"name": "look_up", "arguments": '{"a":1}'},
}
CALLED: Mapping[str, Any] = {"role": "assistant", "content": None, "tool_calls": [CALL]}
RESULT: Mapping[str, Any] = {"role": "tool", "tool_call_id": "call_1", "content": "found"}


def encoded(model: str = BUDGET, provider: Provider | None = None, **said: Any) -> Encoded:
    """The request `said`, encoded for `model`."""
    body = {"messages": [USER], **said}
    request = CHAT.decode_request(json.encode(body).encode(), {}, model)
    row = provider or Provider("a", "anthropic", "https://a.test/v1", key="upstream-key")
    return MESSAGES.encode_prompt(CHAT.decode_prompt(request, CARRIER), Target(row, model))


def sent(model: str = BUDGET, **said: Any) -> dict[str, Any]:
    """The body that goes upstream."""
    return json.decode_object(encoded(model, **said).request.body)


def turns(*messages: Mapping[str, Any], model: str = BUDGET, **said: Any) -> Any:
    """The turns that `messages` become."""
    return sent(model, messages=list(messages), **said)["messages"]


def refused(model: str = BUDGET, **said: Any) -> ClientError:
    """The error that refuses the request."""
    with pytest.raises(ClientError) as caught:
        encoded(model, **said)
    assert caught.value.status == 400
    return caught.value


def text(value: str) -> dict[str, str]:
    """A text block."""
    return {"type": "text", "text": value}
