"""What the columns and image HDUs of a file are: one table of UCDs, UTYPEs and names.

A file that says what a column is (UCD, UTYPE) is believed. Else its name counts, from a list, most
telling first, and then from a pattern: people write ERR_FLUX, STATERROR and dflux.
"""

import re
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np


@dataclass(frozen=True)
class Column:
    """Values of one column, its unit as it is written (None: not given), and what it says it is.

    A `role` is that of a standard which says it outright, such as that of ESO for images.
    """

    values: np.ndarray
    unit: Any = None
    ucd: str = ""
    utype: str = ""
    comment: str = ""
    role: str = ""


class Role(NamedTuple):
    """What a column may be, and how it is recognised; patterns are of small letters."""

    ucd: str
    utype: str
    names: tuple[str, ...]
    pattern: str = r"(?!)"
    excluded: str = r"(?!)"


# What is beside the flux of a star in many files: errors of these are not the errors of the flux.
BESIDE = (
    r"sky|backg|contin|model|tellu|resol|wave|(?<!f)(?<!f_)lambda|redshift|snr|log|mag"
    r"|(^|_)(bg|back|cont|fit|lsf|psf|wdisp|disp|(?<!f)lam|vel|rv|sys|scat|ln|time|line|ebv)"
)
GOOD_MASK = (
    *("good", "goodpix", "good_pixel", "is_good", "valid", "usable", "dataqual", "gpm", "ok"),
    *("is_ok", "use", "used"),
)
_ERROR = (
    *("flux_error", "error", "err", "flux_err", "fluxerr", "e_flux", "eflux", "sigma", "std"),
    *("stddev", "flux_sigma", "uncertainty", "flux_uncertainty", "unc", "flux_unc", "errs"),
    *("errors", "noise", "staterror", "uncert"),
)
ROLES = {
    "wavelength": Role(
        r"^em\.(wl|freq|wavenumber|energy)",
        r"spectralaxis\.value$",
        (
            *("wavelength", "wave", "wavelengths", "lambda", "lam", "wl", "wvl", "spectral_axis"),
            *("loglam", "log_lambda", "logwave", "log_wave", "frequency", "freq", "nu"),
            *("wavenumber", "wavenum", "energy", "wave_air", "wavelength_air", "lambda_air"),
            *("wave_vac", "wavelength_vac", "lambda_vac", "vac_wavelength", "ln_lambda", "lnlam"),
            "awav",
        ),
        r"wave|lambda|^wl_|^lam_|^(log(_?10|_?e)?|lg|ln)_?(lam|wl|wvl|w)(?![a-z])",
        r"err|sig|unc|std|flag|mask|qual|grid|corr|shift|width|bin",
    ),
    "flux": Role(
        r"^(phot\.(flux|count)|arith\.ratio;phot\.flux)(?!.*(continuum|background))",
        r"fluxaxis\.value$",
        (
            *("flux", "fluxes", "flux_density", "flam", "f_lambda", "fnu", "intensity"),
            *("spectrum", "normalized_flux", "normalised_flux", "norm_flux", "flux_norm"),
        ),
        r"flux|^spec$|^f_?(lam|nu)",
        f"err|sig|unc|std|var|^e_|^d_|^d_?flux|^delta|_s?[de]$|fluxs?[de]$|flag|mask|qual|ratio|sum|corr|{BESIDE}",
    ),
    "ivar": Role(
        r"(?!)",
        r"(?!)",
        ("ivar", "invvar", "inverse_variance", "flux_ivar"),
        r"iv(ar)?\d*(_|$)|inv_?var|inverse_?var",
        BESIDE,
    ),
    "variance": Role(
        r"^stat\.variance(;phot|$)",
        r"(?!)",
        ("variance", "var", "flux_variance", "flux_var", "stat"),
        r"varian|(^|_)var(_|$)|var_?flux|flux_?var",
        BESIDE,
    ),
    "error": Role(
        r"^stat\.(error|stdev|uncertainty)(;phot|;arith|$)",
        r"fluxaxis\.accuracy\.staterror",
        _ERROR,
        r"err|sigma|(^|_)sig(_|$)|sig_?(flux|flam)|(flux|flam)_?sig|unc|std|st_?dev|rms|noise"
        r"|^[de]_?(flux|flx|flam|fnu|norm|f)$|(^|_)e_?flux|^flux_?[de]$|(^|_)sd$|^enorm|delta_?f",
        BESIDE,
    ),
    "mask": Role(
        r"^meta\.code(\.qual)?(;|$)",
        r"fluxaxis\.(accuracy\.)?quality",
        (
            *("mask", "bad", "badpix", "bad_pixel", "dq", "and_mask", "andmask", "qual"),
            *("quality", "pixmask", "flags", "flag", "maskbits", "bpm", *GOOD_MASK),
        ),
        r"mask|flag|qual|(^|_)dqf?(_|$)|bad|bpm|good|valid|usable|reject|cosmic|outlier|saturat",
        BESIDE,
    ),
    "identity": Role(
        r"^meta\.id.*meta\.main",
        r"(?!)",
        (
            *("source_id", "targetid", "object_id", "sobject_id", "apogee_id", "sdss_id"),
            *("mangaid", "objid", "designation", "id", "name", "object", "star", "starname"),
            *("star_name", "star_id", "target", "target_name", "targname", "objname", "obj"),
            *("object_name", "main_id", "gaia_id", "catalogid", "tic", "tic_id", "kic", "kepid"),
            *("epic", "hip", "hd", "cname", "simbad", "source", "tmass", "2mass", "ucac", "uid"),
            *("specobjid", "desig", "label", "identifier", "dr3_source_id", "obsid", "obs_id"),
        ),
        r"(?<!gr)(?<!vo)(?<!res)(?<!val)id(s|entifier)?$|name$|^id_|^gaia|^id$|^objid|designation",
        r"survey|field|prog|run|night|tile|plate|fib|tele|inst|file|exp|cam|model|class|type|err",
    ),
    "snr": Role(r"^stat\.snr", r"(?!)", ("snr", "sn", "s_n", "snr_median", "median_snr")),
}
LOGARITHMIC = re.compile(r"^(log_?10|log_?e|log|lg|ln)_?(?=[a-z])|_(log10|log|ln)$")
RELATIVE = re.compile(r"rel(ative)?_?(err|unc|sig|flux|$)|(err|unc|sig|flux)_?rel|frac|perc|pct")
# Tokens of errors and of flux, left out where the names of a column and of its error are compared.
_TOKENS = r"stat|error|errs?|sigma|sig|uncert(ainty)?|unc|std|stddev|flux|flam|fnu|[^a-z0-9]"


