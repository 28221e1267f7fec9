"""`StarNetRegressor`: spectrum in, labels and their uncertainty out."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.utils.validation import check_is_fitted

from spectragan.files.saving import SaveMixin
from spectragan.label_checks import check_same_length, check_same_stars, from_rows
from spectragan.labels import (
    LABELS,
    check_not_swapped,
    column_units,
    named_columns,
    number_labels,
    score_labels,
    target_labels,
    with_names,
)
from spectragan.rules import NONE, VERBOSE, Rules, check_all, count, counts, number, pair
from spectragan.spectra import Spectra, validate_spectra
from spectragan.spectra.inputs import GRID, check_unit
from spectragan.spectra.lazy import has_good_pixel
from spectragan.starnet.inputs import (
    LabelTargets,
    check_enough,
    fit_scaling,
    held_out_deviation,
    in_memory_if_few,
    label_errors,
    sample_of,
    split_rows,
    training_settings,
    translated,
)
from spectragan.starnet.training import (
    Augmentation,
    augment,
    join_histories,
    predict_ensemble,
    std_factor,
    train_ensemble,
)
from spectragan.training.dask_rows import check_left_to_dask, map_spectra, one_row
from spectragan.training.devices import plain_torch, resolve_device, seeded
from spectragan.training.resuming import open_fit
from spectragan.training.streaming import BATCH_ROWS, holds_dask, row_chunks, write_results
from spectragan.training.weights import star_weights

NO_LABELS = "call fit(spectra, labels)"

GOOD = "the default is a good start"


class StarNetRegressor(SaveMixin, RegressorMixin, BaseEstimator):
    r"""Estimate labels of spectra, and how uncertain they are, with convolutional networks.

    Each network has two convolutions, a max-pool and fully connected layers, and ends in a mean
    and a variance per label. Every batch of training spectra gets new noise and new masked
    pixels, so that spectra of another signal-to-noise ratio, or with other gaps, are no surprise.
    A prediction takes a millisecond per network, no starting values and no emulator.

    Parameters
    ----------
    n_members : int, default=3
        Networks of the ensemble. Time goes with it; errors fall a little, and the spread of the
        members tells stars that are unlike the training spectra.
    filters : sequence of int, default=(4, 16)
        Channels of the convolutions.
    hidden : sequence of int, default=(256, 128)
        Widths of the fully connected layers.
    noise_scale : float, default=1.0
        Training spectra whose errors are known get noise of 0 to so many times these errors.
    snr : (float, float) or None, default=(20.0, 200.0)
        Training spectra without noise ("exact") get noise of a signal-to-noise ratio per pixel
        between these two, relative to their median flux. None adds none: for predicting
        noise-free spectra.
    masked_fraction : float, default=0.2
        In training, 0 to this share of the pixels of a spectrum is masked at random.
    max_epochs : int, default=50
        Passes over the training spectra.
    batch_size : int, default=64
        Spectra per step. With fewer than a thousand spectra, smaller batches or more epochs
        give the networks enough steps to learn.
    learning_rate : float, default=7e-4
        Of Adam; it falls to 0 along a cosine.
    validation_fraction : float, default=0.1
        Share of the spectra that is held out to stop early, to keep the best epoch and to scale
        the predicted uncertainties.
    translator : fitted translator or FrozenEstimator of one, default=None
        Makes the synthetic spectra of the fit look observed; spectra to predict are observed, and
        taken as they are. Where copies are fitted, as in a cross-validation, it must be frozen.
    checkpoint : str or path-like, default=None
        Directory of this fit alone that keeps the state of training, for ``fit(resume=True)``.
    checkpoint_every : int, default=1
        Epochs from one checkpoint to the next; the last two of each network are kept.
    random_state : int, RandomState instance or None, default=None
        An int gives bit-identical networks on one machine.
    device : str, default="auto"
        Where the networks are trained: "auto", "cpu", "cuda" or "mps". Labels are predicted in
        double precision on the CPU.
    verbose : int, default=1
        0 shows no progress bar.

    Attributes
    ----------
    nets_ : list of StarNetNet
        The skorch nets; ``nets_[0].module_`` is a torch module.
    history_ : dict of str to list of float
        ``train_loss`` and ``valid_loss`` per epoch, a pair for each member: from the second on,
        names end in its number, as ``valid_loss_2``.
    label_names_ : tuple of str
        Column names of the fit; ``label_0``, ``label_1``, ... for arrays.
    label_range_ : ndarray of shape (2, n_labels)
        Lowest and highest labels of the fit.
    std_factor_ : ndarray of shape (n_labels,)
        What predicted standard deviations were multiplied by to contain held-out labels.
    wavelength_ : Quantity of shape (n_pixels,) or None
        In Angstrom; None where the spectra had none.
    medium_ : {"air", "vacuum"} or None
        What the wavelengths were measured in.
    unit_ : astropy unit
        Of the flux.
    n_features_in_ : int
        Number of pixels.
    feature_names_in_ : ndarray of str of shape (n_pixels,)
        Only if the spectra of the fit had column names.

    See Also
    --------
    SpectrumEmulator : The way back, from labels to spectra.

    Notes
    -----
    Layers, batches and learning rate are those of StarNet [1]_. With standardised labels
    :math:`y`, a network of mean :math:`\mu` and variance :math:`\sigma^2` minimises

    .. math:: \left\lfloor \sigma^{2\beta} \right\rfloor \tfrac12 \left[ \log \sigma^2
        + \frac{(y - \mu)^2}{\sigma^2} \right]

    as its successor does [2]_, but for the first factor, a constant with :math:`\beta = 0.5` that
    passes no gradient. The ensemble [3]_ is one mixture, of mean :math:`\bar\mu` and variance
    :math:`\overline{\sigma^2} + \overline{(\mu - \bar\mu)^2}`, times ``std_factor_``, so that 68
    percent of the held-out labels lie within one standard deviation.

    Masked pixels are bridged by straight lines. Each spectrum's errors are used to draw noise
    in training, but aren't given to the network: handed their level, it did no better on
    synthetic spectra of signal-to-noise ratios between 20 and 200.

    References
    ----------
    .. [1] Fabbro, S. et al. 2018, MNRAS 475, 2978 (StarNet).
    .. [2] Bialek, S. et al. 2020, MNRAS 498, 3817.
    .. [3] Lakshminarayanan, B., Pritzel, A. and Blundell, C. 2017, NeurIPS 30.

    Examples
    --------
    >>> import numpy as np
    >>> from spectragan import StarNetRegressor
    >>> rng = np.random.default_rng(0)
    >>> labels = rng.uniform([4000, 1], [7000, 5], size=(300, 2))
    >>> depth = 0.5 * (5000 / labels[:, :1]) ** 2 + 0.05 * labels[:, 1:] * np.linspace(0, 1, 20)
    >>> spectra = 1 - depth * np.exp(-0.5 * np.linspace(-3, 3, 20) ** 2)
    >>> starnet = StarNetRegressor(1, batch_size=16, random_state=0, verbose=0)
    >>> mean, std = starnet.fit(spectra, labels).predict(spectra, return_std=True)
    >>> mean.shape, std.shape
    ((300, 2), (300, 2))
    >>> starnet.score(spectra, labels) > 0.95
    True
    """

    _kept: ClassVar = {
        **GRID,
        **LABELS,
        "_named": "flag",
        "_label_mean": "array l",
        "_label_scale": "array l",
        "_scaling": "PixelScaling p",
        "std_factor_": "array l",
        "history_": "history",
        "nets_": "list:LoadedNet l p",
    }
    _rules: ClassVar[Rules] = {
        **dict.fromkeys(("n_members", "max_epochs", "batch_size"), count(remedy=GOOD)),
        "filters": counts(fewest=1, remedy="use (4, 16) if in doubt"),
        "hidden": counts(fewest=1, remedy="use (256, 128) if in doubt"),
        "noise_scale": number(closed="left", remedy=GOOD),
        "masked_fraction": number(0, 1, closed="left", remedy=GOOD),
        "learning_rate": number(remedy=GOOD),
        "validation_fraction": number(0, 1, remedy=GOOD),
        "snr": NONE
        | pair(
            number(),
            "a pair (lowest, highest) of numbers > 0 in ascending order",
            ascending=True,
            remedy="use the signal-to-noise ratios of the spectra to predict",
        ),
        "verbose": VERBOSE,
    }

    def __init__(
        self,
        n_members: int = 3,
        *,
        filters: Sequence[int] = (4, 16),
        hidden: Sequence[int] = (256, 128),
        noise_scale: float = 1.0,
        snr: tuple[float, float] | None = (20.0, 200.0),
        masked_fraction: float = 0.2,
        max_epochs: int = 50,
        batch_size: int = 64,
        learning_rate: float = 7e-4,
        validation_fraction: float = 0.1,
        translator: Any = None,
        checkpoint: str | Path | None = None,
        checkpoint_every: int = 1,
        random_state: int | np.random.RandomState | None = None,
        device: str = "auto",
        verbose: int = 1,
    ) -> None:
        self.n_members = n_members
        self.filters = filters
        self.hidden = hidden
        self.noise_scale = noise_scale
        self.snr = snr
        self.masked_fraction = masked_fraction
        self.max_epochs = max_epochs
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.validation_fraction = validation_fraction
        self.translator = translator
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
        label_std: Any = None,
        label_names: Sequence[str] | None = None,
        resume: bool = False,
    ) -> "StarNetRegressor":
        """Learn labels as a function of spectra.

        Parameters
        ----------
        X : Spectra, specutils object, list of them, or array-like of shape (n_spectra, n_pixels)
            The spectra. Pixels with ivar 0 are ignored, and so are spectra without a good pixel.
            `LazySpectra` are read page by page.
        y : array-like of shape (n_spectra,) or (n_spectra, n_labels), DataFrame, Table or QTable
            The labels. Where one is NaN, masked, or a code such as -9999, the star teaches its
            other labels.
        sample_weight : array-like of shape (n_spectra,), default=None
            How much each star counts. Stars of weight 0 are left out; a star that comes twice
            counts twice, and is either learned from or held out.
        label_std : array-like of the shape of `y`, DataFrame, Table or QTable, default=None
            Standard deviations of the labels' errors, 0 where they are exact. Labels count the
            less, and predicted uncertainties don't contain these errors.
        label_names : sequence of str, default=None
            Names of the columns of an array of labels, and what to take of a table.
        resume : bool, default=False
            Whether to go on from the newest readable checkpoint, as if training had never
            stopped; without one, training starts anew.

        Returns
        -------
        self : StarNetRegressor
            The fitted regressor.

        Raises
        ------
        CheckpointError
            If `checkpoint` can't be used, or holds checkpoints: of other data or parameters with
            `resume`, any without.
        ValueError
            If labels are infinite, or spectra and labels aren't equally many, or changed places,
            or fewer than 2 spectra with a good pixel have a label, or weights or standard
            deviations are negative, or a parameter is out of its range, or `translator` isn't
            fitted.

        Warns
        -----
        CheckpointWarning
            If a checkpoint can't be written or read; training goes on.
        MissingLabelWarning
            If codes stand where labels aren't known.
        """
        self.__dict__.pop("nets_", None)  # what was fitted before is gone, whatever happens now
        check_all(vars(self), self._rules)
        device = resolve_device(self.device)
        check_not_swapped(y, X, "fit(spectra, labels)")
        if self.translator is not None:
            X = translated(self.translator, X)
        spectra, targets = self._read_training(
            X,
            from_rows(with_names(y, label_names)),
            sample_weight,
            with_names(label_std, label_names),
        )
        labels, rows = targets.labels, targets.rows
        data = {"spectra": spectra, "labels": labels, "label_std": targets.std}
        data["sample_weight"] = targets.weights
        checkpoints = open_fit(self, data, resume=resume)
        some = spectra if len(rows) == len(spectra) else spectra[np.sort(rows)]
        self._scaling = fit_scaling(sample_of(some), self.snr)
        self._label_mean, spread = np.nanmean(labels[rows], 0), np.nanstd(labels[rows], 0)
        self._label_scale = np.where(spread > 0, spread, 1.0)
        standard = targets.standardised(self._label_mean, self._label_scale)
        with seeded(checkpoints.seeds, device) as rng:
            fraction = self.validation_fraction
            train, valid = split_rows(self._scaling, spectra, standard, rows, fraction, rng)
            # Held-out spectra get noise once, and no masks.
            valid.inputs = {"flux": augment(valid.inputs, Augmentation(0.0, self.snr, 0.0))}
            settings = training_settings(self, device)
            nets = train_ensemble(train, valid, self.n_members, settings, checkpoints=checkpoints)
        mean, std = predict_ensemble(nets, valid.inputs["flux"].double())
        deviation = held_out_deviation(valid.targets.double().numpy(), mean, std)
        self.std_factor_ = std_factor(deviation)
        self.history_ = join_histories(nets)
        self.nets_ = nets
        return self

    def predict(self, X: Any, return_std: bool = False, *, out: Any = None) -> Any:
        """Return the labels of spectra.

        Parameters
        ----------
        X : Spectra, specutils object, list of them, or array-like of shape (n_spectra, n_pixels)
            On the grid of the fit. Read in blocks; dask arrays give dask arrays.
        return_std : bool, default=False
            Return standard deviations, too.
        out : array or data set like labels, or a pair with `return_std`, default=None
            Where to write the results, float32 or float64.

        Returns
        -------
        labels : ndarray of shape (n_spectra, n_labels), or (n_spectra,) as in the fit
            In the units of the fit. Each row is computed independently of the others. NaN for
            spectra without a good pixel: nothing is known about them.
        std : ndarray of the same shape
            Standard deviations, only if `return_std`; NaN where the labels are.

        Raises
        ------
        NotFittedError
            If `fit` was not called.
        GridMismatchError
            If `X` isn't on the grid of the fit.
        ValueError
            If `X` has another flux unit, or `out` doesn't fit.
        """
        check_is_fitted(self)
        n_labels = len(self.label_names_)
        if holds_dask(X):
            check_left_to_dask(out=out)
            self._validate(one_row(X), reset=False)
            n_columns, dtype = 2 * n_labels, np.dtype(float)
            results = self._pieces(map_spectra(self, "_predict_block", X, n_columns, dtype))
        else:
            shapes = [() if self._one_dimensional else (n_labels,)] * (1 + return_std)
            results = write_results(
                out, X, shapes, lambda: self._predict_blocks(X)[: 1 + return_std]
            )
        return results if return_std else results[0]

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Return the share of the labels' variance that predictions explain.

        Parameters
        ----------
        X : Spectra, specutils object, list of them, or array-like of shape (n_spectra, n_pixels)
            The spectra.
        y : array-like of shape (n_spectra,) or (n_spectra, n_labels), DataFrame, Table or QTable
            The labels to compare with; named columns may come in any order and convertible units.
        sample_weight : array-like of shape (n_spectra,), default=None
            How much each spectrum counts.

        Returns
        -------
        score : float
            The mean of :math:`R^2` over the labels: 1 is perfect, 0 the mean of `y`.

        Raises
        ------
        NotFittedError
            If `fit` was not called.
        ValueError
            If a label is missing, or a spectrum has no good pixel.
        """
        found = self.predict(X)
        names = self.label_names_ if named_columns(y) is not None and self._named else None
        true = target_labels(y, "StarNetRegressor", NO_LABELS, names, self._label_units)
        if found.size != true.size:
            raise ValueError(
                f"`y` must have the labels of the fit, {', '.join(self.label_names_)}, for each "
                f"spectrum; got shape {true.shape} for {len(found)} spectra; select these."
            )
        return score_labels(true, found.reshape(true.shape), sample_weight)

    def _read_training(
        self, X: Any, y: Any, sample_weight: Any, label_std: Any
    ) -> tuple[Spectra, LabelTargets]:
        """Check spectra and labels, and set the attributes that describe them."""
        spectra = self._validate(X, reset=True)
        labels = target_labels(y, "StarNetRegressor", NO_LABELS, missing=True)
        check_same_length(labels, spectra)
        check_same_stars(X, y, ("X", "y"))
        weights = star_weights(sample_weight, len(labels))
        names = named_columns(y)
        self._named, self._label_units = names is not None, column_units(y)
        self.label_names_ = names or number_labels(labels)
        self._one_dimensional = names is None and np.asarray(y).ndim == 1
        std = label_errors(label_std, labels, self.label_names_, self._label_units)
        usable = has_good_pixel(spectra) & np.isfinite(labels).any(axis=1) & (weights > 0)
        check_enough(usable, labels, self.label_names_)
        if not usable.all():
            spectra, labels, weights = spectra[usable], labels[usable], weights[usable]
            std = None if std is None else std[usable]
        spectra = in_memory_if_few(spectra)
        self.label_range_ = np.array([np.nanmin(labels, axis=0), np.nanmax(labels, axis=0)])
        return spectra, LabelTargets.of(labels, weights, std, spectra)

    def _predict_blocks(self, X: Any) -> tuple[np.ndarray, np.ndarray]:
        parts = (self._validate(part, reset=False) for part in row_chunks(X, BATCH_ROWS))
        return self._pieces(np.concatenate([self._predict_block(part) for part in parts]))

    @plain_torch()
    def _predict_block(self, spectra: Spectra) -> np.ndarray:
        """Return labels and standard deviations side by side."""
        mean, std = predict_ensemble(self.nets_, self._scaling.bridged(spectra))
        labels = mean * self._label_scale + self._label_mean
        both = np.hstack([labels, std * self.std_factor_ * self._label_scale])
        both[~self._scaling.good(spectra).any(axis=1)] = np.nan
        return both

    def _pieces(self, both: Any) -> tuple[Any, Any]:
        """Return labels and standard deviations from what stands side by side."""
        n_labels = len(self.label_names_)
        labels, std = both[:, :n_labels], both[:, n_labels:]
        return (labels[:, 0], std[:, 0]) if self._one_dimensional else (labels, std)

    def _validate(self, X: Any, *, reset: bool) -> Spectra:
        spectra = validate_spectra(self, X, reset=reset)
        if reset:
            self.unit_ = spectra.unit
        check_unit(spectra, self.unit_)
        return spectra

    def __sklearn_is_fitted__(self) -> bool:
        # Reading the spectra sets attributes, too: a fit that failed afterwards is none.
        return hasattr(self, "nets_")

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        tags.target_tags.single_output = True
        tags.input_tags.allow_nan = True
        return tags
