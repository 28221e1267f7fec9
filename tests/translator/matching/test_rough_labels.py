"""Rough labels of observed stars tell a gap along the labels from other labels."""

from functools import cache

import astropy.units as u
import numpy as np
import pandas as pd
import pytest
from astropy.table import QTable

from spectragan import (
    CycleGANTranslator,
    DomainScaleWarning,
    LabelArray,
    LabelMismatchWarning,
    PseudoPairTranslator,
    RoughLabels,
    Spectra,
    SpectrumEmulator,
    TranslatorEnsemble,
    stack_domains,
)
from spectragan.datasets import make_mock_domains

pytestmark = [
    pytest.mark.filterwarnings("ignore::spectragan.LabelMismatchWarning"),
    pytest.mark.filterwarnings("ignore::spectragan.SubspaceTruncationWarning"),
]
HOTTER = np.array([250.0, 0.0])  # half a standard deviation


@cache
def line_labels(n, seed):
    return np.random.default_rng(seed).normal(size=(n, 2)) * [500, 0.5] + [5500, 3.0]


def spectra(labels, seed=None):
    """Return spectra of lines whose depths depend on two labels."""
    rng = np.random.default_rng(7)
    distance = np.arange(400) - rng.uniform(0, 400, size=30)[:, None]
    profiles = np.exp(-0.5 * (distance / 2.0) ** 2)
    strength, slopes = rng.uniform(0.1, 0.4, size=30), rng.normal(size=(2, 30)) * 0.3
    z = (labels - [5500, 3.0]) / [500, 0.5]
    flux = np.exp(-(strength * np.exp(z @ slopes)) @ profiles)
    if seed is None:
        return Spectra(flux, None, noise="exact")
    noise = np.random.default_rng(seed).normal(0, 0.005, flux.shape)
    return Spectra(flux + noise, None, ivar=np.full(flux.shape, 4e4))


def hotter(labels):
    """Models are off along the labels: observed stars look hotter than they are."""
    return spectra(labels + HOTTER, seed=3)


def catalogue(labels, seed=0):
    return labels + np.random.default_rng(seed).normal(size=labels.shape) * [150, 0.2]


def left(translator):
    """Return what is left of the gap of other stars, as a part of it."""
    labels = line_labels(200, seed=9)
    raw, truth = spectra(labels), spectra(labels + HOTTER).flux
    error = translator.transform(raw).flux - truth
    return np.sqrt((error**2).mean() / ((raw.flux - truth) ** 2).mean())


@cache
def fitted(n_labels=None, zero_point=0.0):
    """Fit to stars of equal labels that models make look hotter."""
    synthetic, observed = line_labels(500, seed=1), line_labels(500, seed=2)
    known = None
    if n_labels is not None:
        rough = catalogue(observed)
        rough[n_labels:] = np.nan
        known = RoughLabels(rough, [150, 0.2], synthetic=synthetic, zero_point=zero_point)
    return PseudoPairTranslator().fit(spectra(synthetic), hotter(observed), labels=known)


def test_a_gap_along_the_labels_is_seen_with_rough_labels_alone():
    assert left(fitted()) > 0.9  # nothing in spectra shows it
    assert fitted().mismatch_.is_ambiguous
    informed = fitted(300)
    assert left(informed) < 0.5
    assert informed.mismatch_.bounded
    assert not informed.mismatch_.is_significant  # the labels are alike


def test_a_zero_point_as_large_as_the_gap_settles_nothing():
    vague = fitted(300, (400.0, 0.5))
    assert not vague.mismatch_.bounded
    assert vague.mismatch_.is_ambiguous


def test_one_rough_star_changes_next_to_nothing():
    one = fitted(1)
    assert one.mismatch_.is_ambiguous
    np.testing.assert_allclose(one.map_.change, fitted().map_.change, atol=0.01)


