"""One thing that a client can ask, and what becomes of it on the way to an upstream."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

Json = dict[str, Any]


class Probe(NamedTuple):
    """A request that asks one thing more than another request."""

    name: str
    asks: Json
    """Fields that replace those of the other request."""
    beside: Mapping[str, Any] = MappingProxyType({})
    """What the other request says beyond the protocol's least."""
    silent: str = ""
    """Why nobody is told where it is left out; empty where somebody has to be."""
