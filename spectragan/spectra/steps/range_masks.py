"""`TelluricMasker` and `SkyLineMasker`: ignore what the Earth's atmosphere spoils.

Its bands and lines are in the frame of the observer.
"""

import warnings
from typing import Any, ClassVar

import astropy.units as u
import numpy as np

from spectragan.exceptions import MissingWavelengthWarning
from spectragan.spectra.container import Spectra
from spectragan.spectra.doppler import REST_FRAME_KEY, doppler_factor, row_speed_ratios
from spectragan.spectra.ranges import ROUNDING
from spectragan.spectra.steps.medium import convert_axis
from spectragan.spectra.transformer import BaseSpectraTransformer

# Absorption bands in air, Angstrom: those of oxygen, water and carbon dioxide that are marked by
# Bessell 1999 (PASP 111, 1426) below 1 micron and by Smette et al. 2015 (A&A 576, A77) beyond.
# The ends are chosen here: from before the head of a band to where its lines thin out.
TELLURIC_BANDS = (
    (6270.0, 6330.0),  # O2 gamma
    (6860.0, 6970.0),  # O2 B
    (7160.0, 7400.0),  # H2O
    (7590.0, 7720.0),  # O2 A
    (8120.0, 8370.0),  # H2O
    (8930.0, 9860.0),  # H2O rho, sigma, tau
    (10980.0, 11730.0),  # H2O phi
    (12560.0, 12760.0),  # O2 infrared
    (13080.0, 15060.0),  # H2O psi
    (17400.0, 20900.0),  # H2O omega, CO2
)

# Emission lines in air, Angstrom: [O I], Na I and the brightest OH lines, from the lists of
# Osterbrock et al. 1996 (PASP 108, 277) and Osterbrock, Fulbright & Bida 1997 (PASP 109, 614);
# pairs closer than 1 Angstrom are one line at their mean.
SKY_LINES_AIR = (
    *(5577.338, 5889.950, 5895.924, 6300.304, 6363.776),
    *(6498.729, 6533.044, 6553.617, 6863.955, 6923.220, 6939.521),
    *(7276.405, 7284.439, 7303.716, 7316.282, 7329.148, 7340.885, 7358.659, 7571.746),
    *(7750.640, 7759.996, 7794.112, 7808.467, 7821.503, 7841.266, 7913.708, 7949.204, 7964.650),
    *(7993.332, 8014.059, 8025.810, 8062.179, 8310.719, 8344.602, 8382.392, 8399.170, 8415.231),
    *(8430.174, 8452.250, 8465.358, 8493.389, 8504.841, 8778.333, 8791.186, 8827.096, 8885.850),
    *(8903.114, 8919.635, 8943.395, 8958.084, 8988.366, 9001.346, 9038.057, 9375.961, 9419.729),
    *(9439.650, 9458.528, 9476.830, 9502.815, 9519.355, 9552.534, 9567.339, 9607.726, 9620.965),
)

# Emission lines in vacuum, Angstrom: bright OH lines of the H band, from Rousselot et al. 2000
# (A&A 354, 1134). Between 1 and 1.5 microns, and beyond 1.7, there are many more.
SKY_LINES_VACUUM = (
    *(15187.140, 15240.954, 15287.789, 15332.402, 15430.163, 15432.156, 15462.125, 15474.212),
    *(15539.711, 15540.945, 15546.141, 15570.159, 15597.631, 15702.539, 15862.489, 15869.307),
    *(15890.033, 15897.211, 16079.753, 16128.608, 16388.492, 16414.737, 16802.368, 16840.481),
)


