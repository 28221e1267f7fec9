"""Stars that count more, stars that come twice, and labels that are missing or uncertain."""

import numpy as np
import pandas as pd
import pytest

from spectragan import CheckpointError, Spectra, SpectrumEmulator, StarNetRegressor
from spectragan.training.weights import distinct_rows, star_weights

WAVE = np.linspace(-3, 3, 25)


def stars(n, seed=0):
    rng = np.random.default_rng(seed)
    labels = rng.uniform([4000, 1], [7000, 5], size=(n, 2))
    depth = 0.5 * (5000 / labels[:, :1]) ** 2 * np.exp(-0.5 * (WAVE - 1) ** 2)
    depth = depth + 0.08 * labels[:, 1:] * np.exp(-0.5 * (WAVE + 1) ** 2)
    return labels, Spectra(1 - depth, None, noise="exact")


def starnet(**parameters):
    defaults = {"batch_size": 16, "max_epochs": 25, "random_state": 0, "verbose": 0}
    return StarNetRegressor(1, **(defaults | parameters))


def emulator():
    return SpectrumEmulator(5, random_state=0, verbose=0)


FITS = {
    "starnet": (lambda x, y, **more: starnet(max_epochs=2).fit(x, y, **more).predict(x)),
    "emulator": (lambda x, y, **more: emulator().fit(y, x, **more).predict(y)),
}


@pytest.mark.parametrize("fit", FITS.values(), ids=FITS)
def test_a_weight_of_2_is_a_star_that_comes_twice_in_any_order(fit):
    labels, spectra = stars(40)
    weights = np.arange(40) % 3
    rng = np.random.default_rng(1)
    rows = rng.permutation(np.repeat(np.arange(40), weights))
    back = np.argsort(rows)[np.searchsorted(np.sort(rows), np.flatnonzero(weights))]
    repeated = fit(spectra[rows], labels[rows])[back]
    weighted = fit(spectra, labels, sample_weight=weights)[weights > 0]
    np.testing.assert_array_equal(repeated, weighted)


@pytest.mark.parametrize("fit", FITS.values(), ids=FITS)
def test_equal_weights_change_nothing_and_a_series_of_pandas_is_taken_by_position(fit):
    labels, spectra = stars(40)
    plain = fit(spectra, labels)
    for weights in (np.ones(40), 2.0, pd.Series(np.full(40, 3.0), index=range(100, 140))):
        np.testing.assert_array_equal(fit(spectra, labels, sample_weight=weights), plain)


@pytest.mark.parametrize("fit", FITS.values(), ids=FITS)
@pytest.mark.parametrize(
    "weights", [np.ones((40, 1)), np.ones(39), -np.ones(40), np.zeros(40), ["a"] * 40, np.nan]
)
def test_weights_that_are_none_are_refused(fit, weights):
    labels, spectra = stars(40)
    with pytest.raises(ValueError, match=r"`sample_weight` must hold one finite number >= 0"):
        fit(spectra, labels, sample_weight=weights)


def test_stars_that_weigh_little_decide_little():
    labels, spectra = stars(60)
    wrong = labels + np.where(np.arange(60)[:, None] % 2, [1500.0, 0.0], 0.0)
    weights = np.where(np.arange(60) % 2, 1e-4, 1.0)
    off = [
        np.median(np.abs(found.predict(spectra) - labels)[:, 0])
        for found in (
            starnet().fit(spectra, wrong),
            starnet().fit(spectra, wrong, sample_weight=weights),
        )
    ]
    assert off[1] < 0.4 * off[0]


def test_noisy_stars_that_weigh_little_leave_the_emulator_right():
    labels, spectra = stars(120)
    rng = np.random.default_rng(2)
    sigma = np.where(np.arange(120)[:, None] % 2, 0.1, 0.0)
    noisy = spectra.flux + sigma * rng.normal(size=spectra.flux.shape)
    weights = np.where(np.arange(120) % 2, 1e-4, 1.0)
    test, truth = stars(50, 3)
    inside = ((test > labels.min(0)) & (test < labels.max(0))).all(1)
    test, truth = test[inside], truth[inside]
    off = [
        np.sqrt(np.mean((emulator().fit(labels, noisy, w).predict(test) - truth.flux) ** 2))
        for w in (None, weights)
    ]
    assert off[1] < 0.6 * off[0]


