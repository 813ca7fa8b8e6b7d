"""A Responses client's request: the check of its shape, and the Prompt that it becomes."""

from typing import Any

import pytest
from hypothesis import given

from tests.protocols.responses.tellings import (
    CARRIER,
    FINISHES,
    ORIGIN,
    SEALED,
    STEADY,
    STEPS,
    Step,
    step,
    whole,
)
from xtrix import json
from xtrix.answer import Finish
from xtrix.errors import ClientError
from xtrix.prompt import (
    Audio,
    Call,
    File,
    Image,
    OutputFormat,
    Refusal,
    Result,
    Sealed,
    Source,
    Text,
    Thinking,
    ToolChoice,
    Turn,
)
from xtrix.protocol import Request
from xtrix.protocols.responses.request import decode_prompt, decode_request
from xtrix.reasoning import LONGEST, Carrier
from xtrix.shape import MOST_VALUES

Json = dict[str, Any]

USER: Json = {"role": "user", "content": "Hi"}
PACKED = CARRIER.pack(SEALED)
REASONING: Json = {
    "type": "reasoning",
    "id": "rs_1",
    "summary": [{"type": "summary_text", "text": "Hm."}],
    "content": None,
    "encrypted_content": PACKED,
}
FUNCTION: Json = {"type": "function", "name": "look_up", "parameters": {"type": "object"}}
CUSTOM: Json = {
    "type": "custom",
    "name": "apply_patch",
    "description": "Edits files.",
    "format": {"type": "grammar", "syntax": "lark", "definition": "start: /.+/"},
}
MAIL: Json = {
    "type": "namespace",
    "name": "mcp__mail",
    "description": "Mail.",
    "tools": [
        {"type": "function", "name": "send", "description": "Sends.", "defer_loading": True},
        {"type": "custom", "name": "draft"},
    ],
}
SEARCH: Json = {
    "type": "tool_search",
    "execution": "client",
    "description": "Finds tools.",
    "parameters": {"type": "object"},
}
PNG = "iVBORw0KGgo="
PDF = "JVBERi0x"


def requested(**fields: Any) -> Request:
    return decode_request(json.encode_body({"input": "Hi", **fields}), {}, "default")


def prompted(**fields: Any) -> Any:
    """The Prompt of a request with `fields`; its blocks are of any kind."""
    return decode_prompt(requested(**fields), CARRIER)


def items(*given: Json, **fields: Any) -> Any:
    """The turns of a request with these items; their blocks are of any kind."""
    return prompted(input=list(given), **fields).turns


def refused(**fields: Any) -> ClientError:
    with pytest.raises(ClientError) as raised:
        prompted(**fields)
    return raised.value


def content(*parts: Json) -> Any:
    """The blocks of a user's message of `parts`."""
    [turn] = items({"role": "user", "content": list(parts)})
    return turn.blocks


def function_call(call_id: str, name: str = "look_up", arguments: str = "{}", **more: Any) -> Json:
    call = {"type": "function_call", "call_id": call_id, "name": name, "arguments": arguments}
    return {**call, **more}


def output(call_id: str, said: Any = "done", kind: str = "function_call") -> Json:
    return {"type": f"{kind}_output", "call_id": call_id, "output": said}


def sketch(turns: list[Turn]) -> list[str]:
    """A short form of each turn: its role and the kinds of its blocks."""
    names = {Text: "text", Call: "call", Result: "result", Thinking: "thinking"}
    return [
        f"{turn.role}: " + " ".join(f"{names[type(block)]} {mark(block)}" for block in turn.blocks)
        for turn in turns
    ]


def mark(block: Any) -> str:
    return str(getattr(block, "text", None) or getattr(block, "call_id", None) or block.id)


# The request as a whole


def test_a_string_is_what_the_user_says() -> None:
    assert prompted().turns == [Turn("user", [Text("Hi", "input")], "input")]


def test_the_model_is_filled_in() -> None:
    assert requested().model == "default"
    assert requested(model=None).fields["model"] == "default"
    assert requested(model="m").model == "m"


def test_what_stands_for_the_conversation() -> None:
    assert requested(prompt_cache_key="k", user="u").session == "k"
    assert requested(user="u").session == "u"
    assert requested().session is None


def test_whether_a_stream_is_wanted() -> None:
    assert requested(stream=True).stream
    assert not requested(stream=None).stream
    assert prompted(stream=True).stream


def test_instructions_stand_in_front_and_system_text_where_it_was() -> None:
    developer = {"role": "developer", "content": [{"type": "input_text", "text": "b"}]}
    turns = items(developer, USER, {"role": "system", "content": "c"}, instructions="a")
    assert sketch(turns) == [
        "developer: text a",
        "developer: text b",
        "user: text Hi",
        "system: text c",
    ]
    assert turns[0].path == "instructions"
    assert turns[1].blocks[0].path == "input[0].content[0]"


