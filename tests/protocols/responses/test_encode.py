"""Prompts as Responses requests."""

from typing import Any

import pytest

from xtrix import json
from xtrix.answer import Expected, ToolName
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
from xtrix.protocols.responses.encode import encode_prompt, needs_of
from xtrix.providers import Family, Needs, Provider, Quirks, Target

Json = dict[str, Any]

ROW: Json = {
    "name": "openai",
    "dialect": "openai-responses",
    "base_url": "https://api.openai.test/v1",
}
HERE = Origin("openai", "gpt-5.5", "responses")
EPHEMERAL = {"type": "ephemeral"}
ITEM: Json = {
    "id": "rs_1",
    "type": "reasoning",
    "summary": [],
    "encrypted_content": "gAAA",
    "x": None,
}
CITY = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
WEATHER = Tool("function", "get_weather", "Get the weather.", CITY)
PYTHON = Tool("custom", "run_python")


def prompt_of(*turns: Turn, **fields: Any) -> Prompt:
    return Prompt(list(turns) or [said("Hello")], **fields)


def said(*blocks: Block | str) -> Turn:
    return turn("user", *blocks)


def turn(role: Any, *blocks: Block | str) -> Turn:
    return Turn(role, [Text(it) if isinstance(it, str) else it for it in blocks], "messages[9]")


def encoded(prompt: Prompt, model: str = "gpt-5.5", **row: Any) -> Encoded:
    return encode_prompt(prompt, Target(Provider(**ROW | row), model))


def body_of(prompt: Prompt, model: str = "gpt-5.5", **row: Any) -> Json:
    return json.decode_object(encoded(prompt, model, **row).request.body)


def input_of(*turns: Turn, **row: Any) -> list[Json]:
    """The input items of `turns`, without the last message, which is added for every test."""
    items: list[Json] = body_of(prompt_of(*turns, said("Go on.")), **row)["input"]
    assert items.pop() == message("user", "Go on.")
    return items


def asked(settings: Settings, model: str = "gpt-5.5", **row: Any) -> Json:
    """The request's fields for `settings`."""
    body = body_of(prompt_of(settings=settings), model, **row)
    ours = {"model", "input", "store", "include"}
    return {name: value for name, value in body.items() if name not in ours}


def ignored(prompt: Prompt, model: str = "gpt-5.5", **row: Any) -> tuple[str, ...]:
    return encoded(prompt, model, **row).ignored


def refusal(prompt: Prompt) -> tuple[str | None, str | None]:
    with pytest.raises(ClientError) as caught:
        encoded(prompt)
    assert caught.value.status == 400
    return caught.value.code, caught.value.param


def message(role: str, content: Any) -> Json:
    return {"type": "message", "role": role, "content": content}


# The call


def test_the_smallest_request() -> None:
    call = encoded(prompt_of())
    assert json.decode(call.request.body) == {
        "model": "gpt-5.5",
        "input": [message("user", "Hello")],
        "store": False,
        "include": ["reasoning.encrypted_content"],
    }
    assert call.request.url == "https://api.openai.test/v1/responses"
    assert call.request.headers == (("content-type", "application/json"),)
    assert call.request.binding is None
    assert (call.ignored, call.expected, call.default_max_tokens) == ((), Expected(), None)


@pytest.mark.parametrize(
    ("row", "header"),
    [
        ({"key": "sk"}, ("authorization", "Bearer sk")),
        ({"key": "sk", "key_header": "api-key"}, ("api-key", "sk")),
        ({"headers": {"x-title": "T"}}, ("x-title", "T")),
    ],
)
def test_headers(row: Json, header: tuple[str, str]) -> None:
    assert header in encoded(prompt_of(), **row).request.headers


def test_query_and_binding() -> None:
    request = encoded(prompt_of(), query="api-version=preview", binding="AI").request
    assert request.url == "https://api.openai.test/v1/responses?api-version=preview"
    assert request.binding == "AI"


def test_stream() -> None:
    assert body_of(prompt_of(stream=True))["stream"] is True
    assert "stream_options" not in body_of(prompt_of(stream=True))
    padded = body_of(prompt_of(stream=True), quirks=Quirks(obfuscation=True))
    assert padded["stream_options"] == {"include_obfuscation": False}
    assert "stream_options" not in body_of(prompt_of(), quirks=Quirks(obfuscation=True))


