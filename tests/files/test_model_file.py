"""The layout: readable by others, the same for the same model, checked to the last byte."""

import os

import numpy as np
import pytest
import safetensors
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from safetensors.numpy import load_file

from spectragan import ModelFileError
from spectragan.files.layout import (
    LONGEST_HEADER,
    TYPES,
    ModelFile,
    read_json,
    read_model_file,
    write_model_file,
)

DTYPES = [np.dtype(code) for code in TYPES.values()]


def test_safetensors_itself_reads_a_model(models, tmp_path):
    path = tmp_path / "model.safetensors"
    models["CycleGANTranslator"].save(path)
    tensors = load_file(path)
    np.testing.assert_array_equal(
        tensors["split_codes_"], models["CycleGANTranslator"].split_codes_
    )
    with safetensors.safe_open(path, framework="numpy") as file:
        assert file.metadata()["format"] == "spectragan model"
        assert set(file.keys()) == set(read_model_file(path).tensors)


@given(
    arrays=st.lists(
        st.sampled_from(DTYPES).flatmap(
            lambda dtype: hnp.arrays(dtype, hnp.array_shapes(min_dims=0, min_side=0, max_side=4))
        ),
        max_size=5,
    )
)
def test_arrays_of_any_type_and_shape_come_back(arrays, tmp_path_factory):
    path = tmp_path_factory.mktemp("file") / "model"
    tensors = {f"t{i}": np.ascontiguousarray(array) for i, array in enumerate(arrays)}
    tensors = {name: a.reshape(arrays[i].shape) for i, (name, a) in enumerate(tensors.items())}
    write_model_file(path, ModelFile({"class": "x"}, [1, None], tensors))
    about, state, found = read_model_file(path)
    assert (about, state) == ({"class": "x"}, [1, None])
    assert found.keys() == tensors.keys()
    for name, array in tensors.items():
        assert found[name].dtype == array.dtype
        assert found[name].shape == array.shape
        assert found[name].tobytes() == array.tobytes()
        assert found[name].flags.writeable


def test_every_tensor_is_aligned(tmp_path):
    tensors = {
        "flags": np.ones(3, dtype=bool),
        "values": np.arange(3.0),
        "singles": np.arange(3, dtype=np.float32),
    }
    write_model_file(tmp_path / "model", ModelFile({}, None, tensors))
    data = (tmp_path / "model").read_bytes()
    length = int.from_bytes(data[:8], "little")
    header = read_json(data[8 : 8 + length])
    for name, array in tensors.items():
        start = 8 + length + header[name]["data_offsets"][0]
        assert start % array.dtype.itemsize == 0


def test_a_header_that_would_be_too_long_is_not_written(tmp_path):
    with pytest.raises(ModelFileError, match=r"must fit into 4 MB of text .* shorten"):
        write_model_file(tmp_path / "model", ModelFile({}, "x" * LONGEST_HEADER, {}))
    assert not list(tmp_path.iterdir())


def test_a_file_without_tensors_is_one(tmp_path):
    write_model_file(tmp_path / "model", ModelFile({}, {"a": 1.5}, {}))
    assert read_model_file(tmp_path / "model") == ModelFile({}, {"a": 1.5}, {})


def test_the_header_alone_needs_no_memory_for_tensors(tmp_path, monkeypatch):
    write_model_file(tmp_path / "model", ModelFile({"a": 1}, None, {"t": np.ones(10)}))
    monkeypatch.setattr(np, "empty", lambda *args: pytest.fail("allocated"))
    assert read_model_file(tmp_path / "model", tensors=False).about == {"a": 1}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b'{"a": 1, "a": 2}', "name everything once; got a key twice"),
        (b"[" * 100 + b"]" * 100, "nested at most 60 deep"),
        (b'["' + b"[" * 100 + b'"', "must be JSON"),
        (b"[NaN]", "finite numbers; got NaN"),
        (b"[1e999]", "finite numbers; got 1e999"),
        (b"[" + b"9" * 5000 + b"]", "short numbers; got 999"),
        (b'"\xff"', "must be JSON"),
        (b"", "must be JSON"),
        (b"[1] [2]", "must be JSON"),
    ],
)
def test_json_of_a_stranger_is_refused(text, message):
    with pytest.raises(ModelFileError, match=message):
        read_json(text)


def test_brackets_in_words_are_no_nesting():
    assert read_json(b'["' + b"[{" * 1000 + b'\\"[["]') == ["[{" * 1000 + '"[[']


def test_a_file_that_shrinks_while_it_is_read_is_refused(tmp_path, monkeypatch):
    path = tmp_path / "model"
    write_model_file(path, ModelFile({}, None, {"t": np.ones(1000)}))
    full_empty = np.empty

    def shrink(*args):
        os.truncate(path, path.stat().st_size - 100)
        return full_empty(*args)

    monkeypatch.setattr(np, "empty", shrink)
    with pytest.raises(ModelFileError, match="must stay as it is while it is read"):
        read_model_file(path)
