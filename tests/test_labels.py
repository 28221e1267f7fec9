import astropy.units as u
import numpy as np
import pandas as pd
import pytest
from astropy.table import MaskedColumn, QTable, Table

from spectragan.exceptions import LabelExtrapolationWarning
from spectragan.labels import column_units, label_array, named_columns, warn_outside

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
