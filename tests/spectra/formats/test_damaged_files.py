"""Files damaged at random: whatever the damage, one sentence or a spectrum, and no crash."""

import re
import warnings

import numpy as np
import pytest

from spectragan import (
    FileAssumptionWarning,
    NaNFluxWarning,
    SpectrumFileError,
    UnusedDataWarning,
    read_spectra,
)

MAKERS = {
    "apStar": lambda m: m.apstar(),
    "apStar of one visit": lambda m: m.apstar(1),
    "aspcapStar": lambda m: m.aspcapstar(),
    "apVisit": lambda m: m.apvisit(),
    "SDSS": lambda m: m.sdss(),
    "mwm": lambda m: m.mwm(),
    "LAMOST DR5": lambda m: m.lamost_dr5(),
    "LAMOST DR8": lambda m: m.lamost_dr8(),
    "GALAH": lambda m: m.galah(),
    "DESI": lambda m: m.desi("B"),
    "image": lambda m: m.one_d(),
    "table": lambda m: m.simple(error=[0.1, 0.1, 0.1]),
}
N_DAMAGES = 12


def read(path):
    """Return the spectra, or None after an error that is one sentence with the file.

    A warning that names what was assumed, or isn't used, tells the user as well.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NaNFluxWarning)
        try:
            return read_spectra(path)
        except (FileAssumptionWarning, UnusedDataWarning):
            return None
        except SpectrumFileError as error:
            message = str(error)
    start = f"`{path}`: "
    assert message.startswith(start)
    assert message.endswith(".")
    assert not re.search(r"\n|[.!?] [A-Z]", message.removeprefix(start))
    return None


@pytest.mark.parametrize("name", MAKERS)
def test_a_cut_file_is_refused_or_loses_nothing(make, write, name):
    """What is cut off may be what isn't read: padding, or another star's model."""
    content = make.raw(MAKERS[name](make))
    good = read_spectra(write(content))
    rng = np.random.default_rng(0)
    for end in rng.integers(1, len(content), N_DAMAGES):
        s = read(write(content[:end]))
        if s is not None:
            assert np.array_equal(s.flux, good.flux)
            assert np.array_equal(s.ivar, good.ivar)
            assert np.array_equal(s.wavelength, good.wavelength)


@pytest.mark.parametrize("name", MAKERS)
def test_a_file_with_wrong_bytes_never_crashes(make, write, name):
    content = make.raw(MAKERS[name](make))
    rng = np.random.default_rng(1)
    for start in rng.integers(0, len(content) - 80, N_DAMAGES):
        damaged = bytearray(content)
        damaged[start : start + 80] = rng.integers(0, 256, 80, dtype=np.uint8).tobytes()
        s = read(write(bytes(damaged)))
        assert s is None or (np.isfinite(s.flux).all() and np.isfinite(s.ivar).all())
