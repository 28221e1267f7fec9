r"""Loss functions of tensors: no state, no modules, no random numbers.

Games between critic and translator take ``(real, fake)`` scores and return a mean over the rows.
Scores are logits: no sigmoid has been applied, and a higher score means "more real".

Distances between spectra have the form

.. math:: \frac{1}{|R|} \sum_{i \in R} \frac{1}{|P_i|} \sum_{j \in P_i}
          \rho\left(\sqrt{w_{ij}} \, (\hat x_{ij} - x_{ij})\right),

with the inverse variances :math:`w`, the good pixels :math:`P_i = \{j : w_{ij} > 0\}` of row
:math:`i` and the rows :math:`R` that have any. They differ in :math:`\rho`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import TypeVar

import torch
from torch.nn.functional import relu, softplus

__all__ = [
    "AdversarialLoss",
    "adversarial_loss",
    "adversarial_names",
    "gradient_penalty",
    "huber_distance",
    "weighted_distance",
]


def weighted_distance(
    prediction: torch.Tensor, target: torch.Tensor, ivar: torch.Tensor
) -> torch.Tensor:
    r"""Return the mean squared error in units of the pixel errors, :math:`\rho(r) = r^2`.

    Parameters
    ----------
    prediction, target : tensor of shape (n_rows, n_pixels)
        Spectra to compare; values where ``ivar == 0`` are never looked at.
    ivar : tensor of shape (n_rows, n_pixels)
        Inverse variances, 0 where the pixel is ignored; broadcast against the spectra.

    Returns
    -------
    distance : tensor of shape ()
        Mean over the good pixels of each row, then over the rows that have a good pixel; 0 with
        zero gradients if none has.

    References
    ----------
    .. [1] O'Briain et al. 2021, ApJ 906, 130 (arXiv:2007.03109).

    Examples
    --------
    >>> import torch
    >>> from spectragan.translator.game.losses import weighted_distance
    >>> prediction = torch.tensor([[1.0, 3.0, 1e30]])
    >>> weighted_distance(prediction, torch.ones(1, 3), torch.tensor([[1.0, 1.0, 0.0]]))
    tensor(2.)
    """
    return _mean_over_good(_normalised_residuals(prediction, target, ivar).square(), ivar)


def huber_distance(
    prediction: torch.Tensor, target: torch.Tensor, ivar: torch.Tensor, *, threshold: float = 3.0
) -> torch.Tensor:
    r"""Return the pseudo-Huber error, squared for small residuals and absolute for large ones.

    .. math:: \rho(r) = 2 \delta^2 \left(\sqrt{1 + (r / \delta)^2} - 1\right),

    which is :math:`r^2` for :math:`|r| \ll \delta` (so that weights need no change when a loss
    is made robust) and :math:`2 \delta |r|` for :math:`|r| \gg \delta`.

    Parameters
    ----------
    prediction, target : tensor of shape (n_rows, n_pixels)
        Spectra to compare; values where ``ivar == 0`` are never looked at.
    ivar : tensor of shape (n_rows, n_pixels)
        Inverse variances, 0 where the pixel is ignored; broadcast against the spectra.
    threshold : float, default=3.0
        The residual :math:`\delta`, in pixel errors, beyond which growth is linear.

    Returns
    -------
    distance : tensor of shape ()
        As in `weighted_distance`.

    References
    ----------
    .. [1] Charbonnier et al. 1997, IEEE Trans. Image Process. 6, 298.

    Examples
    --------
    >>> import torch
    >>> from spectragan.translator.game.losses import huber_distance
    >>> distance = huber_distance(torch.zeros(1, 1), torch.full((1, 1), 4.0), torch.ones(1, 1))
    >>> round(float(distance), 3)
    12.0
    """
    residuals = _normalised_residuals(prediction, target, ivar)
    root = torch.sqrt(1.0 + (residuals / threshold).square())
    # Equals 2 threshold^2 (root - 1) without the cancellation for small residuals.
    return _mean_over_good(2.0 * residuals.square() / (root + 1.0), ivar)


def _normalised_residuals(
    prediction: torch.Tensor, target: torch.Tensor, ivar: torch.Tensor
) -> torch.Tensor:
    difference = prediction - target
    # Chosen before anything else is computed: 0 * inf in a product, or in its gradient, is NaN.
    kept = torch.where(ivar > 0, difference, torch.zeros_like(difference))
    return kept * ivar.sqrt()


def _mean_over_good(values: torch.Tensor, ivar: torch.Tensor) -> torch.Tensor:
    n_good = (ivar > 0).expand_as(values).sum(dim=-1)
    row_means = values.sum(dim=-1) / n_good.clamp(min=1)
    return row_means.sum() / (n_good > 0).sum().clamp(min=1)


def gradient_penalty(scores: torch.Tensor, *inputs: torch.Tensor) -> torch.Tensor:
    r"""Return how steep a critic is at its inputs: R1 on real spectra, R2 on translated ones.

    .. math:: \frac{1}{n} \sum_i \left\| \nabla_{x_i} D(x_i) \right\|^2

    The published losses weight it with :math:`\gamma / 2`. With the penalty on both sides the
    game converges also when the two distributions live on different manifolds, which is what
    noise-free models and real spectra do.

    Parameters
    ----------
    scores : tensor of shape (n_rows,)
        Critic scores, each of which depends on its own row of the inputs only.
    *inputs : tensor of shape (n_rows, ...)
        What the critic was shown; each must require gradients. An empty tensor counts nothing.

    Returns
    -------
    penalty : tensor of shape ()
        Mean over the rows of the squared gradient norm, differentiable with respect to the
        parameters of the critic.

    Raises
    ------
    ValueError
        If no input is given, or one does not require gradients.

    References
    ----------
    .. [1] Mescheder, Geiger & Nowozin 2018, ICML (arXiv:1801.04406).
    .. [2] Huang et al. 2024, NeurIPS (arXiv:2501.05441).

    Examples
    --------
    >>> import torch
    >>> from spectragan.translator.game.losses import gradient_penalty
    >>> spectra = torch.zeros(4, 3, requires_grad=True)
    >>> gradient_penalty(2.0 * spectra.sum(dim=1), spectra)
    tensor(12.)
    """
    _check_inputs(inputs)
    # The sum over rows gives all per-row gradients in one backward pass, because no score
    # depends on another row.
    gradients = torch.autograd.grad(scores.sum(), inputs, create_graph=True, materialize_grads=True)
    squares = torch.stack([gradient.square().sum() for gradient in gradients])
    return squares.sum() / len(scores)


def _check_inputs(inputs: tuple[torch.Tensor, ...]) -> None:
    if not inputs:
        raise ValueError(
            "`inputs` must hold at least one tensor; got none; pass what the critic was shown."
        )
    for number, tensor in enumerate(inputs):
        if not tensor.requires_grad:
            raise ValueError(
                f"`inputs` must require gradients; got input {number} that does not; "
                "call `requires_grad_()` on it before the critic scores it."
            )


Value = TypeVar("Value")


def look_up(registry: Mapping[str, Value], name: str, *, parameter: str) -> Value:
    """Return the entry of `registry` called `name`.

    Parameters
    ----------
    registry : mapping of str to object
        The known names.
    name : str
        The name asked for.
    parameter : str
        What the user calls the parameter that holds `name`; the error message names it.

    Returns
    -------
    entry : object
        ``registry[name]``.

    Raises
    ------
    ValueError
        If there is no such name.

    Examples
    --------
    >>> from spectragan.translator.game.losses import look_up
    >>> look_up({"hinge": 1}, "hinge", parameter="adversarial")
    1
    """
    if isinstance(name, str) and name in registry:
        return registry[name]
    known = ", ".join(f"'{key}'" for key in sorted(registry))
    close = get_close_matches(str(name).lower(), registry, n=1)
    advice = f"did you mean '{close[0]}'?" if close else "take one of these names."
    raise ValueError(f"`{parameter}` must be one of {known}; got {name!r}; {advice}")


ScoreLoss = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]


@dataclass(frozen=True)
class AdversarialLoss:
    """What the critic minimises, and what the translator minimises.

    Attributes
    ----------
    name : str
        The name `adversarial_loss` knows it by.
    critic : callable
        ``critic(real, fake)`` -> tensor of shape (), where `real` and `fake` are scores of shape
        (n_rows,).
    translator : callable
        ``translator(real, fake)`` -> tensor of shape ().
    relativistic : bool
        Whether the translator's loss depends on `real`; if not, a training step need not score
        real spectra again for the translator.

    Examples
    --------
    >>> import torch
    >>> from spectragan.translator.game.losses import adversarial_loss
    >>> game = adversarial_loss("lsgan")
    >>> game.critic(torch.ones(2), torch.zeros(2)), game.translator(torch.ones(2), torch.ones(2))
    (tensor(0.), tensor(0.))
    """

    name: str
    critic: ScoreLoss
    translator: ScoreLoss
    relativistic: bool = False


def rpgan_critic(real: torch.Tensor, fake: torch.Tensor) -> torch.Tensor:
    r"""Return :math:`\mathrm{mean}\, \log(1 + e^{-(D(x) - D(\hat x))})` over pairs of rows.

    A real spectrum must score higher than *its* partner in the batch, not higher than a fixed
    level: there is no direction in which both scores can run away.

    Parameters
    ----------
    real, fake : tensor of shape (n_rows,)
        Critic scores, paired row by row.

    Returns
    -------
    loss : tensor of shape ()

    Raises
    ------
    ValueError
        If there are not as many real as fake scores.

    References
    ----------
    .. [1] Huang et al. 2024, NeurIPS (arXiv:2501.05441).
    .. [2] Jolicoeur-Martineau 2019, ICLR (arXiv:1807.00734).
    """
    _check_pairs(real, fake)
    return softplus(fake - real).mean()


def rpgan_translator(real: torch.Tensor, fake: torch.Tensor) -> torch.Tensor:
    r"""Return :math:`\mathrm{mean}\, \log(1 + e^{-(D(\hat x) - D(x))})` over pairs of rows.

    Parameters
    ----------
    real, fake : tensor of shape (n_rows,)
        Critic scores, paired row by row.

    Returns
    -------
    loss : tensor of shape ()

    Raises
    ------
    ValueError
        If there are not as many real as fake scores.

    References
    ----------
    .. [1] Huang et al. 2024, NeurIPS (arXiv:2501.05441).
    """
    _check_pairs(real, fake)
    return softplus(real - fake).mean()


def lsgan_critic(real: torch.Tensor, fake: torch.Tensor) -> torch.Tensor:
    r"""Return :math:`\tfrac12 \mathrm{mean}\,(D(x) - 1)^2 + \tfrac12 \mathrm{mean}\, D(\hat x)^2`.

    Parameters
    ----------
    real, fake : tensor of shape (n_rows,)
        Critic scores.

    Returns
    -------
    loss : tensor of shape ()

    References
    ----------
    .. [1] Mao et al. 2017, ICCV (arXiv:1611.04076).
    """
    return 0.5 * ((real - 1.0).square().mean() + fake.square().mean())


def lsgan_translator(real: torch.Tensor, fake: torch.Tensor) -> torch.Tensor:
    r"""Return :math:`\tfrac12 \mathrm{mean}\,(D(\hat x) - 1)^2`.

    Parameters
    ----------
    real, fake : tensor of shape (n_rows,)
        Critic scores; `real` is not used.

    Returns
    -------
    loss : tensor of shape ()

    References
    ----------
    .. [1] Mao et al. 2017, ICCV (arXiv:1611.04076).
    """
    return 0.5 * (fake - 1.0).square().mean()


def hinge_critic(real: torch.Tensor, fake: torch.Tensor) -> torch.Tensor:
    r"""Return :math:`\mathrm{mean} \max(0, 1 - D(x)) + \mathrm{mean} \max(0, 1 + D(\hat x))`.

    Parameters
    ----------
    real, fake : tensor of shape (n_rows,)
        Critic scores.

    Returns
    -------
    loss : tensor of shape ()

    References
    ----------
    .. [1] Lim & Ye 2017 (arXiv:1705.02894).
    """
    return relu(1.0 - real).mean() + relu(1.0 + fake).mean()


def hinge_translator(real: torch.Tensor, fake: torch.Tensor) -> torch.Tensor:
    r"""Return :math:`-\mathrm{mean}\, D(\hat x)`, whose gradient never vanishes.

    Parameters
    ----------
    real, fake : tensor of shape (n_rows,)
        Critic scores; `real` is not used.

    Returns
    -------
    loss : tensor of shape ()

    References
    ----------
    .. [1] Lim & Ye 2017 (arXiv:1705.02894).
    """
    return -fake.mean()


def bce_critic(real: torch.Tensor, fake: torch.Tensor) -> torch.Tensor:
    r"""Return :math:`-\mathrm{mean} \log \sigma(D(x)) - \mathrm{mean} \log(1 - \sigma(D(\hat x)))`.

    The published loss: binary cross-entropy of a sigmoid critic, real spectra labelled 1.

    Parameters
    ----------
    real, fake : tensor of shape (n_rows,)
        Critic scores, before the sigmoid.

    Returns
    -------
    loss : tensor of shape ()

    References
    ----------
    .. [1] O'Briain et al. 2021, ApJ 906, 130 (arXiv:2007.03109).
    .. [2] Goodfellow et al. 2014, NeurIPS (arXiv:1406.2661).
    """
    return softplus(-real).mean() + softplus(fake).mean()


def bce_translator(real: torch.Tensor, fake: torch.Tensor) -> torch.Tensor:
    r"""Return :math:`-\mathrm{mean} \log \sigma(D(\hat x))`, the non-saturating published loss.

    Parameters
    ----------
    real, fake : tensor of shape (n_rows,)
        Critic scores, before the sigmoid; `real` is not used.

    Returns
    -------
    loss : tensor of shape ()

    References
    ----------
    .. [1] O'Briain et al. 2021, ApJ 906, 130 (arXiv:2007.03109).
    .. [2] Goodfellow et al. 2014, NeurIPS (arXiv:1406.2661).
    """
    return softplus(-fake).mean()


_GAMES = {
    game.name: game
    for game in (
        AdversarialLoss("rpgan", rpgan_critic, rpgan_translator, relativistic=True),
        AdversarialLoss("lsgan", lsgan_critic, lsgan_translator),
        AdversarialLoss("hinge", hinge_critic, hinge_translator),
        AdversarialLoss("bce", bce_critic, bce_translator),
    )
}


def adversarial_names() -> tuple[str, ...]:
    """Return the names that `adversarial_loss` knows, sorted.

    Returns
    -------
    names : tuple of str

    Examples
    --------
    >>> from spectragan.translator.game.losses import adversarial_names
    >>> adversarial_names()
    ('bce', 'hinge', 'lsgan', 'rpgan')
    """
    return tuple(sorted(_GAMES))


def adversarial_loss(name: str) -> AdversarialLoss:
    """Return the adversarial game called `name`.

    Parameters
    ----------
    name : {"rpgan", "lsgan", "hinge", "bce"}
        Relativistic pairing, least squares, hinge, or the published binary cross-entropy.

    Returns
    -------
    game : AdversarialLoss
        The loss of the critic and the loss of the translator.

    Raises
    ------
    ValueError
        If there is no game of that name.

    Examples
    --------
    >>> from spectragan.translator.game.losses import adversarial_loss
    >>> adversarial_loss("rpgan").relativistic
    True
    """
    return look_up(_GAMES, name, parameter="adversarial")


def _check_pairs(real: torch.Tensor, fake: torch.Tensor) -> None:
    if real.shape != fake.shape:
        raise ValueError(
            f"`real` and `fake` must have equal shapes for the relativistic loss; got "
            f"{tuple(real.shape)} and {tuple(fake.shape)}; score equally many spectra of each."
        )
