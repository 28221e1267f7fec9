"""What of a continuum travels with its spectra: keys of meta, and how they are read."""

from typing import Any

import astropy.units as u
import numpy as np

COEFFICIENTS_KEY = "continuum_coefficients"
UNIT_KEY = "continuum_unit"


def refuse_normalised(meta: dict[str, Any]) -> None:
    """Raise if a row carries a continuum, which a second one would replace."""
    if any(row is not None for row in meta.get(COEFFICIENTS_KEY, ())):
        raise ValueError(
            f"`X` must not be normalised yet; got meta[{COEFFICIENTS_KEY!r}], which says that it "
            "was; use it as it is, or `inverse_transform` it first."
        )


def pop_coefficients(meta: dict[str, Any], n_coefficients: int) -> np.ndarray:
    """Take the coefficients, (n_spectra, n_coefficients), out of meta, or raise one sentence."""
    carried = meta.pop(COEFFICIENTS_KEY, None)
    if carried is None or any(row is None for row in carried):
        raise ValueError(
            f"`X` must carry its continuum in meta[{COEFFICIENTS_KEY!r}], as `transform` "
            "leaves it; got spectra without; pass Spectra or specutils objects that were "
            "transformed, or multiply an ndarray by `continuum(X)`."
        )
    coefficients = np.array(list(carried), dtype=float)
    expected = (len(coefficients), n_coefficients)
    if coefficients.shape != expected:
        raise ValueError(
            f"the continuum in meta must have {n_coefficients} coefficients per spectrum; got "
            f"shape {coefficients.shape}; use the ContinuumNormalizer that made it."
        )
    return coefficients


def pop_unit(meta: dict[str, Any]) -> u.UnitBase:
    """Take the unit that all rows had out of meta; rows that say None had none."""
    one = u.dimensionless_unscaled
    units = [one if unit is None else unit for unit in meta.pop(UNIT_KEY, None) or [one]]
    if any(unit != units[0] for unit in units):
        words = ", ".join(dict.fromkeys(repr(str(unit)) for unit in units))
        raise ValueError(
            f"the rows of `X` must have had one unit of flux before they were normalised; got "
            f"{words}; invert the rows of each unit apart."
        )
    return units[0]
