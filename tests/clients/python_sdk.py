"""Does the jobs with openai-python in this process."""

import base64
import inspect
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import openai
import pydantic
from openai import OpenAI
from openai.resources.chat.completions import Completions
from openai.types.chat import ChatCompletion
from typing_extensions import override

from tests.clients import python_responses
from tests.clients.sdk import FILE, USUAL, Json, Options, Raised, Sdk


class City(pydantic.BaseModel):
    city: str


class Mail(pydantic.BaseModel):
    email: str


class Person(pydantic.BaseModel):
    """Who somebody was."""

    name: str = pydantic.Field(description="Full name.")
    born: int | None
    home: City


class Review(pydantic.BaseModel):
    """What somebody thought of a film."""

    name: str
    rating: int
    tags: list[str]
    contact: Mail | None


class Weather(City):
    """The weather of a city."""

    unit: str | None = None


FORMATS = (Person, Review)
"""The folders' structured output. The fields tell which is which."""

TOOLS: dict[str, type[pydantic.BaseModel]] = {"get_weather": Weather, "get_time": City}
"""The arguments of the folders' tools."""


class PythonSdk(Sdk):
    """openai-python."""

    forgets = frozenset()

    def __init__(self, client: OpenAI) -> None:
        self._client = client

    @override
    def do(self, job: str, request: Json = None, options: Options = USUAL) -> Json:
        client = self._client.with_options(api_key=options.key, max_retries=options.retries)
        chunks: list[Json] = []
        try:
            return _json(_JOBS[job](client, _known(request), chunks))
        except openai.OpenAIError as error:
            raise Raised(_said(error, chunks)) from error


@contextmanager
def serve(base_url: str) -> Iterator[PythonSdk]:
    """The SDK, talking to this Worker."""
    # It uses no proxy, and no key from the environment.
    http_client = openai.DefaultHttpxClient(trust_env=False)
    with OpenAI(base_url=base_url, api_key="unset", http_client=http_client) as client:
        yield PythonSdk(client)


def _known(request: Json) -> Json:
    """`request` with unknown parameters where the SDK expects them."""
    if not isinstance(request, dict) or "messages" not in request:
        return request
    others = request.keys() - inspect.signature(Completions.stream).parameters.keys()
    named = {name: value for name, value in request.items() if name not in others}
    return {**named, "extra_body": {name: request[name] for name in others}}


def _create(client: OpenAI, request: Json, _: list[Json]) -> ChatCompletion:
    completion: ChatCompletion = client.chat.completions.create(**request)
    return completion


def _chunks(client: OpenAI, request: Json, chunks: list[Json]) -> list[Json]:
    with client.chat.completions.create(**request, stream=True) as stream:
        for chunk in stream:
            chunks.append(_json(chunk))
    return chunks


def _stream(client: OpenAI, request: Json, chunks: list[Json]) -> ChatCompletion:
    with client.chat.completions.stream(**request) as stream:
        for event in stream:
            if event.type == "chunk":
                chunks.append(_json(event.chunk))
        completion: ChatCompletion = stream.get_final_completion()
    return completion


def _parse(client: OpenAI, request: Json, _: list[Json]) -> ChatCompletion:
    completion: ChatCompletion = client.chat.completions.parse(**_typed(request))
    return completion


def _parse_stream(client: OpenAI, request: Json, chunks: list[Json]) -> ChatCompletion:
    return _stream(client, _typed(request), chunks)


def _typed(request: Json) -> dict[str, Any]:
    """`request` with classes in place of schemas."""
    typed = dict(request)
    if "response_format" in typed:
        fields = typed["response_format"]["json_schema"]["schema"]["properties"].keys()
        (typed["response_format"],) = [it for it in FORMATS if it.model_fields.keys() == fields]
    if "tools" in typed:
        names = [tool["function"]["name"] for tool in typed["tools"]]
        typed["tools"] = [openai.pydantic_function_tool(TOOLS[name], name=name) for name in names]
    return typed


