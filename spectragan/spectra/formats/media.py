"""Air or vacuum: the many ways in which files say it."""

import re
from typing import Any

# As a word of its own: not in "airmass" or in the name of a star.
AIR, VACUUM = re.compile(r"(?<![a-z])air(?![a-z])"), re.compile(r"(?<![a-z])vac(uum)?(?![a-z])")
# Names of cards whose text may be about wavelengths, not about a dome or a dewar.
OF_WAVELENGTHS = re.compile(
    r"AIR_?OR_?VAC|VAC_?OR_?AIR|AIRVAC|VACAIR|VACUUM|MEDIUM|.*WAV.*|LAM.*|WL.*|SPECWA.*|WCSNAME"
    r"|CNAME1|WFRAME|REFFRAME"
)
# Names of flags; the last two say what was done to the wavelengths.
FLAG = re.compile(
    r"(?:(?:WAVE?|WL|LAM(?:BDA)?|IN|IS)?_?(AIR|VAC)(?:UUM)?_?(?:WAVE?|WL|LAM(?:BDA)?|CORR?)?"
    r"|VAC2(AIR)|AIR2(VAC))"
)
MEDIA = {"AIR": "air", "VAC": "vacuum"}
OTHER = {"air": "vacuum", "vacuum": "air"}
TRUE, FALSE = {"true", "t", "1", "1.0", "yes"}, {"false", "f", "0", "0.0", "no"}
# Cards of the axis, whose comments may say it; that of CTYPE1='WAVE' is written by programs.
COMMENTED = ("CUNIT1", "CRVAL1", "CDELT1", "CD1_1", "COEFF0")


def header_flag(header: Any, name: str) -> bool | None:
    """Return a flag of a header, which programs also write as a word; None if it says neither."""
    said = str(header.get(name, "")).strip().lower()
    return True if said in TRUE else False if said in FALSE else None


def medium_in(text: Any) -> str | None:
    """Return the medium that a text names; None if it names none or both."""
    words = str(text).lower().replace("_", " ")
    air, vacuum = AIR.search(words), VACUUM.search(words)
    return None if bool(air) == bool(vacuum) else "air" if air else "vacuum"


def header_medium(*headers: Any) -> str | None:
    """Return the medium that the first of some headers says that says any, or None."""
    return next((medium for medium in map(_medium, headers) if medium), None)


def _medium(header: Any) -> str | None:
    """Return what a header says of the medium; CTYPE1='WAVE' is written for both, so says none."""
    if str(header.get("CTYPE1", "")).strip().upper().startswith("AWAV"):
        return "air"
    for name in header:
        upper = name.upper().replace(" ", "_")
        if OF_WAVELENGTHS.fullmatch(upper) and (said := medium_in(header[name])):
            return said
        flag = FLAG.fullmatch(upper)
        is_set = header_flag(header, name) if flag else None
        if flag is not None and is_set is not None:
            medium = MEDIA[next(word for word in flag.groups() if word)]
            return medium if is_set else OTHER[medium]
    return medium_in(" ".join(_comment(header, name) for name in COMMENTED if name in header))


def _comment(header: Any, name: str) -> str:
    if hasattr(header, "comment"):
        return str(header.comment(name))
    return str(header.comments[name]) if hasattr(header, "comments") else ""


def named_medium(name: str, others: Any) -> str | None:
    """Return the medium in the name of an axis, such as "wave_air"; one of a pair is the other."""
    if name == "awav":
        return "air"
    for word, medium in (("air", "air"), ("vac", "vacuum")):
        if re.search(rf"(^|_|\W|wave|wavelength|lambda|lam){word}|^{word}", name):
            return medium
    pair = [w for w in ("air", "vac") for o in others if o in (f"{name}_{w}", f"{name}{w}")]
    return {"air": "vacuum", "vac": "air"}[pair[0]] if len(set(pair)) == 1 else None
