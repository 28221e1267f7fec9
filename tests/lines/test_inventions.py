"""Inventions are found where they are put, and what isn't the translation's fault is none."""

import numpy as np
import pytest

from spectragan import LinearTranslator, find_inventions
from spectragan.datasets import make_mock_domains
from spectragan.exceptions import GridMismatchError
from spectragan.lines.inventions import find_common, mark_pixels, mean_at, resampled_changes
from spectragan.lines.slopes import extra_scatter, line_averages
from spectragan.lines.table import Peak

CENTERS = (40, 110, 180, 250)
LINE = np.exp(-((np.arange(-6, 7) / 1.3) ** 2) / 2)


def plant(spectra, depth, centers=CENTERS):
    flux = spectra.flux.copy()
    for center in centers:
        flux[:, center - 6 : center + 7] *= 1 - depth * LINE
    return spectra.with_flux(flux)


@pytest.fixture(scope="module")
def pair():
    return make_mock_domains(300, 300, n_pixels=300, random_state=0)


@pytest.fixture(scope="module")
def translator(pair):
    return LinearTranslator().fit(pair.synthetic, pair.observed)


@pytest.fixture(scope="module")
def plain(pair, translator):
    return find_inventions(translator, pair.synthetic, pair.observed, random_state=0)


@pytest.fixture(scope="module")
def planted(pair, translator):
    wrong = plant(plant(translator.transform(pair.synthetic), 0.03), -0.06, [145, 215])
    return find_inventions(
        translator, pair.synthetic, pair.observed, translated=wrong, random_state=0
    )


def is_found(inventions, centers=CENTERS):
    return np.array([inventions.pixels[c - 2 : c + 3].any() for c in centers])


def test_a_good_translation_invents_nearly_nothing(plain):
    assert len(plain) <= 2
    assert plain.share < 0.02
    assert plain.overlap > 0.95


def test_a_perfect_translation_of_other_stars_invents_nothing(pair, translator):
    found = find_inventions(
        translator,
        pair.synthetic_of_observed[:150],
        pair.observed[150:],
        translated=pair.observed_truth[:150],
        random_state=0,
    )
    assert len(found) == 0
    assert np.abs(found.change).max() > 20 * np.median(found.error)


def test_planted_lines_are_found_with_their_depth(pair, planted, plain):
    centers = np.array([*CENTERS, 145, 215])
    assert is_found(planted, centers).all()
    assert not is_found(plain, centers).any()
    assert len(planted) <= len(centers) + 2
    pixels = np.searchsorted(pair.synthetic.wavelength.value, planted.table["wavelength"].value)
    nearest = np.abs(pixels - centers[:, None]).argmin(axis=1)
    assert np.abs(pixels[nearest] - centers).max() <= 1
    # A line takes away a part of the flux that was there; a change for the better isn't counted.
    flux = pair.observed_truth.flux.mean(axis=0)[centers]
    expected = np.abs([0.03, 0.03, 0.03, 0.03, -0.06, -0.06] * flux)
    change = np.asarray(planted.table["change"][nearest])
    depth = np.sign(change) * np.minimum(expected, np.abs(change))
    assert np.asarray(planted.table["depth"][nearest]) == pytest.approx(depth, abs=0.004)
    assert (planted.table["q"] <= planted.fdr).all()


def test_planted_lines_do_not_look_like_other_labels(pair, translator, planted, plain):
    # Taken into the latents, they would make misfits elsewhere, and stars without counterparts.
    assert planted.overlap > 0.9 * plain.overlap
    elsewhere = np.ones(300, dtype=bool)
    for center in (*CENTERS, 145, 215):
        elsewhere[center - 8 : center + 9] = False
    assert np.abs(planted.excess - plain.excess)[elsewhere].max() < 0.002


def test_an_error_that_models_had_before_is_no_invention(pair, translator):
    wrong = plant(pair.synthetic, 0.05)
    found = find_inventions(translator, wrong, pair.observed, translated=wrong, random_state=0)
    assert len(found) == 0
    assert (found.change == 0).all()


def test_a_line_that_observed_stars_have_is_no_invention(pair, translator):
    stars = plant(pair.observed, 0.05)
    right = plant(translator.transform(pair.synthetic), 0.05)
    half = plant(translator.transform(pair.synthetic), 0.025)
    for translated in (right, half):
        found = find_inventions(
            translator, pair.synthetic, stars, translated=translated, random_state=0
        )
        assert not is_found(found).any()


def test_other_labels_are_no_invention(translator, pair):
    others = make_mock_domains(10, 400, n_pixels=300, label_shift=0.7, random_state=1).observed
    found = find_inventions(translator, pair.synthetic, others, random_state=0)
    assert found.overlap < 0.9
    assert len(found) <= 2


def test_result_speaks_for_itself(plain, planted):
    assert repr(planted) == (
        f"Inventions({len(planted)} features, share={planted.share:.3f}, fdr=0.05)"
    )
    assert planted.table["wavelength"].unit == planted.table["width"].unit == "Angstrom"
    assert 0 < planted.share == planted.pixels.mean()
    words = planted.summary()
    assert words.startswith(f"{len(planted)} invented features in {planted.share:.1%}")
    assert "and others" in words
    assert "wavelength [Angstrom]" in words
    assert "and others" not in plain.summary()


