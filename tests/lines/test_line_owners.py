"""Which labels may own lines, and what is said of those that can't be told apart."""

import numpy as np
import pytest

from spectragan.lines.table import choose_owners, group_owners


def test_atmosphere_owns_no_lines_unless_asked():
    names = ("teff", "logg", "vturb", "Fe", "Mg")
    assert choose_owners(names, None) == [3, 4]
    assert choose_owners(names, ["logg"]) == [1]


@pytest.mark.parametrize("owners", [["Zr"], "Fe", []])
def test_unknown_owners_are_refused(owners):
    with pytest.raises(ValueError, match="`owners` must name labels"):
        choose_owners(("teff", "Fe"), owners)


def test_only_atmospheric_labels_leave_no_owner():
    with pytest.raises(ValueError, match="`owners` must name labels"):
        choose_owners(("teff", "logg"), None)


def test_a_label_that_spectra_say_nothing_about_is_unattributable():
    labels = np.random.default_rng(0).standard_normal((500, 3))
    labels[:, 2] = labels[:, :2] @ [0.3, 0.3]
    owners = group_owners(labels, np.array([0.9, 0.8, 0.0]), [0, 1, 2])
    assert owners.unattributable == [2]
    # That it follows from the others is no reason to doubt these.
    assert owners.groups == [[0], [1]]


def test_labels_that_vary_together_are_one_group():
    rng = np.random.default_rng(0)
    common = rng.standard_normal((500, 1))
    labels = np.column_stack([common, common + 0.05 * rng.standard_normal((500, 1)), -common[::-1]])
    assert group_owners(labels, np.ones(3), [0, 1, 2]).groups == [[0, 1], [2]]


def test_nothing_known_leaves_no_group():
    owners = group_owners(np.zeros((50, 2)), np.zeros(2), [0, 1])
    assert owners.groups == []
    assert owners.unattributable == [0, 1]
