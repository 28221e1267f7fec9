"""`ParameterFitter`: observed spectra in, stellar labels with errors out."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from astropy.table import QTable

from spectragan.estimators.dask_rows import holds_dask
from spectragan.estimators.fitter_base import BaseFitter, read_labels
from spectragan.estimators.fitter_model import thaw
from spectragan.estimators.fitter_parameters import check_parameters
from spectragan.estimators.fitter_posterior import log_probability, unit_cube_to_prior
from spectragan.estimators.fitter_stream import gather_fits, predict_labels
from spectragan.estimators.fitter_table import make_table
from spectragan.estimators.fitter_translation import translation_covariance
from spectragan.estimators.observed import is_fitted
from spectragan.spectra import as_spectra, like_input, validate_spectra
from spectragan.training.label_fit import join_fits


class ParameterFitter(BaseFitter):
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
    bounds : dict of str to (low, high), default=None
        Of labels and nuisances; by default the emulator's range, -100 to 100 km/s for velocity
        and 0 to 50 km/s for broadening. Pixels within that reach of the ends are left out.
    priors : dict of str to (mean, standard deviation), default=None
        Gaussian priors on labels and nuisances; none by default.
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

    def __init__(
        self,
        emulator: Any = None,
        translator: Any = None,
        *,
        nuisances: Sequence[str] = (),
        continuum_degree: int = 3,
        bounds: Mapping[str, Any] | None = None,
        priors: Mapping[str, Any] | None = None,
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
        self.bounds = bounds
        self.priors = priors
        self.split = split
        self.err_inflation = err_inflation
        self.n_starts = n_starts
        self.max_steps = max_steps
        self.chunk_size = chunk_size
        self.random_state = random_state
        self.verbose = verbose

    def fit(self, X: Any = None, y: Any = None) -> "ParameterFitter":
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

        Returns
        -------
        self : ParameterFitter
            Fitted.

        Raises
        ------
        GridMismatchError
            If emulator, translator and spectra aren't on one grid.
        ValueError
            If a parameter breaks its rule, or fewer than 10 spectra could be fitted.
        """
        check_parameters(self)
        emulator = thaw(self.emulator)
        if not is_fitted(emulator):
            self._train(X, y, emulator)
            return self
        fresh = self._with()
        fresh._adopt(emulator)
        factors, spectra = fresh.err_inflation_, None
        if X is not None:
            spectra = validate_spectra(fresh, X, reset=False)
        fresh.translation_covariance_ = found = translation_covariance(fresh, emulator, spectra)
        if spectra is not None:
            labels = None if y is None else read_labels(y, len(spectra), fresh._names, fresh._units)
            if self.err_inflation == "auto":
                factors = fresh._calibrate(spectra, labels)
        self._adopt(emulator)
        self.translation_covariance_ = found
        self.err_inflation_ = factors
        return self

    def predict(
        self, X: Any, return_std: bool = False, return_cov: bool = False, *, out: Any = None
    ) -> Any:
        """Fit labels to spectra.

        Parameters
        ----------
        X : spectra of shape (n_spectra, n_pixels)
            Observed. They are read in chunks: arrays and `LazySpectra` may be larger than the
            memory. Dask arrays, and lazy spectra over such, give dask arrays.
        return_std, return_cov : bool, default=False
            Also return standard errors, or covariances.
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
            If both errors are asked for, `out` doesn't fit, or a parameter breaks its rule.
        """
        if return_std and return_cov:
            raise ValueError(
                "`return_std` and `return_cov` must not both be True; got both; the diagonal of "
                "the covariance holds the squares of the other."
            )
        results = predict_labels(self._ready(), X, return_std, return_cov, out)
        return results if return_std or return_cov else results[0]

    def fit_table(self, X: Any) -> QTable:
        """Fit labels to spectra, and tell all about the fits.

        Parameters
        ----------
        X : spectra of shape (n_spectra, n_pixels)
            Observed.

        Returns
        -------
        table : QTable
            A row per spectrum: every label, velocity and broadening with its ``_err`` and unit;
            ``chi2`` (in units of weights where errors are unknown), ``dof``, ``n_iterations``,
            ``status`` ("converged", "not converged", "too few pixels", "not finite"), and flags:
            ``at_bound``, ``outside_hull`` of the labels that the emulator was trained on, and
            ``bad_chi2`` (above 3 per degree of freedom; where errors are unknown, above 9 times
            the median). ``table.write("labels.ecsv")`` and FITS keep units.

        Raises
        ------
        NotFittedError
            If the emulator isn't fitted.
        GridMismatchError
            If `X` isn't on the emulator's grid.
        """
        ready = self._ready()
        fits = gather_fits(ready, X) if holds_dask(X) else [part for _, part in ready._fits(X)]
        return make_table(join_fits(fits), ready._machine, ready._units)

    def best_model(self, X: Any) -> Any:
        """Return the best-fitting model of every spectrum.

        Parameters
        ----------
        X : spectra of shape (n_spectra, n_pixels)
            Observed.

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
        models, weights, parts = [], [], []
        for spectra, fit in ready._fits(X):
            flux, good = ready._machine.models(spectra, fit)
            models.append(flux)
            weights.append(good)
            parts.append(spectra)
        everything = as_spectra(X) if len(parts) > 1 else parts[0]
        dtype = everything.dtype
        result = everything.with_flux(
            np.concatenate(models).astype(dtype), np.concatenate(weights).astype(dtype), "exact"
        )
        return like_input(result, X)

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
        spectra = validate_spectra(ready, X, reset=False)
        ready._check_unit(spectra, X)
        inflation = ready._typical_inflation()
        return log_probability(ready._machine, theta, spectra, inflation, include_prior)

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
            If `u` has another shape or leaves 0 to 1.
        """
        return unit_cube_to_prior(self._ready()._machine, u)
