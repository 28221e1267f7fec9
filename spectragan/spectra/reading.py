"""`read_spectra`: spectra of many files, whatever survey they are of."""

import os
import warnings
from collections.abc import Generator, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from glob import glob, has_magic
from pathlib import Path
from typing import Any

import astropy.units as u
import numpy as np
from astropy.table import Table
from astropy.utils.exceptions import AstropyWarning

from spectragan.exceptions import (
    GridMismatchError,
    NaNFluxWarning,
    SkippedFileWarning,
    SpectrumFileError,
)
from spectragan.rules import VERBOSE, check, count, one_of
from spectragan.spectra.checks import MEDIUM
from spectragan.spectra.container import Spectra
from spectragan.spectra.formats.one_file import KNOWN, read_file
from spectragan.spectra.formats.pixels import FileProblem, ReadOptions, first_line
from spectragan.spectra.formats.registry import named, nearest
from spectragan.spectra.joining import concatenate, grid_difference
from spectragan.spectra.summary import progress_bar

ERRORS = one_of("raise", "skip", remedy="skip reads the files that can be read")
Paths = str | os.PathLike[str] | Iterable[str | os.PathLike[str]]
# What one file gives: its spectra and the number of NaN that no mask announces, or why not.
Outcome = tuple[Spectra, int] | SpectrumFileError


def read_spectra(
    paths: Paths,
    format: str | None = None,
    *,
    errors: str = "raise",
    return_skipped: bool = False,
    visits: bool = False,
    arm: str | None = None,
    medium: str | None = None,
    wavelength_unit: Any = None,
    flux_unit: Any = None,
    checksum: bool = True,
    n_jobs: int = 4,
    verbose: int = 1,
) -> Spectra | tuple[Spectra, Table]:
    """Read spectra from files, with errors, masks and what the files say of each star.

    Parameters
    ----------
    paths : path, pattern, or iterable of them
        A file, a pattern such as ``"~/stars/*.fits"`` (files in the order of their names), or
        several of both. Files may be compressed with gzip.
    format : str, default=None
        None recognises each file by its content. Else "apStar", "aspcapStar", "apVisit", "mwm",
        "SDSS", "LAMOST", "GALAH", "DESI", "Gaia XP", "FITS", "table", or the name of a loader of
        specutils.
    errors : {"raise", "skip"}, default="raise"
        What to do with a file that can't be read.
    return_skipped : bool, default=False
        Return the table of skipped files, too.
    visits : bool, default=False
        Read also the visits of a star where a file has them behind the combined spectrum (apStar).
        It changes nothing in files of other formats.
    arm : str, default=None
        Which part of files that hold several grids: "b", "r" or "z" (DESI), "boss" or "apogee"
        (mwm). Other formats have no parts, and must be read with None.
    medium : {"air", "vacuum"}, default=None
        What the wavelengths of "FITS" and "table" were measured in, if the files don't say.
    wavelength_unit, flux_unit : str or astropy.units.UnitBase, default=None
        Units of "FITS", "table" and "Gaia XP", for files that don't say, or say wrong. Errors that
        are labelled like the flux are then in `flux_unit`, too.
    checksum : bool, default=True
        Refuse data that don't match the checksum (DATASUM) of their file.
    n_jobs : int, default=4
        Files to read at a time, in threads: they hide a slow disk, and cost nothing on a fast one.
    verbose : int, default=1
        0 shows no progress bar.

    Returns
    -------
    spectra : Spectra
        All spectra in the order of the files. ``meta`` holds "id", "snr", "rv" (km/s), "visit" (0
        is a combined spectrum), "file" and "format"; NaN where a file doesn't say. Where spectra
        are at rest (apStar, aspcapStar, mwm), "rest_frame_velocity" holds "rv", too.
    skipped : astropy.table.Table
        Columns "file" and "cause", only with ``return_skipped=True``.

    Raises
    ------
    SpectrumFileError
        If a file can't be read: one sentence with the file, the cause and what to do.
    GridMismatchError
        If two files are on different wavelength grids.
    ValueError, TypeError
        If a parameter has another value than those above.

    Warns
    -----
    SkippedFileWarning
        If files were skipped.
    NaNFluxWarning
        If flux is NaN where no mask says so; such pixels get ivar 0.

    See Also
    --------
    as_spectra : From specutils objects and arrays.

    Notes
    -----
    Pixels that a file calls bad, or that have no positive error, get ivar 0. The user guide says
    which bits of which mask these are.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from spectragan import read_spectra
    >>> lines = ["wavelength [nm],flux,error", "500,1.0,0.1", "501,0.9,0.1", "502,1.0,0"]
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "star.csv")
    ...     _ = path.write_text(chr(10).join(lines))
    ...     s = read_spectra(path)
    >>> s
    Spectra(1 spectra, 3 pixels, 5000-5020 Angstrom, noise known, float64)
    >>> s.meta["id"], s.mask.tolist()
    (['star'], [[False, False, True]])
    """
    _check_format(format)
    check(errors, "errors", ERRORS)
    check(verbose, "verbose", VERBOSE)
    check(medium, "medium", MEDIUM)
    options = ReadOptions(
        Path(), visits, arm, medium, _unit(wavelength_unit), _unit(flux_unit), checksum
    )
    files = find_files(paths)
    jobs = [(replace(options, path=path), format) for path in files]
    results, failures = _collect(jobs, errors, check(n_jobs, "n_jobs", count()), verbose)
    if not results:
        raise failures[0][1]
    _report(failures, len(files), [(path, n) for path, (_, n) in results if n])
    spectra = _join([(path, part) for path, (part, _) in results])
    return (spectra, _skipped_table(failures)) if return_skipped else spectra


