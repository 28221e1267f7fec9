"""Which spectra a translator is trained with: stars that both domains have."""

import warnings
from typing import Any

import astropy.units as u
import numpy as np
from sklearn.base import BaseEstimator
from sklearn.frozen import FrozenEstimator
from sklearn.utils.validation import check_is_fitted

from spectragan.emulator.estimator import SpectrumEmulator
from spectragan.exceptions import LabelMismatchWarning
from spectragan.labels import LabelArray, LabelHull, named_columns
from spectragan.spectra import Spectra
from spectragan.spectra.convert import kind_of
from spectragan.spectra.inputs import check_set
from spectragan.spectra.lazy import LazySpectra, has_good_pixel
from spectragan.translator.base import holds_spectra
from spectragan.translator.domain_data import DomainData, domain_data, memory_data
from spectragan.translator.matching.known_stars import (
    LEAST_SYNTHETIC,
    MAX_ROWS,
    KnownStars,
    LabelledStars,
    RoughLabels,
)
from spectragan.translator.matching.mismatch import (
    MIN_PIXELS,
    MIN_ROWS,
    LabelMismatch,
    Match,
    match_domains,
)

POOL = 4  # emulated spectra for every observed one, of which those are taken that match
SMALLEST_POOL, LARGEST_POOL = 2000, 20_000
APART = 8.0  # standard deviations: medians of one label don't lie that far from each other
LEAST_SHARE = 0.5  # of the observed spectra that emulated ones must make good use of
JITTER = 0.2  # of the labels' scatter: emulated labels lie between those of the training


def match_labels(
    estimator: Any,
    parts: tuple[Spectra, Spectra],
    known: KnownStars | None,
    *,
    drawn: bool,
) -> tuple[tuple[Spectra, Spectra], Match | None]:
    """Return the spectra to train with, and how far the label distributions differ.

    Parameters
    ----------
    estimator : CycleGANTranslator
        With the parameter `match_labels`.
    parts : two Spectra
        Synthetic first.
    known : KnownStars or None
        Counterparts or labels of some observed stars.
    drawn : bool
        Whether the synthetic spectra were drawn here: then their labels are nobody's mistake.

    Returns
    -------
    parts : two Spectra
    found : Match or None
        None where there are too few spectra to tell.

    Raises
    ------
    ValueError
        If there are too few spectra for what was asked for.

    Warns
    -----
    LabelMismatchWarning
        If the distributions differ significantly.
    """
    found = match_domains(
        (domain_data(parts[0]), domain_data(parts[1])),
        match=estimator.match_labels,
        known=known,
    )
    if found is None:
        check_not_asked_for(estimator.match_labels, known, parts)
        return parts, None
    mismatch = found.mismatch
    # Labels that were drawn here to be chosen from are nobody's mistake, if they suffice.
    expected = drawn and mismatch.matched and mismatch.shares[1] >= LEAST_SHARE
    if mismatch.is_significant and not expected:
        remedy = "" if mismatch.bounded else f", or {_deciding(known)}"
        sentence = _sentence(mismatch, drawn=drawn, remedy=remedy)
        warnings.warn(sentence, LabelMismatchWarning, stacklevel=4)
    if mismatch.matched:
        parts = parts[0][found.rows[0]], parts[1][found.rows[1]]
    return parts, found


def emulated(source: Any, observed: Any) -> Any:
    """Return the synthetic spectra of a fit: those given, or drawn from a fitted emulator.

    Parameters
    ----------
    source : spectra, or emulator
        Its labels are drawn like those it was trained on, like its ``label_sample_``, or evenly
        from its range: four times as many as there are observed spectra, at least 2000 and at
        most 20,000.
    observed : spectra of shape (n_observed, n_pixels)

    Returns
    -------
    synthetic : spectra

    Raises
    ------
    NotFittedError
        If the emulator isn't fitted.
    ValueError
        If `observed` holds no spectra.
    """
    emulator = _emulator(source)
    if emulator is None:
        return source
    if isinstance(emulator, BaseEstimator):
        check_is_fitted(emulator)
    if not holds_spectra(observed):
        raise ValueError(
            "`y` must be the observed spectra where `X` is an emulator; got "
            f"{type(observed).__name__}; call fit(emulator, observed)."
        )
    return _draw(emulator, len(observed), np.random.RandomState(0))


