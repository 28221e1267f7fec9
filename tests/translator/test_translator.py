"""`CycleGANTranslator`: what it learns, promises and refuses."""

import copy
import pickle
import warnings

import astropy.units as u
import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, StratifiedKFold
from sklearn.pipeline import make_pipeline
from specutils import Spectrum

from spectragan import (
    ContinuumNormalizer,
    CycleGANTranslator,
    GridMismatchError,
    LinearTranslator,
    MeanShiftTranslator,
    Spectra,
    SubspaceTruncationWarning,
    cycle_scores,
    stack_domains,
)
from spectragan.datasets import make_mock_domains
from spectragan.networks import ConvCritic, ConvTranslator
from spectragan.translator.game.losses import adversarial_names

pytestmark = pytest.mark.filterwarnings("ignore::spectragan.SubspaceTruncationWarning")
SCORES = {"x_so", "x_os", "z_shared_so", "z_shared_os", "z_split_so", "z_shared"}


def quick(**parameters):
    defaults = {"max_epochs": 2, "warmup_epochs": 1, "steps_per_epoch": 3, "batch_size": 32}
    return CycleGANTranslator(**{**defaults, "random_state": 0, "verbose": 0, **parameters})


@pytest.fixture(scope="module")
def mock():
    return make_mock_domains(120, 100, n_pixels=80, random_state=0)


@pytest.fixture(scope="module")
def fitted(mock):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SubspaceTruncationWarning)
        return quick().fit(mock.synthetic, mock.observed)


def rms(a, b):
    return float(np.sqrt(np.mean((a.flux - b.flux) ** 2)))


@pytest.mark.slow
def test_it_closes_more_of_the_gap_than_the_baselines():
    mock = make_mock_domains(800, 800, n_pixels=1024, random_state=0)
    raw = rms(mock.synthetic_of_observed, mock.observed_truth)
    left = {}
    for translator in (
        MeanShiftTranslator(),
        LinearTranslator(),
        CycleGANTranslator(max_epochs=16, warmup_epochs=6, random_state=0, verbose=0),
    ):
        translator.fit(mock.synthetic, mock.observed)
        translated = translator.transform(mock.synthetic_of_observed)
        left[type(translator).__name__] = rms(translated, mock.observed_truth) / raw
    assert left["CycleGANTranslator"] < min(0.36, left["LinearTranslator"])
    assert left["LinearTranslator"] < left["MeanShiftTranslator"] < 1


def test_both_forms_of_fit_give_bit_identical_models(mock, fitted):
    X, domain = stack_domains(mock.synthetic, mock.observed)
    words = np.array(["synthetic", "observed"])[domain]
    for y in (domain, domain.astype(bool), words):
        again = quick().fit(X, y)
        assert np.array_equal(
            again.transform(mock.synthetic).flux, fitted.transform(mock.synthetic).flux
        )


def test_another_seed_gives_another_model(mock, fitted):
    other = quick(random_state=1).fit(mock.synthetic, mock.observed)
    assert not np.array_equal(other.split_codes_, fitted.split_codes_)


def test_values_under_zero_ivar_never_matter(mock, fitted):
    bad = mock.observed.ivar == 0
    assert bad.any(), "the mock must mask some pixels"
    scrambled = mock.observed.with_flux(np.where(bad, 1e6, mock.observed.flux))
    again = quick().fit(mock.synthetic, scrambled)
    for method in ("transform", "inverse_transform"):
        source = mock.synthetic if method == "transform" else scrambled
        plain = mock.synthetic if method == "transform" else mock.observed
        a, b = getattr(again, method)(source), getattr(fitted, method)(plain)
        assert np.array_equal(a.flux, b.flux)


def test_validation_is_scored_and_changes_nothing(mock, fitted):
    pairs = mock.synthetic_of_observed[:30], mock.observed[:30]
    watched = quick().fit(mock.synthetic, mock.observed, validation=pairs)
    assert set(watched.history_) >= SCORES
    assert all(np.isfinite(watched.history_[name]).all() for name in SCORES)
    assert np.array_equal(
        watched.transform(mock.synthetic).flux, fitted.transform(mock.synthetic).flux
    )
    assert cycle_scores(watched, *pairs, random_state=0).as_dict().keys() == SCORES


