"""What a client of Responses can ask, each thing alone."""

from typing import Any

from tests.losses.probe import Probe

Json = dict[str, Any]

SCHEMA: Json = {"type": "object", "properties": {"x": {"type": "string"}}}
TOOL: Json = {"type": "function", "name": "f", "parameters": SCHEMA}
CUSTOM: Json = {"type": "custom", "name": "c"}
TOOLS: Json = {"tools": [TOOL]}
SPACE: Json = {"type": "namespace", "name": "mcp__m", "description": "M.", "tools": [TOOL]}
PNG = "data:image/png;base64,iVBORw0KGgo="
PDF = "data:application/pdf;base64,JVBERi0xLjQK"
USER: Json = {"role": "user", "content": [{"type": "input_text", "text": "Hi"}]}
SAID: Json = {"role": "assistant", "content": [{"type": "output_text", "text": "Hello."}]}
CALL: Json = {"type": "function_call", "call_id": "c1", "name": "f", "arguments": "{}"}
BASE: Json = {"input": [USER]}


def _input(*items: Json) -> Json:
    return {"input": list(items)}


def _part(part: Json) -> Json:
    return _input({"role": "user", "content": [{"type": "input_text", "text": "Hi"}, part]})


def _output(output: Any) -> Json:
    return _input(USER, CALL, {"type": "function_call_output", "call_id": "c1", "output": output})


def _tool(tool: Json) -> Probe:
    return Probe(f"tools: {tool['type']}", {"tools": [TOOL, tool]}, TOOLS)


_AFTER = {**TOOLS, **_output("1")}
_ANSWERED = _input(USER, SAID, USER)

