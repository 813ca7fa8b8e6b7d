"""A new provider needs a row and a folder of fixtures, and nothing else.

Two invented providers are text in this file, one in each dialect, as odd as rows can make them. The
scenario folders of the real ones are then played in the same way.
"""

import ast
import json
import tomllib
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests import accumulate
from tests.envelopes import unsigned
from tests.scenarios import DIALECTS, Scenario, scenarios
from tests.test_scenarios import parsed, stamped
from tests.worker.client import CLIENT_KEYS, Answer, question
from tests.worker.conftest import Gateway, Start
from tests.worker.scripts import Script, stream, whole
from tests.worker.sees import Refusal
from tests.worker.upstream import Upstream

ROOT = Path(__file__).parents[2]
KEY = "sk-upstream-added-4c77"

# The first new provider: OpenAI's dialect, with everything that a row can say of it.

PLOVER_ROW = """
name = "plover"
dialect = "openai"
base_url = "https://plover.test/v1"
query = "edition=7"
api_key = "ADDED_KEY"
key_header = "x-plover-key"
headers = { x-plover-edition = "seven" }
secret_headers = { x-plover-pass = "Pass {ADDED_KEY}" }
models = ["plover-*"]
aliases = { bird = "plover-large" }

[quirks]
rename = { max_completion_tokens = "max_new_tokens" }
drop = ["seed", "messages.name"]
roles = { developer = "system" }
null_content = false
stream_usage = false
"""

PLOVER_FOLDER = {
    "request.json": """{
        "model": "plover-small",
        "messages": [
            {"role": "developer", "content": "Be brief.", "name": "boss"},
            {"role": "user", "content": "What says the bird?"},
            {"role": "assistant", "content": null, "tool_calls": [
                {"id": "c1", "type": "function", "function": {"name": "hear", "arguments": "{}"}}
            ]},
            {"role": "tool", "tool_call_id": "c1", "content": "pee-oo-wit"}
        ],
        "max_completion_tokens": 50,
        "seed": 4
    }""",
    "upstream_request.json": """{
        "model": "plover-small",
        "messages": [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": "What says the bird?"},
            {"role": "assistant", "content": "", "tool_calls": [
                {"id": "c1", "type": "function", "function": {"name": "hear", "arguments": "{}"}}
            ]},
            {"role": "tool", "tool_call_id": "c1", "content": "pee-oo-wit"}
        ],
        "max_new_tokens": 50
    }""",
    "ignored.json": '["seed"]',
    "upstream.json": """{
        "object": "text", "mood": "fair",
        "choices": [{"message": {"content": "Pee-oo-wit."}, "finish_reason": "eos"}],
        "usage": {"prompt_tokens": 30, "completion_tokens": 4, "total_tokens": 34}
    }""",
    "upstream.sse": """: plover 7\r
data:{"choices":[{"delta":{"content":"Pee-"}}]}\r
\r
data:{"choices":[{"delta":{"content":"oo-wit."}}]}\r
\r
data:{"choices":[{"delta":{},"finish_reason":"eos"}],"usage":\
{"prompt_tokens":30,"completion_tokens":4,"total_tokens":34}}\r
\r
data:[DONE]\r
\r
""",
    "reply.json": """{
        "id": "chatcmpl-0", "object": "chat.completion", "created": 0, "model": "plover-small",
        "system_fingerprint": "fp_0000000000",
        "choices": [{
            "index": 0,
            "message": {"role": "assistant", "content": "Pee-oo-wit.", "refusal": null},
            "logprobs": null,
            "finish_reason": "stop"
        }],
        "usage": {
            "prompt_tokens": 30, "completion_tokens": 4, "total_tokens": 34,
            "prompt_tokens_details":
                {"cached_tokens": 0, "cache_write_tokens": 0, "audio_tokens": 0},
            "completion_tokens_details": {
                "reasoning_tokens": 0, "audio_tokens": 0,
                "accepted_prediction_tokens": 0, "rejected_prediction_tokens": 0
            }
        }
    }""",
}

# The second: Anthropic's dialect, with models that no table of ours has heard of.

