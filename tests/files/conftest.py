"""One small fitted model of every class that can be saved, and what each is asked."""

import builtins
import hashlib
import json
import os
import pickle
import subprocess
import time
import warnings

import astropy.units as u
import numpy as np
import pytest
import torch

import spectragan
from spectragan import ModelFileError, Spectra, load
from spectragan.files.layout import BEGIN, FORMAT_VERSION

N_PIXELS = 24
NETWORK = {"max_epochs": 2, "warmup_epochs": 1, "steps_per_epoch": 2, "batch_size": 16}
COMMON = {"random_state": 0, "verbose": 0, "device": "cpu"}


def small_domains():
    """Return labels, synthetic spectra without noise, observed ones with it, on one grid."""
    rng = np.random.default_rng(0)
    labels = rng.uniform(-1, 1, size=(60, 2))
    lines = np.array([np.eye(N_PIXELS)[5] + np.eye(N_PIXELS)[6] / 2, np.eye(N_PIXELS)[15]])
    ivar = np.where(rng.random((60, N_PIXELS)) < 0.05, 0.0, 1e4)
    models = 1 - 0.3 * np.exp(labels) @ lines
    stars = 0.98 - 0.4 * np.exp(labels[::-1]) @ lines + 0.01 * rng.standard_normal(models.shape)
    wavelength = np.linspace(5000, 5100, N_PIXELS) * u.AA
    weights = (ivar > 0).astype(float)
    synthetic = Spectra(models, wavelength, ivar=weights, noise="exact", medium="air")
    return labels, synthetic, Spectra(stars, wavelength, ivar=ivar, medium="air")


def steps(synthetic, observed):
    """Return one transformer of every class, with parameters of many types."""
    axis = np.linspace(502, 508, 30) * u.nm
    return {
        "AirVacuumConverter": spectragan.AirVacuumConverter("vacuum"),
        "Broadener": spectragan.Broadener(1500, v_sin_i=80 * u.km / u.s),
        "ContinuumNormalizer": spectragan.ContinuumNormalizer(
            1, chunks=[(5000, 5050), (5051 * u.AA, 5100 * u.AA)], continuum_pixels=[(5000, 5090)]
        ),
        "NoiseInjector": spectragan.NoiseInjector(like=observed, random_state=3),
        "OutlierInterpolator": spectragan.OutlierInterpolator(),
        "Resampler": spectragan.Resampler(axis),
        "RestFrameShifter": spectragan.RestFrameShifter(template=synthetic[:1]),
        "SkyLineMasker": spectragan.SkyLineMasker([(501 * u.nm, 5020)], velocity=10 * u.km / u.s),
        "TelluricMasker": spectragan.TelluricMasker([(5050, 5060)]),
    }


def translators(synthetic, observed):
    """Return every translator, fitted."""
    conv = {**NETWORK, **COMMON, "width": 0.05}
    made = {
        "CycleGANTranslator": spectragan.CycleGANTranslator(hidden=(8,), **NETWORK, **COMMON),
        "conv": spectragan.CycleGANTranslator("conv", **conv),
        "conv-published": spectragan.CycleGANTranslator("conv-published", n_shared=3, **conv),
        "LinearTranslator": spectragan.LinearTranslator(5),
        "MeanShiftTranslator": spectragan.MeanShiftTranslator(5),
        "PseudoPairTranslator": spectragan.PseudoPairTranslator(5),
    }
    made["TranslatorEnsemble"] = spectragan.TranslatorEnsemble(
        spectragan.CycleGANTranslator(hidden=(8,), **NETWORK, **COMMON), n_members=2
    )
    return {name: model.fit(synthetic, observed) for name, model in made.items()}


def label_models(labels, synthetic, observed, translator):
    """Return every model that knows labels, fitted."""
    network = {"hidden": (12, 8), "max_epochs": 2, "learning_rate": 1e-2, **COMMON}
    # So many stars beyond the centers that the fully connected part is trained, too.
    many = np.repeat(labels, 3, axis=0) + np.linspace(0, 0.1, 180)[:, None]
    flux = np.repeat(synthetic.flux, 3, axis=0)
    emulator = spectragan.SpectrumEmulator(6, n_centers=40, **network)
    emulator.fit(many, Spectra(flux, synthetic.wavelength, noise="exact", medium="air"))
    starnet = spectragan.StarNetRegressor(2, **network).fit(synthetic, labels)
    observed_emulator = spectragan.ObservedEmulator(emulator, translator)
    fitter = spectragan.ParameterFitter(
        emulator, translator, priors={"label_0": (0.0, 1.0)}, chunk_size=20, random_state=0
    )
    return {
        "ObservedEmulator": observed_emulator,
        "ParameterFitter": fitter.fit(observed[:30]),
        "SpectrumEmulator": emulator,
        "StarNetRegressor": starnet,
    }


@pytest.fixture(scope="session")
def domains():
    """Return labels, synthetic and observed spectra."""
    return small_domains()


@pytest.fixture(scope="session")
def models(domains):
    """Return a fitted model of every class, by name; no test may change one."""
    _, synthetic, observed = domains
    with warnings.catch_warnings():
        # Two epochs on sixty spectra: warnings about the quality of the fit are deserved.
        warnings.simplefilter("ignore", spectragan.SpectraganWarning)
        found = {name: step.fit(observed) for name, step in steps(synthetic, observed).items()}
        found |= translators(synthetic, observed)
        return found | label_models(*domains, found["CycleGANTranslator"])


