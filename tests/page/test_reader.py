"""The page's two parsers, in the browser: the result does not depend on how the text is cut."""

import pytest

from tests.page.playground import Playground
from tools.paths import ROOT

FIXTURES = ROOT / "tests" / "fixtures"

READ_ALL_CUTS = """
(text) => {
  const bytes = new TextEncoder().encode(text);
  const read = (pieces) => {
    const reader = new EventReader();
    return JSON.stringify(pieces.flatMap((piece) => reader.feed(piece)));
  };
  const whole = read([bytes]);
  const wrong = [];
  for (let cut = 0; cut <= bytes.length; cut += 1)
    if (read([bytes.slice(0, cut), bytes.slice(cut)]) !== whole) wrong.push(cut);
  if (read([...bytes].map((byte) => Uint8Array.of(byte))) !== whole) wrong.push("each");
  return [JSON.parse(whole), wrong];
}
"""

SHOW = """
(pieces) => {
  const node = document.createElement("div");
  const prose = new Prose(node);
  for (const piece of pieces) prose.add(piece);
  return node.innerHTML;
}
"""

SHOW_ALL_CUTS = f"""
(text) => {{
  const show = {SHOW};
  const whole = show([text]);
  const wrong = [];
  for (let cut = 1; cut < text.length; cut += 1)
    if (show([text.slice(0, cut), text.slice(cut)]) !== whole) wrong.push(cut);
  if (show([...text]) !== whole) wrong.push("each");
  return wrong;
}}
"""

EVERY_BLOCK = """\
# A heading
Some **strong, *slanted* and `code`** words,
and a second line * with stray ** marks.

1. First
2. Second, which goes
   on in a second line
   - inner
     - deeper
   - inner

3. Third

- another list

```python
def f(x):

    return x  # ``` is not the end
```
  ~~~
  indented
  ~~~
> A quotation
> of two lines
| a | b |
|---|---|
---
The end: 5 * 3 * 2, 早 and 🌊.
"""


def data_of(recorded: str) -> list[str]:
    """Returns the data of a stream that has one data line in each frame, as ours do."""
    return [frame.removeprefix("data: ") for frame in recorded.split("\n\n") if frame]


@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"], ids=["lf", "crlf", "cr"])
def test_recorded_streams_are_read_the_same_however_they_are_cut(
    playground: Playground, line_end: str
) -> None:
    streams = [path.read_text() for path in FIXTURES.glob("llamacpp/*/upstream.sse")]
    assert len(streams) >= 3
    for recorded in streams:
        text = recorded.replace("\n", line_end)
        assert playground.page.evaluate(READ_ALL_CUTS, text) == [data_of(recorded), []]


@pytest.mark.parametrize(
    ("text", "events"),
    [
        ("data: a\n\n: keep-alive\n\ndata: b\n\n", ["a", "b"]),
        ("data: a\ndata:b\ndata:  c\n\n", ["a\nb\n c"]),
        ("data\n\n", [""]),
        ("event: x\nid: 1\nretry: 5\n\ndata: a\n\n", ["a"]),
        ("data: a:b\n\n", ["a:b"]),
        ("data: a\u2028b\u0085c\n\n", ["a\u2028b\u0085c"]),
        ("\ufeffdata: a\n\n", ["a"]),
        ("data: 早🌊\r\n\r\ndata: x\r\n\n", ["早🌊", "x"]),
        ("data: a\n\ndata: never ended\n", ["a"]),
    ],
    ids=[
        *("comment", "many-lines", "no-colon", "other-fields", "colon-in-value"),
        *("only-cr-and-lf-end-lines", "byte-order-mark", "multibyte", "unended"),
    ],
)
def test_events_are_read_as_the_standard_says(
    playground: Playground, text: str, events: list[str]
) -> None:
    assert playground.page.evaluate(READ_ALL_CUTS, text) == [events, []]


@pytest.mark.parametrize(
    "text",
    [EVERY_BLOCK, EVERY_BLOCK[EVERY_BLOCK.index("```") :], "| a |\n| b |\n\nc", "\n\n- a\n\nb\n"],
    ids=["every-block", "code-first", "table-first", "blank-first"],
)
def test_text_is_shown_the_same_however_it_is_cut(playground: Playground, text: str) -> None:
    assert playground.page.evaluate(SHOW_ALL_CUTS, text) == []


@pytest.mark.parametrize(
    ("text", "markup"),
    [
        ("a **b** *c* `d`", "<p>a <strong>b</strong> <em>c</em> <code>d</code></p>"),
        ("`` a`b `` **`*`**", "<p><code> a`b </code> <strong><code>*</code></strong></p>"),
        ("2 * 3 * 4 **not", "<p>2 * 3 * 4 **not</p>"),
        ("## Two words", "<h2>Two words</h2>"),
        ("- a\n- b\n  1. c", "<ul><li>a</li><li>b<ol start=\"1\"><li>c</li></ol></li></ul>"),
        ("3. a\n\n4. b", '<ol start="3"><li>a</li><li>b</li></ol>'),
        ("> a\n> b", "<blockquote><p>a\nb</p></blockquote>"),
        ("a\n\n---\n\nb", "<p>a</p><hr><p>b</p>"),
    ],
)  # fmt: skip
def test_marks_become_nodes(playground: Playground, text: str, markup: str) -> None:
    assert playground.page.evaluate(SHOW, [text]) == markup


@pytest.mark.parametrize(
    "around", ["{}", "**{}**", "- {}", "# {}", "> {}", "```{}\n{}\n```", "`{}`"]
)
def test_markup_in_an_answer_stays_text(playground: Playground, around: str) -> None:
    markup = "<img/src=x/onerror=alert(1)><script>alert(2)</script>"
    page = playground.page
    shown = page.evaluate(SHOW, [around.replace("{}", markup)])
    assert "<img" not in shown
    assert "<script" not in shown
    assert "&lt;img/src=x/onerror=alert(1)&gt;" in shown


def test_long_text_full_of_marks_is_shown_in_time(playground: Playground) -> None:
    now = "performance.now()"
    timed = f"(text) => {{ const start = {now}; ({SHOW})([text]); return {now} - start; }}"
    for text in ("*a " * 30_000, "**" * 30_000, "`" * 60_000, "- a\n" * 20_000, "` *" * 20_000):
        assert playground.page.evaluate(timed, text) < 2_000
