import subprocess
import sys

import httpx
import pytest

from tools import model, paths


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/messages"])
def test_answers_in_both_dialects(local_model: model.Model, path: str) -> None:
    request = {"max_tokens": 4, "messages": [{"role": "user", "content": "Say hello."}]}

    reply = httpx.post(local_model.url + path, json=request, timeout=60, trust_env=False)

    assert reply.status_code == 200
    assert reply.json()["model"] == model.NAME
    assert reply.json()["usage"]


def test_makes_vectors_of_sentences_beside(local_model: model.Model) -> None:
    request = {"input": ["A dog runs.", "Shares fell."], "model": model.NAME}

    reply = httpx.post(
        local_model.url + "/v1/embeddings", json=request, timeout=60, trust_env=False
    )

    assert reply.status_code == 200
    assert [len(each["embedding"]) for each in reply.json()["data"]] == [576, 576]


def test_says_that_its_port_is_taken(local_model: model.Model) -> None:
    port = httpx.URL(local_model.url).port

    second = subprocess.run(
        [sys.executable, "-m", "tools.model", "--port", str(port)],
        cwd=paths.ROOT,
        capture_output=True,
        text=True,
        check=False,
    )

    assert second.returncode == 1
    assert second.stdout == ""
    assert f"the model does not start on port {port}" in second.stderr


def test_ends_with_the_block() -> None:
    with model.serve() as served:
        assert httpx.get(served.url + "/health", timeout=60, trust_env=False).status_code == 200

    with pytest.raises(httpx.ConnectError):
        httpx.get(served.url + "/health", trust_env=False)
