"""The real Codex program works through the real Worker, with upstreams of all three dialects.

The upstream's answers are scripted. What Codex makes of them, runs and sends back is its own. Every
test counts the calls that reached the upstream, because Codex repeats what it does not understand,
up to thirty times a turn.
"""

import base64
import json
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

from tests.agents.codex import KNOWN, UNKNOWN, Codex
from tests.agents.media import PICTURE
from tests.clients.pasted import blocks, other_blocks
from tests.clients.upstreams import (
    Answer,
    Asking,
    Compaction,
    Media,
    Result,
    Thought,
    Writing,
    answers,
    breaks_off,
    dialect_of,
    heard,
    in_terms_of,
)
from tests.worker.logs import records_from_now_on
from tests.worker.scripts import Script, whole
from tests.worker.upstream import Call, Upstream
from tools import runtime

THOUGHT = Thought("I run it.", "c2lnbmVk/+==")
SHELL = Asking("call_1", "exec_command", '{"cmd": "echo made > file; cat file"}')
PATCH = "*** Begin Patch\n*** Add File: hello.txt\n+Hello\n*** End Patch\n"


def since(call: Call, word: str) -> Answer:
    """The part of an upstream's request after the user's `word`: before it is Codex's own text. A
    chat upstream gets consecutive user messages as one.
    """
    parts = heard(call)
    spoken = [isinstance(part, str) and part.endswith(word) for part in parts]
    return parts[spoken.index(True) + 1 :]


def test_text(codex: Codex, upstream: Upstream, codex_worker: runtime.Served) -> None:
    upstream.answer_each(answers(["Paris."]))
    requests = records_from_now_on(codex_worker.log)

    turn = codex.run("What is the capital of France?")

    assert (turn.status, turn.text) == (0, "Paris.")
    assert [record["model"] for record in requests(1)] == [UNKNOWN]
    assert turn.events[-1]["usage"]["input_tokens"] == 12
    assert turn.events[-1]["usage"]["output_tokens"] == 7
    assert len(upstream.calls) == 1


def test_what_codex_says_of_its_installation_stays_here(codex: Codex, upstream: Upstream) -> None:
    upstream.answer_each(answers(["Paris."]))

    codex.run("What is the capital of France?")

    (call,) = upstream.calls
    assert b"client_metadata" not in call.body
    assert not any(name.startswith(("x-codex", "session", "thread")) for name, _ in call.headers)


def test_a_shell_loop(codex: Codex, upstream: Upstream, dialect: str) -> None:
    upstream.answer_each(answers([THOUGHT, SHELL], ["It says made."]))

    turn = codex.run("Make it.")

    assert (turn.status, turn.text) == (0, "It says made.")
    assert (codex.work / "file").read_text() == "made\n"
    (command,) = turn.items("command_execution")
    assert (command["exit_code"], command["aggregated_output"]) == (0, "made\n")
    assert [item["text"] for item in turn.items("reasoning")] == [THOUGHT.text]
    *before, result = since(upstream.wait_for_call(2), "Make it.")
    # A chat upstream wants no reasoning back unless its row says so.
    assert before == [SHELL] if dialect == "openai" else [THOUGHT, SHELL]
    assert isinstance(result, Result)
    assert result.text.endswith("Output:\nmade\n")
    assert len(upstream.calls) == 2


def test_resume(codex: Codex, upstream: Upstream) -> None:
    upstream.answer_each(answers([THOUGHT, SHELL], ["It says made."], ["As I said."]))
    codex.run("Make it.")
    made = since(upstream.wait_for_call(2), "Make it.")

    turn = codex.run("resume", "--last", "What did it say?")

    assert (turn.status, turn.text) == (0, "As I said.")
    again = since(upstream.wait_for_call(3), "Make it.")
    assert again[: len(made) + 1] == [*made, "It says made."]
    assert since(upstream.calls[2], "What did it say?") == []
    assert len(upstream.calls) == 3


def test_apply_patch(
    codex: Codex, upstream: Upstream, dialect: str, codex_worker: runtime.Served
) -> None:
    _, by_a_known_name, *_ = other_blocks("Codex")
    assert tomllib.loads(by_a_known_name) == {"model": KNOWN}
    config = blocks("Codex", codex_worker.url)[0]
    codex.configure(by_a_known_name + config.replace(f'model = "{UNKNOWN}"\n', ""))
    writing = Writing("call_1", "apply_patch", PATCH)
    upstream.answer_each(answers([writing], ["Written."]))

    turn = codex.run("Write it.")

    assert (turn.status, turn.text) == (0, "Written.")
    assert (codex.work / "hello.txt").read_text() == "Hello\n"
    (change,) = turn.items("file_change")
    assert change["status"] == "completed"
    *before, result = since(upstream.wait_for_call(2), "Write it.")
    assert before == in_terms_of(dialect, [writing])
    assert isinstance(result, Result)
    assert "Success." in result.text
    assert len(upstream.calls) == 2


