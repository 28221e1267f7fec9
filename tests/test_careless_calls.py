"""Careless calls: each is right, or one sentence of ours, or a named warning; none is silent.

A row is a call and what must come of it: a part of the sentence, or the classes of warnings, and
where nothing is said the result must be that of the careful call.
"""

import re
import warnings

import astropy.units as u
import numpy as np
import pandas as pd
import pytest
from astropy.table import QTable, Table

import spectragan as sg
from spectragan.datasets import make_mock_domains

NAMES = ["teff", "logg", "feh"]
MOCK = make_mock_domains(60, 60, n_pixels=50, random_state=0)
SYNTHETIC, OBSERVED = MOCK.synthetic, MOCK.observed
LABELS = np.asarray(MOCK.labels_synthetic, dtype=float)
FRAME = pd.DataFrame(LABELS, columns=NAMES)
STARS = [f"star {i}" for i in range(60)]
FLUX = SYNTHETIC.filled(1.0)
QUIET = {"random_state": 0, "verbose": 0}


def changed(row, column, value, labels=LABELS):
    copy = labels.copy()
    copy[row, column] = value
    return copy


def emulator():
    return sg.SpectrumEmulator(4, **QUIET)


def starnet():
    return sg.StarNetRegressor(1, max_epochs=1, **QUIET)


EMULATOR = emulator().fit(FRAME, SYNTHETIC)
NETWORK = starnet().fit(SYNTHETIC, FRAME)
LINEAR = sg.LinearTranslator(3).fit(SYNTHETIC, OBSERVED)
FITTER = sg.ParameterFitter(EMULATOR, verbose=0)
FITS = {
    "emulator": lambda labels, spectra=SYNTHETIC: emulator().fit(labels, spectra),
    "starnet": lambda labels, spectra=SYNTHETIC: starnet().fit(spectra, labels),
}
USES = {
    "emulator": EMULATOR.predict,
    "jacobian": EMULATOR.jacobian,
    "starnet": NETWORK.predict,
    "fitter": FITTER.predict,
    "translator": LINEAR.transform,
    "inverse": LINEAR.inverse_transform,
}
STEPS = (
    sg.AirVacuumConverter(),
    sg.Broadener(resolution=1000),
    sg.ContinuumNormalizer(),
    sg.NoiseInjector(),
    sg.OutlierInterpolator(),
    sg.Resampler(SYNTHETIC.wavelength[::2]),
    sg.RestFrameShifter(),
    sg.SkyLineMasker(),
    sg.TelluricMasker(),
)

