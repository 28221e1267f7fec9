"""`harmonize`: synthetic and observed spectra on one grid, resolution, medium and continuum."""

from dataclasses import dataclass
from typing import Any

import astropy.units as u
import numpy as np
from sklearn.base import clone
from sklearn.utils import Bunch

from spectragan.spectra.axis import ascending_angstrom, same_axis
from spectragan.spectra.checks import check_axis
from spectragan.spectra.container import Spectra
from spectragan.spectra.convert import as_spectra, like_input
from spectragan.spectra.steps.broadening import Broadener
from spectragan.spectra.steps.continuum import ContinuumNormalizer
from spectragan.spectra.steps.medium import AirVacuumConverter
from spectragan.spectra.steps.resampling import Resampler
from spectragan.spectra.summary import SummaryMixin
from spectragan.spectra.transformer import angstrom_grid

NAMES = ("synthetic", "observed")
Pair = tuple[Spectra, Spectra]


@dataclass(frozen=True, repr=False)
class HarmonizationReport(SummaryMixin):
    """What `harmonize` has done, one line per step.

    Attributes
    ----------
    steps : tuple of str
        Medium, resolution, grid and continuum, in the order of the work; also where nothing was
        to be done. ``print(report)`` shows them.
    """

    steps: tuple[str, ...]

    def summary(self) -> str:
        """Return what was done, one line per step.

        Returns
        -------
        table : str
            Medium, resolution, grid and continuum.
        """
        return "\n".join(self.steps)

    def __repr__(self) -> str:
        return f"HarmonizationReport({len(self.steps)} steps)"


def harmonize(
    synthetic: Any,
    observed: Any,
    *,
    wavelength: u.Quantity | None = None,
    method: str = "flux",
    resolution: float | None = None,
    synthetic_resolution: float | None = None,
    observed_resolution: float | None = None,
    medium: str | None = None,
    synthetic_medium: str | None = None,
    observed_medium: str | None = None,
    continuum: int | ContinuumNormalizer | None = 4,
) -> Bunch:
    """Bring synthetic and observed spectra onto one grid, resolution, medium and continuum.

    Parameters
    ----------
    synthetic, observed : Spectra or specutils object of shape (n_spectra, n_pixels)
        The two domains, each on its own grid, in the same frame.
    wavelength : Quantity of shape (n_new_pixels,), default=None
        The grid to bring both to, in the medium of the result; None is that of `observed`. Either
        way it is cut to the wavelengths that both have.
    method : {"flux", "linear"}, default="flux"
        How spectra are resampled, see `Resampler`.
    resolution : float, default=None
        Resolving power of the result; None is `observed_resolution`, and without that nothing is
        broadened.
    synthetic_resolution : float, default=None
        Resolving power of the synthetic spectra; None is infinitely sharp.
    observed_resolution : float, default=None
        Resolving power of the observed spectra; None takes them to be at `resolution`.
    medium : {"air", "vacuum"}, default=None
        What the wavelengths of the result are in; None is that of `observed`.
    synthetic_medium, observed_medium : {"air", "vacuum"}, default=None
        What the wavelengths of spectra are in that don't say so themselves.
    continuum : int, ContinuumNormalizer or None, default=4
        Degree of the polynomial that each spectrum is divided by, fitted to all good pixels
        alike in both domains; a normalizer to use on both; or None to leave flux as it is.

    Returns
    -------
    result : Bunch
        ``synthetic`` and ``observed``, the kinds that came in, and ``report``, a
        `HarmonizationReport`.

    Raises
    ------
    ValueError
        If the spectra don't overlap, a medium isn't known, wavelengths are missing, or a
        resolution can't be reached.

    Warns
    -----
    ContinuumWarning
        If some spectra or pixels have no usable continuum.

    See Also
    --------
    RestFrameShifter : Brings observed spectra to rest first.
    spectragan.stack_domains : Puts the result into one set.

    Notes
    -----
    Media come first, because grids can be compared only in one of them; spectra are broadened on
    their own grids, before they are resampled to a coarser one. Observed spectra keep their
    pixels if `wavelength` is None. All steps keep ivar and masks, as the transformers that do
    the work say.

    Examples
    --------
    >>> import astropy.units as u
    >>> import numpy as np
    >>> from spectragan import Spectra, harmonize
    >>> models = Spectra(np.ones((3, 2001)), np.linspace(4000, 7000, 2001) * u.AA,
    ...                  noise="exact", medium="vacuum")
    >>> stars = Spectra(np.full((2, 500), 7.0), np.linspace(480, 780, 500) * u.nm,
    ...                 np.ones((2, 500)), medium="air")
    >>> result = harmonize(models, stars, resolution=1000)
    >>> print(result.report)
    medium: synthetic vacuum -> air, observed in air already
    resolution: synthetic infinite -> R = 1000, observed taken to be at R = 1000
    grid: 366 of 500 pixels, 4800-6994.39 Angstrom; synthetic resampled (flux), observed cut
    continuum: both divided by a polynomial of degree 4
    >>> result.synthetic.shape, result.observed.shape
    ((3, 366), (2, 366))
    """
    pair = _with_wavelengths(synthetic, observed)
    pair, first = _one_medium(pair, medium, (synthetic_medium, observed_medium))
    pair, second = _one_resolution(pair, resolution, (synthetic_resolution, observed_resolution))
    pair, third = _one_grid(pair, wavelength, method)
    pair, fourth = _one_continuum(pair, continuum)
    return Bunch(
        synthetic=like_input(pair[0], synthetic),
        observed=like_input(pair[1], observed),
        report=HarmonizationReport((first, second, third, fourth)),
    )


