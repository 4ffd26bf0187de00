"""Who may import whom, how long things may be, and words that stay out: read from the source, nothing is run."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

TOP = Path(__file__).resolve().parents[1]

#: side → the sides it may import besides itself: pages → ui → client → contract ← service.
MAY_IMPORT = {
    "contract": set(),
    "client": {"contract"},
    "ui": {"client", "contract"},
    "pages": {"ui", "contract"},
    "home": {"ui", "contract", "service"},  # the service: in its ASGI branch
    "service": {"contract"},
}

#: library → where alone it may be imported (a folder ends in /).
ONLY_IN = {
    "streamlit": ("Home.py", "pages/", "lib/ui/"),
    "streamlit_autorefresh": ("Home.py", "pages/", "lib/ui/"),
    "faiss": ("lib/service/index/", "lib/client/snapshots.py"),
    "dbos": ("lib/service/",),
    "sqlalchemy": ("lib/service/",),
    "fastapi": ("Home.py", "lib/service/"),
}

#: The service from top to bottom: a module imports only what stands below it. A package is one station.
STATIONS = """
__main__ embedded app routers head_requests services supervisor worker_process housekeeping retention recovery
moments visits
telemetry undo plans inspections rehearsals drift maps reembedding plan_rows plan_fields failures intentions
snapshots exports jobs workers worker_log scale wishes batches operations engine feed entries places search
golden tabs uploads suggestions index embedders settings trace queue forecast shift wish_gate gate index_gate
export_gate plan_gate access metrics audit heart credentials checks sheets storage security cursors logs
data_lock secret_files config errors
"""
SERVICE_ORDER = STATIONS.split()

LONGEST_FILE = 300
LONGEST_FUNCTION = 60
FORBIDDEN_NAMES = {"utils", "util", "helpers", "helper", "common", "manager", "base", "misc", "core"}
#: Frozen lists of tables, as long as they are: ruff leaves these files alone as well.
MIGRATIONS = "lib/service/storage/migrations/versions/"
#: Where "status" is HTTP's word.
HTTP_ERRORS = ("lib/contract/errors.py", "lib/client/errors.py")

# Spelled in pieces, so that this file does not hold what it looks for.
REGISTRY_HOSTS = [
    ".".join(parts)
    for parts in (
        *(("pypi", "org"), ("pypi", "python", "org"), ("pythonhosted", "org")),
        *(("npmjs", "org"), ("npmjs", "com"), ("yarnpkg", "com")),
        *(("anaconda", "org"), ("anaconda", "com"), ("rubygems", "org"), ("proxy", "golang", "org")),
    )
]


def name_of(path: Path) -> str:
    """The path as seen from the top of the repository, with forward slashes."""
    return path.relative_to(TOP).as_posix()


@cache
def shipped() -> tuple[Path, ...]:
    """Every Python file that runs in production."""
    return tuple(sorted([*TOP.glob("Home.py"), *TOP.glob("pages/*.py"), *TOP.glob("lib/**/*.py")]))


@cache
def written() -> tuple[Path, ...]:
    """Every Python file we write, tests included."""
    return (*shipped(), *sorted(TOP.glob("tests/**/*.py")))


@cache
def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text("utf-8"), str(path))


def module_of(path: Path) -> str:
    """``lib/service/queue.py`` → ``lib.service.queue``; a package is its folder."""
    parts = path.relative_to(TOP).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


@cache
def our_modules() -> frozenset[str]:
    return frozenset(module_of(path) for path in shipped())


def imports_of(path: Path) -> Iterator[tuple[int, str]]:
    """(line, dotted module) of every import in the file, those inside functions and ``if`` included."""
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{name_of(path)}:{node.lineno}: write imports from the top, not relative"
            for alias in node.names:
                whole = f"{node.module}.{alias.name}"  # `from lib.service import queue` means the module queue
                yield node.lineno, whole if whole in our_modules() else str(node.module)


def side_of(path: Path) -> str:
    parts = path.relative_to(TOP).parts
    if parts == ("Home.py",):
        return "home"
    return "pages" if parts[0] == "pages" else Path(parts[1]).stem


def test_each_side_imports_only_what_it_may() -> None:
    wrong = []
    for path in shipped():
        side = side_of(path)
        for line, module in imports_of(path):
            first, _, rest = module.partition(".")
            target = "pages" if first == "pages" else rest.partition(".")[0]
            if first in {"lib", "pages", "tests"} and target and target != side and target not in MAY_IMPORT.get(side, set()):
                wrong.append(f"{name_of(path)}:{line}: {side} may not import {module}")
    assert not wrong, "\n".join(wrong)


def test_the_contract_knows_no_runtime() -> None:
    allowed = {"lib", "pydantic", *sys.stdlib_module_names}
    wrong = [
        f"{name_of(path)}:{line}: the contract may not import {module}"
        for path in shipped()
        if side_of(path) == "contract"
        for line, module in imports_of(path)
        if module.partition(".")[0] not in allowed
    ]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("library", ONLY_IN)
def test_a_library_is_imported_only_where_it_belongs(library: str) -> None:
    wrong = [
        f"{name_of(path)}:{line}: {library} belongs in {' and '.join(ONLY_IN[library])}"
        for path in shipped()
        for line, module in imports_of(path)
        if module.partition(".")[0] == library and not name_of(path).startswith(ONLY_IN[library])
    ]
    assert not wrong, "\n".join(wrong)


def test_only_storage_speaks_to_the_database() -> None:
    wrong = [
        f"{name_of(path)}:{node.lineno}: {node.func.attr}"
        for path in shipped()
        if not name_of(path).startswith("lib/service/storage/")
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)
        if node.func.attr in {"execute", "exec_driver_sql", "scalar"}
    ]
    assert not wrong, "SQL stands in lib/service/storage alone:\n" + "\n".join(wrong)


def test_every_service_module_has_a_place_in_the_order() -> None:
    stations = {path.relative_to(TOP / "lib/service").parts[0] for path in shipped() if side_of(path) == "service"}
    unknown = sorted({Path(station).stem for station in stations} - {*SERVICE_ORDER, "__init__"})
    assert not unknown, f"lib/service: say where it stands, in SERVICE_ORDER of {name_of(Path(__file__))}: {', '.join(unknown)}"


def test_the_service_imports_only_downwards() -> None:
    wrong = []
    for path in shipped():
        station = Path(path.relative_to(TOP / "lib/service").parts[0]).stem if side_of(path) == "service" else "__init__"
        for line, module in imports_of(path):
            target = module.removeprefix("lib.service.").partition(".")[0]
            if station not in SERVICE_ORDER or not module.startswith("lib.service.") or target not in {*SERVICE_ORDER} - {station}:
                continue
            if SERVICE_ORDER.index(target) < SERVICE_ORDER.index(station):
                wrong.append(f"{name_of(path)}:{line}: {station} may not import {target}, which stands above it")
    assert not wrong, "\n".join(wrong)


def test_no_modules_import_each_other_in_a_circle() -> None:
    below = {module_of(path): {module for _, module in imports_of(path) if module in our_modules()} for path in shipped()}
    finished: set[str] = set()

    def walk(module: str, road: tuple[str, ...]) -> None:
        assert module not in road, "a circle of imports: " + " → ".join((*road[road.index(module) :], module))
        if module not in finished:
            for target in sorted(below[module] - {module}):
                walk(target, (*road, module))
            finished.add(module)

    for module in sorted(below):
        walk(module, ())


def test_files_stay_short() -> None:
    lengths = {name_of(path): len(path.read_text("utf-8").splitlines()) for path in written() if not name_of(path).startswith(MIGRATIONS)}
    long = [f"{name}: {lines} lines" for name, lines in lengths.items() if lines > LONGEST_FILE]
    assert not long, f"over {LONGEST_FILE} lines:\n" + "\n".join(long)


def test_functions_stay_short() -> None:
    long = [
        f"{name_of(path)}:{node.lineno}: {node.name} has {node.end_lineno - node.lineno + 1} lines"
        for path in written()
        if not name_of(path).startswith(MIGRATIONS)
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        if node.end_lineno is not None and node.end_lineno - node.lineno + 1 > LONGEST_FUNCTION
    ]
    assert not long, f"over {LONGEST_FUNCTION} lines:\n" + "\n".join(long)


def test_no_module_is_a_drawer_for_everything() -> None:
    wrong = [name_of(path) for path in written() if FORBIDDEN_NAMES & {part.removesuffix(".py") for part in path.relative_to(TOP).parts}]
    assert not wrong, "name it for what it holds: " + ", ".join(wrong)


def test_it_is_state_and_never_status() -> None:
    """What we name ourselves; calling ``st.status`` or reading ``status_code`` is other people's word."""
    wrong = [
        f"{name_of(path)}:{line}: {name}"
        for path in shipped()
        for line, name in names_given_in(tree_of(path))
        if name == "status" or name.endswith(("_status", "Status"))
        if name_of(path) not in HTTP_ERRORS
    ]
    assert not wrong, "it is state, never status (that is HTTP's):\n" + "\n".join(wrong)


def names_given_in(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """(line, name) of every class, function, argument, variable and attribute the file defines."""
    for node in ast.walk(tree):
        match node:
            case ast.ClassDef(name=name) | ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                yield node.lineno, name
            case ast.arg(arg=name):
                yield node.lineno, name
            case ast.Name(id=name, ctx=ast.Store()) | ast.Attribute(attr=name, ctx=ast.Store()):
                yield node.lineno, name


def test_no_file_names_a_package_registry() -> None:
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], cwd=TOP, capture_output=True, check=True
    ).stdout
    texts = {name: (TOP / name).read_bytes().lower() for name in listed.decode().split("\0") if (TOP / name).is_file()}
    wrong = [f"{name}: {host}" for name, text in texts.items() for host in REGISTRY_HOSTS if host.encode() in text]
    assert not wrong, "the installer knows its registry; we name none:\n" + "\n".join(wrong)
