"""Objects and networks from checked parts: nothing larger than the file is ever allocated."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from spectragan.persistence.classes import class_of
from spectragan.persistence.refusal import DAMAGED, refusal

# A size that a network was made with is at most so many times as large as its tensors together:
# pooling by four is what shrinks spectra most between the input and the first large layer.
LARGEST_RATIO = 4
SMALLEST_LIMIT = 64
OBSERVED = 1  # the domain whose latents are of both kinds


def build_object(name: str, values: dict[str, Any]) -> Any:
    """Return an object of the table, made of its fields.

    Parameters
    ----------
    name : str
        Of its class.
    values : dict of str to object
        Checked.

    Returns
    -------
    value : object
    """
    builder = {"Spectra": _spectra, "SubspacePixels": _subspace_pixels}.get(name)
    return builder(values) if builder else class_of(name)(**values)


def _spectra(values: dict[str, Any]) -> Any:
    cls = class_of("Spectra")
    flux, ivar, axis = values["flux"], values["ivar"], values["spectral_axis"]
    noise, medium, meta = (values[name] for name in ("noise", "medium", "meta"))
    if not (np.isfinite(flux).all() and flux.dtype == ivar.dtype):
        raise refusal("flux must be finite and of ivar's type", flux.dtype)
    # All that is checked of spectra that a user hands over.
    checked = cls(flux, None, ivar, noise, medium, meta)
    grid = cls(np.ones((1, flux.shape[1])), axis, medium=medium)
    spectra: Any = object.__new__(cls)
    parts = checked.noise, grid.spectral_axis, medium, checked.meta, values["unit"]
    spectra.__setstate__([flux, ivar, *parts, None])
    return spectra


def _subspace_pixels(values: dict[str, Any]) -> Any:
    import torch

    network = values.pop("network")
    tensors = {name: torch.from_numpy(array) for name, array in values.items()}
    heads = tensors.pop("synthetic_head"), tensors.pop("observed_head")
    n_shared, n_split = (network.arguments[name] for name in ("n_shared", "n_split"))
    for head, n_own in zip(heads, (0, n_split), strict=True):
        n_features = 1 + n_shared + n_own + n_shared * (n_shared + 1) // 2
        if len(head) != n_features:
            raise refusal("a full-pixel head must fit the latents", len(head))
    return class_of("SubspacePixels")(network, **tensors, heads=heads)


def build_network(name: str, arguments: dict[str, Any], tensors: Mapping[str, Any]) -> Any:
    """Return a network of the table without memory for its tensors.

    Parameters
    ----------
    name : str
        Of its class.
    arguments : dict of str to object
        Sizes, checked to be such.
    tensors : mapping of str to ndarray
        What it is to hold.

    Returns
    -------
    network : torch.nn.Module
        On torch's "meta" device.
    """
    import torch

    limit = SMALLEST_LIMIT + LARGEST_RATIO * sum(array.size for array in tensors.values())
    for argument, value in arguments.items():
        for size in value if isinstance(value, list | tuple) else [value]:
            if size > limit:
                raise refusal(f"{name} must be no larger than its tensors: {argument}", size)
    with torch.device("meta"):
        if "components" in arguments:
            shape = arguments["components"], arguments["n_pixels"]
            return class_of(name)(**{**arguments, "components": torch.empty(shape)})
        return class_of(name)(**arguments)


def fill_module(
    module: Any,
    tensors: Mapping[str, np.ndarray],
    training: bool,
    learns: bool,
    remedy: str = DAMAGED,
) -> Any:
    """Give a module its tensors; they aren't copied.

    Parameters
    ----------
    module : torch.nn.Module
        With the names and shapes of the tensors.
    tensors : mapping of str to ndarray
    training, learns : bool
        Its mode, and whether its parameters have gradients.
    remedy : str
        What to do if they don't fit.

    Returns
    -------
    module : torch.nn.Module
        The same.

    Raises
    ------
    ModelFileError
        If the tensors aren't those of such a module.
    """
    import torch

    expected = {name: tuple(t.shape) for name, t in module.state_dict().items()}
    given = {name: array.shape for name, array in tensors.items()}
    if given != expected:
        wrong = sorted(n for n in {*given, *expected} if given.get(n) != expected.get(n))
        raise refusal(
            f"the tensors of {type(module).__name__} must have its names and shapes, "
            f"{wrong[0]!r} {expected.get(wrong[0], 'none')}",
            given.get(wrong[0], "none"),
            remedy,
        )
    for name, tensor in module.state_dict().items():
        if (tensors[name].dtype.kind == "f") != tensor.is_floating_point():
            raise refusal(
                f"tensor {name!r} must be of the type {tensor.dtype}", tensors[name].dtype
            )
    state = {name: torch.from_numpy(array) for name, array in tensors.items()}
    module.load_state_dict(state, assign=True)
    module.requires_grad_(bool(learns))
    return module.train(bool(training))


def complete(estimator: Any) -> None:
    """Check what only shows in use, and add what follows from the rest.

    Parameters
    ----------
    estimator : object
        With its attributes set. A translator with networks gets its ``net_``.

    Raises
    ------
    ModelFileError
        If its latents have other shapes than it says.
    """
    if type(estimator).__name__ != "CycleGANTranslator":
        return
    import torch

    with torch.no_grad():
        blank = torch.zeros(1, estimator.n_features_in_, dtype=torch.float64)
        latents = estimator.network_.encode(blank, OBSERVED)
    found = tuple(tuple(part.shape[1:]) for part in latents)
    if found != estimator._latent_shapes:
        raise refusal("the latents must have the shapes that the model says", found)
    columns = estimator.history_
    epochs = zip(*columns.values(), strict=True)
    rows = [dict(zip(columns, epoch, strict=True)) for epoch in epochs]
    estimator.net_ = class_of("LoadedNet")(estimator.network_.network, rows)
