"""Noise that neighbouring pixels share is in the errors of labels."""

import numpy as np
import pytest

from spectragan import FitQualityWarning, ParameterFitter, Spectra, load
from spectragan.fitting.noise import check_correlation, measure_correlation

AVERAGED = (2 / 3, 1 / 3)  # over three pixels


def smooth_noise(shape, seed=0):
    noise = np.random.default_rng(seed).normal(size=(shape[0], shape[1] + 2))
    return (noise[:, :-2] + noise[:, 1:-1] + noise[:, 2:]) / 3**0.5


@pytest.fixture(scope="module")
def smoothed(emulator, truth, named, stars):
    """Return spectra of `truth` with noise averaged over three pixels, a twentieth masked."""
    clean = emulator.predict(named(truth))
    flux = clean + 0.01 * smooth_noise(clean.shape)
    return Spectra(flux, stars.wavelength, ivar=np.array(stars.ivar), noise="known")


def covered(found, truth):
    return (np.abs(found[0] - truth) < found[1]).mean(axis=0)


def test_errors_are_right_where_the_correlation_is_given(emulator, truth, smoothed):
    fitter = ParameterFitter(emulator, noise_correlation=AVERAGED)
    right = covered(fitter.predict(smoothed, return_std=True), truth)
    assert (np.abs(right - 0.683) < 0.08).all()
    with pytest.warns(FitQualityWarning, match="are correlated"):
        alone = ParameterFitter(emulator).predict(smoothed, return_std=True)
    assert covered(alone, truth).mean() < 0.55
    np.testing.assert_allclose(fitter.predict(smoothed), alone[0], rtol=1e-3, atol=1e-3)


def test_errors_are_right_where_they_are_unknown(emulator, truth, smoothed):
    unknown = smoothed.with_flux(smoothed.flux, (smoothed.ivar > 0).astype(float), "unknown")
    fitter = ParameterFitter(emulator, noise_correlation=AVERAGED)
    known, plain = fitter.fit_table(smoothed), fitter.fit_table(unknown)
    ratio = plain["teff_err"].value / known["teff_err"].value
    assert np.median(ratio) == pytest.approx(1, abs=0.03)


def test_fit_learns_the_correlation(emulator, truth, smoothed, stars, tmp_path):
    fitter = ParameterFitter(emulator, err_inflation=1.0).fit(smoothed[:150])
    np.testing.assert_allclose(fitter.noise_correlation_[:2], AVERAGED, atol=0.05)
    assert len(fitter.noise_correlation_) <= 4
    right = covered(fitter.predict(smoothed[150:], return_std=True), truth[150:])
    assert (np.abs(right - 0.683) < 0.11).all()
    fitter.save(tmp_path / "fitter")
    again = load(tmp_path / "fitter")
    np.testing.assert_allclose(again.noise_correlation_, fitter.noise_correlation_)
    assert not len(ParameterFitter(emulator).fit(stars[:150]).noise_correlation_)
    ignored = ParameterFitter(emulator, noise_correlation=None).fit(smoothed[:150])
    assert not len(ignored.noise_correlation_)


def test_calibration_counts_correlated_noise_once(emulator, truth, smoothed):
    learned = ParameterFitter(emulator).fit(smoothed[:150])
    assert learned.err_inflation_.max() < 1.3
    assert ParameterFitter(emulator).fit(smoothed, truth).err_inflation_.max() < 1.2


def test_chi_squares_scatter_more(emulator, smoothed):
    table = ParameterFitter(emulator, noise_correlation=AVERAGED).fit_table(smoothed)
    assert table["bad_chi2"].mean() <= 0.01
    # Three parameters take up what three times three pixels share.
    expected = (table["dof"] + 3 - 9) / table["dof"]
    assert np.median(table["chi2"] / table["dof"] / expected) == pytest.approx(1, abs=0.05)


def test_priors_are_weighed_rightly(emulator, truth, smoothed):
    rng = np.random.default_rng(0)
    known = {"logg": (truth[:, 1] + 0.05 * rng.normal(size=len(truth)), 0.05)}
    fitter = ParameterFitter(emulator, noise_correlation=AVERAGED)
    right = covered(fitter.predict(smoothed, return_std=True, priors=known), truth)
    assert (np.abs(right - 0.683) < 0.08).all()


def test_posteriors_are_as_wide(emulator, truth, smoothed):
    plain, aware = (
        ParameterFitter(emulator, noise_correlation=given) for given in (None, AVERAGED)
    )
    one, other = truth[:1], truth[:1] + np.array([200, 0, 0])
    ratio = [np.diff(f.log_prob(np.vstack([one, other]), smoothed[:1])) for f in (plain, aware)]
    np.testing.assert_allclose(ratio[0] / ratio[1], 3, rtol=1e-6)


def test_a_number_is_the_width_of_a_gaussian():
    rng = np.random.default_rng(0)
    kernel = np.exp(-0.5 * (np.arange(-12, 13) / 1.5) ** 2)
    noise = [np.convolve(row, kernel, "valid") for row in rng.normal(size=(300, 600))]
    measured = measure_correlation(np.array(noise), np.ones((300, 576), bool))
    np.testing.assert_allclose(measured[:4], check_correlation(1.5)[:4], atol=0.01)


def test_white_noise_is_not_correlated():
    white = np.random.default_rng(0).normal(size=(50, 300))
    assert not len(measure_correlation(white, white < 1.5))


@pytest.mark.parametrize(
    "given", [(1.0, 0.5), (0.9,), (0.6, -0.9), "Gaussian", -1.0, np.nan, [[0.1]], (np.nan,)]
)
def test_impossible_noise_is_refused(given, emulator, stars):
    with pytest.raises(ValueError, match="that noise can have") as caught:
        ParameterFitter(emulator, noise_correlation=given).predict(stars[:3])
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("given", [True, b"1", "1", [True], [0.5, "0.2"]])
def test_flags_and_words_are_no_correlations(given):
    with pytest.raises(ValueError, match="`noise_correlation` must be"):
        check_correlation(given)
