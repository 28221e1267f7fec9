import copy
import pickle

import astropy.units as u
import numpy as np
import pandas as pd
import pytest
import torch
from astropy.table import QTable, Table
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import RidgeCV
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline

from spectragan.datasets import make_synthetic_spectra
from spectragan.diagnostics import TrainingHistoryDisplay
from spectragan.exceptions import GridMismatchError
from spectragan.spectra import ContinuumNormalizer, Spectra
from spectragan.spectra.joining import concatenate
from spectragan.starnet.estimator import StarNetRegressor
from spectragan.starnet.inputs import fit_scaling

NAMES = ("teff", "logg", "feh")
PIXELS = slice(1200, 1400)
SNR = 50.0


def starnet(n_members=1, **parameters):
    quick = {
        "hidden": (64, 32),
        "max_epochs": 15,
        "learning_rate": 3e-3,
        "random_state": 0,
        "verbose": 0,
        "device": "cpu",
    }
    return StarNetRegressor(n_members, **(quick | parameters))


def observe(spectra, snr=SNR, masked=0.0, seed=0):
    """Return spectra with noise of known errors, and some pixels masked."""
    rng = np.random.default_rng(seed)
    flux = spectra.flux + rng.normal(size=spectra.shape) / snr
    ivar = np.where(rng.random(spectra.shape) < masked, 0.0, snr**2)
    return Spectra(np.where(ivar > 0, flux, 1e3), spectra.wavelength, ivar, medium="air")


@pytest.fixture(scope="module")
def stars():
    """Return labels (600, 3) and exact spectra (600, 200): 500 to train on and 100 to test."""
    bunch = make_synthetic_spectra(600, random_state=0)
    return bunch.labels, bunch.spectra.select_pixels(PIXELS)


@pytest.fixture(scope="module")
def fitted(stars):
    return starnet(2).fit(observe(stars[1][:500]), stars[0][:500])


def rms(found, labels):
    return np.sqrt(np.mean((found - labels) ** 2, axis=0))


@pytest.mark.slow
def test_starnet_beats_ridge_regression_with_honest_errors():
    bunch = make_synthetic_spectra(2500, random_state=0)
    noisy = observe(bunch.spectra.select_pixels(slice(1000, 1400)))
    train, test = slice(0, 2000), slice(2000, None)
    labels, mean, scale = bunch.labels, bunch.labels.mean(0), bunch.labels.std(0)
    found = StarNetRegressor(1, random_state=0, verbose=0, device="cpu")
    predicted, std = found.fit(noisy[train], labels[train]).predict(noisy[test], return_std=True)
    ridge = RidgeCV(np.logspace(-3, 4, 15)).fit(noisy.flux[train], (labels[train] - mean) / scale)
    baseline = ridge.predict(noisy.flux[test]) * scale + mean
    assert (rms(predicted, labels[test]) < 0.8 * rms(baseline, labels[test])).all()
    covered = np.mean(np.abs(predicted - labels[test]) < std)
    assert 0.6 < covered < 0.76


def test_masked_pixels_cost_little(stars, fitted):
    labels = stars[0][500:]
    complete, gappy = (fitted.predict(observe(stars[1][500:], masked=m)) for m in (0.0, 0.1))
    assert (rms(complete, labels) < 0.5 * labels.std(0)).all()
    assert (rms(gappy, labels) < 1.3 * rms(complete, labels)).all()


def test_noise_in_training_teaches_what_noise_costs(stars):
    labels, spectra = stars
    noisy, errors, deviations = observe(spectra[500:], snr=10), [], []
    for snr in (None, (7.0, 15.0)):
        found = starnet(snr=snr, max_epochs=25).fit(spectra[:500], labels[:500])
        predicted, std = found.predict(noisy, return_std=True)
        errors.append(rms(predicted, labels[500:]))
        deviations.append(np.median(np.abs(predicted - labels[500:]) / std) / 0.6745)
    assert (errors[1] < 0.8 * errors[0]).all()
    assert deviations[0] > 2, "what the other is measured against"
    assert 0.7 < deviations[1] < 1.4, "errors and their estimate agree"


def test_noisier_spectra_get_larger_errors(stars):
    found = starnet(snr=(10.0, 200.0), max_epochs=60).fit(stars[1][:500], stars[0][:500])
    stds = [
        found.predict(observe(stars[1][500:], snr), return_std=True)[1].mean(0)
        for snr in (200, 50, 10)
    ]
    assert (np.diff(stds, axis=0) > 0).all()


