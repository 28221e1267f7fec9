"""What a resumed fit must share with the one it goes on from, and what may be spelt otherwise."""

import astropy.units as u
import numpy as np
import pytest

from spectragan import CheckpointError, Spectra, SubspaceTruncationWarning

pytestmark = pytest.mark.filterwarnings(f"ignore::spectragan.{SubspaceTruncationWarning.__name__}")


@pytest.mark.parametrize("penalty", [1.0, np.float32(1)])
def test_equal_numbers_are_the_same_parameter(penalty, mock, quick, tmp_path):
    first = quick(checkpoint=tmp_path, penalty=1).fit(mock.synthetic, mock.observed)
    second = quick(checkpoint=tmp_path, penalty=penalty)
    second.fit(mock.synthetic, mock.observed, resume=True)
    fluxes = [translator.transform(mock.synthetic).flux for translator in (first, second)]
    np.testing.assert_array_equal(*fluxes)


@pytest.mark.parametrize(
    ("medium", "unit", "message"),
    [("vacuum", u.dimensionless_unscaled, "in air .*; got .* in vacuum"), ("air", u.Jy, "in Jy")],
    ids=["medium", "unit"],
)
def test_resuming_in_another_medium_or_unit_is_refused(
    medium, unit, message, mock, quick, tmp_path
):
    """The numbers are the same, what they stand for is not."""
    translator = quick(checkpoint=tmp_path).fit(mock.synthetic, mock.observed)
    domains = [
        Spectra(s.flux * unit, s.wavelength, s.ivar / unit**2, noise=s.noise, medium=medium)
        for s in (mock.synthetic, mock.observed)
    ]
    with pytest.raises(CheckpointError, match=f"the synthetic data must be as for .*{message}"):
        translator.fit(*domains, resume=True)
