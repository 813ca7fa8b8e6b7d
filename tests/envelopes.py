"""Reasoning in our envelope, as the golden folders spell it: who issued it, and what it is.

In a folder `{"origin": [provider, model, protocol], "value": …}` stands in the place of the string
that a client keeps and returns: that string depends on the gateway's secret.
"""

from typing import Any

from tests.play import KEY, UPSTREAM_KEY
from xtrix import auth
from xtrix.config import load
from xtrix.prompt import Origin, Sealed
from xtrix.reasoning import Carrier, is_carried

_ROW = {"name": "any", "dialect": "openai", "base_url": "http://a.test", "api_key": "UPSTREAM_KEY"}


def _carrier() -> Carrier:
    """That of a gateway with the keys of `tests.play`, for its one client."""
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
    sealed = _CARRIER.open(value) if is_carried(value) else None
    if sealed is None or sealed.origin is None:
        return value
    return {"origin": list(sealed.origin), "value": sealed.value}


_CARRIER = _carrier()
