"""What is known of observed stars beforehand: synthetic counterparts of some, labels of others."""

from contextlib import suppress
from copy import copy
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from scipy.stats import spearmanr

from spectragan.label_checks import hide_codes
from spectragan.labels import LabelArray, column_units, label_array, named_columns, number_labels
from spectragan.spectra.summary import SummaryMixin
from spectragan.translator.domain_data import DomainData
from spectragan.translator.matching.manifold import Powers

MAX_ROWS = 2000  # of each domain that labels are learned from
RELATION_RIDGE = 1e-6  # of the mean square of a term
ROWS_PER_TERM = 10  # of a regression on the latents: of fewer, curvature isn't asked for
LABEL_DOUBT = 0.1  # standard deviations: what models may have wrong along the labels anyway
UNRELATED = 0.8  # of the scatter of every label that spectra leave unexplained
# Correlations of labels with what spectra say, in standard deviations of chance: what errors must
# promise, if anything is to be concluded, and what labels in another order don't reach.
PROMISED, BY_CHANCE = 10.0, 3.0
TINY = np.finfo(float).tiny
LEAST_SYNTHETIC = 50  # with all labels: of fewer, labels and latents can't be related


class RoughLabels(SummaryMixin):
    """Labels of observed stars from elsewhere, with errors and an unknown zero point.

    From a catalogue, from photometry or from parallaxes: too rough to be learned from, but enough
    to tell whether the observed stars are other stars, or the models are off along the labels.

    Parameters
    ----------
    observed : array-like of shape (n_observed, n_labels), DataFrame, Table or QTable
        Of the observed spectra, row by row; NaN where a label isn't known.
    error : array-like of shape (n_labels,) or (n_observed, n_labels)
        Standard deviation of each value about the star's own label: plain numbers, in the units
        and the order of the labels.
    synthetic : like `observed`, of shape (n_synthetic, n_labels), default=None
        The same labels of the synthetic spectra, row by row. None where `fit` is given an
        emulator, which knows them.
    zero_point : array-like of shape (n_labels,), default=0.0
        Standard deviation of an error that all observed stars have in common, such as the scale
        of temperatures of a catalogue.

    Attributes
    ----------
    label_names : tuple of str
        Those of the columns of `observed`, or "label_0", ...
    units : dict of str to astropy unit
        Those of the columns of `observed`.

    Raises
    ------
    ValueError
        If shapes don't agree, or an error isn't > 0 or a zero point < 0 or not finite.

    Warns
    -----
    MissingLabelWarning
        If there are values such as -9999, which are left out.

    See Also
    --------
    spectragan.CycleGANTranslator.fit : Takes them as `labels`.

    Examples
    --------
    >>> import numpy as np
    >>> from spectragan import RoughLabels
    >>> rng = np.random.default_rng(0)
    >>> catalogue = rng.uniform([4500, 1], [6500, 5], size=(200, 2))  # K, dex
    >>> models = rng.uniform([4500, 1], [6500, 5], size=(300, 2))
    >>> RoughLabels(catalogue, [150, 0.3], synthetic=models, zero_point=[100, 0.1])
    RoughLabels(200 stars, labels label_0 ± 150 ± 100, label_1 ± 0.3 ± 0.1)
    """

    def __init__(
        self, observed: Any, error: Any, *, synthetic: Any = None, zero_point: Any = 0.0
    ) -> None:
        names, self.units = named_columns(observed), column_units(observed)
        values = label_array(observed, input_name="observed", missing=True).astype(float)
        self.label_names = names or number_labels(values)
        self.observed = hide_codes(values, self.label_names, "observed")
        shapes = (1, values.shape[1]), values.shape
        self.error = _spread(error, "error", shapes, needed=np.isfinite(self.observed))
        if not (self.error > 0).all():
            raise ValueError(
                f"`error` must be > 0; got {self.error.min():g}; give standard deviations in the "
                "units of the labels."
            )
        self.zero_point = _spread(zero_point, "zero_point", shapes[:1])[0]
        if not (self.zero_point >= 0).all():
            raise ValueError(
                f"`zero_point` must be >= 0; got {self.zero_point.min():g}; give the standard "
                "deviation of what all stars have in common, 0 for nothing."
            )
        self.synthetic = None if synthetic is None else self.select(synthetic)

    def select(self, labels: Any) -> np.ndarray:
        """Return the same labels of synthetic spectra, in the units of those of the stars.

        Parameters
        ----------
        labels : like `observed`, of shape (n_synthetic, n_labels)
            Columns may come in another order, beside others, and in other units.

        Returns
        -------
        labels : ndarray of shape (n_synthetic, n_labels)
            NaN where one isn't known.

        Raises
        ------
        ValueError
            If one is missing.
        """
        given = label_array(
            labels, self.label_names, self.units, input_name="synthetic", missing=True
        ).astype(float)
        if given.shape[1] != len(self.label_names):
            raise ValueError(
                f"`synthetic` must have the {len(self.label_names)} label(s) of `observed`; got "
                f"{given.shape[1]}; give the same columns of both."
            )
        return hide_codes(given, self.label_names, "synthetic")

    @property
    def parts(self) -> tuple[Any, ...]:
        """All that a fit uses of them."""
        return self.observed, self.error, self.synthetic, self.zero_point

    def of(self, synthetic: np.ndarray, observed: np.ndarray) -> "RoughLabels":
        """Return the labels of some spectra of both domains.

        Parameters
        ----------
        synthetic, observed : ndarrays of int
            Their rows.

        Returns
        -------
        labels : RoughLabels
            With rows as often as they were asked for.
        """
        some = copy(self)
        some.observed = self.observed[observed]
        some.error = np.broadcast_to(self.error, self.observed.shape)[observed]
        if self.synthetic is not None:
            some.synthetic = self.synthetic[synthetic]
        return some

    def __repr__(self) -> str:
        typical = np.median(np.broadcast_to(self.error, self.observed.shape), axis=0)
        labels = ", ".join(
            f"{name} ± {error:.3g}" + f" ± {zero:.3g}" * bool(zero)
            for name, error, zero in zip(self.label_names, typical, self.zero_point, strict=True)
        )
        return f"RoughLabels({len(self.observed)} stars, labels {labels})"

    def summary(self) -> str:
        """Return what is known of each label, as a small table.

        Returns
        -------
        table : str
            One line per label: how many stars have it, and its errors.
        """
        typical = np.median(np.broadcast_to(self.error, self.observed.shape), axis=0)
        known = np.isfinite(self.observed).sum(axis=0)
        rows = zip(self.label_names, known, typical, self.zero_point, strict=True)
        head = f"{'label':<16}{'stars':<8}{'error':<12}zero point"
        lines = ("{:<16}{:<8}{:<12.3g}{:.3g}".format(*row) for row in rows)
        return "\n".join([head, *lines])


