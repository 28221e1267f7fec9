"""The layers, proven: imports point left, heavy packages load late, files stay short."""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

import spectragan

PACKAGE = Path(spectragan.__file__).parent
ROOT = Path(__file__).parents[1]
LAYERS = ("spectra", "networks", "training", "estimators", "diagnostics")

# What each part may import from spectragan, beside itself. `exceptions` is a leaf for all, and
# so is `persistence`, which knows classes by their names alone.
LEAVES = {"exceptions", "persistence"}
LEFT_OF = {layer: {*LAYERS[:index], *LEAVES} for index, layer in enumerate(LAYERS)}
# Networks work on tensors alone: they may not even see what is left of them.
LEFT_OF["networks"] = {"exceptions"}
LEFT_OF["training"].add("persistence")  # checkpoints are files of the same layout
LEFT_OF["datasets"] = {"spectra", "exceptions"}
LEFT_OF["exceptions"] = set()
LEFT_OF["persistence"] = {"exceptions"}

# What each part may import from elsewhere, beside the standard library.
SCIENCE = {"numpy", "scipy", "sklearn"}
OUTSIDE = {
    # tqdm: reading thousands of files takes a while, and the bar says that it goes on.
    # dask and h5py: spectra over their arrays are computed together, and found again.
    "spectra": SCIENCE | {"astropy", "specutils", "tqdm", "dask", "h5py"},
    "networks": {"torch"},
    # accelerate: processes that share a training are told of each other.
    "training": SCIENCE | {"torch", "skorch", "tqdm", "accelerate"},
    "estimators": SCIENCE | {"torch", "skorch", "tqdm", "astropy", "dask"},
    "diagnostics": SCIENCE | {"astropy", "openTSNE", "matplotlib"},
    "datasets": SCIENCE | {"astropy"},
    "exceptions": set(),
    # torch and skorch: for networks, inside functions, since `spectra` never sees them.
    "persistence": SCIENCE | {"astropy", "torch", "skorch"},
}

# Imported only inside the function that needs them: most users never call it.
LATE = {"accelerate", "dask", "h5py", "specutils", "matplotlib", "openTSNE", "pandas"}

MAX_FILE_LINES = 350
MAX_FUNCTION_LINES = 60  # without its docstring; about 10 is normal, above 40 is rare


class Imported(NamedTuple):
    """One imported module: its dotted name, its line, and whether import of the file runs it."""

    name: str
    line: int
    at_import: bool


def python_files() -> list[Path]:
    return sorted(PACKAGE.rglob("*.py"))


def part_of(path: Path) -> str:
    """Name the layer or top-level module that a file of the package belongs to."""
    return path.relative_to(PACKAGE).with_suffix("").parts[0]


def is_type_checking(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test)


def imports_in(node: ast.AST, at_import: bool = True) -> Iterator[Imported]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Import):
            yield from (Imported(a.name, child.lineno, at_import) for a in child.names)
        elif isinstance(child, ast.ImportFrom):
            assert child.level == 0, f"line {child.lineno}: imports must be absolute"
            # `from spectragan import networks` imports the layer, not only the root.
            names = [f"{child.module}.{a.name}" for a in child.names]
            is_root = child.module == "spectragan"
            yield from (Imported(n, child.lineno, at_import) for n in names if is_root)
            yield from [] if is_root else [Imported(child.module, child.lineno, at_import)]
        else:
            is_function = isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
            late = is_function or is_type_checking(child)
            yield from imports_in(child, at_import and not late)


def imports_of(path: Path) -> list[Imported]:
    return list(imports_in(ast.parse(path.read_text())))


@pytest.fixture(params=python_files(), ids=lambda p: str(p.relative_to(PACKAGE)))
def path(request) -> Path:
    return request.param


def test_every_layer_exists():
    assert {p.name for p in PACKAGE.iterdir() if (p / "__init__.py").is_file()} >= set(LAYERS)


