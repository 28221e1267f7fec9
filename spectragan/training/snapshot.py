"""The whole state of a net in training, taken out in memory and put back."""

from copy import deepcopy
from dataclasses import dataclass
from numbers import Number
from typing import Any

import torch
from skorch import NeuralNet


@dataclass(frozen=True)
class Snapshot:
    """What a net in training needs to go on as if nothing had happened.

    Attributes
    ----------
    modules, optimizers : dict of str to dict
        ``state_dict`` of each: networks, critics, running averages, and what trains them.
    callbacks : dict of str to dict
        Attributes that end in ``_``: schedules, counts of an early stop and the weights it keeps.
    counters : dict of str to number
        Of the net itself, as ``n_steps_``.
    history : list of dict
        One for each epoch, without its batches, which nothing reads once an epoch is over.
    generators : dict of str to tensor
        States of torch's generators: of the CPU, and of the net's device if that is another.
    """

    modules: dict[str, dict]
    optimizers: dict[str, dict]
    callbacks: dict[str, dict]
    counters: dict[str, Any]
    history: list[dict]
    generators: dict[str, torch.Tensor]


def capture(net: NeuralNet) -> Snapshot:
    """Return a copy of a net's whole state between two epochs.

    Parameters
    ----------
    net : NeuralNet
        Initialised. Call it from the last callback of ``on_epoch_end``, or after training.

    Returns
    -------
    snapshot : Snapshot
        On the CPU; training on leaves it as it is.

    Examples
    --------
    >>> import torch
    >>> from skorch import NeuralNet
    >>> from spectragan.training.snapshot import capture, restore
    >>> net = NeuralNet(torch.nn.Linear(1, 1), torch.nn.MSELoss).initialize()
    >>> before = capture(net)
    >>> with torch.no_grad():
    ...     _ = net.module_.weight.add_(1.0)
    >>> restore(net, before)
    >>> torch.equal(net.module_.weight, before.modules["module"]["weight"])
    True
    """
    return Snapshot(
        modules={name: _copied(part.state_dict()) for name, part in _modules(net).items()},
        optimizers={name: _copied(part.state_dict()) for name, part in _optimizers(net).items()},
        callbacks={name: _learned(callback) for name, callback in net.callbacks_},
        counters=_counters(net),
        history=[{**epoch, "batches": []} for epoch in net.history],
        generators=_generators(net),
    )


def restore(net: NeuralNet, snapshot: Snapshot) -> None:
    """Put a net's whole state back, and torch's generators: training goes on bit-identically.

    Parameters
    ----------
    net : NeuralNet
        Initialised, with networks, optimizers and callbacks as those of the snapshot. What was
        chosen for it (settings, rates to start from, epochs) is left as it is. Its callbacks
        forget what they learned when training begins: call it after their ``on_train_begin``.
    snapshot : Snapshot
        It may be restored again later.

    Raises
    ------
    KeyError, RuntimeError, ValueError
        If a part is missing or has another shape.
    """
    for name, part in _modules(net).items():
        part.load_state_dict(snapshot.modules[name])
    for name, optimizer in _optimizers(net).items():
        _load_optimizer(optimizer, snapshot.optimizers[name])
    for name, callback in net.callbacks_:
        _relearn(callback, snapshot.callbacks.get(name, {}))
    for name, value in snapshot.counters.items():
        setattr(net, name, value)
    net.history.clear()
    net.history.extend(deepcopy(snapshot.history))
    _set_generators(snapshot.generators)


def _modules(net: NeuralNet) -> dict[str, Any]:
    return {name: getattr(net, f"{name}_") for name in (*net._modules, *net._criteria)}


def _optimizers(net: NeuralNet) -> dict[str, Any]:
    return {name: getattr(net, f"{name}_") for name in net._optimizers}


def _load_optimizer(optimizer: torch.optim.Optimizer, state: dict) -> None:
    optimizer.load_state_dict(deepcopy(state))
    for weights, moments in optimizer.state.items():
        for name, value in moments.items():
            if torch.is_tensor(value) and value.shape == weights.shape:
                # Laid out in memory like the weights: fused optimizers count on that, and a file
                # doesn't keep the layout (channels last) that convolutions have.
                moments[name] = torch.empty_like(weights, dtype=value.dtype).copy_(value)


def _counters(thing: Any) -> dict[str, Any]:
    """Return the numbers among the attributes that training sets."""
    return {n: v for n, v in vars(thing).items() if n.endswith("_") and isinstance(v, Number)}


def _learned(callback: Any) -> dict[str, Any]:
    """Return what a callback learned: numbers, state dicts, and what has a state dict."""
    learned: dict[str, Any] = _counters(callback)
    for name, value in vars(callback).items():
        if not name.endswith("_") or isinstance(value, type):
            continue
        if hasattr(value, "state_dict"):
            learned[name] = deepcopy(value.state_dict())
        elif value is None or isinstance(value, dict | list | tuple):
            learned[name] = _copied(value)
    return learned


def _relearn(callback: Any, learned: dict[str, Any]) -> None:
    for name, value in learned.items():
        part: Any = getattr(callback, name, None)
        if hasattr(part, "load_state_dict"):
            part.load_state_dict(deepcopy(value))
        else:
            setattr(callback, name, deepcopy(value))


def _copied(value: Any) -> Any:
    """Return a copy on the CPU, of plain dicts, lists, tuples, numbers and tensors."""
    if isinstance(value, torch.Tensor):
        return value.detach().to("cpu", copy=True)
    if isinstance(value, dict):
        return {key: _copied(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(_copied(part) for part in value)
    return value


def _generators(net: NeuralNet) -> dict[str, torch.Tensor]:
    states = {"cpu": torch.get_rng_state()}
    kind = torch.device(net.device).type
    if kind != "cpu":
        states[kind] = torch.get_device_module(kind).get_rng_state()
    return states


def _set_generators(states: dict[str, torch.Tensor]) -> None:
    torch.set_rng_state(states["cpu"])
    for kind, state in states.items():
        # Training that moves to another device goes on with that device's own numbers.
        if kind != "cpu" and torch.get_device_module(kind).is_available():
            torch.get_device_module(kind).set_rng_state(state)
