"""What is hidden in a message from outside."""

import tracemalloc

import pytest

from xtrix import json
from xtrix.errors import UpstreamError
from xtrix.redact import Redactor, word


@pytest.mark.parametrize(
    "text",
    [
        *("sk-ant-api03-abcdef", "sk-proj-Ab_c-123", "gsk_abc123def456", "xai-0123456789abcdef"),
        *("pk-live-abcdef123", "sk-abc***xyz", "key-0123456789", "AIzaSyA1234567890abcdefghijklmn"),
        *("Bearer abcdef.ghijkl", "bearer abc123=="),
    ],
)
def test_what_looks_like_a_key(text: str) -> None:
    said = Redactor()(f"Incorrect API key provided: {text}, sorry.")
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
    assert Redactor("a-secret-key")(text) == text


def test_known_secrets_wherever_they_stand() -> None:
    redact = Redactor("upstream-secret", "client-secret", None, "")
    assert redact("upstream-secretclient-secret?upstream-secret") == (
        "[redacted][redacted]?[redacted]"
    )


def test_a_secret_too_short_to_be_one_takes_no_words_with_it() -> None:
    assert Redactor("a", "test", "secret")("a test of a secret") == "a test of a secret"


def test_control_characters_become_spaces_but_lines_stay() -> None:
    assert Redactor()("a\x00b\x1bc\x7fd\te\nf") == "a b c d\te\nf"


def test_a_long_text_is_cut() -> None:
    said = Redactor()("x" * 1_000_000)
    assert len(said) < 2100
    assert said.endswith(" …")
    assert Redactor()("x" * 2000) == "x" * 2000


def test_a_key_at_the_cut_is_not_half_shown() -> None:
    said = Redactor("upstream-secret")("x" * 1990 + "upstream-secret")
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
    redact = Redactor("upstream-secret")
    tracemalloc.start()
    assert len(redact(long)) < 2010
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 200_000


def test_a_secret_is_found_wherever_it_is_cut() -> None:
    redact = Redactor("upstream-secret")
    for before in (*range(1980, 2005), *range(3980, 4005)):
        assert "upstream-s" not in redact("x" * before + "upstream-secret" * 3)
        assert "upstream-s" not in redact(
            "upstream-secret" * 100 + "x" * before + "upstream-secret"
        )


def cleaned(**fields: str) -> dict[str, str | None]:
    """An upstream's error with these fields, after redaction."""
    error = UpstreamError(400, fields.get("message", "Why."))
    error.code, error.param = fields.get("code"), fields.get("param")
    Redactor("correct_horse_battery", tokens=("client-key-1",)).clean(error)
    return error.envelope()["error"]


@pytest.mark.parametrize("code", ["context_length_exceeded", "3000", "DeploymentNotFound", "a.b-c"])
def test_the_code_of_an_error_is_a_word(code: str) -> None:
    assert cleaned(code=code)["code"] == code


@pytest.mark.parametrize(
    "code",
    [
        *("", "two words", "x" * 65, "x" * 100_000, "größe", "a\nb", "a:b", "sk-ant-api03-abcdef"),
        *("correct_horse_battery", "bad_correct_horse_battery", "client-key-1"),
    ],
)
def test_what_is_no_word_is_no_code(code: str) -> None:
    assert not cleaned(code=code)["code"]


def test_the_parameter_of_an_error_has_no_key_and_an_end() -> None:
    assert cleaned(param="messages[0].content")["param"] == "messages[0].content"
    assert cleaned(param="k=correct_horse_battery")["param"] == "k=[redacted]"
    assert cleaned(param="k=client-key-1")["param"] == "k=[redacted]"
    assert len(cleaned(param="x" * 100_000)["param"] or "") == 200


def test_of_two_secrets_the_longer_goes_first() -> None:
    redactor = Redactor("secret-one", "secret-one-and-two")
    assert redactor("secret-one-and-two, secret-one") == "[redacted], [redacted]"


def test_in_an_answer_only_the_upstreams_secrets_go() -> None:
    redactor = Redactor('up"stream-key', tokens=("client-key-1",))
    said = json.encode({"a": 'up"stream-key and client-key-1', "b": "sk-ant-api03-abcdef"})
    gone = json.encode({"a": "[redacted] and client-key-1", "b": "sk-ant-api03-abcdef"})
    assert redactor.answer(said) == gone
    assert redactor.body(said.encode()) == gone.encode()


def test_in_the_log_no_known_secret_stays() -> None:
    redactor = Redactor('up"stream-key', tokens=("client-key-1",))
    line = json.encode({"path": "/client-key-1", "failures": ['up"stream-key']})
    assert redactor.line(line) == '{"path":"/[redacted]","failures":["[redacted]"]}'


@pytest.mark.parametrize("size", [1, 2, 5, 11, 12, 13, 100])
def test_a_secret_that_is_cut_is_taken_out_of_a_body_in_pieces(size: int) -> None:
    redactor = Redactor("upstream-key", "key-number-two").pieces()
    body = b"\x00\xffa upstream-key, upstream-ke, key-number-two upstream-upstream-key k\x80" * 3
    pieces = [redactor.feed(body[at : at + size]) for at in range(0, len(body), size)]
    shown = b"".join(pieces) + redactor.close()
    expected = body.replace(b"upstream-key", b"[redacted]").replace(
        b"key-number-two", b"[redacted]"
    )
    assert shown == expected


def test_a_piece_without_a_secret_is_handed_on_as_it_is() -> None:
    redactor = Redactor("upstream-key").pieces()
    piece = bytes(65_536)
    assert redactor.feed(piece) is piece
