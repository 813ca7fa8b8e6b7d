"""The real lm-eval, with the real Worker: legacy completions as text and as tokens, and chats.

The tasks and the tokenizer are made here, because nothing can be downloaded from a hub. If a model
has no legacy completions, the gateway asks it what a chat can express, and refuses the rest by
name.
"""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest

from tests.clients import programs
from tests.clients.sdk import KEY
from tests.clients.upstreams import answers, heard
from tests.worker.scripts import Script, whole
from tests.worker.upstream import Call, Upstream
from tools import model, runtime

CAPITALS = {"France": "Paris", "Italy": "Rome", "Spain": "Madrid"}
WRONG = "London"
MODELS = {"text-model": "openai", "turns-model": "anthropic", "chats-model": "openai"}
LOCAL = "local-model"
_SECONDS = 240.0
"""For one run, which takes ten on a quiet machine: nearly all of it are imports."""
END = 256
"""The number of the token that ends a text. All others are bytes."""
_TASKS: dict[str, dict[str, Any]] = {
    "capitals": {
        "output_type": "generate_until",
        "doc_to_text": "The capital of {{country}} is",
        "doc_to_target": "{{capital}}",
        "generation_kwargs": {"until": ["."], "max_gen_toks": 12, "temperature": 0},
        "metric_list": [{"metric": "exact_match", "ignore_case": True}],
    },
    "choices": {
        "output_type": "multiple_choice",
        "doc_to_text": "The capital of {{country}} is",
        "doc_to_choice": "{{[wrong, capital]}}",
        "doc_to_target": 1,
        "metric_list": [{"metric": "acc"}],
    },
    "perplexity": {
        "output_type": "loglikelihood_rolling",
        "doc_to_text": "",
        "doc_to_target": "The capital of {{country}} is {{capital}}",
        "metric_list": [{"metric": "word_perplexity"}],
    },
}


def spelled() -> dict[str, int]:
    """The 256 bytes as byte-level tokenizers write them: unprintable bytes get other characters."""
    seen = [*range(33, 127), *range(161, 173), *range(174, 256)]
    hidden = [byte for byte in range(256) if byte not in seen]
    named = {chr(byte): byte for byte in seen}
    return named | {chr(256 + place): byte for place, byte in enumerate(hidden)}


@pytest.fixture(scope="module")
def tasks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the tasks, their documents and a tokenizer."""
    folder = tmp_path_factory.mktemp("tasks")
    documents = [
        {"country": country, "capital": capital, "wrong": WRONG}
        for country, capital in CAPITALS.items()
    ]
    file = folder / "capitals.jsonl"
    file.write_text("".join(json.dumps(each) + "\n" for each in documents))
    data = {"dataset_path": "json", "dataset_kwargs": {"data_files": {"test": str(file)}}}
    for name, task in _TASKS.items():
        said = {"task": f"xtrix_{name}", **data, "test_split": "test", **task}
        (folder / f"{name}.yaml").write_text(json.dumps(said))  # JSON is YAML
    bytewise = {"type": "ByteLevel", "add_prefix_space": False, "use_regex": False}
    bytewise["trim_offsets"] = True
    tokenizer = {
        "version": "1.0",
        "added_tokens": [{"id": END, "content": "<end>", "special": True, **_AS_IT_IS}],
        "pre_tokenizer": bytewise,
        "decoder": bytewise,
        "model": {"type": "BPE", "vocab": spelled() | {"<end>": END}, "merges": []},
    }
    about = {"tokenizer_class": "PreTrainedTokenizerFast", "eos_token": "<end>"}
    (folder / "tokenizer").mkdir()
    (folder / "tokenizer" / "tokenizer.json").write_text(json.dumps(tokenizer))
    (folder / "tokenizer" / "tokenizer_config.json").write_text(json.dumps(about))
    return folder


_AS_IT_IS = dict.fromkeys(("single_word", "lstrip", "rstrip", "normalized"), False)


@pytest.fixture(scope="module")
def worker(server: Upstream, local_model: model.Model, snapshot: Path) -> Iterator[runtime.Served]:
    """The Worker: one provider with legacy completions, one without, one with chats alone, and a
    real model.
    """
    rows: list[Mapping[str, Any]] = [
        {
            "name": f"scripted-{name}",
            "dialect": dialect,
            "base_url": server.base_url,
            "api_key": "UPSTREAM_KEY",
            "models": [name],
            **({"endpoints": []} if name == "chats-model" else {}),
        }
        for name, dialect in MODELS.items()
    ]
    rows.append(local_model.row("openai", models=[LOCAL]))
    bindings = {"API_KEYS": KEY, "UPSTREAM_KEY": "sk-upstream-0b6d", "PROVIDERS": rows}
    with runtime.serve(bindings, snapshot=snapshot) as served:
        yield served


class Harness:
    """lm-eval with our tasks and the Worker's models."""

    def __init__(self, program: Path, url: str, tasks: Path, folder: Path) -> None:
        """`folder` is empty."""
        self._program = program
        self._url = url
        self._tasks = tasks
        self._home = folder

    @property
    def tokenizer(self) -> Path:
        return self._tasks / "tokenizer"

    def start(
        self, task: str, asked: str, *options: str, chat: bool = False, **settings: object
    ) -> CompletedProcess[str]:
        """Runs a task on the model that is `asked`, to its end."""
        kind, path = "local-completions", "/v1/completions"
        if chat:
            kind, path = "local-chat-completions", "/v1/chat/completions"
            options += ("--apply_chat_template",)
        said = {"model": asked, "base_url": self._url + path, "max_retries": 1, **settings}
        words: dict[str, str | Path] = {
            "--model": kind,
            "--model_args": ",".join(f"{name}={value}" for name, value in said.items()),
            "--tasks": f"xtrix_{task}",
            "--include_path": self._tasks,
            "--output_path": self._home / "out",
        }
        command = [self._program, "run", *(word for pair in words.items() for word in pair)]
        quiet = {"HF_HUB_OFFLINE": "1", "HF_HOME": str(self._home), "TQDM_DISABLE": "1"}
        environment = {**programs.ENVIRONMENT, **quiet, "OPENAI_API_KEY": KEY}
        return programs.run([*command, *options], environment, self._home, seconds=_SECONDS)

    def measure(self, task: str, asked: str, *options: str, **settings: Any) -> dict[str, float]:
        """The results, by the metric's name."""
        done = self.start(task, asked, *options, **settings)
        assert done.returncode == 0, done.stderr
        (file,) = (self._home / "out").rglob("results_*.json")
        results: dict[str, float] = json.loads(file.read_text())["results"][f"xtrix_{task}"]
        return results

    def answers(self) -> dict[str, str]:
        """What the model has said, by country, where samples were logged."""
        (file,) = (self._home / "out").rglob("samples_*.jsonl")
        samples = [json.loads(line) for line in file.read_text().splitlines()]
        return {it["doc"]["country"]: it["resps"][0][0] for it in samples}


