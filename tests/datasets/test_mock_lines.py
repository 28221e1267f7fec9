"""Domains without some lines: which are missing, who owns them and how strong they are is true."""

import numpy as np
import pytest

from spectragan.datasets import make_line_domains
from spectragan.datasets.mock_lines import LineList, curve_of_growth


@pytest.fixture(scope="module")
def pair():
    return make_line_domains(150, 200, n_pixels=600, n_elements=5, random_state=0)


def test_line_domains_have_the_sizes_and_words_asked_for(pair):
    assert pair.synthetic.shape == (150, 600)
    assert pair.observed.shape == (200, 600)
    assert set(pair.synthetic.noise) == {"exact"}
    assert set(pair.observed.noise) == {"known"}
    assert pair.observed.medium == "vacuum"
    assert pair.label_names == ("teff", "logg", "vturb", "Fe", "Si", "Mg", "Ti", "Ca")
    assert pair.labels_observed.shape == (200, 8)
    assert pair.missing_depth.shape == (600, 5)


def test_line_domains_mask_the_fraction_asked_for(pair):
    assert pair.lines["missing"].sum() == round(0.3 * len(pair.lines))
    assert not make_line_domains(20, 20, n_pixels=300, masked_fraction=0)["lines"]["missing"].any()


def test_synthetic_spectra_have_continuum_where_only_missing_lines_are(pair):
    labels = pair.labels_observed[:50]
    lacking = pair.gap.observed(labels, np.zeros((50, 6))) - pair.gap.synthetic(labels)
    deep = pair.missing_depth.sum(axis=1) > 0.05
    assert deep.any()
    assert lacking[:, deep].mean() < -0.03


def test_missing_depth_is_what_observed_stars_lack(pair):
    n = len(pair.labels_observed)
    split = np.column_stack([np.full(n, 1.5), np.zeros((n, 5))])
    both = pair.gap.observed(pair.labels_observed, split)
    lacking = (pair.gap.synthetic(pair.labels_observed) - both).mean(axis=0)
    alone = pair.gap.synthetic(pair.labels_observed).mean(axis=0) > 0.999
    # Where no other line is, the depths of all elements are all that differs.
    np.testing.assert_allclose(lacking[alone], pair.missing_depth.sum(axis=1)[alone], atol=3e-3)


def test_abundances_scatter_by_no_more_than_published_ones(pair):
    assert pair.labels_observed[:, 3:].std(axis=0).max() < 0.17
    big = make_line_domains(4000, 10, n_pixels=200, n_elements=8, random_state=0)
    assert big.labels_synthetic[:, 3:].std(axis=0).max() <= 0.15


def test_elements_without_a_line_left_are_said_to_be_unattributable():
    pair = make_line_domains(10, 10, n_pixels=300, n_elements=6, masked_fraction=1, random_state=0)
    assert pair.unattributable == pair.label_names[3:]
    assert pair.synthetic.flux == pytest.approx(1.0)


def test_noise_of_line_domains_is_what_ivar_says(pair):
    truth = pair.gap.observed(pair.labels_observed, pair.split_observed)
    good = pair.observed.ivar > 0
    z = (pair.observed.flux - truth) * np.sqrt(pair.observed.ivar)
    assert np.mean(z[good] ** 2) == pytest.approx(1.0, abs=0.02)
    assert not good.all()


def test_same_seed_makes_the_same_lines_and_stars(pair):
    again = make_line_domains(150, 200, n_pixels=600, n_elements=5, random_state=0)
    np.testing.assert_array_equal(again.observed.flux, pair.observed.flux)
    other = make_line_domains(150, 200, n_pixels=600, n_elements=5, gap_seed=3, random_state=1)
    third = make_line_domains(150, 200, n_pixels=600, n_elements=5, gap_seed=3, random_state=2)
    np.testing.assert_array_equal(other.lines["wavelength"], third.lines["wavelength"])
    assert not np.array_equal(other.labels_observed, third.labels_observed)


@pytest.mark.parametrize(
    ("argument", "value"),
    [
        ("n_pixels", 10),
        ("n_elements", 21),
        ("masked_fraction", 1.5),
        ("snr", (50, 20)),
        ("split", -1),
        ("n_lines", 3),
    ],
)
def test_line_domains_refuse_impossible_numbers(argument, value):
    with pytest.raises(ValueError, match=f"`{argument}` must be"):
        make_line_domains(10, 10, **{argument: value})


def test_strong_lines_grow_slower_than_weak_ones():
    weak, strong = curve_of_growth(np.array([1e-4, 2e-4])), curve_of_growth(np.array([50.0, 100.0]))
    assert weak[1] / weak[0] == pytest.approx(2.0, rel=1e-3)
    assert strong[1] / strong[0] < 1.15


def test_neutral_lines_fade_in_hot_stars_and_ions_in_dense_ones():
    lines = LineList(
        wavelength=np.array([15200.0, 15300.0]),
        element=np.array([0, 0]),
        excitation=np.array([3.0, 3.0]),
        ionised=np.array([False, True]),
        log_strength=np.array([-1.0, -1.0]),
        elements=("Fe",),
    )
    cool, hot = [[4200.0, 2.0, 1.8, 0.0]], [[5200.0, 2.0, 1.8, 0.0]]
    giant, dwarf = [[4600.0, 1.0, 1.8, 0.0]], [[4600.0, 3.5, 1.8, 0.0]]
    width = [lines.equivalent_width(np.array(star))[0] for star in (cool, hot, giant, dwarf)]
    assert width[1][0] < 0.8 * width[0][0]
    assert width[3][1] < 0.8 * width[2][1]
