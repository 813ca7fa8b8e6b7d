"""The Worker's entry point: a gateway made once of the environment, and each request through it."""

from typing import Any

from workers import WorkerEntrypoint

import edge
from xtrix.app import Gateway, configure

_gateway: Gateway | None = None


class Default(WorkerEntrypoint):
    """What Cloudflare calls."""

    async def fetch(self, request: Any) -> Any:
        """The response to one request."""
        global _gateway  # noqa: PLW0603 - made at the first request: imports may not read `env`
        env = self.env._env
        _gateway = _gateway or configure(edge.lookup(env))
        return await edge.answer(request.js_object, env, _gateway)
