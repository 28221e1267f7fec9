import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st

from spectragan.starnet.training import bridge_gaps


@given(seed=st.integers(0, 1000), n_pixels=st.integers(1, 20), share=st.floats(0.1, 0.95))
def test_bridge_gaps_is_linear_interpolation(seed, n_pixels, share):
    rng = np.random.default_rng(seed)
    flux, good = rng.normal(size=(4, n_pixels)), rng.random((4, n_pixels)) < share
    pixel = np.arange(n_pixels)
    bridged = bridge_gaps(torch.as_tensor(flux), torch.as_tensor(good)).numpy()
    for row, seen, found in zip(flux, good, bridged, strict=True):
        expected = np.interp(pixel, pixel[seen], row[seen]) if seen.any() else np.zeros(n_pixels)
        np.testing.assert_allclose(found, expected, atol=1e-12)


def test_bridge_gaps_never_looks_under_a_mask():
    flux = torch.randn(3, 12, generator=torch.Generator().manual_seed(0))
    good = torch.rand(3, 12, generator=torch.Generator().manual_seed(1)) < 0.5
    for hidden in (torch.nan, torch.inf, 1e30):
        scrambled = torch.where(good, flux, hidden)
        assert torch.equal(bridge_gaps(scrambled, good), bridge_gaps(flux, good))


def test_bridge_gaps_keeps_precision_and_complete_spectra():
    flux = torch.randn(2, 5, dtype=torch.float64)
    bridged = bridge_gaps(flux, torch.ones(2, 5, dtype=torch.bool))
    assert bridged.dtype == torch.float64
    assert torch.equal(bridged, flux)
