"""`translation_report`: all that can be said about a translation without pairs."""

import json
import os
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from spectragan.diagnostics.drift import LabelDrift, label_drift
from spectragan.diagnostics.findings import LEVELS, Finding, judge
from spectragan.diagnostics.gap import GapScores, gap_scores
from spectragan.diagnostics.page.sample import ReportSample, draw_sample
from spectragan.diagnostics.second_opinion import second_opinion
from spectragan.diagnostics.strangeness import (
    OutOfDistribution,
    least_reference,
    out_of_distribution,
)
from spectragan.files.layout import write_atomically
from spectragan.lines.inventions import MIN_SPECTRA, find_inventions
from spectragan.spectra import Spectra
from spectragan.spectra.inputs import check_set, check_translator, draw_seed, make_rng
from spectragan.spectra.noise import lend_noise
from spectragan.spectra.summary import SummaryMixin

FALSE_ALARMS = 0.01  # of the share of strange spectra


@dataclass(frozen=True, repr=False, eq=False)
class TranslationReport(SummaryMixin):
    """What a translation is worth, as `translation_report` found it.

    Attributes
    ----------
    translator : str
        Its class.
    gap_before, gap_after : GapScores
        Between the domains, before and after translation of the synthetic spectra.
    cycle : float
        Rms change of synthetic spectra on the way there and back, as a part of that on the way
        there.
    strange : OutOfDistribution or None
        Translated spectra, with the noise of observed ones, among the observed spectra; None
        with too few of these whose noise is known.
    drift : LabelDrift or None
        None without a fitter.
    inventions : Inventions or None
        None with too few spectra.
    mismatch : LabelMismatch or None
        Of the label distributions, as the translator found it in `fit`, or `PseudoPairTranslator`
        does; None with too few spectra.
    disagreement : float
        With `PseudoPairTranslator`, as a part of the change.
    left_of_stars : float
        What is left of single observed stars, the noise taken off: their rms difference to their
        translated synthetic counterparts, as a part of that to the counterparts, which
        `PseudoPairTranslator` finds. What was not learned, and what each star has of its own. It
        doesn't see what looks like other labels. NaN where the noise is unknown.
    by_noise : float
        Error of a translation that was learned from as many observed spectra as these, by their
        noise alone, as a part of the change. NaN where the noise is unknown.
    health : TrainingHealth or None
        Of the translator's training; None for translators without a game.
    coverage : float or None
        As it was given.
    left_out : dict of str to str
        What these spectra don't allow to judge, and why: any of ``strange``, ``inventions``,
        ``drift``, and ``noise`` where the noise of the two domains can't be made alike.
    means : dict of str to ndarray of shape (n_pixels,)
        Mean ``synthetic``, ``translated`` and ``observed`` flux.
    wavelength : Quantity of shape (n_pixels,) or None
    findings : tuple of Finding
        What speaks against the translation, the worst first.
    sample : ReportSample or None
        The spectra that `to_html` shows, drawn at random: up to 300 of each domain, fewer where
        they have more than 2,000 pixels.
    """

    translator: str
    gap_before: GapScores
    gap_after: GapScores
    cycle: float
    strange: OutOfDistribution | None
    drift: LabelDrift | None
    inventions: Any
    mismatch: Any
    disagreement: float
    left_of_stars: float
    by_noise: float
    health: Any
    coverage: float | None
    left_out: dict[str, str]
    means: dict[str, np.ndarray]
    wavelength: Any
    findings: tuple[Finding, ...] = ()
    sample: ReportSample | None = None

    @property
    def verdict(self) -> str:
        """The worst of all findings: "good", "can't be told", "doubtful" or "wrong"."""
        return self.findings[0].level if self.findings else LEVELS[0]

    @property
    def gap_left(self) -> float:
        """Sliced Wasserstein distance after translation over that before, less the null's."""
        null = self.gap_before.sliced_wasserstein_null
        before = self.gap_before.sliced_wasserstein - null
        after = self.gap_after.sliced_wasserstein - self.gap_after.sliced_wasserstein_null
        return max(after, 0.0) / before if before > null else float(after > null)

    def as_dict(self) -> dict[str, Any]:
        """Return all numbers as plain Python objects.

        Returns
        -------
        numbers : dict
            Ready for JSON: no spectra, no arrays.
        """
        return {
            "verdict": self.verdict,
            "findings": [asdict(finding) for finding in self.findings],
            "translator": self.translator,
            "gap_before": self.gap_before.as_dict(),
            "gap_after": self.gap_after.as_dict(),
            "gap_left": self.gap_left,
            "cycle": self.cycle,
            "strange": None if self.strange is None else self.strange.share,
            "drift": None if self.drift is None else self.drift.as_dict(),
            "inventions": None if self.inventions is None else len(self.inventions.table),
            "mismatch": _mismatch_dict(self.mismatch),
            "disagreement": self.disagreement,
            "left_of_stars": self.left_of_stars,
            "by_noise": self.by_noise,
            "health": None if self.health is None else asdict(self.health),
            "coverage": self.coverage,
            "left_out": dict(self.left_out),
        }

    def to_json(self, path: str | os.PathLike) -> None:
        """Write all numbers to a file, whole or not at all.

        Parameters
        ----------
        path : path-like
            Replaced if it exists. NaN is written as null.

        Raises
        ------
        OSError
            If it can't be written.
        """
        text = json.dumps(_finite(self.as_dict()), indent=2, allow_nan=False)
        write_atomically(path, [text.encode(), b"\n"])

    def to_html(self, path: str | os.PathLike | None = None) -> str | None:
        """Make one page for the browser: verdict, maps of all stars, and each star's spectra.

        Parameters
        ----------
        path : path-like, default=None
            Written whole or not at all, and replaced if it exists; None returns the page.

        Returns
        -------
        html : str or None
            The page, if there is no `path`. It is complete in itself: nothing is loaded.

        Raises
        ------
        ImportError
            If bokeh isn't installed; it comes with the extra ``interactive``.
        OSError
            If it can't be written.

        Notes
        -----
        It shows the spectra in ``sample``. A star's partner is the spectrum of the other side that
        its translation is nearest to, in mean square less the noise. In a notebook::

            from html import escape
            from IPython.display import HTML

            HTML(f'<iframe srcdoc="{escape(report.to_html())}" width="100%" height="900"></iframe>')

        Examples
        --------
        >>> from spectragan import MeanShiftTranslator, translation_report
        >>> from spectragan.datasets import make_mock_domains
        >>> mock = make_mock_domains(40, 40, n_pixels=50, random_state=0)
        >>> translator = MeanShiftTranslator().fit(mock.synthetic, mock.observed)
        >>> report = translation_report(translator, mock.synthetic, mock.observed, random_state=0)
        >>> report.to_html()[:15]
        '<!DOCTYPE html>'
        """
        from spectragan.diagnostics.page.document import page_of  # bokeh is an extra

        page = page_of(self)
        if path is None:
            return page
        write_atomically(path, [page.encode()])
        return None

    def summary(self) -> str:
        """Return the report as a table, with the verdict and what to do.

        Returns
        -------
        table : str
            One line per check, and one per finding.
        """
        before, after = self.gap_before, self.gap_after
        lines = [
            f"{self.translator}: {self.verdict}",
            *(f"  {finding}" for finding in self.findings),
            *(f"  not judged, {name}: {why}." for name, why in self.left_out.items()),
            f"{'':<28}{'before':>10}{'after':>10}{'null':>10}",
            f"{'classifier AUC':<28}{before.auc:>10.3f}{after.auc:>10.3f}{after.auc_null:>10.3f}",
            f"{'sliced Wasserstein':<28}{before.sliced_wasserstein:>10.3f}"
            f"{after.sliced_wasserstein:>10.3f}{after.sliced_wasserstein_null:>10.3f}",
            f"{'left after a round trip':<28}{self.cycle:>10.3f}",
            f"{'left of single stars':<28}{self.left_of_stars:>10.3f}",
            f"{'left by noise':<28}{self.by_noise:>10.3f}",
            *_optional_lines(self),
        ]
        return "\n".join(lines if self.drift is None else [*lines, self.drift.summary()])

    def __repr__(self) -> str:
        return (
            f"TranslationReport({self.translator}: {self.verdict}, "
            f"gap_left={self.gap_left:.2f}, {len(self.findings)} findings)"
        )


