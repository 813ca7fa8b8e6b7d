"""Converts embeddings to the form that the client asked for.

In a short answer it also adds what OpenAI's clients look for and some upstreams leave out.

OpenAI's two SDKs ask for base64 by default, and accept either form. Other clients accept only the
form that they asked for, and upstreams may ignore what was asked. An answer of several megabytes is
converted while it streams, with one vector in memory at a time.

Sources, read 2026-11: platform.openai.com/docs/api-reference/embeddings; the numbers in base64 are
32-bit floats, little-endian (openai-python 3.54.0, `resources/embeddings.py`).
"""

import base64
import math
import re
import struct
from typing import Any

from xtrix import json
from xtrix.errors import bad_response

_VECTOR = re.compile(rb'"embedding"\s*:\s*(["\[])')
_OPENERS = {"float": b"[", "base64": b'"'}
_CLOSERS = {b"[": b"]", b'"': b'"'}
_LONGEST_MARK = 64
_LONGEST_VECTOR = 2_000_000
"""The most bytes of a vector. The longest known one has 8192 numbers of some twenty characters."""


class Vectors:
    """Converts the vectors of one answer."""

    def __init__(self, wanted: str) -> None:
        """`wanted` is `float` or `base64`."""
        self._wanted = _OPENERS[wanted]
        self._rest = b""
        self._is_as_wanted = False

    def feed(self, data: bytes) -> bytes:
        """Converts the next data, as far as it is complete. Raises UpstreamError."""
        if self._is_as_wanted:
            return data
        self._rest += data
        done: list[bytes] = []
        while found := _VECTOR.search(self._rest):
            if found[1] == self._wanted:
                self._is_as_wanted = True
                return b"".join(done) + self.close()
            end = self._rest.find(_CLOSERS[found[1]], found.end())
            if end < 0:
                if len(self._rest) - found.end() > _LONGEST_VECTOR:
                    raise bad_response("an embedding without end")
                done.append(self._take(found.start()))
                return b"".join(done)
            done.append(self._rest[: found.start(1)])
            done.append(_converted(self._rest[found.start(1) : end + 1]))
            self._rest = self._rest[end + 1 :]
        done.append(self._take(max(0, len(self._rest) - _LONGEST_MARK)))
        return b"".join(done)

    def close(self) -> bytes:
        """The rest, at the end."""
        return self._take(len(self._rest))

    def _take(self, size: int) -> bytes:
        taken, self._rest = self._rest[:size], self._rest[size:]
        return taken


def filled(answer: Any, model: str) -> bytes | None:
    """`answer` with its missing members; None if nothing is missing, or it has no vectors.

    `model` is the one that was asked for. Tokens that the upstream does not count are 0, as in
    every answer.
    """
    data = answer.get("data") if isinstance(answer, dict) else None
    if not isinstance(data, list) or not all(isinstance(it, dict) for it in data):
        return None
    whole = _with(answer, object="list", data=data, model=model)
    whole["data"] = [_with(it, object="embedding", index=at) for at, it in enumerate(data)]
    usage = whole.get("usage")
    usage = usage if isinstance(usage, dict) else {}
    tokens = usage.get("total_tokens") or usage.get("prompt_tokens") or 0
    whole["usage"] = _with(usage, prompt_tokens=tokens, total_tokens=tokens)
    return json.encode_body(whole) if whole != answer else None


def _with(fields: json.Json, **defaults: Any) -> json.Json:
    """`fields` with the defaults for its missing members."""
    lacked = {name: value for name, value in defaults.items() if fields.get(name) is None}
    return {**fields, **lacked}


def _converted(vector: bytes) -> bytes:
    """A vector in the other form. Anything else stays as it is. Raises UpstreamError."""
    try:
        value = json.decode(vector)
        return _packed(value) if isinstance(value, list) else _unpacked(value)
    except (ValueError, struct.error, OverflowError):
        raise bad_response("an embedding that is no vector") from None


def _packed(numbers: list[float]) -> bytes:
    raw = struct.pack(f"<{len(numbers)}f", *numbers)
    return b'"' + base64.b64encode(raw) + b'"'


def _unpacked(text: str) -> bytes:
    raw = base64.b64decode(text, validate=True)
    numbers = struct.unpack(f"<{len(raw) // 4}f", raw)
    if not all(map(math.isfinite, numbers)):
        raise ValueError("no numbers")
    return json.encode_body(numbers)
