from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from tools import runtime

ENTRY = """
from js import Object
from workers import Response, WorkerEntrypoint, import_from_javascript
from pydantic_core import from_json
from scratch.name import NAME

loud = import_from_javascript("loud.js")

class Default(WorkerEntrypoint):
    async def fetch(self, request):
        print("was asked for", request.url)
        return Response.json({
            "name": loud.shout(NAME),
            "text": self.env.TEXT,
            "rows": self.env.ROWS.to_py(),
            "parsed": from_json("[1]"),
        })
"""
BINDINGS = {"TEXT": 'two\nlines, a "quote", a \\ and a ☃', "ROWS": [{"models": ["a*"], "n": 1.5}]}

MakeWorker = Callable[..., runtime.Worker]


@pytest.fixture
def make_worker(tmp_path: Path) -> MakeWorker:
    """Makes a Python Worker with a package, a JavaScript module and `extra` at its end."""

    def make(extra: str = "") -> runtime.Worker:
        source = tmp_path / "src"
        (source / "scratch").mkdir(parents=True)
        (source / "scratch" / "name.py").write_text('NAME = "worker"\n')
        (source / "loud.js").write_text("export const shout = (text) => text.toUpperCase();\n")
        (source / "entry.py").write_text(ENTRY + extra)
        return runtime.read_worker()._replace(main=source / "entry.py")

    return make


def ask(served: runtime.Served) -> object:
    return httpx.get(served.url + "/path", trust_env=False).raise_for_status().json()


def test_serves_modules_and_bindings_and_keeps_what_is_printed(make_worker: MakeWorker) -> None:
    with runtime.serve(BINDINGS, worker=make_worker()) as served:
        answer = ask(served)
        log = served.log()

    assert answer == {
        "name": "WORKER",
        "text": BINDINGS["TEXT"],
        "rows": BINDINGS["ROWS"],
        "parsed": [1],
    }
    assert log == f"was asked for {served.url}/path\n"
    with pytest.raises(httpx.ConnectError):
        ask(served)


def test_a_snapshot_holds_what_was_imported_and_no_binding(
    make_worker: MakeWorker, tmp_path: Path
) -> None:
    worker = make_worker()
    snapshot = runtime.save_snapshot(tmp_path, worker=worker)

    for text in ("one", "two"):
        bindings = {**BINDINGS, "TEXT": text}
        with runtime.serve(bindings, worker=worker, snapshot=snapshot) as served:
            answer = ask(served)
        assert isinstance(answer, dict)
        assert (answer["name"], answer["text"]) == ("WORKER", text)


@pytest.mark.parametrize(
    ("extra", "reason"),
    [
        ("kept = Object.new()", "Can't serialize top-level variable"),
        ("import random; random.random()", "Randomness is not allowed while a Worker is starting"),
    ],
)
def test_a_snapshot_is_refused_as_a_deployment_is(
    make_worker: MakeWorker, tmp_path: Path, extra: str, reason: str
) -> None:
    with pytest.raises(runtime.StartError, match=reason):
        runtime.save_snapshot(tmp_path, worker=make_worker(extra))


def test_a_worker_that_cannot_be_imported_says_where(make_worker: MakeWorker) -> None:
    worker = make_worker("1 / 0")

    with pytest.raises(runtime.StartError, match=r'entry\.py", line 18(?s:.*)ZeroDivisionError'):
        runtime.serve(BINDINGS, worker=worker).__enter__()


def test_serves_a_javascript_worker_with_its_modules(tmp_path: Path) -> None:
    (tmp_path / "index.js").write_text(
        'import { greet } from "./greet.mjs";\n'
        "export default { fetch: (request, env) => new Response(greet(env.NAME)) };\n"
    )
    (tmp_path / "greet.mjs").write_text("export const greet = (name) => `hello, ${name}`;\n")
    worker = runtime.Worker(tmp_path / "index.js", compatibility_date="2026-11-17")

    with runtime.serve({"NAME": "you"}, worker=worker) as served:
        assert httpx.get(served.url, trust_env=False).text == "hello, you"
