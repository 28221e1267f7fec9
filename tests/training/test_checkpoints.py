import os
from dataclasses import replace

import pytest
import torch
from skorch.helper import predefined_split

from spectragan import CheckpointError, CheckpointWarning
from spectragan.files import layout as atomic_file
from spectragan.starnet.training import Augmentation, StarNetSettings, make_starnet_net
from spectragan.training import checkpoints as module
from spectragan.training.checkpoints import (
    NOT_KEPT,
    Checkpoints,
    agree,
    checkpoint_path,
    find_checkpoints,
    first_rows,
    open_checkpoints,
    read_about,
    read_state,
    write_checkpoint,
)
from spectragan.training.devices import seeded
from spectragan.training.rows import TensorRows

SETTINGS = StarNetSettings(
    (4,), (8,), Augmentation(0.0, None, 0.1), 6, 32, 5e-3, torch.device("cpu")
)
FRESH = Checkpoints((1, 2), identity={"`width`": 1.0})


def rows(n_rows=64, n_pixels=16, seed=0):
    flux = torch.randn(n_rows, n_pixels, generator=torch.Generator().manual_seed(seed))
    inputs = {
        "flux": flux,
        "good": torch.ones(n_rows, n_pixels, dtype=torch.bool),
        "sigma": torch.full((n_rows, n_pixels), 0.1),
        "exact": torch.zeros(n_rows, 1, dtype=torch.bool),
    }
    return TensorRows(inputs, flux[:, :2])


def train(checkpoints, *, data=None, hidden=(8,), max_epochs=6):
    """Train a net and return its weights."""
    with seeded(checkpoints.seeds):
        net = make_starnet_net(16, 2, replace(SETTINGS, hidden=hidden, max_epochs=max_epochs))
        net.train_split = predefined_split(rows(seed=2))
        checkpoints.train(net, data or rows())
    return [p.detach().clone() for p in net.module_.parameters()], net


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def start(folder, **changes):
    return open_checkpoints(folder, replace(FRESH, **changes), resume=False)


def resume(folder, **changes):
    return open_checkpoints(folder, replace(FRESH, **changes), resume=True)


@pytest.fixture
def kept(tmp_path):
    """Return a directory with two checkpoints, the weights they lead to, and drops the last."""
    weights, _ = train(start(tmp_path))
    return tmp_path, weights


def test_last_two_are_kept_and_training_is_as_without(kept):
    folder, weights = kept
    assert names(folder) == ["net1-epoch00005.safetensors", "net1-epoch00006.safetensors"]
    alone, _ = train(replace(NOT_KEPT, seeds=(1, 2)))
    assert all(map(torch.equal, weights, alone))


def test_net_does_not_remember_its_directory(tmp_path):
    _, net = train(start(tmp_path))
    assert "checkpoints" not in dict(net.callbacks_)


def test_every_says_how_often_and_the_last_epoch_is_kept_in_any_case(tmp_path):
    train(start(tmp_path, every=4))
    assert names(tmp_path) == ["net1-epoch00004.safetensors", "net1-epoch00006.safetensors"]


def test_resumed_training_takes_its_seeds_from_the_checkpoint(kept):
    folder, weights = kept
    checkpoint_path(folder, 1, 6).unlink()
    again = resume(folder, seeds=(7, 8))
    assert again.seeds == (1, 2)
    assert all(map(torch.equal, train(again)[0], weights))


def test_resuming_what_is_complete_changes_nothing(kept):
    folder, weights = kept
    found, net = train(resume(folder))
    assert len(net.history) == 6
    assert all(map(torch.equal, found, weights))


def test_resume_without_checkpoints_starts_anew(tmp_path):
    again = resume(tmp_path / "new" / "folder")
    assert (again.seeds, again.saved) == ((1, 2), {})
    assert (tmp_path / "new" / "folder").is_dir()


def test_starting_anew_over_checkpoints_is_refused(kept):
    folder, _ = kept
    before = names(folder)
    with pytest.raises(CheckpointError, match=r"got '.*' with 2, the newest of epoch 6; fit with"):
        start(folder)
    assert names(folder) == before


@pytest.mark.parametrize("damage", [lambda b: b[:-1], lambda b: b[:40], lambda b: b""])
def test_damaged_checkpoint_is_named_and_the_one_before_it_used(kept, damage):
    folder, weights = kept
    last = checkpoint_path(folder, 1, 6)
    last.write_bytes(damage(last.read_bytes()))
    with pytest.warns(CheckpointWarning, match=r"epoch00006.*can't be read") as caught:
        again = resume(folder)
    assert len(caught) == 1
    assert again.saved[1] == checkpoint_path(folder, 1, 5)
    assert all(map(torch.equal, train(again)[0], weights))
    assert read_about(last)["seeds"] == [1, 2], "replaced by a good one"