def test_spectra_of_all_kinds_train_together(stars):
    known, exact = observe(stars[1][:40]), stars[1][40:80]
    unknown = Spectra(stars[1].flux[80:120], stars[1].wavelength, medium="air")
    mixed = concatenate([known, exact, unknown])
    for snr in (None, (20.0, 200.0)):
        found = starnet(max_epochs=2, snr=snr).fit(mixed, stars[0][:120])
        assert all(np.isfinite(part).all() for part in found.predict(mixed, return_std=True))


def test_members_disagree_and_the_ensemble_says_so(stars, fitted):
    spectra = observe(stars[1][500:])
    alone = copy.copy(fitted)
    alone.nets_ = fitted.nets_[:1]
    assert len(fitted.nets_) == 2
    assert not np.array_equal(alone.predict(spectra), fitted.predict(spectra))
    strange = spectra.with_flux(spectra.flux * 3.0, spectra.ivar / 9.0)
    usual, far = (fitted.predict(s, return_std=True)[1] for s in (spectra, strange))
    assert (far.mean(0) > 2 * usual.mean(0)).all()


def test_predict_gives_each_row_the_same_labels_in_any_batch(stars, fitted):
    spectra = observe(stars[1][500:], masked=0.1)
    together = fitted.predict(spectra, return_std=True)
    for rows in ([0], slice(3, 70), [99, 2, 5]):
        for part, whole in zip(
            fitted.predict(spectra[rows], return_std=True), together, strict=True
        ):
            np.testing.assert_array_equal(part, whole[rows])


def test_a_spectrum_without_pixels_has_no_labels(stars, fitted):
    spectra = observe(stars[1][500:510])
    ivar = spectra.ivar.copy()
    ivar[4] = 0
    blind = fitted.predict(spectra.with_flux(spectra.flux, ivar), return_std=True)
    for values, complete in zip(blind, fitted.predict(spectra, return_std=True), strict=True):
        np.testing.assert_array_equal(np.isnan(values).all(1), np.arange(10) == 4)
        np.testing.assert_array_equal(np.delete(values, 4, 0), np.delete(complete, 4, 0))


def test_spectra_without_pixels_do_not_train(stars):
    labels, spectra = stars[0][:60], observe(stars[1][:60])
    ivar = spectra.ivar.copy()
    ivar[50:] = 0
    whole = starnet(max_epochs=2).fit(spectra.with_flux(spectra.flux, ivar), labels)
    part = starnet(max_epochs=2).fit(spectra[:50], labels[:50])
    np.testing.assert_array_equal(whole.predict(spectra[:50]), part.predict(spectra[:50]))
    np.testing.assert_array_equal(whole.label_range_, part.label_range_)


def test_pixels_never_seen_in_training_are_ignored_ever_after(stars):
    labels, spectra = stars[0][:100], observe(stars[1][:100])
    ivar = spectra.ivar.copy()
    ivar[:, 7] = 0
    found = starnet(max_epochs=2).fit(spectra.with_flux(spectra.flux, ivar), labels)
    other = np.where(np.arange(200) == 7, 5.0, spectra.flux)
    np.testing.assert_array_equal(
        found.predict(spectra), found.predict(spectra.with_flux(other, spectra.ivar))
    )


@pytest.mark.parametrize("noise", ["known", "exact", "unknown"])
def test_values_under_ivar_0_change_nothing(stars, noise):
    labels, spectra = stars[0][:80], stars[1][:80]
    good = np.random.default_rng(0).random(spectra.shape) > 0.2
    ivar = good * (SNR**2 if noise == "known" else 1.0)
    results = []
    for bad in (0.0, 1e9, np.nan):
        given = Spectra(np.where(good, spectra.flux, bad), None, ivar, noise)
        results.append(starnet(max_epochs=2).fit(given, labels).predict(given))
    np.testing.assert_array_equal(results[0], results[1])
    np.testing.assert_array_equal(results[0], results[2])


def test_a_tiny_ivar_in_place_of_0_does_not_break_training(stars):
    spectra, labels = observe(stars[1][:80]), stars[0][:80]
    tiny = spectra.with_flux(spectra.flux, np.where(np.arange(200) % 20 == 3, 1e-20, spectra.ivar))
    found = starnet(max_epochs=2).fit(tiny, labels)
    assert np.isfinite(found.history_["train_loss"]).all()
    assert max(found.history_["train_loss"]) < 100


