"""Requests of Messages in no protocol's form: one case for each row of the mapping."""

import hashlib
from typing import Any

import pytest

from tests.protocols.messages.answering import (
    CARRIER,
    ORIGIN,
    USER,
    of_turns,
    prompt,
    recorded,
    request,
)
from xtrix import json
from xtrix.errors import ClientError
from xtrix.prompt import (
    Block,
    Call,
    File,
    Image,
    Opaque,
    OutputFormat,
    Result,
    Sealed,
    Source,
    Text,
    Thinking,
    ToolChoice,
    Turn,
    WebSearch,
)
from xtrix.protocols.messages.calls import seal_extra
from xtrix.protocols.messages.request import decode_prompt

TOOL = {"name": "f", "input_schema": {"type": "object"}}
CALL = {"type": "tool_use", "id": "c1", "name": "f", "input": {"a": 1}}
RESULT = {"type": "tool_result", "tool_use_id": "c1", "content": "done"}
SEALED = Sealed({"reasoning_content": "Well"}, ORIGIN)


def user(*blocks: dict[str, Any] | str) -> dict[str, Any]:
    """A user's message."""
    return {"role": "user", "content": list(blocks) if blocks else "Hi"}


def assistant(*blocks: dict[str, Any]) -> dict[str, Any]:
    """An assistant's message."""
    return {"role": "assistant", "content": list(blocks)}


def system(content: Any = "Note.", **more: Any) -> dict[str, Any]:
    """A system message inside the conversation."""
    return {"role": "system", "content": content, **more}


def roles(*messages: dict[str, Any]) -> list[str]:
    """The roles of the turns that such messages become."""
    return [turn.role for turn in of_turns(*messages).turns]


def block_of(block: dict[str, Any], role: str = "user") -> list[Block]:
    """The block that a block becomes in a message of `role`, the last of the conversation."""
    messages = [user(), {"role": role, "content": [block]}]
    return of_turns(*messages).turns[1].blocks


def refusal(fields: dict[str, Any]) -> ClientError:
    """The error that refuses such a request."""
    with pytest.raises(ClientError) as refused:
        prompt(fields)
    assert refused.value.status == 400
    assert refused.value.param
    assert refused.value.message.startswith(f"{refused.value.param}: ")
    return refused.value


# What Claude Code sends


def test_the_turns_of_claude_codes_request_stay_in_order() -> None:
    turns = prompt(recorded("claude_code")).turns
    assert [(turn.role, turn.path) for turn in turns] == [
        ("system", "system"),
        ("user", "messages.0"),
        ("system", "messages.1"),
        ("assistant", "messages.2"),
        ("user", "messages.3"),
        ("assistant", "messages.4"),
        ("user", "messages.5"),
        ("system", "messages.6"),
    ]


def test_the_line_on_who_pays_is_left_out() -> None:
    texts = [block.text for block in prompt(recorded("claude_code")).turns[0].blocks]  # type: ignore[union-attr]
    assert texts == [
        "You are Claude Code, Anthropic's official CLI for Claude.",
        "You are an agent that helps with software engineering.\nBe brief.",
    ]
    assert prompt(recorded("everything")).turns[0].blocks == [Text("Be brief.", "system")]
    assert prompt({"system": "x-anthropic-billing-header: a"}).turns[0].role == "user"


def test_results_keep_the_order_in_which_they_came_with_all_that_they_show() -> None:
    results = prompt(recorded("claude_code")).turns[4].blocks[:4]
    path = "messages.3.content"
    picture = (
        "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5E"
        "rkJggg=="
    )
    pdf = Source("base64", "JVBERi0xLjQKJSVFT0YK", "application/pdf")
    assert results == [
        Result(
            "toolu_01C",
            [Text("cat: missing: No such file or directory", f"{path}.0.content")],
            is_error=True,
            path=f"{path}.0",
        ),
        Result("toolu_01B", [File(pdf, f"{path}.1.content.0.source")], path=f"{path}.1"),
        Result(
            "toolu_01A",
            [Image(Source("base64", picture, "image/png"), f"{path}.2.content.0.source.data")],
            path=f"{path}.2",
        ),
        Result(
            "toolu_01D",
            [Text("Loaded: mcp__tracker__create_issue", f"{path}.3.content.0")],
            path=f"{path}.3",
        ),
    ]


