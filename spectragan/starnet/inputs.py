"""What `StarNetRegressor` is given: parameters, labels, and spectra as the network sees them."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar

import numpy as np
import torch
from sklearn.exceptions import NotFittedError
from sklearn.utils.validation import check_is_fitted

from spectragan.labels import label_array, named_columns
from spectragan.spectra import LazySpectra, Spectra
from spectragan.spectra.noise import noise_variance
from spectragan.starnet.training import Augmentation, StarNetSettings, bridge_gaps
from spectragan.training.rows import TensorRows
from spectragan.training.stored_rows import SAMPLE_ROWS, SAMPLE_VALUES, StoredRows, draw_runs
from spectragan.training.weights import distinct_rows

SMALLEST_SPREAD = 1e-6  # of the flux: pixels that vary less differ by rounding only
MIN_SPECTRA = 2  # one to train on, one to tell when to stop
DIGITS = 26  # binary ones of pixel scales; in the last of double precision, orders differ
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
    scale = np.where(varies, np.sqrt(variance), np.inf)
    return PixelScaling(_rounded(mean), _rounded(scale), n_seen > 0)


def _rounded(values: np.ndarray) -> np.ndarray:
    """Return values to eight digits: sums then don't depend on the order of the spectra."""
    fraction, exponent = np.frexp(values)
    return np.ldexp(np.round(fraction * 2**DIGITS), exponent - DIGITS)


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


@dataclass(frozen=True)
class LabelTargets:
    """Labels to learn, what each star counts, and how well each label is known.

    Attributes
    ----------
    labels : ndarray of shape (n_stars, n_labels)
        NaN where one isn't known: the star teaches its other labels.
    weights : ndarray of shape (n_stars,)
    std : ndarray of shape (n_stars, n_labels) or None
        Standard deviations of the labels' errors.
    rows : ndarray of int of shape (n_rows,)
        Stars that are learned from, copies of which are left out.
    """

    labels: np.ndarray
    weights: np.ndarray
    std: np.ndarray | None
    rows: np.ndarray

    @classmethod
    def of(
        cls, labels: np.ndarray, weights: np.ndarray, std: np.ndarray | None, spectra: Spectra
    ) -> "LabelTargets":
        """Return the targets of spectra; the first of equal stars counts for its copies."""
        both = labels if std is None else np.hstack([labels, std])
        rows, totals = distinct_rows(both, spectra, weights)
        weights = weights.copy()
        weights[rows] = totals
        return cls(labels, weights, std, rows)

    def standardised(self, mean: np.ndarray, scale: np.ndarray) -> np.ndarray:
        """Return what `spectragan.starnet.training.LabelLikelihood` takes.

        Parameters
        ----------
        mean, scale : ndarray of shape (n_labels,)

        Returns
        -------
        targets : ndarray of shape (n_stars, n_labels) or (n_stars, 3, n_labels)
            The latter only where there is more to say than labels.
        """
        values, known = (self.labels - mean) / scale, np.isfinite(self.labels)
        if known.all() and self.std is None and np.ptp(self.weights[self.rows]) == 0:
            return values
        weights = self.weights[:, None] * known
        variance = np.zeros_like(values) if self.std is None else (self.std / scale) ** 2
        mean_weight = weights[self.rows].mean()
        return np.stack([np.where(known, values, 0.0), weights / mean_weight, variance], axis=1)


def translated(translator: Any, spectra: Any) -> Any:
    """Return synthetic spectra as a fitted translator makes them look.

    Parameters
    ----------
    translator : translator or FrozenEstimator of one
    spectra : object
        As the translator takes them.

    Returns
    -------
    spectra : object
        As the translator returns them.

    Raises
    ------
    ValueError
        If it is none, or isn't fitted.
    """
    found = f"an unfitted {type(translator).__name__}"
    try:
        check_is_fitted(translator)
        if hasattr(translator, "transform"):
            return translator.transform(spectra)
        found = type(translator).__name__
    except NotFittedError:
        pass
    except TypeError:
        found = type(translator).__name__
    raise ValueError(
        f"`translator` must be a translator that was fitted on both domains; got {found}; call "
        "its fit(synthetic, observed) first, and give FrozenEstimator(translator) where copies are "
        "fitted, as in a cross-validation."
    )


