import torch

from spectragan.training.inference import push_forward


def test_push_forward_is_the_matrix_of_derivatives():
    network = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.SiLU(), torch.nn.Linear(8, 3))
    network.double().requires_grad_(False)
    x, directions = torch.randn(5, 4).double(), torch.randn(5, 4, 2).double()
    matrices = torch.stack([torch.autograd.functional.jacobian(network, row) for row in x])
    torch.testing.assert_close(push_forward(network, x, directions), matrices @ directions)