def _spread(
    values: Any, name: str, shapes: tuple[tuple[int, int], ...], needed: Any = True
) -> np.ndarray:
    """Return numbers (n_stars or 1, n_labels), in float64; 1 where a star doesn't need any."""
    given = np.full((0, 0), np.nan)
    # numpy would drop units, and the names of columns, in silence.
    is_table = hasattr(values, "iloc") or named_columns(values) is not None
    if isinstance(values, LabelArray) or not (hasattr(values, "unit") or is_table):
        with suppress(TypeError, ValueError):
            given = np.atleast_2d(np.asarray(values, dtype=float))
    if given.shape == (1, 1) and not given.any():
        given = np.repeat(given, shapes[0][1], axis=1)
    if len(given) > 1 and given.shape == np.shape(needed):
        given = np.where(needed, given, 1.0)
    if given.shape not in shapes or not np.isfinite(given).all():
        raise ValueError(
            f"`{name}` must be finite numbers of shape {' or '.join(map(str, shapes))}; got "
            f"{_told(values)}; give one for each label, a plain number in its unit, in the order "
            "of the labels."
        )
    return given


def _told(values: Any) -> str:
    is_large = isinstance(values, np.ndarray) and values.size > 1
    unit = f" in {values.unit}" if hasattr(values, "unit") else ""
    return f"shape {values.shape}{unit}" if is_large else repr(values)


