"""What isn't data is told before it is learned, and what is data isn't."""

import warnings

import numpy as np
import pytest

from spectragan import (
    DomainScaleWarning,
    LinearTranslator,
    MeanShiftTranslator,
    NoiseWarning,
    OddSpectraWarning,
    OutlierInterpolator,
    Spectra,
    gap_scores,
    stack_domains,
)
from spectragan.spectra.oddities import warn_if_unlike, warn_of_fillers, warn_of_odd_domain


def rms(a, b):
    return float(np.sqrt(np.mean((np.asarray(a, float) - np.asarray(b, float)) ** 2)))


@pytest.mark.parametrize("value", [0.0, -9999.0, 1e30, 99.0])
def test_gaps_filled_with_a_number_are_told_at_every_door(mock, value):
    flux = mock.observed.filled(1.0).astype(float)
    flux[:, 30:45] = value
    with pytest.warns(OddSpectraWarning, match="adjacent pixels, such as 30 to 44"):
        OutlierInterpolator().fit(flux)
    with pytest.warns(OddSpectraWarning, match="`a` hold"):
        gap_scores(flux, mock.observed.filled(1.0), n_permutations=1, random_state=0)


def test_gaps_that_are_masked_and_flat_continua_are_none(mock):
    flux = mock.observed.filled(1.0).astype(float)
    flux[:, 30:45] = 0
    good = np.ones_like(flux)
    good[:, 30:45] = 0
    warn_of_fillers(Spectra(flux, None, good, "exact"), "X")
    lines = np.ones((3, 40))
    lines[:, 7:9] = 0.5
    for odd in (lines, np.zeros((3, 40)), np.ones((3, 40)), 1e-17 * lines):
        warn_of_fillers(Spectra(odd, None), "X")


@pytest.mark.parametrize("factor", [1e-17, 1.0, 1e5])
@pytest.mark.parametrize("size", [5.0, 20.0])
def test_a_cosmic_ray_is_told_and_the_step_named_that_cures_it(mock, size, factor):
    flux = mock.observed.flux.astype(float)
    flux[0, 40] += size
    spoiled = Spectra(flux * factor, None, mock.observed.ivar.astype(float) / factor**2)
    with pytest.warns(OddSpectraWarning, match=r"1 of 120 observed .*OutlierInterpolator"):
        warn_of_odd_domain(spoiled, "observed")
    warn_of_odd_domain(OutlierInterpolator().fit_transform(spoiled), "observed")


def test_a_flux_scale_for_every_star_is_told(mock):
    scale = np.random.default_rng(0).uniform(2, 5, (120, 1))
    spoiled = mock.observed.with_flux(mock.observed.flux * scale, mock.observed.ivar / scale**2)
    with pytest.warns(DomainScaleWarning, match=r"star to star.*ContinuumNormalizer"):
        warn_of_odd_domain(spoiled, "observed")


@pytest.mark.parametrize("power", [-1, -2])
def test_errors_given_as_ivar_are_told(mock, power):
    sigma = 0.01
    flux = mock.observed_truth.flux
    flux = flux + sigma * np.random.default_rng(0).normal(size=flux.shape)
    warn_of_odd_domain(Spectra(flux, None, np.full(flux.shape, sigma**-2)), "observed")
    with pytest.warns(NoiseWarning, match=r"ivar must be 1 / sigma\^2"):
        warn_of_odd_domain(Spectra(flux, None, np.full(flux.shape, sigma**-power)), "observed")


def test_copies_are_refused_or_told(mock):
    copies = mock.synthetic[np.zeros(50, int)]
    with pytest.raises(ValueError, match="got 50 copies of one"):
        LinearTranslator().fit(copies, mock.observed)
    with pytest.warns(OddSpectraWarning):
        MeanShiftTranslator().fit(copies, mock.observed)
    few = mock.synthetic[np.arange(50) % 3]
    with pytest.warns(OddSpectraWarning, match="only 3 of 50 synthetic"):
        LinearTranslator(2).fit(few, mock.observed)
    one = mock.synthetic.flux[:1] + 1e-5 * np.random.default_rng(0).normal(size=(50, 80))
    with pytest.warns(OddSpectraWarning, match="times less from each other"):
        LinearTranslator(2).fit(mock.synthetic[:50].with_flux(one), mock.observed)


def test_spectra_that_missed_a_step_are_told(mock):
    domain = mock.observed
    warn_if_unlike({"anchors": (domain[:20], domain)}, (domain, domain))
    warn_if_unlike({"anchors": (domain[:1], domain), "validation": None}, (domain, domain))
    for scale in (0.5, 2.0, np.linspace(0, 3, 80)):
        raw = domain.with_flux(domain.flux * scale, domain.ivar)[:20]
        with pytest.warns(DomainScaleWarning, match="don't pass the earlier steps of a Pipeline"):
            warn_if_unlike({"anchors": (raw, domain)}, (domain, domain))


@pytest.mark.parametrize("exponent", [-20, -12, 0, 5, 20])
def test_what_is_told_does_not_depend_on_the_unit_of_flux(mock, exponent):
    k = 10.0**exponent
    parts = [
        Spectra(
            part.flux.astype(float) * k,
            part.wavelength,
            part.ivar.astype(float) / k**2 if part.noise[0] == "known" else part.ivar,
            part.noise,
            medium=part.medium,
        )
        for part in (mock.synthetic, mock.observed)
    ]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        LinearTranslator(5).fit(*stack_domains(*parts))
