"""A model that was saved answers, bit for bit, as it did before."""

import pathlib
import shutil
import subprocess
import sys

import numpy as np
import pytest
import torch
from sklearn.base import BaseEstimator
from sklearn.frozen import FrozenEstimator

import spectragan
from spectragan import ModelFileError, load

NAMES = (
    "AirVacuumConverter",
    "Broadener",
    "ContinuumNormalizer",
    "CycleGANTranslator",
    "LinearTranslator",
    "MeanShiftTranslator",
    "NoiseInjector",
    "ObservedEmulator",
    "OutlierInterpolator",
    "ParameterFitter",
    "PseudoPairTranslator",
    "Resampler",
    "RestFrameShifter",
    "SkyLineMasker",
    "SpectrumEmulator",
    "StarNetRegressor",
    "TelluricMasker",
    "TranslatorEnsemble",
    "conv",
    "conv-published",
)
every_model = pytest.mark.parametrize("name", NAMES)


class Shift(torch.nn.Module):
    """A translator network of a user's own: adds a learned spectrum."""

    def __init__(self, n_pixels):
        super().__init__()
        self.mean = torch.nn.Parameter(torch.zeros(2, n_pixels))

    def encode(self, x, domain):
        return x - self.mean[domain], x.new_empty(len(x), 0)

    def decode(self, shared, split, domain):
        return shared + self.mean[domain]


class Judge(torch.nn.Module):
    """A critic of a user's own."""

    def __init__(self, n_pixels):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.ones(n_pixels))

    def forward(self, x, shared, split, domain):
        return x @ self.weight


@pytest.fixture
def own(domains):
    """Return a translator with a user's own networks, fitted."""
    _, synthetic, observed = domains
    n_pixels = synthetic.shape[1]
    settings = {"max_epochs": 2, "warmup_epochs": 1, "steps_per_epoch": 2, "random_state": 0}
    translator = spectragan.CycleGANTranslator(
        Shift(n_pixels), critic=Judge(n_pixels), verbose=0, device="cpu", **settings
    )
    return translator.fit(synthetic, observed)


def parameters_agree(a, b):
    if isinstance(a, spectragan.Spectra):
        return np.array_equal(a.flux, b.flux) and np.array_equal(a.ivar, b.ivar)
    if isinstance(a, BaseEstimator):
        return type(a) is type(b)
    if isinstance(a, np.ndarray):
        return bool(np.all(a == b)) and type(a) is type(b)
    return type(a) is type(b) and repr(a) == repr(b)


def test_every_class_that_can_be_saved_is_tested(models):
    savers = {name for name in spectragan.__all__ if hasattr(getattr(spectragan, name), "save")}
    assert {type(model).__name__ for model in models.values()} == savers
    assert set(NAMES) == set(models)


def test_every_estimator_can_be_saved():
    values = {name: getattr(spectragan, name) for name in spectragan.__all__}
    estimators = {
        n for n, v in values.items() if isinstance(v, type) and issubclass(v, BaseEstimator)
    }
    assert not {name for name in estimators if not hasattr(values[name], "save")}


@every_model
def test_loaded_model_answers_bit_for_bit(name, models, answers, tmp_path):
    before = answers(models[name])
    models[name].save(tmp_path / "model.safetensors")
    loaded = load(tmp_path / "model.safetensors")
    after = answers(loaded)
    assert before.keys() == after.keys()
    assert before
    for method, arrays in before.items():
        for mine, other in zip(arrays, after[method], strict=True):
            np.testing.assert_array_equal(mine, other, err_msg=method)
            assert mine.dtype == other.dtype


@every_model
def test_loaded_model_has_the_same_parameters_and_attributes(name, models, tmp_path):
    model = models[name]
    model.save(tmp_path / "model.safetensors")
    loaded = load(tmp_path / "model.safetensors")
    if isinstance(model, BaseEstimator):
        mine, others = model.get_params(), loaded.get_params()
        assert mine.keys() == others.keys()
        assert [key for key in mine if not parameters_agree(mine[key], others[key])] == []
    public = {key for key in vars(model) if key.endswith("_")} - {"net_"}
    assert public <= set(vars(loaded))
    for key in public & {"history_", "label_names_", "medium_", "n_features_in_", "unit_"}:
        # By repr: what was not played in an epoch has a loss of NaN.
        assert repr(getattr(model, key)) == repr(getattr(loaded, key))


