"""One file for the browser: words, stars, figures and script, and nothing from elsewhere."""

import json
from html import escape
from importlib.resources import files
from string import Template
from typing import Any

from spectragan.diagnostics import style
from spectragan.diagnostics.page import words
from spectragan.diagnostics.page.figures import bokeh_parts, make_document, pixel_places
from spectragan.diagnostics.page.stars import base64, star_data

# What ends a script or starts a comment within one can't stand in JSON then.
UNSAFE = {ord(c): f"\\u{ord(c):04x}" for c in "<>&\u2028\u2029"}
ON_COLOUR = {"can't be told": "#FFFFFF"}  # letters on the colour of a verdict; else ink


def page_of(report: Any) -> str:
    """Return a report as a page of HTML that is complete in itself.

    Parameters
    ----------
    report : TranslationReport

    Returns
    -------
    html : str
        Its policy forbids the browser to load anything.

    Raises
    ------
    ImportError
        If bokeh isn't installed.
    """
    _, _, library = bokeh_parts()
    sample = report.sample
    gap = None if sample is None else sample.maps()
    figures, roots = make_document(report, gap)
    data = {"roots": roots} | _stars(report)
    return _template("page.html").substitute(
        title=escape(f"{report.translator}: {report.verdict}"),
        translator=escape(report.translator),
        verdict=escape(report.verdict),
        findings=words.findings(report),
        left_out=words.left_out(report),
        sampling=escape(words.sampling(sample)),
        gap=words.gap_bars(report),
        facts=words.facts(report),
        maps=_maps(gap),
        has_stars="" if sample else "hidden",
        style=_colours() + _text("page.css"),
        library=library,
        figures=_json(figures),
        data=_json(data),
        script=_text("page.js"),
    )


def _stars(report: Any) -> dict[str, Any]:
    if report.sample is None:
        return {"stars": []}
    x = base64(pixel_places(report).astype("<f8"))
    return star_data(report.sample, report.strange) | {"x": x}


def _json(value: Any) -> str:
    """Return JSON that can stand in a script."""
    return json.dumps(value, allow_nan=False, separators=(",", ":")).translate(UNSAFE)


def _maps(gap: Any) -> str:
    if gap is None:
        return ""
    titles = {"spectra": "Spectra", "latents": "Shared latents"}
    return "".join(
        f'<figure><figcaption><h3>{titles[space]}</h3><p class="note">'
        f'{escape(words.mixing(gap, space))}</p></figcaption><div id="map-{space}"></div></figure>'
        for space in gap.maps
    )


def _colours() -> str:
    """Return the palette as variables of CSS, for both of the reader's modes."""
    light, dark = (
        "".join(f"--{name}:{colour};" for name, colour in style.MODES[mode].items())
        for mode in ("light", "dark")
    )
    levels = "".join(
        f'[data-level="{level}"]{{--level:{colour};--on-level:{ON_COLOUR.get(level, style.INK)}}}'
        for level, colour in style.VERDICTS.items()
    )
    return (
        f":root{{color-scheme:light dark;{light}}}"
        f"@media (prefers-color-scheme:dark){{:root{{{dark}}}}}{levels}\n"
    )


def _template(name: str) -> Template:
    return Template(_text(name))


def _text(name: str) -> str:
    return files("spectragan.diagnostics.page").joinpath(name).read_text(encoding="utf-8")
