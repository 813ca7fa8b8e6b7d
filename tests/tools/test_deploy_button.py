"""What the button «Deploy to Cloudflare» reads: names of secrets, and a build anybody can run."""

import json
import re
import tomllib

from tools import paths
from xtrix import config

EXAMPLE = (paths.ROOT / ".dev.vars.example").read_text()
TOML = tomllib.loads((paths.ROOT / "wrangler.toml").read_text())
PACKAGE = json.loads((paths.ROOT / "package.json").read_text())
ASKED = dict(re.findall(r"^(\w+)=(.*)$", EXAMPLE, re.MULTILINE))


def test_it_offers_no_key_that_everybody_knows() -> None:
    """Anybody who accepted such a value would deploy it."""
    assert set(ASKED.values()) == {'""'}


def test_it_asks_for_secrets_that_the_worker_reads() -> None:
    read: set[str] = set()

    def lookup(name: str) -> object:
        read.add(name)
        return TOML["vars"].get(name)

    config.load(lookup)
    commented = set(re.findall(r"^# (\w+_KEY)=", EXAMPLE, re.MULTILINE))
    assert ASKED.keys() | commented <= read
    assert "API_KEYS" in ASKED


def test_it_says_what_each_secret_is_that_it_asks_for() -> None:
    bindings = PACKAGE["cloudflare"]["bindings"]
    assert bindings.keys() == ASKED.keys()
    assert all(binding["description"].endswith(".") for binding in bindings.values())


def test_it_deploys_with_wrangler_alone() -> None:
    """The build has Python and Node, and neither make nor .venv."""
    assert PACKAGE["dependencies"]["wrangler"]
    assert TOML["build"]["command"] == "python3 tools/vendor.py"
