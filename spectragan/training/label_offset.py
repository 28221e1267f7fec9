"""How far mean labels differ between the domains: stars with known labels correct the game.

Most of what is left of a game's error lies along the labels: critics and identity loss know the
mean of the observed stars to some hundredths of a standard deviation only.
"""

from collections.abc import Sequence
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
    settled = in_double(network)
    if found.mismatch.matched or found.mismatch.is_significant:
        return settled
    latents = shared_latents(settled, representation, domains)
    game = latents[OBSERVED].mean(axis=0) - latents[SYNTHETIC].mean(axis=0)
    measured, error = _in_latents(latents[SYNTHETIC], game, found)
    wanted = likely_offset(latents, game, measured, error)
    settled.move_observed(torch.as_tensor(game - wanted))
    return settled


def in_double(network: nn.Module) -> SubspaceTranslator:
    """Return a copy in double precision, whose results don't depend on their batch."""
    return cast(SubspaceTranslator, deepcopy(network).to("cpu", torch.float64).eval())


def shared_latents(
    network: SubspaceTranslator, representation: SubspaceRepresentation, domains: tuple[Any, Any]
) -> tuple[np.ndarray, np.ndarray]:
    """Return the shared latents of all spectra, block by block.

    Parameters
    ----------
    network : SubspaceTranslator
        In double precision.
    representation : SubspaceRepresentation
    domains : two DomainData or StoredDomain
        Synthetic first.

    Returns
    -------
    latents : two ndarrays of shape (n_d, n_shared)
    """
    synthetic, observed = (
        np.concatenate([_shared(network, representation, b, d) for _, b in data.blocks()])
        for d, data in enumerate(domains)
    )
    return synthetic, observed


def likely_offset(
    latents: Sequence[np.ndarray], game: np.ndarray, measured: np.ndarray, error: np.ndarray
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
    chance = _chance(latents)
    by_chance = chance + error
    real = by_chance + REAL_DIFFERENCE**2 * _covariance(latents[SYNTHETIC])
    evidence = _log_density(measured, by_chance) - _log_density(measured, real)
    share = 1 / (1 + np.exp(-np.clip(evidence, -500, 500)))
    return share * (chance @ np.linalg.solve(by_chance, measured)) + (1 - share) * game


def offset_covariance(latents: tuple[np.ndarray, np.ndarray], found: Match | None) -> np.ndarray:
    r"""Return how far the mean observed star may lie from where the training put it.

    All translated spectra have this error in common, and no spectrum without a partner shows it.
    If both domains are samples of the same stars, their means differ by
    :math:`S = C_s / n_s + C_o / n_o` at most; with E, the covariance of what can be measured
    without a translator, :math:`S (S + E)^{-1} E` is left. If they aren't, E is.

    Parameters
    ----------
    latents : two ndarrays of shape (n_d, n_shared)
        Of the spectra that were trained with, synthetic first.
    found : Match or None
        None where there are too few spectra to measure anything: then S is left.

    Returns
    -------
    covariance : ndarray of shape (n_shared, n_shared)

    Examples
    --------
    >>> import numpy as np
    >>> from spectragan.training.label_offset import offset_covariance
    >>> latents = tuple(np.random.default_rng(d).normal(size=(1000, 1)) for d in (0, 1))
    >>> offset_covariance(latents, None).round(3)
    array([[0.002]])
    """
    chance = _chance(latents)
    if found is None:
        return chance
    game = latents[OBSERVED].mean(axis=0) - latents[SYNTHETIC].mean(axis=0)
    _, error = _in_latents(latents[SYNTHETIC], game, found)
    if found.mismatch.is_significant:
        return error
    return chance @ np.linalg.solve(chance + error, error)


def _chance(latents: Sequence[np.ndarray]) -> np.ndarray:
    """Return the covariance of the difference of means of two samples of the same stars."""
    synthetic, observed = (_covariance(z) / len(z) for z in latents)
    return synthetic + observed


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
    first, second = (z[rows] for z, rows in zip(found.placed.latents, found.rows, strict=True))
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
