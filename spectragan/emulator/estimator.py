"""`SpectrumEmulator`: labels in, spectrum out, fast and differentiable."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, ClassVar

import astropy.units as u
import numpy as np
import torch
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.utils.validation import check_is_fitted

from spectragan.emulator.model import EmulatorModel
from spectragan.emulator.training import EmulatorSettings, TrunkSettings, fit_emulator
from spectragan.exceptions import GridMismatchError
from spectragan.files.saving import SaveMixin
from spectragan.label_checks import check_same_length, check_same_stars, from_rows, hide_codes
from spectragan.labels import (
    LABELS,
    check_not_swapped,
    column_units,
    label_array,
    named_columns,
    number_labels,
    warn_outside,
    with_names,
)
from spectragan.rules import VERBOSE, Rules, check_all, count, counts, number
from spectragan.spectra import Spectra, as_spectra
from spectragan.spectra.axis import same_axis
from spectragan.spectra.checks import is_masked, native_float
from spectragan.spectra.convert import kind_of
from spectragan.spectra.noise import noise_variance
from spectragan.spectra.transformer import EmulatedSpectraMixin
from spectragan.training.devices import plain_torch, resolve_device, seeded
from spectragan.training.inference import map_padded
from spectragan.training.resuming import open_fit
from spectragan.training.weights import distinct_rows, star_weights

GOOD = "the default is a good start"


def training_settings(estimator: Any, device: torch.device) -> EmulatorSettings:
    """Return how an emulator is trained.

    Parameters
    ----------
    estimator : SpectrumEmulator
    device : torch.device

    Returns
    -------
    settings : EmulatorSettings
    """
    trunk = TrunkSettings(
        max_epochs=estimator.max_epochs,
        batch_size=estimator.batch_size,
        learning_rate=estimator.learning_rate,
        validation_fraction=estimator.validation_fraction,
        device=device,
        verbose=estimator.verbose,
    )
    hidden = tuple(estimator.hidden)
    return EmulatorSettings(estimator.n_components, estimator.n_centers, hidden, trunk)


def read_spectra(y: Any) -> Spectra:
    """Return spectra; numbers of shape (n_samples,) become one pixel each.

    Parameters
    ----------
    y : Spectra, specutils object, list of them, or array-like

    Returns
    -------
    spectra : Spectra

    Raises
    ------
    ValueError
        If one-dimensional numbers aren't finite, or `y` breaks a rule of `Spectra`.
    """
    if kind_of(y) != "array" or is_masked(y) or isinstance(y, u.Quantity) or hasattr(y, "fit"):
        return as_spectra(y)
    ragged = isinstance(y, list | tuple) and len({np.size(row) for row in y}) > 1
    values = native_float(y, "y") if ragged else np.asarray(y)  # numpy's words aren't ours
    if values.ndim != 1:
        return as_spectra(values)
    column = values.astype(float)
    if not np.isfinite(column).all():
        raise ValueError(
            "Input y contains infinity or a value too large for dtype('float64'), or NaN: got "
            f"{np.count_nonzero(~np.isfinite(column))} of {len(column)}; drop such rows."
        )
    return Spectra(column[:, None], None)


def read_training(
    X: Any, y: Any, sample_weight: Any = None
) -> tuple[np.ndarray, Spectra, np.ndarray]:
    """Return labels and spectra to fit an emulator to.

    Parameters
    ----------
    X : array-like of shape (n_samples, n_labels), DataFrame, Table or QTable
    y : Spectra, specutils object, list of them, or array-like
    sample_weight : array-like of shape (n_samples,), default=None

    Returns
    -------
    labels : ndarray of shape (n_stars, n_labels), float64
        Of stars that differ, in an order of their own.
    spectra : Spectra
    weights : ndarray of shape (n_stars,)

    Raises
    ------
    ValueError
        If they aren't equally many, at least two, or no pixel is good.
    """
    if y is None:
        raise ValueError(
            "SpectrumEmulator requires y to be passed, but the target y is None; call "
            "fit(labels, spectra)."
        )
    labels = label_array(X)
    spectra = read_spectra(y)
    check_same_length(labels, spectra)
    check_same_stars(X, y, ("X", "y"))
    labels = hide_codes(labels, named_columns(X) or number_labels(labels), "X")
    weights = star_weights(sample_weight, len(labels)) * np.isfinite(labels).all(axis=1)
    rows, weights = distinct_rows(labels.astype(float), spectra, weights)
    labels, spectra = labels[rows].astype(float), spectra[rows]
    if len(labels) < 2:
        raise ValueError(
            "`X` and `y` must hold at least 2 spectra with labels; got "
            f"{len(labels)} sample{'s' * (len(labels) != 1)}; add spectra."
        )
    if not (spectra.ivar > 0).any():
        raise ValueError(
            "`y` must have at least one pixel with ivar > 0; got all pixels masked; check the "
            "mask (True means bad) and the flux for NaN."
        )
    return labels, spectra, weights


def check_grid(spectra: Spectra, n_pixels: int, wavelength: u.Quantity | None) -> None:
    """Raise unless spectra are on the grid of the fit.

    Parameters
    ----------
    spectra : Spectra
    n_pixels : int
        Of the fit.
    wavelength : Quantity of shape (n_pixels,) or None
        Of the fit.

    Raises
    ------
    GridMismatchError
        If pixels or wavelengths differ.
    """
    remedy = "resample the spectra onto that grid."
    if spectra.shape[1] != n_pixels:
        raise GridMismatchError(
            f"`y` must be on the grid of the fit, {n_pixels} pixels; got {spectra.shape[1]}; "
            + remedy
        )
    given = spectra.wavelength
    if given is None or wavelength is None or same_axis(given, wavelength):
        return
    raise GridMismatchError(
        f"`y` must be on the grid of the fit, {wavelength[0]:.6g} to {wavelength[-1]:.6g}; got "
        f"{given[0]:.6g} to {given[-1]:.6g}; {remedy}"
    )


PREDICT_ROWS = 64  # a fixed batch: small enough for one star at a time, large enough for many


class SpectrumEmulator(EmulatedSpectraMixin, SaveMixin, RegressorMixin, BaseEstimator):
    r"""Emulate spectra: labels in, spectrum out, with exact derivatives.

    Spectra are compressed to a mean and components, weighted by inverse variance. Each
    component's coefficient is the mean of a Gaussian process, with length scales and a curvature
    per label; where there are more stars than `n_centers`, a fully connected network learns from
    the others what the processes leave unexplained.

    Parameters
    ----------
    n_components : int, default=128
        Components beside the mean spectrum, at most; unnecessary ones cost time, not accuracy.
    hidden : sequence of int, default=(300, 300)
        Widths of the network's hidden layers.
    n_centers : int, default=4000
        Stars the Gaussian processes rest on, drawn at random if there are more. Time goes with
        the cube.
    max_epochs : int, default=100
        Passes of the network over the stars beyond `n_centers`; 0 leaves the network out.
    batch_size : int, default=256
        Stars per step of the network.
    learning_rate : float, default=3e-3
        Of Adam; it falls to 0 along a cosine.
    validation_fraction : float, default=0.1
        Share of the stars beyond `n_centers` that is held out to stop early and to keep the best
        epoch, or no network at all if it doesn't help.
    checkpoint : str or path-like, default=None
        Directory of this fit alone that keeps the state of the network, for ``fit(resume=True)``.
        With fewer than ``n_centers + 100`` stars there is no network, and nothing is kept.
    checkpoint_every : int, default=1
        Epochs from one checkpoint to the next; the last two are kept.
    random_state : int, RandomState instance or None, default=None
        An int gives bit-identical emulators on one machine.
    device : str, default="auto"
        Where the network is trained: "auto", "cpu", "cuda" or "mps". The processes are fitted,
        and spectra computed, in double precision on the CPU.
    verbose : int, default=1
        0 shows no progress bar.

    Attributes
    ----------
    net_ : EmulatorNet
        The skorch net; ``net_.module_`` is the torch module that maps labels to spectra.
    components_ : ndarray of shape (1 + n_components, n_pixels)
        Every emulated spectrum is ``coefficients(labels) @ components_``; the first row is the
        mean spectrum, NaN at pixels that were masked in every spectrum of the fit.
    label_names_ : tuple of str
        Column names of the fit; ``label_0``, ``label_1``, ... for arrays.
    label_range_ : ndarray of shape (2, n_labels)
        Lowest and highest labels of the fit.
    wavelength_ : Quantity of shape (n_pixels,) or None
        In Angstrom; None where the spectra had none.
    medium_ : {"air", "vacuum"} or None
        What the wavelengths were measured in.
    unit_ : astropy.units.UnitBase
        Unit of flux.
    n_features_in_ : int
        Number of labels.
    feature_names_in_ : ndarray of str of shape (n_labels,)
        Only if the labels of the fit had column names.

    See Also
    --------
    spectragan.datasets.make_synthetic_spectra : Spectra with labels to try it on.

    Notes
    -----
    With standardised labels :math:`z`, the emulated spectrum is

    .. math:: f(z) = \bar f + \sum_k s_k \left[ \sum_i w_{ik} \exp\left(-\tfrac12
        \sum_l \frac{(g_{kl}(z_l) - g_{kl}(z_{il}))^2}{\ell_{kl}^2}\right)
        + a_k^T g_k(z) + b_k + \mathrm{MLP}_k(z) \right] e_k

    where :math:`g(z) = (e^{cz} - 1) / c` bends a label. Components of similar variance share
    :math:`\ell` and :math:`c`, which maximise the marginal likelihood [1]_. Networks from labels
    to pixels [2]_ and quadratic polynomials per pixel [3]_ were measured beside it
    (``benchmarks/results/emulator.md``).

    If all spectra of the fit were divided by their own median, so are the emulated ones: which
    pixel is the median jumps with the labels, and no smooth function follows that.

    If their fluxes span a factor of three or more, each is learned on its own scale, and the
    logarithm of that scale as the first coefficient: cold stars come out as well as hot ones.

    References
    ----------
    .. [1] Rasmussen, C. E. and Williams, C. K. I. 2006, Gaussian Processes for Machine Learning,
       MIT Press.
    .. [2] Ting, Y.-S. et al. 2019, ApJ 879, 69 (The Payne).
    .. [3] Ness, M. et al. 2015, ApJ 808, 16 (The Cannon).

    Examples
    --------
    >>> import numpy as np
    >>> from spectragan import SpectrumEmulator
    >>> rng = np.random.default_rng(0)
    >>> labels = rng.uniform([4000, 1], [7000, 5], size=(60, 2))
    >>> depth = 0.5 * (5000 / labels[:, :1]) ** 2 + 0.01 * labels[:, 1:]
    >>> spectra = 1 - depth * np.exp(-0.5 * np.linspace(-3, 3, 20) ** 2)
    >>> emulator = SpectrumEmulator(random_state=0, verbose=0).fit(labels[:50], spectra[:50])
    >>> bool(np.abs(emulator.predict(labels[55:]) - spectra[55:]).max() < 1e-3)
    True
    >>> emulator.jacobian(labels[55:]).shape
    (5, 20, 2)
    >>> emulator.spectra(labels[55:])
    Spectra(5 spectra, 20 pixels, no wavelengths, noise exact, float64)
    """

    _kept: ClassVar = {
        **LABELS,
        "n_features_in_": "count l",
        "feature_names_in_?": "names l",
        "wavelength_": "axis? p",
        "medium_": "word?",
        "net_": "LoadedNet l p",
    }
    _rules: ClassVar[Rules] = {
        "n_components": count(1, remedy=GOOD),
        "n_centers": count(2, remedy=GOOD),
        "max_epochs": count(0, remedy=GOOD),
        "batch_size": count(1, remedy=GOOD),
        "hidden": counts(remedy="(300, 300) is a good start"),
        "validation_fraction": number(0, 1, remedy="0.1 is a good start"),
        "learning_rate": number(remedy="3e-3 is a good start"),
        "verbose": VERBOSE,
    }

    def __init__(
        self,
        n_components: int = 128,
        *,
        hidden: Sequence[int] = (300, 300),
        n_centers: int = 4000,
        max_epochs: int = 100,
        batch_size: int = 256,
        learning_rate: float = 3e-3,
        validation_fraction: float = 0.1,
        checkpoint: str | Path | None = None,
        checkpoint_every: int = 1,
        random_state: int | np.random.RandomState | None = None,
        device: str = "auto",
        verbose: int = 1,
    ) -> None:
        self.n_components = n_components
        self.hidden = hidden
        self.n_centers = n_centers
        self.max_epochs = max_epochs
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.validation_fraction = validation_fraction
        self.checkpoint = checkpoint
        self.checkpoint_every = checkpoint_every
        self.random_state = random_state
        self.device = device
        self.verbose = verbose

    @plain_torch()
    def fit(
        self,
        X: Any,
        y: Any,
        sample_weight: Any = None,
        *,
        label_names: Sequence[str] | None = None,
        resume: bool = False,
    ) -> "SpectrumEmulator":
        """Learn spectra as a function of labels.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_labels), DataFrame, Table or QTable
            The labels, finite. Stars with a code such as -9999 for a label are left out.
        y : Spectra, specutils object, list of them, or array-like of shape (n_samples, n_pixels)
            The spectra, dimensionless. Pixels with ivar 0 are ignored. One-dimensional numbers
            of shape (n_samples,) are taken as spectra of one pixel.
        sample_weight : array-like of shape (n_samples,), default=None
            How much each star counts where they disagree. Stars of weight 0 are left out; a star
            that comes twice counts twice.
        label_names : sequence of str, default=None
            Names of the columns of an array of labels, and what to take of a table.
        resume : bool, default=False
            Whether to go on from the newest readable checkpoint, as if training had never
            stopped; without one, training starts anew.

        Returns
        -------
        self : SpectrumEmulator
            The fitted emulator.

        Raises
        ------
        CheckpointError
            If `checkpoint` can't be used, or holds checkpoints: of other data or parameters with
            `resume`, any without.
        ValueError
            If labels aren't finite, or labels and spectra aren't equally many, at least two, or
            changed places, or no pixel is good, or weights are negative, or a parameter is out of
            its range.

        Warns
        -----
        CheckpointWarning
            If a checkpoint can't be written or read; training goes on.
        MissingLabelWarning
            If stars are left out.
        """
        check_all(vars(self), self._rules)
        device = resolve_device(self.device)
        check_not_swapped(X, y, "fit(labels, spectra)")
        labels, spectra, weights = self._read_training(
            from_rows(with_names(X, label_names)), y, sample_weight
        )
        good = spectra.ivar > 0
        variance = noise_variance(spectra)
        flux = spectra.filled().astype(float)
        data = {"labels": labels, "spectra": spectra, "sample_weight": weights}
        checkpoints = open_fit(self, data, resume=resume)
        with seeded(checkpoints.seeds, device) as rng:
            self.net_ = fit_emulator(
                labels,
                flux,
                variance,
                good,
                weights,
                training_settings(self, device),
                rng=rng,
                checkpoints=checkpoints,
            )
        return self

    def predict(self, X: Any) -> np.ndarray:
        """Return the spectra of labels.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_labels), DataFrame, Table or QTable
            Columns with names may come in any order.

        Returns
        -------
        flux : ndarray of shape (n_samples, n_pixels) or (n_samples,)
            In the precision of the labels. Each row is computed independently of the others.

        Raises
        ------
        NotFittedError
            If `fit` was not called.
        ValueError
            If labels are missing, too many or not finite.

        Warns
        -----
        LabelExtrapolationWarning
            If a label leaves `label_range_`.
        """
        flux = self._evaluate(X, "forward")
        return flux[:, 0] if self._one_dimensional else flux

    def jacobian(self, X: Any) -> np.ndarray:
        """Return the exact derivatives of the spectra with respect to the labels.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_labels), DataFrame, Table or QTable
            Columns with names may come in any order.

        Returns
        -------
        jacobian : ndarray of shape (n_samples, n_pixels, n_labels)
            Flux per unit of each label (per K for ``teff``).

        Raises
        ------
        NotFittedError
            If `fit` was not called.
        ValueError
            As `predict` does.

        Warns
        -----
        LabelExtrapolationWarning
            If a label leaves `label_range_`.
        """
        return self._evaluate(X, "jacobian")

    def as_model(self) -> EmulatorModel:
        """Return the emulator as a model of few coefficients, for a translator to build on.

        Returns
        -------
        model : EmulatorModel
            Has methods `mapped` and `through`, see :doc:`/user/labels`.

        Raises
        ------
        NotFittedError
            If `fit` was not called.
        """
        check_is_fitted(self)
        return EmulatorModel.of(self.net_.module_)

    def score(self, X: Any, y: Any) -> float:
        """Return the share of the spectra's variance that the emulator explains.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_labels), DataFrame, Table or QTable
            The labels.
        y : Spectra, specutils object, list of them, or array-like of shape (n_samples, n_pixels)
            The spectra to compare with.

        Returns
        -------
        score : float
            1 for perfect spectra, 0 for the mean spectrum of `y`; every pixel of every spectrum
            weighted by its ivar.

        Raises
        ------
        NotFittedError
            If `fit` was not called.
        GridMismatchError
            If `y` isn't on the grid of the fit.
        """
        check_is_fitted(self)
        spectra = read_spectra(y)
        check_grid(spectra, self.components_.shape[1], self.wavelength_)
        flux, weights = spectra.filled().astype(float), spectra.ivar.astype(float)
        total = np.where(weights.sum(0) > 0, weights.sum(0), 1.0)
        mean = (weights * flux).sum(0) / total
        emulated = self.predict(X).reshape(flux.shape)
        left = (weights * np.nan_to_num(flux - emulated) ** 2).sum()
        spread = (weights * (flux - mean) ** 2).sum()
        return float(1 - left / spread) if spread > 0 else float(left == 0)

    @property
    def components_(self) -> np.ndarray:
        """Components of shape (1 + n_components, n_pixels): a copy, mean spectrum first."""
        check_is_fitted(self)
        return self.net_.module_.components.numpy().copy()

    def _read_training(
        self, X: Any, y: Any, sample_weight: Any
    ) -> tuple[np.ndarray, Spectra, np.ndarray]:
        """Check labels and spectra, and set the attributes that describe them."""
        labels, spectra, weights = read_training(X, y, sample_weight)
        names = named_columns(X)
        self.label_names_ = names or number_labels(labels)
        if names is not None:
            self.feature_names_in_ = np.array(names, dtype=object)
        elif hasattr(self, "feature_names_in_"):
            del self.feature_names_in_
        self._label_units = column_units(X)
        self.n_features_in_ = labels.shape[1]
        self.label_range_ = np.array([labels.min(0), labels.max(0)], dtype=float)
        self.wavelength_, self.medium_ = spectra.wavelength, spectra.medium
        self.unit_ = spectra.unit
        self._one_dimensional = kind_of(y) == "array" and np.asarray(y).ndim == 1
        return labels, spectra, weights

    @plain_torch()
    def _evaluate(self, X: Any, method: str) -> np.ndarray:
        """Call a method of the torch module on labels, in batches of one fixed size."""
        check_is_fitted(self)
        names = self.label_names_ if hasattr(self, "feature_names_in_") else None
        labels = label_array(X, names, self._label_units)
        if labels.shape[1] != self.n_features_in_:
            raise ValueError(
                f"X has {labels.shape[1]} features, but {type(self).__name__} is expecting "
                f"{self.n_features_in_} features as input: one column per label, "
                f"{', '.join(self.label_names_)}; select these in this order."
            )
        warn_outside(labels, self.label_range_, self.label_names_)
        function: Callable[[torch.Tensor], torch.Tensor] = getattr(self.net_.module_, method)
        rows = torch.from_numpy(labels.astype(float))
        result = map_padded(function, rows, batch_size=PREDICT_ROWS)
        return result.numpy().astype(labels.dtype, copy=False)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        tags.target_tags.single_output = True
        return tags
