"""`read_spectra`: spectra of many files, whatever survey they are of."""

import os
import warnings
from collections import deque
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from glob import glob, has_magic
from itertools import islice
from pathlib import Path
from typing import Any

import astropy.units as u
import numpy as np
from astropy.table import Table
from astropy.utils.exceptions import AstropyWarning

from spectragan.exceptions import (
    NaNFluxWarning,
    SkippedFileWarning,
    SpectrumFileError,
    UnusedDataWarning,
)
from spectragan.rules import VERBOSE, check, count, one_of
from spectragan.spectra.checks import MEDIUM
from spectragan.spectra.container import Spectra
from spectragan.spectra.formats.axis_file import given_axis
from spectragan.spectra.formats.joined import JoinedFiles
from spectragan.spectra.formats.one_file import KNOWN, read_file
from spectragan.spectra.formats.pixels import FileProblem, ReadOptions, first_line, medium_of
from spectragan.spectra.formats.registry import named, nearest
from spectragan.spectra.formats.roles import ROLES
from spectragan.spectra.formats.units import given_axis_unit
from spectragan.spectra.summary import progress_bar

ERRORS = one_of("raise", "skip", remedy="skip reads the files that can be read")
MASK = one_of("bad", "good", "ignore", None, remedy="say what a value other than 0 means")
Paths = str | os.PathLike[str] | Iterable[str | os.PathLike[str]]
# What one file gives: its spectra and the number of NaN that no mask announces, or why not.
Outcome = tuple[Spectra, int] | SpectrumFileError
# Files read ahead of the one that is joined, times `n_jobs`: all that memory holds twice.
AHEAD = 4


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
    wavelength: Any = None,
    grid: Any = None,
    columns: Any = None,
    mask: str | None = None,
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
        "SDSS", "spSpec", "LAMOST", "GALAH", "DESI", "OneSpec", "Gaia XP", "FITS", "table", or the
        name of a loader of specutils.
    errors : {"raise", "skip"}, default="raise"
        What to do with a file that can't be read.
    return_skipped : bool, default=False
        Return the table of skipped files, too.
    visits : bool, default=False
        Read also the visits of a star where a file has them behind the combined spectrum (apStar).
        It changes nothing in files of other formats.
    arm : str, default=None
        Which part of files that hold several grids: "b", "r" or "z" (DESI), "b" or "r" (LAMOST of
        medium resolution), "boss" or "apogee" (mwm). Other formats have no
        parts, and must be read with None.
    medium : {"air", "vacuum"}, default=None
        What the wavelengths of "FITS" and "table" were measured in, if the files don't say.
    wavelength_unit, flux_unit : str or astropy.units.UnitBase, default=None
        Units of "FITS", "table" and "Gaia XP", for files that don't say, or say wrong. Errors that
        are labelled like the flux are then in `flux_unit`, too. Logarithms of wavelengths are said
        as "log10(Angstrom)" or "ln(Angstrom)".
    wavelength : Quantity of shape (n_pixels,), or path, default=None
        The wavelengths of files that have none: models keep them in a file of their own. What has
        other wavelengths is resampled onto these.
    grid : Quantity of shape (n_new_pixels,), or path, default=None
        Wavelengths to resample all spectra onto, where every file has a grid of its own; flux is
        conserved, and masks and errors follow it, see `Resampler`.
    columns : sequence of str, or dict, default=None
        What the columns of a "table" or "FITS" table are, where they have other names or none:
        names in their order, as ("wavelength", "flux", "error"), or a column for each role, as
        {"wavelength": "x", "flux": "f1", "error": 2}. Of image HDUs, too: {"flux": 0, "error": 1}.
    mask : {"bad", "good", "ignore"}, default=None
        What a value other than 0 means in masks of "FITS" and "table". None takes it for bad, and
        asks if most pixels would be.
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
    UnusedDataWarning
        If something is as long as the flux and isn't used.
    FileAssumptionWarning
        If a file leaves something open, such as the names of its columns.

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
    check(mask, "mask", MASK)
    _check_columns(columns)
    options = ReadOptions(
        path=Path(),
        visits=visits,
        arm=arm,
        medium=medium,
        wavelength_unit=given_axis_unit(wavelength_unit),
        flux_unit=_unit(flux_unit),
        checksum=checksum,
        columns=columns,
        mask=mask,
    )
    axis, said = given_axis(wavelength, "wavelength", options)
    options = replace(options, wavelength=axis, grid=given_axis(grid, "grid", options)[0])
    options = replace(options, medium=medium_of(said, medium))
    jobs = [(options.of(path), format) for path in find_files(paths)]
    joined, lost, failures = _collect(jobs, errors, check(n_jobs, "n_jobs", count()), verbose)
    if joined.first is None:
        raise failures[0][1]
    _report(failures, len(jobs), lost)
    _report_notes([job_options for job_options, _ in jobs])
    spectra = joined.spectra()
    return (spectra, _skipped_table(failures)) if return_skipped else spectra


