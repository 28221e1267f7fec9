"""Spectra that a translator has not learned from are flagged; those that it has are not."""

import numpy as np
import pytest

from spectragan import LinearTranslator, Spectra, out_of_distribution
from spectragan.datasets import make_mock_domains

N_PIXELS = 1000


def pair(seed):
    return make_mock_domains(400, 400, n_pixels=N_PIXELS, random_state=seed)


@pytest.fixture(scope="module")
def trained():
    mock = pair(0)
    return mock, LinearTranslator().fit(mock.synthetic, mock.observed)


@pytest.fixture(scope="module")
def fresh():
    return pair(1)


def judge(trained, X, domain, **options):
    mock, translator = trained
    return out_of_distribution(translator, X, mock[domain], domain=domain, **options)


@pytest.mark.parametrize("domain", ["synthetic", "observed"])
@pytest.mark.parametrize("rate", [0.01, 0.1])
def test_fresh_spectra_are_flagged_no_more_often_than_asked_for(trained, fresh, domain, rate):
    found = judge(trained, fresh[domain], domain, false_alarm_rate=rate)
    assert found.share <= rate + 2.5 * np.sqrt(rate * (1 - rate) / 400)
    np.testing.assert_array_equal(found.is_out, found.p_value <= rate)


def shifted(X, rng):
    return X.with_flux(np.roll(X.flux, 1, axis=1))


def brighter(X, rng):
    return X.with_flux(2 * X.flux)


def sloping(X, rng):
    return X.with_flux(X.flux * np.linspace(1, 2, N_PIXELS).astype(X.dtype))


def only_noise(X, rng):
    """Have nothing but the errors of each pixel."""
    error = np.where(X.ivar > 0, X.ivar, np.inf) ** -0.5
    scatter = error if X.noise[0] == "known" else 0.01
    return X.with_flux((1 + scatter * rng.normal(size=X.shape)).astype(X.dtype))


@pytest.mark.parametrize("domain", ["synthetic", "observed"])
@pytest.mark.parametrize("spoil", [shifted, brighter, sloping, only_noise])
def test_what_is_wrong_is_flagged(trained, fresh, domain, spoil):
    assert judge(trained, spoil(fresh[domain], np.random.default_rng(0)), domain).share >= 0.95


def test_a_kind_of_star_that_was_held_out_is_flagged(fresh):
    mock = pair(0)
    limit = np.quantile(mock.labels_synthetic[:, 0], 0.4)
    hot = [mock[f"labels_{d}"][:, 0] > limit for d in ("synthetic", "observed")]
    synthetic, observed = mock.synthetic[hot[0]], mock.observed[hot[1]]
    translator = LinearTranslator().fit(synthetic, observed)
    cold = fresh.labels_synthetic[:, 0] < limit - 400
    assert cold.sum() > 20
    found = out_of_distribution(translator, fresh.synthetic[cold], synthetic)
    assert found.share >= 0.95


def test_what_is_a_little_strange_in_both_ways_is_flagged(trained, fresh):
    mock = trained[0]
    limit = np.quantile(mock.labels_synthetic[:, 0], 0.4)
    kept = mock.synthetic[mock.labels_synthetic[:, 0] > limit]
    cold = fresh.synthetic[fresh.labels_synthetic[:, 0] < limit - 200]
    found = out_of_distribution(LinearTranslator().fit(kept, mock.observed), cold, kept)
    either = (found.place <= 0.005) | (found.residual <= 0.005)
    assert found.share > either.mean()


def test_p_values_do_not_depend_on_the_rate_that_is_asked_for(trained, fresh):
    strict, lax = (
        judge(trained, fresh["observed"], "observed", false_alarm_rate=r) for r in (0.01, 0.9)
    )
    np.testing.assert_array_equal(strict.p_value, lax.p_value)
    assert 0.8 < lax.share <= 1.0


def test_masked_values_do_not_matter_and_masked_rows_are_not_judged(trained, fresh):
    X = fresh.observed[:20]
    ivar = np.array(X.ivar)
    ivar[:, 30:40], ivar[3] = 0, 0
    results = []
    for value in (1.0, 1e6):
        flux = np.array(X.flux)
        flux[ivar == 0] = value
        results.append(judge(trained, Spectra(flux, X.wavelength, ivar), "observed"))
    np.testing.assert_array_equal(results[0].p_value, results[1].p_value)
    assert np.isnan(results[0].p_value[3])
    assert not results[0].is_out[3]


def test_rows_are_judged_one_by_one(trained, fresh):
    together = judge(trained, fresh.synthetic[:10], "synthetic").p_value
    alone = judge(trained, fresh.synthetic[4:5], "synthetic").p_value
    np.testing.assert_allclose(together[4], alone[0], rtol=1e-6)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"false_alarm_rate": 0}, "`false_alarm_rate` must be a number between 0 and 1; got 0"),
        ({"false_alarm_rate": True}, "`false_alarm_rate` must be a number .*; got True"),
        ({"false_alarm_rate": 0.001}, "at least 999 usable spectra .* 0.001; got 400"),
        ({"domain": "star"}, "domain"),
    ],
)
def test_wrong_parameters_are_one_sentence(trained, options, message):
    mock, translator = trained
    with pytest.raises(ValueError, match=message):
        out_of_distribution(translator, mock.synthetic, mock.synthetic, **options)


def test_noise_of_another_kind_is_refused(trained):
    mock, translator = trained
    with pytest.raises(ValueError, match="`X` must be of the kind that `reference` has, known;"):
        out_of_distribution(translator, mock.synthetic, mock.observed, domain=1)


def test_repr_holds_no_arrays(trained):
    text = repr(judge(trained, trained[0].synthetic, "synthetic"))
    assert text.startswith("OutOfDistribution(")
    assert len(text) < 120