def test_a_star_without_one_label_teaches_the_others():
    labels, spectra = stars(300)
    test, truth = stars(100, 5)
    gaps = labels.copy()
    gaps[np.arange(300) % 3 > 0, 1] = np.nan
    found = starnet().fit(spectra, gaps)
    complete = starnet().fit(spectra[::3], labels[::3])
    off = [np.abs(net.predict(truth) - test).mean(0) for net in (found, complete)]
    assert off[0][0] < off[1][0], "200 more stars have the first label"
    assert off[0][1] < 0.2 * labels[:, 1].std()
    assert np.isfinite(found.label_range_).all()
    assert np.isfinite(found.std_factor_).all()


def test_a_label_that_no_star_has_is_refused():
    labels, spectra = stars(40)
    gaps = pd.DataFrame(labels, columns=["teff", "logg"])
    gaps["logg"] = np.nan
    with pytest.raises(ValueError, match=r"every label for at least 2 spectra.*got 0 for 'logg'"):
        starnet().fit(spectra, gaps)


def test_errors_of_labels_are_no_errors_of_predictions():
    labels, spectra = stars(400)
    noise = np.array([400.0, 0.0])
    rough = labels + noise * np.random.default_rng(6).normal(size=labels.shape)
    std = np.broadcast_to(noise, labels.shape)
    test, truth = stars(200, 7)
    widths = {}
    for name, net in {
        "ignored": starnet(max_epochs=40).fit(spectra, rough),
        "known": starnet(max_epochs=40).fit(spectra, rough, label_std=std),
    }.items():
        found, width = net.predict(truth, return_std=True)
        widths[name] = np.median(width[:, 0]), np.std(found[:, 0] - test[:, 0])
    assert widths["ignored"][0] > 300, "what scatters 400 K is predicted to 400 K"
    assert widths["known"][0] < 0.6 * widths["ignored"][0]
    assert 0.4 < widths["known"][0] / widths["known"][1] < 2.5


@pytest.mark.parametrize("std", [-1.0, np.nan])
def test_errors_of_labels_are_numbers(std):
    labels, spectra = stars(40)
    errors = np.full(labels.shape, 0.1)
    errors[3, 1] = std
    with pytest.raises(ValueError, match=r"`label_std` must hold .* at row 3, column 1"):
        starnet().fit(spectra, labels, label_std=errors)
    with pytest.raises(ValueError, match=r"`label_std` must hold .* shape \(40, 1\)"):
        starnet().fit(spectra, labels, label_std=errors[:, 0])


def test_weights_are_part_of_what_a_fit_resumes(tmp_path):
    labels, spectra = stars(40)
    kept = starnet(max_epochs=2, checkpoint=tmp_path)
    kept.fit(spectra, labels)
    with pytest.raises(CheckpointError):
        kept.fit(spectra, labels, sample_weight=np.arange(40), resume=True)


def test_copies_are_one_star_and_masked_values_tell_none_apart():
    labels = np.array([[1.0], [np.nan], [1.0], [np.nan], [1.0]])
    flux = np.array([[1.0, 2.0], [3.0, 3.0], [1.0, 9.0], [3.0, 3.0], [1.0, 2.5]])
    ivar = np.array([[1.0, 0.0], [1.0, 1.0], [1.0, 0.0], [1.0, 1.0], [1.0, 1.0]])
    rows, weights = distinct_rows(labels, Spectra(flux, None, ivar), np.array([1, 1, 2, 1, 1.0]))
    found = {int(row): float(weight) for row, weight in zip(rows, weights, strict=True)}
    assert found == {0: 3.0, 1: 2.0, 4: 1.0}


def test_no_weights_are_ones():
    np.testing.assert_array_equal(star_weights(None, 3), np.ones(3))
