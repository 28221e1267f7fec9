"""What must hold for every network, and that no network escapes it."""

import importlib
import pkgutil

import pytest
import torch

import spectragan
from spectragan.emulator.network import EmulatorNetwork, KernelHead
from spectragan.starnet.network import StarNet
from spectragan.translator.networks.conv import (
    AdaptedConvTranslator,
    ConvCritic,
    ConvTranslator,
    PairCritic,
)
from spectragan.translator.networks.conv_layers import (
    ConvGeometry,
    ConvStack,
    LatentEncoder,
    LatentHead,
    PixelHead,
    SubspaceAdapter,
)
from spectragan.translator.networks.pixels import PixelTranslator, SubspacePixels
from spectragan.translator.networks.subspace import ResidualMLP, SubspaceCritic, SubspaceTranslator

N_ROWS, N_PIXELS, WIDTH = 3, 300, 0.125
LATENT = 5  # positions of 300 pixels


def translate(network, x):
    """Run every part of a translator network: all encoders and both generators."""
    shared, nothing = network.encode(x, 0)
    observed_shared, split = network.encode(x, 1)
    return torch.cat(
        [network.decode(observed_shared, nothing, 0), network.decode(shared, split, 1)]
    )


def judge(network, x, shared, split):
    """Run both critics of a critic network."""
    return torch.cat([network(x, shared, split, domain) for domain in (0, 1)])


def randomised(network):
    """Fill everything that a fit would set: zeros would make any output look deterministic."""
    for tensor in network.state_dict().values():
        tensor.normal_()
    return network


def case(make, inputs, output_shape, call=None):
    """Describe a network: how to make it, the shapes it takes, the shape it gives."""
    return {"make": make, "inputs": inputs, "output": output_shape, "call": call}


def subspace_pixels():
    """Return a subspace network with projection and full-pixel heads around it."""
    heads = tuple(torch.randn(n_features, N_PIXELS) for n_features in (10, 12))
    means, components = torch.randn(2, N_PIXELS), torch.randn(20, N_PIXELS)
    network = SubspaceTranslator(20, 3, 2)
    return randomised(SubspacePixels(network, means, components, torch.ones(20), heads))


LABELS = (N_ROWS, 3)
SPECTRA = (N_ROWS, N_PIXELS)
SHARED, SPLIT = (N_ROWS, 25, LATENT), (N_ROWS, 4, LATENT)