def test_labels_that_do_differ_are_left_where_they_are():
    synthetic, observed = line_labels(500, seed=1), line_labels(500, seed=2) + HOTTER
    known = RoughLabels(catalogue(observed), [150, 0.2], synthetic=synthetic)
    domains = spectra(synthetic), spectra(observed, seed=3)
    found = PseudoPairTranslator().fit(*domains, labels=known).mismatch_
    assert found.is_significant
    assert not found.is_ambiguous
    assert found.distance == pytest.approx(
        PseudoPairTranslator().fit(*domains).mismatch_.distance, abs=0.1
    )


def test_a_few_wild_labels_and_errors_stated_too_small_do_not_decide():
    synthetic, observed = line_labels(500, seed=1), line_labels(500, seed=2)
    rough = catalogue(observed)
    rough[:25] += [20_000, 30.0]
    known = RoughLabels(rough, [15, 0.02], synthetic=synthetic)
    informed = PseudoPairTranslator().fit(spectra(synthetic), hotter(observed), labels=known)
    assert left(informed) < 0.5


def test_cyclegan_uses_rough_labels_too():
    synthetic, observed = line_labels(300, seed=1), line_labels(300, seed=2)
    known = RoughLabels(catalogue(observed), [150, 0.2], synthetic=synthetic)
    translator = CycleGANTranslator(max_epochs=2, random_state=0, verbose=0)
    domains = spectra(synthetic), hotter(observed)
    assert translator.fit(*domains).mismatch_.is_ambiguous
    raw = left(translator)
    assert not translator.fit(*domains, labels=known).mismatch_.is_ambiguous
    assert left(translator) < 0.7 * raw


def test_stacked_domains_and_masked_rows_keep_their_labels():
    synthetic, observed = line_labels(300, seed=1), line_labels(300, seed=2)
    known = RoughLabels(catalogue(observed), [150, 0.2], synthetic=synthetic)
    domains = spectra(synthetic), hotter(observed)
    X, y = stack_domains(*domains)
    apart = PseudoPairTranslator().fit(*domains, labels=known)
    np.testing.assert_allclose(
        PseudoPairTranslator().fit(X, y, labels=known).map_.change, apart.map_.change, atol=1e-9
    )
    ivar = domains[1].ivar.copy()
    ivar[[0, 17]] = 0.0
    masked = Spectra(domains[1].flux, None, ivar=ivar)
    kept = np.setdiff1d(np.arange(300), [0, 17])
    fewer = RoughLabels(known.observed[kept], [150, 0.2], synthetic=synthetic)
    np.testing.assert_allclose(
        PseudoPairTranslator().fit(domains[0], masked, labels=known).map_.change,
        PseudoPairTranslator().fit(domains[0], domains[1][kept], labels=fewer).map_.change,
        atol=1e-9,
    )


def test_an_emulator_knows_the_labels_of_its_spectra_and_their_units():
    labels = LabelArray(line_labels(300, seed=1), ("teff", "logg"), {"teff": "K"})
    emulator = SpectrumEmulator(max_epochs=3, random_state=0, verbose=0)
    emulator.fit(labels, spectra(np.asarray(labels)))
    observed = line_labels(300, seed=2)
    rough = catalogue(observed)
    table = QTable({"logg": rough[:, 1], "teff": (rough[:, 0] / 1000) * u.kK})
    known = RoughLabels(table, [0.2, 0.15])
    informed = PseudoPairTranslator().fit(emulator, hotter(observed), labels=known)
    assert informed.mismatch_.bounded
    assert left(informed) < 0.7  # the emulator has errors of its own


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        ({"error": [150, -0.2]}, "`error` must be > 0"),
        ({"error": [150, 0.2, 0.1]}, "`error` must be finite numbers of shape"),
        ({"error": "large"}, "`error` must be finite numbers"),
        ({"error": 150.0}, "one for each label"),
        ({"error": pd.Series({"logg": 0.2, "teff": 150})}, "in the order of the labels"),
        ({"error": QTable({"logg": [0.2] * 20, "teff": [150] * 20})}, "in the order of the labels"),
        ({"error": [150, 0.2] * u.K}, "`error` must be .*got .* K.*a plain number"),
        ({"error": [150 * u.K, 0.2]}, "`error` must be finite numbers"),
        ({"error": [150, np.nan]}, "`error` must be finite numbers"),
        ({"zero_point": [-1.0, 0.0]}, "`zero_point` must be >= 0"),
        ({"zero_point": [1.0, 2.0, 3.0]}, "`zero_point` must be finite numbers of shape"),
        ({"synthetic": np.ones((20, 3))}, "`synthetic` must have the 2 label"),
        ({"observed": np.ones(20)}, "observed"),
    ],
)
def test_what_is_no_label_is_refused_with_one_sentence(arguments, word):
    given = {"observed": line_labels(20, 0), "error": [150, 0.2]} | arguments
    with pytest.raises(ValueError, match=word):
        RoughLabels(given.pop("observed"), given.pop("error"), **given)