def test_deferred_tools_are_shown_once_they_were_found() -> None:
    tools = prompt(recorded("claude_code")).tools
    assert [tool.name for tool in tools] == [
        "Bash",
        "mcp__tracker__create_issue",
        "Read",
        "ToolSearch",
    ]
    assert not any(tool.deferred for tool in tools)
    assert [tool.path for tool in tools] == ["tools.0", "tools.2", "tools.4", "tools.5"]


def test_its_settings() -> None:
    asked = prompt(recorded("claude_code"))
    assert asked.settings.max_tokens == 64000
    assert asked.settings.effort == "high"
    assert asked.settings.thinking == {"type": "adaptive", "display": "omitted"}
    assert asked.settings.session == "0b54ea4e-2f21-4c7f-9c1d-3f0de8a1b2c3"
    who = b'{"device_id":"0f5b","account_uuid":""}'
    assert asked.settings.user == hashlib.sha256(who).hexdigest()[:32]
    assert asked.ignored == ("context_management", "thinking.display")
    assert asked.extras == {}
    assert asked.stream


def test_a_user_is_the_same_in_the_next_session() -> None:
    users = {
        prompt({"metadata": {"user_id": user_id}}).settings.user
        for user_id in ('{"device_id":"a","session_id":"1"}', '{"session_id":"2","device_id":"a"}')
    }
    assert len(users) == 1
    assert users != {prompt({"metadata": {"user_id": '{"device_id":"b"}'}}).settings.user}
    assert prompt({"metadata": {"user_id": '{"session_id":"1"}'}}).settings.user is None


def test_calls_carry_their_input_as_it_was() -> None:
    calls = [b for b in prompt(recorded("claude_code")).turns[3].blocks if isinstance(b, Call)]
    assert calls[2].arguments == '{"command":"cat missing","timeout":9007199254740991}'
    assert [call.id for call in calls] == ["toolu_01A", "toolu_01B", "toolu_01C", "toolu_01D"]


# Messages


def test_a_string_is_a_text() -> None:
    assert of_turns(user()).turns == [
        Turn("user", [Text("Hi", "messages.0.content")], "messages.0")
    ]


@pytest.mark.parametrize(
    ("content", "kept"), [("", 1), ([], 1), ([{"type": "text", "text": ""}], 1)], ids=str
)
def test_a_message_without_content_is_no_turn(content: Any, kept: int) -> None:
    assert len(of_turns({"role": "user", "content": content}, user()).turns) == kept


def test_a_request_of_which_nothing_is_left_is_refused() -> None:
    assert refusal({"system": "S", "messages": [{"role": "user", "content": ""}]}).param == (
        "messages"
    )


def test_cache_marks_stay_where_they_were() -> None:
    mark = {"type": "ephemeral", "ttl": "1h"}
    asked = prompt(
        {
            "system": [{"type": "text", "text": "S", "cache_control": mark}],
            "messages": [
                user(),
                assistant({**CALL, "cache_control": mark}),
                user({**RESULT, "cache_control": mark}),
            ],
            "tools": [{**TOOL, "cache_control": mark}],
            "cache_control": mark,
        }
    )
    marked = [turn.blocks[0].cache for turn in asked.turns]
    assert marked == [mark, None, mark, mark]
    assert (asked.tools[0].cache, asked.cache) == (mark, mark)


@pytest.mark.parametrize(
    "messages",
    [
        [user(), system()],
        [user(), system(), assistant({"type": "text", "text": "A"}), user()],
        [user(), assistant(CALL), user(RESULT), system()],
        [user(), system(), system(), assistant({"type": "text", "text": "A"}), user()],
        [system(), user()],
    ],
    ids=["last", "between", "after results", "consecutive", "first"],
)
def test_a_system_message_stays_where_it_is(messages: list[dict[str, Any]]) -> None:
    assert roles(*messages) == [message["role"] for message in messages]


