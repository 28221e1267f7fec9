"""A fit that dies and is resumed ends as if it had never died: bit by bit, for every network."""

import subprocess
import sys
import warnings

import numpy as np
import pytest
import torch
from torch import nn

from spectragan import (
    CheckpointError,
    CycleGANTranslator,
    Spectra,
    SpectraganWarning,
    SpectrumEmulator,
    StarNetRegressor,
    stack_domains,
)
from spectragan.datasets import make_mock_domains
from spectragan.training.checkpoints import Checkpoints

GAME = {"warmup_epochs": 2, "steps_per_epoch": 3, "batch_size": 16, "max_epochs": 5}
CONV = {"width": 0.125, "steps_per_epoch": 1}
MAKE = {
    "subspace": lambda **p: CycleGANTranslator(**(GAME | {"hidden": (16,)} | p)),
    "conv": lambda **p: CycleGANTranslator("conv", **(GAME | CONV | p)),
    "conv-published": lambda **p: CycleGANTranslator("conv-published", **(GAME | CONV | p)),
    # Rates fall before and after a checkpoint.
    "published": lambda **p: CycleGANTranslator.published(
        **(CONV | {"max_epochs": 5, "width": 0.05, "schedule": (2, 3, 4)} | p)
    ),
    "own": lambda **p: CycleGANTranslator(OwnNetwork(80), critic=OwnCritic(80), **(GAME | p)),
    "StarNetRegressor": lambda **p: StarNetRegressor(
        **({"n_members": 2, "hidden": (16,), "max_epochs": 5} | p)
    ),
    "SpectrumEmulator": lambda **p: SpectrumEmulator(
        1, **({"n_centers": 30, "hidden": (8,), "max_epochs": 5, "batch_size": 32} | p)
    ),
}
SLOW = ("conv", "conv-published")
kinds = pytest.mark.parametrize(
    "kind", [pytest.param(kind, marks=[pytest.mark.slow] * (kind in SLOW)) for kind in MAKE]
)
three_kinds = pytest.mark.parametrize("kind", ["subspace", "StarNetRegressor", "SpectrumEmulator"])


class OwnNetwork(nn.Module):
    """A network of a user's own: with dropout, and statistics that no optimizer trains."""

    def __init__(self, n_pixels):
        super().__init__()
        self.means = nn.Parameter(torch.ones(2, n_pixels))
        self.dropout = nn.Dropout(0.2)
        self.norm = nn.BatchNorm1d(n_pixels, affine=False)

    def encode(self, x, domain):
        residual = x - self.means[domain]
        self.norm(residual.detach())
        return self.dropout(residual), x[:, :0]

    def decode(self, shared, split, domain):
        return shared + self.means[domain]


class OwnCritic(nn.Module):
    def __init__(self, n_pixels):
        super().__init__()
        self.weights = nn.Parameter(torch.ones(2, n_pixels) / n_pixels)

    def forward(self, x, shared, split, domain):
        return (x * self.weights[domain]).sum(1)


@pytest.fixture(scope="module")
def mock():
    return make_mock_domains(150, 60, n_pixels=80, random_state=0)


@pytest.fixture(scope="module")
def alone(mock):
    """Return estimators of every kind that were fitted without checkpoints."""
    fitted = {}

    def get(kind):
        if kind not in fitted:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", SpectraganWarning)
                fitted[kind] = fit(make(kind), mock)
        return fitted[kind]

    return get


@pytest.fixture(scope="module")
def finished(mock, tmp_path_factory):
    """Return estimators of every kind, and directories that hold their last checkpoints."""
    fitted = {}

    def get(kind):
        if kind not in fitted:
            folder = tmp_path_factory.mktemp(kind)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", SpectraganWarning)
                estimator = fit(make(kind, checkpoint=folder, checkpoint_every=2), mock)
            fitted[kind] = estimator, folder
        return fitted[kind]

    return get


def make(kind, **parameters):
    return MAKE[kind](**({"random_state": 0, "device": "cpu", "verbose": 0} | parameters))


def fit(estimator, mock, **options):
    """Fit an estimator of any kind to `mock`."""
    if isinstance(estimator, CycleGANTranslator):
        return estimator.fit(mock.synthetic, mock.observed, **options)
    if isinstance(estimator, StarNetRegressor):
        return estimator.fit(mock.synthetic, mock.labels_synthetic, **options)
    return estimator.fit(mock.labels_synthetic, mock.synthetic, **options)


def everything(estimator, mock):
    """Return what an estimator makes of `mock`, and all weights that training ended with."""
    if isinstance(estimator, CycleGANTranslator):
        made = [estimator.transform(mock.synthetic).flux, estimator.split_codes_]
        made += list(estimator.encode(mock.observed, 1))
    elif isinstance(estimator, StarNetRegressor):
        made = list(estimator.predict(mock.synthetic, return_std=True))
    else:
        made = [estimator.predict(mock.labels_synthetic)]
    nets = getattr(estimator, "nets_", None) or [estimator.net_]
    modules = [getattr(net, f"{name}_") for net in nets for name in net._modules]
    return made + [v.numpy() for module in modules for v in module.state_dict().values()]


