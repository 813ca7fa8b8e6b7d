"""Imports point down, a protocol imports no other protocol, and the core imports nothing outside.

It reads the imports, anywhere in a file, without running anything.
"""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

SRC = Path(__file__).parent.parent / "src"

LAYERS = (
    "entry",
    "edge archives ledgers",
    "objects",
    "app",
    "admin counting forwarding models store",
    "exchange",
    "body metering",
    "translation",
    "catalogue health steps",
    "passage",
    "relay",
    "reframe config vectors foreign",
    "protocols",
    "protocol openai",
    "auth prices recorder template",
    "answer reasoning",
    "listing",
    "keys",
    "calendar media rows cards estimate",
    "shape sse archive providers redact prompt upstream endpoints multipart telemetry",
    "http",
    "errors json content",
)
"""Top to bottom. A module imports from the layers below its own only; the modules of one folder of
`FOLDERS` may import each other."""

FOLDERS = ("protocols",)
"""Packages of packages, each of which knows none of its neighbours."""

PACKAGES = ("keys",)
"""Packages whose modules may import each other."""

SHELL = {"entry", "edge", "objects"}
"""The only modules that may know JavaScript and the outside world."""

OBJECTS = {"archives", "ledgers"}
"""The Durable Objects: each connects `objects` with a module of the core."""

RUNTIME = {"js", "pyodide", "pyodide_js", "workers"}
OUTSIDE = {
    *(
        "asyncio",
        "http",
        "io",
        "os",
        "pathlib",
        "random",
        "requests",
        "secrets",
        "select",
        "shutil",
    ),
    *("signal", "socket", "ssl", "subprocess", "tempfile", "threading", "time", "urllib.request"),
    *("datetime", "uuid", "logging", "concurrent", "multiprocessing", "sched", "selectors"),
}
"""Clocks, randomness and I/O of the standard library."""

LEVEL = {name: level for level, names in enumerate(reversed(LAYERS)) for name in names.split()}


class Module:
    """One file of src/ and what it imports."""

    def __init__(self, path: Path) -> None:
        parts = path.relative_to(SRC).with_suffix("").parts
        self.name = ".".join(parts).removesuffix(".__init__")
        self.imports = sorted(set(_imports(ast.parse(path.read_text()))))

    @property
    def is_core(self) -> bool:
        return self.name not in SHELL | OBJECTS

    @property
    def layer(self) -> str:
        """Its name in `LAYERS`."""
        return _layer(self.name)


def _imports(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "a relative import"
            assert node.module
            for alias in node.names:
                whole = f"{node.module}.{alias.name}"
                yield whole if _is_module(whole) else node.module


def _is_module(name: str) -> bool:
    path = SRC.joinpath(*name.split("."))
    return path.with_suffix(".py").exists() or (path / "__init__.py").exists()


def _layer(module: str) -> str:
    """The layer that `module` belongs to: `xtrix.dialects.openai.stream` to `dialects`."""
    return module.removeprefix("xtrix.").partition(".")[0]


def _dialect(module: str) -> str:
    """The protocol that `module` belongs to, with its folder; empty if none."""
    for folder in FOLDERS:
        rest = module.removeprefix(f"xtrix.{folder}.")
        if rest != module:
            return f"{folder}.{rest.partition('.')[0]}"
    return ""


def name_of(module: Module) -> str:
    return module.name


MODULES = [Module(path) for path in sorted(SRC.rglob("*.py"))]
CORE = [module for module in MODULES if module.is_core]


def test_every_module_has_its_layer() -> None:
    found = {module.layer for module in MODULES} - {"xtrix"}
    assert found == set(LEVEL)


@pytest.mark.parametrize("module", MODULES, ids=name_of)
def test_imports_point_down(module: Module) -> None:
    ours = [name for name in module.imports if _is_module(name) and name != "xtrix"]
    inside = module.layer if module.layer in (*FOLDERS, *PACKAGES) else None
    upward = [
        name
        for name in ours
        if LEVEL[_layer(name)] >= LEVEL[module.layer] and _layer(name) != inside
    ]
    assert upward == []


@pytest.mark.parametrize("module", CORE, ids=name_of)
def test_a_dialect_imports_no_other_dialect(module: Module) -> None:
    own = _dialect(module.name)
    others = {_dialect(name) for name in module.imports} - {"", own}
    # The packages themselves are the registers.
    assert not others or module.name in {f"xtrix.{folder}" for folder in FOLDERS}


@pytest.mark.parametrize("module", CORE, ids=name_of)
def test_a_module_above_the_dialects_knows_them_by_their_register_only(module: Module) -> None:
    if module.layer not in FOLDERS:
        assert not any(_dialect(name) for name in module.imports)


@pytest.mark.parametrize("module", CORE, ids=name_of)
def test_the_core_imports_the_standard_library_and_pydantic_core(module: Module) -> None:
    roots = {name.partition(".")[0] for name in module.imports}
    assert roots - sys.stdlib_module_names <= {"xtrix", "pydantic_core"}


@pytest.mark.parametrize("module", CORE, ids=name_of)
def test_the_core_has_no_clock_no_randomness_and_no_input(module: Module) -> None:
    assert not {name for name in module.imports if _starts_with_any(name, OUTSIDE | RUNTIME)}


def test_javascript_stays_in_the_shell() -> None:
    knowing = {
        module.name
        for module in MODULES
        if any(_starts_with_any(name, RUNTIME) for name in module.imports)
    }
    assert knowing == SHELL


@pytest.mark.parametrize("module", CORE, ids=name_of)
def test_the_core_opens_and_prints_nothing(module: Module) -> None:
    path = SRC.joinpath(*module.name.split("."))
    file = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    calls = [node for node in ast.walk(ast.parse(file.read_text())) if isinstance(node, ast.Call)]
    called = {call.func.id for call in calls if isinstance(call.func, ast.Name)}
    assert not called & {"open", "print", "input", "exec", "eval", "__import__"}


def _starts_with_any(name: str, roots: set[str]) -> bool:
    return any(name == root or name.startswith(f"{root}.") for root in roots)