def test_a_cleared_system_message_is_told_no_more() -> None:
    note = system(clear_at="next_user_message", output_config={"effort": "max"})
    assert roles(user(), note, assistant({"type": "text", "text": "A"})) == [
        *("user", "system", "assistant"),
    ]
    asked = of_turns(user(), note, user())
    assert [turn.role for turn in asked.turns] == ["user", "user"]
    assert asked.settings.effort is None


def test_the_last_effort_of_a_system_message_counts() -> None:
    first = {"role": "system", "output_config": {"effort": "low"}}
    second = system(output_config={"effort": "xhigh"})
    asked = of_turns(user(), first, user(), second, output_config={"effort": "high"})
    assert asked.settings.effort == "xhigh"
    assert [turn.role for turn in asked.turns] == ["user", "user", "system"]


def test_a_prefilled_answer_is_the_last_turn() -> None:
    turns = of_turns(user(), {"role": "assistant", "content": "So"}).turns
    assert turns[-1] == Turn("assistant", [Text("So", "messages.1.content")], "messages.1")


@pytest.mark.parametrize(
    ("messages", "path", "message"),
    [
        (
            [user(), assistant(CALL), user()],
            "messages.1",
            "`tool_use` ids were found without `tool_result` blocks immediately after: c1",
        ),
        ([user(), assistant(CALL)], "messages.1", "`tool_use` ids were found without"),
        (
            [
                user(),
                assistant(CALL),
                user(),
                assistant({"type": "text", "text": "A"}),
                user(RESULT),
            ],
            "messages.1",
            "`tool_use` ids were found without",
        ),
        (
            [user(RESULT)],
            "messages.0.content.0",
            "unexpected `tool_use_id` found in `tool_result` blocks: c1",
        ),
        (
            [user(), assistant(CALL), user(RESULT, RESULT)],
            "messages.2.content.1",
            "unexpected `tool_use_id`",
        ),
        (
            [user(), assistant(CALL), system(), user(RESULT)],
            "messages.2.role",
            "a system message may not stand between",
        ),
        ([user(), assistant(CALL, CALL)], "messages.1.content.1.id", "must be unique"),
        ([user(CALL)], "messages.0.content.0", "`tool_use` blocks can only be in `assistant`"),
        (
            [user(), assistant(RESULT)],
            "messages.1.content.0",
            "`tool_result` blocks can only be in `user`",
        ),
        (
            [user(), system([CALL])],
            "messages.1.content.0",
            "`tool_use` blocks can only be in `assistant`",
        ),
        (
            [user(), assistant({"type": "image", "source": {"type": "url", "url": "u"}})],
            "messages.1.content.0.type",
            "'image' cannot be told",
        ),
        ([user({"type": "novel"})], "messages.0.content.0.type", "'novel' cannot be told"),
        (
            [user({"type": "container_upload", "file_id": "file_1"})],
            "messages.0.content.0.type",
            "'container_upload' cannot be told",
        ),
        (
            [user(), assistant(CALL), user({**RESULT, "content": [{"type": "browser_state"}]})],
            "messages.2.content.0.content.0.type",
            "known to Anthropic's models only",
        ),
    ],
    ids=str,
)
def test_what_does_not_belong_together_is_refused_by_its_place(
    messages: list[dict[str, Any]], path: str, message: str
) -> None:
    refused = refusal({"messages": messages})
    assert refused.param == path
    assert message in refused.message


def test_results_may_be_spread_over_neighbours() -> None:
    second = {**CALL, "id": "c2"}
    turns = of_turns(
        user(),
        assistant(CALL),
        assistant(second),
        user(RESULT),
        user({**RESULT, "tool_use_id": "c2"}),
    ).turns
    assert [turn.role for turn in turns] == ["user", "assistant", "assistant", "user", "user"]


