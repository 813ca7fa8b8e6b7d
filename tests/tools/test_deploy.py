"""`make deploy`: what it refuses, what it sends, and what it checks afterwards.

The real wrangler runs, with a server that answers as Cloudflare's API does, and real servers for
/health. No account is needed, and none is touched.
"""

import base64
import contextlib
import json
import os
import random
import subprocess
import threading
import tomllib
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from typing_extensions import override

from tests.tools import cloudflare
from tests.tools.cloudflare import Cloudflare
from tools import deploy, paths
from xtrix import __version__

WELL = (200, json.dumps({"status": "ok", "service": "xtrix", "version": __version__}))
OLD = (200, json.dumps({"status": "ok", "service": "xtrix", "version": "0.1.0"}))
SENDS = "PUT /workers/scripts/xtrix"
TOML = tomllib.loads((paths.ROOT / "wrangler.toml").read_text())


@pytest.fixture
def account() -> Iterator[Cloudflare]:
    with cloudflare.serve() as served:
        yield served


@contextlib.contextmanager
def answering(*answers: tuple[int, str]) -> Iterator[str]:
    """A server that gives these answers in turn and repeats the last one; returns its address."""
    left = list(answers)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            assert self.path == "/health"
            status, text = left.pop(0) if len(left) > 1 else left[0]
            self.send_response(status)
            self.end_headers()
            self.wfile.write(text.encode())

        @override
        def log_message(self, format: str, *args: object) -> None:
            """Nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def make_deploy(tree: Path, account: Cloudflare, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["make", "deploy", f"ARGS={' '.join(words)}"],
        cwd=tree,
        env={**os.environ, **account.settings},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )


def steps(said: str) -> list[str]:
    return [line.split()[0] for line in said.splitlines() if line.startswith("  ")]


def test_it_checks_and_sends_and_asks_until_the_new_version_answers(
    tree: Path, account: Cloudflare
) -> None:
    account.secrets = ["API_KEYS", "ANTHROPIC_API_KEY"]
    with answering((404, "nobody"), OLD, WELL) as url:
        done = make_deploy(tree, account, "--url", url)

    assert done.returncode == 0, done.stdout
    assert steps(done.stdout) == [
        *("configuration", "secrets", "upload", "snapshot", "deploy", "health")
    ]
    assert f"{url}/health says {__version__}" in done.stdout
    assert "all but OPENAI_API_KEY" in done.stdout
    assert account.calls.count(SENDS) == 1


def test_a_dry_run_needs_no_account_and_sends_nothing(tree: Path, account: Cloudflare) -> None:
    done = make_deploy(tree, account, "--dry-run")

    assert done.returncode == 0, done.stdout
    assert steps(done.stdout) == ["configuration", "upload", "snapshot"]
    assert account.calls == []


@pytest.mark.parametrize("secrets", [None, [], ["ANTHROPIC_API_KEY"]])
def test_without_keys_for_clients_nothing_is_sent(
    tree: Path, account: Cloudflare, secrets: list[str] | None
) -> None:
    account.secrets = secrets
    done = make_deploy(tree, account)

    assert done.returncode != 0
    assert "npx wrangler secret put API_KEYS" in done.stdout
    assert SENDS not in account.calls


def test_a_fault_of_the_configuration_is_named_and_nothing_is_asked(
    tree: Path, account: Cloudflare
) -> None:
    toml = tree / "wrangler.toml"
    toml.write_text(toml.read_text().replace('dialect = "anthropic"', 'dialect = "antropic"'))
    done = make_deploy(tree, account)

    assert done.returncode != 0
    assert "PROVIDERS[0].dialect" in done.stdout
    assert account.calls == []


def test_an_upload_that_is_too_large_is_not_sent(tree: Path, account: Cloudflare) -> None:
    account.secrets = ["API_KEYS", "ANTHROPIC_API_KEY"]
    noise = base64.b85encode(random.Random(1).randbytes(deploy.LARGEST_UPLOAD))
    (tree / "src" / "noise.py").write_bytes(b"'''" + noise.replace(b"\\", b"") + b"'''\n")
    done = make_deploy(tree, account)

    assert done.returncode != 0
    assert "bytes gzipped" in done.stdout
    assert SENDS not in account.calls


def test_what_no_snapshot_may_hold_is_not_sent(tree: Path, account: Cloudflare) -> None:
    account.secrets = ["API_KEYS", "ANTHROPIC_API_KEY"]
    entry = tree / "src" / "entry.py"
    entry.write_text(f"{entry.read_text()}\nimport js\n\nMADE = js.Object.new()\n")
    done = make_deploy(tree, account)

    assert done.returncode != 0
    assert "Cloudflare would refuse the Worker at its start" in done.stdout
    assert SENDS not in account.calls


# Its parts


def test_no_provider_with_a_key_is_a_fault() -> None:
    with pytest.raises(deploy.DeployError, match=r"secret put ANTHROPIC_API_KEY or .*OPENAI"):
        deploy.check_secrets(TOML, ["API_KEYS"])


def test_who_can_make_keys_needs_none_in_the_configuration() -> None:
    names = ["ADMIN_KEY", "ANTHROPIC_API_KEY", "OPENAI_API_KEY"]
    assert deploy.check_secrets(TOML, names) == "all there"


def test_a_provider_that_wants_no_key_is_enough() -> None:
    local = {"name": "a", "dialect": "openai", "base_url": "https://a.test", "models": ["*"]}
    assert deploy.check_secrets({"vars": {"PROVIDERS": [local]}}, ["API_KEYS"]) == "all there"


def test_bindings_of_the_configuration_are_there() -> None:
    row = {"name": "a", "dialect": "openai", "base_url": "https://a.test", "binding": "OTHER"}
    settings = {"vars": {"PROVIDERS": [row]}}
    with pytest.raises(deploy.DeployError, match="no service binding"):
        deploy.check_configuration(settings)
    deploy.check_configuration({**settings, "services": [{"binding": "OTHER", "service": "it"}]})
    deploy.check_configuration({**settings, "ai": {"binding": "OTHER"}})
    objects = {"bindings": [{"name": "OTHER", "class_name": "It"}]}
    deploy.check_configuration({**settings, "durable_objects": objects})


@pytest.mark.parametrize(
    "answer",
    [OLD, (503, WELL[1]), (200, "<html>"), (200, "[]"), (200, '{"status": "ok"}'), (404, "")],
)
def test_an_answer_that_is_not_well_is_a_fault_that_says_how_to_go_back(
    answer: tuple[int, str],
) -> None:
    with answering(answer) as url, pytest.raises(deploy.DeployError, match="wrangler rollback"):
        deploy.check_health(url, seconds=0)


def test_where_nobody_answers_is_a_fault() -> None:
    with answering(WELL) as url:
        pass
    with pytest.raises(deploy.DeployError, match="ConnectError"):
        deploy.check_health(url, seconds=0)


def test_the_addresses_are_what_wrangler_names() -> None:
    asked = deploy.Options("", "", dry_run=False)
    targets = ("https://xtrix.a.workers.dev", "api.example.com (custom domain)", "example.com/*")
    assert deploy.urls(asked, targets) == [
        *("https://xtrix.a.workers.dev", "https://api.example.com")
    ]
    assert deploy.urls(asked._replace(url="https://b.test"), targets) == ["https://b.test"]
    with pytest.raises(deploy.DeployError, match="--url"):
        deploy.urls(asked, ("example.com/*",))
