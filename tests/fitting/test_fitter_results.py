"""Tables, probabilities and models of a fit, whatever form spectra and emulator have."""

import pickle

import astropy.units as u
import numpy as np
import pytest
from astropy.table import QTable
from sklearn.base import clone
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import make_pipeline

from spectragan import (
    ContinuumNormalizer,
    LabelUnitWarning,
    ParameterFitter,
    Spectra,
    SpectrumEmulator,
)

NAMES = ("teff", "logg", "feh")


def test_table_keeps_units_on_file(emulator, stars, tmp_path):
    table = ParameterFitter(emulator).fit_table(stars[:5])
    expected = {"teff", "teff_err", "logg", "logg_err", "feh", "feh_err", "chi2", "dof"}
    expected |= {"n_iterations", "status", "at_bound", "outside_hull", "bad_chi2", "degenerate"}
    expected |= {"ambiguous", "binary"}
    assert set(table.colnames) == expected
    for name in ("labels.ecsv", "labels.fits"):
        table.write(tmp_path / name)
        again = QTable.read(tmp_path / name)
        assert again["teff"].unit == u.K
        np.testing.assert_allclose(again["teff_err"].value, table["teff_err"].value)
        assert list(again["status"]) == list(table["status"])


def test_table_flags_what_the_model_does_not_describe(emulator, stars, truth):
    flux = np.array(stars.flux[:4])
    flux[0] += 0.1 * np.sin(np.arange(flux.shape[1]))
    table = ParameterFitter(emulator).fit_table(stars[:4].with_flux(flux))
    np.testing.assert_array_equal(table["bad_chi2"], [True, False, False, False])
    weights = (stars.ivar > 0).astype(float)
    flux = np.array(stars.flux)
    flux[7] += 0.1 * np.sin(np.arange(flux.shape[1]))
    table = ParameterFitter(emulator).fit_table(stars.with_flux(flux, weights, "unknown"))
    assert np.flatnonzero(table["bad_chi2"]).tolist() == [7]


def test_table_flags_labels_outside_the_training_hull(emulator, mock, named, observe):
    corner = emulator.label_range_[:1].copy()  # within every range, but no star was there
    corner[0, 1] = emulator.label_range_[1, 1]
    odd = observe(emulator.predict(named(corner)), emulator.wavelength_, sigma=1e-4)
    table = ParameterFitter(emulator).fit_table(odd)
    assert table["outside_hull"][0]
    inner = observe(mock.synthetic.flux, emulator.wavelength_, sigma=1e-4)
    assert ParameterFitter(emulator).fit_table(inner)["outside_hull"].mean() < 0.3


def test_log_prob_is_highest_at_the_fit(emulator, stars):
    fitter = ParameterFitter(emulator)
    labels, covariance = fitter.predict(stars[:1], return_cov=True)
    steps = np.linalg.cholesky(covariance[0]).T
    best = fitter.log_prob(labels[0], stars[:1])
    around = fitter.log_prob(np.vstack([labels + steps, labels - steps]), stars[:1])
    assert (around < best).all()
    np.testing.assert_allclose(best - around, 0.5, atol=0.15)  # a standard deviation away
    outside = np.array([[1e9, 0.0, 0.0]])
    assert fitter.log_prob(outside, stars[:1]) == -np.inf


def test_log_prob_pairs_rows(emulator, stars):
    fitter = ParameterFitter(emulator)
    labels = fitter.predict(stars[:5])
    together = fitter.log_prob(labels, stars[:5])
    alone = [fitter.log_prob(labels[i], stars[i : i + 1]) for i in range(5)]
    np.testing.assert_allclose(together, alone)


def test_prior_transform_spans_bounds_and_prior(emulator):
    fitter = ParameterFitter(emulator, priors={"feh": (-0.3, 0.1)})
    low, high = emulator.label_range_
    np.testing.assert_allclose(fitter.prior_transform([0.0, 0.0, 0.5])[:2], low[:2])
    theta = fitter.prior_transform(np.random.default_rng(0).random((2000, 3)))
    assert ((theta >= low) & (theta <= high)).all()
    assert abs(theta[:, 2].mean() + 0.3) < 0.01
    assert abs(theta[:, 2].std() - 0.1) < 0.01


def test_best_model_is_what_was_given(emulator, stars):
    fitter = ParameterFitter(emulator)
    model = fitter.best_model(stars[:3])
    assert isinstance(model, Spectra)
    assert set(model.noise) == {"exact"}
    residual = (stars.flux[:3] - model.flux) * np.sqrt(stars.ivar[:3])
    assert 0.7 < residual[stars.ivar[:3] > 0].std() < 1.2
    from_specutils = fitter.best_model(stars[:3].to_specutils())
    np.testing.assert_allclose(from_specutils[0].flux.value, model.flux[0])
    assert fitter.best_model(np.array(stars.flux[:3])).shape == (3, 80)