def test_an_id_may_come_again_in_a_later_turn() -> None:
    assert len(of_turns(user(), assistant(CALL), user(RESULT), assistant(CALL), user(RESULT)).turns)


# Blocks


def test_pictures() -> None:
    place = "messages.1.content.0.source"
    assert block_of(
        {"type": "image", "source": {"type": "base64", "media_type": "IMAGE/PNG", "data": "iVBO"}}
    ) == [Image(Source("base64", "iVBO", "image/png"), f"{place}.data")]
    assert block_of({"type": "image", "source": {"type": "url", "url": "https://a"}}) == [
        Image(Source("url", "https://a"), f"{place}.url")
    ]


def test_documents() -> None:
    place = "messages.1.content.0.source"
    about = {"title": "T", "context": "C", "citations": {"enabled": True}}
    shared: dict[str, Any] = {"name": "T", "context": "C", "citations": {"enabled": True}}
    pdf = {"type": "base64", "media_type": "application/pdf", "data": "JVBE"}
    assert block_of({"type": "document", "source": pdf, **about}) == [
        File(Source("base64", "JVBE", "application/pdf"), place, **shared)
    ]
    text = {"type": "text", "media_type": "text/plain", "data": "Words"}
    assert block_of({"type": "document", "source": text, **about}) == [
        File(Source("text", "Words", "text/plain"), place, **shared)
    ]
    assert block_of({"type": "document", "source": {"type": "url", "url": "https://a"}}) == [
        File(Source("url", "https://a", "application/pdf"), place)
    ]


def test_a_document_of_blocks_is_text_unless_it_shows_something() -> None:
    place = "messages.1.content.0.source.content"
    words = [{"type": "text", "text": "One"}, {"type": "text", "text": "Two"}]
    source = {"type": "content", "content": words}
    assert block_of({"type": "document", "source": source, "title": "T"}) == [
        File(Source("text", "One\n\nTwo", "text/plain"), place, name="T")
    ]
    picture = {"type": "image", "source": {"type": "url", "url": "https://a"}}
    source = {"type": "content", "content": [*words, picture]}
    assert block_of({"type": "document", "source": source, "title": "T"}) == [
        Text("T", place),
        Text("One", f"{place}.0"),
        Text("Two", f"{place}.1"),
        Image(Source("url", "https://a"), f"{place}.2.source.url"),
    ]


def test_a_search_result_is_text_with_its_source() -> None:
    found = {"type": "search_result", "source": "https://a", "title": "T"}
    assert block_of({**found, "content": [{"type": "text", "text": "So"}]}) == [
        Text("T\nhttps://a\n\nSo", "messages.1.content.0")
    ]


@pytest.mark.parametrize(
    ("block", "path"),
    [
        ({"type": "image", "source": {"type": "file", "file_id": "file_1"}}, "source.file_id"),
        ({"type": "document", "source": {"type": "file", "file_id": "file_1"}}, "source.file_id"),
        ({"type": "image", "source": {"type": "novel"}}, "source.type"),
        ({"type": "document", "source": {"type": "novel"}}, "source.type"),
        (
            {
                "type": "document",
                "source": {"type": "content", "content": [{"type": "tool_reference"}]},
            },
            "source.content.0.type",
        ),
    ],
    ids=str,
)
def test_what_lives_at_anthropic_is_refused(block: dict[str, Any], path: str) -> None:
    assert refusal({"messages": [user(block)]}).param == f"messages.0.content.0.{path}"


@pytest.mark.parametrize("content", [None, "", [], [{"type": "text", "text": ""}]], ids=str)
def test_a_result_may_be_empty(content: Any) -> None:
    result = of_turns(user(), assistant(CALL), user({**RESULT, "content": content})).turns[2]
    assert result.blocks == [Result("c1", [], path="messages.2.content.0")]


def test_text_before_results_stays_before_them() -> None:
    text = {"type": "text", "text": "Here:"}
    blocks = of_turns(user(), assistant(CALL), user(text, RESULT)).turns[2].blocks
    assert [type(block) for block in blocks] == [Text, Result]


