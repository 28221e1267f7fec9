"""The published method: one preset of ordinary parameters, each of which does what it says."""

import math
import warnings

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, StratifiedKFold
from sklearn.utils.estimator_checks import check_estimator

import spectragan
from spectragan import CycleGANTranslator, TrainingHealthWarning, stack_domains
from spectragan.datasets import make_mock_domains
from spectragan.translator.game.maps import translate
from spectragan.translator.game.net import TranslatorNet
from spectragan.translator.networks.conv import AdaptedConvTranslator, ConvCritic, ConvTranslator

N_PIXELS = 300
SHORT = {"adversarial": "bce", "max_epochs": 2, "warmup_epochs": 1, "steps_per_epoch": 2}
PRESET = {"width": 0.125, "max_epochs": 3, "steps_per_epoch": 2, "n_codes": 2}
PRESET |= {"random_state": 0, "device": "cpu", "verbose": 0}


@pytest.fixture(scope="module")
def small():
    return make_mock_domains(60, 60, n_pixels=N_PIXELS, random_state=0)


def fit_published(small, **changes):
    translator = CycleGANTranslator.published(**(PRESET | changes))
    return translator.fit(small.synthetic, small.observed)


@pytest.fixture(scope="module")
def published(small):
    """Return a translator that was trained for six steps, which no test may change."""
    return fit_published(small)


@pytest.fixture
def batch(small):
    x, y = (
        torch.tensor(s.filled()[:8], dtype=torch.float32) for s in (small.synthetic, small.observed)
    )
    return {"synthetic": {"x": x}, "observed": {"x": y, "noise": torch.full_like(y, 0.1)}}


def weights(translator):
    return [p.numpy() for p in translator.network_.network.state_dict().values()]


@pytest.mark.parametrize("given", ["by name", "as modules"])
def test_published_network_and_losses_train(quick, small, given):
    networks = {"network": "conv-published", "width": 0.25}
    if given == "as modules":
        modules = ConvTranslator(N_PIXELS, width=0.25), ConvCritic(N_PIXELS, width=0.25)
        networks = {"network": modules[0], "critic": modules[1]}
    translator = quick(**networks, **SHORT).fit(small.synthetic, small.observed)
    assert isinstance(translator.network_.network, ConvTranslator)
    history = translator.history_
    assert np.isfinite(history["critic"][-1])
    assert np.isfinite(history["adversarial"][-1])
    assert history["reconstruction"][-1] < history["reconstruction"][0]
    assert np.isfinite(translator.transform(small.synthetic).flux).all()


def test_named_networks_have_the_layers_they_promise(quick, small):
    widths = {"conv-published": 32, "conv": 8}  # channels of the first layer by default
    for name, cls in {"conv-published": ConvTranslator, "conv": AdaptedConvTranslator}.items():
        translator = quick(network=name, max_epochs=0).fit(small.synthetic, small.observed)
        network = translator.network_.network
        assert type(network) is cls
        encoder = network.encoder if name == "conv" else network.domain_encoders[0]
        assert encoder[0].out_channels == widths[name]


def test_preset_plays_the_published_game():
    preset = CycleGANTranslator.published()
    assert (preset.reconstruction_weight, preset.cycle_weight) == ((3, 9), (3, 9))
    assert preset.adversarial_weight == 1
    assert not any((preset.latent_weight, preset.identity_weight, preset.penalty))
    assert (preset.adversarial, preset.batch_size, preset.learning_rate) == ("bce", 8, 1e-4)
    assert preset.schedule == (50_000, 100_000, 150_000, 200_000)
    assert (preset.ema_decay, preset.warmup_epochs, preset.match_labels) == (0, 0, False)
    on_mocks = CycleGANTranslator.published(mock=True)
    assert (on_mocks.reconstruction_weight, on_mocks.cycle_weight) == ((90, 90), (90, 90))


def test_preset_is_an_ordinary_estimator(small, published):
    assert type(published) is CycleGANTranslator
    copy = clone(published).set_params(random_state=0)
    assert copy.get_params() == published.get_params()
    copy.fit(*stack_domains(small.synthetic, small.observed))
    for first, second in zip(weights(copy), weights(published), strict=True):
        np.testing.assert_array_equal(first, second)
    grid = {"critic_split": ["lent", "reencoded"], "cycle_weight": [(3, 9), 1.0]}
    fast = CycleGANTranslator.published(**(PRESET | {"max_epochs": 1}))
    search = GridSearchCV(fast, grid, cv=StratifiedKFold(2), error_score="raise")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", spectragan.SpectraganWarning)
        search.fit(*stack_domains(small.synthetic, small.observed))
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()


@pytest.mark.filterwarnings("ignore::spectragan.SpectraganWarning")
def test_preset_follows_scikit_learn():
    tiny = PRESET | {"width": 0.03, "max_epochs": 1, "steps_per_epoch": 1, "random_state": None}
    check_estimator(CycleGANTranslator.published(**tiny), on_skip=None)


