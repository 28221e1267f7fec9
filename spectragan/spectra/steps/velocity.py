"""`RestFrameShifter`: spectra of moving stars in their rest frame.

Velocities are given, or found against a template by weighted cross-correlation.
"""

import warnings
from typing import Any, ClassVar

import astropy.units as u
import numpy as np
from sklearn.utils.validation import check_is_fitted

from spectragan.exceptions import VelocityWarning
from spectragan.rules import Rules, one_of
from spectragan.spectra.container import Spectra
from spectragan.spectra.convert import as_spectra, kind_of, like_input
from spectragan.spectra.doppler import (
    KMS,
    REST_FRAME_KEY,
    doppler_factor,
    row_speed_ratios,
    speed_ratio,
)
from spectragan.spectra.inputs import validate_spectra
from spectragan.spectra.joining import check_same_grid
from spectragan.spectra.rows import RADIAL_VELOCITY_KEY
from spectragan.spectra.steps.resampling import (
    MIN_COVERAGE,
    ROUNDING,
    broken_steps,
    find_neighbours,
)
from spectragan.spectra.transformer import (
    BLOCK_ROWS,
    BaseSpectraTransformer,
    angstrom_grid,
    row_blocks,
)


def shift_rows(
    spectra: Spectra, grid: np.ndarray, factors: np.ndarray, order: int, min_coverage: float
) -> tuple[np.ndarray, np.ndarray]:
    """Return every spectrum at its own multiple of the wavelengths of the grid.

    Parameters
    ----------
    spectra : Spectra of shape (n_spectra, n_pixels)
        At least two pixels.
    grid : ndarray of shape (n_pixels,)
        Their wavelengths, ascending.
    factors : ndarray of shape (n_spectra,)
        Pixel p of row i becomes what row i is at ``grid[p] * factors[i]``.
    order : int
        Odd order of the polynomial through the order + 1 pixels around that place. Where one of
        them is masked, they lie on both sides of a gap, or there are too few, the line between
        the two nearest takes its place.
    min_coverage : float
        The least weight that good pixels must have in that line.

    Returns
    -------
    flux, ivar : ndarray of shape (n_spectra, n_pixels)
        Of the dtype of `spectra`, 0 outside the grid and in its gaps. ivar is propagated where
        noise is known, else 0 or 1.
    """
    flux = np.zeros(spectra.shape, spectra.dtype)
    ivar = np.zeros_like(flux)
    largest = np.finfo(spectra.dtype).max
    for rows in row_blocks(len(spectra)):
        part = spectra[rows]
        good = part.ivar > 0
        values = part.filled().astype(float)
        known = (part.noise == "known")[:, None]
        with np.errstate(divide="ignore", over="ignore"):
            variance = np.where(good & known, 1 / part.ivar.astype(float), 0.0)
        places = grid * factors[rows, None]
        index, weights, usable = _stencil(grid, places, good, order, min_coverage)
        total, error = np.zeros_like(places), np.zeros_like(places)
        for k, weight in enumerate(weights):
            total += weight * np.take(values, index + k)
            if known.any():
                error += weight**2 * np.take(variance, index + k)
        flux[rows] = np.where(usable, total, 0)
        with np.errstate(divide="ignore"):
            new = np.where(known, np.minimum(1 / error, largest), 1.0)
        ivar[rows] = np.where(usable, new, 0)
    return flux, ivar