@pytest.fixture
def harness(lm_eval_program: Path, worker: runtime.Served, tasks: Path, tmp_path: Path) -> Harness:
    return Harness(lm_eval_program, worker.url, tasks, tmp_path)


IN_WORDS = {"tokenizer_backend": "None", "tokenized_requests": False}


def asked_of(call: Call) -> dict[str, Any]:
    assert call.path == "/v1/completions"
    said: dict[str, Any] = json.loads(call.body)
    return said


def texts_of(prompt: Any) -> list[str]:
    """The prompts of a request, in words or in tokens, one or several."""
    if isinstance(prompt, str):
        return [prompt]
    if isinstance(prompt[0], int):
        prompt = [prompt]
    return [each if isinstance(each, str) else bytes(each).decode() for each in prompt]


def completing(call: Call) -> Script:
    """An upstream that knows the capitals and the probability of each text. A token is one byte."""
    asked = asked_of(call)
    choices = []
    for index, text in enumerate(texts_of(asked["prompt"])):
        choice: dict[str, Any] = {"index": index, "text": "", "logprobs": None}
        if asked.get("echo"):
            choice |= {"text": f"{text}!", "logprobs": likelihood(f"{text}!")}
        else:
            country = next(country for country in CAPITALS if country in text)
            choice["text"] = CAPITALS[country]
        choices.append({**choice, "finish_reason": "length"})
    usage = {"prompt_tokens": 9, "completion_tokens": 1, "total_tokens": 10}
    said = {"id": "cmpl-1", "object": "text_completion", "choices": choices, "usage": usage}
    return whole(200, json.dumps(said).encode())


def likelihood(text: str) -> dict[str, Any]:
    """Log probabilities: OpenAI gives none for the first token, and a wrong capital gets a lower
    one.
    """
    each = -2.0 if WRONG in text else -0.5
    return {
        "tokens": [*text],
        "token_logprobs": [None, *[each] * (len(text) - 1)],
        "top_logprobs": [None, *({letter: each} for letter in text[1:])],
        "text_offset": [*range(len(text))],
    }


def test_it_generates_in_words(harness: Harness, upstream: Upstream) -> None:
    upstream.answer_each(completing)
    measured = harness.measure("capitals", "text-model", **IN_WORDS)
    assert measured["exact_match,none"] == 1
    assert [asked_of(call) for call in upstream.calls] == [
        {
            "prompt": f"The capital of {country} is",
            "model": "text-model",
            "max_tokens": 12,
            "temperature": 0.0,
            "stop": ["."],
            "seed": 1234,
        }
        for country in sorted(CAPITALS, key=lambda it: -len(it))
    ]


