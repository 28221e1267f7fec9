"""Results of spectra that are read in blocks are those of spectra in memory, bit by bit."""

from functools import partial

import h5py
import numpy as np
import pytest
import zarr
from numpy.lib.format import open_memmap
from sklearn.model_selection import cross_val_score

from spectragan import (
    CycleGANTranslator,
    GridMismatchError,
    LazySpectra,
    LinearTranslator,
    NaNFluxWarning,
    ParameterFitter,
    Spectra,
    StarNetRegressor,
)
from spectragan.starnet import inputs as starnet_rows
from spectragan.training import stored_rows
from spectragan.translator import domain_data

N_STARS, N_PIXELS = 1300, 80  # two batches and a half; fewer where labels are fitted


@pytest.fixture(scope="module")
def many(mock):
    """Return 1300 observed spectra, in single precision, some without a good pixel."""
    rng = np.random.default_rng(3)
    rows = rng.integers(0, len(mock.observed), N_STARS)
    part = mock.observed[rows]
    noise = np.where(part.ivar > 0, 0.01 * rng.standard_normal(part.shape), 0)
    ivar = np.where(np.arange(N_STARS)[:, None] % 400 == 7, 0, part.ivar)
    return part.with_flux((part.flux + noise).astype(np.float32), ivar.astype(np.float32))


@pytest.fixture(scope="module")
def lazy(many, tmp_path_factory):
    file = h5py.File(tmp_path_factory.mktemp("many") / "spectra.h5", "w")
    flux = file.create_dataset("flux", data=many.flux, chunks=(100, N_PIXELS))
    ivar = file.create_dataset("ivar", data=many.ivar, chunks=(100, N_PIXELS))
    return LazySpectra(flux, many.wavelength, ivar, medium=many.medium)


@pytest.fixture(scope="module", params=["linear", "network"])
def translator(request, mock, fitted):
    if request.param == "network":
        return fitted
    return LinearTranslator(n_components=5).fit(mock.synthetic, mock.observed)


@pytest.fixture(scope="module")
def starnet(mock, named):
    net = StarNetRegressor(1, max_epochs=1, hidden=(8,), verbose=0, random_state=0)
    return net.fit(mock.synthetic, mock.labels_synthetic)


def outs(tmp_path, shape, dtype):
    """Return one place of each kind to write results into."""
    yield np.empty(shape, dtype)
    yield open_memmap(tmp_path / "out.npy", "w+", dtype, shape)
    yield h5py.File(tmp_path / "out.h5", "w").create_dataset("x", shape, dtype)
    chunks = (90, *shape[1:])
    yield zarr.create_array(tmp_path / "out.zarr", shape=shape, dtype=dtype, chunks=chunks)


@pytest.mark.parametrize("method", ["transform", "inverse_transform"])
@pytest.mark.parametrize("chunk_size", [None, 1, 513, 10_000])
def test_translation_of_a_file_is_that_of_memory(translator, many, lazy, method, chunk_size):
    expected = getattr(translator, method)(many)
    found = getattr(translator, method)(lazy, chunk_size=chunk_size)
    np.testing.assert_array_equal(found.flux, expected.flux)
    np.testing.assert_array_equal(found.ivar, expected.ivar)
    assert type(found) is Spectra
    assert set(found.noise) == {"exact"}


def test_translation_goes_into_any_out(translator, many, lazy, tmp_path):
    expected = np.asarray(translator.transform(many))
    assert np.isnan(expected[7]).all(), "nothing is known about this star"
    for out in outs(tmp_path, expected.shape, np.float32):
        for X in (many, lazy):
            assert translator.transform(X, out=out, chunk_size=200) is out
            np.testing.assert_array_equal(np.asarray(out[:]), expected)
            out[...] = 0


