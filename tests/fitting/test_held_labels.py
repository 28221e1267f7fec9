"""What bounds say of a label is in its error, and in those of the others."""

import astropy.units as u
import numpy as np
import pytest

from spectragan import FitQualityWarning, ParameterFitter, SpectrumEmulator


@pytest.mark.parametrize("width", [0.0, 1e-9])
def test_a_held_label_makes_the_errors_of_others_conditional(width, emulator, stars):
    labels, covariance = ParameterFitter(emulator).predict(stars[:5], return_cov=True)
    held = float(labels[0, 1])
    fitter = ParameterFitter(emulator, bounds={"logg": (held - width, held + width)})
    found, std = fitter.predict(stars[:1], return_std=True)
    np.testing.assert_allclose(found[0], labels[0], rtol=1e-3, atol=1e-3)
    inner = np.linalg.inv(np.linalg.inv(covariance[0])[np.ix_([0, 2], [0, 2])])
    np.testing.assert_allclose(std[0, [0, 2]], np.sqrt(np.diagonal(inner)), rtol=0.02)
    assert std[0, 1] <= width
    assert not fitter.fit_table(stars[:1])["degenerate"][0]
    assert np.isfinite(fitter.prior_transform([0.5, 0.5, 0.5])).all()


def test_a_label_that_shows_nowhere_is_degenerate(mock, named, emulator, stars):
    labels = named(mock.labels_synthetic)
    labels["silent"] = np.random.default_rng(0).uniform(0, 1, len(labels))
    own = SpectrumEmulator(8, random_state=0, verbose=0).fit(labels, mock.synthetic)
    noisy = stars[:20].with_flux(stars[:20].flux, stars[:20].ivar / 1e6, "known")
    with pytest.warns(FitQualityWarning, match="is at a bound"):
        table = ParameterFitter(own).fit_table(noisy)
    assert table["degenerate"].all()
    low, high = own.label_range_
    for name, width in zip(own.label_names_, high - low, strict=True):
        assert (table[f"{name}_err"].value <= width).all(), "no error exceeds what is allowed"
    assert not ParameterFitter(emulator).fit_table(stars[:20])["degenerate"].any()


@pytest.mark.parametrize(
    "pair",
    [
        (-50 * u.km / u.s, 50 * u.km / u.s),
        [-50, 50] * u.km / u.s,
        (-50000, 50000) * u.m / u.s,
    ],
)
def test_bounds_and_priors_may_have_units(pair, emulator, stars):
    fitter = ParameterFitter(
        emulator,
        nuisances=["velocity"],
        bounds={"velocity": pair, "teff": (4.5 * u.kK, 6500)},
        priors={"velocity": (0, 5000) * u.m / u.s},
    )
    fitter.fit()
    theta = fitter.prior_transform(np.array([[1e-9] * 4, [1 - 1e-9] * 4]))
    np.testing.assert_allclose(theta[:, 0], [4500, 6500], rtol=1e-6)
    assert -50 <= theta[0, 3] < -25
    assert 25 < theta[1, 3] <= 50


@pytest.mark.parametrize("argument", ["bounds", "priors"])
def test_units_that_do_not_convert_are_named(argument, emulator):
    with pytest.raises(ValueError, match=f"`{argument}` of 'teff' must be two numbers, in K"):
        ParameterFitter(emulator, **{argument: {"teff": (1, 2) * u.km}}).fit()


def test_bounds_that_leave_no_pixel_are_refused(emulator):
    bounds = {"velocity": (-50000, 50000)}
    with pytest.raises(ValueError, match=r"`bounds` of velocity .* must leave pixels"):
        ParameterFitter(emulator, nuisances=["velocity"], bounds=bounds).fit()


def test_errors_of_no_broadening_are_where_chi_square_rises_by_one(emulator, stars):
    fitter = ParameterFitter(emulator, nuisances=["broadening"])
    table = fitter.fit_table(stars[:12])
    value, error = (table[name].value for name in ("broadening", "broadening_err"))
    assert np.isfinite(error).all()
    sharp = np.flatnonzero(value == 0)
    assert len(sharp) >= 3
    held = []
    for i in sharp[:3]:  # by a prior: bounds would change which pixels are used
        prior = {"broadening": (error[i], 1e-4)}
        one = ParameterFitter(emulator, nuisances=["broadening"], priors=prior)
        held.append(one.fit_table(stars[i : i + 1])["chi2"][0])
    np.testing.assert_allclose(held - table["chi2"][sharp[:3]], 1, atol=0.35)
