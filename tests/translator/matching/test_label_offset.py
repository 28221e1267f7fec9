"""Where the observed stars lie along the labels: chance, measurement, and a real difference."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from spectragan.datasets import make_mock_domains
from spectragan.translator.domain_data import memory_data
from spectragan.translator.matching.mismatch import match_domains
from spectragan.translator.matching.offset import (
    Offset,
    likely_offset,
    settle_offset,
    with_game,
)
from spectragan.translator.networks.subspace import SubspaceTranslator
from spectragan.translator.representation import SubspaceRepresentation
from spectragan.translator.subspace import fit_subspace

N = 1000


@pytest.fixture(scope="module")
def latents():
    rng = np.random.default_rng(0)
    return [rng.normal(size=(N, 2)) @ np.array([[1.0, 0.8], [0.0, 0.6]]) for _ in range(2)]


def expected(latents, game, measured):
    return likely_offset(latents, with_game(latents, game, measured))


def network(n_components, n_shared=2):
    """Return a network whose every part, bend and slope, does something."""
    torch.manual_seed(0)
    made = SubspaceTranslator(n_components, n_shared=n_shared, n_split=1)
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.copy_(0.3 * torch.randn(parameter.shape))
    return made.double()


def test_moved_latents_reconstruct_as_before():
    before, after = network(5), network(5)
    shift, x = torch.tensor([0.3, -0.2], dtype=torch.float64), torch.randn(20, 5).double()
    after.move_observed(shift)
    torch.testing.assert_close(after.encode(x, 1)[0], before.encode(x, 1)[0] - shift)
    torch.testing.assert_close(
        after.decode(*after.encode(x, 1), 1), before.decode(*before.encode(x, 1), 1)
    )
    shared, split = before.encode(x, 0)
    torch.testing.assert_close(after.encode(x, 0)[0], shared)
    torch.testing.assert_close(after.decode(shared, split, 0), before.decode(shared, split, 0))


def test_a_measurement_as_good_as_the_game_and_chance_counts_a_third(latents):
    chance = sum(np.cov(z.T) / N for z in latents)
    offset = np.array([0.03, -0.02])
    found = expected(latents, np.zeros(2), Offset(offset, chance)).mean
    np.testing.assert_allclose(found, offset / 3, rtol=0.03)


def test_what_is_measured_exactly_is_believed(latents):
    offset, game = np.array([0.03, 0.01]), np.array([0.05, 0.05])
    found = expected(latents, game, Offset(offset, 1e-9 * np.eye(2))).mean
    np.testing.assert_allclose(found, offset, atol=2e-5)


def test_where_nothing_is_known_the_game_counts_half(latents):
    game = np.array([0.03, 0.01])
    found = expected(latents, game, Offset(np.array([0.5, -0.5]), 1e6 * np.eye(2))).mean
    np.testing.assert_allclose(found, game / 2, rtol=0.03)


@pytest.mark.parametrize("error", [0.002, 1e6])
def test_a_real_difference_is_not_taken_for_chance(latents, error):
    game = np.array([0.5, 0.4])
    found = expected(latents, game, Offset(game, error * np.eye(2))).mean
    np.testing.assert_allclose(found, game, rtol=0.02)


def test_no_jump_from_chance_to_a_real_difference(latents):
    sizes = np.linspace(0.0, 0.5, 101)
    offsets = [np.array([size, 0.0]) for size in sizes]
    found = [expected(latents, o, Offset(o, 0.01 * np.eye(2))).mean[0] for o in offsets]
    steps = np.diff(found)
    assert (steps > 0).all()
    assert steps.max() < 4 * np.diff(sizes)[0]


def test_latents_that_are_all_alike_stay_finite():
    flat = [np.zeros((N, 2)), np.zeros((N, 2))]
    found = expected(flat, np.zeros(2), Offset(np.zeros(2), np.zeros((2, 2))))
    assert np.isfinite(found.mean).all()
    assert np.isfinite(found.covariance).all()


@pytest.fixture(scope="module")
def placed():
    pair = make_mock_domains(300, 300, n_pixels=600, random_state=0)
    domains = memory_data(pair.synthetic), memory_data(pair.observed)
    subspace = fit_subspace(
        tuple(d.flux for d in domains),
        tuple(d.weights for d in domains),
        known=tuple(d.known for d in domains),
        n_components=6,
        rng=np.random.RandomState(0),
    )
    return SubspaceRepresentation(subspace), domains, match_domains(domains, match="auto")


def mean_offset(made, representation, domains):
    means = []
    for d, data in enumerate(domains):
        x = representation.subspace.project(data.flux, data.weights, d)[0] / representation.scale
        means.append(made.encode(torch.as_tensor(x), d)[0].mean(0).detach().numpy())
    return means[1] - means[0]


def with_offset(offset, n_shared, representation, domains):
    """Return a network with this difference of mean latents, in their standard deviations."""
    made = network(6, n_shared)
    x = representation.subspace.project(domains[0].flux, domains[0].weights, 0)[0]
    shared = made.encode(torch.as_tensor(x / representation.scale), 0)[0]
    wanted = offset * shared.std(0).detach()
    made.move_observed(torch.as_tensor(mean_offset(made, representation, domains)) - wanted)
    return made


@pytest.mark.parametrize("n_shared", [1, 2])
def test_the_offset_of_the_game_is_replaced(placed, n_shared):
    offsets = []
    for offset in (0.0, 0.1):
        made = with_offset(offset, n_shared, *placed[:2])
        settled, _ = settle_offset(made, *placed)
        offsets.append([mean_offset(net, *placed[:2]) for net in (made, settled)])
    trained, settled = np.subtract(offsets[1], offsets[0])
    assert np.linalg.norm(settled) < 0.5 * np.linalg.norm(trained)


def test_latents_that_only_the_network_has_are_left_alone(placed):
    made = with_offset(0.1, 5, *placed[:2])
    lacking = placed[2].placed.latents[0].shape[1]
    assert lacking < 5
    moved = mean_offset(settle_offset(made, *placed)[0], *placed[:2]) - mean_offset(
        made, *placed[:2]
    )
    assert np.isfinite(moved).all()
    assert np.abs(moved).max() > 0


def test_where_labels_differ_and_were_not_matched_nothing_moves(placed):
    representation, domains, found = placed
    other = replace(found, mismatch=replace(found.mismatch, p_value=1e-3))
    made = network(6)
    before = mean_offset(made, representation, domains)
    after = mean_offset(settle_offset(made, representation, domains, other)[0], *placed[:2])
    np.testing.assert_allclose(after, before, rtol=1e-9)


def test_matched_rows_are_settled_among_themselves(placed):
    representation, domains, found = placed
    latent = found.placed.latents[1][:, 0]
    rows = np.arange(300), np.flatnonzero(latent > np.median(latent))
    mismatch = replace(found.mismatch, p_value=1e-3, matched=True)
    known = found.placed.pairs
    pairs = replace(known, covariance=1e-8 * np.eye(known.shift.size))
    some = replace(found, mismatch=mismatch, rows=rows, placed=replace(found.placed, pairs=pairs))
    used = domains[0], domains[1].take(rows[1])
    made = with_offset(0.1, 2, representation, used)
    settled = mean_offset(settle_offset(made, representation, used, some)[0], representation, used)
    whole = mean_offset(settle_offset(made, *placed)[0], *placed[:2])
    assert np.linalg.norm(settled - whole) > 0.3  # half of the stars lie elsewhere than all


def test_the_error_left_is_below_chance_and_grows_with_that_of_the_measurement(latents):
    chance = sum(np.cov(z.T) / N for z in latents)
    zero, left = np.zeros(2), []
    for error in (1e-6, 0.002, 1.0):
        offset = expected(latents, zero, Offset(zero, error * np.eye(2)))
        left.append(np.diag(offset.covariance))
    assert (left[0] < 1e-5).all()
    assert (left[0] < left[1]).all()
    assert (left[1] < left[2]).all()
    assert (left[2] < 0.7 * np.diag(chance)).all(), "game and chance count as much each"


def test_where_nothing_was_found_chance_is_left(placed):
    representation, domains, found = placed
    made = network(6)
    chance = settle_offset(made, representation, domains, None)[1]
    assert (np.diag(chance) > np.diag(settle_offset(made, *placed)[1])).all()
    other = replace(found, mismatch=replace(found.mismatch, p_value=1e-3))
    alone = settle_offset(made, representation, domains, other)[1]
    assert (np.diag(alone) > np.diag(settle_offset(made, *placed)[1])).all()
