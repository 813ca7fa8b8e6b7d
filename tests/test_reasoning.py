import pytest

from xtrix.prompt import Origin, Sealed
from xtrix.reasoning import LONGEST, PREFIX, Carrier, is_packed

SEALED = Sealed(
    {"type": "thinking", "thinking": "Well…\u2028\n", "signature": "EqQB/+=="},
    Origin("anthropic", "claude-opus-5", "messages"),
)
CARRIER = Carrier(b"secret", b"client")


def test_what_is_packed_is_opened_byte_for_byte() -> None:
    packed = CARRIER.pack(SEALED)
    assert is_packed(packed)
    assert CARRIER.open(packed) == SEALED


def test_another_client_cannot_open_it() -> None:
    assert Carrier(b"secret", b"another").open(CARRIER.pack(SEALED)) is None


def test_another_gateway_cannot_open_it() -> None:
    assert Carrier(b"another", b"client").open(CARRIER.pack(SEALED)) is None


def test_no_character_of_it_can_be_changed() -> None:
    packed = CARRIER.pack(SEALED)
    for at in range(len(packed)):
        changed = packed[:at] + ("A" if packed[at] != "A" else "B") + packed[at + 1 :]
        assert CARRIER.open(changed) is None, at


def test_no_part_of_it_is_enough() -> None:
    packed = CARRIER.pack(SEALED)
    assert not any(CARRIER.open(packed[:at]) for at in range(len(packed)))


@pytest.mark.parametrize(
    "text",
    [
        *(None, 5, {}, "", "gAAAAABo", PREFIX, PREFIX + ".", PREFIX + "a.b.c", PREFIX + "ä.\ud800"),
        PREFIX + "x" * LONGEST,
    ],
)
def test_what_is_not_ours_is_left_out_and_is_no_error(text: object) -> None:
    assert CARRIER.open(text) is None
