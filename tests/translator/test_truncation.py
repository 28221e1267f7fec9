import warnings

import numpy as np
import pytest

from spectragan import CycleGANTranslator, Spectra, SubspaceTruncationWarning
from spectragan.datasets import make_mock_domains

N_STARS, N_PIXELS = 300, 100


def domains(line=0.1, seed=0):
    """Return two domains whose strong lines need two components; a third line stands alone."""
    rng = np.random.default_rng(seed)
    strong = np.zeros((2, N_PIXELS))
    strong[0, :40], strong[1, 20:60] = 0.1, 0.1
    alone = np.zeros(N_PIXELS)
    alone[80:84] = line
    parts = []
    for known in (False, True):
        labels = rng.uniform(-1, 1, size=(N_STARS, 2))
        flux = 1 - labels @ strong - (labels[:, :1] ** 2) * alone * known
        noise = 0.01 * rng.normal(size=flux.shape) * known
        ivar = np.full(flux.shape, 1e4 if known else 1.0)
        parts.append(Spectra(flux + noise, None, ivar=ivar, noise="known" if known else "exact"))
    return parts


def translator(**parameters):
    quick = {"max_epochs": 3, "warmup_epochs": 1, "hidden": (16,), "random_state": 0, "verbose": 0}
    return CycleGANTranslator(**(quick | parameters))


def test_too_few_components_for_a_line_that_follows_the_labels_warn():
    with pytest.warns(SubspaceTruncationWarning, match=r"^at 4 % of the pixels .*raise n_compon"):
        translator(n_components=2, n_shared=2, n_split=0).fit(*domains())


def test_the_remedy_helps():
    translator(n_components=4, n_shared=2, n_split=0).fit(*domains())


def test_lines_that_are_only_noise_do_not_warn():
    translator(n_components=2, n_shared=2, n_split=0).fit(*domains(line=0.0))


def test_warning_comes_once_however_often_the_network_is_validated():
    pairs = domains(seed=1)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        translator(n_components=2, n_shared=2, n_split=0).fit(*domains(), validation=pairs)
    assert [w.category for w in caught] == [SubspaceTruncationWarning]
    assert caught[0].filename == __file__, "the warning must point at the user's line"


@pytest.mark.parametrize("n_pixels", [100, 400])
def test_mock_domains_do_not_warn(n_pixels):
    mock = make_mock_domains(150, 150, n_pixels=n_pixels, random_state=0)
    translator().fit(mock.synthetic, mock.observed)
