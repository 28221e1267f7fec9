"""All formats that can be read. A new one is a module beside this and a line here."""

import difflib
from collections.abc import Callable
from typing import Any, NamedTuple

from spectragan.spectra.formats import columns, generic
from spectragan.spectra.formats.pixels import Pixels, ReadOptions
from spectragan.spectra.formats.surveys import (
    apogee,
    desi,
    gaia,
    galah,
    lamost,
    mwm,
    pypeit,
    sdss,
)


class Format(NamedTuple):
    """How one format is recognised and read, from a `FitsFile` or from the columns of a text."""

    name: str
    kind: str  # "fits" or "text"
    identify: Callable[[Any], bool]
    read: Callable[[Any, ReadOptions], Pixels]
    has_arms: bool = False
    alias: str = ""  # what specutils calls it; its loader of that name isn't used


# The first that recognises a file reads it: what is particular comes before what is general.
FORMATS = (
    Format("apStar", "fits", apogee.identify_apstar, apogee.read_apstar),
    Format("apVisit", "fits", apogee.identify_apvisit, apogee.read_apvisit),
    Format("aspcapStar", "fits", apogee.identify_aspcapstar, apogee.read_aspcapstar),
    Format("mwm", "fits", mwm.identify_mwm, mwm.read_mwm, True),
    Format("LAMOST", "fits", lamost.identify_lamost, lamost.read_lamost, True),
    Format("GALAH", "fits", galah.identify_galah, galah.read_galah),
    Format("SDSS", "fits", sdss.identify_spec, sdss.read_spec),
    Format("spSpec", "fits", sdss.identify_spspec, sdss.read_spspec, alias="SDSS-I/II spSpec"),
    Format("OneSpec", "fits", pypeit.identify_onespec, pypeit.read_onespec),
    Format("Gaia XP", "fits", gaia.identify_fits, gaia.read_fits),
    Format("DESI", "fits", desi.identify_desi, desi.read_desi, True),
    Format("Gaia XP", "text", gaia.identify_columns, gaia.read_gaia),
    Format("FITS", "fits", generic.identify_generic, generic.read_generic),
    Format("table", "text", columns.is_spectrum, columns.read_columns),
)
NAMES = tuple(dict.fromkeys(f.name for f in FORMATS))


def named(name: str) -> list[Format]:
    """Return the formats of this name, in any case."""
    return [f for f in FORMATS if name.lower() in (f.name.lower(), f.alias.lower())]


def nearest(name: str) -> str:
    """Return a question such as " (did you mean 'apStar'?)", or nothing."""
    small = {known.lower(): known for known in NAMES}
    close = difflib.get_close_matches(name.lower(), small, n=1)
    return f" (did you mean {small[close[0]]!r}?)" if close else ""