NULLS = [
    *("instructions", "max_output_tokens", "max_tool_calls", "temperature", "top_p", "text"),
    *("presence_penalty", "frequency_penalty", "top_logprobs", "reasoning", "tools", "store"),
    *("tool_choice", "parallel_tool_calls", "stream", "stream_options", "include", "prompt"),
    *("previous_response_id", "conversation", "background", "truncation", "metadata", "user"),
    *("prompt_cache_key", "prompt_cache_options", "safety_identifier", "service_tier", "model"),
    *("context_management", "client_metadata", "moderation", "thinking", "top_k", "made_up"),
]


@pytest.mark.parametrize("name", NULLS)
def test_null_is_not_sent(name: str) -> None:
    assert prompted(**{name: None}) == prompted()


def test_null_is_not_sent_inside_either() -> None:
    tool = {**FUNCTION, "description": None, "strict": None, "defer_loading": None}
    asked = {
        "text": {"format": None, "verbosity": None},
        "reasoning": {"effort": None, "summary": None, "context": None},
        "tools": [tool],
        "prompt_cache_options": {"mode": None, "ttl": None},
    }
    prompt = prompted(**asked)
    assert prompt.settings == prompted().settings
    assert prompt.tools == prompted(tools=[FUNCTION]).tools
    nothing = {"role": "user", "type": None, "id": None, "status": None, "content": "Hi"}
    image = {"type": "input_image", "image_url": "https://i.test", "file_id": None, "detail": None}
    assert items(nothing)[0].blocks == items(USER)[0].blocks
    assert content({**image, "prompt_cache_breakpoint": None})[0].detail is None
    call = function_call("a", namespace=None, id=None, status=None, caller=None)
    assert items(call, output("a"))[0].blocks[0].extra == {}
    assert items({**REASONING, "summary": None}, USER)[0].blocks[0].sealed == SEALED


