"""Puts a summary of a conversation into the envelope that its client sends back."""

from xtrix.prompt import Origin, Sealed

_SUMMARY = "summary"
_HEAD = "A summary of the conversation so far:\n\n"


def seal_summary(summary: str, origin: Origin) -> Sealed:
    """`summary`, which the model `origin` has written, sealed."""
    return Sealed({_SUMMARY: summary}, origin)


def summary_in(sealed: Sealed | None) -> str | None:
    """The text of a summary for a model; None if `sealed` is not a summary of ours."""
    summary = sealed.value.get(_SUMMARY) if sealed else None
    return f"{_HEAD}{summary}" if isinstance(summary, str) else None
