"""Bad input is one sentence with the rule, the value and the remedy."""

import astropy.units as u
import numpy as np
import pytest

from spectragan import Spectra, as_spectra
from spectragan.spectra.inputs import make_rng

GRID = np.linspace(4000, 4010, 3) * u.AA


def spectra(flux=None, wavelength=GRID, **kwargs):
    return Spectra(np.ones((2, 3)) if flux is None else flux, wavelength, **kwargs)


def array(value, row=0, pixel=1):
    values = np.ones((2, 3))
    values[row, pixel] = value
    return values


CASES = {
    "one_spectrum": (ValueError, r"got \(3,\)", {"flux": np.ones(3)}),
    "cube": (ValueError, r"\(n_spectra, n_pixels\)", {"flux": np.ones((1, 2, 3))}),
    "no_spectra": (ValueError, "at least one spectrum", {"flux": np.ones((0, 3))}),
    "no_pixels": (ValueError, "at least one spectrum", {"flux": np.ones((2, 0))}),
    "empty_list": (ValueError, "at least one spectrum", {"flux": []}),
    "ragged": (ValueError, "different lengths", {"flux": [[1.0, 2.0], [1.0]]}),
    "words": (TypeError, "real numbers", {"flux": [["a", "b", "c"]]}),
    "complex": (TypeError, "real numbers", {"flux": np.ones((2, 3), complex)}),
    "ivar_shape": (ValueError, r"shape of flux, \(2, 3\); got \(3,\)", {"ivar": np.ones(3)}),
    "ivar_negative": (ValueError, "got -1.0 at row 1, pixel 2", {"ivar": array(-1, 1, 2)}),
    "ivar_infinite": (ValueError, "got inf at row 0, pixel 1", {"ivar": array(np.inf)}),
    "ivar_nan": (ValueError, "got nan at row 0, pixel 1", {"ivar": array(np.nan)}),
    "ivar_unit": (ValueError, "`ivar` must have a unit", {"ivar": np.ones((2, 3)) * u.Jy}),
    "ivar_overflow": (
        ValueError,
        "got inf",
        {"flux": np.ones((2, 3), "f4"), "ivar": array(np.inf)},
    ),
    "weights": (ValueError, "must be 0 or 1", {"ivar": array(5.0), "noise": "exact"}),
    "weights_row": (
        ValueError,
        "got 5.0 at row 1, pixel 1",
        {"ivar": array(5.0, 1), "noise": ["known", "unknown"]},
    ),
    "noise_word": (ValueError, "got 'poisson'", {"noise": "poisson"}),
    "noise_count": (ValueError, "2 words", {"noise": ["exact"] * 3}),
    "noise_known": (ValueError, "`ivar` must be given", {"noise": "known"}),
    "axis_plain": (TypeError, "u.AA", {"wavelength": GRID.value}),
    "axis_unit": (ValueError, "got 'kg'", {"wavelength": GRID.value * u.kg}),
    "axis_velocity": (ValueError, "got 'km / s'", {"wavelength": GRID.value * u.km / u.s}),
    "axis_length": (ValueError, "one value per pixel", {"wavelength": GRID[:2]}),
    "axis_duplicate": (ValueError, "at pixel 1", {"wavelength": [1, 1, 2] * u.AA}),
    "axis_unsorted": (ValueError, "strictly ascending", {"wavelength": [1, 3, 2] * u.AA}),
    "axis_nan": (ValueError, "finite and positive", {"wavelength": [1, np.nan, 2] * u.AA}),
    "axis_negative": (ValueError, "at pixel 0", {"wavelength": [-1, 1, 2] * u.AA}),
    "medium": (ValueError, "got 'water'", {"medium": "water"}),
    "meta_kind": (TypeError, "one value per spectrum", {"meta": ["a", "b"]}),
    "meta_word": (ValueError, "got 'ab'", {"meta": {"name": "ab"}}),
    "meta_scalar": (ValueError, "one per spectrum; got 3", {"meta": {"name": 3}}),
    "meta_count": (ValueError, "got 3 values", {"meta": {"name": [1, 2, 3]}}),
}


@pytest.mark.parametrize("case", CASES)
def test_bad_input_is_one_sentence(case):
    error, message, kwargs = CASES[case]
    with pytest.raises(error, match=message) as caught:
        spectra(**kwargs)
    text = str(caught.value)
    assert "\n" not in text
    assert text.endswith(".")
    assert len(text) < 260


@pytest.mark.parametrize("extra", ["wavelength", "ivar", "noise"])
def test_as_spectra_refuses_what_spectra_carry_themselves(extra):
    with pytest.raises(TypeError, match=f"`{extra}` must be None"):
        as_spectra(spectra(), **{extra: np.ones((2, 3))})


@pytest.mark.parametrize("x", [None, "stars.fits", {"flux": 1}])
def test_as_spectra_of_no_spectra_is_one_sentence(x):
    with pytest.raises(TypeError, match="real numbers"):
        as_spectra(x)


@pytest.mark.parametrize("seed", [[1, 2], -1, "seed", 1.5])
def test_what_is_no_seed_is_refused(seed):
    with pytest.raises(ValueError, match="`random_state` must be an integer >= 0, a generator or"):
        make_rng(seed)
