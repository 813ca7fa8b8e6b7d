"""What uv is told of pip's settings. test_setup.py shows that uv then uses pip's index."""

import pytest

from tools import pip_settings

ALWAYS = {"UV_INDEX_STRATEGY": "unsafe-best-match", "UV_SYSTEM_CERTS": "true"}


@pytest.mark.parametrize(
    ("listing", "told"),
    [
        ("", {}),
        (
            "global.index-url='https://a.test/simple'\n",
            {"UV_DEFAULT_INDEX": "https://a.test/simple"},
        ),
        (
            "global.extra-index-url='\\nhttps://a.test/x\\nhttps://b.test/y'\n",
            {"UV_INDEX": "https://a.test/x https://b.test/y"},
        ),
        ("global.find-links='/one file:///two'\n", {"UV_FIND_LINKS": "/one,file:///two"}),
        ("global.trusted-host='a.test b.test:81'\n", {"UV_INSECURE_HOST": "a.test b.test:81"}),
        ("global.cert='/etc/a.pem'\n", {"SSL_CERT_FILE": "/etc/a.pem"}),
        ("global.client-cert='/etc/b.pem'\n", {"SSL_CLIENT_CERT": "/etc/b.pem"}),
        (
            "global.proxy='http://p.test:3128'\n",
            dict.fromkeys(
                ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"), "http://p.test:3128"
            ),
        ),
        (
            ":env:.default-timeout='180'\nglobal.retries='0'\n",
            {"UV_HTTP_TIMEOUT": "180", "UV_HTTP_RETRIES": "0"},
        ),
        ("global.progress-bar='off'\n:env:.disable-pip-version-check='1'\n", {}),
    ],
)
def test_a_setting_becomes_the_variable_of_uv(listing: str, told: dict[str, str]) -> None:
    assert pip_settings.as_uv(listing) == {**ALWAYS, **told}


def test_a_variable_counts_more_than_the_command_and_that_more_than_all_commands() -> None:
    """As pip has it, in whichever order they are listed."""
    listed = {
        ":env:": ":env:.index-url='https://env.test'\n",
        "install": "install.index-url='https://install.test'\n",
        "global": "global.index-url='https://global.test'\n",
    }
    for left_out, winner in (("", "env"), (":env:", "install"), ("install", "env")):
        listing = "".join(line for section, line in listed.items() if section != left_out)
        told = pip_settings.as_uv(listing)
        assert told is not None
        assert told["UV_DEFAULT_INDEX"] == f"https://{winner}.test"


def test_a_setting_of_another_command_or_without_a_value_does_not_count() -> None:
    listing = "download.index-url='https://d.test'\n:env:.find-links=''\nglobal.find-links='/a'\n"
    assert pip_settings.as_uv(listing) == {**ALWAYS, "UV_FIND_LINKS": "/a"}


@pytest.mark.parametrize("name", ["no-index", "no-binary", "only-binary", "keyring-provider"])
def test_what_uv_cannot_be_told_is_left_to_pip(name: str) -> None:
    assert pip_settings.as_uv(f"global.index-url='https://a.test'\nglobal.{name}='x'\n") is None
