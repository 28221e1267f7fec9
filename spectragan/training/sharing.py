"""One training shared by several processes: each takes its rows of every batch."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from skorch.callbacks import Callback
from torch import nn

from spectragan.training.devices import resolve_device

SHARED = "accelerate"  # what the parameter `device` is called where batches are shared

Result = TypeVar("Result")


@dataclass(frozen=True)
class Share:
    """Which part of every batch a process trains on.

    All processes draw the same batches and the same random numbers, from the same seeds. Each then
    computes with its own rows, and sums over rows are added up over the processes.

    Attributes
    ----------
    rank : int
        Which process this is.
    count : int
        How many there are; nothing is exchanged where there is one.

    Examples
    --------
    >>> import torch
    >>> from spectragan.training.sharing import Share
    >>> Share(rank=1, count=2).take(torch.arange(5))
    tensor([2, 3, 4])
    >>> Share(rank=1, count=2).weight(5)
    0.6
    """

    rank: int = 0
    count: int = 1

    @property
    def is_alone(self) -> bool:
        """Whether there is no other process."""
        return self.count == 1

    @property
    def is_main(self) -> bool:
        """Whether this process writes and prints for all."""
        return self.rank == 0

    def rows(self, n_rows: int) -> slice:
        """Return the rows of this process; shares differ by one row at most.

        Parameters
        ----------
        n_rows : int
            Of a batch.

        Returns
        -------
        rows : slice
        """
        return slice(n_rows * self.rank // self.count, n_rows * (self.rank + 1) // self.count)

    def weight(self, n_rows: int) -> float:
        """Return what a mean over own rows counts in the mean over all.

        Parameters
        ----------
        n_rows : int
            Of a batch.

        Returns
        -------
        weight : float
        """
        rows = self.rows(n_rows)
        return (rows.stop - rows.start) / n_rows

    def take(self, values: Any) -> Any:
        """Return the rows of this process.

        Parameters
        ----------
        values : tensor of shape (n_rows, ...), or mapping of these

        Returns
        -------
        own : tensor or dict
        """
        if self.is_alone:
            return values
        if isinstance(values, Mapping):
            return {name: self.take(part) for name, part in values.items()}
        return values[self.rows(len(values))]

    def gather(self, own: torch.Tensor, n_rows: int) -> torch.Tensor:
        """Return the rows of all processes; gradients find their way back to each.

        Parameters
        ----------
        own : tensor of shape (n_own, ...)
        n_rows : int
            Of the whole batch.

        Returns
        -------
        values : tensor of shape (n_rows, ...)
        """
        if self.is_alone:
            return own
        if own.numel() == 0:
            return own.new_zeros((n_rows, *own.shape[1:]))
        return _Gathered.apply(own, self, n_rows)  # type: ignore[no-untyped-call]

    def add_up(self, tensors: Iterable[torch.Tensor]) -> None:
        """Replace tensors by their sums over all processes, in one exchange.

        Parameters
        ----------
        tensors : iterable of tensors
            Of one type and device; changed in place.
        """
        if self.is_alone:
            return
        tensors = list(tensors)
        flat = torch.cat([tensor.detach().reshape(-1) for tensor in tensors])
        dist.all_reduce(flat)
        parts = flat.split([tensor.numel() for tensor in tensors])
        with torch.no_grad():
            for tensor, part in zip(tensors, parts, strict=True):
                tensor.copy_(part.view_as(tensor))

    def from_main(self, function: Callable[[], Result]) -> Result:
        """Return what a function returns in the main process, or raise what it raises there.

        Parameters
        ----------
        function : callable
            Called in the main process alone.

        Returns
        -------
        result : object
        """
        if self.is_alone:
            return function()
        answer: list[Any] = [None, None]
        if self.is_main:
            try:
                answer[0] = function()
            except Exception as error:  # the others would wait for ever
                answer[1] = error
        dist.broadcast_object_list(answer)
        if answer[1] is not None:
            raise answer[1]
        return answer[0]

    def check_alike(self, identity: Mapping[str, Any]) -> None:
        """Raise one sentence, in all processes, where two differ in what they train.

        Parameters
        ----------
        identity : mapping of str to plain values
            Under the name for a message.

        Raises
        ------
        ValueError
            If another process has other values.
        """
        if self.is_alone:
            return
        found: list[Any] = [None] * self.count
        dist.all_gather_object(found, dict(identity))
        for rank, other in enumerate(found):
            for name, value in found[0].items():
                if other.get(name) != value:
                    raise ValueError(
                        f"{name} must be the same in all processes that share a training; got "
                        f"{value} in process 0 and {other.get(name)} in process {rank}; give all "
                        "of them the same data and parameters."
                    )

    def copy_from_main(self, tensors: Iterable[torch.Tensor]) -> bool:
        """Give all processes the values of the main one.

        Parameters
        ----------
        tensors : iterable of tensors
            Changed in place.

        Returns
        -------
        alike : bool
            Whether they were the same in all processes, bit by bit.
        """
        if self.is_alone:
            return True
        alike = torch.ones((), dtype=torch.int32)
        with torch.no_grad():
            for tensor in tensors:
                values = tensor.detach().clone()
                dist.broadcast(values, 0)
                alike = alike.to(tensor.device) * _same_bits(values, tensor)
                tensor.copy_(values)
        dist.all_reduce(alike, dist.ReduceOp.MIN)
        return bool(alike)


ALONE = Share()


def join_processes(device: str | torch.device) -> tuple[torch.device, Share]:
    """Return where a process trains, and what it shares with others.

    Parameters
    ----------
    device : str or torch.device
        As `resolve_device` takes it, or "accelerate" for the device that ``accelerate launch`` or
        ``torchrun`` gave to this process, which shares the training with all that were started
        with it.

    Returns
    -------
    device : torch.device
    share : Share

    Raises
    ------
    ImportError
        If the package accelerate is missing.
    ValueError
        If there is no such device.
    """
    if not (isinstance(device, str) and device == SHARED):
        return resolve_device(device), ALONE
    try:
        from accelerate import PartialState
    except ImportError as error:
        raise ImportError(
            f"`device={SHARED!r}` needs the package accelerate, which is missing; install "
            "spectragan[accelerate], or use device='auto'."
        ) from error
    # Without a GPU, processes would not be told of each other. What the caller set up stays.
    state = PartialState(cpu=not torch.cuda.is_available())
    return state.device, Share(state.process_index, state.num_processes)


class _Gathered(torch.autograd.Function):
    """The rows of all processes, of which each knows its own."""

    @staticmethod
    def forward(ctx: Any, own: torch.Tensor, share: Share, n_rows: int) -> torch.Tensor:
        ctx.own_rows = share.rows(n_rows)
        whole = own.new_zeros((n_rows, *own.shape[1:]))
        whole[ctx.own_rows] = own
        dist.all_reduce(whole)
        return whole

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor, None, None]:
        # Every process has a part of the loss that depends on every row.
        gradient = gradients[0].clone(memory_format=torch.contiguous_format)
        dist.all_reduce(gradient)
        return gradient[ctx.own_rows], None, None


def _same_bits(a: torch.Tensor, b: torch.Tensor) -> bool:
    """Tell whether tensors are the same; NaN is like NaN."""
    return torch.equal(a.nan_to_num(nan=torch.pi), b.nan_to_num(nan=torch.pi))


# Rows of other processes would have to be known for their statistics, or other random numbers.
MIXES_ROWS = (nn.modules.batchnorm._BatchNorm, nn.modules.dropout._DropoutNd)


class KeepTogether(Callback):
    """Start with the same weights in all processes, and see after each epoch that they still are.

    Parameters
    ----------
    share : Share

    Notes
    -----
    All processes add up the same numbers, so that weights stay the same without being sent.
    """

    def __init__(self, share: Share) -> None:
        self.share = share

    def on_train_begin(self, net, X=None, y=None, **kwargs) -> None:
        """Check what can't be shared, and send the weights of the main process; skorch calls this.

        Raises
        ------
        ValueError
            If a network mixes rows, or batches are too small.
        """
        _check(net, self.share)
        self.share.copy_from_main(_weights(net))

    def on_epoch_end(self, net, dataset_train=None, dataset_valid=None, **kwargs) -> None:
        """Compare the weights; skorch calls this.

        Raises
        ------
        RuntimeError
            If they have drifted apart.
        """
        if not self.share.copy_from_main(_weights(net)):
            raise RuntimeError(
                f"the weights must be the same in all {self.share.count} processes that share a "
                f"training; got different ones after epoch {len(net.history)}; use devices of one "
                "kind, and networks without random numbers of their own."
            )


def _weights(net: Any) -> list[torch.Tensor]:
    return [
        value
        for name in net._modules
        for value in getattr(net, f"{name}_").state_dict().values()
        if value.numel()
    ]


def _check(net: Any, share: Share) -> None:
    if share.is_alone:
        return
    for name in net._modules:
        for part in getattr(net, f"{name}_").modules():
            if isinstance(part, MIXES_ROWS):
                raise ValueError(
                    "networks must treat every row on its own where processes share a training; "
                    f"got one with {type(part).__name__}; train it in one process, or leave that "
                    "layer out."
                )
    if net.batch_size < share.count:
        raise ValueError(
            "`batch_size` must be at least the number of processes that share a training, "
            f"{share.count}; got batches of {net.batch_size}; raise it, or start fewer."
        )
