"""`RestFrameShifter`: spectra of moving stars in their rest frame."""

import warnings
from typing import Any

import astropy.units as u
import numpy as np
from sklearn.utils.validation import check_is_fitted

from spectragan.exceptions import VelocityWarning
from spectragan.spectra.base import BaseSpectraTransformer
from spectragan.spectra.container import Spectra
from spectragan.spectra.convert import as_spectra, like_input
from spectragan.spectra.cross_correlation import (
    common_pixels,
    measure_velocities,
    trial_velocities,
)
from spectragan.spectra.doppler import (
    KMS,
    REST_FRAME_KEY,
    doppler_factor,
    row_speed_ratios,
    speed_ratio,
)
from spectragan.spectra.estimator_input import validate_spectra
from spectragan.spectra.grid import check_same_grid
from spectragan.spectra.resampling import check_coverage
from spectragan.spectra.shifting import shift_rows

ERROR_KEY = f"{REST_FRAME_KEY}_error"
ORDERS = (1, 3, 5, 7)


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
        check_coverage(self.min_coverage)
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
        whole = isinstance(self.order, int | np.integer) and not isinstance(self.order, bool)
        if not whole or self.order not in ORDERS:
            raise ValueError(f"`order` must be one of 1, 3, 5, 7; got {self.order!r}; try 3.")
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
        return like_input(self._shift(spectra, 1 / doppler_factor(ratio), meta), X)
