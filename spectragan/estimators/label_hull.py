"""The hull of the labels that a model was trained on."""

import numpy as np

N_DIRECTIONS = 1000
SLACK = 1e-6  # of the spread along a direction: rounding isn't outside


class LabelHull:
    """The convex hull of labels, judged along many directions.

    The exact hull of thousands of points has too many faces in five dimensions. Along a thousand
    directions few labels that lie outside are missed, and none inside is called outside.

    Parameters
    ----------
    labels : ndarray of shape (n_spectra, n_labels)
        Of the training.

    Examples
    --------
    >>> import numpy as np
    >>> from spectragan.estimators.label_hull import LabelHull
    >>> hull = LabelHull(np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]]))
    >>> hull.outside(np.array([[0.3, 0.3], [0.9, 0.9]]))
    array([False,  True])
    """

    def __init__(self, labels: np.ndarray) -> None:
        self.center, spread = labels.mean(0), labels.std(0)
        self.scale = np.where(spread > 0, spread, 1.0)
        axes = np.eye(labels.shape[1])
        random = np.random.default_rng(0).normal(size=(N_DIRECTIONS, labels.shape[1]))
        self.directions = np.vstack([axes, -axes, random])
        self.furthest = self._along(labels).max(0)

    def _along(self, labels: np.ndarray) -> np.ndarray:
        return (labels - self.center) / self.scale @ self.directions.T

    def outside(self, labels: np.ndarray) -> np.ndarray:
        """Tell which labels lie outside.

        Parameters
        ----------
        labels : ndarray of shape (n_spectra, n_labels)

        Returns
        -------
        outside : ndarray of bool of shape (n_spectra,)
            False for labels that aren't finite.
        """
        excess = self._along(labels) - self.furthest
        return (excess > SLACK * np.abs(self.furthest)).any(1)
