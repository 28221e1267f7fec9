"""True syntheses: LTE spectra computed line by line."""

import astropy.units as u
import numpy as np
from sklearn.utils import Bunch

from spectragan.datasets.storage import load_arrays
from spectragan.spectra import Spectra

__all__ = ["load_turbospectrum"]

_DESCR = """303 LTE syntheses (Turbospectrum on MARCS models), without noise

Flux: continuum-normalised, 4800.5-5709.5 angstrom in air, steps of 0.9 angstrom, FWHM 2.5 angstrom.
Atomic lines and H beta only, no molecules. Labels: teff (K), logg (dex, cgs), mh (dex), alpham
(dex, 0 everywhere), vmicro (km/s, 1 or 2).
Computed with the code of the package turbospectrum 1.0.2 on the model grid in roland 1.0.0 (MIT
licence, (c) 2022 D. L. Nidever); the line list and MARCS state no licence there: cite Plez 2012
(Turbospectrum, ascl:1205.004) and Gustafsson et al. 2008, A&A 486, 951 (MARCS).
"""


def load_turbospectrum() -> Bunch:
    """Load 303 true syntheses, continuum-normalised.

    Returns
    -------
    data : Bunch
        ``spectra`` (`Spectra` of shape (303, 1011), 4800.5-5709.5 Å in air, noise ``exact``),
        ``labels`` (303, 5) with ``teff`` (K), ``logg`` (dex, cgs), ``mh`` (dex), ``alpham``
        (dex, 0 everywhere) and ``vmicro`` (km/s, 1 or 2), ``label_names``, ``DESCR``. All arrays
        are copies.

    References
    ----------
    .. [1] Plez, B. 2012, Turbospectrum, ascl:1205.004.
    .. [2] Gustafsson, B. et al. 2008, A&A 486, 951 (MARCS).

    Examples
    --------
    >>> from spectragan.datasets import load_turbospectrum
    >>> data = load_turbospectrum()
    >>> data.spectra.shape, data.label_names
    ((303, 1011), ('teff', 'logg', 'mh', 'alpham', 'vmicro'))
    """
    arrays = load_arrays("turbospectrum_marcs_303")
    wavelength = 4800.5 + 0.9 * np.arange(arrays["flux_norm"].shape[1])
    return Bunch(
        spectra=Spectra(arrays["flux_norm"], wavelength * u.AA, noise="exact", medium="air"),
        labels=arrays["labels"],
        label_names=tuple(arrays["label_names"].tolist()),
        DESCR=_DESCR,
    )