class LabelRelation(NamedTuple):
    """Labels as polynomials of the latents of synthetic spectra.

    Attributes
    ----------
    powers : Powers
    coefficients : ndarray of shape (n_terms, n_labels)
    scatter : ndarray of shape (n_labels,)
        Standard deviation of labels about them.
    """

    powers: Powers
    coefficients: np.ndarray
    scatter: np.ndarray

    def labels(self, latents: np.ndarray) -> np.ndarray:
        """Return the labels of stars with these latents, shape (n_stars, n_labels)."""
        return self.powers(latents) @ self.coefficients

    def slopes(self, latents: np.ndarray) -> np.ndarray:
        """Return how labels change with latents, shape (n_stars, n_labels, n_latents)."""
        return np.einsum("ntk,tl->nlk", self.powers.jacobian(latents), self.coefficients)


def relate_labels(latents: np.ndarray, labels: np.ndarray) -> LabelRelation:
    """Regress labels on latents.

    Parameters
    ----------
    latents : ndarray of shape (n_spectra, n_latents)
    labels : ndarray of shape (n_spectra, n_labels)
        NaN where unknown: such rows are left out.

    Returns
    -------
    relation : LabelRelation
    """
    complete = np.isfinite(labels).all(axis=1)
    latents, labels = latents[complete], labels[complete]
    powers = Powers(latents.shape[1], 2)
    if len(latents) < ROWS_PER_TERM * len(powers.factors):
        powers = Powers(latents.shape[1], 1)
    terms = powers(latents)
    gram = terms.T @ terms
    gram += RELATION_RIDGE * np.trace(gram) / len(gram) * np.eye(len(gram))
    coefficients = np.linalg.solve(gram, terms.T @ labels)
    return LabelRelation(powers, coefficients, (labels - terms @ coefficients).std(axis=0))


def check_related(relation: LabelRelation, labels: np.ndarray) -> None:
    """Raise one sentence where labels have nothing to do with their spectra.

    Parameters
    ----------
    relation : LabelRelation
    labels : ndarray of shape (n_spectra, n_labels)
        Of synthetic spectra.

    Raises
    ------
    ValueError
        If the spectra explain next to none of their scatter: they may be in another order.
    """
    unexplained = relation.scatter / labels.std(axis=0)
    if unexplained.min() > UNRELATED:
        raise ValueError(
            "`labels` must have those of the synthetic spectra, row by row; got ones of whose "
            f"scatter the spectra leave {unexplained.min():.0%} or more unexplained; check their "
            "order, and that `synthetic` isn't `observed`."
        )


def check_in_order(expected: np.ndarray, stars: "LabelledStars", scatter: np.ndarray) -> None:
    """Raise one sentence where labels of observed stars have nothing to do with their spectra.

    Parameters
    ----------
    expected : ndarray of shape (n_stars, n_labels)
        What the spectra say of them.
    stars : LabelledStars
    scatter : ndarray of shape (n_labels,)
        Standard deviation of labels about what spectra say.

    Raises
    ------
    ValueError
        If none goes along with what the spectra say, though errors so small promise that.
    """
    worst = []
    for label, given, error, extra in zip(
        expected.T, stars.observed_labels.T, stars.error.T, scatter, strict=True
    ):
        known = np.isfinite(given)
        chance, size = np.sqrt(known.sum()), label[known].std() if known.any() else 0.0
        promised = size / max(np.hypot(size, np.hypot(np.median(error[known]), extra)), TINY)
        if promised * chance < PROMISED:
            continue
        found = float(spearmanr(label[known], given[known]).statistic)
        if found * chance > BY_CHANCE:
            return
        worst.append((found, promised))
    if worst:
        found, promised = max(worst)
        raise ValueError(
            "`labels` must have those of the observed spectra, row by row; got ones whose "
            f"correlation with what the spectra say is {found:.2f}, where their errors promise "
            f"{promised:.2f}; check their order."
        )


