"""What a careless user sees: one sentence with name, rule, value and remedy."""

import numpy as np
import pytest

import spectragan as sg
from spectragan.datasets import make_mock_domains

BAD_COUNTS = ("a", -1, 0, True, 2.5, np.nan, [], {})


@pytest.fixture(scope="module")
def mock():
    return make_mock_domains(40, 40, n_pixels=40, random_state=0)


def assert_sentence(error: pytest.ExceptionInfo, name: str) -> None:
    text = str(error.value)
    assert f"`{name}`" in text
    assert "; got " in text
    assert text.count("; ") >= 2
    assert "\n" not in text
    assert text.endswith(".")


@pytest.mark.parametrize("value", BAD_COUNTS)
@pytest.mark.parametrize("cls", [sg.LinearTranslator, sg.MeanShiftTranslator])
def test_baselines_name_a_wrong_number_of_components(mock, cls, value):
    with pytest.raises(ValueError, match="n_components") as error:
        cls(value).fit(mock.synthetic, mock.observed)
    assert_sentence(error, "n_components")


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("n_components", BAD_COUNTS),
        ("n_centers", (*BAD_COUNTS, 1)),
        ("max_epochs", ("a", -1, True, 2.5, None)),
        ("batch_size", BAD_COUNTS),
        ("hidden", ("a", 3, None, [0], [True], [2.5], {})),
        ("learning_rate", ("a", -1, 0, True, np.nan, np.inf, [], None)),
        ("validation_fraction", ("a", -1, 0, 1, True, np.nan, [], None)),
    ],
)
def test_emulator_names_a_wrong_parameter(mock, name, values):
    for value in values:
        emulator = sg.SpectrumEmulator(verbose=0).set_params(**{name: value})
        with pytest.raises(ValueError, match=name) as error:
            emulator.fit(mock.labels_synthetic, mock.synthetic)
        assert_sentence(error, name)


@pytest.mark.parametrize(
    ("estimator", "name"),
    [
        (sg.ContinuumNormalizer(chunks=3), "chunks"),
        (sg.ContinuumNormalizer(continuum_pixels=2.5), "continuum_pixels"),
        (sg.Resampler(method=[]), "method"),
        (sg.Broadener(limb_darkening="a"), "limb_darkening"),
        (sg.NoiseInjector(random_state="a"), "random_state"),
        (sg.NoiseInjector(random_state=-1), "random_state"),
    ],
)
def test_steps_name_a_wrong_parameter(mock, estimator, name):
    with pytest.raises(ValueError, match=name) as error:
        estimator.fit_transform(mock.synthetic)
    assert_sentence(error, name)


def test_functions_name_what_is_wrong(mock):
    for name, call in {
        "paths": lambda: sg.read_spectra(3),
        "translator": lambda: sg.cycle_scores("a", mock.synthetic, mock.observed),
        "perplexity": lambda: sg.tsne_gap(
            {"a": mock.synthetic, "b": mock.observed}, perplexity="a"
        ),
        "random_state": lambda: sg.gap_scores(mock.synthetic, mock.observed, random_state="a"),
        "pixels": lambda: mock.synthetic.select_pixels("a"),
        "n_pixels": lambda: make_mock_domains(n_pixels=3),
        "snr": lambda: make_mock_domains(snr="a"),
    }.items():
        with pytest.raises((TypeError, ValueError, IndexError)) as error:
            call()
        assert_sentence(error, name)


def test_more_latents_than_components_are_refused(mock):
    translator = sg.CycleGANTranslator(n_shared=5, n_split=2, n_components=6, verbose=0)
    with pytest.raises(ValueError, match="n_components") as error:
        translator.fit(mock.synthetic, mock.observed)
    assert_sentence(error, "n_components")


def test_a_warm_up_longer_than_training_is_refused(mock):
    translator = sg.CycleGANTranslator(max_epochs=3, warmup_epochs=4, verbose=0)
    with pytest.raises(ValueError, match=r"`warmup_epochs` must be <= `max_epochs` = 3") as error:
        translator.fit(mock.synthetic, mock.observed)
    assert_sentence(error, "warmup_epochs")


def test_sets_of_equal_spectra_are_refused():
    with pytest.raises(ValueError, match="differ from each other; got two sets"):
        sg.CycleGANTranslator(max_epochs=1, verbose=0).fit(np.ones((9, 20)), np.full((9, 20), 2))


def test_scores_leave_out_rows_without_a_good_pixel(mock):
    flux = mock.synthetic.flux.copy()
    ivar = np.ones_like(flux)
    ivar[:7] = 0
    models = sg.Spectra(flux, mock.synthetic.wavelength, ivar, noise="exact", medium="air")
    assert sg.gap_scores(models, mock.observed, random_state=0) == sg.gap_scores(
        models[7:], mock.observed[7:], random_state=0
    )
    translator = sg.LinearTranslator(5).fit(mock.synthetic, mock.observed)
    assert sg.cycle_scores(translator, models, mock.observed, random_state=0) == sg.cycle_scores(
        translator, models[7:], mock.observed[7:], random_state=0
    )
