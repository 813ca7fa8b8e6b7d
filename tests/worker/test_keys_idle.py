"""A ledger that was idle for longer than the runtime keeps it in memory.

This takes the seconds after which workerd removes an idle object from memory, so it has a Worker of
its own and does nothing else.
"""

import json
import time

from tests.worker import fleet
from tests.worker.client import question
from tests.worker.conftest import Start
from tests.worker.fleet import Fleet, Way
from tests.worker.scripts import whole
from tests.worker.speech import INPUT_TOKENS, OPENAI, OUTPUT_TOKENS
from tests.worker.upstream import Upstream

KEPT_SECONDS = 10.0
"""For which workerd keeps an idle object in memory."""
COST = INPUT_TOKENS * fleet.INPUT_PRICE + OUTPUT_TOKENS * fleet.OUTPUT_PRICE
ASKED = {**question("gpt-sim"), "max_tokens": OUTPUT_TOKENS}

NEED = len(json.dumps(ASKED)) + 1_000 + OUTPUT_TOKENS * fleet.OUTPUT_PRICE
"""Micro-dollars that have to be left for a call of a strict key."""
BUDGET = NEED + 2 * COST + COST // 2
"""For three calls, of which the last finds a little more than it has need of."""


def test_a_ledger_that_was_forgotten_by_the_runtime(start: Start) -> None:
    server, way = Upstream(), Way()
    server.answer_each(lambda call: whole(200, OPENAI.whole("Hello")))
    with start(fleet.bindings(server, way), isolates=2) as gateway:
        keys = Fleet(gateway, way)
        _, rated = keys.make("rated", requests_per_minute=3, strict=True)
        key, poor = keys.make("poor", usd_total=BUDGET / 1_000_000, strict=True)
        revoked, no_more = keys.make("revoked")
        fleet.wait_for_a_minute_with(2 * KEPT_SECONDS + 10)
        for secret in (rated, rated, poor, poor, no_more):
            assert keys.ask(secret, 0, ASKED).status == 200
        keys.booked(key, 2)
        keys.admin(f"DELETE /keys/{revoked}")
        told = way.restarts
        while way.silence < KEPT_SECONDS + 1:  # a look at the object would keep it
            time.sleep(KEPT_SECONDS + 1 - way.silence)

        asked = [keys.ask(rated, 1, ASKED).status for _ in range(3)]
        assert way.restarts == told + 1
        assert asked == [200, 429, 429]
        assert keys.ask(poor, 1, ASKED).status == 200
        assert keys.ask(no_more, 1, ASKED).status == 401
        keys.booked(key, 3)
        refused = keys.ask(poor, 1, ASKED)
        assert (refused.status, refused.error()["code"]) == (429, "insufficient_quota")
        assert keys.admin(f"GET /keys/{key}")["spent"]["total_micros"] == 3 * COST
    server.stop()
    way.stop()
