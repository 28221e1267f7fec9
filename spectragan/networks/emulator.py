"""Labels in, spectrum out: coefficients of labels, and a linear map onto components."""

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import nn


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
    >>> from spectragan.networks.emulator import warp_labels
    >>> warp_labels(torch.tensor([[-1.0], [1.0]]), torch.tensor([-0.5]))
    tensor([[-1.2974],
            [ 0.7869]])
    """
    small = curvature.abs() < 1e-3
    safe = torch.where(small, torch.ones_like(curvature), curvature)
    series = labels + 0.5 * curvature * labels.square()
    return torch.where(small, series, torch.expm1(safe * labels) / safe)


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
    >>> from spectragan.networks.emulator import component_groups
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
    >>> from spectragan.networks.emulator import KernelHead
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
        groups = zip(
            self.curvatures,
            self.lengths,
            self.weights.split(self.group_sizes, dim=1),
            self.linear.split(self.group_sizes, dim=1),
            strict=True,
        )
        parts = []
        for curvature, length, weights, linear in groups:
            warped = warp_labels(labels, curvature)
            centers = warp_labels(self.centers, curvature)
            similarity = squared_exponential(warped / length, centers / length)
            parts.append(similarity @ weights + linear[0] + warped @ linear[1:])
        return torch.cat(parts, dim=1)


class EmulatorNetwork(nn.Module):
    """Spectrum of labels: coefficients of the labels times components.

    Coefficients are a `KernelHead` plus a fully connected network, whose last layer starts at
    zero: before training this is the kernel emulator alone. The first component is the mean
    spectrum and its coefficient 1, unless spectra are kept at a median of 1: then it is what
    makes the median 1, and multiplies the other coefficients too.

    Parameters
    ----------
    n_labels, n_pixels, n_components : int
        `n_components` beside the mean spectrum.
    n_centers : int
        Stars that carry a bump of the kernel head.
    hidden : sequence of int, default=(300, 300)
        Widths of the hidden layers of the fully connected part.
    unit_median : bool, default=False
        Keep every spectrum at a median of 1. Which pixel is the median changes with the labels,
        a kinked function that no smooth network learns.

    Attributes
    ----------
    components : tensor of shape (1 + n_components, n_pixels)
        The rows every emulated spectrum is a combination of: the mean spectrum and, orthonormal,
        the directions in which spectra differ.

    Examples
    --------
    >>> import torch
    >>> from spectragan.networks.emulator import EmulatorNetwork
    >>> network = EmulatorNetwork(3, 50, 8, n_centers=10)
    >>> network(torch.zeros(4, 3)).shape, network.jacobian(torch.zeros(4, 3)).shape
    (torch.Size([4, 50]), torch.Size([4, 50, 3]))
    """

    label_mean: torch.Tensor
    label_scale: torch.Tensor
    components: torch.Tensor
    coefficient_scale: torch.Tensor

    def __init__(
        self,
        n_labels: int,
        n_pixels: int,
        n_components: int,
        *,
        n_centers: int,
        hidden: Sequence[int] = (300, 300),
        unit_median: bool = False,
    ) -> None:
        super().__init__()
        self.unit_median = unit_median
        self.register_buffer("label_mean", torch.zeros(n_labels))
        self.register_buffer("label_scale", torch.ones(n_labels))
        self.register_buffer("components", torch.zeros(1 + n_components, n_pixels))
        self.register_buffer("coefficient_scale", torch.ones(n_components))
        self.kernel = KernelHead(n_labels, n_centers, n_components)
        self.trunk = _trunk(n_labels, hidden, n_components)

    def standardize(self, labels: torch.Tensor) -> torch.Tensor:
        """Return labels with mean 0 and standard deviation 1 over the training stars."""
        return (labels - self.label_mean) / self.label_scale

    def coefficients(self, labels: torch.Tensor) -> torch.Tensor:
        """Return coefficients (n_rows, 1 + n_components) of labels (n_rows, n_labels)."""
        standard = self.standardize(labels)
        varying = (self.kernel(standard) + self.trunk(standard)) * self.coefficient_scale
        coefficients = torch.cat([torch.ones_like(varying[:, :1]), varying], dim=1)
        if self.unit_median:
            coefficients = coefficients / row_median(coefficients @ self.components)
        return coefficients

    def forward(self, labels: torch.Tensor) -> torch.Tensor:
        """Return spectra of shape (n_rows, n_pixels) of labels of shape (n_rows, n_labels)."""
        return self.coefficients(labels) @ self.components

    def coefficient_jacobian(self, labels: torch.Tensor) -> torch.Tensor:
        """Return the derivatives of the coefficients, (n_rows, 1 + n_components, n_labels).

        Exact, and cheap: the gradient of the labels is linear in the weights of the coefficients,
        so that differentiating it once more, with respect to those weights, gives one column of
        the Jacobian per label for all rows at once.
        """
        with torch.enable_grad():
            inputs = labels.detach().requires_grad_()
            coefficients = self.coefficients(inputs)
            weights = torch.zeros_like(coefficients, requires_grad=True)
            (gradient,) = torch.autograd.grad(coefficients, inputs, weights, create_graph=True)
            columns = [
                torch.autograd.grad(column.sum(), weights, retain_graph=True)[0]
                for column in gradient.unbind(1)
            ]
        return torch.stack(columns, dim=2)

    def jacobian(self, labels: torch.Tensor) -> torch.Tensor:
        """Return the derivatives of the spectra, of shape (n_rows, n_pixels, n_labels)."""
        by_label = self.coefficient_jacobian(labels).transpose(1, 2) @ self.components
        return by_label.transpose(1, 2)


def row_median(rows: torch.Tensor) -> torch.Tensor:
    """Return the median of each row, as numpy defines it, with exact derivatives.

    Parameters
    ----------
    rows : tensor of shape (n_rows, n_pixels)

    Returns
    -------
    median : tensor of shape (n_rows, 1)

    Examples
    --------
    >>> import torch
    >>> from spectragan.networks.emulator import row_median
    >>> row_median(torch.tensor([[4.0, 1.0, 2.0, 9.0]]))
    tensor([[3.]])
    """
    ordered = torch.sort(rows, dim=1).values
    half = rows.shape[1] // 2
    if rows.shape[1] % 2:
        return ordered[:, half : half + 1]
    return 0.5 * (ordered[:, half - 1 : half] + ordered[:, half : half + 1])


def _trunk(n_labels: int, hidden: Sequence[int], n_components: int) -> nn.Sequential:
    widths = [n_labels, *hidden]
    layers: list[nn.Module] = []
    for n_in, n_out in pairwise(widths):
        layers += [nn.Linear(n_in, n_out), nn.SiLU()]
    last = nn.Linear(widths[-1], n_components)
    nn.init.zeros_(last.weight)
    nn.init.zeros_(last.bias)
    return nn.Sequential(*layers, last)
