"""Encoding Prompts from other protocols as Chat Completions requests, rule by rule."""

import base64
from typing import Any

import pytest

from xtrix import json
from xtrix.answer import ToolName
from xtrix.errors import ClientError
from xtrix.prompt import (
    Audio,
    Block,
    Call,
    File,
    Image,
    Opaque,
    Origin,
    OutputFormat,
    Prompt,
    Refusal,
    Result,
    Role,
    Sealed,
    Settings,
    Source,
    Text,
    Thinking,
    Tool,
    ToolChoice,
    Turn,
    WebSearch,
)
from xtrix.protocol import Encoded
from xtrix.protocols.chat.encode import encode_prompt
from xtrix.providers import TAKEN, Family, Provider, Quirks, Target

PLAIN = "local-model"
"""A model that no table knows."""
OPENAI = Quirks(
    rename={"max_tokens": "max_completion_tokens"},
    takes=(
        *("verbosity", "metadata", "prompt_cache_key", "safety_identifier", "service_tier"),
        *("messages.refusal", "tools.custom", "tool_choice.allowed_tools", "web_search_options"),
    ),
)
USER = Turn("user", [Text("Hi")], "messages[0]")
Json = dict[str, Any]


def target(model: str = PLAIN, quirks: Quirks | None = None, **said: Any) -> Target:
    provider = Provider("row", "openai", "https://up.test/v1", quirks=quirks or Quirks(), **said)
    return Target(provider, model)


def prompt(*turns: Turn, **said: Any) -> Prompt:
    return Prompt([*turns] or [USER], **said)


def asked(wanted: Prompt, to: Target | None = None) -> Json:
    """The body that `wanted` becomes, without its model."""
    body = json.decode_object(encode_prompt(wanted, to or target()).request.body)
    assert body.pop("model") == (to or target()).model
    return body


def messages(*turns: Turn, to: Target | None = None) -> list[Json]:
    found: list[Json] = asked(prompt(*turns), to)["messages"]
    return found


def ignored(wanted: Prompt, to: Target | None = None) -> tuple[str, ...]:
    return encode_prompt(wanted, to or target()).ignored


def refusal(wanted: Prompt, to: Target | None = None) -> ClientError:
    with pytest.raises(ClientError) as caught:
        encode_prompt(wanted, to or target())
    assert caught.value.status == 400
    return caught.value


def settings(**said: Any) -> Prompt:
    return prompt(settings=Settings(**said))


def user(*blocks: Block) -> Turn:
    return Turn("user", [*blocks], "messages[0]")


def assistant(*blocks: Block) -> Turn:
    return Turn("assistant", [*blocks], "messages[1]")


def system(text: str, role: Role = "system") -> Turn:
    return Turn(role, [Text(text)])


def call(call_id: str = "a", name: str = "f", arguments: str = "{}", **said: Any) -> Call:
    return Call(call_id, name, arguments, **said)


def result(call_id: str = "a", *content: Block, **said: Any) -> Result:
    return Result(call_id, [*content], **said)


INSIDE = target(families=(Family("*", "both", "none", (), system_inside=True),))


# The call itself


def test_the_call() -> None:
    to = target(key="sk-1")
    request = encode_prompt(prompt(), to).request
    assert request.url == "https://up.test/v1/chat/completions"
    assert ("authorization", "Bearer sk-1") in request.headers
    assert json.decode(request.body) == {
        "model": PLAIN,
        "messages": [{"role": "user", "content": "Hi"}],
    }


def test_a_stream_asks_for_its_usage() -> None:
    body = asked(prompt(stream=True))
    assert (body["stream"], body["stream_options"]) == (True, {"include_usage": True})
    silent = asked(prompt(stream=True), target(quirks=Quirks(stream_usage=False)))
    assert "stream_options" not in silent


def test_what_the_row_renames_and_drops_is_named_as_the_client_names_it() -> None:
    quirks = Quirks(rename={"max_completion_tokens": "max_tokens"}, drop=("temperature", "seed"))
    wanted = settings(max_tokens=7, temperature=0.5)
    wanted.names = {"max_tokens": "max_output_tokens", "temperature": "heat"}
    assert asked(wanted, target(quirks=quirks))["max_tokens"] == 7
    assert ignored(wanted, target(quirks=quirks)) == ("heat",)
    gone = Quirks(drop=("max_completion_tokens",))
    assert ignored(wanted, target(quirks=gone)) == ("max_output_tokens",)


def test_roles_and_null_content_of_the_row() -> None:
    quirks = Quirks(roles={"developer": "system"}, null_content=False)
    to = target("gpt-5", quirks)
    turns = [system("Be brief.", "developer"), USER, assistant(call()), user(result())]
    said = messages(*turns, to=to)
    assert said[0]["role"] == "system"
    assert said[2]["content"] == ""


# System


def test_system_text_in_front_is_one_message() -> None:
    """Chat templates of local models accept one system message first, and no developer message."""
    said = messages(system("A", "developer"), Turn("system", [Text("B"), Text("C")]), USER)
    assert said == [
        {"role": "system", "content": "A\n\nB\n\nC"},
        {"role": "user", "content": "Hi"},
    ]


