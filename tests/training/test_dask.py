"""Dask arrays stay lazy, and their results are those of one process."""

import dask
import dask.array as da
import numpy as np
import pytest

from spectragan import GridMismatchError, LazySpectra, ParameterFitter, Spectra, StarNetRegressor

ROWS = 512  # of a chunk: a whole number of the fitter's and of the translators' batches
N_STARS = 700


@pytest.fixture(scope="module")
def many(mock):
    rng = np.random.default_rng(4)
    part = mock.observed[rng.integers(0, len(mock.observed), N_STARS)]
    flux = (part.flux + 0.01 * rng.standard_normal(part.shape)).astype(np.float32)
    return part.with_flux(flux, part.ivar.astype(np.float32))


@pytest.fixture(scope="module")
def arrays(many):
    return [da.from_array(np.array(a), chunks=(ROWS, -1)) for a in (many.flux, many.ivar)]


@pytest.fixture(scope="module", params=["Angstrom", "1 / cm"])
def lazy(request, many, arrays):
    """Return the spectra over dask arrays, with ascending and with descending wavelengths."""
    axis = many.wavelength
    if request.param == "Angstrom":
        return LazySpectra(arrays[0], axis, arrays[1], medium=many.medium)
    flux, ivar = (array[:, ::-1] for array in arrays)
    return LazySpectra(flux, axis[::-1], ivar, medium=many.medium)


@pytest.fixture(scope="module")
def fitter(emulator):
    return ParameterFitter(emulator)


def test_lazy_spectra_over_dask_read_what_memory_holds(lazy, many):
    assert lazy.is_dask
    np.testing.assert_array_equal(lazy[[7, 3]].load().flux, many[[7, 3]].flux)
    np.testing.assert_array_equal(lazy[100:600:3].ivar, many[100:600:3].ivar)


@pytest.mark.parametrize(
    "scheduler", ["synchronous", "threads", pytest.param("processes", marks=pytest.mark.slow)]
)
def test_labels_are_those_of_one_process(fitter, lazy, many, scheduler):
    expected = fitter.predict(many, return_std=True)
    labels, std = fitter.predict(lazy, return_std=True)
    assert isinstance(labels, da.Array)
    assert (labels.shape, labels.dtype, labels.chunks[0]) == (
        (N_STARS, 3),
        float,
        (ROWS, N_STARS - ROWS),
    )
    found = dask.compute(labels, std, scheduler=scheduler, num_workers=2)
    np.testing.assert_array_equal(found, expected)


def test_covariances_and_tables_are_those_of_one_process(fitter, arrays, many):
    lazy = LazySpectra(arrays[0], many.wavelength, arrays[1], medium=many.medium)[:ROWS]
    many = many[:ROWS]
    labels, covariance = fitter.predict(many, return_cov=True)
    found = dask.compute(*fitter.predict(lazy, return_cov=True))
    np.testing.assert_array_equal(found[0], labels)
    np.testing.assert_array_equal(found[1], covariance)
    expected, table = fitter.fit_table(many), fitter.fit_table(lazy)
    for name in expected.colnames:
        np.testing.assert_array_equal(table[name], expected[name])


@pytest.mark.parametrize("method", ["transform", "inverse_transform"])
def test_translated_spectra_stay_lazy_and_carry_their_masks(fitted, lazy, many, method):
    blind = np.where(np.arange(N_STARS)[:, None] % 500 == 3, 0, many.ivar)
    memory = many.with_flux(many.flux, blind)
    flux, ivar = lazy.stored_rows()
    ivar = da.where(np.arange(N_STARS)[:, None] % 500 == 3, 0, ivar).astype(np.float32)
    masked = LazySpectra(flux, lazy.spectral_axis, ivar, medium=many.medium)
    expected, found = getattr(fitted, method)(memory), getattr(fitted, method)(masked)
    assert isinstance(found, LazySpectra)
    assert found.is_dask
    np.testing.assert_array_equal(found.load().flux, expected.flux)
    np.testing.assert_array_equal(found.load().ivar, expected.ivar)
    assert not found[3].ivar.any()
    assert (found.noise == "exact").all()
    assert (found.wavelength == expected.wavelength).all()


def test_every_spectrum_is_translated_once(fitted, fitter, lazy, monkeypatch):
    n_rows, translated = [], type(fitted)._translated

    def count(self, spectra, domain):
        n_rows.append(len(spectra))
        return translated(self, spectra, domain)

    monkeypatch.setattr(type(fitted), "_translated", count)
    found = fitted.transform(lazy)
    uses = {
        "load": found.load,
        "blocks": lambda: list(found.blocks(10)),
        "rows": found[[650, 3, 9]].load,
        "table": lambda: fitter.fit_table(found),
    }
    with dask.config.set(scheduler="synchronous"):
        for name, use in uses.items():
            n_rows.clear()
            use()
            assert sum(n_rows) == N_STARS, name


