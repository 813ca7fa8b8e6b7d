"""What is taken out of a message from outside."""

import tracemalloc

import pytest

from xtrix.redact import redactor, word


@pytest.mark.parametrize(
    "text",
    [
        *("sk-ant-api03-abcdef", "sk-proj-Ab_c-123", "gsk_abc123def456", "xai-0123456789abcdef"),
        *("pk-live-abcdef123", "sk-abc***xyz", "key-0123456789", "AIzaSyA1234567890abcdefghijklmn"),
        *("Bearer abcdef.ghijkl", "bearer abc123=="),
    ],
)
def test_what_looks_like_a_key(text: str) -> None:
    said = redactor()(f"Incorrect API key provided: {text}, sorry.")
    assert text not in said
    assert said.startswith("Incorrect API key provided: [redacted]")
    assert said.endswith("sorry.")


@pytest.mark.parametrize(
    "text",
    [
        *(
            "The key is wrong.",
            "max_tokens: 4096 > 4000",
            "desk-bound and task-oriented",
            "a key-val",
        ),
        *("messages.0.content", "claude-sonnet-4-5-20250929", "bearer of news", "", "  spaced  "),
    ],
)
def test_ordinary_words_stay(text: str) -> None:
    assert redactor("a-secret-key")(text) == text


def test_known_secrets_wherever_they_stand() -> None:
    redact = redactor("upstream-secret", "client-secret", None, "")
    assert redact("upstream-secretclient-secret?upstream-secret") == (
        "[redacted][redacted]?[redacted]"
    )


def test_a_secret_too_short_to_be_one_takes_no_words_with_it() -> None:
    assert redactor("a", "test", "secret")("a test of a secret") == "a test of a secret"


def test_control_characters_become_spaces_but_lines_stay() -> None:
    assert redactor()("a\x00b\x1bc\x7fd\te\nf") == "a b c d\te\nf"


def test_a_long_text_is_cut() -> None:
    said = redactor()("x" * 1_000_000)
    assert len(said) < 2100
    assert said.endswith(" …")
    assert redactor()("x" * 2000) == "x" * 2000


def test_a_key_at_the_cut_is_not_half_shown() -> None:
    said = redactor("upstream-secret")("x" * 1990 + "upstream-secret")
    assert "upstream" not in said


@pytest.mark.parametrize("said", ["moonrise", "MAX_TOKENS", "a", "x" * 32])
def test_a_word_may_be_read(said: str) -> None:
    assert word(said) == said


@pytest.mark.parametrize(
    "said",
    [
        *(" ", "two words", "a\n", "_a", "größe", "x" * 33, "sk-ant-api03-abc", "gpt5", "a,b"),
        *(7, True, ["moonrise"], {"moonrise": 1}),
    ],
    ids=repr,
)
def test_what_is_no_word_may_not(said: object) -> None:
    assert word(said) == "unknown"


@pytest.mark.parametrize("said", [None, "", [], 0])
def test_what_was_not_said_is_missing(said: object) -> None:
    assert word(said) == "missing"


@pytest.mark.parametrize("text", ["\x01", "Bearer  ", "sk-abcdefg ", "sk_", "Bearer abcdefg "])
def test_a_long_run_of_one_word_takes_no_more_than_its_copies(text: str) -> None:
    long = text * (2_000_000 // len(text))
    redact = redactor("upstream-secret")
    tracemalloc.start()
    assert len(redact(long)) < 2010
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 200_000


def test_a_secret_is_found_wherever_it_is_cut() -> None:
    redact = redactor("upstream-secret")
    for before in (*range(1980, 2005), *range(3980, 4005)):
        assert "upstream-s" not in redact("x" * before + "upstream-secret" * 3)
        assert "upstream-s" not in redact(
            "upstream-secret" * 100 + "x" * before + "upstream-secret"
        )