# One entry per nn.Module class of the package.
CASES = {
    ResidualMLP: case(lambda: randomised(ResidualMLP(6, 4)), [(N_ROWS, 6)], (N_ROWS, 4)),
    SubspaceTranslator: case(
        lambda: randomised(SubspaceTranslator(20, 3, 2)),
        [(N_ROWS, 20)],
        (2 * N_ROWS, 20),
        translate,
    ),
    PixelTranslator: case(
        lambda: PixelTranslator(ConvTranslator(N_PIXELS, width=WIDTH)),
        [SPECTRA],
        (2 * N_ROWS, N_PIXELS),
        translate,
    ),
    SubspacePixels: case(subspace_pixels, [SPECTRA], (2 * N_ROWS, N_PIXELS), translate),
    SubspaceCritic: case(
        lambda: SubspaceCritic(20, 3, 2),
        [(N_ROWS, 20), (N_ROWS, 3), (N_ROWS, 2)],
        (2 * N_ROWS,),
        judge,
    ),
    KernelHead: case(lambda: randomised(KernelHead(3, 10, 5)), [LABELS], (N_ROWS, 5)),
    EmulatorNetwork: case(
        lambda: randomised(EmulatorNetwork(3, N_PIXELS, 8, n_centers=10, hidden=(20, 20))),
        [LABELS],
        SPECTRA,
    ),
    StarNet: case(
        lambda: StarNet(N_PIXELS, 3, hidden=(20, 10)),
        [SPECTRA],
        (N_ROWS, 6),
        lambda network, x: torch.cat(network(x), dim=1),
    ),
    ConvStack: case(lambda: ConvStack((1, 4, 8), (4, 2)), [(N_ROWS, 1, 31)], (N_ROWS, 8, 1)),
    LatentEncoder: case(lambda: LatentEncoder((2, 8), 4, (2,)), [(N_ROWS, 2, 31)], (N_ROWS, 4, 13)),
    PixelHead: case(lambda: randomised(PixelHead(4, 31)), [(N_ROWS, 4, 31)], (N_ROWS, 1, 31)),
    LatentHead: case(lambda: randomised(LatentHead(4, 31)), [(N_ROWS, 4)], (N_ROWS, 31)),
    SubspaceAdapter: case(
        lambda: randomised(SubspaceAdapter(torch.eye(31)[:4])), [(N_ROWS, 31)], (N_ROWS, 31)
    ),
    ConvTranslator: case(
        lambda: ConvTranslator(N_PIXELS, width=WIDTH), [SPECTRA], (2 * N_ROWS, N_PIXELS), translate
    ),
    AdaptedConvTranslator: case(
        lambda: randomised(AdaptedConvTranslator(N_PIXELS, width=WIDTH)),
        [SPECTRA],
        (2 * N_ROWS, N_PIXELS),
        translate,
    ),
    PairCritic: case(
        lambda: PairCritic(ConvGeometry(N_PIXELS), 25, width=WIDTH), [SPECTRA, SHARED], (N_ROWS,)
    ),
    ConvCritic: case(
        lambda: ConvCritic(N_PIXELS, width=WIDTH), [SPECTRA, SHARED, SPLIT], (2 * N_ROWS,), judge
    ),
}


def network_classes():
    """Return every nn.Module class that a module of the package defines."""
    found = set()
    for info in pkgutil.walk_packages(spectragan.__path__, "spectragan."):
        if ".network" not in info.name:
            continue
        module = importlib.import_module(info.name)
        found |= {
            value
            for value in vars(module).values()
            if isinstance(value, type)
            and issubclass(value, torch.nn.Module)
            and value.__module__ == info.name
        }
    return found


def build(network_class, seed=0):
    """Return a network and its inputs, both the same for the same seed."""
    described = CASES[network_class]
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        network = described["make"]()
        inputs = [torch.randn(shape) for shape in described["inputs"]]
    return network, inputs


def run(network, inputs):
    call = CASES[type(network)]["call"]
    return call(network, *inputs) if call else network(*inputs)


def test_every_network_is_tested():
    untested = network_classes() - CASES.keys()
    assert not untested, f"add to CASES: {sorted(found.__name__ for found in untested)}"


every_network = pytest.mark.parametrize("network_class", CASES, ids=lambda c: c.__name__)


@every_network
def test_network_gives_the_documented_shape(network_class):
    assert run(*build(network_class)).shape == CASES[network_class]["output"]


@every_network
def test_network_has_finite_gradients_for_every_parameter_and_input(network_class):
    network, inputs = build(network_class)
    for tensor in inputs:
        tensor.requires_grad_()
    run(network, inputs).square().sum().backward()
    for name, tensor in (*network.named_parameters(), *enumerate(inputs)):
        assert tensor.grad is not None, f"{name} is not used"
        assert torch.isfinite(tensor.grad).all(), f"the gradient of {name} is not finite"


@every_network
def test_network_state_survives_a_round_trip(network_class):
    network, inputs = build(network_class)
    other, _ = build(network_class, seed=1)
    other.load_state_dict(network.state_dict())
    with torch.no_grad():
        assert torch.equal(run(other, inputs), run(network, inputs))


@every_network
def test_network_is_deterministic(network_class):
    with torch.no_grad():
        first, second, again = (run(*build(network_class, seed)) for seed in (0, 0, 1))
    assert torch.equal(first, second)
    assert not torch.equal(first, again)