def test_thinking_of_anthropics_own_is_sealed_as_it_is() -> None:
    signed = {"type": "thinking", "thinking": "Hm", "signature": "EqQ="}
    path = "messages.1.content.0"
    assert block_of(signed, "assistant") == [Thinking("Hm", Sealed(signed), path)]
    redacted = {"type": "redacted_thinking", "data": "EmwK"}
    assert block_of(redacted, "assistant") == [Thinking("", Sealed(redacted), path)]


def test_thinking_of_another_provider_is_opened() -> None:
    packed = CARRIER.pack(SEALED)
    path = "messages.1.content.0"
    sealed_block = {"type": "thinking", "thinking": "Well", "signature": packed}
    assert block_of(sealed_block, "assistant") == [Thinking("Well", SEALED, path)]
    assert block_of({"type": "redacted_thinking", "data": packed}, "assistant") == [
        Thinking("", SEALED, path)
    ]


def test_thinking_that_nobody_has_signed_is_its_text() -> None:
    path = "messages.1.content.0"
    for signature in ({}, {"signature": ""}, {"signature": None}, {"signature": "xt1.broken"}):
        block = {"type": "thinking", "thinking": "Hm", **signature}
        assert block_of(block, "assistant") == [Thinking("Hm", None, path)]


@pytest.mark.parametrize(
    "block",
    [
        {"type": "thinking", "thinking": "", "signature": ""},
        {"type": "redacted_thinking", "data": ""},
        {"type": "redacted_thinking", "data": "xt1.broken"},
    ],
    ids=str,
)
def test_thinking_that_holds_nothing_is_left_out(block: dict[str, Any]) -> None:
    text = {"type": "text", "text": "A"}
    assert of_turns(user(), assistant(block, text)).turns[1].blocks == [
        Text("A", "messages.1.content.1")
    ]


def test_what_a_call_carries_comes_back_to_it() -> None:
    extra = {"extra_content": {"google": {"thought_signature": "abc"}}}
    packed = CARRIER.pack(seal_extra("c1", extra, ORIGIN))
    sealed_block = {"type": "redacted_thinking", "data": packed}
    turn = of_turns(user(), assistant(sealed_block, CALL), user(RESULT)).turns[1]
    assert turn.blocks == [
        Call("c1", "f", '{"a":1}', extra=extra, path="messages.1.content.1"),
    ]


@pytest.mark.parametrize(
    ("block", "text"),
    [
        (
            {"type": "server_tool_use", "name": "web_search", "input": {"query": "Oslo"}},
            "[web_search: Oslo]",
        ),
        (
            {"type": "server_tool_use", "name": "web_fetch", "input": {"url": "u", "n": 1}},
            '[web_fetch: {"url":"u","n":1}]',
        ),
        (
            {
                "type": "web_search_tool_result",
                "content": [
                    {"title": "Yr", "url": "https://yr.no", "encrypted_content": "SECRET"},
                    {"title": "Met", "url": "https://met.no", "page_age": "1 day"},
                ],
            },
            "[web_search result: Yr https://yr.no; Met https://met.no]",
        ),
        (
            {"type": "web_search_tool_result", "content": {"error_code": "unavailable"}},
            "[web_search result: unavailable]",
        ),
        (
            {
                "type": "code_execution_tool_result",
                "content": {"encrypted_stdout": "SECRET", "stdout": "a\nb", "content": []},
            },
            "[code_execution result: a b]",
        ),
        (
            {"type": "mcp_tool_use", "name": "look", "server_name": "s", "input": {}},
            "[look: {}]",
        ),
        (
            {"type": "mcp_tool_result", "content": [{"type": "text", "text": "Found"}]},
            "[mcp result: Found]",
        ),
        ({"type": "advisor_tool_result", "content": None}, "[advisor result: nothing readable]"),
        ({"type": "compaction", "content": "Earlier."}, "Earlier."),
        ({"type": "compaction", "content": None}, ""),
        ({"type": "fallback", "from": {"model": "a"}, "to": {"model": "b"}}, ""),
        ({"type": "block_of_tomorrow", "x": [1]}, ""),
    ],
    ids=str,
)
def test_what_anthropic_has_run_is_told_in_a_line(block: dict[str, Any], text: str) -> None:
    assert block_of(block, "assistant") == [Opaque("messages", block, text, "messages.1.content.0")]


