"""Files of every format version there has been still load, and give the numbers they gave."""

import json
import warnings
from pathlib import Path

import numpy as np
import pytest

from spectragan import SpectraganWarning, load, model_card
from spectragan.files.layout import FORMAT_VERSION

FOLDER = Path(__file__).parent / "data"
FILES = sorted(FOLDER.glob("v*_*.safetensors"))
TOLERANCE = 1e-9  # other processors round differently
LARGEST = 50_000  # bytes


def test_every_format_version_has_its_files():
    versions = {int(path.name[1 : path.name.index("_")]) for path in FILES}
    assert versions == set(range(1, FORMAT_VERSION + 1))
    assert all(path.stat().st_size < LARGEST for path in FILES)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_old_file_gives_the_recorded_numbers(path, domains):
    version, name = path.stem.split("_", 1)
    recorded = json.loads((FOLDER / f"{version}_answers.json").read_text())[name]
    labels, _, observed = domains
    model = load(path)
    assert type(model).__name__ == name
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SpectraganWarning)
        if name in ("ObservedEmulator", "SpectrumEmulator"):
            found = model.predict(labels[:3])
        elif hasattr(model, "transform"):
            found = model.transform(observed[:3]).filled()
        else:
            found = model.predict(observed[:3])
    np.testing.assert_allclose(found, recorded, rtol=TOLERANCE, atol=TOLERANCE)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_old_file_has_a_card(path):
    assert model_card(path).startswith(f"# {path.stem.split('_', 1)[1]}\n")