# Turns


def test_turns_stay_in_their_order() -> None:
    turns = [turn("system", "S"), turn("developer", "D"), said("U"), turn("assistant", "A")]
    told = [*turns, turn("system", "Later"), said("V")]
    assert input_of(*told) == [
        message("system", "S"),
        message("developer", "D"),
        message("user", "U"),
        message("assistant", "A"),
        message("system", "Later"),
        message("user", "V"),
    ]


def test_roles_by_another_name() -> None:
    quirks = Quirks(roles={"developer": "system"})
    assert input_of(turn("developer", "D"), quirks=quirks) == [message("system", "D")]


def test_several_parts() -> None:
    assert input_of(said("One", "", "Two"), turn("assistant", "A", Refusal("No."), "")) == [
        message("user", [{"type": "input_text", "text": x} for x in ("One", "Two")]),
        message(
            "assistant",
            [{"type": "output_text", "text": "A"}, {"type": "refusal", "refusal": "No."}],
        ),
    ]


def test_a_refusal_alone_is_a_part() -> None:
    content = [{"type": "refusal", "refusal": "No."}]
    assert input_of(turn("assistant", Refusal("No."))) == [message("assistant", content)]


@pytest.mark.parametrize("blocks", [(), ("",), ("", "")], ids=len)
def test_turns_without_words(blocks: tuple[str, ...]) -> None:
    assert input_of(said(*blocks)) == [message("user", "")]
    assert input_of(said("U"), turn("assistant", *blocks)) == [message("user", "U")]


PNG = Source("base64", "iVBORw0KGgo=", "image/png")


@pytest.mark.parametrize(
    ("block", "part"),
    [
        (
            Image(Source("url", "https://example.com/a.png"), detail="high"),
            {"type": "input_image", "image_url": "https://example.com/a.png", "detail": "high"},
        ),
        (Image(PNG), {"type": "input_image", "image_url": "data:image/png;base64,iVBORw0KGgo="}),
        (Image(Source("id", "file_1")), {"type": "input_image", "file_id": "file_1"}),
        (
            Image(Source("base64", "JVBERi0=", "application/pdf")),
            {
                "type": "input_file",
                "filename": "document.pdf",
                "file_data": "data:application/pdf;base64,JVBERi0=",
            },
        ),
        (
            File(Source("base64", "JVBERi0=", "application/pdf"), name="a.pdf"),
            {
                "type": "input_file",
                "filename": "a.pdf",
                "file_data": "data:application/pdf;base64,JVBERi0=",
            },
        ),
        (
            File(Source("base64", "SGk=", "text/plain")),
            {
                "type": "input_file",
                "filename": "document",
                "file_data": "data:text/plain;base64,SGk=",
            },
        ),
        (
            File(Source("url", "https://example.com/a.pdf")),
            {"type": "input_file", "file_url": "https://example.com/a.pdf"},
        ),
        (File(Source("id", "file_1")), {"type": "input_file", "file_id": "file_1"}),
        (Opaque("responses", {"type": "input_video"}), None),
    ],
)
def test_images_and_files(block: Block, part: Json | None) -> None:
    content = [{"type": "input_text", "text": "Look:"}, part]
    if part is None:
        assert input_of(said("Look:", block))[1] == {"type": "input_video"}
    else:
        assert input_of(said("Look:", block)) == [message("user", content)]


def test_a_document_of_text_is_told_as_text() -> None:
    block = File(Source("text", "All is well."), name="Report", context="From May.")
    assert input_of(said(block)) == [message("user", "Report\n\nFrom May.\n\nAll is well.")]


def test_what_is_said_of_a_file_goes_before_it() -> None:
    block = File(Source("id", "file_1"), context="From May.")
    assert input_of(said(block))[0]["content"] == [
        {"type": "input_text", "text": "From May."},
        {"type": "input_file", "file_id": "file_1"},
    ]


def test_a_block_of_another_protocol_is_told_in_words_or_not_at_all() -> None:
    blocks = [Opaque("messages", {"type": "x"}, "In words."), Opaque("messages", {"type": "y"})]
    assert input_of(said(*blocks)) == [message("user", "In words.")]
    assert input_of(turn("assistant", *blocks)) == [message("assistant", "In words.")]


