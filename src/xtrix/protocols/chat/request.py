"""Decodes a Chat Completions request to a Prompt, for upstreams of another protocol.

`schema` has checked its shape. Here it is checked that messages fit together: every call has a
result before the assistant speaks again, and every result belongs to a call.

Source: platform.openai.com/docs/api-reference/chat (OpenAPI document 2.3.0, read 2026-11).
"""

from collections.abc import Callable
from typing import Any

from xtrix import json, media
from xtrix.errors import invalid, invalid_type, unsupported
from xtrix.prompt import (
    Audio,
    Block,
    Call,
    File,
    Image,
    OutputFormat,
    Prompt,
    Refusal,
    Result,
    Role,
    Sealed,
    Settings,
    Source,
    Text,
    Thinking,
    Tool,
    ToolChoice,
    Turn,
    WebSearch,
)
from xtrix.protocol import Request
from xtrix.reasoning import Carrier, is_packed
from xtrix.shape import ValueBudget

Json = dict[str, Any]

_LONGEST_ECHO = 128
_ROLE_AND_CONTENT = 2
EPHEMERAL = {"type": "ephemeral"}
_KNOWN = {
    *("model", "messages", "stream", "stream_options", "max_tokens", "max_completion_tokens"),
    *("temperature", "top_p", "top_k", "stop", "tools", "tool_choice", "parallel_tool_calls"),
    *("functions", "function_call", "response_format", "reasoning_effort", "thinking"),
    *("user", "safety_identifier", "prompt_cache_key", "service_tier", "verbosity"),
    *("cache_control", "web_search_options"),
}
"""The fields that a Prompt has. All other fields become its extras."""


def decode_prompt(request: Request, carrier: Carrier) -> Prompt:
    """`request` as a Prompt. Raises ClientError."""
    fields = {name: value for name, value in request.fields.items() if value is not None}
    tools = _tools(fields)
    conversation = _Conversation(carrier)
    for index, message in enumerate(fields["messages"]):
        conversation.add(message, f"messages[{index}]", f"call_{index}")
    conversation.close()
    mark = fields.get("cache_control")
    return Prompt(
        turns=conversation.turns,
        tools=tools,
        choice=_choice(fields, tools),
        settings=_settings(fields),
        stream=request.stream,
        extras={name: value for name, value in fields.items() if name not in _KNOWN},
        names=_names(fields),
        cache=mark if isinstance(mark, dict) else None,
    )


def _settings(fields: Json) -> Settings:
    stop = fields.get("stop", ())
    return Settings(
        max_tokens=fields.get("max_completion_tokens", fields.get("max_tokens")),
        temperature=fields.get("temperature"),
        top_p=fields.get("top_p"),
        top_k=fields.get("top_k"),
        stop=(stop,) if isinstance(stop, str) else tuple(stop),
        effort=fields.get("reasoning_effort"),
        thinking=_thinking(fields.get("thinking")),
        format=_format(fields.get("response_format")),
        verbosity=_word(fields, "verbosity"),
        user=fields.get("safety_identifier") or fields.get("user") or None,
        session=_word(fields, "prompt_cache_key"),
        service_tier=fields.get("service_tier"),
        # The older form has room for one call only.
        parallel_calls=False if fields.get("functions") else fields.get("parallel_tool_calls"),
        web_search=_web_search(fields.get("web_search_options")),
    )


def _word(fields: Json, name: str) -> str | None:
    """A text field that the schema does not check. Raises ClientError."""
    text = fields.get(name)
    if text is not None and not isinstance(text, str):
        raise invalid_type(name, "it should be a string.")
    return text


def _thinking(value: object) -> Json | None:
    """Anthropic's `thinking`, as far as other protocols use it. Raises ClientError."""
    if value is None:
        return None
    if not isinstance(value, dict):
        raise invalid_type("thinking", "it should be an object.")
    if not isinstance(value.get("type"), str):
        raise invalid_type("thinking.type", "it should be a string.")
    return value


