"""Rows that StarNet is trained on, in memory or read from a file."""

from functools import partial
from typing import Any

import numpy as np
import torch

from spectragan.estimators.starnet_input import PixelScaling
from spectragan.spectra import LazySpectra, Spectra
from spectragan.training.data import TensorRows
from spectragan.training.stored_domain import SAMPLE_ROWS, SAMPLE_VALUES, draw_runs
from spectragan.training.stored_rows import StoredRows


def in_memory_if_few(spectra: Spectra) -> Spectra:
    """Return lazy spectra in memory where they fit there easily.

    Parameters
    ----------
    spectra : Spectra

    Returns
    -------
    spectra : Spectra
    """
    if isinstance(spectra, LazySpectra) and len(spectra) <= _most(spectra):
        return spectra.load()
    return spectra


def sample_of(spectra: Spectra) -> Spectra:
    """Return as many spectra from all over a file as fit into memory easily.

    Parameters
    ----------
    spectra : Spectra

    Returns
    -------
    sample : Spectra
        All of those that are in memory.
    """
    if not isinstance(spectra, LazySpectra):
        return spectra
    rows = draw_runs(len(spectra), _most(spectra), np.random.RandomState(0).permutation)
    return spectra[np.sort(rows)].load()


def split_rows(
    scaling: PixelScaling,
    spectra: Spectra,
    targets: np.ndarray,
    fraction: float,
    rng: np.random.RandomState,
) -> tuple[TensorRows, TensorRows]:
    """Return rows to train on, and held-out ones, which are in memory.

    Parameters
    ----------
    scaling : PixelScaling
    spectra : Spectra
    targets : ndarray of shape (n_spectra, n_labels)
        Standardised labels.
    fraction : float
        Share that is held out; of a file, no more than fit into memory easily.
    rng : RandomState

    Returns
    -------
    train, valid : TensorRows
    """
    n = len(targets)
    n_valid = min(max(1, round(fraction * n)), n - 1)
    if not isinstance(spectra, LazySpectra):
        order = rng.permutation(n)
        train, valid = (
            TensorRows(scaling.rows(spectra[rows]), torch.tensor(targets[rows]).float())
            for rows in (order[n_valid:], order[:n_valid])
        )
        return train, valid
    held = np.sort(draw_runs(n, min(n_valid, _most(spectra)), rng.permutation))
    rest = np.setdiff1d(np.arange(n), held)
    read = partial(_read, scaling=scaling, spectra=spectra[rest])
    return (
        StoredRows(read, torch.tensor(targets[rest]).float()),
        TensorRows(scaling.rows(spectra[held].load()), torch.tensor(targets[held]).float()),
    )


def _read(rows: np.ndarray, scaling: PixelScaling, spectra: LazySpectra) -> dict[str, Any]:
    return scaling.rows(spectra[rows].load())


def _most(spectra: Spectra) -> int:
    return max(SAMPLE_ROWS, SAMPLE_VALUES // spectra.shape[1])