def _draw(emulator: Any, n_observed: int, rng: np.random.RandomState) -> Spectra:
    training = _training_labels(emulator, rng)
    size = min(max(POOL * n_observed, SMALLEST_POOL), LARGEST_POOL)
    labels = training[rng.randint(len(training), size=size)]
    moved = labels + JITTER * training.std(axis=0) * rng.normal(size=labels.shape)
    hull = LabelHull(training)
    outside = hull.outside(moved) | hull.outside(np.clip(moved, *emulator.label_range_))
    labels = np.where(outside[:, None], labels, np.clip(moved, *emulator.label_range_))
    return _emulate(emulator, labels.astype(np.float32))  # there may be as many as 20,000


def _training_labels(emulator: Any, rng: np.random.RandomState) -> np.ndarray:
    """Return labels such as an emulator may be asked for (n_stars, n_labels)."""
    if isinstance(emulator, SpectrumEmulator):
        module = emulator.net_.module_
        return (module.label_mean + module.label_scale * module.kernel.centers).numpy()
    sample = getattr(emulator, "label_sample_", None)
    if sample is not None:
        return np.asarray(sample, dtype=float)
    low, high = np.asarray(emulator.label_range_, dtype=float)
    return rng.uniform(low, high, size=(SMALLEST_POOL, len(low)))


def _emulate(emulator: Any, labels: Any) -> Spectra:
    flux = np.atleast_2d(emulator.predict(labels))
    unit = getattr(emulator, "unit_", None) or u.dimensionless_unscaled
    medium = getattr(emulator, "medium_", None)
    wavelength = getattr(emulator, "wavelength_", None)
    return Spectra(flux << unit, wavelength, noise="exact", medium=medium)


def read_anchors(estimator: Any, anchors: Any, source: Any) -> tuple[Spectra, Spectra] | None:
    """Return the anchors, synthetic first.

    Parameters
    ----------
    estimator : CycleGANTranslator
    anchors : tuple of (observed spectra, synthetic partners or labels), or None
    source : object
        What the synthetic side of the fit is: labels need an emulator there.

    Returns
    -------
    anchors : two Spectra or None

    Raises
    ------
    ValueError
        If these aren't equally many spectra on the grid of the fit, or labels without an emulator.
    """
    if anchors is None:
        return None
    if not (isinstance(anchors, tuple | list) and len(anchors) == 2):
        raise ValueError(
            "`anchors` must be a pair (observed spectra, synthetic partners); got "
            f"{type(anchors).__name__}; give both for the same stars, row by row."
        )
    observed, partners = estimator._validate(anchors[0], reset=False), anchors[1]
    if not len(observed):
        raise ValueError("`anchors` must hold one star or more; got none; leave them out.")
    emulator = _emulator(source)
    if emulator is not None and _are_labels(partners, emulator):
        partners = _emulate(emulator, partners)
    synthetic = check_set(
        partners, "the partners in anchors", like=observed, like_name="the anchors", min_rows=0
    )
    if len(synthetic) != len(observed):
        raise ValueError(
            "`anchors` must hold one partner for each spectrum; got "
            f"{len(observed)} spectra and {len(synthetic)} partners; give the same stars in both."
        )
    seen = has_good_pixel(synthetic) & has_good_pixel(observed)
    if not seen.any():
        raise ValueError(
            "`anchors` must hold a star with good pixels on both sides; got none; check the masks."
        )
    return synthetic[seen], observed[seen]


def read_known(
    estimator: Any, anchors: Any, labels: Any, source: Any, given: tuple[Any, Any]
) -> tuple[KnownStars | None, tuple[Spectra, Spectra] | None]:
    """Return what is known of some observed stars.

    Parameters
    ----------
    estimator : BaseTranslator
    anchors : tuple of (observed spectra, synthetic partners or labels), or None
    labels : RoughLabels or None
    source : object
        What the synthetic side of the fit is.
    given : tuple of (X, y)
        As `fit` got them, an emulator replaced by the spectra that it drew.

    Returns
    -------
    known : KnownStars or None
    anchors : two Spectra, synthetic first, or None

    Raises
    ------
    ValueError
        If anchors aren't equally many spectra on the grid of the fit, or labels aren't one row
        for each spectrum, or too few.
    """
    pairs = read_anchors(estimator, anchors, source)
    labelled = _read_labels(estimator, labels, source, given)
    if pairs is None and labelled is None:
        return None, None
    used = None if pairs is None else (memory_data(pairs[0]), memory_data(pairs[1]))
    return KnownStars(used, labelled), pairs


