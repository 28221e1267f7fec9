"""Labels of observed spectra are posterior means: unbiased, with errors that hold."""

import numpy as np
import pytest

from spectragan.lines.inference import StarModel, infer_labels, linearize, population_of


class Lines:
    """Two labels, each with lines of its own; exact derivatives."""

    label_range_ = np.array([[-4.0, -4.0], [4.0, 4.0]])

    def __init__(self, n_pixels=120):
        place = np.arange(n_pixels)
        centers = [[15, 45, 80, 100], [30, 60, 95]]
        self.rows = np.array(
            [sum(np.exp(-0.5 * ((place - c) / 1.5) ** 2) for c in some) for some in centers]
        )

    def predict(self, labels):
        return np.exp(-(0.1 + 0.03 * labels) @ self.rows)

    def jacobian(self, labels):
        return -0.03 * self.predict(labels)[..., None] * self.rows.T


@pytest.fixture(scope="module")
def stars():
    rng = np.random.default_rng(0)
    model = StarModel(Lines(), 120, degree=2)
    truth = rng.standard_normal((400, 2))
    nuisances = rng.standard_normal((400, 4)) * model.spread
    noise = np.exp(rng.uniform(np.log(0.005), np.log(0.02), (400, 1)))
    flux = model.predict(np.hstack([truth, nuisances])) + noise * rng.standard_normal((400, 120))
    return model, truth, flux, np.broadcast_to(noise**-2.0, flux.shape), population_of(truth)


def inferred(stars, weights=None, groups=None):
    model, truth, flux, ivar, _ = stars
    groups = np.ones((1, 120), dtype=bool) if groups is None else groups
    weights = ivar if weights is None else weights
    population = model.population(truth)
    return infer_labels(model, flux, weights, population, groups), population


def test_errors_of_labels_hold_beside_continuum_and_broadening(stars):
    labels, covariance = inferred(stars)[0].posterior(inferred(stars)[1])
    pull = (labels[:, :2] - stars[1]) / np.sqrt(np.einsum("nll->nl", covariance)[:, :2])
    assert pull.std(axis=0) == pytest.approx(1.0, abs=0.12)


def test_truth_regressed_on_posterior_means_has_slope_one(stars):
    expanded, population = inferred(stars)
    means = expanded.posterior(population)[0][:, :2]
    # What makes regressions on inferred labels free of attenuation.
    for truth, mean in zip(stars[1].T, means.T, strict=True):
        assert np.polyfit(mean, truth, 1)[0] == pytest.approx(1.0, abs=0.05)


def test_leaving_pixels_out_is_as_if_they_had_no_weight(stars):
    without = np.zeros(120, dtype=bool)
    without[:40] = True
    expanded, population = inferred(stars, groups=np.array([~without | without, without]))
    model, _, flux, ivar, _ = stars
    again = linearize(model, expanded.labels, flux, ivar * ~without, np.ones((1, 120), dtype=bool))
    left, right = expanded.posterior(population, without=1)[0], again.posterior(population)[0]
    np.testing.assert_allclose(left[:, :2], right[:, :2], atol=0.1)


def test_pixels_without_lines_of_a_label_tell_nothing_about_it(stars):
    weights = stars[3] * (stars[0].model.rows[1] < 1e-6)
    expanded, population = inferred(stars, weights)
    assert expanded.reliability(population)[1] < 1e-3
    assert expanded.reliability(population)[0] > 0.5


def test_errors_that_are_too_small_are_not_believed(stars):
    expanded, population = inferred(stars, 100 * stars[3])
    honest, _ = inferred(stars)
    ratio = expanded.posterior(population)[1] / honest.posterior(population)[1]
    assert np.median(ratio[:, 0, 0]) == pytest.approx(1.0, abs=0.2)


def test_derivatives_of_a_star_are_those_of_its_spectrum(stars):
    model, truth = stars[0], stars[1][:3]
    parameters = np.hstack([truth, np.zeros((3, 4))])
    _, jacobian = model.with_jacobian(parameters)
    for i in range(parameters.shape[1]):
        step = 1e-4 * np.eye(parameters.shape[1])[i]
        difference = (model.predict(parameters + step) - model.predict(parameters - step)) / 2e-4
        np.testing.assert_allclose(jacobian[:, i], difference, atol=1e-7)
