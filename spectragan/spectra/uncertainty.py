"""Astropy uncertainties to inverse variances: exactly three classes mean what they say."""

from typing import Any

import astropy.units as u
import numpy as np
from astropy.nddata import InverseVariance, StdDevUncertainty, VarianceUncertainty

from spectragan.spectra.validation import to_unit

# name: (class, power of the flux unit that its unit is)
UNCERTAINTIES = {
    "ivar": (InverseVariance, -2),
    "std": (StdDevUncertainty, 1),
    "var": (VarianceUncertainty, 2),
}
_NAME_OF = {cls: name for name, (cls, _) in UNCERTAINTIES.items()}


class UnitFactors:
    """Factors from the unit of an uncertainty to that of its class, looked up once per unit."""

    def __init__(self, unit: u.UnitBase) -> None:
        self.targets = {name: unit**power for name, (_, power) in UNCERTAINTIES.items()}
        self.known: dict[tuple[str, int], float] = {}
        self.units: list[u.UnitBase] = []  # keeps ids alive

    def __call__(self, name: str, unit: u.UnitBase | None) -> float:
        """Return the factor for one class of uncertainty in one unit."""
        key = (name, id(unit))
        if key not in self.known:
            self.units.append(unit)
            target = self.targets[name]
            value = 1.0 if unit is None else to_unit(u.Quantity(1.0, unit), target, "uncertainty")
            self.known[key] = float(value)
        return self.known[key]


def fill_ivar(
    out: np.ndarray, uncertainty: Any, values: Any, mask: Any, factor: UnitFactors
) -> None:
    """Write the inverse variance of one spectrum; 0/1 weights where there is no uncertainty."""
    if uncertainty is None:
        out[:] = 1
    else:
        _invert(out, uncertainty, uncertainty.array if values is None else values, factor)
    if mask is not None:
        np.copyto(out, 0, where=np.asarray(mask, dtype=bool))


def _invert(out: np.ndarray, uncertainty: Any, values: np.ndarray, factor: UnitFactors) -> None:
    name = uncertainty_name(uncertainty)
    scale = factor(name, uncertainty.unit)
    scaled = values if scale == 1 else np.multiply(values, scale, dtype=float)
    with np.errstate(divide="ignore", over="ignore", invalid="ignore"):
        if name == "ivar":
            out[:] = scaled
        elif name == "var":
            np.reciprocal(scaled, out=out, casting="same_kind", dtype=float)
        else:  # the sign survives, so that a negative one is found later
            np.multiply(scaled, np.abs(scaled), out=out, casting="same_kind")
            np.reciprocal(out, out=out)


def uncertainty_name(uncertainty: Any) -> str:
    """Return "ivar", "std" or "var" for an astropy uncertainty, or raise."""
    name = _NAME_OF.get(type(uncertainty))
    if name is None:
        raise ValueError(
            "an uncertainty must be a StdDevUncertainty, VarianceUncertainty or InverseVariance; "
            f"got {type(uncertainty).__name__}; say which of them it is."
        )
    return name
