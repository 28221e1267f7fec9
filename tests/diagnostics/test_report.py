"""A report says what is good, what is not, and what to do about it."""

import json
from contextlib import nullcontext
from types import SimpleNamespace

import numpy as np
import pytest
from sklearn.linear_model import LinearRegression

from spectragan import (
    ContinuumNormalizer,
    LinearTranslator,
    MeanShiftTranslator,
    SwappedDomainsWarning,
    label_drift,
    translation_report,
)
from spectragan.datasets import load_miles, make_mock_domains, make_synthetic_spectra
from spectragan.diagnostics import TranslationReportDisplay
from spectragan.diagnostics.findings import judge


@pytest.fixture(scope="module")
def mock():
    return make_mock_domains(300, 300, n_pixels=200, random_state=0)


@pytest.fixture(scope="module")
def linear(mock):
    return LinearTranslator().fit(mock.synthetic, mock.observed)


class Fitter:
    """Labels by linear regression: quick, and enough to see a drift."""

    label_names_ = ("teff", "logg", "feh")

    def __init__(self, mock):
        self.regression = LinearRegression().fit(mock.synthetic.flux, mock.labels_synthetic)

    def predict(self, X):
        return self.regression.predict(X.flux)


@pytest.fixture(scope="module")
def report(mock, linear):
    fitter = Fitter(mock)
    return translation_report(
        linear, mock.synthetic, mock.observed, fitter=fitter, coverage=0.67, random_state=0
    )


@pytest.fixture(scope="module")
def raw(mock):
    """Return the report of a translator that learned from synthetic spectra alone."""
    nothing = MeanShiftTranslator().fit(mock.synthetic, mock.synthetic)
    return translation_report(nothing, mock.synthetic, mock.observed, random_state=0)


def test_report_of_a_good_translation_beats_that_of_none(report, raw):
    assert report.gap_left < 0.4
    assert raw.gap_left > 0.8
    assert raw.verdict == "wrong"
    assert "of the distance between the domains is left" in raw.summary()
    assert report.strange.share < 0.1


def test_report_holds_every_check(report):
    text = report.summary()
    words = ["AUC", "Wasserstein", "round trip", "like no observed", "invented", "0.670", "teff"]
    assert all(word in text for word in words)
    assert str(report) == text
    assert len(repr(report)) < 120


def test_report_is_written_as_plain_json(report, tmp_path):
    report.to_json(tmp_path / "report.json")
    read = json.loads((tmp_path / "report.json").read_text())
    assert read["verdict"] == report.verdict
    assert read["drift"]["teff"]["relative"] == pytest.approx(report.drift.relative[0])
    assert read["gap_after"]["auc"] == report.gap_after.auc
    assert [path.name for path in tmp_path.iterdir()] == ["report.json"]


def test_same_seed_gives_the_same_report(mock, linear, report):
    again = translation_report(linear, mock.synthetic, mock.observed, random_state=0)
    assert again.gap_after == report.gap_after
    np.testing.assert_array_equal(again.strange.p_value, report.strange.p_value)


def test_few_spectra_leave_checks_out(mock, linear):
    few = translation_report(linear, mock.synthetic[:30], mock.observed[:30], random_state=0)
    assert few.strange is None
    assert few.inventions is None
    assert few.drift is None
    assert set(few.left_out) == {"strange", "inventions", "drift"}
    assert "not judged, inventions: it takes 50 spectra of each domain; got 30" in few.summary()
    panel = TranslationReportDisplay(few).plot().axes_[1, 0]
    assert "whose noise is known; got 30 of 30" in panel.texts[0].get_text().replace("\n", " ")


def with_noise(spectra, kind):
    """Return spectra whose errors were given, forgotten, or forgotten of half of them."""
    if kind == "known":
        return spectra
    words = np.full(len(spectra), kind if kind != "half" else "unknown")
    if kind == "half":
        words[::2] = "known"
    weights = np.where((words == "known")[:, None], spectra.ivar, spectra.ivar > 0)
    return spectra.with_flux(spectra.flux, weights, words)


@pytest.mark.parametrize("observed_noise", ["known", "unknown", "exact", "half"])
@pytest.mark.parametrize("synthetic_noise", ["exact", "unknown"])
def test_any_noise_goes_through_and_what_it_hides_is_said(
    mock, linear, synthetic_noise, observed_noise
):
    synthetic = mock.synthetic.with_flux(mock.synthetic.flux, noise=synthetic_noise)
    observed = with_noise(mock.observed, observed_noise)
    odd = (synthetic_noise, observed_noise) == ("unknown", "exact")  # as if they changed places
    with pytest.warns(SwappedDomainsWarning) if odd else nullcontext():
        found = translation_report(linear, synthetic, observed, random_state=0)
    is_judged = observed_noise != "unknown"
    assert ("strange" not in found.left_out) == (found.strange is not None) == is_judged
    unknown = "unknown" in {synthetic_noise, observed_noise} or observed_noise == "half"
    assert ("noise" in found.left_out) == unknown
    assert found.as_dict()["left_out"] == found.left_out
    assert found.gap_left < 0.6
    if observed_noise in {"known", "half"}:
        assert found.strange.share < 0.1  # noise alone isn't called strange


def test_masked_spectra_are_not_counted_as_reference(mock, linear):
    few, masked = mock.observed[:120], np.array(mock.observed[:120].ivar)
    masked[:30] = 0
    observed = few.with_flux(few.flux, masked, few.noise)
    found = translation_report(linear, mock.synthetic, observed, random_state=0)
    assert "got 90 of 120" in found.left_out["strange"]


