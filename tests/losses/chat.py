"""What a client of Chat Completions can ask, each thing alone."""

from typing import Any

from tests.losses.probe import Probe

Json = dict[str, Any]

SCHEMA: Json = {"type": "object", "properties": {"x": {"type": "string"}}}
TOOL: Json = {"type": "function", "function": {"name": "f", "parameters": SCHEMA}}
CUSTOM: Json = {"type": "custom", "custom": {"name": "c"}}
GRAMMAR: Json = {
    "type": "grammar",
    "grammar": {"syntax": "lark", "definition": 'start: "a"'},
}
PNG = "data:image/png;base64,iVBORw0KGgo="
PDF = "data:application/pdf;base64,JVBERi0xLjQK"
USER: Json = {"role": "user", "content": "Hi"}
CALLED: Json = {
    "role": "assistant",
    "tool_calls": [
        {"id": "call_1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    ],
}
TOOLS: Json = {"tools": [TOOL]}
BASE: Json = {"messages": [USER]}


def _says(*messages: Json) -> Json:
    return {"messages": list(messages)}


def _part(part: Json) -> Json:
    return _says({"role": "user", "content": [{"type": "text", "text": "Hi"}, part]})


_PARTS = _says({"role": "user", "content": [{"type": "text", "text": "Hi"}]})
_AFTER = {
    **TOOLS,
    **_says(USER, CALLED, {"role": "tool", "tool_call_id": "call_1", "content": "1"}),
}


def _result(**more: Any) -> Json:
    return _says(USER, CALLED, {"role": "tool", "tool_call_id": "call_1", "content": "1", **more})


PROBES = (
    Probe("stream", {"stream": True}),
    Probe(
        "stream_options.include_usage",
        {"stream_options": {"include_usage": True}},
        {"stream": True},
        silent="a stream's usage is always asked for, and told to who wants it",
    ),
    Probe(
        "stream_options.include_obfuscation",
        {"stream_options": {"include_obfuscation": True}},
        {"stream": True},
        silent="nothing is padded here",
    ),
    Probe("temperature", {"temperature": 0.5}),
    Probe("temperature above 1", {"temperature": 1.5}),
    Probe("top_p", {"top_p": 0.5}),
    Probe("top_k", {"top_k": 5}),
    Probe("max_tokens", {"max_tokens": 100}),
    Probe("max_tokens, a few", {"max_tokens": 5}),
    Probe("max_completion_tokens", {"max_completion_tokens": 100}),
    Probe("n", {"n": 2}),
    Probe("stop", {"stop": ["END"]}),
    Probe("presence_penalty", {"presence_penalty": 0.5}),
    Probe("frequency_penalty", {"frequency_penalty": 0.5}),
    Probe("logit_bias", {"logit_bias": {"1": 2}}),
    Probe("logprobs", {"logprobs": True}),
    Probe("top_logprobs", {"top_logprobs": 3}, {"logprobs": True}),
    Probe("seed", {"seed": 7}),
    Probe("user", {"user": "ann"}),
    Probe("safety_identifier", {"safety_identifier": "ann"}),
    Probe("metadata", {"metadata": {"run": "1"}}),
    Probe("store", {"store": True}),
    Probe("tools: function", TOOLS),
    Probe(
        "tools: function, strict",
        {"tools": [{**TOOL, "function": {**TOOL["function"], "strict": True}}]},
        TOOLS,
    ),
    Probe("tools: custom", {"tools": [CUSTOM]}),
    Probe(
        "tools: custom with a grammar",
        {"tools": [{**CUSTOM, "custom": {**CUSTOM["custom"], "format": GRAMMAR}}]},
        {"tools": [CUSTOM]},
    ),
    Probe("tools: of another type", {"tools": [TOOL, {"type": "novel", "novel": {"x": 1}}]}, TOOLS),
    Probe(
        "tools: cache_control", {"tools": [{**TOOL, "cache_control": {"type": "ephemeral"}}]}, TOOLS
    ),
    Probe("tool_choice: none", {"tool_choice": "none"}, TOOLS),
    Probe("tool_choice: auto", {"tool_choice": "auto"}, TOOLS),
    Probe("tool_choice: required", {"tool_choice": "required"}, TOOLS),
    Probe(
        "tool_choice: a function",
        {"tool_choice": {"type": "function", "function": {"name": "f"}}},
        TOOLS,
    ),
    Probe(
        "tool_choice: a custom tool",
        {"tool_choice": {"type": "custom", "custom": {"name": "c"}}},
        {"tools": [CUSTOM]},
    ),
    Probe(
        "tool_choice: allowed_tools",
        {
            "tool_choice": {
                "type": "allowed_tools",
                "allowed_tools": {
                    "mode": "auto",
                    "tools": [{"type": "function", "function": {"name": "f"}}],
                },
            }
        },
        {"tools": [TOOL, CUSTOM]},
    ),
    Probe("parallel_tool_calls: false", {"parallel_tool_calls": False}, TOOLS),
    Probe("functions", {"functions": [TOOL["function"]]}),
    Probe("function_call", {"function_call": {"name": "f"}}, {"functions": [TOOL["function"]]}),
    Probe(
        "response_format: text", {"response_format": {"type": "text"}}, silent="it is the default"
    ),
    Probe("response_format: json_object", {"response_format": {"type": "json_object"}}),
    Probe(
        "response_format: json_schema",
        {
            "response_format": {
                "type": "json_schema",
                "json_schema": {"name": "answer", "schema": SCHEMA},
            }
        },
    ),
    Probe("reasoning_effort", {"reasoning_effort": "high"}),
    Probe(
        "reasoning_effort: none",
        {"reasoning_effort": "none"},
        silent="this model reasons only when it is asked to",
    ),
    Probe("verbosity", {"verbosity": "low"}),
    Probe("service_tier", {"service_tier": "priority"}),
    Probe("service_tier: auto", {"service_tier": "auto"}),
    Probe("web_search_options", {"web_search_options": {"search_context_size": "low"}}),
    Probe("modalities: text", {"modalities": ["text"]}, silent="it is the default"),
    Probe(
        "modalities: audio",
        {"modalities": ["text", "audio"], "audio": {"voice": "alloy", "format": "wav"}},
    ),
    Probe("prediction", {"prediction": {"type": "content", "content": "Hi"}}),
    Probe("prompt_cache_key", {"prompt_cache_key": "session"}),
    Probe("prompt_cache_retention", {"prompt_cache_retention": "24h"}),
    Probe("prompt_cache_options", {"prompt_cache_options": {"mode": "implicit", "ttl": "30m"}}),
    Probe("moderation", {"moderation": {"model": "omni"}}),
    Probe("Anthropic's thinking", {"thinking": {"type": "enabled", "budget_tokens": 2048}}),
    Probe("Anthropic's cache_control", {"cache_control": {"type": "ephemeral"}}),
    Probe("Anthropic's container", {"container": "container_1"}),
    Probe(
        "Anthropic's mcp_servers",
        {"mcp_servers": [{"type": "url", "url": "https://mcp.test", "name": "m"}]},
    ),
    Probe("Anthropic's betas", {"betas": ["novel-2026-01-01"]}),
    Probe("a field that nobody knows", {"novel": 1}),
    # Messages
    Probe("messages: system", _says({"role": "system", "content": "Be brief."}, USER)),
    Probe("messages: developer", _says({"role": "developer", "content": "Be brief."}, USER)),
    Probe("messages: system, later", _says(USER, {"role": "system", "content": "Be brief."})),
    Probe("messages: assistant", _says(USER, {"role": "assistant", "content": "Hello."}, USER)),
    Probe("messages: assistant, last", _says(USER, {"role": "assistant", "content": "Hello"})),
    Probe(
        "messages: assistant, refusal",
        _says(USER, {"role": "assistant", "refusal": "No."}, USER),
    ),
    Probe("messages: name", _says({**USER, "name": "ann"})),
    Probe("messages: tool_calls and tool", _result(), TOOLS),
    Probe(
        "messages: a custom tool's call",
        _says(
            USER,
            {
                "role": "assistant",
                "tool_calls": [
                    {"id": "c1", "type": "custom", "custom": {"name": "c", "input": "x"}}
                ],
            },
            {"role": "tool", "tool_call_id": "c1", "content": "1"},
        ),
        {"tools": [CUSTOM]},
    ),
    Probe(
        "messages: function_call and function",
        _says(
            USER,
            {"role": "assistant", "function_call": {"name": "f", "arguments": "{}"}},
            {"role": "function", "name": "f", "content": "1"},
        ),
        {"functions": [TOOL["function"]]},
    ),
    Probe(
        "messages: tool, an image",
        _result(content=[{"type": "image_url", "image_url": {"url": PNG}}]),
        _AFTER,
    ),
    Probe(
        "messages: thinking_blocks of this target",
        _says(
            USER,
            {
                "role": "assistant",
                "content": "Hello.",
                "thinking_blocks": [
                    {"type": "thinking", "thinking": "Hm.", "signature": "(sealed here)"}
                ],
            },
            USER,
        ),
        _says(USER, {"role": "assistant", "content": "Hello."}, USER),
        silent="a chat server has no place for them; its own is `reasoning_content`",
    ),
    Probe(
        "messages: thinking_blocks of another",
        _says(
            USER,
            {
                "role": "assistant",
                "content": "Hello.",
                "thinking_blocks": [
                    {"type": "thinking", "thinking": "Hm.", "signature": "(sealed elsewhere)"}
                ],
            },
            USER,
        ),
        _says(USER, {"role": "assistant", "content": "Hello."}, USER),
        silent="a chat server has no place for them; its own is `reasoning_content`",
    ),
    Probe(
        "messages: reasoning_content",
        _says(USER, {"role": "assistant", "content": "Hello.", "reasoning_content": "Hm."}, USER),
        _says(USER, {"role": "assistant", "content": "Hello."}, USER),
        silent="only a row with `reasoning_back` wants readable reasoning back",
    ),
    Probe(
        "messages: cache_control",
        _says({**USER, "cache_control": {"type": "ephemeral"}}),
    ),
    # Parts
    Probe(
        "content: image_url",
        _part({"type": "image_url", "image_url": {"url": "https://a.test/a.png"}}),
        _PARTS,
    ),
    Probe(
        "content: image_url, data", _part({"type": "image_url", "image_url": {"url": PNG}}), _PARTS
    ),
    Probe(
        "content: image_url, detail",
        _part({"type": "image_url", "image_url": {"url": PNG, "detail": "high"}}),
        _part({"type": "image_url", "image_url": {"url": PNG}}),
    ),
    Probe(
        "content: input_audio",
        _part({"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}}),
        _PARTS,
    ),
    Probe(
        "content: file, data",
        _part({"type": "file", "file": {"file_data": PDF, "filename": "a.pdf"}}),
        _PARTS,
    ),
    Probe("content: file, file_id", _part({"type": "file", "file": {"file_id": "file_1"}}), _PARTS),
    Probe(
        "content: refusal",
        _says(
            USER, {"role": "assistant", "content": [{"type": "refusal", "refusal": "No."}]}, USER
        ),
    ),
    Probe("content: of another type", _part({"type": "novel", "novel": 1}), _PARTS),
)
