"""The bytes of a model file: the layout of safetensors, a checksum, and nothing unchecked.

Eight bytes say how long the header is; the header is JSON that names every tensor's type, shape
and place; the tensors follow. The header begins with the format version and the checksum, at
places that never move, so that both are read before anything else is. Files are written so that a
crash, a full disk or an interrupt leaves the old one, or none.
"""

import hashlib
import json
import math
import os
import re
import secrets
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import numpy as np

from spectragan.exceptions import ModelFileError


def write_atomically(path: str | os.PathLike, chunks: Iterable[bytes | memoryview]) -> None:
    """Write a file under another name, flush it to disk, and only then give it its name.

    Parameters
    ----------
    path : path-like
        Replaced if it exists; a link is followed.
    chunks : iterable of bytes
        The content, in order.

    Raises
    ------
    OSError
        If it can't be written; nothing is left behind then.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from spectragan.files.layout import write_atomically
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_atomically(Path(folder) / "x", [b"spec", b"tra"])
    ...     (Path(folder) / "x").read_bytes(), len(list(Path(folder).iterdir()))
    (b'spectra', 1)
    """
    target = Path(os.path.realpath(path))
    # Beside the target: a rename is only atomic within one file system.
    temporary = target.with_name(f".{target.name[:100]}.{secrets.token_hex(8)}.tmp")
    try:
        # Exclusive: never through a link somebody put there. The umask sets the permissions.
        with open(temporary, "xb") as file:
            for chunk in chunks:
                file.write(chunk)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, target)
    finally:
        temporary.unlink(missing_ok=True)
    _flush_folder(target.parent)


def _flush_folder(folder: Path) -> None:
    """Make a new name survive a power cut, where the system can."""
    if os.name != "posix":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


DAMAGED = "it was damaged or changed: copy it again, or save the model again."
LONGEST_WORD = 60  # characters of what a file says that a message repeats


def refusal(rule: str, got: Any, remedy: str = DAMAGED) -> ModelFileError:
    """Return the error to raise.

    Parameters
    ----------
    rule : str
        What must hold.
    got : object
        What was found; a file's own words are shortened, and escaped.
    remedy : str
        What to do.

    Returns
    -------
    error : ModelFileError

    Examples
    --------
    >>> from spectragan.files.layout import refusal
    >>> print(refusal("the shape must fit", (1, 2), "save it again."))
    the shape must fit; got (1, 2); save it again.
    """
    return ModelFileError(f"{rule}; got {brief(got)}; {remedy}")


def brief(value: Any) -> str:
    """Return a short text in one line: strings as they are spelt, other values as repr."""
    text = value if isinstance(value, str) else repr(value)
    text = text.encode("ascii", "backslashreplace").decode()
    text = text.replace("\n", " ").replace("\r", " ").replace("\0", " ")
    return text if len(text) <= LONGEST_WORD else f"{text[: LONGEST_WORD - 3]}..."


DEEPEST = 60  # levels; models of this package have some 20
LONGEST_NUMBER = 40  # characters; the 128-bit state of a random generator has 39
STRINGS = re.compile(rb'"(?:[^"\\]|\\.)*+"', flags=re.DOTALL)


def read_json(text: bytes) -> Any:
    """Return what JSON says, or raise one sentence.

    Parameters
    ----------
    text : bytes
        UTF-8.

    Returns
    -------
    value : object

    Raises
    ------
    ModelFileError
        If it isn't JSON, or breaks a rule above.

    Examples
    --------
    >>> from spectragan.files.layout import read_json
    >>> read_json(b'{"a": [1, 2.5, "x"]}')
    {'a': [1, 2.5, 'x']}
    """
    if _depth(text) > DEEPEST:
        raise refusal(f"the header must be nested at most {DEEPEST} deep", "more")
    try:
        return json.loads(
            text.decode("utf-8"),
            object_pairs_hook=_unique,
            parse_constant=_no_constant,
            parse_int=_short_integer,
            parse_float=_finite_float,
        )
    except ModelFileError:
        raise  # has its sentence already
    except (ValueError, RecursionError) as error:
        raise refusal("the header must be JSON", "something else") from error


def write_json(value: Any) -> str:
    """Return JSON without spaces, the same for the same value.

    Parameters
    ----------
    value : object

    Returns
    -------
    text : str

    Examples
    --------
    >>> from spectragan.files.layout import write_json
    >>> write_json({"a": [1, 2.5]})
    '{"a":[1,2.5]}'
    """
    return json.dumps(value, separators=(",", ":"), allow_nan=False)


def _depth(text: bytes) -> int:
    """Return how deep brackets are nested, in one pass without recursion."""
    code = np.frombuffer(STRINGS.sub(b"", text), dtype=np.uint8)
    step = np.isin(code, list(b"[{")).astype(np.int32) - np.isin(code, list(b"]}"))
    return int(np.cumsum(step).max(initial=0))


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise refusal("the header must name everything once", "a key twice")
    return found


