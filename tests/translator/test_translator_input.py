"""What translators take and give, and what they say when it is wrong."""

import astropy.units as u
import numpy as np
import pytest
from sklearn.exceptions import NotFittedError
from torch import nn

from spectragan import (
    CycleGANTranslator,
    GridMismatchError,
    LinearTranslator,
    MeanShiftTranslator,
    Spectra,
)

ALL = [CycleGANTranslator, LinearTranslator, MeanShiftTranslator]
every_translator = pytest.mark.parametrize("kind", ALL, ids=lambda kind: kind.__name__)


@pytest.fixture
def make(quick):
    """Return what makes a quick translator of any kind."""
    return lambda kind: quick() if kind is CycleGANTranslator else kind()


def one_sentence(error):
    text = str(error.value)
    assert text.count(". ") == 0, text
    assert text.count(";") == 2 or isinstance(error.value, NotFittedError), text
    return text


def arrays(mock):
    return mock.synthetic.flux, mock.observed.filled(1.0)


@every_translator
def test_translators_keep_single_precision(make, mock, kind):
    for dtype in (np.float32, np.float64):
        synthetic, observed = (a.astype(dtype) for a in arrays(mock))
        translator = make(kind).fit(synthetic, observed)
        assert translator.transform(synthetic).dtype == dtype
        assert translator.inverse_transform(observed).dtype == dtype


@every_translator
def test_translators_give_the_kind_they_take(make, mock, kind):
    translator = make(kind).fit(mock.synthetic, mock.observed)
    expected = translator.transform(mock.synthetic)
    assert isinstance(expected, Spectra)
    assert set(expected.noise) == {"exact"}
    assert expected.medium == mock.synthetic.medium
    np.testing.assert_array_equal(translator.transform(mock.synthetic.flux), expected.flux)
    from_specutils = translator.transform(mock.synthetic.to_specutils())
    assert type(from_specutils).__module__.startswith("specutils")
    np.testing.assert_array_equal([s.flux.value for s in from_specutils], expected.flux)


@every_translator
def test_translators_mark_a_row_without_pixels_as_unknown(make, mock, kind):
    synthetic, observed = arrays(mock)
    translator = make(kind).fit(synthetic, observed)
    with_gap = synthetic.copy()
    with_gap[1] = np.nan
    with_gap[2, 5] = np.nan
    found = translator.transform(Spectra(np.nan_to_num(with_gap), None, ivar=~np.isnan(with_gap)))
    assert not found.ivar[1].any()
    assert (found.ivar[[0, 2]] == 1).all()


@every_translator
def test_wavelength_unit_of_observed_spectra_is_free(make, mock, kind):
    nanometres = Spectra(
        mock.observed.flux,
        mock.observed.wavelength.to(u.nm),
        ivar=mock.observed.ivar,
        medium=mock.observed.medium,
    )
    a, b = (make(kind).fit(mock.synthetic, o) for o in (mock.observed, nanometres))
    np.testing.assert_allclose(
        b.transform(mock.synthetic).flux, a.transform(mock.synthetic).flux, rtol=1e-6
    )


def test_flux_unit_of_observed_spectra_is_free(make, mock):
    def scaled(spectra, unit, factor):
        return Spectra(spectra.flux * factor * unit, spectra.wavelength, noise="exact")

    synthetic = scaled(mock.synthetic, u.Jy, 1)
    results = [
        make(MeanShiftTranslator).fit(synthetic, scaled(mock.observed_truth, unit, factor))
        for unit, factor in ((u.Jy, 1), (u.mJy, 1000))
    ]
    a, b = (translator.transform(synthetic).flux for translator in results)
    np.testing.assert_allclose(b, a, rtol=1e-5)


# --- latents ---------------------------------------------------------------------------------


@every_translator
def test_encode_and_decode_have_the_promised_shapes_and_agree_with_transform(make, mock, kind):
    translator = make(kind).fit(mock.synthetic, mock.observed)
    shared, split = translator.encode(mock.synthetic, "synthetic")
    assert shared.shape == (150, translator.n_shared_)
    assert split.shape == (150, 0)
    observed = translator.encode(mock.observed, 1)
    assert observed.split.shape == (120, translator.n_split_)
    assert translator.decode(*observed).shape == (120, 80)
    if kind is CycleGANTranslator:  # baselines carry over what lies outside the components
        expected = translator.transform(mock.synthetic).flux
        np.testing.assert_allclose(translator.decode(shared), expected, rtol=1e-6)


