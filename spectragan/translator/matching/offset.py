"""How far mean labels differ between the domains: estimates weighted by their errors.

Most of what is left of a game's error lies along the labels: critics and identity loss know the
mean of the observed stars to some hundredths of a standard deviation only. Where these stars lie
among the synthetic spectra pixel by pixel is often known far better.
"""

from collections.abc import Sequence
from copy import deepcopy
from dataclasses import replace
from typing import Any, NamedTuple, cast

import numpy as np
import torch
from torch import nn

from spectragan.training.inference import map_padded
from spectragan.translator.matching.mismatch import Match, Placed
from spectragan.translator.matching.pseudo_pairs import log_density
from spectragan.translator.networks.contract import OBSERVED, SYNTHETIC
from spectragan.translator.networks.subspace import SubspaceTranslator
from spectragan.translator.representation import SubspaceRepresentation

REAL_DIFFERENCE = 0.5  # standard deviations of labels, where they do differ: as in trials
FLOOR = 1e-9  # of variances, relative to their sum
SMALLEST = 1e-100  # of variances: latents that are all alike have none


class Offset(NamedTuple):
    """An estimate of the difference of mean latents, observed less synthetic.

    Attributes
    ----------
    mean : ndarray of shape (n_shared,)
    covariance : ndarray of shape (n_shared, n_shared)
        Of its errors.
    """

    mean: np.ndarray
    covariance: np.ndarray


def settle_offset(
    network: nn.Module, representation: Any, domains: tuple[Any, Any], found: Match | None
) -> tuple[nn.Module, np.ndarray | None]:
    """Return a trained network whose observed latents lie where all that is known puts them.

    Parameters
    ----------
    network : torch.nn.Module
        Trained; it isn't touched.
    representation : SubspaceRepresentation or PixelRepresentation
    domains : two DomainData or StoredDomain
        The spectra it was trained with, synthetic first.
    found : Match or None
        Where these spectra lie, corrected by anchors if there are any; None where there are too
        few to tell.

    Returns
    -------
    settled : torch.nn.Module
        In double precision. As trained where nothing was found, or where the label distributions
        differ significantly and weren't matched: then everything was learned from other stars.
    covariance : ndarray of shape (n_shared, n_shared) or None
        How far the mean observed star may still be off, an error that all translated spectra have
        in common. None for networks that don't work in a subspace; those are returned as they are.

    See Also
    --------
    likely_offset : How chance and measurement are weighted.
    """
    if not isinstance(representation, SubspaceRepresentation):
        return network, None
    settled = cast(SubspaceTranslator, deepcopy(network).to("cpu", torch.float64).eval())
    latents = [
        np.concatenate([_shared(settled, representation, b, d) for _, b in data.blocks()])
        for d, data in enumerate(domains)
    ]
    if found is None:
        return settled, _chance(latents)
    game = latents[OBSERVED].mean(axis=0) - latents[SYNTHETIC].mean(axis=0)
    measured = _in_latents(latents, found)
    if found.mismatch.is_significant and not found.mismatch.matched:
        return settled, measured.covariance
    wanted = likely_offset(latents, with_game(latents, game, measured))
    settled.move_observed(torch.as_tensor(game - wanted.mean))
    return settled, wanted.covariance


def likely_offset(latents: Sequence[np.ndarray], measured: Offset) -> Offset:
    r"""Return the expected difference of mean latents, with what may be known beforehand.

    If both domains are samples of the same stars, it is of the order of
    :math:`S = C_s / n_s + C_o / n_o`. So what was measured with the covariance :math:`E` counts
    with :math:`E^{-1}`, and no difference with :math:`S^{-1}`; or with next to nothing if the
    domains aren't samples of the same stars.

    Parameters
    ----------
    latents : two ndarrays of shape (n_d, n_shared)
        Synthetic first.
    measured : Offset

    Returns
    -------
    offset : Offset
        Both cases weighted by their probability, equal before anything was measured.

    Examples
    --------
    >>> import numpy as np
    >>> from spectragan.translator.matching.offset import Offset, likely_offset
    >>> latents = [np.random.default_rng(d).normal(size=(1000, 1)) for d in (0, 1)]
    >>> vague = Offset(np.array([0.2]), np.array([[0.2**2]]))
    >>> likely_offset(latents, vague).mean.round(2)
    array([0.07])
    >>> likely_offset(latents, vague._replace(covariance=np.array([[0.02**2]]))).mean.round(2)
    array([0.2])
    """
    chance = _chance(latents)
    priors = chance, chance + REAL_DIFFERENCE**2 * _covariance(latents[SYNTHETIC])
    evidence = [log_density(measured.mean, p + measured.covariance) for p in priors]
    share = 1 / (1 + np.exp(-np.clip(evidence[0] - evidence[1], -500, 500)))
    none = np.zeros_like(measured.mean)
    by_chance, real = (_weighted_mean(measured, Offset(none, p)) for p in priors)
    away = by_chance.mean - real.mean
    return Offset(
        share * by_chance.mean + (1 - share) * real.mean,
        share * by_chance.covariance
        + (1 - share) * real.covariance
        + share * (1 - share) * np.outer(away, away),
    )


