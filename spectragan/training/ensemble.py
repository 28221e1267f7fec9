"""Several networks with mean and variance as one: predictions, calibration, histories."""

from collections.abc import Sequence

import numpy as np
import torch
from skorch import NeuralNet

from spectragan.training.padding import map_padded

PREDICT_ROWS = 32  # a fixed batch: small enough for one star at a time, large enough for many
ONE_SIGMA = 0.6827  # share of a normal distribution within one standard deviation
PRIOR_ROWS = 10  # held-out spectra that the networks' own word on their errors is worth
LOSSES = ("train_loss", "valid_loss")


def predict_ensemble(
    nets: Sequence[NeuralNet], flux: torch.Tensor
) -> tuple[np.ndarray, np.ndarray]:
    """Return mean and standard deviation of the mixture of all members.

    Parameters
    ----------
    nets : sequence of NeuralNet
        Their modules give mean and log-variance of standardised labels, in double precision.
    flux : tensor of shape (n_rows, n_pixels)
        Standardised, float64, nothing masked.

    Returns
    -------
    mean, std : ndarray of shape (n_rows, n_labels)
        Each row computed independently of the others.
    """
    members = [map_padded(net.module_, flux, batch_size=PREDICT_ROWS) for net in nets]
    means, log_variances = (torch.stack(part) for part in zip(*members, strict=True))
    variance = torch.exp(log_variances).mean(0) + means.var(0, correction=0)
    return means.mean(0).numpy(), variance.sqrt().numpy()


def std_factor(deviation: np.ndarray) -> np.ndarray:
    """Return what standard deviations must be multiplied by to contain 68 percent.

    Parameters
    ----------
    deviation : ndarray of shape (n_rows, n_labels)
        Absolute errors of held-out spectra in units of the predicted standard deviation.

    Returns
    -------
    factor : ndarray of shape (n_labels,)
        Near 1 where there are few rows to tell.

    Examples
    --------
    >>> import numpy as np
    >>> from spectragan.training.ensemble import std_factor
    >>> errors = np.random.default_rng(0).normal(size=(10_000, 1))
    >>> std_factor(np.abs(2 * errors)).round(1)
    array([2.])
    """
    n_rows = len(deviation)
    quantile = np.quantile(deviation, ONE_SIGMA, axis=0)
    return np.sqrt((PRIOR_ROWS + n_rows * quantile**2) / (PRIOR_ROWS + n_rows))


def join_histories(nets: Sequence[NeuralNet]) -> dict[str, list[float]]:
    """Return the losses of every epoch of every member.

    Parameters
    ----------
    nets : sequence of NeuralNet

    Returns
    -------
    history : dict of str to list of float
        ``train_loss`` and ``valid_loss`` of the first, ``train_loss_2`` and so on of the others.
    """
    return {
        f"{name}_{number}" if number > 1 else name: [float(v) for v in net.history[:, name]]
        for number, net in enumerate(nets, start=1)
        for name in LOSSES
    }
