from types import SimpleNamespace

import numpy as np
import pytest
import torch

from spectragan.starnet.training import join_histories, predict_ensemble, std_factor


def member(mean, variance):
    """Return a net whose module gives the same mean and variance for every row."""

    def module(flux):
        ones = torch.ones(len(flux), 1, dtype=flux.dtype)
        return mean * ones, float(np.log(variance)) * ones

    return SimpleNamespace(module_=module)


def test_ensemble_is_a_mixture():
    mean, std = predict_ensemble([member(1.0, 0.5), member(3.0, 1.5)], torch.zeros(5, 2).double())
    np.testing.assert_allclose(mean, np.full((5, 1), 2.0))
    np.testing.assert_allclose(std, np.full((5, 1), np.sqrt(1.0 + 1.0)))


def test_one_member_speaks_for_itself():
    mean, std = predict_ensemble([member(1.0, 0.25)], torch.zeros(40, 2).double())
    assert mean.shape == (40, 1)
    np.testing.assert_allclose(std, 0.5)


@pytest.mark.parametrize("scale", [0.5, 1.0, 3.0])
def test_std_factor_restores_coverage(scale):
    errors = scale * np.random.default_rng(0).normal(size=(5000, 2))
    covered = np.abs(errors) < std_factor(np.abs(errors))
    np.testing.assert_allclose(covered.mean(0), 0.6827, atol=0.005)


def test_std_factor_trusts_the_networks_where_rows_are_few():
    assert 1 < std_factor(np.array([[5.0]]))[0] < 2
    assert 0.9 < std_factor(np.array([[0.0]]))[0] < 1


def test_histories_of_members_have_their_numbers():
    class History:
        def __getitem__(self, key):
            return [1.0, 2.0]

    nets = [SimpleNamespace(history=History())] * 2
    names = ["train_loss", "train_loss_2", "valid_loss", "valid_loss_2"]
    assert sorted(join_histories(nets)) == names