def test_a_deep_result_is_not_read_to_its_end() -> None:
    deep: Any = "deep"
    for _ in range(100):
        deep = [deep]
    assert block_of({"type": "mcp_tool_result", "content": deep}, "assistant") == [
        Opaque(
            "messages",
            {"type": "mcp_tool_result", "content": deep},
            "[mcp result: nothing readable]",
            "messages.1.content.0",
        )
    ]


def test_a_long_result_is_cut() -> None:
    block = {"type": "web_fetch_tool_result", "content": {"content": {"text": "x" * 100_000}}}
    (opaque,) = block_of(block, "assistant")
    assert isinstance(opaque, Opaque)
    assert len(opaque.text) == 2000


# Tools


def test_tools() -> None:
    asked = prompt(recorded("everything"))
    assert [tool.name for tool in asked.tools] == ["f", "later", "inline"]
    first = asked.tools[0]
    assert (first.kind, first.description, first.schema, first.strict) == (
        *("function", "F", {"type": "object"}, True),
    )
    assert asked.tools[2].path == "messages.1.content.1.tool.definition"


def test_a_tool_may_have_a_name_of_128_characters() -> None:
    assert prompt({"tools": [{**TOOL, "name": "x" * 128}]}).tools[0].name == "x" * 128
    assert refusal({"tools": [{**TOOL, "name": "x" * 129}]}).param == "tools.0.name"


def test_a_search_by_the_vendor_shows_all_tools_and_is_named_as_ignored() -> None:
    search = {"type": "tool_search_tool_regex_20251119", "name": "tool_search_tool_regex"}
    asked = prompt({"tools": [search, {**TOOL, "defer_loading": True}]})
    assert [(tool.name, tool.deferred) for tool in asked.tools] == [("f", False)]
    assert asked.ignored == ("tools.0.type",)


@pytest.mark.parametrize(
    ("tool", "messages", "shown"),
    [
        ({"defer_loading": True}, USER, False),
        ({"defer_loading": False}, USER, True),
        ({"defer_loading": None}, USER, True),
        (
            {"defer_loading": True},
            [
                user(),
                assistant(CALL),
                user({**RESULT, "content": [{"type": "tool_reference", "tool_name": "f"}]}),
            ],
            True,
        ),
        *(
            (
                {"defer_loading": True},
                [
                    user(),
                    *(
                        system([{"type": kind, "tool": {"type": "tool_reference", "name": "f"}}])
                        for kind in kinds
                    ),
                ],
                kinds[-1] == "tool_addition",
            )
            for kinds in (
                ["tool_addition"],
                ["tool_removal"],
                ["tool_addition", "tool_removal"],
                ["tool_removal", "tool_addition"],
            )
        ),
    ],
    ids=str,
)
def test_which_tools_are_in_effect(
    tool: dict[str, Any], messages: list[dict[str, Any]], shown: bool
) -> None:
    asked = prompt({"tools": [{**TOOL, **tool}], "messages": messages})
    assert [each.name for each in asked.tools] == (["f"] if shown else [])


def test_a_deferred_tool_that_must_be_called_is_shown() -> None:
    deferred = {**TOOL, "defer_loading": True}
    asked = prompt({"tools": [deferred], "tool_choice": {"type": "tool", "name": "f"}})
    assert [tool.name for tool in asked.tools] == ["f"]