def with_game(latents: Sequence[np.ndarray], game: np.ndarray, measured: Offset) -> Offset:
    """Return a measurement together with what the game ended with.

    The game has an error of the order of chance, for its critics take chance for a gap.

    Parameters
    ----------
    latents : two ndarrays of shape (n_d, n_shared)
        Synthetic first.
    game : ndarray of shape (n_shared,)
        The difference of mean latents that the game ended with.
    measured : Offset

    Returns
    -------
    offset : Offset
    """
    chance = _chance(latents)
    return _weighted_mean(measured, Offset(game, chance), FLOOR * chance)


def likely_pairs(placed: Placed) -> Placed:
    """Return the domains with observed stars where measurement and chance together put them.

    Where the gap is so dense that it hides where the stars are, they are taken for a sample of the
    same stars, if that is as likely.

    Parameters
    ----------
    placed : Placed

    Returns
    -------
    placed : Placed
        With ``pairs`` moved.
    """
    pairs, latents = placed.pairs, placed.latents
    found = latents[OBSERVED].mean(axis=0) - latents[SYNTHETIC].mean(axis=0)
    floor = FLOOR * _chance(latents)
    wanted = likely_offset(latents, Offset(found, pairs.mean_covariance + floor))
    return replace(placed, pairs=pairs.moved(wanted.mean - found, wanted.covariance))


def _weighted_mean(first: Offset, second: Offset, floor: Any = 0.0) -> Offset:
    """Return the mean of two estimates by inverse covariance; `floor` is added to the first's."""
    error = first.covariance + floor
    part = np.linalg.solve(error + second.covariance, error).T  # of the second
    return Offset(first.mean + part @ (second.mean - first.mean), part @ second.covariance)


def _chance(latents: Sequence[np.ndarray]) -> np.ndarray:
    """Return the covariance of the difference of means of two samples of the same stars."""
    synthetic, observed = (_covariance(z) / len(z) for z in latents)
    return synthetic + observed


def _covariance(latents: np.ndarray) -> np.ndarray:
    """Return a covariance that can be inverted, even of latents that are all alike."""
    covariance = np.atleast_2d(np.cov(latents.T))
    floor = FLOOR * np.trace(covariance) + SMALLEST
    return covariance + floor * np.eye(len(covariance))


def _in_latents(latents: Sequence[np.ndarray], found: Match) -> Offset:
    """Return the offset found, in the latents of the network.

    What these have and `found` lacks was not measured: it stays as the game ended, as far off as
    chance allows.
    """
    synthetic, observed = latents
    first, second = (z[rows] for z, rows in zip(found.placed.latents, found.rows, strict=True))
    centred = first - first.mean(axis=0)
    own = synthetic - synthetic.mean(axis=0)
    turn = np.linalg.lstsq(centred, own, rcond=None)[0]
    lacking = np.eye(turn.shape[1]) - np.linalg.pinv(turn) @ turn
    unknown = np.atleast_2d(np.cov((own - centred @ turn).T)) * sum(1 / len(z) for z in latents)
    game = observed.mean(axis=0) - synthetic.mean(axis=0)
    offset = (second.mean(axis=0) - first.mean(axis=0)) @ turn + game @ lacking
    return Offset(offset, turn.T @ found.placed.pairs.mean_covariance @ turn + unknown)


def _shared(
    network: SubspaceTranslator, representation: SubspaceRepresentation, data: Any, domain: int
) -> np.ndarray:
    coefficients, _ = representation.subspace.project(data.flux, data.weights, domain)
    x = torch.as_tensor(coefficients / representation.scale)
    return map_padded(lambda rows: network.encode(rows, domain)[0], x).numpy()