@pytest.mark.parametrize(
    ("fields", "code", "param"),
    [
        ({"input": ""}, "invalid_value", "input"),
        ({"input": []}, "invalid_value", "input"),
        ({"input": None}, "missing_required_parameter", "input"),
        ({"input": 5}, "invalid_type", "input"),
        ({"input": ["Hi"]}, "invalid_type", "input[0]"),
        ({"input": [{}]}, "missing_required_parameter", "input[0].type"),
        ({"input": [{"type": 5}]}, "invalid_type", "input[0].type"),
        ({"input": [{"role": "robot", "content": ""}]}, "invalid_value", "input[0].role"),
        ({"input": [{"role": "user"}]}, "missing_required_parameter", "input[0].content"),
        ({"input": [USER, function_call("a", "")]}, "invalid_value", "input[1].name"),
        (
            {"input": [function_call("a", arguments="{"), output("a")]},
            "invalid_value",
            "input[0].arguments",
        ),
        (
            {"input": [function_call("a", arguments="[1]"), output("a")]},
            "invalid_value",
            "input[0].arguments",
        ),
        (
            {"input": [{**USER, "content": [{}]}]},
            "missing_required_parameter",
            "input[0].content[0].type",
        ),
        (
            {"input": [{**USER, "content": [{"type": "input_text", "text": 5}]}]},
            "invalid_type",
            "input[0].content[0].text",
        ),
        (
            {"input": [{**USER, "content": [{"type": "input_image", "image_url": 5}]}]},
            "invalid_type",
            "input[0].content[0].image_url",
        ),
        (
            {"input": [{**USER, "content": [{"type": "input_image", "image_url": {"url": 5}}]}]},
            "invalid_type",
            "input[0].content[0].image_url.url",
        ),
        (
            {"input": [{**USER, "content": [{"type": "input_image"}]}]},
            "missing_required_parameter",
            "input[0].content[0].image_url",
        ),
        (
            {"input": [{**USER, "content": [{"type": "input_file"}]}]},
            "missing_required_parameter",
            "input[0].content[0].file_data",
        ),
        (
            {"input": [{**USER, "content": [{"type": "input_video"}]}]},
            "invalid_value",
            "input[0].content[0].type",
        ),
        (
            {"input": [{"role": "system", "content": [{"type": "input_image"}]}]},
            "unsupported_value",
            "input[0].content[0].type",
        ),
        (
            {"input": [output("a", [{"type": "input_text"}])]},
            "missing_required_parameter",
            "input[0].output[0].text",
        ),
        (
            {"input": [{"type": "function_call_output", "output": ""}]},
            "missing_required_parameter",
            "input[0].call_id",
        ),
        ({"input": [{"type": "tomorrow"}]}, "unsupported_value", "input[0].type"),
        ({"input": [{"type": "local_shell_call"}]}, "unsupported_value", "input[0].type"),
        ({"input": [USER, {"type": "compaction_trigger"}]}, "unsupported_value", "input[1].type"),
        ({"input": [REASONING | {"encrypted_content": None}]}, "invalid_value", "input"),
        ({"input": [{"type": "additional_tools"}]}, "missing_required_parameter", "input[0].tools"),
        ({"max_output_tokens": 15}, "invalid_value", "max_output_tokens"),
        ({"max_output_tokens": 16.5}, "invalid_type", "max_output_tokens"),
        ({"max_tool_calls": 0}, "invalid_value", "max_tool_calls"),
        ({"temperature": 2.1}, "invalid_value", "temperature"),
        ({"top_p": "1"}, "invalid_type", "top_p"),
        ({"top_logprobs": 21}, "invalid_value", "top_logprobs"),
        ({"presence_penalty": -3}, "invalid_value", "presence_penalty"),
        ({"text": {"format": {"type": "xml"}}}, "invalid_value", "text.format.type"),
        ({"text": {"format": {}}}, "missing_required_parameter", "text.format.type"),
        (
            {"text": {"format": {"type": "json_schema", "name": "n"}}},
            "missing_required_parameter",
            "text.format.schema",
        ),
        (
            {"text": {"format": {"type": "json_schema", "name": "a b", "schema": {}}}},
            "invalid_value",
            "text.format.name",
        ),
        ({"text": {"verbosity": "loud"}}, "invalid_value", "text.verbosity"),
        ({"reasoning": {"effort": "huge"}}, "invalid_value", "reasoning.effort"),
        ({"reasoning": "high"}, "invalid_type", "reasoning"),
        ({"tools": {}}, "invalid_type", "tools"),
        ({"tools": [{"name": "f"}]}, "missing_required_parameter", "tools[0].type"),
        (
            {"tools": [{"type": "function", "function": {"name": "f"}}]},
            "missing_required_parameter",
            "tools[0].name",
        ),
        ({"tools": [FUNCTION, FUNCTION]}, "invalid_value", "tools[1]"),
        (
            {"tools": [{**MAIL, "tools": [{"type": "mcp"}]}]},
            "invalid_value",
            "tools[0].tools[0].type",
        ),
        (
            {"tools": [{**MAIL, "tools": [{"type": "custom"}]}]},
            "missing_required_parameter",
            "tools[0].tools[0].name",
        ),
        (
            {
                "tools": [
                    {**CUSTOM, "format": {"type": "grammar", "syntax": "peg", "definition": ""}}
                ]
            },
            "invalid_value",
            "tools[0].format.syntax",
        ),
        ({"tools": [{"type": "mcp", "server_label": "a"}]}, "unsupported_value", "tools[0].type"),
        ({"tools": [FUNCTION, {"type": "code_interpreter"}]}, "unsupported_value", "tools[1].type"),
        ({"tool_choice": "any"}, "invalid_value", "tool_choice"),
        ({"tool_choice": "required"}, "invalid_value", "tool_choice"),
        ({"tool_choice": {"type": "function"}}, "missing_required_parameter", "tool_choice.name"),
        ({"metadata": {"a": 5}}, "invalid_type", "metadata.a"),
        ({"metadata": {str(i): "" for i in range(17)}}, "invalid_value", "metadata"),
        ({"moderation": {"model": "m"}}, "unsupported_parameter", "moderation"),
        ({"model": "größe"}, "invalid_value", "model"),
        ({"stream": "yes"}, "invalid_type", "stream"),
        ({"thinking": "on"}, "invalid_type", "thinking"),
    ],
    ids=str,
)
def test_what_is_wrong_is_named_by_its_place(fields: Json, code: str, param: str) -> None:
    error = refused(**fields)
    assert (error.status, error.code, error.param) == (400, code, param)
    assert param in error.message


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b'"a"', b"\xff"])
def test_what_is_no_object(body: bytes) -> None:
    with pytest.raises(ClientError) as raised:
        decode_request(body, {}, "m")
    assert raised.value.code == "invalid_json"


def test_a_bad_part_is_not_repeated() -> None:
    image = {"type": "input_image", "image_url": "data:image/png;base64," + "?" * 10_000}
    error = refused(input=[{"role": "user", "content": [image]}])
    assert error.param == "input[0].content[0].image_url"
    assert len(error.message) < 200


def test_a_request_of_too_many_values_is_not_parsed() -> None:
    with pytest.raises(ClientError) as raised:
        decode_request(b'{"input":[' + b"{}," * MOST_VALUES + b"{}]}", {}, "m")
    assert raised.value.status == 413


@pytest.mark.parametrize("name", ["input", "tools", "include", "metadata"])
def test_many_wrong_values_cost_one_error(name: str) -> None:
    wrong: Any = {str(i): 0 for i in range(60_000)} if name == "metadata" else [0] * 140_000
    error = refused(**{name: wrong})
    assert (error.param or "").startswith(name)


def test_ten_thousand_items() -> None:
    many = [USER, {"role": "assistant", "content": "Yes?"}] * 5_000
    assert len(items(*many)) == 10_000


def test_deep_nesting_is_refused() -> None:
    deep = b'{"input":"Hi","tools":' + b'[{"a":' * 1_000 + b"1" + b"}]" * 1_000 + b"}"
    with pytest.raises(ClientError) as raised:
        decode_request(deep, {}, "m")
    assert raised.value.code == "invalid_json"


# State


@pytest.mark.parametrize("store", [True, False, None])
def test_what_the_client_says_of_storing_is_taken(store: bool | None) -> None:
    assert prompted(store=store) == prompted()