def translation_report(
    translator: Any,
    synthetic: Any,
    observed: Any,
    *,
    fitter: Any = None,
    coverage: float | None = None,
    random_state: int | np.random.RandomState | np.random.Generator | None = None,
) -> TranslationReport:
    """Check a translation in every way that needs no pairs, and say whether to trust it.

    Parameters
    ----------
    translator : fitted translator
        Of any kind.
    synthetic : spectra of shape (n_synthetic, n_pixels)
        Best not those of `fit`.
    observed : spectra of shape (n_observed, n_pixels)
        Best not those of `fit`; 200 or more, with errors, for all checks. What can't be judged
        is left out, and the report says why.
    fitter : fitted estimator, default=None
        Labels of synthetic spectra, for the drift (see `label_drift`).
    coverage : float, default=None
        Measured coverage of 68 % intervals, if there is one; it is reported along.
    random_state : int, RandomState, Generator or None, default=None
        Seeds all checks.

    Returns
    -------
    report : TranslationReport
        ``print(report)`` shows it, `TranslationReportDisplay` draws it, and `to_html` makes an
        interactive page of it.

    Raises
    ------
    GridMismatchError
        If grids differ.
    NotFittedError
        If the translator isn't fitted.
    ValueError
        If there are fewer than 10 spectra of a domain.

    See Also
    --------
    spectragan.gap_scores, spectragan.find_inventions, spectragan.label_drift : Single checks.
    spectragan.cycle_scores : With pairs.

    Notes
    -----
    Nothing here sees a translation that turns each star into another star of the same set. So
    "good" needs more than that nothing was found: anchors, or two assumptions that agree, equal
    labels and a gap at few pixels; else the verdict is "can't be told", with the size of what may
    hide. It is that of the worst finding; its limits are conventions.

    Examples
    --------
    >>> from spectragan import LinearTranslator, translation_report
    >>> from spectragan.datasets import make_mock_domains
    >>> mock = make_mock_domains(300, 300, n_pixels=100, random_state=0)
    >>> translator = LinearTranslator().fit(mock.synthetic, mock.observed)
    >>> report = translation_report(translator, mock.synthetic, mock.observed, random_state=0)
    >>> report.gap_left < 0.4
    True
    """
    check_translator(translator, "translation_report(translator, synthetic, observed)")
    observed = check_set(observed, "observed")
    synthetic = check_set(synthetic, "synthetic", like=observed, like_name="observed")
    rng = make_rng(random_state)
    translated = translator.transform(synthetic)
    sampled = translated.with_flux(
        translator.sample(synthetic, 1, draw_seed(rng))[0].astype(translated.dtype)
    )
    seed = draw_seed(rng)
    opinion = second_opinion(translator, translated, synthetic, observed)
    before = gap_scores(synthetic, observed, random_state=seed)
    left_out = _left_out(synthetic, observed, fitter, before)
    report = TranslationReport(
        translator=type(translator).__name__,
        gap_before=before,
        gap_after=gap_scores(sampled, observed, random_state=seed),
        cycle=_cycle(translator, synthetic, translated),
        strange=None
        if "strange" in left_out
        else _strange_spectra(translator, sampled, observed, rng),
        drift=fitter and label_drift(fitter, translator, synthetic, random_state=seed),
        inventions=None
        if "inventions" in left_out
        else find_inventions(translator, synthetic, observed, random_state=seed),
        mismatch=getattr(translator, "mismatch_", None) or opinion.mismatch,
        disagreement=opinion.disagreement,
        left_of_stars=opinion.left_of_stars,
        by_noise=opinion.by_noise,
        health=getattr(translator, "health_", None),
        coverage=coverage,
        left_out=left_out,
        means={
            "synthetic": _mean(synthetic),
            "translated": _mean(translated),
            "observed": _mean(observed),
        },
        wavelength=observed.wavelength,
        sample=draw_sample(translator, synthetic, translated, observed, rng),
    )
    return replace(report, findings=judge(report))


