"""The table of what files may hold: complete, true to the classes, and no way around it."""

import dataclasses
import importlib
import inspect
import pkgutil

import pytest
import torch

import spectragan
from spectragan.files.classes import CLASSES, class_of, name_of
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


def test_every_public_class_that_has_save_is_in_the_table():
    savers = {n for n in spectragan.__all__ if hasattr(getattr(spectragan, n), "save")}
    assert savers <= set(CLASSES)


def test_every_network_is_in_the_table_or_said_not_to_be():
    found = set()
    for info in pkgutil.walk_packages(spectragan.__path__, "spectragan."):
        if ".network" not in info.name:
            continue
        for name, value in vars(importlib.import_module(info.name)).items():
            own = isinstance(value, type) and value.__module__ == info.name
            found |= {name} if own and issubclass(value, torch.nn.Module) else set()
    assert found == NOT_SAVED | {n for n, e in CLASSES.items() if ".network" in e.home}


@pytest.mark.parametrize("name", CLASSES)
def test_table_names_a_class_that_finds_its_way_back(name):
    cls = class_of(name)
    assert inspect.isclass(cls)
    assert cls.__name__ == name
    assert name_of(object.__new__(cls)) == name


@pytest.mark.parametrize("name", [n for n, e in CLASSES.items() if e.kind != "estimator"])
def test_rules_of_parts_are_about_what_their_constructor_takes(name):
    cls = class_of(name)
    parameters = set(inspect.signature(cls).parameters)
    rules = {rule.removesuffix("?") for rule in CLASSES[name].rules}
    if dataclasses.is_dataclass(cls):
        assert rules == {field.name for field in dataclasses.fields(cls)}
    elif name in ("Spectra", "SubspacePixels"):
        return  # have builders of their own
    assert rules <= parameters


@pytest.mark.parametrize("name", CLASSES)
def test_rules_are_spelt_correctly(name):
    for rule in CLASSES[name].rules.values():
        kind = rule.split()[0].removesuffix("?").removeprefix("list:")
        words = kind.split("|")
        known = set(KINDS) | set(CLASSES) | {"object", "own"}
        assert set(words) <= known, rule


def test_a_class_of_the_same_name_is_another_one():
    class CycleGANTranslator:
        pass

    assert name_of(CycleGANTranslator()) is None


def test_every_fitted_attribute_has_a_rule(models):
    for model in models.values():
        entry = CLASSES[type(model).__name__]
        if entry.kind == "estimator":
            known = {n.removesuffix("?") for n in entry.rules} | {*entry.left_out}
            own = set(vars(model)) - set(model.get_params(deep=False))
            assert own <= known, f"give these a rule in files/classes.py: {own - known}"
