"""A protocol writes again what it has read: requests and answers, whole and streamed.

A Prompt, and the calls on a Writer, lose nothing. Every deviation is listed here once, with its
place and its reason. A second round changes nothing more.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from typing import Any, NamedTuple

import pytest
from typing_extensions import override

from tests import accumulate
from tests.crossings import ACROSS, crossings
from tests.envelopes import opened, packed
from tests.least import PATHS, row
from tests.losses.table import difference
from tests.play import KEY, TOKEN, UPSTREAM_KEY
from tests.protocols.messages import sdk
from tests.scenarios import Scenario, scenarios
from xtrix import auth, json
from xtrix.answer import Expected
from xtrix.config import load
from xtrix.errors import ClientError, UpstreamError
from xtrix.prompt import Origin
from xtrix.protocol import Answering, Codec, Request, Stamp, Stream, Translation
from xtrix.protocols import DIALECTS, PROTOCOLS
from xtrix.providers import TAKEN, Provider, Target
from xtrix.reasoning import Carrier
from xtrix.sse import Decoder

Json = dict[str, Any]


class Only(NamedTuple):
    """Why a place is not as it was, in these folders and in no other."""

    why: str
    folders: frozenset[str]


def only(why: str, folders: str) -> Only:
    """`folders` are separated by spaces; one that ends in `:` is that of the names behind it."""
    found, above = set(), ""
    for name in folders.split():
        if name.endswith(":"):
            above = name[:-1]
        else:
            found.add(f"{above}/{name}")
    return Only(why, frozenset(found))


Ours = Mapping[str, str | Only]
"""Places, with `[]` for any index, and why what stands there is not as it was. Where a whole item
is another one, all folders are named: a place of that kind would hide whatever else is lost."""


def _carrier() -> Carrier:
    gate = load({"API_KEYS": KEY, "UPSTREAM_KEY": UPSTREAM_KEY, "PROVIDERS": [row("openai")]}.get)
    return Carrier(gate.secret, auth.authenticate({"x-api-key": KEY}, auth.digests(KEY)))


CARRIER = _carrier()


def places(before: Any, after: Any) -> set[str]:
    """The places at which the two differ."""
    return {re.sub(r"\[\d+\]", "[]", path) for path, _ in difference(before, after)}


Found = Mapping[str, set[str]]
"""The places that are not as they were, by the folder."""


def unlisted(ours: Ours, found: Found) -> list[str]:
    """Those of the places in `found` that `ours` does not have, with their folders."""
    return [
        f"{folder}: {it}" for folder in found for it in found[folder] if not _has(ours, it, folder)
    ]


def _has(ours: Ours, place: str, folder: str) -> bool:
    why = ours.get(place)
    return why is not None and (isinstance(why, str) or folder in why.folders)


def listed_in_vain(ours: Ours, found: Found) -> list[str]:
    """Those places of `ours` that no folder needs, and folders that do not need them."""
    needed: dict[str, set[str]] = {}
    for folder, changed in found.items():
        for place in changed:
            needed.setdefault(place, set()).add(folder)
    vain = [place for place in ours if place not in needed]
    for place, why in ours.items():
        if isinstance(why, Only):
            vain += [f"{folder}: {place}" for folder in why.folders - needed.get(place, set())]
    return vain


# Requests


class Case(NamedTuple):
    """A request in a golden folder: a client's, or what an upstream is asked."""

    protocol: str
    scenario: Scenario
    file: str

    @override
    def __str__(self) -> str:
        upstreams = " upstream" if self.file == _UPSTREAMS else ""
        return f"{self.protocol}-{self.scenario}{upstreams}"

    def said(self) -> Json:
        """The request."""
        said: Json = {"model": "m", **packed(self.scenario.json(self.file))}
        return said


_CLIENTS, _UPSTREAMS = "request.json", "upstream_request.json"
_ISSUERS = {"messages": "anthropic", "responses": "openai-responses"}
"""The provider that has issued what a client of a protocol sends back, in the folders below
`across`."""
_MODELS = {"messages": "claude-sonnet-4-6", "responses": "gpt-4.1"}
"""What such a client asks for."""


