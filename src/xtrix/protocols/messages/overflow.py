"""Says that a prompt is too long in the words that Anthropic's clients look for.

When they read Anthropic's sentence, Claude Code compacts a conversation and LangChain raises its
overflow error. From the two numbers in it Claude Code knows by how much it is too long. Other
providers have other sentences. Some add the requested tokens to those of the prompt. Then
`max_tokens` must be lower, for which Anthropic has another sentence.

Sources: platform.claude.com/docs/en/api/errors and the messages of the vendors named below, as
their servers' sources or users' reports give them (read 2026-11).
"""

import re

from xtrix.errors import UpstreamError

_TOO_LONG = "prompt is too long"
_OWN_WORDS = (_TOO_LONG, "exceed context limit")
"""Parts of Anthropic's own sentences."""


def _pattern(text: str) -> re.Pattern[str]:
    """A regular expression for `text`.

    In it `<limit>`, `<prompt>` and `<output>` are numbers, and `…` is some words.
    """
    spelled = re.sub(r"<(\w+)>", r"(?:about )?(?P<\1>\\d[\\d,]{0,14})", re.escape(text))
    return re.compile(spelled.replace("…", ".{0,60}?"), re.IGNORECASE | re.DOTALL)


_PATTERNS = (
    # OpenAI, DeepSeek, vLLM before 2026.
    _pattern("context length is <limit> tokens…(<prompt> in the messages, <output> in the"),
    # OpenRouter
    _pattern("context length is <limit> tokens…(<prompt> of text input, <output> in the"),
    # vLLM
    _pattern("too large: <output>.…context length is <limit> tokens…has <prompt> input"),
    # OpenAI, and all who have copied its words.
    _pattern("context length is <limit> tokens…resulted in <prompt> tokens"),
    _pattern("context length is <limit> tokens…requested <prompt> tokens"),
    _pattern("context length is <limit> tokens…has <prompt> input tokens"),
    # xAI
    _pattern("prompt length is <limit> but the request contains <prompt> tokens"),
    # llama.cpp
    _pattern("request (<prompt> tokens) exceeds…(<limit> tokens)"),
    # Mistral
    _pattern("contains <prompt> tokens…with <limit> maximum context"),
    # Gemini
    _pattern("token count (<prompt>) exceeds…allowed (<limit>)"),
)


def encode_overflow(error: UpstreamError) -> str:
    """The message of `error`, in Anthropic's words if it says that a prompt is too long."""
    message = error.message
    if error.status not in {400, 413} or any(it in message.lower() for it in _OWN_WORDS):
        return message
    for pattern in _PATTERNS:
        if match := pattern.search(message):
            counts = match.groupdict(default="0")
            return _sentence(**{name: int(text.replace(",", "")) for name, text in counts.items()})
    return f"{_TOO_LONG}: {message}" if error.code == "context_length_exceeded" else message


def _sentence(prompt: int, limit: int, output: int = 0) -> str:
    if prompt < limit < prompt + output:
        return (
            f"input length and `max_tokens` exceed context limit: {prompt} + {output} > {limit}, "
            "decrease input length or `max_tokens` and try again"
        )
    return f"{_TOO_LONG}: {prompt} tokens > {limit} maximum"
