import torch

from spectragan.training.inference import map_padded


def test_map_padded_gives_every_row_the_same_result_in_any_batch():
    torch.manual_seed(0)
    network = torch.nn.Sequential(torch.nn.Linear(5, 64), torch.nn.SiLU(), torch.nn.Linear(64, 333))
    rows = torch.randn(100, 5)
    together = map_padded(network, rows, batch_size=32)
    for n_rows in (1, 2, 31, 33, 50):
        assert torch.equal(map_padded(network, rows[:n_rows], batch_size=32), together[:n_rows])


def test_map_padded_calls_with_one_batch_size_only():
    sizes = set()

    def function(first, second):
        sizes.add((len(first), len(second)))
        return first + second, first * second

    added, multiplied = map_padded(function, torch.ones(7), torch.full((7,), 3.0), batch_size=4)
    assert sizes == {(4, 4)}
    assert torch.equal(added, torch.full((7,), 4.0))
    assert torch.equal(multiplied, torch.full((7,), 3.0))


def test_map_padded_keeps_no_gradients():
    parameter = torch.ones(3, requires_grad=True)
    assert not map_padded(lambda x: x * parameter, torch.ones(2, 3)).requires_grad
