"""What an upstream of each dialect can answer, each thing alone."""

from typing import Any, NamedTuple

from tests.least import TEXT, WHOLE

Json = dict[str, Any]


class Said(NamedTuple):
    """An answer that says one thing more, or another, than the least one."""

    name: str
    answer: Json


def _anthropic(name: str, *blocks: Json, text: str = TEXT, **more: Any) -> Said:
    content = [*blocks, {"type": "text", "text": text}] if text else [*blocks]
    return Said(name, {**WHOLE["anthropic"], "content": content, **more})


def _cited(citation: Json) -> Json:
    return {"content": [{"type": "text", "text": TEXT, "citations": [citation]}]}


_USAGE = {"input_tokens": 12, "output_tokens": 7}
_TOOL_USE: Json = {"type": "tool_use", "id": "toolu_1", "name": "f", "input": {"x": "a"}}
_SEARCH: Json = {"type": "server_tool_use", "id": "srvtoolu_1"}
_FOUND: Json = {
    "type": "web_search_tool_result",
    "tool_use_id": "srvtoolu_1",
    "content": [
        {
            "type": "web_search_result",
            "url": "https://a.test",
            "title": "T",
            "encrypted_content": "ZGF0YQ==",
        }
    ],
}

ANTHROPIC = (
    _anthropic("two blocks of text", {"type": "text", "text": "Once. "}),
    _anthropic("no text", text=""),
    _anthropic("thinking", {"type": "thinking", "thinking": "Hm.", "signature": "c2ln"}),
    _anthropic("redacted_thinking", {"type": "redacted_thinking", "data": "ZGF0YQ=="}),
    _anthropic("tool_use", _TOOL_USE, text="", stop_reason="tool_use"),
    _anthropic(
        "two tool_use",
        _TOOL_USE,
        {**_TOOL_USE, "id": "toolu_2"},
        text="",
        stop_reason="tool_use",
    ),
    _anthropic(
        "web_search",
        {**_SEARCH, "name": "web_search", "input": {"query": "q"}},
        _FOUND,
    ),
    _anthropic(
        "citations of a search",
        text="",
        **_cited(
            {
                "type": "web_search_result_location",
                "url": "https://a.test",
                "title": "T",
                "cited_text": "They",
                "encrypted_index": "aQ==",
            }
        ),
    ),
    _anthropic(
        "citations of a document",
        text="",
        **_cited(
            {
                "type": "char_location",
                "cited_text": "They",
                "document_index": 0,
                "document_title": "T",
                "start_char_index": 0,
                "end_char_index": 4,
            }
        ),
    ),
    _anthropic(
        "code_execution",
        {**_SEARCH, "name": "bash_code_execution", "input": {"command": "ls"}},
        {
            "type": "bash_code_execution_tool_result",
            "tool_use_id": "srvtoolu_1",
            "content": {"type": "bash_code_execution_result", "stdout": "a", "content": []},
        },
    ),
    _anthropic(
        "mcp_tool_use",
        {"type": "mcp_tool_use", "id": "mcptoolu_1", "name": "f", "server_name": "m", "input": {}},
        {"type": "mcp_tool_result", "tool_use_id": "mcptoolu_1", "content": []},
    ),
    _anthropic("container_upload", {"type": "container_upload", "file_id": "file_1"}),
    _anthropic("a block of another type", {"type": "novel", "x": 1}),
    *(
        _anthropic(f"stop_reason: {reason}", stop_reason=reason)
        for reason in (
            *("max_tokens", "pause_turn", "refusal", "model_context_window_exceeded", "novel"),
        )
    ),
    _anthropic(
        "stop_reason: refusal, explained",
        stop_reason="refusal",
        stop_details={"type": "refusal", "explanation": "No."},
    ),
    _anthropic("stop_sequence", stop_reason="stop_sequence", stop_sequence="END"),
    _anthropic(
        "usage: cache",
        usage={
            **_USAGE,
            "cache_read_input_tokens": 5,
            "cache_creation_input_tokens": 3,
            "cache_creation": {"ephemeral_5m_input_tokens": 1, "ephemeral_1h_input_tokens": 2},
        },
    ),
    _anthropic("usage: service_tier", usage={**_USAGE, "service_tier": "priority"}),
    _anthropic("usage: searches", usage={**_USAGE, "server_tool_use": {"web_search_requests": 1}}),
    _anthropic("container", container={"id": "container_1", "expires_at": "2026-11-26"}),
    _anthropic("a member of another name", novel=1),
)


def _chat(
    name: str, message: Json | None = None, *, finish: str = "stop", choice: Any = (), **more: Any
) -> Said:
    said = {"content": TEXT} if message is None else message
    told = {"index": 0, "message": said, "finish_reason": finish, **dict(choice)}
    return Said(name, {**WHOLE["openai"], "choices": [told], **more})


_COUNTS = {"prompt_tokens": 12, "completion_tokens": 7, "total_tokens": 19}
_CALL: Json = {
    "id": "call_1",
    "type": "function",
    "function": {"name": "f", "arguments": '{"x":"a"}'},
}
_CUSTOM: Json = {"id": "call_1", "type": "custom", "custom": {"name": "c", "input": "x"}}
_LOGPROB: Json = {"token": TEXT, "logprob": -0.5, "bytes": [84], "top_logprobs": []}

