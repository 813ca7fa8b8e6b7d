"""OpenAI's other endpoints through its SDKs, and embeddings that a real model makes."""

import base64
import json
import math
from collections.abc import Sequence

import httpx
import pytest
from langchain_openai import OpenAIEmbeddings
from pydantic import SecretStr

from tests.clients.sdk import FILE, KEY, Json, Sdk, raised
from tests.worker.scripts import stream, whole
from tests.worker.upstream import Upstream
from tools import runtime

LOCAL = "local-openai"
SENTENCES = [
    "A dog runs in the park.",
    "The stock market fell sharply today.",
    "She is cooking pasta for dinner.",
]
NEAREST = {
    "A puppy is playing outside on the grass.": 0,
    "Shares lost value on Wall Street.": 1,
    "He prepares a meal in the kitchen.": 2,
}
SOUND = (("content-type", "audio/mpeg"),)
IMAGE = base64.b64encode(b"\x89PNG").decode()


def nearest(asked: Sequence[float], vectors: list[list[float]]) -> int:
    def closeness(vector: list[float]) -> float:
        return sum(map(lambda a, b: a * b, asked, vector)) / math.hypot(*vector)

    return max(range(len(vectors)), key=lambda index: closeness(vectors[index]))


@pytest.mark.parametrize("form", [{}, {"encoding_format": "float"}])
def test_a_real_model_ranks_sentences(sdk: Sdk, form: Json) -> None:
    """Both SDKs ask for base64 by default, and return numbers."""
    texts = [*SENTENCES, *NEAREST]
    answer = sdk.do("embeddings", {"model": LOCAL, "input": texts, **form})
    assert [each["index"] for each in answer["data"]] == [*range(len(texts))]
    vectors = [each["embedding"] for each in answer["data"]]
    asked = vectors[len(SENTENCES) :]
    ranked = [nearest(vector, vectors[: len(SENTENCES)]) for vector in asked]
    assert ranked == [*NEAREST.values()]
    assert answer["usage"]["prompt_tokens"] > len(texts)


def test_what_an_upstream_leaves_out_is_there(sdk: Sdk, upstream: Upstream) -> None:
    """Some upstreams send neither the index of a vector nor the number of tokens."""
    data = [{"embedding": [0.5, -1.0]}, {"embedding": [2.0, 0.25]}]
    upstream.answer(whole(200, json.dumps({"data": data}).encode()))
    answer = sdk.do("embeddings", {"model": "gpt-embed", "input": ["a", "b"]})
    assert [(each["index"], each["embedding"]) for each in answer["data"]] == [
        (0, [0.5, -1.0]),
        (1, [2.0, 0.25]),
    ]
    assert answer["usage"] == {"prompt_tokens": 0, "total_tokens": 0}
    assert answer["model"] == "gpt-embed"


def test_langchain_ranks_them_too(worker: runtime.Served) -> None:
    """LangChain sends token ids, unless its settings say that the model is not OpenAI's."""
    with httpx.Client(trust_env=False) as client:
        embeddings = OpenAIEmbeddings(
            model=LOCAL,
            base_url=f"{worker.url}/v1",
            api_key=SecretStr(KEY),
            check_embedding_ctx_length=False,
            http_client=client,
        )
        vectors = embeddings.embed_documents(SENTENCES)
        ranked = [nearest(embeddings.embed_query(text), vectors) for text in NEAREST]
    assert ranked == [*NEAREST.values()]


def test_a_real_model_completes(sdk: Sdk) -> None:
    """llama.cpp has the endpoint itself."""
    request = {"model": LOCAL, "prompt": "The capital of France is", "max_tokens": 6}
    whole_answer = sdk.do("completions", {**request, "temperature": 0})
    assert whole_answer["object"] == "text_completion"
    assert whole_answer["usage"]["completion_tokens"] == 6
    chunks = sdk.do("completion_chunks", {**request, "temperature": 0})
    text = "".join(chunk["choices"][0]["text"] for chunk in chunks if chunk["choices"])
    assert text == whole_answer["choices"][0]["text"]


