"""Anthropic's own parameters, which a client of OpenAI's protocols may also send.

They are passed on unchanged if their type is right. The upstream checks their content. `betas`
becomes a header, so only plain words of it are passed on.

Sources, read 2026-11: platform.claude.com/docs/en/agents-and-tools/mcp-connector,
…/build-with-claude/skills-guide (`container`) and …/api/beta-headers.
"""

import re
from typing import Any

from xtrix.errors import invalid, invalid_type

Body = dict[str, Any]

EXTENSIONS = ("container", "mcp_servers")
BETA_HEADER = "anthropic-beta"
MOST_BETAS = 32

_BETA = re.compile(r"[A-Za-z0-9_.-]{1,64}")
_TOOLS = re.compile(r"mcp_toolset|code_execution_[0-9]{8}")


def is_own_tool(kind: str) -> bool:
    """Whether `kind` is a tool that Anthropic runs and that one of these parameters needs.

    Each MCP server must be named by a toolset, and code is executed in a container.
    """
    return _TOOLS.fullmatch(kind) is not None


def encode_extensions(fields: Body) -> Body:
    """The fields of the request that are passed on unchanged. Raises ClientError."""
    found = {name: fields[name] for name in EXTENSIONS if name in fields}
    if not found:
        return found
    _check(found)
    return {name: value for name, value in found.items() if value}


def check_thinking(thinking: object) -> None:
    """Raises ClientError for a `thinking` that is not in Anthropic's form."""
    if thinking is None:
        return
    if not isinstance(thinking, dict):
        raise invalid_type("thinking", "it should be an object.")
    if not isinstance(thinking.get("type"), str):
        raise invalid_type("thinking.type", "it should be a string.")
    budget = thinking.get("budget_tokens")
    if budget is not None and type(budget) is not int:
        raise invalid_type("thinking.budget_tokens", "it should be an integer.")
    if budget is not None and budget < 0:
        raise invalid("thinking.budget_tokens", "it is less than 0.")


def _check(fields: Body) -> None:
    if not isinstance(fields.get("container", ""), str | dict):
        raise invalid_type("container", "it should be a string or an object.")
    servers = fields.get("mcp_servers", [])
    if not isinstance(servers, list):
        raise invalid_type("mcp_servers", "it should be an array.")
    for index, server in enumerate(servers):
        if not isinstance(server, dict):
            raise invalid_type(f"mcp_servers[{index}]", "it should be an object.")


def encode_betas(betas: object, ours: str) -> str:
    """The header's value: the row's own features, `ours`, then the client's. Raises ClientError."""
    if not isinstance(betas, list):
        raise invalid_type("betas", "it should be an array.")
    if len(betas) > MOST_BETAS:
        raise invalid("betas", f"there are more than {MOST_BETAS}.")
    for index, beta in enumerate(betas):
        if not isinstance(beta, str):
            raise invalid_type(f"betas[{index}]", "it should be a string.")
        if not _BETA.fullmatch(beta):
            raise invalid(f"betas[{index}]", "it is not 1 to 64 letters, digits, '_', '.' or '-'.")
    own = [name.strip() for name in ours.split(",")]
    return ",".join(dict.fromkeys(name for name in (*own, *betas) if name))