def _read_labels(
    estimator: Any, labels: Any, source: Any, given: tuple[Any, Any]
) -> LabelledStars | None:
    if labels is None:
        return None
    _check_kind(labels)
    parts = estimator._read_domains(*given, reset=False)
    models, emulator = (parts[0], labels.synthetic), _emulator(source)
    if emulator is not None:
        if labels.synthetic is not None:
            raise ValueError(
                "`labels` must be without `synthetic` where `fit` is given an emulator; got both; "
                "leave it out: the emulator knows the labels of its spectra."
            )
        rng = np.random.RandomState(0)
        drawn = _training_labels(emulator, rng)
        drawn = drawn[rng.permutation(len(drawn))[:MAX_ROWS]]
        units = getattr(emulator, "_label_units", {})
        named = LabelArray(drawn, emulator.label_names_, units)
        models = _emulate(emulator, drawn), labels.select(named)
    observed, values, error = _with_labels(parts[1], labels.observed, labels.error, "observed")
    known = np.isfinite(values).any(axis=0)
    values, error = values[:, known], error[:, known]
    # Of labels that no star has, models need know nothing.
    asked = None if models[1] is None else models[1][:, known]
    synthetic, synthetic_labels, _ = _with_labels(models[0], asked, None, "synthetic")
    _check_alike(synthetic_labels, values, np.array(labels.label_names)[known])
    return LabelledStars(
        synthetic, observed, synthetic_labels, values, error, labels.zero_point[known]
    )


def usable_labels(labels: Any, parts: tuple[Spectra, Spectra]) -> RoughLabels | None:
    """Return the labels of those spectra that have a good pixel.

    Parameters
    ----------
    labels : RoughLabels or None
    parts : two Spectra
        As they were given, synthetic first.

    Returns
    -------
    labels : RoughLabels or None

    Raises
    ------
    ValueError
        If there isn't one row for each spectrum.
    """
    if labels is None:
        return None
    _check_kind(labels)
    for part, rows, domain in zip(
        parts, (labels.synthetic, labels.observed), ("synthetic", "observed"), strict=True
    ):
        _check_rows(rows, part, domain)
    return labels.of(*(np.flatnonzero(has_good_pixel(part)) for part in parts))


def _check_alike(synthetic: np.ndarray, observed: np.ndarray, names: np.ndarray) -> None:
    """Raise one sentence where labels of the domains can't be of one kind."""
    middle = np.median(synthetic, axis=0)
    away = np.abs(np.nanmedian(observed, axis=0) - middle) / synthetic.std(axis=0)
    worst = int(np.argmax(away))
    if away[worst] > APART:
        raise ValueError(
            f"`labels` must be of the same kind in both domains; got {names[worst]!r} whose median "
            f"is {np.nanmedian(observed[:, worst]):.4g} in the observed and {middle[worst]:.4g} in "
            f"the synthetic ones, {away[worst]:.2g} of their standard deviations apart; check "
            "units and the order of columns."
        )


def _check_kind(labels: Any) -> None:
    if not isinstance(labels, RoughLabels):
        raise ValueError(
            f"`labels` must be RoughLabels; got {type(labels).__name__}; write "
            "RoughLabels(labels of observed stars, their errors, synthetic=labels of models)."
        )


def _check_rows(labels: np.ndarray | None, spectra: Spectra, domain: str) -> np.ndarray:
    if labels is None or len(labels) != len(spectra):
        found = "none" if labels is None else str(len(labels))
        raise ValueError(
            f"`labels` must hold one row for each of the {len(spectra)} {domain} spectra; got "
            f"{found}; give RoughLabels(..., {domain}=...) in the order of the spectra, NaN where "
            "nothing is known."
        )
    return labels


