"""Makes the table of losses: what happens to each thing that clients ask and upstreams answer.

Each thing is sent through the whole core, and the same request or answer without it. The two
requests that reach the upstream, or the two answers that reach the client, are compared. So the
table says what the code does, not what somebody meant it to do.

    python -m tests.losses.table            rewrites docs/losses.md
    python -m tests.losses.table --check    exits 1 when it is stale
"""

import re
import sys
import tomllib
from collections.abc import Iterator, Mapping
from enum import Enum
from pathlib import Path
from typing import Any, NamedTuple

from tests.envelopes import packed
from tests.least import PATHS, WHOLE, answer, least_answer, row
from tests.losses import answers, chat, messages, responses
from tests.losses.answers import Said
from tests.losses.probe import Probe
from tests.play import Played, gateway, head, play
from xtrix import json
from xtrix.reasoning import is_packed

Json = dict[str, Any]

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "losses.md"
SHIPPED = tomllib.loads((ROOT / "wrangler.toml").read_text())["vars"]["PROVIDERS"]
_LONGEST = 90
_LONGEST_TEXT = 20
_MOST_LINES = 4


class Target(NamedTuple):
    """Where a request goes."""

    title: str
    row: Json
    model: str

    @property
    def dialect(self) -> str:
        """The dialect that its row speaks."""
        return str(self.row["dialect"])


class Client(NamedTuple):
    """A kind of client."""

    title: str
    dialect: str
    """The dialect of upstreams that speak the client's protocol."""
    base: Json
    probes: tuple[Probe, ...]

    @property
    def path(self) -> str:
        """Where it calls."""
        return PATHS[self.dialect]


def _shipped() -> Json:
    """The shipped row of OpenAI's, as one that speaks Chat Completions alone."""
    (found,) = [each for each in SHIPPED if each["name"] == "openai"]
    return row("openai", "openai", quirks=found["quirks"])


TARGETS = (
    Target("Anthropic", row("anthropic", "anthropic"), "claude-sonnet-4-6"),
    Target("OpenAI's Chat Completions", _shipped(), "gpt-4.1"),
    Target("another chat server", row("openai", "other"), "a-model"),
    Target("OpenAI's Responses", row("openai-responses", "responses"), "gpt-5.5"),
)
CLIENTS = (
    Client("Chat Completions", "openai", chat.BASE, chat.PROBES),
    Client("Messages", "anthropic", messages.BASE, messages.PROBES),
    Client("Responses", "openai-responses", responses.BASE, responses.PROBES),
)


class Kind(Enum):
    """What happened to the thing."""

    SAME = "as it is"
    OTHERWISE = "otherwise"
    IGNORED = "ignored"
    REFUSED = "refused"
    SILENT = "left out"


class Fate(NamedTuple):
    """What became of what a probe asks at one target."""

    kind: Kind
    said: tuple[str, ...] = ()
    """What the upstream was told, as `path: value`."""
    named: tuple[str, ...] = ()
    """The parameters that the client is told of: refused, left out or changed."""


def fate_of(client: Client, probe: Probe, target: Target) -> Fate:
    """What becomes of `probe` on its way from `client` to `target`."""
    without = {"model": target.model, **client.base, **probe.beside}
    asked = {**without, **probe.asks}
    played = _played(client, asked, target)
    if played.status == 400 or not played.calls:
        return Fate(Kind.REFUSED, named=(_param(played.json()["error"]),))
    assert played.status == 200, (client.title, probe.name, target.title, played.body)
    before = _played(client, without, target)
    named = sorted(_ignored(played) - _ignored(before))
    theirs = difference(_sent(before), _sent(played))
    ours = difference(_sealed(without, target), _sealed(asked, target))
    said = tuple(_spelled(path, value) for path, value in theirs)
    if theirs == ours and not named:
        return Fate(Kind.SAME)
    if not theirs:
        return Fate(Kind.IGNORED if named else Kind.SILENT, named=tuple(named))
    return Fate(Kind.OTHERWISE, said, tuple(named))


def _played(client: Client, asked: Json, target: Target) -> Played:
    upstream = least_answer(target.dialect, stream=bool(asked.get("stream")))
    request = _sealed(asked, target)
    return play(gateway(target.row), request, [upstream], head(client.path))


def _param(error: Json) -> str:
    """The parameter at fault. Messages' errors have no place for it but their words."""
    path = re.match(r"(Invalid )?'?([^': ]+)'?", error["message"])
    assert path
    return str(error.get("param") or path[2])


def _ignored(played: Played) -> set[str]:
    return set(filter(None, played.headers.get("x-ignored-parameters", "").split(", ")))


