"""A pair of domains whose truth is known: what a translator can be measured against."""

from typing import Any

import numpy as np
from sklearn.utils import Bunch

from spectragan.datasets import instrument
from spectragan.datasets.checks import (
    check_count,
    check_limits,
    check_number,
    check_triple,
)
from spectragan.datasets.mock_gap import SPLIT_NAMES, MockGap, draw_gap, draw_split
from spectragan.datasets.populations import LABEL_NAMES, draw_reweighted_stars, draw_stars
from spectragan.spectra import Spectra
from spectragan.spectra.inputs import make_rng

__all__ = ["make_mock_domains"]

_MIN_SCALE = 0.2
_MIN_PIXELS, _MAX_PIXELS = 16, 3111
# A single number can't move all labels alike: no population of real stars is one standard
# deviation hotter, denser and richer in metals at once.
_SHIFT_DIRECTION = np.array([1.0, 0.5, 0.5])

_DESCR = """A controlled pair of domains, unpaired, with known truth

Both sides are F, G and K dwarfs and giants of the thin disc, the thick disc and the halo, drawn
independently: no row of one side is a row of the other. Flux is continuum-normalised, wavelengths
are in air.
Synthetic: a Cannon-type model of LTE syntheses, FWHM 2.5 angstrom, without noise. Its line list is
wrong: 80 lines (over 2800 angstrom) that the observed stars have are missing, and an eighth of its
weaker lines have a strength that is wrong by a factor that depends on the labels.
Observed: the same model with these lines right; broadened, to another FWHM (2.55-3.0 angstrom) in
every star; a residual continuum, a Chebyshev polynomial of degree 4 with coefficients of 0.2 %
common to all stars and 0.1 % of every star's own; photon noise, the S/N per pixel log-uniform over
the stars; cosmic rays and bad columns, which hold garbage and ivar 0.
Truth: `synthetic_of_observed` and `observed_truth` are the two noise-free versions of every
observed star, row by row. A translator must not be fitted to them. `split_observed` is what no
synthetic spectrum can know.
With the defaults the rms between the two is 0.013 of the continuum. Mean shift leaves 0.74-0.79 of
it, Gaussian optimal transport in 20 components 0.41-0.53, and the truth averaged over the split
latents, the best that any function of the labels can do, 0.15.
The synthetic model came with the Doppler (Nidever et al. 2021, doi:10.5281/zenodo.4906680, MIT
licence).
"""


