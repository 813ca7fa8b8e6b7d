"""Junk in every place of the recorded requests: the only error may be a ClientError."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.protocols.messages.answering import CARRIER, recorded, target
from xtrix import json
from xtrix.errors import ClientError
from xtrix.estimate import estimate
from xtrix.protocol import Request
from xtrix.protocols.messages.errors import encode_error
from xtrix.protocols.messages.relay import relay_count, relay_request
from xtrix.protocols.messages.request import decode_prompt, decode_request

JUNK: tuple[Any, ...] = (
    *(None, True, False, 0, -1, 1.5, 10**30, "", " ", "xt1.a.b", "user", "text", "\ud7ff"),
    *([], [[]], [None], [5], ["a"], [{}], {}, {"type": "text"}, {"type": []}, {"a": {"b": []}}),
    *({"type": "tool_reference", "tool_name": 5}, {"type": "custom"}, [{"type": "image"}]),
    *([{"type": "tool_addition", "tool": {"type": "tool_reference"}}], {"type": "x" * 5000}),
)
GONE = object()
TARGET = target()


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The path to every value inside `value`."""
    inner = enumerate(value) if isinstance(value, list) else ()
    for step, each in value.items() if isinstance(value, dict) else inner:
        yield (*path, step)
        yield from places(each, (*path, step))


def put(whole: Any, path: tuple[Any, ...], junk: Any) -> Any:
    """A copy of `whole` with `junk` at `path`."""
    step, *rest = path
    changed = whole.copy()
    if rest:
        changed[step] = put(whole[step], tuple(rest), junk)
    elif junk is GONE:
        del changed[step]
    else:
        changed[step] = junk
    return changed


def judge(fields: dict[str, Any]) -> int:
    """Reads a request in every way. Returns 1 if it was refused."""
    try:
        body = json.encode_body(fields)
        request = decode_request(body, {"anthropic-beta": "a, ,a"}, "default")
        relayed = relay_request(request, TARGET, CARRIER).request
        assert json.decode(relayed.body)["model"] == TARGET.model
        assert relay_count(request, TARGET).request.url.endswith("/count_tokens")
        assert isinstance(request, Request)
        assert estimate(decode_prompt(request, CARRIER)) > 0
    except ClientError as refused:
        reply = encode_error(refused, "req_1")
        assert reply.status == 400
        assert len(reply.body) < 2000
        return 1
    return 0


@pytest.mark.parametrize("name", ["claude_code", "everything"])
def test_junk_in_every_place(name: str) -> None:
    whole = json.decode(recorded(name))
    assert judge(whole) == 0
    found = list(places(whole))
    refused = sum(judge(put(whole, path, junk)) for path in found for junk in (*JUNK, GONE))
    assert refused > len(found)