def _cycle(translator: Any, synthetic: Spectra, translated: Spectra) -> float:
    back = translator.inverse_transform(translated)
    good = synthetic.ivar > 0
    there, left = (
        np.sqrt(np.mean((part.flux - synthetic.flux)[good] ** 2, dtype=float))
        for part in (translated, back)
    )
    return float(left / there) if there > 0 else float(left > 0)


def _left_out(synthetic: Spectra, observed: Spectra, fitter: Any, gap: GapScores) -> dict[str, str]:
    """Return which checks these spectra don't allow, and why."""
    left_out = {}
    n_known, needed = int(_is_comparable(observed).sum()), least_reference(FALSE_ALARMS)
    if n_known < needed:
        left_out["strange"] = (
            f"it takes {needed} observed spectra whose noise is known; got {n_known} of "
            f"{len(observed)}; give their `ivar`, or more spectra"
        )
    sizes = len(synthetic), len(observed)
    if min(sizes) < MIN_SPECTRA:
        left_out["inventions"] = (
            f"it takes {MIN_SPECTRA} spectra of each domain; got {sizes[0]} synthetic and "
            f"{sizes[1]} observed; give more"
        )
    if fitter is None:
        left_out["drift"] = "it takes a fitter of labels; give `fitter`"
    if not gap.noise_matched:
        left_out["noise"] = (
            "errors are unknown, or differ in size, so the gap holds the noise too; give the "
            "`ivar` of all real spectra, and models without noise"
        )
    return left_out


