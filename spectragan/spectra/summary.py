"""How spectra, results and long work show themselves.

`repr` is one line, notebooks get a small table, and progress is a bar on stderr.
"""

import sys
from collections.abc import Iterable, Mapping
from html import escape
from typing import Any

import astropy.units as u
import numpy as np
from tqdm import tqdm


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


LOG_INTERVAL = 60.0  # seconds from one state of a bar in a file to the next


def progress_bar(
    steps: Iterable | None = None,
    *,
    description: str,
    unit: str,
    total: int | None = None,
    hidden: bool = False,
) -> Any:
    """Return a progress bar that doesn't fill the log file of a batch job.

    Parameters
    ----------
    steps : iterable, default=None
        What to go through; None is for a bar that is moved by hand.
    description, unit : str
        What is done, and what it is counted in.
    total : int, default=None
        Number of steps; None takes the length of `steps`.
    hidden : bool, default=False
        Whether to show nothing.

    Returns
    -------
    bar : tqdm
        Where nobody watches it is written at the start, once a minute, and at the end.

    Examples
    --------
    >>> from spectragan.spectra.summary import progress_bar
    >>> list(progress_bar([1, 2], description="stars", unit="star", hidden=True))
    [1, 2]
    """
    words: dict[str, Any] = {"desc": description, "unit": unit, "total": total, "disable": hidden}
    if not is_watched(sys.stderr):
        words |= {"mininterval": LOG_INTERVAL, "maxinterval": LOG_INTERVAL}
    return tqdm(steps, file=sys.stderr, **words)


def is_watched(stream: Any) -> bool:
    """Tell whether somebody watches what is written: on a terminal, or in a notebook.

    Parameters
    ----------
    stream : file

    Returns
    -------
    watched : bool
    """
    in_notebook = type(stream).__module__.startswith("ipykernel")
    return in_notebook or bool(getattr(stream, "isatty", lambda: False)())
