"""Makes the tables of docs/configuration.md from the definitions that check a configuration.

A field's allowed values come from the schema that checks it, its default from the row that it
becomes, and its description from the docstring under it. So a new field is on the page at once.
"""

from __future__ import annotations

import ast
import functools
import inspect
import sys
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple, get_args, get_type_hints

from xtrix import config, rows

Schema = Mapping[str, Any]


class Variable(NamedTuple):
    """The description of a variable on the page."""

    words: str
    default: str = "none"
    is_secret: bool = False


VARIABLES = {
    "API_KEYS": Variable(
        "The keys of your clients, separated by commas or white space. `NAME:KEY` gives a key"
        " [a name](keys.md). With several keys you can"
        " [rotate](deploying.md#rotating-a-key-of-your-clients) one. Without any, every request is"
        " refused.",
        is_secret=True,
    ),
    "ADMIN_KEY": Variable(
        "Your own key for `/admin`, of at least 16 characters. There you"
        " [make and change keys](keys.md) with names, limits and budgets.",
        is_secret=True,
    ),
    "KEY_SECRET": Variable(
        "Signs the keys that are made at `/admin`. Set it if you want to be able to change"
        " `ADMIN_KEY` without invalidating them.",
        "made from `ADMIN_KEY`",
        is_secret=True,
    ),
    "LIMITS": Variable(
        "[Limits](keys.md#limits) for keys with a name in `API_KEYS`: a list of tables, or the"
        " same list as JSON."
    ),
    "DEFAULT_MODEL": Variable(
        "The model for a request that names none. If you set it, a provider must serve it.",
        f"`{config.DEFAULT_MODEL}`",
    ),
    "MAX_BODY_BYTES": Variable(
        "The largest request body. Images, files and speech may fill it; everything else in it may"
        " have 5 MB. (To rewrite 5 MB takes 78 MB of the Worker's 128 MB of memory.)",
        f"`{config.MAX_BODY_BYTES}`",
    ),
    "MAX_UPLOAD_BYTES": Variable(
        "The largest form (`multipart/form-data`), such as an audio recording. Forms are streamed.",
        f"`{config.MAX_UPLOAD_BYTES}`",
    ),
    "KEEP_ALIVE_SECONDS": Variable(
        "After so many seconds without an event, the client of a stream gets a comment, which keeps"
        " the connection alive. At most 3600; 0 sends none. Before the first event nothing is sent,"
        " because an error can still set the status then.",
        f"`{config.KEEP_ALIVE_SECONDS:g}`",
    ),
    config.ENDPOINT: Variable(
        "The URL of an OpenTelemetry collector, without `/v1/traces`. At its end each request is"
        " sent there as a span (OTLP/HTTP in JSON). A span has the fields of the log line, and no"
        " prompt."
    ),
    f"{config.EXPORTER}HEADERS": Variable(
        "Headers for that collector: `name=value`, separated by commas, values percent-encoded.",
        is_secret=True,
    ),
    "OTEL_SERVICE_NAME": Variable("The name of this gateway in its spans.", "`xtrix`"),
    "STORE_DAYS": Variable(
        "How many days [responses are kept](api.md#kept-responses), unless a request says"
        " `store: false`. At most 3660; 0 keeps none.",
        "`0`",
    ),
    "PROVIDERS": Variable("The APIs that are called: a list of tables, or the same list as JSON."),
    "MODELS": Variable("Models with several targets: a list of tables, or the same list as JSON."),
}


def variables() -> str:
    """The table of all variables."""
    lines = ["| name | what it is | default |", "|---|---|---|"]
    for name, it in VARIABLES.items():
        secret = " (secret)" if it.is_secret else ""
        lines.append(f"| `{name}`{secret} | {it.words} | {it.default} |")
    return "\n".join(lines)


def provider() -> str:
    """The table of a provider's fields, and those of the tables in it."""
    return "\n\n".join(_tables("PROVIDERS", rows.PROVIDER_SCHEMA, rows.ProviderRow))


def model() -> str:
    """The same for a model's."""
    return "\n\n".join(_tables("MODELS", rows.MODEL_SCHEMA, rows.ModelRow))


# Tables


def _tables(path: str, schema: Schema, kind: Any) -> Iterator[str]:
    """The table of `kind`, and after it those of the fields that are tables themselves."""
    fields = _fields(schema)
    lines = [
        f"**`{path}`**",
        "",
        "| field | what it is | allowed values | default |",
        "|---|---|---|---|",
    ]
    inner = []
    for name, field in fields.items():
        only = _only(path, name)
        words = f"{_words(kind, name)}{only}"
        default = "required" if field["required"] else _default(kind, name)
        lines.append(f"| `{name}` | {words} | {_form(field['schema'])} | {default} |")
        table = _table_in(field["schema"])
        if table is not None:
            inner.append((f"{path}.{name}", table, _kind_of(kind, name)))
    yield "\n".join(lines)
    for each in inner:
        yield from _tables(*each)