def test_view_image(codex: Codex, upstream: Upstream, dialect: str) -> None:
    """The tool's result contains the picture, if the upstream allows that."""
    draw(codex)
    viewing = Asking("call_1", "view_image", '{"path": "dot.png"}')
    upstream.answer_each(answers([viewing], ["It is red."]))

    turn = codex.run("What is in dot.png?")

    assert (turn.status, turn.text) == (0, "It is red.")
    second = upstream.wait_for_call(2)
    call, result, *rest = since(second, "What is in dot.png?")
    assert call == viewing
    assert isinstance(result, Result)
    assert [part for part in rest if isinstance(part, Media)] == [PICTURE]
    assert told(second)[-len(VIEWED[dialect]) :] == VIEWED[dialect]
    assert len(upstream.calls) == 2


def test_a_picture_of_the_users(codex: Codex, upstream: Upstream, dialect: str) -> None:
    draw(codex)
    upstream.answer_each(answers(["It is red."]))

    turn = codex.run("What is this?", "--image", "dot.png")

    assert (turn.status, turn.text) == (0, "It is red.")
    (first,) = upstream.calls
    assert PICTURE in heard(first)
    assert SHOWN[dialect] in told(first)[-1]["content"]


def draw(codex: Codex) -> None:
    """Writes the picture into the folder where Codex works."""
    (codex.work / "dot.png").write_bytes(base64.b64decode(PICTURE.data))


def told(call: Call) -> list[dict[str, Any]]:
    """The messages or items of a request, without their ids."""
    body = json.loads(call.body)
    items: list[dict[str, Any]] = body.get("input") or body["messages"]
    return [{name: it for name, it in item.items() if name != "id"} for item in items]


_URL = f"data:{PICTURE.kind};base64,{PICTURE.data}"
SHOWN: dict[str, dict[str, Any]] = {
    "anthropic": {
        "type": "image",
        "source": {"type": "base64", "media_type": PICTURE.kind, "data": PICTURE.data},
    },
    "openai": {"type": "image_url", "image_url": {"url": _URL, "detail": "high"}},
    "openai-responses": {"type": "input_image", "image_url": _URL, "detail": "high"},
}
"""The picture, to an upstream of each dialect."""
VIEWED: dict[str, list[dict[str, Any]]] = {
    "anthropic": [
        {
            "role": "user",
            "content": [
                {
                    "type": "tool_result",
                    "tool_use_id": "call_1",
                    "content": [SHOWN["anthropic"]],
                }
            ],
        }
    ],
    "openai": [
        {"role": "tool", "tool_call_id": "call_1", "content": "[image: see the next message]"},
        {
            "role": "user",
            "content": [{"type": "text", "text": "Output of call call_1:"}, SHOWN["openai"]],
        },
    ],
    "openai-responses": [
        {
            "type": "function_call_output",
            "call_id": "call_1",
            "output": [SHOWN["openai-responses"]],
        }
    ],
}
"""The same as what a tool returned."""


# Compaction

SUMMARY = "A file was made."
LIMIT = "model_auto_compact_token_limit=15"
"""Less than what each answer says that the conversation is long."""


def test_a_conversation_is_summed_up_in_the_midst_of_a_turn(
    codex: Codex, upstream: Upstream
) -> None:
    """Codex asks for the summary with an ordinary request, whose last message says so."""
    upstream.answer_each(answers([SHELL], [SUMMARY], ["It says made."], ["As I said."]))

    turn = codex.run("-c", LIMIT, "Make it.")

    assert (turn.status, turn.text) == (0, "It says made.")
    call, result, wanted = since(upstream.wait_for_call(2), "Make it.")
    assert (call, str(wanted).split(".")[0]) == (SHELL, ASKED_BY_CODEX)
    assert isinstance(result, Result)
    assert result.text.endswith("Output:\nmade\n")
    assert since(upstream.wait_for_call(3), SUMMARY) == []
    assert SHELL not in heard(upstream.calls[2])
    assert len(upstream.calls) == 3

    assert codex.run("resume", "--last", "What did it say?").text == "As I said."
    assert since(upstream.wait_for_call(4), SUMMARY)[0] == "It says made."
    assert SHELL not in heard(upstream.calls[3])


ASKED_BY_CODEX = "You are performing a CONTEXT CHECKPOINT COMPACTION"


def test_a_conversation_is_summed_up_before_a_turn(codex: Codex, upstream: Upstream) -> None:
    upstream.answer_each(answers(["Paris."], ["They spoke of Paris."], ["As I said."]))
    codex.run("What is the capital of France?")

    turn = codex.run("resume", "--last", "-c", LIMIT, "Where is it?")

    assert (turn.status, turn.text) == (0, "As I said.")
    said, wanted = since(upstream.wait_for_call(2), "What is the capital of France?")
    assert (said, str(wanted).split(".")[0]) == ("Paris.", ASKED_BY_CODEX)
    spoken = "\n".join(part for part in heard(upstream.wait_for_call(3)) if isinstance(part, str))
    assert "They spoke of Paris." in spoken
    assert spoken.endswith("Where is it?")
    assert "Paris." not in heard(upstream.calls[2])
    assert len(upstream.calls) == 3


