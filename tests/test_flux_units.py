"""Fluxes in other units, times a power of ten, give the same results on that scale.

Flux-calibrated spectra are of the order of 1e-17 erg / (s cm2 A), counts of 1e5: no number that
isn't relative may decide anything.
"""

import warnings
from dataclasses import asdict, is_dataclass

import numpy as np
import pytest
from sklearn.base import BaseEstimator

import spectragan as sg
from spectragan import Spectra
from spectragan.datasets import make_mock_domains

MOCK = make_mock_domains(90, 90, n_pixels=50, random_state=0)
LABELS = MOCK.labels_synthetic
QUIET = {"random_state": 0, "verbose": 0}


def scaled(spectra: Spectra, unit: float, dtype: type = float) -> Spectra:
    """Return the same spectra in another unit."""
    known = bool((spectra.noise == "known").all())
    ivar = spectra.ivar.astype(float) / unit**2 if known else spectra.ivar
    flux = (spectra.flux.astype(float) * unit).astype(dtype)
    words = None if known else "exact"
    return Spectra(flux, spectra.wavelength, ivar, words, spectra.medium)


class Fluxes:
    """The two domains in one unit, and what is usually fitted to them."""

    def __init__(self, unit: float, dtype: type = float) -> None:
        self.unit = unit
        self.synthetic = scaled(MOCK.synthetic, unit, dtype)
        self.observed = scaled(MOCK.observed, unit, dtype)

    @property
    def linear(self):
        return sg.LinearTranslator(4).fit(self.synthetic, self.observed)

    @property
    def emulator(self):
        return sg.SpectrumEmulator(6, **QUIET).fit(LABELS, self.synthetic)


def translated(estimator):
    def result(f):
        return estimator.fit(f.synthetic, f.observed).transform(f.synthetic).filled() / f.unit

    return result


def stepped(step):
    """Return a result in units of the flux, or of the continuum where a step divides by that."""

    def result(f):
        out = step.fit(f.observed).transform(f.observed)
        unit = 1.0 if isinstance(step, sg.ContinuumNormalizer) else f.unit
        return np.hstack([out.filled() / unit, out.ivar.astype(float) * unit**2 * 1e-4])

    return result


def injected(f):
    """Return the size of the noise: its draws follow from the digits of the flux."""
    out = sg.NoiseInjector(snr=20, random_state=0).fit_transform(f.synthetic)
    added = (out.filled() - f.synthetic.filled()) / f.unit
    return np.array([np.std(added).round(2), np.median(out.ivar[out.ivar > 0]) * f.unit**2])


def starnet(f):
    network = sg.StarNetRegressor(1, max_epochs=2, **QUIET).fit(f.observed, LABELS)
    return np.hstack(network.predict(f.observed, return_std=True))


def fitted(**parameters):
    def result(f):
        fitter = sg.ParameterFitter(f.emulator, verbose=0, **parameters)
        return np.hstack(fitter.predict(f.observed[:15], return_std=True))

    return result


def fitted_through_a_translator(f):
    fitter = sg.ParameterFitter(f.emulator, f.linear, verbose=0)
    return np.hstack(fitter.predict(f.observed[:15], return_std=True))


def cycles(f):
    found = sg.cycle_scores(f.linear, f.synthetic, f.observed)
    return np.array([found.x_so, found.x_os / f.unit**2, found.z_shared_so])  # errors; flux


def drift(f):
    pseudo = sg.PseudoPairTranslator().fit(f.synthetic, f.observed)
    found = sg.label_drift(sg.ParameterFitter(f.emulator, verbose=0), pseudo, f.synthetic[:40])
    return numbers(found, without=("fitted",))


def numbers(result, without=()):
    """Return all numbers of a result, in the order of their names."""
    values = asdict(result) if is_dataclass(result) else dict(result)
    parts = [values[name] for name in sorted(values) if name not in without]
    arrays = [np.asarray(part) for part in parts if part is not None]
    return np.concatenate([a.astype(float).ravel() for a in arrays if a.dtype.kind in "fiub"])


ESTIMATORS = {
    "AirVacuumConverter": stepped(sg.AirVacuumConverter()),
    "Broadener": stepped(sg.Broadener(resolution=3000)),
    "ContinuumNormalizer": stepped(sg.ContinuumNormalizer(2)),
    "CycleGANTranslator": translated(
        sg.CycleGANTranslator(max_epochs=2, warmup_epochs=1, steps_per_epoch=2, **QUIET)
    ),
    "LinearTranslator": translated(sg.LinearTranslator(4)),
    "MeanShiftTranslator": translated(sg.MeanShiftTranslator()),
    "NoiseInjector": injected,
    "OutlierInterpolator": stepped(sg.OutlierInterpolator()),
    "ParameterFitter": fitted(),
    "PseudoPairTranslator": translated(sg.PseudoPairTranslator()),
    "Resampler": stepped(sg.Resampler(MOCK.observed.wavelength[3:-3:2])),
    "RestFrameShifter": stepped(sg.RestFrameShifter()),
    "SkyLineMasker": stepped(sg.SkyLineMasker()),
    "SpectrumEmulator": lambda f: f.emulator.predict(LABELS.astype(float)) / f.unit,
    "StarNetRegressor": starnet,
    "TelluricMasker": stepped(sg.TelluricMasker()),
    "TranslatorEnsemble": translated(
        sg.TranslatorEnsemble(sg.LinearTranslator(4), n_members=2, **QUIET)
    ),
}
OTHERS = {
    "fit with nuisances": fitted(nuisances=("velocity", "continuum")),
    "fit through a translator": fitted_through_a_translator,
    "cycle_scores": cycles,
    "gap_scores": lambda f: numbers(sg.gap_scores(f.synthetic, f.observed, random_state=0)),
    "label_drift": drift,
    "out_of_distribution": lambda f: numbers(
        sg.out_of_distribution(f.linear, f.synthetic[:30], f.synthetic, false_alarm_rate=0.05)
    ),
    "pseudo_pair_score": lambda f: np.array(
        sg.pseudo_pair_score(f.linear, *sg.stack_domains(f.synthetic, f.observed))
    ),
}
CASES = ESTIMATORS | OTHERS
BASE: dict[str, np.ndarray] = {}


def result_of(name: str, unit: float, dtype: type = float) -> np.ndarray:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", sg.exceptions.SpectraganWarning)
        return np.asarray(CASES[name](Fluxes(unit, dtype)), dtype=float)


def check(name: str, unit: float, dtype: type = float) -> None:
    if name not in BASE:
        BASE[name] = result_of(name, 1.0)
    expected = BASE[name]
    tolerance = 2e-2 if dtype is np.float32 or name in ("CycleGANTranslator",) else 2e-3
    np.testing.assert_allclose(
        result_of(name, unit, dtype), expected, rtol=tolerance, atol=tolerance * np.nanstd(expected)
    )


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("power", [-20, 20])
def test_faint_and_bright_fluxes_give_the_same(name, power):
    check(name, 10.0**power)


@pytest.mark.slow
@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("power", [-17, -8, 8, 17])
def test_powers_of_ten_change_nothing(name, power):
    check(name, 10.0**power)


@pytest.mark.parametrize("name", CASES)
def test_single_precision_holds_faint_fluxes(name):
    check(name, 1e-20, np.float32)


def test_every_estimator_is_tried():
    found = [getattr(sg, name) for name in sg.__all__]
    public = {c.__name__ for c in found if isinstance(c, type) and issubclass(c, BaseEstimator)}
    assert set(ESTIMATORS) == public
