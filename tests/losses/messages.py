"""What a client of Messages can ask, each thing alone."""

from typing import Any

from tests.losses.probe import Probe

Json = dict[str, Any]

SCHEMA: Json = {"type": "object", "properties": {"x": {"type": "string"}}}
TOOL: Json = {"name": "f", "input_schema": SCHEMA}
OTHER: Json = {"name": "g", "input_schema": SCHEMA}
TOOLS: Json = {"tools": [TOOL]}
PNG = "iVBORw0KGgo="
IMAGE: Json = {"type": "base64", "media_type": "image/png", "data": PNG}
CACHE: Json = {"cache_control": {"type": "ephemeral"}}
USER: Json = {"role": "user", "content": [{"type": "text", "text": "Hi"}]}
SAID: Json = {"type": "text", "text": "Hello."}
CALL: Json = {"type": "tool_use", "id": "toolu_1", "name": "f", "input": {}}
BASE: Json = {"max_tokens": 100, "messages": [USER]}


def _says(*messages: Json) -> Json:
    return {"messages": list(messages)}


def _shown(*blocks: Json) -> Json:
    return _says({"role": "user", "content": [{"type": "text", "text": "Hi"}, *blocks]})


def _document(source: Json, **more: Any) -> Json:
    return _shown({"type": "document", "source": source, **more})


def _answered(*blocks: Json) -> Json:
    return _says(USER, {"role": "assistant", "content": list(blocks)}, USER)


def _result(**more: Any) -> Json:
    block = {"type": "tool_result", "tool_use_id": "toolu_1", "content": "1", **more}
    return _says(
        USER, {"role": "assistant", "content": [CALL]}, {"role": "user", "content": [block]}
    )


_TEXT: Json = {"type": "text", "media_type": "text/plain", "data": "Words."}
_AFTER = {**TOOLS, **_result()}

