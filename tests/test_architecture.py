"""The house, proven: imports point left and in no circle, files and folders stay short."""

import ast
import sys
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import pytest
from house import PACKAGE, ROOT, arrows, code_lines, functions, in_circles, python_files

import spectragan

# The order of the packages: each may import those in the groups before its own. Packages of one
# group don't see each other.
ORDER = (
    ("exceptions", "rules"),
    ("files",),  # models as files: it knows classes by their names alone
    ("spectra", "label_checks"),
    ("training", "labels"),
    ("emulator", "starnet", "interop"),
    ("translator",),
    ("fitting", "lines"),
    ("diagnostics",),
)
LEFT_OF = {
    part: {left for group in ORDER[:index] for left in group}
    for index, group in enumerate(ORDER)
    for part in group
}
LEFT_OF["datasets"] = {"spectra", "labels", "rules", "exceptions"}
LEFT_OF["versions"] = set()
LEFT_OF["__main__"] = {"datasets", "diagnostics", "spectra", "translator", "versions"}
LEFT_OF["networks"] = {"translator"}  # the public face of the translator's networks

# What each part may import from elsewhere, beside the standard library.
SCIENCE = {"numpy", "scipy", "sklearn"}
GEAR = SCIENCE | {"torch", "skorch", "tqdm", "astropy"}
OUTSIDE = {
    # tqdm: reading thousands of files takes a while, and the bar says that it goes on.
    # dask and h5py: spectra over their arrays are computed together, and found again.
    "spectra": SCIENCE | {"astropy", "specutils", "tqdm", "dask", "h5py"},
    "label_checks": SCIENCE | {"astropy"},
    "labels": SCIENCE | {"astropy"},
    "training": GEAR | {"dask"},
    "emulator": GEAR,
    "starnet": GEAR | {"dask"},
    # torch and JAX: to differentiate a user's function, if that is written in one of them.
    "interop": SCIENCE | {"astropy", "torch", "jax"},
    "translator": GEAR,
    "fitting": GEAR | {"dask"},
    "lines": SCIENCE | {"astropy"},
    "diagnostics": SCIENCE | {"astropy", "openTSNE", "matplotlib", "bokeh"},
    "datasets": SCIENCE | {"astropy"},
    "exceptions": set(),
    "rules": {"numpy"},
    "versions": set(),
    "__main__": SCIENCE,
    "networks": set(),
    # torch and skorch: for networks, inside functions, since `spectra` never sees them.
    "files": SCIENCE | {"astropy", "torch", "skorch"},
}
# Inside a package, what works on tensors alone sees no training, and no estimator is gear.
RANKS = ("network", "training", "estimator")

# Imported only inside the function that needs them: most users never call it.
LATE = {"bokeh", "dask", "h5py", "jax", "specutils", "matplotlib", "openTSNE", "pandas"}

MAX_CODE_LINES = 300  # of a file; docstrings, comments and blank lines are not counted
MAX_FILES = 21  # of a folder
MAX_FUNCTION_LINES = 40  # without its docstring; about 10 is normal


class Imported(NamedTuple):
    """One imported module: its dotted name, its line, and whether import of the file runs it."""

    name: str
    line: int
    at_import: bool


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


def test_every_part_of_the_package_has_a_rule():
    parts = {part_of(path) for path in python_files()} - {"__init__"}
    assert parts == set(LEFT_OF) == set(OUTSIDE), "a new part needs its place among the packages"


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


def rank_of(path: Path) -> int | None:
    """Return how far right in its package a file stands, or None where names don't say it."""
    words = [part.removesuffix("s") for part in path.relative_to(PACKAGE).with_suffix("").parts[1:]]
    ranks = [RANKS.index(word) for word in words if word in RANKS]
    return ranks[0] if ranks else None


@lru_cache
def graph() -> dict[Path, set[Path]]:
    return arrows()


def test_there_is_no_circle_of_files():
    circle = [str(file.relative_to(PACKAGE)) for file in in_circles(graph())]
    assert not circle, f"these files import each other: {circle}"


def test_estimators_see_training_and_training_sees_networks(path):
    rank = rank_of(path)
    for target in graph()[path] if rank is not None else ():
        if part_of(target) == part_of(path) and rank_of(target) is not None:
            assert rank_of(target) <= rank, f"{path} imports {target}: not left of it"


@pytest.mark.parametrize("folder", ["spectragan", "tests", "examples", "benchmarks", "docs"])
def test_files_stay_short(folder):
    files = [p for p in (ROOT / folder).rglob("*.py") if "_build" not in p.parts]
    lengths = {str(p): code_lines(p) for p in files}
    too_long = {name: n for name, n in lengths.items() if n > MAX_CODE_LINES}
    assert not too_long, f"split these files; at most {MAX_CODE_LINES} lines of code: {too_long}"


def test_folders_stay_small():
    folders = {path.parent for path in python_files()}
    sizes = {str(f): len(list(f.glob("*.py"))) for f in folders}
    too_large = {name: n for name, n in sizes.items() if n > MAX_FILES}
    assert not too_large, f"make folders in these; at most {MAX_FILES} files: {too_large}"


def test_functions_stay_short(path):
    long = {name: n for name, n in functions(path) if n > MAX_FUNCTION_LINES}
    assert not long, f"split these functions of {path}; at most {MAX_FUNCTION_LINES} lines: {long}"


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
