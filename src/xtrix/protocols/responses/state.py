"""The errors for references to something that is not kept, which say what to do instead.

Codes and texts are OpenAI's, which clients know, with what to do instead added.
"""

from typing import Any

from xtrix.errors import ClientError, unsupported
from xtrix.protocols.responses.schema import item_kind

Json = dict[str, Any]


def refuse_state(fields: Json) -> None:
    """Raises ClientError for a request that refers to an earlier one."""
    earlier = fields.get("previous_response_id")
    if earlier:
        message = (
            f"Previous response with id '{earlier[:64]}' not found. This gateway keeps no "
            "responses: send all items of the conversation in 'input'."
        )
        code = "previous_response_not_found"
        raise ClientError(400, code, message, param="previous_response_id")
    refuse_other_state(fields)
    items = fields.get("input")
    for index, item in enumerate(items if isinstance(items, list) else ()):
        if item_kind(item) == "item_reference":
            raise no_item(item["id"], f"input[{index}].id", _STORES_NONE)


def refuse_other_state(fields: Json) -> None:
    """Like `refuse_state`, for a gateway that keeps responses."""
    for name, why in _WITHOUT.items():
        if fields.get(name):
            raise unsupported(name, why)


def no_item(item_id: str, param: str, why: str) -> ClientError:
    """The error for an item that is referred to and not sent; `why` is its text."""
    message = f"Item with id '{item_id[:64]}' not found. {why}"
    return ClientError(404, "item_not_found", message, param=param)


_STORES_NONE = (
    "Items are not persisted when `store` is set to false, and this gateway stores none: send the "
    "item itself. In the AI SDK set `providerOptions: { openai: { store: false } }`."
)
_KEEPS_NOTHING = "this gateway keeps nothing: send all items of the conversation in 'input'."
_WITHOUT = {
    "conversation": _KEEPS_NOTHING,
    "background": "this gateway keeps no answers to be fetched later: set it to false.",
    "prompt": "this gateway keeps no prompts: send their text in 'instructions' and 'input'.",
}
