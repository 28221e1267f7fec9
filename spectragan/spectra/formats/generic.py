"""FITS spectra of nobody in particular: an image with its axis in the header, or a table."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from spectragan.spectra.formats.columns import (
    as_names,
    is_spectrum,
    named_by_caller,
    read_columns,
)
from spectragan.spectra.formats.fits_file import FitsFile, check_whole, word
from spectragan.spectra.formats.images import chosen_image, has_axes, hdu_name, read_image
from spectragan.spectra.formats.media import header_medium
from spectragan.spectra.formats.pixels import FileProblem, Pixels, ReadOptions
from spectragan.spectra.formats.roles import (
    ROLES,
    Column,
    bits_as_flags,
    find_role,
    is_beside_flux,
    with_nan,
)

# Names of image HDUs, beside those of columns.
FLUX_HDUS = [*ROLES["flux"].names, "sci", "data", "spec"]
# Names of HDUs beside the flux that are no further spectra of the star.
BESIDE = {"cont", "fit", "lines", "response", "exposure", "snr", "sn", "weight", "weights"}
# Cards with the name of a star, in headers of surveys and of people.
NAMES = (
    *("OBJECT", "TARGNAME", "TARGET", "ESO OBS TARG NAME"),
    *(n.upper() for n in ROLES["identity"].names if n not in ("source", "label", "uid")),
    *("TARG_ID", "TARGNAM", "SPECID", "GAIADR3", "OBJ_NAME", "TICID", "KEPLERID"),
)


def identify_generic(file: FitsFile) -> bool:
    """Tell whether a FITS file may hold a spectrum at all; the reader says what is missing."""
    return True


def read_generic(file: FitsFile, options: ReadOptions) -> Pixels:
    """Return the only spectrum of a file, or a stack of them, in an image or a table."""
    check_whole(file)
    key = _flux_of_caller(file, options)
    key = _only(file, _flux_images(file)) if key is None else key
    if key is not None:
        return _with_names(read_image(file, key, options, star_name(file, key)), file)
    tables = {i: _columns(file, i, options) for i in range(len(file.hdul)) if file.is_table(i)}
    key = _only(file, _most_telling(file, [i for i in tables if is_spectrum(tables[i])]))
    if key is None and tables:
        key = next(iter(tables))  # whose reader says which columns it must have
    if key is not None:
        header = file.header(key)
        medium = _class_medium(header, tables[key]) or header_medium(header, file.header())
        return read_columns(tables[key], options, medium=medium, name=star_name(file, key))
    key = _only(file, _most_telling(file, [i for i in range(len(file.hdul)) if has_axes(file, i)]))
    if key is None:
        raise FileProblem("it holds neither an image nor a table; check how it was written.")
    return _with_names(read_image(file, key, options, star_name(file, key)), file)


def _with_names(pixels: Pixels, file: FitsFile) -> Pixels:
    """Return a stack with the names of its stars, if there is a table with one in each row."""
    n_rows = len(pixels.flux) if pixels.flux.ndim == 2 else 1
    keys = [i for i in range(len(file.hdul)) if file.is_table(i)] if n_rows > 1 else []
    for columns in (fits_columns(file, key) for key in keys):
        name = find_role(columns, "identity")
        if name is not None and columns[name].values.shape == (n_rows,):
            return replace(pixels, ids=as_names(columns[name].values))
    return pixels


def _flux_of_caller(file: FitsFile, options: ReadOptions) -> int | None:
    """Return the image HDU that the caller calls flux, if there is no table it could be in."""
    if not isinstance(options.columns, Mapping) or "flux" not in options.columns:
        return None
    said = options.columns["flux"]
    in_table = isinstance(said, int) and any(file.is_table(i) for i in range(len(file.hdul)))
    return None if in_table else chosen_image(file, said)


def _columns(file: FitsFile, key: int, options: ReadOptions) -> dict[str, Column]:
    return named_by_caller(fits_columns(file, key), options)


def _class_medium(header: Any, columns: dict[str, Column]) -> str | None:
    """Return the medium by ESO's standard (Phase 3): "em.wl" is vacuum unless it says air."""
    if not str(header.get("VOCLASS", "")).upper().startswith("SPECTRUM"):
        return None
    ucds = [column.ucd.lower() for column in columns.values()]
    said = [ucd.split(";") for ucd in ucds if ucd.split(";")[0] == "em.wl"]
    return "vacuum" if any("obs.atmos" not in words for words in said) else None