@every_translator
def test_decoding_what_was_encoded_nearly_gives_the_spectrum_back(make, mock, kind):
    translator = make(kind).fit(mock.synthetic, mock.observed)
    for domain, spectra in enumerate((mock.synthetic_of_observed, mock.observed_truth)):
        found = translator.decode(*translator.encode(spectra, domain), domain)
        error = np.sqrt(np.mean((found - spectra.flux) ** 2))
        assert error < 0.5 * (spectra.flux - spectra.flux.mean(axis=0)).std()


def test_latents_of_a_wrong_shape_are_refused(fitted):
    n_shared, n_split = fitted.n_shared_, fitted.n_split_
    good, split = np.zeros((4, n_shared)), np.zeros((4, n_split))
    with pytest.raises(ValueError, match=rf"`shared` must have shape \(4, {n_shared}\)") as error:
        fitted.decode(np.zeros((4, n_shared + 1)))
    one_sentence(error)
    with pytest.raises(ValueError, match=rf"`split` must have shape \(4, {n_split}\)") as error:
        fitted.decode(good, split[:3])
    one_sentence(error)
    with pytest.raises(ValueError, match="must be finite; got nan at row 0") as error:
        fitted.decode(good * np.nan)
    one_sentence(error)
    with pytest.raises(ValueError, match="'observd'"):
        fitted.encode(np.ones((2, 80)), "observd")
    assert fitted.decode(good, domain="synthetic").shape == (4, 80)


def test_samples_differ_where_split_latents_differ(fitted, mock):
    draws = fitted.sample(mock.synthetic[:7], 20, random_state=0)
    assert draws.shape == (20, 7, 80)
    np.testing.assert_array_equal(draws, fitted.sample(mock.synthetic[:7], 20, random_state=0))
    assert not np.array_equal(draws, fitted.sample(mock.synthetic[:7], 20, random_state=1))
    mean = fitted.transform(mock.synthetic[:7]).flux
    spread = draws.std(axis=0).mean()
    assert 0 < spread < 0.5 * mock.raw_gap
    assert np.abs(draws.mean(axis=0) - mean).mean() < spread
    with pytest.raises(ValueError, match="`n_draws` must be an integer >= 1; got 0"):
        fitted.sample(mock.synthetic, 0)


@pytest.mark.parametrize("kind", [LinearTranslator, MeanShiftTranslator])
def test_samples_of_baselines_are_all_equal(make, mock, kind):
    draws = make(kind).fit(mock.synthetic, mock.observed).sample(mock.synthetic[:4], 3)
    assert draws.shape == (3, 4, 80)
    np.testing.assert_array_equal(draws[0], draws[2])


# --- bad input -------------------------------------------------------------------------------

Y = np.repeat([0, 1], [150, 120])
MASKED = Spectra(np.ones((120, 80)), None, ivar=np.zeros((120, 80)))
BAD_DOMAINS = {
    "one domain only": (Y * 0, "both domains"),
    "three domains": (np.arange(270) % 3, "exactly two domains"),
    "unknown words": (np.where(Y, "observed", "model"), "'model'"),
    "one too few": (Y[1:], "each of 270 spectra; got 269"),
    "no domain": (None, "y"),
}


@every_translator
@pytest.mark.parametrize("case", BAD_DOMAINS)
def test_bad_domains_are_refused(make, mock, kind, case):
    y, message = BAD_DOMAINS[case]
    with pytest.raises(ValueError, match=message) as error:
        make(kind).fit(np.concatenate(arrays(mock)), y)
    one_sentence(error)


@every_translator
def test_different_grids_are_refused(make, mock, kind):
    with pytest.raises(GridMismatchError, match=r"80.*79") as error:
        make(kind).fit(mock.synthetic.flux, mock.observed.flux[:, 1:])
    assert ". " not in str(error.value)
    moved = Spectra(mock.observed.flux, mock.observed.wavelength * 1.001, medium="air")
    with pytest.raises(GridMismatchError) as error:
        make(kind).fit(mock.synthetic, moved)
    assert ". " not in str(error.value)
    translator = make(kind).fit(mock.synthetic, mock.observed)
    for method in (translator.transform, translator.inverse_transform):
        with pytest.raises(GridMismatchError):
            method(moved)


