"""The controlled pair: its truth is true, its rows are unpaired and its noise is what it says."""

import numpy as np
import pytest

from spectragan.datasets import make_mock_domains

SPECTRA = ("synthetic", "observed", "synthetic_of_observed", "observed_truth")


@pytest.fixture(scope="module")
def pair():
    return make_mock_domains(400, 500, random_state=0)


def rms(values):
    return float(np.sqrt(np.mean(np.square(values, dtype=float))))


def test_mock_shapes_words_and_medium(pair):
    assert pair.synthetic.shape == (400, 3111)
    for name in SPECTRA[1:]:
        assert pair[name].shape == (500, 3111)
    for name in SPECTRA:
        assert pair[name].medium == "air"
        assert pair[name].dtype == np.float32
        assert set(pair[name].noise) == {"known" if name == "observed" else "exact"}
    assert pair.labels_synthetic.shape == (400, 3)
    assert pair.labels_observed.shape == (500, 3)
    assert pair.label_names == ("teff", "logg", "feh")
    assert pair.split_observed.shape == (500, len(pair.split_names))


def test_mock_truth_agrees_with_the_observed_spectra_within_their_noise(pair):
    good = pair.observed.ivar > 0
    z = (pair.observed.flux - pair.observed_truth.flux) * np.sqrt(pair.observed.ivar)
    assert np.mean(z[good] ** 2) == pytest.approx(1.0, abs=0.01)
    assert np.mean(z[good]) == pytest.approx(0.0, abs=0.01)


def test_mock_truth_is_the_gap_function_of_labels_and_split(pair):
    rows = slice(0, 5)
    labels, split = pair.labels_observed[rows], pair.split_observed[rows]
    np.testing.assert_allclose(
        pair.gap.observed(labels, split), pair.observed_truth.flux[rows], atol=1e-5
    )
    np.testing.assert_allclose(
        pair.gap.synthetic(labels), pair.synthetic_of_observed.flux[rows], atol=1e-5
    )


def test_mock_rows_are_unpaired(pair):
    n_rows = 400
    synthetic, observed = pair.labels_synthetic, pair.labels_observed[:n_rows]
    for label in range(3):
        assert abs(np.corrcoef(synthetic[:, label], observed[:, label])[0, 1]) < 0.2
    assert not np.isin(synthetic[:, 0], pair.labels_observed[:, 0]).any()


def test_mock_masked_pixels_hold_garbage(pair):
    bad = pair.observed.ivar == 0
    assert 0.003 < bad.mean() < 0.02
    assert rms((pair.observed.flux - pair.observed_truth.flux)[bad]) > 1.0
    assert np.isfinite(pair.observed.flux).all()
    assert bad.any(axis=1).mean() > 0.9, "nearly every star should have bad pixels"


def test_mock_noise_is_photon_noise_within_the_limits(pair):
    snr = np.sqrt(np.median(pair.observed.ivar, axis=1))
    assert snr.min() > 40
    assert snr.max() < 300
    assert np.log(snr).std() > 0.3
    deep = pair.observed_truth.flux < 0.6
    high = pair.observed_truth.flux > 0.95
    ivar = pair.observed.ivar / snr[:, None] ** 2
    assert ivar[deep & (ivar > 0)].mean() > ivar[high & (ivar > 0)].mean()


def test_mock_gap_is_of_the_size_described(pair):
    gap = pair.observed_truth.flux - pair.synthetic_of_observed.flux
    assert pair.raw_gap == pytest.approx(rms(gap), rel=1e-4)
    assert 0.01 < pair.raw_gap < 0.02
    label_dependent = gap - gap.mean(axis=0)
    assert 0.5 < rms(label_dependent) / pair.raw_gap < 0.85, "an offset must not be all of it"


def test_mock_synthetic_side_lacks_lines(pair):
    grid = pair.gap.wavelength.value
    depth = pair.gap.missing.optical_depth(pair.labels_observed, grid).mean(axis=0)
    missing = depth > 0.02
    residual = (pair.observed_truth.flux - pair.synthetic_of_observed.flux).mean(axis=0)
    assert missing.any()
    assert residual[missing].mean() < -0.01


def test_mock_split_latents_cannot_be_known_from_labels(pair):
    for label in range(3):
        correlation = np.corrcoef(pair.split_observed[:, 0], pair.labels_observed[:, label])
        assert abs(correlation[0, 1]) < 0.2
    assert pair.split_observed[:, 0].min() > 2.5
    rows = np.arange(100)
    other = pair.gap.observed(pair.labels_observed[rows], pair.split_observed[rows + 100])
    cost = rms(other - pair.observed_truth.flux[rows]) / pair.raw_gap
    assert 0.1 < cost < 0.4, "broadening must be visible without dominating the gap"


def test_mock_without_split_all_stars_share_the_telescope():
    pair = make_mock_domains(5, 20, split=0.0, n_pixels=100, random_state=0)
    assert np.ptp(pair.split_observed, axis=0).max() == pytest.approx(0.0, abs=1e-12)


