"""The headers of a call to an upstream that speaks Messages."""

from xtrix.errors import Headers
from xtrix.protocols.messages.extensions import BETA_HEADER, encode_betas
from xtrix.providers import Provider

VERSION = "2023-06-01"
"""The API version of a call whose client names none. Anthropic requires one, and users of curl
forget it."""


def headers_of(provider: Provider, betas: object = None, version: str = VERSION) -> Headers:
    """The headers, with the provider's key. `betas` are the client's. Raises ClientError."""
    headers = {
        "content-type": "application/json",
        "anthropic-version": version,
        **provider.headers_with_key("x-api-key"),
    }
    if betas is not None:
        merged = encode_betas(betas, headers.get(BETA_HEADER, ""))
        headers |= {BETA_HEADER: merged} if merged else {}
    return tuple(headers.items())