def test_noise_of_exact_spectra_has_the_snr_that_was_asked_for(stars):
    spectra = stars[1][:80]
    level = np.median(spectra.flux, axis=1, keepdims=True)
    scaling = fit_scaling(spectra, (50.0, 50.0))
    sigma = scaling.rows(spectra)["sigma"].numpy() * scaling.scale
    np.testing.assert_allclose(sigma, np.broadcast_to(level, sigma.shape), rtol=1e-5)
    spread = np.sqrt(spectra.flux.var(0) + (level**2).mean() / 50**2)
    np.testing.assert_allclose(scaling.scale, spread, rtol=1e-6)


def test_flux_units_and_levels_do_not_matter(stars):
    labels, spectra = stars[0][:80], observe(stars[1][:80])
    scaled = spectra.with_flux(spectra.flux * 1024.0, spectra.ivar / 1024.0**2)
    results = [starnet(max_epochs=2).fit(s, labels).predict(s) for s in (spectra, scaled)]
    np.testing.assert_allclose(*results, rtol=1e-6)


def test_same_seed_gives_the_same_bits_and_touches_no_generator(stars):
    spectra, labels = observe(stars[1][:80]), stars[0][:80]
    before = torch.get_rng_state(), np.random.mtrand._rand.get_state()[1].copy()
    runs = [starnet(2, max_epochs=2).fit(spectra, labels) for _ in range(2)]
    np.testing.assert_array_equal(*(run.predict(spectra) for run in runs))
    other = starnet(2, max_epochs=2, random_state=1).fit(spectra, labels)
    assert not np.array_equal(other.predict(spectra), runs[0].predict(spectra))
    assert torch.equal(torch.get_rng_state(), before[0])
    np.testing.assert_array_equal(np.random.mtrand._rand.get_state()[1], before[1])


def test_the_first_member_does_not_depend_on_how_many_follow(stars):
    spectra, labels = observe(stars[1][:80]), stars[0][:80]
    weights = [
        starnet(n, max_epochs=2).fit(spectra, labels).nets_[0].module_.mean.weight for n in (1, 2)
    ]
    assert torch.equal(*weights)


@pytest.mark.parametrize("kind", [pd.DataFrame, Table, QTable])
def test_labels_may_have_names_and_units(stars, kind):
    labels, spectra = stars[0][:80], observe(stars[1][:80])
    columns = dict(zip(NAMES, labels.T, strict=True))
    if kind is QTable:
        columns["teff"] = columns["teff"] * u.K
    found = starnet(max_epochs=2).fit(spectra, kind(columns))
    plain = starnet(max_epochs=2).fit(spectra, np.asarray(labels))
    assert found.label_names_ == NAMES
    assert plain.label_names_ == ("label_0", "label_1", "label_2")
    np.testing.assert_array_equal(found.predict(spectra), plain.predict(spectra))
    shuffled = kind({name: columns[name] for name in ("feh", "teff", "logg")})
    assert found.score(spectra, shuffled) == plain.score(spectra, labels)


def test_one_label_keeps_its_shape(stars):
    labels, spectra = stars[0][:80, 0], observe(stars[1][:80])
    flat, column = (starnet(max_epochs=2).fit(spectra, y) for y in (labels, labels[:, None]))
    values, std = flat.predict(spectra, return_std=True)
    assert values.shape == std.shape == (80,)
    np.testing.assert_array_equal(column.predict(spectra)[:, 0], values)
    assert flat.score(spectra, labels) == column.score(spectra, labels)


def test_a_label_that_does_not_vary_is_harmless(stars):
    labels = np.column_stack([stars[0][:80], np.full(80, 2.0)])
    spectra = observe(stars[1][:80])
    values, std = starnet(max_epochs=2).fit(spectra, labels).predict(spectra, return_std=True)
    assert np.isfinite(values).all()
    assert (std > 0).all()


def test_history_has_the_losses_of_every_member(fitted):
    assert set(fitted.history_) == {"train_loss", "valid_loss", "train_loss_2", "valid_loss_2"}
    assert all(np.isfinite(values).all() for values in fitted.history_.values())
    assert fitted.history_["valid_loss"][-1] < fitted.history_["valid_loss"][0]
    assert TrainingHistoryDisplay.from_estimator(fitted).figure_ is not None


@pytest.mark.parametrize("duplicate", [copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))])
def test_starnet_survives_a_round_trip(fitted, stars, duplicate):
    spectra = observe(stars[1][500:])
    np.testing.assert_array_equal(duplicate(fitted).predict(spectra), fitted.predict(spectra))


