"""Bias, scatter and coverage are what numpy says, from the stars that have both values."""

import astropy.units as u
import numpy as np
import pandas as pd
import pytest
from astropy.table import MaskedColumn, QTable, Table
from astropy.utils.masked import Masked
from hypothesis import given, settings
from hypothesis import strategies as st

from spectragan import Spectra, compare_labels
from spectragan.diagnostics.label_comparison import decimals, with_error

NAMES = ("teff", "logg", "feh")
STD = np.array([50.0, 0.1, 0.05])


def make_labels(n=200, seed=0, bias=(0.0, 0.0, 0.0)):
    """Return fitted and catalogue labels of known bias and errors."""
    rng = np.random.default_rng(seed)
    catalogue = rng.uniform([4500, 1, -2], [6000, 4, 0], size=(n, 3))
    return catalogue + bias + rng.normal(size=(n, 3)) * STD, catalogue


def compare(fitted, catalogue, **kwargs):
    return compare_labels(fitted, catalogue, **{"random_state": 0, **kwargs})


def same(a, b):
    """Raise unless two comparisons have the same numbers."""
    assert a.label_names == b.label_names
    for name in ("n_used", "n_missing", "bias", "bias_interval", "scatter", "rms"):
        np.testing.assert_allclose(getattr(a, name), getattr(b, name), rtol=1e-10, err_msg=name)


def test_compare_labels_measures_what_numpy_measures():
    fitted, catalogue = make_labels(bias=(30, 0, 0))
    fitted[7], catalogue[[3, 9], 2] = np.nan, np.nan
    std = np.tile(STD, (len(fitted), 1))
    std[11, 0] = np.nan
    result = compare(fitted, catalogue, std=std, label_names=NAMES)
    assert result.label_names == NAMES
    np.testing.assert_array_equal(result.n_missing, [1, 1, 3])
    np.testing.assert_array_equal(result.n_used, [199, 199, 197])
    for i in range(3):
        d = (fitted - catalogue)[:, i]
        sigma = std[np.isfinite(d), i]
        d = d[np.isfinite(d)]
        mad = np.median(np.abs(d - np.median(d)))
        assert result.bias[i] == np.median(d)
        assert result.scatter[i] == pytest.approx(1.4826 * mad, rel=1e-5)
        assert result.rms[i] == pytest.approx(np.sqrt(np.mean(d**2)))
        assert result.coverage[i] == np.mean((np.abs(d) <= sigma)[np.isfinite(sigma)])


@pytest.mark.parametrize("n", [7, 30, 31])
def test_compare_labels_interval_is_that_of_resampling(n):
    fitted, catalogue = make_labels(n)
    resamples = np.random.default_rng(1).integers(n, size=(20_000, n))
    for i, interval in enumerate(compare(fitted, catalogue).bias_interval):
        medians = np.median((fitted - catalogue)[:, i][resamples], axis=1)
        expected = np.percentile(medians, [2.5, 97.5])
        np.testing.assert_allclose(interval, expected, atol=0.08 * np.ptp(expected))


def test_compare_labels_interval_holds_the_true_bias():
    held = []
    for seed in range(100):
        fitted, catalogue = make_labels(40, seed, bias=(30, 0.1, -0.02))
        low, high = compare(fitted, catalogue).bias_interval.T
        held.append((low <= [30, 0.1, -0.02]) & (high >= [30, 0.1, -0.02]))
    assert 0.91 < np.mean(held) < 0.99  # 300 intervals: 0.95 with a standard error of 0.013


def test_compare_labels_of_few_stars_has_no_interval():
    fitted, catalogue = make_labels(5)
    result = compare(fitted, catalogue)
    assert np.isnan(result.bias_interval).all()
    assert np.isfinite(result.bias).all()
    assert "[" not in result.bias_text(0)
    assert not np.isnan(compare(*make_labels(6)).bias_interval).any()


