"""Says in uv's words what pip is configured with, because uv does not read pip's settings.

pip's settings are those of its files and of `PIP_…` variables: `pip config list` prints them all.
Only those are translated that say where packages come from and how they are reached. The result is
a set of environment variables and no options, so that a password in a URL is in no list of
processes and in no log. It knows nothing of what is installed.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Mapping

_SETTING = re.compile(r"^(\S+)\.([\w-]+)=(.*)$", re.MULTILINE)
_SECTIONS = ("global", "install", ":env:")
"""The sections that count for `pip install`. A later one replaces the settings of an earlier."""

_Spelling = Callable[[str], str]


def _same(value: str) -> str:
    return value


def _spaced(value: str) -> str:
    return " ".join(value.split())


def _with_commas(value: str) -> str:
    return ",".join(value.split())


_VARIABLES: Mapping[str, tuple[tuple[str, ...], _Spelling]] = {
    "index-url": (("UV_DEFAULT_INDEX",), _same),
    "extra-index-url": (("UV_INDEX",), _spaced),
    "find-links": (("UV_FIND_LINKS",), _with_commas),
    "trusted-host": (("UV_INSECURE_HOST",), _spaced),
    "cert": (("SSL_CERT_FILE",), _same),
    "client-cert": (("SSL_CLIENT_CERT",), _same),
    "proxy": (("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"), _same),
    "timeout": (("UV_HTTP_TIMEOUT",), _same),
    "default-timeout": (("UV_HTTP_TIMEOUT",), _same),
    "retries": (("UV_HTTP_RETRIES",), _same),
}
"""uv's variables for each of pip's settings, and how they spell its value. Read in uv's
https://docs.astral.sh/uv/reference/environment/ (November 2026)."""

_UNKNOWN_TO_UV = frozenset({"no-index", "no-binary", "only-binary", "keyring-provider"})
"""Settings that decide what is downloaded, and that no variable of uv can say."""

_AS_PIP_DOES = {"UV_INDEX_STRATEGY": "unsafe-best-match", "UV_SYSTEM_CERTS": "true"}
"""What pip does without any setting, and uv does not. pip looks for a version in every index, and
uv only in the first that knows the package. uv calls pip's way unsafe, because another index could
offer a newer version; here versions and hashes are fixed. pip trusts the certificates of the
system."""


def as_uv(listing: str) -> dict[str, str] | None:
    """Returns uv's environment variables for what `pip config list` printed.

    None means that a setting cannot be said to uv, so only pip does what the user wants.
    """
    settings = _settings(listing)
    if _UNKNOWN_TO_UV & settings.keys():
        return None
    said = {
        variable: spelling(settings[name])
        for name, (variables, spelling) in _VARIABLES.items()
        if name in settings
        for variable in variables
    }
    return {**_AS_PIP_DOES, **said}


def _settings(listing: str) -> dict[str, str]:
    """The settings that count, by name. pip ignores one without a value."""
    found: dict[str, dict[str, str]] = {}
    for section, name, value in _SETTING.findall(listing):
        if text := str(ast.literal_eval(value)):
            found.setdefault(section, {})[name] = text
    return {name: text for each in _SECTIONS for name, text in found.get(each, {}).items()}