def label_errors(
    label_std: Any, labels: np.ndarray, names: Sequence[str] | None, units: dict[str, Any]
) -> np.ndarray | None:
    """Return the standard deviations of labels, checked.

    Parameters
    ----------
    label_std : array-like of shape (n_stars,) or (n_stars, n_labels), table or None
    labels : ndarray of shape (n_stars, n_labels)
    names : sequence of str or None
        Columns to take of a table.
    units : dict of str to astropy unit

    Returns
    -------
    std : ndarray of shape (n_stars, n_labels) or None

    Raises
    ------
    ValueError
        If there isn't a number >= 0 for each label that is known.
    """
    if label_std is None:
        return None
    if named_columns(label_std) is None and np.ndim(label_std) == 1:
        label_std = np.reshape(label_std, (-1, 1))
    std = label_array(label_std, names, units, input_name="label_std", missing=True).astype(float)
    known = np.isfinite(labels)
    if std.shape != labels.shape or not (std[known] >= 0).all():
        found = f"shape {std.shape} for labels of {labels.shape}"
        if std.shape == labels.shape:
            row, column = np.argwhere(known & ~(std >= 0))[0]
            found = f"{std[row, column]:g} at row {row}, column {column}"
        raise ValueError(
            "`label_std` must hold a standard deviation >= 0 for every label that is known; got "
            f"{found}; write 0 where a label is exact."
        )
    return np.where(known, std, 0.0)


def check_enough(usable: np.ndarray, labels: np.ndarray, names: Sequence[str]) -> None:
    """Raise if there are too few spectra to learn from, or too few with one of the labels.

    Parameters
    ----------
    usable : ndarray of bool of shape (n_spectra,)
    labels : ndarray of shape (n_spectra, n_labels)
        NaN where one isn't known.
    names : sequence of n_labels str

    Raises
    ------
    ValueError
        Says which label.
    """
    if usable.sum() < MIN_SPECTRA:
        found = "1 sample" if len(usable) == 1 else f"{usable.sum()} of {len(usable)}"
        raise ValueError(
            f"`X` must hold at least {MIN_SPECTRA} spectra with labels and with a pixel that "
            f"isn't masked; got {found}; add more spectra."
        )
    known = np.isfinite(labels[usable]).sum(axis=0)
    if known.min() < MIN_SPECTRA:
        column = int(known.argmin())
        raise ValueError(
            f"`y` must hold every label for at least {MIN_SPECTRA} spectra, and not NaN for all "
            f"others; got {known[column]} for {names[column]!r}; leave that label out, or add "
            "spectra."
        )


def held_out_deviation(targets: np.ndarray, mean: np.ndarray, std: np.ndarray) -> np.ndarray:
    """Return how far predictions are off, in units of what they and the labels allow.

    Parameters
    ----------
    targets : ndarray of shape (n_rows, n_labels) or (n_rows, 3, n_labels)
        From `LabelTargets.standardised`.
    mean, std : ndarray of shape (n_rows, n_labels)

    Returns
    -------
    deviation : ndarray of shape (n_rows, n_labels)
        NaN where a label isn't known.
    """
    if targets.ndim == 2:
        return np.abs(targets - mean) / std
    labels, weights, errors = targets.swapaxes(0, 1)
    return np.where(weights > 0, np.abs(labels - mean) / np.hypot(std, np.sqrt(errors)), np.nan)


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
    rows: np.ndarray,
    fraction: float,
    rng: np.random.RandomState,
) -> tuple[TensorRows, TensorRows]:
    """Return rows to train on, and held-out ones, which are in memory.

    Parameters
    ----------
    scaling : PixelScaling
    spectra : Spectra
    targets : ndarray of shape (n_spectra, ...)
        Standardised labels, see `LabelTargets.standardised`.
    rows : ndarray of int of shape (n_rows,)
        Spectra to take, all of those of a file.
    fraction : float
        Share that is held out; of a file, no more than fit into memory easily.
    rng : RandomState

    Returns
    -------
    train, valid : TensorRows
    """
    n = len(rows)
    n_valid = min(max(1, round(fraction * n)), n - 1)
    if not isinstance(spectra, LazySpectra):
        order = rows[rng.permutation(n)]
        train, valid = (
            TensorRows(scaling.rows(spectra[some]), torch.tensor(targets[some]).float())
            for some in (order[n_valid:], order[:n_valid])
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
