"""Games that start from pseudo-pairs close gaps though labels differ."""

import numpy as np
import pytest

from benchmarks.gap_pairs import GAPS, make_pair
from spectragan import CycleGANTranslator, LinearTranslator, PseudoPairTranslator, load
from spectragan.translator.domain_data import memory_data
from spectragan.translator.game import start as module
from spectragan.translator.game.setup import build_game
from spectragan.translator.matching.mismatch import match_domains

# Other labels are in doubt without anchors, and said so: here they are on purpose.
pytestmark = pytest.mark.filterwarnings("ignore::spectragan.LabelMismatchWarning")


@pytest.fixture(scope="module", params=["deeper", "scattered light", "sparse"])
def trained(request):
    gap = next(gap for gap in GAPS if gap.name == request.param)
    pair = make_pair(gap, "MILES-like", label_shift=0.5, seed=3, n_pixels=500, n_test=150)
    fit = CycleGANTranslator(max_epochs=3, warmup_epochs=2, random_state=0, verbose=0)
    return pair, fit.fit(pair.synthetic, pair.observed)


def left(translator, pair):
    flux = translator.transform(pair.test.synthetic_of_observed).flux
    rms = np.sqrt(np.mean((flux - pair.test.observed_truth.flux) ** 2, dtype=float))
    return float(rms) / pair.unit


def test_a_gap_is_closed_though_labels_differ(trained):
    pair, fit = trained
    assert fit.starts_from_pairs_
    linear = LinearTranslator().fit(pair.synthetic, pair.observed)
    assert left(fit, pair) < 0.35
    assert left(fit, pair) < 0.5 * left(linear, pair)


def test_the_translation_of_the_start_is_kept(trained):
    pair, fit = trained
    pairs = PseudoPairTranslator().fit(pair.synthetic, pair.observed)
    assert abs(left(fit, pair) - left(pairs, pair)) < 0.1


def test_files_say_what_training_started_from(trained, tmp_path):
    pair, fit = trained
    fit.save(tmp_path / "a.model")
    again = load(tmp_path / "a.model")
    assert again.starts_from_pairs_
    few = pair.test.synthetic_of_observed[:5]
    np.testing.assert_array_equal(again.transform(few).flux, fit.transform(few).flux)


def test_rows_of_the_start_are_the_same_in_any_parts(trained, monkeypatch):
    pair, fit = trained
    domains = memory_data(pair.synthetic), memory_data(pair.observed)
    found = match_domains(domains, match=False)
    parameters = fit.get_params(deep=False)
    starts = []
    for chunk in (module.CHUNK, 7):
        monkeypatch.setattr(module, "CHUNK", chunk)
        game = build_game(domains, parameters, "cpu", np.random.RandomState(0), found=found)
        starts.append(game.rows.parts["synthetic"].inputs["start"].numpy())
    np.testing.assert_allclose(starts[1], starts[0], atol=1e-5)