def _sent(played: Played) -> Json:
    """The body that the upstream got, and those of its headers that a client decides."""
    if not played.calls:
        return {}
    (call,) = played.calls
    betas = {name: value for name, value in call.headers if name == "anthropic-beta"}
    return {**json.decode_object(call.body), **betas}


_PROTOCOLS = {"anthropic": "messages", "openai": "chat", "openai-responses": "responses"}
_SEALED: Mapping[str, Json] = {
    "anthropic": {"type": "thinking", "thinking": "Hm.", "signature": "c2ln"},
    "openai": {"reasoning_content": "Hm."},
    "openai-responses": {"type": "reasoning", "summary": [], "encrypted_content": "gAAA"},
}


def _sealed(value: Any, target: Target) -> Any:
    """`value` with real reasoning strings, of this gateway or of another, in place of words for
    them.
    """
    origin = [target.row["name"], target.model, _PROTOCOLS[target.dialect]]
    words = {"(sealed here)": origin, "(sealed elsewhere)": ["elsewhere", *origin[1:]]}
    if isinstance(value, str) and value in words:
        return packed({"origin": words[value], "value": _SEALED[target.dialect]})
    if isinstance(value, list):
        return [_sealed(each, target) for each in value]
    if isinstance(value, dict):
        return {name: _sealed(each, target) for name, each in value.items()}
    return value


class _Gone(NamedTuple):
    """Stands for a removed value."""


GONE = _Gone()


def difference(before: Any, after: Any, path: str = "") -> list[tuple[str, Any]]:
    """The places at which `after` differs from `before`, with what is there now."""
    if before == after and type(before) is type(after):
        return []
    if isinstance(before, dict) and isinstance(after, dict):
        names = [*after, *(name for name in before if name not in after)]
        return [
            found
            for name in names
            for found in difference(
                before.get(name, GONE), after.get(name, GONE), f"{path}.{name}".removeprefix(".")
            )
        ]
    if isinstance(before, list) and isinstance(after, list):
        return _in_lists(before, after, path)
    return [(path, after)]


def _in_lists(before: list[Any], after: list[Any], path: str) -> list[tuple[str, Any]]:
    first = _common(before, after)
    last = _common(before[first:][::-1], after[first:][::-1])
    old, new = before[first : len(before) - last], after[first : len(after) - last]
    if len(old) == len(new):
        pairs = enumerate(zip(old, new, strict=True), first)
        return [it for at, pair in pairs for it in difference(*pair, f"{path}[{at}]")]
    if not new:
        return [(f"{path}[{first}]", GONE)]
    if len(old) == 1:
        return [(f"{path}[{at}]", each) for at, each in enumerate(new, first)]
    return [(f"{path}[{at}]", each) for at, each in enumerate(new, first)]


def _common(one: list[Any], other: list[Any]) -> int:
    """How many elements are the same from the beginning on."""
    found = 0
    for each, its in zip(one, other, strict=False):
        if each != its:
            break
        found += 1
    return found


def _spelled(path: str, value: Any) -> str:
    text = "nothing" if value is GONE else json.encode(_shortened(value))
    text = text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"
    return f"{path}: {text}"


def _shortened(value: Any) -> Any:
    if isinstance(value, str) and len(value) > _LONGEST_TEXT:
        return f"{value[: _LONGEST_TEXT - 1]}…"
    if isinstance(value, list):
        return [_shortened(each) for each in value]
    if isinstance(value, dict):
        return {name: _shortened(each) for name, each in value.items()}
    return value


# Answers


class Upstream(NamedTuple):
    """A kind of upstream."""

    title: str
    dialect: str
    answers: tuple[Said, ...]


UPSTREAMS = (
    Upstream("Anthropic", "anthropic", answers.ANTHROPIC),
    Upstream("a server of Chat Completions", "openai", answers.CHAT),
    Upstream("a server of Responses", "openai-responses", answers.RESPONSES),
)


def told(client: Client, upstream: Upstream, said: Json) -> list[tuple[str, Any]]:
    """The parts of the client's answer that are not in the smallest answer."""
    before = _answered(client, upstream, WHOLE[upstream.dialect])
    return difference(before, _answered(client, upstream, said))


_SEARCHING: Mapping[str, Json] = {
    "openai": {"web_search_options": {}},
    "anthropic": {"tools": [{"type": "web_search_20250305", "name": "web_search"}]},
    "openai-responses": {"tools": [{"type": "web_search"}]},
}
"""What has an upstream search the web, by the dialect of the client's protocol. Citations come of
nothing else."""
_SEARCHES: Mapping[str, Json] = {
    "anthropic": {"web_search": True},
    "openai": {"web_search": True, "quirks": {"takes": ["web_search_options"]}},
}