@every_model
def test_saving_a_loaded_model_gives_the_same_file(name, models, tmp_path):
    first, second = tmp_path / "first", tmp_path / "second"
    models[name].save(first)
    load(first).save(second)
    assert first.read_bytes() == second.read_bytes()


@pytest.mark.slow
def test_a_new_process_answers_bit_for_bit(models, tmp_path):
    flux = np.linspace(0.9, 1.1, 24)[None]
    np.save(tmp_path / "flux.npy", flux)
    asked = {"StarNetRegressor": "predict", "CycleGANTranslator": "transform"}
    code = (
        "import sys, numpy, torch; torch.set_num_threads(1); import spectragan\n"
        "flux = numpy.load('flux.npy')\n"
        f"for name, method in {asked}.items():\n"
        "    model = spectragan.load(name)\n"
        "    numpy.save(name + '.npy', getattr(model, method)(flux))"
    )
    for name in asked:
        models[name].save(tmp_path / name)
    subprocess.run([sys.executable, "-c", code], check=True, cwd=tmp_path)
    for name, method in asked.items():
        found = np.load(tmp_path / f"{name}.npy")
        np.testing.assert_array_equal(found, getattr(models[name], method)(flux))


def test_saving_and_loading_leave_the_model_and_global_state_alone(models, answers, tmp_path):
    model = models["CycleGANTranslator"]
    before = answers(model)["transform"][0]
    torch.manual_seed(1)
    state, threads = torch.get_rng_state(), torch.get_num_threads()
    numpy_state = np.random.get_state()[1].copy()  # noqa: NPY002 - the global one is tested
    model.save(tmp_path / "model")
    load(tmp_path / "model")
    assert torch.equal(torch.get_rng_state(), state)
    assert np.array_equal(np.random.get_state()[1], numpy_state)  # noqa: NPY002
    assert torch.get_num_threads() == threads
    np.testing.assert_array_equal(answers(model)["transform"][0], before)


def test_changing_a_loaded_model_leaves_the_file_and_other_loads_alone(models, tmp_path):
    path = tmp_path / "model"
    models["MeanShiftTranslator"].save(path)
    first, second = load(path), load(path)
    first.subspace_.means[:] = 0
    assert second.subspace_.means.all()
    assert load(path).subspace_.means.all()


def test_parts_that_were_one_object_are_one_again(models, tmp_path):
    models["ParameterFitter"].save(tmp_path / "model")
    loaded = load(tmp_path / "model")
    assert loaded.emulator_ is loaded.emulator
    translator = loaded.translator
    assert translator._representation.subspace is translator.subspace_
    # One array, in the file and in memory, however often the model has it.
    means = translator.network_.means
    assert means.data_ptr() == translator.subspace_.means.ctypes.data


def test_nets_of_a_loaded_model_have_module_and_history(models, tmp_path):
    for name in ("CycleGANTranslator", "conv", "SpectrumEmulator"):
        models[name].save(tmp_path / "model")
        net, before = load(tmp_path / "model").net_, models[name].net_
        assert type(net.module_).__name__ == type(before.module_).__name__
        term = "valid_loss" if name == "SpectrumEmulator" else "cycle"
        assert net.history[:, term] == before.history[:, term]


def test_a_frozen_part_stays_frozen(models, domains, tmp_path):
    fitter = spectragan.ParameterFitter(FrozenEstimator(models["SpectrumEmulator"])).fit()
    fitter.save(tmp_path / "model")
    loaded = load(tmp_path / "model")
    assert isinstance(loaded.emulator, FrozenEstimator)
    assert loaded.emulator_ is loaded.emulator.estimator
    np.testing.assert_array_equal(loaded.predict(domains[2][:5]), fitter.predict(domains[2][:5]))


@pytest.mark.parametrize("make", [np.random.RandomState, np.random.default_rng])
def test_random_generators_go_on_where_they_were(make, domains, tmp_path):
    generator = make(5)
    generator.normal(size=3)
    step = spectragan.NoiseInjector(50, random_state=generator).fit(domains[1])
    step.save(tmp_path / "model")
    loaded = load(tmp_path / "model")
    np.testing.assert_array_equal(loaded.random_state.normal(size=9), generator.normal(size=9))


