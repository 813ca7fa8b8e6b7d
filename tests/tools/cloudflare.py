"""Cloudflare's API as far as `wrangler deploy` and `wrangler secret list` call it, on 127.0.0.1.

A real HTTP server for the real wrangler, which CLOUDFLARE_API_BASE_URL leads to it. What it answers
was written from the API's documentation and from what wrangler 4.164 reads of an answer. It keeps
what it was sent, and knows nothing of Workers.
"""

import contextlib
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from typing_extensions import override

from tests.worker.terminal import OF_MAKE

ACCOUNT = "an-account"


class Cloudflare:
    """An account with a subdomain. `secrets` are the names of the Worker's secrets; None if there
    is no Worker.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self.secrets: list[str] | None = None
        self.calls: list[str] = []
        """What was asked, such as `PUT /workers/scripts/xtrix`."""

    @property
    def settings(self) -> dict[str, str]:
        """The environment with which wrangler calls this server."""
        return {
            "CLOUDFLARE_API_BASE_URL": self.url,
            "CLOUDFLARE_API_TOKEN": "a-token",
            "CLOUDFLARE_ACCOUNT_ID": ACCOUNT,
            "NO_PROXY": "127.0.0.1",
            "CI": "1",
            **dict.fromkeys(OF_MAKE, ""),
        }

    def answer(self, method: str, path: str) -> tuple[int, Any]:
        """The status and the result of one call. A result that is a number is an error's code."""
        self.calls.append(f"{method} {path}")
        if path == "/workers/services/xtrix":
            return 404, 10090
        if path.endswith("/secrets") and self.secrets is None:
            return 404, 10007
        results: dict[str, Any] = {
            "/workers/scripts/xtrix/secrets": [
                {"name": name, "type": "secret_text"} for name in self.secrets or ()
            ],
            "/workers/scripts/xtrix/deployments": {"deployments": []},
            "/workers/scripts/xtrix/assets-upload-session": {"jwt": "a-token", "buckets": []},
            "/workers/scripts/xtrix": {"id": "xtrix", "deployment_id": "a-version"},
            "/workers/scripts/xtrix/subdomain": {"enabled": True, "previews_enabled": True},
            "/workers/workers/xtrix": {"subdomain": {"enabled": True, "previews_enabled": True}},
            "/workers/subdomain": {"subdomain": "somebody"},
        }
        return 200, results.get(path, {})


@contextlib.contextmanager
def serve() -> Iterator[Cloudflare]:
    """Answers until the block ends."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self._take_body()
            _, _, path = self.path.partition(f"/accounts/{ACCOUNT}")
            status, result = account.answer(self.command, path.partition("?")[0])
            errors = [] if status == 200 else [{"code": result, "message": "There is none."}]
            said = {"success": not errors, "errors": errors, "messages": [], "result": result}
            body = json.dumps(said).encode()
            self.send_response(status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_POST = do_PUT = do_PATCH = do_GET

        def _take_body(self) -> None:
            if self.headers.get("transfer-encoding") != "chunked":
                self.rfile.read(int(self.headers.get("content-length") or 0))
                return
            while size := int(self.rfile.readline(), 16):
                self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()

        @override
        def log_message(self, format: str, *args: object) -> None:
            """Nothing: the test looks at `calls`."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    account = Cloudflare(f"http://127.0.0.1:{server.server_port}/client/v4")
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield account
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