def assert_same(a, b, mock):
    for first, second in zip(everything(a, mock), everything(b, mock), strict=True):
        np.testing.assert_array_equal(first, second)
    history = getattr(a, "history_", {})
    assert history.keys() == getattr(b, "history_", {}).keys()
    for name, values in history.items():
        np.testing.assert_array_equal(values, b.history_[name], err_msg=name)


class Killed(BaseException):
    """What neither skorch nor an estimator catches."""


def die(estimator, mock, after, monkeypatch, **options):
    """Fit until so many checkpoints have been written."""
    save, written = Checkpoints.save, []

    def save_and_die(self, *arguments):
        save(self, *arguments)
        written.append(1)
        if len(written) == after:
            raise Killed

    monkeypatch.setattr(Checkpoints, "save", save_and_die)
    with pytest.raises(Killed):
        fit(estimator, mock, **options)
    monkeypatch.undo()


@pytest.fixture(autouse=True)
def _quiet():
    """Let few epochs on few spectra fit badly."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SpectraganWarning)
        yield


@kinds
def test_resumed_fit_is_bit_identical(kind, mock, alone, tmp_path, monkeypatch):
    for after in (1, 3):  # within the warm-up; later; StarNet's second member
        die(make(kind, checkpoint=tmp_path), mock, after, monkeypatch, resume=True)
    if kind == "StarNetRegressor":
        die(make(kind, checkpoint=tmp_path), mock, 3, monkeypatch, resume=True)
        assert any(path.name.startswith("net2") for path in tmp_path.iterdir())
    resumed = fit(make(kind, checkpoint=str(tmp_path), device="auto"), mock, resume=True)
    assert_same(alone(kind), resumed, mock)


@kinds
def test_checkpoints_change_nothing_and_resuming_a_finished_fit_gives_it_back(
    kind, mock, alone, finished
):
    estimator, folder = finished(kind)
    assert_same(estimator, alone(kind), mock)
    assert_same(estimator, fit(make(kind, checkpoint=folder), mock, resume=True), mock)


@pytest.mark.parametrize("kind", ["subspace", "StarNetRegressor"])
@pytest.mark.parametrize("random_state", [None, np.random.RandomState(3)], ids=["None", "state"])
def test_fit_without_a_seed_resumes_its_own_numbers(
    kind, random_state, mock, tmp_path, monkeypatch
):
    """What was drawn when the fit began is in the checkpoint: nobody has to know it."""
    die(make(kind, random_state=random_state, checkpoint=tmp_path), mock, 2, monkeypatch)
    path = sorted(tmp_path.iterdir())[-1]
    kept = {p.name: p.read_bytes() for p in tmp_path.iterdir()}
    first = fit(make(kind, random_state=random_state, checkpoint=tmp_path), mock, resume=True)
    for other in tmp_path.iterdir():
        other.unlink()
    for name, content in kept.items():
        (tmp_path / name).write_bytes(content)
    assert path.exists()
    second = fit(make(kind, random_state=random_state, checkpoint=tmp_path), mock, resume=True)
    assert_same(first, second, mock)


def test_validation_scores_are_kept(mock, tmp_path, monkeypatch):
    pairs = mock.synthetic_of_observed[:30], mock.observed[:30]
    without = fit(make("subspace"), mock, validation=pairs)
    die(make("subspace", checkpoint=tmp_path), mock, 2, monkeypatch, validation=pairs)
    with pytest.raises(CheckpointError, match="the validation data must be as for"):
        fit(make("subspace", checkpoint=tmp_path), mock, resume=True)
    resumed = fit(make("subspace", checkpoint=tmp_path), mock, validation=pairs, resume=True)
    assert_same(without, resumed, mock)


def test_both_forms_of_fit_resume_each_other(mock, alone, tmp_path, monkeypatch):
    die(make("subspace", checkpoint=tmp_path), mock, 2, monkeypatch)
    both = stack_domains(mock.synthetic, mock.observed)
    resumed = make("subspace", checkpoint=tmp_path).fit(*both, resume=True)
    assert_same(alone("subspace"), resumed, mock)


def test_masked_values_are_no_other_data(mock, tmp_path, monkeypatch):
    flux, ivar = np.array(mock.observed.flux), np.array(mock.observed.ivar)
    ivar[3, 10:20] = 0
    results = []
    for value, resume in ((1.0, False), (1e6, True)):
        flux[3, 10:20] = value
        observed = Spectra(flux.copy(), mock.observed.wavelength, ivar=ivar)
        translator = make("subspace", checkpoint=tmp_path)
        results.append(translator.fit(mock.synthetic, observed, resume=resume))
    assert_same(*results, mock)


@pytest.mark.parametrize(
    ("kind", "changes", "message"),
    [
        ("subspace", {"penalty": 0.1}, r"`penalty` must be as for the checkpoint .*: 0.05; got"),
        ("subspace", {"max_epochs": 9}, r"`max_epochs` must be .*: 5; got 9; go back to that"),
        ("subspace", {"random_state": 1}, r"`random_state` must be .*: 0; got 1"),
        ("subspace", {"hidden": (8, 8)}, r"`hidden` must be .*: \[16\]; got \[8, 8\]"),
        ("StarNetRegressor", {"snr": (1, 2)}, r"`snr` must be"),
        ("SpectrumEmulator", {"hidden": (9,)}, r"`hidden` must be"),
    ],
)
def test_resuming_with_other_parameters_names_them(kind, changes, message, mock, finished):
    folder = finished(kind)[1]
    with pytest.raises(CheckpointError, match=message):
        fit(make(kind, checkpoint=folder, **changes), mock, resume=True)


@three_kinds
def test_resuming_with_other_data_is_refused(kind, finished):
    other = make_mock_domains(149, 60, n_pixels=80, random_state=0)
    with pytest.raises(CheckpointError, match=r"data must be as for .*: 150 x .*; got 149 x"):
        fit(make(kind, checkpoint=finished(kind)[1]), other, resume=True)


def test_estimators_do_not_resume_each_other(mock, finished):
    folder = finished("StarNetRegressor")[1]
    with pytest.raises(CheckpointError, match=r"the estimator must be as .*: StarNetRegressor;"):
        fit(make("SpectrumEmulator", checkpoint=folder), mock, resume=True)


@three_kinds
def test_fit_over_checkpoints_of_another_is_refused(kind, mock, finished):
    """In a grid search all fits would share the directory."""
    folder = finished(kind)[1]
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    with pytest.raises(CheckpointError, match="where a fit starts anew"):
        fit(make(kind, checkpoint=folder), mock)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


@three_kinds
@pytest.mark.parametrize(
    ("changes", "resume", "message"),
    [
        ({"checkpoint": 3}, False, "`checkpoint` must be a directory or None; got 3;"),
        ({"checkpoint": ""}, False, "`checkpoint` must be a directory or None; got '';"),
        ({"checkpoint_every": 0}, False, "`checkpoint_every` must be an integer >= 1; got 0;"),
        ({"checkpoint_every": True}, False, "`checkpoint_every` must be an integer >= 1; got True"),
        ({}, True, "`checkpoint` must be a directory where a fit is resumed; got None;"),
        ({}, "yes", "`resume` must be True or False; got 'yes';"),
    ],
)
def test_wrong_parameters_are_one_sentence(kind, changes, resume, message, mock):
    with pytest.raises(ValueError, match=message):
        fit(make(kind, **changes), mock, resume=resume)


def test_interrupted_fit_is_resumed(mock, alone, tmp_path, monkeypatch):
    """Ctrl-C reaches a training in the middle of an epoch."""
    monkeypatch.setattr(
        "spectragan.translator.game.net.TranslatorNet.critic_step",
        lambda *arguments: (_ for _ in ()).throw(KeyboardInterrupt),
    )
    with pytest.raises(KeyboardInterrupt):
        fit(make("subspace", checkpoint=tmp_path), mock)
    monkeypatch.undo()
    assert len(list(tmp_path.iterdir())) == 2
    resumed = fit(make("subspace", checkpoint=tmp_path), mock, resume=True)
    assert_same(alone("subspace"), resumed, mock)


@three_kinds
def test_checkpoints_leave_global_generators_alone(kind, mock, tmp_path, monkeypatch):
    torch.manual_seed(5)
    before = torch.get_rng_state()
    die(make(kind, checkpoint=tmp_path), mock, 2, monkeypatch)
    assert torch.equal(torch.get_rng_state(), before)
    fit(make(kind, checkpoint=tmp_path), mock, resume=True)
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.slow
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="forks")
@pytest.mark.parametrize("kind", ["subspace", "StarNetRegressor"])
def test_killed_fits_are_resumed(kind, tmp_path, request):
    """The same with ``kill -9``, at random times: what the benchmark does, only shorter."""
    command = [sys.executable, "-m", "benchmarks.kill_and_resume", "--kinds", kind, "--kills", "3"]
    root = request.config.rootpath
    found = subprocess.run(
        command, cwd=root, capture_output=True, text=True, timeout=300, check=False
    )
    assert found.returncode == 0, found.stdout + found.stderr
    assert f"| {kind} |" in found.stdout


def test_emulator_of_few_stars_keeps_nothing_and_says_so(mock, tmp_path):
    """What isn't trained has no state: the processes are worked out again."""
    emulator = make("SpectrumEmulator", n_centers=51, checkpoint=tmp_path)
    assert not list(tmp_path.iterdir())
    first = fit(emulator, mock, resume=True)
    assert not list(tmp_path.iterdir()), "99 of 150 stars beyond 51 centers"
    assert_same(first, fit(emulator, mock, resume=True), mock)
    assert "n_centers + 100" in SpectrumEmulator.__doc__