# Labels to fit to, and a part of the sentence.
BAD_LABELS = {
    "errors among labels": (FRAME.assign(teff_err=50.0), "errors, too, in teff_err"),
    "names among labels": (FRAME.assign(star=STARS), "words in 'star'"),
    "a word among objects": (changed(3, 1, "n/a", LABELS.astype(object)), "the word 'n/a'"),
    "infinite": (changed(3, 1, np.inf), "contains infinity: .* at row 3, column 1"),
    "nothing": (None, "the target y is None|got None"),
    "a word": ("teff", "real numbers of shape .*; got 'teff'"),
    "a number": (5, "real numbers of shape .*; got 5"),
    "an estimator": (EMULATOR, "got SpectrumEmulator"),
    "three axes": (LABELS[None], "shape .*got shape"),
    "too few": (LABELS[:-1], "inconsistent numbers of samples, got 59 and 60"),
    "as columns": (tuple(LABELS.T), "inconsistent numbers of samples, got 3 and 60"),
    "complex": (LABELS + 0j, "Complex data not supported"),
    "dates": (np.full((60, 1), "2020-01-01", "datetime64[D]"), "got dates"),
    "a name twice": (pd.DataFrame(LABELS, columns=["teff", "teff", "feh"]), "one column of a name"),
    "spectra": (SYNTHETIC, "in the order fit"),
    "hundreds of columns": (np.hstack([LABELS] * 40), "in the order fit"),
}
# Labels to fit to that are as good as the frame.
GOOD_LABELS = {
    "records": FRAME.to_records(index=False),
    "a list of dicts": FRAME.to_dict("records"),
    "a dict of columns": {name: FRAME[name].to_numpy() for name in NAMES},
    "objects": FRAME.astype(object),
    "numbers as words": FRAME.astype(str),
    "another index": FRAME.set_axis(range(100, 160)),
    "a table": Table.from_pandas(FRAME),
    "kilokelvin": QTable({"teff": LABELS[:, 0] / 1000 * u.kK, **FRAME[["logg", "feh"]]}),
}
# Spectra to fit to, and a part of the sentence.
BAD_SPECTRA = {
    "a number": (3, r"got 3|got shape \(\)"),
    "a word": ("a.fits", "must hold real numbers"),
    "an emulator": (EMULATOR, "emulator|object"),
    "three axes": (np.ones((60, 5, 2)), "shape"),
    "rows of two lengths": ([np.ones(50)] * 59 + [np.ones(49)], "pixels in every"),
    "complex": (FLUX + 0j, "real numbers"),
    "all NaN": (np.full((60, 50), np.nan), "all pixels masked|at least 2 spectra"),
    "labels": (MOCK.labels_synthetic, "in the order fit|got labels"),
}
# What else is called, and a part of the sentence.
CALLS = {
    "swapped in score": (lambda: EMULATOR.score(SYNTHETIC, LABELS), "features|grid|pixels"),
    "too few labels in score": (lambda: NETWORK.score(SYNTHETIC, LABELS[:, :2]), "labels of the"),
    "translator for emulator": (
        lambda: sg.ParameterFitter(LINEAR, EMULATOR, verbose=0).predict(OBSERVED[:2]),
        "emulator",
    ),
    "observed emulator, swapped": (lambda: sg.ObservedEmulator(LINEAR, EMULATOR), "emulator"),
    "line attribution, swapped": (lambda: sg.LineAttribution(LINEAR, EMULATOR), "emulator"),
    "cycle scores, swapped": (lambda: sg.cycle_scores(SYNTHETIC, OBSERVED, LINEAR), "translator"),
    "strangeness, swapped": (
        lambda: sg.out_of_distribution(OBSERVED, SYNTHETIC, LINEAR),
        "`translator` must be .* got Spectra; call out_of_distribution",
    ),
    "report, swapped": (
        lambda: sg.translation_report(SYNTHETIC, LINEAR, OBSERVED),
        "`translator` must be .* got Spectra; call translation_report",
    ),
    "pseudo-pair score, swapped": (
        lambda: sg.pseudo_pair_score(SYNTHETIC, LINEAR, OBSERVED),
        "`translator` must be .* got Spectra; call pseudo_pair_score",
    ),
    "inventions, swapped": (lambda: sg.find_inventions(SYNTHETIC, LINEAR, OBSERVED), "be spectra"),
    "a map of two sets without names": (lambda: sg.tsne_gap(SYNTHETIC, OBSERVED), "mapping"),
    "gap of two grids": (lambda: sg.gap_scores(SYNTHETIC, OBSERVED.flux[:, 1:]), "grid"),
    "domains of two grids": (
        lambda: sg.LinearTranslator().fit(SYNTHETIC, OBSERVED.select_pixels(slice(0, 20))),
        "grid",
    ),
    "labels for a domain": (
        lambda: sg.LinearTranslator().fit(SYNTHETIC, MOCK.labels_synthetic),
        "labels|domain|pixels",
    ),
    "stars as domains": (lambda: sg.LinearTranslator().fit(SYNTHETIC, np.arange(60)), "domain"),
    "domains as elsewhere": (
        lambda: sg.LinearTranslator().fit(SYNTHETIC, np.where(np.arange(60) % 2, 1, -2)),
        "0|synthetic",
    ),
    "one name for three labels": (
        lambda: starnet().fit(SYNTHETIC, LABELS, label_names="teff"),
        "`label_names` must be a sequence",
    ),
    "a name that isn't there": (
        lambda: emulator().fit(FRAME, SYNTHETIC, label_names=("teff", "vsini")),
        "vsini",
    ),
    "weights that are words": (
        lambda: starnet().fit(SYNTHETIC, LABELS, sample_weight="a"),
        "`sample_weight` must hold",
    ),
    "errors of labels that are words": (
        lambda: starnet().fit(SYNTHETIC, LABELS, label_std="a"),
        "`label_std` must hold",
    ),
    "negative errors of labels": (
        lambda: starnet().fit(SYNTHETIC, LABELS, label_std=-np.ones((60, 3))),
        "`label_std` must hold",
    ),
    "spectra of spectra": (lambda: sg.Spectra(SYNTHETIC, None), "`flux` must be an array"),
    "wavelengths without unit": (
        lambda: sg.Spectra(SYNTHETIC.flux, SYNTHETIC.wavelength.value),
        "`wavelength` must be a Quantity",
    ),
    "labels of other units": (
        lambda: sg.compare_labels(
            QTable({"teff": LABELS[:, 0] * u.m}), QTable({"teff": LABELS[:, 0] * u.K})
        ),
        "`teff` of `catalogue` must have a unit",
    ),
    "labels of other stars": (lambda: sg.compare_labels(LABELS, LABELS[:-1]), "row by row"),
    "negative errors": (lambda: sg.compare_labels(LABELS, LABELS, std=-LABELS), "negative"),
}
WARNED = {
    "a code for a label, emulator": (
        lambda: emulator().fit(changed(3, 1, -9999), SYNTHETIC),
        sg.exceptions.MissingLabelWarning,
    ),
    "a code for a label, network": (
        lambda: starnet().fit(SYNTHETIC, changed(3, 1, -9999)),
        sg.exceptions.MissingLabelWarning,
    ),
    "labels in another order": (
        lambda: EMULATOR.predict(LABELS[:, ::-1]),
        sg.exceptions.LabelExtrapolationWarning,
    ),
    "logarithms of labels": (
        lambda: EMULATOR.predict(np.log10(np.abs(LABELS))),
        sg.exceptions.LabelExtrapolationWarning,
    ),
    "domains, swapped": (
        lambda: sg.LinearTranslator(3).fit(OBSERVED, SYNTHETIC),
        sg.exceptions.SwappedDomainsWarning,
    ),
    "observed spectra translated": (
        lambda: LINEAR.transform(OBSERVED),
        sg.exceptions.SwappedDomainsWarning,
    ),
    "NaN that isn't masked": (
        lambda: LINEAR.transform(np.where(np.arange(50) == 3, np.nan, FLUX)),
        sg.exceptions.NaNFluxWarning,
    ),
}
# What numpy, pandas and torch say, which tells a user nothing.
RAW = re.compile(
    "could not convert|ufunc|has no attribute|not subscriptable|cannot reshape|setting an array"
    "|broadcast|not 'dict'|array=|truth value|unsupported operand|unhashable|is not an estimator"
)


