"""Only a client whose bearer token is a key is accepted."""

import pytest

from xtrix.auth import accepts, authenticate, digests
from xtrix.errors import ClientError

KEYS = digests("first-key, second-key\n third-key")


def headers(authorization: str | None) -> dict[str, str]:
    return {} if authorization is None else {"authorization": authorization}


def refusal(authorization: str | None, accepted: tuple[bytes, ...] = KEYS) -> ClientError:
    with pytest.raises(ClientError) as caught:
        authenticate(headers(authorization), accepted)
    return caught.value


@pytest.mark.parametrize("key", ["first-key", "second-key", "third-key"])
def test_every_key_is_let_in(key: str) -> None:
    assert authenticate({"authorization": f"Bearer {key}"}, KEYS) in KEYS


@pytest.mark.parametrize(
    "authorization",
    [
        *("bearer first-key", "BEARER first-key", "bEaReR first-key"),
        *("Bearer   first-key", "  Bearer first-key  ", "Bearer first-key\t"),
    ],
)
def test_scheme_in_any_case_and_white_space_around(authorization: str) -> None:
    authenticate(headers(authorization), KEYS)


def test_whether_a_key_is_accepted() -> None:
    assert accepts(headers("Bearer first-key"), KEYS)
    assert not any(
        accepts(headers(said), KEYS) for said in (None, "", "Bearer no", "Basic first-key")
    )
    assert not accepts(headers("Bearer first-key"), ())


@pytest.mark.parametrize("authorization", [None, ""])
def test_no_token(authorization: str | None) -> None:
    assert "No API key was given" in refusal(authorization).message


@pytest.mark.parametrize(
    "authorization",
    [
        *("Bearer", "Bearer ", "bearer\t", " ", "first-key", "first-key ", "Bearerfirst-key"),
        *("Basic first-key", "Token first-key", "Basic Zmlyc3Qta2V5", "Bearer: first-key"),
        *("Bearer first-key second-key", "Bearer Bearer first-key", "Bearer\tfirst-key"),
        *("Bearer first- key", "Digest username=first-key", "Bearer=first-key"),
    ],
)
def test_malformed(authorization: str) -> None:
    assert "malformed" in refusal(authorization).message


@pytest.mark.parametrize(
    "token",
    [
        *(
            "first-ke",
            "first-keyy",
            "FIRST-KEY",
            "first-key,second-key",
            "first-key,",
            "'first-key'",
        ),
        *("\x00", "first-key\x00", "clé", "钥匙", "\ud800", "x" * 100_000),
    ],
)
def test_wrong(token: str) -> None:
    assert "Incorrect API key" in refusal(f"Bearer {token}").message


def test_a_refusal_is_a_401_that_says_how_to_ask_and_nothing_of_the_token() -> None:
    for authorization in (None, "Bearer wrong-token", "Basic wrong-token"):
        error = refusal(authorization)
        assert (error.status, error.code, error.error_type) == (
            401,
            "invalid_api_key",
            "invalid_request_error",
        )
        assert dict(error.headers)["www-authenticate"].startswith("Bearer")
        assert "wrong-token" not in error.message
        assert error.message.startswith("Incorrect API key provided")


@pytest.mark.parametrize("token", ["", "x", "None", ","])
def test_without_keys_nobody_is_let_in(token: str) -> None:
    assert digests("") == digests(" ,\n, ") == ()
    refusal(f"Bearer {token}", accepted=())


def test_keys_are_separated_by_commas_and_white_space() -> None:
    assert digests("a,b c\td\ne,, ,f") == tuple(digests(key)[0] for key in "abcdef")
    assert all(len(digest) == 32 for digest in KEYS)


def test_a_key_of_any_characters_is_let_in() -> None:
    authenticate(headers("Bearer schlüssel-钥匙"), digests("schlüssel-钥匙"))


@pytest.mark.parametrize(
    "said",
    [
        {"x-api-key": "first-key"},
        {"x-api-key": " first-key "},
        {"x-api-key": "first-key", "authorization": "Bearer wrong"},
        {"x-api-key": "wrong", "authorization": "Bearer first-key"},
        {"x-api-key": "first-key", "authorization": "malformed"},
    ],
)
def test_of_two_headers_it_is_enough_that_one_is_right(said: dict[str, str]) -> None:
    assert authenticate(said, KEYS) == KEYS[0]


@pytest.mark.parametrize("said", [{"x-api-key": "wrong"}, {"x-api-key": ""}, {"x-api-key": "a b"}])
def test_a_wrong_key_in_the_other_header(said: dict[str, str]) -> None:
    with pytest.raises(ClientError) as caught:
        authenticate(said, KEYS)
    assert caught.value.status == 401
