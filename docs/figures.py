"""Draw the figures of the user guide that no example draws.

Run it as ``python docs/figures.py`` when what they show has changed; it takes a minute, and
writes ``docs/_static/emulator.svg``, ``continuum.svg`` and ``uncertainty.svg``.
"""

from pathlib import Path
from typing import Any

import numpy as np

import spectragan as sg
from spectragan.datasets import load_miles, make_mock_domains, make_synthetic_spectra
from spectragan.diagnostics import style

STATIC = Path(__file__).parent / "_static"
SIZE = (7.2, 4.0)  # inches
WAVELENGTH = "wavelength [Å]"


def main() -> None:
    """Draw and write all figures."""
    import matplotlib as mpl
    import matplotlib.pyplot as plt

    mpl.use("Agg")
    # Without these two, each run writes another file.
    mpl.rcParams["svg.hashsalt"] = "spectragan"
    for name, draw in (
        ("emulator", draw_emulator),
        ("continuum", draw_continuum),
        ("uncertainty", draw_uncertainty),
    ):
        figure, axes = plt.subplots(2, 1, sharex=True, figsize=SIZE, layout="constrained")
        draw(*axes)
        figure.savefig(STATIC / f"{name}.svg", metadata={"Date": None})


def draw_emulator(top: Any, bottom: Any) -> None:
    """Draw emulated spectra of three temperatures, and how one changes with its labels."""
    bunch = make_synthetic_spectra(400, random_state=0)
    spectra = sg.ContinuumNormalizer(degree=8).fit_transform(bunch.spectra)
    x = spectra.wavelength.value
    spectra = spectra.select_pixels((x > 5000) & (x < 5500))
    emulator = sg.SpectrumEmulator(random_state=0, verbose=0).fit(bunch.labels, spectra)
    x = spectra.wavelength.value
    middle = np.median(np.asarray(bunch.labels), axis=0)
    colours = (style.VERMILION, style.GREEN, style.BLUE)
    for teff, colour in zip((4800, 5500, 6200), colours, strict=True):
        flux = emulator.predict([[teff, *middle[1:]]])[0]
        top.plot(x, flux, color=colour, lw=style.LINE_WIDTH, label=f"{teff} K")
    slopes = emulator.jacobian(middle[None])[0]
    steps = {"100 K": 100, "0.5 dex in log g": 0.5, "0.2 dex in [Fe/H]": 0.2}
    for (words, step), slope, colour in zip(steps.items(), slopes.T, colours, strict=True):
        bottom.plot(x, step * slope, color=colour, lw=style.LINE_WIDTH, label=words)
    style.tidy(top, title="emulated spectra", ylabel="flux")
    style.tidy(bottom, title="change of flux per change of a label", xlabel=WAVELENGTH)
    for ax in (top, bottom):
        style.legend_above(ax, loc="right", n_columns=3)
        ax.set_xlim(x[0], x[-1])


def draw_continuum(top: Any, bottom: Any) -> None:
    """Draw the continuum that is fitted to a cold and a hot star, and what it leaves."""
    miles = load_miles()
    stars = np.argsort(np.asarray(miles.labels)[:, 0])[[30, -5]]
    spectra = miles.spectra[stars]
    normalised = sg.ContinuumNormalizer(degree=8).fit_transform(spectra)
    x = spectra.wavelength.value
    for i, colour in enumerate((style.VERMILION, style.BLUE)):
        teff = np.asarray(miles.labels)[stars[i], 0]
        label = f"{miles.names[stars[i]]}, {teff:.0f} K"
        top.plot(x, spectra.flux[i], color=colour, lw=style.THIN_LINE, label=label)
        top.plot(x, spectra.flux[i] / normalised.flux[i], color=style.INK, lw=style.LINE_WIDTH)
        bottom.plot(x, normalised.flux[i], color=colour, lw=style.THIN_LINE)
    bottom.axhline(1, color=style.INK, lw=style.LINE_WIDTH)
    style.tidy(top, title="two stars and their continua", ylabel="flux")
    style.tidy(bottom, title="normalised", xlabel=WAVELENGTH, ylabel="flux")
    style.legend_above(top, loc="right", n_columns=2)
    bottom.set_xlim(x[0], x[-1])


def draw_uncertainty(top: Any, bottom: Any) -> None:
    """Draw a translated spectrum with its error, and what is left to the truth of a mock."""
    mock = make_mock_domains(600, 1000, n_pixels=300, random_state=0)
    member = sg.CycleGANTranslator(max_epochs=15, warmup_epochs=4, verbose=0)
    ensemble = sg.TranslatorEnsemble(member, n_members=5, random_state=0)
    ensemble = ensemble.fit(mock.synthetic, mock.observed[:600])
    ensemble = ensemble.calibrate(mock.synthetic, mock.observed[600:900])
    star = slice(950, 951)
    model, truth = mock.synthetic_of_observed[star], mock.observed_truth[star].flux[0]
    spectra, errors = ensemble.transform(model, return_std=True)
    translated, std = spectra.flux[0], errors[0]
    x = mock.observed.wavelength.value
    top.plot(x, model.flux[0], color=style.SYNTHETIC, lw=style.LINE_WIDTH, label="synthetic")
    top.plot(x, translated, color=style.TRANSLATED, lw=style.LINE_WIDTH, label="translated")
    top.plot(x, truth, color=style.OBSERVED, lw=style.LINE_WIDTH, ls="--", label="truth")
    for factor, alpha in ((2, 0.15), (1, 0.3)):
        band = {"color": style.TRANSLATED, "alpha": alpha, "lw": 0}
        bottom.fill_between(x, -factor * std, factor * std, label=f"±{factor} σ", **band)
    bottom.plot(x, truth - translated, color=style.OBSERVED, lw=style.LINE_WIDTH)
    bottom.plot(x, truth - model.flux[0], color=style.SYNTHETIC, lw=style.THIN_LINE)
    style.tidy(top, title="a star of a mock", ylabel="flux")
    style.tidy(bottom, title="truth less translated, less synthetic", xlabel=WAVELENGTH)
    style.legend_above(top, loc="right", n_columns=3)
    style.legend_above(bottom, loc="right", n_columns=2)
    bottom.set_xlim(x[0], x[-1])


if __name__ == "__main__":
    main()