def find_role(columns: dict[str, Column], role: str, beside: str | None = None) -> str | None:
    """Return the name of the column that has a role, or None.

    Parameters
    ----------
    columns : dict of Column
        By their names in small letters.
    role : str
        A key of `ROLES`.
    beside : str, default=None
        Name of the column of flux. Of several errors, the one whose name is like it is taken.

    Returns
    -------
    str or None
        A key of `columns`. What is recognised only by a pattern, or is text, must be as long as
        the flux.
    """
    rule = ROLES[role]
    said = [name for name, column in columns.items() if column.role == role and name != beside]
    if said:
        return said[0]
    per_row = role in ("identity", "snr")
    flux = None if beside is None or per_row else columns[beside].values
    ranked, others = [], set() if beside is None or per_row else _stems_of_flux(columns, beside)
    for order, (name, column) in enumerate(columns.items()):
        is_other = name == beside or _stem(name) in others
        rank = None if is_other else _rank(rule, name, column)
        if rank is None or not (flux is None or _may_be_of(flux, column.values, rank[0])):
            continue
        alike = beside is None or _stem(name) == _stem(beside)
        ranked.append((rank[0], not alike, rank[1], order, name))
    ranked.sort()
    unclear = role in ("wavelength", "flux") and len(ranked) > 1 and ranked[0][0] == _BY_PATTERN
    return ranked[0][-1] if ranked and not unclear else None


