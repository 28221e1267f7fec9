"""The kernel head: coefficients of labels as the mean of a Gaussian process."""

from collections.abc import Iterator

import torch
from torch import nn

KERNEL_ROWS = 16  # so few rows times thousands of centers stay in a processor's cache


def warp_labels(labels: torch.Tensor, curvature: torch.Tensor) -> torch.Tensor:
    """Bend standardised labels by ``(exp(curvature * label) - 1) / curvature``.

    Spectra change faster with temperature in cool stars than in hot ones. A negative curvature
    of a few tenths undoes that, much as ``1 / teff`` would, for labels of any sign.

    Parameters
    ----------
    labels : tensor of shape (n_rows, n_labels)
        Standardised to mean 0 and standard deviation 1.
    curvature : tensor of shape (n_labels,)
        0 changes nothing.

    Returns
    -------
    warped : tensor of shape (n_rows, n_labels)

    Examples
    --------
    >>> import torch
    >>> from spectragan.networks.kernel_head import warp_labels
    >>> warp_labels(torch.tensor([[-1.0], [1.0]]), torch.tensor([-0.5]))
    tensor([[-1.2974],
            [ 0.7869]])
    """
    small = curvature.abs() < 1e-3
    safe = torch.where(small, torch.ones_like(curvature), curvature)
    series = labels + 0.5 * curvature * labels.square()
    return torch.where(small, series, torch.expm1(safe * labels) / safe)


def warp_slope(labels: torch.Tensor, curvature: torch.Tensor) -> torch.Tensor:
    """Return the derivative of `warp_labels` with respect to each label.

    Parameters
    ----------
    labels : tensor of shape (n_rows, n_labels)
    curvature : tensor of shape (n_labels,)

    Returns
    -------
    slope : tensor of shape (n_rows, n_labels)
    """
    small = curvature.abs() < 1e-3
    return torch.where(small, 1 + curvature * labels, torch.exp(curvature * labels))


def squared_exponential(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """Return the similarity ``exp(-|a - b|^2 / 2)`` of all pairs of rows.

    Parameters
    ----------
    a : tensor of shape (n_a, n_labels)
    b : tensor of shape (n_b, n_labels)
        In units of the length scales.

    Returns
    -------
    similarity : tensor of shape (n_a, n_b)
    """
    # Label by label: |a|^2 + |b|^2 - 2ab as a matrix product loses four digits to cancellation,
    # which the large weights of an interpolating kernel would amplify.
    squared = torch.zeros(len(a), len(b), dtype=a.dtype, device=a.device)
    for first, second in zip(a.unbind(1), b.unbind(1), strict=True):
        squared = squared + (first[:, None] - second).square()
    return torch.exp(-0.5 * squared)


def component_groups(n_components: int) -> list[int]:
    """Return how many components share a kernel: 1, 1, 2, 4, 8, ... of falling variance.

    The first components carry nearly all the flux and deserve a kernel each; the many small
    ones resemble each other.

    Parameters
    ----------
    n_components : int

    Returns
    -------
    sizes : list of int
        Adding up to `n_components`.

    Examples
    --------
    >>> from spectragan.networks.kernel_head import component_groups
    >>> component_groups(12)
    [1, 1, 2, 4, 4]
    """
    sizes: list[int] = []
    while sum(sizes) < n_components:
        sizes.append(min(max(1, sum(sizes)), n_components - sum(sizes)))
    return sizes


class KernelHead(nn.Module):
    """Coefficients as a linear function of labels plus a sum of bumps around known stars.

    The mean of a Gaussian process: group ``g`` of components has its own curvatures and length
    scales per label. Everything is fitted in closed form or by marginal likelihood
    (`spectragan.training.kernel_fit`), so nothing here is a trainable parameter.

    Parameters
    ----------
    n_labels : int
    n_centers : int
        Stars that carry a bump.
    n_components : int

    Examples
    --------
    >>> import torch
    >>> from spectragan.networks.kernel_head import KernelHead
    >>> KernelHead(n_labels=3, n_centers=10, n_components=5)(torch.zeros(2, 3)).shape
    torch.Size([2, 5])
    """

    curvatures: torch.Tensor
    lengths: torch.Tensor
    centers: torch.Tensor
    weights: torch.Tensor
    linear: torch.Tensor

    def __init__(self, n_labels: int, n_centers: int, n_components: int) -> None:
        super().__init__()
        self.group_sizes = component_groups(n_components)
        n_groups = len(self.group_sizes)
        self.register_buffer("curvatures", torch.zeros(n_groups, n_labels))
        self.register_buffer("lengths", torch.ones(n_groups, n_labels))
        self.register_buffer("centers", torch.zeros(n_centers, n_labels))
        self.register_buffer("weights", torch.zeros(n_centers, n_components))
        self.register_buffer("linear", torch.zeros(n_labels + 1, n_components))

    def forward(self, labels: torch.Tensor) -> torch.Tensor:
        """Return coefficients of shape (n_rows, n_components) of standardised labels."""
        parts = []
        for curvature, length, weights, linear in self._groups():
            warped = warp_labels(labels, curvature)
            centers = warp_labels(self.centers, curvature) / length
            bumps = _sum_bumps(warped / length, centers, weights)
            parts.append(bumps + linear[0] + warped @ linear[1:])
        return torch.cat(parts, dim=1)

    def with_jacobian(self, labels: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        r"""Return coefficients and their exact derivatives, at little more than their price.

        A bump's derivative is the bump times the distance to its center, so all derivatives are
        sums over the same bumps, with weights :math:`w_i` and :math:`w_i c_{il}`.

        Parameters
        ----------
        labels : tensor of shape (n_rows, n_labels)
            Standardised.

        Returns
        -------
        coefficients : tensor of shape (n_rows, n_components)
        derivatives : tensor of shape (n_rows, n_labels, n_components)
        """
        values, derivatives = [], []
        for curvature, length, weights, linear in self._groups():
            warped = warp_labels(labels, curvature)
            scaled, centers = warped / length, warp_labels(self.centers, curvature) / length
            moments = [weights, *(weights * c[:, None] for c in centers.unbind(1))]
            sums = _sum_bumps(scaled, centers, torch.cat(moments, dim=1))
            sums = sums.reshape(len(labels), len(moments), -1)
            bumps, weighted = sums[:, 0], sums[:, 1:]
            inner = (weighted - scaled[:, :, None] * bumps[:, None]) / length[:, None] + linear[1:]
            values.append(bumps + linear[0] + warped @ linear[1:])
            derivatives.append(inner * warp_slope(labels, curvature)[:, :, None])
        return torch.cat(values, dim=1), torch.cat(derivatives, dim=2)

    def _groups(self) -> Iterator[tuple[torch.Tensor, ...]]:
        """Yield curvature, length scale, weights and linear part of each group of components."""
        yield from zip(
            self.curvatures,
            self.lengths,
            self.weights.split(self.group_sizes, dim=1),
            self.linear.split(self.group_sizes, dim=1),
            strict=True,
        )


def _sum_bumps(rows: torch.Tensor, centers: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
    """Return the weighted sums of bumps (n_rows, n_sums), a few rows at a time."""
    parts = [squared_exponential(few, centers) @ weights for few in rows.split(KERNEL_ROWS)]
    return torch.cat(parts)
