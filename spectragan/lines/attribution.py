"""`LineAttribution`: lines that synthetic spectra lack, and which label owns each of them."""

import warnings
from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np

from spectragan.exceptions import AttributionWarning
from spectragan.labels import label_array, named_columns
from spectragan.lines.inference import Linearization
from spectragan.lines.slopes import PixelFolds, Slopes
from spectragan.lines.stars import (
    AttributionStars,
    calibrated,
    explains,
    feature_matrix,
    mean_jacobian,
)
from spectragan.lines.table import (
    ATMOSPHERE,
    MissingLines,
    Owners,
    choose_owners,
    estimate_sigma,
    find_peaks,
    group_owners,
    make_line_table,
)
from spectragan.rules import NONE, Rules, check_all, count, number
from spectragan.spectra import Spectra
from spectragan.spectra.inputs import check_set
from spectragan.spectra.steps.broadening import FWHM_PER_SIGMA
from spectragan.translator.observed import ObservedEmulator, count_pixels


def gather(
    stars: AttributionStars,
    inferred: Linearization,
    owners: Owners,
    jacobians: tuple[np.ndarray, np.ndarray],
    slopes: list[Slopes],
    *,
    used: np.ndarray,
    emulator: Any,
    fdr: float,
) -> MissingLines:
    """Find the peaks of the slopes, and put all that was learned together.

    Parameters
    ----------
    stars : AttributionStars
    inferred : Linearization
        Of their labels.
    owners : Owners
    jacobians : two ndarrays of shape (n_pixels, n_labels)
        Of the emulator and the translated one.
    slopes : two Slopes
        Of the residuals, and of the smoothed residuals.
    used : ndarray of bool of shape (n_pixels,)
    emulator : SpectrumEmulator
    fdr : float

    Returns
    -------
    lines : MissingLines
    """
    names, plain, n_labels = tuple(emulator.label_names_), slopes[0], stars.n_labels
    change, error = _per_label(plain, feature_matrix(n_labels, owners), stars.population.spread)
    height, signs = _heights(slopes[1], owners, names)
    significance = np.full(change.shape, np.nan)
    for column, group in enumerate(owners.groups):
        significance[:, group] = height[:, [column]]
    groups = [[names[i] for i in group] for group in owners.groups]
    first = [group[0] for group in owners.groups]
    columns = np.arange(plain.values.shape[1])[plain.values.shape[1] - len(groups) :]
    table = make_line_table(
        find_peaks(height, stars.sigma, fdr, signs) if groups else [],
        groups,
        height,
        slopes[1].values[:, columns],
        change[:, first],
        error[:, first],
        explains(slopes[1], columns),
        plain.values[:, 0],
        emulator.wavelength_,
        stars.sigma,
    )
    labels, covariance = inferred.posterior(stars.population)
    return MissingLines(
        table=table,
        label_names=names,
        owners=tuple(names[i] for group in owners.groups for i in group),
        unattributable=tuple(names[i] for i in owners.unattributable),
        wavelength=emulator.wavelength_,
        synthetic=jacobians[0],
        translated=jacobians[1],
        observed=jacobians[0] + change,
        error=error,
        significance=significance,
        offset=plain.values[:, 0],
        used=used,
        labels=labels[:, :n_labels],
        label_errors=np.sqrt(np.einsum("nll->nl", covariance)[:, :n_labels]),
        reliability=owners.reliability,
        fdr=fdr,
    )


def _heights(
    smooth: Slopes, owners: Owners, names: tuple[str, ...]
) -> tuple[np.ndarray, np.ndarray]:
    """Return significances (n_pixels, n_groups) and how many signs each may have.

    Flux falls where an element has a line, but with temperature it may do either.
    """
    columns = slice(smooth.values.shape[1] - 1 - len(owners.groups), None)
    free = np.array([names[group[0]].lower() in ATMOSPHERE for group in owners.groups], dtype=bool)
    one_sided, either = (calibrated(smooth, one_sided=one)[0][:, columns] for one in (True, False))
    return np.where(free, np.abs(either), -one_sided), 1 + free