@pytest.mark.parametrize(
    ("turns", "code"),
    [
        ([said(Audio("UklG", "wav", "here"))], "unsupported_value"),
        ([turn("assistant", Image(PNG, "here")), said("U")], "unsupported_value"),
        ([said(File(Source("id", ""), "here"))], "invalid_value"),
    ],
)
def test_what_cannot_be_said(turns: list[Turn], code: str) -> None:
    assert refusal(prompt_of(*turns)) == (code, "here")


def test_the_assistants_turn_is_not_gone_on_with() -> None:
    turns = prompt_of(said("U"), turn("assistant", "I think"))
    assert refusal(turns) == ("unsupported_value", "messages[9]")


# Calls and results


def test_calls_and_results() -> None:
    called = turn(
        "assistant",
        "Let me see.",
        Call("call_1", "get_weather", '{"city":"Paris"}'),
        Call("call_2", "run_python", "print(1)", kind="custom"),
    )
    results = said(
        Result("call_2", [Text("1")]), Result("call_1", [Text("Sun"), Image(PNG)]), "And now?"
    )
    assert input_of(said("U"), called, results) == [
        message("user", "U"),
        message("assistant", "Let me see."),
        {
            "type": "function_call",
            "call_id": "call_1",
            "name": "get_weather",
            "arguments": '{"city":"Paris"}',
        },
        {
            "type": "custom_tool_call",
            "call_id": "call_2",
            "name": "run_python",
            "input": "print(1)",
        },
        {"type": "custom_tool_call_output", "call_id": "call_2", "output": "1"},
        {
            "type": "function_call_output",
            "call_id": "call_1",
            "output": [
                {"type": "input_text", "text": "Sun"},
                {"type": "input_image", "image_url": "data:image/png;base64,iVBORw0KGgo="},
            ],
        },
        message("user", "And now?"),
    ]


def test_text_between_calls_stays_between_them() -> None:
    called = turn("assistant", Call("1", "f", ""), "Next.", Call("2", "g", ""))
    kinds = [item["type"] for item in input_of(called, said(Result("1", []), Result("2", [])))]
    assert kinds == [
        *("function_call", "message", "function_call"),
        *("function_call_output", "function_call_output"),
    ]


@pytest.mark.parametrize(
    ("content", "output"),
    [
        ([Text("no such file")], "Error: no such file"),
        ([Text("ERROR: no such file")], "ERROR: no such file"),
        ([], "Error: "),
        (
            [Image(Source("id", "file_1"))],
            [
                {"type": "input_text", "text": "Error:"},
                {"type": "input_image", "file_id": "file_1"},
            ],
        ),
    ],
)
def test_a_result_that_is_an_error(content: list[Block], output: Any) -> None:
    called = turn("assistant", Call("1", "f", ""))
    *_, last = input_of(called, said(Result("1", content, is_error=True)))
    assert last["output"] == output


def test_ids_are_short_and_no_other_calls() -> None:
    turns = []
    for said_id in ("call_1", "call_1", "x" * 65, ""):
        turns.append(turn("assistant", Call(said_id, "f", "")))
        turns.append(said(Result(said_id, [])))
    items = input_of(*turns)
    ids = [item["call_id"] for item in items[::2]]
    assert ids == [item["call_id"] for item in items[1::2]]
    assert ids[:2] == ["call_1", "call_1_2"]
    assert len(set(ids)) == 4
    assert all(0 < len(each) <= 64 for each in ids)
    assert ids == [item["call_id"] for item in input_of(*turns)[::2]]


# Reasoning


def thought(value: Json = ITEM, origin: Origin | None = HERE) -> Thinking:
    return Thinking("I think.", Sealed(value, origin))


def test_reasoning_goes_back_to_its_issuer_as_it_was() -> None:
    called = turn("assistant", thought(), Call("1", "f", ""))
    later = turn("assistant", thought({**ITEM, "id": "rs_2"}), "It is so.")
    items = input_of(said("U"), called, said(Result("1", [])), later)
    assert items[1] == ITEM
    assert [item["type"] for item in items] == [
        *("message", "reasoning", "function_call", "function_call_output"),
        *("reasoning", "message"),
    ]
    assert [item.get("id") for item in items] == [None, "rs_1", None, None, "rs_2", None]


