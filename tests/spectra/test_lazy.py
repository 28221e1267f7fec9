"""Spectra in files: read when needed, and then the same as in memory."""

import pickle

import astropy.units as u
import h5py
import numpy as np
import pytest
import zarr
from hypothesis import given
from hypothesis import strategies as st

from spectragan import LazySpectra, NaNFluxWarning, Spectra
from spectragan.spectra.lazy import any_good, has_good_pixel, in_memory
from spectragan.spectra.stored import chunk_rows, is_stored, read_rows

N_ROWS, N_PIXELS = 200, 7


class Counted:
    """A matrix in a file, which counts the rows that are read."""

    def __init__(self, values):
        self.values, self.shape, self.dtype, self.n_read = values, values.shape, values.dtype, 0

    def __len__(self):
        return len(self.values)

    def __getitem__(self, key):
        rows = self.values[key]
        self.n_read += len(rows)
        return rows


@pytest.fixture(scope="module")
def arrays():
    rng = np.random.default_rng(0)
    flux = rng.normal(1, 0.1, (N_ROWS, N_PIXELS)).astype(np.float32)
    ivar = np.where(rng.random(flux.shape) < 0.2, 0, 100).astype(np.float32)
    return flux, ivar


@pytest.fixture(scope="module", params=["h5py", "zarr", "memmap", "ndarray"])
def stored(request, arrays, tmp_path_factory):
    folder = tmp_path_factory.mktemp(request.param)
    if request.param == "h5py":
        file = h5py.File(folder / "spectra.h5", "w")
        return [file.create_dataset(str(i), data=a, chunks=(30, 7)) for i, a in enumerate(arrays)]
    if request.param == "zarr":
        return [
            zarr.create_array(folder / f"{i}.zarr", data=a, chunks=(30, 7))
            for i, a in enumerate(arrays)
        ]
    if request.param == "memmap":
        for i, array in enumerate(arrays):
            np.save(folder / f"{i}.npy", array)
        return [np.load(folder / f"{i}.npy", mmap_mode="r") for i in range(2)]
    return list(arrays)


@pytest.fixture(params=[1, -1], ids=["ascending", "descending"])
def axis(request):
    return np.arange(5000.0, 5000 + N_PIXELS)[:: request.param] * u.AA


def same(a, b):
    np.testing.assert_array_equal(a.flux, b.flux)
    np.testing.assert_array_equal(a.ivar, b.ivar)
    np.testing.assert_array_equal(a.noise, b.noise)
    assert (a.wavelength == b.wavelength).all()
    assert (a.medium, a.unit, a.dtype, a.shape) == (b.medium, b.unit, b.dtype, b.shape)


@given(st.lists(st.integers(-N_ROWS, N_ROWS - 1), max_size=40), st.slices(N_ROWS))
def test_rows_are_those_of_spectra_in_memory(arrays, rows, some):
    memory = Spectra(arrays[0], None, arrays[1], meta={"name": np.arange(N_ROWS)})
    lazy = LazySpectra(arrays[0], None, arrays[1], meta={"name": np.arange(N_ROWS)})
    for key in (rows, some):
        a, b = lazy[key], memory[key]
        np.testing.assert_array_equal(a.meta["name"], b.meta["name"])
        assert a.shape == b.shape
        if len(b):
            np.testing.assert_array_equal(a.flux, b.flux)
            np.testing.assert_array_equal(a[::2][::-1].ivar, b[::2][::-1].ivar)


def test_any_store_gives_what_memory_gives(stored, arrays, axis):
    words = np.where(np.arange(N_ROWS) % 2, "known", "known")
    memory = Spectra(arrays[0] * u.Jy, axis, arrays[1] / u.Jy**2, words, "air")
    lazy = LazySpectra(stored[0], axis, stored[1], words, "air", unit=u.Jy)
    same(lazy.load(), memory)
    same(lazy, memory)
    same(lazy[[5, 3, 150]].load(), memory[[5, 3, 150]])
    np.testing.assert_array_equal(lazy.filled(2.0), memory.filled(2.0))
    np.testing.assert_array_equal(lazy.mask, memory.mask)
    np.testing.assert_array_equal(lazy.std, memory.std)
    np.testing.assert_array_equal(np.asarray(lazy), np.asarray(memory))
    same(lazy.select_pixels([1, 2]), memory.select_pixels([1, 2]))
    same(lazy.with_flux(memory.flux + 1), memory.with_flux(memory.flux + 1))
    assert repr(lazy) == "Lazy" + repr(memory)


def test_blocks_hold_every_row_once(stored, arrays):
    blocks = list(LazySpectra(stored[0], None, stored[1]).blocks(64))
    assert [len(block) for block in blocks] == [64, 64, 64, 8]
    assert not any(isinstance(block, LazySpectra) for block in blocks)
    np.testing.assert_array_equal(np.concatenate([b.flux for b in blocks]), arrays[0])


