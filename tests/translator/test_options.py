"""`precision` and `compile` of the translator: checked, kept, and part of a checkpoint or not."""

import numpy as np
import pytest
from sklearn.base import clone

from spectragan import CheckpointError, SubspaceTruncationWarning, load
from spectragan.translator.game import players

pytestmark = pytest.mark.filterwarnings(f"ignore::spectragan.{SubspaceTruncationWarning.__name__}")


@pytest.mark.parametrize(
    ("parameters", "sentence"),
    [
        ({"precision": "float16"}, r"`precision` must be one of .*'bfloat16'.* got 'float16'; use"),
        ({"precision": None}, "`precision` must be one of .* got None; use"),
        ({"compile": "yes"}, "`compile` must be True or False; got 'yes'; False"),
        ({"device": "accelerator"}, "`device` must be .* got 'accelerator'; use"),
    ],
)
def test_wrong_options_are_named(mock, quick, parameters, sentence):
    with pytest.raises(ValueError, match=sentence):
        quick(**parameters).fit(mock.synthetic, mock.observed)


def test_a_translator_trained_in_bfloat16_is_like_any_other(mock, quick, fitted, tmp_path):
    translator = quick(precision="bfloat16").fit(mock.synthetic, mock.observed)
    found, expected = (t.transform(mock.synthetic).flux for t in (translator, fitted))
    assert 0 < np.abs(found - expected).max() < 0.02
    assert found.dtype == expected.dtype
    translator.save(tmp_path / "translator.spectragan")
    again = load(tmp_path / "translator.spectragan")
    assert clone(again).get_params()["precision"] == "bfloat16"
    np.testing.assert_array_equal(again.transform(mock.synthetic).flux, found)


def test_a_checkpoint_is_resumed_in_its_precision_only(mock, quick, tmp_path):
    quick(checkpoint=tmp_path).fit(mock.synthetic, mock.observed)
    other = quick(checkpoint=tmp_path, precision="bfloat16")
    with pytest.raises(CheckpointError, match=r"`precision` must be as .* float32; got bfloat16"):
        other.fit(mock.synthetic, mock.observed, resume=True)


@pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor:UserWarning")
def test_checkpoints_of_compiled_training_are_those_of_any(
    mock, quick, fitted, tmp_path, monkeypatch
):
    monkeypatch.setattr(players, "BACKEND", "eager")
    whole = quick(compile=True, checkpoint=tmp_path).fit(mock.synthetic, mock.observed)
    max(tmp_path.glob("*.safetensors")).unlink()  # as if killed after one epoch
    rest = quick(checkpoint=tmp_path).fit(mock.synthetic, mock.observed, resume=True)
    expected = fitted.transform(mock.synthetic).flux
    for translator in (whole, rest):
        flux = translator.transform(mock.synthetic).flux
        np.testing.assert_allclose(flux, expected, rtol=0, atol=1e-5)
