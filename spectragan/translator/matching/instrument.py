"""What an instrument or a model can have wrong for all lines at once."""

from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from numpy.polynomial import chebyshev

from spectragan.translator.matching.manifold import Manifold, Powers

CONTINUUM_DEGREE = 6  # of a smooth factor between the domains; from 4 to 12 the same is found
LIGHT_DEGREE = 2  # of light that is added
CONTINUUM_QUANTILE = 0.99  # of the flux of a typical star
PER_LATENT = ("factor", "light", "width", "moved")  # may change along the latents, too


class Term(NamedTuple):
    """One way in which all lines change together, to first order.

    Attributes
    ----------
    kind : {"factor", "light", "width", "fine width", "moved"}
        The flux itself, a constant, its second and fourth difference, and its slope.
    degree : int
        Of the Chebyshev polynomial over the pixels that multiplies it.
    latent : int
        Number of the latent that multiplies it, from 1; 0 is none.
    """

    kind: str
    degree: int = 0
    latent: int = 0


@dataclass(frozen=True)
class Instrument:
    r"""A change that all lines have in common, linear in its amounts.

    .. math:: \Delta f = \sum_k T_k(x)\,(m_k f + s_k \bar f) + b f'' + b_4 f'''' + v f' + \ldots,

    and :math:`m_0, s_0, b, v` once more for each latent. Lines that are all deeper by :math:`a`
    have :math:`m_0 = a` and :math:`s_0 \bar f = -a` times the continuum.

    Attributes
    ----------
    terms : tuple of Term
    amounts : ndarray of shape (n_terms,)
    level : float
        The mean flux :math:`\bar f`, by which amounts of light are counted.
    """

    terms: tuple[Term, ...]
    amounts: np.ndarray
    level: float

    def ways(self, flux: np.ndarray, latents: np.ndarray) -> "Ways":
        """Return how spectra would change with each term.

        Parameters
        ----------
        flux : ndarray of shape (n, n_pixels)
        latents : ndarray of shape (n, n_latents)
        """
        fields, smooth = self._fields(flux), _smooth(flux.shape[1])
        return Ways(self.terms, fields, smooth, Powers(latents.shape[1], 1)(latents))

    def common(self, flux: np.ndarray, latents: np.ndarray) -> np.ndarray:
        """Return what a star's lines have in common, in words: depth, width, place, continuum.

        Parameters
        ----------
        flux : ndarray of shape (n_pixels,)
            Of a typical star.
        latents : ndarray of shape (n_latents,)
            Its latents.

        Returns
        -------
        sizes : ndarray of shape (4,)
            How much deeper lines are, as a part of their depth; the standard deviation, in
            pixels, of what broadens them (negative: what sharpens them); by how many pixels they
            lie further on; and the rms change of the continuum, as a part of it.
        """
        ways = self.ways(flux[None], latents[None])
        mean = dict.fromkeys(ways.fields, 0.0) | {"factor": np.zeros(len(flux))}
        light = np.zeros(len(flux))
        for amount, (kind, degree, latent) in zip(self.amounts, self.terms, strict=True):
            part = amount * ways.affine[0, latent] * ways.smooth[:, degree]
            if kind == "light":
                light = light + part * self.level
            else:
                mean[kind] = mean[kind] + part
        top = np.quantile(flux, CONTINUUM_QUANTILE)
        depth = -float(np.mean(light)) / top
        width = float(np.mean(mean["width"]))
        level = mean["factor"] + light / top
        return np.array(
            [
                depth,
                np.sign(width) * np.sqrt(2 * np.abs(width)),
                -float(np.mean(mean["moved"])),
                float(np.sqrt(np.mean(level**2))),
            ]
        )

    def star_ways(self, flux: np.ndarray) -> np.ndarray:
        """Return how a star's spectrum changes with a continuum, a width and a place of its own.

        Parameters
        ----------
        flux : ndarray of shape (n_pixels,)
            Of a typical star.

        Returns
        -------
        ways : ndarray of shape (n_ways, n_pixels)
        """
        fields = self._fields(flux[None])
        return np.vstack([_smooth(len(flux)).T * flux, fields["width"], fields["moved"]])

    def changed(self, manifold: Manifold) -> Manifold:
        """Return a manifold as this instrument sees it.

        Parameters
        ----------
        manifold : Manifold
        """
        if not self.amounts.any():
            return manifold
        # Of polynomials, for that is linear in their coefficients, too: spectra are far more.
        rows = manifold.coefficients
        fields = self._fields(rows)
        fields["light"][1:] = 0.0  # the same for all spectra
        smooth = _smooth(rows.shape[1])
        change = np.zeros_like(rows)
        for latent in range(manifold.powers.n_latents + 1):
            sizes = {kind: np.zeros(smooth.shape[1]) for kind in fields}
            for amount, term in zip(self.amounts, self.terms, strict=True):
                sizes[term.kind][term.degree] += amount * (term.latent == latent)
            part = sum(fields[kind] * (smooth @ size) for kind, size in sizes.items())
            change += part if latent == 0 else manifold.times_latent[latent - 1] @ part
        return replace(manifold, coefficients=rows + change)

    def _fields(self, flux: np.ndarray) -> dict[str, np.ndarray]:
        """Return what each kind of term is a multiple of, shape (n, n_pixels)."""
        ends = np.pad(flux, ((0, 0), (2, 2)), mode="edge")
        wider = ends[:, 2:] - 2 * ends[:, 1:-1] + ends[:, :-2]
        return {
            "factor": flux,
            "light": np.full_like(flux, self.level),
            "width": wider[:, 1:-1],
            "fine width": wider[:, 2:] - 2 * wider[:, 1:-1] + wider[:, :-2],
            # Of fourth order: lines are a few pixels wide.
            "moved": (8 * (ends[:, 3:-1] - ends[:, 1:-3]) - (ends[:, 4:] - ends[:, :-4])) / 12,
        }


