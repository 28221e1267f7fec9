import copy
import pickle

import astropy.units as u
import numpy as np
import pandas as pd
import pytest
from astropy.table import MaskedColumn, QTable, Table
from sklearn.model_selection import train_test_split

from spectragan.exceptions import LabelExtrapolationWarning
from spectragan.labels import (
    LabelArray,
    check_not_swapped,
    column_units,
    label_array,
    named_columns,
    warn_outside,
    with_names,
)
from spectragan.spectra import Spectra

NAMES = ("teff", "logg")
ARRAY = np.array([[5772.0, 4.44], [4300.0, 1.7]])


def as_kind(kind, names=NAMES, array=ARRAY):
    columns = dict(zip(names, array.T, strict=True))
    if kind is QTable:
        columns["teff"] = columns["teff"] * u.K
    return kind(columns)


@pytest.mark.parametrize("kind", [pd.DataFrame, Table, QTable])
def test_label_array_reads_named_columns_in_any_order_beside_others(kind):
    columns = np.column_stack([ARRAY[:, 1], [1, 2], ARRAY[:, 0]])
    shuffled = as_kind(kind, ("logg", "name", "teff"), columns)
    assert set(named_columns(shuffled)) == {"teff", "logg", "name"}
    np.testing.assert_array_equal(label_array(shuffled, NAMES), ARRAY)


@pytest.mark.parametrize("kind", [pd.DataFrame, Table, QTable])
def test_label_array_names_the_missing_column(kind):
    with pytest.raises(ValueError, match=r"columns of the fit, teff, logg, feh; got .*without feh"):
        label_array(as_kind(kind), (*NAMES, "feh"))


def test_label_array_converts_units():
    table = QTable({"teff": [5.772, 4.3] * u.kK, "logg": [4.44, 1.7]})
    np.testing.assert_allclose(label_array(table, NAMES, {"teff": u.K}), ARRAY)
    assert column_units(table) == {"teff": u.kK}
    with pytest.raises(ValueError, match="`teff` must have a unit that converts to 'Angstrom'"):
        label_array(table, NAMES, {"teff": u.AA})


def test_label_array_refuses_masked_labels():
    table = Table({"teff": MaskedColumn([5000.0, 6000.0], mask=[False, True])})
    with pytest.raises(ValueError, match="NaN"):
        label_array(table)


def test_label_array_keeps_float32_and_leaves_the_input_alone():
    labels = ARRAY.astype(np.float32)
    assert label_array(labels).dtype == np.float32
    assert label_array(ARRAY.astype(int)).dtype == np.float64
    assert named_columns(ARRAY) is None
    assert named_columns(pd.DataFrame(ARRAY)) is None, "numbered columns are no names"


def test_warn_outside_says_which_label_how_far_and_where():
    limits = np.array([[4000.0, 1.0], [7000.0, 5.0]])
    labels = np.array([[5000.0, 3.0], [7300.0, 5.1]])
    with pytest.warns(LabelExtrapolationWarning, match="`teff`.*got 7300 at row 1, 300 outside"):
        warn_outside(labels, limits, NAMES)


def test_warn_outside_forgives_float32():
    limits = np.array([[4000.1, 1.1], [7000.1, 4.9]])
    warn_outside(limits.astype(np.float32), limits, NAMES)


def named():
    return LabelArray(np.column_stack([ARRAY, [0.0, -1.0]]), ("teff", "logg", "feh"), {"teff": "K"})


def test_label_array_is_an_array_that_knows_its_columns():
    labels = named()
    assert isinstance(labels, np.ndarray)
    assert named_columns(labels) == ("teff", "logg", "feh")
    assert column_units(labels) == {"teff": u.K}
    assert labels.to_table()["teff"].unit == u.K
    np.testing.assert_array_equal(labels.to_table()["logg"], ARRAY[:, 1])
    assert type(labels[0]) is type(labels[:, 0]) is np.ndarray
    assert isinstance(labels[0, 0], float)


