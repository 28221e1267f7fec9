"""What one process can tell of sharing; ``test_shared_training.py`` starts two."""

import sys

import pytest
import torch

from spectragan.training.sharing import ALONE, Share, join_processes


@pytest.mark.parametrize(("n_rows", "count"), [(8, 2), (31, 2), (5, 3), (4, 4)])
def test_shares_make_up_the_batch(n_rows, count):
    batch = {"x": torch.arange(n_rows), "noise": {"factor": torch.rand(n_rows, 2)}}
    shares = [Share(rank, count) for rank in range(count)]
    parts = [share.take(batch) for share in shares]
    assert torch.equal(torch.cat([part["x"] for part in parts]), batch["x"])
    assert max(len(part["x"]) for part in parts) - min(len(part["x"]) for part in parts) <= 1
    means = [
        part["x"].float().mean() * s.weight(n_rows) for part, s in zip(parts, shares, strict=True)
    ]
    assert sum(means) == pytest.approx((n_rows - 1) / 2)


def test_alone_nothing_is_exchanged_or_copied():
    values = torch.rand(3, 2)
    assert ALONE.take(values) is values
    assert ALONE.gather(values, 3) is values
    assert ALONE.from_main(lambda: values) is values
    assert ALONE.copy_from_main([values])
    assert ALONE.weight(3) == 1.0
    ALONE.add_up([values])
    ALONE.check_alike({"`penalty`": 1})


def test_one_process_shares_with_none():
    pytest.importorskip("accelerate")
    device, share = join_processes("accelerate")
    assert share == ALONE
    assert device.type == join_processes("auto")[0].type


def test_a_missing_package_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "accelerate", None)
    with pytest.raises(ImportError, match=r"needs .* accelerate, .* install spectragan\[acc"):
        join_processes("accelerate")