def test_an_earlier_response_is_not_found() -> None:
    error = refused(previous_response_id="resp_x", input=None)
    assert (error.status, error.code) == (400, "previous_response_not_found")
    assert error.message.startswith("Previous response with id 'resp_x' not found.")
    assert "'input'" in error.message


@pytest.mark.parametrize("item", [{"type": "item_reference", "id": "rs_x"}, {"id": "rs_x"}])
def test_an_item_that_is_only_named_is_not_found(item: Json) -> None:
    error = refused(input=[USER, item])
    assert (error.status, error.param) == (404, "input[1].id")
    assert error.message.startswith("Item with id 'rs_x' not found. Items are not persisted")
    assert "providerOptions: { openai: { store: false } }" in error.message


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("conversation", "conv_1"),
        ("conversation", {"id": "conv_1"}),
        ("background", True),
        ("prompt", {"id": "pmpt_1"}),
    ],
)
def test_what_needs_a_store_is_refused_with_what_to_do_instead(name: str, value: object) -> None:
    error = refused(**{name: value})
    assert (error.status, error.code, error.param) == (400, "unsupported_parameter", name)
    assert "this gateway keeps no" in error.message


# Turns


def test_what_the_assistant_did_in_a_row_is_one_turn_in_its_order() -> None:
    message = {"role": "assistant", "content": [{"type": "output_text", "text": "Let me see."}]}
    second = {**REASONING, "encrypted_content": CARRIER.pack(SEALED._replace(value={"b": 1}))}
    turns = items(
        *(USER, REASONING, message, second, function_call("a"), function_call("b")),
        *(output("b"), output("a"), USER),
    )
    assert sketch(turns) == [
        "user: text Hi",
        "assistant: thinking Hm. text Let me see. thinking Hm. call a call b",
        "user: result a result b",
        "user: text Hi",
    ]
    assert turns[1].path == "input[1]"
    assert turns[1].blocks[3].path == "input[4]"
    assert turns[2].blocks[0].path == "input[7]"


def test_what_stands_between_a_call_and_its_output_comes_behind() -> None:
    developer = {"role": "developer", "content": "Note."}
    turns = items(function_call("a"), developer, USER, output("a"))
    assert sketch(turns) == [
        "assistant: call a",
        "user: result a",
        "developer: text Note.",
        "user: text Hi",
    ]


def test_an_output_follows_its_call_though_another_call_stands_between() -> None:
    turns = items(
        *(function_call("a"), function_call("b"), output("a"), function_call("c")),
        *(output("b"), output("c")),
    )
    assert sketch(turns) == [
        "assistant: call a call b",
        "user: result a result b",
        "assistant: call c",
        "user: result c",
    ]


def test_equal_ids_in_two_turns() -> None:
    turns = items(function_call("1"), output("1", "x"), function_call("1"), output("1", "y"))
    assert sketch(turns) == ["assistant: call 1", "user: result 1"] * 2
    assert [turn.blocks[0].content[0].text for turn in turns[1::2]] == ["x", "y"]


def test_equal_ids_in_one_turn_are_refused() -> None:
    error = refused(input=[function_call("1"), function_call("1"), output("1"), output("1")])
    assert error.param == "input[1].call_id"


def test_a_call_without_an_output_is_refused_in_openais_words() -> None:
    error = refused(input=[function_call("a"), USER, function_call("call_x"), output("a")])
    assert error.message == "No tool output found for function call call_x."
    assert error.param == "input[2].call_id"


@pytest.mark.parametrize("before", [[], [function_call("a"), output("a")]])
def test_an_output_without_a_call_is_refused_in_openais_words(before: list[Json]) -> None:
    error = refused(input=[*before, output("a"), function_call("b")])
    expected = "No tool call found for function call output with call_id a."
    assert error.message == expected
    assert error.param == f"input[{len(before)}].call_id"


def test_a_call_of_each_kind() -> None:
    custom = {"type": "custom_tool_call", "call_id": "b", "name": "apply_patch", "input": "*** x"}
    search: Json = {"type": "tool_search_call", "call_id": "c", "execution": "client"}
    search |= {"arguments": {"query": "mail"}, "status": "completed"}
    found = {"type": "tool_search_output", "call_id": "c", "tools": [MAIL]}
    call = function_call(
        "a", "send", '{"to":"x"}', namespace="mcp__mail", id="fc_1", status="completed"
    )
    turns = items(
        *(call, custom, search, output("a"), output("b", "ok", "custom_tool_call"), found),
        tools=[SEARCH],
    )
    assert turns[0].blocks == [
        Call("a", "send", '{"to":"x"}', namespace="mcp__mail", path="input[0]", given={"to": "x"}),
        Call("b", "apply_patch", "*** x", "custom", path="input[1]"),
        Call(
            "c",
            "tool_search",
            '{"query":"mail"}',
            "search",
            path="input[2]",
            given={"query": "mail"},
        ),
    ]
    [told] = turns[1].blocks[2].content
    assert told.text == "Loaded tools: mcp__mail__send, mcp__mail__draft"


