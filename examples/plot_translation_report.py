"""
Is a translation to be trusted?
===============================

A translated spectrum looks real whether or not it is right. `translation_report` runs every check
that needs no pairs. Here it judges three translators: a good one, one that was trained as if both
domains held the same stars although they don't, and one that has hardly learned anything.
"""

import warnings
from html import escape

import numpy as np

from spectragan import CycleGANTranslator, SpectraganWarning, translation_report
from spectragan.datasets import make_mock_domains
from spectragan.diagnostics import TrainingHistoryDisplay, TranslationReportDisplay

warnings.simplefilter("ignore", SpectraganWarning)  # the reports say it all again
PAIR = {"n_synthetic": 600, "n_observed": 600, "n_pixels": 600}
HELD_OUT = {"n_synthetic": 300, "n_observed": 300, "n_pixels": 600, "random_state": 1}
TRAINING = {"max_epochs": 14, "warmup_epochs": 4, "random_state": 0, "verbose": 0}

# %%
# A mock pair has a truth, so that the reports can be judged in turn: what a translator leaves of
# the true gap is printed beside each verdict. The report itself never sees it.


def left(translator, pair):
    """Return what a translator leaves of the raw gap, by the truth."""
    flux = translator.transform(pair.synthetic_of_observed).flux
    return np.sqrt(np.mean((flux - pair.observed_truth.flux) ** 2)) / pair.raw_gap


def show(translator, label_shift=0.0, follow=False):
    """Train, report, draw, and compare with the truth."""
    pair = make_mock_domains(**PAIR, label_shift=label_shift, random_state=0)
    held_out = make_mock_domains(**HELD_OUT, label_shift=label_shift)
    pairs = (held_out.synthetic_of_observed, held_out.observed) if follow else None
    translator.fit(pair.synthetic, pair.observed, validation=pairs)
    report = translation_report(translator, held_out.synthetic, held_out.observed, random_state=0)
    print(report)
    print(f"left of the gap, by the truth: {left(translator, held_out):.2f}")
    return TranslationReportDisplay(report).plot()


# %%
# A good one, but for one feature
# -------------------------------
# All is well here but for one feature of 0.7 % of the pixels, which models and stars don't have.
# Look at such a place before you use it: one in twenty that are named is a false alarm.

translator = CycleGANTranslator(**TRAINING)
good = show(translator, follow=True)
good.figure_.savefig("report_good.png", dpi=150)

# %%
# Where there are pairs, as in a mock or of benchmark stars, training can be followed with them.
# They are scored after each epoch, and nothing learns from them: two scores of spectra, four of
# latents.

history = TrainingHistoryDisplay.from_estimator(translator)
history.figure_.savefig("report_training.png", dpi=150)

# %%
# A doubtful one
# --------------
# The observed stars are hotter, and ``match_labels=False`` takes that for a part of the gap. The
# gap closes as well as before: only the estimate of the mismatch tells that stars were moved.

doubtful = show(CycleGANTranslator(**TRAINING, match_labels=False), label_shift=0.8)
doubtful.figure_.savefig("report_doubtful.png", dpi=150)

# %%
# The same report as a page for the browser (extra ``interactive``). Click a point to see a star,
# and draw around some to list them. ``report.to_html("report.html")`` writes it as a file.


class Frame:
    """A page within another, for notebooks and this gallery."""

    def __init__(self, page):
        self.page = page

    def _repr_html_(self):
        return f'<iframe srcdoc="{escape(self.page)}" width="100%" height="900"></iframe>'


Frame(doubtful.report.to_html())

# %%
# A wrong one
# -----------
# The published network from random weights, after a few dozen steps.

start = {"max_epochs": 3, "warmup_epochs": 1, "steps_per_epoch": 10, "width": 0.25}
wrong = show(CycleGANTranslator("conv-published", **start, random_state=0, verbose=0))
wrong.figure_.savefig("report_wrong.png", dpi=150)
