"""Labels in, spectrum out: coefficients by Gaussian processes and a trunk, then components."""

from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from typing import ClassVar

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
    >>> from spectragan.emulator.network import warp_labels
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
    >>> from spectragan.emulator.network import component_groups
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
    (`spectragan.emulator.kernels`), so nothing here is a trainable parameter.

    Parameters
    ----------
    n_labels : int
    n_centers : int
        Stars that carry a bump.
    n_components : int

    Examples
    --------
    >>> import torch
    >>> from spectragan.emulator.network import KernelHead
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


class EmulatorNetwork(nn.Module):
    """Spectrum of labels: coefficients of the labels times components.

    Coefficients are a `KernelHead` plus a fully connected network, whose last layer starts at
    zero: before training this is the kernel emulator alone. The first component is the mean
    spectrum and its coefficient 1, unless spectra are kept at a median of 1: then it is what
    makes the median 1, and multiplies the other coefficients too; or with `log_level` the level.

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
    log_level : bool, default=False
        The first coefficient is the logarithm of a level that multiplies all the others: fluxes
        that span powers of ten are learned each on its own scale.

    Attributes
    ----------
    arguments : dict
        What it was made with: a saved network is made again so.
    components : tensor of shape (1 + n_components, n_pixels)
        The rows every emulated spectrum is a combination of: the mean spectrum and, orthogonal,
        the directions in which spectra differ.

    Examples
    --------
    >>> import torch
    >>> from spectragan.emulator.network import EmulatorNetwork
    >>> network = EmulatorNetwork(3, 50, 8, n_centers=10)
    >>> network(torch.zeros(4, 3)).shape, network.jacobian(torch.zeros(4, 3)).shape
    (torch.Size([4, 50]), torch.Size([4, 50, 3]))
    """

    _kept_arguments: ClassVar = {
        "n_labels": "count l",
        "n_pixels": "count p",
        "n_components": "whole",
        "n_centers": "whole",
        "hidden": "sizes",
        "unit_median": "flag",
        "log_level?": "flag",
    }

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
        log_level: bool = False,
    ) -> None:
        super().__init__()
        self.arguments = {
            "n_labels": n_labels,
            "n_pixels": n_pixels,
            "n_components": n_components,
            "n_centers": n_centers,
            "hidden": tuple(hidden),
            "unit_median": unit_median,
            "log_level": log_level,
        }
        self.unit_median, self.log_level = unit_median, log_level
        n_values = n_components + log_level
        self.register_buffer("label_mean", torch.zeros(n_labels))
        self.register_buffer("label_scale", torch.ones(n_labels))
        self.register_buffer("components", torch.zeros(1 + n_components, n_pixels))
        self.register_buffer("coefficient_scale", torch.ones(n_values))
        self.kernel = KernelHead(n_labels, n_centers, n_values)
        self.trunk = _trunk(n_labels, hidden, n_values)

    def standardize(self, labels: torch.Tensor) -> torch.Tensor:
        """Return labels with mean 0 and standard deviation 1 over the training stars."""
        return (labels - self.label_mean) / self.label_scale

    def coefficients(self, labels: torch.Tensor) -> torch.Tensor:
        """Return coefficients (n_rows, 1 + n_components) of labels (n_rows, n_labels)."""
        standard = self.standardize(labels)
        varying = (self.kernel(standard) + self.trunk(standard)) * self.coefficient_scale
        if self.log_level:
            level = torch.exp(varying[:, :1])
            return level * torch.cat([torch.ones_like(level), varying[:, 1:]], dim=1)
        coefficients = torch.cat([torch.ones_like(varying[:, :1]), varying], dim=1)
        if self.unit_median:
            coefficients = coefficients / row_median(coefficients @ self.components)
        return coefficients

    def forward(self, labels: torch.Tensor) -> torch.Tensor:
        """Return spectra of shape (n_rows, n_pixels) of labels of shape (n_rows, n_labels)."""
        return self.coefficients(labels) @ self.components

    def coefficients_and_jacobian(self, labels: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return coefficients and their exact derivatives.

        Parameters
        ----------
        labels : tensor of shape (n_rows, n_labels)

        Returns
        -------
        coefficients : tensor of shape (n_rows, 1 + n_components)
        derivatives : tensor of shape (n_rows, n_labels, 1 + n_components)
        """
        standard = self.standardize(labels)
        kernel, by_kernel = self.kernel.with_jacobian(standard)
        if any(bool(p.any()) for p in self.trunk[-1].parameters()):  # else it adds nothing
            trunk, by_trunk = row_jacobian(self.trunk, standard)
            kernel, by_kernel = kernel + trunk, by_kernel + by_trunk
        values = kernel * self.coefficient_scale
        slopes = by_kernel * self.coefficient_scale / self.label_scale[:, None]
        level, level_slopes = torch.exp(values[:, :1]), slopes[:, :, :1]
        if self.log_level:
            values, slopes = values[:, 1:], slopes[:, :, 1:]
        values = torch.cat([torch.ones_like(level), values], dim=1)
        slopes = torch.cat([torch.zeros_like(level_slopes), slopes], dim=2)
        if self.log_level:
            slopes = level[:, None] * (slopes + values[:, None] * level_slopes)
            return level * values, slopes
        if not self.unit_median:
            return values, slopes
        median, by_coefficient = self._median(values)
        median_slopes = slopes @ by_coefficient[:, :, None]
        slopes = (slopes - values[:, None] * (median_slopes / median[:, None])) / median[:, None]
        return values / median, slopes

    def _median(self, coefficients: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the median of each spectrum (n_rows, 1) and its gradient (n_rows, n_values)."""
        with torch.enable_grad():
            inputs = coefficients.detach().requires_grad_()
            median = row_median(inputs @ self.components)
            (gradient,) = torch.autograd.grad(median.sum(), inputs)
        return median.detach(), gradient

    def jacobian(self, labels: torch.Tensor) -> torch.Tensor:
        """Return the derivatives of the spectra, of shape (n_rows, n_pixels, n_labels)."""
        _, slopes = self.coefficients_and_jacobian(labels)
        return (slopes @ self.components).transpose(1, 2)


def row_jacobian(
    function: Callable[[torch.Tensor], torch.Tensor], rows: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return a function of each row and its exact derivatives.

    The gradient of the inputs is linear in the weights of the outputs, so that differentiating it
    once more, with respect to those weights, gives one column per input for all rows at once.

    Parameters
    ----------
    function : callable
        Maps (n_rows, n_inputs) to (n_rows, n_outputs), each row on its own.
    rows : tensor of shape (n_rows, n_inputs)

    Returns
    -------
    values : tensor of shape (n_rows, n_outputs)
    derivatives : tensor of shape (n_rows, n_inputs, n_outputs)

    Examples
    --------
    >>> import torch
    >>> from spectragan.emulator.network import row_jacobian
    >>> row_jacobian(torch.square, torch.tensor([[3.0, 4.0]]))[1]
    tensor([[[6., 0.],
             [0., 8.]]])
    """
    with torch.enable_grad():
        inputs = rows.detach().requires_grad_()
        values = function(inputs)
        weights = torch.zeros_like(values, requires_grad=True)
        (gradient,) = torch.autograd.grad(values, inputs, weights, create_graph=True)
        columns = [
            torch.autograd.grad(column.sum(), weights, retain_graph=True)[0]
            for column in gradient.unbind(1)
        ]
    return values.detach(), torch.stack(columns, dim=1)


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
    >>> from spectragan.emulator.network import row_median
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
