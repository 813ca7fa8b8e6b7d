"""Clients and upstreams that try to make a call cost less than it does, or to break the counts."""

from collections.abc import Mapping
from typing import Any

import pytest

from tests.play import NOW, Upstream
from tests.test_named_keys import PRICE, REQUEST, ROW, Bench, answer
from tests.worker.speech import ANTHROPIC
from xtrix import json
from xtrix.errors import ClientError
from xtrix.http import RequestHead
from xtrix.keys import bounds
from xtrix.keys.leases import Admission, Client, Leases
from xtrix.keys.message import Row

TIERED = {"pattern": "*", "input": 1, "output": 10, "tiers": {"fast": 2.0, "flex": 0.5}}
JSON = {"content-type": "application/json"}
MESSAGE = Upstream(200, JSON, (ANTHROPIC.whole("Hi"),))


def bench(**fields: object) -> Bench:
    return Bench({**ROW, **fields})


def spent(at: Bench, key: str) -> int:
    """Micro-dollars."""
    at.settle()
    total: int = at.admin("GET", f"/keys/{key}")["spent"]["total_micros"]
    return total


def test_of_two_tiers_the_dearer_one_is_booked() -> None:
    at = bench(prices=[TIERED])
    key, secret = at.make(usd_per_day=1)
    assert at.ask(secret, service_tier="auto", speed="fast").log["cost"] == 0.0006
    assert spent(at, key) == 600


@pytest.mark.parametrize(
    ("path", "fields"),
    [
        ("/v1/chat/completions", {"service_tier": "flex"}),
        ("/v1/chat/completions", {"speed": "flex"}),
        ("/v1/messages", {"speed": "flex", "max_tokens": 50}),
    ],
)
def test_a_cheaper_tier_is_booked_only_where_the_upstream_says_that_it_has_served(
    path: str, fields: dict[str, Any]
) -> None:
    at = bench(prices=[TIERED])
    key, secret = at.make(usd_per_day=1)
    body = {"model": "plain", "messages": [{"role": "user", "content": "Hello"}], **fields}
    assert at.call("POST", path, secret, body, answer()).status == 200
    assert spent(at, key) == 300


def test_a_tier_without_a_price_is_refused_to_a_key_with_a_budget() -> None:
    at = bench(prices=[TIERED])
    _, secret = at.make(usd_per_day=1)
    at.ask(secret)  # what may be spent is known from now on
    refused = at.ask(secret, service_tier="priority")
    assert (refused.status, refused.json()["error"]["code"]) == (403, "tier_without_price")
    assert refused.calls == []


def test_a_tier_without_a_price_that_is_allowed_is_never_booked_at_nothing() -> None:
    at = bench(prices=[TIERED])
    key, secret = at.make(usd_per_day=1, unpriced=True)
    assert at.ask(secret, service_tier="priority").log["cost"] is None
    assert spent(at, key) == 600  # at the dearest tier that is known


def test_a_tier_is_known_of_a_body_of_another_protocol_too() -> None:
    at = bench(prices=[TIERED])
    key, secret = at.make(usd_per_day=1)
    body = {"model": "plain", "input": "Hello", "service_tier": "fast"}
    assert at.call("POST", "/v1/chat/completions", secret, body, answer()).status == 200
    assert spent(at, key) == 600


@pytest.mark.parametrize(
    ("fields", "protocol", "most"),
    [
        ({"max_output_tokens": 1}, "chat", bounds.MOST_OUTPUT),
        ({"max_tokens": 1}, "responses", bounds.MOST_OUTPUT),
        ({"max_completion_tokens": 1}, "messages", bounds.MOST_OUTPUT),
        ({"max_tokens": 5, "max_completion_tokens": 9}, "chat", 9),
        ({"max_tokens": 5, "n": 5_000}, "chat", 25_000),
        ({"max_tokens": 5, "n": 2, "best_of": 20, "prompt": "a"}, "completions", 100),
        ({"max_tokens": 5, "prompt": ["a", "b", "c"]}, "completions", 15),
        ({"max_tokens": 5, "n": 2, "prompt": [[1, 2], [3]]}, "completions", 20),
        ({"max_tokens": 5, "prompt": [1, 2, 3]}, "completions", 5),
    ],
)
def test_the_most_that_an_answer_can_have(
    fields: Mapping[str, Any], protocol: str, most: int
) -> None:
    assert bounds.most_output(dict(fields), protocol) == most


