"""Label fits that may not mislead: coverage of stated errors, and rates of flags.

``python -m benchmarks.honest_fits [--output FILE]`` fits spectra of 600 pixels with 25 lines of
three labels (teff, logg, feh), simulated with the emulator itself or with its training's formula:

* how many true labels lie within the stated error (0.683 is right) of 10,000 stars each: with a
  prior on log g for each star, with log g held, with three detectors that have a level and a tilt
  each, and with noise averaged over three pixels whose correlation is given, or learned from
  residuals, or left out;
* how many of 1,000 double-lined binaries (two stars at -30 and 30 km/s, the second with 20-50 % of
  the light) and of 4,000 single stars are flagged, at S/N 100 and 200, with the velocity fitted.
  Lines are 62 km/s wide: a fitted broadening makes two such stars one;
* the same for stars of two answers: an emulator whose spectra are the same on both sides of one
  [Fe/H], and one whose aren't.
"""

import argparse
import warnings
from collections.abc import Iterator
from pathlib import Path

import astropy.units as u
import numpy as np

from benchmarks.machine import describe_machine
from spectragan import FitQualityWarning, ParameterFitter, Spectra, SpectrumEmulator
from spectragan.interop import CallableEmulator

N_STARS, N_DOUBLE, N_SINGLE = 10_000, 1000, 4000
NAMES = ("teff", "logg", "feh")
LOW, HIGH = np.array([4000.0, 1.0, -1.0]), np.array([6500.0, 4.5, 0.4])
WAVELENGTH = np.linspace(5000, 5200, 600)
RNG = np.random.default_rng(42)
CENTERS, SLOPES = np.sort(RNG.uniform(5005, 5195, 25)), RNG.uniform(-1, 1, (25, 3))
STRENGTHS = 1.3 * RNG.uniform(0.1, 0.6, 25)
WIDTH = 0.45  # Angstrom: 26 km/s
LIGHT_SPEED = 299792.458  # km/s
DETECTORS = [slice(0, 200), slice(200, 410), slice(410, 600)]
SHARED = np.ones(3) / 3**0.5  # of the noise of neighbours


def flux_of(labels: np.ndarray, velocity: float | np.ndarray = 0.0) -> np.ndarray:
    """Return exact spectra (n_stars, n_pixels)."""
    scaled = (np.atleast_2d(labels) - (LOW + HIGH) / 2) / (HIGH - LOW) * 2
    depths = STRENGTHS / (1 + np.exp(-scaled @ SLOPES.T))
    centers = CENTERS * (1 + np.reshape(velocity, (-1, 1)) / LIGHT_SPEED)
    lines = np.exp(-0.5 * ((WAVELENGTH - centers[:, :, None]) / WIDTH) ** 2)
    return np.exp(
        -np.einsum("nl,nlp->np", depths, np.broadcast_to(lines, (len(depths), *lines[0].shape)))
    )


def draw(n: int, rng: np.random.Generator) -> np.ndarray:
    """Draw labels away from the bounds."""
    return LOW + (HIGH - LOW) * rng.uniform(0.2, 0.8, (n, 3))


def observe(flux: np.ndarray, rng: np.random.Generator, sn: float = 100, shared=None) -> Spectra:
    """Add noise, shared by neighbours if asked to."""
    wide = rng.standard_normal((flux.shape[0], flux.shape[1] + 2))
    noise = (
        wide[:, 1:-1]
        if shared is None
        else sum(share * wide[:, i : i + flux.shape[1]] for i, share in enumerate(shared))
    )
    ivar = np.full(flux.shape, float(sn) ** 2)
    return Spectra(flux + noise / sn, WAVELENGTH * u.AA, ivar, medium="air")


def covered(found: tuple, truth: np.ndarray) -> str:
    """Return the shares of labels within their errors."""
    shares = (np.abs(found[0] - truth) < found[1]).mean(axis=0)
    return " | ".join("held" if share == 0 else f"{share:.3f}" for share in shares)