def refused(call, words, *arguments):
    """Check that a call is refused by one sentence, whatever it warns of before."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", sg.exceptions.SpectraganWarning)
        with pytest.raises((ValueError, TypeError)) as error:
            call(*arguments)
    message = str(error.value)
    assert re.search(words, message), message
    assert not RAW.search(message), message
    assert len(message) < 600


@pytest.mark.parametrize("fit", FITS)
@pytest.mark.parametrize("kind", BAD_LABELS)
def test_labels_that_are_none_are_refused(fit, kind):
    labels, words = BAD_LABELS[kind]
    refused(FITS[fit], words, labels)


@pytest.mark.parametrize("fit", FITS)
@pytest.mark.parametrize("kind", GOOD_LABELS)
def test_other_forms_of_labels_give_the_same(fit, kind):
    expected, result = EMULATOR if fit == "emulator" else NETWORK, FITS[fit](GOOD_LABELS[kind])
    assert result.label_names_ == tuple(NAMES)
    in_kilo = [1000.0, 1, 1] if kind == "kilokelvin" else 1.0
    np.testing.assert_allclose(result.label_range_ * in_kilo, expected.label_range_)
    if kind == "kilokelvin":
        assert result._label_units["teff"] == u.kK
    elif fit == "emulator":
        np.testing.assert_array_equal(result.predict(FRAME), expected.predict(FRAME))


@pytest.mark.parametrize("fit", FITS)
@pytest.mark.parametrize("kind", BAD_SPECTRA)
def test_spectra_that_are_none_are_refused(fit, kind):
    spectra, words = BAD_SPECTRA[kind]
    refused(FITS[fit], words, LABELS, spectra)


@pytest.mark.parametrize("fit", FITS)
def test_frames_of_the_same_stars_in_another_order_are_refused(fit):
    spectra = pd.DataFrame(FLUX, index=STARS)
    labels = FRAME.set_axis(STARS).sample(frac=1, random_state=0)
    refused(FITS[fit], "same stars row by row", labels, spectra)


@pytest.mark.parametrize("use", USES)
@pytest.mark.parametrize(
    "argument",
    [None, "x", 3, [1, 2], EMULATOR, np.ones((2, 3, 4)), np.ones((2, 50)) * 1j, {"a": 1}],
    ids=str,
)
def test_what_holds_no_rows_of_numbers_is_refused(use, argument):
    refused(USES[use], "must|features", argument)


@pytest.mark.parametrize("use", USES)
def test_too_few_columns_are_refused(use):
    of_labels = use in ("emulator", "jacobian")
    refused(USES[use], r"is expecting \d+ features .*;", (LABELS if of_labels else FLUX)[:, :-1])


@pytest.mark.parametrize("step", STEPS, ids=lambda step: type(step).__name__)
@pytest.mark.parametrize("argument", [None, "x", FRAME, MOCK.labels_synthetic, EMULATOR, 1j * FLUX])
def test_steps_refuse_what_are_no_spectra(step, argument):
    refused(step.fit_transform, "must", argument)


@pytest.mark.parametrize("kind", CALLS)
def test_careless_calls_are_one_sentence(kind):
    refused(CALLS[kind][0], CALLS[kind][1])


@pytest.mark.parametrize("kind", WARNED)
def test_careless_calls_that_go_through_are_told(kind):
    call, category = WARNED[kind]
    with pytest.warns(category):
        call()


def test_labels_beside_others_and_in_any_order_are_found():
    shuffled = FRAME[["feh", "teff", "logg"]].assign(teff_err=1.0, star=STARS)
    np.testing.assert_array_equal(EMULATOR.predict(shuffled), EMULATOR.predict(FRAME))
    np.testing.assert_array_equal(
        EMULATOR.predict(FRAME.iloc[0].to_dict()), EMULATOR.predict(FRAME.iloc[:1])
    )
    np.testing.assert_array_equal(
        EMULATOR.predict(FRAME.to_dict("records")), EMULATOR.predict(FRAME)
    )
