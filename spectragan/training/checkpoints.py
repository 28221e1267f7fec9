"""Checkpoints in a directory: train on from the newest that can be read, keep the last two.

A checkpoint is one file: plain values as JSON, tensors as they are, nothing pickled. The first
training rows in it tell whether two trainings start from the same numbers.
"""

import os
import re
import warnings
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from math import isfinite
from pathlib import Path
from typing import Any

import numpy as np
import torch
from skorch import NeuralNet
from skorch.callbacks import Callback

from spectragan.exceptions import CheckpointError, CheckpointWarning, ModelFileError
from spectragan.files.layout import ModelFile, read_model_file, write_atomically, write_model_file
from spectragan.training.rows import DomainRows, TensorRows
from spectragan.training.snapshot import Snapshot, capture, restore

KIND = "checkpoint"


def write_checkpoint(path: str | os.PathLike, state: Any, about: dict[str, Any]) -> None:
    """Write a checkpoint; a failure or a kill leaves the old file, or none.

    Parameters
    ----------
    path : path-like
    state : tree of dicts, lists, tuples, plain values and tensors
    about : dict of str to plain values
        What `read_about` returns without reading the state.

    Raises
    ------
    OSError
        If it can't be written.
    ModelFileError
        If there is too much to write.
    """
    tensors: dict[str, np.ndarray] = {}
    encoded = _to_json(state, tensors)
    write_model_file(path, ModelFile({"kind": KIND, **about}, encoded, tensors))


def read_about(path: str | os.PathLike) -> dict[str, Any]:
    """Return what `write_checkpoint` was told about a checkpoint, if the whole file is intact.

    Parameters
    ----------
    path : path-like

    Returns
    -------
    about : dict

    Raises
    ------
    OSError
        If it can't be read.
    ModelFileError
        If it was damaged, or a newer version wrote it.
    ValueError
        If it is no checkpoint.
    """
    about = read_model_file(path, tensors=False).about
    if about.get("kind") != KIND:
        raise ValueError("the file must be a checkpoint; got a model; move it elsewhere.")
    return about


def read_state(path: str | os.PathLike) -> Any:
    """Return the state that a checkpoint holds.

    Parameters
    ----------
    path : path-like

    Returns
    -------
    state : tree of dicts, lists, tuples, plain values and tensors

    Raises
    ------
    OSError
        If it can't be read.
    ModelFileError
        If it was damaged.
    """
    content = read_model_file(path)
    return _from_json(content.state, content.tensors)


def _to_json(value: Any, tensors: dict[str, np.ndarray]) -> Any:
    """Return a tree that JSON can spell; tensors go into `tensors`, under a number."""
    if isinstance(value, torch.Tensor):
        name = str(len(tensors))
        tensors[name] = value.contiguous().numpy()
        return {"tensor": name}
    if isinstance(value, dict):
        # Optimizers number their parameters: JSON's own objects have strings for keys only.
        return {"dict": [[_to_json(part, tensors) for part in pair] for pair in value.items()]}
    if isinstance(value, tuple):
        return {"tuple": [_to_json(part, tensors) for part in value]}
    if isinstance(value, list):
        return [_to_json(part, tensors) for part in value]
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and not isfinite(value):
        return {"float": repr(value)}
    if value is None or isinstance(value, bool | int | float | str):
        return value
    raise TypeError(
        "a checkpoint must hold tensors, numbers, words and lists or dicts of these; got "
        f"{type(value).__name__}; leave it out of the state of your networks."
    )


def _from_json(value: Any, tensors: dict[str, np.ndarray]) -> Any:
    if isinstance(value, list):
        return [_from_json(part, tensors) for part in value]
    if not isinstance(value, dict):
        return value
    ((kind, content),) = value.items()
    if kind == "tensor":
        return torch.from_numpy(tensors[content])
    if kind == "float":
        return float(content)
    parts = _from_json(content, tensors)
    return dict(parts) if kind == "dict" else tuple(parts)


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


PROBE_ROWS = 8
TOLERANCE = 1e-3  # of the largest value: far above rounding on another machine


