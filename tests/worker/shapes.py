"""Shapes of bodies that cost careless code more than their bytes.

A shape is a text in which a unit is repeated until the body has the wanted length. The module knows
what is sent, and nothing of what the Worker does with it. Every comparison is with `CONVERSATION`,
an ordinary request of the same length.
"""

from collections.abc import Callable
from typing import NamedTuple

from tests.worker.scripts import EVENT_STREAM, JSON, LAST_CHUNK, Script, chunk, stream_head, whole
from tests.worker.speech import ANTHROPIC, OPENAI, Dialect

Fill = Callable[[int], str]
"""What a text is filled with, of about so many characters."""


class Shape(NamedTuple):
    """A body with a `…` in the place that gets filled."""

    name: str
    text: str
    fill: Fill
    pieces: int = 0
    """Bytes of each HTTP chunk it is sent in; 0 when it is sent at once, with its length."""
    streamed: bool = False
    """Of an upstream's answer: it is a stream."""
    answers: bool = False
    """It is an upstream's answer."""
    model: str = OPENAI.model
    """Of an upstream's answer: who is asked."""
    status: int = 200
    """What the client is answered, where nothing but its size is against it."""

    def body(self, size: int) -> bytes:
        """The body with about `size` bytes on the wire, framing included."""
        if self.pieces:
            size = size * self.pieces // len(chunk(b"x" * self.pieces))
        before, after = self.text.split("…")
        around = len((before + after).encode())
        return (before + self.fill(size - around) + after).encode()


