"""The two sides of the adversarial game, as functions of critic scores.

Scores are logits: no sigmoid has been applied, and a higher score means "more real". Every
function takes ``(real, fake)`` and returns a mean over the rows, so that games can be exchanged
by name.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch.nn.functional import relu, softplus

from spectragan.training.losses.lookup import look_up

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
    >>> from spectragan.training.losses import adversarial_loss
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
    >>> from spectragan.training.losses import adversarial_names
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
    >>> from spectragan.training.losses import adversarial_loss
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