PROBES = (
    Probe("stream", {"stream": True}),
    Probe(
        "stream_options.include_obfuscation",
        {"stream_options": {"include_obfuscation": True}},
        {"stream": True},
        silent="nothing is padded here",
    ),
    Probe("instructions", {"instructions": "Be brief."}),
    Probe("max_output_tokens", {"max_output_tokens": 100}),
    Probe("max_tool_calls", {"max_tool_calls": 2}),
    Probe("temperature", {"temperature": 0.5}),
    Probe("temperature above 1", {"temperature": 1.5}),
    Probe("top_p", {"top_p": 0.5}),
    Probe("top_k", {"top_k": 5}),
    Probe("presence_penalty", {"presence_penalty": 0.5}),
    Probe("frequency_penalty", {"frequency_penalty": 0.5}),
    Probe("top_logprobs", {"top_logprobs": 3}),
    Probe("include: logprobs", {"include": ["message.output_text.logprobs"]}),
    Probe(
        "include: encrypted_content",
        {"include": ["reasoning.encrypted_content"]},
        silent="it comes unasked",
    ),
    Probe(
        "include: sources of a search",
        {"include": ["web_search_call.action.sources"]},
        silent="it is about the answer, and told there",
    ),
    Probe("text.format: text", {"text": {"format": {"type": "text"}}}, silent="it is the default"),
    Probe("text.format: json_object", {"text": {"format": {"type": "json_object"}}}),
    Probe(
        "text.format: json_schema",
        {"text": {"format": {"type": "json_schema", "name": "answer", "schema": SCHEMA}}},
    ),
    Probe("text.verbosity", {"text": {"verbosity": "low"}}),
    Probe("reasoning.effort", {"reasoning": {"effort": "high"}}),
    Probe(
        "reasoning.effort: none",
        {"reasoning": {"effort": "none"}},
        silent="these models reason only when they are asked to",
    ),
    Probe(
        "reasoning.summary",
        {"reasoning": {"effort": "high", "summary": "detailed"}},
        {"reasoning": {"effort": "high"}},
        silent="what there is of a summary is told unasked",
    ),
    Probe("reasoning.context", {"reasoning": {"context": "all_turns"}}),
    Probe("reasoning.mode", {"reasoning": {"mode": "pro"}}),
    Probe("parallel_tool_calls: false", {"parallel_tool_calls": False}, TOOLS),
    Probe("store: true", {"store": True}, silent="nothing is kept, and the answer says so"),
    Probe("previous_response_id", {"previous_response_id": "resp_1"}),
    Probe("conversation", {"conversation": "conv_1"}),
    Probe("background", {"background": True}),
    Probe("prompt", {"prompt": {"id": "pmpt_1"}}),
    Probe("truncation: auto", {"truncation": "auto"}),
    Probe("context_management", {"context_management": [{"type": "compaction"}]}),
    Probe("metadata", {"metadata": {"run": "1"}}),
    Probe("prompt_cache_key", {"prompt_cache_key": "session"}),
    Probe("prompt_cache_options", {"prompt_cache_options": {"mode": "implicit", "ttl": "30m"}}),
    Probe(
        "prompt_cache_options: explicit",
        {"prompt_cache_options": {"mode": "explicit"}},
    ),
    Probe("prompt_cache_retention", {"prompt_cache_retention": "24h"}),
    Probe("safety_identifier", {"safety_identifier": "ann"}),
    Probe("user", {"user": "ann"}),
    Probe("service_tier", {"service_tier": "priority"}),
    Probe(
        "service_tier: auto",
        {"service_tier": "auto"},
        silent="it is what happens without",
    ),
    Probe("moderation", {"moderation": {"model": "omni"}}),
    Probe(
        "client_metadata",
        {"client_metadata": {"installation": "1"}},
        silent="it holds ids of an installation, and is OpenAI's business alone",
    ),
    Probe("access_programs", {"access_programs": {"x": 1}}, silent="it is OpenAI's business alone"),
    Probe("Anthropic's thinking", {"thinking": {"type": "enabled", "budget_tokens": 2048}}),
    Probe(
        "Anthropic's cache_control",
        {"cache_control": {"type": "ephemeral"}},
        silent="it is asked for in any case",
    ),
    Probe("Anthropic's container", {"container": "container_1"}),
    Probe(
        "Anthropic's mcp_servers",
        {"mcp_servers": [{"type": "url", "url": "https://mcp.test", "name": "m"}]},
    ),
    Probe("Anthropic's betas", {"betas": ["novel-2026-01-01"]}),
    Probe("a field that nobody knows", {"novel": 1}),
    # Tools
    Probe("tools: function", TOOLS),
    Probe("tools: function, strict", {"tools": [{**TOOL, "strict": True}]}, TOOLS),
    Probe(
        "tools: function, defer_loading",
        {"tools": [{**TOOL, "defer_loading": True}]},
        TOOLS,
        silent="without a search all is shown",
    ),
    Probe("tools: function, output_schema", {"tools": [{**TOOL, "output_schema": SCHEMA}]}, TOOLS),
    Probe("tools: custom", {"tools": [CUSTOM]}),
    Probe(
        "tools: custom with a grammar",
        {
            "tools": [
                {
                    **CUSTOM,
                    "format": {"type": "grammar", "syntax": "lark", "definition": 'start: "a"'},
                }
            ]
        },
        {"tools": [CUSTOM]},
    ),
    Probe(
        "tools: custom, format text",
        {"tools": [{**CUSTOM, "format": {"type": "text"}}]},
        {"tools": [CUSTOM]},
        silent="it is the default",
    ),
    Probe("tools: namespace", {"tools": [SPACE]}),
    Probe(
        "tools: tool_search by the client",
        {"tools": [TOOL, {"type": "tool_search", "execution": "client", "parameters": SCHEMA}]},
        TOOLS,
    ),
    Probe("tools: tool_search by the server", {"tools": [TOOL, {"type": "tool_search"}]}, TOOLS),
    _tool({"type": "web_search"}),
    _tool({"type": "image_generation"}),
    _tool({"type": "mcp", "server_label": "m", "server_url": "https://mcp.test"}),
    _tool({"type": "file_search", "vector_store_ids": ["vs_1"]}),
    _tool({"type": "code_interpreter", "container": {"type": "auto"}}),
    _tool({"type": "computer_use_preview"}),
    _tool({"type": "local_shell"}),
    _tool({"type": "apply_patch"}),
    _tool({"type": "novel"}),
    Probe("tool_choice: none", {"tool_choice": "none"}, TOOLS),
    Probe(
        "tool_choice: auto",
        {"tool_choice": "auto"},
        TOOLS,
        silent="it is the default",
    ),
    Probe("tool_choice: required", {"tool_choice": "required"}, TOOLS),
    Probe("tool_choice: a function", {"tool_choice": {"type": "function", "name": "f"}}, TOOLS),
    Probe(
        "tool_choice: a custom tool",
        {"tool_choice": {"type": "custom", "name": "c"}},
        {"tools": [CUSTOM]},
    ),
    Probe(
        "tool_choice: allowed_tools",
        {
            "tool_choice": {
                "type": "allowed_tools",
                "mode": "auto",
                "tools": [{"type": "function", "name": "f"}],
            }
        },
        {"tools": [TOOL, CUSTOM]},
    ),
    Probe("tool_choice: of another type", {"tool_choice": {"type": "web_search_preview"}}, TOOLS),
    # Items
    Probe("message: system", _input({"role": "system", "content": "Be brief."}, USER)),
    Probe("message: developer", _input({"role": "developer", "content": "Be brief."}, USER)),
    Probe("message: developer, later", _input(USER, {"role": "developer", "content": "Be brief."})),
    Probe("message: assistant", _ANSWERED),
    Probe("message: type", _input({"type": "message", **USER}), silent="it need not be said"),
    Probe("message: assistant, last", _input(USER, SAID)),
    Probe(
        "message: phase",
        _input(USER, {**SAID, "phase": "commentary"}, USER),
        _ANSWERED,
        silent="it is about how a text was shown",
    ),
    Probe("function_call and its output", _output("1"), TOOLS),
    Probe(
        "function_call in a namespace",
        _input(
            USER,
            {**CALL, "namespace": "mcp__m"},
            {"type": "function_call_output", "call_id": "c1", "output": "1"},
        ),
        {"tools": [SPACE]},
    ),
    Probe(
        "function_call_output: an image",
        _output([{"type": "input_image", "image_url": PNG}]),
        _AFTER,
    ),
    Probe(
        "custom_tool_call and its output",
        _input(
            USER,
            {"type": "custom_tool_call", "call_id": "c1", "name": "c", "input": "x"},
            {"type": "custom_tool_call_output", "call_id": "c1", "output": "1"},
        ),
        {"tools": [CUSTOM]},
    ),
    Probe(
        "tool_search_call and its output",
        _input(
            USER,
            {"type": "tool_search_call", "call_id": "c1", "execution": "client", "arguments": {}},
            {"type": "tool_search_output", "call_id": "c1", "execution": "client", "tools": [TOOL]},
        ),
        {"tools": [{"type": "tool_search", "execution": "client", "parameters": SCHEMA}]},
    ),
    Probe(
        "reasoning of this target",
        _input(
            USER,
            {"type": "reasoning", "summary": [], "encrypted_content": "(sealed here)"},
            SAID,
            USER,
        ),
        _ANSWERED,
    ),
    Probe(
        "reasoning of another",
        _input(
            USER,
            {"type": "reasoning", "summary": [], "encrypted_content": "(sealed elsewhere)"},
            SAID,
            USER,
        ),
        _ANSWERED,
    ),
    Probe(
        "reasoning without encrypted_content",
        _input(
            USER,
            {"type": "reasoning", "summary": [{"type": "summary_text", "text": "Hm."}]},
            SAID,
            USER,
        ),
        _ANSWERED,
        silent="a summary alone was never the model's own reasoning",
    ),
    Probe("item_reference", _input({"type": "item_reference", "id": "msg_1"}, USER)),
    Probe(
        "additional_tools",
        _input({"type": "additional_tools", "role": "developer", "tools": [TOOL]}, USER),
    ),
    Probe(
        "configuration_update",
        _input({"type": "configuration_update", "reasoning": {"effort": "high"}}, USER),
    ),
    Probe(
        "compaction of another", _input({"type": "compaction", "encrypted_content": "gAAA"}, USER)
    ),
    Probe("compaction_trigger", _input(USER, {"type": "compaction_trigger"})),
    Probe(
        "web_search_call",
        _input(USER, {"type": "web_search_call", "id": "ws_1", "status": "completed"}, SAID, USER),
        _ANSWERED,
    ),
    Probe(
        "mcp_call",
        _input(
            USER,
            {
                "type": "mcp_call",
                "id": "mcp_1",
                "name": "f",
                "server_label": "m",
                "arguments": "{}",
            },
            SAID,
            USER,
        ),
        _ANSWERED,
    ),
    # Parts
    Probe("input_image, URL", _part({"type": "input_image", "image_url": "https://a.test/a.png"})),
    Probe("input_image, data", _part({"type": "input_image", "image_url": PNG})),
    Probe("input_image, file_id", _part({"type": "input_image", "file_id": "file_1"})),
    Probe(
        "input_image, detail",
        _part({"type": "input_image", "image_url": PNG, "detail": "high"}),
        _part({"type": "input_image", "image_url": PNG}),
    ),
    Probe(
        "input_image, detail: original",
        _part({"type": "input_image", "image_url": PNG, "detail": "original"}),
        _part({"type": "input_image", "image_url": PNG}),
        silent="it is refused by whoever does not know it, and costs the answer nothing",
    ),
    Probe(
        "input_file, file_data",
        _part({"type": "input_file", "file_data": PDF, "filename": "a.pdf"}),
    ),
    Probe(
        "input_file, file_url", _part({"type": "input_file", "file_url": "https://a.test/a.pdf"})
    ),
    Probe("input_file, file_id", _part({"type": "input_file", "file_id": "file_1"})),
    Probe(
        "input_audio",
        _part({"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}}),
    ),
    Probe(
        "refusal",
        _input(
            USER, {"role": "assistant", "content": [{"type": "refusal", "refusal": "No."}]}, USER
        ),
    ),
    Probe(
        "prompt_cache_breakpoint",
        _input(
            {
                "role": "user",
                "content": [
                    {
                        "type": "input_text",
                        "text": "Hi",
                        "prompt_cache_breakpoint": {"mode": "explicit"},
                    }
                ],
            }
        ),
    ),
    Probe("a part of another type", _part({"type": "novel", "novel": 1})),
)