def test_what_a_call_carries_for_its_issuer_is_kept() -> None:
    call = function_call("a", extra_content={"google": {"thought_signature": "s"}})
    [block] = items(call, output("a"))[0].blocks
    assert block.extra == {"extra_content": {"google": {"thought_signature": "s"}}}


@pytest.mark.parametrize("arguments", ["", " ", "{}"])
def test_no_arguments(arguments: str) -> None:
    [block] = items(function_call("a", arguments=arguments), output("a"))[0].blocks
    assert (block.arguments, block.given) == (arguments, {})


def test_an_output_as_parts() -> None:
    parts = [
        {"type": "input_text", "text": "a"},
        {"type": "input_image", "image_url": f"data:image/png;base64,{PNG}", "detail": "original"},
        {"type": "input_file", "filename": "a.pdf", "file_data": PDF},
    ]
    [result] = items(function_call("a"), output("a", parts))[1].blocks
    assert [type(block) for block in result.content] == [Text, Image, File]
    assert result.content[1].path == "input[1].output[1].image_url"
    [empty] = items(function_call("a"), output("a", ""))[1].blocks
    assert empty.content == []


def test_an_assistants_words_as_a_string_and_as_parts() -> None:
    parts = [
        {"type": "output_text", "text": "a", "annotations": [], "logprobs": None},
        {"type": "refusal", "refusal": "b"},
    ]
    message = {"type": "message", "id": "msg_1", "role": "assistant", "phase": "commentary"}
    [turn] = items({**message, "content": parts}, {"role": "assistant", "content": "c"})
    assert turn.blocks == [
        Text("a", "input[0].content[0]"),
        Refusal("b", "input[0].content[1]"),
        Text("c", "input[1].content"),
    ]


def test_a_turn_that_says_nothing_swallows_no_result() -> None:
    broken = {**REASONING, "encrypted_content": "gAAAA"}
    empty = {"role": "assistant", "content": ""}
    turns = items(function_call("a"), output("a"), broken, empty, USER)
    assert sketch(turns) == ["assistant: call a", "user: result a", "user: text Hi"]


@pytest.mark.parametrize("kind", ["web_search_call", "mcp_list_tools", "image_generation_call"])
def test_items_that_an_answer_is_sound_without_are_left_out(kind: str) -> None:
    prompt = prompted(
        input=[USER, {"type": kind, "id": "x"}, {"role": "assistant", "content": "b"}]
    )
    assert sketch(prompt.turns) == ["user: text Hi", "assistant: text b"]
    assert prompt.ignored == (f"input.{kind}",)


# Reasoning


@pytest.mark.parametrize(
    "value",
    [SEALED.value, {"type": "redacted_thinking", "data": "x/+="}, {"reasoning_content": "é\u2028"}],
    ids=["signed", "redacted", "chat"],
)
def test_reasoning_comes_back_as_its_provider_issued_it(value: Json) -> None:
    packed = CARRIER.pack(Sealed(value, ORIGIN))
    item = {"type": "reasoning", "summary": [], "encrypted_content": packed}
    [turn, _] = items(item, USER)
    assert turn.blocks == [Thinking("", Sealed(value, ORIGIN), "input[0]")]


@pytest.mark.parametrize(
    "packed",
    [
        Carrier(b"secret", b"another").pack(SEALED),
        PACKED[:-1],
        "gAAAAABq",
        "litellm_enc:x",
        "xt1." + "A" * LONGEST,
        "xt1.x.é\ud83d",
    ],
    ids=["another client", "broken", "openai", "litellm", "huge", "odd"],
)
def test_reasoning_that_cannot_be_read_is_left_out(packed: str) -> None:
    body = json.encode_body({"input": [USER]}).replace(
        b'"Hi"}',
        b'"Hi"},{"type":"reasoning","summary":[],"encrypted_content":"%s"}'
        % packed.encode(errors="backslashreplace").replace(b"\\ud83d", b"\\ud83d"),
    )
    prompt = decode_prompt(decode_request(body, {}, "m"), CARRIER)
    assert sketch(prompt.turns) == ["user: text Hi"]
    assert prompt.ignored == ("input.reasoning",)


def test_a_summary_alone_is_left_out_without_a_word() -> None:
    prompt = prompted(input=[REASONING | {"encrypted_content": None}, USER])
    assert sketch(prompt.turns) == ["user: text Hi"]
    assert prompt.ignored == ()


@STEADY
@given(STEPS, FINISHES)
def test_whatever_we_answer_is_taken_as_input(steps: list[Step], finish: Finish) -> None:
    answer = whole([*steps, step("end", finish)])["output"]
    # A client that goes on has whole calls only.
    answer = [item for item in answer if item.get("status") != "incomplete"]
    good = [item for item in answer if is_whole(item)]
    outputs = [
        {"type": "tool_search_output", "call_id": item["call_id"], "tools": []}
        if item["type"] == "tool_search_call"
        else output(item["call_id"], "ok", item["type"])
        for item in good
        if "call_id" in item
    ]
    turns = items(USER, *good, *outputs, USER)
    sealed = [item for item in good if item.get("encrypted_content")]
    thoughts = [block for turn in turns for block in turn.blocks if isinstance(block, Thinking)]
    assert len(thoughts) == len(sealed)
    results = [block for turn in turns for block in turn.blocks if isinstance(block, Result)]
    assert len(results) == len(outputs)