@pytest.mark.parametrize("at_once", [1, 2])
@pytest.mark.parametrize("task", ["capitals", "choices"])
def test_it_asks_in_tokens_several_at_a_time(
    harness: Harness, upstream: Upstream, task: str, at_once: int
) -> None:
    """lm-eval first asks the server for a tokenizer, and this one has none."""
    upstream.answer_each(completing)
    options = ("--batch_size", "2")
    settings = {"tokenizer": harness.tokenizer, "num_concurrent": at_once}
    measured = harness.measure(task, "text-model", *options, **settings)
    assert measured.get("exact_match,none", measured.get("acc,none")) == 1
    asked = [asked_of(call) for call in upstream.calls]
    prompts = [prompt for each in asked for prompt in each["prompt"]]
    assert all(isinstance(number, int) for prompt in prompts for number in prompt)
    assert max(len(each["prompt"]) for each in asked) == 2
    if task == "choices":
        assert len(prompts) == 2 * len(CAPITALS)
        assert all((it["echo"], it["logprobs"], it["max_tokens"]) == (True, 1, 1) for it in asked)


def test_it_adds_up_likelihoods_of_texts_in_words(harness: Harness, upstream: Upstream) -> None:
    upstream.answer_each(completing)
    settings = {"tokenizer": harness.tokenizer, "tokenized_requests": False}
    assert harness.measure("choices", "text-model", **settings)["acc,none"] == 1
    assert all(isinstance(asked_of(call)["prompt"], str) for call in upstream.calls)


def test_it_measures_perplexity(harness: Harness, upstream: Upstream) -> None:
    """For the first token of a text lm-eval puts an end-of-text token before it."""
    upstream.answer_each(rolling)
    measured = harness.measure("perplexity", "text-model", tokenizer=harness.tokenizer)
    assert measured["word_perplexity,none"] > 1
    assert all(asked_of(call)["prompt"][0][0] == END for call in upstream.calls)


def rolling(call: Call) -> Script:
    """As `completing`, for prompts that begin with an end-of-text token."""
    (prompt,) = asked_of(call)["prompt"]
    said = {"index": 0, "text": "", "logprobs": likelihood("x" * (len(prompt) + 1))}
    answer = {"object": "text_completion", "choices": [{**said, "finish_reason": "length"}]}
    return whole(200, json.dumps(answer).encode())


@pytest.mark.parametrize("asked", MODELS)
def test_it_chats(harness: Harness, upstream: Upstream, asked: str) -> None:
    upstream.answer_each(answers(*[["Paris"]] * len(CAPITALS)))
    measured = harness.measure("capitals", asked, chat=True)
    assert measured["exact_match,none"] == pytest.approx(1 / len(CAPITALS))
    assert len(upstream.calls) == len(CAPITALS)
    asked_in_turn = sorted(heard(call)[0] for call in upstream.calls)
    assert asked_in_turn == sorted(f"The capital of {country} is" for country in CAPITALS)


@pytest.mark.parametrize("asked", ["turns-model", "chats-model"])
def test_a_model_of_turns_generates_too(harness: Harness, upstream: Upstream, asked: str) -> None:
    upstream.answer_each(answers(*[["Paris"]] * len(CAPITALS)))
    measured = harness.measure("capitals", asked, **IN_WORDS)
    assert measured["exact_match,none"] == pytest.approx(1 / len(CAPITALS))
    assert len(upstream.calls) == len(CAPITALS)


@pytest.mark.parametrize(
    ("asked", "task", "why"),
    [
        ("turns-model", "capitals", "'prompt'"),
        ("turns-model", "choices", "'echo'"),
        ("chats-model", "perplexity", "'echo'"),
    ],
)
def test_what_a_model_of_turns_cannot_be_asked_is_refused_by_name(
    harness: Harness, upstream: Upstream, asked: str, task: str, why: str
) -> None:
    done = harness.start(task, asked, tokenizer=harness.tokenizer)
    assert done.returncode != 0
    assert "400 Client Error: Bad Request" in done.stderr
    assert why in done.stderr
    assert "not supported" in done.stderr
    assert upstream.calls == []


def test_a_real_model_is_evaluated(harness: Harness) -> None:
    """A small one, which goes on with a text and names a capital or two."""
    measured = harness.measure("capitals", LOCAL, "--log_samples", **IN_WORDS)
    said = harness.answers()
    assert [country for country in CAPITALS if CAPITALS[country] in said[country]]
    exact = [said[country].lower() == CAPITALS[country].lower() for country in CAPITALS]
    assert measured["exact_match,none"] == pytest.approx(sum(exact) / len(CAPITALS))