def _is_comparable(observed: Spectra) -> np.ndarray:
    """Tell which observed spectra a translated one with lent noise can be compared with."""
    return (observed.noise != "unknown") & (observed.ivar > 0).any(axis=1)


def _strange_spectra(
    translator: Any, sampled: Spectra, observed: Spectra, rng: np.random.Generator
) -> OutOfDistribution:
    reference = observed[_is_comparable(observed)]
    noisy = lend_noise(sampled, reference, rng)
    return out_of_distribution(
        translator, noisy, reference, domain="observed", false_alarm_rate=FALSE_ALARMS
    )


def _mean(spectra: Spectra) -> np.ndarray:
    """Return the mean flux of good pixels, NaN where there is none."""
    good = spectra.ivar > 0
    number = good.sum(axis=0)
    total = np.where(good, spectra.flux, 0.0).sum(axis=0, dtype=float)
    return np.divide(total, number, out=np.full(len(total), np.nan), where=number > 0)


def _mismatch_dict(mismatch: Any) -> dict[str, Any] | None:
    if mismatch is None:
        return None
    return {
        "distance": mismatch.distance,
        "distance_error": mismatch.distance_error,
        "is_significant": bool(mismatch.is_significant),
        "matched": bool(mismatch.matched),
    }


def _optional_lines(report: TranslationReport) -> list[str]:
    lines = []
    if report.strange is not None:
        rate = report.strange.false_alarm_rate
        lines.append(
            f"{'like no observed spectrum':<28}{report.strange.share:>10.3f}{'':>10}{rate:>10.3f}"
        )
    if report.inventions is not None:
        lines.append(f"{'invented features':<28}{len(report.inventions.table):>10}")
    if report.mismatch is not None:
        size = f"{report.mismatch.distance:.2f} ± {report.mismatch.distance_error:.2f}"
        matched = " (matched)" if report.mismatch.matched else ""
        lines.append(f"{'label mismatch':<28}{size:>10}{matched}")
        if report.mismatch.gap:
            lines.append(f"{'all lines':<28}{report.mismatch.gap}")
    if report.health is not None:
        lines.append(f"{'restarts of training':<28}{report.health.n_restarts:>10}")
    if report.coverage is not None:
        lines.append(f"{'coverage of 68 % intervals':<28}{report.coverage:>10.3f}")
    return lines


def _finite(value: Any) -> Any:
    """Return plain values with None in place of NaN and infinity, which JSON doesn't know."""
    if isinstance(value, dict):
        return {key: _finite(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(part) for part in value]
    if isinstance(value, float | np.floating):
        return float(value) if np.isfinite(value) else None
    return value.item() if isinstance(value, np.generic) else value
