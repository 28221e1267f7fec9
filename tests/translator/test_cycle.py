"""The scores must be zero, or the noise, for a perfect translator and rise for a worse one."""

import pickle

import numpy as np
import pytest
from sklearn.pipeline import make_pipeline

from spectragan import ContinuumNormalizer, MeanShiftTranslator, cycle_scorer, stack_domains
from spectragan.diagnostics import cycle_scores
from spectragan.exceptions import GridMismatchError, SwappedDomainsWarning
from spectragan.translator.scores import SCORES, derangement


def test_cycle_scores_of_a_perfect_translator_are_the_noise(make, translator):
    synthetic, observed, _ = make(300, masked=0.0)
    observed_of_own_split = translator.decode(
        translator.encode(synthetic, 0).shared, translator.encode(observed, 1).split
    )
    chi2 = np.mean(observed.ivar * (observed_of_own_split - observed.flux) ** 2)
    scores = cycle_scores(translator, synthetic, observed, random_state=0)
    assert scores.x_so > 3 * chi2  # a donor's split code is not the partner's
    assert scores.x_os < 1e-4
    assert scores.z_shared_so == pytest.approx(0, abs=1e-12)
    assert scores.z_shared_os == pytest.approx(0, abs=1e-12)
    assert scores.z_split_so == pytest.approx(0, abs=1e-12)
    assert 0 < scores.z_shared < 0.02


def test_cycle_scores_reach_one_where_nothing_is_split(make, make_translator):
    synthetic, _, _ = make(100)
    fake = make_translator(n_split=0)
    rng = np.random.default_rng(0)
    truth = fake.transform(synthetic).flux
    observed = synthetic.with_flux(
        truth + rng.normal(0, 0.02, truth.shape), ivar=np.full(truth.shape, 2500.0), noise="known"
    )
    scores = cycle_scores(fake, synthetic, observed, random_state=0)
    assert scores.x_so == pytest.approx(1.0, rel=0.05)
    assert scores.z_split_so == 0.0


def test_cycle_scores_see_a_worse_translator(world, make_translator):
    good, bad = (
        cycle_scores(make_translator(bias=bias), *world[:2], random_state=0) for bias in (0.0, 0.05)
    )
    for name in ("x_so", "x_os", "z_shared_so", "z_shared_os", "z_split_so"):
        assert getattr(bad, name) > getattr(good, name)


def test_cycle_scores_hand_over_the_split_code_of_another_row(world, translator):
    used = []

    class Spy(type(translator)):
        def decode(self, shared, split=None, domain=1):
            used.append(split)
            return super().decode(shared, split, domain)

    cycle_scores(Spy(), *world[:2], random_state=0)
    own = translator.encode(world[1], 1).split
    given = next(split for split in used if split is not None)
    assert not (given == own).any()
    np.testing.assert_array_equal(np.sort(given, axis=0), np.sort(own, axis=0))


def test_cycle_scores_never_see_masked_values(world, translator):
    synthetic, observed, _ = world
    other = observed.with_flux(np.where(observed.ivar > 0, observed.flux, 1e5))
    assert cycle_scores(translator, synthetic, observed, random_state=0) == cycle_scores(
        translator, synthetic, other, random_state=0
    )


def test_cycle_scores_scale_latents_by_their_range(world, make_translator):
    class Stretched(make_translator):
        def encode(self, X, domain):
            latents = super().encode(X, domain)
            return latents._replace(shared=latents.shared * [1.0, 1e4, 1e-4])

        def decode(self, shared, split=None, domain=1):
            return super().decode(shared / [1.0, 1e4, 1e-4], split, domain)

    plain, stretched = (
        cycle_scores(kind(bias=0.05), *world[:2], random_state=0)
        for kind in (make_translator, Stretched)
    )
    np.testing.assert_allclose(
        list(plain.as_dict().values()), list(stretched.as_dict().values()), rtol=1e-9
    )


def test_cycle_scores_shows_itself(world, translator):
    scores = cycle_scores(translator, *world[:2], random_state=0)
    assert list(scores.as_dict()) == [
        "x_so",
        "x_os",
        "z_shared_so",
        "z_shared_os",
        "z_split_so",
        "z_shared",
    ]
    assert scores.summary().endswith("60 pairs")
    assert "CycleScores(x_so=" in repr(scores)


@pytest.mark.parametrize("n", [2, 3, 10])
def test_derangement_moves_every_row(n):
    for seed in range(20):
        donor = derangement(n, np.random.default_rng(seed))
        assert not (donor == np.arange(n)).any()
        np.testing.assert_array_equal(np.sort(donor), np.arange(n))


def test_cycle_scores_rejects_what_are_no_pairs(world, translator):
    synthetic, observed, _ = world
    with pytest.raises(ValueError, match="must be pairs, row by row; got 60 and 59 rows"):
        cycle_scores(translator, synthetic, observed[1:])
    with pytest.raises(ValueError, match="`X_synthetic` must hold at least 2 spectra; got 1"):
        cycle_scores(translator, synthetic[:1], observed[:1])
    with pytest.raises(GridMismatchError, match="`X_synthetic` and `X_observed` must be on one"):
        cycle_scores(translator, synthetic, observed.flux[:, 1:])

    class Broken(type(translator)):
        def encode(self, X, domain):
            return super().encode(X, domain)._replace(shared=np.full((60, 3), np.inf))

    with pytest.raises(ValueError, match="latents `shared` must be finite; got inf"):
        cycle_scores(Broken(), synthetic, observed)


def test_cycle_scores_tell_of_domains_that_changed_places(world, translator):
    synthetic, observed = world[:2]
    with pytest.warns(SwappedDomainsWarning, match="changed places"):
        cycle_scores(translator, observed, synthetic)


def test_the_scorer_is_minus_the_score_and_travels_to_other_processes(world, make_translator):
    pairs = world[0][:40], world[1][:40]
    good, bad = (make_translator(bias=bias) for bias in (0.0, 0.05))
    for name in SCORES:
        scorer = pickle.loads(pickle.dumps(cycle_scorer(pairs, name)))
        expected = cycle_scores(good, *pairs, random_state=0).as_dict()[name]
        assert scorer(good, world[0], None) == -expected
    assert cycle_scorer(pairs)(good, None) > cycle_scorer(pairs)(bad, None)


def test_the_scorer_passes_pairs_through_the_steps_of_a_pipeline(mock):
    X, domain = stack_domains(mock.synthetic, mock.observed[30:])
    pairs = mock.synthetic_of_observed[:30], mock.observed[:30]
    model = make_pipeline(ContinuumNormalizer(2), MeanShiftTranslator()).fit(X, domain)
    steps, last = model[:-1], model[-1]
    direct = cycle_scorer([steps.transform(part) for part in pairs])(last, X, domain)
    assert cycle_scorer(pairs)(model, X, domain) == direct


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([1, 2], "auc"), r"`score` must be 'x_so', .* or 'z_shared'; got 'auc'; 'x_so' judges"),
        (
            ([1, 2, 3],),
            r"`pairs` must be a pair \(synthetic, observed\) of spectra; got list; give",
        ),
    ],
)
def test_scorers_that_can_not_score_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        cycle_scorer(*arguments)