def test_forms_of_spectra_give_the_same_labels(emulator, stars):
    fitter = ParameterFitter(emulator)
    expected = fitter.predict(stars[:4])
    np.testing.assert_allclose(fitter.predict(stars[:4].to_specutils()), expected, rtol=1e-6)
    nanometre = Spectra(stars.flux[:4], stars.wavelength.to(u.nm), ivar=stars.ivar[:4])
    np.testing.assert_allclose(fitter.predict(nanometre), expected, rtol=1e-6)


def test_chunks_change_nothing(emulator, stars, tmp_path):
    whole, std = ParameterFitter(emulator).predict(stars, return_std=True)
    parts = ParameterFitter(emulator, chunk_size=7).predict(stars)
    assert (np.abs(parts - whole) < 1e-3 * std).all()
    np.save(tmp_path / "flux.npy", stars.flux)
    mapped = np.load(tmp_path / "flux.npy", mmap_mode="r")
    table = ParameterFitter(emulator, chunk_size=50).fit_table(mapped)
    assert len(table) == len(stars)
    assert (table["status"] == "converged").all()


def test_values_under_zero_ivar_change_no_label(emulator, stars):
    spiked = np.where(stars.ivar > 0, stars.flux, 1e6)
    fitter = ParameterFitter(emulator, nuisances=("velocity", "continuum"))
    other = fitter.predict(stars[:20].with_flux(spiked[:20]))
    np.testing.assert_array_equal(other, fitter.predict(stars[:20]))


def test_any_emulator_will_do(emulator, stars, named):
    class Plain:
        """Nothing but what the documentation asks for."""

        label_names_, label_range_ = NAMES, emulator.label_range_
        wavelength_ = emulator.wavelength_

        def predict(self, labels):
            return emulator.predict(named(labels))

        def jacobian(self, labels):
            return emulator.jacobian(named(labels))

    expected, std = ParameterFitter(emulator).predict(stars[:20], return_std=True)
    found, errors = ParameterFitter(Plain()).predict(stars[:20], return_std=True)
    assert (np.abs(found - expected) < 1e-3 * std).all()
    # Curvature is taken where each fit ended, and these places agree as well as said above.
    np.testing.assert_allclose(errors, std, rtol=1e-3)


def test_frozen_and_pickled_fitters_predict_the_same(emulator, stars):
    expected = ParameterFitter(emulator).predict(stars[:5])
    frozen = clone(ParameterFitter(FrozenEstimator(emulator)))
    np.testing.assert_array_equal(frozen.predict(stars[:5]), expected)
    fitter = ParameterFitter(emulator).fit()
    fitter.predict(stars[:5])
    again = pickle.loads(pickle.dumps(fitter))
    np.testing.assert_array_equal(again.predict(stars[:5]), expected)
    assert not hasattr(clone(fitter), "emulator_")


def test_fitter_ends_a_pipeline(emulator, stars, truth, named, observe):
    normalizer = ContinuumNormalizer(degree=1).fit(stars)
    inner = SpectrumEmulator(16, random_state=0, verbose=0).fit(
        named(truth),
        normalizer.transform(observe(emulator.predict(named(truth)), None, sigma=1e-9)),
    )
    pipeline = make_pipeline(ContinuumNormalizer(degree=1), ParameterFitter(FrozenEstimator(inner)))
    labels = pipeline.fit(stars, truth).predict(stars)
    assert (np.median(np.abs(labels - truth), axis=0) < 0.2 * truth.std(axis=0)).all()


def test_set_params_is_heeded_without_a_fit(emulator, stars):
    fitter = ParameterFitter(emulator)
    before = fitter.predict(stars[:3], return_std=True)[1]
    fitter.set_params(err_inflation=3.0)
    np.testing.assert_allclose(fitter.predict(stars[:3], return_std=True)[1], 3 * before)


@pytest.mark.parametrize(("verbose", "chunk_size", "shown"), [(1, 50, 1), (0, 50, 0), (1, 512, 0)])
def test_many_fits_show_one_bar(emulator, stars, capfd, verbose, chunk_size, shown):
    fitter = ParameterFitter(emulator, chunk_size=chunk_size, verbose=verbose)
    fitter.predict(stars[:100])
    printed = capfd.readouterr()
    assert printed.out == ""
    assert ("100/100" in printed.err) == bool(shown)


@pytest.mark.parametrize("factor", [1e-3, 1e-4])
def test_kilokelvin_are_not_called_kelvin(factor, mock, named, stars):
    labels = mock.labels_synthetic * [factor, 1, 1]
    own = SpectrumEmulator(8, random_state=0, verbose=0).fit(named(labels), mock.synthetic)
    with pytest.warns(LabelUnitWarning, match="`teff` must be in K .* got at most"):
        table = ParameterFitter(own).fit_table(stars[:3])
    assert table["teff"].unit == u.dimensionless_unscaled
    assert table["teff"].value.max() < 100


def test_kilokelvin_that_say_so_are_kept(mock, named, stars):
    labels = QTable(named(mock.labels_synthetic * [1e-3, 1, 1]))
    labels["teff"] = labels["teff"].value * u.kK
    own = SpectrumEmulator(8, random_state=0, verbose=0).fit(labels, mock.synthetic)
    assert ParameterFitter(own).fit_table(stars[:3])["teff"].unit == u.kK