def test_nothing_is_read_before_it_is_needed(arrays):
    flux, ivar = Counted(arrays[0]), Counted(arrays[1])
    lazy = LazySpectra(flux, None, ivar)
    part = lazy[10:50][[3, 5, 7]]
    assert (repr(part), len(part), part.shape, flux.n_read) == (repr(part), 3, (3, N_PIXELS), 0)
    part.load()
    assert flux.n_read == ivar.n_read <= 40


def test_any_good_stops_at_the_first_block_with_a_good_pixel(arrays):
    flux = Counted(np.ones((5000, 3)))
    lazy = LazySpectra(flux, None)
    assert any_good(lazy)
    assert flux.n_read <= lazy.block_rows
    assert has_good_pixel(lazy).all()
    assert in_memory(lazy[:1]).shape == (1, 3)


def test_values_under_the_mask_are_never_looked_at(arrays):
    flux, ivar = arrays
    garbage = np.where(ivar == 0, np.nan, flux)
    lazy = LazySpectra(garbage, None, ivar)  # NaN under the mask give no warning
    np.testing.assert_array_equal(lazy.filled(), LazySpectra(flux, None, ivar).filled())


def test_nan_is_masked_with_a_warning_when_it_is_read():
    flux = np.ones((3, 4))
    flux[2, 1] = np.nan
    lazy = LazySpectra(flux, None)
    lazy[:2].load()
    with pytest.warns(NaNFluxWarning):
        assert lazy.load().ivar[2, 1] == 0


def test_a_wrong_value_is_found_when_it_is_read_and_its_place_named():
    ivar = np.ones((30, 4))
    ivar[25, 2] = -1
    lazy = LazySpectra(np.ones((30, 4)), None, ivar)
    lazy[:20].load()
    for rows in (slice(20, None), [3, 28, 25, 4], slice(25, None, -5)):
        with pytest.raises(ValueError, match=r"got -1.0 at stored row 25, pixel 2; set ivar to 0"):
            lazy[rows][:20].load()


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        ({"flux": [[1.0]]}, TypeError, "`flux` must be a matrix in a file, of dask or of numpy"),
        ({"flux": np.ones(3)}, TypeError, "`flux` must be a matrix"),
        ({"flux": np.array([["a"]])}, TypeError, "`flux` must hold real numbers; got dtype <U1"),
        ({"flux": np.ones((0, 3))}, ValueError, "at least one spectrum and one pixel"),
        ({"ivar": np.ones((2, 4))}, ValueError, r"`ivar` must have the shape of flux, \(2, 3\)"),
        ({"noise": "known"}, ValueError, "`ivar` must be given where `noise` is 'known'"),
        ({"noise": ["exact"]}, ValueError, "`noise` must be one word or 2 words"),
        ({"medium": "water"}, ValueError, "`medium` must be"),
        ({"wavelength": [1, 2, 3]}, TypeError, "`wavelength` must be a Quantity"),
        ({"meta": {"a": [1]}}, ValueError, "must hold 2 values"),
    ],
)
def test_wrong_input_is_refused_at_once(change, error, words):
    given = {"flux": np.ones((2, 3)), "wavelength": None} | change
    with pytest.raises(error, match=words):
        LazySpectra(**given)


def test_blocks_follow_the_chunks_of_the_file():
    file = h5py.File("x.h5", "w", driver="core", backing_store=False)
    chunked = file.create_dataset("a", (50_000, 4000), np.float32, chunks=(2048, 4000))
    assert LazySpectra(chunked, None).block_rows == 2048
    assert LazySpectra(np.ones((9, 9), np.float16), None).dtype == np.float32
    assert chunk_rows(chunked) == 2048
    assert chunk_rows(np.ones(3)) == 1


def test_is_stored_knows_matrices_from_lists_frames_and_arrays(stored):
    import pandas as pd
    from scipy.sparse import csr_array

    for other in ([[1.0]], np.ones((2, 2)), pd.DataFrame({"a": [1]}), csr_array(np.eye(2)), None):
        assert not is_stored(other)
    assert not is_stored(Spectra(np.ones((2, 2)), None))
    assert is_stored(stored[0]) is not isinstance(stored[0], np.ndarray)


def test_read_rows_reads_neighbours_at_once():
    counted = Counted(np.arange(10_000)[:, None])
    rows = np.array([9000, 3, 4, 5, 3])
    np.testing.assert_array_equal(read_rows(counted, rows).ravel(), rows)
    assert counted.n_read == 4
    assert read_rows(counted, np.array([], int)).shape == (0, 1)


def test_lazy_spectra_can_be_pickled_where_their_arrays_can(arrays):
    lazy = LazySpectra(arrays[0], np.arange(1.0, 8) * u.um, arrays[1])[3:9]
    same(pickle.loads(pickle.dumps(lazy)).load(), lazy.load())
