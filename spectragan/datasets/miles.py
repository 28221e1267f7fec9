"""Real stars: the F, G and K stars of the MILES library."""

import astropy.units as u
from sklearn.utils import Bunch

from spectragan.datasets.populations import LABEL_NAMES
from spectragan.datasets.storage import load_arrays
from spectragan.datasets.synthetic import miles_wavelength
from spectragan.spectra import Spectra

__all__ = ["load_miles"]

_DESCR = """440 real stars of the MILES library, 3800-8000 K

Flux: 4000.4-6799.4 angstrom in air, steps of 0.9 angstrom, FWHM 2.5 angstrom, rest frame; each
spectrum divided by its own median. Labels: catalogue teff (K), logg (dex, cgs), feh (dex).
The library gives NO uncertainties: noise is "unknown", and any error model is an assumption.
Source: MILES v9.1 templates in the wheel sdss-mangadap 4.5.0 (BSD-3-Clause, (c) 2018 SDSS). MILES
states no licence there: cite Sanchez-Blazquez et al. 2006, MNRAS 371, 703 and Falcon-Barroso et
al. 2011, A&A 532, A95.
"""


def load_miles() -> Bunch:
    """Load 440 real F, G and K stars of the MILES library.

    Returns
    -------
    data : Bunch
        ``spectra`` (`Spectra` of shape (440, 3111), flux divided by its median, 4000.4-6799.4 Å
        in air, noise ``unknown``), ``labels`` (440, 3) with ``teff`` (K), ``logg`` (dex, cgs) and
        ``feh`` (dex), ``label_names``, ``names`` (440,), ``miles_id`` (440,), ``DESCR``. All
        arrays are copies.

    See Also
    --------
    make_synthetic_spectra : synthetic spectra on the same grid.

    References
    ----------
    .. [1] Sánchez-Blázquez, P. et al. 2006, MNRAS 371, 703.
    .. [2] Falcón-Barroso, J. et al. 2011, A&A 532, A95.

    Examples
    --------
    >>> from spectragan.datasets import load_miles
    >>> miles = load_miles()
    >>> miles.spectra.shape, str(miles.names[0])
    ((440, 3111), 'HD101227')
    """
    arrays = load_arrays("miles_fgk_440")
    spectra = Spectra(
        arrays["flux"],
        miles_wavelength() * u.AA,
        noise="unknown",
        medium="air",
        meta={"name": arrays["name"].copy()},
    )
    return Bunch(
        spectra=spectra,
        labels=arrays["labels"],
        label_names=LABEL_NAMES,
        names=arrays["name"],
        miles_id=arrays["miles_id"],
        DESCR=_DESCR,
    )
