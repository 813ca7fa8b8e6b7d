"""The floor of Python on the runtime: one fetch, the body passed through untouched."""

from typing import Any

import js
from workers import WorkerEntrypoint


class Default(WorkerEntrypoint):  # type: ignore[misc]  # it is Any here
    """What Cloudflare calls."""

    async def fetch(self, request: Any) -> Any:
        """The upstream's response."""
        asked = await request.js_object.text()
        path = "/messages" if '"model":"claude-' in asked else "/chat/completions"
        init = js.JSON.parse('{"method":"POST","headers":{"content-type":"application/json"}}')
        init.body = asked
        return await js.fetch(self.env.UPSTREAM + path, init)
