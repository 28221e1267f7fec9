"""Labels come back within their errors, whatever is done to the spectra and their form."""

import astropy.units as u
import numpy as np
import pytest
from astropy.table import Table
from scipy.optimize import least_squares

from spectragan import ParameterFitter, Spectra, SpectrumEmulator

NAMES = ("teff", "logg", "feh")


def test_predict_covers_the_truth(emulator, stars, truth):
    labels, std = ParameterFitter(emulator).predict(stars, return_std=True)
    inside = np.abs(labels - truth) <= std
    assert 0.62 < inside.mean() < 0.74  # 900 intervals: three standard deviations are 0.05
    assert (np.abs(labels - truth) < 6 * std).all()


def test_predict_finds_the_minimum_of_scipy(emulator, stars, truth, named):
    fitter = ParameterFitter(emulator)
    labels, std = fitter.predict(stars[:20], return_std=True)
    for row in range(20):
        root, flux = np.sqrt(stars.ivar[row]), stars.filled()[row]
        found = least_squares(
            lambda x, root=root, flux=flux: root * (emulator.predict(named(x[None]))[0] - flux),
            truth[row],
            jac=lambda x, root=root: root[:, None] * emulator.jacobian(named(x[None]))[0],
            bounds=emulator.label_range_,
            x_scale=std[row],
            xtol=1e-12,
            ftol=1e-14,
        )
        assert np.abs((labels[row] - found.x) / std[row]).max() < 1e-3


def test_covariance_is_that_of_the_scatter(emulator, truth, named, observe):
    same = np.repeat(emulator.predict(named(truth[:1])), 600, axis=0)
    labels, covariance = ParameterFitter(emulator).predict(
        observe(same, emulator.wavelength_, seed=3), return_cov=True
    )
    scatter, formal = np.cov(labels.T), np.median(covariance, axis=0)
    scale = np.sqrt(np.outer(np.diag(formal), np.diag(formal)))
    assert np.abs((scatter - formal) / scale).max() < 0.2


def test_masked_spectra_are_flagged_and_the_batch_goes_on(emulator, stars):
    ivar = np.array(stars.ivar[:6])
    ivar[1] = 0
    ivar[3, 3:] = 0  # as many good pixels as labels, at most
    ivar[4, 40:] = 0
    fitter = ParameterFitter(emulator)
    table = fitter.fit_table(stars[:6].with_flux(stars.flux[:6], ivar))
    lost = np.array([False, True, False, True, False, False])
    assert list(table["status"][lost]) == ["too few pixels"] * 2
    assert np.isnan(table["teff"][lost]).all()
    assert np.isnan(table["teff_err"][lost]).all()
    assert (table["status"][~lost] == "converged").all()
    whole = fitter.fit_table(stars[:6])
    np.testing.assert_allclose(table["teff"][[0, 2, 5]], whole["teff"][[0, 2, 5]], rtol=1e-6)
    assert table["teff_err"][4] > whole["teff_err"][4]


def test_all_spectra_masked_gives_a_table_of_nan(emulator, stars):
    nothing = stars[:3].with_flux(stars.flux[:3], 0 * stars.ivar[:3])
    assert np.isnan(ParameterFitter(emulator).predict(nothing)).all()


def test_unknown_errors_are_taken_from_the_residuals(emulator, stars, truth, named, observe):
    flux = emulator.predict(named(truth))
    unknown = observe(flux, emulator.wavelength_, ivar=False)
    fitter = ParameterFitter(emulator)
    (labels, std), (expected, errors) = (
        fitter.predict(s, return_std=True) for s in (unknown, stars)
    )
    assert (np.abs(labels - expected) < 1e-3 * errors).all()
    assert 0.8 < np.median(std / errors) < 1.2


def test_bounds_hold_and_are_flagged(emulator, stars, truth):
    low = float(np.median(truth[:, 0]))
    table = ParameterFitter(emulator, bounds={"teff": (low, 9000.0)}).fit_table(stars)
    cool = truth[:, 0] < low - 500
    assert (table["teff"] >= low * u.K).all()
    assert table["at_bound"][cool].all()
    warm = (truth[:, 0] > low + 500) & (truth[:, 0] < emulator.label_range_[1, 0] - 500)
    assert table["at_bound"][warm].mean() < 0.05


def test_a_prior_pulls_as_much_as_it_weighs(emulator, stars):
    plain, std = ParameterFitter(emulator).predict(stars[:20], return_std=True)
    width = float(np.median(std[:, 1]))
    fitter = ParameterFitter(emulator, priors={"logg": (2.0, width)})
    pulled, less = fitter.predict(stars[:20], return_std=True)
    share = std[:, 1] ** 2 / (std[:, 1] ** 2 + width**2)
    np.testing.assert_allclose(less[:, 1], std[:, 1] * np.sqrt(1 - share), rtol=0.2)
    assert (np.abs(pulled[:, 1] - 2.0) < np.abs(plain[:, 1] - 2.0)).all()


@pytest.mark.parametrize("ivar", [True, False])
def test_scale_of_errors_changes_no_label(emulator, stars, ivar):
    weights = 100 * stars.ivar if ivar else (stars.ivar > 0).astype(float)
    other = stars.with_flux(stars.flux, weights, "known" if ivar else "unknown")
    fitter = ParameterFitter(emulator)
    labels, std = fitter.predict(stars, return_std=True)
    assert (np.abs(fitter.predict(other) - labels) < 2e-3 * std).all()


