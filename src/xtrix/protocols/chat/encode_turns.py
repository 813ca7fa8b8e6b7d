"""Encodes the turns of a Prompt as messages of Chat Completions.

A result comes directly after the calls that it belongs to, whatever the client put between them. A
`tool` message has no room for pictures and files, so these follow in a message of the user. Text is
sent as one string if possible, because many servers accept lists of parts only for pictures.

Sources, read 2026-11: platform.openai.com/docs/api-reference/chat, and of servers that want strings
github.com/QwenLM/qwen-code/pull/2320 (DeepSeek) and github.com/gptme/gptme/pull/896 (Groq).
"""

from collections.abc import Callable, Iterable
from itertools import groupby
from typing import Any

from xtrix import media
from xtrix.errors import invalid, unsupported
from xtrix.openai.names import ToolNames, call_id
from xtrix.prompt import (
    Audio,
    Block,
    Call,
    File,
    Image,
    Json,
    Opaque,
    Origin,
    Refusal,
    Result,
    Sealed,
    Text,
    Thinking,
    Turn,
)
from xtrix.protocols.chat.encode_tools import wrap_custom
from xtrix.providers import Family, Quirks

Part = Json

PARAGRAPH = "\n\n"
_PDF = "application/pdf"
_NO_OUTPUT = "(no output)"
_ERROR = "Error: "
_DETAILS = {"auto", "low", "high"}
_ELSEWHERE = {"image_url": "image", "file": "file", "input_audio": "recording"}
"""The name that a `tool` message has for content that follows in the next message."""
_NO_REASONING = " "
"""Replaces reasoning of another provider. DeepSeek accepts no message without reasoning, and no
empty one (github.com/NousResearch/hermes-agent/pull/18263, read 2026-11)."""