def many(unit: str, joint: str = ",") -> Fill:
    """The repeated unit with `joint` between. Each `#` in it becomes another number."""

    def filled(size: int) -> str:
        count = max(1, size // (len((unit + joint).encode()) + 6 * unit.count("#")))
        units = [unit] * count
        if "#" in unit:
            units = [unit.replace("#", f"{number:07}") for number in range(count)]
        return joint.join(units)

    return filled


def run(unit: str) -> Fill:
    """The repeated unit, with nothing between."""
    return many(unit, "")


def nested(opening: str, closing: str, inside: str = "1") -> Fill:
    """The unit inside itself, as deep as the size allows."""

    def filled(size: int) -> str:
        depth = size // len(opening + closing)
        return opening * depth + inside + closing * depth

    return filled


def _asked(dialect: Dialect, messages: str, more: str = "") -> str:
    """A request with these messages and more fields."""
    return f'{{"model":"{dialect.model}","messages":{messages}{more}}}'


def _with(dialect: Dialect, more: str) -> str:
    """A small request with more fields."""
    return _asked(dialect, '[{"role":"user","content":"x"}]', more)


def _said(dialect: Dialect, content: str) -> str:
    """A request whose only message has this content."""
    return _asked(dialect, f'[{{"role":"user","content":{content}}}]')


def _called(dialect: Dialect, calls: str) -> str:
    """A request with these fields of an assistant's message in its history, and one result."""
    user = '{"role":"user","content":"x"}'
    result = '{"role":"tool","tool_call_id":"1","content":"x"},' if '"id":"1"' in calls else ""
    return _asked(dialect, f'[{user},{{"role":"assistant",{calls}}},{result}{user}]')


_WORDS = "The quick brown fox jumps over the lazy dog. " * 11
CONVERSATION = {
    dialect.name: Shape(
        f"an ordinary conversation, {dialect.name}",
        _asked(dialect, "[…]"),
        many(
            f'{{"role":"user","content":"{_WORDS}"}},{{"role":"assistant","content":"{_WORDS}"}},'
            f'{{"role":"user","content":"{_WORDS}"}}'
        ),
    )
    for dialect in (ANTHROPIC, OPENAI)
}
"""500 characters to a message."""

_TOOL = '{"type":"function","function":{"name":"f","parameters":'
_IMAGE = '[{"type":"image_url","image_url":{"url":"data:…"}}]'
_ONE_CALL = '"tool_calls":[{"id":"1","type":"function","function":{"name":"f","arguments":"…"}}]'


_WRONG = {
    *("parts that are 0", "parts that are {}", "messages that are 0", "messages without content"),
    *("tools that are 0", "calls that are 0", "biases that are 101", "stops that are 0"),
    *("allowed tools that are 0", "a model's name", "a role", "one integer", "one fraction"),
    *("arrays", "objects", "arrays that end nowhere", "content"),
}
"""The shapes that nobody takes."""

_UNTRANSLATABLE = {
    *("a data URI of ;", "a data URI of parameters", "a data URI of =", "arguments of arrays"),
    "a data URI of white space",
}
"""The shapes that have no meaning in Anthropic's API; one of OpenAI's kind judges for itself."""


def _either(dialect: Dialect) -> dict[str, list[Shape]]:
    """The shapes for a request of either dialect, by group."""

    def shape(name: str, text: str, fill: Fill, pieces: int = 0) -> Shape:
        wrong = name in _WRONG or (dialect is ANTHROPIC and name in _UNTRANSLATABLE)
        status = 400 if wrong else 200
        return Shape(f"{name}, {dialect.name}", text, fill, pieces, status=status)

    return {
        f"many wrong, {dialect.name}": [
            shape("parts that are 0", _said(dialect, "[…]"), many("0")),
            shape("parts that are {}", _said(dialect, "[…]"), many("{}")),
            shape("messages that are 0", _asked(dialect, "[…]"), many("0")),
            shape("messages without content", _asked(dialect, "[…]"), many('{"role":"user"}')),
            shape("tools that are 0", _with(dialect, ',"tools":[…]'), many("0")),
            shape("calls that are 0", _called(dialect, '"tool_calls":[…]'), many("0")),
            shape("biases that are 101", _with(dialect, ',"logit_bias":{…}'), many('"#":101')),
            shape("stops that are 0", _with(dialect, ',"stop":[…]'), many("0")),
            shape(
                "allowed tools that are 0",
                _with(
                    dialect,
                    ',"tool_choice":{"type":"allowed_tools","allowed_tools":'
                    '{"mode":"auto","tools":[…]}}',
                ),
                many("0"),
            ),
        ],
        f"many right, {dialect.name}": [
            shape(
                "messages of one character",
                _asked(dialect, "[…]"),
                many(
                    '{"role":"user","content":"x"},{"role":"assistant","content":"x"},'
                    '{"role":"user","content":"x"}'
                ),
            ),
            shape(
                "parts of one character",
                _said(dialect, "[…]"),
                many('{"type":"text","text":"x"}'),
            ),
            shape(
                "calls and their results",
                _asked(dialect, '[{"role":"user","content":"x"},…]'),
                many(
                    '{"role":"assistant","tool_calls":[{"id":"#","type":"function",'
                    '"function":{"name":"f","arguments":""}}]},'
                    '{"role":"tool","tool_call_id":"#","content":""}'
                ),
            ),
            shape(
                "properties of a tool",
                _with(dialect, f',"tools":[{_TOOL}{{"type":"object","properties":{{…}}}}}}}}]'),
                many('"p#":{}'),
            ),
            shape(
                "words of an enum",
                _with(
                    dialect,
                    f',"tools":[{_TOOL}{{"type":"object","properties":{{"p":{{"enum":[…]}}}}}}}}}}]',
                ),
                many('"#"'),
            ),
            shape(
                "properties of a schema",
                _with(
                    dialect,
                    ',"response_format":{"type":"json_schema","json_schema":{"name":"x","schema":'
                    '{"type":"object","properties":{…}}}}',
                ),
                many('"p#":{"type":"string"}'),
            ),
            shape("metadata", _with(dialect, ',"metadata":{…}'), many('"#":""')),
            shape("biases", _with(dialect, ',"logit_bias":{…}'), many('"#":1')),
        ],
        f"ignored, {dialect.name}": [
            shape("a list of {}", _with(dialect, ',"x":[…]'), many("{}")),
            shape("a list of []", _with(dialect, ',"x":[…]'), many("[]")),
            shape("a list of numbers", _with(dialect, ',"x":[…]'), many("0.1")),
            shape("a list of texts", _with(dialect, ',"x":[…]'), many('"#"')),
            shape("a map", _with(dialect, ',"x":{…}'), many('"#":{}')),
            shape("fields", _with(dialect, ",…"), many('"#":0')),
            shape("one field again and again", _with(dialect, ",…"), many('"x":0')),
            shape("white space", _with(dialect, ',"x":[…]'), run(" ")),
            shape(
                "blocks of thinking",
                _called(dialect, '"content":"x","thinking_blocks":[…]'),
                many('{"type":"thinking","thinking":"","signature":""}'),
            ),
        ],
        f"long, {dialect.name}": [
            shape("one text", _said(dialect, '"…"'), run("x")),
            shape("one text with an emoji in it", _said(dialect, '"🙂…"'), run("x")),
            shape("one text of escapes", _said(dialect, '"…"'), run("\\u0001")),
            shape("one text of quotes", _said(dialect, '"…"'), run('\\"')),
            shape("one text of white space", _said(dialect, '"…"'), run(" ")),
            shape("one text of line ends", _said(dialect, '"x…x"'), run("\\n")),
            shape("one key", _with(dialect, ',"…":0'), run("x")),
            shape("a model's name", '{"model":"gpt-…","messages":[]}', run("x")),
            shape("a role", _asked(dialect, '[{"role":"…"}]'), run("x")),
            shape("one integer", _with(dialect, ',"seed":1…'), run("1")),
            shape("one fraction", _with(dialect, ',"seed":0.…'), run("1")),
            shape("a data URI of ;", _said(dialect, _IMAGE), run(";")),
            shape("a data URI of parameters", _said(dialect, _IMAGE), run(";a=b")),
            shape(
                "a data URI of base64",
                _said(dialect, _IMAGE.replace("…", "image/png;base64,…")),
                run("AAAA"),
            ),
            shape(
                "a data URI of base64 in lines",
                _said(dialect, _IMAGE.replace("…", "image/png;base64,…")),
                run("AAAA\\n"),
            ),
            shape(
                "a data URI of =",
                _said(dialect, _IMAGE.replace("…", "image/png;base64,A…")),
                run("="),
            ),
            shape(
                "a data URI of white space",
                _said(dialect, _IMAGE.replace("…", "image/png;base64,…")),
                run(" "),
            ),
            shape(
                "a file of text",
                _said(
                    dialect,
                    '[{"type":"file","file":{"filename":"x.txt","file_data":'
                    '"data:text/plain;base64,…"}}]',
                ),
                run("QUFB"),
            ),
            shape("arguments of white space", _called(dialect, _ONE_CALL), run(" ")),
            shape(
                "the name of a tool", _with(dialect, f',"tools":[{_TOOL[:-15]}…"}}}}]'), run("/")
            ),
        ],
        f"deep, {dialect.name}": [
            shape("arrays", _with(dialect, ',"x":…'), nested("[", "]")),
            shape("objects", _with(dialect, ',"x":…'), nested('{"a":', "}")),
            shape("arrays that end nowhere", _with(dialect, ',"x":…'), run("[")),
            shape("content", _said(dialect, "…"), nested("[", "]")),
            shape(
                "many arrays forty deep",
                _with(dialect, ',"x":[…]'),
                many("[" * 40 + "]" * 40),
            ),
            shape(
                "many tools' schemas twenty deep",
                _with(dialect, ',"tools":[…]'),
                many(
                    _TOOL.replace('"f"', '"f#"')
                    + '{"type":"object","properties":{"p":' * 20
                    + "{}"
                    + "}}" * 20
                    + "}}"
                ),
            ),
            shape(
                "arguments of arrays",
                _called(dialect, _ONE_CALL.replace("…", '{\\"a\\":…}')),
                nested("[", "]"),
            ),
            shape(
                "arguments of many values",
                _called(dialect, _ONE_CALL.replace("…", '{\\"a\\":[…]}')),
                many("{}"),
            ),
        ],
        f"one byte at a time, {dialect.name}": [
            shape("a text, byte by byte", _said(dialect, '"…"'), run("x"), pieces=1),
            shape(
                "messages, byte by byte",
                _asked(dialect, "[…]"),
                many('{"role":"user","content":"x"}'),
                pieces=1,
            ),
        ],
    }


REQUESTS = _either(ANTHROPIC) | _either(OPENAI)
"""By group."""


_MESSAGE = (
    '{"id":"msg_1","type":"message","role":"assistant","model":"claude","content":[…],'
    '"stop_reason":"end_turn","usage":{"input_tokens":1,"output_tokens":1}}'
)
_CHOICES = (
    '{"id":"1","object":"chat.completion","choices":[{"index":0,"message":'
    '{"role":"assistant",…},"finish_reason":"stop"}]}'
)


_MALFORMED = {"blocks of no kind", "blocks that are 0", "deep", "calls of no kind"}
"""Answers that are the upstream's fault."""
_ONE_TEXT = (("one text", 0), ("one text, byte by byte", 1))


def _answer(dialect: Dialect, name: str, text: str, fill: Fill, pieces: int = 0) -> Shape:
    return Shape(
        f"answered: {name}, {dialect.name}",
        text,
        fill,
        pieces,
        answers=True,
        model=dialect.model,
        status=502 if name in _MALFORMED else 200,
    )


def _streams(dialect: Dialect) -> list[Shape]:
    """Streams that consist of the filled part and one word."""
    first, *rest = [event.decode() for event in dialect.text(["x"])]
    whole = f"{first}…{''.join(rest)}"
    line = whole.replace("…", ":…\n\n")

    def shape(name: str, text: str, fill: Fill, pieces: int = 0) -> Shape:
        named = f"streamed: {name}, {dialect.name}"
        return _answer(dialect, name, text, fill, pieces)._replace(name=named, streamed=True)

    return [
        shape("words", whole, run(dialect.delta("x").decode())),
        shape("words, byte by byte", whole, run(dialect.delta("x").decode()), pieces=1),
        shape("comments", whole, run(":\n")),
        shape("empty lines", whole, run("\n")),
        shape("empty events", whole, run("data:\n\n")),
        shape("one event of empty lines", whole.replace("…", "…\n\n"), run("data:\n")),
        shape("one line", line, run("x")),
        shape("one event", whole.replace("…", dialect.delta("…").decode()), run("x")),
        shape("one line, two bytes at a time", line, run("x"), pieces=2),
    ]


ANSWERS = {
    "answers, anthropic": [
        *(
            _answer(ANTHROPIC, name, _MESSAGE, fill)
            for name, fill in {
                "blocks of one character": many('{"type":"text","text":"x"}'),
                "blocks of no kind": many("{}"),
                "blocks that are 0": many("0"),
                "calls": many('{"type":"tool_use","id":"#","name":"f","input":{}}'),
                "thoughts": many('{"type":"thinking","thinking":"x","signature":""}'),
                "deep": nested("[", "]"),
            }.items()
        ),
        *(
            _answer(
                ANTHROPIC,
                name,
                _MESSAGE.replace("…", '{"type":"text","text":"…"}'),
                run("x"),
                pieces,
            )
            for name, pieces in _ONE_TEXT
        ),
    ],
    "answers, openai": [
        *(
            _answer(OPENAI, name, _CHOICES.replace("…", text), fill)
            for name, text, fill in (
                ("parts of one character", '"content":[…]', many('{"type":"text","text":"x"}')),
                ("parts that are 0", '"content":[…]', many("0")),
                (
                    "calls",
                    '"tool_calls":[…]',
                    many('{"id":"#","function":{"name":"f","arguments":""}}'),
                ),
                ("calls of no kind", '"tool_calls":[…]', many("{}")),
                ("annotations", '"content":"x","annotations":[…]', many("{}")),
            )
        ),
        *(
            _answer(OPENAI, name, _CHOICES.replace("…", '"content":"…"'), run("x"), pieces)
            for name, pieces in _ONE_TEXT
        ),
    ],
    "streams, anthropic": _streams(ANTHROPIC),
    "streams, openai": _streams(OPENAI),
}
"""What upstreams answer, by group."""


def on_the_wire(shape: Shape, body: bytes) -> bytes:
    """The body as HTTP chunks, one for each of its `pieces`, which workerd passes on singly."""
    if not shape.pieces:
        return body
    pieces = (body[at : at + shape.pieces] for at in range(0, len(body), shape.pieces))
    return b"".join(map(chunk, pieces)) + LAST_CHUNK


def answered(shape: Shape, body: bytes) -> Script:
    """The script of an upstream that answers with the body."""
    headers = EVENT_STREAM if shape.streamed else JSON
    if shape.pieces:
        return [stream_head(headers) + on_the_wire(shape, body)]
    return whole(200, body, headers)


PICTURES = {
    dialect.name: Shape(
        f"a picture, {dialect.name}",
        _said(dialect, _IMAGE.replace("…", "image/png;base64,iVBORw0KGgoA…")),
        run("AAAA"),
    )
    for dialect in (ANTHROPIC, OPENAI)
}
