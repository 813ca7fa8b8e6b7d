"""Writes the `response` object: the answer, and what was asked.

A stream has it three times, and the client's tools and instructions in it may be long. So what does
not change is serialised once.

Source: openai-python 3.57.0, `Response`; openresponses.org, edition of 2026-04-24, which wants more
of its members (both read 2026-11).
"""

from typing import Any, NamedTuple

from xtrix import json
from xtrix.answer import Usage
from xtrix.errors import ApiError
from xtrix.protocol import Stamp
from xtrix.protocols.responses.frames import Fragments, Frames
from xtrix.protocols.responses.usage import encode_usage

Json = dict[str, Any]

_DEFAULTS: Json = {
    "instructions": None,
    "max_output_tokens": None,
    "max_tool_calls": None,
    "metadata": {},
    "parallel_tool_calls": True,
    "previous_response_id": None,
    "prompt_cache_key": None,
    "safety_identifier": None,
    "temperature": 1.0,
    "tool_choice": "auto",
    "top_logprobs": 0,
    "top_p": 1.0,
    "truncation": "disabled",
    "presence_penalty": 0.0,
    "frequency_penalty": 0.0,
    "user": None,
}
"""The values of absent parameters. All parameters are repeated in the object."""

_KNOWN_CODES = {
    *("context_length_exceeded", "insufficient_quota", "usage_not_included", "invalid_prompt"),
    *("model_not_found", "server_is_overloaded", "rate_limit_exceeded", "slow_down"),
    *("cyber_policy", "bio_policy"),
}
"""The codes of a failed response that clients know. At most of them Codex gives up at once; at any
other it tries five times again."""


class State(NamedTuple):
    """The members of a response that change while it is written."""

    status: str = "in_progress"
    output: Fragments = []  # noqa: RUF012  # it is never changed
    usage: Usage | None = None
    service_tier: str | None = None
    completed_at: int | None = None
    """Unix seconds."""
    incomplete: str | None = None
    """Why it was cut off."""
    error: Json | None = None


class Resource:
    """The object of one answer."""

    def __init__(self, stamp: Stamp, fields: Json, *, is_kept: bool = False) -> None:
        """`fields` are the request's; `is_kept` if the client may read the answer again."""
        identity = {
            "id": f"resp_{stamp.token}",
            "object": "response",
            "created_at": stamp.created,
            "model": stamp.model,
        }
        echo = {
            **identity,
            "background": False,
            "store": is_kept,
            **_echo(fields),
        }
        self._head = json.encode_line(echo)[:-1].encode()

    def fragments(self, state: State) -> Fragments:
        """The object, in `state`."""
        incomplete = {"reason": state.incomplete} if state.incomplete else None
        changing = {
            "status": state.status,
            "completed_at": state.completed_at,
            "error": state.error,
            "incomplete_details": incomplete,
            "service_tier": state.service_tier or "default",
            "usage": encode_usage(state.usage) if state.usage else None,
        }
        middle = f',{json.encode_line(changing)[1:-1]},"output":['
        return [self._head, middle, *state.output, "]}"]


def tell_failure(frames: Frames, resource: Resource, state: State, error: ApiError) -> None:
    """Writes the end of a stream that failed with `error` in `state`, in two forms.

    Some clients see only `error`, some only the failed response. Open items stay open, as with
    OpenAI.
    """
    members = {"message": error.message, "type": error.error_type, "param": error.param}
    error_json = json.encode_line({"code": error.code, **members})
    frames.tell("error", f',"error":{error_json}')
    failed = state._replace(status="failed", error={"code": _known_code(error), **members})
    frames.tell("response.failed", ',"response":', *resource.fragments(failed))
    frames.done()


def _known_code(error: ApiError) -> str:
    if error.code in _KNOWN_CODES:
        return error.code
    return "invalid_prompt" if error.error_type == "invalid_request_error" else "server_error"


def _echo(fields: Json) -> Json:
    """The request's parameters, as far as the object contains them."""
    echo = {
        name: default if (value := fields.get(name)) is None else value
        for name, default in _DEFAULTS.items()
    }
    reasoning = fields.get("reasoning") or {}
    summary = reasoning.get("summary") or reasoning.get("generate_summary")
    text = fields.get("text") or {}
    return {
        **echo,
        "reasoning": {"effort": reasoning.get("effort"), "summary": summary},
        "text": {
            "format": _format(text.get("format")),
            "verbosity": text.get("verbosity") or "medium",
        },
        "tools": [_tool(tool) for tool in fields.get("tools") or ()],
    }


_FORMAT = {"description": None, "strict": False}
_FUNCTION = {"description": None, "parameters": None, "strict": None}


def _format(fields: Json | None) -> Json:
    if not fields:
        return {"type": "text"}
    if fields["type"] != "json_schema":
        return fields
    return _FORMAT | {name: value for name, value in fields.items() if value is not None}


def _tool(fields: Json) -> Json:
    return _FUNCTION | fields if fields["type"] == "function" else fields
