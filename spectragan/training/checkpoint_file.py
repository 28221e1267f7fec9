"""One checkpoint as one file: plain values as JSON, tensors as they are, nothing pickled."""

import os
from math import isfinite
from typing import Any

import numpy as np
import torch

from spectragan.persistence.model_file import ModelFile, read_model_file, write_model_file

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
