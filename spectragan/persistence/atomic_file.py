"""Write a file so that a crash, a full disk or an interrupt leaves the old one, or none."""

import os
import secrets
from collections.abc import Iterable
from pathlib import Path


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
    >>> from spectragan.persistence.atomic_file import write_atomically
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
