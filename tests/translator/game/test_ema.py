import pytest
import torch
from torch import nn

from spectragan.translator.game.net import averaged_copy, update_average


def linear():
    module = nn.Linear(2, 2)
    nn.init.constant_(module.weight, 1.0)
    return module


def test_average_is_the_closed_form_of_its_decay():
    module = linear()
    average = averaged_copy(module)
    expected = 1.0
    for value in (2.0, 5.0, -3.0):
        nn.init.constant_(module.weight, value)
        update_average(average, module, decay=0.9)
        expected = 0.9 * expected + 0.1 * value
    assert average.weight.detach() == pytest.approx(torch.full((2, 2), expected), rel=1e-6)


def test_average_has_no_gradients_and_shares_no_memory():
    module = linear()
    average = averaged_copy(module)
    nn.init.constant_(module.weight, 7.0)
    assert not any(p.requires_grad for p in average.parameters())
    assert (average.weight == 1.0).all()
    assert all(p.requires_grad for p in module.parameters()), "the original must stay trainable"


def test_update_average_leaves_the_module_alone():
    module = linear()
    before = module.weight.clone()
    update_average(averaged_copy(nn.Linear(2, 2)), module, decay=0.5)
    assert torch.equal(module.weight, before)


def test_average_copies_running_statistics():
    module = nn.BatchNorm1d(2)
    average = averaged_copy(module)
    module(torch.tensor([[10.0, 0.0], [30.0, 4.0]]))
    update_average(average, module, decay=0.999)
    assert torch.equal(average.running_mean, module.running_mean)
    assert average.num_batches_tracked == 1