def _stems_of_flux(columns: dict[str, Column], beside: str) -> set[str]:
    """Return what is in the names of further columns of flux, and so of their errors."""
    flux = (n for n, c in columns.items() if n != beside and _rank(ROLES["flux"], n, c))
    return {_stem(name) for name in flux} - {_stem(beside), ""}


def is_beside_flux(name: str) -> bool:
    """Tell whether the name of an image says that it is no flux, but what is beside it."""
    rules = [rule for role, rule in ROLES.items() if role not in ("flux", "identity", "snr")]
    named = any(name in rule.names or re.search(rule.pattern, name) for rule in rules)
    return named or bool(re.search(ROLES["flux"].excluded, name))


_BY_UCD, _BY_NAME, _BY_PATTERN = range(3)


def _rank(rule: Role, name: str, column: Column) -> tuple[int, int] | None:
    """Return how a column was recognised, and how telling its name is; None if it was not."""
    if column.role:  # of another, since this isn't the one that it says
        return None
    ucd, utype = column.ucd.lower(), column.utype.lower().replace(",", ".")
    place = rule.names.index(name) if name in rule.names else len(rule.names)
    if ucd and re.search(rule.ucd, ucd):
        return _BY_UCD, place - (len(rule.names) + 1) * ("meta.main" in ucd)
    if utype and re.search(rule.utype, utype):
        return _BY_UCD, place
    if name in rule.names:
        return _BY_NAME, place
    if column.values.dtype.kind not in "biuf" and rule is not ROLES["identity"]:
        return None
    if re.search(rule.pattern, name) and not re.search(rule.excluded, name):
        return _BY_PATTERN, 0
    return None


def _may_be_of(flux: np.ndarray, values: np.ndarray, how: int) -> bool:
    """Tell whether values may be said pixel by pixel; a wrong length is an error of named ones."""
    return values.shape == flux.shape or (how != _BY_PATTERN and values.ndim >= flux.ndim)


def _stem(name: str) -> str:
    return re.sub(_TOKENS, "", name)


def log_in_name(name: str) -> str:
    """Return the logarithm that the name of a column says, such as "log10" for "loglam"."""
    match = LOGARITHMIC.search(name)
    if match is None or not re.search(r"lam|wav|wl|w$", name):
        return ""
    base = (match[1] or match[2]).replace("_", "")
    return "ln" if base in ("ln", "loge") else "log10"


def good_is_said(name: str, column: Column) -> bool:
    """Tell whether the name of a mask, or the comment on it, says that it marks good pixels."""
    return bool(SAID_GOOD.search(column.comment) or NAMED_GOOD.search(name))


_ONE, _MEANS = r"(?:1|true|t|non-?zero|set)", r"\s*(?:=|:|-|is|are|means|for)\s*"
_ZERO = r"(?:0|false|f|zero)"
_GOOD, _BAD = r"(?:good|valid|usable)(?: pixels?)?", r"(?:bad|invalid)(?: pixels?)?"
_PAIRS = ((_ONE, _GOOD), (_GOOD, _ONE), (_ZERO, _BAD), (_BAD, _ZERO))
SAID_GOOD = re.compile(
    "|".join(rf"\b{left}{_MEANS}{right}\b" for left, right in _PAIRS) + r"|^\W*good[\s-]?pix",
    re.IGNORECASE,
)
NAMED_GOOD = re.compile(r"good|valid|usable|^dataqual$|^gpm$|(^|_)ok$|^used?$")


def with_nan(values: np.ndarray, is_null: np.ndarray) -> np.ndarray:
    """Return numbers with NaN where there are none; integers that NaN would change as words."""
    if not is_null.any():
        return values
    if values.dtype.kind in "iu" and np.abs(values[~is_null].astype(float)).max(initial=0) > 2**53:
        return np.where(is_null, "", values.astype(str))
    return np.where(is_null, np.nan, values)


def bits_as_flags(values: np.ndarray, is_bits: bool) -> np.ndarray:
    """Return one value per pixel of a column that holds several bits, or an array of one value."""
    if values.ndim == 2 and is_bits:
        return np.asarray(values.any(axis=1))
    return values[:, 0] if values.ndim == 2 and values.shape[1] == 1 < len(values) else values