def test_results_repeat(pair, translator, plain):
    again = find_inventions(translator, pair.synthetic, pair.observed, random_state=0)
    assert np.array_equal(again.excess, plain.excess, equal_nan=True)
    assert np.array_equal(again.error, plain.error, equal_nan=True)


def test_masked_pixels_do_not_matter(pair, translator):
    stars = pair.observed
    ivar, flux = stars.ivar.copy(), stars.flux.copy()
    ivar[:, 100:105] = 0.0
    found = []
    for garbage in (3.0, -9.0):
        flux[:, 100:105] = garbage
        masked = stars.with_flux(flux, ivar=ivar)
        found.append(find_inventions(translator, pair.synthetic, masked, random_state=0))
    assert np.array_equal(found[0].excess, found[1].excess, equal_nan=True)
    assert not found[0].pixels[101:104].any()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"fdr": 0.0}, "`fdr` must be a number between 0 and 1; got 0.0"),
        ({"fdr": True}, "`fdr` must be a number"),
        ({"line_fwhm": -1}, "`line_fwhm` must be a number between 0 and 300"),
        ({"n_bootstrap": 3}, "n_bootstrap"),
    ],
)
def test_wrong_parameters_are_refused(pair, translator, options, message):
    with pytest.raises(ValueError, match=message):
        find_inventions(translator, pair.synthetic, pair.observed, **options)


def test_wrong_spectra_are_refused(pair, translator):
    with pytest.raises(ValueError, match="`observed` must hold at least 50"):
        find_inventions(translator, pair.synthetic, pair.observed[:20])
    with pytest.raises(ValueError, match="`translated` must be the synthetic spectra row by row"):
        find_inventions(
            translator, pair.synthetic, pair.observed, translated=pair.observed_truth[:60]
        )
    other = make_mock_domains(60, 60, n_pixels=200, random_state=0)
    with pytest.raises(GridMismatchError):
        find_inventions(translator, other.synthetic, pair.observed)


def test_conditional_means_are_compared_at_common_latents():
    rng = np.random.default_rng(0)
    first, second = rng.normal(size=(600, 1)), rng.normal(1.0, 1.0, size=(600, 1))
    common = find_common(first, second)
    assert common.features[0].shape == (600, 3)
    means = []
    for features, z in zip(common.features, (first, second), strict=True):
        flux = z**2 + z + rng.normal(0, 0.1, size=(600, 2))
        mean, influence = mean_at(features, common.point, flux, np.ones(flux.shape))
        error = resampled_changes(influence, 200, rng).std(axis=0)
        assert error == pytest.approx([0.1 / 600**0.5] * 2, rel=0.5)
        means.append(mean)
    assert means[0] == pytest.approx(means[1], abs=0.03)
    assert common.overlap < 0.9


@pytest.mark.filterwarnings("error")
def test_a_pixel_that_no_star_has_gets_no_mean_and_no_raw_warning():
    rng = np.random.default_rng(0)
    features = np.column_stack([np.ones(50), rng.normal(size=50)])
    weights = np.ones((50, 2))
    weights[:, 1] = 0.0
    mean, influence = mean_at(features, np.array([1.0, 0.5]), rng.normal(size=(50, 2)), weights)
    assert np.isfinite(mean[0])
    assert np.isnan(mean[1])
    assert not influence[:, 1].any()


def test_bootstrap_errors_are_those_of_new_stars():
    means, errors = [], []
    for seed in range(100):
        rng = np.random.default_rng(seed)
        features = np.column_stack([np.ones(100), rng.normal(size=100)])
        flux = features @ np.ones((2, 1)) + rng.normal(size=(100, 1))
        mean, influence = mean_at(features, np.array([1.0, 0.5]), flux, np.ones((100, 1)))
        means.append(mean[0])
        errors.append(resampled_changes(influence, 100, rng).std())
    assert np.mean(means) == pytest.approx(1.5, abs=0.04)
    assert np.mean(errors) == pytest.approx(np.std(means), rel=0.2)


def test_many_latents_are_compressed():
    rng = np.random.default_rng(0)
    common = find_common(rng.normal(size=(80, 50)), rng.normal(size=(80, 50)))
    assert common.features[0].shape == (80, 21)


def test_extra_scatter_is_zero_where_errors_explain_all():
    values = np.random.default_rng(0).normal(size=2000)
    assert extra_scatter(values, np.full(2000, 2.0)) == 0.0
    assert extra_scatter(values, np.zeros(2000)) == pytest.approx(1.0, abs=0.06)
    assert extra_scatter(np.zeros(5), np.zeros(5)) == 0.0
    assert extra_scatter(np.full(5, np.nan), np.zeros(5)) == 0.0


def test_line_averages_leave_out_what_is_smooth():
    values = np.linspace(0.0, 1.0, 400)
    values[200] = np.nan
    averages = line_averages(values, 1.3)
    assert np.abs(averages[30:-30]).max() < 1e-2
    values[100:103] += 1.0
    assert line_averages(values, 1.3)[101] > 0.5


def test_features_that_touch_are_one():
    invented = np.zeros(50)
    invented[10:20] = -1.0
    invented[30:33] = 1.0
    peaks = [Peak(12, 0, 5.0, 0.0), Peak(17, 0, 6.0, 0.0), Peak(31, 0, 4.0, 0.0)]
    spans = [(peak.height, span.start, span.stop) for peak, span in mark_pixels(invented, peaks)]
    assert spans == [(6.0, 10, 20), (4.0, 30, 33)]
