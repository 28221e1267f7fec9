"""Check what translators are given."""

from typing import Any

import numpy as np

from spectragan.spectra import Spectra
from spectragan.spectra.convert import kind_of
from spectragan.spectra.inputs import check_latents
from spectragan.spectra.lazy import has_good_pixel

MIN_SPECTRA = 2  # of each domain


def check_latent_shape(
    z: Any, name: str, n_latents: int, *, n_rows: int | None = None
) -> np.ndarray:
    """Return latents as a finite float64 array of the shape that is needed.

    Parameters
    ----------
    z : array-like of shape (n_spectra, n_latents)
    name : str
        What to call `z` in a message.
    n_latents : int
        How many there must be.
    n_rows : int, default=None
        How many spectra there must be; None takes any number.

    Returns
    -------
    latents : ndarray of shape (n_spectra, n_latents)

    Raises
    ------
    ValueError
        If the shape is another one, or a latent is NaN or infinite.
    """
    latents = check_latents(z, name)
    expected = (len(latents) if n_rows is None else n_rows, n_latents)
    if latents.shape != expected:
        raise ValueError(
            f"latents `{name}` must have shape {expected}; got {latents.shape}; give them as "
            "`encode` does."
        )
    return latents


def usable_rows(spectra: Spectra, name: str) -> Spectra:
    """Return the rows that have a pixel which isn't masked.

    Parameters
    ----------
    spectra : Spectra
        One domain.
    name : {"synthetic", "observed"}
        Which one.

    Returns
    -------
    usable : Spectra

    Raises
    ------
    ValueError
        If there are fewer than 2 such rows.
    """
    seen = has_good_pixel(spectra)
    if seen.sum() < MIN_SPECTRA:
        found = "1 sample" if len(spectra) == 1 else f"{seen.sum()} of {len(spectra)}"
        raise ValueError(
            f"the {name} domain must have at least {MIN_SPECTRA} spectra with a pixel that isn't "
            f"masked; got {found}; add more spectra."
        )
    return spectra if seen.all() else spectra[seen]


def holds_spectra(y: Any) -> bool:
    """Return whether `y` holds spectra, and not the domain of every row.

    Parameters
    ----------
    y : object

    Returns
    -------
    holds : bool
    """
    if y is None:
        return False
    if kind_of(y) != "array":
        return True
    shape = np.asarray(y).shape
    return len(shape) == 2 and shape[1] > 1
