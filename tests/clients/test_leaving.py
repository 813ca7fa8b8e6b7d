"""A program that stops reading early: the upstream's call is ended too.

The SDKs close their connection in order, and the local runtime notices that only when it next
writes. So this upstream keeps sending, as a model does.
"""

from collections.abc import Iterator

import pytest

from tests.clients.replay import by_row, named
from tests.clients.sdk import Sdk
from tests.worker.scripts import chunk, stream_head
from tests.worker.speech import DIALECTS, Dialect
from tests.worker.upstream import PATIENCE, Upstream

PAUSE = 0.02
"""Seconds between two words."""


@pytest.mark.parametrize("how", ["leave", "leave_helper"])
@pytest.mark.parametrize("dialect", DIALECTS, ids=lambda dialect: dialect.name)
def test_a_stream_that_the_program_leaves_is_closed_upstream(
    sdk: Sdk, upstream: Upstream, dialect: Dialect, how: str
) -> None:
    upstream.answer_each(lambda _: _talking(dialect))
    request = by_row(named(f"{dialect.name}/text"))

    assert sdk.do(how, request) == "Hello"

    assert upstream.wait_for_call().left.wait(PATIENCE)


def _talking(dialect: Dialect) -> Iterator[bytes | float]:
    """A stream that says Hello, and has no end."""
    events = dialect.text(["Hello"])
    until_hello = 1 + next(index for index, event in enumerate(events) if b"Hello" in event)
    yield stream_head()
    yield from map(chunk, events[:until_hello])
    while True:
        yield PAUSE
        yield chunk(dialect.delta(" again"))
