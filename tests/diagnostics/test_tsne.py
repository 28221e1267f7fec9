"""Maps are fitted jointly and repeat; the scores see the gap that a translation closes."""

import numpy as np
import pytest

from spectragan.diagnostics import Panel, gap_scores, tsne_gap
from spectragan.exceptions import GridMismatchError
from spectragan.spectra import Spectra

QUICK = {"n_iter": 60, "random_state": 0}
HEADINGS = [
    "originals",
    "shared latents",
    "synthetic to observed",
    "observed to synthetic",
    "synthetic cycle",
    "observed cycle",
]


@pytest.fixture(scope="module")
def gap(make, make_translator):
    return tsne_gap(make_translator(), *make(60)[:2], **QUICK)


def test_tsne_gap_of_a_translator_has_the_six_panels(gap):
    assert [scores.panel.heading for scores in gap.panels] == HEADINGS
    assert [scores.panel.space for scores in gap.panels].count("latents") == 1
    assert {name: z.shape for name, z in gap.maps["latents"].items()} == dict.fromkeys(
        ("synthetic", "observed", "translated synthetic", "translated observed"), (60, 2)
    )
    assert len(gap.maps["spectra"]) == 6
    assert gap.noise_matched


def test_tsne_gap_sees_the_gap_close(gap):
    scores = dict(zip(HEADINGS, gap.panels, strict=True))
    before, after = scores["originals"], scores["synthetic to observed"]
    assert before.mixing < 0.5
    assert after.mixing > 0.8
    assert before.map_mixing < after.map_mixing
    assert scores["observed to synthetic"].mixing > 0.6
    assert scores["shared latents"].mixing > 0.8
    for one in gap.panels:
        assert one.mixing_null == pytest.approx(1.0, abs=0.15)
        assert one.map_mixing_null == pytest.approx(1.0, abs=0.15)


def test_tsne_gap_repeats_bit_for_bit(make, translator):
    synthetic, observed, _ = make(20)
    first, again = (tsne_gap(translator, synthetic, observed, **QUICK) for _ in range(2))
    for space, maps in first.maps.items():
        for name, points in maps.items():
            np.testing.assert_array_equal(points, again.maps[space][name])
    assert first.panels == again.panels


def test_tsne_gap_never_sees_masked_values(make):
    models, stars, _ = make(20)
    other = stars.with_flux(np.where(stars.ivar > 0, stars.flux, -77.0))
    first, again = (tsne_gap({"models": models, "stars": x}, **QUICK) for x in (stars, other))
    np.testing.assert_array_equal(first.maps["spectra"]["stars"], again.maps["spectra"]["stars"])
    assert first.panels == again.panels


def test_tsne_gap_of_named_sets_takes_all_pairs(make):
    models, stars, truth = make(20)
    sets = {"models": models, "stars": stars[:15], "truth": truth}
    latents = {"models": models.flux[:, :2], "stars": stars.flux[:15, :2]}
    gap = tsne_gap(sets, latents=latents, **QUICK)
    assert [(s.panel.first, s.panel.second, s.panel.space) for s in gap.panels] == [
        ("models", "stars", "spectra"),
        ("models", "truth", "spectra"),
        ("stars", "truth", "spectra"),
        ("models", "stars", "latents"),
    ]
    assert gap.maps["spectra"]["stars"].shape == (15, 2)
    assert gap.panels[0].mixing < gap.panels[2].mixing


def test_tsne_gap_takes_chosen_panels_and_fewer_rows(make):
    models, stars, truth = make(30)
    panels = [("truth", "stars"), Panel("models", "stars", title="before")]
    gap = tsne_gap(
        {"models": models, "stars": stars, "truth": truth}, panels=panels, max_samples=12, **QUICK
    )
    assert list(gap.as_dict()) == ["truth and stars (spectra)", "before (spectra)"]
    assert gap.maps["spectra"]["truth"].shape == (12, 2)
    assert "noise matched" in gap.summary()
    assert "before" in gap.summary()
    assert f"before: {gap.panels[1].mixing:.2f}" in repr(gap)


def test_tsne_gap_says_when_noise_is_unknown(make):
    models, stars, _ = make(20)
    gap = tsne_gap({"models": models, "stars": stars.flux}, **QUICK)
    assert not gap.noise_matched
    assert "NOT matched" in gap.summary()


def test_tsne_gap_rejects_what_fits_neither_form(make, translator):
    models, stars, _ = make(20)
    for arguments, keywords in (
        ((translator, models), {}),
        ((models, stars), {}),
        (({"a": models, "b": stars}, models, stars), {}),
        ((translator, models, stars), {"panels": [("a", "b")]}),
    ):
        with pytest.raises(TypeError, match=r"^`tsne_gap` must be given a mapping of sets, or"):
            tsne_gap(*arguments, **keywords)


def test_tsne_gap_rejects_bad_sets(make):
    models, stars, _ = make(20)
    sets = {"models": models, "stars": stars}
    with pytest.raises(ValueError, match="at least two sets of spectra; got"):
        tsne_gap({"models": models})
    with pytest.raises(ValueError, match="`stars` must hold at least 10 spectra; got 5"):
        tsne_gap({"models": models, "stars": stars[:5]})
    with pytest.raises(GridMismatchError, match="`models` and `stars` must be on one"):
        tsne_gap({"models": models, "stars": stars.flux[:, 1:]})
    with pytest.raises(ValueError, match="must name sets of its spectra; got 'planets'; choose"):
        tsne_gap(sets, panels=[("models", "planets")])
    with pytest.raises(ValueError, match="must be 'spectra' or 'latents'; got 'labels'"):
        tsne_gap(sets, panels=[Panel("models", "stars", "labels")])
    with pytest.raises(ValueError, match="latents `models` must be finite; got nan at row 0"):
        tsne_gap(sets, latents={"models": np.full((20, 2), np.nan)})
    with pytest.raises(ValueError, match=r"must have shape \(n_spectra, n_latents\); got \(20,\)"):
        tsne_gap(sets, latents={"models": np.zeros(20)})
    with pytest.raises(ValueError, match="`perplexity` must be > 1; got 0"):
        tsne_gap(sets, perplexity=0)
    with pytest.raises(ValueError, match="`n_iter` must be an integer"):
        tsne_gap(sets, n_iter=0)


def test_tsne_gap_and_gap_scores_say_the_same_of_unequal_errors():
    rng = np.random.default_rng(0)
    sharp, noisy = (
        Spectra(1 + std * rng.normal(size=(20, 30)), None, np.full((20, 30), std**-2))
        for std in (0.005, 0.02)
    )
    gap = tsne_gap({"a": sharp, "b": noisy}, n_iter=20, random_state=0)
    scores = gap_scores(sharp, noisy, n_permutations=5, random_state=0)
    assert not gap.noise_matched
    assert gap.noise_difference == scores.noise_difference == "errors differ by a factor of 4"
    assert "NOT matched (errors differ by a factor of 4)" in gap.summary()
