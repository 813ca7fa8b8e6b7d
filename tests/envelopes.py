"""Sealed reasoning, as the scenario folders write it: who issued it, and what it is.

The string that a client keeps and returns depends on the gateway's secret. So a folder has
`{"origin": [provider, model, protocol], "value": …}` in its place.
"""

from typing import Any

from tests.play import KEY, UPSTREAM_KEY
from xtrix import auth
from xtrix.config import load
from xtrix.prompt import Origin, Sealed
from xtrix.reasoning import PREFIX, Carrier, is_packed

_ROW = {"name": "any", "dialect": "openai", "base_url": "http://a.test", "api_key": "UPSTREAM_KEY"}


def _carrier() -> Carrier:
    """The signer of a gateway with the keys of `tests.play`, for its one client."""
    environment = {"API_KEYS": KEY, "UPSTREAM_KEY": UPSTREAM_KEY, "PROVIDERS": [_ROW]}
    client = auth.authenticate({"x-api-key": KEY}, auth.digests(KEY))
    return Carrier(load(environment.get).secret, client)


def packed(value: Any) -> Any:
    """`value` as a client sends it."""
    if isinstance(value, list):
        return [packed(each) for each in value]
    if not isinstance(value, dict):
        return value
    if value.keys() == {"origin", "value"}:
        return _CARRIER.pack(Sealed(value["value"], Origin(*value["origin"])))
    return {name: packed(each) for name, each in value.items()}


def opened(value: Any) -> Any:
    """`value` as a folder spells it."""
    if isinstance(value, list):
        return [opened(each) for each in value]
    if isinstance(value, dict):
        return {name: opened(each) for name, each in value.items()}
    sealed = _CARRIER.open(value) if is_packed(value) else None
    if sealed is None or sealed.origin is None:
        return value
    return {"origin": list(sealed.origin), "value": sealed.value}


def unsigned(completion: dict[str, Any]) -> dict[str, Any]:
    """`completion` with one word in place of each signature, because signatures differ between
    gateways.
    """
    for choice in completion["choices"]:
        for block in choice["message"].get("thinking_blocks") or ():
            if is_packed(block.get("signature")) or isinstance(block.get("signature"), dict):
                block["signature"] = PREFIX
    return completion


_CARRIER = _carrier()
