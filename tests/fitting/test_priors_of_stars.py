"""Priors of each star: catalogues of parallaxes, asteroseismology, photometry, known velocities."""

import pickle

import astropy.units as u
import numpy as np
import pandas as pd
import pytest
from astropy.table import MaskedColumn

from spectragan import MissingLabelWarning, ParameterFitter, load
from spectragan.fitting.priors import Prior, priors_of_stars

N = 12


@pytest.fixture(scope="module")
def logg(truth):
    """Return what a catalogue knows of log g, far better than the spectra do."""
    return truth[:N, 1], np.full(N, 0.01)


@pytest.fixture(scope="module")
def one_by_one(emulator, stars, logg):
    """Return labels and errors of one fitter per star."""
    fits = [
        ParameterFitter(emulator, priors={"logg": pair}).predict(stars[i : i + 1], return_std=True)
        for i, pair in enumerate(zip(*logg, strict=True))
    ]
    return np.vstack([fit[0] for fit in fits]), np.vstack([fit[1] for fit in fits])


@pytest.mark.parametrize("chunk_size", [5, 512])
def test_stars_get_their_own_priors(chunk_size, emulator, stars, logg, one_by_one):
    fitter = ParameterFitter(emulator, priors={"logg": logg}, chunk_size=chunk_size)
    found = fitter.predict(stars[:N], return_std=True)
    for values, expected in zip(found, one_by_one, strict=True):
        np.testing.assert_allclose(values, expected, rtol=1e-4)
    later = ParameterFitter(emulator, chunk_size=chunk_size).fit()
    for values, expected in zip(
        later.predict(stars[:N], return_std=True, priors={"logg": logg}), found, strict=True
    ):
        np.testing.assert_allclose(values, expected, rtol=1e-6)
    table = later.fit_table(stars[:N], priors={"logg": logg})
    np.testing.assert_allclose(table["logg"], found[0][:, 1], rtol=1e-6)


def test_stars_without_a_prior_are_fitted_without(emulator, stars, logg):
    mean, error = (np.array(values) for values in logg)
    mean[0], error[1], error[2] = np.nan, np.inf, np.nan
    fitter = ParameterFitter(emulator).fit()
    free, known = fitter.predict(stars[:N]), fitter.predict(stars[:N], priors={"logg": logg})
    found = fitter.predict(stars[:N], priors={"logg": (mean, error)})
    np.testing.assert_allclose(found[:3], free[:3], rtol=1e-6)
    np.testing.assert_allclose(found[3:], known[3:], rtol=1e-6)


@pytest.mark.parametrize("kind", [list, pd.Series, MaskedColumn, u.Quantity])
def test_columns_of_any_kind_are_priors(kind, logg):
    result = priors_of_stars({"logg": tuple(map(kind, logg))}, ["teff", "logg"], N)
    np.testing.assert_allclose(result[:, 0, 1], logg[0])
    np.testing.assert_allclose(result[:, 1, 1], 1e4)
    assert (result[:, :, 0] == 0).all()


def test_masked_values_and_units_are_understood():
    kelvin = np.ma.masked_array([5000, 6000], [False, True])
    found = priors_of_stars({"teff": (kelvin, 0.1 * u.kK)}, ["teff"], 2)
    np.testing.assert_allclose(found[:, 0, 0], [5000, 0])
    np.testing.assert_allclose(found[:, 1, 0], [1e-4, 0])
    missing = pd.Series([5000, None], dtype="Int64")
    assert priors_of_stars({"teff": (missing, 100.0)}, ["teff"], 2)[1, 1, 0] == 0


def test_codes_of_catalogues_are_no_priors():
    with pytest.warns(MissingLabelWarning, match="-9999"):
        found = priors_of_stars({"logg": ([4.0, -9999.0, 4.4], 0.1)}, ["logg"], 3)
    np.testing.assert_allclose(found[:, 1, 0], [100, 0, 100])


WRONG = [
    ({"logg": (np.ones(5), 0.1)}, "of which there are 12"),
    ({"logg": (np.ones((N, 2)), 0.1)}, r"got shapes \(12, 2\)"),
    ({"logg": (np.ones(N), -np.ones(N))}, "> 0; got -1 at row 0"),
    ({"logg": (np.ones(N), np.zeros(N))}, "hold a label by `bounds`"),
    ({"logg": np.ones(N)}, "or arrays of one for each star"),
    ({"logg": (np.ones(N) * u.km, 1.0)}, "in km"),
    ({"logg": (["a"] * N, 1.0)}, "must be means and standard deviations"),
    ({"vsini": (np.ones(N), 1.0)}, "got 'vsini'"),
]