@pytest.mark.parametrize(
    ("choice", "expected", "parallel"),
    [
        ({"type": "auto"}, ToolChoice("auto"), None),
        ({"type": "any", "disable_parallel_tool_use": True}, ToolChoice("required"), False),
        ({"type": "none"}, ToolChoice("none"), None),
        (
            {"type": "tool", "name": "f", "disable_parallel_tool_use": False},
            ToolChoice("named", "f"),
            None,
        ),
    ],
    ids=str,
)
def test_choices(choice: Any, expected: ToolChoice, parallel: bool | None) -> None:
    asked = prompt({"tools": [TOOL], "tool_choice": choice})
    assert asked.choice == expected
    assert asked.settings.parallel_calls is parallel


def test_a_choice_without_tools() -> None:
    assert (
        prompt({"tool_choice": {"type": "auto", "disable_parallel_tool_use": True}}).choice is None
    )
    assert refusal({"tool_choice": {"type": "any"}}).param == "tool_choice"
    named = {"type": "tool", "name": "g"}
    search = {"type": "web_search_20250305", "name": "web_search"}
    for tools in ([TOOL], [search], [TOOL, search]):
        refused = refusal({"tools": tools, "tool_choice": named})
        assert refused.param == "tool_choice.name"


def test_a_web_search_is_a_setting() -> None:
    asked = prompt(recorded("everything"))
    assert asked.settings.web_search == WebSearch(
        location={"city": "Oslo", "country": "NO"},
        domains=("example.org",),
        max_uses=3,
        path="tools.1.type",
    )


@pytest.mark.parametrize("kind", ["20250305", "20260209", "20260318"])
def test_claude_codes_web_search_is_a_request_of_its_own(kind: str) -> None:
    tool = {"type": f"web_search_{kind}", "name": "web_search", "max_uses": 8}
    choice = {"type": "tool", "name": "web_search"}
    asked = prompt({"tools": [tool], "tool_choice": choice})
    assert (asked.tools, asked.choice) == ([], None)
    assert asked.settings.web_search == WebSearch(max_uses=8, path="tools.0.type")


@pytest.mark.parametrize(
    ("tools", "path"),
    [
        ([{"type": "bash_20250124", "name": "bash"}], "tools.0.type"),
        ([TOOL, {"type": "text_editor_20250728", "name": "e"}], "tools.1.type"),
        ([{"type": "memory_20250818", "name": "memory"}], "tools.0.type"),
        ([{"type": "computer_toolset_20260801"}], "tools.0.type"),
        ([{"type": "code_execution_20250825", "name": "code_execution"}], "tools.0.type"),
        ([{"type": "web_fetch_20250910", "name": "web_fetch"}], "tools.0.type"),
        ([{"type": "mcp_toolset", "mcp_server_name": "s"}], "tools.0.type"),
        (
            [{"type": "web_search_20250305", "name": "web_search", "blocked_domains": ["a.org"]}],
            "tools.0.blocked_domains",
        ),
        ([TOOL, TOOL], "tools.1.name"),
    ],
    ids=str,
)
def test_tools_that_no_other_model_has_are_refused(tools: list[Any], path: str) -> None:
    assert refusal({"tools": tools}).param == path


# Settings


def test_settings() -> None:
    settings = prompt(recorded("everything")).settings
    assert settings.stop == ("END", "STOP")
    assert (settings.temperature, settings.top_p, settings.top_k) == (0.5, 1, 40)
    assert settings.service_tier == "default"
    assert settings.parallel_calls is False
    assert settings.format == OutputFormat(
        "json_schema", "answer", {"type": "object"}, path="output_config.format"
    )
    assert settings.user == hashlib.sha256(b"user-1").hexdigest()[:32]
    assert settings.session == "user-1"


def test_what_is_left_out_is_named() -> None:
    asked = prompt({"novel": 1, "novel_off": None, "tags": [], "x" * 65: 1, "speed": "fast"})
    assert asked.ignored == ("novel", "speed")
    assert prompt(recorded("everything")).ignored == (
        *("output_config.task_budget", "speed", "thinking.block_binding", "thread"),
        *("tools.allowed_callers", "tools.input_examples"),
    )


def test_a_setting_has_the_clients_name() -> None:
    asked = prompt()
    assert asked.param("stop") == "stop_sequences"
    assert asked.param("effort") == "output_config.effort"
    assert asked.param("max_tokens") == "max_tokens"