@pytest.mark.parametrize(
    "origin",
    [
        None,
        HERE._replace(provider="azure"),
        HERE._replace(model="gpt-5.4"),
        HERE._replace(protocol="messages"),
    ],
    ids=str,
)
def test_reasoning_from_elsewhere_is_left_out(origin: Origin | None) -> None:
    items = input_of(turn("assistant", thought(origin=origin), Thinking("Plain."), "A"))
    assert items == [message("assistant", "A")]


def test_reasoning_that_leads_nowhere_is_left_out() -> None:
    """OpenAI refuses a reasoning item without the item that follows it."""
    assert input_of(said("U"), turn("assistant", thought()), said("V")) == [
        message("user", "U"),
        message("user", "V"),
    ]
    both = turn("assistant", "A", thought(), thought({**ITEM, "id": "rs_2"}))
    assert input_of(both) == [message("assistant", "A")]
    kept = turn("assistant", thought(), thought({**ITEM, "id": "rs_2"}), "A")
    assert [item.get("id") for item in input_of(kept)] == ["rs_1", "rs_2", None]


# Tools


def test_tools_are_flat() -> None:
    grammar = {"syntax": "lark", "definition": "start: /a/"}
    tools = [
        WEATHER,
        Tool("function", "now", strict=True),
        Tool("custom", "patch", "Apply it.", format=grammar),
        PYTHON,
        Tool("hosted", "", hosted={"type": "code_interpreter"}, hosted_by="responses"),
    ]
    call = encoded(prompt_of(tools=tools))
    assert json.decode_object(call.request.body)["tools"] == [
        {
            "type": "function",
            "name": "get_weather",
            "description": "Get the weather.",
            "parameters": CITY,
            "strict": False,
        },
        {
            "type": "function",
            "name": "now",
            "parameters": {"type": "object", "properties": {}},
            "strict": True,
        },
        {
            "type": "custom",
            "name": "patch",
            "description": "Apply it.",
            "format": {"type": "grammar", **grammar},
        },
        {"type": "custom", "name": "run_python"},
        {"type": "code_interpreter"},
    ]
    customs = {name: ToolName(name, "custom") for name in ("patch", "run_python")}
    assert call.expected == Expected(customs)


def test_names_as_openai_takes_them() -> None:
    odd = [
        Tool("function", "get.weather"),
        Tool("function", "get_weather"),
        Tool("function", "x" * 65),
        Tool("custom", "läuft"),
        Tool("function", "add", namespace="math"),
        Tool("search", "tool_search", schema=CITY),
    ]
    called = turn("assistant", Call("1", "get.weather", ""), Call("2", "add", "", namespace="math"))
    call = encoded(
        prompt_of(
            called,
            said(Result("1", []), Result("2", [])),
            tools=odd,
            choice=ToolChoice("named", "get.weather"),
        )
    )
    body = json.decode_object(call.request.body)
    names = [tool["name"] for tool in body["tools"]]
    assert all(len(name) <= 64 and name.isascii() for name in names)
    assert len(set(names)) == len(names)
    assert names[0].startswith("get_weather_")
    assert names[1] == "get_weather"
    assert names[4:] == ["math__add", "tool_search"]
    assert [item["name"] for item in body["input"][:2]] == [names[0], "math__add"]
    assert body["tool_choice"] == {"type": "function", "name": names[0]}
    tools = [call.expected.tool(name) for name in names]
    assert tools == [ToolName(tool.name, tool.kind, tool.namespace) for tool in odd]  # type: ignore[arg-type]


@pytest.mark.parametrize("by", ["chat", "messages"])
def test_a_tool_that_another_provider_runs(by: str) -> None:
    hosted = {"type": "mcp_toolset"}
    tool = Tool("hosted", "", hosted=hosted, hosted_by=by, path="tools[0]")
    assert refusal(prompt_of(tools=[tool])) == ("unsupported_value", "tools[0].type")


