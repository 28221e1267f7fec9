"""The closed form: right where lines are wrong together, whatever the labels."""

import numpy as np
import pytest

from benchmarks.gap_pairs import GAPS, make_pair
from spectragan import (
    LabelMismatchWarning,
    LinearTranslator,
    PseudoPairTranslator,
    SpectrumEmulator,
    load,
)

BY_NAME = {gap.name: gap for gap in GAPS}


def left(translator, pair):
    flux = translator.transform(pair.test.synthetic_of_observed).flux
    rms = np.sqrt(np.mean((flux - pair.test.observed_truth.flux) ** 2, dtype=float))
    return float(rms) / pair.unit


# Other labels are always in doubt without anchors, and said so: here they are on purpose.
pytestmark = pytest.mark.filterwarnings("ignore::spectragan.LabelMismatchWarning")


def small(name, base="MILES-like", shift=0.5, seed=3):
    return make_pair(BY_NAME[name], base, label_shift=shift, seed=seed, n_pixels=500, n_test=150)


@pytest.fixture(scope="module")
def deeper():
    pair = small("deeper, broader, continuum")
    return pair, PseudoPairTranslator().fit(pair.synthetic, pair.observed)


@pytest.mark.parametrize("base", ["MILES-like", "APOGEE-like"])
@pytest.mark.parametrize("name", ["sparse", "deeper", "scattered light"])
def test_a_gap_is_closed_though_labels_differ(name, base):
    pair = small(name, base)
    fit = PseudoPairTranslator().fit(pair.synthetic, pair.observed)
    linear = LinearTranslator().fit(pair.synthetic, pair.observed)
    assert left(fit, pair) < 0.35
    assert left(fit, pair) < 0.5 * left(linear, pair)


@pytest.mark.parametrize("name", ["continuum", "rotation spread", "deeper, low S/N"])
def test_what_each_star_has_by_itself_does_not_lead_astray(name):
    """A search that took a star's continuum for labels left fifty times the gap."""
    pair = make_pair(BY_NAME[name], "APOGEE-like", label_shift=0.5, seed=3, n_test=150)
    fit = PseudoPairTranslator().fit(pair.synthetic, pair.observed)
    assert left(fit, pair) < 0.75
    truth = pair.labels_observed.mean(axis=0), pair.labels_synthetic.mean(axis=0)
    assert not np.allclose(*truth)
    stars, models = (fit.map_.encode(p.flux) for p in (pair.synthetic_of_observed, pair.synthetic))
    off = fit.mismatch_.offset - (stars.mean(axis=0) - models.mean(axis=0)) / models.std(axis=0)
    assert (np.abs(off) < 2.5 * fit.mismatch_.offset_error).all()


def test_a_star_is_brought_back_whatever_its_continuum():
    pair = small("continuum", base="APOGEE-like", shift=0.0)
    fit = PseudoPairTranslator().fit(pair.synthetic, pair.observed)
    tilt = 1 + 0.01 * np.linspace(-1, 1, pair.observed.shape[1])
    places = [
        fit.encode(part.filled(), "observed").shared
        for part in (pair.observed, pair.observed.with_flux(pair.observed.flux * tilt))
    ]
    moved = np.abs(places[1] - places[0]).mean(axis=0)
    assert moved.max() < 0.2  # standard deviations; with that tilt taken for labels 0.5 to 2


def test_stars_beyond_the_observed_ones_get_the_change_of_the_last_of_these():
    pair = small("sparse", base="APOGEE-like")
    fit = PseudoPairTranslator().fit(pair.synthetic, pair.observed)
    high = fit.map_.limits[1]
    beyond = np.stack([high, high + 3.0])
    np.testing.assert_array_equal(*fit.map_.added(beyond))
    assert (high < fit.map_.encode(pair.synthetic.flux).max(axis=0)).any()