@pytest.mark.parametrize(("priors", "words"), WRONG)
def test_mistakes_are_told_in_one_sentence(priors, words, emulator, stars):
    for call in (
        lambda: ParameterFitter(emulator, priors=priors).predict(stars[:N]),
        lambda: ParameterFitter(emulator).fit().predict(stars[:N], priors=priors),
    ):
        with pytest.raises(ValueError, match=words) as caught:
            call()
        assert "\n" not in str(caught.value)


def test_a_catalogue_of_the_same_stars_in_another_order_is_refused(emulator, stars, logg):
    frame = pd.DataFrame(stars.flux[:N], index=[f"star {i}" for i in range(N)])
    mean = pd.Series(logg[0], index=frame.index)
    fitter = ParameterFitter(emulator).fit()
    fitter.predict(frame, priors={"logg": (mean, 0.01)})
    with pytest.raises(ValueError, match="same stars row by row"):
        fitter.predict(frame, priors={"logg": (mean[::-1], 0.01)})


def test_dask_blocks_get_the_priors_of_their_stars(emulator, stars, logg):
    da = pytest.importorskip("dask.array")
    flux = np.asarray(stars.flux[:N])
    fitter = ParameterFitter(emulator).fit()
    known = {"logg": logg}
    expected = fitter.predict(flux, return_std=True, priors=known)
    blocks = da.from_array(flux, chunks=(5, -1))
    found = fitter.predict(blocks, return_std=True, priors=known)
    for values, wanted in zip(found, expected, strict=True):
        np.testing.assert_allclose(values.compute(), wanted, rtol=1e-6)
    table = fitter.fit_table(blocks, priors=known)
    np.testing.assert_allclose(table["logg"], expected[0][:, 1], rtol=1e-6)
    with pytest.raises(ValueError, match="compute_chunk_sizes"):
        fitter.predict(blocks[blocks[:, 0] > 0], priors=known)


def test_posteriors_hold_each_stars_prior(emulator, stars, truth, logg):
    theta = truth[:N] + np.array([0, 0.02, 0])
    plain, fitter = ParameterFitter(emulator), ParameterFitter(emulator, priors={"logg": logg})
    fitter = pickle.loads(pickle.dumps(fitter))
    difference = fitter.log_prob(theta, stars[:N]) - plain.log_prob(theta, stars[:N])
    np.testing.assert_allclose(difference, -0.5 * 2**2, rtol=1e-6)
    likelihood = fitter.log_prob(theta, stars[:N], include_prior=False)
    np.testing.assert_allclose(likelihood, plain.log_prob(theta, stars[:N], include_prior=False))
    with pytest.raises(ValueError, match="`priors` of 'logg'"):
        fitter.prior_transform([0.5, 0.5, 0.5])
    one = ParameterFitter(emulator, priors={"logg": ([3.0], [0.1])})
    assert one.prior_transform([0.5, 0.5, 0.5])[1] == pytest.approx(3.0, abs=0.01)


def test_changed_priors_are_seen(emulator, stars, logg):
    mean = np.array(logg[0])
    fitter = ParameterFitter(emulator, priors={"logg": (mean, 1e-3)})
    before = fitter.predict(stars[:N])
    mean += 0.1
    np.testing.assert_allclose(fitter.predict(stars[:N])[:, 1] - before[:, 1], 0.1, atol=0.01)


def test_saved_fitters_keep_priors(emulator, stars, logg, tmp_path):
    fitter = ParameterFitter(emulator, priors={"logg": logg}).fit()
    fitter.save(tmp_path / "fitter")
    again = load(tmp_path / "fitter").predict(stars[:N])
    np.testing.assert_allclose(again, fitter.predict(stars[:N]), rtol=1e-6)


def test_calibration_leaves_priors_of_stars_out(emulator, stars, truth, logg):
    fitter = ParameterFitter(emulator, priors={"logg": logg}).fit(stars[:60], truth[:60])
    plain = ParameterFitter(emulator).fit(stars[:60], truth[:60])
    np.testing.assert_allclose(fitter.err_inflation_, plain.err_inflation_)


def test_a_prior_chooses_the_basin(emulator, stars):
    """A penalty on the grid of starts is that of the formula."""
    import torch

    rng = np.random.default_rng(0)
    mean, grid = rng.normal(4000, 100, (3, 2)), rng.normal(4000, 100, (5, 2))
    precision = np.array([np.diag(values) for values in rng.random((3, 2))])
    prior = Prior(torch.as_tensor(mean), torch.as_tensor(precision))
    offset = grid[None] - mean[:, None]
    expected = np.einsum("ngi,nij,ngj->ng", offset, precision, offset)
    np.testing.assert_allclose(prior.on_grid(torch.as_tensor(grid)), expected)
