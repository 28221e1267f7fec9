import numpy as np
import pytest
import torch

from spectragan.training.devices import seeded


def global_numpy_state():
    return np.random.mtrand._rand.get_state()[1].copy()


@pytest.mark.parametrize("random_state", [None, 3, np.random.RandomState(3)])
def test_seeded_leaves_the_global_generators_alone(random_state):
    torch_before, numpy_before = torch.get_rng_state(), global_numpy_state()
    with seeded(random_state) as rng:
        torch.rand(5)
        rng.rand(5)
    assert torch.equal(torch.get_rng_state(), torch_before)
    np.testing.assert_array_equal(global_numpy_state(), numpy_before)


def test_seeded_repeats_torch_and_numpy_draws():
    draws = []
    for seed in (7, 7, 8):
        with seeded(seed) as rng:
            draws.append((torch.rand(3), rng.rand(3)))
    assert torch.equal(draws[0][0], draws[1][0])
    np.testing.assert_array_equal(draws[0][1], draws[1][1])
    assert not torch.equal(draws[0][0], draws[2][0])


def test_seeded_restores_the_generator_after_an_error():
    def fail():
        with seeded(0):
            torch.rand(1)
            raise KeyError

    before = torch.get_rng_state()
    with pytest.raises(KeyError):
        fail()
    assert torch.equal(torch.get_rng_state(), before)


def test_seeded_advances_a_random_state_instance():
    rng = np.random.RandomState(0)
    with seeded(rng):
        first = torch.rand(1)
    with seeded(rng):
        assert not torch.equal(torch.rand(1), first)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_seeded_restores_the_generator_of_the_gpu():
    before = torch.cuda.get_rng_state()
    with seeded(0, "cuda"):
        torch.rand(1, device="cuda")
    assert torch.equal(torch.cuda.get_rng_state(), before)
