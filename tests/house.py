"""Print the figures of the house: files, folders, what a call enters, circles.

Usage, from the root of the repository: ``python tests/house.py``. `test_architecture.py` holds the
limits.
"""

import ast
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "spectragan"


def python_files() -> list[Path]:
    return sorted(PACKAGE.rglob("*.py"))


def docstring_lines(tree: ast.AST) -> set[int]:
    kinds = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef
    return {
        line
        for node in ast.walk(tree)
        if isinstance(node, kinds) and ast.get_docstring(node)
        for line in range(node.body[0].lineno, node.body[0].end_lineno + 1)
    }


def code_lines(path: Path) -> int:
    """Count the lines of a file that are neither docstring, comment nor blank."""
    text = path.read_text()
    documented = docstring_lines(ast.parse(text))
    return sum(
        line not in documented and bool(words.strip()) and not words.strip().startswith("#")
        for line, words in enumerate(text.splitlines(), 1)
    )


def functions(path: Path) -> Iterator[tuple[str, int]]:
    """Yield the name and length of every function, without its docstring."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            first = node.body[1] if ast.get_docstring(node) and node.body[1:] else node.body[0]
            yield node.name, node.end_lineno - first.lineno + 1


def file_of(module: str) -> Path | None:
    """Return the file of a module of the package."""
    stem = PACKAGE.joinpath(*module.split(".")[1:])
    found = [p for p in (stem.with_suffix(".py"), stem / "__init__.py") if p.is_file()]
    return found[0] if found else None


def names_imported(path: Path) -> Iterator[tuple[str, str]]:
    """Yield the module and the name of everything that a file imports from the package."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("spectragan"):
            yield from ((node.module, alias.name) for alias in node.names)


def home_of(module: str, name: str) -> Path | None:
    """Return the file that a name is written in, where packages hand on those of their files."""
    file = file_of(f"{module}.{name}") or file_of(module)
    if file is None or file.name != "__init__.py" or file.parent == PACKAGE:
        return file
    handed_on = {own: source for source, own in names_imported(file)}
    return home_of(handed_on[name], name) if name in handed_on else file


def arrows() -> dict[Path, set[Path]]:
    """Return which files of the package each file imports, at import or later."""
    found = {p: {home_of(*pair) for pair in names_imported(p)} for p in python_files()}
    return {path: targets - {path, None} for path, targets in found.items()}


def in_circles(graph: dict[Path, set[Path]]) -> list[Path]:
    """Return the files from which imports lead back to themselves."""
    return [file for file in graph if file in reached(graph, graph[file])]


def reached(graph: dict[Path, set[Path]], start: set[Path]) -> set[Path]:
    """Return all files that imports lead to."""
    seen: set[Path] = set()
    waiting = set(start)
    while waiting:
        file = waiting.pop()
        seen.add(file)
        waiting |= graph.get(file, set()) - seen
    return seen


def imported_once() -> list[Path]:
    """Return the files that exactly one other imports; packages' faces don't count as one."""
    graph = {file: targets for file, targets in arrows().items() if file.name != "__init__.py"}
    times = Counter(target for targets in graph.values() for target in targets)
    return [file for file, n in times.items() if n == 1 and file.name != "__init__.py"]


def entered(call: Callable[[], Any]) -> set[str]:
    """Run a call, and return the files of the package whose functions ran."""
    files: set[str] = set()

    def note(frame: Any, event: str, _: Any) -> None:
        # What a file does when it is first imported isn't part of a call.
        if event == "call" and frame.f_code.co_name != "<module>":
            files.add(frame.f_code.co_filename)

    sys.setprofile(note)
    try:
        call()
    finally:
        sys.setprofile(None)
    return {file for file in files if file.startswith(str(PACKAGE))}


def calls() -> Iterator[tuple[str, int]]:
    """Yield the calls that a newcomer reads first, and how many files each enters."""
    from spectragan import CycleGANTranslator, ParameterFitter, SpectrumEmulator, tsne_gap
    from spectragan.datasets import make_mock_domains

    mock = make_mock_domains(120, 120, n_pixels=60, random_state=0)
    gan = CycleGANTranslator(max_epochs=2, warmup_epochs=1, random_state=0, verbose=0)
    yield "fit", len(entered(lambda: gan.fit(mock.synthetic, mock.observed)))
    emulator = SpectrumEmulator(max_epochs=2, random_state=0, verbose=0)
    fitter = ParameterFitter(emulator.fit(mock.labels_synthetic, mock.synthetic), verbose=0)
    yield "predict", len(entered(lambda: fitter.predict(mock.synthetic)))
    maps = len(entered(lambda: tsne_gap(gan, mock.synthetic, mock.observed, random_state=0)))
    yield "tsne_gap", maps


def complexity_findings() -> int:
    """Count the functions that ruff finds too complex."""
    command = ["ruff", "check", "--select", "C901", "--output-format", "concise", str(PACKAGE)]
    found = subprocess.run(command, capture_output=True, text=True, check=False)
    return found.stdout.count("C901")


def main() -> None:
    sys.path.insert(0, str(ROOT))
    import spectragan

    files = python_files()
    folders = Counter(file.parent for file in files)
    names = sum(len(__import__(m, fromlist=["x"]).__all__) for m in FACES)
    lengths = [length for file in files for _, length in functions(file)]
    rows = {
        "files": len(files),
        "largest folder": max(folders.values()),
        f"files per public name ({names})": round(len(files) / names, 2),
        **{f"files that {name} enters": n for name, n in calls()},
        "files imported by exactly one other": len(imported_once()),
        "lines of code": sum(map(code_lines, files)),
        "functions over 40 lines": sum(length > 40 for length in lengths),
        "complexity findings": complexity_findings(),
        "files in a circle": len(in_circles(arrows())),
    }
    for what, value in rows.items():
        print(f"{what:40} {value}")
    del spectragan


FACES = (
    "spectragan",
    "spectragan.datasets",
    "spectragan.diagnostics",
    "spectragan.interop",
    "spectragan.networks",
)

if __name__ == "__main__":
    main()
