"""`ParameterFitter`: observed spectra in, stellar labels with errors out."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from astropy.table import QTable, Table
from sklearn.base import BaseEstimator, RegressorMixin, clone
from sklearn.exceptions import NotFittedError
from sklearn.utils.validation import check_is_fitted

from spectragan.emulator.estimator import SpectrumEmulator
from spectragan.files.saving import SaveMixin
from spectragan.fitting.errors import LabelErrors, calibrate, hold_out, translation_covariance
from spectragan.fitting.found import LabelFit, join_fits
from spectragan.fitting.machine import FitterMachine, state_of_parts
from spectragan.fitting.parameters import (
    KEPT,
    LEFT_OUT,
    RULES,
    check_nuisances,
    is_same,
    read_labels,
)
from spectragan.fitting.parts import members_of, thaw
from spectragan.fitting.results import (
    log_probability,
    make_table,
    taken_apart,
    unit_cube_to_prior,
)
from spectragan.fitting.stream import FitStream
from spectragan.label_checks import check_same_stars
from spectragan.labels import (
    check_not_swapped,
    named_columns,
    score_labels,
    with_names,
)
from spectragan.rules import check_all
from spectragan.spectra import Spectra, like_input, validate_spectra
from spectragan.spectra.convert import kind_of
from spectragan.spectra.inputs import check_unit
from spectragan.training.dask_rows import check_left_to_dask, gather_spectra, map_spectra, one_row
from spectragan.training.streaming import holds_dask, write_results
from spectragan.translator.observed import check_grids, check_is_emulator, is_fitted


class ParameterFitter(SaveMixin, RegressorMixin, BaseEstimator):
    r"""Fit stellar labels to observed spectra, thousands at a time, with their errors.

    Every spectrum is compared with the emulator's, translated if there is a translator, and the
    labels of the least chi square are found: from blind starts, by a batched Levenberg-Marquardt
    method with exact derivatives through emulator and translator.

    Parameters
    ----------
    emulator : SpectrumEmulator or other emulator, default=None
        Labels to spectra. A fitted one is used as it is (``clone`` forgets a fit unless it is
        wrapped in `sklearn.frozen.FrozenEstimator`); an unfitted one, or None for the default, is
        trained by ``fit(spectra, labels)``. Any object with ``predict(labels)``,
        ``jacobian(labels)``, ``label_names_``, ``label_range_`` and ``wavelength_`` will do.
    translator : translator, default=None
        Fitted; makes the emulator's spectra look observed. Of a `TranslatorEnsemble` the first
        member does; what the others find is an error of the labels, in ``translation_covariance_``.
    nuisances : sequence of {"velocity", "broadening", "continuum"}, default=()
        Fitted along with the labels: a radial velocity (km/s, relativistic, positive to the red),
        the standard deviation of a Gaussian broadening (km/s), and a polynomial that multiplies
        the model.
    continuum_degree : int, default=3
        Of that polynomial.
    chunks : list of (float, float), (Quantity, Quantity) or slice, default=None
        Ranges that have a polynomial each, for example detectors, as those of
        `ContinuumNormalizer`. Pixels outside all are left out. None is one for all pixels.
    bounds : dict of str to (low, high), default=None
        Of labels and nuisances, as numbers or Quantities; by default the emulator's range, -100 to
        100 km/s for velocity and 0 to 50 km/s for broadening. Pixels within that reach of the ends
        are left out. Two equal bounds hold a label: errors of the others are then conditional.
    priors : dict of str to (mean, standard deviation), default=None
        Gaussian priors on labels and nuisances, as numbers or Quantities; none by default. Arrays
        hold one for each star of `predict` and the like, NaN where it has none; `fit` leaves such
        priors out.
    noise_correlation : float, sequence of float, "auto" or None, default="auto"
        Correlations of the noise of pixels 1, 2, ... apart, or the standard deviation in pixels of
        a Gaussian that has smoothed it. "auto" is none, or what `fit` finds in residuals.
    split : {"fit", "encode"}, default="fit"
        A translator's split latents are each star's own: fitted, with the distribution of the
        observed spectra as prior, or taken from the translator's encoder and held.
    err_inflation : float or "auto", default="auto"
        Factor on formal errors, a prior's share included, since no model is exact; "auto" is 1,
        or what `fit` learns.
    n_starts, max_steps : int, default=3, 50
        Starts, at most, for a spectrum that fits badly, and steps of its fit.
    chunk_size : int, default=512
        Spectra in memory at a time.
    random_state : int, RandomState instance or None, default=None
        Of an emulator that is trained here.
    verbose : int, default=1
        0 shows no progress bar.

    Attributes
    ----------
    emulator_ : object
        The fitted emulator.
    noise_correlation_ : ndarray of shape (n_distances,)
        Of the noise of pixels 1, 2, ... apart; empty where there is none.
    err_inflation_ : ndarray of shape (n_labels,)
        What the errors of labels are multiplied by.
    translation_covariance_ : ndarray of shape (n_labels, n_labels) or None
        Added to the formal covariance of every star before it is inflated.
    parameter_names_ : tuple of str
        All fitted parameters: labels, the translator's split latents, velocity and broadening.
    label_names_ : tuple of str
        Labels in the order of the columns.
    label_range_ : ndarray of shape (2, n_labels)
        Of the emulator.
    n_features_in_ : int
        Number of pixels.
    wavelength_ : Quantity of shape (n_pixels,) or None
        The grid, in Angstrom.

    See Also
    --------
    StarNetRegressor : Labels by a convolutional network, without a model of the spectrum.
    ObservedEmulator : The model spectra of given labels.

    Notes
    -----
    What is minimised, with :math:`f` the translated emulator, :math:`w` the inverse variances and
    :math:`a` a continuum that is solved for at each step [2]_, is

    .. math:: \chi^2(\theta) = \sum_j w_j \left(y_j - f_j(\theta) \sum_k a_k T_k(\lambda_j)
              \right)^2 + (\theta - \mu)^T P (\theta - \mu).

    Starts are the best of some thousand models, compared in their leading components; a spectrum
    that fits badly is started again elsewhere. Where the noise of a spectrum isn't known, all its
    good pixels weigh the same and errors are scaled by its residuals: an assumption. The Payne
    [1]_ fits the same model one star at a time.

    References
    ----------
    .. [1] Ting, Y.-S. et al. 2019, ApJ 879, 69 (The Payne).
    .. [2] Golub, G. & Pereyra, V. 2003, Inverse Problems 19, R1.

    Examples
    --------
    >>> from spectragan import ParameterFitter, SpectrumEmulator
    >>> from spectragan.datasets import make_mock_domains
    >>> mock = make_mock_domains(200, 50, n_pixels=100, random_state=0)
    >>> emulator = SpectrumEmulator(verbose=0).fit(mock.labels_synthetic, mock.synthetic)
    >>> fitter = ParameterFitter(emulator)
    >>> labels, errors = fitter.predict(mock.observed, return_std=True)
    >>> labels.shape, errors.shape
    ((50, 3), (50, 3))
    """

    _rules, _kept, _left_out = RULES, KEPT, LEFT_OUT

    def __init__(
        self,
        emulator: Any = None,
        translator: Any = None,
        *,
        nuisances: Sequence[str] = (),
        continuum_degree: int = 3,
        chunks: list | None = None,
        bounds: Mapping[str, Any] | None = None,
        priors: Mapping[str, Any] | None = None,
        noise_correlation: Any = "auto",
        split: str = "fit",
        err_inflation: float | str = "auto",
        n_starts: int = 3,
        max_steps: int = 50,
        chunk_size: int = 512,
        random_state: int | np.random.RandomState | None = None,
        verbose: int = 1,
    ) -> None:
        self.emulator = emulator
        self.translator = translator
        self.nuisances = nuisances
        self.continuum_degree = continuum_degree
        self.chunks = chunks
        self.bounds = bounds
        self.priors = priors
        self.noise_correlation = noise_correlation
        self.split = split
        self.err_inflation = err_inflation
        self.n_starts = n_starts
        self.max_steps = max_steps
        self.chunk_size = chunk_size
        self.random_state = random_state
        self.verbose = verbose

    def fit(
        self, X: Any = None, y: Any = None, *, label_names: Sequence[str] | None = None
    ) -> "ParameterFitter":
        """Train the emulator if it isn't, and learn how far errors are from the truth.

        Parameters
        ----------
        X : spectra of shape (n_spectra, n_pixels), default=None
            With an unfitted emulator: the spectra to train it on. With a fitted one: observed
            spectra that neither emulator nor translator were trained on; their fits give
            ``err_inflation_``.
        y : array-like, DataFrame or Table of shape (n_spectra, n_labels), default=None
            Their labels. With a fitted emulator they may be left out: then errors are inflated by
            as much as the residuals say. An error along the labels leaves no residual, so with
            labels the inflation is the better one.
        label_names : sequence of str, default=None
            Names of the columns of an array of labels, and what to take of a table.

        Returns
        -------
        self : ParameterFitter
            Fitted.

        Raises
        ------
        GridMismatchError
            If emulator, translator and spectra aren't on one grid.
        ValueError
            If a parameter breaks its rule, or fewer than 10 spectra could be fitted, or labels and
            spectra changed places.
        """
        check_nuisances(self.nuisances)
        check_all(vars(self), self._rules)
        check_not_swapped(y, X, "fit(spectra, labels)")
        y = with_names(y, label_names)
        emulator = thaw(self.emulator)
        if emulator is not None:
            check_is_emulator(emulator)
        self._check_translator()
        if not is_fitted(emulator):
            self._train(X, y, emulator)
            return self
        fresh = self._with()  # what was fitted before stays as it is if anything fails
        fresh._adopt(emulator)
        spectra = None if X is None else validate_spectra(fresh, X, reset=False)
        if spectra is not None:
            fresh._built = fresh._built.with_noise_of(spectra)
            fresh._fitted_parameters = fresh._built.parameters
        fresh._compare_members(spectra)
        if spectra is not None:
            labels = None if y is None else read_labels(y, len(spectra), fresh._names, fresh._units)
            check_same_stars(X, y, ("X", "y"))
            if self.err_inflation == "auto":
                fresh.err_inflation_ = fresh._calibrate(spectra, labels)
        self.__dict__.update(fresh.__dict__)
        return self

    def predict(
        self,
        X: Any,
        return_std: bool = False,
        return_cov: bool = False,
        *,
        priors: Mapping[str, Any] | None = None,
        out: Any = None,
    ) -> Any:
        """Fit labels to spectra.

        Parameters
        ----------
        X : spectra of shape (n_spectra, n_pixels)
            Observed. They are read in chunks: arrays and `LazySpectra` may be larger than the
            memory. Dask arrays, and lazy spectra over such, give dask arrays.
        return_std, return_cov : bool, default=False
            Also return standard errors, or covariances.
        priors : dict of str to (mean, standard deviation), default=None
            Gaussian priors on labels and nuisances that hold for these spectra beside, or instead
            of, those of the fitter: arrays of one value for each, or numbers for all. NaN and
            infinite ones are no prior for that star.
        out : array or data set like labels, or tuple of as many as there are results, default=None
            Where to write the results, float32 or float64.

        Returns
        -------
        labels : ndarray of shape (n_spectra, n_labels), or (n_spectra,) if fitted to such; or `out`
            NaN where a spectrum has no more good pixels than there are parameters, or none of
            its models is finite; `fit_table` tells why.
        std : ndarray like labels
            Only if asked for; 68 % of true labels are to lie within it.
        covariance : ndarray of shape (n_spectra, n_labels, n_labels)
            Only if asked for.

        Raises
        ------
        NotFittedError
            If the emulator isn't fitted.
        GridMismatchError
            If `X` isn't on the emulator's grid.
        ValueError
            If both errors are asked for, `out` or `priors` don't fit, or a parameter breaks its
            rule.

        Warns
        -----
        FitQualityWarning
            Once, if many of the labels can't be right: at a bound, of spectra that aren't scaled
            as the emulator's, whose chi squares are no chance, or whose noise is correlated.
            Results that are dask's come without it.
        """
        if return_std and return_cov:
            raise ValueError(
                "`return_std` and `return_cov` must not both be True; got both; the diagonal of "
                "the covariance holds the squares of the other."
            )
        results = self._ready()._results(X, return_std, return_cov, priors, out)
        return results if return_std or return_cov else results[0]

    def fit_table(self, X: Any, *, priors: Mapping[str, Any] | None = None) -> QTable:
        """Fit labels to spectra, and tell all about the fits.

        Parameters
        ----------
        X : spectra of shape (n_spectra, n_pixels)
            Observed.
        priors : dict of str to (mean, standard deviation), default=None
            See `predict`.

        Returns
        -------
        table : QTable
            A row per spectrum: every label, velocity and broadening with its ``_err`` and unit;
            ``chi2`` (in units of weights where errors are unknown), ``dof``, ``n_iterations``,
            ``status`` ("converged", "not converged", "too few pixels", "not finite"), and flags:
            ``at_bound``, ``degenerate`` (the spectrum says nothing about a label: its error is that
            of any value within its bounds), ``outside_hull`` of the labels that the emulator was
            trained on, and ``bad_chi2`` (5 standard deviations from what chance gives, either way;
            where errors are unknown, above 9 times the median), ``ambiguous`` (labels far from
            these fit as well) and ``binary`` (a second star at another velocity improves the fit by
            6 standard deviations). Columns of ``meta`` come first,
            such as the stars' names. ``table.write("labels.ecsv")`` and FITS keep units.

        Raises
        ------
        NotFittedError
            If the emulator isn't fitted.
        GridMismatchError
            If `X` isn't on the emulator's grid.

        Warns
        -----
        FitQualityWarning
            As `predict` does.
        LabelUnitWarning
            If a label can't be in the unit that its name stands for.
        """
        ready = self._ready()
        stars = ready._priors_of(X, priors)
        if holds_dask(X):
            ready._validate(one_row(X))
            fits = gather_spectra(ready, "_fit_block", X, by_row=stars)
            return make_table(join_fits(fits), ready._machine, ready._units)
        stream = ready._stream(stars, examines=True)
        meta, fits = zip(*((spectra.meta, fit) for spectra, fit in stream.over(X)), strict=True)
        stream.warn()
        return make_table(join_fits(list(fits)), ready._machine, ready._units, list(meta))

    def best_model(self, X: Any, *, priors: Mapping[str, Any] | None = None) -> Any:
        """Return the best-fitting model of every spectrum.

        Parameters
        ----------
        X : spectra of shape (n_spectra, n_pixels)
            Observed.
        priors : dict of str to (mean, standard deviation), default=None
            See `predict`.

        Returns
        -------
        models : like X
            Nuisances applied, noise "exact"; masked where nothing could be fitted, and where the
            emulator has no flux.

        Raises
        ------
        NotFittedError
            If the emulator isn't fitted.
        GridMismatchError
            If `X` isn't on the emulator's grid.
        """
        ready = self._ready()
        stream = ready._stream(ready._priors_of(X, priors), looks=False)
        return like_input(stream.models(X), X)

    def log_prob(self, theta: Any, X: Any, include_prior: bool = True) -> np.ndarray:
        r"""Return the logarithm of the posterior probability, up to a constant.

        Parameters
        ----------
        theta : array-like of shape (n, n_parameters) or (n_parameters,)
            In the order of `parameter_names_`.
        X : spectra of shape (1, n_pixels) or (n, n_pixels)
            One spectrum for all parameters, or one for each.
        include_prior : bool, default=True
            False gives the likelihood, which nested samplers want beside `prior_transform`.

        Returns
        -------
        log_prob : ndarray of shape (n,) or float
            :math:`-\chi^2 / 2 f^2` with :math:`f` the median of ``err_inflation_``, or, where
            errors are unknown, :math:`-\frac{n}{2}\ln\chi^2` (their size integrated out); plus the
            prior. Minus infinity outside the bounds.

        Raises
        ------
        ValueError
            If shapes don't agree.
        """
        ready = self._ready()
        spectra, stars = ready._validate(X), ready._priors_of(X)
        inflation = ready._errors.typical
        return log_probability(ready._machine, theta, spectra, inflation, include_prior, stars)

    def prior_transform(self, u: Any) -> np.ndarray:
        """Return the parameters at quantiles of the prior, as nested samplers need them.

        Parameters
        ----------
        u : array-like of shape (n, n_parameters) or (n_parameters,)
            Between 0 and 1.

        Returns
        -------
        theta : ndarray like u
            Even within the bounds, or Gaussian and cut there, where there is a prior.

        Raises
        ------
        ValueError
            If `u` has another shape or leaves 0 to 1, or each of several stars has priors.
        """
        ready = self._ready()
        stars = ready._priors_of(None)
        return unit_cube_to_prior(ready._machine, ready._machine.prior_of(stars).of(0), u)

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Return the share of the labels' variance that the fits explain.

        Parameters
        ----------
        X : spectra of shape (n_spectra, n_pixels)
            Observed.
        y : array-like, DataFrame or Table of shape (n_spectra, n_labels)
            Columns with names may come in any order.
        sample_weight : array-like of shape (n_spectra,), default=None
            How much each spectrum counts.

        Returns
        -------
        score : float
            The mean over labels of R squared.
        """
        ready = self._ready()
        labels = ready.predict(X)
        truth = read_labels(y, len(labels), ready._names, ready._units)
        return score_labels(truth, labels.reshape(truth.shape), sample_weight)

    @property
    def label_names_(self) -> tuple[str, ...]:
        """Labels in the order of the columns."""
        return self._ready()._names

    @property
    def label_range_(self) -> np.ndarray:
        """Lowest and highest label of the emulator, of shape (2, n_labels)."""
        return self._ready()._range

    @property
    def noise_correlation_(self) -> np.ndarray:
        """Correlations of the noise of pixels 1, 2, ... apart."""
        return self._ready()._machine.fitter.correlation

    @property
    def parameter_names_(self) -> tuple[str, ...]:
        """Names of all fitted parameters, in the order of `log_prob`."""
        return self._ready()._machine.names

    @property
    def _machine(self) -> FitterMachine:
        if not hasattr(self, "_built"):  # after unpickling
            self._built = FitterMachine(self.emulator_, self._fitted_parameters)
        return self._built

    @property
    def _units(self) -> dict[str, Any]:
        """Units of labels, where the emulator knows them."""
        return getattr(self.emulator_, "_label_units", {})

    def _check_translator(self) -> None:
        """Raise unless the translator is fitted: cross-validation clones it, and forgets fits."""
        if isinstance(self.translator, BaseEstimator) and not is_fitted(thaw(self.translator)):
            raise NotFittedError(
                f"`translator` must be fitted; got an unfitted {type(self.translator).__name__}; "
                "fit it, and where scikit-learn clones it, as in cross-validation, wrap emulator "
                "and translator in sklearn.frozen.FrozenEstimator."
            )

    def _train(self, X: Any, y: Any, emulator: Any) -> None:
        """Train the emulator, after a part of it has told how far errors are from the truth."""
        spectra = validate_spectra(self, X, reset=True)
        labels, columns = read_labels(y, len(spectra)), named_columns(y)
        check_same_stars(X, y, ("X", "y"))
        if emulator is None:
            emulator = SpectrumEmulator(random_state=self.random_state, verbose=self.verbose)
        base, factors = clone(emulator), np.ones(labels.shape[1])
        everything, known = spectra, np.isfinite(labels).all(axis=1)
        spectra, labels = (spectra, labels) if known.all() else (spectra[known], labels[known])
        rows = hold_out(len(spectra), self.random_state)
        # Through a translator, spectra of the training's domain say nothing about the errors.
        if self.err_inflation == "auto" and rows is not None and self.translator is None:
            some = labels[~rows] if columns is None else Table(labels[~rows], names=columns)
            part = self._with(emulator=clone(base).fit(some, spectra[~rows])).fit()
            factors = part._calibrate(spectra[rows], labels[rows])
        single = columns is None and np.asarray(y).ndim == 1
        self._adopt(base.fit(np.asarray(y).reshape(-1, 1) if single else y, everything))
        self._one_dimensional = single
        self._compare_members(None)
        if self.err_inflation == "auto":
            self.err_inflation_ = factors

    def _adopt(self, emulator: Any) -> None:
        """Set what follows from a fitted emulator."""
        if self.translator is not None:
            check_grids(emulator, thaw(self.translator))
        built = FitterMachine(emulator, self.get_params(deep=False))
        self.emulator_: Any = emulator
        self._names, self._range = built.labels, built.label_range
        self.wavelength_ = getattr(emulator, "wavelength_", None)
        self.medium_ = getattr(emulator, "medium_", None)
        self.n_features_in_ = len(built.model.usable)
        self._one_dimensional = False
        factor = 1.0 if self.err_inflation == "auto" else float(self.err_inflation)
        self.err_inflation_ = np.full(len(self._names), factor)
        self._built = built
        self.translation_covariance_: np.ndarray | None = None
        # What an unpickled fitter is built from again, whatever its parameters are then.
        self._fitted_parameters: dict[str, Any] = built.parameters

    def _compare_members(self, spectra: Spectra | None) -> None:
        """Set the error of the translation, which only an ensemble's members tell."""
        if len(members_of(self.translator)) > 1:
            self.translation_covariance_ = translation_covariance(
                self.emulator_, self._fitted_parameters, spectra
            )

    def _calibrate(self, spectra: Spectra, labels: np.ndarray | None) -> np.ndarray:
        """Return the factors that make errors large enough for spectra not trained on."""
        if labels is None and self.translation_covariance_ is not None:
            return np.ones(len(self._names))  # residuals show its error a second time
        return calibrate(self._machine, self._stream(looks=False).over(spectra), labels)

    def _results(
        self, X: Any, std: bool, covariance: bool, priors: Mapping[str, Any] | None, out: Any
    ) -> tuple[Any, ...]:
        """Return labels, and errors where they are wanted, or `out`."""
        n, stars = len(self._names), self._priors_of(X, priors)
        wanted: dict[str, Any] = {"std": std, "covariance": covariance}
        if holds_dask(X):
            check_left_to_dask(out=out)
            self._validate(one_row(X))
            n_columns, dtype = n + n * std + n * n * covariance, np.dtype(float)
            rows = map_spectra(
                self, "_columns", X, n_columns, dtype, by_row=stars, **wanted, quiet=True
            )
            return taken_apart(rows, n, self._one_dimensional, **wanted)
        label = () if self._one_dimensional else (n,)
        shapes = (label, (n, n) if covariance else label)[: 1 + (std or covariance)]
        single = self._one_dimensional
        return write_results(
            *(out, X, shapes),
            lambda: taken_apart(self._columns(X, stars, **wanted), n, single, **wanted),
        )

    def _columns(
        self,
        X: Any,
        stars: np.ndarray | None = None,
        *,
        std: bool,
        covariance: bool,
        quiet: bool = False,
    ) -> np.ndarray:
        """Return labels and what is wanted of errors side by side, little of each spectrum."""
        # Blocks of dask's are parts of one prediction: none can speak for all.
        stream = self._stream(stars, looks=not quiet, quiet=quiet)
        return stream.columns(X, len(self._names), std, covariance)

    def _fit_block(self, spectra: Spectra, stars: np.ndarray | None = None) -> LabelFit:
        stream = self._stream(stars, looks=False, quiet=True, examines=True)
        return join_fits([fit for _, fit in stream.over(spectra)])

    def _stream(
        self, stars: np.ndarray | None = None, *, quiet: bool = False, **wanted: Any
    ) -> FitStream:
        what = self._machine, self._validate, self._errors, self.chunk_size
        return FitStream(*what, bool(self.verbose) and not quiet, stars=stars, **wanted)

    @property
    def _errors(self) -> LabelErrors:
        added = getattr(self, "translation_covariance_", None)  # older pickles have none
        return LabelErrors(self.err_inflation_, added)

    def _priors_of(self, X: Any, given: Mapping[str, Any] | None = None) -> np.ndarray | None:
        """Return the priors of each star of X, or None if no star has its own."""
        return self._machine.priors_of_stars(self._fitted_parameters["priors"], given, X)

    def _ready(self) -> "ParameterFitter":
        """Return this fitter if it is fitted, or one that took over a fitted emulator."""
        if hasattr(self, "emulator_"):
            return self
        if not is_fitted(thaw(self.emulator)):
            check_is_fitted(self)
        words, parts = state_of_parts(self.get_params(deep=False))
        kept_words, kept_parts, kept = getattr(self, "_prepared", ("", [], None))
        same = len(parts) == len(kept_parts) and all(map(is_same, parts, kept_parts))
        if kept is None or not same or words != kept_words:
            kept = self._with().fit()
            self._prepared = words, parts, kept
        return kept

    def _validate(self, X: Any) -> Spectra:
        """Return spectra on the emulator's grid; those that have a unit of flux have its unit."""
        spectra = validate_spectra(self, X, reset=False)
        unit = getattr(self.emulator_, "unit_", None)
        if unit is not None and kind_of(X) != "array":
            check_unit(spectra, unit, "the emulator")
        return spectra

    def _with(self, **changes: Any) -> "ParameterFitter":
        return type(self)(**{**self.get_params(deep=False), **changes})

    def __getstate__(self) -> dict[str, Any]:
        state = dict(super().__getstate__())  # not the fitter's own
        # Holds functions, and is quickly built again. What was learned is kept in `_prepared`, too:
        # a pool of processes pickles the fitter for every likelihood.
        state.pop("_built", None)
        return state

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "emulator_")

    def __sklearn_tags__(self) -> Any:
        """Say that several labels, and NaN in spectra, are fine."""
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        # Maximum likelihood isn't drawn to the mean of the training set, as a regression is.
        tags.regressor_tags.poor_score = True
        tags.input_tags.allow_nan = True
        return tags
