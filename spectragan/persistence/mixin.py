"""`SaveMixin`: what gives every estimator of the package `save` and `model_card`."""

import os

from spectragan.persistence.cards import model_card
from spectragan.persistence.saving import save_model


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
