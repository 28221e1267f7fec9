"""Tables of labels that would be learned from as they are, and wrongly."""

import astropy.units as u
import numpy as np
import pandas as pd
import pytest
from astropy.table import QTable, Table

from spectragan import (
    MissingLabelWarning,
    ParameterFitter,
    SpectrumEmulator,
    StarNetRegressor,
    compare_labels,
)
from spectragan.label_checks import hide_codes, order_of
from spectragan.labels import column_units, label_array

NAMES = ("teff", "logg", "feh")
LOW, HIGH = np.array([4000.0, 1.0, -1.0]), np.array([6500.0, 4.5, 0.4])


@pytest.fixture(scope="module")
def stars():
    """Return labels and spectra of 40 stars."""
    labels = np.random.default_rng(0).uniform(LOW, HIGH, size=(40, 3))
    z = (labels - LOW) / (HIGH - LOW)
    return labels, 1 - 0.5 * z @ np.random.default_rng(1).uniform(0, 0.5, (3, 12))


def estimators():
    return {
        "emulator": lambda y, x: SpectrumEmulator(3, random_state=0, verbose=0).fit(y, x),
        "starnet": lambda y, x: StarNetRegressor(
            1, max_epochs=1, batch_size=8, random_state=0, verbose=0
        ).fit(x, y),
        "fitter": lambda y, x: ParameterFitter(SpectrumEmulator(3, verbose=0), verbose=0).fit(x, y),
    }


@pytest.mark.parametrize("code", [-9999.0, -9999.99, -999, -99.99, 99.99, 1e20, -(2.0**31)])
@pytest.mark.parametrize("column", [0, 2])
def test_codes_of_catalogues_are_no_labels(code, column, stars):
    labels = stars[0].copy()
    labels[5, column] = code
    with pytest.warns(MissingLabelWarning, match=f"row 5 in `{NAMES[column]}` .1 of 40 rows"):
        found = hide_codes(labels, NAMES, "X")
    expected = stars[0].copy()
    expected[5, column] = np.nan
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize(
    "values",
    [np.linspace(-300, 300, 101) - 99, [9000, 9500, 9999], [0.9, 0.99, 9], [99, 98, 97], [-99.0]],
)
def test_values_among_others_are_no_codes(values):
    labels = np.array(values, dtype=float)[:, None]
    assert hide_codes(labels, ("velocity",), "X") is labels


@pytest.mark.parametrize("name", estimators())
def test_stars_with_codes_are_left_out_of_fits(name, stars):
    labels, flux = stars
    bad = labels.copy()
    bad[3, 2] = -9999
    with pytest.warns(MissingLabelWarning, match="what isn't known is left out"):
        fitted = estimators()[name](bad, flux)
    rest = np.delete(labels, 3, axis=0)
    np.testing.assert_array_equal(fitted.label_range_, [rest.min(0), rest.max(0)])
    if name == "emulator":
        same = estimators()[name](rest, np.delete(flux, 3, axis=0))
        np.testing.assert_array_equal(fitted.predict(rest), same.predict(rest))


@pytest.mark.parametrize("name", ["emulator", "fitter"])
def test_a_missing_label_is_named_with_its_star(name, stars):
    bad = Table(stars[0], names=NAMES, copy=True)
    bad["logg"][3] = np.nan
    with pytest.raises(ValueError, match=r"none for 'logg' at row 3 \(1 of 40 rows.* drop such"):
        estimators()[name](bad, stars[1])


@pytest.mark.parametrize("name", estimators())
@pytest.mark.parametrize("kind", [pd.DataFrame, Table])
def test_errors_of_labels_are_no_labels(name, kind, stars):
    table = kind({"teff": stars[0][:, 0], "teff_err": 30.0 + stars[0][:, 1]})
    with pytest.raises(ValueError, match=r"errors, too, in teff_err; .* table\[\['teff'\]\]"):
        estimators()[name](table, stars[1])


def test_words_are_named_with_their_column(stars):
    frame = pd.DataFrame(stars[0], columns=NAMES)
    frame.insert(0, "star", "HD 1")
    with pytest.raises(ValueError, match="words in 'star'; select"):
        label_array(frame)
    np.testing.assert_array_equal(label_array(frame.astype(object), NAMES), stars[0])


def test_records_and_dicts_have_names_and_units(stars):
    table = Table(stars[0], names=NAMES)
    records = table.as_array()
    np.testing.assert_array_equal(label_array(records, NAMES[::-1]), stars[0][:, ::-1])
    emulator = estimators()["emulator"](records, stars[1])
    assert emulator.label_names_ == NAMES
    expected = emulator.predict([[5000, 3, 0]])
    one = emulator.predict({"feh": 0, "logg": 3, "teff": 5000})
    np.testing.assert_array_equal(one, expected)
    with_unit = {"teff": [5.0] * u.kK, "logg": [3.0], "feh": [0.0]}
    assert column_units(with_unit) == {"teff": u.kK}
    np.testing.assert_array_equal(label_array(with_unit, NAMES, {"teff": u.K}), [[5000, 3, 0]])


@pytest.mark.parametrize("name", ["emulator", "starnet"])
def test_the_same_stars_in_another_order_are_refused(name, stars):
    labels, flux = (pd.DataFrame(values, index=[f"s{i}" for i in range(40)]) for values in stars)
    labels.columns, flux.columns = NAMES, [f"p{i}" for i in range(12)]
    with pytest.raises(ValueError, match="same index in another order"):
        estimators()[name](labels.sort_values("teff"), flux)


def test_compared_labels_are_those_of_the_same_stars(stars):
    catalogue = pd.DataFrame(stars[0], columns=NAMES, index=[f"s{i}" for i in range(40)])
    fitted = catalogue.add([50, 0.1, 0.05]).sort_values("teff")
    std = (0 * catalogue).add([60, 0.05, 0.06])
    std.iloc[7] = 1e-9
    found = compare_labels(fitted, catalogue, std=std)
    np.testing.assert_allclose(found.scatter, 0, atol=1e-9)
    np.testing.assert_allclose(found.bias, [50, 0.1, 0.05])
    np.testing.assert_array_equal(found.coverage, [39 / 40, 0, 39 / 40])
    bare = compare_labels(fitted.reset_index(drop=True), catalogue)
    assert bare.scatter[0] > 100, "an index that says nothing is no reason to move rows"
    assert order_of(fitted, catalogue.iloc[:39]) is None


def test_compared_codes_are_missing_and_errors_no_labels(stars):
    bad = stars[0].copy()
    bad[:3, 2] = -9999.99
    with pytest.warns(MissingLabelWarning, match="`catalogue` must hold NaN"):
        found = compare_labels(stars[0], bad, label_names=NAMES)
    assert found.n_missing.tolist() == [0, 0, 3]
    assert found.rms[2] == 0
    table = QTable({"teff": stars[0][:, 0] * u.K, "teff_err": np.full(40, 9.0) * u.K})
    assert compare_labels(table, Table(stars[0], names=NAMES)).label_names == ("teff",)
