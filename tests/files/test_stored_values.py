"""Every value that a model may have comes back as the same: type, bits, units, order in memory."""

import astropy.units as u
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import sparse

from spectragan import ModelFileError, Spectra
from spectragan.files.decoding import Decoder
from spectragan.files.encoding import Encoder
from spectragan.files.layout import read_json, write_json

PLAIN = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**30), 10**30)
    | st.floats()
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.tuples(inner, inner)
        | st.dictionaries(st.text("abc") | st.integers(0, 5), inner, max_size=3)
    ),
    max_leaves=12,
)


def round_trip(value):
    """Return a value after the way to a file and back."""
    encoder = Encoder()
    node = encoder.encode(value, "value")
    return Decoder(encoder.tensors, {}).decode(read_json(write_json(node).encode()))


def same(a, b):
    """Compare values with their types; NaN is NaN."""
    if type(a) is not type(b):
        return False
    if isinstance(a, dict):
        return same(list(a.items()), list(b.items()))
    if isinstance(a, list | tuple):
        return len(a) == len(b) and all(map(same, a, b))
    return repr(a) == repr(b)


@given(PLAIN)
def test_plain_values_come_back(value):
    assert same(round_trip(value), value)


@given(st.lists(st.floats(), min_size=8, max_size=30))
def test_long_lists_of_floats_come_back(value):
    assert same(round_trip(value), value)


@given(
    hnp.arrays(
        st.sampled_from(["<f8", ">f8", "<f4", "<i8", ">i4", "u1", "?", "<U3"]),
        hnp.array_shapes(min_dims=0, max_dims=3, max_side=4),
    ),
    st.permutations([0, 1, 2]),
)
def test_arrays_come_back_in_their_order(array, axes):
    array = array.transpose([axis for axis in axes if axis < array.ndim])
    found = round_trip(array)
    np.testing.assert_array_equal(found, array)
    assert found.dtype == array.dtype.newbyteorder("=")
    longer = [axis for axis in range(array.ndim) if array.shape[axis] > 1]
    if array.size and array.dtype.kind != "U":
        assert [found.strides[i] for i in longer] == [array.strides[i] for i in longer]


@pytest.mark.parametrize(
    "value",
    [
        np.float32(0.1),
        np.float64(np.nan),
        np.int64(3),
        np.bool_(True),
        slice(1, None, 2),
        slice(0, 5),
        [slice(0, 3), slice(3, 9)],
    ],
)
def test_scalars_and_slices_come_back(value):
    assert same(round_trip(value), value)


def test_words_of_numpy_become_words():
    assert same(round_trip(np.str_("air")), "air")


UNITS = [
    u.AA,
    u.nm,
    u.dimensionless_unscaled,
    u.km / u.s,
    u.Unit("1e-17 erg / (Angstrom s cm2)"),
    u.Unit(3.3333333333333335e-17 * u.erg / u.s),
    u.cm**-0.5,
    u.m ** (2 / 3),
    u.percent,
    u.dex,
    u.dex(u.cm / u.s**2),
    u.mag(u.ct / u.s),
    u.K,
    u.Jy,
    u.electron,
]


@pytest.mark.parametrize("unit", UNITS, ids=str)
def test_units_come_back_exactly(unit):
    found = round_trip(unit)
    assert found == unit
    assert found.to_string() == unit.to_string()
    if isinstance(unit, u.UnitBase):
        assert found.scale == unit.scale


@pytest.mark.parametrize(
    "value", [3.0 * u.AA, [1, 2] * u.km / u.s, np.float32([1]) * u.nm, 4 * u.m]
)
def test_quantities_come_back(value):
    found = round_trip(value)
    assert type(found) is u.Quantity
    assert found.unit == value.unit
    assert found.dtype == value.dtype
    np.testing.assert_array_equal(found.value, value.value)


@pytest.mark.parametrize(
    "bits",
    [np.random.MT19937, np.random.PCG64, np.random.PCG64DXSM, np.random.Philox, np.random.SFC64],
)
def test_generators_come_back_in_their_state(bits):
    generator = np.random.Generator(bits(3))
    generator.normal(size=5)
    found = round_trip(generator)
    np.testing.assert_array_equal(found.normal(size=20), generator.normal(size=20))


def test_random_states_come_back_in_their_state():
    state = np.random.RandomState(3)
    state.normal(size=5)  # an odd number: one is kept for the next call
    np.testing.assert_array_equal(round_trip(state).normal(size=9), state.normal(size=9))


def test_sparse_matrices_come_back():
    matrix = sparse.csr_array(np.diag([1.0, 2.0, 3.0])[:, :2])
    found = round_trip(matrix)
    assert type(found) is type(matrix)
    assert found.shape == (3, 2)
    np.testing.assert_array_equal(found.toarray(), matrix.toarray())


@pytest.mark.parametrize("axis", [None, np.linspace(500, 510, 4) * u.nm, [4, 3, 2, 1] * u.eV])
def test_spectra_come_back(axis):
    flux = np.arange(12.0).reshape(3, 4)
    ivar = np.where(flux == 5, 0.0, 2.0)
    meta = {"name": ["a", "b", "c"], "mjd": np.arange(3.0), "ra": np.arange(3) * u.deg}
    spectra = Spectra(flux, axis, ivar, medium="air", meta=meta)
    found = round_trip(spectra)
    np.testing.assert_array_equal(found.flux, spectra.flux)
    np.testing.assert_array_equal(found.ivar, spectra.ivar)
    assert list(found.noise) == list(spectra.noise)
    assert found.medium == "air"
    assert found.meta["name"] == ["a", "b", "c"]
    assert not found.flux.flags.writeable
    if axis is not None:
        np.testing.assert_array_equal(found.spectral_axis, spectra.spectral_axis)
        np.testing.assert_array_equal(found.wavelength, spectra.wavelength)
        assert found.spectral_axis.unit == axis.unit


def test_a_memory_map_comes_back_as_an_array(tmp_path):
    array = np.memmap(tmp_path / "map", dtype=float, mode="w+", shape=(3, 2))
    array[:] = 7
    found = round_trip(array)
    assert type(found) is np.ndarray
    np.testing.assert_array_equal(found, array)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (object(), "a file of plain data can hold; got builtins.object; use arrays"),
        (len, "got builtins.builtin_function_or_method; use arrays"),
        ({1, 2}, "got builtins.set"),
        (np.array([object()]), "numbers of at most 64 bits; got an array of object"),
        (np.array([1j]), "numbers of at most 64 bits; got an array of complex128"),
        (np.datetime64("2020-01-01"), "got numpy.datetime64"),
        (np.ma.masked_array([1.0], [True]), "got numpy.ma"),
        (
            u.def_unit("furlong", 201 * u.m),
            "a unit must be one that astropy knows by name; got furl",
        ),
    ],
    ids=[str(k) for k in range(8)],
)
def test_what_is_no_plain_data_is_refused(value, message):
    with pytest.raises(ModelFileError, match=message):
        round_trip(value)
