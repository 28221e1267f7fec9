"""Fits through a translator: each star has split latents of its own."""

import numpy as np
import pytest

from spectragan import MeanShiftTranslator, ObservedEmulator, ParameterFitter


def made_by(emulator, translator, labels, split, like):
    """Make observed spectra of known labels and split latents, with a little noise."""
    rows = [
        ObservedEmulator(emulator, translator, code).predict(label[None])[0]
        for label, code in zip(labels, split, strict=True)
    ]
    noise = 1e-3 * np.random.default_rng(0).standard_normal((len(rows), like.shape[1]))
    ivar = np.full(noise.shape, 1e6)
    return like[: len(rows)].with_flux(np.array(rows) + noise, ivar, "known")


@pytest.mark.parametrize("split", ["fit", "encode"])
def test_split_latents_are_each_stars_own(split, emulator, fitted, mock):
    # Spectra with extreme codes: an average over codes would bias their labels.
    codes = fitted.split_codes_[:20]
    labels = mock.labels_synthetic[:20]
    stars = made_by(emulator, fitted, labels, codes, mock.observed)
    fitter = ParameterFitter(emulator, fitted, split=split)
    found, std = fitter.predict(stars, return_std=True)
    if split == "fit":
        assert (np.abs(found - labels) < 6 * std).mean() > 0.95
        assert fitter.parameter_names_[3:] == tuple(f"split_{i}" for i in range(codes.shape[1]))
    model = fitter.best_model(stars)
    assert np.isfinite(found).all()
    raw = ParameterFitter(emulator).best_model(stars)
    after, before = (np.sqrt(np.mean((m.flux - stars.flux) ** 2)) for m in (model, raw))
    assert after < before


def test_log_prob_knows_the_prior_of_split_latents(emulator, fitted, mock):
    fitter = ParameterFitter(emulator, fitted)
    theta = fitter.prior_transform(np.full(len(fitter.parameter_names_), 0.5))
    far = theta.copy()
    far[3:] += 5 * fitted.split_codes_.std(axis=0)
    nothing = mock.observed[:1].with_flux(mock.observed.flux[:1], 1e-12 * mock.observed.ivar[:1])
    assert fitter.log_prob(far, nothing) < fitter.log_prob(theta, nothing) - 5


def test_labels_of_translated_spectra_come_back(emulator, mock):
    translator = MeanShiftTranslator().fit(mock.synthetic, mock.observed)
    labels = mock.labels_synthetic[:30]
    stars = translator.transform(mock.synthetic[:30])
    through, raw = (ParameterFitter(emulator, t).predict(stars) for t in (translator, None))
    error, before = (np.median(np.abs(x - labels), axis=0) for x in (through, raw))
    assert (error < 0.1 * before).all()
