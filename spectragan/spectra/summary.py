"""How spectra and results show themselves: `repr` is one line, notebooks get a small table."""

from collections.abc import Mapping
from html import escape
from typing import Any

import astropy.units as u
import numpy as np


class SummaryMixin:
    """Results with a table: `print` and notebooks show their `summary`; `repr` is one line."""

    __slots__ = ()

    def summary(self) -> str:
        """Return the result as a small table.

        Returns
        -------
        table : str
            One line per number, with what to compare it with.
        """
        raise NotImplementedError

    def __str__(self) -> str:
        return self.summary()

    def _repr_html_(self) -> str:
        return f"<pre>{escape(self.summary())}</pre>"


class FactsMixin:
    """Spectra that say what they hold without reading any of them."""

    __slots__ = ()

    def __repr__(self) -> str:
        facts = spectra_facts(self)
        medium = f" in {facts['medium']}" if "medium" in facts else ""
        unit = f", {facts['unit']}" if "unit" in facts else ""
        return (
            f"{type(self).__name__}({facts['spectra']} spectra, {facts['pixels']} pixels, "
            f"{facts['wavelength']}{medium}, noise {facts['noise']}, {facts['type']}{unit})"
        )

    def _repr_html_(self) -> str:
        return html_table(type(self).__name__, spectra_facts(self))


def spectra_facts(spectra: Any) -> dict[str, str]:
    """Return what there is to know about spectra before they are read.

    Parameters
    ----------
    spectra : Spectra of shape (n_spectra, n_pixels)

    Returns
    -------
    facts : dict of str to str
        What isn't given is left out.

    Examples
    --------
    >>> from spectragan import Spectra
    >>> from spectragan.spectra.summary import spectra_facts
    >>> spectra_facts(Spectra([[1.0, 1.0]], None, medium="air"))["wavelength"]
    'no wavelengths'
    """
    n_rows, n_pixels = spectra.shape
    facts = {"spectra": f"{n_rows}", "pixels": f"{n_pixels}", "wavelength": "no wavelengths"}
    if spectra.wavelength is not None:
        first, last = spectra.wavelength.value[[0, -1]]
        facts["wavelength"] = f"{first:g}-{last:g} Angstrom"
    if spectra.medium:
        facts["medium"] = spectra.medium
    facts["noise"] = "/".join(np.unique(spectra.noise)) or "-"
    facts["type"] = f"{spectra.dtype}"
    if spectra.unit != u.dimensionless_unscaled:
        facts["unit"] = f"{spectra.unit}"
    if spectra.meta:
        facts["meta"] = ", ".join(map(str, spectra.meta))
    return facts


def html_table(title: str, facts: Mapping[str, str]) -> str:
    """Return facts as a table of HTML with a title.

    Parameters
    ----------
    title : str
    facts : mapping of str to str

    Returns
    -------
    html : str

    Examples
    --------
    >>> from spectragan.spectra.summary import html_table
    >>> html_table("Spectra", {"unit": "<none>"})
    '<table><caption>Spectra</caption><tr><th>unit</th><td>&lt;none&gt;</td></tr></table>'
    """
    rows = "".join(
        f"<tr><th>{escape(name)}</th><td>{escape(value)}</td></tr>" for name, value in facts.items()
    )
    return f"<table><caption>{escape(title)}</caption>{rows}</table>"
