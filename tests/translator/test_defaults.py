import pytest

from spectragan import CycleGANTranslator
from spectragan.translator.parameters import DEFAULTS, OTHERWISE, with_defaults


def parameters(**given):
    return CycleGANTranslator(**given).get_params(deep=False)


@pytest.mark.parametrize("network", ["subspace", "conv", "conv-published", object()])
def test_every_default_that_depends_on_the_network_is_filled_in(network):
    found = with_defaults(parameters(network=network))
    assert all(found[name] is not None for name in OTHERWISE)
    assert found["n_shared"] is None, "None has a meaning of its own there"


def test_what_the_user_gave_stays():
    found = with_defaults(parameters(network="conv", batch_size=7, warmup_epochs=0))
    assert (found["batch_size"], found["warmup_epochs"]) == (7, 0)
    assert found["width"] == DEFAULTS["conv"]["width"]


def test_parameters_of_the_estimator_are_left_alone():
    given = parameters(network="conv")
    with_defaults(given)
    assert given["batch_size"] is None


def test_networks_have_defaults_for_the_same_parameters():
    assert all(set(values) == set(OTHERWISE) for values in DEFAULTS.values())


@pytest.mark.parametrize("network", ["subspace", "conv", "conv-published"])
@pytest.mark.parametrize("given", [{}, {"max_epochs": 5}, {"max_epochs": 2}])
def test_critics_play_three_quarters_of_any_training(network, given):
    found = with_defaults(parameters(network=network, **given))
    assert found["warmup_epochs"] == found["max_epochs"] // 4 < found["max_epochs"]
