"""A call of OpenAI's API, whichever of its endpoints: where it goes and what it carries.

Knows nothing of bodies but their type. The key is a bearer token, and a row's query stands in every
URL, as Azure's `api-version` has to.
"""

from xtrix.http import UpstreamRequest
from xtrix.providers import Provider


def post(
    provider: Provider, path: str, body: bytes, content_type: str = "application/json"
) -> UpstreamRequest:
    """The call of `provider` that sends `body` to `path`, which begins with a slash."""
    headers = {"content-type": content_type, **provider.headers_with_key("authorization")}
    url = provider.url(path)
    return UpstreamRequest(url, tuple(headers.items()), body, provider.binding)
