import pytest
import torch
from torch.utils.data import DataLoader

from spectragan.training.rows import RowBatches, TensorRows, identity_collate


def rows(n_rows=10):
    number = torch.arange(float(n_rows))
    return TensorRows({"flux": number[:, None] * torch.ones(3), "ivar": number}, number)


def test_tensor_rows_work_with_a_data_loader():
    loader = DataLoader(rows(), batch_size=4, collate_fn=identity_collate)
    inputs, targets = next(iter(loader))
    assert inputs["flux"].shape == (4, 3)
    assert torch.equal(targets, torch.arange(4.0))


def test_tensor_rows_give_single_rows():
    inputs, target = rows()[7]
    assert inputs["ivar"] == target == 7


def test_tensor_rows_without_targets_have_empty_ones():
    assert TensorRows(torch.zeros(4, 2)).targets.shape == (4, 0)


def test_tensor_rows_refuse_unequal_lengths():
    with pytest.raises(ValueError, match=r"equally many rows; got \[3, 4\]"):
        TensorRows(torch.zeros(3), torch.zeros(4))


def test_row_batches_shuffle_keeps_inputs_and_targets_together():
    torch.manual_seed(0)
    batches = list(RowBatches(rows(), batch_size=4, shuffle=True))
    targets = torch.cat([target for _, target in batches])
    assert not torch.equal(targets, torch.arange(10.0))
    assert torch.equal(targets.sort().values, torch.arange(10.0))
    for inputs, target in batches:
        assert torch.equal(inputs["ivar"], target)


@pytest.mark.parametrize(
    ("batch_size", "drop_last", "sizes"),
    [(4, False, [4, 4, 2]), (4, True, [4, 4]), (-1, False, [10]), (99, True, [10])],
)
def test_row_batches_have_the_sizes_asked_for(batch_size, drop_last, sizes):
    batches = RowBatches(rows(), batch_size, drop_last=drop_last)
    assert [len(target) for _, target in batches] == sizes
    assert len(batches) == len(sizes)
