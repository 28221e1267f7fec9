import copy
import io
import pickle
import re
import time
from types import SimpleNamespace

import pytest

from spectragan.spectra.summary import progress_bar
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


def test_a_column_without_a_value_yet_is_not_shown(capsys):
    callback = EpochProgress("translator", columns=("cycle", "critic"))
    net = SimpleNamespace(max_epochs=1, history=[{"cycle": 0.25, "critic": float("nan")}])
    callback.on_train_begin(net)
    callback.on_epoch_end(net)
    callback.on_train_end(net)
    output = capsys.readouterr().err
    assert "cycle=0.25" in output
    assert "nan" not in output
    assert "critic" not in output


class Terminal(io.StringIO):
    def isatty(self):
        return True


def lines_of_a_bar(monkeypatch, stream, n_steps=60):
    monkeypatch.setattr("sys.stderr", stream)
    for _ in progress_bar(range(n_steps), description="stars", unit="star"):
        time.sleep(0.004)
    return [line for line in re.split("[\r\n]", stream.getvalue()) if line.strip()]


def test_a_bar_in_a_log_file_is_a_start_and_an_end(monkeypatch):
    in_file = lines_of_a_bar(monkeypatch, io.StringIO())
    assert len(in_file) == 2
    assert "60/60" in in_file[-1]
    assert len(lines_of_a_bar(monkeypatch, Terminal())) > 2


def test_progress_is_silent_with_verbose_0(capsys):
    train(EpochProgress(verbose=0))
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize("duplicate", [copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))])
def test_progress_can_be_copied_after_training(duplicate, capsys):
    callback = EpochProgress("again")
    train(callback)
    assert duplicate(callback).description == "again"
