"""Does the jobs with `responses` of openai-python."""

import json
from collections.abc import Callable, Mapping
from typing import Any

import openai
import pydantic
from openai import OpenAI

from tests.clients.sdk import Json


class Capital(pydantic.BaseModel):
    """A capital city."""

    city: str
    inhabitants: int | None


class Weather(pydantic.BaseModel):
    """The arguments of the tool."""

    city: str


MOST_TURNS = 5
NEXT = {"role": "user", "content": "Go on."}


def _respond(client: OpenAI, request: Json, _: list[Json]) -> Json:
    return _answer(client.responses.create(**request))


def _events(client: OpenAI, request: Json, chunks: list[Json]) -> list[Json]:
    with client.responses.create(**request, stream=True) as stream:
        chunks += map(_json, stream)
    return chunks


def _stream(client: OpenAI, request: Json, chunks: list[Json]) -> Json:
    with client.responses.stream(**_typed(request)) as stream:
        chunks += map(_json, stream)
        return _answer(stream.get_final_response())


def _parse(client: OpenAI, request: Json, _: list[Json]) -> Json:
    return _answer(client.responses.parse(**_typed(request)))


def _loop(client: OpenAI, job: Json, chunks: list[Json]) -> Json:
    """Sends every call's result back, with all items as the SDK gave them."""
    request, returned = job["request"], job["returned"]
    items: list[Any] = [{"role": "user", "content": request["input"]}]
    for _ in range(MOST_TURNS):
        response = _HOW[job["how"]](client, {**request, "input": items}, chunks)
        calls = [item for item in response.output if item.type == "function_call"]
        if not calls:
            return _answer(response)
        items += response.output
        items += [
            {
                "type": "function_call_output",
                "call_id": call.call_id,
                "output": returned[call.name],
            }
            for call in calls
        ]
    raise AssertionError("the loop has no end")


def _compact(client: OpenAI, request: Json, chunks: list[Json]) -> Json:
    """Makes a summary of a conversation, and continues from it."""
    compaction = client.responses.compact(**request)
    items: list[Any] = [*compaction.output, NEXT]
    answer = _respond(client, {"model": request["model"], "input": items}, chunks)
    return {"compaction": _json(compaction), "text": answer["text"]}


def _final(client: OpenAI, request: Json, chunks: list[Json]) -> Any:
    with client.responses.stream(**_typed(request)) as stream:
        chunks += map(_json, stream)
        return stream.get_final_response()


def _completed(client: OpenAI, request: Json, chunks: list[Json]) -> Any:
    """The response in the last event of `create` with `stream`."""
    with client.responses.create(**request, stream=True) as stream:
        (response,) = [it.response for it in stream if it.type == "response.completed"]
    return response


_HOW: Mapping[str, Callable[[OpenAI, Json, list[Json]], Any]] = {
    "respond": lambda client, request, _: client.responses.create(**request),
    "respond_events": _completed,
    "respond_stream": _final,
    "respond_parse": lambda client, request, _: client.responses.parse(**_typed(request)),
}

JOBS: Mapping[str, Callable[[OpenAI, Json, list[Json]], Any]] = {
    "respond": _respond,
    "respond_events": _events,
    "respond_stream": _stream,
    "respond_parse": _parse,
    "respond_loop": _loop,
    "respond_compact": _compact,
}


def _typed(request: Json) -> Json:
    """`request` with classes in place of schemas, if it asks for parsing."""
    typed = dict(request)
    if typed.pop("parsed", False):
        typed["text_format"] = Capital
    if "tools" in typed:
        (tool,) = typed["tools"]
        # The SDK gives a class the form of Chat Completions. Responses has the same one level up.
        made = openai.pydantic_function_tool(Weather, name=tool["name"])["function"]
        typed["tools"] = [{"type": "function", **made}]
    return typed


def _answer(response: Any) -> Json:
    parsed = getattr(response, "output_parsed", None)
    return {
        "response": _json(response),
        "text": response.output_text,
        "parsed": parsed and json.loads(parsed.model_dump_json()),
    }


def _json(value: Any) -> Json:
    return value.to_dict(mode="json", warnings=False)