def is_whole(item: Json) -> bool:
    """Whether a call's arguments are an object; drawn arguments may be something else."""
    if item["type"] != "function_call":
        return True
    try:
        return bool(json.decode_object(item["arguments"]) or True)
    except ValueError:
        return False


# Content


def test_an_image_in_each_of_its_forms() -> None:
    url = "https://i.test/a.png"
    data = f"data:image/png;base64,{PNG}"
    place = "input[0].content[0].image_url"
    for part, image in (
        ({"image_url": url, "detail": "low"}, Image(Source("url", url), place, detail="low")),
        (
            {"image_url": {"url": url, "detail": "high"}},
            Image(Source("url", url), f"{place}.url", detail="high"),
        ),
        ({"image_url": data}, Image(Source("base64", PNG, "image/png"), place)),
        ({"image_url": url, "detail": "original"}, Image(Source("url", url), place)),
        ({"file_id": "file-1"}, Image(Source("id", "file-1"), "input[0].content[0].file_id")),
    ):
        assert content({"type": "input_image", **part}) == [image]


def test_a_file_in_each_of_its_forms() -> None:
    pdf = Source("base64", PDF, "application/pdf")
    for part, source, field in (
        ({"file_data": PDF}, pdf, "file_data"),
        ({"file_data": f"data:application/pdf;base64,{PDF}"}, pdf, "file_data"),
        ({"file_url": "https://f.test/a.pdf"}, Source("url", "https://f.test/a.pdf"), "file_url"),
        ({"file_id": "file-1"}, Source("id", "file-1"), "file_id"),
    ):
        [file] = content({"type": "input_file", "filename": "a.pdf", **part})
        assert file == File(source, f"input[0].content[0].{field}", name="a.pdf")


def test_audio() -> None:
    audio = {"type": "input_audio", "input_audio": {"data": "UklG", "format": "wav"}}
    assert content(audio) == [Audio("UklG", "wav", "input[0].content[0].type")]


# Tools


def test_tools_of_each_kind() -> None:
    function = {**FUNCTION, "description": "Looks.", "strict": True, "output_schema": {}}
    tools = prompted(tools=[function, CUSTOM, MAIL, SEARCH]).tools
    seen = [(tool.kind, tool.namespace, tool.name, tool.path) for tool in tools]
    assert seen == [
        ("function", None, "look_up", "tools[0]"),
        ("custom", None, "apply_patch", "tools[1]"),
        ("function", "mcp__mail", "send", "tools[2].tools[0]"),
        ("custom", "mcp__mail", "draft", "tools[2].tools[1]"),
        ("search", None, "tool_search", "tools[3]"),
    ]
    look_up, patch, send, draft, search = tools
    assert (look_up.description, look_up.schema, look_up.strict) == (
        "Looks.",
        {"type": "object"},
        True,
    )
    assert patch.format == CUSTOM["format"]
    assert (send.description, draft.description) == ("Mail.\n\nSends.", "Mail.")
    assert (send.deferred, draft.deferred) == (True, False)
    assert (search.description, search.schema) == ("Finds tools.", {"type": "object"})


def test_equal_names_in_two_namespaces() -> None:
    post = {**MAIL, "name": "mcp__post"}
    assert len(prompted(tools=[MAIL, post, {"type": "function", "name": "send"}]).tools) == 5


def test_without_a_search_of_the_clients_every_tool_is_shown() -> None:
    server = {"type": "tool_search"}
    prompt = prompted(tools=[MAIL, server])
    assert not any(tool.deferred for tool in prompt.tools)
    assert prompt.ignored == ("tools.tool_search",)


@pytest.mark.parametrize(
    "kind", ["web_search", "web_search_2025_08_26", "web_search_preview", "image_generation"]
)
def test_what_codex_offers_with_every_request_is_left_out(kind: str) -> None:
    prompt = prompted(tools=[FUNCTION, {"type": kind}], tool_choice="auto")
    assert [tool.name for tool in prompt.tools] == ["look_up"]
    assert prompt.at(searches=False).ignored == (f"tools.{kind}",)
    assert prompted(tools=[{"type": kind}], tool_choice="auto").choice is None


def test_tools_found_by_a_search_join_the_others_and_are_shown() -> None:
    call: Json = {"type": "tool_search_call", "call_id": "c", "arguments": None}
    found = {"type": "tool_search_output", "call_id": "c", "status": "completed", "tools": [MAIL]}
    again = [call | {"call_id": "d"}, found | {"call_id": "d"}]
    prompt = prompted(input=[call, found, *again], tools=[SEARCH, MAIL])
    named = [(tool.namespace, tool.name, tool.deferred) for tool in prompt.tools]
    assert named == [
        (None, "tool_search", False),
        ("mcp__mail", "send", False),
        ("mcp__mail", "draft", False),
    ]
    nothing = prompted(input=[call, found | {"tools": []}]).turns[1].blocks[0]
    assert isinstance(nothing, Result)
    assert nothing.content == [Text("No tools were found.", "input[1]")]