def make_mock_domains(
    n_synthetic: int = 2000,
    n_observed: int = 2000,
    *,
    label_shift: Any = 0.0,
    label_scale: Any = 1.0,
    n_pixels: int = 3111,
    snr: tuple[float, float] = (60.0, 250.0),
    split: float = 1.0,
    gap_seed: int = 0,
    random_state: Any = None,
) -> Bunch:
    """Make unpaired synthetic and observed spectra whose truth is known.

    The synthetic domain lacks lines and has others at a wrong strength, which depends on the
    labels; observed stars have other broadening, a residual continuum, noise and bad pixels. What
    differs between observed stars of equal labels (broadening and continuum, the ``split``
    latents) is small but can't be known from a synthetic spectrum.

    Parameters
    ----------
    n_synthetic, n_observed : int, default=2000
        Numbers of spectra.
    label_shift : float or array-like of shape (3,), default=0.0, standard deviations
        How far the mean labels of the observed stars lie from those of the synthetic ones, in
        units of the population's standard deviations: 556 K, 0.98, 0.42. Three numbers are for
        ``teff``, ``logg`` and ``feh``; one number moves ``teff`` by it and the other two by half
        of it, and may lie between -1.5 and 1.5. The same kinds of stars appear in other
        proportions, so labels stay physical, and the widths change too.
    label_scale : float or array-like of shape (3,), default=1.0
        Factor, at least 0.2, on the standard deviations of the observed stars' labels; where it is
        1, the width is left to itself.
    n_pixels : int, default=3111
        16 to 3111. Fewer than 3111 are a window around 5175 Å (Mg b) with the same pixels.
    snr : tuple of two floats, default=(60.0, 250.0)
        Smallest and largest signal-to-noise ratio per pixel; log-uniform over the stars.
    split : float, default=1.0
        Factor on the differences between observed stars of equal labels; 0 removes them.
    gap_seed : int, default=0
        What is wrong with the synthetic domain, and the telescope. Two calls with the same
        `gap_seed` and another `random_state` give other stars of the same two domains, such as a
        validation set.
    random_state : int, Generator, RandomState or None, default=None
        Fixes the stars and their noise. The global generator is never touched.

    Returns
    -------
    data : Bunch
        Spectra are float32, of shape (n_synthetic or n_observed, n_pixels).

        synthetic : Spectra
            Noise ``exact``.
        observed : Spectra
            Noise ``known``.
        labels_synthetic, labels_observed : ndarray of shape (n_synthetic or n_observed, 3)
            ``teff`` (K), ``logg`` (dex, cgs), ``feh`` (dex).
        label_names : tuple of str
            Their names.
        synthetic_of_observed : Spectra
            Synthetic spectra with the labels of the observed stars, row by row.
        observed_truth : Spectra
            The observed stars without noise and bad pixels, row by row.
        split_observed : ndarray of shape (n_observed, 6)
            FWHM (angstrom) and the coefficients of the star's own continuum; `split_names`.
        raw_gap : float
            Rms of ``observed_truth - synthetic_of_observed``; 1 is the continuum.
        gap : MockGap
            The two domains as noise-free functions: ``gap.synthetic(labels)``,
            ``gap.observed(labels, split)``, and the wrong lines.
        DESCR : str
            What this is, in full.

    Raises
    ------
    ValueError
        If a number lies outside the limits above, or no population has the moments asked for.

    Notes
    -----
    Photon noise makes ivar larger where flux is lower. Means over stars that are weighted by ivar
    therefore favour stars with deep lines and are biased; weight with the mask only.

    Examples
    --------
    >>> from spectragan.datasets import make_mock_domains
    >>> pair = make_mock_domains(100, 150, n_pixels=300, random_state=0)
    >>> pair.synthetic.shape, pair.observed.shape, pair.observed_truth.shape
    ((100, 300), (150, 300), (150, 300))
    """
    n_synthetic = check_count(n_synthetic, "n_synthetic")
    n_observed = check_count(n_observed, "n_observed")
    n_pixels = check_count(n_pixels, "n_pixels", _MIN_PIXELS, _MAX_PIXELS)
    split = check_number(split, "split", 0.0)
    shift = check_triple(label_shift, "label_shift", _SHIFT_DIRECTION)
    scale = check_triple(label_scale, "label_scale", np.ones(3), _MIN_SCALE)
    snr = check_limits(snr, "snr")
    gap = draw_gap(n_pixels, check_count(gap_seed, "gap_seed", 0))

    rng_synthetic, rng_observed, rng_split, rng_noise = make_rng(random_state).spawn(4)
    labels_synthetic = draw_stars(n_synthetic, rng_synthetic)
    labels_observed = _draw_observed_stars(n_observed, shift, scale, rng_observed)
    split_observed = draw_split(n_observed, split, rng_split)
    truth = gap.observed(labels_observed, split_observed)
    synthetic_of_observed = gap.synthetic(labels_observed)
    flux, ivar = _observe(truth, gap, snr, rng_noise)
    exact = {"wavelength": gap.wavelength, "noise": "exact", "medium": "air"}
    return Bunch(
        synthetic=Spectra(gap.synthetic(labels_synthetic), **exact),
        observed=Spectra(flux, gap.wavelength, ivar=ivar, medium="air"),
        labels_synthetic=labels_synthetic,
        labels_observed=labels_observed,
        label_names=LABEL_NAMES,
        synthetic_of_observed=Spectra(synthetic_of_observed, **exact),
        observed_truth=Spectra(truth, **exact),
        split_observed=split_observed,
        split_names=SPLIT_NAMES,
        raw_gap=float(np.sqrt(np.mean((truth - synthetic_of_observed) ** 2, dtype=float))),
        gap=gap,
        DESCR=_DESCR,
    )


def _draw_observed_stars(
    n_stars: int, shift: np.ndarray, scale: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """Draw from the population, or from a re-weighted one."""
    if not shift.any() and np.all(scale == 1.0):
        return draw_stars(n_stars, rng)
    return draw_reweighted_stars(n_stars, rng, shift, scale)


def _observe(
    truth: np.ndarray, gap: MockGap, snr: tuple[float, float], rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Return noisy flux and ivar; bad pixels hold garbage and ivar 0."""
    ratio = np.exp(rng.uniform(np.log(snr[0]), np.log(snr[1]), len(truth)))
    flux, ivar = instrument.add_noise(truth, ratio, gap.response, rng)
    rows, columns = instrument.draw_bad_pixels(flux.shape, gap.bad_columns, rng)
    flux[rows, columns] = rng.normal(0.0, 5.0, rows.size)
    ivar[rows, columns] = 0.0
    return flux, ivar
