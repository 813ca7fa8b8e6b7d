"""What a client of Responses can send back, and what it must not reach with it."""

import base64
import re
from typing import Any

import pytest

from tests.least import PATHS, WHOLE, answer, row
from tests.play import KEY, UPSTREAM_KEY, Played, Upstream, gateway, head, play
from tests.protocols.responses.grammar import read
from xtrix import json
from xtrix.app import Gateway
from xtrix.prompt import Origin, Sealed
from xtrix.reasoning import LONGEST, PREFIX, Carrier

Json = dict[str, Any]

OTHER_KEY = "another-client-key"
CLAUDE = row("anthropic", "claude")
THINKING: Json = {"type": "thinking", "thinking": "The plan is plugh.", "signature": "c2lnbmVk"}
THOUGHT = {**WHOLE["anthropic"], "content": [THINKING, *WHOLE["anthropic"]["content"]]}
CALLS: Json = {
    **WHOLE["anthropic"],
    "content": [THINKING, {"type": "tool_use", "id": "toolu_1", "name": "f", "input": {}}],
    "stop_reason": "tool_use",
}
USER: Json = {"role": "user", "content": "Hi"}
TOOL: Json = {"type": "function", "name": "f", "parameters": {"type": "object"}}


def gate(*rows: Json, **variables: object) -> Gateway:
    return gateway(*(rows or (CLAUDE,)), API_KEYS=f"{KEY},{OTHER_KEY}", **variables)


def asked(
    items: list[Json], *upstreams: Upstream, key: str = KEY, on: Gateway | None = None, **more: Any
) -> Played:
    request = {"model": "m", "input": items, "tools": [TOOL], **more}
    asks = head("/v1/responses", authorization=f"Bearer {key}")
    return play(on or gate(), request, upstreams or [answer(WHOLE["anthropic"])], asks)


def reasoning(packed: object) -> Json:
    return {"type": "reasoning", "summary": [], "encrypted_content": packed}


def issued() -> list[Json]:
    """The items of an answer with reasoning of Claude's."""
    output: list[Json] = asked([USER], answer(THOUGHT)).json()["output"]
    return output


def contents(envelope: str) -> str:
    """The contents of an envelope, which anybody can read."""
    packed = envelope.removeprefix(PREFIX).partition(".")[2]
    return base64.urlsafe_b64decode(packed + "=" * (-len(packed) % 4)).decode()


def test_reasoning_comes_back_byte_for_byte() -> None:
    body = asked([USER, *issued(), USER]).calls[0].body
    assert json.decode_object(body)["messages"][1]["content"][0] == THINKING


def _forged(value: Json) -> str:
    """An envelope in the gateway's form, signed by somebody else."""
    origin = Origin("claude", "m", "messages")
    return Carrier(b"guessed", b"client").pack(Sealed(value, origin))


def _nested(depth: int) -> str:
    text = base64.urlsafe_b64encode(b"[" * depth + b"]" * depth).decode().rstrip("=")
    return f"{PREFIX}{'A' * 22}.{text}"


@pytest.mark.parametrize(
    "envelope",
    [
        _forged(THINKING),
        _nested(100_000),
        PREFIX + "A" * (LONGEST + 1),
        PREFIX + "A" * 22 + "." + "!" * 1000,
        PREFIX,
        "xt2.A.B",
    ],
    ids=["forged", "deep", "long", "no base64", "empty", "another version"],
)
def test_what_is_no_envelope_of_ours_is_left_out_and_named(envelope: str) -> None:
    played = asked([USER, reasoning(envelope), *issued()[1:], USER])
    assert played.status == 200
    assert played.headers["x-ignored-parameters"] == "input.reasoning"
    assert b"thinking" not in played.calls[0].body
    assert PREFIX.encode() not in played.calls[0].body


def test_a_thousand_envelopes_are_opened_or_left_out() -> None:
    _, message = issued()
    played = asked([USER, *[reasoning(_forged(THINKING)) for _ in range(1000)], message, USER])
    assert played.status == 200


def test_an_envelope_of_another_client_is_left_out() -> None:
    played = asked([USER, *issued(), USER], key=OTHER_KEY)
    assert played.headers["x-ignored-parameters"] == "input.reasoning"
    assert b"plugh" not in played.calls[0].body


@pytest.mark.parametrize("dialect", PATHS)
def test_an_envelope_reaches_its_own_provider_alone(dialect: str) -> None:
    elsewhere = gate(row(dialect, "elsewhere"))
    played = asked([USER, *issued(), USER], answer(WHOLE[dialect]), on=elsewhere)
    assert played.status == 200
    (call,) = played.calls
    assert b"plugh" not in call.body
    assert b"c2lnbmVk" not in call.body
    assert PREFIX not in json.encode([[*each] for each in call.headers])


