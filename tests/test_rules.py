"""Parameters keep their rules, and what breaks one is said in one sentence, whatever it is."""

import inspect
import re
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest
from sklearn.base import BaseEstimator

import spectragan
from spectragan.rules import (
    FLAG,
    NONE,
    VERBOSE,
    check,
    check_all,
    count,
    counts,
    number,
    one_of,
    pair,
)
from spectragan.translator.parameters import with_defaults

# What is checked where it is used: it needs the spectra, or is no plain value.
ELSEWHERE = {
    *("adversarial", "critic", "device", "random_state", "checkpoint", "checkpoint_every"),
    *("emulator", "translator", "nuisances", "bounds", "priors", "owners"),
    *("resolution", "fwhm", "initial_resolution", "initial_fwhm", "v_sin_i", "lsf"),
    *("chunks", "continuum_pixels", "like", "wavelength", "ranges", "half_width"),
    *("velocity", "template", "max_velocity", "noise_correlation"),
}
STRANGE = [
    None,
    True,
    "x",
    "",
    b"1",
    np.nan,
    -np.inf,
    -1,
    10**400,
    1 + 1j,
    Decimal(1),
    Fraction(-1, 3),
    object(),
    {},
    [],
    [[1], [1, 2]],
    (3, "a"),
    np.zeros((30, 30)),
    np.array(1),
    np.array(["auto"]),
    np.ma.masked,
]
CLASSES = [
    cls
    for cls in (getattr(spectragan, name) for name in spectragan.__all__)
    if inspect.isclass(cls) and (issubclass(cls, BaseEstimator) or hasattr(cls, "_rules"))
]


RULED = [cls for cls in CLASSES if hasattr(cls, "_rules")]
with_rules = pytest.mark.parametrize("cls", RULED, ids=lambda cls: cls.__name__)


def refusal(value, name, rule) -> str:
    try:
        check(value, name, rule)
    except ValueError as error:
        return str(error)
    return ""


@pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: cls.__name__)
def test_every_parameter_has_a_rule(cls):
    parameters = set(inspect.signature(cls).parameters)
    ruled = set(getattr(cls, "_rules", {}))
    assert ruled <= parameters, "rules of what is no parameter"
    assert parameters - ruled <= ELSEWHERE, "a new parameter needs its rule in `_rules`"


@with_rules
def test_whatever_a_parameter_is_it_is_taken_or_refused_in_one_sentence(cls):
    for name, rule in cls._rules.items():
        said = list(filter(None, (refusal(value, name, rule) for value in STRANGE)))
        assert all(re.fullmatch(rf"`{name}` must be .+; got .+; .+\.", text) for text in said)
        assert max(map(len, said)) < 500
        assert len(said) > len(STRANGE) // 2, f"{name} takes nearly everything"


@with_rules
def test_defaults_keep_the_rules(cls):
    defaults = {n: p.default for n, p in inspect.signature(cls).parameters.items()}
    check_all(with_defaults(defaults) if "network" in defaults else defaults, cls._rules)


@pytest.mark.parametrize(
    ("rule", "text"),
    [
        (count(), "an integer >= 1"),
        (count(2, 5), "an integer from 2 to 5"),
        (count(0) | NONE, "an integer >= 0 or None"),
        (counts(remedy=""), "a sequence of integers >= 1"),
        (number(), "a finite number > 0"),
        (number(closed="left"), "a finite number >= 0"),
        (number(0, 2), "a number between 0 and 2"),
        (number(0, 1, closed="both"), "a number from 0 to 1"),
        (number(0, 1, closed="left"), "a number >= 0 and < 1"),
        (number(0, 1, closed="right"), "a number > 0 and <= 1"),
        (one_of("air", "vacuum", None), "'air', 'vacuum' or None"),
        (one_of("auto") | FLAG, "'auto', True or False"),
        (VERBOSE, "an integer >= 0 or a boolean"),
    ],
)
def test_rules_are_written_in_words(rule, text):
    assert rule.text == text


@pytest.mark.parametrize(
    ("rule", "good", "bad"),
    [
        (count(2, 5), [2, 5, np.int8(3)], [1, 6, 2.0, True, "3"]),
        (counts(0, fewest=1, remedy=""), [(0,), [1, 2], np.array([3])], [(), [1.0], 3, "12"]),
        (number(0, 2), [0.5, np.float32(1.5), 1], [0, 2, np.nan, np.inf, True, "1", None, [1]]),
        (number(0, 1, closed="both"), [0, 1], [-1e-9, 1.001]),
        (number(0, 1, closed="left"), [0, 0.999], [1, -0.1]),
        (number(0, 1, closed="right"), [1, 0.001], [0, 1.1]),
        (number(closed="right"), [np.inf, 3], [0, -np.inf, np.nan]),
        (one_of("a", 3, None), ["a", 3, np.int64(3), None], ["b", 3.0, True, ["a"]]),
        (one_of(0, 1), [0, 1], [True, False]),
        (FLAG, [True, np.False_], [1, 0, None, "yes"]),
        (pair(number(), ""), [(2, 1), [1, 2], np.ones(2)], [(1,), (1, 2, 3), (0, 1), "12", 3]),
        (pair(number(), "", ascending=True), [(1, 1), (1, 2)], [(2, 1)]),
    ],
)
def test_rules_hold_for_what_they_say(rule, good, bad):
    assert [value for value in good if not rule.holds(value)] == []
    assert [value for value in bad if rule.holds(value)] == []


def test_what_keeps_its_rule_comes_back_as_a_value_of_python():
    assert type(check(np.int64(3), "n", count())) is int
    assert type(check(np.float32(0.5), "width", number())) is float


def test_long_values_are_cut_and_stay_on_one_line():
    message = (
        r"^`n` must be an integer >= 1; got \[\[0\..{,200}\.\.\.; give a larger whole number\.$"
    )
    with pytest.raises(ValueError, match=message):
        check(np.zeros((30, 30)).tolist(), "n", count())
