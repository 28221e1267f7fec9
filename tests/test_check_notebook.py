"""The check of notebooks runs their cells as a reader would, and says which one fails."""

import importlib.util
import json
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[1] / "docs" / "check_notebook.py"
WRITE = "import pathlib\n_ = pathlib.Path('a.png').write_bytes(b'')\n"


@pytest.fixture
def script(monkeypatch):
    spec = importlib.util.spec_from_file_location("check_notebook", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.setattr(module, "train_shortly", lambda: None)  # it would last for all tests
    return module


def write(folder, *cells):
    notebook = {"cells": [{"cell_type": kind, "source": text} for kind, text in cells]}
    path = folder / "a.ipynb"
    path.write_text(json.dumps(notebook))
    return str(path)


def test_cells_share_names_and_run_in_order_in_a_folder_of_their_own(script, tmp_path, capsys):
    cells = [("code", ["x = 1\n", "y = 2"]), ("markdown", "no code"), ("code", WRITE + "x + y")]
    assert script.main([write(tmp_path, *cells)]) == 0
    assert "2 cells in" in capsys.readouterr().out
    assert not (tmp_path / "a.png").exists()


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("1 / 0", "cell 2 of 2 failed:\n1 / 0\nTraceback"),
        ("print(__file__)", "NameError"),
        ("%matplotlib inline", "SyntaxError"),
        ("pass", "no cell has written a figure"),
    ],
)
def test_what_a_reader_would_stumble_over_is_told(script, tmp_path, capsys, code, words):
    assert script.main([write(tmp_path, ("code", "x = 1"), ("code", code))]) == 1
    assert words in capsys.readouterr().out


def test_a_missing_notebook_is_refused_in_one_sentence(script, tmp_path, capsys):
    with pytest.raises(SystemExit):
        script.main([str(tmp_path / "none.ipynb")])
    assert "`notebook` must be a file; got" in capsys.readouterr().err
