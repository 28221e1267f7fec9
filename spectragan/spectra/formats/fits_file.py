"""An open FITS file whose arrays come checked: there, whole, of the right kind and undamaged."""

import gzip
import math
import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from functools import cached_property
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from astropy.io import fits

from spectragan.spectra.formats.pixels import FileProblem, first_line
from spectragan.spectra.formats.plain_images import PlainImages

AGAIN = "download or copy it again"
KNOWN_HDUS = (
    *(fits.PrimaryHDU, fits.ImageHDU, fits.CompImageHDU),
    *(fits.BinTableHDU, fits.TableHDU, fits.GroupsHDU),
)
TABLES = (fits.BinTableHDU, fits.TableHDU)
CUT = f"the file is cut off; {AGAIN}."


class FitsFile:
    """One open FITS file.

    Parameters
    ----------
    stream : file
        Open for reading bytes, uncompressed.
    size : int
        Bytes of the (uncompressed) file.
    checksum : bool, default=True
        Compare data with its DATASUM where there is one.
    """

    def __init__(self, stream: BinaryIO, size: int, checksum: bool = True) -> None:
        self.stream, self.size, self.checksum = stream, size, checksum
        self.plain = PlainImages(stream)
        self.notes: list[str] = []  # what was assumed while data were read

    @cached_property
    def hdul(self) -> Any:
        """All HDUs, through astropy, opened without memory map when the first is asked for."""
        self.stream.seek(0)
        try:
            return fits.open(self.stream, memmap=False)
        except (OSError, ValueError, TypeError, KeyError, IndexError) as error:
            raise _damaged(error) from error

    def close(self) -> None:
        """Close what was opened."""
        if "hdul" in vars(self):
            self.hdul.close()

    def hdu(self, key: int | str) -> Any:
        """Return one HDU by number or name, or None."""
        try:
            return self.hdul[key]
        except (IndexError, KeyError):
            return None
        except (OSError, ValueError, TypeError) as error:
            raise _damaged(error) from error

    def header(self, key: int | str = 0) -> Any:
        """Return the header of one HDU; empty if there is no such HDU."""
        plain = self.plain.get(key)
        if plain is not None:
            return plain.header
        hdu = self.hdu(key)
        return fits.Header() if hdu is None else hdu.header

    def is_image(self, key: int | str, *, ndim: tuple[int, ...] = (1, 2)) -> bool:
        """Tell whether an HDU is an image with data of so many dimensions."""
        plain = self.plain.get(key)
        if plain is not None:
            return len(plain.shape) in ndim
        hdu = self.hdu(key)
        return bool(hdu is not None and hdu.is_image and hdu.header.get("NAXIS") in ndim)

    def is_table(self, key: int | str, *columns: str) -> bool:
        """Tell whether an HDU is a table with these columns (in any case)."""
        hdu = self.hdu(key)
        if not isinstance(hdu, TABLES):
            return False
        return set(columns) <= {name.lower() for name in hdu.columns.names}

    def image(self, key: int | str, what: str) -> np.ndarray:
        """Return the data of an image; `what` names it in messages."""
        plain = self.plain.get(key)
        if plain is not None and plain.shape:
            if plain.end > self.size:
                raise FileProblem(CUT)
            return self.plain.data(plain)
        hdu = self.hdu(key)
        if hdu is None or not hdu.is_image or not hdu.header.get("NAXIS"):
            raise FileProblem(
                f"HDU {key} must be an image with the {what}; got {_kind(hdu)}; "
                "check the format of the file."
            )
        return self._data(hdu, key, what)

    def table(self, key: int | str, what: str, *columns: str) -> Any:
        """Return the data of a table that has these columns."""
        hdu = self.hdu(key)
        if not isinstance(hdu, TABLES):
            raise FileProblem(
                f"HDU {key} must be a table with the {what}; got {_kind(hdu)}; "
                "check the format of the file."
            )
        missing = [name for name in columns if not self.is_table(key, name)]
        if missing:
            raise FileProblem(
                f"the table in HDU {key} must have a column {missing[0]!r}; got "
                f"{', '.join(hdu.columns.names[:8]) or 'none'}; check the format of the file."
            )
        return self._data(hdu, key, what)

    def column(self, key: int | str, *names: str) -> np.ndarray | None:
        """Return the first of some columns of a table, or None if there is none of them."""
        name = next((name for name in names if self.is_table(key, name)), None)
        return None if name is None else np.asarray(self.table(key, f"column {name!r}")[name])

    def numbers(self, key: int | str, *names: str) -> np.ndarray | None:
        """Return the first of some columns as one number per row, averaged over bands."""
        values = self.column(key, *names)
        if values is None or values.dtype.kind not in "fiu":
            return None
        values = values.astype(float).reshape(len(values), -1)
        good = np.isfinite(values)
        with np.errstate(invalid="ignore"):
            return np.where(good, values, 0).sum(axis=1) / good.sum(axis=1)

    def _data(self, hdu: Any, key: int | str, what: str) -> Any:
        place = hdu.fileinfo()
        if place is not None and place["datLoc"] + hdu.size > self.size:
            raise FileProblem(CUT)
        try:
            if self.checksum and not _matches_datasum(hdu):
                self._refuse_unless_stale(hdu, key, what)
            data = hdu.data
        except (OSError, ValueError, TypeError, IndexError, KeyError, AttributeError) as error:
            raise _damaged(error) from error
        if data is None or np.size(data) == 0:
            raise FileProblem(f"HDU {key} must hold the {what}; got no data; {AGAIN}.")
        return data

    def _refuse_unless_stale(self, hdu: Any, key: int | str, what: str) -> None:
        """Raise if data don't match their checksum, unless the checksum is of earlier data."""
        told = f"the {what} in HDU {key} does not match its checksum (DATASUM)"
        if not _is_stale(hdu.header):
            raise FileProblem(f"{told}, so bytes have changed; {AGAIN}, or pass checksum=False.")
        self.notes.append(
            f"{told}, which is of other data, since programs such as IRAF keep the one they find; "
            "pass checksum=False to leave it"
        )