def _with_wavelengths(synthetic: Any, observed: Any) -> Pair:
    pair = as_spectra(synthetic), as_spectra(observed)
    for spectra, name in zip(pair, NAMES, strict=True):
        angstrom_grid(spectra, f"`{name}` of harmonize")
    return pair


def _one_medium(
    pair: Pair, medium: str | None, given: tuple[str | None, str | None]
) -> tuple[Pair, str]:
    for spectra, word, name in zip(pair, given, NAMES, strict=True):
        if not (spectra.medium or word):
            raise ValueError(
                f"the medium of `{name}` must be known; got None; pass `{name}_medium`, 'air' or "
                "'vacuum', or Spectra that say their medium."
            )
    target = medium or pair[1].medium or given[1]
    converted, texts = [], []
    for spectra, word, name in zip(pair, given, NAMES, strict=True):
        converter = AirVacuumConverter(target, initial_medium=word)
        converted.append(converter.fit_transform(spectra))
        before = converter.initial_medium_
        same = before == target
        texts.append(f"{name} in {target} already" if same else f"{name} {before} -> {target}")
    return (converted[0], converted[1]), f"medium: {', '.join(texts)}"


def _one_resolution(
    pair: Pair, target: float | None, initial: tuple[float | None, float | None]
) -> tuple[Pair, str]:
    target = initial[1] if target is None else target
    if target is None:
        return pair, "resolution: both left as they are"
    synthetic = Broadener(target, initial_resolution=initial[0]).fit_transform(pair[0])
    before = "infinite" if initial[0] is None else f"R = {initial[0]:g}"
    text = f"resolution: synthetic {before} -> R = {target:g}, observed "
    if initial[1] is None:
        return (synthetic, pair[1]), f"{text}taken to be at R = {target:g}"
    if initial[1] == target:
        return (synthetic, pair[1]), f"{text}at R = {target:g} already"
    observed = Broadener(target, initial_resolution=initial[1]).fit_transform(pair[1])
    return (synthetic, observed), f"{text}R = {initial[1]:g} -> R = {target:g}"


def _one_grid(pair: Pair, wavelength: u.Quantity | None, method: str) -> tuple[Pair, str]:
    axis: Any = pair[1].spectral_axis
    if wavelength is not None:
        axis = check_axis(wavelength, np.size(wavelength))
    in_axis_order = axis.to_value(u.AA, u.spectral())
    grids = [angstrom_grid(spectra, name) for spectra, name in zip(pair, NAMES, strict=True)]
    low, high = max(grid[0] for grid in grids), min(grid[-1] for grid in grids)
    kept = (in_axis_order >= low) & (in_axis_order <= high)
    if not kept.any():
        raise ValueError(
            "`synthetic` and `observed` must overlap in wavelength, on the grid to bring them to; "
            f"got {_span(pair[0])} and {_span(pair[1])}; check their units."
        )
    new = axis[kept]
    done, texts = [], []
    for spectra, grid, name in zip(pair, grids, NAMES, strict=True):
        inside = (grid >= low) & (grid <= high)
        part = spectra.select_pixels(inside) if inside.any() else spectra
        same = same_axis(part.wavelength, ascending_angstrom(new))
        texts.append(f"{name} cut" if same else f"{name} resampled ({method})")
        done.append(part if same else Resampler(new, method=method).fit_transform(spectra))
    text = f"grid: {kept.sum()} of {len(axis)} pixels, {_span(done[0])}; "
    return (done[0], done[1]), text + ", ".join(texts)


def _span(spectra: Spectra) -> str:
    low, high = angstrom_grid(spectra, "a span")[[0, -1]]
    return f"{low:.6g}-{high:.6g} Angstrom"


def _one_continuum(pair: Pair, continuum: Any) -> tuple[Pair, str]:
    if continuum is None:
        return pair, "continuum: both left as they are"
    if isinstance(continuum, int | np.integer) and not isinstance(continuum, bool):
        continuum = ContinuumNormalizer(int(continuum), weighting="uniform")
    if not isinstance(continuum, ContinuumNormalizer):
        raise ValueError(
            "`continuum` must be a degree, a ContinuumNormalizer or None; got "
            f"{type(continuum).__name__}; use 4 for a polynomial of degree 4."
        )
    done = [clone(continuum).fit_transform(spectra) for spectra in pair]
    text = f"continuum: both divided by a polynomial of degree {continuum.degree}"
    return (done[0], done[1]), text
