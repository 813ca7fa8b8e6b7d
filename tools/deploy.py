"""`make deploy`: checks everything first, deploys, and checks the deployed Worker.

It does these steps in order, and stops at the first that fails:

    configuration   `[vars]` of wrangler.toml, by the code that the Worker itself reads it with
    secrets         those that wrangler.toml names, against those that Cloudflare has
    upload          its size, gzipped, against what Cloudflare takes
    snapshot        the Worker is imported on the real workerd as a deployment does it, and started
    deploy          wrangler deploy
    health          /health of every URL that wrangler named, until it tells this version

    make deploy                          the Worker of wrangler.toml
    make deploy ARGS=--dry-run           the three that need no account
    make deploy ARGS="--env staging"     that environment of wrangler.toml
    make deploy ARGS="--url https://…"   where else to ask: routes that wrangler names by a pattern

It knows wrangler's commands and this Worker's configuration. Except for `wrangler deploy`, it
changes nothing at Cloudflare, and it rolls nothing back: docs/deploying.md says how you do that.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import tempfile
import time
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import httpx

from tools import paths, runtime, wrangler
from xtrix import __version__
from xtrix import config as configuration
from xtrix.config import Config
from xtrix.errors import ConfigurationError

WRANGLER_TOML = paths.ROOT / "wrangler.toml"
LARGEST_UPLOAD = 3 * 1024 * 1024
"""The largest upload in bytes, gzipped, on the free plan; the paid plan allows 10 MB. From
https://developers.cloudflare.com/workers/platform/limits/ (November 2026)."""
HEALTH_SECONDS = 60.0
"""How long /health may take to show the new version, which needs some seconds to reach every
place."""
NOT_THERE = re.compile(r'Worker "[^"]*" not found')
"""wrangler's message for a Worker that was never deployed and has no secrets."""

Lookup = Callable[[str], object]


class DeployError(Exception):
    """Says what is wrong and what to do, one fault in each line."""


class Options(NamedTuple):
    """What to deploy, and how."""

    env: str
    """The environment of wrangler.toml; empty for the top level."""
    url: str
    dry_run: bool

    def wrangler(self, *words: str) -> list[str]:
        """Returns wrangler's command line for this environment."""
        return wrangler.command(*words, *(["--env", self.env] if self.env else []))


class Deployed(NamedTuple):
    """What wrangler reports about an upload. `size` is in bytes, gzipped."""

    size: int
    targets: tuple[str, ...]
    version: str


def main(arguments: list[str]) -> int:
    """Returns the exit status."""
    try:
        deploy(_options(arguments))
    except DeployError as error:
        print(f"deploy: {error}", file=sys.stderr)
        return 1
    return 0


def deploy(options: Options) -> None:
    """Checks, deploys, and checks again. Raises DeployError at the first step that fails."""
    settings = _settings(options.env)
    _tell("configuration", check_configuration(settings))
    if not options.dry_run:
        _tell("secrets", check_secrets(settings, _secrets(options)))
    _tell("upload", check_upload(options))
    _tell("snapshot", check_snapshot())
    if options.dry_run:
        print("Nothing was deployed.")
        return
    deployed = _wrangler(options, "deploy")
    _tell("deploy", f"version {deployed.version or __version__}")
    for url in urls(options, deployed.targets):
        _tell("health", check_health(url))


def _options(arguments: list[str]) -> Options:
    parser = argparse.ArgumentParser(prog="make deploy", description=__doc__.splitlines()[0])
    parser.add_argument("--env", default="", help="an environment of wrangler.toml")
    parser.add_argument("--url", default="", help="where /health is asked for instead")
    parser.add_argument("--dry-run", action="store_true", help="check, and send nothing")
    found = parser.parse_args(arguments)
    return Options(found.env, found.url.rstrip("/"), found.dry_run)


def _tell(step: str, what: str) -> None:
    print(f"  {step:<15}{what}", flush=True)


# Before the deployment


def _settings(env: str) -> Mapping[str, Any]:
    try:
        settings = tomllib.loads(WRANGLER_TOML.read_text())
    except tomllib.TOMLDecodeError as error:
        raise DeployError(f"wrangler.toml is not TOML: {error}") from None
    if not env:
        return settings
    if env not in settings.get("env", {}):
        raise DeployError(f"wrangler.toml has no [env.{env}]")
    # An environment does not inherit variables and bindings.
    own: Mapping[str, Any] = settings["env"][env]
    return own


def _lookup(settings: Mapping[str, Any], secrets: Mapping[str, str]) -> Lookup:
    """Finds values by name, as the deployed Worker will."""
    bindings = {each["binding"]: object() for each in settings.get("services", ())}
    objects = settings.get("durable_objects", {}).get("bindings", ())
    bindings |= {each["name"]: object() for each in objects}
    if "ai" in settings:
        bindings[settings["ai"]["binding"]] = object()
    found: dict[str, object] = {**settings.get("vars", {}), **bindings, **secrets}
    return found.get


def _loaded(settings: Mapping[str, Any], secrets: Mapping[str, str]) -> Config:
    try:
        return configuration.load(_lookup(settings, secrets))
    except ConfigurationError as error:
        raise DeployError("\n".join(["wrangler.toml is at fault:", *error.faults])) from None


