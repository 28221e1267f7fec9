import pytest
import torch

from spectragan.training.devices import resolve_device


def test_resolve_device_auto_picks_the_fastest_there_is(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    assert resolve_device("auto").type == "mps"
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert resolve_device("auto").type == "cuda"


def test_resolve_device_takes_torch_devices():
    assert resolve_device(torch.device("cpu")) == torch.device("cpu")


@pytest.mark.parametrize("device", ["gpu", "", 1.5])
def test_resolve_device_refuses_unknown_names(device):
    with pytest.raises(ValueError, match=r"`device` must be .* got .* use"):
        resolve_device(device)


@pytest.mark.parametrize("device", ["cuda", "mps", "cuda:7", "meta"])
def test_resolve_device_refuses_absent_devices(device, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    with pytest.raises(ValueError, match=f"got '{device}'; use .* picks \"cpu\""):
        resolve_device(device)