def test_what_all_lines_have_in_common_is_told(deeper):
    _, fit = deeper
    (depth, error), (width, width_error) = fit.mismatch_.common[:2]
    assert abs(depth - 0.15) < 2 * error
    assert error < 0.02
    assert abs(width - 0.7) < 2 * width_error
    assert "% deeper" in fit.mismatch_.gap
    assert "pixels broader" in str(fit.mismatch_)


def test_there_and_back_leaves_little(deeper):
    pair, fit = deeper
    back = fit.inverse_transform(fit.transform(pair.synthetic))
    change = np.sqrt(np.mean((back.flux - pair.synthetic.flux) ** 2, dtype=float))
    assert change < 0.15 * pair.unit


def test_derivatives_are_those_of_the_map(deeper):
    pair, fit = deeper
    flux = pair.synthetic.flux[:4].astype(float)
    way = np.random.default_rng(0).normal(size=(*flux.shape, 1)) * 1e-6
    step = fit._translate(flux + way[..., 0], 0) - fit._translate(flux - way[..., 0], 0)
    np.testing.assert_allclose(fit._push_forward(flux, way)[..., 0], step / 2, atol=1e-11)


def test_decoding_what_was_encoded_gives_the_translation_back(deeper):
    pair, fit = deeper
    shared = fit.encode(pair.synthetic[:20], "synthetic").shared
    expected = fit.transform(pair.synthetic[:20]).flux
    assert np.abs(fit.decode(shared) - expected).max() < 0.02


def test_a_saved_one_translates_the_same(deeper, tmp_path):
    pair, fit = deeper
    fit.save(tmp_path / "a.model")
    again = load(tmp_path / "a.model")
    np.testing.assert_array_equal(
        again.transform(pair.synthetic).flux, fit.transform(pair.synthetic).flux
    )
    np.testing.assert_array_equal(again.mismatch_.common, fit.mismatch_.common)


def test_a_gap_along_the_labels_is_owned_up_to_and_anchors_decide():
    pair = small("along the labels", shift=0.0)
    with pytest.warns(LabelMismatchWarning, match="nothing in unpaired spectra tells"):
        alone = PseudoPairTranslator().fit(pair.synthetic, pair.observed)
    assert alone.mismatch_.is_ambiguous
    some = slice(0, 20)
    anchors = pair.observed[some], pair.synthetic_of_observed[some]
    fit = PseudoPairTranslator().fit(pair.synthetic, pair.observed, anchors=anchors)
    assert left(fit, pair) < 0.35 < 0.9 < left(alone, pair)
    assert fit.mismatch_.bounded


def test_few_spectra_are_moved_by_the_difference_of_the_means():
    rng = np.random.default_rng(0)
    synthetic, observed = (level + 0.1 * rng.normal(size=(20, 30)) for level in (1.0, 1.2))
    fit = PseudoPairTranslator().fit(synthetic, observed)
    expected = np.tile(observed.mean(axis=0) - synthetic.mean(axis=0), (20, 1))
    np.testing.assert_allclose(fit.transform(synthetic) - synthetic, expected, atol=1e-12)
    assert fit.mismatch_ is None


@pytest.mark.parametrize("power", [-20, 20])
def test_the_unit_of_flux_changes_nothing(power):
    pair = small("sparse, deeper", shift=0.0)
    parts = [p.flux.astype(float) for p in (pair.synthetic, pair.observed_truth)]
    factors = 1.0, 10.0**power
    fits = [PseudoPairTranslator().fit(parts[0] * f, parts[1] * f) for f in factors]
    first, second = (f.transform(parts[0] * s) / s for f, s in zip(fits, factors, strict=True))
    np.testing.assert_allclose(first, second, atol=1e-6)


def test_an_emulator_may_stand_for_the_synthetic_spectra():
    pair = small("deeper")
    emulator = SpectrumEmulator(random_state=0, verbose=0)
    emulator.fit(pair.labels_synthetic, pair.synthetic)
    assert left(PseudoPairTranslator().fit(emulator, pair.observed), pair) < 0.3
