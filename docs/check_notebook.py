"""Run the cells of a notebook, in order, as a reader would who downloads it from the gallery.

Run it as ``python docs/check_notebook.py docs/gallery/plot_quickstart.ipynb``. Cells are plain
Python, run in one name space and in a folder of their own; Jupyter isn't needed. Networks train
for two epochs, enough to see that it runs: the script that the notebook is made of is run in full
elsewhere. It ends with 1 at the first cell that fails, and says which.
"""

import argparse
import json
import os
import sys
import time
import traceback
from collections.abc import Callable
from contextlib import chdir
from functools import wraps
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

FEW_EPOCHS = 2


def code_cells(notebook: Path) -> list[str]:
    """Return the code of a notebook, cell by cell."""
    cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    return ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]


def run_cells(cells: list[str]) -> str | None:
    """Run cells in one name space; return what is wrong with the first that fails."""
    # No __file__: a notebook has none.
    names: dict[str, Any] = {"__name__": "__main__"}
    for number, code in enumerate(cells, start=1):
        try:
            exec(compile(code, f"<cell {number}>", "exec"), names)
        except Exception:
            return f"cell {number} of {len(cells)} failed:\n{code}\n{traceback.format_exc()}"
    return None


def train_shortly() -> None:
    """Let networks train for a few epochs, whatever is asked for."""
    from spectragan import CycleGANTranslator, SpectrumEmulator

    for cls in (CycleGANTranslator, SpectrumEmulator):
        cls.fit = _shortly(cls.fit)  # type: ignore[method-assign]


def _shortly(fit: Callable) -> Callable:
    @wraps(fit)
    def fit_shortly(self: Any, *args: Any, **kwargs: Any) -> Any:
        return fit(self.set_params(max_epochs=FEW_EPOCHS, verbose=0), *args, **kwargs)

    return fit_shortly


def main(arguments: list[str] | None = None) -> int:
    """Run a notebook and say how it went; 1 if a cell failed."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("notebook", type=Path, help="an .ipynb file of the built gallery")
    notebook = parser.parse_args(arguments).notebook.resolve()
    if not notebook.is_file():
        parser.error(f"`notebook` must be a file; got {notebook}; build the documentation first.")
    os.environ.setdefault("MPLBACKEND", "Agg")
    train_shortly()
    cells, start = code_cells(notebook), time.perf_counter()
    with TemporaryDirectory() as folder, chdir(folder):
        problem = run_cells(cells)
        figures = sorted(path.name for path in Path(folder).glob("*.png"))
    if problem is None and not figures:
        problem = "no cell has written a figure"
    print(problem or f"{len(cells)} cells in {time.perf_counter() - start:.0f} s: {figures}")
    return problem is not None


if __name__ == "__main__":
    sys.exit(main())