def test_compare_labels_without_a_label_measures_the_others():
    fitted, catalogue = make_labels(20)
    whole = compare(fitted, catalogue, std=np.ones_like(fitted))
    catalogue[:, 1] = np.nan
    result = compare(fitted, catalogue, std=np.ones_like(fitted))
    assert result.n_used.tolist() == [20, 0, 20]
    assert np.isnan([result.bias[1], result.scatter[1], result.rms[1], result.coverage[1]]).all()
    np.testing.assert_array_equal(result.bias_interval[2], whole.bias_interval[2])
    assert "nan" in result.summary()


def test_compare_labels_is_the_same_with_the_same_seed():
    fitted, catalogue = make_labels(31)
    before = fitted.copy(), catalogue.copy(), np.random.get_state()[1].copy()  # noqa: NPY002
    first, second = (compare(fitted, catalogue, random_state=4) for _ in range(2))
    np.testing.assert_array_equal(first.bias_interval, second.bias_interval)
    np.testing.assert_array_equal(fitted, before[0])
    np.testing.assert_array_equal(catalogue, before[1])
    np.testing.assert_array_equal(np.random.get_state()[1], before[2])  # noqa: NPY002


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 1000), n=st.integers(6, 60), shift=st.floats(-1e3, 1e3))
def test_compare_labels_does_not_depend_on_the_order_and_follows_a_shift(seed, n, shift):
    fitted, catalogue = make_labels(n, seed)
    rows = np.random.default_rng(seed).permutation(n)
    plain = compare(fitted, catalogue)
    same(compare(fitted[rows], catalogue[rows]), plain)
    moved = compare(fitted + shift, catalogue)
    np.testing.assert_allclose(moved.bias, plain.bias + shift, atol=1e-9)
    np.testing.assert_allclose(moved.scatter, plain.scatter, atol=1e-9)
    assert (np.diff(plain.bias_interval) >= 0).all()


def test_compare_labels_reads_tables_by_name_and_unit():
    fitted, catalogue = make_labels(50)
    catalogue[:4, 0] = np.nan
    expected = compare(fitted, catalogue, label_names=NAMES)
    masked = Masked(np.nan_to_num(catalogue[:, 0]) / 1000 * u.kK, mask=np.isnan(catalogue[:, 0]))
    table = QTable({"star": ["a"] * 50, "feh": catalogue[:, 2], "teff": masked})
    table["logg"] = catalogue[:, 1] * u.dex
    result = compare(fitted, table, label_names=NAMES)
    # Plain numbers are taken in the units of the table that has some.
    kilo = np.nanmedian(fitted[:, 0] - catalogue[:, 0] / 1000)
    assert result.bias[0] == pytest.approx(kilo)
    with_units = QTable({"teff": fitted[:, 0] * u.K, "logg": fitted[:, 1], "feh": fitted[:, 2]})
    result = compare(with_units, table)
    same(result, expected)
    assert result.units == ("K", "dex", "")
    assert "teff [K]" in result.summary()
    column = MaskedColumn(np.nan_to_num(catalogue[:, 0]), mask=np.isnan(catalogue[:, 0]))
    plain = Table({"teff": column, "logg": catalogue[:, 1], "feh": catalogue[:, 2]})
    same(compare(fitted, plain), expected)


def test_compare_labels_reads_data_frames():
    fitted, catalogue = make_labels(50)
    catalogue[:4, 0] = np.nan
    expected = compare(fitted, catalogue, label_names=NAMES)
    frame = pd.DataFrame(catalogue, columns=list(NAMES), index=np.arange(100, 150))
    frame["star"] = "a"
    same(compare(fitted, frame, label_names=NAMES), expected)
    frame["teff"] = frame["teff"].astype("Float64")
    same(compare(pd.DataFrame(fitted, columns=list(NAMES)), frame), expected)
    only = compare(fitted[:, [2]], frame, label_names=["feh"])
    np.testing.assert_array_equal(only.bias_interval[0], expected.bias_interval[2])


