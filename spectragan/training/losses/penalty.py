"""Zero-centred gradient penalties on a critic."""

import torch


def gradient_penalty(scores: torch.Tensor, *inputs: torch.Tensor) -> torch.Tensor:
    r"""Return how steep a critic is at its inputs: R1 on real spectra, R2 on translated ones.

    .. math:: \frac{1}{n} \sum_i \left\| \nabla_{x_i} D(x_i) \right\|^2

    The published losses weight it with :math:`\gamma / 2`. With the penalty on both sides the
    game converges also when the two distributions live on different manifolds, which is what
    noise-free models and real spectra do.

    Parameters
    ----------
    scores : tensor of shape (n_rows,)
        Critic scores, each of which depends on its own row of the inputs only.
    *inputs : tensor of shape (n_rows, ...)
        What the critic was shown; each must require gradients. An empty tensor counts nothing.

    Returns
    -------
    penalty : tensor of shape ()
        Mean over the rows of the squared gradient norm, differentiable with respect to the
        parameters of the critic.

    Raises
    ------
    ValueError
        If no input is given, or one does not require gradients.

    References
    ----------
    .. [1] Mescheder, Geiger & Nowozin 2018, ICML (arXiv:1801.04406).
    .. [2] Huang et al. 2024, NeurIPS (arXiv:2501.05441).

    Examples
    --------
    >>> import torch
    >>> from spectragan.training.losses import gradient_penalty
    >>> spectra = torch.zeros(4, 3, requires_grad=True)
    >>> gradient_penalty(2.0 * spectra.sum(dim=1), spectra)
    tensor(12.)
    """
    _check_inputs(inputs)
    # The sum over rows gives all per-row gradients in one backward pass, because no score
    # depends on another row.
    gradients = torch.autograd.grad(scores.sum(), inputs, create_graph=True, materialize_grads=True)
    squares = torch.stack([gradient.square().sum() for gradient in gradients])
    return squares.sum() / len(scores)


def _check_inputs(inputs: tuple[torch.Tensor, ...]) -> None:
    if not inputs:
        raise ValueError(
            "`inputs` must hold at least one tensor; got none; pass what the critic was shown."
        )
    for number, tensor in enumerate(inputs):
        if not tensor.requires_grad:
            raise ValueError(
                f"`inputs` must require gradients; got input {number} that does not; "
                "call `requires_grad_()` on it before the critic scores it."
            )
