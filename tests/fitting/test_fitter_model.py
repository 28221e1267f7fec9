"""Models that are fitted say what the estimators say, and their derivatives are exact."""

import numpy as np
import pytest
import torch

from spectragan import LinearTranslator, MeanShiftTranslator, ObservedEmulator
from spectragan.fitting.model import ForwardModel
from spectragan.fitting.objective import ChiSquare, Prior
from spectragan.fitting.parts import build_model


@pytest.fixture(scope="module")
def translators(mock, quick):
    return {
        "none": None,
        "mean shift": MeanShiftTranslator().fit(mock.synthetic, mock.observed),
        "linear": LinearTranslator(6).fit(mock.synthetic, mock.observed),
        "gan": quick().fit(mock.synthetic, mock.observed),
        "conv": quick(network="conv", max_epochs=1, width=0.1).fit(mock.synthetic, mock.observed),
    }


NAMES = ("none", "mean shift", "linear", "gan", "conv")


def flux_of(model, parameters):
    values, _ = model.with_jacobian(parameters)
    return values if model.basis is None else values @ model.basis


def parameters_of(model, mock, translator):
    labels = mock.labels_synthetic[:5]
    split = np.zeros((5, 0)) if model.n_split == 0 else translator.split_codes_[:5]
    return torch.as_tensor(np.hstack([labels, split]))


@pytest.mark.parametrize("name", NAMES)
def test_model_is_the_observed_emulator(name, mock, emulator, translators):
    translator = translators[name]
    model = build_model(emulator, translator)
    parameters = parameters_of(model, mock, translator)
    for row in range(5):
        split = parameters[row, 3:].numpy() if model.n_split else None
        known = emulator if translator is None else ObservedEmulator(emulator, translator, split)
        expected = known.predict(mock.labels_synthetic[row : row + 1])
        found = flux_of(model, parameters)[row]
        np.testing.assert_allclose(found.numpy(), expected[0], atol=1e-9)


@pytest.mark.parametrize("name", NAMES)
def test_model_has_exact_derivatives(name, mock, emulator, translators):
    model = build_model(emulator, translators[name])
    parameters = parameters_of(model, mock, translators[name])
    _, slopes = model.with_jacobian(parameters)
    exact = slopes if model.basis is None else slopes @ model.basis
    size = parameters.abs().amax(dim=0).clamp(min=1.0)
    for normal in np.random.default_rng(0).normal(size=(2, *parameters.shape)):
        direction = torch.as_tensor(normal) * size
        slope = torch.einsum("ni,nip->np", direction, exact)
        errors = []
        # A kink of a network spoils a long step, rounding a short one.
        for length in (1e-4, 1e-5, 1e-6):
            step = length * direction
            change = flux_of(model, parameters + step) - flux_of(model, parameters - step)
            expected = change / (2 * length)
            errors.append(float((slope - expected).abs().max() / (expected.abs().max() + 1e-12)))
        assert min(errors) < 1e-3


@pytest.mark.parametrize("nuisances", [(), ("velocity", "broadening")])
@pytest.mark.parametrize("degree", [None, 2])
def test_chi_square_has_exact_gradients(nuisances, degree, mock, emulator, translators):
    model = build_model(emulator, translators["linear"])
    forward = ForwardModel(model, nuisances, emulator.wavelength_.value)
    continuum = None
    if degree is not None:
        terms = np.polynomial.chebyshev.chebvander(np.linspace(-1, 1, 80), degree).T
        continuum = torch.as_tensor(terms.copy())
    stars = mock.observed[:4]
    weights = torch.as_tensor(np.array(stars.ivar, dtype=float))
    n = forward.n_parameters
    precision = torch.diag(torch.tensor([1e-6] + [0.1] * (n - 1))).double()
    prior = Prior(torch.zeros(n, dtype=torch.float64), precision)
    objective = ChiSquare(
        forward, torch.as_tensor(stars.filled().astype(float)), weights, prior, continuum
    )
    inner = torch.as_tensor(mock.labels_observed[:4])
    extra = torch.tensor([[20.0, 40.0]]).double()[:, : len(nuisances)].expand(4, -1)
    parameters, rows = torch.cat([inner, extra], dim=1), torch.arange(4)
    _, gradient, _ = objective.evaluate(parameters, rows)
    for i in range(n):
        step = torch.zeros_like(parameters)
        step[:, i] = 1e-3 if i else 1.0
        ahead, behind = (objective.evaluate(parameters + s, rows)[0] for s in (step, -step))
        expected = (ahead - behind) / (4 * step[:, i])  # half the gradient
        torch.testing.assert_close(
            gradient[:, i], expected, rtol=2e-3, atol=2e-4 * float(gradient[:, i].abs().max())
        )


def test_continuum_curvature_is_that_of_the_joint_fit(mock, emulator, translators):
    # Eliminating linear parameters must leave the covariance of the others as it is.
    model = build_model(emulator, None)
    forward, n_terms = ForwardModel(model), 3
    terms = np.polynomial.chebyshev.chebvander(np.linspace(-1, 1, 80), n_terms - 1).T
    continuum = torch.as_tensor(terms.copy())
    parameters = torch.as_tensor(mock.labels_synthetic[:3])
    flux = flux_of(model, parameters)
    weights = torch.as_tensor(np.random.default_rng(0).uniform(1e3, 1e4, (3, 80)))
    prior = Prior(torch.zeros(3).double(), torch.zeros(3, 3).double())
    objective = ChiSquare(forward, flux, weights, prior, continuum)
    _, _, curvature = objective.evaluate(parameters, torch.arange(3))
    _, slopes = model.with_jacobian(parameters)
    joint = torch.cat([slopes @ model.basis, flux[:, None] * continuum], dim=1)
    full = (joint * weights[:, None]) @ joint.transpose(1, 2)
    expected = torch.linalg.inv(full)[:, :3, :3]
    torch.testing.assert_close(torch.linalg.inv(curvature), expected, rtol=1e-5, atol=0)
