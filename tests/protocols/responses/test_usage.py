"""Usage, read and written."""

from xtrix.answer import Usage
from xtrix.protocols.responses.usage import decode_usage, encode_usage

COUNTED = Usage(prompt=12, completion=7, cached=4, cache_written=2, reasoning=3)
SAID = {
    "input_tokens": 12,
    "input_tokens_details": {"cached_tokens": 4, "cache_write_tokens": 2},
    "output_tokens": 7,
    "output_tokens_details": {"reasoning_tokens": 3},
    "total_tokens": 19,
}


def test_there_and_back() -> None:
    assert decode_usage(SAID) == COUNTED
    assert encode_usage(COUNTED) == SAID


def test_what_is_not_said_is_nothing() -> None:
    assert decode_usage(None) is None
    assert decode_usage({}) == Usage()
    odd = {"input_tokens": -1, "output_tokens": "7", "input_tokens_details": [1]}
    assert decode_usage(odd) == Usage()
    assert encode_usage(Usage())["total_tokens"] == 0