@pytest.mark.parametrize(
    "fields",
    [
        {"tools": [{"type": "code_execution_20260101", "name": "run"}]},
        {"mcp_servers": [{"type": "url", "url": "https://tools.test"}]},
        {"web_search_options": {}},
    ],
)
def test_tools_of_the_providers_have_no_bound_in_what_nobody_can_read(
    fields: dict[str, Any],
) -> None:
    with pytest.raises(ClientError, match="strict budget"):
        bounds.most_unread(fields)
    own = [{"type": "function"}, {"type": "custom"}, {"name": "plain"}, {"type": "bash_20250124"}]
    assert bounds.most_unread({"tools": own}) == bounds.MOST_INPUT
    assert bounds.most_unread({"tools": 5}) == bounds.MOST_INPUT


def test_an_answer_that_is_too_large_to_be_taken_is_booked() -> None:
    at = bench(retries={"attempts": 1})
    key, secret = at.make(usd_per_day=100, strict=True)
    large = Upstream(200, JSON, (b'{"choices":[',), too_large=True)
    played = at.ask(secret, large, max_tokens=1_000)
    assert (played.status, played.log["error"]) == (502, "bad_upstream_response")
    assert spent(at, key) > 10_000  # the most that it can have cost: 1,000 tokens of output


def test_usage_that_nobody_can_have_had_is_not_believed() -> None:
    """The cost would be too large for a column of SQLite and for a number of JavaScript."""
    at = bench()
    key, secret = at.make(usd_per_day=1)
    assert at.ask(secret, answer(10**15, 10**15), max_tokens=20).status == 200
    assert 0 < spent(at, key) < 5_000
    (row,) = at.admin("GET", "/usage")["data"]
    assert row["estimated"] == 1
    assert at.ask(secret).status == 200


def test_a_legacy_completion_without_usage_is_booked_by_its_text() -> None:
    at = bench(endpoints=["completions"])
    key, secret = at.make(usd_per_day=1)
    said = b"".join(
        b'data: {"choices":[{"text":"' + b"word" * 10 + b'","index":0}]}\n\n' for _ in range(100)
    )
    stream = Upstream(200, {"content-type": "text/event-stream"}, (said, b"data: [DONE]\n\n"))
    body = {"model": "plain", "prompt": "Hello", "stream": True}
    played = at.call("POST", "/v1/completions", secret, body, stream)
    assert played.status == 200
    assert spent(at, key) >= 100 * 10 * 10


@pytest.mark.parametrize("limits", [{"models": ["plain"]}, {"usd_per_day": 1}])
def test_no_other_models_are_named_beside_the_one_that_is_checked(limits: dict[str, Any]) -> None:
    at = bench()
    _, secret = at.make("team", **limits)
    assert at.ask(secret).status == 200
    refused = at.ask(secret, models=["other"])
    assert (refused.status, refused.json()["error"]["param"]) == (403, "models")
    assert refused.calls == []


def test_models_that_nobody_has_do_not_fill_the_ledger() -> None:
    at = bench(models=["*"])
    key, secret = at.make()
    said = {"error": {"message": "no such model", "code": "model_not_found"}}
    nobody = Upstream(404, JSON, (json.encode_body(said),))
    for number in range(260):
        assert at.ask(secret, nobody, model=f"none-{number}").status == 404
    at.settle()
    rows = at.admin("GET", "/usage")["data"]
    assert sum(row["requests"] for row in rows) == 260
    assert len(rows) == 201
    assert at.ask(secret, model="plain").status == 200
    at.settle()
    assert "plain" in {row["model"] for row in at.admin("GET", f"/usage?key={key}")["data"]}


# What an upstream does not say, or says wrongly, of its usage


@pytest.mark.parametrize(("prompt", "completion"), [(0, 20), (100, 0), (0, 0), (-5, -5)])
def test_usage_that_leaves_out_half_is_completed(prompt: int, completion: int) -> None:
    at = bench()
    key, secret = at.make(usd_per_day=1)
    assert at.ask(secret, answer(prompt, completion)).status == 200
    at.settle()
    (row,) = at.admin("GET", "/usage")["data"]
    assert row["estimated"] == 1
    assert row["input_tokens"] >= 10
    assert row["output_tokens"] >= 10
    assert row["key"] == key