def _with_labels(
    spectra: Spectra, labels: np.ndarray | None, error: np.ndarray | None, domain: str
) -> tuple[DomainData, np.ndarray, np.ndarray]:
    """Return spectra that have pixels and labels, at most 2,000, and these with their errors."""
    labels = _check_rows(labels, spectra, domain)
    is_known = np.isfinite(labels)
    # Without all labels, a model says nothing of how they go with latents.
    some = is_known.all(axis=1) if error is None else is_known.any(axis=1)
    rows = np.flatnonzero(some & has_good_pixel(spectra))
    least = LEAST_SYNTHETIC if error is None else 1
    if len(rows) < least:
        raise ValueError(
            f"`labels` must know those of at least {least} {domain} spectra; got {len(rows)}; "
            "give more of them, or leave `labels` out."
        )
    if error is None and not labels[rows].std(axis=0).all():
        raise ValueError(
            f"`labels` of {domain} spectra must differ from star to star; got one value for all "
            "of a column; leave that label out."
        )
    rows = np.sort(np.random.RandomState(0).permutation(rows)[:MAX_ROWS])
    part = spectra[rows]
    part = part.load() if isinstance(part, LazySpectra) else part
    errors = np.broadcast_to(1.0 if error is None else error, labels.shape)
    return memory_data(part), labels[rows], errors[rows]


def _emulator(source: Any) -> Any:
    """Return what makes spectra of labels, or None if `source` holds spectra."""
    if isinstance(source, FrozenEstimator):
        source = source.estimator
    makes_spectra = all(hasattr(source, name) for name in ("predict", "label_range_"))
    return source if makes_spectra or isinstance(source, SpectrumEmulator) else None


def _are_labels(partners: Any, emulator: Any) -> bool:
    """Return whether `partners` are a table of labels, and not spectra."""
    if named_columns(partners) is not None:
        return True
    if kind_of(partners) != "array":
        return False
    return np.shape(partners)[1:] == (len(emulator.label_names_),)


def check_not_asked_for(
    match: Any, known: KnownStars | None, parts: tuple[Spectra, Spectra]
) -> None:
    """Raise one sentence if labels were to be matched where nothing can be said about them.

    Parameters
    ----------
    match : {"auto", True, False}
    known : KnownStars or None
    parts : two Spectra

    Raises
    ------
    ValueError
        If any was asked for.
    """
    asked = "match_labels" if match is True else None
    if known is not None:
        asked = "labels" if known.anchors is None else "anchors"
    if asked is not None:
        raise ValueError(
            f"`{asked}` needs {MIN_ROWS} spectra of each domain, different ones, and {MIN_PIXELS} "
            f"pixels that both have; got {len(parts[0])} synthetic and {len(parts[1])} observed "
            f"spectra of {parts[0].shape[1]} pixels; leave it out, or add spectra."
        )


def doubt_in(mismatch: LabelMismatch, known: KnownStars | None) -> str:
    """Return the sentence on an offset that may be a gap along the labels.

    Parameters
    ----------
    mismatch : LabelMismatch
    known : KnownStars or None
        What didn't decide.

    Returns
    -------
    sentence : str
    """
    size = f"{mismatch.distance:.2f} +- {mismatch.distance_error:.2f} standard deviations"
    return (
        f"the observed stars look {size} away from the synthetic ones, and nothing in unpaired "
        "spectra tells whether their labels differ or the models are off along the labels; "
        f"taken for labels; {_deciding(known)} to decide."
    )


def _deciding(known: KnownStars | None) -> str:
    if known is None or known.labelled is None:
        return "give `anchors` or rough `labels`"
    return "give `anchors`, or `labels` and zero points less rough than these, which can't tell,"


def _sentence(mismatch: LabelMismatch, *, drawn: bool, remedy: str) -> str:
    done = "trained as if they were alike"
    if mismatch.matched:
        first, second = (f"{100 * share:.0f} %" for share in mismatch.shares)
        done = f"trained on stars that both have, worth {first} and {second} of the spectra"
    furthest = int(np.argmax(np.abs(mismatch.offset) / mismatch.offset_error))
    offset, error = abs(mismatch.offset[furthest]), mismatch.offset_error[furthest]
    source = "the emulator's training set" if drawn else "the synthetic spectra"
    remedy = f"draw the labels of {source} like those of the observed stars{remedy}"
    return (
        "the labels of the observed stars seem to be distributed otherwise than those of "
        f"{source}: by up to {offset:.2f} +- {error:.2f} standard deviations in the mean, "
        f"{mismatch.scale.min():.2f} to {mismatch.scale.max():.2f} times as wide "
        f"(p <= {mismatch.p_value:.1g}); {done}; {remedy}."
    )