def test_a_search_of_the_servers_leaves_its_tools() -> None:
    call: Json = {
        "type": "tool_search_call",
        "call_id": None,
        "execution": "server",
        "arguments": {},
    }
    found = {"type": "tool_search_output", "call_id": None, "tools": [MAIL]}
    prompt = prompted(input=[USER, call, found])
    assert sketch(prompt.turns) == ["user: text Hi"]
    assert len(prompt.tools) == 2


def test_tools_and_settings_that_come_on_the_way() -> None:
    more = {"type": "additional_tools", "role": "developer", "tools": [CUSTOM]}
    first = {"type": "configuration_update", "reasoning": {"effort": "low"}}
    last = {"type": "configuration_update", "reasoning": {"effort": "high"}}
    last |= {"text": {"format": {"type": "json_object"}}}
    prompt = prompted(
        input=[USER, first, more, last],
        tools=[FUNCTION],
        reasoning={"effort": "none"},
        text={"verbosity": "low"},
    )
    assert [tool.path for tool in prompt.tools] == ["tools[0]", "input[2].tools[0]"]
    assert prompt.settings.effort == "high"
    assert prompt.settings.format == OutputFormat("json_object", path="text.format")
    assert prompt.settings.verbosity == "low"


def test_a_tool_that_another_protocol_may_know_is_left_to_it() -> None:
    toolset = {"type": "mcp_toolset", "mcp_server_name": "a"}
    [tool] = prompted(tools=[toolset]).tools
    assert (tool.kind, tool.hosted, tool.hosted_by) == ("hosted", toolset, "responses")


# The choice of tools

TOOLS = [FUNCTION, CUSTOM, MAIL, SEARCH]


@pytest.mark.parametrize(
    ("said", "choice"),
    [
        ("auto", ToolChoice("auto")),
        ("none", ToolChoice("none")),
        ("required", ToolChoice("required")),
        ({"type": "function", "name": "look_up"}, ToolChoice("named", "look_up")),
        ({"type": "custom", "name": "apply_patch"}, ToolChoice("named", "apply_patch")),
        (
            {"type": "function", "name": "send", "namespace": "mcp__mail"},
            ToolChoice("named", "send", "mcp__mail"),
        ),
        ({"type": "function", "name": "send"}, ToolChoice("named", "send", "mcp__mail")),
        ({"type": "tool_search"}, ToolChoice("named", "tool_search")),
        (
            {
                "type": "allowed_tools",
                "mode": "required",
                "tools": [
                    {"type": "function", "name": "look_up"},
                    {"type": "custom", "name": "apply_patch"},
                    {"type": "image_generation"},
                ],
            },
            ToolChoice("required", allowed=((None, "look_up"), (None, "apply_patch"))),
        ),
        (
            {
                "type": "allowed_tools",
                "mode": "auto",
                "tools": [{"type": "namespace", "name": "mcp__mail"}],
            },
            ToolChoice("auto", allowed=(("mcp__mail", "send"), ("mcp__mail", "draft"))),
        ),
        ({"type": "allowed_tools", "mode": "auto", "tools": []}, ToolChoice("none")),
    ],
    ids=str,
)
def test_each_choice_of_tools(said: Any, choice: ToolChoice) -> None:
    assert prompted(tools=TOOLS, tool_choice=said).choice == choice


@pytest.mark.parametrize(
    ("said", "param"),
    [
        ({"type": "function", "name": "gone"}, "tool_choice"),
        ({"type": "function", "name": "send", "namespace": "gone"}, "tool_choice"),
        ({"type": "file_search"}, "tool_choice.type"),
        ({"type": "mcp", "server_label": "a"}, "tool_choice.type"),
        ({"type": "shell"}, "tool_choice.type"),
        (
            {"type": "allowed_tools", "mode": "auto", "tools": [{"type": "function", "name": "x"}]},
            "tool_choice.tools[0]",
        ),
        (
            {"type": "allowed_tools", "mode": "auto", "tools": [{"type": "mcp"}]},
            "tool_choice.tools[0].type",
        ),
        ({"type": "allowed_tools", "mode": "required", "tools": []}, "tool_choice.tools"),
    ],
    ids=str,
)
def test_a_choice_that_cannot_be_made(said: Any, param: str) -> None:
    error = refused(tools=TOOLS, tool_choice=said)
    assert (error.status, error.param) == (400, param)


@pytest.mark.parametrize("said", ["auto", "none"])
def test_without_tools_there_is_nothing_to_choose(said: str) -> None:
    assert prompted(tools=[], tool_choice=said).choice is None


# Settings


