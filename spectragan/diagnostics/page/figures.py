"""The figures of a page, in bokeh: its script gives them stars and colours."""

from typing import Any

import numpy as np

from spectragan.diagnostics.page.sample import ReportSample
from spectragan.diagnostics.tsne import TSNEGap

SETS = {"observed": "square", "synthetic": "circle", "translated": "triangle"}  # the last on top
SPACES = ("spectra", "latents")
LINES = ("synthetic", "translated", "observed", "back")
DASHES = {"back": "dashed"}  # lines differ in more than colour
THIN = 1.2  # px
FADED = 0.15  # opacity of what isn't selected
SIZES = {"map": 360, "flux": 270, "left": 190, "means": 250}  # px
LABELS = 74  # px left of the axes: one width, or those of two figures would not agree
# bokeh doesn't count the width of these, and hides the last tools for the lack of it.
NO_DIVIDERS = ".bk-divider { display: none; }"
FONT = "system-ui, sans-serif"
MISSING = (
    "to_html needs the package bokeh, which isn't installed; install it with "
    "pip install 'spectragan[interactive]'."
)


def bokeh_parts() -> tuple[Any, Any, Any]:
    """Return what a page needs of bokeh: models, plotting, and the text of its script.

    Raises
    ------
    ImportError
        If bokeh isn't installed.
    """
    try:
        from bokeh import models, plotting
        from bokeh.resources import Resources
    except ImportError as error:
        raise ImportError(MISSING) from error
    return models, plotting, "\n".join(Resources(mode="inline", components=["bokeh"]).js_raw)


def make_document(report: Any, gap: TSNEGap | None) -> tuple[dict, dict[str, str]]:
    """Return all figures as bokeh's own JSON, and the root of each.

    Parameters
    ----------
    report : TranslationReport
    gap : TSNEGap or None
        The maps of its sample; None draws mean spectra alone.

    Returns
    -------
    document : dict
        Numbers and settings; no word of the user's data.
    roots : dict of str to str
        Identifiers by name: ``means``, ``flux``, ``left``, and ``map-spectra`` and ``map-latents``.
    """
    from bokeh.document import Document

    figures = {"means": _means_figure(report)}
    if gap is not None:
        figures |= _maps(report.sample, gap)
        figures |= _star_figures(report)
    document = Document()
    for figure in figures.values():
        document.add_root(figure)
    # Not deferred: numbers in base64 are within.
    return dict(document.to_json(deferred=False)), {name: f.id for name, f in figures.items()}


def _figure(name: str, tools: str, drag: str | None, height: int, **settings: Any) -> Any:
    """Return an empty figure; its script sets colours, so that they follow the reader's mode."""
    models, plotting, _ = bokeh_parts()
    figure = plotting.figure(
        name=name,
        height=height,
        sizing_mode="stretch_width",
        tools=tools,
        active_drag=drag,
        active_scroll=None,
        toolbar_location="above",
        border_fill_color=None,
        outline_line_color=None,
        min_border=6,
        output_backend="canvas",
        **settings,
    )
    figure.toolbar.logo = None
    figure.toolbar.stylesheets = [models.InlineStyleSheet(css=NO_DIVIDERS)]
    figure.grid.grid_line_alpha = 0.6
    figure.min_border_left = LABELS
    for axis in figure.axis:
        axis.update(axis_label_text_font=FONT, major_label_text_font=FONT)
        axis.update(axis_label_text_font_style="normal", minor_tick_line_color=None)
        axis.update(axis_label_text_font_size="12px", major_label_text_font_size="11px")
    return figure


def _maps(sample: ReportSample, gap: TSNEGap) -> dict[str, Any]:
    """Return one map for each space; selections are common to all."""
    models, _, _ = bokeh_parts()
    sources = {}
    for name in SETS:
        columns = {f"{s}_{axis}": xy[name][:, k] for s, xy in gap.maps.items() for k, axis in XY}
        sources[name] = models.ColumnDataSource(
            columns | {"star": _star_numbers(sample, name)}, name=name
        )
    columns = {f"{space}_{axis}": np.empty(0) for space in gap.maps for _, axis in XY}
    sources |= {name: models.ColumnDataSource(columns, name=name) for name in ("strange", "chosen")}
    return {f"map-{space}": _map(space, sources) for space in SPACES if space in gap.maps}


XY = ((0, "x"), (1, "y"))


def _star_numbers(sample: ReportSample, name: str) -> np.ndarray:
    first = len(sample.rows["synthetic"]) if name == "observed" else 0
    return first + np.arange(len(sample.spectra[name]))