@every_translator
def test_too_few_spectra_are_refused(make, mock, kind):
    with pytest.raises(ValueError, match=r"observed domain must have at least 2.*got 1") as error:
        make(kind).fit(mock.synthetic, mock.observed[:1])
    one_sentence(error)
    synthetic, observed = arrays(mock)
    with pytest.raises(ValueError, match=r"synthetic domain must have at least 2") as error:
        make(kind).fit(np.concatenate([synthetic[:1], observed]), np.arange(121) > 0)
    one_sentence(error)


@every_translator
def test_spectra_without_good_pixels_are_refused(make, mock, kind):
    with pytest.raises(ValueError, match=r"unmasked pixel; got ivar == 0 everywhere") as error:
        make(kind).fit(mock.synthetic.flux, MASKED)
    one_sentence(error)
    with pytest.raises(ValueError, match=r"`X` must .*all pixels masked") as error:
        make(kind).fit(MASKED, mock.observed.flux)
    one_sentence(error)


@every_translator
def test_unfitted_translators_say_so(make, mock, kind):
    synthetic, observed = arrays(mock)
    translator = make(kind)
    uses = {
        "transform": (synthetic,),
        "inverse_transform": (observed,),
        "encode": (synthetic, 0),
        "decode": (np.zeros((2, 3)),),
        "sample": (synthetic,),
        "score": (synthetic, observed),
    }
    for name, arguments in uses.items():
        with pytest.raises(NotFittedError):
            getattr(translator, name)(*arguments)
    with pytest.raises(ValueError, match="observed domain"):
        translator.fit(mock.synthetic, mock.observed[:1])
    with pytest.raises(NotFittedError):  # a fit that failed is no fit
        translator.transform(synthetic)


BAD_PARAMETERS = [
    ({"network": "transformer"}, "`network` must be one of .*got 'transformer'"),
    ({"network": nn.Linear(2, 2)}, "`critic` must be a torch.nn.Module where .*got None"),
    ({"network": "conv", "n_split": 0}, "`n_split` must be >= 1 where `network` is 'conv'"),
    ({"adversarial": "wgan"}, "`adversarial` must be one of .*got 'wgan'"),
    (
        {"cycle_weight": -1.0},
        "`cycle_weight` must be a finite number >= 0 or a pair of them, for synthetic and for "
        "observed spectra; got -1.0; 0 switches it off",
    ),
    ({"identity_weight": np.nan}, "`identity_weight` must be .*got nan"),
    ({"start_weight": "1"}, "`start_weight` must be .*got '1'"),
    ({"penalty": -0.1}, "`penalty` must be .*got -0.1"),
    ({"learning_rate": np.inf}, "`learning_rate` must be .*got inf"),
    ({"n_shared": 2.5}, "`n_shared` must be an integer >= 1 or None; got 2.5"),
    ({"n_shared": 0}, "`n_shared` must be .*got 0"),
    ({"n_split": -1}, "`n_split` must be an integer >= 0 or None; got -1"),
    ({"n_components": True}, "`n_components` must be .*got True"),
    ({"n_codes": None}, "`n_codes` must be an integer >= 1; got None"),
    ({"batch_size": 0}, "`batch_size` must be .*got 0"),
    ({"hidden": (64, 0)}, r"`hidden` must be a sequence of integers >= 1; got \(64, 0\)"),
    ({"hidden": 64}, "`hidden` must be .*got 64"),
    ({"width": 0}, "`width` must be a finite number > 0; got 0"),
    ({"ema_decay": 1.0}, "`ema_decay` must be a number >= 0 and < 1; got 1.0"),
]


@pytest.mark.parametrize(
    ("parameters", "message"),
    BAD_PARAMETERS,
    ids=lambda v: "-".join(v) if isinstance(v, dict) else "",
)
def test_bad_parameters_are_refused(mock, quick, parameters, message):
    with pytest.raises(ValueError, match=message) as error:
        quick(**parameters).fit(mock.synthetic, mock.observed)
    one_sentence(error)


def test_bad_validation_is_refused_before_training(mock, quick):
    synthetic, observed = mock.synthetic_of_observed, mock.observed
    cases = {
        "got 120 synthetic and 119 observed": (synthetic, observed[1:]),
        "2 pairs or more": (synthetic[:1], observed[:1]),
        "must be a pair .*got Spectra": synthetic,
    }
    for message, pairs in cases.items():
        with pytest.raises(ValueError, match=message) as error:
            quick(max_epochs=10**9).fit(mock.synthetic, mock.observed, validation=pairs)
        one_sentence(error)
