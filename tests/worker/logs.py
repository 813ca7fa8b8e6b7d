"""Reads the Worker's log: one JSON object in each line, one line for each request."""

import json
import time
from collections.abc import Callable
from typing import Any

from tests.worker.upstream import PATIENCE

Record = dict[str, Any]


def records(log: str) -> list[Record]:
    """Returns the log's records. Lines of workerd itself are left out."""
    return [json.loads(line) for line in log.splitlines() if line.startswith("{")]


def record_of(read: Callable[[], str], request_id: str) -> Record:
    """Waits for the record of a request and returns it. Lines about crashes do not count."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        found = [it for it in records(read()) if it.get("id") == request_id and "crash" not in it]
        if found:
            assert len(found) == 1, found
            return found[0]
        time.sleep(0.01)  # a file cannot be waited for
    raise AssertionError(f"no log line of {request_id}")


def records_from_now_on(read: Callable[[], str]) -> Callable[[int], list[Record]]:
    """Returns a function that waits for this many records from now on, and returns all of them."""
    before = len(records(read()))

    def since(number: int) -> list[Record]:
        deadline = time.monotonic() + PATIENCE
        while len(found := records(read())[before:]) < number:
            assert time.monotonic() < deadline, found
            time.sleep(0.01)  # a file cannot be waited for
        return found

    return since