def test_comparison_tells_its_numbers():
    fitted, catalogue = make_labels(bias=(-140, 0, 0))
    fitted[0] = np.nan
    result = compare(fitted, catalogue, std=np.tile(STD, (200, 1)), label_names=NAMES)
    numbers = result.as_dict()
    assert list(numbers) == list(NAMES)
    assert numbers["teff"]["n_missing"] == 1
    assert numbers["logg"]["bias"] == result.bias[1]
    assert numbers["feh"]["bias_interval"] == tuple(result.bias_interval[2])
    assert numbers["teff"]["coverage"] == result.coverage[0]
    assert "fitted" not in numbers["teff"]
    table = result.summary().splitlines()
    assert len(table) == 5
    assert f"{result.bias_text(0)} " in table[1]
    assert f"{result.coverage[0]:.2f}" in table[1]
    assert "0.68" in table[-1]
    assert repr(result).startswith(f"LabelComparison(teff: bias {result.bias_text(0)}, scatter ")
    without = compare(fitted, catalogue)
    assert without.coverage is None
    assert without.as_dict()["label 0"]["coverage"] is None
    assert "0.68" not in without.summary()


@pytest.mark.parametrize(
    ("size", "places", "text"),
    [(43.2, 0, "5012 ± 43"), (0.0996, 3, "5012.346 ± 0.100"), (1.5, 1, "5012.3 ± 1.5")],
)
def test_numbers_are_rounded_to_their_errors(size, places, text):
    assert decimals(size) == places
    assert with_error(5012.3456, size) == text
    assert with_error(5012.3456, np.nan) == "5012"
    assert decimals(0.0) == decimals(np.nan) == 2


FITTED, CATALOGUE = make_labels(12)
NAMED = Table(FITTED, names=NAMES)


@pytest.mark.parametrize(
    ("fitted", "catalogue", "options", "message"),
    [
        (FITTED, CATALOGUE[:-1], {}, "`catalogue` must have the stars of `fitted` row by row, 12;"),
        (FITTED, CATALOGUE, {"std": FITTED[1:]}, "`std` must have the stars of `fitted`"),
        (FITTED, CATALOGUE[:, :2], {}, r"`catalogue` must have the shape \(n_stars, 3\)"),
        (FITTED[:, 0], CATALOGUE, {}, r"`fitted` must have the shape \(n_stars, 1\)"),
        (FITTED[:0], CATALOGUE[:0], {}, "must share a star with finite labels; got 0 stars"),
        (FITTED * np.nan, CATALOGUE, {}, "must share a star with finite labels; got 12 stars"),
        (FITTED, CATALOGUE, {"std": -CATALOGUE}, "`std` must not be negative; got -"),
        (FITTED, CATALOGUE, {"label_names": "teff"}, "`label_names` must be a sequence of diff"),
        (FITTED, CATALOGUE, {"label_names": "aab"}, "`label_names` must be a sequence of diff"),
        (FITTED, CATALOGUE, {"label_names": ["teff"]}, r"have the shape \(n_stars, 1\)"),
        (NAMED, NAMED["teff", "feh"], {}, "`catalogue` must have a column for every label"),
        (NAMED, CATALOGUE, {"label_names": ["age"]}, "`fitted` must have a column for every label"),
        ([[1, 2], [3]], CATALOGUE, {}, "`fitted` must hold numbers in rows of one length; got"),
        (FITTED, CATALOGUE.astype(str) + ["x"] * 3, {}, "`catalogue` must hold numbers"),
        (FITTED * u.K, CATALOGUE, {}, "`fitted` must be a table where labels have units; got an"),
        (
            QTable({"teff": FITTED[:, 0] * u.K}),
            QTable({"teff": CATALOGUE[:, 0] * u.m}),
            {},
            "`teff` of `catalogue` must have a unit that converts to 'K'; got 'm'",
        ),
    ],
)
def test_compare_labels_says_what_is_wrong(fitted, catalogue, options, message):
    with pytest.raises(ValueError, match=message) as caught:
        compare(fitted, catalogue, **options)
    assert str(caught.value).count(";") == 2


def test_spectra_in_place_of_labels_are_refused():
    spectra = Spectra(np.ones((5, 3)), None, noise="exact")
    labels = np.arange(15.0).reshape(5, 3)
    for pair in ((spectra, labels), (labels, spectra)):
        with pytest.raises(TypeError, match=r"must hold labels.*got Spectra"):
            compare_labels(*pair)
