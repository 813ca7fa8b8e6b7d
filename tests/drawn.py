"""`drawn`: like hypothesis' `given`, for properties whose failures are kept as files.

`make test` uses the same examples on every run, so that everybody gets the same failures, and tries
every case that was kept. `make fuzz` uses new examples, many times as many. It keeps the smallest
case of each failure as a file in `tests/cases`, which stays there after the fault has been fixed.
"""

import functools
import hashlib
import json
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, example, given, settings
from hypothesis import strategies as st
from hypothesis.errors import HypothesisException

CASES = Path(__file__).parent / "cases"
SAME = "same every time"
NEW = "new every time"
TIMES = 10
"""How many times as many examples are new ones."""

_MOST_TOLD = 2_000
"""Characters of a case that a failure shows."""

Test = Callable[..., None]


def register_profiles() -> None:
    """Registers both profiles with hypothesis, and loads the one with fixed examples."""
    health = list(HealthCheck)
    settings.register_profile(
        SAME, derandomize=True, database=None, deadline=None, suppress_health_check=health
    )
    phases = [Phase.explicit, Phase.generate, Phase.shrink]
    settings.register_profile(
        NEW,
        settings.get_profile(SAME),
        derandomize=False,
        phases=phases,
        print_blob=False,
    )
    settings.load_profile(SAME)


def drawn(examples: int, **strategies: st.SearchStrategy[Any]) -> Callable[[Test], Test]:
    """Runs a test with that many drawn values of its arguments, and with its kept cases. Its other
    arguments are pytest fixtures.
    """
    is_new = settings.get_current_profile_name() == NEW

    def decorate(test: Test) -> Test:
        tried = _telling(test, set(strategies), keeping=is_new)
        for case in cases_of(test.__name__):
            tried = example(**case)(tried)
        count = settings(max_examples=examples * TIMES if is_new else examples)
        decorated: Test = count(given(**strategies)(tried))
        return pytest.mark.drawn(decorated)

    return decorate


def cases_of(test: str) -> Iterator[dict[str, Any]]:
    """The arguments of each case that was kept of a test."""
    for path in sorted(CASES.glob(f"{test}-*.json")):
        yield _read(json.loads(path.read_text()))


def keep(test: str, case: dict[str, Any], failure: str) -> None:
    """Writes the case to the file of its test and kind of failure. The last case wins: hypothesis
    ends with the smallest.
    """
    digest = hashlib.sha256(failure.encode()).hexdigest()[:8]
    CASES.mkdir(exist_ok=True)
    text = json.dumps(_written(case), indent=1)
    (CASES / f"{test}-{digest}.json").write_text(text + "\n")


def _kind_of(error: BaseException) -> str:
    last = traceback.extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__}, {Path(last.filename).name}, {last.lineno}"


def _telling(test: Test, names: set[str], *, keeping: bool) -> Test:
    """The test, which on a failure prints the case, and keeps it if it is new."""

    @functools.wraps(test)
    def tried(**arguments: Any) -> None:
        try:
            test(**arguments)
        except HypothesisException:
            raise
        except (Exception, pytest.fail.Exception) as error:
            case = {name: value for name, value in arguments.items() if name in names}
            error.add_note(f"The case: {json.dumps(_written(case))[:_MOST_TOLD]}")
            if keeping:
                keep(test.__name__, case, _kind_of(error))
            raise

    return tried


def _written(value: Any) -> Any:
    """`value` as JSON has it: bytes and tuples have a name of their own."""
    match value:
        case bytes():
            return {"$bytes": value.decode("latin-1")}
        case tuple():
            return {"$tuple": [_written(each) for each in value]}
        case list():
            return [_written(each) for each in value]
        case dict():
            pairs = {key: _written(each) for key, each in value.items()}
            return {"$dict": pairs} if any(key.startswith("$") for key in pairs) else pairs
    return value


def _read(value: Any) -> Any:
    match value:
        case {"$bytes": text, **rest} if not rest:
            return text.encode("latin-1")
        case {"$tuple": each, **rest} if not rest:
            return tuple(map(_read, each))
        case {"$dict": pairs, **rest} if not rest:
            return {key: _read(each) for key, each in pairs.items()}
        case dict():
            return {key: _read(each) for key, each in value.items()}
        case list():
            return [_read(each) for each in value]
    return value