class Messages:
    """The messages of one request."""

    def __init__(self, names: ToolNames, quirks: Quirks, family: Family, origin: Origin) -> None:
        """`origin` is the target. Only what this target issued goes back to it."""
        self.messages: list[Json] = []
        self._names = names
        self._quirks = quirks
        self._family = family
        self._origin = origin
        self._system: list[Part] = []
        """System text at the beginning, which must become one message."""
        self._user: list[Part] = []
        """The parts of the next message of the user."""
        self._calls: list[str] = []
        """The upstream's ids of calls without a result."""

    def encode(self, turns: list[Turn]) -> list[Json]:
        """`turns` as messages. Raises ClientError."""
        for is_assistant, section in groupby(turns, lambda turn: turn.role == "assistant"):
            if is_assistant:
                self._assistant([*section])
            else:
                self._others([*section])
        self._flush()
        self._refuse_prefill(turns)
        return self.messages

    def _refuse_prefill(self, turns: list[Turn]) -> None:
        last = self.messages[-1] if self.messages else {}
        if last.get("role") != "assistant" or last.get("tool_calls") or self._family.prefill:
            return
        why = "the upstream would not go on with the assistant's last turn but begin another."
        raise unsupported(turns[-1].path, why, value=True)

    # System, user and tools

    def _others(self, turns: list[Turn]) -> None:
        """Adds the turns between two turns of the assistant."""
        blocks = [block for turn in turns for block in turn.blocks]
        self._results([block for block in blocks if isinstance(block, Result)])
        for turn in turns:
            if turn.role == "user":
                rest = [block for block in turn.blocks if not isinstance(block, Result)]
                self._user += self._parts(rest)
            else:
                self._add_system(turn)
        self._flush()

    def _add_system(self, turn: Turn) -> None:
        parts = self._parts(turn.blocks)
        if not parts:
            return
        if self._family.system_inside:
            self._flush()
            self._add(turn.role, parts)
        elif self.messages or self._user:
            texts = PARAGRAPH.join(part["text"] for part in parts if part["type"] == "text")
            self._user.append(_text_part(f"<system>\n{texts}\n</system>"))
        else:
            self._system += parts

    def _flush(self) -> None:
        """Writes the waiting parts as one message."""
        self._add("system", self._system)
        self._add("user", self._user)
        self._system, self._user = [], []

    def _add(self, role: str, parts: list[Part]) -> None:
        if parts:
            self.messages.append({"role": role, "content": _content(parts)})

    def _results(self, results: list[Result]) -> None:
        """Writes a message for each result, in the order of the calls.

        Their pictures are kept for the next message of the user.
        """
        place = {known: index for index, known in enumerate(self._calls)}
        for result in sorted(results, key=lambda it: place.get(call_id(it.call_id), len(place))):
            parts = self._parts(result.content)
            text, others = _split_result(parts, is_error=result.is_error)
            message = {"role": "tool", "tool_call_id": call_id(result.call_id)}
            marked = self._marked(_text_part(text), result)
            self.messages.append({**message, "content": _content([marked])})
            if others:
                head = _text_part(f"Output of call {call_id(result.call_id)}:")
                self._user += [head, *others]
        self._calls = []

    def _parts(self, blocks: Iterable[Block]) -> list[Part]:
        parts = []
        for block in blocks:
            encode = _PARTS.get(type(block))
            part = encode(block) if encode else None
            if part and part.get("text") != "":
                parts.append(self._marked(part, block))
        return parts

    def _marked(self, part: Part, block: Block) -> Part:
        """`part` with the block's cache mark, for the few servers that accept it."""
        if block.cache is None or "cache_control" not in self._quirks.takes:
            return part
        return {**part, "cache_control": block.cache}

    # Assistant

    def _assistant(self, turns: list[Turn]) -> None:
        """Writes one message for `turns`, or none if nothing is left of them."""
        blocks = [block for turn in turns for block in turn.blocks]
        refuses = "messages.refusal" in self._quirks.takes
        refusals = [block.text for block in blocks if refuses and isinstance(block, Refusal)]
        text = _joined_text(turns, keeps_refusals=not refuses)
        returned = _returned(blocks, self._origin)
        calls = [self._call(block, returned) for block in blocks if isinstance(block, Call)]
        if not (text or refusals or calls):
            return
        message: Json = {"role": "assistant", "content": text or None}
        if refusals:
            message["refusal"] = PARAGRAPH.join(refusals)
        if calls:
            message["tool_calls"] = calls
        message |= returned.message
        if self._quirks.reasoning_back:
            message.setdefault("reasoning_content", _NO_REASONING)
        self._calls = [call["id"] for call in calls]
        self.messages.append(message)

    def _call(self, call: Call, returned: "_Returned") -> Json:
        name = self._names(call.namespace, call.name)
        entry: Json = {"id": call_id(call.id)}
        if call.kind != "custom":
            function = {"name": name, "arguments": call.arguments or "{}"}
            entry |= {"type": "function", "function": function}
        elif "tools.custom" in self._quirks.takes:
            entry |= {"type": "custom", "custom": {"name": name, "input": call.arguments}}
        else:
            function = {"name": name, "arguments": wrap_custom(call.arguments)}
            entry |= {"type": "function", "function": function}
        return {**call.extra, **returned.extra_of(call), **entry}


# What the upstream has issued and needs back


class _Returned:
    """What must go back to its issuer with one message and its calls."""

    def __init__(self) -> None:
        self.message: Json = {}
        self._by_id: dict[str, Json] = {}
        self._by_place: dict[int, Json] = {}

    def add(self, value: Json, following: Call | None) -> None:
        """Adds `value`, which came before the call `following`."""
        value = {**value}
        for call in value.pop("tool_calls", ()):
            extra = {key: it for key, it in call.items() if key != "id"}
            self._by_id[str(call.get("id"))] = extra
            if following is not None:
                self._by_place[id(following)] = extra
        for name, member in value.items():
            known = self.message.get(name)
            self.message[name] = member if known is None else known + member

    def extra_of(self, call: Call) -> Json:
        """What must go back with `call`.

        If its id was changed on the way, it is found by its place.
        """
        return self._by_id.get(call.id) or self._by_place.get(id(call)) or {}


