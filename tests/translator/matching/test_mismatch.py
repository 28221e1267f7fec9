"""Label mismatch: seen where it is, not where it isn't, and never taken for the gap."""

from dataclasses import replace

import numpy as np
import pytest

from spectragan.datasets import make_mock_domains
from spectragan.translator.domain_data import domain_data, memory_data
from spectragan.translator.matching.known_stars import KnownStars
from spectragan.translator.matching.mismatch import LabelMismatch, match_domains, overlap_weights


def mock(**options):
    return make_mock_domains(700, 700, n_pixels=1200, **options)


def data(pair):
    return domain_data(pair.synthetic), domain_data(pair.observed)


@pytest.mark.parametrize("seed", [0, 1])
def test_equal_labels_raise_no_alarm(seed):
    found = match_domains(data(mock(random_state=seed)), match="auto")
    assert not found.mismatch.is_significant
    assert not found.mismatch.matched
    np.testing.assert_array_equal(found.rows[1], np.arange(700))


@pytest.mark.parametrize("options", [{"label_shift": 0.5}, {"label_scale": 0.6}])
def test_other_labels_are_noticed_and_matched(options):
    pair = mock(random_state=0, **options)
    found = match_domains(data(pair), match="auto")
    assert found.mismatch.is_significant
    assert found.mismatch.matched
    before = pair.labels_observed.mean(0) - pair.labels_synthetic.mean(0)
    drawn = [
        labels[rows]
        for labels, rows in zip(
            (pair.labels_synthetic, pair.labels_observed), found.rows, strict=True
        )
    ]
    after = drawn[1].mean(0) - drawn[0].mean(0)
    width = np.log(drawn[1].std(0) / drawn[0].std(0))
    if "label_shift" in options:
        assert np.abs(after / before).max() < 0.4
    else:
        assert np.abs(width).max() < 0.25


def test_matching_can_be_switched_off_and_forced():
    domains = data(mock(random_state=0, label_shift=0.5))
    found = match_domains(domains, match=False)
    assert found.mismatch.is_significant
    assert not found.mismatch.matched
    assert match_domains(data(mock(random_state=0)), match=True).mismatch.matched


def test_mismatch_shows_itself():
    offset, error, scale = np.array([0.0, -0.5]), np.array([0.04, 0.05]), np.array([1.0, 1.2])
    mismatch = LabelMismatch(offset, error, scale, 1e-9, (0.8, 0.7), matched=True)
    assert repr(mismatch).startswith("LabelMismatch(0.50 ± 0.05 standard deviations, p_value=1e-09")
    assert str(mismatch).splitlines()[2].split() == ["2", "-0.50", "±", "0.05", "1.20"]
    assert "effective sample    80% of the synthetic, 70% of the observed" in str(mismatch)
    assert "on stars that both have\n" in str(mismatch)
    assert "0.50 ± 0.05 (p = 1e-09)" in mismatch._repr_html_()
    assert "on all spectra\n" in str(replace(mismatch, matched=False))


def test_too_few_spectra_say_nothing():
    domains = data(mock(random_state=0))
    assert match_domains((domains[0], domains[1].take(slice(0, 20))), match="auto") is None


def test_matching_draws_from_no_generator_of_its_caller():
    domains = data(mock(random_state=0, label_shift=0.5))
    state = np.random.get_state()[1].copy()  # noqa: NPY002
    first, second = match_domains(domains, match=True), match_domains(domains, match=True)
    np.testing.assert_array_equal(first.rows[0], second.rows[0])
    np.testing.assert_array_equal(np.random.get_state()[1], state)  # noqa: NPY002


def test_overlap_weights_balance_the_domains():
    rng = np.random.default_rng(0)
    first, second = rng.normal(size=(4000, 2)), rng.normal(0.6, 0.8, size=(1000, 2))
    weights = overlap_weights(first, second)
    means = [
        np.average(z, axis=0, weights=w) for z, w in zip((first, second), weights, strict=True)
    ]
    np.testing.assert_allclose(*means, atol=0.05)


