"""Signed keys: every other text is refused."""

import pytest

from xtrix.keys import proof
from xtrix.keys.proof import Proven

SECRET = proof.secret_of("operator-0123456789")
KEY = proof.make(SECRET, Proven("0123456789abcdef", 12, strict=True))


def test_a_key_says_what_was_put_into_it() -> None:
    assert proof.check(SECRET, KEY) == Proven("0123456789abcdef", 12, strict=True)
    for other in ("operator-0123456780", "x" * 16):
        assert proof.check(proof.secret_of(other), KEY) is None
    assert proof.check(proof.secret_of("operator-0123456789", "own"), KEY) is None


@pytest.mark.parametrize("at", range(len(KEY)))
def test_a_key_with_another_character_is_none(at: int) -> None:
    for character in "0f-xos9A ":
        if character != KEY[at]:
            assert proof.check(SECRET, KEY[:at] + character + KEY[at + 1 :]) is None
    assert proof.check(SECRET, KEY[:at]) is None
    assert proof.check(SECRET, KEY[:at] + KEY[at + 1 :]) is None