def coverage_rows(emulator: SpectrumEmulator) -> Iterator[str]:
    """Yield the rows of the table of coverages."""
    rng = np.random.default_rng(1)
    truth = draw(N_STARS, rng)
    flux = np.asarray(emulator.predict(truth), dtype=float)

    def row(name: str, spectra: Spectra, fitter: ParameterFitter, **more) -> str:
        found = fitter.predict(spectra, return_std=True, **more)
        return f"| {name} | {covered(found, truth)} |"

    white = observe(flux, rng)
    yield row("nothing else", white, ParameterFitter(emulator))
    error = rng.uniform(0.02, 0.3, N_STARS)
    known = {"logg": (truth[:, 1] + error * rng.standard_normal(N_STARS), error)}
    yield row("a prior on log g for each star", white, ParameterFitter(emulator), priors=known)
    middle = np.where([False, True, False], 2.75, truth)
    held = observe(np.asarray(emulator.predict(middle), dtype=float), rng)
    fitter = ParameterFitter(emulator, bounds={"logg": (2.75, 2.75)})
    found = fitter.predict(held, return_std=True)
    yield f"| log g held | {covered(found, np.where([False, True, False], np.inf, middle))} |"
    shape = np.ones(flux.shape)
    for chunk in DETECTORS:
        x = np.linspace(-1, 1, chunk.stop - chunk.start)
        level, tilt = rng.normal(0, 0.02, (2, N_STARS, 1))
        shape[:, chunk] += level + tilt * x
    own = {"nuisances": ("continuum",), "continuum_degree": 1}
    exposed = observe(flux * shape, rng)
    yield row(
        "three detectors, `chunks`", exposed, ParameterFitter(emulator, **own, chunks=DETECTORS)
    )
    smooth = observe(flux, rng, shared=SHARED)
    given = ParameterFitter(emulator, noise_correlation=(2 / 3, 1 / 3))
    yield row("noise shared by 3 pixels, correlation given", smooth, given)
    learned = ParameterFitter(emulator, err_inflation=1.0).fit(
        observe(flux[:500], rng, shared=SHARED)
    )
    yield row("the same, learned from 500 other stars", smooth, learned)
    ignored = ParameterFitter(emulator, noise_correlation=None)
    yield row("the same, left out (a warning says so)", smooth, ignored)


def binary_rows(emulator: SpectrumEmulator) -> Iterator[str]:
    """Yield rates of the flag for two stars."""
    rng = np.random.default_rng(2)
    for nuisances in (("velocity",), ("velocity", "broadening"), ("velocity", "continuum")):
        fitter = ParameterFitter(emulator, nuisances=nuisances)
        for sn in (100, 200):
            share = rng.uniform(0.2, 0.5, (N_DOUBLE, 1))
            one, other = (flux_of(draw(N_DOUBLE, rng), v) for v in (-30.0, 30.0))
            double = fitter.fit_table(observe((1 - share) * one + share * other, rng, sn))
            velocity = rng.uniform(-50, 50, N_SINGLE)
            single = fitter.fit_table(observe(flux_of(draw(N_SINGLE, rng), velocity), rng, sn))
            rates = " | ".join(f"{t['binary'].mean():.3f}" for t in (double, single))
            yield f"| {', '.join(nuisances)} | {sn} | {rates} |"


def ambiguous_rows(emulator: SpectrumEmulator) -> Iterator[str]:
    """Yield rates of the flag for two answers."""

    def folded(labels: np.ndarray) -> np.ndarray:
        labels = np.array(labels, dtype=float)
        labels[:, 2] = -0.3 + (labels[:, 2] + 0.3) ** 2
        return flux_of(labels)

    rng = np.random.default_rng(3)
    own = CallableEmulator(folded, NAMES, np.array([LOW, HIGH]), WAVELENGTH * u.AA)
    truth = draw(1000, rng)
    truth[:, 2] = np.where(np.arange(1000) % 2, 0.2, -0.8)
    twofold = ParameterFitter(own).fit_table(observe(folded(truth), rng))
    clear = ParameterFitter(emulator).fit_table(observe(flux_of(draw(N_SINGLE, rng)), rng))
    yield f"| {twofold['ambiguous'].mean():.3f} | {clear['ambiguous'].mean():.3f} |"


def main() -> None:
    """Measure, and write the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path, default=Path("benchmarks/results/honest_fits.md"))
    output = parser.parse_args().output
    warnings.simplefilter("ignore", FitQualityWarning)
    labels = LOW + (HIGH - LOW) * np.random.default_rng(0).random((1500, 3))
    spectra = Spectra(flux_of(labels), WAVELENGTH * u.AA, noise="exact", medium="air")
    emulator = SpectrumEmulator(random_state=0, verbose=0).fit(labels, spectra, label_names=NAMES)
    lines = [
        "# Label fits that may not mislead",
        "",
        f"By `python -m benchmarks.honest_fits`. {describe_machine()}",
        "",
        f"Share of true labels within the stated errors, of {N_STARS:,} stars at S/N 100:",
        "",
        "| fitted with | teff | logg | feh |",
        "|---|---|---|---|",
        *coverage_rows(emulator),
        "",
        "Share flagged as `binary`: two stars 60 km/s apart, and single ones. Lines are 62 km/s",
        "wide (FWHM), so that a broadening that is fitted, too, makes the two one:",
        "",
        "| nuisances | S/N | two stars | single stars |",
        "|---|---|---|---|",
        *binary_rows(emulator),
        "",
        "Share flagged as `ambiguous`: an emulator with two answers, and one with a single one:",
        "",
        "| two answers | one |",
        "|---|---|",
        *ambiguous_rows(emulator),
    ]
    output.write_text("\n".join(lines) + "\n")
    print("\n".join(lines))


if __name__ == "__main__":
    main()