def _stencil(
    grid: np.ndarray, places: np.ndarray, good: np.ndarray, order: int, min_coverage: float
) -> tuple[np.ndarray, list[np.ndarray], np.ndarray]:
    """Return the flat index of first pixels, order + 1 weights and usable places, (n, p) each."""
    n_pixels = len(grid)
    order = min(order, 1 + 2 * ((n_pixels - 2) // 2))  # odd, and with enough pixels
    left, share, inside = find_neighbours(grid, places)
    row_start = n_pixels * np.arange(len(places))[:, None]
    near = [(1 - share) * np.take(good, row_start + left)]
    near.append(share * np.take(good, row_start + left + 1))
    coverage = near[0] + near[1]
    usable = inside & (coverage >= max(min_coverage - ROUNDING, ROUNDING))
    near = [weight / np.where(usable, coverage, 1) for weight in near]
    first = np.clip(left - (order - 1) // 2, 0, n_pixels - 1 - order)
    # A run of order + 1 good pixels around the place, which mustn't lie at the end of the grid.
    n_bad = np.cumsum(np.pad(~good, ((0, 0), (1, 0))), axis=1)
    padded = first + row_start + np.arange(len(places))[:, None]
    bad = np.take(n_bad, padded + order + 1) - np.take(n_bad, padded)
    n_gaps = np.r_[0, np.cumsum(broken_steps(grid)[0])]
    bad += n_gaps[first + order] - n_gaps[first]
    # On a pixel, the line is exact where the polynomial is to rounding.
    line = ~usable | (bad > 0) | (first != left - (order - 1) // 2) | (share % 1 == 0)
    weights = _lagrange(grid, places, first, order)
    steps = (left - first)[line]
    for k, weight in enumerate(weights):
        weight[line] = (steps == k) * near[0][line] + (steps == k - 1) * near[1][line]
    return first + row_start, weights, usable


def _lagrange(
    grid: np.ndarray, places: np.ndarray, first: np.ndarray, order: int
) -> list[np.ndarray]:
    """Return the weights of order + 1 pixels, from `first` on, in the polynomial through them."""
    runs = np.lib.stride_tricks.sliding_window_view(grid, order + 1)
    distance = [places - runs[first, k] for k in range(order + 1)]
    weights = []
    for k in range(order + 1):
        others = [m for m in range(order + 1) if m != k]
        weight = (1 / np.prod(runs[:, [k]] - runs[:, others], axis=1))[first]
        for m in others:
            weight *= distance[m]
        weights.append(weight)
    return weights


# Trial velocities are this far apart, in widths of a pixel; a parabola finds the place between.
STEP = 0.5
# The template is known well; it deserves the better interpolation.
TEMPLATE_ORDER = 5


def trial_velocities(wavelength: u.Quantity, max_velocity: float) -> np.ndarray:
    """Return velocities in km/s from -max to max, half a pixel apart, with 0 in the middle."""
    light = 1 / float(speed_ratio(1.0, "velocity"))
    pixel = light * np.median(np.diff(np.log(wavelength.value)))
    n = max(2, int(np.ceil(max_velocity / (STEP * pixel))))
    return np.linspace(-max_velocity, max_velocity, 2 * n + 1)


def measure_velocities(
    spectra: Spectra, template: Spectra, velocities: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    r"""Return the velocity of every spectrum, and its error, in km/s.

    Parameters
    ----------
    spectra : Spectra of shape (n_spectra, n_pixels)
        As observed.
    template : Spectra of shape (n_templates, n_pixels)
        At rest, on the same grid; the one is taken that fits best at the pixels all cover.
    velocities : ndarray of shape (n_trials,), km/s
        Trial velocities, evenly spaced.

    Returns
    -------
    velocity, error : ndarray of shape (n_spectra,)
        0 and infinity where there is no best velocity within the range.
    """
    common = common_pixels(template, velocities)
    best = np.full(len(spectra), np.inf)
    velocity, error = np.zeros(len(spectra)), np.full(len(spectra), np.inf)
    for row in range(len(template)):
        shifted, pixels = shifted_templates(template[row], velocities)
        squared = shifted**2
        for rows in row_blocks(len(spectra)):
            chi2, n_good = _chi2(spectra[rows], shifted, squared, pixels)
            v, e, lowest = _minimum(chi2, velocities)
            unknown = spectra.noise[rows] != "known"
            e[unknown] *= np.sqrt(np.maximum(lowest, 0) / np.maximum(n_good - 3, 1))[unknown]
            if (pixels & ~common).any():  # with fewer pixels, every template has less to explain
                chi2, _ = _chi2(spectra[rows], shifted, squared, common)
                lowest = _minimum(chi2, velocities)[2]
            better = np.isfinite(e) & (lowest < best[rows])
            best[rows] = np.where(better, lowest, best[rows])
            velocity[rows] = np.where(better, v, velocity[rows])
            error[rows] = np.where(better, e, error[rows])
    return velocity, error


def shifted_templates(template: Spectra, velocities: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return a template at all velocities, (n_pixels, n_trials), and the pixels it is known at."""
    copies = template[np.zeros(len(velocities), dtype=int)]
    grid = angstrom_grid(template, "a template")
    factors = 1 / doppler_factor(speed_ratio(velocities, "velocity"))
    flux, ivar = shift_rows(copies, grid, factors, TEMPLATE_ORDER, 1.0)
    pixels = np.asarray((ivar > 0).all(axis=0))
    flux = flux.astype(float) * pixels
    # Sums of squares lose fewer digits about the mean.
    mean = flux.sum() / max(1, flux.shape[0] * int(pixels.sum()))
    return ((flux - mean) * pixels).T, pixels


def common_pixels(template: Spectra, velocities: np.ndarray) -> np.ndarray:
    """Return the pixels, (n_pixels,), at which all templates are known at all velocities."""
    masks = np.unique(template.ivar > 0, axis=0, return_index=True)[1]
    known = [shifted_templates(template[row], velocities)[1] for row in masks]
    pixels = np.asarray(np.logical_and.reduce(known))
    if pixels.sum() < 3:
        raise ValueError(
            "`template` must be known at three pixels at least, in every row and at all velocities "
            f"up to `max_velocity`; got {int(pixels.sum())}; lower `max_velocity`, or leave out "
            "the templates with the most masked pixels."
        )
    return pixels


def _chi2(
    part: Spectra, shifted: np.ndarray, squared: np.ndarray, pixels: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return chi-squared (n_rows, n_trials) of the best offset and scale >= 0, and good pixels."""
    n = len(part)
    weights, flux = np.zeros(
        (2, max(n, BLOCK_ROWS), part.shape[1])
    )  # one shape: one order of summing
    weights[:n], flux[:n] = part.ivar * pixels, part.filled()
    total = np.maximum(weights.sum(axis=1), np.finfo(float).tiny)[:, None]
    flux -= (weights * flux).sum(axis=1, keepdims=True) / total
    mean = weights @ shifted / total
    variance = weights @ squared - total * mean**2
    covariance = np.maximum((weights * flux) @ shifted, 0)
    power = (weights * flux**2).sum(axis=1, keepdims=True)
    explained = np.divide(covariance**2, variance, out=np.zeros_like(variance), where=variance > 0)
    return (power - explained)[:n], (weights > 0).sum(axis=1)[:n]


def _minimum(chi2: np.ndarray, velocities: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return place, error and depth of the parabola through the three lowest trials."""
    step = velocities[1] - velocities[0]
    k = np.argmin(chi2, axis=1)
    inside = (k > 0) & (k < len(velocities) - 1)
    k = np.clip(k, 1, len(velocities) - 2)
    rows = np.arange(len(chi2))
    before, lowest, after = (chi2[rows, k + i] for i in (-1, 0, 1))
    bend = before + after - 2 * lowest
    found = inside & (bend > 0)
    bend = np.where(found, bend, 1.0)
    slope = before - after
    velocity = velocities[k] + step * slope / (2 * bend)
    error = step * np.sqrt(2 / bend)
    return (
        np.where(found, velocity, 0.0),
        np.where(found, error, np.inf),
        lowest - slope**2 / (8 * bend),
    )


ERROR_KEY = f"{REST_FRAME_KEY}_error"


class RestFrameShifter(BaseSpectraTransformer):
    r"""Shift spectra to the rest frame of their stars, by velocities given or measured.

    Parameters
    ----------
    velocity : str, Quantity or array-like of shape () or (n_spectra,), default=None
        Radial velocities, positive for receding stars: a key of meta, or velocities, in km/s if
        they have no unit. None measures them if there is a `template`, and shifts nothing if
        there is none.
    template : Spectra or specutils object of shape (n_templates, n_pixels), default=None
        Spectra at rest on the grid of the spectra, normalised like them. Velocities are
        measured against each of them, and the one is taken that fits best at the pixels that
        all of them cover.
    max_velocity : float, default=500.0
        Velocities are looked for from minus to plus this, in km/s.
    order : {1, 3, 5, 7}, default=3
        Order of the polynomials that spectra are interpolated with; 1 is linear.
    min_coverage : float, default=0.5
        Beside masked pixels, where interpolation is linear, the least weight of good ones.

    Attributes
    ----------
    template_ : Spectra of shape (n_templates, n_pixels) or None
        The templates.
    n_features_in_ : int
        Number of pixels.
    feature_names_in_ : ndarray of str of shape (n_pixels,)
        Names of the columns, if `fit` saw any.
    wavelength_ : Quantity of shape (n_pixels,) or None
        Grid seen in `fit`, in Angstrom.
    medium_ : {"air", "vacuum"} or None
        What the wavelengths were measured in.

    See Also
    --------
    TelluricMasker : Finds the bands of the atmosphere in shifted spectra.

    Notes
    -----
    All spectra stay on their common grid: pixel :math:`\lambda` becomes what the star was observed
    with at :math:`\lambda \sqrt{(1+v/c)/(1-v/c)}`, by the polynomial of `order` through the
    pixels around that place. If one of them is masked, the line between the two nearest takes its
    place; what lies outside the grid or in a gap of it gets ivar 0. Ivar is propagated where noise
    is known; correlations between neighbours are not part of it.

    Velocities are measured by least squares: at every trial velocity, half a pixel apart, the
    shifted template t is scaled and offset to fit the spectrum f, with w = ivar, and

    .. math:: \chi^2(v) = \min_{a \ge 0,\, b} \sum_p w_p (f_p - a\, t_p(v) - b)^2

    has its minimum at the peak of the weighted cross-correlation [1]_. The parabola through the
    lowest three points gives the velocity and its error, :math:`\Delta\chi^2 = 1`; where noise
    isn't known, the residuals say how large it is. Masked pixels have no weight, and pixels
    that the template doesn't cover at all velocities aren't used.

    The velocity in km/s is written to ``meta["rest_frame_velocity"]``, a measured one with its
    error to ``meta["rest_frame_velocity_error"]``, where `inverse_transform` finds it. A
    spectrum without a best velocity gets velocity 0 with infinite error and ivar 0, and a
    `VelocityWarning`. An ndarray can't carry velocities: see `measure`.

    References
    ----------
    .. [1] Zucker, S. 2003, MNRAS 342, 1291.

    Examples
    --------
    >>> import astropy.units as u
    >>> import numpy as np
    >>> from spectragan import RestFrameShifter, Spectra
    >>> wavelength = np.geomspace(5000, 5100, 400) * u.AA
    >>> def line(center):
    ...     return 1 - 0.5 * np.exp(-0.5 * (wavelength[None].value - center) ** 2)
    >>> star = Spectra(line(5050 * (1 + 60 / 299792)), wavelength, np.full((1, 400), 1e4))
    >>> rest = RestFrameShifter(template=Spectra(line(5050), wavelength)).fit_transform(star)
    >>> float(np.round(rest.meta["rest_frame_velocity"][0]))
    60.0
    >>> bool(np.allclose(rest.filled(1), line(5050), atol=1e-3))
    True
    """

    _kept: ClassVar = {"template_": "Spectra? n p"}
    _rules: ClassVar[Rules] = {
        "order": one_of(1, 3, 5, 7, text="one of 1, 3, 5, 7", remedy="try 3"),
        "min_coverage": MIN_COVERAGE,
    }

    def __init__(
        self,
        velocity: Any = None,
        *,
        template: Any = None,
        max_velocity: float = 500.0,
        order: int = 3,
        min_coverage: float = 0.5,
    ) -> None:
        self.velocity = velocity
        self.template = template
        self.max_velocity = max_velocity
        self.order = order
        self.min_coverage = min_coverage

    def _learn(self, spectra: Spectra) -> None:
        self._check_parameters(spectra)
        self.template_ = None
        if self.template is not None:
            self.template_ = as_spectra(self.template)
            check_same_grid(spectra, self.template_, names=("X", "template"))
            common_pixels(self.template_, self._trials())

    def _check_parameters(self, spectra: Spectra) -> None:
        if self.velocity is not None and self.template is not None:
            raise ValueError(
                "only one of `velocity` and `template` must be given; got both; "
                "leave `velocity` None to measure it."
            )
        beta = speed_ratio(self.max_velocity, "max_velocity")
        if beta.shape != () or not 0 < beta < 1:
            raise ValueError(
                f"`max_velocity` must be above 0 and below light; got {self.max_velocity!r}; "
                "give it in km/s."
            )
        asked = self.velocity is not None or self.template is not None
        if asked and (spectra.wavelength is None or spectra.shape[1] < 2):
            raise ValueError(
                "shifting needs spectra with at least two wavelengths; got "
                f"{'none' if spectra.wavelength is None else 'one'}; pass Spectra with their "
                "wavelength."
            )

    def _trials(self) -> np.ndarray:
        light = speed_ratio(1.0, "velocity")
        highest = float(speed_ratio(self.max_velocity, "max_velocity") / light)
        return trial_velocities(self.wavelength_, highest)

    def _apply(self, spectra: Spectra) -> Spectra:
        if self.velocity is None and self.template_ is None:
            return spectra
        meta = spectra.meta or {}
        if REST_FRAME_KEY in meta:
            raise ValueError(
                f"`X` must be as observed; got meta[{REST_FRAME_KEY!r}], which says that it was "
                "shifted to rest; use it as it is, or `inverse_transform` it first."
            )
        if RADIAL_VELOCITY_KEY in meta:  # what specutils said of the spectra as observed
            meta[RADIAL_VELOCITY_KEY] = np.zeros(len(spectra))
        if self.template_ is None:
            ratio = row_speed_ratios(self.velocity, spectra, "velocity")
            meta[REST_FRAME_KEY] = ratio / float(speed_ratio(1.0, "velocity"))
            return self._shift(spectra, doppler_factor(ratio), meta)
        velocity, error = self._measure(spectra)
        meta |= {REST_FRAME_KEY: velocity, ERROR_KEY: error}
        shifted = self._shift(spectra, doppler_factor(speed_ratio(velocity, "velocity")), meta)
        ivar = np.where(np.isfinite(error)[:, None], shifted.ivar, 0)
        return shifted._rebuild(shifted.flux, ivar, shifted.noise, meta)

    def _shift(self, spectra: Spectra, factors: np.ndarray, meta: dict) -> Spectra:
        grid = self.wavelength_.value
        flux, ivar = shift_rows(spectra, grid, factors, self.order, self.min_coverage)
        return spectra._rebuild(flux, ivar, spectra.noise, meta or None)

    def _measure(self, spectra: Spectra) -> tuple[np.ndarray, np.ndarray]:
        """Return velocities and errors in km/s; warn where there is none."""
        assert self.template_ is not None  # the callers have looked
        velocity, error = measure_velocities(spectra, self.template_, self._trials())
        n_lost = int((np.isinf(error) & (spectra.ivar > 0).any(axis=1)).sum())
        if n_lost:
            warnings.warn(
                f"{n_lost} spectra have no best velocity up to {self.max_velocity} km/s from "
                "the template; they are ignored (ivar 0).",
                VelocityWarning,
                stacklevel=4,
            )
        return velocity, error

    def measure(self, X: Any) -> tuple[u.Quantity, u.Quantity]:
        """Return the velocities of spectra against the template, without shifting them.

        Parameters
        ----------
        X : Spectra, specutils object or array-like of shape (n_spectra, n_pixels)
            As observed, on the grid of `fit`.

        Returns
        -------
        velocity, error : Quantity of shape (n_spectra,)
            In km/s; 0 and infinity where there is no best velocity.

        Raises
        ------
        GridMismatchError
            If `X` isn't on the grid of `fit`.
        ValueError
            If there is no template.

        Warns
        -----
        VelocityWarning
            If some spectra have no best velocity.
        """
        check_is_fitted(self)
        if self.template_ is None:
            raise ValueError(
                "`template` must be given to measure velocities; got None; pass spectra at rest."
            )
        velocity, error = self._measure(validate_spectra(self, X, reset=False))
        return velocity * KMS, error * KMS

    def inverse_transform(self, X: Any) -> Any:
        """Shift spectra back to where they were observed.

        Parameters
        ----------
        X : Spectra or specutils object of shape (n_spectra, n_pixels)
            Made by `transform`, or of such spectra with their meta kept.

        Returns
        -------
        Spectra or specutils object
            As observed, without what was shifted out of the grid.

        Raises
        ------
        GridMismatchError
            If `X` isn't on the grid of `fit`.
        ValueError
            If `X` doesn't carry its velocity.
        """
        check_is_fitted(self)
        if self.velocity is None and self.template_ is None:
            return self.transform(X)
        spectra = validate_spectra(self, X, reset=False)
        ratio = row_speed_ratios(REST_FRAME_KEY, spectra, "X")
        kept = (REST_FRAME_KEY, ERROR_KEY)
        meta = {key: values for key, values in (spectra.meta or {}).items() if key not in kept}
        if RADIAL_VELOCITY_KEY in meta or kind_of(X) in ("spectrum", "collection", "list"):
            meta[RADIAL_VELOCITY_KEY] = ratio / float(speed_ratio(1.0, "velocity"))
        return like_input(self._shift(spectra, 1 / doppler_factor(ratio), meta), X)