@pytest.mark.parametrize(
    ("choice", "told"),
    [
        (ToolChoice("auto"), "auto"),
        (ToolChoice("none"), "none"),
        (ToolChoice("required"), "required"),
        (ToolChoice("named", "get_weather"), {"type": "function", "name": "get_weather"}),
        (ToolChoice("named", "run_python"), {"type": "custom", "name": "run_python"}),
        (
            ToolChoice("required", allowed=((None, "run_python"), (None, "get_weather"))),
            {
                "type": "allowed_tools",
                "mode": "required",
                "tools": [
                    {"type": "custom", "name": "run_python"},
                    {"type": "function", "name": "get_weather"},
                ],
            },
        ),
        (ToolChoice("none", allowed=((None, "run_python"),)), "none"),
    ],
    ids=str,
)
def test_tool_choice(choice: ToolChoice, told: Any) -> None:
    prompt = prompt_of(tools=[WEATHER, PYTHON], choice=choice)
    assert body_of(prompt)["tool_choice"] == told


def test_a_choice_without_tools_is_none() -> None:
    body = body_of(prompt_of(choice=ToolChoice("none")))
    assert "tool_choice" not in body
    assert "tools" not in body


def test_web_search() -> None:
    search = WebSearch("low", {"city": "Paris"}, ("example.com",), 3)
    call = encoded(prompt_of(tools=[WEATHER], settings=Settings(web_search=search)))
    body = json.decode_object(call.request.body)
    assert body["tools"][1] == {
        "type": "web_search",
        "search_context_size": "low",
        "user_location": {"type": "approximate", "city": "Paris"},
        "filters": {"allowed_domains": ["example.com"]},
    }
    assert body["max_tool_calls"] == 3
    assert body["include"][1:] == ["web_search_call.action.sources"]
    assert call.expected.cited
    plain = body_of(prompt_of(settings=Settings(web_search=WebSearch())))
    assert plain["tools"] == [{"type": "web_search"}]


# Settings


@pytest.mark.parametrize(
    ("settings", "fields"),
    [
        (Settings(), {}),
        (Settings(max_tokens=100), {"max_output_tokens": 100}),
        (Settings(max_tokens=5), {"max_output_tokens": 16}),
        (Settings(parallel_calls=False), {"parallel_tool_calls": False}),
        (Settings(verbosity="low"), {"text": {"verbosity": "low"}}),
        (Settings(service_tier="flex"), {"service_tier": "flex"}),
        (Settings(session="s"), {"prompt_cache_key": "s"}),
        (Settings(user="u"), {"user": "u"}),
        (
            Settings(format=OutputFormat("json_object")),
            {"text": {"format": {"type": "json_object"}}},
        ),
        (
            Settings(
                format=OutputFormat(
                    "json_schema", "city", CITY, strict=True, description="A city."
                ),
                verbosity="low",
            ),
            {
                "text": {
                    "format": {
                        "type": "json_schema",
                        "name": "city",
                        "schema": CITY,
                        "strict": True,
                        "description": "A city.",
                    },
                    "verbosity": "low",
                }
            },
        ),
        (
            Settings(format=OutputFormat("json_schema", schema=CITY)),
            {"text": {"format": {"type": "json_schema", "name": "answer", "schema": CITY}}},
        ),
        (Settings(effort="high"), {"reasoning": {"effort": "high", "summary": "auto"}}),
        (Settings(effort="none"), {"reasoning": {"effort": "none"}}),
        (Settings(thinking={"type": "adaptive"}), {"reasoning": {"summary": "auto"}}),
        (
            Settings(thinking={"type": "adaptive"}, effort="low"),
            {"reasoning": {"effort": "low", "summary": "auto"}},
        ),
        (
            Settings(thinking={"type": "enabled", "budget_tokens": 2048}),
            {"reasoning": {"summary": "auto"}},
        ),
        (Settings(thinking={"type": "disabled"}), {"reasoning": {"effort": "none"}}),
        (Settings(effort="max"), {"reasoning": {"effort": "xhigh", "summary": "auto"}}),
        (Settings(max_tokens=1_000_000), {"max_output_tokens": 128_000}),
        (
            Settings(format=OutputFormat("json_schema", "x", {"type": "string"})),
            {
                "text": {
                    "format": {
                        "type": "json_schema",
                        "name": "x",
                        "schema": {"type": "string"},
                        "strict": True,
                    }
                }
            },
        ),
    ],
    ids=str,
)
def test_settings(settings: Settings, fields: Json) -> None:
    assert asked(settings) == fields


