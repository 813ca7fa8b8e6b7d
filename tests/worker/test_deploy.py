"""What a deployment would upload and check, without an account.

The dry run shows the upload but runs no Python. Saving a snapshot is the part of a deployment that
does, and it refuses code that `wrangler dev` accepts.
"""

import re
import subprocess
from pathlib import Path

import httpx
import pytest

from tools import paths, runtime, wrangler

LARGEST_UPLOAD = 2048
"""KiB, gzipped. Cloudflare took 3072 on its free plan; the rest is room to grow."""


@pytest.fixture(scope="module")
def upload(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path]:
    """What `wrangler deploy --dry-run` said, and the folder of what it would send."""
    folder = tmp_path_factory.mktemp("upload")
    done = subprocess.run(
        wrangler.command("deploy", "--dry-run", "--outdir", str(folder)),
        cwd=paths.ROOT,
        env=wrangler.environment(CI="1"),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout, folder


def test_the_upload_is_small(upload: tuple[str, Path]) -> None:
    said = re.search(r"Total Upload: [\d.]+ KiB / gzip: ([\d.]+) KiB", upload[0])

    assert said is not None
    assert 0 < float(said[1]) < LARGEST_UPLOAD


def test_the_upload_is_the_worker_and_what_it_needs(upload: tuple[str, Path]) -> None:
    source = paths.ROOT / "src"
    sent = {path.relative_to(upload[1]).as_posix() for path in upload[1].rglob("*.*")}

    assert {path.relative_to(source).as_posix() for path in source.rglob("*.py")} <= sent
    assert {path.relative_to(source).as_posix() for path in source.rglob("*.js")} <= sent
    assert "python_modules/workers/__init__.py" in sent
    assert "python_modules/pydantic_core/__init__.py" in sent
    assert not [name for name in sent if re.search(r"\.pyi$|\.pyc$|\.dist-info/|test", name)]


def test_the_local_runtime_attaches_the_same(upload: tuple[str, Path]) -> None:
    sent = {path.relative_to(upload[1]).as_posix() for path in upload[1].rglob("*.*")}

    attached = {name for name, _, _ in runtime.modules(runtime.read_worker())}

    assert attached == sent - {"README.md"}


def test_a_worker_starts_from_its_snapshot(snapshot: Path) -> None:
    with runtime.serve({"API_KEYS": "sk-test"}, snapshot=snapshot) as served:
        reply = httpx.get(served.url + "/health", trust_env=False)

    assert reply.status_code == 200
    assert reply.json()["status"] == "ok"
