"""What wrong labels do to slopes is taken off; what missing lines do stays."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter1d

from spectragan.lines.slopes import Slopes
from spectragan.lines.stars import common_change, without_label_errors

SIGMA = 2.0
N_PIXELS = 3000
LINES = np.arange(20, N_PIXELS, 40)
MISSING = slice(997, 1004)  # between two lines


def make_slopes(common, misfit=0.0, seed=0):
    """Make slopes on two labels of a spectrum of lines, one of which is missing from the model."""
    rng = np.random.default_rng(seed)
    basis = np.zeros((N_PIXELS, 2))
    basis[LINES, np.arange(len(LINES)) % 2] = -rng.uniform(0.1, 0.4, len(LINES))
    basis = gaussian_filter1d(basis, SIGMA, axis=0)
    scatter = gaussian_filter1d(rng.standard_normal(basis.shape), 10.0, axis=0)
    truth = basis @ common + misfit * scatter / scatter.std() * basis
    truth[MISSING, 0] -= 0.02
    slopes = []
    noise = 1e-3 * rng.standard_normal(basis.shape)
    for sigma in (0.0, SIGMA):
        smooth = (lambda x, s=sigma: gaussian_filter1d(x, s, axis=0)) if sigma else (lambda x: x)
        error = smooth(noise).std()
        values = np.column_stack([np.ones(N_PIXELS), smooth(truth + noise)])
        slopes.append(Slopes(values, np.full_like(values, error), np.ones(N_PIXELS)))
    return slopes, basis


def cleaned(slopes, sigmas, basis):
    return without_label_errors(slopes, sigmas, basis, np.eye(2), 2)


def ratio(slopes):
    return slopes.values[:, 1:] / slopes.errors[:, 1:]


@pytest.mark.parametrize("common", [np.zeros((2, 2)), np.array([[-0.2, 0.1], [0.05, 0.3]])])
def test_labels_on_a_wrong_scale_make_no_line(common):
    given, basis = make_slopes(common)
    for slopes in cleaned(given, (0.0, SIGMA), basis):
        z = ratio(slopes)
        elsewhere = np.ones(N_PIXELS, dtype=bool)
        elsewhere[980:1020] = False
        assert z[elsewhere].std() == pytest.approx(1.0, abs=0.1)
        assert np.abs(z[elsewhere]).max() < 5
        assert z[MISSING, 0].min() < -12


def test_what_is_taken_off_is_where_the_model_has_lines():
    given, basis = make_slopes(np.array([[-0.2, 0.1], [0.05, 0.3]]))
    bare = np.abs(basis).max(axis=1) < 1e-9
    after = cleaned(given, (0.0, SIGMA), basis)[0]
    np.testing.assert_allclose(after.values[bare], given[0].values[bare], atol=1e-9)


def test_lines_that_disagree_have_larger_errors_and_the_continuum_has_not():
    given, basis = make_slopes(np.zeros((2, 2)), misfit=0.1)
    after = cleaned(given, (0.0, SIGMA), basis)[1]
    own = np.abs(gaussian_filter1d(basis, SIGMA, axis=0))
    deep, bare = own > 3 * own.mean(axis=0), own.max(axis=1) < 1e-9
    assert ratio(given[1])[deep].std() > 1.5
    assert ratio(after)[deep].std() == pytest.approx(1.0, abs=0.25)
    np.testing.assert_allclose(after.errors[bare], given[1].errors[bare])


def test_unknown_slopes_stay_unknown_and_the_constant_stays_as_it_is():
    given, basis = make_slopes(np.zeros((2, 2)))
    given[0].values[:, 2] = given[0].errors[:, 2] = np.nan
    after = cleaned(given[:1], (0.0,), basis)[0]
    assert np.isnan(after.values[:, 2]).all()
    np.testing.assert_array_equal(after.values[:, 0], given[0].values[:, 0])


def test_a_label_without_lines_leaves_other_labels_alone():
    rng = np.random.default_rng(0)
    basis = np.column_stack([rng.standard_normal(500), np.zeros(500)])
    values = 0.3 * basis[:, 0]
    change, covariance = common_change(values, np.full(500, 0.01), basis)
    assert change == pytest.approx([0.3, 0.0], abs=1e-4)
    # Nothing told of it but that it isn't absurd.
    assert covariance[1, 1] == pytest.approx(1.0)