def _map(space: str, sources: dict[str, Any]) -> Any:
    models, _, _ = bokeh_parts()
    tools = "tap,lasso_select,box_zoom,wheel_zoom,pan,reset"
    figure = _figure(f"map-{space}", tools, "lasso_select", SIZES["map"], match_aspect=True)
    figure.min_border_left = 1
    figure.axis.visible = False
    figure.grid.visible = False
    x, y = f"{space}_x", f"{space}_y"
    points = [
        figure.scatter(
            x,
            y,
            source=sources[name],
            marker=marker,
            size=6,
            fill_alpha=0.65,
            line_alpha=0.65,
            nonselection_fill_alpha=FADED,
            nonselection_line_alpha=FADED,
        )
        for name, marker in SETS.items()
    ]
    for name, renderer in zip(SETS, points, strict=True):
        renderer.tags = [f"colour:{name}", f"series:{name}"]
    strange, chosen = sources["strange"], sources["chosen"]
    ring = {"marker": "circle", "fill_alpha": 0}
    overlays = {
        "strange": [figure.scatter(x, y, source=strange, size=13, line_alpha=0.7, **ring)],
        "text": [
            figure.line(x, y, source=chosen, line_width=1.5),
            figure.scatter(x, y, source=chosen, size=16, line_width=2, **ring),
        ],
    }
    for colour, renderers in overlays.items():
        for renderer in renderers:
            renderer.tags = [f"colour:{colour}"]
    # No tooltips: the page's own show the names of stars, which are the user's words, as text.
    figure.add_tools(models.HoverTool(renderers=points, tooltips=None, visible=False))
    return figure


def pixel_places(report: Any) -> np.ndarray:
    """Return the wavelengths of all pixels, or their numbers where there are none."""
    if report.wavelength is None:
        return np.arange(len(report.means["observed"]), dtype=float)
    return report.wavelength.value


def _axis_words(report: Any) -> str:
    return "pixel" if report.wavelength is None else f"wavelength [{report.wavelength.unit}]"


def _star_figures(report: Any) -> dict[str, Any]:
    """Return the spectra of a star, and what is left to its partner below."""
    models, _, _ = bokeh_parts()
    # Empty columns would make bokeh warn of ranges on the console, before there is a star.
    columns = {name: [0.0, 1.0] for name in (*LINES, "left_before", "left_after")}
    ends = {"x": pixel_places(report)[[0, -1]]}
    source = models.ColumnDataSource(ends | columns, name="star")
    tools = "xbox_zoom,xwheel_zoom,xpan,reset"
    flux = _figure("flux", tools, "xbox_zoom", SIZES["flux"], y_axis_label="flux")
    left = _figure(
        "left",
        "xbox_zoom,xwheel_zoom,xpan,reset",
        "xbox_zoom",
        SIZES["left"],
        x_range=flux.x_range,
        y_axis_label="less nearest observed",
        x_axis_label=_axis_words(report),
    )
    left.toolbar_location = None
    flux.xaxis.major_label_text_font_size = "0px"
    for name in LINES:
        _line(flux, source, name, name)
    _line(left, source, "left_before", "synthetic")
    _line(left, source, "left_after", "translated")
    left.add_layout(_zero(models))
    return {"flux": flux, "left": left}


def _line(figure: Any, source: Any, column: str, colour: str, **settings: Any) -> None:
    dash = DASHES.get(column, "solid")
    settings = {"line_width": THIN, "line_dash": dash} | settings
    figure.line("x", column, source=source, **settings).tags = [f"colour:{colour}"]


def _zero(models: Any) -> Any:
    return models.Span(
        location=0, dimension="width", line_dash="dotted", line_width=1, tags=["colour:muted"]
    )


def _means_figure(report: Any) -> Any:
    """Return how the mean spectrum changes, and how it should."""
    models, _, _ = bokeh_parts()
    means, x = report.means, pixel_places(report)
    columns = {
        "x": x,
        **{name: means[name] - means["synthetic"] for name in ("observed", "translated")},
    }
    source = models.ColumnDataSource(columns, name="means")
    figure = _figure(
        "means",
        "xbox_zoom,xwheel_zoom,xpan,reset",
        "xbox_zoom",
        SIZES["means"],
        x_axis_label=_axis_words(report),
        y_axis_label="change of mean flux",
    )
    # Where they agree, both are seen.
    _line(figure, source, "observed", "observed", line_width=4 * THIN, line_alpha=0.4)
    _line(figure, source, "translated", "translated")
    figure.add_layout(_zero(models))
    if report.inventions is not None and report.inventions.pixels.any():
        marked = x[report.inventions.pixels]
        zeros = np.zeros(len(marked))
        marks = figure.scatter(marked, zeros, marker="dash", angle=np.pi / 2, size=14, line_width=2)
        marks.tags = ["colour:invented"]
    return figure
