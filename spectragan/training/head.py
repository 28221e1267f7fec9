"""The full-pixel head: what latents say about every pixel outside the subspace."""

from collections.abc import Iterable

import numpy as np

N_FOLDS = 5
# Ridge per star, relative to the mean square of a feature; the last one switches the head off.
PENALTIES = (1e-3, 1e-2, 1e-1, 1.0, 10.0, 1e6)
CHUNK_PIXELS = 1024


def fit_head(features: np.ndarray, residual: np.ndarray, weights: np.ndarray) -> np.ndarray:
    r"""Regress the residual spectra on functions of the latents, pixel by pixel.

    .. math:: \min_{h_j} \sum_i w_{ij} (r_{ij} - \phi_i h_j)^2 + \lambda |h_j|^2

    Parameters
    ----------
    features : ndarray of shape (n_spectra, n_features)
        The functions :math:`\phi` of the latents.
    residual : ndarray of shape (n_spectra, n_pixels)
        What the components leave out; finite everywhere.
    weights : ndarray of shape (n_spectra, n_pixels)
        Inverse variances; 0 where a pixel is ignored.

    Returns
    -------
    head : ndarray of shape (n_features, n_pixels)

    Notes
    -----
    The penalty is one for all pixels, chosen by cross-fitting over spectra: so noise in a small
    set can't become structure in the translated spectra.

    Examples
    --------
    >>> import numpy as np
    >>> from spectragan.training.head import fit_head
    >>> latents = np.linspace(-1, 1, 50)[:, None]
    >>> fit_head(latents, 0.3 * latents, np.ones((50, 1))).round(2)
    array([[0.3]])
    """
    weights = weights / max(float(weights.max(initial=0.0)), np.finfo(float).tiny)
    if len(features) < 2 * N_FOLDS:
        return np.zeros((features.shape[1], residual.shape[1]))
    folds = np.arange(len(features)) % N_FOLDS
    blocks = [slice(i, i + CHUNK_PIXELS) for i in range(0, residual.shape[1], CHUNK_PIXELS)]
    errors = np.zeros(len(PENALTIES))
    for block in blocks:
        errors += _held_out_errors(features, residual[:, block], weights[:, block], folds)
    penalty = PENALTIES[int(errors.argmin())]
    return np.hstack(
        [_solve(*_normal(features, residual[:, b], weights[:, b]), penalty) for b in blocks]
    )


def fit_head_to_blocks(blocks: Iterable[tuple[np.ndarray, np.ndarray, np.ndarray]]) -> np.ndarray:
    """Do as `fit_head` does, with spectra that come block by block and are seen once.

    Parameters
    ----------
    blocks : iterable of tuples (features, residual, weights)
        As `fit_head` takes them; at least 10 spectra in all.

    Returns
    -------
    head : ndarray of shape (n_features, n_pixels)
        The same but for rounding: held-out errors are expanded into sums over spectra.
    """
    parts, first = None, 0
    for features, residual, weights in blocks:
        folds = np.arange(first, first + len(features)) % N_FOLDS
        new = [_fold_sums(features, residual, weights, folds == k) for k in range(N_FOLDS)]
        if parts is None:
            parts = new
        else:
            for sums, more in zip(parts, new, strict=True):
                for total, part in zip(sums, more, strict=True):
                    total += part
        first += len(features)
    assert parts is not None
    n_pixels = len(parts[0][0])
    pixels = [slice(i, i + CHUNK_PIXELS) for i in range(0, n_pixels, CHUNK_PIXELS)]
    chunks = [[[array[block] for array in sums] for sums in parts] for block in pixels]
    errors = np.sum([_expanded_errors(chunk) for chunk in chunks], axis=0)
    penalty = PENALTIES[int(errors.argmin())]
    totals = ([np.sum(column, axis=0) for column in zip(*chunk, strict=True)] for chunk in chunks)
    return np.hstack([_solve(gram, moment, penalty) for gram, moment, _ in totals])


def _fold_sums(
    features: np.ndarray, residual: np.ndarray, weights: np.ndarray, fold: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return Gram matrices, moments, and weighted squares (n_pixels,) of some spectra."""
    weights, residual = weights[fold], residual[fold]
    gram, moment = _normal(features[fold], residual, weights)
    return gram, moment, (weights * residual**2).sum(axis=0)


def _expanded_errors(parts: list[list[np.ndarray]]) -> np.ndarray:
    """Return the held-out errors of every penalty, from the sums of every fold."""
    total = [sum(column) for column in zip(*parts, strict=True)]
    errors = np.zeros(len(PENALTIES))
    for gram, moment, square in parts:
        for i, penalty in enumerate(PENALTIES):
            head = _solve(total[0] - gram, total[1] - moment, penalty).T
            explained = ((gram @ head[..., None])[..., 0] - 2 * moment) * head
            errors[i] += square.sum() + explained.sum()
    return errors


def _held_out_errors(
    features: np.ndarray, residual: np.ndarray, weights: np.ndarray, folds: np.ndarray
) -> np.ndarray:
    parts = [
        _normal(features[folds == k], residual[folds == k], weights[folds == k])
        for k in range(N_FOLDS)
    ]
    total = [sum(column) for column in zip(*parts, strict=True)]
    errors = np.zeros(len(PENALTIES))
    for k, (gram, moment) in enumerate(parts):
        rest = total[0] - gram, total[1] - moment
        for i, penalty in enumerate(PENALTIES):
            predicted = features[folds == k] @ _solve(*rest, penalty)
            error = (predicted - residual[folds == k]) ** 2
            errors[i] += (weights[folds == k] * error).sum()
    return errors


def _normal(
    features: np.ndarray, residual: np.ndarray, weights: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return Gram matrices (n_pixels, f, f) and moments (n_pixels, f)."""
    n = features.shape[1]
    pairs = (features[:, :, None] * features[:, None]).reshape(-1, n * n)
    gram = (weights.T @ pairs).reshape(-1, n, n)
    return gram, (weights * residual).T @ features


def _solve(gram: np.ndarray, moment: np.ndarray, penalty: float) -> np.ndarray:
    """Return the head of shape (n_features, n_pixels)."""
    n = gram.shape[1]
    size = np.einsum("jff->j", gram)[:, None, None] / n + np.finfo(float).tiny
    return np.linalg.solve(gram + penalty * size * np.eye(n), moment[..., None])[..., 0].T
