"""Several translators as one: the same contract, and errors that are as large as they say."""

from copy import deepcopy

import numpy as np
import pytest

from spectragan import LinearTranslator, MeanShiftTranslator, TranslatorEnsemble
from spectragan.datasets import make_mock_domains


@pytest.fixture(scope="module")
def pair():
    """Return two domains with stars to calibrate with, and others to test with."""
    return make_mock_domains(300, 500, n_pixels=150, random_state=3)


@pytest.fixture(scope="module")
def linear(pair):
    ensemble = TranslatorEnsemble(LinearTranslator(5), n_members=4, random_state=0)
    return ensemble.fit(pair.synthetic, pair.observed[:200])


@pytest.fixture(scope="module")
def trained(mock, quick):
    ensemble = TranslatorEnsemble(quick(), n_members=3, random_state=0)
    return ensemble.fit(mock.synthetic, mock.observed)


def coverage(ensemble, pair, share):
    low, high = ensemble.predict_interval(pair.synthetic_of_observed[350:], share)
    truth = pair.observed_truth.flux[350:]
    return ((truth >= low) & (truth <= high)).mean()


def test_first_member_is_the_translator_alone(trained, fitted, mock):
    alone = fitted.transform(mock.synthetic).flux
    np.testing.assert_array_equal(trained.members_[0].transform(mock.synthetic).flux, alone)
    assert not np.array_equal(trained.members_[1].transform(mock.synthetic).flux, alone)


def test_transform_is_the_mean_of_the_members(trained, mock):
    members = [member.transform(mock.synthetic[:9]).flux for member in trained.members_]
    translated = trained.transform(mock.synthetic[:9])
    np.testing.assert_allclose(translated.flux, np.mean(members, axis=0), rtol=1e-5)
    with_std, _ = trained.transform(mock.synthetic[:9], return_std=True)
    np.testing.assert_allclose(with_std.flux, translated.flux, rtol=1e-6)


def test_latents_decode_to_the_translation(trained, mock):
    latents = trained.encode(mock.synthetic[:9], 0)
    assert latents.shared.shape == (9, trained.n_shared_)
    translated = trained.decode(latents.shared)
    np.testing.assert_allclose(translated, trained.transform(mock.synthetic[:9]).flux, rtol=1e-5)
    own = trained.encode(mock.observed[:9], 1)
    assert own.split.shape == (9, trained.n_split_)
    assert np.isfinite(trained.decode(own.shared, own.split)).all()


def test_draws_scatter_as_the_standard_deviations_say(trained, mock):
    draws = trained.sample(mock.synthetic[:5], 400, random_state=0)
    assert draws.shape == (400, 5, 80)
    _, std = trained.transform(mock.synthetic[:5], return_std=True)
    ratio = np.sqrt(draws.var(axis=0).mean() / (std**2).mean())
    assert 0.75 < ratio < 1.05  # members count n - 1 in one, and n in the other; and the floor


def with_offsets(ensemble, factor):
    """Return an ensemble whose members know their offset less, or better."""
    other = deepcopy(ensemble)
    for member in other.members_:
        member.offset_covariance_ = factor**2 * member.offset_covariance_
    return other


def test_errors_that_all_spectra_share_are_contained(trained, mock):
    std = [
        with_offsets(trained, factor).transform(mock.synthetic[:5], return_std=True)[1]
        for factor in (0.0, 1.0, 100.0)
    ]
    assert (std[0] < std[1]).all()
    away = trained.members_[0].decode(
        trained.members_[0].encode(mock.synthetic[:5], 0).shared
        + 100 * np.sqrt(np.diag(trained.members_[0].offset_covariance_))
    )
    size = np.abs(away - trained.transform(mock.synthetic[:5]).flux).mean()
    assert 0.2 < std[2].mean() / size < 5


def test_what_no_pair_shows_keeps_its_size_without_pairs(trained, mock):
    ensemble = with_offsets(trained, 1.0)
    ensemble.calibrate(mock.synthetic, mock.observed)
    before, scaled = (
        [with_offsets(e, k).transform(mock.synthetic, return_std=True)[1] for k in (0.0, 1.0)]
        for e in (trained, ensemble)
    )
    np.testing.assert_allclose(scaled[0], ensemble.factors_[0] * before[0], rtol=1e-6)
    added, was = scaled[1] ** 2 - scaled[0] ** 2, before[1] ** 2 - before[0] ** 2
    np.testing.assert_allclose(added, was, rtol=1e-6, atol=1e-12)