PROBES = (
    Probe("stream", {"stream": True}),
    Probe("max_tokens", {"max_tokens": 200}),
    Probe("max_tokens, a few", {"max_tokens": 5}),
    Probe("max_tokens: 0", {"max_tokens": 0}),
    Probe("system", {"system": "Be brief."}),
    Probe(
        "system: cache_control",
        {"system": [{"type": "text", "text": "Be brief.", **CACHE}]},
        {"system": [{"type": "text", "text": "Be brief."}]},
    ),
    Probe("stop_sequences", {"stop_sequences": ["END"]}),
    Probe("temperature", {"temperature": 0.5}),
    Probe("top_p", {"top_p": 0.5}),
    Probe("top_k", {"top_k": 5}),
    Probe("metadata.user_id", {"metadata": {"user_id": "ann"}}),
    Probe(
        "service_tier: auto",
        {"service_tier": "auto"},
        silent="it is what happens without",
    ),
    Probe(
        "service_tier: standard_only",
        {"service_tier": "standard_only"},
        silent="it is what happens without",
    ),
    Probe("cache_control", CACHE),
    Probe(
        "thinking: enabled",
        {"thinking": {"type": "enabled", "budget_tokens": 2048}, "max_tokens": 4096},
        {"max_tokens": 4096},
    ),
    Probe("thinking: adaptive", {"thinking": {"type": "adaptive"}}),
    Probe(
        "thinking: disabled",
        {"thinking": {"type": "disabled"}},
        silent="these models reason only when they are asked to",
    ),
    Probe(
        "thinking.display",
        {"thinking": {"type": "adaptive", "display": "omitted"}},
        {"thinking": {"type": "adaptive"}},
    ),
    Probe("output_config.effort", {"output_config": {"effort": "high"}}),
    Probe(
        "output_config.format",
        {"output_config": {"format": {"type": "json_schema", "schema": SCHEMA}}},
    ),
    Probe("output_config, of another kind", {"output_config": {"novel": 1}}),
    Probe("container", {"container": "container_1"}),
    Probe(
        "mcp_servers", {"mcp_servers": [{"type": "url", "url": "https://mcp.test", "name": "m"}]}
    ),
    Probe(
        "context_management",
        {"context_management": {"edits": [{"type": "clear_tool_uses_20250919"}]}},
    ),
    Probe("compaction", {"compaction": {"summarize": True}}),
    Probe("thread: new", {"thread": {"type": "new"}}),
    Probe("thread: continue", {"thread": {"type": "continue", "id": "thread_1"}}),
    Probe("inference_geo", {"inference_geo": "us"}),
    Probe("a field that nobody knows", {"novel": 1}),
    # Tools
    Probe("tools", TOOLS),
    Probe(
        "tools: custom", {"tools": [{**TOOL, "type": "custom"}]}, TOOLS, silent="it is the default"
    ),
    Probe("tools: strict", {"tools": [{**TOOL, "strict": True}]}, TOOLS),
    Probe("tools: cache_control", {"tools": [{**TOOL, **CACHE}]}, TOOLS),
    Probe(
        "tools: defer_loading",
        {"tools": [TOOL, {**OTHER, "defer_loading": True}]},
        TOOLS,
        silent="a tool that nobody has found yet is not shown",
    ),
    Probe("tools: input_examples", {"tools": [{**TOOL, "input_examples": [{"x": "a"}]}]}, TOOLS),
    Probe("tools: web_search", {"tools": [{"type": "web_search_20250305", "name": "web_search"}]}),
    Probe(
        "tools: web_search, limits",
        {
            "tools": [
                {
                    "type": "web_search_20250305",
                    "name": "web_search",
                    "max_uses": 2,
                    "allowed_domains": ["a.test"],
                    "user_location": {"type": "approximate", "city": "Paris"},
                }
            ]
        },
    ),
    Probe(
        "tools: web_search, blocked_domains",
        {
            "tools": [
                {
                    "type": "web_search_20250305",
                    "name": "web_search",
                    "blocked_domains": ["a.test"],
                }
            ]
        },
    ),
    Probe(
        "tools: tool_search",
        {
            "tools": [
                TOOL,
                {"type": "tool_search_tool_regex_20251119", "name": "tool_search_tool_regex"},
            ]
        },
        TOOLS,
    ),
    Probe("tools: bash", {"tools": [{"type": "bash_20250124", "name": "bash"}]}),
    Probe(
        "tools: text_editor",
        {"tools": [{"type": "text_editor_20250728", "name": "str_replace_based_edit_tool"}]},
    ),
    Probe(
        "tools: code_execution",
        {"tools": [{"type": "code_execution_20250825", "name": "code_execution"}]},
    ),
    Probe("tools: web_fetch", {"tools": [{"type": "web_fetch_20250910", "name": "web_fetch"}]}),
    Probe("tools: mcp_toolset", {"tools": [{"type": "mcp_toolset", "mcp_server_name": "m"}]}),
    Probe(
        "tool_choice: auto",
        {"tool_choice": {"type": "auto"}},
        TOOLS,
        silent="it is the default",
    ),
    Probe("tool_choice: any", {"tool_choice": {"type": "any"}}, TOOLS),
    Probe("tool_choice: tool", {"tool_choice": {"type": "tool", "name": "f"}}, TOOLS),
    Probe("tool_choice: none", {"tool_choice": {"type": "none"}}, TOOLS),
    Probe(
        "tool_choice.disable_parallel_tool_use",
        {"tool_choice": {"type": "auto", "disable_parallel_tool_use": True}},
        {**TOOLS, "tool_choice": {"type": "auto"}},
    ),
    # What a user or a tool shows
    Probe("image, data", _shown({"type": "image", "source": IMAGE})),
    Probe(
        "image, URL",
        _shown({"type": "image", "source": {"type": "url", "url": "https://a.test/a.png"}}),
    ),
    Probe(
        "image, file", _shown({"type": "image", "source": {"type": "file", "file_id": "file_1"}})
    ),
    Probe(
        "document, PDF",
        _document({"type": "base64", "media_type": "application/pdf", "data": "JVBERi0xLjQK"}),
    ),
    Probe("document, text", _document(_TEXT)),
    Probe(
        "document, text with title and context",
        _document(_TEXT, title="T", context="C"),
        _document(_TEXT),
    ),
    Probe("document, citations", _document(_TEXT, citations={"enabled": True}), _document(_TEXT)),
    Probe("document, URL", _document({"type": "url", "url": "https://a.test/a.pdf"})),
    Probe(
        "document, content",
        _document({"type": "content", "content": [SAID, {"type": "image", "source": IMAGE}]}),
    ),
    Probe("document, file", _document({"type": "file", "file_id": "file_1"})),
    Probe(
        "search_result",
        _shown(
            {"type": "search_result", "source": "https://a.test", "title": "T", "content": [SAID]}
        ),
    ),
    Probe("container_upload", _shown({"type": "container_upload", "file_id": "file_1"})),
    Probe(
        "text, cache_control",
        _says({"role": "user", "content": [{"type": "text", "text": "Hi", **CACHE}]}),
    ),
    # Calls and their results
    Probe("tool_use and tool_result", _result(), TOOLS),
    Probe("tool_result: is_error", _result(is_error=True), _AFTER),
    Probe("tool_result: an image", _result(content=[{"type": "image", "source": IMAGE}]), _AFTER),
    Probe(
        "tool_result: a document", _result(content=[{"type": "document", "source": _TEXT}]), _AFTER
    ),
    Probe(
        "tool_result: tool_reference",
        {
            **_result(content=[{"type": "tool_reference", "tool_name": "g"}]),
            "tools": [TOOL, {**OTHER, "defer_loading": True}],
        },
        _AFTER,
    ),
    # The conversation
    Probe("assistant", _answered(SAID)),
    Probe("assistant, last", _says(USER, {"role": "assistant", "content": "Hello"})),
    Probe(
        "system, later",
        _says(
            USER,
            {"role": "assistant", "content": "Hello."},
            {"role": "system", "content": "Be brief."},
            USER,
        ),
        _answered(SAID),
    ),
    Probe(
        "system, effort",
        _says(
            USER,
            {"role": "assistant", "content": [SAID]},
            {"role": "system", "content": "Be brief.", "output_config": {"effort": "high"}},
            USER,
        ),
        _says(
            USER,
            {"role": "assistant", "content": [SAID]},
            {"role": "system", "content": "Be brief."},
            USER,
        ),
    ),
    Probe(
        "thinking of this target, if it is not Anthropic",
        _answered({"type": "thinking", "thinking": "Hm.", "signature": "(sealed here)"}, SAID),
        _answered(SAID),
    ),
    Probe(
        "thinking of another",
        _answered({"type": "thinking", "thinking": "Hm.", "signature": "(sealed elsewhere)"}, SAID),
        _answered(SAID),
    ),
    Probe(
        "thinking of Anthropic's own",
        _answered({"type": "thinking", "thinking": "Hm.", "signature": "c2ln"}, SAID),
        _answered(SAID),
    ),
    Probe(
        "redacted_thinking of Anthropic's own",
        _answered({"type": "redacted_thinking", "data": "ZGF0YQ=="}, SAID),
        _answered(SAID),
    ),
    Probe(
        "server_tool_use and its result",
        _answered(
            {
                "type": "server_tool_use",
                "id": "srvtoolu_1",
                "name": "web_search",
                "input": {"query": "q"},
            },
            {
                "type": "web_search_tool_result",
                "tool_use_id": "srvtoolu_1",
                "content": [
                    {
                        "type": "web_search_result",
                        "url": "https://a.test",
                        "title": "T",
                        "encrypted_content": "x",
                    }
                ],
            },
            SAID,
        ),
        _answered(SAID),
    ),
    Probe(
        "compaction, a block",
        _answered({"type": "compaction", "content": "Earlier."}, SAID),
        _answered(SAID),
    ),
    Probe(
        "tool_addition",
        {
            **_says(
                USER,
                {"role": "assistant", "content": [SAID]},
                {
                    "role": "system",
                    "content": [
                        {"type": "tool_addition", "tool": {"type": "tool_reference", "name": "g"}}
                    ],
                },
                USER,
            ),
            "tools": [TOOL, {**OTHER, "defer_loading": True}],
        },
        {**_answered(SAID), "tools": [TOOL]},
    ),
    Probe(
        "tool_addition: tool_definition",
        {
            **_says(
                USER,
                {"role": "assistant", "content": [SAID]},
                {
                    "role": "system",
                    "content": [
                        {
                            "type": "tool_addition",
                            "tool": {"type": "tool_definition", "definition": OTHER},
                        }
                    ],
                },
                USER,
            ),
        },
        {**_answered(SAID), "tools": [TOOL]},
    ),
    Probe(
        "tool_removal",
        {
            **_says(
                USER,
                {"role": "assistant", "content": [SAID]},
                {
                    "role": "system",
                    "content": [
                        {"type": "tool_removal", "tool": {"type": "tool_reference", "name": "g"}}
                    ],
                },
                USER,
            ),
            "tools": [TOOL, OTHER],
        },
        {**_answered(SAID), "tools": [TOOL, OTHER]},
    ),
    Probe("a block of another type", _shown({"type": "novel", "x": 1})),
)
