"""A conversation summed up, so that its client can go on with a shorter one.

A client asks for it at `/responses/compact`, or, as Codex does of its built-in provider, with a
`compaction_trigger` behind the items of a request like any other, whose answer is to be exactly one
`compaction` item (observed with Codex 0.169). An upstream of the same protocol sums up itself, if
it can. Any other model is asked for a summary in words, and the summary goes to the client sealed
as a `compaction` item, which says its text again to whatever model the conversation goes on with.

Source: developers.openai.com/api/docs/guides/compaction and openai-python 3.57.0,
`CompactedResponse` (read 2026-11).
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from xtrix import json
from xtrix.errors import bad_response
from xtrix.prompt import Prompt
from xtrix.protocol import Answering, Request
from xtrix.protocols.responses import request as responses
from xtrix.protocols.responses import stored
from xtrix.protocols.responses.summary import seal_summary
from xtrix.protocols.responses.writer import WholeWriter
from xtrix.reasoning import Carrier
from xtrix.shape import missing

Json = dict[str, Any]

_WANTED = (
    "Sum up this conversation for somebody who has to go on with it and cannot read it: what is "
    "wanted, what was decided and why, what has been done and with what result, which files, names "
    "and values matter, and what is left to do. Keep exact what has to be exact. Answer with the "
    "summary alone."
)
_KEPT = {"model", "instructions", "input", "prompt_cache_key", "safety_identifier", "user"}
"""What of the client's request matters to a summary."""


def decode_request(body: bytes, headers: Mapping[str, str], default_model: str) -> Request:
    """The request that `body` spells. Raises ClientError.

    A model has to be named: no default stands in where a conversation has one already.
    """
    del default_model
    return _compaction_of(responses.decode_request(body, headers, ""))


def decode_stored_request(body: bytes, headers: Mapping[str, str], default_model: str) -> Request:
    """As `decode_request`, of a request that may refer to what is kept. No summary is kept."""
    del default_model
    return replace(_compaction_of(stored.decode_request(body, headers, "")), is_kept=False)


def _compaction_of(request: Request) -> Request:
    if not request.model:
        raise missing("model")
    return replace(request, stream=False)


def decode_prompt(request: Request, carrier: Carrier) -> Prompt:
    """What asks a model for the summary. Raises ClientError."""
    return responses.decode_prompt(compacting(request), carrier)


def compacting(request: Request) -> Request:
    """The request for a summary of the conversation in `request`."""
    fields = {name: value for name, value in request.fields.items() if name in _KEPT}
    given = fields["input"]
    items = [{"role": "user", "content": given}] if isinstance(given, str) else [*given]
    if responses.ends_in_trigger(given):
        items.pop()
    fields["input"] = [*items, {"role": "user", "content": _WANTED}]
    return replace(request, fields=fields, body=json.encode_body(fields), stream=False)


def decode_triggered(request: Request, carrier: Carrier) -> Prompt:
    """What asks a model for the summary that an item of `request` asks for. Raises ClientError."""
    return responses.decode_prompt(replace(compacting(request), stream=request.stream), carrier)


class CompactionWriter(WholeWriter):
    """Writes the answer to such a request as the client's."""

    # `typing.override` came with Python 3.12, and this runs on 3.11 too.
    def body(self) -> Json:  # type: ignore[explicit-override]
        """As `WholeWriter` has it. Raises UpstreamError for what is no summary."""
        return encode_compaction(super().body(), self._of)


def encode_compaction(response: Json, of: Answering) -> Json:
    """The client's answer, of the whole `response` to such a request. Raises UpstreamError."""
    parts = [part for item in response["output"] for part in item.get("content") or ()]
    summary = "".join(part["text"] for part in parts if part["type"] == "output_text")
    if not summary or response["status"] != "completed":
        raise bad_response("it is no whole summary")
    token = of.stamp.token
    item = {
        "id": f"cmp_{token}_0",
        "type": "compaction",
        "encrypted_content": of.carrier.pack(seal_summary(summary, of.origin)),
    }
    return {
        "id": f"resp_{token}",
        "object": "response.compaction",
        "created_at": of.stamp.created,
        "output": [item],
        "usage": response["usage"],
    }