def test_a_summary_of_the_conversation_is_booked() -> None:
    """The summary's tokens are beside the usage, and not in it."""
    at = bench(dialect="anthropic")
    key, secret = at.make(usd_per_day=1)
    iterations = [
        {"type": "compaction", "input_tokens": 5_000, "output_tokens": 300},
        {"type": "message", "input_tokens": 200, "output_tokens": 10},
    ]
    said = {
        **{"id": "msg_1", "type": "message", "role": "assistant", "model": "m"},
        **{"content": [{"type": "text", "text": "Hi"}], "stop_reason": "end_turn"},
        "usage": {"input_tokens": 200, "output_tokens": 10, "iterations": iterations},
    }
    body = {"model": "plain", "messages": REQUEST["messages"], "max_tokens": 50}
    upstream = Upstream(200, JSON, (json.encode_body(said),))
    assert at.call("POST", "/v1/messages", secret, body, upstream).status == 200
    assert spent(at, key) == 5_200 + 310 * 10


ENDPOINTS = {
    "/v1/embeddings": ({"input": "Hello, how are you?"}, b'{"data":[]}', 5, 30),
    "/v1/audio/speech": ({"input": "Hello", "voice": "a"}, b"mp3", 5_000, 6_000),
    "/v1/images/generations": ({"prompt": "A cat"}, b'{"data":[]}', 5_000, 6_000),
}


@pytest.mark.parametrize("path", ENDPOINTS)
def test_an_endpoint_that_tells_no_usage_is_booked_by_an_estimate(path: str) -> None:
    fields, said, least, most = ENDPOINTS[path]
    kind = "audio/mpeg" if "audio" in path else "application/json"
    at = bench(endpoints=["embeddings", "audio", "images"])
    key, secret = at.make(usd_per_day=1)
    body = {"model": "plain", **fields}
    length = str(len(json.encode_body(body)))
    upstream = Upstream(200, {"content-type": kind}, (said,))
    head = {"authorization": f"Bearer {secret}", "content-length": length}
    at.send(RequestHead("POST", path, head), body, upstream)
    assert least <= spent(at, key) <= most


def test_embeddings_of_a_strict_key_need_nothing_for_an_answer() -> None:
    at = bench(endpoints=["embeddings"])
    key, secret = at.make(usd_per_day=2, strict=True)
    said = Upstream(200, JSON, (b'{"data":[],"usage":{"prompt_tokens":7}}',))
    body = {"model": "plain", "input": "Hello"}
    assert at.call("POST", "/v1/embeddings", secret, body, said).status == 200
    assert spent(at, key) == 7


# What has no bound, or another than it seems


@pytest.mark.parametrize("limit", [True, 0, -1, 10**9, 1.5, "5"])
def test_a_limit_that_is_none(limit: object) -> None:
    assert bounds.most_output({"max_tokens": limit}, "chat") == bounds.MOST_OUTPUT


@pytest.mark.parametrize(
    ("quirks", "is_bounded"),
    [
        ({}, True),
        ({"drop": ["max_tokens"]}, False),
        ({"rename": {"max_tokens": "limit"}, "drop": ["limit"]}, False),
        ({"rename": {"max_tokens": "max_completion_tokens"}}, True),
        ({"drop": ["seed"]}, True),
    ],
)
def test_a_limit_that_the_upstream_is_not_told_is_none(
    quirks: dict[str, Any], is_bounded: bool
) -> None:
    at = bench(quirks=quirks)
    _, secret = at.make(usd_per_day=2, strict=True)
    assert at.ask(secret, max_tokens=50).status == (200 if is_bounded else 429)


def test_a_prediction_may_be_charged_as_output() -> None:
    at = bench()
    _, secret = at.make(usd_per_day=0.01, strict=True)
    prediction = {"type": "content", "content": "word " * 200}
    assert at.ask(secret, max_tokens=50).status == 200
    assert at.ask(secret, max_tokens=50, prediction=prediction).status == 429


@pytest.mark.parametrize(
    ("path", "fields"),
    [
        (
            "/v1/messages",
            {"context_management": {"edits": [{"type": "compact_20260112"}]}, "max_tokens": 50},
        ),
        ("/v1/messages", {"compaction": {"type": "summarize"}, "max_tokens": 50}),
        (
            "/v1/responses",
            {"context_management": [{"type": "compaction"}], "max_output_tokens": 50},
        ),
    ],
)
def test_a_summary_that_the_provider_makes_has_no_bound(path: str, fields: dict[str, Any]) -> None:
    dialect = "anthropic" if "messages" in path else "openai-responses"
    at = bench(dialect=dialect)
    _, secret = at.make(usd_per_day=100, strict=True)
    turns = {"input": "Hello"} if "responses" in path else {"messages": REQUEST["messages"]}
    refused = at.call("POST", path, secret, {"model": "plain", **turns, **fields}, answer())
    assert (refused.status, refused.calls) == (403, [])
    clears = {"context_management": {"edits": [{"type": "clear_tool_uses_20250919"}]}}
    bounds.check_bounded(clears)


