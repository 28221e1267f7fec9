"""Which spectra are like none that a translator has learned from."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.neighbors import NearestNeighbors

from spectragan.rules import check, number
from spectragan.spectra import Spectra, check_domain
from spectragan.spectra.inputs import check_set, check_translator
from spectragan.spectra.summary import SummaryMixin
from spectragan.translator.domain_data import memory_data

TINY = float(np.finfo(float).tiny)  # logarithms need a number above 0
EDGE = 0.99  # quantile of the reference at which place and residual are equally strange


@dataclass(frozen=True, repr=False, eq=False)
class OutOfDistribution(SummaryMixin):
    """Which spectra are unlike those of a domain, as `out_of_distribution` found them.

    Attributes
    ----------
    is_out : ndarray of bool of shape (n_spectra,)
        Whether a spectrum is flagged.
    p_value : ndarray of shape (n_spectra,)
        How often a spectrum of the domain is as strange; NaN where all pixels are masked.
    place : ndarray of shape (n_spectra,)
        p-value of the distance to the nearest reference spectrum among the latents.
    residual : ndarray of shape (n_spectra,)
        p-value of what the components leave of the spectrum.
    false_alarm_rate : float
        The share of spectra of the domain that are flagged by mistake, on average.
    n_reference : int
        Spectra that this rests on.
    """

    is_out: np.ndarray
    p_value: np.ndarray
    place: np.ndarray
    residual: np.ndarray
    false_alarm_rate: float
    n_reference: int

    @property
    def share(self) -> float:
        """Share of flagged spectra among those with a good pixel."""
        judged = np.isfinite(self.p_value)
        return float(self.is_out[judged].mean()) if judged.any() else 0.0

    def summary(self) -> str:
        """Return how many spectra are flagged, beside what would be by chance.

        Returns
        -------
        table : str
            Three lines.
        """
        judged = np.isfinite(self.p_value).sum()
        return "\n".join(
            [
                f"{'flagged':<20}{self.is_out.sum()} of {judged} ({self.share:.1%})",
                f"{'by chance':<20}{self.false_alarm_rate:.1%}",
                f"{'reference':<20}{self.n_reference} spectra",
            ]
        )

    def __repr__(self) -> str:
        return (
            f"OutOfDistribution({self.is_out.sum()} of {len(self.is_out)} spectra flagged, "
            f"false_alarm_rate={self.false_alarm_rate:g}, n_reference={self.n_reference})"
        )


def out_of_distribution(
    translator: Any,
    X: Any,
    reference: Any,
    *,
    domain: int | str = "synthetic",
    false_alarm_rate: float = 0.01,
) -> OutOfDistribution:
    r"""Flag spectra that are like none of a domain: a translator says nothing about them.

    Parameters
    ----------
    translator : fitted translator
        Of any kind.
    X : spectra of shape (n_spectra, n_pixels)
        To be judged, all of one domain.
    reference : spectra of shape (n_reference, n_pixels)
        Of the same domain, best not those of `fit` if these are few; with noise of the same kind
        and size as `X`, or the noise is what is found strange.
    domain : {0, 1, "synthetic", "observed"}, default="synthetic"
        Which one.
    false_alarm_rate : float, default=0.01
        Share of spectra like `reference` that may be flagged.

    Returns
    -------
    result : OutOfDistribution
        Flags and p-values, row by row.

    Raises
    ------
    GridMismatchError
        If grids differ.
    NotFittedError
        If the translator isn't fitted.
    ValueError
        If `false_alarm_rate` isn't between 0 and 1, `reference` is too small for it, or the
        noise of `X` and `reference` is of different kinds.

    See Also
    --------
    translation_report : All checks of a translator together.

    Notes
    -----
    Two things are compared with those of the reference spectra: the distance to the nearest of
    them among the shared latents, in units of their scatter (a star of another kind), and the
    mean square of what the joint components leave, in units of the errors where these are known
    (a wrong grid, a wrong continuum, an artefact). The logarithms of both are counted from the
    median of the reference, in units of the way to its 99th percentile, and added in quadrature:
    what is a little strange in both is strange. Ranks among the reference spectra are p-values
    whatever the distribution [1]_, nearly: the units are of the same spectra.

    References
    ----------
    .. [1] Bates, S. et al. 2023, "Testing for outliers with conformal p-values", Ann. Statist.,
       51, 149, arXiv:2104.08279.

    Examples
    --------
    >>> import numpy as np
    >>> from spectragan import LinearTranslator, out_of_distribution
    >>> from spectragan.datasets import make_mock_domains
    >>> mock = make_mock_domains(300, 300, n_pixels=200, random_state=0)
    >>> translator = LinearTranslator().fit(mock.synthetic, mock.observed)
    >>> shifted = mock.observed.with_flux(np.roll(mock.observed.flux, 2, axis=1))
    >>> found = out_of_distribution(translator, shifted, mock.observed, domain="observed")
    >>> bool(found.share > 0.9)
    True
    """
    check_translator(translator, "out_of_distribution(translator, X, reference)")
    code = int(check_domain([domain])[0])
    reference = check_set(reference, "reference", min_rows=0)
    X = check_set(X, "X", like=reference, like_name="reference", min_rows=1)
    _check_noise(X, reference)
    reference = reference[np.flatnonzero((reference.ivar > 0).any(axis=1))]
    _check_rate(false_alarm_rate, len(reference))
    seen = (X.ivar > 0).any(axis=1)
    places = _places(translator, reference, code), _places(translator, X, code)
    residuals = _residuals(translator, reference, code), _residuals(translator, X, code)
    distances = _nearest(places[0], places[0], skip=1), _nearest(*places)
    excesses = [_excess(*pair) for pair in (distances, residuals)]
    place, residual = _ranks(*distances), _ranks(*residuals)
    p_value = _ranks(*map(np.hypot, *excesses))
    for values in (place, residual, p_value):
        values[~seen] = np.nan
    return OutOfDistribution(
        is_out=p_value <= false_alarm_rate,
        p_value=p_value,
        place=place,
        residual=residual,
        false_alarm_rate=float(false_alarm_rate),
        n_reference=len(reference),
    )


def least_reference(false_alarm_rate: float) -> int:
    """Return how many reference spectra a rate of false alarms needs."""
    return int(np.ceil(1 / false_alarm_rate - 1e-9)) - 1


def _check_noise(X: Spectra, reference: Spectra) -> None:
    kinds = [sorted(set(part.noise.tolist())) for part in (X, reference)]
    if not set(kinds[0]) <= set(kinds[1]):
        raise ValueError(
            f"noise of `X` must be of the kind that `reference` has, {' and '.join(kinds[1])}; "
            f"got {' and '.join(kinds[0])}; give both errors, or neither."
        )


def _check_rate(rate: Any, n_reference: int) -> None:
    rule = number(0, 1, remedy="0.01 is usual")
    needed = least_reference(check(rate, "false_alarm_rate", rule))
    if n_reference < needed:
        raise ValueError(
            f"`reference` must hold at least {needed} usable spectra for a `false_alarm_rate` of "
            f"{rate:g}; got {n_reference}; give more, or allow more false alarms."
        )


def _places(translator: Any, spectra: Spectra, domain: int) -> np.ndarray:
    """Return where spectra lie: shared latents, or coefficients where latents are channels."""
    shared = np.asarray(translator.encode(spectra, domain).shared)
    shared = shared.reshape(len(shared), -1)
    subspace = translator.subspace_
    if 0 < shared.shape[1] <= len(subspace.components):
        return shared
    data = memory_data(spectra)
    return subspace.project(data.flux, data.weights, domain)[0]


def _residuals(translator: Any, spectra: Spectra, domain: int) -> np.ndarray:
    """Return the mean square of what the components leave, per good pixel and error."""
    subspace, data = translator.subspace_, memory_data(spectra)
    coefficients, _ = subspace.project(data.flux, data.weights, domain)
    left = np.where(data.good, data.flux - subspace.reconstruct(coefficients, domain), 0.0)
    squares = (data.weights * left**2).sum(axis=1)
    return np.maximum(squares / np.maximum(data.good.sum(axis=1), 1), TINY)


def _excess(reference: np.ndarray, values: np.ndarray) -> list[np.ndarray]:
    """Return how far reference and values lie above the median, in units of the upper edge."""
    logarithms = [np.log(np.maximum(part, TINY)) for part in (reference, values)]
    middle, edge = np.quantile(logarithms[0], [0.5, EDGE])
    return [np.maximum(part - middle, 0.0) / max(edge - middle, TINY) for part in logarithms]


def _nearest(reference: np.ndarray, places: np.ndarray, skip: int = 0) -> np.ndarray:
    """Return the distance to the nearest reference, in units of the scatter of these."""
    centre, covariance = reference.mean(axis=0), np.atleast_2d(np.cov(reference.T))
    size, axes = np.linalg.eigh(covariance)
    used = size > size[-1] * len(size) * np.finfo(float).eps
    if not used.any():  # reference spectra that are all the same
        return np.abs(places - centre).max(axis=1)
    whitening = axes[:, used] / np.sqrt(size[used])
    neighbours = NearestNeighbors(n_neighbors=1 + skip).fit((reference - centre) @ whitening)
    return neighbours.kneighbors((places - centre) @ whitening)[0][:, -1]


def _ranks(reference: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Return conformal p-values: the share of reference values at least as large, plus one."""
    ordered = np.sort(reference)
    larger = len(ordered) - np.searchsorted(ordered, values, side="left")
    return (1.0 + larger) / (1.0 + len(ordered))
