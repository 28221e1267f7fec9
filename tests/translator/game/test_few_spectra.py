"""A game with too few spectra says so, and names what to compare with."""

import warnings

import pytest

from spectragan.exceptions import FewSpectraWarning


@pytest.mark.parametrize("sizes", [(5, 60), (60, 29)])
def test_few_spectra_of_a_side_are_told(mock, quick, sizes):
    synthetic, observed = mock.synthetic[: sizes[0]], mock.observed[: sizes[1]]
    with pytest.warns(
        FewSpectraWarning, match=f"got {sizes[0]} synthetic and {sizes[1]} obs.*Mean"
    ):
        quick(match_labels=False).fit(synthetic, observed)


def test_thirty_of_a_side_are_not(mock, quick):
    with warnings.catch_warnings():
        warnings.simplefilter("error", FewSpectraWarning)
        quick(match_labels=False).fit(mock.synthetic[:30], mock.observed[:30])