def test_the_built_in_provider_has_the_gateway_sum_up(
    codex: Codex, upstream: Upstream, dialect: str, codex_worker: runtime.Served
) -> None:
    """Codex asks for it with an item of its own, and expects one encrypted item. An upstream of
    Responses makes that item itself; the gateway asks any other upstream for a summary in words.
    """
    is_native = dialect == "openai-responses"
    codex.configure(blocks("Codex", codex_worker.url)[1])
    codex.log_in(other_blocks("Codex")[-1])
    sealed = Compaction("gAAAAABq/+==")
    upstream.answer_each(
        answers([SHELL], [sealed if is_native else SUMMARY], ["It says made."], ["As I said."])
    )

    turn = codex.run("--model", KNOWN, "-c", LIMIT, "Make it.")

    assert (turn.status, turn.text) == (0, "It says made.")
    call, result, wanted = since(upstream.wait_for_call(2), "Make it.")
    assert call == SHELL
    assert isinstance(result, Result)
    if is_native:
        assert wanted == Compaction("")
        assert since(upstream.wait_for_call(3), "Make it.") == [sealed]
    else:
        assert str(wanted).startswith("Sum up this conversation")
        assert since(upstream.wait_for_call(3), f"conversation so far:\n\n{SUMMARY}") == []
    assert SHELL not in heard(upstream.calls[2])
    assert len(upstream.calls) == 3

    resumed = codex.run("resume", "--last", "--model", KNOWN, "What did it say?")
    assert resumed.text == "As I said."
    begun = since(upstream.wait_for_call(4), "Make it." if is_native else SUMMARY)
    assert begun[:-1] == ([sealed] if is_native else []) + ["It says made."]


# Tools of others


def test_an_mcp_server(codex: Codex, upstream: Upstream, codex_worker: runtime.Served) -> None:
    program = Path(__file__).with_name("mcp_weather.py")
    server = f"command = {json.dumps(sys.executable)}\nargs = {json.dumps([str(program)])}"
    config = blocks("Codex", codex_worker.url)[0]
    codex.configure(f"{config}\n[mcp_servers.weather]\n{server}\nrequired = true\n")
    calling = Asking("call_1", "get_weather", '{"city": "Paris"}', "mcp__weather")
    upstream.answer_each(answers([calling], ["18 degrees."]))

    turn = codex.run("How is Paris?")

    assert (turn.status, turn.text) == (0, "18 degrees.")
    (call,) = turn.items("mcp_tool_call")
    assert (call["server"], call["tool"], call["status"]) == ("weather", "get_weather", "completed")
    *before, result = since(upstream.wait_for_call(2), "How is Paris?")
    assert before == in_terms_of(dialect_of(upstream.calls[1]), [calling])
    assert isinstance(result, Result)
    assert "18 degrees in Paris" in result.text
    assert len(upstream.calls) == 2


def test_the_built_in_provider_goes_on_without_a_socket_at_once(
    codex: Codex, upstream: Upstream, codex_worker: runtime.Served
) -> None:
    _, config = blocks("Codex", codex_worker.url)
    codex.configure(config)
    codex.log_in(other_blocks("Codex")[-1])
    upstream.answer_each(answers(["Paris."], ["Paris."]))
    upgrades = codex_worker.log().count('"status":426')
    for number in (1, 2):
        turn = codex.run("--model", KNOWN, "What is the capital of France?")

        assert (turn.status, turn.text) == (0, "Paris.")
        # It asked for a socket once, and had no reason to wait and to ask again.
        assert codex_worker.log().count('"status":426') == upgrades + number
        assert [event for event in turn.events if event["type"] == "error"] == []
        assert len(upstream.calls) == number


# Failures


def test_a_wrong_key(
    folder: Path, codex_program: Path, upstream: Upstream, codex_worker: runtime.Served
) -> None:
    config = blocks("Codex", codex_worker.url)[0]
    codex = Codex(folder, codex_program, "sk-of-somebody-else", config)

    turn = codex.run("What is the capital of France?")

    assert turn.status == 1
    assert "401" in turn.events[-1]["error"]["message"]
    assert upstream.calls == []


def test_what_the_upstream_refuses_is_asked_once(codex: Codex, upstream: Upstream) -> None:
    message = "This is not for me."
    error = {"type": "invalid_request_error", "message": message}
    body = json.dumps({"type": "error", "error": error}).encode()
    upstream.answer(whole(400, body))

    turn = codex.run("What is the capital of France?")

    assert turn.status == 1
    assert message in turn.events[-1]["error"]["message"]
    assert len(upstream.calls) == 1


@pytest.mark.parametrize("told", [True, False])
def test_a_stream_that_fails_is_asked_for_again(
    codex: Codex, upstream: Upstream, told: bool
) -> None:
    plans = iter([breaks_off(["Rome, I think."], after="Rome,", error=told), answers(["Paris."])])

    def plan(call: Call) -> Script:
        return next(plans)(call)

    upstream.answer_each(plan)

    turn = codex.run("What is the capital of France?")

    assert (turn.status, turn.text) == (0, "Paris.")
    assert len(upstream.calls) == 2