def test_system_text_inside_is_the_users_behind_results() -> None:
    said = messages(
        *(system("A"), USER, assistant(call()), user(result("a", Text("1")), Text("x"))),
        *(system("B"), assistant(Text("y")), system("C"), user(Text("z"))),
    )
    assert [message["role"] for message in said] == [
        *("system", "user", "assistant", "tool", "user", "assistant", "user"),
    ]
    assert said[4]["content"] == "x\n\n<system>\nB\n</system>"
    assert said[6]["content"] == "<system>\nC\n</system>\n\nz"


def test_system_text_stays_where_it_is_where_the_model_bears_it() -> None:
    said = messages(
        *(system("A"), system("B", "developer"), USER, assistant(call())),
        *(system("C"), user(result("a", Text("1"))), system("D")),
        to=INSIDE,
    )
    assert [(message["role"], message["content"]) for message in said] == [
        *(("system", "A"), ("developer", "B"), ("user", "Hi"), ("assistant", None)),
        *(("tool", "1"), ("system", "C"), ("system", "D")),
    ]


@pytest.mark.parametrize("model", ["gpt-5.1", "gpt-4o", "o3", "openai/gpt-6"])
def test_openais_models_bear_it(model: str) -> None:
    said = messages(system("A"), USER, system("B", "developer"), to=target(model))
    assert [message["role"] for message in said] == ["system", "user", "developer"]


def test_empty_text_is_no_message() -> None:
    assert messages(system(""), user(Text(""), Text("Hi")), user(Text(""))) == [
        {"role": "user", "content": "Hi"}
    ]


# The user's parts


def test_text_alone_is_a_string() -> None:
    """DeepSeek and others accept no lists of parts."""
    said = messages(user(Text("a"), Text("b")), user(Text("c")))
    assert said == [{"role": "user", "content": "a\n\nb\n\nc"}]


PNG = base64.b64encode(b"\x89PNG....").decode()


def test_pictures() -> None:
    blocks: list[Block] = [
        Image(Source("base64", PNG, "image/png")),
        Image(Source("base64", "AAAA")),
        Image(Source("url", "https://a.test/x.png"), detail="low"),
        Image(Source("url", "https://a.test/y.png"), detail="original"),
        Text("What?"),
    ]
    assert messages(user(*blocks))[0]["content"] == [
        {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PNG}"}},
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}},
        {"type": "image_url", "image_url": {"url": "https://a.test/x.png", "detail": "low"}},
        {"type": "image_url", "image_url": {"url": "https://a.test/y.png"}},
        {"type": "text", "text": "What?"},
    ]


def test_files() -> None:
    pdf = Source("base64", "JVBERi0=", "application/pdf")
    parts = messages(user(File(pdf, name="a.pdf"), File(pdf)))[0]["content"]
    data = "data:application/pdf;base64,JVBERi0="
    assert [part["file"] for part in parts] == [
        {"filename": "a.pdf", "file_data": data},
        {"filename": "document.pdf", "file_data": data},
    ]


def test_text_files_are_text() -> None:
    coded = base64.b64encode("größe".encode()).decode()
    blocks = [
        File(Source("text", "one", "text/plain"), name="a.txt", context="Read it."),
        File(Source("base64", coded, "text/csv")),
    ]
    assert messages(user(*blocks))[0]["content"] == "[document: a.txt]\nRead it.\none\n\ngröße"


