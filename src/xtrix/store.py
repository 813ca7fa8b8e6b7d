"""Serves the kept responses of one client, and keeps new ones.

The calls below `/responses/{id}` are known here, and when a response is kept: before the client has
the end of its answer, so that its next request can refer to it. How it is kept is known to
`archive`.
"""

import hashlib
from collections.abc import Generator
from typing import Any, NamedTuple
from urllib.parse import parse_qs

from xtrix import archive, json
from xtrix.errors import ApiError, ClientError, invalid, no_memory
from xtrix.http import JSON_TYPE, Reply, RequestHead, reply
from xtrix.protocol import Memory, Request
from xtrix.recorder import Recorder
from xtrix.steps import AskArchive, Failure

SECONDS = 5.0
"""The most seconds for an answer of the archive."""
METHODS = ("GET", "DELETE", "HEAD")
_PATH = "/responses/"
_INPUT = "input_items"
_DAY = 86_400
_MOST_ITEMS = 100
_USUAL_ITEMS = 20


class Store(NamedTuple):
    """The kept responses of one client."""

    name: str
    """The name of the archive's object."""
    days: float
    limit: int
    """The most characters that one request may refer to."""

    def recall(
        self, memory: Memory, request: Request
    ) -> Generator[AskArchive, bytes | Failure, Request]:
        """The steps that add to `request` what it refers to. Raises ApiError."""
        previous, items = memory.references(request)
        if previous is None and not items:
            return request
        message = archive.recall(previous, iter(dict.fromkeys(items)), self.limit)
        head, texts = _answer((yield self._ask(message)))
        if head.get("large"):
            raise _too_large()
        if not head.get("found"):
            raise memory.missing(request, str(head.get("missing") or previous or items[0]))
        earlier, named = (json.decode(text) for text in texts)
        return memory.resolve(request, earlier, named)

    def recorder(self, memory: Memory, request: Request, token: str, now: float) -> Recorder | None:
        """A recorder for the answer of `request`; None if it is not kept.

        It must be made before the request's references are resolved.
        """
        given = memory.kept_input(request, token)
        if given is None:
            return None
        previous, _ = memory.references(request)
        return Recorder(self.name, given, previous, now + self.days * _DAY)

    def serve(self, head: RequestHead) -> Generator[AskArchive, bytes | Failure, Reply]:
        """The steps of a call for one kept response. Raises ApiError."""
        name, _, rest = _within(head.path).partition("/")
        if head.method == "DELETE":
            answer, _texts = _answer((yield self._ask(archive.delete(name))))
            if not answer["found"]:
                raise _not_found(name)
            return reply({"id": name, "object": "response.deleted", "deleted": True})
        query = {key: values[0] for key, values in parse_qs(head.query).items()}
        if query.get("stream") == "true":
            why = "what is kept is told whole; leave it out."
            raise ClientError(400, "unsupported_parameter", f"'stream' is not supported: {why}")
        page = _Page.of(query) if rest == _INPUT else None
        kind = "input" if page else "response"
        answer, texts = _answer((yield self._ask(archive.read(name, kind, self.limit))))
        if answer.get("large"):
            raise _too_large()
        if not answer["found"]:
            raise _not_found(name)
        if page:
            return reply(page.cut(json.decode(texts[0])))
        return Reply(200, (JSON_TYPE,), texts[0].encode())

    def _ask(self, message: str) -> AskArchive:
        return AskArchive(self.name, message, SECONDS)


def store_of(client: bytes, days: float, limit: int) -> Store:
    """The store of the client with the digest `client`."""
    return Store(hashlib.sha256(b"responses\0" + client).hexdigest(), days, limit)


def is_kept(path: str) -> bool:
    """Whether `path` is that of one kept response or its input."""
    name, _, rest = _within(path).partition("/")
    return name.startswith("resp_") and rest in {"", _INPUT}


class _Page(NamedTuple):
    """The page of a response's input items that a client asks for."""

    limit: int
    is_newest_first: bool
    after: str | None

    @classmethod
    def of(cls, query: dict[str, str]) -> "_Page":
        """Decodes a URL's query. Raises ClientError."""
        limit = query.get("limit", str(_USUAL_ITEMS))
        if not (limit.isdecimal() and 1 <= int(limit) <= _MOST_ITEMS):
            raise invalid("limit", f"it must be a number from 1 to {_MOST_ITEMS}.")
        order = query.get("order", "desc")
        if order not in {"asc", "desc"}:
            raise invalid("order", "it must be asc or desc.")
        return cls(int(limit), order == "desc", query.get("after"))

    def cut(self, items: list[Any]) -> dict[str, Any]:
        """The list object with the items of this page. Raises ClientError."""
        ordered = items[::-1] if self.is_newest_first else items
        start = 0
        if self.after is not None:
            places = [place for place, it in enumerate(ordered) if it.get("id") == self.after]
            if not places:
                raise invalid("after", "the response has no such item.")
            start = places[0] + 1
        page = ordered[start : start + self.limit]
        return {
            "object": "list",
            "data": page,
            "first_id": page[0].get("id") if page else None,
            "last_id": page[-1].get("id") if page else None,
            "has_more": start + self.limit < len(ordered),
        }


def _within(path: str) -> str:
    """The part of the path after that of the protocol's calls; empty for other paths."""
    rest = path.rstrip("/").removeprefix("/v1")
    return rest.removeprefix(_PATH) if rest.startswith(_PATH) else ""


def _answer(outcome: bytes | Failure) -> tuple[json.Json, list[str]]:
    """The archive's answer. Raises ApiError if it has failed."""
    if outcome is Failure.MEMORY:
        raise no_memory()
    if isinstance(outcome, Failure):
        message = "The store of responses does not answer. Try again."
        raise ApiError(503, "store_unavailable", message, headers=(("retry-after", "5"),))
    return archive.decode(outcome)


def _not_found(name: str) -> ClientError:
    return ClientError(404, "response_not_found", f"Response with id '{name[:64]}' not found.")


def _too_large() -> ClientError:
    message = (
        "What the request refers to is larger than this gateway takes. Begin a new conversation, "
        "or send the items that matter in 'input'."
    )
    return ClientError(400, "context_length_exceeded", message, param="input")
