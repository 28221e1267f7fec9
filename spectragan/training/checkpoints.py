"""Checkpoints in a directory: train on from the newest that can be read, keep the last two."""

import warnings
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from skorch import NeuralNet
from skorch.callbacks import Callback

from spectragan.exceptions import CheckpointError, CheckpointWarning, ModelFileError
from spectragan.training.checkpoint_directory import (
    checkpoint_path,
    drop_older,
    find_checkpoints,
    make_ready,
    read_if_intact,
)
from spectragan.training.checkpoint_file import read_state, write_checkpoint
from spectragan.training.checkpoint_probe import agree, first_rows
from spectragan.training.sharing import ALONE, Share
from spectragan.training.snapshot import Snapshot, capture, restore

VERSION = 1  # of what a checkpoint holds


@dataclass(frozen=True)
class Checkpoints:
    """Where the state of nets in training is kept; without a directory, nowhere.

    Attributes
    ----------
    seeds : tuple of two ints
        What the fit draws its random numbers from, as `spectragan.training.seeding.seeded` takes
        them: those of the fit that is resumed.
    directory : Path or None
    every : int
        Epochs from one checkpoint to the next.
    identity : dict of str to plain values
        What a fit must have in common with the one it resumes, under the name for a message.
    saved : dict of int to Path
        The checkpoint that each net goes on from.
    share : Share
        Where processes share a training, the main one alone reads and writes.
    """

    seeds: tuple[int, int] = (0, 0)
    directory: Path | None = None
    every: int = 1
    identity: dict[str, Any] = field(default_factory=dict)
    saved: dict[int, Path] = field(default_factory=dict)
    share: Share = ALONE

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
        state = self.share.from_main(lambda: read_state(self.saved[number]))
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
        if not self.checkpoints.share.is_main:
            return
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
