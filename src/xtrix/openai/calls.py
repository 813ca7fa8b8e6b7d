"""Makes a call of OpenAI's API, for any of its endpoints: its URL and its headers.

The body is known only by its content type. The key is a bearer token. The query of the provider's
row is added to every URL, as Azure's `api-version` must be.
"""

from xtrix.http import UpstreamRequest
from xtrix.providers import Provider


def post(
    provider: Provider, path: str, body: bytes, content_type: str = "application/json"
) -> UpstreamRequest:
    """The call that sends `body` to `path` of `provider`. The path begins with a slash."""
    headers = {"content-type": content_type, **provider.headers_with_key("authorization")}
    url = provider.url(path)
    return UpstreamRequest(url, tuple(headers.items()), body, provider.binding)