@pytest.mark.parametrize("dialect", ["openai", "openai-responses"])
def test_a_tool_loop_goes_on_at_another_provider_when_the_first_one_fails(dialect: str) -> None:
    models = [{"id": "best", "targets": ["claude/m", "second/m"]}]
    both = gate(CLAUDE, row(dialect, "second"), MODELS=models)
    first = asked([USER], answer(CALLS), on=both, model="best").json()["output"]
    result = {"type": "function_call_output", "call_id": "toolu_1", "output": "1"}
    failing = Upstream(403, {"content-type": "application/json"}, (b"{}",))
    told = [USER, *first, result]
    played = asked(told, failing, answer(WHOLE[dialect]), on=both, model="best")
    assert (played.status, played.headers["x-served-by"]) == (200, "second/m")
    there, here = played.calls
    assert b"c2lnbmVk" in there.body
    assert b"c2lnbmVk" not in here.body
    assert b"plugh" not in here.body
    assert b"toolu_1" in here.body


@pytest.mark.parametrize("stream", [False, True])
def test_ids_of_the_upstream_are_good_for_nothing(stream: bool) -> None:
    native = gate(row("openai-responses", "native"))
    played = asked([USER], answer(WHOLE["openai-responses"]), on=native)
    assert played.json()["id"] != "resp_theirs"
    assert "resp_theirs" not in played.body
    for earlier in ("resp_theirs", played.json()["id"]):
        refused = asked([USER], on=native, previous_response_id=earlier, stream=stream)
        assert refused.json()["error"]["code"] == "previous_response_not_found"
        assert refused.calls == []
        fetched = play(native, b"", (), head(f"/v1/responses/{earlier}", "GET"))
        assert (fetched.status, fetched.calls) == (404, [])
    named = asked([{"type": "item_reference", "id": "msg_theirs"}, USER], on=native, stream=stream)
    assert (named.status, named.calls) == (404, [])


def test_no_key_is_in_an_envelope() -> None:
    for item in issued():
        told = contents(item.get("encrypted_content", f"{PREFIX}."))
        assert not any(key in told for key in (KEY, OTHER_KEY, UPSTREAM_KEY))


@pytest.mark.parametrize("path", ["/v1/responses", "/v1/chat/completions", "/v1/messages"])
@pytest.mark.parametrize("field", ["summary", "encrypted_content"])
def test_a_key_that_the_upstream_repeats_is_not_hidden_in_an_envelope(
    path: str, field: str
) -> None:
    told = f"My key is {UPSTREAM_KEY}."
    summary = [{"type": "summary_text", "text": told}] if field == "summary" else []
    item = {**reasoning("gAAA" if field == "summary" else told), "summary": summary}
    output = [item, *WHOLE["openai-responses"]["output"]]
    upstream = answer({**WHOLE["openai-responses"], "output": output})
    request = {"model": "m", "input": "Hi", "max_tokens": 100, "messages": [USER]}
    native = gate(row("openai-responses", "native"))
    body = play(native, request, [upstream], head(path)).body
    envelopes = re.findall(rf'"({re.escape(PREFIX)}[^"]*)"', body)
    assert envelopes
    assert UPSTREAM_KEY not in body
    assert not any(UPSTREAM_KEY in contents(each) for each in envelopes)
    again = [USER, reasoning(envelopes[0]), USER]
    assert asked(again, answer(WHOLE["openai-responses"]), on=native).status == 200


def test_nothing_of_a_prompt_or_an_envelope_is_logged() -> None:
    items = [{"role": "user", "content": "xyzzy"}, *issued(), USER]
    for played in (asked(items), asked([*items, {"type": "novel"}]), asked(items, key=OTHER_KEY)):
        line = json.encode(played.log)
        assert not any(word in line for word in ("xyzzy", "plugh", PREFIX, KEY, OTHER_KEY))


def test_a_failure_in_a_stream_tells_nothing_of_an_envelope() -> None:
    begun = b'data: {"type":"message_start","message":{"usage":{"input_tokens":1}}}\n\n'
    failing = b'data: {"type":"error","error":{"type":"api_error","message":"It failed."}}\n\n'
    text = (
        b'data: {"type":"content_block_start","index":0,"content_block":{"type":"text"}}\n\n'
        b'data: {"type":"content_block_delta","index":0,'
        b'"delta":{"type":"text_delta","text":"a"}}\n\n'
    )
    upstream = Upstream(200, {"content-type": "text/event-stream"}, (begun, text, failing))
    played = asked([USER, *issued(), USER], upstream, stream=True)
    assert read(played.body).error
    assert PREFIX not in played.body
    assert "plugh" not in played.body