def _names(fields: Json) -> dict[str, str]:
    """The client's names of settings that have another name in a Prompt."""
    return {
        "max_tokens": "max_completion_tokens"
        if "max_completion_tokens" in fields
        else "max_tokens",
        "effort": "reasoning_effort",
        "format": "response_format",
        "user": "safety_identifier" if fields.get("safety_identifier") else "user",
        "session": "prompt_cache_key",
        "parallel_calls": "parallel_tool_calls",
        "web_search": "web_search_options",
        "choice": "tool_choice" if fields.get("tool_choice") else "function_call",
        "cache": "cache_control",
    }


def _format(fields: Json | None) -> OutputFormat | None:
    kind = fields["type"] if fields else "text"
    if fields is None or kind == "text":
        return None
    if kind == "json_object":
        return OutputFormat("json_object")
    wanted = fields["json_schema"]
    return OutputFormat(
        "json_schema",
        wanted["name"],
        wanted.get("schema"),
        wanted.get("strict"),
        wanted.get("description"),
    )


def _web_search(options: Json | None) -> WebSearch | None:
    if options is None:
        return None
    location = (options.get("user_location") or {}).get("approximate")
    return WebSearch(
        context_size=options.get("search_context_size"),
        location=location if isinstance(location, dict) else None,
    )


# Tools


def _tools(fields: Json) -> list[Tool]:
    """The request's tools, also `functions`. Raises ClientError for a name that is used twice."""
    given = [
        *(fields.get("tools") or ()),
        *({"type": "function", "function": each} for each in fields.get("functions") or ()),
    ]
    tools = [_tool(tool, f"tools[{index}]") for index, tool in enumerate(given)]
    seen: set[str] = set()
    for tool in tools:
        if tool.name and tool.name in seen:
            raise invalid(tool.path, f"another tool is named '{_echo(tool.name)}' too.")
        seen.add(tool.name)
    return tools


def _tool(fields: Json, path: str) -> Tool:
    kind = fields["type"]
    mark = cache_mark(fields)
    if kind not in {"function", "custom"}:
        named = fields.get(kind)
        name = str(named.get("name", "")) if isinstance(named, dict) else ""
        return Tool("hosted", name, hosted=fields, hosted_by="chat", path=path, cache=mark)
    inner = fields[kind]
    form = inner.get("format") if kind == "custom" else None
    return Tool(
        kind,
        inner["name"],
        inner.get("description"),
        inner.get("parameters"),
        inner.get("strict"),
        _grammar(form) if form else None,
        format_binds=True,
        path=path,
        cache=mark,
        schema_path=f"{path}.function.parameters",
    )


def _grammar(form: Json) -> Json | None:
    """A custom tool's grammar, as in Responses. Chat Completions has it one level deeper."""
    if form.get("type", "text") == "text":
        return None
    nested = form.get("grammar")
    return {"type": "grammar", **(nested if isinstance(nested, dict) else form)}


def _choice(fields: Json, tools: list[Tool]) -> ToolChoice | None:
    """Which tools may be called. Raises ClientError for a tool that is not there."""
    path = "tool_choice" if fields.get("tool_choice") else "function_call"
    wanted = fields.get(path)
    if not wanted:
        return None
    if wanted != "none" and not tools:
        raise invalid(path, "it needs 'tools' to choose from.")
    if isinstance(wanted, str):
        return ToolChoice(wanted, path=path)  # type: ignore[arg-type]  # the schema has checked it
    known = {tool.name for tool in tools}
    if wanted.get("type") == "allowed_tools":
        named = [_entry_name(entry) for entry in wanted["allowed_tools"]["tools"]]
        allowed = tuple((None, name) for name in named)
        choice = ToolChoice(wanted["allowed_tools"]["mode"], allowed=allowed, path=path)
    else:
        named = [_entry_name(wanted)]
        choice = ToolChoice("named", named[0], path=path)
    for name in named:
        if name not in known:
            raise invalid(path, f"there is no tool '{_echo(name)}' in 'tools'.")
    return choice


def _entry_name(entry: Json) -> str:
    """The name in `{"type": "function", "function": {"name": …}}`, or in the plain older form."""
    inner = entry.get(str(entry.get("type")))
    return str((inner if isinstance(inner, dict) else entry).get("name"))


# Messages