WILLET_ROW = """
name = "willet"
dialect = "anthropic"
base_url = "https://willet.test/v1"
api_key = "ADDED_KEY"
key_header = "authorization"
models = ["willet-*"]
families = [{ pattern = "willet-*", sampling = "both", max_output = 600 }]
"""

WILLET_FOLDER = {
    "request.json": """{
        "model": "willet-1",
        "messages": [{"role": "user", "content": "And this one?"}],
        "temperature": 0.5, "top_p": 0.9, "max_tokens": 9000
    }""",
    "upstream_request.json": """{
        "model": "willet-1",
        "messages": [{"role": "user", "content": [{"type": "text", "text": "And this one?"}]}],
        "temperature": 0.5, "top_p": 0.9, "max_tokens": 600
    }""",
    "ignored.json": '["max_tokens"]',
    "upstream.json": """{
        "type": "message", "role": "assistant",
        "content": [{"type": "text", "text": "Pill-will-willet."}],
        "stop_reason": "end_turn", "usage": {"input_tokens": 30, "output_tokens": 4}
    }""",
    "upstream.sse": """event: message_start
data: {"type":"message_start","message":{"content":[],"usage":{"input_tokens":30}}}

event: content_block_start
data: {"type":"content_block_start","index":0,"content_block":{"type":"text","text":"Pill-"}}

event: flap
data: {"type":"flap"}

event: content_block_delta
data: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"will-willet."}}

event: content_block_stop
data: {"type":"content_block_stop","index":0}

event: message_delta
data: {"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":4}}

event: message_stop
data: {"type":"message_stop"}

""",
    "reply.json": PLOVER_FOLDER["reply.json"]
    .replace("plover-small", "willet-1")
    .replace("Pee-oo-wit.", "Pill-will-willet."),
}

NEW = {"plover": (PLOVER_ROW, PLOVER_FOLDER), "willet": (WILLET_ROW, WILLET_FOLDER)}
OLD = [
    scenario
    for scenario in scenarios(
        "upstream_request.json", "upstream.json", "upstream.sse", "reply.json"
    )
    if scenario.provider not in {"anthropic", "openai"}
    # What such a request returns was issued to another row; the core's own test has that row.
    and b'"origin"' not in scenario.bytes("request.json")
]


class Added(NamedTuple):
    """The Worker with all those rows, and the upstream that plays every provider."""

    worker: Gateway
    upstream: Upstream
    rows: dict[str, dict[str, Any]]

    def run(self, scenario: Scenario, *, streamed: bool) -> Answer:
        """Plays `scenario`, and checks what reached the upstream and what came back."""
        name = name_of(scenario)
        request = scenario.json("request.json")
        request["model"] = asked = f"{name}/{request['model']}"
        self.upstream.answer(script_of(scenario, streamed=streamed))
        answer = self.worker.ask({**request, "stream": True} if streamed else request)
        assert answer.status == 200, answer
        (call,) = self.upstream.calls
        assert json.loads(call.body) == sent(scenario, self.rows[name], streamed=streamed)
        body = accumulate.completion(answer.body.decode()) if streamed else answer.json()
        expected = scenario.json("reply.json") | {"model": asked}
        assert parsed(unsigned(stamped(body))) == parsed(unsigned(expected))
        ignored = answer.headers.get("x-ignored-parameters", "")
        assert ignored == ", ".join(scenario.json("ignored.json", []))
        return answer


def name_of(scenario: Scenario) -> str:
    """The name of the provider's row here. The folders of a real provider may need one row each."""
    new = scenario.provider in NEW
    return scenario.provider if new else f"{scenario.provider}-{scenario.name}"


def script_of(scenario: Scenario, *, streamed: bool) -> Script:
    """The script of the scenario's upstream."""
    if streamed:
        return stream([scenario.bytes("upstream.sse")])
    return whole(200, scenario.bytes("upstream.json"))


def sent(scenario: Scenario, row: dict[str, Any], *, streamed: bool) -> object:
    """The request that the scenario's upstream must get."""
    body: dict[str, object] = scenario.json("upstream_request.json")
    if streamed:
        body["stream"] = True
        if row["dialect"] == "openai" and row.get("quirks", {}).get("stream_usage", True):
            body["stream_options"] = {"include_usage": True}
    return body