def test_history_has_every_term_of_every_epoch(fitted):
    terms = {"reconstruction", "cycle", "latent", "identity", "start", "adversarial", "critic"}
    assert set(fitted.history_) == terms
    assert {len(values) for values in fitted.history_.values()} == {2}
    assert np.isnan(fitted.history_["adversarial"][0]), "no critic plays in the warm-up"
    assert np.isfinite(fitted.history_["adversarial"][1])


def test_like_comes_out_as_like_went_in(mock, fitted):
    assert isinstance(fitted.transform(mock.synthetic), Spectra)
    array = fitted.transform(np.asarray(mock.synthetic.flux, dtype=np.float32))
    assert isinstance(array, np.ndarray)
    assert array.dtype == np.float32
    axis = mock.synthetic.wavelength
    spectrum = Spectrum(flux=mock.synthetic.flux[:3] * u.one, spectral_axis=axis)
    assert isinstance(fitted.transform(spectrum), Spectrum)


def test_translated_spectra_are_exact_and_keep_meta(mock, fitted):
    translated = fitted.transform(mock.synthetic)
    assert set(translated.noise) == {"exact"}
    assert not translated.mask.any()
    assert translated.medium == mock.synthetic.medium


def test_a_row_without_pixels_stays_masked(mock, fitted):
    ivar = np.ones(mock.synthetic.shape)
    ivar[1] = 0
    masked = mock.synthetic.with_flux(mock.synthetic.flux, ivar, "exact")
    translated = fitted.transform(masked)
    assert translated.mask[1].all()
    assert not translated.mask[[0, 2]].any()


def test_few_masked_pixels_change_little(mock, fitted):
    ivar = np.ones(mock.synthetic.shape)
    ivar[:, 10:14] = 0
    masked = mock.synthetic.with_flux(mock.synthetic.flux, ivar, "exact")
    change = fitted.transform(masked).flux - fitted.transform(mock.synthetic).flux
    assert np.sqrt(np.mean(change**2)) < 0.1 * mock.synthetic.flux.std(axis=0).mean()


def test_latents_go_back_to_what_transform_makes(mock, fitted):
    latents = fitted.encode(mock.synthetic, "synthetic")
    assert latents.shared.shape == (120, fitted.n_shared_)
    assert latents.split.shape == (120, 0)
    np.testing.assert_allclose(
        fitted.decode(latents.shared), fitted.transform(mock.synthetic).flux, rtol=1e-5
    )
    observed = fitted.encode(mock.observed, 1)
    assert observed.split.shape == (100, fitted.n_split_)
    assert fitted.decode(*observed, domain=1).shape == (100, 80)
    assert fitted.decode(observed.shared, domain=0).shape == (100, 80)


def test_transform_is_the_average_over_the_split_codes(mock, fitted):
    shared = fitted.encode(mock.synthetic[:2], 0).shared
    draws = [
        fitted.decode(shared, np.repeat(code[None], 2, axis=0)) for code in fitted.split_codes_
    ]
    np.testing.assert_allclose(
        np.mean(draws, axis=0), fitted.transform(mock.synthetic[:2]).flux, rtol=1e-5
    )


def test_samples_differ_and_are_repeatable(mock, fitted):
    draws = fitted.sample(mock.synthetic[:5], 3, random_state=0)
    assert draws.shape == (3, 5, 80)
    assert np.array_equal(draws, fitted.sample(mock.synthetic[:5], 3, random_state=0))
    assert draws.std(axis=0).max() > 0


@pytest.mark.parametrize("name", adversarial_names())
def test_every_game_trains(name, mock):
    translated = quick(adversarial=name).fit(mock.synthetic, mock.observed)
    assert np.isfinite(translated.transform(mock.synthetic).flux).all()


def test_it_works_without_split_latents(mock):
    translator = quick(n_split=0).fit(mock.synthetic, mock.observed)
    assert translator.encode(mock.observed, 1).split.shape == (100, 0)
    assert translator.cycle_weight == 1.0
    assert np.isfinite(translator.transform(mock.synthetic).flux).all()


def test_conv_trains_at_300_pixels():
    mock = make_mock_domains(60, 60, n_pixels=300, random_state=0)
    translator = quick(network="conv", batch_size=16, width=0.125)
    translated = translator.fit(mock.synthetic, mock.observed).transform(mock.synthetic)
    assert np.isfinite(translated.flux).all()
    assert np.isfinite(translator.inverse_transform(mock.observed).flux).all()


