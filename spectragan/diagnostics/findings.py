"""What the numbers of a translation report mean, in words that a user can act on."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

LEVELS = ("good", "can't be told", "doubtful", "wrong")
GRADES = ("good", "doubtful", "wrong")
GAP_LEFT = (0.4, 0.8)  # of the distance between the domains: doubtful, wrong
DRIFT = (0.1, 0.5)  # standard deviations of a label: doubtful, wrong
STRANGE = (0.05, 0.3)  # share of translated spectra that the observed domain doesn't have
HIDDEN = 0.25  # standard deviations of a latent: an error of the mean star that may hide
DISAGREEMENT = 0.5  # of the change: two methods that differ by more don't agree
MISMATCH = 1.0  # standard deviations of a latent: rows that both domains have are then few
LEFT_OF_STARS = 1 / 3  # of the difference between stars and their counterparts
BY_NOISE = 0.5  # of the change: noise of the spectra it was learned from
INVENTED = 0.05  # share of pixels: a translation that invents more is no translation


@dataclass(frozen=True)
class Finding:
    """One thing that speaks against a translation.

    Attributes
    ----------
    level : {"can't be told", "doubtful", "wrong"}
        How much it speaks against it.
    what : str
        What was found.
    remedy : str
        What to do.
    """

    level: str
    what: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.level}: {self.what}; {self.remedy}."


def judge(report: Any) -> tuple[Finding, ...]:
    """Return all that speaks against a translation, the worst first.

    Parameters
    ----------
    report : TranslationReport
        Its numbers.

    Returns
    -------
    findings : tuple of Finding
    """
    found = [
        *_gap(report),
        *_strange_findings(report),
        *_drift(report),
        *_mismatch_findings(report),
        *_hidden(report),
        *_left_of_stars(report),
        *_health(report),
        *_inventions(report),
    ]
    return tuple(sorted(found, key=lambda finding: -LEVELS.index(finding.level)))


def _level(value: float, limits: tuple[float, float]) -> str:
    return GRADES[sum(value > limit for limit in limits)]


def _gap(report: Any) -> Iterator[Finding]:
    level = _level(report.gap_left, GAP_LEFT)
    if level != "good":
        yield Finding(
            level,
            f"{report.gap_left:.0%} of the distance between the domains is left",
            "train longer, compare with LinearTranslator, and see whether both sides hold the "
            "same stars",
        )


def _strange_findings(report: Any) -> Iterator[Finding]:
    if report.strange is None:
        return
    level = _level(report.strange.share, STRANGE)
    if level != "good":
        yield Finding(
            level,
            f"{report.strange.share:.0%} of the translated spectra are like no observed one",
            "leave out synthetic stars that the observed set doesn't have, or train longer",
        )


def _drift(report: Any) -> Iterator[Finding]:
    if report.drift is None:
        return
    for name, size in zip(report.drift.label_names, report.drift.relative, strict=True):
        level = _level(size, DRIFT)
        if level != "good":
            yield Finding(
                level,
                f"{name} drifts by {size:.2f} of its scatter on the way there and back",
                "raise `cycle_weight` or `n_shared`",
            )


def _mismatch_findings(report: Any) -> Iterator[Finding]:
    mismatch = report.mismatch
    if mismatch is None or not mismatch.is_significant:
        return
    size = f"by {mismatch.distance:.2f} ± {mismatch.distance_error:.2f} standard deviations"
    if not mismatch.matched:
        yield Finding(
            "doubtful",
            f"the label distributions differ {size}, and training did not allow for it",
            'set match_labels="auto", or give anchors',
        )
    elif mismatch.distance > MISMATCH:
        yield Finding(
            "doubtful",
            f"the label distributions differ {size}: few stars are on both sides",
            "choose synthetic spectra that are more like the observed stars, or give anchors",
        )


def _hidden(report: Any) -> Iterator[Finding]:
    """Yield what no check can see: errors along the labels, unless something bounds them."""
    remedy = "give `anchors`: a few stars whose labels are known"
    mismatch = report.mismatch
    if mismatch is None:
        yield Finding(LEVELS[1], "with so few spectra, an error along the labels hides", remedy)
        return
    error = float(np.max(mismatch.offset_error))
    if mismatch.is_ambiguous:
        yield Finding(
            LEVELS[1],
            f"{mismatch.distance:.2f} ± {mismatch.distance_error:.2f} standard deviations between "
            "the mean stars may be other labels, or an error of the models that looks like them",
            remedy,
        )
    elif error > HIDDEN:
        yield Finding(
            LEVELS[1],
            f"an error of the mean star of {error:.2f} standard deviations may hide",
            remedy,
        )
    if report.by_noise > BY_NOISE:
        yield Finding(
            LEVELS[1],
            f"the noise of as many observed spectra as these leaves an error of "
            f"{report.by_noise:.0%} of the change",
            "give more observed spectra to `fit`, or better ones",
        )
    if report.disagreement > DISAGREEMENT:
        yield Finding(
            LEVELS[1],
            f"PseudoPairTranslator translates otherwise, by {report.disagreement:.0%} of the "
            "change",
            "see on stars with known labels which of the two is right",
        )


def _left_of_stars(report: Any) -> Iterator[Finding]:
    if report.left_of_stars > LEFT_OF_STARS:
        yield Finding(
            "doubtful",
            f"{report.left_of_stars:.0%} of the difference to single stars is left: not learned, "
            "or each star's own, as continuum, sky and rotation are",
            "compare with PseudoPairTranslator, and correct or mask before `fit` what differs from "
            "star to star: a translation gives all stars of the same labels the same spectrum",
        )


def _health(report: Any) -> Iterator[Finding]:
    health = report.health
    if health is None or not health.problems:
        return
    yield Finding(
        "doubtful" if health.healthy else "wrong",
        f"training went wrong {len(health.problems)} time(s): {health.problems[0]}",
        "raise `penalty` or lower `learning_rate`",
    )


def _inventions(report: Any) -> Iterator[Finding]:
    inventions = report.inventions
    if inventions is None or len(inventions.table) == 0:
        return
    share = inventions.share
    yield Finding(
        "wrong" if share > INVENTED else "doubtful",
        f"{len(inventions.table)} feature(s) were invented, on {share:.1%} of the pixels",
        "mask these pixels, raise `identity_weight`, or train longer",
    )
