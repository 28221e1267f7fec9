import math

import pytest
import torch

from spectragan import ModelFileError
from spectragan.training.checkpoints import read_about, read_state, write_checkpoint

STATE = {
    "modules": {"module": {"weight": torch.randn(3, 4), "running": torch.tensor(2.5)}},
    "optimizer": {"state": {0: {"step": torch.tensor(3.0)}, 1: {}}, "betas": (0.5, 0.99)},
    "generators": {"cpu": torch.get_rng_state()},
    "types": [torch.zeros(2, dtype=kind) for kind in (torch.float64, torch.int64, torch.bool)],
    "empty": torch.empty(4, 0),
    "history": [{"loss": 0.1 + 0.2, "first": None, "best": True, "batches": []}],
    "numbers": [math.inf, -math.inf, 10**15, "words", {}],
}


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "a.safetensors"
    write_checkpoint(path, STATE, {"epoch": 3})
    return path


def assert_same(a, b):
    assert type(a) is type(b)
    if isinstance(a, dict):
        assert list(a) == list(b)
        for key in a:
            assert_same(a[key], b[key])
    elif isinstance(a, list | tuple):
        for x, y in zip(a, b, strict=True):
            assert_same(x, y)
    elif isinstance(a, torch.Tensor):
        assert a.dtype == b.dtype
        assert torch.equal(a, b)
    else:
        assert a == b


def test_checkpoint_file_returns_every_bit(path):
    assert_same(read_state(path), STATE)
    assert read_about(path)["epoch"] == 3


def test_checkpoint_file_keeps_nan_apart_from_none(tmp_path):
    write_checkpoint(tmp_path / "b", {"critic": [math.nan, None]}, {})
    nan, none = read_state(tmp_path / "b")["critic"]
    assert math.isnan(nan)
    assert none is None


def test_checkpoint_file_keeps_values_whatever_their_layout(tmp_path):
    """Convolutions keep their weights channels last, where a fused optimizer expects them so."""
    weight = torch.randn(4, 3, 2, 5).to(memory_format=torch.channels_last)
    write_checkpoint(tmp_path / "b", {"weight": weight, "turned": weight.permute(3, 1, 0, 2)}, {})
    state = read_state(tmp_path / "b")
    assert torch.equal(state["weight"], weight)
    assert torch.equal(state["turned"], weight.permute(3, 1, 0, 2))


@pytest.mark.parametrize("place", [0, 100, 0.5, -1])
def test_changed_byte_is_found(path, place):
    content = bytearray(path.read_bytes())
    place = int(place * len(content)) if isinstance(place, float) else place
    content[place] ^= 1
    path.write_bytes(content)
    for read in (read_about, read_state):
        with pytest.raises(ModelFileError):
            read(path)


@pytest.mark.parametrize("n_bytes", [0, 7, 500, -1])
def test_cut_file_is_found(path, n_bytes):
    path.write_bytes(path.read_bytes()[:n_bytes])
    with pytest.raises(ModelFileError):
        read_about(path)


def test_what_json_cannot_spell_is_refused(tmp_path):
    with pytest.raises(TypeError, match="; got set; leave it out"):
        write_checkpoint(tmp_path / "b", {"a": {1, 2}}, {})
    assert not list(tmp_path.iterdir())


def test_checkpoint_of_plain_pickle_is_never_loaded(tmp_path):
    torch.save(STATE, tmp_path / "b")
    with pytest.raises(ModelFileError):
        read_state(tmp_path / "b")