@pytest.mark.parametrize(
    ("dialect", "fields"),
    [
        ("openai", {"plugins": [{"id": "web"}]}),
        ("openai", {"search_parameters": {"mode": "on"}}),
        ("openai", {"extra_body": {"google": {"cached_content": "cachedContents/1"}}}),
        ("openai", {"mcp_servers": [{"type": "url", "url": "https://mcp.test", "name": "m"}]}),
        ("anthropic", {"mcp_servers": [{"type": "url", "url": "https://mcp.test", "name": "m"}]}),
        ("anthropic", {"x" * 1_000: True}),
    ],
)
@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/messages", "/v1/responses"])
def test_a_field_that_is_not_known_has_no_bound(
    path: str, dialect: str, fields: dict[str, Any]
) -> None:
    at = bench(dialect=dialect)
    _, secret = at.make(usd_per_day=1_000, strict=True)
    turns = {"input": "Hello"} if "responses" in path else {"messages": REQUEST["messages"]}
    body = {"model": "plain", **turns, "max_tokens": 50, **fields}
    refused = at.call("POST", path, secret, body, answer())
    assert (refused.status, refused.calls) == (403, [])
    assert len(refused.body) < 1_000
    empty = dict.fromkeys(fields)
    assert at.call("POST", path, secret, body | empty, answer()).status == (
        200 if dialect == "openai" else 502
    )


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/messages"])
def test_a_field_at_the_path_of_another_protocol_has_no_bound_either(path: str) -> None:
    at = bench(dialect="openai-responses")
    _, secret = at.make(usd_per_day=1_000, strict=True)
    body = {"model": "plain", "input": "Hello", "context_management": [{"type": "compaction"}]}
    refused = at.call("POST", path, secret, body, answer())
    assert (refused.status, refused.calls) == (403, [])


def test_text_that_looks_like_an_image_is_counted_although_it_was_left_out() -> None:
    at = bench()
    _, secret = at.make(usd_total=0.5, strict=True)
    data = "iVBORw0KGgo=".replace("=", "A") + "A" * 4_084
    word = "xcut" + "0123456789abcdef" * 2 + "0000" + "00600000"  # as content.js leaves it
    text = f"{data}{word}AAAA"
    picture = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{text}"}}
    for content, status in ((text, 429), ([{"type": "text", "text": text}], 429), ([picture], 200)):
        turns = [{"role": "user", "content": content}]
        assert at.ask(secret, messages=turns, max_tokens=50).status == status


def test_what_is_set_aside_is_for_the_dearest_of_the_targets() -> None:
    rows = [
        {**ROW, "name": name, "models": ["plain"], "prices": [{**PRICE, "output": output}]}
        for name, output in (("a-cheap", 1), ("b-dear", 1_000))
    ]
    model = {"id": "best", "targets": ["a-cheap/plain", "b-dear/plain"]}
    at = Bench(*rows, MODELS=[model])
    _, secret = at.make(usd_per_day=0.05, strict=True)
    assert at.ask(secret, max_tokens=100, model="best").status == 429
    assert at.ask(secret, max_tokens=10, model="best").status == 200


# Names and times


def test_a_key_for_an_alias_reaches_nothing_else_by_its_own_name() -> None:
    at = bench(models=["dear"], aliases={"cheap": "dear"})
    _, secret = at.make(models=["cheap"])
    assert at.ask(secret, model="cheap").status == 200
    others = {"dear": 403, "local/dear": 403, "local/cheap": 403, "CHEAP": 404, "cheap ": 400}
    for name, status in others.items():
        refused = at.ask(secret, model=name)
        assert (refused.status, refused.calls) == (status, []), name


def test_counting_tokens_costs_nothing_and_asks_for_the_model() -> None:
    at = bench(dialect="anthropic")
    key, secret = at.make(usd_per_day=1, models=["plain"])
    body = {"model": "plain", "messages": REQUEST["messages"]}
    counted = Upstream(200, JSON, (b'{"input_tokens": 5}',))
    path = "/v1/messages/count_tokens"
    assert at.call("POST", path, secret, body, counted).status == 200
    assert at.call("POST", path, secret, {**body, "model": "other"}, counted).status == 403
    assert spent(at, key) == 0