def _is_stale(header: Any) -> bool:
    """Tell whether a checksum is older than the data: of an empty HDU, or before IRAF wrote."""
    if str(header["DATASUM"]).strip() == "0":
        return True
    summed, written = (
        _time(text) for text in (header.comments["DATASUM"], str(header.get("IRAF-TLM", "")))
    )
    return written is not None and (summed is None or written > summed)


def _time(text: str) -> datetime | None:
    """Return the time in a text, as astropy and the archives or IRAF write it, or None."""
    iso = re.search(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d", text)
    iraf = re.search(r"(\d\d:\d\d:\d\d) \((\d\d/\d\d/\d{4})\)", text)
    try:
        if iso:
            return datetime.fromisoformat(iso[0])
        return datetime.strptime(f"{iraf[1]} {iraf[2]}", "%H:%M:%S %d/%m/%Y") if iraf else None
    except ValueError:  # a month of 13
        return None


def _matches_datasum(hdu: Any) -> bool:
    """Tell whether data are what the checksum was made of; without a checksum they are."""
    if not str(hdu.header.get("DATASUM", "")).strip().isdigit():
        return True
    if isinstance(hdu, fits.CompImageHDU) or getattr(hdu, "_data_loaded", False):
        return True
    return hdu.verify_datasum() != 0


def _kind(hdu: Any) -> str:
    if hdu is None:
        return "no such HDU"
    if isinstance(hdu, TABLES):
        return "a table"
    n_axes = hdu.header.get("NAXIS", 0)
    return f"a {n_axes}-D image" if n_axes else "no data"


def _damaged(error: Exception) -> FileProblem:
    said = first_line(error).partition(", fix it first")[0]
    return FileProblem(f"it is damaged FITS ({said}); {AGAIN}.")


@contextmanager
def open_fits(path: Path, checksum: bool = True) -> Iterator[FitsFile]:
    """Open a FITS file, compressed with gzip or not."""
    with path.open("rb") as stream:  # astropy would leave a damaged file open
        file = FitsFile(*_source(stream, path), checksum)
        try:
            yield file
        except fits.VerifyError as error:  # a header card, which may be asked for anywhere
            raise _damaged(error) from error
        finally:
            file.close()


def _source(stream: BinaryIO, path: Path) -> tuple[BinaryIO, int]:
    """Return what to read from, uncompressed, and how many bytes that has."""
    is_zipped = stream.read(2) == b"\x1f\x8b"
    stream.seek(0)
    if not is_zipped:
        return stream, path.stat().st_size
    content = read_bytes(path)
    return BytesIO(content), len(content)


def read_bytes(path: Path) -> bytes:
    """Return the content of a file, uncompressed."""
    content = path.read_bytes()
    if content[:2] != b"\x1f\x8b":
        return content
    try:
        return gzip.decompress(content)
    except EOFError as error:
        raise FileProblem(CUT) from error
    except Exception as error:  # zlib.error is no OSError
        raise FileProblem(f"it is damaged gzip ({first_line(error)}); {AGAIN}.") from error


def check_whole(file: FitsFile) -> None:
    """Raise if an HDU, or what follows the last one, can't be read: errors may have been there."""
    for i, hdu in enumerate(file.hdul):
        if not isinstance(hdu, KNOWN_HDUS):
            raise FileProblem(f"the header of HDU {i} is damaged; {AGAIN}.")
    place = file.hdul[-1].fileinfo()
    end = file.size if place is None else place["datLoc"] + place["datSpan"]
    if end < file.size:
        raise FileProblem(
            f"{file.size - end} bytes after HDU {len(file.hdul) - 1} are no FITS, an HDU is cut "
            f"off or damaged; {AGAIN}."
        )


def number(header: Any, *names: str) -> float:
    """Return the first of some header values that is a number, or NaN.

    Programs that copy headers as text, such as TOPCAT, write numbers as words.
    """
    for name in names:
        value = header.get(name)
        if isinstance(value, bool) or not isinstance(value, int | float | str):
            continue
        try:
            as_number = float(value)
        except ValueError:
            continue
        if math.isfinite(as_number):
            return as_number
    return math.nan


def required_number(header: Any, hdu: int | str, *names: str) -> float:
    """Return the first of some header values that is a number, or raise."""
    value = number(header, *names)
    if math.isnan(value):
        got = header.get(names[0])
        raise FileProblem(
            f"the header of HDU {hdu} must have {' or '.join(names)}, a number; got {got!r}; "
            "check the format of the file."
        )
    return value


def word(header: Any, *names: str) -> str | None:
    """Return the first of some header values that isn't empty, as a word, or None."""
    values = (str(header.get(name, "")).strip() for name in names)
    return next((value for value in values if value), None)
