"""Decodes the settings of a request of Messages, and whom it is for.

Sources, read 2026-11: platform.claude.com/docs/en/api/messages, …/build-with-claude/effort and
…/extended-thinking. The budgets that efforts stand for are LiteLLM's defaults (constants.py).
"""

import hashlib
import re
from collections.abc import Mapping

from xtrix import json
from xtrix.prompt import Json, OutputFormat, Settings
from xtrix.protocols.messages.tools import Tools

SESSION_HEADER = "x-claude-code-session-id"
SETTING_NAMES = {
    "stop": "stop_sequences",
    "effort": "output_config.effort",
    "format": "output_config.format",
    "user": "metadata.user_id",
    "session": "metadata.user_id",
    "cache": "cache_control",
    "parallel_calls": "tool_choice.disable_parallel_tool_use",
}
"""The client's names of settings that have another name here."""

_TIERS = {"auto": "auto", "standard_only": "default"}
_SMALLEST_BUDGETS = {16384: "max", 8192: "xhigh", 4096: "high", 2048: "medium", 0: "low"}
_WORD = re.compile(r"[A-Za-z0-9_-]{1,64}")
_OLD_USER_ID = re.compile(r"(.+)_session_([0-9a-f-]{36})")
"""The form of Claude Code's user ids before 2026: `user_…_account_…_session_…`."""
_SESSION = "session_id"


def session_of(fields: Json, headers: Mapping[str, str]) -> str | None:
    """A text that identifies the conversation: Claude Code's session, else the end user."""
    user_id = _user_id(fields)
    return headers.get(SESSION_HEADER) or _divided(user_id)[1] or user_id or None


def decode_settings(
    fields: Json, tools: Tools, effort: str | None, session: str | None
) -> Settings:
    """The settings of a request. `effort` is the last one that a system message asks for."""
    choice = fields.get("tool_choice") or {}
    who, _ = _divided(_user_id(fields))
    is_single = bool(choice.get("disable_parallel_tool_use")) and bool(tools.tools)
    return Settings(
        max_tokens=fields.get("max_tokens"),
        temperature=fields.get("temperature"),
        top_p=fields.get("top_p"),
        top_k=fields.get("top_k"),
        stop=tuple(fields.get("stop_sequences") or ()),
        effort=effort or _effort(fields),
        thinking=fields.get("thinking"),
        format=_format(fields),
        user=_hash(who) if who else None,
        session=_plain(session),
        service_tier=_TIERS.get(fields.get("service_tier", "")),
        parallel_calls=False if is_single else None,
        web_search=tools.web_search,
    )


def _effort(fields: Json) -> str | None:
    """The effort that the client asks for, or that its thinking budget amounts to."""
    config = fields.get("output_config") or {}
    thinking = fields.get("thinking") or {}
    if config.get("effort"):
        return str(config["effort"])
    if thinking.get("type") == "disabled":
        return "none"
    if thinking.get("type") == "enabled":
        budget = thinking["budget_tokens"]
        return next(word for least, word in _SMALLEST_BUDGETS.items() if budget >= least)
    return None


def _format(fields: Json) -> OutputFormat | None:
    wanted = (fields.get("output_config") or {}).get("format")
    if not wanted:
        return None
    path = SETTING_NAMES["format"]
    return OutputFormat("json_schema", "answer", wanted["schema"], path=path)


def _user_id(fields: Json) -> str:
    """`metadata.user_id`; empty if it is not a text."""
    metadata = fields.get("metadata")
    user_id = metadata.get("user_id") if isinstance(metadata, dict) else None
    return user_id if isinstance(user_id, str) else ""


def _divided(user_id: str) -> tuple[str, str | None]:
    """The user and the session in a user id. Claude Code puts both into one text."""
    if old := _OLD_USER_ID.fullmatch(user_id):
        return old[1], old[2]
    try:
        parts = json.decode_object(user_id) if user_id.startswith("{") else {}
    except ValueError:
        parts = {}
    session = parts.pop(_SESSION, None)
    if not isinstance(session, str):
        return user_id, None
    return json.encode(parts) if parts else "", session


def _plain(session: str | None) -> str | None:
    """`session` in a form that every provider accepts."""
    if session is None or _WORD.fullmatch(session):
        return session
    return _hash(session)


def _hash(text: str) -> str:
    """32 hex digits that distinguish users without naming them."""
    return hashlib.sha256(text.encode(errors="replace")).hexdigest()[:32]
