"""Plays a whole client request with the pure core: takes the part of the shell, without a network.

It knows how the real shell uses an exchange, and nothing more. So a test can describe an upstream
as data, and look at what the client would get.
"""

import codecs
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.ledgers import Wire
from xtrix import json
from xtrix.app import Gateway, configure
from xtrix.errors import no_connection
from xtrix.http import Reply, RequestHead, UpstreamHead, UpstreamRequest
from xtrix.passage import Passage, Upload
from xtrix.relay import Relay
from xtrix.steps import (
    AskArchive,
    AskLedger,
    Begin,
    Call,
    CallAll,
    Collect,
    Failure,
    Outcome,
    ReadBody,
    ReadPiece,
    Renew,
    Step,
    UpstreamAnswer,
    Wait,
)

KEY = "client-key"
UPSTREAM_KEY = "upstream-key"
TOKEN = "0123456789abcdef0123456789abcdef"
NOW = 1_700_000_000.0
PIECE = 1000
"""Bytes of a client's body that come at once, where it is not read whole."""


@dataclass(frozen=True)
class Upstream:
    """What happens to one upstream call. `pieces` are the body as the network cuts it."""

    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    pieces: tuple[bytes, ...] = ()
    failure: Failure | None = None
    cut: bool = False
    """Whether the connection broke at the end of `pieces`."""
    too_large: bool = False
    """Whether the body goes on for longer than it is read."""
    takes: float = 0
    """Seconds until its head."""
    leaves: bool = False
    """Whether the client leaves at the end of the stream."""


_NOBODY = Upstream(failure=Failure.CONNECTION)
"""What a call for models meets with where the script says nothing of it."""


@dataclass
class Played:
    """The outcome of a played request."""

    status: int
    headers: dict[str, str]
    body: str
    calls: list[UpstreamRequest]
    log: dict[str, Any]
    waits: list[float]
    seconds: list[float]
    """What each call was given until its head."""

    def json(self) -> Any:
        """The body as a value."""
        return json.decode(self.body)


def gateway(*providers: Mapping[str, Any], **variables: object) -> Gateway:
    """A gateway with these rows, the keys above, and `variables`."""
    environment: dict[str, object] = {
        "API_KEYS": KEY,
        "UPSTREAM_KEY": UPSTREAM_KEY,
        "PROVIDERS": [dict(row) for row in providers],
        **variables,
    }
    return configure(environment.get)


def head(path: str = "/v1/chat/completions", method: str = "POST", **headers: str) -> RequestHead:
    """A client's request head with the right key, unless `headers` say otherwise."""
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    return RequestHead(method, path, {"authorization": f"Bearer {KEY}", **given})


def play(  # noqa: PLR0913 - each by its name
    gate: Gateway,
    request: object,
    upstreams: Iterable[Upstream] = (),
    request_head: RequestHead | None = None,
    now: float = NOW,
    *,
    wire: Wire | None = None,
    token: str = TOKEN,
    archive: Callable[[AskArchive], bytes | Failure] | None = None,
) -> Played:
    """Returns what the client gets for `request`, with these `upstreams` for its calls, in order.
    `request` is a body as bytes, or a value whose JSON is the body. `now` is the time at which it
    comes. `wire` leads to the ledger of keys, and `archive` answers for the archive of responses.
    """
    body = request if isinstance(request, bytes) else json.encode(request).encode()
    player = _Player(body, iter(upstreams), now, gate, wire)
    exchange = gate.open(request_head or head(), token, player.now)
    step = exchange.advance(None, player.now)
    while not isinstance(step, Reply | Relay | Passage):
        if isinstance(step, AskArchive):
            assert archive, "nobody expected the archive to be asked"
            step = exchange.advance(archive(step), player.now)
        else:
            step = exchange.advance(player.outcome(step), player.now)
    return Played(
        status=step.status,
        headers=dict((*exchange.headers, *step.headers)),
        body=step.body.decode() if isinstance(step, Reply) else player.frames,
        calls=player.calls,
        log=json.decode(exchange.log_line(player.now, left=player.upstream.leaves)),
        waits=player.waits,
        seconds=player.seconds,
    )


