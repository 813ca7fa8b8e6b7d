"""Makes requests for the list of models, the same in both of OpenAI's protocols.

Source: platform.openai.com/docs/api-reference/models, read 2026-11. OpenAI's list has no pages;
`after` is the parameter that its other lists have for pages.
"""

from urllib.parse import quote, urlencode

from xtrix.http import UpstreamRequest
from xtrix.providers import Provider


def encode_models(provider: Provider, after: str | None) -> UpstreamRequest:
    """The request for a page of the list, which begins after the model `after`."""
    return _get(provider, "/models", urlencode({"after": after}) if after else "")


def encode_model(provider: Provider, model: str) -> UpstreamRequest:
    """The request for `model` alone."""
    return _get(provider, f"/models/{quote(model, safe='')}")


def _get(provider: Provider, path: str, query: str = "") -> UpstreamRequest:
    headers = provider.headers_with_key("authorization")
    url = provider.url(path, query)
    return UpstreamRequest(url, tuple(headers.items()), b"", provider.binding, "GET")
