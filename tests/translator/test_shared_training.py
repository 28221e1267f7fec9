"""Two processes share one training: the result is that of one process, in both of them.

The file is also what these processes run.
"""

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch

from spectragan import CycleGANTranslator, TrainingHealthWarning
from spectragan.datasets import make_mock_domains
from spectragan.training.checkpoints import find_checkpoints
from spectragan.training.sharing import Share
from spectragan.translator.game.losses import adversarial_loss
from spectragan.translator.game.net import (
    LOSS_TERMS,
    TERMS,
    TranslatorSettings,
    make_translator_net,
)
from spectragan.translator.networks.conv import ConvCritic, ConvTranslator
from spectragan.translator.networks.subspace import SubspaceCritic, SubspaceTranslator

ROUNDING = 2e-6  # of weights and losses of order one, after some steps in single precision
QUICK = {
    "max_epochs": 2,
    "warmup_epochs": 1,
    "steps_per_epoch": 3,
    "batch_size": 31,  # not a multiple of two
    "hidden": (16,),
    "random_state": 0,
    "verbose": 1,
}
TOO_LONG = 600  # seconds, of some seconds' work
NETWORKS = ("subspace", "conv")
RUNS = {
    "default": {},
    "no split latents": {"n_split": 0},
    "bfloat16": {"precision": "bfloat16"},
    "entropy": {"random_state": None},
    "unhealthy": {"learning_rate": 1e20},
}


class Normed(torch.nn.Module):
    """A network whose rows depend on each other."""

    def __init__(self):
        super().__init__()
        self.norm = torch.nn.BatchNorm1d(60)

    def encode(self, x, domain):
        return self.norm(x), x[:, :0]

    def decode(self, shared, split, domain):
        return shared


REFUSED = {
    "other parameters": lambda rank: {"max_epochs": 2 + rank},
    "other critics": lambda rank: {"penalty": 0.05 * (1 + rank)},
    "batches of one": lambda rank: {"batch_size": 1},
    "batch statistics": lambda rank: {"network": Normed(), "critic": Normed()},
}


def make_mock():
    return make_mock_domains(90, 80, n_pixels=60, random_state=0)


def fit(mock, **parameters):
    resume = parameters.pop("resume", False)
    translator = CycleGANTranslator(**(QUICK | parameters))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", TrainingHealthWarning)
        return translator.fit(mock.synthetic, mock.observed, resume=resume)


def numbers(translator, mock):
    """Return all that a training leaves behind."""
    net = translator.net_
    modules = (net.module_, net.critic_, net.average_)
    values = [p.detach().numpy().ravel() for m in modules for p in m.state_dict().values()]
    return {
        # The critics' last biases cancel in differences of scores: their gradients are rounding.
        "weights": np.concatenate([value for value in values if len(value) > 1]),
        "history": np.array(list(translator.history_.values())),
        "flux": translator.transform(mock.synthetic).flux,
        "problems": np.array(translator.health_.problems),
    }


def gradients(network, share):
    """Return gradients and losses of one step, in double precision: rounding doesn't hide much."""
    torch.manual_seed(1)
    if network == "conv":
        players = ConvTranslator(60, width=0.1), ConvCritic(60, width=0.1)
        metric, pixels = (torch.rand(5, 60) > 0.1).double(), None
    else:
        players = SubspaceTranslator(60, 3, 2, (8,)), SubspaceCritic(60, 3, 2, (8,))
        metric, pixels = torch.rand(5, 60, 60, dtype=torch.float64), torch.rand(7, 60).double()
    for weights in (weights for player in players for weights in player.parameters()):
        torch.nn.init.normal_(weights, std=0.1)
    x, y = torch.randn(2, 5, 60, dtype=torch.float64)
    rows = {"metric": metric, "noise": 0.1 * metric}
    settings = TranslatorSettings(
        weights=dict.fromkeys(LOSS_TERMS, 1.0),
        game=adversarial_loss("rpgan"),
        penalty=0.05,
        identity_scale=0.5,
        warmup_epochs=0,
        max_epochs=1,
        batch_size=5,
        n_batches=1,
        learning_rate=1e-3,
        ema_decay=0.9,
        device=torch.device("cpu"),
        share=share,
        pixel_map=(pixels, torch.zeros((), dtype=torch.float64)),
    )
    net = make_translator_net(*(player.double() for player in players), settings)
    net.history.new_epoch()
    net.history.new_batch()
    net.train_step([{"synthetic": {"x": x, **rows}, "observed": {"x": y, **rows}}])
    grads = [w.grad.numpy().ravel() for w in (*net.module_.parameters(), *net.critic_.parameters())]
    losses = [net.history[-1, "batches", -1, name] for name in TERMS if name != "start"]
    return np.concatenate([*grads, losses])


