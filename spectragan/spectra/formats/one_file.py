"""One file of any format: what it is, and its spectra."""

from pathlib import Path
from typing import Any

import astropy.units as u

from spectragan.exceptions import FileAssumptionWarning
from spectragan.spectra.axis import ascending_angstrom, same_axis
from spectragan.spectra.container import Spectra
from spectragan.spectra.formats.fits_file import open_fits, read_bytes
from spectragan.spectra.formats.pixels import FileProblem, ReadOptions, first_line, to_spectra
from spectragan.spectra.formats.registry import FORMATS, NAMES, Format, named
from spectragan.spectra.formats.text_file import read_text
from spectragan.spectra.steps.resampling import Resampler

KNOWN = f"known formats are {', '.join(NAMES)}, and the loaders of specutils by name"
GENERAL = {"fits": "FITS", "text": "table"}  # the formats of what nothing else recognises
HEAD = 2880  # bytes; a FITS header is at least as long


def read_file(options: ReadOptions, format_name: str | None) -> tuple[Spectra, int]:
    """Return the spectra of one file, and how many NaN no mask announces.

    Raises
    ------
    FileProblem
        With a cause and a remedy.
    """
    kind = content_kind(options.path)
    if format_name is not None and not named(format_name):
        from spectragan.spectra.formats.specutils_loaders import read_specutils

        _check_arm(options, format_name)
        return _on_grid(read_specutils(options, format_name), options), 0
    if kind == "text":
        return _read(read_text(options.path, options), kind, options, format_name)
    with open_fits(options.path, options.checksum) as file:
        result = _read(file, kind, options, format_name)
        for text in file.notes:
            options.note(FileAssumptionWarning, text)
        return result


def _read(source: Any, kind: str, options: ReadOptions, name: str | None) -> tuple[Spectra, int]:
    chosen = _recognise(source, kind) if name is None else _asked_for(name, kind)
    if name is not None:
        _check_asked(source, kind, chosen)
    if not chosen.has_arms:
        _check_arm(options, chosen.name)
    try:
        spectra, n_lost = to_spectra(chosen.read(source, options), options, chosen.name)
    except FileProblem as problem:
        if name is not None or chosen.name == GENERAL[kind]:
            raise
        raise FileProblem(_with_way_out(str(problem), chosen.name, GENERAL[kind])) from problem
    return _on_grid(spectra, options), n_lost


def _with_way_out(problem: str, taken_for: str, general: str) -> str:
    """Return a message that says what to do if the file was taken for what it isn't."""
    check = "check the format of the file"
    return problem.replace(check, f"{check}, or pass format={general!r} if it is no {taken_for}")


def _on_grid(spectra: Spectra, options: ReadOptions) -> Spectra:
    """Return spectra resampled onto the grid that is asked for, if they aren't on it."""
    grid = options.wavelength if options.grid is None else options.grid
    if grid is None or same_axis(ascending_angstrom(grid), spectra.wavelength):
        return spectra
    assert spectra.wavelength is not None  # every format gives an axis
    own, new = spectra.wavelength.value, grid.to_value(u.AA, u.spectral())
    if new.max() < own[0] or new.min() > own[-1]:
        raise FileProblem(
            f"its wavelengths must reach the grid; got {own[0]:.6g}-{own[-1]:.6g} Angstrom; leave "
            "it out, or pass another grid."
        )
    try:
        return Resampler(grid).fit_transform(spectra)
    except (ValueError, TypeError) as error:
        raise FileProblem(
            f"it can't be resampled ({first_line(error)}); check the grid."
        ) from error


def _check_arm(options: ReadOptions, format_name: str) -> None:
    """Raise if a part is asked for of a format that has none: all of it would be returned."""
    if options.arm is not None:
        raise FileProblem(
            f"`arm` must be None for {format_name}, which has no arms; got {options.arm!r}; "
            "leave it out."
        )


def _recognise(source: Any, kind: str) -> Format:
    fitting = (f for f in FORMATS if f.kind == kind and f.identify(source))
    found = next(fitting, None)
    # Any FITS file is at least FITS, and any text a table, whose reader says what is missing.
    return found or named("table")[0]


def _asked_for(name: str, kind: str) -> Format:
    found = next((f for f in named(name) if f.kind == kind), None)
    if found is None:
        raise FileProblem(
            f"`format` must suit the content of the file, which is {kind}; got {name!r}; "
            "leave it out to recognise the file by its content."
        )
    return found


def _check_asked(source: Any, kind: str, chosen: Format) -> None:
    """Raise if a file is of another survey: its arrays would be taken for something else."""
    if chosen.name == GENERAL[kind] or chosen.identify(source):
        return
    found = _recognise(source, kind)
    if found.name not in (chosen.name, GENERAL[kind]):
        raise FileProblem(
            f"`format` must suit the content of the file, which is {found.name}; got "
            f"{chosen.name!r}; leave it out, or pass format={GENERAL[kind]!r}."
        )


def content_kind(path: Path) -> str:
    """Return "fits" or "text"; what a file is called doesn't matter."""
    if path.is_dir():
        raise FileProblem("it is a folder; pass a pattern such as folder/*.fits.")
    if not path.exists():
        raise FileProblem("there is no such file; check the path.")
    head = _head(path)
    if not head:
        raise FileProblem("it is empty (0 bytes); download or copy it again.")
    if head.startswith(b"SIMPLE  ="):
        return "fits"
    start = head.lstrip()[:14].lower()
    if start.startswith((b"<!doctype html", b"<html")):
        raise FileProblem("it is a web page and no spectrum; download it again.")
    if start.startswith((b"<?xml", b"<votable")):
        raise FileProblem("it is XML, perhaps a VOTable; download it as FITS, ECSV or CSV.")
    if b"\0" in head or not head.strip():
        raise FileProblem(f"it is neither FITS nor text, it begins with {head[:8]!r}; {KNOWN}.")
    return "text"


def _head(path: Path) -> bytes:
    with path.open("rb") as file:
        head = file.read(HEAD)
    return read_bytes(path)[:HEAD] if head[:2] == b"\x1f\x8b" else head