class _RangeMasker(BaseSpectraTransformer):
    """Set ivar to 0 in ranges of wavelength that are fixed in the frame of the observer."""

    _kept: ClassVar = {"ranges_": "array r 2"}

    ranges: Any
    velocity: Any

    def _default_ranges(self, medium: str | None) -> np.ndarray:
        """Return the ranges to mask, (n_ranges, 2) in Angstrom."""
        raise NotImplementedError

    def _learn(self, spectra: Spectra) -> None:
        if self.ranges is not None:
            self.ranges_ = _read_ranges(self.ranges)
        else:
            self.ranges_ = self._default_ranges(spectra.medium)
        if spectra.wavelength is None:
            warnings.warn(
                f"{type(self).__name__} needs spectra with wavelengths and masks nothing without "
                "them; pass Spectra with their wavelength.",
                MissingWavelengthWarning,
                stacklevel=3,
            )

    def _apply(self, spectra: Spectra) -> Spectra:
        wavelength = self.wavelength_ if spectra.wavelength is None else spectra.wavelength
        if wavelength is None:
            return spectra
        meta = spectra.meta or {}
        velocity = self.velocity
        if velocity is None:
            velocity = REST_FRAME_KEY if REST_FRAME_KEY in meta else 0.0
        beta = row_speed_ratios(velocity, spectra, "velocity")
        factors, which = np.unique(doppler_factor(beta), return_inverse=True)
        grid = wavelength.value
        hit = np.zeros((len(factors), len(grid)), dtype=bool)
        for row, factor in zip(hit, factors, strict=True):
            observed = grid * factor
            starts = np.searchsorted(observed, self.ranges_[:, 0] * (1 - ROUNDING), side="left")
            stops = np.searchsorted(observed, self.ranges_[:, 1] * (1 + ROUNDING), side="right")
            for start, stop in zip(starts, stops, strict=True):
                row[start:stop] = True
        if self.ranges is not None and len(self.ranges_) and not hit.any():
            warnings.warn(
                f"no range of {type(self).__name__} lies on the grid of the spectra, "
                f"{grid[0]:.6g}-{grid[-1]:.6g} Angstrom; nothing is masked, check the unit.",
                MissingWavelengthWarning,
                stacklevel=3,
            )
        ivar = np.where(hit[which], spectra.dtype.type(0), spectra.ivar)
        return spectra._rebuild(spectra.flux, ivar, spectra.noise, spectra.meta)


class TelluricMasker(_RangeMasker):
    r"""Ignore the pixels that the Earth's atmosphere absorbs in.

    Parameters
    ----------
    ranges : list of (Quantity, Quantity) or (float, float), default=None
        Ranges to ignore, in the frame of the observer and the medium of the spectra; numbers are
        in Angstrom, ends are included. None is the bands of oxygen, water and carbon dioxide
        from 0.6 to 2.1 microns.
    velocity : str, Quantity or array-like of shape () or (n_spectra,), default=None
        By which velocity the spectra were shifted to rest, positive for receding stars: a key of
        meta, or velocities, numbers in km/s. None takes what `RestFrameShifter` has written to
        meta, and otherwise that the spectra are as observed.

    Attributes
    ----------
    ranges_ : ndarray of shape (n_ranges, 2)
        What is ignored, in the frame of the observer, in Angstrom.
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
    SkyLineMasker : For what the atmosphere emits.

    Notes
    -----
    Flux stays as it is under the new mask. The default ranges cover the bands of [1]_ and, below
    1 micron, [2]_, generously; between them, and below 0.6 microns, single weak lines stay.
    Where spectra don't say their medium, the ranges cover their places in air and in vacuum.

    A spectrum shifted to rest by the velocity v has its observed wavelengths at
    :math:`\lambda_\mathrm{rest} \sqrt{(1+v/c) / (1-v/c)}`: the bands move from row to row.

    Spectra without wavelengths can't be masked and pass through, with a
    `MissingWavelengthWarning` in `fit`; where no range that was given
    lies on the grid, there is one in `transform`.

    References
    ----------
    .. [1] Smette, A. et al. 2015, A&A 576, A77.
    .. [2] Bessell, M. S. 1999, PASP 111, 1426.

    Examples
    --------
    >>> import astropy.units as u
    >>> import numpy as np
    >>> from spectragan import Spectra, TelluricMasker
    >>> s = Spectra(np.ones((2, 5)), [7500, 7600, 7700, 7800, 7900] * u.AA, medium="air")
    >>> TelluricMasker().fit_transform(s).mask[0]
    array([False,  True,  True, False, False])
    >>> TelluricMasker([(780 * u.nm, 790 * u.nm)]).fit_transform(s).mask[0]
    array([False, False, False,  True,  True])
    """

    def __init__(self, ranges: list | None = None, *, velocity: Any = None) -> None:
        self.ranges = ranges
        self.velocity = velocity

    def _default_ranges(self, medium: str | None) -> np.ndarray:
        return _in_medium(np.array(TELLURIC_BANDS), "air", medium)