def test_starnet_works_with_scikit_learns_tools(stars):
    spectra, labels = observe(stars[1][:200]), stars[0][:200]
    pipeline = make_pipeline(ContinuumNormalizer(degree=1), starnet(max_epochs=8))
    scores = cross_val_score(pipeline, spectra, labels, cv=2, error_score="raise")
    assert (scores > 0.3).all()


def test_fit_leaves_the_callers_arrays_alone(stars):
    flux, labels = np.array(stars[1].flux[:60]), stars[0][:60].copy()
    for array in (flux, labels):
        array.flags.writeable = False
    starnet(max_epochs=1).fit(flux, labels).predict(flux)
    np.testing.assert_array_equal(flux, stars[1].flux[:60])


def test_other_grids_and_units_are_refused(stars, fitted):
    spectra = observe(stars[1][500:])
    with pytest.raises(GridMismatchError, match="200 pixels; got 100"):
        fitted.predict(spectra.select_pixels(slice(0, 100)))
    moved = Spectra(spectra.flux, spectra.wavelength + 5 * u.AA, spectra.ivar)
    with pytest.raises(GridMismatchError, match="other wavelengths"):
        fitted.predict(moved)
    with pytest.raises(ValueError, match="flux unit of fit, ''; got 'Jy'"):
        fitted.predict(spectra.with_flux(spectra.flux, spectra.ivar, unit=u.Jy))


def test_errors_are_one_sentence(stars):
    labels, spectra = stars[0][:60], observe(stars[1][:60])
    with pytest.raises(ValueError, match=r"`y` must hold every label .* got 0 for 'label_0'"):
        starnet().fit(spectra, np.where(labels > 1000, np.nan, labels))
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        starnet().fit(spectra, labels[:-1])
    with pytest.raises(ValueError, match=r"at least 2 spectra .* got 1 sample"):
        starnet().fit(spectra[:1], labels[:1])
    lonely = spectra.with_flux(spectra.flux, spectra.ivar * (np.arange(60) == 3)[:, None])
    with pytest.raises(ValueError, match=r"at least 2 spectra .* got 1 of 60"):
        starnet().fit(lonely, labels)
    blind = spectra.with_flux(spectra.flux, np.zeros(spectra.shape))
    with pytest.raises(ValueError, match="`X` must have at least one pixel with ivar > 0"):
        starnet().fit(blind, labels)


def test_a_failed_fit_is_none(stars):
    labels, spectra = stars[0][:60], observe(stars[1][:60])
    found = starnet(max_epochs=1).fit(spectra, labels)
    with pytest.raises(ValueError, match="inconsistent"):
        found.fit(spectra, labels[:-1])
    for unfitted in (found, starnet()):
        with pytest.raises(NotFittedError):
            unfitted.predict(spectra)


@pytest.mark.parametrize(
    "parameters",
    [
        {"n_members": 0},
        {"filters": ()},
        {"filters": 4},
        {"hidden": (256, 0)},
        {"hidden": "wide"},
        {"noise_scale": -1},
        {"snr": 50},
        {"snr": (0, 50)},
        {"snr": (50, 20)},
        {"snr": (20, 50, 100)},
        {"masked_fraction": 1.0},
        {"max_epochs": 0},
        {"max_epochs": True},
        {"batch_size": 1.5},
        {"learning_rate": 0},
        {"learning_rate": np.inf},
        {"validation_fraction": 1.0},
        {"device": "abacus"},
    ],
)
def test_bad_parameters_are_named(stars, parameters):
    (name,) = parameters
    with pytest.raises(ValueError, match=f"`{name}` must"):
        starnet(**parameters).fit(observe(stars[1][:60]), stars[0][:60])


def test_names_of_labels_are_given_or_known(stars):
    labels, spectra = stars
    quick = {"max_epochs": 1, "hidden": (4, 4)}
    bare = np.asarray(labels)
    assert starnet(**quick).fit(spectra, bare, label_names=NAMES).label_names_ == NAMES
    found = starnet(**quick).fit(spectra, labels)
    assert found.label_names_ == NAMES
    assert found.score(spectra[:20], labels[:20, ::-1]) == found.score(spectra[:20], bare[:20])
    with pytest.raises(ValueError, match=r"in the order fit\(spectra, labels\); got .*; swap"):
        starnet().fit(labels, spectra)
