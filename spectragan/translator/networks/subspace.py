"""The subspace networks: small residual networks between coefficients and latents.

Spectra are coefficients on a joint basis here, so a whole translation costs a few small matrix
products. Every network is a linear map plus a perceptron whose last layer starts at zero: before
training, translation is the linear map it was given.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import ClassVar, cast

import torch
from torch import nn

from spectragan.translator.networks.contract import SYNTHETIC


class ResidualMLP(nn.Module):
    """A linear map plus a perceptron that starts at zero.

    Parameters
    ----------
    n_inputs, n_outputs : int
        Sizes of the vectors.
    hidden : sequence of int, default=(64, 64)
        Sizes of the hidden layers.

    Examples
    --------
    >>> import torch
    >>> from spectragan.translator.networks.subspace import ResidualMLP
    >>> net = ResidualMLP(3, 2)
    >>> net(torch.ones(1, 3))
    tensor([[0., 0.]], grad_fn=<AddBackward0>)
    """

    def __init__(self, n_inputs: int, n_outputs: int, hidden: Sequence[int] = (64, 64)) -> None:
        super().__init__()
        self.curved = _perceptron(n_inputs, hidden, n_outputs)
        for parameter in self.curved[-1].parameters():
            nn.init.zeros_(parameter)
        self.linear = nn.Linear(n_inputs, n_outputs, bias=False)
        nn.init.zeros_(self.linear.weight)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the sum of both parts.

        Parameters
        ----------
        x : tensor of shape (n_rows, n_inputs)

        Returns
        -------
        y : tensor of shape (n_rows, n_outputs)
        """
        return self.linear(x) + self.curved(x)


