"""One joint t-SNE map of all spectra, one of all latents, with scores of how well sets mix."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from itertools import combinations
from typing import Any

import numpy as np
from scipy.spatial.distance import cdist

from spectragan.diagnostics.projection import joint_scores, standardise
from spectragan.rules import check, count, number, one_of
from spectragan.spectra import Spectra
from spectragan.spectra.inputs import check_latents, check_set, draw_seed, make_rng
from spectragan.spectra.noise import match_noise, noise_words, relative_weights
from spectragan.spectra.summary import SummaryMixin
from spectragan.translator.base import decoded


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
    check(panel.space, "panel.space", one_of("spectra", "latents"))
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


N_NEIGHBORS = 10


def neighbour_mixing(
    a: np.ndarray, b: np.ndarray, *, n_neighbors: int = N_NEIGHBORS, paired: bool = False
) -> float:
    """Return the share of neighbours from the other set, over its expectation without a gap.

    Parameters
    ----------
    a, b : ndarray of shape (n_a, n_dims) and (n_b, n_dims)
        The two sets.
    n_neighbors : int, default=10
        Neighbours of every point that are looked at, fewer if there are not as many others.
    paired : bool, default=False
        Whether row i of `a` was made from row i of `b`. A point's partner is then no neighbour:
        it would be the nearest one of two sets that keep their pairs, whatever else they do.

    Returns
    -------
    mixing : float
        0 if no point has a neighbour of the other set, 1 on average if the sets are alike.
        Every point is compared with its own expectation, and both sets count the same.

    Raises
    ------
    ValueError
        If `paired` sets differ in size.

    Examples
    --------
    >>> import numpy as np
    >>> from spectragan.diagnostics.tsne import neighbour_mixing
    >>> a = np.random.default_rng(0).normal(size=(50, 2))
    >>> neighbour_mixing(a, a + 100)
    0.0
    """
    if paired and len(a) != len(b):
        raise ValueError(
            f"paired sets must have one size; got {len(a)} and {len(b)} rows; "
            "set `paired` to False."
        )
    points = np.vstack([a, b])
    is_b = np.repeat([False, True], [len(a), len(b)])
    squared = cdist(points, points, "sqeuclidean")
    np.fill_diagonal(squared, np.inf)
    if paired:
        partner = np.roll(np.arange(len(points)), len(a))
        squared[np.arange(len(points)), partner] = np.inf
    candidates = len(points) - 1 - paired
    k = min(n_neighbors, candidates)
    nearest = np.argpartition(squared, k - 1, axis=1)[:, :k]
    foreign = (is_b[nearest] != is_b[:, None]).mean(axis=1)
    mixing_a = foreign[~is_b].mean() / ((len(b) - paired) / candidates)
    mixing_b = foreign[is_b].mean() / ((len(a) - paired) / candidates)
    return float((mixing_a + mixing_b) / 2)


def null_mixing(
    b: np.ndarray, rng: np.random.Generator, *, n_neighbors: int = N_NEIGHBORS, n_splits: int = 10
) -> float:
    """Return the mixing of random halves of one set: what no gap looks like.

    Parameters
    ----------
    b : ndarray of shape (n_b, n_dims)
        The set to split.
    rng : numpy.random.Generator
        Draws the halves.
    n_neighbors : int, default=10
        Neighbours of every point that are looked at.
    n_splits : int, default=10
        Splits to average over.

    Returns
    -------
    mixing : float
        Close to 1.
    """
    half = len(b) // 2
    orders = (rng.permutation(len(b)) for _ in range(n_splits))
    return float(
        np.mean(
            [
                neighbour_mixing(b[order[:half]], b[order[half:]], n_neighbors=n_neighbors)
                for order in orders
            ]
        )
    )


@dataclass(frozen=True)
class PanelScores:
    """How well the two sets of one panel mix.

    Attributes
    ----------
    panel : Panel
        The two sets.
    mixing : float
        Neighbour mixing in the data (joint principal components, or the latents themselves):
        0 apart, 1 alike.
    mixing_null : float
        The same between halves of the second set.
    map_mixing, map_mixing_null : float
        The same in the two-dimensional map.
    """

    panel: Panel
    mixing: float
    mixing_null: float
    map_mixing: float
    map_mixing_null: float


@dataclass(frozen=True, repr=False)
class TSNEGap(SummaryMixin):
    """Joint maps of sets of spectra, as `tsne_gap` made them.

    Attributes
    ----------
    maps : dict of str to dict of str to ndarray of shape (n_spectra, 2)
        ``maps["spectra"][name]`` and ``maps["latents"][name]``: coordinates of every set.
    panels : tuple of PanelScores
        The scores of every pair of sets that is shown.
    n_neighbors : int
        Neighbours looked at.
    noise_matched : bool
        Whether the noise of all sets is alike, row by row; if not, part of the gap may be noise.
    noise_difference : str
        What stands against it: "errors unknown", or by which factor they differ.
    """

    maps: dict[str, dict[str, np.ndarray]]
    panels: tuple[PanelScores, ...]
    n_neighbors: int
    noise_matched: bool
    noise_difference: str = ""

    def as_dict(self) -> dict[str, dict[str, Any]]:
        """Return the scores of every panel by its heading.

        Returns
        -------
        scores : dict of str to dict of str to float
            ``"heading (space)"`` leads to the four numbers of a panel.
        """
        return {
            f"{scores.panel.heading} ({scores.panel.space})": {
                name: value for name, value in asdict(scores).items() if name != "panel"
            }
            for scores in self.panels
        }

    def summary(self) -> str:
        """Return the mixing scores as a small table, each beside its null.

        Returns
        -------
        table : str
            One line per panel.
        """
        lines = [f"{'neighbour mixing':<40}{'data':>7}{'null':>7}{'map':>7}{'null':>7}"]
        lines += [
            f"{s.panel.heading:<40}{s.mixing:>7.2f}{s.mixing_null:>7.2f}"
            f"{s.map_mixing:>7.2f}{s.map_mixing_null:>7.2f}"
            for s in self.panels
        ]
        noise = noise_words(self.noise_difference)
        return "\n".join([*lines, f"{self.n_neighbors} neighbours, {noise}"])

    def __repr__(self) -> str:
        mixing = ", ".join(f"{s.panel.heading}: {s.mixing:.2f}" for s in self.panels)
        return f"TSNEGap({mixing}; noise_matched={self.noise_matched})"


def tsne_gap(
    source: Any,
    X_synthetic: Any = None,
    X_observed: Any = None,
    *,
    latents: Mapping[str, Any] | None = None,
    panels: Any = None,
    n_components: int = 50,
    perplexity: float = 30.0,
    n_neighbors: int = N_NEIGHBORS,
    max_samples: int = 300,
    n_iter: int = 500,
    random_state: int | np.random.RandomState | np.random.Generator | None = None,
) -> TSNEGap:
    """Embed all spectra in one joint t-SNE map, all shared latents in another, and score both.

    Two forms::

        tsne_gap(translator, X_synthetic, X_observed)              # the six panels of the method
        tsne_gap({"models": x, "stars": y, "translated": z})       # any sets, all pairs of them

    Parameters
    ----------
    source : fitted translator, or mapping of str to spectra of shape (n_spectra, n_pixels)
        A translator makes the sets from both domains: originals, translated spectra, cycles and
        their shared latents. A mapping names them itself; at least 10 spectra each.
    X_synthetic, X_observed : spectra of shape (n_spectra, n_pixels), default=None
        Both domains, for a translator only. Better none that it was trained on.
    latents : mapping of str to array-like of shape (n_spectra, n_latents), default=None
        Shared latents of named sets, for a mapping only.
    panels : sequence of Panel or (first, second), default=None
        Pairs of sets to score and show, for a mapping only; None takes all pairs.
    n_components : int, default=50
        Joint principal components of the spectra that distances are measured in.
    perplexity : float, default=30.0
        Effective number of neighbours of t-SNE; lowered to a third of the points if they are few.
    n_neighbors : int, default=10
        Neighbours of the mixing score.
    max_samples : int, default=300
        The most spectra of any set to use.
    n_iter : int, default=500
        Iterations of t-SNE after 250 with exaggeration.
    random_state : int, RandomState, Generator or None, default=None
        Seeds the choice of rows, the lent noise and the maps; an int gives identical results.

    Returns
    -------
    gap : TSNEGap
        Maps and scores, for `TSNEGapDisplay`.

    Raises
    ------
    GridMismatchError
        If the sets are on different grids.
    ValueError
        If a set has fewer than 10 spectra, a panel names a set that is not there, or a
        parameter is out of range.
    TypeError
        If the arguments fit neither form.

    See Also
    --------
    spectragan.diagnostics.gap_scores : Scores of the gap with intervals and p-values.
    spectragan.diagnostics.TSNEGapDisplay : The picture.

    Notes
    -----
    Each map is fitted once, to all of its sets together, from a principal component start [1]_,
    [2]_: points projected into a finished map hide a gap. Noise is lent and matched as in
    `gap_scores`, so that noise alone parts no sets.
    The mixing of a panel looks at its two sets only; in cycles, a spectrum's own original is left
    out. A map distorts distances: read the score in the data first.

    References
    ----------
    .. [1] van der Maaten, L. & Hinton, G. 2008, "Visualizing data using t-SNE", JMLR, 9, 2579.
    .. [2] Poličar, P. G., Stražar, M. & Zupan, B. 2024, "openTSNE: a modular Python library for
       t-SNE dimensionality reduction and embedding", J. Stat. Softw., 109, 1.

    Examples
    --------
    >>> import numpy as np
    >>> from spectragan.diagnostics import tsne_gap
    >>> rng = np.random.default_rng(0)
    >>> models, stars = rng.normal(1.0, 0.01, size=(2, 40, 30))
    >>> gap = tsne_gap({"models": models + 0.1, "stars": stars}, n_iter=50, random_state=0)
    >>> gap.maps["spectra"]["stars"].shape
    (40, 2)
    >>> gap.panels[0].mixing
    0.0
    """
    for name, value in (
        ("n_components", n_components),
        ("n_neighbors", n_neighbors),
        ("n_iter", n_iter),
    ):
        check(value, name, count())
    check(max_samples, "max_samples", count(10))
    check(perplexity, "perplexity", number(1, text="> 1", remedy="try 30"))
    rng = make_rng(random_state)
    if _is_mapping_form(source, X_synthetic, X_observed, latents, panels):
        sets = same_rows(named_sets(source, latents, panels), max_samples, rng)
    else:
        sets = translator_sets(source, X_synthetic, X_observed, max_samples, rng)
    matched, difference = match_noise(list(sets.spectra.values()), rng)
    spectra = dict(zip(sets.spectra, matched, strict=True))
    data = {"spectra": _spectra_scores(spectra, n_components, rng)}
    if sets.latents:
        data["latents"] = _by_set(standardise(np.vstack([*sets.latents.values()])), sets.latents)
    maps = {
        space: _by_set(_embed(np.vstack([*z.values()]), perplexity, n_iter, rng), z)
        for space, z in data.items()
    }
    scores = tuple(_score(panel, data, maps, n_neighbors, rng) for panel in sets.panels)
    return TSNEGap(maps, scores, n_neighbors, not difference, difference)


def _is_mapping_form(
    source: Any, X_synthetic: Any, X_observed: Any, latents: Any, panels: Any
) -> bool:
    """Tell which of the two forms of `tsne_gap` was called."""
    both = X_synthetic is not None and X_observed is not None
    neither = X_synthetic is None and X_observed is None
    if isinstance(source, Mapping) and neither:
        return True
    if hasattr(source, "inverse_transform") and both and latents is None and panels is None:
        return False
    raise TypeError(
        "`tsne_gap` must be given a mapping of sets, or a translator with X_synthetic and "
        f"X_observed; got {type(source).__name__} with {'both' if both else 'not both'} of them; "
        "give latents and panels with a mapping only."
    )


def _spectra_scores(
    spectra: dict[str, Spectra], n_components: int, rng: np.random.Generator
) -> dict[str, np.ndarray]:
    """Return scores on joint principal components, in units of flux, by set."""
    flux = np.concatenate([x.filled() for x in spectra.values()])
    weights = np.concatenate(relative_weights(list(spectra.values())))
    return _by_set(joint_scores(flux, weights, n_components, seed=draw_seed(rng)), spectra)


def _by_set(rows: np.ndarray, sets: Mapping[str, Any]) -> dict[str, np.ndarray]:
    """Split stacked rows into the sets they came from."""
    ends = np.cumsum([len(x) for x in sets.values()])
    return dict(zip(sets, np.split(rows, ends[:-1]), strict=True))


def _embed(
    points: np.ndarray, perplexity: float, n_iter: int, rng: np.random.Generator
) -> np.ndarray:
    """Fit one t-SNE map to all points."""
    from openTSNE import TSNE

    tsne = TSNE(
        perplexity=min(perplexity, (len(points) - 1) / 3),
        initialization="pca",
        n_iter=n_iter,
        n_jobs=1,  # sums over threads would come in any order, and with them the rounding
        random_state=draw_seed(rng),
    )
    return np.array(tsne.fit(points))


def _score(
    panel: Panel, data: dict, maps: dict, n_neighbors: int, rng: np.random.Generator
) -> PanelScores:
    """Score one pair of sets in the data and in the map."""
    values = []
    for points in (data[panel.space], maps[panel.space]):
        a, b = points[panel.first], points[panel.second]
        values.append(neighbour_mixing(a, b, n_neighbors=n_neighbors, paired=panel.paired))
        values.append(null_mixing(b, rng, n_neighbors=n_neighbors))
    return PanelScores(panel, *values)
