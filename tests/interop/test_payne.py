"""Networks of The Payne are read as published, and fit stars where scipy does."""

import astropy.units as u
import numpy as np
import pytest
from astropy.table import Table
from scipy.optimize import least_squares

from spectragan import (
    CycleGANTranslator,
    LineAttribution,
    MeanShiftTranslator,
    ObservedEmulator,
    ParameterFitter,
    Spectra,
)
from spectragan.exceptions import LabelExtrapolationWarning, LabelUnitWarning, ModelFileError
from spectragan.interop import PayneNetwork, read_payne

NAMES = ("teff", "logg", "feh")
LOW, HIGH = np.array([4.0, 1.0, -2.0]), np.array([7.0, 5.0, 0.5])
N_PIXELS, N_NEURONS = 60, 12
WAVELENGTH = np.linspace(15200, 15300, N_PIXELS) * u.AA


def payne_arrays(layout, seed=0):
    """Return a network with lines, as its file holds it."""
    rng = np.random.default_rng(seed)
    if layout == "pixels":
        shapes = [(N_PIXELS, N_NEURONS, 3), (N_PIXELS, N_NEURONS), (N_PIXELS,)]
        shapes += [(N_PIXELS, N_NEURONS), (N_PIXELS,), (N_PIXELS,)]
    else:
        shapes = [(N_NEURONS, 3), (N_NEURONS, N_NEURONS), (N_PIXELS, N_NEURONS)]
        shapes += [(N_NEURONS,), (N_NEURONS,), (N_PIXELS,)]
    names = [f"{kind}_array_{i}" for kind in "wb" for i in range(3)]
    arrays = {n: rng.normal(0, 0.7, size=s) for n, s in zip(names, shapes, strict=True)}
    arrays["w_array_2"] *= 0.1
    arrays["b_array_2"] = 0.9 + 0.05 * arrays["b_array_2"]
    return arrays | {"x_min": LOW, "x_max": HIGH}


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def leaky(x):
    return np.where(x > 0, x, 0.01 * x)


def by_hand(arrays, star, activation):
    """Return a spectrum, neuron by neuron."""
    x = (star - LOW) / (HIGH - LOW) - 0.5
    flux = np.empty(N_PIXELS)
    for pixel in range(N_PIXELS):
        w0, w1, w2, b0, b1, b2 = (arrays[f"{kind}_array_{i}"] for kind in "wb" for i in range(3))
        if w0.ndim == 3:
            first = [
                activation(sum(w * v for w, v in zip(row, x, strict=True)) + b)
                for row, b in zip(w0[pixel], b0[pixel], strict=True)
            ]
            second = activation(float(np.dot(w1[pixel], first)) + b1[pixel])
            flux[pixel] = w2[pixel] * second + b2[pixel]
        else:
            first = [activation(float(np.dot(row, x)) + b) for row, b in zip(w0, b0, strict=True)]
            second = [activation(float(np.dot(r, first)) + b) for r, b in zip(w1, b1, strict=True)]
            flux[pixel] = float(np.dot(w2[pixel], second)) + b2[pixel]
    return flux


@pytest.fixture(params=["shared", "pixels"])
def file(request, tmp_path):
    np.savez(tmp_path / "NN_normalized_spectra.npz", **payne_arrays(request.param))
    return tmp_path / "NN_normalized_spectra.npz"


@pytest.fixture
def emulator(file):
    return read_payne(file, NAMES, WAVELENGTH)


STARS = LOW + (HIGH - LOW) * np.array([[0.2, 0.4, 0.9], [0.5, 0.5, 0.5], [0.71, 0.33, 0.12]])


@pytest.mark.parametrize(
    ("layout", "activation", "function"),
    [("shared", None, leaky), ("pixels", None, sigmoid), ("shared", "sigmoid", sigmoid)],
)
def test_flux_is_that_of_the_network(tmp_path, layout, activation, function):
    arrays = payne_arrays(layout)
    np.savez(tmp_path / "network.npz", **arrays)
    found = read_payne(tmp_path / "network.npz", NAMES, WAVELENGTH, activation=activation)
    expected = [by_hand(arrays, star, function) for star in STARS]
    np.testing.assert_allclose(found.predict(STARS), expected, rtol=1e-12)
    np.testing.assert_array_equal(found.label_range_, [LOW, HIGH])
    np.testing.assert_array_equal(found.predict(STARS)[:1], found.predict(STARS[:1]))


def test_jacobian_is_that_of_the_flux(emulator):
    step = 1e-6 * (HIGH - LOW)
    for label in range(3):
        move = np.eye(3)[label] * step
        change = emulator.predict(STARS + move) - emulator.predict(STARS - move)
        np.testing.assert_allclose(
            emulator.jacobian(STARS)[:, :, label], change / (2 * step[label]), atol=1e-7
        )


def test_labels_are_read_by_name_and_spectra_know_their_grid(emulator):
    table = Table(STARS[:, ::-1], names=NAMES[::-1])
    np.testing.assert_array_equal(emulator.predict(table), emulator.predict(STARS))
    spectra = emulator.spectra(STARS)
    np.testing.assert_array_equal(spectra.wavelength, WAVELENGTH)
    assert (set(spectra.noise), spectra.medium) == ({"exact"}, "vacuum")
    with pytest.warns(LabelExtrapolationWarning, match="`teff` must lie within"):
        emulator.predict(STARS + np.array([9, 0, 0]))