def test_what_an_evaluation_harness_asks(worker: runtime.Served) -> None:
    """lm-eval's requests: a list with one prompt, a seed, several stops. Tokens need a provider
    that has the endpoint.
    """
    request = {"model": LOCAL, "max_tokens": 8, "temperature": 0, "seed": 1234}
    headers = {"authorization": f"Bearer {KEY}"}
    for prompt in (["Question: 1+1=?\nAnswer:"], [[1, 2, 3]]):
        asked = {**request, "prompt": prompt, "stop": ["\n\n", "Question:"]}
        url = f"{worker.url}/v1/completions"
        answer = httpx.post(url, json=asked, headers=headers, timeout=60, trust_env=False)
        (choice,) = answer.json()["choices"]
        assert (answer.status_code, choice["index"]) == (200, 0)
        assert isinstance(choice["text"], str)


def test_a_model_of_turns_completes_too(sdk: Sdk) -> None:
    request = {"model": "local-anthropic", "prompt": "Say hello.", "max_tokens": 6}
    answer = sdk.do("completions", request)
    assert answer["object"] == "text_completion"
    assert answer["id"].startswith("cmpl-")
    assert answer["choices"][0]["text"]
    chunks = sdk.do("completion_chunks", request)
    assert "".join(chunk["choices"][0]["text"] for chunk in chunks)
    refused = raised(sdk, "completions", {**request, "echo": True})
    assert (refused.kind, refused.param) == ("BadRequestError", "echo")


def test_a_moderation(sdk: Sdk, upstream: Upstream) -> None:
    result = {"flagged": True, "categories": {"violence": True}, "category_scores": {}}
    upstream.answer(whole(200, json.dumps({"id": "modr-1", "results": [result]}).encode()))
    answer = sdk.do("moderations", {"model": "gpt-moderation", "input": "text"})
    assert answer["results"][0]["flagged"] is True
    assert upstream.calls[0].path == "/v1/moderations"


def test_an_image(sdk: Sdk, upstream: Upstream) -> None:
    upstream.answer(whole(200, json.dumps({"created": 1, "data": [{"b64_json": IMAGE}]}).encode()))
    request = {"model": "gpt-image-1", "prompt": "a cat"}
    assert sdk.do("image", request)["data"][0]["b64_json"] == IMAGE
    assert json.loads(upstream.calls[0].body) == request
    assert sdk.do("image_edit", request)["data"][0]["b64_json"] == IMAGE
    call = upstream.calls[1]
    assert call.path == "/v1/images/edits"
    assert FILE in call.body
    assert dict(call.headers)["content-type"].startswith("multipart/form-data; boundary=")


def test_speech(sdk: Sdk, upstream: Upstream) -> None:
    upstream.answer(stream([FILE[:100], FILE[100:]], SOUND))
    request = {"model": "gpt-4o-mini-tts", "voice": "alloy", "input": "Hello."}
    assert base64.b64decode(sdk.do("speech", request)) == FILE
    assert upstream.calls[0].path == "/v1/audio/speech"


def test_a_transcription(sdk: Sdk, upstream: Upstream) -> None:
    upstream.answer(whole(200, b'{"text": "Hello."}'))
    answer = sdk.do("transcription", {"model": "gpt-4o-transcribe", "language": "en"})
    assert answer["text"] == "Hello."
    (call,) = upstream.calls
    assert call.path == "/v1/audio/transcriptions"
    assert FILE in call.body
    assert b"gpt-4o-transcribe" in call.body
    upstream.answer(
        whole(200, b"1\n00:00:00 --> 00:00:01\nHello.\n", (("content-type", "text/plain"),))
    )
    request = {"model": "gpt-4o-transcribe", "response_format": "srt"}
    assert "Hello." in sdk.do("transcription", request)


def test_what_nobody_has_is_named(sdk: Sdk) -> None:
    for job, request in (
        ("embeddings", {"model": "local-anthropic", "input": "x"}),
        ("speech", {"model": "claude-haiku-4-5", "voice": "alloy", "input": "x"}),
        ("transcription", {"model": "claude-haiku-4-5"}),
    ):
        error = raised(sdk, job, request)
        assert (error.kind, error.status, error.param) == ("NotFoundError", 404, "model")
        assert request["model"] in error.message


def test_an_upstreams_refusal_reaches_the_program(sdk: Sdk, upstream: Upstream) -> None:
    said = {"error": {"message": "Too long.", "type": "invalid_request_error", "param": "input"}}
    upstream.answer(whole(400, json.dumps(said).encode()))
    error = raised(sdk, "embeddings", {"model": "gpt-embed", "input": "x"})
    assert (error.kind, error.status, error.param) == ("BadRequestError", 400, "input")