def test_every_part_of_the_package_has_a_rule():
    parts = {part_of(path) for path in python_files()} - {"__init__"}
    assert parts == set(LEFT_OF) == set(OUTSIDE), "a new part needs its place among the layers"


def test_no_module_has_the_name_of_what_it_exports(path):
    # Else the name means one or the other, by the order in which they were imported.
    assert path.stem == "exceptions" or path.stem not in spectragan.__all__


def test_imports_point_left(path):
    part = part_of(path)
    allowed = LEFT_OF.get(part, set()) | {part}  # the root has its own test below
    for name, line, _ in imports_of(path):
        top, _, rest = name.partition(".")
        if top == "spectragan":
            target = rest.partition(".")[0]
            assert target in allowed, f"{path}:{line} imports {name}: not left of it"


def test_imports_from_elsewhere_fit_the_layer(path):
    allowed = OUTSIDE.get(part_of(path), set()) | set(sys.stdlib_module_names) | {"spectragan"}
    for name, line, _ in imports_of(path):
        assert name.partition(".")[0] in allowed, f"{path}:{line} imports {name}"


def is_home_of_late(path: Path) -> bool:
    """Tell whether a file is all about one late package: then it is itself imported late."""
    return path.name.startswith(tuple(f"{package.lower()}_" for package in LATE))


def late_modules() -> set[str]:
    """Name what no file may import when it is imported itself: late packages and their homes."""
    homes = {
        ".".join(("spectragan", *path.relative_to(PACKAGE).with_suffix("").parts))
        for path in python_files()
        if is_home_of_late(path)
        if {i.name.partition(".")[0] for i in imports_of(path) if i.at_import} & LATE
    }
    return homes | LATE


def test_heavy_packages_are_imported_late(path):
    late = set() if is_home_of_late(path) else late_modules()
    for name, line, at_import in imports_of(path):
        is_late = name in late or name.partition(".")[0] in late
        assert not (at_import and is_late), f"{path}:{line} imports {name}"


def test_the_root_imports_no_part_of_the_package():
    names = {i.name for i in imports_of(PACKAGE / "__init__.py")}
    assert not {n for n in names if n.startswith("spectragan")}, "public names load on first use"


@pytest.mark.parametrize("folder", ["spectragan", "tests", "examples", "benchmarks", "docs"])
def test_files_stay_short(folder):
    files = [p for p in (ROOT / folder).rglob("*.py") if "_build" not in p.parts]
    lengths = {str(p): len(p.read_text().splitlines()) for p in files}
    too_long = {name: n for name, n in lengths.items() if n > MAX_FILE_LINES}
    assert not too_long, f"split these files; at most {MAX_FILE_LINES} lines: {too_long}"


def test_functions_stay_short(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            first = node.body[1] if ast.get_docstring(node) and node.body[1:] else node.body[0]
            length = node.end_lineno - first.lineno + 1
            assert length <= MAX_FUNCTION_LINES, f"{path}:{node.lineno} {node.name}: {length} lines"


def test_no_star_imports(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom):
            assert "*" not in {a.name for a in node.names}, f"{path}:{node.lineno}"


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("import torch.nn", [("torch.nn", True)]),
        ("from spectragan import networks", [("spectragan.networks", True)]),
        ("from spectragan.spectra import Spectra", [("spectragan.spectra", True)]),
        ("def f():\n    import matplotlib", [("matplotlib", False)]),
        ("try:\n    import matplotlib\nexcept ImportError:\n    pass", [("matplotlib", True)]),
        ("class A:\n    import matplotlib", [("matplotlib", True)]),
        ("if TYPE_CHECKING:\n    import torch", [("torch", False)]),
    ],
)
def test_the_import_finder_sees(code, expected):
    assert [(i.name, i.at_import) for i in imports_in(ast.parse(code))] == expected


def test_the_import_finder_refuses_relative_imports():
    with pytest.raises(AssertionError, match="absolute"):
        list(imports_in(ast.parse("from . import x")))