def first_rows(rows: Any) -> list[torch.Tensor]:
    """Return the first rows of all tensors of a data set.

    Parameters
    ----------
    rows : TensorRows, DomainRows, tensor or mapping of these

    Returns
    -------
    first : list of tensors of shape (at most 8, ...)
        In single precision, on the CPU.

    Examples
    --------
    >>> import torch
    >>> from spectragan.training.checkpoints import first_rows
    >>> from spectragan.training.rows import TensorRows
    >>> [tuple(tensor.shape) for tensor in first_rows(TensorRows(torch.ones(20, 3)))]
    [(8, 3), (8, 0)]
    """
    if isinstance(rows, torch.Tensor):
        return [rows[:PROBE_ROWS].to("cpu", torch.float32, copy=True)]
    if isinstance(rows, DomainRows):
        rows = rows.parts
    elif isinstance(rows, TensorRows):
        # Nothing else of them: rows of a file keep the page there is, which training changes.
        rows = {"inputs": rows.inputs, "targets": rows.targets}
    return [tensor for name in sorted(rows) for tensor in first_rows(rows[name])]


def agree(first: list[torch.Tensor], second: list[torch.Tensor]) -> bool:
    """Tell whether first rows are the same but for rounding.

    Parameters
    ----------
    first, second : list of tensors
        As `first_rows` gives them.

    Returns
    -------
    same : bool
    """
    return len(first) == len(second) and all(
        a.shape == b.shape and torch.allclose(a, b, rtol=0, atol=_tolerance(a))
        for a, b in zip(first, second, strict=True)
    )


def _tolerance(values: torch.Tensor) -> float:
    return TOLERANCE * values.abs().max().item() if values.numel() else 0.0


VERSION = 1  # of what a checkpoint holds


@dataclass(frozen=True)
class Checkpoints:
    """Where the state of nets in training is kept; without a directory, nowhere.

    Attributes
    ----------
    seeds : tuple of two ints
        What the fit draws its random numbers from, as `spectragan.training.devices.seeded` takes
        them: those of the fit that is resumed.
    directory : Path or None
    every : int
        Epochs from one checkpoint to the next.
    identity : dict of str to plain values
        What a fit must have in common with the one it resumes, under the name for a message.
    saved : dict of int to Path
        The checkpoint that each net goes on from.
    """

    seeds: tuple[int, int] = (0, 0)
    directory: Path | None = None
    every: int = 1
    identity: dict[str, Any] = field(default_factory=dict)
    saved: dict[int, Path] = field(default_factory=dict)

    def train(self, net: NeuralNet, rows: Any, *, number: int = 1) -> None:
        """Train a net up to its last epoch, from its checkpoint where there is one.

        Parameters
        ----------
        net : NeuralNet
            Initialised; trained for ``max_epochs`` epochs, those of the checkpoint included.
        rows : TensorRows or DomainRows
        number : int, default=1
            Which net of the fit this is.

        Raises
        ------
        CheckpointError
            If the checkpoint doesn't go with the net or the rows.

        Warns
        -----
        CheckpointWarning
            If a checkpoint can't be written; training goes on.
        """
        if self.directory is None:
            net.partial_fit(rows)
            return
        probe = first_rows(rows)
        start = self._read(number, probe)
        n_done = 0 if start is None else len(start.history)
        # The last of all callbacks: then a checkpoint holds what the others did.
        net.callbacks_.append(("checkpoints", _KeepState(self, number, start, probe)))
        try:
            net.partial_fit(rows, epochs=max(0, net.max_epochs - n_done))
        finally:
            net.callbacks_.pop()  # a pickled net needs no directory

    def save(self, net: NeuralNet, number: int, probe: list[torch.Tensor]) -> None:
        """Write a net's state, and delete all but the last two before it.

        Parameters
        ----------
        net : NeuralNet
        number : int
        probe : list of tensors
            The first training rows.

        Raises
        ------
        OSError, ModelFileError
            If it can't be written; what was there before stays.
        """
        assert self.directory is not None
        epoch = len(net.history)
        about = {
            "version": VERSION,
            "identity": self.identity,
            "seeds": list(self.seeds),
        }
        state = {"snapshot": asdict(capture(net)), "probe": probe}
        write_checkpoint(checkpoint_path(self.directory, number, epoch), state, about)
        drop_older(self.directory, number, epoch)

    def _read(self, number: int, probe: list[torch.Tensor]) -> Snapshot | None:
        if number not in self.saved:
            return None
        state = read_state(self.saved[number])
        if not agree(state["probe"], probe):
            raise CheckpointError(
                "what training starts from must be the same as for the checkpoint "
                f"'{self.saved[number]}'; got other numbers from the same data; resume with the "
                "library versions, and on the kind of machine, it was made with."
            )
        return Snapshot(**state["snapshot"])


