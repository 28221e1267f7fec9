"""Adam without torch's compiler."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch.optim import Optimizer
from torch.optim.adam import adam


class Adam(Optimizer):
    """Adam for skorch nets: the numbers of `torch.optim.Adam`, one call for all weights.

    Torch's optimizers import its compiler when the first one is made: about two CPU seconds in
    every process, for nothing. It is these methods that do; torch's function of the update, which
    is called here, doesn't.

    Parameters
    ----------
    params : iterable of tensors, or of dicts
        The weights, or groups of them: each a dict with ``params``, and ``lr`` and ``betas`` where
        they differ.
    lr : float, default=1e-3
        The rate; a schedule changes it in `param_groups`.
    betas : (float, float), default=(0.9, 0.999)
        What is kept of the mean gradient, and of the mean square, from step to step.
    eps : float, default=1e-8
        Beside the root of the mean square.

    Attributes
    ----------
    param_groups : list of dict
        ``params``, ``lr``, ``betas`` and ``eps`` of each group.
    state : dict of tensor to dict of tensors
        ``step``, ``exp_avg`` and ``exp_avg_sq`` of each weight that was moved.

    References
    ----------
    .. [1] Kingma, D. P. and Ba, J. 2015, Adam: a method for stochastic optimization,
       arXiv:1412.6980.

    Examples
    --------
    >>> import torch
    >>> from spectragan.training.adam import Adam
    >>> weight = torch.ones(1, requires_grad=True)
    >>> optimizer = Adam([weight], lr=0.1)
    >>> for _ in range(100):
    ...     optimizer.zero_grad()
    ...     weight.square().sum().backward()
    ...     _ = optimizer.step()
    >>> bool(weight.abs() < 0.05)
    True
    """

    def __init__(
        self,
        params: Any,
        lr: float = 1e-3,
        *,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
    ) -> None:
        super().__init__(params, {"lr": lr, "betas": betas, "eps": eps})

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """Take on weights; torch calls this for each group, and a script may.

        Parameters
        ----------
        param_group : dict
            ``params``, a list of tensors, and what differs from the other groups.
        """
        self.param_groups.append(
            {**self.defaults, **param_group, "params": list(param_group["params"])}
        )

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget all gradients.

        Parameters
        ----------
        set_to_none : bool, default=True
            False fills them with zeros instead.
        """
        for weight in self._weights():
            if set_to_none:
                weight.grad = None
            elif weight.grad is not None:
                weight.grad = torch.zeros_like(weight.grad)

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:  # type: ignore[override]
        """Move all weights that have a gradient.

        Parameters
        ----------
        closure : callable, default=None
            Works out loss and gradients first, as skorch's does.

        Returns
        -------
        loss : object
            What `closure` returned, or None.
        """
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            self._move([weight for weight in group["params"] if weight.grad is not None], group)
        return loss

    def state_dict(self) -> dict[str, Any]:
        """Return all that training on needs, with weights as numbers, as torch does.

        Returns
        -------
        state : dict
            ``state`` by the number of the weight, and ``param_groups``.
        """
        number = {weight: i for i, weight in enumerate(self._weights())}
        return {
            "state": {number[weight]: moments for weight, moments in self.state.items()},
            "param_groups": [
                {**group, "params": [number[weight] for weight in group["params"]]}
                for group in self.param_groups
            ],
        }

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over a state, on the device, and in the layout, of the weights.

        Parameters
        ----------
        state_dict : dict
            From `state_dict`, of as many weights of the same shapes.

        Raises
        ------
        ValueError
            If weights are more, fewer or of other shapes.
        """
        groups, weights = state_dict["param_groups"], self._weights()
        sizes = [[len(group["params"]) for group in each] for each in (groups, self.param_groups)]
        moments = {weights[i]: kept for i, kept in state_dict["state"].items() if i < len(weights)}
        same = all(kept["exp_avg"].shape == weight.shape for weight, kept in moments.items())
        if sizes[0] != sizes[1] or not same:
            raise ValueError(
                "the state of an optimizer must be of the same weights; got "
                f"{sizes[0]} weights in groups for {sizes[1]}, or other shapes; give the state of "
                "the same network."
            )
        for own, loaded in zip(self.param_groups, groups, strict=True):
            own.update({**loaded, "params": own["params"]})
        self.state.clear()
        self.state.update({w: _laid_out(kept, w) for w, kept in moments.items()})

    def _weights(self) -> list[torch.Tensor]:
        return [weight for group in self.param_groups for weight in group["params"]]

    def _move(self, weights: Sequence[torch.Tensor], group: dict[str, Any]) -> None:
        """Move the weights of one group, all of which have a gradient."""
        if not weights:
            return
        for weight in weights:
            if weight not in self.state:
                self.state[weight] = _no_moments(weight)
        moments = [self.state[weight] for weight in weights]
        fused = weights[0].device.type != "mps"  # some releases of torch can't do it there
        adam(
            list(weights),
            [weight.grad for weight in weights if weight.grad is not None],
            [moment["exp_avg"] for moment in moments],
            [moment["exp_avg_sq"] for moment in moments],
            [],
            [moment["step"] for moment in moments],
            fused=fused,
            foreach=not fused,
            amsgrad=False,
            beta1=group["betas"][0],
            beta2=group["betas"][1],
            lr=group["lr"],
            weight_decay=0.0,
            eps=group["eps"],
            maximize=False,
        )


def _no_moments(weight: torch.Tensor) -> dict[str, torch.Tensor]:
    return {
        "step": torch.zeros((), dtype=torch.float32, device=weight.device),
        "exp_avg": torch.zeros_like(weight, memory_format=torch.preserve_format),
        "exp_avg_sq": torch.zeros_like(weight, memory_format=torch.preserve_format),
    }


def _laid_out(moments: dict[str, torch.Tensor], weight: torch.Tensor) -> dict[str, torch.Tensor]:
    """Return moments laid out in memory like their weight, which a file doesn't keep."""
    empty = _no_moments(weight)
    return {name: empty[name].copy_(value) for name, value in moments.items()}
