"""The table of what can go wrong, what the client sees of it, and which test proves it.

The upstream's faults are the rows that `test_faults.py` runs. The others are named here, and
`test_report.py` checks that every named test exists.
"""

from collections.abc import Iterator, Sequence
from itertools import groupby

from tests.worker.failing import FAILING, Request
from tests.worker.faults import FAULTS
from xtrix.errors import FAULTS as KINDS
from xtrix.errors import Policy

PROMISES: dict[str, dict[str, tuple[str, str]]] = {
    "The wire": {
        "lines that end in LF, CRLF, CR or a mixture, a BOM, comments, one byte at a time, a "
        "missing `[DONE]`, text after it": (
            "the same bytes",
            "test_streams.py::test_the_wire_makes_no_difference",
        ),
        "an event cut at any byte": (
            "the same bytes",
            "test_streams.py::test_an_event_cut_at_every_offset",
        ),
        "gzip": ("the same bytes", "test_streams.py::test_gzip"),
        "an event of 1 MB": ("the event", "test_streams.py::test_an_event_of_a_megabyte"),
        "100,000 events": ("all of them", "test_streams.py::test_a_hundred_thousand_events"),
        "a line or a body that never ends": (
            "an error; the connection to the upstream is closed",
            "test_hostile.py::test_a_line_that_never_ends",
        ),
        "megabytes of comments or of empty lines": (
            "other requests are served meanwhile",
            "test_cost.py::test_a_stream_of_which_the_client_sees_nothing_lets_others_be_served",
        ),
        "random bytes as a stream": (
            "whole frames, and an end",
            "test_hostile.py::test_whatever_the_upstream_streams_the_client_gets_whole_frames_and_an_end",
        ),
        "silence": (
            "a comment between frames, where wanted",
            "test_streams.py::test_a_silent_upstream_is_filled_with_comments_between_frames",
        ),
    },
    "Clients that leave": {
        "before the answer": (
            "the upstream call is aborted within a second",
            "test_clients_leave.py::test_leaving_before_the_answer",
        ),
        "in mid-stream, talking or silent": (
            "the same; what was used is logged",
            "test_clients_leave.py::test_leaving_a_flowing_stream",
        ),
        "after 3 MB, within the request, before the head, before the first event, in mid-stream": (
            "everything that was held is freed, and the log says so within a second",
            "test_clients_leave.py::test_who_leaves_before_the_answer_leaves_nothing_behind",
        ),
        "5,000 of them": (
            "memory stays flat, and each has its line in the log",
            "test_clients_leave.py::test_thousands_that_left_leave_nothing_behind",
        ),
        "slow readers": (
            "the upstream waits; the rest comes when they read on, however late",
            "test_load.py::test_a_slow_reader_makes_the_upstream_wait_and_still_gets_it_all",
        ),
    },
    "Hostile requests": {
        "a body over the limit": (
            "413, without reading it all",
            "test_hostile.py::test_a_body_without_a_length_is_read_no_further_than_the_limit",
        ),
        "a body in chunks of one byte, the client's or the upstream's": (
            "it costs no more memory than its bytes do",
            "test_crumbs.py::test_a_request_in_crumbs",
        ),
        "an answer before the body was sent: 401, 404, 413, 415": (
            "it arrives; for 3 seconds, up to 16 MB of the rest of the body are read and dropped",
            "test_hostile.py::test_an_early_answer_reaches_who_is_still_sending",
        ),
        "nesting of up to 200 levels": (
            "it is passed on",
            "test_depth.py::test_a_deep_schema_goes_through",
        ),
        "deeper nesting, in bodies, tool arguments and answers": (
            "400 with the parameter, or 502 if it came from the upstream; the isolate survives",
            "test_hostile.py::test_a_deep_body",
        ),
        "NaN, Infinity, 1e999, invalid UTF-8, half a JSON text": (
            "400 `invalid_json`",
            "test_hostile.py::test_what_is_not_json_is_refused",
        ),
        "many large bodies at once": (
            "each waits until there is memory for it; after 12 seconds 503 `overloaded`",
            "test_room.py::test_who_finds_no_room_is_told_so_and_others_are_served",
        ),
        "ten thousand messages": ("an answer", "test_hostile.py::test_ten_thousand_messages"),
        "line breaks in names and text": (
            "never a header or a frame",
            "test_hostile.py::test_the_name_of_a_field_is_never_a_header",
        ),
        "a URL or key for the upstream in the request": (
            "never honoured",
            "test_hostile.py::test_a_client_never_steers_the_call",
        ),
        "URLs of images": (
            "never fetched",
            "test_hostile.py::test_an_image_is_never_fetched_from_anywhere",
        ),
        "a redirect": (
            "502; the key is sent to no other server",
            "test_faults.py::test_never_follows_a_redirect",
        ),
        "anything a fuzzer thinks of": (
            "one of our answers",
            "test_hostile.py::test_whatever_is_asked_the_answer_is_that_of_the_core",
        ),
    },
    "Our own defects": {
        "anything in the core or the shell that raises, before the answer": (
            "500 `internal_error`; the log has the request's id and the place; the call is ended",
            "test_boundary.py::test_a_defect_before_the_answer",
        ),
        "the same in mid-stream": (
            "the text so far, an error frame `internal_error`, `[DONE]`",
            "test_boundary.py::test_a_defect_in_mid_stream",
        ),
    },
    "Secrets": {
        "an upstream that tells its key, in any field or header of an answer or an error": (
            "`[redacted]`",
            "test_secrets.py::test_an_upstream_that_tells_its_key_tells_nobody",
        ),
        "the client's key": (
            "never goes upstream",
            "test_secrets.py::test_the_upstream_gets_its_own_key_and_nothing_of_the_clients",
        ),
        "the log": (
            "no prompt, no key",
            "test_secrets.py::test_the_log_says_what_was_done_and_not_what_was_said",
        ),
        "a missing, malformed or wrong key": (
            "401, always the same; the body is not read",
            "test_surface.py::test_a_wrong_key",
        ),
        "no `API_KEYS`": (
            "every call is refused",
            "test_surface.py::test_without_keys_everyone_is_refused",
        ),
    },
    "Load": {
        "300 streams at once": (
            "each one whole, to the byte",
            "test_load.py::test_three_hundred_streams_at_once",
        ),
        "20,000 requests (`make sweep`), or 4,000 (`make test`)": (
            "memory as after the first thousand",
            "test_load.py::test_thousands_of_requests_leave_nothing_behind",
        ),
        "a stream that fails": (
            "the others go on whole",
            "test_load.py::test_a_stream_that_fails_leaves_the_others_whole",
        ),
        "an upstream that dies under load": (
            "the next target's answer, where there is one",
            "test_fallback.py::test_a_server_is_killed_and_no_client_sees_an_error",
        ),
    },
}
"""For each heading: what goes wrong, what the client sees, and a test below tests/worker."""


