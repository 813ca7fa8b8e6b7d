"""The smallest Python Worker: what a cold start costs before there is any code."""

import js
from workers import WorkerEntrypoint


class Default(WorkerEntrypoint):  # type: ignore[misc]  # it is Any here
    """What Cloudflare calls."""

    async def fetch(self, request: object) -> object:
        """A greeting."""
        return js.Response.new("hello")