def _returned(blocks: list[Block], origin: Origin) -> _Returned:
    returned = _Returned()
    following: Call | None = None
    found: list[tuple[Sealed, Call | None]] = []
    for block in reversed(blocks):
        if isinstance(block, Call):
            following = block
        elif isinstance(block, Thinking) and block.sealed and block.sealed.origin == origin:
            found.append((block.sealed, following))
    for sealed, call in reversed(found):
        returned.add(sealed.value, call)
    return returned


def _joined_text(turns: list[Turn], *, keeps_refusals: bool) -> str:
    """The assistant's text.

    Neighbouring blocks are joined directly, others with space between them.
    """
    paragraphs: list[str] = []
    for turn in turns:
        goes_on = False
        for block in turn.blocks:
            text = _assistant_text(block, keeps_refusals=keeps_refusals)
            if text and goes_on and isinstance(block, Text):
                paragraphs[-1] += text
            elif text:
                paragraphs.append(text)
            goes_on = isinstance(block, Text) and bool(paragraphs)
    return PARAGRAPH.join(paragraphs)


def _assistant_text(block: Block, *, keeps_refusals: bool) -> str:
    if isinstance(block, Image | File | Audio):
        raise unsupported(block.path, "the upstream's assistant says text only.", value=True)
    if isinstance(block, Refusal):
        return block.text if keeps_refusals else ""
    return block.text if isinstance(block, Text | Opaque) else ""


# Parts


def _content(parts: list[Part]) -> str | list[Part]:
    """`parts`, or a string if they contain only text."""
    if all(part.keys() == {"type", "text"} for part in parts):
        return PARAGRAPH.join(part["text"] for part in parts)
    return parts


def _split_result(parts: list[Part], *, is_error: bool) -> tuple[str, list[Part]]:
    """The text of a `tool` message for a result, and the parts that must follow elsewhere."""
    lines = [
        part.get("text") or f"[{_ELSEWHERE[part['type']]}: see the next message]" for part in parts
    ]
    text = "\n".join(lines) or _NO_OUTPUT
    if is_error and not text.lower().startswith("error"):
        text = _ERROR + text
    return text, [part for part in parts if part["type"] != "text"]


def _text_part(text: str) -> Part:
    return {"type": "text", "text": text}


def _worded(block: Text | Refusal | Opaque) -> Part:
    return _text_part(block.text)


def _image(image: Image) -> Part:
    url: Json = {"url": _url(image, "image/png")}
    if image.detail in _DETAILS:
        url["detail"] = image.detail
    return {"type": "image_url", "image_url": url}


def _file(file: File) -> Part:
    kind, data, media_type = file.source.kind, file.source.data, file.source.media_type or ""
    if kind == "url":
        raise unsupported(file.path, "the upstream reads no file from a URL.", value=True)
    if kind == "base64" and media_type.startswith("text/"):
        kind, data = "text", _read(file)
    if kind == "text":
        head = [f"[document: {file.name}]"] if file.name else []
        return _text_part("\n".join([*head, *([file.context] if file.context else []), data]))
    name = file.name or ("document.pdf" if media_type in {_PDF, ""} else "document")
    return {"type": "file", "file": {"filename": name, "file_data": _url(file, _PDF)}}


def _read(file: File) -> str:
    """The text in a file's base64. Raises ClientError."""
    try:
        return media.text_of(file.source, file.path)
    except ValueError:
        raise invalid(file.path, "its base64 is broken.") from None


def _url(block: Image | File, media_type: str) -> str:
    """The URL of a block's content, or a data URI with it. Raises ClientError."""
    source = block.source
    if source.kind == "id":
        why = "an upload's id means nothing to the upstream; send the data itself."
        raise unsupported(block.path, why, value=True)
    if source.kind == "url":
        return source.data
    return f"data:{source.media_type or media_type};base64,{source.data}"


def _audio(audio: Audio) -> Part:
    return {
        "type": "input_audio",
        "input_audio": {"data": audio.data, "format": audio.format},
    }


_PARTS: dict[type[Any], Callable[[Any], Part]] = {
    Text: _worded,
    Refusal: _worded,
    Opaque: _worded,
    Image: _image,
    File: _file,
    Audio: _audio,
}