@pytest.mark.slow
@pytest.mark.parametrize("n_pixels", [300, 343, 1011, 3111, 7214])
def test_conv_builds_trains_and_inverts_at(n_pixels):
    rng = np.random.default_rng(0)
    models, stars = 1 - 0.1 * rng.random((2, 8, n_pixels))
    translator = quick(network="conv", batch_size=4, width=0.125, steps_per_epoch=1)
    translator.fit(models, stars)
    assert np.isfinite(translator.transform(models)).all()
    assert np.isfinite(translator.inverse_transform(stars)).all()


def test_modules_of_ones_own_are_trained_and_not_written_to():
    mock = make_mock_domains(40, 40, n_pixels=300, random_state=0)
    network, critic = ConvTranslator(300, width=0.125), ConvCritic(300, width=0.125)
    before = copy.deepcopy(network.state_dict())
    translator = quick(network=network, critic=critic, adversarial="bce", batch_size=8)
    translated = translator.fit(mock.synthetic, mock.observed).transform(mock.synthetic)
    assert np.isfinite(translated.flux).all()
    assert all(torch.equal(before[name], value) for name, value in network.state_dict().items())


def test_it_can_be_pickled_copied_and_cloned(mock, fitted):
    expected = fitted.transform(mock.synthetic).flux
    for twin in (pickle.loads(pickle.dumps(fitted)), copy.deepcopy(fitted)):
        assert np.array_equal(twin.transform(mock.synthetic).flux, expected)
    assert not hasattr(clone(fitted), "net_")


@pytest.mark.filterwarnings("ignore::spectragan.ContinuumWarning")
def test_it_works_in_a_pipeline_with_grid_search(mock):
    X, domain = stack_domains(mock.synthetic, mock.observed)
    search = GridSearchCV(
        make_pipeline(ContinuumNormalizer(degree=2), quick()),
        {"cyclegantranslator__n_split": [0, 2]},
        cv=StratifiedKFold(2, shuffle=True, random_state=0),
    )
    search.fit(X, domain)
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
    assert len(search.transform(X[domain == 0])) == 120


def test_score_prefers_the_smaller_gap(mock, fitted):
    good = LinearTranslator().fit(mock.synthetic, mock.observed)
    bad = LinearTranslator().fit(mock.synthetic, mock.observed)
    bad.subspace_.means[1] += 0.05
    assert good.score(mock.synthetic, mock.observed) > bad.score(mock.synthetic, mock.observed)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"network": "mlp"}, r"`network` must be one of .*; got 'mlp'; "),
        ({"adversarial": "hing"}, r"`adversarial` must be one of .*did you mean 'hinge'\?"),
        ({"n_shared": 0}, r"`n_shared` must be an integer >= 1"),
        ({"n_split": 1.5}, r"`n_split` must be an integer >= 0"),
        (
            {"cycle_weight": -1.0},
            r"`cycle_weight` must be a finite number >= 0 or a pair .*; got -1.0; ",
        ),
        ({"network": torch.nn.Linear(2, 2)}, r"`critic` must be a torch.nn.Module"),
        ({"device": "abacus"}, r"`device` must be"),
    ],
)
def test_a_bad_parameter_is_one_sentence(parameters, message, mock):
    with pytest.raises(ValueError, match=message):
        quick(**parameters).fit(mock.synthetic, mock.observed)


def test_bad_domains_are_one_sentence(mock):
    X, domain = stack_domains(mock.synthetic, mock.observed)
    for y, message in (
        (np.zeros(len(X)), r"`domain` must name both domains"),
        (np.arange(len(X)) % 3, r"`domain` must hold 0 \(synthetic\) or 1 \(observed\)"),
        (np.where(domain, "real", "model"), r"`domain` must hold 0"),
        (domain[:-1], r"`domain` must hold one value for each"),
        (None, r"requires y to be passed"),
    ):
        with pytest.raises(ValueError, match=message):
            quick().fit(X, y)
    with pytest.raises(GridMismatchError, match="pixels"):
        quick().fit(mock.synthetic, mock.observed.select_pixels(slice(0, 40)))
    with pytest.raises(ValueError, match="the observed domain must have at least 2 spectra"):
        quick().fit(mock.synthetic, mock.observed[:1])
    with pytest.raises(ValueError, match=r"`domain` must hold 0"):
        quick().fit(mock.synthetic, mock.observed).encode(mock.synthetic, "other")