def _check_columns(columns: Any) -> None:
    if columns is None:
        return
    if isinstance(columns, Mapping):
        wrong = [role for role in columns if role not in ROLES]
        if wrong:
            raise ValueError(
                f"the keys of `columns` must be among {', '.join(ROLES)}; got {wrong[0]!r}; "
                "correct it."
            )
        return
    words = not isinstance(columns, str) and isinstance(columns, Sequence)
    if not words or not all(name is None or isinstance(name, str) for name in columns):
        raise TypeError(
            "`columns` must be a list of names, or a dict of roles; got "
            f"{columns!r}; write for example ('wavelength', 'flux', 'error')."
        )


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


def _collect(jobs, errors, n_jobs, verbose) -> tuple[JoinedFiles, list, list]:
    """Return what could be read, where flux was lost, and what could not be read, in order."""
    joined, lost, failures = JoinedFiles(len(jobs)), [], []
    # Only astropy's own warnings are silenced: what is wrong with a file is said by the errors.
    with warnings.catch_warnings(), closing(_outcomes(jobs, n_jobs, verbose)) as outcomes:
        warnings.simplefilter("ignore", AstropyWarning)
        for (options, _), outcome in zip(jobs, outcomes, strict=True):
            if not isinstance(outcome, SpectrumFileError):
                joined.add(options.path, outcome[0])
                lost += [(options.path, outcome[1])] * bool(outcome[1])
            elif errors == "raise":
                raise outcome
            else:
                failures.append((options.path, outcome))
    return joined, lost, failures


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
    todo = iter(jobs)
    running: deque[Future[Outcome]] = deque()
    try:
        for job in islice(todo, AHEAD * n_jobs):
            running.append(pool.submit(_read_one, job))
        while running:
            yield running.popleft().result()
            running.extend(pool.submit(_read_one, job) for job in islice(todo, 1))
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


def _report_notes(files: list[ReadOptions]) -> None:
    """Say once for each kind what a user should know of the files."""
    unused = [(o.path, n.text) for o in files for n in o.notes if n.category is UnusedDataWarning]
    if unused:
        names = list(dict.fromkeys(name for _, text in unused for name in text.split(", ")))
        warnings.warn(
            f"{len(unused)} files, the first is `{unused[0][0]}`, have data as long as the flux "
            f"that aren't used: {', '.join(names[:12])}; pass `columns` if they are errors or a "
            "mask.",
            UnusedDataWarning,
            stacklevel=3,
        )
    others = [(o.path, n) for o in files for n in o.notes if n.category is not UnusedDataWarning]
    for note in dict.fromkeys(note for _, note in others):
        paths = [path for path, other in others if other == note]
        warnings.warn(
            f"{len(paths)} files, the first is `{paths[0]}`: {note.text}.",
            note.category,
            stacklevel=3,
        )


def _skipped_table(failures: list[tuple[Path, SpectrumFileError]]) -> Table:
    names = [str(path) for path, _ in failures]
    causes = [str(error).removeprefix(f"`{path}`: ") for path, error in failures]
    columns = [np.array(values, dtype=str) for values in (names, causes)]
    return Table(columns, names=("file", "cause"))
