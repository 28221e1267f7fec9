"""Losses: what they equal, what they ignore, and what they say when misused."""

import math

import pytest
import torch

from spectragan.translator.game.losses import (
    adversarial_loss,
    adversarial_names,
    gradient_penalty,
    huber_distance,
    weighted_distance,
)

RHO = {
    weighted_distance: lambda r: r**2,
    huber_distance: lambda r: 2 * 9 * (math.sqrt(1 + r**2 / 9) - 1),
}


@pytest.fixture
def spectra():
    generator = torch.Generator().manual_seed(0)
    prediction, target = torch.randn(2, 5, 7, generator=generator)
    ivar = torch.rand(5, 7, generator=generator) + 0.1
    ivar[0, :3] = 0
    ivar[3] = 0
    return prediction, target, ivar


@pytest.mark.parametrize("distance_loss", RHO)
def test_distance_equals_its_equation_written_as_loops(distance_loss, spectra):
    prediction, target, ivar = spectra
    rows = []
    for i in (0, 1, 2, 4):
        good = [j for j in range(7) if ivar[i, j] > 0]
        terms = [
            RHO[distance_loss](float(ivar[i, j].sqrt() * (prediction[i, j] - target[i, j])))
            for j in good
        ]
        rows.append(sum(terms) / len(good))
    expected = sum(rows) / len(rows)
    assert float(distance_loss(prediction, target, ivar)) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("garbage", [1e30, float("inf"), float("nan")])
@pytest.mark.parametrize("distance_loss", RHO)
def test_distance_and_gradient_do_not_see_masked_values(distance_loss, garbage, spectra):
    prediction, target, ivar = spectra
    results = []
    for value in (0.0, garbage):
        filled_prediction = torch.where(ivar > 0, prediction, value).requires_grad_()
        filled_target = torch.where(ivar > 0, target, -value)
        distance = distance_loss(filled_prediction, filled_target, ivar)
        distance.backward()
        results.append((distance.detach(), filled_prediction.grad))
    assert torch.equal(results[0][0], results[1][0])
    assert torch.equal(results[0][1], results[1][1])
    assert torch.count_nonzero(results[1][1][ivar == 0]) == 0


@pytest.mark.parametrize("distance_loss", RHO)
def test_distance_of_only_masked_rows_is_zero_with_zero_gradient(distance_loss):
    prediction = torch.ones(2, 3, requires_grad=True)
    distance = distance_loss(prediction, torch.zeros(2, 3), torch.zeros(2, 3))
    distance.backward()
    assert float(distance.detach()) == 0
    assert torch.equal(prediction.grad, torch.zeros(2, 3))


def test_distance_of_equal_spectra_has_finite_gradient():
    for distance in (weighted_distance, huber_distance):
        prediction = torch.ones(2, 3, requires_grad=True)
        distance(prediction, torch.ones(2, 3), torch.ones(2, 3)).backward()
        assert torch.equal(prediction.grad, torch.zeros(2, 3))


def test_distance_counts_rows_equally_whatever_their_masks():
    ivar = torch.tensor([[1.0, 0.0, 0.0, 0.0], [1.0, 1.0, 1.0, 1.0]])
    prediction = torch.tensor([[2.0] * 4, [0.0] * 4])
    assert float(weighted_distance(prediction, torch.zeros(2, 4), ivar)) == 2.0


def test_distance_of_unit_noise_is_one_so_that_the_weights_mean_reduced_chi_square():
    generator = torch.Generator().manual_seed(1)
    ivar = torch.rand(200, 300, generator=generator) * 1e4 + 1.0
    noise = torch.randn(200, 300, generator=generator) / ivar.sqrt()
    assert float(weighted_distance(noise, torch.zeros(()), ivar)) == pytest.approx(1.0, abs=0.02)


def test_huber_grows_linearly_for_outliers_and_like_the_square_near_zero():
    one = torch.ones(1, 1)
    small, large = 0.01 * one, 1e4 * one
    assert float(huber_distance(small, 0 * one, one)) == pytest.approx(1e-4, rel=1e-2)
    assert float(huber_distance(large, 0 * one, one, threshold=2.0)) == pytest.approx(4e4, rel=1e-3)


@pytest.mark.parametrize("name", adversarial_names())
def test_adversarial_losses_push_the_scores_apart_and_together(name):
    game = adversarial_loss(name)
    real, fake = torch.zeros(2, 4).requires_grad_().unbind()
    by_real, by_fake = torch.autograd.grad(game.critic(real, fake), (real, fake))
    assert (by_real < 0).all(), "the critic must want higher scores for real spectra"
    # least squares pulls fakes towards 0, where they are here
    assert (by_fake > 0).all() or name == "lsgan"
    (wanted,) = torch.autograd.grad(game.translator(real, fake), fake)
    assert (wanted < 0).all(), "the translator must want higher scores for translated spectra"