NOT_KEPT = Checkpoints()


class _KeepState(Callback):
    """Restores a net when training begins, and saves it as it goes on."""

    def __init__(
        self,
        checkpoints: Checkpoints,
        number: int,
        start: Snapshot | None,
        probe: list[torch.Tensor],
    ) -> None:
        self.checkpoints = checkpoints
        self.number = number
        self.start = start
        self.probe = probe

    def on_train_begin(self, net, X=None, y=None, **kwargs) -> None:
        if self.start is None:
            return
        try:
            restore(net, self.start)
        except (KeyError, RuntimeError, ValueError) as error:
            raise CheckpointError(
                f"the networks must be those of the checkpoints in "
                f"'{self.checkpoints.directory}'; got others; give the same networks, or "
                "another directory."
            ) from error

    def on_epoch_end(self, net, dataset_train=None, dataset_valid=None, **kwargs) -> None:
        epoch = len(net.history)
        if epoch % self.checkpoints.every and epoch < net.max_epochs:
            return
        try:
            self.checkpoints.save(net, self.number, self.probe)
        except (OSError, ModelFileError) as error:
            warnings.warn(
                f"the checkpoint of epoch {epoch} can't be written to "
                f"'{self.checkpoints.directory}' ({error}): training goes on, and a later one is "
                "tried; make room there.",
                CheckpointWarning,
                stacklevel=2,
            )


def open_checkpoints(directory: Path, checkpoints: Checkpoints, *, resume: bool) -> Checkpoints:
    """Return where a fit goes on from, or begins to be kept.

    Parameters
    ----------
    directory : Path
        Made if it isn't there.
    checkpoints : Checkpoints
        Of a fit that starts anew: its seeds, how often, and what it is.
    resume : bool
        Whether to go on from the checkpoints that are there, if any.

    Returns
    -------
    checkpoints : Checkpoints

    Raises
    ------
    CheckpointError
        If the directory can't be used, holds checkpoints that may not be overwritten, none that
        can be read, or those of other data, parameters or versions.

    Warns
    -----
    CheckpointWarning
        If a checkpoint can't be read and an older one takes its place.
    """
    make_ready(directory)
    found = find_checkpoints(directory)
    if not resume:
        if found:
            raise CheckpointError(
                "`checkpoint` must be a directory without checkpoints where a fit starts anew; "
                f"got '{directory}' with {len(found)}, the newest of epoch {found[0][1]}; fit "
                "with resume=True to go on from there, or give another directory."
            )
        return replace(checkpoints, directory=directory)
    saved: dict[int, Path] = {}
    for number, _, path in found:
        about = read_if_intact(path) if number not in saved else None
        if about is not None:
            _check_identity(path, about, checkpoints.identity)
            saved[number] = path
            checkpoints = replace(checkpoints, seeds=tuple(about["seeds"]))
    if found and not saved:
        raise CheckpointError(
            f"`checkpoint` must hold a checkpoint that can be read; got '{directory}' with "
            f"{len(found)} that can't; delete them to start anew."
        )
    return replace(checkpoints, directory=directory, saved=saved)


def _check_identity(path: Path, about: Mapping[str, Any], identity: Mapping[str, Any]) -> None:
    if about["version"] != VERSION:
        raise CheckpointError(
            f"the checkpoint '{path}' must be of version {VERSION}; got version "
            f"{about['version']}; resume with the spectragan that wrote it, or give another "
            "directory."
        )
    for name, value in identity.items():
        before = about["identity"].get(name, value)
        if before != value:
            raise CheckpointError(
                f"{name} must be as for the checkpoint '{path}': {before}; got {value}; go back "
                "to that, or give `checkpoint` another directory."
            )
