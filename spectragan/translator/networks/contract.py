"""What a network must offer to be trained as a translator or a critic.

Both are plain `torch.nn.Module` objects; the protocols below say which methods the training step
calls. Domains are the integers 0 (synthetic) and 1 (observed). Latents may have any shape after
the rows: networks hand them on, and only the estimator flattens them.
"""

from typing import Protocol, runtime_checkable

import torch

SYNTHETIC = 0
OBSERVED = 1


@runtime_checkable
class TranslatorNetwork(Protocol):
    """Two encoders and two generators around one latent space, in one module.

    A spectrum is translated by ``decode(encode(x, 0)[0], split, 1)``, where `split` belongs to
    some observed spectrum, and back by ``decode(encode(x, 1)[0], split, 0)``. A network that
    averages over many split latents faster than one by one may have a third method,
    ``decode_average(shared, codes)``.

    Examples
    --------
    A network without split latents, which translates by adding a learned spectrum:

    >>> import torch
    >>> from spectragan.translator.networks.contract import TranslatorNetwork
    >>> class Shift(torch.nn.Module):
    ...     def __init__(self, n_pixels):
    ...         super().__init__()
    ...         self.mean = torch.nn.Parameter(torch.zeros(2, n_pixels))
    ...     def encode(self, x, domain):
    ...         return x - self.mean[domain], x.new_empty(len(x), 0)
    ...     def decode(self, shared, split, domain):
    ...         return shared + self.mean[domain]
    >>> isinstance(Shift(4), TranslatorNetwork)
    True
    """

    def encode(self, x: torch.Tensor, domain: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the latents of spectra of `domain`.

        Parameters
        ----------
        x : tensor of shape (n_rows, n_pixels)
            Finite flux; masked pixels are filled by the caller.
        domain : {0, 1}
            The domain `x` belongs to.

        Returns
        -------
        shared : tensor of shape (n_rows, ...)
            What both domains have in common.
        split : tensor of shape (n_rows, ...)
            What only observed spectra have; without elements for domain 0.
        """
        ...

    def decode(self, shared: torch.Tensor, split: torch.Tensor, domain: int) -> torch.Tensor:
        """Return the spectra of `domain` with these latents.

        Parameters
        ----------
        shared, split : tensor of shape (n_rows, ...)
            As `encode` returns them; `split` is ignored for domain 0.
        domain : {0, 1}
            The domain of the spectra to make.

        Returns
        -------
        x : tensor of shape (n_rows, n_pixels)
            Flux.
        """
        ...


@runtime_checkable
class CriticNetwork(Protocol):
    """Two critics, one per domain, in one module.

    Each judges pairs of a spectrum and its latents. There is no sigmoid: scores are logits, and
    the loss function decides what they mean.

    Examples
    --------
    >>> import torch
    >>> from spectragan.translator.networks.contract import CriticNetwork
    >>> isinstance(torch.nn.Identity(), CriticNetwork)
    True
    """

    def forward(
        self, x: torch.Tensor, shared: torch.Tensor, split: torch.Tensor, domain: int
    ) -> torch.Tensor:
        """Return how much each spectrum looks like one of `domain`.

        Parameters
        ----------
        x : tensor of shape (n_rows, n_pixels)
            Finite flux.
        shared, split : tensor of shape (n_rows, ...)
            The latents of `x`; `split` is ignored for domain 0.
        domain : {0, 1}
            Which critic judges.

        Returns
        -------
        scores : tensor of shape (n_rows,)
            Logits; higher is more real. Each depends on its own row only.
        """
        ...
