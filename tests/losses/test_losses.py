"""The table of losses is up to date and complete, and every loss is reported to the client."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.losses import table
from tests.losses.probe import Probe
from tests.losses.table import CLIENTS, TARGETS, Client, Kind, fate_of
from xtrix.protocols.chat.schema import REQUEST_SCHEMA as CHAT
from xtrix.protocols.messages.schema import REQUEST_SCHEMA as MESSAGES
from xtrix.protocols.responses.schema import REQUEST_SCHEMA as RESPONSES

SCHEMAS = dict(zip([client.title for client in CLIENTS], (CHAT, MESSAGES, RESPONSES), strict=True))
PROBES = [
    pytest.param(client, probe, id=f"{client.title}-{probe.name}")
    for client in CLIENTS
    for probe in client.probes
]
ROUTE = {"model"}
"""What says where a request goes, and is asked nothing of."""
CHOICES = {"first", "second", "other"}
"""The words by which a schema tells values apart where the values do not say what they are."""


def test_the_page_is_current() -> None:
    assert table.PAGE.read_text() == table.page(), "run `make format`"


@pytest.mark.parametrize(("client", "probe"), PROBES)
def test_no_loss_is_silent(client: Client, probe: Probe) -> None:
    fates = [fate_of(client, probe, target).kind for target in TARGETS]
    assert bool(probe.silent) == (Kind.SILENT in fates), fates


@pytest.mark.parametrize("client", CLIENTS, ids=lambda client: client.title)
def test_all_that_a_protocol_knows_is_asked(client: Client) -> None:
    asked = [{**client.base, **probe.beside, **probe.asks} for probe in client.probes]
    fields, words = set().union(*asked), set().union(*map(_words, asked))
    schema = SCHEMAS[client.title]
    assert fields >= schema["fields"].keys() - ROUTE
    tags = set(_tags(schema)) - CHOICES
    assert {tag for tag in tags if not any(word.startswith(tag) for word in words)} == set()


def _tags(schema: Any) -> Iterator[str]:
    """The tags by which a schema tells objects apart."""
    if isinstance(schema, list):
        for each in schema:
            yield from _tags(each)
    if not isinstance(schema, dict):
        return
    if schema.get("type") == "tagged-union":
        yield from schema["choices"]
    for each in schema.values():
        yield from _tags(each)


def _words(value: Any) -> set[str]:
    """Every string in `value`."""
    if isinstance(value, str):
        return {value}
    if isinstance(value, list | dict):
        parts = value if isinstance(value, list) else value.values()
        return set().union(*map(_words, parts))
    return set()
