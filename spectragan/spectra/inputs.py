"""Check what the diagnostics are given, once, at their edge."""

import numbers
from typing import Any

import numpy as np

from spectragan.spectra.container import Spectra
from spectragan.spectra.convert import as_spectra
from spectragan.spectra.grid import check_same_grid
from spectragan.spectra.joining import concatenate
from spectragan.spectra.lazy import any_good

MIN_SPECTRA = 10  # fewer say nothing about a distribution: a half would have under five


def make_rng(
    random_state: int | np.random.RandomState | np.random.Generator | None,
) -> np.random.Generator:
    """Return a private generator; numpy's global one is never read or advanced.

    Parameters
    ----------
    random_state : int, RandomState, Generator or None
        An int gives the same numbers each time, an instance is advanced, None takes fresh entropy.

    Returns
    -------
    rng : numpy.random.Generator
        The generator to draw from.

    Examples
    --------
    >>> from spectragan.spectra.inputs import make_rng
    >>> bool(make_rng(0).integers(100) == make_rng(0).integers(100))
    True
    """
    if isinstance(random_state, np.random.RandomState):
        return np.random.default_rng(int(random_state.randint(2**31 - 1)))
    is_seed = isinstance(random_state, numbers.Integral) and random_state >= 0
    if not (is_seed or random_state is None or isinstance(random_state, np.random.Generator)):
        raise ValueError(
            f"`random_state` must be an integer >= 0, a generator or None; got {random_state!r}; "
            "use 0 for the same numbers each time."
        )
    return np.random.default_rng(random_state)


def draw_seed(rng: np.random.Generator) -> int:
    """Return a seed for code that takes only integers."""
    return int(rng.integers(2**31 - 1))


def check_set(
    x: Any,
    name: str,
    *,
    like: Spectra | None = None,
    like_name: str = "b",
    min_rows: int = MIN_SPECTRA,
) -> Spectra:
    """Return `x` as a `Spectra` with enough rows, on the grid of `like`.

    Parameters
    ----------
    x : anything that `as_spectra` accepts, of shape (n_spectra, n_pixels)
        The spectra.
    name : str
        What to call `x` in a message.
    like : Spectra, default=None
        The spectra whose grid and flux unit `x` is brought to.
    like_name : str, default="b"
        What to call `like` in a message.
    min_rows : int, default=10
        The least number of spectra.

    Returns
    -------
    spectra : Spectra of shape (n_spectra, n_pixels)
        The checked spectra.

    Raises
    ------
    ValueError
        If there are fewer than `min_rows` spectra, no pixel is unmasked or the units
        do not convert.
    GridMismatchError
        If the grids differ.
    """
    spectra = as_spectra(x)
    if len(spectra) < min_rows:
        raise ValueError(
            f"`{name}` must hold at least {min_rows} spectra; got {len(spectra)}; give more rows."
        )
    if not any_good(spectra):
        raise ValueError(
            f"`{name}` must have an unmasked pixel; got ivar == 0 everywhere; check its mask."
        )
    if like is None:
        return spectra
    check_same_grid(like, spectra, names=(like_name, name))
    # Joining converts flux and ivar to the unit of `like`, or says that they do not convert.
    return spectra if spectra.unit == like.unit else concatenate([like, spectra])[len(like) :]


def check_latents(z: Any, name: str) -> np.ndarray:
    """Return latents as a finite float64 array of shape (n_spectra, n_latents).

    Raises
    ------
    ValueError
        If `z` is not two-dimensional or holds NaN or infinity.
    """
    array = np.asarray(z, dtype=np.float64)
    if array.ndim != 2:
        raise ValueError(
            f"latents `{name}` must have shape (n_spectra, n_latents); got {array.shape}; "
            "give one row per spectrum."
        )
    if not np.isfinite(array).all():
        row, column = np.argwhere(~np.isfinite(array))[0]
        raise ValueError(
            f"latents `{name}` must be finite; got {array[row, column]} at row {row}, "
            f"latent {column}; check the translator's training."
        )
    return array