class _Conversation:
    """The messages so far."""

    def __init__(self, carrier: Carrier) -> None:
        self.turns: list[Turn] = []
        self._carrier = carrier
        self._budget = ValueBudget()
        self._open: dict[str, Call] = {}
        """The calls without a result, by what a result names: the call's id, or in the older form
        the function."""

    def add(self, message: Json, path: str, call_id: str) -> None:
        """Adds the message at `path`. `call_id` is for its `function_call`, which has no id."""
        role = message["role"]
        if role == "assistant":
            self._refuse_open()
        if len(message) == _ROLE_AND_CONTENT and isinstance(content := message.get("content"), str):
            # Most messages are so, and no role has anything to say about that.
            blocks = decode_content(content, f"{path}.content")
            self.turns.append(Turn(_TURN_ROLES[role], blocks, path))
            return
        blocks = _ROLES[role](self, message, path, call_id)
        mark = cache_mark(message)
        if mark and blocks:
            blocks[-1].cache = mark
        name = None if role == "function" else message.get("name")
        extra = {"name": name} if name else {}
        self.turns.append(Turn(_TURN_ROLES[role], blocks, path, extra))

    def close(self) -> None:
        """Ends the conversation. Raises ClientError for a call without a result."""
        self._refuse_open()

    def _system(self, message: Json, path: str, call_id: str) -> list[Block]:
        del call_id
        content = message["content"]
        for index, part in enumerate(content if isinstance(content, list) else ()):
            if part["type"] != "text":
                why = f"only text is allowed here, not '{_echo(part['type'])}'."
                raise unsupported(f"{path}.content[{index}].type", why, value=True)
        return decode_content(content, f"{path}.content")

    def _user(self, message: Json, path: str, call_id: str) -> list[Block]:
        del call_id
        return decode_content(message["content"], f"{path}.content")

    def _assistant(self, message: Json, path: str, call_id: str) -> list[Block]:
        if message.get("audio"):
            raise unsupported(f"{path}.audio", "the upstream model does not speak.")
        blocks = self._thinking(message, path)
        blocks += decode_content(message.get("content"), f"{path}.content")
        if message.get("refusal"):
            blocks.append(Refusal(message["refusal"], f"{path}.refusal"))
        for index, call in enumerate(message.get("tool_calls") or ()):
            blocks.append(self._call(call, f"{path}.tool_calls[{index}]"))
        function = message.get("function_call")
        if function:
            place = f"{path}.function_call"
            text = function["arguments"]
            called = Call(
                call_id, function["name"], text, path=place, given=self._given(text, place)
            )
            blocks.append(self._opened(function["name"], called))
        return blocks

    def _call(self, fields: Json, path: str) -> Call:
        kind = fields["type"]
        if kind not in {"function", "custom"}:
            raise unsupported(
                f"{path}.type", f"no upstream call is like '{_echo(kind)}'.", value=True
            )
        inner = fields[kind]
        text = inner["input" if kind == "custom" else "arguments"]
        given = None if kind == "custom" else self._given(text, path)
        extra = {
            name: it for name, it in fields.items() if name not in {"id", "type", kind, "index"}
        }
        call = Call(fields["id"], inner["name"], text, kind, extra=extra, path=path, given=given)
        return self._opened(fields["id"], call)

    def _given(self, text: str, path: str) -> Json:
        """The object in a call's arguments; an empty text means none. Raises ClientError."""
        self._budget.spend(text)
        try:
            return json.decode_object(text) if text.strip() else {}
        except ValueError:
            raise invalid(path, "its arguments must be the JSON of an object.") from None

    def _opened(self, key: str, call: Call) -> Call:
        if key in self._open:
            raise invalid(f"{call.path}.id", "another call of this message has the same id.")
        self._open[key] = call
        return call

    def _tool(self, message: Json, path: str, call_id: str) -> list[Block]:
        del call_id
        return self._result(message, message["tool_call_id"], path)

    def _function(self, message: Json, path: str, call_id: str) -> list[Block]:
        """The result of the older `function_call`, which has no id but the function's name."""
        del call_id
        return self._result(message, message["name"], path)

    def _result(self, message: Json, key: str, path: str) -> list[Block]:
        call = self._open.pop(key, None)
        if call is None:
            why = f"no call of the assistant's message before it has the id '{_echo(key)}'."
            raise invalid(f"{path}.tool_call_id", why)
        return [Result(call.id, decode_content(message["content"], f"{path}.content"), path=path)]

    def _thinking(self, message: Json, path: str) -> list[Block]:
        """The signed blocks that the client sends back.

        Unsigned ones are of no use to any provider.
        """
        given = message.get("thinking_blocks")
        if not isinstance(given, list):
            return []
        found = [each for each in given if isinstance(each, dict)]
        blocks = [
            self._thought(each, f"{path}.thinking_blocks[{i}]") for i, each in enumerate(found)
        ]
        return [block for block in blocks if block]

    def _thought(self, block: Json, path: str) -> Thinking | None:
        kind = block.get("type")
        proof = block.get({"thinking": "signature", "redacted_thinking": "data"}.get(str(kind), ""))
        text = block.get("thinking")
        text = text if isinstance(text, str) else ""
        if not proof:
            return None
        if is_packed(proof):
            sealed = self._carrier.open(proof)
            return Thinking(text, sealed, path) if sealed else None
        value = {key: value for key, value in block.items() if key != "index"}
        return Thinking(text, Sealed(value), path)

    def _refuse_open(self) -> None:
        """Raises ClientError for the first call that has no result by now."""
        for name, call in self._open.items():
            why = f"the call '{_echo(name)}' has no result; send a 'tool' message with its id."
            raise invalid(call.path, why)


