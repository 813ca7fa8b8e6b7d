"""A conversation summed up, so that its client can go on with a shorter one.

A client asks for it at `/responses/compact`. The model is asked for a summary in a request like any
other, and the summary goes to the client sealed as a `compaction` item, which says its text again
to whatever model the conversation goes on with.

Source: developers.openai.com/api/docs/guides/compaction and openai-python 3.57.0,
`CompactedResponse` (read 2026-11).
"""

from dataclasses import replace
from typing import Any

from xtrix import json
from xtrix.errors import bad_response
from xtrix.prompt import Sealed
from xtrix.protocol import Answering, Request
from xtrix.shape import missing

Json = dict[str, Any]

PATH = "/compact"
"""After that of the protocol's calls."""

_WANTED = (
    "Sum up this conversation for somebody who has to go on with it and cannot read it: what is "
    "wanted, what was decided and why, what has been done and with what result, which files, names "
    "and values matter, and what is left to do. Keep exact what has to be exact. Answer with the "
    "summary alone."
)
_KEPT = {"model", "instructions", "input", "prompt_cache_key", "safety_identifier", "user"}
"""What of the client's request matters to a summary."""
_HEAD = "A summary of the conversation so far:\n\n"
_SUMMARY = "summary"


def compacting(request: Request) -> Request:
    """The request for a summary of the conversation in `request`. Raises ClientError.

    A model has to be named: no default stands in where a conversation has one already.
    """
    if not request.model:
        raise missing("model")
    fields = {name: value for name, value in request.fields.items() if name in _KEPT}
    given = fields["input"]
    items = [{"role": "user", "content": given}] if isinstance(given, str) else given
    fields["input"] = [*items, {"role": "user", "content": _WANTED}]
    return replace(request, fields=fields, body=json.encode_body(fields), stream=False)


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
        "encrypted_content": of.carrier.pack(Sealed({_SUMMARY: summary}, of.origin)),
    }
    return {
        "id": f"resp_{token}",
        "object": "response.compaction",
        "created_at": of.stamp.created,
        "output": [item],
        "usage": response["usage"],
    }


def summary_in(sealed: Sealed | None) -> str | None:
    """What a model is told of a conversation that was summed up; None where it was not, by us."""
    summary = sealed.value.get(_SUMMARY) if sealed else None
    return f"{_HEAD}{summary}" if isinstance(summary, str) else None