class SkyLineMasker(_RangeMasker):
    """Ignore the pixels around bright emission lines of the night sky.

    Parameters
    ----------
    ranges : list of (Quantity, Quantity) or (float, float), default=None
        Ranges to ignore, in the frame of the observer and the medium of the spectra; numbers are
        in Angstrom, ends are included. None is [O I], Na I and bright OH lines from 0.55 to 1.7
        microns, each with `half_width` on both sides.
    half_width : Quantity, default=None
        How far from a line of the default list pixels are ignored; None is 3 Angstrom.
    velocity : str, Quantity or array-like of shape () or (n_spectra,), default=None
        By which velocity the spectra were shifted to rest, positive for receding stars: a key of
        meta, or velocities, numbers in km/s. None takes what `RestFrameShifter` has written to
        meta, and otherwise that the spectra are as observed.

    Attributes
    ----------
    ranges_ : ndarray of shape (n_ranges, 2)
        What is ignored, in the frame of the observer, in Angstrom.
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
    TelluricMasker : For what the atmosphere absorbs; both shift and pass spectra in the same way.

    Notes
    -----
    The default lines are those of [1]_ below 1 micron and of [2]_ in the H band; they are bright
    ones, not all. Where spectra don't say their medium, the ranges cover the places of a line
    in air and in vacuum.

    References
    ----------
    .. [1] Osterbrock, D. E. et al. 1996, PASP 108, 277.
    .. [2] Rousselot, P. et al. 2000, A&A 354, 1134.

    Examples
    --------
    >>> import astropy.units as u
    >>> import numpy as np
    >>> from spectragan import SkyLineMasker, Spectra
    >>> s = Spectra(np.ones((1, 41)), np.linspace(5560, 5600, 41) * u.AA, medium="air")
    >>> s.wavelength[SkyLineMasker().fit_transform(s).mask[0]]
    <Quantity [5575., 5576., 5577., 5578., 5579., 5580.] Angstrom>
    """

    def __init__(
        self,
        ranges: list | None = None,
        *,
        half_width: u.Quantity | None = None,
        velocity: Any = None,
    ) -> None:
        self.ranges = ranges
        self.half_width = half_width
        self.velocity = velocity

    def _default_ranges(self, medium: str | None) -> np.ndarray:
        half = self._half_width()
        parts = ((SKY_LINES_AIR, "air"), (SKY_LINES_VACUUM, "vacuum"))
        lines = [_in_medium(np.repeat(x, 2).reshape(-1, 2), own, medium) for x, own in parts]
        return np.concatenate(lines) + np.array([-half, half])

    def _half_width(self) -> float:
        if self.half_width is None:
            return 3.0
        try:
            half = float(self.half_width.to_value(u.AA))
        except (AttributeError, TypeError, u.UnitConversionError) as error:
            raise ValueError(
                f"`half_width` must be a length such as 3 * u.AA; got {self.half_width!r}; "
                "give it a unit."
            ) from error
        if not half > 0:
            raise ValueError(f"`half_width` must be above 0; got {half} Angstrom; try 3 * u.AA.")
        return half


def _in_medium(ranges: np.ndarray, own: str, medium: str | None) -> np.ndarray:
    """Return ranges given in their `own` medium in `medium`; if that is None, cover both."""
    if medium == own:
        return ranges
    other = convert_axis(ranges * u.AA, "air" if own == "vacuum" else "vacuum").value
    if medium is not None:
        return other
    both = np.stack([ranges, other])
    return np.stack([both[..., 0].min(axis=0), both[..., 1].max(axis=0)], axis=1)


def _read_ranges(ranges: Any) -> np.ndarray:
    try:
        ends = [
            [
                e.to_value(u.AA, u.spectral()) if isinstance(e, u.Quantity) else float(e)
                for e in pair
            ]
            for pair in ranges
        ]
        read = np.sort(np.array(ends, dtype=float).reshape(-1, 2), axis=1)
        if not np.isfinite(read).all():
            raise ValueError("not finite")
        return read
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"`ranges` must hold pairs of wavelengths that are finite; got {ranges!r}; write for "
            "example [(6860 * u.AA, 697 * u.nm)]."
        ) from error