def _no_constant(name: str) -> float:
    raise refusal("the header must hold finite numbers", name)


def _short_integer(digits: str) -> int:
    if len(digits) > LONGEST_NUMBER:
        raise refusal("the header must hold short numbers", digits)
    return int(digits)


def _finite_float(text: str) -> float:
    value = float(text) if len(text) <= LONGEST_NUMBER else float("inf")
    if not np.isfinite(value):
        raise refusal("the header must hold finite numbers", text)
    return value


FORMAT_VERSION = 1
LONGEST_HEADER = 4 * 2**20  # bytes; most have 20 kB, and reading JSON takes 0.3 s per MB
MOST_TENSORS = 10_000
MOST_DIMENSIONS = 8
MOST_EMPTY = 2**20  # of a shape without elements, zeros left out
BLOCK = 2**20  # bytes hashed at once
BEGIN = b'{"__metadata__":{"format":"spectragan model","format_version":"'
HEAD = re.compile(re.escape(BEGIN) + rb'(\d{1,4})","sha256":"([0-9a-f]{64})",')
BLANK = b"0" * 64
# Names of types in safetensors, all little-endian.
TYPES = {
    "F64": "<f8",
    "I64": "<i8",
    "U64": "<u8",
    "F32": "<f4",
    "I32": "<i4",
    "U32": "<u4",
    "F16": "<f2",
    "I16": "<i2",
    "U16": "<u2",
    "I8": "|i1",
    "U8": "|u1",
    "BOOL": "|b1",
}
TYPE_OF = {np.dtype(code): name for name, code in TYPES.items()}
METADATA_KEYS = {"format", "format_version", "sha256", "about", "state"}
TENSOR_KEYS = {"dtype", "shape", "data_offsets"}


class ModelFile(NamedTuple):
    """What a model file holds.

    Attributes
    ----------
    about : dict
        For people: class, versions, grid, labels, parameters, scores.
    state : object
        The model as a tree that names tensors.
    tensors : dict of str to ndarray
    """

    about: dict[str, Any]
    state: Any
    tensors: dict[str, np.ndarray]


class _Place(NamedTuple):
    dtype: np.dtype
    shape: tuple[int, ...]
    start: int
    stop: int


def write_model_file(path: str | os.PathLike, content: ModelFile) -> None:
    """Write a model file; a failure leaves the old one, or none.

    Parameters
    ----------
    path : path-like
    content : ModelFile

    Raises
    ------
    ModelFileError
        If the header would be too long.
    OSError
        If the file can't be written.
    """
    # The widest types first: then every tensor is aligned.
    tensors = dict(sorted(content.tensors.items(), key=lambda item: -item[1].dtype.itemsize))
    header = _header(content, tensors)
    digest = hashlib.sha256()
    for chunk in _chunks(header, tensors):
        digest.update(chunk)
    start = len(BEGIN) + len(f'{FORMAT_VERSION}","sha256":"')
    header = header[:start] + digest.hexdigest().encode() + header[start + len(BLANK) :]
    write_atomically(path, _chunks(header, tensors))


def _header(content: ModelFile, tensors: Mapping[str, np.ndarray]) -> bytes:
    metadata = {
        "format": "spectragan model",
        "format_version": str(FORMAT_VERSION),
        "sha256": BLANK.decode(),
        "about": write_json(content.about),
        "state": write_json(content.state),
    }
    entries: dict[str, Any] = {"__metadata__": metadata}
    stop = 0
    for name, array in tensors.items():
        start, stop = stop, stop + array.nbytes
        entries[name] = {
            "dtype": TYPE_OF[array.dtype],
            "shape": list(array.shape),
            "data_offsets": [start, stop],
        }
    header = write_json(entries).encode()
    header += b" " * (-len(header) % 8)
    if len(header) > LONGEST_HEADER or len(tensors) > MOST_TENSORS:
        raise refusal(
            f"a model's settings must fit into {LONGEST_HEADER // 2**20} MB of text and "
            f"{MOST_TENSORS} arrays",
            f"{len(header)} bytes and {len(tensors)} arrays",
            "shorten its parameters.",
        )
    return header


def _chunks(header: bytes, tensors: Mapping[str, np.ndarray]) -> Iterator[bytes | memoryview]:
    yield len(header).to_bytes(8, "little")
    yield header
    for array in tensors.values():
        if array.size:
            yield _bytes_of(array)