def _cases() -> Iterator[Case]:
    for each in scenarios(_CLIENTS):
        yield Case("chat", each, _CLIENTS)
        if each.has(_UPSTREAMS):
            yield Case(DIALECTS[each.dialect].name, each, _UPSTREAMS)
    for path in sorted(ACROSS.glob(f"*/*/{_CLIENTS}")):
        client = path.parents[1].name
        yield Case(client, Scenario(_ISSUERS[client], path.parent.name, path.parent), _CLIENTS)
    for crossing in crossings():
        name = f"{crossing.path.parent.name} of {crossing.client}"
        scenario = Scenario(crossing.answer.provider, name, crossing.path)
        if scenario.has(_UPSTREAMS):
            yield Case(DIALECTS[scenario.dialect].name, scenario, _UPSTREAMS)


REQUESTS = {
    protocol: [case for case in _cases() if case.protocol == protocol]
    for protocol in ("messages", "responses", "chat")
}
"""Every request that a golden folder holds, by its protocol."""

_HASHED = "ids of users are hashed"
_DEFAULT = "what says nothing, or what happens without it, is left out"
_NEWER = "the older form is told in the newer"
_NOT_OURS = "it is another protocol's, or nobody's"
_MENDED = "it is mended as upstreams want it"
_NAMESPACE = only(
    "a tool of a namespace is a tool with a longer name", "openai-responses: namespace"
)
_STORED = "an item is sent whole, and says nothing of where it was stored"
_SEALED = "reasoning goes to its issuer alone, and as its issuer had it"
OURS_OF_REQUESTS: dict[str, Ours] = {
    "messages": {
        "messages[].content": "a text is one block",
        "messages[].content[].content": "a result of text alone is a string",
        "metadata.user_id": _HASHED,
        "output_config": "an effort that is the default is not told",
        "output_config.effort": "an effort that is the default is not told",
        "stop_sequences": _DEFAULT,
        "system": "a text is one block",
    },
    "responses": {
        "include": "it is asked for unasked",
        "input": "a text is one message of the user's",
        "input[]": only(
            _SEALED,
            "openai-responses: reasoning-replayed reasoning-replayed-twice turns-stay-apart",
        ),
        "input[].call_id": "what stands between a call and its output goes behind them",
        "input[].content": "what stands between a call and its output goes behind them",
        "input[].content[].detail": "only Responses knows `original`",
        "input[].id": _STORED,
        "input[].output": "what stands between a call and its output goes behind them",
        "input[].role": only(
            "what stands between a call and its output goes behind them",
            "openai-responses: system-between-tools",
        ),
        "input[].status": _STORED,
        "input[].type": only(
            "a message says what it is, and what stands between a call and its output goes behind",
            "openai-responses: images system-between-tools tool-call tool-results",
        ),
        "instructions": "they are a message of the developer's",
        "max_tokens": "a row's own name, which no client of the protocol has",
        "reasoning": "a summary that is asked for without an effort is no setting of a Prompt's",
        "reasoning.summary": "a summary is asked for with every effort",
        "store": "an upstream stores nothing",
        "text.format.strict": "a schema that can be strict is",
        "tools[].description": _NAMESPACE,
        "tools[].name": _NAMESPACE,
        "tools[].parameters": _NAMESPACE,
        "tools[].strict": _NAMESPACE,
        "tools[].tools": _NAMESPACE,
        "tools[].type": _NAMESPACE,
        "top_logprobs": _DEFAULT,
    },
    "chat": {
        "background": _NOT_OURS,
        "betas": _NOT_OURS,
        "chat_template_kwargs": _NOT_OURS,
        "foo": _NOT_OURS,
        "function_call": _NEWER,
        "functions": _NEWER,
        "instructions": _NOT_OURS,
        "max_completion_tokens": _NEWER,
        "max_tokens": _NEWER,
        "messages[]": only(
            "what can only be one is joined, and results follow their calls",
            "anthropic: developer-role empty-turn merged-turns only-system system-later"
            " system-later-misplaced system-later-native system-leading"
            " openai-responses: empty-turn reasoning-alone tools-image-result turns-stay-apart",
        ),
        "messages[].cache_control": "a mark stands at the last part",
        "messages[].content": "parts of text alone are a string, and a mark makes parts of it",
        "messages[].content[].cache_control": "a mark of OpenAI's is told as Anthropic's",
        "messages[].content[].citations": _NOT_OURS,
        "messages[].content[].file.file_data": "its type is what its first bytes say",
        "messages[].content[].file.filename": _MENDED,
        "messages[].content[].image_url": _NEWER,
        "messages[].content[].image_url.detail": "only three words are known to all",
        "messages[].content[].image_url.url": "its type is what its first bytes say",
        "messages[].content[].prompt_cache_breakpoint": "a mark of OpenAI's is told as Anthropic's",
        "messages[].function_call": _NEWER,
        "messages[].name": _NEWER,
        "messages[].reasoning_content": _SEALED,
        "messages[].refusal": "a refusal is told once",
        "messages[].role": _NEWER,
        "messages[].thinking_blocks": _SEALED,
        "messages[].tool_call_id": _NEWER,
        "messages[].tool_calls": _NEWER,
        "messages[].tool_calls[].function.arguments": _MENDED,
        "messages[].tool_calls[].function.name": "names are such as OpenAI takes",
        "messages[].tool_calls[].id": "ids are as long as OpenAI takes",
        "metadata": _DEFAULT,
        "modalities": _DEFAULT,
        "n": _DEFAULT,
        "parallel_tool_calls": "the older form has room for one call",
        "prediction": _NOT_OURS,
        "previous_response_id": _NOT_OURS,
        "provider": _NOT_OURS,
        "random_seed": _NOT_OURS,
        "reasoning_effort": "the model does not reason, or not so hard",
        "response_format": _DEFAULT,
        "response_format.json_schema.strict": "a schema that can be strict is",
        "safety_identifier": _HASHED,
        "seed": _DEFAULT,
        "stop": "one sequence is a list of one",
        "store": _NOT_OURS,
        "temperature": _DEFAULT,
        "thinking": _NOT_OURS,
        "tool_choice": _NEWER,
        "tool_choice.function.name": "names are such as OpenAI takes",
        "tools": _NEWER,
        "tools[].cache_control": _NOT_OURS,
        "tools[].custom.format": _DEFAULT,
        "tools[].function.name": "names are such as OpenAI takes",
        "tools[].function.parameters": _MENDED,
        "tools[].function.parameters.properties": _MENDED,
        "tools[].function.parameters.type": _MENDED,
        "top_a": _NOT_OURS,
        "top_p": _DEFAULT,
        "transforms": _NOT_OURS,
        "unheard_of": _NOT_OURS,
        "user": "it is told as `safety_identifier`, hashed",
        "verbosity": _DEFAULT,
        "web_search_options": _DEFAULT,
    },
}
OURS_EACH_TIME: Ours = {
    "messages[]": "turns that an empty one stood between are neighbours now",
    "messages[].content": "turns that an empty one stood between are neighbours now",
    "metadata.user_id": _HASHED,
    "response_format.json_schema.strict": "what is not said to be loose is as strict as it can be",
    "safety_identifier": _HASHED,
    "text.format.strict": "what is not said to be loose is as strict as it can be",
}
"""What a second round changes again."""
REFUSED = {
    "messages-anthropic/mcp-servers upstream": "container",
    "chat-anthropic/mcp-servers": "container",
    "chat-anthropic/prefill": "messages[1]",
    "chat-openai-responses/file-id": "messages[0].content[1].file.file_id",
}
"""What a relay passes on and a Prompt cannot say, with the place at fault."""