def test_translation_goes_out_in_the_order_it_came_in(translator, many):
    """A file with descending wavelengths is translated into one that is read the same way."""
    axis, expected = many.wavelength[::-1], np.asarray(translator.transform(many))
    flux, ivar = (np.array(a[:, ::-1]) for a in (many.flux, many.ivar))
    for kind in (LazySpectra, Spectra):
        X, out = kind(flux, axis, ivar, medium=many.medium), np.empty_like(flux)
        translator.transform(X, out=out)
        np.testing.assert_array_equal(out, expected[:, ::-1])
        again = LazySpectra(np.nan_to_num(out), axis, medium=many.medium)
        np.testing.assert_array_equal(again.flux, np.nan_to_num(expected))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_translation_of_arrays_goes_into_out_block_by_block(translator, many, dtype, tmp_path):
    flux = np.where(many.ivar > 0, many.flux, 1).astype(dtype)
    stored = h5py.File(tmp_path / "in.h5", "w").create_dataset("x", data=flux)
    expected = translator.inverse_transform(flux)
    for X in (flux, stored):
        out = np.empty(flux.shape, dtype)
        np.testing.assert_array_equal(translator.inverse_transform(X, out=out), expected)
    np.testing.assert_array_equal(translator.inverse_transform(stored), expected)


def test_values_under_the_mask_change_nothing_that_is_streamed(translator, many):
    garbage = np.where(many.ivar == 0, 1e6, many.flux)
    results = []
    for flux in (many.flux, garbage):
        X = LazySpectra(flux, many.wavelength, many.ivar, medium=many.medium)
        results.append(translator.inverse_transform(X, out=np.empty(X.shape)))
    np.testing.assert_array_equal(*results)


def test_labels_of_a_file_are_those_of_memory(emulator, many, lazy, tmp_path):
    many, lazy, n = many[:350], lazy[:350], 350
    fitter = ParameterFitter(emulator, chunk_size=100)
    labels, std = fitter.predict(many, return_std=True)
    found = fitter.predict(lazy, return_std=True)
    np.testing.assert_array_equal(found[0], labels)
    np.testing.assert_array_equal(found[1], std)
    out = h5py.File(tmp_path / "labels.h5", "w")
    places = [out.create_dataset(name, labels.shape, float) for name in ("labels", "std")]
    assert fitter.predict(lazy, return_std=True, out=places) == tuple(places)
    np.testing.assert_array_equal(places[1][:], std)
    covariance = np.empty((n, 3, 3))
    fitter.predict(lazy, return_cov=True, out=(np.empty_like(labels), covariance))
    np.testing.assert_array_equal(
        np.sqrt(np.diagonal(covariance, axis1=1, axis2=2))[:7], std[:7], "two of two places"
    )


def test_a_table_of_a_file_is_that_of_memory(emulator, many, lazy):
    fitter = ParameterFitter(emulator, chunk_size=128)
    expected, found = fitter.fit_table(many[:300]), fitter.fit_table(lazy[:300])
    for name in expected.colnames:
        np.testing.assert_array_equal(found[name], expected[name])


def test_starnet_reads_files_and_writes_labels(starnet, many, lazy):
    labels, std = starnet.predict(many, return_std=True)
    assert np.isnan(labels[7]).all()
    places = np.empty(labels.shape), np.empty(labels.shape)
    found = starnet.predict(lazy, return_std=True, out=places)
    assert all(a is b for a, b in zip(found, places, strict=True))
    np.testing.assert_array_equal(places, (labels, std))
    np.testing.assert_array_equal(starnet.predict(lazy), labels)
    assert starnet.predict(lazy, out=places[0]) is places[0]


def read_only(kind, shape, folder):
    """Return a place that nothing can be written into."""
    if kind == "ndarray":
        return np.broadcast_to(np.zeros(()), shape)
    if kind == "memmap":
        open_memmap(folder / "x.npy", "w+", np.float32, shape).flush()
        return np.load(folder / "x.npy", mmap_mode="r")
    if kind == "h5py":
        with h5py.File(folder / "x.h5", "w") as file:
            file.create_dataset("x", shape, np.float32)
        return h5py.File(folder / "x.h5", "r")["x"]
    zarr.create_array(folder / "x.zarr", shape=shape, dtype=np.float32)
    return zarr.open_array(folder / "x.zarr", mode="r")


@pytest.mark.parametrize("kind", ["ndarray", "memmap", "h5py", "zarr"])
def test_out_must_be_writable(translator, lazy, kind, tmp_path):
    with pytest.raises(ValueError, match="`out` must be writable; got a read-only one"):
        translator.transform(lazy, out=read_only(kind, lazy.shape, tmp_path))