def test_each_setting() -> None:
    schema = {"type": "object"}
    prompt = prompted(
        max_output_tokens=64,
        temperature=0.5,
        top_p=0.9,
        reasoning={"effort": "xhigh", "summary": "auto"},
        text={
            "format": {"type": "json_schema", "name": "n", "schema": schema, "strict": True},
            "verbosity": "high",
        },
        parallel_tool_calls=False,
        prompt_cache_key="k",
        user="u",
        service_tier="flex",
        thinking={"type": "adaptive"},
        top_k=5,
    )
    settings = prompt.settings
    assert (settings.max_tokens, settings.temperature, settings.top_p) == (64, 0.5, 0.9)
    assert (settings.effort, settings.verbosity, settings.parallel_calls) == (
        "xhigh",
        "high",
        False,
    )
    assert settings.format == OutputFormat("json_schema", "n", schema, True, None, "text.format")
    assert (settings.session, settings.user, settings.service_tier) == ("k", "u", "flex")
    assert (settings.thinking, settings.top_k) == ({"type": "adaptive"}, 5)
    assert prompt.param("max_tokens") == "max_output_tokens"
    assert prompt.param("effort") == "reasoning.effort"
    assert prompt.param("format") == "text.format"
    assert prompt.param("user") == "user"
    assert prompt.extras == {}
    assert prompt.ignored == ()


def test_a_safety_identifier_is_the_user() -> None:
    prompt = prompted(user="u", safety_identifier="s")
    assert (prompt.settings.user, prompt.param("user")) == ("s", "safety_identifier")


def test_what_another_protocol_may_know_is_left_to_it() -> None:
    asked = {"presence_penalty": 0.5, "metadata": {"a": "b"}, "container": "c", "betas": ["b"]}
    assert prompted(**asked).extras == asked
    assert prompted(**asked).ignored == ()


def test_log_probabilities() -> None:
    prompt = prompted(top_logprobs=3)
    assert prompt.extras == {"logprobs": True, "top_logprobs": 3}
    assert prompt.param("logprobs") == "top_logprobs"
    prompt = prompted(include=["message.output_text.logprobs"])
    assert prompt.extras == {"logprobs": True}
    assert prompt.param("logprobs") == "include"
    assert prompted(top_logprobs=0).extras == {}


def test_hints_are_named() -> None:
    prompt = prompted(
        max_tool_calls=3,
        truncation="auto",
        context_management=[{"type": "compaction"}],
        reasoning={"context": "auto", "mode": "pro", "summary": "auto"},
        made_up=True,
        seed=0,
        n=2,
    )
    assert prompt.ignored == (
        *("context_management", "made_up", "max_tool_calls", "n"),
        *("reasoning.context", "reasoning.mode", "truncation"),
    )
    assert prompt.extras == {}
    assert prompted(truncation="disabled").ignored == ()


def test_what_a_client_tells_of_its_installation_goes_nowhere() -> None:
    prompt = prompted(client_metadata={"x-codex-installation-id": "secret-1"})
    assert "secret-1" not in repr(prompt)
    assert prompt == prompted()


# Caching


def test_openai_caches_without_being_asked() -> None:
    assert prompted().implicit_cache
    assert prompted(prompt_cache_options={"mode": "implicit"}).implicit_cache
    assert not prompted(prompt_cache_options={"mode": "explicit"}).implicit_cache
    assert prompted().cache is None


def test_a_breakpoint_is_a_mark() -> None:
    text = {"type": "input_text", "text": "a"}
    marked = [
        {**text, "prompt_cache_breakpoint": {"mode": "explicit"}},
        {**text, "prompt_cache_breakpoint": {"mode": "explicit", "ttl": "30m"}},
        text,
    ]
    prompt = prompted(input=[{"role": "user", "content": marked}])
    short, long = {"type": "ephemeral"}, {"type": "ephemeral", "ttl": "1h"}
    assert [block.cache for block in prompt.turns[0].blocks] == [short, long, None]
    assert not prompt.implicit_cache
    inside = prompted(input=[function_call("a"), output("a", marked[:1])])
    assert not inside.implicit_cache


def test_how_long_to_cache_is_a_mark_on_the_whole() -> None:
    long = {"type": "ephemeral", "ttl": "1h"}
    assert prompted(prompt_cache_options={"ttl": "12h"}).cache == long
    assert prompted(prompt_cache_options={"ttl": "12h", "mode": "explicit"}).cache is None
    assert prompted(cache_control={"type": "ephemeral"}).cache == {"type": "ephemeral"}


# A summary in place of a conversation


def test_a_summary_of_ours_is_what_the_user_says() -> None:
    packed = CARRIER.pack(Sealed({"summary": "They met."}, ORIGIN))
    turns = items({"type": "compaction", "id": "cmp_1", "encrypted_content": packed}, USER)
    head = "A summary of the conversation so far:\n\n"
    assert sketch(turns) == [f"user: text {head}They met.", "user: text Hi"]


@pytest.mark.parametrize("packed", ["gAAAA", PACKED], ids=["another's", "no summary"])
def test_a_summary_that_cannot_be_read_is_refused(packed: str) -> None:
    error = refused(input=[{"type": "compaction", "encrypted_content": packed}])
    assert error.param == "input[0].encrypted_content"
