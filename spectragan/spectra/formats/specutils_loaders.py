"""Formats that only specutils knows, read by its loaders; imported only when one is asked for."""

from pathlib import Path

import astropy.units as u
from specutils import Spectrum, SpectrumList

from spectragan.spectra.container import Spectra
from spectragan.spectra.formats.pixels import (
    FileProblem,
    ReadOptions,
    check_possible,
    first_line,
    medium_of,
    row_meta,
)
from spectragan.spectra.specutils_input import from_specutils


def loader_names() -> list[str]:
    """Return the names of all loaders of specutils."""
    from astropy.io import registry

    names = [str(n) for c in (Spectrum, SpectrumList) for n in registry.get_formats(c)["Format"]]
    return sorted(set(names))


def read_specutils(options: ReadOptions, format_name: str) -> Spectra:
    """Return what a loader of specutils makes of a file."""
    spectra = _load(options.path, format_name)
    medium = medium_of(spectra.medium, options.medium)
    meta = (spectra.meta or {}) | row_meta(len(spectra), options, format_name)
    flux = u.Quantity(spectra.flux, spectra.unit, copy=False)
    check_possible(spectra.spectral_axis, medium)
    return Spectra(flux, spectra.wavelength, spectra.ivar, spectra.noise, medium, meta)


def _load(path: Path, format_name: str) -> Spectra:
    problems = []
    for cls, kind in ((Spectrum, "spectrum"), (SpectrumList, "list")):
        try:
            found = cls.read(str(path), format=format_name)
            return from_specutils(found, kind)
        except Exception as error:  # loaders raise whatever a strange file makes them raise
            problems.append(error)
    raise FileProblem(
        f"the loader {format_name!r} of specutils fails ({first_line(problems[0])}); "
        "check that this is the format of the file."
    ) from problems[0]
