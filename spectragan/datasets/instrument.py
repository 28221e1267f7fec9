"""What a telescope adds to a star's spectrum: broadening, continuum, noise and bad pixels."""

import numpy as np
import scipy.fft

__all__ = ["add_noise", "broaden", "chebyshev_basis", "draw_bad_pixels", "draw_response"]

_HITS_PER_PIXEL = 0.002  # cosmic rays; each spoils 1 to 3 pixels
_MAX_SHIFT = 3  # pixels that the velocity of a star moves the detector in its rest frame


def broaden(flux: np.ndarray, sigma: np.ndarray) -> np.ndarray:
    """Convolve each spectrum with a Gaussian of its own width.

    Parameters
    ----------
    flux : ndarray of shape (n_samples, n_pixels)
        On a uniform grid. The first and last value go on beyond the edges.
    sigma : ndarray of shape (n_samples,), pixels
        Standard deviations.

    Returns
    -------
    flux : ndarray of shape (n_samples, n_pixels)
        Same dtype.
    """
    n_pixels = flux.shape[1]
    margin = int(5 * sigma.max(initial=0.0)) + 8
    n_padded = scipy.fft.next_fast_len(n_pixels + 2 * margin, real=True)
    padded = np.pad(flux, ((0, 0), (0, n_padded - n_pixels)), mode="edge")
    # The transform is periodic: half of the padding must continue the first pixel instead.
    half = (n_padded - n_pixels) // 2
    padded[:, n_padded - half :] = flux[:, :1]
    frequency = scipy.fft.rfftfreq(n_padded)
    transfer = np.exp(-2.0 * (np.pi * np.outer(sigma, frequency)) ** 2).astype(flux.dtype)
    spectrum = scipy.fft.rfft(padded, axis=1) * transfer
    return scipy.fft.irfft(spectrum, n_padded, axis=1)[:, :n_pixels]


def chebyshev_basis(n_pixels: int, degree: int) -> np.ndarray:
    """Return Chebyshev polynomials 0 to `degree` over the pixels, shape (degree + 1, n_pixels)."""
    position = np.linspace(-1.0, 1.0, n_pixels) if n_pixels > 1 else np.zeros(1)
    return np.polynomial.chebyshev.chebvander(position, degree).T


def add_noise(
    flux: np.ndarray, snr: np.ndarray, response: np.ndarray, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Add photon noise.

    Parameters
    ----------
    flux : ndarray of shape (n_samples, n_pixels)
        Noise-free flux, 1 is the continuum.
    snr : ndarray of shape (n_samples,)
        Signal-to-noise ratio per pixel where flux and response are 1.
    response : ndarray of shape (n_pixels,)
        Efficiency of the instrument: noise goes with one over its square root.
    rng : numpy.random.Generator
        Source of randomness.

    Returns
    -------
    noisy, ivar : ndarray of shape (n_samples, n_pixels)
        Flux with noise and its inverse variance.
    """
    # A tenth of the continuum's photons come from the sky and the detector.
    photons = (0.9 * np.maximum(flux, 0.0) + 0.1) / response
    sigma = (np.sqrt(photons) / snr[:, None]).astype(flux.dtype)
    noise = rng.standard_normal(flux.shape, dtype=flux.dtype)
    return flux + sigma * noise, 1.0 / sigma**2


def draw_response(n_pixels: int, rng: np.random.Generator) -> np.ndarray:
    """Draw the efficiency of a spectrograph: low in the blue, different from pixel to pixel.

    Parameters
    ----------
    n_pixels : int
        Number of pixels.
    rng : numpy.random.Generator
        Source of randomness.

    Returns
    -------
    response : ndarray of shape (n_pixels,)
        At most 1.
    """
    smooth = np.interp(np.linspace(0.0, 1.0, n_pixels), [0.0, 0.4, 1.0], [0.5, 1.0, 0.8])
    return smooth * rng.uniform(0.8, 1.0, n_pixels)


def draw_bad_pixels(
    shape: tuple[int, int], bad_columns: np.ndarray, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Draw where cosmic rays and bad columns spoil spectra.

    Bad columns stay at the same place of the detector; in the rest frames of stars they move by
    up to 3 pixels.

    Parameters
    ----------
    shape : tuple of int
        Numbers of samples and pixels.
    bad_columns : ndarray of int
        Bad columns of the detector.
    rng : numpy.random.Generator
        Source of randomness.

    Returns
    -------
    rows, columns : ndarray of int
        Where bad pixels are.
    """
    n_samples, n_pixels = shape
    n_hits = rng.poisson(_HITS_PER_PIXEL * n_samples * n_pixels)
    hit_rows, hit_columns = (
        rng.integers(n_samples, size=n_hits),
        rng.integers(n_pixels, size=n_hits),
    )
    lengths = rng.integers(1, 4, size=n_hits)
    places = [(hit_rows[lengths > k], hit_columns[lengths > k] + k) for k in range(3)]
    velocity = rng.integers(-_MAX_SHIFT, _MAX_SHIFT + 1, size=n_samples)
    moved = np.add.outer(velocity, bad_columns)
    places.append((np.repeat(np.arange(n_samples), bad_columns.size), moved.ravel()))
    rows, columns = (np.concatenate(part) for part in zip(*places, strict=True))
    inside = (columns >= 0) & (columns < n_pixels)
    return rows[inside], columns[inside]