def _check_format(format: str | None) -> None:
    if format is not None and not isinstance(format, str):
        raise TypeError(f"`format` must be a name or None; got {type(format).__name__}; {KNOWN}.")
    if format is None or named(format):
        return
    from spectragan.spectra.formats.specutils_loaders import loader_names

    if format not in loader_names():
        raise ValueError(
            f"`format` must be one that can be read; got {format!r}{nearest(format)}; {KNOWN}."
        )


def _unit(unit: Any) -> u.UnitBase | None:
    if unit is None:
        return None
    try:
        return u.Unit(unit)
    except (ValueError, TypeError) as error:
        raise ValueError(
            f"a unit must be one that astropy reads; got {unit!r}; write for example 'nm'."
        ) from error


def find_files(paths: Paths) -> list[Path]:
    """Return the files that paths and patterns mean, in order."""
    if not isinstance(paths, str | os.PathLike | Iterable):
        raise TypeError(
            f"`paths` must be a path, a pattern or a list of them; got {type(paths).__name__}; "
            "use as_spectra for spectra that are in memory."
        )
    items = [paths] if isinstance(paths, str | os.PathLike) else list(paths)
    if not items:
        raise ValueError("`paths` must hold at least one file; got none; check the list.")
    for item in items:
        if not isinstance(item, str | os.PathLike):
            raise TypeError(
                f"`paths` must hold paths or patterns; got {type(item).__name__}; "
                "use as_spectra for spectra that are in memory."
            )
    return [path for item in items for path in _expand(os.fspath(item))]


def _expand(text: Any) -> list[Path]:
    path = Path(os.fsdecode(text)).expanduser()
    if path.exists() or not has_magic(str(path)):
        return [path]
    found = [Path(name) for name in sorted(glob(str(path), recursive=True))]
    files = [path for path in found if path.is_file()]
    if not files:
        raise SpectrumFileError(f"`{path}`: no file fits this pattern; check the path.")
    return files


def _collect(jobs, errors, n_jobs, verbose) -> tuple[list, list]:
    """Return what could be read and what could not, each with its path, in order."""
    results, failures = [], []
    # Only astropy's own warnings are silenced: what is wrong with a file is said by the errors.
    with warnings.catch_warnings(), closing(_outcomes(jobs, n_jobs, verbose)) as outcomes:
        warnings.simplefilter("ignore", AstropyWarning)
        for (options, _), outcome in zip(jobs, outcomes, strict=True):
            if not isinstance(outcome, SpectrumFileError):
                results.append((options.path, outcome))
            elif errors == "raise":
                raise outcome
            else:
                failures.append((options.path, outcome))
    return results, failures


def _outcomes(jobs, n_jobs: int, verbose: int) -> Generator[Outcome, None, None]:
    hidden = not verbose or len(jobs) == 1
    with progress_bar(description="reading", unit="file", total=len(jobs), hidden=hidden) as bar:
        for outcome in _in_order(jobs, min(n_jobs, len(jobs))):
            bar.update()
            yield outcome


def _in_order(jobs, n_jobs: int) -> Iterator[Outcome]:
    if n_jobs == 1:
        yield from map(_read_one, jobs)
        return
    pool = ThreadPoolExecutor(n_jobs)
    try:
        yield from pool.map(_read_one, jobs)
    finally:
        pool.shutdown(cancel_futures=True)


def _read_one(job: tuple[ReadOptions, str | None]) -> Outcome:
    """Return the spectra of a file, or the error that says why there are none."""
    options, format_name = job
    try:
        return read_file(options, format_name)
    except Exception as error:  # nothing that a strange file does to astropy may reach the user
        failure = SpectrumFileError(f"`{options.path}`: {_explain(error)}")
        failure.__cause__ = error
        return failure


def _explain(error: Exception) -> str:
    if isinstance(error, FileProblem):
        return str(error)
    if isinstance(error, OSError):
        said = error.strerror or first_line(error)
        return f"it can't be opened ({said}); check its permissions."
    said = f"{type(error).__name__}: {first_line(error)}"
    return f"it can't be read ({said}); check that the file is whole."


def _report(failures: list, n_files: int, lost: list[tuple[Path, int]]) -> None:
    if failures:
        warnings.warn(
            f"{len(failures)} of {n_files} files are skipped, the first is {failures[0][1]} "
            "Pass return_skipped=True for a table of them.",
            SkippedFileWarning,
            stacklevel=3,
        )
    if lost:
        warnings.warn(
            f"{sum(n for _, n in lost)} pixels of flux in {len(lost)} files, the first is "
            f"`{lost[0][0]}`, are NaN or infinite; they are ignored (ivar 0).",
            NaNFluxWarning,
            stacklevel=3,
        )


def _join(parts: list[tuple[Path, Spectra]]) -> Spectra:
    first_path, first = parts[0]
    for path, part in parts[1:]:
        difference = grid_difference(first, part)
        if difference is not None:
            raise GridMismatchError(
                f"`{first_path}` and `{path}` must be on one wavelength grid; got {difference}; "
                "read the files of each grid apart and resample them onto one."
            )
        if not part.unit.is_equivalent(first.unit):
            raise SpectrumFileError(
                f"`{path}`: its flux unit must convert to that of `{first_path}`, "
                f"{str(first.unit)!r}; got {str(part.unit)!r}; pass flux_unit, or normalise both."
            )
    return first if len(parts) == 1 else concatenate([part for _, part in parts])


def _skipped_table(failures: list[tuple[Path, SpectrumFileError]]) -> Table:
    names = [str(path) for path, _ in failures]
    causes = [str(error).removeprefix(f"`{path}`: ") for path, error in failures]
    columns = [np.array(values, dtype=str) for values in (names, causes)]
    return Table(columns, names=("file", "cause"))