def test_nothing_readable_is_an_error_and_nothing_is_lost(kept):
    folder, _ = kept
    for path in folder.iterdir():
        path.write_bytes(b"x")
    with (
        pytest.warns(CheckpointWarning),
        pytest.raises(CheckpointError, match=r"with 2 that can't; delete them to start anew"),
    ):
        resume(folder)
    assert len(names(folder)) == 2


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"identity": {"`width`": 2.0}}, r"`width` must be as for the checkpoint '.*': 1.0; got 2"),
        ({"identity": {"the labels data": "x"}}, None),  # an older version had no such word
    ],
)
def test_other_parameters_are_refused_by_name(kept, changes, message):
    folder, _ = kept
    if message is None:
        assert resume(folder, **changes).saved
        return
    with pytest.raises(CheckpointError, match=message):
        resume(folder, **changes)


def test_newer_version_is_refused(kept, monkeypatch):
    folder, _ = kept
    monkeypatch.setattr(module, "VERSION", 0)
    with pytest.raises(CheckpointError, match="must be of version 0; got version 1; resume with"):
        resume(folder)


def test_other_networks_are_refused(kept):
    folder, _ = kept
    with pytest.raises(CheckpointError, match="networks must be those of the checkpoints"):
        train(resume(folder), hidden=(9,))


def test_other_training_rows_are_refused(kept):
    """The data are checked by estimators; what was worked out from them may still differ."""
    folder, _ = kept
    with pytest.raises(CheckpointError, match="what training starts from must be the same"):
        train(resume(folder), data=rows(seed=1))


def test_rounding_of_another_machine_is_allowed():
    first = first_rows(rows())
    assert agree(first, [tensor * (1 + 1e-6) for tensor in first])
    assert not agree(first, [-tensor for tensor in first]), "components may come out mirrored"
    assert not agree(first, first[:-1])


def test_full_disk_warns_keeps_what_is_there_and_training_goes_on(tmp_path, monkeypatch):
    checkpoints = start(tmp_path)
    weights, _ = train(replace(NOT_KEPT, seeds=(1, 2)))
    synced = []

    def fsync(descriptor):
        synced.append(descriptor)
        if len(synced) > 4:  # two checkpoints, each with its directory
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(atomic_file.os, "fsync", fsync)
    with pytest.warns(CheckpointWarning, match="No space left.*training goes on") as caught:
        found, _ = train(checkpoints)
    assert len(caught) == 4
    assert "the checkpoint of epoch 3 can't be written" in str(caught[0].message)
    assert all(map(torch.equal, found, weights))
    assert names(tmp_path) == ["net1-epoch00001.safetensors", "net1-epoch00002.safetensors"]
    monkeypatch.undo()
    assert all(map(torch.equal, train(resume(tmp_path))[0], weights))


def test_directory_that_is_a_file_is_refused(tmp_path):
    (tmp_path / "file").write_text("mine")
    for path in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(CheckpointError, match=r"must be a directory that can be written to"):
            start(path)
    assert (tmp_path / "file").read_text() == "mine"


def test_read_only_directory_is_refused_before_anything_is_computed(tmp_path, monkeypatch):
    def refuse(*arguments, **options):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(atomic_file, "open", refuse, raising=False)  # root may write anywhere
    with pytest.raises(CheckpointError, match=r"\(Permission denied\); give another one"):
        start(tmp_path)


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write")
def test_directory_without_permission_is_refused(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(CheckpointError, match="Permission denied"):
        start(tmp_path)
    tmp_path.chmod(0o700)


def test_what_a_kill_left_is_tidied_up_and_other_files_stay(tmp_path, monkeypatch):
    monkeypatch.setattr(atomic_file.os, "replace", lambda *names: os._exit(9))
    if os.fork() == 0:
        write_checkpoint(checkpoint_path(tmp_path, 1, 1), {}, {})  # dies before it has its name
    os.wait()
    (tmp_path / "notes.txt").write_text("mine")
    assert len(names(tmp_path)) == 2
    monkeypatch.undo()
    assert resume(tmp_path).saved == {}
    assert names(tmp_path) == ["notes.txt"]


def test_interrupt_leaves_a_usable_checkpoint(kept, tmp_path_factory, monkeypatch):
    _, weights = kept
    folder = tmp_path_factory.mktemp("interrupted")
    save = Checkpoints.save

    def interrupt(self, net, number, probe):
        if len(net.history) == 4:
            raise KeyboardInterrupt
        save(self, net, number, probe)

    monkeypatch.setattr(Checkpoints, "save", interrupt)
    _, net = train(start(folder))
    assert len(net.history) == 4
    monkeypatch.undo()
    assert find_checkpoints(folder)[0][:2] == (1, 3)
    assert all(map(torch.equal, train(resume(folder))[0], weights))


def test_checkpoint_holds_one_epoch_each_and_no_batches(kept):
    folder, _ = kept
    history = read_state(checkpoint_path(folder, 1, 6))["snapshot"]["history"]
    assert [epoch["epoch"] for epoch in history] == [1, 2, 3, 4, 5, 6]
    assert all(epoch["batches"] == [] for epoch in history)