@pytest.fixture(scope="module")
def new(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Scenario]:
    """Gives the folder of a new provider, by name."""
    root = tmp_path_factory.mktemp("fixtures")
    for provider, (_, files) in NEW.items():
        folder = root / provider / "text"
        folder.mkdir(parents=True)
        for name, text in files.items():
            (folder / name).write_bytes(text.encode())
    return lambda provider: Scenario(provider, "text", root / provider / "text")


@pytest.fixture(scope="module")
def servers(start: Start) -> Iterator[Added]:
    """The servers that all tests here share."""
    with ExitStack() as stack:
        upstream = Upstream()
        stack.callback(upstream.stop)
        rows = [tomllib.loads(row) for row, _ in NEW.values()]
        rows += [each.row() | {"name": name_of(each), "models": []} for each in OLD]
        for row in rows:
            row["base_url"] = upstream.base_url
        keys = {"API_KEYS": CLIENT_KEYS[0], "ADDED_KEY": KEY, "UPSTREAM_KEY": KEY}
        worker = stack.enter_context(start({**keys, "PROVIDERS": rows, "KEEP_ALIVE_SECONDS": "0"}))
        yield Added(worker, upstream, {row["name"]: row for row in rows})


@pytest.fixture
def added(servers: Added) -> Iterator[Added]:
    """The servers, without a script."""
    yield servers
    servers.upstream.forget()


@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize("provider", NEW)
def test_a_row_and_a_folder_are_a_provider(
    added: Added, new: Callable[[str], Scenario], provider: str, streamed: bool
) -> None:
    answer = added.run(new(provider), streamed=streamed)
    (call,) = added.upstream.calls
    assert answer.headers["x-served-by"].startswith(f"{provider}/{provider}-")
    expected = {
        "plover": ("/v1/chat/completions?edition=7", {"x-plover-key": KEY}),
        "willet": ("/v1/messages", {"authorization": f"Bearer {KEY}"}),
    }
    path, headers = expected[provider]
    assert call.path == path
    assert dict(call.headers).items() >= headers.items()


def test_all_its_headers_are_sent_and_its_key_in_one_place(
    added: Added, new: Callable[[str], Scenario]
) -> None:
    added.run(new("plover"), streamed=False)
    headers = dict(added.upstream.calls[0].headers)
    assert headers["x-plover-edition"] == "seven"
    assert headers["x-plover-pass"] == f"Pass {KEY}"
    assert "authorization" not in headers


@pytest.mark.parametrize(("asked", "model"), [("plover-9", "plover-9"), ("bird", "plover-large")])
def test_its_patterns_and_aliases_lead_to_it(
    added: Added, new: Callable[[str], Scenario], asked: str, model: str
) -> None:
    added.upstream.answer(script_of(new("plover"), streamed=False))
    answer = added.worker.ask(question(asked))
    assert (answer.status, answer.headers["x-served-by"]) == (200, f"plover/{model}")


def test_its_errors_are_told_as_everyones(added: Added) -> None:
    added.upstream.answer(whole(429, b'{"squawk": "Too many birds."}'))
    Refusal(429, "rate_limit_exceeded", "rate_limit_error").check(
        added.worker.ask(question("plover-9"))
    )


@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize("scenario", OLD, ids=str)
def test_so_are_those_that_exist(added: Added, scenario: Scenario, streamed: bool) -> None:
    added.run(scenario, streamed=streamed)


def test_no_code_knows_a_provider_by_its_name() -> None:
    shared = {"anthropic", "openai", "openai-responses"}  # names of dialects as well
    names = {*NEW, *(each.provider for each in scenarios())} - shared
    names |= {"xai", "together", "fireworks", "workers-ai", "cloudflare"}
    assert names > {"plover", "groq", *DIALECTS.keys() - shared}
    for path in sorted((ROOT / "src").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Constant):
                assert node.value not in names, f"{path.name}:{node.lineno}"