@pytest.mark.parametrize(
    ("fields", "effort"),
    [
        ({}, None),
        ({"thinking": {"type": "adaptive"}}, None),
        ({"thinking": {"type": "between_tools"}}, None),
        ({"thinking": {"type": "disabled"}}, "none"),
        ({"thinking": {"type": "enabled", "budget_tokens": 1024}}, "low"),
        ({"thinking": {"type": "enabled", "budget_tokens": 2048}}, "medium"),
        ({"thinking": {"type": "enabled", "budget_tokens": 4096}}, "high"),
        ({"thinking": {"type": "enabled", "budget_tokens": 8192}}, "xhigh"),
        ({"thinking": {"type": "enabled", "budget_tokens": 31999}}, "max"),
        (
            {"thinking": {"type": "disabled"}, "output_config": {"effort": "max"}},
            "max",
        ),
    ],
    ids=str,
)
def test_efforts(fields: dict[str, Any], effort: str | None) -> None:
    assert prompt(fields).settings.effort == effort


@pytest.mark.parametrize(
    ("fields", "path"),
    [
        ({"container": "c_1"}, "container"),
        ({"mcp_servers": [{"url": "u"}]}, "mcp_servers"),
        ({"compaction": {"summarize": True}}, "compaction"),
        ({"thread": {"type": "continue", "previous_message_id": "msg_1"}}, "thread"),
        ({"max_tokens": 0}, "max_tokens"),
    ],
    ids=str,
)
def test_what_would_make_the_answer_wrong_is_refused(fields: dict[str, Any], path: str) -> None:
    assert refusal(fields).param == path


def test_what_asks_for_nothing_is_no_reason_to_refuse() -> None:
    assert prompt({"container": None, "mcp_servers": [], "thread": None}).ignored == ()


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"messages": [5]}, "messages.0: Input should be a valid dictionary"),
        ({"messages": [{"content": "a"}]}, "messages.0.role: Field required"),
        (
            {"messages": [{"role": "tool", "content": "a"}]},
            "messages.0.role: Input should be one of 'user', 'assistant', 'system'",
        ),
        ({"messages": [{"role": "user"}]}, "messages.0.content: Field required"),
        ({"messages": [user({})]}, "messages.0.content.0.type: Field required"),
        (
            {"messages": [user(), user({"type": "text", "text": 5})]},
            "messages.1.content.0.text: Input should be a valid string",
        ),
        (
            {"messages": [user({"type": "image", "source": {"type": "base64", "data": ""}})]},
            "messages.0.content.0.source.media_type: Field required",
        ),
        ({"tools": [TOOL, {"name": "g"}]}, "tools.1.input_schema: Field required"),
        ({"tools": [{"type": None}]}, "tools.0.name: Field required"),
        (
            {"output_config": {"effort": "ultra"}},
            "output_config.effort: Input should be 'low', 'medium', 'high', 'xhigh' or 'max'",
        ),
        ({"temperature": 1.5}, "temperature: Input should be less than or equal to 1"),
        ({"max_tokens": True}, "max_tokens: Input should be a valid integer"),
        (
            {"thinking": {"type": "enabled", "budget_tokens": 5}},
            "thinking.budget_tokens: Input should be greater than or equal to 1024",
        ),
    ],
    ids=str,
)
def test_faults_of_shape_name_their_place(fields: dict[str, Any], message: str) -> None:
    assert refusal(fields).message == message


@pytest.mark.timeout(10)
def test_a_large_wrong_list_is_refused_at_the_cost_of_one_fault() -> None:
    body = json.encode_body({"model": "m", "messages": [{"role": "user", "content": [0] * 10**6}]})
    with pytest.raises(ClientError):
        decode_prompt(request(body), CARRIER)


def test_the_request_itself_is_not_changed() -> None:
    for name in ("claude_code", "everything"):
        asked = request(recorded(name))
        decode_prompt(asked, CARRIER)
        assert asked.fields == json.decode(recorded(name))
