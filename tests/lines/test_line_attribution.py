"""Missing lines are found, belong to the right label, and nothing is found where nothing is."""

import warnings

import numpy as np
import pytest
from astropy.table import Table

from spectragan import (
    AttributionWarning,
    CycleGANTranslator,
    LineAttribution,
    MeanShiftTranslator,
    ObservedEmulator,
    Spectra,
    SpectrumEmulator,
)
from spectragan.datasets import make_line_domains
from spectragan.exceptions import GridMismatchError
from spectragan.lines.stars import spread_rows

N_STARS = 400


def make_world(fraction=0.3, extra=None, seed=4):
    """Make a pair, its synthetic labels, an emulator and a translator."""
    pair = make_line_domains(
        N_STARS,
        N_STARS,
        n_pixels=600,
        n_lines=30,
        n_elements=3,
        masked_fraction=fraction,
        snr=(80, 200),
        random_state=seed,
    )
    labels = Table(dict(zip(pair.label_names, pair.labels_synthetic.T, strict=True)))
    if extra:
        labels[extra] = np.random.default_rng(0).normal(0, 0.1, N_STARS)
    emulator = SpectrumEmulator(40, random_state=0, verbose=0)
    emulator.fit(labels[:120], pair.synthetic[:120])
    translator = MeanShiftTranslator().fit(pair.synthetic, pair.observed)
    return pair, labels, emulator, translator


@pytest.fixture(scope="module")
def world():
    return make_world()


@pytest.fixture(scope="module")
def found(world):
    pair, labels, emulator, translator = world
    return LineAttribution(emulator, translator).find(pair.observed, labels)


def matches(found, pair):
    velocity = 3e5 * np.abs(
        np.log(
            np.asarray(found.table["wavelength"])[:, None] / np.asarray(pair.lines["wavelength"])
        )
    )
    same = np.asarray(found.table["label"])[:, None] == np.asarray(pair.lines["element"])
    return (velocity < 13) & same & np.asarray(pair.lines["missing"])


def test_missing_lines_are_found_with_their_elements(world, found):
    match = matches(found, world[0])
    deep = np.asarray(world[0].lines["missing"] & (world[0].lines["depth"] > 0.05))
    assert deep.sum() >= 5
    assert match.any(axis=0)[deep].mean() >= 0.8
    assert (~match.any(axis=1)).sum() <= 1


def test_table_gives_the_depth_that_observed_stars_lack(world, found):
    pair = world[0]
    for row, match in zip(found.table, matches(found, pair), strict=True):
        if match.sum() == 1 and row["depth"] > 0.05:
            pixel = np.abs(found.wavelength.value - row["wavelength"]).argmin()
            assert row["depth"] == pytest.approx(
                pair.missing_depth[pixel].sum(), abs=0.3 * row["depth"]
            )


def test_observed_jacobian_is_nearer_the_truth_than_the_synthetic_one(world, found):
    pair = world[0]
    labels, split = pair.labels_observed, pair.split_observed
    for i in (3, 4, 5):
        step = np.zeros(6)
        step[i] = 0.01 * labels[:, i].std()
        up, down = (pair.gap.observed(labels + s, split).astype(float) for s in (step, -step))
        truth = ((up - down) / (2 * step[i])).mean(axis=0)
        left = np.nanstd(found.observed[:, i] - truth)
        assert left < 0.5 * np.std(found.synthetic[:, i] - truth)


def test_inferred_labels_have_honest_errors(world, found):
    pull = (found.labels - world[0].labels_observed) / found.label_errors
    assert np.all((pull.std(axis=0) > 0.8) & (pull.std(axis=0) < 1.3))


def test_pixels_of_missing_lines_do_not_tell_labels(world, found):
    deep = world[0].missing_depth.sum(axis=1) > 0.1
    assert found.used[deep].mean() < 0.2
    assert found.used[world[0].missing_depth.sum(axis=1) < 1e-4].mean() > 0.9


@pytest.mark.slow
def test_a_pair_without_missing_lines_yields_none():
    pair, labels, emulator, translator = make_world(fraction=0.0)
    assert len(LineAttribution(emulator, translator).find(pair.observed, labels)) == 0


def test_values_under_zero_ivar_and_the_order_of_columns_change_nothing(world):
    pair, labels, emulator, translator = world
    flux = np.where(pair.observed.ivar == 0, -77.0, pair.observed.flux)
    spoilt = Spectra(flux, pair.observed.wavelength, ivar=pair.observed.ivar, medium="vacuum")
    finder = LineAttribution(emulator, translator)
    once = finder.find(pair.observed[:100], labels)
    again = finder.find(spoilt[:100], labels[labels.colnames[::-1]])
    np.testing.assert_array_equal(again.observed, once.observed)
    np.testing.assert_array_equal(again.significance, once.significance)


