"""Units as people write them in headers, beside those that astropy reads."""

import re
from typing import Any

import astropy.units as u

from spectragan.spectra.formats.problem import FileProblem

# Written in the headers of archives and of IRAF; "A" alone would be ampere.
WORDS = {
    "a": u.AA,
    "aa": u.AA,
    "ang": u.AA,
    "angs": u.AA,
    "angstrom": u.AA,
    "angstroms": u.AA,
    "ångström": u.AA,
    "å": u.AA,
    "nanometer": u.nm,
    "nanometers": u.nm,
    "nanometre": u.nm,
    "nanometres": u.nm,
    "micron": u.um,
    "microns": u.um,
    "micrometer": u.um,
    "micrometers": u.um,
    "um": u.um,
    "µm": u.um,
    "hertz": u.Hz,
    "counts": u.count,
}
ANGSTROM_IN_FLUX = re.compile(r"(?<![A-Za-z])(A|Ang|ang|AA|Angstroms|angstroms)(?![A-Za-z])")
NOTHING = {"", "none", "arbitrary", "relative", "normalized", "normalised", "dimensionless", "1"}


def parse_unit(text: Any, name: str) -> u.UnitBase | None:
    """Return the unit that a header names, or None if it names none."""
    word = str(text or "").strip()
    if word.lower() in NOTHING:
        return None
    if word.lower() in WORDS:
        return WORDS[word.lower()]
    for candidate in (ANGSTROM_IN_FLUX.sub("Angstrom", word), word):
        try:
            return u.Unit(candidate)
        except (ValueError, TypeError):
            continue
    can_be_given = name in ("wavelength", "flux")
    remedy = f"pass {name}_unit to say what it is" if can_be_given else "correct it in the file"
    raise FileProblem(
        f"the unit of the {name} must be one that astropy reads; got {word!r}; {remedy}."
    )


def wavelength_unit(text: Any, given: u.UnitBase | None) -> u.UnitBase:
    """Return the unit of wavelengths, from the file or as given; without one they mean nothing."""
    unit = given if given is not None else parse_unit(text, "wavelength")
    if unit is None:
        raise FileProblem(
            "its wavelengths must have a unit; got none; pass for example wavelength_unit='nm'."
        )
    return unit


def without_log(text: Any) -> tuple[str, bool]:
    """Return a unit without the logarithm around it, as in "log10(Angstrom)", and if it had one."""
    word = str(text or "").strip()
    inner = re.sub(r"^(log(10)?|dex)[\W_]*", "", word, flags=re.IGNORECASE)
    return (word, False) if inner == word else (re.sub(r"\W+$", "", inner), True)