def test_results_do_not_depend_on_the_batch(trained, mock):
    _, together = trained.transform(mock.synthetic[:20], return_std=True)
    _, alone = trained.transform(mock.synthetic[7:8], return_std=True)
    np.testing.assert_allclose(together[7:8], alone, rtol=1e-9)


@pytest.mark.parametrize("method", ["likelihood", "conformal"])
def test_pairs_bring_intervals_nearer_to_their_coverage(linear, pair, method):
    before = [abs(coverage(linear, pair, share) - share) for share in (0.68, 0.95)]
    stars = slice(200, 350)
    partners = pair.synthetic_of_observed[stars]
    linear.calibrate(partners, pair.observed[stars], pairs=True, method=method)
    after = [abs(coverage(linear, pair, share) - share) for share in (0.68, 0.95)]
    assert max(after) < 0.06
    assert sum(after) < 0.5 * sum(before)


def test_inferred_counterparts_do_nearly_as_well(linear, pair):
    linear.factors_ = np.ones_like(linear.factors_)
    before = abs(coverage(linear, pair, 0.68) - 0.68)
    linear.calibrate(pair.synthetic, pair.observed[200:350])
    assert abs(coverage(linear, pair, 0.68) - 0.68) < min(before, 0.12)


@pytest.mark.parametrize("method", ["likelihood", "conformal"])
def test_counterparts_that_were_chosen_to_fit_make_no_error_smaller(linear, pair, method):
    generous, stars = deepcopy(linear), slice(200, 350)
    generous.floor_ = 100.0
    partners, observed = pair.synthetic_of_observed[stars], pair.observed[stars]
    chosen = generous.calibrate(pair.synthetic, observed, method=method).factors_
    known = generous.calibrate(partners, observed, pairs=True, method=method).factors_
    assert (chosen == 1).all()
    assert (known < 0.5).all()


def test_calibration_ignores_what_is_masked(linear, pair):
    stars = slice(200, 350)
    observed, partners = pair.observed[stars], pair.synthetic_of_observed[stars]
    factors = linear.calibrate(partners, observed, pairs=True).factors_
    ivar = np.array(observed.ivar)
    flux = np.where(ivar > 0, observed.flux, 1e6)
    again = linear.calibrate(partners, observed.with_flux(flux, ivar), pairs=True).factors_
    np.testing.assert_array_equal(again, factors)


def test_masked_rows_have_no_errors(linear, pair):
    ivar = np.ones((2, 150), dtype=np.float32)
    ivar[1] = 0
    two = pair.synthetic[:2].with_flux(pair.synthetic.flux[:2], ivar, "exact")
    _, std = linear.transform(two, return_std=True)
    assert np.isfinite(std[0]).all()
    assert np.isnan(std[1]).all()


def test_one_member_is_what_it_holds(pair):
    one = TranslatorEnsemble(MeanShiftTranslator(), n_members=1)
    one.fit(pair.synthetic, pair.observed)
    alone = MeanShiftTranslator().fit(pair.synthetic, pair.observed)
    expected = alone.transform(pair.synthetic).flux
    np.testing.assert_array_equal(one.transform(pair.synthetic).flux, expected)
    assert (one.transform(pair.synthetic, return_std=True)[1] == 0).all()


def test_messages(linear, pair):
    with pytest.raises(ValueError, match="`method` must be 'likelihood' or 'conformal'; got 'x'"):
        linear.calibrate(pair.synthetic, pair.observed, method="x")
    with pytest.raises(ValueError, match="row by row, where `pairs` is True; got 300 and 500"):
        linear.calibrate(pair.synthetic, pair.observed, pairs=True)
    with pytest.raises(ValueError, match="10 observed spectra or more with known errors; got 0"):
        linear.calibrate(pair.synthetic, pair.synthetic)
    with pytest.raises(ValueError, match="must hold 50 different spectra each"):
        linear.calibrate(pair.synthetic, pair.observed[:20])
    with pytest.raises(ValueError, match="`coverage` must be a number between 0 and 1; got 1"):
        linear.predict_interval(pair.synthetic, 1)
    with pytest.raises(ValueError, match="`out` must be None where `return_std` is True"):
        linear.transform(pair.synthetic, return_std=True, out=np.empty((300, 150)))
    with pytest.raises(ValueError, match="`n_members`"):
        TranslatorEnsemble(LinearTranslator(), n_members=0).fit(pair.synthetic, pair.observed)