def table() -> str:
    """The whole table, as Markdown."""
    return "\n".join(
        ["| what goes wrong | what the client sees | test |", "|---|---|---|", *_rows()]
    )


def failing() -> str:
    """The table of what happens to a request whose first target fails, as Markdown."""
    heads = ["fault", "the first target", "the client gets", "calls to the first, the second"]
    return "\n".join([_line(*heads), "|---" * len(heads) + "|", *_failing_rows()])


def _failing_rows() -> Iterator[str]:
    for row in FAILING:
        what = f" ({row.asked[0]})" if len(row.asked) == 1 else ""
        for request, times in _runs(row.requests):
            calls = f"{request.first}, {request.second}"
            each = f"{calls}, {times} times" if times > 1 else calls
            yield _line(f"{row.name}{what}", row.does, request.told.words, each)
    yield _line(
        "accounting",
        "all of the above",
        "one line in the log for each request, `x-attempts` as in it; of what broke, no count of "
        "tokens",
        "the sum of `attempts` in the log",
    )


def _runs(requests: Sequence[Request]) -> Iterator[tuple[Request, int]]:
    """Yields each request, and how many like it follow each other."""
    for _, run in groupby(requests, key=repr):
        same = [*run]
        yield same[0], len(same)


def policy() -> str:
    """The table of what the gateway does about each kind of fault, as Markdown."""
    heads = ["what the upstream does", "the client's status and code", "the same target again"]
    heads += ["the next target", "the client is told not to try again", "counts against the target"]
    rows = [
        _line(
            str(kind),
            f"{fault.status}" + (f" `{fault.code}`" if fault.code else ""),
            *("yes" if each else "" for each in _said(fault.policy)),
        )
        for kind, fault in KINDS.items()
    ]
    return "\n".join([_line(*heads), "|---" * len(heads) + "|", *rows])


def _said(policy: Policy) -> tuple[bool, ...]:
    return policy.repeat, policy.elsewhere, not policy.client_retry, policy.counts


def _line(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"


def _rows() -> Iterator[str]:
    yield "| **The upstream** | | `test_faults.py::test_fault`, by this name |"
    for fault in FAULTS:
        asked = "" if len(fault.asked) > 1 else f" ({fault.asked[0]})"
        yield f"| {fault.name}{asked} | {fault.sees.words()} | `[{fault.name}]` |"
    for heading, promises in PROMISES.items():
        yield f"| **{heading}** | | |"
        for wrong, (sees, test) in promises.items():
            yield f"| {wrong} | {sees} | `{test}` |"
