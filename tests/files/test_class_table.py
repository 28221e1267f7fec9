"""The table of what files may hold: complete, true to the classes, and no way around it."""

import dataclasses
import importlib
import inspect
import pkgutil

import pytest
import torch

import spectragan
from spectragan.exceptions import ModelFileError
from spectragan.files import classes
from spectragan.files.classes import HOME_OF, HOMES, class_of, kind_of, name_of, rules_of
from spectragan.files.decoding import Decoder
from spectragan.files.rules import KINDS

# Parts of networks, and players that only training needs.
NOT_SAVED = {
    "ConvStack",
    "KernelHead",
    "LatentEncoder",
    "LatentHead",
    "PairCritic",
    "PixelHead",
    "ResidualMLP",
    "SubspaceAdapter",
    "SubspaceCritic",
}
N_PARTS = {"estimator": 3, "object": 2, "network": 5}  # of a node


def test_every_public_class_that_has_save_is_in_the_table():
    savers = {n for n in spectragan.__all__ if hasattr(getattr(spectragan, n), "save")}
    assert savers <= set(HOME_OF)


def test_every_network_is_in_the_table_or_said_not_to_be():
    found = set()
    for info in pkgutil.walk_packages(spectragan.__path__, "spectragan."):
        if ".network" not in info.name:
            continue
        for name, value in vars(importlib.import_module(info.name)).items():
            own = isinstance(value, type) and value.__module__ == info.name
            found |= {name} if own and issubclass(value, torch.nn.Module) else set()
    assert found == NOT_SAVED | {n for n, home in HOME_OF.items() if ".network" in home}


@pytest.mark.parametrize("name", HOME_OF)
def test_table_names_a_class_that_finds_its_way_back(name):
    cls = class_of(name)
    assert inspect.isclass(cls)
    assert cls.__name__ == name
    assert name_of(object.__new__(cls)) == name


@pytest.mark.parametrize("name", [n for n in HOME_OF if kind_of(n) != "estimator"])
def test_rules_of_parts_are_about_what_their_constructor_takes(name):
    cls = class_of(name)
    parameters = set(inspect.signature(cls).parameters)
    rules = {rule.removesuffix("?") for rule in rules_of(name)}
    if dataclasses.is_dataclass(cls):
        assert rules == {field.name for field in dataclasses.fields(cls)}
    elif name in ("Spectra", "SubspacePixels"):
        return  # have builders of their own
    assert rules <= parameters


@pytest.mark.parametrize("name", HOME_OF)
def test_rules_are_spelt_correctly(name):
    for rule in rules_of(name).values():
        kind = rule.split()[0].removesuffix("?").removeprefix("list:")
        words = kind.split("|")
        known = set(KINDS) | set(HOME_OF) | {"object", "own"}
        assert set(words) <= known, rule


def test_no_class_is_in_the_table_twice():
    assert len(HOME_OF) == sum(map(len, HOMES.values()))


@pytest.mark.parametrize("kind", ["estimator", "object", "network"])
@pytest.mark.parametrize("name", ["Popen", "subprocess.Popen", "spectragan.labels", ["Spectra"], 3])
def test_a_class_that_is_not_in_the_table_is_refused_and_nothing_imported(kind, name, monkeypatch):
    monkeypatch.setattr(classes, "import_module", lambda home: pytest.fail(f"{home} imported"))
    node = {kind: [name, {}, {}, True, True][: N_PARTS[kind]]}
    with pytest.raises(ModelFileError, match="only hold classes of spectragan where it says"):
        Decoder({}, {}).decode(node)


@pytest.mark.parametrize(
    ("kind", "name"),
    [("object", "Broadener"), ("network", "Spectra"), ("estimator", "FrozenEstimator")],
)
def test_a_class_is_made_as_its_kind_is_and_not_otherwise(kind, name):
    with pytest.raises(
        ModelFileError, match=f"only hold classes of spectragan where it says {kind}"
    ):
        Decoder({}, {}).decode({kind: [name, {}, {}, True, True][: N_PARTS[kind]]})


def test_a_class_of_the_same_name_is_another_one():
    class CycleGANTranslator:
        pass

    assert name_of(CycleGANTranslator()) is None


def test_every_fitted_attribute_has_a_rule(models):
    for model in models.values():
        name = type(model).__name__
        if kind_of(name) == "estimator":
            known = {n.removesuffix("?") for n in rules_of(name)} | {
                *getattr(model, "_left_out", ())
            }
            own = set(vars(model)) - set(model.get_params(deep=False))
            assert own <= known, f"give these a rule in `_kept` of {name}: {own - known}"
