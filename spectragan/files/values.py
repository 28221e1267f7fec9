"""Values that a file holds as a few simpler ones: units, quantities, random generators, ..."""

import re
from collections.abc import Callable
from fractions import Fraction
from typing import Any, NamedTuple

import numpy as np

from spectragan.files.layout import refusal

# One word and no operators: astropy evaluates "10**1000000000 m" for hours.
UNIT_NAME = re.compile(r"[^\W\d]{1,30}|%")
LARGEST_POWER = 1000
GENERATORS = ("MT19937", "PCG64", "PCG64DXSM", "Philox", "SFC64")
SAVE_AGAIN = "it was damaged or changed: save the model again."


class Codec(NamedTuple):
    """How values of one kind are taken apart and put together again.

    Attributes
    ----------
    matches : callable
        Whether a value is of this kind.
    apart : callable
        The value as a list of simpler ones.
    together : callable
        The value of such a list; raises ModelFileError or ValueError for any other.
    """

    matches: Callable[[Any], bool]
    apart: Callable[[Any], list[Any]]
    together: Callable[[list[Any]], Any]


def _is_unit(value: Any) -> bool:
    from astropy.units import UnitBase

    return isinstance(value, UnitBase)


def _unit_apart(unit: Any) -> list[Any]:
    from astropy.units import NamedUnit

    if isinstance(unit, NamedUnit):
        parts: list[Any] = [None, [unit.name], [[1, 1]]]
    else:
        powers = [Fraction(power).limit_denominator(LARGEST_POWER) for power in unit.powers]
        names = [base.name for base in unit.bases]
        parts = [float(unit.scale), names, [[p.numerator, p.denominator] for p in powers]]
    try:
        known = _unit_together(parts) == unit
    except ValueError:
        known = False
    if not known:
        remedy = "convert it first."
        raise refusal("a unit must be one that astropy knows by name", str(unit), remedy)
    return parts


def _unit_together(parts: list[Any]) -> Any:
    import astropy.units as u

    scale, names, powers = parts
    bases, exact = [], []
    for name, power in zip(names, powers, strict=True):
        small = all(type(n) is int and abs(n) <= LARGEST_POWER for n in power)
        if type(name) is not str or not UNIT_NAME.fullmatch(name) or not small:
            raise refusal("a unit must have a name and a small power", [name, power], SAVE_AGAIN)
        bases.append(u.Unit(name))
        exact.append(Fraction(*power))
    return bases[0] if scale is None else u.CompositeUnit(float(scale), bases, exact)


def _is_function_unit(value: Any) -> bool:
    from astropy.units.function import FunctionUnitBase

    return isinstance(value, FunctionUnitBase)


def _function_units() -> dict[str, Any]:
    import astropy.units as u

    return {"dB": u.DecibelUnit, "dex": u.DexUnit, "mag": u.MagUnit}


def _function_unit_apart(unit: Any) -> list[Any]:
    for name, cls in _function_units().items():
        if type(unit) is cls and unit == cls(unit.physical_unit):
            return [name, unit.physical_unit]
    raise refusal("a unit must be one that astropy knows", str(unit), "convert it first.")


def _function_unit_together(parts: list[Any]) -> Any:
    name, physical = parts
    return _function_units()[name](physical)


def _is_quantity(value: Any) -> bool:
    from astropy.units import Quantity

    return type(value) is Quantity


def _quantity_apart(quantity: Any) -> list[Any]:
    value = quantity.value
    # A plain number, or an array that isn't copied and so stays shared.
    if np.ndim(value) == 0 and quantity.dtype == np.float64:
        return [float(value), quantity.unit]
    return [np.asarray(value), quantity.unit]


def _quantity_together(parts: list[Any]) -> Any:
    from astropy.units import Quantity

    values, unit = parts
    if type(values) not in (np.ndarray, float) or not (_is_unit(unit) or _is_function_unit(unit)):
        raise refusal("a quantity must have numbers and a unit", parts, SAVE_AGAIN)
    return Quantity(values, unit, copy=None, dtype=getattr(values, "dtype", None))


def _random_state_apart(state: np.random.RandomState) -> list[Any]:
    name, keys, position, has_gauss, cached = state.get_state()
    return [name, keys, int(position), int(has_gauss), float(cached)]


