"""The readable log: what a line says, and which lines are not about a request."""

import json
import re
import time
from typing import Any

import pytest

from tests.play import gateway, play
from tools import log_lines

WHEN = time.struct_time((2026, 11, 26, 14, 55, 3, 3, 330, 0))
RECORD: dict[str, Any] = {
    "id": "req_1",
    "method": "POST",
    "path": "/v1/messages",
    "status": 200,
    "model": "best",
    "stream": False,
    "provider": "anthropic",
    "upstream_model": "claude-sonnet-4-6",
    "failures": [],
    "prompt_tokens": 12,
    "completion_tokens": 340,
    "key": "laptop",
    "cost": 0.00514,
    "first_byte_ms": 310,
    "total_ms": 1240,
}


def shown(**changed: Any) -> str:
    record = {name: value for name, value in {**RECORD, **changed}.items() if value is not None}
    line = log_lines.readable(json.dumps(record), WHEN)
    assert line is not None
    return re.sub(r"\x1b\[\d+m", "", line)


def test_a_request_is_one_line() -> None:
    assert shown() == (
        "14:55:03  laptop  best → anthropic/claude-sonnet-4-6  200"
        "  12 + 340 tokens  $0.0051  1240 ms"
    )


def test_a_stream_says_when_it_began() -> None:
    assert shown(stream=True).endswith("1240 ms, first 310")


def test_what_is_not_known_is_left_out() -> None:
    unknown = ("model", "provider", "upstream_model", "prompt_tokens", "completion_tokens")
    nothing = dict.fromkeys((*unknown, "key", "cost", "failures"))
    assert shown(**nothing, method="GET", path="/v1/models") == (
        "14:55:03  GET /v1/models  200  1240 ms"
    )


def test_an_error_and_what_failed_before_are_named() -> None:
    assert "  503 server_is_overloaded  " in shown(status=503, error="server_is_overloaded")
    assert "  — client_left  " in shown(status=0, error="client_left")
    assert shown(failures=["anthropic 529", "openai timeout"]).endswith(
        "after anthropic 529, openai timeout"
    )


@pytest.mark.parametrize(
    ("changed", "colour"),
    [
        ({}, "32"),
        ({"status": 404}, "31"),
        ({"error": "upstream_truncated"}, "31"),
        ({"status": 0, "error": "client_left"}, "33"),
    ],
)
def test_the_colour_says_whether_it_went_well(changed: dict[str, Any], colour: str) -> None:
    line = log_lines.readable(json.dumps({**RECORD, **changed}), WHEN)
    assert line is not None
    assert f"\x1b[{colour}m{changed.get('status', 200) or '—'}" in line


@pytest.mark.parametrize(
    "line",
    [
        "",
        "Ready on http://127.0.0.1",
        "{",
        "[]",
        "{}",
        '{"crash": "ValueError"}',
        '{"id": "req_1"}',
    ],
)
def test_another_line_is_left_as_it_is(line: str) -> None:
    assert log_lines.readable(line, WHEN) is None


def test_the_core_s_own_line_is_one() -> None:
    played = play(gateway(), b"{")
    line = log_lines.readable(json.dumps(played.log), WHEN)
    assert line is not None
    assert "400 invalid_json" in line


def test_nothing_in_a_line_commands_the_terminal() -> None:
    line = shown(path="/\x1b[2J\x07", model=None, key="a\nb")
    assert "\x1b" not in line
    assert "\x07" not in line
    assert "\n" not in line