def _per_label(
    plain: Slopes, matrix: np.ndarray, spread: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return slopes and errors per unit of every label, (n_pixels, n_labels).

    The change of a feature is shared by the labels it is the mean of.
    """
    share = matrix / spread[: len(matrix), None]
    errors = calibrated(plain)[1]
    absent = ~(matrix != 0).any(axis=1)
    unknown = (np.isnan(errors).astype(float) @ share.T > 0) | absent
    change, error = (
        np.where(unknown, np.nan, np.nan_to_num(values) @ share.T)
        for values in (plain.values[:, 1:], errors)
    )
    return change, error


BLOCK = 25.0  # sigmas of a line: few pixels are near the edge of a block
REACH = 3.0  # sigmas of a line around a block that are left out with it
MIN_SPECTRA = 50
# Of spectra without errors, in units of their own: the residuals then say how large these are.
UNKNOWN_SNR = 1e4


class LineAttribution:
    r"""Find lines that synthetic spectra lack, and the label that owns each of them.

    Labels of the observed spectra are inferred with the translated emulator, at pixels where it
    holds. How the observed spectra then differ from the emulator's, as a function of the labels,
    is a change of the Jacobian with a standard error at every pixel. A missing line
    is a peak of it.

    Parameters
    ----------
    emulator : SpectrumEmulator
        Fitted; labels to synthetic spectra.
    translator : CycleGANTranslator, LinearTranslator or MeanShiftTranslator
        Fitted, on the same grid, to spectra that have the labels' distribution on both sides. It
        must follow as many labels as the emulator; it may move stars along them.
    owners : sequence of str, default=None
        Labels that lines can belong to. None takes all but ``teff``, ``logg``, ``vturb``,
        ``vmic``, ``vmacro`` and ``vsini``, which change all lines. These, where asked for, may
        own lines that grow with them or fade; all others only lines that grow.
    fdr : float, default=0.05
        Share of wrong lines among those found that is accepted.
    line_fwhm : float, default=None, pixels
        Full width at half maximum of a line. None takes it from the emulator's Jacobian.
    continuum_degree : int, default=4
        Of a polynomial by which every star's continuum may differ from that of the model; -1 is
        none. A slight broadening of every star's own is always allowed for.
    n_folds : int, default=8
        Parts of the pixels: labels are inferred from all others.

    Attributes
    ----------
    label_names_ : tuple of str
        Labels of the emulator.

    Raises
    ------
    GridMismatchError
        If emulator and translator are on different grids.
    NotFittedError
        If one of them isn't fitted.
    ValueError
        If a parameter breaks its rule.

    See Also
    --------
    ObservedEmulator : What the labels are inferred with.
    spectragan.diagnostics.LineAttributionDisplay : Draws the result.

    Notes
    -----
    With :math:`f` the emulator and :math:`\hat\theta_i` the posterior mean of a star's labels
    (Gaussian, with the labels' distribution as prior), the change :math:`D_j` of the Jacobian at
    pixel j comes from

    .. math:: y_{ij} - f_j(\hat\theta_i) = \delta_j + D_j (\hat\theta_i - \bar\theta)
              + \epsilon_{ij}.

    Posterior means have Berkson errors, which don't bias a regression: the usual attenuation by
    noise in the regressor is undone by the prior. Two things are needed for that: noise of pixel j
    isn't in :math:`\hat\theta_i` (labels come from other pixels), and the model of the labels holds
    where they are inferred (pixels with significant residuals are left out of it, in several
    rounds). Errors come from the scatter between stars [1]_, smoothed as the residuals are, and
    are raised to the scatter of all pixels where that is larger.

    The labels' model is never quite right, and a translator may turn stars into other stars, which
    unpaired spectra don't forbid. Then labels run too fast or too slow, or follow each other, by
    one matrix B for all pixels, and slopes change by :math:`J_j B`. Most lines are in both
    domains, so a robust regression of the slopes on the emulator's Jacobian tells B, and it is
    taken off. How slopes scatter at these lines tells how exact the emulator's derivatives are,
    and an error in proportion to the derivative is added: that a line is there, but a little
    stronger, is no discovery.

    Lines are local maxima of the significance. Their null distribution is known in closed
    form [2]_, and the false-discovery rate is controlled over all pixels and owners [3]_.

    It is no estimator: `find` returns all it learns.

    References
    ----------
    .. [1] White, H. 1980, Econometrica, 48, 817.
    .. [2] Schwartzman, A., Gavrilov, Y. & Adler, R. J. 2011, Ann. Statist., 39, 3290.
    .. [3] Benjamini, Y. & Hochberg, Y. 1995, J. R. Stat. Soc. B, 57, 289.

    Examples
    --------
    >>> from spectragan import LineAttribution, MeanShiftTranslator, SpectrumEmulator
    >>> from spectragan.datasets import make_line_domains
    >>> pair = make_line_domains(200, 300, n_pixels=300, n_elements=3, random_state=1)
    >>> labels = dict(zip(pair.label_names, pair.labels_synthetic.T))
    >>> from astropy.table import Table
    >>> emulator = SpectrumEmulator(verbose=0).fit(Table(labels), pair.synthetic)
    >>> translator = MeanShiftTranslator().fit(pair.synthetic, pair.observed)
    >>> found = LineAttribution(emulator, translator).find(pair.observed, Table(labels))
    >>> found.table.colnames[:4]
    ['wavelength', 'width', 'depth', 'label']
    """

    _rules: ClassVar[Rules] = {
        "n_folds": count(2),
        "continuum_degree": count(-1),
        "fdr": number(0, 1, remedy="0.05 is usual"),
        "line_fwhm": number(remedy="None estimates it") | NONE,
    }

    def __init__(
        self,
        emulator: Any,
        translator: Any,
        *,
        owners: Sequence[str] | None = None,
        fdr: float = 0.05,
        line_fwhm: float | None = None,
        continuum_degree: int = 4,
        n_folds: int = 8,
    ) -> None:
        self.emulator = emulator
        self.translator = translator
        self.owners = owners
        self.fdr = fdr
        self.line_fwhm = line_fwhm
        self.continuum_degree = continuum_degree
        self.n_folds = n_folds
        self._translated = ObservedEmulator(emulator, translator)
        self.label_names_ = tuple(emulator.label_names_)
        self._candidates = choose_owners(self.label_names_, owners)
        check_all(vars(self), self._rules)

    def __repr__(self) -> str:
        return f"LineAttribution({self.emulator!r}, {self.translator!r})"

    def find(self, observed: Any, labels: Any) -> MissingLines:
        """Find the lines that observed spectra have and synthetic ones lack.

        Parameters
        ----------
        observed : spectra of shape (n_spectra, n_pixels)
            At least 50. Their labels aren't needed.
        labels : array-like, DataFrame or Table of shape (n_samples, n_labels)
            A sample of the labels that the observed stars have as a population, such as those of
            the synthetic spectra that the translator was fitted to. Jacobians are averaged over it.

        Returns
        -------
        lines : MissingLines
            The table of lines, Jacobians, errors and significances.

        Raises
        ------
        GridMismatchError
            If `observed` isn't on the emulator's grid.
        ValueError
            If `labels` aren't those of the emulator, or there are too few spectra.

        Warns
        -----
        AttributionWarning
            If the spectra say nothing about some owner, or the translator loses labels.
        """
        spectra = check_set(
            observed, "observed", like=self._template(), like_name="emulator", min_rows=MIN_SPECTRA
        )
        sample = self._sample(labels)
        synthetic, translated = (
            mean_jacobian(model, sample) for model in (self.emulator, self._translated)
        )
        self._warn_of_rank(sample)
        sigma = estimate_sigma(synthetic)
        if self.line_fwhm is not None:
            sigma = self.line_fwhm / FWHM_PER_SIGMA
        stars = AttributionStars(
            spectra.filled().astype(float),
            _weights(spectra),
            sample,
            emulator=self.emulator,
            translated=self._translated,
            folds=PixelFolds(
                spectra.shape[1], self.n_folds, round(BLOCK * sigma), int(np.ceil(REACH * sigma))
            ),
            sigma=sigma,
            degree=self.continuum_degree,
        )
        used = stars.screen()
        inferred = stars.infer(slice(None), used, n_steps=3)
        means = inferred.posterior(stars.population)[0][:, : stars.n_labels]
        told = inferred.reliability(stars.population)[: stars.n_labels]
        owners = group_owners(means, told, self._candidates)
        self._warn_of_unattributable(owners)
        return gather(
            stars,
            inferred,
            owners,
            (synthetic, translated),
            stars.differences(inferred, owners),
            used=used,
            emulator=self.emulator,
            fdr=self.fdr,
        )

    def _template(self) -> Spectra:
        """Return a spectrum on the emulator's grid."""
        return Spectra(
            np.ones((1, count_pixels(self.emulator))),
            self.emulator.wavelength_,
            noise="exact",
            medium=self._translated.medium_,
        )

    def _sample(self, labels: Any) -> np.ndarray:
        names = None if named_columns(labels) is None else self.label_names_
        sample = label_array(labels, names, self._translated._label_units, input_name="labels")
        if sample.shape[1] != len(self.label_names_) or len(sample) <= len(self.label_names_):
            raise ValueError(
                f"`labels` must be a sample of more than {len(self.label_names_)} stars with the "
                f"emulator's labels, {', '.join(self.label_names_)}; got shape {sample.shape}; "
                "give those that the synthetic spectra were made with."
            )
        return np.clip(sample.astype(float), *self.emulator.label_range_)

    def _warn_of_rank(self, sample: np.ndarray) -> None:
        """Warn if translated spectra depend on fewer combinations of labels than synthetic ones."""
        middle, spread = sample.mean(axis=0, keepdims=True), sample.std(axis=0)
        ranks = [
            int(np.linalg.matrix_rank(np.nan_to_num(model.jacobian(middle)[0] * spread)))
            for model in (self.emulator, self._translated)
        ]
        if ranks[1] < ranks[0]:
            warnings.warn(
                f"translated spectra follow {ranks[1]} combinations of labels, synthetic ones "
                f"{ranks[0]}: lines of elements that the translator confuses are lost or wrong; "
                f"fit it with n_shared of at least {ranks[0]}, or take MeanShiftTranslator.",
                AttributionWarning,
                stacklevel=3,
            )

    def _warn_of_unattributable(self, owners: Owners) -> None:
        if owners.unattributable:
            lost = ", ".join(self.label_names_[i] for i in owners.unattributable)
            warnings.warn(
                f"the spectra say nothing about {lost}: no line can be attributed to them, and "
                "missing lines of theirs are not found; leave them out of `owners`, or add "
                "wavelengths where they have lines.",
                AttributionWarning,
                stacklevel=3,
            )


def _weights(spectra: Spectra) -> np.ndarray:
    """Return inverse variances; where they aren't known, larger than they can be."""
    weights = spectra.ivar.astype(float)
    unknown = spectra.noise != "known"
    level = np.median(np.abs(spectra.filled()[spectra.ivar > 0])) or 1.0
    weights[unknown] *= (UNKNOWN_SNR / level) ** 2
    return weights
