"""The house: imports go down, rooms of one floor do not know each other, faces are thin."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

HOUSE = Path(__file__).parents[1] / "src" / "m1"

FLOORS = [
    ["answers", "counts", "errors", "readings", "steps"],
    ["values", "pretty", "progress", "longwork", "metrics", "wire", "advice"],
    ["jsontext", "environments", "query"],
    ["paths", "caller", "client", "patience"],
    ["terms", "transfer", "simulate"],
    ["engine"],
    ["catalog", "embedded", "opensearch"],
    ["access"],
    ["api"],
    ["console"],
    ["server"],
    ["cli"],
    ["__main__"],
]
"""From the ground up; `m1` itself (the version) lies under all."""

FLOOR_OF = {room: number for number, rooms in enumerate(FLOORS) for room in rooms}
FILES = sorted(HOUSE.rglob("*.py"))


def module_of(file: Path) -> str:
    parts = file.relative_to(HOUSE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_of(file): file for file in FILES}


def imports_of(file: Path) -> Iterator[str]:
    """Yield the modules of ours that a file imports, wherever in the file it does."""
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{file} has a relative import"
            module = node.module or ""
            within = [f"{module}.{alias.name}" for alias in node.names]
            names = [name if name in MODULES else module for name in within]
        else:
            continue
        yield from (name for name in names if name.split(".")[0] == "m1")


def room_of(module: str) -> str:
    return module.split(".")[1] if "." in module else ""


@pytest.mark.parametrize("file", FILES, ids=module_of)
def test_imports_go_down(file: Path) -> None:
    room = room_of(module_of(file))
    if not room:
        return
    for module in imports_of(file):
        other = room_of(module)
        if other and other != room:
            assert FLOOR_OF[other] < FLOOR_OF[room], f"{room} must not know {other}"


def test_no_module_is_part_of_an_import_circle() -> None:
    faces = {name for name, file in MODULES.items() if file.name == "__init__.py"}
    below = {name: set(imports_of(file)) - faces for name, file in MODULES.items()}
    done: set[str] = set()
    while below:
        free = {name for name, needs in below.items() if needs <= done}
        assert free, f"a circle is among {sorted(below)}"
        done |= free
        below = {name: needs for name, needs in below.items() if name not in free}


def test_nothing_is_imported_for_types_alone() -> None:
    for file in FILES:
        assert "TYPE_CHECKING" not in file.read_text(), file


@pytest.mark.parametrize(
    "face", [file for file in FILES if file.name == "__init__.py"], ids=module_of
)
def test_a_folders_face_is_a_docstring_imports_and_names(face: Path) -> None:
    text = face.read_text()
    assert len(text.splitlines()) < 40
    for node in ast.parse(text).body:
        is_plain = isinstance(node, (ast.Expr, ast.Import, ast.ImportFrom, ast.Assign))
        is_lazy = isinstance(node, ast.FunctionDef) and node.name == "__getattr__"
        assert is_plain or (is_lazy and face.parent == HOUSE), face


@pytest.mark.parametrize("file", FILES, ids=module_of)
def test_every_file_says_what_it_is_for(file: Path) -> None:
    said = ast.get_docstring(ast.parse(file.read_text()))
    assert said
    assert len(said.splitlines()[0]) <= 100


def test_the_cores_touch_no_file_socket_clock_or_chance() -> None:
    edges = {"os", "socket", "time", "random", "secrets", "sqlite3", "asyncio", "pathlib", "uuid"}
    pure = ["values", "jsontext", "paths", "terms", "query", "engine", "catalog"]
    cores = [file for file in FILES if room_of(module_of(file)) in pure]
    cores += [HOUSE / "embedded" / name for name in ("index.py", "columns.py", "search.py")]
    cores += [HOUSE / "simulate" / name for name in ("site.py", "visitors.py", "pace.py")]
    for file in cores:
        for node in ast.walk(ast.parse(file.read_text())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            assert not edges & set(names), f"{file} imports {names}"


def test_the_command_starts_without_the_server() -> None:
    heavy = {"m1.server", "m1.api", "m1.embedded", "falcon", "uvicorn", "numpy", "msgspec"}
    heavy |= {"m1.client", "httpx", "m1.metrics", "prometheus_client"}
    code = "import sys, m1.cli; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
    assert not heavy & set(loaded.stdout.decode().split())


def test_segments_are_made_without_the_engine() -> None:
    """A process is started for each segment: what it does not need costs time with every one."""
    heavy = {"m1.embedded.engine", "m1.metrics", "prometheus_client", "asyncio"}
    code = "import sys, m1.embedded.build; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
    assert not heavy & set(loaded.stdout.decode().split())


def test_only_the_cluster_is_called() -> None:
    """A server has no outward calls that a client could turn on somebody else."""
    callers = {"aiohttp", "httpx", "opensearchpy", "requests", "http.client", "urllib.request"}
    found = set()
    for file in FILES:
        names = {
            name
            for node in ast.walk(ast.parse(file.read_text()))
            for name in _imported(node)
            if name in callers
        }
        if names:
            found.add(room_of(module_of(file)))
    assert found == {"caller", "client", "opensearch"}
    for file in FILES:
        if room_of(module_of(file)) in ("access", "api", "catalog", "embedded", "server"):
            assert not {"caller", "client"} & set(map(room_of, imports_of(file))), file


def _imported(node: ast.AST) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    return [node.module or ""] if isinstance(node, ast.ImportFrom) else []