def _fields(schema: Schema) -> Mapping[str, Any]:
    found = _table_in(schema)
    assert found is not None
    fields: Mapping[str, Any] = found["fields"]
    return fields


def _table_in(schema: Schema) -> Schema | None:
    """The table in `schema`, which may be a list of such tables; None if there is none."""
    while schema["type"] != "typed-dict":
        inner = schema.get("schema") or schema.get("items_schema")
        if inner is None:
            return None
        schema = inner
    return schema


def _kind_of(kind: Any, name: str) -> Any:
    """The class that the table of a field becomes."""
    return next(it for it in _parts(get_type_hints(kind)[name]) if hasattr(it, "_fields"))


def _parts(hint: Any) -> Iterator[Any]:
    """Yields a type and the types that it contains."""
    yield hint
    for each in get_args(hint):
        yield from _parts(each)


def _default(kind: Any, name: str) -> str:
    value = kind._field_defaults[name]
    if hasattr(value, "_fields"):
        return "see below"
    if value is None or value in ("", (), {}):
        return "none"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    return ", ".join(f"`{it}`" for it in (value if isinstance(value, tuple) else (value,)))


def _only(path: str, name: str) -> str:
    """Names the dialects that read a field, if not all of them do."""
    top, _, rest = f"{path}.{name}".partition("PROVIDERS.")[2].partition(".")
    if not any(top in _tops(own) for own in rows.OWN_FIELDS.values()):
        return ""
    readers = [
        dialect
        for dialect, own in rows.OWN_FIELDS.items()
        if top in own or f"{top}.{rest}" in own or (not rest and top in _tops(own))
    ]
    if len(readers) == len(rows.OWN_FIELDS):
        return ""
    return f" Only in rows of {' and '.join(f'`{it}`' for it in readers)}."


def _tops(own: frozenset[str]) -> set[str]:
    return {path.partition(".")[0] for path in own}


# Words


def _words(kind: Any, name: str) -> str:
    text = _docstrings(kind).get(name, "")
    if not text and name not in kind._fields:
        text = inspect.getdoc(kind) or ""  # one field of a table is spread over the class
    if not text:
        raise SystemExit(f"{kind.__name__}.{name} has no docstring to put on the page")
    told = text.replace("None means ", "Without it: ")
    return " ".join(told.split()).replace("|", "\\|")


@functools.cache
def _docstrings(kind: Any) -> dict[str, str]:
    """Returns the docstring under each field of a class."""
    tree = ast.parse(inspect.getsource(sys.modules[kind.__module__]))
    (found,) = [
        node for node in tree.body if isinstance(node, ast.ClassDef) and node.name == kind.__name__
    ]
    said = {}
    for field, after in zip(found.body, found.body[1:], strict=False):
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name):
            match after:
                case ast.Expr(value=ast.Constant(value=str(text))):
                    said[field.target.id] = text
    return said


# Forms


def _form(schema: Schema) -> str:
    """Describes the values that a schema allows."""
    words: str = _FORMS[schema["type"]](schema)
    return words


def _literals(schema: Schema) -> str:
    return " or ".join(f"`{each}`" for each in schema["expected"])


def _numbers(schema: Schema) -> str:
    what = "whole number" if schema["type"] == "int" else "number"
    least = f"{schema['ge']:g} or more" if "ge" in schema else ""
    least = f"more than {schema['gt']:g}" if "gt" in schema else least
    most = f"at most {schema['le']:,}" if "le" in schema else ""
    return ", ".join(each for each in (what, least, most) if each)


def _list(schema: Schema) -> str:
    return f"list: {_form(schema['items_schema'])}"


def _map(schema: Schema) -> str:
    return f"table: {_form(schema['values_schema'])}"


def _worded(schema: Schema) -> str:
    text = str(schema["custom_error_message"]).removeprefix("must be ").replace("|", "\\|")
    return text.partition(":")[0]


def _either(schema: Schema) -> str:
    return f"text alone, or {_form(schema['schema'])}"


def _inner(schema: Schema) -> str:
    return _form(schema["schema"])


_FORMS: dict[str, Any] = {
    "custom-error": _worded,
    "str": lambda _: "text",
    "bool": lambda _: "`true` or `false`",
    "int": _numbers,
    "float": _numbers,
    "literal": _literals,
    "list": _list,
    "dict": _map,
    "typed-dict": lambda _: "a table",
    "function-after": _inner,
    "function-before": _either,
}