def _converse(client: OpenAI, job: Json, chunks: list[Json]) -> ChatCompletion:
    request = _known(job["request"])
    message = _JOBS[job["how"]](client, request, chunks).choices[0].message
    results = [
        {"role": "tool", "tool_call_id": call.id, "content": job["returned"][call.function.name]}
        for call in message.tool_calls or ()
    ]
    turn = results or [{"role": "user", "content": "Go on."}]
    history = [*request["messages"], message, *turn]
    return _create(client, {**request, "messages": history}, chunks)


def _raw(client: OpenAI, request: Json, _: list[Json]) -> Json:
    response = client.chat.completions.with_raw_response.create(**request)
    return {"request_id": response.request_id, "completion": _json(response.parse())}


def _raw_stream(client: OpenAI, request: Json, chunks: list[Json]) -> Json:
    response = client.chat.completions.with_raw_response.create(**request, stream=True)
    with response.parse() as stream:
        chunks += map(_json, stream)
    return {"request_id": response.request_id, "chunks": chunks}


def _models(client: OpenAI, *_: object) -> list[Json]:
    return [_json(model) for model in client.models.list()]


def _model(client: OpenAI, request: Json, _: list[Json]) -> Json:
    return client.models.retrieve(request)


def _embeddings(client: OpenAI, request: Json, _: list[Json]) -> Json:
    return client.embeddings.create(**request)


def _completions(client: OpenAI, request: Json, _: list[Json]) -> Json:
    return client.completions.create(**request)


def _completion_chunks(client: OpenAI, request: Json, chunks: list[Json]) -> list[Json]:
    with client.completions.create(**request, stream=True) as stream:
        chunks += map(_json, stream)
    return chunks


def _moderations(client: OpenAI, request: Json, _: list[Json]) -> Json:
    return client.moderations.create(**request)


def _image(client: OpenAI, request: Json, _: list[Json]) -> Json:
    return client.images.generate(**request)


def _image_edit(client: OpenAI, request: Json, _: list[Json]) -> Json:
    return client.images.edit(**request, image=("a.png", FILE))


def _speech(client: OpenAI, request: Json, _: list[Json]) -> Json:
    return base64.b64encode(client.audio.speech.create(**request).content).decode()


def _transcription(client: OpenAI, request: Json, _: list[Json]) -> Json:
    # A plain text if subtitles were asked for, whatever its types say.
    return client.audio.transcriptions.create(**request, file=("a.mp3", FILE))


def _get(client: OpenAI, request: Json, _: list[Json]) -> Json:
    return client.get(request, cast_to=object)


def _leave(client: OpenAI, request: Json, _: list[Json]) -> str:
    with client.chat.completions.create(**request, stream=True) as stream:
        for chunk in stream:
            if text := chunk.choices[0].delta.content:
                return str(text)
    raise AssertionError("the stream ended without text")


def _leave_helper(client: OpenAI, request: Json, _: list[Json]) -> str:
    with client.chat.completions.stream(**request) as stream:
        for event in stream:
            if event.type == "content.delta" and event.delta:
                return str(event.delta)
    raise AssertionError("the stream ended without text")


_JOBS: Mapping[str, Callable[[OpenAI, Json, list[Json]], Any]] = {
    "create": _create,
    "chunks": _chunks,
    "stream": _stream,
    "parse": _parse,
    "parse_stream": _parse_stream,
    "converse": _converse,
    "raw": _raw,
    "raw_stream": _raw_stream,
    "models": _models,
    "model": _model,
    "embeddings": _embeddings,
    "completions": _completions,
    "completion_chunks": _completion_chunks,
    "moderations": _moderations,
    "image": _image,
    "image_edit": _image_edit,
    "speech": _speech,
    "transcription": _transcription,
    "get": _get,
    "leave": _leave,
    "leave_helper": _leave_helper,
    "version": lambda *_: openai.__version__,
    **python_responses.JOBS,
}


def _json(value: Any) -> Json:
    """What the program has got, as JSON, with only the fields that were set."""
    if isinstance(value, openai.BaseModel):
        return value.to_dict(mode="json", warnings=False)
    return value


def _said(error: openai.OpenAIError, chunks: list[Json]) -> dict[str, Json]:
    fields = ("code", "type", "param", "request_id")
    return {
        "kind": type(error).__name__,
        "message": str(error),
        "status": getattr(error, "status_code", None),
        "chunks": chunks,
        **{name: getattr(error, name, None) for name in fields},
    }
