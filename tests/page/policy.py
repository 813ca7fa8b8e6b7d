"""Reads from `public/_headers`, as Cloudflare does, which headers a page gets.

https://developers.cloudflare.com/workers/static-assets/headers/ (read 2026-11): every rule with a
matching path applies, in order, and `! Name` removes what an earlier one has set.
"""

from tools.paths import ROOT

PUBLIC = ROOT / "public"


def headers_of(path: str) -> dict[str, str]:
    """The headers of the asset at `path`."""
    found: dict[str, str] = {}
    fits = False
    for line in (PUBLIC / "_headers").read_text().splitlines():
        said = line.strip()
        if said and not line.startswith(" "):
            fits = said in {path, "/*"}
        elif fits and said.startswith("! "):
            del found[said.removeprefix("! ")]
        elif fits and said:
            name, _, value = said.partition(": ")
            assert name not in found, f"{name} would be sent as two values of one header"
            found[name] = value
    return found


def policy_of(path: str) -> dict[str, list[str]]:
    """The directives of the content security policy at `path`."""
    directives = [each.split() for each in headers_of(path)["Content-Security-Policy"].split(";")]
    return {name: values for name, *values in directives}
