"""Every failure in our own code is answered and logged, and frees what the request held.

The Worker of these tests has lines that fail, in the core, in the shell's Python or in its
JavaScript: each for the requests that name it in a header. The error contains a word that must
never be seen.
"""

import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import NamedTuple

import pytest

from tests.worker.client import CLIENT_KEYS, Answer, Client, Request, error_in, question
from tests.worker.faults import events_to_text
from tests.worker.logs import record_of, records
from tests.worker.scripts import GATE, STALL, Script, stream, whole
from tests.worker.sees import SAID
from tests.worker.speech import ANTHROPIC
from tests.worker.upstream import Upstream
from tools import paths, runtime

NEVER_SEEN = "xyzzy"
ARMED = "access-control-request-headers"
"""The header that names the defects a request is to meet: one of those that the Worker reads."""

MODEL = ANTHROPIC.model
TEXT = events_to_text(ANTHROPIC)
WHOLE: Script = whole(200, ANTHROPIC.whole("Yes."))
STREAM: Script = stream([*TEXT, STALL])
IN_TWO: Script = stream([*TEXT, GATE, *ANTHROPIC.text(SAID)[len(TEXT) :], STALL])


class Defect(NamedTuple):
    """A line before which something goes wrong, where `when` is true."""

    file: str
    line: str
    when: str = ""
    what: str = ""
    """What is done there; empty raises an error of Python's or of JavaScript's."""
    place: str = ""
    """The file in which it is logged to have come up; empty for `file`."""
    calls: int = 1
    """Calls the upstream gets."""
    script: Script = WHOLE
    kind: str = ""

    @property
    def streamed(self) -> bool:
        """Whether only a stream reaches the line."""
        return self.script is not WHOLE

    @property
    def error(self) -> str:
        """The error that is logged."""
        return self.kind or ("RangeError" if self.file.endswith(".js") else "LookupError")

    def made_in(self, source: str, name: str) -> str:
        """Returns `source` with the defect, for requests that name it."""
        assert source.count(self.line) == 1, self
        if self.file.endswith(".js"):
            what = self.what or f'throw new RangeError("{NEVER_SEEN}\\n at {NEVER_SEEN}.js:1:1");'
            armed = f"globalThis.armed?.split(', ').includes({json.dumps(name)})"
            when = f"{armed} && ({self.when or 'true'})"
            return source.replace(self.line, f"if ({when}) {{ {what} }} {self.line}")
        what = self.what or f'raise LookupError("{NEVER_SEEN}")'
        armed = f"{name!r} in str(getattr(__import__('js'), 'armed', '')).split(', ')"
        when = f"{armed} and ({self.when or 'True'})"
        indentation = self.line[: len(self.line) - len(self.line.lstrip(" "))]
        return source.replace(self.line, f"{indentation}if {when}: {what}\n{self.line}")


BAD_HEADER = Defect(
    "edge.py",
    "        return to_js((json.encode(message), body))",
    'message["name"] == "answer" and message["status"] == 200',
    f'message["headers"]["x"] = \'{NEVER_SEEN}\\ny\'',
    "edge.js",
    kind="TypeError",
)
FED = "        at_start = self._sse.between_events"
PIECE = "buffer = new Uint8Array(value.buffer);"

BEFORE_THE_ANSWER = {
    "the head of a request": Defect("edge.js", "const url = URL.parse", calls=0),
    "its body": Defect("xtrix/foreign.py", "        request = codec.decode_request(body", calls=0),
    "the way to a target": Defect(
        "xtrix/exchange.py",
        "        self._calls.begin(call.target)",
        calls=0,
    ),
    "what is said to JavaScript": Defect("edge.py", "    request = step.request", calls=0),
    "a step of JavaScript": Defect(
        "edge.js", "const given = options({ method, headers, signal: upstream", calls=0
    ),
    "what JavaScript heard": Defect("edge.py", '    if "status" not in heard:', calls=0),
    "a whole answer": Defect("xtrix/exchange.py", "        whole = accepted.conversion.whole("),
    "a header of a whole answer": BAD_HEADER,
    "a header of a stream": BAD_HEADER._replace(script=STREAM),
    "the beginning of a stream": Defect("edge.js", "this.stream = new (", script=STREAM),
    "the first piece": Defect("edge.js", PIECE, script=STREAM),
    "the first event": Defect("xtrix/reframe.py", FED, script=STREAM),
}
"""The client gets a 500 for each of these."""

AFTER_THE_FIRST_EVENT = {
    "a later piece": Defect("edge.js", PIECE, "(this.pieces = (this.pieces ?? 0) + 1) > 3"),
    "a later event": Defect("xtrix/reframe.py", FED, "self.fed > 3"),
    "an event that is moved": Defect("splice.js", "const start = at + before.length;"),
    "what was moved": Defect("edge.py", "    relay.moved(count, text)"),
    "the clock": Defect("xtrix/relay.py", "        if self._had_finished:", "self.fed >= 3"),
}
"""The client gets an error frame for each of these."""

OTHERS = {
    "the boundary": Defect(
        "edge.py", "        step = self._encode(running, running.exchange.crash())"
    ),
    "the log": Defect("xtrix/exchange.py", "        record.total_ms = max("),
}
ALL = BEFORE_THE_ANSWER | AFTER_THE_FIRST_EVENT | OTHERS
OF_THE_CONFIGURATION = Defect("xtrix/config.py", "    variables = _Variables(lookup)")

