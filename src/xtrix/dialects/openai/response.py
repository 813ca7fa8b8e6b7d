"""A whole answer of an OpenAI-compatible upstream, brought to the contract.

What the upstream says beyond the contract is kept. What it leaves out is filled in.
"""

from typing import Any

from xtrix import json
from xtrix.completions import Completion, Usage, choice
from xtrix.dialect import Asked
from xtrix.dialects.openai.answer import finish_reason, usage_of
from xtrix.dialects.openai.errors import error_of
from xtrix.errors import bad_response


def decode_response(body: bytes, asked: Asked) -> Completion:  # noqa: ARG001 - the client's own form
    """The completion that `body` spells. Raises UpstreamError."""
    try:
        answer = json.decode_object(body)
    except ValueError:
        raise bad_response("not a JSON object") from None
    if isinstance(answer.get("error"), dict):
        raise error_of(answer["error"])
    choices = answer.get("choices")
    if not isinstance(choices, list) or not choices:
        raise bad_response("no choices")
    tier = answer.get("service_tier")
    return Completion(
        [_choice(said, index) for index, said in enumerate(choices)],
        usage_of(answer.get("usage")) or Usage(),
        tier if isinstance(tier, str) else None,
    )


def _choice(said: object, index: int) -> dict[str, Any]:
    message = said.get("message") if isinstance(said, dict) else None
    if not isinstance(said, dict) or not isinstance(message, dict):
        raise bad_response("a choice without a message")
    known = {key: value for key, value in message.items() if value is not None}
    reasoning = known.pop("reasoning", None)
    if isinstance(reasoning, str):
        known.setdefault("reasoning_content", reasoning)
    calls = known.pop("tool_calls", None)
    if isinstance(calls, list) and calls:
        known["tool_calls"] = calls
    content = known.pop("content", None if calls or known.get("refusal") else "")
    whole = {"role": "assistant", "content": content, "refusal": known.pop("refusal", None)}
    reason = finish_reason(said.get("finish_reason"), called=bool(calls))
    answer = choice(whole | known, reason, said.get("index", index))
    answer["logprobs"] = said.get("logprobs")
    return answer
