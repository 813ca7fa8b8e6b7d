"""The SDKs of the tests: the present version of each, and the major version before it."""

import pytest

from tests.clients import processes, python_messages, python_sdk
from tests.clients.sdk import Serve

OPENAI: dict[str, Serve] = {
    "openai-python": python_sdk.serve,
    "openai-python-2": processes.older_python("tests.clients.python_sdk"),
    "openai-node": processes.node("node_sdk.mjs", "openai"),
    "openai-node-6": processes.node("node_sdk.mjs", "openai-6"),
}
ANTHROPIC: dict[str, Serve] = {
    "anthropic-python": python_messages.serve,
    "anthropic-python-0": processes.older_python("tests.clients.python_messages"),
    "anthropic-node": processes.node("node_messages.mjs", "@anthropic-ai/sdk"),
    "anthropic-node-0": processes.node("node_messages.mjs", "anthropic-sdk-0"),
}

PRESENT = pytest.mark.parametrize("sdk", ["openai-python", "openai-node"], indirect=True)
"""For what would take long with all of them, or what only these do."""
