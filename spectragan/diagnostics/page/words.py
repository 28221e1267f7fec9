"""What a report found, in the words of its page: HTML in which all that isn't ours is escaped."""

import re
from collections.abc import Iterable
from html import escape
from typing import Any

from spectragan.diagnostics.page.sample import ReportSample
from spectragan.diagnostics.tsne import TSNEGap
from spectragan.spectra.noise import noise_words

NOTHING = "Nothing speaks against it. That doesn't prove it right."
NO_SAMPLE = "This report keeps no spectra, so that there are no maps and no stars here."
CHECKS = {  # what can be left out, in the words of a reader
    "strange": "strange spectra",
    "inventions": "invented features",
    "drift": "drift of labels",
    "noise": "noise of the two domains",
}


def findings(report: Any) -> str:
    """Return what speaks against a translation and what to do, or that nothing does."""
    if not report.findings:
        return f'<p class="fine">{escape(NOTHING)}</p>'
    items = (
        f'<li class="finding"><span class="level" data-level="{escape(f.level)}">'
        f"{escape(f.level)}</span><div><p>{prose(_sentence(f.what))}</p>"
        f'<p class="remedy"><strong>What to do:</strong> {prose(f.remedy)}.</p></div></li>'
        for f in report.findings
    )
    return f'<ul class="findings">{"".join(items)}</ul>'


def prose(words: str) -> str:
    """Return words as HTML, with names between backticks as code."""
    return re.sub(r"`([^`]*)`", r"<code>\1</code>", escape(words))


def _sentence(words: str) -> str:
    return f"{words[:1].upper()}{words[1:]}."


def left_out(report: Any) -> str:
    """Return what wasn't judged, folded away."""
    if not report.left_out:
        return ""
    items = "".join(
        f"<li><strong>{escape(CHECKS.get(name, name))}</strong>: {prose(why)}.</li>"
        for name, why in report.left_out.items()
    )
    return (
        f'<details class="left-out"><summary>Not judged: {len(report.left_out)}</summary>'
        f"<ul>{items}</ul></details>"
    )


def gap_bars(report: Any) -> str:
    """Return scores of the gap before and after translation, as bars beside that of no gap."""
    before, after = report.gap_before, report.gap_after
    auc = (before.auc, after.auc, after.auc_null)
    wasserstein = (
        before.sliced_wasserstein,
        after.sliced_wasserstein,
        after.sliced_wasserstein_null,
    )
    mmd2 = (before.mmd2, after.mmd2, after.mmd2_null)
    note = f"{after.n_samples} spectra a side, {noise_words(after.noise_difference)}"
    return (
        _bars("Classifier AUC", auc, (0.5, 1.0), "0.5: can't be told apart")
        + _bars("Sliced Wasserstein distance", wasserstein, (0.0, max(wasserstein)), "")
        + _bars("MMD²", mmd2, (0.0, max(mmd2)), f"p = {after.mmd2_p_value:.2g} after")
        + f'<p class="note">Line: no gap, between halves of the observed set. {escape(note)}.</p>'
    )


def _bars(title: str, values: tuple[float, ...], scale: tuple[float, float], note: str) -> str:
    """Return two bars with a line at the null, all cut at the ends of the scale."""
    low, high = scale
    widths = [
        min(max((value - low) / (high - low), 0.0), 1.0) * 100 if high > low else 0.0
        for value in values
    ]
    rows = "".join(
        f'<div class="bar"><span class="bar-name">{name}</span><div class="track">'
        f'<div class="fill {kind}" style="width:{width:.1f}%"></div>'
        f'<div class="null" style="left:{widths[2]:.1f}%"></div></div>'
        f'<span class="bar-value">{_number(value)}</span></div>'
        for name, kind, value, width in zip(
            ("before", "after"), ("synthetic", "translated"), values, widths, strict=False
        )
    )
    null = f"no gap {_number(values[2])}" + (f" · {escape(note)}" if note else "")
    return f'<div class="score"><h3>{title} <small>{null}</small></h3>{rows}</div>'


def _number(value: float) -> str:
    return f"{value:.3f}" if abs(value) >= 0.001 or value == 0 else f"{value:.1e}"


def facts(report: Any) -> str:
    """Return the other numbers of a report, each with its name."""
    return "".join(
        f"<div><dt>{escape(name)}</dt><dd>{escape(value)}</dd></div>"
        for name, value in _facts(report)
    )


def _facts(report: Any) -> Iterable[tuple[str, str]]:
    yield "of the gap left", f"{report.gap_left:.0%}"
    yield "left after a round trip", f"{report.cycle:.3f}"
    if report.strange is not None:
        by_chance = f"{report.strange.false_alarm_rate:.0%} by chance"
        yield f"like no observed spectrum ({by_chance})", f"{report.strange.share:.1%}"
    if report.inventions is not None:
        yield "invented features", str(len(report.inventions.table))
    if report.mismatch is not None:
        size = f"{report.mismatch.distance:.2f} ± {report.mismatch.distance_error:.2f}"
        matched = ", matched" if report.mismatch.matched else ""
        yield f"standard deviations of label mismatch{matched}", size
    yield "PseudoPairTranslator differs by", f"{report.disagreement:.0%}"
    if report.left_of_stars >= 0:  # NaN where the noise is unknown
        yield "left of single stars", f"{report.left_of_stars:.0%}"
        yield "left by noise", f"{report.by_noise:.0%}"
    if report.health is not None:
        yield "restarts of training", str(report.health.n_restarts)
    if report.coverage is not None:
        yield "coverage of 68 % intervals", f"{report.coverage:.1%}"
    if report.drift is not None:
        for name, size in zip(report.drift.label_names, report.drift.relative, strict=True):
            yield f"drift of {name}, of its scatter", f"{size:.2f}"


def sampling(sample: ReportSample | None) -> str:
    """Return which spectra a page shows, and of how many."""
    if sample is None:
        return NO_SAMPLE
    kept = {name: len(rows) for name, rows in sample.rows.items()}
    parts = [
        f"all {kept[name]} {name}" if kept[name] == size else f"{kept[name]} of {size} {name}"
        for name, (size, _) in sample.sizes.items()
    ]
    words = f"Shown here: {' and '.join(parts)} spectra"
    if any(kept[name] < usable for name, (_, usable) in sample.sizes.items()):
        words += ", drawn at random; the numbers are of all"
    masked = sum(size - usable for size, usable in sample.sizes.values())
    return f"{words}; {masked} have no good pixel." if masked else f"{words}."


def mixing(gap: TSNEGap, space: str) -> str:
    """Return how well sets mix in the data of a map, beside what no gap would give."""
    return " · ".join(
        f"{s.panel.first} with observed {s.mixing:.2f} (no gap {s.mixing_null:.2f})"
        for s in gap.panels
        if s.panel.space == space
    )