def numbers(value):
    """Return the arrays in what a model answers."""
    if isinstance(value, Spectra):
        return [value.flux, value.ivar, value.noise]
    if isinstance(value, tuple):
        return [array for part in value for array in numbers(part)]
    return [np.asarray(value)]


@pytest.fixture(scope="session")
def answers(domains):
    """Return what gives everything that a model answers, by method."""
    labels, synthetic, observed = domains

    def ask(model):
        questions = {
            "predict": [labels[:9]] if hasattr(model, "jacobian") else [observed[:9]],
            "jacobian": [labels[:9]],
            "transform": [observed[:9]],
            "decode": [],
            "inverse_transform": [],
            "sample": [],
            "encode": [],
        }
        if hasattr(model, "encode"):
            latents = model.encode(observed[:9], 1)
            questions |= {"inverse_transform": [observed[:9]], "encode": [observed[:9], 1]}
            questions |= {"sample": [synthetic[:9], 3, 7], "decode": [latents.shared]}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", spectragan.SpectraganWarning)
            found = {
                name: numbers(getattr(model, name)(*given))
                for name, given in questions.items()
                if hasattr(model, name) and given
            }
            if hasattr(model, "fit_table") or hasattr(model, "nets_"):
                found["std"] = numbers(model.predict(observed[:9], return_std=True))
        return found

    return ask


NAMES = ("CycleGANTranslator", "StarNetRegressor", "SpectrumEmulator", "Resampler", "conv")
MOST_SECONDS = 3.0  # of CPU time for one file; the largest have 4 MB of header
DIGEST = len(BEGIN) + len(f'{FORMAT_VERSION}","sha256":"')


class Forger:
    """A model file taken apart, for changes that get a valid checksum."""

    def __init__(self, data):
        length = int.from_bytes(data[:8], "little")
        self.data, self.payload = data, data[8 + length :]
        self.header = json.loads(data[8 : 8 + length])
        self.state = json.loads(self.header["__metadata__"]["state"])

    def tensors(self):
        return [name for name in self.header if name != "__metadata__"]

    def learned(self):
        """Return the names of all tensors but parameters', which may have any shape."""
        parameters = self.state["estimator"][1]
        given = {json.dumps(node[key]) for node, key in self.nodes("array", parameters)}
        return [name for name in self.tensors() if json.dumps(name) not in given]

    def nodes(self, kind, node=None):
        """Find the contents of every node of a kind, in places that can be changed."""
        node = self.state if node is None else node
        found = []
        for key, part in node.items() if isinstance(node, dict) else enumerate(node):
            named = key == kind and (kind == "array" or isinstance(part, list))
            found += [(node, key)] if named else []
            found += self.nodes(kind, part) if isinstance(part, dict | list) else []
        return found

    def attributes(self):
        """Return the attributes of the outermost estimator, and their names."""
        attributes = self.state["estimator"][2]
        return attributes, sorted(attributes)

    def dump(self):
        return json.dumps(self.header, separators=(",", ":"))

    def text(self):
        self.header["__metadata__"]["state"] = json.dumps(self.state, separators=(",", ":"))
        return self.dump()

    def sealed(self):
        return self.seal(self.text())

    def seal(self, header, length=None):
        """Return a file with this header, and the checksum that belongs to it."""
        text = header.encode("utf-8", "surrogatepass")
        text = text[:DIGEST] + b"0" * 64 + text[DIGEST + 64 :]
        size = len(text) if length is None else length
        data = size.to_bytes(8, "little") + text + self.payload
        digest = hashlib.sha256(data).hexdigest().encode()
        return data[: 8 + DIGEST] + digest + data[8 + DIGEST + 64 :]


@pytest.fixture(scope="session")
def originals(models, tmp_path_factory):
    """Return the bytes of intact model files."""
    folder = tmp_path_factory.mktemp("originals")
    for name in NAMES:
        models[name].save(folder / name)
    return [(folder / name).read_bytes() for name in NAMES]


@pytest.fixture(scope="session")
def forger():
    """Return what takes a model file apart."""
    return Forger


@pytest.fixture
def no_code(monkeypatch):
    """Fail whatever would run code, or read a pickle."""

    def refuse(*args, **kwargs):
        pytest.fail(f"a model file ran code: {args}")

    for owner, name in [
        (os, "system"),
        (subprocess, "Popen"),
        (pickle, "load"),
        (pickle, "loads"),
        (torch, "load"),
        (builtins, "eval"),
    ]:
        monkeypatch.setattr(owner, name, refuse)


@pytest.fixture
def check_refused(originals, tmp_path):
    """Return what makes many bad files and expects one sentence about each."""

    def check(kinds, number, seed, take=lambda data: data):
        rng, path = np.random.default_rng(seed), tmp_path / "model"
        for trial in range(number):
            kind, name = kinds[trial % len(kinds)], trial // len(kinds) % len(NAMES)
            about = f"trial {trial}: {kind.__name__} of {NAMES[name]}"
            changed = kind(take(originals[name]), rng)
            assert changed != originals[name], about
            path.write_bytes(changed)
            start = time.process_time()
            with pytest.raises(ModelFileError) as caught:
                pytest.fail(f"{about} was loaded: {load(path)}")
            assert time.process_time() - start < MOST_SECONDS, about
            message = str(caught.value)
            assert message.startswith(f"'{path}' can't be loaded: "), message
            assert message.endswith("."), message
            assert "\n" not in message
            assert len(message) < 600 + len(str(path)), message

    return check