def again(case: Case, said: Json) -> Json:
    """`said`, decoded and encoded again in one protocol."""
    codec = PROTOCOLS[case.protocol]
    request = codec.decode_request(json.encode_body(said), {}, "m")
    its_target = target(codec, case.scenario)
    encoded = codec.encode_prompt(codec.decode_prompt(request, CARRIER), its_target)
    return {**json.decode_object(encoded.request.body), "model": request.model}


def target(codec: Codec, scenario: Scenario) -> Target:
    """A target that accepts all of its protocol, of the provider that wrote the reasoning."""
    asked = scenario.json(_UPSTREAMS, {"model": _MODELS.get(codec.name)})
    return Target(_provider(codec.name, scenario.provider), asked["model"])


@cache
def _provider(protocol: str, name: str) -> Provider:
    (dialect,) = [each for each, codec in DIALECTS.items() if codec.name == protocol]
    quirks = {"takes": [*TAKEN], "most_stops": 16}
    of_chat = {"quirks": quirks} if protocol == "chat" else {}
    rows = [row(dialect, name, **of_chat)]
    config = load({"API_KEYS": KEY, "UPSTREAM_KEY": UPSTREAM_KEY, "PROVIDERS": rows}.get)
    return config.providers[0]


def refused(case: Case) -> str | None:
    """The place of something that a Prompt cannot express."""
    return REFUSED.get(str(case))


