"""Requests of Messages and what is needed to answer them, for the tests of this folder."""

from pathlib import Path
from typing import Any

from xtrix import json
from xtrix.answer import Expected
from xtrix.prompt import Origin, Prompt
from xtrix.protocol import Answering, Request, Stamp
from xtrix.protocols.messages.request import decode_prompt, decode_request
from xtrix.providers import Provider, Target
from xtrix.reasoning import Carrier

FOLDER = Path(__file__).parent
CARRIER = Carrier(b"secret", b"client")
ORIGIN = Origin("openrouter", "gpt-5", "chat")
STAMP = Stamp("0123456789abcdef" * 2, 0, "gpt-5", "fp_0000000000", "req_1")
USER: list[dict[str, Any]] = [{"role": "user", "content": "Hi"}]


def recorded(name: str) -> bytes:
    """The body of a whole request: `claude_code` or `everything`."""
    return (FOLDER / f"{name}.json").read_bytes()


def request(
    fields: dict[str, Any] | bytes | None = None, headers: dict[str, str] | None = None
) -> Request:
    """A request with these fields and the required ones."""
    body = fields
    if not isinstance(body, bytes):
        body = json.encode_body({"model": "gpt-5", "messages": USER} | (fields or {}))  # type: ignore[operator]
    return decode_request(body, headers or {}, "default")


def prompt(fields: dict[str, Any] | bytes | None = None) -> Prompt:
    """The prompt of such a request."""
    return decode_prompt(request(fields), CARRIER)


def of_turns(*messages: dict[str, Any], **fields: Any) -> Prompt:
    """The prompt of a request with these messages."""
    return prompt({"messages": list(messages), **fields})


def answering(
    expected: Expected | None = None, model: str = "gpt-5", fields: Any = None
) -> Answering:
    """The settings with which an answer is written."""
    stamp = STAMP._replace(model=model)
    return Answering(request(fields), stamp, ORIGIN, CARRIER, expected or Expected())


def target(model: str = "claude-opus-5-5", **row: Any) -> Target:
    """An upstream that speaks Messages."""
    row = {"base_url": "https://upstream.test/v1", "key": "sk-upstream-key", **row}
    return Target(Provider("anthropic", "anthropic", **row), model)