class _Player:
    """Stands in for the shell."""

    def __init__(
        self,
        body: bytes,
        script: Iterator[Upstream],
        now: float,
        gate: Gateway,
        wire: Wire | None,
    ) -> None:
        self.now = now
        self._gate = gate
        self._wire = wire
        self.calls: list[UpstreamRequest] = []
        self.waits: list[float] = []
        self.seconds: list[float] = []
        self.frames = ""
        self._body = body
        self._script = script
        self.upstream = Upstream()

    def outcome(self, step: Step) -> Outcome:
        """The outcome of `step`."""
        match step:
            case ReadBody() | ReadPiece():
                return self._read(step)
            case Call():
                return self._called(step)
            case CallAll():
                self.calls += step.requests
                return [self._answer(next(self._script, _NOBODY)) for _ in step.requests]
            case Collect():
                return self._body_of(self.upstream)
            case Begin():
                if isinstance(step.relay, Passage):
                    self.frames = self._pass(step.relay)
                else:
                    self.frames = _stream(step.relay, self.upstream.pieces)
            case Renew() | AskLedger():
                return self._of_ledger(step)
            case Wait():
                self.waits.append(step.seconds)
                self.now += step.seconds
        return None

    def _called(self, step: Call) -> Outcome:
        self.calls.append(step.request)
        if step.upload and not self._send_rest(step.upload):
            return Failure.CONNECTION
        self.seconds.append(step.seconds)
        self.upstream = next(self._script)
        self.now += self.upstream.takes
        met = self.upstream
        head = UpstreamHead(met.status, met.headers)
        whole = UpstreamAnswer(head, self._body_of(met))
        return met.failure or (whole if step.collect else head)

    def _of_ledger(self, step: Renew | AskLedger) -> Outcome:
        assert self._wire
        if isinstance(step, AskLedger):
            answer = self._wire.call(step.text, self.now)
            return Failure.CONNECTION if answer is None else answer.encode()
        assert self._gate.leases
        is_drained = self._wire.tell(self._gate.leases, self.now)
        return None if is_drained else Failure.CONNECTION

    def _read(self, step: ReadBody | ReadPiece) -> bytes | Failure:
        if isinstance(step, ReadPiece):
            return self._next_piece()
        return self._body if len(self._body) <= step.limit else Failure.SIZE

    def _next_piece(self) -> bytes:
        piece, self._body = self._body[:PIECE], self._body[PIECE:]
        return piece

    def _send_rest(self, upload: Upload) -> bool:
        """Sends the rest of the client's body to the upstream. Returns whether all was sent."""
        while piece := self._next_piece():
            if not upload.screen.passes(piece):
                return False
            self.calls[-1] = self.calls[-1]._replace(body=self.calls[-1].body + piece)
        return True

    def _pass(self, passage: Passage) -> str:
        shown = [passage.feed(piece) for piece in self.upstream.pieces]
        shown.append(passage.close(no_connection() if self.upstream.cut else None))
        return b"".join(shown).decode(errors="surrogateescape")

    def _answer(self, met: Upstream) -> UpstreamAnswer | Failure:
        body = self._body_of(met)
        failed = met.failure or (body if isinstance(body, Failure) else None)
        return failed or UpstreamAnswer(UpstreamHead(met.status, met.headers), body)

    def _body_of(self, upstream: Upstream) -> bytes | Failure:
        if upstream.too_large:
            return Failure.SIZE
        return Failure.CONNECTION if upstream.cut else b"".join(upstream.pieces)


def texts(pieces: Iterable[bytes]) -> list[str]:
    """`pieces` as the shell's streaming TextDecoder hands them on."""
    decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
    return [*(decoder.decode(piece) for piece in pieces), decoder.decode(b"", final=True)]


def _stream(relay: Relay, pieces: Iterable[bytes]) -> str:
    frames = [_all(relay, relay.feed(text)) for text in texts(pieces)]
    return "".join(frames) + _all(relay, relay.close())


def _all(relay: Relay, frames: str) -> str:
    while relay.waits:
        frames += relay.more()
    return frames