@pytest.mark.parametrize("name", adversarial_names())
def test_adversarial_translator_gradient_does_not_vanish_when_the_critic_wins(name):
    real = torch.full((4,), 15.0)
    fake = torch.full((4,), -15.0, requires_grad=True)
    (wanted,) = torch.autograd.grad(adversarial_loss(name).translator(real, fake), fake)
    assert (wanted.abs() > 0.2).all()


def test_bce_equals_the_cross_entropy_of_a_sigmoid_with_real_labelled_one():
    real, fake = torch.tensor([0.3, -1.0]), torch.tensor([2.0, -0.4])
    game = adversarial_loss("bce")
    ones, zeros = torch.ones(2), torch.zeros(2)
    entropy = torch.nn.functional.binary_cross_entropy
    expected = entropy(real.sigmoid(), ones) + entropy(fake.sigmoid(), zeros)
    assert torch.allclose(game.critic(real, fake), expected)
    assert torch.allclose(game.translator(real, fake), entropy(fake.sigmoid(), ones))


def test_bce_stays_finite_for_extreme_scores():
    game = adversarial_loss("bce")
    real, fake = torch.tensor([-1e4]), torch.tensor([1e4])
    assert torch.isfinite(game.critic(real, fake))


def test_rpgan_sees_only_the_difference_of_paired_scores():
    real, fake = torch.tensor([1.0, 2.0]), torch.tensor([0.0, 5.0])
    game = adversarial_loss("rpgan")
    assert torch.allclose(game.critic(real, fake), game.critic(real + 7.0, fake + 7.0))
    expected = (math.log1p(math.exp(-1.0)) + math.log1p(math.exp(3.0))) / 2
    assert float(game.critic(real, fake)) == pytest.approx(expected, rel=1e-5)
    assert torch.allclose(game.translator(real, fake), game.critic(fake, real))


def test_only_a_relativistic_game_depends_on_real_scores_for_the_translator():
    for name in adversarial_names():
        game = adversarial_loss(name)
        at_zero = game.translator(torch.zeros(3), torch.ones(3))
        at_two = game.translator(torch.full((3,), 2.0), torch.ones(3))
        assert bool(at_zero != at_two) == game.relativistic


def test_rpgan_refuses_unpaired_scores():
    with pytest.raises(ValueError, match=r"equal shapes .*; got \(2,\) and \(3,\); score equally"):
        adversarial_loss("rpgan").critic(torch.zeros(2), torch.zeros(3))


@pytest.mark.parametrize(
    ("finder", "name", "message"),
    [
        (adversarial_loss, "hing", r"`adversarial` must be one of .*; did you mean 'hinge'\?$"),
        (adversarial_loss, "RPGAN", r"did you mean 'rpgan'\?$"),
        (adversarial_loss, "wasserstein", r"got 'wasserstein'; take one of these names\.$"),
        (adversarial_loss, None, r"got None"),
        (adversarial_loss, ["hinge"], r"`adversarial` must be one of"),
    ],
)
def test_unknown_name_is_answered_with_one_sentence(finder, name, message):
    with pytest.raises(ValueError, match=message):
        finder(name)


def test_gradient_penalty_of_a_linear_critic_is_its_squared_norm_over_all_inputs():
    weight, latent_weight = torch.tensor([1.0, -2.0, 2.0]), torch.tensor([0.5])
    x = torch.randn(6, 3, requires_grad=True)
    latent = torch.randn(6, 1, requires_grad=True)
    scores = x @ weight + latent @ latent_weight
    assert float(gradient_penalty(scores, x, latent).detach()) == pytest.approx(9.25)


def test_gradient_penalty_is_a_mean_over_rows_and_trains_the_critic():
    critic = torch.nn.Sequential(torch.nn.Linear(3, 8), torch.nn.Tanh(), torch.nn.Linear(8, 1))
    x = torch.randn(4, 3, requires_grad=True)
    penalty = gradient_penalty(critic(x).squeeze(1), x)
    rows = [gradient_penalty(critic(x[i : i + 1]).squeeze(1), x) for i in range(4)]
    assert torch.allclose(penalty, sum(rows) / 4)
    penalty.backward()
    assert critic[0].weight.grad.abs().sum() > 0


def test_gradient_penalty_takes_empty_and_unused_inputs():
    x = torch.ones(2, 3, requires_grad=True)
    split = torch.empty(2, 0, requires_grad=True)
    unused = torch.ones(2, 2, requires_grad=True)
    assert float(gradient_penalty(x.sum(1), x, split, unused).detach()) == 3.0


def test_gradient_penalty_names_the_input_that_carries_no_gradient():
    x = torch.ones(2, 3, requires_grad=True)
    with pytest.raises(ValueError, match=r"got input 1 that does not; call `requires_grad_\(\)`"):
        gradient_penalty(x.sum(1), x, torch.ones(2, 1))
    with pytest.raises(ValueError, match="at least one tensor"):
        gradient_penalty(x.sum(1))
