"""Adds up a stream as a client does, with the accumulator of the real SDK (openai-python)."""

from typing import Any

from openai.lib.streaming._deltas import accumulate_delta

from xtrix import json


def frames(text: str) -> list[Any]:
    """The values of a stream's `data:` lines, with [DONE] as a string."""
    assert text.endswith("\n\n"), "the stream ends inside a frame"
    found: list[Any] = []
    for frame in text[:-2].split("\n\n"):
        assert frame.startswith("data: "), frame
        assert "\n" not in frame, "a frame of more than one line"
        data = frame.removeprefix("data: ")
        found.append(data if data == "[DONE]" else json.decode(data))
    return found


def completion(text: str) -> dict[str, Any]:
    """The `chat.completion` that the chunks of a stream add up to.

    Checks the form of each chunk.
    """
    *chunks, done = frames(text)
    assert done == "[DONE]"
    shared = {key: chunks[0][key] for key in ("id", "created", "model", "system_fingerprint")}
    choices: dict[int, dict[str, Any]] = {}
    usages = []
    tier = None
    for chunk in chunks:
        assert chunk["object"] == "chat.completion.chunk"
        assert {key: chunk[key] for key in shared} == shared, "the head changed in mid-stream"
        usages += [chunk["usage"]] if chunk.get("usage") else []
        tier = chunk.get("service_tier", tier)
        for said in chunk["choices"]:
            _take(choices, said)
    assert len(usages) <= 1, "usage was told twice"
    whole = {**shared, "object": "chat.completion", "choices": _whole(choices)}
    whole |= {"usage": usages[0]} if usages else {}
    return whole | ({"service_tier": tier} if tier else {})


def _take(choices: dict[int, dict[str, Any]], said: dict[str, Any]) -> None:
    assert set(said) == {"index", "delta", "logprobs", "finish_reason"}
    index = said["index"]
    if index not in choices:
        assert said["delta"] == {"role": "assistant", "content": ""}, "the first delta is the role"
        choices[index] = {"message": dict(said["delta"]), "finish_reason": None, "logprobs": None}
        return
    choice = choices[index]
    assert choice["finish_reason"] is None, "a delta after the finish"
    assert "role" not in said["delta"], "the role was told twice"
    if said["finish_reason"]:
        assert said["delta"] == {}
        choice["finish_reason"] = said["finish_reason"]
        return
    assert said["delta"] or said["logprobs"], "an empty delta"
    choice["message"] = dict(accumulate_delta(dict(choice["message"]), dict(said["delta"])))
    if said["logprobs"]:
        tokens = choice["logprobs"] or {}
        for name, more in said["logprobs"].items():
            tokens[name] = [*(tokens.get(name) or []), *more] if more else tokens.get(name)
        choice["logprobs"] = tokens


def _whole(choices: dict[int, dict[str, Any]]) -> list[dict[str, Any]]:
    return [
        {
            "index": index,
            "message": _message(choice["message"]),
            "logprobs": choice["logprobs"],
            "finish_reason": choice["finish_reason"],
        }
        for index, choice in sorted(choices.items())
    ]


def _message(message: dict[str, Any]) -> dict[str, Any]:
    """The message as in a whole answer: without the indexes that only a stream has."""
    whole: dict[str, Any] = {"refusal": None, **message}
    for name in ("tool_calls", "thinking_blocks", "annotations"):
        if name in whole:
            whole[name] = [
                {key: value for key, value in item.items() if key != "index"}
                for item in whole[name]
            ]
    if not whole["content"] and any(map(whole.get, ("tool_calls", "function_call", "refusal"))):
        whole["content"] = None
    return whole