def test_mock_is_reproducible_and_leaves_the_global_generator():
    before = np.random.get_state()[1].copy()  # noqa: NPY002 - the state that must not move
    first, second, other = (make_mock_domains(6, 7, n_pixels=64, random_state=s) for s in (5, 5, 6))
    make_mock_domains(6, 7, n_pixels=64)
    for name in SPECTRA:
        np.testing.assert_array_equal(first[name].flux, second[name].flux)
        assert not np.array_equal(first[name].flux, other[name].flux)
    np.testing.assert_array_equal(first.observed.ivar, second.observed.ivar)
    np.testing.assert_array_equal(before, np.random.get_state()[1])  # noqa: NPY002 - as above


@pytest.mark.parametrize("make", [np.random.default_rng, np.random.RandomState])
def test_mock_takes_generators(make):
    first, second = (make_mock_domains(3, 3, n_pixels=32, random_state=make(1)) for _ in range(2))
    np.testing.assert_array_equal(first.observed.flux, second.observed.flux)


def test_mock_other_random_state_is_other_stars_of_the_same_domains():
    first, second = (make_mock_domains(3, 3, n_pixels=200, random_state=s) for s in (0, 1))
    np.testing.assert_array_equal(
        first.gap.synthetic(first.labels_observed), second.gap.synthetic(first.labels_observed)
    )
    third = make_mock_domains(3, 3, n_pixels=200, random_state=0, gap_seed=1)
    assert not np.array_equal(third.synthetic.flux, first.synthetic.flux)
    np.testing.assert_array_equal(third.labels_observed, first.labels_observed)


@pytest.mark.parametrize("n_pixels", [16, 300, 1024])
def test_mock_short_versions_are_windows_around_mg_b(n_pixels):
    pair = make_mock_domains(4, 4, n_pixels=n_pixels, random_state=0)
    wavelength = pair.observed.wavelength.value
    assert wavelength.shape == (n_pixels,)
    assert wavelength[0] < 5175 < wavelength[-1]
    np.testing.assert_allclose(np.diff(wavelength), 0.9)


def test_mock_label_shift_moves_the_observed_labels_only():
    same, moved = (
        make_mock_domains(2000, 2000, n_pixels=16, label_shift=s, random_state=0) for s in (0, -1)
    )
    std = np.array([556.0, 0.98, 0.42])
    np.testing.assert_array_equal(same.labels_synthetic, moved.labels_synthetic)
    shift = (moved.labels_observed.mean(0) - moved.labels_synthetic.mean(0)) / std
    np.testing.assert_allclose(shift, [-1.0, -0.5, -0.5], atol=0.15)
    shift = (same.labels_observed.mean(0) - same.labels_synthetic.mean(0)) / std
    np.testing.assert_allclose(shift, 0.0, atol=0.15)


def test_mock_label_scale_narrows_the_observed_labels():
    pair = make_mock_domains(1000, 1000, n_pixels=16, label_scale=0.5, random_state=0)
    ratio = pair.labels_observed.std(0) / pair.labels_synthetic.std(0)
    np.testing.assert_allclose(ratio, 0.5, atol=0.1)


def test_mock_description_is_complete(pair):
    for word in ("missing", "continuum", "noise", "unpaired", "air", "S/N", "licence"):
        assert word in pair.DESCR


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"n_synthetic": 0}, "`n_synthetic` must be an integer >= 1; got 0"),
        ({"n_observed": 1.5}, "`n_observed` must be an integer >= 1; got 1.5"),
        ({"n_pixels": 4000}, "`n_pixels` must be an integer from 16 to 3111; got 4000"),
        ({"snr": (0, 10)}, "`snr` must be two numbers"),
        ({"snr": 100}, "`snr` must be two numbers"),
        ({"snr": "high"}, "`snr` must be two numbers"),
        ({"split": -1}, "`split` must be a number >= 0; got -1"),
        ({"label_shift": [1, 2]}, "`label_shift` must be one finite number or three"),
        ({"label_shift": "much"}, "`label_shift` must be one finite number or three"),
        ({"label_shift": 5.0}, "must be reachable by re-weighting"),
        ({"label_scale": np.nan}, "`label_scale` must be one finite number >= 0.2 or three"),
        ({"label_scale": 0.0}, "`label_scale` must be one finite number >= 0.2 or three"),
        ({"gap_seed": -1}, "`gap_seed` must be an integer >= 0"),
        ({"random_state": "seed"}, "`random_state` must be an integer >= 0, a generator or None"),
        ({"random_state": -1}, "`random_state` must be an integer >= 0, a generator or None"),
    ],
)
def test_mock_bad_input_is_refused_with_one_sentence(arguments, message):
    with pytest.raises(ValueError, match=message) as caught:
        make_mock_domains(**{"n_synthetic": 3, "n_observed": 3, "n_pixels": 16, **arguments})
    assert "\n" not in str(caught.value)
    assert str(caught.value).count("; ") == 2, "rule, value and remedy"
