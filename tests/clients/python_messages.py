"""Does the jobs with anthropic-python in this process. They are those of `node_messages.mjs`."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import anthropic
from anthropic import Anthropic
from typing_extensions import override

from tests.clients.sdk import USUAL, Json, Options, Raised, Sdk

MOST_TURNS = 5


class PythonMessages(Sdk):
    """anthropic-python."""

    forgets = frozenset()

    def __init__(self, client: Anthropic) -> None:
        self._client = client

    @override
    def do(self, job: str, request: Json = None, options: Options = USUAL) -> Json:
        client = self._client.with_options(api_key=options.key, max_retries=options.retries)
        events: list[Json] = []
        try:
            return _json(_JOBS[job](client, request, events))
        except anthropic.AnthropicError as error:
            raise Raised(_fields(error, events)) from error


@contextmanager
def serve(base_url: str) -> Iterator[PythonMessages]:
    """The SDK, talking to this Worker."""
    # It uses no proxy, and no key from the environment.
    http_client = anthropic.DefaultHttpxClient(trust_env=False)
    with Anthropic(base_url=base_url, api_key="unset", http_client=http_client) as client:
        yield PythonMessages(client)


def _create(client: Anthropic, request: Json, _: list[Json]) -> Any:
    return client.messages.create(**request)


def _events(client: Anthropic, request: Json, events: list[Json]) -> list[Json]:
    with client.messages.create(**request, stream=True) as stream:
        for event in stream:
            events.append(_json(event))
    return events


def _stream(client: Anthropic, request: Json, events: list[Json]) -> Any:
    with client.messages.stream(**request) as stream:
        for event in stream:
            events.append(event.type)
        return stream.get_final_message()


def _loop(client: Anthropic, job: Json, events: list[Json]) -> Any:
    """Sends every call's result back, after the turn as the SDK gave it."""
    request, returned = job["request"], job["returned"]
    messages = list(request["messages"])
    for _ in range(MOST_TURNS):
        message = _JOBS[job["how"]](client, {**request, "messages": messages}, events)
        calls = [block for block in message.content if block.type == "tool_use"]
        if not calls:
            return message
        results = [
            {"type": "tool_result", "tool_use_id": call.id, "content": returned[call.name]}
            for call in calls
        ]
        messages += [
            {"role": "assistant", "content": message.content},
            {"role": "user", "content": results},
        ]
    raise AssertionError("the loop has no end")


def _request_id(client: Anthropic, request: Json, _: list[Json]) -> Any:
    message: Any = client.messages.create(**request)
    return message._request_id


def _count(client: Anthropic, request: Json, _: list[Json]) -> Any:
    return client.messages.count_tokens(**request)


def _models(client: Anthropic, request: Json, _: list[Json]) -> Json:
    page = client.models.list(**request)
    return {"pages": len(list(page.iter_pages())), "models": [_json(model) for model in page]}


def _model(client: Anthropic, request: Json, _: list[Json]) -> Any:
    return client.models.retrieve(request)


def _leave(client: Anthropic, request: Json, _: list[Json]) -> str:
    with client.messages.create(**request, stream=True) as stream:
        for event in stream:
            if event.type == "content_block_delta" and event.delta.type == "text_delta":
                return str(event.delta.text)
    raise AssertionError("the stream ended without text")


def _leave_helper(client: Anthropic, request: Json, _: list[Json]) -> str:
    with client.messages.stream(**request) as stream:
        for text in stream.text_stream:
            return str(text)
    raise AssertionError("the stream ended without text")


_JOBS: Mapping[str, Callable[[Anthropic, Json, list[Json]], Any]] = {
    "create": _create,
    "events": _events,
    "stream": _stream,
    "loop": _loop,
    "request_id": _request_id,
    "count": _count,
    "models": _models,
    "model": _model,
    "leave": _leave,
    "leave_helper": _leave_helper,
    "version": lambda *_: anthropic.__version__,
}


def _json(value: Any) -> Json:
    """What the program has got, as JSON, with only the fields that were set."""
    if isinstance(value, anthropic.BaseModel):
        return value.to_dict(mode="json", warnings=False)
    return value


def _fields(error: anthropic.AnthropicError, events: list[Json]) -> dict[str, Json]:
    return {
        "kind": type(error).__name__,
        "message": str(error),
        "status": getattr(error, "status_code", None),
        "type": getattr(error, "type", None),
        "request_id": getattr(error, "request_id", None),
        "chunks": events,
    }
