"""Reads and writes an upstream's answers with the protocols themselves, without an exchange."""

from collections.abc import Iterable
from typing import Any, NamedTuple

from xtrix import json
from xtrix.answer import Expected, ToolName, Usage
from xtrix.prompt import Origin
from xtrix.protocol import Answering, Request, Stamp, Stream, Translation
from xtrix.protocols import DIALECTS
from xtrix.protocols.chat import CHAT
from xtrix.reasoning import Carrier

STAMP = Stamp("0", 0, "model", "fp_0000000000", "req_0")
CARRIER = Carrier(b"secret", b"client")


class Asked(NamedTuple):
    """What reading and writing an answer needs to know of its request."""

    expected: Expected = Expected()
    functions: bool = False
    """Whether the client uses `functions`, the form before tools."""


def asked(
    *,
    tool_names: dict[str, str] | None = None,
    custom_tools: Iterable[str] = (),
    answer_tool: str | None = None,
    cited: bool = False,
    functions: bool = False,
) -> Asked:
    """A request with tools of these names, for the upstream and for the client, and so on."""
    tools = {theirs: ToolName(ours) for theirs, ours in (tool_names or {}).items()}
    tools |= {name: ToolName(name, "custom") for name in custom_tools}
    return Asked(Expected(tools, answer_tool, cited), functions)


def answering(dialect: str, said: Asked | None = None) -> Answering:
    """The answer of an upstream of `dialect` to a chat client."""
    said = said or Asked()
    fields: dict[str, Any] = {"model": "model", "messages": []}
    if said.functions:
        fields["functions"] = [{"name": "f"}]
    request = Request(fields, b"", "model", stream=True)
    origin = Origin("provider", "upstream-model", DIALECTS[dialect].name)
    return Answering(request, STAMP, origin, CARRIER, said.expected)


def stream_of(dialect: str, said: Asked | None = None) -> Stream:
    """A new stream from an upstream of `dialect` to a chat client."""
    of = answering(dialect, said)
    codec = DIALECTS[dialect]
    if codec is CHAT:
        return CHAT.relay_stream(of)
    writer = CHAT.stream_writer(of)
    return Translation(codec.reader(writer, of), writer)


class Completion(NamedTuple):
    """A whole answer as a chat client gets it."""

    choices: list[dict[str, Any]]
    usage: Usage
    """The usage, as it was read."""
    service_tier: str | None
    unknown_stop_reason: str | None


def completion_of(dialect: str, body: bytes, said: Asked | None = None) -> Completion:
    """The completion for a whole answer of an upstream of `dialect`."""
    of = answering(dialect, said)
    codec = DIALECTS[dialect]
    if codec is CHAT:
        whole = CHAT.relay_whole(body, of)
        written, usage = json.decode_object(whole.body), whole.usage
        unknown = whole.unknown_stop_reason
    else:
        writer = CHAT.whole_writer(of)
        reader = codec.reader(writer, of)
        reader.whole(body)
        written, usage, unknown = writer.body(), reader.usage, reader.unknown_stop_reason
    return Completion(written["choices"], usage, written.get("service_tier"), unknown)


def asked_for(model: str, **said: Any) -> Request:
    """A chat client's request for `model`."""
    body = {"model": model, "messages": [{"role": "user", "content": "Hi"}], **said}
    return CHAT.decode_request(json.encode(body).encode(), {}, model)