def observe(emulator, labels, seed=0, sigma=0.005):
    flux = emulator.predict(labels)
    noisy = flux + sigma * np.random.default_rng(seed).standard_normal(flux.shape)
    return Spectra(noisy, WAVELENGTH, np.full(flux.shape, sigma**-2.0), medium="vacuum")


def chi_square(emulator, star, labels):
    return float((star.ivar * (star.flux - emulator.predict(labels[None])) ** 2).sum())


def test_fit_ends_in_the_minimum_of_scipy(emulator):
    stars = observe(emulator, STARS)
    with pytest.warns(LabelUnitWarning, match="got at most 7"):  # thousands of K
        table = ParameterFitter(emulator, verbose=0).fit_table(stars)
    assert (table["status"] == "converged").all()
    for i, row in enumerate(table):
        best = least_squares(
            lambda x, i=i: (stars.flux[i] - emulator.predict(x[None])[0]) / 0.005,
            STARS[i],
            bounds=(LOW, HIGH),
            x_scale=HIGH - LOW,
            xtol=1e-12,
            ftol=1e-12,
            gtol=1e-12,
        )
        found = np.array([u.Quantity(row[name]).value for name in NAMES])
        assert chi_square(emulator, stars[i], found) <= 2 * best.cost * (1 + 1e-6)
        errors = np.array([u.Quantity(row[f"{name}_err"]).value for name in NAMES])
        if abs(chi_square(emulator, stars[i], found) - 2 * best.cost) < 1e-4:
            assert (np.abs(found - best.x) < 0.02 * errors).all()


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    """Return a network, and stars that have a line which it lacks."""
    path = tmp_path_factory.mktemp("payne") / "network.npz"
    np.savez(path, **payne_arrays("shared"), wavelength=WAVELENGTH.value)
    network = read_payne(path, NAMES)
    labels = np.random.default_rng(3).uniform(LOW, HIGH, size=(300, 3))
    stars = observe(network, labels)
    flux = stars.flux.copy()
    flux[:, 30] -= 0.05 * (labels[:, 2] + 3)
    return network, stars.with_flux(flux), labels


def test_a_file_may_hold_its_wavelengths(pair):
    np.testing.assert_array_equal(pair[0].wavelength_, WAVELENGTH)


def test_a_translator_is_fitted_to_the_network(pair):
    network, stars, labels = pair
    quick = {"max_epochs": 20, "steps_per_epoch": 20, "random_state": 0, "verbose": 0}
    translator = CycleGANTranslator(**quick).fit(network, stars)
    observed = ObservedEmulator(network, translator)
    before, after = (
        np.sqrt(np.mean((made.predict(labels) - stars.flux) ** 2)) for made in (network, observed)
    )
    assert after < 0.8 * before
    assert observed.jacobian(labels[:2]).shape == (2, N_PIXELS, 3)
    assert observed.spectra(labels[:2]).shape == (2, N_PIXELS)


def test_labels_behind_a_translator_and_owners_of_lines(pair):
    network, stars, labels = pair
    translator = MeanShiftTranslator().fit(network.spectra(labels), stars)
    fitted = ParameterFitter(network, translator, verbose=0).predict(stars[:20])
    assert np.median(np.abs(fitted[:, 2] - labels[:20, 2])) < 0.2
    lines = LineAttribution(network, translator).find(stars, labels).table
    assert abs(lines["wavelength"][np.argmax(lines["significance"])] - WAVELENGTH[30].value) < 5


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda a: a.pop("b_array_1"), "without b_array_1"),
        (lambda a: a.update(w_array_2=a["w_array_2"][:, :-1]), "must fit each other"),
        (lambda a: a.update(b_array_0=a["b_array_0"] * np.nan), "not in b_array_0"),
        (lambda a: a.update(x_max=a["x_min"]), "labels without a range"),
        (lambda a: a.update(w_array_0=a["w_array_0"][0]), "must fit each other"),
    ],
)
def test_files_that_are_no_network_are_told(tmp_path, change, message):
    arrays = payne_arrays("shared")
    change(arrays)
    np.savez(tmp_path / "network.npz", **arrays)
    with pytest.raises(ModelFileError, match=f"network.npz.*{message}"):
        read_payne(tmp_path / "network.npz", NAMES)


class Trap:
    def __reduce__(self):
        return (pytest.fail, ("a file was unpickled",))


def test_nothing_in_a_file_is_executed(tmp_path):
    np.savez(tmp_path / "trap.npz", **payne_arrays("shared") | {"x_min": np.array([Trap()])})
    np.save(tmp_path / "single.npy", np.ones(3))
    (tmp_path / "text.npz").write_text("not an archive")
    for name in ("trap.npz", "single.npy", "text.npz"):
        with pytest.raises(ModelFileError, match=r"must be a \.npz file of plain arrays"):
            read_payne(tmp_path / name, NAMES)
    with pytest.raises(FileNotFoundError):
        read_payne(tmp_path / "nowhere.npz", NAMES)


def test_names_and_activation_are_checked(file):
    with pytest.raises(ValueError, match=r"`label_range` must hold .* of teff, logg, shape"):
        read_payne(file, ("teff", "logg"))
    with pytest.raises(ValueError, match=r"`activation` must be one of .*; got 'relu'"):
        read_payne(file, NAMES, activation="relu")
    with pytest.raises(ValueError, match="`activation` must be one of"):
        PayneNetwork(payne_arrays("shared"), activation="tanh")