_Decode = Callable[[_Conversation, Json, str, str], list[Block]]
_ROLES: dict[str, _Decode] = {
    "system": _Conversation._system,
    "developer": _Conversation._system,
    "user": _Conversation._user,
    "assistant": _Conversation._assistant,
    "tool": _Conversation._tool,
    "function": _Conversation._function,
}
_TURN_ROLES: dict[str, Role] = {
    "system": "system",
    "developer": "developer",
    "user": "user",
    "assistant": "assistant",
    "tool": "user",
    "function": "user",
}


def _echo(text: str) -> str:
    """The beginning of a client's value, short enough to be repeated in an error."""
    return text[:_LONGEST_ECHO]


# Content parts


def decode_content(content: str | list[Json] | None, path: str) -> list[Block]:
    """The blocks of a message's content at `path`. Raises ClientError."""
    if not isinstance(content, list):
        return [Text(content, path)] if content else []
    return [decode_part(part, f"{path}[{index}]") for index, part in enumerate(content)]


def decode_part(part: Json, path: str) -> Block:
    """The block of one part, with its cache mark. Raises ClientError."""
    decode = _PARTS.get(part["type"])
    if decode is None:
        raise invalid(f"{path}.type", f"there is no content part '{_echo(part['type'])}'.")
    block = decode(part, path)
    block.cache = cache_mark(part)
    return block


def cache_mark(fields: Json) -> Json | None:
    """The cache mark that the client asked for, in the form of Messages or of OpenAI."""
    control = fields.get("cache_control")
    if isinstance(control, dict):
        return control
    return EPHEMERAL if fields.get("prompt_cache_breakpoint") else None


def _text(part: Json, path: str) -> Block:
    return Text(part["text"], path)


def _refusal(part: Json, path: str) -> Block:
    return Refusal(part["refusal"], path)


def _image(part: Json, path: str) -> Block:
    image = part["image_url"]
    if isinstance(image, str):
        return Image(media.decode_url(image, f"{path}.image_url"), f"{path}.image_url")
    place = f"{path}.image_url.url"
    return Image(media.decode_url(image["url"], place), place, detail=image.get("detail"))


def _file(part: Json, path: str) -> Block:
    file = part["file"]
    data = file.get("file_data")
    if not data:
        source = Source("id", file.get("file_id") or "")
        return File(source, f"{path}.file.file_id", name=file.get("filename"))
    place = f"{path}.file.file_data"
    is_uri = media.is_data_uri(data)
    source = media.decode_data_uri(data, place) if is_uri else media.decode_base64(data, place)
    citations = part.get("citations")
    return File(
        source,
        place,
        name=file.get("filename"),
        citations=citations if isinstance(citations, dict) else None,
    )


def _audio(part: Json, path: str) -> Block:
    audio = part["input_audio"]
    return Audio(audio["data"], audio["format"], f"{path}.type")


_PARTS: dict[str, Callable[[Json, str], Block]] = {
    "text": _text,
    "refusal": _refusal,
    "image_url": _image,
    "file": _file,
    "input_audio": _audio,
}
