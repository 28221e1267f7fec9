"""What `StarNetRegressor` is given: parameters, labels, and spectra as the network sees them."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar

import numpy as np
import torch

from spectragan.spectra import LazySpectra, Spectra
from spectragan.spectra.noise import noise_variance
from spectragan.starnet.training import Augmentation, StarNetSettings, bridge_gaps
from spectragan.training.rows import TensorRows
from spectragan.training.stored_rows import SAMPLE_ROWS, SAMPLE_VALUES, StoredRows, draw_runs

SMALLEST_SPREAD = 1e-6  # of the flux: pixels that vary less differ by rounding only
LARGEST_SIGMA = 10.0  # standard deviations: some catalogues mask with a tiny ivar instead of 0


@dataclass(frozen=True)
class PixelScaling:
    """Flux of every pixel in units of its standard deviation over the training spectra.

    Attributes
    ----------
    mean : ndarray of shape (n_pixels,)
    scale : ndarray of shape (n_pixels,)
        Infinite for pixels that never vary: they say nothing.
    seen : ndarray of bool of shape (n_pixels,)
        False for pixels that are masked in all training spectra: they are masked ever after.
    """

    _kept: ClassVar = {"mean": "array p", "scale": "array p", "seen": "flags p"}

    mean: np.ndarray
    scale: np.ndarray
    seen: np.ndarray

    def good(self, spectra: Spectra) -> np.ndarray:
        """Return which pixels are used, of shape (n_spectra, n_pixels)."""
        return (spectra.ivar > 0) & self.seen

    def bridged(self, spectra: Spectra) -> torch.Tensor:
        """Return standardised flux (n_spectra, n_pixels), float64, masked pixels bridged."""
        flux = (spectra.filled().astype(float) - self.mean) / self.scale
        return bridge_gaps(torch.as_tensor(flux), torch.as_tensor(self.good(spectra)))

    def rows(self, spectra: Spectra) -> dict[str, torch.Tensor]:
        """Return what `spectragan.starnet.training.augment` takes, in single precision."""
        exact = (spectra.noise == "exact")[:, None]
        errors = np.minimum(np.sqrt(noise_variance(spectra)), LARGEST_SIGMA * self.scale)
        sigma = np.where(exact, flux_level(spectra), errors) / self.scale
        return {
            "flux": self.bridged(spectra).float(),
            "good": torch.as_tensor(self.good(spectra)),
            "sigma": torch.as_tensor(sigma, dtype=torch.float32),
            "exact": torch.as_tensor(exact),
        }


def fit_scaling(spectra: Spectra, snr: Sequence[float] | None) -> PixelScaling:
    """Return the scaling of training spectra; every good pixel counts alike.

    Weights by ivar would draw the mean to the bright stars, which are of other kinds.

    Parameters
    ----------
    spectra : Spectra
    snr : (low, high) or None
        Of the noise that exact spectra get in training; it counts as spread.

    Returns
    -------
    scaling : PixelScaling
    """
    good, flux = spectra.ivar > 0, spectra.filled().astype(float)
    n_seen = good.sum(axis=0)
    n_good = np.maximum(n_seen, 1)
    mean = flux.sum(axis=0) / n_good
    variance = (np.where(good, flux - mean, 0.0) ** 2).sum(axis=0) / n_good
    varies = variance > SMALLEST_SPREAD**2 * (flux**2).sum(axis=0) / n_good
    if snr is not None:
        variance = variance + (flux_level(spectra) ** 2).mean() / (snr[0] * snr[1])
    return PixelScaling(mean, np.where(varies, np.sqrt(variance), np.inf), n_seen > 0)


def flux_level(spectra: Spectra) -> np.ndarray:
    """Return the median absolute flux of exact spectra, of shape (n_spectra, 1).

    Parameters
    ----------
    spectra : Spectra
        Each with at least one good pixel.

    Returns
    -------
    level : ndarray of shape (n_spectra, 1)
        0 for spectra that aren't exact: what their signal-to-noise ratio counts in isn't needed.
    """
    level = np.zeros((len(spectra), 1))
    rows = np.flatnonzero(spectra.noise == "exact")
    exact = spectra[rows]
    level[rows, 0] = np.nanmedian(np.where(exact.ivar > 0, np.abs(exact.flux), np.nan), axis=1)
    return level


def training_settings(estimator: Any, device: torch.device) -> StarNetSettings:
    """Return what networks are made of and how they are trained.

    Parameters
    ----------
    estimator : StarNetRegressor
    device : torch.device

    Returns
    -------
    settings : StarNetSettings
    """
    snr = None if estimator.snr is None else (float(estimator.snr[0]), float(estimator.snr[1]))
    return StarNetSettings(
        filters=tuple(estimator.filters),
        hidden=tuple(estimator.hidden),
        augmentation=Augmentation(estimator.noise_scale, snr, estimator.masked_fraction),
        max_epochs=estimator.max_epochs,
        batch_size=estimator.batch_size,
        learning_rate=estimator.learning_rate,
        device=device,
        verbose=estimator.verbose,
    )


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