@pytest.mark.parametrize(
    ("keep", "names"),
    [
        (lambda x: x[:1], ("teff", "logg", "feh")),
        (lambda x: x[[1, 0], ...], ("teff", "logg", "feh")),
        (lambda x: x[np.array([True, False])], ("teff", "logg", "feh")),
        (lambda x: x[:, ::-1], ("feh", "logg", "teff")),
        (lambda x: x[:, [2, 0]], ("feh", "teff")),
        (lambda x: x[:, np.array([False, True, True])], ("logg", "feh")),
        (lambda x: x.copy(), ("teff", "logg", "feh")),
        (lambda x: x.astype(np.float32), ("teff", "logg", "feh")),
        (copy.deepcopy, ("teff", "logg", "feh")),
        (lambda x: pickle.loads(pickle.dumps(x)), ("teff", "logg", "feh")),
        (lambda x: train_test_split(x, random_state=0)[0], ("teff", "logg", "feh")),
    ],
)
def test_rows_copies_and_columns_keep_their_names(keep, names):
    kept = keep(named())
    assert kept.names == names
    assert kept.units == ({"teff": u.K} if "teff" in names else {})


@pytest.mark.parametrize(
    "change",
    [
        lambda x: x + 1,
        lambda x: np.clip(x, 0, 1),
        lambda x: x.T,
        lambda x: x[:, [0, 0]],
        lambda x: np.hstack([x, x]),
        lambda x: x.reshape(3, 2),
        lambda x: np.take(x, [1, 0, 2], axis=1),
        lambda x: x.mean(axis=0),
        lambda x: x[None],
        lambda x: np.sort(x, axis=1),
    ],
)
def test_nobody_claims_names_of_what_may_be_other_columns(change):
    changed = change(named())
    assert named_columns(changed) is None
    np.testing.assert_array_equal(changed, change(np.array(named())))


def test_label_array_is_read_by_name():
    labels = named()
    np.testing.assert_array_equal(label_array(labels[:, ::-1], NAMES), ARRAY)
    kilo = LabelArray(ARRAY / [1000, 1], NAMES, {"teff": "kK"})
    np.testing.assert_allclose(label_array(kilo, NAMES, {"teff": u.K}), ARRAY)
    # A fit to a bare array knows no names: columns are taken in their order.
    np.testing.assert_array_equal(label_array(labels[:, :2], ("label_0", "label_1")), ARRAY)
    with pytest.raises(ValueError, match="columns of the fit, teff, mh; got teff, logg, feh, wit"):
        label_array(labels, ("teff", "mh"))


@pytest.mark.parametrize(
    ("names", "units", "message"),
    [
        (("teff",), None, "`names` must name every column"),
        ("tl", None, "`label_names` must be a sequence of different names; got 'tl'"),
        (("teff", "teff"), None, "sequence of different names"),
        (("teff", 3), None, "sequence of different names"),
        (NAMES, {"feh": "dex"}, "`units` must be of the labels teff, logg; got feh"),
    ],
)
def test_label_array_says_what_is_wrong_with_names(names, units, message):
    with pytest.raises(ValueError, match=message):
        LabelArray(ARRAY, names, units)


def test_given_names_name_arrays_and_choose_of_tables():
    assert with_names(ARRAY, None) is ARRAY
    assert with_names(ARRAY.tolist(), NAMES).names == NAMES
    assert with_names([5000.0, 6000.0], ["teff"]).shape == (2, 1)
    chosen = with_names(as_kind(QTable), ("logg", "teff"))
    assert (chosen.names, chosen.units) == (("logg", "teff"), {"teff": u.K})
    np.testing.assert_array_equal(chosen, ARRAY[:, ::-1])


SPECTRA = Spectra(np.ones((2, 4)), None)


@pytest.mark.parametrize(
    ("labels", "spectra", "found"),
    [
        (SPECTRA, ARRAY, "Spectra as labels"),
        ([SPECTRA, SPECTRA], ARRAY, "list as labels"),
        (ARRAY, named(), "columns teff, logg, feh as spectra"),
        (ARRAY, as_kind(Table), "columns teff, logg as spectra"),
        (np.ones((2, 3000)), ARRAY, r"labels of shape \(2, 3000\) and spectra of shape \(2, 2\)"),
        (np.ones((2, 3000)), ARRAY[:, 0], r"labels of shape \(2, 3000\) and spectra of shape"),
    ],
)
def test_labels_and_spectra_that_changed_places_are_told(labels, spectra, found):
    with pytest.raises(ValueError, match=f"order fit.labels, spectra.; got {found}.*swap the two"):
        check_not_swapped(labels, spectra, "fit(labels, spectra)")


def test_labels_and_spectra_in_their_places_go_through():
    for spectra in (SPECTRA, np.ones((2, 3000)), np.ones(2), pd.DataFrame(np.ones((2, 4)))):
        for labels in (ARRAY, named(), as_kind(pd.DataFrame), ARRAY.tolist(), ARRAY[:, 0], None):
            check_not_swapped(labels, spectra, "fit(labels, spectra)")