CHAT = (
    _chat("no text", {"content": ""}),
    _chat("refusal", {"content": None, "refusal": "No."}),
    _chat("reasoning_content", {"content": TEXT, "reasoning_content": "Hm."}),
    _chat(
        "reasoning_details, encrypted",
        {"content": TEXT, "reasoning_details": [{"type": "reasoning.encrypted", "data": "ZA=="}]},
    ),
    _chat("tool_calls", {"content": None, "tool_calls": [_CALL]}, finish="tool_calls"),
    _chat(
        "two tool_calls",
        {"content": None, "tool_calls": [_CALL, {**_CALL, "id": "call_2"}]},
        finish="tool_calls",
    ),
    _chat("tool_calls: custom", {"content": None, "tool_calls": [_CUSTOM]}, finish="tool_calls"),
    _chat(
        "tool_calls: more members",
        {
            "content": None,
            "tool_calls": [{**_CALL, "extra_content": {"google": {"thought_signature": "c2ln"}}}],
        },
        finish="tool_calls",
    ),
    _chat(
        "function_call",
        {"content": None, "function_call": {"name": "f", "arguments": "{}"}},
        finish="function_call",
    ),
    _chat(
        "annotations",
        {
            "content": TEXT,
            "annotations": [
                {
                    "type": "url_citation",
                    "url_citation": {
                        "url": "https://a.test",
                        "title": "T",
                        "start_index": 0,
                        "end_index": 4,
                    },
                }
            ],
        },
    ),
    _chat("logprobs", choice={"logprobs": {"content": [_LOGPROB], "refusal": None}}),
    _chat(
        "audio", {"content": None, "audio": {"id": "audio_1", "data": "AAAA", "transcript": "A"}}
    ),
    _chat(
        "images", {"content": TEXT, "images": [{"type": "image_url", "image_url": {"url": "x"}}]}
    ),
    Said(
        "several choices",
        {
            **WHOLE["openai"],
            "choices": [
                *WHOLE["openai"]["choices"],
                {"index": 1, "message": {"content": "No."}, "finish_reason": "stop"},
            ],
        },
    ),
    _chat("finish_reason: length", finish="length"),
    _chat("finish_reason: content_filter", finish="content_filter"),
    _chat("finish_reason: novel", finish="novel"),
    _chat(
        "usage: details",
        usage={
            **_COUNTS,
            "prompt_tokens_details": {"cached_tokens": 5, "audio_tokens": 1},
            "completion_tokens_details": {
                "reasoning_tokens": 3,
                "accepted_prediction_tokens": 1,
            },
        },
    ),
    _chat("service_tier", service_tier="priority"),
    _chat("a member of another name", {"content": TEXT, "novel": {"x": "y"}}),
)


def _responses(name: str, *items: Json, text: bool = True, **more: Any) -> Said:
    output = [*items, *(WHOLE["openai-responses"]["output"] if text else ())]
    return Said(name, {**WHOLE["openai-responses"], "output": output, **more})


def _part(part: Json) -> Json:
    return {"type": "message", "role": "assistant", "content": [part]}


def _annotated(annotation: Json) -> Json:
    return _part({"type": "output_text", "text": TEXT, "annotations": [annotation]})


_FUNCTION: Json = {
    "type": "function_call",
    "id": "fc_1",
    "status": "completed",
    "call_id": "call_1",
    "name": "f",
    "arguments": '{"x":"a"}',
}

RESPONSES = (
    _responses("two messages", _part({"type": "output_text", "text": "Once. "})),
    _responses(
        "message: commentary",
        {**_part({"type": "output_text", "text": "Once. "}), "phase": "commentary"},
    ),
    _responses("no message", text=False),
    _responses("refusal", _part({"type": "refusal", "refusal": "No."}), text=False),
    _responses(
        "reasoning, readable",
        {"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": "Hm."}]},
    ),
    _responses(
        "reasoning, encrypted",
        {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "gAAA"},
    ),
    _responses("function_call", _FUNCTION, text=False),
    _responses(
        "two function_call",
        _FUNCTION,
        {**_FUNCTION, "id": "fc_2", "call_id": "call_2"},
        text=False,
    ),
    _responses(
        "custom_tool_call",
        {
            "type": "custom_tool_call",
            "id": "ctc_1",
            "status": "completed",
            "call_id": "call_1",
            "name": "c",
            "input": "x",
        },
        text=False,
    ),
    _responses(
        "web_search_call",
        {
            "type": "web_search_call",
            "id": "ws_1",
            "status": "completed",
            "action": {"type": "search", "query": "q", "queries": ["q"]},
        },
    ),
    _responses(
        "annotations: url_citation",
        _annotated(
            {
                "type": "url_citation",
                "url": "https://a.test",
                "title": "T",
                "start_index": 0,
                "end_index": 4,
            }
        ),
        text=False,
    ),
    _responses(
        "annotations: file_citation",
        _annotated({"type": "file_citation", "file_id": "file_1", "filename": "a", "index": 0}),
        text=False,
    ),
    _responses(
        "logprobs",
        _part({"type": "output_text", "text": TEXT, "annotations": [], "logprobs": [_LOGPROB]}),
        text=False,
    ),
    *(
        _responses(kind, {"type": kind, "id": "x_1", "status": "completed"})
        for kind in (
            *("file_search_call", "code_interpreter_call", "image_generation_call", "mcp_call"),
            "novel",
        )
    ),
    _responses(
        "incomplete: max_output_tokens",
        status="incomplete",
        incomplete_details={"reason": "max_output_tokens"},
    ),
    _responses(
        "incomplete: content_filter",
        status="incomplete",
        incomplete_details={"reason": "content_filter"},
    ),
    _responses("incomplete: novel", status="incomplete", incomplete_details={"reason": "novel"}),
    _responses(
        "usage: details",
        usage={
            "input_tokens": 12,
            "input_tokens_details": {"cached_tokens": 5, "cache_write_tokens": 3},
            "output_tokens": 7,
            "output_tokens_details": {"reasoning_tokens": 3},
            "total_tokens": 19,
        },
    ),
    _responses("service_tier", service_tier="priority"),
    _responses("a member of another name", novel=1),
)