def test_labels_that_do_not_go_with_the_spectra_are_refused():
    synthetic, observed = line_labels(60, seed=1), line_labels(60, seed=2)
    domains = spectra(synthetic), hotter(observed)
    rough = RoughLabels(observed[:50], [150, 0.2], synthetic=synthetic)
    for labels, word in (
        (observed, "must be RoughLabels; got ndarray"),
        (rough, "one row for each of the 60 observed spectra; got 50"),
        (RoughLabels(observed, [150, 0.2]), "60 synthetic spectra; got none"),
        (RoughLabels(synthetic, [150, 0.2], synthetic=observed), "check their order"),
        (
            RoughLabels(observed / 1000, [0.1, 0.2], synthetic=synthetic),
            "check units and the order",
        ),
        (
            RoughLabels(observed, [150, 0.2], synthetic=np.ones_like(synthetic)),
            "must differ from star to star",
        ),
        (
            RoughLabels(observed * np.nan, [150, 0.2], synthetic=synthetic),
            "at least 1 observed spectra; got 0",
        ),
    ):
        with pytest.raises(ValueError, match=word):
            PseudoPairTranslator().fit(*domains, labels=labels)


def test_labels_of_observed_stars_in_another_order_are_refused():
    synthetic, observed = line_labels(500, seed=1), line_labels(500, seed=2)
    shuffled = catalogue(observed)[np.random.default_rng(0).permutation(500)]
    known = RoughLabels(shuffled, [150, 0.2], synthetic=synthetic)
    with pytest.raises(ValueError, match=r"row by row; got ones whose correlation .* promise 0\.9"):
        PseudoPairTranslator().fit(spectra(synthetic), hotter(observed), labels=known)
    # Errors so large promise nothing, and one label that is right is enough.
    rough = RoughLabels(shuffled, [5000, 5.0], synthetic=synthetic)
    PseudoPairTranslator().fit(spectra(synthetic), hotter(observed), labels=rough)
    one = np.column_stack([shuffled[:, 0], catalogue(observed)[:, 1]])
    known = RoughLabels(one, [150, 0.2], synthetic=synthetic)
    PseudoPairTranslator().fit(spectra(synthetic), hotter(observed), labels=known)


def test_labels_too_rough_to_tell_are_told_of():
    synthetic, observed = line_labels(500, seed=1), line_labels(500, seed=2)
    known = RoughLabels(observed, [150, 0.2], synthetic=synthetic, zero_point=[2000, 2.0])
    with pytest.warns(LabelMismatchWarning, match="less rough than these, which can't tell"):
        PseudoPairTranslator().fit(spectra(synthetic), hotter(observed), labels=known)


def test_it_shows_what_it_holds():
    rough = RoughLabels(line_labels(20, 0), [150, 0.2], zero_point=[100, 0.0])
    assert repr(rough) == "RoughLabels(20 stars, labels label_0 ± 150 ± 100, label_1 ± 0.2)"
    assert "label_0         20      150" in str(rough)


def test_the_warning_names_rough_labels_as_a_remedy():
    with pytest.warns(LabelMismatchWarning, match="rough `labels`"):
        PseudoPairTranslator().fit(
            spectra(line_labels(300, seed=1)), hotter(line_labels(300, seed=2))
        )