@pytest.mark.parametrize("case", [it for cases in REQUESTS.values() for it in cases], ids=str)
def test_a_request_that_is_decoded_and_encoded_is_the_same(case: Case) -> None:
    said, place = case.said(), refused(case)
    if place:
        with pytest.raises(ClientError, match=re.escape(place)):
            again(case, said)
        return
    once = again(case, said)
    assert unlisted(OURS_OF_REQUESTS[case.protocol], {str(case.scenario): places(said, once)}) == []
    assert places(once, again(case, once)) <= OURS_EACH_TIME.keys()


@pytest.mark.parametrize("protocol", REQUESTS)
def test_no_place_of_a_request_is_listed_in_vain(protocol: str) -> None:
    found: dict[str, set[str]] = {}
    for case in REQUESTS[protocol]:
        if not refused(case):
            changed = places(case.said(), again(case, case.said()))
            found.setdefault(str(case.scenario), set()).update(changed)
    assert listed_in_vain(OURS_OF_REQUESTS[protocol], found) == []


# Answers

ANSWERS = scenarios("upstream.json", "reply.json")
STREAMS = scenarios("upstream.sse", "upstream.json", "reply.json")
BASES: dict[str, Json] = {
    "messages": {"model": "m", "max_tokens": 9, "messages": []},
    "responses": {"model": "m", "input": "x", "include": ["web_search_call.action.sources"]},
    "chat": {"model": "m", "messages": []},
}
"""The request that is answered, by protocol."""

