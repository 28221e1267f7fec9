"""Many weighted fits at once equal one fit at a time."""

import numpy as np
from numpy.testing import assert_allclose

from spectragan.spectra.steps.continuum import chebyshev_basis, fit_weighted


def test_fit_weighted_equals_lstsq_row_by_row(rng):
    basis = chebyshev_basis(np.sort(rng.uniform(4000, 5000, 60)), 6)
    flux, weights = rng.normal(size=(9, 60)), rng.uniform(size=(9, 60)) * 1e30
    weights[rng.random((9, 60)) < 0.3] = 0
    fitted = fit_weighted(flux, weights, basis)
    for f, w, c in zip(flux, weights, fitted, strict=True):
        root = np.sqrt(w / w.max())
        assert_allclose(c, np.linalg.lstsq(root[:, None] * basis, root * f)[0], rtol=1e-8)


def test_fit_weighted_with_as_many_pixels_as_coefficients_goes_through_them(rng):
    basis = chebyshev_basis(np.arange(40), 3)
    flux, weights = rng.normal(size=(1, 40)), np.zeros((1, 40))
    weights[0, [3, 11, 25, 38]] = 1
    good = weights[0] > 0
    assert_allclose((fit_weighted(flux, weights, basis) @ basis.T)[0, good], flux[0, good])
    weights[0, 3] = 0
    assert np.isnan(fit_weighted(flux, weights, basis)).all()


def test_fit_weighted_of_crowded_pixels_stays_finite(rng):
    basis = chebyshev_basis(np.arange(10_000), 12)
    weights = np.zeros((1, 10_000))
    weights[0, :14] = 1
    flux = 1 + 0.01 * rng.normal(size=(1, 10_000))
    level = fit_weighted(flux, weights, basis) @ basis.T
    assert np.isfinite(level).all()
    assert_allclose(level[0, :14], 1, atol=0.05)


def test_chebyshev_basis_of_one_pixel_is_finite():
    assert np.isfinite(chebyshev_basis(np.array([5000.0]), 2)).all()