def read_model_file(path: str | os.PathLike, *, tensors: bool = True) -> ModelFile:
    """Read a model file: checksum first, then the header, then the tensors.

    Parameters
    ----------
    path : path-like
    tensors : bool, default=True
        False leaves the tensors out.

    Returns
    -------
    content : ModelFile

    Raises
    ------
    ModelFileError
        If anything in it is not as `write_model_file` leaves it.
    OSError
        If there is no such file, or it can't be read.
    """
    with open(path, "rb") as file:
        size = os.fstat(file.fileno()).st_size
        length = _check_begin(file, size)
        file.seek(8)
        header = read_json(file.read(length))
        about, state = _read_metadata(header.pop("__metadata__"))
        places = {name: _read_place(name, entry) for name, entry in header.items()}
        _check_places(places, size - 8 - length)
        if not tensors:
            return ModelFile(about, state, {})
        found = {n: _read_tensor(file, 8 + length, n, place) for n, place in places.items()}
    return ModelFile(about, state, found)


def _check_begin(file: BinaryIO, size: int) -> int:
    """Check version and checksum; return the length of the header."""
    begin = file.read(8 + len(BEGIN) + 100)
    head = HEAD.match(begin, 8)
    if head is None:
        raise refusal(
            "the file must begin as a model file of spectragan does",
            "something else" if begin else "an empty file",
            "give a file that `save` wrote.",
        )
    version = int(head.group(1))
    if version != FORMAT_VERSION:
        raise refusal(
            f"the format version must be {FORMAT_VERSION}, the newest this spectragan reads",
            version,
            "install a newer spectragan.",
        )
    length = int.from_bytes(begin[:8], "little")
    if length > min(size - 8, LONGEST_HEADER) or length < head.end() - 8:
        raise refusal("the header must end within the file", f"a length of {length} bytes")
    if _digest(file, head.start(2)) != head.group(2).decode():
        raise refusal("the file must match its checksum", "other content")
    return length


def _digest(file: BinaryIO, place: int) -> str:
    """Return the checksum of the file with that in it blanked."""
    file.seek(0)
    digest = hashlib.sha256(file.read(place))
    digest.update(BLANK)
    file.seek(place + len(BLANK))
    while block := file.read(BLOCK):
        digest.update(block)
    return digest.hexdigest()


def _read_metadata(metadata: Any) -> tuple[dict[str, Any], Any]:
    if set(metadata) != METADATA_KEYS or not all(isinstance(v, str) for v in metadata.values()):
        raise refusal(f"the metadata must hold {sorted(METADATA_KEYS)}", sorted(metadata))
    texts = (metadata[name].encode("utf-8", "replace") for name in ("about", "state"))
    about, state = map(read_json, texts)
    if not isinstance(about, dict):
        raise refusal("what is said about the model must be a table", type(about).__name__)
    return about, state


def _read_place(name: str, entry: Any) -> _Place:
    name = brief(name)
    complete = isinstance(entry, dict) and set(entry) == TENSOR_KEYS
    if not complete or not isinstance(entry["dtype"], str) or entry["dtype"] not in TYPES:
        raise refusal(f"tensor {name!r} must have a type, a shape and offsets", entry)
    shape, offsets = entry["shape"], entry["data_offsets"]
    for numbers, most in ((shape, MOST_DIMENSIONS), (offsets, 2)):
        counts = isinstance(numbers, list) and all(type(n) is int and n >= 0 for n in numbers)
        if not counts or len(numbers) > most:
            raise refusal(f"tensor {name!r} must have a shape and offsets of counts", numbers)
    # Without elements a shape may be anything, so it has a limit of its own.
    if 0 in shape and math.prod(n or 1 for n in shape) > MOST_EMPTY:
        raise refusal(f"tensor {name!r} must have a shape of its size", shape)
    dtype = np.dtype(TYPES[entry["dtype"]])
    if len(offsets) != 2 or offsets[1] - offsets[0] != math.prod(shape) * dtype.itemsize:
        raise refusal(f"tensor {name!r} must be as long as its shape says", offsets)
    return _Place(dtype, tuple(shape), *offsets)


def _check_places(places: Mapping[str, _Place], size: int) -> None:
    """Raise unless the tensors follow each other and fill the file to its last byte."""
    if len(places) > MOST_TENSORS:
        raise refusal(f"the file must hold at most {MOST_TENSORS} tensors", len(places))
    end = 0
    for name, place in places.items():
        if place.start != end:
            raise refusal(f"tensor {name!r} must begin where the last one ends", place.start)
        end = place.stop
    if end != size:
        raise refusal("the tensors must fill the file", f"{end} of {size} bytes")


def _read_tensor(file: BinaryIO, begin: int, name: str, place: _Place) -> np.ndarray:
    array = np.empty(place.shape, place.dtype)
    if array.size:
        file.seek(begin + place.start)
        if file.readinto(_bytes_of(array)) != array.nbytes:  # type: ignore[attr-defined]
            raise refusal("the file must stay as it is while it is read", "another size")
    if place.dtype == bool and array.view(np.uint8).max(initial=0) > 1:
        raise refusal(f"tensor {name!r} must hold True or False", "other bytes")
    return array.astype(place.dtype.newbyteorder("="), copy=False)


def _bytes_of(array: Any) -> memoryview:
    return memoryview(array).cast("B")
