"""Training where labels differ: matched, warned of, with anchors, from an emulator."""

import numpy as np
import pytest
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import make_pipeline

from spectragan import (
    ContinuumNormalizer,
    CycleGANTranslator,
    LabelMismatchWarning,
    LinearTranslator,
    MeanShiftTranslator,
    SpectrumEmulator,
    pseudo_pair_score,
    stack_domains,
)
from spectragan.datasets import make_mock_domains

QUICK = {"max_epochs": 2, "warmup_epochs": 1, "steps_per_epoch": 4, "random_state": 0, "verbose": 0}


@pytest.fixture(scope="module")
def shifted():
    return make_mock_domains(600, 600, n_pixels=1000, label_shift=0.6, random_state=0)


@pytest.fixture(scope="module")
def equal():
    return make_mock_domains(600, 600, n_pixels=1000, random_state=0)


def left(translator, pair):
    flux = translator.transform(pair.synthetic_of_observed).flux
    return np.sqrt(np.mean((flux - pair.observed_truth.flux) ** 2)) / pair.raw_gap


def test_a_difference_of_labels_is_warned_of_with_a_number(shifted):
    with pytest.warns(
        LabelMismatchWarning, match=r"by up to 0\.\d\d \+- 0\.\d\d standard dev.* times as wide"
    ):
        translator = CycleGANTranslator(**QUICK).fit(shifted.synthetic, shifted.observed)
    mismatch = translator.mismatch_
    assert mismatch.matched
    assert min(mismatch.shares) > 0.5
    assert 0.2 < mismatch.distance < 1.2
    assert mismatch.distance_error < 0.4


def test_labels_that_differ_are_no_gap_with_and_without_matching(shifted):
    linear = left(LinearTranslator().fit(shifted.synthetic, shifted.observed), shifted)
    results = {}
    for match in (False, "auto"):
        with pytest.warns(LabelMismatchWarning):
            results[match] = CycleGANTranslator(**QUICK, match_labels=match).fit(
                shifted.synthetic, shifted.observed
            )
    assert not results[False].mismatch_.matched
    assert results["auto"].mismatch_.matched
    for fit in results.values():
        assert left(fit, shifted) < 0.4 * linear


def test_equal_labels_change_nothing(equal):
    fits = [
        CycleGANTranslator(**QUICK, match_labels=match).fit(equal.synthetic, equal.observed)
        for match in ("auto", False)
    ]
    first, second = (fit.transform(equal.synthetic).flux for fit in fits)
    np.testing.assert_array_equal(first, second)
    assert not fits[0].mismatch_.is_significant


def test_few_spectra_leave_the_mismatch_open(equal):
    fit = CycleGANTranslator(**QUICK).fit(equal.synthetic[:40], equal.observed[:40])
    assert fit.mismatch_ is None


def test_anchors_make_the_mismatch_surer(shifted):
    anchors = shifted.observed[:30], shifted.synthetic_of_observed[:30]
    fits = []
    for given in (None, anchors):
        with pytest.warns(LabelMismatchWarning):
            fits.append(
                CycleGANTranslator(**QUICK).fit(shifted.synthetic, shifted.observed, anchors=given)
            )
    # What the numbers of spectra leave open, no anchor can mend.
    sampling = [(1 + fit.mismatch_.scale**2) / 600 for fit in fits]
    squares = [
        (fit.mismatch_.offset_error**2 - chance).max()
        for fit, chance in zip(fits, sampling, strict=True)
    ]
    assert squares[1] < 0.5 * squares[0]


def test_anchors_help_where_labels_agree(equal):
    anchors = equal.observed[:30], equal.synthetic_of_observed[:30]
    fits = [
        CycleGANTranslator(**QUICK).fit(equal.synthetic, equal.observed, anchors=given)
        for given in (None, anchors)
    ]
    assert not fits[1].mismatch_.matched
    assert left(fits[1], equal) < left(fits[0], equal)


@pytest.mark.parametrize(
    ("anchors", "message"),
    [
        ("stars", "`anchors` must be a pair"),
        (lambda p: (p.observed[:5], p.synthetic[:4]), "one partner for each spectrum"),
        (lambda p: (p.observed[:0], p.synthetic[:0]), "one star or more"),
    ],
)
def test_wrong_anchors_are_one_sentence(equal, anchors, message):
    given = anchors(equal) if callable(anchors) else anchors
    with pytest.raises(ValueError, match=message):
        CycleGANTranslator(**QUICK).fit(equal.synthetic, equal.observed, anchors=given)


def test_match_labels_is_checked(equal):
    with pytest.raises(ValueError, match="`match_labels` must be 'auto', True or False"):
        CycleGANTranslator(**QUICK, match_labels="yes").fit(equal.synthetic, equal.observed)


@pytest.fixture(scope="module")
def emulator(equal):
    return SpectrumEmulator(random_state=0, verbose=0).fit(equal.labels_synthetic, equal.synthetic)


