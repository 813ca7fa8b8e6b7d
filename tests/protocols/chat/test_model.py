"""A real language model gets Prompts from other protocols' clients, and may answer anything."""

import urllib.request

import pytest

from tests.protocols.chat.reading import answering, events_of
from tests.protocols.recorder import Recorder
from tools import model
from xtrix.answer import FinishReason
from xtrix.prompt import Call, Prompt, Result, Settings, Text, Tool, Turn
from xtrix.protocols.chat.encode import encode_prompt
from xtrix.protocols.chat.reader import Reader
from xtrix.providers import Provider, Target

SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
TURNS = [
    Turn("system", [Text("Answer in a few words.")]),
    Turn("developer", [Text("Be kind.")]),
    Turn("user", [Text("What is the weather"), Text("in Oslo?")]),
    Turn("assistant", [Text("I look."), Call("call_1", "weather", '{"city":"Oslo"}')]),
    Turn("system", [Text("It is winter.")]),
    Turn("user", [Result("call_1", [Text("-4 °C, snow")]), Text("And so?")]),
]


def asked(local: model.Model, prompt: Prompt) -> Recorder:
    """The model's answer."""
    to = Target(Provider("local", "openai", f"{local.url}/v1"), model.NAME)
    call = encode_prompt(prompt, to).request
    request = urllib.request.Request(call.url, call.body, dict(call.headers))
    with urllib.request.urlopen(request) as response:
        body = response.read()
    recorder = Recorder()
    reading = Reader(recorder, answering())
    if prompt.stream:
        for event in events_of(body):
            reading.feed(event)
        reading.close()
    else:
        reading.whole(body)
    assert reading.finished
    return recorder


@pytest.mark.parametrize("stream", [False, True])
def test_a_conversation_with_tools_and_system_text_anywhere(
    local_model: model.Model, stream: bool
) -> None:
    prompt = Prompt(
        TURNS,
        tools=[Tool("function", "weather", "Tells the weather.", SCHEMA)],
        settings=Settings(max_tokens=3, temperature=0),
        stream=stream,
    )
    told = asked(local_model, prompt)
    assert told.blocks
    assert told.finish
    assert told.finish.reason is FinishReason.LENGTH
    assert told.finish.usage.completion == 3
    assert told.finish.usage.prompt > 20


def test_whole_and_streamed_answers_are_the_same(local_model: model.Model) -> None:
    settings = Settings(max_tokens=24, temperature=0, stop=("\n",))
    once = asked(local_model, Prompt(TURNS, settings=settings))
    stream = asked(local_model, Prompt(TURNS, settings=settings, stream=True))
    assert stream.blocks == once.blocks
    assert once.finish
    assert stream.finish
    assert stream.finish.reason is once.finish.reason
    assert stream.finish.usage.completion == once.finish.usage.completion
