"""How long `as_spectra` and `Spectra.to_specutils` take, beside the loops one writes by hand.

10,000 spectra of 7,214 pixels, float32, with standard deviations, 5 % of the pixels masked. The
loops do less: they look at no grid, no unit and no metadata, and know one kind of uncertainty. CPU
seconds on one thread, best of three.

Run ``OMP_NUM_THREADS=1 python -m benchmarks.conversion --output benchmarks/results/conversion.md``.
"""

import argparse
from collections.abc import Callable
from functools import partial
from pathlib import Path

import astropy.units as u
import numpy as np
from astropy.nddata import InverseVariance, StdDevUncertainty
from specutils import Spectrum, SpectrumList

from benchmarks.machine import cost_of, describe_machine
from spectragan import Spectra, as_spectra

N_SPECTRA, N_PIXELS, N_ROUNDS = 10_000, 7_214, 3
WAVELENGTH = np.geomspace(15_100, 17_000, N_PIXELS) * u.AA

HEAD = """# Conversion of 10,000 spectra of 7,214 pixels

{}, 1 thread. CPU seconds, best of three; ratio: how many times as long as `spectragan`.

| from, to | how | flux, errors, mask | grid, unit, metadata | CPU s | ratio |
|---|---|---|---|---|---|
"""


def make_spectra() -> Spectra:
    """Make spectra in memory."""
    rng = np.random.default_rng(0)
    flux = 1 + 0.01 * rng.standard_normal((N_SPECTRA, N_PIXELS), dtype=np.float32)
    good = rng.random(flux.shape, dtype=np.float32) > 0.05
    return Spectra(flux, WAVELENGTH, ivar=np.float32(1e4) * good)


def read_by_attributes(objects: SpectrumList) -> tuple[np.ndarray, np.ndarray]:
    """Read arrays as fast as a loop can."""
    flux = np.array([s.data for s in objects])
    ivar = np.array([np.where(s.mask, 0, s.uncertainty.array**-2.0) for s in objects])
    return flux, ivar


def read_by_interface(objects: SpectrumList) -> tuple[np.ndarray, np.ndarray]:
    """Read arrays through units and uncertainty classes, as the manuals show it."""
    flux = np.array([s.flux.to_value(u.dimensionless_unscaled) for s in objects])
    weights = (s.uncertainty.represent_as(InverseVariance).array for s in objects)
    ivar = np.array([np.where(s.mask, 0, w) for s, w in zip(objects, weights, strict=True)])
    return flux, ivar


def write_one_by_one(spectra: Spectra) -> SpectrumList:
    """Make objects as the manuals show it."""
    return SpectrumList(
        Spectrum(
            flux=flux * u.dimensionless_unscaled,
            spectral_axis=WAVELENGTH,
            uncertainty=StdDevUncertainty(std),
            mask=mask,
        )
        for flux, std, mask in zip(spectra.flux, spectra.std, spectra.mask, strict=True)
    )


def best(function: Callable[[], object]) -> float:
    """Return CPU seconds, best of three."""
    return min(cost_of(function).seconds for _ in range(N_ROUNDS))


def rows() -> list[str]:
    """Measure everything."""
    spectra = make_spectra()
    objects = spectra.to_specutils()
    stacked, collection = (spectra.to_specutils(kind) for kind in ("stacked", "collection"))
    groups: list[tuple[str, list[tuple[str, str, str, Callable[[], object]]]]] = [
        (
            "SpectrumList, arrays",
            [
                ("**as_spectra**", "all", "all", partial(as_spectra, objects)),
                ("loop over attributes", "all", "none", partial(read_by_attributes, objects)),
                ("loop over units and classes", "all", "unit", partial(read_by_interface, objects)),
            ],
        ),
        (
            "stacked Spectrum, arrays",
            [("**as_spectra**", "all", "all", partial(as_spectra, stacked))],
        ),
        (
            "SpectrumCollection, arrays",
            [("**as_spectra**", "all", "all", partial(as_spectra, collection))],
        ),
        (
            "arrays, SpectrumList",
            [
                ("**to_specutils**", "all", "all", spectra.to_specutils),
                ("loop", "all", "grid", partial(write_one_by_one, spectra)),
            ],
        ),
    ]
    lines = []
    for name, ways in groups:
        seconds = [best(function) for *_, function in ways]
        for (how, arrays, rest, _), cost in zip(ways, seconds, strict=True):
            lines.append(
                f"| {name} | {how} | {arrays} | {rest} | {cost:.2f} | {cost / seconds[0]:.1f} |"
            )
            print(lines[-1], flush=True)
    return lines


def main() -> None:
    """Print the table, and write it to a file on request."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--output", type=Path, default=None, help="Markdown file to write")
    output, lines = parser.parse_args().output, rows()
    if output is not None:
        where = describe_machine("numpy", "astropy", "specutils")
        output.write_text(HEAD.format(where) + "\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
