"""Save a fitted model as one file, and load it again: data only, nothing that runs."""

import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from spectragan.exceptions import ModelFileError
from spectragan.files.cards import describe, model_card
from spectragan.files.decoding import Decoder
from spectragan.files.encoding import Encoder
from spectragan.files.layout import ModelFile, brief, read_model_file, refusal, write_model_file

if TYPE_CHECKING:
    from torch import nn


def save_model(model: Any, path: str | os.PathLike) -> None:
    """Save a fitted model, see `SaveMixin.save`.

    Parameters
    ----------
    model : estimator or ObservedEmulator
        Fitted.
    path : path-like

    Raises
    ------
    ModelFileError
        If a file can't hold it, or can't be written.
    NotFittedError
        If it isn't fitted.
    """
    _check_path(path)
    if isinstance(model, BaseEstimator):
        check_is_fitted(model)
    try:
        encoder = Encoder()
        state = encoder.encode(model)
        # What can't be read must not be written: reading it costs little and copies nothing.
        with _ordinary_tensors():
            Decoder(encoder.tensors, encoder.modules).model(state)
        write_model_file(path, ModelFile(describe(model), state, encoder.tensors))
    except ModelFileError as error:
        raise ModelFileError(f"{type(model).__name__} can't be saved: {error}") from error
    except OSError as error:
        raise ModelFileError(
            f"a model file must be written where there is room and permission; got "
            f"'{os.fspath(path)}': {error.strerror}; choose another place."
        ) from error


def load(path: str | os.PathLike, *, modules: "Mapping[str, nn.Module] | None" = None) -> Any:
    """Load a model that `save` wrote; the file is only read, never run.

    Parameters
    ----------
    path : path-like
        The file.
    modules : mapping of str to torch.nn.Module, default=None
        Only for a translator with networks of your own: a module of each class, by the class's
        name and of the same shape. It is copied, and the copy gets the weights of the file.

    Returns
    -------
    model : estimator or ObservedEmulator
        Predicts, transforms and encodes bit for bit as the saved one on the same machine, and has
        the same parameters but for `checkpoint`, which is None.

    Raises
    ------
    ModelFileError
        If the file is damaged, no model, of a newer format, or holds anything else than
        models of this package are made of.
    OSError
        If there is no such file, or it can't be read.
    TypeError
        If `path` is no path.

    See Also
    --------
    model_card : What a file says it holds.

    Notes
    -----
    The layout is that of safetensors: other software can read the arrays. The checksum finds
    accidents, not forgery: who changes a model on purpose changes the checksum, too.

    What only training needs, optimizers and critics, is left out: the nets of a loaded model
    (``net_``, ``nets_``) hold ``module_`` and ``history`` alone.

    Examples
    --------
    >>> import os, tempfile
    >>> import spectragan
    >>> from spectragan.datasets import make_mock_domains
    >>> mock = make_mock_domains(50, 50, n_pixels=100, random_state=0)
    >>> translator = spectragan.MeanShiftTranslator().fit(mock.synthetic, mock.observed)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = os.path.join(folder, "shift.safetensors")
    ...     translator.save(path)
    ...     loaded = spectragan.load(path)
    >>> loaded
    MeanShiftTranslator()
    >>> bool((loaded.transform(mock.synthetic).flux
    ...       == translator.transform(mock.synthetic).flux).all())
    True
    """
    _check_path(path)
    try:
        if os.path.isdir(path):
            raise refusal("a model file must be one file", "a folder", "give a file in it.")
        content = read_model_file(path)
        with _ordinary_tensors():
            return Decoder(content.tensors, modules or {}).model(content.state)
    except ModelFileError as error:
        raise ModelFileError(f"'{os.fspath(path)}' can't be loaded: {error}") from error


@contextmanager
def _ordinary_tensors() -> Iterator[None]:
    """Leave torch's inference mode, whose tensors never have derivatives, and another device."""
    torch = sys.modules.get("torch")  # who has set one of them has imported it
    if torch is None:
        yield
        return
    with torch.inference_mode(False), torch.device("cpu"):
        yield


def _check_path(path: Any) -> None:
    # A number is an open file to `open`, which would read it, and close it.
    if not isinstance(path, str | bytes | os.PathLike):
        raise TypeError(
            f"`path` must be that of a file; got {type(path).__name__} {brief(path)}; give a str "
            "or a pathlib.Path."
        )


class SaveMixin:
    """Methods of everything that can be saved as one file."""

    def save(self, path: str | os.PathLike) -> None:
        """Save the fitted model as one file, which `spectragan.load` reads.

        All parameters are in it, except the directory `checkpoint`.

        Parameters
        ----------
        path : path-like
            Replaced if it exists; by custom it ends in ``.safetensors``.

        Raises
        ------
        ModelFileError
            If a file can't hold a parameter, such as a callable, or can't be written; an old
            file stays as it was.
        NotFittedError
            Before `fit`.
        TypeError
            If `path` is no path.
        """
        save_model(self, path)

    def model_card(self) -> str:
        """Describe the fitted model: what it is, grid, labels, parameters, scores, caveats.

        Returns
        -------
        card : str
            Markdown.

        Raises
        ------
        NotFittedError
            Before `fit`.
        """
        return model_card(self)