def test_networks_of_ones_own_come_back_with_modules(own, domains, tmp_path):
    own.save(tmp_path / "model")
    n_pixels = own.n_features_in_
    given = {"Shift": Shift(n_pixels), "Judge": Judge(n_pixels)}
    loaded = load(tmp_path / "model", modules=given)
    np.testing.assert_array_equal(loaded.transform(domains[1]).flux, own.transform(domains[1]).flux)
    assert not given["Shift"].mean.any(), "the module that was given must stay as it was"
    assert torch.equal(loaded.network.mean, own.network.mean)


def test_networks_of_ones_own_are_asked_for_by_name(own, tmp_path):
    own.save(tmp_path / "model")
    with pytest.raises(ModelFileError, match=r"call load\(path, modules={'Judge': module}"):
        load(tmp_path / "model")
    wrong = {"Shift": Shift(3), "Judge": Judge(3)}
    with pytest.raises(ModelFileError, match="'weight' \\(3,\\); got \\(24,\\); give one"):
        load(tmp_path / "model", modules=wrong)


def test_loading_a_step_needs_no_torch(models, tmp_path):
    models["Resampler"].save(tmp_path / "model")
    code = (
        "import sys, spectragan; spectragan.load(sys.argv[1]); "
        "assert 'torch' not in sys.modules and 'skorch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path / "model")], check=True)


@pytest.fixture(params=[str, pathlib.Path])
def kept(request, domains, tmp_path):
    """Return a translator that kept the state of its training, and the directory."""
    folder = tmp_path / "somebodys-checkpoints"
    settings = {"max_epochs": 2, "warmup_epochs": 1, "steps_per_epoch": 2, "random_state": 0}
    translator = spectragan.CycleGANTranslator(
        checkpoint=request.param(folder), hidden=(8,), verbose=0, device="cpu", **settings
    )
    return translator.fit(*domains[1:]), folder


def test_directory_of_checkpoints_is_in_no_file_and_on_no_card(kept, domains, tmp_path):
    """Whoever loads the model must not write where somebody else wanted to."""
    translator, folder = kept
    translator.save(tmp_path / "model")
    assert translator.checkpoint is not None, "saving must leave the model as it is"
    assert folder.name.encode() not in (tmp_path / "model").read_bytes()
    assert folder.name not in translator.model_card()
    loaded = load(tmp_path / "model")
    assert loaded.checkpoint is None
    shutil.rmtree(folder)
    loaded.fit(*domains[1:])
    assert not folder.exists()


def test_directory_of_checkpoints_is_left_out_of_models_within_models(
    kept, models, domains, tmp_path
):
    translator, folder = kept
    emulator = FrozenEstimator(models["SpectrumEmulator"])
    fitter = spectragan.ParameterFitter(emulator, FrozenEstimator(translator)).fit(domains[2])
    plain = spectragan.ParameterFitter(emulator, translator).fit(domains[2])
    observed = spectragan.ObservedEmulator(models["SpectrumEmulator"], translator)
    for model in (fitter, plain, observed, spectragan.ParameterFitter(observed).fit(domains[2])):
        model.save(tmp_path / "model")
        assert folder.name.encode() not in (tmp_path / "model").read_bytes()
        assert folder.name not in model.model_card()
        assert load(tmp_path / "model").model_card() == model.model_card()
    plain.save(tmp_path / "model")
    assert load(tmp_path / "model").translator.checkpoint is None
    assert translator.checkpoint is not None


@pytest.mark.parametrize("path", [3, None, True, ["model"]])
def test_what_is_no_path_is_one_sentence(path, models):
    """A number would be taken as an open file, and closed."""
    message = rf"^`path` must be that of a file; got {type(path).__name__} .*; give a str or a "
    for use in (load, models["MeanShiftTranslator"].save):
        with pytest.raises(TypeError, match=message):
            use(path)


def test_file_that_names_a_directory_of_checkpoints_is_refused(originals, forger, tmp_path):
    """No `save` writes one: somebody wants files written there."""
    file = forger(originals[0])
    assert file.state["estimator"][1]["checkpoint"] is None
    file.state["estimator"][1]["checkpoint"] = str(tmp_path / "elsewhere")
    (tmp_path / "model").write_bytes(file.sealed())
    with pytest.raises(ModelFileError, match="a file must not say where to write: no `checkpoint`"):
        load(tmp_path / "model")
