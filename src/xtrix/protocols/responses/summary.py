"""A summary of a conversation in the envelope that its client sends back."""

from xtrix.prompt import Origin, Sealed

_SUMMARY = "summary"
_HEAD = "A summary of the conversation so far:\n\n"


def seal_summary(summary: str, origin: Origin) -> Sealed:
    """`summary`, which the model at `origin` has written."""
    return Sealed({_SUMMARY: summary}, origin)


def summary_in(sealed: Sealed | None) -> str | None:
    """What a model is told of a conversation that was summed up; None where it was not, by us."""
    summary = sealed.value.get(_SUMMARY) if sealed else None
    return f"{_HEAD}{summary}" if isinstance(summary, str) else None