def check_configuration(settings: Mapping[str, Any]) -> str:
    """Raises DeployError with every fault of `settings`, which are of one environment."""
    config = _loaded(settings, {})
    return f"{len(config.providers)} providers, {len(config.models)} models with several targets"


def check_upload(options: Options) -> str:
    """Raises DeployError if Cloudflare would refuse the upload for its size."""
    with tempfile.TemporaryDirectory() as folder:
        size = _wrangler(options, "deploy", "--dry-run", "--outdir", folder).size
    if size > LARGEST_UPLOAD:
        raise DeployError(
            f"the upload has {size:,} bytes gzipped, but Cloudflare's free plan allows only"
            f" {LARGEST_UPLOAD:,}; remove what the Worker does not need"
        )
    return f"{size / 1024:.0f} KiB gzipped, of at most {LARGEST_UPLOAD / 1024:.0f}"


def check_snapshot() -> str:
    """Raises DeployError if the Worker does not start from a snapshot."""
    with tempfile.TemporaryDirectory() as folder:
        try:
            snapshot = runtime.save_snapshot(Path(folder))
            with runtime.serve({}, snapshot=snapshot) as served:
                return check_health(served.url, seconds=0)
        except runtime.StartError as error:
            raise DeployError(
                f"Cloudflare would refuse the Worker at its start:\n{error}"
            ) from None


# Secrets


def _secrets(options: Options) -> list[str]:
    """Returns the names of the secrets that Cloudflare has."""
    done = subprocess.run(
        options.wrangler("secret", "list", "--format", "json"),
        cwd=paths.ROOT,
        env=wrangler.environment(WRANGLER_HIDE_BANNER="true"),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode and NOT_THERE.search(done.stdout + done.stderr):
        return []
    if done.returncode:
        raise DeployError(
            f"wrangler cannot list the secrets:\n{(done.stderr or done.stdout).strip()}"
        )
    return [secret["name"] for secret in json.loads(done.stdout[done.stdout.index("[") :])]


def check_secrets(settings: Mapping[str, Any], names: list[str]) -> str:
    """Raises DeployError if no client could call, or no provider could be called."""
    config = _loaded(settings, {name: f"value-of-{name}" for name in names})
    lacking = sorted(
        {provider.missing_secret for provider in config.providers if provider.missing_secret}
    )
    put = "npx wrangler secret put"
    if not config.accepted_keys and not config.admin_key:
        raise DeployError(f"no client has a key, so every call would be refused: {put} API_KEYS")
    if config.providers and all(provider.missing_secret for provider in config.providers):
        wanted = " or ".join(f"{put} {name}" for name in lacking)
        raise DeployError(f"no provider has its key, so there would be no model: {wanted}")
    if lacking:
        return f"all but {', '.join(lacking)}; the providers that need these are not used"
    return "all there"


# Deploy


def _wrangler(options: Options, *words: str) -> Deployed:
    """Runs wrangler, and returns what it reports in a form for programs."""
    with tempfile.TemporaryDirectory() as folder:
        notes = Path(folder) / "notes.ndjson"
        done = subprocess.run(
            options.wrangler(*words),
            cwd=paths.ROOT,
            env=wrangler.environment(
                WRANGLER_OUTPUT_FILE_PATH=str(notes), WRANGLER_HIDE_BANNER="true"
            ),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        lines = notes.read_text().splitlines() if notes.exists() else []
    if done.returncode:
        raise DeployError(f"wrangler {words[0]} failed:\n{done.stdout.strip()}")
    note = next(note for line in lines if (note := json.loads(line))["type"] == "deploy")
    return Deployed(
        note["bundle_size"]["gzip_bytes"],
        tuple(note.get("targets") or ()),
        note.get("version_id") or "",
    )


# After the deployment


def urls(options: Options, targets: tuple[str, ...]) -> list[str]:
    """Returns the addresses of the Worker: its own on workers.dev, custom domains, or `--url`.

    Raises DeployError if there are only patterns, such as `example.com/api/*`.
    """
    if options.url:
        return [options.url]
    domain = " (custom domain)"
    named = [
        f"https://{target.removesuffix(domain)}" if target.endswith(domain) else target
        for target in targets
    ]
    addresses = [name for name in named if name.startswith("https://")]
    if not addresses:
        raise DeployError(
            "it is deployed, and wrangler names no URL of it; ask yourself:"
            ' make deploy ARGS="--url https://…"'
        )
    return addresses


def check_health(url: str, *, seconds: float = HEALTH_SECONDS) -> str:
    """Calls /health until the answer has this version, or for `seconds`. Raises DeployError."""
    until = time.monotonic() + seconds
    while True:
        seen = _health(url)
        if seen == (httpx.codes.OK, __version__):
            return f"{url}/health says {__version__}"
        if time.monotonic() >= until:
            status, said = seen
            raise DeployError(
                f"{url}/health does not answer with version {__version__}: {status or ''} {said}\n"
                "The version before comes back with: npx wrangler rollback"
            )
        time.sleep(1)


def _health(url: str) -> tuple[int, str]:
    """Returns the status and the version, or what came instead; status 0 without an answer."""
    try:
        answer = httpx.get(f"{url}/health", trust_env=not url.startswith("http://127."), timeout=10)
    except httpx.HTTPError as error:
        return 0, repr(error)
    try:
        version = answer.json()["version"]
    except (ValueError, LookupError, TypeError):
        return answer.status_code, answer.text[:200]
    return answer.status_code, str(version)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