def _random_state_together(parts: list[Any]) -> np.random.RandomState:
    name, keys, position, has_gauss, cached = parts
    made = np.random.RandomState()
    if keys.shape != (624,) or not 0 <= position <= 624 or has_gauss not in (0, 1):
        raise refusal("a random state must be one of MT19937", position, SAVE_AGAIN)
    made.set_state((name, keys, position, has_gauss, cached))
    return made


def _generator_apart(generator: np.random.Generator) -> list[Any]:
    return [dict(generator.bit_generator.state)]


def _generator_together(parts: list[Any]) -> np.random.Generator:
    (state,) = parts
    name = state.get("bit_generator")
    if name not in GENERATORS:
        raise refusal("a random generator must be one of numpy's", name, SAVE_AGAIN)
    made = getattr(np.random, name)()
    made.state = state
    return np.random.Generator(made)


def _is_sparse(value: Any) -> bool:
    # Asked of every value: scipy.sparse has no part in most models.
    return type(value).__name__ == "csr_array" and type(value).__module__.startswith("scipy.")


def _sparse_apart(matrix: Any) -> list[Any]:
    return [matrix.data, matrix.indices, matrix.indptr, list(matrix.shape)]


def _sparse_together(parts: list[Any]) -> Any:
    from scipy.sparse import csr_array

    data, indices, indptr, shape = parts
    whole = all(type(part) is np.ndarray and part.dtype.kind == "i" for part in (indices, indptr))
    counts = len(shape) == 2 and all(type(n) is int and 0 <= n < 2**31 for n in shape)
    if not whole or not counts or data.shape != indices.shape or indptr.shape != (shape[0] + 1,):
        raise refusal("a sparse matrix must have indices that fit", shape, SAVE_AGAIN)
    made = csr_array((data, indices, indptr), shape=tuple(shape))
    # Compiled code follows the indices without looking: one outside would read foreign memory.
    made.check_format(full_check=True)
    if len(indices) and (indptr[0] != 0 or (np.diff(indptr) < 0).any()):
        raise refusal("a sparse matrix must have rows in order", indptr[:2], SAVE_AGAIN)
    return made


def _names_together(parts: list[Any]) -> np.ndarray:
    if not all(type(name) is str for name in parts):
        raise refusal("names must be words", parts, SAVE_AGAIN)
    names = np.empty(len(parts), dtype=object)
    names[:] = parts
    return names


def _text_apart(words: np.ndarray) -> list[Any]:
    width = words.dtype.itemsize // 4
    code = np.ascontiguousarray(words, dtype=words.dtype.newbyteorder("="))
    return [code.view(np.uint32).reshape(*words.shape, width)]


def _text_together(parts: list[Any]) -> np.ndarray:
    (code,) = parts
    if code.dtype != np.uint32 or code.ndim < 1 or not code.shape[-1]:
        raise refusal("text must be characters", code.shape, SAVE_AGAIN)
    if code.max(initial=0) > 0x10FFFF:
        raise refusal("text must be characters", int(code.max()), SAVE_AGAIN)
    code = np.ascontiguousarray(code)
    return code.view(f"=U{code.shape[-1]}").reshape(code.shape[:-1])


def _is_text(value: Any) -> bool:
    return type(value) is np.ndarray and value.dtype.kind == "U" and value.dtype.itemsize > 0


def _is_names(value: Any) -> bool:
    names = type(value) is np.ndarray and value.dtype == object and value.ndim == 1
    return names and all(isinstance(name, str) for name in value)


def _exactly(cls: type) -> Callable[[Any], bool]:
    return lambda value: type(value) is cls


CODECS: dict[str, Codec] = {
    "function_unit": Codec(_is_function_unit, _function_unit_apart, _function_unit_together),
    "generator": Codec(_exactly(np.random.Generator), _generator_apart, _generator_together),
    "names": Codec(_is_names, lambda names: [str(name) for name in names], _names_together),
    "quantity": Codec(_is_quantity, _quantity_apart, _quantity_together),
    "random_state": Codec(
        _exactly(np.random.RandomState), _random_state_apart, _random_state_together
    ),
    "slice": Codec(
        _exactly(slice), lambda s: [s.start, s.stop, s.step], lambda parts: slice(*parts)
    ),
    "sparse": Codec(_is_sparse, _sparse_apart, _sparse_together),
    "text": Codec(_is_text, _text_apart, _text_together),
    "unit": Codec(_is_unit, _unit_apart, _unit_together),
}
