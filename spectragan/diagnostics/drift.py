"""How far labels move when spectra go to the other domain and back."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.stats import theilslopes

from spectragan.diagnostics.label_comparison import LabelComparison, compare_labels
from spectragan.spectra.inputs import check_set
from spectragan.spectra.summary import SummaryMixin

MIN_STARS = 3  # of a trend
CONFIDENCE = 0.95  # of its interval


@dataclass(frozen=True, repr=False, eq=False)
class LabelDrift(SummaryMixin):
    """What a round trip does to labels, as `label_drift` measured it.

    Attributes
    ----------
    comparison : LabelComparison
        Labels after the round trip against those before.
    trend : ndarray of shape (n_labels,)
        Change of the drift per unit of the label: -0.1 where the range of labels shrinks by a
        tenth.
    trend_interval : ndarray of shape (n_labels, 2)
        95 % interval of `trend`; NaN where a label doesn't vary, or with fewer than three stars.
    relative : ndarray of shape (n_labels,)
        Size of the drift, bias and scatter together, in standard deviations of the label.
    """

    comparison: LabelComparison
    trend: np.ndarray
    trend_interval: np.ndarray
    relative: np.ndarray

    @property
    def label_names(self) -> tuple[str, ...]:
        """The labels, in the order of all arrays."""
        return self.comparison.label_names

    def as_dict(self) -> dict[str, dict[str, Any]]:
        """Return the numbers of every label by its name.

        Returns
        -------
        numbers : dict of str to dict
            ``bias``, ``scatter``, ``trend``, ``trend_interval`` and ``relative`` among others.
        """
        numbers = self.comparison.as_dict()
        for i, name in enumerate(self.label_names):
            numbers[name]["trend"] = float(self.trend[i])
            numbers[name]["trend_interval"] = tuple(self.trend_interval[i].tolist())
            numbers[name]["relative"] = float(self.relative[i])
        return numbers

    def summary(self) -> str:
        """Return the drift as a small table.

        Returns
        -------
        table : str
            One line per label.
        """
        lines = [f"{'label':<14}{'drift [95 % interval]':<36}{'trend [95 % interval]':<28}size"]
        for i, name in enumerate(self.label_names):
            low, high = self.trend_interval[i]
            trend = f"{self.trend[i]:+.3f} [{low:+.3f}, {high:+.3f}]"
            bias = self.comparison.bias_text(i)
            lines.append(f"{name:<14}{bias:<36}{trend:<28}{self.relative[i]:.3f}")
        return "\n".join([*lines, "size: bias and scatter, in standard deviations of the label"])

    def __repr__(self) -> str:
        sizes = ", ".join(
            f"{name}: {size:.3f}"
            for name, size in zip(self.label_names, self.relative, strict=True)
        )
        return f"LabelDrift({sizes})"


def label_drift(
    fitter: Any,
    translator: Any,
    synthetic: Any,
    *,
    random_state: int | np.random.RandomState | np.random.Generator | None = None,
) -> LabelDrift:
    """Fit labels before and after synthetic -> observed -> synthetic.

    Parameters
    ----------
    fitter : fitted estimator
        ``predict(spectra)`` gives labels of *synthetic* spectra, of shape (n_spectra, n_labels):
        a `ParameterFitter` without translator, a `StarNetRegressor`.
    translator : fitted translator
        Of any kind.
    synthetic : spectra of shape (n_spectra, n_pixels)
        At least 10.
    random_state : int, RandomState, Generator or None, default=None
        Seeds the bootstrap.

    Returns
    -------
    drift : LabelDrift
        Per label: bias, scatter, trend.

    Raises
    ------
    TypeError
        If `fitter` can't predict.
    ValueError
        If there are too few spectra, or no label could be fitted.

    See Also
    --------
    spectragan.compare_labels : Against a catalogue.
    spectragan.cycle_scores : The same with latents, on pairs.

    Notes
    -----
    No drift is necessary, not sufficient: a translator that makes every star 100 K hotter, and
    cooler on the way back, has none. What it shows is what is lost on the way.

    Examples
    --------
    >>> from spectragan import LinearTranslator, ParameterFitter, SpectrumEmulator, label_drift
    >>> from spectragan.datasets import make_mock_domains
    >>> mock = make_mock_domains(200, 200, n_pixels=200, random_state=0)
    >>> emulator = SpectrumEmulator(random_state=0, verbose=0)
    >>> emulator = emulator.fit(mock.labels_synthetic, mock.synthetic)
    >>> translator = LinearTranslator().fit(mock.synthetic, mock.observed)
    >>> fitter = ParameterFitter(emulator, verbose=0)
    >>> label_drift(fitter, translator, mock.synthetic[:50]).relative.shape
    (3,)
    """
    if not hasattr(fitter, "predict"):
        raise TypeError(
            f"`fitter` must have `predict`; got {type(fitter).__name__}; give for example "
            "ParameterFitter(emulator)."
        )
    spectra = check_set(synthetic, "synthetic")
    back = translator.inverse_transform(translator.transform(spectra))
    names = getattr(fitter, "label_names_", None)
    before, after = (np.asarray(fitter.predict(part), float) for part in (spectra, back))
    before, after = (part.reshape(len(spectra), -1) for part in (before, after))
    comparison = compare_labels(after, before, label_names=names, random_state=random_state)
    trends = [_trend(before[:, i], after[:, i]) for i in range(before.shape[1])]
    spread = np.nanstd(before, axis=0)
    size = np.hypot(comparison.bias, comparison.scatter)
    return LabelDrift(
        comparison=comparison,
        trend=np.array([trend for trend, _ in trends]),
        trend_interval=np.array([interval for _, interval in trends]),
        relative=np.divide(size, spread, out=np.full(len(size), np.nan), where=spread > 0),
    )


def _trend(before: np.ndarray, after: np.ndarray) -> tuple[float, tuple[float, float]]:
    """Return a robust slope of the drift along a label, and its interval."""
    used = np.isfinite(before) & np.isfinite(after)
    x, y = before[used], (after - before)[used]
    if len(x) < MIN_STARS or np.ptp(x) == 0:
        return np.nan, (np.nan, np.nan)
    found = theilslopes(y, x, CONFIDENCE)
    return float(found.slope), (float(found.low_slope), float(found.high_slope))
