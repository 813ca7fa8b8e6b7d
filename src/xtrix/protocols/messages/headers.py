"""The headers of a call to an upstream that speaks Messages."""

from xtrix.errors import Headers
from xtrix.protocols.messages.extensions import BETA_HEADER, encode_betas
from xtrix.providers import Provider

VERSION = "2023-06-01"
"""The API's version of a call whose client names none."""


def headers_of(provider: Provider, betas: object = None, version: str = VERSION) -> Headers:
    """The headers with the provider's key. `betas` are the client's. Raises ClientError."""
    headers = {"content-type": "application/json", "anthropic-version": version}
    if provider.key and provider.key_header == "authorization":
        headers["authorization"] = f"Bearer {provider.key}"
    elif provider.key:
        headers[provider.key_header or "x-api-key"] = provider.key
    headers |= provider.headers
    if betas is not None:
        merged = encode_betas(betas, headers.get(BETA_HEADER, ""))
        headers |= {BETA_HEADER: merged} if merged else {}
    return tuple(headers.items())
