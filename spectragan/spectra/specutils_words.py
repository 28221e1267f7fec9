"""Words of specutils in ours: metadata, and uncertainties as inverse variances."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import astropy.units as u
import numpy as np
from astropy.nddata import InverseVariance, StdDevUncertainty, VarianceUncertainty

from spectragan.spectra.checks import to_unit
from spectragan.spectra.rows import RADIAL_VELOCITY_KEY, drop_absent, join_meta

# What specutils has no place for travels under these keys, written only where it isn't the
# default ("unknown" without uncertainty, no medium).
KMS = u.km / u.s
NOISE_KEY = "spectragan_noise"
MEDIUM_KEY = "spectragan_medium"


def merge_meta(metas: Sequence[Mapping[str, Any] | None]) -> dict[str, Any] | None:
    """Return one list per key; spectra without a key hold None there."""
    if not any(metas):
        return None
    rows = [{key: [value] for key, value in (meta or {}).items()} for meta in metas]
    return join_meta(rows, [1] * len(rows))


def split_meta(meta: Mapping[str, Any], n_rows: int) -> dict[str, Any] | None:
    """Return per-row values of a dict that all rows share; what isn't per row is repeated."""
    if not meta:
        return None
    return {
        key: value if _is_per_row(value, n_rows) else [value] * n_rows
        for key, value in meta.items()
    }


def _is_per_row(value: Any, n_rows: int) -> bool:
    return (
        isinstance(value, list | tuple | np.ndarray) and np.ndim(value) > 0 and len(value) == n_rows
    )


def velocities_of(axis: Any, n_rows: int) -> np.ndarray:
    """Return the radial velocities in km/s that an axis of specutils says, 0 if it says none."""
    said = getattr(axis, "radial_velocity", None)
    if said is None:
        return np.zeros(n_rows)
    return np.nan_to_num(np.broadcast_to(np.ravel(said.to_value(KMS)), n_rows).astype(float))


def with_velocities(meta: dict[str, Any] | None, velocities: np.ndarray) -> dict[str, Any] | None:
    """Return meta with radial velocities, if there are any."""
    return (meta or {}) | {RADIAL_VELOCITY_KEY: velocities} if velocities.any() else meta


def row_velocities(spectra: Any) -> np.ndarray:
    """Return the radial velocity in km/s that each spectrum carries; 0 where it carries none."""
    said = (spectra.meta or {}).get(RADIAL_VELOCITY_KEY)
    if said is None:
        return np.zeros(len(spectra))
    return np.array([0.0 if value is None else float(value) for value in said])


def wcs_medium(wcs: Any) -> str | None:
    """Return "air" if a FITS WCS says that its wavelengths are in air (AWAV), else None."""
    types = getattr(getattr(wcs, "wcs", None), "ctype", ())
    return "air" if any(str(word).upper().startswith("AWAV") for word in types) else None


def pop_words(meta: dict[str, Any] | None, n_rows: int) -> tuple[list[str], str | None, Any]:
    """Take the words on noise and medium out of meta."""
    if meta is None:
        return ["unknown"] * n_rows, None, None
    words = meta.pop(NOISE_KEY, None) or ["unknown"] * n_rows
    media = meta.pop(MEDIUM_KEY, None) or [None]
    medium = next((m for m in media if m), None)
    return [word or "unknown" for word in words], medium, meta or None


def row_metas(spectra: Any) -> Iterator[dict[str, Any]]:
    """Yield one dict per spectrum, without the keys it doesn't have."""
    meta = _with_words(spectra)
    for i in range(len(spectra)):
        row = {key: values[i] for key, values in meta.items()}
        yield {key: value for key, value in row.items() if value is not None}


def shared_meta(spectra: Any) -> dict[str, Any]:
    """Return one dict of all rows; a value that is the same object in every row appears once."""
    meta = drop_absent(_with_words(spectra)) or {}
    return {key: values[0] if _is_repeated(values) else values for key, values in meta.items()}


def _is_repeated(values: Any) -> bool:
    return isinstance(values, list) and all(value is values[0] for value in values)


def _with_words(spectra: Any) -> dict[str, Any]:
    meta = spectra.meta or {}
    meta = {key: getattr(values, "iloc", values) for key, values in meta.items()}
    meta.pop(RADIAL_VELOCITY_KEY, None)  # specutils has a place for it
    if (spectra.noise == "exact").any():
        meta[NOISE_KEY] = ["exact" if word == "exact" else None for word in spectra.noise]
    if spectra.medium:
        meta[MEDIUM_KEY] = [spectra.medium] * len(spectra)
    return meta


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