def doubt_in_latents(away: np.ndarray) -> np.ndarray:
    """Return the covariance of what a shift of latents may be: all of an offset, and some more.

    Parameters
    ----------
    away : ndarray of shape (n_latents,)
        Mean observed star less mean synthetic one.

    Returns
    -------
    doubt : ndarray of shape (n, n)
        Of the elements of a shift, (n_latents, n_latents + 1): of its constants alone.
    """
    # All of the offset may be a gap along the labels, and models are never quite right.
    constant = np.outer(away, away) + LABEL_DOUBT**2 * np.eye(len(away))
    return _among(constant, np.zeros_like(constant))


def doubt_in_labels(
    away: np.ndarray, relation: LabelRelation, latents: np.ndarray, labels: np.ndarray
) -> np.ndarray:
    """Return the same where a shift is one of labels: stars stay among synthetic ones.

    Parameters
    ----------
    away : ndarray of shape (n_latents,)
    relation : LabelRelation
    latents : ndarray of shape (n_spectra, n_latents)
    labels : ndarray of shape (n_spectra, n_labels)
        Of synthetic spectra.

    Returns
    -------
    doubt : ndarray of shape (n, n)
    """
    standard = (labels - labels.mean(axis=0)) / labels.std(axis=0)
    slopes = relate_labels(standard, latents).slopes(standard)  # (n_spectra, n_latents, n_labels)
    offset = relation.slopes(latents).mean(axis=0) @ away / labels.std(axis=0)
    constant = np.outer(offset, offset) + LABEL_DOUBT**2 * np.eye(len(offset))
    doubt = _among(constant, np.diag(np.diag(constant)))
    # The closest moves that are linear in the latents, element by element.
    terms = Powers(standard.shape[1], 1)(standard)
    fields = np.einsum("nkl,nt->nklt", slopes, terms).reshape(len(latents), latents.shape[1], -1)
    affine = Powers(latents.shape[1], 1)(latents)
    moves = np.linalg.lstsq(affine, fields.reshape(len(latents), -1), rcond=None)[0]
    moves = moves.reshape(affine.shape[1], latents.shape[1], -1).transpose(1, 0, 2)
    moves = moves.reshape(-1, fields.shape[2])
    found = moves @ doubt @ moves.T
    # Labels that hardly show in spectra would widen it beyond the offset that there is.
    mean = np.kron(np.eye(len(away)), np.append(1.0, latents.mean(axis=0) + away))
    size = float(np.trace(mean @ found @ mean.T))
    return found * min(1.0, (away @ away + LABEL_DOUBT**2 * len(away)) / size)


def _among(constant: np.ndarray, slope: np.ndarray) -> np.ndarray:
    """Return the covariance of the elements of an affine map, row by row, constants first."""
    n = len(constant)
    return np.kron(constant, np.diag(np.eye(n + 1)[0])) + np.kron(
        slope, np.eye(n + 1) - np.diag(np.eye(n + 1)[0])
    )


@dataclass(frozen=True)
class LabelledStars:
    """Spectra of both domains with labels: those of observed stars are rough.

    Attributes
    ----------
    synthetic, observed : DomainData
        Not more than 2,000 of each.
    synthetic_labels, observed_labels : ndarrays of shape (n_d, n_labels)
        NaN where unknown.
    error : ndarray of shape (n_observed, n_labels)
    zero_point : ndarray of shape (n_labels,)
    """

    synthetic: DomainData
    observed: DomainData
    synthetic_labels: np.ndarray
    observed_labels: np.ndarray
    error: np.ndarray
    zero_point: np.ndarray


@dataclass(frozen=True)
class KnownStars:
    """What is known of some stars.

    Attributes
    ----------
    anchors : two DomainData, synthetic first, or None
        Of the same stars, row by row.
    labelled : LabelledStars or None
    """

    anchors: tuple[DomainData, DomainData] | None = None
    labelled: LabelledStars | None = None