def test_a_call_over_midnight_is_held_against_both_days() -> None:
    at = bench()
    at.now = NOW - NOW % 86_400 + 86_399
    key, secret = at.make(usd_per_day=0.002, usd_per_month=0.002, strict=True)
    exchange = at.begin(secret, max_tokens=50)
    assert at.ask(secret, max_tokens=50).status == 429  # it may cost all that there is
    at.now += 2
    at.settle(0)
    assert at.ask(secret, max_tokens=50).status == 429
    exchange.log_line(at.now, left=True)
    at.settle(1)
    view = at.admin("GET", f"/keys/{key}")
    assert 0 < view["spent"]["day_micros"] <= 2_000
    assert view["spent"]["day_micros"] == view["spent"]["total_micros"]


def test_a_key_that_is_rotated_while_a_call_runs_pays_for_it() -> None:
    at = bench()
    key, secret = at.make(usd_per_day=1)
    exchange = at.begin(secret, max_tokens=100)
    at.admin("POST", f"/keys/{key}/rotate")
    exchange.log_line(at.now, left=True)
    assert spent(at, key) >= 1_000
    at.now += 16
    assert at.ask(secret).status == 401


@pytest.mark.parametrize("limit", [{"usd_total": 0.003}, {"parallel": 1}])
def test_a_limit_that_is_lifted_for_a_while_counts_what_runs(limit: dict[str, Any]) -> None:
    at = bench()
    key, secret = at.make(strict=True, **limit)
    at.begin(secret, max_tokens=100)
    assert at.ask(secret, max_tokens=100).status == 429
    for limits in (dict.fromkeys(limit), limit):
        at.admin("PATCH", f"/keys/{key}", {"limits": limits})
        at.settle()
    assert at.ask(secret, max_tokens=100).status == 429


@pytest.mark.parametrize(
    "twice",
    [
        b'"model":"other","model":"plain","max_tokens":5',
        b'"model":"plain","max_tokens":50000,"max_tokens":5',
        b'"mod\\u0065l":"other","model":"plain","max_tokens":5',
        b'"model":"plain","max_tokens":5,"\\u006dax_tokens":50000,"max_tokens":5',
    ],
)
def test_what_is_relayed_as_it_came_names_a_model_and_a_limit_once(twice: bytes) -> None:
    at = bench(dialect="anthropic")
    _, secret = at.make(models=["plain"])
    tool = (
        b'{"name":"t","input_schema":{"type":"object","properties":{"model":{},"max_tokens":{}}}}'
    )
    rest = b'"messages":[{"role":"user","content":"\\u0048i"}],"tools":[' + tool + b"]"
    once = b'"model":"plain","max_tokens":5'
    for said, status in ((once, 200), (twice, 400)):
        body = b"{" + said + b"," + rest + b"}"
        played = at.call("POST", "/v1/messages", secret, body, MESSAGE)
        assert (played.status, len(played.calls)) == (status, status == 200)


# What is held


def test_a_ledger_out_of_reach_does_not_fill_an_isolate_with_names() -> None:
    leases = Leases("isolate")
    client = Client("0123456789abcdef", "", strict=False, generation=1)
    call = Admission(client, lambda record, average: (0, 0))
    for number in range(3_000):
        leases.finish(call, [Row(client.id, "any", f"none-{number}", 1, 1)], NOW)
    text = leases.compose(NOW)
    assert text is not None
    rows = json.decode(text)["batch"]["rows"]
    assert len(rows) <= 1_001
    assert sum(row[3] for row, _ in rows) == 3_000


def test_keys_that_are_never_used_again_are_forgotten() -> None:
    at = bench()
    key, secret = at.make(usd_total=1, strict=True)
    at.ask(secret, max_tokens=50)
    at.begin(secret, max_tokens=50)
    held = "SELECT count(*) FROM leases"
    assert at.wire.database.execute(held) == [[1]]
    at.gates[0] = at.gate({**ROW})
    at.now += 700
    other, secret = at.make("other")
    at.ask(secret)
    at.settle()
    keys = [row[0] for row in at.wire.database.execute("SELECT key FROM leases")]
    assert key not in keys
    assert spent(at, key) > 300  # what it held is lost, and counts as spent
    leases = at.gates[0].leases
    assert leases
    at.now += 1_300
    at.settle()
    at.settle()
    assert leases.compose(at.now) is None
    assert not leases.knows(other)