class Ways(NamedTuple):
    """Derivatives of spectra with respect to what an instrument may change.

    Attributes
    ----------
    terms : tuple of Term
    fields : dict of str to ndarray of shape (n, n_pixels)
    smooth : ndarray of shape (n_pixels, n_degrees)
    affine : ndarray of shape (n, 1 + n_latents)
    """

    terms: tuple[Term, ...]
    fields: dict[str, np.ndarray]
    smooth: np.ndarray
    affine: np.ndarray

    def at(self, pixels: np.ndarray) -> np.ndarray:
        """Return the derivatives at some pixels, shape (n_pixels, n, n_terms)."""
        columns = [
            self.fields[kind][:, pixels] * self.smooth[pixels, degree] * self.affine[:, [latent]]
            for kind, degree, latent in self.terms
        ]
        return np.stack(columns, axis=2).transpose(1, 0, 2)


def _smooth(n_pixels: int) -> np.ndarray:
    return chebyshev.chebvander(np.linspace(-1, 1, n_pixels), CONTINUUM_DEGREE)


def no_instrument(manifold: Manifold) -> Instrument:
    """Return the change of nothing.

    Parameters
    ----------
    manifold : Manifold
        Of the synthetic spectra.

    Returns
    -------
    instrument : Instrument
        With all terms, their amounts 0.
    """
    terms = [Term("factor", degree) for degree in range(CONTINUUM_DEGREE + 1)]
    terms += [Term("light", degree) for degree in range(LIGHT_DEGREE + 1)]
    terms += [Term("width"), Term("fine width"), Term("moved")]
    for latent in range(1, manifold.powers.n_latents + 1):
        terms += [Term(kind, 0, latent) for kind in PER_LATENT]
    level = float(np.abs(manifold.coefficients[0]).mean())
    return Instrument(tuple(terms), np.zeros(len(terms)), level)