def test_continuum_is_fitted_away(emulator, truth, named, observe):
    flux = emulator.predict(named(truth))
    shape = 1.3 + 0.2 * np.linspace(-1, 1, flux.shape[1]) ** 2
    tilted = observe(flux * shape, emulator.wavelength_, sigma=0.001)
    labels, std = ParameterFitter(emulator, nuisances=["continuum"]).predict(
        tilted, return_std=True
    )
    assert 0.62 < (np.abs(labels - truth) <= std).mean() < 0.74
    model = ParameterFitter(emulator, nuisances=["continuum"]).best_model(tilted)
    assert np.sqrt(np.mean((model.flux - flux * shape) ** 2)) < 0.001


def test_velocity_and_broadening_are_fitted(mock_lines):
    emulator, moved, velocity, broadening, truth = mock_lines
    table = ParameterFitter(
        emulator, nuisances=("velocity", "broadening"), bounds={"velocity": (-150, 150)}
    ).fit_table(moved)
    assert table["velocity"].unit == u.km / u.s
    for name, expected in (("velocity", velocity), ("broadening", broadening)):
        off = np.abs(table[name].value - expected)
        assert (off < 5 * table[f"{name}_err"].value).all()
        assert 0.5 < (off <= table[f"{name}_err"].value).mean() < 0.85
    off = np.abs(table["depth"] - truth[:, 0]) / table["depth_err"]
    assert 0.5 < (off <= 1).mean() < 0.85


@pytest.fixture(scope="module")
def mock_lines(observe):
    """Return an emulator of Gaussian lines, and stars that are moved and broadened."""
    wavelength = np.linspace(5000.0, 5100.0, 400)
    centers, width = np.linspace(5006, 5093, 12), 30.0

    def flux(labels, velocity=0.0, extra=0.0):
        beta = np.broadcast_to(velocity, len(labels))[:, None, None] / 299792.458
        wide = np.hypot(width, np.broadcast_to(extra, len(labels)))[:, None, None]
        center = centers[:, None] * np.sqrt((1 + beta) / (1 - beta))
        offset = 299792.458 * np.log(wavelength / center) / wide
        deep = np.where(np.arange(12) % 2, labels[:, :1], labels[:, 1:])[:, :, None]
        return 1 - (deep * width / wide * np.exp(-0.5 * offset**2)).sum(axis=1)

    rng = np.random.default_rng(0)
    train = Table(rng.uniform(0.1, 0.6, (200, 2)), names=("depth", "other"))
    labels = np.column_stack([train["depth"], train["other"]])
    grid = wavelength * u.AA
    emulator = SpectrumEmulator(8, verbose=0).fit(train, Spectra(flux(labels), grid, noise="exact"))
    truth = rng.uniform(0.2, 0.5, (80, 2))
    velocity, broadening = rng.uniform(-120, 120, 80), rng.uniform(10, 40, 80)
    stars = observe(flux(truth, velocity, broadening), grid, seed=1)
    return emulator, stars, velocity, broadening, truth


def test_errors_are_inflated_to_hold_the_truth(emulator, truth, named, observe):
    # A model that is wrong: lines a tenth deeper than the emulator's.
    flux = 1 + 1.1 * (emulator.predict(named(truth)) - 1)
    stars = observe(flux, emulator.wavelength_)
    half = slice(0, 150)
    formal = ParameterFitter(emulator)
    plain, std = formal.predict(stars[150:], return_std=True)
    fitter = ParameterFitter(emulator).fit(stars[half], named(truth[half]))
    labels, errors = fitter.predict(stars[150:], return_std=True)
    off = np.abs(labels - truth[150:])
    np.testing.assert_array_equal(labels, plain)
    np.testing.assert_allclose(errors, std * fitter.err_inflation_)
    assert (off <= std).mean() < 0.6
    assert 0.58 < (off <= errors).mean() < 0.78
    blind = ParameterFitter(emulator).fit(stars[half])
    assert blind.err_inflation_.min() > 1.1


def test_errors_of_a_right_model_stay_as_they_are(emulator, stars, truth):
    blind = ParameterFitter(emulator).fit(stars)
    seeing = ParameterFitter(emulator).fit(stars, truth)
    np.testing.assert_allclose(blind.err_inflation_, 1.0, atol=0.15)
    np.testing.assert_allclose(seeing.err_inflation_, 1.0, atol=0.2)
    assert (ParameterFitter(emulator, err_inflation=2.0).fit(stars).err_inflation_ == 2.0).all()


def test_fit_trains_an_emulator_of_real_spectra(stars, truth, named):
    fitter = ParameterFitter(random_state=0).fit(stars[:250], named(truth[:250]))
    assert fitter.label_names_ == NAMES
    labels, std = fitter.predict(stars[250:], return_std=True)
    off = np.abs(labels - truth[250:])
    assert (np.median(off, axis=0) < 0.2 * truth.std(axis=0)).all()
    assert 0.5 < (off <= std).mean() < 0.85