Serve = Callable[[dict[str, Defect]], AbstractContextManager[runtime.Served]]


class Worker(Client):
    """A client of a Worker that has all the defects."""

    def __init__(self, served: runtime.Served) -> None:
        super().__init__(served.port)
        self.log = served.log

    def meet(self, *names: str, streamed: bool = False) -> Request:
        """Sends a request that meets these defects."""
        headers = {"authorization": f"Bearer {CLIENT_KEYS[0]}", ARMED: ", ".join(names)}
        return self.open(question(MODEL, stream=streamed), headers)

    def crash(self, request_id: str) -> tuple[str, str]:
        """Returns what kind of error the log has of this request, and in which file."""
        assert NEVER_SEEN not in self.log()
        (line,) = (it for it in records(self.log()) if "crash" in it and it["id"] == request_id)
        file, number = line["at"].rsplit(":", 1)
        assert number.isdigit()
        return line["crash"], file.removeprefix("/session/metadata/")


@pytest.fixture(scope="module")
def serve(tmp_path_factory: pytest.TempPathFactory, bindings: dict[str, object]) -> Serve:
    """Serves a Worker with these defects."""

    @contextmanager
    def served(defects: dict[str, Defect]) -> Iterator[runtime.Served]:
        tree = tmp_path_factory.mktemp("defects")
        shutil.copytree(paths.ROOT / "src", tree / "src")
        shutil.copy(paths.ROOT / "wrangler.toml", tree)
        (tree / "python_modules").symlink_to(paths.ROOT / "python_modules")
        script = tree / "src" / "edge.js"
        arming = f'globalThis.armed = request.headers.get("{ARMED}");'
        assert script.read_text().count("this.request = request;") == 1
        script.write_text(
            script.read_text().replace(
                "this.request = request;", f"this.request = request; {arming}"
            )
        )
        for name, defect in defects.items():
            file = tree / "src" / defect.file
            file.write_text(defect.made_in(file.read_text(), name))
        with runtime.serve(bindings, worker=runtime.read_worker(tree / "wrangler.toml")) as running:
            yield running

    return served


@pytest.fixture(scope="module")
def faulty(serve: Serve) -> Iterator[Worker]:
    """A Worker with all defects but that of the configuration, which no request could pass."""
    with serve(ALL) as running:
        yield Worker(running)


def is_ours(answer: Answer) -> None:
    """Fails unless the answer says that the fault is ours, and no more."""
    assert answer.status == 500
    assert answer.error()["code"] == "internal_error"
    assert NEVER_SEEN not in answer.body.decode()


@pytest.mark.parametrize("name", BEFORE_THE_ANSWER)
def test_a_defect_before_the_answer(faulty: Worker, upstream: Upstream, name: str) -> None:
    defect = BEFORE_THE_ANSWER[name]
    upstream.answer(defect.script)
    answer = faulty.meet(name, streamed=defect.streamed).answer()
    is_ours(answer)
    assert len(upstream.calls) == defect.calls
    if defect.streamed:  # it would say no more, and stay
        assert upstream.calls[0].left.wait(1)
    request_id = answer.headers["x-request-id"]
    assert faulty.crash(request_id) == (defect.error, defect.place or defect.file)
    record = record_of(faulty.log, request_id)
    assert (record["status"], record["error"]) == (500, "internal_error")


@pytest.mark.parametrize("name", AFTER_THE_FIRST_EVENT)
def test_a_defect_in_mid_stream(faulty: Worker, upstream: Upstream, name: str) -> None:
    defect = AFTER_THE_FIRST_EVENT[name]
    upstream.answer(IN_TWO)
    request = faulty.meet(name, streamed=True)
    request.frame_of_text()
    if name != "the clock":
        upstream.wait_for_call().release()
    answer = request.answer()
    assert error_in(answer.payloads()[-1])["code"] == "internal_error"
    assert upstream.calls[0].left.wait(1)
    request_id = answer.headers["x-request-id"]
    assert faulty.crash(request_id) == (defect.error, defect.file)
    record = record_of(faulty.log, request_id)
    assert (record["status"], record["error"]) == (200, "internal_error")


def test_a_defect_of_the_boundary_itself_has_a_last_resort(
    faulty: Worker, upstream: Upstream
) -> None:
    answer = faulty.meet("the way to a target", "the boundary").answer()
    is_ours(answer)
    assert upstream.calls == []
    crashes = [it for it in records(faulty.log()) if it["id"] == answer.headers["x-request-id"]]
    assert [it["crash"] for it in crashes] == ["LookupError", "PythonError", "PythonError"]


def test_a_defect_of_the_log_keeps_no_answer_from_the_client(
    faulty: Worker, upstream: Upstream
) -> None:
    upstream.answer(WHOLE)
    answer = faulty.meet("the log").answer()
    assert answer.status == 200
    crash = faulty.crash(answer.headers["x-request-id"])
    assert crash == ("LookupError", "xtrix/exchange.py")


def test_a_defect_of_the_configuration_is_every_calls_answer(serve: Serve) -> None:
    with serve({"": OF_THE_CONFIGURATION}) as running:
        worker = Worker(running)
        for _ in range(2):
            is_ours(worker.ask(question(MODEL)))
        (line,) = (it for it in records(worker.log()) if "crash" in it)
        assert line["crash"] == "LookupError"
