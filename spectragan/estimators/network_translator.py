"""What a trained network makes of spectra: translations, derivatives, latents."""

from collections.abc import Callable
from copy import deepcopy
from typing import Any

import numpy as np
import torch
from torch import nn

from spectragan.estimators.base import OBSERVED, SYNTHETIC, BaseTranslator, Latents
from spectragan.estimators.cycle import cycle_scores
from spectragan.estimators.translator_data import memory_data
from spectragan.spectra import Spectra
from spectragan.training.derivatives import push_forward
from spectragan.training.representation import PixelRepresentation, SubspaceRepresentation
from spectragan.training.translator_callbacks import EpochScores

PREDICT_ROWS = 1024


class BaseNetworkTranslator(BaseTranslator):
    """Base of translators whose maps are networks; how these are trained is left to `fit`."""

    n_features_in_: int
    _representation: SubspaceRepresentation | PixelRepresentation

    def _take_network(self, trained: nn.Module, domains: Any, donors: Spectra) -> None:
        """Set what `transform` needs: a trained network, and the split codes of `donors`."""
        network: Any = deepcopy(trained).to("cpu", torch.float64).eval()
        self.network_: Any = self._representation.to_pixels(network, domains)
        probe = torch.zeros(1, self.n_features_in_, dtype=torch.float64)
        with torch.no_grad():
            shared, split = self.network_.encode(probe, OBSERVED)
        self._latent_shapes = tuple(shared.shape[1:]), tuple(split.shape[1:])
        self.n_shared_, self.n_split_ = (int(np.prod(shape)) for shape in self._latent_shapes)
        self.split_codes_ = self.encode(donors, OBSERVED).split

    def _callbacks(
        self, pairs: tuple[Spectra, Spectra] | None, domains: Any, donors: Spectra
    ) -> list[tuple[str, Any]]:
        if pairs is None:
            return []

        def score(net: Any) -> dict[str, float]:
            self._take_network(net.average_, domains, donors)
            return cycle_scores(self, *pairs, random_state=0).as_dict()

        return [("validation", EpochScores(score))]

    def _input(self, spectra: Spectra, domain: int) -> np.ndarray:
        return self._representation.fill(memory_data(spectra), domain)

    def _translate(
        self, flux: np.ndarray, domain: int, codes: np.ndarray | None = None
    ) -> np.ndarray:
        used = self._codes(codes)

        def translate(x: torch.Tensor) -> torch.Tensor:
            shared, _ = self.network_.encode(x, domain)
            if domain == SYNTHETIC:
                return self.network_.decode_average(shared, used)
            return self.network_.decode(shared, shared[:, :0], SYNTHETIC)

        return self._in_chunks(translate, flux)

    def _push_forward(
        self, flux: np.ndarray, tangents: np.ndarray, codes: np.ndarray | None = None
    ) -> np.ndarray:
        used = self._codes(codes)

        def translate(x: torch.Tensor) -> torch.Tensor:
            return self.network_.decode_average(self.network_.encode(x, SYNTHETIC)[0], used)

        return self._in_chunks(lambda x, d: push_forward(translate, x, d), flux, tangents)

    def _encode(self, flux: np.ndarray, domain: int) -> Latents:
        def encode(x: torch.Tensor) -> torch.Tensor:
            shared, split = self.network_.encode(x, domain)
            return torch.cat([shared.flatten(1), split.flatten(1)], dim=1)

        latents = self._in_chunks(encode, flux)
        return Latents(latents[:, : self.n_shared_], latents[:, self.n_shared_ :])

    def _decode(self, shared: np.ndarray, split: np.ndarray | None, domain: int) -> np.ndarray:
        if split is None:
            codes = self._codes()
            if domain == OBSERVED:
                return self._in_chunks(
                    lambda z: self.network_.decode_average(self._shape(z, 0), codes), shared
                )
            split = np.zeros((len(shared), self.n_split_))
        return self._in_chunks(
            lambda z, s: self.network_.decode(self._shape(z, 0), self._shape(s, 1), domain),
            shared,
            split,
        )

    def _codes(self, codes: np.ndarray | None = None) -> torch.Tensor:
        return self._shape(torch.as_tensor(self.split_codes_ if codes is None else codes), 1)

    def _shape(self, latents: torch.Tensor, which: int) -> torch.Tensor:
        return latents.reshape(len(latents), *self._latent_shapes[which])

    def _in_chunks(self, function: Callable[..., torch.Tensor], *arrays: np.ndarray) -> np.ndarray:
        # Double precision: single precision would let a result depend on its batch.
        rows = [torch.as_tensor(np.ascontiguousarray(a, dtype=float)) for a in arrays]
        with torch.no_grad():
            parts = [
                function(*chunk)
                for chunk in zip(*(r.split(PREDICT_ROWS) for r in rows), strict=True)
            ]
        return torch.cat(parts).numpy()
