"""What is known of labels beforehand: of all stars alike, or of each star."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from spectragan.fitting.parameters import check_keys, number_in, to_numbers, unit_of
from spectragan.label_checks import check_same_stars, hide_codes


@dataclass(frozen=True)
class Prior:
    """A Gaussian prior on the parameters, of all problems or one for each.

    Attributes
    ----------
    mean : tensor of shape (n_parameters,) or (n, n_parameters)
    precision : tensor of shape (n_parameters, n_parameters) or (n, n_parameters, n_parameters)
        Inverse covariance; 0 where nothing is known beforehand.
    """

    mean: torch.Tensor
    precision: torch.Tensor

    def penalty(self, parameters: torch.Tensor) -> torch.Tensor:
        """Return what the prior adds to a cost, of shape (n_rows,)."""
        offset = parameters - self.mean
        return (offset * self._pull(offset)).sum(1)

    def add_to(
        self,
        parameters: torch.Tensor,
        parts: tuple[torch.Tensor, torch.Tensor, torch.Tensor],
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Add the prior to a cost, half its gradient and half its Hessian.

        Parameters
        ----------
        parameters : tensor of shape (n_rows, n_parameters)
        parts : tuple of tensors
            As `Objective.evaluate` returns them.

        Returns
        -------
        parts : tuple of tensors
        """
        cost, gradient, curvature = parts
        offset = parameters - self.mean
        pull = self._pull(offset)
        return cost + (offset * pull).sum(1), gradient + pull, curvature + self.precision

    def on_grid(self, grid: torch.Tensor) -> torch.Tensor:
        """Return penalties of some parameters (n_grid, n_parameters), (n or 1, n_grid)."""
        mean, precision = torch.atleast_2d(self.mean), self.precision
        if not bool(precision.any()):
            return torch.zeros(1, len(grid), dtype=grid.dtype)
        middle = grid.mean(0)  # of the differences, so that squares of large labels don't cancel
        offset, away = grid - middle, mean - middle
        pull = (away[:, None] @ precision)[:, 0]
        products = (offset[:, :, None] * offset[:, None]).flatten(1)
        square = precision.reshape(-1, products.shape[1]) @ products.T
        return square - 2 * pull @ offset.T + (away * pull).sum(1)[:, None]

    def leading(self, n_parameters: int) -> "Prior":
        """Return the prior of the first parameters."""
        return Prior(
            self.mean[..., :n_parameters], self.precision[..., :n_parameters, :n_parameters]
        )

    def of(self, rows: Any) -> "Prior":
        """Return the prior of some problems."""
        if self.mean.ndim == 1:
            return self
        return Prior(self.mean[rows], self.precision[rows])

    def _pull(self, offset: torch.Tensor) -> torch.Tensor:
        return (offset[:, None] @ self.precision)[:, 0]