def _answered(client: Client, upstream: Upstream, said: Json) -> Any:
    request = {"model": "m", **client.base, **_SEARCHING[client.dialect]}
    gate = gateway(row(upstream.dialect, **_SEARCHES.get(upstream.dialect, {})))
    played = play(gate, request, [answer(said)], head(client.path))
    return _unsealed(played.json())


def _unsealed(value: Any) -> Any:
    """`value` with a word in place of each reasoning string of ours."""
    if isinstance(value, str):
        return "(sealed)" if is_packed(value) else value
    if isinstance(value, list):
        return [_unsealed(each) for each in value]
    if isinstance(value, dict):
        return {name: _unsealed(each) for name, each in value.items()}
    return value


# The page


def _code(text: str) -> str:
    return f"`{text.replace('|', '/')}`"


def _cell(fate: Fate) -> str:
    named = ", ".join(map(_code, fate.named))
    match fate.kind:
        case Kind.SAME | Kind.SILENT:
            return str(fate.kind.value)
        case Kind.REFUSED:
            return f"**400** {named}"
        case Kind.IGNORED:
            return f"ignored {named}"
    told = "<br>".join(map(_code, fate.said))
    return f"{told}<br>named: {named}" if named else told


def _rows(client: Client) -> Iterator[str]:
    yield "| asked | " + " | ".join(target.title for target in TARGETS) + " |"
    yield "|---" * (len(TARGETS) + 1) + "|"
    for probe in client.probes:
        fates = [fate_of(client, probe, target) for target in TARGETS]
        why = f" ({probe.silent})" if any(it.kind is Kind.SILENT for it in fates) else ""
        yield f"| {probe.name}{why} | " + " | ".join(map(_cell, fates)) + " |"


def _answer_rows(upstream: Upstream) -> Iterator[str]:
    yield "| answered | " + " | ".join(f"client of {it.title}" for it in CLIENTS) + " |"
    yield "|---" * (len(CLIENTS) + 1) + "|"
    for name, said in upstream.answers:
        theirs = difference(WHOLE[upstream.dialect], said)
        cells = [_told_cell(theirs, told(client, upstream, said)) for client in CLIENTS]
        yield f"| {name} | " + " | ".join(cells) + " |"


def _told_cell(said: list[tuple[str, Any]], told_of_it: list[tuple[str, Any]]) -> str:
    if not told_of_it:
        return "not told"
    if said == told_of_it:
        return "as it is"
    lines = [_code(_spelled(path, value)) for path, value in told_of_it]
    more = ["…"] if len(lines) > _MOST_LINES else []
    return "<br>".join([*lines[:_MOST_LINES], *more])


_INTRODUCTION = """# What is lost between protocols

This page shows what happens to each parameter when the client speaks one protocol and the upstream
another. Tests make it (`python -m tests.losses.table`, or `make format`): for each row a client
sends the parameter through the whole gateway, and each cell shows what reached the upstream.

- **as it is**: the upstream got the parameter unchanged.
- `path: value`: the upstream got this instead, which is the same in its own protocol. With *named*
  it is not quite the same, and `x-ignored-parameters` names the parameter for the client.
- **ignored**: the upstream's protocol has nothing like it. It was left out, and
  `x-ignored-parameters` names it.
- **400**: the answer would be wrong without it, so the request was refused. The error names the
  parameter.
- **left out**: it was left out, and nothing is lost; the first column says why.

If client and upstream speak the same protocol, the whole request is passed on, with unknown fields.
The models in these tables are {models}. Other models refuse other parameters, such as a
temperature; these are ignored in the same way.
"""


_OF_ANSWERS = """# What is lost in answers

Each row is the shortest answer with one thing added or changed. Each cell shows what this adds to
the answer that the client gets. `(sealed)` is a text that the client sends back and only the
provider that issued it can read. The tables show whole answers; a stream adds up to the same.
"""


def page() -> str:
    """The page's text."""
    models = ", ".join(f"`{target.model}`" for target in TARGETS)
    parts = [_INTRODUCTION.format(models=models)]
    for client in CLIENTS:
        table = "\n".join(_rows(client))
        parts.append(f"## What a client of {client.title} asks\n\n{table}\n")
    parts.append(_OF_ANSWERS)
    for upstream in UPSTREAMS:
        table = "\n".join(_answer_rows(upstream))
        parts.append(f"## What {upstream.title} answers\n\n{table}\n")
    return "\n".join(parts)


def main(arguments: list[str]) -> int:
    """Writes or checks the page."""
    text = page()
    if arguments == ["--check"]:
        if PAGE.exists() and PAGE.read_text() == text:
            return 0
        print("docs/losses.md is stale: run `make format`", file=sys.stderr)
        return 1
    PAGE.write_text(text)
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
