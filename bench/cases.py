"""The cases: each is one kind of request, and how it is sent."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from bench.rivals import KEY, KINDS, NAMED_KEY, Rival

EVENTS = 200
"""The events of a usual stream."""
MANY_EVENTS = 20_000
_GAP = 5
"""Milliseconds between two events: 200 tokens a second."""
_REST = 1.3
_MEGABYTE = 1_000_000
_PICTURE = 3 * _MEGABYTE
"""Bytes, which are four million characters of base64."""

_MODELS = {"anthropic": "claude-haiku-4-5", "openai": "gpt-4.1-mini"}
DIALECTS = tuple(_MODELS)

_TOOL = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "The weather of a city.",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string"}, "unit": {"type": "string"}},
            "required": ["city"],
        },
    },
}


class Case(NamedTuple):
    """One kind of request."""

    name: str
    dialect: str
    kind: str = "text"
    size: int = EVENTS
    """The number of events of a stream, or of words of a whole answer."""
    gap: int = 0
    pack: int = 1
    streamed: bool = True
    protocol: str = "chat"
    """The client's protocol."""
    filler: int = 0
    """Bytes that are added to the request."""
    picture: int = 0
    """The size of a picture in the request (a data URL), in bytes."""
    history: int = 1
    """The number of messages of the request."""
    clients: int = 8
    requests: int = 8
    """The number of requests in one round."""
    slow_requests: int = 2
    """The same for a slow rival."""
    slow_clients: int = 2
    rivals: tuple[str, ...] = tuple(KINDS)
    key: str = KEY
    rest: float = 0
    """Seconds after the requests that are measured too. What a key with a name has used is reported
    up to a second later. A first request, which waits for the ledger, is then not measured."""

    def load(self, rival: Rival, **changes: object) -> dict[str, Any]:
        """The load for the clients; `changes` are fields of it to set otherwise."""
        model = f"{_MODELS[self.dialect]}-{self.kind}-{self.size}-{self.gap}-{self.pack}"
        body: dict[str, Any] = {
            "model": model,
            _TURNS[self.protocol]: _turns(self.history),
            _LIMITS[self.protocol]: 4000,
        }
        if self.streamed:
            body["stream"] = True
        if self.kind == "tools":
            body["tools"] = [_TOOL]
        headers = {
            "content-type": "application/json",
            "authorization": f"Bearer {self.key}",
            **rival.headers.get(self.dialect, {}),
        }
        is_slow = KINDS[rival.name].is_slow
        return {
            "url": f"{rival.url}/v1/{_PATHS[self.protocol]}",
            "headers": headers,
            "body": body,
            "filler": self.filler,
            "picture": self.picture,
            "clients": min(self.slow_clients, self.clients) if is_slow else self.clients,
            "requests": self.slow_requests if is_slow else self.requests,
            "events": self.size if self.streamed else 0,
            "stamped": self.kind == "stamp",
            **changes,
        }


_PATHS = {"chat": "chat/completions", "responses": "responses", "messages": "messages"}
_TURNS = {"chat": "messages", "responses": "input", "messages": "messages"}
_LIMITS = {"chat": "max_tokens", "responses": "max_output_tokens", "messages": "max_tokens"}


def _turns(count: int) -> list[dict[str, str]]:
    """A question after an exchange of some hundred words, `count` messages in all."""
    said = [
        {"role": ("user", "assistant")[number % 2], "content": f"{number} is a number. " * 40}
        for number in range(count - 1)
    ]
    return [*said, {"role": "user", "content": "What is the weather like in Paris?"}]


_OURS = ("xtrix",)
_OURS_AND_JS = ("xtrix", "reframe")


def _both(name: str, **fields: Any) -> Iterator[Case]:
    for dialect in DIALECTS:
        yield Case(f"{name}-{dialect}", dialect, **fields)


STREAMS = (
    *_both("text", gap=_GAP),
    *_both("tools", kind="tools", gap=_GAP, rivals=_OURS_AND_JS),
    *_both("responses", protocol="responses", gap=_GAP, rivals=_OURS),
    *_both("messages", protocol="messages", gap=_GAP, rivals=_OURS),
)
BURSTS = tuple(_both("burst", gap=8 * _GAP, pack=8, rivals=_OURS_AND_JS))
WHOLE = (
    *_both("whole", streamed=False, clients=1, requests=100, slow_requests=10),
    *_both("large", size=MANY_EVENTS, streamed=False, clients=1, requests=30, slow_requests=5),
    *_both("megabyte", streamed=False, filler=_MEGABYTE, clients=1, requests=4, slow_requests=2),
)
BODIES = (
    *_both("one", streamed=False, clients=1, requests=50, rivals=_OURS_AND_JS),
    *_both("hundred", history=101, streamed=False, clients=1, requests=50, rivals=_OURS_AND_JS),
    *_both("agent", history=201, streamed=False, clients=1, requests=50, rivals=_OURS_AND_JS),
    *_both("picture", picture=_PICTURE, streamed=False, clients=1, requests=8),
)
KEYS = tuple(
    case._replace(name=f"{name}-{case.name}", key=key, rest=_REST, rivals=_OURS)
    for name, key in (("plain", KEY), ("named", NAMED_KEY))
    for case in (
        *_both("stream", gap=_GAP),
        *_both("whole", streamed=False, clients=1, requests=300),
    )
)
"""The same for both kinds of keys, for a second each."""
LONG = (
    *_both("long", size=MANY_EVENTS, gap=1, clients=1, requests=1, rivals=_OURS),
    *_both("short", gap=1, clients=1, requests=25, rivals=_OURS),
)

WARM_UP = (
    *_both("warm-text", gap=1, requests=32, slow_requests=6),
    *_both("warm-tools", kind="tools", gap=1, rivals=_OURS_AND_JS),
    *_both("warm-whole", streamed=False, requests=800, slow_requests=40),
)

ONE = Case("one", "anthropic", "stamp", 100, _GAP, clients=1, requests=5, slow_requests=5)
FIFTY = Case(
    "fifty",
    "anthropic",
    "stamp",
    40,
    50,
    clients=50,
    requests=50,
    slow_requests=50,
    slow_clients=50,
)
RATE = Case("rate", "anthropic", streamed=False, clients=16, slow_clients=16)
COLD = Case("cold", "anthropic", streamed=False, clients=1, requests=1)
