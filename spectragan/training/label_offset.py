"""How far mean labels differ between the domains: stars with known labels correct the game.

Most of what is left of a game's error lies along the labels: critics and identity loss know the
mean of the observed stars to some hundredths of a standard deviation only.
"""

from copy import deepcopy
from typing import Any, cast

import numpy as np
import torch
from torch import nn

from spectragan.networks.contract import OBSERVED, SYNTHETIC
from spectragan.networks.subspace import SubspaceTranslator
from spectragan.training.mismatch import Match
from spectragan.training.padding import map_padded
from spectragan.training.representation import SubspaceRepresentation

REAL_DIFFERENCE = 0.5  # standard deviations of labels, where they do differ: as in trials
FLOOR = 1e-9  # of variances, relative to their sum


def settle_offset(
    network: nn.Module,
    representation: SubspaceRepresentation,
    domains: tuple[Any, Any],
    found: Match,
) -> SubspaceTranslator:
    """Return a trained network whose observed latents lie where the anchors put them.

    Parameters
    ----------
    network : SubspaceTranslator
        Trained; it isn't touched.
    representation : SubspaceRepresentation
    domains : two DomainData or StoredDomain
        The training spectra, synthetic first.
    found : Match
        Of these spectra: where they lie, corrected by anchors.

    Returns
    -------
    settled : SubspaceTranslator
        In double precision; as trained where the label distributions differ significantly.

    See Also
    --------
    likely_offset : How chance and measurement are weighted.

    Notes
    -----
    Without anchors nothing should be moved: the places found are no better than the game's, and
    where chance made the mean labels differ, moving by them made good translations worse.
    """
    settled = cast(SubspaceTranslator, deepcopy(network).to("cpu", torch.float64).eval())
    if found.mismatch.matched or found.mismatch.is_significant:
        return settled
    latents = [
        np.concatenate([_shared(settled, representation, b, d) for _, b in data.blocks()])
        for d, data in enumerate(domains)
    ]
    game = latents[OBSERVED].mean(axis=0) - latents[SYNTHETIC].mean(axis=0)
    measured, error = _in_latents(latents[SYNTHETIC], game, found)
    wanted = likely_offset(latents, game, measured, error)
    settled.move_observed(torch.as_tensor(game - wanted))
    return settled


def likely_offset(
    latents: list[np.ndarray], game: np.ndarray, measured: np.ndarray, error: np.ndarray
) -> np.ndarray:
    r"""Return the expected difference of mean latents, measured with errors.

    If both domains are samples of the same stars, it is of the order of
    :math:`S = C_s / n_s + C_o / n_o`, and its expectation is :math:`S (S + E)^{-1}` times what
    was measured with the covariance E of its errors. If they aren't, the game is right.

    Parameters
    ----------
    latents : two ndarrays of shape (n_d, n_shared)
        Synthetic first.
    game : ndarray of shape (n_shared,)
        The difference that the game ended with.
    measured : ndarray of shape (n_shared,)
    error : ndarray of shape (n_shared, n_shared)
        Covariance of its errors.

    Returns
    -------
    offset : ndarray of shape (n_shared,)
        Both cases weighted by their probability, equal before anything was measured.

    Examples
    --------
    >>> import numpy as np
    >>> from spectragan.training.label_offset import likely_offset
    >>> latents = [np.random.default_rng(d).normal(size=(1000, 1)) for d in (0, 1)]
    >>> error = np.array([[0.002]])  # as much as chance
    >>> small, large = np.array([0.06]), np.array([0.6])
    >>> likely_offset(latents, small, small, error).round(2), likely_offset(
    ...     latents, large, large, error
    ... ).round(2)
    (array([0.03]), array([0.6]))
    """
    scatter = [_covariance(z) for z in latents]
    chance = sum(c / len(z) for c, z in zip(scatter, latents, strict=True))
    by_chance = chance + error
    real = by_chance + REAL_DIFFERENCE**2 * scatter[SYNTHETIC]
    evidence = _log_density(measured, by_chance) - _log_density(measured, real)
    share = 1 / (1 + np.exp(-np.clip(evidence, -500, 500)))
    return share * (chance @ np.linalg.solve(by_chance, measured)) + (1 - share) * game


def _covariance(latents: np.ndarray) -> np.ndarray:
    """Return a covariance that can be inverted, even of latents that are all alike."""
    covariance = np.atleast_2d(np.cov(latents.T))
    floor = FLOOR * np.trace(covariance) + np.finfo(float).tiny
    return covariance + floor * np.eye(len(covariance))


def _log_density(x: np.ndarray, covariance: np.ndarray) -> float:
    """Return the logarithm of a Gaussian's density, up to a constant."""
    square = x @ np.linalg.solve(covariance, x)
    return -0.5 * float(square + np.linalg.slogdet(covariance)[1])


def _in_latents(
    synthetic: np.ndarray, game: np.ndarray, found: Match
) -> tuple[np.ndarray, np.ndarray]:
    """Return the offset found, and the covariance of its errors, in the latents of the network.

    Where these have directions that `found` lacks, the game is believed.
    """
    first, second = found.placed.latents
    centred = first - first.mean(axis=0)
    turn = np.linalg.lstsq(centred, synthetic - synthetic.mean(axis=0), rcond=None)[0]
    lacking = np.eye(len(game)) - np.linalg.pinv(turn) @ turn
    offset = (second.mean(axis=0) - first.mean(axis=0)) @ turn + game @ lacking
    return offset, (turn.T * found.placed.pairs.error**2) @ turn


def _shared(
    network: SubspaceTranslator, representation: SubspaceRepresentation, data: Any, domain: int
) -> np.ndarray:
    coefficients, _ = representation.subspace.project(data.flux, data.weights, domain)
    x = torch.as_tensor(coefficients / representation.scale)
    return map_padded(lambda rows: network.encode(rows, domain)[0], x).numpy()
