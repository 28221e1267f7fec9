"""The maps of one batch between both domains, and the losses that compare them."""

from dataclasses import dataclass

import torch

from spectragan.translator.game.losses import huber_distance, weighted_distance
from spectragan.translator.networks.contract import OBSERVED, SYNTHETIC, TranslatorNetwork

# Of the split latents' mean and variance: only sets their scale, which is arbitrary.
SPLIT_SCALE_WEIGHT = 0.1

Rows = dict[str, dict[str, torch.Tensor]]


@dataclass(frozen=True)
class Maps:
    """What a translator makes of one batch; ``s`` is synthetic, ``o`` observed.

    Attributes
    ----------
    shared_s, shared_o : tensor of shape (n_rows, ...)
        Shared latents.
    split_o, split_lent : tensor of shape (n_rows, ...)
        Split latents, and those of unrelated observed spectra.
    ss, oo : tensor of shape (n_rows, n_values)
        Reconstructions.
    so, os : tensor of shape (n_rows, n_values)
        Translations, synthetic to observed with the lent split latents.
    sos, oso : tensor of shape (n_rows, n_values)
        Cycles; the observed one keeps its own split latents.
    shared_so, split_so, shared_os : tensor of shape (n_rows, ...)
        Latents of the translations.
    split_shown : tensor of shape (n_rows, ...)
        Split latents that a critic sees beside `so`: those lent, or those encoded again.
    """

    shared_s: torch.Tensor
    shared_o: torch.Tensor
    split_o: torch.Tensor
    split_lent: torch.Tensor
    ss: torch.Tensor
    oo: torch.Tensor
    so: torch.Tensor
    os: torch.Tensor
    sos: torch.Tensor
    oso: torch.Tensor
    shared_so: torch.Tensor
    split_so: torch.Tensor
    shared_os: torch.Tensor
    split_shown: torch.Tensor

    def real(self, domain: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Return the (spectrum, latents) pairs that a critic should take for real.

        Critics are shown reconstructions, as published: what no latent can express, noise above
        all, then can't tell real from fake.

        Parameters
        ----------
        domain : {0, 1}

        Returns
        -------
        x, shared, split : tensors
        """
        if domain == SYNTHETIC:
            return self.ss, self.shared_s, self.split_o[:, :0]
        return self.oo, self.shared_o, self.split_o

    def fake(self, domain: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Return the translated (spectrum, latents) pairs, see `real`.

        Parameters
        ----------
        domain : {0, 1}

        Returns
        -------
        x, shared, split : tensors
        """
        if domain == SYNTHETIC:
            return self.os, self.shared_o, self.split_o[:, :0]
        return self.so, self.shared_s, self.split_shown


def translate(
    network: TranslatorNetwork, rows: Rows, *, noisy: bool = True, critic_split: str = "lent"
) -> Maps:
    """Translate one batch in both directions and back.

    Parameters
    ----------
    network : TranslatorNetwork
    rows : dict of ``synthetic`` and ``observed`` to dicts with ``x``, and ``noise`` of observed
        One batch.
    noisy : bool, default=True
        Whether translated spectra get noise before they are encoded again.
    critic_split : {"lent", "reencoded"}, default="lent"
        Which split latents critics see beside a translated spectrum.

    Returns
    -------
    maps : Maps

    Notes
    -----
    A translated spectrum gets noise of the observed one that lent its split latents before it is
    encoded again. Otherwise a network can hide in its faint details what it needs for the way
    back [1]_. Split latents that are lent belong to real spectra, in another order, and tell
    critics nothing. Encoded again, as published [2]_, they say what the translation holds.

    References
    ----------
    .. [1] Chu, Zhmoginov & Sandler 2017, arXiv:1712.02950.
    .. [2] O'Briain et al. 2021, ApJ 906, 130 (arXiv:2007.03109).
    """
    x, y, noise = rows["synthetic"]["x"], rows["observed"]["x"], rows["observed"]["noise"]
    shared_s, none = network.encode(x, SYNTHETIC)
    shared_o, split_o = network.encode(y, OBSERVED)
    donor = torch.randperm(len(y), device=y.device)
    lent = split_o[donor]
    so = network.decode(shared_s, lent, OBSERVED)
    seen = so + scale_by(noise[donor], torch.randn_like(y)) if noisy else so
    shared_so, split_so = network.encode(seen, OBSERVED)
    os = network.decode(shared_o, none, SYNTHETIC)
    shared_os, _ = network.encode(os, SYNTHETIC)
    return Maps(
        shared_s=shared_s,
        shared_o=shared_o,
        split_o=split_o,
        split_lent=lent,
        ss=network.decode(shared_s, none, SYNTHETIC),
        oo=network.decode(shared_o, split_o, OBSERVED),
        so=so,
        os=os,
        sos=network.decode(shared_so, none, SYNTHETIC),
        oso=network.decode(shared_os, split_o, OBSERVED),
        shared_so=shared_so,
        split_so=split_so,
        shared_os=shared_os,
        split_shown=lent if critic_split == "lent" else split_so,
    )


def scale_by(factor: torch.Tensor, vector: torch.Tensor) -> torch.Tensor:
    """Apply one factor per row: a diagonal, or a matrix.

    Parameters
    ----------
    factor : tensor of shape (n_rows, n) or (n_rows, n, n)
    vector : tensor of shape (n_rows, n)

    Returns
    -------
    scaled : tensor of shape (n_rows, n)

    Examples
    --------
    >>> import torch
    >>> from spectragan.translator.game.maps import scale_by
    >>> scale_by(torch.tensor([[2.0, 3.0]]), torch.ones(1, 2))
    tensor([[2., 3.]])
    """
    if factor.dim() == vector.dim():
        return factor * vector
    return torch.bmm(factor, vector.unsqueeze(2)).squeeze(2)


def spectrum_loss(
    x: torch.Tensor, rows: dict[str, torch.Tensor], *, target: str = "x"
) -> torch.Tensor:
    """Return the mean squared error of spectra, in units of their metric.

    Parameters
    ----------
    x : tensor of shape (n_rows, n_values)
    rows : dict with ``metric``, and `target` of shape (n_rows, n_values)
        One domain of a batch.
    target : str, default="x"
        The name of what `x` should be.

    Returns
    -------
    loss : tensor of shape ()
    """
    metric = rows["metric"]
    if metric.dim() == x.dim():
        return weighted_distance(x, rows[target], metric.square())
    return scale_by(metric, x - rows[target]).square().mean()


def latent_loss(maps: Maps) -> torch.Tensor:
    """Return by how much latents change when a spectrum is translated.

    Parameters
    ----------
    maps : Maps

    Returns
    -------
    loss : tensor of shape ()
        Mean squared changes, plus a weak pull of the split latents to zero mean, unit variance.
    """
    loss = (maps.shared_so - maps.shared_s).square().mean()
    loss = loss + (maps.shared_os - maps.shared_o).square().mean()
    if maps.split_o.numel() == 0:
        return loss
    loss = loss + (maps.split_so - maps.split_lent).square().mean()
    variance = maps.split_o.var(0, unbiased=False)
    standard = maps.split_o.mean(0).square().mean() + (variance - 1).square().mean()
    return loss + SPLIT_SCALE_WEIGHT * standard


def identity_loss(
    change: torch.Tensor, pixel_map: tuple[torch.Tensor | None, torch.Tensor], scale: float
) -> torch.Tensor:
    r"""Return how much translation changes the flux, robustly: few pixels may change a lot.

    .. math:: 2 \, \mathrm{mean} \left(\sqrt{1 + (\Delta_{ij} / s)^2} - 1\right)

    Parameters
    ----------
    change : tensor of shape (n_rows, n_values)
        Translated minus synthetic rows.
    pixel_map : tuple of (tensor of shape (n_pixels, n_values) or None, tensor of shape (n_pixels,))
        What turns `change` into flux, and what is added to it.
    scale : float
        Flux :math:`s` beyond which the loss grows linearly.

    Returns
    -------
    loss : tensor of shape ()

    Notes
    -----
    Unpaired spectra leave open how a star moves along the label directions: any such move changes
    lines everywhere. Real differences sit in some lines. A sum that grows linearly prefers few
    large changes over many small ones, and so fixes what the critic can't see.
    """
    flux = flux_change(change, pixel_map) / scale
    return huber_distance(flux, torch.zeros_like(flux), torch.ones_like(flux), threshold=1.0)


def flux_change(
    change: torch.Tensor, pixel_map: tuple[torch.Tensor | None, torch.Tensor]
) -> torch.Tensor:
    """Return the change of flux that a change of rows means.

    Parameters
    ----------
    change : tensor of shape (n_rows, n_values)
    pixel_map : tuple of (tensor of shape (n_pixels, n_values) or None, tensor of shape (n_pixels,))
        See `identity_loss`.

    Returns
    -------
    flux : tensor of shape (n_rows, n_pixels)
    """
    matrix, shift = pixel_map
    return shift + (change if matrix is None else change @ matrix.T)