def test_an_emulator_takes_the_place_of_synthetic_spectra(emulator, shifted):
    translator = CycleGANTranslator(**QUICK).fit(emulator, shifted.observed)
    assert translator.mismatch_.matched
    assert left(translator, shifted) < 0.7
    with_labels = shifted.observed[:20], shifted.labels_observed[:20]
    again = CycleGANTranslator(**QUICK).fit(emulator, shifted.observed, anchors=with_labels)
    assert (again.mismatch_.offset_error < translator.mismatch_.offset_error).any()


def test_an_emulator_needs_observed_spectra(emulator):
    with pytest.raises(ValueError, match="`y` must be the observed spectra"):
        CycleGANTranslator(**QUICK).fit(emulator, [0, 1, 1])


@pytest.mark.parametrize("pair", ["equal", "shifted"])
def test_the_pseudo_pair_score_ranks_as_the_truth_does(pair, request):
    pair = request.getfixturevalue(pair)
    translators = MeanShiftTranslator(), LinearTranslator()
    fits = [translator.fit(pair.synthetic, pair.observed) for translator in translators]
    truth = [left(fit, pair) for fit in fits]
    scores = [pseudo_pair_score(fit, pair.synthetic, pair.observed) for fit in fits]
    assert np.argmin(truth) == np.argmax(scores)


def test_the_pseudo_pair_score_needs_enough_spectra(equal):
    fit = MeanShiftTranslator().fit(equal.synthetic, equal.observed)
    with pytest.raises(ValueError, match="50 spectra of each domain"):
        pseudo_pair_score(fit, equal.synthetic[:20], equal.observed)


@pytest.mark.parametrize(
    ("options", "fit"), [({"match_labels": True}, {}), ({}, {"anchors": slice(0, 5)})]
)
def test_what_was_asked_for_is_not_left_out_in_silence(equal, options, fit):
    few = equal.synthetic[:40], equal.observed[:40]
    given = {k: (equal.observed[v], equal.synthetic_of_observed[v]) for k, v in fit.items()}
    with pytest.raises(ValueError, match="needs 50 spectra of each domain"):
        CycleGANTranslator(**QUICK, **options).fit(*few, **given)


def test_anchors_without_a_good_pixel_do_not_count(shifted):
    ivar = np.array(shifted.observed.ivar[:20])
    ivar[10:] = 0
    masked = shifted.observed[:20].with_flux(shifted.observed.flux[:20], ivar)
    partners = shifted.synthetic_of_observed[:20]
    fits = []
    for some in (slice(0, 20), slice(0, 10)):
        translator, anchors = CycleGANTranslator(**QUICK), (masked[some], partners[some])
        with pytest.warns(LabelMismatchWarning):
            translator.fit(shifted.synthetic, shifted.observed, anchors=anchors)
        fits.append(translator.mismatch_)
    np.testing.assert_array_equal(fits[0].offset, fits[1].offset)


def test_an_emulator_that_has_too_few_such_stars_says_so(equal):
    cool = equal.labels_synthetic[:, 0] < 4800
    emulator = SpectrumEmulator(random_state=0, verbose=0)
    emulator.fit(equal.labels_synthetic[cool], equal.synthetic[cool])
    hot = equal.observed[equal.labels_observed[:, 0] > 5400]
    with pytest.warns(LabelMismatchWarning, match="the emulator's training set"):
        CycleGANTranslator(**QUICK).fit(emulator, hot)


def test_a_frozen_emulator_is_an_emulator(emulator, shifted):
    fits = [
        CycleGANTranslator(**QUICK).fit(source, shifted.observed)
        for source in (emulator, FrozenEstimator(emulator))
    ]
    first, second = (fit.transform(shifted.synthetic).flux for fit in fits)
    np.testing.assert_array_equal(first, second)


def test_the_pseudo_pair_score_needs_a_fitted_translator(equal):
    with pytest.raises(NotFittedError):
        pseudo_pair_score(LinearTranslator(), equal.synthetic, equal.observed)


def test_the_pseudo_pair_score_takes_pipelines(equal):
    X, domain = stack_domains(equal.synthetic, equal.observed)
    scores = [
        pseudo_pair_score(
            make_pipeline(ContinuumNormalizer(degree=2), translator).fit(X, domain), X, domain
        )
        for translator in (MeanShiftTranslator(), LinearTranslator())
    ]
    assert scores[0] < scores[1]


def test_pixels_that_synthetic_spectra_lack_do_not_spoil_the_pseudo_pair_score(equal):
    ivar = np.array(equal.synthetic.ivar)
    ivar[:, 40:70] = 0
    masked = equal.synthetic.with_flux(equal.synthetic.flux, ivar, "exact")
    fits = [t.fit(masked, equal.observed) for t in (MeanShiftTranslator(), LinearTranslator())]
    scores = [pseudo_pair_score(fit, masked, equal.observed) for fit in fits]
    assert -1 < scores[0] < scores[1] < 0


def test_a_penalty_that_was_raised_counts_after_a_warm_start(equal):
    few = equal.synthetic[:45], equal.observed[:45]
    translator = CycleGANTranslator(**QUICK, warm_start=True).fit(*few)
    translator.set_params(penalty=5.0).fit(*few)
    assert translator.net_.penalty_ == 5.0
