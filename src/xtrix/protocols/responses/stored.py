"""Decodes requests that refer to kept responses, and says what to keep of a request.

Source: openai-python 3.57.0, `ResponseCreateParams` and `ResponseItemList` (read 2026-11).
"""

from collections.abc import Mapping
from typing import Any

from xtrix import json
from xtrix.errors import ClientError
from xtrix.protocol import References, Request
from xtrix.protocols.responses.request import decode_any
from xtrix.protocols.responses.schema import REQUEST, item_kind
from xtrix.protocols.responses.state import no_item, refuse_other_state

Json = dict[str, Any]

_FIRST_OF_INPUT = 10_000
"""The first number for items of input. No answer has so many items."""
_PREFIXES = {
    "message": "msg",
    "function_call": "fc",
    "function_call_output": "fco",
    "custom_tool_call": "ctc",
    "custom_tool_call_output": "ctco",
    "reasoning": "rs",
}


def decode_request(body: bytes, headers: Mapping[str, str], default_model: str) -> Request:
    """The request in `body`, which may refer to kept responses. Raises ClientError."""
    request = decode_any(body, headers, default_model, refuse_other_state)
    return request._replace(is_kept=request.fields.get("store") is not False)


def references(request: Request) -> References:
    """What `request` refers to."""
    previous = request.fields.get("previous_response_id") or None
    return References(previous, tuple(name for _, name in _named(request)))


def resolve(request: Request, earlier: list[Any], named: Mapping[str, Any]) -> Request:
    """`request` with its references replaced.

    `earlier` is the conversation before it, and `named` the items by their ids.
    """
    given = _items(request.fields.get("input"))
    items = [named[it["id"]] if item_kind(it) == "item_reference" else it for it in given]
    body = json.encode_body({**request.fields, "input": [*earlier, *items]})
    return request._replace(fields=REQUEST.decode(body), body=body)


def missing(request: Request, name: str) -> ClientError:
    """The error for an id under which nothing is kept."""
    for index, item in _named(request):
        if item == name:
            return no_item(name, f"input[{index}].id", "It was not stored, or is deleted by now.")
    asked = request.fields.get("previous_response_id") or ""
    message = f"Previous response with id '{asked[:64]}' not found."
    if name != asked:
        message += f" It goes on from '{name[:64]}', which is deleted by now."
    code = "previous_response_not_found"
    return ClientError(400, code, message, param="previous_response_id")


def kept_input(request: Request, token: str) -> str | None:
    """What to keep of `request`, a list as JSON; None if the client does not want it kept.

    Each item has an id, made from `token` if the client gives none.
    """
    if not request.is_kept:
        return None
    items = [
        item if item.get("id") else {**item, "id": _made(item, token, index)}
        for index, item in enumerate(_items(request.fields.get("input")))
    ]
    return json.encode_line(items)


def _made(item: Json, token: str, index: int) -> str:
    return f"{_PREFIXES.get(item_kind(item), 'item')}_{token}_{_FIRST_OF_INPUT + index}"


def _named(request: Request) -> list[tuple[int, str]]:
    """The items that refer to kept ones: index and id."""
    items = enumerate(_items(request.fields.get("input")))
    return [(index, it["id"]) for index, it in items if item_kind(it) == "item_reference"]


def _items(given: str | list[Json] | None) -> list[Json]:
    if isinstance(given, str):
        content = [{"type": "input_text", "text": given}]
        return [{"type": "message", "role": "user", "content": content}]
    return given or []