def star_name(file: FitsFile, key: int) -> str | None:
    """Return the name of the star in the header of an HDU, else in the primary one."""
    return word(file.header(key), *NAMES) or word(file.header(), *NAMES)


def _flux_images(file: FitsFile) -> list[int]:
    """Return the images to read before any table: those named so, else the primary HDU.

    Images beside the primary HDU count, too, if they have an axis and no name that says what
    else they are: they may be further spectra.
    """
    images = [i for i in range(len(file.hdul)) if has_axes(file, i)]
    named = [i for i in images if hdu_name(file, i) in FLUX_HDUS]
    if named or 0 not in images:
        return named
    rest = [i for i in images[1:] if "CRVAL1" in file.header(i) and not _is_beside(file, i)]
    return [0, *rest]


def _is_beside(file: FitsFile, key: int) -> bool:
    """Tell whether an HDU says that it is no further spectrum: by its name, or as ESO has it."""
    said = str(file.header(key).get("HDUCLAS2", "")).strip()
    name = hdu_name(file, key)
    return said in ("ERROR", "QUALITY") or name in BESIDE or is_beside_flux(name)


def _most_telling(file: FitsFile, keys: list[int]) -> list[int]:
    """Return the HDUs that are named like flux, else those with an axis, else all of them."""
    spectra = [key for key in keys if not _is_beside(file, key)] or keys
    named = [key for key in spectra if hdu_name(file, key) in FLUX_HDUS]
    return named or [key for key in spectra if "CRVAL1" in file.header(key)] or spectra


def _only(file: FitsFile, keys: list[int]) -> int | None:
    """Return the only HDU that may hold the spectrum; to choose one would lose the others."""
    if len(keys) > 1:
        names = ", ".join(f"HDU {key} {hdu_name(file, key).upper()}".strip() for key in keys[:8])
        raise FileProblem(
            f"it must hold one spectrum, or a table with a spectrum per row; got {names}; name "
            "one of them FLUX, or pass for example columns={'flux': 0, 'error': 1}."
        )
    return keys[0] if keys else None


def fits_columns(file: FitsFile, key: int | str) -> dict[str, Column]:
    """Return the columns of a table by their names in small letters; a single row is a spectrum."""
    data, header = file.table(key, "spectrum"), file.header(key)
    if any(isinstance(column.null, str) and column.null for column in file.hdul[key].columns):
        raise FileProblem(
            f"the ASCII table in HDU {key} must have no TNULL, which reads as 0; got one; write it "
            "as a binary table."
        )
    columns = {}
    for i, column in enumerate(file.hdul[key].columns, start=1):
        ucd, utype = (str(header.get(f"{card}{i}", "")) for card in ("TUCD", "TUTYP"))
        comments = [header.comments[f"TTYPE{i}"]] if f"TTYPE{i}" in header else []
        comments += [str(header[f"{c}{i}"]) for c in ("TCOMM", "TDESC") if f"{c}{i}" in header]
        values = _without_null(_values(data[column.name]), column)
        values = bits_as_flags(values, str(column.format).endswith("X"))
        name = column.name.strip().lower()
        columns[name] = Column(values, column.unit, ucd, utype, "; ".join(comments))
    return columns


def _without_null(values: np.ndarray, column: Any) -> np.ndarray:
    """Return numbers with NaN where the file says that there is no value (TNULL), scaled or not."""
    if not isinstance(column.null, int) or values.dtype.kind not in "iuf":
        return values
    null = column.null * (column.bscale or 1) + (column.bzero or 0)
    if values.dtype.kind in "iu":
        return with_nan(values, values == null)
    return with_nan(values, np.isclose(values, null, rtol=1e-12, atol=0))


def _values(values: np.ndarray) -> np.ndarray:
    array = np.asarray(values)
    if array.dtype.kind == "O":  # variable-length arrays: fine if they are as long in every row
        lengths = {len(value) for value in array}
        array = np.stack(list(array)) if len(lengths) == 1 else array
    return array.astype(array.dtype.newbyteorder("="))
