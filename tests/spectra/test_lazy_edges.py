"""Stored spectra keep masks and units, travel to other processes, and say what is wrong."""

import copy
import pickle
import warnings
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from operator import methodcaller

import astropy.units as u
import dask.array as da
import h5py
import numpy as np
import pytest
from astropy.utils.masked import Masked
from sklearn.base import clone

from spectragan import LazySpectra, NaNFluxWarning, NoiseInjector, Spectra
from spectragan.spectra.inputs import validate_spectra
from spectragan.spectra.stored import is_stored, read_rows, read_spans

SHAPE = (60, 5)
AXIS = np.arange(5.0, 10) * u.um


@pytest.fixture
def flux():
    return np.random.default_rng(0).normal(1, 0.1, SHAPE)


@pytest.fixture
def mask():
    return np.random.default_rng(1).random(SHAPE) < 0.3


@pytest.fixture
def path(flux, tmp_path):
    """Return a file of HDF5 with flux and ivar."""
    with h5py.File(tmp_path / "stars.h5", "w") as file:
        file.create_dataset("group/flux", data=flux)
        file.create_dataset("ivar", data=np.full(SHAPE, 4.0))
    return tmp_path / "stars.h5"


def opened(path):
    file = h5py.File(path, "r")
    return LazySpectra(file["group/flux"], AXIS, file["ivar"], medium="air")


def masked_arrays(flux, mask):
    garbage = np.where(mask, 1e6, flux)
    yield np.ma.array(garbage, mask=mask)
    yield Masked(garbage, mask=mask)
    yield da.ma.masked_array(da.from_array(garbage, chunks=(7, -1)), mask)
    yield da.from_array(np.ma.array(garbage, mask=mask), chunks=(7, -1))


@pytest.mark.parametrize("unit", [None, u.Jy])
def test_masks_that_arrays_carry_are_kept(flux, mask, unit):
    ivar = np.full(SHAPE, 4.0)
    for array in masked_arrays(flux, mask):
        lazy = LazySpectra(array, AXIS, ivar, unit=unit)
        for rows in (slice(None), slice(50, 10, -3), [3, 40, 3, 7]):
            found = lazy[rows].load()
            np.testing.assert_array_equal(found.ivar, np.where(mask, 0, 4.0)[rows])
            np.testing.assert_array_equal(found.filled(), np.where(mask, 0, flux)[rows])
            assert found.unit == lazy.unit
        np.testing.assert_array_equal(LazySpectra(array, None).ivar == 0, mask)


def test_masked_errors_are_no_errors(flux, mask):
    garbage = np.where(mask, np.nan, 4.0)
    for array in masked_arrays(garbage, mask):
        found = LazySpectra(flux, AXIS, array).load()
        np.testing.assert_array_equal(found.ivar, np.where(mask, 0, 4.0))
    inside = Spectra(flux * u.Jy, AXIS, Masked(garbage, mask=mask) * u.mJy**-2)
    np.testing.assert_allclose(inside.ivar, np.where(mask, 0, 4e6))


def test_units_that_arrays_carry_are_kept(flux):
    lazy = LazySpectra(flux * u.Jy, AXIS, np.ones(SHAPE) * u.mJy**-2)
    assert lazy.unit == lazy[:3].load().unit == u.Jy
    np.testing.assert_allclose(lazy.ivar, 1e6)
    np.testing.assert_array_equal(lazy.flux, flux)
    other = LazySpectra(flux * u.Jy, AXIS, unit=u.mJy)
    np.testing.assert_allclose(other.flux, 1000 * flux)
    with pytest.raises(ValueError, match="`flux` must have a unit that converts to 'm'; got 'Jy'"):
        LazySpectra(flux * u.Jy, AXIS, unit=u.m)