def test_audio() -> None:
    part = messages(user(Audio("AAAA", "wav")))[0]["content"][0]
    assert part == {"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}}


@pytest.mark.parametrize(
    "block",
    [
        Image(Source("id", "file-1"), "here"),
        File(Source("id", "file-1"), "here"),
        File(Source("url", "https://a.test/x.pdf", "application/pdf"), "here"),
        File(Source("base64", "AAAAA", "text/plain"), "here"),
    ],
)
def test_what_the_upstream_cannot_read_is_refused_by_its_place(block: Block) -> None:
    assert refusal(prompt(user(block))).param == "here"


def test_blocks_of_other_protocols_are_what_may_be_told_of_them() -> None:
    blocks: list[Block] = [Opaque("messages", {}, "told"), Opaque("messages", {}), Refusal("No.")]
    assert messages(user(*blocks))[0]["content"] == "told\n\nNo."


# The assistant


def test_an_assistants_turn_is_one_message() -> None:
    turns = [
        *(USER, assistant(Text("Let me "), Text("see."), call("a"), Text("And"), call("b", "g"))),
        *(assistant(Text("Done.")), user(result("a"), result("b"))),
    ]
    said = messages(*turns)[1]
    assert said["content"] == "Let me see.\n\nAnd\n\nDone."
    assert [each["id"] for each in said["tool_calls"]] == ["a", "b"]


def test_calls() -> None:
    turns = [USER, assistant(call(arguments='{"x":1}'), call("b", "g", "")), USER]
    said = messages(*turns)[1]
    assert said == {
        "role": "assistant",
        "content": None,
        "tool_calls": [
            {"id": "a", "type": "function", "function": {"name": "f", "arguments": '{"x":1}'}},
            {"id": "b", "type": "function", "function": {"name": "g", "arguments": "{}"}},
        ],
    }


def test_refusals_are_told_as_such_where_they_can_be() -> None:
    turns = [USER, assistant(Text("Well."), Refusal("No.")), USER]
    assert messages(*turns)[1] == {"role": "assistant", "content": "Well.\n\nNo."}
    said = messages(*turns, to=target(quirks=OPENAI))[1]
    assert said == {"role": "assistant", "content": "Well.", "refusal": "No."}


def test_what_an_assistant_cannot_say() -> None:
    block = Image(Source("url", "https://a.test/x.png"), "messages.1.content.0.source.url")
    assert refusal(prompt(USER, assistant(block), USER)).param == block.path


def test_a_turn_of_which_nothing_is_left_takes_nothing_else_with_it() -> None:
    said = messages(USER, assistant(Thinking("Hm")), user(Text("b")))
    assert [message["content"] for message in said] == ["Hi", "b"]


def test_a_last_turn_of_the_assistants_is_refused() -> None:
    """Most upstreams would begin a new turn instead of going on."""
    refused = refusal(prompt(USER, assistant(Text("{"))))
    assert refused.param == "messages[1]"
    able = target(families=(Family("*", "both", "none", (), prefill=True),))
    assert messages(USER, assistant(Text("{")), to=able)[-1]["content"] == "{"


# Results


def test_results_come_right_behind_the_calls_in_their_order() -> None:
    said = messages(
        *(USER, assistant(call("a"), call("b"), call("c"))),
        *(user(Text("x"), result("c", Text("3"))), system("S"), user(result("a", Text("1")))),
        *(user(Text("y"), result("b", Text("2")), Text("z")), assistant(Text("ok")), USER),
    )
    assert [(message["role"], message.get("tool_call_id")) for message in said[2:5]] == [
        ("tool", "a"),
        ("tool", "b"),
        ("tool", "c"),
    ]
    assert [message["content"] for message in said[2:6]] == [
        *("1", "2", "3", "x\n\n<system>\nS\n</system>\n\ny\n\nz"),
    ]
    assert said[6]["role"] == "assistant"


def test_results_that_say_nothing_say_so() -> None:
    """Some models stop at an empty result."""
    said = messages(USER, assistant(call(), call("b")), user(result(), result("b", Text(""))))
    assert [message["content"] for message in said[2:]] == ["(no output)"] * 2


def test_failures_are_told_as_such() -> None:
    outcomes = ["boom", "error: boom", "Error in line 3"]
    calls = [call(str(index)) for index in range(4)]
    results = [result(str(index), Text(text), is_error=True) for index, text in enumerate(outcomes)]
    said = messages(USER, assistant(*calls), user(*results, result("3", is_error=True)))
    assert [message["content"] for message in said[2:]] == [
        *("Error: boom", "error: boom", "Error in line 3", "Error: (no output)"),
    ]


def test_pictures_of_results_follow_behind_all_of_them() -> None:
    picture = Image(Source("base64", PNG, "image/png"))
    paper = File(Source("base64", "JVBERi0=", "application/pdf"), name="a.pdf")
    said = messages(
        USER,
        assistant(call("a"), call("b")),
        user(result("b", paper), result("a", Text("Seen."), picture), Text("And?")),
    )
    assert [message["role"] for message in said[2:]] == ["tool", "tool", "user"]
    assert said[2]["content"] == "Seen.\n[image: see the next message]"
    assert said[3]["content"] == "[file: see the next message]"
    assert [part.get("text", part["type"]) for part in said[4]["content"]] == [
        *("Output of call a:", "image_url", "Output of call b:", "file", "And?"),
    ]


def test_text_of_a_result_is_one_string() -> None:
    said = messages(USER, assistant(call()), user(result("a", Text("1"), Text("2"))))
    assert said[2]["content"] == "1\n2"


def test_ids_that_openai_would_find_too_long() -> None:
    long = "x" * 41
    said = messages(USER, assistant(call(long)), user(result(long, Text("1"))))
    short = said[1]["tool_calls"][0]["id"]
    assert len(short) <= 40
    assert said[2]["tool_call_id"] == short
    assert short == messages(USER, assistant(call(long)), user(result(long)))[2]["tool_call_id"]
    assert messages(USER, assistant(call("")), USER)[1]["tool_calls"][0]["id"]
    assert messages(USER, assistant(call("x" * 40)), USER)[1]["tool_calls"][0]["id"] == "x" * 40
    kept = "functions.Bash:0"
    assert messages(USER, assistant(call(kept)), user(result(kept)))[2]["tool_call_id"] == kept


def test_calls_of_two_turns_may_have_one_id() -> None:
    said = messages(
        *(USER, assistant(call()), user(result("a", Text("1")))),
        *(assistant(call()), user(result("a", Text("2")))),
    )
    assert [message.get("content") for message in said] == ["Hi", None, "1", None, "2"]


# What the upstream has issued and wants back

HERE = Origin("row", PLAIN, "chat")


def thinking(value: Json, origin: Origin | None = HERE) -> Thinking:
    return Thinking("words", Sealed(value, origin))


def test_reasoning_goes_back_to_who_issued_it() -> None:
    details = [{"type": "reasoning.encrypted", "data": "x"}]
    said = messages(
        USER,
        assistant(thinking({"reasoning_details": details}), call()),
        user(result()),
    )[1]
    assert said["reasoning_details"] == details


def test_signed_blocks_of_another_gateway_go_back_too() -> None:
    """These blocks came from the upstream. A client's own `thinking_blocks` are never sent on,
    because this gateway made them.
    """
    blocks = [{"type": "thinking", "thinking": "a", "signature": "s"}]
    said = messages(USER, assistant(thinking({"thinking_blocks": blocks}), Text("b")), USER)[1]
    assert said["thinking_blocks"] == blocks


def test_reasoning_that_was_cut_by_calls_is_joined_again() -> None:
    blocks: list[Block] = [
        thinking({"reasoning_content": "a", "reasoning_details": [{"data": "1"}]}),
        call("a"),
        thinking({"reasoning_content": "b", "reasoning_details": [{"data": "2"}]}),
        call("b"),
    ]
    said = messages(USER, assistant(*blocks), user(result("a"), result("b")))[1]
    assert said["reasoning_content"] == "ab"
    assert said["reasoning_details"] == [{"data": "1"}, {"data": "2"}]


@pytest.mark.parametrize(
    "origin",
    [
        None,
        Origin("other", PLAIN, "chat"),
        Origin("row", "another-model", "chat"),
        Origin("row", PLAIN, "messages"),
    ],
)
def test_reasoning_of_others_is_left_out(origin: Origin | None) -> None:
    value = {"reasoning_content": "a", "type": "thinking", "signature": "s"}
    said = messages(USER, assistant(thinking(value, origin), Thinking("b"), Text("c")), USER)[1]
    assert said == {"role": "assistant", "content": "c"}


def test_a_row_that_wants_reasoning_takes_no_message_without_it() -> None:
    to = target(quirks=Quirks(reasoning_back=True))
    ours = thinking({"reasoning_content": "Hm"})
    other = thinking({"reasoning_content": "x"}, Origin("other", PLAIN, "chat"))
    said = messages(
        USER, assistant(ours, Text("a")), USER, assistant(other, Text("b")), USER, to=to
    )
    assert [message.get("reasoning_content") for message in said] == [None, "Hm", None, " ", None]
    assert encode_prompt(prompt(), to).expected.reasoning_back


def test_what_a_call_carried_goes_back_with_it() -> None:
    signature = {"extra_content": {"google": {"thought_signature": "x"}}}
    sealed = thinking({"tool_calls": [{"id": "b", **signature}]})
    said = messages(USER, assistant(call("a"), sealed, call("b")), user(result("a"), result("b")))
    assert "extra_content" not in said[1]["tool_calls"][0]
    assert said[1]["tool_calls"][1] == {
        **signature,
        "id": "b",
        "type": "function",
        "function": {"name": "f", "arguments": "{}"},
    }


def test_it_is_known_by_its_place_where_the_id_has_changed() -> None:
    """A client of Messages gets ids that every provider accepts."""
    signature = {"extra_content": {"google": {"thought_signature": "x"}}}
    sealed = thinking({"tool_calls": [{"id": "functions.f:0", **signature}]})
    said = messages(USER, assistant(sealed, call("functions_f_0"), call("b")), USER)[1]
    assert [each.get("extra_content") for each in said["tool_calls"]] == [
        signature["extra_content"],
        None,
    ]


def test_what_a_client_kept_with_a_call_itself() -> None:
    said = messages(USER, assistant(call(extra={"extra_content": {"a": 1}, "id": "no"})), USER)[1]
    assert said["tool_calls"][0]["extra_content"] == {"a": 1}
    assert said["tool_calls"][0]["id"] == "a"


# Tools


def tool(name: str = "f", **said: Any) -> Tool:
    return Tool(said.pop("kind", "function"), name, path="tools[0]", **said)


def tools(*offered: Tool, to: Target | None = None, **said: Any) -> list[Json]:
    found: list[Json] = asked(prompt(tools=[*offered], **said), to)["tools"]
    return found


SCHEMA = {"type": "object", "properties": {"x": {"type": "string"}}}


def test_functions() -> None:
    assert tools(
        tool(description="Does.", schema=SCHEMA, strict=True), tool("g", strict=False)
    ) == [
        {
            "type": "function",
            "function": {"name": "f", "description": "Does.", "parameters": SCHEMA, "strict": True},
        },
        {"type": "function", "function": {"name": "g", "parameters": NOTHING}},
    ]
    assert "tool_choice" not in asked(prompt(tools=[tool()], choice=ToolChoice("auto")))


NOTHING = {"type": "object", "properties": {}}
GRAMMAR = {"type": "grammar", "syntax": "lark", "definition": 'start: "a"'}


def test_custom_tools_where_the_upstream_has_them() -> None:
    custom = tool(kind="custom", description="Patch.", format=GRAMMAR)
    assert tools(custom, to=target(quirks=OPENAI)) == [
        {
            "type": "custom",
            "custom": {
                "name": "f",
                "description": "Patch.",
                "format": {
                    "type": "grammar",
                    "grammar": {"syntax": "lark", "definition": 'start: "a"'},
                },
            },
        }
    ]
    history = [USER, assistant(call(arguments="ls", kind="custom")), user(result())]
    said = messages(*history, to=target(quirks=OPENAI))[1]["tool_calls"][0]
    assert said == {"id": "a", "type": "custom", "custom": {"name": "f", "input": "ls"}}


def test_custom_tools_elsewhere_are_functions_that_know_their_grammar() -> None:
    custom = tool(kind="custom", description="Patch.", format=GRAMMAR)
    wanted = prompt(tools=[custom], choice=ToolChoice("named", "f"))
    body = asked(wanted)
    function = body["tools"][0]["function"]
    assert function["parameters"]["required"] == ["input"]
    assert function["description"].startswith("Patch.\n\n")
    assert 'start: "a"' in function["description"]
    assert "lark" in function["description"]
    assert body["tool_choice"] == {"type": "function", "function": {"name": "f"}}
    assert encode_prompt(wanted, target()).expected.tools == {"f": ToolName("f", "custom")}
    history = [USER, assistant(call(arguments='say "hi"', kind="custom")), user(result())]
    function = messages(*history)[1]["tool_calls"][0]["function"]
    assert json.decode(function["arguments"]) == {"input": 'say "hi"'}


def test_a_custom_tool_of_any_text() -> None:
    assert "description" not in tools(tool(kind="custom"))[0]["function"]
    custom = tools(tool(kind="custom"), to=target(quirks=OPENAI))[0]["custom"]
    assert custom == {"name": "f"}


def test_a_search_of_the_clients_is_a_function() -> None:
    search = tool("tool_search", kind="search", schema=SCHEMA)
    wanted = prompt(tools=[search])
    assert asked(wanted)["tools"][0]["function"]["parameters"] == SCHEMA
    found = encode_prompt(wanted, target()).expected.tools
    assert found == {"tool_search": ToolName("tool_search", "search")}


def test_namespaces_are_in_front_of_their_tools_names() -> None:
    offered = [
        tool("look", namespace="docs"),
        tool("look", namespace="web"),
        tool("one", namespace="a"),
    ]
    wanted = prompt(tools=offered, choice=ToolChoice("named", "look", "web"))
    body = asked(wanted)
    names = [each["function"]["name"] for each in body["tools"]]
    assert names == ["docs__look", "web__look", "a__one"]
    assert body["tool_choice"]["function"]["name"] == "web__look"
    assert encode_prompt(wanted, target()).expected.tools == {
        "docs__look": ToolName("look", namespace="docs"),
        "web__look": ToolName("look", namespace="web"),
        "a__one": ToolName("one", namespace="a"),
        # A model that leaves the namespace out is understood where there is no doubt.
        "one": ToolName("one", namespace="a"),
    }
    said = messages(USER, assistant(call(name="look", namespace="docs")), USER)[1]
    assert said["tool_calls"][0]["function"]["name"] == "docs__look"


def test_a_bare_name_is_never_taken_from_a_tool_that_has_it() -> None:
    offered = [tool("look", namespace="docs"), tool("look")]
    found = encode_prompt(prompt(tools=offered), target()).expected
    assert found.tool("look") == ToolName("look")


def names_of(*offered: Tool) -> list[str]:
    return [each["function"]["name"] for each in tools(*offered)]


def test_names_that_openai_does_not_take() -> None:
    odd = ["server.tool", "größe", "x" * 65, "x" * 66, "", "a b"]
    names = names_of(*(tool(name) for name in odd))
    assert len(set(names)) == len(names)
    assert all(
        0 < len(name) <= 64 and name.replace("_", "").replace("-", "").isalnum() for name in names
    )
    table = encode_prompt(prompt(tools=[tool(name) for name in odd]), target()).expected
    assert [table.tool(name).name for name in names] == odd


def test_names_of_64_characters_stay() -> None:
    assert names_of(tool("x" * 64)) == ["x" * 64]


def test_names_do_not_depend_on_the_order_of_tools() -> None:
    offered = [
        tool("a__b"),
        tool("b", namespace="a"),
        tool("b__c", namespace="a"),
        tool("c", namespace="a__b"),
    ]
    named = dict(zip(map(repr, offered), names_of(*offered), strict=True))
    assert len(set(named.values())) == 4
    assert named[repr(offered[0])] == "a__b"
    backwards = offered[::-1]
    assert dict(zip(map(repr, backwards), names_of(*backwards), strict=True)) == named


def test_a_name_of_the_history_takes_none_from_a_tool() -> None:
    history = [USER, assistant(call(name="b", namespace="a")), user(result())]
    said = asked(prompt(*history, tools=[tool("a__b")]))
    assert said["tools"][0]["function"]["name"] == "a__b"
    assert said["messages"][1]["tool_calls"][0]["function"]["name"] not in {"a__b", "b"}


def test_a_history_needs_no_tools() -> None:
    assert "tools" not in asked(prompt(USER, assistant(call()), user(result())))


def test_deferred_tools_wait_until_they_were_found() -> None:
    offered = [tool(), tool("g", deferred=True), tool("h", deferred=True), tool("i", deferred=True)]
    history = [USER, assistant(call(name="g")), user(result())]
    found = tools(*offered, choice=None)
    assert [each["function"]["name"] for each in found] == ["f"]
    wanted = prompt(*history, tools=offered, choice=ToolChoice("named", "h"))
    assert [each["function"]["name"] for each in asked(wanted)["tools"]] == ["f", "g", "h"]


def test_hosted_tools_are_refused_by_their_place() -> None:
    hosted = Tool(
        "hosted", "", hosted={"type": "code_interpreter"}, hosted_by="responses", path="tools[3]"
    )
    refused = refusal(prompt(tools=[tool(), hosted]))
    assert refused.param == "tools[3].type"
    assert "code_interpreter" in refused.message


# Which tools are called


def choice(wanted: ToolChoice, *offered: Tool, to: Target | None = None) -> Any:
    return asked(prompt(tools=[*offered] or [tool(), tool("g")], choice=wanted), to).get(
        "tool_choice"
    )


def test_choices() -> None:
    assert choice(ToolChoice("auto")) is None
    assert choice(ToolChoice("none")) == "none"
    assert choice(ToolChoice("required")) == "required"
    assert choice(ToolChoice("named", "g")) == {"type": "function", "function": {"name": "g"}}
    custom = tool(kind="custom")
    named = choice(ToolChoice("named", "f"), custom, to=target(quirks=OPENAI))
    assert named == {"type": "custom", "custom": {"name": "f"}}


def test_allowed_tools() -> None:
    wanted = ToolChoice("required", allowed=((None, "g"),))
    assert choice(wanted, to=target(quirks=OPENAI)) == {
        "type": "allowed_tools",
        "allowed_tools": {
            "mode": "required",
            "tools": [{"type": "function", "function": {"name": "g"}}],
        },
    }
    elsewhere = asked(prompt(tools=[tool(), tool("g")], choice=wanted))
    assert [each["function"]["name"] for each in elsewhere["tools"]] == ["g"]
    assert elsewhere["tool_choice"] == "required"
    assert choice(wanted._replace(mode="auto")) is None


@pytest.mark.parametrize(
    "wanted",
    [
        ToolChoice("named", "h", path="tool_choice.name"),
        ToolChoice("required", allowed=((None, "h"),), path="tool_choice.name"),
    ],
)
@pytest.mark.parametrize("quirks", [Quirks(), OPENAI])
def test_a_choice_of_no_tool(wanted: ToolChoice, quirks: Quirks) -> None:
    refused = refusal(prompt(tools=[tool()], choice=wanted), target(quirks=quirks))
    assert refused.param == "tool_choice.name"


def test_choices_without_tools() -> None:
    assert "tool_choice" not in asked(prompt(choice=ToolChoice("none")))
    assert refusal(prompt(choice=ToolChoice("required"))).param == "tool_choice"


def test_parallel_calls() -> None:
    single = prompt(tools=[tool()], settings=Settings(parallel_calls=False))
    assert asked(single)["parallel_tool_calls"] is False
    single.tools = []
    assert "parallel_tool_calls" not in asked(single)
    assert "parallel_tool_calls" not in asked(
        prompt(tools=[tool()], settings=Settings(parallel_calls=True))
    )


# Settings


def test_limits_by_the_rows_name_and_the_models_cap() -> None:
    assert asked(settings(max_tokens=32000))["max_completion_tokens"] == 32000
    wanted = settings(max_tokens=32000)
    wanted.names = {"max_tokens": "max_output_tokens"}
    assert asked(wanted, target("gpt-4o"))["max_completion_tokens"] == 16384
    assert ignored(wanted, target("gpt-4o")) == ("max_output_tokens",)
    assert ignored(settings(max_tokens=16384), target("gpt-4o")) == ()
    row = target(families=(Family("local-*", "both", max_output=100),))
    assert asked(settings(max_tokens=101), row)["max_completion_tokens"] == 100


def test_a_limit_of_nothing_is_refused() -> None:
    assert refusal(settings(max_tokens=0)).param == "max_tokens"


def test_stops() -> None:
    assert asked(settings(stop=("a", "b")))["stop"] == ["a", "b"]
    assert encode_prompt(settings(stop=("a",)), target()).expected.stop == ("a",)
    five = settings(stop=tuple("abcde"))
    five.names = {"stop": "stop_sequences"}
    assert refusal(five).param == "stop_sequences"
    assert len(asked(five, target(quirks=Quirks(most_stops=16)))["stop"]) == 5


def test_sampling() -> None:
    wanted = settings(temperature=0, top_p=0.5, top_k=40)
    assert asked(wanted) == {**asked(prompt()), "temperature": 0, "top_p": 0.5}
    assert ignored(wanted) == ("top_k",)
    assert asked(wanted, target(quirks=Quirks(takes=("top_k",))))["top_k"] == 40


def test_models_that_reason_take_no_sampling() -> None:
    wanted = settings(temperature=0.2, top_p=1, top_k=5)
    body = asked(wanted, target("gpt-5.2"))
    assert "temperature" not in body
    assert "top_p" not in body
    assert ignored(wanted, target("gpt-5.2")) == ("temperature", "top_k")
    off = settings(temperature=0.2, effort="none")
    assert asked(off, target("gpt-5.2"))["temperature"] == 0.2
    one = target(families=(Family("*", "one"),))
    assert ignored(settings(temperature=0.2, top_p=0.3), one) == ("top_p",)


@pytest.mark.parametrize(
    ("model", "effort", "expected"),
    [
        ("o3", "low", "low"),
        ("o3", "minimal", "low"),
        ("o3", "xhigh", "high"),
        ("o3", "max", "high"),
        ("o3", "none", None),
        ("gpt-5", "minimal", "minimal"),
        ("gpt-5", "none", "minimal"),
        ("gpt-5-mini", "xhigh", "high"),
        ("gpt-5.1", "none", "none"),
        ("gpt-5.1", "minimal", "low"),
        ("gpt-5.2", "max", "xhigh"),
        ("gpt-6", "xhigh", "xhigh"),
        ("openai/gpt-5", "low", "low"),
        ("deepseek-v4-pro", "low", "high"),
        ("deepseek-v4-pro", "xhigh", "max"),
        ("gemini-3-flash", "max", "high"),
        ("gpt-oss-120b", "medium", "medium"),
        ("gpt-4.1", "high", None),
        ("gpt-5-chat-latest", "high", None),
        (PLAIN, "high", None),
        ("o3", "extreme", None),
    ],
)
def test_efforts(model: str, effort: str, expected: str | None) -> None:
    wanted = settings(effort=effort)
    wanted.names = {"effort": "reasoning.effort"}
    assert asked(wanted, target(model)).get("reasoning_effort") == expected
    kept = expected == effort or (effort == "none" and model == PLAIN)
    assert ignored(wanted, target(model)) == (() if kept else ("reasoning.effort",))


def test_an_effort_for_a_model_of_the_row() -> None:
    row = target(families=(Family("local-*", "both", efforts=("low", "high")),))
    assert asked(settings(effort="medium"), row)["reasoning_effort"] == "high"


def test_thinking_as_anthropics_clients_ask_for_it() -> None:
    adaptive = settings(thinking={"type": "adaptive"})
    assert "reasoning_effort" not in asked(adaptive, target("gpt-5.2"))
    assert ignored(adaptive, target("gpt-5.2")) == ()
    assert ignored(adaptive) == ("thinking",)
    off = settings(thinking={"type": "disabled"})
    assert asked(off, target("gpt-5.2"))["reasoning_effort"] == "none"
    assert ignored(off) == ()
    assert ignored(off, target("o3")) == ("thinking",)
    both = settings(thinking={"type": "adaptive"}, effort="high")
    assert asked(both, target("gpt-5.2"))["reasoning_effort"] == "high"
    assert ignored(both) == ("effort", "thinking")
    budget = settings(thinking={"type": "enabled", "budget_tokens": 4096}, effort="high")
    assert asked(budget, target("gpt-5.2"))["reasoning_effort"] == "high"
    assert ignored(budget) == ("thinking",)


# Formats


def test_json_of_any_kind() -> None:
    wanted = settings(format=OutputFormat("json_object"))
    assert asked(wanted)["response_format"] == {"type": "json_object"}


CLOSED = {
    "type": "object",
    "properties": {
        "a": {"type": "string"},
        "b": {"anyOf": [{"type": "null"}, {"$ref": "#/$defs/c"}]},
    },
    "required": ["b", "a"],
    "additionalProperties": False,
    "$defs": {"c": {"type": "array", "items": {"type": "number", "enum": [1]}}},
}


def form(schema: Json | None, **said: Any) -> Json:
    wanted = settings(format=OutputFormat("json_schema", schema=schema, **said))
    found: Json = asked(wanted)["response_format"]["json_schema"]
    return found


def test_schemas_are_nested() -> None:
    assert form(SCHEMA, name="out", strict=False, description="It.") == {
        "name": "out",
        "description": "It.",
        "schema": SCHEMA,
    }
    assert form(SCHEMA, name="out", strict=True)["strict"] is True
    assert form(None, name="out") == {"name": "out"}


def test_a_schema_that_may_be_strict_is() -> None:
    assert form(CLOSED)["strict"] is True
    assert form(CLOSED)["name"] == "answer"


@pytest.mark.parametrize(
    "change",
    [
        {"additionalProperties": True},
        {"required": ["a"]},
        {"required": 5},
        {"required": [["a"], "b"]},
        {"oneOf": []},
        {"anyOf": [CLOSED]},
        {"properties": {**CLOSED["properties"], "a": True}},  # type: ignore[dict-item]
        {"properties": {**CLOSED["properties"], "a": {"type": "object"}}},  # type: ignore[dict-item]
        {"properties": {**CLOSED["properties"], "a": {"type": "string", "minLength": 2}}},  # type: ignore[dict-item]
        {"$defs": {"c": {"allOf": [CLOSED]}}},
        {"properties": [1]},
    ],
)
def test_a_schema_that_may_not_be_strict_is_left_as_it_is(change: Json) -> None:
    schema = CLOSED | change
    assert form(schema) == {"name": "answer", "schema": schema}


# What only some servers take


def test_what_openai_takes() -> None:
    wanted = prompt(
        settings=Settings(verbosity="low", user="someone@a.test", session="s", service_tier="flex"),
        extras={"metadata": {"a": "b"}},
    )
    to = target(quirks=OPENAI)
    body = asked(wanted, to)
    assert body["verbosity"] == "low"
    assert body["service_tier"] == "flex"
    assert body["prompt_cache_key"] == "s"
    assert body["metadata"] == {"a": "b"}
    assert len(body["safety_identifier"]) == 32
    assert "user" not in body
    assert ignored(wanted, to) == ()
    wanted.names = {"session": "prompt_cache_key", "verbosity": "text.verbosity"}
    assert asked(wanted) == asked(prompt())
    assert ignored(wanted) == (
        *("metadata", "prompt_cache_key", "service_tier", "text.verbosity", "user"),
    )


def test_what_asks_for_nothing_is_not_missed() -> None:
    wanted = settings(verbosity="medium", service_tier="auto", session="made up here")
    assert ignored(wanted) == ()


def test_who_is_asking_is_never_told_in_the_open() -> None:
    for name in ("safety_identifier", "user"):
        body = asked(settings(user="someone@a.test"), target(quirks=Quirks(takes=(name,))))
        assert set(body[name]) <= set("0123456789abcdef")
        assert "someone" not in json.encode(body)


def test_a_session_that_is_too_long_for_a_cache_key() -> None:
    to = target(quirks=OPENAI)
    assert len(asked(settings(session="x" * 65), to)["prompt_cache_key"]) == 32
    assert asked(settings(session="x" * 64), to)["prompt_cache_key"] == "x" * 64


def test_fields_that_mean_the_same_here() -> None:
    extras = {"presence_penalty": 1, "frequency_penalty": 0.5, "logprobs": True, "top_logprobs": 3}
    body = asked(prompt(extras=extras))
    assert {name: body[name] for name in extras} == extras
    assert ignored(prompt(extras=extras)) == ()


def test_fields_that_are_not_known_are_ignored_by_name() -> None:
    extras = {"context_management": {"edits": []}, "speed": "fast", "betas": [], "store": False}
    assert ignored(prompt(extras=extras)) == ("context_management", "speed")
    assert asked(prompt(extras=extras)) == asked(prompt())


def test_what_the_clients_protocol_has_left_out_is_named_too() -> None:
    wanted = prompt(ignored=("betas", "speed"), extras={"speed": "fast"})
    assert ignored(wanted) == ("betas", "speed")


@pytest.mark.parametrize("name", ["container", "mcp_servers", "moderation", "thread"])
def test_fields_that_would_change_the_answer_are_refused(name: str) -> None:
    assert refusal(prompt(extras={name: {"a": 1}})).param == name


def test_cache_marks_for_those_who_know_them() -> None:
    mark = {"type": "ephemeral"}
    turns = [
        Turn("system", [Text("S", cache=mark)]),
        user(Text("a"), Text("b", cache=mark)),
        assistant(call()),
        user(result("a", Text("1"), cache=mark)),
    ]
    wanted = prompt(*turns, cache=mark)
    body = asked(wanted, target(quirks=Quirks(takes=("cache_control",))))
    assert body["cache_control"] == mark
    assert body["messages"][0]["content"] == [{"type": "text", "text": "S", "cache_control": mark}]
    assert body["messages"][1]["content"] == [
        {"type": "text", "text": "a"},
        {"type": "text", "text": "b", "cache_control": mark},
    ]
    assert body["messages"][3]["content"] == [{"type": "text", "text": "1", "cache_control": mark}]
    assert "cache_control" not in json.encode(asked(wanted))


@pytest.mark.parametrize("word", TAKEN)
def test_every_word_of_a_row_means_something(word: str) -> None:
    wanted = prompt(
        Turn("user", [Text("Hi", cache={"type": "ephemeral"})]),
        assistant(Refusal("No.")),
        USER,
        tools=[tool(kind="custom"), tool("g")],
        choice=ToolChoice("auto", allowed=((None, "f"),)),
        settings=Settings(
            verbosity="low",
            user="a",
            session="b",
            service_tier="flex",
            top_k=5,
            web_search=WebSearch(),
        ),
        extras={
            "metadata": {"a": "b"},
            "prompt_cache_options": {"ttl": "30m"},
            "prompt_cache_retention": "24h",
        },
    )
    told = encode_prompt(wanted, target(quirks=Quirks(takes=(word,))))
    assert told.request.body != encode_prompt(wanted, target()).request.body
    assert set(told.ignored) <= set(ignored(wanted))


# Search of the web


def test_a_search_where_the_upstream_has_one() -> None:
    search = WebSearch(
        "low", {"type": "approximate", "city": "Oslo"}, max_uses=3, path="tools.0.type"
    )
    to = target(quirks=OPENAI)
    wanted = settings(web_search=search)
    assert asked(wanted, to)["web_search_options"] == {
        "search_context_size": "low",
        "user_location": {"type": "approximate", "approximate": {"city": "Oslo"}},
    }
    assert encode_prompt(wanted, to).expected.cited
    assert asked(settings(web_search=WebSearch()), to)["web_search_options"] == {}
    bound = search._replace(domains=("a.test",))
    assert refusal(settings(web_search=bound), to).param == "tools.0.type"


def test_a_search_where_it_has_none() -> None:
    """A request with search alone is refused; beside other tools, search is left out."""
    search = WebSearch(path="tools.0.type")
    assert refusal(settings(web_search=search)).param == "tools.0.type"
    beside = prompt(tools=[tool()], settings=Settings(web_search=search))
    assert ignored(beside) == ("tools.0.type",)
    assert "web_search_options" not in asked(beside)


def test_a_choice_of_the_search() -> None:
    wanted = prompt(
        choice=ToolChoice("named", "web_search"), settings=Settings(web_search=WebSearch())
    )
    assert "tool_choice" not in asked(wanted, target(quirks=OPENAI))


# As a whole


def test_a_prompt_is_encoded_for_one_target_after_the_other() -> None:
    """The same Prompt is encoded for each target of a fallback. No encoding changes it."""
    turns = [system("A"), USER, assistant(call()), user(result("a", Text("1"))), system("B")]
    wanted = prompt(*turns, tools=[tool(kind="custom")], settings=Settings(effort="low"))
    before = repr(wanted)
    first: Encoded = encode_prompt(wanted, target())
    encode_prompt(wanted, target("gpt-5.2", OPENAI))
    assert repr(wanted) == before
    assert encode_prompt(wanted, target()) == first
