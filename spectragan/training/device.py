"""Turn the ``device`` parameter of an estimator into a torch device that is there."""

import torch


def resolve_device(device: str | torch.device = "auto") -> torch.device:
    """Return the torch device named by `device`.

    Parameters
    ----------
    device : str or torch.device, default="auto"
        "auto" picks the first there is of cuda, mps and cpu; anything else is a torch device
        name such as "cpu", "cuda" or "cuda:1".

    Returns
    -------
    device : torch.device

    Raises
    ------
    ValueError
        If `device` is no device name or this machine has no such device.

    Examples
    --------
    >>> from spectragan.training.device import resolve_device
    >>> resolve_device("cpu")
    device(type='cpu')
    """
    if isinstance(device, str) and device == "auto":
        return torch.device(_best_available())
    try:
        resolved = torch.device(device)
    except (RuntimeError, TypeError) as error:
        raise ValueError(
            f'`device` must be "auto" or a torch device name (or "accelerate", where processes can '
            f'share a training: in CycleGANTranslator); got {device!r}; use "auto" to pick the '
            "fastest device there is."
        ) from error
    if not _is_available(resolved):
        raise ValueError(
            f"`device` must be one that torch finds on this machine; got {str(resolved)!r}; use "
            f'"auto", which here picks "{_best_available()}".'
        )
    return resolved


def _best_available() -> str:
    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"


def _is_available(device: torch.device) -> bool:
    if device.type == "cuda":
        return torch.cuda.is_available() and (device.index or 0) < torch.cuda.device_count()
    if device.type == "mps":
        return torch.backends.mps.is_available()
    return device.type == "cpu"