def test_real_stars_without_errors_are_judged():
    normalizer = ContinuumNormalizer(degree=8)
    stars = load_miles().spectra[::4].select_pixels(slice(None, None, 10))
    models = make_synthetic_spectra(110, random_state=0).spectra.select_pixels(
        slice(None, None, 10)
    )
    observed, synthetic = normalizer.fit_transform(stars), normalizer.transform(models)
    translator = LinearTranslator().fit(synthetic, observed)
    found = translation_report(translator, synthetic, observed, random_state=0)
    assert "whose noise is known; got 0 of 110" in found.left_out["strange"]
    assert found.gap_left < 0.5
    assert found.gap_after.auc < found.gap_before.auc


def test_display_draws_the_numbers_of_the_report(report, raw):
    axes = TranslationReportDisplay(report).plot().axes_
    lines = {line.get_label(): line.get_ydata() for line in axes[0, 0].lines}
    expected = report.means["observed"] - report.means["synthetic"]
    np.testing.assert_array_equal(lines["observed"], expected)
    widths = [bar.get_width() for bar in axes[0, 1].patches]
    assert report.gap_before.auc in widths
    assert report.gap_after.sliced_wasserstein in widths
    assert "wrong" in TranslationReportDisplay(raw).plot().axes_[1, 1].get_title(loc="left")


def numbers(**changes):
    """Return what a report without any fault holds, with changes."""
    alike = mismatch(is_significant=False, matched=False, distance=0.0)
    health = SimpleNamespace(problems=(), healthy=True)
    fine = {
        "gap_left": 0.1,
        "strange": SimpleNamespace(share=0.01),
        "drift": None,
        "mismatch": alike,
        "disagreement": 0.2,
        "left_of_stars": 0.1,
        "by_noise": 0.1,
        "health": health,
        "inventions": None,
    }
    return SimpleNamespace(**(fine | changes))


def mismatch(**values):
    base = {
        "is_significant": True,
        "is_ambiguous": False,
        "matched": True,
        "distance": 0.6,
        "distance_error": 0.1,
        "offset_error": np.array([0.1, 0.05]),
    }
    return SimpleNamespace(**(base | values))


def invented(n, share):
    return SimpleNamespace(table=[None] * n, share=share)


@pytest.mark.parametrize(
    ("changes", "levels", "words"),
    [
        ({}, [], ""),
        ({"mismatch": mismatch()}, [], ""),
        ({"mismatch": mismatch(matched=False)}, ["doubtful"], "did not allow for it"),
        ({"mismatch": mismatch(distance=1.2)}, ["doubtful"], "few stars are on both sides"),
        ({"mismatch": None}, ["can't be told"], "so few spectra"),
        ({"mismatch": mismatch(is_ambiguous=True)}, ["can't be told"], "0.60 ± 0.10 standard"),
        (
            {"mismatch": mismatch(offset_error=np.array([0.1, 0.4]))},
            ["can't be told"],
            "0.40 standard deviations may hide",
        ),
        ({"disagreement": 0.7}, ["can't be told"], "by 70% of the change"),
        ({"by_noise": 0.6}, ["can't be told"], "leaves an error of 60% of the change"),
        ({"left_of_stars": 0.5}, ["doubtful"], "50% of the difference to single stars"),
        ({"left_of_stars": np.nan, "by_noise": np.nan}, [], ""),
        ({"gap_left": 0.5}, ["doubtful"], "50% of the distance"),
        ({"gap_left": 0.9}, ["wrong"], "90% of the distance"),
        ({"strange": SimpleNamespace(share=0.1)}, ["doubtful"], "like no observed one"),
        ({"strange": SimpleNamespace(share=0.5)}, ["wrong"], "like no observed one"),
        (
            {"health": SimpleNamespace(problems=("a loss was not finite",), healthy=False)},
            ["wrong"],
            "a loss was not finite",
        ),
        ({"inventions": invented(2, 0.01), "gap_left": 0.9}, ["wrong", "doubtful"], "invented"),
        ({"inventions": invented(0, 0.0)}, [], ""),
        (
            {"drift": SimpleNamespace(label_names=("teff",), relative=[0.2])},
            ["doubtful"],
            "teff drifts by 0.20",
        ),
    ],
)
def test_what_speaks_against_a_translation(changes, levels, words):
    found = judge(numbers(**changes))
    assert [finding.level for finding in found] == levels
    assert all(finding.remedy for finding in found)
    assert words in "\n".join(map(str, found))


class Hotter:
    """A translator whose round trip changes the spectrum by a fixed factor."""

    def __init__(self, linear, size):
        self.linear, self.size = linear, size

    def transform(self, X):
        return self.linear.transform(X)

    def inverse_transform(self, X):
        back = self.linear.inverse_transform(X)
        mean = back.flux.mean(axis=0)
        return back.with_flux(mean + self.size * (back.flux - mean))


def test_drift_of_a_perfect_round_trip_is_none(mock, linear):
    drift = label_drift(Fitter(mock), linear, mock.synthetic, random_state=0)
    assert drift.label_names == ("teff", "logg", "feh")
    assert drift.relative.max() < 1e-2


def test_drift_sees_a_range_of_labels_that_shrinks(mock, linear):
    drift = label_drift(Fitter(mock), Hotter(linear, 0.8), mock.synthetic, random_state=0)
    np.testing.assert_allclose(drift.trend, -0.2, atol=0.02)
    assert (drift.trend_interval[:, 0] <= drift.trend).all()
    assert (drift.trend <= drift.trend_interval[:, 1]).all()
    assert drift.relative.min() > 0.1
    assert "teff" in drift.summary()
    assert drift.as_dict()["teff"]["trend"] == drift.trend[0]


def test_drift_needs_something_that_predicts(mock, linear):
    with pytest.raises(TypeError, match="`fitter` must have `predict`; got int; give"):
        label_drift(3, linear, mock.synthetic)