_FILLED = "what the object has in any case is filled in"
_ID = "ids are made here"
_ECHOED = "what was asked is told as this client asked it"
OURS_OF_ANSWERS: dict[str, Ours] = {
    "messages": {
        "container": "it lives at Anthropic",
        "content[]": only(
            "an answer without a block gets one of text",
            "anthropic: empty-answer mcp-servers refusal-at-once unknown-events",
        ),
        "content[].citations": "a document's passages are known to Anthropic alone",
        "content[].citations[].cited_text": "of a citation its URL and title are known to all",
        "content[].citations[].encrypted_index": "of a citation its URL and title are known to all",
        "content[].content[].encrypted_content": "of a source its URL and title are known to all",
        "content[].content[].page_age": "of a source its URL and title are known to all",
        "content[].data": _SEALED,
        "content[].id": _ID,
        "content[].signature": _SEALED,
        "content[].tool_use_id": _ID,
        "id": _ID,
        "stop_details": _FILLED,
        "stop_details.category": "a refusal has a reason in words, if any",
        "stop_reason": "one word stands for several that mean the same to all",
        "usage.cache_creation": "tokens are counted by what all know",
        "usage.cache_creation_input_tokens": _FILLED,
        "usage.cache_read_input_tokens": _FILLED,
        "usage.output_tokens_details": _FILLED,
        "usage.server_tool_use": "searches are counted as they are told",
    },
    "responses": {
        "background": _FILLED,
        "completed_at": "nobody has told these tests the time",
        "created_at": "it is when the gateway was asked",
        "error": _FILLED,
        "frequency_penalty": _FILLED,
        "incomplete_details": _FILLED,
        "incomplete_details.reason": "one word stands for several that mean the same to all",
        "instructions": _ECHOED,
        "max_output_tokens": _ECHOED,
        "max_tool_calls": _ECHOED,
        "metadata": _ECHOED,
        "output[]": only(
            "text without a letter is none",
            "openai-responses: empty-text server-tool several-parts",
        ),
        "output[].action.queries": _FILLED,
        "output[].arguments": "a call without arguments has an empty object",
        "output[].content": "raw reasoning is told as a summary, which all clients show",
        "output[].content[]": only(
            "neighbouring parts of text are one", "openai-responses: citations"
        ),
        "output[].encrypted_content": _SEALED,
        "output[].encrypted_content.value.id": _SEALED,
        "output[].encrypted_content.value.summary": _SEALED,
        "output[].id": _ID,
        "output[].status": "reasoning has no status",
        "output[].summary[]": only(
            "the parts of a summary are one",
            "openai-responses: reasoning reasoning-text reasoning-text-open-responses",
        ),
        "parallel_tool_calls": _ECHOED,
        "presence_penalty": _FILLED,
        "previous_response_id": _ECHOED,
        "prompt_cache_key": _ECHOED,
        "reasoning": _ECHOED,
        "reasoning.effort": _ECHOED,
        "safety_identifier": _ECHOED,
        "service_tier": _FILLED,
        "temperature": _ECHOED,
        "text": _ECHOED,
        "tool_choice": _ECHOED,
        "tools": _ECHOED,
        "top_logprobs": _ECHOED,
        "top_p": _ECHOED,
        "truncation": _ECHOED,
        "usage": _FILLED,
        "usage.input_tokens_details.cache_write_tokens": _FILLED,
        "usage.output_tokens_details": _FILLED,
        "user": _ECHOED,
    },
    "chat": {
        "choices[]": only("other protocols have one answer", "openai: several-choices"),
        "choices[].finish_reason": _NEWER,
        "choices[].message.function_call": _NEWER,
        "choices[].message.grounding": "other protocols have no place for it",
        "choices[].message.note": "other protocols have no place for it",
        "choices[].message.thinking_blocks": "reasoning is sealed, so that it can come back",
        "choices[].message.tool_calls": _NEWER,
        "choices[].message.tool_calls[].extra_content": "it rides in the seal of a thinking block",
    },
}


def answering(codec: Codec, scenario: Scenario) -> Answering:
    fields = BASES[codec.name]
    return Answering(
        Request(fields, b"", "m", stream=True),
        Stamp(TOKEN, 0, "m", "fp_0000000000", "req_0"),
        Origin(scenario.provider, "up", codec.name),
        CARRIER,
        Expected(cited=True, reasoning_back=True),
    )


def relayed(scenario: Scenario) -> Json:
    """The whole answer as a client of the same protocol gets it."""
    codec = DIALECTS[scenario.dialect]
    whole = codec.relay_whole(scenario.bytes("upstream.json"), answering(codec, scenario))
    return spelled(json.decode_object(whole.body))


def written(scenario: Scenario) -> Json:
    """The whole answer, read and written in one protocol."""
    codec = DIALECTS[scenario.dialect]
    of = answering(codec, scenario)
    writer = codec.whole_writer(of)
    codec.reader(writer, of).whole(scenario.bytes("upstream.json"))
    return spelled(json.decode_object(json.encode_body(writer.body())))


def streamed(scenario: Scenario, stream: Stream) -> Json:
    """What the frames of `stream` add up to."""
    decoder = Decoder()
    events = decoder.feed(scenario.bytes("upstream.sse").decode())
    frames = "".join(stream.feed(event) for event in [*events, *decoder.close()])
    return spelled(_ADDED_UP[DIALECTS[scenario.dialect].name](frames + stream.close()))


