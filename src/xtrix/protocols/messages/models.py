"""Makes requests for the list of models.

Source: platform.claude.com/docs/en/api/models-list, read 2026-11.
"""

from urllib.parse import quote, urlencode

from xtrix.http import UpstreamRequest
from xtrix.protocols.messages.headers import VERSION
from xtrix.providers import Provider

_PAGE = "1000"
"""The longest page that the API allows."""


def encode_models(provider: Provider, after: str | None) -> UpstreamRequest:
    """The request for a page of the list, which begins after the model `after`."""
    query = {"limit": _PAGE, **({"after_id": after} if after else {})}
    return _get(provider, f"/models?{urlencode(query)}")


def encode_model(provider: Provider, model: str) -> UpstreamRequest:
    """The request for `model` alone."""
    return _get(provider, f"/models/{quote(model, safe='')}")


def _get(provider: Provider, path: str) -> UpstreamRequest:
    headers = {"anthropic-version": VERSION, **provider.headers_with_key("x-api-key")}
    url = f"{provider.base_url}{path}"
    return UpstreamRequest(url, tuple(headers.items()), b"", provider.binding, "GET")