def test_spectra_in_hdf5_go_to_other_processes(path, flux):
    lazy = opened(path)[[7, 3, 50]]
    with ProcessPoolExecutor(1, get_context("spawn")) as pool:
        found = pool.submit(methodcaller("load"), lazy).result()
    np.testing.assert_array_equal(found.flux, flux[[7, 3, 50]])
    assert (found.medium, found.ivar[0, 0]) == ("air", 4)


def test_copies_share_what_is_stored(path, flux):
    with h5py.File(path, "r+") as file:
        lazy = LazySpectra(file["group/flux"], AXIS)
        for other in (copy.copy(lazy), copy.deepcopy(lazy), clone(NoiseInjector(like=lazy)).like):
            assert other is not lazy
            np.testing.assert_array_equal(other.flux, flux)


def test_only_files_that_others_can_read_are_pickled(path, flux):
    words = r"open for reading only .* got mode 'r\+' .*; close"
    with h5py.File(path, "r+") as file, pytest.raises(ValueError, match=words):
        pickle.dumps(LazySpectra(file["ivar"], None))
    memory = h5py.File("memory.h5", "w", driver="core", backing_store=False)
    with pytest.raises(ValueError, match="must be in a file that is open for reading only"):
        pickle.dumps(LazySpectra(memory.create_dataset("x", data=flux), None))


def test_a_file_that_moved_is_named(path):
    lazy = opened(path)
    pickled = pickle.dumps(lazy)
    lazy.stored_rows()[0].file.close()
    path.rename(path.with_name("elsewhere.h5"))
    with pytest.raises(ValueError, match=r"stars.h5' must be a file .* data set '/group/flux'"):
        pickle.loads(pickled)


def test_closed_files_are_named_wherever_they_are_met(path):
    lazy = opened(path)
    array = lazy.stored_rows()[0]
    array.file.close()
    assert repr(lazy).startswith("LazySpectra(60 spectra, 5 pixels")
    calls = (
        lazy.load,
        lazy[[1, 5]].load,
        lambda: list(lazy.blocks()),
        lambda: read_rows(array, range(3)),
        lambda: LazySpectra(array, AXIS),
        lambda: is_stored(array),
        lambda: validate_spectra(NoiseInjector(), array, reset=True),
        lambda: pickle.dumps(lazy),
    )
    for call in calls:
        with pytest.raises(ValueError, match="whose file was closed; open it again with h5py"):
            call()


@pytest.mark.parametrize("size", [0, -1, 2.5, True])
def test_blocks_are_counted(flux, size):
    with pytest.raises(ValueError, match="`size` must be an integer >= 1; got"):
        LazySpectra(flux, None).blocks(size)


def test_nan_are_warned_of_once(flux):
    ivar = np.ones(SHAPE)
    flux[2, 1], ivar[2, 1] = np.nan, 0
    flux[31, 2:4] = np.nan
    lazy = LazySpectra(flux, AXIS, ivar)
    lazy[:30].load()
    with pytest.warns(NaNFluxWarning, match=r"^2 pixels .* the first at stored row 31; .*ivar 0"):
        lazy[[5, 31, 2]].load()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert sum((block.ivar == 0).sum() for block in lazy.blocks(7)) == 3
        assert np.isfinite(pickle.loads(pickle.dumps(lazy)).flux).all()


def test_chunks_of_dask_are_read_whole(flux):
    chunked = da.from_array(flux, chunks=(20, -1))
    for rows, size, stops in (
        (range(60), 10, [20, 40, 60]),
        (range(60), 45, [40, 60]),
        (range(10, 60, 3), 1, [4, 10, 17]),
        (np.array([1, 2, 50]), 2, [2, 3]),
        (range(0), 5, []),
    ):
        assert [span.stop for span in read_spans([chunked], rows, size)] == stops
    assert read_spans([chunked], np.array([9, 2, 50]), 2) == [slice(0, 2), slice(2, 4)]
    blocks = list(LazySpectra(chunked, None)[5:][::2].blocks(6))
    assert max(len(block) for block in blocks) == 6
    np.testing.assert_array_equal(np.concatenate([b.flux for b in blocks]), flux[5::2])