def test_preset_comes_back_from_a_file(small, published, tmp_path):
    published.save(tmp_path / "model")
    loaded = spectragan.load(tmp_path / "model")
    assert loaded.get_params() == published.get_params()
    assert loaded.health_ == published.health_
    np.testing.assert_array_equal(
        loaded.transform(small.synthetic).flux, published.transform(small.synthetic).flux
    )


def test_own_critics_with_strides_come_back_from_a_file(small, quick, tmp_path):
    critic = ConvCritic(N_PIXELS, width=0.05, critic_strides=(4, 4, 4, 4, 4))
    network = ConvTranslator(N_PIXELS, width=0.05)
    translator = quick(network=network, critic=critic, max_epochs=0)
    translator.fit(small.synthetic, small.observed).save(tmp_path / "model")
    loaded = spectragan.load(tmp_path / "model").critic
    assert loaded.arguments == critic.arguments


def test_critic_sees_the_split_latents_of_the_translation_itself(batch):
    torch.manual_seed(0)
    network = ConvTranslator(N_PIXELS, width=0.125)
    shown, real = {}, {}
    with torch.no_grad():
        for kind in ("lent", "reencoded"):
            maps = translate(network, batch, noisy=False, critic_split=kind)
            shown[kind], real[kind] = maps.fake(1)[2].flatten(1), maps.real(1)[2].flatten(1)
    again = maps.split_so.flatten(1)
    assert torch.equal(shown["reencoded"], again)
    # What is lent are the real ones in another order: a critic can't learn from these.
    for row in shown["lent"]:
        assert (row == real["lent"]).all(1).any()
    assert not any((row == real["reencoded"]).all(1).any() for row in shown["reencoded"])


def test_encoder_learns_from_what_critics_say_of_the_split_latents(batch):
    """The gradient of the split latents shown reaches the translated spectrum."""
    torch.manual_seed(0)
    network = ConvTranslator(N_PIXELS, width=0.125)
    for kind, reaches in (("lent", False), ("reencoded", True)):
        maps = translate(network, batch, noisy=False, critic_split=kind)
        direction = torch.randn(maps.fake(1)[2].shape)
        (gradient,) = torch.autograd.grad(
            (direction * maps.fake(1)[2]).sum(), maps.so, allow_unused=True
        )
        assert (gradient is not None and bool(gradient.abs().sum() > 0)) is reaches


@pytest.mark.parametrize("noisy", [True, False])
def test_translated_spectra_get_noise_before_they_are_encoded_only_if_asked_for(batch, noisy):
    network = ConvTranslator(N_PIXELS, width=0.125)
    with torch.no_grad():
        maps = translate(network, batch, noisy=noisy)
        plain = network.encode(maps.so, 1)[0]
    assert torch.equal(maps.shared_so, plain) is not noisy


def record_steps(monkeypatch):
    """Return a list that each step of a player enters: who, rate, betas and settings."""
    steps = []

    def watch(name, optimizer):
        step = getattr(TranslatorNet, name)

        def recorded(net, *arguments, **options):
            (group,) = getattr(net, optimizer).param_groups
            steps.append((name, group["lr"], group["betas"], net.settings))
            return step(net, *arguments, **options)

        monkeypatch.setattr(TranslatorNet, name, recorded)

    watch("translator_step", "optimizer_")
    watch("critic_step", "critic_optimizer_")
    return steps


def test_preset_steps_as_published(small, monkeypatch):
    steps = record_steps(monkeypatch)
    fit_published(small, schedule=(3, 5))
    players, rates, betas, settings = zip(*steps, strict=True)
    assert players == ("translator_step", "critic_step") * 6
    assert set(betas) == {(0.5, 0.999)}
    expected = 1e-4 * 0.7 ** np.array([0, 0, 0, 1, 1, 2])
    np.testing.assert_allclose(rates[::2], expected, rtol=1e-12)
    assert rates[::2] == rates[1::2]
    assert not settings[0].reencode_noise
    assert settings[0].critic_split == "reencoded"


def test_milestones_count_the_steps_of_earlier_trainings(small, monkeypatch):
    translator = fit_published(small, schedule=(7,), warm_start=True)
    steps = record_steps(monkeypatch)
    translator.set_params(max_epochs=1).fit(small.synthetic, small.observed)
    rates = [rate for player, rate, *_ in steps if player == "critic_step"]
    np.testing.assert_allclose(rates, [1e-4, 0.7e-4], rtol=1e-12)


def test_training_goes_on_with_the_betas_that_it_is_given(small, monkeypatch):
    translator = fit_published(small, max_epochs=1, warm_start=True)
    steps = record_steps(monkeypatch)
    translator.set_params(betas=np.array([0.0, 0.9])).fit(small.synthetic, small.observed)
    assert {step[2] for step in steps} == {(0.0, 0.9)}