def test_the_global_generator_is_untouched(world):
    pair, labels, emulator, translator = world
    np.random.seed(1)  # noqa: NPY002 - the global generator is what is tested
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    LineAttribution(emulator, translator).find(pair.observed[:60], labels)
    np.testing.assert_array_equal(np.random.get_state()[1], before)  # noqa: NPY002


@pytest.mark.slow
def test_spectra_without_errors_find_their_strong_lines(world):
    pair, labels, emulator, translator = world
    truth = pair.gap.observed(pair.labels_observed, pair.split_observed)
    noisy = truth + np.random.default_rng(0).normal(0, 0.01, truth.shape)
    unknown = Spectra(noisy, pair.observed.wavelength, medium="vacuum")
    found = LineAttribution(emulator, translator).find(unknown, labels)
    deep = np.asarray(pair.lines["missing"] & (pair.lines["depth"] > 0.1))
    assert matches(found, pair).any(axis=0)[deep].mean() >= 0.8


@pytest.mark.slow
def test_an_element_without_lines_is_said_to_be_unattributable():
    pair, labels, emulator, translator = make_world(extra="Zr")
    with pytest.warns(AttributionWarning, match="say nothing about Zr"):
        found = LineAttribution(emulator, translator).find(pair.observed, labels)
    assert found.unattributable == ("Zr",)
    assert "Zr" not in set(found.table["label"])
    assert "no spectrum tells Zr" in found.summary()


def test_a_translator_with_too_few_latents_is_warned_of(world):
    pair, labels, emulator, _ = world
    translator = CycleGANTranslator(n_shared=2, max_epochs=2, random_state=0, verbose=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        translator.fit(pair.synthetic, pair.observed)
    with pytest.warns(AttributionWarning, match=r"follow 2 combinations .* n_shared of at least 6"):
        LineAttribution(emulator, translator).find(pair.observed[:60], labels)


def test_jacobians_agree_with_central_differences(world):
    pair, _, emulator, _ = world
    translator = CycleGANTranslator(n_shared=6, max_epochs=2, random_state=0, verbose=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        translator.fit(pair.synthetic, pair.observed)
    labels = (pair.labels_synthetic[:3] + pair.labels_synthetic.mean(axis=0)) / 2
    for model in (emulator, ObservedEmulator(emulator, translator)):
        jacobian = model.jacobian(labels)
        for i, spread in enumerate(pair.labels_synthetic.std(axis=0)):
            step = np.zeros(labels.shape[1])
            step[i] = 1e-4 * spread
            up, down = model.predict(labels + step), model.predict(labels - step)
            difference = (up - down) / (2 * step[i])
            error = np.abs(jacobian[..., i] - difference).max()
            assert error <= 1e-6 * np.abs(difference).max()


@pytest.mark.parametrize(
    ("argument", "value"),
    [("fdr", 0), ("fdr", 1.5), ("line_fwhm", -1), ("n_folds", 1), ("owners", ["Zr"])],
)
def test_impossible_parameters_are_refused(world, argument, value):
    with pytest.raises(ValueError, match=f"`{argument}` must"):
        LineAttribution(world[2], world[3], **{argument: value})


def test_labels_and_spectra_of_another_kind_are_refused(world):
    pair, labels, emulator, translator = world
    finder = LineAttribution(emulator, translator)
    with pytest.raises(ValueError, match="`labels` must have the columns of the fit"):
        finder.find(pair.observed, pair.labels_synthetic[:, :2])
    with pytest.raises(ValueError, match="`labels` must be a sample"):
        finder.find(pair.observed, np.array(pair.labels_synthetic)[:, :2])
    with pytest.raises(ValueError, match="`observed` must hold at least 50"):
        finder.find(pair.observed[:20], labels)
    with pytest.raises(GridMismatchError):
        finder.find(np.ones((60, 30)), labels)


def test_result_tells_itself(world, found):
    assert repr(found).startswith(f"MissingLines({len(found)} lines of")
    assert "Fe" in found.summary()
    assert repr(LineAttribution(world[2], world[3])).startswith("LineAttribution(")


def test_rows_for_an_average_come_from_all_over_a_sorted_set():
    for n in (5, 256, 300, 511, 2000):
        rows = spread_rows(n, 256)
        assert len(set(rows)) == min(n, 256)
        assert rows[0] == 0
        assert rows[-1] == n - 1