def test_what_the_limit_is_is_known_to_whoever_reads_the_answer() -> None:
    assert encoded(prompt_of(settings=Settings(max_tokens=100))).expected.limit == 100
    assert encoded(prompt_of()).expected.limit is None


def test_a_limit_that_is_too_small_is_raised_and_named() -> None:
    names = {"max_tokens": "max_completion_tokens"}
    assert ignored(prompt_of(settings=Settings(max_tokens=1), names=names)) == (
        "max_completion_tokens",
    )


@pytest.mark.parametrize(("said_user", "field"), [("user", "user"), ("other", "safety_identifier")])
def test_who_is_asking(said_user: str, field: str) -> None:
    settings = Settings(user="u" * 100, session="s" * 100)
    body = body_of(prompt_of(settings=settings, names={"user": said_user}))
    assert len(body[field]) == len(body["prompt_cache_key"]) == 64
    assert "uu" not in body[field]


@pytest.mark.parametrize(
    ("model", "settings", "fields", "names"),
    [
        ("gpt-5.5", Settings(temperature=0.5, top_p=0.9), {}, ("temperature", "top_p")),
        ("gpt-5.5", Settings(temperature=1, top_p=1), {}, ()),
        (
            "gpt-5.5",
            Settings(temperature=0.5, effort="none"),
            {"temperature": 0.5, "reasoning": {"effort": "none"}},
            (),
        ),
        ("openai/o3", Settings(temperature=0.5), {}, ("temperature",)),
        ("gpt-4.1", Settings(temperature=0.5), {"temperature": 0.5}, ()),
        ("gpt-4.1", Settings(effort="high"), {}, ("effort",)),
        ("gpt-4.1", Settings(effort="none"), {}, ()),
        ("gpt-4.1", Settings(thinking={"type": "adaptive"}), {}, ("thinking",)),
        (
            "gpt-5.5",
            Settings(effort="max"),
            {"reasoning": {"effort": "xhigh", "summary": "auto"}},
            ("effort",),
        ),
        ("gpt-5", Settings(effort="none"), {"reasoning": {"effort": "minimal"}}, ("effort",)),
        ("o3", Settings(effort="none"), {}, ("effort",)),
        (
            "gpt-4.1",
            Settings(thinking={"type": "enabled", "budget_tokens": 9000}),
            {},
            ("thinking",),
        ),
        (
            "some-model",
            Settings(temperature=0.5, effort="low"),
            {"temperature": 0.5, "reasoning": {"effort": "low", "summary": "auto"}},
            (),
        ),
    ],
    ids=str,
)
def test_what_a_model_takes(
    model: str, settings: Settings, fields: Json, names: tuple[str, ...]
) -> None:
    assert asked(settings, model) == fields
    assert ignored(prompt_of(settings=settings), model) == names


def test_a_rows_own_families_go_first() -> None:
    families = (Family("gpt-5.5", "both", "none"),)
    settings = Settings(temperature=0.5, effort="high")
    assert asked(settings, families=families) == {"temperature": 0.5}


def test_fields_of_the_same_name() -> None:
    extras = {
        "metadata": {"a": "b"},
        "prompt_cache_retention": "24h",
        "logprobs": True,
        "top_logprobs": 2,
    }
    body = body_of(prompt_of(extras=extras))
    assert body["include"][1:] == ["message.output_text.logprobs"]
    assert body.items() >= {name: it for name, it in extras.items() if name != "logprobs"}.items()
    assert "logprobs" not in body


# What cannot be had


@pytest.mark.parametrize(
    ("fields", "code", "param"),
    [
        ({"extras": {"n": 2}}, "unsupported_value", "n"),
        ({"extras": {"modalities": ["text", "audio"]}}, "unsupported_value", "modalities"),
        ({"extras": {"audio": {"voice": "v"}}}, "unsupported_parameter", "audio"),
        ({"extras": {"moderation": {"model": "m"}}}, "unsupported_parameter", "moderation"),
        ({"extras": {"container": "c"}}, "unsupported_parameter", "container"),
        ({"extras": {"mcp_servers": [{}]}}, "unsupported_parameter", "mcp_servers"),
        ({"settings": Settings(stop=("END",))}, "unsupported_parameter", "stop_sequences"),
        ({"settings": Settings(max_tokens=0)}, "unsupported_value", "max_tokens"),
    ],
    ids=str,
)
def test_refused(fields: Json, code: str, param: str) -> None:
    prompt = prompt_of(**fields, names={"stop": "stop_sequences"})
    assert refusal(prompt) == (code, param)