def common_priors(
    priors: Mapping[str, Any] | None,
    names: Sequence[str],
    units: Mapping[str, Any] | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Return means and precisions of priors that all stars share, 0 and 0 where there is none.

    Parameters
    ----------
    priors : dict of str to (mean, standard deviation), or None
        Those of arrays, which are each star's own, are left out.
    names : sequence of str
        Labels and nuisances.
    units : dict of str to astropy unit, default=None
        Of the labels, where they are known.

    Returns
    -------
    mean, precision : ndarrays of shape (n_names,)

    Raises
    ------
    ValueError
        If a name is unknown, or a standard deviation isn't > 0.
    """
    given = check_keys(priors, "priors", names)
    mean, precision = np.zeros(len(names)), np.zeros(len(names))
    for name, pair in given.items():
        if are_per_star(pair):
            continue
        values = to_numbers(pair, name, "priors", units or {})
        if values.shape != (2,) or not np.isfinite(values).all() or values[1] <= 0:
            raise ValueError(
                f"`priors` of {name!r} must be a mean and a standard deviation > 0, or arrays of "
                f"one for each star; got {_told(pair)}; leave it out for no prior."
            )
        i = list(names).index(name)
        mean[i], precision[i] = values[0], 1 / values[1] ** 2
    return mean, precision


def priors_of_stars(
    priors: Mapping[str, Any],
    names: Sequence[str],
    n_stars: int,
    units: Mapping[str, Any] | None = None,
    stars: Any = None,
) -> np.ndarray:
    """Return means and precisions of the priors of each star.

    Parameters
    ----------
    priors : dict of str to (mean, standard deviation)
        Numbers for all stars, or arrays of one value per star; NaN and infinite ones are no prior.
    names : sequence of str
        Labels and nuisances.
    n_stars : int
    units : dict of str to astropy unit, default=None
        Of the labels, where they are known.
    stars : object, default=None
        Spectra: a data frame of the same stars in another order is refused.

    Returns
    -------
    priors : ndarray of shape (n_stars, 2, n_names)

    Raises
    ------
    ValueError
        If a name is unknown, there are more or fewer values than stars, or errors aren't > 0.

    Warns
    -----
    MissingLabelWarning
        If some means are codes of a catalogue; these stars have no prior.

    Examples
    --------
    >>> import numpy as np
    >>> from spectragan.fitting.priors import priors_of_stars
    >>> known = {"logg": ([4.4, np.nan], [0.1, 0.1])}
    >>> priors_of_stars(known, ["teff", "logg"], 2)[:, 1].round()
    array([[  0., 100.],
           [  0.,   0.]])
    """
    given = check_keys(priors, "priors", names)
    result = np.zeros((n_stars, 2, len(names)))
    result[:] = common_priors(given, names, units)
    for name, pair in given.items():
        if are_per_star(pair):
            values = _columns(pair, name, n_stars, units or {}, stars)
            result[:, :, list(names).index(name)] = values
    return result


def are_per_star(pair: Any) -> bool:
    """Tell whether one of a mean and a standard deviation is an array.

    Parameters
    ----------
    pair : object
    """
    return isinstance(pair, Sequence | np.ndarray) and any(np.ndim(value) for value in pair)


def _columns(
    pair: Any, name: str, n_stars: int, units: Mapping[str, Any], stars: Any
) -> np.ndarray:
    """Return means and precisions (n_stars, 2) of one label."""
    unit = unit_of(name, units)
    try:
        mean, error = (np.broadcast_to(_column(value, unit), (n_stars,)) for value in pair)
    except (TypeError, ValueError) as problem:
        raise ValueError(
            f"`priors` of {name!r} must be means and standard deviations, each a number or one for "
            f"each of the spectra, of which there are {n_stars}, in {unit.to_string() or 'no unit'}"
            f" or a unit that converts to it; got {_told(pair)}; give NaN where a star has none."
        ) from problem
    for values in pair:
        check_same_stars(stars, values, ("X", f"priors[{name!r}]"))
    wrong = np.flatnonzero((error <= 0) & np.isfinite(mean))
    if len(wrong):
        raise ValueError(
            f"`priors` of {name!r} must have standard deviations > 0; got {error[wrong[0]]:g} at "
            f"row {wrong[0]}; give NaN where a star has none, and hold a label by `bounds`."
        )
    mean = hide_codes(mean[:, None], [name], f"priors[{name!r}]")[:, 0]
    known = np.isfinite(mean) & np.isfinite(error)
    precision = np.where(known, np.where(known, error, 1.0) ** -2.0, 0.0)
    return np.column_stack([np.where(known, mean, 0.0), precision])


def _told(pair: Any) -> str:
    """Return words on what was given: arrays by their shapes and units."""
    if not are_per_star(pair):
        words = repr(pair)
        return words if "\n" not in words else f"an array of shape {np.shape(pair)}"
    units = (getattr(value, "unit", None) for value in pair)
    arrays = (f"{np.shape(value)}" for value in pair)
    return "shapes " + " and ".join(
        shape if unit is None else f"{shape} in {unit}"
        for shape, unit in zip(arrays, units, strict=True)
    )


def _column(values: Any, unit: Any) -> np.ndarray:
    """Return numbers, Quantities, columns or masked arrays as floats, NaN where masked."""
    if hasattr(values, "to_numpy"):  # data frames' missing values are none of numpy's
        values = values.to_numpy(dtype=float, na_value=np.nan)
    if hasattr(values, "mask") and hasattr(values, "filled"):
        values = values.astype(float).filled(np.nan)
    if getattr(values, "unit", None) is not None and hasattr(values, "quantity"):
        values = values.quantity
    return np.asarray(number_in(values, unit), dtype=float)
