from pathlib import Path

import pytest

from tools import bundle


def test_patches_the_loader_of_the_pyodide_installed() -> None:
    loader = (bundle.PYODIDE / "pyodide.asm.mjs").read_text()

    patched = bundle.patch(loader)

    assert patched.startswith("import {")
    assert "new WebAssembly.Module(" in loader
    assert "new WebAssembly.Module(" not in patched


def test_refuses_a_loader_that_differs() -> None:
    loader = (bundle.PYODIDE / "pyodide.asm.mjs").read_text()

    with pytest.raises(bundle.BundleError, match=r"eval.* occurs 7 times in the loader, not 6"):
        bundle.patch(loader + "eval(name)")


def test_is_built_once() -> None:
    built = bundle.build()
    made_at = built.stat().st_mtime_ns

    assert bundle.build() == built
    assert built.stat().st_mtime_ns == made_at
    assert built.parent.parent == Path(bundle.BUNDLES)