def test_a_mock_is_no_worse_with_rough_labels():
    mock = make_mock_domains(400, 400, n_pixels=800, label_shift=0.5, random_state=1)
    scatter = mock.labels_synthetic.std(axis=0)
    rough = mock.labels_observed + np.random.default_rng(0).normal(
        size=mock.labels_observed.shape
    ) * (0.3 * scatter)
    known = RoughLabels(rough, 0.3 * scatter, synthetic=mock.labels_synthetic)
    errors = [
        np.square(
            PseudoPairTranslator()
            .fit(mock.synthetic, mock.observed, labels=labels)
            .transform(mock.synthetic_of_observed)
            .flux
            - mock.observed_truth.flux
        ).mean()
        for labels in (None, known)
    ]
    assert np.sqrt(errors[1]) < 1.1 * np.sqrt(errors[0])


def test_members_of_an_ensemble_get_the_labels_of_the_spectra_they_are_fitted_to():
    synthetic, observed = line_labels(300, seed=1), line_labels(300, seed=2)
    known = RoughLabels(catalogue(observed), [150, 0.2], synthetic=synthetic)
    ensemble = TranslatorEnsemble(PseudoPairTranslator(), n_members=2, random_state=0)
    ensemble.fit(spectra(synthetic), hotter(observed), labels=known)
    for member in ensemble.members_:
        assert member.mismatch_.bounded
        assert left(member) < 0.7
    with pytest.raises(ValueError, match="must be RoughLabels"):
        ensemble.fit(spectra(synthetic), hotter(observed), labels=observed)


def test_errors_of_labels_that_are_not_known_need_not_be_known():
    labels, error = line_labels(20, 0).copy(), np.full((20, 2), 0.2)
    labels[3, 1] = error[3, 1] = np.nan
    assert RoughLabels(labels, error).error[3, 1] == 1.0
    error[4, 0] = np.nan
    with pytest.raises(ValueError, match="`error` must be finite"):
        RoughLabels(labels, error)


class SortedEmulator:
    """Knows its labels in the order of a catalogue sorted by temperature."""

    label_names_ = ("teff", "logg")

    def __init__(self, n):
        labels = line_labels(n, seed=1)
        self.label_sample_ = labels[np.argsort(labels[:, 0])]
        self.label_range_ = np.array([labels.min(axis=0), labels.max(axis=0)])

    def predict(self, labels):
        return spectra(np.asarray(labels)).flux

    def jacobian(self, labels):
        raise NotImplementedError


def test_the_order_of_an_emulators_labels_does_not_matter():
    observed = line_labels(300, seed=2)
    known = RoughLabels(catalogue(observed), [150, 0.2])
    found = PseudoPairTranslator().fit(SortedEmulator(6000), spectra(observed, 3), labels=known)
    assert not found.mismatch_.is_significant
    both = RoughLabels(catalogue(observed), [150, 0.2], synthetic=observed)
    with pytest.raises(ValueError, match="without `synthetic`"):
        PseudoPairTranslator().fit(SortedEmulator(300), spectra(observed, 3), labels=both)


def test_labels_that_no_star_has_are_not_asked_of_models():
    synthetic, observed = line_labels(300, seed=1), line_labels(300, seed=2)
    unknown = [np.column_stack([part, np.full(300, np.nan)]) for part in (observed, synthetic)]
    known = RoughLabels(unknown[0], [150, 0.2, 0.1], synthetic=unknown[1])
    found = PseudoPairTranslator().fit(spectra(synthetic), hotter(observed), labels=known)
    assert found.mismatch_.bounded


def test_anchors_that_missed_a_step_are_told_of():
    synthetic, observed = line_labels(100, seed=1), line_labels(100, seed=2)
    raw = Spectra(3 * hotter(observed).flux[:10], None, ivar=np.full((10, 400), 4e4))
    with pytest.warns(DomainScaleWarning, match="`anchors`"):
        PseudoPairTranslator().fit(
            spectra(synthetic), hotter(observed), anchors=(raw, spectra(observed[:10]))
        )