def test_masks_of_dask_arrays_are_kept(fitted, fitter, many):
    bad = np.random.default_rng(0).random(many.shape) < 0.1
    garbage = da.from_array(np.where(bad, 1e6, many.flux), chunks=(ROWS, -1))
    hidden = da.ma.masked_array(garbage, bad)
    expected = many.with_flux(many.flux, np.where(bad, 0, 1).astype(np.float32), "unknown")
    lazy = LazySpectra(hidden, many.wavelength, medium=many.medium)
    np.testing.assert_array_equal(lazy.filled(), expected.filled())
    np.testing.assert_array_equal(fitted.transform(lazy).flux, fitted.transform(expected).flux)
    np.testing.assert_array_equal(fitter.predict(lazy[:ROWS]), fitter.predict(expected[:ROWS]))


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int16])
def test_plain_dask_arrays_give_dask_arrays(fitted, arrays, dtype):
    X = (100 * arrays[0]).astype(dtype) / dtype(1)
    found = fitted.transform(X)
    expected = fitted.transform(X.compute())
    assert isinstance(found, da.Array)
    assert (found.dtype, found.chunks, type(found._meta)) == (expected.dtype, X.chunks, np.ndarray)
    np.testing.assert_array_equal(found.compute(), expected)


def test_nothing_is_computed_before_it_is_asked_for(fitted, fitter, many):
    def fail(block):
        raise AssertionError("computed too early")

    X = da.ones(many.shape, chunks=(ROWS, -1)).map_blocks(fail, dtype=float, meta=np.ones((0, 0)))
    results = [fitted.transform(X), fitter.predict(X), *fitter.predict(X, return_cov=True)]
    with pytest.raises(AssertionError, match="too early"):
        results[0].compute()


def test_unknown_numbers_of_rows_are_fine_where_nothing_else_depends_on_them(
    fitted, fitter, arrays, many
):
    chosen = np.arange(N_STARS) % 3 == 0
    chosen[ROWS:] = False  # a chunk without rows
    some = arrays[0][da.from_array(chosen, chunks=ROWS)]
    np.testing.assert_array_equal(fitted.transform(some), fitted.transform(many.flux[chosen]))
    assert fitter.predict(some).compute().shape == (chosen.sum(), 3)
    with pytest.raises(ValueError, match=r"known number of rows; .* compute_chunk_sizes\(\)"):
        LazySpectra(some, None)


def test_starnet_predicts_lazily(mock, lazy, many):
    net = StarNetRegressor(1, max_epochs=1, hidden=(8,), verbose=0, random_state=0)
    net.fit(mock.synthetic, mock.labels_synthetic)
    found = dask.compute(*net.predict(lazy, return_std=True))
    np.testing.assert_array_equal(found, net.predict(many, return_std=True))
    single = net.fit(mock.synthetic, mock.labels_synthetic[:, 0])
    np.testing.assert_array_equal(single.predict(lazy), single.predict(many))


def test_spectra_in_columns_of_chunks_are_refused(fitted, fitter, arrays, many):
    split = arrays[0].rechunk((ROWS, 40))
    for method in (fitted.transform, fitter.predict, fitter.fit_table):
        with pytest.raises(ValueError, match=r"whole spectra in each chunk; got 2 .* X.rechunk"):
            method(split)
        with pytest.raises(ValueError, match=r"`flux` must have whole spectra in each chunk"):
            method(LazySpectra(split, many.wavelength, medium=many.medium))


def test_wrong_dask_arrays_are_refused_before_anything_runs(fitted, fitter, arrays):
    for method in (fitted.transform, fitter.predict):
        with pytest.raises((GridMismatchError, ValueError), match=r"79"):
            method(arrays[0][:, 1:])
        with pytest.raises(ValueError, match=r"must have the shape \(n_spectra, n_pixels\)"):
            method(arrays[0][0])
        with pytest.raises(GridMismatchError, match="other wavelengths"):
            method(LazySpectra(arrays[0], np.arange(1, 81) * fitted.wavelength_.unit))


def test_places_and_chunks_are_left_to_dask(fitted, fitter, lazy):
    for method in (fitted.transform, fitter.predict):
        with pytest.raises(ValueError, match="`out` must be None where `X` is a dask array"):
            method(lazy, out=np.empty(lazy.shape))
    with pytest.raises(ValueError, match="`chunk_size` must be None where `X` is a dask array"):
        fitted.transform(lazy, chunk_size=100)


def test_flux_of_dask_may_have_errors_in_a_file(fitter, arrays, many):
    mixed = LazySpectra(arrays[0], many.wavelength, np.array(many.ivar), medium=many.medium)
    np.testing.assert_array_equal(fitter.predict(mixed), fitter.predict(many))
    flipped = LazySpectra(np.array(many.flux), many.wavelength, arrays[1], medium=many.medium)
    np.testing.assert_array_equal(fitter.predict(flipped[:ROWS]), fitter.predict(many[:ROWS]))


def test_threads_of_the_caller_are_left_as_they_were(fitter, arrays):
    import torch

    before = torch.get_num_threads()
    fitter.predict(arrays[0][:ROWS]).compute(scheduler="threads", num_workers=2)
    assert torch.get_num_threads() == before
    assert isinstance(fitter.predict(Spectra(np.ones((2, 80)), None)), np.ndarray)