def test_default_game_steps_in_its_own_way(mock, quick, monkeypatch):
    steps = record_steps(monkeypatch)
    quick(warmup_epochs=0, max_epochs=1, steps_per_epoch=1).fit(mock.synthetic, mock.observed)
    assert [step[0] for step in steps] == ["critic_step", "translator_step"]
    assert [step[2] for step in steps] == [(0.0, 0.99), (0.5, 0.99)]


def test_equal_weights_of_both_domains_are_one_weight(mock, quick):
    pairs = {"reconstruction_weight": (0.7, 0.7), "cycle_weight": (1.3, 1.3)}
    single = {name: pair[0] for name, pair in pairs.items()}
    first, second, third = (
        quick(**given).fit(mock.synthetic, mock.observed)
        for given in (pairs, single, pairs | {"cycle_weight": np.array([1.3, 1.4])})
    )
    for a, b in zip(weights(first), weights(second), strict=True):
        np.testing.assert_array_equal(a, b)
    assert any((a != c).any() for a, c in zip(weights(first), weights(third), strict=True))


def test_a_domain_of_weight_zero_teaches_its_generator_nothing(small):
    none = dict.fromkeys(("adversarial_weight", "cycle_weight"), 0.0)
    before, after = (
        fit_published(small, reconstruction_weight=(0, 1), max_epochs=n, **none) for n in (0, 1)
    )
    synthetic, observed = (
        [torch.equal(*(t.network_.network.heads[d].weight for t in (before, after)))]
        for d in (0, 1)
    )
    assert (synthetic, observed) == ([True], [False])


def test_published_networks_start_and_scale_as_published(small):
    translator = fit_published(small, max_epochs=0)
    network, critic = translator.network_.network, translator.net_.critic_
    flux = small.synthetic.flux
    for player in (network, critic):
        np.testing.assert_allclose(player.centre.numpy(), flux.mean(), rtol=1e-5)
        np.testing.assert_allclose(player.scale.numpy(), flux.std(), rtol=1e-3)
        for layer in player.modules():
            if isinstance(layer, torch.nn.Conv1d | torch.nn.ConvTranspose1d):
                n_ends = sum(layer.weight.shape[:2]) * layer.weight.shape[2]
                limit = math.sqrt(6 / n_ends)
                assert 0.8 * limit < layer.weight.abs().max() <= limit or layer.weight.numel() < 20
                torch.testing.assert_close(
                    layer.bias.float(), torch.full_like(layer.bias, 0.01).float()
                )


def test_preset_notes_bad_epochs_and_goes_on(small, monkeypatch):
    monkeypatch.setattr("spectragan.translator.game.health.GROWTH", 0.0)
    with pytest.warns(TrainingHealthWarning, match=r"nothing was undone .* and this end was kept"):
        noted = fit_published(small)
    monkeypatch.undo()
    assert (len(noted.health_.problems), noted.health_.n_restarts) == (3, 0)
    assert noted.health_.penalty == 0
    left_alone = fit_published(small)
    for first, second in zip(weights(noted), weights(left_alone), strict=True):
        np.testing.assert_array_equal(first, second)


def test_a_preset_that_diverges_says_so(small):
    with pytest.warns(TrainingHealthWarning, match="not finite .* this end was kept"):
        translator = fit_published(small, learning_rate=1e20)
    assert not translator.health_.healthy


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"betas": 0.5}, r"`betas` must be two numbers >= 0 and < 1 or None; got 0\.5; use \(0\.5"),
        (
            {"betas": (0.5, 1)},
            r"`betas` must be two numbers >= 0 and < 1 or None; got \(0\.5, 1\);",
        ),
        (
            {"schedule": "step"},
            r"`schedule` must be 'cosine' or a sequence of .*; got 'step'; give",
        ),
        ({"schedule": (0.5,)}, r"`schedule` must be 'cosine' or a sequence of integers >= 1; got"),
        ({"error_floor": 0}, r"`error_floor` must be a finite number > 0 or None; got 0; give a"),
        (
            {"cycle_weight": (1, -1)},
            r"`cycle_weight` must be .* or a pair of them, .*; got \(1, -1\)",
        ),
        ({"latent_weight": (1, 1)}, r"`latent_weight` must be a finite number >= 0; got \(1, 1\)"),
        ({"critic_split": "mine"}, r"`critic_split` must be 'lent' or 'reencoded'; got 'mine'"),
        ({"reencode_noise": 1}, r"`reencode_noise` must be True or False; got 1"),
        ({"critics_first": None}, r"`critics_first` must be True or False; got None"),
        ({"undo_bad_epochs": "no"}, r"`undo_bad_epochs` must be True or False; got 'no'"),
    ],
)
def test_wrong_choices_are_one_sentence(mock, changes, message):
    with pytest.raises(ValueError, match=message):
        CycleGANTranslator(**changes).fit(mock.synthetic, mock.observed)


def test_preset_is_for_mocks_or_not():
    with pytest.raises(ValueError, match="`mock` must be True or False; got 'yes'; True takes"):
        CycleGANTranslator.published(mock="yes")
