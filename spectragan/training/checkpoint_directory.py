"""The files of a directory of checkpoints: their names, which are there, which may go."""

import re
import warnings
from pathlib import Path
from typing import Any

from spectragan.exceptions import CheckpointError, CheckpointWarning
from spectragan.persistence.atomic_file import write_atomically
from spectragan.training.checkpoint_file import read_about

KEPT = 2  # checkpoints of a net: should the newest be damaged, there is one before it
NAME = re.compile(r"net(\d+)-epoch(\d+)\.safetensors")


def checkpoint_path(directory: Path, number: int, epoch: int) -> Path:
    """Return the path of a checkpoint.

    Parameters
    ----------
    directory : Path
    number : int
        Which net of the fit.
    epoch : int
        How many it has trained for.

    Returns
    -------
    path : Path
    """
    return directory / f"net{number}-epoch{epoch:05}.safetensors"


def drop_older(directory: Path, number: int, epoch: int) -> None:
    """Delete a net's checkpoints before the last two.

    Parameters
    ----------
    directory : Path
    number : int
    epoch : int
        Of the last one. Later ones are left: they couldn't be read, and will be replaced.

    Raises
    ------
    OSError
        If one can't be deleted.
    """
    older = [p for n, e, p in find_checkpoints(directory) if n == number and e < epoch]
    for path in older[KEPT - 1 :]:
        path.unlink(missing_ok=True)


def find_checkpoints(directory: Path) -> list[tuple[int, int, Path]]:
    """Return net, epoch and path of all checkpoints, the last net and epoch first.

    Parameters
    ----------
    directory : Path

    Returns
    -------
    found : list of (int, int, Path)
    """
    matches = [(NAME.fullmatch(path.name), path) for path in directory.iterdir()]
    return sorted(((int(m[1]), int(m[2]), path) for m, path in matches if m), reverse=True)


def make_ready(directory: Path) -> None:
    """Make the directory, see that it can be written to, and tidy up after a kill.

    Parameters
    ----------
    directory : Path

    Raises
    ------
    CheckpointError
        If it can't be used.
    """
    probe = directory / "net.probe"
    try:
        directory.mkdir(parents=True, exist_ok=True)
        write_atomically(probe, [b"spectragan"])
        for leftover in (probe, *directory.glob(".net*.tmp")):
            leftover.unlink(missing_ok=True)
    except OSError as error:
        raise CheckpointError(
            "`checkpoint` must be a directory that can be written to; got "
            f"'{directory}' ({error.strerror}); give another one, or make room there."
        ) from error


def read_if_intact(path: Path) -> dict[str, Any] | None:
    """Return what was written about a checkpoint, or warn.

    Parameters
    ----------
    path : Path

    Returns
    -------
    about : dict or None
        None if the file can't be read.

    Warns
    -----
    CheckpointWarning
        If it can't be read.
    """
    try:
        return read_about(path)
    except (OSError, ValueError) as error:
        warnings.warn(
            f"the checkpoint '{path}' can't be read ({error}): an older one takes its place, if "
            "there is one.",
            CheckpointWarning,
            stacklevel=2,
        )
        return None
