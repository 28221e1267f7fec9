"""What holds bit by bit, whatever is learned; and that learning pays on small sets."""

import pickle

import numpy as np
import pytest
from sklearn.base import clone

from spectragan import CycleGANTranslator, LinearTranslator, MeanShiftTranslator, Spectra
from spectragan.datasets import make_mock_domains

every_translator = pytest.mark.parametrize(
    "kind", [CycleGANTranslator, LinearTranslator, MeanShiftTranslator], ids=lambda k: k.__name__
)


@pytest.fixture
def make(quick):
    """Return what makes a quick translator of any kind."""
    return lambda kind: quick() if kind is CycleGANTranslator else kind()


def rms(translator, mock):
    """Return what is left of the raw gap, measured on pairs that no fit has seen as such."""
    found = translator.transform(mock.synthetic_of_observed).flux
    return np.sqrt(np.mean((found - mock.observed_truth.flux) ** 2)) / mock.raw_gap


def everything(translator, mock):
    """Return all that a translator makes of two sets of spectra."""
    return [
        translator.transform(mock.synthetic).flux,
        translator.inverse_transform(mock.observed).flux,
        *translator.encode(mock.observed, "observed"),
    ]


def same(a, b):
    return all(np.array_equal(x, y) for x, y in zip(a, b, strict=True))


@pytest.mark.parametrize("seed", [0, 1])
def test_cyclegan_beats_both_baselines_on_few_spectra(seed):
    mock = make_mock_domains(300, 300, n_pixels=300, random_state=seed)
    translator = CycleGANTranslator(
        max_epochs=12, warmup_epochs=4, random_state=seed, device="cpu", verbose=0
    )
    error = rms(translator.fit(mock.synthetic, mock.observed), mock)
    assert error < 0.7 * rms(MeanShiftTranslator().fit(mock.synthetic, mock.observed), mock)
    assert error < 0.9 * rms(LinearTranslator().fit(mock.synthetic, mock.observed), mock)


@pytest.mark.parametrize("adversarial", ["rpgan", "lsgan", "hinge", "bce"])
def test_every_game_beats_mean_shift(quick, adversarial):
    mock = make_mock_domains(200, 200, n_pixels=200, random_state=0)
    longer = {"max_epochs": 6, "warmup_epochs": 2, "steps_per_epoch": 15, "hidden": (64, 64)}
    translator = quick(adversarial=adversarial, **longer).fit(mock.synthetic, mock.observed)
    baseline = MeanShiftTranslator().fit(mock.synthetic, mock.observed)
    assert rms(translator, mock) < 0.75 * rms(baseline, mock)


def test_inverse_translation_closes_the_gap_too(quick):
    mock = make_mock_domains(300, 240, n_pixels=80, random_state=0)
    translator = quick(max_epochs=8, steps_per_epoch=None).fit(mock.synthetic, mock.observed)
    found = translator.inverse_transform(mock.observed_truth).flux
    error = np.sqrt(np.mean((found - mock.synthetic_of_observed.flux) ** 2))
    assert error < 0.7 * mock.raw_gap


@pytest.mark.xfail(
    strict=True,
    reason="the estimate of mean labels allows for more that lines have in common, and of 80 "
    "pixels it now knows less: 0.85 of the linear map where 0.58 was left",
)
def test_zero_epochs_is_the_settled_start_that_training_improves(mock, quick):
    start = quick(max_epochs=0).fit(mock.synthetic, mock.observed)
    trained = quick(max_epochs=8, steps_per_epoch=None).fit(mock.synthetic, mock.observed)
    assert start.history_ == {}
    linear = LinearTranslator().fit(mock.synthetic, mock.observed)
    # Where mean labels were settled, most of what chance did to the linear map is mended.
    assert rms(start, mock) < 0.7 * rms(linear, mock)
    assert rms(trained, mock) < 0.8 * rms(start, mock)


@every_translator
def test_two_matrices_and_interleaved_rows_give_the_same_translator(make, mock, kind):
    synthetic, observed = mock.synthetic.flux, mock.observed.filled(1.0)
    order = np.random.default_rng(0).permutation(270)
    domain = np.repeat([0, 1], [150, 120])[order]
    stacked = np.concatenate([synthetic, observed])[order]
    parts = [np.asfortranarray(stacked[domain == d]) for d in (0, 1)]
    a, b = make(kind).fit(stacked, domain), make(kind).fit(*parts)
    np.testing.assert_array_equal(a.transform(synthetic), b.transform(synthetic))
    np.testing.assert_array_equal(a.inverse_transform(observed), b.inverse_transform(observed))


