"""`AirVacuumConverter`: wavelengths in air to wavelengths in vacuum, and back."""

from typing import Any, ClassVar

import astropy.units as u
from sklearn.utils.validation import check_is_fitted

from spectragan.rules import Rules, one_of
from spectragan.spectra.checks import MEDIUM
from spectragan.spectra.container import Spectra
from spectragan.spectra.transformer import BaseSpectraTransformer, blank_spectra, spectra_on_axis

METHODS = ("Ciddor1996", "Morton2000", "Edlen1953", "Edlen1966", "PeckReeder1972", "Greisen2006")
# The formulas hold above, and below wavelengths are always given in vacuum.
SHORTEST_IN_AIR = 2000 * u.AA


class AirVacuumConverter(BaseSpectraTransformer):
    """Say or change what wavelengths were measured in; flux and ivar stay as they are.

    Parameters
    ----------
    medium : {"air", "vacuum"}, default=None
        What the wavelengths of the result are in. None converts nothing.
    initial_medium : {"air", "vacuum"}, default=None
        What the wavelengths of spectra are in that don't say so themselves (their ``medium`` is
        None). None refuses such spectra.
    method : str, default="Ciddor1996"
        Refractive index of air: ``"Ciddor1996"``, ``"Morton2000"``, ``"Edlen1953"``,
        ``"Edlen1966"``, ``"PeckReeder1972"`` or ``"Greisen2006"``, as in
        `specutils.utils.wcs_utils.refraction_index`, which computes it.

    Attributes
    ----------
    initial_medium_ : {"air", "vacuum"} or None
        What the wavelengths of the spectra of `fit` are in.
    old_axis_, new_axis_ : Quantity of shape (n_pixels,) or None
        The grid of `fit`, and the same pixels in the new medium, in the same unit and order.
    n_features_in_ : int
        Number of pixels.
    feature_names_in_ : ndarray of str of shape (n_pixels,)
        Names of the columns, if `fit` saw any.
    wavelength_ : Quantity of shape (n_pixels,) or None
        Grid seen in `fit`, in Angstrom.
    medium_ : {"air", "vacuum"} or None
        What the spectra of `fit` say.

    See Also
    --------
    Resampler : Brings converted spectra onto another grid.

    Notes
    -----
    Vacuum wavelengths are n times those in air, with the refractive index n of dry air at
    15 degrees Celsius, 101325 Pa and 450 ppm of carbon dioxide [1]_; it is a function of the
    vacuum wavelength, so that the way from air is iterated to 1e-12. The shift is 1.4 Angstrom at
    5000 Angstrom, 83 km/s: never mix the two. The pixels stay the same, their wavelengths change:
    a linear grid isn't exactly linear afterwards, and nothing is resampled.

    Below 2000 Angstrom wavelengths are given in vacuum by convention and nothing is converted: it
    is an error. An axis of frequencies or wavenumbers becomes that of the converted wavelengths.

    Arrays without wavelengths pass through the default; with `medium` they are refused.

    References
    ----------
    .. [1] Ciddor, P. E. 1996, Applied Optics, 35, 1566.

    Examples
    --------
    >>> import astropy.units as u
    >>> from spectragan import AirVacuumConverter, Spectra
    >>> s = Spectra([[1.0, 2.0]], [5000, 6562.79] * u.AA, medium="air")
    >>> out = AirVacuumConverter("vacuum").fit_transform(s)
    >>> out.medium, out.wavelength.round(2)
    ('vacuum', <Quantity [5001.39, 6564.6 ] Angstrom>)
    """

    _kept: ClassVar = {"initial_medium_": "word?", "old_axis_": "axis? p", "new_axis_": "axis? p"}
    _rules: ClassVar[Rules] = {
        **dict.fromkeys(("medium", "initial_medium"), MEDIUM),
        "method": one_of(*METHODS, text=f"one of {', '.join(METHODS)}"),
    }

    def __init__(
        self,
        medium: str | None = None,
        *,
        initial_medium: str | None = None,
        method: str = "Ciddor1996",
    ) -> None:
        self.medium = medium
        self.initial_medium = initial_medium
        self.method = method

    def _learn(self, spectra: Spectra) -> None:
        self.initial_medium_ = self._initial(spectra)
        self.old_axis_ = self.new_axis_ = spectra.spectral_axis
        if self.medium is None:
            return
        if spectra.wavelength is None:
            raise ValueError(
                "`medium` needs spectra with wavelengths; got none; pass Spectra with their "
                "wavelength, or leave `medium` None."
            )
        if self.medium != self.initial_medium_:
            self.new_axis_ = convert_axis(self.old_axis_, self.medium, self.method)

    def _initial(self, spectra: Spectra) -> str | None:
        said, given = spectra.medium, self.initial_medium
        if said and given and said != given:
            raise ValueError(
                f"`initial_medium` must be what the spectra say; got {given!r} for wavelengths in "
                f"{said}; leave it None, or correct their medium."
            )
        if self.medium and spectra.wavelength is not None and not (said or given):
            raise ValueError(
                "the medium of the spectra must be known; got None; pass `initial_medium`, "
                "'air' or 'vacuum', or Spectra that say their medium."
            )
        return said or given

    def _apply(self, spectra: Spectra) -> Spectra:
        if self.medium is None or spectra.wavelength is None:
            return spectra
        parts = spectra.flux, spectra.ivar, self.new_axis_, self.medium
        return spectra_on_axis(spectra, *parts)

    def inverse_transform(self, X: Any) -> Any:
        """Give spectra back the wavelengths that the spectra of `fit` had.

        Parameters
        ----------
        X : Spectra, specutils object or array-like of shape (n_spectra, n_pixels)
            On the converted grid.

        Returns
        -------
        Spectra, specutils object or ndarray
            On the grid of `fit`, in its medium.

        Raises
        ------
        GridMismatchError
            If `X` isn't on the converted grid.
        """
        check_is_fitted(self)
        if self.medium is None:
            return self.transform(X)
        back = AirVacuumConverter(self.initial_medium_, method=self.method)
        back.fit(blank_spectra(self.new_axis_, self.medium))
        back.new_axis_ = self.old_axis_  # as it was, to the last bit
        return back.transform(X)


def convert_axis(axis: u.Quantity, medium: str, method: str = "Ciddor1996") -> u.Quantity:
    """Return a spectral axis of the other medium in `medium`, in its own unit and order.

    Parameters
    ----------
    axis : Quantity of shape (n_pixels,)
        Of any spectral unit, in air if `medium` is "vacuum" and the other way round.
    medium : {"air", "vacuum"}
        What to convert to.
    method : str, default="Ciddor1996"
        See `AirVacuumConverter`.

    Returns
    -------
    Quantity of shape (n_pixels,)
        The same pixels.

    Raises
    ------
    ValueError
        If a wavelength is below 2000 Angstrom.
    """
    from specutils.utils.wcs_utils import air_to_vac, vac_to_air

    wavelength = axis.to(u.AA, u.spectral())
    if wavelength.min() < SHORTEST_IN_AIR:
        raise ValueError(
            "wavelengths to convert must be at least 2000 Angstrom, below which they are given in "
            f"vacuum; got {wavelength.min():.6g}; select pixels first."
        )
    if medium == "vacuum":
        converted = air_to_vac(wavelength, scheme="iteration", method=method)
    else:
        converted = vac_to_air(wavelength, method=method)
    return converted.to(axis.unit, u.spectral())
