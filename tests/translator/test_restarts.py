"""A fit that went wrong, was killed and resumed ends like one that only went wrong."""

import warnings

import numpy as np
import pytest

from spectragan import CycleGANTranslator, TrainingHealthWarning
from spectragan.datasets import make_mock_domains
from spectragan.training.checkpoints import Checkpoints
from spectragan.translator.game.health import HealthGuard


def test_a_resumed_fit_goes_back_like_the_one_left_alone(tmp_path, monkeypatch):
    """What went wrong before the checkpoint counts after it, and what was good is there."""
    pair = make_mock_domains(60, 50, n_pixels=80, random_state=0)
    judge, save = HealthGuard._problem, Checkpoints.save

    def problem(self, net):
        return "it was told to" if len(net.history) in {2, 4} else judge(self, net)

    def save_and_die(self, net, *rest):
        save(self, net, *rest)
        if len(net.history) == 3:
            raise SystemExit

    monkeypatch.setattr(HealthGuard, "_problem", problem)
    fit = {"hidden": (16,), "max_epochs": 5, "warmup_epochs": 2, "steps_per_epoch": 3}
    fit |= {"batch_size": 16, "random_state": 0, "verbose": 0}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", TrainingHealthWarning)
        alone = CycleGANTranslator(**fit).fit(pair.synthetic, pair.observed)
        dying = CycleGANTranslator(**fit, checkpoint=tmp_path)
        monkeypatch.setattr(Checkpoints, "save", save_and_die)
        with pytest.raises(SystemExit):
            dying.fit(pair.synthetic, pair.observed)
        monkeypatch.setattr(Checkpoints, "save", save)
        resumed = CycleGANTranslator(**fit, checkpoint=tmp_path)
        resumed.fit(pair.synthetic, pair.observed, resume=True)
    assert alone.health_.n_restarts == 2
    assert resumed.health_ == alone.health_
    np.testing.assert_array_equal(
        resumed.transform(pair.synthetic).flux, alone.transform(pair.synthetic).flux
    )