class SubspaceTranslator(nn.Module):
    """Encoders and generators between coefficients and latents.

    Parameters
    ----------
    n_components : int
        Coefficients of a spectrum.
    n_shared, n_split : int
        Latents that both domains have, and that only observed spectra have.
    hidden : sequence of int, default=(64, 64)
        Hidden layers of each network.

    Attributes
    ----------
    arguments : dict
        What it was made with: a saved network is made again so.

    Notes
    -----
    The split latents enter the observed generator only. `set_start` gives the linear parts their
    values; without it all spectra start as the mean of their domain.

    References
    ----------
    .. [1] O'Briain et al. 2021, ApJ 906, 130 (arXiv:2007.03109).

    Examples
    --------
    >>> import torch
    >>> from spectragan.translator.networks.subspace import SubspaceTranslator
    >>> network = SubspaceTranslator(20, n_shared=3, n_split=2)
    >>> shared, split = network.encode(torch.rand(8, 20), 1)
    >>> shared.shape, split.shape, network.decode(shared, split, 1).shape
    (torch.Size([8, 3]), torch.Size([8, 2]), torch.Size([8, 20]))
    """

    _kept_arguments: ClassVar = {
        "n_components": "count k",
        "n_shared": "count s",
        "n_split": "count t",
        "hidden": "sizes",
    }

    def __init__(
        self, n_components: int, n_shared: int, n_split: int, hidden: Sequence[int] = (64, 64)
    ) -> None:
        super().__init__()
        self.arguments = {
            "n_components": n_components,
            "n_shared": n_shared,
            "n_split": n_split,
            "hidden": tuple(hidden),
        }
        self.encoders = nn.ModuleList(ResidualMLP(n_components, n_shared, hidden) for _ in range(2))
        # Without split latents there is nothing to encode (and torch warns of empty layers).
        self.split_encoder = ResidualMLP(n_components, n_split, hidden) if n_split else None
        self.generators = nn.ModuleList(
            ResidualMLP(n_latents, n_components, hidden)
            for n_latents in (n_shared, n_shared + n_split)
        )

    @torch.no_grad()
    def set_start(
        self,
        encoders: Sequence[torch.Tensor],
        split_encoder: torch.Tensor,
        generators: Sequence[torch.Tensor],
    ) -> None:
        """Set the linear parts, synthetic first.

        Parameters
        ----------
        encoders : two tensors of shape (n_shared, n_components)
        split_encoder : tensor of shape (n_split, n_components)
        generators : tensors of shape (n_components, n_shared), (n_components, n_shared + n_split)
        """
        networks = [*self.encoders, *self.generators]
        starts = [*encoders, *generators]
        if self.split_encoder is not None:
            networks.append(self.split_encoder)
            starts.append(split_encoder)
        for network, start in zip(networks, starts, strict=True):
            network.linear.weight.copy_(start)

    @torch.no_grad()
    def move_observed(self, shift: torch.Tensor) -> None:
        """Subtract a constant from the shared latents of observed spectra; nothing else changes.

        Parameters
        ----------
        shift : tensor of shape (n_shared,)
            Observed spectra are encoded as before less `shift`, and decoded from that as before.
        """
        encoder, generator = (
            cast(ResidualMLP, nets[1]) for nets in (self.encoders, self.generators)
        )
        ends = encoder.curved[-1], generator.curved[0], generator.curved[-1]
        encoded, bent, straight = (cast(nn.Linear, layer) for layer in ends)
        encoded.bias.sub_(shift)
        bent.bias.add_(bent.weight[:, : len(shift)] @ shift)
        straight.bias.add_(generator.linear.weight[:, : len(shift)] @ shift)

    @torch.no_grad()
    def move_synthetic(self, shift: torch.Tensor) -> None:
        """Add a constant to the shared latents that synthetic spectra are encoded to.

        Parameters
        ----------
        shift : tensor of shape (n_shared,)
            Decoders stay: all translated spectra are those of other stars.
        """
        encoder = cast(ResidualMLP, self.encoders[0])
        cast(nn.Linear, encoder.curved[-1]).bias.add_(shift)

    def encode(self, x: torch.Tensor, domain: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the latents of spectra of `domain`.

        Parameters
        ----------
        x : tensor of shape (n_rows, n_components)
        domain : {0, 1}

        Returns
        -------
        shared : tensor of shape (n_rows, n_shared)
        split : tensor of shape (n_rows, n_split), or (n_rows, 0) for domain 0
        """
        shared = self.encoders[domain](x)
        if domain == SYNTHETIC or self.split_encoder is None:
            return shared, shared[:, :0]
        return shared, self.split_encoder(x)

    def decode(self, shared: torch.Tensor, split: torch.Tensor, domain: int) -> torch.Tensor:
        """Return the spectra of `domain` with these latents.

        Parameters
        ----------
        shared : tensor of shape (n_rows, n_shared)
        split : tensor of shape (n_rows, n_split)
            Ignored for domain 0.
        domain : {0, 1}

        Returns
        -------
        x : tensor of shape (n_rows, n_components)
        """
        latents = shared if domain == SYNTHETIC else torch.cat([shared, split], dim=1)
        return self.generators[domain](latents)


class SubspaceCritic(nn.Module):
    """One critic per domain, each judging pairs of coefficients and latents.

    Parameters
    ----------
    n_components, n_shared, n_split : int
        As in the translator.
    hidden : sequence of int, default=(64, 64)
        Hidden layers of each critic.

    References
    ----------
    .. [1] O'Briain et al. 2021, ApJ 906, 130 (arXiv:2007.03109).

    Examples
    --------
    >>> import torch
    >>> from spectragan.translator.networks.subspace import SubspaceCritic
    >>> critic = SubspaceCritic(20, n_shared=3, n_split=2)
    >>> critic(torch.rand(8, 20), torch.rand(8, 3), torch.rand(8, 2), 1).shape
    torch.Size([8])
    """

    def __init__(
        self, n_components: int, n_shared: int, n_split: int, hidden: Sequence[int] = (64, 64)
    ) -> None:
        super().__init__()
        n_seen = n_components + n_shared
        self.critics = nn.ModuleList(_perceptron(n, hidden, 1) for n in (n_seen, n_seen + n_split))

    def forward(
        self, x: torch.Tensor, shared: torch.Tensor, split: torch.Tensor, domain: int
    ) -> torch.Tensor:
        """Return how much each spectrum, with its latents, looks like one of `domain`.

        Parameters
        ----------
        x : tensor of shape (n_rows, n_components)
        shared : tensor of shape (n_rows, n_shared)
        split : tensor of shape (n_rows, n_split)
            Ignored for domain 0.
        domain : {0, 1}

        Returns
        -------
        scores : tensor of shape (n_rows,)
            Logits; higher is more real.
        """
        seen = [x, shared] if domain == SYNTHETIC else [x, shared, split]
        return self.critics[domain](torch.cat(seen, dim=1)).squeeze(1)


def _perceptron(n_inputs: int, hidden: Sequence[int], n_outputs: int) -> nn.Sequential:
    sizes = (n_inputs, *hidden)
    layers: list[nn.Module] = []
    for n_in, n_out in pairwise(sizes):
        layers += [nn.Linear(n_in, n_out), nn.SiLU()]
    return nn.Sequential(*layers, nn.Linear(sizes[-1], n_outputs))
