"""The dialects by the name that a provider's row gives."""

from xtrix.dialect import Dialect
from xtrix.dialects import anthropic, openai

DIALECTS: dict[str, Dialect] = {"anthropic": anthropic.DIALECT, "openai": openai.DIALECT}
