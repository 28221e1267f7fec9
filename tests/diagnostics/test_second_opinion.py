"""What stars have of their own is told from what a translation could still learn."""

import numpy as np
import pytest

from benchmarks.gap_pairs import GAPS, make_pair
from spectragan import PseudoPairTranslator
from spectragan.diagnostics.second_opinion import second_opinion

BY_NAME = {gap.name: gap for gap in GAPS}
pytestmark = pytest.mark.filterwarnings("ignore::spectragan.LabelMismatchWarning")


def opinion(name, **changes):
    pair = make_pair(BY_NAME[name], seed=3, n_pixels=500, n_test=150)
    observed = pair.observed
    if "rows" in changes:
        observed = observed[: changes["rows"]]
    if not changes.get("known", True):
        observed = observed.with_flux(observed.flux, (observed.ivar > 0).astype(float), "unknown")
    fit = PseudoPairTranslator().fit(pair.synthetic, observed)
    return second_opinion(fit, fit.transform(pair.synthetic), pair.synthetic, observed)


def test_sky_lines_of_each_star_are_seen_and_lines_that_are_wrong_for_all_are_not():
    # A regression on true pairs leaves 0.52 of the first, and 0.03 of the second.
    assert 0.35 < opinion("telluric, fringing").left_of_stars < 0.6
    assert opinion("deeper").left_of_stars < 0.1


def test_one_star_in_twenty_that_is_broken_does_not_count():
    assert opinion("sparse, outliers").left_of_stars < 0.2


def test_noise_of_fewer_spectra_leaves_more():
    many, few = opinion("deeper"), opinion("deeper", rows=200)
    assert few.by_noise == pytest.approx(2 * many.by_noise, rel=0.25)


def test_without_errors_neither_is_known():
    unknown = opinion("deeper", known=False)
    assert np.isnan(unknown.left_of_stars)
    assert np.isnan(unknown.by_noise)
