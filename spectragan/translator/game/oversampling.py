"""Of several synthetic spectra for each place in a batch, those that look most like observed ones.

Critics compare distributions. Where the synthetic spectra are of other stars than the observed
ones, a translator that pleases them moves stars along the labels. Trained on those of its
translations that fool the critic best, it is asked about stars that both domains have [1]_. In
top-k training [2]_ the translator alone leaves bad samples out; here critics don't see them either.

References
----------
.. [1] O'Briain et al. 2021, ApJ 906, 130 (arXiv:2007.03109).
.. [2] Sinha et al. 2020, NeurIPS (arXiv:2002.06224).
"""

import math
from typing import Any

import torch
from skorch.callbacks import Callback
from torch import nn

from spectragan.translator.networks.contract import OBSERVED, SYNTHETIC

ANNEALED = 0.5  # of the game's epochs: critics must have learned before they may choose

Rows = dict[str, dict[str, torch.Tensor]]


def candidates_per_place(oversample: int, played: float) -> float:
    """Return how many synthetic spectra compete for a place in a batch.

    Parameters
    ----------
    oversample : int
        At most.
    played : float
        Share of the game that is over, 0 to 1; negative during warm-up.

    Returns
    -------
    candidates : float
        From 1 at the beginning of the game to `oversample` when half of it is over.

    Examples
    --------
    >>> from spectragan.translator.game.oversampling import candidates_per_place
    >>> [candidates_per_place(5, played) for played in (-1, 0, 0.25, 0.5, 1)]
    [1.0, 1.0, 3.0, 5.0, 5.0]
    """
    return 1 + (oversample - 1) * min(1.0, max(0.0, played / ANNEALED))


@torch.no_grad()
def fool_best(
    network: nn.Module, critic: nn.Module, rows: Rows, n_rows: int, *, critic_split: str = "lent"
) -> torch.Tensor:
    """Return which synthetic spectra look most like observed ones when they are translated.

    Parameters
    ----------
    network : TranslatorNetwork
    critic : CriticNetwork
    rows : dict of ``synthetic`` and ``observed`` to dicts with ``x``
        Candidates, and the observed spectra of the batch, which lend their split latents.
    n_rows : int
        How many.
    critic_split : {"lent", "reencoded"}, default="lent"
        The split latents that the critic sees.

    Returns
    -------
    chosen : tensor of int of shape (n_rows,)
    """
    x, y = rows["synthetic"]["x"], rows["observed"]["x"]
    shared, _ = network.encode(x, SYNTHETIC)  # type: ignore[operator]
    split = network.encode(y, OBSERVED)[1]  # type: ignore[operator]
    lent = split[torch.randint(len(y), (len(x),), device=y.device)]
    translated = network.decode(shared, lent, OBSERVED)  # type: ignore[operator]
    if critic_split == "reencoded":
        lent = network.encode(translated, OBSERVED)[1]  # type: ignore[operator]
    return critic(translated, shared, lent, OBSERVED).topk(n_rows).indices


class Chooser(Callback):
    """Choose the synthetic rows of each batch, and record the share that is in use.

    Parameters
    ----------
    oversample : int
        Candidates for each place in a batch, in the end.
    """

    def __init__(self, oversample: int) -> None:
        self.oversample = oversample

    def on_epoch_begin(self, net, dataset_train=None, dataset_valid=None, **kwargs) -> None:
        """Begin to count; skorch calls this."""
        self.seen: list[torch.Tensor] = []
        self.chosen: list[torch.Tensor] = []

    def on_epoch_end(self, net, dataset_train=None, dataset_valid=None, **kwargs) -> None:
        """Record the share; skorch calls this."""
        net.history.record("selected_share", effective_share(self.seen, self.chosen))
        del self.seen, self.chosen

    def choose(self, net: Any, rows: Rows) -> Rows:
        """Return a batch with one synthetic row for every place.

        Parameters
        ----------
        net : TranslatorNet
        rows : dict of ``synthetic`` and ``observed`` to dicts of tensors
            Of synthetic ones several for each place.

        Returns
        -------
        rows : dict of dicts of tensors of shape (batch_size, ...)
        """
        n_rows = len(rows["observed"]["x"])
        n_seen = round(n_rows * candidates_per_place(self.oversample, net.played))
        # In the order of places: candidates that don't compete yet are left out everywhere alike.
        flat = {n: v.transpose(0, 1).flatten(0, 1)[:n_seen] for n, v in rows["synthetic"].items()}
        seen = flat.pop("row")
        kept = torch.arange(n_rows, device=seen.device)
        if n_seen > n_rows:
            shown = {"synthetic": flat, "observed": rows["observed"]}
            kept = fool_best(
                net.module_,
                net.critic_,
                shown,
                n_rows,
                critic_split=net.settings.critic_split,
            )
        self.seen.append(seen)
        self.chosen.append(seen[kept])
        return {**rows, "synthetic": {name: values[kept] for name, values in flat.items()}}


def effective_share(seen: list[torch.Tensor], chosen: list[torch.Tensor]) -> float:
    r"""Return what share of the synthetic spectra as good as all places went to.

    If spectrum :math:`i` is chosen with the probability :math:`p_i` when it competes, this is
    :math:`\langle p \rangle^2 / \langle p^2 \rangle`. From :math:`k` choices of :math:`n`,
    :math:`k (k - 1) / n (n - 1)` estimates :math:`p_i^2` without the bias that the square of
    :math:`k / n` has.

    Parameters
    ----------
    seen, chosen : list of tensors of int of shape (n,)
        Rows that competed in each batch, and those that were chosen.

    Returns
    -------
    share : float
        1 where nothing was left out, NaN where nothing competed twice.

    Examples
    --------
    >>> import torch
    >>> from spectragan.translator.game.oversampling import effective_share
    >>> batch = torch.arange(8)
    >>> effective_share([batch] * 4, [batch[:2]] * 4)
    0.25
    """
    competed = torch.cat(seen).bincount().double()
    taken = torch.cat(chosen).bincount(minlength=len(competed)).double()
    if torch.equal(competed, taken):
        return 1.0
    often = competed > 1
    n, k = competed[often], taken[often]
    square = (k * (k - 1) / (n * (n - 1))).mean().item()
    mean = (k / n).mean().item()
    return min(1.0, mean**2 / square) if square > 0 else math.nan
