"""How long `Resampler` takes: 10,000 spectra of 7,214 pixels, beside what is used elsewhere.

CPU seconds on one thread, the best of three runs. The spectra go from a log-linear grid of APOGEE's
range to a linear one of as many pixels; 5 % of the pixels are masked. `numpy.interp` works spectrum
by spectrum on flux alone, and again on variance and mask, as much as it can; the resamplers of
specutils know no masks and are timed on 20 spectra with errors, times 500.

Run ``OMP_NUM_THREADS=1 python -m benchmarks.resampling --output benchmarks/results/resampling.md``.
"""

import argparse
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import astropy.units as u
import numpy as np
from specutils.manipulation import FluxConservingResampler, LinearInterpolatedResampler

from benchmarks.machine import describe_machine
from spectragan import Resampler, Spectra

N_SPECTRA, N_PIXELS = 10_000, 7_214
N_SLOW = 20
OLD = np.geomspace(15_100, 17_000, N_PIXELS) * u.AA
NEW = np.linspace(15_110, 16_990, N_PIXELS) * u.AA


def make_spectra(dtype: str) -> Spectra:
    rng = np.random.default_rng(0)
    shape = (N_SPECTRA, N_PIXELS)
    flux = 1 + 0.01 * rng.standard_normal(shape, dtype=np.float32)
    ivar = np.where(rng.random(shape, dtype=np.float32) < 0.05, 0, 1e4)
    return Spectra(flux.astype(dtype), OLD, ivar.astype(dtype))


def cpu_seconds(function: Callable[[], object], repeats: int = 3) -> float:
    times = []
    for _ in range(repeats):
        start = time.process_time()
        function()
        times.append(time.process_time() - start)
    return min(times)


def interp_flux(spectra: Spectra) -> np.ndarray:
    old, new = OLD.value, NEW.value
    return np.array([np.interp(new, old, row) for row in spectra.flux])


def interp_everything(spectra: Spectra) -> tuple[np.ndarray, np.ndarray]:
    """Interpolate flux, variance and mask; the variance is wrong by up to a factor of two."""
    old, new = OLD.value, NEW.value
    flux, ivar = np.empty((2, N_SPECTRA, N_PIXELS))
    for i, (row, weight) in enumerate(zip(spectra.flux, spectra.ivar, strict=True)):
        good = weight > 0
        flux[i] = np.interp(new, old[good], row[good])
        variance = np.interp(new, old[good], 1 / weight[good])
        ivar[i] = (np.interp(new, old, good) >= 0.5) / variance
    return flux, ivar


def specutils_loop(resampler: object, spectra: Spectra) -> None:
    for spectrum in spectra[:N_SLOW].to_specutils():
        resampler(spectrum, NEW)


def resample(spectra: Spectra, method: str) -> None:
    Resampler(NEW, method=method).fit(spectra).transform(spectra)


def measure() -> list[tuple[str, str, float]]:
    rows = []
    for dtype in ("float64", "float32"):
        spectra = make_spectra(dtype)
        for method in ("flux", "linear"):
            seconds = cpu_seconds(partial(resample, spectra, method))
            rows.append((f'**Resampler**, method="{method}", {dtype}', "all", seconds))
    spectra = make_spectra("float64")
    rows.append(("numpy.interp, flux only", "no", cpu_seconds(partial(interp_flux, spectra))))
    seconds = cpu_seconds(partial(interp_everything, spectra))
    rows.append(("numpy.interp, flux, variance and mask", "not propagated", seconds))
    for cls in (LinearInterpolatedResampler, FluxConservingResampler):
        seconds = cpu_seconds(partial(specutils_loop, cls(), spectra), 1)
        rows.append((f"specutils {cls.__name__}", "no mask", seconds * N_SPECTRA / N_SLOW))
    return rows


def report(rows: list[tuple[str, str, float]]) -> str:
    where = describe_machine("numpy", "scipy", "astropy", "specutils")
    head = (
        "# Resampling 10,000 spectra of 7,214 pixels\n\n"
        f"{where}, 1 thread. CPU seconds, best of three "
        f"(specutils: {N_SLOW} spectra, scaled).\n\n"
        "| method | errors and masks | CPU s |\n|---|---|---|\n"
    )
    return head + "".join(f"| {name} | {errors} | {s:.1f} |\n" for name, errors, s in rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path)
    output = parser.parse_args().output
    text = report(measure())
    sys.stdout.write(text)
    if output:
        output.write_text(text)


if __name__ == "__main__":
    main()
