import copy
import pickle
from types import SimpleNamespace

import pytest

from spectragan.training.progress import EpochProgress


def train(callback, n_epochs=3):
    net = SimpleNamespace(max_epochs=n_epochs, history=[{"train_loss": 0.5}])
    callback.on_train_begin(net)
    for _ in range(n_epochs):
        callback.on_epoch_end(net)
    callback.on_train_end(net)


def test_progress_shows_epochs_and_losses_on_stderr(capsys):
    train(EpochProgress("emulator"))
    output = capsys.readouterr()
    assert "emulator" in output.err
    assert "3/3" in output.err
    assert "train_loss=0.5" in output.err
    assert output.out == ""


def test_progress_is_silent_with_verbose_0(capsys):
    train(EpochProgress(verbose=0))
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize("duplicate", [copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))])
def test_progress_can_be_copied_after_training(duplicate, capsys):
    callback = EpochProgress("again")
    train(callback)
    assert duplicate(callback).description == "again"
