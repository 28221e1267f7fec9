r"""Distances between spectra: pixels weighted by their errors, masked pixels left out.

All distances have the form

.. math:: \frac{1}{|R|} \sum_{i \in R} \frac{1}{|P_i|} \sum_{j \in P_i}
          \rho\left(\sqrt{w_{ij}} \, (\hat x_{ij} - x_{ij})\right),

with the inverse variances :math:`w`, the good pixels :math:`P_i = \{j : w_{ij} > 0\}` of row
:math:`i` and the rows :math:`R` that have any. They differ in :math:`\rho`.
"""

import torch


def weighted_distance(
    prediction: torch.Tensor, target: torch.Tensor, ivar: torch.Tensor
) -> torch.Tensor:
    r"""Return the mean squared error in units of the pixel errors, :math:`\rho(r) = r^2`.

    Parameters
    ----------
    prediction, target : tensor of shape (n_rows, n_pixels)
        Spectra to compare; values where ``ivar == 0`` are never looked at.
    ivar : tensor of shape (n_rows, n_pixels)
        Inverse variances, 0 where the pixel is ignored; broadcast against the spectra.

    Returns
    -------
    distance : tensor of shape ()
        Mean over the good pixels of each row, then over the rows that have a good pixel; 0 with
        zero gradients if none has.

    References
    ----------
    .. [1] O'Briain et al. 2021, ApJ 906, 130 (arXiv:2007.03109).

    Examples
    --------
    >>> import torch
    >>> from spectragan.training.losses import weighted_distance
    >>> prediction = torch.tensor([[1.0, 3.0, 1e30]])
    >>> weighted_distance(prediction, torch.ones(1, 3), torch.tensor([[1.0, 1.0, 0.0]]))
    tensor(2.)
    """
    return _mean_over_good(_normalised_residuals(prediction, target, ivar).square(), ivar)


def huber_distance(
    prediction: torch.Tensor, target: torch.Tensor, ivar: torch.Tensor, *, threshold: float = 3.0
) -> torch.Tensor:
    r"""Return the pseudo-Huber error, squared for small residuals and absolute for large ones.

    .. math:: \rho(r) = 2 \delta^2 \left(\sqrt{1 + (r / \delta)^2} - 1\right),

    which is :math:`r^2` for :math:`|r| \ll \delta` (so that weights need no change when a loss
    is made robust) and :math:`2 \delta |r|` for :math:`|r| \gg \delta`.

    Parameters
    ----------
    prediction, target : tensor of shape (n_rows, n_pixels)
        Spectra to compare; values where ``ivar == 0`` are never looked at.
    ivar : tensor of shape (n_rows, n_pixels)
        Inverse variances, 0 where the pixel is ignored; broadcast against the spectra.
    threshold : float, default=3.0
        The residual :math:`\delta`, in pixel errors, beyond which growth is linear.

    Returns
    -------
    distance : tensor of shape ()
        As in `weighted_distance`.

    References
    ----------
    .. [1] Charbonnier et al. 1997, IEEE Trans. Image Process. 6, 298.

    Examples
    --------
    >>> import torch
    >>> from spectragan.training.losses import huber_distance
    >>> distance = huber_distance(torch.zeros(1, 1), torch.full((1, 1), 4.0), torch.ones(1, 1))
    >>> round(float(distance), 3)
    12.0
    """
    residuals = _normalised_residuals(prediction, target, ivar)
    root = torch.sqrt(1.0 + (residuals / threshold).square())
    # Equals 2 threshold^2 (root - 1) without the cancellation for small residuals.
    return _mean_over_good(2.0 * residuals.square() / (root + 1.0), ivar)


def _normalised_residuals(
    prediction: torch.Tensor, target: torch.Tensor, ivar: torch.Tensor
) -> torch.Tensor:
    difference = prediction - target
    # Chosen before anything else is computed: 0 * inf in a product, or in its gradient, is NaN.
    kept = torch.where(ivar > 0, difference, torch.zeros_like(difference))
    return kept * ivar.sqrt()


def _mean_over_good(values: torch.Tensor, ivar: torch.Tensor) -> torch.Tensor:
    n_good = (ivar > 0).expand_as(values).sum(dim=-1)
    row_means = values.sum(dim=-1) / n_good.clamp(min=1)
    return row_means.sum() / (n_good > 0).sum().clamp(min=1)