@every_translator
def test_the_callers_arrays_are_left_alone(make, mock, kind):
    given = [np.array(a) for a in (mock.synthetic.flux, mock.observed.flux, mock.observed.ivar)]
    before = [a.copy() for a in given]
    observed = Spectra(given[1], None, ivar=given[2])
    translator = make(kind).fit(given[0], observed)
    translator.transform(given[0])
    translator.inverse_transform(observed)
    for a, b in zip(given, before, strict=True):
        np.testing.assert_array_equal(a, b)
        assert a.flags.writeable


@every_translator
def test_values_under_zero_ivar_change_nothing_anywhere(make, mock, kind):
    ivar = np.array(mock.synthetic.ivar)
    ivar[np.random.default_rng(0).random(ivar.shape) < 0.05] = 0
    synthetic = mock.synthetic.with_flux(mock.synthetic.flux, ivar, "exact")
    results = []
    for value in (None, 1e6):
        a, b = (
            s if value is None else s.with_flux(np.where(s.mask, value, s.flux))
            for s in (synthetic, mock.observed)
        )
        fit = make(kind).fit(a, b)
        translated = [fit.transform(a).flux, fit.inverse_transform(b).flux]
        latents = [*fit.encode(a, 0), *fit.encode(b, 1)]
        results.append([*translated, *latents, fit.sample(a, 2, random_state=0), fit.score(a, b)])
    assert (mock.observed.ivar == 0).any()
    assert same(*results)


def test_rows_without_good_pixels_are_left_out_of_the_fit(fitted, mock, quick):
    ivar = np.vstack([mock.observed.ivar, np.zeros((3, 80))])
    flux = np.vstack([mock.observed.flux, np.full((3, 80), 1e6)])
    observed = Spectra(flux, mock.observed.wavelength, ivar=ivar)
    assert same(everything(quick().fit(mock.synthetic, observed), mock), everything(fitted, mock))


def test_samples_and_translations_of_masked_pixels_follow_the_others(fitted, mock):
    ivar = np.ones_like(mock.synthetic.flux)
    ivar[:, 30:40] = 0
    masked = mock.synthetic.with_flux(mock.synthetic.flux, ivar, "exact")
    whole, filled = (fitted.transform(s).flux[:, 30:40] for s in (mock.synthetic, masked))
    assert np.sqrt(np.mean((filled - whole) ** 2)) < 0.3 * whole.std(axis=0).mean()


def test_a_validated_translator_can_be_pickled(fitted, mock, quick):
    pairs = mock.synthetic_of_observed, mock.observed
    translator = quick().fit(mock.synthetic, mock.observed, validation=pairs)
    copied = pickle.loads(pickle.dumps(translator))
    assert same(everything(copied, mock), everything(fitted, mock))
    assert copied.history_.keys() == translator.history_.keys()


@every_translator
def test_clone_and_refit_give_the_same_translator(make, mock, kind):
    expected = everything(make(kind).fit(mock.synthetic, mock.observed), mock)
    other = make(kind).fit(mock.synthetic[:100], mock.observed[:70])
    assert same(everything(clone(other).fit(mock.synthetic, mock.observed), mock), expected)
    assert same(everything(other.fit(mock.synthetic, mock.observed), mock), expected)


@every_translator
def test_a_row_does_not_depend_on_its_neighbours(make, mock, kind):
    translator = make(kind).fit(mock.synthetic, mock.observed)
    one_by_one = [translator.transform(mock.synthetic[i]).flux[0] for i in range(5)]
    np.testing.assert_array_equal(one_by_one, translator.transform(mock.synthetic).flux[:5])


@pytest.mark.parametrize("power", [-20, 20])
@every_translator
def test_the_unit_of_flux_changes_nothing(kind, power, make, mock):
    def fitted(factor):
        synthetic, observed = (
            Spectra(
                part.flux.astype(float) * factor,
                part.wavelength,
                ivar=None if name == "exact" else part.ivar.astype(float) / factor**2,
                noise=name,
            )
            for part, name in ((mock.synthetic, "exact"), (mock.observed, "known"))
        )
        return make(kind).fit(synthetic, observed).transform(synthetic).flux / factor

    np.testing.assert_allclose(fitted(10.0**power), fitted(1.0), atol=1e-4)
