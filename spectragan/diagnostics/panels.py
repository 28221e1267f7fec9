"""What a joint map shows: sets of spectra, and pairs of them, one pair a panel."""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np

from spectragan.spectra import Spectra
from spectragan.spectra.inputs import check_latents, check_set
from spectragan.translator.scores import decoded


@dataclass(frozen=True)
class Panel:
    """Two sets to show and compare in one panel of a joint map.

    Parameters
    ----------
    first, second : str
        Names of the sets. The null splits the second one.
    space : {"spectra", "latents"}, default="spectra"
        Which of the two maps the panel shows.
    title : str, default=""
        What to write above; empty names the two sets.
    paired : bool, default=False
        Whether row i of the first set was made from row i of the second.
    """

    first: str
    second: str
    space: str = "spectra"
    title: str = ""
    paired: bool = False

    @property
    def heading(self) -> str:
        """The title, or the names of the sets."""
        return self.title or f"{self.first} and {self.second}"


TRANSLATOR_PANELS = (
    Panel("synthetic", "observed", title="originals"),
    Panel("synthetic", "observed", "latents", title="shared latents"),
    Panel("translated synthetic", "observed", title="synthetic to observed"),
    Panel("translated observed", "synthetic", title="observed to synthetic"),
    Panel("cycled synthetic", "synthetic", title="synthetic cycle", paired=True),
    Panel("cycled observed", "observed", title="observed cycle", paired=True),
)


@dataclass(frozen=True)
class MapSets:
    """The named sets of a joint map, before it is fitted.

    Parameters
    ----------
    spectra : dict of str to Spectra
        Sets on one grid.
    latents : dict of str to ndarray of shape (n_spectra, n_latents)
        Shared latents; may be empty.
    panels : tuple of Panel
        What to compare.
    """

    spectra: dict[str, Spectra]
    latents: dict[str, np.ndarray]
    panels: tuple[Panel, ...]

    def rows_of(self, space: str) -> dict[str, Any]:
        """Return the sets of one space."""
        return self.spectra if space == "spectra" else self.latents


def named_sets(sets: Mapping[str, Any], latents: Mapping[str, Any] | None, panels: Any) -> MapSets:
    """Check the sets a user named, and choose the panels.

    Parameters
    ----------
    sets : mapping of str to spectra
        At least two sets on one grid.
    latents : mapping of str to array-like of shape (n_spectra, n_latents), or None
        Shared latents.
    panels : sequence of Panel or of (first, second), or None
        None takes all pairs of sets, in spectra and then in latents.

    Returns
    -------
    checked : MapSets
        Ready for a joint map.

    Raises
    ------
    ValueError
        If there are fewer than two sets, or a panel names one that is not there.
    """
    if len(sets) < 2:
        raise ValueError(
            f"`sets` must name at least two sets of spectra; got {list(sets)}; add another."
        )
    first_name, first = next(iter(sets.items()))
    like = check_set(first, first_name)
    spectra = {
        name: check_set(x, name, like=like, like_name=first_name) for name, x in sets.items()
    }
    codes = {name: check_latents(z, name) for name, z in (latents or {}).items()}
    if panels is None:
        panels = [Panel(a, b) for a, b in combinations(spectra, 2)]
        panels += [Panel(a, b, "latents") for a, b in combinations(codes, 2)]
    chosen = tuple(panel if isinstance(panel, Panel) else Panel(*panel) for panel in panels)
    checked = MapSets(spectra, codes, chosen)
    for panel in chosen:
        _check_panel(panel, checked)
    return checked


def _check_panel(panel: Panel, sets: MapSets) -> None:
    """Raise unless both sets of a panel are there."""
    if panel.space not in ("spectra", "latents"):
        raise ValueError(
            f"`space` of a panel must be 'spectra' or 'latents'; got {panel.space!r}; "
            "choose one of them."
        )
    there = sets.rows_of(panel.space)
    for name in (panel.first, panel.second):
        if name not in there:
            raise ValueError(
                f"a panel must name sets of its {panel.space}; got {name!r}; "
                f"choose from {list(there)}."
            )


def translator_sets(
    translator: Any, X_synthetic: Any, X_observed: Any, max_samples: int, rng: np.random.Generator
) -> MapSets:
    """Translate some spectra of both domains there and back, and encode all of it.

    Parameters
    ----------
    translator : fitted translator
        Has `transform`, `inverse_transform`, `encode` and `decode`.
    X_synthetic : spectra of shape (n_synthetic, n_pixels)
        Synthetic spectra.
    X_observed : spectra of shape (n_observed, n_pixels)
        Observed spectra.
    max_samples : int
        The most rows of either domain to use.
    rng : numpy.random.Generator
        Draws the rows.

    Returns
    -------
    sets : MapSets
        The six panels of the method's paper. The observed cycle keeps each spectrum's own split
        code, which the way to the synthetic domain drops.
    """
    synthetic = check_set(X_synthetic, "X_synthetic")
    observed = check_set(X_observed, "X_observed", like=synthetic, like_name="X_synthetic")
    synthetic = synthetic[_some_rows(len(synthetic), max_samples, rng)]
    observed = observed[_some_rows(len(observed), max_samples, rng)]
    forth = check_set(translator.transform(synthetic), "translated synthetic")
    back = check_set(translator.inverse_transform(observed), "translated observed")
    code = translator.encode(observed, domain=1)
    code_back = translator.encode(back, domain=0)
    spectra = {
        "synthetic": synthetic,
        "observed": observed,
        "translated synthetic": forth,
        "translated observed": back,
        "cycled synthetic": check_set(translator.inverse_transform(forth), "cycled synthetic"),
        "cycled observed": decoded(translator, code_back.shared, code.split, observed),
    }
    latents = {
        "synthetic": translator.encode(synthetic, domain=0).shared,
        "observed": code.shared,
        "translated synthetic": translator.encode(forth, domain=1).shared,
        "translated observed": code_back.shared,
    }
    checked = {name: check_latents(z, name) for name, z in latents.items()}
    return MapSets(spectra, checked, TRANSLATOR_PANELS)


def _some_rows(n_rows: int, max_samples: int, rng: np.random.Generator) -> np.ndarray:
    """Return at most `max_samples` random row numbers in ascending order."""
    return np.sort(rng.choice(n_rows, min(n_rows, max_samples), replace=False))


def same_rows(sets: MapSets, max_samples: int, rng: np.random.Generator) -> MapSets:
    """Return at most `max_samples` random rows of every set, the same in sets of one size.

    Parameters
    ----------
    sets : MapSets
        The sets.
    max_samples : int
        The most rows to keep.
    rng : numpy.random.Generator
        Draws the rows.

    Returns
    -------
    fewer : MapSets
        Pairs stay pairs, because one draw of rows serves all sets of the same size.
    """
    sizes = {len(x) for space in (sets.spectra, sets.latents) for x in space.values()}
    kept = {size: _some_rows(size, max_samples, rng) for size in sorted(sizes)}
    return MapSets(
        {name: x[kept[len(x)]] for name, x in sets.spectra.items()},
        {name: z[kept[len(z)]] for name, z in sets.latents.items()},
        sets.panels,
    )