def changed(pair, **parts):
    """Return the domains of a mock with other flux, weights or noise on the observed side."""
    synthetic, observed = data(pair)
    return synthetic, replace(observed, **parts)


@pytest.mark.parametrize("factor", [1e-16, 1e3])
def test_the_unit_of_flux_changes_nothing(factor):
    synthetic, observed = data(mock(random_state=0, label_shift=0.5))
    scaled = [
        replace(
            part,
            flux=part.flux.astype(float) * factor,
            weights=part.weights.astype(float) / (1.0 if part.exact.all() else factor**2),
        )
        for part in (synthetic, observed)
    ]
    first = match_domains((synthetic, observed), match="auto").mismatch
    second = match_domains(tuple(scaled), match="auto").mismatch
    np.testing.assert_allclose(first.offset, second.offset, atol=1e-3)
    np.testing.assert_allclose(first.offset_error, second.offset_error, rtol=1e-2)


@pytest.mark.parametrize("factor", [1.05, 0.97])
def test_a_constant_factor_between_the_domains_is_no_mismatch(factor):
    pair = mock(random_state=0)
    observed = data(pair)[1]
    domains = changed(pair, flux=observed.flux * factor, weights=observed.weights / factor**2)
    assert not match_domains(domains, match="auto").mismatch.is_significant


def test_pixels_that_a_domain_never_saw_count_for_nothing():
    pair = mock(random_state=0, label_shift=0.7)
    weights = data(pair)[1].weights.copy()
    weights[:, 100:700] = 0
    blind = match_domains(changed(pair, weights=weights), match="auto").mismatch
    kept = np.r_[0:100, 700:1200]
    cut = [replace(p, flux=p.flux[:, kept], weights=p.weights[:, kept]) for p in data(pair)]
    without = match_domains(tuple(cut), match="auto").mismatch
    np.testing.assert_allclose(blind.offset, without.offset, atol=1e-6)
    np.testing.assert_allclose(blind.offset_error, without.offset_error, atol=1e-6)


def test_unknown_errors_among_known_ones_change_little():
    pair = mock(random_state=0)
    observed = data(pair)[1]
    weights, known = observed.weights.copy(), observed.known.copy()
    weights[:200], known[:200] = weights[:200] > 0, False
    mixed = match_domains(changed(pair, weights=weights, known=known), match="auto").mismatch
    assert np.abs(mixed.scale - 1).max() < 0.2


def test_a_few_spectra_that_are_none_do_not_hide_a_mismatch():
    pair = mock(random_state=0, label_shift=0.7)
    flux = data(pair)[1].flux.copy()
    flux[:12] *= 1.5
    assert match_domains(changed(pair, flux=flux), match="auto").mismatch.is_significant


def test_synthetic_spectra_that_are_all_alike_say_nothing():
    synthetic, observed = data(mock(random_state=0))
    constant = replace(synthetic, flux=np.ones_like(synthetic.flux))
    assert match_domains((constant, observed), match="auto") is None


def test_a_single_anchor_is_not_trusted_blindly():
    pair = mock(random_state=0)
    alone = match_domains(data(pair), match="auto").mismatch
    one = memory_data(pair.synthetic_of_observed[:1]), memory_data(pair.observed[:1])
    anchored = match_domains(data(pair), match="auto", known=KnownStars(one)).mismatch
    assert not anchored.is_significant
    assert (anchored.offset_error > 0.4 * alone.offset_error).all()


def test_where_a_star_lies_does_not_depend_on_the_others():
    synthetic, observed = data(mock(random_state=0))
    pairs = match_domains((synthetic, observed), match=False).placed.pairs
    pixels = match_domains((synthetic, observed), match=False).placed.pixels
    flux, weights = observed.flux[:, pixels], observed.weights[:, pixels]
    np.testing.assert_allclose(
        pairs.place(flux, weights)[40:45], pairs.place(flux[40:45], weights[40:45]), atol=1e-9
    )