def translation(scenario: Scenario) -> Stream:
    """The reader and the writer for a stream in one protocol."""
    codec = DIALECTS[scenario.dialect]
    of = answering(codec, scenario)
    writer = codec.stream_writer(of)
    return Translation(codec.reader(writer, of), writer)


def spelled(answer: Json) -> Json:
    """`answer` with its signed reasoning decoded, and without the white space of arguments, which
    is the model's own.
    """
    plain: Json = _plain(opened(answer))
    return plain


def _plain(value: Any) -> Any:
    if isinstance(value, list):
        return [_plain(each) for each in value]
    if not isinstance(value, dict):
        return value
    told = {name: _plain(each) for name, each in value.items()}
    given = told.get("arguments")
    if isinstance(given, str) and given:
        try:
            told["arguments"] = json.encode(json.decode(given))
        except ValueError:
            told["arguments"] = given  # the limit has cut it off
    return told


def _of_responses(frames: str) -> Json:
    data = [line[6:] for line in frames.splitlines() if line.startswith("data: {")]
    response: Json = json.decode(data[-1])["response"]
    return response


_ADDED_UP: Mapping[str, Callable[[str], Json]] = {
    "chat": accumulate.completion,
    "messages": sdk.accumulated,
    "responses": _of_responses,
}


@pytest.mark.parametrize("scenario", ANSWERS, ids=str)
def test_a_whole_answer_that_is_read_and_written_is_the_same(scenario: Scenario) -> None:
    ours = OURS_OF_ANSWERS[DIALECTS[scenario.dialect].name]
    changed = places(relayed(scenario), written(scenario))
    assert unlisted(ours, {str(scenario): changed}) == []


@pytest.mark.parametrize("scenario", STREAMS, ids=str)
def test_a_stream_that_is_read_and_written_is_the_whole_answer(scenario: Scenario) -> None:
    assert streamed(scenario, translation(scenario)) == written(scenario)


@pytest.mark.parametrize("protocol", PATHS)
def test_no_place_of_an_answer_is_listed_in_vain(protocol: str) -> None:
    found = {
        str(scenario): places(relayed(scenario), written(scenario))
        for scenario in ANSWERS
        if scenario.dialect == protocol
    }
    assert listed_in_vain(OURS_OF_ANSWERS[DIALECTS[protocol].name], found) == []


@pytest.mark.parametrize("ours", [*OURS_OF_REQUESTS.values(), *OURS_OF_ANSWERS.values()])
def test_items_that_are_others_are_listed_with_their_folders(ours: Ours) -> None:
    items = {place: why for place, why in ours.items() if place.endswith("[]")}
    assert [place for place, why in items.items() if isinstance(why, str)] == []


# Streams that break

BROKEN = [each for each in scenarios("upstream.sse") if not each.has("upstream.json")]


def broken(scenario: Scenario, stream: Stream) -> tuple[str, UpstreamError]:
    """The frames of a stream up to its error, which it must have."""
    decoder = Decoder()
    events = decoder.feed(scenario.bytes("upstream.sse").decode())
    frames: list[str] = []
    try:
        frames += (stream.feed(event) for event in [*events, *decoder.close()])
        stream.close()
    except UpstreamError as error:
        return "".join(frames), error
    raise AssertionError("it ended well")


@pytest.mark.parametrize("scenario", BROKEN, ids=str)
def test_a_stream_that_breaks_is_read_as_it_is_passed_on(scenario: Scenario) -> None:
    codec = DIALECTS[scenario.dialect]
    frames, passed_on = broken(scenario, codec.relay_stream(answering(codec, scenario)))
    again, read = broken(scenario, translation(scenario))
    assert vars(read) == vars(passed_on)
    assert _TEXTS[codec.name](again) == _TEXTS[codec.name](frames)


def _texts(pattern: str) -> Callable[[str], list[str]]:
    return lambda frames: re.findall(pattern, frames)


_TEXTS = {
    "chat": _texts(r'"content":"([^"]+)"'),
    "messages": _texts(r'"text_delta","text":"([^"]+)"'),
    "responses": _texts(r'"delta":"([^"]+)"'),
}
