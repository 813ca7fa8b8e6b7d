"""Rewrites a whole OpenAI-compatible answer so that it has the form that clients expect.

Further members of messages and calls are kept, except those that `answer.trim` removes, so that a
stream adds up to the same answer. Further members of the answer, of a choice and of the usage are
left out. Missing members are added.
"""

from typing import Any

from xtrix import json
from xtrix.answer import Usage, served_by
from xtrix.errors import bad_response
from xtrix.openai.errors import error_of
from xtrix.protocol import Answering, Whole
from xtrix.protocols.chat.answer import (
    choice_index,
    finish_reason,
    logprobs_of,
    trim,
    unknown_reason,
    usage_of,
)
from xtrix.protocols.chat.completion import encode_choice, encode_completion
from xtrix.protocols.chat.tools import NAMELESS, ToolCalls
from xtrix.upstream import decode_answer


def relay_whole(body: bytes, of: Answering) -> Whole:
    """The completion in `body`. Raises UpstreamError."""
    answer = decode_answer(body)
    if isinstance(answer.get("error"), dict):
        raise error_of(answer["error"])
    choices = answer.get("choices")
    if not isinstance(choices, list) or not choices:
        raise bad_response("no choices")
    read = [_choice(each, index) for index, each in enumerate(choices)]
    if len({choice["index"] for choice in read}) < len(read):
        raise bad_response("two choices of one index")
    tier = answer.get("service_tier")
    usage = usage_of(answer.get("usage")) or Usage()
    completion = encode_completion(
        of.stamp,
        read,
        usage,
        tier if isinstance(tier, str) else None,
    )
    unknown = unknown_reason([each.get("finish_reason") for each in choices])
    reasons = tuple(choice["finish_reason"] for choice in read)
    return Whole(json.encode_body(completion), usage, unknown, reasons, served_by(tier))


def _choice(choice: object, index: int) -> dict[str, Any]:
    message = choice.get("message") if isinstance(choice, dict) else None
    if not isinstance(choice, dict) or not isinstance(message, dict):
        raise bad_response("a choice without a message")
    known = trim(message)
    named = known.pop("tool_calls", None)
    index = choice_index(choice, index)
    calls = ToolCalls(f"call_{index}").whole(named) if isinstance(named, list) else []
    if not known.get("function_call", {"name": "none"}).get("name"):
        raise bad_response(NAMELESS)
    if calls:
        known["tool_calls"] = calls
    silent = calls or known.get("refusal") or known.get("function_call")
    whole = {"role": "assistant", "content": None if silent else "", "refusal": None}
    reason = finish_reason(choice.get("finish_reason"), called=bool(calls))
    return encode_choice(whole | known, reason, index, logprobs_of(choice))
