"""The spectra that a report keeps, so that its page can show stars one by one."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from spectragan.diagnostics.tsne import Panel, TSNEGap, tsne_gap
from spectragan.spectra import Spectra
from spectragan.spectra.inputs import MIN_SPECTRA, draw_seed
from spectragan.spectra.lazy import has_good_pixel, in_memory
from spectragan.spectra.noise import noise_variance

KEPT_ROWS = 300  # of each domain
# Flux values of each of the four sets: with two bytes for each a page stays below 10 MB.
KEPT_VALUES = 600_000
PANELS = (
    Panel("synthetic", "observed"),
    Panel("translated", "observed"),
    Panel("synthetic", "observed", "latents"),
    Panel("translated", "observed", "latents"),
)


@dataclass(frozen=True, eq=False)
class ReportSample:
    """Some spectra of both domains and their translations, as a report keeps them.

    Attributes
    ----------
    spectra : dict of str to Spectra
        ``synthetic`` and ``translated``, row by row; ``observed`` and ``back``, these translated
        into synthetic ones, row by row.
    latents : dict of str to ndarray of shape (n_spectra, n_latents)
        Shared latents of ``synthetic``, ``translated`` and ``observed``; empty where a translator
        has none.
    rows : dict of str to ndarray of int
        Where the rows were among the ``synthetic`` and ``observed`` spectra of the report.
    sizes : dict of str to tuple of int
        How many there were of either, and how many of these had a good pixel.
    seed : int
        Of the maps.
    """

    spectra: dict[str, Spectra]
    latents: dict[str, np.ndarray]
    rows: dict[str, np.ndarray]
    sizes: dict[str, tuple[int, int]]
    seed: int

    def maps(self) -> TSNEGap:
        """Return the joint maps of spectra and latents, with scores of how well sets mix."""
        sets = {name: x for name, x in self.spectra.items() if name != "back"}
        panels = [panel for panel in PANELS if self.latents or panel.space == "spectra"]
        return tsne_gap(
            sets,
            latents=self.latents or None,
            panels=panels,
            max_samples=max(map(len, sets.values())),
            random_state=self.seed,
        )


def draw_sample(
    translator: Any,
    synthetic: Spectra,
    translated: Spectra,
    observed: Spectra,
    rng: np.random.Generator,
) -> ReportSample:
    """Draw the spectra to keep: few enough for a page, at random, among those with a good pixel.

    Parameters
    ----------
    translator : fitted translator
    synthetic, translated : Spectra of shape (n_synthetic, n_pixels)
        Row by row. Of lazy ones only what is kept stays in memory.
    observed : Spectra of shape (n_observed, n_pixels)
        Each domain has 10 spectra or more with a good pixel.
    rng : numpy.random.Generator
        Draws the rows.

    Returns
    -------
    sample : ReportSample
    """
    most = min(KEPT_ROWS, max(MIN_SPECTRA, KEPT_VALUES // observed.shape[1]))
    sets = {"synthetic": synthetic, "observed": observed}
    usable = {name: np.flatnonzero(has_good_pixel(x)) for name, x in sets.items()}
    sizes = {name: (len(x), len(usable[name])) for name, x in sets.items()}
    rows = {
        name: np.sort(rng.choice(found, min(most, len(found)), replace=False))
        for name, found in usable.items()
    }
    seed = draw_seed(rng)
    kept = {name: in_memory(x[rows[name]]) for name, x in sets.items()}
    kept["translated"] = in_memory(translated[rows["synthetic"]])
    kept["back"] = in_memory(translator.inverse_transform(kept["observed"]))
    return ReportSample(kept, _latents(translator, kept), rows, sizes, seed)


def _latents(translator: Any, kept: dict[str, Spectra]) -> dict[str, np.ndarray]:
    if not hasattr(translator, "encode"):
        return {}
    domains = {"synthetic": 0, "translated": 1, "observed": 1}
    found = {
        name: np.asarray(translator.encode(kept[name], domain).shared)
        for name, domain in domains.items()
    }
    shown = all(z.ndim == 2 and z.shape[1] and np.isfinite(z).all() for z in found.values())
    return found if shown else {}


def squared_distances(translated: Spectra, observed: Spectra) -> np.ndarray:
    """Return how far translated spectra are from observed ones, but for the noise of these.

    Parameters
    ----------
    translated : Spectra of shape (n_translated, n_pixels)
        Without noise.
    observed : Spectra of shape (n_observed, n_pixels)

    Returns
    -------
    squared : ndarray of shape (n_translated, n_observed)
        Mean over the pixels that are good in both, in flux units squared, less the variance of the
        noise where that is known: else noisy stars would be far from all, or faint ones near to
        all where errors weigh the pixels. Infinite where no pixel is good in both.
    """
    good, seen = (part.ivar.astype(bool).astype(float) for part in (translated, observed))
    flux, stars = translated.filled().astype(float), observed.filled().astype(float)
    number = good @ seen.T
    total = flux**2 @ seen.T - 2 * flux @ stars.T
    total += good @ (stars**2 - seen * noise_variance(observed)).T
    return np.divide(total, number, out=np.full(number.shape, np.inf), where=number > 0)