def train(folder: Path) -> None:
    """Train as one of the processes, and write down what came out."""
    mock, rank = make_mock(), int(os.environ["RANK"])
    kept = {"checkpoint": folder / "kept"}
    half = {"checkpoint": folder / "half", "resume": True}
    for name, parameters in {**RUNS, "kept": kept, "resumed": half}.items():
        translator = fit(mock, device="accelerate", **parameters)
        np.savez(folder / f"{name} {rank}.npz", **numbers(translator, mock))
    for network in NETWORKS:
        np.save(folder / f"{network} {rank}", gradients(network, Share(rank, 2)))
    refusals = {}
    for name, parameters in {**REFUSED, "full": lambda rank: kept}.items():
        try:
            fit(mock, device="accelerate", **parameters(rank))
        except ValueError as error:
            refusals[name] = str(error)
    own = torch.full((2,), float(rank))
    refusals["drift"] = [Share(rank, 2).copy_from_main([own]), own.tolist()]
    (folder / f"refusals {rank}.json").write_text(json.dumps(refusals))


@pytest.fixture(scope="module")
def mock():
    return make_mock()


@pytest.fixture(scope="module")
def folder(tmp_path_factory, mock):
    """Return where two processes have left what they trained, and what they printed."""
    pytest.importorskip("accelerate")
    folder = tmp_path_factory.mktemp("shared")
    fit(mock, checkpoint=folder / "half", verbose=0)
    max((folder / "half").glob("*.safetensors")).unlink()  # as if killed after one epoch
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    place = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "WORLD_SIZE": "2"}
    ranks = [{"RANK": str(rank), "LOCAL_RANK": str(rank)} for rank in range(2)]
    processes = [
        subprocess.Popen(
            [sys.executable, __file__, str(folder)],
            env={**os.environ, **place, **rank, "OMP_NUM_THREADS": "1"},
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in ranks
    ]
    try:
        for rank, process in enumerate(processes):
            printed = process.communicate(timeout=TOO_LONG)[1]
            assert process.returncode == 0, printed
            (folder / f"printed {rank}.txt").write_text(printed)
    finally:
        for process in processes:  # if one has failed, the other waits for it
            process.kill()
            process.communicate()
    yield folder
    shutil.rmtree(folder)


@pytest.mark.parametrize("name", [*RUNS, "kept", "resumed"])
def test_both_processes_end_with_the_same_numbers(folder, name):
    first, second = (np.load(folder / f"{name} {rank}.npz") for rank in range(2))
    for part in first:
        np.testing.assert_array_equal(first[part], second[part])


@pytest.mark.parametrize("name", ["default", "no split latents", "kept", "resumed"])
def test_the_result_is_that_of_one_process(folder, mock, name):
    found = np.load(folder / f"{name} 0.npz")
    expected = numbers(fit(mock, verbose=0, device="cpu", **RUNS.get(name, {})), mock)
    for part in ("weights", "history", "flux"):
        np.testing.assert_allclose(found[part], expected[part], rtol=0, atol=ROUNDING)
    start = numbers(fit(mock, verbose=0, max_epochs=0, **RUNS.get(name, {})), mock)["weights"]
    assert np.abs(expected["weights"] - start).max() > 1000 * ROUNDING, "they have learned"


@pytest.mark.parametrize("network", NETWORKS)
def test_a_step_is_that_of_one_process(folder, network):
    """Every term is: means over unequal shares, moments, noise, penalties, codes of other rows."""
    expected = gradients(network, Share())
    assert len(expected) > 1000
    for rank in range(2):
        found = np.load(folder / f"{network} {rank}.npy")
        np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-12)


def test_a_bad_epoch_is_undone_in_both(folder):
    assert len(np.load(folder / "unhealthy 0.npz")["problems"])


def test_one_process_writes_and_prints(folder):
    assert [epoch for _, epoch, _ in find_checkpoints(folder / "kept")] == [2, 1]
    printed = [(folder / f"printed {rank}.txt").read_text() for rank in range(2)]
    assert "translator: 100%" in printed[0]
    assert "translator:" not in printed[1]


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("other parameters", "`max_epochs` must be the same in all processes .* got 2 .* and 3"),
        ("other critics", "`penalty` must be the same in all processes"),
        ("batches of one", "`batch_size` must be at least the number of processes .* 2; got"),
        ("batch statistics", "networks must treat every row .* got one with BatchNorm1d"),
        ("full", "`checkpoint` must be a directory without checkpoints"),
    ],
)
def test_what_cannot_be_shared_is_refused_in_all_processes(folder, name, sentence):
    for rank in range(2):
        refusals = json.loads((folder / f"refusals {rank}.json").read_text())
        assert re.match(sentence, refusals[name])


def test_weights_that_drift_apart_are_noticed_in_all_processes(folder):
    for rank in range(2):
        refusals = json.loads((folder / f"refusals {rank}.json").read_text())
        assert refusals["drift"] == [False, [0.0, 0.0]]


if __name__ == "__main__":
    train(Path(sys.argv[1]))
