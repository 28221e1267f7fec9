"""The gap must be seen where it is, and only there: not in noise, masks or chance."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spectragan.diagnostics import GapScores, gap_scores
from spectragan.exceptions import GridMismatchError
from spectragan.spectra import Spectra

QUICK = {"n_permutations": 50, "n_directions": 50}


def test_gap_scores_rank_raw_above_translated_above_truth(world, make):
    synthetic, observed, _ = world
    truth = make(seed=1)[2]
    half_way = synthetic.with_flux(
        (synthetic.flux + truth.flux) / 2, ivar=np.ones(truth.shape), noise="exact"
    )
    scores = [gap_scores(x, observed, random_state=0) for x in (synthetic, half_way, truth)]
    for name in ("auc", "mmd2", "sliced_wasserstein"):
        raw, half, none = (getattr(s, name) for s in scores)
        assert raw >= half > none
    # A gap twice as large must not be scaled away.
    assert scores[0].sliced_wasserstein > 1.3 * scores[1].sliced_wasserstein
    assert scores[0].mmd2_p_value < 0.01
    assert scores[0].auc_interval[0] > 0.9


def test_gap_scores_are_calibrated_without_a_gap(make):
    covered, p_values, distances = [], [], []
    for seed in range(12):
        truth, observed = make(40, seed=100 + seed)[2], make(40, seed=seed)[1]
        scores = gap_scores(truth, observed, random_state=seed, **QUICK)
        assert scores.noise_matched
        covered.append(scores.auc_interval[0] <= 0.5 <= scores.auc_interval[1])
        p_values.append(scores.mmd2_p_value)
        distances.append(scores.sliced_wasserstein / scores.sliced_wasserstein_null)
    assert np.mean(covered) >= 0.85
    assert 0.3 < np.mean(p_values) < 0.7
    assert np.min(p_values) < 0.3
    assert np.mean(distances) == pytest.approx(1.0, abs=0.1)


def test_gap_scores_of_pairs_show_no_gap_that_is_not_there(make):
    scores = []
    for seed in range(8):
        _, observed, truth = make(60, seed=seed)
        scores.append(gap_scores(truth, observed, random_state=seed, **QUICK))
    assert np.mean([s.auc for s in scores]) == pytest.approx(0.5, abs=0.06)
    assert 0.25 < np.mean([s.mmd2_p_value for s in scores]) < 0.75
    ratio = [s.sliced_wasserstein / s.sliced_wasserstein_null for s in scores]
    assert np.mean(ratio) == pytest.approx(1.0, abs=0.1)


def test_gap_scores_null_is_calibrated(make):
    scores = [
        gap_scores(*make(60, seed=seed)[:2], random_state=seed, **QUICK) for seed in range(12)
    ]
    covered = [s.auc_null_interval[0] <= 0.5 <= s.auc_null_interval[1] for s in scores]
    assert np.mean(covered) >= 0.85
    assert 0.3 < np.mean([s.mmd2_null_p_value for s in scores]) < 0.7


def test_gap_scores_noise_matching_removes_what_noise_alone_would_win(make):
    truth, observed = make(200, seed=1, noise=0.1)[2], make(200, seed=2, noise=0.1)[1]
    matched = gap_scores(truth, observed, n_components=20, random_state=0, **QUICK)
    hidden = Spectra(truth.flux, None, noise="unknown")
    unmatched = gap_scores(hidden, observed, n_components=20, random_state=0, **QUICK)
    assert matched.noise_matched
    assert not unmatched.noise_matched
    assert unmatched.auc > 0.9
    assert matched.auc < 0.65


@pytest.mark.parametrize("spread", [0.0, 0.7])
def test_gap_scores_of_unequal_errors_are_calibrated(make, spread):
    p_values, high = [], []
    for seed in range(16):
        rng = np.random.default_rng(seed)
        parts = []
        for k, (level, width) in enumerate(((0.1, 0.0), (0.11, spread))):
            truth = make(60, seed=200 + 2 * seed + k)[2].flux
            std = level * np.exp(width * rng.normal(size=(60, 1))) * np.ones_like(truth)
            parts.append(Spectra(truth + std * rng.normal(size=std.shape), None, std**-2))
        scores = gap_scores(*parts, random_state=seed, **QUICK)
        assert scores.noise_matched
        p_values.append(scores.mmd2_p_value)
        high.append(scores.auc_interval[0] > 0.5)
    assert np.mean(np.array(p_values) < 0.05) <= 0.13
    assert 0.3 < np.mean(p_values) < 0.7
    assert np.mean(high) <= 0.13


def test_gap_scores_say_which_errors_are_too_different(make):
    truth = make(60, seed=1)[2].flux
    rng = np.random.default_rng(0)
    sets = [
        Spectra(truth + std * rng.normal(size=truth.shape), None, np.full(truth.shape, std**-2))
        for std in (0.005, 0.02)
    ]
    scores = gap_scores(*sets, random_state=0, **QUICK)
    assert not scores.noise_matched
    assert "NOT matched (errors differ by a factor of 4)" in scores.summary()
    assert scores.as_dict()["noise_difference"] == "errors differ by a factor of 4"


def test_gap_scores_masks_alone_are_no_gap(make):
    a, b = make(150, seed=1, masked=0.0)[2], make(150, seed=2, masked=0.4)[1]
    unknown = Spectra(b.flux, None, ivar=(b.ivar > 0).astype(float), noise="unknown")
    low = gap_scores(a, unknown, n_components=4, random_state=0, **QUICK).auc_interval[0]
    assert low < 0.56


@settings(max_examples=5, deadline=None)
@given(st.integers(0, 10**6), st.floats(-1e3, 1e3))
def test_gap_scores_never_see_masked_values(make, seed, value):
    synthetic, observed, _ = make(20, seed=seed)
    other = observed.with_flux(np.where(observed.ivar > 0, observed.flux, value))
    first, second = (
        gap_scores(synthetic, x, random_state=0, n_permutations=5, n_directions=5)
        for x in (observed, other)
    )
    assert first == second


def test_gap_scores_repeat_and_leave_the_global_generator_alone(world):
    synthetic, observed, _ = world
    state = np.random.get_state()[1].copy()  # noqa: NPY002 - its state is what is tested
    first = gap_scores(synthetic, observed, random_state=3, **QUICK)
    gap_scores(synthetic, observed, **QUICK)
    np.testing.assert_array_equal(np.random.get_state()[1], state)  # noqa: NPY002
    assert first == gap_scores(synthetic, observed, random_state=3, **QUICK)
    assert first != gap_scores(synthetic, observed, random_state=4, **QUICK)


def test_gap_scores_null_has_the_same_size_where_there_are_rows_enough(make):
    synthetic, observed = make(20)[0], make(60)[1]
    scores = gap_scores(synthetic, observed, random_state=0, **QUICK)
    assert (scores.n_samples, scores.n_null) == (20, 20)
    scores = gap_scores(observed, synthetic, random_state=0, max_samples=15, **QUICK)
    assert (scores.n_samples, scores.n_null) == (15, 10)


def test_gap_scores_shows_itself(world):
    scores = gap_scores(*world[:2], random_state=0, **QUICK)
    assert isinstance(scores, GapScores)
    assert f"auc={scores.auc:.3f} [" in repr(scores)
    lines = scores.summary().splitlines()
    assert [line.split("  ")[0] for line in lines[1:4]] == [
        "classifier AUC",
        "MMD^2",
        "sliced Wasserstein",
    ]
    assert "noise matched" in lines[-1]
    assert scores.as_dict()["mmd2"] == scores.mmd2
    with pytest.raises(AttributeError):
        scores.auc = 0.5


@pytest.mark.parametrize("name", ["n_components", "n_permutations", "n_directions", "max_samples"])
@pytest.mark.parametrize("value", [0, 2.5, True])
def test_gap_scores_rejects_counts_that_are_none(world, name, value):
    with pytest.raises(ValueError, match=f"^`{name}` must be an integer >= .*; got {value}"):
        gap_scores(*world[:2], **{name: value})


def test_gap_scores_rejects_what_it_cannot_compare(world):
    synthetic, observed, _ = world
    with pytest.raises(ValueError, match="`a` must hold at least 10 spectra; got 9;"):
        gap_scores(synthetic[:9], observed)
    with pytest.raises(ValueError, match="`b` must hold at least 10 spectra; got 0;"):
        gap_scores(synthetic, observed[:0])
    with pytest.raises(GridMismatchError, match="`b` and `a` must be on one wavelength grid"):
        gap_scores(synthetic.flux[:, :-1], observed)
    blank = Spectra(observed.flux, None, ivar=np.zeros(observed.shape))
    with pytest.raises(ValueError, match="`b` must have an unmasked pixel"):
        gap_scores(synthetic, blank)
    with pytest.warns(UserWarning, match="NaN|finite"):
        gap_scores(np.where(np.eye(60) > 0, np.nan, synthetic.flux), synthetic.flux, **QUICK)
