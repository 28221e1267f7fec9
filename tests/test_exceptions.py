"""Warnings can be silenced together, and errors are the kinds that callers already catch."""

import inspect
import warnings

import pytest

from spectragan import exceptions

CLASSES = [getattr(exceptions, name) for name in exceptions.__all__]


def test_exceptions_all_is_complete_and_sorted():
    defined = {
        name
        for name, value in vars(exceptions).items()
        if inspect.isclass(value) and value.__module__ == exceptions.__name__
    }
    assert sorted(defined) == exceptions.__all__


@pytest.mark.parametrize("cls", CLASSES, ids=lambda c: c.__name__)
def test_exceptions_have_the_family_their_name_says(cls):
    family = exceptions.SpectraganWarning if cls.__name__.endswith("Warning") else ValueError
    assert issubclass(cls, family)
    assert cls.__doc__


def test_base_warning_silences_all_of_them():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.simplefilter("ignore", exceptions.SpectraganWarning)
        for cls in CLASSES:
            if issubclass(cls, Warning):
                warnings.warn("not shown", cls, stacklevel=1)
