"""The spectrum a telescope would see: a model's, with Doppler shift and broadening.

Both are products in Fourier series, with exact derivatives.
"""

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from scipy.fft import next_fast_len
from scipy.interpolate import make_interp_spline

from spectragan.emulator.model import SpectrumModel

SPEED_OF_LIGHT = 299792.458  # km/s
EVEN = 1e-3  # of a step: pixels this close to an even logarithmic grid are on it
OVERSAMPLING = 3  # of other grids, so that interpolation back onto pixels is harmless
SPLINE_DEGREE = 5  # lines are few pixels wide: a cubic one would flatten them
GAP = 3.0  # median steps: wider ones are the ends of two pieces
PAD = 64  # pixels at least, over which the last flux runs into the first


class LogGrid:
    r"""An even grid in log wavelength, on which shift and broadening are products.

    A velocity :math:`v` moves a spectrum by :math:`u = \mathrm{artanh}(v / c)` in
    :math:`\ln\lambda` (relativistic, radial), and a Gaussian of :math:`\sigma` km/s is one of
    :math:`s = \sigma / c`, everywhere alike. With :math:`\hat f` the Fourier transform,

    .. math:: \hat f \mapsto \hat f(k)\,\exp(-2\pi i k u - 2\pi^2 k^2 s^2).

    Parameters
    ----------
    wavelength : ndarray of shape (n_pixels,)
        In Angstrom, ascending.

    Examples
    --------
    A line moves to the red with a positive velocity:

    >>> import numpy as np, torch
    >>> from spectragan.fitting.model import LogGrid
    >>> wavelength = np.exp(np.linspace(8.50, 8.52, 401))
    >>> line = torch.as_tensor(np.exp(-0.5 * ((np.arange(401) - 200) / 4) ** 2))[None]
    >>> grid = LogGrid(wavelength)
    >>> velocity = torch.tensor([10 * 299792.458 * 0.02 / 400], dtype=torch.float64)
    >>> moved = grid.to_pixels(grid.shift(grid.to_fourier(line), velocity, 0 * velocity))
    >>> int(moved[0].argmax())
    210
    """

    def __init__(self, wavelength: np.ndarray) -> None:
        self.log = np.log(wavelength)
        steps = np.diff(self.log)
        mean = (self.log[-1] - self.log[0]) / len(steps)
        self.even = bool(
            np.abs(self.log - self.log[0] - mean * np.arange(len(self.log))).max() < EVEN * mean
        )
        step = mean if self.even else steps.min() / OVERSAMPLING
        self.n_grid = 1 + int(np.ceil((self.log[-1] - self.log[0]) / step * (1 - 1e-12)))
        self.n_total = next_fast_len(self.n_grid + max(PAD, self.n_grid // 32), real=True)
        if self.n_total % 2:
            self.n_total = next_fast_len(self.n_total + 1, real=True)
        self.grid = self.log[0] + step * np.arange(self.n_grid)
        self.frequency = torch.fft.rfftfreq(self.n_total, d=step, dtype=torch.float64)
        self.width = step * (self.n_grid - 1)
        self._back = None if self.even else _interpolation(self.grid, self.log)

    def to_fourier(self, rows: torch.Tensor) -> torch.Tensor:
        """Return the Fourier transforms of spectra.

        Parameters
        ----------
        rows : tensor of shape (..., n_pixels)

        Returns
        -------
        transformed : complex tensor of shape (..., n_frequencies)
        """
        if not self.even:
            degree = min(SPLINE_DEGREE, 2 * ((len(self.log) - 1) // 2) - 1)
            spline = make_interp_spline(*self._across_gaps(rows.numpy()), k=degree, axis=-1)
            rows = torch.as_tensor(spline(np.minimum(self.grid, self.log[-1])))
        # The ends are joined, so that the series needn't describe a jump.
        ramp = torch.linspace(0, 1, self.n_total - self.n_grid + 2, dtype=rows.dtype)[1:-1]
        joint = rows[..., -1:] * (1 - ramp) + rows[..., :1] * ramp
        return torch.fft.rfft(torch.cat([rows, joint], dim=-1))

    def to_pixels(self, transformed: torch.Tensor) -> torch.Tensor:
        """Return spectra of shape (..., n_pixels), the inverse of `to_fourier`."""
        rows = torch.fft.irfft(transformed, n=self.n_total)[..., : self.n_grid]
        if self._back is None:
            return rows
        first, weights = self._back
        return sum(rows[..., first + i] * weights[i] for i in range(4))

    def shift(
        self, transformed: torch.Tensor, velocity: torch.Tensor, broadening: torch.Tensor
    ) -> torch.Tensor:
        """Shift and broaden.

        Parameters
        ----------
        transformed : complex tensor of shape (n_rows, n_frequencies)
        velocity, broadening : tensors of shape (n_rows,)
            In km/s, positive to the red; the standard deviation of the Gaussian.

        Returns
        -------
        transformed : complex tensor of shape (n_rows, n_frequencies)
        """
        return transformed * self.kernel(velocity, broadening)

    def kernel(self, velocity: torch.Tensor, broadening: torch.Tensor) -> torch.Tensor:
        """Return what transforms are multiplied with, of shape (n_rows, n_frequencies)."""
        phase = -2 * torch.pi * torch.atanh(velocity / SPEED_OF_LIGHT)[:, None] * self.frequency
        exponent = -2 * (torch.pi * broadening / SPEED_OF_LIGHT)[:, None].square()
        return torch.polar(torch.exp(exponent * self.frequency.square()), phase)

    def velocity_slope(self, velocity: torch.Tensor) -> torch.Tensor:
        """Return the derivative of the logarithm of `kernel` with respect to velocity."""
        by_velocity = 1 / SPEED_OF_LIGHT / (1 - (velocity / SPEED_OF_LIGHT).square())
        return -2j * torch.pi * by_velocity[:, None] * self.frequency

    def broadening_slope(self, broadening: torch.Tensor) -> torch.Tensor:
        """Return the derivative of the logarithm of `kernel` with respect to broadening."""
        factor = -4 * (torch.pi / SPEED_OF_LIGHT) ** 2 * broadening
        return factor[:, None] * self.frequency.square()

    def inside(self, reach: float, known: np.ndarray | None = None) -> np.ndarray:
        """Tell which pixels are further than `reach` km/s from anything unknown.

        Parameters
        ----------
        reach : float
        known : ndarray of bool of shape (n_pixels,), default=None
            Pixels that have flux; None is all.

        Returns
        -------
        inside : ndarray of bool of shape (n_pixels,)
            False near the ends of the grid, near gaps and near pixels without flux.
        """
        after = self._gaps()
        missing = np.zeros(len(self.log), dtype=bool) if known is None else ~known
        places = self.log[[0, -1]], self.log[after], self.log[after + 1], self.log[missing]
        ends = np.sort(np.concatenate(places))
        right = np.searchsorted(ends, self.log).clip(1, len(ends) - 1)
        distance = np.minimum(np.abs(self.log - ends[right - 1]), np.abs(ends[right] - self.log))
        return (distance >= reach / SPEED_OF_LIGHT) & ~missing

    def _gaps(self) -> np.ndarray:
        """Return the pixels before gaps."""
        steps = np.diff(self.log)
        return np.flatnonzero(steps > GAP * np.median(steps))

    def _across_gaps(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return axis and rows with straight lines in the gaps, where a spline would swing."""
        axis, step = self.log, np.median(np.diff(self.log))
        for before in self._gaps()[::-1]:
            left, right = axis[before], axis[before + 1]
            share = np.linspace(0, 1, 2 + int((right - left) / step))[1:-1]
            line = rows[..., [before]] * (1 - share) + rows[..., [before + 1]] * share
            axis = np.insert(axis, before + 1, left + share * (right - left))
            parts = rows[..., : before + 1], line, rows[..., before + 1 :]
            rows = np.concatenate(parts, axis=-1)
        return axis, rows


def _interpolation(grid: np.ndarray, targets: np.ndarray) -> tuple[torch.Tensor, torch.Tensor]:
    """Return first indices (n,) and weights (4, n) of cubic interpolation on an even grid."""
    position = (targets - grid[0]) / (grid[1] - grid[0])
    first = np.clip(np.floor(position).astype(int) - 1, 0, len(grid) - 4)
    x = position - first
    nodes = range(4)
    weights = [
        np.prod([(x - other) / (node - other) for other in nodes if other != node], axis=0)
        for node in nodes
    ]
    return torch.as_tensor(first), torch.as_tensor(np.array(weights))


MODEL_ROWS = 256
CACHE_ROWS = 16


class ForwardModel:
    """Flux, and its derivatives, of labels, split latents and nuisances.

    Parameters
    ----------
    model : SpectrumModel
    nuisances : sequence of {"velocity", "broadening"}, default=()
        Parameters after those of `model`, in this order.
    wavelength : ndarray of shape (n_pixels,), default=None
        In Angstrom; needed with nuisances.

    Attributes
    ----------
    n_parameters : int
        Labels, split latents and nuisances.
    n_inner : int
        Of these, the model's own.
    grid : LogGrid or None
    """

    def __init__(
        self,
        model: SpectrumModel,
        nuisances: Sequence[str] = (),
        wavelength: np.ndarray | None = None,
    ) -> None:
        self.model, self.nuisances = model, tuple(nuisances)
        self.n_inner = model.n_labels + model.n_split
        self.n_parameters = self.n_inner + len(self.nuisances)
        self.grid, self._transformed = None, None
        if self.nuisances and wavelength is not None:
            self.grid = LogGrid(wavelength)
            if model.basis is not None:
                self._transformed = torch.view_as_real(self.grid.to_fourier(model.basis)).flatten(1)

    def in_chunks(self, parameters: torch.Tensor) -> Iterator[tuple[slice, torch.Tensor]]:
        """Yield flux and its exact derivatives, a few rows at a time.

        Small products are quick in large batches, products with all pixels in a processor's cache.

        Parameters
        ----------
        parameters : tensor of shape (n_rows, n_parameters)

        Yields
        ------
        rows : slice
        seen : tensor of shape (n_few, 1 + n_parameters, n_pixels)
            Flux, then its derivatives; the caller's own.
        """
        for start in range(0, len(parameters), MODEL_ROWS):
            batch = parameters[start : start + MODEL_ROWS]
            values, slopes = self.model.with_jacobian(batch[:, : self.n_inner])
            both = torch.cat([values[:, None], slopes], dim=1)
            for first in range(0, len(batch), CACHE_ROWS):
                few = slice(first, first + CACHE_ROWS)
                seen = self._to_pixels(both[few], batch[few, self.n_inner :])
                rows = slice(start + first, start + first + len(seen))
                yield rows, seen

    def _to_pixels(self, both: torch.Tensor, nuisances: torch.Tensor) -> torch.Tensor:
        if self.grid is not None:
            return self._seen(both, nuisances)
        return both if self.model.basis is None else _multiply(both, self.model.basis)

    def _seen(self, both: torch.Tensor, nuisances: torch.Tensor) -> torch.Tensor:
        assert self.grid is not None
        velocity, broadening = self.split_nuisances(nuisances)
        kernel = self.grid.kernel(velocity, broadening)
        transformed = self._to_fourier(both) * kernel[:, None]
        by_name = {
            "velocity": lambda: self.grid.velocity_slope(velocity),
            "broadening": lambda: self.grid.broadening_slope(broadening),
        }
        extra = [transformed[:, 0] * by_name[name]() for name in self.nuisances]
        return self.grid.to_pixels(torch.cat([transformed, torch.stack(extra, dim=1)], dim=1))

    def split_nuisances(self, nuisances: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return velocity and broadening of each row, 0 where it isn't fitted.

        Parameters
        ----------
        nuisances : tensor of shape (n_rows, n_nuisances)

        Returns
        -------
        velocity, broadening : tensors of shape (n_rows,), km/s
        """
        columns = dict(zip(self.nuisances, nuisances.unbind(1), strict=True))
        zero = torch.zeros(len(nuisances), dtype=nuisances.dtype)
        return columns.get("velocity", zero), columns.get("broadening", zero)

    def _to_fourier(self, both: torch.Tensor) -> torch.Tensor:
        if self._transformed is None:
            assert self.grid is not None
            return self.grid.to_fourier(both)
        real = _multiply(both, self._transformed)
        return torch.view_as_complex(real.unflatten(-1, (-1, 2)))


def _multiply(rows: torch.Tensor, matrix: torch.Tensor) -> torch.Tensor:
    """Return ``rows @ matrix`` as one product: torch makes one of each row otherwise."""
    return (rows.flatten(0, 1) @ matrix).unflatten(0, rows.shape[:2])
