"""Makes a summary of a conversation, from which the client can continue.

A client asks for it at `/responses/compact`. Codex, with its built-in provider, asks with a
`compaction_trigger` after the items of a normal request; its answer must have exactly one
`compaction` item (observed with Codex 0.169). An upstream of the same protocol makes the summary
itself, if it can. Any other model is asked for a summary in words. The client gets it sealed in a
`compaction` item, and whatever model continues the conversation reads its text.

Source: developers.openai.com/api/docs/guides/compaction and openai-python 3.57.0,
`CompactedResponse` (read 2026-11).
"""

from collections.abc import Mapping
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
"""The fields of the client's request that matter for a summary."""


def decode_request(body: bytes, headers: Mapping[str, str], default_model: str) -> Request:
    """The request in `body`. Raises ClientError.

    It must name a model: a conversation has one already, so there is no default.
    """
    del default_model
    return _compaction_of(responses.decode_request(body, headers, ""))


def decode_stored_request(body: bytes, headers: Mapping[str, str], default_model: str) -> Request:
    """Like `decode_request`, for a request that may refer to kept responses.

    Summaries are not kept.
    """
    del default_model
    return _compaction_of(stored.decode_request(body, headers, ""))._replace(is_kept=False)


def _compaction_of(request: Request) -> Request:
    if not request.model:
        raise missing("model")
    return request._replace(stream=False)


def decode_prompt(request: Request, carrier: Carrier) -> Prompt:
    """A Prompt that asks a model for the summary. Raises ClientError."""
    return responses.decode_prompt(compacting(request), carrier)


def compacting(request: Request) -> Request:
    """The request for a summary of the conversation in `request`."""
    fields = {name: value for name, value in request.fields.items() if name in _KEPT}
    given = fields["input"]
    items = [{"role": "user", "content": given}] if isinstance(given, str) else [*given]
    if responses.ends_in_trigger(given):
        items.pop()
    fields["input"] = [*items, {"role": "user", "content": _WANTED}]
    return request._replace(fields=fields, body=json.encode_body(fields), stream=False)


def decode_triggered(request: Request, carrier: Carrier) -> Prompt:
    """A Prompt for the summary that an item of `request` asks for. Raises ClientError."""
    return responses.decode_prompt(compacting(request)._replace(stream=request.stream), carrier)


class CompactionWriter(WholeWriter):
    """Writes the client's answer to such a request."""

    # `typing.override` came with Python 3.12, and this code also runs on 3.11.
    def body(self) -> Json:  # type: ignore[explicit-override]
        """See `WholeWriter`. Raises UpstreamError if the answer is not a summary."""
        return encode_compaction(super().body(), self._of)


def encode_compaction(response: Json, of: Answering) -> Json:
    """The client's answer, made from the whole `response`. Raises UpstreamError."""
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