@pytest.mark.parametrize(
    ("out", "error", "words"),
    [
        (np.empty((3, N_PIXELS)), ValueError, r"must have the shape \(1300, 80\) of the result"),
        (np.empty((N_STARS, N_PIXELS), int), TypeError, "must hold float32 or float64; got .* int"),
        ([[1.0]], TypeError, "`out` must be an array or a data set .* got list"),
        ("out.npy", TypeError, "`out` must be an array or a data set .* got str"),
    ],
)
def test_wrong_out_is_refused_before_anything_is_written(translator, lazy, out, error, words):
    with pytest.raises(error, match=words):
        translator.transform(lazy, out=out)


@pytest.mark.parametrize("chunk_size", [0, -1, 2.5, True, "all"])
def test_chunk_size_must_be_a_count(translator, lazy, chunk_size):
    with pytest.raises(ValueError, match=r"`chunk_size` must be an integer >= 1; got"):
        translator.transform(lazy, chunk_size=chunk_size)


def test_every_result_needs_its_place(emulator, starnet, lazy):
    labels = np.empty((N_STARS, 3))
    for estimator in (ParameterFitter(emulator), starnet):
        with pytest.raises(ValueError, match="one place for each of 2 results; got 1; give a tu"):
            estimator.predict(lazy, return_std=True, out=labels)
        with pytest.raises(ValueError, match="one place for each of 1 results; got 2; give one"):
            estimator.predict(lazy, out=(labels, labels))
        with pytest.raises(ValueError, match=r"`out\[1\]` must have the shape"):
            estimator.predict(lazy, return_std=True, out=(labels, labels[:2]))


def test_a_file_on_another_grid_is_refused(translator, emulator, lazy):
    other = LazySpectra(np.ones((600, N_PIXELS - 1)), None)
    for method in (translator.transform, ParameterFitter(emulator).predict):
        with pytest.raises(GridMismatchError, match="pixels"):
            method(other)


def test_no_spectra_are_refused_in_a_sentence(translator, emulator, starnet, many, lazy):
    fitter = ParameterFitter(emulator)
    for method in (translator.transform, fitter.predict, fitter.fit_table, starnet.predict):
        for X in (many, lazy):
            with pytest.raises(ValueError, match=r"must hold at least one spectrum.*; got .*; che"):
                method(X[0:0])


def test_a_closed_place_is_refused(translator, many, tmp_path):
    with h5py.File(tmp_path / "out.h5", "w") as file:
        out = file.create_dataset("x", many.shape, np.float32)
    with pytest.raises(ValueError, match="`out` must be in an open file"):
        translator.transform(many, out=out)


@pytest.mark.parametrize("name", ["StarNet", "CycleGAN"])
def test_a_fit_warns_of_nan_in_a_file_once(mock, named, monkeypatch, name):
    for module in (domain_data, starnet_rows):
        monkeypatch.setattr(module, "SAMPLE_VALUES", 100 * N_PIXELS)
        monkeypatch.setattr(module, "SAMPLE_ROWS", 100)
    monkeypatch.setattr(stored_rows, "PAGE_VALUES", 64 * N_PIXELS)
    part = mock.observed
    flux = np.where(np.random.default_rng(0).random(part.shape) < 0.02, np.nan, part.flux)
    X = LazySpectra(flux, part.wavelength, part.ivar, medium=part.medium)
    assert len(X) > 100, "several pages, and no copy in memory"
    settings = {"max_epochs": 2, "verbose": 0, "random_state": 0}
    fit = partial(CycleGANTranslator(warmup_epochs=1, **settings).fit, mock.synthetic, X)
    if name == "StarNet":
        fit = partial(StarNetRegressor(1, hidden=(8,), **settings).fit, X, mock.labels_observed)
    with pytest.warns(NaNFluxWarning) as found:
        fit()
    assert len(found) == 1


@pytest.mark.slow
def test_spectra_in_hdf5_are_cross_validated_in_processes(mock, tmp_path):
    part = mock.observed
    with h5py.File(tmp_path / "stars.h5", "w") as file:
        file["flux"], file["ivar"] = part.flux, part.ivar
    file = h5py.File(tmp_path / "stars.h5", "r")
    X = LazySpectra(file["flux"], part.wavelength, file["ivar"], medium=part.medium)
    net = StarNetRegressor(1, max_epochs=1, hidden=(8,), verbose=0, random_state=0)
    scores = cross_val_score(net, X, mock.labels_observed, cv=2, n_jobs=2)
    np.testing.assert_array_equal(scores, cross_val_score(net, part, mock.labels_observed, cv=2))
