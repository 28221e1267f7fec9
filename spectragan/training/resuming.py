"""Where a fit is kept, and what it has in common with the one it resumes."""

import os
from collections.abc import Mapping
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator
from torch import nn

from spectragan.rules import FLAG, NONE, Rule, check_all, count
from spectragan.spectra import LazySpectra, Spectra
from spectragan.training.checkpoints import Checkpoints, open_checkpoints
from spectragan.training.devices import draw_seeds

# What a fit that is resumed may have otherwise.
FREE = {"checkpoint", "checkpoint_every", "device", "verbose", "warm_start"}
BLOCK_ROWS = 4096  # spectra that are read at once
LARGEST_WHOLE = 2**53  # floats below are whole numbers exactly


RULES = {
    "checkpoint": Rule(
        "a directory",
        lambda value: isinstance(value, str | os.PathLike) and bool(str(value)),
        "give the path of one that only this fit uses",
    )
    | NONE,
    "checkpoint_every": count(remedy="1 keeps every epoch"),
    "resume": FLAG,
}


def open_fit(estimator: BaseEstimator, data: Mapping[str, Any], *, resume: bool) -> Checkpoints:
    """Return the seeds of a fit, and where its state is kept.

    Parameters
    ----------
    estimator : BaseEstimator
        With parameters `checkpoint`, `checkpoint_every` and `random_state`.
    data : mapping of str to Spectra, ndarray, tuple of these, or None
        What it is fitted to.
    resume : bool

    Returns
    -------
    checkpoints : Checkpoints

    Raises
    ------
    CheckpointError
        If the directory can't be used, or holds checkpoints that don't go with this fit.
    ValueError
        If a parameter breaks its rule.
    """
    parameters = estimator.get_params(deep=False)
    directory, every = parameters["checkpoint"], parameters["checkpoint_every"]
    _check(directory, every, resume)
    seeds = draw_seeds(parameters["random_state"])
    if directory is None:
        return Checkpoints(seeds)
    identity: dict[str, Any] = {"the estimator": type(estimator).__name__}
    for name, value in parameters.items():
        if name not in FREE:
            identity[f"`{name}`"] = _plain(value)
    for name, values in data.items():
        identity[f"the {name} data"] = _fingerprint(values)
    fresh = Checkpoints(seeds, every=int(every), identity=identity)
    return open_checkpoints(Path(directory), fresh, resume=resume)


def _check(directory: Any, every: Any, resume: Any) -> None:
    check_all({"checkpoint": directory, "checkpoint_every": every, "resume": resume}, RULES)
    if resume and directory is None:
        raise ValueError(
            "`checkpoint` must be a directory where a fit is resumed; got None; give the one "
            "that the fit was started with."
        )


def _plain(value: Any) -> Any:
    """Return a parameter as JSON can spell it, alike for values that mean the same."""
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        return int(value) if value.is_integer() and abs(value) < LARGEST_WHOLE else repr(value)
    if isinstance(value, list | tuple | np.ndarray):
        return [_plain(part) for part in value]
    if isinstance(value, nn.Module):
        n_weights = sum(weights.numel() for weights in value.parameters())
        return f"{type(value).__name__} with {n_weights} weights"
    return type(value).__name__  # a RandomState: the seeds drawn from it are in the checkpoint


def _fingerprint(values: Any) -> str | None:
    """Return shape, unit, medium and a digest of data; values under ``ivar == 0`` don't count."""
    if values is None:
        return None
    if isinstance(values, tuple):
        return " and ".join(str(_fingerprint(part)) for part in values)
    digest, kind = blake2b(digest_size=8), ""
    if isinstance(values, Spectra):
        unit, medium = str(values.unit), values.medium
        kind = f" in {unit}" * bool(unit) + f" in {medium}" * (medium is not None)
        if values.wavelength is not None:
            digest.update(np.ascontiguousarray(values.wavelength.value).tobytes())
        digest.update(" ".join(map(str, values.noise)).encode())
    for start in range(0, len(values), BLOCK_ROWS):
        rows = values[start : start + BLOCK_ROWS]
        rows = rows.load() if isinstance(rows, LazySpectra) else rows
        parts = (rows.filled(), rows.ivar) if isinstance(rows, Spectra) else (rows,)
        for part in parts:
            digest.update(np.ascontiguousarray(part).data)
    shape = " x ".join(map(str, values.shape))
    return f"{shape} values{kind} of digest {digest.hexdigest()}"
