"""Units as people write them in headers and headings, and logarithms around them."""

import re
from functools import reduce
from operator import truediv
from typing import Any, NamedTuple

import astropy.units as u

from spectragan.exceptions import FileAssumptionWarning
from spectragan.spectra.formats.pixels import FileProblem, ReadOptions

_FLAM, _FNU = u.erg / (u.s * u.cm**2 * u.AA), u.erg / (u.s * u.cm**2 * u.Hz)
# Written in the headers of archives, of IRAF and of MIDAS; "A" alone would be ampere.
WORDS: dict[str, u.UnitBase] = {
    **dict.fromkeys(("a", "aa", "å", "ang", "angs", "angstrom", "ångström", "angstroem"), u.AA),
    **dict.fromkeys(("nm", "nanometer", "nanometre"), u.nm),
    **dict.fromkeys(("um", "µm", "micron", "micrometer", "micrometre"), u.um),
    **dict.fromkeys(("inversemicron", "inverse micron"), 1 / u.um),
    **dict.fromkeys(("hz", "hertz"), u.Hz),
    "ghz": u.GHz,
    "thz": u.THz,
    "ev": u.eV,
    "kev": u.keV,
    **dict.fromkeys(("count", "ct", "cts"), u.count),
    **dict.fromkeys(("adu", "du", "dn"), u.adu),
    **dict.fromkeys(("e-", "e", "electron"), u.electron),
    **dict.fromkeys(("photon", "phot"), u.photon),
    **dict.fromkeys(("s", "sec", "second"), u.s),
    **dict.fromkeys(("pixel", "pix"), u.pix),
    "flam": _FLAM,
    "fnu": _FNU,
    "photlam": _FLAM * u.photon / u.erg,
    "photnu": _FNU * u.photon / u.erg,
    "jy": u.Jy,  # "mjy" isn't here: it may be milli or mega
}
ANGSTROM_IN_FLUX = re.compile(
    r"(?<![A-Za-z])(A|AA|Å|Angs?\.?|Angstr\.?|[AÅ]ngstr(?:oe|o|ö)ms?)(?![A-Za-z])", re.IGNORECASE
)
# What is written where there is no unit.
NOTHING = re.compile(
    r"|-+|1(\.0*)?|n/?a|null|none|unknown|undefined|unitless|adimensional|a\.u\.|flux|intensity"
    r"|((continuum[\s_-]*)?normali[sz]ed|continuum|relative|rel|norm|arbitrary|arb|dimensionless"
    r"|no)\.?([\s_-]*(flux|intensity|units?|counts|scale))?",
    re.IGNORECASE,
)
LOGARITHMS = re.compile(
    r"^(log_?10|log_?e(?![a-z])|log|lg(?![a-z])|dex(?![a-z])|ln(?![a-z]))[\W_]*", re.IGNORECASE
)
BASES = {"dex": "log10", "lg": "log10", "loge": "ln"}
# What is written around a unit of wavelengths: air or vacuum, and what it is the unit of.
AROUND = re.compile(
    r"\W*\b(?:in )?(?:air|vac(?:uum)?)\b\W*|^(?:lambda|wavelength)\b\W*", re.IGNORECASE
)
IN_BRACKETS = re.compile(r"[\[(]([^\[\]()]*)[\])]")


class NotLinear(FileProblem):
    """Flux is in magnitudes, or in another logarithm."""


class AxisUnit(NamedTuple):
    """Unit of wavelengths, and the logarithm that they are in.

    Parameters
    ----------
    unit : astropy.units.UnitBase or None
        None if nobody says.
    log : {"", "log10", "ln", "log"}
        "log" doesn't say the base.
    """

    unit: u.UnitBase | None
    log: str = ""


def parse_unit(text: Any, name: str) -> u.UnitBase | None:
    """Return the unit that a header names, or None if it names none."""
    word = str("" if text is None else text).strip()
    bare = IN_BRACKETS.fullmatch(word)
    word = bare[1].strip() if bare else word
    if NOTHING.fullmatch(word):
        return None
    known = _in_words(word)
    if known is not None:
        return known
    plain = ANGSTROM_IN_FLUX.sub("Angstrom", word)
    plain = re.sub(r"\b(erg|photon|electron|count)s\b", r"\1", plain, flags=re.I)
    for candidate in (plain, plain.lower().replace("angstrom", "Angstrom"), word):
        try:
            return u.Unit(candidate)
        except (ValueError, TypeError, ArithmeticError):
            continue
    can_be_given = name in ("wavelength", "flux")
    remedy = f"pass {name}_unit to say what it is" if can_be_given else "correct it in the file"
    raise FileProblem(
        f"the unit of the {name} must be one that astropy reads; got {word!r}; {remedy}."
    )


def _in_words(word: str) -> u.UnitBase | None:
    """Return a unit made of the words above, one or a quotient of them, or None."""
    units = [_one_word(part) for part in word.lower().split("/")]
    known = [unit for unit in units if unit is not None]
    return reduce(truediv, known) if len(known) == len(units) else None


def _one_word(word: str) -> u.UnitBase | None:
    plain = word.strip().rstrip(".")
    return WORDS.get(plain) or WORDS.get(plain.removesuffix("s"))


def axis_unit(text: Any) -> AxisUnit:
    """Return the unit of wavelengths that a text says, without the logarithm around it."""
    if isinstance(text, u.function.FunctionUnitBase):
        return AxisUnit(text.physical_unit, "log10")
    word = "" if text is None else AROUND.sub("", str(text).strip())
    match = LOGARITHMS.match(word)
    if match is None:
        return AxisUnit(parse_unit(word, "wavelength"))
    log = match[1].lower().replace("_", "")
    inner = AROUND.sub("", re.sub(r"\W+$", "", word[match.end() :]))
    return AxisUnit(parse_unit(inner, "wavelength"), BASES.get(log, log))


def given_axis_unit(unit: Any) -> AxisUnit | None:
    """Return what a caller says of the unit of wavelengths, such as "nm" or "log10(Angstrom)".

    Raises
    ------
    ValueError
        If nobody reads it.
    """
    if unit is None:
        return None
    try:
        return axis_unit(unit if isinstance(unit, str | u.UnitBase) else u.Unit(unit))
    except (FileProblem, ValueError, TypeError) as error:
        raise ValueError(
            f"a unit must be one that astropy reads; got {unit!r}; write for example 'nm', or "
            "'log10(Angstrom)'."
        ) from error


def _linear(unit: u.UnitBase) -> u.UnitBase:
    """Return a unit of flux, which must not be a logarithm: errors and means would be wrong."""
    if isinstance(unit, u.function.FunctionUnitBase) or {u.mag, u.dex, u.dB} & set(unit.bases):
        raise NotLinear(
            f"its flux must be linear; got {str(unit)!r}; undo the logarithm, or pass flux_unit if "
            "the file is wrong."
        )
    return unit


def flux_unit(said: Any, options: ReadOptions) -> u.UnitBase:
    """Return the unit of flux: what the caller says, else what the file says, else none.

    A unit that nobody reads is said and left out: flux that is normalised has none anyway.
    """
    if options.flux_unit is not None:
        return options.flux_unit
    try:
        return _linear(parse_unit(said, "flux") or u.dimensionless_unscaled)
    except NotLinear:
        raise
    except FileProblem:
        options.note(
            FileAssumptionWarning,
            f"the unit of its flux, {str(said).strip()!r}, can't be read, and flux is taken "
            "without a unit; pass flux_unit to say what it is",
        )
        return u.dimensionless_unscaled
