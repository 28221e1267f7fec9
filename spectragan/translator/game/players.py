"""Both players as a training step calls them: in which precision, compiled or not."""

from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from spectragan.translator.networks.contract import TranslatorNetwork

PRECISIONS: dict[str, torch.dtype | None] = {"float32": None, "bfloat16": torch.bfloat16}
BACKEND = "inductor"  # of torch.compile


class Players:
    """Translator and critic, run in a precision, compiled or not.

    The modules stay what they are: weights in single precision, and not compiled, so that what is
    saved, copied and averaged knows nothing of this.

    Parameters
    ----------
    module : TranslatorNetwork
    critic : CriticNetwork
    device : torch.device
    precision : {"float32", "bfloat16"}, default="float32"
        Products and convolutions of the networks are computed in it; results are single
        precision, and so are all losses.
    compiled : bool, default=False
        Whether networks run compiled, but for the critic where it is trained: its gradient penalty
        is differentiated twice, which compiled code can't be.

    Examples
    --------
    >>> import torch
    >>> from spectragan.translator.networks.subspace import SubspaceCritic, SubspaceTranslator
    >>> from spectragan.translator.game.players import Players
    >>> networks = SubspaceTranslator(20, 3, 2), SubspaceCritic(20, 3, 2)
    >>> players = Players(*networks, torch.device("cpu"), precision="bfloat16")
    >>> players.encode(torch.rand(8, 20), 1)[0].dtype
    torch.float32
    """

    def __init__(
        self,
        module: nn.Module,
        critic: nn.Module,
        device: torch.device,
        *,
        precision: str = "float32",
        compiled: bool = False,
    ) -> None:
        self.module = module
        translator: TranslatorNetwork = module  # type: ignore[assignment]
        functions: list[Callable[..., Any]] = [translator.encode, translator.decode, critic.forward]
        dtype = PRECISIONS[precision]
        eagerly = functions[2]
        if compiled:
            functions = [torch.compile(f, backend=BACKEND, dynamic=False) for f in functions]
        used = [*functions, eagerly]
        if dtype is not None:
            # Around what is compiled: a graph per function, not one for all that are lowered.
            used = [_lowered(function, device.type, dtype) for function in used]
        self.encode, self.decode, self.judge, self.judge_eagerly = used


def check_precision(precision: str, device: torch.device) -> None:
    """Raise one sentence if a device can't compute in a precision.

    Parameters
    ----------
    precision : {"float32", "bfloat16"}
    device : torch.device

    Raises
    ------
    ValueError
        If it can't.
    """
    old = device.type == "cuda" and not torch.cuda.is_bf16_supported()
    if PRECISIONS[precision] is not None and (old or device.type == "mps"):
        raise ValueError(
            f"`precision` must be 'float32' on {str(device)!r}; got {precision!r}, which this "
            "device doesn't compute in; use 'float32', or another device."
        )


def _lowered(function: Callable[..., Any], kind: str, dtype: torch.dtype) -> Callable[..., Any]:
    """Return a function that computes in a lower precision and returns single precision."""

    def call(*inputs: Any) -> Any:
        with torch.autocast(kind, dtype):
            outputs = function(*inputs)
        if isinstance(outputs, tuple):
            return tuple(output.float() for output in outputs)
        return outputs.float()

    return call
