import numpy as np
import pytest

from spectragan import MeanShiftTranslator, Spectra, stack_domains
from spectragan.translator.base import check_latent_shape, holds_spectra, usable_rows
from spectragan.translator.domain_data import domain_data


def test_domain_data_hides_masked_values_and_tells_kinds_of_noise():
    flux = np.array([[1.0, 1e6], [1.0, 2.0]])
    data = domain_data(Spectra(flux, None, ivar=[[4.0, 0.0], [9.0, 9.0]]))
    assert data.flux.max() == 2.0
    assert data.known.all()
    assert not data.exact.any()
    np.testing.assert_array_equal(data.good, [[True, False], [True, True]])
    assert domain_data(Spectra(flux, None, noise="exact")).exact.all()


@pytest.mark.parametrize(
    ("y", "expected"),
    [
        (None, False),
        ([0, 1, 1], False),
        (np.array([[0], [1]]), False),
        (["synthetic", "observed"], False),
        (np.ones((3, 5)), True),
        (Spectra(np.ones((3, 5)), None), True),
    ],
)
def test_holds_spectra_tells_spectra_from_domains(y, expected):
    assert holds_spectra(y) is expected


def test_usable_rows_drops_rows_without_pixels_and_keeps_the_rest_in_order():
    ivar = np.ones((4, 3))
    ivar[1] = 0
    rows = Spectra(np.arange(12.0).reshape(4, 3), None, ivar=ivar)
    np.testing.assert_array_equal(usable_rows(rows, "observed").flux[:, 0], [0, 6, 9])
    full = rows[[0, 2]]
    assert usable_rows(full, "observed") is full


def test_check_latent_shape_reads_lists():
    np.testing.assert_array_equal(check_latent_shape([[1, 2]], "shared", 2), [[1.0, 2.0]])
    with pytest.raises(ValueError, match=r"`shared` must have shape \(n_spectra, n_latents\)"):
        check_latent_shape([1, 2], "shared", 2)


def test_score_takes_both_forms_and_any_numbers_of_spectra(mock):
    translator = MeanShiftTranslator().fit(mock.synthetic, mock.observed)
    score = translator.score(mock.synthetic, mock.observed)
    assert score < 0
    assert translator.score(*stack_domains(mock.synthetic, mock.observed)) == score
    assert translator.score(mock.synthetic[:10], mock.observed) < score, "few stars are far apart"


def test_score_is_much_better_than_that_of_no_translation(mock):
    translator = MeanShiftTranslator().fit(mock.synthetic, mock.observed)
    nothing = MeanShiftTranslator().fit(mock.synthetic, mock.synthetic)
    moved = mock.observed.with_flux(mock.observed.flux + 0.1, mock.observed.ivar)
    far = MeanShiftTranslator().fit(mock.synthetic, moved)
    assert far.score(mock.synthetic, moved) == pytest.approx(
        translator.score(mock.synthetic, mock.observed), rel=0.05
    )
    assert nothing.score(mock.synthetic, moved) < 3 * far.score(mock.synthetic, moved)