def test_ignored() -> None:
    hints = {
        "frequency_penalty": 0.5,
        "presence_penalty": 0,
        "logit_bias": {"1": 2},
        "seed": 7,
        "prediction": {"type": "content"},
        "store": True,
        "n": 1,
        "modalities": ["text"],
        "audio": None,
        "betas": ["b"],
        "unheard_of": 1,
    }
    assert ignored(prompt_of(extras=hints, settings=Settings(top_k=5))) == (
        *("betas", "frequency_penalty", "logit_bias", "prediction", "seed", "store", "top_k"),
        "unheard_of",
    )


def marked(block: Any) -> Any:
    block.cache = EPHEMERAL
    return block


@pytest.mark.parametrize(
    "prompt",
    [
        prompt_of(cache=EPHEMERAL),
        prompt_of(said(marked(Text("U")))),
        prompt_of(tools=[marked(Tool("function", "f"))]),
        prompt_of(turn("assistant", Call("1", "f", "")), said(Result("1", [marked(Text("R"))]))),
    ],
)
def test_cache_marks_are_named(prompt: Prompt) -> None:
    prompt.names = {"cache": "cache_control"}
    assert ignored(prompt) == ("cache_control",)
    assert b"ephemeral" not in encoded(prompt).request.body


def test_what_messages_lose() -> None:
    named = said(File(Source("id", "file_1"), citations={"enabled": True}))
    named.extra = {"name": "Ada"}
    assert ignored(prompt_of(named)) == ("messages.content.citations", "messages.name")


# Quirks


def test_quirks() -> None:
    quirks = Quirks(
        rename={"max_output_tokens": "max_tokens", "absent": "x"},
        drop=("include", "store", "reasoning.summary", "text.verbosity", "metadata", "user"),
    )
    settings = Settings(max_tokens=100, effort="low", verbosity="low")
    prompt = prompt_of(settings=settings, extras={"metadata": {"a": "b"}})
    assert body_of(prompt, quirks=quirks) == {
        "model": "gpt-5.5",
        "input": [message("user", "Hello")],
        "max_tokens": 100,
        "reasoning": {"effort": "low"},
    }
    assert ignored(prompt, quirks=quirks) == ("metadata", "verbosity")


# Which protocol


@pytest.mark.parametrize(
    ("prompt", "needs"),
    [
        (prompt_of(), Needs()),
        (prompt_of(tools=[WEATHER]), Needs(tools=True)),
        (prompt_of(tools=[PYTHON]), Needs(tools=True)),
        (prompt_of(tools=[Tool("hosted", "", hosted={})]), Needs()),
        (prompt_of(settings=Settings(effort="low")), Needs(effort="low")),
        (prompt_of(settings=Settings(thinking={"type": "disabled"})), Needs(effort="none")),
        (prompt_of(settings=Settings(thinking={"type": "adaptive"})), Needs()),
        (prompt_of(settings=Settings(stop=("x",))), Needs(chat_only=True)),
        (prompt_of(extras={"n": 2}), Needs(chat_only=True)),
        (prompt_of(extras={"n": 1, "modalities": ["text"]}), Needs()),
        (prompt_of(extras={"seed": 0}), Needs(chat_only=True)),
        (prompt_of(extras={"frequency_penalty": 0}), Needs()),
        (prompt_of(extras={"frequency_penalty": 1}), Needs(chat_only=True)),
        (prompt_of(extras={"modalities": ["audio"]}), Needs(chat_only=True)),
        (prompt_of(extras={"metadata": {"a": "b"}}), Needs()),
        (prompt_of(said(Audio("UklG", "wav"))), Needs(chat_only=True)),
    ],
)
def test_needs(prompt: Prompt, needs: Needs) -> None:
    assert needs_of(prompt, "chat") == needs
